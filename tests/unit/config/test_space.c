#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "config/load.h"

/* The last route's space, copied. */
static void put_space(char space[160], const char *json)
{
    struct gw_complaint complaint;
    struct gw_config *config = gw_config_of(json, &complaint);
    if (!config)
        fail_msg("%s: %s: found %s, expected %s", json, complaint.place, complaint.found, complaint.expected);
    snprintf(space, 160, "%.*s", GW_SLICE_ARGS(config->routes[config->route_count - 1].cache_space));
    gw_config_unref(config);
}

static void instances_share_a_space_only_if_they_answer_the_same(void **state)
{
    static const struct row {
        const char *one, *other;
        bool is_shared;
    } rows[] = {
        /* however they are written, and in whatever order */
        { "{\"backend\": {\"url\": \"http://a\"}}", "{\"backend\": {\"url\": \"HTTP://A:80/\"}}", true },
        { "{\"backend\": {\"url\": \"https://a:443/\"}}", "{\"backend\": {\"url\": \"https://A\"}}", true },
        { "{\"backend\": {\"url\": \"http://a,http://b\"}}", "{\"backend\": {\"url\": \"http://b/,http://a:80\"}}",
          true },
        { "{\"backend\": {\"url\": \"http://a,http://b\"}}",
          "{\"backend\": {\"url\": \"http://b,http://a,http://b/\"}}", true },
        { "{\"backend\": {\"url\": \"http://[::1]:8000\"}}", "{\"backend\": {\"url\": \"http://[0:0::1]:8000\"}}",
          true },
        { "{\"backend\": {\"url\": \"http://a/v1\"}}", "{\"backend\": {\"url\": \"http://a/v1/\"}}", true },
        { "{\"backend\": {\"url\": \"http://a\"}}",
          "{\"backend\": {\"url\": \"http://b\"},"
          "\"routes\": [{\"name\": \"default\", \"backend\": \"http://a\"}]}",
          true },
        { "{\"backend\": {\"url\": \"http://a\"}}",
          "{\"backend\": {\"url\": \"http://a\", \"retries\": 3},"
          "\"cache\": {\"keep\": \"1h\"}, \"server\": {\"port\": 9000}}",
          true },
        /* others */
        { "{\"backend\": {\"url\": \"http://prod\"}}", "{\"backend\": {\"url\": \"http://staging\"}}", false },
        { "{\"backend\": {\"url\": \"http://a\"}}", "{\"backend\": {\"url\": \"https://a\"}}", false },
        { "{\"backend\": {\"url\": \"http://a:80\"}}", "{\"backend\": {\"url\": \"http://a:8000\"}}", false },
        { "{\"backend\": {\"url\": \"http://a\"}}", "{\"backend\": {\"url\": \"http://a,http://b\"}}", false },
        { "{\"backend\": {\"url\": \"http://a/v1\"}}", "{\"backend\": {\"url\": \"http://a/v2\"}}", false },
        { "{\"backend\": {\"url\": \"http://a/v1\"}}", "{\"backend\": {\"url\": \"http://a/V1\"}}", false },
        { "{\"backend\": {\"url\": \"http://a\"}}",
          "{\"backend\": {\"url\": \"http://a\", \"rewrite_location\": false}}", false },
        { "{\"backend\": {\"url\": \"http://a\", \"preserve_host\": \"auto\"}}",
          "{\"backend\": {\"url\": \"http://a\", \"preserve_host\": \"true\"}}", true },
        { "{\"backend\": {\"url\": \"https://a\", \"preserve_host\": \"auto\"}}",
          "{\"backend\": {\"url\": \"https://a\", \"preserve_host\": false}}", true },
        { "{\"backend\": {\"url\": \"https://a\", \"preserve_host\": true}}",
          "{\"backend\": {\"url\": \"https://a\", \"preserve_host\": false}}", false },
        { "{\"backend\": {\"url\": \"http://a\"}}", "{\"backend\": {\"url\": \"http://a\", \"forwarded\": true}}",
          false },
        { "{\"backend\": {\"url\": \"http://a\"}}",
          "{\"backend\": {\"url\": \"http://a\"}, \"cors\": {\"enabled\": false}}", false },
        { "{\"backend\": {\"url\": \"http://a\"}}",
          "{\"backend\": {\"url\": \"http://a\"}, \"cors\": {\"origins\": [\"*\"]}}", false },
        { "{\"backend\": {\"url\": \"http://a\"}, \"cors\": {\"origins\": [\"http://b\"]}}",
          "{\"backend\": {\"url\": \"http://a\"}, \"cors\": {\"origins\": [\"*\"]}}", true },
        { "{\"backend\": {\"url\": \"http://a\"}}",
          "{\"backend\": {\"url\": \"http://a\"}, \"routes\": [{\"name\": \"all\"}]}", false },
        /* said by hand */
        { "{\"backend\": {\"url\": \"http://a\"}, \"cache\": {\"namespace\": \"shop\"}}",
          "{\"backend\": {\"url\": \"http://a,http://b\"}, \"cache\": {\"namespace\": \"shop\"}}", true },
        { "{\"backend\": {\"url\": \"http://a\"}, \"cache\": {\"namespace\": \"shop\"}}",
          "{\"backend\": {\"url\": \"http://a\"}, \"cache\": {\"namespace\": \"shop-2\"}}", false },
        { "{\"backend\": {\"url\": \"http://a\"}, \"cache\": {\"namespace\": \"shop\"}}",
          "{\"backend\": {\"url\": \"http://a\"}}", false },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char one[160], other[160];
        put_space(one, rows[i].one);
        put_space(other, rows[i].other);
        if ((strcmp(one, other) == 0) != rows[i].is_shared)
            fail_msg("row %zu: %s | %s", i, rows[i].one, rows[i].other);
    }
}

static void the_written_one_stands_before_the_route(void **state)
{
    char space[160];
    (void)state;
    put_space(space, "{\"cache\": {\"namespace\": \"shop\"}}");
    assert_string_equal(space, "shop\ndefault");
    put_space(space, "{}");
    assert_int_equal(strlen(space), 64 + 1 + strlen("default"));
}

static void what_no_line_can_hold_is_refused(void **state)
{
    struct gw_complaint complaint;
    (void)state;
    assert_null(gw_config_of("{\"cache\": {\"namespace\": \"a\\nb\"}}", &complaint));
    assert_null(gw_config_of("{\"cache\": {\"namespace\": \"a b\"}}", &complaint));
    assert_non_null(strstr(complaint.expected, "visible ASCII"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instances_share_a_space_only_if_they_answer_the_same),
        cmocka_unit_test(the_written_one_stands_before_the_route),
        cmocka_unit_test(what_no_line_can_hold_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
