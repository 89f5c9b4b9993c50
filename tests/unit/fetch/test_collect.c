#include "unit/fetch/stage.h"
#include "fetch/state.h"

/* Answers that may be stored: collected, shared, stored or given up. */

struct shape { /* of an answer */
    long length;
    size_t body_bytes;
};
static const struct shape shapes[] = { { 30000, 30000 }, { CHUNKED, 30000 },         { UNTIL_CLOSE, 30000 }, { 0, 0 },
                                       { CHUNKED, 0 },   { MAX_OBJECT, MAX_OBJECT }, { CHUNKED, MAX_OBJECT } };

static void an_answer_that_may_be_stored_is_told_and_stored(void **state)
{
    (void)state;
    for (size_t i = 0; i < GW_COUNT(shapes); i++) {
        struct stage *stage = set_up();
        struct listener one = new_listener();
        lead(stage, &one);
        says_head(stage, 200, "Cache-Control: max-age=60\n", shapes[i].length);
        assert_true(gw_fetch_is_collecting(one.reader.fetch));
        end_of_read(stage);
        assert_heard(&one, "200", 0);
        says_all(stage, shapes[i].body_bytes);
        assert_heard(&one, "200", shapes[i].body_bytes); /* streamed along */
        if (shapes[i].body_bytes)
            assert_non_null(one.last_block);
        assert_not_stored(stage);
        ends(stage);
        assert_heard(&one, "200 end", shapes[i].body_bytes);
        assert_stored(stage, shapes[i].body_bytes);
        assert_null(joinable(stage));
        assert_int_equal(gw_counter_read(&stage->shard.cache_stored), 1);
        assert_not_stored_since(stage, GW_CACHE_STORABLE, 0);
        tear_down(stage);
    }
}

static void a_slow_reader_does_not_slow_a_collected_answer(void **state)
{
    static const char *const when[] = { "head", "body", "flush" };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(shapes) * GW_COUNT(when); i++) {
        const struct shape *shape = &shapes[i / GW_COUNT(when)];
        struct stage *stage = set_up();
        struct listener one = new_listener();
        one.pauses_at = when[i % GW_COUNT(when)];
        lead(stage, &one);
        says_head(stage, 200, "", shape->length);
        end_of_read(stage);
        says_all(stage, shape->body_bytes);
        assert_false(last_attempt(stage)->paused);
        ends(stage);
        assert_stored(stage, shape->body_bytes);
        for (unsigned turns = 0; !one.is_over; turns++) {
            assert_true(turns < 100);
            gw_fetch_resume(&one.reader);
        }
        assert_heard(&one, "200 end", shape->body_bytes);
        tear_down(stage);
    }
}

/* ---- shared ---- */

static void readers_that_joined_stream_along_where_the_length_is_known(void **state)
{
    (void)state;
    struct stage *stage = set_up();
    struct listener one = new_listener(), two = new_listener(), three = new_listener();
    lead(stage, &one);
    join(stage, &two);
    says_interim(stage, 103);
    says_head(stage, 200, "", 20000);
    says_body(stage, 8000);
    end_of_read(stage);
    assert_heard(&one, "103 200", 8000);
    assert_heard(&two, "200", 8000); /* readers that joined get no interim answers */
    join(stage, &three);             /* late: gets the head and all pieces so far */
    assert_heard(&three, "200", 8000);
    assert_true(one.reader.is_first && !two.reader.is_first);
    says_body(stage, 12000);
    ends(stage);
    assert_heard(&one, "103 200 end", 20000);
    assert_heard(&two, "200 end", 20000);
    assert_heard(&three, "200 end", 20000);
    assert_ptr_equal(one.last_block, two.last_block);
    assert_non_null(one.reader.backend);
    assert_null(two.reader.backend); /* this reader did not cause the request */
    assert_int_equal(stage->attempt_count, 1);
    tear_down(stage);
}

