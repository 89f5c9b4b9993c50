#include "cache/coalescing.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>
#include "base/clock.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/random.h"

enum { STRIPES = 32, SLOTS = 64 };

struct gw_coalesced {
    struct gw_cache_key key;
    unsigned worker;
    struct stripe *stripe;
    struct gw_list *slot;

    struct gw_list link;             /* in the slot */
    struct gw_list waiters;          /* for its answer */
    struct gw_list successors;       /* for its end: they came after it began */
    uint64_t began_at_us;            /* before its backend is asked */
    struct gw_coalescing_event told; /* its answer, held */
    bool is_storing;
    void *fetch; /* the leader's, once it has begun; touched by its worker only, under the lock */
};

struct gw_coalescing_waiter {
    struct gw_mailbox *mailbox;
    struct stripe *stripe;
    unsigned worker;
    void (*on_event)(void *owner, const struct gw_coalescing_event *event);

    struct gw_message message;
    struct gw_list link; /* in its coalesced fetch; alone once the message is under way */
    /* under the stripe's lock: */
    struct gw_coalesced *of; /* whose waiter or successor it is, while it is linked */
    bool is_posted;
    bool takes_answer; /* the answer itself, not what is stored */
    bool never_leads;
    bool is_successor; /* it is one, or was one of the fetch before and waits for the answer of this one */
    bool was_moved;    /* to the next fetch, and gw_coalescing_may_wait_on has not told that yet */
    bool was_renewed;  /* gw_coalescing_may_wait_on has told that the fetch has not begun */

    struct gw_coalescing_event told; /* set before it is posted; the entry is held */
    void *owner;                     /* touched by its own worker only; NULL: cancelled */
};

struct stripe {
    uv_mutex_t lock;
    struct gw_list slots[SLOTS];
};

struct gw_coalescing {
    uint64_t seed;
    struct stripe stripes[STRIPES];
};

struct gw_coalescing *gw_coalescing_create(void)
{
    struct gw_coalescing *coalescing = calloc(1, sizeof *coalescing);
    if (!coalescing)
        return NULL;
    coalescing->seed = gw_random_seed();
    for (unsigned i = 0; i < STRIPES; i++) {
        if (uv_mutex_init(&coalescing->stripes[i].lock)) {
            while (i--)
                uv_mutex_destroy(&coalescing->stripes[i].lock);
            free(coalescing);
            return NULL;
        }
        for (unsigned slot = 0; slot < SLOTS; slot++)
            gw_list_init(&coalescing->stripes[i].slots[slot]);
    }
    return coalescing;
}

void gw_coalescing_destroy(struct gw_coalescing **coalescing)
{
    if (!*coalescing)
        return;
    for (unsigned i = 0; i < STRIPES; i++)
        uv_mutex_destroy(&(*coalescing)->stripes[i].lock);
    free(*coalescing);
    *coalescing = NULL;
}

static struct gw_coalesced *coalescing_find(struct gw_list *slot, const struct gw_cache_key *key)
{
    gw_list_each(link, slot)
    {
        struct gw_coalesced *coalesced = GW_CONTAINER(link, struct gw_coalesced, link);
        if (memcmp(&coalesced->key, key, sizeof *key) == 0)
            return coalesced;
    }
    return NULL;
}

/* Under the lock. */
static void coalescing_begin(struct gw_coalesced *coalesced, unsigned worker)
{
    coalesced->worker = worker;
    coalesced->began_at_us = gw_clock_monotonic_us();
    gw_list_push_back(coalesced->slot, &coalesced->link);
}

static enum gw_coalescing_role coalescing_lead(struct gw_coalescing_ask *ask, struct stripe *stripe,
                                               struct gw_list *slot)
{
    struct gw_coalesced *coalesced = calloc(1, sizeof *coalesced);
    if (!coalesced)
        return GW_COALESCING_ALONE;
    coalesced->key = *ask->key;
    coalesced->stripe = stripe;
    coalesced->slot = slot;
    gw_list_init(&coalesced->waiters);
    gw_list_init(&coalesced->successors);
    coalescing_begin(coalesced, ask->worker);
    ask->coalesced = coalesced;
    return GW_COALESCING_LEAD;
}

