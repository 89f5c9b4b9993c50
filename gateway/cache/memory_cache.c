#include "cache/memory_cache.h"

#include <pthread.h>
#include <stdlib.h>
#include "base/hash.h"
#include "base/random.h"
#include "cache/eviction.h"
#include "cache/vary.h"

enum {
    STRIPES = 16,
    EPOCHS = 512,   /* of a stripe: an invalidation rarely hits a fetch of another key */
    MIN_SLOTS = 64, /* of a stripe, and as many ghosts */
    MAX_SLOTS = 1 << 20,
    BYTES_PER_SLOT = 2048, /* slots and ghosts are 0.8 % of the bound; they never grow, so no thread waits for that */
};

/* An entry or, where entry is NULL, a hit-for-miss mark. Those of one key lie in one slot's chain, the last stored
 * first. */
struct node {
    struct gw_eviction_place place; /* its hash is the key's, its bytes are all memory behind the node */
    struct node *next;              /* in its slot; after unlink, among those to be freed */
    struct gw_entry *entry;
    struct gw_cache_key key;
    uint64_t marked_until_us;     /* for requests with a credential */
    uint64_t marked_all_until_us; /* for all; no later */
};

struct stripe {
    _Alignas(64) pthread_mutex_t lock; /* a cache line that no other stripe shares */
    struct node **slots;

    _Atomic uint64_t flushes, epochs[EPOCHS]; /* changed under the lock only */
    struct gw_eviction eviction;
    uint64_t entries, evictions, stores, expired;
};

struct gw_memory_cache {
    size_t bytes;
    size_t slot_mask;
    uint64_t seed;
    struct gw_bans *bans;

    atomic_int mode; /* read at every look-up, nearly never written: it shares a line with what is fixed */
    struct gw_last_refusals last;
    _Alignas(64) atomic_size_t used_bytes; /* <= bytes, always */
    struct stripe stripes[STRIPES];
};

struct gw_last_refusals *gw_memory_cache_last(struct gw_memory_cache *memory_cache)
{
    return &memory_cache->last;
}

static size_t memory_cache_slots_for(size_t bytes)
{
    size_t slots = MIN_SLOTS;
    while (slots < MAX_SLOTS && slots * BYTES_PER_SLOT * STRIPES < bytes)
        slots *= 2;
    return slots;
}

static void memory_cache_close_stripe(struct stripe *stripe)
{
    pthread_mutex_destroy(&stripe->lock);
    free(stripe->slots);
    gw_eviction_reset(&stripe->eviction);
}

static bool memory_cache_open_stripe(struct stripe *stripe, size_t slots)
{
    if (pthread_mutex_init(&stripe->lock, NULL) != 0)
        return false;
    stripe->slots = calloc(slots, sizeof(*stripe->slots));
    if (gw_eviction_init(&stripe->eviction, slots) && stripe->slots)
        return true;
    memory_cache_close_stripe(stripe);
    return false;
}

struct gw_memory_cache *gw_memory_cache_create(size_t bytes, struct gw_bans *bans)
{
    struct gw_memory_cache *memory_cache = aligned_alloc(64, sizeof *memory_cache);
    size_t slots = memory_cache_slots_for(bytes);
    unsigned made = 0;
    if (!memory_cache)
        return NULL;
    memset(memory_cache, 0, sizeof *memory_cache);
    memory_cache->bytes = bytes;
    memory_cache->slot_mask = slots - 1;
    memory_cache->seed = gw_random_seed();
    memory_cache->bans = bans;
    atomic_init(&memory_cache->mode, GW_MEMORY_CACHE_EMBEDDED);
    while (made < STRIPES && memory_cache_open_stripe(&memory_cache->stripes[made], slots))
        made++;
    if (made == STRIPES)
        return memory_cache;
    while (made-- > 0)
        memory_cache_close_stripe(&memory_cache->stripes[made]);
    free(memory_cache);
    return NULL;
}

static void memory_cache_free_node(struct node *node)
{
    gw_entry_unref(node->entry);
    free(node);
}

static struct node *memory_cache_node_of(struct gw_list *link)
{
    return GW_CONTAINER(link, struct node, place.link);
}

