#include "assembly.h"

#include <stdio.h>
#include <stdlib.h>
#include "admin/pages.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "cache/tracking.h"
#include "fetch/fetch.h"
#include "filter/table.h"
#include "store/probe.h"

/* In this order a request meets them. */
static const struct gw_filter *const gw_filter_table[] = {
    &gw_filter_identify,
    &gw_filter_admin,
    &gw_filter_cors,
    &gw_filter_max_forwards,
    &gw_filter_limit,
    &gw_filter_cache,
    NULL,
};

_Static_assert(GW_COUNT(gw_filter_table) - 1 <= GW_FILTERS_MOST, "an exchange counts fewer filters");

/* What instances share: none in embedded mode. The cache's node may be the limits' own. */
struct node {
    const struct gw_redis_node *address; /* NULL: there is none */
    struct gw_breaker breaker;
    struct gw_probe *probe;
};

struct gw_assembly {
    const struct gw_config *config;
    struct gw_server *server;
    struct gw_worker_hooks hooks;

    struct gw_metrics *metrics;
    struct gw_access_log *log;
    struct gw_limiter *limiter;
    struct gw_bans *bans;
    struct gw_memory_cache *memory_cache;
    struct gw_coalescing *coalescing;
    struct gw_registry *registry;
    struct gw_admin admin;
    struct node limits, cache; /* cache.address NULL: it lives on the limits' node */
    struct gw_tracking *tracking;
    _Atomic(struct gw_ban_log *) ban_log; /* of the first worker that opened; NULL: none has one yet */
    char instance_id[33];
};

static bool open_worker(void *owner, struct gw_worker *worker);
static bool is_ready(void *owner, struct gw_worker *worker);

static struct node *cache_node(struct gw_assembly *assembly)
{
    return assembly->cache.address ? &assembly->cache : &assembly->limits;
}

static void name_instance(struct gw_assembly *assembly)
{
    uint64_t words[2] = { gw_random_seed(), gw_random_seed() };
    snprintf(assembly->instance_id, sizeof assembly->instance_id, "%016llx%016llx", (unsigned long long)words[0],
             (unsigned long long)words[1]);
}

static bool create_parts(struct gw_assembly *assembly)
{
    const struct gw_config *config = assembly->config;
    name_instance(assembly);
    assembly->limits.address = config->redis;
    assembly->cache.address = config->cache_redis;
    gw_breaker_init(&assembly->limits.breaker);
    gw_breaker_init(&assembly->cache.breaker);
    assembly->metrics = gw_metrics_create(config, config->workers, gw_clock_monotonic_us());
    assembly->limiter = gw_limiter_create(config);
    assembly->bans = gw_bans_create();
    assembly->memory_cache = config->cache_enabled ? gw_memory_cache_create(config->near_bytes, assembly->bans) : NULL;
    assembly->coalescing = gw_coalescing_create();
    assembly->registry = gw_registry_create(config);
    return assembly->metrics && assembly->limiter && assembly->bans &&
           (assembly->memory_cache || !config->cache_enabled) && assembly->coalescing && assembly->registry;
}

static unsigned instances(void *context)
{
    struct gw_assembly *assembly = context;
    return assembly->limits.probe ? gw_probe_instances(assembly->limits.probe) : 1;
}

static bool is_coherent(void *context)
{
    struct gw_assembly *assembly = context;
    return assembly->tracking && gw_tracking_is_up(assembly->tracking);
}

static void tell_node(struct gw_admin *admin, struct node *node, const char *role)
{
    if (node->address)
        admin->nodes[admin->node_count++] = (struct gw_admin_node) { .role = role,
                                                                     .url = node->address->url_masked,
                                                                     .breaker = &node->breaker };
}

static void tell_nodes(struct gw_assembly *assembly)
{
    tell_node(&assembly->admin, &assembly->limits, assembly->cache.address ? "limits" : "limits and cache");
    tell_node(&assembly->admin, &assembly->cache, "cache");
}

struct gw_assembly *gw_assembly_create(const struct gw_config *config, struct gw_server *server,
                                       struct gw_complaint *complaint)
{
    struct gw_assembly *assembly = calloc(1, sizeof *assembly);
    if (assembly) {
        assembly->config = config;
        assembly->server = server;
        if (!create_parts(assembly))
            gw_assembly_destroy(&assembly);
    }
    if (!assembly) {
        gw_complain(complaint, "start", NULL, "more memory");
        return NULL;
    }
    if (!gw_access_log_open(config, &assembly->log, complaint)) {
        gw_assembly_destroy(&assembly);
        return NULL;
    }
    assembly->hooks = (struct gw_worker_hooks) { .open = open_worker, .is_ready = is_ready, .owner = assembly };
    assembly->admin = (struct gw_admin) { .instances = instances,
                                          .is_coherent = is_coherent,
                                          .context = assembly,
                                          .instance_id = assembly->instance_id,
                                          .config = config,
                                          .metrics = assembly->metrics,
                                          .memory_cache = assembly->memory_cache,
                                          .limiter = assembly->limiter,
                                          .registry = assembly->registry,
                                          .draining = &server->draining,
                                          .workers = config->workers };
    tell_nodes(assembly);
    return assembly;
}

