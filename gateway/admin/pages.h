/* pages.h: what /gateway/health, /gateway/stats and /gateway/metrics say. They have never heard of connections. */
#ifndef GW_ADMIN_PAGES_H
#define GW_ADMIN_PAGES_H

#include "base/buffer.h"
#include "cache/near.h"
#include "config/config.h"
#include "limit/limiter.h"
#include "telemetry/metrics.h"
#include "upstream/registry.h"

struct gw_admin { /* borrowed; any may be NULL but config and metrics */
    const struct gw_config *config;
    struct gw_metrics *metrics;
    struct gw_near *near;
    struct gw_limiter *limiter;
    struct gw_registry *registry;
    const atomic_bool *draining;
    unsigned workers;
};

/* Each fills the page and returns the status. Any worker's thread; nothing blocks. JSON by cJSON. */
int gw_admin_put_health(const struct gw_admin *admin, struct gw_buffer *page);
int gw_admin_put_stats(const struct gw_admin *admin, uint64_t now_us, struct gw_buffer *page);
int gw_admin_put_metrics(const struct gw_admin *admin, uint64_t now_us, struct gw_buffer *page);
/* "2h15m30s", "15m30s", "30s", "3d4h15m30s" is written "76h15m30s". */
void gw_admin_put_duration(uint64_t us, struct gw_buffer *page);

#endif
