#include "unit/cache/heads.h"
#include <pthread.h>
#include <stdio.h>
#include "base/random.h"
#include "cache/near.h"

enum { ROOM = 1 << 20 };
#define SECOND_US UINT64_C(1000000)

static const struct gw_cache_rules rules = { .default_ttl_s = 300 };

static struct gw_cache_key key_of(unsigned number)
{
    struct gw_cache_key key = { .name_space = { 7 } };
    memcpy(key.sha, &number, sizeof number);
    return key;
}

/* Stored at 0 s, fresh for 60 s. */
static struct gw_entry *entry_of(unsigned number, const char *asked, const char *answered, size_t body_bytes)
{
    static const struct gw_cache_life life = { .age_s = 0, .freshness_s = 60 };
    struct gw_cache_key key = key_of(number);
    struct gw_arena arena;
    open_arena(&arena);
    struct gw_head request = request_head(&arena, "GET", asked), response = response_head(&arena, 200, answered);
    struct gw_block *body = body_bytes ? gw_block_create(body_bytes) : NULL;
    if (body)
        memset(body->bytes, (int)number, body_bytes);
    struct gw_entry *entry = gw_entry_create(&key, &request, &response, body, body_bytes, &life, 0);
    gw_block_drop(body);
    gw_arena_free(&arena);
    assert_non_null(entry);
    return entry;
}

static bool put(struct gw_near *near, unsigned number, const char *asked, const char *answered, size_t body_bytes)
{
    struct gw_cache_key key = key_of(number);
    struct gw_entry *entry = entry_of(number, asked, answered, body_bytes);
    bool taken = gw_near_put(near, entry, gw_near_epoch(near, &key));
    gw_entry_drop(entry);
    return taken;
}

/* What a request with these fields gets; the entry's ETag, copied, in *etag (NULL: not asked for). */
static enum gw_near_result get_tagged(struct gw_near *near, unsigned number, const char *asked, uint64_t now_us,
                                      char *etag)
{
    struct gw_cache_key key = key_of(number);
    struct gw_cache_request request;
    struct gw_entry *entry = NULL;
    struct gw_arena arena;
    open_arena(&arena);
    struct gw_head head = request_head(&arena, "GET", asked);
    gw_policy_read_request(&request, &head, &rules);
    enum gw_near_result result = gw_near_get(near, &key, &request, &head, now_us, &entry);
    assert_int_equal(result == GW_NEAR_HIT, entry != NULL);
    if (entry) {
        assert_memory_equal(&entry->key, &key, sizeof key);
        struct gw_slice tag = gw_head_value(&entry->head, GW_FIELD_ETAG);
        if (etag && tag.length < 16)
            memcpy(etag, tag.at ? tag.at : "", tag.length);
        if (etag)
            etag[tag.length < 16 ? tag.length : 0] = '\0';
    }
    gw_entry_drop(entry);
    gw_arena_free(&arena);
    return result;
}

static enum gw_near_result get(struct gw_near *near, unsigned number, const char *asked, uint64_t now_us)
{
    return get_tagged(near, number, asked, now_us, NULL);
}

