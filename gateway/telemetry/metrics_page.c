/* metrics_page.c: one row for each family (name, type, source of its samples, help), in the order of the page. A new
 * metric is a new row. */
#include "telemetry/page.h"
#include "telemetry/process.h"
#include "telemetry/series.h"
#include "base/version.h"

struct view { /* the sources of a page; borrowed for one call */
    struct gw_buffer *page;
    struct gw_metrics *metrics;
    const struct gw_metrics_gauges *gauges;
    struct gw_metrics_totals totals;
    struct gw_process_facts process;
};

struct family {
    const char *name, *type;
    void (*put)(const struct view *view, const struct family *family);
    size_t offset; /* where `put` finds its number; some do not use it */
    const char *help;
};

/* The number at an offset of a struct of plain uint64_t. */
static uint64_t metrics_page_number_at(const void *base, size_t offset)
{
    uint64_t number;
    memcpy(&number, (const char *)base + offset, sizeof(number));
    return number;
}

/* The sum of the counters at an offset of all shards. */
static uint64_t metrics_page_shard_sum(const struct gw_metrics *metrics, size_t offset)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < metrics->worker_count; i++)
        sum += gw_counter_read((gw_counter *)(void *)((char *)metrics->shards[i] + offset));
    return sum;
}

static void metrics_page_put_one(const struct view *view, const struct family *family, uint64_t value)
{
    gw_page_put_uint(view->page, family->name, GW_PAGE_NO_LABELS, value);
}

static void metrics_page_put_shards(const struct view *view, const struct family *family)
{
    metrics_page_put_one(view, family, metrics_page_shard_sum(view->metrics, family->offset));
}

static void metrics_page_put_total(const struct view *view, const struct family *family)
{
    metrics_page_put_one(view, family, metrics_page_number_at(&view->totals, family->offset));
}

static void metrics_page_put_gauge(const struct view *view, const struct family *family)
{
    metrics_page_put_one(view, family, metrics_page_number_at(view->gauges, family->offset));
}

static void metrics_page_put_process(const struct view *view, const struct family *family)
{
    metrics_page_put_one(view, family, metrics_page_number_at(&view->process, family->offset));
}

static void metrics_page_put_cpu(const struct view *view, const struct family *family)
{
    gw_page_put_millionths(view->page, family->name, GW_PAGE_NO_LABELS, view->process.cpu_us);
}

static void metrics_page_put_start_time(const struct view *view, const struct family *family)
{
    gw_page_put_millionths(view->page, family->name, GW_PAGE_NO_LABELS, view->metrics->process_began_at_wall_us);
}

static void metrics_page_put_uptime(const struct view *view, const struct family *family)
{
    gw_page_put_millionths(view->page, family->name, GW_PAGE_NO_LABELS, view->totals.uptime_us);
}

static void metrics_page_put_workers(const struct view *view, const struct family *family)
{
    metrics_page_put_one(view, family, view->metrics->worker_count);
}

static void metrics_page_put_success_rate(const struct view *view, const struct family *family)
{
    const struct gw_metrics_totals *totals = &view->totals;
    uint64_t millionths = totals->requests ? totals->success * 1000000 / totals->requests : 1000000;
    gw_page_put_millionths(view->page, family->name, GW_PAGE_NO_LABELS, millionths);
}

static void metrics_page_put_build_info(const struct view *view, const struct family *family)
{
    const struct gw_page_label labels[] = { { "version", gw_slice_of_string(gw_version()) },
                                            { "compiler", gw_slice_of_string(gw_version_compiler()) } };
    gw_page_put_uint(view->page, family->name, (struct gw_page_labels) { labels, GW_COUNT(labels) }, 1);
}

static void metrics_page_put_labelled(const struct view *view, const struct family *family, const char *label,
                                      const char *value, uint64_t number)
{
    const struct gw_page_label one = { label, gw_slice_of_string(value) };
    gw_page_put_uint(view->page, family->name, (struct gw_page_labels) { &one, 1 }, number);
}

/* Every outcome is on the page from the start, with 0: if a counter appeared with its first event, rate() would miss
 * that event. */
