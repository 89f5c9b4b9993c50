#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include "telemetry/series.h"

static struct gw_route routes[2];
static struct gw_config config;

static int set_up(void **state)
{
    routes[0] = (struct gw_route) { .name = GW_SLICE("api"), .index = 0 };
    routes[1] = (struct gw_route) { .name = GW_SLICE("default"), .index = 1 };
    config.routes = routes;
    config.route_count = 2;
    struct gw_metrics *metrics = gw_metrics_create(&config, 2, 1000000);
    assert_non_null(metrics);
    *state = metrics;
    return 0;
}

static int tear_down(void **state)
{
    struct gw_metrics *metrics = *state;
    gw_metrics_destroy(&metrics);
    assert_null(metrics);
    return 0;
}

static uint64_t count_of(struct gw_shard *shard, unsigned route, enum gw_method method, unsigned status_class)
{
    struct gw_histogram_sum sum = { .count = 0 };
    gw_histogram_add_to(&shard->series[gw_series_index(route, method, status_class)].duration, &sum);
    return sum.count;
}

static void a_request_is_a_success_unless_the_service_failed(void **state)
{
    static const struct row {
        int status;
        enum gw_error error;
        bool is_error;
        enum gw_error_cause cause; /* of an error */
    } rows[] = {
        { 200, GW_ERROR_NONE, false, GW_CAUSE_NONE },
        { 304, GW_ERROR_NONE, false, GW_CAUSE_NONE },
        { 404, GW_ERROR_NONE, false, GW_CAUSE_NONE },
        { 429, GW_ERROR_LIMITED, false, GW_CAUSE_NONE },
        { 400, GW_ERROR_MALFORMED, false, GW_CAUSE_NONE },
        { 404, GW_ERROR_CLIENT_GONE, false, GW_CAUSE_NONE }, /* the client's mistake, cut or not */
        { 500, GW_ERROR_NONE, true, GW_CAUSE_BACKEND },      /* its own */
        { 501, GW_ERROR_CODING, true, GW_CAUSE_CLIENT },
        { 505, GW_ERROR_VERSION, true, GW_CAUSE_CLIENT },
        { 504, GW_ERROR_NOT_STORED, true, GW_CAUSE_CLIENT },
        { 504, GW_ERROR_RESPONSE_TIMEOUT, true, GW_CAUSE_BACKEND },
        { 502, GW_ERROR_CONNECT, true, GW_CAUSE_BACKEND },
        { 503, GW_ERROR_OVERLOADED, true, GW_CAUSE_GATEWAY },
        { 200, GW_ERROR_RESET, true, GW_CAUSE_BACKEND }, /* cut */
        { 200, GW_ERROR_CLIENT_GONE, true, GW_CAUSE_CLIENT },
        { 0, GW_ERROR_CLIENT_GONE, true, GW_CAUSE_CLIENT }, /* nothing was sent */
        { 0, GW_ERROR_NONE, true, GW_CAUSE_GATEWAY },
    };
    struct gw_metrics *metrics = *state;
    struct gw_shard *shard = gw_metrics_shard(metrics, 0);
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_metrics_totals before, after;
        gw_metrics_read_totals(metrics, 0, &before);
        uint64_t failed = gw_counter_read(&shard->requests_failed[rows[i].cause]);
        gw_metrics_record(shard, &(struct gw_request_record) { .status = rows[i].status, .error = rows[i].error });
        gw_metrics_read_totals(metrics, 0, &after);
        assert_int_equal(gw_counter_read(&shard->requests_failed[rows[i].cause]) - failed, rows[i].is_error);
        assert_int_equal(after.requests - before.requests, 1);
        assert_int_equal(after.errors - before.errors, rows[i].is_error);
        assert_int_equal(after.success - before.success, !rows[i].is_error);
    }
    assert_int_equal(gw_counter_read(&shard->request_errors[GW_ERROR_CLIENT_GONE]), 3);
    assert_int_equal(gw_counter_read(&shard->request_errors[GW_ERROR_NONE]), 0);
}

