/* descriptors.h: how many file descriptors this process may have, and how many of them each part may use.
 *
 * Problem  When descriptors run out, everything fails at the same time: accepting clients, asking backends, connecting
 *          to Redis again, opening a log again.
 * Shape    Descriptors for the work that must never fail are set aside. Connections of clients and connections to
 *          backends share the rest. Where the rest is too small for both, backends get four sevenths of it: one
 *          descriptor for each client, since a proxied request needs both connections, and a third more for connections
 *          that are kept idle. So idle connections, of any worker and to any backend, never prevent a client's request
 *          from reaching its backend.
 * Threads  main fills the struct before the first worker starts. Any thread may change the counts. */
#ifndef GW_BASE_DESCRIPTORS_H
#define GW_BASE_DESCRIPTORS_H

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/base.h"

struct gw_descriptors {
    unsigned clients_most;  /* connections of clients, all workers together */
    unsigned upstream_most; /* connections to backends, all workers together */
    unsigned kept_most;     /* of these, idle ones; UINT_MAX: only the configuration bounds them, and `kept` stays 0 */

    atomic_uint upstream; /* connections to backends that are open or connecting now */
    atomic_uint kept;     /* of these, idle ones */
};

struct gw_descriptors_need {    /* numbers of descriptors */
    unsigned reserved;          /* open at the start, or set aside for what must never fail */
    unsigned clients, upstream; /* what the configuration allows */
};

/* Raises the soft limit (RLIMIT_NOFILE) to the hard limit. Returns how many descriptors the process may have then. */
unsigned gw_descriptors_raise(void);
/* How many descriptors are open now. */
unsigned gw_descriptors_count(void);
/* The limit that is large enough for all that `need` may use at the same time. */
unsigned long long gw_descriptors_enough(const struct gw_descriptors_need *need);
/* Divides `allowed` descriptors. False: they are too few to serve a client; nothing is set then. */
bool gw_descriptors_share(struct gw_descriptors *descriptors, unsigned allowed,
                          const struct gw_descriptors_need *need) GW_MUST_CHECK;

/* To be called before a connection to a backend is opened. False: no descriptor is left for it. NULL: no bound. */
static inline bool gw_descriptors_enter(struct gw_descriptors *descriptors)
{
    if (!descriptors)
        return true;
    if (atomic_fetch_add_explicit(&descriptors->upstream, 1, memory_order_relaxed) < descriptors->upstream_most)
        return true;
    atomic_fetch_sub_explicit(&descriptors->upstream, 1, memory_order_relaxed);
    return false;
}

/* To be called once for each gw_descriptors_enter that returned true. */
static inline void gw_descriptors_leave(struct gw_descriptors *descriptors)
{
    if (descriptors)
        atomic_fetch_sub_explicit(&descriptors->upstream, 1, memory_order_relaxed);
}

static inline bool gw_descriptors_are_out(struct gw_descriptors *descriptors)
{
    return descriptors &&
           atomic_load_explicit(&descriptors->upstream, memory_order_relaxed) >= descriptors->upstream_most;
}

/* May a connection be kept idle? */
static inline bool gw_descriptors_may_keep(struct gw_descriptors *descriptors)
{
    return !descriptors || descriptors->kept_most == UINT_MAX ||
           atomic_load_explicit(&descriptors->kept, memory_order_relaxed) < descriptors->kept_most;
}

/* Adds to the number of idle connections; `more` may be negative. */
static inline void gw_descriptors_add_kept(struct gw_descriptors *descriptors, int64_t more)
{
    if (descriptors && descriptors->kept_most != UINT_MAX)
        atomic_fetch_add_explicit(&descriptors->kept, (unsigned)more, memory_order_relaxed);
}

#endif
