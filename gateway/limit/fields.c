/* fields.c: the fields that tell a client its limits. Every limited response has them, so printf is not used. */
#include "http/writer.h"
#include "limit/limiter.h"

__extension__ typedef unsigned __int128 wide;

/* Structured Fields integers have at most 15 digits (RFC 9651 §3.3.1). */
static const uint64_t sf_integer_most = 999999999999999;

static void fields_put_sf_integer(struct gw_buffer *buffer, uint64_t value)
{
    gw_buffer_put_uint(buffer, value < sf_integer_most ? value : sf_integer_most);
}

static uint64_t fields_divide(wide amount, uint64_t by)
{
    if (amount >> 64)
        return (uint64_t)(amount / by);
    return (uint64_t)amount / by;
}

static uint64_t fields_seconds_up(uint64_t ms)
{
    return ms / 1000 + (ms % 1000 != 0);
}

/* The time until this many tokens have come, rounded up. The divisor fits into 64 bits, since n is at most 10^9. */
static uint64_t fields_seconds_for(const struct gw_limit_policy *policy, uint64_t tokens)
{
    uint64_t per_second = policy->n * 1000000;
    return fields_divide((wide)tokens * policy->period_us + (per_second - 1), per_second);
}

/* For a bucket without a whole token: the time until it has one. For a refused request: the time until its cost is
 * there, the same as in Retry-After. */
static uint64_t fields_wait_seconds(const struct gw_limit_outcome *outcome)
{
    const struct gw_limit_policy *policy = outcome->policy;
    uint64_t wait_ms = outcome->next_ms;
    if (outcome->allowed) {
        uint64_t others_ms = fields_divide((wide)(policy->burst - 1) * policy->period_us, policy->n * 1000);
        wait_ms = outcome->full_after_ms > others_ms ? outcome->full_after_ms - others_ms : 0;
    }
    return wait_ms > 1000 ? fields_seconds_up(wait_ms) : 1;
}

/* Writes RateLimit (is_state) or RateLimit-Policy: first the members that the backend wrote, then, if `ours`, those of
 * the decision. A line without members is left out. */
static void fields_put_list(const struct gw_limit_decision *decision, bool is_state, bool ours,
                            struct gw_slice upstream, struct gw_buffer *buffer)
{
    struct gw_slice name = is_state ? GW_SLICE("RateLimit") : GW_SLICE("RateLimit-Policy");
    struct gw_writer_line line = { .buffer = NULL }; /* NULL: it is not begun */
    upstream = gw_slice_trim(upstream);
    if (upstream.length) {
        line = gw_writer_begin(buffer, name);
        gw_buffer_put_slice(buffer, upstream);
    }
    for (unsigned i = 0; ours && i < decision->count; i++) {
        const struct gw_limit_outcome *outcome = &decision->outcomes[i];
        const struct gw_limit_policy *policy = outcome->policy;
        if (policy->shadow)
            continue;
        if (line.buffer)
            gw_buffer_put_literal(buffer, ", ");
        else
            line = gw_writer_begin(buffer, name);
        uint64_t tokens = is_state ? outcome->remaining : policy->burst;
        gw_buffer_put_char(buffer, '"');
        gw_buffer_put_slice(buffer, policy->name); /* [a-z0-9_-] needs no escapes */
        gw_buffer_put_string(buffer, is_state ? "\";r=" : "\";q=");
        fields_put_sf_integer(buffer, tokens);
        gw_buffer_put_string(buffer, is_state ? ";t=" : ";w=");
        fields_put_sf_integer(buffer, tokens ? fields_seconds_for(policy, tokens) : fields_wait_seconds(outcome));
    }
    if (line.buffer)
        gw_writer_end(&line);
}

static bool fields_is_nearer_to_empty(const struct gw_limit_outcome *a, const struct gw_limit_outcome *b)
{
    if (a->remaining != b->remaining)
        return a->remaining < b->remaining;
    return a->next_ms > b->next_ms;
}

/* Writes the fields of the policy that is nearest to empty. */
static void fields_put_x_lines(const struct gw_limit_decision *decision, struct gw_buffer *buffer)
{
    const struct gw_limit_outcome *nearest = NULL;
    for (unsigned i = 0; i < decision->count; i++)
        if (!decision->outcomes[i].policy->shadow &&
            (!nearest || fields_is_nearer_to_empty(&decision->outcomes[i], nearest)))
            nearest = &decision->outcomes[i];
    if (!nearest)
        return;
    gw_writer_put_uint_field(buffer, GW_SLICE("X-RateLimit-Limit"), nearest->policy->burst);
    gw_writer_put_uint_field(buffer, GW_SLICE("X-RateLimit-Remaining"), nearest->remaining);
    gw_writer_put_uint_field(buffer, GW_SLICE("X-RateLimit-Reset"), fields_seconds_up(nearest->full_after_ms));
}

static uint64_t fields_retry_after_seconds(const struct gw_limit_decision *decision)
{
    return decision->retry_after_ms > 1000 ? fields_seconds_up(decision->retry_after_ms) : 1;
}

void gw_limit_put_fields(const struct gw_limit_decision *decision, const struct gw_config *config,
                         struct gw_slice upstream_ratelimit, struct gw_slice upstream_policy, struct gw_buffer *buffer)
{
    fields_put_list(decision, false, config->limit_fields, upstream_policy, buffer);
    fields_put_list(decision, true, config->limit_fields, upstream_ratelimit, buffer);
    if (config->limit_x_fields)
        fields_put_x_lines(decision, buffer);
    if (decision->verdict == GW_LIMIT_REFUSED)
        gw_writer_put_uint_field(buffer, GW_SLICE("Retry-After"), fields_retry_after_seconds(decision));
}

void gw_limit_put_problem(const struct gw_limit_decision *decision, struct gw_slice request_id,
                          struct gw_buffer *buffer)
{
    uint64_t seconds = fields_retry_after_seconds(decision);
    gw_buffer_put_literal(buffer, "{\"type\":\"https://iana.org/assignments/http-problem-types#quota-exceeded\","
                                  "\"title\":\"Request cannot be satisfied as assigned quota has been exceeded\","
                                  "\"status\":429,\"detail\":\"Too many requests. Try again in ");
    gw_buffer_put_uint(buffer, seconds);
    gw_buffer_put_string(buffer,
                         seconds == 1 ? " second.\",\"violated-policies\":[" : " seconds.\",\"violated-policies\":[");
    for (unsigned i = 0, refused = 0; i < decision->count; i++) {
        const struct gw_limit_outcome *outcome = &decision->outcomes[i];
        if (outcome->allowed || outcome->policy->shadow)
            continue;
        if (refused++)
            gw_buffer_put_char(buffer, ',');
        gw_buffer_put_json(buffer, outcome->policy->name);
    }
    gw_buffer_put_literal(buffer, "],\"request_id\":");
    gw_buffer_put_json(buffer, request_id);
    gw_buffer_put_literal(buffer, "}\n");
}
