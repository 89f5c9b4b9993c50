/* last_refusals.h: for inspection: why the last answer for a URL was not stored, and when that was.
 *
 * Data     A table of GW_LAST_REFUSALS_SLOTS words. Each URL has one place, and a later URL of the same place takes it. A
 *          word has 32 bits of the key, beside those that choose the place: so the reason of another URL is told once in
 *          2^32.
 * Bounds   64 KiB. Ages count up to 194 days.
 * Threads  All workers', without a lock: a place is one atomic word. It is written on misses only. */
#ifndef GW_CACHE_LAST_REFUSALS_H
#define GW_CACHE_LAST_REFUSALS_H

#include <stdatomic.h>
#include "cache/key.h"
#include "cache/policy.h"

enum { GW_LAST_REFUSALS_SLOTS = 8192 };

struct gw_last_refusals { /* begins with zeros */
    _Atomic uint64_t slots[GW_LAST_REFUSALS_SLOTS];
};

void gw_last_refusals_note(struct gw_last_refusals *last, const struct gw_cache_key *key, enum gw_cache_refusal refusal,
                           uint64_t now_us);
/* It was stored since. */
void gw_last_refusals_remove(struct gw_last_refusals *last, const struct gw_cache_key *key);
/* STORABLE: nothing is known. *ago_s: seconds since then. */
enum gw_cache_refusal gw_last_refusals_get(struct gw_last_refusals *last, const struct gw_cache_key *key,
                                           uint64_t now_us, uint64_t *ago_s);

#endif
