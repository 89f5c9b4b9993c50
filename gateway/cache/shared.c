#include "cache/shared.h"

#include <stdlib.h>
#include "base/clock.h"
#include "base/free_list.h"
#include "cache/tombs.h"
#include "cache/vary.h"
#include "cache/writes.h"

enum {
    KEPT_FREE = 1024, /* questions to be used again */
    ARENA_BYTES = 4096,
    ARENA_LEAST_BYTES = 65536, /* beside twice a request's head */
};

enum kind { LOOK_UP, INSPECTION, TOMBSTONE };

/* What inspection remembers of the base while the variant is asked. */
struct inspection {
    gw_shared_seen *done;
    struct gw_shared_sight sight;
    char names[GW_FRAME_NAMES_BYTES];
};

/*   ask ─► base, and the variant where the names are remembered
 *            │ base is no index, or other names, or the variant is not listed: a guess is dropped
 *            ▼
 *          done, or the variant is awaited, or (no guess, a wrong one) asked now ─► done */
struct gw_shared_question {
    struct gw_shared *shared;
    enum kind kind;
    struct gw_cache_key key;
    gw_shared_done *done; /* LOOK_UP, TOMBSTONE */
    void *owner;
    const struct gw_cache_request *request;
    const struct gw_head *head;
    struct inspection *inspection;
    struct gw_tomb *tomb;

    struct gw_store_call *base, *variant; /* under way */
    uint64_t epoch;                       /* of the near cache, when the base was asked */
    uint64_t variant_at_us;               /* when it was asked */
    uint64_t guess;                       /* the hash of the names it was asked by */
    struct gw_shared_answer answer;       /* so far; which variant: answer.seen.variant */
};

struct gw_shared {
    struct gw_shared_setup setup;
    int64_t tombstone_ms;
    struct gw_tombs *tombs;
    struct gw_memo *memo;

    struct gw_writes writes;
    struct gw_arena arena; /* for one selection */
    struct gw_free_list free;
};

static int64_t tombstone_ms(const struct gw_config *config)
{
    int64_t attempt_ms = (int64_t)config->connect_timeout_ms + config->response_timeout_ms;
    int64_t longest_fetch_ms = attempt_ms * (1 + (int64_t)config->retries) + config->read_timeout_ms;
    int64_t life_ms = longest_fetch_ms + 60000;
    if (life_ms < GW_SHARED_TOMBSTONE_MS)
        return GW_SHARED_TOMBSTONE_MS;
    return life_ms < GW_FRAME_LIFE_MAX_MS ? life_ms : GW_FRAME_LIFE_MAX_MS;
}

struct gw_shared *gw_shared_create(const struct gw_shared_setup *setup)
{
    struct gw_shared *shared = calloc(1, sizeof *shared);
    if (!shared)
        return NULL;
    shared->setup = *setup;
    shared->tombstone_ms = tombstone_ms(setup->config);
    gw_arena_init(&shared->arena, ARENA_BYTES, ARENA_LEAST_BYTES + 2 * setup->config->max_header_bytes);
    gw_free_list_init(&shared->free, sizeof(struct gw_shared_question), KEPT_FREE, NULL);
    shared->memo = gw_memo_create();
    shared->tombs = gw_tombs_create(&(struct gw_tombs_setup) { .store = setup->store,
                                                               .timers = setup->timers,
                                                               .near = setup->near,
                                                               .purger = setup->purger,
                                                               .shard = setup->shard,
                                                               .config = setup->config,
                                                               .life_ms = shared->tombstone_ms });
    shared->writes = (struct gw_writes) { .store = setup->store,
                                          .near = setup->near,
                                          .memo = shared->memo,
                                          .keys = setup->keys,
                                          .shard = setup->shard,
                                          .config = setup->config };
    gw_writes_init(&shared->writes);
    if (!shared->memo || !shared->tombs)
        gw_shared_destroy(&shared);
    return shared;
}

void gw_shared_destroy(struct gw_shared **taken)
{
    struct gw_shared *shared = *taken;
    *taken = NULL;
    gw_free_list_trim(&shared->free, 0);
    gw_writes_free(&shared->writes);
    gw_tombs_destroy(&shared->tombs);
    gw_memo_destroy(&shared->memo);
    gw_arena_free(&shared->arena);
    free(shared);
}

/* Before the log of bans has been read, a look-up may find what was purged. */
static bool knows_bans(const struct gw_shared *shared)
{
    return !shared->setup.purger || gw_purger_is_current(shared->setup.purger);
}