static void readers_that_joined_hold_their_status_where_the_length_is_not_known(void **state)
{
    (void)state;
    struct stage *stage = set_up();
    struct listener one = new_listener(), two = new_listener(), three = new_listener();
    lead(stage, &one);
    join(stage, &two);
    says_head(stage, 200, "", CHUNKED);
    says_body(stage, 8000);
    end_of_read(stage);
    join(stage, &three);
    assert_heard(&one, "200", 8000);
    assert_heard(&two, "", 0);
    assert_heard(&three, "", 0);
    says_body(stage, 100);
    ends(stage);
    assert_heard(&one, "200 end", 8100);
    assert_heard(&two, "200 end", 8100);
    assert_heard(&three, "200 end", 8100);
    tear_down(stage);
}

static void a_reader_that_joined_and_did_not_begin_hears_nothing_until_it_does(void **state)
{
    (void)state;
    struct stage *stage = set_up();
    struct listener one = new_listener(), two = new_listener();
    lead(stage, &one);
    assert_true(gw_fetch_join(joinable(stage), &two.reader));
    says_head(stage, 200, "", 100);
    says_body(stage, 100);
    ends(stage);
    assert_heard(&one, "200 end", 100);
    assert_heard(&two, "", 0);
    gw_fetch_resume(&two.reader); /* the fetch waited for this reader */
    assert_heard(&two, "200 end", 100);
    tear_down(stage);
}

static void no_reader_joins_a_fetch_that_passes_or_is_over(void **state)
{
    (void)state;
    struct stage *stage = set_up();
    struct listener one = new_listener(), two = new_listener(), three = new_listener();
    lead(stage, &one);
    struct gw_fetch *fetch = joinable(stage);
    says_head(stage, 200, "Cache-Control: no-store\n", 100);
    assert_null(joinable(stage));
    assert_false(gw_fetch_join(fetch, &two.reader));
    assert_null(two.reader.fetch);
    ends(stage);
    lead(stage, &two);
    fetch = joinable(stage);
    two.pauses_at = "head";
    says_head(stage, 200, "", 1);
    says_body(stage, 1);
    ends(stage);
    assert_heard(&two, "200", 0);
    assert_null(joinable(stage));
    assert_false(gw_fetch_join(fetch, &three.reader)); /* complete; only the slow reader still reads */
    gw_fetch_resume(&two.reader);
    assert_heard(&two, "200 end", 1);
    tear_down(stage);
}

static void the_leader_may_leave_and_the_answer_still_comes_and_is_stored(void **state)
{
    (void)state;
    for (int stop = 0; stop < 4; stop++) {
        for (int others = 0; others < 2; others++) {
            struct stage *stage = set_up();
            struct listener one = new_listener(), two = new_listener();
            lead(stage, &one);
            if (others)
                join(stage, &two);
            if (stop == 0)
                gw_fetch_leave(&one.reader);
            if (stop == 0 && !others) { /* no reader waits, and no part of the answer has come */
                assert_true(last_attempt(stage)->cancelled);
                assert_not_stored(stage);
                tear_down(stage);
                continue;
            }
            says_head(stage, 200, "", CHUNKED);
            if (stop == 1)
                gw_fetch_leave(&one.reader);
            end_of_read(stage);
            says_body(stage, 3000);
            if (stop == 2)
                gw_fetch_leave(&one.reader);
            end_of_read(stage);
            if (stop == 3)
                gw_fetch_leave(&one.reader);
            assert_true(last_attempt(stage)->runs);
            ends(stage);
            if (others)
                assert_heard(&two, "200 end", 3000);
            assert_stored(stage, 3000);
            tear_down(stage);
        }
    }
}

