#include "cache/redis_cache.h"

#include <stdlib.h>
#include "base/check.h"
#include "base/clock.h"
#include "base/free_list.h"
#include "cache/tombstones.h"
#include "cache/vary.h"
#include "cache/redis_writes.h"

enum {
    KEPT_FREE = 1024, /* questions to be used again */
    ARENA_BYTES = 4096,
    ARENA_LEAST_BYTES = 65536, /* beside twice a request's head */
};

enum { QUESTION_MAGIC = 0x51555354 }; /* QUST */

enum kind { LOOK_UP, INSPECTION, TOMBSTONE };

/* What inspection keeps about the base while the variant is asked. */
struct inspection {
    gw_redis_cache_inspected *done;
    struct gw_redis_cache_inspection found;
    char names[GW_FRAME_NAMES_BYTES];
};

/*   ask ─► base, and the variant where the names are remembered
 *            │ base is no index, or other names, or the variant is not listed: a guess is dropped
 *            ▼
 *          done, or the variant is awaited, or (no guess, a wrong one) asked now ─► done */
struct gw_redis_cache_question {
    struct gw_magic magic;
    struct gw_redis_cache *redis_cache;
    enum kind kind;
    struct gw_cache_key key;
    gw_redis_cache_done *done; /* LOOK_UP, TOMBSTONE */
    void *owner;
    const struct gw_cache_request *request;
    const struct gw_head *head;
    struct inspection *inspection;
    struct gw_tombstone *tombstone;

    struct gw_store_call *base, *variant; /* under way */
    uint64_t epoch;                       /* of the memory cache, when the base was asked */
    uint64_t variant_at_us;               /* when it was asked */
    uint64_t guess;                       /* the hash of the names it was asked by */
    struct gw_redis_cache_answer answer;  /* so far; base_version.variant says which variant is asked */
};

struct gw_redis_cache {
    struct gw_redis_cache_setup setup;
    int64_t tombstone_ms;
    struct gw_tombstones *tombstones;
    struct gw_vary_hints *hints;

    struct gw_writes writes;
    struct gw_arena arena; /* for one selection */
    struct gw_free_list free;
};

static int64_t redis_cache_tombstone_ms(const struct gw_config *config)
{
    int64_t attempt_ms = (int64_t)config->connect_timeout_ms + config->response_timeout_ms;
    int64_t longest_fetch_ms = attempt_ms * (1 + (int64_t)config->retries) + config->read_timeout_ms;
    int64_t life_ms = longest_fetch_ms + 60000;
    if (life_ms < GW_REDIS_CACHE_TOMBSTONE_MS)
        return GW_REDIS_CACHE_TOMBSTONE_MS;
    return life_ms < GW_FRAME_LIFE_MAX_MS ? life_ms : GW_FRAME_LIFE_MAX_MS;
}

struct gw_redis_cache *gw_redis_cache_create(const struct gw_redis_cache_setup *setup)
{
    struct gw_redis_cache *redis_cache = calloc(1, sizeof *redis_cache);
    if (!redis_cache)
        return NULL;
    redis_cache->setup = *setup;
    redis_cache->tombstone_ms = redis_cache_tombstone_ms(setup->config);
    gw_arena_init(&redis_cache->arena, ARENA_BYTES, ARENA_LEAST_BYTES + 2 * setup->config->max_header_bytes);
    gw_free_list_init(&redis_cache->free, sizeof(struct gw_redis_cache_question), KEPT_FREE, NULL);
    redis_cache->hints = gw_vary_hints_create();
    redis_cache->tombstones = gw_tombstones_create(
        &(struct gw_tombstones_setup) { .store = setup->store,
                                        .timers = setup->timers,
                                        .memory_cache = setup->memory_cache,
                                        .ban_log = setup->ban_log,
                                        .shard = setup->shard,
                                        .config = setup->config,
                                        .life_ms = redis_cache->tombstone_ms });
    redis_cache->writes = (struct gw_writes) { .store = setup->store,
                                               .memory_cache = setup->memory_cache,
                                               .hints = redis_cache->hints,
                                               .keys = setup->keys,
                                               .shard = setup->shard,
                                               .config = setup->config };
    gw_writes_init(&redis_cache->writes);
    if (!redis_cache->hints || !redis_cache->tombstones)
        gw_redis_cache_destroy(&redis_cache);
    return redis_cache;
}

