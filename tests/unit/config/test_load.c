#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "config/load.h"
#include "config/print.h"

/* A start of the program: words and variables one after the other, separated by spaces; a ^ stands for a space within
 * one. */
struct start {
    char arguments[1024], variables[1024];
    char *argv[32], *environment[32];
    int argc;
};

static int split(char *text, char **words)
{
    int count = 0;
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) {
        words[count++] = word;
        for (char *c = word; *c; c++)
            if (*c == '^')
                *c = ' ';
    }
    words[count] = NULL;
    return count;
}

static struct start *prepare(struct start *start, const char *variables, const char *arguments)
{
    snprintf(start->arguments, sizeof(start->arguments), "visara-gateway %s", arguments);
    snprintf(start->variables, sizeof(start->variables), "%s", variables);
    start->argc = split(start->arguments, start->argv);
    split(start->variables, start->environment);
    return start;
}

static struct gw_config *load(const char *variables, const char *arguments, struct gw_complaint *complaint)
{
    struct start start;
    struct gw_findings findings;
    prepare(&start, variables, arguments);
    struct gw_config *config = gw_load_config(start.argc, start.argv, start.environment, false, &findings);
    if (!config)
        *complaint = *gw_findings_first(&findings);
    return config;
}

static struct gw_config *load_good(const char *variables, const char *arguments)
{
    struct gw_complaint complaint;
    struct gw_config *config = load(variables, arguments, &complaint);
    if (!config)
        fail_msg("%s: found %s, expected %s", complaint.place, complaint.found, complaint.expected);
    return config;
}

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

/* Prints what these sources give. */
static bool print(const struct start *start, struct gw_buffer *page)
{
    struct gw_findings findings;
    return gw_load_print_config(start->argc, start->argv, start->environment, page, &findings);
}

static char file_name[] = "/tmp/gw-config-XXXXXX";

static void write_file(const char *text)
{
    strcpy(file_name, "/tmp/gw-config-XXXXXX");
    int file = mkstemp(file_name);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, strlen(text)), strlen(text));
    close(file);
}

