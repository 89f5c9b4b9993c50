/* The cache in the store, over a store that is played here: it keeps values by redis/store.lua's rule, and answers when
 * the scene says so. */
#include "unit/cache/heads.h"
#include <stdlib.h>
#include "base/clock.h"
#include "cache/frame.h"
#include "cache/shared.h"

enum {
    ROOM = 1 << 20,
    CALLS = 64,
    VALUES = 16,
    VALUE_BYTES = 1024,
    KEY_BYTES = 3 + GW_KEY_TEXT_BYTES,
    MOST_PENDING = 5
};

/* ---- the played store ---- */

enum call_kind { CALL_GET, CALL_SET, CALL_RUN };

struct gw_store_call {
    enum call_kind kind;
    bool is_due;
    char key[KEY_BYTES], value[VALUE_BYTES], version[8];
    size_t value_bytes, version_bytes;
    bool has_value; /* else: a deletion */
    int64_t life_ms;
    gw_store_done *done;
    void *owner;
    struct gw_block *payload;
};

struct value {
    char key[KEY_BYTES], bytes[VALUE_BYTES];
    size_t length;
    int64_t left_ms;
};

struct gw_store {
    bool is_up;
    unsigned room; /* calls that are taken */
    struct gw_store_call calls[CALLS];
    unsigned made, answered;
    struct value values[VALUES];
    enum gw_store_result fails_with; /* INTEGERS: it does not */
};

bool gw_store_is_up(const struct gw_store *store)
{
    return store->is_up;
}

static struct gw_store_call *make_call(struct gw_store *store, enum call_kind kind, struct gw_slice key,
                                       gw_store_done *done, void *owner)
{
    if (!store->is_up || store->made - store->answered >= store->room)
        return NULL;
    assert_true(store->made < CALLS);
    assert_int_equal(key.length, KEY_BYTES);
    struct gw_store_call *call = &store->calls[store->made++];
    *call = (struct gw_store_call) { .kind = kind, .is_due = true, .done = done, .owner = owner };
    memcpy(call->key, key.at, KEY_BYTES);
    return call;
}

struct gw_store_call *gw_store_get(struct gw_store *store, struct gw_slice key, gw_store_done *done, void *owner)
{
    return make_call(store, CALL_GET, key, done, owner);
}

static void take_value(struct gw_store_call *call, struct gw_slice value, int64_t life_ms)
{
    assert_true(value.length <= VALUE_BYTES);
    call->has_value = value.length > 0;
    call->value_bytes = value.length;
    if (value.length)
        memcpy(call->value, value.at, value.length);
    call->life_ms = life_ms;
}

struct gw_store_call *gw_store_set(struct gw_store *store, struct gw_slice key, struct gw_slice value, int64_t life_ms,
                                   gw_store_done *done, void *owner)
{
    struct gw_store_call *call = make_call(store, CALL_SET, key, done, owner);
    if (call)
        take_value(call, value, life_ms);
    return call;
}

struct gw_store_call *gw_store_run(struct gw_store *store, enum gw_store_script script, const struct gw_slice *keys,
                                   unsigned key_count, const struct gw_slice *arguments, unsigned argument_count,
                                   struct gw_slice payload_bytes, struct gw_block *payload, gw_store_done *done,
                                   void *owner)
{
    uint64_t life_ms;
    assert_int_equal(script, GW_STORE_PUT);
    assert_int_equal(key_count, 1);
    assert_int_equal(argument_count + (payload_bytes.at != NULL), 3); /* version, life, value */
    struct gw_store_call *call = make_call(store, CALL_RUN, keys[0], done, owner);
    if (!call)
        return NULL;
    assert_true(arguments[0].length == 0 || arguments[0].length == 8);
    call->version_bytes = arguments[0].length;
    memcpy(call->version, arguments[0].at, arguments[0].length);
    assert_true(gw_slice_to_uint64(arguments[1], &life_ms));
    take_value(call, payload_bytes.at ? payload_bytes : arguments[2], (int64_t)life_ms);
    call->payload = gw_block_share(payload);
    return call;
}

