/* counter.h: a number that one thread raises and any thread reads. No lock prefix: a relaxed load and store by the
 * one writer. */
#ifndef GW_BASE_COUNTER_H
#define GW_BASE_COUNTER_H

#include <stdatomic.h>
#include <stdint.h>

typedef _Atomic uint64_t gw_counter;

/* By the owning thread only. */
static inline void gw_counter_add(gw_counter *counter, uint64_t amount)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + amount, memory_order_relaxed);
}

/* For gauges; by the owning thread only. */
static inline void gw_counter_subtract(gw_counter *counter, uint64_t amount)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) - amount, memory_order_relaxed);
}

/* By any thread, where several write. */
static inline void gw_counter_add_shared(gw_counter *counter, uint64_t amount)
{
    atomic_fetch_add_explicit(counter, amount, memory_order_relaxed);
}

static inline uint64_t gw_counter_read(gw_counter *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

#endif
