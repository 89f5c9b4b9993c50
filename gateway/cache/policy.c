#include "cache/policy.h"

#include "cache/freshness.h"
#include "cache/vary.h"
#include "http/date.h"

/* --- entity-tags --- */

/* Tags are compared weakly (RFC 9110 §8.8.3.2). */
static struct gw_slice policy_without_weak(struct gw_slice tag)
{
    bool is_weak = tag.length > 2 && tag.at[0] == 'W' && tag.at[1] == '/';
    return is_weak ? gw_slice_of(tag.at + 2, tag.length - 2) : tag;
}

/* The next entity-tag of a list, without W/. Not the list reader for quoted strings: in a tag a backslash escapes
 * nothing. What has no quotes, which careless backends send and their clients repeat, goes to the next comma. False at
 * the end. */
static bool policy_next_tag(struct gw_slice *rest, struct gw_slice *tag)
{
    const char *at = rest->at, *end = rest->at + rest->length;
    while (at < end && (*at == ',' || *at == ' ' || *at == '\t'))
        at++;
    struct gw_slice text = policy_without_weak(gw_slice_of(at, (size_t)(end - at)));
    if (text.length == 0)
        return false;
    const char *close = text.at[0] == '"' ? memchr(text.at + 1, '"', text.length - 1) : NULL;
    const char *comma = memchr(text.at, ',', text.length), *stop = close ? close + 1 : comma ? comma : end;
    *tag = gw_slice_trim(gw_slice_of(text.at, (size_t)(stop - text.at)));
    *rest = gw_slice_of(stop, (size_t)(end - stop));
    return true;
}

/* As it came, but for W/. "*" would ask for whatever there is. */
static bool policy_read_etag(const struct gw_head *response, struct gw_slice *tag)
{
    const struct gw_field *field = gw_head_find(response, GW_FIELD_ETAG);
    if (!field || field->value.length == 0 || gw_head_find_next(response, field))
        return false;
    *tag = policy_without_weak(field->value);
    return !gw_slice_equal(*tag, GW_SLICE("*"));
}

/* --- what a request allows --- */

static bool policy_has_credential(const struct gw_head *head, const struct gw_cache_rules *rules)
{
    if (gw_head_find(head, GW_FIELD_COOKIE) || gw_head_find(head, GW_FIELD_AUTHORIZATION))
        return true;
    for (unsigned i = 0; rules->credentials && i < head->count; i++)
        if (!head->fields[i].dropped && gw_field_set_has(rules->credentials, &head->fields[i]))
            return true;
    return false;
}

/* A precondition that answers 412 is the backend's to evaluate, and a tunnel has no stored answer. An override makes
 * something else of a GET. */
