#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "http/directives.h"

enum { ABSENT = GW_DIRECTIVE_ABSENT };
#define MOST (INT64_C(1) << 31)

static struct gw_directives read_fields(const char *first, const char *second, const char *pragma, bool is_request)
{
    struct gw_directives directives;
    struct gw_head head;
    struct gw_arena arena;
    gw_arena_init(&arena, 1024, 4096);
    gw_head_init(&head);
    if (first)
        assert_true(gw_head_add(&head, &arena, GW_SLICE("Cache-Control"), gw_slice_of_string(first)));
    if (second)
        assert_true(gw_head_add(&head, &arena, GW_SLICE("cache-control"), gw_slice_of_string(second)));
    if (pragma)
        assert_true(gw_head_add(&head, &arena, GW_SLICE("Pragma"), gw_slice_of_string(pragma)));
    gw_directives_read(&directives, &head, is_request);
    gw_arena_free(&arena);
    return directives;
}

static void numbers_are_read_the_safe_way(void **state)
{
    static const struct {
        const char *text;
        int64_t response, request;
    } rows[] = {
        { "", ABSENT, ABSENT },
        { "max-age=60", 60, 60 },
        { "MAX-AGE=60, public", 60, 60 },
        { "public , max-age=60 ", 60, 60 },
        { "max-age=\"60\"", 60, 60 }, /* RFC 9111 §5.2: both forms */
        { "max-age=0", 0, 0 },
        { "max-age=2147483648", MOST, MOST },
        { "max-age=99999999999999999999999", MOST, MOST },
        { "max-age=60, max-age=60", 60, 60 },
        { "max-age=60, max-age=30", 0, 30 },
        { "max-age=30, max-age=60", 0, 30 },
        { "max-age", 0, 0 },
        { "max-age=", 0, 0 },
        { "max-age=-1", 0, 0 },
        { "max-age=+1", 0, 0 },
        { "max-age=6 0", 0, 0 },
        { "max-age=60s", 0, 0 },
        { "max-age=6.5", 0, 0 },
        { "max-age = 60", 0, 0 },
        { "max-age=\"60", 0, 0 },
        { "max-age=\"\"", 0, 0 },
        { "x-max-age=60", ABSENT, ABSENT },
        { "foo=\"a, max-age=60\"", ABSENT, ABSENT },
    };
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_directives response = read_fields(rows[i].text, NULL, NULL, false);
        struct gw_directives request = read_fields(rows[i].text, NULL, NULL, true);
        if (response.max_age != rows[i].response || request.max_age != rows[i].request)
            fail_msg("%s: %lld, %lld", rows[i].text, (long long)response.max_age, (long long)request.max_age);
    }
    (void)state;
}

static void each_number_has_its_own_place(void **state)
{
    struct gw_directives d = read_fields(
        "s-maxage=1, min-fresh=2, max-stale=3, stale-while-revalidate=4, stale-if-error=5", NULL, NULL, true);
    assert_int_equal(d.s_maxage, 1);
    assert_int_equal(d.min_fresh, 2);
    assert_int_equal(d.max_stale, 3);
    assert_int_equal(d.stale_while_revalidate, 4);
    assert_int_equal(d.stale_if_error, 5);
    assert_int_equal(d.max_age, ABSENT);
    assert_false(d.max_stale_any);

    d = read_fields("max-stale, min-fresh=x", NULL, NULL, true);
    assert_true(d.max_stale_any);
    assert_int_equal(d.max_stale, ABSENT);
    assert_true(d.min_fresh == MOST);
    assert_int_equal(read_fields("min-fresh=5, min-fresh=9, min-fresh=7", NULL, NULL, true).min_fresh, 9);
    (void)state;
}

static void each_flag_has_its_own_place(void **state)
{
    struct gw_directives d = read_fields("No-Store", "must-revalidate, proxy-revalidate,no-transform", NULL, false);
    assert_true(d.no_store && d.must_revalidate && d.proxy_revalidate && d.no_transform && d.present);
    assert_false(d.no_cache || d.is_public || d.is_private || d.must_understand || d.immutable || d.only_if_cached);
    d = read_fields("public, must-understand, immutable, only-if-cached", NULL, NULL, false);
    assert_true(d.is_public && d.must_understand && d.immutable && d.only_if_cached);
    assert_false(d.no_store || d.must_revalidate || d.proxy_revalidate || d.no_transform);
    d = read_fields("no-store=1, public=x", NULL, NULL, false); /* what restricts counts, what permits does not */
    assert_true(d.no_store);
    assert_false(d.is_public);
    (void)state;
}

