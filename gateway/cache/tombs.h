/* tombs.h: tombstones on their way to the store, as one worker sees them (redis/README.md: "Invalidation").
 *
 * Shape    A tombstone outlives the longest fetch, so that none begun before it stores after it. One that is not
 *          acknowledged is kept, each key once, and sent again before this worker reads or stores anything
 *          (gw_tombs_catch_up). Where the store has no memory for it, the value is deleted instead.
 * Loss     More than redis.max_pending kept ones, or one that the store refuses again and again, are lost: counted, said
 *          in the log, and when the store is back everything stored before is banned (cache/bans.h), and the near cache
 *          flushed. The ban is sent again until it is acknowledged; here it holds at once.
 * Threads  One worker's. near.h is shared. */
#ifndef GW_CACHE_TOMBS_H
#define GW_CACHE_TOMBS_H

#include "base/timer.h"
#include "cache/near.h"
#include "cache/purger.h"
#include "store/store.h"

struct gw_tombs;
struct gw_tomb;

struct gw_tombs_setup {
    struct gw_store *store;
    struct gw_timers *timers; /* to send what is kept also where nobody asks; NULL: with the next call */
    struct gw_near *near;
    struct gw_purger *purger; /* NULL: after a loss only the near cache is flushed */
    struct gw_shard *shard;
    const struct gw_config *config;
    int64_t life_ms; /* of a tombstone */
};

/* From the loop, once: acknowledged, or to be sent again. The tomb is gone. */
typedef void gw_tombs_done(void *owner);

/* NULL when memory is out. */
struct gw_tombs *gw_tombs_create(const struct gw_tombs_setup *setup) GW_MUST_CHECK;
/* None may be pending: close the store first. */
void gw_tombs_destroy(struct gw_tombs **tombs);
/* Over the key, and removes it from the near cache. NULL: it could not be sent, and is kept (or lost); done does not
 * run. */
struct gw_tomb *gw_tombs_set(struct gw_tombs *tombs, const struct gw_cache_key *key, gw_tombs_done *done, void *owner);
/* done will not run; it is sent all the same. Takes *tomb; NULL is allowed. */
void gw_tombs_forget(struct gw_tomb **tomb);
/* Does one wait to be sent? */
bool gw_tombs_is_behind(const struct gw_tombs *tombs);
/* Sends as many as the store takes. True: all are on their way, and what is asked from then on is asked after them. */
bool gw_tombs_catch_up(struct gw_tombs *tombs);

#endif