/* On the waiter's own worker. */
static void coalescing_on_message(struct gw_message *message)
{
    struct gw_coalescing_waiter *waiter = GW_CONTAINER(message, struct gw_coalescing_waiter, message);
    struct gw_coalescing_waiter done = *waiter;
    free(waiter);
    if (done.owner)
        done.on_event(done.owner, &done.told);
    else
        gw_coalescing_finish(&done.told.coalesced);
    gw_entry_unref(done.told.entry);
}

static enum gw_coalescing_role coalescing_wait_for(struct gw_coalescing_ask *ask, struct gw_coalesced *coalesced,
                                                   bool is_too_early)
{
    struct gw_coalescing_waiter *waiter = calloc(1, sizeof *waiter);
    if (!waiter)
        return GW_COALESCING_ALONE;
    waiter->mailbox = ask->mailbox;
    waiter->stripe = coalesced->stripe;
    waiter->worker = ask->worker;
    waiter->on_event = ask->on_event;
    waiter->owner = ask->owner;
    waiter->message.deliver = coalescing_on_message;
    waiter->takes_answer = ask->came_at_us != 0;
    waiter->never_leads = ask->never_leads;
    waiter->of = coalesced;
    waiter->is_successor = is_too_early;
    gw_list_push_back(is_too_early ? &coalesced->successors : &coalesced->waiters, &waiter->link);
    ask->waiter = waiter;
    return GW_COALESCING_WAIT;
}

enum gw_coalescing_role gw_coalescing_start(struct gw_coalescing *coalescing, struct gw_coalescing_ask *ask)
{
    uint64_t hash = gw_hash(ask->key, sizeof *ask->key, coalescing->seed);
    struct stripe *stripe = &coalescing->stripes[hash % STRIPES];
    struct gw_list *slot = &stripe->slots[hash / STRIPES % SLOTS];
    enum gw_coalescing_role role;
    uv_mutex_lock(&stripe->lock);
    struct gw_coalesced *coalesced = coalescing_find(slot, ask->key);
    bool is_too_early = coalesced && ask->came_at_us && coalesced->began_at_us <= ask->came_at_us;
    if (!coalesced) {
        role = coalescing_lead(ask, stripe, slot);
    } else if (is_too_early || !coalesced->fetch || coalesced->worker != ask->worker) {
        role = coalescing_wait_for(ask, coalesced, is_too_early);
    } else {
        ask->fetch = coalesced->fetch;
        role = GW_COALESCING_JOIN;
    }
    uv_mutex_unlock(&stripe->lock);
    return role;
}

void gw_coalescing_set_fetch(struct gw_coalesced *coalesced, void *fetch)
{
    uv_mutex_lock(&coalesced->stripe->lock);
    coalesced->fetch = fetch;
    struct gw_list *link = coalesced->waiters.next;
    while (link != &coalesced->waiters) {
        struct gw_coalescing_waiter *waiter = GW_CONTAINER(link, struct gw_coalescing_waiter, link);
        link = link->next;
        if (waiter->worker != coalesced->worker || waiter->is_successor)
            continue;
        gw_list_remove(&waiter->link);
        struct gw_coalescing_waiter done = *waiter;
        uv_mutex_unlock(&coalesced->stripe->lock);
        free(waiter);
        done.on_event(done.owner, &(struct gw_coalescing_event) { .fetch = fetch });
        uv_mutex_lock(&coalesced->stripe->lock);
        link = coalesced->waiters.next; /* meanwhile the list may have changed */
    }
    uv_mutex_unlock(&coalesced->stripe->lock);
}

