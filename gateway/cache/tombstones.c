#include "cache/tombstones.h"

#include <stdlib.h>
#include "base/check.h"
#include "base/clock.h"
#include "base/free_list.h"
#include "base/log.h"
#include "base/random.h"
#include "cache/frame.h"
#include "cache/key.h"

enum {
    KEPT_FREE = 256,     /* to be used again */
    BUCKETS = 64,        /* of those to be sent, so that one key is kept once */
    RETRY_AFTER_MS = 50, /* what is kept, and a ban that was not acknowledged */
    ATTEMPTS = 20,       /* at one tombstone while the store claims to be up */
};

enum { TOMBSTONE_MAGIC = 0x544f4d42, TOMBSTONES_MAGIC = 0x544d4253 }; /* TOMB, TMBS */

struct gw_tombstone {
    struct gw_magic magic;
    struct gw_tombstones *tombstones;
    struct gw_list link; /* to be sent */
    struct gw_cache_key key;
    gw_tombstones_done *done; /* NULL: not called */
    void *owner;
    unsigned attempts;
};

struct gw_tombstones {
    struct gw_magic magic;
    struct gw_tombstones_setup setup;

    struct gw_random random;
    struct gw_free_list free;
    struct gw_list kept[BUCKETS];
    unsigned kept_count;
    struct gw_timer timer; /* runs while something is to be sent */
    bool is_lost;          /* one was, since the last ban of all was sent */
    bool is_ban_due;       /* the last one was not acknowledged */
    uint64_t ban_at_us;    /* then, not before */
};

static void tombstones_on_due(struct gw_timer *timer);

struct gw_tombstones *gw_tombstones_create(const struct gw_tombstones_setup *setup)
{
    struct gw_tombstones *tombstones = calloc(1, sizeof *tombstones);
    if (!tombstones)
        return NULL;
    tombstones->magic = GW_MAGIC(TOMBSTONES_MAGIC);
    tombstones->setup = *setup;
    gw_random_init(&tombstones->random);
    gw_free_list_init(&tombstones->free, sizeof(struct gw_tombstone), KEPT_FREE, NULL);
    for (unsigned i = 0; i < BUCKETS; i++)
        gw_list_init(&tombstones->kept[i]);
    gw_timer_init(&tombstones->timer, tombstones_on_due);
    return tombstones;
}

void gw_tombstones_destroy(struct gw_tombstones **taken)
{
    struct gw_tombstones *tombstones = *taken;
    *taken = NULL;
    if (!tombstones)
        return;
    gw_timer_stop(&tombstones->timer);
    if (tombstones->kept_count)
        gw_log(GW_LOG_WARN, "cache", "%u invalidations were never sent to Redis", tombstones->kept_count);
    for (unsigned i = 0; i < BUCKETS; i++)
        gw_list_each_safe(link, &tombstones->kept[i])
            gw_free_list_drop(&tombstones->free, GW_CONTAINER(link, struct gw_tombstone, link));
    gw_free_list_trim(&tombstones->free, 0);
    tombstones->magic = GW_NO_MAGIC;
    free(tombstones);
}

static void tombstones_on_answer(void *owner, const struct gw_store_reply *reply);

/* Ends the fetch lock of the key: what its holder fetches is out of date, so no request needs to wait for it. */
static void tombstones_end_lock(struct gw_tombstones *tombstones, const struct gw_cache_key *key)
{
    struct gw_key_text text;
    if (!tombstones->setup.config->flights_over_instances)
        return;
    gw_key_text_of_lock(&text, tombstones->setup.config->redis_prefix, key);
    (void)gw_store_set(tombstones->setup.store, text.slice, GW_NO_SLICE, 0, NULL, NULL);
}

