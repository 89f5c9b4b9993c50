#include "unit/exchange/played_fetch.h"

#include "filter/table.h"

/* May it pass? The limiter is the real one; Redis is played: it answers the script with the numbers of a bucket. */

static const struct gw_filter *const filters[] = { &gw_filter_identify, &gw_filter_limit, NULL };

static struct stage *open_with(const char *json)
{
    played_fetch = (struct gw_fetch) { .reader = NULL };
    struct stage *stage = open_stage(json, filters);
    stage->context.limits = (struct gw_limit_asker) { .limiter = gw_limiter_create(stage->config),
                                                      .config = stage->config };
    assert_non_null(stage->context.limits.limiter);
    return stage;
}

static void close_with(struct stage *stage)
{
    struct gw_limiter *limiter = stage->context.limits.limiter;
    close_stage(stage);
    gw_limiter_destroy(&limiter);
}

/* The backend answers what has passed. */
static void passed(struct stage *stage, const char *fields)
{
    assert_int_equal(stage->exchange->state, GW_EXCHANGE_FETCHING);
    tells_head(stage, 200, fields, 0);
    tells_end();
}

#define ONE_AN_HOUR "{\"limits\": {\"rate\": \"1/h\", \"burst\": 2}}"

static void what_exceeds_the_limit_is_refused_and_told_when_to_come_again(void **state)
{
    struct stage *stage = open_with(ONE_AN_HOUR);
    (void)state;
    for (unsigned left = 2; left--;) {
        asks(stage, "GET", "/", "");
        passed(stage, "");
        assert_int_equal(status(stage), 200);
        assert_int_equal(field(stage, "X-RateLimit-Remaining")[0], '0' + (char)left);
    }
    asks(stage, "GET", "/", "");
    assert_int_equal(status(stage), 429);
    assert_string_equal(field(stage, "Retry-After"), "3600");
    assert_non_null(strstr(body(stage), "quota-exceeded"));
    assert_int_equal(played_fetch.begun, 2);
    assert_int_equal(gw_counter_read(&stage->context.shard->limit[GW_LIMIT_LABEL_REFUSED]), 1);
    close_with(stage);
}

/* "post" is another method than POST, but frameworks read it as POST. */
static void a_method_counts_however_it_is_written(void **state)
{
    static const char *const methods[] = { "POST", "post", "Post" };
    struct stage *stage = open_with(
        "{\"limits\": {\"rate\": \"off\", \"policies\": [{\"name\": \"posts\", \"rate\": \"1/h\", "
        "\"burst\": 1, \"methods\": [\"POST\"]}]}}");
    (void)state;
    for (size_t i = 0; i < GW_COUNT(methods); i++) {
        asks(stage, methods[i], "/", "");
        if (i == 0)
            passed(stage, "");
        assert_int_equal(status(stage), i == 0 ? 200 : 429);
    }
    asks(stage, "GET", "/", "");
    passed(stage, "");
    assert_null(field(stage, "X-RateLimit-Remaining"));
    close_with(stage);
}

/* Fields of a backend that hold one value would contradict ours; its lists may go with ours. */
static void a_backends_own_limit_is_told_beside_ours_or_alone(void **state)
{
    static const struct {
        int code;
        const char *fields;
        unsigned remainings, lists; /* how many are told */
        bool is_ours;
    } rows[] = {
        { 200, "X-RateLimit-Remaining: 7", 1, 1, true },
        { 200, "RateLimit: \"theirs\";r=7\nRateLimit-Policy: \"theirs\";q=9", 1, 2, true },
        { 200, "RateLimit: \"default\";r=7\nRateLimit-Policy: \"default\";q=9", 1, 1, true }, /* the same name */
        { 200, "RateLimit: not a list;;", 1, 1, true },
        { 429, "X-RateLimit-Remaining: 0", 1, 0, false }, /* its own refusal, in its own words alone */
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct stage *stage = open_with(ONE_AN_HOUR);
        asks(stage, "GET", "/", "");
        tells_head(stage, rows[i].code, rows[i].fields, 0);
        tells_end();
        assert_int_equal(field_count(stage, "X-RateLimit-Remaining"), rows[i].remainings);
        assert_int_equal(field_count(stage, "RateLimit"), rows[i].lists);
        assert_string_equal(field(stage, "X-RateLimit-Remaining"), rows[i].is_ours ? "1" : "0");
        close_with(stage);
    }
}

/* What Redis says, or by each policy's on_redis_failure where it says nothing in time. */
static void over_redis_its_answer_decides_or_the_deadline(void **state)
{
    static const int64_t allows[] = { 1, 1, 0, 1000000 }, refuses[] = { 0, 0, 1500000, 2000000 };
    static const struct {
        const char *on_failure;
        const int64_t *bucket; /* NULL: Redis is silent */
        bool is_up;
        int status; /* 0: it passes */
        const char *retry_after;
    } rows[] = {
        { "local", allows, true, 0, NULL }, { "local", refuses, true, 429, "2" }, { "local", NULL, true, 0, NULL },
        { "local", NULL, false, 0, NULL },  { "allow", NULL, true, 0, NULL },     { "deny", NULL, true, 503, "1" },
        { "deny", NULL, false, 503, "1" },  { "deny", allows, true, 0, NULL },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        char json[256];
        snprintf(json, sizeof json, "{\"limits\": {\"rate\": \"1/s\", \"burst\": 2, \"on_redis_failure\": \"%s\"}}",
                 rows[i].on_failure);
        struct stage *stage = open_with(json);
        stage->context.limits.store = &stage->store;
        stage->store.is_up = rows[i].is_up;
        stage->store.bucket = rows[i].bucket ? rows[i].bucket : allows;
        asks(stage, "GET", "/", "");
        if (rows[i].is_up) {
            assert_int_equal(stage->exchange->state, GW_EXCHANGE_WAITING);
            if (rows[i].bucket)
                played_answer_all(&stage->store);
            else
                passes(stage, stage->config->redis_timeout_ms);
        }
        assert_int_equal(status(stage), rows[i].status);
        if (!rows[i].status)
            passed(stage, "");
        else
            assert_string_equal(field(stage, "Retry-After"), rows[i].retry_after);
        assert_int_equal(gw_counter_read(&stage->context.shard->limit_local), !rows[i].bucket);
        put_exchange(stage);
        played_lose_all(&stage->store); /* what was given up is settled as it comes */
        close_with(stage);
    }
}

/* The answer that comes later finds nobody, and nothing of the request that was in the same memory. */
static void a_client_that_leaves_takes_back_its_question(void **state)
{
    static const int64_t refuses[] = { 0, 0, 1500000, 2000000 };
    struct stage *stage = open_with("{\"limits\": {\"rate\": \"1/s\", \"burst\": 2}}");
    (void)state;
    stage->context.limits.store = &stage->store;
    stage->store.bucket = refuses;
    asks(stage, "GET", "/", "");
    assert_int_equal(stage->exchange->state, GW_EXCHANGE_WAITING);
    gw_exchange_on_gone(stage->exchange, GW_ERROR_CLIENT_GONE);
    assert_true(stage->client.is_done);
    put_exchange(stage);
    played_answer_all(&stage->store);
    close_with(stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_exceeds_the_limit_is_refused_and_told_when_to_come_again),
        cmocka_unit_test(a_method_counts_however_it_is_written),
        cmocka_unit_test(a_backends_own_limit_is_told_beside_ours_or_alone),
        cmocka_unit_test(a_client_that_leaves_takes_back_its_question),
        cmocka_unit_test(over_redis_its_answer_decides_or_the_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
