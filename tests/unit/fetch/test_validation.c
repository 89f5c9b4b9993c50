#include "unit/fetch/stored.h"
#include "cache/vary.h"

/* A stored response is confirmed by the backend, replaced, or answers if the backend fails. Embedded mode. */

#define VALIDATORS "ETag: \"1\"\nLast-Modified: " STORED_DATE "\n"

/* ---- what is asked ---- */

static void the_backend_is_asked_by_the_validators_of_what_is_stored(void **state)
{
    static const struct {
        const char *stored, *conditionals;
        bool may_store;
    } rows[] = {
        { VALIDATORS, "If-None-Match: \"1\"\r\nIf-Modified-Since: " STORED_DATE "\r\n", true },
        { "ETag: \"1\"\n", "If-None-Match: \"1\"\r\n", true },
        { "ETag: W/\"1\"\n", "If-None-Match: W/\"1\"\r\n", true },
        { "Last-Modified: " STORED_DATE "\n", "If-Modified-Since: " STORED_DATE "\r\n", true },
        { "X-Other: 1\n", "", true },
        { "ETag: \"1\"\nETag: \"2\"\n", "", true }, /* it is unknown which of them is right */
        { VALIDATORS, "", false },                  /* the stored response only stands by for a failure */
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct stage *stage = set_up();
        struct listener one = new_listener();
        char expected[256];
        find_stored(stage, rows[i].stored);
        stage->request.may_store = rows[i].may_store;
        begin(stage, &one);
        snprintf(expected, sizeof expected, "Host: one:8000\r\nAccept: text/plain\r\n%s", rows[i].conditionals);
        assert_string_equal(last_attempt(stage)->fields, expected);
        gw_fetch_leave(&one.reader);
        drop_stored(stage);
        tear_down(stage);
    }
}

static void the_clients_own_conditionals_are_not_among_them(void **state)
{
    (void)state;
    struct stage *stage = set_up();
    struct listener one = new_listener();
    struct gw_arena *arena = &stage->arena;
    assert_true(gw_head_add(&stage->request_head, arena, GW_SLICE("If-None-Match"), GW_SLICE("\"theirs\"")));
    assert_true(gw_head_add(&stage->request_head, arena, GW_SLICE("If-Modified-Since"), GW_SLICE("theirs")));
    find_stored(stage, "ETag: \"1\"\n");
    lead(stage, &one);
    assert_null(strstr(last_attempt(stage)->fields, "theirs"));
    says_head(stage, 304, "ETag: \"1\"\n", 0);
    ends(stage);
    assert_heard(&one, "from_validated", STORED_BYTES); /* the reader decides what they mean */
    let_go(&one);
    drop_stored(stage);
    tear_down(stage);
}

static void another_backend_is_asked_by_the_same_validators(void **state)
{
    (void)state;
    struct stage *stage = set_up();
    struct listener one = new_listener();
    stage->config.preserve_host = GW_PRESERVE_HOST_NO;
    stage->backends[1].authority = GW_SLICE("a-much-longer-name.example:8001");
    find_stored(stage, VALIDATORS);
    lead(stage, &one);
    fails(stage, GW_ERROR_CONNECT);
    assert_string_equal(last_attempt(stage)->fields, "Host: a-much-longer-name.example:8001\r\nAccept: text/plain\r\n"
                                                     "If-None-Match: \"1\"\r\n"
                                                     "If-Modified-Since: " STORED_DATE "\r\n");
    says_head(stage, 304, "", 0);
    ends(stage);
    assert_heard(&one, "from_validated", STORED_BYTES);
    let_go(&one);
    drop_stored(stage);
    tear_down(stage);
}

/* ---- confirmed ---- */

