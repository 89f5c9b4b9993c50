/* eviction.h: which entry leaves a cache when another needs its room: S3-FIFO (Yang et al., "FIFO queues are all you need
 * for cache eviction", SOSP 2023).
 *
 * Problem  A scan of entries that are asked for only once (by a crawler, a backup, a walk through all pages) must not
 *          drive out what is hot, as it does if the least recently used entry leaves. And a hit must not move anything.
 * Shape    A newcomer enters a small queue, which has a tenth of the bytes. At its end an entry that was asked for again
 *          goes on into the main queue. Any other leaves, and a ghost remembers its digest: if it comes back while it is
 *          remembered, it enters the main queue at once. At the end of the main queue an entry that was asked for goes
 *          round again and loses one use. A hit is one counter of two bits.
 * Departs  - Sizes are bytes. A tenth is a tenth of what both queues hold at the moment, not a fixed part: one bound is
 *            shared by many of these objects, and none has a share of its own.
 *          - Ghosts lie in a table of fixed size, four to a bucket, where the oldest is overwritten. A ghost counts as
 *            long as the bytes remembered after it are no more than both queues hold. (The paper's "as many as the main
 *            queue", in bytes.) Two digests can be equal; then a newcomer has an easy start, and nothing worse.
 *          - An entry that was asked for again and leaves for another reason than room (it was invalidated, or has
 *            expired) is remembered too. What replaces another takes over its place: an update is no newcomer.
 *          - An entry that is of no use any more leaves first when it is met at the end of a queue.
 *          - The search stops after GW_EVICTION_LOOKED_AT entries; then the one of those with the fewest uses leaves.
 * Threads  The caller holds a lock. */
#ifndef GW_CACHE_EVICTION_H
#define GW_CACHE_EVICTION_H

#include <stdint.h>
#include "base/base.h"
#include "base/list.h"

enum {
    GW_EVICTION_USES = 3, /* more are not counted */
    /* This many uses in the small queue lead on into the main one. With 1, a scan that asks for everything twice in a row
     * drives out what is hot (tests/sim/sim_memory_cache.c). */
    GW_EVICTION_USES_TO_STAY = 2,
    GW_EVICTION_SMALL_PART = 10,
    GW_EVICTION_LOOKED_AT = 64,
};

/* A member of what is queued. hash: of what it is recognised by when it comes back. */
struct gw_eviction_place {
    uint64_t hash;
    size_t bytes;
    struct gw_list link;
    uint8_t uses;
    bool is_main;
};

struct gw_eviction_queue {
    struct gw_list places; /* the newcomer first */
    size_t bytes;
};

struct gw_eviction_ghost;

struct gw_eviction {
    struct gw_eviction_ghost *ghosts;
    size_t ghost_mask;

    struct gw_eviction_queue small, main;
    uint64_t remembered_bytes; /* ever */
};

/* Of no use any more? */
typedef bool gw_eviction_is_over(struct gw_eviction_place *place, uint64_t now_us);

/* ghosts: their number, a power of two from 4 on, of 8 bytes each. False when memory is out. */
bool gw_eviction_init(struct gw_eviction *eviction, size_t ghosts) GW_MUST_CHECK;
/* Frees the ghosts; what is queued is the caller's. */
void gw_eviction_reset(struct gw_eviction *eviction);

/* A place with hash, bytes and, where it takes over another's, uses and is_main. Borrowed until it leaves. */
void gw_eviction_enter(struct gw_eviction *eviction, struct gw_eviction_place *place);
static inline void gw_eviction_use(struct gw_eviction_place *place)
{
    if (place->uses < GW_EVICTION_USES)
        place->uses++;
}
/* `place`, which has not entered yet, will replace another one: it gets that one's uses and queue. */
static inline void gw_eviction_take_over(struct gw_eviction_place *place, const struct gw_eviction_place *replaced)
{
    place->is_main |= replaced->is_main;
    place->uses = replaced->uses > place->uses ? replaced->uses : place->uses;
}
/* Chooses the place that is to leave. It still stands in its queue. NULL: both queues are empty. Moves those that stay. */
struct gw_eviction_place *gw_eviction_choose(struct gw_eviction *eviction, gw_eviction_is_over *is_over,
                                             uint64_t now_us);

enum gw_eviction_leave {
    GW_EVICTION_FOR_GOOD, /* replaced */
    GW_EVICTION_FOR_ROOM, /* as chosen */
    GW_EVICTION_FOR_NOW,  /* outdated, and likely to come back as another */
};
void gw_eviction_leave(struct gw_eviction *eviction, struct gw_eviction_place *place, enum gw_eviction_leave why);

#endif
