/* invalidation.h: what is stored under some keys ends: in this process at once, elsewhere by tombstones in Redis, whose
 * acknowledgement may be awaited.
 *
 * Memory   Lies in its owner. All zero is an empty one.
 * Threads  One worker's. */
#ifndef GW_EXCHANGE_INVALIDATION_H
#define GW_EXCHANGE_INVALIDATION_H

#include "base/check.h"
#include "cache/redis_cache.h"

struct gw_worker_context;

enum { GW_INVALIDATION_KEYS = 3 };

struct gw_invalidation {
    struct gw_magic magic;
    unsigned sent, due; /* tombstones; due: not acknowledged yet */
    /* The last one is acknowledged, or kept to be sent again. From the loop. */
    void (*on_settled)(struct gw_invalidation *invalidation);
    struct gw_invalidation_tombstone {
        struct gw_invalidation *of;
        struct gw_redis_cache_question *question; /* NULL: it is not awaited */
    } tombstones[GW_INVALIDATION_KEYS];
};

/* At most GW_INVALIDATION_KEYS times. A tombstone that cannot be sent now is kept and sent later: it is not awaited. */
void gw_invalidation_add(struct gw_invalidation *invalidation, struct gw_worker_context *context,
                         const struct gw_cache_key *key);
/* on_settled will not run; the tombstones are sent all the same. Empty again. Any time, any number of times. */
void gw_invalidation_cancel(struct gw_invalidation *invalidation);

#endif
