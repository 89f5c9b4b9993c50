#include "exchange/invalidation.h"

#include "exchange/worker_context.h"

enum { INVALIDATION_MAGIC = 0x494e5641 }; /* INVA */

static void invalidation_on_tombstone(void *owner, const struct gw_redis_cache_answer *nothing)
{
    struct gw_invalidation_tombstone *tombstone = owner;
    struct gw_invalidation *invalidation = tombstone->of;
    (void)nothing;
    GW_CHECK_MAGIC(invalidation, INVALIDATION_MAGIC);
    GW_CHECK(tombstone->question && invalidation->due);
    tombstone->question = NULL;
    if (--invalidation->due == 0)
        invalidation->on_settled(invalidation);
}

void gw_invalidation_add(struct gw_invalidation *invalidation, struct gw_worker_context *context,
                         const struct gw_cache_key *key)
{
    GW_CHECK(invalidation->sent < GW_INVALIDATION_KEYS);
    gw_memory_cache_invalidate(context->memory_cache, key);
    gw_coalescing_detach(context->lookups.coalescing, key);
    if (!context->redis_cache)
        return;
    struct gw_invalidation_tombstone *tombstone = &invalidation->tombstones[invalidation->sent];
    invalidation->magic = GW_MAGIC(INVALIDATION_MAGIC);
    tombstone->of = invalidation;
    tombstone->question = gw_redis_cache_invalidate(context->redis_cache, key, invalidation_on_tombstone, tombstone);
    if (!tombstone->question)
        return;
    invalidation->sent++;
    invalidation->due++;
}

void gw_invalidation_cancel(struct gw_invalidation *invalidation)
{
    for (unsigned i = 0; i < invalidation->sent; i++)
        gw_redis_cache_cancel(&invalidation->tombstones[i].question);
    invalidation->sent = invalidation->due = 0;
    invalidation->magic = GW_NO_MAGIC;
}
