/* stage.h: a fetcher between a transport that a test plays and readers that note their events, for tests of
 * gateway/fetch.
 *
 * An attempt is one call that the fetch began; the test says what its backend does: says_head, says_body, ends, fails.
 * The transport asserts its own contract: no event after a cancel, no body while it is paused. Bodies are a pattern, so
 * that a byte lost, doubled or moved is seen. Time stands still except in `passes`, which runs the timers that come
 * due. tear_down asserts that nothing is left under way. */
#ifndef TEST_FETCH_STAGE_H
#define TEST_FETCH_STAGE_H

#include "unit/cache/played_worker.h"
#include "unit/fetch/listener.h"

enum { MOST_ATTEMPTS = 16, MOST_BODY = 1024 * 1024, BACKENDS = 3, MAX_OBJECT = 64 * 1024 };

struct attempt {
    struct gw_call *call;
    bool runs, paused, cancelled, fresh, body_ended;
    unsigned pauses, resumes;
    const struct gw_backend *backend;
    char target[128], fields[512], method[16];
    char sent[256];
    size_t sent_bytes, told_bytes;
};

struct stage;

struct played_transport {
    struct gw_transport base;
    struct stage *stage;
};

struct stage {
    struct gw_config config;
    struct gw_backend backends[BACKENDS];
    struct gw_backend *by_index[BACKENDS];
    struct gw_route route;
    struct gw_shard shard;
    struct gw_fetcher fetcher;
    struct gw_lookups lookups;
    struct gw_coalescing *coalescing;
    struct played_worker worker;
    struct played_transport h1, curl;
    struct gw_arena arena; /* of the request's head */
    struct gw_head request_head;
    struct gw_fetch_request request;

    struct attempt attempts[MOST_ATTEMPTS];
    unsigned attempt_count;
    enum gw_error begin_error; /* of the next attempts */
};

static inline void messages_arrive(struct stage *stage)
{
    messages_come(&stage->worker);
}

static inline void passes(struct stage *stage, uint64_t ms)
{
    time_passes(&stage->worker, ms);
}

/* ---- the transport ---- */

static inline struct attempt *attempt_of(struct gw_call *call)
{
    return call->inner;
}

static inline void copy_text(char *to, size_t capacity, struct gw_slice text)
{
    assert_true(text.length < capacity);
    memcpy(to, text.at, text.length);
    to[text.length] = 0;
}

static inline enum gw_error played_begin(struct gw_transport *transport, struct gw_call *call)
{
    struct stage *stage = GW_CONTAINER(transport, struct played_transport, base)->stage;
    if (stage->begin_error)
        return stage->begin_error;
    assert_true(stage->attempt_count < MOST_ATTEMPTS);
    struct attempt *attempt = &stage->attempts[stage->attempt_count++];
    *attempt = (struct attempt) { .call = call, .runs = true, .fresh = call->fresh, .backend = call->backend };
    copy_text(attempt->target, sizeof attempt->target, call->target);
    copy_text(attempt->fields, sizeof attempt->fields, call->fields);
    copy_text(attempt->method, sizeof attempt->method, call->method_text);
    call->began_at_us = gw_clock_monotonic_us();
    call->inner = attempt;
    return GW_ERROR_NONE;
}

static inline bool played_send(struct gw_call *call, struct gw_slice bytes, struct gw_block *block)
{
    struct attempt *attempt = attempt_of(call);
    (void)block;
    assert_true(attempt->runs && attempt->sent_bytes + bytes.length < sizeof attempt->sent);
    memcpy(attempt->sent + attempt->sent_bytes, bytes.at, bytes.length);
    attempt->sent_bytes += bytes.length;
    return true;
}

static inline void played_end_body(struct gw_call *call)
{
    assert_true(attempt_of(call)->runs && !attempt_of(call)->body_ended);
    attempt_of(call)->body_ended = true;
}

