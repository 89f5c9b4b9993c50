/* random.h: random numbers that need not be secret, for request ids, seeds of tables and jitter: xoshiro256**, seeded
 * by getrandom(2). */
#ifndef GW_BASE_RANDOM_H
#define GW_BASE_RANDOM_H

#include <stdint.h>

struct gw_random {
    uint64_t state[4];
};

void gw_random_init(struct gw_random *random);
uint64_t gw_random_next(struct gw_random *random);
/* 64 random bits from the system, such as for the seed of a table. */
uint64_t gw_random_seed(void);

#endif