static void a_304_hands_the_readers_a_refreshed_entry_and_stores_it(void **state)
{
    (void)state;
    struct stage *stage = set_up();
    struct listener one = new_listener(), two = new_listener();
    find_stored(stage, VALIDATORS "Surrogate-Key: red blue\nVary: Accept\nX-Old: 1\nX-Both: 1\n");
    assert_memory_cache(stage, MEMORY_CACHE_STALE);
    lead(stage, &one);
    join(stage, &two);
    passes(stage, 2000);
    says_head(stage, 304, "ETag: \"1\"\nCache-Control: max-age=77\nX-Both: 2\nX-New: 3\nX-Request-Id: theirs\n", 0);
    end_of_read(stage);
    assert_heard(&one, "", 0); /* the reader must see first that the fetch ended well */
    assert_memory_cache(stage, MEMORY_CACHE_STALE);
    ends(stage);
    assert_heard(&one, "from_validated", STORED_BYTES);
    assert_heard(&two, "from_validated", STORED_BYTES);
    struct gw_entry *entry = one.entry;
    assert_ptr_equal(two.entry, entry);
    assert_ptr_equal(entry->body, stage->request.lead.stored->body);
    assert_int_equal(entry->head.status, 200);
    assert_int_equal(entry->freshness_s, 77);
    assert_in_range(gw_entry_age_s(entry, played_now_us), 0, 2); /* fresh as of now, whatever its age was */
    assert_true(gw_slice_equal(gw_head_find_named(&entry->head, GW_SLICE("X-Old"))->value, GW_SLICE("1")));
    assert_true(gw_slice_equal(gw_head_find_named(&entry->head, GW_SLICE("X-Both"))->value, GW_SLICE("2")));
    assert_true(gw_slice_equal(gw_head_find_named(&entry->head, GW_SLICE("X-New"))->value, GW_SLICE("3")));
    assert_null(gw_head_find(&entry->head, GW_FIELD_X_REQUEST_ID));
    assert_true(gw_slice_equal(entry->tags, stage->request.lead.stored->tags));
    assert_int_equal(entry->tags.length, 8);
    assert_true(gw_vary_same(&entry->vary_values, &stage->request.lead.stored->vary_values));
    assert_memory_cache(stage, MEMORY_CACHE_FRESH);
    assert_null(joinable(stage));
    assert_int_equal(gw_counter_read(&stage->shard.cache_stored), 1);
    assert_int_equal(gw_counter_read(&stage->shard.cache_revalidations_confirmed), 1);
    assert_int_equal(one.reader.upstream_status, 304);
    assert_ptr_equal(one.reader.backend, &stage->backends[0]);
    let_go(&one);
    let_go(&two);
    drop_stored(stage);
    tear_down(stage);
}

static void what_was_validated_for_a_request_answers_it_whatever_else_it_may_be(void **state)
{
    (void)state;
    struct stage *stage = set_up();
    struct listener one = new_listener(), two = new_listener();
    one.refuses_entries = two.refuses_entries = true;
    find_stored(stage, "ETag: \"1\"\nCache-Control: no-cache\n");
    lead(stage, &one);
    join(stage, &two);
    says_head(stage, 304, "ETag: \"1\"\n", 0);
    ends(stage);
    assert_heard(&one, "from_validated", STORED_BYTES);
    assert_heard(&two, "released", 0); /* but other readers only if they may share it */
    let_go(&one);
    drop_stored(stage);
    tear_down(stage);
}

static void a_304_that_forbids_storing_answers_its_request_and_is_not_stored(void **state)
{
    (void)state;
    struct stage *stage = set_up();
    struct listener one = new_listener();
    find_stored(stage, VALIDATORS);
    lead(stage, &one);
    says_head(stage, 304, "Cache-Control: no-store\n", 0);
    ends(stage);
    assert_heard(&one, "from_validated", STORED_BYTES);
    assert_true(gw_entry_is_over(one.entry, played_now_us));
    assert_memory_cache(stage, MEMORY_CACHE_MARK); /* nor does the response that was stored before answer for it */
    assert_int_equal(gw_counter_read(&stage->shard.cache_stored), 0);
    assert_not_stored_since(stage, GW_CACHE_NO_STORE, 1);
    let_go(&one);
    drop_stored(stage);
    tear_down(stage);
}

