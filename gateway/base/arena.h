/* arena.h: the memory of one exchange or fetch, which is given back as a whole.
 *
 * Data     A first chunk, which stays after a reset, and further chunks on the heap up to the bound. Nothing is freed
 *          one by one.
 * Bounds   gw_arena_take returns NULL where a piece would need more than `bound` bytes in further chunks, and when
 *          memory is out.
 * Threads  An arena belongs to one worker. */
#ifndef GW_BASE_ARENA_H
#define GW_BASE_ARENA_H

#include "base/base.h"
#include "base/slice.h"

struct gw_arena_chunk;

struct gw_arena {
    size_t bound; /* the most bytes in further chunks */

    struct gw_arena_chunk *first; /* kept by gw_arena_reset */
    struct gw_arena_chunk *current;
    size_t used; /* bytes in further chunks */
};

/* Takes no memory yet: the first gw_arena_take allocates the first chunk, which has first_bytes. */
void gw_arena_init(struct gw_arena *arena, size_t first_bytes, size_t bound);
/* Memory that is aligned for any type and not cleared. NULL at the bound. */
void *gw_arena_take(struct gw_arena *arena, size_t size) GW_MUST_CHECK;
/* Makes a piece larger, in place where it is the newest one and its chunk has room, otherwise in a new place. The bytes
 * in it are kept. NULL at the bound; the old piece stays valid then. */
void *gw_arena_grow(struct gw_arena *arena, void *piece, size_t size, size_t new_size) GW_MUST_CHECK;
/* A copy that lives as long as the arena's memory. The absent slice (at == NULL) at the bound. */
struct gw_slice gw_arena_copy(struct gw_arena *arena, struct gw_slice slice);
/* Gives all pieces back and frees all chunks but the first. */
void gw_arena_reset(struct gw_arena *arena);
/* Frees all chunks. The arena may be used again. */
void gw_arena_free(struct gw_arena *arena);

#endif
