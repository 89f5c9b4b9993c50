#include "exchange/exchange.h"
#include "exchange/worker_context.h"
#include "filter/table.h"
#include "http/field_set.h"
#include "http/grammar.h"
#include "http/trail.h"

/* ---- what may not be believed ---- */

/* Fields that name the client, the scheme, the host, the path or the method on the side, as proxies, clouds and
 * frameworks call them. A backend that believes one of them from any client can be told any address; and what the backend
 * sees and the cache's key does not hold is a way to poison the cache. '_' and '-' are the same (CGI, WSGI). */
/* clang-format off */
#define SIDE_PATTERNS(X) \
    /* the client */ \
    X("Forwarded*") X("X-Forwarded*") X("X-Forward-*") X("*Forwarded-For") X("*Forwarded-For-IP") X("*Forwarder-For") X("*Forwarding-For") \
    X("*Client-IP") X("*ClientIP") X("*Client-IPv6") X("*Client-Address") X("*Client-Port") X("*Real-IP") \
    X("*Real-IPv6") X("*Real-Port") X("*Coming-From") X("*True-IP") X("*User-IP") X("*ProxyUser-IP") \
    X("*Connecting-IP") X("*Connecting-IPv6") X("*Connection-IP") X("CF-Pseudo-IPv4") X("*SocketIP") X("*Remote-IP") \
    X("*Remote-Addr") X("*Remote-Address") X("*Originating-IP") X("*Origin-IP") X("*Source-IP") X("*Src-IP") X("*Cluster-IP") \
    X("*External-Address") X("*Viewer-Address") X("X-IP") X("X-Peer-IP") X("X-Custom-IP-Authorization") \
    /* the scheme */ \
    X("*Forwarded-Proto") X("*Forwarded-Ssl") X("*Forwarded-Port") X("CF-Visitor") X("Front-End-Https") X("X-Scheme") \
    X("X-URL-Scheme") X("X-Https") X("X-ARR-SSL") X("Fastly-SSL") \
    /* the host */ \
    X("*Forwarded-Host") X("*Forwarded-Server") X("X-Original-Host") X("X-Host") X("X-HTTP-Host-Override") X("X-Host-Override") \
    X("X-Override-Host") X("X-HTTP-Host") X("X-Real-Host") X("X-Proxy-Host") X("X-Proxy-URL") \
    /* path and method */ \
    X("X-Envoy-Original-*") X("X-Original-URI") X("X-Original-URL") X("X-Original-Path") X("X-Replaced-Path") X("X-Original-Method") X("X-Rewrite-*") \
    X("X-Override-URL") X("X-Script-Name") X("X-WAWS-Unencoded-URL") X("X-HTTP-DestinationURL") X("X-HTTP-Path-Override") \
    X("X-HTTP-Method") X("X-HTTP-Method-Override") X("X-Method-Override")
/* clang-format on */
static const struct gw_slice side_patterns[] = {
#define PATTERN(text) { text, sizeof(text) - 1 },
    SIDE_PATTERNS(PATTERN)
#undef PATTERN
};

_Static_assert(GW_COUNT(side_patterns) <= GW_NAMES_MOST, "what is beyond would not be found");

/* Filled before main, constant afterwards. */
static struct gw_names side;
static struct gw_field_set side_fields;

__attribute__((constructor)) static void identify_fill_side(void)
{
    gw_names_init(&side, side_patterns, GW_COUNT(side_patterns));
    gw_field_set_init(&side_fields, &side);
}

/* HTTP_X_FORWARDED_FOR is what CGI and WSGI make of X-Forwarded-For; some backends look for that among the fields, too. */
static bool identify_is_side(struct gw_slice name)
{
    enum { PREFIX = sizeof "HTTP_" - 1 };
    if (gw_names_has(&side, name))
        return true;
    bool has_prefix = name.length > PREFIX && (name.at[0] | 0x20) == 'h' &&
                      (name.at[PREFIX - 1] == '_' || name.at[PREFIX - 1] == '-') &&
                      gw_slice_equal_nocase(gw_slice_of(name.at, PREFIX - 1), GW_SLICE("HTTP"));
    return has_prefix && gw_names_has(&side, gw_slice_of(name.at + PREFIX, name.length - PREFIX));
}