void gw_redis_cache_destroy(struct gw_redis_cache **taken)
{
    struct gw_redis_cache *redis_cache = *taken;
    *taken = NULL;
    gw_free_list_trim(&redis_cache->free, 0);
    gw_writes_free(&redis_cache->writes);
    gw_tombstones_destroy(&redis_cache->tombstones);
    gw_vary_hints_destroy(&redis_cache->hints);
    gw_arena_free(&redis_cache->arena);
    free(redis_cache);
}

/* Until the ban log has been read, a look-up could find what was purged. */
static bool redis_cache_knows_bans(const struct gw_redis_cache *redis_cache)
{
    return !redis_cache->setup.ban_log || gw_ban_log_is_current(redis_cache->setup.ban_log);
}

bool gw_redis_cache_is_up(const struct gw_redis_cache *redis_cache)
{
    return !gw_tombstones_is_behind(redis_cache->tombstones) && gw_store_is_up(redis_cache->setup.store) &&
           redis_cache_knows_bans(redis_cache);
}

int64_t gw_redis_cache_fresh_most_s(const struct gw_redis_cache *redis_cache)
{
    return redis_cache && !gw_redis_cache_is_up(redis_cache) ? redis_cache->setup.config->cache_outage_ttl_ms / 1000
                                                             : INT64_MAX;
}

static struct gw_redis_cache_question *redis_cache_take_question(struct gw_redis_cache *redis_cache, enum kind kind,
                                                                 const struct gw_cache_key *key)
{
    struct gw_redis_cache_question *question = gw_free_list_take(&redis_cache->free, NULL);
    if (question)
        *question = (struct gw_redis_cache_question) {
            .magic = GW_MAGIC(QUESTION_MAGIC), .redis_cache = redis_cache, .kind = kind, .key = *key
        };
    return question;
}

static void redis_cache_give_question(struct gw_redis_cache_question *question)
{
    struct gw_redis_cache *redis_cache = question->redis_cache;
    GW_CHECK_MAGIC(question, QUESTION_MAGIC);
    question->magic = GW_NO_MAGIC;
    free(question->inspection);
    gw_free_list_give(&redis_cache->free, question);
}

/* ---- tombstones ---- */

static void redis_cache_on_tombstone(void *owner)
{
    struct gw_redis_cache_question *question = GW_FROM_CONTEXT(owner, struct gw_redis_cache_question, QUESTION_MAGIC);
    gw_redis_cache_done *done = question->done;
    void *asker = question->owner;
    redis_cache_give_question(question);
    if (done)
        done(asker, &(struct gw_redis_cache_answer) { .entry = NULL });
}

struct gw_redis_cache_question *gw_redis_cache_invalidate(struct gw_redis_cache *redis_cache,
                                                          const struct gw_cache_key *key, gw_redis_cache_done *done,
                                                          void *owner)
{
    struct gw_redis_cache_question *question = redis_cache_take_question(redis_cache, TOMBSTONE, key);
    if (!question) {
        (void)gw_tombstones_set(redis_cache->tombstones, key, NULL, NULL);
        return NULL;
    }
    question->done = done;
    question->owner = owner;
    question->tombstone = gw_tombstones_set(redis_cache->tombstones, key, redis_cache_on_tombstone, question);
    if (question->tombstone)
        return question;
    redis_cache_give_question(question);
    return NULL;
}

/* ---- stores ---- */

static bool redis_cache_may_store(struct gw_redis_cache *redis_cache, const struct gw_base_version *base_version)
{
    uint64_t now_us = gw_clock_monotonic_us();
    /* Longer ago than this a tombstone may have come and gone: a fetch that began before it would store after it. */
    uint64_t most_us = (uint64_t)(redis_cache->tombstone_ms - GW_REDIS_CACHE_MARGIN_MS) * 1000;
    if (now_us < redis_cache->writes.paused_until_us) {
        gw_counter_add(&redis_cache->setup.shard->redis_calls[GW_REDIS_LABEL_STORE][GW_REDIS_RESULT_SKIPPED], 1);
        return false;
    }
    return base_version->kind != GW_BASE_UNKNOWN && now_us - base_version->at_us < most_us &&
           gw_store_is_up(redis_cache->setup.store) && gw_tombstones_catch_up(redis_cache->tombstones);
}

