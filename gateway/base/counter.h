/* counter.h: a number that one thread changes and any thread reads. The one writer uses a relaxed load and a relaxed
 * store, which cost no lock prefix. */
#ifndef GW_BASE_COUNTER_H
#define GW_BASE_COUNTER_H

#include <stdatomic.h>
#include <stdint.h>

typedef _Atomic uint64_t gw_counter;

/* Only for the owning thread. */
static inline void gw_counter_add(gw_counter *counter, uint64_t amount)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + amount, memory_order_relaxed);
}

/* For gauges. Only for the owning thread. */
static inline void gw_counter_subtract(gw_counter *counter, uint64_t amount)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) - amount, memory_order_relaxed);
}

/* For a counter that several threads write. Any thread. */
static inline void gw_counter_add_shared(gw_counter *counter, uint64_t amount)
{
    atomic_fetch_add_explicit(counter, amount, memory_order_relaxed);
}

static inline uint64_t gw_counter_read(gw_counter *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

#endif
