#include "admin/stored.h"
#include "base/clock.h"
#include "base/path.h"
#include "cache/accept_encoding.h"
#include "cache/query_string.h"
#include "exchange/worker_context.h"
#include "filter/admin.h"
#include "filter/table.h"

enum { PAGE_BYTES = 4 * 1024 * 1024 };

struct look { /* what is asked about, as the cache knows it; in the exchange's arena */
    struct gw_exchange *exchange;
    struct gw_admin_slot *slot; /* while Redis is asked */
    struct gw_inspect_order order;
    struct gw_slice plain_path;
    const struct gw_route *route;
    struct gw_cache_request request;
    struct gw_cache_key key;
};

static struct look *inspection_create_look(struct gw_exchange *exchange)
{
    struct look *look = gw_arena_take(&exchange->arena, sizeof *look);
    struct gw_complaint complaint;
    if (!look) {
        gw_exchange_answer_error(exchange, GW_ERROR_OVERLOADED);
        return NULL;
    }
    if (!gw_cache_pages_read_inspect(exchange->request.query, &exchange->arena, &look->order, &complaint)) {
        gw_admin_answer_complaint(exchange, &complaint);
        return NULL;
    }
    const struct gw_cache_url *url = &look->order.url;
    look->exchange = exchange;
    look->plain_path = gw_path_plain(url->path, &exchange->arena, NULL);
    look->route = gw_match_route(exchange->config, look->order.head.method_text, look->order.head.authority,
                                 look->plain_path);
    gw_accept_encoding_put_normal(&look->order.head, &exchange->arena);
    look->order.head.origin_selects = !exchange->config->cors_alone;
    struct gw_cache_rules rules = gw_exchange_cache_rules(exchange->context, look->route);
    gw_policy_read_request(&look->request, &look->order.head, &rules);
    gw_exchange_make_key(exchange->context, &exchange->arena, look->route, url->path, url->query, url->scheme,
                         url->host, &look->key);
    return look;
}

static const char *inspection_bypass_of(const struct look *look)
{
    if (!look->exchange->context->memory_cache)
        return "cache.enabled is off";
    return look->route->cache_enabled ? gw_filter_cache_bypass_rule(look->route, &look->order.head, look->plain_path)
                                      : "the route's cache is off";
}

/* Looks for a request that nothing answers: so nothing is used. */
static bool inspection_is_marked_in_memory(const struct look *look, uint64_t now_us)
{
    const struct gw_cache_request nobody = { .has_credential = look->request.has_credential,
                                             .default_ttl_applies = true,
                                             .max_age = GW_DIRECTIVE_ABSENT,
                                             .min_fresh = GW_DIRECTIVE_ABSENT,
                                             .max_stale = GW_DIRECTIVE_ABSENT };
    struct gw_memory_cache_answer answer = { .entry = NULL };
    gw_memory_cache_get(look->exchange->context->memory_cache, &look->key, &nobody, &look->order.head, now_us, &answer);
    gw_entry_unref(answer.entry);
    return answer.is_hit_for_miss;
}

static void inspection_look_memory_cache(const struct look *look, struct gw_stored *stored)
{
    const struct gw_worker_context *context = look->exchange->context;
    if (!context->memory_cache)
        return;
    stored->last_refusal = gw_last_refusals_get(gw_memory_cache_last(context->memory_cache), &look->key, stored->now_us,
                                                &stored->last_ago_s);
    stored->memory_cache_mode = gw_memory_cache_mode(context->memory_cache);
    stored->memory_cache_count = gw_memory_cache_list(context->memory_cache, &look->key, stored->memory_cache);
    for (unsigned i = 0; i < stored->memory_cache_count; i++)
        stored->memory_cache_bans[i] = gw_bans_check(context->bans, stored->memory_cache[i]);
    stored->memory_cache_hit_for_miss = inspection_is_marked_in_memory(look, stored->now_us);
}

static void inspection_answer(const struct look *look, const struct gw_redis_cache_inspection *inspection)
{
    struct gw_exchange *exchange = look->exchange;
    const struct gw_route *route = look->route;
    struct gw_buffer page = gw_buffer_create(PAGE_BYTES);
    struct gw_stored stored = {
        .order = &look->order,
        .route = route->name,
        .query = gw_query_string_normalise(look->order.url.query, &route->cache_ignore_query,
                                           &exchange->config->credentials, route->cache_sort_query, &exchange->arena),
        .key = &look->key,
        .request = &look->request,
        .bypass = inspection_bypass_of(look),
        .now_us = gw_clock_monotonic_us(),
        .has_store = exchange->context->redis_cache != NULL,
        .prefix = exchange->config->redis_prefix,
        .inspection = inspection,
    };
    inspection_look_memory_cache(look, &stored);
    int status = gw_stored_put(&stored, &page);
    for (unsigned i = 0; i < stored.memory_cache_count; i++)
        gw_entry_unref(stored.memory_cache[i]);
    gw_admin_answer_page(exchange, status, GW_SLICE("application/json"), &page);
}

static void inspection_on_inspected(void *owner, const struct gw_redis_cache_inspection *inspection)
{
    struct look *look = owner;
    GW_CHECK(gw_filter_exchange(look->slot) == look->exchange);
    look->slot->inspection.question = NULL;
    inspection_answer(look, inspection);
    gw_filter_answered(look->slot);
}

enum gw_filter_result gw_inspection_begin(struct gw_exchange *exchange, struct gw_admin_slot *slot)
{
    struct gw_worker_context *context = exchange->context;
    struct look *look = inspection_create_look(exchange);
    if (!look)
        return GW_FILTER_ANSWERED;
    look->slot = slot;
    if (context->redis_cache)
        slot->inspection.question = gw_redis_cache_inspect(context->redis_cache, &look->key, &look->request,
                                                           &look->order.head, inspection_on_inspected, look);
    if (slot->inspection.question)
        return GW_FILTER_TAKEN;
    inspection_answer(look, NULL);
    return GW_FILTER_ANSWERED;
}

void gw_inspection_cancel(struct gw_admin_slot *slot)
{
    gw_redis_cache_cancel(&slot->inspection.question);
}

void gw_inspection_conclude(struct gw_exchange *exchange)
{
    struct look *look = inspection_create_look(exchange);
    if (look)
        inspection_answer(look, NULL);
}
