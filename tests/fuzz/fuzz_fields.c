/* Any decision of the limiter, of policies that a configuration may have, as fields of an answer: whole lines, nothing
 * but field values in them, and numbers that RFC 9651 can hold. */
#include <cjson/cJSON.h>
#include "fuzz/fuzz_input.h"
#include "http/grammar.h"
#include "limit/limiter.h"

static const struct gw_slice names[] = { { "a", 1 }, { "default", 7 }, { "b_-9", 4 } };

/* In the ranges that config/policies.c lets through. */
static void fill_policy(struct fuzz_input *input, struct gw_limit_policy *policy)
{
    *policy = (struct gw_limit_policy) {
        .name = names[fuzz_number(input, 1) % 3],
        .n = 1 + fuzz_number(input, 4) % 1000000000,
        .period_us = 1 + fuzz_number(input, 6) % 31536000000000,
        .burst = 1 + fuzz_number(input, 4) % 1000000000,
        .cost = 1,
        .shadow = fuzz_number(input, 1) & 1,
    };
    uint64_t most = (uint64_t)((unsigned __int128)policy->n * 31536000000000 / policy->period_us);
    policy->burst = policy->burst > most && most ? most : policy->burst;
}

static void check_lines(struct gw_slice lines)
{
    while (lines.length) {
        const char *end = memmem(lines.at, lines.length, "\r\n", 2), *colon = memchr(lines.at, ':', lines.length);
        demand(end && colon && colon < end && colon[1] == ' ');
        struct gw_slice value = gw_slice_of(colon + 2, (size_t)(end - colon) - 2);
        demand(gw_grammar_is_token(gw_slice_of(lines.at, (size_t)(colon - lines.at))) &&
               gw_grammar_is_field_value(value));
        lines = gw_slice_of(end + 2, lines.length - (size_t)(end + 2 - lines.at));
    }
}

/* RFC 9651 §3.3.1: at most 15 digits. X-RateLimit-* and Retry-After are no structured fields. */
static void check_numbers(struct gw_slice lines)
{
    for (size_t i = 0, digits = 0; i < lines.length; i++) {
        digits = lines.at[i] >= '0' && lines.at[i] <= '9' ? digits + 1 : 0;
        demand(digits <= 15);
    }
}

static void check_problem(const struct gw_limit_decision *decision, struct gw_slice id)
{
    struct gw_buffer buffer = gw_buffer_create(1 << 16);
    gw_limit_put_problem(decision, id, &buffer);
    cJSON *tree = buffer.overflowed ? NULL : cJSON_ParseWithLength(buffer.at, buffer.length);
    demand(tree && fuzz_is_utf8(gw_buffer_slice(&buffer)));
    cJSON_Delete(tree);
    gw_buffer_destroy(&buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = { .at = data, .left = size };
    struct gw_limit_policy policies[GW_LIMIT_POLICIES_PER_REQUEST];
    struct gw_limit_decision decision = {
        .verdict = (enum gw_limit_verdict)(fuzz_number(&input, 1) % 4),
        .count = (unsigned)fuzz_number(&input, 1) % (GW_LIMIT_POLICIES_PER_REQUEST + 1),
        .retry_after_ms = fuzz_number(&input, 8),
    };
    struct gw_config config = { .limit_fields = true };
    struct gw_buffer buffer = gw_buffer_create(1 << 16);
    for (unsigned i = 0; i < decision.count; i++) {
        fill_policy(&input, &policies[i]);
        decision.outcomes[i] = (struct gw_limit_outcome) {
            .policy = &policies[i],
            .remaining = fuzz_number(&input, 8),
            .next_ms = fuzz_number(&input, 8),
            .full_after_ms = fuzz_number(&input, 8),
            .allowed = fuzz_number(&input, 1) & 1,
        };
    }
    struct gw_slice ratelimit = fuzz_slice(&input), policy = fuzz_slice(&input), id = fuzz_slice(&input);
    decision.verdict = decision.verdict == GW_LIMIT_REFUSED ? GW_LIMIT_ALLOWED : decision.verdict;
    gw_limit_put_fields(&decision, &config, GW_NO_SLICE, GW_NO_SLICE, &buffer);
    demand(!buffer.overflowed);
    check_lines(gw_buffer_slice(&buffer));
    check_numbers(gw_buffer_slice(&buffer));
    buffer.length = 0;
    config.limit_x_fields = true;
    decision.verdict = GW_LIMIT_REFUSED;
    /* what a backend sent has passed the guard */
    gw_limit_put_fields(&decision, &config, gw_grammar_is_field_value(ratelimit) ? ratelimit : GW_NO_SLICE,
                        gw_grammar_is_field_value(policy) ? policy : GW_NO_SLICE, &buffer);
    demand(!buffer.overflowed);
    check_lines(gw_buffer_slice(&buffer));
    check_problem(&decision, id);
    gw_buffer_destroy(&buffer);
    fuzz_end(&input);
    return 0;
}
