#include "unit/fetch/redis_stage.h"

/* The questions to the store before a backend is asked, and the fetch that begins with their answers: the fetch lock,
 * and the stored value if something has changed. */

#define FRESH "Cache-Control: max-age=60\nETag: \"1\"\n"

static void says_all_of_it(struct stage *stage, size_t bytes)
{
    says_head(stage, 200, "Cache-Control: max-age=60\n", (long)bytes);
    says_body(stage, bytes);
    ends(stage);
}

/* The one attempt that was made is answered, and its answer lies in the store. */
static void fetches_and_stores(struct together *both)
{
    assert_int_equal(both->stage->attempt_count, 1);
    says_all_of_it(both->stage, 50);
    store_answers(both);
    assert_there(both, FRESH_THERE);
}

/* ---- which request fetches ---- */

static void a_leader_takes_the_lock_and_asks_the_backend(void **state)
{
    (void)state;
    struct together *both = set_up_together();
    struct stage *stage = both->stage;
    struct listener one = new_listener();
    miss(both, &one);
    assert_int_equal(stage->attempt_count, 0);
    assert_int_equal(both->store.made, 1);
    assert_int_equal(both->store.calls[0].kind, PLAYED_FETCH_LOCK); /* its answer says whether to look again */
    store_answers(both);
    assert_int_equal(both->store.made, 1);
    assert_int_equal(stage->attempt_count, 1);
    assert_non_null(lock_of(both));
    assert_false(is_locked_elsewhere(both));
    says_all_of_it(stage, 50);
    assert_heard(&one, "200 end", 50); /* the store does not delay the answer */
    assert_non_null(joinable(stage));  /* a request that comes now reads along, until the store has acknowledged */
    assert_non_null(lock_of(both));
    store_answers(both);
    assert_null(joinable(stage));
    assert_true(is_idle(stage));
    store_answers(both);
    assert_null(lock_of(both));
    assert_there(both, FRESH_THERE);
    tear_down_together(both);
}

static void the_lock_is_kept_while_the_backend_is_slow(void **state)
{
    (void)state;
    struct together *both = set_up_together();
    struct listener one = new_listener();
    miss(both, &one);
    store_answers(both);
    for (int i = 0; i < 20; i++) {
        lock_of(both)->left_ms = 0; /* set again by each renewal */
        passes(both->stage, GW_FETCH_LOCK_MS / 2);
        store_answers(both);
        assert_int_equal(lock_of(both)->left_ms, GW_FETCH_LOCK_MS);
    }
    leaves(&one);
    fails(both->stage, GW_ERROR_RESPONSE_TIMEOUT);
    store_answers(both);
    assert_null(lock_of(both));
    tear_down_together(both);
}

/* No body is read meanwhile: the lock's script says when there is a new one. */
static void where_the_lock_is_elsewhere_it_waits_and_is_handed_what_another_stored(void **state)
{
    (void)state;
    struct together *both = set_up_together();
    struct stage *stage = both->stage;
    struct listener one = new_listener(), two = new_listener(), not_for = new_listener();
    struct gw_cache_request wants_longer;
    another_takes_the_lock(both);
    miss(both, &one);
    miss(both, &two);
    wants_longer = stage->request.cache;
    wants_longer.min_fresh = 1000;
    visits(both, &not_for, &wants_longer, &one.lookup.lead.base_version);
    for (int look = 0; look < 5; look++) {
        unsigned made = both->store.made;
        store_answers(both);
        assert_int_equal(both->store.made, made);
        passes(stage, 19); /* every 20 to 50 ms */
        assert_int_equal(both->store.made, made);
        passes(stage, 31);
        assert_int_equal(both->store.made, made + 1);
        assert_heard(&one, "", 0);
    }
    elsewhere_stores(both, FRESH, -30);
    store_answers(both);
    assert_heard(&one, "from_store", STORED_BYTES);
    assert_heard(&two, "from_store", STORED_BYTES);
    assert_ptr_equal(one.entry, two.entry);
    assert_int_equal(stage->attempt_count, 0);
    assert_null(one.reader.backend);
    assert_int_equal(one.reader.upstream_status, 0);
    assert_int_equal(gw_counter_read(&stage->shard.cache_collapsed_instances), 2); /* a reader is one */
    assert_heard(&not_for, "", 0); /* this reader leads now, and waits for the lock itself */
    leaves(&not_for);
    assert_true(no_request_leads(both));
    store_answers(both);
    assert_true(is_locked_elsewhere(both));
    let_go(&one);
    let_go(&two);
    tear_down_together(both);
}

