/* clock.h: the only place that reads a clock. */
#ifndef GW_BASE_CLOCK_H
#define GW_BASE_CLOCK_H

#include <stdint.h>

/* CLOCK_MONOTONIC, for durations, deadlines and local buckets. */
uint64_t gw_clock_monotonic_us(void);
/* CLOCK_REALTIME since 1970, for dates that people read or that RFC 9111 needs. */
uint64_t gw_clock_wall_us(void);

#endif
