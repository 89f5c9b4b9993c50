#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "admin/labels.h"
#include "admin/pages.h"

static char memory[256];

static struct gw_buffer word(void)
{
    return gw_buffer_over(memory, sizeof(memory));
}

static void assert_word(struct gw_buffer *buffer, const char *expected)
{
    gw_buffer_put_char(buffer, '\0');
    assert_string_equal(buffer->at, expected);
}

static void a_duration_is_hours_minutes_and_seconds(void **state)
{
    static const struct row {
        uint64_t seconds;
        const char *text;
    } rows[] = { { 0, "0s" },          { 30, "30s" },      { 60, "1m0s" },         { 930, "15m30s" },
                 { 8130, "2h15m30s" }, { 7205, "2h0m5s" }, { 274530, "76h15m30s" } };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_buffer buffer = word();
        gw_admin_put_duration(rows[i].seconds * 1000000 + 999999, &buffer);
        assert_word(&buffer, rows[i].text);
    }
}

static void a_percentage_has_two_decimals(void **state)
{
    static const struct row {
        uint64_t part, whole;
        const char *text;
    } rows[] = { { 0, 0, "empty" },
                 { 0, 7, "0.00%" },
                 { 7, 7, "100.00%" },
                 { 2, 3, "66.67%" },
                 { 9851, 10000, "98.51%" },
                 { 1, 2000, "0.05%" },
                 { 1, 20000, "0.01%" },
                 { 1000000, 1000000000, "0.10%" },
                 { UINT64_MAX / 2, UINT64_MAX, "50.00%" } };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_buffer buffer = word();
        gw_labels_put_percent(rows[i].part, rows[i].whole, "empty", &buffer);
        assert_word(&buffer, rows[i].text);
    }
}

static void a_rate_reads_like_a_sentence(void **state)
{
    static const struct row {
        uint64_t n, period_us, cost;
        enum gw_limit_key by;
        const char *text;
    } rows[] = {
        { 10, 1000000, 1, GW_LIMIT_BY_IP, "10 req/sec per IP" },
        { 10, 60000000, 1, GW_LIMIT_BY_IP, "10 req/min per IP" },
        { 1, 3600000000, 1, GW_LIMIT_BY_IP, "1 req/hour per IP" },
        { 1, 86400000000, 1, GW_LIMIT_BY_ROUTE, "1 req/day per route" },
        { 5, 10000000, 1, GW_LIMIT_BY_HEADER, "5 req/10s per X-Api-Key header" },
        { 5, 120000000, 1, GW_LIMIT_BY_IP, "5 req/2m per IP" },
        { 5, 90000000, 1, GW_LIMIT_BY_IP, "5 req/90s per IP" },
        { 5, 1500000, 1, GW_LIMIT_BY_IP, "5 req/1500ms per IP" },
        { 5, 1, 1, GW_LIMIT_BY_IP, "5 req/us per IP" },
        { 600, 60000000, 3, GW_LIMIT_BY_ROUTE, "600 tokens/min per route" },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_buffer buffer = word();
        const struct gw_limit_policy policy = { .n = rows[i].n,
                                                .period_us = rows[i].period_us,
                                                .cost = rows[i].cost,
                                                .by = rows[i].by,
                                                .header = GW_SLICE("X-Api-Key") };
        gw_labels_put_rate(&policy, &buffer);
        assert_word(&buffer, rows[i].text);
    }
}

static void a_time_is_utc(void **state)
{
    struct gw_buffer buffer = word();
    (void)state;
    gw_labels_put_time(1795557355999999, &buffer);
    assert_word(&buffer, "2026-11-24T21:55:55Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_duration_is_hours_minutes_and_seconds),
        cmocka_unit_test(a_percentage_has_two_decimals),
        cmocka_unit_test(a_rate_reads_like_a_sentence),
        cmocka_unit_test(a_time_is_utc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
