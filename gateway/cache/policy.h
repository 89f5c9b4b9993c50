/* policy.h: RFC 9111 for a shared cache, as questions about heads. Pure: time is an argument.
 *
 * Safe first: whatever is unclear is not stored and not reused, and what could not have been stored as the answer to a
 * request is not reused for it (so a request with Cookie does not get what was stored by the default TTL, or by a
 * guess, for one without).
 *
 * Stored   What a response's head says is read once, when the response is stored, into `terms`. The terms travel with it
 *          (frame.h), so that a reuse does not parse its Cache-Control again. */
#ifndef GW_CACHE_POLICY_H
#define GW_CACHE_POLICY_H

#include "http/directives.h"
#include "http/field_set.h"
#include "http/head.h"
#include "telemetry/metrics.h"

struct gw_cache_rules {     /* of the route and configuration */
    int64_t default_ttl_s;  /* where the response says nothing about freshness, and nothing is guessed; 0: not then */
    int64_t override_ttl_s; /* the lifetime whatever the response states, where it may be stored; GW_DIRECTIVE_ABSENT */
    int64_t heuristic_max_s;   /* longest lifetime that is guessed from Last-Modified; 0: none is guessed */
    int64_t stale_if_error_s;  /* beside the response's own stale-if-error: the larger counts */
    int64_t keep_s;            /* how long one with a validator is kept, to be validated, when no longer fresh */
    bool with_credentials;     /* default TTL and guesses also where the request carried a credential */
    bool ignores_request;      /* what Cache-Control and Pragma of requests say */
    bool may_share_set_cookie; /* where the response says public, or s-maxage */
    const struct gw_field_set *credentials; /* fields that carry one, beside Cookie and Authorization; NULL: none */
    const struct gw_slice *targeted_fields; /* RFC 9213, as CDN-Cache-Control: the first that is there counts instead */
    unsigned targeted_field_count;
};

/* What a request allows. */
struct gw_cache_request {
    /* GET or HEAD; no body, If-Match, If-Unmodified-Since, Upgrade or method override. Else every may_… is false. */
    bool is_candidate;
    bool may_look_up;   /* no-store: false */
    bool must_validate; /* no-cache, Pragma, max-age=0: what is stored only once the backend confirms it */
    bool may_store;     /* no-store, HEAD, Range: false (with a Range the caller says true where it takes the whole) */
    /* May it share another request's fetch? It must be allowed to look up and to store, and must have no Authorization and
     * no only-if-cached. (A Range without must_validate reads along, but never leads.) With must_validate it shares only
     * a fetch that began after the request came. */
    bool may_join;
    bool is_range;       /* Range on GET: answered from a complete stored response; the backend's is stored if whole */
    bool has_credential; /* Cookie, Authorization or a field of the rules */
    bool has_authorization;
    bool has_side_fields;                  /* see cache/vary.h */
    bool default_ttl_applies;              /* by the rules: no credential, or with_credentials */
    bool only_if_cached;                   /* on a miss the caller answers 504 (RFC 9111 §5.2.1.7) */
    int64_t max_age, min_fresh, max_stale; /* GW_DIRECTIVE_ABSENT; max-stale without a value: GW_FRESHNESS_MAX_S */
};

void gw_policy_read_request(struct gw_cache_request *request, const struct gw_head *head,
                            const struct gw_cache_rules *rules);

/* Why not stored, by the list of telemetry/metrics.h, which has the words for metrics, log and Cache-Status. Of these the
 * caller's are METHOD, RULE, REQUEST_NO_STORE, RANGE, PRECONDITION (the request's, before anything is asked), TOO_LARGE,
 * ENDLESS and NO_ROOM. VARY: too many names, or none that is a name. */
enum gw_cache_refusal {
    GW_CACHE_STORABLE,
#define GW_CACHE_REFUSAL_ENUM(NAME, label, word, sentence) GW_CACHE_##NAME,
    GW_NOT_STORED_REASONS(GW_CACHE_REFUSAL_ENUM)
#undef GW_CACHE_REFUSAL_ENUM
        GW_CACHE_REFUSAL_COUNT
};

/* Why is the cache not asked for this request, or its answer not stored? STORABLE where it may be. */
enum gw_cache_refusal gw_policy_request_refusal(const struct gw_cache_request *request, const struct gw_head *head);

