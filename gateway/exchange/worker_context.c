#include "exchange/worker_context.h"

#include <stdio.h>
#include "exchange/engine.h"

enum {
    LEAST_COLLECTING_BYTES = 4 * 1024 * 1024,
    HEAD_BOUND = 64 * 1024 * 1024, /* above the longest head that the configuration allows */
};

void gw_worker_context_init(struct gw_worker_context *context)
{
    gw_engine_lay_out(context);
    gw_field_set_init(&context->credentials, &context->config->credentials);
    gw_fetcher_init(&context->fetcher);
    gw_engine_init_pool(context);
    context->scratch = gw_buffer_create(HEAD_BOUND);
    context->date_s = -1;
    gw_random_init(&context->random);
}

static struct gw_store *worker_context_open_store(struct gw_worker_context *context,
                                                  const struct gw_worker_context_setup *setup,
                                                  const struct gw_redis_node *node, struct gw_breaker *breaker)
{
    const struct gw_store_setup store = { .loop = setup->loop,
                                          .timers = setup->timers,
                                          .shard = setup->shard,
                                          .breaker = breaker,
                                          .node = node,
                                          .config = setup->config,
                                          .client_name = context->client_name };
    return gw_store_open(&store);
}

/* Redis, where there is one: the worker's own connection to each node. */
static bool worker_context_open_stores(struct gw_worker_context *context, const struct gw_worker_context_setup *setup)
{
    const struct gw_config *config = setup->config;
    if (!config->redis)
        return true;
    snprintf(context->client_name, sizeof context->client_name, "visara-gateway:%.8s:%u", setup->instance_id,
             setup->worker);
    context->limit_store = worker_context_open_store(context, setup, config->redis, setup->limit_breaker);
    context->cache_store = config->cache_redis
                               ? worker_context_open_store(context, setup, config->cache_redis, setup->cache_breaker)
                               : context->limit_store;
    return context->limit_store && context->cache_store;
}

/* A request that comes from now on does not join a fetch that began before. */
static void worker_context_on_ban(void *coalescing)
{
    gw_coalescing_detach_all(coalescing);
}

/* What instances share of the cache. */
static bool worker_context_open_shared(struct gw_worker_context *context, const struct gw_worker_context_setup *setup)
{
    const struct gw_ban_log_setup purging = { .store = context->cache_store,
                                              .timers = setup->timers,
                                              .mailbox = setup->mailbox,
                                              .bans = setup->bans,
                                              .config = setup->config,
                                              .on_ban = worker_context_on_ban,
                                              .context = setup->coalescing };
    context->locks = (struct gw_fetch_locks) { .store = context->cache_store,
                                               .timers = setup->timers,
                                               .config = setup->config };
    gw_fetch_locks_init(&context->locks);
    context->ban_log = gw_ban_log_create(&purging);
    if (!context->ban_log)
        return false;
    const struct gw_redis_cache_setup redis_cache = { .timers = setup->timers,
                                                      .store = context->cache_store,
                                                      .memory_cache = setup->memory_cache,
                                                      .bans = setup->bans,
                                                      .ban_log = context->ban_log,
                                                      .keys = context->keys,
                                                      .shard = setup->shard,
                                                      .config = setup->config };
    context->redis_cache = gw_redis_cache_create(&redis_cache);
    return context->redis_cache != NULL;
}

static void worker_context_open_lookups(struct gw_worker_context *context, const struct gw_worker_context_setup *setup)
{
    bool over_instances = context->redis_cache && setup->config->flights_over_instances;
    context->lookups = (struct gw_lookups) { .config = setup->config,
                                             .memory_cache = setup->memory_cache,
                                             .bans = setup->bans,
                                             .redis_cache = context->redis_cache,
                                             .locks = over_instances ? &context->locks : NULL,
                                             .coalescing = setup->coalescing,
                                             .timers = setup->timers,
                                             .mailbox = setup->mailbox,
                                             .shard = setup->shard,
                                             .worker = setup->worker };
    gw_random_init(&context->lookups.random);
}

