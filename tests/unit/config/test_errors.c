/* Every mistake is told with its place and what was expected, and leaves nothing behind (the sanitizer looks). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cjson/cJSON.h>
#include <cmocka.h>
#include "config/load.h"

struct row {
    const char *json;
    const char *place;    /* whole */
    const char *expected; /* a part */
};

static void expect_complaint(const struct row *row, const struct gw_config *config,
                             const struct gw_complaint *complaint)
{
    print_message("%.100s\n  %s | %s | %s\n", row->json, complaint->place, complaint->found, complaint->expected);
    assert_null(config);
    assert_string_equal(complaint->place, row->place);
    if (!strstr(complaint->expected, row->expected))
        fail_msg("expected \"%s\" to say \"%s\"", complaint->expected, row->expected);
}

static void check(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct gw_complaint complaint;
        struct gw_config *config = gw_config_of(rows[i].json, &complaint);
        expect_complaint(&rows[i], config, &complaint);
    }
}

static void syntax_errors_name_the_line(void **state)
{
    static const struct row rows[] = {
        { "", "text:1", "JSON" },
        { "{", "text:1", "JSON" },
        { "{\n\"server\": {\n\"port\": 80,\n}\n}", "text:4", "JSON" },
        { "{} x", "text:1", "JSON" },
        { "{\n// no\n}", "text:2", "comments" },
        { "[]", "text", "one JSON object" },
        { "3", "text", "one JSON object" },
        { "{\n\n\"log\": {\"access\": \"a\\u0000b\"}}", "text:3", "NUL" },
    };
    (void)state;
    check(rows, GW_COUNT(rows));
}

static void unknown_and_repeated_keys_are_named(void **state)
{
    static const struct row rows[] = {
        { "{\n\"sever\": {}}", "text:2: sever", "did you mean \"server\"?" },
        { "{\"elephant\": {}}", "text:1: elephant", "a known section" },
        { "{\"server.port\": 1}", "text:1: server.port", "a known section" },
        { "{\"server\": {\n\"prot\": 1}}", "text:2: server.prot", "did you mean \"port\"?" },
        { "{\"server\": {\"\": 1}}", "text:1: server.", "a known key" },
        { "{\"\": 1}", "text:1: ", "a known section" },
        { "{\"server\": {\"port\": 1,\n\"port\": 2}}", "text:2: server.port", "each key once" },
        { "{\"server\": {},\n\"log\": {},\n\"server\": {}}", "text:3: server", "each section once" },
        { "{\"routes\": [],\n\"routes\": []}", "text:2: routes", "each key once" },
        { "{\"server\": 8080}", "text:1: server", "an object" },
        { "{\"routes\": [{\"name\": \"a\", \"path\": \"/a\"},\n{\"name\": \"b\",\n\"pth\": \"/\"}]}",
          "text:3: routes[1]", "one of name, path" },
        { "{\"routes\": [{\"name\": \"a\", \"name\": \"b\"}]}", "text:1: routes[0]", "each once" },
    };
    (void)state;
    check(rows, GW_COUNT(rows));
}

