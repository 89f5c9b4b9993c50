#include "cache/near.h"

#include <pthread.h>
#include <stdlib.h>
#include "base/hash.h"
#include "base/list.h"
#include "base/random.h"
#include "cache/vary.h"

enum {
    STRIPES = 16,
    MIN_SLOTS = 64, /* of a stripe */
    MAX_SLOTS = 1 << 20,
    BYTES_PER_SLOT = 2048, /* 0.4 % of the bound; the table never grows, so nobody waits for it under a lock */
    EXPIRED_LOOKED_AT = 4, /* from the end of the recency list, before the last one leaves though it is fresh */
};

/* An entry or, where entry is NULL, a hit-for-miss mark. Those of one key lie in one slot's chain. */
struct node {
    uint64_t hash;
    struct node *next; /* in its slot; after unlink, among those to be freed */
    struct gw_entry *entry;
    struct gw_cache_key key;
    size_t cost_bytes;
    uint64_t marked_until_us;

    uint64_t used; /* the stripe's count of uses when it was last moved to the front */
    struct gw_list recency;
};

struct stripe {
    _Alignas(64) pthread_mutex_t lock; /* a cache line that no other stripe shares */
    struct node **slots;

    _Atomic uint64_t epoch; /* changed under the lock only */
    struct gw_list recency; /* the most recently used first */
    uint64_t uses, entries, evictions, stores, expired;
};

struct gw_near {
    size_t bytes;
    size_t slot_mask;
    uint64_t seed;

    atomic_int mode; /* read at every look-up, nearly never written: it shares a line with what is fixed */
    _Alignas(64) atomic_size_t used_bytes; /* <= bytes, always */
    struct stripe stripes[STRIPES];
};

static size_t slots_for(size_t bytes)
{
    size_t slots = MIN_SLOTS;
    while (slots < MAX_SLOTS && slots * BYTES_PER_SLOT * STRIPES < bytes)
        slots *= 2;
    return slots;
}

struct gw_near *gw_near_create(size_t bytes)
{
    struct gw_near *near = aligned_alloc(64, sizeof *near);
    size_t slots = slots_for(bytes);
    unsigned made = 0;
    if (!near)
        return NULL;
    memset(near, 0, sizeof *near);
    near->bytes = bytes;
    near->slot_mask = slots - 1;
    near->seed = gw_random_seed();
    atomic_init(&near->mode, GW_NEAR_EMBEDDED);
    for (; made < STRIPES; made++) {
        struct stripe *stripe = &near->stripes[made];
        gw_list_init(&stripe->recency);
        stripe->slots = calloc(slots, sizeof(struct node *));
        if (!stripe->slots)
            break;
        if (pthread_mutex_init(&stripe->lock, NULL) != 0) {
            free(stripe->slots);
            break;
        }
    }
    if (made == STRIPES)
        return near;
    while (made-- > 0) {
        pthread_mutex_destroy(&near->stripes[made].lock);
        free(near->stripes[made].slots);
    }
    free(near);
    return NULL;
}

static void free_node(struct node *node)
{
    gw_entry_drop(node->entry);
    free(node);
}

void gw_near_destroy(struct gw_near **near)
{
    for (unsigned i = 0; *near && i < STRIPES; i++) {
        struct stripe *stripe = &(*near)->stripes[i];
        gw_list_each_safe(link, &stripe->recency) free_node(GW_CONTAINER(link, struct node, recency));
        pthread_mutex_destroy(&stripe->lock);
        free(stripe->slots);
    }
    free(*near);
    *near = NULL;
}

/* The whole key, seeded: neither URLs ground to equal digests nor one URL under many hosts can aim at a slot. */
static uint64_t hash_of(const struct gw_near *near, const struct gw_cache_key *key)
{
    return gw_hash(key, sizeof *key, near->seed);
}

static struct stripe *stripe_of(struct gw_near *near, uint64_t hash)
{
    return &near->stripes[hash >> 60];
}

static struct node **slot_of(const struct gw_near *near, struct stripe *stripe, uint64_t hash)
{
    return &stripe->slots[hash & near->slot_mask];
}

static bool is_of_key(const struct node *node, const struct gw_cache_key *key, uint64_t hash)
{
    return node->hash == hash && memcmp(&node->key, key, sizeof *key) == 0;
}

static bool is_over(const struct node *node, uint64_t now_us)
{
    if (!node->entry)
        return now_us >= node->marked_until_us;
    return gw_entry_age_s(node->entry, now_us) >= node->entry->freshness_s;
}

