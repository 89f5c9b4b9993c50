/* lookup_scene.h: look-ups of two workers, with a store and another instance that are played here. A visitor is one
 * look-up with what it was told. close_scene asserts that nothing is left under way. */
#ifndef GW_TESTS_UNIT_CACHE_LOOKUP_SCENE_H
#define GW_TESTS_UNIT_CACHE_LOOKUP_SCENE_H

#include "unit/cache/played_store.h"
#include "unit/cache/played_worker.h"
#include "cache/lookup.h"

enum { WAIT_MS = 1000, TIMEOUT_MS = 50, WORKERS = 2 };

#define FRESH "Cache-Control: max-age=60\nETag: \"1\""
#define STALE FRESH "\nAge: 70"
#define OLD   "Cache-Control: max-age=60, stale-while-revalidate=600\nAge: 70"

static const struct gw_cache_key key = { .sha = { 0x1b }, .name_space = { 0x0a } };

struct part { /* a worker */
    struct played_worker worker;
    struct gw_key_maker *keys;
    struct gw_redis_cache *redis_cache;
    struct gw_fetch_locks locks;
    struct gw_lookups lookups;
};

struct scene {
    struct gw_config config;
    struct gw_shard shard;
    struct gw_arena arena;
    struct gw_head head;
    struct gw_store store;
    struct gw_bans *bans;
    struct gw_memory_cache *memory_cache, *elsewhere_memory_cache;
    struct gw_coalescing *coalescing;
    struct part parts[WORKERS], elsewhere;
};

struct visitor {
    struct gw_lookup lookup;
    struct gw_cache_request request;
    unsigned looked, answers;
    enum gw_lookup_answer answer;
};

/* ---- the stage ---- */

static const struct gw_cache_rules rules = { .override_ttl_s = GW_DIRECTIVE_ABSENT, .keep_s = 600 };

static inline void open_part(struct scene *scene, struct part *part, struct gw_memory_cache *memory_cache,
                             unsigned worker, bool is_shared)
{
    open_worker(&part->worker);
    part->keys = gw_key_maker_create();
    if (is_shared)
        part->redis_cache = gw_redis_cache_create(&(struct gw_redis_cache_setup) { .store = &scene->store,
                                                                                   .memory_cache = memory_cache,
                                                                                   .bans = scene->bans,
                                                                                   .keys = part->keys,
                                                                                   .shard = &scene->shard,
                                                                                   .config = &scene->config });
    part->locks = (struct gw_fetch_locks) { .store = &scene->store,
                                            .timers = &part->worker.timers,
                                            .config = &scene->config };
    gw_fetch_locks_init(&part->locks);
    part->lookups = (struct gw_lookups) { .config = &scene->config,
                                          .memory_cache = memory_cache,
                                          .bans = scene->bans,
                                          .redis_cache = part->redis_cache,
                                          .locks = is_shared ? &part->locks : NULL,
                                          .coalescing = scene->coalescing,
                                          .timers = &part->worker.timers,
                                          .mailbox = &part->worker.mailbox,
                                          .shard = &scene->shard,
                                          .worker = worker };
    gw_random_init(&part->lookups.random);
}

static inline void close_part(struct part *part)
{
    messages_come(&part->worker);
    assert_false(has_timers(&part->worker.timers));
    if (part->redis_cache)
        gw_redis_cache_destroy(&part->redis_cache);
    gw_fetch_locks_free(&part->locks);
    gw_key_maker_destroy(&part->keys);
}

