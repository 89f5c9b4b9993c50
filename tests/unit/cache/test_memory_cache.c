#include "unit/cache/memory_cache_scene.h"
#include <pthread.h>
#include <stdio.h>
#include "base/random.h"

static void assert_tagged(struct gw_memory_cache *memory_cache, unsigned number, const char *asked, const char *etag)
{
    struct gw_memory_cache_answer answer = answer_to(memory_cache, number, asked, 0);
    assert_int_equal(answer.reuse, GW_REUSE_FRESH);
    assert_true(gw_slice_equal(gw_head_value(&answer.entry->head, GW_FIELD_ETAG), gw_slice_of_string(etag)));
    gw_entry_unref(answer.entry);
}

static void what_was_put_is_got_until_it_expires(void **state)
{
    assert_int_equal(get(*state, 1, "", 0), GW_REUSE_NO);
    assert_true(put(*state, 1, "", "Cache-Control: max-age=60", 100));
    assert_int_equal(get(*state, 1, "", 0), GW_REUSE_FRESH);
    assert_int_equal(get(*state, 2, "", 0), GW_REUSE_NO);
    assert_int_equal(get(*state, 1, "", 60 * SECOND_US - 1), GW_REUSE_FRESH);
    assert_int_equal(get(*state, 1, "", 60 * SECOND_US), GW_REUSE_NO);
    struct gw_memory_cache_counts counts = counts_of(*state);
    assert_int_equal(counts.entries, 0);
    assert_int_equal(counts.bytes, 0);
    assert_int_equal(counts.stores, 1);
    assert_int_equal(counts.expired, 1);
    assert_int_equal(counts.evictions, 0);
}

static void the_same_sha_in_another_name_space_is_another_key(void **state)
{
    struct gw_memory_cache_answer answer;
    struct gw_cache_key key = key_of(1);
    struct gw_head head;
    gw_head_init(&head);
    assert_true(put(*state, 1, "", "Cache-Control: max-age=60", 0));
    key.name_space[31] = 1;
    gw_memory_cache_get(*state, &key, &plain_request, &head, 0, &answer);
    assert_null(answer.entry);
    assert_false(answer.was_there);
}

static void a_request_gets_what_it_may_reuse_and_its_verdict(void **state)
{
    static const struct row {
        const char *asked;
        uint64_t at_s;
        enum gw_reuse reuse;
        bool was_there;
    } rows[] = {
        { "Cookie: a=b", 0, GW_REUSE_NO, true }, /* the first: it is there by the default TTL */
        { "X-Original-URL: /x", 0, GW_REUSE_NO, true },
        { "Cache-Control: no-store", 0, GW_REUSE_NO, true },
        { "Cache-Control: no-cache", 0, GW_REUSE_VALIDATED, false },
        { "Cache-Control: max-age=9", 10, GW_REUSE_VALIDATED, false },
        { "Cache-Control: min-fresh=9", 55, GW_REUSE_VALIDATED, false },
        { "", 59, GW_REUSE_FRESH, false },
        { "", 60, GW_REUSE_REVALIDATING, false },
        { "", 69, GW_REUSE_REVALIDATING, false },
        { "", 70, GW_REUSE_VALIDATED, false },
        { "Cache-Control: max-stale", 70, GW_REUSE_STALE, false },
        { "Cache-Control: max-stale=9", 70, GW_REUSE_VALIDATED, false },
        { "", 99, GW_REUSE_VALIDATED, false },
        { "", 100, GW_REUSE_NO, false }, /* of no use to any request */
    };
    static const struct gw_cache_life life = { .freshness_s = 60,
                                               .terms = { .stale_while_revalidate_s = 10, .window_s = 40 } };
    assert_true(put_for(*state, 1, "", "", 0, &life));
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_memory_cache_answer answer = answer_to(*state, 1, rows[i].asked, rows[i].at_s * SECOND_US);
        bool is_marked = i == 0; /* nor will that one's answer be for sharing */
        if (answer.reuse != rows[i].reuse || answer.was_there != rows[i].was_there ||
            answer.is_hit_for_miss != is_marked)
            fail_msg("row %zu: %d %d", i, answer.reuse, answer.was_there);
        gw_entry_unref(answer.entry);
    }
    assert_int_equal(counts_of(*state).expired, 1);
    assert_int_equal(counts_of(*state).bytes, 0);
}

