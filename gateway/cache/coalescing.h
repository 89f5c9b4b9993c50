/* coalescing.h: request coalescing: who fetches a key, and who waits for it; one table for all workers of the process.
 *
 * Problem  A hundred clients ask for the same cold key at once; the backend must be asked once.
 * Shape    A coalesced fetch has a key, a leader, the leader's worker, and waiters. A request that comes while the fetch
 *          runs on its own worker joins it directly (fetch/fetch.h). While the leader still asks the store, there is no
 *          fetch yet: then the request waits, and joins the fetch when that begins. A request on another worker waits
 *          until the answer is stored or given up, and then looks again.
 * Reload   A request that wants the backend's word (no-cache, max-age=0) must not get an answer that was asked for
 *          before it came. So it tells when it came, and a coalesced fetch knows when it began. The request shares one
 *          that began later: on the leader's worker it joins the fetch, on another one it waits, and is handed the
 *          answer itself, since what lies in the store does not tell when it was asked for. Where the fetch began
 *          earlier, the request is a successor: it waits, on any worker, for the end. Then the first successor is
 *          handed the next coalesced fetch, to lead it, and the others wait for its answer without being woken.
 *          However many come at once, the backend is asked twice at most, one after the other.
 * Leaders  A leader that goes away before its fetch began passes the lead on to the first waiter. One that found in the
 *          store what it looked for hands that to the waiters.
 * Threads  Lock-striped. A waiter's callback runs on its own worker: by its mailbox, or, where a fetch has begun on this
 *          worker, within gw_coalescing_set_fetch.
 * Bounds   A coalesced fetch lives no longer than its leader's look-up and fetch; a waiter no longer than its exchange,
 *          or the one message under way to it. */
#ifndef GW_CACHE_COALESCING_H
#define GW_CACHE_COALESCING_H

#include "base/mailbox.h"
#include "cache/entry.h"

struct gw_coalescing; /* the table */
struct gw_coalesced;  /* one fetch for several requests */
struct gw_coalescing_waiter;

enum gw_coalescing_role {
    GW_COALESCING_LEAD, /* *coalesced is yours: fetch, then gw_coalescing_finish */
    GW_COALESCING_JOIN, /* its fetch runs on this worker: *fetch */
    GW_COALESCING_WAIT, /* its fetch runs on another worker, has not begun, or began too early: on_event will run, once,
                            unless cancelled before */
    GW_COALESCING_ALONE, /* no memory to share: fetch alone */
};

enum gw_coalescing_source { /* of an answer */
                            GW_COALESCING_FETCHED,
                            GW_COALESCING_CONFIRMED, /* it was stored before, and the backend confirmed it */
                            GW_COALESCING_STORED, /* the leader found it in the store: it may have been asked for at any time */
};

struct gw_coalescing_event { /* nothing of it set: look again */
    struct gw_entry *entry;  /* the answer; borrowed for the call */
    enum gw_coalescing_source source;
    bool was_elsewhere;             /* STORED: by another instance, while the leader waited for that */
    void *fetch;                    /* it has begun on this worker: join it before the callback returns */
    struct gw_coalesced *coalesced; /* yours to lead: fetch (only then can it be joined), then gw_coalescing_finish */
};

struct gw_coalescing_ask {
    const struct gw_cache_key *key;
    unsigned worker;
    uint64_t came_at_us;        /* CLOCK_MONOTONIC: only what the backend is asked for later will do; 0: all will */
    bool never_leads;           /* it waits for others, but none shall wait for it */
    struct gw_mailbox *mailbox; /* of this worker */
    void (*on_event)(void *owner, const struct gw_coalescing_event *event);
    void *owner;

    struct gw_coalesced *coalesced;      /* LEAD */
    void *fetch;                         /* JOIN */
    struct gw_coalescing_waiter *waiter; /* WAIT */
};

struct gw_coalescing *gw_coalescing_create(void) GW_MUST_CHECK; /* NULL when memory is out */
/* No coalesced fetch may be under way. */
void gw_coalescing_destroy(struct gw_coalescing **coalescing);
enum gw_coalescing_role gw_coalescing_start(struct gw_coalescing *coalescing, struct gw_coalescing_ask *ask);
/* By the leader: its fetch has begun. Waiters of its worker are told within the call (but successors, which wait for the
 * answer); later requests of its worker join. */
void gw_coalescing_set_fetch(struct gw_coalesced *coalesced, void *fetch);
/* By the leader: does anybody wait for its answer? Waiting for its end alone does not count. NULL: nobody. */
bool gw_coalescing_is_awaited(struct gw_coalesced *coalesced);
/* By the leader: takes the coalesced fetch out of the table and wakes the waiters. Takes *coalesced and leaves NULL; NULL
 * is allowed. */
void gw_coalescing_finish(struct gw_coalesced **coalesced);
/* By a leader whose fetch has not begun and will not: the first waiter that may lead does so in its place. Where there
 * is none: gw_coalescing_finish. Takes *coalesced and leaves NULL; NULL is allowed. */
void gw_coalescing_pass_on(struct gw_coalesced **coalesced);
/* What the backend said to this coalesced fetch before now is out of date: requests that come from now on lead or join
 * another one. Those that are in it stay. Any thread. */
void gw_coalescing_detach(struct gw_coalescing *coalescing, const struct gw_cache_key *key);
void gw_coalescing_detach_all(struct gw_coalescing *coalescing);
/* The same for what the store tells. Not where the answer is on its way there (gw_coalescing_set_storing): what is told
 * may be about that itself. */
void gw_coalescing_detach_told(struct gw_coalescing *coalescing, const struct gw_cache_key *key);
void gw_coalescing_set_storing(struct gw_coalesced *coalesced);
/* By the leader, once, before it finishes. FETCHED, CONFIRMED: what waiters are handed that may take no older one; the
 * others look again. STORED: what these others are handed. Shares the entry. */
void gw_coalescing_set_answer(struct gw_coalesced *coalesced, struct gw_entry *entry, enum gw_coalescing_source source,
                              bool was_elsewhere);
/* By the waiter's worker, whose time is over: does it wait for something else than before? For the next fetch, since the
 * first has ended; or for a fetch of its own worker that has not begun yet, which it will join. True once for each. */
bool gw_coalescing_may_wait_on(struct gw_coalescing_waiter *waiter);
/* By the waiter's worker: on_event will not run. Takes *waiter and leaves NULL. NULL is allowed. */
void gw_coalescing_cancel(struct gw_coalescing_waiter **waiter);

#endif
