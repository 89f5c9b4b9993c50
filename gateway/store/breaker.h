/* breaker.h: is this Redis node to be asked? One for all workers of the process and each node.
 *
 * States   CLOSED: workers ask. OPEN: nobody asks; main's prober (probe.h) connects and sends PING until one answers in time, from a node that takes writes.
 *          No half-open state: no client ever pays for a probe.
 * Threads  Any; relaxed atomics. Opening is idempotent. `epoch` counts openings, so that who slept through one knows.
 * Opens    by whoever sees: no byte on a connection for redis.timeout while a command waits; connection refused, reset or timed out; LOADING, READONLY,
 *          MASTERDOWN, CLUSTERDOWN, NOAUTH/WRONGPASS, garbage. */
#ifndef GW_STORE_BREAKER_H
#define GW_STORE_BREAKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum gw_breaker_reason { GW_BREAKER_NONE, GW_BREAKER_SILENT, GW_BREAKER_CONNECT, GW_BREAKER_LOST, GW_BREAKER_READONLY, GW_BREAKER_LOADING,
                         GW_BREAKER_AUTH, GW_BREAKER_NONSENSE, GW_BREAKER_REASONS };
const char *gw_breaker_reason_name(enum gw_breaker_reason reason); /* "silent" */

struct gw_breaker {
    atomic_bool is_open;      /* begins open: until the first PING is answered */
    atomic_uint epoch;
    atomic_int reason;        /* of the last opening */
    _Atomic uint64_t opened_at_us, openings; /* monotonic; a counter */
};

void gw_breaker_init(struct gw_breaker *breaker);
static inline bool gw_breaker_is_open(const struct gw_breaker *breaker)
{
    return atomic_load_explicit(&breaker->is_open, memory_order_relaxed);
}
/* Logs the first of a series. */
void gw_breaker_open(struct gw_breaker *breaker, enum gw_breaker_reason reason, uint64_t now_us);
/* By main's prober only. */
void gw_breaker_close(struct gw_breaker *breaker);

#endif
