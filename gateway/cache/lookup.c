#include "cache/lookup.h"

#include "base/clock.h"
#include "base/log.h"

enum {
    LOOKUP_MAGIC = 0x4c4b5550, /* LKUP */
    LEAST_PAUSE_MS = 20,
    PAUSE_SPREAD_MS = 31,
};

/* ---- the table ---- */

typedef void lookup_action(struct gw_lookup *lookup);
static lookup_action lookup_rest, lookup_tell_looked, lookup_claim, lookup_wait, lookup_look_again, lookup_lock,
    lookup_pause, lookup_decide;

static const struct {
    enum gw_lookup_state then;
    lookup_action *by;
} moves[GW_LOOKUP_STATES][GW_LOOKUP_EVENTS] = {
#define MOVE(in, when, next, action) [GW_LOOKUP_##in][GW_LOOKUP_ON_##when] = { GW_LOOKUP_##next, lookup_##action },
    GW_LOOKUP_MOVES(MOVE)
#undef MOVE
};

const char *gw_lookup_state_name(enum gw_lookup_state state)
{
    static const char *const names[] = { "IDLE",      "LOOKING", "LOOKED",  "CLAIMING", "WAITING",
                                         "RETURNING", "LOCKING", "PAUSING", "DECIDED" };
    return state < GW_COUNT(names) ? names[state] : "none";
}

enum gw_lookup_state gw_lookup_next(enum gw_lookup_state state, enum gw_lookup_event event)
{
    return moves[state][event].by ? moves[state][event].then : GW_LOOKUP_STATES;
}

bool gw_lookup_check(const struct gw_lookup *lookup)
{
    const struct gw_lead *lead = &lookup->lead;
    bool asks = lookup->question || lookup->lock_is_due;
    GW_CHECK_MAGIC(lookup, LOOKUP_MAGIC);
    GW_CHECK(!lookup->waiter || lookup->state == GW_LOOKUP_WAITING);
    GW_CHECK(!lookup->lock_is_due || (lookup->state == GW_LOOKUP_LOCKING && lead->lock));
    GW_CHECK(!lookup->entry || lookup->reuse > GW_REUSE_VALIDATED || lookup->source >= GW_LOOKUP_FETCHED);
    switch (lookup->state) {
    case GW_LOOKUP_IDLE:
        GW_CHECK(!asks && !lookup->entry && !lead->coalesced && !lead->lock && !lead->stored);
        break;
    case GW_LOOKUP_LOOKING:
        GW_CHECK(lookup->question && !lead->coalesced && !lead->lock);
        break;
    case GW_LOOKUP_LOOKED:
        GW_CHECK(!asks && !lead->coalesced && !lead->lock);
        break;
    case GW_LOOKUP_CLAIMING:
        GW_CHECK(!asks && !lookup->entry && !lead->lock);
        break;
    case GW_LOOKUP_WAITING:
        GW_CHECK(lookup->waiter && !asks && !lead->coalesced && gw_timer_is_running(&lookup->timer));
        break;
    case GW_LOOKUP_RETURNING:
        GW_CHECK(lookup->question && !lead->lock && gw_timer_is_running(&lookup->timer));
        break;
    case GW_LOOKUP_LOCKING:
        GW_CHECK(asks && gw_timer_is_running(&lookup->timer));
        break;
    case GW_LOOKUP_PAUSING:
        GW_CHECK(!asks && lead->coalesced && !lead->lock && gw_timer_is_running(&lookup->timer));
        break;
    case GW_LOOKUP_DECIDED:
        GW_CHECK(!asks && !gw_timer_is_running(&lookup->timer));
        break;
    case GW_LOOKUP_STATES:
        GW_CHECK(lookup->state != GW_LOOKUP_STATES);
    }
    return true;
}

