#include "cache/shared.h"

#include <stdlib.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "cache/frame.h"

enum {
    KEPT_FREE = 1024,    /* questions to be used again */
    BUCKETS = 64,        /* of kept tombstones, so that one key is kept once */
    RETRY_AFTER_MS = 50, /* of kept tombstones */
    ATTEMPTS = 20,       /* at one tombstone while the store claims to be up */
    PREFIX_BYTES = 32,
};

enum kind { LOOK_UP, STORE, TOMBSTONE };

struct gw_shared_question {
    struct gw_shared *shared;
    struct gw_list link; /* free, or a kept tombstone */
    struct gw_store_call *call;
    enum kind kind;
    struct gw_cache_key key;

    gw_shared_done *done; /* LOOK_UP, TOMBSTONE; NULL: forgotten */
    void (*landed)(void *owner);
    void *owner;
    const struct gw_cache_request *request;
    const struct gw_head *head;
    uint64_t sent_at_us, epoch;
    unsigned attempts;
};

struct gw_shared {
    struct gw_shared_setup setup;
    int64_t tombstone_ms;

    struct gw_random random;
    uint64_t paused_until_us;
    struct gw_list free;
    unsigned free_count;
    struct gw_list kept[BUCKETS]; /* tombstones to be sent */
    unsigned kept_count;
    bool overflowed;
    struct gw_timer timer; /* runs while tombstones are kept */
};

struct key_text {
    struct gw_slice slice;
    char bytes[PREFIX_BYTES + GW_KEY_TEXT_BYTES];
};

static void make_text(const struct gw_shared *shared, const struct gw_cache_key *key, struct key_text *text)
{
    struct gw_slice prefix = shared->setup.config->redis_prefix;
    gw_key_put_text(key, prefix, text->bytes);
    text->slice = gw_slice_of(text->bytes, prefix.length + GW_KEY_TEXT_BYTES);
}

static int64_t longest_fetch_ms(const struct gw_config *config)
{
    int64_t attempt_ms = (int64_t)config->connect_timeout_ms + config->response_timeout_ms;
    return attempt_ms * (1 + (int64_t)config->retries) + config->read_timeout_ms;
}

static void on_timer(struct gw_timer *timer);

struct gw_shared *gw_shared_create(const struct gw_shared_setup *setup)
{
    struct gw_shared *shared = calloc(1, sizeof *shared);
    if (!shared)
        return NULL;
    int64_t tombstone_ms = longest_fetch_ms(setup->config) + 60000;
    shared->setup = *setup;
    shared->tombstone_ms = tombstone_ms > GW_SHARED_TOMBSTONE_MS ? tombstone_ms : GW_SHARED_TOMBSTONE_MS;
    if (shared->tombstone_ms > GW_FRAME_LIFE_MAX_MS)
        shared->tombstone_ms = GW_FRAME_LIFE_MAX_MS;
    gw_random_init(&shared->random);
    gw_list_init(&shared->free);
    for (unsigned i = 0; i < BUCKETS; i++)
        gw_list_init(&shared->kept[i]);
    gw_timer_init(&shared->timer, on_timer);
    return shared;
}

static void free_all(struct gw_list *list)
{
    gw_list_each_safe(link, list) free(GW_CONTAINER(link, struct gw_shared_question, link));
}

void gw_shared_destroy(struct gw_shared **taken)
{
    struct gw_shared *shared = *taken;
    *taken = NULL;
    gw_timer_stop(&shared->timer);
    if (shared->kept_count)
        gw_log(GW_LOG_WARN, "cache", "%u invalidations were never sent to Redis", shared->kept_count);
    free_all(&shared->free);
    for (unsigned i = 0; i < BUCKETS; i++)
        free_all(&shared->kept[i]);
    free(shared);
}

bool gw_shared_is_up(const struct gw_shared *shared)
{
    return !shared->kept_count && gw_store_is_up(shared->setup.store);
}

