#include "unit/fetch/stored.h"

/* A stored response answers if the backend fails, and is refreshed while no request waits for it. Embedded mode. */

#define VALIDATORS "ETag: \"1\"\nLast-Modified: " STORED_DATE "\n"

/* ---- stale-if-error ---- */

static const struct failure {
    enum gw_error error; /* else status */
    int status;
} failures[] = { { GW_ERROR_CONNECT, 0 },          { GW_ERROR_RESET, 0 },
                 { GW_ERROR_RESPONSE_TIMEOUT, 0 }, { GW_ERROR_UPSTREAM_MALFORMED, 0 },
                 { GW_ERROR_NONE, 500 },           { GW_ERROR_NONE, 502 },
                 { GW_ERROR_NONE, 503 },           { GW_ERROR_NONE, 504 } };

static void meets(struct stage *stage, const struct failure *failure)
{
    if (failure->error) {
        fails(stage, failure->error);
        return;
    }
    says_head(stage, failure->status, "Cache-Control: max-age=60\n", 4);
    says_body(stage, 4);
    ends(stage);
}

static void where_the_backend_fails_what_is_stored_answers_each_reader_that_may_take_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < GW_COUNT(failures) * 2; i++) {
        const struct failure *failure = &failures[i / 2];
        struct stage *stage = set_up();
        struct listener one = new_listener(), two = new_listener(), three = new_listener();
        three.refuses_entries = true;
        stage->config.retries = 0;
        find_stored(stage, i % 2 ? VALIDATORS : "X-Other: 1\n"); /* validated or not */
        struct gw_entry *stored = stage->request.lead.stored;
        lead(stage, &one);
        join(stage, &two);
        join(stage, &three);
        meets(stage, failure);
        assert_heard(&one, "from_error", STORED_BYTES);
        assert_heard(&two, "from_error", STORED_BYTES);
        assert_heard(&three, "released", 0);
        assert_ptr_equal(one.entry, stored);
        assert_int_equal(one.reader.upstream_status, failure->status);
        assert_null(joinable(stage));
        assert_true(is_idle(stage));
        assert_memory_cache(stage, i % 2 ? MEMORY_CACHE_STALE
                                         : MEMORY_CACHE_NOTHING); /* without validators there is nothing to keep */
        assert_int_equal(gw_counter_read(&stage->shard.cache_revalidations_failed), 1);
        let_go(&one);
        let_go(&two);
        drop_stored(stage);
        tear_down(stage);
    }
}

static void also_a_request_that_may_not_be_stored_is_answered_so(void **state)
{
    (void)state;
    for (size_t i = 0; i < GW_COUNT(failures); i++) {
        struct stage *stage = set_up();
        struct listener one = new_listener();
        stage->config.retries = 0;
        find_stored(stage, VALIDATORS);
        stage->request.may_store = false;
        begin(stage, &one);
        meets(stage, &failures[i]);
        assert_heard(&one, "from_error", STORED_BYTES);
        let_go(&one);
        drop_stored(stage);
        tear_down(stage);
    }
}

static void a_reader_that_may_not_take_it_is_told_the_failure(void **state)
{
    (void)state;
    for (size_t i = 0; i < GW_COUNT(failures); i++) {
        const struct failure *failure = &failures[i];
        struct stage *stage = set_up();
        struct listener one = new_listener();
        char log[64];
        one.refuses_entries = true;
        stage->config.retries = 0;
        find_stored(stage, VALIDATORS);
        lead(stage, &one);
        meets(stage, failure);
        snprintf(log, sizeof log, "%d end", failure->status);
        assert_heard(&one, failure->error ? gw_error_name(failure->error) : log, failure->error ? 0 : 4);
        assert_null(joinable(stage));
        drop_stored(stage);
        tear_down(stage);
    }
}

static void a_second_backend_is_tried_before_what_is_stored_answers(void **state)
{
    (void)state;
    struct stage *stage = set_up();
    struct listener one = new_listener();
    find_stored(stage, VALIDATORS);
    lead(stage, &one);
    fails(stage, GW_ERROR_CONNECT);
    assert_heard(&one, "", 0);
    assert_int_equal(stage->attempt_count, 2);
    fails(stage, GW_ERROR_CONNECT);
    assert_heard(&one, "from_error", STORED_BYTES);
    let_go(&one);
    drop_stored(stage);
    tear_down(stage);
}

static void other_answers_are_answers(void **state)
{
    static const int statuses[] = { 200, 204, 400, 404, 410, 429, 501, 505, 599 };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(statuses); i++) {
        struct stage *stage = set_up();
        struct listener one = new_listener();
        char log[16];
        find_stored(stage, VALIDATORS);
        lead(stage, &one);
        says_head(stage, statuses[i], "", 0);
        ends(stage);
        snprintf(log, sizeof log, "%d end", statuses[i]);
        assert_heard(&one, log, 0);
        drop_stored(stage);
        tear_down(stage);
    }
}