static bool policy_is_candidate(const struct gw_head *head)
{
    static const enum gw_field_name strangers[] = { GW_FIELD_IF_MATCH, GW_FIELD_IF_UNMODIFIED_SINCE,
                                                    GW_FIELD_X_HTTP_METHOD, GW_FIELD_X_HTTP_METHOD_OVERRIDE,
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
    static const struct gw_head nothing;
    struct gw_directives directives;
    *request = (struct gw_cache_request) { .max_age = GW_DIRECTIVE_ABSENT,
                                           .min_fresh = GW_DIRECTIVE_ABSENT,
                                           .max_stale = GW_DIRECTIVE_ABSENT };
    request->has_authorization = gw_head_find(head, GW_FIELD_AUTHORIZATION) != NULL;
    request->has_credential = policy_has_credential(head, rules);
    request->has_side_fields = gw_vary_has_side_fields(head);
    request->default_ttl_applies = rules->with_credentials || !request->has_credential;
    request->is_candidate = policy_is_candidate(head);
    if (!request->is_candidate)
        return;

    gw_directives_read(&directives, rules->ignores_request ? &nothing : head, true);
    request->max_age = directives.max_age;
    request->min_fresh = directives.min_fresh;
    request->max_stale = directives.max_stale;
    if (directives.max_stale == GW_DIRECTIVE_ABSENT && directives.max_stale_any)
        request->max_stale = GW_FRESHNESS_MAX_S;
    request->only_if_cached = directives.only_if_cached;
    /* RFC 9110 §14.2: Range means nothing to HEAD. */
    request->is_range = head->method == GW_METHOD_GET && gw_head_find(head, GW_FIELD_RANGE);
    request->may_look_up = !directives.no_store;
    /* max-age=0 is how a browser says "reload": any stored answer is older, if only by a fraction of a second (RFC 9111
     * §5.2.1.1). */
    request->must_validate = directives.no_cache || directives.no_cache_fields || directives.max_age == 0;
    request->may_store = !directives.no_store && head->method == GW_METHOD_GET && !request->is_range;
    bool reads_along = request->is_range && !request->must_validate;
    request->may_join = request->may_look_up && (request->may_store || reads_along) && !request->has_authorization &&
                        !request->only_if_cached;
}

enum gw_cache_refusal gw_policy_request_refusal(const struct gw_cache_request *request, const struct gw_head *head)
{
    if (head->method != GW_METHOD_GET && head->method != GW_METHOD_HEAD)
        return GW_CACHE_METHOD;
    if (!request->is_candidate) {
        bool is_conditional = gw_head_find(head, GW_FIELD_IF_MATCH) || gw_head_find(head, GW_FIELD_IF_UNMODIFIED_SINCE);
        return is_conditional ? GW_CACHE_PRECONDITION : GW_CACHE_REQUEST_FORBIDS;
    }
    if (!request->may_look_up)
        return GW_CACHE_REQUEST_NO_STORE;
    return request->may_store || request->is_range ? GW_CACHE_STORABLE : GW_CACHE_METHOD;
}

/* --- what a response allows --- */

/* Each may do what those before it may. */
enum status_class {
    STATUS_NEVER,
    STATUS_EXPLICIT,  /* stored where its freshness is stated */
    STATUS_HEURISTIC, /* RFC 9110 §15.1: also by a guess, or where it says "public" */
    STATUS_DEFAULT,   /* also where it says nothing */
};

static enum status_class policy_status_class(int status)
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
    case 206: /* parts are not put together */
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

/* Statuses whose caching this cache knows to the end, for must-understand (RFC 9111 §5.2.2.3): those that RFC 9110 §15
 * defines, but 416, which is about a range. */
static bool policy_is_understood(int status)
{
    if (status == 305 || status == 306 || status == 407 || status == 416 || status == 418)
        return false;
    return (status >= 200 && status <= 205) || (status >= 300 && status <= 308 && status != 304) ||
           (status >= 400 && status <= 417) || status == 421 || status == 422 || status == 426 ||
           (status >= 500 && status <= 505);
}

/* What its head says, read for one decision. */
struct reading {
    const struct gw_head *response;
    const struct gw_cache_rules *rules;
    struct gw_directives directives;
    bool is_explicit;           /* it states its freshness itself */
    bool may_guess;             /* by Last-Modified */
    bool must_validate;         /* no-cache */
    int64_t foreign_lifetime_s; /* where it does not: what it says to other caches; 0: not to store */
};

/* Fields in which backends speak to other shared caches: nginx, Varnish, LiteSpeed, CDNs. */
static const struct gw_slice foreign_fields[] = {
    { "Surrogate-Control", 17 },         { "CDN-Cache-Control", 17 },        { "Cloudflare-CDN-Cache-Control", 28 },
    { "Netlify-CDN-Cache-Control", 25 }, { "Vercel-CDN-Cache-Control", 24 }, { "X-LiteSpeed-Cache-Control", 25 },
};

static int64_t policy_smaller_of_stated(int64_t a, int64_t b)
{
    return b == GW_DIRECTIVE_ABSENT || (a != GW_DIRECTIVE_ABSENT && a < b) ? a : b;
}

/* Seconds, or @ and a moment, as nginx reads it; what is neither permits nothing. */
static int64_t policy_accel_expires_s(const struct gw_head *response, int64_t response_at_s)
{
    const struct gw_field *field = gw_head_find_named(response, GW_SLICE("X-Accel-Expires"));
    if (!field)
        return GW_DIRECTIVE_ABSENT;
    bool is_moment = field->value.length > 0 && field->value.at[0] == '@';
    uint64_t number = 0;
    if (!gw_slice_to_uint64(gw_slice_of(field->value.at + is_moment, field->value.length - is_moment), &number))
        return 0;
    int64_t seconds = number > INT64_MAX ? INT64_MAX : (int64_t)number;
    return !is_moment ? seconds : seconds > response_at_s ? seconds - response_at_s : 0;
}

static bool policy_is_obeyed(const struct gw_cache_rules *rules, struct gw_slice name)
{
    for (unsigned i = 0; i < rules->targeted_field_count; i++)
        if (gw_slice_equal_nocase(rules->targeted_fields[i], name))
            return true;
    return false;
}

static int64_t policy_foreign_field_s(const struct gw_head *response, struct gw_slice name)
{
    struct gw_directives said;
    gw_directives_read_one_targeted(&said, response, name);
    if (said.no_store || said.no_cache || said.is_private)
        return 0;
    return policy_smaller_of_stated(said.s_maxage, said.max_age);
}

/* What the backend says to other shared caches is not obeyed here unless cache.targeted_fields names that field. But a
 * backend that says it is not silent, so no lifetime longer than that is made up: 0, where it forbids to store. */
static int64_t policy_foreign_lifetime_s(const struct gw_head *response, const struct gw_cache_rules *rules,
                                         int64_t response_at_s)
{
    int64_t least_s = policy_accel_expires_s(response, response_at_s);
    for (size_t i = 0; i < GW_COUNT(foreign_fields); i++)
        if (gw_head_find_named(response, foreign_fields[i]) && !policy_is_obeyed(rules, foreign_fields[i]))
            least_s = policy_smaller_of_stated(least_s, policy_foreign_field_s(response, foreign_fields[i]));
    return least_s;
}

static struct reading policy_read_response(const struct gw_head *response, const struct gw_cache_rules *rules,
                                           int64_t response_at_s)
{
    struct reading reading = { .response = response, .rules = rules };
    struct gw_directives *directives = &reading.directives;
    gw_directives_read_targeted(directives, response, rules->targeted_fields, rules->targeted_field_count);
    reading.is_explicit = gw_freshness_is_explicit(response, directives);
    reading.may_guess = !reading.is_explicit && rules->heuristic_max_s > 0 &&
                        gw_freshness_has_last_modified(response, response_at_s);
    /* Old backends say Pragma, though RFC 9111 §5.4 gives it no meaning in a response. */
    reading.must_validate = directives->no_cache || (!reading.is_explicit && !directives->is_targeted &&
                                                     gw_directives_pragma_no_cache(response));
    bool is_forbidden = directives->is_private || (directives->no_store && !directives->must_understand);
    bool is_settled = reading.is_explicit || is_forbidden;
    reading.foreign_lifetime_s = is_settled ? GW_DIRECTIVE_ABSENT
                                            : policy_foreign_lifetime_s(response, rules, response_at_s);
    return reading;
}

/* A malformed number permits nothing. */
static bool policy_has_s_maxage(const struct gw_directives *directives)
{
    return directives->s_maxage != GW_DIRECTIVE_ABSENT && !directives->has_malformed;
}

/* Beside a targeted field, Cache-Control was not read yet. */
static bool policy_names_field(const struct reading *reading, struct gw_slice name)
{
    const struct gw_directives *directives = &reading->directives;
    return (directives->is_targeted || directives->no_cache_fields || directives->private_fields) &&
           gw_directives_name_field(reading->response, name);
}

static bool policy_may_share_set_cookie(const struct reading *reading)
{
    const struct gw_directives *directives = &reading->directives;
    return reading->rules->may_share_set_cookie && (directives->is_public || policy_has_s_maxage(directives));
}

static enum gw_cache_refusal policy_refuse_status(const struct reading *reading)
{
    int status = reading->response->status;
    bool is_public = reading->directives.is_public;
    enum status_class class = policy_status_class(status), least;
    if (status == 206)
        return GW_CACHE_PARTIAL;
    if (class == STATUS_NEVER || (reading->directives.must_understand && !policy_is_understood(status)))
        return GW_CACHE_STATUS;
    if (reading->is_explicit)
        least = STATUS_EXPLICIT;
    else if (reading->directives.is_unclear) /* it was about to say something else than the default */
        return GW_CACHE_UNPARSABLE;
    else if (reading->may_guess) /* RFC 9111 §4.2.2 */
        least = is_public ? STATUS_EXPLICIT : STATUS_HEURISTIC;
    else
        least = is_public ? STATUS_HEURISTIC : STATUS_DEFAULT;
    return class < least ? GW_CACHE_NO_FRESHNESS : GW_CACHE_STORABLE;
}

/* What the response forbids for every request. */
static enum gw_cache_refusal policy_refuse_response(const struct reading *reading)
{
    const struct gw_directives *directives = &reading->directives;
    /* RFC 9111 §5.2.2.3: beside must-understand, no-store speaks to caches that don't know the status; then
     * refuse_status says no. */
    if (directives->no_store && !directives->must_understand)
        return GW_CACHE_NO_STORE;
    if (directives->is_private)
        return GW_CACHE_PRIVATE;
    /* no-cache="set-cookie" or private="set-cookie": the response is stored without it. */
    if (gw_head_find(reading->response, GW_FIELD_SET_COOKIE) && !policy_may_share_set_cookie(reading) &&
        (directives->is_targeted || !policy_names_field(reading, GW_SLICE("set-cookie"))))
        return GW_CACHE_SET_COOKIE;
    enum gw_vary_limit limit = gw_vary_limit(reading->response);
    if (limit)
        return limit == GW_VARY_ANY ? GW_CACHE_VARY_ANY : limit == GW_VARY_OWN ? GW_CACHE_VARY_OWN : GW_CACHE_VARY;
    return policy_refuse_status(reading);
}

static bool policy_is_for_authorization(const struct gw_directives *directives)
{
    return directives->is_public || (directives->must_revalidate && !directives->is_unclear) ||
           policy_has_s_maxage(directives);
}

static enum gw_cache_refusal policy_refuse(const struct gw_cache_request *request, const struct reading *reading)
{
    enum gw_cache_refusal refusal = policy_refuse_response(reading);
    if (refusal != GW_CACHE_STORABLE)
        return refusal;
    if (request->has_authorization && !policy_is_for_authorization(&reading->directives))
        return GW_CACHE_AUTHORIZATION;
    /* The route's override of the lifetime, too, leaves it open whether the backend forgot "private". */
    if (!reading->is_explicit && !request->default_ttl_applies)
        return GW_CACHE_CREDENTIAL;
    if (reading->foreign_lifetime_s == 0)
        return GW_CACHE_NO_STORE;
    return GW_CACHE_STORABLE;
}

static int64_t policy_lifetime_s(const struct reading *reading, int64_t age_s, int64_t response_at_s)
{
    const struct gw_cache_rules *rules = reading->rules;
    if (rules->override_ttl_s != GW_DIRECTIVE_ABSENT)
        return age_s + rules->override_ttl_s;
    if (reading->is_explicit)
        return gw_freshness_lifetime_s(reading->response, &reading->directives, response_at_s);
    int64_t guess_s = rules->default_ttl_s;
    if (reading->may_guess)
        guess_s = gw_freshness_guess_s(reading->response, response_at_s, rules->heuristic_max_s);
    return policy_smaller_of_stated(guess_s, reading->foreign_lifetime_s);
}

static int64_t policy_larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static struct gw_cache_terms policy_terms_of(const struct reading *reading, const struct gw_cache_life *life,
                                             int64_t response_at_s)
{
    const struct gw_directives *directives = &reading->directives;
    const struct gw_cache_rules *rules = reading->rules;
    /* A validator that no-cache="…" names does not stay with what is stored. */
    struct gw_slice tag;
    bool has_tag = policy_read_etag(reading->response, &tag) && !policy_names_field(reading, GW_SLICE("etag"));
    bool has_date = !has_tag && gw_freshness_has_last_modified(reading->response, response_at_s) &&
                    !policy_names_field(reading, GW_SLICE("last-modified"));
    struct gw_cache_terms terms = {
        .for_authorization = policy_is_for_authorization(directives),
        .is_explicit = reading->is_explicit,
        .must_validate = reading->must_validate,
        .no_stale = directives->must_revalidate || directives->proxy_revalidate || reading->must_validate ||
                    directives->s_maxage != GW_DIRECTIVE_ABSENT,
        .has_validator = has_tag || has_date,
        .keeps_set_cookie = policy_may_share_set_cookie(reading),
    };
    if (!terms.no_stale) {
        terms.stale_while_revalidate_s = policy_larger(directives->stale_while_revalidate, 0);
        terms.stale_if_error_s = policy_larger(directives->stale_if_error, rules->stale_if_error_s);
    }
    terms.window_s = policy_larger(terms.stale_while_revalidate_s, terms.stale_if_error_s);
    /* A response that is stale when it comes is kept as long as one that becomes stale here. */
    if (terms.has_validator && rules->keep_s > 0)
        terms.window_s = policy_larger(terms.window_s,
                                       rules->keep_s + policy_larger(life->age_s - life->freshness_s, 0));
    return terms;
}

enum gw_cache_refusal gw_policy_may_store(const struct gw_cache_request *request, const struct gw_head *request_head,
                                          const struct gw_head *response, const struct gw_cache_rules *rules,
                                          int64_t request_at_s, int64_t response_at_s, struct gw_cache_life *life)
{
    if (!request->is_candidate || !request->may_store || request_head->method != GW_METHOD_GET)
        return GW_CACHE_REQUEST_FORBIDS;
    struct reading reading = policy_read_response(response, rules, response_at_s);
    enum gw_cache_refusal refusal = policy_refuse(request, &reading);
    if (refusal != GW_CACHE_STORABLE)
        return refusal;
    *life = (struct gw_cache_life) { .age_s = gw_freshness_age_s(response, request_at_s, response_at_s) };
    life->freshness_s = policy_lifetime_s(&reading, life->age_s, response_at_s);
    life->terms = policy_terms_of(&reading, life, response_at_s);
    bool may_be_used = life->terms.has_validator || !life->terms.must_validate;
    if (may_be_used && life->age_s < life->freshness_s + life->terms.window_s)
        return GW_CACHE_STORABLE;
    if (reading.directives.is_unclear)
        return GW_CACHE_UNPARSABLE;
    bool has_lifetime = reading.is_explicit || reading.must_validate || life->freshness_s > 0;
    return has_lifetime ? GW_CACHE_STALE : GW_CACHE_NO_FRESHNESS;
}

/* --- may it be reused? --- */

/* What could not have been stored as the answer to this request is no answer to it. */
static bool policy_is_open_to(const struct gw_cache_request *request, const struct gw_cache_terms *terms)
{
    if (!request->may_look_up || (request->has_authorization && !terms->for_authorization))
        return false;
    return terms->is_explicit || request->default_ttl_applies;
}

enum gw_reuse gw_policy_reuse(const struct gw_cache_request *request, const struct gw_head *request_head,
                              const struct gw_cache_terms *terms, const struct gw_head *selection, int64_t age_s,
                              int64_t freshness_s)
{
    int64_t stale_by_s = age_s - freshness_s;
    bool is_too_old = request->max_age != GW_DIRECTIVE_ABSENT && age_s > request->max_age;
    bool is_too_short = request->min_fresh != GW_DIRECTIVE_ABSENT && freshness_s - age_s < request->min_fresh;
    /* RFC 9111 §5.2.1: a client that gives max-age, min-fresh or max-stale has said what it accepts, and an answer that is
     * stale beyond max-stale is not among that. */
    bool says_how_old = request->max_age != GW_DIRECTIVE_ABSENT || request->min_fresh != GW_DIRECTIVE_ABSENT ||
                        request->max_stale != GW_DIRECTIVE_ABSENT;
    if (!policy_is_open_to(request, terms) || !gw_vary_matches(selection, request_head, request->has_side_fields))
        return GW_REUSE_NO;
    if (request->must_validate || terms->must_validate || is_too_old || is_too_short)
        return GW_REUSE_VALIDATED;
    if (stale_by_s < 0)
        return GW_REUSE_FRESH;
    if (terms->no_stale)
        return GW_REUSE_VALIDATED;
    if (request->max_stale > 0 && stale_by_s <= request->max_stale)
        return GW_REUSE_STALE;
    return !says_how_old && stale_by_s < terms->stale_while_revalidate_s ? GW_REUSE_REVALIDATING : GW_REUSE_VALIDATED;
}

bool gw_policy_may_answer_on_error(const struct gw_cache_request *request, const struct gw_cache_terms *terms,
                                   int64_t age_s, int64_t freshness_s)
{
    return !request->must_validate && !terms->must_validate && !terms->no_stale &&
           age_s - freshness_s < terms->stale_if_error_s;
}

/* --- conditionals --- */

static bool policy_names_tag(const struct gw_head *request_head, const struct gw_field *first,
                             const struct gw_head *response)
{
    struct gw_slice own, theirs;
    bool has_own = policy_read_etag(response, &own);
    for (const struct gw_field *field = first; field; field = gw_head_find_next(request_head, field)) {
        struct gw_slice rest = field->value;
        if (gw_slice_equal(rest, GW_SLICE("*")) || (has_own && gw_slice_equal(policy_without_weak(rest), own)))
            return true;
        while (has_own && rest.length && policy_next_tag(&rest, &theirs))
            if (gw_slice_equal(own, theirs))
                return true;
    }
    return false;
}

static const struct gw_field *policy_find_only(const struct gw_head *head, enum gw_field_name id)
{
    const struct gw_field *field = gw_head_find(head, id);
    return field && !gw_head_find_next(head, field) ? field : NULL;
}

static bool policy_is_unmodified_since(const struct gw_head *request_head, const struct gw_head *response,
                                       int64_t now_s)
{
    bool has_modified = gw_head_find(response, GW_FIELD_LAST_MODIFIED) != NULL;
    const struct gw_field *since = policy_find_only(request_head, GW_FIELD_IF_MODIFIED_SINCE);
    const struct gw_field *modified = policy_find_only(response, has_modified ? GW_FIELD_LAST_MODIFIED : GW_FIELD_DATE);
    int64_t since_s = 0, modified_s = 0;
    return since && modified && gw_date_parse(since->value, now_s, &since_s) &&
           gw_date_parse(modified->value, now_s, &modified_s) && modified_s <= since_s;
}

bool gw_policy_is_not_modified(const struct gw_head *request_head, const struct gw_head *response, int64_t now_s)
{
    if (response->status != 200 || (request_head->method != GW_METHOD_GET && request_head->method != GW_METHOD_HEAD))
        return false;
    const struct gw_field *none_match = gw_head_find(request_head, GW_FIELD_IF_NONE_MATCH);
    return none_match ? policy_names_tag(request_head, none_match, response)
                      : policy_is_unmodified_since(request_head, response, now_s);
}

/* --- updates --- */

/* RFC 9111 §4.3.4: what names a validator is about the response that has it; what names none, about the one that was
 * asked for. */
static bool policy_validators_agree(const struct gw_head *stored, const struct gw_head *update)
{
    bool names_tag = gw_head_find(update, GW_FIELD_ETAG) != NULL;
    bool names_date = gw_head_find(update, GW_FIELD_LAST_MODIFIED) != NULL;
    struct gw_slice ours, theirs;
    if (names_tag && gw_head_find(stored, GW_FIELD_ETAG))
        return policy_read_etag(stored, &ours) && policy_read_etag(update, &theirs) && gw_slice_equal(ours, theirs);
    if (names_date && gw_head_find(stored, GW_FIELD_LAST_MODIFIED)) {
        const struct gw_field *our_date = policy_find_only(stored, GW_FIELD_LAST_MODIFIED);
        const struct gw_field *their_date = policy_find_only(update, GW_FIELD_LAST_MODIFIED);
        return our_date && their_date && gw_slice_equal(our_date->value, their_date->value);
    }
    return !names_tag && !names_date;
}

static bool policy_is_of_length(const struct gw_head *update, size_t body_bytes)
{
    const struct gw_field *field = gw_head_find(update, GW_FIELD_CONTENT_LENGTH);
    uint64_t length = 0;
    return !field || (gw_slice_to_uint64(field->value, &length) && length == body_bytes);
}

bool gw_policy_may_update(const struct gw_head *stored, size_t stored_body_bytes, const struct gw_head *update)
{
    if (update->status != 304 && (update->status != stored->status || !policy_is_of_length(update, stored_body_bytes)))
        return false;
    return policy_validators_agree(stored, update);
}