void gw_coalescing_set_storing(struct gw_coalesced *coalesced)
{
    uv_mutex_lock(&coalesced->stripe->lock);
    coalesced->is_storing = true;
    uv_mutex_unlock(&coalesced->stripe->lock);
}

void gw_coalescing_set_answer(struct gw_coalesced *coalesced, struct gw_entry *entry, enum gw_coalescing_source source,
                              bool was_elsewhere)
{
    coalesced->told = (struct gw_coalescing_event) { .entry = gw_entry_ref(entry),
                                                     .source = source,
                                                     .was_elsewhere = was_elsewhere };
}

bool gw_coalescing_is_awaited(struct gw_coalesced *coalesced)
{
    if (!coalesced)
        return false;
    uv_mutex_lock(&coalesced->stripe->lock);
    bool is_awaited = !gw_list_is_empty(&coalesced->waiters);
    uv_mutex_unlock(&coalesced->stripe->lock);
    return is_awaited;
}

static void coalescing_detach(struct gw_coalescing *coalescing, const struct gw_cache_key *key, bool is_told)
{
    uint64_t hash = gw_hash(key, sizeof *key, coalescing->seed);
    struct stripe *stripe = &coalescing->stripes[hash % STRIPES];
    uv_mutex_lock(&stripe->lock);
    struct gw_coalesced *coalesced = coalescing_find(&stripe->slots[hash / STRIPES % SLOTS], key);
    if (coalesced && !(is_told && coalesced->is_storing))
        gw_list_remove(&coalesced->link);
    uv_mutex_unlock(&stripe->lock);
}

void gw_coalescing_detach(struct gw_coalescing *coalescing, const struct gw_cache_key *key)
{
    coalescing_detach(coalescing, key, false);
}

void gw_coalescing_detach_told(struct gw_coalescing *coalescing, const struct gw_cache_key *key)
{
    coalescing_detach(coalescing, key, true);
}

void gw_coalescing_detach_all(struct gw_coalescing *coalescing)
{
    for (unsigned i = 0; i < STRIPES; i++) {
        uv_mutex_lock(&coalescing->stripes[i].lock);
        for (unsigned slot = 0; slot < SLOTS; slot++)
            while (!gw_list_is_empty(&coalescing->stripes[i].slots[slot]))
                gw_list_remove(coalescing->stripes[i].slots[slot].next);
        uv_mutex_unlock(&coalescing->stripes[i].lock);
    }
}

static struct gw_coalescing_waiter *coalescing_take_first(struct gw_list *waiters)
{
    struct gw_coalescing_waiter *waiter = GW_CONTAINER(waiters->next, struct gw_coalescing_waiter, link);
    gw_list_remove(&waiter->link);
    return waiter;
}

/* Under the lock: a waiter that is being cancelled sees itself either linked or posted, never in between. */
static void coalescing_post(struct gw_coalescing_waiter *waiter)
{
    waiter->is_posted = true;
    gw_mailbox_post(waiter->mailbox, &waiter->message);
}

/* Is the answer for this waiter? One that told when it came takes what was fetched. Any other takes what it would find in
 * the store. */
static bool coalescing_is_for(const struct gw_coalescing_waiter *waiter, const struct gw_coalescing_event *told)
{
    return told->entry && waiter->takes_answer == (told->source != GW_COALESCING_STORED);
}

static void coalescing_hand_over(struct gw_coalesced *coalesced, struct gw_coalescing_waiter *leader)
{
    coalesced->fetch = NULL;
    coalesced->worker = leader->worker;
    leader->told.coalesced = coalesced;
    coalescing_post(leader);
}

/* The first successor leads the next coalesced fetch, which this one becomes. */
static void coalescing_begin_next(struct gw_coalesced *coalesced)
{
    struct gw_coalescing_waiter *leader = coalescing_take_first(&coalesced->successors);
    coalesced->told = (struct gw_coalescing_event) { .entry = NULL };
    coalesced->is_storing = false;
    coalescing_begin(coalesced, leader->worker);
    coalescing_hand_over(coalesced, leader);
}

