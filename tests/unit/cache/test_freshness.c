#include "unit/cache/heads.h"
#include "cache/freshness.h"

/* Sun, 06 Nov 1994 08:49:37 GMT */
#define NOW_S INT64_C(784111777)

static void the_age_counts_everything_since_the_origin(void **state)
{
    static const struct row {
        const char *fields;
        int64_t sent_before_s, age_s;
    } rows[] = {
        /* RFC 9111 §4.2.3, §5.1 */
        { "", 0, 0 },
        { "", 3, 3 },  /* time on the wire */
        { "", -5, 0 }, /* the clock went back meanwhile */
        { "Age: 10", 0, 10 },
        { "Age: 10", 2, 12 },
        { "Date: Sun, 06 Nov 1994 08:49:07 GMT", 0, 0 }, /* no apparent age: see freshness.h */
        { "Date: Sun, 06 Nov 1994 08:49:07 GMT", 3, 3 },
        { "Date: Sun, 06 Nov 1994 08:49:07 GMT\nAge: 50", 0, 50 },
        { "Date: Sun, 06 Nov 1994 08:49:07 GMT\nAge: 20", 5, 25 },
        { "Date: Sun, 06 Nov 1994 09:49:37 GMT", 0, 0 }, /* a backend's clock ahead */
        { "Date: yesterday\nAge: 7", 0, 7 },
        { "Age: 1, 9", 0, 1 }, /* the first */
        { "Age: 9, x", 0, 9 },
        { "Age: 1\nAge: 9", 0, 1 },
        { "Age: \nAge: 9", 0, 9 },
        { "Age: x, 9", 0, 0 },
        { "Age: ten", 0, 0 }, /* ignored */
        { "Age: \"9\"", 0, 0 },
        { "Age: 9;a=1", 0, 0 },
        { "Age:", 0, 0 },
        { "Age: -5", 0, 0 },
        { "Age: 1.5", 0, 0 },
        { "Age: 2147483649", 0, INT64_C(1) << 31 }, /* §1.2.2 */
        { "Age: 99999999999999999999999999", 9, INT64_C(1) << 31 },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_arena arena;
        open_arena(&arena);
        struct gw_head response = response_head(&arena, 200, rows[i].fields);
        int64_t age_s = gw_freshness_age_s(&response, NOW_S - rows[i].sent_before_s, NOW_S);
        if (age_s != rows[i].age_s)
            print_error("row %zu: %s\n", i, rows[i].fields);
        assert_int_equal(age_s, rows[i].age_s);
        gw_arena_free(&arena);
    }
}

static void the_lifetime_is_the_first_that_is_stated(void **state)
{
    static const struct row {
        const char *fields;
        bool is_explicit;
        int64_t lifetime_s;
    } rows[] = {
        /* RFC 9111 §4.2.1, §5.3 */
        { "Cache-Control: s-maxage=9, max-age=5\nExpires: Sun, 06 Nov 1994 08:50:37 GMT", true, 9 },
        { "Cache-Control: max-age=5\nExpires: Sun, 06 Nov 1994 08:50:37 GMT", true, 5 },
        { "Cache-Control: max-age=0\nExpires: Sun, 06 Nov 1994 08:50:37 GMT", true, 0 },
        { "Cache-Control: s-maxage=0, max-age=5", true, 0 },
        { "Expires: Sun, 06 Nov 1994 08:50:37 GMT", true, 60 }, /* counted from when it came */
        { "Date: Sun, 06 Nov 1994 08:50:07 GMT\nExpires: Sun, 06 Nov 1994 08:50:37 GMT", true, 30 },
        { "Date: Sun, 06 Nov 1994 08:50:37 GMT\nExpires: Sun, 06 Nov 1994 08:50:37 GMT", true, 0 },
        { "Date: Sun, 06 Nov 1994 07:00:00 GMT\nExpires: Sun, 06 Nov 1994 08:50:37 GMT", true,
          60 }, /* never beyond it */
        { "Expires: Sun, 06 Nov 1994 08:50:37 UTC", true, 0 },
        { "Expires: Sun, 06 Nov 1994 08:40:00 GMT", true, 0 },
        { "Expires: 0", true, 0 },
        { "Expires:", true, 0 },
        { "Expires: Sun, 06 Nov 1994 08:50:37 GMT\nExpires: Sun, 06 Nov 1994 08:50:37 GMT", true, 0 },
        { "Date: soon\nExpires: Sun, 06 Nov 1994 08:50:37 GMT", true, 0 },
        { "Last-Modified: Sun, 06 Nov 1993 08:50:37 GMT", false, 0 },
        { "", false, 0 },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_arena arena;
        struct gw_directives directives;
        open_arena(&arena);
        struct gw_head response = response_head(&arena, 200, rows[i].fields);
        gw_directives_read(&directives, &response, false);
        assert_int_equal(gw_freshness_is_explicit(&response, &directives), rows[i].is_explicit);
        if (rows[i].is_explicit) {
            int64_t lifetime_s = gw_freshness_lifetime_s(&response, &directives, NOW_S);
            if (lifetime_s != rows[i].lifetime_s)
                print_error("row %zu: %s\n", i, rows[i].fields);
            assert_int_equal(lifetime_s, rows[i].lifetime_s);
        }
        gw_arena_free(&arena);
    }
}

