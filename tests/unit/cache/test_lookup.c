/* The look-up: each row of its table is walked. More of the fetch lock is in test_lookup_lock.c, and of purges meanwhile
 * in test_lookup_purge.c. */
#include "unit/cache/lookup_scene.h"

static bool walked[GW_LOOKUP_STATES][GW_LOOKUP_EVENTS];

/* Said beside what shows it. */
#define WALKS(in, when) (walked[GW_LOOKUP_##in][GW_LOOKUP_ON_##when] = true)

/* ---- looking ---- */

static void a_memory_hit_is_looked_at_once(void **state)
{
    (void)state;
    struct scene *scene = open_scene(false);
    struct visitor one;
    struct gw_entry *entry = entry_of(scene, FRESH);
    assert_true(gw_memory_cache_put(scene->memory_cache, entry, gw_memory_cache_epoch(scene->memory_cache, &key)));
    assert_false(looks(scene, 0, &one, ""));
    WALKS(IDLE, LOOKED);
    assert_is(&one, GW_LOOKUP_LOOKED);
    assert_ptr_equal(one.lookup.entry, entry);
    assert_int_equal(one.lookup.source, GW_LOOKUP_MEMORY);
    assert_int_equal(one.lookup.reuse, GW_REUSE_FRESH);
    gw_lookup_cancel(&one.lookup);
    gw_entry_unref(entry);
    close_scene(scene);
}

static void without_a_store_a_miss_leads_at_once_and_the_next_joins(void **state)
{
    (void)state;
    struct scene *scene = open_scene(false);
    struct visitor one, two, three;
    int fetch;
    assert_false(looks(scene, 0, &one, ""));
    assert_int_equal(claims(&one), GW_LOOKUP_LEAD);
    WALKS(LOOKED, CLAIMED);
    WALKS(CLAIMING, FETCHES);
    WALKS(LOCKING, DECIDED);
    assert_false(looks(scene, 0, &two, ""));
    assert_false(looks(scene, 1, &three, ""));
    gw_coalescing_set_fetch(one.lookup.lead.coalesced, &fetch);
    assert_int_equal(claims(&two), GW_LOOKUP_JOIN);
    WALKS(CLAIMING, DECIDED);
    assert_ptr_equal(two.lookup.fetch, &fetch);
    assert_int_equal(claims(&three), GW_LOOKUP_WAIT);
    WALKS(CLAIMING, FOLLOWS);
    assert_is(&three, GW_LOOKUP_WAITING);
    /* It is not for the second one: once more with others, which wait for nothing here, then alone. */
    gw_lookup_release(&two.lookup, true);
    assert_int_equal(claims(&two), GW_LOOKUP_JOIN);
    WALKS(DECIDED, CLAIMED);
    gw_lookup_release(&two.lookup, true);
    assert_int_equal(claims(&two), GW_LOOKUP_ALONE);
    gw_lead_finish(&one.lookup.lead);
    messages_come(&scene->parts[1].worker); /* nothing was stored: the other worker's leads */
    assert_told(&three, GW_LOOKUP_LEAD);
    WALKS(WAITING, WOKEN);
    WALKS(RETURNING, LOOKED);
    gw_lookup_cancel(&one.lookup);
    gw_lookup_cancel(&two.lookup);
    gw_lookup_cancel(&three.lookup);
    close_scene(scene);
}

/* Its answer may be a part. */
static void a_range_leads_no_other_request(void **state)
{
    (void)state;
    struct scene *scene = open_scene(false);
    struct visitor range, other;
    assert_false(looks(scene, 0, &range, "Range: bytes=0-1"));
    assert_int_equal(claims(&range), GW_LOOKUP_ALONE);
    assert_false(looks(scene, 0, &other, ""));
    assert_int_equal(claims(&other), GW_LOOKUP_LEAD);
    gw_lookup_cancel(&range.lookup);
    gw_lookup_cancel(&other.lookup);
    close_scene(scene);
}