bool gw_shared_is_up(const struct gw_shared *shared)
{
    return !gw_tombs_is_behind(shared->tombs) && gw_store_is_up(shared->setup.store) && knows_bans(shared);
}

int64_t gw_shared_fresh_most_s(const struct gw_shared *shared)
{
    return shared && !gw_shared_is_up(shared) ? shared->setup.config->cache_outage_ttl_ms / 1000 : INT64_MAX;
}

static struct gw_shared_question *take_question(struct gw_shared *shared, enum kind kind,
                                                const struct gw_cache_key *key)
{
    struct gw_shared_question *question = gw_free_list_take(&shared->free, NULL);
    if (question)
        *question = (struct gw_shared_question) { .shared = shared, .kind = kind, .key = *key };
    return question;
}

static void give_question(struct gw_shared_question *question)
{
    struct gw_shared *shared = question->shared;
    free(question->inspection);
    gw_free_list_give(&shared->free, question);
}

/* ---- tombstones ---- */

static void on_tombstone(void *owner)
{
    struct gw_shared_question *question = owner;
    gw_shared_done *done = question->done;
    void *asker = question->owner;
    give_question(question);
    if (done)
        done(asker, &(struct gw_shared_answer) { .entry = NULL });
}

struct gw_shared_question *gw_shared_invalidate(struct gw_shared *shared, const struct gw_cache_key *key,
                                                gw_shared_done *done, void *owner)
{
    struct gw_shared_question *question = take_question(shared, TOMBSTONE, key);
    if (!question) {
        (void)gw_tombs_set(shared->tombs, key, NULL, NULL);
        return NULL;
    }
    question->done = done;
    question->owner = owner;
    question->tomb = gw_tombs_set(shared->tombs, key, on_tombstone, question);
    if (question->tomb)
        return question;
    give_question(question);
    return NULL;
}

/* ---- stores ---- */

/* A tombstone may have come and gone since: then who fetched before it would store after it. */
static bool is_too_long_ago(const struct gw_shared *shared, const struct gw_seen *seen, uint64_t now_us)
{
    return now_us - seen->at_us >= (uint64_t)(shared->tombstone_ms - GW_SHARED_MARGIN_MS) * 1000;
}

static bool may_store(struct gw_shared *shared, const struct gw_seen *seen)
{
    uint64_t now_us = gw_clock_monotonic_us();
    if (now_us < shared->writes.paused_until_us) {
        gw_counter_add(&shared->setup.shard->redis_calls[GW_REDIS_LABEL_STORE][GW_REDIS_RESULT_SKIPPED], 1);
        return false;
    }
    return seen->kind != GW_SEEN_NOTHING && !is_too_long_ago(shared, seen, now_us) &&
           gw_store_is_up(shared->setup.store) && gw_tombs_catch_up(shared->tombs);
}

bool gw_shared_put(struct gw_shared *shared, const struct gw_entry *entry, const struct gw_seen *seen,
                   void (*landed)(void *owner), void *owner)
{
    return may_store(shared, seen) && gw_writes_entry(&shared->writes, entry, seen, landed, owner);
}

static void mark(struct gw_shared *shared, const struct gw_cache_key *key, const struct gw_seen *seen, int64_t life_ms,
                 bool for_credentials)
{
    bool is_of_use = seen->kind == GW_SEEN_INDEX || seen->is_of_others;
    if (life_ms > 0 && life_ms <= GW_FRAME_LIFE_MAX_MS && !is_of_use && may_store(shared, seen))
        gw_writes_mark(&shared->writes, key, seen, life_ms, for_credentials);
}

void gw_shared_mark_hit_for_miss(struct gw_shared *shared, const struct gw_cache_key *key, const struct gw_seen *seen,
                                 int64_t life_ms)
{
    mark(shared, key, seen, life_ms, false);
}

void gw_shared_mark_credentials(struct gw_shared *shared, const struct gw_cache_key *key, const struct gw_seen *seen,
                                int64_t life_ms)
{
    mark(shared, key, seen, life_ms, true);
}

/* ---- what was read ---- */

/* Behind its removal, nothing lies at the base. */
static void drop_corrupt(struct gw_shared_question *question, bool is_variant, struct gw_slice value)
{
    if (question->kind != LOOK_UP || !question->request->may_look_up)
        return;
    struct gw_seen *seen = &question->answer.seen;
    if (!gw_writes_removal(&question->shared->writes, &question->key, is_variant ? seen->variant : NULL, value))
        return;
    if (is_variant)
        seen->variant_is_there = false;
    else
        seen->kind = GW_SEEN_ABSENT;
}

