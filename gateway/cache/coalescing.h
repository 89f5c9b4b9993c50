/* coalescing.h: request coalescing: which request fetches a key, and which requests wait for its answer. One table for all
 * workers of the process.
 *
 * Problem  A hundred clients ask for the same cold key at once; the backend must be asked once.
 * Shape    A coalesced fetch has a key, a leader, the leader's worker, and waiters. If a request comes while the fetch runs
 *          on its own worker, it joins the fetch directly (fetch/fetch.h). While the leader still asks the store there
 *          is no fetch yet: the request waits, and joins when the fetch begins. A request on another worker waits until
 *          the answer is stored or given up, and then looks again.
 * Reload   A request that wants the backend's word (no-cache, max-age=0) must not get an answer that was asked for before
 *          the request came. So it tells when it came, and a coalesced fetch knows when it began. If the fetch began
 *          later, the request shares it: on the leader's worker it joins the fetch; on another worker it waits and is
 *          handed the answer itself, since the store does not tell when an answer was asked for. If the fetch began
 *          earlier, the request is a successor: it waits, on any worker, for the end of the fetch. Then the first
 *          successor is handed the next coalesced fetch, to lead it. The other successors become its waiters without
 *          being woken. So however many requests come at once, the backend is asked twice at most, one after the other;
 *          and once more for each time that the fetch is detached meanwhile (gw_coalescing_detach).
 * Leaders  A leader that goes away before its fetch began passes the lead on to the first waiter. A leader that found the
 *          answer in the store hands it to the waiters.
 * Threads  Lock-striped. A waiter's callback runs on the waiter's own worker: from its mailbox, or within
 *          gw_coalescing_set_fetch if the fetch begins on this worker.
 * Bounds   A coalesced fetch lives no longer than its leader's look-up and fetch. A waiter lives no longer than its
 *          exchange, or the one message that is under way to it. */
#ifndef GW_CACHE_COALESCING_H
#define GW_CACHE_COALESCING_H

#include "base/mailbox.h"
#include "cache/entry.h"

struct gw_coalescing; /* the table of all */
struct gw_coalesced;  /* one fetch for several requests */
struct gw_coalescing_waiter;

enum gw_coalescing_role {
    GW_COALESCING_LEAD,  /* *coalesced is yours: fetch, then gw_coalescing_finish */
    GW_COALESCING_JOIN,  /* the fetch runs on this worker: *fetch */
    GW_COALESCING_WAIT,  /* it runs elsewhere, has not begun or began too early: on_event runs once, if not cancelled */
    GW_COALESCING_ALONE, /* no memory to share: fetch alone */
};

/* Where an answer comes from. */
enum gw_coalescing_source {
    GW_COALESCING_FETCHED,
    GW_COALESCING_CONFIRMED, /* it was stored before, and the backend confirmed it */
    GW_COALESCING_STORED,    /* the leader found it in the store: it may have been asked for at any time */
};

/* If nothing of it is set: look again. */
struct gw_coalescing_event {
    struct gw_entry *entry; /* the answer; borrowed for the call */
    enum gw_coalescing_source source;
    bool was_elsewhere;             /* STORED: another instance fetched it while the leader waited for that */
    void *fetch;                    /* it has begun on this worker: join it before the callback returns */
    struct gw_coalesced *coalesced; /* yours to lead: fetch (others can join from then on), then gw_coalescing_finish */
};

struct gw_coalescing_ask {
    const struct gw_cache_key *key;
    unsigned worker;
    uint64_t came_at_us;        /* CLOCK_MONOTONIC: only an answer that was asked for later will do; 0: any will do */
    bool never_leads;           /* the request waits for others, but no other request may wait for it */
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
/* By the leader: its fetch has begun. Waiters of its worker are told within the call, but not successors, which wait for
 * the answer. Later requests of its worker join. */
void gw_coalescing_set_fetch(struct gw_coalesced *coalesced, void *fetch);
/* By the leader: does a request wait for its answer? A successor that waits only for its end does not count. NULL:
 * no. */
bool gw_coalescing_is_awaited(struct gw_coalesced *coalesced);
/* By the leader: takes the coalesced fetch out of the table and wakes the waiters. Takes *coalesced and leaves NULL; NULL
 * is allowed. */
void gw_coalescing_finish(struct gw_coalesced **coalesced);
/* By a leader whose fetch has not begun and will not begin: the first waiter that may lead takes its place. If there is
 * none, this is gw_coalescing_finish. Takes *coalesced and leaves NULL; NULL is allowed. */
void gw_coalescing_pass_on(struct gw_coalesced **coalesced);
/* What the backend said to this coalesced fetch is now out of date: requests that come from now on lead or join another
 * one. Those that wait already stay. Any thread. */
void gw_coalescing_detach(struct gw_coalescing *coalescing, const struct gw_cache_key *key);
void gw_coalescing_detach_all(struct gw_coalescing *coalescing);
/* The same for an invalidation that the store tells. A fetch whose answer is on its way to the store
 * (gw_coalescing_set_storing) is left alone, since the message may be about that very answer. */
void gw_coalescing_detach_told(struct gw_coalescing *coalescing, const struct gw_cache_key *key);
void gw_coalescing_set_storing(struct gw_coalesced *coalesced);
/* By the leader, once, before it finishes. Takes its own hold on the entry. An entry that is FETCHED or CONFIRMED is for
 * the waiters that told when they came; the others look again. One that was STORED is for these others. */
void gw_coalescing_set_answer(struct gw_coalesced *coalesced, struct gw_entry *entry, enum gw_coalescing_source source,
                              bool was_elsewhere);
/* By the waiter's worker, when the waiter's time is over: does it wait for something new, so that its time may run again?
 * That is the next fetch, if the first has ended; or a fetch of its own worker that has not begun yet, which it will
 * join. True once for each. */
bool gw_coalescing_may_wait_on(struct gw_coalescing_waiter *waiter);
/* By the waiter's worker: on_event will not run. Takes *waiter and leaves NULL; NULL is allowed. */
void gw_coalescing_cancel(struct gw_coalescing_waiter **waiter);

#endif