bool gw_redis_cache_put(struct gw_redis_cache *redis_cache, const struct gw_entry *entry,
                        const struct gw_base_version *base_version, void (*on_stored)(void *owner), void *owner)
{
    return redis_cache_may_store(redis_cache, base_version) &&
           gw_writes_entry(&redis_cache->writes, entry, base_version, on_stored, owner);
}

static void redis_cache_mark(struct gw_redis_cache *redis_cache, const struct gw_cache_key *key,
                             const struct gw_base_version *base_version, int64_t life_ms, bool for_credentials)
{
    bool is_of_use = base_version->kind == GW_BASE_INDEX || base_version->is_of_others;
    if (life_ms > 0 && life_ms <= GW_FRAME_LIFE_MAX_MS && !is_of_use &&
        redis_cache_may_store(redis_cache, base_version))
        gw_writes_mark(&redis_cache->writes, key, base_version, life_ms, for_credentials);
}

void gw_redis_cache_mark_hit_for_miss(struct gw_redis_cache *redis_cache, const struct gw_cache_key *key,
                                      const struct gw_base_version *base_version, int64_t life_ms)
{
    redis_cache_mark(redis_cache, key, base_version, life_ms, false);
}

void gw_redis_cache_mark_credentials(struct gw_redis_cache *redis_cache, const struct gw_cache_key *key,
                                     const struct gw_base_version *base_version, int64_t life_ms)
{
    redis_cache_mark(redis_cache, key, base_version, life_ms, true);
}

/* ---- what was read ---- */

/* Sends the removal of a value that does not parse. After that nothing lies at the key. */
static void redis_cache_drop_corrupt(struct gw_redis_cache_question *question, bool is_variant, struct gw_slice value)
{
    if (question->kind != LOOK_UP || !question->request->may_look_up)
        return;
    struct gw_base_version *base_version = &question->answer.base_version;
    if (!gw_writes_removal(&question->redis_cache->writes, &question->key, is_variant ? base_version->variant : NULL,
                           value))
        return;
    if (is_variant)
        base_version->variant_is_there = false;
    else
        base_version->kind = GW_BASE_ABSENT;
}

/* Takes the hold on the entry: it is the answer, or it is dropped. */
static void redis_cache_offer_entry(struct gw_redis_cache_question *question, struct gw_entry *entry)
{
    /* A stored line may be a byte longer than it was sent, and there may be a Date more. */
    enum { DATE_BYTES = 64, ADDED_BYTES = GW_FRAME_FIELDS + DATE_BYTES };
    struct gw_redis_cache *redis_cache = question->redis_cache;
    struct gw_redis_cache_answer *answer = &question->answer;
    uint64_t now_us = gw_clock_monotonic_us();
    /* Another instance may take larger heads than this one has buffers for. */
    bool has_room = entry->head_text.length <= redis_cache->setup.config->max_response_header_bytes + ADDED_BYTES;
    bool is_of_use = !gw_entry_is_over(entry, now_us) && has_room;
    if (is_of_use && redis_cache->setup.bans && gw_bans_check(redis_cache->setup.bans, entry) == GW_BAN_HARD) {
        answer->was_there = true;
        is_of_use = false;
    }
    if (is_of_use) {
        (void)gw_memory_cache_fill(redis_cache->setup.memory_cache, entry, question->epoch);
        answer->reuse = gw_entry_reuse(entry, question->request, question->head, now_us);
        is_of_use = answer->reuse != GW_REUSE_NO;
        answer->was_there = answer->was_there || !is_of_use;
        answer->is_hit_for_miss |= gw_policy_is_not_personal(&entry->terms, question->request);
        answer->base_version.is_of_others = !is_of_use && answer->base_version.kind == GW_BASE_VERSION;
    }
    if (is_of_use)
        answer->entry = entry;
    else
        gw_entry_unref(entry);
}

