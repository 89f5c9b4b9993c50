/* What stays in the memory cache while much goes through it, and what a ban ends there. */
#include "unit/cache/memory_cache_scene.h"
#include <pthread.h>
#include "base/random.h"

enum { HOT = 100, HOT_BYTES = 2000, SCANNED = 5000 };

static bool store(struct gw_memory_cache *memory_cache, unsigned number)
{
    return put_for(memory_cache, number, "", "", HOT_BYTES, &an_hour_and_more);
}

static unsigned count_there(struct gw_memory_cache *memory_cache, unsigned from, unsigned to)
{
    unsigned there = 0;
    while (from < to)
        there += get(memory_cache, from++, "", 0) == GW_REUSE_FRESH;
    return there;
}

static void store_hot(struct gw_memory_cache *memory_cache)
{
    for (unsigned i = 0; i < HOT; i++)
        assert_true(store(memory_cache, i));
    assert_int_equal(count_there(memory_cache, 0, HOT), HOT);
    assert_int_equal(count_there(memory_cache, 0, HOT), HOT);
}

/* Ten times as much as there is room for. */
static void scan(struct gw_memory_cache *memory_cache, unsigned from)
{
    for (unsigned i = 0; i < SCANNED; i++)
        assert_true(store(memory_cache, from + i));
}

static void a_scan_leaves_what_was_asked_for_twice(void **state)
{
    store_hot(*state);
    scan(*state, 1000); /* the hot entries are not asked for meanwhile */
    assert_int_equal(count_there(*state, 0, HOT), HOT);
    assert_true(counts_of(*state).evictions > SCANNED * 9 / 10);
}

static void what_is_not_asked_for_gives_way_to_what_is(void **state)
{
    enum { OTHER = 10000, OTHERS = 300 };
    store_hot(*state);
    for (unsigned turn = 0; turn < 8; turn++)
        for (unsigned i = 0; i < OTHERS; i++)
            if (get(*state, OTHER + i, "", 0) != GW_REUSE_FRESH)
                assert_true(store(*state, OTHER + i));
    unsigned others = count_there(*state, OTHER, OTHER + OTHERS);
    assert_true(others > count_there(*state, 0, HOT) + HOT);
}

static void a_flush_empties_both_queues(void **state)
{
    store_hot(*state);
    scan(*state, 1000);
    gw_memory_cache_flush(*state);
    assert_int_equal(counts_of(*state).bytes, 0);
    assert_int_equal(count_there(*state, 0, HOT) + count_there(*state, 1000, 1000 + SCANNED), 0);
    store_hot(*state);
}

static void one_that_is_refreshed_is_no_newcomer(void **state)
{
    store_hot(*state);
    scan(*state, 1000);
    for (unsigned i = 0; i < HOT; i++) {
        struct gw_cache_key key = key_of(i);
        if (i % 2)
            gw_memory_cache_invalidate(*state, &key);
        assert_true(store(*state, i));
    }
    scan(*state, 100000);
    assert_int_equal(count_there(*state, 0, HOT), HOT);
}

/* Stored at 0 s, of use for 60 s; 200 of them fill half the room. */
static void what_is_over_makes_room_first(void **state)
{
    for (unsigned i = 0; i < 200; i++)
        assert_true(put(*state, i, "", "", HOT_BYTES));
    for (unsigned i = 0; i < SCANNED; i++) {
        struct gw_cache_key key = key_of(1000 + i);
        struct gw_entry *entry = entry_of(1000 + i, "", "", HOT_BYTES, &an_hour_and_more);
        entry->stored_at_us = 61 * SECOND_US; /* no other code has the entry yet */
        assert_true(gw_memory_cache_put(*state, entry, gw_memory_cache_epoch(*state, &key)));
        gw_entry_unref(entry);
    }
    assert_int_equal(counts_of(*state).expired, 200);
}

/* --- bans --- */

static void add_ban(struct gw_bans *bans, enum gw_ban_kind kind, bool is_soft, const char *text)
{
    struct gw_ban ban = { .kind = kind, .is_soft = is_soft, .text = gw_slice_of_string(text) };
    assert_true(gw_bans_add(bans, &ban, 1));
}

static void a_hard_ban_removes_what_it_matches(void **state)
{
    struct gw_bans *bans = gw_bans_create();
    (void)state;
    assert_non_null(bans);
    struct gw_memory_cache *memory_cache = gw_memory_cache_create(MEMORY_CACHE_ROOM, bans);
    assert_non_null(memory_cache);
    assert_true(put(memory_cache, 1, "", "", 10));
    add_ban(bans, GW_BAN_TAG, false, "another");
    assert_int_equal(get(memory_cache, 1, "", 0), GW_REUSE_FRESH);
    add_ban(bans, GW_BAN_TAG, false, "tagged");
    struct gw_memory_cache_answer answer = answer_to(memory_cache, 1, "", 0);
    assert_null(answer.entry);
    assert_false(answer.was_there);
    assert_int_equal(counts_of(memory_cache).bytes, 0);
    assert_int_equal(counts_of(memory_cache).expired, 0);
    gw_memory_cache_destroy(&memory_cache);
    gw_bans_destroy(&bans);
}

