#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "config/load.h"

static struct gw_config *of(const char *json)
{
    struct gw_complaint complaint;
    struct gw_config *config = gw_config_of(json, &complaint);
    if (!config)
        fail_msg("%s: found %s, expected %s", complaint.place, complaint.found, complaint.expected);
    return config;
}

static void assert_text(struct gw_slice slice, const char *expected)
{
    assert_non_null(slice.at);
    assert_int_equal(slice.length, strlen(expected));
    assert_memory_equal(slice.at, expected, slice.length);
}

static void a_small_cache_lowers_a_largest_object_that_was_not_set(void **state)
{
    struct gw_config *config = of("{\"cache\": {\"near_bytes\": \"64KiB\"}}");
    (void)state;
    assert_int_equal(config->max_object_bytes, 65536);
    gw_config_unref(config);
}

static void without_a_memory_cache_the_largest_object_has_a_bound_of_its_own(void **state)
{
    struct gw_config *config = of("{\"cache\": {\"near_bytes\": 0}, \"redis\": {\"url\": \"redis://h\"}}");
    (void)state;
    assert_int_equal(config->near_bytes, 0);
    assert_int_equal(config->max_object_bytes, 1 << 20);
    gw_config_unref(config);
    config = of("{\"cache\": {\"near_bytes\": 0, \"max_object_bytes\": \"64MiB\"}, \"redis\": {\"url\": "
                "\"redis://h\"}}");
    assert_int_equal(config->max_object_bytes, 64 << 20);
    gw_config_unref(config);
}

static void the_keys_of_the_cache_go_where_they_belong(void **state)
{
    struct gw_config *config = of(
        "{\"cache\": {\"heuristic_max\": 0, \"stale_if_error\": \"10m\", \"keep\": \"1h\", \"targeted_fields\": "
        "[\"Visara-Cache-Control\", \"CDN-Cache-Control\"], \"share_set_cookie\": true, \"flight\": \"process\", "
        "\"status_key\": true}}");
    (void)state;
    assert_int_equal(config->heuristic_max_s, 0);
    assert_int_equal(config->stale_if_error_s, 600);
    assert_int_equal(config->cache_keep_s, 3600);
    assert_int_equal(config->targeted_fields.count, 2);
    assert_text(config->targeted_fields.items[1], "CDN-Cache-Control");
    assert_true(config->cache_share_set_cookie);
    assert_false(config->flights_over_instances);
    assert_true(config->cache_status_key);
    gw_config_unref(config);
}

static void a_route_takes_the_rules_of_the_cache_that_it_does_not_have_itself(void **state)
{
    struct gw_config *config = of(
        "{\"cache\": {\"ttl\": \"1m\", \"bypass_fields\": \"X-Preview\", \"bypass_cookies\": [\"session\"], "
        "\"bypass_paths\": [\"/me\", \"/\"], \"ignore_query\": [\"utm_*\", \"gclid\"], \"sort_query\": true}, "
        "\"routes\": [{\"name\": \"own\", \"path\": \"/own\", \"cache_ttl\": \"off\", \"cache_bypass_fields\": [], "
        "\"cache_bypass_cookies\": \"a, b\", \"cache_bypass_paths\": \"/own/x\", \"cache_ignore_query\": \"*\", "
        "\"cache_sort_query\": false, \"default_ttl\": 7}, {\"name\": \"some\", \"path\": \"/some\", \"cache_ttl\": "
        "5}]}");
    (void)state;
    const struct gw_route *own = &config->routes[0], *some = &config->routes[1], *rest = &config->routes[2];
    assert_int_equal(own->override_ttl_s, -1);
    assert_int_equal(own->default_ttl_s, 7);
    assert_int_equal(own->cache_bypass_fields.count, 0);
    assert_int_equal(own->cache_bypass_cookies.count, 2);
    assert_text(own->cache_bypass_cookies.items[1], "b");
    assert_text(own->cache_bypass_paths.items[0], "/own/x");
    assert_text(own->cache_ignore_query.items[0], "*");
    assert_false(own->cache_sort_query);
    assert_int_equal(some->override_ttl_s, 5);
    assert_int_equal(rest->override_ttl_s, 60);
    for (const struct gw_route *route = some; route <= rest; route++) {
        assert_text(route->cache_bypass_fields.items[0], "X-Preview");
        assert_text(route->cache_bypass_cookies.items[0], "session");
        assert_int_equal(route->cache_bypass_paths.count, 2);
        assert_text(route->cache_bypass_paths.items[1], "/");
        assert_text(route->cache_ignore_query.items[1], "gclid");
        assert_true(route->cache_sort_query);
        assert_int_equal(route->default_ttl_s, 300);
        assert_true(route->cache_enabled);
    }
    gw_config_unref(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_cache_lowers_a_largest_object_that_was_not_set),
        cmocka_unit_test(without_a_memory_cache_the_largest_object_has_a_bound_of_its_own),
        cmocka_unit_test(the_keys_of_the_cache_go_where_they_belong),
        cmocka_unit_test(a_route_takes_the_rules_of_the_cache_that_it_does_not_have_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