static struct gw_shared_question *take_question(struct gw_shared *shared, enum kind kind,
                                                const struct gw_cache_key *key)
{
    struct gw_shared_question *question;
    if (gw_list_is_empty(&shared->free)) {
        question = malloc(sizeof *question);
        if (!question)
            return NULL;
    } else {
        question = GW_CONTAINER(shared->free.next, struct gw_shared_question, link);
        gw_list_remove(&question->link);
        shared->free_count--;
    }
    *question = (struct gw_shared_question) { .shared = shared, .kind = kind, .key = *key };
    gw_list_init(&question->link);
    return question;
}

static void give_question(struct gw_shared_question *question)
{
    struct gw_shared *shared = question->shared;
    if (shared->free_count >= KEPT_FREE) {
        free(question);
        return;
    }
    gw_list_push_front(&shared->free, &question->link);
    shared->free_count++;
}

/* ---- tombstones ---- */

static void make_version(struct gw_shared *shared, uint8_t version[GW_FRAME_VERSION_BYTES])
{
    uint64_t word = gw_random_next(&shared->random);
    memcpy(version, &word, GW_FRAME_VERSION_BYTES);
}

static void on_tombstone(void *owner, const struct gw_store_reply *reply);

static bool send_tombstone(struct gw_shared *shared, struct gw_shared_question *question)
{
    uint8_t version[GW_FRAME_VERSION_BYTES];
    char value[GW_FRAME_SHORT_BYTES];
    struct key_text text;
    make_text(shared, &question->key, &text);
    make_version(shared, version);
    gw_frame_encode_tombstone(value, version, shared->tombstone_ms);
    gw_near_invalidate(shared->setup.near, &question->key);
    question->call = gw_store_set(shared->setup.store, text.slice, gw_slice_of(value, sizeof value),
                                  shared->tombstone_ms, on_tombstone, question);
    return question->call != NULL;
}

static bool send_deletion(struct gw_shared *shared, struct gw_shared_question *question)
{
    struct key_text text;
    make_text(shared, &question->key, &text);
    question->call = gw_store_set(shared->setup.store, text.slice, GW_NO_SLICE, 0, on_tombstone, question);
    return question->call != NULL;
}

static void lose_tombstone(struct gw_shared *shared)
{
    gw_counter_add(&shared->setup.shard->cache_invalidations_lost, 1);
    if (!shared->overflowed)
        gw_log(
            GW_LOG_ERROR, "cache",
            "an invalidation is lost: Redis is away and too many wait for it; a stored response may be answered until "
            "it expires");
    shared->overflowed = true;
}

static struct gw_list *bucket_of(struct gw_shared *shared, const struct gw_cache_key *key)
{
    return &shared->kept[key->sha[0] % BUCKETS];
}

static bool is_kept(struct gw_list *bucket, const struct gw_cache_key *key)
{
    gw_list_each(link, bucket)
    {
        if (memcmp(&GW_CONTAINER(link, struct gw_shared_question, link)->key, key, sizeof *key) == 0)
            return true;
    }
    return false;
}

static void watch(struct gw_shared *shared)
{
    if (shared->setup.timers && !gw_timer_is_running(&shared->timer))
        gw_timer_start(shared->setup.timers, &shared->timer, RETRY_AFTER_MS);
}

/* Takes the question. */
static void keep_tombstone(struct gw_shared *shared, struct gw_shared_question *question)
{
    struct gw_list *bucket = bucket_of(shared, &question->key);
    question->done = NULL;
    question->call = NULL;
    if (is_kept(bucket, &question->key)) {
        give_question(question);
    } else if (shared->kept_count >= shared->setup.config->redis_max_pending || question->attempts >= ATTEMPTS) {
        lose_tombstone(shared);
        give_question(question);
    } else {
        gw_list_push_back(bucket, &question->link);
        shared->kept_count++;
    }
    watch(shared);
}

