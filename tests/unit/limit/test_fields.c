#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "limit/limiter.h"

static const struct gw_limit_policy by_default = {
    .name = { "default", 7 }, .n = 10, .period_us = 1000000, .burst = 20, .cost = 1
};
static const struct gw_limit_policy hourly = {
    .name = { "hourly", 6 }, .n = 1000, .period_us = 3600000000, .burst = 500, .cost = 5
};
static const struct gw_limit_policy trial = {
    .name = { "trial", 5 }, .n = 1, .period_us = 1000000, .burst = 1, .cost = 1, .shadow = true
};
static const struct gw_limit_policy slow = {
    .name = { "slow", 4 }, .n = 1, .period_us = 90000000, .burst = 3, .cost = 1
};
static const struct gw_limit_policy vast = {
    .name = { "vast", 4 }, .n = 1000000000, .period_us = 1000000, .burst = 30000000000000000, .cost = 1
};

static void assert_fields(const struct gw_limit_decision *decision, bool fields, bool x_fields, const char *ratelimit,
                          const char *policy, const char *expected)
{
    char memory[1024];
    struct gw_buffer buffer = gw_buffer_over(memory, sizeof memory - 1);
    const struct gw_config config = { .limit_fields = fields, .limit_x_fields = x_fields };
    gw_limit_put_fields(decision, &config, gw_slice_of_string(ratelimit), gw_slice_of_string(policy), &buffer);
    assert_false(buffer.overflowed);
    memory[buffer.length] = 0;
    assert_string_equal(memory, expected);
}

static void an_allowed_request_is_told_what_is_left(void **state)
{
    (void)state;
    static const struct gw_limit_decision decision = {
        .verdict = GW_LIMIT_ALLOWED,
        .count = 1,
        .outcomes = { { .policy = &by_default, .remaining = 13, .full_after_ms = 650, .allowed = true } },
    };
    assert_fields(&decision, true, true, NULL, NULL,
                  "RateLimit-Policy: \"default\";q=20;w=2\r\n"
                  "RateLimit: \"default\";r=13;t=2\r\n"
                  "X-RateLimit-Limit: 20\r\nX-RateLimit-Remaining: 13\r\nX-RateLimit-Reset: 1\r\n");
}

static void each_kind_of_field_can_be_switched_off(void **state)
{
    (void)state;
    static const struct gw_limit_decision decision = {
        .verdict = GW_LIMIT_REFUSED,
        .count = 1,
        .retry_after_ms = 100,
        .outcomes = { { .policy = &by_default, .next_ms = 100, .full_after_ms = 2000 } },
    };
    assert_fields(&decision, false, true, NULL, NULL,
                  "X-RateLimit-Limit: 20\r\nX-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 2\r\nRetry-After: 1\r\n");
    assert_fields(&decision, true, false, NULL, NULL,
                  "RateLimit-Policy: \"default\";q=20;w=2\r\nRateLimit: \"default\";r=0;t=1\r\nRetry-After: 1\r\n");
    assert_fields(&decision, false, false, NULL, NULL, "Retry-After: 1\r\n");
}

static void the_wait_for_a_token_is_t_and_retry_after(void **state)
{
    (void)state;
    static const struct row {
        uint64_t next_ms, full_after_ms;
        const char *wait;
    } rows[] = { { 90000, 270000, "90" }, { 89001, 269001, "90" }, { 89000, 269000, "89" },
                 { 1001, 181001, "2" },   { 1000, 181000, "1" },   { 1, 180001, "1" } };
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_limit_decision decision = {
            .verdict = GW_LIMIT_REFUSED,
            .count = 1,
            .retry_after_ms = rows[i].next_ms,
            .outcomes = { { .policy = &slow, .next_ms = rows[i].next_ms, .full_after_ms = rows[i].full_after_ms } },
        };
        char expected[160];
        snprintf(expected, sizeof expected,
                 "RateLimit-Policy: \"slow\";q=3;w=270\r\nRateLimit: \"slow\";r=0;t=%s\r\nRetry-After: %s\r\n",
                 rows[i].wait, rows[i].wait);
        assert_fields(&decision, true, false, NULL, NULL, expected);

        decision = (struct gw_limit_decision) {
            /* the last token just taken: the same wait, from full_after_ms */
            .verdict = GW_LIMIT_ALLOWED,
            .count = 1,
            .outcomes = { { .policy = &slow, .full_after_ms = rows[i].full_after_ms, .allowed = true } },
        };
        *strstr(expected, "Retry-After") = 0;
        assert_fields(&decision, true, false, NULL, NULL, expected);
    }
}

static void several_policies_stand_in_order_and_x_fields_tell_of_the_scarcest(void **state)
{
    (void)state;
    static const struct gw_limit_decision decision = {
        .verdict = GW_LIMIT_REFUSED, .count = 3, .retry_after_ms = 7200,
        .outcomes = {
            { .policy = &by_default, .remaining = 20, .allowed = true },
            { .policy = &hourly, .remaining = 3, .next_ms = 7200, .full_after_ms = 1789200 },
            { .policy = &slow, .remaining = 3, .allowed = true },
        },
    };
    assert_fields(&decision, true, true, NULL, NULL,
                  "RateLimit-Policy: \"default\";q=20;w=2, \"hourly\";q=500;w=1800, \"slow\";q=3;w=270\r\n"
                  "RateLimit: \"default\";r=20;t=2, \"hourly\";r=3;t=11, \"slow\";r=3;t=270\r\n"
                  "X-RateLimit-Limit: 500\r\nX-RateLimit-Remaining: 3\r\nX-RateLimit-Reset: 1790\r\n"
                  "Retry-After: 8\r\n");
}