static void no_cache_and_private_may_be_about_fields(void **state)
{
    static const struct {
        const char *text;
        bool no_cache, fields, is_private, private_fields;
    } rows[] = {
        { "no-cache", true, false, false, false },
        { "private", false, false, true, false },
        { "no-cache=\"a, b\", private=\"c\"", false, true, false, true },
        { "no-cache=a", false, true, false, false },
        { "no-cache=\"a\", no-cache", true, true, false, false },
        { "no-cache=\"\"", true, false, false, false },
        { "private=", false, false, true, false },
        { "private=\"a", false, false, true, false },
        { "private=\"a b\"", false, false, true, false }, /* no field has such a name */
        { "no-cache=\"a\\b\"", true, false, false, false },
        { "no-cache=\",\"", true, false, false, false },
        { "private=\"a, Cache-Control\"", false, false, true, false }, /* a field that decides about caching */
        { "no-cache=expires, private=pragma", true, false, true, false },
    };
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_directives d = read_fields(rows[i].text, NULL, NULL, false);
        if (d.no_cache != rows[i].no_cache || d.no_cache_fields != rows[i].fields ||
            d.is_private != rows[i].is_private || d.private_fields != rows[i].private_fields)
            fail_msg("%s", rows[i].text);
    }
    (void)state;
}

static void a_quote_left_open_forbids_storing(void **state)
{
    assert_true(read_fields("foo=\"bar, no-store", NULL, NULL, false).no_store);
    assert_true(read_fields("foo=\"bar\\\", max-age=5", NULL, NULL, false).no_store);
    assert_false(read_fields("foo=\"bar\\\"\", max-age=5", NULL, NULL, false).no_store);
    assert_false(read_fields("must-understand, foo=\"bar", NULL, NULL, false).must_understand);
    (void)state;
}

static void of_what_is_no_list_of_directives_the_words_that_restrict_count(void **state)
{
    static const struct {
        const char *text;
        bool is_unclear, no_store, no_cache, is_private, must_revalidate;
        int64_t max_age;
    } rows[] = {
        { "private; max-age=0", true, false, false, true, false, 0 },
        { "no-cache; no-store", true, true, true, false, false, ABSENT },
        { "no-store no-cache", true, true, true, false, false, ABSENT },
        { "no-store\tno-cache", true, true, true, false, false, ABSENT },
        { "max-age=60; Private", true, false, false, true, false, 0 },
        { "max-age=60;", true, false, false, false, false, 0 },
        { "public; max-age=60", true, false, false, false, false, 0 },
        { "public max-age=60", true, false, false, false, false, 0 },
        { "max-age:60", true, false, false, false, false, 0 },
        { "max-age = 60", true, false, false, false, false, 0 },
        { "max-age=60, foo bar", true, false, false, false, false, 60 },
        { "max-age=60, foo=(private)", true, false, false, true, false, 60 },
        { "no-cache=", true, false, true, false, false, ABSENT },
        { "private =\"a\"", true, false, false, true, false, ABSENT },
        { "private=\"a\"b", true, false, false, true, false, ABSENT },
        { "x=\"no-store\" y", true, true, false, false, false, ABSENT },
        { "\"no-store\"", true, true, false, false, false, ABSENT },
        { "'no-store'", true, true, false, false, false, ABSENT },
        { "private\xa0", true, false, false, true, false, ABSENT },
        { "\xef\xbb\xbfno-store", true, true, false, false, false, ABSENT },
        { "no-store|private", true, true, false, true, false, ABSENT },
        { "must-revalidate; x", true, false, false, false, true, ABSENT },
        { ";", true, false, false, false, false, ABSENT },
        { "=60", true, false, false, false, false, ABSENT },
        { "foo bar", true, false, false, false, false, ABSENT },
        { "x-no-store; nostore", true, false, false, false, false, ABSENT }, /* whole words */
        { "", false, false, false, false, false, ABSENT },
        { " , ,", false, false, false, false, false, ABSENT },
        { "x=\"no-store; private\"", false, false, false, false, false, ABSENT },
        { "x=\"\\\"\", max-age=5", false, false, false, false, false, 5 },
        { "a.b_c-1=~!, max-age=5", false, false, false, false, false, 5 },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_directives d = read_fields(rows[i].text, NULL, NULL, false);
        struct gw_directives second = read_fields("x", rows[i].text, NULL, false);
        if (d.is_unclear != rows[i].is_unclear || d.no_store != rows[i].no_store || d.no_cache != rows[i].no_cache ||
            d.is_private != rows[i].is_private || d.must_revalidate != rows[i].must_revalidate ||
            d.max_age != rows[i].max_age)
            fail_msg("%s: %d %d %d %d %d %lld", rows[i].text, d.is_unclear, d.no_store, d.no_cache, d.is_private,
                     d.must_revalidate, (long long)d.max_age);
        if (second.is_unclear != d.is_unclear || second.no_store != d.no_store || second.max_age != d.max_age)
            fail_msg("%s, as a second line", rows[i].text);
    }
}

