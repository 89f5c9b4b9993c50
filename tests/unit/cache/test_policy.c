#include <stdio.h>
#include "unit/cache/heads.h"
#include "cache/freshness.h"
#include "cache/policy.h"

/* Sun, 06 Nov 1994 08:49:37 GMT */
#define NOW_S INT64_C(784111777)
#define DATE  "Date: Sun, 06 Nov 1994 08:49:37 GMT\n"

static const struct gw_slice credential_fields[] = { { "x-api-key", 9 } };
static struct gw_names credential_names;
static struct gw_field_set credentials;

static int name_credentials(void **state)
{
    (void)state;
    gw_names_init(&credential_names, credential_fields, 1);
    gw_field_set_init(&credentials, &credential_names);
    return 0;
}

static const struct gw_slice targeted_fields[] = { { "Visara-Cache-Control", 20 }, { "CDN-Cache-Control", 17 } };
#define BASE_RULES                                                                                                     \
    .default_ttl_s = 300, .override_ttl_s = GW_DIRECTIVE_ABSENT, .heuristic_max_s = 86400, .keep_s = 60,               \
    .credentials = &credentials
static const struct gw_cache_rules rules = { BASE_RULES };
static const struct gw_cache_rules trusting_rules = { BASE_RULES, .with_credentials = true };
static const struct gw_cache_rules bare_rules = { .override_ttl_s = GW_DIRECTIVE_ABSENT };
static const struct gw_cache_rules overriding_rules = { .override_ttl_s = 10, .heuristic_max_s = 86400 };
static const struct gw_cache_rules sharing_rules = { BASE_RULES, .may_share_set_cookie = true };
static const struct gw_cache_rules targeting_rules = { BASE_RULES, .targeted_fields = targeted_fields,
                                                       .targeted_field_count = 2 };

static void a_request_says_what_the_cache_may_do(void **state)
{
    static const struct row {
        const char *section, *method, *fields, *may; /* c: is_candidate, l: look up, v: must_validate, s: store,
                                                        j: join, r: is_range, o: only_if_cached */
    } rows[] = {
        { "9111 §3", "GET", "", "clsj" },
        { "9110 §9.3.2", "HEAD", "", "cl" },
        { "9111 §3", "POST", "", "" },
        { "9111 §3", "PUT", "", "" },
        { "9111 §3", "OPTIONS", "", "" },
        { "9110 §9.1", "get", "", "" },
        { "9111 §5.2.1.5", "GET", "Cache-Control: no-store", "c" },
        { "9111 §5.2.1.5", "GET", "Cache-Control: no-store, no-cache", "cv" },
        { "9111 §5.2.1.4", "GET", "Cache-Control: no-cache", "clvsj" },
        { "9111 §5.2.1.4", "HEAD", "Cache-Control: no-cache", "clv" },
        { "9111 §5.2.1.4", "GET", "Cache-Control: no-cache=\"x\"", "clvsj" },
        { "9111 §5.4", "GET", "Pragma: no-cache", "clvsj" },
        { "9111 §5.4", "GET", "Pragma: no-cache\nCache-Control: max-age=9", "clsj" },
        { "9111 §5.2.1.1", "GET", "Cache-Control: max-age=0", "clvsj" },
        { "9111 §5.2.1.1", "GET", "Cache-Control: max-age=1", "clsj" },
        { "9111 §5.2.1.1", "GET", "Cache-Control: max-age=x", "clvsj" },
        { "9111 §5.2.1.2", "GET", "Cache-Control: max-stale", "clsj" },
        { "9111 §5.2.1.7", "GET", "Cache-Control: only-if-cached", "clso" },
        { "9111 §5.2.2", "GET", "Cache-Control: private, must-revalidate, s-maxage=0", "clsj" },
        { "9110 §14.2", "GET", "Range: bytes=0-1", "cljr" },
        { "9110 §14.2", "GET", "Range: bytes=0-1\nIf-Range: \"a\"", "cljr" },
        { "9110 §14.2", "GET", "Range: bytes=0-1\nCache-Control: no-cache", "clvr" },
        { "9110 §14.2", "HEAD", "Range: bytes=0-1", "cl" },
        { "9110 §13.1.5", "GET", "If-Range: \"a\"", "clsj" },
        { "9110 §13.1.1", "GET", "If-Match: \"a\"", "" },
        { "9110 §13.1.4", "GET", "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT", "" },
        { "9110 §13.1.2", "GET", "If-None-Match: \"a\"", "clsj" },
        { "9111 §3.5", "GET", "Authorization: Basic eA==", "cls" },
        { "docs/caching.md: \"Request coalescing\"", "GET", "Cookie: id=1", "clsj" },
        { "side fields", "GET", "X-HTTP-Method-Override: DELETE", "" },
        { "side fields", "GET", "X-HTTP-Method: DELETE", "" },
        { "side fields", "GET", "X-Method-Override: DELETE", "" },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_arena arena;
        struct gw_cache_request request;
        open_arena(&arena);
        struct gw_head head = request_head(&arena, rows[i].method, rows[i].fields);
        gw_policy_read_request(&request, &head, &rules);
        const bool may[] = { request.is_candidate, request.may_look_up, request.must_validate, request.may_store,
                             request.may_join,     request.is_range,    request.only_if_cached };
        for (size_t k = 0; k < GW_COUNT(may); k++)
            if (may[k] != (strchr(rows[i].may, "clvsjro"[k]) != NULL))
                fail_msg("%s: %s %s: %c is %d", rows[i].section, rows[i].method, rows[i].fields, "clvsjro"[k], may[k]);
        gw_arena_free(&arena);
    }
}

