#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include "admin/pages.h"
#include "base/clock.h"
#include "base/version.h"

/* Two routes that share a backend, one limit, one worker. */
static struct gw_backend backends[] = { { .url = { "http://a:8000", 13 }, .index = 0 },
                                        { .url = { "http://b:8000", 13 }, .index = 1 },
                                        { .url = { "http://a:8000", 13 }, .index = 2 } };
static struct gw_backend *by_index[] = { &backends[0], &backends[1], &backends[2] };
static struct gw_route routes[] = { { .name = { "api", 3 }, .index = 0 }, { .name = { "default", 7 }, .index = 1 } };
static struct gw_limit_policy policy = {
    .name = { "default", 7 }, .n = 10, .period_us = 1000000, .burst = 20, .cost = 1, .by = GW_LIMIT_BY_IP
};
static atomic_bool draining;
static struct gw_config config;
static struct gw_admin admin;

static int set_up(void **state)
{
    (void)state;
    config.backends = by_index;
    config.backend_count = 3;
    config.routes = routes;
    config.route_count = 2;
    config.policies = &policy;
    config.policy_count = 1;
    config.limits_enabled = true;
    config.cache_enabled = true;
    draining = false;
    admin = (struct gw_admin) { .config = &config, .draining = &draining, .workers = 1 };
    admin.metrics = gw_metrics_create(&config, 1, gw_clock_monotonic_us());
    admin.registry = gw_registry_create(&config);
    assert_non_null(admin.metrics);
    assert_non_null(admin.registry);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    gw_metrics_destroy(&admin.metrics);
    gw_registry_destroy(&admin.registry);
    return 0;
}

static struct gw_buffer page;

static cJSON *parse_page(void)
{
    gw_buffer_put_char(&page, '\0');
    cJSON *json = cJSON_Parse(page.at);
    assert_non_null(json);
    gw_buffer_destroy(&page);
    return json;
}

static cJSON *health(int status)
{
    page = gw_buffer_create(1 << 16);
    assert_int_equal(gw_admin_put_health(&admin, &page), status);
    return parse_page();
}

static cJSON *stats_at(uint64_t now_us)
{
    page = gw_buffer_create(1 << 16);
    assert_int_equal(gw_admin_put_stats(&admin, now_us, &page), 200);
    return parse_page();
}

static const char *text_of(const cJSON *json, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, name);
    if (!cJSON_IsString(item))
        fail_msg("no text %s", name);
    return item->valuestring;
}

static double number_of(const cJSON *json, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, name);
    if (!cJSON_IsNumber(item))
        fail_msg("no number %s", name);
    return item->valuedouble;
}

static void health_follows_the_backends_and_the_drain(void **state)
{
    (void)state;
    cJSON *json = health(200);
    assert_string_equal(text_of(json, "status"), "ok"); /* a backend never asked is no reason for worry */
    assert_string_equal(text_of(json, "redis"), "disabled");
    assert_string_equal(text_of(json, "version"), gw_version());
    assert_non_null(strchr(text_of(json, "uptime"), 's'));
    cJSON_Delete(json);

    gw_registry_note(admin.registry, 0, true);
    gw_registry_note(admin.registry, 1, false);
    json = health(200);
    assert_string_equal(text_of(json, "status"), "degraded");
    cJSON_Delete(json);

    draining = true;
    json = health(503);
    assert_string_equal(text_of(json, "status"), "draining");
    cJSON_Delete(json);

    draining = false;
    gw_registry_note(admin.registry, 1, true);
    json = health(200);
    assert_string_equal(text_of(json, "status"), "ok");
    cJSON_Delete(json);
}

static void health_lists_each_url_once(void **state)
{
    (void)state;
    gw_registry_note(admin.registry, 2, false); /* the same server as 0 */
    gw_registry_note(admin.registry, 2, true);
    gw_registry_note(admin.registry, 2, false);
    cJSON *json = health(200);
    const cJSON *list = cJSON_GetObjectItem(json, "backends");
    assert_int_equal(cJSON_GetArraySize(list), 2);
    const cJSON *first = cJSON_GetArrayItem(list, 0), *second = cJSON_GetArrayItem(list, 1);
    assert_string_equal(text_of(first, "url"), "http://a:8000");
    assert_string_equal(text_of(first, "status"), "down");
    assert_true(number_of(first, "requests") == 3);
    assert_true(number_of(first, "failures") == 2);
    assert_int_equal(strlen(text_of(first, "since")), strlen("2026-11-24T21:55:55Z"));
    assert_string_equal(text_of(second, "url"), "http://b:8000");
    assert_string_equal(text_of(second, "status"), "unknown");
    assert_null(cJSON_GetObjectItem(second, "since"));
    cJSON_Delete(json);
}

