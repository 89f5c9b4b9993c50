#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/base.h"
#include "config/config.h"

static struct gw_slice get_and_head[] = { { "GET", 3 }, { "HEAD", 4 } };

static struct gw_route routes[] = {
    { .name = { "reports", 7 }, .match = { .path = { "/api/reports", 12 } }, .index = 0 },
    { .name = { "api", 3 }, .match = { .path = { "/api", 4 } }, .index = 1 },
    { .name = { "reads", 5 },
      .match = { .methods = { get_and_head, 2 }, .host = { "read.example.org", 16 } },
      .index = 2 },
    { .name = { "wild", 4 }, .match = { .host = { "*.example.org", 13 } }, .index = 3 },
    { .name = { "default", 7 }, .index = 4 },
};
static const struct gw_config config = { .routes = routes, .route_count = GW_COUNT(routes) };

static void the_first_route_that_matches_is_taken_and_the_last_matches_all(void **state)
{
    static const struct {
        const char *method, *host, *path, *route;
    } rows[] = {
        { "GET", "x", "/api/reports", "reports" },
        { "GET", "x", "/api/reports/1", "reports" },
        { "GET", "x", "/api/reportsx", "api" }, /* whole segments */
        { "POST", "x", "/api", "api" },
        { "GET", "read.example.org", "/api/reports", "reports" }, /* the order decides */
        { "GET", "read.example.org", "/", "reads" },
        { "HEAD", "READ.example.org:8080", "/", "reads" },
        { "POST", "read.example.org", "/", "wild" },
        { "get", "read.example.org", "/", "wild" },
        { "GET", "a.example.org", "/apix", "wild" },
        { "GET", "example.org", "/", "default" },
        { "GET", "", "/", "default" }, /* HTTP/1.0 without Host */
        { "OPTIONS", "x", "*", "default" },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        const struct gw_route *route = gw_match_route(&config, gw_slice_of_string(rows[i].method),
                                                      gw_slice_of_string(rows[i].host),
                                                      gw_slice_of_string(rows[i].path));
        if (!gw_slice_equal(route->name, gw_slice_of_string(rows[i].route)))
            fail_msg("%s %s%s took %.*s", rows[i].method, rows[i].host, rows[i].path, GW_SLICE_ARGS(route->name));
    }
}

static void the_only_route_is_taken_without_a_look(void **state)
{
    (void)state;
    const struct gw_config one = { .routes = &routes[0], .route_count = 1 };
    struct gw_slice none = GW_NO_SLICE; /* not even parsed: a refusal is answered, too */
    assert_ptr_equal(gw_match_route(&one, none, none, none), &routes[0]);
    assert_ptr_equal(gw_match_route(&config, none, none, none), &routes[GW_COUNT(routes) - 1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_route_that_matches_is_taken_and_the_last_matches_all),
        cmocka_unit_test(the_only_route_is_taken_without_a_look),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
