#include "upstream/registry.h"

#include <stdlib.h>
#include "base/clock.h"

/* Every worker writes to a record with each request: two records on one cache line would slow each other down. */
struct place {
    _Alignas(64) struct gw_backend_record record;
};

struct turn {
    _Alignas(64) atomic_uint next;
};

struct gw_registry {
    unsigned turn_count;  /* at least one */
    struct turn *turns;   /* by route index */
    unsigned count;       /* backends of the configuration */
    struct place *places; /* one for each URL; at most `count` */
    unsigned *place_of;   /* by backend index */
};

static void registry_share_places(struct gw_registry *registry, const struct gw_config *config)
{
    for (unsigned i = 0; i < registry->count; i++) {
        registry->place_of[i] = i;
        for (unsigned j = 0; j < i; j++)
            if (gw_slice_equal(config->backends[i]->url, config->backends[j]->url)) {
                registry->place_of[i] = registry->place_of[j];
                break;
            }
    }
}

struct gw_registry *gw_registry_create(const struct gw_config *config)
{
    struct gw_registry *registry = calloc(1, sizeof(*registry));
    if (!registry)
        return NULL;
    registry->count = config->backend_count;
    size_t bytes = (registry->count ? registry->count : 1) * sizeof(*registry->places);
    registry->places = aligned_alloc(_Alignof(struct place), bytes);
    registry->place_of = calloc(registry->count ? registry->count : 1, sizeof(*registry->place_of));
    registry->turn_count = config->route_count ? config->route_count : 1;
    registry->turns = aligned_alloc(_Alignof(struct turn), registry->turn_count * sizeof(*registry->turns));
    if (!registry->places || !registry->place_of || !registry->turns) {
        gw_registry_destroy(&registry);
        return NULL;
    }
    memset(registry->places, 0, bytes);
    for (unsigned i = 0; i < registry->turn_count; i++)
        atomic_init(&registry->turns[i].next, i);
    registry_share_places(registry, config);
    return registry;
}

void gw_registry_destroy(struct gw_registry **registry)
{
    struct gw_registry *gone = *registry;
    *registry = NULL;
    if (!gone)
        return;
    free(gone->places);
    free(gone->place_of);
    free(gone->turns);
    free(gone);
}

struct gw_backend_record *gw_registry_record(struct gw_registry *registry, unsigned backend_index)
{
    if (backend_index >= registry->count)
        return NULL;
    return &registry->places[registry->place_of[backend_index]].record;
}

bool gw_registry_is_first(const struct gw_registry *registry, unsigned backend_index)
{
    return backend_index < registry->count && registry->place_of[backend_index] == backend_index;
}

enum gw_backend_state gw_registry_state(const struct gw_backend_record *record, uint64_t now_us)
{
    enum { FAILURE_TELLS_US = 60 * 1000 * 1000 };
    if (!record)
        return GW_BACKEND_UNKNOWN;
    enum gw_backend_state state = (enum gw_backend_state)atomic_load_explicit(&record->state, memory_order_relaxed);
    uint64_t failed_at_us = atomic_load_explicit(&record->failed_at_us, memory_order_relaxed);
    return state == GW_BACKEND_DOWN && now_us > failed_at_us + FAILURE_TELLS_US ? GW_BACKEND_UNKNOWN : state;
}

unsigned gw_registry_take_turn(struct gw_registry *registry, unsigned route_index)
{
    struct turn *turn = &registry->turns[route_index % registry->turn_count];
    return atomic_fetch_add_explicit(&turn->next, 1, memory_order_relaxed);
}

void gw_registry_note(struct gw_registry *registry, unsigned backend_index, bool answered)
{
    struct gw_backend_record *record = gw_registry_record(registry, backend_index);
    if (!record)
        return;
    atomic_fetch_add_explicit(&record->requests, 1, memory_order_relaxed);
    if (!answered) {
        atomic_fetch_add_explicit(&record->failures, 1, memory_order_relaxed);
        atomic_store_explicit(&record->failed_at_us, gw_clock_monotonic_us(), memory_order_relaxed);
    }
    int state = answered ? GW_BACKEND_UP : GW_BACKEND_DOWN;
    if (atomic_load_explicit(&record->state, memory_order_relaxed) == state)
        return;
    if (atomic_exchange_explicit(&record->state, state, memory_order_relaxed) != state)
        atomic_store_explicit(&record->last_change_us, gw_clock_wall_us(), memory_order_relaxed);
}
