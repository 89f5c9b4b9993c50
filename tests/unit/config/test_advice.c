/* A value that is valid but probably a mistake gives a warning; usual values give none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "config/load.h"

struct row {
    const char *json;
    const char *place; /* NULL: no warning */
    const char *sentence;
};

static void check(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct gw_findings findings;
        struct gw_config *config = gw_load_text(rows[i].json, &findings);
        print_message("%s\n", rows[i].json);
        for (unsigned j = 0; j < findings.count; j++)
            print_message("  %s | %s\n", findings.items[j].complaint.place, findings.items[j].complaint.expected);
        assert_non_null(config);
        gw_config_unref(config);
        assert_int_equal(findings.error_count, 0);
        assert_int_equal(findings.count, rows[i].place ? 1 : 0);
        if (!rows[i].place)
            continue;
        assert_true(findings.items[0].is_warning);
        assert_string_equal(findings.items[0].complaint.place, rows[i].place);
        assert_non_null(strstr(findings.items[0].complaint.expected, rows[i].sentence));
    }
}

#define POLICIES(rest) "{\"limits\": {\"rate\": \"off\", \"policies\": [" rest "]}}"
#define KEYS(rest)     "{\"name\": \"k\", \"rate\": 1, \"burst\": 1, \"by\": \"header:X-Key\"" rest "}"
#define WIDE(rest)     "{\"name\": \"w\", \"rate\": 9, \"burst\": 9" rest "}"

static void a_limit_by_an_unchecked_key_wants_one_by_address_beside_it(void **state)
{
    static const struct row rows[] = {
        { "{\"limits\": {\"by\": \"header:X-Key\"}}", "text:1: limits.by", "\"by\": \"ip\"" },
        { "{\"limits\": {\"by\": \"header:X-Key\",\n\"policies\": [" WIDE("") "]}}", NULL, NULL },
        { "{\"limits\": {\"policies\": [" KEYS("") "]}}", NULL, NULL }, /* the default is one by address */
        { "{\"limits\": {\"shadow\": true, \"policies\": [" KEYS("") "]}}", "text:1: limits.policies[0]", "nobody" },
        { "{\"limits\": {\"count\": \"misses\", \"policies\": [" KEYS("") "]}}", "text:1: limits.policies[0]",
          "nobody" },
        { "{\"limits\": {\"enabled\": false, \"policies\": []}}", NULL, NULL },
        { "{\"limits\": {\"enabled\": false, \"by\": \"header:X-Key\"}}", "text:1: limits.by",
          "limits.enabled is false" },
        { POLICIES(KEYS("")), "text:1: limits.policies[0]", "nobody checks this field" },
        { POLICIES(KEYS(", \"shadow\": true")), NULL, NULL },
        { POLICIES(KEYS("") ",\n" WIDE("")), NULL, NULL },
        { POLICIES(WIDE("") ",\n" KEYS("")), NULL, NULL },
        { POLICIES(WIDE(", \"by\": \"route\"") ",\n" KEYS("")), "text:2: limits.policies[1]", "nobody" },
        { POLICIES(WIDE(", \"path\": \"/a\"") ",\n" KEYS("")), "text:2: limits.policies[1]", "nobody" },
        { POLICIES(WIDE(", \"path\": \"/a\"") ",\n" KEYS(", \"path\": \"/a/b\"")), NULL, NULL },
        { POLICIES(WIDE(", \"path\": \"/a/b\"") ",\n" KEYS(", \"path\": \"/a\"")), "text:2: limits.policies[1]",
          "nobody" },
        { POLICIES(WIDE(", \"methods\": \"GET\"") ",\n" KEYS("")), "text:2: limits.policies[1]", "nobody" },
        { POLICIES(WIDE(", \"methods\": \"GET, POST\"") ",\n" KEYS(", \"methods\": \"POST\"")), NULL, NULL },
        { POLICIES(WIDE(", \"methods\": \"GET\"") ",\n" KEYS(", \"methods\": \"GET, POST\"")),
          "text:2: limits.policies[1]", "nobody" },
        { POLICIES(WIDE(", \"host\": \"*.h\"") ",\n" KEYS(", \"host\": \"a.h\"")), NULL, NULL },
        { POLICIES(WIDE(", \"host\": \"a.h\"") ",\n" KEYS(", \"host\": \"*.h\"")), "text:2: limits.policies[1]",
          "nobody" },
        { POLICIES(WIDE(", \"count\": \"misses\"") ",\n" KEYS(", \"count\": \"misses\"")), NULL, NULL },
    };
    (void)state;
    check(rows, GW_COUNT(rows));
}

static void a_limit_by_a_field_that_tells_the_address_is_told_of_ip(void **state)
{
    static const char *const names[] = { "x-forwarded-for", "X-Real-IP",        "Forwarded",
                                         "X-Client-IP",     "CF-Connecting-IP", "True-Client-IP" };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(names); i++) {
        char json[256];
        const struct row row = { json, "text:1: limits.policies[0]", "ip is the client's address already" };
        snprintf(json, sizeof json,
                 "{\"limits\": {\"policies\": [{\"name\": \"f\", \"rate\": 1, \"burst\": 1, \"by\": \"header:%s\"}]}}",
                 names[i]);
        check(&row, 1);
    }
}

