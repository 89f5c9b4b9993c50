/* breaker.h: is this Redis node to be asked? One for all workers of the process and each node.
 *
 * States   CLOSED: workers ask. OPEN: nobody asks; main's prober (probe.h) connects and sends PING until one answers
 *          in time, from a node that takes writes. No half-open state: no client ever pays for a probe.
 * Opens    by whoever sees: no byte on a connection for redis.timeout while a command waits; connection refused,
 *          reset or timed out; LOADING, READONLY, MASTERDOWN, CLUSTERDOWN, BUSY, NOAUTH, WRONGPASS, NOPERM; garbage.
 * Threads  Any; relaxed atomics. Opening is idempotent. `epoch` counts openings, so that who slept through one
 *          knows. */
#ifndef GW_STORE_BREAKER_H
#define GW_STORE_BREAKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* X(NAME, name, what a person reads) */
#define GW_BREAKER_ROWS(X)                                                                                             \
    X(NONE, "none", "no reason")                                                                                       \
    X(SILENT, "silent", "nothing came for redis.timeout")                                                              \
    X(CONNECT, "connect", "it cannot be reached")                                                                      \
    X(LOST, "lost", "the connection ended")                                                                            \
    X(READONLY, "readonly", "it takes no writes")                                                                      \
    X(LOADING, "loading", "it is not ready to serve")                                                                  \
    X(BUSY, "busy", "it is busy in a script")                                                                          \
    X(AUTH, "auth", "it refuses user, password or a command")                                                          \
    X(NONSENSE, "nonsense", "its answers make no sense")

enum gw_breaker_reason {
#define GW_BREAKER_ENUM(NAME, name, sentence) GW_BREAKER_##NAME,
    GW_BREAKER_ROWS(GW_BREAKER_ENUM)
#undef GW_BREAKER_ENUM
        GW_BREAKER_REASONS
};
const char *gw_breaker_reason_name(enum gw_breaker_reason reason);     /* "silent" */
const char *gw_breaker_reason_sentence(enum gw_breaker_reason reason); /* "nothing came for redis.timeout" */

struct gw_breaker {
    atomic_bool is_open; /* begins open: until the first PING is answered */
    atomic_uint epoch;
    atomic_int reason;                       /* of the last opening */
    _Atomic uint64_t opened_at_us, openings; /* monotonic; a counter */
    _Atomic uint64_t logged_at_us;           /* the last opening that was logged; 0: none */
    _Atomic uint64_t oom_at_us; /* the last write that was refused for want of memory; 0: none. Opens nothing */
    _Atomic(const char *) node; /* for the log: the masked URL; set by the prober, who outlives it */
};

void gw_breaker_init(struct gw_breaker *breaker);
static inline bool gw_breaker_is_open(const struct gw_breaker *breaker)
{
    return atomic_load_explicit(&breaker->is_open, memory_order_relaxed);
}
/* Logs the first of a series: the next one a minute later, or when the reason is another. */
void gw_breaker_open(struct gw_breaker *breaker, enum gw_breaker_reason reason, uint64_t now_us);
/* By main's prober only. */
void gw_breaker_close(struct gw_breaker *breaker);

#endif
