#include "exchange/engine.h"

#include "base/clock.h"
#include "cache/query_string.h"
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
    query = gw_query_string_normalise(query, &route->cache_ignore_query, &context->config->credentials,
                                      route->cache_sort_query, arena);
    gw_key_make(context->keys, GW_SLICE("GET"), path, query, route->cache_space, scheme, host, key);
    return query;
}

/* ---- what is stored ---- */

/* The look-up's entry becomes the answer of the exchange. */
static void lookup_take_entry(struct gw_exchange *exchange)
{
    exchange->entry = exchange->lookup.entry;
    exchange->lookup.entry = NULL;
}

static void lookup_on_looked(void *owner)
{
    struct gw_exchange *exchange = GW_FROM_CONTEXT(owner, struct gw_exchange, GW_EXCHANGE_MAGIC);
    lookup_take_entry(exchange);
    gw_engine_answered(exchange, GW_ASKER_LOOK_UP);
}

void gw_engine_cancel_look_up(struct gw_exchange *exchange)
{
    gw_lookup_give_up(&exchange->lookup);
}

bool gw_exchange_look_up(struct gw_exchange *exchange)
{
    bool is_asked = gw_lookup_begin(&exchange->lookup, exchange->cache.must_validate ? gw_clock_monotonic_us() : 0);
    if (is_asked)
        gw_engine_ask(exchange, GW_ASKER_LOOK_UP);
    else
        lookup_take_entry(exchange);
    return is_asked;
}

/* ---- which request fetches ---- */

/* The entry is fresh and was still not used, because the request wants it confirmed. */
static bool lookup_is_refused_by_request(const struct gw_entry *stored)
{
    int64_t age_s = gw_entry_age_s(stored, gw_clock_monotonic_us());
    return !stored->terms.must_validate && age_s < gw_entry_freshness_s(stored, age_s);
}

static void lookup_report_miss(struct gw_exchange *exchange)
{
    const struct gw_lookup *lookup = &exchange->lookup;
    enum gw_forwarded *forwarded = &exchange->report.forwarded;
    if (!exchange->cache.may_look_up)
        *forwarded = GW_FORWARDED_REQUEST;
    else if (lookup->lead.stored)
        *forwarded = lookup_is_refused_by_request(lookup->lead.stored) ? GW_FORWARDED_REQUEST : GW_FORWARDED_STALE;
    else
        *forwarded = lookup->was_there ? GW_FORWARDED_VARY_MISS : GW_FORWARDED_URI_MISS;
}

static void lookup_claim(struct gw_exchange *exchange);

/* Acts on the answer of a look-up that was claimed. The exchange is in DECIDING or WAITING. */
static void lookup_follow(struct gw_exchange *exchange, enum gw_lookup_answer answer)
{
    struct gw_lookup *lookup = &exchange->lookup;
    if (answer != GW_LOOKUP_ENTRY || lookup->source >= GW_LOOKUP_FETCHED)
        lookup_report_miss(exchange);
    if (answer == GW_LOOKUP_ENTRY) {
        lookup_take_entry(exchange);
        if (lookup->source >= GW_LOOKUP_FETCHED)
            gw_engine_answer_shared(exchange);
        else if (exchange->state == GW_EXCHANGE_WAITING)
            gw_engine_move(exchange, GW_EXCHANGE_RESUMED);
        else
            gw_engine_decide_again(exchange);
    } else if (answer == GW_LOOKUP_JOIN && !gw_fetch_join(lookup->fetch, &exchange->reader)) { /* too late */
        gw_lookup_release(lookup, false);
        lookup_claim(exchange);
    } else {
        gw_engine_move(exchange, GW_EXCHANGE_PASSED);
    }
}

static void lookup_on_answer(void *owner, enum gw_lookup_answer answer)
{
    lookup_follow(GW_FROM_CONTEXT(owner, struct gw_exchange, GW_EXCHANGE_MAGIC), answer);
}

static void lookup_claim(struct gw_exchange *exchange)
{
    enum gw_lookup_answer answer = gw_lookup_claim(&exchange->lookup);
    if (answer != GW_LOOKUP_WAIT)
        lookup_follow(exchange, answer);
    else if (exchange->state != GW_EXCHANGE_WAITING)
        gw_engine_move(exchange, GW_EXCHANGE_SUSPENDED);
}

void gw_engine_init_look_up(struct gw_exchange *exchange)
{
    const struct gw_lookup_ask ask = { .lookups = &exchange->context->lookups,
                                       .key = &exchange->key,
                                       .request = &exchange->cache,
                                       .head = &exchange->request,
                                       .on_looked = lookup_on_looked,
                                       .on_answer = lookup_on_answer,
                                       .owner = exchange };
    gw_lookup_init(&exchange->lookup, &ask);
}

void gw_engine_go_on(struct gw_exchange *exchange)
{
    if (gw_lookup_is_asked(&exchange->lookup))
        lookup_claim(exchange);
    else
        gw_engine_move(exchange, GW_EXCHANGE_PASSED);
}

/* The look-up has its own timer, so that only questions need one here. */
void gw_engine_wait(struct gw_exchange *exchange)
{
    if (exchange->questions.out)
        gw_engine_wait_for_answers(exchange);
}