static void what_was_stored_since_its_own_look_up_answers_without_a_wait(void **state)
{
    (void)state;
    struct together *both = set_up_together();
    struct listener one = new_listener();
    elsewhere_stores(both, FRESH, -30);
    miss(both, &one);
    store_answers(both);
    assert_heard(&one, "from_store", STORED_BYTES);
    assert_int_equal(gw_counter_read(&both->stage->shard.cache_collapsed_instances), 0); /* no reader waited */
    store_answers(both);
    assert_null(lock_of(both));
    let_go(&one);
    tear_down_together(both);
}

/* Whatever lies there then: a fetch that was under way during the purge stores nothing any more. */
static void what_was_purged_while_it_waited_is_seen(void **state)
{
    (void)state;
    struct together *both = set_up_together();
    struct listener one = new_listener();
    another_takes_the_lock(both);
    miss(both, &one);
    store_answers(both);
    elsewhere_purges(both);
    the_others_lock_expires(both);
    fetches_and_stores(both); /* over the tombstone, since it was fetched after it */
    tear_down_together(both);
}

static void where_the_other_gives_up_it_takes_the_lock_itself(void **state)
{
    (void)state;
    struct together *both = set_up_together();
    struct listener one = new_listener();
    another_takes_the_lock(both);
    miss(both, &one);
    store_answers(both);
    the_others_lock_expires(both); /* its process was killed */
    assert_non_null(lock_of(both));
    fetches_and_stores(both);
    tear_down_together(both);
}

static void it_waits_for_another_no_longer_than_flight_wait(void **state)
{
    (void)state;
    struct together *both = set_up_together();
    struct stage *stage = both->stage;
    struct listener one = new_listener(), two = new_listener();
    another_takes_the_lock(both);
    miss(both, &one);
    miss(both, &two);
    uint64_t began_us = played_now_us;
    while (stage->attempt_count == 0) {
        assert_true(played_now_us - began_us < 2000000);
        store_answers(both);
        passes(stage, 5);
    }
    assert_in_range((played_now_us - began_us) / 1000, 1000, 1060);
    assert_non_null(joinable(stage)); /* a request that comes here still shares it */
    says_all_of_it(stage, 50);
    assert_heard(&one, "200 end", 50);
    assert_heard(&two, "200 end", 50);
    store_answers(both);
    assert_there(both, FRESH_THERE);
    assert_true(is_locked_elsewhere(both)); /* never another's lock */
    tear_down_together(both);
}

/* ---- the store's failures ---- */

static void after_the_stores_silence_the_backend_is_asked(void **state)
{
    (void)state;
    for (int looks = 0; looks < 3; looks++) { /* the number of looks that were answered before */
        struct together *both = set_up_together();
        struct stage *stage = both->stage;
        struct listener one = new_listener();
        if (looks)
            another_takes_the_lock(both);
        miss(both, &one);
        for (int i = 0; i < looks; i++) {
            unsigned made = both->store.made;
            store_answers(both);
            while (both->store.made == made)
                passes(stage, 1);
        }
        passes(stage, 49);
        assert_int_equal(stage->attempt_count, 0);
        passes(stage, 1);
        assert_int_equal(stage->attempt_count, 1);
        store_answers(both); /* too late: the answer is dropped, and the lock that was taken is given back */
        store_answers(both);
        assert_int_equal(is_locked_elsewhere(both), looks > 0);
        assert_int_equal(lock_of(both) != NULL, looks > 0);
        says_all_of_it(stage, 50);
        assert_heard(&one, "200 end", 50);
        store_answers(both);
        assert_there(both, FRESH_THERE); /* over the version that the earlier look-up saw */
        tear_down_together(both);
    }
}