static void a_reader_that_pauses_gets_the_entry_when_it_goes_on(void **state)
{
    (void)state;
    struct stage *stage = set_up();
    struct listener one = new_listener(), two = new_listener(), late = new_listener();
    find_stored(stage, VALIDATORS);
    lead(stage, &one);
    struct gw_fetch *fetch = joinable(stage);
    assert_true(gw_fetch_join(fetch, &two.reader)); /* begins paused */
    says_head(stage, 304, "", 0);
    join(stage, &late); /* between the head and its end */
    ends(stage);
    assert_heard(&one, "from_validated", STORED_BYTES);
    assert_heard(&late, "from_validated", STORED_BYTES);
    assert_heard(&two, "", 0);
    gw_fetch_resume(&two.reader);
    assert_heard(&two, "from_validated", STORED_BYTES);
    let_go(&one);
    let_go(&two);
    let_go(&late);
    drop_stored(stage);
    tear_down(stage);
}

static void a_confirmation_is_stored_also_where_its_reader_has_left(void **state)
{
    (void)state;
    for (int stop = 0; stop < 3; stop++) {
        struct stage *stage = set_up();
        struct listener one = new_listener(), two = new_listener();
        one.leaves_at = stop == 2 ? "entry" : NULL;
        find_stored(stage, VALIDATORS);
        lead(stage, &one);
        if (stop == 0) { /* another reader waits: otherwise the fetch would be given up */
            join(stage, &two);
            gw_fetch_leave(&one.reader);
        }
        says_head(stage, 304, "Cache-Control: max-age=77\n", 0);
        if (stop == 1)
            gw_fetch_leave(&one.reader);
        ends(stage);
        assert_memory_cache(stage, MEMORY_CACHE_FRESH);
        assert_true(is_idle(stage));
        let_go(&one);
        let_go(&two);
        drop_stored(stage);
        tear_down(stage);
    }
}

static void a_confirmation_asked_for_before_an_invalidation_is_told_but_not_stored(void **state)
{
    (void)state;
    struct stage *stage = set_up();
    struct listener one = new_listener();
    find_stored(stage, VALIDATORS);
    lead(stage, &one);
    gw_memory_cache_invalidate(stage->fetcher.memory_cache, &stage->request.key);
    says_head(stage, 304, "", 0);
    ends(stage);
    assert_heard(&one, "from_validated", STORED_BYTES);
    assert_memory_cache(stage, MEMORY_CACHE_NOTHING);
    assert_int_equal(gw_counter_read(&stage->shard.cache_stored), 0);
    let_go(&one);
    drop_stored(stage);
    tear_down(stage);
}

static void an_entry_knows_the_bans_from_before_its_backend_was_asked(void **state)
{
    static const struct gw_ban ban = { .kind = GW_BAN_TAG, .text = { "tag", 3 } };
    (void)state;
    for (int status = 200; status <= 304; status += 104) {
        struct stage *stage = set_up();
        struct listener one = new_listener();
        struct gw_bans *bans = stage->fetcher.bans = gw_bans_create();
        assert_true(gw_bans_add(bans, &ban, 1000));
        uint64_t before = gw_bans_sequence(bans);
        find_stored(stage, VALIDATORS);
        lead(stage, &one);
        assert_true(gw_bans_add(bans, &ban, 2000)); /* this ban may be about the answer that is on its way */
        assert_true(gw_bans_sequence(bans) > before);
        says_head(stage, status, "", 0);
        ends(stage);
        struct gw_memory_cache_answer answer;
        gw_memory_cache_get(stage->fetcher.memory_cache, &stage->request.key, &stage->request.cache,
                            &stage->request_head, played_now_us, &answer);
        assert_non_null(answer.entry);
        assert_int_equal(answer.entry->ban_sequence, before);
        gw_entry_unref(answer.entry);
        let_go(&one);
        drop_stored(stage);
        gw_bans_destroy(&bans);
        tear_down(stage);
    }
}

/* ---- something else ---- */

