/* pool.h: kept connections of one worker, by backend.
 *
 * Data     Each backend has a pool, found by the backend's URL: a reload may number the backends anew, and connections
 *          outlive it. The index is only a hint that saves the search. Idle connections form a ring with the newest in
 *          front: the connection used last is the likeliest to be alive, and connections that are not needed grow old
 *          and are closed.
 * Cost     With an unchanged configuration a look-up is one comparison of URLs.
 * Bounds   The caller's: it reads `connections` and `idle_count`.
 * Threads  One worker's. */
#ifndef GW_UPSTREAM_POOL_H
#define GW_UPSTREAM_POOL_H

#include "base/check.h"
#include "base/list.h"
#include "base/slice.h"
#include "config/config.h"

enum { GW_POOL_MAGIC = 0x504f4f4c }; /* POOL */

struct gw_pool {
    struct gw_magic magic;
    struct gw_list link; /* in the set */
    struct gw_slice url; /* behind the struct */

    struct gw_list idle;
    unsigned idle_count;
    unsigned connections; /* connecting, busy and idle */
};

struct gw_pool_set {
    struct gw_list pools;
    struct gw_pool **by_index; /* hints; may be NULL */
    unsigned index_capacity;
};

void gw_pool_set_init(struct gw_pool_set *set);
/* All pools must be without connections. */
void gw_pool_set_free(struct gw_pool_set *set);
/* Returns the backend's pool, and makes it if there is none; that may remove pools without connections. NULL when
 * memory is out. */
struct gw_pool *gw_pool_set_find(struct gw_pool_set *set, const struct gw_backend *backend) GW_MUST_CHECK;

static inline void gw_pool_put(struct gw_pool *pool, struct gw_list *connection)
{
    GW_CHECK_MAGIC(pool, GW_POOL_MAGIC);
    gw_list_push_front(&pool->idle, connection);
    pool->idle_count++;
}

/* Takes out an idle connection: from now on it is busy or closed. */
static inline void gw_pool_remove(struct gw_pool *pool, struct gw_list *connection)
{
    GW_CHECK_MAGIC(pool, GW_POOL_MAGIC);
    gw_list_remove(connection);
    pool->idle_count--;
}

/* True if this idle connection is open, as far as this machine knows, and nothing has arrived over it. Bytes that came
 * before a request was sent would be taken for the next request's answer (RFC 9112 §9.2), so this is checked before
 * each reuse. Costs one system call (0.4 µs), and takes nothing out of the socket. */
bool gw_pool_is_quiet(int socket);

/* The idle connection that was used last, or the one unused for longest. It stays in the pool. NULL if none is idle. */
static inline struct gw_list *gw_pool_newest(const struct gw_pool *pool)
{
    return gw_list_is_empty(&pool->idle) ? NULL : pool->idle.next;
}

static inline struct gw_list *gw_pool_oldest(const struct gw_pool *pool)
{
    return gw_list_is_empty(&pool->idle) ? NULL : pool->idle.previous;
}

#endif
