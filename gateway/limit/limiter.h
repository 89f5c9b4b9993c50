/* limiter.h: decides by the policies' buckets whether a request may pass, and writes the fields that tell it.
 *
 * Threads  All workers share one limiter, with its table of clients (clients.h).
 * Failure  Embedded mode never fails. With a store, an answer may be late; then the policy's on_redis_failure
 *          decides. */
#ifndef GW_LIMIT_LIMITER_H
#define GW_LIMIT_LIMITER_H

#include "base/buffer.h"
#include "config/config.h"
#include "limit/clients.h"

enum { GW_LIMIT_POLICIES_PER_REQUEST = GW_BUCKET_QUERIES_MOST }; /* config refuses more policies */

struct gw_limiter;

enum gw_limit_verdict { GW_LIMIT_NONE, GW_LIMIT_ALLOWED, GW_LIMIT_REFUSED, GW_LIMIT_UNKNOWN };

/* What the limiter needs to know about a request. */
struct gw_limit_subject {
    struct gw_slice method, host, path;
    struct gw_slice literal_path; /* the path with its dot segments (base/path.h); absent: the same as path */
    const struct gw_address *client;
    uint32_t route;
    /* Gives the value of the request's field with this name; the absent slice if there is none. */
    struct gw_slice (*field)(void *context, struct gw_slice name);
    void *context;
};

struct gw_limit_outcome {                 /* of one policy that matched */
    const struct gw_limit_policy *policy; /* lives as long as the configuration */
    uint64_t remaining;
    uint64_t next_ms;       /* until the bucket can have cost tokens, rounded up; 0 if it has them */
    uint64_t full_after_ms; /* until the bucket is full, rounded up */
    bool allowed;
};

struct gw_limit_decision {
    enum gw_limit_verdict verdict; /* NONE: no policy matched */
    unsigned count;
    unsigned shadow_refusals;
    uint64_t retry_after_ms; /* REFUSED: until all refusing policies can allow; otherwise 0 */
    bool is_local;           /* Redis was away or late, and on_redis_failure decided */
    struct gw_limit_outcome outcomes[GW_LIMIT_POLICIES_PER_REQUEST]; /* `count` of them are set */
};

/* NULL when memory is out. */
struct gw_limiter *gw_limiter_create(const struct gw_config *config) GW_MUST_CHECK;
void gw_limiter_destroy(struct gw_limiter **limiter);
/* Decides now, by the local buckets; now_us is CLOCK_MONOTONIC. `misses`: only the policies that count misses only (to
 * be called before a fetch); otherwise only the other policies. *decision must be all zero at first; the second call
 * adds to it. Any thread. */
void gw_limiter_decide(struct gw_limiter *limiter, const struct gw_config *config,
                       const struct gw_limit_subject *subject, bool misses, uint64_t now_us,
                       struct gw_limit_decision *decision);
unsigned gw_limiter_clients(struct gw_limiter *limiter);

/* Writes lines of RateLimit-Policy, RateLimit (draft-ietf-httpapi-ratelimit-headers-11) and X-RateLimit-*, each with
 * CRLF, as the configuration says, and Retry-After when REFUSED. X-RateLimit-* tell about the policy with the fewest
 * tokens left (of equals, one that refuses); its Reset is the seconds until full. Shadow policies are not told, since
 * they are for the operator. upstream_ratelimit and upstream_policy are the backend's own members (absent where it sent
 * none; several lines are joined by commas). They come first and are written in any case, so the caller must drop the
 * backend's fields. */
void gw_limit_put_fields(const struct gw_limit_decision *decision, const struct gw_config *config,
                         struct gw_slice upstream_ratelimit, struct gw_slice upstream_policy, struct gw_buffer *buffer);
/* Writes the application/problem+json body of a 429 (RFC 9457): title, status, detail, violated-policies (those that
 * refused), request_id, and the type https://iana.org/assignments/http-problem-types#quota-exceeded. */
void gw_limit_put_problem(const struct gw_limit_decision *decision, struct gw_slice request_id,
                          struct gw_buffer *buffer);

#endif