void gw_assembly_destroy(struct gw_assembly **taken)
{
    struct gw_assembly *assembly = *taken;
    *taken = NULL;
    if (!assembly)
        return;
    if (assembly->tracking)
        gw_tracking_free(&assembly->tracking);
    if (assembly->cache.probe)
        gw_probe_free(&assembly->cache.probe);
    if (assembly->limits.probe)
        gw_probe_free(&assembly->limits.probe);
    if (assembly->log)
        gw_access_log_close(&assembly->log);
    if (assembly->registry)
        gw_registry_destroy(&assembly->registry);
    if (assembly->coalescing)
        gw_coalescing_destroy(&assembly->coalescing);
    if (assembly->memory_cache)
        gw_memory_cache_destroy(&assembly->memory_cache);
    if (assembly->bans)
        gw_bans_destroy(&assembly->bans);
    if (assembly->limiter)
        gw_limiter_destroy(&assembly->limiter);
    if (assembly->metrics)
        gw_metrics_destroy(&assembly->metrics);
    free(assembly);
}

void gw_assembly_reopen_logs(struct gw_assembly *assembly)
{
    gw_access_log_reopen(assembly->log);
}

const struct gw_worker_hooks *gw_assembly_hooks(struct gw_assembly *assembly)
{
    return &assembly->hooks;
}

struct gw_shard *gw_assembly_shard(struct gw_assembly *assembly, unsigned worker)
{
    return gw_metrics_shard(assembly->metrics, worker);
}

/* ---- on main's loop ---- */

static bool open_probe(struct gw_assembly *assembly, struct node *node, uv_loop_t *loop, struct gw_timers *timers)
{
    struct gw_probe_setup setup = { .loop = loop,
                                    .timers = timers,
                                    .breaker = &node->breaker,
                                    .node = node->address,
                                    .config = assembly->config,
                                    .instance_id = assembly->instance_id,
                                    .keeps_heartbeat = node == &assembly->limits };
    if (!node->address)
        return true;
    node->probe = gw_probe_open(&setup);
    return node->probe != NULL;
}

/* Requests that come from now on do not join a fetch that began before. */
static void on_invalidated(void *context, const struct gw_cache_key *key)
{
    struct gw_assembly *assembly = context;
    if (key)
        gw_coalescing_detach_told(assembly->coalescing, key);
    else
        gw_coalescing_detach_all(assembly->coalescing);
}

/* One worker reads the ban log for all of this process. Once the drain has begun workers may end: then the polls of
 * those that are left are enough. */
static void on_purge(void *context)
{
    struct gw_assembly *assembly = context;
    struct gw_ban_log *ban_log = atomic_load(&assembly->ban_log);
    if (ban_log && !atomic_load(&assembly->server->draining))
        gw_ban_log_on_change(ban_log);
}

bool gw_assembly_open_main(struct gw_assembly *assembly, uv_loop_t *loop, struct gw_timers *timers)
{
    struct node *node = cache_node(assembly);
    if (!open_probe(assembly, &assembly->limits, loop, timers) || !open_probe(assembly, &assembly->cache, loop, timers))
        return false;
    if (!node->address || !assembly->memory_cache)
        return true;
    struct gw_tracking_setup setup = { .loop = loop,
                                       .timers = timers,
                                       .memory_cache = assembly->memory_cache,
                                       .breaker = &node->breaker,
                                       .node = node->address,
                                       .config = assembly->config,
                                       .on_invalidated = on_invalidated,
                                       .on_purge = on_purge,
                                       .context = assembly };
    assembly->tracking = gw_tracking_open(&setup);
    return assembly->tracking != NULL;
}

void gw_assembly_close_main(struct gw_assembly *assembly)
{
    if (assembly->tracking)
        gw_tracking_close(assembly->tracking);
    if (assembly->cache.probe)
        gw_probe_close(assembly->cache.probe);
    if (assembly->limits.probe)
        gw_probe_close(assembly->limits.probe);
}

/* ---- on a worker's thread ---- */

static bool open_worker(void *owner, struct gw_worker *worker)
{
    struct gw_assembly *assembly = owner;
    const struct gw_worker_context_setup setup = { .config = assembly->config,
                                                   .worker = worker->index,
                                                   .loop = &worker->loop,
                                                   .timers = &worker->timers,
                                                   .blocks = &worker->blocks,
                                                   .mailbox = &worker->mailbox,
                                                   .shard = worker->shard,
                                                   .filters = gw_filter_table,
                                                   .descriptors = &assembly->server->descriptors,
                                                   .limiter = assembly->limiter,
                                                   .memory_cache = assembly->memory_cache,
                                                   .bans = assembly->bans,
                                                   .coalescing = assembly->coalescing,
                                                   .registry = assembly->registry,
                                                   .log = assembly->log,
                                                   .admin = &assembly->admin,
                                                   .limit_breaker = &assembly->limits.breaker,
                                                   .cache_breaker = &cache_node(assembly)->breaker,
                                                   .instance_id = assembly->instance_id,
                                                   .instances = instances,
                                                   .context = assembly };
    if (!gw_worker_context_open(&worker->context, &setup))
        return false;
    struct gw_ban_log *none = NULL;
    atomic_compare_exchange_strong(&assembly->ban_log, &none, worker->context.ban_log);
    return true;
}

/* It has not been reached since the start, and the reason is known: no client is to wait for it. */
static bool is_known_as_away(const struct node *node)
{
    return node->address && gw_breaker_is_open(&node->breaker) && atomic_load(&node->breaker.reason) != GW_BREAKER_NONE;
}

static bool is_ready(void *owner, struct gw_worker *worker)
{
    const struct gw_assembly *assembly = owner;
    if (!assembly->limits.address || is_known_as_away(&assembly->limits) || is_known_as_away(&assembly->cache))
        return true;
    return gw_worker_context_is_connected(&worker->context) &&
           (!assembly->config->limits_enabled || gw_probe_is_settled(assembly->limits.probe));
}
