#include "base/block.h"

#include <stdlib.h>

enum { LEAST_ROOM = 16 * 1024, KEPT_FREE = 64 };

void gw_block_pool_init(struct gw_block_pool *pool)
{
    pool->current = NULL;
    pool->current_used = 0;
    gw_free_list_init(&pool->free, sizeof(struct gw_block) + GW_BLOCK_BYTES, KEPT_FREE, NULL);
}

void gw_block_pool_free(struct gw_block_pool *pool)
{
    gw_block_unref(pool->current);
    pool->current = NULL;
    gw_free_list_trim(&pool->free, 0);
}

static void block_init(struct gw_block *block, struct gw_block_pool *pool, size_t capacity)
{
    block->pool = pool;
    block->capacity = capacity;
    atomic_init(&block->refs, 1);
}

size_t gw_block_pool_room(struct gw_block_pool *pool, char **at)
{
    struct gw_block *block = pool->current;
    if (block && atomic_load_explicit(&block->refs, memory_order_relaxed) == 1)
        pool->current_used = 0;
    if (!block || block->capacity - pool->current_used < LEAST_ROOM) {
        struct gw_block *fresh = gw_free_list_take(&pool->free, NULL);
        if (!fresh)
            return 0;
        block_init(fresh, pool, GW_BLOCK_BYTES);
        gw_block_unref(block);
        pool->current = block = fresh;
        pool->current_used = 0;
    }
    *at = block->bytes + pool->current_used;
    return block->capacity - pool->current_used;
}

void gw_block_pool_read(struct gw_block_pool *pool, size_t length)
{
    if (pool->current && atomic_load_explicit(&pool->current->refs, memory_order_relaxed) > 1)
        pool->current_used += length;
}

struct gw_block *gw_block_create(size_t capacity)
{
    struct gw_block *block = malloc(sizeof *block + capacity);
    if (block)
        block_init(block, NULL, capacity);
    return block;
}

void gw_block_unref(struct gw_block *block)
{
    if (!block || atomic_fetch_sub_explicit(&block->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (block->pool)
        gw_free_list_give(&block->pool->free, block);
    else
        free(block);
}