static void what_another_worker_stored_between_look_and_claim_is_seen(void **state)
{
    static const struct row {
        const char *lies;
        enum gw_lookup_answer answer;
        unsigned refs; /* of the memory cache, and of the look-up */
    } rows[] = { { FRESH, GW_LOOKUP_ENTRY, 2 }, { STALE, GW_LOOKUP_LEAD, 1 }, { NULL, GW_LOOKUP_LEAD, 0 } };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct scene *scene = open_scene(false);
        struct visitor one;
        struct gw_entry *list[GW_MEMORY_CACHE_VARIANTS] = { NULL };
        assert_false(looks(scene, 0, &one, ""));
        if (rows[i].lies)
            lies_in_memory(scene, rows[i].lies);
        assert_int_equal(claims(&one), rows[i].answer);
        unsigned count = gw_memory_cache_list(scene->memory_cache, &key, list);
        assert_int_equal(count, rows[i].lies != NULL);
        if (count) {
            assert_int_equal(atomic_load(&list[0]->refs), rows[i].refs + 1);
            gw_entry_unref(list[0]);
        }
        gw_lookup_cancel(&one.lookup);
        close_scene(scene);
    }
}

static void what_lies_in_the_store_answers_is_confirmed_or_says_that_nothing_is_shared(void **state)
{
    static const struct row {
        const char *lies, *request;
        bool is_entry;
        enum gw_reuse reuse;
        enum gw_lookup_answer answer; /* once the store has answered the claim, too */
    } rows[] = {
        { FRESH, "", true, GW_REUSE_FRESH, GW_LOOKUP_ENTRY },
        { OLD, "", true, GW_REUSE_REVALIDATING, GW_LOOKUP_ENTRY },
        { STALE, "", false, GW_REUSE_NO, GW_LOOKUP_VALIDATE },
        { FRESH, "Cache-Control: no-cache", false, GW_REUSE_NO, GW_LOOKUP_VALIDATE },
        { FRESH, "Cache-Control: no-store", false, GW_REUSE_NO, GW_LOOKUP_ALONE },
        { FRESH, "Authorization: Basic x", false, GW_REUSE_NO, GW_LOOKUP_ALONE },
        { "", "", false, GW_REUSE_NO, GW_LOOKUP_ALONE },
        { NULL, "", false, GW_REUSE_NO, GW_LOOKUP_LEAD },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct scene *scene = open_scene(true);
        struct visitor one;
        elsewhere_stores(scene, rows[i].lies);
        bool is_asked = looks(scene, 0, &one, rows[i].request);
        if (is_asked) {
            WALKS(IDLE, ASKED);
            assert_is(&one, GW_LOOKUP_LOOKING);
            store_answers(scene);
            WALKS(LOOKING, LOOKED);
            assert_int_equal(one.looked, 1);
        }
        assert_is(&one, GW_LOOKUP_LOOKED);
        assert_int_equal(one.lookup.entry != NULL, rows[i].is_entry);
        if (rows[i].is_entry) {
            assert_int_equal(one.lookup.reuse, rows[i].reuse);
            assert_int_equal(one.lookup.source, GW_LOOKUP_STORE);
        } else {
            enum gw_lookup_answer answer = claims(&one);
            if (answer == GW_LOOKUP_WAIT) {
                store_answers(scene);
                assert_told(&one, rows[i].answer);
            } else {
                assert_int_equal(answer, rows[i].answer);
            }
        }
        gw_lookup_cancel(&one.lookup);
        close_scene(scene);
    }
}

/* ---- waiting for another instance ---- */

