/* shared.h: the cache in the store, as one worker sees it (CACHE.md).
 *
 * Shape    A look-up is GET and PTTL of the base key; the frame (frame.h) becomes an entry, fills the near cache if no invalidation came meanwhile, and answers
 *          if gw_policy_may_reuse says so. What lay there is noted as `seen`, and a store writes only over what was seen (redis/store.lua).
 *          A worker that sends a store or a tombstone removes the key from the near cache; only reads fill it.
 * Failure  A frame that does not parse is a miss, deleted and counted. Without the store every call answers at once with "nothing": the near cache then
 *          holds own fetches only, for cache.outage_ttl.
 * Threads  One worker's. near.h is shared. */
#ifndef GW_CACHE_SHARED_H
#define GW_CACHE_SHARED_H

#include "cache/near.h"
#include "store/store.h"

struct gw_shared;
struct gw_shared_question;

enum gw_seen_kind { GW_SEEN_NOTHING /* not looked at: do not store */, GW_SEEN_ABSENT, GW_SEEN_VERSION };

struct gw_seen { /* what the look-up saw at the base key */
    enum gw_seen_kind kind;
    uint8_t version[8];
};

struct gw_shared_answer {
    struct gw_entry *entry;   /* held for the owner; NULL: a miss */
    bool is_hit_for_miss;
    struct gw_seen seen;
};

/* From the loop, once. */
typedef void gw_shared_done(void *owner, const struct gw_shared_answer *answer);

struct gw_shared_setup {
    struct gw_store *store;
    struct gw_near *near;
    struct gw_shard *shard;
    const struct gw_config *config;
};

struct gw_shared *gw_shared_create(const struct gw_shared_setup *setup) GW_MUST_CHECK;
/* No question may be pending: close the store first. */
void gw_shared_destroy(struct gw_shared **shared);
bool gw_shared_is_up(const struct gw_shared *shared);

/* Asks for what may answer this request (request and head are borrowed until the answer or gw_shared_forget). NULL: not asked; a miss, nothing seen. */
struct gw_shared_question *gw_shared_ask(struct gw_shared *shared, const struct gw_cache_key *key, const struct gw_cache_request *request,
                                         const struct gw_head *head, gw_shared_done *done, void *owner);
/* Takes *question; NULL is allowed. */
void gw_shared_forget(struct gw_shared_question **question);

/* Stores the entry over what was seen, and removes the key from the near cache. `landed` (may be NULL) runs once when the store has acknowledged or given up,
 * perhaps never before this returns. False: not sent, landed does not run. Shares the entry. */
bool gw_shared_put(struct gw_shared *shared, struct gw_entry *entry, const struct gw_seen *seen, void (*landed)(void *owner), void *owner);
/* A hit-for-miss marker over what was seen, for life_ms. Best effort. */
void gw_shared_mark_hit_for_miss(struct gw_shared *shared, const struct gw_cache_key *key, const struct gw_seen *seen, int64_t life_ms);
/* A tombstone over the base, even over nothing, that outlives the longest fetch; removes it from the near cache, too. done runs once (from the loop) when
 * acknowledged or lost. NULL: the store is down: it is queued (bounded by redis.max_pending; on overflow the whole name space is dropped) and sent
 * before reads resume; done does not run. */
struct gw_shared_question *gw_shared_invalidate(struct gw_shared *shared, const struct gw_cache_key *key, gw_shared_done *done, void *owner);

#endif