/* The only way to change state. The action comes last: it may end the look-up. */
static void lookup_move(struct gw_lookup *lookup, enum gw_lookup_event event)
{
    lookup_action *by = moves[lookup->state][event].by;
    GW_CHECK_MAGIC(lookup, LOOKUP_MAGIC);
    GW_CHECK(by);
    if (!by) { /* Nothing hangs: each state that waits has its timer, or its owner's deadline. */
        if (lookup->ask.lookups)
            gw_counter_add(&lookup->ask.lookups->shard->unexpected_events, 1);
        gw_log(GW_LOG_ERROR, "cache", "look-up: no move from %s by event %d", gw_lookup_state_name(lookup->state),
               (int)event);
        return;
    }
    lookup->state = moves[lookup->state][event].then;
    by(lookup);
}

static void lookup_rest(struct gw_lookup *lookup)
{
    GW_CHECK(gw_lookup_check(lookup));
}

static void lookup_drop_stored(struct gw_lookup *lookup)
{
    if (!lookup->lead.stored)
        return;
    gw_entry_unref(lookup->lead.stored);
    lookup->lead.stored = NULL;
}

/* ---- what is stored ---- */

/* Takes the hold on the entry. It is the answer, or it must be confirmed first. For a leader (LOCKING), which is about to
 * ask the backend, only a fresh entry is an answer. */
static void lookup_take(struct gw_lookup *lookup, struct gw_entry *entry, enum gw_reuse reuse,
                        enum gw_lookup_source source)
{
    bool is_answer = reuse == GW_REUSE_FRESH || (reuse > GW_REUSE_VALIDATED && lookup->state != GW_LOOKUP_LOCKING);
    lookup_drop_stored(lookup);
    if (!is_answer) {
        lookup->lead.stored = entry;
        return;
    }
    lookup->entry = entry;
    lookup->reuse = reuse;
    lookup->source = source;
}

static void lookup_conclude(struct gw_lookup *lookup);

static void lookup_on_store_answer(void *owner, const struct gw_redis_cache_answer *answer)
{
    struct gw_lookup *lookup = GW_FROM_CONTEXT(owner, struct gw_lookup, LOOKUP_MAGIC);
    lookup->question = NULL;
    lookup->is_hit_for_miss |= answer->is_hit_for_miss;
    lookup->was_there = answer->was_there;
    if (answer->base_version.kind != GW_BASE_UNKNOWN) { /* else the store did not say */
        lookup->lead.base_version = answer->base_version;
        lookup->lead.epoch = lookup->question_epoch;
        if (answer->entry)
            lookup_take(lookup, answer->entry, answer->reuse, GW_LOOKUP_STORE);
        else /* what was in memory is not there any more */
            lookup_drop_stored(lookup);
    }
    if (lookup->state != GW_LOOKUP_LOCKING)
        lookup_move(lookup,
                    lookup->state == GW_LOOKUP_RETURNING && lookup->entry ? GW_LOOKUP_ON_DECIDED : GW_LOOKUP_ON_LOOKED);
    else if (!lookup->lock_is_due || lookup->entry)
        lookup_conclude(lookup);
}

/* False: it cannot be asked. */
static bool lookup_ask_store(struct gw_lookup *lookup)
{
    const struct gw_lookup_ask *ask = &lookup->ask;
    lookup->question_epoch = gw_memory_cache_epoch(ask->lookups->memory_cache, ask->key);
    lookup->question = gw_redis_cache_ask(ask->lookups->redis_cache, ask->key, ask->request, ask->head,
                                          lookup_on_store_answer, lookup);
    return lookup->question != NULL;
}

/* An entry in memory that needs no confirmation answers at once. Otherwise the store is asked, since another instance may
 * have stored a newer one. True: the store is asked. */
static bool lookup_look(struct gw_lookup *lookup)
{
    const struct gw_lookup_ask *ask = &lookup->ask;
    const struct gw_lookups *lookups = ask->lookups;
    struct gw_memory_cache_answer memory_cache = { .entry = NULL };
    if (ask->request->may_look_up)
        gw_memory_cache_get(lookups->memory_cache, ask->key, ask->request, ask->head, gw_clock_monotonic_us(),
                            &memory_cache);
    else
        memory_cache.epoch = gw_memory_cache_epoch(lookups->memory_cache, ask->key);
    lookup->was_there = memory_cache.was_there;
    lookup->is_hit_for_miss = memory_cache.is_hit_for_miss;
    if (memory_cache.entry)
        lookup_take(lookup, memory_cache.entry, memory_cache.reuse, GW_LOOKUP_MEMORY);
    else if (!lookups->redis_cache) /* what was there before is not any more */
        lookup_drop_stored(lookup);
    if (memory_cache.entry || !lookup->lead.stored)
        lookup->lead.epoch = memory_cache.epoch;
    return !lookup->entry && lookups->redis_cache && !lookup->is_silent &&
           (ask->request->may_look_up || ask->request->may_store) && lookup_ask_store(lookup);
}

