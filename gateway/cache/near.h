/* near.h: the cache in this process, shared by its workers: a bounded, lock-striped table of counted entries. In
 * embedded mode it is the cache.
 *
 * Variants Up to GW_NEAR_VARIANTS entries lie under one key, told apart by what their Vary selected (cache/vary.h);
 *          the least recently used leaves first. The latest response's Vary holds: an entry with another list of
 *          names removes those before it. So at most one entry answers a request.
 * Bounds   `bytes` over all stripes, by gw_entry.cost_bytes and the node that holds it; never exceeded: room is made
 *          before an entry comes in. The least recently used leave first (nearly: what is in the first quarter of
 *          its stripe is not moved by a hit), of the entry's own stripe and then of the others in turn, expired ones
 *          before them where they are met (a later issue: by a scan-resistant rule). An entry over an eighth of
 *          `bytes` is not taken. Hit-for-miss marks and variants count too.
 * Epochs   Each stripe has one, raised by every invalidation in it. What was begun before an invalidation may not
 *          fill after it: note the epoch when the fetch begins, give it back with the entry; both are compared and
 *          stored under one lock.
 * Modes    Where a store is shared, the table is a copy of it, kept true by invalidations (cache/coherence.h), and
 *          only what was read there may come in; what was fetched here may come in where nothing is shared, or
 *          nothing can be. A change of mode flushes: what was begun under one mode never fills under another.
 * Threads  Any. A lock is held for a few instructions, one at a time; entries leave by count, and are freed outside. */
#ifndef GW_CACHE_NEAR_H
#define GW_CACHE_NEAR_H

#include "cache/entry.h"

struct gw_near;

enum gw_near_result {
    GW_NEAR_MISS,
    GW_NEAR_HIT,
    GW_NEAR_STALE, /* a miss; what lay here had expired */
    GW_NEAR_HIT_FOR_MISS,
};

/*                      takes own fetches (put)   takes reads (fill)   answers
 * EMBEDDED, the first  yes                       no                   yes
 * SHARED               no                        yes                  yes        invalidations are heard
 * CLOSED               no                        no                   no         they are not
 * OUTAGE               yes                       no                   yes        the store is away
 * Hit-for-miss marks are taken and answered in all modes. */
enum gw_near_mode { GW_NEAR_EMBEDDED, GW_NEAR_SHARED, GW_NEAR_CLOSED, GW_NEAR_OUTAGE };

enum { GW_NEAR_VARIANTS = 16 };

struct gw_near_counts {
    uint64_t entries;   /* now, without marks */
    uint64_t bytes;     /* now, with marks */
    uint64_t evictions; /* for room, or as the seventeenth variant */
    uint64_t stores, expired;
};

/* NULL when memory is out. */
struct gw_near *gw_near_create(size_t bytes) GW_MUST_CHECK;
void gw_near_destroy(struct gw_near **near);
/* The entry under this key that may answer this request (gw_policy_may_reuse). HIT: *entry is held for the caller; else
 * it is NULL. Expired entries met on the way are removed. */
enum gw_near_result gw_near_get(struct gw_near *near, const struct gw_cache_key *key,
                                const struct gw_cache_request *request, const struct gw_head *request_head,
                                uint64_t now_us, struct gw_entry **entry);
/* The epoch of this key's stripe, to be noted before a fetch. */
uint64_t gw_near_epoch(struct gw_near *near, const struct gw_cache_key *key);
/* Stores what was fetched here (replacing what answers the same requests, and a hit-for-miss mark). Shares the entry.
 * False: the epoch has changed, the mode takes no own fetches, or it is too large, no room could be made, or memory is
 * out. */
bool gw_near_put(struct gw_near *near, struct gw_entry *entry, uint64_t epoch);
/* The same for what was read from the store; epoch: as it was when the read was sent. */
bool gw_near_fill(struct gw_near *near, struct gw_entry *entry, uint64_t epoch);
/* For `after_us` from now, do not let requests for this key wait for each other: their answers are not shared. */
void gw_near_mark_hit_for_miss(struct gw_near *near, const struct gw_cache_key *key, uint64_t now_us,
                               uint64_t after_us);
/* Removes all under this key, and raises the stripe's epoch. */
void gw_near_invalidate(struct gw_near *near, const struct gw_cache_key *key);
/* Removes all, marks too, and raises every stripe's epoch. */
void gw_near_flush(struct gw_near *near);
/* Flushes, too; also where the mode stays. By one thread at a time. */
void gw_near_set_mode(struct gw_near *near, enum gw_near_mode mode);
enum gw_near_mode gw_near_mode(const struct gw_near *near);
void gw_near_read_counts(struct gw_near *near, struct gw_near_counts *counts);

#endif
