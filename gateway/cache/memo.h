/* memo.h: which request fields selected among a URL's variants when it was looked up last, so that the next look-up can
 * ask for the base and the variant at once (cache/shared.h).
 *
 * Data     A table of GW_MEMO_SLOTS places, each URL has one; who comes later takes it. A wrong or missing memory costs
 *          a round trip, never a wrong answer: so eight bytes tell URLs apart.
 * Bounds   Names over GW_MEMO_NAMES_BYTES are not remembered. 128 KiB.
 * Threads  One worker's. */
#ifndef GW_CACHE_MEMO_H
#define GW_CACHE_MEMO_H

#include "cache/key.h"

struct gw_memo;

enum { GW_MEMO_SLOTS = 1024, GW_MEMO_NAMES_BYTES = 119 };

struct gw_memo *gw_memo_create(void) GW_MUST_CHECK; /* NULL when memory is out */
void gw_memo_destroy(struct gw_memo **memo);
/* False: nothing is remembered. *names, which may be empty, is valid until the next put or forget. */
bool gw_memo_get(const struct gw_memo *memo, const struct gw_cache_key *key, struct gw_slice *names);
/* Copies the names; too long: forgets. */
void gw_memo_put(struct gw_memo *memo, const struct gw_cache_key *key, struct gw_slice names);
void gw_memo_forget(struct gw_memo *memo, const struct gw_cache_key *key);

#endif
