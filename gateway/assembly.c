#include "assembly.h"

#include <stdlib.h>
#include "admin/pages.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "cache/coherence.h"
#include "fetch/fetch.h"
#include "filter/table.h"
#include "store/probe.h"
#include <stdio.h>

enum { LEAST_COLLECTING_BYTES = 4 * 1024 * 1024 };

struct bench { /* a worker's own parts, behind its context */
    struct gw_fetcher fetcher;
    struct gw_store *limit_store, *cache_store; /* cache_store may be limit_store; NULL: embedded mode */
    struct gw_purger *purger;
    struct gw_leases leases;
    char client_name[64];
};

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
    struct gw_near *near;
    struct gw_flights *flights;
    struct gw_registry *registry;
    struct gw_admin admin;
    struct bench *benches;     /* one a worker */
    struct node limits, cache; /* cache.address NULL: it lives on the limits' node */
    struct gw_coherence *coherence;
    char instance_id[33];
};

static bool open_worker(void *context, struct gw_worker *worker);
static bool is_ready(void *context, struct gw_worker *worker);
static void end_fetches(void *context, struct gw_worker *worker);
static bool is_quiet(void *context, struct gw_worker *worker);
static void close_worker(void *context, struct gw_worker *worker);
static void free_worker(void *context, struct gw_worker *worker);

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
    assembly->near = config->cache_enabled ? gw_near_create(config->near_bytes, assembly->bans) : NULL;
    assembly->flights = gw_flights_create();
    assembly->registry = gw_registry_create(config);
    assembly->benches = calloc(config->workers, sizeof *assembly->benches);
    return assembly->metrics && assembly->limiter && assembly->bans && (assembly->near || !config->cache_enabled) &&
           assembly->flights && assembly->registry && assembly->benches;
}

static unsigned instances(void *context)
{
    struct gw_assembly *assembly = context;
    return assembly->limits.probe ? gw_probe_instances(assembly->limits.probe) : 1;
}

