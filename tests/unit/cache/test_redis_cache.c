/* The Redis cache, over a store that is played here: values at base keys. */
#include "unit/cache/redis_cache_scene.h"

static void what_one_stores_another_gets(void **state)
{
    struct stage *stage = *state;
    unsigned stored_count = 0;
    struct gw_base_version base_version = look_up(stage, 1, "", "none");
    assert_int_equal(base_version.kind, GW_BASE_ABSENT);
    assert_true(put(stage, 1, "ETag: a", &base_version, &stored_count));
    assert_int_equal(stored_count, 0);
    played_answer_all(&stage->store);
    assert_int_equal(stored_count, 1);
    assert_in_range(stored(stage, 1)->left_ms, 299000, 300000); /* a default response: redis-cli TTL shows 300 */
    assert_false(is_in_memory(stage, 1, ""));                   /* only reads fill */
    assert_int_equal(look_up(stage, 1, "", "a").kind, GW_BASE_VERSION);
    assert_true(is_in_memory(stage, 1, ""));
    (void)view_looks_up(stage, 1, 1, "", "a");
    assert_answers(stage, 2, "none");
}

static void the_age_is_what_the_store_says_is_gone(void **state)
{
    struct stage *stage = *state;
    struct asked asked;
    store(stage, 1, "ETag: a");
    stored(stage, 1)->left_ms -= 100000;
    ask(stage, &asked, 1, "");
    played_answer_all(&stage->store);
    assert_non_null(asked.answer.entry);
    assert_in_range(gw_entry_age_s(asked.answer.entry, gw_clock_monotonic_us()), 100, 101);
    assert_int_equal(asked.answer.entry->body_bytes, 5);
    assert_memory_equal(asked.answer.entry->body->bytes, "hello", 5);
    end_asked(&asked);
}

/* The value is no answer, but its version is seen: a store may write over it. */
static void what_may_not_answer_is_seen_all_the_same(void **state)
{
    static const struct {
        int64_t left_ms; /* 0: as it is */
        const char *asked;
        bool was_there;
    } rows[] = {
        { 0, "Cookie: a=b", true }, { 0, "X-Forwarded-Host: other", true }, { 0, "Cache-Control: no-store", false },
        { -1, "", false },      /* without an expiry: its age is not known */
        { -2, "", false },      /* stored between the two questions */
        { 9000000, "", false }, /* more than its life */
    };
    struct stage *stage = *state;
    for (unsigned i = 0; i < GW_COUNT(rows); i++) {
        store(stage, i, "ETag: a");
        if (rows[i].left_ms)
            stored(stage, i)->left_ms = rows[i].left_ms;
        struct gw_redis_cache_answer answer = view_looks_up(stage, 0, i, rows[i].asked, "none");
        assert_int_equal(answer.base_version.kind, GW_BASE_VERSION);
        assert_int_equal(answer.was_there, rows[i].was_there);
        assert_int_equal(answer.reuse, GW_REUSE_NO);
        assert_true(put(stage, i, "ETag: b", &answer.base_version, NULL));
        played_answer_all(&stage->store);
        assert_answers(stage, i, "b");
    }
}

/* Instances need not agree on the largest head; another instance may answer with this value, so it is not corrupt. */
static void a_head_larger_than_this_instance_takes_is_none(void **state)
{
    struct stage *stage = *state;
    char fields[700];
    memset(fields, 'x', sizeof fields - 1);
    memcpy(fields, "ETag: a\nX-Large: ", 17);
    fields[sizeof fields - 1] = '\0';
    store(stage, 1, fields);
    stage->config.max_response_header_bytes = 4096;
    assert_answers(stage, 1, "a");
    gw_memory_cache_flush(stage->views[0].memory_cache);
    stage->config.max_response_header_bytes = 256;
    assert_int_equal(look_up(stage, 1, "", "none").kind, GW_BASE_VERSION);
    assert_false(is_in_memory(stage, 1, ""));
    assert_non_null(stored(stage, 1));
}