static void metrics_page_put_cache(const struct view *view, const struct family *family)
{
    for (unsigned i = GW_CACHE_LABEL_NONE + 1; i < GW_CACHE_LABEL_COUNT; i++)
        metrics_page_put_labelled(view, family, "result", gw_cache_label_name(i),
                                  metrics_page_shard_sum(view->metrics, family->offset + i * sizeof(gw_counter)));
}

static void metrics_page_put_not_stored(const struct view *view, const struct family *family)
{
    for (unsigned i = GW_NOT_STORED_LABEL_NONE + 1; i < GW_NOT_STORED_LABEL_COUNT; i++)
        metrics_page_put_labelled(view, family, "reason", gw_not_stored_label_name(i),
                                  metrics_page_shard_sum(view->metrics, family->offset + i * sizeof(gw_counter)));
}

static void metrics_page_put_hits(const struct view *view, const struct family *family)
{
    metrics_page_put_labelled(view, family, "tier", "near",
                              metrics_page_shard_sum(view->metrics, offsetof(struct gw_shard, cache_memory_hits)));
    metrics_page_put_labelled(view, family, "tier", "redis",
                              metrics_page_shard_sum(view->metrics, offsetof(struct gw_shard, cache_redis_hits)));
}

static void metrics_page_put_revalidations(const struct view *view, const struct family *family)
{
    static const struct {
        const char *result;
        size_t offset;
    } rows[] = {
        { "confirmed", offsetof(struct gw_shard, cache_revalidations_confirmed) },
        { "replaced", offsetof(struct gw_shard, cache_revalidations_replaced) },
        { "failed", offsetof(struct gw_shard, cache_revalidations_failed) },
    };
    for (size_t i = 0; i < GW_COUNT(rows); i++)
        metrics_page_put_labelled(view, family, "result", rows[i].result,
                                  metrics_page_shard_sum(view->metrics, rows[i].offset));
}

static void metrics_page_put_limit(const struct view *view, const struct family *family)
{
    for (unsigned i = GW_LIMIT_LABEL_NONE + 1; i < GW_LIMIT_LABEL_COUNT; i++)
        metrics_page_put_labelled(view, family, "outcome", gw_limit_label_name(i),
                                  metrics_page_shard_sum(view->metrics, family->offset + i * sizeof(gw_counter)));
}

static void metrics_page_put_failed(const struct view *view, const struct family *family)
{
    for (unsigned i = GW_CAUSE_NONE + 1; i < GW_CAUSE_COUNT; i++)
        metrics_page_put_labelled(view, family, "by", gw_error_cause_name(i),
                                  metrics_page_shard_sum(view->metrics, family->offset + i * sizeof(gw_counter)));
}

static void metrics_page_put_log_losses(const struct view *view, const struct family *family)
{
    static const char *const reasons[GW_LOG_LOSS_COUNT] = { "slow", "disk_full", "reader_gone", "error" };
    for (unsigned i = 0; i < GW_LOG_LOSS_COUNT; i++)
        metrics_page_put_labelled(view, family, "reason", reasons[i],
                                  metrics_page_shard_sum(view->metrics, family->offset + i * sizeof(gw_counter)));
}

static void metrics_page_put_errors(const struct view *view, const struct family *family)
{
    for (unsigned i = GW_ERROR_NONE + 1; i < GW_ERROR_COUNT; i++) {
        const struct gw_page_label labels[] = {
            { "error", gw_slice_of_string(gw_error_name(i)) },
            { "by", gw_slice_of_string(gw_error_cause_name(gw_error_cause(i))) },
        };
        gw_page_put_uint(view->page, family->name, (struct gw_page_labels) { labels, GW_COUNT(labels) },
                         metrics_page_shard_sum(view->metrics, family->offset + i * sizeof(gw_counter)));
    }
}

/* An attempt at a backend cannot fail with a client's mistake, so rows of such errors are shown only where they were
 * counted nevertheless. */