/* Takes the node at *link out of the table and puts it on the list of those to be freed. Under the lock. */
static void unlink_node(struct stripe *stripe, struct node **link, struct node **gone)
{
    struct node *node = *link;
    *link = node->next;
    gw_list_remove(&node->recency);
    if (node->entry)
        stripe->entries--;
    node->next = *gone;
    *gone = node;
}

/* Outside the lock. */
static void free_gone(struct gw_near *near, struct node *gone)
{
    while (gone) {
        struct node *next = gone->next;
        size_t cost_bytes = gone->cost_bytes;
        free_node(gone);
        atomic_fetch_sub_explicit(&near->used_bytes, cost_bytes, memory_order_relaxed);
        gone = next;
    }
}

/* Since it was moved, at most uses - used others were moved before it; moving what is in front anyway would only pull
 * its neighbours into this processor's cache. */
static void touch(struct stripe *stripe, struct node *node)
{
    stripe->uses++;
    if (stripe->uses - node->used <= stripe->entries / 4)
        return;
    node->used = stripe->uses;
    gw_list_remove(&node->recency);
    gw_list_push_front(&stripe->recency, &node->recency);
}

static bool may_answer(const struct gw_entry *entry, const struct gw_cache_request *request,
                       const struct gw_head *request_head, uint64_t now_us)
{
    const struct gw_head *selection = entry->has_selection ? &entry->vary_values : NULL;
    return gw_policy_may_reuse_by_terms(request, request_head, &entry->terms, selection, gw_entry_age_s(entry, now_us),
                                        entry->freshness_s);
}

enum gw_near_result gw_near_get(struct gw_near *near, const struct gw_cache_key *key,
                                const struct gw_cache_request *request, const struct gw_head *request_head,
                                uint64_t now_us, struct gw_entry **entry)
{
    uint64_t hash = hash_of(near, key);
    struct stripe *stripe = stripe_of(near, hash);
    struct node *gone = NULL;
    bool is_marked = false, was_there = false, is_open = gw_near_mode(near) != GW_NEAR_CLOSED;
    *entry = NULL;

    pthread_mutex_lock(&stripe->lock);
    struct node **link = slot_of(near, stripe, hash);
    while (*link && !*entry) {
        struct node *node = *link;
        if (!is_of_key(node, key, hash)) {
            link = &node->next;
        } else if (is_over(node, now_us)) {
            was_there |= node->entry != NULL;
            stripe->expired += node->entry != NULL;
            unlink_node(stripe, link, &gone);
        } else {
            is_marked |= node->entry == NULL;
            if (node->entry && is_open && may_answer(node->entry, request, request_head, now_us)) {
                *entry = gw_entry_share(node->entry);
                touch(stripe, node);
            }
            link = &node->next;
        }
    }
    pthread_mutex_unlock(&stripe->lock);

    free_gone(near, gone);
    if (*entry)
        return GW_NEAR_HIT;
    return is_marked ? GW_NEAR_HIT_FOR_MISS : was_there ? GW_NEAR_STALE : GW_NEAR_MISS;
}

uint64_t gw_near_epoch(struct gw_near *near, const struct gw_cache_key *key)
{
    return atomic_load_explicit(&stripe_of(near, hash_of(near, key))->epoch, memory_order_acquire);
}

static bool reserve(struct gw_near *near, size_t cost_bytes)
{
    size_t used = atomic_load_explicit(&near->used_bytes, memory_order_relaxed);
    do {
        if (used + cost_bytes > near->bytes)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&near->used_bytes, &used, used + cost_bytes, memory_order_relaxed,
                                                    memory_order_relaxed));
    return true;
}

static struct node *choose_victim(struct stripe *stripe, uint64_t now_us)
{
    struct gw_list *link = stripe->recency.previous;
    for (int i = 0; i < EXPIRED_LOOKED_AT && link != &stripe->recency; i++, link = link->previous) {
        struct node *node = GW_CONTAINER(link, struct node, recency);
        if (is_over(node, now_us))
            return node;
    }
    return gw_list_is_empty(&stripe->recency) ? NULL : GW_CONTAINER(stripe->recency.previous, struct node, recency);
}

static struct node **link_to(const struct gw_near *near, struct stripe *stripe, const struct node *node)
{
    struct node **link = slot_of(near, stripe, node->hash);
    while (*link != node)
        link = &(*link)->next;
    return link;
}

