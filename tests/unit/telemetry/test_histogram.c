#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/base.h"
#include "telemetry/histogram.h"

static void the_bounds_ascend_from_half_a_millisecond_to_ten_seconds(void **state)
{
    (void)state;
    assert_int_equal(gw_histogram_bounds_us[0], 500);
    assert_int_equal(gw_histogram_bounds_us[GW_HISTOGRAM_BUCKETS - 1], 10000000);
    for (unsigned i = 1; i < GW_HISTOGRAM_BUCKETS; i++)
        assert_true(gw_histogram_bounds_us[i - 1] < gw_histogram_bounds_us[i]);
}

static void a_value_falls_into_the_first_bucket_that_is_not_below_it(void **state)
{
    static const struct row {
        uint64_t us;
        unsigned bucket;
    } rows[] = { { 0, 0 },
                 { 499, 0 },
                 { 500, 0 },
                 { 501, 1 },
                 { 1000, 1 },
                 { 1001, 2 },
                 { 25000, 5 },
                 { 25001, 6 },
                 { 9999999, 13 },
                 { 10000000, 13 },
                 { 10000001, 14 }, /* above the last: only +Inf's */
                 { UINT64_MAX / 2, 14 } };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_histogram histogram = { .sum_us = 0 };
        gw_histogram_observe(&histogram, rows[i].us);
        for (unsigned bucket = 0; bucket <= GW_HISTOGRAM_BUCKETS; bucket++)
            assert_int_equal(gw_counter_read(&histogram.buckets[bucket]), bucket == rows[i].bucket);
        assert_int_equal(gw_counter_read(&histogram.sum_us), rows[i].us);
    }
}

static void the_histograms_of_two_workers_add_up(void **state)
{
    struct gw_histogram one = { .sum_us = 0 }, two = { .sum_us = 0 };
    struct gw_histogram_sum sum = { .count = 0 };
    (void)state;
    gw_histogram_observe(&one, 400);
    gw_histogram_observe(&one, 700);
    gw_histogram_observe(&two, 450);
    gw_histogram_observe(&two, 20000000);
    gw_histogram_add_to(&one, &sum);
    gw_histogram_add_to(&two, &sum);
    assert_int_equal(sum.count, 4);
    assert_int_equal(sum.sum_us, 20001550);
    assert_int_equal(sum.buckets[0], 2);
    assert_int_equal(sum.buckets[1], 1);
    assert_int_equal(sum.buckets[GW_HISTOGRAM_BUCKETS], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bounds_ascend_from_half_a_millisecond_to_ten_seconds),
        cmocka_unit_test(a_value_falls_into_the_first_bucket_that_is_not_below_it),
        cmocka_unit_test(the_histograms_of_two_workers_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