static void an_answer_that_has_begun_is_cut_not_replaced(void **state)
{
    static const char *const answers[] = { "", "Cache-Control: no-store\n" };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(answers); i++) {
        struct stage *stage = set_up();
        struct listener one = new_listener();
        find_stored(stage, VALIDATORS);
        lead(stage, &one);
        says_head(stage, 200, answers[i], 100);
        says_body(stage, 10);
        end_of_read(stage);
        fails(stage, GW_ERROR_RESET);
        assert_heard(&one, "200 upstream_reset", 10);
        drop_stored(stage);
        tear_down(stage);
    }
}

/* The first reader has slept since before the head: the stored response may still answer it. A reader that has got the
 * head may not get the stored response. */
static void a_reader_that_streams_along_is_cut_also_where_the_first_may_take_what_is_stored(void **state)
{
    (void)state;
    struct stage *stage = set_up();
    struct listener one = new_listener(), two = new_listener();
    one.pauses_at = "interim";
    find_stored(stage, VALIDATORS);
    lead(stage, &one);
    join(stage, &two);
    says_interim(stage, 103);
    says_head(stage, 200, "", 100);
    says_body(stage, 40);
    end_of_read(stage);
    assert_heard(&two, "200", 40);
    fails(stage, GW_ERROR_RESET);
    assert_heard(&two, "200 upstream_reset", 40);
    if (!one.is_over)
        gw_fetch_resume(&one.reader);
    assert_true(one.is_over);
    let_go(&one);
    drop_stored(stage);
    tear_down(stage);
}

static void a_confirmation_that_breaks_off_is_none(void **state)
{
    (void)state;
    for (int may_take = 0; may_take < 2; may_take++) {
        struct stage *stage = set_up();
        struct listener one = new_listener();
        one.refuses_entries = !may_take;
        find_stored(stage, VALIDATORS);
        lead(stage, &one);
        says_head(stage, 304, "Cache-Control: max-age=60\n", 0);
        fails(stage, GW_ERROR_RESET);
        assert_heard(&one, may_take ? "from_error" : "upstream_reset", may_take ? STORED_BYTES : 0);
        assert_memory_cache(stage, MEMORY_CACHE_STALE);
        let_go(&one);
        drop_stored(stage);
        tear_down(stage);
    }
}

/* ---- refreshes ---- */

static void a_refresh_stores_and_ends(void **state)
{
    static const struct {
        int status;
        const char *fields;
        size_t body_bytes;
        uint64_t confirmed;
    } rows[] = { { 304, "Cache-Control: max-age=60\n", 0, 1 }, { 200, "Cache-Control: max-age=60\n", 50, 0 } };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct stage *stage = set_up();
        size_t stored, expected = rows[i].status == 304 ? STORED_BYTES : rows[i].body_bytes;
        find_stored(stage, VALIDATORS);
        refresh(stage);
        assert_non_null(strstr(last_attempt(stage)->fields, "If-None-Match: \"1\"\r\n"));
        says_head(stage, rows[i].status, rows[i].fields, (long)rows[i].body_bytes);
        if (rows[i].body_bytes)
            says_body(stage, rows[i].body_bytes);
        end_of_read(stage);
        ends(stage);
        assert_true(is_idle(stage));
        assert_null(joinable(stage));
        assert_int_equal(memory_cache_has(stage, &stored), MEMORY_CACHE_FRESH);
        assert_int_equal(stored, expected);
        assert_int_equal(gw_counter_read(&stage->shard.cache_stored), 1);
        assert_int_equal(gw_counter_read(&stage->shard.cache_revalidations_confirmed), rows[i].confirmed);
        drop_stored(stage);
        tear_down(stage);
    }
}

static void a_refresh_that_meets_a_failing_backend_leaves_what_is_stored(void **state)
{
    (void)state;
    for (size_t i = 0; i < GW_COUNT(failures); i++) {
        struct stage *stage = set_up();
        size_t stored;
        stage->config.retries = 0;
        find_stored(stage, VALIDATORS);
        refresh(stage);
        if (failures[i].error)
            fails(stage, failures[i].error);
        else
            says_head(stage, failures[i].status, "Cache-Control: max-age=60\n", 4);
        assert_int_equal(last_attempt(stage)->cancelled, !failures[i].error);
        assert_true(is_idle(stage));
        assert_null(joinable(stage));
        assert_int_equal(memory_cache_has(stage, &stored), MEMORY_CACHE_STALE);
        assert_int_equal(stored, STORED_BYTES);
        assert_int_equal(gw_counter_read(&stage->shard.cache_stored), 0);
        drop_stored(stage);
        tear_down(stage);
    }
}

