/* instances.h: how many instances live, as far as the count in Redis can be believed.
 *
 * Problem  While Redis is away, a limit is divided by this number. If it is too high, each instance has a smaller
 *          share; if it is too low, clients get more than the limit.
 * Shape    A higher count is believed at once, a lower one only after two minutes of lower counts. Links that are lost
 *          one by one look like instances that leave: the remaining instances would each take a larger share, while
 *          those that are cut off keep theirs.
 * Threads  The caller's; the time is an argument. */
#ifndef GW_STORE_INSTANCES_H
#define GW_STORE_INSTANCES_H

#include <stdbool.h>
#include <stdint.h>

enum { GW_INSTANCES_FEWER_AFTER_US = 120 * 1000 * 1000 };

struct gw_instances {
    unsigned believed;
    uint64_t fewer_since_us; /* 0: the last count was not lower */
};

/* Takes one count. True: it is higher than the believed number. */
static inline bool gw_instances_take(struct gw_instances *counted, unsigned count, uint64_t now_us)
{
    bool is_more = count > counted->believed;
    if (count >= counted->believed)
        counted->fewer_since_us = 0;
    else if (!counted->fewer_since_us)
        counted->fewer_since_us = now_us ? now_us : 1;
    if (is_more || (counted->fewer_since_us && now_us >= counted->fewer_since_us + GW_INSTANCES_FEWER_AFTER_US)) {
        counted->believed = count;
        counted->fewer_since_us = 0;
    }
    return is_more;
}

#endif
