/* pages.h: the pages /gateway/health, /gateway/stats and /gateway/metrics. They know nothing about connections.
 *
 * Threads  Any worker may call these; nothing blocks.
 * Failure  When memory is out or the buffer's bound is reached, the status is 500 with a page that says so (for
 *          metrics: an empty page); there is never half a page. Health and stats take 1 KiB and some 200 bytes for each
 *          backend and policy; metrics take 16 KiB, and 5 KiB for each route, method and status class that had
 *          requests. */
#ifndef GW_ADMIN_PAGES_H
#define GW_ADMIN_PAGES_H

#include "base/buffer.h"
#include "cache/memory_cache.h"
#include "config/config.h"
#include "limit/limiter.h"
#include "store/breaker.h"
#include "telemetry/metrics.h"
#include "upstream/registry.h"

struct gw_admin_node {   /* one Redis */
    const char *role;    /* "limits", "cache", "limits and cache" */
    struct gw_slice url; /* masked */
    struct gw_breaker *breaker;
};

struct gw_admin { /* borrowed; all may be NULL, except for config and metrics */
    const struct gw_config *config;
    struct gw_metrics *metrics;
    struct gw_memory_cache *memory_cache;
    struct gw_limiter *limiter;
    struct gw_registry *registry;
    const atomic_bool *draining;
    unsigned workers;
    struct gw_admin_node nodes[2];
    unsigned node_count;                  /* 0: embedded mode */
    unsigned (*instances)(void *context); /* the number of live instances; may be NULL */
    bool (*is_coherent)(void *context);   /* does client tracking keep the memory cache right? May be NULL */
    void *context;
    const char *instance_id; /* may be NULL */
};

/* Each function writes the page and returns its status. */

/* {"status":"ok|degraded|draining","redis":"disabled|up|down|full","backends":[…],"uptime":"15m30s","version":"0.1.0"},
 * a backend as {"url":…,"status":"up|down|unknown","requests":…,"failures":…,"in_flight":…,"since":…}, each url
 * once. Degraded: a backend or a Redis is down ("redis_nodes" tells which and since when). 503 when draining, otherwise
 * 200. */
int gw_admin_put_health(const struct gw_admin *admin, struct gw_buffer *page);
/* The counts do not include requests to /gateway/. */
int gw_admin_put_stats(const struct gw_admin *admin, uint64_t now_us, struct gw_buffer *page);
/* text/plain; version=0.0.4 */
int gw_admin_put_metrics(const struct gw_admin *admin, uint64_t now_us, struct gw_buffer *page);
/* Writes such as "30s", "15m30s" or "2h15m30s"; days are written as hours ("76h15m30s"). */
void gw_admin_put_duration(uint64_t us, struct gw_buffer *page);

#endif