bool gw_lookup_begin(struct gw_lookup *lookup, uint64_t came_at_us)
{
    GW_CHECK_MAGIC(lookup, LOOKUP_MAGIC);
    GW_CHECK(lookup->state == GW_LOOKUP_IDLE);
    lookup->came_at_us = came_at_us;
    bool is_asked = lookup_look(lookup);
    lookup_move(lookup, is_asked ? GW_LOOKUP_ON_ASKED : GW_LOOKUP_ON_LOOKED);
    return is_asked;
}

static void lookup_tell_looked(struct gw_lookup *lookup)
{
    GW_CHECK(gw_lookup_check(lookup));
    if (!lookup->is_within_call)
        lookup->ask.on_looked(lookup->ask.owner);
}

void gw_lookup_give_up(struct gw_lookup *lookup)
{
    if (lookup->state != GW_LOOKUP_LOOKING)
        return;
    gw_redis_cache_cancel(&lookup->question);
    lookup->is_silent = true;
    lookup->is_within_call = true;
    lookup_move(lookup, GW_LOOKUP_ON_LOOKED);
    lookup->is_within_call = false;
}

/* ---- coalescing in the process ---- */

/* May this request wait for the answer to another one? If what is stored always needs the backend's word, then the next
 * answer will need it, too: the request gains nothing by waiting. */
static bool lookup_may_share(const struct gw_lookup *lookup)
{
    const struct gw_entry *stored = lookup->lead.stored;
    bool is_always_validated = stored && (stored->terms.must_validate || stored->freshness_s <= 0);
    return lookup->ask.request->may_join && !lookup->is_hit_for_miss && lookup->share != GW_LOOKUP_SHARES_NOTHING &&
           !is_always_validated;
}

/* May the entry of this event answer the request? An entry from the store is judged by the request's own rules. Any other
 * was asked for after the request came, so it has been confirmed. */
static bool lookup_may_take(struct gw_lookup *lookup, const struct gw_coalescing_event *event)
{
    struct gw_cache_request request = event->source == GW_COALESCING_STORED
                                          ? *lookup->ask.request
                                          : gw_policy_once_confirmed(lookup->ask.request);
    if (!event->entry)
        return false;
    lookup->reuse = gw_entry_reuse(event->entry, &request, lookup->ask.head, gw_clock_monotonic_us());
    return lookup->reuse >= GW_REUSE_STALE;
}

static void lookup_on_coalescing(void *owner, const struct gw_coalescing_event *event)
{
    static const enum gw_lookup_source sources[] = { [GW_COALESCING_FETCHED] = GW_LOOKUP_FETCHED,
                                                     [GW_COALESCING_CONFIRMED] = GW_LOOKUP_CONFIRMED,
                                                     [GW_COALESCING_STORED] = GW_LOOKUP_STORE };
    struct gw_lookup *lookup = GW_FROM_CONTEXT(owner, struct gw_lookup, LOOKUP_MAGIC);
    lookup->waiter = NULL;
    lookup->fetch = event->fetch;
    lookup->lead.coalesced = event->coalesced;
    if (event->was_elsewhere)
        lookup->waited = GW_LOOKUP_WAITED_FOR_INSTANCE;
    if (lookup_may_take(lookup, event)) {
        lookup->entry = gw_entry_ref(event->entry);
        lookup->source = sources[event->source];
    }
    lookup_move(lookup, lookup->entry || lookup->fetch ? GW_LOOKUP_ON_DECIDED : GW_LOOKUP_ON_WOKEN);
}

/* Between the look and the claim, another worker's fetch may have ended. With a store the next question to it tells that,
 * so nothing is done here. */
