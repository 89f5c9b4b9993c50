/* clients.c: a hash table in stripes, each with its own lock and one block of memory.
 *
 * Block    A block has entries of two cache lines each, and behind them the heads of the chains. Links are indices, so
 *          that the block can be moved to grow: a table for 100,000 clients begins with 8 KiB. The local bucket is in
 *          the cache line that the search reads anyway. The bound is in the other line, which is used only with a
 *          store. The low half of the hash chooses the chain, and the high half the stripe. The hash is seeded, so that
 *          clients cannot aim at one stripe.
 * Forget   Entries are replaced, never freed. When all entries of a stripe's block are used, a hand moves on over a few
 *          entries. If one of them has a full bucket, it is replaced even before the block grows, so that the memory
 *          depends on the active clients and not on all clients ever seen.
 * Locks    A request locks its stripes in the order of their addresses.
 * Time     A worker reads the clock before it waits for a lock, so instants arrive out of order. A late instant would
 *          look like a clock that went back, and the bucket's clamp would grant the difference again and again. So the
 *          time of a stripe only rises. */
#include "limit/clients.h"
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include "base/check.h"
#include "base/hash.h"
#include "base/random.h"
#include "limit/bound.h"

enum {
    STRIPES_MOST = 64,
    STRIPE_CLIENTS_LEAST = 1024, /* where there is more than one stripe */
    ENTRIES_FIRST = 8,           /* a stripe's first block */
    LOOKS = 8,                   /* entries to choose a victim from; more than a request's other entries */
    LINE_BYTES = 64,
};

static_assert((int)LOOKS >= (int)GW_BUCKET_QUERIES_MOST && ENTRIES_FIRST >= LOOKS,
              "a request must not forget its own entries");

struct entry {
    struct gw_bucket bucket; /* in 1/instances tokens */
    uint32_t next;           /* in its chain: index + 1; 0 at the end */
    uint32_t hash;           /* low half */
    uint32_t policy;
    uint16_t instances;
    uint8_t length;
    uint8_t bytes[32];
    _Alignas(LINE_BYTES) struct gw_bound bound;
};

static_assert(sizeof(struct entry) == 2 * LINE_BYTES, "an entry is two cache lines");

struct stripe {
    _Alignas(2 * LINE_BYTES) pthread_mutex_t lock; /* two lines, since a line is prefetched with its neighbour */
    uint32_t bound;                                /* entries at most */

    uint32_t used, allocated; /* entries; gw_clients_count reads `used` */
    uint32_t hand;            /* next index to look at */
    uint32_t chain_mask;      /* heads - 1 */
    struct entry *entries;    /* the block; NULL at first */
    uint32_t *heads;          /* within the block */
    uint64_t now_us;          /* the latest instant seen */
    uint32_t version;         /* where the version of the next entry's bound begins */
};

struct gw_clients {
    uint64_t seed;
    uint32_t stripe_mask; /* stripes - 1 */

    struct stripe stripes[];
};

/* Where one query of a request lies. */
struct place {
    struct stripe *stripe;
    uint32_t hash;
    uint32_t at; /* index + 1 of its entry; 0: none */
};

static size_t clients_rounded_up(size_t bytes, size_t to)
{
    return (bytes + to - 1) / to * to;
}

struct gw_clients *gw_clients_create(unsigned max_clients)
{
    unsigned stripes = 1, bound = max_clients > GW_CLIENTS_LEAST ? max_clients : GW_CLIENTS_LEAST;
    while (stripes < STRIPES_MOST && bound / (2 * stripes) >= STRIPE_CLIENTS_LEAST)
        stripes *= 2;
    size_t bytes = sizeof(struct gw_clients) + stripes * sizeof(struct stripe);
    struct gw_clients *clients = aligned_alloc(_Alignof(struct gw_clients),
                                               clients_rounded_up(bytes, _Alignof(struct gw_clients)));
    if (!clients)
        return NULL;
    memset(clients, 0, bytes);
    clients->seed = gw_random_seed();
    clients->stripe_mask = stripes - 1;
    for (unsigned i = 0; i < stripes; i++) {
        pthread_mutex_init(&clients->stripes[i].lock, NULL);
        clients->stripes[i].bound = bound / stripes + (i < bound % stripes);
    }
    return clients;
}

void gw_clients_destroy(struct gw_clients **clients)
{
    if (!*clients)
        return;
    for (unsigned i = 0; i <= (*clients)->stripe_mask; i++) {
        pthread_mutex_destroy(&(*clients)->stripes[i].lock);
        free((*clients)->stripes[i].entries);
    }
    free(*clients);
    *clients = NULL;
}

