#include "fetch/flight.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>
#include "base/clock.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/random.h"

enum { STRIPES = 32, SLOTS = 64 };

struct gw_flight {
    struct gw_cache_key key;
    unsigned worker;
    struct stripe *stripe;
    struct gw_list *slot;

    struct gw_list link;           /* in the slot */
    struct gw_list waiters;        /* for its answer */
    struct gw_list successors;     /* for its end: they came after it began */
    uint64_t began_at_us;          /* before its backend is asked */
    struct gw_flight_landing told; /* its answer, held, for those who take no other one */
    bool is_storing;
    bool is_handed; /* its leader does not know it yet, or is looking what is stored */
    void *fetch;    /* the leader's; touched by its worker only, under the lock */
};

struct gw_flight_waiter {
    struct gw_mailbox *mailbox;
    struct stripe *stripe;
    unsigned worker;
    void (*on_landed)(void *owner, const struct gw_flight_landing *landing);

    struct gw_letter letter;
    struct gw_list link;           /* in its flight; alone once the letter is under way */
    bool is_posted;                /* under the stripe's lock, as the two below */
    bool takes_answer;             /* itself, not what is stored */
    bool was_moved;                /* from the successors of one flight to the waiters of the next */
    struct gw_flight_landing told; /* set before it is posted; the entry is held */
    void *owner;                   /* of its own worker only; NULL: forgotten */
};

struct stripe {
    uv_mutex_t lock;
    struct gw_list slots[SLOTS];
};

struct gw_flights {
    uint64_t seed;
    struct stripe stripes[STRIPES];
};

struct gw_flights *gw_flights_create(void)
{
    struct gw_flights *flights = calloc(1, sizeof *flights);
    if (!flights)
        return NULL;
    flights->seed = gw_random_seed();
    for (unsigned i = 0; i < STRIPES; i++) {
        if (uv_mutex_init(&flights->stripes[i].lock)) {
            while (i--)
                uv_mutex_destroy(&flights->stripes[i].lock);
            free(flights);
            return NULL;
        }
        for (unsigned slot = 0; slot < SLOTS; slot++)
            gw_list_init(&flights->stripes[i].slots[slot]);
    }
    return flights;
}

void gw_flights_destroy(struct gw_flights **flights)
{
    if (!*flights)
        return;
    for (unsigned i = 0; i < STRIPES; i++)
        uv_mutex_destroy(&(*flights)->stripes[i].lock);
    free(*flights);
    *flights = NULL;
}

static struct gw_flight *find(struct gw_list *slot, const struct gw_cache_key *key)
{
    gw_list_each(link, slot)
    {
        struct gw_flight *flight = GW_CONTAINER(link, struct gw_flight, link);
        if (memcmp(&flight->key, key, sizeof *key) == 0)
            return flight;
    }
    return NULL;
}

/* Under the lock. */
static void begin(struct gw_flight *flight, unsigned worker)
{
    flight->worker = worker;
    flight->began_at_us = gw_clock_monotonic_us();
    gw_list_push_back(flight->slot, &flight->link);
}

static enum gw_flight_role lead(struct gw_flight_ask *ask, struct stripe *stripe, struct gw_list *slot)
{
    struct gw_flight *flight = calloc(1, sizeof *flight);
    if (!flight)
        return GW_FLIGHT_ALONE;
    flight->key = *ask->key;
    flight->stripe = stripe;
    flight->slot = slot;
    gw_list_init(&flight->waiters);
    gw_list_init(&flight->successors);
    begin(flight, ask->worker);
    ask->flight = flight;
    return GW_FLIGHT_LEAD;
}

/* On the waiter's own worker. */
static void on_letter(struct gw_letter *letter)
{
    struct gw_flight_waiter *waiter = GW_CONTAINER(letter, struct gw_flight_waiter, letter);
    struct gw_flight_waiter landed = *waiter;
    free(waiter);
    if (landed.owner)
        landed.on_landed(landed.owner, &landed.told);
    else if (landed.told.flight)
        gw_flight_land(NULL, &landed.told.flight);
    gw_entry_drop(landed.told.entry);
}

static enum gw_flight_role wait_for(struct gw_flight_ask *ask, struct gw_flight *flight, bool is_too_early)
{
    struct gw_flight_waiter *waiter = calloc(1, sizeof *waiter);
    if (!waiter)
        return GW_FLIGHT_ALONE;
    waiter->mailbox = ask->mailbox;
    waiter->stripe = flight->stripe;
    waiter->worker = ask->worker;
    waiter->on_landed = ask->on_landed;
    waiter->owner = ask->owner;
    waiter->letter.deliver = on_letter;
    waiter->takes_answer = ask->came_at_us != 0;
    gw_list_push_back(is_too_early ? &flight->successors : &flight->waiters, &waiter->link);
    ask->waiter = waiter;
    return GW_FLIGHT_WAIT;
}

enum gw_flight_role gw_flight_enter(struct gw_flights *flights, struct gw_flight_ask *ask)
{
    uint64_t hash = gw_hash(ask->key, sizeof *ask->key, flights->seed);
    struct stripe *stripe = &flights->stripes[hash % STRIPES];
    struct gw_list *slot = &stripe->slots[hash / STRIPES % SLOTS];
    enum gw_flight_role role;
    uv_mutex_lock(&stripe->lock);
    struct gw_flight *flight = find(slot, ask->key);
    bool is_too_early = flight && ask->came_at_us && flight->began_at_us <= ask->came_at_us;
    if (!flight) {
        role = lead(ask, stripe, slot);
    } else if (is_too_early || flight->is_handed || flight->worker != ask->worker) {
        role = wait_for(ask, flight, is_too_early);
    } else {
        ask->fetch = flight->fetch;
        role = flight->fetch ? GW_FLIGHT_LOCAL : GW_FLIGHT_ALONE;
    }
    uv_mutex_unlock(&stripe->lock);
    return role;
}