/* As many as the store takes. */
static void send_kept_of(struct gw_shared *shared, struct gw_list *bucket)
{
    gw_list_each_safe(link, bucket)
    {
        struct gw_shared_question *question = GW_CONTAINER(link, struct gw_shared_question, link);
        if (!send_tombstone(shared, question))
            return;
        question->attempts++;
        gw_list_remove(link);
        shared->kept_count--;
    }
}

/* Is every tombstone on its way? What is asked from then on is asked after them. */
static bool is_caught_up(struct gw_shared *shared)
{
    if (!shared->kept_count && !shared->overflowed)
        return true;
    for (unsigned i = 0; i < BUCKETS && gw_store_is_up(shared->setup.store); i++)
        send_kept_of(shared, &shared->kept[i]);
    if (shared->kept_count || !gw_store_is_up(shared->setup.store))
        return false;
    if (shared->overflowed) {
        shared->overflowed = false;
        gw_near_flush(shared->setup.near);
    }
    return true;
}

static void on_timer(struct gw_timer *timer)
{
    struct gw_shared *shared = GW_CONTAINER(timer, struct gw_shared, timer);
    if (!is_caught_up(shared))
        watch(shared);
}

static void on_tombstone(void *owner, const struct gw_store_reply *reply)
{
    struct gw_shared_question *question = owner;
    struct gw_shared *shared = question->shared;
    const struct gw_shared_answer nothing = { .entry = NULL };
    gw_shared_done *done = question->done;
    void *asker = question->owner;
    question->call = NULL;
    if (reply->result == GW_STORE_OOM && send_deletion(shared, question))
        return;
    if (reply->result == GW_STORE_DONE || reply->result == GW_STORE_INTEGERS)
        give_question(question);
    else
        keep_tombstone(shared, question);
    if (done)
        done(asker, &nothing);
}

struct gw_shared_question *gw_shared_invalidate(struct gw_shared *shared, const struct gw_cache_key *key,
                                                gw_shared_done *done, void *owner)
{
    struct gw_shared_question *question = take_question(shared, TOMBSTONE, key);
    gw_near_invalidate(shared->setup.near, key);
    if (!question) {
        lose_tombstone(shared);
        return NULL;
    }
    question->done = done;
    question->owner = owner;
    if (gw_store_is_up(shared->setup.store) && send_tombstone(shared, question))
        return question;
    keep_tombstone(shared, question);
    return NULL;
}

/* ---- stores ---- */

/* A value over what was seen; absent: what was seen is deleted. The value in a block is shared, else copied. */
static struct gw_store_call *run_store(struct gw_shared *shared, const struct gw_cache_key *key,
                                       const struct gw_seen *seen, int64_t life_ms, struct gw_slice value,
                                       struct gw_block *block, gw_store_done *done, void *owner)
{
    char digits[24];
    struct gw_buffer life = gw_buffer_over(digits, sizeof digits);
    struct gw_slice version = gw_slice_of((const char *)seen->version, GW_FRAME_VERSION_BYTES);
    struct key_text text;
    make_text(shared, key, &text);
    gw_buffer_put_uint(&life, (uint64_t)life_ms);
    const struct gw_slice arguments[] = { seen->kind == GW_SEEN_VERSION ? version : GW_SLICE(""),
                                          gw_buffer_slice(&life), value };
    return gw_store_run(shared->setup.store, GW_STORE_PUT, &text.slice, 1, arguments, block ? 2 : 3,
                        block ? value : GW_NO_SLICE, block, done, owner);
}

static void on_stored(void *owner, const struct gw_store_reply *reply)
{
    struct gw_shared_question *question = owner;
    struct gw_shared *shared = question->shared;
    void (*landed)(void *) = question->landed;
    void *asker = question->owner;
    if (reply->result == GW_STORE_OOM)
        shared->paused_until_us = gw_clock_monotonic_us() + (uint64_t)GW_SHARED_PAUSE_MS * 1000;
    else if (reply->result == GW_STORE_INTEGERS && reply->integer_count == 1 && reply->integers[0] == 0)
        gw_counter_add(&shared->setup.shard->cache_stores_raced, 1);
    give_question(question);
    if (landed)
        landed(asker);
}