/* Whatever it is worth for this request, it may be of use to others. */
static void what_is_no_longer_fresh_is_answered_with_its_verdict(void **state)
{
    static const struct {
        int64_t gone_s, while_s;
        bool has_validator;
        const char *asked, *expected;
        enum gw_reuse reuse;
    } rows[] = {
        { 0, 0, false, "", "a", GW_REUSE_FRESH },
        { 310, 60, false, "", "a", GW_REUSE_REVALIDATING },
        { 310, 0, true, "", "a", GW_REUSE_VALIDATED },
        { 310, 0, true, "Cache-Control: max-stale=60", "a", GW_REUSE_STALE },
        { 0, 0, true, "Cache-Control: no-cache", "a", GW_REUSE_VALIDATED },
        { 361, 60, true, "Cache-Control: max-stale", "none", GW_REUSE_NO }, /* of no use any more */
    };
    struct stage *stage = *state;
    for (unsigned i = 0; i < GW_COUNT(rows); i++) {
        struct response said = { .answered = "ETag: a", .window_s = 60 };
        said.terms.stale_while_revalidate_s = rows[i].while_s;
        said.terms.has_validator = rows[i].has_validator;
        store_response(stage, i, &said);
        assert_in_range(stored(stage, i)->left_ms, 359000, 360000);
        stored(stage, i)->left_ms -= rows[i].gone_s * 1000;
        if (stored(stage, i)->left_ms < 0)
            stored(stage, i)->left_ms = 0;
        assert_int_equal(view_looks_up(stage, 0, i, rows[i].asked, rows[i].expected).reuse, rows[i].reuse);
        assert_int_equal(is_in_memory(stage, i, rows[i].asked), rows[i].reuse != GW_REUSE_NO);
    }
}

/* Two reads, A and B, a purge P and their stores, in every order that matters: which value may remain at the end. */
static void races_end_as_the_versions_say(void **state)
{
    static const struct {
        const char *steps; /* l, L: look-ups of A and B; s, S: their stores; p: a purge */
        const char *plain, *selected;
    } rows[] = {
        { "lLsS", "a", "a" },      /* both saw nothing: the first one stores */
        { "lLSs", "b", "b" },      /* */
        { "lsLS", "b", "b" },      /* B saw A's */
        { "lslLsS", "a", "b" },    /* both saw A's: a variant may be replaced by another */
        { "lps", "none", "none" }, /* begun before the purge */
        { "pls", "a", "a" },       /* begun after it */
        { "lLpsS", "none", "none" }, { "lpLSs", "b", "b" },       { "lpLsS", "b", "b" },
        { "lspLS", "b", "b" },       { "lsLpS", "none", "none" },
    };
    struct stage *stage = *state;
    for (unsigned i = 0; i < 2 * GW_COUNT(rows); i++) {
        bool is_selected = i % 2;
        struct response said = { .asked = "Accept: x" };
        const char *fields[] = { is_selected ? "ETag: a\nVary: Accept" : "ETag: a",
                                 is_selected ? "ETag: b\nVary: Accept" : "ETag: b" };
        struct gw_base_version base_version[2] = { { .kind = GW_BASE_UNKNOWN } };
        struct gw_cache_key key = key_of(i);
        stage->store.made = stage->store.answered = 0;
        for (const char *step = rows[i / 2].steps; *step; step++) {
            said.answered = fields[*step == 'S'];
            if (*step == 'l' || *step == 'L')
                base_version[*step == 'L'] = look_up(stage, i, "Cache-Control: no-cache\nAccept: x", NULL);
            else if (*step == 'p')
                assert_non_null(gw_redis_cache_invalidate(stage->views[0].redis_cache, &key, NULL, NULL));
            else
                assert_true(put_response(stage, i, &said, &base_version[*step == 'S'], NULL));
            played_answer_all(&stage->store);
        }
        (void)look_up(stage, i, "Accept: x", is_selected ? rows[i / 2].selected : rows[i / 2].plain);
    }
    assert_true(gw_counter_read(&stage->shard.cache_stores_raced) >= 12);
}

static void nothing_is_stored_over_what_was_not_seen(void **state)
{
    struct stage *stage = *state;
    struct gw_base_version base_version = { .kind = GW_BASE_UNKNOWN, .at_us = gw_clock_monotonic_us() };
    assert_false(put(stage, 1, "ETag: a", &base_version, NULL));
    base_version = (struct gw_base_version) { .kind = GW_BASE_ABSENT, .at_us = gw_clock_monotonic_us() };
    assert_true(put(stage, 1, "ETag: a", &base_version, NULL));
    /* The look-up is so long ago that a tombstone could have come and gone: 2 x (1 + 60) + 30 + 60 s, less 10 s. */
    base_version.at_us = gw_clock_monotonic_us() - UINT64_C(202000000);
    assert_false(put(stage, 2, "ETag: a", &base_version, NULL));
    base_version.at_us += 2000000;
    assert_true(put(stage, 2, "ETag: a", &base_version, NULL));
}

