#include "telemetry/metrics.h"

#include <stdlib.h>
#include "telemetry/process.h"
#include "telemetry/series.h"

enum { CACHE_LINE_BYTES = 64 };

const char *gw_cache_label_name(enum gw_cache_label label)
{
    static const char *const names[GW_CACHE_LABEL_COUNT] = { "none", "hit", "miss", "stale", "bypass", "revalidated" };
    return (unsigned)label < GW_CACHE_LABEL_COUNT ? names[label] : "none";
}

static const struct {
    const char *label, *word, *sentence;
} reasons[GW_NOT_STORED_LABEL_COUNT] = { { "storable", NULL, "it was stored" },
#define ROW(NAME, label, word, sentence) { label, word, sentence },
                                         GW_NOT_STORED_REASONS(ROW)
#undef ROW
};

const char *gw_not_stored_label_name(enum gw_not_stored_label label)
{
    return reasons[(unsigned)label < GW_NOT_STORED_LABEL_COUNT ? label : GW_NOT_STORED_LABEL_NONE].label;
}

const char *gw_not_stored_word(enum gw_not_stored_label label)
{
    return reasons[(unsigned)label < GW_NOT_STORED_LABEL_COUNT ? label : GW_NOT_STORED_LABEL_NONE].word;
}

const char *gw_not_stored_sentence(enum gw_not_stored_label label)
{
    return reasons[(unsigned)label < GW_NOT_STORED_LABEL_COUNT ? label : GW_NOT_STORED_LABEL_NONE].sentence;
}

const char *gw_limit_label_name(enum gw_limit_label label)
{
    static const char *const names[GW_LIMIT_LABEL_COUNT] = { "none", "allowed", "refused", "shadow_refused",
                                                             "unknown" };
    return (unsigned)label < GW_LIMIT_LABEL_COUNT ? names[label] : "none";
}

const char *gw_redis_label_name(enum gw_redis_label label)
{
    static const char *const names[GW_REDIS_LABEL_COUNT] = { "limit", "store", "purge", "lease", "get", "set" };
    return (unsigned)label < GW_REDIS_LABEL_COUNT ? names[label] : "none";
}

const char *gw_redis_result_name(enum gw_redis_result result)
{
    static const char *const names[GW_REDIS_RESULT_COUNT] = { "ok", "error", "oom", "lost", "skipped" };
    return (unsigned)result < GW_REDIS_RESULT_COUNT ? names[result] : "none";
}

/* Two workers must not write to the same cache line, which would move between their cores with each request. */
static void *metrics_take_cache_lines(size_t size)
{
    size_t whole = (size + CACHE_LINE_BYTES - 1) / CACHE_LINE_BYTES * CACHE_LINE_BYTES;
    void *memory = aligned_alloc(CACHE_LINE_BYTES, whole);
    if (memory)
        memset(memory, 0, whole);
    return memory;
}

/* A route's name has no capitals, so no route has this name. */
#define NO_ROUTE GW_SLICE("_NONE")

static bool metrics_copy_route_names(struct gw_metrics *metrics, const struct gw_config *config)
{
    size_t bytes = NO_ROUTE.length;
    for (unsigned i = 0; i < config->route_count; i++)
        bytes += config->routes[i].name.length;
    metrics->routes = calloc(metrics->route_count, sizeof(*metrics->routes));
    metrics->route_names = malloc(bytes);
    if (!metrics->routes || !metrics->route_names)
        return false;
    char *at = metrics->route_names;
    for (unsigned i = 0; i < metrics->route_count; i++) {
        struct gw_slice name = i == 0 ? NO_ROUTE : config->routes[i - 1].name;
        if (name.length)
            memcpy(at, name.at, name.length);
        metrics->routes[i] = gw_slice_of(at, name.length);
        at += name.length;
    }
    return true;
}

static bool metrics_create_shard(struct gw_metrics *metrics, unsigned worker)
{
    struct gw_shard *shard = metrics_take_cache_lines(sizeof(*shard));
    metrics->shards[worker] = shard;
    if (!shard)
        return false;
    shard->metrics = metrics;
    /* calloc, since most series are never touched and cost no memory then. Each worker has an allocation of its own,
     * and so pages of its own. */
    shard->series = calloc(gw_series_count(metrics), sizeof(*shard->series));
    return shard->series != NULL;
}

