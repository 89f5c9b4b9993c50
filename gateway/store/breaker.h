/* breaker.h: may this Redis node be asked now? One breaker for each node; all workers of the process share it.
 *
 * States   CLOSED: workers ask. OPEN: no worker asks; main's prober (probe.h) connects and sends PING until the node
 *          answers in time and takes writes. There is no half-open state: no client ever pays for a probe.
 * Opens    The first connection that sees one of these opens the breaker: no byte for redis.timeout while a command
 *          waits; connection refused, reset or timed out; LOADING, READONLY, MASTERDOWN, CLUSTERDOWN, BUSY, NOAUTH,
 *          WRONGPASS, NOPERM; garbage.
 * Told     One cause gives one line of the log, however many connections see it: see gw_breaker_open. The line and the
 *          health page also have the node's own words.
 * Threads  Any; relaxed atomics, and a lock for copying a few bytes when the breaker opens or the node's words are
 *          read: never on a request's way. Opening is idempotent. `epoch` counts openings: a thread that compares it
 *          later knows whether there was one meanwhile. */
#ifndef GW_STORE_BREAKER_H
#define GW_STORE_BREAKER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* X(NAME, name, sentence for people) */
#define GW_BREAKER_ROWS(X)                                                                                             \
    X(NONE, "none", "no reason")                                                                                       \
    X(SILENT, "silent", "it does not answer in time")                                                                  \
    X(CONNECT, "connect", "it cannot be reached")                                                                      \
    X(LOST, "lost", "the connection ended")                                                                            \
    X(TLS, "tls", "no TLS connection comes about")                                                                     \
    X(REFUSED, "refused", "it refuses to serve")                                                                       \
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
const char *gw_breaker_reason_sentence(enum gw_breaker_reason reason); /* "it takes no writes" */

enum { GW_BREAKER_SAID_BYTES = 192 };

struct gw_breaker {
    atomic_bool is_open; /* begins open: until the first PING is answered */
    atomic_uint epoch;
    atomic_int reason;                       /* of the last opening */
    _Atomic uint64_t opened_at_us, openings; /* monotonic; a counter */
    _Atomic uint64_t logged_at_us;           /* the last opening that was logged; 0: none */
    _Atomic uint64_t oom_at_us; /* the last write that was refused for lack of memory; 0: none. Opens nothing */
    _Atomic(const char *) node; /* for the log: the masked URL; set by the prober, outlives the breaker */

    pthread_mutex_t lock; /* guards the fields below */
    unsigned told;        /* reasons that were logged lately, a bit each */
    uint64_t reason_at_us;
    uint64_t full_logged_at_us;
    char said[GW_BREAKER_SAID_BYTES]; /* the node's words for `reason` */
    char full[GW_BREAKER_SAID_BYTES]; /* the node's words for oom_at_us */
};

void gw_breaker_init(struct gw_breaker *breaker);
static inline bool gw_breaker_is_open(const struct gw_breaker *breaker)
{
    return atomic_load_explicit(&breaker->is_open, memory_order_relaxed);
}
/* said: the words of the node, of the system or of TLS, for a person; printable ASCII; "" if there are none. Logs a
 * reason once a minute. While the breaker is open, a connection that is silent, lost or cannot be made is no new cause:
 * it is logged only if nothing was logged for a minute. It does not replace a reason that says more and was seen within
 * some seconds. A reason without words does not replace words either. */
void gw_breaker_open(struct gw_breaker *breaker, enum gw_breaker_reason reason, const char *said, uint64_t now_us);
/* A write was refused for lack of memory. This opens nothing, and is logged once a minute. */
void gw_breaker_tell_full(struct gw_breaker *breaker, const char *said, uint64_t now_us);
/* Copies the words for the reason of the last opening, or, if `full`, for the last write that was refused for lack of
 * memory. "" if there were none. */
void gw_breaker_copy_said(struct gw_breaker *breaker, bool full, char text[GW_BREAKER_SAID_BYTES]);
/* Only main's prober calls it. */
void gw_breaker_close(struct gw_breaker *breaker);

#endif