static void of_equally_empty_policies_x_fields_tell_of_the_one_that_refuses(void **state)
{
    (void)state;
    static const struct gw_limit_decision decision = {
        .verdict = GW_LIMIT_REFUSED,
        .count = 3,
        .retry_after_ms = 90000,
        .outcomes = { { .policy = &by_default, .full_after_ms = 1950, .allowed = true },
                      { .policy = &slow, .next_ms = 90000, .full_after_ms = 270000 },
                      { .policy = &by_default, .full_after_ms = 1950, .allowed = true } },
    };
    assert_fields(&decision, false, true, NULL, NULL,
                  "X-RateLimit-Limit: 3\r\nX-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 270\r\nRetry-After: 90\r\n");
}

static void a_backends_members_come_first_and_are_never_lost(void **state)
{
    (void)state;
    static const struct gw_limit_decision decision = {
        .verdict = GW_LIMIT_ALLOWED,
        .count = 1,
        .outcomes = { { .policy = &by_default, .remaining = 19, .full_after_ms = 100, .allowed = true } },
    };
    static const struct gw_limit_decision none = { 0 };
    assert_fields(&decision, true, false, " \"app\";r=1;t=5 ", "\"app\";q=9;w=60",
                  "RateLimit-Policy: \"app\";q=9;w=60, \"default\";q=20;w=2\r\n"
                  "RateLimit: \"app\";r=1;t=5, \"default\";r=19;t=2\r\n");
    assert_fields(&decision, false, false, "\"app\";r=1;t=5", "\"app\";q=9;w=60",
                  "RateLimit-Policy: \"app\";q=9;w=60\r\nRateLimit: \"app\";r=1;t=5\r\n");
    assert_fields(&none, true, true, "\"app\";r=1;t=5", "", "RateLimit: \"app\";r=1;t=5\r\n");
    assert_fields(&none, true, true, NULL, NULL, "");
}

static void shadow_policies_are_not_told_of(void **state)
{
    (void)state;
    static const struct gw_limit_decision decision = {
        .verdict = GW_LIMIT_ALLOWED,
        .count = 2,
        .shadow_refusals = 1,
        .outcomes = { { .policy = &trial, .next_ms = 900, .full_after_ms = 900 },
                      { .policy = &by_default, .remaining = 19, .full_after_ms = 100, .allowed = true } },
    };
    assert_fields(&decision, true, true, NULL, NULL,
                  "RateLimit-Policy: \"default\";q=20;w=2\r\nRateLimit: \"default\";r=19;t=2\r\n"
                  "X-RateLimit-Limit: 20\r\nX-RateLimit-Remaining: 19\r\nX-RateLimit-Reset: 1\r\n");
}

static void integers_stay_within_fifteen_digits(void **state)
{
    (void)state;
    static const struct gw_limit_decision decision = {
        .verdict = GW_LIMIT_ALLOWED,
        .count = 1,
        .outcomes = { { .policy = &vast, .remaining = 29999999999999999, .allowed = true } },
    };
    assert_fields(&decision, true, false, NULL, NULL,
                  "RateLimit-Policy: \"vast\";q=999999999999999;w=30000000\r\n"
                  "RateLimit: \"vast\";r=999999999999999;t=30000000\r\n");
}

static void the_problem_names_the_policies_that_refused(void **state)
{
    (void)state;
    struct gw_limit_decision decision = {
        .verdict = GW_LIMIT_REFUSED,
        .count = 4,
        .retry_after_ms = 1001,
        .shadow_refusals = 1,
        .outcomes = { { .policy = &by_default, .next_ms = 100 },
                      { .policy = &slow, .remaining = 2, .allowed = true },
                      { .policy = &trial, .next_ms = 9000 },
                      { .policy = &hourly, .next_ms = 1001 } },
    };
    char memory[1024];
    struct gw_buffer buffer = gw_buffer_over(memory, sizeof memory - 1);
    gw_limit_put_problem(&decision, GW_SLICE("a\"b"), &buffer);
    memory[buffer.length] = 0;
    assert_string_equal(memory, "{\"type\":\"https://iana.org/assignments/http-problem-types#quota-exceeded\","
                                "\"title\":\"Request cannot be satisfied as assigned quota has been exceeded\","
                                "\"status\":429,\"detail\":\"Too many requests. Try again in 2 seconds.\","
                                "\"violated-policies\":[\"default\",\"hourly\"],\"request_id\":\"a\\\"b\"}\n");
    decision.retry_after_ms = 1;
    buffer.length = 0;
    gw_limit_put_problem(&decision, GW_SLICE("id"), &buffer);
    memory[buffer.length] = 0;
    assert_non_null(strstr(memory, "in 1 second.\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_allowed_request_is_told_what_is_left),
        cmocka_unit_test(each_kind_of_field_can_be_switched_off),
        cmocka_unit_test(the_wait_for_a_token_is_t_and_retry_after),
        cmocka_unit_test(several_policies_stand_in_order_and_x_fields_tell_of_the_scarcest),
        cmocka_unit_test(of_equally_empty_policies_x_fields_tell_of_the_one_that_refuses),
        cmocka_unit_test(a_backends_members_come_first_and_are_never_lost),
        cmocka_unit_test(shadow_policies_are_not_told_of),
        cmocka_unit_test(integers_stay_within_fifteen_digits),
        cmocka_unit_test(the_problem_names_the_policies_that_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