static void a_read_sent_before_an_invalidation_answers_and_does_not_fill(void **state)
{
    struct stage *stage = *state;
    struct gw_cache_key key = key_of(1);
    struct asked asked;
    store(stage, 1, "ETag: a");
    ask(stage, &asked, 1, "");
    gw_memory_cache_invalidate(stage->views[0].memory_cache, &key);
    played_answer_all(&stage->store);
    assert_non_null(asked.answer.entry);
    assert_false(is_in_memory(stage, 1, ""));
    end_asked(&asked);
    assert_answers(stage, 1, "a");
    assert_true(is_in_memory(stage, 1, ""));
}

static void a_store_and_a_tombstone_remove_it_from_the_memory_cache_when_sent(void **state)
{
    struct stage *stage = *state;
    struct gw_cache_key key = key_of(1);
    struct asked asked = { .answers = 0 };
    store(stage, 1, "ETag: a");
    struct gw_base_version base_version = look_up(stage, 1, "", "a");
    assert_true(is_in_memory(stage, 1, ""));
    assert_true(put(stage, 1, "ETag: b", &base_version, NULL));
    assert_false(is_in_memory(stage, 1, ""));
    played_answer_all(&stage->store);
    assert_answers(stage, 1, "b");
    assert_true(is_in_memory(stage, 1, ""));
    assert_non_null(gw_redis_cache_invalidate(stage->views[0].redis_cache, &key, on_answer, &asked));
    assert_false(is_in_memory(stage, 1, ""));
    assert_int_equal(asked.answers, 0);
    played_answer_all(&stage->store);
    assert_int_equal(asked.answers, 1);
    assert_int_equal(kind_of(stage, 1), GW_FRAME_TOMBSTONE);
    assert_int_equal(stored(stage, 1)->left_ms, 212000);
    assert_answers(stage, 1, "none");
}

static void a_mark_holds_as_long_as_it_lives(void **state)
{
    struct stage *stage = *state;
    struct gw_cache_key key = key_of(1);
    struct gw_redis_cache_answer answer = view_looks_up(stage, 0, 1, "", "none");
    assert_false(answer.is_hit_for_miss);
    gw_redis_cache_mark_hit_for_miss(stage->views[0].redis_cache, &key, &answer.base_version, 10000);
    played_answer_all(&stage->store);
    assert_int_equal(kind_of(stage, 1), GW_FRAME_MARK);
    assert_int_equal(stored(stage, 1)->left_ms, 10000);
    answer = view_looks_up(stage, 0, 1, "", "none");
    assert_true(answer.is_hit_for_miss);
    assert_int_equal(answer.base_version.kind, GW_BASE_VERSION);
    stored(stage, 1)->left_ms = 0;
    assert_false(view_looks_up(stage, 0, 1, "", "none").is_hit_for_miss);
    assert_true(put(stage, 1, "ETag: a", &answer.base_version, NULL));
    played_answer_all(&stage->store);
    assert_answers(stage, 1, "a");
}

/* The answer is one user's page; the answers to all other requests are the same. */
static void no_mark_drives_out_what_is_for_other_requests(void **state)
{
    static const struct {
        const char *asked;
        bool is_marked;
    } rows[] = {
        { "Cookie: a=1", false },
        { "Authorization: a", false },
        { "Cache-Control: no-cache", true }, /* it was of use to this request, and is out of date */
    };
    struct stage *stage = *state;
    for (unsigned i = 0; i < GW_COUNT(rows); i++) {
        struct gw_cache_key key = key_of(i);
        store_response(stage, i, &(struct response) { .answered = "ETag: a", .terms.has_validator = true });
        struct gw_base_version base_version = look_up(stage, i, rows[i].asked, NULL);
        assert_int_equal(base_version.kind, GW_BASE_VERSION);
        gw_redis_cache_mark_hit_for_miss(stage->views[0].redis_cache, &key, &base_version, 10000);
        played_answer_all(&stage->store);
        assert_int_equal(kind_of(stage, i), rows[i].is_marked ? GW_FRAME_MARK : GW_FRAME_RESPONSE);
    }
}

