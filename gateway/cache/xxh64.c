#include "cache/xxh64.h"

#define P1 UINT64_C(11400714785074694791)
#define P2 UINT64_C(14029467366897019727)
#define P3 UINT64_C(1609587929392839161)
#define P4 UINT64_C(9650029242287828579)
#define P5 UINT64_C(2870177450012600261)

static uint64_t turn(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

/* gw_xxh64_read is one load where the compiler sees the count. */
static uint64_t word_at(const uint8_t *at)
{
    return gw_xxh64_read(at, 8);
}

static uint64_t mix(uint64_t lane, uint64_t word)
{
    return turn(lane + word * P2, 31) * P1;
}

static uint64_t fold(uint64_t value, uint64_t lane)
{
    return (value ^ mix(0, lane)) * P1 + P4;
}

/* Whole stripes of 32 bytes; *at is left behind them. */
static uint64_t mix_stripes(const uint8_t **at, const uint8_t *end, uint64_t seed)
{
    uint64_t a = seed + P1 + P2, b = seed + P2, c = seed, d = seed - P1;
    const uint8_t *from = *at;
    for (; end - from >= 32; from += 32) {
        a = mix(a, word_at(from));
        b = mix(b, word_at(from + 8));
        c = mix(c, word_at(from + 16));
        d = mix(d, word_at(from + 24));
    }
    *at = from;
    return fold(fold(fold(fold(turn(a, 1) + turn(b, 7) + turn(c, 12) + turn(d, 18), a), b), c), d);
}

uint64_t gw_xxh64(const void *bytes, size_t length, uint64_t seed)
{
    const uint8_t *at = bytes, *end = at + length;
    uint64_t value = length >= 32 ? mix_stripes(&at, end, seed) : seed + P5;
    value += length;
    for (; end - at >= 8; at += 8)
        value = turn(value ^ mix(0, word_at(at)), 27) * P1 + P4;
    if (end - at >= 4) {
        value = turn(value ^ gw_xxh64_read(at, 4) * P1, 23) * P2 + P3;
        at += 4;
    }
    for (; at < end; at++)
        value = turn(value ^ *at * P5, 11) * P1;
    value = (value ^ value >> 33) * P2;
    value = (value ^ value >> 29) * P3;
    return value ^ value >> 32;
}
