/* clients.h: the data of this process about each client and policy: the local bucket, and the bound of the store's
 * bucket (bound.h). One table for all workers.
 *
 * Data     The key is the policy and up to 32 bytes for the client: an address cut to its prefix, SHA-256 of a header's
 *          value, or a route's name. The table has stripes with a lock each. A lock is held for a few instructions, and
 *          never during I/O or a callback.
 * Share    A local bucket is this instance's share of the limit: n / N per period, capacity max(burst / N, cost), where
 *          N is the number of live instances. It is counted in 1/N tokens, so that N causes no rounding, and so that
 *          the instant at which the bucket is full stays right when N changes: the content stays the same part of the
 *          whole, and no token is granted.
 * Bounds   At most max_clients entries of 128 bytes. Each stripe allocates its entries as they are needed, and forgets
 *          entries when it is full, even if other stripes have room. Full buckets are forgotten first: forgetting them
 *          changes nothing, so it is done even before the memory grows. Then, of a few entries, the one that is nearest
 *          to full is forgotten: its client loses nothing and gains at most what its bucket lacked. Forgetting a bound
 *          causes more questions to the store. The reservations in it are gone, too, and answers to them have no
 *          effect.
 * Time     now_us is one clock that never goes back (CLOCK_MONOTONIC). A worker that read the clock and then waited may
 *          come late: an instant before the latest one counts as the latest one.
 * Failure  Where a stripe's first entries cannot be allocated, a new client is answered but not remembered. */
#ifndef GW_LIMIT_CLIENTS_H
#define GW_LIMIT_CLIENTS_H

#include "base/base.h"
#include "base/slice.h"
#include "limit/bucket.h"

enum {
    GW_BUCKET_QUERIES_MOST = 8,  /* buckets of one request at most */
    GW_CLIENT_INSTANCES = 65535, /* more instances count as this many */
    GW_CLIENTS_LEAST = 16,       /* the least max_clients, since a request must not forget its own entries */
};

struct gw_clients;

struct gw_client_key {
    uint32_t policy; /* identifies its name and rate: a changed limit has new buckets */
    uint8_t length;
    uint8_t bytes[32];
};

struct gw_bucket_query { /* one bucket of a request */
    struct gw_client_key key;
    struct gw_bucket_rate rate; /* of the policy, over all instances */
    uint64_t cost;
    uint16_t instances; /* N; 0 counts as 1 */
    bool shadow;        /* answered and taken from like the others, but its refusal does not count */
    bool always;        /* allows in any case; its cost is taken as far as the bucket has it */

    bool is_asked;                  /* filled by gw_clients_reserve, for gw_clients_settle */
    uint32_t version;               /* likewise */
    struct gw_bucket_answer answer; /* filled */
};

/* The outcome of a query at the store; LOST: not known. */
enum gw_bucket_outcome { GW_BUCKET_LOST, GW_BUCKET_TAKEN, GW_BUCKET_NOT_TAKEN };

struct gw_client_settlement {
    enum gw_bucket_outcome outcome;
    bool is_charged;        /* takes the cost from the local bucket, as far as it has it */
    struct gw_bucket level; /* unless LOST: the store's bucket afterwards, counted from sent_us */
    uint64_t sent_us;
};

/* NULL when memory is out. */
struct gw_clients *gw_clients_create(unsigned max_clients) GW_MUST_CHECK;
void gw_clients_destroy(struct gw_clients **clients);
/* Takes from all local buckets of a request, or from none if one refuses. This is exact over all threads. A shadow
 * bucket that refuses is left as it is. The keys of a request must be different; count is at most
 * GW_BUCKET_QUERIES_MOST. Returns whether the request is allowed. Any thread. Allocates only when the table grows. */
bool gw_clients_take(struct gw_clients *clients, struct gw_bucket_query *queries, unsigned count, uint64_t now_us);
/* To be called before the store is asked about all buckets of a request. Fills the answers from the bounds. False: the
 * store would refuse, since a bucket that is not shadow has too little; nothing is reserved. True: is_asked is set for
 * all queries, except for shadow buckets that are known to refuse, and their costs are reserved. gw_clients_settle must
 * be called once for each query with is_asked. */
bool gw_clients_reserve(struct gw_clients *clients, struct gw_bucket_query *queries, unsigned count, uint64_t now_us);
void gw_clients_settle(struct gw_clients *clients, const struct gw_bucket_query *query,
                       const struct gw_client_settlement *settlement, uint64_t now_us);
/* The number of entries. Any thread. */
unsigned gw_clients_count(struct gw_clients *clients);

#endif