static void a_request_says_how_old_an_answer_may_be(void **state)
{
    static const struct row {
        const char *fields;
        int64_t max_age, min_fresh, max_stale;
    } rows[] = {
        { "", -1, -1, -1 },
        { "Cache-Control: max-age=1, min-fresh=2, max-stale=3", 1, 2, 3 },
        { "Cache-Control: max-stale", -1, -1, GW_FRESHNESS_MAX_S },
        { "Cache-Control: max-stale, max-stale=9", -1, -1, 9 },
        { "Cache-Control: max-stale=x, min-fresh=x", -1, GW_FRESHNESS_MAX_S, 0 },
        { "Pragma: no-cache", -1, -1, -1 },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_arena arena;
        struct gw_cache_request request;
        open_arena(&arena);
        struct gw_head head = request_head(&arena, "GET", rows[i].fields);
        gw_policy_read_request(&request, &head, &rules);
        if (request.max_age != rows[i].max_age || request.min_fresh != rows[i].min_fresh ||
            request.max_stale != rows[i].max_stale)
            fail_msg("%s", rows[i].fields);
        gw_arena_free(&arena);
    }
}

static void a_request_with_a_body_or_an_upgrade_is_no_candidate(void **state)
{
    struct gw_arena arena;
    struct gw_cache_request request;
    (void)state;
    open_arena(&arena);
    struct gw_head head = request_head(&arena, "GET", "");
    head.framing = GW_FRAMING_LENGTH;
    gw_policy_read_request(&request, &head, &rules);
    assert_true(request.is_candidate);
    head.content_length = 1;
    gw_policy_read_request(&request, &head, &rules);
    assert_false(request.is_candidate);
    head.framing = GW_FRAMING_CHUNKED;
    gw_policy_read_request(&request, &head, &rules);
    assert_false(request.is_candidate);
    head.framing = GW_FRAMING_NONE;
    head.wants_upgrade = true;
    gw_policy_read_request(&request, &head, &rules);
    assert_false(request.is_candidate);
    gw_arena_free(&arena);
}

static void credentials_are_cookie_authorization_and_what_is_configured(void **state)
{
    static const struct row {
        const char *fields;
        bool has_credential, has_authorization;
    } rows[] = {
        { "", false, false },
        { "Cookie: a=b", true, false },
        { "Authorization: Bearer x", true, true },
        { "X-API-Key: x", true, false },
        { "X-Other-Key: x", false, false },
        { "Origin: https://example.org", false, false },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_arena arena;
        struct gw_cache_request request;
        open_arena(&arena);
        struct gw_head head = request_head(&arena, "GET", rows[i].fields);
        gw_policy_read_request(&request, &head, &rules);
        assert_int_equal(request.has_credential, rows[i].has_credential);
        assert_int_equal(request.has_authorization, rows[i].has_authorization);
        assert_int_equal(request.default_ttl_applies, !rows[i].has_credential);
        gw_policy_read_request(&request, &head, &trusting_rules);
        assert_true(request.default_ttl_applies);
        gw_arena_free(&arena);
    }
}

struct store_row {
    const char *section, *request;
    int status;
    const char *response;
    enum gw_cache_refusal refusal;
    int64_t age_s, freshness_s;
};

static enum gw_cache_refusal store(struct gw_cache_life *life, const struct store_row *row,
                                   const struct gw_cache_rules *by)
{
    struct gw_arena arena;
    struct gw_cache_request request;
    open_arena(&arena);
    struct gw_head asked = request_head(&arena, "GET", row->request);
    struct gw_head response = response_head(&arena, row->status, row->response);
    gw_policy_read_request(&request, &asked, by);
    enum gw_cache_refusal refusal = gw_policy_may_store(&request, &asked, &response, by, NOW_S, NOW_S, life);
    gw_arena_free(&arena);
    return refusal;
}

static void check_store_rows(const struct store_row *rows, size_t count, const struct gw_cache_rules *by)
{
    for (size_t i = 0; i < count; i++) {
        const struct store_row *row = &rows[i];
        struct gw_cache_life life = { -1, -1, { 0 } };
        enum gw_cache_refusal refusal = store(&life, row, by);
        if (refusal != row->refusal)
            fail_msg("%s: [%s] %d [%s] is %s, expected %s", row->section, row->request, row->status, row->response,
                     gw_not_stored_label_name((enum gw_not_stored_label)refusal),
                     gw_not_stored_label_name((enum gw_not_stored_label)row->refusal));
        if (refusal == GW_CACHE_STORABLE && (life.age_s != row->age_s || life.freshness_s != row->freshness_s))
            fail_msg("%s: %d [%s] has age %lld, freshness %lld", row->section, row->status, row->response,
                     (long long)life.age_s, (long long)life.freshness_s);
    }
}

#define STORED(age, freshness) GW_CACHE_STORABLE, (age), (freshness)
#define BY_DEFAULT             GW_CACHE_STORABLE, 0, 300
#define REFUSED(reason)        GW_CACHE_##reason, 0, 0

