/* A successful unsafe method ends what is stored for its target, and for what its Location and Content-Location name
 * within the same origin (RFC 9111 §4.4). The answer waits for the tombstones, redis.timeout at most: a client that
 * reads it and asks again must not get what was stored before. */
#include "exchange/answer.h"
#include "exchange/engine.h"

#include "base/path.h"
#include "exchange/worker_context.h"
#include "http/reference.h"

/* Registered as safe (IANA: HTTP methods), beyond those that this gateway tells apart; of all others it is not known. */
static bool unsafe_method_is_safe(const struct gw_head *request)
{
    static const struct gw_slice names[] = { { "PROPFIND", 8 }, { "REPORT", 6 }, { "SEARCH", 6 }, { "PRI", 3 } };
    for (size_t i = 0; i < GW_COUNT(names); i++)
        if (gw_slice_equal(request->method_text, names[i]))
            return true;
    return gw_method_is_safe(request->method);
}

bool gw_engine_invalidates(const struct gw_exchange *exchange)
{
    return exchange->context->memory_cache && exchange->answer.head->status >= 200 &&
           exchange->answer.head->status < 400 && !unsafe_method_is_safe(&exchange->request);
}

void gw_engine_on_settled(struct gw_invalidation *invalidation)
{
    struct gw_exchange *exchange = GW_CONTAINER(invalidation, struct gw_exchange, invalidation);
    GW_CHECK_MAGIC(exchange, GW_EXCHANGE_MAGIC);
    gw_engine_move(exchange, GW_EXCHANGE_SETTLED);
}

/* What is stored was asked for by GET, perhaps through another route than this method's. */
static const struct gw_route *unsafe_method_route_of_get(struct gw_exchange *exchange, struct gw_slice path)
{
    return gw_match_route(exchange->config, GW_SLICE("GET"), exchange->request.authority,
                          gw_path_plain(path, &exchange->arena, NULL));
}

static void unsafe_method_end_stored(struct gw_exchange *exchange, struct gw_slice path, struct gw_slice query)
{
    const struct gw_route *route = unsafe_method_route_of_get(exchange, path);
    struct gw_cache_key key;
    if (!route->cache_enabled)
        return;
    gw_exchange_make_key(exchange->context, &exchange->arena, route, path, query, exchange->identity.scheme,
                         exchange->identity.host, &key);
    gw_invalidation_add(&exchange->invalidation, exchange->context, &key);
}

/* Another origin's is not this server's to end. */
static void unsafe_method_end_named(struct gw_exchange *exchange, enum gw_field_name id)
{
    const struct gw_head *request = &exchange->request;
    const struct gw_field *field = gw_head_find(exchange->answer.head, id);
    struct gw_reference base = { .scheme = exchange->identity.scheme,
                                 .authority = exchange->identity.host,
                                 .path = request->path,
                                 .query = request->query };
    struct gw_reference target;
    if (!field || gw_head_find_next(exchange->answer.head, field) ||
        !gw_reference_resolve(&target, &exchange->arena, &base, field->value) ||
        !gw_reference_same_origin(&target, &base))
        return;
    unsafe_method_end_stored(exchange, target.path, target.query);
}

void gw_engine_settle(struct gw_exchange *exchange)
{
    const struct gw_head *request = &exchange->request;
    gw_engine_hold(exchange);
    unsafe_method_end_stored(exchange, request->path, request->query);
    unsafe_method_end_named(exchange, GW_FIELD_LOCATION);
    unsafe_method_end_named(exchange, GW_FIELD_CONTENT_LOCATION);
    if (!exchange->invalidation.due) {
        gw_engine_move(exchange, GW_EXCHANGE_SETTLED);
        return;
    }
    gw_fetch_pause(&exchange->reader);
    gw_timer_start(exchange->context->timers, &exchange->timer, exchange->config->redis_timeout_ms);
}