static void what_is_no_list_of_directives_permits_nothing(void **state)
{
    struct gw_directives d = read_fields("public, must-understand, immutable, s-maxage=5, a b", NULL, NULL, false);
    (void)state;
    assert_false(d.is_public || d.must_understand || d.immutable);
    assert_true(d.has_malformed);
    d = read_fields("public", "a;", NULL, false);
    assert_false(d.is_public);
}

static void a_request_that_is_no_list_of_directives_asks_for_the_most(void **state)
{
    struct gw_directives d = read_fields("no-cache; x", NULL, NULL, true);
    (void)state;
    assert_true(d.no_cache);
    assert_true(read_fields("no-store max-age=5", NULL, NULL, true).no_store);
    d = read_fields("max-age:9, min-fresh 1, max-stale = 4", NULL, NULL, true);
    assert_int_equal(d.max_age, 0);
    assert_true(d.min_fresh == MOST);
    assert_int_equal(d.max_stale, 0);
    assert_true(read_fields(NULL, NULL, "no-cache; x", true).no_cache);
    assert_true(read_fields(NULL, NULL, "x=\"No-Cache\"", true).no_cache);
    assert_false(read_fields(NULL, NULL, "x-no-cache", true).no_cache);
}

static void pragma_counts_in_requests_without_cache_control(void **state)
{
    assert_true(read_fields(NULL, NULL, "no-cache", true).no_cache);
    assert_false(read_fields(NULL, NULL, "no-cache", true).present);
    assert_false(read_fields(NULL, NULL, "no-cache", false).no_cache);
    assert_false(read_fields("max-age=5", NULL, "no-cache", true).no_cache);
    assert_false(read_fields(NULL, NULL, "other", true).no_cache);
    (void)state;
}

static void what_is_malformed_is_remembered(void **state)
{
    static const char *const malformed[] = { "max-age=x", "max-age", "s-maxage=1, s-maxage=2", "stale-if-error=-1" };
    static const char *const sound[] = { "", "max-age=1, max-age=1", "s-maxage=\"1\"", "foo=x, no-store=1" };
    for (size_t i = 0; i < GW_COUNT(malformed); i++)
        assert_true(read_fields(malformed[i], NULL, NULL, false).has_malformed);
    for (size_t i = 0; i < GW_COUNT(sound); i++)
        assert_false(read_fields(sound[i], NULL, NULL, false).has_malformed);
    (void)state;
}