static void stats_before_the_first_request(void **state)
{
    (void)state;
    cJSON *json = stats_at(gw_clock_monotonic_us());
    assert_string_equal(text_of(json, "version"), gw_version());
    assert_string_equal(text_of(json, "backend"), "http://a:8000");
    assert_string_equal(text_of(json, "success_rate"), "100.00%");
    assert_string_equal(text_of(json, "mode"), "embedded");
    assert_true(number_of(json, "request_count") == 0);
    assert_true(number_of(json, "workers") == 1);
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(json, "cache_enabled")));
    assert_string_equal(text_of(json, "rate_limit"), "10 req/sec per IP");
    assert_string_equal(text_of(cJSON_GetObjectItem(json, "cache"), "hit_rate"), "0.00%");
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(json, "backends")), 2);
    assert_true(number_of(cJSON_GetObjectItem(json, "memory"), "resident_bytes") > 0);
    cJSON_Delete(json);
}

static void stats_count_traffic_and_not_themselves(void **state)
{
    struct gw_shard *shard = gw_metrics_shard(admin.metrics, 0);
    (void)state;
    for (unsigned i = 0; i < 10000; i++)
        gw_metrics_record(
            shard, &(struct gw_request_record) { .route = &routes[1],
                                                 .method = GW_METHOD_GET,
                                                 .status = i < 149 ? 502 : 200,
                                                 .cache = i % 4 ? GW_CACHE_LABEL_MISS : GW_CACHE_LABEL_HIT,
                                                 .limit = i < 9000 ? GW_LIMIT_LABEL_ALLOWED : GW_LIMIT_LABEL_REFUSED });
    gw_metrics_record(shard, &(struct gw_request_record) { .is_admin = true, .status = 200 });
    gw_counter_add(&shard->bytes_sent, 9007199254740993); /* more than a double holds exactly */
    gw_counter_add(&shard->connections_open, 3);
    cJSON *json = stats_at(gw_clock_monotonic_us() + 8130 * 1000000ull);
    assert_string_equal(text_of(json, "uptime"), "2h15m30s");
    assert_true(number_of(json, "request_count") == 10000);
    assert_true(number_of(json, "error_count") == 149);
    assert_string_equal(text_of(json, "success_rate"), "98.51%");
    assert_true(number_of(json, "connections") == 3);
    const cJSON *cache = cJSON_GetObjectItem(json, "cache"), *limiter = cJSON_GetObjectItem(json, "limiter");
    assert_true(number_of(cache, "hits") == 2500);
    assert_string_equal(text_of(cache, "hit_rate"), "25.00%");
    assert_true(number_of(limiter, "allowed") == 9000);
    assert_true(number_of(limiter, "refused") == 1000);
    assert_string_equal(text_of(cJSON_GetArrayItem(cJSON_GetObjectItem(limiter, "policies"), 0), "name"), "default");
    cJSON_Delete(json);

    page = gw_buffer_create(1 << 16);
    assert_int_equal(gw_admin_put_stats(&admin, 0, &page), 200);
    gw_buffer_put_char(&page, '\0');
    assert_non_null(strstr(page.at, "\"bytes\":9007199254740993,"));
    gw_buffer_destroy(&page);
}

static void stats_say_when_limits_are_off(void **state)
{
    (void)state;
    config.limits_enabled = false;
    cJSON *json = stats_at(0);
    assert_string_equal(text_of(json, "rate_limit"), "off");
    cJSON_Delete(json);
}

static void stats_and_metrics_ask_the_cache_and_the_limiter(void **state)
{
    (void)state;
    config.max_clients = 100;
    admin.memory_cache = gw_memory_cache_create(1 << 20, NULL);
    admin.limiter = gw_limiter_create(&config);
    assert_non_null(admin.memory_cache);
    assert_non_null(admin.limiter);
    cJSON *json = stats_at(0);
    assert_true(number_of(cJSON_GetObjectItem(json, "cache"), "entries") == 0);
    assert_true(number_of(cJSON_GetObjectItem(json, "limiter"), "clients") == 0);
    cJSON_Delete(json);
    gw_memory_cache_destroy(&admin.memory_cache);
    gw_limiter_destroy(&admin.limiter);
}

