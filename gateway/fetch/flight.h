/* flight.h: who fetches a key, and who waits for it: one table for all workers of the process.
 *
 * Problem  A hundred clients ask for the same cold key at once; the backend must be asked once.
 * Shape    A flight is a key with its leader's worker and those who wait on other workers. Readers of the leader's
 *          own worker join its fetch directly (fetch.h). A flight lands when its answer is stored or given up; those
 *          who waited then look again.
 * Reload   A request that wants the backend's word (no-cache, max-age=0) must not get an answer that was asked for
 *          before it came. So it tells when it came, and a flight knows when it began. It shares a flight that began
 *          later: on the leader's worker it joins the fetch, on another one it waits, and is handed the answer itself,
 *          since what lies in the store does not tell when it was asked for. Where the flight began earlier it waits,
 *          on any worker, for its end. With that the first of those who do so is handed the next flight, to lead it,
 *          and the others wait for its answer without being woken. However many come at once, the backend is asked
 *          twice at most, one after the other.
 * Threads  Lock-striped. A waiter's callback runs on its own worker, by its mailbox.
 * Bounds   A flight lives no longer than its fetch; a waiter no longer than its exchange, or the one letter under
 *          way to it. */
#ifndef GW_FETCH_FLIGHT_H
#define GW_FETCH_FLIGHT_H

#include "base/mailbox.h"
#include "cache/entry.h"

struct gw_flights;
struct gw_flight;
struct gw_flight_waiter;

enum gw_flight_role {
    GW_FLIGHT_LEAD,  /* *flight is yours: fetch, then land it */
    GW_FLIGHT_LOCAL, /* its fetch runs on this worker: *fetch */
    GW_FLIGHT_WAIT,  /* its fetch runs on another worker, or began too early: on_landed will run, once, unless forgotten
                        before */
    GW_FLIGHT_ALONE, /* no memory to share: fetch alone */
};

struct gw_flight_landing {    /* nothing of it set: look again */
    struct gw_entry *entry;   /* the answer; borrowed for the call */
    bool is_confirmed;        /* it was stored before, and the backend confirmed it */
    struct gw_flight *flight; /* the next one, yours to lead: fetch (only then can it be joined), then land it */
};

struct gw_flight_ask {
    const struct gw_cache_key *key;
    unsigned worker;
    uint64_t came_at_us;        /* CLOCK_MONOTONIC: only what the backend is asked for later will do; 0: all will */
    struct gw_mailbox *mailbox; /* of this worker */
    /* Of a flight that began after came_at_us the answer, of one that began before perhaps the next one. */
    void (*on_landed)(void *owner, const struct gw_flight_landing *landing);
    void *owner;

    struct gw_flight *flight;        /* LEAD */
    void *fetch;                     /* LOCAL */
    struct gw_flight_waiter *waiter; /* WAIT */
};

struct gw_flights *gw_flights_create(void) GW_MUST_CHECK; /* NULL when memory is out */
/* No flight may be under way. */
void gw_flights_destroy(struct gw_flights **flights);
enum gw_flight_role gw_flight_enter(struct gw_flights *flights, struct gw_flight_ask *ask);
/* By the leader, before the loop turns: what readers of its worker join; NULL: they wait no longer (they get ALONE). */
void gw_flight_set_fetch(struct gw_flights *flights, struct gw_flight *flight, void *fetch);
/* By the leader: does anybody on another worker wait for its answer? Who waits only for its end does not count. flight
 * NULL: nobody. */
bool gw_flight_is_awaited(struct gw_flight *flight);
/* By the leader: takes the flight out and wakes who waits. Takes *flight and leaves NULL. */
void gw_flight_land(struct gw_flights *flights, struct gw_flight **flight);
/* What the backend said to this flight before now is out of date: who comes from now on leads or joins another one.
 * Who is in it stays. Any thread. */
void gw_flight_detach(struct gw_flights *flights, const struct gw_cache_key *key);
void gw_flight_detach_all(struct gw_flights *flights);
/* The same for what the store tells. Not where the flight's answer is on its way there (gw_flight_set_storing): what is
 * told may be about that itself. */
void gw_flight_detach_told(struct gw_flights *flights, const struct gw_cache_key *key);
void gw_flight_set_storing(struct gw_flights *flights, struct gw_flight *flight);
/* By the leader, once, before it lands: what those on other workers are handed who may take no older one. Shares the
 * entry. */
void gw_flight_set_answer(struct gw_flights *flights, struct gw_flight *flight, struct gw_entry *entry,
                          bool is_confirmed);
/* By the waiter's worker: did what it waited for end since it began to wait, so that it waits for the next flight now?
 * True once. */
bool gw_flight_was_moved(struct gw_flight_waiter *waiter);
/* By the waiter's worker: on_landed will not run. Takes *waiter and leaves NULL. NULL is allowed. */
void gw_flight_forget(struct gw_flights *flights, struct gw_flight_waiter **waiter);

#endif