static void metrics_page_put_upstream_errors(const struct view *view, const struct family *family)
{
    for (unsigned i = GW_ERROR_NONE + 1; i < GW_ERROR_COUNT; i++) {
        uint64_t count = metrics_page_shard_sum(view->metrics, family->offset + i * sizeof(gw_counter));
        if (count || (i >= GW_ERROR_RESOLVE && i <= GW_ERROR_UPSTREAM_BUSY))
            metrics_page_put_labelled(view, family, "error", gw_error_name(i), count);
    }
}

static void metrics_page_put_loop_lag(const struct view *view, const struct family *family)
{
    for (unsigned i = 0; i < view->metrics->worker_count; i++) {
        char memory[24];
        struct gw_buffer worker = gw_buffer_over(memory, sizeof(memory));
        gw_buffer_put_uint(&worker, i);
        const struct gw_page_label label = { "worker", gw_buffer_slice(&worker) };
        gw_page_put_millionths(view->page, family->name, (struct gw_page_labels) { &label, 1 },
                               gw_counter_read(&view->metrics->shards[i]->loop_lag_us));
    }
}

static void metrics_page_put_backends(const struct view *view, const struct family *family)
{
    for (unsigned i = 0; i < view->gauges->backend_count; i++) {
        const struct gw_metrics_backend *backend = &view->gauges->backends[i];
        const struct gw_page_label label = { "url", backend->url };
        gw_page_put_uint(view->page, family->name, (struct gw_page_labels) { &label, 1 },
                         metrics_page_number_at(backend, family->offset));
    }
}

static void metrics_page_put_backends_up(const struct view *view, const struct family *family)
{
    for (unsigned i = 0; i < view->gauges->backend_count; i++) {
        const struct gw_metrics_backend *backend = &view->gauges->backends[i];
        const struct gw_page_label label = { "url", backend->url };
        if (backend->up >= 0)
            gw_page_put_uint(view->page, family->name, (struct gw_page_labels) { &label, 1 }, (uint64_t)backend->up);
    }
}

static void metrics_page_put_redis_calls(const struct view *view, const struct family *family)
{
    for (unsigned i = 0; i < (unsigned)GW_REDIS_LABEL_COUNT * GW_REDIS_RESULT_COUNT; i++) {
        const struct gw_page_label labels[] = {
            { "kind", gw_slice_of_string(gw_redis_label_name(i / GW_REDIS_RESULT_COUNT)) },
            { "result", gw_slice_of_string(gw_redis_result_name(i % GW_REDIS_RESULT_COUNT)) },
        };
        gw_page_put_uint(view->page, family->name, (struct gw_page_labels) { labels, GW_COUNT(labels) },
                         metrics_page_shard_sum(view->metrics, family->offset + i * sizeof(gw_counter)));
    }
}

static void metrics_page_put_redis_nodes(const struct view *view, const struct family *family)
{
    for (unsigned i = 0; i < view->gauges->redis_count; i++) {
        const struct gw_metrics_redis *node = &view->gauges->redis[i];
        const struct gw_page_label label = { "url", node->url };
        gw_page_put_uint(view->page, family->name, (struct gw_page_labels) { &label, 1 },
                         metrics_page_number_at(node, family->offset));
    }
}

static void metrics_page_put_redis_duration(const struct view *view, const struct family *family)
{
    struct gw_histogram_sum sum = { .count = 0 };
    for (unsigned i = 0; i < view->metrics->worker_count; i++)
        gw_histogram_add_to(&view->metrics->shards[i]->redis_duration, &sum);
    gw_page_put_histogram(view->page, family->name, GW_PAGE_NO_LABELS, &sum, 10);
}

/* Calls `put` with the sum over all workers of each series that has counts, since a page of all series would have
 * thousands of empty ones. offset: of the histogram in struct gw_series. */