static bool tombstones_send_tombstone(struct gw_tombstones *tombstones, struct gw_tombstone *tombstone)
{
    uint8_t version[GW_FRAME_VERSION_BYTES];
    char value[GW_FRAME_SHORT_BYTES];
    struct gw_key_text text;
    uint64_t word = gw_random_next(&tombstones->random);
    memcpy(version, &word, sizeof version);
    gw_key_text_of_base(&text, tombstones->setup.config->redis_prefix, &tombstone->key);
    gw_frame_encode_tombstone(value, version, tombstones->setup.life_ms);
    gw_memory_cache_invalidate(tombstones->setup.memory_cache, &tombstone->key);
    if (!gw_store_set(tombstones->setup.store, text.slice, gw_slice_of(value, sizeof value), tombstones->setup.life_ms,
                      tombstones_on_answer, tombstone))
        return false;
    tombstones_end_lock(tombstones, &tombstone->key);
    return true;
}

static bool tombstones_send_deletion(struct gw_tombstones *tombstones, struct gw_tombstone *tombstone)
{
    struct gw_key_text text;
    gw_key_text_of_base(&text, tombstones->setup.config->redis_prefix, &tombstone->key);
    return gw_store_set(tombstones->setup.store, text.slice, GW_NO_SLICE, 0, tombstones_on_answer, tombstone) != NULL;
}

static void tombstones_give(struct gw_tombstones *tombstones, struct gw_tombstone *tombstone)
{
    tombstone->magic = GW_NO_MAGIC;
    gw_free_list_give(&tombstones->free, tombstone);
}

/* ---- those that wait ---- */

static void tombstones_watch(struct gw_tombstones *tombstones)
{
    if (tombstones->setup.timers && !gw_timer_is_running(&tombstones->timer))
        gw_timer_start(tombstones->setup.timers, &tombstones->timer, RETRY_AFTER_MS);
}

static void tombstones_lose(struct gw_tombstones *tombstones, const char *why)
{
    gw_counter_add(&tombstones->setup.shard->cache_invalidations_lost, 1);
    if (!tombstones->is_lost)
        gw_log(
            GW_LOG_ERROR, "cache",
            "an invalidation is lost: %s; everything stored before is banned when Redis is back, and may be answered "
            "by other instances until then",
            why);
    tombstones->is_lost = true;
}

static bool tombstones_is_kept(struct gw_list *bucket, const struct gw_cache_key *key)
{
    gw_list_each(link, bucket)
    {
        if (memcmp(&GW_CONTAINER(link, struct gw_tombstone, link)->key, key, sizeof *key) == 0)
            return true;
    }
    return false;
}

/* Takes it. */
static void tombstones_keep(struct gw_tombstones *tombstones, struct gw_tombstone *tombstone)
{
    struct gw_list *bucket = &tombstones->kept[tombstone->key.sha[0] % BUCKETS];
    tombstone->done = NULL;
    if (tombstones_is_kept(bucket, &tombstone->key)) {
        tombstones_give(tombstones, tombstone);
    } else if (tombstones->kept_count >= tombstones->setup.config->redis_max_pending ||
               tombstone->attempts >= ATTEMPTS) {
        tombstones_lose(tombstones, tombstone->attempts >= ATTEMPTS
                                        ? "Redis did not acknowledge it however often it was sent"
                                        : "too many wait for Redis");
        tombstones_give(tombstones, tombstone);
    } else {
        gw_list_push_back(bucket, &tombstone->link);
        tombstones->kept_count++;
    }
    tombstones_watch(tombstones);
}

static void tombstones_send_kept_of(struct gw_tombstones *tombstones, struct gw_list *bucket)
{
    gw_list_each_safe(link, bucket)
    {
        struct gw_tombstone *tombstone = GW_CONTAINER(link, struct gw_tombstone, link);
        GW_CHECK_MAGIC(tombstone, TOMBSTONE_MAGIC);
        if (!tombstones_send_tombstone(tombstones, tombstone))
            return;
        tombstone->attempts++;
        gw_list_remove(link);
        tombstones->kept_count--;
    }
}

/* ---- after a loss ---- */

static void tombstones_on_banned(void *owner, bool is_everywhere)
{
    struct gw_tombstones *tombstones = GW_FROM_CONTEXT(owner, struct gw_tombstones, TOMBSTONES_MAGIC);
    if (is_everywhere)
        return;
    tombstones->is_ban_due = true;
    tombstones->ban_at_us = gw_clock_monotonic_us() + (uint64_t)RETRY_AFTER_MS * 1000;
    tombstones_watch(tombstones);
}