static void memory_cache_free_queue(struct gw_eviction_queue *queue)
{
    gw_list_each_safe(link, &queue->places) memory_cache_free_node(memory_cache_node_of(link));
}

void gw_memory_cache_destroy(struct gw_memory_cache **memory_cache)
{
    for (unsigned i = 0; *memory_cache && i < STRIPES; i++) {
        struct stripe *stripe = &(*memory_cache)->stripes[i];
        memory_cache_free_queue(&stripe->eviction.small);
        memory_cache_free_queue(&stripe->eviction.main);
        memory_cache_close_stripe(stripe);
    }
    free(*memory_cache);
    *memory_cache = NULL;
}

/* The whole key, seeded: neither URLs ground to equal digests nor one URL under many hosts can aim at a slot. */
static uint64_t memory_cache_hash_of(const struct gw_memory_cache *memory_cache, const struct gw_cache_key *key)
{
    return gw_hash(key, sizeof *key, memory_cache->seed);
}

static struct stripe *memory_cache_stripe_of(struct gw_memory_cache *memory_cache, uint64_t hash)
{
    return &memory_cache->stripes[hash >> 60];
}

static struct node **memory_cache_slot_of(const struct gw_memory_cache *memory_cache, struct stripe *stripe,
                                          uint64_t hash)
{
    return &stripe->slots[hash & memory_cache->slot_mask];
}

static bool memory_cache_is_of_key(const struct node *node, const struct gw_cache_key *key, uint64_t hash)
{
    return node->place.hash == hash && memcmp(&node->key, key, sizeof *key) == 0;
}

static bool memory_cache_is_over(const struct node *node, uint64_t now_us)
{
    return node->entry ? gw_entry_is_over(node->entry, now_us) : now_us >= node->marked_until_us;
}

/* Takes the node at *link out of the table and puts it on the list of those to be freed. Under the lock. */
static void memory_cache_unlink_node(struct stripe *stripe, struct node **link, enum gw_eviction_leave why,
                                     struct node **gone)
{
    struct node *node = *link;
    *link = node->next;
    gw_eviction_leave(&stripe->eviction, &node->place, why);
    if (node->entry)
        stripe->entries--;
    node->next = *gone;
    *gone = node;
}

/* Outside the lock. */
static void memory_cache_free_gone(struct gw_memory_cache *memory_cache, struct node *gone)
{
    while (gone) {
        struct node *next = gone->next;
        size_t cost_bytes = gone->place.bytes;
        memory_cache_free_node(gone);
        atomic_fetch_sub_explicit(&memory_cache->used_bytes, cost_bytes, memory_order_relaxed);
        gone = next;
    }
}

struct search {
    uint64_t hash;
    const struct gw_cache_request *request;
    const struct gw_head *request_head;
    uint64_t now_us;
    bool is_open;

    struct node *best, *gone;
};

static void memory_cache_consider(struct search *search, struct node *node, struct gw_memory_cache_answer *answer)
{
    if (!node->entry) {
        answer->is_hit_for_miss |= search->request->has_credential || search->now_us < node->marked_all_until_us;
        gw_eviction_use(&node->place);
    } else if (search->is_open) {
        enum gw_reuse reuse = gw_entry_reuse(node->entry, search->request, search->request_head, search->now_us);
        answer->was_there |= reuse == GW_REUSE_NO;
        answer->is_hit_for_miss |= gw_policy_is_not_personal(&node->entry->terms, search->request);
        if (reuse > answer->reuse) {
            answer->reuse = reuse;
            search->best = node;
        }
    }
}

/* Both numbers only rise. So if the sum is the same, both numbers are the same. */
static uint64_t memory_cache_epoch_of(const struct stripe *stripe, uint64_t hash)
{
    return atomic_load_explicit(&stripe->flushes, memory_order_acquire) +
           atomic_load_explicit(&stripe->epochs[hash >> 40 & (EPOCHS - 1)], memory_order_acquire);
}