static void without_the_store_the_backend_is_asked_at_once(void **state)
{
    (void)state;
    for (unsigned room = 0; room < 3; room++) { /* calls that the store takes; 2: it is not connected */
        struct together *both = set_up_together();
        struct listener one = new_listener();
        struct gw_base_version base_version = { .kind = room == 1 ? GW_BASE_UNKNOWN : GW_BASE_ABSENT,
                                                .at_us = played_now_us };
        both->store.room = room; /* 1: for the lock, but not for a look behind it */
        both->store.is_up = room < 2;
        allow_storing(both->stage);
        visits(both, &one, &both->stage->request.cache, &base_version);
        assert_int_equal(both->stage->attempt_count, 1);
        both->store.room = PLAYED_CALLS;
        both->store.is_up = true;
        store_answers(both);
        store_answers(both);
        assert_null(lock_of(both));
        leaves(&one);
        fails(both->stage, GW_ERROR_RESPONSE_TIMEOUT);
        tear_down_together(both);
    }
}

static void a_lost_connection_to_the_store_is_no_reason_to_wait(void **state)
{
    (void)state;
    struct together *both = set_up_together();
    struct listener one = new_listener();
    miss(both, &one);
    played_lose_all(&both->store);
    assert_int_equal(both->stage->attempt_count, 1);
    says_all_of_it(both->stage, 50);
    assert_heard(&one, "200 end", 50);
    assert_true(is_idle(both->stage));
    tear_down_together(both);
}

/* If Redis did not know the script yet, the lock comes after the look: the value that was seen may be older than the
 * lock. */
static void a_lock_that_comes_behind_the_look_looks_once_more(void **state)
{
    (void)state;
    struct together *both = set_up_together();
    struct listener one = new_listener();
    unseen(both, &one);
    assert_int_equal(both->store.calls[0].kind, PLAYED_FETCH_LOCK); /* what the last holder stored is seen behind it */
    played_answer(&both->store, &both->store.calls[1]);
    assert_int_equal(both->stage->attempt_count, 0);
    elsewhere_stores(both, FRESH, -30);
    played_answer(&both->store, &both->store.calls[0]);
    assert_heard(&one, "", 0);
    store_answers(both);
    assert_heard(&one, "from_store", STORED_BYTES);
    assert_int_equal(both->stage->attempt_count, 0);
    let_go(&one);
    tear_down_together(both);
}

/* ---- not to be shared ---- */

static void hit_for_miss_found_while_looking_asks_alone(void **state)
{
    (void)state;
    struct together *both = set_up_together();
    struct stage *stage = both->stage;
    struct listener one = new_listener(), two = new_listener();
    elsewhere_marks(both);
    miss(both, &one);
    miss(both, &two);
    store_answers(both); /* the value has changed: it is the mark now */
    assert_heard(&one, "", 0);
    assert_int_equal(stage->attempt_count, 1);
    assert_null(joinable(stage));
    store_answers(both); /* the other has looked, too */
    assert_heard(&two, "", 0);
    assert_int_equal(stage->attempt_count, 2);
    assert_null(joinable(stage));
    assert_null(lock_of(both));
    says_head(stage, 200, "Cache-Control: private\n", 3);
    says_body(stage, 3);
    ends(stage);
    assert_heard(&two, "200 end", 3);
    leaves(&one);
    tear_down_together(both);
}

static void hit_for_miss_for_a_leader_that_has_left_is_found_by_the_next(void **state)
{
    (void)state;
    struct together *both = set_up_together();
    struct listener one = new_listener(), two = new_listener();
    elsewhere_marks(both);
    miss(both, &one);
    miss(both, &two);
    leaves(&one);
    store_answers(both); /* the lead is handed on: the new leader looks */
    store_answers(both);
    assert_int_equal(both->stage->attempt_count, 1);
    assert_true(no_request_leads(both));
    leaves(&two);
    assert_true(is_idle(both->stage));
    tear_down_together(both);
}

static void an_answer_that_may_not_be_stored_is_marked_for_all_instances(void **state)
{
    (void)state;
    struct together *both = set_up_together();
    struct listener one = new_listener();
    miss(both, &one);
    store_answers(both);
    says_head(both->stage, 200, "Cache-Control: no-store\n", 0);
    ends(both->stage);
    store_answers(both);
    assert_there(both, MARK_THERE);
    tear_down_together(both);
}

