#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include "telemetry/metrics.h"
#include "telemetry/page.h"

static struct gw_route routes[1];
static struct gw_config config;

/* A number of its own for each counter. */
static void count_for_the_cache(struct gw_shard *shard)
{
    gw_counter *const counters[] = {
        &shard->cache_memory_hits,
        &shard->cache_redis_hits,
        &shard->cache_revalidations_confirmed,
        &shard->cache_revalidations_replaced,
        &shard->cache_revalidations_failed,
        &shard->cache_background_refreshes,
        &shard->cache_stale_on_error,
        &shard->cache_collapsed,
        &shard->cache_collapsed_instances,
        &shard->cache_bans,
        &shard->cache_purges,
        &shard->cache_not_stored[GW_NOT_STORED_LABEL_REQUEST_FORBIDS],
        &shard->cache_not_stored[GW_NOT_STORED_LABEL_TOO_LARGE],
    };
    for (unsigned i = 0; i < GW_COUNT(counters); i++)
        gw_counter_add(counters[i], 101 + i);
}

/* The page of one worker that answered a few requests, terminated. */
static struct gw_buffer page_of_some_traffic(void)
{
    static const struct gw_metrics_backend backends[] = { { GW_SLICE("http://a:1/\"x\\y\n"), 1, 7, 2 },
                                                          { GW_SLICE("http://b:1"), 0, 3, 3 },
                                                          { GW_SLICE("http://c:1"), -1, 0, 0 } };
    static const struct gw_metrics_redis redis[] = { { GW_SLICE("redis://***@a"), 1, 2 },
                                                     { GW_SLICE("unix:///b"), 0, 5 } };
    const struct gw_metrics_gauges gauges = {
        .cache_entries = 4, .backends = backends, .backend_count = 3, .redis = redis, .redis_count = 2, .instances = 3
    };
    routes[0] = (struct gw_route) { .name = GW_SLICE("default"), .index = 0 };
    config.routes = routes;
    config.route_count = 1;
    struct gw_metrics *metrics = gw_metrics_create(&config, 2, 0);
    assert_non_null(metrics);
    struct gw_shard *shard = gw_metrics_shard(metrics, 1);
    struct gw_request_record record = { .route = routes,
                                        .method = GW_METHOD_GET,
                                        .status = 200,
                                        .ended_at_us = 700,
                                        .cache = GW_CACHE_LABEL_MISS,
                                        .has_upstream = true,
                                        .upstream_us = 12000000 };
    gw_metrics_record(shard, &record);
    record.ended_at_us = 3000;
    gw_metrics_record(shard, &record);
    gw_metrics_record(shard, &(struct gw_request_record) { .status = 502, .error = GW_ERROR_CONNECT });
    count_for_the_cache(shard);
    gw_counter_add(&shard->loop_lag_us, 1500);
    gw_counter_add(&shard->redis_calls[GW_REDIS_LABEL_LIMIT][GW_REDIS_RESULT_OK], 7);
    gw_counter_add(&shard->redis_calls[GW_REDIS_LABEL_SET][GW_REDIS_RESULT_SKIPPED], 1);
    gw_histogram_observe(&shard->redis_duration, 45 * 10);
    gw_histogram_observe(&shard->redis_duration, 75 * 10);
    struct gw_buffer page = gw_buffer_create(1 << 20);
    gw_metrics_put(metrics, &gauges, 90500000, &page);
    gw_buffer_put_char(&page, '\0');
    assert_false(page.overflowed);
    gw_metrics_destroy(&metrics);
    return page;
}

static bool has_line(const struct gw_buffer *page, const char *line)
{
    size_t length = strlen(line);
    for (const char *at = page->at; (at = strstr(at, line)) != NULL; at++)
        if ((at == page->at || at[-1] == '\n') && at[length] == '\n')
            return true;
    return false;
}