void gw_store_forget(struct gw_store_call **call)
{
    if (*call)
        (*call)->done = NULL;
    *call = NULL;
}

static struct value *value_at(struct gw_store *store, const char *key)
{
    for (unsigned i = 0; i < VALUES; i++)
        if (store->values[i].length && memcmp(store->values[i].key, key, KEY_BYTES) == 0)
            return &store->values[i];
    return NULL;
}

static struct value *place_for(struct gw_store *store, const char *key)
{
    struct value *value = value_at(store, key);
    for (unsigned i = 0; !value && i < VALUES; i++)
        if (!store->values[i].length)
            value = &store->values[i];
    assert_non_null(value);
    memcpy(value->key, key, KEY_BYTES);
    return value;
}

static void set_value(struct gw_store *store, const struct gw_store_call *call)
{
    struct value *value = place_for(store, call->key);
    value->length = call->has_value ? call->value_bytes : 0;
    memcpy(value->bytes, call->value, call->value_bytes);
    value->left_ms = call->life_ms;
}

static bool is_as_seen(const struct value *value, const struct gw_store_call *call)
{
    if (!value || value->length < 40 || memcmp(value->bytes, "GWC1", 4) != 0)
        return true;
    return call->version_bytes == 8 && memcmp(value->bytes + 8, call->version, 8) == 0;
}

/* Executes a call and answers it, as Redis would in its turn. */
static void answer(struct gw_store *store, struct gw_store_call *call)
{
    static int64_t one;
    struct value *value = value_at(store, call->key);
    struct gw_store_reply reply = { .result = store->fails_with };
    struct value copy;
    assert_true(call->is_due);
    call->is_due = false;
    store->answered++;
    if (reply.result != GW_STORE_INTEGERS) {
        if (reply.result == GW_STORE_OOM && !call->has_value) { /* needs no memory */
            set_value(store, call);
            reply.result = GW_STORE_DONE;
        }
    } else if (call->kind == CALL_GET) {
        reply.result = value ? GW_STORE_VALUE : GW_STORE_NIL;
        if (value) {
            copy = *value;
            reply.value = gw_slice_of(copy.bytes, copy.length);
            reply.ttl_ms = copy.left_ms;
        }
    } else if (call->kind == CALL_SET) {
        set_value(store, call);
        reply.result = GW_STORE_DONE;
    } else {
        one = is_as_seen(value, call);
        if (one)
            set_value(store, call);
        reply.integers = &one;
        reply.integer_count = 1;
    }
    if (call->done)
        call->done(call->owner, &reply);
    gw_block_drop(call->payload);
}

static void answer_all(struct gw_store *store)
{
    for (unsigned i = 0; i < store->made; i++)
        if (store->calls[i].is_due)
            answer(store, &store->calls[i]);
}

static void lose_all(struct gw_store *store)
{
    enum gw_store_result before = store->fails_with;
    store->is_up = false;
    store->fails_with = GW_STORE_LOST;
    answer_all(store);
    store->fails_with = before;
}

static unsigned due(const struct gw_store *store)
{
    return store->made - store->answered;
}

/* ---- the stage ---- */

struct stage {
    struct gw_store store;
    struct gw_near *near;
    struct gw_shard shard;
    struct gw_config config;
    struct gw_shared *shared;
};

struct asked { /* an exchange that looks up */
    struct gw_arena arena;
    struct gw_head head;
    struct gw_cache_request request;
    struct gw_shared_question *question;
    struct gw_shared_answer answer;
    unsigned answers;
};

static struct gw_cache_key key_of(unsigned number)
{
    struct gw_cache_key key = { .name_space = { 7 } };
    memcpy(key.sha, &number, sizeof number);
    return key;
}