static void redis_cache_take_response(struct gw_redis_cache_question *question, bool is_variant,
                                      const struct gw_frame *frame, const struct gw_store_reply *reply)
{
    struct gw_entry *entry = NULL;
    /* The entry is as old as it was when it was asked for: never younger than it is. */
    uint64_t asked_at_us = is_variant ? question->variant_at_us : question->answer.base_version.at_us;
    int64_t elapsed_ms = gw_frame_elapsed_ms(frame, reply->ttl_ms);
    if (elapsed_ms >= 0 && !gw_frame_decode(reply->value, frame, &question->key, elapsed_ms, asked_at_us, &entry))
        redis_cache_drop_corrupt(question, is_variant, reply->value);
    if (entry && question->kind == INSPECTION) {
        struct gw_redis_cache_inspection *found = &question->inspection->found;
        struct gw_bans *bans = question->redis_cache->setup.bans;
        found->entry = entry;
        found->entry_left_ms = reply->ttl_ms;
        found->ban = bans ? gw_bans_check(bans, entry) : GW_BAN_NONE;
    } else if (entry) {
        redis_cache_offer_entry(question, entry);
    }
}

static void redis_cache_finish(struct gw_redis_cache_question *question)
{
    void *asker = question->owner;
    if (question->kind == LOOK_UP) {
        gw_redis_cache_done *done = question->done;
        struct gw_redis_cache_answer answer = question->answer;
        redis_cache_give_question(question);
        done(asker, &answer);
        return;
    }
    struct inspection *inspection = question->inspection;
    question->inspection = NULL;
    redis_cache_give_question(question);
    inspection->done(asker, &inspection->found);
    gw_entry_unref(inspection->found.entry);
    free(inspection);
}

/* ---- variants ---- */

static void redis_cache_on_variant(void *owner, const struct gw_store_reply *reply)
{
    struct gw_redis_cache_question *question = GW_FROM_CONTEXT(owner, struct gw_redis_cache_question, QUESTION_MAGIC);
    struct gw_base_version *base_version = &question->answer.base_version;
    struct gw_frame frame = { .kind = GW_FRAME_FOREIGN };
    question->variant = NULL;
    if (question->base) /* the variant is lost before the base has answered: go on without the guess */
        return;
    if (reply->result == GW_STORE_VALUE) {
        gw_frame_read(&frame, reply->value);
        base_version->variant_is_there = frame.kind != GW_FRAME_FOREIGN;
        memcpy(base_version->variant_version, frame.version, GW_FRAME_VERSION_BYTES);
        if (frame.kind == GW_FRAME_FOREIGN || frame.kind == GW_FRAME_CORRUPT)
            redis_cache_drop_corrupt(question, true, reply->value);
        else if (frame.kind == GW_FRAME_RESPONSE &&
                 memcmp(frame.generation, base_version->version, GW_FRAME_VERSION_BYTES) == 0)
            redis_cache_take_response(question, true, &frame, reply);
    }
    redis_cache_finish(question);
}

/* Finds out which variant this request selects. False: the arena is full. */
static bool redis_cache_select_variant(struct gw_redis_cache_question *question, struct gw_slice names)
{
    struct gw_redis_cache *redis_cache = question->redis_cache;
    struct gw_head selection;
    gw_arena_reset(&redis_cache->arena);
    if (!gw_vary_select_by_names(&selection, &redis_cache->arena, question->head, names))
        return false;
    gw_writes_variant(redis_cache->setup.keys, &selection, question->answer.base_version.variant);
    return true;
}

static bool redis_cache_ask_variant(struct gw_redis_cache_question *question)
{
    struct gw_redis_cache *redis_cache = question->redis_cache;
    struct gw_key_text text;
    gw_key_text_of_variant(&text, redis_cache->setup.config->redis_prefix, &question->key,
                           question->answer.base_version.variant);
    question->variant_at_us = gw_clock_monotonic_us();
    question->variant = gw_store_get(redis_cache->setup.store, text.slice, redis_cache_on_variant, question);
    return question->variant != NULL;
}

static bool redis_cache_is_listed(const struct gw_frame *index, const uint8_t id[GW_FRAME_VARIANT_BYTES])
{
    for (size_t at = 0; at + GW_FRAME_VARIANT_BYTES <= index->variants.length; at += GW_FRAME_VARIANT_BYTES)
        if (memcmp(index->variants.at + at, id, GW_FRAME_VARIANT_BYTES) == 0)
            return true;
    return false;
}