static void a_request_is_counted_by_route_method_and_class(void **state)
{
    struct gw_route newer = { .index = 2 };
    const struct row {
        const struct gw_route *route;
        enum gw_method method;
        int status;
        unsigned series_route, series_class;
    } rows[] = {
        { NULL, GW_METHOD_GET, 400, 0, 4 },           { &routes[0], GW_METHOD_GET, 200, 1, 2 },
        { &routes[1], GW_METHOD_POST, 503, 2, 5 },    { &routes[1], GW_METHOD_OTHER, 101, 2, 1 },
        { &routes[1], GW_METHOD_CONNECT, 399, 2, 3 }, { &routes[1], GW_METHOD_GET, 0, 2, 0 },
        { &routes[1], GW_METHOD_PUT, 999, 2, 0 },   /* no status of HTTP */
        { &newer, GW_METHOD_GET, 200, 0, 2 },       /* a route that came with a reload */
        { &routes[1], GW_METHOD_QUERY, 200, 2, 2 }, /* as what has no label */
    };
    struct gw_metrics *metrics = *state;
    struct gw_shard *shard = gw_metrics_shard(metrics, 1);
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        const struct row *row = &rows[i];
        enum gw_method counted = row->method == GW_METHOD_QUERY ? GW_METHOD_OTHER : row->method;
        uint64_t before = count_of(shard, row->series_route, counted, row->series_class);
        gw_metrics_record(
            shard, &(struct gw_request_record) { .route = row->route, .method = row->method, .status = row->status });
        assert_int_equal(count_of(shard, row->series_route, counted, row->series_class), before + 1);
    }
    struct gw_metrics_totals totals;
    gw_metrics_read_totals(metrics, 0, &totals);
    assert_int_equal(totals.requests, GW_COUNT(rows)); /* and nowhere else */
}

static void only_a_request_that_asked_a_backend_has_an_upstream_duration(void **state)
{
    struct gw_shard *shard = gw_metrics_shard(*state, 0);
    struct gw_request_record record = { .route = &routes[0],
                                        .method = GW_METHOD_GET,
                                        .status = 200,
                                        .began_at_us = 1000,
                                        .ended_at_us = 4000,
                                        .upstream_us = 0 };
    gw_metrics_record(shard, &record);
    record.has_upstream = true;
    record.upstream_us = 2500;
    gw_metrics_record(shard, &record);
    struct gw_series *series = &shard->series[gw_series_index(1, GW_METHOD_GET, 2)];
    struct gw_histogram_sum duration = { .count = 0 }, upstream = { .count = 0 };
    gw_histogram_add_to(&series->duration, &duration);
    gw_histogram_add_to(&series->upstream, &upstream);
    assert_int_equal(duration.count, 2);
    assert_int_equal(duration.sum_us, 6000);
    assert_int_equal(upstream.count, 1);
    assert_int_equal(upstream.sum_us, 2500);
}

static void a_request_to_the_gateway_itself_is_no_traffic(void **state)
{
    struct gw_metrics *metrics = *state;
    struct gw_shard *shard = gw_metrics_shard(metrics, 0);
    struct gw_metrics_totals totals;
    gw_metrics_record(shard, &(struct gw_request_record) { .is_admin = true, .status = 503 });
    gw_metrics_read_totals(metrics, 0, &totals);
    assert_int_equal(totals.requests, 0);
    assert_int_equal(count_of(shard, 0, GW_METHOD_OTHER, 5), 0);
    assert_int_equal(gw_counter_read(&shard->admin_requests), 1);
}