/* False where the stripe is empty. */
static bool evict_one(struct gw_near *near, struct stripe *stripe, uint64_t now_us)
{
    struct node *gone = NULL;
    pthread_mutex_lock(&stripe->lock);
    struct node *victim = choose_victim(stripe, now_us);
    if (victim) {
        if (victim->entry && is_over(victim, now_us))
            stripe->expired++;
        else if (victim->entry)
            stripe->evictions++;
        unlink_node(stripe, link_to(near, stripe, victim), &gone);
    }
    pthread_mutex_unlock(&stripe->lock);
    free_gone(near, gone);
    return victim != NULL;
}

/* Reserves room, one stripe's lock at a time and none held, so that two who make room cannot wait for each other. */
static bool make_room(struct gw_near *near, size_t cost_bytes, uint64_t hash, uint64_t now_us)
{
    unsigned turn = (unsigned)(hash >> 60), empty = 0;
    if (cost_bytes > near->bytes / 8)
        return false;
    for (; !reserve(near, cost_bytes); turn++) {
        if (evict_one(near, &near->stripes[turn % STRIPES], now_us))
            empty = 0;
        else if (++empty == STRIPES)
            return false;
    }
    return true;
}

/* A node whose cost is reserved, not yet in the table; NULL when there is no room or no memory. Shares the entry. */
static struct node *create_node(struct gw_near *near, const struct gw_cache_key *key, uint64_t hash,
                                struct gw_entry *entry, uint64_t now_us)
{
    size_t cost_bytes = sizeof(struct node) + (entry ? entry->cost_bytes : 0);
    struct node *node = malloc(sizeof *node);
    if (!node || !make_room(near, cost_bytes, hash, now_us)) {
        free(node);
        return NULL;
    }
    *node = (struct node) { .key = *key, .hash = hash, .cost_bytes = cost_bytes };
    node->entry = entry ? gw_entry_share(entry) : NULL;
    gw_list_init(&node->recency);
    return node;
}

static void insert_node(const struct gw_near *near, struct stripe *stripe, struct node *node)
{
    struct node **slot = slot_of(near, stripe, node->hash);
    node->next = *slot;
    *slot = node;
    node->used = ++stripe->uses;
    gw_list_push_front(&stripe->recency, &node->recency);
    if (node->entry)
        stripe->entries++;
}

static bool is_replaced_by(const struct node *old, const struct gw_entry *entry)
{
    if (!old->entry)
        return true;
    return !gw_vary_same_names(&old->entry->vary_values, old->entry->vary_named, &entry->vary_values,
                               entry->vary_named) ||
           gw_vary_same(&old->entry->vary_values, &entry->vary_values);
}

/* Removes what the entry replaces, and the least recently used variant where it would be one too many. Under the lock.
 */
static void make_way(const struct gw_near *near, struct stripe *stripe, const struct node *node, struct node **gone)
{
    struct node **link = slot_of(near, stripe, node->hash), *oldest = NULL;
    unsigned variants = 0;
    while (*link) {
        struct node *old = *link;
        if (!is_of_key(old, &node->key, node->hash)) {
            link = &old->next;
        } else if (is_replaced_by(old, node->entry)) {
            unlink_node(stripe, link, gone);
        } else {
            variants++;
            if (!oldest || old->used < oldest->used)
                oldest = old;
            link = &old->next;
        }
    }
    if (variants >= GW_NEAR_VARIANTS) {
        unlink_node(stripe, link_to(near, stripe, oldest), gone);
        stripe->evictions++;
    }
}

/* Under the lock this is final: a flush, which every change of mode ends with, raises the epoch under it. */
static bool is_current(const struct gw_near *near, const struct stripe *stripe, uint64_t epoch, unsigned modes)
{
    return atomic_load_explicit(&stripe->epoch, memory_order_relaxed) == epoch && (modes & 1u << gw_near_mode(near));
}

/* modes: in which of them it may come in, a bit each. */
static bool store_entry(struct gw_near *near, struct gw_entry *entry, uint64_t epoch, unsigned modes)
{
    uint64_t hash = hash_of(near, &entry->key);
    struct stripe *stripe = stripe_of(near, hash);
    if (entry->vary_any || !is_current(near, stripe, epoch, modes))
        return false;
    /* The response was received a moment ago: near enough to now for telling what has expired. */
    struct node *node = create_node(near, &entry->key, hash, entry, entry->stored_at_us), *gone = NULL;
    if (!node)
        return false;

    pthread_mutex_lock(&stripe->lock);
    bool is_taken = is_current(near, stripe, epoch, modes);
    if (is_taken) {
        make_way(near, stripe, node, &gone);
        insert_node(near, stripe, node);
        stripe->stores++;
    }
    pthread_mutex_unlock(&stripe->lock);

    if (!is_taken) {
        node->next = NULL;
        gone = node;
    }
    free_gone(near, gone);
    return is_taken;
}

