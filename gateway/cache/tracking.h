/* tracking.h: main's pair of connections that keeps this instance's memory cache a true copy of the store: one tracks
 * (CLIENT TRACKING ON BCAST PREFIX <prefix>cache: PREFIX <prefix>purge: REDIRECT <id of the other>), one is
 * subscribed to __redis__:invalidate (docs/caching.md: "Memory cache"). RESP2.
 *
 * Modes    of the memory cache (memory_cache.h), each change a flush:
 *            OUTAGE   the store's breaker is open
 *            SHARED   it is closed, and the pair is established
 *            CLOSED   it is closed, and the pair is not: it is being made, was lost, or the server refuses it (then it
 *                     is asked again each minute, and said once in the log)
 * Life     Each second the subscriber subscribes again and the tracker sends PING; no answer within redis.timeout x
 *          4, or an end of either: both are closed, and made again with jittered backoff. So an invalidation is
 *          missed for a second and redis.timeout x 4 at most.
 * Breaker  When it opens, the pair is closed as well: what answers behind the address may be another server then,
 *          and invalidations must come from the one that workers read. Looked at each 50 ms.
 * Threads  Main's loop; memory_cache.h is shared. */
#ifndef GW_CACHE_TRACKING_H
#define GW_CACHE_TRACKING_H

#include "cache/memory_cache.h"
#include "store/breaker.h"
#include "base/timer.h"
#include "config/config.h"

struct gw_tracking;

struct gw_tracking_setup {
    uv_loop_t *loop;
    struct gw_timers *timers;
    struct gw_memory_cache *memory_cache;
    struct gw_breaker *breaker; /* of the cache's node */
    const struct gw_redis_node *node;
    const struct gw_config *config;
    /* What was stored under this key (NULL: under all) has changed. A fetch of it that runs now must know. May be NULL. */
    void (*on_invalidated)(void *context, const struct gw_cache_key *key);
    /* A key below <prefix>purge: has changed: there are new bans (cache/ban_log.h). May be NULL. */
    void (*on_purge)(void *context);
    void *context;
};

/* NULL when memory is out, or TLS cannot be had. */
struct gw_tracking *gw_tracking_open(const struct gw_tracking_setup *setup) GW_MUST_CHECK;
/* Leaves the memory cache CLOSED. */
void gw_tracking_close(struct gw_tracking *tracking);
/* After the loop ended. */
void gw_tracking_free(struct gw_tracking **tracking);
/* Is the pair established? Any thread. */
bool gw_tracking_is_up(const struct gw_tracking *tracking);

#endif