static void a_request_that_may_be_stored_but_leads_nothing_ends_with_its_reader_before_the_head(void **state)
{
    (void)state;
    struct stage *stage = set_up();
    struct listener one = new_listener(), two = new_listener();
    may_be_stored(stage);
    begin(stage, &one);
    gw_fetch_leave(&one.reader);
    assert_true(last_attempt(stage)->cancelled);
    begin(stage, &two);
    says_head(stage, 200, "", 10); /* an answer that has begun to come is kept */
    gw_fetch_leave(&two.reader);
    says_body(stage, 10);
    ends(stage);
    assert_stored(stage, 10);
    tear_down(stage);
}

static void a_reader_that_joined_before_a_purge_was_heard_of_is_released_and_the_first_is_answered(void **state)
{
    (void)state;
    for (unsigned length = 0; length < 2; length++) {
        struct stage *stage = set_up();
        struct listener one = new_listener(), two = new_listener();
        const struct gw_ban ban = { .kind = GW_BAN_PREFIX, .text = GW_SLICE("/elsewhere") };
        struct gw_bans *bans = stage->fetcher.bans = gw_bans_create();
        assert_true(gw_bans_add(bans, &ban, 1000)); /* before the backend is asked: the ban has no effect */
        lead(stage, &one);
        join(stage, &two);
        assert_true(gw_bans_add(bans, &ban, 2000));
        says_head(stage, 200, "Cache-Control: max-age=60\n", length ? 100 : CHUNKED);
        assert_heard(&two, "released", 0); /* the reader's request may have come after the purge, on another instance */
        assert_true(two.reader.may_share_another);
        says_body(stage, 100);
        ends(stage);
        assert_heard(&one, "200 end", 100);
        tear_down(stage);
        gw_bans_destroy(&bans);
    }
}

static void a_reader_that_joined_without_a_purge_meanwhile_reads_along(void **state)
{
    (void)state;
    struct stage *stage = set_up();
    struct listener one = new_listener(), two = new_listener();
    const struct gw_ban ban = { .kind = GW_BAN_PREFIX, .text = GW_SLICE("/elsewhere") };
    struct gw_bans *bans = stage->fetcher.bans = gw_bans_create();
    assert_true(gw_bans_add(bans, &ban, 1000));
    lead(stage, &one);
    join(stage, &two);
    says_head(stage, 200, "Cache-Control: max-age=60\n", 100);
    assert_true(gw_bans_add(bans, &ban, 2000)); /* the head is there: readers that joined before keep the answer */
    says_body(stage, 100);
    ends(stage);
    assert_heard(&two, "200 end", 100);
    tear_down(stage);
    gw_bans_destroy(&bans);
}

/* ---- not for all readers ---- */

static const struct {
    const char *fields;
    enum gw_cache_refusal refusal;
} not_storable[] = { { "Cache-Control: no-store\n", GW_CACHE_NO_STORE },
                     { "Cache-Control: private\n", GW_CACHE_PRIVATE },
                     { "Set-Cookie: a=b\nCache-Control: max-age=60\n", GW_CACHE_SET_COOKIE },
                     { "Vary: *\n", GW_CACHE_VARY_ANY },
                     { "Cache-Control: max-age=0\n", GW_CACHE_STALE },
                     { "Content-Type: text/event-stream\n", GW_CACHE_ENDLESS },
                     { "Content-Type: TEXT/event-stream; charset=utf-8\n", GW_CACHE_ENDLESS } };

static void an_answer_that_may_not_be_stored_is_the_first_readers_alone(void **state)
{
    (void)state;
    for (size_t i = 0; i < GW_COUNT(not_storable); i++) {
        struct stage *stage = set_up();
        struct listener one = new_listener(), two = new_listener(), three = new_listener();
        lead(stage, &one);
        join(stage, &two);
        join(stage, &three);
        says_head(stage, 200, not_storable[i].fields, CHUNKED);
        assert_heard(&one, "200", 0);
        assert_heard(&two, "released", 0);
        assert_heard(&three, "released", 0);
        assert_null(joinable(stage));
        assert_memory_cache(stage, MEMORY_CACHE_MARK);
        says_body(stage, 100);
        ends(stage);
        assert_heard(&one, "200 end", 100);
        assert_memory_cache(stage, MEMORY_CACHE_MARK);
        assert_not_stored_since(stage, not_storable[i].refusal, 1);
        tear_down(stage);
    }
}

