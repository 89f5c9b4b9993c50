/* vary_hints.h: which request fields selected among a URL's variants when it was looked up last, so that the next look-up can
 * ask for the base and the variant at once (cache/redis_cache.h).
 *
 * Data     A table of GW_VARY_HINTS_SLOTS places, each URL has one, and a later URL of the same place takes it. A wrong or
 *          missing hint costs a round trip, never a wrong answer: so eight bytes are enough to tell URLs apart.
 * Bounds   Names over GW_VARY_HINTS_NAMES_BYTES are not remembered. 128 KiB.
 * Threads  One worker's. */
#ifndef GW_CACHE_VARY_HINTS_H
#define GW_CACHE_VARY_HINTS_H

#include "cache/key.h"

struct gw_vary_hints;

enum { GW_VARY_HINTS_SLOTS = 1024, GW_VARY_HINTS_NAMES_BYTES = 119 };

struct gw_vary_hints *gw_vary_hints_create(void) GW_MUST_CHECK; /* NULL when memory is out */
void gw_vary_hints_destroy(struct gw_vary_hints **hints);
/* False: nothing is remembered. *names, which may be empty, is valid until the next put or remove. */
bool gw_vary_hints_get(const struct gw_vary_hints *hints, const struct gw_cache_key *key, struct gw_slice *names);
/* Copies the names. If they are too long, removes what is remembered. */
void gw_vary_hints_put(struct gw_vary_hints *hints, const struct gw_cache_key *key, struct gw_slice names);
void gw_vary_hints_remove(struct gw_vary_hints *hints, const struct gw_cache_key *key);

#endif
