/* bucket_queries.h: the policies of a request as queries about buckets, and the inside of a limiter. Only for limiter.c
 * and question.c.
 *
 * Memory   struct gw_bucket_queries lies on the caller's stack; the policies belong to the configuration. */
#ifndef GW_LIMIT_BUCKET_QUERIES_H
#define GW_LIMIT_BUCKET_QUERIES_H

#include "limit/clients.h"
#include "limit/digest.h"
#include "limit/limiter.h"

struct gw_limiter {
    struct gw_clients *clients;
    struct gw_digest *digest;
};

struct gw_bucket_queries {
    unsigned count;
    const struct gw_limit_policy *policies[GW_LIMIT_POLICIES_PER_REQUEST]; /* the policy of each query */
    struct gw_bucket_query queries[GW_LIMIT_POLICIES_PER_REQUEST];
};

enum { GW_BUCKET_KEY_BYTES = 256 };

/* Makes a query of each policy that matches, at most `room`. */
void gw_bucket_queries_collect(struct gw_bucket_queries *queries, struct gw_limiter *limiter,
                               const struct gw_config *config, const struct gw_limit_subject *subject, bool misses,
                               unsigned room);
/* Appends the outcome of each policy, from the answers, and adds the verdict to the decision, which may have one of
 * earlier policies. */
void gw_bucket_queries_add_outcomes(const struct gw_limit_policy *const *policies,
                                    const struct gw_bucket_query *queries, unsigned count, bool allowed,
                                    struct gw_limit_decision *decision);
/* Writes the store's key of a bucket: <prefix>rl:<policy>:<n>-<period>-<burst>:<client>, with n and period in lowest
 * terms. The client is an address ("2001:db8::/64" for IPv6), the hex of a digest, or a route's name. At most
 * GW_BUCKET_KEY_BYTES. */
void gw_bucket_queries_put_key(const struct gw_config *config, const struct gw_limit_policy *policy,
                               const struct gw_client_key *key, struct gw_buffer *buffer);

#endif