static void a_field_may_be_named_by_no_cache_and_private(void **state)
{
    static const struct {
        const char *first, *second;
        bool x_a, set_cookie, any;
    } rows[] = {
        { NULL, NULL, false, false, false },
        { "max-age=5, no-cache, private", NULL, false, false, false },
        { "no-cache=\"x-a\"", NULL, true, false, true },
        { "no-cache=x-A", NULL, true, false, true },
        { "private=\"Set-Cookie, X-A\"", NULL, true, true, true },
        { "max-age=5", "no-cache=\"foo\", private=\"bar,set-cookie\"", false, true, true },
        { "x=\"x-a\", y=x-a, no-cache=\"x-ab\"", NULL, false, false, true },
        { "no-cache=\"x-a", NULL, false, false, false },
        { "no-cache=\"x-a, b c\"", NULL, false, false, false },
        { "max-age=5", "private=\"foo\"", false, false, true },
    };
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_head head;
        struct gw_arena arena;
        gw_arena_init(&arena, 1024, 4096);
        gw_head_init(&head);
        if (rows[i].first)
            assert_true(gw_head_add(&head, &arena, GW_SLICE("Cache-Control"), gw_slice_of_string(rows[i].first)));
        if (rows[i].second)
            assert_true(gw_head_add(&head, &arena, GW_SLICE("Cache-Control"), gw_slice_of_string(rows[i].second)));
        if (gw_directives_name_field(&head, GW_SLICE("X-A")) != rows[i].x_a ||
            gw_directives_name_field(&head, GW_SLICE("set-cookie")) != rows[i].set_cookie ||
            gw_directives_name_any(&head) != rows[i].any)
            fail_msg("%s", rows[i].first ? rows[i].first : "");
        gw_arena_free(&arena);
    }
    (void)state;
}

static struct gw_directives read_targeted(const char *first, const char *second, const char *cache_control)
{
    static const struct gw_slice fields[] = { { "first-cache-control", 19 }, { "second-cache-control", 20 } };
    struct gw_directives directives;
    struct gw_head head;
    struct gw_arena arena;
    gw_arena_init(&arena, 1024, 4096);
    gw_head_init(&head);
    if (second)
        assert_true(gw_head_add(&head, &arena, GW_SLICE("Second-Cache-Control"), gw_slice_of_string(second)));
    assert_true(gw_head_add(&head, &arena, GW_SLICE("Cache-Control"), gw_slice_of_string(cache_control)));
    for (size_t length; first; first = first[length] ? first + length + 1 : NULL) {
        length = strcspn(first, "\n");
        assert_true(gw_head_add(&head, &arena, GW_SLICE("First-Cache-Control"), gw_slice_of(first, length)));
    }
    gw_directives_read_targeted(&directives, &head, fields, GW_COUNT(fields));
    gw_arena_free(&arena);
    return directives;
}

/* RFC 9213 §2.1, RFC 8941 §4.2 */
static void a_targeted_field_is_a_dictionary_or_nothing(void **state)
{
    static const struct {
        const char *text;
        int64_t max_age; /* 77, from Cache-Control: not a dictionary */
    } rows[] = {
        { "max-age=5", 5 },
        { "max-age=0005", 5 },
        { "max-age=5;a;b=2; c=\"x\"", 5 },
        { "a, max-age=5\t ,\tb=(1 \"2\" c;d=?0);e, f=:YQ==:, *g=?1, h=-1.125, i=a/b:c", 5 },
        { "max-age=5, max-age=6", 6 },
        { "max-age=6\nmax-age=5", 5 },
        { "max-age=999999999999999", MOST },
        { "max-age=-5", 0 },
        { "max-age=5.0", 0 },
        { "max-age=\"5\"", 0 },
        { "max-age=abc", 0 },
        { "max-age", 0 },
        { "max-age=(5)", 0 },
        { "public", ABSENT },
        { "a=( ), b=\"\\\"\\\\\", c=()", ABSENT },
        { "", 77 },
        { "max-age=5,", 77 },
        { ",max-age=5", 77 },
        { "max-age=5,,a", 77 },
        { "max-age=5\n", 77 }, /* a second line, empty: a comma at the end */
        { "max-age=5\n,", 77 },
        { "max-age= 5", 77 },
        { "max-age =5", 77 },
        { "max-age=", 77 },
        { "Max-Age=5", 77 },
        { "max-age=5, 1a", 77 },
        { "max-age=5, a=\"b", 77 },
        { "max-age=5, a=\"\\b\"", 77 },
        { "max-age=5, a=\"\xe9\"", 77 },
        { "max-age=5 a", 77 },
        { "max-age=5, a=?2", 77 },
        { "max-age=5, a=:b", 77 },
        { "max-age=5, a=:&:", 77 },
        { "max-age=5, a=(1", 77 },
        { "max-age=5, a=(1\t2)", 77 },
        { "max-age=5, a=(1,2)", 77 },
        { "max-age=5, a=(\"1\"\"2\")", 77 },
        { "max-age=5, a;", 77 },
        { "max-age=5, a;B", 77 },
        { "max-age=5, a=1.", 77 },
        { "max-age=5, a=1.2345", 77 },
        { "max-age=5, a=1234567890123.1", 77 },
        { "max-age=5, a=-", 77 },
        { "max-age=1234567890123456", 77 },
        { "max-age=5, &", 77 },
    };
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_directives d = read_targeted(rows[i].text, NULL, "max-age=77");
        if (d.max_age != rows[i].max_age || d.is_targeted != (rows[i].max_age != 77))
            fail_msg("%s: %lld", rows[i].text, (long long)d.max_age);
    }
    (void)state;
}

