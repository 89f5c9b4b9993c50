/* memory_cache_scene.h: what the tests of the memory cache put in, and what a request gets. */
#ifndef GW_TESTS_UNIT_CACHE_MEMORY_CACHE_SCENE_H
#define GW_TESTS_UNIT_CACHE_MEMORY_CACHE_SCENE_H

#include "unit/cache/heads.h"
#include "cache/memory_cache.h"

enum { MEMORY_CACHE_ROOM = 1 << 20 };
#define SECOND_US UINT64_C(1000000)

static const struct gw_cache_life an_hour_and_more = { .freshness_s = 1 << 30 };

/* A request without fields, for threads. */
static const struct gw_cache_request plain_request = { .is_candidate = true,
                                                       .may_look_up = true,
                                                       .default_ttl_applies = true,
                                                       .max_age = GW_DIRECTIVE_ABSENT,
                                                       .min_fresh = GW_DIRECTIVE_ABSENT,
                                                       .max_stale = GW_DIRECTIVE_ABSENT };

static inline struct gw_cache_key key_of(unsigned number)
{
    struct gw_cache_key key = { .name_space = { 7 } };
    memcpy(key.sha, &number, sizeof number);
    return key;
}

static inline struct gw_entry *entry_made_of(unsigned number, const struct gw_head *request,
                                             const struct gw_head *response, size_t body_bytes,
                                             const struct gw_cache_life *life)
{
    struct gw_cache_key key = key_of(number);
    struct gw_block *body = body_bytes ? gw_block_create(body_bytes) : NULL;
    if (body)
        memset(body->bytes, (int)number, body_bytes);
    struct gw_entry_setup setup = { .key = &key,
                                    .scheme = GW_SLICE("http"),
                                    .host = GW_SLICE("a.example"),
                                    .request = request,
                                    .response = response,
                                    .tags = GW_SLICE("tagged"),
                                    .body = body,
                                    .body_bytes = body_bytes,
                                    .life = life };
    struct gw_entry *entry = gw_entry_create(&setup);
    gw_block_unref(body);
    return entry;
}

/* Stored at 0 s. */
static inline struct gw_entry *entry_of(unsigned number, const char *asked, const char *answered, size_t body_bytes,
                                        const struct gw_cache_life *life)
{
    struct gw_arena arena;
    open_arena(&arena);
    struct gw_head request = request_head(&arena, "GET", asked), response = response_head(&arena, 200, answered);
    struct gw_entry *entry = entry_made_of(number, &request, &response, body_bytes, life);
    gw_arena_free(&arena);
    assert_non_null(entry);
    return entry;
}

/* The same without an arena, for threads; NULL when memory is out. */
static inline struct gw_entry *bare_entry_of(unsigned number, size_t body_bytes, const struct gw_cache_life *life)
{
    struct gw_head request, response;
    gw_head_init(&request);
    gw_head_init(&response);
    response.status = 200;
    return entry_made_of(number, &request, &response, body_bytes, life);
}

static inline bool put_for(struct gw_memory_cache *memory_cache, unsigned number, const char *asked,
                           const char *answered, size_t body_bytes, const struct gw_cache_life *life)
{
    struct gw_cache_key key = key_of(number);
    struct gw_entry *entry = entry_of(number, asked, answered, body_bytes, life);
    bool taken = gw_memory_cache_put(memory_cache, entry, gw_memory_cache_epoch(memory_cache, &key));
    gw_entry_unref(entry);
    return taken;
}

/* Fresh for 60 s by the default TTL, and of no use afterwards. */
static inline bool put(struct gw_memory_cache *memory_cache, unsigned number, const char *asked, const char *answered,
                       size_t body_bytes)
{
    static const struct gw_cache_life a_minute = { .freshness_s = 60 };
    return put_for(memory_cache, number, asked, answered, body_bytes, &a_minute);
}

/* What a request with these fields gets. The entry is the caller's. */
static inline struct gw_memory_cache_answer answer_to(struct gw_memory_cache *memory_cache, unsigned number,
                                                      const char *asked, uint64_t now_us)
{
    static const struct gw_cache_rules rules = { .default_ttl_s = 300 };
    struct gw_cache_key key = key_of(number);
    struct gw_cache_request request;
    struct gw_memory_cache_answer answer;
    struct gw_arena arena;
    open_arena(&arena);
    struct gw_head head = request_head(&arena, "GET", asked);
    gw_policy_read_request(&request, &head, &rules);
    gw_memory_cache_get(memory_cache, &key, &request, &head, now_us, &answer);
    gw_arena_free(&arena);
    assert_int_equal(answer.reuse != GW_REUSE_NO, answer.entry != NULL);
    if (answer.entry)
        assert_memory_equal(&answer.entry->key, &key, sizeof key);
    return answer;
}

static inline enum gw_reuse get(struct gw_memory_cache *memory_cache, unsigned number, const char *asked,
                                uint64_t now_us)
{
    struct gw_memory_cache_answer answer = answer_to(memory_cache, number, asked, now_us);
    gw_entry_unref(answer.entry);
    return answer.reuse;
}

static inline bool is_marked(struct gw_memory_cache *memory_cache, unsigned number, uint64_t now_us)
{
    struct gw_memory_cache_answer answer = answer_to(memory_cache, number, "", now_us);
    gw_entry_unref(answer.entry);
    return answer.is_hit_for_miss;
}

static inline struct gw_memory_cache_counts counts_of(struct gw_memory_cache *memory_cache)
{
    struct gw_memory_cache_counts counts;
    gw_memory_cache_read_counts(memory_cache, &counts);
    return counts;
}

static inline int make_memory_cache(void **state)
{
    *state = gw_memory_cache_create(MEMORY_CACHE_ROOM, NULL);
    return *state ? 0 : -1;
}

static inline int free_memory_cache(void **state)
{
    struct gw_memory_cache *memory_cache = *state;
    gw_memory_cache_destroy(&memory_cache);
    return memory_cache != NULL;
}

#endif