static void a_request_that_shares_nothing_marks_nothing(void **state)
{
    (void)state;
    struct stage *stage = set_up();
    struct listener one = new_listener();
    may_be_stored(stage);
    begin(stage, &one);
    says_head(stage, 200, "Cache-Control: no-store\n", 0);
    ends(stage);
    assert_memory_cache(stage, MEMORY_CACHE_NOTHING);
    tear_down(stage);
}

static void an_answer_for_a_leader_that_left_and_for_no_other_reader_is_given_up(void **state)
{
    (void)state;
    struct stage *stage = set_up();
    struct listener one = new_listener(), two = new_listener();
    lead(stage, &one);
    join(stage, &two);
    gw_fetch_leave(&one.reader);
    says_head(stage, 200, "Cache-Control: no-store\n", 100);
    assert_heard(&two, "released", 0);
    assert_true(last_attempt(stage)->cancelled);
    tear_down(stage);
}

static void an_answer_too_large_by_its_length_passes(void **state)
{
    (void)state;
    struct stage *stage = set_up();
    struct listener one = new_listener(), two = new_listener();
    lead(stage, &one);
    join(stage, &two);
    says_head(stage, 200, "", MAX_OBJECT + 1);
    assert_heard(&two, "released", 0);
    says_all(stage, MAX_OBJECT + 1);
    ends(stage);
    assert_heard(&one, "200 end", MAX_OBJECT + 1);
    assert_not_stored(stage);
    tear_down(stage);
}

static void a_reader_that_may_not_reuse_the_answer_is_released_with_its_head(void **state)
{
    (void)state;
    for (int known = 0; known < 2; known++) {
        struct stage *stage = set_up();
        struct listener one = new_listener(), two = new_listener(), three = new_listener();
        one.refuses_reuse = two.refuses_reuse = true; /* the first reader is not asked: it is its own answer */
        lead(stage, &one);
        join(stage, &two);
        join(stage, &three);
        says_head(stage, 200, "Vary: Accept\n", known ? 50 : CHUNKED);
        says_body(stage, 50);
        end_of_read(stage);
        if (known)
            assert_heard(&two, "released", 0);
        ends(stage);
        assert_heard(&one, "200 end", 50);
        assert_heard(&two, "released", 0);
        assert_heard(&three, "200 end", 50);
        assert_stored(stage, 50);
        tear_down(stage);
    }
}

static void join_the_next(struct listener *listener)
{
    struct listener *next = listener->context;
    struct stage *stage = next->context;
    assert_null(joinable(stage)); /* the coalesced fetch that released it has finished: it is not found again */
    stage->request.lead.coalesced = NULL;
    begin(stage, next);
}

static void a_released_reader_may_fetch_alone_at_once(void **state)
{
    (void)state;
    struct stage *stage = set_up();
    struct listener one = new_listener(), two = new_listener(), alone = new_listener();
    alone.context = stage;
    two.context = &alone;
    two.then = join_the_next;
    lead(stage, &one);
    join(stage, &two);
    stage->begin_error = GW_ERROR_NONE;
    struct attempt *first = last_attempt(stage);
    says_head(stage, 200, "Cache-Control: private\n", 5);
    assert_int_equal(stage->attempt_count, 2);
    assert_heard(&one, "200", 0);
    says_head(stage, 200, "Cache-Control: private\n", 3);
    says_body(stage, 3);
    ends(stage);
    assert_heard(&alone, "200 end", 3);
    first->runs = false;
    first->call->events->on_body(first->call, GW_SLICE("abcde"), NULL);
    first->call->events->on_end(first->call);
    assert_heard(&one, "200 end", 5);
    tear_down(stage);
}

/* ---- failures ---- */

