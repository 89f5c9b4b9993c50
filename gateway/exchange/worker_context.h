/* worker_context.h: all that one worker lends to its exchanges: what it shares with the other workers, its own
 * connections to Redis and to backends, and its pool of exchanges.
 *
 * Life     gw_worker_context_open → the loop runs → gw_worker_context_close → the loop ends → gw_worker_context_free.
 *          Every exchange must have been put back before the close, and every fetch that has a reader must have ended.
 * Threads  One worker's. What `setup` names is shared by all workers and has its own locks. */
#ifndef GW_EXCHANGE_WORKER_CONTEXT_H
#define GW_EXCHANGE_WORKER_CONTEXT_H

#include <uv.h>
#include "base/block.h"
#include "base/descriptors.h"
#include "base/free_list.h"
#include "base/mailbox.h"
#include "base/random.h"
#include "cache/fetch_lock.h"
#include "cache/ban_log.h"
#include "cache/redis_cache.h"
#include "exchange/exchange.h"
#include "exchange/filter.h"
#include "fetch/fetch.h"
#include "limit/question.h"
#include "telemetry/access_log.h"

struct gw_admin;

struct gw_worker_context_setup { /* everything it points to outlives the context */
    const struct gw_config *config;

    /* the worker's */
    unsigned worker; /* its index */
    uv_loop_t *loop;
    struct gw_timers *timers;
    struct gw_block_pool *blocks;
    struct gw_mailbox *mailbox;
    struct gw_shard *shard;

    /* shared by all workers */
    const struct gw_filter *const *filters; /* ends with NULL */
    struct gw_descriptors *descriptors;
    struct gw_limiter *limiter;
    struct gw_memory_cache *memory_cache; /* NULL: no cache */
    struct gw_bans *bans;
    struct gw_coalescing *coalescing;
    struct gw_registry *registry;
    struct gw_access_log *log; /* NULL: off */
    struct gw_admin *admin;
    struct gw_breaker *limit_breaker, *cache_breaker; /* of config->redis, and of the node where the cache lies */
    const char *instance_id;
    unsigned (*instances)(void *context); /* live ones */
    void *context;                        /* of instances */
};

struct gw_worker_context {
    const struct gw_config *config;
    const struct gw_filter *const *filters; /* ends with NULL */
    struct gw_filter_place places[GW_FILTERS_MOST];
    const struct gw_filter
        *at_step[GW_FILTER_STEPS][GW_FILTERS_MOST + 1]; /* those with such a function; ends with NULL */
    size_t exchange_bytes;                              /* with the slots of all filters */
    struct gw_limit_asker limits;
    struct gw_memory_cache *memory_cache; /* NULL: no cache */
    struct gw_bans *bans;                 /* where there is a memory cache */
    struct gw_redis_cache *redis_cache;   /* NULL: embedded mode */
    struct gw_ban_log *ban_log;           /* where there is a Redis cache */
    struct gw_key_maker *keys;
    struct gw_timers *timers;
    struct gw_mailbox *mailbox;
    struct gw_shard *shard;
    struct gw_access_log_writer *log;
    struct gw_admin *admin;
    unsigned worker;
    struct gw_store *limit_store, *cache_store; /* may be one and the same; NULL: embedded mode */
    char client_name[64];                       /* for CLIENT SETNAME */

    struct gw_fetcher fetcher;
    struct gw_fetch_locks locks;     /* where there is a Redis cache */
    struct gw_lookups lookups;       /* where there is a memory cache */
    struct gw_field_set credentials; /* of the configuration */
    struct gw_random random;
    struct gw_buffer scratch; /* for one head, between two events; each user clears it first */
    struct gw_free_list free; /* exchanges to be used again */
    uint64_t in_state[GW_EXCHANGE_STATES];
#ifdef GW_CHECKS
    unsigned walked[GW_EXCHANGE_STATES]; /* a bit an event: which rows of GW_EXCHANGE_MOVES were walked; for tests */
#endif
    int64_t date_s; /* of date_text */
    char date_text[32];
};

/* Connects to Redis from the loop, where there is one. False when memory is out or TLS cannot be had. */
bool gw_worker_context_open(struct gw_worker_context *context,
                            const struct gw_worker_context_setup *setup) GW_MUST_CHECK;
/* The part of it that needs no loop: for a context of zeroes whose `config` and `filters` are set, as tests fill one. */
void gw_worker_context_init(struct gw_worker_context *context);
/* Can each Redis that it needs be asked now? Always true in embedded mode. */
bool gw_worker_context_is_connected(const struct gw_worker_context *context);
/* Once a loop turn: frees what the pool has too many of. */
void gw_worker_context_trim(struct gw_worker_context *context);
/* Closes its handles; the loop runs on until they are closed. */
void gw_worker_context_close(struct gw_worker_context *context);
/* After the loop ended. */
void gw_worker_context_free(struct gw_worker_context *context);

#endif
