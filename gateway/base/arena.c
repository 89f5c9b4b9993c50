#include "base/arena.h"

#include <stdlib.h>

enum { ALIGNMENT = 16 };

struct gw_arena_chunk {
    struct gw_arena_chunk *next; /* the chunk before this one; NULL in the first chunk */
    size_t capacity;
    size_t used;
    _Alignas(ALIGNMENT) char bytes[];
};

void gw_arena_init(struct gw_arena *arena, size_t first_bytes, size_t bound)
{
    *arena = (struct gw_arena) { .bound = bound };
    /* Until the first chunk exists, `used` holds the size that this chunk shall have. */
    arena->used = first_bytes;
}

static struct gw_arena_chunk *arena_new_chunk(size_t capacity)
{
    struct gw_arena_chunk *chunk = malloc(sizeof *chunk + capacity);
    if (chunk) {
        chunk->next = NULL;
        chunk->capacity = capacity;
        chunk->used = 0;
    }
    return chunk;
}

static bool arena_begin(struct gw_arena *arena)
{
    arena->first = arena->current = arena_new_chunk(arena->used);
    if (!arena->first)
        return false;
    arena->used = 0;
    return true;
}

static size_t arena_rounded(size_t size)
{
    return (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

/* Adds a chunk that is as large as the first one, or larger where a piece of `size` needs that. */
static bool arena_extend(struct gw_arena *arena, size_t size)
{
    size_t left = arena->bound - arena->used;
    size_t capacity = size > arena->first->capacity ? size : arena->first->capacity;
    if (capacity > left)
        capacity = left;
    if (size > capacity)
        return false;
    struct gw_arena_chunk *chunk = arena_new_chunk(capacity);
    if (!chunk)
        return false;
    arena->used += capacity;
    chunk->next = arena->current;
    arena->current = chunk;
    return true;
}

void *gw_arena_take(struct gw_arena *arena, size_t size)
{
    if (size > SIZE_MAX / 2 || (!arena->first && !arena_begin(arena)))
        return NULL;
    size = arena_rounded(size ? size : 1);
    if (size > arena->current->capacity - arena->current->used && !arena_extend(arena, size))
        return NULL;
    void *piece = arena->current->bytes + arena->current->used;
    arena->current->used += size;
    return piece;
}

void *gw_arena_grow(struct gw_arena *arena, void *piece, size_t size, size_t new_size)
{
    struct gw_arena_chunk *chunk = arena->current;
    bool is_newest = piece && chunk && (char *)piece + arena_rounded(size) == chunk->bytes + chunk->used;
    if (is_newest && new_size <= SIZE_MAX / 2) {
        size_t before = (size_t)((char *)piece - chunk->bytes);
        if (arena_rounded(new_size) <= chunk->capacity - before) {
            chunk->used = before + arena_rounded(new_size);
            return piece;
        }
    }
    void *larger = gw_arena_take(arena, new_size);
    if (larger && size)
        memcpy(larger, piece, size < new_size ? size : new_size);
    return larger;
}

struct gw_slice gw_arena_copy(struct gw_arena *arena, struct gw_slice slice)
{
    char *copy = gw_arena_take(arena, slice.length);
    if (!copy)
        return GW_NO_SLICE;
    if (slice.length)
        memcpy(copy, slice.at, slice.length);
    return gw_slice_of(copy, slice.length);
}

void gw_arena_reset(struct gw_arena *arena)
{
    if (!arena->first)
        return;
    while (arena->current != arena->first) {
        struct gw_arena_chunk *older = arena->current->next;
        free(arena->current);
        arena->current = older;
    }
    arena->first->used = 0;
    arena->used = 0;
}

void gw_arena_free(struct gw_arena *arena)
{
    if (!arena->first)
        return;
    gw_arena_reset(arena);
    arena->used = arena->first->capacity;
    free(arena->first);
    arena->first = arena->current = NULL;
}
