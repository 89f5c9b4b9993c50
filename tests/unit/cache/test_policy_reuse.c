#include "unit/cache/heads.h"
#include "cache/policy.h"
#include "cache/vary.h"

/* Sun, 06 Nov 1994 08:49:37 GMT */
#define NOW_S INT64_C(784111777)

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

static const struct gw_cache_rules rules = { .default_ttl_s = 300,
                                             .override_ttl_s = GW_DIRECTIVE_ABSENT,
                                             .heuristic_max_s = 86400,
                                             .keep_s = 60,
                                             .credentials = &credentials };

/* Read by a request without anything. */
static struct gw_cache_terms terms_of(struct gw_arena *arena, const struct gw_head *response)
{
    struct gw_cache_request request;
    struct gw_cache_life life;
    struct gw_head asked = request_head(arena, "GET", "");
    gw_policy_read_request(&request, &asked, &rules);
    assert_int_equal(gw_policy_may_store(&request, &asked, response, &rules, NOW_S, NOW_S, &life), GW_CACHE_STORABLE);
    return life.terms;
}

static void a_response_is_reused_where_the_request_allows_it(void **state)
{
    static const struct row {
        const char *section, *method, *request, *response;
        int64_t age_s, freshness_s;
        enum gw_reuse reuse;
    } rows[] = {
        { "9111 §4", "GET", "", "Cache-Control: max-age=60", 59, 60, GW_REUSE_FRESH },
        { "9111 §4.2", "GET", "", "Cache-Control: max-age=60", 60, 60, GW_REUSE_VALIDATED },
        { "9111 §4.2", "GET", "", "Cache-Control: max-age=60", 9999, 60, GW_REUSE_VALIDATED },
        { "9110 §9.3.2", "HEAD", "", "Cache-Control: max-age=60", 0, 60, GW_REUSE_FRESH },
        { "9111 §4", "POST", "", "Cache-Control: max-age=60", 0, 60, GW_REUSE_NO },
        { "9110 §14.2", "GET", "Range: bytes=0-0", "Cache-Control: max-age=60", 1, 60, GW_REUSE_FRESH },
        { "9110 §13.1.1", "GET", "If-Match: \"a\"", "Cache-Control: max-age=60", 1, 60, GW_REUSE_NO },
        { "9111 §5.2.1.4", "GET", "Cache-Control: no-cache", "Cache-Control: max-age=60", 0, 60, GW_REUSE_VALIDATED },
        { "9111 §5.2.1.4", "GET", "Cache-Control: no-cache, max-stale", "Cache-Control: max-age=60", 61, 60,
          GW_REUSE_VALIDATED },
        { "9111 §5.2.1.5", "GET", "Cache-Control: no-store", "Cache-Control: max-age=60", 0, 60, GW_REUSE_NO },
        { "9111 §5.4", "GET", "Pragma: no-cache", "Cache-Control: max-age=60", 0, 60, GW_REUSE_VALIDATED },
        { "9111 §5.2.1.1", "GET", "Cache-Control: max-age=10", "Cache-Control: max-age=60", 10, 60, GW_REUSE_FRESH },
        { "9111 §5.2.1.1", "GET", "Cache-Control: max-age=10", "Cache-Control: max-age=60", 11, 60,
          GW_REUSE_VALIDATED },
        { "9111 §5.2.1.1", "GET", "Cache-Control: max-age=0", "Cache-Control: max-age=60", 0, 60, GW_REUSE_VALIDATED },
        { "9111 §5.2.1.3", "GET", "Cache-Control: min-fresh=10", "Cache-Control: max-age=60", 50, 60, GW_REUSE_FRESH },
        { "9111 §5.2.1.3", "GET", "Cache-Control: min-fresh=10", "Cache-Control: max-age=60", 51, 60,
          GW_REUSE_VALIDATED },
        { "9111 §5.2.1.3", "GET", "Cache-Control: min-fresh=10, max-stale", "Cache-Control: max-age=60", 51, 60,
          GW_REUSE_VALIDATED },
        { "9111 §5.2.1.2", "GET", "Cache-Control: max-stale=9", "Cache-Control: max-age=60", 69, 60, GW_REUSE_STALE },
        { "9111 §5.2.1.2", "GET", "Cache-Control: max-stale=9", "Cache-Control: max-age=60", 70, 60,
          GW_REUSE_VALIDATED },
        { "9111 §5.2.1.2", "GET", "Cache-Control: max-stale", "Cache-Control: max-age=60", 99999, 60, GW_REUSE_STALE },
        { "9111 §5.2.1.2", "GET", "Cache-Control: max-stale=0", "Cache-Control: max-age=60", 60, 60,
          GW_REUSE_VALIDATED },
        { "9111 §5.2.1.2", "GET", "Cache-Control: max-stale=x", "Cache-Control: max-age=60", 61, 60,
          GW_REUSE_VALIDATED },
        { "9111 §5.2.1.2", "GET", "Cache-Control: max-stale=9, max-age=65", "Cache-Control: max-age=60", 65, 60,
          GW_REUSE_STALE },
        { "9111 §5.2.1.2", "GET", "Cache-Control: max-stale=9, max-age=65", "Cache-Control: max-age=60", 66, 60,
          GW_REUSE_VALIDATED },
        { "9111 §5.2.2.2", "GET", "Cache-Control: max-stale", "Cache-Control: max-age=60, must-revalidate", 61, 60,
          GW_REUSE_VALIDATED },
        { "9111 §5.2.2.8", "GET", "Cache-Control: max-stale", "Cache-Control: max-age=60, proxy-revalidate", 61, 60,
          GW_REUSE_VALIDATED },
        { "9111 §5.2.2.10", "GET", "Cache-Control: max-stale", "Cache-Control: s-maxage=60", 61, 60,
          GW_REUSE_VALIDATED },
        { "9111 §5.2.2.2", "GET", "", "Cache-Control: max-age=60, must-revalidate", 59, 60, GW_REUSE_FRESH },
        { "9111 §5.2.2.4", "GET", "", "Cache-Control: no-cache, max-age=60\nETag: \"a\"", 1, 60, GW_REUSE_VALIDATED },
        { "9111 §5.2.1.7", "GET", "Cache-Control: only-if-cached", "Cache-Control: max-age=60", 1, 60, GW_REUSE_FRESH },
        { "5861 §3", "GET", "", "Cache-Control: max-age=60, stale-while-revalidate=9", 60, 60, GW_REUSE_REVALIDATING },
        { "5861 §3", "GET", "", "Cache-Control: max-age=60, stale-while-revalidate=9", 68, 60, GW_REUSE_REVALIDATING },
        { "5861 §3", "GET", "", "Cache-Control: max-age=60, stale-while-revalidate=9", 69, 60, GW_REUSE_VALIDATED },
        { "5861 §3", "GET", "", "Cache-Control: max-age=60, stale-while-revalidate=9, must-revalidate", 61, 60,
          GW_REUSE_VALIDATED },
        { "5861 §3", "GET", "Cache-Control: max-age=99", "Cache-Control: max-age=60, stale-while-revalidate=9", 61, 60,
          GW_REUSE_VALIDATED },
        { "5861 §3", "GET", "Cache-Control: min-fresh=0", "Cache-Control: max-age=60, stale-while-revalidate=9", 60, 60,
          GW_REUSE_VALIDATED },
        { "5861 §3", "GET", "Cache-Control: max-stale=5", "Cache-Control: max-age=60, stale-while-revalidate=9", 66, 60,
          GW_REUSE_VALIDATED },
        { "5861 §3", "GET", "Cache-Control: max-stale=5", "Cache-Control: max-age=60, stale-while-revalidate=9", 65, 60,
          GW_REUSE_STALE },
        { "5861 §4", "GET", "", "Cache-Control: max-age=60, stale-if-error=9", 61, 60, GW_REUSE_VALIDATED },
        { "credential rule", "GET", "", "", 1, 300, GW_REUSE_FRESH },
        { "credential rule", "GET", "Cookie: a=b", "", 1, 300, GW_REUSE_NO },
        { "credential rule", "GET", "X-Api-Key: a", "", 1, 300, GW_REUSE_NO },
        { "credential rule", "GET", "Cookie: a=b", "Last-Modified: Sun, 06 Nov 1983 08:39:37 GMT", 1, 300,
          GW_REUSE_NO },
        { "credential rule", "GET", "Cookie: a=b", "Cache-Control: max-age=60", 1, 60, GW_REUSE_FRESH },
        { "9111 §3.5", "GET", "Authorization: Basic eA==", "Cache-Control: max-age=60", 1, 60, GW_REUSE_NO },
        { "9111 §3.5", "GET", "Authorization: Basic eA==", "Cache-Control: max-age=60, public", 1, 60, GW_REUSE_FRESH },
        { "9111 §3.5", "GET", "Authorization: Basic eA==", "Cache-Control: s-maxage=60", 1, 60, GW_REUSE_FRESH },
        { "9111 §3.5", "GET", "Authorization: Basic eA==", "Cache-Control: max-age=60, must-revalidate", 1, 60,
          GW_REUSE_FRESH },
        { "side fields", "GET", "X-Original-URL: /x", "Cache-Control: max-age=60", 1, 60, GW_REUSE_NO },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_arena arena;
        struct gw_cache_request request;
        struct gw_head selection;
        open_arena(&arena);
        gw_head_init(&selection);
        struct gw_head asking = request_head(&arena, rows[i].method, rows[i].request);
        struct gw_head response = response_head(&arena, 200, rows[i].response);
        struct gw_cache_terms terms = terms_of(&arena, &response);
        gw_policy_read_request(&request, &asking, &rules);
        enum gw_reuse reuse = gw_policy_reuse(&request, &asking, &terms, &selection, rows[i].age_s,
                                              rows[i].freshness_s);
        if (reuse != rows[i].reuse)
            fail_msg("%s: %s [%s] [%s] at %lld: %d, expected %d", rows[i].section, rows[i].method, rows[i].request,
                     rows[i].response, (long long)rows[i].age_s, (int)reuse, (int)rows[i].reuse);
        gw_arena_free(&arena);
    }
}

