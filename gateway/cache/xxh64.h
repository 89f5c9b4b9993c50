/* xxh64.h: XXH64, the check of what lies in the store (redis/README.md): for values that somebody truncated or patched,
 * not against one who means harm. Known everywhere, and some 10 GB/s in plain C; gw_hash is neither for storage nor the
 * same on every machine. */
#ifndef GW_CACHE_XXH64_H
#define GW_CACHE_XXH64_H

#include <stddef.h>
#include <stdint.h>

uint64_t gw_xxh64(const void *bytes, size_t length, uint64_t seed);

/* Little-endian numbers, as the values hold them. */
static inline uint64_t gw_xxh64_read(const uint8_t *at, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)at[i] << 8 * i;
    return value;
}

#endif
