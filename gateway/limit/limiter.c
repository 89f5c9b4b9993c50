#include "limit/limiter.h"
#include <stdlib.h>
#include "limit/bucket_queries.h"

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
    struct gw_bucket_queries queries;
    gw_bucket_queries_collect(&queries, limiter, config, subject, misses,
                              GW_LIMIT_POLICIES_PER_REQUEST - decision->count);
    if (!queries.count)
        return;
    bool allowed = gw_clients_take(limiter->clients, queries.queries, queries.count, now_us);
    gw_bucket_queries_add_outcomes(queries.policies, queries.queries, queries.count, allowed, decision);
}