static void wrong_types_and_ranges_say_what_was_expected(void **state)
{
    static const struct row rows[] = {
        { "{\"server\": {\n\n\"port\": \"8080\"}}", "text:3: server.port", "a whole number from 1 to 65535" },
        { "{\"server\": {\"port\": 0}}", "text:1: server.port", "from 1 to 65535" },
        { "{\"server\": {\"port\": 65536}}", "text:1: server.port", "from 1 to 65535" },
        { "{\"server\": {\"port\": 80.5}}", "text:1: server.port", "a whole number" },
        { "{\"server\": {\"port\": -1}}", "text:1: server.port", "a whole number" },
        { "{\"server\": {\"port\": 1e400}}", "text:1: server.port", "a whole number" },
        { "{\"server\": {\"port\": null}}", "text:1: server.port", "a whole number" },
        { "{\"server\": {\"port\": [80]}}", "text:1: server.port", "a whole number" },
        { "{\"server\": {\"max_body_bytes\": \"10 bananas\"}}", "text:1: server.max_body_bytes", "64KiB" },
        { "{\"server\": {\"max_body_bytes\": \"99999999999GiB\"}}", "text:1: server.max_body_bytes", "a size" },
        { "{\"server\": {\"max_request_line_bytes\": 10}}", "text:1: server.max_request_line_bytes", "from 256" },
        { "{\"server\": {\"idle_timeout\": \"soon\"}}", "text:1: server.idle_timeout", "250ms, 10s, 5m, 2h" },
        { "{\"server\": {\"idle_timeout\": 0}}", "text:1: server.idle_timeout", "from 1ms to 24h" },
        { "{\"server\": {\"idle_timeout\": true}}", "text:1: server.idle_timeout", "a duration" },
        { "{\"cache\": {\"default_ttl\": 0.5}}", "text:1: cache.default_ttl", "whole seconds" },
        { "{\"cors\": {\"enabled\": \"yes\"}}", "text:1: cors.enabled", "true or false" },
        { "{\"cors\": {\"enabled\": 1}}", "text:1: cors.enabled", "true or false" },
        { "{\"log\": {\"level\": \"loud\"}}", "text:1: log.level", "one of error, warn, info, debug" },
        { "{\"log\": {\"level\": 3}}", "text:1: log.level", "one of error" },
        { "{\"log\": {\"access\": \"\"}}", "text:1: log.access", "a string" },
        { "{\"log\": {\"access\": \"a\\nb\"}}", "text:1: log.access", "without control characters" },
        { "{\"log\": {\"access\": {}}}", "text:1: log.access", "a string" },
        { "{\"cache\": {\"credential_fields\": 7}}", "text:1: cache.credential_fields", "a list" },
        { "{\"cache\": {\"credential_fields\": [\"A\",\n7]}}", "text:2: cache.credential_fields[1]", "a string" },
        { "{\"cache\": {\"credential_fields\": [\"\"]}}", "text:1: cache.credential_fields[0]", "not empty" },
        { "{\"cache\": {\"credential_fields\": [\"A B\"]}}", "text:1: cache.credential_fields[0]", "request field" },
        { "{\"cache\": {\"credential_fields\": [\"*\"]}}", "text:1: cache.credential_fields[0]", "request field" },
        { "{\"cache\": {\"credential_fields\": [\"X\", \"A*B\"]}}", "text:1: cache.credential_fields[1]",
          "request field" },
        { "{\"cache\": {\"credential_fields\": [\"*A*\"]}}", "text:1: cache.credential_fields[0]", "request field" },
        { "{\"backend\": {\"url\": []}}", "text:1: backend.url", "1 to 64 strings" },
        { "{\"backend\": {\"url\": \" , \"}}", "text:1: backend.url", "1 to 64 strings" },
        { "{\"routes\": {}}", "text:1: routes", "an array" },
        { "{\"routes\": \"[]\"}", "text:1: routes", "an array" },
        { "{\"routes\": [7]}", "text:1: routes[0]", "an object" },
        { "{\"routes\": [{}]}", "text:1: routes[0]", "a \"name\"" },
        { "{\"routes\": [{\"name\": 5}]}", "text:1: routes[0].name", "a string" },
    };
    (void)state;
    check(rows, GW_COUNT(rows));
}