static inline void played_pause(struct gw_call *call)
{
    assert_true(attempt_of(call)->runs);
    attempt_of(call)->paused = true;
    attempt_of(call)->pauses++;
}

static inline void played_resume(struct gw_call *call)
{
    assert_true(attempt_of(call)->runs);
    attempt_of(call)->paused = false;
    attempt_of(call)->resumes++;
}

static inline void played_cancel(struct gw_call *call)
{
    struct attempt *attempt = attempt_of(call);
    assert_true(attempt->runs);
    attempt->runs = false;
    attempt->cancelled = true;
}

static const struct gw_transport_kind_table played_table = {
    .begin = played_begin,
    .send = played_send,
    .end_body = played_end_body,
    .pause = played_pause,
    .resume = played_resume,
    .cancel = played_cancel,
};

/* ---- what the backend does ---- */

static inline struct attempt *last_attempt(struct stage *stage)
{
    assert_true(stage->attempt_count > 0);
    return &stage->attempts[stage->attempt_count - 1];
}

enum { CHUNKED = -1, UNTIL_CLOSE = -2 };

/* fields: "Name: value\n"…; length: of the body, or CHUNKED, UNTIL_CLOSE. */
static inline void attempt_says_head(struct attempt *attempt, int status, const char *fields, long length)
{
    struct gw_arena *arena = attempt->call->arena;
    struct gw_head *head = gw_arena_take(arena, sizeof *head);
    assert_true(attempt->runs);
    if (!head) { /* as a transport does when the arena is out of memory */
        attempt->runs = false;
        attempt->call->was_sent = attempt->call->was_answered = true;
        attempt->call->events->on_fail(attempt->call, GW_ERROR_UPSTREAM_HEAD_TOO_LARGE);
        return;
    }
    gw_head_init(head);
    head->status = status;
    head->version_minor = 1;
    head->keep_alive = true;
    head->framing = length == CHUNKED       ? GW_FRAMING_CHUNKED
                    : length == UNTIL_CLOSE ? GW_FRAMING_UNTIL_CLOSE
                                            : GW_FRAMING_LENGTH;
    head->content_length = length < 0 ? 0 : (uint64_t)length;
    for (const char *at = fields; *at;) {
        const char *colon = strchr(at, ':'), *end = strchr(at, '\n');
        struct gw_slice name = gw_slice_of(at, (size_t)(colon - at));
        struct gw_slice value = gw_slice_of(colon + 2, (size_t)(end - colon - 2));
        if (!gw_head_add(head, arena, name, value)) {
            attempt->runs = false;
            attempt->call->events->on_fail(attempt->call, GW_ERROR_UPSTREAM_HEAD_TOO_LARGE);
            return;
        }
        at = end + 1;
    }
    attempt->call->was_sent = attempt->call->was_answered = true;
    attempt->call->head_at_us = gw_clock_monotonic_us() + 1;
    attempt->call->events->on_head(attempt->call, head);
}

static inline void says_head(struct stage *stage, int status, const char *fields, long length)
{
    attempt_says_head(last_attempt(stage), status, fields, length);
}

static inline void says_interim(struct stage *stage, int status)
{
    struct attempt *attempt = last_attempt(stage);
    struct gw_head head;
    gw_head_init(&head);
    head.status = status;
    attempt->call->was_sent = attempt->call->was_answered = true;
    attempt->call->events->on_interim(attempt->call, &head);
}

/* The next so many bytes of the pattern, as one piece; false when no reader is left or the fetch has paused. What
 * `then` does comes between the read and the event. */
static inline bool says_body_with(struct stage *stage, size_t bytes, void (*then)(void))
{
    struct attempt *attempt = last_attempt(stage);
    struct gw_block *block = attempt->runs && !attempt->paused ? gw_block_create(bytes) : NULL;
    if (then)
        then();
    if (!block)
        return false;
    for (size_t i = 0; i < bytes; i++)
        block->bytes[i] = pattern(attempt->told_bytes + i);
    attempt->told_bytes += bytes;
    attempt->call->events->on_body(attempt->call, gw_slice_of(block->bytes, bytes), block);
    memset(block->bytes, '!', bytes); /* a slice that was kept without its block would show this */
    gw_block_unref(block);
    return true;
}