static void a_response_is_stored_where_directives_allow_it(void **state)
{
    static const struct store_row rows[] = {
        { "9111 §5.2.2.1", "", 200, "Cache-Control: max-age=60", STORED(0, 60) },
        { "9111 §5.2.2.10", "", 200, "Cache-Control: max-age=60, s-maxage=5", STORED(0, 5) },
        { "9111 §5.2.2.10", "", 200, "Cache-Control: max-age=60, s-maxage=0", REFUSED(STALE) },
        { "9111 §4.2.1", "", 200, "Cache-Control: max-age=60, max-age=5", REFUSED(STALE) },
        { "9111 §4.2.1", "", 200, "Cache-Control: max-age=60, max-age=60", STORED(0, 60) },
        { "9111 §4.2.1", "", 200, "Cache-Control: max-age=abc", REFUSED(STALE) },
        { "9111 §4.2.1", "", 200, "Cache-Control: max-age=60\nExpires: 0", STORED(0, 60) },
        { "9111 §5.3", "", 200, DATE "Expires: Sun, 06 Nov 1994 08:50:07 GMT", STORED(0, 30) },
        { "9111 §5.3", "", 200, "Expires: 0", REFUSED(STALE) },
        { "9111 §5.3", "", 200, "Expires: Sun, 06 Nov 1994 08:50:07 GMT\nExpires: Sun, 06 Nov 1994 08:50:07 GMT",
          REFUSED(STALE) },
        { "9111 §4.2.3", "", 200, "Cache-Control: max-age=60\nAge: 59", STORED(59, 60) },
        { "9111 §4.2.3", "", 200, "Cache-Control: max-age=60\nAge: 60", REFUSED(STALE) },
        { "9111 §4.2.3", "", 200, "Date: Sun, 06 Nov 1994 08:49:07 GMT\nCache-Control: max-age=60", STORED(0, 60) },
        { "9111 §4.2.3", "", 200, "Date: Sun, 06 Nov 1994 08:48:07 GMT\nCache-Control: max-age=60", STORED(0, 60) },
        { "9111 §4.2", "", 200, "", BY_DEFAULT },
        { "9111 §4.2", "", 200, "Age: 299", STORED(299, 300) },
        { "9111 §4.2", "", 200, "Age: 300", REFUSED(STALE) },
        { "9111 §5.2.2.9", "", 200, "Cache-Control: public", BY_DEFAULT },
        { "9111 §5.2.2.2", "", 200, "Cache-Control: must-revalidate", BY_DEFAULT },
        { "9111 §5.2.2.5", "", 200, "Cache-Control: no-store", REFUSED(NO_STORE) },
        { "9111 §5.2.2.5", "", 200, "Cache-Control: No-Store, max-age=60", REFUSED(NO_STORE) },
        { "9111 §5.2.2.5", "", 200, "Cache-Control: max-age=60\nCache-Control: no-store", REFUSED(NO_STORE) },
        { "9111 §5.2.2.3", "", 200, "Cache-Control: max-age=60, no-store, must-understand", STORED(0, 60) },
        { "9111 §5.2.2.3", "", 299, "Cache-Control: max-age=60, must-understand", REFUSED(STATUS) },
        { "9111 §5.2", "", 200, "Cache-Control: max-age=60, must-understand, x=\"y", REFUSED(NO_STORE) },
        { "9111 §5.2.2.7", "", 200, "Cache-Control: private, max-age=60", REFUSED(PRIVATE) },
        { "9111 §5.2.2.7", "", 200, "Cache-Control: private=\"x-a\", max-age=60", STORED(0, 60) },
        { "9111 §5.2.2.7", "", 200, "Cache-Control: private=x-a, max-age=60", STORED(0, 60) },
        { "9111 §5.2.2.7", "", 200, "Cache-Control: private=\"x a\", max-age=60", REFUSED(PRIVATE) },
        { "9111 §5.2.2.7", "", 200, "Cache-Control: private=\"x-a\", private, max-age=60", REFUSED(PRIVATE) },
        { "9111 §5.2.2.7", "", 200, "Cache-Control: private=\"expires\", max-age=60", REFUSED(PRIVATE) },
        { "9111 §5.2.2.7", "", 200, "Cache-Control: private, public, s-maxage=60", REFUSED(PRIVATE) },
        { "9111 §5.2.2.4", "", 200, "Cache-Control: no-cache, max-age=60", REFUSED(STALE) },
        { "9111 §5.2.2.4", "", 200, "Cache-Control: no-cache=\"x-a\", max-age=60", STORED(0, 60) },
        { "9111 §5.4", "", 200, "Pragma: no-cache", REFUSED(STALE) },
        { "9111 §5.4", "", 200, "Pragma: no-cache\nCache-Control: max-age=60", STORED(0, 60) },
        { "9111 §4.1", "", 200, "Cache-Control: max-age=60\nVary: *", REFUSED(VARY_ANY) },
        { "9111 §4.1", "", 200, "Cache-Control: max-age=60\nVary: Accept", STORED(0, 60) },
        { "9111 §4.1", "", 200, "Cache-Control: max-age=60\nVary: X-Forwarded-For", REFUSED(VARY_OWN) },
        { "9111 §5.2.1.5", "Cache-Control: no-store", 200, "Cache-Control: max-age=60", REFUSED(REQUEST_FORBIDS) },
        { "9111 §5.2.1.4", "Cache-Control: no-cache", 200, "Cache-Control: max-age=60", STORED(0, 60) },
        { "9111 §3.3", "Range: bytes=0-0", 200, "Cache-Control: max-age=60", REFUSED(REQUEST_FORBIDS) },
        { "9111 §3.3", "", 206, "Cache-Control: max-age=60", REFUSED(PARTIAL) },
        { "9110 §14.4", "", 200, "Cache-Control: max-age=60\nContent-Range: bytes 0-0/9", STORED(0, 60) },
    };
    (void)state;
    check_store_rows(rows, GW_COUNT(rows), &rules);
}

#define TEN_MINUTES_AGO "Last-Modified: Sun, 06 Nov 1994 08:39:37 GMT"
#define LONG_AGO        "Last-Modified: Sun, 06 Nov 1983 08:39:37 GMT"

