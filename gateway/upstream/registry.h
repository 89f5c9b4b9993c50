/* registry.h: what all workers know of backends: is each up, what was asked of it, and whose turn it is.
 *
 * Data     A record for each url: routes that name the same url share one, for it is the same server. A turn for each
 *          route: with one for all of them, two routes that are asked in turn would each ask the same backend again and
 *          again.
 * Threads  Any; relaxed atomics. Asked by the backend's index in the configuration. */
#ifndef GW_UPSTREAM_REGISTRY_H
#define GW_UPSTREAM_REGISTRY_H

#include <stdatomic.h>
#include "config/config.h"

enum gw_backend_state { GW_BACKEND_UNKNOWN, GW_BACKEND_UP, GW_BACKEND_DOWN };

struct gw_backend_record {
    atomic_int state; /* of the last attempt: a connection refused, reset or timed out is DOWN, any answer UP */
    _Atomic uint64_t requests;       /* attempts that ended */
    _Atomic uint64_t failures;       /* those of them that were not answered */
    _Atomic uint64_t in_flight;      /* counted by who asks; the rest by gw_registry_note */
    _Atomic uint64_t last_change_us; /* wall clock; 0: never */
    _Atomic uint64_t failed_at_us;   /* monotonic; of the last attempt that was not answered */
};

struct gw_registry;

struct gw_registry *gw_registry_create(const struct gw_config *config) GW_MUST_CHECK; /* NULL when memory is out */
void gw_registry_destroy(struct gw_registry **registry);
/* Backends of one url give the same record. */
struct gw_backend_record *gw_registry_record(struct gw_registry *registry, unsigned backend_index);
/* Is this the lowest index of its url? So a list names each url once. */
bool gw_registry_is_first(const struct gw_registry *registry, unsigned backend_index);
/* What may be told of it now. A failure tells nothing of the present for longer than a minute: where nobody asks, a
 * backend that was down once would stay "down" for a whole quiet night. now_us: monotonic. `record` may be NULL. */
enum gw_backend_state gw_registry_state(const struct gw_backend_record *record, uint64_t now_us);
/* Which of the route's backends is next, round robin over all workers: a number to be divided by how many they are. The
 * routes begin at different ones. */
unsigned gw_registry_take_turn(struct gw_registry *registry, unsigned route_index);
/* Once at the end of each attempt. Not for an attempt that the gateway itself gave up. */
void gw_registry_note(struct gw_registry *registry, unsigned backend_index, bool answered);

#endif