/* As of when it was asked: never younger than it is. NULL: none that is of use. */
static struct gw_entry *read_entry(struct gw_shared_question *question, bool is_variant, const struct gw_frame *frame,
                                   const struct gw_store_reply *reply)
{
    struct gw_entry *entry = NULL;
    uint64_t asked_at_us = is_variant ? question->variant_at_us : question->answer.seen.at_us;
    int64_t elapsed_ms = gw_frame_elapsed_ms(frame, reply->ttl_ms);
    if (elapsed_ms >= 0 && !gw_frame_decode(reply->value, frame, &question->key, elapsed_ms, asked_at_us, &entry))
        drop_corrupt(question, is_variant, reply->value);
    return entry;
}

/* Other instances may take larger heads than this one has buffers for. A stored line may be a byte longer than it was
 * sent, and there may be a Date more. */
static bool has_room(const struct gw_shared *shared, const struct gw_entry *entry)
{
    enum { DATE_BYTES = 64, ADDED_BYTES = GW_FRAME_FIELDS + DATE_BYTES };
    return entry->head_text.length <= shared->setup.config->max_response_header_bytes + ADDED_BYTES;
}

/* Takes the entry. */
static void offer_entry(struct gw_shared_question *question, struct gw_entry *entry)
{
    struct gw_shared *shared = question->shared;
    struct gw_shared_answer *answer = &question->answer;
    uint64_t now_us = gw_clock_monotonic_us();
    bool is_of_use = !gw_entry_is_over(entry, now_us) && has_room(shared, entry);
    if (is_of_use && shared->setup.bans && gw_bans_check(shared->setup.bans, entry) == GW_BAN_HARD) {
        answer->was_there = true;
        is_of_use = false;
    }
    if (is_of_use) {
        (void)gw_near_fill(shared->setup.near, entry, question->epoch);
        answer->reuse = gw_entry_reuse(entry, question->request, question->head, now_us);
        is_of_use = answer->reuse != GW_REUSE_NO;
        answer->was_there = answer->was_there || !is_of_use;
        answer->is_hit_for_miss |= gw_policy_is_not_personal(&entry->terms, question->request);
        answer->seen.is_of_others = !is_of_use && answer->seen.kind == GW_SEEN_VERSION;
    }
    if (is_of_use)
        answer->entry = entry;
    else
        gw_entry_unref(entry);
}

static void sight_entry(struct gw_shared_question *question, struct gw_entry *entry, int64_t left_ms)
{
    struct gw_shared_sight *sight = &question->inspection->sight;
    struct gw_bans *bans = question->shared->setup.bans;
    sight->entry = entry;
    sight->entry_left_ms = left_ms;
    sight->ban = bans ? gw_bans_check(bans, entry) : GW_BAN_NONE;
}

static void take_response(struct gw_shared_question *question, bool is_variant, const struct gw_frame *frame,
                          const struct gw_store_reply *reply)
{
    struct gw_entry *entry = read_entry(question, is_variant, frame, reply);
    if (entry && question->kind == INSPECTION)
        sight_entry(question, entry, reply->ttl_ms);
    else if (entry)
        offer_entry(question, entry);
}

static void finish(struct gw_shared_question *question)
{
    void *asker = question->owner;
    if (question->kind == LOOK_UP) {
        gw_shared_done *done = question->done;
        struct gw_shared_answer answer = question->answer;
        give_question(question);
        done(asker, &answer);
        return;
    }
    struct inspection *inspection = question->inspection;
    question->inspection = NULL;
    give_question(question);
    inspection->done(asker, &inspection->sight);
    gw_entry_unref(inspection->sight.entry);
    free(inspection);
}

/* ---- variants ---- */

static void on_variant(void *owner, const struct gw_store_reply *reply)
{
    struct gw_shared_question *question = owner;
    struct gw_seen *seen = &question->answer.seen;
    struct gw_frame frame = { .kind = GW_FRAME_FOREIGN };
    question->variant = NULL;
    if (question->base) /* lost before the base's answer: the guess is worth nothing */
        return;
    if (reply->result == GW_STORE_VALUE) {
        gw_frame_read(&frame, reply->value);
        seen->variant_is_there = frame.kind != GW_FRAME_FOREIGN;
        memcpy(seen->variant_version, frame.version, GW_FRAME_VERSION_BYTES);
        if (frame.kind == GW_FRAME_FOREIGN || frame.kind == GW_FRAME_CORRUPT)
            drop_corrupt(question, true, reply->value);
        else if (frame.kind == GW_FRAME_RESPONSE &&
                 memcmp(frame.generation, seen->version, GW_FRAME_VERSION_BYTES) == 0)
            take_response(question, true, &frame, reply);
    }
    finish(question);
}