static void a_mark_for_credentials_is_for_these_alone(void **state)
{
    struct stage *stage = *state;
    struct gw_cache_key key = key_of(1);
    struct gw_base_version base_version = look_up(stage, 1, "", "none");
    gw_redis_cache_mark_credentials(stage->views[0].redis_cache, &key, &base_version, 10000);
    played_answer_all(&stage->store);
    assert_int_equal(kind_of(stage, 1), GW_FRAME_MARK);
    for (unsigned view = 0; view < 2; view++) {
        assert_true(view_looks_up(stage, view, 1, "Cookie: a=1", "none").is_hit_for_miss);
        assert_false(view_looks_up(stage, view, 1, "", "none").is_hit_for_miss);
    }
}

static void what_does_not_parse_is_a_miss_and_leaves(void **state)
{
    struct stage *stage = *state;
    for (unsigned i = 0; i < 5; i++) {
        store(stage, i, "ETag: a\nX-Long: 0123456789");
        struct played_bytes *bytes = &stored(stage, i)->bytes;
        if (i == 0)
            bytes->at[bytes->length - 1] ^= 1;
        else if (i == 1)
            bytes->length -= 3;
        else if (i == 2)
            memcpy(bytes->at, "HTML", 4);
        else if (i == 3)
            bytes->length = 1;
        else
            bytes->at[4] = 'I';
        struct gw_base_version base_version = look_up(stage, i, "", "none");
        assert_int_equal(gw_counter_read(&stage->shard.cache_corrupt), i + 1);
        assert_int_equal(base_version.kind, GW_BASE_ABSENT); /* the deletion goes before the next store */
        assert_true(put(stage, i, "ETag: b", &base_version, NULL));
        played_answer_all(&stage->store);
        assert_answers(stage, i, "b");
    }
    assert_int_equal(gw_counter_read(&stage->shard.cache_corrupt), 5);
}

/* A good value that came between the look-up and the deletion stays. */
static void a_deletion_takes_only_the_corrupt_value(void **state)
{
    struct stage *stage = *state;
    struct asked asked;
    store(stage, 1, "ETag: a");
    struct played_value good = *stored(stage, 1), *value = stored(stage, 1);
    value->bytes.at[50] ^= 1;
    value->bytes.at[8] ^= 1;
    ask(stage, &asked, 1, "");
    played_answer(&stage->store, &stage->store.calls[stage->store.made - 1]);
    assert_int_equal(played_due(&stage->store), 1);
    *value = good;
    played_answer_all(&stage->store);
    end_asked(&asked);
    assert_answers(stage, 1, "a");
}

static void what_a_ban_ends_is_a_miss_and_may_be_written_over(void **state)
{
    static const struct {
        bool is_soft;
        const char *expected;
        enum gw_reuse reuse;
    } rows[] = { { false, "none", GW_REUSE_NO }, { true, "a", GW_REUSE_VALIDATED } };
    struct stage *stage = *state;
    for (unsigned i = 0; i < GW_COUNT(rows); i++) {
        struct response said = { .answered = "ETag: a",
                                 .window_s = 60,
                                 .terms.has_validator = true,
                                 .ban_sequence = gw_bans_sequence(stage->bans) };
        store_response(stage, i, &said);
        assert_true(gw_bans_add(stage->bans, &(struct gw_ban) { .kind = GW_BAN_ALL, .is_soft = rows[i].is_soft },
                                1000000 * (i + 1)));
        struct gw_redis_cache_answer answer = view_looks_up(stage, 0, i, "", rows[i].expected);
        assert_int_equal(answer.reuse, rows[i].reuse);
        assert_int_equal(answer.was_there, !rows[i].is_soft);
        assert_int_equal(is_in_memory(stage, i, ""), rows[i].is_soft);
        assert_int_equal(answer.base_version.kind, GW_BASE_VERSION);
        said = (struct response) { .answered = "ETag: b", .ban_sequence = gw_bans_sequence(stage->bans) };
        assert_true(put_response(stage, i, &said, &answer.base_version, NULL));
        played_answer_all(&stage->store);
        assert_int_equal(view_looks_up(stage, 0, i, "", "b").reuse, GW_REUSE_FRESH);
    }
}

static void without_the_store_nothing_is_asked(void **state)
{
    struct stage *stage = *state;
    struct asked asked;
    struct gw_base_version base_version = { .kind = GW_BASE_ABSENT, .at_us = gw_clock_monotonic_us() };
    stage->store.is_up = false;
    assert_false(gw_redis_cache_is_up(stage->views[0].redis_cache));
    ask(stage, &asked, 1, "");
    assert_null(asked.question);
    end_asked(&asked);
    assert_false(put(stage, 1, "ETag: a", &base_version, NULL));
    stage->store.is_up = true;
    assert_true(gw_redis_cache_is_up(stage->views[0].redis_cache));
    stage->store.room = 0; /* too many are pending */
    ask(stage, &asked, 1, "");
    assert_null(asked.question);
    end_asked(&asked);
    assert_false(put(stage, 1, "ETag: a", &base_version, NULL));
}

