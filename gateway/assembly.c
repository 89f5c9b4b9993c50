#include "assembly.h"

#include <stdlib.h>
#include "admin/pages.h"
#include "base/clock.h"
#include "base/log.h"
#include "fetch/fetch.h"
#include "filter/table.h"

enum { SCRATCH_SLACK_BYTES = 16 * 1024, LEAST_COLLECTING_BYTES = 4 * 1024 * 1024 };

struct bench { /* a worker's own parts, behind its desk */
    struct gw_fetcher fetcher;
};

struct gw_assembly {
    const struct gw_config *config;
    struct gw_server *server;
    struct gw_worker_hooks hooks;

    struct gw_metrics *metrics;
    struct gw_access_log *log;
    struct gw_limiter *limiter;
    struct gw_near *near;
    struct gw_flights *flights;
    struct gw_registry *registry;
    struct gw_admin admin;
    struct bench *benches; /* one a worker */
};

static bool open_worker(void *context, struct gw_worker *worker);
static void end_fetches(void *context, struct gw_worker *worker);
static bool is_quiet(void *context, struct gw_worker *worker);
static void close_worker(void *context, struct gw_worker *worker);
static void free_worker(void *context, struct gw_worker *worker);

static bool create_parts(struct gw_assembly *assembly)
{
    const struct gw_config *config = assembly->config;
    assembly->metrics = gw_metrics_create(config, config->workers, gw_clock_monotonic_us());
    assembly->limiter = gw_limiter_create(config);
    assembly->near = config->cache_enabled ? gw_near_create(config->near_bytes) : NULL;
    assembly->flights = gw_flights_create();
    assembly->registry = gw_registry_create(config);
    assembly->benches = calloc(config->workers, sizeof *assembly->benches);
    return assembly->metrics && assembly->limiter && (assembly->near || !config->cache_enabled) && assembly->flights &&
           assembly->registry && assembly->benches;
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
                                                 .end_fetches = end_fetches,
                                                 .is_quiet = is_quiet,
                                                 .close = close_worker,
                                                 .free = free_worker,
                                                 .context = assembly };
    assembly->admin = (struct gw_admin) { .config = config,
                                          .metrics = assembly->metrics,
                                          .near = assembly->near,
                                          .limiter = assembly->limiter,
                                          .registry = assembly->registry,
                                          .draining = &server->draining,
                                          .workers = config->workers };
    return assembly;
}

void gw_assembly_destroy(struct gw_assembly **taken)
{
    struct gw_assembly *assembly = *taken;
    *taken = NULL;
    if (!assembly)
        return;
    if (assembly->log)
        gw_access_log_close(&assembly->log);
    if (assembly->registry)
        gw_registry_destroy(&assembly->registry);
    if (assembly->flights)
        gw_flights_destroy(&assembly->flights);
    if (assembly->near)
        gw_near_destroy(&assembly->near);
    if (assembly->limiter)
        gw_limiter_destroy(&assembly->limiter);
    if (assembly->metrics)
        gw_metrics_destroy(&assembly->metrics);
    free(assembly->benches);
    free(assembly);
}

const struct gw_worker_hooks *gw_assembly_hooks(struct gw_assembly *assembly)
{
    return &assembly->hooks;
}

struct gw_shard *gw_assembly_shard(struct gw_assembly *assembly, unsigned worker)
{
    return gw_metrics_shard(assembly->metrics, worker);
}

/* ---- on a worker's thread ---- */

static bool open_fetcher(struct gw_assembly *assembly, struct gw_worker *worker)
{
    const struct gw_config *config = assembly->config;
    struct gw_fetcher *fetcher = &assembly->benches[worker->index].fetcher;
    struct gw_transport_setup setup = {
        .loop = &worker->loop, .timers = &worker->timers, .blocks = &worker->blocks, .shard = worker->shard
    };
    size_t share = config->near_bytes / config->workers;
    gw_fetcher_init(fetcher);
    fetcher->transports[0] = gw_transport_h1.create(&setup, config);
    fetcher->transports[1] = gw_transport_curl.create(&setup, config);
    fetcher->registry = assembly->registry;
    fetcher->near = assembly->near;
    fetcher->flights = assembly->flights;
    fetcher->shard = worker->shard;
    fetcher->turn = worker->index;
    fetcher->collecting_bound = share > LEAST_COLLECTING_BYTES ? share : LEAST_COLLECTING_BYTES;
    return fetcher->transports[0] && fetcher->transports[1];
}

static bool open_worker(void *context, struct gw_worker *worker)
{
    struct gw_assembly *assembly = context;
    const struct gw_config *config = assembly->config;
    struct gw_desk *desk = &worker->desk;
    if (!open_fetcher(assembly, worker))
        return false;
    gw_exchange_desk_init(desk);
    desk->config = config;
    desk->filters = gw_filter_table;
    desk->fetcher = &assembly->benches[worker->index].fetcher;
    desk->limiter = assembly->limiter;
    desk->near = assembly->near;
    desk->keys = gw_key_maker_create();
    desk->timers = &worker->timers;
    desk->mailbox = &worker->mailbox;
    desk->shard = worker->shard;
    desk->log = gw_access_log_writer_create(assembly->log, worker->shard);
    desk->admin = &assembly->admin;
    desk->draining = &assembly->server->draining;
    desk->worker = worker->index;
    desk->scratch_bytes = config->max_header_bytes + config->max_response_header_bytes + SCRATCH_SLACK_BYTES;
    desk->scratch = malloc(desk->scratch_bytes);
    return desk->keys && desk->log && desk->scratch;
}

static void end_fetches(void *context, struct gw_worker *worker)
{
    (void)context;
    gw_fetcher_cancel_unread(worker->desk.fetcher);
}

static bool is_quiet(void *context, struct gw_worker *worker)
{
    (void)context;
    return gw_list_is_empty(&worker->desk.fetcher->busy);
}

static void close_worker(void *context, struct gw_worker *worker)
{
    (void)context;
    for (unsigned i = 0; i < GW_COUNT(worker->desk.fetcher->transports); i++)
        worker->desk.fetcher->transports[i]->table->close(worker->desk.fetcher->transports[i]);
}

static void free_worker(void *context, struct gw_worker *worker)
{
    struct gw_desk *desk = &worker->desk;
    (void)context;
    for (unsigned i = 0; i < GW_COUNT(desk->fetcher->transports); i++)
        desk->fetcher->transports[i]->table->destroy(desk->fetcher->transports[i]);
    gw_fetcher_free(desk->fetcher);
    gw_exchange_desk_free(desk);
    gw_access_log_writer_destroy(&desk->log);
    gw_key_maker_destroy(&desk->keys);
    free(desk->scratch);
}
