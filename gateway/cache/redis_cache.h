/* redis_cache.h: the cache in Redis, as one worker sees it (docs/caching.md).
 *
 * Look-up  Asks for GET and PTTL of the base key. A response there becomes an entry (frame.h), fills the memory cache if no
 *          invalidation came meanwhile, and gw_policy_reuse says whether it may answer. If the base is an index that
 *          lists the request's variant, the variant's key is asked, too. If this worker remembers the URL's names of Vary
 *          (vary_hints.h), that question leaves in the same write; otherwise it is a second round trip. A wrong hint
 *          costs a round trip, never a wrong answer. A variant counts only if its generation is the index's version, so
 *          a variant of an index that was written over never comes back.
 * Base     The look-up notes what lies at the base (struct gw_base_version). A store writes only over what the look-up
 *          saw (redis/store.lua). A worker that sends a response or a tombstone removes the key from the memory cache;
 *          only reads fill it.
 * Bans     A response that a hard ban matches (bans.h) is a miss. One that a soft ban matches is stale.
 * Tombstones
 *          A tombstone must outlive the longest fetch: then no fetch that began before it can store after it. It lives
 *          for the backend's timeouts (of all attempts) and a minute, but for GW_REDIS_CACHE_TOMBSTONE_MS at least. What
 *          was looked up longer ago than that, less GW_REDIS_CACHE_MARGIN_MS, is not stored. tombstones.h says what
 *          becomes of a tombstone that Redis does not acknowledge.
 * Failure  A value that does not parse is a miss. It is deleted and counted. If Redis cannot be asked, each call answers
 *          "nothing" at once. Then the memory cache holds only what this process fetches, for cache.outage_ttl. A Redis
 *          that is out of memory is sent no responses for GW_REDIS_CACHE_PAUSE_MS.
 * Threads  One worker's. memory_cache.h and bans.h are shared. */
#ifndef GW_CACHE_REDIS_CACHE_H
#define GW_CACHE_REDIS_CACHE_H

#include "cache/frame.h"
#include "cache/memory_cache.h"
#include "cache/ban_log.h"
#include "store/store.h"

struct gw_redis_cache;
struct gw_redis_cache_question;

enum { GW_REDIS_CACHE_TOMBSTONE_MS = 120000, GW_REDIS_CACHE_MARGIN_MS = 10000, GW_REDIS_CACHE_PAUSE_MS = 5000 };

enum gw_base_kind {
    GW_BASE_UNKNOWN, /* not looked at: do not store */
    GW_BASE_ABSENT,
    GW_BASE_VERSION,
    GW_BASE_INDEX, /* of variants: version, and which names */
};

/* What the look-up saw at the base key, and at the key of the variant that the request selects. */
struct gw_base_version {
    enum gw_base_kind kind;
    uint8_t version[GW_FRAME_VERSION_BYTES];
    uint64_t names_hash;   /* INDEX */
    bool selects_variant;  /* INDEX: the request selects a variant, and the next three are known */
    bool variant_is_there; /* the index lists it, and a value with a version lies at its key */
    uint8_t variant[GW_FRAME_VARIANT_BYTES], variant_version[GW_FRAME_VERSION_BYTES];
    bool is_of_others; /* VERSION: of a response that is not for this request, but of use to others */
    uint64_t at_us;    /* CLOCK_MONOTONIC, when the look-up was sent */
};

struct gw_redis_cache_answer {
    struct gw_entry *entry; /* held for the owner; NULL: nothing for this request */
    enum gw_reuse reuse;
    bool is_hit_for_miss;
    bool was_there; /* something is stored, but not for this request (another variant, for example) */
    struct gw_base_version base_version;
};

/* From the loop, once. */
typedef void gw_redis_cache_done(void *owner, const struct gw_redis_cache_answer *answer);

/* For inspection: what lies in Redis for a request, even if it may not answer that request. */
struct gw_redis_cache_inspection {
    bool is_known;           /* false: Redis did not answer */
    bool is_there;           /* at the base key */
    enum gw_frame_kind base; /* GW_FRAME_INDEX: the rest is about the request's variant */
    bool is_hit_for_miss;    /* MARK: it holds for this request */
    int64_t left_ms;         /* how long the base will live; negative: it has no expiry */
    struct gw_slice names;   /* INDEX; valid during the call */
    unsigned variants;       /* INDEX */
    struct gw_entry *entry;  /* borrowed for the call; NULL: no response, or one that does not parse */
    int64_t entry_left_ms;
    enum gw_ban_verdict ban;
};
typedef void gw_redis_cache_inspected(void *owner, const struct gw_redis_cache_inspection *found);