struct gw_metrics *gw_metrics_create(const struct gw_config *config, unsigned workers, uint64_t now_us)
{
    struct gw_metrics *metrics = calloc(1, sizeof(*metrics) + workers * sizeof(metrics->shards[0]));
    if (!metrics)
        return NULL;
    metrics->began_at_us = now_us;
    metrics->process_began_at_wall_us = gw_process_began_at_wall_us();
    metrics->worker_count = workers;
    metrics->route_count = config->route_count + 1;
    bool ok = metrics_copy_route_names(metrics, config);
    for (unsigned i = 0; ok && i < workers; i++)
        ok = metrics_create_shard(metrics, i);
    if (!ok)
        gw_metrics_destroy(&metrics);
    return metrics;
}

void gw_metrics_destroy(struct gw_metrics **metrics)
{
    struct gw_metrics *gone = *metrics;
    *metrics = NULL;
    if (!gone)
        return;
    for (unsigned i = 0; i < gone->worker_count; i++) {
        if (gone->shards[i])
            free(gone->shards[i]->series);
        free(gone->shards[i]);
    }
    free(gone->routes);
    free(gone->route_names);
    free(gone);
}

struct gw_shard *gw_metrics_shard(struct gw_metrics *metrics, unsigned worker)
{
    return worker < metrics->worker_count ? metrics->shards[worker] : NULL;
}

static struct gw_series *metrics_series_of(struct gw_shard *shard, const struct gw_request_record *record)
{
    /* After a reload a route may have no series yet. It counts as no route then, and not as another route. */
    unsigned route = record->route ? record->route->index + 1 : 0;
    if (route >= shard->metrics->route_count)
        route = 0;
    /* QUERY counts as _OTHER, like all methods that few backends have. */
    bool has_label = (unsigned)record->method < GW_METHOD_COUNT && record->method != GW_METHOD_QUERY;
    unsigned method = has_label ? record->method : GW_METHOD_OTHER;
    unsigned status_class = record->status >= 100 && record->status <= 599 ? (unsigned)record->status / 100 : 0;
    return &shard->series[gw_series_index(route, method, status_class)];
}

static enum gw_error_cause metrics_cause_of(const struct gw_request_record *record)
{
    if (record->error != GW_ERROR_NONE)
        return gw_error_cause(record->error);
    return record->status ? GW_CAUSE_BACKEND : GW_CAUSE_GATEWAY;
}

void gw_metrics_record(struct gw_shard *shard, const struct gw_request_record *record)
{
    if (record->is_admin) {
        gw_counter_add(&shard->admin_requests, 1);
        return;
    }
    struct gw_series *series = metrics_series_of(shard, record);
    gw_histogram_observe(&series->duration,
                         record->ended_at_us > record->began_at_us ? record->ended_at_us - record->began_at_us : 0);
    if (record->has_upstream)
        gw_histogram_observe(&series->upstream, record->upstream_us);
    bool is_error = record->status == 0 || record->status >= 500 ||
                    (record->error != GW_ERROR_NONE && record->status < 400);
    gw_counter_add(is_error ? &shard->requests_failed[metrics_cause_of(record)] : &shard->requests_success, 1);
    gw_counter_add(&shard->cache[record->cache], 1);
    gw_counter_add(&shard->limit[record->limit], 1);
    if (record->error != GW_ERROR_NONE)
        gw_counter_add(&shard->request_errors[record->error], 1);
}

void gw_metrics_read_totals(struct gw_metrics *metrics, uint64_t now_us, struct gw_metrics_totals *totals)
{
    *totals = (struct gw_metrics_totals) { .uptime_us = now_us > metrics->began_at_us ? now_us - metrics->began_at_us
                                                                                      : 0 };
    for (unsigned i = 0; i < metrics->worker_count; i++) {
        struct gw_shard *shard = metrics->shards[i];
        totals->success += gw_counter_read(&shard->requests_success);
        for (unsigned cause = 0; cause < GW_CAUSE_COUNT; cause++)
            totals->errors += gw_counter_read(&shard->requests_failed[cause]);
        totals->bytes += gw_counter_read(&shard->bytes_received) + gw_counter_read(&shard->bytes_sent);
        totals->connections_open += gw_counter_read(&shard->connections_open);
        totals->in_flight += gw_counter_read(&shard->requests_in_flight);
        totals->hits += gw_counter_read(&shard->cache[GW_CACHE_LABEL_HIT]);
        totals->misses += gw_counter_read(&shard->cache[GW_CACHE_LABEL_MISS]);
        totals->stores += gw_counter_read(&shard->cache_stored);
        totals->limit_allowed += gw_counter_read(&shard->limit[GW_LIMIT_LABEL_ALLOWED]);
        totals->limit_refused += gw_counter_read(&shard->limit[GW_LIMIT_LABEL_REFUSED]);
    }
    totals->requests = totals->success + totals->errors;
}
