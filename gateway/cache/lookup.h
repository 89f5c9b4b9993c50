/* lookup.h: what is stored for a request, and which request fetches it. One object, for an exchange and for a background
 * refresh.
 *
 *     memory cache → Redis cache → request coalescing in the process → fetch lock over instances
 *
 * Phases   gw_lookup_begin asks the two caches. It holds nothing that other requests wait for. gw_lookup_claim comes
 *          when the filters have let the request pass: so a request that is refused never leads and never holds a lock.
 *          A memory hit is LOOKED at once.
 * Answers  gw_lookup_claim returns, or on_answer tells, one of these:
 *            ENTRY     use lookup->entry
 *            VALIDATE  you lead: fetch, and let the backend confirm lead.stored
 *            LEAD      you lead: fetch; nothing is stored
 *            ALONE     fetch for this request alone. Reasons: answers under this key are not shared (hit-for-miss), the
 *                      request may not share, memory is out, the store is away, or the request waited too long.
 *                      lead.stored may be set
 *            WAIT      another request fetches: on_answer will run. (A refresh is over then: another one does the work)
 *            JOIN      the fetch runs on this worker: read lookup->fetch. JOIN has its own word because this answer
 *                      streams while it arrives; every other answer of another request is a whole entry
 * Lead     What a leader holds is one value, struct gw_lead. It moves from the look-up into the fetch. The fetch ends it
 *          when the answer is stored or given up. A look-up that ends before that passes the lead on to a waiter.
 * Waiting  For another fetch of this process: cache.flight_wait at most, then ALONE. The time runs twice in two cases:
 *          if the request waits for the end of one fetch and then for the answer of the next, and if it waits for a
 *          fetch of its own worker to begin.
 *          For another instance: cache.flight_wait at most. Each 20 to 50 ms the look-up asks for the lock. The answer
 *          tells whether to look again, so no body is read meanwhile. A request that wants the backend's word
 *          (must_validate) does not wait for another instance: that fetch may have begun before the request came.
 * Silence  The look-up waits once for a store that is silent, for redis.timeout. In LOOKING the owner's deadline ends the
 *          wait (gw_lookup_give_up), later the look-up's own timer. After that the store is not asked again, except
 *          after a wait for another fetch.
 * Threads  One worker's. */
#ifndef GW_CACHE_LOOKUP_H
#define GW_CACHE_LOOKUP_H

#include "base/check.h"
#include "base/mailbox.h"
#include "base/timer.h"
#include "cache/coalescing.h"
#include "cache/fetch_lock.h"
#include "cache/memory_cache.h"
#include "cache/redis_cache.h"

/*  in          when        then        by */
/* clang-format off */
#define GW_LOOKUP_MOVES(X) \
    X(IDLE,      ASKED,      LOOKING,   rest) \
    X(IDLE,      LOOKED,     LOOKED,    rest) \
    X(IDLE,      REFRESHES,  LOCKING,   lock) \
    X(LOOKING,   LOOKED,     LOOKED,    tell_looked) \
    X(LOOKED,    CLAIMED,    CLAIMING,  claim) \
    X(CLAIMING,  FOLLOWS,    WAITING,   wait) \
    X(CLAIMING,  FETCHES,    LOCKING,   lock) \
    X(CLAIMING,  DECIDED,    DECIDED,   decide) \
    X(WAITING,   WOKEN,      RETURNING, look_again) \
    X(WAITING,   LATE,       CLAIMING,  claim) \
    X(WAITING,   DECIDED,    DECIDED,   decide) \
    X(RETURNING, LOOKED,     CLAIMING,  claim) \
    X(RETURNING, DECIDED,    DECIDED,   decide) \
    X(LOCKING,   ELSEWHERE,  PAUSING,   pause) \
    X(LOCKING,   DECIDED,    DECIDED,   decide) \
    X(PAUSING,   DUE,        LOCKING,   lock) \
    X(DECIDED,   CLAIMED,    CLAIMING,  claim)
/* clang-format on */

/* gw_lookup_cancel leads from each state to IDLE. */
enum gw_lookup_state {
    GW_LOOKUP_IDLE,      /* holds nothing */
    GW_LOOKUP_LOOKING,   /* the Redis cache is asked */
    GW_LOOKUP_LOOKED,    /* the entry is here, or what a claim must know */
    GW_LOOKUP_CLAIMING,  /* within a call: whose fetch is it? */
    GW_LOOKUP_WAITING,   /* for another fetch of this process */
    GW_LOOKUP_RETURNING, /* from that wait: the Redis cache is asked once more. It may have been handed the lead */
    GW_LOOKUP_LOCKING,   /* the fetch lock is asked for; or the Redis cache, if it is not known what lies there */
    GW_LOOKUP_PAUSING,   /* leads in this process, while another instance has the lock */
    GW_LOOKUP_DECIDED,   /* answered */
    GW_LOOKUP_STATES
};