/* A name with '_' that reads like one that is known, where a backend maps both to the same variable. */
static bool identify_is_disguised(struct gw_slice name)
{
    char plain[64];
    if (!memchr(name.at, '_', name.length))
        return false;
    if (name.length > sizeof plain)
        return identify_is_side(name);
    for (size_t i = 0; i < name.length; i++)
        plain[i] = name.at[i] == '_' ? '-' : name.at[i];
    return gw_field_name_of(gw_slice_of(plain, name.length)) != GW_FIELD_OTHER || identify_is_side(name);
}

/* A disguised one is removed from trusted peers, too: a proxy that sets X-Forwarded-Host lets its clients'
 * X_Forwarded_Host through. */
static void identify_drop_untold(struct gw_head *request, bool peer_is_trusted)
{
    for (unsigned i = 0; i < request->count; i++) {
        struct gw_field *field = &request->fields[i];
        bool is_known = field->id != GW_FIELD_OTHER;
        if (!peer_is_trusted && (is_known ? side_fields.has_known[field->id] : identify_is_side(field->name)))
            field->dropped = true;
        else if (!is_known && identify_is_disguised(field->name))
            field->dropped = true;
    }
}

/* ---- what a trusted peer says ---- */

static void identify_take_scheme(struct gw_exchange *exchange, struct gw_slice told)
{
    if (gw_slice_equal_nocase(told, GW_SLICE("https")))
        exchange->identity.scheme = GW_SLICE("https");
    else if (gw_slice_equal_nocase(told, GW_SLICE("http")))
        exchange->identity.scheme = GW_SLICE("http");
}

static void identify_take_host(struct gw_exchange *exchange, struct gw_slice told)
{
    if (told.length && gw_grammar_is_authority(told))
        exchange->identity.host = told;
}

/* Each proxy on the way may have put its own behind the others': the first is the client's. */
static struct gw_slice identify_first_of_list(const struct gw_head *request, enum gw_field_name id)
{
    struct gw_slice value = gw_head_value(request, id);
    const char *comma = value.length ? memchr(value.at, ',', value.length) : NULL;
    return comma ? gw_slice_trim(gw_slice_of(value.at, (size_t)(comma - value.at))) : value;
}

/* From the nearest hop to the farthest: a hop is told of by the one behind it, so it is believed as long as that one is
 * trusted. The client is the last that is told of by a trusted one. An element that is not well-formed, or names no
 * address, ends the walk: any client may have written what stands before it. */
static void identify_walk_trail(struct gw_exchange *exchange)
{
    struct gw_trail_hop hops[32];
    unsigned count = 0;
    struct gw_trail trail = gw_trail_of(&exchange->request);
    for (;;) {
        if (count == GW_COUNT(hops))
            memmove(hops, hops + 1, sizeof hops[0] * --count);
        if (!gw_trail_next(&trail, &hops[count]))
            break;
        count++;
    }
    while (count--) {
        const struct gw_trail_hop *hop = &hops[count];
        identify_take_scheme(exchange, hop->proto);
        identify_take_host(exchange, hop->host);
        if (!hop->has_address)
            return;
        exchange->identity.client = hop->address;
        if (!gw_networks_have(exchange->config->trusted_proxies, exchange->config->trusted_proxy_count,
                              &exchange->identity.client))
            return;
    }
}

