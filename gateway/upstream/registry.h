/* registry.h: what all workers know of backends: is each backend up, how many requests did it get, and which backend is
 * next.
 *
 * Data     One record for each URL: routes that name the same URL share a record, because it is the same server. One
 *          turn for each route: with a single turn for all, two routes that are asked alternately would each ask the
 *          same backend again and again.
 * Threads  Any; relaxed atomics. Asked by the backend's index in the configuration. */
#ifndef GW_UPSTREAM_REGISTRY_H
#define GW_UPSTREAM_REGISTRY_H

#include <stdatomic.h>
#include "config/config.h"

enum gw_backend_state { GW_BACKEND_UNKNOWN, GW_BACKEND_UP, GW_BACKEND_DOWN };

struct gw_backend_record {
    atomic_int state; /* of the last attempt: a connection refused, reset or timed out is DOWN, any answer UP */
    _Atomic uint64_t requests;       /* attempts that ended */
    _Atomic uint64_t failures;       /* attempts without an answer */
    _Atomic uint64_t in_flight;      /* counted by the caller; gw_registry_note counts the rest */
    _Atomic uint64_t last_change_us; /* wall clock; 0: never */
    _Atomic uint64_t failed_at_us;   /* monotonic; end of the last attempt without an answer */
};

struct gw_registry;

struct gw_registry *gw_registry_create(const struct gw_config *config) GW_MUST_CHECK; /* NULL when memory is out */
void gw_registry_destroy(struct gw_registry **registry);
/* Backends with the same URL give the same record. */
struct gw_backend_record *gw_registry_record(struct gw_registry *registry, unsigned backend_index);
/* True if this is the lowest index of its URL. A list that uses it names each URL once. */
bool gw_registry_is_first(const struct gw_registry *registry, unsigned backend_index);
/* The state that may be reported now. A failure counts for one minute only: without requests, a backend that failed
 * once would otherwise stay "down" for a whole quiet night. now_us: monotonic. `record` may be NULL. */
enum gw_backend_state gw_registry_state(const struct gw_backend_record *record, uint64_t now_us);
/* Which of the route's backends is next, round robin over all workers. The caller takes the number modulo the number of
 * backends. Each route begins at a different backend. */
unsigned gw_registry_take_turn(struct gw_registry *registry, unsigned route_index);
/* Call it once at the end of each attempt, but not for an attempt that the gateway itself gave up. */
void gw_registry_note(struct gw_registry *registry, unsigned backend_index, bool answered);

#endif
