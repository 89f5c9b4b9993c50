#include "exchange/exchange.h"
#include "filter/table.h"
#include "http/writer.h"

/* Fetch Standard, CORS protocol. The gateway speaks for its backends: their own Access-Control fields are dropped
 * (fetch.c). */

static bool is_allowed(const struct gw_config *config, struct gw_slice origin)
{
    if (config->cors_any_origin)
        return true;
    for (unsigned i = 0; i < config->cors_origins.count; i++)
        if (gw_slice_equal_nocase(config->cors_origins.items[i], origin))
            return true;
    return false;
}

/* An answer that depends on Origin says so, also to who sent none: a cache between us and them must not mix them up. */
static void put_origin(struct gw_exchange *exchange)
{
    const struct gw_config *config = exchange->config;
    struct gw_slice origin = gw_head_value(&exchange->request, GW_FIELD_ORIGIN);
    bool by_origin = !config->cors_any_origin || config->cors_credentials;
    if (by_origin)
        gw_exchange_add_field(exchange, GW_SLICE("Vary"), GW_SLICE("Origin"));
    if (origin.length == 0 || !is_allowed(config, origin))
        return;
    gw_exchange_add_field(exchange, GW_SLICE("Access-Control-Allow-Origin"), by_origin ? origin : GW_SLICE("*"));
    if (config->cors_credentials)
        gw_exchange_add_field(exchange, GW_SLICE("Access-Control-Allow-Credentials"), GW_SLICE("true"));
}

static bool is_preflight(const struct gw_head *request)
{
    return request->method == GW_METHOD_OPTIONS && gw_head_find(request, GW_FIELD_ORIGIN) &&
           gw_head_find(request, GW_FIELD_ACCESS_CONTROL_REQUEST_METHOD);
}

static void put_preflight(struct gw_exchange *exchange)
{
    const struct gw_config *config = exchange->config;
    struct gw_slice asked = gw_head_value(&exchange->request, GW_FIELD_ACCESS_CONTROL_REQUEST_HEADERS);
    /* "*" would not cover Authorization: what was asked for is allowed by name. */
    bool any = gw_slice_equal(config->cors_headers, GW_SLICE("*"));
    struct gw_slice headers = any ? asked : config->cors_headers;
    gw_exchange_add_field(exchange, GW_SLICE("Access-Control-Allow-Methods"), config->cors_methods);
    if (headers.length)
        gw_exchange_add_field(exchange, GW_SLICE("Access-Control-Allow-Headers"), headers);
    if (any)
        gw_exchange_add_field(exchange, GW_SLICE("Vary"), GW_SLICE("Access-Control-Request-Headers"));
    gw_writer_put_uint_field(&exchange->fields, GW_SLICE("Access-Control-Max-Age"), config->cors_max_age_s);
}

static enum gw_filter_result on_request(struct gw_exchange *exchange)
{
    const struct gw_head *request = &exchange->request;
    if (!exchange->config->cors_enabled || !is_preflight(request))
        return GW_FILTER_CONTINUE;
    if (is_allowed(exchange->config, gw_head_value(request, GW_FIELD_ORIGIN)))
        put_preflight(exchange);
    gw_exchange_answer(exchange, 204, GW_NO_SLICE, GW_NO_SLICE);
    return GW_FILTER_ANSWERED;
}

static void on_response(struct gw_exchange *exchange)
{
    const struct gw_config *config = exchange->config;
    if (!config->cors_enabled || !exchange->request.fields || exchange->is_admin)
        return;
    put_origin(exchange);
    if (config->cors_exposed.length && !is_preflight(&exchange->request) &&
        gw_head_find(&exchange->request, GW_FIELD_ORIGIN))
        gw_exchange_add_field(exchange, GW_SLICE("Access-Control-Expose-Headers"), config->cors_exposed);
}

const struct gw_filter gw_filter_cors = {
    .name = "cors",
    .on_request = on_request,
    .on_response = on_response,
};
