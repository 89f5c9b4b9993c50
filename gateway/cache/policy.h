/* policy.h: RFC 9111 for a shared cache, as questions about heads. Pure: time is an argument.
 *
 * Safe first: whatever is unclear is not stored and not reused. */
#ifndef GW_CACHE_POLICY_H
#define GW_CACHE_POLICY_H

#include "http/directives.h"
#include "http/head.h"

struct gw_cache_rules { /* of the route and configuration */
    int64_t default_ttl_s;  /* where the response says nothing about freshness; 0: not stored then */
    bool with_credentials;  /* the default TTL also where the request carried a credential */
    const struct gw_slice *credential_fields;
    unsigned credential_field_count;
};

/* What a request allows. */
struct gw_cache_request {
    bool is_candidate;   /* GET or HEAD, no body: the cache is looked at, unless … */
    bool may_look_up;    /* no-cache, no-store, Pragma and the like: false */
    bool may_store;      /* no-store: false; HEAD and Range: false */
    bool may_join;       /* a flight: GET, no Range, no Authorization, no no-store, no no-cache, no body */
    bool has_credential; /* Cookie, Authorization or a configured field */
    bool has_authorization;
    bool only_if_cached;
    int64_t max_age, min_fresh; /* GW_DIRECTIVE_ABSENT */
};

void gw_policy_read_request(struct gw_cache_request *request, const struct gw_head *head, const struct gw_cache_rules *rules);

enum gw_cache_refusal { /* why not stored; for logs, metrics and inspection */
    GW_CACHE_STORABLE,
    GW_CACHE_REQUEST_FORBIDS,
    GW_CACHE_STATUS,
    GW_CACHE_NO_STORE,
    GW_CACHE_PRIVATE,
    GW_CACHE_NO_CACHE,
    GW_CACHE_AUTHORIZATION,
    GW_CACHE_SET_COOKIE,
    GW_CACHE_VARY,        /* embedded mode of this version: any Vary but one that only names Accept-Encoding is not stored … see policy.c */
    GW_CACHE_STALE,       /* no freshness left */
    GW_CACHE_CREDENTIAL,  /* says nothing, and the request carried a credential */
    GW_CACHE_PARTIAL,     /* 206, Content-Range */
    GW_CACHE_TOO_LARGE,
    GW_CACHE_REFUSAL_COUNT
};
const char *gw_cache_refusal_name(enum gw_cache_refusal refusal);

struct gw_cache_life { /* filled where storable */
    int64_t age_s;       /* corrected initial age when received (RFC 9111 §4.2.3) */
    int64_t freshness_s; /* lifetime */
    bool by_default;     /* from default_ttl_s */
};

/* May this response to this request be stored, and how long is it fresh? request_at/response_at: wall clock, seconds; age counts the time on
 * the wire. Never stores responses that would need revalidation at once. */
enum gw_cache_refusal gw_policy_may_store(const struct gw_cache_request *request, const struct gw_head *request_head,
                                          const struct gw_head *response, const struct gw_cache_rules *rules,
                                          int64_t request_at_s, int64_t response_at_s, struct gw_cache_life *life);

/* May a stored (or just arriving) response answer this request now? Its Vary, the request's directives and credentials, its age. The one
 * function for stored responses and for readers of a flight. vary_values: the request fields that the stored response was selected by, as
 * a head with only those fields (NULL: no Vary). */
bool gw_policy_may_reuse(const struct gw_cache_request *request, const struct gw_head *request_head, const struct gw_head *response,
                         const struct gw_head *vary_values, int64_t age_s, int64_t freshness_s);

/* Is a client's conditional (If-None-Match by weak comparison, else If-Modified-Since) fulfilled by this 200 response: answer 304?
 * (RFC 9110 §13.1.2, §13.1.3, §13.2.2) */
bool gw_policy_is_not_modified(const struct gw_head *request_head, const struct gw_head *response, int64_t now_s);

#endif
