#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <time.h>
#include "base/base.h"
#include "http/date.h"

struct row {
    int64_t seconds;
    const char *text;
};

static void a_date_is_printed_as_imf_fixdate(void **state)
{
    static const struct row rows[] = {
        { 784111777, "Sun, 06 Nov 1994 08:49:37 GMT" },  { 0, "Thu, 01 Jan 1970 00:00:00 GMT" },
        { -1, "Wed, 31 Dec 1969 23:59:59 GMT" },         { 951782400, "Tue, 29 Feb 2000 00:00:00 GMT" },
        { 4107542400, "Mon, 01 Mar 2100 00:00:00 GMT" }, { 253402300799, "Fri, 31 Dec 9999 23:59:59 GMT" },
        { INT64_MAX, "Fri, 31 Dec 9999 23:59:59 GMT" },  { INT64_MIN, "Sat, 01 Jan 0000 00:00:00 GMT" },
    };
    char text[GW_DATE_BYTES + 1] = "";
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        gw_date_print(text, rows[i].seconds);
        assert_string_equal(text, rows[i].text);
    }
    (void)state;
}

static void what_is_printed_is_read_back(void **state)
{
    char text[GW_DATE_BYTES], library[64];
    for (int64_t seconds = -62167219200; seconds <= 253402300799; seconds += 86400 * 97 + 12345) {
        int64_t back;
        time_t at = (time_t)seconds;
        struct tm tm;
        gw_date_print(text, seconds);
        assert_true(gw_date_parse(gw_slice_of(text, sizeof text), 0, &back));
        assert_true(back == seconds);
        if (seconds < -30610224000) /* strftime pads no year before 1000 */
            continue;
        assert_int_equal(strftime(library, sizeof library, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&at, &tm)),
                         sizeof text);
        assert_memory_equal(text, library, sizeof text);
    }
    (void)state;
}

static void all_three_formats_are_read(void **state)
{
    static const struct row rows[] = {
        { 784111777, "Sun, 06 Nov 1994 08:49:37 GMT" },  { 784111777, "Sunday, 06-Nov-94 08:49:37 GMT" },
        { 784111777, "Sun Nov  6 08:49:37 1994" },       { 784975777, "Wed Nov 16 08:49:37 1994" },
        { 1483228800, "Sat, 31 Dec 2016 23:59:60 GMT" }, /* a leap second */
        { 784111777, "sun, 06 NOV 1994 08:49:37 gmt" },  { 784111777, "SUNDAY, 06-nov-94 08:49:37 Gmt" },
        { 784111777, "SUN nov  6 08:49:37 1994" },
    };
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        int64_t seconds = 0;
        if (!gw_date_parse(gw_slice_of_string(rows[i].text), 1000000000, &seconds) || seconds != rows[i].seconds)
            fail_msg("%s: %lld", rows[i].text, (long long)seconds);
    }
    (void)state;
}

static void two_digits_are_at_most_fifty_years_ahead(void **state)
{
    static const struct {
        int64_t now;
        const char *text, *same;
    } rows[] = {
        { 1000000000, "Monday, 01-Jan-51 00:00:00 GMT", "Sun, 01 Jan 2051 00:00:00 GMT" }, /* now is 9 Sep 2001 */
        { 1000000000, "Monday, 01-Jan-52 00:00:00 GMT", "Tue, 01 Jan 1952 00:00:00 GMT" },
        { 1000000000, "Monday, 01-Jan-01 00:00:00 GMT", "Mon, 01 Jan 2001 00:00:00 GMT" },
        { 946684799, "Monday, 01-Jan-05 00:00:00 GMT", "Sat, 01 Jan 2005 00:00:00 GMT" }, /* over the century */
        { 1767225600, "Monday, 01-Jan-94 00:00:00 GMT", "Sat, 01 Jan 1994 00:00:00 GMT" },
    };
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        int64_t seconds = 0, same = 0;
        assert_true(gw_date_parse(gw_slice_of_string(rows[i].text), rows[i].now, &seconds));
        assert_true(gw_date_parse(gw_slice_of_string(rows[i].same), rows[i].now, &same));
        assert_true(seconds == same);
    }
    (void)state;
}

static void what_is_no_date_is_refused(void **state)
{
    static const char *const rows[] = {
        "",
        "0",
        "-1",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 EST",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        " Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun 06 Nov 1994 08:49:37 GMT",
        "Son, 06 Nov 1994 08:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nob 1994 08:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Wed, 29 Feb 1995 08:49:37 GMT",
        "Wed, 29 Feb 1900 08:49:37 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov  6 08:49:37 94",
        "Sunday, 29-Feb-95 08:49:37 GMT",
    };
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        int64_t seconds;
        if (gw_date_parse(gw_slice_of_string(rows[i]), 1000000000, &seconds))
            fail_msg("read: %s", rows[i]);
    }
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_date_is_printed_as_imf_fixdate), cmocka_unit_test(what_is_printed_is_read_back),
        cmocka_unit_test(all_three_formats_are_read),       cmocka_unit_test(two_digits_are_at_most_fifty_years_ahead),
        cmocka_unit_test(what_is_no_date_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
