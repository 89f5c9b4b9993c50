/* A purge while a look-up is under way: what was seen before is not confirmed, and the answer does not get into memory. */
#include "unit/cache/lookup_scene.h"

static void without_a_store_what_was_purged_during_a_wait_is_not_confirmed(void **state)
{
    (void)state;
    struct scene *scene = open_scene(false);
    struct visitor leader, waits;
    lies_in_memory(scene, STALE);
    assert_false(looks(scene, 0, &leader, ""));
    assert_int_equal(claims(&leader), GW_LOOKUP_VALIDATE);
    assert_false(looks(scene, 1, &waits, ""));
    assert_non_null(waits.lookup.lead.stored);
    assert_int_equal(claims(&waits), GW_LOOKUP_WAIT);
    gw_memory_cache_invalidate(scene->memory_cache, &key);
    gw_lookup_cancel(&leader.lookup);
    messages_come(&scene->parts[1].worker);
    assert_told(&waits, GW_LOOKUP_LEAD);
    assert_null(waits.lookup.lead.stored);
    gw_lookup_cancel(&waits.lookup);
    close_scene(scene);
}

static void a_purge_by_tag_between_look_and_claim_ends_what_was_seen(void **state)
{
    static const struct gw_ban all = { .kind = GW_BAN_ALL };
    (void)state;
    struct scene *scene = open_scene(true);
    struct visitor one;
    elsewhere_stores(scene, STALE);
    looks(scene, 0, &one, "");
    store_answers(scene);
    assert_non_null(one.lookup.lead.stored);
    assert_true(gw_bans_add(scene->bans, &all, 1000));
    assert_int_equal(claims(&one), GW_LOOKUP_WAIT);
    store_answers(scene);
    assert_told(&one, GW_LOOKUP_LEAD);
    assert_null(one.lookup.lead.stored);
    gw_lookup_cancel(&one.lookup);
    close_scene(scene);
}

static void the_epoch_is_that_of_the_look_that_saw_what_is_stored(void **state)
{
    (void)state;
    struct scene *scene = open_scene(true);
    struct visitor leader, waits;
    elsewhere_stores(scene, STALE);
    has_seen(scene, 0, &leader, "");
    has_seen(scene, 1, &waits, "");
    assert_non_null(waits.lookup.lead.stored);
    uint64_t epoch = waits.lookup.lead.epoch;
    assert_int_equal(claims(&leader), GW_LOOKUP_WAIT);
    assert_int_equal(claims(&waits), GW_LOOKUP_WAIT);
    store_answers(scene);
    gw_memory_cache_invalidate(scene->memory_cache, &key);
    scene->store.is_up = false; /* so what it saw before the purge is all that it knows */
    gw_lead_finish(&leader.lookup.lead);
    messages_come(&scene->parts[1].worker);
    assert_told(&waits, GW_LOOKUP_VALIDATE);
    assert_int_equal(waits.lookup.lead.epoch, epoch);
    assert_int_not_equal(gw_memory_cache_epoch(scene->memory_cache, &key), epoch);
    scene->store.is_up = true;
    gw_lookup_cancel(&leader.lookup);
    gw_lookup_cancel(&waits.lookup);
    close_scene(scene);
}

static void a_second_look_at_the_store_takes_a_new_epoch(void **state)
{
    (void)state;
    struct scene *scene = open_scene(true);
    struct visitor one;
    misses(scene, 0, &one);
    uint64_t epoch = one.lookup.lead.epoch;
    gw_memory_cache_invalidate(scene->memory_cache, &key);
    elsewhere_stores(scene, STALE); /* after the purge */
    store_answers(scene);
    assert_told(&one, GW_LOOKUP_VALIDATE);
    assert_int_equal(one.lookup.lead.epoch, gw_memory_cache_epoch(scene->memory_cache, &key));
    assert_int_not_equal(one.lookup.lead.epoch, epoch);
    gw_lookup_cancel(&one.lookup);
    close_scene(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_store_what_was_purged_during_a_wait_is_not_confirmed),
        cmocka_unit_test(a_purge_by_tag_between_look_and_claim_ends_what_was_seen),
        cmocka_unit_test(the_epoch_is_that_of_the_look_that_saw_what_is_stored),
        cmocka_unit_test(a_second_look_at_the_store_takes_a_new_epoch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