static void values_that_do_not_go_together_are_refused(void **state)
{
    static const struct row rows[] = {
        { "{\"server\": {\"host\": \"localhost\"}}", "text:1: server.host", "an IPv4 or IPv6 address" },
        { "{\"server\": {\"trusted_proxies\": [\"::1\",\n\"10.0.0.0/40\"]}}", "text:2: server.trusted_proxies[1]",
          "network" },
        { "{\"server\": {\"trusted_proxies\": \"::1, proxy\"}}", "text:1: server.trusted_proxies", "network" },
        { "{\"admin\": {\"listen\": \"9090\"}}", "text:1: admin.listen", "an address and a port" },
        { "{\"admin\": {\"listen\": \":9090\"}}", "text:1: admin.listen", "an address and a port" },
        { "{\"admin\": {\"listen\": \"::1:9090\"}}", "text:1: admin.listen", "[::1]:9090" },
        { "{\"admin\": {\"listen\": \"127.0.0.1:0\"}}", "text:1: admin.listen", "an address and a port" },
        { "{\"admin\": {\"listen\": \"127.0.0.1:8080\"}}", "text:1: admin.listen", "that clients do not use" },
        { "{\"backend\": {\"transport\": \"h1\",\n\"url\": \"https://a\"}}", "text:1: backend.transport", "needs TLS" },
        { "{\"backend\": {\"url\": [\"http://a\",\n\"ftp://b\"]}}", "text:2: backend.url[1]", "http:// or https://" },
        { "{\"cache\": {\"near_bytes\": 8192, \"max_object_bytes\": 8193}}", "text:1: cache.max_object_bytes",
          "at most cache.near_bytes" },
        { "{\"cors\": {\"credentials\": true}}", "text:1: cors.credentials", "cors.origins without *" },
        { "{\"cors\": {\"origins\": [\"*\", \"https://a\"]}}", "text:1: cors.origins", "* alone" },
        { "{\"cors\": {\"origins\": [\"https://a/\"]}}", "text:1: cors.origins[0]", "an origin" },
        { "{\"cors\": {\"origins\": [\"https://A.org\"]}}", "text:1: cors.origins[0]", "lower case" },
        { "{\"cors\": {\"origins\": [\"null\"]}}", "text:1: cors.origins[0]", "an origin" },
        { "{\"cors\": {\"origins\": [\"https://\"]}}", "text:1: cors.origins[0]", "an origin" },
        { "{\"cors\": {\"methods\": [\"GET\", \"A B\"]}}", "text:1: cors.methods[1]", "a method" },
        { "{\"cors\": {\"headers\": [\"*\", \"X-A\"]}}", "text:1: cors.headers", "* alone" },
        { "{\"cors\": {\"exposed_headers\": [\"a\\\\b\"]}}", "text:1: cors.exposed_headers[0]", "name of a field" },
        { "{\"cache\": {\"redis_url\": \"redis://localhost\"}}", "text:1: cache.redis_url", "redis.url as well" },
        { "{\"redis\": {\"prefix\": \"gw{a}\"}}", "text:1: redis.prefix", "A-Z, a-z, 0-9" },
        { "{\"redis\": {\"prefix\": \"\"}}", "text:1: redis.prefix", "1 to 32" },
    };
    (void)state;
    check(rows, GW_COUNT(rows));
}

static void a_cache_that_cannot_work_is_refused(void **state)
{
    static const struct row rows[] = {
        { "{\"cache\": {\"near_bytes\": 0}}", "text:1: cache.near_bytes", "redis.url as well" },
        { "{\"cache\": {\"near_bytes\": 4095}, \"redis\": {\"url\": \"redis://h\"}}", "text:1: cache.near_bytes",
          "or 0 for none" },
        { "{\"cache\": {\"near_bytes\": 0, \"max_object_bytes\": \"65MiB\"}, \"redis\": {\"url\": \"redis://h\"}}",
          "text:1: cache.max_object_bytes", "64MiB" },
        { "{\"cache\": {\"ttl\": 0}}", "text:1: cache.ttl", "in whole seconds, or off" },
        { "{\"cache\": {\"ttl\": false}}", "text:1: cache.ttl", "or off" },
        { "{\"cache\": {\"keep\": \"off\"}}", "text:1: cache.keep", "from 0s to 8760h, in whole seconds" },
        { "{\"cache\": {\"flight\": \"worker\"}}", "text:1: cache.flight", "one of process, instances" },
        { "{\"cache\": {\"targeted_fields\": [\"CDN Cache\"]}}", "text:1: cache.targeted_fields[0]", "a field" },
        { "{\"cache\": {\"bypass_fields\": [\"A\",\n\"X:\"]}}", "text:2: cache.bypass_fields[1]", "request field" },
        { "{\"cache\": {\"bypass_cookies\": [\"a=b\"]}}", "text:1: cache.bypass_cookies[0]", "a cookie" },
        { "{\"cache\": {\"bypass_paths\": [\"me\"]}}", "text:1: cache.bypass_paths[0]", "begins with /" },
        { "{\"cache\": {\"bypass_paths\": [\"/a?b\"]}}", "text:1: cache.bypass_paths[0]", "no query" },
        { "{\"cache\": {\"bypass_paths\": [\"/a//b\"]}}", "text:1: cache.bypass_paths[0]", "no empty segment" },
        { "{\"cache\": {\"bypass_paths\": [\"/\\u00e4\"]}}", "text:1: cache.bypass_paths[0]", "a path" },
        { "{\"cache\": {\"ignore_query\": [\"a=1\"]}}", "text:1: cache.ignore_query[0]", "a query parameter" },
        { "{\"cache\": {\"ignore_query\": [\"*_id\"]}}", "text:1: cache.ignore_query[0]", "* at its end" },
        { "{\"cache\": {\"ignore_query\": [\"a**\"]}}", "text:1: cache.ignore_query[0]", "* at its end" },
        { "{\"cache\": {\"bypass_paths\": [\"me\"]}, \"routes\": [{\"name\": \"a\", \"cache_bypass_paths\": []}]}",
          "text:1: cache.bypass_paths[0]", "begins with /" },
        { "{\"routes\": [{\"name\": \"a\", \"cache_ttl\": 0}]}", "text:1: routes[0].cache_ttl", "or off" },
        { "{\"routes\": [{\"name\": \"a\", \"cache_bypass_fields\": \"A B\"}]}",
          "text:1: routes[0].cache_bypass_fields", "request field" },
        { "{\"routes\": [{\"name\": \"a\", \"cache_bypass_cookies\": [\"a\",\n\"b;c\"]}]}",
          "text:2: routes[0].cache_bypass_cookies[1]", "a cookie" },
        { "{\"routes\": [{\"name\": \"a\", \"cache_bypass_paths\": [\"/a#\"]}]}",
          "text:1: routes[0].cache_bypass_paths[0]", "begins with /" },
        { "{\"routes\": [{\"name\": \"a\", \"cache_ignore_query\": [\"a&b\"]}]}",
          "text:1: routes[0].cache_ignore_query[0]", "a query parameter" },
        { "{\"admin\": {\"token\": \"0123456789abcde\"}}", "text:1: admin.token", "16 to 256" },
        { "{\"admin\": {\"token\": \"***\"}}", "text:1: admin.token", "16 to 256" },
        { "{\"admin\": {\"token\": \"0123456789 abcdef\"}}", "text:1: admin.token", "visible ASCII" },
        { "{\"admin\": {\"token\": \"0123456789abcd\\u00e4\"}}", "text:1: admin.token", "visible ASCII" },
    };
    (void)state;
    check(rows, GW_COUNT(rows));
}

