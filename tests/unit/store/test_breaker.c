#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <string.h>
#include <cmocka.h>
#include "base/base.h"
#include "base/log.h"
#include "store/breaker.h"

static void it_begins_open_and_counts_only_what_opens_it(void **state)
{
    struct gw_breaker breaker;
    (void)state;
    gw_log_setup(GW_LOG_ERROR, false);
    gw_breaker_init(&breaker);
    assert_true(gw_breaker_is_open(&breaker));
    gw_breaker_open(&breaker, GW_BREAKER_CONNECT, 5);
    assert_int_equal(atomic_load(&breaker.openings), 0);
    gw_breaker_close(&breaker);
    assert_false(gw_breaker_is_open(&breaker));
    gw_breaker_open(&breaker, GW_BREAKER_SILENT, 10);
    gw_breaker_open(&breaker, GW_BREAKER_LOST, 20);
    assert_true(gw_breaker_is_open(&breaker));
    assert_int_equal(atomic_load(&breaker.openings), 1);
    assert_int_equal(atomic_load(&breaker.epoch), 1);
    assert_int_equal(atomic_load(&breaker.opened_at_us), 10);
    assert_int_equal(atomic_load(&breaker.reason), GW_BREAKER_LOST);
}

static void every_reason_has_a_name_and_a_sentence(void **state)
{
    (void)state;
    for (int i = 0; i < GW_BREAKER_REASONS; i++) {
        assert_true(strlen(gw_breaker_reason_name(i)) > 0);
        assert_true(strlen(gw_breaker_reason_sentence(i)) > 0);
    }
    assert_string_equal(gw_breaker_reason_name(GW_BREAKER_NONSENSE), "nonsense");
    assert_string_equal(gw_breaker_reason_name(GW_BREAKER_REASONS), "none");
}

static void only_the_first_of_a_series_is_logged(void **state)
{
    static const struct {
        uint64_t at_us;
        enum gw_breaker_reason reason;
        bool is_logged;
    } rows[] = {
        { 1000000, GW_BREAKER_LOST, true },     { 2000000, GW_BREAKER_LOST, false },
        { 60999999, GW_BREAKER_LOST, false },   { 61000000, GW_BREAKER_LOST, true },
        { 62000000, GW_BREAKER_CONNECT, true }, { 63000000, GW_BREAKER_CONNECT, false },
    };
    struct gw_breaker breaker;
    (void)state;
    gw_breaker_init(&breaker);
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        gw_breaker_close(&breaker);
        gw_breaker_open(&breaker, rows[i].reason, rows[i].at_us);
        assert_int_equal(atomic_load(&breaker.logged_at_us) == rows[i].at_us, rows[i].is_logged);
    }
}

static void *open_often(void *breaker)
{
    for (uint64_t i = 1; i <= 10000; i++)
        gw_breaker_open(breaker, GW_BREAKER_LOST, i);
    return NULL;
}

static void many_who_open_it_at_once_open_it_once(void **state)
{
    pthread_t threads[4];
    struct gw_breaker breaker;
    (void)state;
    gw_breaker_init(&breaker);
    gw_breaker_close(&breaker);
    for (size_t i = 0; i < GW_COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, open_often, &breaker), 0);
    for (size_t i = 0; i < GW_COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&breaker.openings), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_begins_open_and_counts_only_what_opens_it),
        cmocka_unit_test(every_reason_has_a_name_and_a_sentence),
        cmocka_unit_test(only_the_first_of_a_series_is_logged),
        cmocka_unit_test(many_who_open_it_at_once_open_it_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
