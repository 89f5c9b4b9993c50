#include "cache/xxh64.h"

#include <xxhash.h>

uint64_t gw_xxh64(const void *bytes, size_t length, uint64_t seed)
{
    return XXH64(bytes, length, seed);
}
