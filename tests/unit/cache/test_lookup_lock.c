/* The look-up of a leader: it asks the store for the fetch lock, and waits neither for a silent store nor for another
 * instance longer than it may. */
#include "unit/cache/lookup_scene.h"

/* ---- the lock ---- */

static void a_miss_asks_for_the_lock_once_and_reads_nothing_again(void **state)
{
    (void)state;
    struct scene *scene = open_scene(true);
    struct visitor one;
    misses(scene, 0, &one);
    assert_is(&one, GW_LOOKUP_LOCKING);
    assert_int_equal(scene->store.made, 2); /* a look (PTTL and GET are one call here), and the lock */
    store_answers(scene);
    assert_told(&one, GW_LOOKUP_LEAD);
    assert_int_equal(scene->store.made, 2);
    assert_non_null(lock_of(scene));
    gw_lead_finish(&one.lookup.lead);
    store_answers(scene);
    assert_null(lock_of(scene));
    gw_lookup_cancel(&one.lookup);
    close_scene(scene);
}

static void where_something_else_lies_there_by_now_it_looks_again(void **state)
{
    static const struct row {
        const char *lies;
        bool is_stored;
        enum gw_lookup_answer answer;
    } rows[] = { { FRESH, false, GW_LOOKUP_ENTRY },
                 { STALE, true, GW_LOOKUP_VALIDATE },
                 { OLD, true, GW_LOOKUP_LEAD }, /* it asks anyway, and has no validator */
                 { "", false, GW_LOOKUP_ALONE },
                 { NULL, false, GW_LOOKUP_LEAD } };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct scene *scene = open_scene(true);
        struct visitor one;
        misses(scene, 0, &one);
        elsewhere_stores(scene, rows[i].lies);
        store_answers(scene);
        assert_told(&one, rows[i].answer);
        assert_int_equal(one.lookup.lead.stored != NULL, rows[i].is_stored);
        assert_int_equal(one.lookup.lead.lock != NULL,
                         rows[i].answer == GW_LOOKUP_LEAD || rows[i].answer == GW_LOOKUP_VALIDATE);
        gw_lookup_cancel(&one.lookup);
        close_scene(scene);
    }
}

/* Redis that is slow, and not silent, has its whole time for each question. */
static void the_second_look_has_its_own_time(void **state)
{
    (void)state;
    struct scene *scene = open_scene(true);
    struct visitor one;
    misses(scene, 0, &one);
    struct gw_store_call *lock = &scene->store.calls[scene->store.made - 1];
    elsewhere_stores(scene, FRESH);
    time_passes(&scene->parts[0].worker, TIMEOUT_MS - 1);
    unsigned made = scene->store.made;
    played_answer(&scene->store, lock); /* something else lies there */
    assert_int_equal(scene->store.made, made + 1);
    time_passes(&scene->parts[0].worker, TIMEOUT_MS - 1);
    assert_is(&one, GW_LOOKUP_LOCKING);
    store_answers(scene);
    assert_told(&one, GW_LOOKUP_ENTRY);
    gw_lookup_cancel(&one.lookup);
    close_scene(scene);
}

static void another_instance_is_waited_for_no_longer_than_flight_wait(void **state)
{
    (void)state;
    struct scene *scene = open_scene(true);
    struct visitor one;
    elsewhere_locks(scene);
    misses(scene, 0, &one);
    uint64_t began_us = played_now_us;
    while (!one.answers) {
        store_answers(scene);
        time_passes(&scene->parts[0].worker, 5);
        assert_true(played_now_us - began_us < 2 * WAIT_MS * 1000);
    }
    assert_in_range((played_now_us - began_us) / 1000, WAIT_MS, WAIT_MS + 60);
    assert_told(&one, GW_LOOKUP_LEAD);
    assert_null(one.lookup.lead.lock);
    gw_lookup_cancel(&one.lookup);
    close_scene(scene);
}

static void a_key_whose_answers_are_not_shared_waits_for_no_other_instance(void **state)
{
    (void)state;
    struct scene *scene = open_scene(true);
    struct visitor one;
    elsewhere_locks(scene);
    misses(scene, 0, &one);
    elsewhere_stores(scene, ""); /* and it has the lock still */
    store_answers(scene);
    assert_told(&one, GW_LOOKUP_ALONE);
    gw_lookup_cancel(&one.lookup);
    close_scene(scene);
}

static void a_reload_waits_for_no_other_instance(void **state)
{
    (void)state;
    struct scene *scene = open_scene(true);
    struct visitor one;
    elsewhere_locks(scene);
    looks(scene, 0, &one, "Cache-Control: no-cache");
    store_answers(scene);
    assert_int_equal(claims(&one), GW_LOOKUP_LEAD);
    gw_lookup_cancel(&one.lookup);
    close_scene(scene);
}

/* ---- a silent store ---- */