enum gw_lookup_event {
    GW_LOOKUP_ON_ASKED,
    GW_LOOKUP_ON_LOOKED,
    GW_LOOKUP_ON_REFRESHES,
    GW_LOOKUP_ON_CLAIMED,
    GW_LOOKUP_ON_FOLLOWS,
    GW_LOOKUP_ON_FETCHES,
    GW_LOOKUP_ON_WOKEN,
    GW_LOOKUP_ON_LATE,
    GW_LOOKUP_ON_ELSEWHERE,
    GW_LOOKUP_ON_DUE,
    GW_LOOKUP_ON_DECIDED,
    GW_LOOKUP_EVENTS
};

enum gw_lookup_answer {
    GW_LOOKUP_WAIT,
    GW_LOOKUP_ENTRY,
    GW_LOOKUP_VALIDATE,
    GW_LOOKUP_LEAD,
    GW_LOOKUP_ALONE,
    GW_LOOKUP_JOIN,
};

/* May this request share a fetch? */
enum gw_lookup_share {
    GW_LOOKUP_SHARES,
    GW_LOOKUP_SHARES_AGAIN, /* it joined a fetch whose answer was not for it, and may share one more */
    GW_LOOKUP_SHARES_NOTHING,
};

/* Where the entry comes from. */
enum gw_lookup_source {
    GW_LOOKUP_MEMORY,
    GW_LOOKUP_STORE,
    GW_LOOKUP_FETCHED,   /* another request led, and asked the backend after this request came */
    GW_LOOKUP_CONFIRMED, /* as FETCHED; the entry was stored before, and the backend confirmed it */
};

/* What the request waited for last. */
enum gw_lookup_wait { GW_LOOKUP_WAITED_FOR_NOTHING, GW_LOOKUP_WAITED_FOR_PROCESS, GW_LOOKUP_WAITED_FOR_INSTANCE };

/* What a request that fetches holds. */
struct gw_lead {
    struct gw_coalesced *coalesced;      /* NULL: no request may share its fetch */
    struct gw_fetch_lock *lock;          /* NULL: none */
    struct gw_entry *stored;             /* to be confirmed, or to answer if the backend fails; held. NULL: none */
    uint64_t epoch;                      /* of the key in the memory cache, when `stored` was looked for */
    struct gw_base_version base_version; /* in the store: the answer is stored over this and nothing else */
};

/* The answer is stored or given up: wakes the waiters and gives the lock back. `stored` stays. May be called again. */
static inline void gw_lead_finish(struct gw_lead *lead)
{
    if (lead->coalesced)
        gw_coalescing_finish(&lead->coalesced);
    if (lead->lock)
        gw_fetch_lock_release(&lead->lock);
}
/* The fetch has not begun and will not begin: the first waiter leads instead. The lock is given back first, since the
 * next leader asks for it. May be called again. */
static inline void gw_lead_pass_on(struct gw_lead *lead)
{
    if (lead->lock)
        gw_fetch_lock_release(&lead->lock);
    if (lead->coalesced)
        gw_coalescing_pass_on(&lead->coalesced);
}

/* Where gw_lead_put has put an entry. IN_REDIS: it was sent, and on_stored runs once (gw_redis_cache_put). */
enum gw_lead_put { GW_LEAD_PUT_NOWHERE, GW_LEAD_PUT_IN_MEMORY, GW_LEAD_PUT_IN_REDIS };

/* Stores an answer over what the lead's look-up saw: in the Redis cache if it is up, else in the memory cache alone.
 * redis_cache NULL: embedded mode. on_stored may be NULL. Keeps a reference where it needs one. */
enum gw_lead_put gw_lead_put(const struct gw_lead *lead, struct gw_memory_cache *memory_cache,
                             struct gw_redis_cache *redis_cache, struct gw_entry *entry, void (*on_stored)(void *owner),
                             void *owner);
/* What is stored under this key is not used any more, in the memory cache and in the Redis cache (NULL: not there). */
void gw_stored_forget(const struct gw_cache_key *key, struct gw_memory_cache *memory_cache,
                      struct gw_redis_cache *redis_cache);

/* What the look-ups of one worker ask. */
struct gw_lookups {
    const struct gw_config *config;
    struct gw_memory_cache *memory_cache;
    struct gw_bans *bans;               /* NULL: none */
    struct gw_redis_cache *redis_cache; /* NULL: embedded mode */
    struct gw_fetch_locks *locks;       /* NULL: requests are coalesced within this process only */
    struct gw_coalescing *coalescing;
    struct gw_timers *timers;
    struct gw_mailbox *mailbox;
    struct gw_shard *shard;
    unsigned worker;
    struct gw_random random; /* gw_random_init */
};