static int make_stage(void **state)
{
    struct stage *stage = calloc(1, sizeof *stage);
    if (!stage)
        return -1;
    stage->near = gw_near_create(ROOM);
    stage->config.redis_prefix = GW_SLICE("gw:");
    stage->config.redis_max_pending = MOST_PENDING;
    stage->config.connect_timeout_ms = 1000;
    stage->config.response_timeout_ms = 60000;
    stage->config.read_timeout_ms = 30000;
    stage->config.retries = 1;
    stage->store.is_up = true;
    stage->store.room = CALLS;
    struct gw_shared_setup setup = {
        .store = &stage->store, .near = stage->near, .shard = &stage->shard, .config = &stage->config
    };
    stage->shared = gw_shared_create(&setup);
    if (!stage->near || !stage->shared)
        return -1;
    gw_near_set_mode(stage->near, GW_NEAR_SHARED);
    *state = stage;
    return 0;
}

static int free_stage(void **state)
{
    struct stage *stage = *state;
    lose_all(&stage->store);
    gw_shared_destroy(&stage->shared);
    gw_near_destroy(&stage->near);
    free(stage);
    return 0;
}

static void on_answer(void *owner, const struct gw_shared_answer *said)
{
    struct asked *asked = owner;
    asked->answers++;
    asked->answer = *said;
    asked->question = NULL;
}

static void ask(struct stage *stage, struct asked *asked, unsigned number, const char *fields)
{
    static const struct gw_cache_rules rules = { .default_ttl_s = 300 };
    struct gw_cache_key key = key_of(number);
    memset(asked, 0, sizeof *asked);
    open_arena(&asked->arena);
    asked->head = request_head(&asked->arena, "GET", fields);
    gw_policy_read_request(&asked->request, &asked->head, &rules);
    asked->question = gw_shared_ask(stage->shared, &key, &asked->request, &asked->head, on_answer, asked);
}

static void end_asked(struct asked *asked)
{
    gw_entry_drop(asked->answer.entry);
    gw_arena_free(&asked->arena);
}

/* Asks and has it answered; what was seen. */
static struct gw_seen look_up(struct stage *stage, unsigned number, const char *fields, char *etag, bool *is_marked)
{
    struct asked asked;
    ask(stage, &asked, number, fields);
    assert_non_null(asked.question);
    answer_all(&stage->store);
    assert_int_equal(asked.answers, 1);
    if (etag) {
        struct gw_slice tag = asked.answer.entry ? gw_head_value(&asked.answer.entry->head, GW_FIELD_ETAG)
                                                 : GW_SLICE("none");
        assert_true(tag.length < 16);
        memcpy(etag, tag.at, tag.length);
        etag[tag.length] = '\0';
    }
    if (is_marked)
        *is_marked = asked.answer.is_hit_for_miss;
    struct gw_seen seen = asked.answer.seen;
    end_asked(&asked);
    return seen;
}

static void assert_answers(struct stage *stage, unsigned number, const char *expected)
{
    char etag[16];
    (void)look_up(stage, number, "", etag, NULL);
    assert_string_equal(etag, expected);
}

static struct gw_entry *entry_of(unsigned number, const char *asked, const char *answered, int64_t age_s)
{
    struct gw_cache_life life = { .age_s = age_s, .freshness_s = 300 };
    struct gw_cache_key key = key_of(number);
    struct gw_arena arena;
    open_arena(&arena);
    struct gw_head request = request_head(&arena, "GET", asked), response = response_head(&arena, 200, answered);
    struct gw_block *body = gw_block_create(5);
    assert_non_null(body);
    memcpy(body->bytes, "hello", 5);
    struct gw_entry *entry = gw_entry_create(&key, &request, &response, body, 5, &life, gw_clock_monotonic_us());
    gw_block_drop(body);
    gw_arena_free(&arena);
    assert_non_null(entry);
    return entry;
}

static void count(void *owner)
{
    ++*(unsigned *)owner;
}

static bool put(struct stage *stage, unsigned number, const char *answered, const struct gw_seen *seen,
                unsigned *landed)
{
    struct gw_entry *entry = entry_of(number, "", answered, 0);
    bool is_sent = gw_shared_put(stage->shared, entry, seen, landed ? count : NULL, landed);
    gw_entry_drop(entry);
    return is_sent;
}

static void store(struct stage *stage, unsigned number, const char *answered)
{
    struct gw_seen seen = look_up(stage, number, "", NULL, NULL);
    assert_true(put(stage, number, answered, &seen, NULL));
    answer_all(&stage->store);
}

