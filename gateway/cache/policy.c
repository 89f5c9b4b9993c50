#include "cache/policy.h"

#include "cache/freshness.h"
#include "cache/vary.h"
#include "http/date.h"

/* --- what a request allows --- */

static bool has_credential(const struct gw_head *head, const struct gw_cache_rules *rules)
{
    if (gw_head_find(head, GW_FIELD_COOKIE) || gw_head_find(head, GW_FIELD_AUTHORIZATION))
        return true;
    for (unsigned i = 0; i < rules->credential_field_count; i++)
        if (gw_head_find_named(head, rules->credential_fields[i]))
            return true;
    return false;
}

/* A precondition that answers 412 is the backend's to evaluate, and a tunnel has no stored answer. An override makes
 * something else of a GET. */
static bool is_candidate(const struct gw_head *head)
{
    static const enum gw_field_name strangers[] = { GW_FIELD_RANGE,
                                                    GW_FIELD_IF_MATCH,
                                                    GW_FIELD_IF_UNMODIFIED_SINCE,
                                                    GW_FIELD_X_HTTP_METHOD,
                                                    GW_FIELD_X_HTTP_METHOD_OVERRIDE,
                                                    GW_FIELD_X_METHOD_OVERRIDE };
    if (head->method != GW_METHOD_GET && head->method != GW_METHOD_HEAD)
        return false;
    if (head->framing != GW_FRAMING_NONE && !(head->framing == GW_FRAMING_LENGTH && head->content_length == 0))
        return false;
    for (size_t i = 0; i < GW_COUNT(strangers); i++)
        if (gw_head_find(head, strangers[i]))
            return false;
    return !head->wants_upgrade;
}

void gw_policy_read_request(struct gw_cache_request *request, const struct gw_head *head,
                            const struct gw_cache_rules *rules)
{
    struct gw_directives directives;
    *request = (struct gw_cache_request) { .max_age = GW_DIRECTIVE_ABSENT, .min_fresh = GW_DIRECTIVE_ABSENT };
    request->has_authorization = gw_head_find(head, GW_FIELD_AUTHORIZATION) != NULL;
    request->has_credential = has_credential(head, rules);
    request->has_side_fields = gw_vary_has_side_fields(head);
    request->default_ttl_applies = rules->with_credentials || !request->has_credential;
    request->is_candidate = is_candidate(head);
    if (!request->is_candidate)
        return;

    gw_directives_read(&directives, head, true);
    request->max_age = directives.max_age;
    request->min_fresh = directives.min_fresh;
    request->only_if_cached = directives.only_if_cached;
    /* max-age=0 is how a browser says "reload": any stored answer is older, if only by a fraction of a second (RFC 9111
     * §5.2.1.1). */
    request->may_look_up = !directives.no_store && !directives.no_cache && !directives.no_cache_fields &&
                           directives.max_age != 0;
    request->may_store = !directives.no_store && head->method == GW_METHOD_GET;
    request->may_join = request->may_look_up && request->may_store && !request->has_authorization &&
                        !request->only_if_cached;
}

/* --- what a response allows --- */

const char *gw_cache_refusal_name(enum gw_cache_refusal refusal)
{
    static const char *const names[GW_CACHE_REFUSAL_COUNT] = {
        [GW_CACHE_STORABLE] = "storable",
        [GW_CACHE_REQUEST_FORBIDS] = "request_forbids",
        [GW_CACHE_STATUS] = "status",
        [GW_CACHE_NO_STORE] = "no_store",
        [GW_CACHE_PRIVATE] = "private",
        [GW_CACHE_NO_CACHE] = "no_cache",
        [GW_CACHE_AUTHORIZATION] = "authorization",
        [GW_CACHE_SET_COOKIE] = "set_cookie",
        [GW_CACHE_VARY] = "vary",
        [GW_CACHE_STALE] = "stale",
        [GW_CACHE_CREDENTIAL] = "credential",
        [GW_CACHE_PARTIAL] = "partial",
        [GW_CACHE_TOO_LARGE] = "too_large",
    };
    return (unsigned)refusal < GW_CACHE_REFUSAL_COUNT ? names[refusal] : "unknown";
}

enum status_class { /* each may do what those before it may */
                    STATUS_NEVER,
                    STATUS_EXPLICIT,  /* stored where its freshness is stated */
                    STATUS_HEURISTIC, /* RFC 9110 §15.1: also where it says "public" */
                    STATUS_DEFAULT,   /* also where it says nothing */
};

