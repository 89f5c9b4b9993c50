#include "base/random.h"

#include <sys/random.h>
#include <unistd.h>
#include "base/clock.h"

uint64_t gw_random_seed(void)
{
    uint64_t seed;
    if (getrandom(&seed, sizeof seed, 0) == sizeof seed)
        return seed;
    return gw_clock_monotonic_us() * 0x9e3779b97f4a7c15u ^ (uint64_t)getpid() << 32;
}

void gw_random_init(struct gw_random *random)
{
    for (int i = 0; i < 4; i++)
        random->state[i] = gw_random_seed();
    random->state[0] |= 1; /* never all zero */
}

static uint64_t random_rotated(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

uint64_t gw_random_next(struct gw_random *random)
{
    uint64_t *s = random->state, result = random_rotated(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = random_rotated(s[3], 45);
    return result;
}
