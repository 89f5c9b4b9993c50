#include "exchange/forward.h"

#include "http/writer.h"

#define VIA_NAME "visara-gateway"

static bool is_written_elsewhere(enum gw_field_name id)
{
    return id == GW_FIELD_HOST || id == GW_FIELD_CONTENT_LENGTH || id == GW_FIELD_EXPECT ||
           id == GW_FIELD_X_REQUEST_ID || id == GW_FIELD_X_FORWARDED_FOR || id == GW_FIELD_X_FORWARDED_PROTO ||
           id == GW_FIELD_X_FORWARDED_HOST;
}

static bool is_left_out(enum gw_field_name id, enum gw_forward_what what)
{
    bool is_conditional = id == GW_FIELD_IF_NONE_MATCH || id == GW_FIELD_IF_MODIFIED_SINCE || id == GW_FIELD_IF_RANGE;
    return (what != GW_FORWARD_AS_ASKED && is_conditional) || (what == GW_FORWARD_WHOLE && id == GW_FIELD_RANGE);
}

/* X-Forwarded-For: what a trusted peer said, then the peer; otherwise the peer alone. */
static void put_forwarded_for(const struct gw_exchange *exchange, struct gw_buffer *buffer)
{
    char peer[GW_ADDRESS_TEXT_BYTES];
    size_t length = gw_address_print(&exchange->peer, peer);
    struct gw_writer_line line = gw_writer_begin(buffer, GW_SLICE("X-Forwarded-For"));
    if (exchange->peer_is_trusted) {
        const struct gw_field *field = gw_head_find(&exchange->request, GW_FIELD_X_FORWARDED_FOR);
        for (; field; field = gw_head_find_next(&exchange->request, field)) {
            gw_buffer_put_slice(buffer, field->value);
            gw_buffer_put_literal(buffer, ", ");
        }
    }
    gw_buffer_put(buffer, peer, length);
    gw_writer_end(&line);
}

/* RFC 7239 §4: for=, proto=, host= of this hop; a trusted peer's own elements stay before it as a field of their
 * own. */
static void put_forwarded(const struct gw_exchange *exchange, struct gw_buffer *buffer)
{
    char peer[GW_ADDRESS_TEXT_BYTES];
    size_t length = gw_address_print(&exchange->peer, peer);
    bool ipv4 = gw_address_is_ipv4(&exchange->peer);
    struct gw_writer_line line = gw_writer_begin(buffer, GW_SLICE("Forwarded"));
    gw_buffer_put_string(buffer, ipv4 ? "for=" : "for=\"[");
    gw_buffer_put(buffer, peer, length);
    gw_buffer_put_string(buffer, ipv4 ? ";proto=" : "]\";proto=");
    gw_buffer_put_slice(buffer, exchange->scheme);
    if (exchange->host.length) {
        gw_buffer_put_literal(buffer, ";host=\"");
        gw_buffer_put_slice(buffer, exchange->host);
        gw_buffer_put_literal(buffer, "\"");
    }
    gw_writer_end(&line);
}

void gw_forward_put_fields(const struct gw_exchange *exchange, enum gw_forward_what what, struct gw_buffer *buffer)
{
    const struct gw_head *request = &exchange->request;
    for (unsigned i = 0; i < request->count; i++) {
        const struct gw_field *field = &request->fields[i];
        if (field->dropped || is_written_elsewhere(field->id) || is_left_out(field->id, what))
            continue;
        gw_writer_put_field(buffer, field->name, field->value);
    }
    put_forwarded_for(exchange, buffer);
    gw_writer_put_field(buffer, GW_SLICE("X-Forwarded-Proto"), exchange->scheme);
    if (exchange->host.length)
        gw_writer_put_field(buffer, GW_SLICE("X-Forwarded-Host"), exchange->host);
    if (exchange->config->forwarded)
        put_forwarded(exchange, buffer);
    gw_writer_put_field(buffer, GW_SLICE("X-Request-Id"), exchange->request_id);
    gw_writer_put_field(buffer, GW_SLICE("Via"),
                        request->version_minor ? GW_SLICE("1.1 " VIA_NAME) : GW_SLICE("1.0 " VIA_NAME));
}
