/* fetch_lock.h: which instance fetches a key: a lock with a short life in the store.
 *
 * Shape    SET gw:lock:<ns>:{<sha>} <random id> NX PX 500, renewed after a third of that time, deleted by compare
 *          (redis/fetch_lock.lua). An instance that dies loses the lock within half a second. The lock only saves requests
 *          to the backend. What may be stored over what is decided by the store (redis/store.lua), so a lock that is lost
 *          while its fetch runs costs one more request and nothing else.
 * Changed  The script is told what the look-up saw (gw_base_version), and answers whether something else lies there now.
 *          So a leader does not look again without need, and a request that waits for another instance reads no bodies
 *          meanwhile.
 * Order    Commands of one turn of the loop leave in one write. If gw_fetch_lock_take comes before gw_redis_cache_ask, the
 *          look-up sees what the last holder of the lock has stored.
 * Threads  One worker's. */
#ifndef GW_CACHE_FETCH_LOCK_H
#define GW_CACHE_FETCH_LOCK_H

#include "base/free_list.h"
#include "base/random.h"
#include "base/timer.h"
#include "cache/key.h"
#include "cache/redis_cache.h"
#include "store/store.h"

struct gw_fetch_lock;

enum { GW_FETCH_LOCK_MS = 500 };

enum gw_fetch_lock_result {
    GW_FETCH_LOCK_TAKEN,     /* kept until gw_fetch_lock_release */
    GW_FETCH_LOCK_ELSEWHERE, /* another instance fetches */
    GW_FETCH_LOCK_UNKNOWN,   /* the store did not say */
};

/* From the loop, once. Where not TAKEN the lock is gone when it returns: drop the pointer. is_changed: what the look-up
 * saw is not what lies there. */
typedef void gw_fetch_lock_done(void *owner, enum gw_fetch_lock_result result, bool is_changed);

struct gw_fetch_locks { /* one worker's, filled by it */
    struct gw_store *store;
    struct gw_timers *timers;
    const struct gw_config *config;
    struct gw_random random; /* gw_fetch_locks_init */
    struct gw_free_list free;
};

void gw_fetch_locks_init(struct gw_fetch_locks *locks);
/* None may be held or pending. */
void gw_fetch_locks_free(struct gw_fetch_locks *locks);
/* base_version: what to compare with what lies there; kind UNKNOWN: nothing is compared. NULL: the store is away, or
 * memory is out; done does not run. */
struct gw_fetch_lock *gw_fetch_lock_take(struct gw_fetch_locks *locks, const struct gw_cache_key *key,
                                         const struct gw_base_version *base_version, gw_fetch_lock_done *done,
                                         void *owner) GW_MUST_CHECK;
/* Gives it back, or cancels the question (an answer TAKEN that still comes is given back, too). Takes *lock; NULL is
 * allowed. */
void gw_fetch_lock_release(struct gw_fetch_lock **lock);

#endif
