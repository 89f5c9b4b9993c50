/* clients.h: what this process knows of each client and policy: its local bucket. One table for all workers.
 *
 * Data     Keyed by policy and 16-32 bytes that name the client (an address cut to its prefix, SHA-256 of a header's value, or
 *          nothing for a route's bucket). Lock-striped; a lock is held for a few instructions, never across I/O or a callback.
 * Bounds   At most max_clients entries, allocated as they come, stripe by stripe. A full table forgets full buckets first (forgetting one
 *          changes nothing), then the one nearest to full of the few it looks at: forgetting costs a client nothing and can grant it
 *          at most what its bucket lacked.
 * Seams    Later each entry also holds an upper bound of what the shared store would say; so the entry is this module's secret. */
#ifndef GW_LIMIT_CLIENTS_H
#define GW_LIMIT_CLIENTS_H

#include "base/base.h"
#include "base/slice.h"
#include "limit/bucket.h"

struct gw_clients;

struct gw_client_key {
    uint32_t policy; /* gw_limit_identity of it: a changed limit is a new bucket */
    uint8_t length;
    uint8_t bytes[32];
};

struct gw_client_ask { /* one bucket of a request */
    struct gw_client_key key;
    struct gw_bucket_rate rate;
    uint64_t cost;
    bool shadow; /* charged and answered, but its refusal refuses nothing */

    struct gw_bucket_answer answer; /* filled */
};

/* NULL when memory is out. */
struct gw_clients *gw_clients_create(unsigned max_clients) GW_MUST_CHECK;
void gw_clients_destroy(struct gw_clients **clients);
/* All of a request's buckets at once: looks at all, then takes from all, or from none if one refuses. Exact over all threads. Returns whether
 * the request is allowed. Any thread. */
bool gw_clients_take(struct gw_clients *clients, struct gw_client_ask *asks, unsigned count, uint64_t now_us);
/* Entries now; any thread. */
unsigned gw_clients_count(struct gw_clients *clients);

#endif