/* Which variant this request selects; false where memory's bound is met. */
static bool select_variant(struct gw_shared_question *question, struct gw_slice names)
{
    struct gw_shared *shared = question->shared;
    struct gw_head selection;
    gw_arena_reset(&shared->arena);
    if (!gw_vary_select_by_names(&selection, &shared->arena, question->head, names))
        return false;
    gw_writes_variant(shared->setup.keys, &selection, question->answer.seen.variant);
    return true;
}

static bool ask_variant(struct gw_shared_question *question)
{
    struct gw_shared *shared = question->shared;
    struct gw_key_text text;
    gw_key_text_of_variant(&text, shared->setup.config->redis_prefix, &question->key, question->answer.seen.variant);
    question->variant_at_us = gw_clock_monotonic_us();
    question->variant = gw_store_get(shared->setup.store, text.slice, on_variant, question);
    return question->variant != NULL;
}

static bool is_listed(const struct gw_frame *index, const uint8_t id[GW_FRAME_VARIANT_BYTES])
{
    for (size_t at = 0; at + GW_FRAME_VARIANT_BYTES <= index->variants.length; at += GW_FRAME_VARIANT_BYTES)
        if (memcmp(index->variants.at + at, id, GW_FRAME_VARIANT_BYTES) == 0)
            return true;
    return false;
}

/* True: the variant is awaited. */
static bool take_index(struct gw_shared_question *question, const struct gw_frame *index)
{
    struct gw_shared *shared = question->shared;
    struct gw_seen *seen = &question->answer.seen;
    seen->kind = GW_SEEN_INDEX;
    seen->names_hash = gw_writes_hash(index->names);
    if (!question->request->may_look_up && question->kind == LOOK_UP)
        return false;
    question->answer.was_there = true;
    bool is_right = question->variant && question->guess == seen->names_hash;
    if (!is_right) {
        gw_store_forget(&question->variant);
        if (question->kind == LOOK_UP)
            gw_memo_put(shared->memo, &question->key, index->names);
        if (!select_variant(question, index->names))
            return false;
    }
    seen->selects_variant = true;
    if (!is_listed(index, question->answer.seen.variant)) {
        gw_store_forget(&question->variant);
        return false;
    }
    return is_right || ask_variant(question);
}

/* ---- the base ---- */

static bool is_marked_for(const struct gw_shared_question *question, const struct gw_frame *mark)
{
    return !mark->age_s || question->request->has_credential;
}

static void take_mark(struct gw_shared_question *question, const struct gw_frame *frame, int64_t left_ms)
{
    int64_t elapsed_ms = gw_frame_elapsed_ms(frame, left_ms);
    question->answer.is_hit_for_miss = question->request->may_look_up && is_marked_for(question, frame) &&
                                       elapsed_ms >= 0 && elapsed_ms < frame->freshness_s * 1000;
}

static void take_base(struct gw_shared_question *question, const struct gw_frame *frame,
                      const struct gw_store_reply *reply)
{
    struct gw_seen *seen = &question->answer.seen;
    seen->kind = frame->kind == GW_FRAME_FOREIGN ? GW_SEEN_ABSENT : GW_SEEN_VERSION;
    switch (frame->kind) {
    case GW_FRAME_FOREIGN: /* may be written over */
    case GW_FRAME_CORRUPT:
        drop_corrupt(question, false, reply->value);
        break;
    case GW_FRAME_RESPONSE:
        if (question->request->may_look_up || question->kind == INSPECTION)
            take_response(question, false, frame, reply);
        break;
    case GW_FRAME_MARK:
        take_mark(question, frame, reply->ttl_ms);
        break;
    case GW_FRAME_TOMBSTONE:
    case GW_FRAME_INDEX:
        break;
    }
}