unsigned gw_clients_count(struct gw_clients *clients)
{
    unsigned count = 0;
    for (unsigned i = 0; i <= clients->stripe_mask; i++) {
        pthread_mutex_lock(&clients->stripes[i].lock);
        count += clients->stripes[i].used;
        pthread_mutex_unlock(&clients->stripes[i].lock);
    }
    return count;
}

static void clients_link_entry(struct stripe *stripe, uint32_t index)
{
    struct entry *entry = &stripe->entries[index];
    uint32_t *head = &stripe->heads[entry->hash & stripe->chain_mask];
    entry->next = *head;
    *head = index + 1;
}

static void clients_unlink_entry(struct stripe *stripe, uint32_t index)
{
    struct entry *entry = &stripe->entries[index];
    uint32_t *link = &stripe->heads[entry->hash & stripe->chain_mask];
    while (*link != index + 1)
        link = &stripe->entries[*link - 1].next;
    *link = entry->next;
}

/* The key's entry, which the place then names. NULL: there is none. Adding an entry may move it. */
static struct entry *clients_find_entry(struct place *place, const struct gw_client_key *key)
{
    const struct stripe *stripe = place->stripe;
    place->at = stripe->entries ? stripe->heads[place->hash & stripe->chain_mask] : 0;
    while (place->at) {
        struct entry *entry = &stripe->entries[place->at - 1];
        if (entry->hash == place->hash && entry->policy == key->policy && entry->length == key->length &&
            memcmp(entry->bytes, key->bytes, key->length) == 0)
            return entry;
        place->at = entry->next;
    }
    return NULL;
}

/* Doubles the number of entries, up to the bound. False at the bound and when memory is out. */
static bool clients_grow_block(struct stripe *stripe)
{
    uint32_t allocated = stripe->allocated ? stripe->allocated * 2 : ENTRIES_FIRST, heads = ENTRIES_FIRST;
    if (allocated > stripe->bound)
        allocated = stripe->bound;
    if (allocated <= stripe->allocated)
        return false;
    while (heads < allocated)
        heads *= 2;
    size_t entry_bytes = allocated * sizeof(struct entry), head_bytes = heads * sizeof(uint32_t);
    struct entry *entries = aligned_alloc(LINE_BYTES, clients_rounded_up(entry_bytes + head_bytes, LINE_BYTES));
    if (!entries)
        return false;
    if (stripe->used)
        memcpy(entries, stripe->entries, stripe->used * sizeof(struct entry));
    free(stripe->entries);
    stripe->entries = entries;
    stripe->allocated = allocated;
    stripe->heads = (uint32_t *)(void *)(entries + allocated);
    stripe->chain_mask = heads - 1;
    memset(stripe->heads, 0, head_bytes);
    for (uint32_t i = 0; i < stripe->used; i++)
        clients_link_entry(stripe, i);
    return true;
}

/* From this instant on, the entry is the same as a new one. */
static uint64_t clients_full_at(const struct entry *entry)
{
    uint64_t bound_us = entry->bound.level.full_at_us;
    return entry->bucket.full_at_us > bound_us ? entry->bucket.full_at_us : bound_us;
}

static bool clients_is_of_request(const struct stripe *stripe, uint32_t index, const struct place *places,
                                  unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (places[i].stripe == stripe && places[i].at == index + 1)
            return true;
    return false;
}

/* Chooses, of the next few entries, the first that is full, otherwise the one that is nearest to full, and moves the
 * hand. Index + 1; 0: there is none. */
static uint32_t clients_choose_victim(struct stripe *stripe, const struct place *places, unsigned count)
{
    uint32_t best = 0;
    for (unsigned looked = 0; looked < LOOKS && looked < stripe->used; looked++) {
        uint32_t index = stripe->hand % stripe->used;
        stripe->hand = index + 1;
        uint64_t full_at_us = clients_full_at(&stripe->entries[index]);
        if (clients_is_of_request(stripe, index, places, count))
            continue;
        if (full_at_us < stripe->now_us)
            return index + 1;
        if (!best || full_at_us < clients_full_at(&stripe->entries[best - 1]))
            best = index + 1;
    }
    return best;
}

/* An entry that is not in a chain: an unused or a forgotten one. Index + 1; 0: memory is out and no entry can be
 * forgotten. */
static uint32_t clients_free_entry(struct stripe *stripe, const struct place *places, unsigned count)
{
    if (stripe->used == stripe->allocated) {
        uint32_t victim = clients_choose_victim(stripe, places, count);
        bool is_full = victim && clients_full_at(&stripe->entries[victim - 1]) < stripe->now_us;
        if (is_full || !clients_grow_block(stripe)) {
            if (victim)
                clients_unlink_entry(stripe, victim - 1);
            return victim;
        }
    }
    return ++stripe->used;
}

