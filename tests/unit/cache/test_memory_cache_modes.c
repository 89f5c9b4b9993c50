#include "unit/cache/memory_cache_scene.h"
#include <pthread.h>
#include "base/random.h"

enum { KEYS = 200 };

static struct gw_entry *aged_entry(unsigned number, int64_t age_s)
{
    struct gw_cache_life life = { .age_s = age_s, .freshness_s = 1 << 30 };
    struct gw_entry *entry = bare_entry_of(number, 0, &life);
    assert_non_null(entry);
    return entry;
}

static bool put_one(struct gw_memory_cache *memory_cache, unsigned number)
{
    return put(memory_cache, number, "", "", 0);
}

static bool fill(struct gw_memory_cache *memory_cache, unsigned number)
{
    struct gw_cache_key key = key_of(number);
    struct gw_entry *entry = aged_entry(number, 0);
    bool is_taken = gw_memory_cache_fill(memory_cache, entry, gw_memory_cache_epoch(memory_cache, &key));
    gw_entry_unref(entry);
    return is_taken;
}

static bool is_there(struct gw_memory_cache *memory_cache, unsigned number)
{
    return get(memory_cache, number, "", 0) == GW_REUSE_FRESH;
}

static const struct row {
    enum gw_memory_cache_mode mode;
    bool takes_own, takes_reads;
} rows[] = {
    { GW_MEMORY_CACHE_EMBEDDED, true, false },
    { GW_MEMORY_CACHE_SHARED, false, true },
    { GW_MEMORY_CACHE_CLOSED, false, false },
    { GW_MEMORY_CACHE_OUTAGE, true, false },
};

static void a_mode_says_what_may_come_in(void **state)
{
    assert_int_equal(gw_memory_cache_mode(*state), GW_MEMORY_CACHE_EMBEDDED);
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        gw_memory_cache_set_mode(*state, rows[i].mode);
        assert_int_equal(gw_memory_cache_mode(*state), rows[i].mode);
        assert_int_equal(put_one(*state, 1), rows[i].takes_own);
        assert_int_equal(fill(*state, 2), rows[i].takes_reads);
        assert_int_equal(is_there(*state, 1), rows[i].takes_own);
        assert_int_equal(is_there(*state, 2), rows[i].takes_reads);
    }
}

static void every_change_of_mode_empties_it_and_forbids_what_was_begun(void **state)
{
    for (size_t from = 0; from < GW_COUNT(rows); from++)
        for (size_t to = 0; to < GW_COUNT(rows); to++) {
            struct gw_memory_cache_counts counts;
            struct gw_cache_key key = key_of(1);
            struct gw_entry *entry = aged_entry(1, 0);
            gw_memory_cache_set_mode(*state, rows[from].mode);
            uint64_t epoch = gw_memory_cache_epoch(*state, &key);
            for (unsigned i = 0; i < KEYS; i++) {
                assert_int_equal(put_one(*state, i), rows[from].takes_own);
                assert_int_equal(fill(*state, i), rows[from].takes_reads);
            }
            gw_memory_cache_mark_hit_for_miss(*state, &key, 0, 1000);
            gw_memory_cache_set_mode(*state, rows[to].mode);
            gw_memory_cache_read_counts(*state, &counts);
            assert_int_equal(counts.entries, 0);
            assert_int_equal(counts.bytes, 0);
            assert_false(gw_memory_cache_put(*state, entry, epoch));
            assert_false(gw_memory_cache_fill(*state, entry, epoch));
            for (unsigned i = 0; i < KEYS; i++)
                assert_false(is_there(*state, i));
            gw_entry_unref(entry);
        }
}

static void marks_are_taken_and_answered_in_every_mode(void **state)
{
    struct gw_cache_key key = key_of(1);
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        gw_memory_cache_set_mode(*state, rows[i].mode);
        assert_false(is_marked(*state, 1, 0));
        gw_memory_cache_mark_hit_for_miss(*state, &key, 0, 1000);
        assert_true(is_marked(*state, 1, 0));
    }
}

