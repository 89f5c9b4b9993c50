/* descriptors.h: how many files this process may have open, and which part may have how many of them.
 *
 * Problem  Where descriptors run out, everything fails at the same time: accepting clients, asking backends, connecting
 *          to Redis again, opening a log again.
 * Shape    What must never fail has its descriptors set aside. Clients and connections to backends share the rest.
 *          Where it is too little for what both may need, backends get four sevenths of it: one for each client, since
 *          a proxied request needs both, and a third more for connections that are kept idle. So idle connections,
 *          to whichever backend and of whichever worker, never keep a client's request from its backend.
 * Threads  Filled by main before the first worker starts. The count may be changed by any thread. */
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
    unsigned kept_most; /* of these, idle ones; UINT_MAX: as many as the configuration allows, and none are counted */

    atomic_uint upstream; /* open now, or connecting */
    atomic_uint kept;     /* of these, idle */
};

struct gw_descriptors_need {    /* numbers of descriptors */
    unsigned reserved;          /* what is open at the start, and what must never fail later */
    unsigned clients, upstream; /* as many as the configuration allows */
};

/* Raises the soft limit (RLIMIT_NOFILE) to the hard one. Returns the descriptors that the process may have then. */
unsigned gw_descriptors_raise(void);
/* How many are open now. */
unsigned gw_descriptors_count(void);
/* The limit under which nobody ever waits for a descriptor. */
unsigned long long gw_descriptors_enough(const struct gw_descriptors_need *need);
/* Shares `allowed`. False, with nothing set: so few that no client could be served. */
bool gw_descriptors_share(struct gw_descriptors *descriptors, unsigned allowed,
                          const struct gw_descriptors_need *need) GW_MUST_CHECK;

/* A connection to a backend is about to be opened. False: there is no descriptor for it. descriptors NULL: no bound. */
static inline bool gw_descriptors_enter(struct gw_descriptors *descriptors)
{
    if (!descriptors)
        return true;
    if (atomic_fetch_add_explicit(&descriptors->upstream, 1, memory_order_relaxed) < descriptors->upstream_most)
        return true;
    atomic_fetch_sub_explicit(&descriptors->upstream, 1, memory_order_relaxed);
    return false;
}

/* Once for each gw_descriptors_enter that gave true. */
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

/* May a connection that is not needed now be kept? */
static inline bool gw_descriptors_may_keep(struct gw_descriptors *descriptors)
{
    return !descriptors || descriptors->kept_most == UINT_MAX ||
           atomic_load_explicit(&descriptors->kept, memory_order_relaxed) < descriptors->kept_most;
}

/* So many more are idle now; negative: fewer. */
static inline void gw_descriptors_add_kept(struct gw_descriptors *descriptors, int64_t more)
{
    if (descriptors && descriptors->kept_most != UINT_MAX)
        atomic_fetch_add_explicit(&descriptors->kept, (unsigned)more, memory_order_relaxed);
}

#endif