void gw_memory_cache_get(struct gw_memory_cache *memory_cache, const struct gw_cache_key *key,
                         const struct gw_cache_request *request, const struct gw_head *request_head, uint64_t now_us,
                         struct gw_memory_cache_answer *answer)
{
    struct search search = { .hash = memory_cache_hash_of(memory_cache, key),
                             .request = request,
                             .request_head = request_head,
                             .now_us = now_us,
                             .is_open = gw_memory_cache_mode(memory_cache) != GW_MEMORY_CACHE_CLOSED };
    struct stripe *stripe = memory_cache_stripe_of(memory_cache, search.hash);
    *answer = (struct gw_memory_cache_answer) { .reuse = GW_REUSE_NO,
                                                .epoch = memory_cache_epoch_of(stripe, search.hash) };

    pthread_mutex_lock(&stripe->lock);
    struct node **link = memory_cache_slot_of(memory_cache, stripe, search.hash);
    while (*link && answer->reuse != GW_REUSE_FRESH) {
        struct node *node = *link;
        if (!memory_cache_is_of_key(node, key, search.hash)) {
            link = &node->next;
            continue;
        }
        bool is_over = memory_cache_is_over(node, now_us);
        bool is_banned = !is_over && memory_cache->bans && node->entry &&
                         gw_bans_check(memory_cache->bans, node->entry) == GW_BAN_HARD;
        if (is_over || is_banned) {
            stripe->expired += is_over && node->entry;
            memory_cache_unlink_node(stripe, link, GW_EVICTION_FOR_NOW, &search.gone);
        } else {
            memory_cache_consider(&search, node, answer);
            link = &node->next;
        }
    }
    if (search.best) {
        answer->entry = gw_entry_ref(search.best->entry);
        gw_eviction_use(&search.best->place);
        if (answer->reuse == GW_REUSE_FRESH) /* whether the search met the rest is chance */
            answer->is_hit_for_miss = answer->was_there = false;
    }
    pthread_mutex_unlock(&stripe->lock);

    memory_cache_free_gone(memory_cache, search.gone);
}

unsigned gw_memory_cache_list(struct gw_memory_cache *memory_cache, const struct gw_cache_key *key,
                              struct gw_entry *entries[GW_MEMORY_CACHE_VARIANTS])
{
    uint64_t hash = memory_cache_hash_of(memory_cache, key);
    struct stripe *stripe = memory_cache_stripe_of(memory_cache, hash);
    unsigned count = 0;

    pthread_mutex_lock(&stripe->lock);
    for (struct node *node = *memory_cache_slot_of(memory_cache, stripe, hash);
         node && count < GW_MEMORY_CACHE_VARIANTS; node = node->next)
        if (node->entry && memory_cache_is_of_key(node, key, hash))
            entries[count++] = gw_entry_ref(node->entry);
    pthread_mutex_unlock(&stripe->lock);
    return count;
}

uint64_t gw_memory_cache_epoch(struct gw_memory_cache *memory_cache, const struct gw_cache_key *key)
{
    uint64_t hash = memory_cache_hash_of(memory_cache, key);
    return memory_cache_epoch_of(memory_cache_stripe_of(memory_cache, hash), hash);
}

static struct node **memory_cache_link_to(const struct gw_memory_cache *memory_cache, struct stripe *stripe,
                                          const struct node *node)
{
    struct node **link = memory_cache_slot_of(memory_cache, stripe, node->place.hash);
    while (*link != node)
        link = &(*link)->next;
    return link;
}

static bool memory_cache_is_place_over(struct gw_eviction_place *place, uint64_t now_us)
{
    return memory_cache_is_over(GW_CONTAINER(place, struct node, place), now_us);
}

/* False where the stripe is empty. */
static bool memory_cache_evict_one(struct gw_memory_cache *memory_cache, struct stripe *stripe, uint64_t now_us)
{
    struct node *gone = NULL;
    pthread_mutex_lock(&stripe->lock);
    struct gw_eviction_place *place = gw_eviction_choose(&stripe->eviction, memory_cache_is_place_over, now_us);
    if (place) {
        struct node *victim = GW_CONTAINER(place, struct node, place);
        bool is_expired = memory_cache_is_over(victim, now_us);
        stripe->expired += is_expired && victim->entry;
        stripe->evictions += !is_expired && victim->entry;
        memory_cache_unlink_node(stripe, memory_cache_link_to(memory_cache, stripe, victim),
                                 is_expired ? GW_EVICTION_FOR_NOW : GW_EVICTION_FOR_ROOM, &gone);
    }
    pthread_mutex_unlock(&stripe->lock);
    memory_cache_free_gone(memory_cache, gone);
    return place != NULL;
}