static void defaults_are_what_the_documentation_says(void **state)
{
    struct gw_config *config = load_good("", "");
    (void)state;
    assert_int_equal(config->listen_count, 2);
    assert_text(config->listens[0].host, "0.0.0.0");
    assert_text(config->listens[1].host, "::");
    assert_int_equal(config->listens[1].port, 8080);
    assert_in_range(config->workers, 1, 256);
    assert_int_equal(config->max_body_bytes, 1073741824);
    assert_int_equal(config->header_timeout_ms, 10000);
    assert_int_equal(config->trusted_proxy_count, 0);
    assert_null(config->admin_listen);
    assert_int_equal(config->route_count, 1);
    assert_text(config->routes[0].name, "default");
    assert_int_equal(config->backend_count, 1);
    assert_text(config->backends[0]->url, "http://localhost:8000");
    assert_int_equal(config->keepalive_timeout_ms, 4000);
    assert_int_equal(config->policy_count, 1);
    assert_text(config->policies[0].name, "default");
    assert_int_equal(config->policies[0].n, 10);
    assert_int_equal(config->policies[0].period_us, 1000000);
    assert_int_equal(config->policies[0].burst, 20);
    assert_int_equal(config->policies[0].cost, 1);
    assert_text(config->policies[0].rate_text, "10/s");
    assert_int_equal(config->routes[0].default_ttl_s, 300);
    assert_int_equal(config->near_bytes, 64 << 20);
    assert_true(config->cors_enabled && config->cors_any_origin && !config->cors_alone);
    assert_text(config->cors_methods, "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    assert_text(config->cors_headers, "*");
    assert_int_equal(config->log_level, GW_LOG_INFO);
    assert_true(config->log_json);
    assert_text(config->access_log, "stdout");
    assert_null(config->redis);
    assert_null(config->cache_redis);
    assert_int_equal(config->redis_timeout_ms, 50);
    assert_int_equal(config->redis_connect_timeout_ms, 1000);
    assert_int_equal(config->redis_max_pending, 4096);
    assert_text(config->redis_prefix, "gw:");
    assert_int_equal(config->redis_heartbeat_ms, 1000);
    assert_int_equal(config->expected_instances, 0);
    assert_int_equal(config->redis_tls_ca_file.length, 0);
    assert_int_equal(config->cache_outage_ttl_ms, 10000);
    assert_int_equal(config->heuristic_max_s, 86400);
    assert_int_equal(config->stale_if_error_s, 0);
    assert_int_equal(config->cache_keep_s, 60);
    assert_int_equal(config->targeted_fields.count, 0);
    assert_false(config->cache_share_set_cookie);
    assert_false(config->cache_status_key);
    assert_true(config->flights_over_instances);
    assert_int_equal(config->routes[0].override_ttl_s, -1);
    assert_int_equal(config->routes[0].cache_bypass_fields.count, 0);
    assert_int_equal(config->routes[0].cache_ignore_query.count, 0);
    assert_false(config->routes[0].cache_sort_query);
    assert_int_equal(config->admin_token.length, 0);
    gw_config_unref(config);
}

static void flags_come_before_variables_these_before_the_file_it_before_defaults(void **state)
{
    static const struct {
        const char *file, *variable, *flag;
        int port;
    } rows[] = {
        { "{}", "", "", 8080 },
        { "{\"server\": {\"port\": 1001}}", "", "", 1001 },
        { "{\"server\": {\"port\": 1001}}", "GATEWAY_PORT=1002", "", 1002 },
        { "{\"server\": {\"port\": 1001}}", "GATEWAY_PORT=1002", "--server.port=1003", 1003 },
        { "{\"server\": {\"port\": 1001}}", "GATEWAY_PORT=", "", 1001 },
        { "{}", "GATEWAY_PORT=1002", "--port 1003", 1003 },
        { "{}", "", "--port 1003 --server.port 1004", 1004 },
        { "\xEF\xBB\xBF{\"server\": {\"port\": 1001}}", "", "", 1001 },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        char arguments[256];
        write_file(rows[i].file);
        snprintf(arguments, sizeof(arguments), "--config %s %s", file_name, rows[i].flag);
        struct gw_config *config = load_good(rows[i].variable, arguments);
        unlink(file_name);
        assert_int_equal(config->listens[0].port, rows[i].port);
        gw_config_unref(config);
    }
}

static void what_a_variable_fills_in_is_read_as_its_text(void **state)
{
    char arguments[256];
    (void)state;
    write_file("{\"server\": {\"port\": \"${P}\", \"workers\": \"${W:-3}\", \"trusted_proxies\": \"${NETS}\"},\n"
               "\"cors\": {\"enabled\": \"${OFF}\"}, \"backend\": {\"url\": [\"http://${H}:81/$${a\"]},\n"
               "\"log\": {\"access\": \"/x$${y}\"}, \"routes\": [{\"name\": \"a\", \"path\": \"/${H}\", \"cache\": "
               "\"${OFF}\"}]}");
    snprintf(arguments, sizeof(arguments), "--config %s", file_name);
    struct gw_complaint complaint;
    assert_null(
        load("P=81 NETS=10.0.0.0/8,::1 OFF=off H=a", arguments, &complaint)); /* a { in a URL is wrong all the same */
    assert_string_equal(complaint.found, "http://a:81/${a");
    unlink(file_name);
    write_file("{\"server\": {\"port\": \"${P}\", \"workers\": \"${W:-3}\", \"trusted_proxies\": \"${NETS}\"},\n"
               "\"cors\": {\"enabled\": \"${OFF}\"}, \"redis\": {\"url\": \"redis://:${PW}@h\"},\n"
               "\"log\": {\"access\": \"/x$${y}\"}, \"routes\": [{\"name\": \"a\", \"path\": \"/${H}\", \"cache\": "
               "\"${OFF}\"}]}");
    snprintf(arguments, sizeof(arguments), "--config %s", file_name);
    struct gw_config *config = load_good("P=81 NETS=10.0.0.0/8,::1 OFF=off H=a PW=se-cret", arguments);
    assert_int_equal(config->listens[0].port, 81);
    assert_int_equal(config->workers, 3);
    assert_int_equal(config->trusted_proxy_count, 2);
    assert_false(config->cors_enabled);
    assert_text(config->redis->password, "se-cret");
    assert_text(config->access_log, "/x${y}");
    assert_text(config->routes[0].match.path, "/a");
    assert_false(config->routes[0].cache_enabled);
    gw_config_unref(config);
    struct start start;
    struct gw_buffer page = gw_buffer_create(1 << 20);
    assert_true(print(prepare(&start, "P=81 NETS=10.0.0.0/8,::1 OFF=off H=a PW=se-cret", arguments), &page));
    gw_buffer_put_char(&page, '\0');
    assert_non_null(strstr(page.at, "\"access\": \"/x$${y}\"")); /* loads again to the same */
    assert_null(strstr(page.at, "se-cret"));
    gw_buffer_destroy(&page);
    assert_null(load("P=http NETS= OFF=off H=a PW=b", arguments, &complaint));
    unlink(file_name);
    assert_non_null(strstr(complaint.place, ":1: server.trusted_proxies"));
    assert_string_equal(complaint.found, "${NETS}");
}

static void lists_and_arrays_are_replaced_whole(void **state)
{
    char variables[256];
    (void)state;
    write_file(
        "{\"server\": {\"trusted_proxies\": [\"10.0.0.0/8\", \"::1\"]}, \"backend\": {\"url\": [\"http://a\", "
        "\"http://b\"]}, \"routes\": [{\"name\": \"a\", \"path\": \"/a\"}, {\"name\": \"b\", \"path\": \"/b\"}]}");
    snprintf(variables, sizeof(variables),
             "GATEWAY_CONFIG=%s TRUSTED_PROXIES=192.0.2.0/24 BACKEND_URL=http://c,^http://d", file_name);
    struct gw_config *config = load_good(variables,
                                         "--backend=http://e --routes [{\"name\":^\"x\",^\"methods\":^[\"GET\"]}]");
    unlink(file_name);
    assert_int_equal(config->trusted_proxy_count, 1);
    assert_int_equal(config->trusted_proxies[0].prefix_bits, 96 + 24);
    assert_int_equal(config->backend_count, 1);
    assert_text(config->backends[0]->host, "e");
    assert_int_equal(config->route_count, 2);
    assert_text(config->routes[0].name, "x");
    assert_text(config->routes[0].match.methods.items[0], "GET");
    gw_config_unref(config);
    config = load_good("TRUSTED_PROXIES=::1", "--server.trusted_proxies=");
    assert_int_equal(config->trusted_proxy_count, 0);
    gw_config_unref(config);
}

static void well_known_variables_are_understood(void **state)
{
    struct gw_config *config = load_good("BACKEND_URL=http://a:1,http://b:2 GATEWAY_PORT=9000 RATE_LIMIT_RATE=10 "
                                         "RATE_LIMIT_BURST=5 CACHE_TTL=60 TRUSTED_PROXIES=10.0.0.0/8,::1 "
                                         "LOG_LEVEL=debug GATEWAY_WORKERS=3 GATEWAY_CACHE_MAX_OBJECT_BYTES=2MiB "
                                         "REDIS_URL= HOME=/root PATH",
                                         "");
    (void)state;
    assert_int_equal(config->backend_count, 2);
    assert_int_equal(config->routes[0].backend_count, 2);
    assert_int_equal(config->listens[0].port, 9000);
    assert_int_equal(config->policies[0].n, 10);
    assert_text(config->policies[0].rate_text, "10/s");
    assert_int_equal(config->policies[0].burst, 5);
    assert_int_equal(config->routes[0].default_ttl_s, 60);
    assert_int_equal(config->trusted_proxy_count, 2);
    assert_int_equal(config->log_level, GW_LOG_DEBUG);
    assert_int_equal(config->workers, 3);
    assert_int_equal(config->max_object_bytes, 2 << 20);
    gw_config_unref(config);
}

static void what_others_put_into_the_environment_is_left_alone(void **state)
{
    struct gw_config *config = load_good(
        "GATEWAY_URL=x GATEWAY_CMD=y GATEWAY_SERVICE_HOST=10.0.0.1 GATEWAY_PORT=tcp://10.0.0.1:80 "
        "GATEWAY_PORT_80_TCP_ADDR=10.0.0.1 XGATEWAY_FOO=1",
        "");
    (void)state;
    assert_int_equal(config->listens[0].port, 8080);
    gw_config_unref(config);
}

static void mistakes_in_variables_and_flags_are_named(void **state)
{
    static const struct {
        const char *variables, *arguments, *place, *expected;
    } rows[] = {
        { "GATEWAY_PROT=1", "", "environment GATEWAY_PROT", "did you mean \"GATEWAY_PORT\"?" },
        { "GATEWAY_SERVER_PORT=1", "", "environment GATEWAY_SERVER_PORT", "did you mean \"GATEWAY_PORT\"?" },
        { "GATEWAY_ELEPHANT=", "", "environment GATEWAY_ELEPHANT", "a known variable" },
        { "GATEWAY_PORT=http", "", "environment GATEWAY_PORT", "from 1 to 65535" },
        { "GATEWAY_PORT=http", "--port 80", "environment GATEWAY_PORT", "from 1 to 65535" },
        { "TRUSTED_PROXIES=10.0.0.0/8,x", "", "environment TRUSTED_PROXIES", "a network" },
        { "REDIS_URL=localhost:6379", "", "environment REDIS_URL", "redis://" },
        { "GATEWAY_ROUTES=[{]", "", "environment GATEWAY_ROUTES", "JSON" },
        { "GATEWAY_ROUTES={}", "", "environment GATEWAY_ROUTES", "an array" },
        { "GATEWAY_ROUTES=[{\"name\":\"A\"}]", "", "environment GATEWAY_ROUTES: routes[0].name", "a-z" },
        { "GATEWAY_CONFIG=/nonexistent", "", "/nonexistent", "a readable file" },
        { "", "--port", "--port", "a value" },
        { "", "--port --workers=1", "--port", "a value" },
        { "", "--port=", "--port", "from 1 to 65535" },
        { "", "--server.port=x", "--server.port", "from 1 to 65535" },
        { "", "--config", "--config", "a value" },
        { "", "--prot=1", "--prot", "did you mean \"--port\"?" },
        { "", "--server-port=1", "--server-port", "did you mean \"--server.port\"?" },
        { "", "--elephant", "--elephant", "a known flag" },
        { "", "--help=1", "--help", "no value" },
        { "", "-p", "-p", "flags only" },
        { "", "gateway.json", "gateway.json", "flags only" },
        { "", "--", "--", "flags only" },
        { "", "--limits.policies=[{\"name\":\"a\",\"rate\":\"x\"}]", "--limits.policies: limits.policies[0].rate",
          "10/s" },
        { "", "--limits.policies=[7", "--limits.policies", "JSON" },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_complaint complaint;
        assert_null(load(rows[i].variables, rows[i].arguments, &complaint));
        print_message("%s | %s | %s\n", complaint.place, complaint.found, complaint.expected);
        assert_string_equal(complaint.place, rows[i].place);
        assert_non_null(strstr(complaint.expected, rows[i].expected));
    }
}

static void a_password_is_never_shown(void **state)
{
    struct gw_complaint complaint;
    (void)state;
    assert_null(load("REDIS_URL=redis://user:se@cret@localhost:6379/x", "", &complaint));
    assert_string_equal(complaint.found, "redis://***@localhost:6379/x");
    assert_null(load("BACKEND_URL=http://user:secret@localhost", "", &complaint));
    assert_null(strstr(complaint.found, "secret"));
}

static void a_token_is_never_shown(void **state)
{
    static const char *const jsons[] = {
        "{\"admin\": {\"token\": \"secret\"}}",
        "{\"admin\": {\"token\": \"secret with a space\"}}",
        "{\"admin\": {\"token\": \"secret\\twith a tabulator\"}}",
        "{\"admin\": {\"token\": [\"secret\"]}}",
        "{\"admin\": {\"token\" \"secret-0123456789\"}}",
        "{\"admin\": {\"token\": secret-0123456789}}",
        "{\"admin\": {\"token\": \"\\q\", \"listen\": secret}}",
    };
    struct gw_complaint complaint;
    struct start start;
    struct gw_buffer page = gw_buffer_create(1 << 16);
    (void)state;
    for (size_t i = 0; i < GW_COUNT(jsons); i++) {
        assert_null(gw_config_of(jsons[i], &complaint));
        print_message("%s | %s\n", complaint.place, complaint.expected);
        assert_non_null(strstr(complaint.place, i < 4 ? "admin.token" : "text:1"));
        assert_string_equal(complaint.found, "");
    }
    prepare(&start, "GATEWAY_ADMIN_TOKEN=secret-0123456789", "");
    assert_true(print(&start, &page));
    gw_buffer_put_char(&page, '\0');
    assert_non_null(strstr(page.at, "\"token\": \"***\""));
    assert_null(strstr(page.at, "secret"));
    gw_buffer_destroy(&page);
}

static void a_token_is_taken_from_the_variable(void **state)
{
    struct gw_config *config = load_good("GATEWAY_ADMIN_TOKEN=0123456789abcde~", "");
    (void)state;
    assert_text(config->admin_token, "0123456789abcde~");
    gw_config_unref(config);
}

static void a_command_is_told_by_its_flag(void **state)
{
    static const struct {
        const char *arguments;
        bool good;
        enum gw_command command;
    } rows[] = {
        { "", true, GW_COMMAND_RUN },
        { "--port 80", true, GW_COMMAND_RUN },
        { "--check-config --config x", true, GW_COMMAND_CHECK },
        { "--print-config", true, GW_COMMAND_PRINT },
        { "--print-config-docs", true, GW_COMMAND_DOCS },
        { "--version", true, GW_COMMAND_VERSION },
        { "--help", true, GW_COMMAND_HELP },
        { "-h", true, GW_COMMAND_HELP },
        { "--check-config --help", true, GW_COMMAND_HELP },
        { "--port --help", false, GW_COMMAND_RUN },
        { "--hepl", false, GW_COMMAND_RUN },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct start start;
        struct gw_findings findings;
        enum gw_command command;
        prepare(&start, "", rows[i].arguments);
        assert_int_equal(gw_load_command(start.argc, start.argv, &command, &findings), rows[i].good);
        if (rows[i].good)
            assert_int_equal(command, rows[i].command);
    }
}

static void addresses_to_listen_on_are_literal(void **state)
{
    struct gw_config *config = of(
        "{\"server\": {\"host\": \"[::1]\", \"port\": 81}, \"admin\": {\"listen\": \"[::1]:82\"}}");
    (void)state;
    assert_int_equal(config->listen_count, 1);
    assert_text(config->listens[0].host, "::1");
    assert_int_equal(config->listens[0].port, 81);
    assert_text(config->admin_listen->host, "::1");
    assert_int_equal(config->admin_listen->port, 82);
    gw_config_unref(config);
    config = of("{\"server\": {\"host\": \"127.0.0.1\"}, \"admin\": {\"listen\": \"127.0.0.2:8080\"}}");
    assert_text(config->listens[0].host, "127.0.0.1");
    assert_text(config->admin_listen->host, "127.0.0.2");
    gw_config_unref(config);
}

static void a_backends_url_is_taken_apart(void **state)
{
    static const struct {
        const char *url, *kept, *host, *authority, *base_path;
        int port;
        bool is_tls;
    } rows[] = {
        { "http://localhost:8000", "http://localhost:8000", "localhost", "localhost:8000", "", 8000, false },
        { "HTTP://Example.ORG", "HTTP://Example.ORG", "example.org", "example.org", "", 80, false },
        { "http://a:80/", "http://a:80", "a", "a", "", 80, false },
        { "https://a", "https://a", "a", "a", "", 443, true },
        { "https://a:80/v1//", "https://a:80/v1", "a", "a:80", "/v1", 80, true },
        { "http://[::1]:9/x/%41", "http://[::1]:9/x/%41", "::1", "[::1]:9", "/x/%41", 9, false },
        { "http://my_backend-1.svc.", "http://my_backend-1.svc.", "my_backend-1.svc.", "my_backend-1.svc.", "", 80,
          false },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        char json[128];
        snprintf(json, sizeof(json), "{\"backend\": {\"url\": \"%s\"}}", rows[i].url);
        struct gw_config *config = of(json);
        const struct gw_backend *backend = config->backends[0];
        assert_text(backend->url, rows[i].kept);
        assert_text(backend->host, rows[i].host);
        assert_int_equal(backend->host.at[backend->host.length], '\0');
        assert_text(backend->authority, rows[i].authority);
        assert_text(backend->base_path, rows[i].base_path);
        assert_int_equal(backend->port, rows[i].port);
        assert_int_equal(backend->is_tls, rows[i].is_tls);
        gw_config_unref(config);
    }
}

static void one_url_is_one_backend_over_all_routes(void **state)
{
    struct gw_config *config = of(
        "{\"backend\": {\"url\": [\"http://a\", \"http://b/x\"]}, \"routes\": ["
        "{\"name\": \"one\", \"path\": \"/one/\", \"backend\": [\"http://c\", \"http://A:80/\"], \"default_ttl\": 7},"
        "{\"name\": \"two\", \"host\": \"*.Example.org\", \"methods\": \"GET, HEAD\", \"cache\": false}]}");
    (void)state;
    assert_int_equal(config->route_count, 3);
    assert_int_equal(config->backend_count, 3);
    const struct gw_route *one = &config->routes[0], *two = &config->routes[1], *rest = &config->routes[2];
    assert_text(one->match.path, "/one");
    assert_int_equal(one->default_ttl_s, 7);
    assert_true(one->cache_enabled);
    assert_int_equal(one->backends[0].index, 0);
    assert_int_equal(one->backends[1].index, 1);
    assert_text(two->match.host, "*.example.org");
    assert_int_equal(two->match.methods.count, 2);
    assert_false(two->cache_enabled);
    assert_int_equal(two->default_ttl_s, 300);
    assert_int_equal(two->backends[0].index, 1);
    assert_int_equal(two->backends[1].index, 2);
    assert_text(rest->name, "default");
    assert_int_equal(rest->index, 2);
    assert_int_equal(rest->backends[1].index, 2);
    for (unsigned i = 0; i < config->backend_count; i++)
        assert_int_equal(config->backends[i]->index, i);
    gw_config_unref(config);
}

static void a_route_that_takes_all_is_the_last_and_the_usual_backend_is_not_used(void **state)
{
    struct gw_config *config = of("{\"routes\": [{\"name\": \"all\", \"path\": \"/\", \"backend\": \"https://a\"}]}");
    (void)state;
    assert_int_equal(config->route_count, 1);
    assert_text(config->routes[0].name, "all");
    assert_int_equal(config->backend_count, 1);
    assert_text(config->backends[0]->host, "a");
    gw_config_unref(config);
}

static void policies_stand_beside_the_default_or_without_it(void **state)
{
    struct gw_config *config = of(
        "{\"limits\": {\"rate\": \"100/min\", \"burst\": 7, \"count\": \"misses\", \"shadow\": true, \"policies\": ["
        "{\"name\": \"keys\", \"rate\": 5, \"burst\": 50, \"cost\": 2, \"by\": \"header:X-Api-Key\", \"path\": "
        "\"/api\", \"on_redis_failure\": \"deny\"}]}}");
    (void)state;
    assert_int_equal(config->policy_count, 2);
    const struct gw_limit_policy *policy = &config->policies[0];
    assert_int_equal(policy->n, 100);
    assert_int_equal(policy->period_us, 60000000);
    assert_int_equal(policy->burst, 7);
    assert_int_equal(policy->by, GW_LIMIT_BY_IP);
    assert_true(policy->shadow);
    assert_true(policy->count_misses_only);
    policy = &config->policies[1];
    assert_int_equal(policy->index, 1);
    assert_text(policy->name, "keys");
    assert_text(policy->rate_text, "5/s");
    assert_int_equal(policy->cost, 2);
    assert_int_equal(policy->by, GW_LIMIT_BY_HEADER);
    assert_text(policy->header, "X-Api-Key");
    assert_text(policy->match.path, "/api");
    assert_false(policy->shadow);
    assert_false(policy->count_misses_only);
    assert_int_equal(policy->on_redis_failure, GW_LIMIT_FAILS_DENY);
    gw_config_unref(config);
    config = of(
        "{\"limits\": {\"rate\": \"off\", \"policies\": [{\"name\": \"default\", \"rate\": \"1/365d\", \"burst\": 1, "
        "\"by\": \"route\"}]}}");
    assert_int_equal(config->policy_count, 1);
    assert_int_equal(config->policies[0].by, GW_LIMIT_BY_ROUTE);
    gw_config_unref(config);
    config = of("{\"limits\": {\"rate\": \"off\"}}");
    assert_int_equal(config->policy_count, 0);
    gw_config_unref(config);
}

static void cors_takes_origins_and_lists_that_may_be_empty(void **state)
{
    struct gw_config *config = of(
        "{\"cors\": {\"origins\": [\"https://a.org:8\"], \"credentials\": true, \"exposed_headers\": []}}");
    (void)state;
    assert_true(config->cors_alone && !config->cors_any_origin);
    assert_text(config->cors_origins.items[0], "https://a.org:8");
    assert_true(config->cors_credentials);
    assert_int_equal(config->cors_exposed.length, 0);
    gw_config_unref(config);
}

/* Prints what these sources give, loads the page as a file, prints that: the pages must be the same. */
static void check_round_trip(const char *variables, const char *arguments)
{
    struct start start;
    struct gw_buffer first = gw_buffer_create(1 << 20), second = gw_buffer_create(1 << 20);
    char again[256];
    prepare(&start, variables, arguments);
    assert_true(print(&start, &first));
    assert_true(first.length > 0);
    gw_buffer_put_char(&first, '\0');
    write_file(first.at);
    snprintf(again, sizeof(again), "--config %s", file_name);
    gw_config_unref(load_good("", again));
    prepare(&start, "", again);
    assert_true(print(&start, &second));
    gw_buffer_put_char(&second, '\0');
    unlink(file_name);
    assert_string_equal(first.at, second.at);
    gw_buffer_destroy(&first);
    gw_buffer_destroy(&second);
}

static void what_is_printed_loads_again_to_the_same(void **state)
{
    (void)state;
    check_round_trip("", "");
    check_round_trip(
        "BACKEND_URL=http://a,http://b RATE_LIMIT_RATE=3 CACHE_TTL=5m",
        "--cache.ttl=90 --cache.bypass_paths=/me,/cart --cache.ignore_query=utm_* --cache.flight=process "
        "--cache.heuristic_max=0 --server.idle_timeout=1.5 --server.max_body_bytes=1000 --log.access=a\"b\\c "
        "--cors.origins= "
        "--routes [{\"name\":\"x\",\"path\":\"/x\",\"methods\":[\"GET\"],\"cache\":false,\"default_ttl\":2.0},"
        "{\"name\":\"y\",\"host\":\"h\"}] "
        "--limits.policies [{\"name\":\"p\",\"rate\":\"1/h\",\"burst\":2}]");
}

static void a_broken_configuration_prints_nothing(void **state)
{
    struct start start;
    struct gw_buffer page = gw_buffer_create(1 << 20);
    (void)state;
    prepare(&start, "GATEWAY_PORT=x", "");
    assert_false(print(&start, &page));
    assert_int_equal(page.length, 0);
    gw_buffer_destroy(&page);
}

static void user_and_password_of_a_url_are_masked(void **state)
{
    static const struct {
        const char *url, *masked;
    } rows[] = {
        { "redis://localhost", "redis://localhost" },
        { "redis://u:p@localhost/0", "redis://***@localhost/0" },
        { "redis://u:p@x@localhost", "redis://***@localhost" },
        { "u:p@localhost", "***@localhost" },
        { "", "" },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        char memory[64];
        struct gw_buffer buffer = gw_buffer_over(memory, sizeof(memory));
        gw_print_masked_url(&buffer, gw_slice_of_string(rows[i].url));
        assert_text(gw_buffer_slice(&buffer), rows[i].masked);
    }
}

static void the_help_names_every_flag_in_lines_of_readable_width(void **state)
{
    struct gw_buffer page = gw_buffer_create(1 << 16);
    (void)state;
    gw_load_print_help(&page);
    gw_buffer_put_char(&page, '\0');
    assert_false(page.overflowed);
    for (unsigned i = 0; i < GW_KEYS_COUNT; i++) {
        char flag[GW_KEYS_NAME_BYTES + 8];
        snprintf(flag, sizeof(flag), "--%s=", gw_keys[i].path);
        assert_non_null(strstr(page.at, flag));
    }
    for (char *line = strtok(page.at, "\n"); line; line = strtok(NULL, "\n"))
        assert_in_range(strlen(line), 0, 110);
    gw_buffer_destroy(&page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_what_the_documentation_says),
        cmocka_unit_test(flags_come_before_variables_these_before_the_file_it_before_defaults),
        cmocka_unit_test(what_a_variable_fills_in_is_read_as_its_text),
        cmocka_unit_test(lists_and_arrays_are_replaced_whole),
        cmocka_unit_test(well_known_variables_are_understood),
        cmocka_unit_test(what_others_put_into_the_environment_is_left_alone),
        cmocka_unit_test(mistakes_in_variables_and_flags_are_named),
        cmocka_unit_test(a_password_is_never_shown),
        cmocka_unit_test(a_token_is_never_shown),
        cmocka_unit_test(a_token_is_taken_from_the_variable),
        cmocka_unit_test(a_command_is_told_by_its_flag),
        cmocka_unit_test(addresses_to_listen_on_are_literal),
        cmocka_unit_test(a_backends_url_is_taken_apart),
        cmocka_unit_test(one_url_is_one_backend_over_all_routes),
        cmocka_unit_test(a_route_that_takes_all_is_the_last_and_the_usual_backend_is_not_used),
        cmocka_unit_test(policies_stand_beside_the_default_or_without_it),
        cmocka_unit_test(cors_takes_origins_and_lists_that_may_be_empty),
        cmocka_unit_test(what_is_printed_loads_again_to_the_same),
        cmocka_unit_test(a_broken_configuration_prints_nothing),
        cmocka_unit_test(user_and_password_of_a_url_are_masked),
        cmocka_unit_test(the_help_names_every_flag_in_lines_of_readable_width),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