static void freshness_is_guessed_where_nothing_states_it(void **state)
{
    static const struct store_row rows[] = {
        { "9111 §4.2.2", "", 200, TEN_MINUTES_AGO, STORED(0, 60) },
        { "9111 §4.2.2", "", 200, DATE TEN_MINUTES_AGO, STORED(0, 60) },
        { "9111 §4.2.2", "", 200, LONG_AGO, STORED(0, 86400) },
        { "9111 §4.2.2", "", 404, TEN_MINUTES_AGO, STORED(0, 60) },
        { "9111 §4.2.2", "", 302, TEN_MINUTES_AGO, REFUSED(NO_FRESHNESS) },
        { "9111 §4.2.2", "", 302, "Cache-Control: public\n" TEN_MINUTES_AGO, STORED(0, 60) },
        { "9111 §4.2.2", "", 429, "Cache-Control: public\n" TEN_MINUTES_AGO, REFUSED(STATUS) },
        { "9111 §4.2.2", "", 200, "Cache-Control: max-age=5\n" TEN_MINUTES_AGO, STORED(0, 5) },
        { "9111 §4.2.2", "", 200, "Expires: 0\n" TEN_MINUTES_AGO, STORED(0, 0) },
        { "9111 §4.2.2", "", 200, "Last-Modified: Sun, 06 Nov 1994 08:49:38 GMT", STORED(0, 0) },
        { "9111 §4.2.2", "", 200, "Date: soon\n" TEN_MINUTES_AGO, STORED(0, 0) },
        { "9111 §4.2.2", "", 200, "Last-Modified: then", BY_DEFAULT },
        { "9111 §4.2.2", "", 200, TEN_MINUTES_AGO "\n" TEN_MINUTES_AGO, BY_DEFAULT },
        { "9111 §4.2.2", "", 404, "Last-Modified: then", REFUSED(NO_FRESHNESS) },
        { "credential rule", "Cookie: a=b", 200, TEN_MINUTES_AGO, REFUSED(CREDENTIAL) },
    };
    static const struct store_row unguessed[] = {
        { "heuristic_max 0", "", 200, TEN_MINUTES_AGO, STORED(0, 300) },
        { "heuristic_max 0", "", 404, TEN_MINUTES_AGO, REFUSED(NO_FRESHNESS) },
    };
    struct gw_cache_rules without_guess = rules;
    (void)state;
    check_store_rows(rows, GW_COUNT(rows), &rules);
    without_guess.heuristic_max_s = 0;
    check_store_rows(unguessed, GW_COUNT(unguessed), &without_guess);
}

static void nothing_is_guessed_beyond_what_other_caches_are_told(void **state)
{
    static const struct store_row rows[] = {
        { "nginx", "", 200, "X-Accel-Expires: 0", REFUSED(NO_STORE) },
        { "nginx", "", 200, "X-Accel-Expires: 20", STORED(0, 20) },
        { "nginx", "", 200, "X-Accel-Expires: 3600", STORED(0, 300) },
        { "nginx", "", 200, "X-Accel-Expires: @1", REFUSED(NO_STORE) },
        { "nginx", "", 200, "X-Accel-Expires: @99999999999", STORED(0, 300) },
        { "nginx", "", 200, "X-Accel-Expires: off", REFUSED(NO_STORE) },
        { "nginx", "", 200, "X-Accel-Expires: -1", REFUSED(NO_STORE) },
        { "nginx", "", 200, "X-Accel-Expires:", REFUSED(NO_STORE) },
        { "nginx", "", 200, "X-Accel-Expires: 99999999999999999999", REFUSED(NO_STORE) },
        { "nginx", "", 200, "X-Accel-Expires: 0\nCache-Control: max-age=60", STORED(0, 60) },
        { "nginx", "", 200, "X-Accel-Expires: 0\nCache-Control: public", REFUSED(NO_STORE) },
        { "nginx", "", 200, "X-Accel-Expires: 0\n" TEN_MINUTES_AGO, REFUSED(NO_STORE) },
        { "nginx", "", 200, "X-Accel-Expires: 5\n" TEN_MINUTES_AGO, STORED(0, 5) },
        { "Varnish", "", 200, "Surrogate-Control: no-store", REFUSED(NO_STORE) },
        { "Varnish", "", 200, "Surrogate-Control: no-store, content=\"ESI/1.0\"", REFUSED(NO_STORE) },
        { "Varnish", "", 200, "Surrogate-Control: content=\"ESI/1.0\"", STORED(0, 300) },
        { "Varnish", "", 200, "Surrogate-Control: max-age=10+60, no-store", REFUSED(NO_STORE) },
        { "Varnish", "", 200, "Surrogate-Control: max-age=10", STORED(0, 10) },
        { "9213", "", 200, "CDN-Cache-Control: no-store", REFUSED(NO_STORE) },
        { "9213", "", 200, "CDN-Cache-Control: private; max-age=0", REFUSED(NO_STORE) },
        { "9213", "", 200, "CDN-Cache-Control: max-age=0", REFUSED(NO_STORE) },
        { "9213", "", 200, "CDN-Cache-Control: max-age=600, s-maxage=7", STORED(0, 7) },
        { "9213", "", 200, "Vercel-CDN-Cache-Control: no-cache", REFUSED(NO_STORE) },
        { "LiteSpeed", "", 200, "X-LiteSpeed-Cache-Control: private,max-age=60", REFUSED(NO_STORE) },
        { "9213", "", 200, "CDN-Cache-Control: no-store\nCache-Control: max-age=60", STORED(0, 60) },
    };
    (void)state;
    check_store_rows(rows, GW_COUNT(rows), &rules);
}

