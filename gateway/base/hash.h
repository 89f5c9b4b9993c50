/* hash.h: a seeded hash for tables in memory. The seed makes it hard to aim many keys at one slot of a table. The hash
 * is good for nothing else: not for identity, storage or security. */
#ifndef GW_BASE_HASH_H
#define GW_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* Multiply-and-fold, as in wyhash. The seed comes from gw_random_seed. */
uint64_t gw_hash(const void *bytes, size_t length, uint64_t seed);

#endif
