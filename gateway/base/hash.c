#include "base/hash.h"

#include <string.h>

__extension__ typedef unsigned __int128 wide;

static uint64_t fold(uint64_t a, uint64_t b)
{
    wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t load(const unsigned char *at, size_t length)
{
    uint64_t word = 0;
    memcpy(&word, at, length);
    return word;
}

uint64_t gw_hash(const void *bytes, size_t length, uint64_t seed)
{
    static const uint64_t odd_1 = 0xa0761d6478bd642full, odd_2 = 0xe7037ed1a0b428dbull;
    const unsigned char *at = bytes;
    uint64_t hash = seed ^ fold(seed ^ odd_1, length ^ odd_2);
    for (size_t left = length; left;) {
        size_t first = left < 8 ? left : 8, second = left - first < 8 ? left - first : 8;
        hash = fold(load(at, first) ^ odd_1 ^ seed, load(at + first, second) ^ hash);
        at += first + second;
        left -= first + second;
    }
    return fold(hash ^ odd_1, seed ^ odd_2);
}
