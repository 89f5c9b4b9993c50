#include "exchange/invalidation.h"

#include "exchange/worker_context.h"

enum { INVALIDATION_MAGIC = 0x494e5641 }; /* INVA */

static void invalidation_on_tombstone(void *owner, const struct gw_shared_answer *nothing)
{
    struct gw_invalidation_tomb *tomb = owner;
    struct gw_invalidation *invalidation = tomb->of;
    (void)nothing;
    GW_CHECK_MAGIC(invalidation, INVALIDATION_MAGIC);
    GW_CHECK(tomb->question && invalidation->due);
    tomb->question = NULL;
    if (--invalidation->due == 0)
        invalidation->on_settled(invalidation);
}

void gw_invalidation_add(struct gw_invalidation *invalidation, struct gw_worker_context *context,
                         const struct gw_cache_key *key)
{
    GW_CHECK(invalidation->sent < GW_INVALIDATION_KEYS);
    gw_near_invalidate(context->near, key);
    gw_coalescing_detach(context->lookups.coalescing, key);
    if (!context->shared)
        return;
    struct gw_invalidation_tomb *tomb = &invalidation->tombs[invalidation->sent];
    invalidation->magic = GW_MAGIC(INVALIDATION_MAGIC);
    tomb->of = invalidation;
    tomb->question = gw_shared_invalidate(context->shared, key, invalidation_on_tombstone, tomb);
    if (!tomb->question)
        return;
    invalidation->sent++;
    invalidation->due++;
}

void gw_invalidation_cancel(struct gw_invalidation *invalidation)
{
    for (unsigned i = 0; i < invalidation->sent; i++)
        gw_shared_forget(&invalidation->tombs[i].question);
    invalidation->sent = invalidation->due = 0;
    invalidation->magic = GW_NO_MAGIC;
}
