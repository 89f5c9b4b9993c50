/* The keys about Redis, and what is made of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "config/load.h"

static char program[] = "visara-gateway";

static struct gw_config *load(const char *url, struct gw_complaint *complaint)
{
    static char variable[4096];
    char *argv[] = { program, NULL }, *environment[] = { variable, NULL };
    snprintf(variable, sizeof(variable), "REDIS_URL=%s", url);
    struct gw_findings findings;
    struct gw_config *config = gw_load_config(1, argv, environment, false, &findings);
    *complaint = config ? (struct gw_complaint) { .place = "" } : *gw_findings_first(&findings);
    return config;
}

static void a_url_says_where_redis_is_and_how_to_log_in(void **state)
{
    static const struct {
        const char *url, *masked, *host, *user, *password;
        unsigned port, database;
        bool is_unix;
    } rows[] = {
        { "redis://localhost", "redis://localhost", "localhost", "", "", 6379, 0, false },
        { "redis://localhost/", "redis://localhost/", "localhost", "", "", 6379, 0, false },
        { "REDIS://Redis_1.svc:7000/12", "REDIS://Redis_1.svc:7000/12", "Redis_1.svc", "", "", 7000, 12, false },
        { "redis://10.1.2.3:1/65535", "redis://10.1.2.3:1/65535", "10.1.2.3", "", "", 1, 65535, false },
        { "redis://[::1]", "redis://[::1]", "::1", "", "", 6379, 0, false },
        { "redis://[::1]:7000/3", "redis://[::1]:7000/3", "::1", "", "", 7000, 3, false },
        { "redis://:pw@h", "redis://***@h", "h", "", "pw", 6379, 0, false },
        { "redis://gw:pw@h:2/1", "redis://***@h:2/1", "h", "gw", "pw", 2, 1, false },
        { "redis://g%77:%70%25%3A%40%2F@h", "redis://***@h", "h", "gw", "p%:@/", 6379, 0, false },
        { "redis://gw:a@b/c:d?e#f@h/2", "redis://***@h/2", "h", "gw", "a@b/c:d?e#f", 6379, 2, false },
        { "unix:///run/redis.sock", "unix:///run/redis.sock", "/run/redis.sock", "", "", 0, 0, true },
        { "unix:///run/a%20b?db=7", "unix:///run/a%20b?db=7", "/run/a b", "", "", 0, 7, true },
        { "unix://gw:p/w@/run/s?db=7", "unix://***@/run/s?db=7", "/run/s", "gw", "p/w", 0, 7, true },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_complaint complaint;
        struct gw_config *config = load(rows[i].url, &complaint);
        if (!config || !config->redis)
            fail_msg("%s: expected %s", rows[i].url, complaint.expected);
        assert_string_equal(config->redis->url_masked.at, rows[i].masked);
        assert_string_equal(config->redis->host.at, rows[i].host);
        assert_int_equal(config->redis->host.length, strlen(rows[i].host));
        assert_string_equal(config->redis->user.at, rows[i].user);
        assert_string_equal(config->redis->password.at, rows[i].password);
        assert_int_equal(config->redis->password.length, strlen(rows[i].password));
        assert_int_equal(config->redis->port, rows[i].port);
        assert_int_equal(config->redis->database, rows[i].database);
        assert_int_equal(config->redis->is_unix, rows[i].is_unix);
        assert_false(config->redis->is_tls);
        gw_config_unref(config);
    }
}

#define LONG_PATH "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"

static void a_url_that_is_none_is_refused_without_its_password(void **state)
{
    static const struct {
        const char *url, *expected;
    } rows[] = {
        { "localhost", "redis://" },
        { "http://localhost", "redis://" },
        { "redis:", "redis://" },
        { "redis://", "redis://" },
        { "redis:///0", "redis://" },
        { "redis://a b", "redis://" },
        { "redis://h?db=1", "redis://" },
        { "redis://[::1", "redis://" },
        { "redis://[h]", "redis://" },
        { "redis://[fe80::1%25eth0]", "redis://" },
        { "redis://h:0", "a port" },
        { "redis://h:65536", "a port" },
        { "redis://h:", "a port" },
        { "redis://[::1]7", "a port" },
        { "redis://h/x", "a database" },
        { "redis://h/-1", "a database" },
        { "redis://h/65536", "a database" },
        { "redis://h/0?x", "a database" },
        { "redis://secret@h", "user:password" },
        { "redis://gw:@h", "user:password" },
        { "redis://:secret%@h", "each %" },
        { "redis://:secret%4@h", "each %" },
        { "redis://:secret%zz@h", "each %" },
        { "redis://:secret%00@h", "NUL" },
        { "redis://:secret@h:x", "a port" },
        { "unix://", "a socket" },
        { "unix:///", "a socket" },
        { "unix://run/redis", "redis://" },
        { "unix:///run/redis?x=1", "redis://" },
        { "unix:///run/redis?db=", "a database" },
        { "unix:///" LONG_PATH "12345678", "a socket" },
        { "unix://secret@/run/redis", "user:password" },
        { "redis-sentinel://:secret@h", "not in this version" },
        { "redis-cluster://:secret@h", "not in this version" },
        { "redis://:secret\n@h", "control characters" },
#ifndef GW_HAVE_REDIS_TLS
        { "rediss://:secret@h", "has no TLS" },
#endif
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_complaint complaint;
        assert_null(load(rows[i].url, &complaint));
        print_message("%s | %s | %s\n", rows[i].url, complaint.found, complaint.expected);
        assert_string_equal(complaint.place, "environment REDIS_URL");
        assert_non_null(strstr(complaint.expected, rows[i].expected));
        assert_null(strstr(complaint.found, "secret"));
    }
}

static void a_password_is_not_quoted_from_text_that_is_no_url(void **state)
{
    char url[3100] = "redis://:secret";
    struct gw_complaint complaint;
    (void)state;
    memset(url + strlen(url), 'x', 3000);
    assert_null(load(url, &complaint));
    assert_string_equal(complaint.found, "");
    assert_null(gw_config_of("{\"redis\": {\"url\": \"redis://:a\"secret@h\"}}", &complaint));
    assert_null(strstr(complaint.found, "secret"));
}

static void passwords_are_not_printed(void **state)
{
    char variable[] = "REDIS_URL=redis://gw:secret@h", second[] = "GATEWAY_CACHE_REDIS_URL=unix://:secret@/run/s";
    char *argv[] = { program, NULL }, *environment[] = { variable, second, NULL };
    struct gw_buffer page = gw_buffer_create(1 << 20);
    (void)state;
    struct gw_findings findings;
    assert_true(gw_load_print_config(1, argv, environment, &page, &findings));
    assert_true(page.length > 0);
    assert_null(memmem(page.at, page.length, "secret", 6));
    assert_non_null(memmem(page.at, page.length, "redis://***@h", 13));
    assert_non_null(memmem(page.at, page.length, "unix://***@/run/s", 17));
    gw_buffer_destroy(&page);
}

static void the_cache_may_have_a_redis_of_its_own(void **state)
{
    struct gw_complaint complaint;
    struct gw_config *config = gw_config_of(
        "{\"redis\": {\"url\": \"redis://a\", \"timeout\": \"20ms\", \"connect_timeout\": 2, \"max_pending\": 10, "
        "\"prefix\": \"Shop_1:-\", \"heartbeat\": \"500ms\", \"expected_instances\": 3, \"tls_ca_file\": \"/ca\"}, "
        "\"cache\": {\"redis_url\": \"unix:///b\", \"outage_ttl\": 5}}",
        &complaint);
    (void)state;
    assert_non_null(config);
    assert_string_equal(config->redis->host.at, "a");
    assert_string_equal(config->cache_redis->host.at, "/b");
    assert_int_equal(config->redis_timeout_ms, 20);
    assert_int_equal(config->redis_connect_timeout_ms, 2000);
    assert_int_equal(config->redis_max_pending, 10);
    assert_string_equal(config->redis_prefix.at, "Shop_1:-");
    assert_int_equal(config->redis_heartbeat_ms, 500);
    assert_int_equal(config->expected_instances, 3);
    assert_string_equal(config->redis_tls_ca_file.at, "/ca");
    assert_int_equal(config->cache_outage_ttl_ms, 5000);
    gw_config_unref(config);
}

static void a_policy_tells_the_script_its_rate_in_lowest_terms(void **state)
{
    static const struct {
        const char *rate;
        uint64_t n, period_us;
    } rows[] = {
        { "10/s", 1, 100000 },
        { "100/min", 1, 600000 },
        { "700000/s", 7, 10 },
        { "1000000000/s", 1000, 1 },
        { "1/h", 1, 3600000000 },
        { "30000/s", 3, 100 },
        { "94906265/s", 18981253, 200000 },
        { "3/7s", 3, 7000000 },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        char json[128];
        struct gw_complaint complaint;
        snprintf(json, sizeof(json), "{\"limits\": {\"rate\": \"%s\"}}", rows[i].rate);
        struct gw_config *config = gw_config_of(json, &complaint);
        assert_non_null(config);
        assert_int_equal(config->policies[0].script_n, rows[i].n);
        assert_int_equal(config->policies[0].script_period_us, rows[i].period_us);
        gw_config_unref(config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_url_says_where_redis_is_and_how_to_log_in),
        cmocka_unit_test(a_url_that_is_none_is_refused_without_its_password),
        cmocka_unit_test(a_password_is_not_quoted_from_text_that_is_no_url),
        cmocka_unit_test(passwords_are_not_printed),
        cmocka_unit_test(the_cache_may_have_a_redis_of_its_own),
        cmocka_unit_test(a_policy_tells_the_script_its_rate_in_lowest_terms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
