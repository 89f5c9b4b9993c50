#include "exchange/engine.h"

#include "base/clock.h"
#include "cache/query.h"
#include "exchange/worker_context.h"

struct gw_cache_rules gw_exchange_cache_rules(const struct gw_worker_context *context, const struct gw_route *route)
{
    const struct gw_config *config = context->config;
    return (struct gw_cache_rules) {
        .default_ttl_s = route->default_ttl_s,
        .override_ttl_s = route->override_ttl_s,
        .heuristic_max_s = config->heuristic_max_s,
        .stale_if_error_s = config->stale_if_error_s,
        .keep_s = config->cache_keep_s,
        .with_credentials = config->cache_with_credentials,
        .ignores_request = route->cache_ignores_request,
        .may_share_set_cookie = config->cache_share_set_cookie,
        .credentials = &context->credentials,
        .targeted_fields = config->targeted_fields.items,
        .targeted_field_count = config->targeted_fields.count,
    };
}

struct gw_slice gw_exchange_make_key(struct gw_worker_context *context, struct gw_arena *arena,
                                     const struct gw_route *route, struct gw_slice path, struct gw_slice query,
                                     struct gw_slice scheme, struct gw_slice host, struct gw_cache_key *key)
{
    query = gw_query_normalise(query, &route->cache_ignore_query, &context->config->credentials,
                               route->cache_sort_query, arena);
    gw_key_make(context->keys, GW_SLICE("GET"), path, query, route->cache_space, scheme, host, key);
    return query;
}

/* ---- what is stored ---- */

static void forget_stored(struct gw_exchange *exchange)
{
    gw_entry_unref(exchange->stored);
    exchange->stored = NULL;
}

/* Takes the entry: the answer, or what is to be confirmed first. */
static void take_entry(struct gw_exchange *exchange, struct gw_entry *entry, enum gw_reuse reuse, bool is_near)
{
    forget_stored(exchange);
    exchange->reuse = reuse;
    exchange->is_near = is_near;
    if (reuse == GW_REUSE_VALIDATED)
        exchange->stored = entry;
    else
        exchange->entry = entry;
}

/* Fresh, and yet not taken: it is the request that wants it confirmed. */
static bool is_refused_by_request(const struct gw_exchange *exchange)
{
    const struct gw_entry *stored = exchange->stored;
    int64_t age_s = gw_entry_age_s(stored, gw_clock_monotonic_us());
    return !stored->terms.must_validate && age_s < gw_entry_freshness_s(stored, age_s);
}

static void report_miss(struct gw_exchange *exchange, bool was_there)
{
    struct gw_cache_report *report = &exchange->report;
    if (!exchange->cache.may_look_up)
        report->forwarded = GW_FORWARDED_REQUEST;
    else if (exchange->stored)
        report->forwarded = is_refused_by_request(exchange) ? GW_FORWARDED_REQUEST : GW_FORWARDED_STALE;
    else
        report->forwarded = was_there ? GW_FORWARDED_VARY_MISS : GW_FORWARDED_URI_MISS;
}

static void on_cache_answer(void *owner, const struct gw_shared_answer *answer)
{
    struct gw_exchange *exchange = owner;
    exchange->cache_question = NULL;
    exchange->cache_hit_for_miss |= answer->is_hit_for_miss;
    exchange->seen = answer->seen;
    if (answer->entry)
        take_entry(exchange, answer->entry, answer->reuse, false);
    else if (answer->seen.kind != GW_SEEN_NOTHING) /* what was near is not there any more */
        forget_stored(exchange);
    report_miss(exchange, answer->was_there);
    gw_engine_answered(exchange, GW_ASKER_LOOK_UP);
}

void gw_engine_cancel_look_up(struct gw_exchange *exchange)
{
    gw_shared_forget(&exchange->cache_question);
}

/* What is near answers at once; what is near and must be confirmed is looked for where all share it. */
bool gw_exchange_look_up(struct gw_exchange *exchange)
{
    struct gw_worker_context *context = exchange->context;
    struct gw_near_answer near = { .entry = NULL };
    if (exchange->cache.may_look_up)
        gw_near_get(context->near, &exchange->key, &exchange->cache, &exchange->request, gw_clock_monotonic_us(),
                    &near);
    else
        near.epoch = gw_near_epoch(context->near, &exchange->key);
    exchange->epoch = near.epoch;
    exchange->cache_hit_for_miss = near.is_hit_for_miss;
    if (near.entry)
        take_entry(exchange, near.entry, near.reuse, true);
    report_miss(exchange, near.was_there);
    if (exchange->entry || !context->shared || !(exchange->cache.may_look_up || exchange->cache.may_store))
        return false;
    exchange->cache_question = gw_shared_ask(context->shared, &exchange->key, &exchange->cache, &exchange->request,
                                             on_cache_answer, exchange);
    if (exchange->cache_question)
        gw_engine_ask(exchange, GW_ASKER_LOOK_UP);
    return exchange->cache_question != NULL;
}

