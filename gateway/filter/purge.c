/* What is stored for one URL ends by a tombstone on each of its keys (http and https), which no fetch begun before it
 * outlives; all else, and what is purged softly, by a ban (cache/bans.h). The answer waits until Redis has it. */
#include "admin/cache_pages.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/path.h"
#include "cache/query_string.h"
#include "exchange/worker_context.h"
#include "filter/admin.h"

enum { PAGE_BYTES = 64 * 1024 };

/* Again, for its answer: the query is still there, and nothing of it needs to be kept meanwhile. */
static bool purge_read_order(struct gw_exchange *exchange, struct gw_purge_order *order)
{
    struct gw_complaint complaint;
    if (gw_cache_pages_read_purge(exchange->request.query, &exchange->arena, order, &complaint))
        return true;
    gw_admin_answer_complaint(exchange, &complaint);
    return false;
}

static bool purge_is_by_key(const struct gw_purge_order *order)
{
    return order->kind == GW_BAN_URL && !order->is_soft && order->url.host.length;
}

static void purge_answer(struct gw_exchange *exchange, const struct gw_purge_order *order, enum gw_purge_reach reach)
{
    struct gw_buffer page = gw_buffer_create(PAGE_BYTES);
    static const char *const words[] = { [GW_PURGE_EVERYWHERE] = "everywhere",
                                         [GW_PURGE_LATER] = "here; it is sent again until Redis has it",
                                         [GW_PURGE_HERE] = "here; Redis did not acknowledge it" };
    gw_log(GW_LOG_INFO, "cache", "purged%s for %.*s, %s: %.*s", order->is_soft ? " softly" : "",
           GW_SLICE_ARGS(exchange->identity.client_text), words[reach], GW_SLICE_ARGS(exchange->request.query));
    int status = gw_cache_pages_put_purge(order, reach, &page);
    gw_admin_answer_page(exchange, status, GW_SLICE("application/json"), &page);
}

static struct gw_admin_slot *purge_admin_slot(struct gw_purge_slot *slot)
{
    return GW_CONTAINER(slot, struct gw_admin_slot, purge);
}

/* What the callbacks end with. The exchange may be over when it returns. */
static void purge_answer_and_go_on(struct gw_purge_slot *slot, enum gw_purge_reach reach)
{
    struct gw_exchange *exchange = gw_filter_exchange(purge_admin_slot(slot));
    struct gw_purge_order order;
    if (purge_read_order(exchange, &order))
        purge_answer(exchange, &order, reach);
    gw_filter_answered(purge_admin_slot(slot));
}

/* ---- by key ---- */

static void purge_on_settled(struct gw_invalidation *invalidation)
{
    struct gw_purge_slot *slot = GW_CONTAINER(invalidation, struct gw_purge_slot, invalidation);
    /* It is down, too, while a tombstone waits to be sent again. */
    bool is_up = gw_redis_cache_is_up(gw_filter_exchange(purge_admin_slot(slot))->context->redis_cache);
    purge_answer_and_go_on(slot, is_up ? GW_PURGE_EVERYWHERE : GW_PURGE_LATER);
}

static const struct gw_route *purge_route_of(struct gw_exchange *exchange, const struct gw_cache_url *url)
{
    return gw_match_route(exchange->config, GW_SLICE("GET"), url->host,
                          gw_path_plain(url->path, &exchange->arena, NULL));
}

static void purge_end_stored(struct gw_exchange *exchange, struct gw_purge_slot *slot, const struct gw_cache_url *url,
                             struct gw_slice scheme)
{
    struct gw_cache_key key;
    gw_exchange_make_key(exchange->context, &exchange->arena, purge_route_of(exchange, url), url->path, url->query,
                         scheme, url->host, &key);
    gw_invalidation_add(&slot->invalidation, exchange->context, &key);
}

static enum gw_filter_result purge_by_key(struct gw_exchange *exchange, struct gw_purge_slot *slot,
                                          const struct gw_purge_order *order)
{
    gw_counter_add(&exchange->context->shard->cache_purges, 1);
    slot->invalidation.on_settled = purge_on_settled;
    purge_end_stored(exchange, slot, &order->url, GW_SLICE("http"));
    purge_end_stored(exchange, slot, &order->url, GW_SLICE("https"));
    if (slot->invalidation.due)
        return GW_FILTER_TAKEN;
    purge_answer(exchange, order, exchange->context->redis_cache ? GW_PURGE_LATER : GW_PURGE_EVERYWHERE);
    return GW_FILTER_ANSWERED;
}