static struct gw_near_counts counts_of(struct gw_near *near)
{
    struct gw_near_counts counts;
    gw_near_read_counts(near, &counts);
    return counts;
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

static void what_was_put_is_got_until_it_expires(void **state)
{
    assert_int_equal(get(*state, 1, "", 0), GW_NEAR_MISS);
    assert_true(put(*state, 1, "", "Cache-Control: max-age=60", 100));
    assert_int_equal(get(*state, 1, "", 0), GW_NEAR_HIT);
    assert_int_equal(get(*state, 2, "", 0), GW_NEAR_MISS);
    assert_int_equal(get(*state, 1, "", 60 * SECOND_US - 1), GW_NEAR_HIT);
    assert_int_equal(get(*state, 1, "", 60 * SECOND_US), GW_NEAR_STALE);
    assert_int_equal(get(*state, 1, "", 60 * SECOND_US), GW_NEAR_MISS);
    struct gw_near_counts counts = counts_of(*state);
    assert_int_equal(counts.entries, 0);
    assert_int_equal(counts.bytes, 0);
    assert_int_equal(counts.stores, 1);
    assert_int_equal(counts.expired, 1);
    assert_int_equal(counts.evictions, 0);
}

static void the_same_sha_in_another_name_space_is_another_key(void **state)
{
    struct gw_cache_request request;
    struct gw_entry *entry;
    struct gw_arena arena;
    struct gw_cache_key key = key_of(1);
    assert_true(put(*state, 1, "", "Cache-Control: max-age=60", 0));
    open_arena(&arena);
    struct gw_head head = request_head(&arena, "GET", "");
    gw_policy_read_request(&request, &head, &rules);
    key.name_space[31] = 1;
    assert_int_equal(gw_near_get(*state, &key, &request, &head, 0, &entry), GW_NEAR_MISS);
    assert_null(entry);
    gw_arena_free(&arena);
}

static void a_request_gets_only_what_it_may_reuse(void **state)
{
    assert_true(put(*state, 1, "", "", 0)); /* by the default TTL */
    assert_int_equal(get(*state, 1, "Cookie: a=b", 0), GW_NEAR_MISS);
    assert_int_equal(get(*state, 1, "Cache-Control: no-cache", 0), GW_NEAR_MISS);
    assert_int_equal(get(*state, 1, "Cache-Control: max-age=9", 10 * SECOND_US), GW_NEAR_MISS);
    assert_int_equal(get(*state, 1, "Cache-Control: min-fresh=9", 55 * SECOND_US), GW_NEAR_MISS);
    assert_int_equal(get(*state, 1, "X-Original-URL: /x", 0), GW_NEAR_MISS);
    assert_int_equal(get(*state, 1, "", 0), GW_NEAR_HIT);
}

static void an_entry_replaces_what_answers_the_same_requests(void **state)
{
    char etag[16];
    assert_true(put(*state, 1, "Accept: a", "Cache-Control: max-age=60\nETag: \"1\"", 0));
    assert_true(put(*state, 1, "Accept: b", "Cache-Control: max-age=60\nETag: \"2\"", 0));
    assert_int_equal(counts_of(*state).entries, 1);
    assert_int_equal(get_tagged(*state, 1, "", 0, etag), GW_NEAR_HIT);
    assert_string_equal(etag, "\"2\"");
}

static void variants_lie_side_by_side(void **state)
{
    char etag[16];
    assert_true(put(*state, 1, "Accept: a", "Vary: Accept\nCache-Control: max-age=60\nETag: \"a\"", 0));
    assert_true(put(*state, 1, "Accept: b", "Vary: Accept\nCache-Control: max-age=60\nETag: \"b\"", 0));
    assert_true(put(*state, 1, "", "Vary: Accept\nCache-Control: max-age=60\nETag: \"-\"", 0));
    assert_int_equal(get_tagged(*state, 1, "Accept: a", 0, etag), GW_NEAR_HIT);
    assert_string_equal(etag, "\"a\"");
    assert_int_equal(get_tagged(*state, 1, "Accept: b", 0, etag), GW_NEAR_HIT);
    assert_string_equal(etag, "\"b\"");
    assert_int_equal(get_tagged(*state, 1, "", 0, etag), GW_NEAR_HIT);
    assert_string_equal(etag, "\"-\"");
    assert_int_equal(get(*state, 1, "Accept: c", 0), GW_NEAR_MISS);
    assert_true(put(*state, 1, "Accept: a", "Vary: Accept\nCache-Control: max-age=60\nETag: \"A\"", 0));
    assert_int_equal(counts_of(*state).entries, 3);
    assert_int_equal(get_tagged(*state, 1, "Accept: a", 0, etag), GW_NEAR_HIT);
    assert_string_equal(etag, "\"A\"");
}

static void another_vary_removes_the_variants_before_it(void **state)
{
    assert_true(put(*state, 1, "Accept: a", "Cache-Control: max-age=60", 0));
    assert_true(put(*state, 1, "Accept: b", "Vary: Accept\nCache-Control: max-age=60", 0));
    assert_int_equal(get(*state, 1, "Accept: a", 0), GW_NEAR_MISS);
    assert_int_equal(get(*state, 1, "Accept: b", 0), GW_NEAR_HIT);
    assert_int_equal(counts_of(*state).entries, 1);
}

static void a_side_field_makes_a_variant_and_removes_nobodys(void **state)
{
    assert_true(put(*state, 1, "", "Cache-Control: max-age=60", 0));
    assert_true(put(*state, 1, "X-Original-URL: /x", "Cache-Control: max-age=60", 0));
    assert_int_equal(get(*state, 1, "", 0), GW_NEAR_HIT);
    assert_int_equal(get(*state, 1, "X-Original-URL: /x", 0), GW_NEAR_HIT);
    assert_int_equal(get(*state, 1, "X-Original-URL: /y", 0), GW_NEAR_MISS);
    assert_int_equal(counts_of(*state).entries, 2);
}

static void the_least_recently_used_variant_leaves_for_the_seventeenth(void **state)
{
    char asked[32];
    for (unsigned i = 0; i < GW_NEAR_VARIANTS; i++) {
        snprintf(asked, sizeof asked, "Accept: %u", i);
        assert_true(put(*state, 1, asked, "Vary: Accept\nCache-Control: max-age=60", 0));
    }
    assert_int_equal(get(*state, 1, "Accept: 0", 0), GW_NEAR_HIT); /* now 1 is the least recently used */
    assert_true(put(*state, 1, "Accept: x", "Vary: Accept\nCache-Control: max-age=60", 0));
    assert_int_equal(counts_of(*state).entries, GW_NEAR_VARIANTS);
    assert_int_equal(counts_of(*state).evictions, 1);
    assert_int_equal(get(*state, 1, "Accept: 0", 0), GW_NEAR_HIT);
    assert_int_equal(get(*state, 1, "Accept: 1", 0), GW_NEAR_MISS);
    assert_int_equal(get(*state, 1, "Accept: x", 0), GW_NEAR_HIT);
}

static void vary_any_is_not_taken(void **state)
{
    assert_false(put(*state, 1, "", "Vary: *\nCache-Control: max-age=60", 0));
    assert_int_equal(counts_of(*state).bytes, 0);
}

static void what_was_begun_before_an_invalidation_may_not_fill(void **state)
{
    struct gw_cache_key key = key_of(1);
    struct gw_entry *entry = entry_of(1, "", "Cache-Control: max-age=60", 10);
    uint64_t epoch = gw_near_epoch(*state, &key);
    assert_true(put(*state, 1, "", "Cache-Control: max-age=60", 10));
    gw_near_invalidate(*state, &key);
    assert_int_equal(get(*state, 1, "", 0), GW_NEAR_MISS);
    assert_false(gw_near_put(*state, entry, epoch));
    assert_int_equal(get(*state, 1, "", 0), GW_NEAR_MISS);
    assert_int_equal(counts_of(*state).bytes, 0);
    assert_true(gw_near_put(*state, entry, gw_near_epoch(*state, &key)));
    assert_int_equal(get(*state, 1, "", 0), GW_NEAR_HIT);
    gw_entry_drop(entry);
}

static void an_invalidation_removes_all_variants_and_no_other_key(void **state)
{
    struct gw_cache_key key = key_of(1);
    assert_true(put(*state, 1, "Accept: a", "Vary: Accept\nCache-Control: max-age=60", 0));
    assert_true(put(*state, 1, "Accept: b", "Vary: Accept\nCache-Control: max-age=60", 0));
    for (unsigned i = 2; i < 100; i++)
        assert_true(put(*state, i, "", "Cache-Control: max-age=60", 0));
    gw_near_invalidate(*state, &key);
    assert_int_equal(get(*state, 1, "Accept: a", 0), GW_NEAR_MISS);
    assert_int_equal(get(*state, 1, "Accept: b", 0), GW_NEAR_MISS);
    for (unsigned i = 2; i < 100; i++)
        assert_int_equal(get(*state, i, "", 0), GW_NEAR_HIT);
}

static void a_hit_for_miss_mark_lasts_as_long_as_said_or_until_a_store(void **state)
{
    struct gw_cache_key key = key_of(1);
    gw_near_mark_hit_for_miss(*state, &key, 0, 10 * SECOND_US);
    assert_int_equal(get(*state, 1, "", 10 * SECOND_US - 1), GW_NEAR_HIT_FOR_MISS);
    gw_near_mark_hit_for_miss(*state, &key, 5 * SECOND_US, 10 * SECOND_US); /* longer */
    assert_int_equal(get(*state, 1, "", 15 * SECOND_US - 1), GW_NEAR_HIT_FOR_MISS);
    uint64_t one_mark = counts_of(*state).bytes;
    assert_true(one_mark > 0);
    assert_int_equal(get(*state, 1, "", 15 * SECOND_US), GW_NEAR_MISS);
    assert_int_equal(counts_of(*state).bytes, 0);
    gw_near_mark_hit_for_miss(*state, &key, 0, 10 * SECOND_US);
    assert_int_equal(counts_of(*state).bytes, one_mark);
    assert_int_equal(counts_of(*state).entries, 0);
    assert_true(put(*state, 1, "", "Cache-Control: max-age=60", 0));
    assert_int_equal(get(*state, 1, "", 0), GW_NEAR_HIT);
    assert_int_equal(get(*state, 1, "Cache-Control: no-cache", 0), GW_NEAR_MISS); /* the mark is gone */
}

static void an_entry_over_an_eighth_is_not_taken(void **state)
{
    assert_true(put(*state, 1, "", "Cache-Control: max-age=60", ROOM / 8 - 2048));
    assert_false(put(*state, 2, "", "Cache-Control: max-age=60", ROOM / 8));
    assert_int_equal(get(*state, 1, "", 0), GW_NEAR_HIT);
}

static void the_bound_is_never_exceeded(void **state)
{
    struct gw_random random;
    gw_random_init(&random);
    for (unsigned i = 0; i < 3000; i++) {
        size_t body_bytes = gw_random_next(&random) % (i % 50 == 0 ? ROOM / 8 - 2048 : 5000);
        assert_true(put(*state, i, "", "Cache-Control: max-age=60", body_bytes));
        assert_int_equal(get(*state, i, "", 0), GW_NEAR_HIT); /* room was made, and not out of it itself */
        assert_true(counts_of(*state).bytes <= ROOM);
    }
    struct gw_near_counts counts = counts_of(*state);
    assert_true(counts.bytes > ROOM / 2);
    assert_true(counts.evictions > 0);
    assert_int_equal(counts.stores, 3000);
    assert_int_equal(counts.entries + counts.evictions, 3000);
}

static void marks_alone_are_bounded_too(void **state)
{
    for (unsigned i = 0; i < 20000; i++) {
        struct gw_cache_key key = key_of(i);
        gw_near_mark_hit_for_miss(*state, &key, 0, 10 * SECOND_US);
    }
    assert_true(counts_of(*state).bytes <= ROOM);
    assert_int_equal(get(*state, 19999, "", 0), GW_NEAR_HIT_FOR_MISS);
}

static void what_is_used_stays(void **state)
{
    unsigned kept = 0;
    assert_true(put(*state, 0, "", "Cache-Control: max-age=60", 100));
    for (unsigned i = 1; i < 3000; i++) {
        assert_true(put(*state, i, "", "Cache-Control: max-age=60", 2000));
        kept += get(*state, 0, "", 0) == GW_NEAR_HIT;
    }
    assert_true(counts_of(*state).evictions > 1000);
    assert_int_equal(kept, 2999);
}

static void a_table_too_small_for_anything_holds_nothing(void **state)
{
    struct gw_near *near = gw_near_create(100);
    struct gw_cache_key key = key_of(1);
    (void)state;
    assert_non_null(near);
    assert_false(put(near, 1, "", "Cache-Control: max-age=60", 0));
    gw_near_mark_hit_for_miss(near, &key, 0, 10 * SECOND_US);
    assert_int_equal(get(near, 1, "", 0), GW_NEAR_MISS);
    gw_near_destroy(&near);
    assert_null(near);
}

static void a_held_entry_outlives_its_eviction_and_the_table(void **state)
{
    struct gw_near *near = gw_near_create(ROOM);
    struct gw_cache_key key = key_of(1);
    (void)state;
    assert_non_null(near);
    struct gw_entry *entry = entry_of(1, "", "Cache-Control: max-age=60", 1000);
    assert_true(gw_near_put(near, entry, gw_near_epoch(near, &key)));
    gw_near_invalidate(near, &key);
    assert_true(gw_near_put(near, entry, gw_near_epoch(near, &key)));
    gw_near_destroy(&near);
    assert_int_equal(entry->body->bytes[999], 1);
    gw_entry_drop(entry);
}

/* --- many threads --- */

enum { THREADS = 4, TURNS = 4000, KEYS = 64 };

/* Every key has a version, raised before its invalidation. An entry holds, as its age, the version that was current
 * when its epoch was noted, so after an invalidation has returned nobody may get an older one. */
struct scene {
    struct gw_near *near;
    _Atomic int64_t versions[KEYS];
    _Atomic int64_t invalidated[KEYS]; /* the version whose invalidation has returned */
    atomic_uint wrong, hits, stores;
};

static void store_one(struct scene *scene, unsigned number, size_t body_bytes)
{
    struct gw_cache_key key = key_of(number);
    struct gw_cache_life life = { .freshness_s = INT64_MAX / 2 };
    struct gw_head request, response;
    struct gw_block *body = gw_block_create(body_bytes);
    uint64_t epoch = gw_near_epoch(scene->near, &key);
    life.age_s = atomic_load(&scene->versions[number]);
    gw_head_init(&request);
    gw_head_init(&response);
    response.status = 200;
    struct gw_entry *entry = gw_entry_create(&key, &request, &response, body, body_bytes, &life, 0);
    if (entry && gw_near_put(scene->near, entry, epoch))
        atomic_fetch_add(&scene->stores, 1);
    gw_entry_drop(entry);
    gw_block_drop(body);
}

static void read_one(struct scene *scene, unsigned number)
{
    static const struct gw_cache_request request = { .is_candidate = true,
                                                     .may_look_up = true,
                                                     .default_ttl_applies = true,
                                                     .max_age = GW_DIRECTIVE_ABSENT,
                                                     .min_fresh = GW_DIRECTIVE_ABSENT };
    struct gw_cache_key key = key_of(number);
    struct gw_head head;
    struct gw_entry *entry;
    gw_head_init(&head);
    int64_t at_least = atomic_load(&scene->invalidated[number]);
    if (gw_near_get(scene->near, &key, &request, &head, 0, &entry) != GW_NEAR_HIT)
        return;
    atomic_fetch_add(&scene->hits, 1);
    if (memcmp(&entry->key, &key, sizeof key) != 0 || entry->age_s < at_least)
        atomic_fetch_add(&scene->wrong, 1);
    gw_entry_drop(entry);
}

static void invalidate_one(struct scene *scene, unsigned number)
{
    struct gw_cache_key key = key_of(number);
    int64_t version = atomic_fetch_add(&scene->versions[number], 1) + 1;
    gw_near_invalidate(scene->near, &key);
    int64_t known = atomic_load(&scene->invalidated[number]);
    while (known < version && !atomic_compare_exchange_weak(&scene->invalidated[number], &known, version))
        ;
}

static void *act(void *context)
{
    struct scene *scene = context;
    struct gw_near_counts counts;
    struct gw_random random;
    gw_random_init(&random);
    for (unsigned i = 0; i < TURNS; i++) {
        uint64_t dice = gw_random_next(&random);
        unsigned number = (unsigned)(dice >> 32) % KEYS, what = (unsigned)dice % 100;
        struct gw_cache_key key = key_of(number);
        if (what < 70)
            read_one(scene, number);
        else if (what < 90)
            store_one(scene, number, 1 + (unsigned)(dice >> 8) % 2000);
        else if (what < 96)
            invalidate_one(scene, number);
        else
            gw_near_mark_hit_for_miss(scene->near, &key, 0, 1);
        gw_near_read_counts(scene->near, &counts);
        if (counts.bytes > 64 * 1024)
            atomic_fetch_add(&scene->wrong, 1);
    }
    return NULL;
}

static void threads_see_no_entry_from_before_an_invalidation(void **state)
{
    struct scene scene = { .near = gw_near_create(64 * 1024) };
    pthread_t threads[THREADS];
    (void)state;
    assert_non_null(scene.near);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, act, &scene), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(scene.wrong, 0);
    assert_true(scene.stores > 0);
    assert_true(scene.hits > 0);
    for (unsigned i = 0; i < KEYS; i++) {
        struct gw_cache_key key = key_of(i);
        gw_near_invalidate(scene.near, &key);
    }
    assert_int_equal(counts_of(scene.near).bytes, 0);
    assert_int_equal(counts_of(scene.near).entries, 0);
    gw_near_destroy(&scene.near);
}