/* A tombstone may have come and gone since: then who fetched before it would store after it. */
static bool is_too_long_ago(const struct gw_shared *shared, const struct gw_seen *seen, uint64_t now_us)
{
    return now_us - seen->at_us >= (uint64_t)(shared->tombstone_ms - GW_SHARED_MARGIN_MS) * 1000;
}

static bool may_store(struct gw_shared *shared, const struct gw_seen *seen, uint64_t now_us)
{
    if (now_us < shared->paused_until_us) {
        gw_counter_add(&shared->setup.shard->redis_calls[GW_REDIS_LABEL_STORE][GW_REDIS_RESULT_SKIPPED], 1);
        return false;
    }
    return seen->kind != GW_SEEN_NOTHING && !is_too_long_ago(shared, seen, now_us) &&
           gw_store_is_up(shared->setup.store) && is_caught_up(shared);
}

static bool send_store(struct gw_shared *shared, struct gw_shared_question *question, const struct gw_seen *seen,
                       int64_t life_ms, struct gw_slice value, struct gw_block *block)
{
    gw_near_invalidate(shared->setup.near, &question->key);
    question->call = run_store(shared, &question->key, seen, life_ms, value, block, on_stored, question);
    if (question->call)
        return true;
    give_question(question);
    return false;
}

bool gw_shared_put(struct gw_shared *shared, const struct gw_entry *entry, const struct gw_seen *seen,
                   void (*landed)(void *owner), void *owner)
{
    uint8_t version[GW_FRAME_VERSION_BYTES];
    uint64_t now_us = gw_clock_monotonic_us();
    int64_t life_ms = gw_frame_life_ms(entry, now_us);
    if (life_ms <= 0 || !may_store(shared, seen, now_us))
        return false;
    make_version(shared, version);
    struct gw_block *block = gw_frame_encode(entry, version, life_ms, gw_entry_age_s(entry, now_us));
    struct gw_shared_question *question = block ? take_question(shared, STORE, &entry->key) : NULL;
    bool is_sent = false;
    if (question) {
        question->landed = landed;
        question->owner = owner;
        is_sent = send_store(shared, question, seen, life_ms, gw_slice_of(block->bytes, block->capacity), block);
    }
    gw_block_drop(block);
    return is_sent;
}

void gw_shared_mark_hit_for_miss(struct gw_shared *shared, const struct gw_cache_key *key, const struct gw_seen *seen,
                                 int64_t life_ms)
{
    uint8_t version[GW_FRAME_VERSION_BYTES];
    char value[GW_FRAME_SHORT_BYTES];
    if (life_ms <= 0 || life_ms > GW_FRAME_LIFE_MAX_MS || !may_store(shared, seen, gw_clock_monotonic_us()))
        return;
    make_version(shared, version);
    gw_frame_encode_mark(value, version, life_ms);
    struct gw_shared_question *question = take_question(shared, STORE, key);
    if (question)
        (void)send_store(shared, question, seen, life_ms, gw_slice_of(value, sizeof value), NULL);
}

/* ---- look-ups ---- */

/* What does not parse leaves, unless another came meanwhile; behind that, nothing lies there. */
static void remove_corrupt(struct gw_shared *shared, const struct gw_cache_key *key, struct gw_seen *seen)
{
    gw_counter_add(&shared->setup.shard->cache_corrupt, 1);
    struct gw_shared_question *question = take_question(shared, STORE, key);
    if (question && send_store(shared, question, seen, 0, GW_SLICE(""), NULL))
        seen->kind = GW_SEEN_ABSENT;
}

