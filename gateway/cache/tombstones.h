/* tombstones.h: tombstones on their way to the store, as one worker sees them (redis/README.md: "Invalidation").
 *
 * Shape    A tombstone outlives the longest fetch, so that none begun before it stores after it. One that is not
 *          acknowledged is kept, each key once, and sent again before this worker reads or stores anything
 *          (gw_tombstones_catch_up). Where the store has no memory for it, the value is deleted instead.
 * Loss     More than redis.max_pending kept ones, or one that the store refuses again and again, are lost: counted, said
 *          in the log, and when the store is back everything stored before is banned (cache/bans.h), and the memory cache
 *          flushed. The ban is sent again until it is acknowledged; here it holds at once.
 * Threads  One worker's. memory_cache.h is shared. */
#ifndef GW_CACHE_TOMBSTONES_H
#define GW_CACHE_TOMBSTONES_H

#include "base/timer.h"
#include "cache/memory_cache.h"
#include "cache/ban_log.h"
#include "store/store.h"

struct gw_tombstones;
struct gw_tombstone;

struct gw_tombstones_setup {
    struct gw_store *store;
    struct gw_timers *timers; /* to send in time what is kept; NULL: it is sent with the next call */
    struct gw_memory_cache *memory_cache;
    struct gw_ban_log *ban_log; /* NULL: after a loss only the memory cache is flushed */
    struct gw_shard *shard;
    const struct gw_config *config;
    int64_t life_ms; /* of a tombstone */
};

/* From the loop, once: acknowledged, or to be sent again. The tombstone is gone. */
typedef void gw_tombstones_done(void *owner);

/* NULL when memory is out. */
struct gw_tombstones *gw_tombstones_create(const struct gw_tombstones_setup *setup) GW_MUST_CHECK;
/* None may be pending: close the store first. */
void gw_tombstones_destroy(struct gw_tombstones **tombstones);
/* Over the key, and removes it from the memory cache. NULL: it could not be sent, and is kept (or lost); done does not
 * run. */
struct gw_tombstone *gw_tombstones_set(struct gw_tombstones *tombstones, const struct gw_cache_key *key,
                                       gw_tombstones_done *done, void *owner);
/* done will not run; the tombstone is still sent. Takes *tombstone; NULL is allowed. */
void gw_tombstones_cancel(struct gw_tombstone **tombstone);
/* Does one wait to be sent? */
bool gw_tombstones_is_behind(const struct gw_tombstones *tombstones);
/* Sends as many as the store takes. True: all are on their way, and what is asked from then on is asked after them. */
bool gw_tombstones_catch_up(struct gw_tombstones *tombstones);

#endif