static inline struct scene *open_scene(bool is_shared)
{
    struct scene *scene = calloc(1, sizeof *scene);
    assert_non_null(scene);
    played_now_us = 5000000;
    scene->config = (struct gw_config) { .redis_prefix = GW_SLICE("gw:"),
                                         .redis_max_pending = 100,
                                         .redis_timeout_ms = TIMEOUT_MS,
                                         .flight_wait_ms = WAIT_MS,
                                         .max_header_bytes = 8192,
                                         .max_response_header_bytes = 8192 };
    open_arena(&scene->arena);
    scene->head = request_head(&scene->arena, "GET", "Accept: text/plain");
    scene->head.path = scene->head.target = GW_SLICE("/x");
    played_init(&scene->store);
    scene->bans = gw_bans_create();
    scene->memory_cache = gw_memory_cache_create(1 << 20, scene->bans);
    scene->elsewhere_memory_cache = gw_memory_cache_create(1 << 20, scene->bans);
    scene->coalescing = gw_coalescing_create();
    gw_memory_cache_set_mode(scene->memory_cache, is_shared ? GW_MEMORY_CACHE_SHARED : GW_MEMORY_CACHE_EMBEDDED);
    for (unsigned i = 0; i < WORKERS; i++)
        open_part(scene, &scene->parts[i], scene->memory_cache, i, is_shared);
    open_part(scene, &scene->elsewhere, scene->elsewhere_memory_cache, 0, true);
    return scene;
}

static inline void store_answers(struct scene *scene)
{
    unsigned made;
    do {
        made = scene->store.made;
        played_answer_all(&scene->store);
        for (unsigned i = 0; i < WORKERS; i++)
            messages_come(&scene->parts[i].worker);
    } while (scene->store.made != made);
}

static inline void close_scene(struct scene *scene)
{
    struct gw_lead lead;
    for (unsigned i = 0; i < WORKERS; i++)
        messages_come(&scene->parts[i].worker);
    assert_true(gw_lead_begin(&scene->parts[0].lookups, &key, &lead)); /* nobody leads any more */
    gw_lead_finish(&lead);
    store_answers(scene);
    for (unsigned i = 0; i < WORKERS; i++)
        close_part(&scene->parts[i]);
    close_part(&scene->elsewhere);
    gw_coalescing_destroy(&scene->coalescing);
    gw_memory_cache_destroy(&scene->memory_cache);
    gw_memory_cache_destroy(&scene->elsewhere_memory_cache);
    gw_bans_destroy(&scene->bans);
    gw_arena_free(&scene->arena);
    free(scene);
}

/* ---- what lies there ---- */

static inline struct gw_entry *entry_of(struct scene *scene, const char *fields)
{
    struct gw_head response = response_head(&scene->arena, 200, fields);
    struct gw_cache_request request;
    struct gw_cache_life life;
    int64_t now_s = (int64_t)(gw_clock_wall_us() / 1000000);
    gw_policy_read_request(&request, &scene->head, &rules);
    assert_int_equal(gw_policy_may_store(&request, &scene->head, &response, &rules, now_s, now_s, &life),
                     GW_CACHE_STORABLE);
    struct gw_entry *entry = gw_entry_create(&(struct gw_entry_setup) { .key = &key,
                                                                        .scheme = GW_SLICE("http"),
                                                                        .host = GW_SLICE("a.example"),
                                                                        .request = &scene->head,
                                                                        .response = &response,
                                                                        .life = &life,
                                                                        .now_us = played_now_us });
    assert_non_null(entry);
    return entry;
}

static inline void on_glance(void *owner, const struct gw_redis_cache_answer *answer)
{
    gw_entry_unref(answer->entry);
    *(struct gw_base_version *)owner = answer->base_version;
}

static inline void lies_in_memory(struct scene *scene, const char *fields)
{
    struct gw_entry *entry = entry_of(scene, fields);
    assert_true(gw_memory_cache_put(scene->memory_cache, entry, gw_memory_cache_epoch(scene->memory_cache, &key)));
    gw_entry_unref(entry);
}

/* By another instance, whatever else is due; fields NULL: a tombstone; "": a mark. */
static inline void elsewhere_stores(struct scene *scene, const char *fields)
{
    struct gw_cache_request request;
    struct gw_base_version base_version = { .kind = GW_BASE_UNKNOWN };
    struct gw_redis_cache *redis_cache = scene->elsewhere.redis_cache;
    unsigned next = scene->store.made;
    gw_policy_read_request(&request, &scene->head, &rules);
    assert_non_null(gw_redis_cache_ask(redis_cache, &key, &request, &scene->head, on_glance, &base_version));
    for (; next < scene->store.made; next++)
        played_answer(&scene->store, &scene->store.calls[next]);
    if (!fields) {
        struct gw_redis_cache_question *tombstone = gw_redis_cache_invalidate(redis_cache, &key, NULL, NULL);
        gw_redis_cache_cancel(&tombstone);
    } else if (!*fields) {
        gw_redis_cache_mark_hit_for_miss(redis_cache, &key, &base_version, 10000);
    } else {
        struct gw_entry *entry = entry_of(scene, fields);
        assert_true(gw_redis_cache_put(redis_cache, entry, &base_version, NULL, NULL));
        gw_entry_unref(entry);
    }
    for (; next < scene->store.made; next++)
        played_answer(&scene->store, &scene->store.calls[next]);
}

