#include "cache/tombs.h"

#include <stdlib.h>
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

struct gw_tomb {
    struct gw_tombs *tombs;
    struct gw_list link; /* to be sent */
    struct gw_cache_key key;
    gw_tombs_done *done; /* NULL: nobody waits */
    void *owner;
    unsigned attempts;
};

struct gw_tombs {
    struct gw_tombs_setup setup;

    struct gw_random random;
    struct gw_free_list free;
    struct gw_list kept[BUCKETS];
    unsigned kept_count;
    struct gw_timer timer; /* runs while something is to be sent */
    bool is_lost;          /* one was, since the last ban of all was sent */
    bool is_ban_due;       /* the last one was not acknowledged */
    uint64_t ban_at_us;    /* then, not before */
};

static void on_due(struct gw_timer *timer);

struct gw_tombs *gw_tombs_create(const struct gw_tombs_setup *setup)
{
    struct gw_tombs *tombs = calloc(1, sizeof *tombs);
    if (!tombs)
        return NULL;
    tombs->setup = *setup;
    gw_random_init(&tombs->random);
    gw_free_list_init(&tombs->free, sizeof(struct gw_tomb), KEPT_FREE, NULL);
    for (unsigned i = 0; i < BUCKETS; i++)
        gw_list_init(&tombs->kept[i]);
    gw_timer_init(&tombs->timer, on_due);
    return tombs;
}

void gw_tombs_destroy(struct gw_tombs **taken)
{
    struct gw_tombs *tombs = *taken;
    *taken = NULL;
    if (!tombs)
        return;
    gw_timer_stop(&tombs->timer);
    if (tombs->kept_count)
        gw_log(GW_LOG_WARN, "cache", "%u invalidations were never sent to Redis", tombs->kept_count);
    for (unsigned i = 0; i < BUCKETS; i++)
        gw_list_each_safe(link, &tombs->kept[i])
            gw_free_list_drop(&tombs->free, GW_CONTAINER(link, struct gw_tomb, link));
    gw_free_list_trim(&tombs->free, 0);
    free(tombs);
}

static void on_answer(void *owner, const struct gw_store_reply *reply);

/* Nobody need wait for what is fetched under it: that is out of date. */
static void end_lock(struct gw_tombs *tombs, const struct gw_cache_key *key)
{
    struct gw_key_text text;
    if (!tombs->setup.config->flights_over_instances)
        return;
    gw_key_text_of_lock(&text, tombs->setup.config->redis_prefix, key);
    (void)gw_store_set(tombs->setup.store, text.slice, GW_NO_SLICE, 0, NULL, NULL);
}

static bool send_tomb(struct gw_tombs *tombs, struct gw_tomb *tomb)
{
    uint8_t version[GW_FRAME_VERSION_BYTES];
    char value[GW_FRAME_SHORT_BYTES];
    struct gw_key_text text;
    uint64_t word = gw_random_next(&tombs->random);
    memcpy(version, &word, sizeof version);
    gw_key_text_of_base(&text, tombs->setup.config->redis_prefix, &tomb->key);
    gw_frame_encode_tombstone(value, version, tombs->setup.life_ms);
    gw_near_invalidate(tombs->setup.near, &tomb->key);
    if (!gw_store_set(tombs->setup.store, text.slice, gw_slice_of(value, sizeof value), tombs->setup.life_ms, on_answer,
                      tomb))
        return false;
    end_lock(tombs, &tomb->key);
    return true;
}

static bool send_deletion(struct gw_tombs *tombs, struct gw_tomb *tomb)
{
    struct gw_key_text text;
    gw_key_text_of_base(&text, tombs->setup.config->redis_prefix, &tomb->key);
    return gw_store_set(tombs->setup.store, text.slice, GW_NO_SLICE, 0, on_answer, tomb) != NULL;
}

/* ---- those that wait ---- */

static void watch(struct gw_tombs *tombs)
{
    if (tombs->setup.timers && !gw_timer_is_running(&tombs->timer))
        gw_timer_start(tombs->setup.timers, &tombs->timer, RETRY_AFTER_MS);
}

static void lose(struct gw_tombs *tombs, const char *why)
{
    gw_counter_add(&tombs->setup.shard->cache_invalidations_lost, 1);
    if (!tombs->is_lost)
        gw_log(
            GW_LOG_ERROR, "cache",
            "an invalidation is lost: %s; everything stored before is banned when Redis is back, and may be answered "
            "by other instances until then",
            why);
    tombs->is_lost = true;
}

static bool is_kept(struct gw_list *bucket, const struct gw_cache_key *key)
{
    gw_list_each(link, bucket)
    {
        if (memcmp(&GW_CONTAINER(link, struct gw_tomb, link)->key, key, sizeof *key) == 0)
            return true;
    }
    return false;
}

