/* lookup.h: what is stored for a request, and who fetches it: one object for an exchange and for a background refresh.
 *
 *     memory cache → Redis cache → request coalescing in the process → fetch lock over instances
 *
 * Phases   `look` asks the two caches, and holds nothing that others wait for. `claim` comes once the filters let the
 *          request pass: a request that is refused never leads, and never holds a lock. A memory hit ends in LOOKED
 *          at once.
 * Answers  gw_lookup_claim and on_answer give one of these:
 *            ENTRY     use lookup->entry
 *            VALIDATE  lead.stored is to be confirmed, and you lead: fetch
 *            LEAD      nothing is there, and you lead: fetch
 *            ALONE     fetch for this request alone: its answers are not shared (hit-for-miss), or it is not for
 *                      sharing, or memory or the store cannot be had, or it waited too long. lead.stored may be set
 *            WAIT      another fetches: on_answer will run. (Of a refresh: it is over; somebody else does it.)
 *            JOIN      the fetch runs on this worker: lookup->fetch. It has a word of its own since its answer streams
 *                      along, while every other answer that comes from others is a whole entry
 * Lead     What a leader holds is one value, struct gw_lead. It moves from the look-up into the fetch, which ends it when
 *          its answer is stored or given up. A look-up that ends before passes the lead on to a waiter.
 * Waiting  For another fetch of the process: cache.flight_wait at most (twice, where the end of one fetch and then the
 *          answer of the next is awaited, or the beginning of a fetch of this worker), then ALONE. For another instance: its lock is asked for each 20 to 50 ms,
 *          for cache.flight_wait at most; the answer tells whether to look again, so no body is read meanwhile. A
 *          request that wants the backend's word (must_validate) waits for no other instance, whose fetch may have
 *          begun before it came.
 * Silence  of the store is waited for once, redis.timeout long: by the owner's deadline in LOOKING (gw_lookup_give_up),
 *          by the look-up's own timer later. After that the store is not asked again (but behind a wait for another
 *          fetch).
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

enum gw_lookup_state {                     /* gw_lookup_cancel leads from each of them to IDLE */
                       GW_LOOKUP_IDLE,     /* holds nothing */
                       GW_LOOKUP_LOOKING,  /* the Redis cache is asked */
                       GW_LOOKUP_LOOKED,   /* entry, or what is known for a claim */
                       GW_LOOKUP_CLAIMING, /* within a call: whose fetch is it? */
                       GW_LOOKUP_WAITING,  /* for another fetch of this process */
                       GW_LOOKUP_RETURNING, /* from that: the Redis cache is asked once more. Perhaps it was handed the lead */
                       GW_LOOKUP_LOCKING, /* the fetch lock is asked for, or what lies in the Redis cache, where that is not known */
                       GW_LOOKUP_PAUSING, /* leads in this process; another instance has the lock */
                       GW_LOOKUP_DECIDED, /* answered */
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
    GW_LOOKUP_SHARES_AGAIN, /* it was released from a fetch whose answer was not for it, and may share another one */
    GW_LOOKUP_SHARES_NOTHING,
};

/* Where the entry comes from. */
enum gw_lookup_source {
    GW_LOOKUP_MEMORY,
    GW_LOOKUP_STORE,
    GW_LOOKUP_FETCHED,   /* for another request that led; asked for after this one came */
    GW_LOOKUP_CONFIRMED, /* so; it was stored before, and the backend confirmed it */
};

/* For what did it wait last? */
enum gw_lookup_wait { GW_LOOKUP_WAITED_FOR_NOTHING, GW_LOOKUP_WAITED_FOR_PROCESS, GW_LOOKUP_WAITED_FOR_INSTANCE };

/* What a request holds that fetches. */
struct gw_lead {
    struct gw_coalesced *coalesced;      /* NULL: nobody may share its fetch */
    struct gw_fetch_lock *lock;          /* NULL: none */
    struct gw_entry *stored;             /* to be confirmed, or to stand in for a failing backend; held. NULL: none */
    uint64_t epoch;                      /* of the key in the memory cache, when `stored` was looked for */
    struct gw_base_version base_version; /* in the store: nothing else is stored over */
};

/* Its answer is stored, or given up: wakes the waiters, and gives the lock back. `stored` stays. Any number of times. */
static inline void gw_lead_finish(struct gw_lead *lead)
{
    if (lead->coalesced)
        gw_coalescing_finish(&lead->coalesced);
    if (lead->lock)
        gw_fetch_lock_release(&lead->lock);
}
/* Its fetch has not begun and will not: the first waiter leads instead. The lock first: the next leader asks for it. Any
 * number of times. */
static inline void gw_lead_pass_on(struct gw_lead *lead)
{
    if (lead->lock)
        gw_fetch_lock_release(&lead->lock);
    if (lead->coalesced)
        gw_coalescing_pass_on(&lead->coalesced);
}

