#include "fetch/look.h"

#include "base/clock.h"

enum { LEAST_WAIT_MS = 20, WAIT_SPREAD_MS = 31 };

/* A request that wants the backend's word waits for no other instance, whose fetch may have begun before it came. */
static bool wants_lease(const struct gw_fetch *fetch)
{
    return fetch->flight && fetch->fetcher->locks && !fetch->cache.must_validate;
}

bool gw_look_is_due(const struct gw_fetch *fetch)
{
    const struct gw_fetcher *fetcher = fetch->fetcher;
    if (!fetch->may_store || !fetcher->shared || !gw_shared_is_up(fetcher->shared))
        return false;
    return wants_lease(fetch) || fetch->seen.kind == GW_SEEN_NOTHING;
}

static void end_questions(struct gw_fetch *fetch)
{
    gw_timer_stop(&fetch->timer);
    gw_shared_forget(&fetch->look);
}

void gw_look_end(struct gw_fetch *fetch)
{
    end_questions(fetch);
    gw_fetch_lock_release(&fetch->lease);
    fetch->lease_due = false;
    gw_entry_unref(fetch->found);
    fetch->found = NULL;
}

static void conclude(struct gw_fetch *fetch)
{
    bool is_elsewhere = fetch->lease_result == GW_FETCH_LOCK_ELSEWHERE;
    gw_timer_stop(&fetch->timer);
    if (fetch->found) {
        gw_fetch_looked(fetch, GW_LOOK_FOUND);
    } else if (fetch->is_marked && !fetch->is_refresh) {
        gw_fetch_looked(fetch, GW_LOOK_ALONE);
    } else if (is_elsewhere && fetch->is_refresh) {
        gw_fetch_looked(fetch, GW_LOOK_NOTHING);
    } else if (is_elsewhere && gw_clock_monotonic_us() < fetch->look_until_us) {
        uint64_t spread = gw_random_next(&fetch->fetcher->locks->random) % WAIT_SPREAD_MS;
        fetch->has_waited = true;
        gw_timer_start(fetch->fetcher->timers, &fetch->timer, LEAST_WAIT_MS + spread);
    } else {
        gw_fetch_looked(fetch, GW_LOOK_ASK);
    }
}

/* What is stored by now: fresh, it is the answer; else it is what the backend is to confirm. NULL: nothing is, any
 * more. */
static void take_found(struct gw_fetch *fetch, struct gw_entry *entry, enum gw_reuse reuse)
{
    if (entry && reuse == GW_REUSE_FRESH) {
        fetch->found = entry;
        return;
    }
    gw_entry_unref(fetch->stored);
    fetch->stored = entry;
    fetch->stored_epoch = fetch->look_epoch;
}

static void on_look(void *owner, const struct gw_shared_answer *answer)
{
    struct gw_fetch *fetch = owner;
    fetch->look = NULL;
    fetch->is_marked = answer->is_hit_for_miss;
    if (answer->seen.kind != GW_SEEN_NOTHING) {
        fetch->seen = answer->seen;
        take_found(fetch, answer->entry, answer->reuse);
    }
    if (!fetch->lease_due || fetch->found)
        conclude(fetch);
}

static bool look(struct gw_fetch *fetch)
{
    fetch->look_epoch = gw_near_epoch(fetch->fetcher->near, &fetch->key);
    fetch->look = gw_shared_ask(fetch->fetcher->shared, &fetch->key, &fetch->cache, &fetch->request_head, on_look,
                                fetch);
    return fetch->look != NULL;
}

/* The look was sent behind it, and answers behind it; but where Redis did not know the script yet: then what the look
 * saw may be older than the lease. */
static void on_lease(void *owner, enum gw_fetch_lock_result result, bool is_changed)
{
    struct gw_fetch *fetch = owner;
    (void)is_changed;
    fetch->lease_due = false;
    fetch->lease_result = result;
    if (result != GW_FETCH_LOCK_TAKEN)
        fetch->lease = NULL;
    if (!fetch->look && (result != GW_FETCH_LOCK_TAKEN || !look(fetch)))
        conclude(fetch);
}

/* The lease first: what its last holder stored is seen by the look behind it. */
static bool ask(struct gw_fetch *fetch)
{
    struct gw_fetcher *fetcher = fetch->fetcher;
    fetch->lease_result = GW_FETCH_LOCK_UNKNOWN;
    if (wants_lease(fetch) && !fetch->lease) {
        fetch->lease = gw_fetch_lock_take(fetcher->locks, &fetch->key, &(struct gw_seen) { .kind = GW_SEEN_NOTHING },
                                          on_lease, fetch);
        fetch->lease_due = fetch->lease != NULL;
    }
    if (!look(fetch))
        return false;
    gw_timer_start(fetcher->timers, &fetch->timer, fetch->config->redis_timeout_ms);
    return true;
}

bool gw_look_begin(struct gw_fetch *fetch)
{
    fetch->look_until_us = gw_clock_monotonic_us() + (uint64_t)fetch->config->flight_wait_ms * 1000;
    if (ask(fetch))
        return true;
    gw_look_end(fetch);
    return false;
}

/* The store is silent, or it is time to look again. */
static void on_timer(struct gw_timer *timer)
{
    struct gw_fetch *fetch = GW_CONTAINER(timer, struct gw_fetch, timer);
    if (fetch->state != GW_FETCH_LOOKING) {
        gw_fetch_look_whether_awaited(fetch);
        return;
    }
    if (!fetch->look && !fetch->lease_due && ask(fetch))
        return;
    gw_look_end(fetch);
    gw_fetch_looked(fetch, GW_LOOK_ASK);
}

void gw_look_init(struct gw_fetch *fetch)
{
    gw_timer_init(&fetch->timer, on_timer);
}
