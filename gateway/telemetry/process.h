/* process.h: what the system knows of this process. Cold: a few system calls; zero where the system does not tell. */
#ifndef GW_TELEMETRY_PROCESS_H
#define GW_TELEMETRY_PROCESS_H

#include <stdint.h>

struct gw_process_facts {
    uint64_t alloc_bytes; /* in use by malloc: heaps and mapped blocks */
    uint64_t resident_bytes, virtual_bytes;
    uint64_t cpu_us; /* user and system */
    uint64_t open_fds, max_fds;
};

void gw_process_read(struct gw_process_facts *facts);
/* When the process began, wall clock, since 1970. Ask once: it is derived from two clocks and may differ by a tick. */
uint64_t gw_process_began_at_wall_us(void);

#endif