bool gw_near_put(struct gw_near *near, struct gw_entry *entry, uint64_t epoch)
{
    return store_entry(near, entry, epoch, 1u << GW_NEAR_EMBEDDED | 1u << GW_NEAR_OUTAGE);
}

bool gw_near_fill(struct gw_near *near, struct gw_entry *entry, uint64_t epoch)
{
    return store_entry(near, entry, epoch, 1u << GW_NEAR_SHARED);
}

static struct node *find_mark(const struct gw_near *near, struct stripe *stripe, const struct gw_cache_key *key,
                              uint64_t hash)
{
    struct node *node = *slot_of(near, stripe, hash);
    while (node && (node->entry || !is_of_key(node, key, hash)))
        node = node->next;
    return node;
}

void gw_near_mark_hit_for_miss(struct gw_near *near, const struct gw_cache_key *key, uint64_t now_us, uint64_t after_us)
{
    uint64_t hash = hash_of(near, key);
    struct stripe *stripe = stripe_of(near, hash);
    struct node *node = create_node(near, key, hash, NULL, now_us);
    if (!node)
        return;
    node->marked_until_us = now_us + after_us;

    pthread_mutex_lock(&stripe->lock);
    struct node *known = find_mark(near, stripe, key, hash);
    if (known) {
        known->marked_until_us = node->marked_until_us;
        touch(stripe, known);
    } else {
        insert_node(near, stripe, node);
    }
    pthread_mutex_unlock(&stripe->lock);

    if (known) {
        node->next = NULL;
        free_gone(near, node);
    }
}

void gw_near_invalidate(struct gw_near *near, const struct gw_cache_key *key)
{
    uint64_t hash = hash_of(near, key);
    struct stripe *stripe = stripe_of(near, hash);
    struct node *gone = NULL;

    pthread_mutex_lock(&stripe->lock);
    atomic_fetch_add_explicit(&stripe->epoch, 1, memory_order_release);
    struct node **link = slot_of(near, stripe, hash);
    while (*link) {
        if (is_of_key(*link, key, hash))
            unlink_node(stripe, link, &gone);
        else
            link = &(*link)->next;
    }
    pthread_mutex_unlock(&stripe->lock);
    free_gone(near, gone);
}

static void flush_stripe(struct gw_near *near, struct stripe *stripe)
{
    struct node *gone = NULL;
    pthread_mutex_lock(&stripe->lock);
    atomic_fetch_add_explicit(&stripe->epoch, 1, memory_order_release);
    memset(stripe->slots, 0, (near->slot_mask + 1) * sizeof(struct node *));
    gw_list_each_safe(link, &stripe->recency)
    {
        struct node *node = GW_CONTAINER(link, struct node, recency);
        node->next = gone;
        gone = node;
    }
    gw_list_init(&stripe->recency);
    stripe->entries = 0;
    pthread_mutex_unlock(&stripe->lock);
    free_gone(near, gone);
}

void gw_near_flush(struct gw_near *near)
{
    for (unsigned i = 0; i < STRIPES; i++)
        flush_stripe(near, &near->stripes[i]);
}

void gw_near_set_mode(struct gw_near *near, enum gw_near_mode mode)
{
    /* In this order: who notes an epoch after his stripe's flush sees the mode; who noted it before fills no more. */
    atomic_store_explicit(&near->mode, mode, memory_order_release);
    gw_near_flush(near);
}

enum gw_near_mode gw_near_mode(const struct gw_near *near)
{
    return (enum gw_near_mode)atomic_load_explicit(&near->mode, memory_order_relaxed);
}

void gw_near_read_counts(struct gw_near *near, struct gw_near_counts *counts)
{
    *counts = (struct gw_near_counts) { .bytes = atomic_load_explicit(&near->used_bytes, memory_order_relaxed) };
    for (unsigned i = 0; i < STRIPES; i++) {
        struct stripe *stripe = &near->stripes[i];
        pthread_mutex_lock(&stripe->lock);
        counts->entries += stripe->entries;
        counts->evictions += stripe->evictions;
        counts->stores += stripe->stores;
        counts->expired += stripe->expired;
        pthread_mutex_unlock(&stripe->lock);
    }
}
