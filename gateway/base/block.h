/* block.h: counted bytes. What a socket reads lands in a block, and whoever keeps a slice of it keeps the block, so
 * that a body goes by reference from socket to socket; what lives long (a cache entry's body) is a block of its
 * exact size.
 *
 * Threads  A pool and the blocks it gives belong to one worker. A block without pool may be shared: the count is
 *          atomic.
 * Bounds   Whoever keeps blocks counts them whole: a slice of 100 bytes keeps 64 KiB. */
#ifndef GW_BASE_BLOCK_H
#define GW_BASE_BLOCK_H

#include <stdatomic.h>
#include "base/base.h"
#include "base/free_list.h"
#include "base/slice.h"

struct gw_block_pool;

struct gw_block {
    struct gw_block_pool *pool; /* NULL: on the heap by itself */
    size_t capacity;

    atomic_uint refs;
    char bytes[];
};

enum { GW_BLOCK_BYTES = 64 * 1024 };

struct gw_block_pool {
    struct gw_free_list free;
    struct gw_block *current; /* where reads land */
    size_t current_used;      /* bytes of it that somebody keeps */
};

void gw_block_pool_init(struct gw_block_pool *pool);
/* Every block must have come back. */
void gw_block_pool_free(struct gw_block_pool *pool);
/* Room for the next read, at least 16 KiB: memory in *at, its size returned; 0 when memory is out. */
size_t gw_block_pool_room(struct gw_block_pool *pool, char **at);
/* After a read of `length` bytes into that room was handled: bytes that somebody kept are not overwritten. */
void gw_block_pool_read(struct gw_block_pool *pool, size_t length);

/* A block of its own, held once; NULL when memory is out. */
struct gw_block *gw_block_create(size_t capacity) GW_MUST_CHECK;
/* One more holder. NULL is allowed and returned. */
static inline struct gw_block *gw_block_ref(struct gw_block *block)
{
    if (block)
        atomic_fetch_add_explicit(&block->refs, 1, memory_order_relaxed);
    return block;
}
/* One holder less; the last frees it or gives it back. NULL is allowed. */
void gw_block_unref(struct gw_block *block);

#endif
