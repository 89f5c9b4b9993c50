#include "limit/limiter.h"
#include <stdlib.h>
#include "limit/asks.h"

struct gw_limiter *gw_limiter_create(const struct gw_config *config)
{
    struct gw_limiter *limiter = calloc(1, sizeof *limiter);
    if (!limiter)
        return NULL;
    limiter->clients = gw_clients_create(config->max_clients);
    limiter->digest = gw_digest_create();
    if (!limiter->clients || !limiter->digest)
        gw_limiter_destroy(&limiter);
    return limiter;
}

void gw_limiter_destroy(struct gw_limiter **limiter)
{
    if (!*limiter)
        return;
    gw_clients_destroy(&(*limiter)->clients);
    gw_digest_destroy(&(*limiter)->digest);
    free(*limiter);
    *limiter = NULL;
}

unsigned gw_limiter_clients(struct gw_limiter *limiter)
{
    return gw_clients_count(limiter->clients);
}

void gw_limiter_decide(struct gw_limiter *limiter, const struct gw_config *config,
                       const struct gw_limit_subject *subject, bool misses, uint64_t now_us,
                       struct gw_limit_decision *decision)
{
    struct gw_asks asks;
    gw_asks_collect(&asks, limiter, config, subject, misses, GW_LIMIT_POLICIES_PER_REQUEST - decision->count);
    if (!asks.count)
        return;
    bool allowed = gw_clients_take(limiter->clients, asks.asks, asks.count, now_us);
    gw_asks_tell(asks.policies, asks.asks, asks.count, decision);
    gw_asks_judge(decision, allowed);
}