static inline bool says_body(struct stage *stage, size_t bytes)
{
    return says_body_with(stage, bytes, NULL);
}

static inline void end_of_read(struct stage *stage)
{
    struct attempt *attempt = last_attempt(stage);
    if (attempt->runs)
        attempt->call->events->on_pause_in_reading(attempt->call);
}

/* In pieces, until no reader is left. */
static inline void says_all(struct stage *stage, size_t bytes)
{
    for (size_t told = 0; told < bytes;) {
        size_t piece = bytes - told < 9000 ? bytes - told : 9000;
        if (!says_body(stage, piece))
            return;
        told += piece;
        end_of_read(stage);
    }
}

static inline void attempt_ends(struct attempt *attempt)
{
    if (!attempt->runs)
        return;
    attempt->runs = false;
    attempt->call->events->on_end(attempt->call);
}

static inline void ends(struct stage *stage)
{
    attempt_ends(last_attempt(stage));
}

static inline void fails(struct stage *stage, enum gw_error error)
{
    struct attempt *attempt = last_attempt(stage);
    if (!attempt->runs)
        return;
    attempt->runs = false;
    attempt->call->events->on_fail(attempt->call, error);
}

static inline void wants_body(struct stage *stage)
{
    struct attempt *attempt = last_attempt(stage);
    assert_true(attempt->runs);
    attempt->call->events->on_want_body(attempt->call);
}

/* ---- the stage ---- */

static inline void set_config(struct stage *stage)
{
    static const char *const urls[BACKENDS] = { "http://one:8000", "http://two:8001", "http://three:8002" };
    for (unsigned i = 0; i < BACKENDS; i++) {
        stage->backends[i] = (struct gw_backend) {
            .url = gw_slice_of_string(urls[i]),
            .authority = gw_slice_of_string(urls[i] + 7),
            .base_path = GW_SLICE(""),
            .index = i,
        };
        stage->by_index[i] = &stage->backends[i];
    }
    stage->route = (struct gw_route) {
        .name = GW_SLICE("default"), .backends = stage->backends, .backend_count = BACKENDS, .default_ttl_s = 300
    };
    stage->config.backends = stage->by_index;
    stage->config.backend_count = BACKENDS;
    stage->config.routes = &stage->route;
    stage->config.route_count = 1;
    stage->config.max_header_bytes = stage->config.max_response_header_bytes = 8192;
    stage->config.max_object_bytes = MAX_OBJECT;
    stage->config.hit_for_miss_ms = 10000;
    stage->config.redis_timeout_ms = 50;
    stage->config.flight_wait_ms = 1000;
    stage->config.retries = 1;
    stage->config.transport = GW_TRANSPORT_AUTO;
}

static inline void set_request(struct stage *stage)
{
    struct gw_head *head = &stage->request_head;
    gw_arena_init(&stage->arena, 4096, 65536);
    gw_head_init(head);
    head->method = GW_METHOD_GET;
    head->method_text = GW_SLICE("GET");
    head->path = head->target = GW_SLICE("/x");
    head->authority = GW_SLICE("example.org");
    head->version_minor = 1;
    assert_true(gw_head_add(head, &stage->arena, GW_SLICE("Host"), GW_SLICE("example.org")));
    assert_true(gw_head_add(head, &stage->arena, GW_SLICE("Accept"), GW_SLICE("text/plain")));
    stage->request = (struct gw_fetch_request) {
        .config = &stage->config,
        .route = &stage->route,
        .method = GW_METHOD_GET,
        .method_text = GW_SLICE("GET"),
        .path = GW_SLICE("/x"),
        .host = GW_SLICE("example.org"),
        .fields = GW_SLICE("Accept: text/plain\r\n"),
        .rules = { .default_ttl_s = 300, .override_ttl_s = GW_DIRECTIVE_ABSENT, .keep_s = 60 },
        .key = { .sha = { 1 }, .name_space = { 2 } },
        .scheme = GW_SLICE("http"),
    };
}