static bool tombstones_ban_all(struct gw_tombstones *tombstones)
{
    static const struct gw_ban all = { .kind = GW_BAN_ALL };
    return !tombstones->setup.ban_log ||
           gw_ban_log_add(tombstones->setup.ban_log, &all, tombstones_on_banned, tombstones) != NULL;
}

/* A ban that was sent, and not acknowledged, holds for what this process reads: no read waits for the next attempt. */
static bool tombstones_make_up(struct gw_tombstones *tombstones)
{
    if (tombstones->is_lost) {
        if (!tombstones_ban_all(tombstones))
            return false;
        tombstones->is_lost = tombstones->is_ban_due = false;
        gw_memory_cache_flush(tombstones->setup.memory_cache);
    } else if (tombstones->is_ban_due && gw_clock_monotonic_us() >= tombstones->ban_at_us) {
        tombstones->is_ban_due = !tombstones_ban_all(tombstones);
    }
    return true;
}

bool gw_tombstones_is_behind(const struct gw_tombstones *tombstones)
{
    return tombstones->kept_count || tombstones->is_lost;
}

bool gw_tombstones_catch_up(struct gw_tombstones *tombstones)
{
    if (!gw_tombstones_is_behind(tombstones) && !tombstones->is_ban_due)
        return true;
    for (unsigned i = 0; i < BUCKETS && gw_store_is_up(tombstones->setup.store); i++)
        tombstones_send_kept_of(tombstones, &tombstones->kept[i]);
    return !tombstones->kept_count && gw_store_is_up(tombstones->setup.store) && tombstones_make_up(tombstones);
}

static void tombstones_on_due(struct gw_timer *timer)
{
    struct gw_tombstones *tombstones = GW_CONTAINER(timer, struct gw_tombstones, timer);
    GW_CHECK_MAGIC(tombstones, TOMBSTONES_MAGIC);
    if (!gw_tombstones_catch_up(tombstones) || tombstones->is_ban_due)
        tombstones_watch(tombstones);
}

/* ---- one ---- */

static void tombstones_on_answer(void *owner, const struct gw_store_reply *reply)
{
    struct gw_tombstone *tombstone = GW_FROM_CONTEXT(owner, struct gw_tombstone, TOMBSTONE_MAGIC);
    struct gw_tombstones *tombstones = tombstone->tombstones;
    gw_tombstones_done *done = tombstone->done;
    void *asker = tombstone->owner;
    if (reply->result == GW_STORE_OOM && tombstones_send_deletion(tombstones, tombstone))
        return;
    if (reply->result == GW_STORE_DONE || reply->result == GW_STORE_INTEGERS)
        tombstones_give(tombstones, tombstone);
    else
        tombstones_keep(tombstones, tombstone);
    if (done)
        done(asker);
}

struct gw_tombstone *gw_tombstones_set(struct gw_tombstones *tombstones, const struct gw_cache_key *key,
                                       gw_tombstones_done *done, void *owner)
{
    struct gw_tombstone *tombstone = gw_free_list_take(&tombstones->free, NULL);
    gw_memory_cache_invalidate(tombstones->setup.memory_cache, key);
    if (!tombstone) {
        tombstones_lose(tombstones, "memory is out");
        tombstones_watch(tombstones);
        return NULL;
    }
    *tombstone = (struct gw_tombstone) {
        .magic = GW_MAGIC(TOMBSTONE_MAGIC), .tombstones = tombstones, .key = *key, .done = done, .owner = owner
    };
    gw_list_init(&tombstone->link);
    if (gw_store_is_up(tombstones->setup.store) && tombstones_send_tombstone(tombstones, tombstone))
        return tombstone;
    tombstones_keep(tombstones, tombstone);
    return NULL;
}

void gw_tombstones_cancel(struct gw_tombstone **tombstone)
{
    if (*tombstone)
        (*tombstone)->done = NULL;
    *tombstone = NULL;
}