static void readers_that_joined_try_alone_where_another_try_may_help(void **state)
{
    static const struct {
        enum gw_error error;
        const char *two;
    } rows[] = { { GW_ERROR_CONNECT, "released" },
                 { GW_ERROR_RESET, "released" },
                 { GW_ERROR_UPSTREAM_MALFORMED, "upstream_malformed" },
                 { GW_ERROR_RESPONSE_TIMEOUT, "upstream_response_timeout" } };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct stage *stage = set_up();
        struct listener one = new_listener(), two = new_listener();
        stage->config.retries = 0;
        lead(stage, &one);
        join(stage, &two);
        fails(stage, rows[i].error);
        assert_string_equal(one.log, gw_error_name(rows[i].error));
        assert_string_equal(two.log, rows[i].two);
        assert_null(joinable(stage));
        tear_down(stage);
    }
}

static void an_answer_that_breaks_is_cut_for_readers_that_saw_its_head_and_never_stored(void **state)
{
    (void)state;
    for (int known = 0; known < 2; known++) {
        struct stage *stage = set_up();
        struct listener one = new_listener(), two = new_listener();
        lead(stage, &one);
        join(stage, &two);
        says_head(stage, 200, "", known ? 1000 : CHUNKED);
        says_body(stage, 400);
        end_of_read(stage);
        fails(stage, GW_ERROR_RESET);
        assert_heard(&one, "200 upstream_reset", 400);
        if (known)
            assert_heard(&two, "200 upstream_reset", 400);
        else
            assert_heard(&two, "released", 0);
        assert_not_stored(stage);
        tear_down(stage);
    }
}

static void a_shared_request_is_tried_again_also_after_its_reader_left(void **state)
{
    (void)state;
    struct stage *stage = set_up();
    struct listener one = new_listener(), two = new_listener();
    lead(stage, &one);
    join(stage, &two);
    gw_fetch_leave(&one.reader);
    fails(stage, GW_ERROR_CONNECT);
    assert_int_equal(stage->attempt_count, 2);
    says_head(stage, 200, "", 10);
    says_body(stage, 10);
    ends(stage);
    assert_heard(&two, "200 end", 10);
    assert_stored(stage, 10);
    tear_down(stage);
}

/* ---- invalidation ---- */

static void an_answer_asked_for_before_an_invalidation_is_told_but_not_stored(void **state)
{
    (void)state;
    for (int stop = 0; stop < 3; stop++) {
        struct stage *stage = set_up();
        struct listener one = new_listener();
        lead(stage, &one);
        if (stop == 0)
            gw_memory_cache_invalidate(stage->fetcher.memory_cache, &stage->request.key);
        says_head(stage, 200, "", 100);
        if (stop == 1)
            gw_memory_cache_invalidate(stage->fetcher.memory_cache, &stage->request.key);
        says_body(stage, 100);
        end_of_read(stage);
        if (stop == 2)
            gw_memory_cache_invalidate(stage->fetcher.memory_cache, &stage->request.key);
        ends(stage);
        assert_heard(&one, "200 end", 100);
        assert_not_stored(stage);
        assert_int_equal(gw_counter_read(&stage->shard.cache_stored), 0);
        struct listener two = new_listener(); /* and an answer that is asked for after it is stored */
        lead(stage, &two);
        says_head(stage, 200, "", 10);
        says_body(stage, 10);
        ends(stage);
        assert_stored(stage, 10);
        tear_down(stage);
    }
}

/* ---- leaving ---- */