static void what_is_not_fresh_is_stored_only_if_it_is_of_use(void **state)
{
    static const struct store_row rows[] = {
        { "9111 §4.3.1", "", 200, "Cache-Control: max-age=0\nETag: \"a\"", STORED(0, 0) },
        { "9111 §4.3.1", "", 200, "Cache-Control: max-age=60\nAge: 7200\nETag: \"a\"", STORED(7200, 60) },
        { "9111 §4.3.1", "", 200, "Cache-Control: no-cache\nETag: W/\"a\"", STORED(0, 300) },
        { "9111 §4.3.1", "", 200, "Cache-Control: max-age=0\n" TEN_MINUTES_AGO, STORED(0, 0) },
        { "9111 §4.3.1", "", 200, "Cache-Control: max-age=0\nETag: a", STORED(0, 0) }, /* compared as it came */
        { "9110 §13.1.2", "", 200, "Cache-Control: max-age=0\nETag: *", REFUSED(STALE) },
        { "9111 §4.3.1", "", 200, "Cache-Control: max-age=0\nETag: \"a\"\nETag: \"b\"", REFUSED(STALE) },
        { "9111 §4.3.1", "", 200, "Cache-Control: max-age=0\nLast-Modified: then", REFUSED(STALE) },
        { "9111 §5.2.2.4", "", 200, "Cache-Control: max-age=0, no-cache=\"etag\"\nETag: \"a\"", REFUSED(STALE) },
        { "9111 §5.2.2.4", "", 200, "Cache-Control: max-age=0, no-cache=Last-Modified\n" TEN_MINUTES_AGO,
          REFUSED(STALE) },
        { "5861 §3", "", 200, "Cache-Control: max-age=60, stale-while-revalidate=10\nAge: 69", STORED(69, 60) },
        { "5861 §3", "", 200, "Cache-Control: max-age=60, stale-while-revalidate=10\nAge: 70", REFUSED(STALE) },
        { "5861 §4", "", 200, "Cache-Control: max-age=60, stale-if-error=10\nAge: 69", STORED(69, 60) },
        { "5861 §4", "", 200, "Cache-Control: max-age=60, stale-if-error=10, must-revalidate\nAge: 69",
          REFUSED(STALE) },
        { "9111 §5.2.2.4", "", 200, "Cache-Control: no-cache, stale-if-error=10", REFUSED(STALE) },
    };
    static const struct store_row unkept[] = {
        { "keep 0", "", 200, "Cache-Control: max-age=0\nETag: \"a\"", REFUSED(STALE) },
        { "keep 0", "", 200, "Cache-Control: max-age=9\nETag: \"a\"", STORED(0, 9) },
        { "keep 0", "", 200, "Cache-Control: no-cache, max-age=9\nETag: \"a\"", STORED(0, 9) },
    };
    (void)state;
    check_store_rows(rows, GW_COUNT(rows), &rules);
    check_store_rows(unkept, GW_COUNT(unkept), &bare_rules);
}

static void a_route_overrides_the_lifetime_and_nothing_else(void **state)
{
    static const struct store_row rows[] = {
        { "override", "", 200, "", STORED(0, 10) },
        { "override", "", 200, "Cache-Control: max-age=60\nAge: 90", STORED(90, 100) },
        { "override", "", 200, "Expires: 0", STORED(0, 10) },
        { "override", "", 200, TEN_MINUTES_AGO, STORED(0, 10) },
        { "override", "Cookie: a=b", 200, "Cache-Control: max-age=60", STORED(0, 10) },
        { "override", "Cookie: a=b", 200, "", REFUSED(CREDENTIAL) },
        { "override", "Authorization: Basic eA==", 200, "Cache-Control: max-age=60", REFUSED(AUTHORIZATION) },
        { "override", "", 200, "Cache-Control: no-store", REFUSED(NO_STORE) },
        { "override", "", 200, "Cache-Control: private", REFUSED(PRIVATE) },
        { "override", "", 200, "Set-Cookie: a=b", REFUSED(SET_COOKIE) },
        { "override", "", 200, "Vary: *", REFUSED(VARY_ANY) },
        { "override", "", 500, "", REFUSED(NO_FRESHNESS) },
        { "override", "", 500, "Cache-Control: max-age=60", STORED(0, 10) },
        { "override", "", 200, "Cache-Control: no-cache", REFUSED(STALE) },
    };
    (void)state;
    check_store_rows(rows, GW_COUNT(rows), &overriding_rules);
}

static void set_cookie_is_shared_where_both_sides_allow_it(void **state)
{
    static const struct row {
        const char *response;
        bool is_stored, is_stored_sharing, keeps_set_cookie;
    } rows[] = {
        { "Cache-Control: max-age=60", false, false, false },
        { "Cache-Control: public, max-age=60", false, true, true },
        { "Cache-Control: s-maxage=60", false, true, true },
        { "Cache-Control: s-maxage=60, max-age=x", false, false, false },
        { "Cache-Control: public, private, max-age=60", false, false, false },
        { "Cache-Control: no-cache=\"Set-Cookie\", max-age=60", true, true, false },
        { "Cache-Control: private=\"x, set-cookie\", max-age=60", true, true, false },
        { "Cache-Control: private=set-cookie, max-age=60", true, true, false },
        { "", false, false, false },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        char fields[128];
        struct gw_cache_life life;
        assert_true(snprintf(fields, sizeof fields, "%s%sSet-Cookie: a=b", rows[i].response,
                             *rows[i].response ? "\n" : "") < (int)sizeof fields);
        const struct store_row row = { "9111 §7.3", "", 200, fields, REFUSED(SET_COOKIE) };
        bool is_stored = store(&life, &row, &rules) == GW_CACHE_STORABLE;
        if (is_stored != rows[i].is_stored || (is_stored && life.terms.keeps_set_cookie))
            fail_msg("[%s]: stored %d", fields, is_stored);
        is_stored = store(&life, &row, &sharing_rules) == GW_CACHE_STORABLE;
        if (is_stored != rows[i].is_stored_sharing ||
            (is_stored && life.terms.keeps_set_cookie != rows[i].keeps_set_cookie))
            fail_msg("[%s]: stored %d where it may be shared", fields, is_stored);
    }
}