static void a_silent_store_is_waited_for_once(void **state)
{
    (void)state;
    struct scene *scene = open_scene(true);
    struct visitor looking, locking, returning, leader;
    looks(scene, 0, &looking, "");
    gw_lookup_give_up(&looking.lookup); /* the owner's deadline */
    assert_is(&looking, GW_LOOKUP_LOOKED);
    unsigned made = scene->store.made;
    assert_int_equal(claims(&looking), GW_LOOKUP_LEAD);
    assert_int_equal(scene->store.made, made);
    assert_int_equal(looking.looked, 0);
    gw_lookup_cancel(&looking.lookup);
    misses(scene, 0, &locking);
    time_passes(&scene->parts[0].worker, TIMEOUT_MS - 1);
    assert_int_equal(locking.answers, 0);
    time_passes(&scene->parts[0].worker, 1);
    assert_told(&locking, GW_LOOKUP_LEAD);
    made = scene->store.made;
    gw_lookup_release(&locking.lookup, true);
    assert_int_equal(claims(&locking), GW_LOOKUP_LEAD);
    assert_int_equal(scene->store.made, made);
    gw_lookup_cancel(&locking.lookup);
    store_answers(scene); /* too late: what was taken is given back */
    assert_null(lock_of(scene));
    misses(scene, 1, &leader);
    misses(scene, 0, &returning);
    gw_lead_finish(&leader.lookup.lead);
    messages_come(&scene->parts[0].worker);
    assert_is(&returning, GW_LOOKUP_RETURNING);
    time_passes(&scene->parts[0].worker, TIMEOUT_MS);
    assert_told(&returning, GW_LOOKUP_LEAD);
    gw_lookup_cancel(&returning.lookup);
    gw_lookup_cancel(&leader.lookup);
    close_scene(scene);
}

static void after_a_wait_for_another_fetch_a_silent_store_is_asked_again(void **state)
{
    (void)state;
    struct scene *scene = open_scene(true);
    struct visitor leader, waits;
    misses(scene, 0, &leader);
    looks(scene, 1, &waits, "");
    gw_lookup_give_up(&waits.lookup);
    assert_int_equal(claims(&waits), GW_LOOKUP_WAIT);
    store_answers(scene);
    elsewhere_stores(scene, FRESH); /* the fetch does */
    gw_lead_finish(&leader.lookup.lead);
    messages_come(&scene->parts[1].worker);
    assert_is(&waits, GW_LOOKUP_RETURNING);
    store_answers(scene);
    assert_told(&waits, GW_LOOKUP_ENTRY);
    gw_lookup_cancel(&leader.lookup);
    gw_lookup_cancel(&waits.lookup);
    close_scene(scene);
}

/* The whole may be stored, but over nothing unknown. */
static void a_range_asks_over_what_its_answer_would_be_stored(void **state)
{
    (void)state;
    struct scene *scene = open_scene(true);
    struct visitor one;
    scene->store.is_up = false;
    assert_false(looks(scene, 0, &one, "Range: bytes=0-1"));
    scene->store.is_up = true;
    assert_int_equal(claims(&one), GW_LOOKUP_WAIT);
    assert_int_equal(one.lookup.lead.base_version.kind, GW_BASE_UNKNOWN);
    store_answers(scene);
    assert_told(&one, GW_LOOKUP_ALONE);
    assert_int_equal(one.lookup.lead.base_version.kind, GW_BASE_ABSENT);
    gw_lookup_cancel(&one.lookup);
    close_scene(scene);
}

static void a_store_that_is_away_is_not_asked(void **state)
{
    (void)state;
    struct scene *scene = open_scene(true);
    struct visitor one;
    scene->store.is_up = false;
    assert_false(looks(scene, 0, &one, ""));
    assert_int_equal(claims(&one), GW_LOOKUP_LEAD);
    gw_lookup_cancel(&one.lookup);
    scene->store.is_up = true;
    misses(scene, 0, &one);
    played_lose_all(&scene->store); /* the lock's answer is lost with the connection */
    assert_told(&one, GW_LOOKUP_LEAD);
    gw_lookup_cancel(&one.lookup);
    close_scene(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_miss_asks_for_the_lock_once_and_reads_nothing_again),
        cmocka_unit_test(where_something_else_lies_there_by_now_it_looks_again),
        cmocka_unit_test(the_second_look_has_its_own_time),
        cmocka_unit_test(another_instance_is_waited_for_no_longer_than_flight_wait),
        cmocka_unit_test(a_key_whose_answers_are_not_shared_waits_for_no_other_instance),
        cmocka_unit_test(a_reload_waits_for_no_other_instance),
        cmocka_unit_test(a_silent_store_is_waited_for_once),
        cmocka_unit_test(after_a_wait_for_another_fetch_a_silent_store_is_asked_again),
        cmocka_unit_test(a_range_asks_over_what_its_answer_would_be_stored),
        cmocka_unit_test(a_store_that_is_away_is_not_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