static void a_reader_that_joined_a_refresh_tries_alone(void **state)
{
    (void)state;
    struct stage *stage = set_up();
    struct listener one = new_listener(), two = new_listener();
    find_stored(stage, VALIDATORS);
    refresh(stage);
    join(stage, &one);
    join(stage, &two);
    says_head(stage, 503, "", 4);
    assert_true(is_idle(stage));
    assert_heard(&one, "released", 0);
    assert_heard(&two, "released", 0);
    assert_null(one.reader.fetch);
    assert_null(two.reader.fetch);
    drop_stored(stage);
    tear_down(stage);
}

static void a_refresh_that_is_answered_for_no_other_request_ends_what_is_stored(void **state)
{
    (void)state;
    struct stage *stage = set_up();
    find_stored(stage, VALIDATORS);
    refresh(stage);
    says_head(stage, 200, "Cache-Control: private\n", 100);
    assert_true(last_attempt(stage)->cancelled);
    assert_true(is_idle(stage));
    assert_memory_cache(stage, MEMORY_CACHE_MARK);
    drop_stored(stage);
    tear_down(stage);
}

static void a_refresh_is_tried_again_and_may_be_joined(void **state)
{
    (void)state;
    for (int leads = 0; leads < 2; leads++) {
        struct stage *stage = set_up();
        struct listener one = new_listener();
        find_stored(stage, VALIDATORS);
        if (leads) {
            refresh(stage);
            join(stage, &one);
        } else {
            stage->request.lead.coalesced = NULL;
            assert_int_equal(gw_fetch_begin(&stage->fetcher, &stage->request, NULL), GW_ERROR_NONE);
        }
        fails(stage, GW_ERROR_CONNECT);
        assert_int_equal(stage->attempt_count, 2);
        says_head(stage, 304, "Cache-Control: max-age=60\n", 0);
        ends(stage);
        assert_heard(&one, leads ? "from_validated" : "", leads ? STORED_BYTES : 0);
        assert_memory_cache(stage, MEMORY_CACHE_FRESH);
        let_go(&one);
        drop_stored(stage);
        tear_down(stage);
    }
}

static void a_refresh_that_cannot_begin_leaves_the_lead_to_its_caller(void **state)
{
    (void)state;
    struct stage *stage = set_up();
    struct gw_coalescing_ask ask;
    find_stored(stage, VALIDATORS);
    assert_int_equal(enter(stage, &ask), GW_COALESCING_LEAD);
    stage->request.lead.coalesced = ask.coalesced;
    stage->begin_error = GW_ERROR_UPSTREAM_BUSY;
    assert_int_equal(gw_fetch_begin(&stage->fetcher, &stage->request, NULL), GW_ERROR_UPSTREAM_BUSY);
    gw_coalescing_finish(&ask.coalesced);
    assert_int_equal(atomic_load(&stage->request.lead.stored->refs), 2); /* the request's, and the memory cache's */
    drop_stored(stage);
    tear_down(stage);
}

static void a_drain_ends_a_refresh(void **state)
{
    (void)state;
    struct stage *stage = set_up();
    find_stored(stage, VALIDATORS);
    refresh(stage);
    gw_fetcher_cancel_unread(&stage->fetcher);
    assert_true(last_attempt(stage)->cancelled);
    assert_true(is_idle(stage));
    assert_null(joinable(stage));
    drop_stored(stage);
    tear_down(stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_the_backend_fails_what_is_stored_answers_each_reader_that_may_take_it),
        cmocka_unit_test(also_a_request_that_may_not_be_stored_is_answered_so),
        cmocka_unit_test(a_reader_that_may_not_take_it_is_told_the_failure),
        cmocka_unit_test(a_second_backend_is_tried_before_what_is_stored_answers),
        cmocka_unit_test(other_answers_are_answers),
        cmocka_unit_test(an_answer_that_has_begun_is_cut_not_replaced),
        cmocka_unit_test(a_reader_that_streams_along_is_cut_also_where_the_first_may_take_what_is_stored),
        cmocka_unit_test(a_confirmation_that_breaks_off_is_none),
        cmocka_unit_test(a_refresh_stores_and_ends),
        cmocka_unit_test(a_refresh_that_meets_a_failing_backend_leaves_what_is_stored),
        cmocka_unit_test(a_reader_that_joined_a_refresh_tries_alone),
        cmocka_unit_test(a_refresh_that_is_answered_for_no_other_request_ends_what_is_stored),
        cmocka_unit_test(a_refresh_is_tried_again_and_may_be_joined),
        cmocka_unit_test(a_refresh_that_cannot_begin_leaves_the_lead_to_its_caller),
        cmocka_unit_test(a_drain_ends_a_refresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