static void a_targeted_field_counts_instead_of_all_others(void **state)
{
    static const struct store_row rows[] = {
        { "9213 §2.2", "", 200, "CDN-Cache-Control: max-age=60\nCache-Control: no-store", STORED(0, 60) },
        { "9213 §2.2", "", 200, "CDN-Cache-Control: max-age=60\nCache-Control: private", STORED(0, 60) },
        { "9213 §2.2", "", 200, "CDN-Cache-Control: public\nExpires: 0", BY_DEFAULT },
        { "9213 §2.2", "", 200, "CDN-Cache-Control: public\nPragma: no-cache", BY_DEFAULT },
        { "9213 §2.2", "", 200, "CDN-Cache-Control: no-store\nCache-Control: max-age=60", REFUSED(NO_STORE) },
        { "9213 §2.2", "", 200, "CDN-Cache-Control: max-age=6\nVisara-Cache-Control: max-age=9", STORED(0, 9) },
        { "9213 §2.2", "", 200, "CDN-Cache-Control: max-age=6\nVisara-Cache-Control:", STORED(0, 6) },
        { "9213 §2.2", "", 200, "CDN-Cache-Control: max-age=6\nVisara-Cache-Control: A", STORED(0, 6) },
        { "9213 §2.1", "", 200, "CDN-Cache-Control: max-age=6,\nCache-Control: max-age=9", STORED(0, 9) },
        { "9213 §2.1", "", 200, "CDN-Cache-Control: private=\"x-a\", max-age=60", REFUSED(PRIVATE) },
        { "9213 §2.1", "", 200, "CDN-Cache-Control: max-age=60\nCache-Control: private=Set-Cookie\nSet-Cookie: a",
          REFUSED(SET_COOKIE) },
        { "9111 §3.5", "Authorization: Basic eA==", 200, "CDN-Cache-Control: max-age=60\nCache-Control: public",
          REFUSED(AUTHORIZATION) },
        { "9111 §3.5", "Authorization: Basic eA==", 200, "CDN-Cache-Control: max-age=60, public", STORED(0, 60) },
    };
    (void)state;
    check_store_rows(rows, GW_COUNT(rows), &targeting_rules);
}

static void describe(char *text, size_t room, const struct gw_cache_terms *terms)
{
    snprintf(text, room, "%s%s%s%s%s %lld %lld %lld", terms->for_authorization ? "a" : "",
             terms->is_explicit ? "x" : "", terms->must_validate ? "m" : "", terms->no_stale ? "n" : "",
             terms->has_validator ? "v" : "", (long long)terms->stale_while_revalidate_s,
             (long long)terms->stale_if_error_s, (long long)terms->window_s);
}

static void what_is_stored_carries_its_terms(void **state)
{
    static const struct row {
        const char *response;
        const char *terms; /* a: for_authorization, x: is_explicit, m: must_validate, n: no_stale, v: has_validator;
                              stale-while-revalidate, stale-if-error, window */
    } rows[] = {
        { "", " 0 5 5" },
        { "ETag: \"a\"", "v 0 5 60" },
        { TEN_MINUTES_AGO, "v 0 5 60" },
        { "Cache-Control: max-age=9", "x 0 5 5" },
        { "Cache-Control: max-age=9, public", "ax 0 5 5" },
        { "Cache-Control: s-maxage=9", "axn 0 0 0" },
        { "Cache-Control: s-maxage=9, stale-while-revalidate=100\nETag: \"a\"", "axnv 0 0 60" },
        { "Cache-Control: max-age=9, must-revalidate, stale-if-error=100", "axn 0 0 0" },
        { "Cache-Control: max-age=9, proxy-revalidate, stale-if-error=100", "xn 0 0 0" },
        { "Cache-Control: max-age=9, no-cache, stale-if-error=100\nETag: \"a\"", "xmnv 0 0 60" },
        { "Pragma: no-cache\nETag: \"a\"", "mnv 0 0 60" },
        { "Cache-Control: max-age=9, stale-while-revalidate=100", "x 100 5 100" },
        { "Cache-Control: max-age=9, stale-if-error=100\nETag: \"a\"", "xv 0 100 100" },
        { "Cache-Control: max-age=9, stale-if-error=1", "x 0 5 5" },
        { "Cache-Control: max-age=9, stale-if-error=x, stale-while-revalidate=x", "x 0 5 5" },
        { "Cache-Control: max-age=9\nETag: \"a\"\nAge: 1000", "xv 0 5 1051" }, /* keep, counted from when it came */
        { "Cache-Control: max-age=9, no-cache=\"etag\"\nETag: \"a\"", "x 0 5 5" },
    };
    struct gw_cache_rules by = rules;
    (void)state;
    by.stale_if_error_s = 5;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        char text[96];
        struct gw_cache_life life;
        const struct store_row row = { "terms", "", 200, rows[i].response, STORED(0, 0) };
        assert_int_equal(store(&life, &row, &by), GW_CACHE_STORABLE);
        describe(text, sizeof text, &life.terms);
        if (strcmp(text, rows[i].terms) != 0)
            fail_msg("[%s]: %s, expected %s", rows[i].response, text, rows[i].terms);
    }
}