static void another_instance_is_waited_for_by_asking_for_the_lock_alone(void **state)
{
    (void)state;
    struct scene *scene = open_scene(true);
    struct visitor one;
    elsewhere_locks(scene);
    misses(scene, 0, &one);
    for (int i = 0; i < 5; i++) {
        store_answers(scene);
        assert_is(&one, GW_LOOKUP_PAUSING);
        WALKS(LOCKING, ELSEWHERE);
        unsigned made = scene->store.made;
        time_passes(&scene->parts[0].worker, 19);
        assert_int_equal(scene->store.made, made);
        time_passes(&scene->parts[0].worker, 31);
        assert_int_equal(scene->store.made, made + 1);
        assert_is(&one, GW_LOOKUP_LOCKING);
        WALKS(PAUSING, DUE);
    }
    elsewhere_stores(scene, FRESH);
    store_answers(scene);
    assert_told(&one, GW_LOOKUP_ENTRY);
    assert_int_equal(one.lookup.waited, GW_LOOKUP_WAITED_FOR_INSTANCE);
    assert_int_equal(gw_counter_read(&scene->shard.cache_collapsed_instances), 1);
    gw_lookup_cancel(&one.lookup);
    close_scene(scene);
}

/* ---- those that follow ---- */

static void followers_join_when_the_fetch_begins(void **state)
{
    (void)state;
    struct scene *scene = open_scene(true);
    struct visitor leader, here, there;
    int fetch;
    misses(scene, 0, &leader);
    misses(scene, 0, &here);
    misses(scene, 1, &there);
    assert_is(&here, GW_LOOKUP_WAITING);
    store_answers(scene);
    assert_told(&leader, GW_LOOKUP_LEAD);
    assert_int_equal(here.answers + there.answers, 0);
    gw_coalescing_set_fetch(leader.lookup.lead.coalesced, &fetch);
    assert_told(&here, GW_LOOKUP_JOIN);
    WALKS(WAITING, DECIDED);
    assert_ptr_equal(here.lookup.fetch, &fetch);
    assert_int_equal(there.answers, 0);
    elsewhere_stores(scene, FRESH); /* the fetch does */
    gw_lead_finish(&leader.lookup.lead);
    store_answers(scene);
    assert_told(&there, GW_LOOKUP_ENTRY);
    WALKS(RETURNING, DECIDED);
    assert_int_equal(there.lookup.waited, GW_LOOKUP_WAITED_FOR_PROCESS);
    gw_lookup_cancel(&leader.lookup);
    gw_lookup_cancel(&here.lookup);
    gw_lookup_cancel(&there.lookup);
    close_scene(scene);
}

static void what_the_leader_finds_in_the_store_answers_its_followers(void **state)
{
    (void)state;
    struct scene *scene = open_scene(true);
    struct visitor leader, here, there;
    misses(scene, 0, &leader);
    misses(scene, 0, &here);
    misses(scene, 1, &there);
    elsewhere_stores(scene, FRESH);
    store_answers(scene);
    assert_told(&leader, GW_LOOKUP_ENTRY);
    assert_told(&here, GW_LOOKUP_ENTRY);
    assert_told(&there, GW_LOOKUP_ENTRY);
    assert_ptr_equal(here.lookup.entry, leader.lookup.entry);
    gw_lookup_cancel(&leader.lookup);
    gw_lookup_cancel(&here.lookup);
    gw_lookup_cancel(&there.lookup);
    close_scene(scene);
}

