/* memory_cache.h: the cache in this process, shared by its workers: a bounded, lock-striped table of counted entries. In
 * embedded mode it is the only cache.
 *
 * Variants Up to GW_MEMORY_CACHE_VARIANTS entries lie under one key. They differ in what their Vary selected
 *          (cache/vary.h). If one more comes, the entry with the fewest uses leaves; among equals the oldest. The latest
 *          response's Vary holds: an entry with another list of names removes the entries before it. So at most one entry
 *          answers a request.
 * Bounds   `bytes` bounds all stripes together. It counts gw_entry.cost_bytes and the node that holds the entry, for
 *          hit-for-miss marks and variants, too, but not the tables (0.8 % of `bytes`). It is never exceeded: room is
 *          made before an entry comes in. S3-FIFO chooses which entry leaves (Yang et al., "FIFO queues are all you need
 *          for cache eviction", SOSP 2023; cache/eviction.h), in each stripe: a scan of URLs that are asked for only once
 *          does not drive out what is hot. A hit counts one use and moves nothing. An entry over an eighth of `bytes` is
 *          not taken.
 * Epochs   Each key has an epoch, which few other keys share. An invalidation of the key and each flush raise it. A fetch
 *          that began before that may not fill after it: note the epoch when the fetch begins, and give it back with the
 *          entry. Comparing and storing happen under one lock.
 * Modes    If instances share a store, the table is a copy of the store. Invalidations keep the copy true
 *          (cache/tracking.h), and only what was read from the store may come in. If nothing is shared, or the store is
 *          away, what was fetched here may come in. A change of mode flushes: a fetch that began in one mode never fills
 *          in another.
 * Threads  Any. A thread holds one lock at a time, for a few instructions. Entries that leave are freed outside it. */
#ifndef GW_CACHE_MEMORY_CACHE_H
#define GW_CACHE_MEMORY_CACHE_H

#include "cache/bans.h"
#include "cache/entry.h"
#include "cache/last_refusals.h"

struct gw_memory_cache;

struct gw_memory_cache_answer {
    struct gw_entry *entry; /* the best one by `reuse`, held for the caller; NULL: nothing for this request */
    enum gw_reuse reuse;
    uint64_t epoch; /* of the key, before the look */
    /* both are false if the entry is fresh */
    bool is_hit_for_miss;
    bool was_there; /* something is stored, but not for this request (another variant, for example) */
};

/*                      takes own fetches (put)   takes reads (fill)   answers
 * EMBEDDED, the first  yes                       no                   yes
 * SHARED               no                        yes                  yes        invalidations are heard
 * CLOSED               no                        no                   no         they are not
 * OUTAGE               yes                       no                   yes        the store is away
 * Hit-for-miss marks are taken and answered in each mode. */
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
/* What lies under this key for this request. Removes the entries that it meets and that are of no use any more, or ended
 * by a ban (bans.h). */
void gw_memory_cache_get(struct gw_memory_cache *memory_cache, const struct gw_cache_key *key,
                         const struct gw_cache_request *request, const struct gw_head *request_head, uint64_t now_us,
                         struct gw_memory_cache_answer *answer);
/* For inspection: all entries under a key, held for the caller. Returns how many: GW_MEMORY_CACHE_VARIANTS at most. It does
 * not count as a use. */
unsigned gw_memory_cache_list(struct gw_memory_cache *memory_cache, const struct gw_cache_key *key,
                              struct gw_entry *entries[GW_MEMORY_CACHE_VARIANTS]);
/* The epoch of this key, to be noted before a fetch. gw_memory_cache_get tells it, too. */
uint64_t gw_memory_cache_epoch(struct gw_memory_cache *memory_cache, const struct gw_cache_key *key);
/* Stores what was fetched here. The entry replaces what answers the same requests, and a hit-for-miss mark. Takes its own
 * hold on the entry. False: the epoch has changed, the mode takes no own fetches, the entry is too large, no room could
 * be made, or memory is out. */
bool gw_memory_cache_put(struct gw_memory_cache *memory_cache, struct gw_entry *entry, uint64_t epoch);
/* The same for what was read from the store. epoch: of the moment when the read was sent. */
bool gw_memory_cache_fill(struct gw_memory_cache *memory_cache, struct gw_entry *entry, uint64_t epoch);
/* For after_us from now, requests for this key do not wait for each other, because their answers are not shared. */
void gw_memory_cache_mark_hit_for_miss(struct gw_memory_cache *memory_cache, const struct gw_cache_key *key,
                                       uint64_t now_us, uint64_t after_us);
/* The same, but only for requests with a credential (struct gw_cache_request). */
void gw_memory_cache_mark_credentials(struct gw_memory_cache *memory_cache, const struct gw_cache_key *key,
                                      uint64_t now_us, uint64_t after_us);
/* Removes all that lies under this key, and raises its epoch. */
void gw_memory_cache_invalidate(struct gw_memory_cache *memory_cache, const struct gw_cache_key *key);
/* Removes everything, marks included, and raises every epoch. */
void gw_memory_cache_flush(struct gw_memory_cache *memory_cache);
/* Sets the mode and flushes, even if the mode stays the same. By one thread at a time. */
void gw_memory_cache_set_mode(struct gw_memory_cache *memory_cache, enum gw_memory_cache_mode mode);
enum gw_memory_cache_mode gw_memory_cache_mode(const struct gw_memory_cache *memory_cache);
void gw_memory_cache_read_counts(struct gw_memory_cache *memory_cache, struct gw_memory_cache_counts *counts);

/* Why the last answers were not stored (cache/last_refusals.h). */
struct gw_last_refusals *gw_memory_cache_last(struct gw_memory_cache *memory_cache);

#endif
