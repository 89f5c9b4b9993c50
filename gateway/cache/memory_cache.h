/* memory_cache.h: the cache in this process, shared by its workers: a bounded, lock-striped table of counted entries. In
 * embedded mode it is the cache.
 *
 * Variants Up to GW_MEMORY_CACHE_VARIANTS entries lie under one key, told apart by what their Vary selected (cache/vary.h); for
 *          one more, the least asked for leaves, and of those the one that was stored first. The latest response's Vary
 *          holds: an entry with another list of names removes those before it. So at most one entry answers a request.
 * Bounds   `bytes` over all stripes, by gw_entry.cost_bytes and the node that holds it; never exceeded: room is made
 *          before an entry comes in. Who leaves is chosen by S3-FIFO (Yang et al., "FIFO queues are all you need for
 *          cache eviction", SOSP 2023; cache/eviction.h), in each stripe; so a scan of URLs that nobody asks for twice
 *          leaves what is hot alone. A hit is one counter, no list is touched. An entry over an eighth of `bytes` is
 *          not taken. Hit-for-miss marks and variants count too; the tables, 0.8 % of `bytes`, do not.
 * Epochs   Each key has one, which few others share, raised by its invalidations and by every flush. What was begun
 *          before may not fill after it: note the epoch when the fetch begins, give it back with the entry; both are compared and
 *          stored under one lock.
 * Modes    Where a store is shared, the table is a copy of it, kept true by invalidations (cache/tracking.h), and
 *          only what was read there may come in; what was fetched here may come in where nothing is shared, or
 *          nothing can be. A change of mode flushes: what was begun under one mode never fills under another.
 * Threads  Any. A lock is held for a few instructions, one at a time; entries leave by count, and are freed outside. */
#ifndef GW_CACHE_MEMORY_CACHE_H
#define GW_CACHE_MEMORY_CACHE_H

#include "cache/bans.h"
#include "cache/entry.h"
#include "cache/last_refusals.h"

struct gw_memory_cache;

struct gw_memory_cache_answer {
    struct gw_entry *entry; /* held for the caller; NULL: nothing for this request. The best there is by reuse */
    enum gw_reuse reuse;
    uint64_t epoch; /* of the key, before the look */
    /* False where the entry is fresh: */
    bool is_hit_for_miss;
    bool was_there; /* other variants, or one that is not for this request */
};

/*                      takes own fetches (put)   takes reads (fill)   answers
 * EMBEDDED, the first  yes                       no                   yes
 * SHARED               no                        yes                  yes        invalidations are heard
 * CLOSED               no                        no                   no         they are not
 * OUTAGE               yes                       no                   yes        the store is away
 * Hit-for-miss marks are taken and answered in all modes. */
enum gw_memory_cache_mode {
    GW_MEMORY_CACHE_EMBEDDED,
    GW_MEMORY_CACHE_SHARED,
    GW_MEMORY_CACHE_CLOSED,
    GW_MEMORY_CACHE_OUTAGE
};

enum { GW_MEMORY_CACHE_VARIANTS = 16 };

struct gw_memory_cache_counts {
    uint64_t entries;   /* now, without marks */
    uint64_t bytes;     /* now, with marks */
    uint64_t evictions; /* for room, or as the seventeenth variant */
    uint64_t stores, expired;
};

/* bytes 0: holds nothing at all. bans: borrowed; NULL: none. NULL when memory is out. */
struct gw_memory_cache *gw_memory_cache_create(size_t bytes, struct gw_bans *bans);
void gw_memory_cache_destroy(struct gw_memory_cache **memory_cache);
/* What lies under this key for this request. Entries that are of no use any more, and those that a ban ends (bans.h),
 * are removed on the way. */
void gw_memory_cache_get(struct gw_memory_cache *memory_cache, const struct gw_cache_key *key,
                         const struct gw_cache_request *request, const struct gw_head *request_head, uint64_t now_us,
                         struct gw_memory_cache_answer *answer);
/* All entries under a key, held for the caller, GW_MEMORY_CACHE_VARIANTS at most; how many. For inspection: counts as no use. */
unsigned gw_memory_cache_list(struct gw_memory_cache *memory_cache, const struct gw_cache_key *key,
                              struct gw_entry *entries[GW_MEMORY_CACHE_VARIANTS]);
/* The epoch of this key, to be noted before a fetch; who looks for an entry has it of the answer. */
uint64_t gw_memory_cache_epoch(struct gw_memory_cache *memory_cache, const struct gw_cache_key *key);
/* Stores what was fetched here (replacing what answers the same requests, and a hit-for-miss mark). Shares the entry.
 * False: the epoch has changed, the mode takes no own fetches, or it is too large, no room could be made, or memory is
 * out. */
bool gw_memory_cache_put(struct gw_memory_cache *memory_cache, struct gw_entry *entry, uint64_t epoch);
/* The same for what was read from the store; epoch: as it was when the read was sent. */
bool gw_memory_cache_fill(struct gw_memory_cache *memory_cache, struct gw_entry *entry, uint64_t epoch);
/* For `after_us` from now, do not let requests for this key wait for each other: their answers are not shared. */
void gw_memory_cache_mark_hit_for_miss(struct gw_memory_cache *memory_cache, const struct gw_cache_key *key,
                                       uint64_t now_us, uint64_t after_us);
/* The same for requests with a credential (gw_cache_request) alone. */
void gw_memory_cache_mark_credentials(struct gw_memory_cache *memory_cache, const struct gw_cache_key *key,
                                      uint64_t now_us, uint64_t after_us);
/* Removes all under this key, and raises its epoch. */
void gw_memory_cache_invalidate(struct gw_memory_cache *memory_cache, const struct gw_cache_key *key);
/* Removes all, marks too, and raises every epoch. */
void gw_memory_cache_flush(struct gw_memory_cache *memory_cache);
/* Flushes, too; also where the mode stays. By one thread at a time. */
void gw_memory_cache_set_mode(struct gw_memory_cache *memory_cache, enum gw_memory_cache_mode mode);
enum gw_memory_cache_mode gw_memory_cache_mode(const struct gw_memory_cache *memory_cache);
void gw_memory_cache_read_counts(struct gw_memory_cache *memory_cache, struct gw_memory_cache_counts *counts);

/* What was not stored last (cache/last_refusals.h), beside what is. */
struct gw_last_refusals *gw_memory_cache_last(struct gw_memory_cache *memory_cache);

#endif
