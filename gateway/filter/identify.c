#include "exchange/exchange.h"
#include "filter/table.h"
#include "http/grammar.h"

/* The client is the last address of X-Forwarded-For that is no trusted proxy: what stands before it, anybody may
 * have written. An element that is no address ends the walk. */
static void walk_forwarded_for(struct gw_exchange *exchange)
{
    struct gw_address addresses[32];
    unsigned count = 0;
    const struct gw_field *field = gw_head_find(&exchange->request, GW_FIELD_X_FORWARDED_FOR);
    for (; field; field = gw_head_find_next(&exchange->request, field)) {
        struct gw_slice rest = field->value, element;
        while (gw_slice_next_element(&rest, &element)) {
            struct gw_address address;
            if (!gw_address_parse(&address, element, true)) {
                count = 0; /* what stands before it cannot be believed */
                continue;
            }
            if (count == GW_COUNT(addresses))
                memmove(addresses, addresses + 1, sizeof addresses[0] * --count);
            addresses[count++] = address;
        }
    }
    while (count--) {
        exchange->client = addresses[count];
        if (!gw_config_trusts(exchange->config, &exchange->client))
            return;
    }
}

/* A name with '_' that reads like one that is known, where a backend maps both to the same variable (CGI, WSGI). */
static bool is_disguised(struct gw_slice name)
{
    char plain[64];
    if (name.length > sizeof plain || !memchr(name.at, '_', name.length))
        return false;
    for (size_t i = 0; i < name.length; i++)
        plain[i] = name.at[i] == '_' ? '-' : name.at[i];
    struct gw_slice text = gw_slice_of(plain, name.length);
    return gw_field_name_of(text) != GW_FIELD_OTHER ||
           (text.length > 12 && gw_slice_equal_nocase(gw_slice_of(plain, 12), GW_SLICE("x-forwarded-")));
}

/* Fields that name the client, the host, the path or the method on the side: what the backend sees and the cache's key
 * does not hold is a way to poison the cache. */
static void drop_side_fields(struct gw_head *request)
{
    static const enum gw_field_name side[] = {
        GW_FIELD_X_FORWARDED_FOR,
        GW_FIELD_X_FORWARDED_HOST,
        GW_FIELD_X_FORWARDED_PATH,
        GW_FIELD_X_FORWARDED_PORT,
        GW_FIELD_X_FORWARDED_PREFIX,
        GW_FIELD_X_FORWARDED_PROTO,
        GW_FIELD_X_FORWARDED_PROTOCOL,
        GW_FIELD_X_FORWARDED_SCHEME,
        GW_FIELD_X_FORWARDED_SERVER,
        GW_FIELD_X_FORWARDED_SSL,
        GW_FIELD_X_FORWARDED_URI,
        GW_FIELD_X_REAL_IP,
        GW_FIELD_FORWARDED,
        GW_FIELD_FRONT_END_HTTPS,
        GW_FIELD_X_ENVOY_ORIGINAL_PATH,
        GW_FIELD_X_ORIGINAL_HOST,
        GW_FIELD_X_ORIGINAL_URI,
        GW_FIELD_X_ORIGINAL_URL,
        GW_FIELD_X_REWRITE_URL,
        GW_FIELD_X_URL_SCHEME,
        GW_FIELD_X_HOST,
        GW_FIELD_X_HTTP_HOST_OVERRIDE,
        GW_FIELD_X_HTTP_METHOD,
        GW_FIELD_X_HTTP_METHOD_OVERRIDE,
        GW_FIELD_X_METHOD_OVERRIDE,
    };
    for (unsigned i = 0; i < GW_COUNT(side); i++)
        gw_head_drop(request, side[i]);
    for (unsigned i = 0; i < request->count; i++) {
        struct gw_field *field = &request->fields[i];
        if (field->id != GW_FIELD_OTHER)
            continue;
        bool forwarded = field->name.length > 12 &&
                         gw_slice_equal_nocase(gw_slice_of(field->name.at, 12), GW_SLICE("x-forwarded-"));
        field->dropped = field->dropped || forwarded;
    }
}

/* Whoever sends them: a proxy that sets X-Forwarded-Host lets its clients' X_Forwarded_Host through. */
static void drop_disguised(struct gw_head *request)
{
    for (unsigned i = 0; i < request->count; i++)
        if (request->fields[i].id == GW_FIELD_OTHER && is_disguised(request->fields[i].name))
            request->fields[i].dropped = true;
}

static void take_from_trusted_peer(struct gw_exchange *exchange)
{
    struct gw_slice scheme = gw_head_value(&exchange->request, GW_FIELD_X_FORWARDED_PROTO);
    struct gw_slice host = gw_head_value(&exchange->request, GW_FIELD_X_FORWARDED_HOST);
    walk_forwarded_for(exchange);
    if (gw_slice_equal_nocase(scheme, GW_SLICE("https")))
        exchange->scheme = GW_SLICE("https");
    if (host.length && gw_grammar_is_authority(host))
        exchange->host = host;
}

static void name_request(struct gw_exchange *exchange)
{
    struct gw_slice given = exchange->request.fields ? gw_head_value(&exchange->request, GW_FIELD_X_REQUEST_ID)
                                                     : GW_NO_SLICE;
    if (given.length && gw_grammar_is_request_id(given)) {
        exchange->request_id = given;
        return;
    }
    uint64_t words[2] = { gw_random_next(&exchange->desk->random), gw_random_next(&exchange->desk->random) };
    struct gw_buffer text = gw_buffer_over(exchange->request_id_text, sizeof exchange->request_id_text);
    gw_buffer_put_hex(&text, words, sizeof words);
    exchange->request_id = gw_buffer_slice(&text);
}

static enum gw_filter_result on_request(struct gw_exchange *exchange)
{
    struct gw_head *request = &exchange->request;
    exchange->client = exchange->peer;
    name_request(exchange);
    if (!exchange->error && request->framing == GW_FRAMING_LENGTH &&
        request->content_length > exchange->config->max_body_bytes)
        exchange->error = GW_ERROR_BODY_TOO_LARGE;
    if (!exchange->error) {
        exchange->host = request->authority;
        exchange->peer_is_trusted = gw_config_trusts(exchange->config, &exchange->peer);
        if (exchange->peer_is_trusted)
            take_from_trusted_peer(exchange);
        else
            drop_side_fields(request);
        drop_disguised(request);
        gw_head_drop_hop_by_hop(request);
    }
    exchange->client_text_length = gw_address_print(&exchange->client, exchange->client_text);
    if (!exchange->error)
        return GW_FILTER_CONTINUE;
    gw_exchange_answer_error(exchange, exchange->error);
    return GW_FILTER_ANSWERED;
}

const struct gw_filter gw_filter_identify = {
    .name = "identify",
    .on_request = on_request,
};
