/* block.h: memory for bytes, with a count of references. A socket reads into a block. Code that keeps a slice of these
 * bytes keeps a reference to the block, so that a body goes from socket to socket without a copy. Bytes that live long
 * (the body of a cache entry) are in a block of their exact size.
 *
 * Threads  A pool and its blocks belong to one worker. A block without a pool may be used by several threads: its count
 *          is atomic.
 * Bounds   Code that keeps blocks must count whole blocks: a slice of 100 bytes keeps 64 KiB. */
#ifndef GW_BASE_BLOCK_H
#define GW_BASE_BLOCK_H

#include <stdatomic.h>
#include "base/base.h"
#include "base/free_list.h"
#include "base/slice.h"

struct gw_block_pool;

struct gw_block {
    struct gw_block_pool *pool; /* NULL: the block is on the heap by itself */
    size_t capacity;

    atomic_uint refs;
    char bytes[];
};

enum { GW_BLOCK_BYTES = 64 * 1024 };

struct gw_block_pool {
    struct gw_free_list free;
    struct gw_block *current; /* the block that the next read goes into */
    size_t current_used;      /* its first bytes, which have been read and may still be in use */
};

void gw_block_pool_init(struct gw_block_pool *pool);
/* Every block must have come back to the pool. */
void gw_block_pool_free(struct gw_block_pool *pool);
/* Room for the next read: *at is its start. Returns its size, at least 16 KiB; 0 when memory is out. */
size_t gw_block_pool_room(struct gw_block_pool *pool, char **at);
/* To be called when `length` bytes have been read into that room and handled. The next read overwrites them unless a
 * reference to the block was taken. */
void gw_block_pool_read(struct gw_block_pool *pool, size_t length);

/* A block without a pool, with one reference; NULL when memory is out. */
struct gw_block *gw_block_create(size_t capacity) GW_MUST_CHECK;
/* Adds a reference. NULL is allowed and returned. */
static inline struct gw_block *gw_block_ref(struct gw_block *block)
{
    if (block)
        atomic_fetch_add_explicit(&block->refs, 1, memory_order_relaxed);
    return block;
}
/* Removes a reference. The last one frees the block or gives it back to its pool. NULL is allowed. */
void gw_block_unref(struct gw_block *block);

#endif