static bool worker_context_open_fetcher(struct gw_worker_context *context, const struct gw_worker_context_setup *setup)
{
    const struct gw_config *config = setup->config;
    struct gw_fetcher *fetcher = &context->fetcher;
    const struct gw_transport_setup transport = { .loop = setup->loop,
                                                  .timers = setup->timers,
                                                  .blocks = setup->blocks,
                                                  .shard = setup->shard,
                                                  .descriptors = setup->descriptors };
    size_t share = config->near_bytes / config->workers;
    fetcher->transports[0] = gw_transport_h1.create(&transport, config);
    fetcher->transports[1] = gw_transport_curl.create(&transport, config);
    fetcher->registry = setup->registry;
    fetcher->memory_cache = setup->memory_cache;
    fetcher->bans = setup->bans;
    fetcher->redis_cache = context->redis_cache;
    fetcher->lookups = &context->lookups;
    fetcher->timers = setup->timers;
    fetcher->shard = setup->shard;
    fetcher->collecting_bound = share > LEAST_COLLECTING_BYTES ? share : LEAST_COLLECTING_BYTES;
    return fetcher->transports[0] && fetcher->transports[1];
}

bool gw_worker_context_open(struct gw_worker_context *context, const struct gw_worker_context_setup *setup)
{
    *context = (struct gw_worker_context) { .config = setup->config,
                                            .filters = setup->filters,
                                            .memory_cache = setup->memory_cache,
                                            .bans = setup->bans,
                                            .timers = setup->timers,
                                            .mailbox = setup->mailbox,
                                            .shard = setup->shard,
                                            .admin = setup->admin,
                                            .worker = setup->worker };
    gw_worker_context_init(context);
    context->keys = gw_key_maker_create();
    if (!context->keys || !worker_context_open_stores(context, setup))
        return false;
    context->limits = (struct gw_limit_asker) { .limiter = setup->limiter,
                                                .store = context->limit_store,
                                                .config = setup->config,
                                                .instances = setup->instances,
                                                .context = setup->context };
    if (context->cache_store && setup->memory_cache && !worker_context_open_shared(context, setup))
        return false;
    context->log = gw_access_log_writer_create(setup->log, setup->shard);
    worker_context_open_lookups(context, setup);
    return worker_context_open_fetcher(context, setup) && context->log;
}

bool gw_worker_context_is_connected(const struct gw_worker_context *context)
{
    return !context->limit_store || (gw_store_is_up(context->limit_store) && gw_store_is_up(context->cache_store));
}

void gw_worker_context_close(struct gw_worker_context *context)
{
    if (context->ban_log)
        gw_ban_log_close(context->ban_log);
    if (context->cache_store && context->cache_store != context->limit_store)
        gw_store_close(context->cache_store);
    if (context->limit_store)
        gw_store_close(context->limit_store);
    for (unsigned i = 0; i < GW_COUNT(context->fetcher.transports); i++)
        context->fetcher.transports[i]->table->close(context->fetcher.transports[i]);
}

void gw_worker_context_free(struct gw_worker_context *context)
{
    if (context->redis_cache)
        gw_redis_cache_destroy(&context->redis_cache);
    if (context->ban_log)
        gw_ban_log_destroy(&context->ban_log);
    if (context->locks.config)
        gw_fetch_locks_free(&context->locks);
    if (context->cache_store && context->cache_store != context->limit_store)
        gw_store_free(&context->cache_store);
    if (context->limit_store)
        gw_store_free(&context->limit_store);
    for (unsigned i = 0; i < GW_COUNT(context->fetcher.transports); i++)
        if (context->fetcher.transports[i])
            context->fetcher.transports[i]->table->destroy(context->fetcher.transports[i]);
    gw_fetcher_free(&context->fetcher);
    gw_free_list_trim(&context->free, 0);
    gw_buffer_destroy(&context->scratch);
    gw_access_log_writer_destroy(&context->log);
    gw_key_maker_destroy(&context->keys);
}
