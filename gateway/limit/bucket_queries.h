/* bucket_queries.h: the policies of a request as queries about buckets, and the inside of a limiter, which limiter.c and
 * question.c share.
 *
 * Memory   struct gw_bucket_queries lives on the caller's stack; policies are the configuration's. */
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
    const struct gw_limit_policy *policies[GW_LIMIT_POLICIES_PER_REQUEST]; /* by query */
    struct gw_bucket_query queries[GW_LIMIT_POLICIES_PER_REQUEST];
};

enum { GW_BUCKET_KEY_BYTES = 256 };

/* The policies that match, at most `room`. */
void gw_bucket_queries_collect(struct gw_bucket_queries *queries, struct gw_limiter *limiter,
                               const struct gw_config *config, const struct gw_limit_subject *subject, bool misses,
                               unsigned room);
/* Appends each policy's outcome, from the answers. */
void gw_bucket_queries_add_outcomes(const struct gw_limit_policy *const *policies,
                                    const struct gw_bucket_query *queries, unsigned count,
                                    struct gw_limit_decision *decision);
/* Into what the decision already holds. */
void gw_bucket_queries_set_verdict(struct gw_limit_decision *decision, bool allowed);
/* The store's key of a bucket: <prefix>rl:<policy>:<n>-<period>-<burst>:<client>, n and period in lowest terms; the
 * client as an address ("2001:db8::/64" where it is IPv6), the hex of a digest, or a route's name. At most
 * GW_BUCKET_KEY_BYTES. */
void gw_bucket_queries_put_key(const struct gw_config *config, const struct gw_limit_policy *policy,
                               const struct gw_client_key *key, struct gw_buffer *buffer);

#endif
