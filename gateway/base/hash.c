#include "base/hash.h"

#include <string.h>

__extension__ typedef unsigned __int128 wide;

static uint64_t hash_fold(uint64_t a, uint64_t b)
{
    wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t gw_hash(const void *bytes, size_t length, uint64_t seed)
{
    static const uint64_t odd_1 = 0xa0761d6478bd642full, odd_2 = 0xe7037ed1a0b428dbull;
    const unsigned char *at = bytes;
    uint64_t hash = seed ^ hash_fold(seed ^ odd_1, length ^ odd_2);
    for (size_t left = length; left;) {
        uint64_t words[2] = { 0, 0 };
        size_t taken = left < sizeof words ? left : sizeof words;
        memcpy(words, at, taken);
        hash = hash_fold(words[0] ^ odd_1 ^ seed, words[1] ^ hash);
        at += taken;
        left -= taken;
    }
    return hash_fold(hash ^ odd_1, seed ^ odd_2);
}