static void metrics_page_each_series(const struct view *view, const struct family *family,
                                     void (*put)(const struct view *view, const struct family *family,
                                                 struct gw_page_labels labels, const struct gw_histogram_sum *sum))
{
    static const char *const classes[GW_SERIES_CLASSES] = { "none", "1xx", "2xx", "3xx", "4xx", "5xx" };
    struct gw_metrics *metrics = view->metrics;
    for (size_t i = 0; i < gw_series_count(metrics); i++) {
        struct gw_histogram_sum sum = { .count = 0 };
        for (unsigned worker = 0; worker < metrics->worker_count; worker++) {
            struct gw_series *series = &metrics->shards[worker]->series[i];
            gw_histogram_add_to((struct gw_histogram *)(void *)((char *)series + family->offset), &sum);
        }
        if (!sum.count)
            continue;
        unsigned status_class = (unsigned)(i % GW_SERIES_CLASSES);
        unsigned method = (unsigned)(i / GW_SERIES_CLASSES % GW_METHOD_COUNT);
        const struct gw_page_label labels[] = {
            { "route", metrics->routes[i / GW_SERIES_CLASSES / GW_METHOD_COUNT] },
            { "method", gw_slice_of_string(gw_method_name(method)) },
            { "class", gw_slice_of_string(classes[status_class]) },
        };
        put(view, family, (struct gw_page_labels) { labels, GW_COUNT(labels) }, &sum);
    }
}

static void metrics_page_put_count_of(const struct view *view, const struct family *family,
                                      struct gw_page_labels labels, const struct gw_histogram_sum *sum)
{
    gw_page_put_uint(view->page, family->name, labels, sum->count);
}

static void metrics_page_put_histogram_of(const struct view *view, const struct family *family,
                                          struct gw_page_labels labels, const struct gw_histogram_sum *sum)
{
    gw_page_put_histogram(view->page, family->name, labels, sum, 1);
}

static void metrics_page_put_responses(const struct view *view, const struct family *family)
{
    metrics_page_each_series(view, family, metrics_page_put_count_of);
}

static void metrics_page_put_histograms(const struct view *view, const struct family *family)
{
    metrics_page_each_series(view, family, metrics_page_put_histogram_of);
}

#define SHARD(member)   metrics_page_put_shards, offsetof(struct gw_shard, member)
#define TOTAL(member)   metrics_page_put_total, offsetof(struct gw_metrics_totals, member)
#define GAUGE(member)   metrics_page_put_gauge, offsetof(struct gw_metrics_gauges, member)
#define BACKEND(member) metrics_page_put_backends, offsetof(struct gw_metrics_backend, member)
#define NODE(member)    metrics_page_put_redis_nodes, offsetof(struct gw_metrics_redis, member)
#define PROCESS(member) metrics_page_put_process, offsetof(struct gw_process_facts, member)