static void sight_base(struct gw_shared_question *question, const struct gw_frame *frame,
                       const struct gw_store_reply *reply)
{
    struct inspection *inspection = question->inspection;
    struct gw_shared_sight *sight = &inspection->sight;
    sight->is_known = reply->result == GW_STORE_VALUE || reply->result == GW_STORE_NIL;
    sight->is_there = reply->result == GW_STORE_VALUE;
    if (!sight->is_there)
        return;
    sight->base = frame->kind;
    sight->left_ms = reply->ttl_ms;
    sight->is_hit_for_miss = frame->kind == GW_FRAME_MARK && is_marked_for(question, frame);
    if (frame->kind != GW_FRAME_INDEX)
        return;
    if (frame->names.length && frame->names.length <= sizeof inspection->names) {
        memcpy(inspection->names, frame->names.at, frame->names.length);
        sight->names = gw_slice_of(inspection->names, frame->names.length);
    }
    sight->variants = (unsigned)(frame->variants.length / GW_FRAME_VARIANT_BYTES);
}

static void on_base(void *owner, const struct gw_store_reply *reply)
{
    struct gw_shared_question *question = owner;
    struct gw_seen *seen = &question->answer.seen;
    struct gw_frame frame = { .kind = GW_FRAME_FOREIGN };
    question->base = NULL;
    if (reply->result == GW_STORE_VALUE)
        gw_frame_read(&frame, reply->value);
    memcpy(seen->version, frame.version, GW_FRAME_VERSION_BYTES);
    if (question->kind == INSPECTION)
        sight_base(question, &frame, reply);
    if (frame.kind == GW_FRAME_INDEX && take_index(question, &frame))
        return;
    if (frame.kind != GW_FRAME_INDEX) {
        gw_store_forget(&question->variant);
        if (question->kind == LOOK_UP && reply->result != GW_STORE_LOST)
            gw_memo_forget(question->shared->memo, &question->key);
    }
    if (reply->result == GW_STORE_VALUE && frame.kind != GW_FRAME_INDEX)
        take_base(question, &frame, reply);
    else if (reply->result == GW_STORE_NIL)
        seen->kind = GW_SEEN_ABSENT;
    finish(question);
}

static bool ask_base(struct gw_shared_question *question)
{
    struct gw_shared *shared = question->shared;
    struct gw_key_text text;
    question->answer.seen.at_us = gw_clock_monotonic_us();
    question->epoch = gw_near_epoch(shared->setup.near, &question->key);
    gw_key_text_of_base(&text, shared->setup.config->redis_prefix, &question->key);
    question->base = gw_store_get(shared->setup.store, text.slice, on_base, question);
    return question->base != NULL;
}

/* In the same write, where the names are remembered. */
static void guess_variant(struct gw_shared_question *question)
{
    struct gw_slice names;
    if (!question->request->may_look_up || !gw_memo_get(question->shared->memo, &question->key, &names))
        return;
    question->guess = gw_writes_hash(names);
    if (select_variant(question, names))
        (void)ask_variant(question);
}

static struct gw_shared_question *begin(struct gw_shared *shared, enum kind kind, const struct gw_cache_key *key,
                                        const struct gw_cache_request *request, const struct gw_head *head, void *owner)
{
    if (!gw_store_is_up(shared->setup.store) || !gw_tombs_catch_up(shared->tombs) || !knows_bans(shared))
        return NULL;
    struct gw_shared_question *question = take_question(shared, kind, key);
    if (!question)
        return NULL;
    question->owner = owner;
    question->request = request;
    question->head = head;
    return question;
}

struct gw_shared_question *gw_shared_ask(struct gw_shared *shared, const struct gw_cache_key *key,
                                         const struct gw_cache_request *request, const struct gw_head *head,
                                         gw_shared_done *done, void *owner)
{
    struct gw_shared_question *question = begin(shared, LOOK_UP, key, request, head, owner);
    if (!question)
        return NULL;
    question->done = done;
    if (ask_base(question)) {
        guess_variant(question);
        return question;
    }
    give_question(question);
    return NULL;
}

struct gw_shared_question *gw_shared_inspect(struct gw_shared *shared, const struct gw_cache_key *key,
                                             const struct gw_cache_request *request, const struct gw_head *head,
                                             gw_shared_seen *done, void *owner)
{
    struct gw_shared_question *question = begin(shared, INSPECTION, key, request, head, owner);
    if (!question)
        return NULL;
    question->inspection = calloc(1, sizeof *question->inspection);
    if (question->inspection) {
        question->inspection->done = done;
        if (ask_base(question))
            return question;
    }
    give_question(question);
    return NULL;
}

void gw_shared_forget(struct gw_shared_question **taken)
{
    struct gw_shared_question *question = *taken;
    *taken = NULL;
    if (!question)
        return;
    if (question->kind == TOMBSTONE) /* it is to be acknowledged in any case */
        gw_tombs_forget(&question->tomb);
    gw_store_forget(&question->base);
    gw_store_forget(&question->variant);
    give_question(question);
}