/* A mark beside an entry, as if the URL was marked while the entry was stored. */
static void a_mark_beside_an_entry_is_told_where_the_backend_must_be_asked(void **state)
{
    struct gw_cache_key key = key_of(1);
    assert_true(put(*state, 1, "", "", 0));
    gw_memory_cache_mark_hit_for_miss(*state, &key, 0, SECOND_US);
    struct gw_memory_cache_answer answer = answer_to(*state, 1, "Cache-Control: no-cache", 0);
    assert_int_equal(answer.reuse, GW_REUSE_VALIDATED);
    assert_true(answer.is_hit_for_miss);
    gw_entry_unref(answer.entry);
    assert_false(is_marked(*state, 1, 0)); /* fresh: the backend is not asked */
}

static void an_entry_replaces_what_answers_the_same_requests(void **state)
{
    assert_true(put(*state, 1, "Accept: a", "Cache-Control: max-age=60\nETag: \"1\"", 0));
    assert_true(put(*state, 1, "Accept: b", "Cache-Control: max-age=60\nETag: \"2\"", 0));
    assert_int_equal(counts_of(*state).entries, 1);
    assert_tagged(*state, 1, "", "\"2\"");
}

static void variants_lie_side_by_side(void **state)
{
    assert_true(put(*state, 1, "Accept: a", "Vary: Accept\nCache-Control: max-age=60\nETag: \"a\"", 0));
    assert_true(put(*state, 1, "Accept: b", "Vary: Accept\nCache-Control: max-age=60\nETag: \"b\"", 0));
    assert_true(put(*state, 1, "", "Vary: Accept\nCache-Control: max-age=60\nETag: \"-\"", 0));
    assert_tagged(*state, 1, "Accept: a", "\"a\"");
    assert_tagged(*state, 1, "Accept: b", "\"b\"");
    assert_tagged(*state, 1, "", "\"-\"");
    assert_int_equal(get(*state, 1, "Accept: c", 0), GW_REUSE_NO);
    assert_true(put(*state, 1, "Accept: a", "Vary: Accept\nCache-Control: max-age=60\nETag: \"A\"", 0));
    assert_int_equal(counts_of(*state).entries, 3);
    assert_tagged(*state, 1, "Accept: a", "\"A\"");
}

static void another_vary_removes_the_variants_before_it(void **state)
{
    assert_true(put(*state, 1, "Accept: a", "Cache-Control: max-age=60", 0));
    assert_true(put(*state, 1, "Accept: b", "Vary: Accept\nCache-Control: max-age=60", 0));
    assert_int_equal(get(*state, 1, "Accept: a", 0), GW_REUSE_NO);
    assert_int_equal(get(*state, 1, "Accept: b", 0), GW_REUSE_FRESH);
    assert_int_equal(counts_of(*state).entries, 1);
}

static void a_side_field_makes_a_variant_and_removes_no_other(void **state)
{
    assert_true(put(*state, 1, "", "Cache-Control: max-age=60", 0));
    assert_true(put(*state, 1, "X-Original-URL: /x", "Cache-Control: max-age=60", 0));
    assert_int_equal(get(*state, 1, "", 0), GW_REUSE_FRESH);
    assert_int_equal(get(*state, 1, "X-Original-URL: /x", 0), GW_REUSE_FRESH);
    assert_int_equal(get(*state, 1, "X-Original-URL: /y", 0), GW_REUSE_NO);
    assert_int_equal(counts_of(*state).entries, 2);
}