static void before_the_log_of_bans_is_read_nothing_is_asked(void **state)
{
    struct stage *stage = *state;
    struct asked asked;
    stage->ban_log.is_current = false;
    assert_false(gw_redis_cache_is_up(stage->views[0].redis_cache));
    ask(stage, &asked, 1, "");
    assert_null(asked.question);
    end_asked(&asked);
    stage->ban_log.is_current = true;
    assert_true(gw_redis_cache_is_up(stage->views[0].redis_cache));
    assert_answers(stage, 1, "none");
}

static void a_lost_call_is_a_miss_and_nothing_seen(void **state)
{
    struct stage *stage = *state;
    struct asked asked;
    unsigned stored_count = 0;
    struct gw_base_version base_version = look_up(stage, 1, "", "none");
    assert_true(put(stage, 1, "ETag: a", &base_version, &stored_count));
    ask(stage, &asked, 1, "");
    played_lose_all(&stage->store);
    assert_int_equal(asked.answers, 1);
    assert_null(asked.answer.entry);
    assert_int_equal(asked.answer.base_version.kind, GW_BASE_UNKNOWN);
    assert_int_equal(stored_count, 1);
    end_asked(&asked);
}

static void a_cancelled_question_is_not_answered(void **state)
{
    struct stage *stage = *state;
    struct gw_cache_key key = key_of(1);
    struct asked asked, purge = { .answers = 0 };
    store(stage, 1, "ETag: a");
    ask(stage, &asked, 1, "");
    gw_redis_cache_cancel(&asked.question);
    assert_null(asked.question);
    purge.question = gw_redis_cache_invalidate(stage->views[0].redis_cache, &key, on_answer, &purge);
    gw_redis_cache_cancel(&purge.question);
    gw_redis_cache_cancel(&purge.question);
    played_answer_all(&stage->store);
    assert_int_equal(asked.answers, 0);
    assert_int_equal(purge.answers, 0);
    assert_int_equal(kind_of(stage, 1), GW_FRAME_TOMBSTONE); /* all the same */
    end_asked(&asked);
}

static void without_memory_stores_pause_and_look_ups_go_on(void **state)
{
    struct stage *stage = *state;
    store(stage, 1, "ETag: a");
    struct gw_base_version base_version = look_up(stage, 2, "", "none");
    assert_true(put(stage, 2, "ETag: a", &base_version, NULL));
    stage->store.fails_with = GW_STORE_OOM;
    played_answer_all(&stage->store);
    stage->store.fails_with = GW_STORE_INTEGERS;
    assert_null(stored(stage, 2));
    assert_false(put(stage, 2, "ETag: a", &base_version, NULL)); /* for five seconds */
    assert_int_equal(played_due(&stage->store), 0);
    assert_answers(stage, 1, "a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_one_stores_another_gets, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(the_age_is_what_the_store_says_is_gone, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(what_may_not_answer_is_seen_all_the_same, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(a_head_larger_than_this_instance_takes_is_none, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(what_is_no_longer_fresh_is_answered_with_its_verdict, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(races_end_as_the_versions_say, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(nothing_is_stored_over_what_was_not_seen, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(a_read_sent_before_an_invalidation_answers_and_does_not_fill, make_stage,
                                        free_stage),
        cmocka_unit_test_setup_teardown(a_store_and_a_tombstone_remove_it_from_the_memory_cache_when_sent, make_stage,
                                        free_stage),
        cmocka_unit_test_setup_teardown(a_mark_holds_as_long_as_it_lives, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(no_mark_drives_out_what_is_for_other_requests, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(a_mark_for_credentials_is_for_these_alone, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(what_does_not_parse_is_a_miss_and_leaves, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(a_deletion_takes_only_the_corrupt_value, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(what_a_ban_ends_is_a_miss_and_may_be_written_over, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(without_the_store_nothing_is_asked, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(before_the_log_of_bans_is_read_nothing_is_asked, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(a_lost_call_is_a_miss_and_nothing_seen, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(a_cancelled_question_is_not_answered, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(without_memory_stores_pause_and_look_ups_go_on, make_stage, free_stage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