static enum status_class status_class(int status)
{
    switch (status) {
    case 200:
    case 203:
    case 300:
    case 301:
    case 308:
    case 410:
        return STATUS_DEFAULT;
    case 204:
    case 404:
    case 405:
    case 414:
    case 501:
        return STATUS_HEURISTIC;
    case 206: /* ranges are a later version's */
    case 304: /* no answer, but news of one */
    case 407: /* its challenge is hop-by-hop */
    case 428: /* RFC 6585 §3 to §6: must not be stored */
    case 429:
    case 431:
    case 511:
        return STATUS_NEVER;
    default:
        return status >= 200 && status <= 599 ? STATUS_EXPLICIT : STATUS_NEVER;
    }
}

/* Statuses whose caching this cache knows to the end, for must-understand (RFC 9111 §5.2.2.3). */
static bool is_understood(int status)
{
    return status_class(status) >= STATUS_HEURISTIC || status == 302 || status == 307;
}

/* Old backends say it that way, though RFC 9111 §5.4 gives it no meaning in a response. */
static bool has_pragma_no_cache(const struct gw_head *response)
{
    return gw_head_has_token(response, GW_FIELD_PRAGMA, GW_SLICE("no-cache"));
}

static enum gw_cache_refusal refuse_status(const struct gw_head *response, const struct gw_directives *directives,
                                           bool is_explicit)
{
    enum status_class class = status_class(response->status);
    if (response->status == 206 || gw_head_find(response, GW_FIELD_CONTENT_RANGE))
        return GW_CACHE_PARTIAL;
    if (class == STATUS_NEVER || (directives->must_understand && !is_understood(response->status)))
        return GW_CACHE_STATUS;
    if (!is_explicit && class < (directives->is_public ? STATUS_HEURISTIC : STATUS_DEFAULT))
        return GW_CACHE_STATUS;
    return GW_CACHE_STORABLE;
}

/* What the response alone forbids, whoever asked. */
static enum gw_cache_refusal refuse_response(const struct gw_head *response, const struct gw_directives *directives,
                                             bool is_explicit)
{
    /* RFC 9111 §5.2.2.3: beside must-understand, no-store speaks to caches that don't know the status; then
     * refuse_status says no. */
    if (directives->no_store && !directives->must_understand)
        return GW_CACHE_NO_STORE;
    /* Qualified forms too: leaving out the named fields is allowed (§5.2.2.7), leaving out the answer is safe. */
    if (directives->is_private || directives->private_fields)
        return GW_CACHE_PRIVATE;
    if (directives->no_cache || directives->no_cache_fields || (!is_explicit && has_pragma_no_cache(response)))
        return GW_CACHE_NO_CACHE;
    if (gw_head_find(response, GW_FIELD_SET_COOKIE))
        return GW_CACHE_SET_COOKIE;
    if (gw_vary_is_any(response))
        return GW_CACHE_VARY;
    return refuse_status(response, directives, is_explicit);
}

static bool is_for_authorization(const struct gw_directives *directives)
{
    return directives->is_public || directives->must_revalidate || directives->s_maxage != GW_DIRECTIVE_ABSENT;
}

enum gw_cache_refusal gw_policy_may_store(const struct gw_cache_request *request, const struct gw_head *request_head,
                                          const struct gw_head *response, const struct gw_cache_rules *rules,
                                          int64_t request_at_s, int64_t response_at_s, struct gw_cache_life *life)
{
    struct gw_directives directives;
    if (!request->is_candidate || !request->may_store || request_head->method != GW_METHOD_GET)
        return GW_CACHE_REQUEST_FORBIDS;
    gw_directives_read(&directives, response, false);
    bool is_explicit = gw_freshness_is_explicit(response, &directives);
    enum gw_cache_refusal refusal = refuse_response(response, &directives, is_explicit);
    if (refusal != GW_CACHE_STORABLE)
        return refusal;
    if (request->has_authorization && !is_for_authorization(&directives))
        return GW_CACHE_AUTHORIZATION;
    if (!is_explicit && !request->default_ttl_applies)
        return GW_CACHE_CREDENTIAL;

    *life = (struct gw_cache_life) {
        .age_s = gw_freshness_age_s(response, request_at_s, response_at_s),
        .freshness_s = is_explicit ? gw_freshness_lifetime_s(response, &directives, response_at_s)
                                   : rules->default_ttl_s,
        .by_default = !is_explicit,
    };
    return life->age_s < life->freshness_s ? GW_CACHE_STORABLE : GW_CACHE_STALE;
}

void gw_policy_read_terms(struct gw_cache_terms *terms, const struct gw_head *response)
{
    struct gw_directives directives;
    gw_directives_read(&directives, response, false);
    terms->is_explicit = gw_freshness_is_explicit(response, &directives);
    terms->is_shareable = refuse_response(response, &directives, terms->is_explicit) == GW_CACHE_STORABLE;
    terms->for_authorization = is_for_authorization(&directives);
    terms->has_vary = gw_vary_is_present(response);
}

