#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include "upstream/registry.h"

/* Three backends of two routes; the first and the last are the same server. */
static struct gw_backend backends[] = { { .url = { "http://a:1", 10 }, .index = 0 },
                                        { .url = { "http://b:1", 10 }, .index = 1 },
                                        { .url = { "http://a:1", 10 }, .index = 2 } };
static struct gw_backend *by_index[] = { &backends[0], &backends[1], &backends[2] };
static struct gw_config config;

static int set_up(void **state)
{
    config.backends = by_index;
    config.backend_count = 3;
    config.route_count = 2;
    struct gw_registry *registry = gw_registry_create(&config);
    assert_non_null(registry);
    *state = registry;
    return 0;
}

static int tear_down(void **state)
{
    struct gw_registry *registry = *state;
    gw_registry_destroy(&registry);
    assert_null(registry);
    return 0;
}

static void the_last_attempt_decides_whether_a_backend_is_up(void **state)
{
    static const struct row {
        bool answered;
        int state;
        uint64_t failures;
    } rows[] = { { true, GW_BACKEND_UP, 0 },
                 { false, GW_BACKEND_DOWN, 1 },
                 { false, GW_BACKEND_DOWN, 2 },
                 { true, GW_BACKEND_UP, 2 } };
    struct gw_registry *registry = *state;
    struct gw_backend_record *record = gw_registry_record(registry, 1);
    assert_int_equal(record->state, GW_BACKEND_UNKNOWN);
    assert_int_equal(record->last_change_us, 0);
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        gw_registry_note(registry, 1, rows[i].answered);
        assert_int_equal(record->state, rows[i].state);
        assert_int_equal(record->requests, i + 1);
        assert_int_equal(record->failures, rows[i].failures);
        assert_true(record->last_change_us > 0);
    }
    assert_int_equal(gw_registry_record(registry, 0)->state, GW_BACKEND_UNKNOWN);
}

static void a_failure_is_told_for_a_minute(void **state)
{
    enum { MINUTE_US = 60 * 1000 * 1000 };
    struct gw_registry *registry = *state;
    struct gw_backend_record *record = gw_registry_record(registry, 1);
    assert_int_equal(gw_registry_state(NULL, 5), GW_BACKEND_UNKNOWN);
    gw_registry_note(registry, 1, false);
    uint64_t failed_at_us = record->failed_at_us;
    assert_true(failed_at_us > 0);
    assert_int_equal(gw_registry_state(record, failed_at_us + MINUTE_US), GW_BACKEND_DOWN);
    assert_int_equal(gw_registry_state(record, failed_at_us + MINUTE_US + 1), GW_BACKEND_UNKNOWN);
    gw_registry_note(registry, 1, true);
    assert_int_equal(gw_registry_state(record, failed_at_us + UINT64_C(3600) * MINUTE_US), GW_BACKEND_UP);
}

static void only_a_change_moves_the_instant_of_the_last_change(void **state)
{
    struct gw_registry *registry = *state;
    struct gw_backend_record *record = gw_registry_record(registry, 0);
    gw_registry_note(registry, 0, true);
    record->last_change_us = 5;
    gw_registry_note(registry, 0, true);
    assert_int_equal(record->last_change_us, 5);
    gw_registry_note(registry, 0, false);
    assert_true(record->last_change_us > 5);
}

static void one_url_is_one_record(void **state)
{
    struct gw_registry *registry = *state;
    assert_ptr_equal(gw_registry_record(registry, 0), gw_registry_record(registry, 2));
    assert_ptr_not_equal(gw_registry_record(registry, 0), gw_registry_record(registry, 1));
    assert_true(gw_registry_is_first(registry, 0));
    assert_true(gw_registry_is_first(registry, 1));
    assert_false(gw_registry_is_first(registry, 2));
}

static void an_index_beyond_the_configuration_is_no_backend(void **state)
{
    struct gw_registry *registry = *state;
    assert_null(gw_registry_record(registry, 3));
    assert_false(gw_registry_is_first(registry, 3));
    gw_registry_note(registry, 3, false);
}

enum { ATTEMPTS = 20000 };

static void *note_many(void *registry)
{
    for (unsigned i = 0; i < ATTEMPTS; i++)
        gw_registry_note(registry, 0, i % 2);
    return NULL;
}

static void two_workers_lose_no_count(void **state)
{
    pthread_t threads[2];
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, note_many, *state), 0);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    struct gw_backend_record *record = gw_registry_record(*state, 2);
    assert_int_equal(record->requests, 2 * ATTEMPTS);
    assert_int_equal(record->failures, ATTEMPTS);
}

static void each_route_has_a_turn_of_its_own(void **state)
{
    for (unsigned i = 0; i < 6; i++)
        for (unsigned route = 0; route < config.route_count; route++)
            assert_int_equal(gw_registry_take_turn(*state, route), route + i);
}

static void *take_many(void *registry)
{
    for (unsigned i = 0; i < ATTEMPTS; i++)
        (void)gw_registry_take_turn(registry, 1);
    return NULL;
}

static void two_workers_never_take_the_same_turn(void **state)
{
    pthread_t threads[2];
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_many, *state), 0);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(gw_registry_take_turn(*state, 1), 1 + 2 * ATTEMPTS);
}

#define with_registry(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_registry(the_last_attempt_decides_whether_a_backend_is_up),
        with_registry(a_failure_is_told_for_a_minute),
        with_registry(only_a_change_moves_the_instant_of_the_last_change),
        with_registry(one_url_is_one_record),
        with_registry(an_index_beyond_the_configuration_is_no_backend),
        with_registry(two_workers_lose_no_count),
        with_registry(each_route_has_a_turn_of_its_own),
        with_registry(two_workers_never_take_the_same_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