static inline struct played_value *lock_of(struct scene *scene)
{
    struct gw_key_text text;
    char name[PLAYED_KEY_BYTES];
    gw_key_text_of_lock(&text, scene->config.redis_prefix, &key);
    played_copy_key(name, text.slice);
    return played_at(&scene->store, name);
}

static inline void elsewhere_locks(struct scene *scene)
{
    struct gw_key_text text;
    char name[PLAYED_KEY_BYTES];
    struct played_bytes id = { .length = 16, .at = "of-another-one.." };
    gw_key_text_of_lock(&text, scene->config.redis_prefix, &key);
    played_copy_key(name, text.slice);
    played_put(&scene->store, name, &id, GW_FETCH_LOCK_MS);
}

/* ---- visitors ---- */

static inline void has_looked(void *owner)
{
    struct visitor *visitor = owner;
    visitor->looked++;
}

static inline void has_answer(void *owner, enum gw_lookup_answer answer)
{
    struct visitor *visitor = owner;
    visitor->answers++;
    visitor->answer = answer;
    gw_lookup_check(&visitor->lookup);
}

static inline void arrives(struct scene *scene, unsigned worker, struct visitor *visitor, const char *fields)
{
    struct gw_head head = request_head(&scene->arena, "GET", fields);
    *visitor = (struct visitor) { .looked = 0 };
    gw_policy_read_request(&visitor->request, &head, &rules);
    gw_lookup_init(&visitor->lookup, &(struct gw_lookup_ask) { .lookups = &scene->parts[worker].lookups,
                                                               .key = &key,
                                                               .request = &visitor->request,
                                                               .head = &scene->head,
                                                               .on_looked = has_looked,
                                                               .on_answer = has_answer,
                                                               .owner = visitor });
}

static inline bool looks(struct scene *scene, unsigned worker, struct visitor *visitor, const char *fields)
{
    arrives(scene, worker, visitor, fields);
    bool is_asked = gw_lookup_begin(&visitor->lookup, visitor->request.must_validate ? played_now_us : 0);
    gw_lookup_check(&visitor->lookup);
    return is_asked;
}

static inline enum gw_lookup_answer claims(struct visitor *visitor)
{
    enum gw_lookup_answer answer = gw_lookup_claim(&visitor->lookup);
    gw_lookup_check(&visitor->lookup);
    return answer;
}

/* It has looked; nothing else that is due is answered. */
static inline void has_seen(struct scene *scene, unsigned worker, struct visitor *visitor, const char *fields)
{
    unsigned next = scene->store.made;
    assert_true(looks(scene, worker, visitor, fields));
    for (; next < scene->store.made; next++)
        played_answer(&scene->store, &scene->store.calls[next]);
    assert_int_equal(visitor->looked, 1);
}

/* It looked, saw nothing, and claimed; the store has not answered the claim. */
static inline void misses(struct scene *scene, unsigned worker, struct visitor *visitor)
{
    has_seen(scene, worker, visitor, "");
    assert_int_equal(claims(visitor), GW_LOOKUP_WAIT);
}

static inline void assert_is(const struct visitor *visitor, enum gw_lookup_state state)
{
    assert_string_equal(gw_lookup_state_name(visitor->lookup.state), gw_lookup_state_name(state));
    gw_lookup_check(&visitor->lookup);
}

static inline void assert_told(const struct visitor *visitor, enum gw_lookup_answer answer)
{
    assert_is(visitor, GW_LOOKUP_DECIDED);
    assert_int_equal(visitor->answers, 1);
    assert_int_equal(visitor->answer, answer);
}

#endif
