/* played_store.h: gateway/store/store.h as a scene plays it. It keeps values by the rules of redis/store.lua and
 * redis/fetch_lock.lua, and answers when the scene says so. One source file of a program includes it; the program then
 * needs no gw_store. */
#ifndef GW_TESTS_UNIT_CACHE_PLAYED_STORE_H
#define GW_TESTS_UNIT_CACHE_PLAYED_STORE_H

#include "unit/cache/heads.h"
#include <stdio.h>
#include <stdlib.h>
#include "cache/frame.h"
#include "cache/key.h"
#include "store/store.h"

enum {
    PLAYED_CALLS = 256,
    PLAYED_VALUES = 64,
    PLAYED_VALUE_BYTES = 1024,
    PLAYED_ARGUMENTS = 6,
    PLAYED_KEYS = 3,
    PLAYED_KEY_BYTES = sizeof((struct gw_key_text *)NULL)->bytes + 1,
    PLAYED_BASE_BYTES = 3 + GW_KEY_TEXT_BYTES /* of a base key with the prefix gw: */
};

enum played_kind { PLAYED_GET, PLAYED_SET, PLAYED_PUT, PLAYED_FETCH_LOCK, PLAYED_BUCKET };

struct played_bytes {
    size_t length;
    char at[PLAYED_VALUE_BYTES];
};

struct gw_store_call {
    enum played_kind kind;
    bool is_due;
    char keys[PLAYED_KEYS][PLAYED_KEY_BYTES];
    unsigned key_count, argument_count;
    struct played_bytes arguments[PLAYED_ARGUMENTS]; /* of a script; SET: the value, if there is one */
    int64_t life_ms;
    gw_store_done *done;
    void *owner;
    struct gw_block *payload;
};

struct played_value {
    char key[PLAYED_KEY_BYTES];
    struct played_bytes bytes; /* length 0: free */
    int64_t left_ms;
};

struct gw_store {
    bool is_up;
    unsigned room; /* calls that are taken */
    struct gw_store_call calls[PLAYED_CALLS];
    unsigned made, answered, refused;
    struct played_value values[PLAYED_VALUES];
    enum gw_store_result fails_with; /* INTEGERS: the call does not fail */
    const int64_t *bucket;           /* what redis/token_bucket.lua answers: four numbers. NULL: it is not expected */
};

static inline void played_init(struct gw_store *store)
{
    *store = (struct gw_store) { .is_up = true, .room = PLAYED_CALLS };
}

/* ---- what is asked ---- */

bool gw_store_is_up(const struct gw_store *store)
{
    return store->is_up;
}

static inline void played_copy_key(char *to, struct gw_slice key)
{
    assert_true(key.length < PLAYED_KEY_BYTES);
    memcpy(to, key.at, key.length);
    to[key.length] = '\0';
}

static inline void played_copy(struct played_bytes *to, struct gw_slice bytes)
{
    assert_true(bytes.length <= sizeof to->at);
    to->length = bytes.length;
    if (bytes.length)
        memcpy(to->at, bytes.at, bytes.length);
}

static inline struct gw_store_call *played_call(struct gw_store *store, enum played_kind kind, struct gw_slice key,
                                                gw_store_done *done, void *owner)
{
    if (!store->is_up || store->made - store->answered >= store->room) {
        store->refused++;
        return NULL;
    }
    assert_true(store->made < PLAYED_CALLS);
    struct gw_store_call *call = &store->calls[store->made++];
    memset(call, 0, sizeof *call);
    *call = (struct gw_store_call) { .kind = kind, .is_due = true, .key_count = 1, .done = done, .owner = owner };
    played_copy_key(call->keys[0], key);
    return call;
}

struct gw_store_call *gw_store_get(struct gw_store *store, struct gw_slice key, gw_store_done *done, void *owner)
{
    return played_call(store, PLAYED_GET, key, done, owner);
}

struct gw_store_call *gw_store_set(struct gw_store *store, struct gw_slice key, struct gw_slice value, int64_t life_ms,
                                   gw_store_done *done, void *owner)
{
    struct gw_store_call *call = played_call(store, PLAYED_SET, key, done, owner);
    if (!call)
        return NULL;
    played_copy(&call->arguments[0], value);
    call->life_ms = life_ms;
    return call;
}

