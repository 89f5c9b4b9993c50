#include "unit/exchange/stage.h"

#include "filter/table.h"

/* The filter of CONTRIBUTING, "Add a filter that asks": known_key.c is that page's text, letter for letter
 * (tests/integration/test_contributing.py). Its rows of base/error.h are not in the tree, others stand for them. */
#define GW_ERROR_API_KEY           GW_ERROR_NOT_FOUND
#define GW_ERROR_API_KEY_UNCHECKED GW_ERROR_OVERLOADED
extern const struct gw_filter gw_filter_known_key;
#include "unit/filter/known_key.c"

/* SHA-256 of "secret". */
#define SECRET "gw:api-key:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"

static enum gw_filter_result answer_as_backend(struct gw_exchange *exchange)
{
    gw_exchange_answer(exchange, 200, GW_SLICE("text/plain"), GW_SLICE("backend"));
    return GW_FILTER_ANSWERED;
}

static const struct gw_filter backend = { .name = "backend", .before_fetch = answer_as_backend };
static const struct gw_filter *const filters[] = { &gw_filter_identify, &gw_filter_known_key, &backend, NULL };

static int set_up(void **state)
{
    struct stage *stage = open_stage(NULL, filters);
    static const struct played_bytes there = { 1, "1" };
    stage->context.limit_store = &stage->store;
    stage->context.keys = gw_key_maker_create();
    assert_non_null(stage->context.keys);
    played_put(&stage->store, SECRET, &there, -1);
    *state = stage;
    return 0;
}

static int tear_down(void **state)
{
    struct stage *stage = *state;
    close_stage(stage);
    return 0;
}

static void only_who_has_a_known_key_reaches_the_backend(void **state)
{
    static const struct {
        const char *fields;
        bool is_asked;
        int status;
    } rows[] = {
        { "", false, 404 },          { "X-Api-Key: secret", true, 200 }, { "X-Api-Key: Secret", true, 404 },
        { "X-Api-Key:", true, 404 }, { "x-api-key: secret", true, 200 },
    };
    struct stage *stage = *state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        asks(stage, "GET", "/", rows[i].fields);
        assert_int_equal(played_due(&stage->store), rows[i].is_asked);
        assert_int_equal(status(stage), rows[i].is_asked ? 0 : rows[i].status);
        played_answer_all(&stage->store);
        assert_int_equal(status(stage), rows[i].status);
    }
}

static void a_key_that_could_not_be_checked_is_no_known_one(void **state)
{
    struct stage *stage = *state;
    asks(stage, "GET", "/", "X-Api-Key: secret"); /* Redis is silent */
    passes(stage, stage->config->redis_timeout_ms);
    assert_int_equal(status(stage), 503);
    played_answer_all(&stage->store);             /* too late */
    asks(stage, "GET", "/", "X-Api-Key: secret"); /* the call is lost */
    stage->store.fails_with = GW_STORE_LOST;
    played_answer_all(&stage->store);
    assert_int_equal(status(stage), 503);
    stage->store.is_up = false; /* and away */
    asks(stage, "GET", "/", "X-Api-Key: secret");
    assert_int_equal(status(stage), 503);
    stage->context.limit_store = NULL; /* there is none */
    asks(stage, "GET", "/", "X-Api-Key: secret");
    assert_int_equal(status(stage), 503);
}

static void a_client_that_leaves_lets_the_call_go(void **state)
{
    struct stage *stage = *state;
    asks(stage, "GET", "/", "X-Api-Key: secret");
    gw_exchange_on_gone(stage->exchange, GW_ERROR_CLIENT_GONE);
    assert_true(stage->client.is_done);
    assert_int_equal(played_due(&stage->store), 1);
    put_exchange(stage);
    played_answer_all(&stage->store);
}

#define KEY_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        KEY_TEST(only_who_has_a_known_key_reaches_the_backend),
        KEY_TEST(a_key_that_could_not_be_checked_is_no_known_one),
        KEY_TEST(a_client_that_leaves_lets_the_call_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
