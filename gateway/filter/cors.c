#include "exchange/exchange.h"
#include "filter/table.h"
#include "http/writer.h"

/* Fetch Standard, CORS protocol. With cors.origins the gateway alone speaks: it answers preflights, and the backends' own
 * Access-Control fields are dropped (fetch/collect.c). Without it backends come first: what they say stands, and the
 * gateway speaks only where they do not. */

/* Does this answer speak CORS? So does a refusal: it lacks Access-Control-Allow-Origin, but most frameworks say something
 * else of CORS in it, or that they looked at Origin (Starlette's 400, Spring's 403, Django's 200). */
static bool cors_speaks(const struct gw_head *answer)
{
    if (gw_head_has_token(answer, GW_FIELD_VARY, GW_SLICE("Origin")))
        return true;
    for (unsigned i = 0; i < answer->count; i++)
        if (!answer->fields[i].dropped && gw_head_is_cors(&answer->fields[i]))
            return true;
    return false;
}

/* What the backend said, now or when it was stored; NULL: the answer is the gateway's own. */
static const struct gw_head *cors_backend_head(const struct gw_exchange *exchange)
{
    return exchange->entry ? &exchange->entry->head : exchange->answer.head;
}

static bool cors_is_allowed(const struct gw_config *config, struct gw_slice origin)
{
    if (config->cors_any_origin)
        return true;
    for (unsigned i = 0; i < config->cors_origins.count; i++)
        if (gw_slice_equal_nocase(config->cors_origins.items[i], origin))
            return true;
    return false;
}

/* An answer that depends on Origin says so, also to a client that sent none: a cache in between must not mix them up. */
static void cors_put_origin(struct gw_exchange *exchange)
{
    const struct gw_config *config = exchange->config;
    struct gw_slice origin = gw_head_value(&exchange->request, GW_FIELD_ORIGIN);
    bool by_origin = !config->cors_any_origin || config->cors_credentials;
    if (by_origin)
        gw_exchange_add_field(exchange, GW_SLICE("Vary"), GW_SLICE("Origin"));
    if (origin.length == 0 || !cors_is_allowed(config, origin))
        return;
    gw_exchange_add_field(exchange, GW_SLICE("Access-Control-Allow-Origin"), by_origin ? origin : GW_SLICE("*"));
    if (config->cors_credentials)
        gw_exchange_add_field(exchange, GW_SLICE("Access-Control-Allow-Credentials"), GW_SLICE("true"));
}

static bool cors_is_preflight(const struct gw_head *request)
{
    return request->method == GW_METHOD_OPTIONS && gw_head_find(request, GW_FIELD_ORIGIN) &&
           gw_head_find(request, GW_FIELD_ACCESS_CONTROL_REQUEST_METHOD);
}

static void cors_put_preflight(struct gw_exchange *exchange, uint64_t max_age_s)
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
    gw_writer_put_uint_field(&exchange->answer.fields, GW_SLICE("Access-Control-Max-Age"), max_age_s);
}

/* The backend that will get the request is the one to be asked about it, unless a route is there for OPTIONS itself. */
static void cors_pick_route(struct gw_exchange *exchange)
{
    const struct gw_head *request = &exchange->request;
    struct gw_slice method = gw_head_value(request, GW_FIELD_ACCESS_CONTROL_REQUEST_METHOD);
    if (exchange->target.route->match.methods.count == 0)
        exchange->target.route = gw_match_route(exchange->config, method, request->authority,
                                                exchange->target.plain_path);
}

static enum gw_filter_result cors_on_request(struct gw_exchange *exchange)
{
    const struct gw_config *config = exchange->config;
    const struct gw_head *request = &exchange->request;
    if (!config->cors_enabled || !cors_is_preflight(request))
        return GW_FILTER_CONTINUE;
    if (!config->cors_alone) {
        cors_pick_route(exchange);
        return GW_FILTER_CONTINUE;
    }
    if (cors_is_allowed(config, gw_head_value(request, GW_FIELD_ORIGIN)))
        cors_put_preflight(exchange, config->cors_max_age_s);
    gw_exchange_answer(exchange, 204, GW_NO_SLICE, GW_NO_SLICE);
    return GW_FILTER_ANSWERED;
}

static bool cors_will_pass(int status)
{
    return status == 429 || (status >= 500 && status != 501);
}

/* A preflight that the backend has answered without a word of CORS is answered here. So is one that met a backend that
 * fails, so that the script reads the error that its own request gets; but a browser must not remember that, for the
 * backend was not asked. What the gateway itself refuses stays refused. */
static void cors_before_answer(struct gw_exchange *exchange)
{
    const struct gw_config *config = exchange->config;
    const struct gw_head *answer = exchange->answer.head;
    if (!config->cors_enabled || config->cors_alone || exchange->deciding.is_admin ||
        !cors_is_preflight(&exchange->request))
        return;
    enum gw_error error = exchange->answer.told_error;
    bool has_failed = error && gw_error_cause(error) == GW_CAUSE_BACKEND;
    if (answer ? cors_speaks(answer) : !has_failed)
        return;
    cors_put_preflight(exchange, !answer || cors_will_pass(answer->status) ? 0 : config->cors_max_age_s);
    exchange->answer.head = NULL;
    gw_exchange_answer(exchange, 204, GW_NO_SLICE, GW_NO_SLICE);
}

/* Else a cache between us and them would give one origin the answer that names another. */
static void cors_complete_vary(struct gw_exchange *exchange, const struct gw_head *answer)
{
    struct gw_slice allowed = gw_head_value(answer, GW_FIELD_ACCESS_CONTROL_ALLOW_ORIGIN);
    if (allowed.length && !gw_slice_equal(allowed, GW_SLICE("*")) &&
        !gw_head_has_token(answer, GW_FIELD_VARY, GW_SLICE("Origin")))
        gw_exchange_add_field(exchange, GW_SLICE("Vary"), GW_SLICE("Origin"));
}

static void cors_on_response(struct gw_exchange *exchange)
{
    const struct gw_config *config = exchange->config;
    const struct gw_head *request = &exchange->request, *answer = cors_backend_head(exchange);
    if (!config->cors_enabled || !request->fields || exchange->deciding.is_admin)
        return;
    bool has_origin = gw_head_find(request, GW_FIELD_ORIGIN);
    if (has_origin && !config->cors_alone && answer && cors_speaks(answer)) {
        cors_complete_vary(exchange, answer);
        return;
    }
    cors_put_origin(exchange);
    if (config->cors_exposed.length && has_origin && !cors_is_preflight(request))
        gw_exchange_add_field(exchange, GW_SLICE("Access-Control-Expose-Headers"), config->cors_exposed);
}

const struct gw_filter gw_filter_cors = {
    .name = "cors",
    .on_request = cors_on_request,
    .before_answer = cors_before_answer,
    .on_response = cors_on_response,
};