static void the_page_says_what_happened(void **state)
{
    static const char *const lines[] = {
        "# TYPE gateway_uptime_seconds gauge",
        "gateway_uptime_seconds 90.5",
        "# TYPE gateway_requests_total counter",
        "gateway_requests_total 3",
        "# TYPE gateway_requests_success untyped",
        "gateway_requests_success 2",
        "gateway_requests_error 1",
        "gateway_bytes_transferred 0",
        "gateway_active_connections 0",
        "gateway_success_rate 0.666666",
        "gateway_responses_total{route=\"default\",method=\"GET\",class=\"2xx\"} 2",
        "gateway_responses_total{route=\"_NONE\",method=\"_OTHER\",class=\"5xx\"} 1",
        "gateway_request_duration_seconds_bucket{route=\"default\",method=\"GET\",class=\"2xx\",le=\"0.0005\"} 0",
        "gateway_request_duration_seconds_bucket{route=\"default\",method=\"GET\",class=\"2xx\",le=\"0.001\"} 1",
        "gateway_request_duration_seconds_bucket{route=\"default\",method=\"GET\",class=\"2xx\",le=\"0.005\"} 2",
        "gateway_request_duration_seconds_bucket{route=\"default\",method=\"GET\",class=\"2xx\",le=\"+Inf\"} 2",
        "gateway_request_duration_seconds_sum{route=\"default\",method=\"GET\",class=\"2xx\"} 0.0037",
        "gateway_request_duration_seconds_count{route=\"default\",method=\"GET\",class=\"2xx\"} 2",
        "gateway_upstream_duration_seconds_bucket{route=\"default\",method=\"GET\",class=\"2xx\",le=\"10\"} 0",
        "gateway_upstream_duration_seconds_bucket{route=\"default\",method=\"GET\",class=\"2xx\",le=\"+Inf\"} 2",
        "gateway_upstream_duration_seconds_sum{route=\"default\",method=\"GET\",class=\"2xx\"} 24",
        "gateway_request_errors_total{error=\"upstream_refused\",by=\"backend\"} 1",
        "gateway_request_errors_total{error=\"rate_limited\",by=\"client\"} 0",
        "gateway_failed_requests_total{by=\"client\"} 0",
        "gateway_failed_requests_total{by=\"backend\"} 1",
        "gateway_failed_requests_total{by=\"gateway\"} 0",
        "gateway_upstream_errors_total{error=\"upstream_reset\"} 0",
        "gateway_cache_requests_total{result=\"miss\"} 2",
        "gateway_cache_requests_total{result=\"hit\"} 0",
        "gateway_cache_requests_total{result=\"stale\"} 0",
        "gateway_cache_requests_total{result=\"revalidated\"} 0",
        "gateway_cache_entries 4",
        "# TYPE gateway_cache_hits_total counter",
        "gateway_cache_hits_total{tier=\"near\"} 101",
        "gateway_cache_hits_total{tier=\"redis\"} 102",
        "gateway_cache_revalidations_total{result=\"confirmed\"} 103",
        "gateway_cache_revalidations_total{result=\"replaced\"} 104",
        "gateway_cache_revalidations_total{result=\"failed\"} 105",
        "gateway_cache_background_refreshes_total 106",
        "gateway_cache_stale_on_error_total 107",
        "gateway_cache_collapsed_total 108",
        "gateway_cache_collapsed_instances_total 109",
        "gateway_cache_bans_total 110",
        "gateway_cache_purges_total 111",
        "gateway_cache_not_stored_total{reason=\"request_forbids\"} 112",
        "gateway_cache_not_stored_total{reason=\"no_store\"} 0",
        "gateway_cache_not_stored_total{reason=\"too_large\"} 113",
        "gateway_limiter_decisions_total{outcome=\"refused\"} 0",
        "gateway_redis_calls_total{kind=\"limit\",result=\"ok\"} 7",
        "gateway_redis_calls_total{kind=\"set\",result=\"skipped\"} 1",
        "gateway_redis_calls_total{kind=\"get\",result=\"oom\"} 0",
        "gateway_redis_calls_total{kind=\"purge\",result=\"ok\"} 0",
        "gateway_redis_calls_total{kind=\"lease\",result=\"lost\"} 0",
        "gateway_redis_duration_seconds_bucket{le=\"0.00005\"} 1",
        "gateway_redis_duration_seconds_bucket{le=\"0.0001\"} 2",
        "gateway_redis_duration_seconds_bucket{le=\"1\"} 2",
        "gateway_redis_duration_seconds_sum 0.00012",
        "gateway_redis_duration_seconds_count 2",
        "gateway_redis_up{url=\"redis://***@a\"} 1",
        "gateway_redis_up{url=\"unix:///b\"} 0",
        "gateway_redis_breaker_openings_total{url=\"unix:///b\"} 5",
        "gateway_instances 3",
        "gateway_loop_lag_seconds{worker=\"0\"} 0",
        "gateway_loop_lag_seconds{worker=\"1\"} 0.0015",
        "gateway_backend_up{url=\"http://a:1/\\\"x\\\\y\\n\"} 1",
        "gateway_backend_up{url=\"http://b:1\"} 0",
        "gateway_backend_requests_total{url=\"http://a:1/\\\"x\\\\y\\n\"} 7",
        "gateway_backend_failures_total{url=\"http://c:1\"} 0",
    };
    struct gw_buffer page = page_of_some_traffic();
    (void)state;
    for (size_t i = 0; i < GW_COUNT(lines); i++)
        if (!has_line(&page, lines[i]))
            fail_msg("not on the page: %s", lines[i]);
    assert_null(strstr(page.at, "gateway_upstream_errors_total{error=\"rate_limited\"}"));
    assert_null(strstr(page.at, "gateway_backend_up{url=\"http://c:1\"}"));
    assert_null(strstr(page.at, "class=\"3xx\""));
    assert_null(strstr(page.at, "\"storable\""));
    assert_null(strstr(page.at, "\"none\"} ")); /* neither cache nor limit were asked */
    gw_buffer_destroy(&page);
}