struct gw_redis_cache_setup {
    struct gw_store *store;
    struct gw_timers *timers; /* to send kept tombstones in time; NULL: they are sent with the next call */
    struct gw_memory_cache *memory_cache;
    struct gw_bans *bans;       /* NULL: none */
    struct gw_ban_log *ban_log; /* nothing is asked before it is current; bans all after lost tombstones. NULL: bans are
                                   not shared */
    struct gw_key_maker *keys;  /* this worker's */
    struct gw_shard *shard;
    const struct gw_config *config;
};

/* NULL when memory is out. */
struct gw_redis_cache *gw_redis_cache_create(const struct gw_redis_cache_setup *setup) GW_MUST_CHECK;
/* Close the store first: no question may be pending. */
void gw_redis_cache_destroy(struct gw_redis_cache **redis_cache);
/* May it be asked, and stored to? */
bool gw_redis_cache_is_up(const struct gw_redis_cache *redis_cache);
/* How long an answer that arrives now may be fresh, in seconds. INT64_MAX: no bound. While Redis is away, this instance
 * does not hear what other instances change, so the bound is cache.outage_ttl. NULL (nothing is shared): no bound. */
int64_t gw_redis_cache_fresh_most_s(const struct gw_redis_cache *redis_cache);

/* Asks for what may answer this request. request and head are borrowed until the answer or gw_redis_cache_cancel. If no
 * cache may answer the request, the question only finds out the base version. NULL: not asked, so a miss with base
 * version UNKNOWN. */
struct gw_redis_cache_question *gw_redis_cache_ask(struct gw_redis_cache *redis_cache, const struct gw_cache_key *key,
                                                   const struct gw_cache_request *request, const struct gw_head *head,
                                                   gw_redis_cache_done *done, void *owner);
/* The same look-up for inspection. It fills, deletes and counts nothing. */
struct gw_redis_cache_question *gw_redis_cache_inspect(struct gw_redis_cache *redis_cache,
                                                       const struct gw_cache_key *key,
                                                       const struct gw_cache_request *request,
                                                       const struct gw_head *head, gw_redis_cache_inspected *done,
                                                       void *owner);
/* Takes *question; NULL is allowed. done will not run. A tombstone is still sent. */
void gw_redis_cache_cancel(struct gw_redis_cache_question **question);

/* Stores the entry over the base version, and removes the key from the memory cache. An entry with a selection becomes a
 * variant. It lies beside the others if the index has the same names; otherwise it is the first of a new index. `on_stored`
 * (may be NULL) runs once, from the loop, when Redis has acknowledged or refused the entry or cannot be reached. False:
 * not sent, and `on_stored` does not run. Takes no hold on the entry. */
bool gw_redis_cache_put(struct gw_redis_cache *redis_cache, const struct gw_entry *entry,
                        const struct gw_base_version *base_version, void (*on_stored)(void *owner), void *owner);
/* Writes a hit-for-miss mark over the base version, for life_ms. An index and a response for other requests are of use, so
 * they are not written over. Nothing tells whether the mark was written. */
void gw_redis_cache_mark_hit_for_miss(struct gw_redis_cache *redis_cache, const struct gw_cache_key *key,
                                      const struct gw_base_version *base_version, int64_t life_ms);
/* The same mark, but only for requests with a credential (struct gw_cache_request). */
void gw_redis_cache_mark_credentials(struct gw_redis_cache *redis_cache, const struct gw_cache_key *key,
                                     const struct gw_base_version *base_version, int64_t life_ms);
/* Writes a tombstone over whatever lies at the base, even if nothing does, and removes the key from the memory cache. done
 * runs once, from the loop, when the tombstone is acknowledged or must be sent again. NULL: it could not be sent now and
 * is kept; done does not run. */
struct gw_redis_cache_question *gw_redis_cache_invalidate(struct gw_redis_cache *redis_cache,
                                                          const struct gw_cache_key *key, gw_redis_cache_done *done,
                                                          void *owner);

#endif
