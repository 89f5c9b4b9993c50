/* lease.h: who fetches a key, over all instances: a lock with a short life in the store (CACHE.md: "Flights").
 *
 * Shape    SET gw:lock:<ns>:{<sha>} <random id> NX PX 500, renewed at a third of that, deleted by compare (redis/
 *          lease.lua). Who dies loses it within half a second. It is a courtesy, never a guard: correctness is the
 *          store's (what is stored over what), so a lease that is lost while its fetch runs costs a second request.
 * Order    Commands of one loop turn leave in one write: take, then gw_shared_ask, and the look-up sees what whoever
 *          held the lease before has stored.
 * Threads  One worker's. */
#ifndef GW_CACHE_LEASE_H
#define GW_CACHE_LEASE_H

#include "base/list.h"
#include "base/random.h"
#include "base/timer.h"
#include "cache/key.h"
#include "store/store.h"

struct gw_lease;

enum { GW_LEASE_MS = 500 };

enum gw_lease_result {
    GW_LEASE_TAKEN,     /* kept until gw_lease_leave */
    GW_LEASE_ELSEWHERE, /* another fetches */
    GW_LEASE_UNKNOWN,   /* the store did not say */
};

/* From the loop, once. Where not TAKEN the lease is gone when it returns: forget it. */
typedef void gw_lease_done(void *owner, enum gw_lease_result result);

struct gw_leases { /* one worker's, filled by it */
    struct gw_store *store;
    struct gw_timers *timers;
    const struct gw_config *config;
    struct gw_random random; /* gw_leases_init */
    struct gw_list free;
    unsigned free_count;
};

void gw_leases_init(struct gw_leases *leases);
/* None may be held or pending. */
void gw_leases_free(struct gw_leases *leases);
/* NULL: the store is away, or memory is out; done does not run. */
struct gw_lease *gw_lease_take(struct gw_leases *leases, const struct gw_cache_key *key, gw_lease_done *done,
                               void *owner) GW_MUST_CHECK;
/* Gives it back, or drops the question (an answer TAKEN that still comes is given back, too). Takes *lease; NULL is
 * allowed. */
void gw_lease_leave(struct gw_lease **lease);

#endif