/* What is read where a proxy says neither X-Forwarded-Proto nor Forwarded. */
static void identify_take_scheme_of_others(struct gw_exchange *exchange)
{
    static const enum gw_field_name names[] = { GW_FIELD_X_FORWARDED_SCHEME, GW_FIELD_X_FORWARDED_PROTOCOL,
                                                GW_FIELD_X_SCHEME, GW_FIELD_X_URL_SCHEME,
                                                GW_FIELD_CLOUDFRONT_FORWARDED_PROTO };
    static const enum gw_field_name switches[] = { GW_FIELD_X_FORWARDED_SSL, GW_FIELD_FRONT_END_HTTPS };
    for (unsigned i = 0; i < GW_COUNT(names); i++)
        identify_take_scheme(exchange, identify_first_of_list(&exchange->request, names[i]));
    for (unsigned i = 0; i < GW_COUNT(switches); i++)
        if (gw_slice_equal_nocase(gw_head_value(&exchange->request, switches[i]), GW_SLICE("on")))
            exchange->identity.scheme = GW_SLICE("https");
}

static bool identify_overrides_method(const struct gw_head *request)
{
    return gw_head_find(request, GW_FIELD_X_HTTP_METHOD) || gw_head_find(request, GW_FIELD_X_HTTP_METHOD_OVERRIDE) ||
           gw_head_find(request, GW_FIELD_X_METHOD_OVERRIDE);
}

static void identify_take_from_trusted_peer(struct gw_exchange *exchange)
{
    struct gw_head *request = &exchange->request;
    identify_take_scheme_of_others(exchange);
    identify_take_host(exchange, identify_first_of_list(request, GW_FIELD_X_ORIGINAL_HOST));
    identify_walk_trail(exchange);
    identify_take_scheme(exchange, identify_first_of_list(request, GW_FIELD_X_FORWARDED_PROTO));
    identify_take_host(exchange, identify_first_of_list(request, GW_FIELD_X_FORWARDED_HOST));
    exchange->identity.overrides_method = identify_overrides_method(request);
}

static void identify_name_request(struct gw_exchange *exchange)
{
    struct gw_slice given = exchange->request.fields ? gw_head_value(&exchange->request, GW_FIELD_X_REQUEST_ID)
                                                     : GW_NO_SLICE;
    if (given.length && gw_grammar_is_request_id(given)) {
        exchange->identity.request_id = given;
        return;
    }
    uint64_t words[2] = { gw_random_next(&exchange->context->random), gw_random_next(&exchange->context->random) };
    struct gw_buffer text = gw_buffer_over(exchange->texts.request_id, sizeof exchange->texts.request_id);
    gw_buffer_put_hex(&text, words, sizeof words);
    exchange->identity.request_id = gw_buffer_slice(&text);
}

static enum gw_filter_result identify_on_request(struct gw_exchange *exchange)
{
    struct gw_head *request = &exchange->request;
    exchange->identity.client = exchange->identity.peer;
    identify_name_request(exchange);
    if (!exchange->deciding.fault && exchange->arrival.length > exchange->config->max_body_bytes)
        exchange->deciding.fault = GW_ERROR_BODY_TOO_LARGE;
    if (!exchange->deciding.fault) {
        exchange->identity.host = request->authority;
        exchange->identity.peer_is_trusted = gw_networks_have(
            exchange->config->trusted_proxies, exchange->config->trusted_proxy_count, &exchange->identity.peer);
        if (exchange->identity.peer_is_trusted)
            identify_take_from_trusted_peer(exchange);
        identify_drop_untold(request, exchange->identity.peer_is_trusted);
        gw_head_drop_hop_by_hop(request);
    }
    exchange->identity.client_text = gw_slice_of(exchange->texts.client,
                                                 gw_address_print(&exchange->identity.client, exchange->texts.client));
    if (!exchange->deciding.fault)
        return GW_FILTER_CONTINUE;
    gw_exchange_answer_error(exchange, exchange->deciding.fault);
    return GW_FILTER_ANSWERED;
}

const struct gw_filter gw_filter_identify = {
    .name = "identify",
    .on_request = identify_on_request,
};
