#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/base.h"
#include "config/numbers.h"

struct row {
    const char *text;
    bool good;
    uint64_t value;
    const char *printed;
};

static void check(const struct row *rows, size_t count, bool (*parse)(struct gw_slice, uint64_t *),
                  void (*put)(struct gw_buffer *, uint64_t))
{
    for (size_t i = 0; i < count; i++) {
        uint64_t value = 0;
        char memory[64];
        struct gw_buffer buffer = gw_buffer_over(memory, sizeof(memory));
        print_message("%s\n", rows[i].text);
        assert_int_equal(parse(gw_slice_of_string(rows[i].text), &value), rows[i].good);
        if (!rows[i].good)
            continue;
        assert_int_equal(value, rows[i].value);
        put(&buffer, value);
        assert_int_equal(buffer.length, strlen(rows[i].printed));
        assert_memory_equal(buffer.at, rows[i].printed, buffer.length);
    }
}

static void a_size_is_bytes_or_has_a_binary_unit(void **state)
{
    static const struct row rows[] = {
        { "0", true, 0, "0" },
        { "1000", true, 1000, "1000" },
        { "1024", true, 1024, "1KiB" },
        { "64KiB", true, 65536, "64KiB" },
        { "64 kib", true, 65536, "64KiB" },
        { "1024KiB", true, 1048576, "1MiB" },
        { "10MiB", true, 10485760, "10MiB" },
        { "1GiB", true, 1073741824, "1GiB" },
        { "17179869183GiB", true, UINT64_C(18446744072635809792), "17179869183GiB" },
        { "17179869184GiB", false, 0, NULL },
        { "18446744073709551616", false, 0, NULL },
        { "", false, 0, NULL },
        { "KiB", false, 0, NULL },
        { "-1", false, 0, NULL },
        { "1.5MiB", false, 0, NULL },
        { "10M", false, 0, NULL },
        { "10MB", false, 0, NULL },
    };
    (void)state;
    check(rows, GW_COUNT(rows), gw_numbers_parse_size, gw_numbers_put_size);
}

static void a_duration_is_seconds_or_has_a_unit(void **state)
{
    static const struct row rows[] = {
        { "0", true, 0, "0s" },
        { "10", true, 10000, "10s" },
        { "2.5", true, 2500, "2500ms" },
        { "0.001", true, 1, "1ms" },
        { "0.0010", true, 1, "1ms" },
        { "250ms", true, 250, "250ms" },
        { "1000ms", true, 1000, "1s" },
        { "10s", true, 10000, "10s" },
        { "10 S", true, 10000, "10s" },
        { "5m", true, 300000, "300s" },
        { "5min", true, 300000, "300s" },
        { "2h", true, 7200000, "2h" },
        { "1.5h", true, 5400000, "5400s" },
        { "0.0005", false, 0, NULL },
        { "0.5ms", false, 0, NULL },
        { "1.", false, 0, NULL },
        { ".5", false, 0, NULL },
        { "1e3", false, 0, NULL },
        { "", false, 0, NULL },
        { "s", false, 0, NULL },
        { "-1s", false, 0, NULL },
        { "1d", false, 0, NULL },
        { "1.0000000001", false, 0, NULL },
        { "18446744073709551615h", false, 0, NULL },
        { "18446744073709551615.9ms", false, 0, NULL },
    };
    (void)state;
    check(rows, GW_COUNT(rows), gw_numbers_parse_duration, gw_numbers_put_duration);
}

static void a_rate_is_whole_tokens_per_period(void **state)
{
    static const struct {
        const char *text;
        uint64_t n, period_us; /* 0: refused */
    } rows[] = {
        { "10", 10, 1000000 },
        { "10/s", 10, 1000000 },
        { "10 / sec", 10, 1000000 },
        { "10/min", 10, 60000000 },
        { "10/m", 10, 60000000 },
        { "100/h", 100, UINT64_C(3600000000) },
        { "1000/day", 1000, UINT64_C(86400000000) },
        { "5/10s", 5, 10000000 },
        { "5/10 s", 5, 10000000 },
        { "1/100ms", 1, 100000 },
        { "1000000000/s", 1000000000, 1000000 },
        { "1/365d", 1, UINT64_C(31536000000000) },
        { "1000000001/s", 0, 0 },
        { "1/366d", 0, 0 },
        { "1/99999999999999999999s", 0, 0 },
        { "1/18446744073709551615day", 0, 0 },
        { "0/s", 0, 0 },
        { "1/0s", 0, 0 },
        { "10/", 0, 0 },
        { "/s", 0, 0 },
        { "10/10", 0, 0 },
        { "0.5/s", 0, 0 },
        { "10/ss", 0, 0 },
        { "10 per s", 0, 0 },
        { "", 0, 0 },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        uint64_t n, period_us;
        print_message("%s\n", rows[i].text);
        bool good = gw_numbers_parse_rate(gw_slice_of_string(rows[i].text), &n, &period_us);
        assert_int_equal(good, rows[i].n != 0);
        if (good) {
            assert_int_equal(n, rows[i].n);
            assert_int_equal(period_us, rows[i].period_us);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_size_is_bytes_or_has_a_binary_unit),
        cmocka_unit_test(a_duration_is_seconds_or_has_a_unit),
        cmocka_unit_test(a_rate_is_whole_tokens_per_period),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