static void limits_that_cannot_work_are_refused(void **state)
{
    static const struct row rows[] = {
        { "{\"limits\": {\"rate\": \"fast\"}}", "text:1: limits.rate", "10/s, 100/min" },
        { "{\"limits\": {\"rate\": \"0.5/s\"}}", "text:1: limits.rate", "whole numbers" },
        { "{\"limits\": {\"rate\": \"0/s\"}}", "text:1: limits.rate", "a rate" },
        { "{\"limits\": {\"rate\": 0}}", "text:1: limits.rate", "a rate" },
        { "{\"limits\": {\"rate\": \"10/fortnight\"}}", "text:1: limits.rate", "a rate" },
        { "{\"limits\": {\"rate\": \"1/366d\"}}", "text:1: limits.rate", "a rate" },
        { "{\"limits\": {\"burst\": 3,\n\"cost\": 4}}", "text:2: limits.cost", "that the burst (here 3) can pay" },
        { "{\"limits\": {\"cost\": 21}}", "text:1: limits.cost", "(here 20)" },
        { "{\"limits\": {\"rate\": \"1/day\", \"burst\": 366}}", "text:1: limits.burst", "within a year" },
        { "{\"limits\": {\"rate\": \"1/300d\"}}", "text:1: limits.rate", "within a year" },
        { "{\"limits\": {\"rate\": 94906267, \"burst\": 1}}", "text:1: limits.rate", "at most 94906265" },
        { "{\"limits\": {\"by\": \"cookie\"}}", "text:1: limits.by", "ip, route, or header:" },
        { "{\"limits\": {\"by\": \"header:\"}}", "text:1: limits.by", "header:X-Api-Key" },
        { "{\"limits\": {\"by\": \"header:X Y\"}}", "text:1: limits.by", "header:X-Api-Key" },
        { "{\"limits\": {\"policies\": [{\"name\": \"a\", \"rate\": 1}]}}", "text:1: limits.policies[0]",
          "a \"burst\"" },
        { "{\"limits\": {\"policies\": [{\"name\": \"a\", \"rate\": \"off\", \"burst\": 1}]}}",
          "text:1: limits.policies[0].rate", "a rate" },
        { "{\"limits\": {\"policies\": [{\"name\": \"default\", \"rate\": 1, \"burst\": 1}]}}",
          "text:1: limits.policies[0].name", "no other policy has" },
        { "{\"limits\": {\"policies\": [{\"name\": \"A\", \"rate\": 1, \"burst\": 1}]}}",
          "text:1: limits.policies[0].name", "a-z" },
        { "{\"limits\": {\"policies\": [{\"name\": \"a\", \"rate\": 1, \"burst\": 1, \"cost\": 2}]}}",
          "text:1: limits.policies[0].cost", "can pay" },
        { "{\"limits\": {\"policies\": [{\"name\": \"a\", \"rate\": 1, \"burst\": 1, \"path\": \"x\"}]}}",
          "text:1: limits.policies[0].path", "begins with /" },
        { "{\"limits\": {\"policies\": [{},{},{},{},{},{},{},{}]}}", "text:1: limits.policies", "at most 8 policies" },
        { "{\"limits\": {\"policies\": [{},{},{},{},{},{},{},{},{}]}}", "text:1: limits.policies",
          "at most 8 objects" },
    };
    (void)state;
    check(rows, GW_COUNT(rows));
}

