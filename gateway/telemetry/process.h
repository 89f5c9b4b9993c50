/* process.h: what the system tells about this process. Not for the hot path, since it takes a few system calls. Numbers
 * that the system does not tell are zero. */
#ifndef GW_TELEMETRY_PROCESS_H
#define GW_TELEMETRY_PROCESS_H

#include <stdint.h>

struct gw_process_facts {
    uint64_t alloc_bytes; /* in use, as malloc counts: heaps and mapped blocks */
    uint64_t resident_bytes, virtual_bytes;
    uint64_t cpu_us; /* user and system */
    uint64_t open_fds, max_fds;
};

void gw_process_read(struct gw_process_facts *facts);
/* When the process began, by the wall clock, since 1970. To be called once: the result is made of two clocks, so
 * another call may differ by a tick. */
uint64_t gw_process_began_at_wall_us(void);

#endif