static bool lookup_was_stored_meanwhile(struct gw_lookup *lookup)
{
    const struct gw_lookup_ask *ask = &lookup->ask;
    struct gw_memory_cache_answer memory_cache;
    if (ask->lookups->redis_cache)
        return false;
    gw_memory_cache_get(ask->lookups->memory_cache, ask->key, ask->request, ask->head, gw_clock_monotonic_us(),
                        &memory_cache);
    if (memory_cache.reuse > GW_REUSE_VALIDATED && memory_cache.entry) {
        lookup_take(lookup, memory_cache.entry, memory_cache.reuse, GW_LOOKUP_MEMORY);
        return true;
    }
    gw_entry_unref(memory_cache.entry);
    return false;
}

static enum gw_coalescing_role lookup_start(struct gw_lookup *lookup)
{
    const struct gw_lookups *lookups = lookup->ask.lookups;
    struct gw_coalescing_ask ask = { .key = lookup->ask.key,
                                     .worker = lookups->worker,
                                     .came_at_us = lookup->came_at_us,
                                     .never_leads = lookup->ask.request->is_range,
                                     .mailbox = lookups->mailbox,
                                     .on_event = lookup_on_coalescing,
                                     .owner = lookup };
    enum gw_coalescing_role role = gw_coalescing_start(lookups->coalescing, &ask);
    lookup->lead.coalesced = ask.coalesced;
    lookup->fetch = ask.fetch;
    lookup->waiter = ask.waiter;
    return role;
}

static void lookup_claim(struct gw_lookup *lookup)
{
    lookup->fetch = NULL;
    if (!lookup_may_share(lookup))
        gw_lead_finish(&lookup->lead);
    else if (!lookup->lead.coalesced) /* it was not handed the lead */
        switch (lookup_start(lookup)) {
        case GW_COALESCING_LEAD:
            if (lookup->ask.request->is_range) /* its answer may be a part: no request may wait for it */
                gw_coalescing_finish(&lookup->lead.coalesced);
            else if (lookup_was_stored_meanwhile(lookup)) {
                lookup_move(lookup, GW_LOOKUP_ON_DECIDED);
                return;
            }
            break;
        case GW_COALESCING_JOIN:
            lookup_move(lookup, GW_LOOKUP_ON_DECIDED);
            return;
        case GW_COALESCING_WAIT:
            lookup_move(lookup, GW_LOOKUP_ON_FOLLOWS);
            return;
        case GW_COALESCING_ALONE:
            break;
        }
    lookup_move(lookup, GW_LOOKUP_ON_FETCHES);
}

static void lookup_wait(struct gw_lookup *lookup)
{
    lookup->waited = GW_LOOKUP_WAITED_FOR_PROCESS;
    gw_timer_start(lookup->ask.lookups->timers, &lookup->timer, lookup->ask.lookups->config->flight_wait_ms);
    GW_CHECK(gw_lookup_check(lookup));
}

/* The wait may have been long, so the store is asked even if it was silent before. */
static void lookup_look_again(struct gw_lookup *lookup)
{
    lookup->is_silent = false;
    bool is_asked = lookup_look(lookup);
    gw_timer_stop(&lookup->timer);
    if (is_asked) {
        gw_timer_start(lookup->ask.lookups->timers, &lookup->timer, lookup->ask.lookups->config->redis_timeout_ms);
        GW_CHECK(gw_lookup_check(lookup));
    } else {
        lookup_move(lookup, lookup->entry ? GW_LOOKUP_ON_DECIDED : GW_LOOKUP_ON_LOOKED);
    }
}

/* ---- the fetch lock over instances ---- */

/* All questions are answered: decide, or pause because another instance fetches. */
static void lookup_conclude(struct gw_lookup *lookup)
{
    bool is_awaited = lookup->lock_is_elsewhere && !lookup->entry && !lookup->is_refresh && lookup->lead.coalesced &&
                      !lookup->is_hit_for_miss && gw_clock_monotonic_us() < lookup->until_us;
    lookup_move(lookup, is_awaited ? GW_LOOKUP_ON_ELSEWHERE : GW_LOOKUP_ON_DECIDED);
}