struct gw_lookup;

/* Set once: it stays the same for all that a look-up is used for. The pointers lead to places in its owner. */
struct gw_lookup_ask {
    struct gw_lookups *lookups;
    const struct gw_cache_key *key; /* this and the next two are borrowed from gw_lookup_begin to gw_lookup_cancel */
    const struct gw_cache_request *request;
    const struct gw_head *head;
    /* Both run from the loop, once for each call that announced them. They may cancel the look-up. */
    void (*on_looked)(void *owner);
    void (*on_answer)(void *owner, enum gw_lookup_answer answer);
    void *owner;
};

struct gw_lookup {
    struct gw_magic magic;
    struct gw_lookup_ask ask;
    struct gw_timer timer; /* from WAITING on */

    /* all of this is zero while the look-up is IDLE */
    enum gw_lookup_state state;
    enum gw_lookup_answer answer; /* DECIDED */
    enum gw_lookup_share share;
    enum gw_lookup_source source; /* of entry */
    enum gw_reuse reuse;          /* of entry */
    enum gw_lookup_wait waited;
    bool was_there;       /* something is stored, but not for this request (another variant, for example) */
    bool is_hit_for_miss; /* answers under this key are not shared */
    bool is_refresh;
    bool is_within_call;    /* the answer is returned; no callback tells it */
    bool is_silent;         /* the store did not answer in time: it is not asked again */
    bool lock_is_due;       /* the answer about the lock is awaited */
    bool lock_compares;     /* the lock's question said which base version was seen */
    bool lock_is_elsewhere; /* another instance has it */
    struct gw_entry *entry; /* held; the owner may take it, and leave NULL */
    void *fetch;            /* JOIN */
    struct gw_redis_cache_question *question;
    struct gw_coalescing_waiter *waiter;
    uint64_t came_at_us;     /* as given to gw_lookup_begin */
    uint64_t question_epoch; /* of the key, when the Redis cache was asked */
    uint64_t until_us;       /* the end of the wait for another instance */
    struct gw_lead lead;
};

/* Once, before all else. Copies *ask. */
void gw_lookup_init(struct gw_lookup *lookup, const struct gw_lookup_ask *ask);

/* Looks at both caches. True: the Redis cache is asked, and on_looked will run. False: the look-up is LOOKED already.
 * came_at_us (CLOCK_MONOTONIC) is for a request that must_validate: only an answer that was asked for later will do. 0:
 * any answer will do. */
bool gw_lookup_begin(struct gw_lookup *lookup, uint64_t came_at_us);
/* The owner's deadline has passed: a look-up that is LOOKING becomes LOOKED, with what is known. on_looked will not
 * run. */
void gw_lookup_give_up(struct gw_lookup *lookup);
/* For a look-up that is DECIDED, or LOOKED without an entry. WAIT: on_answer will run, once. */
enum gw_lookup_answer gw_lookup_claim(struct gw_lookup *lookup);
/* The answer of the fetch that it joined is not for it, or it came too late to join. Claim again after this. The request
 * then shares once more at most (may_share_again), else it fetches alone. */
void gw_lookup_release(struct gw_lookup *lookup, bool may_share_again);
/* The fetch has begun with lookup->lead, and owns its `coalesced` and `lock` now. */
void gw_lookup_has_begun(struct gw_lookup *lookup);
/* Drops all that it holds and waits for, and passes on the lead. Any time, any number of times. */
void gw_lookup_cancel(struct gw_lookup *lookup);

/* Was it begun and not cancelled? */
static inline bool gw_lookup_is_asked(const struct gw_lookup *lookup)
{
    return lookup->state != GW_LOOKUP_IDLE;
}

/* ---- background refreshes ---- */

/* True: no request fetches this key, and the caller leads now. The caller sets lead->stored and lead->epoch. */
bool gw_lead_begin(struct gw_lookups *lookups, const struct gw_cache_key *key, struct gw_lead *lead) GW_MUST_CHECK;
/* Must a refresh ask the store before it fetches? */
bool gw_lookup_refresh_asks(const struct gw_lookups *lookups);
/* Takes the lead, and the hold on lead->stored. Answers as gw_lookup_claim does; VALIDATE and LEAD: fetch. */
enum gw_lookup_answer gw_lookup_refresh(struct gw_lookup *lookup, struct gw_lead *lead);

const char *gw_lookup_state_name(enum gw_lookup_state state);
/* Next state by the table, or GW_LOOKUP_STATES if there is no row. */
enum gw_lookup_state gw_lookup_next(enum gw_lookup_state state, enum gw_lookup_event event);
/* Checks what must hold in the look-up's state: GW_CHECK(gw_lookup_check(lookup)). Returns true. */
bool gw_lookup_check(const struct gw_lookup *lookup);

#endif