static void the_least_asked_for_variant_leaves_for_the_seventeenth(void **state)
{
    char asked[32];
    for (unsigned i = 0; i < GW_MEMORY_CACHE_VARIANTS; i++) {
        snprintf(asked, sizeof asked, "Accept: %u", i);
        assert_true(put(*state, 1, asked, "Vary: Accept\nCache-Control: max-age=60", 0));
    }
    assert_int_equal(get(*state, 1, "Accept: 0", 0), GW_REUSE_FRESH); /* of the others, 1 was stored first */
    assert_true(put(*state, 1, "Accept: x", "Vary: Accept\nCache-Control: max-age=60", 0));
    assert_int_equal(counts_of(*state).entries, GW_MEMORY_CACHE_VARIANTS);
    assert_int_equal(counts_of(*state).evictions, 1);
    assert_int_equal(get(*state, 1, "Accept: 0", 0), GW_REUSE_FRESH);
    assert_int_equal(get(*state, 1, "Accept: 1", 0), GW_REUSE_NO);
    assert_int_equal(get(*state, 1, "Accept: x", 0), GW_REUSE_FRESH);
}

static void vary_any_is_not_taken(void **state)
{
    assert_false(put(*state, 1, "", "Vary: *\nCache-Control: max-age=60", 0));
    assert_int_equal(counts_of(*state).bytes, 0);
}

static void a_look_that_finds_nothing_has_the_epoch_to_fill_by(void **state)
{
    struct gw_cache_key key = key_of(1);
    struct gw_entry *entry = entry_of(1, "", "Cache-Control: max-age=60", 10, &an_hour_and_more);
    struct gw_memory_cache_answer answer;
    struct gw_head head;
    gw_head_init(&head);
    gw_memory_cache_get(*state, &key, &plain_request, &head, 0, &answer);
    assert_null(answer.entry);
    gw_memory_cache_invalidate(*state, &key);
    assert_false(gw_memory_cache_put(*state, entry, answer.epoch));
    gw_memory_cache_get(*state, &key, &plain_request, &head, 0, &answer);
    assert_true(gw_memory_cache_put(*state, entry, answer.epoch));
    gw_entry_unref(entry);
}

static void what_was_begun_before_an_invalidation_may_not_fill(void **state)
{
    struct gw_cache_key key = key_of(1);
    struct gw_entry *entry = entry_of(1, "", "Cache-Control: max-age=60", 10, &an_hour_and_more);
    uint64_t epoch = gw_memory_cache_epoch(*state, &key);
    assert_true(put(*state, 1, "", "Cache-Control: max-age=60", 10));
    gw_memory_cache_invalidate(*state, &key);
    assert_int_equal(get(*state, 1, "", 0), GW_REUSE_NO);
    assert_false(gw_memory_cache_put(*state, entry, epoch));
    assert_int_equal(get(*state, 1, "", 0), GW_REUSE_NO);
    assert_int_equal(counts_of(*state).bytes, 0);
    assert_true(gw_memory_cache_put(*state, entry, gw_memory_cache_epoch(*state, &key)));
    assert_int_equal(get(*state, 1, "", 0), GW_REUSE_FRESH);
    gw_entry_unref(entry);
}

static void an_invalidation_removes_all_variants_and_no_other_key(void **state)
{
    struct gw_cache_key key = key_of(1);
    assert_true(put(*state, 1, "Accept: a", "Vary: Accept\nCache-Control: max-age=60", 0));
    assert_true(put(*state, 1, "Accept: b", "Vary: Accept\nCache-Control: max-age=60", 0));
    for (unsigned i = 2; i < 100; i++)
        assert_true(put(*state, i, "", "Cache-Control: max-age=60", 0));
    gw_memory_cache_invalidate(*state, &key);
    assert_int_equal(get(*state, 1, "Accept: a", 0), GW_REUSE_NO);
    assert_int_equal(get(*state, 1, "Accept: b", 0), GW_REUSE_NO);
    for (unsigned i = 2; i < 100; i++)
        assert_int_equal(get(*state, i, "", 0), GW_REUSE_FRESH);
}

