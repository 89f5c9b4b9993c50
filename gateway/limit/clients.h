/* clients.h: what this process knows of each client and policy: its local bucket. One table for all workers.
 *
 * Data     Keyed by policy and up to 32 bytes that name the client: an address cut to its prefix, SHA-256 of a
 *          header's value, or a route's name. Lock-striped; a lock is held for a few instructions, never across I/O
 *          or a callback.
 * Bounds   At most max_clients entries of 64 bytes, allocated as they come, stripe by stripe; a stripe that is full
 *          forgets before the table as a whole is. Full buckets leave first (forgetting one changes nothing, so they
 *          leave even before memory grows), then the one nearest to full of the few that are looked at: forgetting
 *          costs a client nothing and can grant it at most what its bucket lacked.
 * Time     now_us is one clock that never goes back (CLOCK_MONOTONIC). A worker that read it and then waited may come
 *          late: an instant before one already seen counts as that one.
 * Failure  Where not even a stripe's first entries can be allocated, a new client is answered but not remembered.
 * Seams    Later each entry also holds an upper bound of what the shared store would say; so the entry is this
 *          module's secret. */
#ifndef GW_LIMIT_CLIENTS_H
#define GW_LIMIT_CLIENTS_H

#include "base/base.h"
#include "base/slice.h"
#include "limit/bucket.h"

enum {
    GW_CLIENT_ASKS = 8,    /* buckets of one request at most */
    GW_CLIENTS_LEAST = 16, /* a smaller max_clients counts as this: a request must not forget its own entries */
};

struct gw_clients;

struct gw_client_key {
    uint32_t policy; /* identity of its name and rate: a changed limit is a new bucket */
    uint8_t length;
    uint8_t bytes[32];
};

struct gw_client_ask { /* one bucket of a request */
    struct gw_client_key key;
    struct gw_bucket_rate rate;
    uint64_t cost;
    bool shadow; /* answered and taken from like the others, but its refusal refuses nothing */

    struct gw_bucket_answer answer; /* filled */
};

/* NULL when memory is out. */
struct gw_clients *gw_clients_create(unsigned max_clients) GW_MUST_CHECK;
void gw_clients_destroy(struct gw_clients **clients);
/* All of a request's buckets at once: looks at all, then takes from all, or from none if one refuses. Exact over all
 * threads. A shadow bucket that refuses is left as it is, as a refusing one would be. No two keys of a request are
 * the same; count is GW_CLIENT_ASKS at most. Returns whether the request is allowed. Any thread; allocates only for
 * the table's growth. */
bool gw_clients_take(struct gw_clients *clients, struct gw_client_ask *asks, unsigned count, uint64_t now_us);
/* Entries now; any thread. */
unsigned gw_clients_count(struct gw_clients *clients);

#endif
