/* collect.h: the storing half of a fetch: may this answer be kept, its body as it grows, the entry at the end. For
 * fetch.c.
 *
 * Bounds   One body: cache.max_object_bytes; all that a worker collects at once: fetcher.collecting_bound. */
#ifndef GW_FETCH_COLLECT_H
#define GW_FETCH_COLLECT_H

#include "fetch/state.h"

/* Drops hop-by-hop fields, and those of which this gateway makes its own. Tells Date where the backend did not (RFC
 * 9110 §6.6.1). */
void gw_collect_drop_own_fields(struct gw_fetch *fetch, struct gw_head *head);
/* May it be stored, and is there room for it? Then room is reserved. */
enum gw_cache_refusal gw_collect_begin(struct gw_fetch *fetch);
/* False: memory is out. */
bool gw_collect_append(struct gw_fetch *fetch, struct gw_slice bytes) GW_MUST_CHECK;
/* Is what has come still within the bounds? */
bool gw_collect_fits(const struct gw_fetch *fetch);
/* The body is whole. Returns the entry, owned; NULL: memory is out. */
struct gw_entry *gw_collect_end(struct gw_fetch *fetch) GW_MUST_CHECK;
/* A 304 has come: fetch->confirmed becomes what is stored, as its head updates it; where that may not be stored, what is
 * stored is forgotten. False: memory is out, or the head would be larger than a response may have. */
bool gw_collect_confirm(struct gw_fetch *fetch) GW_MUST_CHECK;
/* Stores what gw_collect_end returned or gw_collect_confirm made; what may not be stored is left. True: it is on its way
 * to the store, and on_stored will run once with the fetch. */
bool gw_collect_put(struct gw_fetch *fetch, struct gw_entry *entry, void (*on_stored)(void *fetch));
/* What is stored is not what the backend says any more, and that may not be stored. */
void gw_collect_forget_stored(struct gw_fetch *fetch);
/* Answers under this key are not shared: nobody waits for another's. */
void gw_collect_mark_hit_for_miss(struct gw_fetch *fetch);
/* In this process alone: over what is stored for all there shall be no mark. */
void gw_collect_mark_in_memory(struct gw_fetch *fetch);
/* Counted, told to the readers, and remembered for inspection. */
void gw_collect_count_refusal(struct gw_fetch *fetch, enum gw_cache_refusal refusal);
void gw_collect_release(struct gw_fetch *fetch);

#endif
