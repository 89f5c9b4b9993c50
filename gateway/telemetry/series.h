/* series.h: the shards in memory. Only for metrics.c and metrics_page.c. */
#ifndef GW_TELEMETRY_SERIES_H
#define GW_TELEMETRY_SERIES_H

#include "telemetry/metrics.h"

enum { GW_SERIES_CLASSES = 6 }; /* 0: nothing was sent, or the status is not of HTTP; 1xx (a tunnel) … 5xx */

struct gw_series {
    struct gw_histogram duration; /* its count is the number of responses */
    struct gw_histogram upstream;
};

struct gw_metrics {
    uint64_t began_at_us;              /* monotonic */
    uint64_t process_began_at_wall_us; /* since 1970 */
    unsigned worker_count;
    unsigned route_count;      /* the configuration's routes, and 0 for "no route" */
    struct gw_slice *routes;   /* their names, as label values */
    char *route_names;         /* the memory of the names */
    struct gw_shard *shards[]; /* of each worker, on cache lines of its own */
};

static inline size_t gw_series_index(unsigned route, unsigned method, unsigned status_class)
{
    return ((size_t)route * GW_METHOD_COUNT + method) * GW_SERIES_CLASSES + status_class;
}

static inline size_t gw_series_count(const struct gw_metrics *metrics)
{
    return gw_series_index(metrics->route_count, 0, 0);
}

#endif