static void routes_that_cannot_work_are_refused(void **state)
{
    static const struct row rows[] = {
        { "{\"routes\": [{\"name\": \"Reports\"}]}", "text:1: routes[0].name", "a-z, 0-9" },
        { "{\"routes\": [{\"name\": \"a\", \"path\": \"/a\"},\n{\"name\":\n\"a\"}]}", "text:2: routes[1].name",
          "no other route" },
        { "{\"routes\": [{\"name\": \"default\", \"path\": \"/a\"}]}", "text:1: routes[0]", "matches everything" },
        { "{\"routes\": [{\"name\": \"a\"},\n{\"name\": \"b\"}]}", "text:2: routes[1]", "no route after one" },
        { "{\"routes\": [{\"name\": \"a\", \"path\": \"/a?b\"}]}", "text:1: routes[0].path", "has no query" },
        { "{\"routes\": [{\"name\": \"a\", \"host\": \"h:80\"}]}", "text:1: routes[0].host", "a host without port" },
        { "{\"routes\": [{\"name\": \"a\", \"host\": \"*\"}]}", "text:1: routes[0].host", "*.example.org" },
        { "{\"routes\": [{\"name\": \"a\", \"host\": \"a.*.b\"}]}", "text:1: routes[0].host", "*.example.org" },
        { "{\"routes\": [{\"name\": \"a\", \"methods\": [\"GET\", \"post\"]}]}", "text:1: routes[0].methods[1]",
          "in upper case" },
        { "{\"routes\": [{\"name\": \"a\", \"backend\": [\n\"http://a\",\n\"b\"]}]}", "text:3: routes[0].backend[1]",
          "http://" },
        { "{\"routes\": [{\"name\": \"a\", \"default_ttl\": \"-1s\"}]}", "text:1: routes[0].default_ttl",
          "a duration" },
    };
    (void)state;
    check(rows, GW_COUNT(rows));
}

static void a_backend_must_be_a_plain_url(void **state)
{
    static const char *const urls[] = {
        "localhost:8000",   "http://",       "http:///x",     "http://a:0",  "http://a:65536",
        "http://a:x",       "http://a:",     "http://a b",    "http://a/?q", "http://a/#f",
        "http://user:pw@a", "http://[::1",   "http://[::1]x", "http://[a]",  "http://[1.2.3.4]",
        "http://a/%zz",     "http://a/\\\"", "http://.a",     "//a",         "http://[fe80::1%25eth0]",
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(urls); i++) {
        struct gw_complaint complaint;
        char json[128];
        snprintf(json, sizeof(json), "{\"backend\": {\"url\": [\"%s\"]}}", urls[i]);
        struct row row = { json, "text:1: backend.url[0]", strchr(urls[i], '@') ? "password" : "http:// or https://" };
        struct gw_config *config = gw_config_of(json, &complaint);
        expect_complaint(&row, config, &complaint);
        assert_null(strstr(complaint.found, "pw"));
    }
}