struct gw_store_call *gw_store_run(struct gw_store *store, enum gw_store_script script, const struct gw_slice *keys,
                                   unsigned key_count, const struct gw_slice *arguments, unsigned argument_count,
                                   struct gw_slice payload_bytes, struct gw_block *payload, gw_store_done *done,
                                   void *owner)
{
    bool is_bucket = script == GW_STORE_TOKEN_BUCKET && store->bucket;
    assert_true(script == GW_STORE_PUT || script == GW_STORE_FETCH_LOCK || is_bucket);
    assert_in_range(key_count, 1, script == GW_STORE_PUT ? 2 : PLAYED_KEYS);
    assert_true(argument_count + (payload_bytes.at != NULL) <= PLAYED_ARGUMENTS);
    struct gw_store_call *call = played_call(store,
                                             is_bucket                ? PLAYED_BUCKET
                                             : script == GW_STORE_PUT ? PLAYED_PUT
                                                                      : PLAYED_FETCH_LOCK,
                                             keys[0], done, owner);
    if (!call)
        return NULL;
    call->key_count = key_count;
    for (unsigned i = 1; i < key_count; i++)
        played_copy_key(call->keys[i], keys[i]);
    for (unsigned i = 0; i < argument_count; i++)
        played_copy(&call->arguments[i], arguments[i]);
    call->argument_count = argument_count;
    if (payload_bytes.at)
        played_copy(&call->arguments[call->argument_count++], payload_bytes);
    call->payload = gw_block_ref(payload);
    return call;
}

void gw_store_cancel(struct gw_store_call **call)
{
    if (*call)
        (*call)->done = NULL;
    *call = NULL;
}

static inline unsigned played_due(const struct gw_store *store)
{
    return store->made - store->answered;
}

/* ---- what lies there ---- */

static inline struct played_value *played_at(struct gw_store *store, const char *key)
{
    for (unsigned i = 0; i < PLAYED_VALUES; i++)
        if (store->values[i].bytes.length && strcmp(store->values[i].key, key) == 0)
            return &store->values[i];
    return NULL;
}

static inline void played_delete(struct gw_store *store, const char *key)
{
    struct played_value *value = played_at(store, key);
    if (value)
        value->bytes.length = 0;
}

static inline struct played_value *played_put(struct gw_store *store, const char *key, const struct played_bytes *bytes,
                                              int64_t life_ms)
{
    struct played_value *value = played_at(store, key);
    for (unsigned i = 0; !value && i < PLAYED_VALUES; i++)
        if (!store->values[i].bytes.length)
            value = &store->values[i];
    assert_non_null(value);
    memcpy(value->key, key, strlen(key) + 1);
    value->bytes = *bytes;
    value->left_ms = life_ms;
    return value;
}

static inline int64_t played_number(const struct played_bytes *digits)
{
    uint64_t number = 0;
    assert_true(gw_slice_to_uint64(gw_slice_of(digits->at, digits->length), &number));
    return (int64_t)number;
}

/* ---- store.lua ---- */

static inline bool played_is_ours(const struct played_value *value)
{
    return value && value->bytes.length >= GW_FRAME_SHORT_BYTES && memcmp(value->bytes.at, "GWC2", 4) == 0;
}

/* The position of the list in an index. */
static inline size_t played_list_at(const struct played_bytes *index)
{
    size_t names = (size_t)(uint8_t)index->at[GW_FRAME_SHORT_BYTES] |
                   (size_t)(uint8_t)index->at[GW_FRAME_SHORT_BYTES + 1] << 8;
    return GW_FRAME_SHORT_BYTES + 2 + names;
}

static inline bool played_is_index(const struct played_value *value)
{
    return played_is_ours(value) && value->bytes.at[4] == 'I';
}