/* True: the variant is awaited. */
static bool redis_cache_take_index(struct gw_redis_cache_question *question, const struct gw_frame *index)
{
    struct gw_redis_cache *redis_cache = question->redis_cache;
    struct gw_base_version *base_version = &question->answer.base_version;
    base_version->kind = GW_BASE_INDEX;
    base_version->names_hash = gw_writes_hash(index->names);
    if (!question->request->may_look_up && question->kind == LOOK_UP)
        return false;
    question->answer.was_there = true;
    bool is_right = question->variant && question->guess == base_version->names_hash;
    if (!is_right) {
        gw_store_cancel(&question->variant);
        if (question->kind == LOOK_UP)
            gw_vary_hints_put(redis_cache->hints, &question->key, index->names);
        if (!redis_cache_select_variant(question, index->names))
            return false;
    }
    base_version->selects_variant = true;
    if (!redis_cache_is_listed(index, question->answer.base_version.variant)) {
        gw_store_cancel(&question->variant);
        return false;
    }
    return is_right || redis_cache_ask_variant(question);
}

/* ---- the base ---- */

static bool redis_cache_is_marked_for(const struct gw_redis_cache_question *question, const struct gw_frame *mark)
{
    return !mark->age_s || question->request->has_credential;
}

static void redis_cache_take_mark(struct gw_redis_cache_question *question, const struct gw_frame *frame,
                                  int64_t left_ms)
{
    int64_t elapsed_ms = gw_frame_elapsed_ms(frame, left_ms);
    question->answer.is_hit_for_miss = question->request->may_look_up && redis_cache_is_marked_for(question, frame) &&
                                       elapsed_ms >= 0 && elapsed_ms < frame->freshness_s * 1000;
}

static void redis_cache_take_base(struct gw_redis_cache_question *question, const struct gw_frame *frame,
                                  const struct gw_store_reply *reply)
{
    struct gw_base_version *base_version = &question->answer.base_version;
    base_version->kind = frame->kind == GW_FRAME_FOREIGN ? GW_BASE_ABSENT : GW_BASE_VERSION;
    switch (frame->kind) {
    case GW_FRAME_FOREIGN: /* may be written over */
    case GW_FRAME_CORRUPT:
        redis_cache_drop_corrupt(question, false, reply->value);
        break;
    case GW_FRAME_RESPONSE:
        if (question->request->may_look_up || question->kind == INSPECTION)
            redis_cache_take_response(question, false, frame, reply);
        break;
    case GW_FRAME_MARK:
        redis_cache_take_mark(question, frame, reply->ttl_ms);
        break;
    case GW_FRAME_TOMBSTONE:
    case GW_FRAME_INDEX:
        break;
    }
}

static void redis_cache_inspect_base(struct gw_redis_cache_question *question, const struct gw_frame *frame,
                                     const struct gw_store_reply *reply)
{
    struct inspection *inspection = question->inspection;
    struct gw_redis_cache_inspection *found = &inspection->found;
    found->is_known = reply->result == GW_STORE_VALUE || reply->result == GW_STORE_NIL;
    found->is_there = reply->result == GW_STORE_VALUE;
    if (!found->is_there)
        return;
    found->base = frame->kind;
    found->left_ms = reply->ttl_ms;
    found->is_hit_for_miss = frame->kind == GW_FRAME_MARK && redis_cache_is_marked_for(question, frame);
    if (frame->kind != GW_FRAME_INDEX)
        return;
    if (frame->names.length && frame->names.length <= sizeof inspection->names) {
        memcpy(inspection->names, frame->names.at, frame->names.length);
        found->names = gw_slice_of(inspection->names, frame->names.length);
    }
    found->variants = (unsigned)(frame->variants.length / GW_FRAME_VARIANT_BYTES);
}

