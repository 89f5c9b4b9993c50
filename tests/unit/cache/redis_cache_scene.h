/* redis_cache_scene.h: workers' views of one played store (cache/redis_cache.h): ask, put, and what lies there. */
#ifndef GW_TESTS_UNIT_CACHE_REDIS_CACHE_SCENE_H
#define GW_TESTS_UNIT_CACHE_REDIS_CACHE_SCENE_H

#include "unit/cache/played_store.h"
#include "base/clock.h"
#include "cache/redis_cache.h"

enum { ROOM = 1 << 20, MOST_PENDING = 5, VIEWS = 2 };

/* The ban log, played: each call is answered when the scene says so. */
struct gw_ban_log {
    bool is_current, is_refused;
    unsigned bans;
    gw_purge_done *done;
    void *owner;
};

struct gw_purge *gw_ban_log_add(struct gw_ban_log *ban_log, const struct gw_ban *ban, gw_purge_done *done, void *owner)
{
    static char purge;
    assert_int_equal(ban->kind, GW_BAN_ALL);
    assert_false(ban->is_soft);
    if (ban_log->is_refused)
        return NULL;
    ban_log->bans++;
    ban_log->done = done;
    ban_log->owner = owner;
    return (struct gw_purge *)(void *)&purge;
}

bool gw_ban_log_is_current(const struct gw_ban_log *ban_log)
{
    return ban_log->is_current;
}

struct view { /* a worker's, of an instance of its own */
    struct gw_memory_cache *memory_cache;
    struct gw_key_maker *keys;
    struct gw_redis_cache *redis_cache;
};

struct stage {
    struct gw_store store;
    struct gw_ban_log ban_log;
    struct gw_bans *bans;
    struct gw_shard shard;
    struct gw_config config;
    struct view views[VIEWS];
};

struct asked { /* an exchange that looks up */
    struct gw_arena arena;
    struct gw_head head;
    struct gw_cache_request request;
    struct gw_redis_cache_question *question;
    struct gw_redis_cache_answer answer;
    unsigned answers;
};

static const struct gw_cache_rules rules = { .default_ttl_s = 300, .override_ttl_s = GW_DIRECTIVE_ABSENT };

static inline struct gw_cache_key key_of(unsigned number)
{
    struct gw_cache_key key = { .name_space = { 7 } };
    memcpy(key.sha, &number, sizeof number);
    return key;
}

static inline bool open_view(struct stage *stage, struct view *view, struct gw_timers *timers)
{
    view->memory_cache = gw_memory_cache_create(ROOM, stage->bans);
    view->keys = gw_key_maker_create();
    if (!view->memory_cache || !view->keys)
        return false;
    gw_memory_cache_set_mode(view->memory_cache, GW_MEMORY_CACHE_SHARED);
    view->redis_cache = gw_redis_cache_create(&(struct gw_redis_cache_setup) { .store = &stage->store,
                                                                               .timers = timers,
                                                                               .memory_cache = view->memory_cache,
                                                                               .bans = stage->bans,
                                                                               .ban_log = &stage->ban_log,
                                                                               .keys = view->keys,
                                                                               .shard = &stage->shard,
                                                                               .config = &stage->config });
    return view->redis_cache != NULL;
}

static inline void close_view(struct view *view)
{
    gw_redis_cache_destroy(&view->redis_cache);
    gw_key_maker_destroy(&view->keys);
    gw_memory_cache_destroy(&view->memory_cache);
}

static inline int make_stage(void **state)
{
    struct stage *stage = calloc(1, sizeof *stage);
    if (!stage)
        return -1;
    played_init(&stage->store);
    stage->bans = gw_bans_create();
    stage->ban_log.is_current = true;
    stage->config.redis_prefix = GW_SLICE("gw:");
    stage->config.redis_max_pending = MOST_PENDING;
    stage->config.connect_timeout_ms = 1000;
    stage->config.response_timeout_ms = 60000;
    stage->config.read_timeout_ms = 30000;
    stage->config.retries = 1;
    for (unsigned i = 0; i < VIEWS; i++)
        if (!stage->bans || !open_view(stage, &stage->views[i], NULL))
            return -1;
    *state = stage;
    return 0;
}

static inline int free_stage(void **state)
{
    struct stage *stage = *state;
    played_lose_all(&stage->store);
    for (unsigned i = 0; i < VIEWS; i++)
        close_view(&stage->views[i]);
    gw_bans_destroy(&stage->bans);
    free(stage);
    return 0;
}

/* ---- look-ups ---- */

static inline void on_answer(void *owner, const struct gw_redis_cache_answer *said)
{
    struct asked *asked = owner;
    asked->answers++;
    asked->answer = *said;
    asked->question = NULL;
}

static inline void open_asked(struct asked *asked, const char *fields)
{
    memset(asked, 0, sizeof *asked);
    open_arena(&asked->arena);
    asked->head = request_head(&asked->arena, "GET", fields);
    gw_policy_read_request(&asked->request, &asked->head, &rules);
}

static inline void view_asks(struct stage *stage, unsigned view, struct asked *asked, unsigned number,
                             const char *fields)
{
    struct gw_cache_key key = key_of(number);
    open_asked(asked, fields);
    asked->question = gw_redis_cache_ask(stage->views[view].redis_cache, &key, &asked->request, &asked->head, on_answer,
                                         asked);
}

static inline void ask(struct stage *stage, struct asked *asked, unsigned number, const char *fields)
{
    view_asks(stage, 0, asked, number, fields);
}

static inline void end_asked(struct asked *asked)
{
    gw_entry_unref(asked->answer.entry);
    gw_arena_free(&asked->arena);
}