static void the_first_targeted_field_that_is_valid_counts(void **state)
{
    assert_int_equal(read_targeted("max-age=1", "max-age=2", "max-age=77").max_age, 1);
    assert_int_equal(read_targeted("max-age=1,", "max-age=2", "max-age=77").max_age, 2);
    assert_int_equal(read_targeted(NULL, "max-age=2", "max-age=77").max_age, 2);
    assert_int_equal(read_targeted(NULL, NULL, "max-age=77").max_age, 77);
    assert_false(read_targeted(NULL, NULL, "max-age=77").is_targeted);
    struct gw_directives d = read_targeted("max-age=1", NULL, "no-store, private, s-maxage=5");
    assert_false(d.no_store || d.is_private || d.s_maxage != ABSENT);
    d = read_targeted("no-store, private=\"a\"", NULL, "public");
    assert_true(d.no_store && d.is_private && !d.private_fields && !d.is_public && d.present);
    d = read_targeted("no-store=?0, no-cache=(a), public=1, must-revalidate=1, private=?0", NULL, "max-age=77");
    assert_true(!d.no_store && d.no_cache && !d.is_public && d.must_revalidate && !d.is_private);
    d = read_targeted("no-store, no-store=?0, max-age=x, s-maxage=4", NULL, "max-age=77");
    assert_true(!d.no_store && d.has_malformed && d.s_maxage == 4);
    d = read_targeted("no-cache, private, no-cache=?0, private=?0", NULL, "max-age=77");
    assert_false(d.no_cache || d.is_private);
    (void)state;
}

static void a_targeted_field_that_is_no_dictionary_may_only_forbid(void **state)
{
    struct gw_directives d = read_targeted("no-store;", NULL, "max-age=77, public");
    (void)state;
    assert_true(d.no_store && d.is_unclear && !d.is_targeted && !d.is_public && d.max_age == 77);
    d = read_targeted("max-age=0; Private", "max-age=5, public", "max-age=77");
    assert_true(d.is_private && d.is_unclear && d.is_targeted && !d.is_public && d.max_age == 5);
    d = read_targeted("max-age=5 x", "private;", "max-age=77"); /* none is valid, but each may forbid */
    assert_true(d.is_private && d.is_unclear && d.max_age == 77);
    d = read_targeted("max-age=5", "no-store;", "max-age=77"); /* the first that is valid counts */
    assert_false(d.no_store || d.is_unclear);
    d = read_targeted("", NULL, "max-age=77, public");
    assert_true(d.is_public && !d.is_unclear);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_read_the_safe_way),
        cmocka_unit_test(each_number_has_its_own_place),
        cmocka_unit_test(each_flag_has_its_own_place),
        cmocka_unit_test(no_cache_and_private_may_be_about_fields),
        cmocka_unit_test(a_quote_left_open_forbids_storing),
        cmocka_unit_test(of_what_is_no_list_of_directives_the_words_that_restrict_count),
        cmocka_unit_test(what_is_no_list_of_directives_permits_nothing),
        cmocka_unit_test(a_request_that_is_no_list_of_directives_asks_for_the_most),
        cmocka_unit_test(pragma_counts_in_requests_without_cache_control),
        cmocka_unit_test(what_is_malformed_is_remembered),
        cmocka_unit_test(a_field_may_be_named_by_no_cache_and_private),
        cmocka_unit_test(a_targeted_field_is_a_dictionary_or_nothing),
        cmocka_unit_test(the_first_targeted_field_that_is_valid_counts),
        cmocka_unit_test(a_targeted_field_that_is_no_dictionary_may_only_forbid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
