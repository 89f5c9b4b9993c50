#include "admin/pages.h"

#include <stdlib.h>
#include "admin/json.h"
#include "admin/labels.h"
#include "base/clock.h"
#include "base/version.h"
#include "telemetry/process.h"

enum { LABEL_BYTES = 320 };

static void put_label(struct gw_json *json, cJSON *parent, const char *name, const struct gw_buffer *label)
{
    gw_json_put_slice(json, parent, name, gw_buffer_slice(label));
}

static void put_percent(struct gw_json *json, cJSON *parent, const char *name, uint64_t part, uint64_t whole,
                        const char *empty)
{
    char memory[LABEL_BYTES];
    struct gw_buffer label = gw_buffer_over(memory, sizeof(memory));
    gw_labels_put_percent(part, whole, empty, &label);
    put_label(json, parent, name, &label);
}

static void put_uptime(struct gw_json *json, uint64_t us)
{
    char memory[LABEL_BYTES];
    struct gw_buffer label = gw_buffer_over(memory, sizeof(memory));
    gw_admin_put_duration(us, &label);
    put_label(json, json->root, "uptime", &label);
}

static const char *state_word(enum gw_backend_state state)
{
    return state == GW_BACKEND_UP ? "up" : state == GW_BACKEND_DOWN ? "down" : "unknown";
}

static enum gw_backend_state backend_state(const struct gw_backend_record *record)
{
    return gw_registry_state(record, gw_clock_monotonic_us());
}

static struct gw_backend_record *record_of(const struct gw_admin *admin, unsigned index)
{
    return admin->registry ? gw_registry_record(admin->registry, index) : NULL;
}

/* A url that several routes have is listed once. */
static bool is_listed(const struct gw_admin *admin, unsigned index)
{
    return !admin->registry || gw_registry_is_first(admin->registry, index);
}

static void put_backend(struct gw_json *json, cJSON *array, struct gw_slice url, struct gw_backend_record *record)
{
    cJSON *object = gw_json_put_element(json, array);
    gw_json_put_slice(json, object, "url", url);
    gw_json_put_string(json, object, "status", state_word(backend_state(record)));
    if (!record)
        return;
    gw_json_put_uint(json, object, "requests", atomic_load_explicit(&record->requests, memory_order_relaxed));
    gw_json_put_uint(json, object, "failures", atomic_load_explicit(&record->failures, memory_order_relaxed));
    gw_json_put_uint(json, object, "in_flight", atomic_load_explicit(&record->in_flight, memory_order_relaxed));
    uint64_t change_us = atomic_load_explicit(&record->last_change_us, memory_order_relaxed);
    if (change_us) {
        char memory[LABEL_BYTES];
        struct gw_buffer label = gw_buffer_over(memory, sizeof(memory));
        gw_labels_put_time(change_us, &label);
        put_label(json, object, "since", &label);
    }
}

static void put_backends(struct gw_json *json, const struct gw_admin *admin)
{
    cJSON *array = gw_json_put_array(json, json->root, "backends");
    for (unsigned i = 0; i < admin->config->backend_count; i++)
        if (is_listed(admin, i))
            put_backend(json, array, admin->config->backends[i]->url, record_of(admin, i));
}

static bool is_draining(const struct gw_admin *admin)
{
    return admin->draining && atomic_load_explicit(admin->draining, memory_order_relaxed);
}

static bool is_redis_down(const struct gw_admin *admin)
{
    for (unsigned i = 0; i < admin->node_count; i++)
        if (gw_breaker_is_open(admin->nodes[i].breaker))
            return true;
    return false;
}

/* Redis answers but stores nothing, for lack of memory: limits are kept locally, and nothing new is cached. */
static bool is_full(const struct gw_admin_node *node)
{
    enum { TOLD_US = 10 * 1000 * 1000 };
    uint64_t oom_at_us = atomic_load_explicit(&node->breaker->oom_at_us, memory_order_relaxed);
    return oom_at_us && gw_clock_monotonic_us() < oom_at_us + TOLD_US;
}

static bool is_redis_full(const struct gw_admin *admin)
{
    for (unsigned i = 0; i < admin->node_count; i++)
        if (is_full(&admin->nodes[i]))
            return true;
    return false;
}

static const char *redis_word(const struct gw_admin *admin)
{
    return admin->node_count == 0 ? "disabled" : is_redis_down(admin) ? "down" : is_redis_full(admin) ? "full" : "up";
}

