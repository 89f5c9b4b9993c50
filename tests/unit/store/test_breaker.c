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
    gw_breaker_open(&breaker, GW_BREAKER_CONNECT, "", 5);
    assert_int_equal(atomic_load(&breaker.openings), 0);
    gw_breaker_close(&breaker);
    assert_false(gw_breaker_is_open(&breaker));
    gw_breaker_open(&breaker, GW_BREAKER_SILENT, "", 10);
    gw_breaker_open(&breaker, GW_BREAKER_LOST, "", 20);
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
        gw_breaker_open(&breaker, rows[i].reason, "", rows[i].at_us);
        assert_int_equal(atomic_load(&breaker.logged_at_us) == rows[i].at_us, rows[i].is_logged);
    }
}

/* One outage, seen by several connections at different moments: what the log and the health page say. */
static void one_cause_is_one_line(void **state)
{
    enum { S = 1000000 };
    static const struct {
        const char *what;
        uint64_t at_us;
        enum gw_breaker_reason reason;
        bool closes_first, is_logged;
        enum gw_breaker_reason told;
    } rows[] = {
        { "a worker's connection ends", 100 * S, GW_BREAKER_LOST, true, true, GW_BREAKER_LOST },
        { "another is refused", 101 * S, GW_BREAKER_CONNECT, false, false, GW_BREAKER_CONNECT },
        { "a third waits in vain", 102 * S, GW_BREAKER_SILENT, false, false, GW_BREAKER_SILENT },
        { "it is back, and loads", 103 * S, GW_BREAKER_LOADING, false, true, GW_BREAKER_LOADING },
        { "and says so to each worker", 104 * S, GW_BREAKER_LOADING, false, false, GW_BREAKER_LOADING },
        { "one connection is reset meanwhile", 105 * S, GW_BREAKER_LOST, false, false, GW_BREAKER_LOADING },
        { "still loading", 106 * S, GW_BREAKER_LOADING, false, false, GW_BREAKER_LOADING },
        { "it has gone again", 112 * S, GW_BREAKER_CONNECT, false, false, GW_BREAKER_CONNECT },
        { "and still is, a minute after the last line", 163 * S, GW_BREAKER_CONNECT, false, true, GW_BREAKER_CONNECT },
        { "the password is wrong now", 164 * S, GW_BREAKER_AUTH, false, true, GW_BREAKER_AUTH },
        { "flapping", 165 * S, GW_BREAKER_CONNECT, true, false, GW_BREAKER_CONNECT },
        { "and again", 166 * S, GW_BREAKER_AUTH, true, false, GW_BREAKER_AUTH },
    };
    struct gw_breaker breaker;
    (void)state;
    gw_breaker_init(&breaker);
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        print_message("%s\n", rows[i].what);
        if (rows[i].closes_first)
            gw_breaker_close(&breaker);
        gw_breaker_open(&breaker, rows[i].reason, "", rows[i].at_us);
        assert_int_equal(atomic_load(&breaker.logged_at_us) == rows[i].at_us, rows[i].is_logged);
        assert_int_equal(atomic_load(&breaker.reason), rows[i].told);
    }
}

static void what_was_said_goes_with_its_reason(void **state)
{
    struct gw_breaker breaker;
    char said[GW_BREAKER_SAID_BYTES];
    (void)state;
    gw_breaker_init(&breaker);
    gw_breaker_copy_said(&breaker, false, said);
    assert_string_equal(said, "");
    gw_breaker_open(&breaker, GW_BREAKER_REFUSED, "ERR DB index is out of range", 1000000);
    gw_breaker_open(&breaker, GW_BREAKER_LOST, "", 1000001);
    gw_breaker_copy_said(&breaker, false, said);
    assert_string_equal(said, "ERR DB index is out of range");
    gw_breaker_open(&breaker, GW_BREAKER_CONNECT, "connection refused", 9000000);
    gw_breaker_copy_said(&breaker, false, said);
    assert_string_equal(said, "connection refused");
    gw_breaker_open(&breaker, GW_BREAKER_LOST, "", 9000001);
    gw_breaker_copy_said(&breaker, false, said);
    assert_string_equal(said, "connection refused");
    gw_breaker_tell_full(&breaker, "OOM command not allowed", 9000000);
    gw_breaker_copy_said(&breaker, true, said);
    assert_string_equal(said, "OOM command not allowed");
    assert_int_equal(atomic_load(&breaker.oom_at_us), 9000000);
}

static void *open_often(void *breaker)
{
    for (uint64_t i = 1; i <= 10000; i++)
        gw_breaker_open(breaker, GW_BREAKER_LOST, "", i);
    return NULL;
}

static void many_threads_that_open_it_at_once_open_it_once(void **state)
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
        cmocka_unit_test(one_cause_is_one_line),
        cmocka_unit_test(what_was_said_goes_with_its_reason),
        cmocka_unit_test(many_threads_that_open_it_at_once_open_it_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