/* Reserves room. It holds at most one stripe's lock at a time, so two threads that make room cannot wait for each other. */
static bool memory_cache_make_room(struct gw_memory_cache *memory_cache, size_t cost_bytes, uint64_t hash,
                                   uint64_t now_us)
{
    unsigned turn = (unsigned)(hash >> 60), empty = 0;
    size_t used = atomic_load_explicit(&memory_cache->used_bytes, memory_order_relaxed);
    if (cost_bytes > memory_cache->bytes / 8)
        return false;
    for (;;) {
        if (used + cost_bytes > memory_cache->bytes) {
            if (memory_cache_evict_one(memory_cache, &memory_cache->stripes[turn++ % STRIPES], now_us))
                empty = 0;
            else if (++empty == STRIPES)
                return false;
            used = atomic_load_explicit(&memory_cache->used_bytes, memory_order_relaxed);
        } else if (atomic_compare_exchange_weak_explicit(&memory_cache->used_bytes, &used, used + cost_bytes,
                                                         memory_order_relaxed, memory_order_relaxed)) {
            return true;
        }
    }
}

/* A node whose cost is reserved, not yet in the table; NULL when there is no room or no memory. Shares the entry. */
static struct node *memory_cache_create_node(struct gw_memory_cache *memory_cache, const struct gw_cache_key *key,
                                             uint64_t hash, struct gw_entry *entry, uint64_t now_us)
{
    size_t cost_bytes = sizeof(struct node) + (entry ? entry->cost_bytes : 0);
    struct node *node = malloc(sizeof *node);
    if (!node || !memory_cache_make_room(memory_cache, cost_bytes, hash, now_us)) {
        free(node);
        return NULL;
    }
    *node = (struct node) { .place = { .hash = hash, .bytes = cost_bytes }, .key = *key };
    node->entry = entry ? gw_entry_ref(entry) : NULL;
    return node;
}

static void memory_cache_insert_node(const struct gw_memory_cache *memory_cache, struct stripe *stripe,
                                     struct node *node)
{
    struct node **slot = memory_cache_slot_of(memory_cache, stripe, node->place.hash);
    node->next = *slot;
    *slot = node;
    gw_eviction_enter(&stripe->eviction, &node->place);
    if (node->entry)
        stripe->entries++;
}

static bool memory_cache_is_replaced_by(const struct node *old, const struct gw_entry *entry)
{
    if (!old->entry)
        return true;
    return !gw_vary_same_names(&old->entry->vary_values, old->entry->vary_named, &entry->vary_values,
                               entry->vary_named) ||
           gw_vary_same(&old->entry->vary_values, &entry->vary_values);
}

/* Removes what the entry replaces, whose place it takes, and the variant to leave where it would be one too many. Under
 * the lock. */
static void memory_cache_make_way(const struct gw_memory_cache *memory_cache, struct stripe *stripe, struct node *node,
                                  struct node **gone)
{
    struct node **link = memory_cache_slot_of(memory_cache, stripe, node->place.hash), *least = NULL;
    unsigned variants = 0;
    while (*link) {
        struct node *old = *link;
        if (!memory_cache_is_of_key(old, &node->key, node->place.hash)) {
            link = &old->next;
        } else if (memory_cache_is_replaced_by(old, node->entry)) {
            gw_eviction_take_over(&node->place, &old->place);
            memory_cache_unlink_node(stripe, link, GW_EVICTION_FOR_GOOD, gone);
        } else {
            variants++;
            if (!least || old->place.uses <= least->place.uses)
                least = old;
            link = &old->next;
        }
    }
    if (variants >= GW_MEMORY_CACHE_VARIANTS) {
        memory_cache_unlink_node(stripe, memory_cache_link_to(memory_cache, stripe, least), GW_EVICTION_FOR_GOOD, gone);
        stripe->evictions++;
    }
}