/* What a stored response allows, read once. */
struct gw_cache_terms {
    bool for_authorization; /* also a request with Authorization (RFC 9111 §3.5) */
    bool is_explicit;       /* it states its freshness itself */
    bool must_validate;     /* no-cache: never without validation */
    bool no_stale;         /* must-revalidate, proxy-revalidate, s-maxage: never when stale, but by max-stale's refusal,
                               too (RFC 9111 §5.2.2.2, §5.2.2.8, §5.2.2.10) */
    bool has_validator;    /* one ETag, or one Last-Modified that is a date */
    bool keeps_set_cookie; /* its Set-Cookie may be shared */
    int64_t stale_while_revalidate_s, stale_if_error_s; /* 0: not */
    int64_t window_s; /* how long it is of use when no longer fresh: the longest of these two and keep (with a
                         validator) */
};

struct gw_cache_life {   /* filled where storable */
    int64_t age_s;       /* corrected initial age when received (RFC 9111 §4.2.3) */
    int64_t freshness_s; /* lifetime; may be <= age_s where a validator makes it of use */
    struct gw_cache_terms terms;
};

/* May this response to this request be stored, and how long is it fresh? request_at/response_at: wall clock, seconds;
 * age counts the time on the wire. The response as the backend sent it: Set-Cookie and Cache-Control must not have been
 * dropped.
 *
 * Statuses (RFC 9111 §3, RFC 9110 §15.1): the default TTL stores 200, 203, 300, 301, 308 and 410; a guess by
 * Last-Modified also 204, 404, 405, 414 and 501 ("public" too: then the default TTL is theirs); stated freshness every
 * final one but 206, 304, 407, and 428, 429, 431 and 511, which RFC 6585 forbids. */
enum gw_cache_refusal gw_policy_may_store(const struct gw_cache_request *request, const struct gw_head *request_head,
                                          const struct gw_head *response, const struct gw_cache_rules *rules,
                                          int64_t request_at_s, int64_t response_at_s, struct gw_cache_life *life);

/* What a stored (or just arriving) response is to a request at this moment; in the order of their worth. */
enum gw_reuse {
    GW_REUSE_NO,           /* another variant, or nothing for this request at all */
    GW_REUSE_VALIDATED,    /* once the backend has confirmed it */
    GW_REUSE_REVALIDATING, /* at once, though stale, while it is refreshed (stale-while-revalidate, RFC 5861 §3) */
    GW_REUSE_STALE,        /* at once, though stale: the client accepts it (max-stale) */
    GW_REUSE_FRESH,
};

/* Its Vary, the request's directives and credentials, its age. The one function for stored responses and for readers of
 * a fetch. selection: the request fields that the stored response was selected by (cache/vary.h; none: count 0). For
 * one that was softly purged give its age as freshness_s: stale as of now. */
enum gw_reuse gw_policy_reuse(const struct gw_cache_request *request, const struct gw_head *request_head,
                              const struct gw_cache_terms *terms, const struct gw_head *selection, int64_t age_s,
                              int64_t freshness_s);
/* What the request still asks of an answer that the backend was asked for after the request came: no-cache and
 * max-age=0 have what they want. */
static inline struct gw_cache_request gw_policy_once_confirmed(const struct gw_cache_request *request)
{
    struct gw_cache_request confirmed = *request;
    confirmed.must_validate = false;
    if (confirmed.max_age == 0)
        confirmed.max_age = GW_DIRECTIVE_ABSENT;
    return confirmed;
}
/* What says nothing of its freshness is not for requests with a credential; nor, most likely, is what these are
 * answered for sharing: they need not wait for each other. */
static inline bool gw_policy_is_not_personal(const struct gw_cache_terms *terms, const struct gw_cache_request *request)
{
    return !terms->is_explicit && !request->default_ttl_applies;
}
/* One that is VALIDATED for this request: may it answer where the backend cannot be asked, or answers 500, 502, 503 or
 * 504 (RFC 5861 §4, RFC 9111 §4.2.4)? */
bool gw_policy_may_answer_on_error(const struct gw_cache_request *request, const struct gw_cache_terms *terms,
                                   int64_t age_s, int64_t freshness_s);

/* Is a client's conditional (If-None-Match by weak comparison, else If-Modified-Since) fulfilled by this 200 response:
 * answer 304? (RFC 9110 §13.1.2, §13.1.3, §13.2.2; without Last-Modified its Date counts, RFC 9111 §4.3.2) */
bool gw_policy_is_not_modified(const struct gw_head *request_head, const struct gw_head *response, int64_t now_s);

/* May a 304's (or a HEAD's 200) head update this stored one (RFC 9111 §4.3.4, §4.3.5)? Validators that both have must
 * agree, ETag by weak comparison; for HEAD Content-Length, too. */
bool gw_policy_may_update(const struct gw_head *stored, size_t stored_body_bytes, const struct gw_head *update);

#endif