static void the_metrics_page_has_its_eight_names_and_each_backend_once(void **state)
{
    static const char *const needles[] = {
        "\ngateway_uptime_seconds ",
        "\ngateway_requests_total ",
        "\ngateway_requests_success ",
        "\ngateway_requests_error ",
        "\ngateway_bytes_transferred ",
        "\ngateway_memory_alloc_bytes ",
        "\ngateway_active_connections ",
        "\ngateway_success_rate ",
        "\ngateway_backend_up{url=\"http://a:8000\"} 1\n",
        "\ngateway_backend_up{url=\"http://b:8000\"} 0\n",
    };
    (void)state;
    gw_registry_note(admin.registry, 2, true);
    gw_registry_note(admin.registry, 1, false);
    page = gw_buffer_create(1 << 20);
    assert_int_equal(gw_admin_put_metrics(&admin, gw_clock_monotonic_us(), &page), 200);
    gw_buffer_put_char(&page, '\0');
    for (size_t i = 0; i < GW_COUNT(needles); i++) {
        const char *at = strstr(page.at, needles[i]);
        if (!at || strstr(at + 1, needles[i]))
            fail_msg("not exactly once: %s", needles[i] + 1);
    }
    gw_buffer_destroy(&page);
}

static void promtool_has_nothing_to_complain_about(void **state)
{
    (void)state;
    if (system("command -v promtool >/dev/null 2>&1") != 0)
        skip();
    page = gw_buffer_create(1 << 20);
    assert_int_equal(gw_admin_put_metrics(&admin, gw_clock_monotonic_us(), &page), 200);
    FILE *tool = popen("promtool check metrics 2>&1", "w");
    assert_non_null(tool);
    assert_int_equal(fwrite(page.at, 1, page.length, tool), page.length);
    assert_int_equal(pclose(tool), 0);
    gw_buffer_destroy(&page);
}

static void a_page_that_does_not_fit_is_refused_whole(void **state)
{
    char memory[200];
    struct gw_buffer small = gw_buffer_over(memory, sizeof(memory));
    (void)state;
    assert_int_equal(gw_admin_put_stats(&admin, 0, &small), 500);
    assert_true(gw_slice_equal(gw_buffer_slice(&small), GW_SLICE("{\"error\":\"out of memory\"}\n")));
    small = gw_buffer_over(memory, sizeof(memory));
    assert_int_equal(gw_admin_put_metrics(&admin, 0, &small), 500);
    assert_int_equal(small.length, 0);
}

/* cJSON's allocations, of which the n-th fails. */
static int allocations_left;

static void *allocate_a_few(size_t size)
{
    return allocations_left-- > 0 ? malloc(size) : NULL;
}

static void a_page_without_memory_says_so_at_whichever_allocation(void **state)
{
    cJSON_Hooks hooks = { .malloc_fn = allocate_a_few, .free_fn = free };
    int status = 500;
    (void)state;
    cJSON_InitHooks(&hooks);
    for (int allowed = 0; status == 500 && allowed < 5000; allowed++) {
        page = gw_buffer_create(1 << 16);
        allocations_left = allowed;
        status = gw_admin_put_stats(&admin, 0, &page);
        if (status == 500)
            assert_true(gw_slice_equal(gw_buffer_slice(&page), GW_SLICE("{\"error\":\"out of memory\"}\n")));
        gw_buffer_destroy(&page);
    }
    cJSON_InitHooks(NULL);
    assert_int_equal(status, 200);
}

#define with_admin(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_admin(health_follows_the_backends_and_the_drain),
        with_admin(health_lists_each_url_once),
        with_admin(stats_before_the_first_request),
        with_admin(stats_count_traffic_and_not_themselves),
        with_admin(stats_say_when_limits_are_off),
        with_admin(stats_and_metrics_ask_the_cache_and_the_limiter),
        with_admin(the_metrics_page_has_its_eight_names_and_each_backend_once),
        with_admin(promtool_has_nothing_to_complain_about),
        with_admin(a_page_that_does_not_fit_is_refused_whole),
        with_admin(a_page_without_memory_says_so_at_whichever_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