struct gw_lookups { /* one worker's; what its look-ups ask */
    const struct gw_config *config;
    struct gw_memory_cache *memory_cache;
    struct gw_bans *bans;               /* NULL: none */
    struct gw_redis_cache *redis_cache; /* NULL: embedded mode */
    struct gw_fetch_locks *locks;       /* NULL: coalescing is this process' own */
    struct gw_coalescing *coalescing;
    struct gw_timers *timers;
    struct gw_mailbox *mailbox;
    struct gw_shard *shard;
    unsigned worker;
    struct gw_random random; /* gw_random_init */
};

struct gw_lookup;

struct gw_lookup_ask { /* the same for all that a look-up is used for, as the places in its owner are */
    struct gw_lookups *lookups;
    const struct gw_cache_key *key; /* this and the next two: borrowed from gw_lookup_begin until it is cancelled */
    const struct gw_cache_request *request;
    const struct gw_head *head;
    /* From the loop, once for each call that said so. May cancel the look-up. */
    void (*on_looked)(void *owner);
    void (*on_answer)(void *owner, enum gw_lookup_answer answer);
    void *owner;
};

struct gw_lookup {
    struct gw_magic magic;
    struct gw_lookup_ask ask;
    struct gw_timer timer; /* from WAITING on */

    /* zero while it is IDLE: */
    enum gw_lookup_state state;
    enum gw_lookup_answer answer; /* DECIDED */
    enum gw_lookup_share share;
    enum gw_lookup_source source; /* of entry */
    enum gw_reuse reuse;          /* of entry */
    enum gw_lookup_wait waited;
    bool was_there;       /* other variants, or one that is not for this request */
    bool is_hit_for_miss; /* answers under this key are not shared */
    bool is_refresh;
    bool is_within_call; /* the answer is returned, not told */
    bool is_silent;      /* the store: it is not asked again */
    bool lock_is_due;    /* its answer */
    bool lock_compares;  /* it was told what was seen */
    bool lock_is_elsewhere;
    struct gw_entry *entry; /* held; its owner may take it, and leave NULL */
    void *fetch;            /* JOIN */
    struct gw_redis_cache_question *question;
    struct gw_coalescing_waiter *waiter;
    uint64_t came_at_us;     /* of gw_lookup_begin */
    uint64_t question_epoch; /* of the key, when the question was put */
    uint64_t until_us;       /* when it waits for another instance no longer */
    struct gw_lead lead;
};

/* Once, before all else; *ask is copied. */
void gw_lookup_init(struct gw_lookup *lookup, const struct gw_lookup_ask *ask);

/* Looks at both caches. True: the Redis cache is asked, and on_looked will run. False: it is LOOKED already. came_at_us:
 * CLOCK_MONOTONIC, where the request must_validate: an answer that was asked for before is none for it; 0: any will do. */
bool gw_lookup_begin(struct gw_lookup *lookup, uint64_t came_at_us);
/* The owner's deadline has passed: LOOKED, with what is known; on_looked will not run. Else nothing. */
void gw_lookup_give_up(struct gw_lookup *lookup);
/* Of one that is LOOKED without an entry, or DECIDED. WAIT: on_answer will run, once. */
enum gw_lookup_answer gw_lookup_claim(struct gw_lookup *lookup);
/* The fetch that it joined is not for it. Claim again then, once more with others or (also: not joined in time) alone. */
void gw_lookup_release(struct gw_lookup *lookup, bool may_share_again);
/* The fetch has begun with lookup->lead: it has coalesced and lock now. */
void gw_lookup_has_begun(struct gw_lookup *lookup);
/* Drops all that it holds and waits for, and passes on the lead. Any time, any number of times. */
void gw_lookup_cancel(struct gw_lookup *lookup);

/* Was it begun and not cancelled? */
static inline bool gw_lookup_is_asked(const struct gw_lookup *lookup)
{
    return lookup->state != GW_LOOKUP_IDLE;
}

/* ---- background refreshes ---- */

/* Leads, if nobody fetches this key. `stored` and epoch are the caller's to set. */
bool gw_lead_begin(struct gw_lookups *lookups, const struct gw_cache_key *key, struct gw_lead *lead) GW_MUST_CHECK;
/* Must a refresh ask the store before it fetches? */
bool gw_lookup_refresh_asks(const struct gw_lookups *lookups);
/* Takes the lead (and the hold on its `stored`). As gw_lookup_claim; VALIDATE and LEAD: fetch. */
enum gw_lookup_answer gw_lookup_refresh(struct gw_lookup *lookup, struct gw_lead *lead);

const char *gw_lookup_state_name(enum gw_lookup_state state);
/* Next state by the table, or GW_LOOKUP_STATES if there is no row. */
enum gw_lookup_state gw_lookup_next(enum gw_lookup_state state, enum gw_lookup_event event);
/* What must hold in each state; where checks are on (base/check.h). */
bool gw_lookup_check(const struct gw_lookup *lookup);

#endif