static double value_of(const struct gw_buffer *page, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = page->at; (at = strstr(at, name)) != NULL; at++)
        if (at[-1] == '\n' && at[length] == ' ')
            return strtod(at + length, NULL);
    fail_msg("no %s", name);
    return 0;
}

static void the_process_is_described(void **state)
{
    struct gw_buffer page = page_of_some_traffic();
    (void)state;
    assert_true(value_of(&page, "process_resident_memory_bytes") > 100000);
    assert_true(value_of(&page, "process_virtual_memory_bytes") > 100000);
    assert_true(value_of(&page, "process_cpu_seconds_total") > 0);
    assert_true(value_of(&page, "process_open_fds") >= 3);
    assert_true(value_of(&page, "process_max_fds") >= value_of(&page, "process_open_fds"));
    assert_true(value_of(&page, "process_start_time_seconds") > 1.6e9);
    assert_true(value_of(&page, "gateway_memory_alloc_bytes") >= 0); /* a sanitizer's malloc tells nothing */
    assert_non_null(strstr(page.at, "\ngateway_build_info{version=\""));
    gw_buffer_destroy(&page);
}

static void promtool_has_nothing_to_complain_about(void **state)
{
    (void)state;
    if (system("command -v promtool >/dev/null 2>&1") != 0)
        skip();
    struct gw_buffer page = page_of_some_traffic();
    FILE *tool = popen("promtool check metrics 2>&1", "w");
    assert_non_null(tool);
    assert_int_equal(fwrite(page.at, 1, page.length - 1, tool), page.length - 1);
    assert_int_equal(pclose(tool), 0);
    gw_buffer_destroy(&page);
}

static void millionths_are_written_exactly_and_short(void **state)
{
    static const struct row {
        uint64_t millionths;
        const char *line;
    } rows[] = { { 0, "m 0\n" },       { 1, "m 0.000001\n" },      { 500000, "m 0.5\n" },
                 { 1000000, "m 1\n" }, { 1234560, "m 1.23456\n" }, { UINT64_MAX, "m 18446744073709.551615\n" } };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        char memory[64];
        struct gw_buffer page = gw_buffer_over(memory, sizeof(memory));
        gw_page_put_millionths(&page, "m", GW_PAGE_NO_LABELS, rows[i].millionths);
        assert_true(gw_slice_equal(gw_buffer_slice(&page), gw_slice_of_string(rows[i].line)));
    }
}

static void a_help_text_stays_on_its_line(void **state)
{
    char memory[128];
    struct gw_buffer page = gw_buffer_over(memory, sizeof(memory));
    (void)state;
    gw_page_begin(&page, "m", "gauge", "a \"b\" \\ c\nd");
    assert_true(gw_slice_equal(gw_buffer_slice(&page), GW_SLICE("# HELP m a \"b\" \\\\ c\\nd\n# TYPE m gauge\n")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_says_what_happened),
        cmocka_unit_test(the_process_is_described),
        cmocka_unit_test(promtool_has_nothing_to_complain_about),
        cmocka_unit_test(millionths_are_written_exactly_and_short),
        cmocka_unit_test(a_help_text_stays_on_its_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