static void a_credential_in_the_request_asks_for_more(void **state)
{
    static const struct store_row rows[] = {
        { "credential rule", "Cookie: a=b", 200, "", REFUSED(CREDENTIAL) },
        { "9111 §3.5", "Authorization: x", 200, "Cache-Control: max-age=60, must-revalidate, a b",
          REFUSED(AUTHORIZATION) },
        { "credential rule", "X-Api-Key: k", 200, "Last-Modified: Sun, 06 Nov 1993 08:49:37 GMT", REFUSED(CREDENTIAL) },
        { "credential rule", "Cookie: a=b", 200, "Cache-Control: public", REFUSED(CREDENTIAL) },
        { "credential rule", "Cookie: a=b", 200, "Cache-Control: max-age=60", STORED(0, 60) },
        { "credential rule", "Cookie: a=b", 200, DATE "Expires: Sun, 06 Nov 1994 08:50:07 GMT", STORED(0, 30) },
        { "9111 §3.5", "Authorization: Basic eA==", 200, "", REFUSED(AUTHORIZATION) },
        { "9111 §3.5", "Authorization: Basic eA==", 200, "Cache-Control: max-age=60", REFUSED(AUTHORIZATION) },
        { "9111 §3.5", "Authorization: Basic eA==", 200, "Expires: Sun, 06 Nov 1994 08:50:07 GMT",
          REFUSED(AUTHORIZATION) },
        { "9111 §3.5", "Authorization: Basic eA==", 200, "Cache-Control: max-age=60, proxy-revalidate",
          REFUSED(AUTHORIZATION) },
        { "9111 §3.5", "Authorization: Basic eA==", 200, "Cache-Control: max-age=60, public", STORED(0, 60) },
        { "9111 §3.5", "Authorization: Basic eA==", 200, "Cache-Control: s-maxage=60", STORED(0, 60) },
        { "9111 §3.5", "Authorization: Basic eA==", 200, "Cache-Control: s-maxage=60, s-maxage=x\nETag: \"a\"",
          REFUSED(AUTHORIZATION) },
        { "9111 §3.5", "Authorization: Basic eA==", 200, "Cache-Control: max-age=60, must-revalidate", STORED(0, 60) },
        { "9111 §3.5", "Authorization: Basic eA==", 200, "Cache-Control: public", REFUSED(CREDENTIAL) },
    };
    static const struct store_row trusting[] = {
        { "credential rule", "Cookie: a=b", 200, "", BY_DEFAULT },
        { "credential rule", "Cookie: a=b", 200, TEN_MINUTES_AGO, STORED(0, 60) },
        { "9111 §3.5", "Authorization: Basic eA==", 200, "", REFUSED(AUTHORIZATION) },
        { "9111 §3.5", "Authorization: Basic eA==", 200, "Cache-Control: public", BY_DEFAULT },
    };
    (void)state;
    check_store_rows(rows, GW_COUNT(rows), &rules);
    check_store_rows(trusting, GW_COUNT(trusting), &trusting_rules);
}

static void without_a_default_only_stated_freshness_stores(void **state)
{
    static const struct store_row rows[] = {
        { "default TTL 0", "", 200, "", REFUSED(NO_FRESHNESS) },
        { "default TTL 0", "", 200, "Cache-Control: public", REFUSED(NO_FRESHNESS) },
        { "default TTL 0", "", 200, "Cache-Control: max-age=1", STORED(0, 1) },
    };
    (void)state;
    check_store_rows(rows, GW_COUNT(rows), &bare_rules);
}

static void a_status_is_stored_by_what_it_is_known_to_mean(void **state)
{
    static const struct row {
        int status;
        bool by_default, by_public, if_explicit, if_understood, by_guess;
    } rows[] = {
        /* RFC 9110 §15.1, RFC 9111 §3 and §5.2.2.3, RFC 6585 §3 to §6 */
        { 100, false, false, false, false, false }, { 101, false, false, false, false, false },
        { 199, false, false, false, false, false }, { 200, true, true, true, true, true },
        { 201, false, false, true, true, false },   { 202, false, false, true, true, false },
        { 203, true, true, true, true, true },      { 204, false, true, true, true, true },
        { 205, false, false, true, true, false },   { 206, false, false, false, false, false },
        { 299, false, false, true, false, false },  { 300, true, true, true, true, true },
        { 301, true, true, true, true, true },      { 302, false, false, true, true, false },
        { 303, false, false, true, true, false },   { 304, false, false, false, false, false },
        { 305, false, false, true, false, false },  { 306, false, false, true, false, false },
        { 307, false, false, true, true, false },   { 308, true, true, true, true, true },
        { 400, false, false, true, true, false },   { 401, false, false, true, true, false },
        { 403, false, false, true, true, false },   { 404, false, true, true, true, true },
        { 405, false, true, true, true, true },     { 407, false, false, false, false, false },
        { 408, false, false, true, true, false },   { 409, false, false, true, true, false },
        { 410, true, true, true, true, true },      { 414, false, true, true, true, true },
        { 416, false, false, true, false, false },  { 418, false, false, true, false, false },
        { 422, false, false, true, true, false },   { 426, false, false, true, true, false },
        { 428, false, false, false, false, false }, { 429, false, false, false, false, false },
        { 431, false, false, false, false, false }, { 451, false, false, true, false, false },
        { 499, false, false, true, false, false },  { 500, false, false, true, true, false },
        { 501, false, true, true, true, true },     { 502, false, false, true, true, false },
        { 503, false, false, true, true, false },   { 504, false, false, true, true, false },
        { 505, false, false, true, true, false },   { 506, false, false, true, false, false },
        { 511, false, false, false, false, false }, { 599, false, false, true, false, false },
        { 600, false, false, false, false, false },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        static const char *const fields[] = { "", "Cache-Control: public", "Cache-Control: max-age=60",
                                              "Cache-Control: max-age=60, no-store, must-understand", TEN_MINUTES_AGO };
        const bool expected[] = { rows[i].by_default, rows[i].by_public, rows[i].if_explicit, rows[i].if_understood,
                                  rows[i].by_guess };
        for (size_t k = 0; k < GW_COUNT(fields); k++) {
            struct gw_arena arena;
            struct gw_cache_request request;
            struct gw_cache_life life;
            open_arena(&arena);
            struct gw_head asked = request_head(&arena, "GET", "");
            struct gw_head response = response_head(&arena, rows[i].status, fields[k]);
            gw_policy_read_request(&request, &asked, &rules);
            bool stored = gw_policy_may_store(&request, &asked, &response, &rules, NOW_S, NOW_S, &life) ==
                          GW_CACHE_STORABLE;
            if (stored != expected[k])
                fail_msg("%d [%s]: stored %d", rows[i].status, fields[k], stored);
            gw_arena_free(&arena);
        }
    }
}

