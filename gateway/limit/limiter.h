/* limiter.h: may this request pass? Policies to buckets, and what is said about it.
 *
 * Threads  A limiter is shared by all workers: the table of clients inside it is (clients.h).
 * Failure  Embedded mode never fails. With a store, a late answer is UNKNOWN, and the policy decides
 *          (on_redis_failure). */
#ifndef GW_LIMIT_LIMITER_H
#define GW_LIMIT_LIMITER_H

#include "base/buffer.h"
#include "config/config.h"
#include "limit/clients.h"

enum { GW_LIMIT_POLICIES_PER_REQUEST = GW_BUCKET_QUERIES_MOST }; /* config refuses more than this many policies */

struct gw_limiter;

enum gw_limit_verdict { GW_LIMIT_NONE, GW_LIMIT_ALLOWED, GW_LIMIT_REFUSED, GW_LIMIT_UNKNOWN };

/* What a request is asked about. */
struct gw_limit_subject {
    struct gw_slice method, host, path;
    struct gw_slice literal_path; /* with its dot segments (base/path.h); absent: the same */
    const struct gw_address *client;
    uint32_t route;
    /* Value of a request field by the policy's header name; the absent slice if it is not there. */
    struct gw_slice (*field)(void *context, struct gw_slice name);
    void *context;
};

struct gw_limit_outcome {                 /* per policy that matched */
    const struct gw_limit_policy *policy; /* lives as long as the configuration */
    uint64_t remaining;
    uint64_t next_ms;       /* until cost tokens can be there, rounded up; 0 if there are */
    uint64_t full_after_ms; /* rounded up */
    bool allowed;
};

struct gw_limit_decision {
    enum gw_limit_verdict verdict; /* NONE: no policy matched */
    unsigned count;
    struct gw_limit_outcome outcomes[GW_LIMIT_POLICIES_PER_REQUEST];
    unsigned shadow_refusals;
    uint64_t retry_after_ms; /* REFUSED: until all refusing policies could allow; else 0 */
    bool is_local;           /* Redis was away or late: this instance's own share decided, or on_redis_failure */
};

/* NULL when memory is out. */
struct gw_limiter *gw_limiter_create(const struct gw_config *config) GW_MUST_CHECK;
void gw_limiter_destroy(struct gw_limiter **limiter);
/* Decides now, by the local buckets; now_us is CLOCK_MONOTONIC. `misses`: ask the policies that count only misses
 * (before a fetch), else the others; the decision is then added to what *decision already holds, which begins
 * zeroed. Any thread. */
void gw_limiter_decide(struct gw_limiter *limiter, const struct gw_config *config,
                       const struct gw_limit_subject *subject, bool misses, uint64_t now_us,
                       struct gw_limit_decision *decision);
unsigned gw_limiter_clients(struct gw_limiter *limiter);

/* RateLimit-Policy, RateLimit (draft-ietf-httpapi-ratelimit-headers-11) and X-RateLimit-* lines, each with CRLF, as
 * the configuration says; Retry-After when REFUSED. X-RateLimit-* tell of the policy with the fewest tokens left (of
 * equals, one that refuses); its Reset is seconds until full. Shadow policies are not told of: they are for the
 * operator. upstream_ratelimit/_policy are a backend's own members (absent where it sent none; several lines joined
 * by commas): they come first and are put in any case, so the caller drops the originals. */
void gw_limit_put_fields(const struct gw_limit_decision *decision, const struct gw_config *config,
                         struct gw_slice upstream_ratelimit, struct gw_slice upstream_policy, struct gw_buffer *buffer);
/* The application/problem+json body of a 429 (RFC 9457): title, status, detail, violated-policies (those that refused),
 * request_id, and the type https://iana.org/assignments/http-problem-types#quota-exceeded. */
void gw_limit_put_problem(const struct gw_limit_decision *decision, struct gw_slice request_id,
                          struct gw_buffer *buffer);

#endif