/* ---- by a ban ---- */

static void purge_on_banned(void *owner, bool is_everywhere)
{
    struct gw_purge_slot *slot = owner;
    GW_CHECK(gw_filter_exchange(purge_admin_slot(slot)));
    slot->ban = NULL;
    gw_coalescing_detach_all(gw_filter_exchange(purge_admin_slot(slot))->context->lookups.coalescing);
    purge_answer_and_go_on(slot, is_everywhere ? GW_PURGE_EVERYWHERE : GW_PURGE_HERE);
}

/* As entries name it. A query is normalised as their keys are; absent: no memory. */
static struct gw_slice purge_path_and_query(struct gw_exchange *exchange, const struct gw_cache_url *url)
{
    const struct gw_route *route = purge_route_of(exchange, url);
    struct gw_slice query = gw_query_string_normalise(url->query, &route->cache_ignore_query,
                                                      &exchange->config->credentials, route->cache_sort_query,
                                                      &exchange->arena);
    size_t bytes = url->path.length + 1 + query.length;
    char *memory = gw_arena_take(&exchange->arena, bytes);
    struct gw_buffer text = gw_buffer_over(memory, memory ? bytes : 0);
    gw_buffer_put_slice(&text, url->path);
    if (query.at) {
        gw_buffer_put_char(&text, '?');
        gw_buffer_put_slice(&text, query);
    }
    return memory ? gw_buffer_slice(&text) : GW_NO_SLICE;
}

static enum gw_filter_result purge_by_ban(struct gw_exchange *exchange, struct gw_purge_slot *slot,
                                          const struct gw_purge_order *order)
{
    struct gw_worker_context *context = exchange->context;
    struct gw_ban ban = { .kind = order->kind, .is_soft = order->is_soft, .host = order->url.host };
    if (order->kind == GW_BAN_URL)
        ban.text = purge_path_and_query(exchange, &order->url);
    else if (order->kind == GW_BAN_PREFIX)
        ban.text = order->url.path;
    else if (order->kind == GW_BAN_TAG)
        ban.text = order->text;
    if (order->kind == GW_BAN_URL && !ban.text.at) {
        gw_exchange_answer_error(exchange, GW_ERROR_OVERLOADED);
        return GW_FILTER_ANSWERED;
    }
    gw_counter_add(order->kind == GW_BAN_URL ? &context->shard->cache_purges : &context->shard->cache_bans, 1);
    if (context->ban_log)
        slot->ban = gw_ban_log_add(context->ban_log, &ban, purge_on_banned, slot);
    else
        (void)!gw_bans_add(context->bans, &ban, gw_clock_wall_us()); /* false: everything is banned instead */
    gw_coalescing_detach_all(context->lookups.coalescing);
    if (slot->ban)
        return GW_FILTER_TAKEN;
    purge_answer(exchange, order, context->ban_log ? GW_PURGE_HERE : GW_PURGE_EVERYWHERE);
    return GW_FILTER_ANSWERED;
}

/* ---- */

enum gw_filter_result gw_purge_begin(struct gw_exchange *exchange, struct gw_admin_slot *slot)
{
    struct gw_purge_order order;
    if (!purge_read_order(exchange, &order))
        return GW_FILTER_ANSWERED;
    if (!exchange->context->memory_cache) {
        gw_admin_answer_problem(exchange, 409, "cache_off",
                                GW_SLICE("This gateway has no cache: cache.enabled is off."));
        return GW_FILTER_ANSWERED;
    }
    return purge_is_by_key(&order) ? purge_by_key(exchange, &slot->purge, &order)
                                   : purge_by_ban(exchange, &slot->purge, &order);
}

void gw_purge_cancel(struct gw_admin_slot *slot)
{
    gw_invalidation_cancel(&slot->purge.invalidation);
    gw_ban_log_cancel(&slot->purge.ban);
}

void gw_purge_conclude(struct gw_exchange *exchange)
{
    struct gw_purge_order order;
    if (purge_read_order(exchange, &order))
        purge_answer(exchange, &order, purge_is_by_key(&order) ? GW_PURGE_LATER : GW_PURGE_HERE);
}