static void a_stale_response_answers_on_error_where_both_sides_allow_it(void **state)
{
    static const struct row {
        const char *section, *request, *response;
        int64_t age_s;
        bool may_answer, may_answer_by_rules; /* of 60 s; 1000 s by the rules */
    } rows[] = {
        { "5861 §4", "", "Cache-Control: max-age=60, stale-if-error=9", 68, true, true },
        { "5861 §4", "", "Cache-Control: max-age=60, stale-if-error=9", 69, false, true },
        { "5861 §4", "", "Cache-Control: max-age=60", 60, false, true },
        { "5861 §4", "", "Cache-Control: max-age=60", 1059, false, true },
        { "5861 §4", "", "Cache-Control: max-age=60", 1060, false, false },
        { "5861 §4", "", "Cache-Control: max-age=60, stale-if-error=2000", 1060, true, true },
        { "5861 §4", "Cache-Control: stale-if-error=2000", "Cache-Control: max-age=60", 61, false, true },
        { "9111 §5.2.2.2", "", "Cache-Control: max-age=60, stale-if-error=9, must-revalidate", 61, false, false },
        { "9111 §5.2.2.8", "", "Cache-Control: max-age=60, stale-if-error=9, proxy-revalidate", 61, false, false },
        { "9111 §5.2.2.10", "", "Cache-Control: s-maxage=60, stale-if-error=9", 61, false, false },
        { "9111 §5.2.2.4", "", "Cache-Control: max-age=60, no-cache\nETag: \"a\"", 61, false, false },
        { "9111 §5.2.1.4", "Cache-Control: no-cache", "Cache-Control: max-age=60, stale-if-error=9", 61, false, false },
        { "9111 §5.4", "Pragma: no-cache", "Cache-Control: max-age=60, stale-if-error=9", 61, false, false },
        { "9111 §4.2.4", "Cache-Control: max-age=9", "Cache-Control: max-age=60", 20, true, true }, /* still fresh */
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_arena arena;
        struct gw_cache_request request;
        open_arena(&arena);
        struct gw_head asking = request_head(&arena, "GET", rows[i].request);
        struct gw_head response = response_head(&arena, 200, rows[i].response);
        struct gw_cache_terms terms = terms_of(&arena, &response);
        gw_policy_read_request(&request, &asking, &rules);
        if (gw_policy_may_answer_on_error(&request, &terms, rows[i].age_s, 60) != rows[i].may_answer)
            fail_msg("%s: [%s] [%s] at %lld", rows[i].section, rows[i].request, rows[i].response,
                     (long long)rows[i].age_s);
        struct gw_cache_rules by = rules;
        struct gw_cache_life life;
        struct gw_cache_request storing;
        struct gw_head asked = request_head(&arena, "GET", "");
        by.stale_if_error_s = 1000;
        gw_policy_read_request(&storing, &asked, &by);
        assert_int_equal(gw_policy_may_store(&storing, &asked, &response, &by, NOW_S, NOW_S, &life), GW_CACHE_STORABLE);
        if (gw_policy_may_answer_on_error(&request, &life.terms, rows[i].age_s, 60) != rows[i].may_answer_by_rules)
            fail_msg("%s: [%s] [%s] at %lld by the rules", rows[i].section, rows[i].request, rows[i].response,
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
    struct gw_cache_terms terms = terms_of(&arena, &response);
    struct gw_head stored = request_head(&arena, "GET", "Accept: a");
    struct gw_head other = request_head(&arena, "GET", "Accept: b");
    assert_true(gw_vary_select(&selection, &arena, &stored, &response));
    gw_policy_read_request(&request, &stored, &rules);
    assert_int_equal(gw_policy_reuse(&request, &stored, &terms, &selection, 0, 60), GW_REUSE_FRESH);
    assert_int_equal(gw_policy_reuse(&request, &other, &terms, &selection, 0, 60), GW_REUSE_NO);
    assert_int_equal(gw_policy_reuse(&request, &other, &terms, &selection, 60, 60), GW_REUSE_NO);
    gw_arena_free(&arena);
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
        { "9110 §13.1.3", "GET", "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT", 200,
          "Last-Modified: once\nDate: Sun, 06 Nov 1994 08:49:37 GMT", false },
        { "9110 §13.1.3", "GET",
          "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT", 200,
          "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT", false },
        { "9111 §4.3.2", "GET", "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT", 200,
          "Date: Sun, 06 Nov 1994 08:49:37 GMT", true },
        { "9111 §4.3.2", "GET", "If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT", 200,
          "Date: Sun, 06 Nov 1994 08:49:37 GMT", false },
        { "9110 §13.1.3", "GET", "If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT", 200,
          "Last-Modified: Sun Nov  6 08:49:37 1994", true },
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

static void a_304_updates_the_response_that_it_is_about(void **state)
{
    static const struct row {
        const char *section, *stored;
        int status;
        const char *update;
        bool may_update;
    } rows[] = {
        { "9111 §4.3.4", "ETag: \"a\"", 304, "ETag: \"a\"", true },
        { "9111 §4.3.4", "ETag: \"a\"", 304, "ETag: \"b\"", false },
        { "9111 §4.3.4", "ETag: W/\"a\"", 304, "ETag: W/\"a\"", true },
        { "9111 §4.3.4", "ETag: W/\"a\"", 304, "ETag: \"a\"", true },
        { "9111 §4.3.4", "ETag: \"a\"", 304, "ETag: a", false },
        { "9111 §4.3.4", "ETag: \"a\"", 304, "ETag: \"a\"\nETag: \"a\"", false },
        { "9111 §4.3.4", "ETag: \"a\"", 304, "", true },
        { "9111 §4.3.4", "", 304, "", true },
        { "9111 §4.3.4", "", 304, "ETag: \"a\"", false },
        { "9111 §4.3.4", "Last-Modified: x", 304, "ETag: \"a\"", false },
        { "9111 §4.3.4", "Last-Modified: x", 304, "Last-Modified: x", true },
        { "9111 §4.3.4", "Last-Modified: x", 304, "Last-Modified: y", false },
        { "9111 §4.3.4", "Last-Modified: x", 304, "Last-Modified: x\nLast-Modified: x", false },
        { "9111 §4.3.4", "Last-Modified: x", 304, "", true },
        { "9111 §4.3.4", "Last-Modified: x", 304, "Last-Modified: x\nETag: \"a\"", true },
        { "9111 §4.3.4", "ETag: \"a\"\nLast-Modified: x", 304, "Last-Modified: y", false },
        { "9111 §4.3.4", "ETag: \"a\"\nLast-Modified: x", 304, "ETag: \"a\"\nLast-Modified: y", true },
        { "9111 §4.3.4", "ETag: \"a\"", 304, "Last-Modified: x", false },
        { "9111 §4.3.4", "ETag: \"a\"", 304, "Content-Length: 5", true },
        { "9111 §4.3.5", "ETag: \"a\"", 200, "ETag: \"a\"\nContent-Length: 9", true },
        { "9111 §4.3.5", "ETag: \"a\"", 200, "ETag: \"a\"\nContent-Length: 5", false },
        { "9111 §4.3.5", "ETag: \"a\"", 200, "ETag: \"a\"\nContent-Length: x", false },
        { "9111 §4.3.5", "ETag: \"a\"", 200, "ETag: \"b\"\nContent-Length: 9", false },
        { "9111 §4.3.5", "ETag: \"a\"", 200, "ETag: \"a\"", true },
        { "9111 §4.3.5", "", 200, "Content-Length: 9", true },
        { "9111 §4.3.5", "ETag: \"a\"", 404, "ETag: \"a\"\nContent-Length: 9", false },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_arena arena;
        open_arena(&arena);
        struct gw_head stored = response_head(&arena, 200, rows[i].stored);
        struct gw_head update = response_head(&arena, rows[i].status, rows[i].update);
        if (gw_policy_may_update(&stored, 9, &update) != rows[i].may_update)
            fail_msg("%s: [%s] by %d [%s]", rows[i].section, rows[i].stored, rows[i].status, rows[i].update);
        gw_arena_free(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_response_is_reused_where_the_request_allows_it),
        cmocka_unit_test(a_stale_response_answers_on_error_where_both_sides_allow_it),
        cmocka_unit_test(a_variant_is_reused_for_requests_that_select_it),
        cmocka_unit_test(a_conditional_is_fulfilled_as_rfc_9110_says),
        cmocka_unit_test(a_304_updates_the_response_that_it_is_about),
    };
    return cmocka_run_group_tests(tests, name_credentials, NULL);
}