static void put_nodes(struct gw_json *json, const struct gw_admin *admin)
{
    if (admin->node_count == 0)
        return;
    cJSON *array = gw_json_put_array(json, json->root, "redis_nodes");
    for (unsigned i = 0; i < admin->node_count; i++) {
        const struct gw_admin_node *node = &admin->nodes[i];
        bool is_open = gw_breaker_is_open(node->breaker);
        cJSON *object = gw_json_put_element(json, array);
        gw_json_put_slice(json, object, "url", node->url);
        gw_json_put_string(json, object, "role", node->role);
        gw_json_put_string(json, object, "status", is_open ? "down" : "up");
        if (is_open)
            gw_json_put_string(json, object, "reason", gw_breaker_reason_name(atomic_load(&node->breaker->reason)));
        char said[GW_BREAKER_SAID_BYTES] = "";
        if (is_open || is_full(node))
            gw_breaker_copy_said(node->breaker, !is_open, said);
        if (*said)
            gw_json_put_string(json, object, "detail", said);
        gw_json_put_uint(json, object, "openings",
                         atomic_load_explicit(&node->breaker->openings, memory_order_relaxed));
    }
}

static bool is_degraded(const struct gw_admin *admin)
{
    if (is_redis_down(admin) || is_redis_full(admin))
        return true;
    for (unsigned i = 0; i < admin->config->backend_count; i++)
        if (backend_state(record_of(admin, i)) == GW_BACKEND_DOWN)
            return true;
    return false;
}

int gw_admin_put_health(const struct gw_admin *admin, struct gw_buffer *page)
{
    struct gw_metrics_totals totals;
    gw_metrics_read_totals(admin->metrics, gw_clock_monotonic_us(), &totals);
    bool draining = is_draining(admin);
    struct gw_json json;
    gw_json_init(&json);
    gw_json_put_string(&json, json.root, "status", draining ? "draining" : is_degraded(admin) ? "degraded" : "ok");
    gw_json_put_string(&json, json.root, "redis", redis_word(admin));
    put_nodes(&json, admin);
    put_backends(&json, admin);
    put_uptime(&json, totals.uptime_us);
    gw_json_put_string(&json, json.root, "version", gw_version());
    return gw_json_finish(&json, draining ? 503 : 200, page);
}

static void put_rate_limit(struct gw_json *json, const struct gw_config *config)
{
    char memory[LABEL_BYTES];
    struct gw_buffer label = gw_buffer_over(memory, sizeof(memory));
    if (config->limits_enabled && config->policy_count)
        gw_labels_put_rate(&config->policies[0], &label);
    else
        gw_buffer_put_literal(&label, "off");
    put_label(json, json->root, "rate_limit", &label);
}

static void put_policies(struct gw_json *json, cJSON *limiter, const struct gw_config *config)
{
    cJSON *array = gw_json_put_array(json, limiter, "policies");
    for (unsigned i = 0; config->limits_enabled && i < config->policy_count; i++) {
        const struct gw_limit_policy *policy = &config->policies[i];
        char memory[LABEL_BYTES];
        struct gw_buffer label = gw_buffer_over(memory, sizeof(memory));
        gw_labels_put_rate(policy, &label);
        cJSON *object = gw_json_put_element(json, array);
        gw_json_put_slice(json, object, "name", policy->name);
        put_label(json, object, "rate", &label);
        gw_json_put_uint(json, object, "burst", policy->burst);
        gw_json_put_uint(json, object, "cost", policy->cost);
        gw_json_put_bool(json, object, "shadow", policy->shadow);
    }
}

static void put_limiter(struct gw_json *json, const struct gw_admin *admin, const struct gw_metrics_totals *totals)
{
    cJSON *limiter = gw_json_put_object(json, json->root, "limiter");
    gw_json_put_uint(json, limiter, "allowed", totals->limit_allowed);
    gw_json_put_uint(json, limiter, "refused", totals->limit_refused);
    gw_json_put_uint(json, limiter, "clients", admin->limiter ? gw_limiter_clients(admin->limiter) : 0);
    put_policies(json, limiter, admin->config);
}

static void put_cache(struct gw_json *json, const struct gw_admin *admin, const struct gw_metrics_totals *totals)
{
    struct gw_memory_cache_counts counts = { .entries = 0 };
    if (admin->memory_cache)
        gw_memory_cache_read_counts(admin->memory_cache, &counts);
    cJSON *cache = gw_json_put_object(json, json->root, "cache");
    gw_json_put_uint(json, cache, "hits", totals->hits);
    gw_json_put_uint(json, cache, "misses", totals->misses);
    put_percent(json, cache, "hit_rate", totals->hits, totals->hits + totals->misses, "0.00%");
    gw_json_put_uint(json, cache, "entries", counts.entries);
    gw_json_put_uint(json, cache, "bytes", counts.bytes);
    gw_json_put_uint(json, cache, "max_bytes", admin->memory_cache ? admin->config->near_bytes : 0);
    gw_json_put_uint(json, cache, "evictions", counts.evictions);
    gw_json_put_uint(json, cache, "stores", totals->stores);
    gw_json_put_uint(json, cache, "expired", counts.expired);
}

static void put_memory(struct gw_json *json)
{
    struct gw_process_facts facts;
    gw_process_read(&facts);
    cJSON *memory = gw_json_put_object(json, json->root, "memory");
    gw_json_put_uint(json, memory, "alloc_bytes", facts.alloc_bytes);
    gw_json_put_uint(json, memory, "resident_bytes", facts.resident_bytes);
}

