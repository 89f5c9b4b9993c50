#include "upstream/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

void gw_pool_set_init(struct gw_pool_set *set)
{
    *set = (struct gw_pool_set) { .by_index = NULL };
    gw_list_init(&set->pools);
}

static void pool_forget(struct gw_pool_set *set, struct gw_pool *pool)
{
    GW_CHECK_MAGIC(pool, GW_POOL_MAGIC);
    for (unsigned i = 0; i < set->index_capacity; i++)
        if (set->by_index[i] == pool)
            set->by_index[i] = NULL;
    gw_list_remove(&pool->link);
    pool->magic = GW_NO_MAGIC;
    free(pool);
}

void gw_pool_set_free(struct gw_pool_set *set)
{
    gw_list_each_safe(link, &set->pools) pool_forget(set, GW_CONTAINER(link, struct gw_pool, link));
    free(set->by_index);
    gw_pool_set_init(set);
}

static struct gw_pool *pool_search(const struct gw_pool_set *set, struct gw_slice url)
{
    gw_list_each(link, &set->pools)
    {
        struct gw_pool *pool = GW_CONTAINER(link, struct gw_pool, link);
        GW_CHECK_MAGIC(pool, GW_POOL_MAGIC);
        if (gw_slice_equal(pool->url, url))
            return pool;
    }
    return NULL;
}

/* A new URL means a new configuration, so this is the time to remove the pools that the old configuration left. */
static struct gw_pool *pool_create(struct gw_pool_set *set, struct gw_slice url)
{
    gw_list_each_safe(link, &set->pools)
    {
        struct gw_pool *pool = GW_CONTAINER(link, struct gw_pool, link);
        GW_CHECK_MAGIC(pool, GW_POOL_MAGIC);
        if (pool->connections == 0)
            pool_forget(set, pool);
    }
    struct gw_pool *pool = malloc(sizeof *pool + url.length);
    if (!pool)
        return NULL;
    char *text = (char *)(pool + 1);
    if (url.length)
        memcpy(text, url.at, url.length);
    *pool = (struct gw_pool) { .magic = GW_MAGIC(GW_POOL_MAGIC), .url = gw_slice_of(text, url.length) };
    gw_list_init(&pool->idle);
    gw_list_push_back(&set->pools, &pool->link);
    return pool;
}

/* If memory for the hint is out, there is no hint, and the search is made each time. */
static void pool_note(struct gw_pool_set *set, unsigned index, struct gw_pool *pool)
{
    if (index >= set->index_capacity) {
        unsigned capacity = index + 8;
        struct gw_pool **by_index = realloc(set->by_index, capacity * sizeof *by_index);
        if (!by_index)
            return;
        for (unsigned i = set->index_capacity; i < capacity; i++)
            by_index[i] = NULL;
        set->by_index = by_index;
        set->index_capacity = capacity;
    }
    set->by_index[index] = pool;
}

bool gw_pool_is_quiet(int socket)
{
    char byte;
    return recv(socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

struct gw_pool *gw_pool_set_find(struct gw_pool_set *set, const struct gw_backend *backend)
{
    struct gw_pool *pool = backend->index < set->index_capacity ? set->by_index[backend->index] : NULL;
    if (pool && gw_slice_equal(pool->url, backend->url))
        return pool;
    pool = pool_search(set, backend->url);
    if (!pool)
        pool = pool_create(set, backend->url);
    if (pool)
        pool_note(set, backend->index, pool);
    return pool;
}