static void a_head_response_is_never_stored(void **state)
{
    struct gw_arena arena;
    struct gw_cache_request request;
    struct gw_cache_life life;
    (void)state;
    open_arena(&arena);
    struct gw_head asked = request_head(&arena, "HEAD", "");
    struct gw_head response = response_head(&arena, 200, "Cache-Control: max-age=60");
    gw_policy_read_request(&request, &asked, &rules);
    assert_int_equal(gw_policy_may_store(&request, &asked, &response, &rules, NOW_S, NOW_S, &life),
                     GW_CACHE_REQUEST_FORBIDS);
    gw_arena_free(&arena);
}

static void a_request_says_why_its_answer_is_not_stored(void **state)
{
    static const struct row {
        const char *method, *fields;
        enum gw_cache_refusal refusal;
    } rows[] = {
        { "GET", "", GW_CACHE_STORABLE },
        { "GET", "Cache-Control: no-cache", GW_CACHE_STORABLE },
        { "GET", "Cache-Control: no-store", GW_CACHE_REQUEST_NO_STORE },
        { "HEAD", "", GW_CACHE_METHOD },
        { "POST", "", GW_CACHE_METHOD },
        { "PURGE", "If-Match: \"a\"", GW_CACHE_METHOD },
        { "GET", "If-Match: \"a\"", GW_CACHE_PRECONDITION },
        { "GET", "If-Unmodified-Since: x", GW_CACHE_PRECONDITION },
        { "GET", "X-HTTP-Method-Override: DELETE", GW_CACHE_REQUEST_FORBIDS },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_arena arena;
        struct gw_cache_request request;
        open_arena(&arena);
        struct gw_head head = request_head(&arena, rows[i].method, rows[i].fields);
        gw_policy_read_request(&request, &head, &rules);
        assert_int_equal(gw_policy_request_refusal(&request, &head), rows[i].refusal);
        gw_arena_free(&arena);
    }
}

/* RFC 8941 §3.3.4: a token in Cache-Status needs no quotes. */
static void every_refusal_has_a_word_that_is_a_token(void **state)
{
    (void)state;
    assert_null(gw_not_stored_word(GW_NOT_STORED_LABEL_NONE));
    for (unsigned i = 1; i < GW_CACHE_REFUSAL_COUNT; i++) {
        const char *word = gw_not_stored_word((enum gw_not_stored_label)i);
        assert_in_range(word[0], 'a', 'z');
        assert_int_equal(strspn(word, "abcdefghijklmnopqrstuvwxyz-"), strlen(word));
        for (unsigned k = 1; k < i; k++)
            assert_string_not_equal(word, gw_not_stored_word((enum gw_not_stored_label)k));
    }
}

static void every_refusal_has_a_name(void **state)
{
    (void)state;
    for (unsigned i = 0; i < GW_CACHE_REFUSAL_COUNT; i++) {
        assert_non_null(gw_not_stored_label_name((enum gw_not_stored_label)i));
        for (unsigned k = 0; k < i; k++)
            assert_string_not_equal(gw_not_stored_label_name((enum gw_not_stored_label)i),
                                    gw_not_stored_label_name((enum gw_not_stored_label)k));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_says_what_the_cache_may_do),
        cmocka_unit_test(a_request_says_how_old_an_answer_may_be),
        cmocka_unit_test(a_request_with_a_body_or_an_upgrade_is_no_candidate),
        cmocka_unit_test(credentials_are_cookie_authorization_and_what_is_configured),
        cmocka_unit_test(a_response_is_stored_where_directives_allow_it),
        cmocka_unit_test(freshness_is_guessed_where_nothing_states_it),
        cmocka_unit_test(nothing_is_guessed_beyond_what_other_caches_are_told),
        cmocka_unit_test(what_is_not_fresh_is_stored_only_if_it_is_of_use),
        cmocka_unit_test(a_route_overrides_the_lifetime_and_nothing_else),
        cmocka_unit_test(set_cookie_is_shared_where_both_sides_allow_it),
        cmocka_unit_test(a_targeted_field_counts_instead_of_all_others),
        cmocka_unit_test(what_is_stored_carries_its_terms),
        cmocka_unit_test(a_credential_in_the_request_asks_for_more),
        cmocka_unit_test(without_a_default_only_stated_freshness_stores),
        cmocka_unit_test(a_status_is_stored_by_what_it_is_known_to_mean),
        cmocka_unit_test(a_head_response_is_never_stored),
        cmocka_unit_test(a_request_says_why_its_answer_is_not_stored),
        cmocka_unit_test(every_refusal_has_a_word_that_is_a_token),
        cmocka_unit_test(every_refusal_has_a_name),
    };
    return cmocka_run_group_tests(tests, name_credentials, NULL);
}
