#include "unit/cache/heads.h"
#include <pthread.h>
#include "base/random.h"
#include "cache/near.h"

enum { ROOM = 1 << 20, KEYS = 200 };

static const struct gw_cache_request request = { .is_candidate = true,
                                                 .may_look_up = true,
                                                 .default_ttl_applies = true,
                                                 .max_age = GW_DIRECTIVE_ABSENT,
                                                 .min_fresh = GW_DIRECTIVE_ABSENT };

static struct gw_cache_key key_of(unsigned number)
{
    struct gw_cache_key key = { .name_space = { 7 } };
    memcpy(key.sha, &number, sizeof number);
    return key;
}

static struct gw_entry *entry_of(unsigned number, int64_t age_s)
{
    struct gw_cache_life life = { .age_s = age_s, .freshness_s = INT64_MAX / 2 };
    struct gw_cache_key key = key_of(number);
    struct gw_head asked, answered;
    gw_head_init(&asked);
    gw_head_init(&answered);
    answered.status = 200;
    struct gw_entry *entry = gw_entry_create(&key, &asked, &answered, NULL, 0, &life, 0);
    assert_non_null(entry);
    return entry;
}

static enum gw_near_result get(struct gw_near *near, unsigned number)
{
    struct gw_cache_key key = key_of(number);
    struct gw_head head;
    struct gw_entry *entry;
    gw_head_init(&head);
    enum gw_near_result result = gw_near_get(near, &key, &request, &head, 0, &entry);
    gw_entry_drop(entry);
    return result;
}

static bool put(struct gw_near *near, unsigned number)
{
    struct gw_cache_key key = key_of(number);
    struct gw_entry *entry = entry_of(number, 0);
    bool is_taken = gw_near_put(near, entry, gw_near_epoch(near, &key));
    gw_entry_drop(entry);
    return is_taken;
}

static bool fill(struct gw_near *near, unsigned number)
{
    struct gw_cache_key key = key_of(number);
    struct gw_entry *entry = entry_of(number, 0);
    bool is_taken = gw_near_fill(near, entry, gw_near_epoch(near, &key));
    gw_entry_drop(entry);
    return is_taken;
}

static int make_near(void **state)
{
    *state = gw_near_create(ROOM);
    return *state ? 0 : -1;
}

static int free_near(void **state)
{
    struct gw_near *near = *state;
    gw_near_destroy(&near);
    return near != NULL;
}

static const struct row {
    enum gw_near_mode mode;
    bool takes_own, takes_reads;
} rows[] = {
    { GW_NEAR_EMBEDDED, true, false },
    { GW_NEAR_SHARED, false, true },
    { GW_NEAR_CLOSED, false, false },
    { GW_NEAR_OUTAGE, true, false },
};

static void a_mode_says_what_may_come_in(void **state)
{
    assert_int_equal(gw_near_mode(*state), GW_NEAR_EMBEDDED);
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        gw_near_set_mode(*state, rows[i].mode);
        assert_int_equal(gw_near_mode(*state), rows[i].mode);
        assert_int_equal(put(*state, 1), rows[i].takes_own);
        assert_int_equal(fill(*state, 2), rows[i].takes_reads);
        assert_int_equal(get(*state, 1), rows[i].takes_own ? GW_NEAR_HIT : GW_NEAR_MISS);
        assert_int_equal(get(*state, 2), rows[i].takes_reads ? GW_NEAR_HIT : GW_NEAR_MISS);
    }
}

static void every_change_of_mode_empties_it_and_forbids_what_was_begun(void **state)
{
    for (size_t from = 0; from < GW_COUNT(rows); from++)
        for (size_t to = 0; to < GW_COUNT(rows); to++) {
            struct gw_near_counts counts;
            struct gw_cache_key key = key_of(1);
            struct gw_entry *entry = entry_of(1, 0);
            gw_near_set_mode(*state, rows[from].mode);
            uint64_t epoch = gw_near_epoch(*state, &key);
            for (unsigned i = 0; i < KEYS; i++) {
                assert_int_equal(put(*state, i), rows[from].takes_own);
                assert_int_equal(fill(*state, i), rows[from].takes_reads);
            }
            gw_near_mark_hit_for_miss(*state, &key, 0, 1000);
            gw_near_set_mode(*state, rows[to].mode);
            gw_near_read_counts(*state, &counts);
            assert_int_equal(counts.entries, 0);
            assert_int_equal(counts.bytes, 0);
            assert_false(gw_near_put(*state, entry, epoch));
            assert_false(gw_near_fill(*state, entry, epoch));
            for (unsigned i = 0; i < KEYS; i++)
                assert_int_equal(get(*state, i), GW_NEAR_MISS);
            gw_entry_drop(entry);
        }
}

