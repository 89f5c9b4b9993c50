/* arena.h: memory of one exchange or fetch, given back as a whole.
 *
 * Data     A first chunk that stays, and further chunks on the heap until the bound. Nothing is freed one by one.
 * Bounds   gw_arena_take returns NULL once `bound` bytes are out, or memory is.
 * Threads  One worker's. */
#ifndef GW_BASE_ARENA_H
#define GW_BASE_ARENA_H

#include "base/base.h"
#include "base/slice.h"

struct gw_arena_chunk;

struct gw_arena {
    size_t bound; /* bytes in further chunks */

    struct gw_arena_chunk *first; /* kept by gw_arena_reset */
    struct gw_arena_chunk *current;
    size_t used; /* bytes in further chunks */
};

/* Takes no memory yet: the first chunk, of first_bytes, comes with the first gw_arena_take. */
void gw_arena_init(struct gw_arena *arena, size_t first_bytes, size_t bound);
/* Aligned for any type, not cleared. NULL at the bound. */
void *gw_arena_take(struct gw_arena *arena, size_t size) GW_MUST_CHECK;
/* Grows the newest piece in place or moves it; the old bytes are kept. NULL at the bound (the old piece stays
 * valid). */
void *gw_arena_grow(struct gw_arena *arena, void *piece, size_t size, size_t new_size) GW_MUST_CHECK;
/* A copy that lives as long as the arena; the absent slice with at == NULL when memory is out. */
struct gw_slice gw_arena_copy(struct gw_arena *arena, struct gw_slice slice);
/* Forgets everything; keeps the first chunk. */
void gw_arena_reset(struct gw_arena *arena);
/* Frees everything. The arena may be used again. */
void gw_arena_free(struct gw_arena *arena);

#endif