/* Takes it. */
static void keep(struct gw_tombs *tombs, struct gw_tomb *tomb)
{
    struct gw_list *bucket = &tombs->kept[tomb->key.sha[0] % BUCKETS];
    tomb->done = NULL;
    if (is_kept(bucket, &tomb->key)) {
        gw_free_list_give(&tombs->free, tomb);
    } else if (tombs->kept_count >= tombs->setup.config->redis_max_pending || tomb->attempts >= ATTEMPTS) {
        lose(tombs, tomb->attempts >= ATTEMPTS ? "Redis did not acknowledge it however often it was sent"
                                               : "too many wait for Redis");
        gw_free_list_give(&tombs->free, tomb);
    } else {
        gw_list_push_back(bucket, &tomb->link);
        tombs->kept_count++;
    }
    watch(tombs);
}

static void send_kept_of(struct gw_tombs *tombs, struct gw_list *bucket)
{
    gw_list_each_safe(link, bucket)
    {
        struct gw_tomb *tomb = GW_CONTAINER(link, struct gw_tomb, link);
        if (!send_tomb(tombs, tomb))
            return;
        tomb->attempts++;
        gw_list_remove(link);
        tombs->kept_count--;
    }
}

/* ---- after a loss ---- */

static void on_banned(void *owner, bool is_everywhere)
{
    struct gw_tombs *tombs = owner;
    if (is_everywhere)
        return;
    tombs->is_ban_due = true;
    tombs->ban_at_us = gw_clock_monotonic_us() + (uint64_t)RETRY_AFTER_MS * 1000;
    watch(tombs);
}

static bool ban_all(struct gw_tombs *tombs)
{
    static const struct gw_ban all = { .kind = GW_BAN_ALL };
    return !tombs->setup.purger || gw_purger_ban(tombs->setup.purger, &all, on_banned, tombs) != NULL;
}

/* A ban that was sent, and not acknowledged, holds for what this process reads: no read waits for the next attempt. */
static bool make_up(struct gw_tombs *tombs)
{
    if (tombs->is_lost) {
        if (!ban_all(tombs))
            return false;
        tombs->is_lost = tombs->is_ban_due = false;
        gw_near_flush(tombs->setup.near);
    } else if (tombs->is_ban_due && gw_clock_monotonic_us() >= tombs->ban_at_us) {
        tombs->is_ban_due = !ban_all(tombs);
    }
    return true;
}

bool gw_tombs_is_behind(const struct gw_tombs *tombs)
{
    return tombs->kept_count || tombs->is_lost;
}

bool gw_tombs_catch_up(struct gw_tombs *tombs)
{
    if (!gw_tombs_is_behind(tombs) && !tombs->is_ban_due)
        return true;
    for (unsigned i = 0; i < BUCKETS && gw_store_is_up(tombs->setup.store); i++)
        send_kept_of(tombs, &tombs->kept[i]);
    return !tombs->kept_count && gw_store_is_up(tombs->setup.store) && make_up(tombs);
}

static void on_due(struct gw_timer *timer)
{
    struct gw_tombs *tombs = GW_CONTAINER(timer, struct gw_tombs, timer);
    if (!gw_tombs_catch_up(tombs) || tombs->is_ban_due)
        watch(tombs);
}

/* ---- one ---- */

static void on_answer(void *owner, const struct gw_store_reply *reply)
{
    struct gw_tomb *tomb = owner;
    struct gw_tombs *tombs = tomb->tombs;
    gw_tombs_done *done = tomb->done;
    void *asker = tomb->owner;
    if (reply->result == GW_STORE_OOM && send_deletion(tombs, tomb))
        return;
    if (reply->result == GW_STORE_DONE || reply->result == GW_STORE_INTEGERS)
        gw_free_list_give(&tombs->free, tomb);
    else
        keep(tombs, tomb);
    if (done)
        done(asker);
}

struct gw_tomb *gw_tombs_set(struct gw_tombs *tombs, const struct gw_cache_key *key, gw_tombs_done *done, void *owner)
{
    struct gw_tomb *tomb = gw_free_list_take(&tombs->free, NULL);
    gw_near_invalidate(tombs->setup.near, key);
    if (!tomb) {
        lose(tombs, "memory is out");
        watch(tombs);
        return NULL;
    }
    *tomb = (struct gw_tomb) { .tombs = tombs, .key = *key, .done = done, .owner = owner };
    gw_list_init(&tomb->link);
    if (gw_store_is_up(tombs->setup.store) && send_tomb(tombs, tomb))
        return tomb;
    keep(tombs, tomb);
    return NULL;
}

void gw_tombs_forget(struct gw_tomb **tomb)
{
    if (*tomb)
        (*tomb)->done = NULL;
    *tomb = NULL;
}