static inline void played_drop_variants(struct gw_store *store, const char *base, const struct played_bytes *index,
                                        size_t from)
{
    for (size_t at = from; at + GW_FRAME_VARIANT_BYTES <= index->length; at += GW_FRAME_VARIANT_BYTES) {
        char key[PLAYED_KEY_BYTES];
        int length = snprintf(key, sizeof key, "%s:", base);
        for (size_t i = 0; i < GW_FRAME_VARIANT_BYTES; i++)
            snprintf(key + length + 2 * i, 3, "%02x", (uint8_t)index->at[at + i]);
        played_delete(store, key);
    }
}

/* The variant comes first; the seventeenth leaves. */
static inline void played_list(struct gw_store *store, const char *base, struct played_bytes *index,
                               const struct played_bytes *id)
{
    struct played_bytes old = *index;
    size_t begin = played_list_at(index), end = begin + (size_t)GW_FRAME_VARIANTS * GW_FRAME_VARIANT_BYTES;
    index->length = begin;
    memcpy(index->at + index->length, id->at, GW_FRAME_VARIANT_BYTES);
    index->length += GW_FRAME_VARIANT_BYTES;
    for (size_t at = begin; at + GW_FRAME_VARIANT_BYTES <= old.length; at += GW_FRAME_VARIANT_BYTES) {
        if (memcmp(old.at + at, id->at, GW_FRAME_VARIANT_BYTES) == 0)
            continue;
        memcpy(index->at + index->length, old.at + at, GW_FRAME_VARIANT_BYTES);
        index->length += GW_FRAME_VARIANT_BYTES;
    }
    played_drop_variants(store, base, index, end);
    if (index->length > end)
        index->length = end;
}

static inline bool played_store(struct gw_store *store, const struct gw_store_call *call)
{
    const char *base = call->keys[0];
    const struct played_bytes *base_version = &call->arguments[0], *value = &call->arguments[call->argument_count - 1];
    const struct played_bytes *index = call->key_count == 2 ? &call->arguments[2] : NULL;
    struct played_value *lies = played_at(store, base);
    int64_t life_ms = played_number(&call->arguments[1]), left_ms = played_is_ours(lies) ? lies->left_ms : -1;
    struct played_bytes there = index ? *index : *value;
    assert_true(base_version->length == 0 || base_version->length == GW_FRAME_VERSION_BYTES);
    assert_int_equal(call->argument_count, index ? 5 : 3);
    if (index && played_is_index(lies) && memcmp(lies->bytes.at + 8, index->at + 8, GW_FRAME_VERSION_BYTES) == 0) {
        there = lies->bytes;
    } else {
        if (played_is_ours(lies) &&
            (!base_version->length || memcmp(lies->bytes.at + 8, base_version->at, base_version->length) != 0))
            return false;
        if (played_is_index(lies))
            played_drop_variants(store, base, &lies->bytes, played_list_at(&lies->bytes));
    }
    if (!there.length) {
        played_delete(store, base);
        return lies != NULL;
    }
    if (index)
        played_list(store, base, &there, &call->arguments[3]);
    int64_t lives_ms = left_ms > life_ms ? left_ms : life_ms;
    for (unsigned i = 0; i < 4; i++)
        there.at[16 + i] = (char)(uint8_t)(lives_ms >> 8 * i);
    played_put(store, base, &there, lives_ms);
    if (index)
        played_put(store, call->keys[1], value, life_ms);
    return true;
}

/* ---- fetch_lock.lua ---- */

static inline bool played_has_version(const struct played_value *value, const struct played_bytes *version)
{
    if (!played_is_ours(value))
        return version->length == 0;
    return version->length == GW_FRAME_VERSION_BYTES && memcmp(value->bytes.at + 8, version->at, version->length) == 0;
}

static inline bool played_lists(const struct played_value *index, const struct played_bytes *id)
{
    for (size_t at = played_is_index(index) ? played_list_at(&index->bytes) : SIZE_MAX - GW_FRAME_VARIANT_BYTES;
         at + GW_FRAME_VARIANT_BYTES <= index->bytes.length; at += GW_FRAME_VARIANT_BYTES)
        if (memcmp(index->bytes.at + at, id->at, GW_FRAME_VARIANT_BYTES) == 0)
            return true;
    return false;
}