static struct value *stored(struct stage *stage, unsigned number)
{
    char text[KEY_BYTES];
    struct gw_cache_key key = key_of(number);
    gw_key_put_text(&key, GW_SLICE("gw:"), text);
    return value_at(&stage->store, text);
}

static enum gw_frame_kind kind_of(struct stage *stage, unsigned number)
{
    struct gw_frame frame;
    struct value *value = stored(stage, number);
    assert_non_null(value);
    gw_frame_read(&frame, gw_slice_of(value->bytes, value->length));
    return frame.kind;
}

static bool is_near(struct stage *stage, unsigned number)
{
    struct gw_cache_key key = key_of(number);
    struct asked asked;
    struct gw_entry *entry;
    memset(&asked, 0, sizeof asked);
    open_arena(&asked.arena);
    asked.head = request_head(&asked.arena, "GET", "");
    gw_policy_read_request(&asked.request, &asked.head, &(struct gw_cache_rules) { .default_ttl_s = 300 });
    bool is_hit = gw_near_get(stage->near, &key, &asked.request, &asked.head, gw_clock_monotonic_us(), &entry) ==
                  GW_NEAR_HIT;
    gw_entry_drop(entry);
    gw_arena_free(&asked.arena);
    return is_hit;
}

/* ---- scenes ---- */

static void what_one_stores_another_gets(void **state)
{
    struct stage *stage = *state;
    unsigned landed = 0;
    struct gw_seen seen = look_up(stage, 1, "", NULL, NULL);
    assert_int_equal(seen.kind, GW_SEEN_ABSENT);
    assert_true(put(stage, 1, "ETag: a", &seen, &landed));
    assert_int_equal(landed, 0);
    answer_all(&stage->store);
    assert_int_equal(landed, 1);
    assert_in_range(stored(stage, 1)->left_ms, 299000, 300000); /* a default response: redis-cli TTL shows 300 */
    assert_false(is_near(stage, 1));                            /* only reads fill */
    assert_answers(stage, 1, "a");
    assert_true(is_near(stage, 1));
    assert_answers(stage, 2, "none");
}

static void the_age_is_what_the_store_says_is_gone(void **state)
{
    struct stage *stage = *state;
    struct asked asked;
    store(stage, 1, "ETag: a");
    stored(stage, 1)->left_ms -= 100000;
    ask(stage, &asked, 1, "");
    answer_all(&stage->store);
    assert_non_null(asked.answer.entry);
    assert_in_range(gw_entry_age_s(asked.answer.entry, gw_clock_monotonic_us()), 100, 101);
    assert_int_equal(asked.answer.entry->body_bytes, 5);
    assert_memory_equal(asked.answer.entry->body->bytes, "hello", 5);
    end_asked(&asked);
}

/* What lies there is no answer, but is seen: a store may go over it. */
static void what_may_not_answer_is_seen_all_the_same(void **state)
{
    static const struct {
        int64_t left_ms; /* 0: as it is */
        const char *asked;
    } rows[] = {
        { 0, "Cookie: a=b" },
        { 0, "Cache-Control: no-cache" },
        { 0, "Cache-Control: min-fresh=301" },
        { 0, "X-Forwarded-Host: other" },
        { -1, "" },      /* without an expiry: its age is not known */
        { -2, "" },      /* stored between the two questions */
        { 9000000, "" }, /* more than its life */
    };
    struct stage *stage = *state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        char etag[16];
        store(stage, (unsigned)i, "ETag: a");
        if (rows[i].left_ms)
            stored(stage, (unsigned)i)->left_ms = rows[i].left_ms;
        struct gw_seen seen = look_up(stage, (unsigned)i, rows[i].asked, etag, NULL);
        assert_string_equal(etag, "none");
        assert_int_equal(seen.kind, GW_SEEN_VERSION);
        assert_true(put(stage, (unsigned)i, "ETag: b", &seen, NULL));
        answer_all(&stage->store);
        assert_answers(stage, (unsigned)i, "b");
    }
}