/* clang-format off */
static const struct family families[] = {
    { "gateway_build_info", "gauge", metrics_page_put_build_info, 0, "Always 1; the build is in the labels." },
    { "gateway_uptime_seconds", "gauge", metrics_page_put_uptime, 0, "Time since the gateway started." },
    { "gateway_workers", "gauge", metrics_page_put_workers, 0, "Worker threads." },

    { "gateway_requests_total", "counter", TOTAL(requests), "Requests that have ended, without those to /gateway/." },
    { "gateway_requests_success", "untyped", TOTAL(success), "Of these, the ones that succeeded." },
    { "gateway_requests_error", "untyped", TOTAL(errors), "Of these, the ones that failed: status 500 and above, nothing sent, or an answer below 400 that was cut." },
    { "gateway_failed_requests_total", "counter", metrics_page_put_failed, offsetof(struct gw_shard, requests_failed), "Failed requests by cause: the client, the backend (its own 5xx, too) or the gateway." },
    { "gateway_success_rate", "gauge", metrics_page_put_success_rate, 0, "Success as a fraction of all requests since the start, 0 to 1; 1 before the first." },
    { "gateway_requests_in_flight", "gauge", TOTAL(in_flight), "Requests being answered now." },
    { "gateway_responses_total", "counter", metrics_page_put_responses, offsetof(struct gw_series, duration), "Requests by route, method and status class; class none: nothing was sent." },
    { "gateway_request_duration_seconds", "histogram", metrics_page_put_histograms, offsetof(struct gw_series, duration), "From the request's head to the end of its answer." },
    { "gateway_request_errors_total", "counter", metrics_page_put_errors, offsetof(struct gw_shard, request_errors), "Requests that the gateway itself refused, failed or cut, by reason and cause." },
    { "gateway_unexpected_events_total", "counter", SHARD(unexpected_events), "Requests cut by a mistake of the gateway: an event that their state has no move for. The log tells state and event." },
    { "gateway_admin_requests_total", "counter", SHARD(admin_requests), "Requests to /gateway/." },

    { "gateway_active_connections", "gauge", TOTAL(connections_open), "Client connections open now." },
    { "gateway_idle_connections", "gauge", SHARD(connections_idle), "Of these, the ones between two requests." },
    { "gateway_accepted_connections_total", "counter", SHARD(connections_accepted), "Client connections accepted." },
    { "gateway_refused_connections_total", "counter", SHARD(connections_refused), "Client connections closed at once, at a limit." },
    { "gateway_accept_waits_total", "counter", SHARD(accept_waits), "How often a worker stopped accepting clients because no file descriptor was left for them." },
    { "gateway_bytes_transferred", "untyped", TOTAL(bytes), "Bytes from and to clients, heads and bodies." },
    { "gateway_received_bytes_total", "counter", SHARD(bytes_received), "Bytes from clients, heads and bodies." },
    { "gateway_sent_bytes_total", "counter", SHARD(bytes_sent), "Bytes to clients, heads and bodies." },

    { "gateway_upstream_duration_seconds", "histogram", metrics_page_put_histograms, offsetof(struct gw_series, upstream), "From the request to a backend until the head of its answer." },
    { "gateway_upstream_connections", "gauge", SHARD(upstream_connections_open), "Connections to backends open now." },
    { "gateway_upstream_idle_connections", "gauge", SHARD(upstream_connections_idle), "Of these, the ones kept for a next request." },
    { "gateway_upstream_connects_total", "counter", SHARD(upstream_connects), "Connections to backends opened." },
    { "gateway_upstream_reuses_total", "counter", SHARD(upstream_reuses), "Requests to backends over a kept connection." },
    { "gateway_upstream_retries_total", "counter", SHARD(upstream_retries), "Further attempts after a failed one." },
    { "gateway_upstream_errors_total", "counter", metrics_page_put_upstream_errors, offsetof(struct gw_shard, upstream_errors), "Failed attempts at backends, by reason." },
    { "gateway_backend_up", "gauge", metrics_page_put_backends_up, 0, "1 if the last attempt was answered; 0 if it failed less than a minute ago; otherwise not known, and absent." },
    { "gateway_backend_requests_total", "counter", BACKEND(requests), "Attempts at this backend." },
    { "gateway_backend_failures_total", "counter", BACKEND(failures), "Attempts that it did not answer." },

    { "gateway_cache_requests_total", "counter", metrics_page_put_cache, offsetof(struct gw_shard, cache), "Requests by the result of the cache." },
    { "gateway_cache_entries", "gauge", GAUGE(cache_entries), "Responses in the memory cache." },
    { "gateway_cache_bytes", "gauge", GAUGE(cache_bytes), "Memory of these responses." },
    { "gateway_cache_evictions_total", "counter", GAUGE(cache_evictions), "Responses removed to make room." },
    { "gateway_cache_stored_total", "counter", SHARD(cache_stored), "Responses stored." },
    { "gateway_cache_not_stored_total", "counter", metrics_page_put_not_stored, offsetof(struct gw_shard, cache_not_stored), "Responses not stored, by the rule that forbade it." },
    { "gateway_cache_hits_total", "counter", metrics_page_put_hits, 0, "Requests answered by a stored response, by where it was found: near is the memory of this process." },
    { "gateway_cache_revalidations_total", "counter", metrics_page_put_revalidations, 0, "Backends asked whether a stored response still holds: confirmed (304), replaced by another, or failed." },
    { "gateway_cache_background_refreshes_total", "counter", SHARD(cache_background_refreshes), "Fetches begun behind a stale answer that was given at once." },
    { "gateway_cache_stale_on_error_total", "counter", SHARD(cache_stale_on_error), "Stale answers given because a backend failed." },
    { "gateway_cache_collapsed_total", "counter", SHARD(cache_collapsed), "Requests answered by another request's fetch." },
    { "gateway_cache_collapsed_instances_total", "counter", SHARD(cache_collapsed_instances), "Requests answered after waiting for another instance's fetch." },
    { "gateway_cache_bans_total", "counter", SHARD(cache_bans), "Purges of a prefix, a tag or everything that this instance was asked for." },
    { "gateway_cache_purges_total", "counter", SHARD(cache_purges), "Purges of one URL that this instance was asked for." },
    { "gateway_cache_corrupt_total", "counter", SHARD(cache_corrupt), "Values in Redis that could not be parsed, and were deleted." },
    { "gateway_cache_stores_raced_total", "counter", SHARD(cache_stores_raced), "Responses not stored in Redis because another one was stored, or it was invalidated, meanwhile." },
    { "gateway_cache_invalidations_lost_total", "counter", SHARD(cache_invalidations_lost), "Invalidations that never reached Redis, because there were too many while it was away." },
    { "gateway_cache_saved_bytes_total", "counter", SHARD(cache_bytes_saved), "Bytes of bodies sent without asking a backend: from stored responses, and from another request's fetch." },

    { "gateway_limiter_decisions_total", "counter", metrics_page_put_limit, offsetof(struct gw_shard, limit), "Requests by the decision of the rate limit." },
    { "gateway_limiter_local_decisions_total", "counter", SHARD(limit_local), "Requests whose limit this instance decided by itself because Redis was away or late." },
    { "gateway_limiter_clients", "gauge", GAUGE(limiter_clients), "Clients whose buckets are remembered." },

    { "gateway_redis_calls_total", "counter", metrics_page_put_redis_calls, offsetof(struct gw_shard, redis_calls), "Calls to Redis by purpose and result; skipped: not made." },
    { "gateway_redis_duration_seconds", "histogram", metrics_page_put_redis_duration, 0, "From a call to Redis to its answer." },
    { "gateway_redis_pending", "gauge", SHARD(redis_pending), "Calls that await their answers." },
    { "gateway_redis_connects_total", "counter", SHARD(redis_connects), "Connections to Redis that were made and logged in." },
    { "gateway_redis_noscript_total", "counter", SHARD(redis_noscript), "Scripts that were sent again because Redis had forgotten them." },
    { "gateway_redis_up", "gauge", NODE(up), "1 while Redis is asked, 0 while its breaker is open." },
    { "gateway_redis_breaker_openings_total", "counter", NODE(openings), "How often the breaker opened." },
    { "gateway_instances", "gauge", GAUGE(instances), "Live instances that share the Redis, as last seen; 0 without Redis." },

    { "gateway_log_lines_dropped_total", "counter", metrics_page_put_log_losses, offsetof(struct gw_shard, log_lines_dropped), "Access-log lines lost, by reason; slow: the reader did not take them in time." },
    { "gateway_loop_lag_seconds", "gauge", metrics_page_put_loop_lag, 0, "How long a worker's last measured loop turn took, while its other connections waited." },

    { "gateway_memory_alloc_bytes", "gauge", PROCESS(alloc_bytes), "Memory in use, as malloc counts it." },
    { "process_resident_memory_bytes", "gauge", PROCESS(resident_bytes), "Resident memory." },
    { "process_virtual_memory_bytes", "gauge", PROCESS(virtual_bytes), "Virtual memory." },
    { "process_cpu_seconds_total", "counter", metrics_page_put_cpu, 0, "User and system CPU time." },
    { "process_open_fds", "gauge", PROCESS(open_fds), "Open file descriptors." },
    { "process_max_fds", "gauge", PROCESS(max_fds), "Most file descriptors that may be open." },
    { "process_start_time_seconds", "gauge", metrics_page_put_start_time, 0, "When the process began, since 1970." },
};
/* clang-format on */

void gw_metrics_put(struct gw_metrics *metrics, const struct gw_metrics_gauges *gauges, uint64_t now_us,
                    struct gw_buffer *page)
{
    struct view view = { .page = page, .metrics = metrics, .gauges = gauges };
    gw_metrics_read_totals(metrics, now_us, &view.totals);
    gw_process_read(&view.process);
    for (size_t i = 0; i < GW_COUNT(families); i++) {
        gw_page_begin(page, families[i].name, families[i].type, families[i].help);
        families[i].put(&view, &families[i]);
    }
}
