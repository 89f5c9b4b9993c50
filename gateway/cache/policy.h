/* policy.h: RFC 9111 for a shared cache, as questions about heads. Pure: time is an argument.
 *
 * Safe first: whatever is unclear is not stored and not reused, and what could not have been stored as the answer to a
 * request is not reused for it (so a request with Cookie does not get what was stored by the default TTL for one
 * without).
 *
 * Not in this version: revalidation (no-cache and stale answers are not stored), stale answers, ranges, heuristic
 * freshness by Last-Modified (the default TTL applies). */
#ifndef GW_CACHE_POLICY_H
#define GW_CACHE_POLICY_H

#include "http/directives.h"
#include "http/head.h"

struct gw_cache_rules {    /* of the route and configuration */
    int64_t default_ttl_s; /* where the response says nothing about freshness; 0: not stored then */
    bool with_credentials; /* the default TTL also where the request carried a credential */
    const struct gw_slice *credential_fields;
    unsigned credential_field_count;
};

/* What a request allows. */
struct gw_cache_request {
    /* GET or HEAD; no body, Range, If-Match, If-Unmodified-Since, Upgrade or method override. Else every may_… is
     * false. */
    bool is_candidate;
    bool may_look_up;    /* no-cache, no-store, Pragma, max-age=0: false */
    bool may_store;      /* no-store: false; HEAD: false */
    bool may_join;       /* a flight: GET that may look up and store, no Authorization, no only-if-cached */
    bool has_credential; /* Cookie, Authorization or a configured field */
    bool has_authorization;
    bool has_side_fields;       /* see cache/vary.h */
    bool default_ttl_applies;   /* by the rules: no credential, or with_credentials */
    bool only_if_cached;        /* on a miss the caller answers 504 (RFC 9111 §5.2.1.7) */
    int64_t max_age, min_fresh; /* GW_DIRECTIVE_ABSENT */
};

void gw_policy_read_request(struct gw_cache_request *request, const struct gw_head *head,
                            const struct gw_cache_rules *rules);

/* Why not stored; for logs, metrics and inspection. */
enum gw_cache_refusal {
    GW_CACHE_STORABLE,
    GW_CACHE_REQUEST_FORBIDS,
    GW_CACHE_STATUS,
    GW_CACHE_NO_STORE,
    GW_CACHE_PRIVATE,
    GW_CACHE_NO_CACHE,
    GW_CACHE_AUTHORIZATION,
    GW_CACHE_SET_COOKIE,
    GW_CACHE_VARY,       /* "*", or a field that this gateway writes itself; all others make variants */
    GW_CACHE_STALE,      /* no freshness left */
    GW_CACHE_CREDENTIAL, /* says nothing, and the request carried a credential */
    GW_CACHE_PARTIAL,    /* 206, Content-Range */
    GW_CACHE_TOO_LARGE,  /* the caller's */
    GW_CACHE_REFUSAL_COUNT
};
const char *gw_cache_refusal_name(enum gw_cache_refusal refusal);

struct gw_cache_life {   /* filled where storable */
    int64_t age_s;       /* corrected initial age when received (RFC 9111 §4.2.3) */
    int64_t freshness_s; /* lifetime */
    bool by_default;     /* from default_ttl_s */
};

/* May this response to this request be stored, and how long is it fresh? request_at/response_at: wall clock, seconds;
 * age counts the time on the wire. Never stores responses that would need revalidation at once. The response as the
 * backend sent it: Set-Cookie and Cache-Control must not have been dropped.
 *
 * Statuses (RFC 9111 §3, RFC 9110 §15.1): the default TTL alone stores 200, 203, 300, 301, 308 and 410; with "public"
 * also 204, 404, 405, 414 and 501, which RFC 9110 allows without it (a 404 that stays for 300 s surprises); stated
 * freshness stores every final one but 206, 304, 407, and 428, 429, 431 and 511, which RFC 6585 forbids. */
enum gw_cache_refusal gw_policy_may_store(const struct gw_cache_request *request, const struct gw_head *request_head,
                                          const struct gw_head *response, const struct gw_cache_rules *rules,
                                          int64_t request_at_s, int64_t response_at_s, struct gw_cache_life *life);

/* What a response's head says about reuse, read once. */
struct gw_cache_terms {
    bool is_shareable;      /* nothing in it forbids that another request gets it */
    bool for_authorization; /* also one with Authorization (RFC 9111 §3.5) */
    bool is_explicit;       /* it states its freshness itself */
    bool has_vary;
};
void gw_policy_read_terms(struct gw_cache_terms *terms, const struct gw_head *response);

/* May a stored (or just arriving) response answer this request now? Its Vary, the request's directives and credentials,
 * its age. The one function for stored responses and for readers of a flight. vary_values: the request fields that the
 * stored response was selected by, as a head with only those fields, made by gw_vary_select (NULL: Vary is absent, and
 * the request that fetched it had no side fields either). */
bool gw_policy_may_reuse(const struct gw_cache_request *request, const struct gw_head *request_head,
                         const struct gw_head *response, const struct gw_head *vary_values, int64_t age_s,
                         int64_t freshness_s);
/* The same, the response's head already read. */
bool gw_policy_may_reuse_by_terms(const struct gw_cache_request *request, const struct gw_head *request_head,
                                  const struct gw_cache_terms *terms, const struct gw_head *vary_values, int64_t age_s,
                                  int64_t freshness_s);

/* Is a client's conditional (If-None-Match by weak comparison, else If-Modified-Since) fulfilled by this 200 response:
 * answer 304? (RFC 9110 §13.1.2, §13.1.3, §13.2.2) Without Last-Modified, If-Modified-Since is not fulfilled. */
bool gw_policy_is_not_modified(const struct gw_head *request_head, const struct gw_head *response, int64_t now_s);

#endif