/* A mark does not replace an index, because then all variants would end. */
static void an_answer_that_may_not_be_stored_ends_what_lies_in_the_store(void **state)
{
    static const char *const stored[] = { FRESH, FRESH "Vary: Accept\n" };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(stored); i++) {
        struct together *both = set_up_together();
        struct listener one = new_listener();
        elsewhere_stores(both, stored[i], 5);
        assert_there(both, STALE_THERE);
        miss(both, &one);
        store_answers(both);
        says_head(both->stage, 200, "Cache-Control: no-store\n", 0);
        ends(both->stage);
        store_answers(both);
        assert_heard(&one, "200 end", 0);
        assert_there(both, i ? NOTHING_THERE : MARK_THERE);
        tear_down_together(both);
    }
}

static void an_answer_never_of_use_without_validation_is_stored_for_all_and_marked_here_alone(void **state)
{
    (void)state;
    struct together *both = set_up_together();
    struct stage *stage = both->stage;
    struct listener one = new_listener(), two = new_listener();
    miss(both, &one);
    miss(both, &two);
    store_answers(both);
    says_head(stage, 200, "Cache-Control: no-cache\nETag: \"1\"\n", 50);
    assert_heard(&two, "released", 0);
    assert_memory_cache(stage, MEMORY_CACHE_MARK);
    store_answers(both);
    assert_there(both, NOTHING_THERE);
    says_body(stage, 50);
    ends(stage);
    store_answers(both);
    assert_heard(&one, "200 end", 50);
    assert_there(both, STALE_THERE);
    tear_down_together(both);
}

/* ---- what lies there is stale ---- */

static void stale_in_the_store_it_is_confirmed_and_stored_over_what_was_seen(void **state)
{
    (void)state;
    struct together *both = set_up_together();
    struct stage *stage = both->stage;
    struct listener one = new_listener();
    elsewhere_stores(both, FRESH, 5);
    assert_there(both, STALE_THERE);
    miss(both, &one); /* from before that */
    store_answers(both);
    assert_non_null(strstr(last_attempt(stage)->fields, "If-None-Match: \"1\"\r\n"));
    says_head(stage, 304, "Cache-Control: max-age=60\n", 0);
    ends(stage);
    assert_heard(&one, "from_validated", STORED_BYTES);
    store_answers(both);
    assert_there(both, FRESH_THERE);
    let_go(&one);
    tear_down_together(both);
}

static void stale_in_the_store_it_answers_where_the_backend_fails(void **state)
{
    (void)state;
    struct together *both = set_up_together();
    struct listener one = new_listener();
    both->stage->config.retries = 0;
    elsewhere_stores(both, FRESH, 5);
    miss(both, &one);
    store_answers(both);
    fails(both->stage, GW_ERROR_CONNECT);
    assert_heard(&one, "from_error", STORED_BYTES);
    let_go(&one);
    tear_down_together(both);
}

static void the_bans_that_count_are_those_from_before_the_backend_was_asked(void **state)
{
    static const struct gw_ban ban = { .kind = GW_BAN_TAG, .text = { "tag", 3 } };
    (void)state;
    struct together *both = set_up_together();
    struct listener one = new_listener();
    struct gw_bans *bans = both->stage->fetcher.bans = gw_bans_create();
    miss(both, &one);
    assert_true(gw_bans_add(bans, &ban, 1000)); /* while it looks: a value that comes after the ban is newer */
    uint64_t sequence = gw_bans_sequence(bans);
    store_answers(both);
    assert_true(gw_bans_add(bans, &ban, 2000));
    says_all_of_it(both->stage, 50);
    store_answers(both);
    struct gw_redis_cache_answer answer = elsewhere_looks(both);
    assert_non_null(answer.entry);
    assert_int_equal(answer.entry->ban_sequence, sequence);
    gw_entry_unref(answer.entry);
    gw_bans_destroy(&bans);
    tear_down_together(both);
}

/* ---- which requests wait ---- */