void gw_flight_set_fetch(struct gw_flights *flights, struct gw_flight *flight, void *fetch)
{
    (void)flights;
    uv_mutex_lock(&flight->stripe->lock);
    flight->fetch = fetch;
    flight->is_handed = false;
    uv_mutex_unlock(&flight->stripe->lock);
}

void gw_flight_set_storing(struct gw_flights *flights, struct gw_flight *flight)
{
    (void)flights;
    uv_mutex_lock(&flight->stripe->lock);
    flight->is_storing = true;
    uv_mutex_unlock(&flight->stripe->lock);
}

void gw_flight_set_answer(struct gw_flights *flights, struct gw_flight *flight, struct gw_entry *entry,
                          bool is_confirmed)
{
    (void)flights;
    flight->told = (struct gw_flight_landing) { .entry = gw_entry_share(entry), .is_confirmed = is_confirmed };
}

bool gw_flight_is_awaited(struct gw_flight *flight)
{
    if (!flight)
        return false;
    uv_mutex_lock(&flight->stripe->lock);
    bool is_awaited = !gw_list_is_empty(&flight->waiters);
    uv_mutex_unlock(&flight->stripe->lock);
    return is_awaited;
}

static void detach(struct gw_flights *flights, const struct gw_cache_key *key, bool is_told)
{
    uint64_t hash = gw_hash(key, sizeof *key, flights->seed);
    struct stripe *stripe = &flights->stripes[hash % STRIPES];
    uv_mutex_lock(&stripe->lock);
    struct gw_flight *flight = find(&stripe->slots[hash / STRIPES % SLOTS], key);
    if (flight && !(is_told && flight->is_storing))
        gw_list_remove(&flight->link);
    uv_mutex_unlock(&stripe->lock);
}

void gw_flight_detach(struct gw_flights *flights, const struct gw_cache_key *key)
{
    detach(flights, key, false);
}

void gw_flight_detach_told(struct gw_flights *flights, const struct gw_cache_key *key)
{
    detach(flights, key, true);
}

void gw_flight_detach_all(struct gw_flights *flights)
{
    for (unsigned i = 0; i < STRIPES; i++) {
        uv_mutex_lock(&flights->stripes[i].lock);
        for (unsigned slot = 0; slot < SLOTS; slot++)
            while (!gw_list_is_empty(&flights->stripes[i].slots[slot]))
                gw_list_remove(flights->stripes[i].slots[slot].next);
        uv_mutex_unlock(&flights->stripes[i].lock);
    }
}

static struct gw_flight_waiter *take_first(struct gw_list *waiters)
{
    struct gw_flight_waiter *waiter = GW_CONTAINER(waiters->next, struct gw_flight_waiter, link);
    gw_list_remove(&waiter->link);
    return waiter;
}

/* Under the lock: a waiter that is being forgotten sees itself either linked or posted, never in between. */
static void post(struct gw_flight_waiter *waiter)
{
    waiter->is_posted = true;
    gw_mailbox_post(waiter->mailbox, &waiter->letter);
}

static void wake_waiters(struct gw_flight *flight)
{
    while (!gw_list_is_empty(&flight->waiters)) {
        struct gw_flight_waiter *waiter = take_first(&flight->waiters);
        if (waiter->takes_answer && flight->told.entry) {
            waiter->told = flight->told;
            gw_entry_share(waiter->told.entry);
        }
        post(waiter);
    }
}

/* The first successor leads the next flight, which this one becomes. */
static void hand_over(struct gw_flight *flight)
{
    struct gw_flight_waiter *leader = take_first(&flight->successors);
    flight->told = (struct gw_flight_landing) { .entry = NULL };
    flight->is_storing = false;
    flight->is_handed = true;
    flight->fetch = NULL;
    begin(flight, leader->worker);
    leader->told.flight = flight;
    post(leader);
}

/* All successors came before the next flight begins; also where one has begun already, since this one was detached. True:
 * it is this. */
static bool go_on(struct gw_flight *flight)
{
    if (gw_list_is_empty(&flight->successors))
        return false;
    struct gw_flight *next = find(flight->slot, &flight->key);
    if (!next) {
        hand_over(flight);
        next = flight;
    }
    while (!gw_list_is_empty(&flight->successors)) {
        struct gw_flight_waiter *waiter = take_first(&flight->successors);
        waiter->was_moved = true;
        gw_list_push_back(&next->waiters, &waiter->link);
    }
    return next == flight;
}

void gw_flight_land(struct gw_flights *flights, struct gw_flight **taken)
{
    struct gw_flight *flight = *taken;
    struct stripe *stripe = flight->stripe;
    struct gw_entry *entry = flight->told.entry;
    (void)flights;
    *taken = NULL;
    uv_mutex_lock(&stripe->lock);
    gw_list_remove(&flight->link);
    wake_waiters(flight);
    bool goes_on = go_on(flight);
    uv_mutex_unlock(&stripe->lock);
    gw_entry_drop(entry);
    if (!goes_on)
        free(flight);
}

bool gw_flight_was_moved(struct gw_flight_waiter *waiter)
{
    uv_mutex_lock(&waiter->stripe->lock);
    bool was_moved = waiter->was_moved;
    waiter->was_moved = false;
    uv_mutex_unlock(&waiter->stripe->lock);
    return was_moved;
}

void gw_flight_forget(struct gw_flights *flights, struct gw_flight_waiter **taken)
{
    struct gw_flight_waiter *waiter = *taken;
    (void)flights;
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
        waiter->owner = NULL; /* the letter is on its way to this very thread; it frees the waiter */
    else
        free(waiter);
}