static inline bool create_parts(struct stage *stage)
{
    gw_fetcher_init(&stage->fetcher);
    open_worker(&stage->worker);
    stage->fetcher.timers = &stage->worker.timers;
    stage->h1 = (struct played_transport) { { &played_table }, stage };
    stage->curl = stage->h1;
    stage->fetcher.transports[0] = &stage->h1.base;
    stage->fetcher.transports[1] = &stage->curl.base;
    stage->fetcher.shard = &stage->shard;
    stage->fetcher.collecting_bound = 1024 * 1024;
    stage->fetcher.registry = gw_registry_create(&stage->config);
    stage->fetcher.memory_cache = gw_memory_cache_create(4 * 1024 * 1024, stage->fetcher.bans);
    stage->coalescing = gw_coalescing_create();
    stage->fetcher.lookups = &stage->lookups;
    stage->lookups = (struct gw_lookups) { .config = &stage->config,
                                           .memory_cache = stage->fetcher.memory_cache,
                                           .bans = stage->fetcher.bans,
                                           .coalescing = stage->coalescing,
                                           .timers = &stage->worker.timers,
                                           .mailbox = &stage->worker.mailbox,
                                           .shard = &stage->shard };
    gw_random_init(&stage->lookups.random);
    return stage->fetcher.registry && stage->fetcher.memory_cache && stage->coalescing;
}

static inline bool open_stage(struct stage *stage)
{
    memset(stage, 0, sizeof *stage);
    played_now_us = 5000000;
    gw_log_setup(GW_LOG_ERROR, true); /* failing backends are intended here */
    set_config(stage);
    set_request(stage);
    return create_parts(stage);
}

static inline void free_stage(struct stage *stage)
{
    gw_fetcher_free(&stage->fetcher);
    gw_coalescing_destroy(&stage->coalescing);
    gw_memory_cache_destroy(&stage->fetcher.memory_cache);
    gw_registry_destroy(&stage->fetcher.registry);
    gw_arena_free(&stage->arena);
}

static inline struct stage *set_up(void)
{
    struct stage *stage = malloc(sizeof *stage);
    assert_non_null(stage);
    assert_true(open_stage(stage));
    return stage;
}

static inline void tear_down(struct stage *stage)
{
    messages_arrive(stage);
    assert_true(gw_fetcher_is_idle(&stage->fetcher));
    assert_int_equal(stage->fetcher.collecting_bytes, 0);
    assert_false(has_timers(&stage->worker.timers));
    for (unsigned i = 0; i < BACKENDS; i++)
        assert_int_equal(atomic_load(&gw_registry_record(stage->fetcher.registry, i)->in_flight), 0);
    for (unsigned i = 0; i < stage->attempt_count; i++)
        assert_false(stage->attempts[i].runs);
    free_stage(stage);
    free(stage);
}

/* ---- what a reader asks ---- */

/* The answer may be stored. */
static inline void allow_storing(struct stage *stage)
{
    stage->request.may_store = true;
    stage->request.head = &stage->request_head;
    gw_policy_read_request(&stage->request.cache, &stage->request_head, &stage->request.rules);
    assert_true(stage->request.cache.may_store && stage->request.cache.may_join);
}

static inline void may_be_stored(struct stage *stage)
{
    allow_storing(stage);
    stage->request.lead.epoch = gw_memory_cache_epoch(stage->fetcher.memory_cache, &stage->request.key);
}

static inline enum gw_coalescing_role enter(struct stage *stage, struct gw_coalescing_ask *ask)
{
    *ask = (struct gw_coalescing_ask) { .key = &stage->request.key, .mailbox = &stage->worker.mailbox };
    return gw_coalescing_start(stage->coalescing, ask);
}