static void a_304_about_something_else_makes_it_ask_for_the_whole_once(void **state)
{
    static const char *const others[] = { "ETag: \"2\"\n", "Last-Modified: Fri, 02 Jun 2017 00:00:00 GMT\n" };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(others); i++) {
        struct stage *stage = set_up();
        struct listener one = new_listener(), two = new_listener();
        find_stored(stage, VALIDATORS);
        lead(stage, &one);
        join(stage, &two);
        says_head(stage, 304, others[i], 0);
        assert_true(stage->attempts[0].cancelled);
        assert_int_equal(stage->attempt_count, 2);
        assert_ptr_equal(last_attempt(stage)->backend, &stage->backends[0]);
        assert_string_equal(last_attempt(stage)->fields, "Host: one:8000\r\nAccept: text/plain\r\n");
        assert_heard(&one, "", 0);
        says_head(stage, 200, "ETag: \"2\"\nCache-Control: max-age=60\n", 50);
        says_body(stage, 50);
        ends(stage);
        assert_heard(&one, "200 end", 50);
        assert_heard(&two, "200 end", 50);
        size_t stored;
        assert_int_equal(memory_cache_has(stage, &stored), MEMORY_CACHE_FRESH);
        assert_int_equal(stored, 50);
        assert_int_equal(gw_counter_read(&stage->shard.cache_revalidations_confirmed), 0);
        drop_stored(stage);
        tear_down(stage);
    }
}

static void the_whole_is_tried_again_like_any_other(void **state)
{
    (void)state;
    struct stage *stage = set_up();
    struct listener one = new_listener();
    find_stored(stage, VALIDATORS);
    lead(stage, &one);
    says_head(stage, 304, "ETag: \"2\"\n", 0);
    fails(stage, GW_ERROR_CONNECT);
    assert_int_equal(stage->attempt_count, 3);
    assert_string_equal(last_attempt(stage)->fields, "Host: two:8001\r\nAccept: text/plain\r\n");
    says_head(stage, 200, "", 0);
    ends(stage);
    assert_heard(&one, "200 end", 0);
    drop_stored(stage);
    tear_down(stage);
}

static void a_304_that_was_not_asked_for_is_not_asked_about_again(void **state)
{
    (void)state;
    for (int may_take = 0; may_take < 2; may_take++) {
        struct stage *stage = set_up();
        struct listener one = new_listener();
        one.refuses_entries = !may_take;
        find_stored(stage, VALIDATORS);
        lead(stage, &one);
        says_head(stage, 304, "ETag: \"2\"\n", 0);
        says_head(stage, 304, "ETag: \"2\"\n", 0);
        assert_heard(&one, may_take ? "from_error" : gw_error_name(GW_ERROR_UPSTREAM_MALFORMED),
                     may_take ? STORED_BYTES : 0);
        assert_int_equal(stage->attempt_count, 2);
        let_go(&one);
        drop_stored(stage);
        tear_down(stage);
    }
}

static void where_the_whole_cannot_be_asked_for_what_is_stored_answers_or_the_error(void **state)
{
    (void)state;
    for (int may_take = 0; may_take < 2; may_take++) {
        struct stage *stage = set_up();
        struct listener one = new_listener();
        one.refuses_entries = !may_take;
        find_stored(stage, VALIDATORS);
        lead(stage, &one);
        stage->begin_error = GW_ERROR_UPSTREAM_BUSY;
        says_head(stage, 304, "ETag: \"2\"\n", 0);
        assert_heard(&one, may_take ? "from_error" : gw_error_name(GW_ERROR_UPSTREAM_BUSY),
                     may_take ? STORED_BYTES : 0);
        assert_null(joinable(stage));
        let_go(&one);
        drop_stored(stage);
        tear_down(stage);
    }
}

