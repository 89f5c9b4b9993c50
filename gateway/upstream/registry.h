/* registry.h: what is known of each backend, by all workers: is it up, what was asked of it.
 *
 * Threads  Any; relaxed atomics. Keyed by the backend's index in the configuration. */
#ifndef GW_UPSTREAM_REGISTRY_H
#define GW_UPSTREAM_REGISTRY_H

#include <stdatomic.h>
#include "config/config.h"

enum gw_backend_state { GW_BACKEND_UNKNOWN, GW_BACKEND_UP, GW_BACKEND_DOWN };

struct gw_backend_record {
    atomic_int state;            /* of the last attempt: a connection refused, reset or timed out is DOWN, any answer UP */
    _Atomic uint64_t requests, failures, in_flight;
    _Atomic uint64_t last_change_us; /* wall clock */
};

struct gw_registry;

struct gw_registry *gw_registry_create(const struct gw_config *config) GW_MUST_CHECK; /* NULL when memory is out */
void gw_registry_destroy(struct gw_registry **registry);
struct gw_backend_record *gw_registry_record(struct gw_registry *registry, unsigned backend_index);
void gw_registry_note(struct gw_registry *registry, unsigned backend_index, bool answered);

#endif
