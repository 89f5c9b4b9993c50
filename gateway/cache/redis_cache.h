/* redis_cache.h: the cache in the store, as one worker sees it (docs/caching.md).
 *
 * Shape    A look-up is GET and PTTL of the base key; the frame (frame.h) becomes an entry, fills the memory cache if no
 *          invalidation came meanwhile, and answers by gw_policy_reuse. Where the base is an index that lists the
 *          variant, its key is asked as well: in the same write where this worker remembers the URL's names of Vary
 *          (vary_hints.h; a wrong memory costs a second round trip, never a wrong answer), else in a second one. It counts if
 *          its generation is the index's version: so nothing that was written over comes back. What lay at the base is
 *          noted as `seen`, and a store writes only over what was seen (redis/store.lua). A worker that sends a store
 *          or a tombstone removes the key from the memory cache; only reads fill it.
 * Bans     A frame that a hard ban matches (bans.h) is a miss, by a soft one it is stale.
 * Tombstones    A tombstone outlives the longest fetch, so that none begun before it stores after it: it lives for the
 *          backend's timeouts (of all attempts) and a minute, GW_REDIS_CACHE_TOMBSTONE_MS at least; and what was looked
 *          up longer ago than that, less GW_REDIS_CACHE_MARGIN_MS, is not stored. One that is not acknowledged is kept,
 *          and sent again before this worker reads or stores anything; more than redis.max_pending of them are lost:
 *          counted, said in the log, and when the store is back everything stored before is banned (bans.h), and the
 *          memory cache flushed. Where the store has no memory for a tombstone, the value is deleted instead.
 * Failure  A value that does not parse is a miss, deleted and counted. Without the store every call answers at once
 *          with "nothing": the memory cache then holds own fetches only, for cache.outage_ttl. A store that has no
 *          memory is sent no responses for GW_REDIS_CACHE_PAUSE_MS.
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

struct
    gw_base_version { /* what the look-up saw at the base key, and at the key of the variant that the request selects */
    enum gw_base_kind kind;
    uint8_t version[GW_FRAME_VERSION_BYTES];
    uint64_t names_hash;   /* INDEX */
    bool selects_variant;  /* INDEX: the request does, and these are known: */
    bool variant_is_there; /* the index lists it, and at its key lay something with a version */
    uint8_t variant[GW_FRAME_VARIANT_BYTES], variant_version[GW_FRAME_VERSION_BYTES];
    bool is_of_others; /* VERSION: of a response that is of use, if not to this request */
    uint64_t at_us;    /* CLOCK_MONOTONIC, when the look-up was sent */
};

struct gw_redis_cache_answer {
    struct gw_entry *entry; /* held for the owner; NULL: nothing for this request */
    enum gw_reuse reuse;
    bool is_hit_for_miss;
    bool was_there; /* other variants, or one that is not for this request */
    struct gw_base_version base_version;
};

/* From the loop, once. */
typedef void gw_redis_cache_done(void *owner, const struct gw_redis_cache_answer *answer);

/* What lies in the store for a request, used or not; for inspection. */
struct gw_redis_cache_inspection {
    bool is_known;           /* false: the store did not answer */
    bool is_there;           /* at the base key */
    enum gw_frame_kind base; /* GW_FRAME_INDEX: the rest is about the request's variant */
    bool is_hit_for_miss;    /* MARK: for this request, too */
    int64_t left_ms;         /* of the base's life; negative: none */
    struct gw_slice names;   /* INDEX; valid during the call */
    unsigned variants;       /* INDEX */
    struct gw_entry *entry;  /* borrowed for the call; NULL: no response, or one that does not parse */
    int64_t entry_left_ms;
    enum gw_ban_verdict ban;
};
typedef void gw_redis_cache_inspected(void *owner, const struct gw_redis_cache_inspection *found);

struct gw_redis_cache_setup {
    struct gw_store *store;
    struct gw_timers *timers; /* to send what was kept also where nobody asks; NULL: with the next call */
    struct gw_memory_cache *memory_cache;
    struct gw_bans *bans;       /* NULL: none */
    struct gw_ban_log *ban_log; /* before it is current nothing is asked; bans all after lost tombstones. NULL: bans are
                                  not shared */
    struct gw_key_maker *keys;  /* this worker's */
    struct gw_shard *shard;
    const struct gw_config *config;
};

/* NULL when memory is out. */
struct gw_redis_cache *gw_redis_cache_create(const struct gw_redis_cache_setup *setup) GW_MUST_CHECK;
/* No question may be pending: close the store first. */
void gw_redis_cache_destroy(struct gw_redis_cache **redis_cache);
/* May it be asked, and stored to? */
bool gw_redis_cache_is_up(const struct gw_redis_cache *redis_cache);
/* How long an answer of now may be fresh, s: while the store is away, what other instances change is not heard of
 * (cache.outage_ttl). INT64_MAX: no bound. NULL is allowed: nothing is shared. */
int64_t gw_redis_cache_fresh_most_s(const struct gw_redis_cache *redis_cache);

/* Asks for what may answer this request (request and head are borrowed until the answer or gw_redis_cache_cancel). Where
 * it may not be answered from a cache, what lies there is looked at for `seen` alone. NULL: not asked; a miss,
 * nothing seen. */
struct gw_redis_cache_question *gw_redis_cache_ask(struct gw_redis_cache *redis_cache, const struct gw_cache_key *key,
                                                   const struct gw_cache_request *request, const struct gw_head *head,
                                                   gw_redis_cache_done *done, void *owner);
/* The same look-up for inspection: fills nothing, deletes nothing, counts nothing. */
struct gw_redis_cache_question *gw_redis_cache_inspect(struct gw_redis_cache *redis_cache,
                                                       const struct gw_cache_key *key,
                                                       const struct gw_cache_request *request,
                                                       const struct gw_head *head, gw_redis_cache_inspected *done,
                                                       void *owner);
/* Takes *question; NULL is allowed. A tombstone is sent all the same. */
void gw_redis_cache_cancel(struct gw_redis_cache_question **question);

/* Stores the entry over what was seen, and removes the key from the memory cache. One with a selection becomes a variant
 * beside the others of the same names, or (other names, or no index) the first of an index. `landed` (may be NULL)
 * runs once, from the loop, when the store has acknowledged, refused or given up. False: not sent, landed does not
 * run. Shares nothing. */
bool gw_redis_cache_put(struct gw_redis_cache *redis_cache, const struct gw_entry *entry,
                        const struct gw_base_version *base_version, void (*landed)(void *owner), void *owner);
/* A hit-for-miss marker over what was seen, for life_ms; not over an index, nor over a response for other requests:
 * these are of use. Best effort. */
void gw_redis_cache_mark_hit_for_miss(struct gw_redis_cache *redis_cache, const struct gw_cache_key *key,
                                      const struct gw_base_version *base_version, int64_t life_ms);
/* The same for requests with a credential (gw_cache_request) alone. */
void gw_redis_cache_mark_credentials(struct gw_redis_cache *redis_cache, const struct gw_cache_key *key,
                                     const struct gw_base_version *base_version, int64_t life_ms);
/* A tombstone over the base, even over nothing; removes it from the memory cache, too. done runs once (from the loop)
 * when it is acknowledged or must be sent again. NULL: it could not be sent and is kept; done does not run. */
struct gw_redis_cache_question *gw_redis_cache_invalidate(struct gw_redis_cache *redis_cache,
                                                          const struct gw_cache_key *key, gw_redis_cache_done *done,
                                                          void *owner);

#endif