/* Has the value changed since the look-up? */
static inline bool played_is_changed(struct gw_store *store, const struct gw_store_call *call)
{
    struct played_value *base = call->key_count > 1 ? played_at(store, call->keys[1]) : NULL;
    if (call->key_count == 1)
        return false;
    if (!played_has_version(base, &call->arguments[3]) || call->key_count == 2)
        return !played_has_version(base, &call->arguments[3]);
    bool is_listed = base && played_lists(base, &call->arguments[4]);
    return !played_has_version(is_listed ? played_at(store, call->keys[2]) : NULL, &call->arguments[5]);
}

static inline int64_t played_fetch_lock(struct gw_store *store, const struct gw_store_call *call)
{
    const struct played_bytes *operation = &call->arguments[0], *id = &call->arguments[1];
    struct played_value *lock = played_at(store, call->keys[0]);
    bool is_take = operation->length == 4 && memcmp(operation->at, "take", 4) == 0;
    bool is_mine = lock && lock->bytes.length == id->length && memcmp(lock->bytes.at, id->at, id->length) == 0;
    assert_int_equal(call->argument_count, call->key_count == 3 ? 6 : call->key_count == 2 ? 4 : 3);
    assert_true(is_take || call->key_count == 1);
    if (is_take && !lock) {
        played_put(store, call->keys[0], id, played_number(&call->arguments[2]));
        return 1 + 2 * played_is_changed(store, call);
    }
    if (is_mine && operation->length == 5)
        played_delete(store, call->keys[0]);
    else if (is_mine)
        lock->left_ms = played_number(&call->arguments[2]);
    return is_mine + 2 * (is_take && played_is_changed(store, call));
}

/* ---- answers ---- */

static inline void played_execute(struct gw_store *store, struct gw_store_call *call, struct gw_store_reply *reply,
                                  struct played_value *copy, int64_t *number)
{
    struct played_value *value = played_at(store, call->keys[0]);
    switch (call->kind) {
    case PLAYED_GET:
        reply->result = value ? GW_STORE_VALUE : GW_STORE_NIL;
        if (!value)
            return;
        *copy = *value;
        reply->value = gw_slice_of(copy->bytes.at, copy->bytes.length);
        reply->ttl_ms = copy->left_ms;
        return;
    case PLAYED_SET:
        if (call->arguments[0].length)
            played_put(store, call->keys[0], &call->arguments[0], call->life_ms);
        else
            played_delete(store, call->keys[0]);
        reply->result = GW_STORE_DONE;
        return;
    case PLAYED_BUCKET:
        reply->result = GW_STORE_INTEGERS;
        reply->integers = store->bucket;
        reply->integer_count = 4;
        return;
    default:
        *number = call->kind == PLAYED_PUT ? played_store(store, call) : played_fetch_lock(store, call);
        reply->result = GW_STORE_INTEGERS;
        reply->integers = number;
        reply->integer_count = 1;
    }
}

/* Executes a call and answers it, as Redis would in the call's turn. */
static inline void played_answer(struct gw_store *store, struct gw_store_call *call)
{
    struct gw_store_reply reply = { .result = store->fails_with };
    struct played_value *copy = malloc(sizeof *copy); /* freed below: code that keeps the value too long is caught */
    int64_t number;
    bool is_deletion = call->kind == PLAYED_SET && !call->arguments[0].length; /* needs no memory */
    assert_non_null(copy);
    assert_true(call->is_due);
    call->is_due = false;
    store->answered++;
    if (reply.result == GW_STORE_INTEGERS || (reply.result == GW_STORE_OOM && is_deletion))
        played_execute(store, call, &reply, copy, &number);
    if (call->done)
        call->done(call->owner, &reply);
    gw_block_unref(call->payload);
    free(copy);
}

static inline void played_answer_all(struct gw_store *store)
{
    for (unsigned i = 0; i < store->made; i++)
        if (store->calls[i].is_due)
            played_answer(store, &store->calls[i]);
}

static inline void played_lose_all(struct gw_store *store)
{
    enum gw_store_result before = store->fails_with;
    store->is_up = false;
    store->fails_with = GW_STORE_LOST;
    played_answer_all(store);
    store->fails_with = before;
}

#endif