static void another_answer_replaces_what_is_stored(void **state)
{
    (void)state;
    struct stage *stage = set_up();
    struct listener one = new_listener(), two = new_listener();
    find_stored(stage, VALIDATORS);
    lead(stage, &one);
    join(stage, &two);
    says_head(stage, 200, "ETag: \"2\"\nCache-Control: max-age=60\n", 50);
    says_body(stage, 50);
    end_of_read(stage);
    assert_heard(&one, "200", 50); /* streamed as any other */
    ends(stage);
    assert_heard(&one, "200 end", 50);
    assert_heard(&two, "200 end", 50);
    size_t stored;
    assert_int_equal(memory_cache_has(stage, &stored), MEMORY_CACHE_FRESH);
    assert_int_equal(stored, 50);
    assert_int_equal(gw_counter_read(&stage->shard.cache_revalidations_replaced), 1);
    assert_int_equal(stage->attempt_count, 1);
    drop_stored(stage);
    tear_down(stage);
}

static void an_answer_that_may_not_be_stored_ends_what_is(void **state)
{
    (void)state;
    for (int leads = 0; leads < 2; leads++) {
        struct stage *stage = set_up();
        struct listener one = new_listener();
        find_stored(stage, VALIDATORS);
        stage->request.lead.coalesced = NULL;
        if (leads)
            lead(stage, &one);
        else
            begin(stage, &one);
        says_head(stage, 200, "Cache-Control: no-store\n", 0);
        assert_memory_cache(stage, leads ? MEMORY_CACHE_MARK : MEMORY_CACHE_NOTHING);
        ends(stage);
        assert_heard(&one, "200 end", 0);
        drop_stored(stage);
        tear_down(stage);
    }
}

static void an_answer_never_of_use_without_validation_is_stored_and_no_request_waits_for_it(void **state)
{
    static const char *const answers[] = { "Cache-Control: no-cache\n" VALIDATORS,
                                           "Cache-Control: max-age=0\n" VALIDATORS,
                                           "Cache-Control: max-age=60\nAge: 60\n" VALIDATORS };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(answers); i++) {
        struct stage *stage = set_up();
        struct listener one = new_listener(), two = new_listener();
        lead(stage, &one);
        join(stage, &two);
        says_head(stage, 200, answers[i], 50);
        assert_heard(&two, "released", 0);
        assert_memory_cache(stage, MEMORY_CACHE_MARK);
        says_body(stage, 50);
        ends(stage);
        assert_heard(&one, "200 end", 50);
        size_t stored;
        assert_int_equal(memory_cache_has(stage, &stored), MEMORY_CACHE_STALE);
        assert_int_equal(stored, 50);
        tear_down(stage);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_backend_is_asked_by_the_validators_of_what_is_stored),
        cmocka_unit_test(the_clients_own_conditionals_are_not_among_them),
        cmocka_unit_test(another_backend_is_asked_by_the_same_validators),
        cmocka_unit_test(a_304_hands_the_readers_a_refreshed_entry_and_stores_it),
        cmocka_unit_test(what_was_validated_for_a_request_answers_it_whatever_else_it_may_be),
        cmocka_unit_test(a_304_that_forbids_storing_answers_its_request_and_is_not_stored),
        cmocka_unit_test(a_reader_that_pauses_gets_the_entry_when_it_goes_on),
        cmocka_unit_test(a_confirmation_is_stored_also_where_its_reader_has_left),
        cmocka_unit_test(a_confirmation_asked_for_before_an_invalidation_is_told_but_not_stored),
        cmocka_unit_test(an_entry_knows_the_bans_from_before_its_backend_was_asked),
        cmocka_unit_test(a_304_about_something_else_makes_it_ask_for_the_whole_once),
        cmocka_unit_test(the_whole_is_tried_again_like_any_other),
        cmocka_unit_test(a_304_that_was_not_asked_for_is_not_asked_about_again),
        cmocka_unit_test(where_the_whole_cannot_be_asked_for_what_is_stored_answers_or_the_error),
        cmocka_unit_test(another_answer_replaces_what_is_stored),
        cmocka_unit_test(an_answer_that_may_not_be_stored_ends_what_is),
        cmocka_unit_test(an_answer_never_of_use_without_validation_is_stored_and_no_request_waits_for_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