static void totals_are_sums_over_the_workers(void **state)
{
    struct gw_metrics *metrics = *state;
    struct gw_metrics_totals totals;
    for (unsigned worker = 0; worker < 2; worker++) {
        struct gw_shard *shard = gw_metrics_shard(metrics, worker);
        gw_counter_add(&shard->bytes_received, 10);
        gw_counter_add(&shard->bytes_sent, 5);
        gw_counter_add(&shard->connections_open, 3);
        gw_counter_subtract(&shard->connections_open, 1);
        gw_metrics_record(shard, &(struct gw_request_record) {
                                     .status = 200, .cache = GW_CACHE_LABEL_HIT, .limit = GW_LIMIT_LABEL_ALLOWED });
        gw_metrics_record(shard, &(struct gw_request_record) { .status = 429, .limit = GW_LIMIT_LABEL_REFUSED });
    }
    gw_metrics_read_totals(metrics, 3500000, &totals);
    assert_int_equal(totals.bytes, 30);
    assert_int_equal(totals.connections_open, 4);
    assert_int_equal(totals.requests, 4);
    assert_int_equal(totals.hits, 2);
    assert_int_equal(totals.misses, 0);
    assert_int_equal(totals.limit_allowed, 2);
    assert_int_equal(totals.limit_refused, 2);
    assert_int_equal(totals.uptime_us, 2500000);
    assert_null(gw_metrics_shard(metrics, 2));
}

/* Each label has its own name: two series with one name, or one without a name, would be wrong. */
static void every_label_has_a_name_of_its_own(void **state)
{
    const char *names[64];
    unsigned count = 0, starts[5] = { 0 };
    (void)state;
    for (unsigned i = 0; i < GW_CACHE_LABEL_COUNT; i++)
        names[count++] = gw_cache_label_name(i);
    starts[1] = count;
    for (unsigned i = 0; i < GW_NOT_STORED_LABEL_COUNT; i++)
        names[count++] = gw_not_stored_label_name(i);
    starts[2] = count;
    for (unsigned i = 0; i < GW_LIMIT_LABEL_COUNT; i++)
        names[count++] = gw_limit_label_name(i);
    starts[3] = count;
    for (unsigned i = 0; i < GW_REDIS_LABEL_COUNT; i++)
        names[count++] = gw_redis_label_name(i);
    starts[4] = count;
    for (unsigned kind = 0; kind < GW_COUNT(starts) - 1; kind++)
        for (unsigned i = starts[kind]; i < starts[kind + 1]; i++) {
            assert_non_null(names[i]);
            for (unsigned j = starts[kind]; j < i; j++)
                assert_string_not_equal(names[i], names[j]);
        }
}

enum { RECORDS = 20000 };

static void *record_many(void *context)
{
    for (unsigned i = 0; i < RECORDS; i++)
        gw_metrics_record(context, &(struct gw_request_record) { .status = 200, .route = &routes[0] });
    return NULL;
}

static void a_page_may_be_read_while_workers_count(void **state)
{
    struct gw_metrics *metrics = *state;
    const struct gw_metrics_gauges gauges = { .backend_count = 0 };
    pthread_t threads[2];
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, record_many, gw_metrics_shard(metrics, i)), 0);
    for (unsigned i = 0; i < 5; i++) {
        struct gw_buffer page = gw_buffer_create(1 << 20);
        gw_metrics_put(metrics, &gauges, 2000000, &page);
        assert_false(page.overflowed);
        gw_buffer_destroy(&page);
    }
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    struct gw_metrics_totals totals;
    gw_metrics_read_totals(metrics, 0, &totals);
    assert_int_equal(totals.requests, 2 * RECORDS);
}

#define with_metrics(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_metrics(a_request_is_a_success_unless_the_service_failed),
        with_metrics(a_request_is_counted_by_route_method_and_class),
        with_metrics(only_a_request_that_asked_a_backend_has_an_upstream_duration),
        with_metrics(a_request_to_the_gateway_itself_is_no_traffic),
        with_metrics(totals_are_sums_over_the_workers),
        cmocka_unit_test(every_label_has_a_name_of_its_own),
        with_metrics(a_page_may_be_read_while_workers_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
