#include "base/clock.h"
#include "exchange/exchange.h"
#include "filter/table.h"

static struct gw_slice field_of(void *context, struct gw_slice name)
{
    struct gw_exchange *exchange = context;
    const struct gw_field *field = gw_head_find_named(&exchange->request, name);
    return field ? field->value : GW_NO_SLICE;
}

static void ask(struct gw_exchange *exchange, bool misses)
{
    const struct gw_head *request = &exchange->request;
    struct gw_limit_subject subject = {
        .method = request->method_text,
        .host = request->authority,
        .path = request->path,
        .client = &exchange->client,
        .route = exchange->route->index,
        .field = field_of,
        .context = exchange,
    };
    gw_limiter_decide(exchange->desk->limiter, exchange->config, &subject, misses, gw_clock_monotonic_us(),
                      &exchange->limit);
}

static enum gw_filter_result refuse_if_refused(struct gw_exchange *exchange)
{
    enum { PROBLEM_BYTES = 2048 };
    if (exchange->limit.verdict != GW_LIMIT_REFUSED)
        return GW_FILTER_CONTINUE;
    char *memory = gw_arena_take(&exchange->arena, PROBLEM_BYTES);
    struct gw_buffer page = gw_buffer_over(memory, memory ? PROBLEM_BYTES : 0);
    gw_limit_put_problem(&exchange->limit, exchange->request_id, &page);
    exchange->error = GW_ERROR_LIMITED;
    gw_exchange_answer(exchange, 429, GW_SLICE("application/problem+json"), gw_buffer_slice(&page));
    return GW_FILTER_ANSWERED;
}

/* The local buckets answer at once: a question already answered. */
static enum gw_filter_result on_request(struct gw_exchange *exchange)
{
    if (exchange->config->limits_enabled)
        ask(exchange, false);
    return GW_FILTER_CONTINUE;
}

static enum gw_filter_result before_fetch(struct gw_exchange *exchange)
{
    if (exchange->config->limits_enabled)
        ask(exchange, true);
    return refuse_if_refused(exchange);
}

static void on_response(struct gw_exchange *exchange)
{
    if (exchange->limit.verdict != GW_LIMIT_NONE)
        gw_limit_put_fields(&exchange->limit, exchange->config, GW_NO_SLICE, GW_NO_SLICE, &exchange->fields);
}

const struct gw_filter gw_filter_limit = {
    .name = "limit",
    .on_request = on_request,
    .on_answers = refuse_if_refused,
    .before_fetch = before_fetch,
    .on_response = on_response,
};