/* A look that was sent behind a lock without a base version can be answered before the lock: Redis did not know the
 * script yet, and the lock was sent a second time. What that look saw may be older than the lock, so look again. */
static void lookup_on_lock(void *owner, enum gw_fetch_lock_result result, bool is_changed)
{
    struct gw_lookup *lookup = GW_FROM_CONTEXT(owner, struct gw_lookup, LOOKUP_MAGIC);
    bool is_taken = result == GW_FETCH_LOCK_TAKEN;
    lookup->lock_is_due = false;
    lookup->lock_is_elsewhere = result == GW_FETCH_LOCK_ELSEWHERE;
    if (!is_taken)
        lookup->lead.lock = NULL;
    bool looks_again = is_changed || (is_taken && !lookup->lock_compares);
    if (lookup->question)
        return;
    if (looks_again && lookup_ask_store(lookup)) /* a second way to Redis, which has answered in time until now */
        gw_timer_start(lookup->ask.lookups->timers, &lookup->timer, lookup->ask.lookups->config->redis_timeout_ms);
    else
        lookup_conclude(lookup);
}

/* Asks for the lock first. The look is sent behind it, so it sees what the last holder of the lock has stored. */
static void lookup_lock(struct gw_lookup *lookup)
{
    struct gw_lookups *lookups = lookup->ask.lookups;
    const struct gw_cache_request *request = lookup->ask.request;
    bool may_ask = lookups->redis_cache && !lookup->is_silent && gw_redis_cache_is_up(lookups->redis_cache);
    /* A request that wants the backend's word waits for no other instance, whose fetch may have begun before it came. */
    bool wants_lock = may_ask && lookup->lead.coalesced && lookups->locks && !request->must_validate;
    /* The answer may be stored (the answer to a Range, if it is the whole), and it is not known over what. */
    bool wants_to_see = may_ask && lookup->lead.base_version.kind == GW_BASE_UNKNOWN &&
                        (request->may_store || (request->is_range && request->may_look_up));
    lookup->lock_is_elsewhere = false;
    if (wants_lock) {
        if (!lookup->until_us)
            lookup->until_us = gw_clock_monotonic_us() + (uint64_t)lookups->config->flight_wait_ms * 1000;
        lookup->lock_compares = lookup->lead.base_version.kind != GW_BASE_UNKNOWN;
        lookup->lead.lock = gw_fetch_lock_take(lookups->locks, lookup->ask.key, &lookup->lead.base_version,
                                               lookup_on_lock, lookup);
        lookup->lock_is_due = lookup->lead.lock != NULL;
    }
    if (wants_to_see && !lookup_ask_store(lookup)) {
        gw_fetch_lock_release(&lookup->lead.lock);
        lookup->lock_is_due = false;
    }
    if (!lookup->lock_is_due && !lookup->question) {
        lookup_conclude(lookup);
        return;
    }
    gw_timer_start(lookups->timers, &lookup->timer, lookups->config->redis_timeout_ms);
    GW_CHECK(gw_lookup_check(lookup));
}

static void lookup_pause(struct gw_lookup *lookup)
{
    struct gw_lookups *lookups = lookup->ask.lookups;
    lookup->waited = GW_LOOKUP_WAITED_FOR_INSTANCE;
    gw_timer_start(lookups->timers, &lookup->timer,
                   LEAST_PAUSE_MS + gw_random_next(&lookups->random) % PAUSE_SPREAD_MS);
    GW_CHECK(gw_lookup_check(lookup));
}

/* ---- the answer ---- */

static enum gw_lookup_answer lookup_answer(const struct gw_lookup *lookup)
{
    const struct gw_lead *lead = &lookup->lead;
    if (lookup->entry)
        return GW_LOOKUP_ENTRY;
    if (lookup->fetch)
        return GW_LOOKUP_JOIN;
    if (lookup->is_refresh && lookup->lock_is_elsewhere)
        return GW_LOOKUP_WAIT;
    if (!lead->coalesced || (lookup->is_hit_for_miss && !lookup->is_refresh))
        return GW_LOOKUP_ALONE;
    return lead->stored && lead->stored->terms.has_validator ? GW_LOOKUP_VALIDATE : GW_LOOKUP_LEAD;
}