/* Asked under the lock, the answer holds: each change of mode ends with a flush, and that raises the epoch under the
 * lock. */
static bool memory_cache_is_current(const struct gw_memory_cache *memory_cache, const struct stripe *stripe,
                                    uint64_t hash, uint64_t epoch, unsigned modes)
{
    return memory_cache_epoch_of(stripe, hash) == epoch && (modes & 1u << gw_memory_cache_mode(memory_cache));
}

/* modes: in which of them it may come in, a bit each. */
static bool memory_cache_store_entry(struct gw_memory_cache *memory_cache, struct gw_entry *entry, uint64_t epoch,
                                     unsigned modes)
{
    uint64_t hash = memory_cache_hash_of(memory_cache, &entry->key);
    struct stripe *stripe = memory_cache_stripe_of(memory_cache, hash);
    if (entry->vary_any || !memory_cache_is_current(memory_cache, stripe, hash, epoch, modes))
        return false;
    /* The response was received a moment ago: near enough to now for telling what has expired. */
    struct node *node = memory_cache_create_node(memory_cache, &entry->key, hash, entry, entry->stored_at_us),
                *gone = NULL;
    if (!node)
        return false;

    pthread_mutex_lock(&stripe->lock);
    bool is_taken = memory_cache_is_current(memory_cache, stripe, hash, epoch, modes);
    if (is_taken) {
        memory_cache_make_way(memory_cache, stripe, node, &gone);
        memory_cache_insert_node(memory_cache, stripe, node);
        stripe->stores++;
    }
    pthread_mutex_unlock(&stripe->lock);

    if (!is_taken) {
        node->next = NULL;
        gone = node;
    }
    memory_cache_free_gone(memory_cache, gone);
    return is_taken;
}

bool gw_memory_cache_put(struct gw_memory_cache *memory_cache, struct gw_entry *entry, uint64_t epoch)
{
    return memory_cache_store_entry(memory_cache, entry, epoch,
                                    1u << GW_MEMORY_CACHE_EMBEDDED | 1u << GW_MEMORY_CACHE_OUTAGE);
}

bool gw_memory_cache_fill(struct gw_memory_cache *memory_cache, struct gw_entry *entry, uint64_t epoch)
{
    return memory_cache_store_entry(memory_cache, entry, epoch, 1u << GW_MEMORY_CACHE_SHARED);
}

static struct node *memory_cache_find_mark(const struct gw_memory_cache *memory_cache, struct stripe *stripe,
                                           const struct gw_cache_key *key, uint64_t hash)
{
    struct node *node = *memory_cache_slot_of(memory_cache, stripe, hash);
    while (node && (node->entry || !memory_cache_is_of_key(node, key, hash)))
        node = node->next;
    return node;
}

static uint64_t memory_cache_later(uint64_t one_us, uint64_t other_us)
{
    return one_us > other_us ? one_us : other_us;
}

static void memory_cache_mark(struct gw_memory_cache *memory_cache, const struct gw_cache_key *key, uint64_t now_us,
                              uint64_t after_us, bool for_all)
{
    uint64_t hash = memory_cache_hash_of(memory_cache, key);
    struct stripe *stripe = memory_cache_stripe_of(memory_cache, hash);
    struct node *node = memory_cache_create_node(memory_cache, key, hash, NULL, now_us);
    if (!node)
        return;
    node->marked_until_us = now_us + after_us;
    node->marked_all_until_us = for_all ? node->marked_until_us : 0;

    pthread_mutex_lock(&stripe->lock);
    struct node *known = memory_cache_find_mark(memory_cache, stripe, key, hash);
    if (known) {
        known->marked_until_us = memory_cache_later(known->marked_until_us, node->marked_until_us);
        known->marked_all_until_us = memory_cache_later(known->marked_all_until_us, node->marked_all_until_us);
        gw_eviction_use(&known->place);
    } else {
        memory_cache_insert_node(memory_cache, stripe, node);
    }
    pthread_mutex_unlock(&stripe->lock);

    if (known) {
        node->next = NULL;
        memory_cache_free_gone(memory_cache, node);
    }
}

