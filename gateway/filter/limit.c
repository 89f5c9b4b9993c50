#include "base/clock.h"
#include "exchange/exchange.h"
#include "exchange/worker_context.h"
#include "filter/table.h"
#include "http/structured.h"

/* What is asked of the store for one exchange. */
struct limit_slot {
    struct gw_limit_question *question; /* NULL: none is out */
};

static struct gw_slice limit_field_of(void *context, struct gw_slice name)
{
    struct gw_exchange *exchange = GW_FROM_CONTEXT(context, struct gw_exchange, GW_EXCHANGE_MAGIC);
    const struct gw_field *field = gw_head_find_named(&exchange->request, name);
    return field ? field->value : GW_NO_SLICE;
}

static void limit_on_answer(void *owner)
{
    struct limit_slot *slot = owner;
    GW_CHECK(gw_filter_exchange(slot));
    slot->question = NULL;
    gw_filter_answered(slot);
}

/* Each policy's on_redis_failure decides. */
static void limit_give_up(struct gw_exchange *exchange, void *state)
{
    struct limit_slot *slot = state;
    (void)exchange;
    gw_limit_give_up(&slot->question, gw_clock_monotonic_us());
}

static void limit_cancel(struct gw_exchange *exchange, void *state)
{
    struct limit_slot *slot = state;
    (void)exchange;
    gw_limit_cancel(&slot->question);
}

/* "post" is another method than POST (RFC 9110 §9.1), but Django and Flask read it as POST: it must not go around a limit
 * that is written for POST. Methods of policies are in upper case. */
static struct gw_slice limit_method_that_counts(struct gw_exchange *exchange)
{
    struct gw_slice method = exchange->request.method_text;
    char *upper = exchange->request.method == GW_METHOD_OTHER ? gw_arena_take(&exchange->arena, method.length) : NULL;
    if (!upper)
        return method;
    for (size_t i = 0; i < method.length; i++)
        upper[i] = (char)(method.at[i] >= 'a' && method.at[i] <= 'z' ? method.at[i] - 'a' + 'A' : method.at[i]);
    return gw_slice_of(upper, method.length);
}

static enum gw_filter_result limit_ask(struct gw_exchange *exchange, bool misses)
{
    const struct gw_head *request = &exchange->request;
    struct gw_limit_subject subject = {
        .method = limit_method_that_counts(exchange),
        .host = request->authority,
        .path = exchange->target.plain_path,
        .literal_path = exchange->target.literal_path,
        .client = &exchange->identity.client,
        .route = exchange->target.route->index,
        .field = limit_field_of,
        .context = exchange,
    };
    if (!exchange->config->limits_enabled)
        return GW_FILTER_CONTINUE;
    struct gw_limit_asker *limits = &exchange->context->limits;
    struct limit_slot unused, *slot = &unused; /* without Redis all is decided at once */
    if (limits->store)
        slot = gw_filter_slot(exchange, &gw_filter_limit);
    bool decided = gw_limit_ask(limits, &subject, misses, gw_clock_monotonic_us(), &exchange->limit, &slot->question,
                                limit_on_answer, slot);
    return decided ? GW_FILTER_CONTINUE : GW_FILTER_ASKED;
}

static enum gw_filter_result limit_refuse(struct gw_exchange *exchange)
{
    enum { PROBLEM_BYTES = 2048 };
    char *memory = gw_arena_take(&exchange->arena, PROBLEM_BYTES);
    struct gw_buffer page = gw_buffer_over(memory, memory ? PROBLEM_BYTES : 0);
    gw_limit_put_problem(&exchange->limit, exchange->identity.request_id, &page);
    exchange->answer.told_error = GW_ERROR_LIMITED;
    gw_exchange_answer(exchange, 429, GW_SLICE("application/problem+json"), gw_buffer_slice(&page));
    return GW_FILTER_ANSWERED;
}