/* Adds an entry with a full bucket. The version of its bound begins with a number that no question about a forgotten
 * entry has. */
static uint32_t clients_add_entry(const struct gw_client_key *key, const struct place *place,
                                  const struct place *places, unsigned count)
{
    struct stripe *stripe = place->stripe;
    uint32_t at = clients_free_entry(stripe, places, count);
    if (!at)
        return 0;
    struct entry *entry = &stripe->entries[at - 1];
    *entry = (struct entry) { .hash = place->hash, .policy = key->policy, .length = key->length };
    entry->bound.version = stripe->version += 1 << 16;
    memcpy(entry->bytes, key->bytes, key->length);
    clients_link_entry(stripe, at - 1);
    return at;
}

/* Finds the stripe of each query. Locks these stripes, each once, in the order of their addresses, and lists them in
 * `sorted`. Returns their number. */
static unsigned clients_lock_stripes(struct gw_clients *clients, const struct gw_bucket_query *queries,
                                     struct place *places, unsigned count, struct stripe **sorted, uint64_t now_us)
{
    static_assert(offsetof(struct gw_client_key, bytes) == 5, "policy, length and bytes are hashed as one run");
    unsigned length = 0;
    for (unsigned i = 0; i < count; i++) {
        const struct gw_client_key *key = &queries[i].key;
        uint64_t hash = gw_hash(key, offsetof(struct gw_client_key, bytes) + key->length, clients->seed);
        struct stripe *stripe = &clients->stripes[(hash >> 32) & clients->stripe_mask];
        places[i] = (struct place) { stripe, (uint32_t)hash, 0 };
        unsigned at = 0;
        while (at < length && sorted[at] < stripe)
            at++;
        if (at < length && sorted[at] == stripe)
            continue;
        memmove(sorted + at + 1, sorted + at, (length - at) * sizeof *sorted);
        sorted[at] = stripe;
        length++;
    }
    for (unsigned i = 0; i < length; i++) {
        pthread_mutex_lock(&sorted[i]->lock);
        if (sorted[i]->now_us < now_us)
            sorted[i]->now_us = now_us;
    }
    return length;
}

static void clients_unlock_stripes(struct stripe **sorted, unsigned length)
{
    while (length--)
        pthread_mutex_unlock(&sorted[length]->lock);
}

/* A query in 1/N tokens, the unit of the local bucket. */
struct share {
    struct gw_bucket_rate rate;
    uint64_t cost, instances;
};

static uint64_t clients_capacity_of(const struct gw_bucket_query *query, uint64_t instances)
{
    return query->cost * instances > query->rate.burst ? query->cost * instances : query->rate.burst;
}

static struct share clients_share_of(const struct gw_bucket_query *query)
{
    uint64_t instances = query->instances ? query->instances : 1;
    if (instances > 1 && instances > UINT64_MAX / query->cost)
        instances = UINT64_MAX / query->cost;
    struct share share = { query->rate, query->cost * instances, instances };
    share.rate.burst = clients_capacity_of(query, instances);
    return share;
}

static void clients_tell_share(struct gw_bucket_query *query, struct gw_bucket_answer answer, const struct share *share)
{
    query->answer = answer;
    query->answer.remaining /= share->instances;
    query->answer.allowed |= query->always;
}

/* Adapts the entry if N has changed. That matters only where a cost is more than a share of the burst. */
static void clients_fit_entry(struct entry *entry, const struct gw_bucket_query *query, const struct share *share,
                              uint64_t now_us)
{
    if (entry->instances && entry->instances != share->instances)
        gw_bucket_rescale(&entry->bucket, clients_capacity_of(query, entry->instances), share->rate.burst, now_us);
    entry->instances = (uint16_t)share->instances;
}

/* The entry that clients_find_entry has found, or a new one. NULL: memory is out. */
static struct entry *clients_found_or_added(const struct gw_bucket_query *query, struct place *place,
                                            const struct place *places, unsigned count)
{
    if (!place->at)
        place->at = clients_add_entry(&query->key, place, places, count);
    return place->at ? &place->stripe->entries[place->at - 1] : NULL;
}

