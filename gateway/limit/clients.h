/* clients.h: what this process knows of each client and policy: its local bucket, and the most that the shared store's
 * can hold (bound.h). One table for all workers.
 *
 * Data     Keyed by policy and up to 32 bytes that name the client: an address cut to its prefix, SHA-256 of a
 *          header's value, or a route's name. Lock-striped; a lock is held for a few instructions, never across I/O
 *          or a callback.
 * Share    A local bucket is this instance's share of the limit: n / N per period, capacity max(burst / N, cost), N
 *          being the live instances. It is counted in 1/N tokens, so that N costs no rounding and an instant at which
 *          it is full stays one when N changes: what is there stays the same part of the whole, nothing is granted.
 * Bounds   At most max_clients entries of 128 bytes, allocated as they come, stripe by stripe; a stripe that is full
 *          forgets before the table as a whole is. Full buckets leave first (forgetting one changes nothing, so they
 *          leave even before memory grows), then the one nearest to full of the few that are looked at: forgetting
 *          costs a client nothing and can grant it at most what its bucket lacked. A forgotten bound costs the store
 *          questions; what was reserved in it is gone with it, and the answers find nothing to settle.
 * Time     now_us is one clock that never goes back (CLOCK_MONOTONIC). A worker that read it and then waited may come
 *          late: an instant before one already seen counts as that one.
 * Failure  Where not even a stripe's first entries can be allocated, a new client is answered but not remembered. */
#ifndef GW_LIMIT_CLIENTS_H
#define GW_LIMIT_CLIENTS_H

#include "base/base.h"
#include "base/slice.h"
#include "limit/bucket.h"

enum {
    GW_BUCKET_QUERIES_MOST = 8,  /* buckets of one request at most */
    GW_CLIENT_INSTANCES = 65535, /* more count as these */
    GW_CLIENTS_LEAST = 16,       /* a smaller max_clients counts as this: a request must not forget its own entries */
};

struct gw_clients;

struct gw_client_key {
    uint32_t policy; /* identity of its name and rate: a changed limit is a new bucket */
    uint8_t length;
    uint8_t bytes[32];
};

struct gw_bucket_query { /* one bucket of a request */
    struct gw_client_key key;
    struct gw_bucket_rate rate; /* of the policy, over all instances */
    uint64_t cost;
    uint16_t instances; /* N; 0 counts as 1 */
    bool shadow;        /* answered and taken from like the others, but its refusal refuses nothing */
    bool always;        /* taken from in any case, as far as it goes; it allows */

    bool is_asked;                  /* filled by gw_clients_reserve, for gw_clients_settle */
    uint32_t version;               /* likewise */
    struct gw_bucket_answer answer; /* filled */
};

/* What became of a question. */
enum gw_bucket_outcome { GW_BUCKET_LOST, GW_BUCKET_TAKEN, GW_BUCKET_NOT_TAKEN };

struct gw_client_settlement {
    enum gw_bucket_outcome outcome;
    bool is_charged;        /* takes the cost from the local bucket, as far as it goes */
    struct gw_bucket level; /* not LOST: the store's bucket after it, counted from sent_us */
    uint64_t sent_us;
};

/* NULL when memory is out. */
struct gw_clients *gw_clients_create(unsigned max_clients) GW_MUST_CHECK;
void gw_clients_destroy(struct gw_clients **clients);
/* All of a request's local buckets at once: looks at all, then takes from all, or from none if one refuses. Exact over
 * all threads. A shadow bucket that refuses is left as it is, as a refusing one would be. No two keys of a request are
 * the same; count is GW_BUCKET_QUERIES_MOST at most. Returns whether the request is allowed. Any thread; allocates only for
 * the table's growth. */
bool gw_clients_take(struct gw_clients *clients, struct gw_bucket_query *queries, unsigned count, uint64_t now_us);
/* Before the store is asked for all of a request's buckets: fills the answers from the bounds. False: the store would
 * refuse, one that is not shadow is too low; nothing is reserved. True: is_asked is set for all but the shadow buckets
 * that are known to refuse, and their costs are reserved. Each such query is settled once. */
bool gw_clients_reserve(struct gw_clients *clients, struct gw_bucket_query *queries, unsigned count, uint64_t now_us);
void gw_clients_settle(struct gw_clients *clients, const struct gw_bucket_query *query,
                       const struct gw_client_settlement *settlement, uint64_t now_us);
/* Entries now; any thread. */
unsigned gw_clients_count(struct gw_clients *clients);

#endif