/* Two reads, A and B, a purge P and their stores, in every order that matters: what may lie there at the end. */
static void races_end_as_the_versions_say(void **state)
{
    static const struct {
        const char *steps; /* l: A looks up, L: B does; s, S: they store; p: a purge */
        const char *expected;
    } rows[] = {
        { "lLsS", "a" },                      /* both saw nothing: the first one stores */
        { "lLSs", "b" },     { "lsLS", "b" }, /* B saw A's */
        { "lps", "none" },                    /* begun before the purge */
        { "pls", "a" },                       /* begun after it */
        { "lLpsS", "none" }, { "lpLSs", "b" }, { "lpLsS", "b" }, { "lspLS", "b" }, { "lsLpS", "none" },
    };
    struct stage *stage = *state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_seen seen[2] = { { .kind = GW_SEEN_NOTHING } };
        struct gw_cache_key key = key_of((unsigned)i);
        char etag[16];
        stage->store.made = stage->store.answered = 0;
        for (const char *step = rows[i].steps; *step; step++) {
            if (*step == 'l' || *step == 'L')
                seen[*step == 'L'] = look_up(stage, (unsigned)i, "Cache-Control: no-cache", NULL, NULL);
            else if (*step == 'p')
                assert_non_null(gw_shared_invalidate(stage->shared, &key, NULL, NULL));
            else
                assert_true(put(stage, (unsigned)i, *step == 's' ? "ETag: a" : "ETag: b", &seen[*step == 'S'], NULL));
            answer_all(&stage->store);
        }
        (void)look_up(stage, (unsigned)i, "", etag, NULL);
        if (strcmp(etag, rows[i].expected) != 0)
            fail_msg("%s: %s", rows[i].steps, etag);
    }
    assert_true(gw_counter_read(&stage->shard.cache_stores_raced) >= 6);
}

static void nothing_is_stored_over_what_was_not_seen(void **state)
{
    struct stage *stage = *state;
    struct gw_seen seen = { .kind = GW_SEEN_NOTHING, .at_us = gw_clock_monotonic_us() };
    assert_false(put(stage, 1, "ETag: a", &seen, NULL));
    seen = (struct gw_seen) { .kind = GW_SEEN_ABSENT, .at_us = gw_clock_monotonic_us() };
    assert_true(put(stage, 1, "ETag: a", &seen, NULL));
    /* Looked up before a tombstone could have come and gone: 2 x (1 + 60) + 30 + 60 s, less 10 s. */
    seen.at_us = gw_clock_monotonic_us() - UINT64_C(202000000);
    assert_false(put(stage, 2, "ETag: a", &seen, NULL));
    seen.at_us += 2000000;
    assert_true(put(stage, 2, "ETag: a", &seen, NULL));
}

static void a_read_sent_before_an_invalidation_answers_and_does_not_fill(void **state)
{
    struct stage *stage = *state;
    struct gw_cache_key key = key_of(1);
    struct asked asked;
    store(stage, 1, "ETag: a");
    ask(stage, &asked, 1, "");
    gw_near_invalidate(stage->near, &key);
    answer_all(&stage->store);
    assert_non_null(asked.answer.entry);
    assert_false(is_near(stage, 1));
    end_asked(&asked);
    assert_answers(stage, 1, "a");
    assert_true(is_near(stage, 1));
}

static void a_store_and_a_tombstone_remove_it_from_the_near_cache_when_sent(void **state)
{
    struct stage *stage = *state;
    struct gw_cache_key key = key_of(1);
    struct asked asked = { .answers = 0 };
    store(stage, 1, "ETag: a");
    struct gw_seen seen = look_up(stage, 1, "", NULL, NULL);
    assert_true(is_near(stage, 1));
    assert_true(put(stage, 1, "ETag: b", &seen, NULL));
    assert_false(is_near(stage, 1));
    answer_all(&stage->store);
    assert_answers(stage, 1, "b");
    assert_true(is_near(stage, 1));
    assert_non_null(gw_shared_invalidate(stage->shared, &key, on_answer, &asked));
    assert_false(is_near(stage, 1));
    assert_int_equal(asked.answers, 0);
    answer_all(&stage->store);
    assert_int_equal(asked.answers, 1);
    assert_int_equal(kind_of(stage, 1), GW_FRAME_TOMBSTONE);
    assert_int_equal(stored(stage, 1)->left_ms, 212000);
    assert_answers(stage, 1, "none");
}

