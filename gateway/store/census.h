/* census.h: how many instances live, as far as what is counted in Redis can be believed.
 *
 * Problem  By this number a limit is shared out while Redis is away. Too many is a smaller share for each; too few lets
 *          clients have more than the limit.
 * Shape    More are believed at once, fewer only when they were fewer for two minutes on end: links that are lost one
 *          by one look like instances that leave, and those that remain would each take a larger share while those cut
 *          off keep theirs.
 * Threads  The caller's; the time is an argument. */
#ifndef GW_STORE_CENSUS_H
#define GW_STORE_CENSUS_H

#include <stdbool.h>
#include <stdint.h>

enum { GW_CENSUS_FEWER_AFTER_US = 120 * 1000 * 1000 };

struct gw_census {
    unsigned believed;
    uint64_t fewer_since_us; /* 0: not fewer */
};

/* Takes one count. True: it is more than was believed. */
static inline bool gw_census_take(struct gw_census *census, unsigned count, uint64_t now_us)
{
    bool is_more = count > census->believed;
    if (count >= census->believed)
        census->fewer_since_us = 0;
    else if (!census->fewer_since_us)
        census->fewer_since_us = now_us ? now_us : 1;
    if (is_more || (census->fewer_since_us && now_us >= census->fewer_since_us + GW_CENSUS_FEWER_AFTER_US)) {
        census->believed = count;
        census->fewer_since_us = 0;
    }
    return is_more;
}

#endif