/* It is for the leader what it is not for each follower: other directives, a moment later. */
static void what_the_leader_finds_is_judged_by_each_followers_own_rules(void **state)
{
    enum { SOON_S = 1, WHEN_STALE_S = 61 };
    static const struct row {
        const char *follower;
        unsigned after_s;
        bool is_taken; /* as it is handed over; else the follower looks again */
        enum gw_reuse reuse;
    } rows[] = {
        { "", SOON_S, true, GW_REUSE_FRESH },
        { "Cache-Control: max-age=0", SOON_S, false, GW_REUSE_NO },
        { "Cache-Control: no-cache", SOON_S, false, GW_REUSE_NO },
        { "Cache-Control: min-fresh=60", SOON_S, false, GW_REUSE_NO },
        { "", WHEN_STALE_S, false, GW_REUSE_NO },
        { "Cache-Control: max-stale", WHEN_STALE_S, true, GW_REUSE_STALE },
        { "Cache-Control: max-stale=9", WHEN_STALE_S, true, GW_REUSE_STALE },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct scene *scene = open_scene(true);
        struct visitor leader, follower;
        misses(scene, 0, &leader);
        arrives(scene, 1, &follower, rows[i].follower);
        assert_true(gw_lookup_begin(&follower.lookup, 0)); /* it waits for what is stored, too */
        played_answer(&scene->store, &scene->store.calls[scene->store.made - 1]);
        assert_int_equal(claims(&follower), GW_LOOKUP_WAIT);
        elsewhere_stores(scene, FRESH);
        while (!leader.answers)
            played_answer_all(&scene->store);
        assert_told(&leader, GW_LOOKUP_ENTRY);
        played_now_us += rows[i].after_s * UINT64_C(1000000);
        messages_come(&scene->parts[1].worker);
        if (rows[i].is_taken) {
            assert_told(&follower, GW_LOOKUP_ENTRY);
            assert_int_equal(follower.lookup.reuse, rows[i].reuse);
            assert_int_equal(follower.lookup.source, GW_LOOKUP_STORE); /* handed over, not found in memory since */
        } else {
            assert_is(&follower, GW_LOOKUP_RETURNING);
        }
        gw_lookup_cancel(&leader.lookup);
        gw_lookup_cancel(&follower.lookup);
        close_scene(scene);
    }
}

static void one_that_waited_too_long_is_alone(void **state)
{
    (void)state;
    struct scene *scene = open_scene(true);
    struct visitor leader, there, here;
    misses(scene, 0, &leader);
    misses(scene, 0, &here);
    misses(scene, 1, &there);
    time_passes(&scene->parts[1].worker, WAIT_MS);
    assert_told(&there, GW_LOOKUP_ALONE);
    WALKS(WAITING, LATE);
    played_now_us -= WAIT_MS * 1000;
    store_answers(scene);
    time_passes(&scene->parts[0].worker, WAIT_MS); /* the fetch of its own worker has not begun */
    assert_int_equal(here.answers, 0);
    time_passes(&scene->parts[0].worker, WAIT_MS);
    assert_told(&here, GW_LOOKUP_ALONE);
    gw_lookup_cancel(&leader.lookup);
    gw_lookup_cancel(&here.lookup);
    gw_lookup_cancel(&there.lookup);
    close_scene(scene);
}

/* ---- refreshes ---- */

static void a_refresh_leads_or_is_over(void **state)
{
    static const struct row {
        const char *lies;
        bool is_locked;
        enum gw_lookup_answer answer;
    } rows[] = { { STALE, false, GW_LOOKUP_VALIDATE }, { OLD, false, GW_LOOKUP_LEAD },
                 { NULL, false, GW_LOOKUP_LEAD },      { STALE, true, GW_LOOKUP_WAIT },
                 { FRESH, false, GW_LOOKUP_ENTRY },    { FRESH, true, GW_LOOKUP_ENTRY } };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct scene *scene = open_scene(true);
        struct visitor one;
        struct gw_lead lead, second;
        elsewhere_stores(scene, rows[i].lies);
        if (rows[i].is_locked)
            elsewhere_locks(scene);
        arrives(scene, 0, &one, "");
        assert_true(gw_lookup_refresh_asks(&scene->parts[0].lookups));
        assert_true(gw_lead_begin(&scene->parts[0].lookups, &key, &lead));
        assert_false(gw_lead_begin(&scene->parts[0].lookups, &key, &second));
        assert_int_equal(gw_lookup_refresh(&one.lookup, &lead), GW_LOOKUP_WAIT);
        WALKS(IDLE, REFRESHES);
        assert_is(&one, GW_LOOKUP_LOCKING);
        store_answers(scene);
        assert_told(&one, rows[i].answer);
        gw_lookup_cancel(&one.lookup);
        close_scene(scene);
    }
}

/* ---- cancelling ---- */