/* UNKNOWN: a policy says deny where the store cannot be asked. The client is not at fault: 503, never 429. */
static enum gw_filter_result limit_on_answers(struct gw_exchange *exchange)
{
    if (exchange->limit.verdict == GW_LIMIT_REFUSED)
        return limit_refuse(exchange);
    if (exchange->limit.verdict != GW_LIMIT_UNKNOWN)
        return GW_FILTER_CONTINUE;
    gw_exchange_answer_error(exchange, GW_ERROR_LIMIT_UNKNOWN);
    gw_exchange_add_field(exchange, GW_SLICE("Retry-After"), GW_SLICE("1"));
    return GW_FILTER_ANSWERED;
}

/* What is known here answers at once; else the question goes with the cache's in one write. */
static enum gw_filter_result limit_on_request(struct gw_exchange *exchange)
{
    return limit_ask(exchange, false);
}

static enum gw_filter_result limit_before_fetch(struct gw_exchange *exchange)
{
    enum gw_filter_result result = limit_ask(exchange, true);
    return result == GW_FILTER_ASKED ? result : limit_on_answers(exchange);
}

/* ---- beside what a backend says of its own limits ---- */

/* Fields that hold one value, by their present and former names: a client could not tell a backend's from ours. */
#define VALUES                                                                                                         \
    [GW_FIELD_X_RATELIMIT_LIMIT] = true, [GW_FIELD_X_RATELIMIT_REMAINING] = true, [GW_FIELD_X_RATELIMIT_RESET] = true, \
    [GW_FIELD_X_RATE_LIMIT_LIMIT] = true, [GW_FIELD_X_RATE_LIMIT_REMAINING] = true,                                    \
    [GW_FIELD_X_RATE_LIMIT_RESET] = true, [GW_FIELD_RATELIMIT_LIMIT] = true, [GW_FIELD_RATELIMIT_REMAINING] = true,    \
    [GW_FIELD_RATELIMIT_RESET] = true
static const bool values[GW_FIELD_COUNT] = { VALUES };
static const bool values_and_lists[GW_FIELD_COUNT] = {
    VALUES, [GW_FIELD_RATELIMIT] = true, [GW_FIELD_RATELIMIT_POLICY] = true
};
#undef VALUES

/* RateLimit and RateLimit-Policy are Lists of Strings, each a policy's name: ours may stand behind a backend's if these
 * are well-formed and name none of ours. One without the other would say half of it. */
static bool limit_lists_take_ours(const struct gw_exchange *exchange)
{
    const struct gw_head *head = exchange->answer.head;
    for (unsigned i = 0; i < exchange->limit.count; i++) {
        const struct gw_limit_policy *policy = exchange->limit.outcomes[i].policy;
        if (!policy->shadow &&
            (!gw_structured_takes(head, GW_FIELD_RATELIMIT, GW_STRUCTURED_STRING, policy->name) ||
             !gw_structured_takes(head, GW_FIELD_RATELIMIT_POLICY, GW_STRUCTURED_STRING, policy->name)))
            return false;
    }
    return true;
}

/* A backend's own 429 is told in its own words alone: "19 remaining" would contradict it. */
static bool limit_is_backends_refusal(const struct gw_exchange *exchange)
{
    return exchange->answer.head && exchange->answer.head->status == 429;
}

static void limit_on_response(struct gw_exchange *exchange)
{
    const struct gw_limit_decision *decision = &exchange->limit;
    size_t before = exchange->answer.fields.length;
    if (decision->verdict == GW_LIMIT_NONE || decision->verdict == GW_LIMIT_UNKNOWN ||
        limit_is_backends_refusal(exchange))
        return;
    gw_limit_put_fields(decision, exchange->config, GW_NO_SLICE, GW_NO_SLICE, &exchange->answer.fields);
    if (exchange->answer.head && !exchange->entry &&
        exchange->answer.fields.length > before) /* what is stored has none of these */
        exchange->answer.left_out = exchange->config->limit_fields && !limit_lists_take_ours(exchange)
                                        ? values_and_lists
                                        : values;
}

const struct gw_filter gw_filter_limit = {
    .name = "limit",
    .slot_bytes = sizeof(struct limit_slot),
    .on_request = limit_on_request,
    .on_answers = limit_on_answers,
    .before_fetch = limit_before_fetch,
    .on_give_up = limit_give_up,
    .on_cancel = limit_cancel,
    .on_response = limit_on_response,
};