/* Fills all answers. False: a bucket refuses. */
static bool clients_look_at_all(struct gw_bucket_query *queries, struct place *places, unsigned count)
{
    bool allowed = true;
    for (unsigned i = 0; i < count; i++) {
        struct stripe *stripe = places[i].stripe;
        struct gw_bucket unknown = { 0 };
        struct share share = clients_share_of(&queries[i]);
        struct entry *entry = clients_find_entry(&places[i], &queries[i].key);
        if (entry)
            clients_fit_entry(entry, &queries[i], &share, stripe->now_us);
        struct gw_bucket *bucket = entry ? &entry->bucket : &unknown;
        clients_tell_share(&queries[i], gw_bucket_look(bucket, &share.rate, share.cost, stripe->now_us), &share);
        if (!queries[i].answer.allowed && !queries[i].shadow)
            allowed = false;
    }
    return allowed;
}

/* A bucket that is not known is full. Only a bucket that is taken from needs an entry: refused requests add none. */
static void clients_take_from_all(struct gw_bucket_query *queries, struct place *places, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct stripe *stripe = places[i].stripe;
        struct gw_bucket forgotten = { 0 };
        struct share share = clients_share_of(&queries[i]);
        struct entry *entry = clients_found_or_added(&queries[i], &places[i], places, count);
        if (entry)
            clients_fit_entry(entry, &queries[i], &share, stripe->now_us);
        struct gw_bucket *bucket = entry ? &entry->bucket : &forgotten;
        if (queries[i].always)
            gw_bucket_charge(bucket, &share.rate, share.cost, stripe->now_us);
        clients_tell_share(&queries[i],
                           queries[i].always ? gw_bucket_look(bucket, &share.rate, 0, stripe->now_us)
                                             : gw_bucket_take(bucket, &share.rate, share.cost, stripe->now_us),
                           &share);
    }
}

bool gw_clients_take(struct gw_clients *clients, struct gw_bucket_query *queries, unsigned count, uint64_t now_us)
{
    struct place places[GW_BUCKET_QUERIES_MOST] = { { NULL, 0, 0 } };
    struct stripe *sorted[GW_BUCKET_QUERIES_MOST];
    GW_CHECK(count <= GW_BUCKET_QUERIES_MOST);
    unsigned length = clients_lock_stripes(clients, queries, places, count, sorted, now_us);
    bool allowed = clients_look_at_all(queries, places, count);
    if (allowed)
        clients_take_from_all(queries, places, count);
    clients_unlock_stripes(sorted, length);
    return allowed;
}

bool gw_clients_reserve(struct gw_clients *clients, struct gw_bucket_query *queries, unsigned count, uint64_t now_us)
{
    struct place places[GW_BUCKET_QUERIES_MOST] = { { NULL, 0, 0 } };
    struct stripe *sorted[GW_BUCKET_QUERIES_MOST];
    GW_CHECK(count <= GW_BUCKET_QUERIES_MOST);
    unsigned length = clients_lock_stripes(clients, queries, places, count, sorted, now_us);
    bool allowed = true;
    for (unsigned i = 0; i < count; i++) {
        struct gw_bucket_query *query = &queries[i];
        struct gw_bound unknown = { 0 };
        struct entry *entry = clients_find_entry(&places[i], &query->key);
        query->is_asked = gw_bound_allows(entry ? &entry->bound : &unknown, &query->rate, query->cost,
                                          places[i].stripe->now_us, &query->answer);
        allowed &= query->is_asked || query->shadow;
    }
    for (unsigned i = 0; allowed && i < count; i++) {
        struct gw_bucket_query *query = &queries[i];
        struct entry *entry = query->is_asked ? clients_found_or_added(query, &places[i], places, count) : NULL;
        if (entry)
            query->version = gw_bound_reserve(&entry->bound, &query->rate, query->cost, places[i].stripe->now_us);
    }
    clients_unlock_stripes(sorted, length);
    return allowed;
}

void gw_clients_settle(struct gw_clients *clients, const struct gw_bucket_query *query,
                       const struct gw_client_settlement *settlement, uint64_t now_us)
{
    struct place place;
    struct stripe *stripe;
    struct share share = clients_share_of(query);
    clients_lock_stripes(clients, query, &place, 1, &stripe, now_us);
    struct entry *entry = clients_find_entry(&place, &query->key);
    if (!entry && settlement->is_charged)
        entry = clients_found_or_added(query, &place, &place, 1);
    if (entry) {
        gw_bound_release(&entry->bound, &query->rate, query->cost, query->version,
                         settlement->outcome == GW_BUCKET_TAKEN, stripe->now_us);
        if (settlement->outcome != GW_BUCKET_LOST)
            gw_bound_learn(&entry->bound, &settlement->level, settlement->sent_us, stripe->now_us);
        clients_fit_entry(entry, query, &share, stripe->now_us);
        if (settlement->is_charged)
            gw_bucket_charge(&entry->bucket, &share.rate, share.cost, stripe->now_us);
    }
    clients_unlock_stripes(&stripe, 1);
}
