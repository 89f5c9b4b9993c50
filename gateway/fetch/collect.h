/* collect.h: the storing half of a fetch: may this answer be stored, its body as it grows, the entry at the end. For the
 * files of this folder; the functions need a fetch that is for the store (gw_fetch_is_for_store), unless they say other.
 *
 * Bounds   One body: cache.max_object_bytes. All bodies that a worker collects at once: fetcher.collecting_bound. */
#ifndef GW_FETCH_COLLECT_H
#define GW_FETCH_COLLECT_H

#include "fetch/state.h"

/* Drops hop-by-hop fields, and those of which this gateway makes its own. Adds a Date if the backend sent none (RFC 9110
 * §6.6.1) and the answer may be stored. Any fetch. */
void gw_collect_drop_own_fields(struct gw_fetch *fetch, struct gw_head *head);
/* May the answer be stored, and is there room for it? STORABLE: room is reserved. */
enum gw_cache_refusal gw_collect_begin(struct gw_fetch *fetch);
/* False: memory is out. */
bool gw_collect_append(struct gw_fetch *fetch, struct gw_slice bytes) GW_MUST_CHECK;
/* Is what has come still within the bounds? */
bool gw_collect_fits(const struct gw_fetch *fetch);
/* The body is whole. Returns the entry, owned by the caller; NULL: memory is out. */
struct gw_entry *gw_collect_end(struct gw_fetch *fetch) GW_MUST_CHECK;
/* A 304 has come: answer.entry becomes what is stored, as the head of the 304 updates it. If that may not be stored, what is
 * stored is forgotten. False: memory is out, or the head would be larger than a response may have. */
bool gw_collect_confirm(struct gw_fetch *fetch) GW_MUST_CHECK;
/* Stores an entry that gw_collect_end or gw_collect_confirm made; one that is over already is left. True: it is on its way
 * to Redis, and on_stored will run once with the fetch. */
bool gw_collect_put(struct gw_fetch *fetch, struct gw_entry *entry, void (*on_stored)(void *fetch));
/* What is stored is not what the backend says any more, and the new answer may not be stored. */
void gw_collect_forget_stored(struct gw_fetch *fetch);
/* Answers under this key are not shared: no request waits for another one's. */
void gw_collect_mark_hit_for_miss(struct gw_fetch *fetch);
/* The same in this process alone: something that is stored for all shall not be written over. */
void gw_collect_mark_in_memory(struct gw_fetch *fetch);
/* Counts the refusal, keeps it for the readers and for inspection. */
void gw_collect_count_refusal(struct gw_fetch *fetch, enum gw_cache_refusal refusal);
/* Frees the body, and its reservation. Any fetch. */
void gw_collect_release(struct gw_fetch *fetch);

#endif
