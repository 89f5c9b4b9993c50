#include "unit/exchange/played_fetch.h"

#include "filter/table.h"

/* RFC 9110 §7.6.2: OPTIONS and TRACE with Max-Forwards go one hop less far; at 0 the gateway answers. */

static const struct gw_filter *const filters[] = { &gw_filter_identify, &gw_filter_max_forwards, NULL };

static void max_forwards_counts_down_and_ends_here_at_none(void **state)
{
    static const struct {
        const char *method, *value; /* NULL: there is no such field */
        int status;                 /* 0: it goes on */
        const char *forwarded;
    } rows[] = {
        { "OPTIONS", "5", 0, "4" },
        { "OPTIONS", "1", 0, "0" },
        { "OPTIONS", "0", 204, NULL },
        { "OPTIONS", NULL, 0, NULL },
        { "OPTIONS", "-1", 0, "-1" }, /* no number: the next recipient's to judge */
        { "OPTIONS", "one", 0, "one" },
        { "OPTIONS", "000", 204, NULL },
        { "OPTIONS", "18446744073709551616", 0, "18446744073709551616" },
        { "OPTIONS", "18446744073709551615", 0, "18446744073709551614" },
        { "OPTIONS", "10", 0, "9" },
        { "TRACE", "0", 501, NULL }, /* the request is never told back */
        { "TRACE", "3", 0, "2" },
        { "GET", "0", 0, "0" }, /* other methods know no such field */
        { "POST", "3", 0, "3" },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct stage *stage = open_stage(NULL, filters);
        char given[80] = "", line[80] = "";
        played_fetch = (struct gw_fetch) { .reader = NULL };
        if (rows[i].value)
            snprintf(given, sizeof given, "Max-Forwards: %s", rows[i].value);
        if (rows[i].forwarded)
            snprintf(line, sizeof line, "Max-Forwards: %s\r\n", rows[i].forwarded);
        asks(stage, rows[i].method, "/", given);
        assert_int_equal(status(stage), rows[i].status);
        assert_int_equal(played_fetch.begun, rows[i].status == 0);
        if (rows[i].forwarded)
            assert_non_null(strstr(played_fetch.fields, line));
        else
            assert_null(strstr(played_fetch.fields, "Max-Forwards"));
        if (played_fetch.reader)
            tells_fail(GW_ERROR_CONNECT);
        close_stage(stage);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(max_forwards_counts_down_and_ends_here_at_none) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
