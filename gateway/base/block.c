#include "base/block.h"

#include <stdlib.h>

enum { LEAST_ROOM = 16 * 1024, KEPT_FREE = 64 };

void gw_block_pool_init(struct gw_block_pool *pool)
{
    *pool = (struct gw_block_pool) { .free = NULL };
}

static void free_all(struct gw_block *block)
{
    while (block) {
        struct gw_block *next = block->next;
        free(block);
        block = next;
    }
}

void gw_block_pool_free(struct gw_block_pool *pool)
{
    if (pool->current)
        gw_block_drop(pool->current);
    pool->current = NULL;
    free_all(pool->free);
    pool->free = NULL;
    pool->free_count = 0;
}

static struct gw_block *pool_take(struct gw_block_pool *pool)
{
    struct gw_block *block = pool->free;
    if (block) {
        pool->free = block->next;
        pool->free_count--;
        atomic_store_explicit(&block->holders, 1, memory_order_relaxed);
        return block;
    }
    block = gw_block_create(GW_BLOCK_BYTES);
    if (block)
        block->pool = pool;
    return block;
}

size_t gw_block_pool_room(struct gw_block_pool *pool, char **at)
{
    struct gw_block *block = pool->current;
    if (block && atomic_load_explicit(&block->holders, memory_order_relaxed) == 1)
        pool->current_used = 0;
    if (!block || block->capacity - pool->current_used < LEAST_ROOM) {
        struct gw_block *fresh = pool_take(pool);
        if (!fresh)
            return 0;
        gw_block_drop(block);
        pool->current = block = fresh;
        pool->current_used = 0;
    }
    *at = block->bytes + pool->current_used;
    return block->capacity - pool->current_used;
}

void gw_block_pool_read(struct gw_block_pool *pool, size_t length)
{
    if (pool->current && atomic_load_explicit(&pool->current->holders, memory_order_relaxed) > 1)
        pool->current_used += length;
}

struct gw_block *gw_block_create(size_t capacity)
{
    struct gw_block *block = malloc(sizeof *block + capacity);
    if (!block)
        return NULL;
    block->pool = NULL;
    block->capacity = capacity;
    block->next = NULL;
    atomic_init(&block->holders, 1);
    return block;
}

void gw_block_drop(struct gw_block *block)
{
    if (!block || atomic_fetch_sub_explicit(&block->holders, 1, memory_order_acq_rel) != 1)
        return;
    struct gw_block_pool *pool = block->pool;
    if (!pool || pool->free_count >= KEPT_FREE) {
        free(block);
        return;
    }
    block->next = pool->free;
    pool->free = block;
    pool->free_count++;
}
