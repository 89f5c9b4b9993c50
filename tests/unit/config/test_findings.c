/* All mistakes are told at once and only once, without those that only follow from another mistake. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "config/load.h"

static void check(const char *json, const char *const *places, size_t count)
{
    struct gw_findings findings;
    assert_null(gw_load_text(json, &findings));
    for (unsigned i = 0; i < findings.count; i++)
        print_message("%s | %s\n", findings.items[i].complaint.place, findings.items[i].complaint.expected);
    assert_int_equal(findings.error_count, count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(findings.items[i].complaint.place, places[i]);
}

static void every_mistake_has_its_line(void **state)
{
    static const char json[] =
        "{\"server\": {\"port\": \"eighty\",\n"
        "\"prot\": 80,\n"
        "\"trusted_proxies\": [\"x\", \"::1\", \"y\"]},\n"
        "\"sever\": {},\n"
        "\"routes\": [{\"name\": \"A\", \"path\": \"a\", \"host\": \"h:1\",\n"
        "\"methods\": [\"get\", \"put\"], \"cache\": 1, \"backend\": [\"a\", \"b\"]},\n"
        "7, {}],\n"
        "\"limits\": {\"rate\": \"fast\", \"policies\": [{\"name\": \"p\", \"rate\": 1, \"burst\": 1, "
        "\"cost\": 2, \"path\": \"x\"}]},\n"
        "\"cors\": {\"origins\": [\"a\", \"b\"]},\n"
        "\"redis\": {\"url\": \"h\", \"prefix\": \"{}\"},\n"
        "\"cache\": {\"redis_url\": \"h\", \"bypass_paths\": [\"a\"], \"bypass_cookies\": [\"=\"]}}";
    static const char *const places[] = {
        "text:1: server.port",
        "text:2: server.prot",
        "text:4: sever",
        "text:8: limits.rate",
        "text:3: server.trusted_proxies[0]",
        "text:3: server.trusted_proxies[2]",
        "text:11: cache.bypass_cookies[0]",
        "text:11: cache.bypass_paths[0]",
        "text:6: routes[0].cache",
        "text:5: routes[0].name",
        "text:6: routes[0].methods[0]",
        "text:6: routes[0].methods[1]",
        "text:5: routes[0].path",
        "text:5: routes[0].host",
        "text:6: routes[0].backend[0]",
        "text:6: routes[0].backend[1]",
        "text:7: routes[1]",
        "text:7: routes[2]",
        "text:8: limits.policies[0].cost",
        "text:8: limits.policies[0].path",
        "text:9: cors.origins[0]",
        "text:9: cors.origins[1]",
        "text:10: redis.prefix",
        "text:10: redis.url",
        "text:11: cache.redis_url",
    };
    (void)state;
    check(json, places, GW_COUNT(places));
}

static void what_follows_from_a_mistake_is_not_told(void **state)
{
    static const char *const port[] = { "text:1: server.port" }, *const redis[] = { "text:1: redis.url" },
                             *const burst[] = { "text:1: limits.burst" }, *const path[] = { "text:1: routes[0].path" };
    (void)state;
    check("{\"server\": {\"port\": 0}, \"admin\": {\"listen\": \"127.0.0.1:8080\"}}", port, 1);
    check("{\"redis\": {\"url\": 7}, \"cache\": {\"near_bytes\": 0, \"redis_url\": \"redis://h\"}}", redis, 1);
    check("{\"limits\": {\"burst\": \"x\", \"cost\": 50}}", burst, 1);
    check("{\"routes\": [{\"name\": \"a\", \"path\": 7}, {\"name\": \"b\", \"path\": \"/b\"}]}", path, 1);
}

static void flags_variables_and_file_are_told_together(void **state)
{
    char program[] = "visara-gateway", a[] = "--prot", b[] = "80", c[] = "--elephant=1", d[] = "--workers=x",
         e[] = "--port", v[] = "GATEWAY_ELEPHANT=1", w[] = "CACHE_TTL=soon", f[] = "GATEWAY_CONFIG=/nonexistent/gw";
    char *argv[] = { program, a, b, c, d, e, NULL }, *environment[] = { v, w, f, NULL };
    static const char *const places[] = {
        "--prot",   "--elephant", "--port", "/nonexistent/gw", "environment GATEWAY_ELEPHANT", "environment CACHE_TTL",
        "--workers"
    };
    struct gw_findings findings;
    (void)state;
    assert_null(gw_load_config(6, argv, environment, false, &findings));
    assert_int_equal(findings.error_count, GW_COUNT(places));
    for (size_t i = 0; i < GW_COUNT(places); i++)
        assert_string_equal(findings.items[i].complaint.place, places[i]);
}

static void the_list_is_bounded_and_mistakes_have_room(void **state)
{
    struct gw_findings findings;
    char line[1024];
    (void)state;
    gw_findings_init(&findings);
    for (unsigned i = 0; i < 100; i++) {
        gw_complain(&findings.latest, "place", NULL, "warning %u", i);
        gw_findings_file(&findings, true);
    }
    assert_int_equal(findings.count, GW_FINDINGS / 2);
    assert_null(gw_findings_first(&findings));
    for (unsigned i = 0; i < 200; i++) {
        gw_complain(&findings.latest, "place", "x", "error %u", i / 2);
        gw_findings_file(&findings, false);
    }
    assert_int_equal(findings.count, GW_FINDINGS);
    assert_string_equal(gw_findings_first(&findings)->expected, "error 0");
    gw_findings_print(&findings.items[0], line, sizeof(line));
    assert_string_equal(line, "warning: place: warning 0");
    gw_findings_print(&findings.items[GW_FINDINGS / 2], line, sizeof(line));
    assert_string_equal(line, "place: found \"x\", expected error 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_mistake_has_its_line),
        cmocka_unit_test(what_follows_from_a_mistake_is_not_told),
        cmocka_unit_test(flags_variables_and_file_are_told_together),
        cmocka_unit_test(the_list_is_bounded_and_mistakes_have_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
