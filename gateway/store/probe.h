/* probe.h: main's own connection to a Redis node: closes the breaker when the node answers, keeps the instance's
 * heartbeat, counts live instances.
 *
 * Shape    A round is PING, INFO replication and TIME in one write, then, where the heartbeat is kept, ZADD
 *          gw:instances <time in ms> <id>, ZREMRANGEBYSCORE of those older than three heartbeats, ZCARD and PEXPIRE
 *          in another; each write answered within redis.timeout, by a primary. Then the breaker closes: a node that
 *          takes the heartbeat takes writes. (Out of memory is no failure: the count stays as it was.)
 * Pace     Closed: a round each redis.heartbeat; each 100 ms in the 5 s after the first count and after one that is more
 *          than was believed, for instances often start together. Open: each 100 ms … 1 s with jitter, growing while it opens again
 *          and again. Connections are made anew, and the name resolved anew, 100 ms … 1 s after one was lost.
 * Failure  A round that fails drops the connection and opens the breaker like anybody.
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
    const struct gw_config *config; /* outlives the probe, as the node does */
    const char *instance_id;        /* copied */
    bool keeps_heartbeat;           /* the limits' node does */
    /* Runs on main's loop, each time the breaker closes or opens as main sees it. May be NULL. */
    void (*on_change)(void *context, bool is_up);
    void *context;
};

/* NULL when memory is out, or TLS cannot be had. */
struct gw_probe *gw_probe_open(const struct gw_probe_setup *setup) GW_MUST_CHECK;
/* Removes the instance's heartbeat (best effort), closes; the loop runs on until it is closed. */
void gw_probe_close(struct gw_probe *probe);
/* After the loop ended. */
void gw_probe_free(struct gw_probe **probe);
/* Live instances, this one included, as far as they are believed (census.h); expected_instances or 1 before the first
 * answer. Any thread. */
unsigned gw_probe_instances(struct gw_probe *probe);
/* May this instance serve? It has counted the others, and they had the time to count it (a heartbeat), so that an outage
 * that begins now finds all of them sharing out a limit by the same number. Also true as soon as Redis cannot be used,
 * and 2 s after the opening in any case. Any thread. */
bool gw_probe_is_settled(const struct gw_probe *probe);

#endif
