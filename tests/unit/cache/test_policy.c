#include "unit/cache/heads.h"
#include "cache/policy.h"
#include "cache/vary.h"

/* Sun, 06 Nov 1994 08:49:37 GMT */
#define NOW_S INT64_C(784111777)
#define DATE  "Date: Sun, 06 Nov 1994 08:49:37 GMT\n"

static const struct gw_slice credential_fields[] = { { "x-api-key", 9 } };
static const struct gw_cache_rules rules = { .default_ttl_s = 300,
                                             .credential_fields = credential_fields,
                                             .credential_field_count = 1 };
static const struct gw_cache_rules trusting_rules = { .default_ttl_s = 300, .with_credentials = true };
static const struct gw_cache_rules explicit_rules = { .default_ttl_s = 0 };

static void a_request_says_what_the_cache_may_do(void **state)
{
    static const struct row {
        const char *section, *method, *fields;
        bool is_candidate, may_look_up, may_store, may_join;
    } rows[] = {
        { "9111 §3", "GET", "", true, true, true, true },
        { "9110 §9.3.2", "HEAD", "", true, true, false, false },
        { "9111 §3", "POST", "", false, false, false, false },
        { "9111 §3", "PUT", "", false, false, false, false },
        { "9111 §3", "OPTIONS", "", false, false, false, false },
        { "9110 §9.1", "get", "", false, false, false, false },
        { "9111 §5.2.1.5", "GET", "Cache-Control: no-store", true, false, false, false },
        { "9111 §5.2.1.4", "GET", "Cache-Control: no-cache", true, false, true, false },
        { "9111 §5.2.1.4", "GET", "Cache-Control: no-cache=\"x\"", true, false, true, false },
        { "9111 §5.4", "GET", "Pragma: no-cache", true, false, true, false },
        { "9111 §5.4", "GET", "Pragma: no-cache\nCache-Control: max-age=9", true, true, true, true },
        { "9111 §5.2.1.1", "GET", "Cache-Control: max-age=0", true, false, true, false },
        { "9111 §5.2.1.1", "GET", "Cache-Control: max-age=1", true, true, true, true },
        { "9111 §5.2.1.1", "GET", "Cache-Control: max-age=x", true, false, true, false },
        { "9111 §5.2.1.2", "GET", "Cache-Control: max-stale", true, true, true, true },
        { "9111 §5.2.1.7", "GET", "Cache-Control: only-if-cached", true, true, true, false },
        { "9110 §14.2", "GET", "Range: bytes=0-1", false, false, false, false },
        { "9110 §13.1.1", "GET", "If-Match: \"a\"", false, false, false, false },
        { "9110 §13.1.4", "GET", "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT", false, false, false, false },
        { "9110 §13.1.2", "GET", "If-None-Match: \"a\"", true, true, true, true },
        { "9111 §3.5", "GET", "Authorization: Basic eA==", true, true, true, false },
        { "CACHE.md flights", "GET", "Cookie: id=1", true, true, true, true },
        { "side fields", "GET", "X-HTTP-Method-Override: DELETE", false, false, false, false },
        { "side fields", "GET", "X-HTTP-Method: DELETE", false, false, false, false },
        { "side fields", "GET", "X-Method-Override: DELETE", false, false, false, false },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_arena arena;
        struct gw_cache_request request;
        open_arena(&arena);
        struct gw_head head = request_head(&arena, rows[i].method, rows[i].fields);
        gw_policy_read_request(&request, &head, &rules);
        if (request.is_candidate != rows[i].is_candidate || request.may_look_up != rows[i].may_look_up ||
            request.may_store != rows[i].may_store || request.may_join != rows[i].may_join)
            fail_msg("%s: %s %s: candidate %d, look up %d, store %d, join %d", rows[i].section, rows[i].method,
                     rows[i].fields, request.is_candidate, request.may_look_up, request.may_store, request.may_join);
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
    bool by_default;
};

static void check_store_rows(const struct store_row *rows, size_t count, const struct gw_cache_rules *by)
{
    for (size_t i = 0; i < count; i++) {
        const struct store_row *row = &rows[i];
        struct gw_arena arena;
        struct gw_cache_request request;
        struct gw_cache_life life = { -1, -1, false };
        open_arena(&arena);
        struct gw_head asked = request_head(&arena, "GET", row->request);
        struct gw_head response = response_head(&arena, row->status, row->response);
        gw_policy_read_request(&request, &asked, by);
        enum gw_cache_refusal refusal = gw_policy_may_store(&request, &asked, &response, by, NOW_S, NOW_S, &life);
        if (refusal != row->refusal)
            fail_msg("%s: [%s] %d [%s] is %s, expected %s", row->section, row->request, row->status, row->response,
                     gw_cache_refusal_name(refusal), gw_cache_refusal_name(row->refusal));
        if (refusal == GW_CACHE_STORABLE &&
            (life.age_s != row->age_s || life.freshness_s != row->freshness_s || life.by_default != row->by_default))
            fail_msg("%s: %d [%s] has age %lld, freshness %lld", row->section, row->status, row->response,
                     (long long)life.age_s, (long long)life.freshness_s);
        gw_arena_free(&arena);
    }
}

#define STORED(age, freshness) GW_CACHE_STORABLE, (age), (freshness), false
#define BY_DEFAULT             GW_CACHE_STORABLE, 0, 300, true
#define REFUSED(reason)        GW_CACHE_##reason, 0, 0, false

static void a_response_is_stored_where_directives_allow_it(void **state)
{
    static const struct store_row rows[] = {
        { "9111 §5.2.2.1", "", 200, "Cache-Control: max-age=60", STORED(0, 60) },
        { "9111 §5.2.2.10", "", 200, "Cache-Control: max-age=60, s-maxage=5", STORED(0, 5) },
        { "9111 §5.2.2.10", "", 200, "Cache-Control: max-age=60, s-maxage=0", REFUSED(STALE) },
        { "9111 §4.2.1", "", 200, "Cache-Control: max-age=60, max-age=5", REFUSED(STALE) },
        { "9111 §4.2.1", "", 200, "Cache-Control: max-age=abc", REFUSED(STALE) },
        { "9111 §4.2.1", "", 200, "Cache-Control: max-age=60\nExpires: 0", STORED(0, 60) },
        { "9111 §5.3", "", 200, DATE "Expires: Sun, 06 Nov 1994 08:50:07 GMT", STORED(0, 30) },
        { "9111 §5.3", "", 200, "Expires: 0", REFUSED(STALE) },
        { "9111 §5.3", "", 200, "Expires: Sun, 06 Nov 1994 08:50:07 GMT\nExpires: Sun, 06 Nov 1994 08:50:07 GMT",
          REFUSED(STALE) },
        { "9111 §4.2.3", "", 200, "Cache-Control: max-age=60\nAge: 59", STORED(59, 60) },
        { "9111 §4.2.3", "", 200, "Cache-Control: max-age=60\nAge: 60", REFUSED(STALE) },
        { "9111 §4.2.3", "", 200, "Date: Sun, 06 Nov 1994 08:49:07 GMT\nCache-Control: max-age=60", STORED(30, 60) },
        { "9111 §4.2.3", "", 200, "Date: Sun, 06 Nov 1994 08:48:07 GMT\nCache-Control: max-age=60", REFUSED(STALE) },
        { "9111 §4.2", "", 200, "", BY_DEFAULT },
        { "9111 §4.2.2", "", 200, "Last-Modified: Sun, 06 Nov 1993 08:49:37 GMT", BY_DEFAULT },
        { "9111 §5.2.2.9", "", 200, "Cache-Control: public", BY_DEFAULT },
        { "9111 §5.2.2.2", "", 200, "Cache-Control: must-revalidate", BY_DEFAULT },
        { "9111 §5.2.2.5", "", 200, "Cache-Control: no-store", REFUSED(NO_STORE) },
        { "9111 §5.2.2.5", "", 200, "Cache-Control: No-Store, max-age=60", REFUSED(NO_STORE) },
        { "9111 §5.2.2.5", "", 200, "Cache-Control: max-age=60\nCache-Control: no-store", REFUSED(NO_STORE) },
        { "9111 §5.2.2.7", "", 200, "Cache-Control: private, max-age=60", REFUSED(PRIVATE) },
        { "9111 §5.2.2.7", "", 200, "Cache-Control: private=\"x-a\", max-age=60", REFUSED(PRIVATE) },
        { "9111 §5.2.2.7", "", 200, "Cache-Control: private, public, s-maxage=60", REFUSED(PRIVATE) },
        { "9111 §5.2.2.4", "", 200, "Cache-Control: no-cache, max-age=60", REFUSED(NO_CACHE) },
        { "9111 §5.2.2.4", "", 200, "Cache-Control: no-cache=\"x-a\", max-age=60", REFUSED(NO_CACHE) },
        { "9111 §5.4", "", 200, "Pragma: no-cache", REFUSED(NO_CACHE) },
        { "9111 §5.4", "", 200, "Pragma: no-cache\nCache-Control: max-age=60", STORED(0, 60) },
        { "9111 §7.3", "", 200, "Cache-Control: max-age=60, public\nSet-Cookie: a=b", REFUSED(SET_COOKIE) },
        { "9111 §4.1", "", 200, "Cache-Control: max-age=60\nVary: *", REFUSED(VARY) },
        { "9111 §4.1", "", 200, "Cache-Control: max-age=60\nVary: Accept", STORED(0, 60) },
        { "9111 §4.1", "", 200, "Cache-Control: max-age=60\nVary: X-Forwarded-For", REFUSED(VARY) },
        { "9111 §5.2.1.5", "Cache-Control: no-store", 200, "Cache-Control: max-age=60", REFUSED(REQUEST_FORBIDS) },
        { "9111 §5.2.1.4", "Cache-Control: no-cache", 200, "Cache-Control: max-age=60", STORED(0, 60) },
        { "9111 §3.3", "Range: bytes=0-0", 200, "Cache-Control: max-age=60", REFUSED(REQUEST_FORBIDS) },
        { "9111 §3.3", "", 206, "Cache-Control: max-age=60", REFUSED(PARTIAL) },
        { "9111 §3.3", "", 200, "Cache-Control: max-age=60\nContent-Range: bytes 0-0/9", REFUSED(PARTIAL) },
    };
    (void)state;
    check_store_rows(rows, GW_COUNT(rows), &rules);
}

static void a_credential_in_the_request_asks_for_more(void **state)
{
    static const struct store_row rows[] = {
        { "credential rule", "Cookie: a=b", 200, "", REFUSED(CREDENTIAL) },
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
        { "9111 §3.5", "Authorization: Basic eA==", 200, "Cache-Control: max-age=60, must-revalidate", STORED(0, 60) },
        { "9111 §3.5", "Authorization: Basic eA==", 200, "Cache-Control: public", REFUSED(CREDENTIAL) },
    };
    static const struct store_row trusting[] = {
        { "credential rule", "Cookie: a=b", 200, "", BY_DEFAULT },
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
        { "default TTL 0", "", 200, "", REFUSED(STALE) },
        { "default TTL 0", "", 200, "Cache-Control: public", REFUSED(STALE) },
        { "default TTL 0", "", 200, "Cache-Control: max-age=1", STORED(0, 1) },
    };
    (void)state;
    check_store_rows(rows, GW_COUNT(rows), &explicit_rules);
}

static void a_status_is_stored_by_what_it_is_known_to_mean(void **state)
{
    static const struct row {
        int status;
        bool by_default, by_public, if_explicit, if_understood;
    } rows[] = {
        /* RFC 9110 §15.1, RFC 9111 §3 and §5.2.2.3, RFC 6585 §3 to §6 */
        { 100, false, false, false, false }, { 101, false, false, false, false }, { 199, false, false, false, false },
        { 200, true, true, true, true },     { 201, false, false, true, false },  { 203, true, true, true, true },
        { 204, false, true, true, true },    { 206, false, false, false, false }, { 299, false, false, true, false },
        { 300, true, true, true, true },     { 301, true, true, true, true },     { 302, false, false, true, true },
        { 303, false, false, true, false },  { 304, false, false, false, false }, { 307, false, false, true, true },
        { 308, true, true, true, true },     { 400, false, false, true, false },  { 401, false, false, true, false },
        { 403, false, false, true, false },  { 404, false, true, true, true },    { 405, false, true, true, true },
        { 407, false, false, false, false }, { 410, true, true, true, true },     { 414, false, true, true, true },
        { 428, false, false, false, false }, { 429, false, false, false, false }, { 431, false, false, false, false },
        { 500, false, false, true, false },  { 501, false, true, true, true },    { 503, false, false, true, false },
        { 511, false, false, false, false }, { 599, false, false, true, false },  { 600, false, false, false, false },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        static const char *const fields[] = { "", "Cache-Control: public", "Cache-Control: max-age=60",
                                              "Cache-Control: max-age=60, no-store, must-understand" };
        const bool expected[] = { rows[i].by_default, rows[i].by_public, rows[i].if_explicit, rows[i].if_understood };
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

static void a_response_is_reused_where_the_request_allows_it(void **state)
{
    static const struct row {
        const char *section, *method, *request, *response;
        int64_t age_s, freshness_s;
        bool may_reuse;
    } rows[] = {
        { "9111 §4", "GET", "", "Cache-Control: max-age=60", 59, 60, true },
        { "9111 §4.2", "GET", "", "Cache-Control: max-age=60", 60, 60, false },
        { "9110 §9.3.2", "HEAD", "", "Cache-Control: max-age=60", 0, 60, true },
        { "9111 §4", "POST", "", "Cache-Control: max-age=60", 0, 60, false },
        { "9111 §5.2.1.4", "GET", "Cache-Control: no-cache", "Cache-Control: max-age=60", 0, 60, false },
        { "9111 §5.2.1.5", "GET", "Cache-Control: no-store", "Cache-Control: max-age=60", 0, 60, false },
        { "9111 §5.4", "GET", "Pragma: no-cache", "Cache-Control: max-age=60", 0, 60, false },
        { "9111 §5.2.1.1", "GET", "Cache-Control: max-age=10", "Cache-Control: max-age=60", 10, 60, true },
        { "9111 §5.2.1.1", "GET", "Cache-Control: max-age=10", "Cache-Control: max-age=60", 11, 60, false },
        { "9111 §5.2.1.1", "GET", "Cache-Control: max-age=0", "Cache-Control: max-age=60", 0, 60, false },
        { "9111 §5.2.1.3", "GET", "Cache-Control: min-fresh=10", "Cache-Control: max-age=60", 50, 60, true },
        { "9111 §5.2.1.3", "GET", "Cache-Control: min-fresh=10", "Cache-Control: max-age=60", 51, 60, false },
        { "9111 §5.2.1.2", "GET", "Cache-Control: max-stale=99", "Cache-Control: max-age=60", 61, 60, false },
        { "9111 §5.2.1.7", "GET", "Cache-Control: only-if-cached", "Cache-Control: max-age=60", 1, 60, true },
        { "9110 §14.2", "GET", "Range: bytes=0-0", "Cache-Control: max-age=60", 1, 60, false },
        { "9111 §4.1", "GET", "", "Vary: *\nCache-Control: max-age=60", 1, 60, false },
        { "9111 §5.2.2.5", "GET", "", "Cache-Control: no-store, max-age=60", 1, 60, false },
        { "9111 §5.2.2.7", "GET", "", "Cache-Control: private, max-age=60", 1, 60, false },
        { "9111 §5.2.2.4", "GET", "", "Cache-Control: no-cache, max-age=60", 1, 60, false },
        { "9111 §7.3", "GET", "", "Set-Cookie: a=b\nCache-Control: max-age=60", 1, 60, false },
        { "credential rule", "GET", "", "", 1, 300, true },
        { "credential rule", "GET", "Cookie: a=b", "", 1, 300, false },
        { "credential rule", "GET", "X-Api-Key: a", "", 1, 300, false },
        { "credential rule", "GET", "Cookie: a=b", "Cache-Control: max-age=60", 1, 60, true },
        { "9111 §3.5", "GET", "Authorization: Basic eA==", "Cache-Control: max-age=60", 1, 60, false },
        { "9111 §3.5", "GET", "Authorization: Basic eA==", "Cache-Control: max-age=60, public", 1, 60, true },
        { "9111 §3.5", "GET", "Authorization: Basic eA==", "Cache-Control: s-maxage=60", 1, 60, true },
        { "9111 §3.5", "GET", "Authorization: Basic eA==", "Cache-Control: max-age=60, must-revalidate", 1, 60, true },
        /* no selection is known: only without Vary and side fields */
        { "9111 §4.1", "GET", "Accept: a", "Vary: Accept\nCache-Control: max-age=60", 1, 60, false },
        { "side fields", "GET", "X-Original-URL: /x", "Cache-Control: max-age=60", 1, 60, false },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_arena arena;
        struct gw_cache_request request;
        open_arena(&arena);
        struct gw_head asking = request_head(&arena, rows[i].method, rows[i].request);
        struct gw_head response = response_head(&arena, 200, rows[i].response);
        gw_policy_read_request(&request, &asking, &rules);
        if (gw_policy_may_reuse(&request, &asking, &response, NULL, rows[i].age_s, rows[i].freshness_s) !=
            rows[i].may_reuse)
            fail_msg("%s: %s [%s] [%s] at %lld", rows[i].section, rows[i].method, rows[i].request, rows[i].response,
                     (long long)rows[i].age_s);
        gw_arena_free(&arena);
    }
}

static void a_variant_is_reused_for_requests_that_select_it(void **state)
{
    struct gw_arena arena;
    struct gw_cache_request request;
    struct gw_head selection;
    (void)state;
    open_arena(&arena);
    struct gw_head response = response_head(&arena, 200, "Vary: Accept\nCache-Control: max-age=60");
    struct gw_head stored = request_head(&arena, "GET", "Accept: a");
    struct gw_head other = request_head(&arena, "GET", "Accept: b");
    assert_true(gw_vary_select(&selection, &arena, &stored, &response));
    gw_policy_read_request(&request, &stored, &rules);
    assert_true(gw_policy_may_reuse(&request, &stored, &response, &selection, 0, 60));
    assert_false(gw_policy_may_reuse(&request, &other, &response, &selection, 0, 60));
    gw_arena_free(&arena);
}

/* What could not have been stored for a request is not reused for it: over all pairs of a few heads. */
static void nothing_is_reused_that_this_request_could_not_have_stored(void **state)
{
    static const char *const requests[] = { "",
                                            "Cookie: a=b",
                                            "Authorization: Basic eA==",
                                            "X-Api-Key: a",
                                            "Cache-Control: no-store",
                                            "Cache-Control: max-age=5",
                                            "Range: bytes=0-1",
                                            "X-Original-URL: /x" };
    static const char *const responses[] = { "",
                                             "Cache-Control: max-age=60",
                                             "Cache-Control: public",
                                             "Cache-Control: s-maxage=60",
                                             "Cache-Control: private",
                                             "Cache-Control: no-store",
                                             "Cache-Control: no-cache, max-age=9",
                                             "Cache-Control: max-age=60, must-revalidate",
                                             "Set-Cookie: a=b",
                                             "Vary: *",
                                             "Expires: 0",
                                             "Pragma: no-cache",
                                             "Cache-Control: max-age=60\nVary: Cookie" };
    static const int statuses[] = { 200, 204, 206, 302, 404, 429, 500 };
    unsigned reused = 0;
    (void)state;
    for (size_t i = 0; i < GW_COUNT(requests) * GW_COUNT(responses) * GW_COUNT(statuses); i++) {
        struct gw_arena arena;
        struct gw_cache_request request;
        struct gw_cache_life life = { 0, 60, false };
        struct gw_head selection;
        open_arena(&arena);
        struct gw_head asking = request_head(&arena, "GET", requests[i % GW_COUNT(requests)]);
        struct gw_head response = response_head(&arena, statuses[i / GW_COUNT(requests) % GW_COUNT(statuses)],
                                                responses[i / GW_COUNT(requests) / GW_COUNT(statuses)]);
        assert_true(gw_vary_select(&selection, &arena, &asking, &response));
        gw_policy_read_request(&request, &asking, &rules);
        bool stored = gw_policy_may_store(&request, &asking, &response, &rules, NOW_S, NOW_S, &life) ==
                      GW_CACHE_STORABLE;
        bool may_reuse = gw_policy_may_reuse(&request, &asking, &response, &selection, life.age_s, life.freshness_s);
        assert_true(stored || !may_reuse);
        reused += may_reuse;
        gw_arena_free(&arena);
    }
    assert_true(reused > 50);
}

static void a_conditional_is_fulfilled_as_rfc_9110_says(void **state)
{
    static const struct row {
        const char *section, *method, *request;
        int status;
        const char *response;
        bool is_not_modified;
    } rows[] = {
        { "9110 §13.1.2", "GET", "If-None-Match: \"a\"", 200, "ETag: \"a\"", true },
        { "9110 §13.1.2", "HEAD", "If-None-Match: \"a\"", 200, "ETag: \"a\"", true },
        { "9110 §13.1.2", "GET", "If-None-Match: \"b\"", 200, "ETag: \"a\"", false },
        { "9110 §8.8.3.2", "GET", "If-None-Match: W/\"a\"", 200, "ETag: \"a\"", true },
        { "9110 §8.8.3.2", "GET", "If-None-Match: \"a\"", 200, "ETag: W/\"a\"", true },
        { "9110 §8.8.3", "GET", "If-None-Match: w/\"a\"", 200, "ETag: \"a\"", false },
        { "9110 §13.1.2", "GET", "If-None-Match: \"b\", W/\"c\" ,\"a\"", 200, "ETag: \"a\"", true },
        { "9110 §13.1.2", "GET", "If-None-Match: \"b\"\nIf-None-Match: \"a\"", 200, "ETag: \"a\"", true },
        { "9110 §8.8.3", "GET", "If-None-Match: \"b,\\\", \"a\"", 200, "ETag: \"a\"", true },
        { "9110 §8.8.3", "GET", "If-None-Match: \"x, y\"", 200, "ETag: \"x, y\"", true },
        { "9110 §13.1.2", "GET", "If-None-Match: *", 200, "", true },
        { "9110 §13.1.2", "GET", "If-None-Match: a", 200, "ETag: \"a\"", false },
        { "9110 §13.1.2", "GET", "If-None-Match: \"a", 200, "ETag: \"a\"", false },
        { "9110 §13.1.2", "GET", "If-None-Match:", 200, "ETag: \"a\"", false },
        { "9110 §13.1.2", "GET", "If-None-Match: \"a\"", 200, "", false },
        { "9110 §13.1.2", "GET", "If-None-Match: \"\"", 200, "ETag:", false },
        { "9110 §13.1.2", "GET", "If-None-Match: \"\"", 200, "ETag: \"\"", true },
        { "9110 §8.8.3", "GET", "If-None-Match: \"a\"", 200, "ETag: \"a\"\nETag: \"b\"", false },
        { "9110 §8.8.3", "GET", "If-None-Match: \"a\"", 200, "ETag: \"a\" x", false },
        { "9110 §13.2.1", "GET", "If-None-Match: \"a\"", 404, "ETag: \"a\"", false },
        { "9110 §13.2.1", "POST", "If-None-Match: \"a\"", 200, "ETag: \"a\"", false },
        { "9110 §13.1.3", "GET", "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT", 200,
          "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT", true },
        { "9110 §13.1.3", "GET", "If-Modified-Since: Sun, 06 Nov 1994 08:49:38 GMT", 200,
          "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT", true },
        { "9110 §13.1.3", "GET", "If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT", 200,
          "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT", false },
        { "9110 §13.1.3", "GET", "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT", 200, "", false },
        { "9110 §13.1.3", "GET", "If-Modified-Since: now", 200, "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT", false },
        { "9110 §13.1.3", "GET", "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT", 200, "Last-Modified: once",
          false },
        { "9110 §13.2.2", "GET", "If-None-Match: \"b\"\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT", 200,
          "ETag: \"a\"\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT", false },
        { "9110 §13.2.2", "GET", "If-None-Match: \"a\"\nIf-Modified-Since: Sun, 06 Nov 1993 08:49:37 GMT", 200,
          "ETag: \"a\"\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT", true },
        { "9110 §13.1.2", "GET", "", 200, "ETag: \"a\"", false },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_arena arena;
        open_arena(&arena);
        struct gw_head asking = request_head(&arena, rows[i].method, rows[i].request);
        struct gw_head response = response_head(&arena, rows[i].status, rows[i].response);
        if (gw_policy_is_not_modified(&asking, &response, NOW_S) != rows[i].is_not_modified)
            fail_msg("%s: %s [%s] %d [%s]", rows[i].section, rows[i].method, rows[i].request, rows[i].status,
                     rows[i].response);
        gw_arena_free(&arena);
    }
}

static void every_refusal_has_a_name(void **state)
{
    (void)state;
    for (unsigned i = 0; i < GW_CACHE_REFUSAL_COUNT; i++) {
        assert_non_null(gw_cache_refusal_name((enum gw_cache_refusal)i));
        for (unsigned k = 0; k < i; k++)
            assert_string_not_equal(gw_cache_refusal_name((enum gw_cache_refusal)i),
                                    gw_cache_refusal_name((enum gw_cache_refusal)k));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_says_what_the_cache_may_do),
        cmocka_unit_test(a_request_with_a_body_or_an_upgrade_is_no_candidate),
        cmocka_unit_test(credentials_are_cookie_authorization_and_what_is_configured),
        cmocka_unit_test(a_response_is_stored_where_directives_allow_it),
        cmocka_unit_test(a_credential_in_the_request_asks_for_more),
        cmocka_unit_test(without_a_default_only_stated_freshness_stores),
        cmocka_unit_test(a_status_is_stored_by_what_it_is_known_to_mean),
        cmocka_unit_test(a_head_response_is_never_stored),
        cmocka_unit_test(a_response_is_reused_where_the_request_allows_it),
        cmocka_unit_test(a_variant_is_reused_for_requests_that_select_it),
        cmocka_unit_test(nothing_is_reused_that_this_request_could_not_have_stored),
        cmocka_unit_test(a_conditional_is_fulfilled_as_rfc_9110_says),
        cmocka_unit_test(every_refusal_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
