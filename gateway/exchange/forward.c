#include "exchange/forward.h"

#include "http/grammar.h"
#include "http/trail.h"
#include "http/writer.h"

static bool forward_is_written_elsewhere(enum gw_field_name id)
{
    return id == GW_FIELD_HOST || id == GW_FIELD_CONTENT_LENGTH || id == GW_FIELD_EXPECT ||
           id == GW_FIELD_X_REQUEST_ID || id == GW_FIELD_X_FORWARDED_FOR || id == GW_FIELD_X_FORWARDED_PROTO ||
           id == GW_FIELD_X_FORWARDED_HOST || id == GW_FIELD_FORWARDED;
}

static bool forward_is_left_out(enum gw_field_name id, enum gw_forward_what what)
{
    /* A trusted peer's further words for scheme and host, which the key does not hold: X-Forwarded-Proto and -Host say
     * them. */
    if (id == GW_FIELD_CF_VISITOR || id == GW_FIELD_X_FORWARDED_SERVER || id == GW_FIELD_X_HOST ||
        id == GW_FIELD_X_HTTP_HOST_OVERRIDE)
        return true;
    bool is_conditional = id == GW_FIELD_IF_NONE_MATCH || id == GW_FIELD_IF_MODIFIED_SINCE || id == GW_FIELD_IF_RANGE;
    return (what != GW_FORWARD_AS_ASKED && is_conditional) || (what == GW_FORWARD_WHOLE && id == GW_FIELD_RANGE);
}

/* ---- by which hops it came ---- */

static struct gw_trail forward_trail_of(const struct gw_exchange *exchange)
{
    return exchange->identity.peer_is_trusted ? gw_trail_of(&exchange->request)
                                              : (struct gw_trail) { .source = GW_TRAIL_NONE };
}

static void forward_put_address(struct gw_buffer *buffer, const struct gw_address *address)
{
    char text[GW_ADDRESS_TEXT_BYTES];
    gw_buffer_put(buffer, text, gw_address_print(address, text));
}

/* What a trusted peer said, as it came or in the words of this field, then the peer; otherwise the peer alone. */
static void forward_put_forwarded_for(const struct gw_exchange *exchange, struct gw_buffer *buffer)
{
    struct gw_writer_line line = gw_writer_begin(buffer, GW_SLICE("X-Forwarded-For"));
    struct gw_trail trail = forward_trail_of(exchange);
    struct gw_trail_hop hop;
    if (trail.source == GW_TRAIL_X_FORWARDED) {
        for (; trail.field; trail.field = gw_head_find_next(trail.head, trail.field)) {
            gw_buffer_put_slice(buffer, trail.field->value);
            gw_buffer_put_literal(buffer, ", ");
        }
    }
    while (gw_trail_next(&trail, &hop)) {
        if (hop.has_address)
            forward_put_address(buffer, &hop.address);
        else
            gw_buffer_put_literal(buffer, "unknown");
        gw_buffer_put_literal(buffer, ", ");
    }
    forward_put_address(buffer, &exchange->identity.peer);
    gw_writer_end(&line);
}

/* RFC 7239 §4. Each element says the same scheme and host, so that it does not matter which of them a backend reads. */
static void forward_put_element(const struct gw_exchange *exchange, const struct gw_address *node,
                                struct gw_buffer *buffer)
{
    bool ipv4 = node && gw_address_is_ipv4(node);
    gw_buffer_put_string(buffer, !node ? "for=unknown" : ipv4 ? "for=" : "for=\"[");
    if (node)
        forward_put_address(buffer, node);
    gw_buffer_put_string(buffer, !node || ipv4 ? ";proto=" : "]\";proto=");
    gw_buffer_put_slice(buffer, exchange->identity.scheme);
    if (exchange->identity.host.length) {
        gw_buffer_put_literal(buffer, ";host=\"");
        gw_buffer_put_slice(buffer, exchange->identity.host);
        gw_buffer_put_literal(buffer, "\"");
    }
}