static void too_many_routes_and_backends_are_refused(void **state)
{
    static const struct {
        unsigned routes, backends_each;
        bool good;
        const char *expected;
    } rows[] = {
        { 63, 1, true, "" }, { 64, 1, false, "at most 64 routes" }, { 65, 1, false, "at most 64 objects" },
        { 1, 63, true, "" }, { 1, 65, false, "1 to 64 strings" },   { 2, 33, false, "at most 64 backends" },
    };
    char *json = malloc(1 << 20);
    (void)state;
    assert_non_null(json);
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_buffer buffer = gw_buffer_over(json, (1 << 20) - 1);
        struct gw_complaint complaint;
        gw_buffer_put_literal(&buffer, "{\"routes\": [");
        for (unsigned r = 0; r < rows[i].routes; r++) {
            gw_buffer_print(&buffer, "%s{\"name\": \"r%u\", \"path\": \"/%u\", \"backend\": [", r ? "," : "", r, r);
            for (unsigned b = 0; b < rows[i].backends_each; b++)
                gw_buffer_print(&buffer, "%s\"http://h%u\"", b ? "," : "", (rows[i].routes == 2 ? 33 * r : 0) + b);
            gw_buffer_put_literal(&buffer, "]}");
        }
        gw_buffer_put_literal(&buffer, "]}");
        json[buffer.length] = '\0';
        struct gw_config *config = gw_config_of(json, &complaint);
        print_message("%u routes: %s\n", rows[i].routes, complaint.expected);
        assert_int_equal(config != NULL, rows[i].good);
        if (config)
            gw_config_unref(config);
        else
            assert_non_null(strstr(complaint.expected, rows[i].expected));
    }
    free(json);
}

static void a_file_must_be_there_and_of_bounded_size(void **state)
{
    static char program[] = "visara-gateway", flag[] = "--config", missing[] = "/nonexistent/gw.json",
                folder[] = "/tmp";
    char name[] = "/tmp/gw-config-XXXXXX", *argv[] = { program, flag, missing, NULL }, *environment[] = { NULL };
    struct gw_findings findings;
    const struct gw_complaint *complaint;
    (void)state;
    assert_null(gw_load_config(3, argv, environment, false, &findings));
    complaint = gw_findings_first(&findings);
    assert_string_equal(complaint->place, missing);
    assert_string_equal(complaint->expected, "a readable file");
    argv[2] = folder;
    assert_null(gw_load_config(3, argv, environment, false, &findings));
    complaint = gw_findings_first(&findings);
    assert_string_equal(complaint->expected, "a readable file");
    int file = mkstemp(name);
    assert_true(file >= 0);
    for (int i = 0; i < 1024 * 1024 + 1; i += 8192)
        assert_int_equal(write(file, memset((char[8192]) { 0 }, ' ', 8192), 8192), 8192);
    argv[2] = name;
    assert_null(gw_load_config(3, argv, environment, false, &findings));
    complaint = gw_findings_first(&findings);
    assert_string_equal(complaint->expected, "a file of 1 MiB at most");
    close(file);
    unlink(name);
}

/* cJSON's allocations fail one after the other: nothing leaks, and there is always a finding. */
static unsigned allocations_left;

static void *failing_malloc(size_t size)
{
    return allocations_left && allocations_left-- ? malloc(size) : NULL;
}

static void a_failing_allocation_leaves_nothing_behind(void **state)
{
    static const char json[] = "{\"routes\": [{\"name\": \"a\", \"path\": \"/a\", \"methods\": [\"GET\"]}]}";
    cJSON_Hooks hooks = { failing_malloc, free };
    struct gw_config *config = NULL;
    (void)state;
    cJSON_InitHooks(&hooks);
    for (unsigned count = 0; !config && count < 100; count++) {
        struct gw_complaint complaint;
        allocations_left = count;
        config = gw_config_of(json, &complaint);
        assert_true(config != NULL || complaint.place[0]);
    }
    cJSON_InitHooks(NULL);
    assert_non_null(config);
    gw_config_unref(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(syntax_errors_name_the_line),
        cmocka_unit_test(unknown_and_repeated_keys_are_named),
        cmocka_unit_test(wrong_types_and_ranges_say_what_was_expected),
        cmocka_unit_test(values_that_do_not_go_together_are_refused),
        cmocka_unit_test(a_cache_that_cannot_work_is_refused),
        cmocka_unit_test(limits_that_cannot_work_are_refused),
        cmocka_unit_test(routes_that_cannot_work_are_refused),
        cmocka_unit_test(a_backend_must_be_a_plain_url),
        cmocka_unit_test(too_many_routes_and_backends_are_refused),
        cmocka_unit_test(a_file_must_be_there_and_of_bounded_size),
        cmocka_unit_test(a_failing_allocation_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
