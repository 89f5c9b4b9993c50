/* seek.h: from a Redis' name to literal addresses, without waiting; asked anew for each attempt to connect.
 *
 * Literal addresses and `localhost` (RFC 6761 §6.3) need no look-up. A seek that is given up lives until getaddrinfo(3)
 * returns on libuv's thread pool. */
#ifndef GW_STORE_SEEK_H
#define GW_STORE_SEEK_H

#include <uv.h>
#include "base/base.h"
#include "config/config.h"

enum { GW_SEEK_ADDRESSES = 8, GW_SEEK_ADDRESS_BYTES = 46 };

struct gw_seek_found {
    char list[GW_SEEK_ADDRESSES][GW_SEEK_ADDRESS_BYTES];
    unsigned count;
    int error; /* of getaddrinfo(3), as libuv has it; 0: none */
};

struct gw_seek;

/* True: *found is filled. */
bool gw_seek_at_once(const struct gw_redis_node *node, struct gw_seek_found *found);
/* on_found runs once, from the loop; none: the name is not known. NULL: no memory. */
struct gw_seek *gw_seek_begin(uv_loop_t *loop, const struct gw_redis_node *node,
                              void (*on_found)(void *context, const struct gw_seek_found *found),
                              void *context) GW_MUST_CHECK;
/* on_found does not run. Takes *seek; NULL is allowed. Not for one whose on_found has run. */
void gw_seek_give_up(struct gw_seek **seek);

#endif