static void a_targeted_field_makes_expires_mean_nothing(void **state)
{
    static const struct gw_slice name = { "cdn-cache-control", 17 };
    struct gw_arena arena;
    struct gw_directives directives;
    (void)state;
    open_arena(&arena);
    struct gw_head response = response_head(&arena, 200, "Expires: 0\nCDN-Cache-Control: public");
    gw_directives_read_targeted(&directives, &response, &name, 1);
    assert_false(gw_freshness_is_explicit(&response, &directives));
    gw_directives_read_targeted(&directives, &response, &name, 0);
    assert_true(gw_freshness_is_explicit(&response, &directives));
    gw_arena_free(&arena);
}

static void a_guess_is_a_tenth_of_the_time_since_the_last_change(void **state)
{
    static const struct row {
        const char *fields;
        bool has_last_modified;
        int64_t guess_s; /* 1000 at most */
    } rows[] = {
        /* RFC 9111 §4.2.2 */
        { "", false, 0 },
        { "Last-Modified: Sun, 06 Nov 1994 08:39:37 GMT", true, 60 },
        { "Last-Modified: Sun, 06 Nov 1994 08:49:28 GMT", true, 0 },
        { "Last-Modified: Sun, 06 Nov 1983 08:39:37 GMT", true, 1000 },
        { "Last-Modified: Sun, 06 Nov 1994 08:49:38 GMT", true, 0 },
        { "Last-Modified: Sun, 06 Nov 1994 08:39:37 GMT\nDate: Sun, 06 Nov 1994 08:41:17 GMT", true, 10 },
        { "Last-Modified: Sun, 06 Nov 1994 08:39:37 GMT\nDate: soon", true, 0 },
        { "Last-Modified: then", false, 0 },
        { "Last-Modified: Sun, 06 Nov 1983 08:39:37 GMT\nLast-Modified: Sun, 06 Nov 1983 08:39:37 GMT", false, 0 },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_arena arena;
        open_arena(&arena);
        struct gw_head response = response_head(&arena, 200, rows[i].fields);
        if (gw_freshness_has_last_modified(&response, NOW_S) != rows[i].has_last_modified ||
            gw_freshness_guess_s(&response, NOW_S, 1000) != rows[i].guess_s)
            fail_msg("row %zu: %s", i, rows[i].fields);
        gw_arena_free(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_age_counts_everything_since_the_origin),
        cmocka_unit_test(the_lifetime_is_the_first_that_is_stated),
        cmocka_unit_test(a_targeted_field_makes_expires_mean_nothing),
        cmocka_unit_test(a_guess_is_a_tenth_of_the_time_since_the_last_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