static void a_mark_holds_as_long_as_it_lives(void **state)
{
    struct stage *stage = *state;
    struct gw_cache_key key = key_of(1);
    bool is_marked;
    struct gw_seen seen = look_up(stage, 1, "", NULL, &is_marked);
    assert_false(is_marked);
    gw_shared_mark_hit_for_miss(stage->shared, &key, &seen, 10000);
    answer_all(&stage->store);
    assert_int_equal(kind_of(stage, 1), GW_FRAME_MARK);
    assert_int_equal(stored(stage, 1)->left_ms, 10000);
    seen = look_up(stage, 1, "", NULL, &is_marked);
    assert_true(is_marked);
    assert_int_equal(seen.kind, GW_SEEN_VERSION);
    stored(stage, 1)->left_ms = 0;
    (void)look_up(stage, 1, "", NULL, &is_marked);
    assert_false(is_marked);
    assert_true(put(stage, 1, "ETag: a", &seen, NULL));
    answer_all(&stage->store);
    assert_answers(stage, 1, "a");
}

static void what_does_not_parse_is_a_miss_and_leaves(void **state)
{
    struct stage *stage = *state;
    for (unsigned i = 0; i < 4; i++) {
        char etag[16];
        store(stage, i, "ETag: a\nX-Long: 0123456789");
        struct value *value = stored(stage, i);
        if (i == 0)
            value->bytes[value->length - 1] ^= 1;
        else if (i == 1)
            value->length -= 3;
        else if (i == 2)
            memcpy(value->bytes, "HTML", 4);
        else
            value->length = 1;
        struct gw_seen seen = look_up(stage, i, "", etag, NULL);
        assert_string_equal(etag, "none");
        assert_int_equal(gw_counter_read(&stage->shard.cache_corrupt), i + 1);
        assert_int_equal(seen.kind, GW_SEEN_ABSENT); /* the deletion goes before what is stored next */
        assert_true(put(stage, i, "ETag: b", &seen, NULL));
        answer_all(&stage->store);
        assert_answers(stage, i, "b");
    }
    assert_int_equal(gw_counter_read(&stage->shard.cache_corrupt), 4);
}

/* The good value that came between the look-up and the deletion stays. */
static void a_deletion_takes_only_the_corrupt_value(void **state)
{
    struct stage *stage = *state;
    struct asked asked;
    store(stage, 1, "ETag: a");
    struct value good = *stored(stage, 1), *value = stored(stage, 1);
    value->bytes[50] ^= 1;
    value->bytes[8] ^= 1;
    ask(stage, &asked, 1, "");
    answer(&stage->store, &stage->store.calls[stage->store.made - 1]);
    assert_int_equal(due(&stage->store), 1);
    *value = good;
    answer_all(&stage->store);
    end_asked(&asked);
    assert_answers(stage, 1, "a");
}

static void without_the_store_nothing_is_asked(void **state)
{
    struct stage *stage = *state;
    struct asked asked;
    struct gw_seen seen = { .kind = GW_SEEN_ABSENT, .at_us = gw_clock_monotonic_us() };
    stage->store.is_up = false;
    assert_false(gw_shared_is_up(stage->shared));
    ask(stage, &asked, 1, "");
    assert_null(asked.question);
    end_asked(&asked);
    assert_false(put(stage, 1, "ETag: a", &seen, NULL));
    stage->store.is_up = true;
    assert_true(gw_shared_is_up(stage->shared));
    stage->store.room = 0; /* too many are pending */
    ask(stage, &asked, 1, "");
    assert_null(asked.question);
    end_asked(&asked);
    assert_false(put(stage, 1, "ETag: a", &seen, NULL));
}

