/* probe.h: main's own connection to a Redis node. It closes the breaker when the node answers, keeps the instance's
 * heartbeat, and counts live instances.
 *
 * Shape    A round is PING, INFO replication and TIME in one write. If the heartbeat is kept, ZADD gw:instances <time
 *          in ms> <id>, ZREMRANGEBYSCORE of those older than three heartbeats, ZCARD and PEXPIRE follow in another.
 *          Each write must be answered within redis.timeout, by a primary. Then the breaker closes: a node that takes
 *          the heartbeat takes writes. (Out of memory is no failure: the count stays as it was.)
 * Pace     Closed: a round each redis.heartbeat. In the 5 s after the first count, and after a count that is higher
 *          than the believed number, a round each 100 ms, because instances often start together. Open: each 100 ms … 1
 *          s with jitter, slower if the breaker opens again and again. After a lost connection, the name is resolved
 *          anew and a new connection is made 100 ms … 1 s later.
 * Failure  A round that fails drops the connection and opens the breaker, like a failure of any other connection.
 * Threads  Main's loop. Any thread may call gw_probe_instances. */
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
    const struct gw_config *config; /* outlives the probe; so does the node */
    const char *instance_id;        /* copied */
    bool keeps_heartbeat;           /* true for the limits' node */
    /* Runs on main's loop, each time main sees the breaker closed or opened. May be NULL. */
    void (*on_change)(void *context, bool is_up);
    void *context;
};

/* NULL when memory is out, or TLS is not available. */
struct gw_probe *gw_probe_open(const struct gw_probe_setup *setup) GW_MUST_CHECK;
/* Removes the instance's heartbeat (best effort) and closes; the loop must run until the probe is closed. */
void gw_probe_close(struct gw_probe *probe);
/* Call it after the loop has ended. */
void gw_probe_free(struct gw_probe **probe);
/* Number of live instances, this one included, as far as it is believed (instances.h); before the first answer,
 * expected_instances or 1. Any thread. */
unsigned gw_probe_instances(struct gw_probe *probe);
/* May this instance serve? True when it has counted the others and they had the time to count it (a heartbeat): then,
 * in an outage that begins now, all of them divide a limit by the same number. Also true as soon as Redis cannot be
 * used, and in any case 2 s after the opening. Any thread. */
bool gw_probe_is_settled(const struct gw_probe *probe);

#endif