static void the_last_reader_that_leaves_while_it_looks_ends_it(void **state)
{
    (void)state;
    for (int elsewhere = 0; elsewhere < 3; elsewhere++) { /* 1: before the answers, 2: between two looks */
        struct together *both = set_up_together();
        struct stage *stage = both->stage;
        struct listener one = new_listener(), two = new_listener();
        if (elsewhere)
            another_takes_the_lock(both);
        miss(both, &one);
        miss(both, &two);
        if (elsewhere == 2)
            store_answers(both);
        leaves(&one);
        assert_false(no_request_leads(both));
        leaves(&two);
        assert_true(is_idle(stage));
        assert_true(no_request_leads(both));
        store_answers(both);
        store_answers(both);
        passes(stage, 2000);
        assert_int_equal(stage->attempt_count, 0);
        assert_int_equal(lock_of(both) != NULL, elsewhere > 0);
        tear_down_together(both);
    }
}

static void the_first_may_leave_and_the_others_are_handed_what_is_found(void **state)
{
    (void)state;
    struct together *both = set_up_together();
    struct listener one = new_listener(), two = new_listener();
    elsewhere_stores(both, FRESH, -30);
    miss(both, &one);
    miss(both, &two);
    leaves(&one);
    store_answers(both); /* the lead is handed on */
    store_answers(both);
    assert_heard(&two, "from_store", STORED_BYTES);
    let_go(&two);
    tear_down_together(both);
}

static void a_request_that_has_not_seen_the_store_looks_though_it_leads_nothing(void **state)
{
    (void)state;
    for (int base_version = 0; base_version < 2; base_version++) {
        struct together *both = set_up_together();
        struct listener one = new_listener();
        struct gw_base_version saw = { .kind = base_version ? GW_BASE_ABSENT : GW_BASE_UNKNOWN,
                                       .at_us = played_now_us };
        allow_storing(both->stage);
        struct gw_cache_request alone = both->stage->request.cache;
        alone.may_join = false;
        visits(both, &one, &alone, &saw);
        assert_int_equal(both->store.made, !base_version); /* no lock: no reader waits for it */
        assert_int_equal(both->stage->attempt_count, base_version);
        store_answers(both);
        fetches_and_stores(both);
        tear_down_together(both);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_leader_takes_the_lock_and_asks_the_backend),
        cmocka_unit_test(the_lock_is_kept_while_the_backend_is_slow),
        cmocka_unit_test(where_the_lock_is_elsewhere_it_waits_and_is_handed_what_another_stored),
        cmocka_unit_test(what_was_stored_since_its_own_look_up_answers_without_a_wait),
        cmocka_unit_test(what_was_purged_while_it_waited_is_seen),
        cmocka_unit_test(where_the_other_gives_up_it_takes_the_lock_itself),
        cmocka_unit_test(it_waits_for_another_no_longer_than_flight_wait),
        cmocka_unit_test(after_the_stores_silence_the_backend_is_asked),
        cmocka_unit_test(without_the_store_the_backend_is_asked_at_once),
        cmocka_unit_test(a_lost_connection_to_the_store_is_no_reason_to_wait),
        cmocka_unit_test(a_lock_that_comes_behind_the_look_looks_once_more),
        cmocka_unit_test(hit_for_miss_found_while_looking_asks_alone),
        cmocka_unit_test(hit_for_miss_for_a_leader_that_has_left_is_found_by_the_next),
        cmocka_unit_test(an_answer_that_may_not_be_stored_is_marked_for_all_instances),
        cmocka_unit_test(an_answer_that_may_not_be_stored_ends_what_lies_in_the_store),
        cmocka_unit_test(an_answer_never_of_use_without_validation_is_stored_for_all_and_marked_here_alone),
        cmocka_unit_test(stale_in_the_store_it_is_confirmed_and_stored_over_what_was_seen),
        cmocka_unit_test(stale_in_the_store_it_answers_where_the_backend_fails),
        cmocka_unit_test(the_bans_that_count_are_those_from_before_the_backend_was_asked),
        cmocka_unit_test(the_last_reader_that_leaves_while_it_looks_ends_it),
        cmocka_unit_test(the_first_may_leave_and_the_others_are_handed_what_is_found),
        cmocka_unit_test(a_request_that_has_not_seen_the_store_looks_though_it_leads_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