static void read_response(const struct gw_shared_question *question, const struct gw_frame *frame,
                          const struct gw_store_reply *reply, struct gw_shared_answer *answer)
{
    struct gw_shared *shared = question->shared;
    struct gw_entry *entry;
    int64_t elapsed_ms = gw_frame_elapsed_ms(frame, reply->ttl_ms);
    if (elapsed_ms < 0 || frame->age_s + elapsed_ms / 1000 >= frame->freshness_s)
        return;
    /* As of when it was sent: never younger than it is. */
    if (!gw_frame_decode(reply->value, frame, &question->key, elapsed_ms, question->sent_at_us, &entry)) {
        remove_corrupt(shared, &question->key, &answer->seen);
        return;
    }
    if (!entry)
        return;
    (void)gw_near_fill(shared->setup.near, entry, question->epoch);
    const struct gw_head *selection = entry->has_selection ? &entry->vary_values : NULL;
    if (gw_policy_may_reuse_by_terms(question->request, question->head, &entry->terms, selection,
                                     gw_entry_age_s(entry, gw_clock_monotonic_us()), entry->freshness_s))
        answer->entry = entry;
    else
        gw_entry_drop(entry);
}

static void read_value(const struct gw_shared_question *question, const struct gw_store_reply *reply,
                       struct gw_shared_answer *answer)
{
    struct gw_frame frame;
    struct gw_seen *seen = &answer->seen;
    bool has_version = gw_frame_read_version(reply->value, seen->version);
    seen->kind = has_version ? GW_SEEN_VERSION : GW_SEEN_ABSENT; /* what is foreign may be written over */
    if (!question->request->may_look_up)
        return;
    gw_frame_read(&frame, reply->value);
    switch (frame.kind) {
    case GW_FRAME_FOREIGN:
    case GW_FRAME_CORRUPT:
        remove_corrupt(question->shared, &question->key, seen);
        break;
    case GW_FRAME_RESPONSE:
        read_response(question, &frame, reply, answer);
        break;
    case GW_FRAME_MARK: {
        int64_t elapsed_ms = gw_frame_elapsed_ms(&frame, reply->ttl_ms);
        answer->is_hit_for_miss = elapsed_ms >= 0 && elapsed_ms < frame.freshness_s * 1000;
        break;
    }
    case GW_FRAME_TOMBSTONE:
        break;
    }
}

static void on_value(void *owner, const struct gw_store_reply *reply)
{
    struct gw_shared_question *question = owner;
    struct gw_shared_answer answer = { .seen = { .at_us = question->sent_at_us } };
    gw_shared_done *done = question->done;
    void *asker = question->owner;
    if (reply->result == GW_STORE_VALUE)
        read_value(question, reply, &answer);
    else if (reply->result == GW_STORE_NIL)
        answer.seen.kind = GW_SEEN_ABSENT;
    give_question(question);
    done(asker, &answer);
}

struct gw_shared_question *gw_shared_ask(struct gw_shared *shared, const struct gw_cache_key *key,
                                         const struct gw_cache_request *request, const struct gw_head *head,
                                         gw_shared_done *done, void *owner)
{
    struct key_text text;
    if (!gw_store_is_up(shared->setup.store) || !is_caught_up(shared))
        return NULL;
    struct gw_shared_question *question = take_question(shared, LOOK_UP, key);
    if (!question)
        return NULL;
    question->done = done;
    question->owner = owner;
    question->request = request;
    question->head = head;
    question->sent_at_us = gw_clock_monotonic_us();
    question->epoch = gw_near_epoch(shared->setup.near, key);
    make_text(shared, key, &text);
    question->call = gw_store_get(shared->setup.store, text.slice, on_value, question);
    if (question->call)
        return question;
    give_question(question);
    return NULL;
}

void gw_shared_forget(struct gw_shared_question **taken)
{
    struct gw_shared_question *question = *taken;
    *taken = NULL;
    if (!question)
        return;
    if (question->kind == TOMBSTONE) { /* it is to be acknowledged in any case */
        question->done = NULL;
        return;
    }
    gw_store_forget(&question->call);
    give_question(question);
}