static void marks_are_taken_and_answered_in_every_mode(void **state)
{
    struct gw_cache_key key = key_of(1);
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        gw_near_set_mode(*state, rows[i].mode);
        assert_int_equal(get(*state, 1), GW_NEAR_MISS);
        gw_near_mark_hit_for_miss(*state, &key, 0, 1000);
        assert_int_equal(get(*state, 1), GW_NEAR_HIT_FOR_MISS);
    }
}

static void a_flush_empties_it_and_the_mode_stays(void **state)
{
    struct gw_near_counts counts;
    struct gw_cache_key key = key_of(3);
    struct gw_entry *entry = entry_of(3, 0);
    gw_near_set_mode(*state, GW_NEAR_SHARED);
    uint64_t epoch = gw_near_epoch(*state, &key);
    for (unsigned i = 0; i < KEYS; i++)
        assert_true(fill(*state, i));
    gw_near_flush(*state);
    gw_near_read_counts(*state, &counts);
    assert_int_equal(counts.entries, 0);
    assert_int_equal(counts.bytes, 0);
    assert_int_equal(get(*state, 3), GW_NEAR_MISS);
    assert_false(gw_near_fill(*state, entry, epoch));
    assert_true(gw_near_fill(*state, entry, gw_near_epoch(*state, &key)));
    assert_int_equal(get(*state, 3), GW_NEAR_HIT);
    gw_entry_drop(entry);
}

/* --- many threads --- */

enum { THREADS = 3, TURNS = 3000, FLIPS = 300 };

/* The round is raised before each change of mode; an entry holds the round in which its epoch was noted as its age. So
 * nobody may get one of a round before the last change that has returned. */
struct scene {
    struct gw_near *near;
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
        uint64_t epoch = gw_near_epoch(scene->near, &key);
        struct gw_entry *entry = entry_of(number, atomic_load(&scene->round)), *found;
        if (i & 1)
            (void)gw_near_put(scene->near, entry, epoch);
        else
            (void)gw_near_fill(scene->near, entry, epoch);
        gw_entry_drop(entry);

        struct gw_head head;
        gw_head_init(&head);
        int64_t at_least = atomic_load(&scene->settled);
        if (gw_near_get(scene->near, &key, &request, &head, 0, &found) == GW_NEAR_HIT) {
            atomic_fetch_add(&scene->hits, 1);
            if (found->age_s < at_least)
                atomic_fetch_add(&scene->wrong, 1);
        }
        gw_entry_drop(found);
    }
    return NULL;
}

static void threads_see_no_entry_from_before_a_change_of_mode(void **state)
{
    struct scene scene = { .near = *state };
    pthread_t threads[THREADS];
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, act, &scene), 0);
    for (unsigned i = 0; i < FLIPS; i++) {
        int64_t round = atomic_fetch_add(&scene.round, 1) + 1;
        gw_near_set_mode(*state, rows[i % GW_COUNT(rows)].mode);
        atomic_store(&scene.settled, round);
    }
    gw_near_set_mode(*state, GW_NEAR_SHARED);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(scene.wrong, 0);
    assert_true(scene.hits > 0);
    gw_near_flush(*state);
    struct gw_near_counts counts;
    gw_near_read_counts(*state, &counts);
    assert_int_equal(counts.bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_mode_says_what_may_come_in, make_near, free_near),
        cmocka_unit_test_setup_teardown(every_change_of_mode_empties_it_and_forbids_what_was_begun, make_near,
                                        free_near),
        cmocka_unit_test_setup_teardown(marks_are_taken_and_answered_in_every_mode, make_near, free_near),
        cmocka_unit_test_setup_teardown(a_flush_empties_it_and_the_mode_stays, make_near, free_near),
        cmocka_unit_test_setup_teardown(threads_see_no_entry_from_before_a_change_of_mode, make_near, free_near),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
