/* eviction.h: who leaves a cache for others: S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction",
 * SOSP 2023).
 *
 * Problem  A scan of what nobody asks for twice (a crawler, a backup, a walk through all pages) must not drive out what
 *          is hot, as it does where the least recently used leaves; and a hit must not move anything.
 * Shape    Newcomers enter a small queue of a tenth. At its end those that were asked for again go on into the main
 *          queue, the others leave, and a ghost remembers their digest: one that comes back while it is remembered
 *          enters the main queue at once. At the main queue's end one that was asked for goes round again, one use
 *          poorer. A hit is one counter of two bits.
 * Departs  - Sizes are bytes. The small queue is over its tenth by what both queues hold at the moment, not by a fixed
 *            part: a bound over many of these gives none a share of its own.
 *          - Ghosts lie in a table of fixed size, four to a bucket, where the oldest is overwritten. One counts for as
 *            long as no more bytes were remembered after it than both queues hold: the paper's "as many as the main
 *            queue", in bytes. Two digests can be equal: then a newcomer has an easy start, no more.
 *          - One that was asked for again and leaves by other ways than for room (it was invalidated, it has expired)
 *            is remembered too, and what replaces another takes over its place: an update is no newcomer.
 *          - What is of no use any more leaves first where it is met at the end of a queue.
 *          - The search for who leaves gives up after GW_EVICTION_LOOKED_AT; then the least asked for of those leaves.
 * Threads  The caller's lock. */
#ifndef GW_CACHE_EVICTION_H
#define GW_CACHE_EVICTION_H

#include <stdint.h>
#include "base/base.h"
#include "base/list.h"

enum {
    GW_EVICTION_USES = 3, /* that are counted */
    GW_EVICTION_USES_TO_STAY =
        2, /* in the small queue, to go on into the main one. With 1 a scan of what is asked for twice
                                 in a row drives out what is hot (tests/sim/sim_memory_cache.c) */
    GW_EVICTION_SMALL_PART = 10,
    GW_EVICTION_LOOKED_AT = 64,
};

/* In what is queued. hash: of whatever it is to be known again by. */
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
/* What `place`, which has not entered, is to replace leaves as such. */
static inline void gw_eviction_take_over(struct gw_eviction_place *place, const struct gw_eviction_place *replaced)
{
    place->is_main |= replaced->is_main;
    place->uses = replaced->uses > place->uses ? replaced->uses : place->uses;
}
/* Who is to leave for others, and still stands in its queue; NULL: both are empty. Moves those that stay. */
struct gw_eviction_place *gw_eviction_choose(struct gw_eviction *eviction, gw_eviction_is_over *is_over,
                                             uint64_t now_us);

enum gw_eviction_leave {
    GW_EVICTION_FOR_GOOD, /* replaced */
    GW_EVICTION_FOR_ROOM, /* as chosen */
    GW_EVICTION_FOR_NOW,  /* outdated, and likely to come back as another */
};
void gw_eviction_leave(struct gw_eviction *eviction, struct gw_eviction_place *place, enum gw_eviction_leave why);

#endif