static void a_hit_for_miss_mark_lasts_as_long_as_said_or_until_a_store(void **state)
{
    struct gw_cache_key key = key_of(1);
    gw_memory_cache_mark_hit_for_miss(*state, &key, 0, 10 * SECOND_US);
    assert_true(is_marked(*state, 1, 10 * SECOND_US - 1));
    gw_memory_cache_mark_hit_for_miss(*state, &key, 5 * SECOND_US, 10 * SECOND_US); /* longer */
    assert_true(is_marked(*state, 1, 15 * SECOND_US - 1));
    uint64_t one_mark = counts_of(*state).bytes;
    assert_true(one_mark > 0);
    assert_false(is_marked(*state, 1, 15 * SECOND_US));
    assert_int_equal(counts_of(*state).bytes, 0);
    gw_memory_cache_mark_hit_for_miss(*state, &key, 0, 10 * SECOND_US);
    assert_int_equal(counts_of(*state).bytes, one_mark);
    assert_int_equal(counts_of(*state).entries, 0);
    assert_true(put(*state, 1, "", "Cache-Control: max-age=60", 0));
    assert_int_equal(get(*state, 1, "", 0), GW_REUSE_FRESH);
    struct gw_memory_cache_answer answer = answer_to(*state, 1, "Cache-Control: no-cache", 0);
    assert_false(answer.is_hit_for_miss);
    gw_entry_unref(answer.entry);
}

static bool is_marked_for(struct gw_memory_cache *memory_cache, const char *asked, uint64_t now_us)
{
    struct gw_memory_cache_answer answer = answer_to(memory_cache, 1, asked, now_us);
    gw_entry_unref(answer.entry);
    return answer.is_hit_for_miss;
}

static void a_mark_for_credentials_is_for_these_alone(void **state)
{
    struct gw_cache_key key = key_of(1);
    gw_memory_cache_mark_credentials(*state, &key, 0, 10 * SECOND_US);
    assert_true(is_marked_for(*state, "Cookie: a", 10 * SECOND_US - 1));
    assert_false(is_marked_for(*state, "", 1));
    gw_memory_cache_mark_hit_for_miss(*state, &key, 0, 5 * SECOND_US); /* none shortens the other */
    assert_true(is_marked_for(*state, "", 5 * SECOND_US - 1));
    assert_false(is_marked_for(*state, "", 5 * SECOND_US));
    gw_memory_cache_mark_credentials(*state, &key, 0, SECOND_US);
    assert_true(is_marked_for(*state, "Cookie: a", 10 * SECOND_US - 1));
    assert_false(is_marked_for(*state, "Cookie: a", 10 * SECOND_US));
}

/* The entry is not for such requests, and the answer to one of them will not be shared either. */
static void what_says_nothing_of_freshness_is_a_mark_for_credentials(void **state)
{
    static const struct gw_cache_life guessed = { .freshness_s = 60 },
                                      stated = { .freshness_s = 60, .terms.is_explicit = true };
    for (unsigned i = 0; i < 2; i++) {
        gw_memory_cache_flush(*state);
        assert_true(put_for(*state, 1, "", "X-Says: nothing", 0, i ? &stated : &guessed));
        assert_int_equal(is_marked_for(*state, "Cookie: a", 0), i == 0);
        assert_false(is_marked_for(*state, "Cache-Control: no-cache", 0));
    }
}

static void an_entry_over_an_eighth_is_not_taken(void **state)
{
    assert_true(put(*state, 1, "", "Cache-Control: max-age=60", MEMORY_CACHE_ROOM / 8 - 2048));
    assert_false(put(*state, 2, "", "Cache-Control: max-age=60", MEMORY_CACHE_ROOM / 8));
    assert_int_equal(get(*state, 1, "", 0), GW_REUSE_FRESH);
}