int main(void)
{
#define NEAR_TEST(test) cmocka_unit_test_setup_teardown(test, make_near, free_near)
    const struct CMUnitTest tests[] = {
        NEAR_TEST(what_was_put_is_got_until_it_expires),
        NEAR_TEST(the_same_sha_in_another_name_space_is_another_key),
        NEAR_TEST(a_request_gets_only_what_it_may_reuse),
        NEAR_TEST(an_entry_replaces_what_answers_the_same_requests),
        NEAR_TEST(variants_lie_side_by_side),
        NEAR_TEST(another_vary_removes_the_variants_before_it),
        NEAR_TEST(a_side_field_makes_a_variant_and_removes_nobodys),
        NEAR_TEST(the_least_recently_used_variant_leaves_for_the_seventeenth),
        NEAR_TEST(vary_any_is_not_taken),
        NEAR_TEST(what_was_begun_before_an_invalidation_may_not_fill),
        NEAR_TEST(an_invalidation_removes_all_variants_and_no_other_key),
        NEAR_TEST(a_hit_for_miss_mark_lasts_as_long_as_said_or_until_a_store),
        NEAR_TEST(an_entry_over_an_eighth_is_not_taken),
        NEAR_TEST(the_bound_is_never_exceeded),
        NEAR_TEST(marks_alone_are_bounded_too),
        NEAR_TEST(what_is_used_stays),
        cmocka_unit_test(a_table_too_small_for_anything_holds_nothing),
        cmocka_unit_test(a_held_entry_outlives_its_eviction_and_the_table),
        cmocka_unit_test(threads_see_no_entry_from_before_an_invalidation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