static void trust_in_everybody_is_told(void **state)
{
    static const struct row rows[] = {
        { "{\"server\": {\"trusted_proxies\": [\"10.0.0.0/8\", \"172.16.0.0/12\", \"fc00::/7\", \"127.0.0.1\", "
          "\"::1\"]}}",
          NULL, NULL },
        { "{\"server\": {\"trusted_proxies\": [\"10.0.0.0/8\",\n\"0.0.0.0/0\"]}}", "text:2: server.trusted_proxies[1]",
          "so wide" },
        { "{\"server\": {\"trusted_proxies\": [\"::/0\"]}}", "text:1: server.trusted_proxies[0]", "so wide" },
        { "{\"server\": {\"trusted_proxies\": [\"128.0.0.0/1\"]}}", "text:1: server.trusted_proxies[0]", "so wide" },
        { "{\"server\": {\"trusted_proxies\": [\"0.0.0.0\"]}}", "text:1: server.trusted_proxies[0]", "nobody" },
        { "{\"server\": {\"trusted_proxies\": [\"10.0.0.5/8\"]}}", "text:1: server.trusted_proxies[0]",
          "whole network" },
        { "{\"server\": {\"trusted_proxies\": [\"2001:db8::1/32\"]}}", "text:1: server.trusted_proxies[0]",
          "of 32 bits" },
        { "{\"server\": {\"trusted_proxies\": [\"10.0.0.5/32\"]}}", NULL, NULL },
        { "{\"server\": {\"trusted_proxies\": [\"::\"]}}", "text:1: server.trusted_proxies[0]", "nobody" },
    };
    (void)state;
    check(rows, GW_COUNT(rows));
}

static void keys_without_effect_are_told(void **state)
{
    static const struct row rows[] = {
        { "{}", NULL, NULL },
        { "{\"limits\": {\"enabled\": false, \"policies\": [" WIDE("") "]}}", "text:1: limits.policies",
          "limits.enabled is false" },
        { "{\"limits\": {\"enabled\": false, \"rate\": \"5/s\"}}", "text:1: limits.rate", "limits.enabled is false" },
        { "{\"limits\": {\"rate\": \"off\", \"burst\": 5}}", "text:1: limits.burst", "limits.rate is off" },
        { "{\"cache\": {\"enabled\": false, \"ttl\": \"5s\"}}", "text:1: cache.ttl", "cache.enabled is false" },
        { "{\"cors\": {\"enabled\": false, \"origins\": [\"https://a\"]}}", "text:1: cors.origins",
          "cors.enabled is false" },
        { "{\"backend\": {\"url\": \"http://a\"}, \"routes\": [{\"name\": \"r\", \"backend\": \"http://b\"}]}",
          "text:1: backend.url", "has no effect" },
        { "{\"backend\": {\"url\": \"http://a\"}, \"routes\": [{\"name\": \"r\", \"path\": \"/r\", \"backend\": "
          "\"http://b\"}]}",
          NULL, NULL },
        { "{\"backend\": {\"tls_ca_file\": \"/ca\"}}", "text:1: backend.tls_ca_file", "no backend is https://" },
        { "{\"backend\": {\"url\": \"https://a\", \"tls_verify\": false}}", "text:1: backend.tls_verify",
          "not verified" },
        { "{\"redis\": {\"tls_ca_file\": \"/ca\", \"url\": \"redis://h\"}}", "text:1: redis.tls_ca_file",
          "no Redis is rediss://" },
        { "{\"redis\": {\"prefix\": \"a:\"}}", "text:1: redis.prefix", "redis.url is empty" },
        { "{\"log\": {\"access\": \"stdot\"}}", "text:1: log.access", "did you mean \"stdout\"?" },
        { "{\"log\": {\"access\": \"none\"}}", "text:1: log.access", "did you mean \"off\"?" },
        { "{\"log\": {\"access\": \"access.log\"}}", NULL, NULL },
        { "{\"routes\": [{\"name\": \"a\", \"path\": \"/a\", \"cache\": false, \"cache_ttl\": 5}]}",
          "text:1: routes[0]", "nothing of this route is cached" },
        { "{\"routes\": [{\"name\": \"a\", \"path\": \"/a\", \"methods\": \"POST\", \"default_ttl\": 5}]}",
          "text:1: routes[0]", "nothing is ever cached" },
    };
    (void)state;
    check(rows, GW_COUNT(rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_limit_by_an_unchecked_key_wants_one_by_address_beside_it),
        cmocka_unit_test(a_limit_by_a_field_that_tells_the_address_is_told_of_ip),
        cmocka_unit_test(trust_in_everybody_is_told),
        cmocka_unit_test(keys_without_effect_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