static void put_shared(struct gw_json *json, const struct gw_admin *admin)
{
    if (admin->instance_id)
        gw_json_put_string(json, json->root, "instance", admin->instance_id);
    if (admin->node_count == 0)
        return;
    gw_json_put_string(json, json->root, "redis", redis_word(admin));
    if (admin->instances)
        gw_json_put_uint(json, json->root, "instances", admin->instances(admin->context));
    if (admin->is_coherent)
        gw_json_put_bool(json, json->root, "near_cache_coherent", admin->is_coherent(admin->context));
    put_nodes(json, admin);
}

int gw_admin_put_stats(const struct gw_admin *admin, uint64_t now_us, struct gw_buffer *page)
{
    const struct gw_config *config = admin->config;
    struct gw_metrics_totals totals;
    gw_metrics_read_totals(admin->metrics, now_us, &totals);
    struct gw_json json;
    gw_json_init(&json);
    cJSON *root = json.root;
    gw_json_put_string(&json, root, "version", gw_version());
    gw_json_put_slice(&json, root, "backend", config->backend_count ? config->backends[0]->url : GW_NO_SLICE);
    put_uptime(&json, totals.uptime_us);
    gw_json_put_uint(&json, root, "uptime_seconds", totals.uptime_us / 1000000);
    gw_json_put_uint(&json, root, "request_count", totals.requests);
    gw_json_put_uint(&json, root, "error_count", totals.errors);
    put_percent(&json, root, "success_rate", totals.success, totals.requests, "100.00%");
    gw_json_put_bool(&json, root, "cache_enabled", config->cache_enabled);
    put_rate_limit(&json, config);
    gw_json_put_string(&json, root, "mode", admin->node_count ? "redis" : "embedded");
    put_shared(&json, admin);
    gw_json_put_uint(&json, root, "workers", admin->workers);
    gw_json_put_uint(&json, root, "connections", totals.connections_open);
    gw_json_put_uint(&json, root, "in_flight", totals.in_flight);
    gw_json_put_uint(&json, root, "bytes", totals.bytes);
    put_cache(&json, admin, &totals);
    put_limiter(&json, admin, &totals);
    put_memory(&json);
    put_backends(&json, admin);
    return gw_json_finish(&json, 200, page);
}

/* Fills `backends`, which has room for all backends of the configuration. Returns the number of urls. */
static unsigned read_backends(const struct gw_admin *admin, struct gw_metrics_backend *backends)
{
    unsigned count = 0;
    for (unsigned i = 0; i < admin->config->backend_count; i++) {
        struct gw_backend_record *record = record_of(admin, i);
        if (!record || !is_listed(admin, i))
            continue;
        enum gw_backend_state state = backend_state(record);
        backends[count++] = (struct gw_metrics_backend) {
            .url = admin->config->backends[i]->url,
            .up = state == GW_BACKEND_UP     ? 1
                  : state == GW_BACKEND_DOWN ? 0
                                             : -1,
            .requests = atomic_load_explicit(&record->requests, memory_order_relaxed),
            .failures = atomic_load_explicit(&record->failures, memory_order_relaxed),
        };
    }
    return count;
}

int gw_admin_put_metrics(const struct gw_admin *admin, uint64_t now_us, struct gw_buffer *page)
{
    struct gw_metrics_gauges gauges = { .cache_entries = 0 };
    struct gw_memory_cache_counts counts = { .entries = 0 };
    struct gw_metrics_redis redis[GW_COUNT(admin->nodes)];
    for (unsigned i = 0; i < admin->node_count; i++)
        redis[i] = (struct gw_metrics_redis) {
            .url = admin->nodes[i].url,
            .up = !gw_breaker_is_open(admin->nodes[i].breaker),
            .openings = atomic_load_explicit(&admin->nodes[i].breaker->openings, memory_order_relaxed),
        };
    gauges.redis = redis;
    gauges.redis_count = admin->node_count;
    gauges.instances = admin->instances ? admin->instances(admin->context) : 1;
    if (admin->memory_cache)
        gw_memory_cache_read_counts(admin->memory_cache, &counts);
    gauges.cache_entries = counts.entries;
    gauges.cache_bytes = counts.bytes;
    gauges.cache_evictions = counts.evictions;
    gauges.limiter_clients = admin->limiter ? gw_limiter_clients(admin->limiter) : 0;
    struct gw_metrics_backend *backends = calloc(admin->config->backend_count + 1u, sizeof(*backends));
    if (backends)
        gauges.backend_count = read_backends(admin, backends);
    gauges.backends = backends;
    size_t before = page->length;
    gw_metrics_put(admin->metrics, &gauges, now_us, page);
    free(backends);
    if (!page->overflowed)
        return 200;
    page->length = before; /* a reader would take half a page for a whole one */
    return 500;
}