static void a_lost_call_is_a_miss_and_nothing_seen(void **state)
{
    struct stage *stage = *state;
    struct asked asked;
    unsigned landed = 0;
    struct gw_seen seen = look_up(stage, 1, "", NULL, NULL);
    assert_true(put(stage, 1, "ETag: a", &seen, &landed));
    ask(stage, &asked, 1, "");
    lose_all(&stage->store);
    assert_int_equal(asked.answers, 1);
    assert_null(asked.answer.entry);
    assert_int_equal(asked.answer.seen.kind, GW_SEEN_NOTHING);
    assert_int_equal(landed, 1);
    end_asked(&asked);
}

static void a_forgotten_question_is_not_answered(void **state)
{
    struct stage *stage = *state;
    struct gw_cache_key key = key_of(1);
    struct asked asked, purge = { .answers = 0 };
    store(stage, 1, "ETag: a");
    ask(stage, &asked, 1, "");
    gw_shared_forget(&asked.question);
    assert_null(asked.question);
    purge.question = gw_shared_invalidate(stage->shared, &key, on_answer, &purge);
    gw_shared_forget(&purge.question);
    gw_shared_forget(&purge.question);
    answer_all(&stage->store);
    assert_int_equal(asked.answers, 0);
    assert_int_equal(purge.answers, 0);
    assert_int_equal(kind_of(stage, 1), GW_FRAME_TOMBSTONE); /* all the same */
    end_asked(&asked);
}

static void without_memory_stores_pause_and_tombstones_delete(void **state)
{
    struct stage *stage = *state;
    struct gw_cache_key key = key_of(1);
    struct asked purge = { .answers = 0 };
    store(stage, 1, "ETag: a");
    struct gw_seen seen = look_up(stage, 2, "", NULL, NULL);
    assert_true(put(stage, 2, "ETag: a", &seen, NULL));
    stage->store.fails_with = GW_STORE_OOM;
    answer_all(&stage->store);
    assert_null(stored(stage, 2));
    assert_false(put(stage, 2, "ETag: a", &seen, NULL)); /* for five seconds */
    assert_int_equal(due(&stage->store), 0);
    assert_non_null(gw_shared_invalidate(stage->shared, &key, on_answer, &purge));
    answer_all(&stage->store);
    answer_all(&stage->store);
    assert_int_equal(purge.answers, 1);
    assert_null(stored(stage, 1));
    stage->store.fails_with = GW_STORE_INTEGERS;
    assert_answers(stage, 1, "none"); /* look-ups go on */
}

static void tombstones_wait_for_the_store_and_go_before_reads(void **state)
{
    struct stage *stage = *state;
    struct asked asked, purge = { .answers = 0 };
    for (unsigned i = 0; i < 3; i++)
        store(stage, i, "ETag: a");
    stage->store.is_up = false;
    for (unsigned i = 0; i < 6; i++) { /* each of three keys twice */
        struct gw_cache_key key = key_of(i % 3);
        assert_null(gw_shared_invalidate(stage->shared, &key, on_answer, &purge));
    }
    unsigned before = stage->store.made;
    stage->store.is_up = true;
    assert_false(gw_shared_is_up(stage->shared));
    stage->store.room = 2; /* not for all: nothing is read yet */
    ask(stage, &asked, 0, "");
    assert_null(asked.question);
    end_asked(&asked);
    assert_int_equal(stage->store.made - before, 2);
    answer_all(&stage->store);
    stage->store.room = CALLS;
    ask(stage, &asked, 0, "");
    assert_non_null(asked.question);
    assert_int_equal(stage->store.made - before, 4); /* three tombstones, then the read */
    assert_int_equal(stage->store.calls[stage->store.made - 1].kind, CALL_GET);
    answer_all(&stage->store);
    assert_null(asked.answer.entry);
    end_asked(&asked);
    assert_true(gw_shared_is_up(stage->shared));
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(kind_of(stage, i), GW_FRAME_TOMBSTONE);
    assert_int_equal(purge.answers, 0);
}