static void a_soft_ban_makes_it_stale(void **state)
{
    static const struct gw_cache_life life = {
        .freshness_s = 60, .terms = { .has_validator = true, .stale_while_revalidate_s = 10, .window_s = 10 }
    };
    struct gw_bans *bans = gw_bans_create();
    (void)state;
    assert_non_null(bans);
    struct gw_memory_cache *memory_cache = gw_memory_cache_create(MEMORY_CACHE_ROOM, bans);
    assert_non_null(memory_cache);
    assert_true(put_for(memory_cache, 1, "Accept: a", "Vary: Accept", 0, &life));
    assert_true(put_for(memory_cache, 1, "Accept: b", "Vary: Accept", 0, &life));
    assert_int_equal(get(memory_cache, 1, "Accept: a", SECOND_US), GW_REUSE_FRESH);
    add_ban(bans, GW_BAN_ALL, true, "");
    assert_int_equal(get(memory_cache, 1, "Accept: a", SECOND_US), GW_REUSE_REVALIDATING);
    assert_int_equal(get(memory_cache, 1, "Accept: b", SECOND_US), GW_REUSE_REVALIDATING);
    assert_int_equal(counts_of(memory_cache).entries, 2);
    add_ban(bans, GW_BAN_ALL, false, "");
    assert_int_equal(get(memory_cache, 1, "Accept: b", SECOND_US), GW_REUSE_NO);
    assert_int_equal(counts_of(memory_cache).entries, 0); /* both were looked at */
    gw_memory_cache_destroy(&memory_cache);
    gw_bans_destroy(&bans);
}

/* --- many threads --- */

enum { THREADS = 3, TURNS = 4000, KEYS = 40, BANS = 200 };

struct scene {
    struct gw_memory_cache *memory_cache;
    struct gw_bans *bans;
    atomic_uint_least64_t settled; /* the number of the last ban that has been added */
    atomic_uint wrong, hits, refused;
};

/* An entry's sequence says which bans the entry is younger than. */
static void store_one(struct scene *scene, unsigned number)
{
    struct gw_cache_key key = key_of(number);
    uint64_t epoch = gw_memory_cache_epoch(scene->memory_cache, &key), sequence = gw_bans_sequence(scene->bans);
    struct gw_entry *entry = bare_entry_of(number, HOT_BYTES, &an_hour_and_more);
    if (!entry)
        return;
    entry->ban_sequence = sequence; /* before any other code has the entry */
    if (!gw_memory_cache_put(scene->memory_cache, entry, epoch))
        atomic_fetch_add(&scene->refused, 1);
    gw_entry_unref(entry);
}

static void *act(void *context)
{
    struct scene *scene = context;
    struct gw_random random;
    gw_random_init(&random);
    for (unsigned i = 0; i < TURNS; i++) {
        unsigned dice = (unsigned)(gw_random_next(&random) >> 33), number = dice % KEYS;
        struct gw_cache_key key = key_of(number);
        struct gw_memory_cache_answer answer;
        struct gw_head head;
        gw_head_init(&head);
        uint64_t at_least = atomic_load(&scene->settled);
        gw_memory_cache_get(scene->memory_cache, &key, &plain_request, &head, 0, &answer);
        if (answer.entry && (answer.entry->ban_sequence < at_least || answer.reuse != GW_REUSE_FRESH))
            atomic_fetch_add(&scene->wrong, 1);
        atomic_fetch_add(&scene->hits, answer.entry != NULL);
        gw_entry_unref(answer.entry);
        store_one(scene, answer.entry ? KEYS + dice % 1000 : number); /* a miss fills, and others scan */
        if (counts_of(scene->memory_cache).bytes > 128 * 1024)
            atomic_fetch_add(&scene->wrong, 1);
    }
    return NULL;
}

static void threads_see_no_entry_that_a_ban_has_ended(void **state)
{
    struct scene scene = { .bans = gw_bans_create() };
    pthread_t threads[THREADS];
    (void)state;
    assert_non_null(scene.bans);
    scene.memory_cache = gw_memory_cache_create(128 * 1024, scene.bans);
    assert_non_null(scene.memory_cache);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, act, &scene), 0);
    for (unsigned i = 0; i < BANS; i++) {
        add_ban(scene.bans, GW_BAN_TAG, false, i % 2 ? "tagged" : "untagged");
        if (i % 2)
            atomic_store(&scene.settled, gw_bans_sequence(scene.bans));
        sched_yield();
    }
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(scene.wrong, 0);
    assert_int_equal(scene.refused, 0);
    assert_true(scene.hits > 0);
    gw_memory_cache_flush(scene.memory_cache);
    assert_int_equal(counts_of(scene.memory_cache).bytes, 0);
    gw_memory_cache_destroy(&scene.memory_cache);
    gw_bans_destroy(&scene.bans);
}

int main(void)
{
#define MEMORY_CACHE_TEST(test) cmocka_unit_test_setup_teardown(test, make_memory_cache, free_memory_cache)
    const struct CMUnitTest tests[] = {
        MEMORY_CACHE_TEST(a_scan_leaves_what_was_asked_for_twice),
        MEMORY_CACHE_TEST(what_is_not_asked_for_gives_way_to_what_is),
        MEMORY_CACHE_TEST(a_flush_empties_both_queues),
        MEMORY_CACHE_TEST(one_that_is_refreshed_is_no_newcomer),
        MEMORY_CACHE_TEST(what_is_over_makes_room_first),
        cmocka_unit_test(a_hard_ban_removes_what_it_matches),
        cmocka_unit_test(a_soft_ban_makes_it_stale),
        cmocka_unit_test(threads_see_no_entry_that_a_ban_has_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