static void the_bound_is_never_exceeded(void **state)
{
    struct gw_random random;
    gw_random_init(&random);
    for (unsigned i = 0; i < 3000; i++) {
        size_t body_bytes = gw_random_next(&random) % (i % 50 == 0 ? MEMORY_CACHE_ROOM / 8 - 2048 : 5000);
        assert_true(put(*state, i, "", "Cache-Control: max-age=60", body_bytes));
        assert_int_equal(get(*state, i, "", 0), GW_REUSE_FRESH); /* others made room, not the new entry itself */
        assert_true(counts_of(*state).bytes <= MEMORY_CACHE_ROOM);
    }
    struct gw_memory_cache_counts counts = counts_of(*state);
    assert_true(counts.bytes > MEMORY_CACHE_ROOM / 2);
    assert_true(counts.evictions > 0);
    assert_int_equal(counts.stores, 3000);
    assert_int_equal(counts.entries + counts.evictions, 3000);
}

static void marks_alone_are_bounded_too(void **state)
{
    for (unsigned i = 0; i < 20000; i++) {
        struct gw_cache_key key = key_of(i);
        gw_memory_cache_mark_hit_for_miss(*state, &key, 0, 10 * SECOND_US);
    }
    assert_true(counts_of(*state).bytes <= MEMORY_CACHE_ROOM);
    assert_true(is_marked(*state, 19999, 0));
}

static void what_is_used_stays(void **state)
{
    unsigned kept = 0;
    assert_true(put(*state, 0, "", "Cache-Control: max-age=60", 100));
    for (unsigned i = 1; i < 3000; i++) {
        assert_true(put(*state, i, "", "Cache-Control: max-age=60", 2000));
        kept += get(*state, 0, "", 0) == GW_REUSE_FRESH;
    }
    assert_true(counts_of(*state).evictions > 1000);
    assert_int_equal(kept, 2999);
}

static void a_table_without_room_holds_nothing_and_works(void **state)
{
    static const size_t rooms[] = { 0, 1, 100, 2000 };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rooms); i++) {
        struct gw_memory_cache *memory_cache = gw_memory_cache_create(rooms[i], NULL);
        struct gw_cache_key key = key_of(1);
        struct gw_entry *entries[GW_MEMORY_CACHE_VARIANTS];
        assert_non_null(memory_cache);
        assert_false(put(memory_cache, 1, "", "Cache-Control: max-age=60", 0));
        gw_memory_cache_mark_hit_for_miss(memory_cache, &key, 0, 10 * SECOND_US);
        assert_int_equal(get(memory_cache, 1, "", 0), GW_REUSE_NO);
        assert_int_equal(gw_memory_cache_list(memory_cache, &key, entries), 0);
        uint64_t epoch = gw_memory_cache_epoch(memory_cache, &key);
        gw_memory_cache_invalidate(memory_cache, &key);
        assert_true(gw_memory_cache_epoch(memory_cache, &key) != epoch);
        gw_memory_cache_set_mode(memory_cache, GW_MEMORY_CACHE_SHARED);
        assert_int_equal(counts_of(memory_cache).entries, 0);
        gw_memory_cache_destroy(&memory_cache);
        assert_null(memory_cache);
    }
}

static void a_list_has_all_variants_and_uses_none(void **state)
{
    struct gw_cache_key key = key_of(1);
    struct gw_entry *entries[GW_MEMORY_CACHE_VARIANTS];
    char asked[32];
    assert_int_equal(gw_memory_cache_list(*state, &key, entries), 0);
    for (unsigned i = 0; i < GW_MEMORY_CACHE_VARIANTS + 3; i++) {
        snprintf(asked, sizeof asked, "Accept: %u", i);
        assert_true(put(*state, 1, asked, "Vary: Accept", 0));
        unsigned count = gw_memory_cache_list(*state, &key, entries);
        assert_int_equal(count, i < GW_MEMORY_CACHE_VARIANTS ? i + 1 : GW_MEMORY_CACHE_VARIANTS);
        while (count--) {
            assert_memory_equal(&entries[count]->key, &key, sizeof key);
            gw_entry_unref(entries[count]);
        }
    }
    gw_memory_cache_mark_hit_for_miss(*state, &key, 0, SECOND_US);
    assert_int_equal(get(*state, 1, "Accept: 2", 0), GW_REUSE_NO); /* stored first, and never asked for */
    assert_int_equal(get(*state, 1, "Accept: 3", 0), GW_REUSE_FRESH);
}

