/* Which names of environment variables are a mistake, which give a warning, and which are ignored. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "config/load.h"

enum kind { SILENT, WARNING, MISTAKE };

struct row {
    const char *variable;
    enum kind kind;
    const char *meant; /* a part of what is said */
};

static void check(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char program[] = "visara-gateway", variable[128];
        char *argv[] = { program, NULL }, *environment[] = { variable, NULL };
        struct gw_findings findings;
        snprintf(variable, sizeof(variable), "%s", rows[i].variable);
        struct gw_config *config = gw_load_config(1, argv, environment, false, &findings);
        print_message("%s: %s\n", variable, findings.count ? findings.items[0].complaint.expected : "");
        assert_int_equal(config == NULL, rows[i].kind == MISTAKE);
        assert_int_equal(findings.count, rows[i].kind == SILENT ? 0 : 1);
        if (findings.count)
            assert_non_null(strstr(findings.items[0].complaint.expected, rows[i].meant));
        if (config)
            gw_config_unref(config);
    }
}

static void a_name_that_is_nearly_ours_is_told(void **state)
{
    static const struct row rows[] = {
        { "RATE_LIMIT_BRUST=5", WARNING, "did you mean \"RATE_LIMIT_BURST\"?" },
        { "RATE_LIMT_BURST=5", WARNING, "\"RATE_LIMIT_BURST\"" },
        { "RATE_LIMIT=5", WARNING, "\"RATE_LIMIT_RATE\"" },
        { "RATELIMIT_RATE=5", WARNING, "\"RATE_LIMIT_RATE\"" },
        { "rate_limit_burst=5", WARNING, "\"RATE_LIMIT_BURST\"" },
        { "BACKEND_URLS=x", WARNING, "\"BACKEND_URL\"" },
        { "BACKENDS_URL=x", WARNING, "\"BACKEND_URL\"" },
        { "BACKEND_URI=x", WARNING, "\"BACKEND_URL\"" },
        { "REDIS_URI=x", WARNING, "\"REDIS_URL\"" },
        { "TRUSTED_PROXY=x", WARNING, "\"TRUSTED_PROXIES\"" },
        { "TRUSTED_PROXYS=x", WARNING, "\"TRUSTED_PROXIES\"" },
        { "LOGLEVEL=x", WARNING, "\"LOG_LEVEL\"" },
        { "CACHE_TLL=x", WARNING, "\"CACHE_TTL\"" },
        { "BACKEND_URL_FILE=x", WARNING, "only secrets" },
        { "GATEWAY_RATE_LIMT=5", MISTAKE, "\"RATE_LIMIT_RATE\"" },
        { "GATEWAY_RATE_LIMIT_BURST=5", MISTAKE, "\"RATE_LIMIT_BURST\"" },
        { "GATEWAY_BACKEND_URL=x", MISTAKE, "\"BACKEND_URL\"" },
        { "GATEWAY_REDIS_URL=x", MISTAKE, "\"REDIS_URL\"" },
        { "GATEWAY_LIMIT_BY=x", MISTAKE, "\"GATEWAY_LIMITS_BY\"" },
        { "GATEWAY_PROT=1", MISTAKE, "\"GATEWAY_PORT\"" },
        { "GATEWAY_ELEPHANT=1", MISTAKE, "a known variable" },
        { "GATEWAY_PORT_FILE=x", MISTAKE, "only secrets" },
    };
    (void)state;
    check(rows, GW_COUNT(rows));
}

static void what_others_set_is_left_alone(void **state)
{
    static const struct row rows[] = {
        { "REDIS_PORT=tcp://10.0.0.1:6379", SILENT, NULL },
        { "REDIS_HOST=x", SILENT, NULL },
        { "REDIS_SERVICE_HOST=10.0.0.1", SILENT, NULL },
        { "REDIS_PASSWORD=x", SILENT, NULL },
        { "BACKEND_PORT=tcp://10.0.0.1:80", SILENT, NULL },
        { "BACKEND_SERVICE_PORT=80", SILENT, NULL },
        { "BACKEND_HOST=x", SILENT, NULL },
        { "FRONTEND_URL=x", SILENT, NULL },
        { "CACHE_URL=x", SILENT, NULL },
        { "CACHE_DIR=x", SILENT, NULL },
        { "LOG_FILE=x", SILENT, NULL },
        { "LOG_FORMAT=x", SILENT, NULL },
        { "DATABASE_URL=x", SILENT, NULL },
        { "HTTP_PROXY=x", SILENT, NULL },
        { "WORKERS=2", SILENT, NULL },
        { "PORT=2", SILENT, NULL },
        { "=x", SILENT, NULL },
        { "GATEWAY_SERVICE_HOST=10.0.0.1", SILENT, NULL },
        { "GATEWAY_SERVICE_PORT=80", SILENT, NULL },
        { "GATEWAY_SERVICE_PORT_HTTP=80", SILENT, NULL },
        { "GATEWAY_PORT=tcp://10.0.0.1:80", SILENT, NULL },
        { "GATEWAY_PORT=udp://10.0.0.1:80", SILENT, NULL },
        { "GATEWAY_PORT_8080_TCP=tcp://10.0.0.1:8080", SILENT, NULL },
        { "GATEWAY_PORT_8080_TCP_ADDR=10.0.0.1", SILENT, NULL },
        { "GATEWAY_ADMIN_SERVICE_HOST=10.0.0.1", SILENT, NULL },
        { "GATEWAY_ADMIN_PORT=tcp://10.0.0.1:80", SILENT, NULL },
        { "GATEWAY_ADMIN_PORT_80_TCP_PORT=80", SILENT, NULL },
        { "GATEWAY_SERVER_PORT=tcp://10.0.0.1:80", SILENT, NULL },
    };
    (void)state;
    check(rows, GW_COUNT(rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_that_is_nearly_ours_is_told),
        cmocka_unit_test(what_others_set_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
