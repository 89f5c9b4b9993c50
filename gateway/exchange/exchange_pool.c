#include "exchange/engine.h"

#include <limits.h>
#include "base/clock.h"
#include "exchange/worker_context.h"

enum {
    KEPT_FREE = 512,
    FIRST_ARENA_BYTES = 16 * 1024,
    ARENA_SLACK_BYTES = 64 * 1024,
};

static void exchange_pool_destroy(void *object)
{
    struct gw_exchange *exchange = object;
    gw_arena_free(&exchange->arena);
}

void gw_engine_init_pool(struct gw_worker_context *context)
{
    gw_free_list_init(&context->free, context->exchange_bytes, UINT_MAX, exchange_pool_destroy);
}

void gw_worker_context_trim(struct gw_worker_context *context)
{
    gw_free_list_trim(&context->free, KEPT_FREE);
}

/* The request's head and what is derived from it, a response's, and twice (it grows by doubling) the fields that the
 * gateway adds: an Origin that is echoed, what the configuration says of CORS, and in the slack those of limits and
 * cache, whose length is bounded. */
static size_t exchange_pool_arena_bound(const struct gw_config *config)
{
    size_t cors = config->cors_methods.length + config->cors_headers.length + config->cors_exposed.length;
    size_t fields = config->max_response_headers * sizeof(struct gw_field);
    return 4 * config->max_header_bytes + 2 * config->max_response_header_bytes + fields + 4 * cors + ARENA_SLACK_BYTES;
}

/* Once for the memory of each. */
static void exchange_pool_init(struct gw_exchange *exchange, struct gw_worker_context *context)
{
    memset(exchange, 0, context->exchange_bytes);
    exchange->context = context;
    gw_arena_init(&exchange->arena, FIRST_ARENA_BYTES, exchange_pool_arena_bound(context->config));
    gw_engine_open_slots(exchange);
    gw_list_init(&exchange->reader.link);
    exchange->reader.events = &gw_exchange_reader_events;
    gw_timer_init(&exchange->timer, gw_exchange_on_timer);
    gw_engine_init_look_up(exchange);
    exchange->invalidation.on_settled = gw_engine_on_settled;
}

struct gw_exchange *gw_exchange_take(struct gw_worker_context *context, struct gw_downstream *downstream)
{
    bool is_new;
    struct gw_exchange *exchange = gw_free_list_take(&context->free, &is_new);
    if (!exchange)
        return NULL;
    if (is_new)
        exchange_pool_init(exchange, context);
    exchange->magic = GW_MAGIC(GW_EXCHANGE_MAGIC);
    exchange->state = GW_EXCHANGE_DONE;
    exchange->downstream = downstream;
    exchange->config = context->config;
    exchange->body = (struct gw_request_body) { .state = GW_BODY_NONE };
    exchange->deciding = (struct gw_deciding) { .fault = GW_ERROR_NONE };
    exchange->timing = (struct gw_timing) { .began_at_us = gw_clock_monotonic_us(),
                                            .began_wall_us = (int64_t)gw_clock_wall_us() };
    exchange->target = (struct gw_target) { .route = NULL };
    exchange->arrival = (struct gw_arrival) { .has_body = false };
    exchange->identity = (struct gw_identity) { .scheme = GW_SLICE("http") };
    exchange->cache = (struct gw_cache_request) { .max_age = GW_DIRECTIVE_ABSENT,
                                                  .min_fresh = GW_DIRECTIVE_ABSENT,
                                                  .max_stale = GW_DIRECTIVE_ABSENT };
    exchange->report = (struct gw_cache_report) { .label = GW_CACHE_LABEL_NONE };
    exchange->answer = (struct gw_answer) { .told_error = GW_ERROR_NONE };
    gw_head_init(&exchange->request);
    exchange->reader.backend = NULL;
    memset(&exchange->limit, 0, offsetof(struct gw_limit_decision, outcomes));
    GW_CHECK(gw_exchange_check(exchange));
    context->in_state[GW_EXCHANGE_DONE]++;
    return exchange;
}

void gw_exchange_put(struct gw_exchange *exchange)
{
    struct gw_worker_context *context = exchange->context;
    exchange->magic = GW_NO_MAGIC;
    context->in_state[GW_EXCHANGE_DONE]--;
    gw_engine_clear_slots(exchange);
    gw_arena_reset(&exchange->arena);
    gw_free_list_give(&context->free, exchange);
}