/* --- may it be reused? --- */

bool gw_policy_may_reuse_by_terms(const struct gw_cache_request *request, const struct gw_head *request_head,
                                  const struct gw_cache_terms *terms, const struct gw_head *vary_values, int64_t age_s,
                                  int64_t freshness_s)
{
    if (!request->may_look_up || !terms->is_shareable || age_s >= freshness_s)
        return false;
    if (request->has_authorization && !terms->for_authorization)
        return false;
    if (!terms->is_explicit && !request->default_ttl_applies)
        return false;
    if (request->max_age != GW_DIRECTIVE_ABSENT && age_s > request->max_age)
        return false;
    if (request->min_fresh != GW_DIRECTIVE_ABSENT && freshness_s - age_s < request->min_fresh)
        return false;
    if (!vary_values)
        return !terms->has_vary && !request->has_side_fields;
    return gw_vary_matches(vary_values, request_head, request->has_side_fields);
}

bool gw_policy_may_reuse(const struct gw_cache_request *request, const struct gw_head *request_head,
                         const struct gw_head *response, const struct gw_head *vary_values, int64_t age_s,
                         int64_t freshness_s)
{
    struct gw_cache_terms terms;
    gw_policy_read_terms(&terms, response);
    return gw_policy_may_reuse_by_terms(request, request_head, &terms, vary_values, age_s, freshness_s);
}

/* --- conditionals --- */

/* The next entity-tag of a list, without W/ (weak comparison, RFC 9110 §8.8.3.2). Not the list reader for quoted
 * strings: in a tag a backslash escapes nothing. False at the end, or at what is no tag: then *rest is not empty. */
static bool next_tag(struct gw_slice *rest, struct gw_slice *tag)
{
    const char *at = rest->at, *end = rest->at + rest->length;
    while (at < end && (*at == ',' || *at == ' ' || *at == '\t'))
        at++;
    *rest = gw_slice_of(at, (size_t)(end - at));
    if (end - at > 2 && at[0] == 'W' && at[1] == '/')
        at += 2;
    if (at == end || *at != '"')
        return false;
    const char *close = memchr(at + 1, '"', (size_t)(end - at - 1));
    if (!close)
        return false;
    *tag = gw_slice_of(at, (size_t)(close + 1 - at));
    *rest = gw_slice_of(close + 1, (size_t)(end - close - 1));
    return true;
}

static bool read_etag(const struct gw_head *response, struct gw_slice *tag)
{
    const struct gw_field *field = gw_head_find(response, GW_FIELD_ETAG);
    if (!field || field->value.length == 0 || gw_head_find_next(response, field))
        return false;
    struct gw_slice rest = field->value;
    return next_tag(&rest, tag) && rest.length == 0;
}

static bool names_tag(const struct gw_head *request_head, const struct gw_field *first, const struct gw_head *response)
{
    struct gw_slice own, theirs;
    bool has_own = read_etag(response, &own);
    for (const struct gw_field *field = first; field; field = gw_head_find_next(request_head, field)) {
        struct gw_slice rest = field->value;
        if (gw_slice_equal(rest, GW_SLICE("*")))
            return true;
        while (has_own && rest.length && next_tag(&rest, &theirs))
            if (gw_slice_equal(own, theirs))
                return true;
    }
    return false;
}

static bool is_unmodified_since(const struct gw_head *request_head, const struct gw_head *response, int64_t now_s)
{
    const struct gw_field *since = gw_head_find(request_head, GW_FIELD_IF_MODIFIED_SINCE);
    const struct gw_field *modified = gw_head_find(response, GW_FIELD_LAST_MODIFIED);
    int64_t since_s = 0, modified_s = 0;
    if (!since || !modified || gw_head_find_next(request_head, since) || gw_head_find_next(response, modified))
        return false;
    return gw_date_parse(since->value, now_s, &since_s) && gw_date_parse(modified->value, now_s, &modified_s) &&
           modified_s <= since_s;
}

bool gw_policy_is_not_modified(const struct gw_head *request_head, const struct gw_head *response, int64_t now_s)
{
    if (response->status != 200 || (request_head->method != GW_METHOD_GET && request_head->method != GW_METHOD_HEAD))
        return false;
    const struct gw_field *none_match = gw_head_find(request_head, GW_FIELD_IF_NONE_MATCH);
    return none_match ? names_tag(request_head, none_match, response)
                      : is_unmodified_since(request_head, response, now_s);
}
