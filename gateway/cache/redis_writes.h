/* redis_writes.h: what one worker stores, on its way to redis/store.lua. cache/redis_cache.h decides whether it may be
 * stored now.
 *
 * Shape    A write goes only over what a look-up saw, and removes the key from the memory cache. A response with a
 *          selection becomes a variant. It lies beside the others if the index that was seen has the same names;
 *          otherwise it is the first of a new index.
 * Failure  A store that has no memory is sent no responses for GW_REDIS_CACHE_PAUSE_MS.
 * Threads  One worker's. */
#ifndef GW_CACHE_REDIS_WRITES_H
#define GW_CACHE_REDIS_WRITES_H

#include "base/free_list.h"
#include "base/random.h"
#include "cache/vary_hints.h"
#include "cache/redis_cache.h"

struct gw_writes { /* filled by its owner */
    struct gw_store *store;
    struct gw_memory_cache *memory_cache;
    struct gw_vary_hints *hints;
    struct gw_key_maker *keys;
    struct gw_shard *shard;
    const struct gw_config *config;

    struct gw_random random; /* gw_writes_init */
    uint64_t paused_until_us;
    struct gw_free_list free;
};

void gw_writes_init(struct gw_writes *writes);
/* None may be pending: close the store first. */
void gw_writes_free(struct gw_writes *writes);
/* False: not sent, on_stored (which may be NULL) does not run; else it runs once, from the loop. */
bool gw_writes_entry(struct gw_writes *writes, const struct gw_entry *entry, const struct gw_base_version *base_version,
                     void (*on_stored)(void *owner), void *owner);
void gw_writes_mark(struct gw_writes *writes, const struct gw_cache_key *key,
                    const struct gw_base_version *base_version, int64_t life_ms, bool for_credentials);
/* What does not parse leaves, unless another came meanwhile; counted. variant: NULL at the base. False: it stays. */
bool gw_writes_removal(struct gw_writes *writes, const struct gw_cache_key *key, const uint8_t *variant,
                       struct gw_slice corrupt);

/* How gw_base_version.names_hash tells names apart. */
uint64_t gw_writes_hash(struct gw_slice names);
/* How an index names the variant of a selection. */
void gw_writes_variant(struct gw_key_maker *keys, const struct gw_head *selection,
                       uint8_t variant[GW_FRAME_VARIANT_BYTES]);

#endif