static bool is_coherent(void *context)
{
    struct gw_assembly *assembly = context;
    return assembly->coherence && gw_coherence_is_up(assembly->coherence);
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
    assembly->hooks = (struct gw_worker_hooks) { .open = open_worker,
                                                 .is_ready = is_ready,
                                                 .end_fetches = end_fetches,
                                                 .is_quiet = is_quiet,
                                                 .close = close_worker,
                                                 .free = free_worker,
                                                 .context = assembly };
    assembly->admin = (struct gw_admin) { .instances = instances,
                                          .is_coherent = is_coherent,
                                          .context = assembly,
                                          .instance_id = assembly->instance_id,
                                          .config = config,
                                          .metrics = assembly->metrics,
                                          .near = assembly->near,
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
    if (assembly->coherence)
        gw_coherence_free(&assembly->coherence);
    if (assembly->cache.probe)
        gw_probe_free(&assembly->cache.probe);
    if (assembly->limits.probe)
        gw_probe_free(&assembly->limits.probe);
    if (assembly->log)
        gw_access_log_close(&assembly->log);
    if (assembly->registry)
        gw_registry_destroy(&assembly->registry);
    if (assembly->flights)
        gw_flights_destroy(&assembly->flights);
    if (assembly->near)
        gw_near_destroy(&assembly->near);
    if (assembly->bans)
        gw_bans_destroy(&assembly->bans);
    if (assembly->limiter)
        gw_limiter_destroy(&assembly->limiter);
    if (assembly->metrics)
        gw_metrics_destroy(&assembly->metrics);
    free(assembly->benches);
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

/* Whoever asks from now on does not join a fetch that began before. */
static void on_invalidated(void *context, const struct gw_cache_key *key)
{
    struct gw_assembly *assembly = context;
    if (key)
        gw_flight_detach_told(assembly->flights, key);
    else
        gw_flight_detach_all(assembly->flights);
}

bool gw_assembly_open_main(struct gw_assembly *assembly, uv_loop_t *loop, struct gw_timers *timers)
{
    struct node *node = cache_node(assembly);
    if (!open_probe(assembly, &assembly->limits, loop, timers) || !open_probe(assembly, &assembly->cache, loop, timers))
        return false;
    if (!node->address || !assembly->near)
        return true;
    struct gw_coherence_setup setup = { .loop = loop,
                                        .timers = timers,
                                        .near = assembly->near,
                                        .breaker = &node->breaker,
                                        .node = node->address,
                                        .config = assembly->config,
                                        .on_invalidated = on_invalidated,
                                        .context = assembly };
    assembly->coherence = gw_coherence_open(&setup);
    return assembly->coherence != NULL;
}

void gw_assembly_close_main(struct gw_assembly *assembly)
{
    if (assembly->coherence)
        gw_coherence_close(assembly->coherence);
    if (assembly->cache.probe)
        gw_probe_close(assembly->cache.probe);
    if (assembly->limits.probe)
        gw_probe_close(assembly->limits.probe);
}

/* ---- on a worker's thread ---- */

static bool open_fetcher(struct gw_assembly *assembly, struct gw_worker *worker)
{
    const struct gw_config *config = assembly->config;
    struct bench *bench = &assembly->benches[worker->index];
    struct gw_fetcher *fetcher = &bench->fetcher;
    struct gw_transport_setup setup = { .loop = &worker->loop,
                                        .timers = &worker->timers,
                                        .blocks = &worker->blocks,
                                        .shard = worker->shard,
                                        .descriptors = &assembly->server->descriptors };
    size_t share = config->near_bytes / config->workers;
    gw_fetcher_init(fetcher);
    fetcher->transports[0] = gw_transport_h1.create(&setup, config);
    fetcher->transports[1] = gw_transport_curl.create(&setup, config);
    fetcher->registry = assembly->registry;
    fetcher->near = assembly->near;
    fetcher->bans = assembly->bans;
    fetcher->shared = worker->context.shared;
    fetcher->leases = worker->context.shared && config->flights_over_instances ? &bench->leases : NULL;
    fetcher->timers = &worker->timers;
    fetcher->flights = assembly->flights;
    fetcher->shard = worker->shard;
    fetcher->collecting_bound = share > LEAST_COLLECTING_BYTES ? share : LEAST_COLLECTING_BYTES;
    return fetcher->transports[0] && fetcher->transports[1];
}

static struct gw_store *open_store(struct gw_assembly *assembly, struct gw_worker *worker, struct node *node)
{
    struct bench *bench = &assembly->benches[worker->index];
    struct gw_store_setup setup = { .loop = &worker->loop,
                                    .timers = &worker->timers,
                                    .shard = worker->shard,
                                    .breaker = &node->breaker,
                                    .node = node->address,
                                    .config = assembly->config,
                                    .client_name = bench->client_name };
    return gw_store_open(&setup);
}

static void on_ban(void *context)
{
    struct gw_assembly *assembly = context;
    gw_flight_detach_all(assembly->flights);
}

/* What instances share of the cache. */
static bool open_shared(struct gw_assembly *assembly, struct gw_worker *worker)
{
    struct bench *bench = &assembly->benches[worker->index];
    struct gw_worker_context *context = &worker->context;
    struct gw_purger_setup purging = { .store = bench->cache_store,
                                       .timers = &worker->timers,
                                       .bans = assembly->bans,
                                       .config = assembly->config,
                                       .on_ban = on_ban,
                                       .context = assembly };
    bench->leases = (struct gw_leases) { .store = bench->cache_store,
                                         .timers = &worker->timers,
                                         .config = assembly->config };
    gw_leases_init(&bench->leases);
    bench->purger = gw_purger_create(&purging);
    context->purger = bench->purger;
    if (!bench->purger)
        return false;
    struct gw_shared_setup setup = { .timers = &worker->timers,
                                     .store = bench->cache_store,
                                     .near = assembly->near,
                                     .bans = assembly->bans,
                                     .purger = bench->purger,
                                     .keys = context->keys,
                                     .shard = worker->shard,
                                     .config = assembly->config };
    context->shared = gw_shared_create(&setup);
    return context->shared != NULL;
}

/* Redis, where there is one: the worker's own connection to each node. */
static bool open_stores(struct gw_assembly *assembly, struct gw_worker *worker)
{
    struct bench *bench = &assembly->benches[worker->index];
    struct gw_worker_context *context = &worker->context;
    context->limits = (struct gw_limit_asker) {
        .limiter = assembly->limiter, .config = assembly->config, .instances = instances, .context = assembly
    };
    if (!assembly->limits.address)
        return true;
    snprintf(bench->client_name, sizeof bench->client_name, "visara-gateway:%.8s:%u", assembly->instance_id,
             worker->index);
    bench->limit_store = open_store(assembly, worker, &assembly->limits);
    bench->cache_store = assembly->cache.address ? open_store(assembly, worker, &assembly->cache) : bench->limit_store;
    if (!bench->limit_store || !bench->cache_store)
        return false;
    context->limits.store = bench->limit_store;
    return !assembly->near || open_shared(assembly, worker);
}

static bool open_worker(void *data, struct gw_worker *worker)
{
    struct gw_assembly *assembly = data;
    const struct gw_config *config = assembly->config;
    struct gw_worker_context *context = &worker->context;
    context->keys = gw_key_maker_create();
    if (!context->keys || !open_stores(assembly, worker) || !open_fetcher(assembly, worker))
        return false;
    context->config = config;
    gw_worker_context_init(context);
    context->filters = gw_filter_table;
    context->fetcher = &assembly->benches[worker->index].fetcher;
    context->near = assembly->near;
    context->bans = assembly->bans;
    context->timers = &worker->timers;
    context->mailbox = &worker->mailbox;
    context->shard = worker->shard;
    context->log = gw_access_log_writer_create(assembly->log, worker->shard);
    context->admin = &assembly->admin;
    context->draining = &assembly->server->draining;
    context->worker = worker->index;
    return context->log != NULL;
}

/* Since the start it has not been reached, and why is known: nobody is to wait for it. */
static bool is_known_as_away(const struct node *node)
{
    return node->address && gw_breaker_is_open(&node->breaker) && atomic_load(&node->breaker.reason) != GW_BREAKER_NONE;
}

static bool is_ready(void *context, struct gw_worker *worker)
{
    struct gw_assembly *assembly = context;
    const struct bench *bench = &assembly->benches[worker->index];
    if (!bench->limit_store || is_known_as_away(&assembly->limits) || is_known_as_away(&assembly->cache))
        return true;
    return gw_store_is_up(bench->limit_store) && gw_store_is_up(bench->cache_store) &&
           (!assembly->config->limits_enabled || gw_probe_is_settled(assembly->limits.probe));
}

static void end_fetches(void *context, struct gw_worker *worker)
{
    (void)context;
    gw_fetcher_cancel_unread(worker->context.fetcher);
}

static bool is_quiet(void *context, struct gw_worker *worker)
{
    (void)context;
    return gw_list_is_empty(&worker->context.fetcher->busy);
}

static void close_worker(void *context, struct gw_worker *worker)
{
    struct gw_assembly *assembly = context;
    struct bench *bench = &assembly->benches[worker->index];
    if (bench->purger)
        gw_purger_close(bench->purger);
    if (bench->cache_store && bench->cache_store != bench->limit_store)
        gw_store_close(bench->cache_store);
    if (bench->limit_store)
        gw_store_close(bench->limit_store);
    for (unsigned i = 0; i < GW_COUNT(worker->context.fetcher->transports); i++)
        worker->context.fetcher->transports[i]->table->close(worker->context.fetcher->transports[i]);
}

static void free_worker(void *data, struct gw_worker *worker)
{
    struct gw_assembly *assembly = data;
    struct bench *bench = &assembly->benches[worker->index];
    struct gw_worker_context *context = &worker->context;
    if (context->shared)
        gw_shared_destroy(&context->shared);
    if (bench->purger)
        gw_purger_destroy(&bench->purger);
    if (bench->leases.config)
        gw_leases_free(&bench->leases);
    if (bench->cache_store && bench->cache_store != bench->limit_store)
        gw_store_free(&bench->cache_store);
    if (bench->limit_store)
        gw_store_free(&bench->limit_store);
    for (unsigned i = 0; i < GW_COUNT(context->fetcher->transports); i++)
        context->fetcher->transports[i]->table->destroy(context->fetcher->transports[i]);
    gw_fetcher_free(context->fetcher);
    gw_worker_context_free(context);
    gw_access_log_writer_destroy(&context->log);
    gw_key_maker_destroy(&context->keys);
}