static void lookup_decide(struct gw_lookup *lookup)
{
    struct gw_lookups *lookups = lookup->ask.lookups;
    struct gw_lead *lead = &lookup->lead;
    bool was_elsewhere = lookup->waited == GW_LOOKUP_WAITED_FOR_INSTANCE;
    gw_timer_stop(&lookup->timer);
    if (lookup->question)
        gw_redis_cache_cancel(&lookup->question);
    if (lookup->lock_is_due) /* what was found answers before the lock does */
        gw_fetch_lock_release(&lead->lock);
    lookup->lock_is_due = false;
    /* A purge by prefix or tag does not touch the key. */
    if (lead->stored && lookups->bans && gw_bans_check(lookups->bans, lead->stored) == GW_BAN_HARD)
        lookup_drop_stored(lookup);
    lookup->answer = lookup_answer(lookup);
    if (lookup->answer == GW_LOOKUP_ENTRY) {
        if (was_elsewhere && lookup->source == GW_LOOKUP_STORE)
            gw_counter_add(&lookups->shard->cache_collapsed_instances, 1);
        if (lead->coalesced)
            gw_coalescing_set_answer(lead->coalesced, lookup->entry, GW_COALESCING_STORED, was_elsewhere);
    }
    if (lookup->answer == GW_LOOKUP_ENTRY || lookup->answer == GW_LOOKUP_ALONE)
        gw_lead_finish(lead);
    else if (lookup->answer == GW_LOOKUP_WAIT)
        gw_lead_pass_on(lead);
    GW_CHECK(gw_lookup_check(lookup));
    if (!lookup->is_within_call)
        lookup->ask.on_answer(lookup->ask.owner, lookup->answer);
}

/* Moves within a call of the owner. An answer that is there when the move ends is returned, and no callback tells it. */
static enum gw_lookup_answer lookup_move_within(struct gw_lookup *lookup, enum gw_lookup_event event)
{
    lookup->is_within_call = true;
    lookup_move(lookup, event);
    lookup->is_within_call = false;
    return lookup->state == GW_LOOKUP_DECIDED ? lookup->answer : GW_LOOKUP_WAIT;
}

enum gw_lookup_answer gw_lookup_claim(struct gw_lookup *lookup)
{
    GW_CHECK(!lookup->entry);
    lookup->until_us = 0;
    return lookup_move_within(lookup, GW_LOOKUP_ON_CLAIMED);
}

void gw_lookup_release(struct gw_lookup *lookup, bool may_share_again)
{
    bool is_first = lookup->share == GW_LOOKUP_SHARES;
    lookup->share = may_share_again && is_first ? GW_LOOKUP_SHARES_AGAIN : GW_LOOKUP_SHARES_NOTHING;
}

void gw_lookup_has_begun(struct gw_lookup *lookup)
{
    lookup->lead.coalesced = NULL;
    lookup->lead.lock = NULL;
}

/* ---- its life ---- */

static void lookup_on_timer(struct gw_timer *timer)
{
    struct gw_lookup *lookup = GW_CONTAINER(timer, struct gw_lookup, timer);
    GW_CHECK_MAGIC(lookup, LOOKUP_MAGIC);
    switch (lookup->state) {
    case GW_LOOKUP_WAITING:
        if (gw_coalescing_may_wait_on(lookup->waiter)) {
            lookup_wait(lookup);
            return;
        }
        gw_coalescing_cancel(&lookup->waiter);
        lookup->share = GW_LOOKUP_SHARES_NOTHING;
        lookup_move(lookup, GW_LOOKUP_ON_LATE);
        break;
    case GW_LOOKUP_RETURNING: /* the store is silent */
        gw_redis_cache_cancel(&lookup->question);
        lookup->is_silent = true;
        lookup_move(lookup, GW_LOOKUP_ON_LOOKED);
        break;
    case GW_LOOKUP_LOCKING:
        gw_redis_cache_cancel(&lookup->question);
        gw_fetch_lock_release(&lookup->lead.lock);
        lookup->lock_is_due = lookup->lock_is_elsewhere = false;
        lookup->is_silent = true;
        lookup_conclude(lookup);
        break;
    case GW_LOOKUP_PAUSING:
        lookup_move(lookup, GW_LOOKUP_ON_DUE);
        break;
    default:
        GW_CHECK(false); /* the timer does not run in the other states */
    }
}

