/* probe.h: main's own connection to a Redis node: closes the breaker when the node answers, keeps the instance's heartbeat, counts live instances.
 *
 * Shape    Open: connect (resolving anew), AUTH, SELECT, then `PING` and `INFO replication` (role:master; loading:0) each 100 ms … 1 s with jitter; when answered within
 *          redis.timeout, close the breaker. Closed: each redis.heartbeat (1 s) `EVAL`-free heartbeat: TIME, then in one write ZADD gw:instances <time> <id>,
 *          ZREMRANGEBYSCORE older than three heartbeats, ZCARD, PEXPIRE. A probe that fails opens the breaker like anybody.
 * Threads  Main's loop. gw_probe_instances may be read by any. */
#ifndef GW_STORE_PROBE_H
#define GW_STORE_PROBE_H

#include <uv.h>
#include "base/timer.h"
#include "config/config.h"
#include "store/breaker.h"

struct gw_probe;

struct gw_probe_setup {
    uv_loop_t *loop;
    struct gw_timers *timers;
    struct gw_breaker *breaker;
    const struct gw_redis_node *node;
    const struct gw_config *config;
    const char *instance_id;
    bool keeps_heartbeat; /* the limits' node does */
    /* Runs on main's loop, each time the breaker closes or opens as main sees it. May be NULL. */
    void (*on_change)(void *context, bool is_up);
    void *context;
};

struct gw_probe *gw_probe_open(const struct gw_probe_setup *setup) GW_MUST_CHECK;
/* Removes the instance's heartbeat (best effort), closes. */
void gw_probe_close(struct gw_probe *probe);
void gw_probe_free(struct gw_probe **probe);
/* Live instances, this one included, as last seen; expected_instances or 1 before the first answer. Any thread. */
unsigned gw_probe_instances(struct gw_probe *probe);

#endif