static void it_can_be_cancelled_in_every_state(void **state)
{
    (void)state;
    for (enum gw_lookup_state at = GW_LOOKUP_IDLE; at < GW_LOOKUP_STATES; at++) {
        struct scene *scene = open_scene(true);
        struct visitor one, other;
        bool is_second = at == GW_LOOKUP_WAITING || at == GW_LOOKUP_RETURNING;
        if (at == GW_LOOKUP_CLAIMING) { /* within a call */
            close_scene(scene);
            continue;
        }
        arrives(scene, 0, &one, "");
        arrives(scene, 1, &other, "");
        if (at == GW_LOOKUP_PAUSING)
            elsewhere_locks(scene);
        if (is_second)
            misses(scene, 1, &other);
        if (at >= GW_LOOKUP_CLAIMING)
            misses(scene, 0, &one);
        else if (at > GW_LOOKUP_IDLE)
            looks(scene, 0, &one, "");
        if (at == GW_LOOKUP_RETURNING) {
            gw_lookup_cancel(&other.lookup); /* the lead is passed on */
            messages_come(&scene->parts[0].worker);
            assert_non_null(one.lookup.lead.coalesced);
        }
        if (at == GW_LOOKUP_LOOKED || at == GW_LOOKUP_PAUSING || at == GW_LOOKUP_DECIDED)
            store_answers(scene);
        assert_is(&one, at);
        gw_lookup_cancel(&one.lookup);
        gw_lookup_cancel(&one.lookup);
        assert_is(&one, GW_LOOKUP_IDLE);
        gw_lookup_cancel(&other.lookup);
        store_answers(scene);
        time_passes(&scene->parts[0].worker, 2 * WAIT_MS);
        assert_int_equal(one.answers, at == GW_LOOKUP_DECIDED);
        assert_int_equal(lock_of(scene) != NULL, at == GW_LOOKUP_PAUSING);
        close_scene(scene);
    }
}

/* ---- the table ---- */

static void each_row_was_walked(void **state)
{
    static const struct {
        enum gw_lookup_state in, then;
        enum gw_lookup_event when;
    } rows[] = {
#define ROW(in, when, then, by) { GW_LOOKUP_##in, GW_LOOKUP_##then, GW_LOOKUP_ON_##when },
        GW_LOOKUP_MOVES(ROW)
#undef ROW
    };
    unsigned moves = 0;
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        if (!walked[rows[i].in][rows[i].when])
            fail_msg("%s by %d", gw_lookup_state_name(rows[i].in), (int)rows[i].when);
        assert_int_equal(gw_lookup_next(rows[i].in, rows[i].when), rows[i].then);
    }
    for (int in = 0; in < GW_LOOKUP_STATES; in++)
        for (int when = 0; when < GW_LOOKUP_EVENTS; when++) {
            enum gw_lookup_state then = gw_lookup_next((enum gw_lookup_state)in, (enum gw_lookup_event)when);
            moves += then != GW_LOOKUP_STATES;
            assert_true(then != GW_LOOKUP_STATES || !walked[in][when]);
        }
    assert_int_equal(moves, GW_COUNT(rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_memory_hit_is_looked_at_once),
        cmocka_unit_test(without_a_store_a_miss_leads_at_once_and_the_next_joins),
        cmocka_unit_test(a_range_leads_no_other_request),
        cmocka_unit_test(what_another_worker_stored_between_look_and_claim_is_seen),
        cmocka_unit_test(what_lies_in_the_store_answers_is_confirmed_or_says_that_nothing_is_shared),
        cmocka_unit_test(another_instance_is_waited_for_by_asking_for_the_lock_alone),
        cmocka_unit_test(followers_join_when_the_fetch_begins),
        cmocka_unit_test(what_the_leader_finds_in_the_store_answers_its_followers),
        cmocka_unit_test(what_the_leader_finds_is_judged_by_each_followers_own_rules),
        cmocka_unit_test(one_that_waited_too_long_is_alone),
        cmocka_unit_test(a_refresh_leads_or_is_over),
        cmocka_unit_test(it_can_be_cancelled_in_every_state),
        cmocka_unit_test(each_row_was_walked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