/* All successors came before the next fetch begins. If this fetch was detached, a next one may run already; then they
 * wait for that one. Otherwise this object becomes the next coalesced fetch. True: it did. */
static bool coalescing_go_on(struct gw_coalesced *coalesced)
{
    if (gw_list_is_empty(&coalesced->successors))
        return false;
    struct gw_coalesced *next = coalescing_find(coalesced->slot, &coalesced->key);
    if (!next) {
        coalescing_begin_next(coalesced);
        next = coalesced;
    }
    while (!gw_list_is_empty(&coalesced->successors)) {
        struct gw_coalescing_waiter *waiter = coalescing_take_first(&coalesced->successors);
        waiter->was_moved = true;
        waiter->of = next;
        gw_list_push_back(&next->waiters, &waiter->link);
    }
    return next == coalesced;
}

void gw_coalescing_finish(struct gw_coalesced **taken)
{
    struct gw_coalesced *coalesced = *taken;
    *taken = NULL;
    if (!coalesced)
        return;
    struct stripe *stripe = coalesced->stripe;
    struct gw_entry *entry = coalesced->told.entry;
    uv_mutex_lock(&stripe->lock);
    gw_list_remove(&coalesced->link);
    while (!gw_list_is_empty(&coalesced->waiters)) {
        struct gw_coalescing_waiter *waiter = coalescing_take_first(&coalesced->waiters);
        if (coalescing_is_for(waiter, &coalesced->told)) {
            waiter->told = coalesced->told;
            gw_entry_ref(waiter->told.entry);
        }
        coalescing_post(waiter);
    }
    bool goes_on = coalescing_go_on(coalesced);
    uv_mutex_unlock(&stripe->lock);
    gw_entry_unref(entry);
    if (!goes_on)
        free(coalesced);
}

/* Under the lock. A detached fetch is given up: its waiters look again. */
static bool coalescing_pass_on(struct gw_coalesced *coalesced)
{
    if (gw_list_is_empty(&coalesced->link))
        return false;
    gw_list_each(link, &coalesced->waiters)
    {
        struct gw_coalescing_waiter *waiter = GW_CONTAINER(link, struct gw_coalescing_waiter, link);
        if (waiter->never_leads)
            continue;
        gw_list_remove(link);
        coalescing_hand_over(coalesced, waiter);
        return true;
    }
    return false;
}

void gw_coalescing_pass_on(struct gw_coalesced **taken)
{
    struct gw_coalesced *coalesced = *taken;
    if (!coalesced)
        return;
    uv_mutex_lock(&coalesced->stripe->lock);
    bool is_passed = coalescing_pass_on(coalesced);
    uv_mutex_unlock(&coalesced->stripe->lock);
    if (is_passed)
        *taken = NULL;
    else
        gw_coalescing_finish(taken);
}

bool gw_coalescing_may_wait_on(struct gw_coalescing_waiter *waiter)
{
    uv_mutex_lock(&waiter->stripe->lock);
    bool will_join = !waiter->is_posted && !waiter->is_successor && waiter->of->worker == waiter->worker;
    bool may_wait = waiter->was_moved || (will_join && !waiter->was_renewed);
    waiter->was_renewed |= will_join;
    waiter->was_moved = false;
    uv_mutex_unlock(&waiter->stripe->lock);
    return may_wait;
}

void gw_coalescing_cancel(struct gw_coalescing_waiter **taken)
{
    struct gw_coalescing_waiter *waiter = *taken;
    *taken = NULL;
    if (!waiter)
        return;
    struct stripe *stripe = waiter->stripe;
    uv_mutex_lock(&stripe->lock);
    bool is_posted = waiter->is_posted;
    if (!is_posted)
        gw_list_remove(&waiter->link);
    uv_mutex_unlock(&stripe->lock);
    if (is_posted)
        waiter->owner = NULL; /* the message is on its way to this very thread; it frees the waiter */
    else
        free(waiter);
}