void gw_memory_cache_mark_hit_for_miss(struct gw_memory_cache *memory_cache, const struct gw_cache_key *key,
                                       uint64_t now_us, uint64_t after_us)
{
    memory_cache_mark(memory_cache, key, now_us, after_us, true);
}

void gw_memory_cache_mark_credentials(struct gw_memory_cache *memory_cache, const struct gw_cache_key *key,
                                      uint64_t now_us, uint64_t after_us)
{
    memory_cache_mark(memory_cache, key, now_us, after_us, false);
}

void gw_memory_cache_invalidate(struct gw_memory_cache *memory_cache, const struct gw_cache_key *key)
{
    uint64_t hash = memory_cache_hash_of(memory_cache, key);
    struct stripe *stripe = memory_cache_stripe_of(memory_cache, hash);
    struct node *gone = NULL;

    pthread_mutex_lock(&stripe->lock);
    atomic_fetch_add_explicit(&stripe->epochs[hash >> 40 & (EPOCHS - 1)], 1, memory_order_release);
    struct node **link = memory_cache_slot_of(memory_cache, stripe, hash);
    while (*link) {
        if (memory_cache_is_of_key(*link, key, hash))
            memory_cache_unlink_node(stripe, link, GW_EVICTION_FOR_NOW, &gone);
        else
            link = &(*link)->next;
    }
    pthread_mutex_unlock(&stripe->lock);
    memory_cache_free_gone(memory_cache, gone);
}

static void memory_cache_flush_queue(struct gw_eviction_queue *queue, struct node **gone)
{
    gw_list_each_safe(link, &queue->places)
    {
        struct node *node = memory_cache_node_of(link);
        node->next = *gone;
        *gone = node;
    }
    gw_list_init(&queue->places);
    queue->bytes = 0;
}

static void memory_cache_flush_stripe(struct gw_memory_cache *memory_cache, struct stripe *stripe)
{
    struct node *gone = NULL;
    pthread_mutex_lock(&stripe->lock);
    atomic_fetch_add_explicit(&stripe->flushes, 1, memory_order_release);
    memset(stripe->slots, 0, (memory_cache->slot_mask + 1) * sizeof(struct node *));
    memory_cache_flush_queue(&stripe->eviction.small, &gone);
    memory_cache_flush_queue(&stripe->eviction.main, &gone);
    stripe->entries = 0;
    pthread_mutex_unlock(&stripe->lock);
    memory_cache_free_gone(memory_cache, gone);
}

void gw_memory_cache_flush(struct gw_memory_cache *memory_cache)
{
    for (unsigned i = 0; i < STRIPES; i++)
        memory_cache_flush_stripe(memory_cache, &memory_cache->stripes[i]);
}

void gw_memory_cache_set_mode(struct gw_memory_cache *memory_cache, enum gw_memory_cache_mode mode)
{
    /* In this order: a thread that notes an epoch after its stripe's flush sees the new mode, and one that noted it before
     * the flush cannot fill any more. */
    atomic_store_explicit(&memory_cache->mode, mode, memory_order_release);
    gw_memory_cache_flush(memory_cache);
}

enum gw_memory_cache_mode gw_memory_cache_mode(const struct gw_memory_cache *memory_cache)
{
    return (enum gw_memory_cache_mode)atomic_load_explicit(&memory_cache->mode, memory_order_relaxed);
}

void gw_memory_cache_read_counts(struct gw_memory_cache *memory_cache, struct gw_memory_cache_counts *counts)
{
    *counts = (struct gw_memory_cache_counts) { .bytes = atomic_load_explicit(&memory_cache->used_bytes,
                                                                              memory_order_relaxed) };
    for (unsigned i = 0; i < STRIPES; i++) {
        struct stripe *stripe = &memory_cache->stripes[i];
        pthread_mutex_lock(&stripe->lock);
        counts->entries += stripe->entries;
        counts->evictions += stripe->evictions;
        counts->stores += stripe->stores;
        counts->expired += stripe->expired;
        pthread_mutex_unlock(&stripe->lock);
    }
}