static void what_is_kept_is_sent_also_where_nobody_asks(void **state)
{
    struct stage *stage = *state;
    struct gw_shared_setup setup = {
        .store = &stage->store, .near = stage->near, .shard = &stage->shard, .config = &stage->config
    };
    struct gw_cache_key key = key_of(1);
    struct gw_timers timers;
    uv_loop_t loop;
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(gw_timers_open(&timers, &loop), 0);
    setup.timers = &timers;
    struct gw_shared *shared = gw_shared_create(&setup);
    assert_non_null(shared);
    stage->store.is_up = false;
    assert_null(gw_shared_invalidate(shared, &key, NULL, NULL));
    uv_run(&loop, UV_RUN_ONCE); /* down: tried again later */
    uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(stage->store.made, 0);
    stage->store.is_up = true;
    while (!stage->store.made)
        uv_run(&loop, UV_RUN_ONCE);
    answer_all(&stage->store);
    assert_int_equal(kind_of(stage, 1), GW_FRAME_TOMBSTONE);
    assert_true(gw_shared_is_up(shared));
    gw_shared_destroy(&shared);
    gw_timers_close(&timers);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void a_tombstone_that_is_lost_on_the_way_is_sent_again(void **state)
{
    struct stage *stage = *state;
    struct gw_cache_key key = key_of(1);
    struct asked purge = { .answers = 0 };
    store(stage, 1, "ETag: a");
    assert_non_null(gw_shared_invalidate(stage->shared, &key, on_answer, &purge));
    lose_all(&stage->store);
    assert_int_equal(purge.answers, 1); /* who waits for it, waits no longer */
    assert_int_equal(kind_of(stage, 1), GW_FRAME_RESPONSE);
    stage->store.is_up = true;
    assert_answers(stage, 1, "none");
    assert_int_equal(kind_of(stage, 1), GW_FRAME_TOMBSTONE);
}

static void too_many_tombstones_are_counted_and_flush_the_near_cache(void **state)
{
    struct stage *stage = *state;
    store(stage, 9, "ETag: a");
    assert_answers(stage, 9, "a");
    assert_true(is_near(stage, 9));
    stage->store.is_up = false;
    for (unsigned i = 0; i < MOST_PENDING + 2; i++) {
        struct gw_cache_key key = key_of(i);
        assert_null(gw_shared_invalidate(stage->shared, &key, NULL, NULL));
    }
    assert_int_equal(gw_counter_read(&stage->shard.cache_invalidations_lost), 2);
    assert_true(is_near(stage, 9));
    stage->store.is_up = true;
    assert_answers(stage, 8, "none");
    assert_false(is_near(stage, 9));
    for (unsigned i = 0; i < MOST_PENDING; i++)
        assert_int_equal(kind_of(stage, i), GW_FRAME_TOMBSTONE);
    assert_answers(stage, 9, "a");
    assert_true(is_near(stage, 9)); /* flushed once */
    assert_answers(stage, 8, "none");
    assert_true(is_near(stage, 9));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_one_stores_another_gets, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(the_age_is_what_the_store_says_is_gone, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(what_may_not_answer_is_seen_all_the_same, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(races_end_as_the_versions_say, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(nothing_is_stored_over_what_was_not_seen, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(a_read_sent_before_an_invalidation_answers_and_does_not_fill, make_stage,
                                        free_stage),
        cmocka_unit_test_setup_teardown(a_store_and_a_tombstone_remove_it_from_the_near_cache_when_sent, make_stage,
                                        free_stage),
        cmocka_unit_test_setup_teardown(a_mark_holds_as_long_as_it_lives, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(what_does_not_parse_is_a_miss_and_leaves, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(a_deletion_takes_only_the_corrupt_value, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(without_the_store_nothing_is_asked, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(a_lost_call_is_a_miss_and_nothing_seen, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(a_forgotten_question_is_not_answered, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(without_memory_stores_pause_and_tombstones_delete, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(tombstones_wait_for_the_store_and_go_before_reads, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(what_is_kept_is_sent_also_where_nobody_asks, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(a_tombstone_that_is_lost_on_the_way_is_sent_again, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(too_many_tombstones_are_counted_and_flush_the_near_cache, make_stage,
                                        free_stage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