/* ---- flights ---- */

static void on_landed(void *owner, const struct gw_coalescing_event *landing)
{
    struct gw_exchange *exchange = owner;
    exchange->waiter = NULL;
    if (landing->entry && gw_engine_may_take(exchange, landing->entry)) {
        gw_engine_take(exchange, landing);
        return;
    }
    exchange->flight = landing->coalesced;
    exchange->has_waited = true;
    if (gw_exchange_look_up(exchange))
        gw_engine_wait(exchange);
    else
        gw_engine_move(exchange, GW_EXCHANGE_RESUMED);
}

/* What is stored never answers without the backend's word: neither will what comes in its place. */
static bool is_always_validated(const struct gw_entry *stored)
{
    return stored && (stored->terms.must_validate || stored->freshness_s <= 0);
}

/* Who need not be told apart from another may wait for his answer. */
static bool may_share(const struct gw_exchange *exchange)
{
    return exchange->cache_asked && exchange->cache.may_join && !exchange->cache_hit_for_miss &&
           !exchange->fetch_alone && !is_always_validated(exchange->stored);
}

/* Between the look-up and the flight another worker's may have landed; where instances share, the fetch looks again. */
static bool was_stored_meanwhile(struct gw_exchange *exchange)
{
    struct gw_worker_context *context = exchange->context;
    struct gw_near_answer near;
    if (context->shared)
        return false;
    gw_near_get(context->near, &exchange->key, &exchange->cache, &exchange->request, gw_clock_monotonic_us(), &near);
    if (near.reuse > GW_REUSE_VALIDATED) {
        take_entry(exchange, near.entry, near.reuse, true);
        return true;
    }
    gw_entry_unref(near.entry);
    return false;
}

static struct gw_coalescing_ask flight_ask(struct gw_exchange *exchange)
{
    return (struct gw_coalescing_ask) { .key = &exchange->key,
                                        .worker = exchange->context->worker,
                                        .came_at_us = exchange->came_at_us,
                                        .mailbox = exchange->context->mailbox,
                                        .on_event = on_landed,
                                        .owner = exchange };
}

void gw_engine_go_on(struct gw_exchange *exchange)
{
    struct gw_coalescing_ask ask = flight_ask(exchange);
    bool shares = may_share(exchange);
    if (!shares)
        gw_engine_land(exchange);
    if (!shares || exchange->flight) { /* it was handed over */
        gw_engine_move(exchange, GW_EXCHANGE_PASSED);
        return;
    }
    switch (gw_coalescing_start(exchange->context->fetcher.coalescing, &ask)) {
    case GW_COALESCING_LEAD:
        exchange->flight = ask.coalesced;
        if (exchange->cache.is_range) { /* what it is answered may be a part: nobody waits for that */
            gw_engine_land(exchange);
            break;
        }
        if (was_stored_meanwhile(exchange)) {
            gw_engine_land(exchange);
            gw_engine_decide_again(exchange);
            return;
        }
        break;
    case GW_COALESCING_JOIN:
        exchange->joined = gw_fetch_join(ask.fetch, &exchange->reader);
        break;
    case GW_COALESCING_WAIT:
        exchange->waiter = ask.waiter;
        gw_engine_move(exchange, GW_EXCHANGE_SUSPENDED);
        return;
    case GW_COALESCING_ALONE:
        break;
    }
    gw_engine_move(exchange, GW_EXCHANGE_PASSED);
}

void gw_engine_land(struct gw_exchange *exchange)
{
    if (exchange->flight)
        gw_coalescing_finish(&exchange->flight);
}

void gw_engine_wait(struct gw_exchange *exchange)
{
    if (exchange->questions.out)
        gw_engine_wait_for_answers(exchange);
    else
        gw_timer_start(exchange->context->timers, &exchange->timer, exchange->config->flight_wait_ms);
}