static inline const char *etag_of(const struct gw_entry *entry)
{
    static char etag[16];
    struct gw_slice tag = entry ? gw_head_value(&entry->head, GW_FIELD_ETAG) : GW_SLICE("none");
    assert_true(tag.length < sizeof etag);
    memcpy(etag, tag.at, tag.length);
    etag[tag.length] = '\0';
    return etag;
}

/* The result of a look-up after all answers have come; the entry is given back. */
static inline struct gw_redis_cache_answer view_looks_up(struct stage *stage, unsigned view, unsigned number,
                                                         const char *fields, const char *expected)
{
    struct asked asked;
    view_asks(stage, view, &asked, number, fields);
    assert_non_null(asked.question);
    played_answer_all(&stage->store);
    assert_int_equal(asked.answers, 1);
    if (expected)
        assert_string_equal(etag_of(asked.answer.entry), expected);
    struct gw_redis_cache_answer answer = asked.answer;
    end_asked(&asked);
    return answer;
}

static inline struct gw_base_version look_up(struct stage *stage, unsigned number, const char *fields,
                                             const char *expected)
{
    return view_looks_up(stage, 0, number, fields, expected).base_version;
}

static inline void assert_answers(struct stage *stage, unsigned number, const char *expected)
{
    (void)look_up(stage, number, "", expected);
}

/* ---- stores ---- */

struct response {
    const char *asked, *answered; /* fields */
    int64_t age_s, window_s;      /* fresh for 300 s */
    struct gw_cache_terms terms;
    uint64_t ban_sequence;
};

static inline struct gw_entry *entry_of(unsigned number, const struct response *said)
{
    struct gw_cache_life life = { .age_s = said->age_s, .freshness_s = 300, .terms = said->terms };
    struct gw_cache_key key = key_of(number);
    struct gw_arena arena;
    open_arena(&arena);
    life.terms.window_s = said->window_s;
    struct gw_head request = request_head(&arena, "GET", said->asked ? said->asked : ""),
                   response = response_head(&arena, 200, said->answered);
    request.path = GW_SLICE("/path");
    struct gw_block *body = gw_block_create(5);
    assert_non_null(body);
    memcpy(body->bytes, "hello", 5);
    struct gw_entry *entry = gw_entry_create(&(struct gw_entry_setup) { .key = &key,
                                                                        .scheme = GW_SLICE("http"),
                                                                        .host = GW_SLICE("example.com"),
                                                                        .request = &request,
                                                                        .response = &response,
                                                                        .body = body,
                                                                        .body_bytes = 5,
                                                                        .life = &life,
                                                                        .ban_sequence = said->ban_sequence,
                                                                        .now_us = gw_clock_monotonic_us() });
    gw_block_unref(body);
    gw_arena_free(&arena);
    assert_non_null(entry);
    return entry;
}

static inline void count(void *owner)
{
    ++*(unsigned *)owner;
}

static inline bool put_response(struct stage *stage, unsigned number, const struct response *said,
                                const struct gw_base_version *base_version, unsigned *stored_count)
{
    struct gw_entry *entry = entry_of(number, said);
    bool is_sent = gw_redis_cache_put(stage->views[0].redis_cache, entry, base_version, stored_count ? count : NULL,
                                      stored_count);
    gw_entry_unref(entry);
    return is_sent;
}

static inline bool put(struct stage *stage, unsigned number, const char *answered,
                       const struct gw_base_version *base_version, unsigned *stored_count)
{
    return put_response(stage, number, &(struct response) { .answered = answered }, base_version, stored_count);
}

/* Looks up, and stores the backend's answer. */
static inline void store_response(struct stage *stage, unsigned number, const struct response *said)
{
    struct gw_base_version base_version = look_up(stage, number, said->asked ? said->asked : "", NULL);
    assert_true(put_response(stage, number, said, &base_version, NULL));
    played_answer_all(&stage->store);
}

static inline void store(struct stage *stage, unsigned number, const char *answered)
{
    store_response(stage, number, &(struct response) { .answered = answered });
}

/* ---- what lies where ---- */

static inline struct played_value *stored(struct stage *stage, unsigned number)
{
    struct gw_key_text text;
    char name[PLAYED_KEY_BYTES];
    struct gw_cache_key key = key_of(number);
    gw_key_text_of_base(&text, GW_SLICE("gw:"), &key);
    played_copy_key(name, text.slice);
    return played_at(&stage->store, name);
}

/* The n-th of the base's variants, by their places in the store. */
static inline struct played_value *stored_variant(struct stage *stage, unsigned number, unsigned n)
{
    const char *base = stored(stage, number) ? stored(stage, number)->key : "";
    for (unsigned i = 0; i < PLAYED_VALUES; i++) {
        struct played_value *value = &stage->store.values[i];
        if (value->bytes.length && strncmp(value->key, base, PLAYED_BASE_BYTES) == 0 &&
            value->key[PLAYED_BASE_BYTES] == ':' && n-- == 0)
            return value;
    }
    return NULL;
}

static inline enum gw_frame_kind kind_of(struct stage *stage, unsigned number)
{
    struct gw_frame frame;
    struct played_value *value = stored(stage, number);
    assert_non_null(value);
    gw_frame_read(&frame, gw_slice_of(value->bytes.at, value->bytes.length));
    return frame.kind;
}

static inline bool is_in_memory(struct stage *stage, unsigned number, const char *fields)
{
    struct gw_cache_key key = key_of(number);
    struct asked asked;
    struct gw_memory_cache_answer answer;
    open_asked(&asked, fields);
    gw_memory_cache_get(stage->views[0].memory_cache, &key, &asked.request, &asked.head, gw_clock_monotonic_us(),
                        &answer);
    gw_entry_unref(answer.entry);
    gw_arena_free(&asked.arena);
    return answer.entry != NULL;
}

#endif