static void a_flush_empties_it_and_the_mode_stays(void **state)
{
    struct gw_memory_cache_counts counts;
    struct gw_cache_key key = key_of(3);
    struct gw_entry *entry = aged_entry(3, 0);
    gw_memory_cache_set_mode(*state, GW_MEMORY_CACHE_SHARED);
    uint64_t epoch = gw_memory_cache_epoch(*state, &key);
    for (unsigned i = 0; i < KEYS; i++)
        assert_true(fill(*state, i));
    gw_memory_cache_flush(*state);
    gw_memory_cache_read_counts(*state, &counts);
    assert_int_equal(counts.entries, 0);
    assert_int_equal(counts.bytes, 0);
    assert_false(is_there(*state, 3));
    assert_false(gw_memory_cache_fill(*state, entry, epoch));
    assert_true(gw_memory_cache_fill(*state, entry, gw_memory_cache_epoch(*state, &key)));
    assert_true(is_there(*state, 3));
    gw_entry_unref(entry);
}

/* --- many threads --- */

enum { THREADS = 3, TURNS = 3000, FLIPS = 300 };

/* The round is raised before each change of mode; an entry holds, as its age, the round in which its epoch was noted.
 * So no request may get an entry of a round before the last change that has returned. */
struct scene {
    struct gw_memory_cache *memory_cache;
    _Atomic int64_t round, settled;
    atomic_uint wrong, hits;
};

static void *act(void *context)
{
    struct scene *scene = context;
    struct gw_random random;
    gw_random_init(&random);
    for (unsigned i = 0; i < TURNS; i++) {
        unsigned number = (unsigned)gw_random_next(&random) % 8;
        struct gw_cache_key key = key_of(number);
        uint64_t epoch = gw_memory_cache_epoch(scene->memory_cache, &key);
        struct gw_entry *entry = aged_entry(number, atomic_load(&scene->round));
        if (i & 1)
            (void)gw_memory_cache_put(scene->memory_cache, entry, epoch);
        else
            (void)gw_memory_cache_fill(scene->memory_cache, entry, epoch);
        gw_entry_unref(entry);

        struct gw_head head;
        struct gw_memory_cache_answer answer;
        gw_head_init(&head);
        int64_t at_least = atomic_load(&scene->settled);
        gw_memory_cache_get(scene->memory_cache, &key, &plain_request, &head, 0, &answer);
        if (answer.entry)
            atomic_fetch_add(&scene->hits, 1);
        if (answer.entry && answer.entry->age_s < at_least)
            atomic_fetch_add(&scene->wrong, 1);
        gw_entry_unref(answer.entry);
    }
    return NULL;
}

static void threads_see_no_entry_from_before_a_change_of_mode(void **state)
{
    struct scene scene = { .memory_cache = *state };
    pthread_t threads[THREADS];
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, act, &scene), 0);
    for (unsigned i = 0; i < FLIPS; i++) {
        int64_t round = atomic_fetch_add(&scene.round, 1) + 1;
        gw_memory_cache_set_mode(*state, rows[i % GW_COUNT(rows)].mode);
        atomic_store(&scene.settled, round);
    }
    gw_memory_cache_set_mode(*state, GW_MEMORY_CACHE_SHARED);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(scene.wrong, 0);
    assert_true(scene.hits > 0);
    gw_memory_cache_flush(*state);
    struct gw_memory_cache_counts counts;
    gw_memory_cache_read_counts(*state, &counts);
    assert_int_equal(counts.bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_mode_says_what_may_come_in, make_memory_cache, free_memory_cache),
        cmocka_unit_test_setup_teardown(every_change_of_mode_empties_it_and_forbids_what_was_begun, make_memory_cache,
                                        free_memory_cache),
        cmocka_unit_test_setup_teardown(marks_are_taken_and_answered_in_every_mode, make_memory_cache,
                                        free_memory_cache),
        cmocka_unit_test_setup_teardown(a_flush_empties_it_and_the_mode_stays, make_memory_cache, free_memory_cache),
        cmocka_unit_test_setup_teardown(threads_see_no_entry_from_before_a_change_of_mode, make_memory_cache,
                                        free_memory_cache),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
