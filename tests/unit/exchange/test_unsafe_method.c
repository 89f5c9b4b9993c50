#include "unit/exchange/played_fetch.h"

/* What a successful unsafe method ends, and for how long its answer waits (RFC 9111 §4.4). */

static const struct gw_filter *const filters[] = { NULL };

static int set_up(void **state)
{
    played_fetch = (struct gw_fetch) { .reader = NULL };
    *state = open_stage(NULL, filters);
    open_cache(*state);
    return 0;
}

static int tear_down(void **state)
{
    close_stage(*state);
    return 0;
}

static void asks_with_identity(struct stage *stage, const char *method)
{
    struct gw_exchange *exchange = arrives(stage, "192.0.2.1", method, "/dir/a", "Host: a.example");
    exchange->identity.scheme = GW_SLICE("http");
    exchange->identity.host = GW_SLICE("a.example");
    gw_exchange_begin(exchange);
}

static void only_what_succeeded_and_is_not_known_as_safe_ends_what_is_stored(void **state)
{
    static const struct {
        const char *method;
        int status;
        bool ends;
    } rows[] = {
        { "POST", 200, true },  { "POST", 399, true },  { "POST", 400, false },     { "POST", 404, false },
        { "POST", 500, false }, { "PURGE", 204, true }, { "PROPFIND", 207, false }, { "OPTIONS", 200, false },
    };
    struct stage *stage = *state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        asks_with_identity(stage, rows[i].method);
        tells_head(stage, rows[i].status, "", 0);
        assert_int_equal(stage->exchange->state, rows[i].ends ? GW_EXCHANGE_SETTLING : GW_EXCHANGE_HOLDING);
        assert_int_equal(stage->exchange->invalidation.due, rows[i].ends);
        played_answer_all(&stage->store);
        tells_end();
        assert_int_equal(status(stage), rows[i].status);
    }
}

static void what_the_answer_names_within_the_same_origin_ends_too(void **state)
{
    static const struct {
        const char *fields;
        unsigned tombstones;
    } rows[] = {
        { "", 1 },
        { "Location: /b", 2 },
        { "Location: b\nContent-Location: http://a.example/c", 3 },
        { "Location: http://b.example/b", 1 },
        { "Location: http://a.example:81/b", 1 },
        { "Location: /b\nLocation: /c", 1 }, /* two say nothing that is certain */
        { "Location: http://[", 1 },
    };
    struct stage *stage = *state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        asks_with_identity(stage, "POST");
        tells_head(stage, 201, rows[i].fields, 0);
        assert_int_equal(stage->exchange->invalidation.due, rows[i].tombstones);
        played_answer_all(&stage->store);
        tells_end();
        assert_int_equal(status(stage), 201);
    }
}

static void the_answer_waits_for_the_last_of_several_tombstones(void **state)
{
    struct stage *stage = *state;
    asks_with_identity(stage, "POST");
    tells_head(stage, 201, "Location: /b\nContent-Location: /c", 0);
    assert_int_equal(stage->exchange->invalidation.due, 3);
    for (unsigned i = 0; stage->exchange->invalidation.due; i++) {
        assert_int_equal(stage->exchange->state, GW_EXCHANGE_SETTLING);
        played_answer(&stage->store, &stage->store.calls[i]);
    }
    assert_int_equal(stage->exchange->state, GW_EXCHANGE_ANSWERING);
    tells_end();
    assert_int_equal(status(stage), 201);
}

/* The backend broke off meanwhile, and the client is slow to take the error: the tombstone is not this answer's any
 * more. */
static void a_tombstone_that_is_late_does_no_harm_to_an_error(void **state)
{
    struct stage *stage = *state;
    stage->client.is_slow = true;
    asks_with_identity(stage, "POST");
    tells_head(stage, 200, "", 100);
    tells_fail(GW_ERROR_RESET);
    assert_int_equal(stage->exchange->state, GW_EXCHANGE_ANSWERING);
    played_answer_all(&stage->store);
    assert_int_equal(stage->exchange->state, GW_EXCHANGE_ANSWERING);
    stage->client.is_slow = false;
    gw_exchange_on_writable(stage->exchange);
    assert_int_equal(status(stage), 502);
    assert_int_equal(stage->client.end, GW_DOWNSTREAM_WHOLE);
}

#define UNSAFE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNSAFE_TEST(only_what_succeeded_and_is_not_known_as_safe_ends_what_is_stored),
        UNSAFE_TEST(what_the_answer_names_within_the_same_origin_ends_too),
        UNSAFE_TEST(the_answer_waits_for_the_last_of_several_tombstones),
        UNSAFE_TEST(a_tombstone_that_is_late_does_no_harm_to_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