static inline void begin(struct stage *stage, struct listener *listener)
{
    unsigned before = listener->events;
    assert_int_equal(gw_fetch_begin(&stage->fetcher, &stage->request, &listener->reader), GW_ERROR_NONE);
    assert_int_equal(listener->events, before);
    assert_non_null(listener->reader.fetch);
}

/* As the leader of a fetch that others may join. */
static inline void lead(struct stage *stage, struct listener *listener)
{
    struct gw_coalescing_ask ask;
    may_be_stored(stage);
    assert_int_equal(enter(stage, &ask), GW_COALESCING_LEAD);
    stage->request.lead.coalesced = ask.coalesced;
    begin(stage, listener);
}

/* The fetch of this key that can be joined; NULL: none is under way. */
static inline struct gw_fetch *joinable(struct stage *stage)
{
    struct gw_coalescing_ask ask;
    enum gw_coalescing_role role = enter(stage, &ask);
    assert_int_not_equal(role, GW_COALESCING_WAIT);
    if (role == GW_COALESCING_LEAD)
        gw_coalescing_finish(&ask.coalesced);
    return role == GW_COALESCING_JOIN ? ask.fetch : NULL;
}

static inline void join(struct stage *stage, struct listener *listener)
{
    struct gw_fetch *fetch = joinable(stage);
    assert_non_null(fetch);
    assert_true(gw_fetch_join(fetch, &listener->reader));
    assert_int_equal(listener->events, 0);
    gw_fetch_resume(&listener->reader);
}

/* What lies in the memory cache for this request. */
enum memory_view { MEMORY_CACHE_NOTHING, MEMORY_CACHE_MARK, MEMORY_CACHE_STALE, MEMORY_CACHE_FRESH };

static inline enum memory_view memory_cache_has(struct stage *stage, size_t *body_bytes)
{
    struct gw_cache_request request;
    struct gw_memory_cache_answer answer;
    gw_policy_read_request(&request, &stage->request_head, &stage->request.rules);
    gw_memory_cache_get(stage->fetcher.memory_cache, &stage->request.key, &request, &stage->request_head,
                        gw_clock_monotonic_us(), &answer);
    if (!answer.entry)
        return answer.is_hit_for_miss ? MEMORY_CACHE_MARK : MEMORY_CACHE_NOTHING;
    for (size_t i = 0; i < answer.entry->body_bytes; i++)
        assert_int_equal(answer.entry->body->bytes[i], pattern(i));
    *body_bytes = answer.entry->body_bytes;
    gw_entry_unref(answer.entry);
    return answer.reuse == GW_REUSE_FRESH ? MEMORY_CACHE_FRESH : MEMORY_CACHE_STALE;
}

static inline void assert_memory_cache(struct stage *stage, enum memory_view expected)
{
    size_t body_bytes;
    assert_int_equal(memory_cache_has(stage, &body_bytes), expected);
}

/* So many answers were not stored, all for this reason. */
static inline void assert_not_stored_since(struct stage *stage, enum gw_cache_refusal refusal, uint64_t count)
{
    for (unsigned i = 0; i < GW_CACHE_REFUSAL_COUNT; i++)
        assert_int_equal(gw_counter_read(&stage->shard.cache_not_stored[i]), i == refusal ? count : 0);
}

static inline void assert_stored(struct stage *stage, size_t body_bytes)
{
    size_t stored = 0;
    assert_int_equal(memory_cache_has(stage, &stored), MEMORY_CACHE_FRESH);
    assert_int_equal(stored, body_bytes);
}

static inline void assert_not_stored(struct stage *stage)
{
    size_t stored;
    assert_in_range(memory_cache_has(stage, &stored), MEMORY_CACHE_NOTHING, MEMORY_CACHE_MARK);
}

#endif