static void any_reader_may_leave_within_any_event(void **state)
{
    static const char *const events[] = { "head", "body", "flush", "end", "fail", "released" };
    static const long lengths[] = { 100, CHUNKED };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(events) * GW_COUNT(lengths) * 4; i++) {
        const char *event = events[i % GW_COUNT(events)];
        struct stage *stage = set_up();
        struct listener one = new_listener(), two = new_listener(), three = new_listener();
        unsigned leaving = (unsigned)(i / GW_COUNT(events) / GW_COUNT(lengths)); /* bits: the leader, the second */
        one.leaves_at = leaving & 1 ? event : NULL;
        two.leaves_at = leaving & 2 ? event : NULL;
        lead(stage, &one);
        join(stage, &two);
        join(stage, &three);
        bool is_released = strcmp(event, "released") == 0;
        says_head(stage, 200, is_released ? "Cache-Control: no-store\n" : "",
                  lengths[i / GW_COUNT(events) % GW_COUNT(lengths)]);
        end_of_read(stage);
        says_body(stage, 100);
        end_of_read(stage);
        if (strcmp(event, "fail") == 0)
            fails(stage, GW_ERROR_UPSTREAM_MALFORMED);
        else
            ends(stage);
        assert_true(one.is_over && two.is_over && three.is_over);
        if (is_released)
            assert_heard(&three, "released", 0);
        else if (strcmp(event, "fail") != 0)
            assert_heard(&three, "200 end", 100);
        tear_down(stage);
    }
}

static void a_drain_ends_the_fetches_that_have_no_reader(void **state)
{
    (void)state;
    struct stage *stage = set_up();
    struct listener one = new_listener(), two = new_listener();
    lead(stage, &one);
    struct attempt *unread = last_attempt(stage);
    gw_fetch_leave(&one.reader);
    stage->request.key.sha[0] = 9;
    lead(stage, &two);
    gw_fetcher_cancel_unread(&stage->fetcher);
    assert_true(unread->cancelled);
    assert_true(last_attempt(stage)->runs);
    says_head(stage, 200, "", 0);
    ends(stage);
    assert_heard(&two, "200 end", 0);
    stage->request.key.sha[0] = 1;
    assert_null(joinable(stage)); /* the first coalesced fetch has finished */
    tear_down(stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_that_may_be_stored_is_told_and_stored),
        cmocka_unit_test(a_slow_reader_does_not_slow_a_collected_answer),
        cmocka_unit_test(readers_that_joined_stream_along_where_the_length_is_known),
        cmocka_unit_test(readers_that_joined_hold_their_status_where_the_length_is_not_known),
        cmocka_unit_test(a_reader_that_joined_and_did_not_begin_hears_nothing_until_it_does),
        cmocka_unit_test(no_reader_joins_a_fetch_that_passes_or_is_over),
        cmocka_unit_test(the_leader_may_leave_and_the_answer_still_comes_and_is_stored),
        cmocka_unit_test(a_request_that_may_be_stored_but_leads_nothing_ends_with_its_reader_before_the_head),
        cmocka_unit_test(a_reader_that_joined_before_a_purge_was_heard_of_is_released_and_the_first_is_answered),
        cmocka_unit_test(a_reader_that_joined_without_a_purge_meanwhile_reads_along),
        cmocka_unit_test(an_answer_that_may_not_be_stored_is_the_first_readers_alone),
        cmocka_unit_test(a_request_that_shares_nothing_marks_nothing),
        cmocka_unit_test(an_answer_for_a_leader_that_left_and_for_no_other_reader_is_given_up),
        cmocka_unit_test(an_answer_too_large_by_its_length_passes),
        cmocka_unit_test(a_reader_that_may_not_reuse_the_answer_is_released_with_its_head),
        cmocka_unit_test(a_released_reader_may_fetch_alone_at_once),
        cmocka_unit_test(readers_that_joined_try_alone_where_another_try_may_help),
        cmocka_unit_test(an_answer_that_breaks_is_cut_for_readers_that_saw_its_head_and_never_stored),
        cmocka_unit_test(a_shared_request_is_tried_again_also_after_its_reader_left),
        cmocka_unit_test(an_answer_asked_for_before_an_invalidation_is_told_but_not_stored),
        cmocka_unit_test(any_reader_may_leave_within_any_event),
        cmocka_unit_test(a_drain_ends_the_fetches_that_have_no_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