void gw_lookup_init(struct gw_lookup *lookup, const struct gw_lookup_ask *ask)
{
    *lookup = (struct gw_lookup) { .magic = GW_MAGIC(LOOKUP_MAGIC), .ask = *ask };
    gw_timer_init(&lookup->timer, lookup_on_timer);
}

void gw_lookup_cancel(struct gw_lookup *lookup)
{
    if (lookup->state == GW_LOOKUP_IDLE)
        return;
    gw_timer_stop(&lookup->timer);
    if (lookup->waiter)
        gw_coalescing_cancel(&lookup->waiter);
    if (lookup->question)
        gw_redis_cache_cancel(&lookup->question);
    gw_lead_pass_on(&lookup->lead);
    lookup_drop_stored(lookup);
    if (lookup->entry)
        gw_entry_unref(lookup->entry);
    _Static_assert(GW_LOOKUP_IDLE == 0, "zero is IDLE");
    memset((char *)lookup + offsetof(struct gw_lookup, state), 0, sizeof *lookup - offsetof(struct gw_lookup, state));
}

/* ---- background refreshes ---- */

static void lookup_on_nothing(void *owner, const struct gw_coalescing_event *event)
{
    (void)owner;
    (void)event;
}

bool gw_lead_begin(struct gw_lookups *lookups, const struct gw_cache_key *key, struct gw_lead *lead)
{
    struct gw_coalescing_ask ask = { .key = key,
                                     .worker = lookups->worker,
                                     .mailbox = lookups->mailbox,
                                     .on_event = lookup_on_nothing,
                                     .owner = lookups };
    enum gw_coalescing_role role = gw_coalescing_start(lookups->coalescing, &ask);
    if (role == GW_COALESCING_WAIT)
        gw_coalescing_cancel(&ask.waiter);
    *lead = (struct gw_lead) { .coalesced = ask.coalesced };
    return role == GW_COALESCING_LEAD;
}

enum gw_lead_put gw_lead_put(const struct gw_lead *lead, struct gw_memory_cache *memory_cache,
                             struct gw_redis_cache *redis_cache, struct gw_entry *entry, void (*on_stored)(void *owner),
                             void *owner)
{
    if (redis_cache && gw_redis_cache_is_up(redis_cache))
        return gw_redis_cache_put(redis_cache, entry, &lead->base_version, on_stored, owner) ? GW_LEAD_PUT_IN_REDIS
                                                                                             : GW_LEAD_PUT_NOWHERE;
    return gw_memory_cache_put(memory_cache, entry, lead->epoch) ? GW_LEAD_PUT_IN_MEMORY : GW_LEAD_PUT_NOWHERE;
}

void gw_stored_forget(const struct gw_cache_key *key, struct gw_memory_cache *memory_cache,
                      struct gw_redis_cache *redis_cache)
{
    gw_memory_cache_invalidate(memory_cache, key);
    if (redis_cache) {
        struct gw_redis_cache_question *question = gw_redis_cache_invalidate(redis_cache, key, NULL, NULL);
        gw_redis_cache_cancel(&question); /* the tombstone is sent all the same */
    }
}

bool gw_lookup_refresh_asks(const struct gw_lookups *lookups)
{
    return lookups->redis_cache && gw_redis_cache_is_up(lookups->redis_cache);
}

enum gw_lookup_answer gw_lookup_refresh(struct gw_lookup *lookup, struct gw_lead *lead)
{
    GW_CHECK_MAGIC(lookup, LOOKUP_MAGIC);
    GW_CHECK(lookup->state == GW_LOOKUP_IDLE);
    lookup->is_refresh = true;
    lookup->lead = *lead;
    *lead = (struct gw_lead) { .coalesced = NULL };
    return lookup_move_within(lookup, GW_LOOKUP_ON_REFRESHES);
}