static void a_held_entry_outlives_its_eviction_and_the_table(void **state)
{
    struct gw_memory_cache *memory_cache = gw_memory_cache_create(MEMORY_CACHE_ROOM, NULL);
    struct gw_cache_key key = key_of(1);
    (void)state;
    assert_non_null(memory_cache);
    struct gw_entry *entry = entry_of(1, "", "Cache-Control: max-age=60", 1000, &an_hour_and_more);
    assert_true(gw_memory_cache_put(memory_cache, entry, gw_memory_cache_epoch(memory_cache, &key)));
    gw_memory_cache_invalidate(memory_cache, &key);
    assert_true(gw_memory_cache_put(memory_cache, entry, gw_memory_cache_epoch(memory_cache, &key)));
    gw_memory_cache_destroy(&memory_cache);
    assert_int_equal(entry->body->bytes[999], 1);
    gw_entry_unref(entry);
}

/* --- many threads --- */

enum { THREADS = 4, TURNS = 4000, KEYS = 64 };

/* Every key has a version, raised before its invalidation. An entry holds, as its age, the version that was current
 * when its epoch was noted. So after an invalidation has returned, no request may get an older one. */
struct scene {
    struct gw_memory_cache *memory_cache;
    _Atomic int64_t versions[KEYS];
    _Atomic int64_t invalidated[KEYS]; /* the version whose invalidation has returned */
    atomic_uint wrong, hits, stores;
};

static void store_one(struct scene *scene, unsigned number, size_t body_bytes)
{
    struct gw_cache_key key = key_of(number);
    uint64_t epoch = gw_memory_cache_epoch(scene->memory_cache, &key);
    struct gw_cache_life life = { .age_s = atomic_load(&scene->versions[number]), .freshness_s = 1 << 30 };
    struct gw_entry *entry = bare_entry_of(number, body_bytes, &life);
    if (entry && gw_memory_cache_put(scene->memory_cache, entry, epoch))
        atomic_fetch_add(&scene->stores, 1);
    gw_entry_unref(entry);
}

static void read_one(struct scene *scene, unsigned number)
{
    struct gw_cache_key key = key_of(number);
    struct gw_head head;
    struct gw_memory_cache_answer answer;
    gw_head_init(&head);
    int64_t at_least = atomic_load(&scene->invalidated[number]);
    gw_memory_cache_get(scene->memory_cache, &key, &plain_request, &head, 0, &answer);
    if (!answer.entry)
        return;
    atomic_fetch_add(&scene->hits, 1);
    if (memcmp(&answer.entry->key, &key, sizeof key) != 0 || answer.entry->age_s < at_least)
        atomic_fetch_add(&scene->wrong, 1);
    gw_entry_unref(answer.entry);
}

static void list_one(struct scene *scene, unsigned number)
{
    struct gw_cache_key key = key_of(number);
    struct gw_entry *entries[GW_MEMORY_CACHE_VARIANTS];
    unsigned count = gw_memory_cache_list(scene->memory_cache, &key, entries);
    if (count > 1)
        atomic_fetch_add(&scene->wrong, 1);
    while (count--)
        gw_entry_unref(entries[count]);
}

static void invalidate_one(struct scene *scene, unsigned number)
{
    struct gw_cache_key key = key_of(number);
    int64_t version = atomic_fetch_add(&scene->versions[number], 1) + 1;
    gw_memory_cache_invalidate(scene->memory_cache, &key);
    int64_t known = atomic_load(&scene->invalidated[number]);
    while (known < version && !atomic_compare_exchange_weak(&scene->invalidated[number], &known, version))
        ;
}