static void redis_cache_on_base(void *owner, const struct gw_store_reply *reply)
{
    struct gw_redis_cache_question *question = GW_FROM_CONTEXT(owner, struct gw_redis_cache_question, QUESTION_MAGIC);
    struct gw_base_version *base_version = &question->answer.base_version;
    struct gw_frame frame = { .kind = GW_FRAME_FOREIGN };
    question->base = NULL;
    if (reply->result == GW_STORE_VALUE)
        gw_frame_read(&frame, reply->value);
    memcpy(base_version->version, frame.version, GW_FRAME_VERSION_BYTES);
    if (question->kind == INSPECTION)
        redis_cache_inspect_base(question, &frame, reply);
    if (frame.kind == GW_FRAME_INDEX && redis_cache_take_index(question, &frame))
        return;
    if (frame.kind != GW_FRAME_INDEX) {
        gw_store_cancel(&question->variant);
        if (question->kind == LOOK_UP && reply->result != GW_STORE_LOST)
            gw_vary_hints_remove(question->redis_cache->hints, &question->key);
    }
    if (reply->result == GW_STORE_VALUE && frame.kind != GW_FRAME_INDEX)
        redis_cache_take_base(question, &frame, reply);
    else if (reply->result == GW_STORE_NIL)
        base_version->kind = GW_BASE_ABSENT;
    redis_cache_finish(question);
}

static bool redis_cache_ask_base(struct gw_redis_cache_question *question)
{
    struct gw_redis_cache *redis_cache = question->redis_cache;
    struct gw_key_text text;
    question->answer.base_version.at_us = gw_clock_monotonic_us();
    question->epoch = gw_memory_cache_epoch(redis_cache->setup.memory_cache, &question->key);
    gw_key_text_of_base(&text, redis_cache->setup.config->redis_prefix, &question->key);
    question->base = gw_store_get(redis_cache->setup.store, text.slice, redis_cache_on_base, question);
    return question->base != NULL;
}

static struct gw_redis_cache_question *redis_cache_begin(struct gw_redis_cache *redis_cache, enum kind kind,
                                                         const struct gw_cache_key *key,
                                                         const struct gw_cache_request *request,
                                                         const struct gw_head *head, void *owner)
{
    if (!gw_store_is_up(redis_cache->setup.store) || !gw_tombstones_catch_up(redis_cache->tombstones) ||
        !redis_cache_knows_bans(redis_cache))
        return NULL;
    struct gw_redis_cache_question *question = redis_cache_take_question(redis_cache, kind, key);
    if (!question)
        return NULL;
    question->owner = owner;
    question->request = request;
    question->head = head;
    return question;
}

struct gw_redis_cache_question *gw_redis_cache_ask(struct gw_redis_cache *redis_cache, const struct gw_cache_key *key,
                                                   const struct gw_cache_request *request, const struct gw_head *head,
                                                   gw_redis_cache_done *done, void *owner)
{
    struct gw_redis_cache_question *question = redis_cache_begin(redis_cache, LOOK_UP, key, request, head, owner);
    if (!question)
        return NULL;
    question->done = done;
    if (!redis_cache_ask_base(question)) {
        redis_cache_give_question(question);
        return NULL;
    }
    struct gw_slice names;
    if (request->may_look_up &&
        gw_vary_hints_get(redis_cache->hints, key, &names)) { /* the variant in the same write */
        question->guess = gw_writes_hash(names);
        if (redis_cache_select_variant(question, names))
            (void)redis_cache_ask_variant(question);
    }
    return question;
}

struct gw_redis_cache_question *gw_redis_cache_inspect(struct gw_redis_cache *redis_cache,
                                                       const struct gw_cache_key *key,
                                                       const struct gw_cache_request *request,
                                                       const struct gw_head *head, gw_redis_cache_inspected *done,
                                                       void *owner)
{
    struct gw_redis_cache_question *question = redis_cache_begin(redis_cache, INSPECTION, key, request, head, owner);
    if (!question)
        return NULL;
    question->inspection = calloc(1, sizeof *question->inspection);
    if (question->inspection) {
        question->inspection->done = done;
        if (redis_cache_ask_base(question))
            return question;
    }
    redis_cache_give_question(question);
    return NULL;
}

void gw_redis_cache_cancel(struct gw_redis_cache_question **taken)
{
    struct gw_redis_cache_question *question = *taken;
    *taken = NULL;
    if (!question)
        return;
    GW_CHECK_MAGIC(question, QUESTION_MAGIC);
    if (question->kind == TOMBSTONE) /* it is to be acknowledged in any case */
        gw_tombstones_cancel(&question->tombstone);
    gw_store_cancel(&question->base);
    gw_store_cancel(&question->variant);
    redis_cache_give_question(question);
}
