/* near.h: the cache in this process, shared by its workers: a bounded, lock-striped table of counted entries. In embedded mode it is the cache.
 *
 * Bounds   `bytes` over all stripes, by gw_entry.cost_bytes; the least recently used leave first (a later issue: by a scan-resistant rule). An entry
 *          over an eighth of `bytes` is not taken. Hit-for-miss marks and variants count too.
 * Epochs   Each stripe has one, raised by every invalidation in it. What was begun before an invalidation may not fill after it: note the epoch
 *          when the fetch begins, give it back with the entry; both are compared and stored under one lock.
 * Threads  Any. A lock is held for a few instructions; entries leave by count. */
#ifndef GW_CACHE_NEAR_H
#define GW_CACHE_NEAR_H

#include "cache/entry.h"

struct gw_near;

enum gw_near_result { GW_NEAR_MISS, GW_NEAR_HIT, GW_NEAR_STALE, GW_NEAR_HIT_FOR_MISS };

struct gw_near_counts {
    uint64_t entries, bytes, evictions, stores, expired;
};

/* NULL when memory is out. */
struct gw_near *gw_near_create(size_t bytes) GW_MUST_CHECK;
void gw_near_destroy(struct gw_near **near);
/* The freshest entry under this key that may answer this request (gw_policy_may_reuse). HIT: *entry is held for the caller.
 * Expired entries met on the way are removed. */
enum gw_near_result gw_near_get(struct gw_near *near, const struct gw_cache_key *key, const struct gw_cache_request *request,
                                const struct gw_head *request_head, uint64_t now_us, struct gw_entry **entry);
/* The epoch of this key's stripe, to be noted before a fetch. */
uint64_t gw_near_epoch(struct gw_near *near, const struct gw_cache_key *key);
/* Stores it (replacing what answers the same requests), unless the epoch has changed: then false. Shares the entry. */
bool gw_near_put(struct gw_near *near, struct gw_entry *entry, uint64_t epoch);
/* For `after_us` from now, do not let requests for this key wait for each other: their answers are not shared. */
void gw_near_mark_hit_for_miss(struct gw_near *near, const struct gw_cache_key *key, uint64_t now_us, uint64_t after_us);
/* Removes all under this key, and raises the stripe's epoch. */
void gw_near_invalidate(struct gw_near *near, const struct gw_cache_key *key);
void gw_near_read_counts(struct gw_near *near, struct gw_near_counts *counts);

#endif