static void *act(void *context)
{
    struct scene *scene = context;
    struct gw_memory_cache_counts counts;
    struct gw_random random;
    gw_random_init(&random);
    for (unsigned i = 0; i < TURNS; i++) {
        uint64_t dice = gw_random_next(&random);
        unsigned number = (unsigned)(dice >> 32) % KEYS, what = (unsigned)dice % 100;
        struct gw_cache_key key = key_of(number);
        if (what < 65)
            read_one(scene, number);
        else if (what < 70)
            list_one(scene, number);
        else if (what < 90)
            store_one(scene, number, 1 + (unsigned)(dice >> 8) % 2000);
        else if (what < 96)
            invalidate_one(scene, number);
        else
            gw_memory_cache_mark_hit_for_miss(scene->memory_cache, &key, 0, 1);
        gw_memory_cache_read_counts(scene->memory_cache, &counts);
        if (counts.bytes > 64 * 1024)
            atomic_fetch_add(&scene->wrong, 1);
    }
    return NULL;
}

static void threads_see_no_entry_from_before_an_invalidation(void **state)
{
    struct scene scene = { .memory_cache = gw_memory_cache_create(64 * 1024, NULL) };
    pthread_t threads[THREADS];
    (void)state;
    assert_non_null(scene.memory_cache);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, act, &scene), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(scene.wrong, 0);
    assert_true(scene.stores > 0);
    assert_true(scene.hits > 0);
    for (unsigned i = 0; i < KEYS; i++) {
        struct gw_cache_key key = key_of(i);
        gw_memory_cache_invalidate(scene.memory_cache, &key);
    }
    assert_int_equal(counts_of(scene.memory_cache).bytes, 0);
    assert_int_equal(counts_of(scene.memory_cache).entries, 0);
    gw_memory_cache_destroy(&scene.memory_cache);
}

int main(void)
{
#define MEMORY_CACHE_TEST(test) cmocka_unit_test_setup_teardown(test, make_memory_cache, free_memory_cache)
    const struct CMUnitTest tests[] = {
        MEMORY_CACHE_TEST(what_was_put_is_got_until_it_expires),
        MEMORY_CACHE_TEST(the_same_sha_in_another_name_space_is_another_key),
        MEMORY_CACHE_TEST(a_request_gets_what_it_may_reuse_and_its_verdict),
        MEMORY_CACHE_TEST(a_mark_beside_an_entry_is_told_where_the_backend_must_be_asked),
        MEMORY_CACHE_TEST(a_list_has_all_variants_and_uses_none),
        MEMORY_CACHE_TEST(an_entry_replaces_what_answers_the_same_requests),
        MEMORY_CACHE_TEST(variants_lie_side_by_side),
        MEMORY_CACHE_TEST(another_vary_removes_the_variants_before_it),
        MEMORY_CACHE_TEST(a_side_field_makes_a_variant_and_removes_no_other),
        MEMORY_CACHE_TEST(the_least_asked_for_variant_leaves_for_the_seventeenth),
        MEMORY_CACHE_TEST(vary_any_is_not_taken),
        MEMORY_CACHE_TEST(a_look_that_finds_nothing_has_the_epoch_to_fill_by),
        MEMORY_CACHE_TEST(what_was_begun_before_an_invalidation_may_not_fill),
        MEMORY_CACHE_TEST(an_invalidation_removes_all_variants_and_no_other_key),
        MEMORY_CACHE_TEST(a_hit_for_miss_mark_lasts_as_long_as_said_or_until_a_store),
        MEMORY_CACHE_TEST(a_mark_for_credentials_is_for_these_alone),
        MEMORY_CACHE_TEST(what_says_nothing_of_freshness_is_a_mark_for_credentials),
        MEMORY_CACHE_TEST(an_entry_over_an_eighth_is_not_taken),
        MEMORY_CACHE_TEST(the_bound_is_never_exceeded),
        MEMORY_CACHE_TEST(marks_alone_are_bounded_too),
        MEMORY_CACHE_TEST(what_is_used_stays),
        cmocka_unit_test(a_table_without_room_holds_nothing_and_works),
        cmocka_unit_test(a_held_entry_outlives_its_eviction_and_the_table),
        cmocka_unit_test(threads_see_no_entry_from_before_an_invalidation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