static void forward_put_forwarded(const struct gw_exchange *exchange, struct gw_trail trail, struct gw_buffer *buffer)
{
    struct gw_writer_line line = gw_writer_begin(buffer, GW_SLICE("Forwarded"));
    struct gw_trail_hop hop;
    while (gw_trail_next(&trail, &hop)) {
        forward_put_element(exchange, hop.has_address ? &hop.address : NULL, buffer);
        gw_buffer_put_literal(buffer, ", ");
    }
    forward_put_element(exchange, &exchange->identity.peer, buffer);
    gw_writer_end(&line);
}

/* ---- what it was asked for as ---- */

static void forward_put_port(const struct gw_exchange *exchange, struct gw_slice name, struct gw_buffer *buffer)
{
    struct gw_slice host;
    unsigned port = 0;
    bool is_told = exchange->identity.host.length &&
                   gw_grammar_split_authority(exchange->identity.host, &host, &port) && port;
    gw_writer_put_uint_field(buffer, name,
                             is_told                                                        ? port
                             : gw_slice_equal(exchange->identity.scheme, GW_SLICE("https")) ? 443
                                                                                            : 80);
}

/* Other names for the scheme, the host and its port, from a trusted peer (those of other peers are gone). They get the
 * values that the key has; otherwise the backend could answer by what the key does not hold. False: it is none of these. */
static bool forward_put_retold(const struct gw_exchange *exchange, const struct gw_field *field,
                               struct gw_buffer *buffer)
{
    bool is_https = gw_slice_equal(exchange->identity.scheme, GW_SLICE("https"));
    switch (field->id) {
    case GW_FIELD_X_FORWARDED_SCHEME:
    case GW_FIELD_X_FORWARDED_PROTOCOL:
    case GW_FIELD_X_SCHEME:
    case GW_FIELD_X_URL_SCHEME:
    case GW_FIELD_CLOUDFRONT_FORWARDED_PROTO:
        gw_writer_put_field(buffer, field->name, exchange->identity.scheme);
        return true;
    case GW_FIELD_X_FORWARDED_SSL:
    case GW_FIELD_FRONT_END_HTTPS:
        gw_writer_put_field(buffer, field->name, is_https ? GW_SLICE("on") : GW_SLICE("off"));
        return true;
    case GW_FIELD_X_ORIGINAL_HOST:
        gw_writer_put_field(buffer, field->name, exchange->identity.host);
        return true;
    case GW_FIELD_X_FORWARDED_PORT:
        forward_put_port(exchange, field->name, buffer);
        return true;
    default:
        return false;
    }
}

void gw_forward_put_fields(const struct gw_exchange *exchange, enum gw_forward_what what, struct gw_buffer *buffer)
{
    const struct gw_head *request = &exchange->request;
    for (unsigned i = 0; i < request->count; i++) {
        const struct gw_field *field = &request->fields[i];
        if (field->dropped || forward_is_written_elsewhere(field->id) || forward_is_left_out(field->id, what))
            continue;
        if (!forward_put_retold(exchange, field, buffer))
            gw_writer_put_field(buffer, field->name, field->value);
    }
    forward_put_forwarded_for(exchange, buffer);
    gw_writer_put_field(buffer, GW_SLICE("X-Forwarded-Proto"), exchange->identity.scheme);
    if (exchange->identity.host.length)
        gw_writer_put_field(buffer, GW_SLICE("X-Forwarded-Host"), exchange->identity.host);
    struct gw_trail trail = forward_trail_of(exchange);
    if (exchange->config->forwarded || trail.source == GW_TRAIL_FORWARDED)
        forward_put_forwarded(exchange, trail, buffer);
    gw_writer_put_field(buffer, GW_SLICE("X-Request-Id"), exchange->identity.request_id);
    struct gw_slice protocol = exchange->arrival.protocol;
    struct gw_writer_line line = gw_writer_begin(buffer, GW_SLICE("Via")); /* without "HTTP/" (RFC 9110 §7.6.3) */
    gw_buffer_put(buffer, protocol.at + 5, protocol.length - 5);
    gw_buffer_put_literal(buffer, " visara-gateway");
    gw_writer_end(&line);
}
