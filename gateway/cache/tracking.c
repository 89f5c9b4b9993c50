#include "cache/tracking.h"

#include <stdio.h>
#include <stdlib.h>
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "store/node.h"
#include "store/push_connection.h"
#include "store/resp.h"
#include "store/tls.h"

enum {
    LOOK_EACH_MS = 50,
    BEAT_EACH_US = 1000000,
    LEAST_WAIT_US = 50000,
    MOST_WAIT_US = 2000000,
    REFUSED_WAIT_US = 60000000,
    WHY_BYTES = 160,
    MOST_ASKED = 8, /* of one side, unanswered */
    PREFIX_BYTES = GW_KEY_PREFIX_BYTES + sizeof "cache:",
    COMMAND_BYTES = 1024, /* CLIENT TRACKING with two prefixes; the log-in has a buffer of its own */
};

/* What is asked, in this order; its answers come in the same. */
enum ask { ASK_LOGIN, ASK_NAME, ASK_ID, ASK_SUBSCRIBE, ASK_TRACKING, ASK_PING };

enum { SIDE_MAGIC = 0x53494445, TRACKING_MAGIC = 0x54524143 }; /* SIDE, TRAC */

struct side {
    struct gw_magic magic;
    struct gw_tracking *tracking;
    struct gw_push_connection connection;

    enum ask asked[MOST_ASKED];
    unsigned asked_count;
    uint64_t due_at_us; /* of the first answer, or of the connection; 0: nothing is */
    bool was_late;      /* at the last look */
};

/*   WAITING ──► SEEKING ──► SUBSCRIBING ──► TRACKING ──► UP
 *      ▲      name known    subscribed and     accepted    │
 *      └──────────────── whatever fails ◄──────────────────┘ */
enum state { WAITING, RESOLVING, SUBSCRIBING, TRACKING, UP };

struct gw_tracking {
    struct gw_magic magic;
    struct gw_tracking_setup setup;
    struct gw_tls *tls;
    uint64_t answer_after_us, connect_after_us;

    enum state state;
    atomic_bool is_up;
    struct gw_timer timer;
    struct gw_random random;
    unsigned breaker_epoch;
    uint64_t retry_at_us, wait_us, beat_at_us;
    unsigned attempts;
    struct gw_resolver resolver;
    struct gw_resolver_question question; /* SEEKING: asked */
    struct gw_resolver_addresses found;
    char address[GW_RESOLVER_TEXT_BYTES]; /* of both sides */
    struct side subscriber, tracker;
    int64_t subscriber_id; /* 0: not known yet */
    bool is_subscribed, is_refusal_told;
    char lost_why[WHY_BYTES]; /* not told yet; "" where there is nothing to tell */
};

static const char channel[] = "__redis__:invalidate";

/* ---- modes ---- */

static void tracking_forget_key(const struct gw_tracking *tracking, const struct gw_cache_key *key)
{
    gw_memory_cache_invalidate(tracking->setup.memory_cache, key);
    if (tracking->setup.on_invalidated)
        tracking->setup.on_invalidated(tracking->setup.context, key);
}

static void tracking_forget_all(struct gw_tracking *tracking)
{
    gw_memory_cache_flush(tracking->setup.memory_cache);
    if (tracking->setup.on_invalidated)
        tracking->setup.on_invalidated(tracking->setup.context, NULL);
}

static void tracking_choose_mode(struct gw_tracking *tracking)
{
    enum gw_memory_cache_mode mode = gw_breaker_is_open(tracking->setup.breaker) ? GW_MEMORY_CACHE_OUTAGE
                                     : tracking->state == UP                     ? GW_MEMORY_CACHE_SHARED
                                                                                 : GW_MEMORY_CACHE_CLOSED;
    if (mode != gw_memory_cache_mode(tracking->setup.memory_cache))
        gw_memory_cache_set_mode(tracking->setup.memory_cache, mode);
}

static void tracking_set_state(struct gw_tracking *tracking, enum state state)
{
    tracking->state = state;
    atomic_store_explicit(&tracking->is_up, state == UP, memory_order_relaxed);
    tracking_choose_mode(tracking);
}

static uint64_t tracking_jittered_wait(struct gw_tracking *tracking)
{
    uint64_t wait_us = tracking->wait_us;
    tracking->wait_us = wait_us * 2 < MOST_WAIT_US ? wait_us * 2 : MOST_WAIT_US;
    return wait_us / 2 + gw_random_next(&tracking->random) % wait_us;
}

static void tracking_close_pair(struct gw_tracking *tracking)
{
    gw_resolver_cancel(&tracking->question);
    gw_push_connection_close(&tracking->subscriber.connection);
    gw_push_connection_close(&tracking->tracker.connection);
    tracking->subscriber.asked_count = tracking->tracker.asked_count = 0;
    tracking->subscriber.due_at_us = tracking->tracker.due_at_us = 0;
    tracking->subscriber_id = 0;
    tracking->is_subscribed = false;
    tracking_set_state(tracking, WAITING);
}

static void tracking_lose_pair(struct gw_tracking *tracking, const char *why)
{
    if (tracking->state == UP)
        snprintf(tracking->lost_why, sizeof tracking->lost_why, "%s", why);
    tracking_close_pair(tracking);
    tracking->retry_at_us = gw_clock_monotonic_us() + tracking_jittered_wait(tracking);
}

/* Where Redis itself is away, the store tells so, and that is why: only what is lost beside a Redis that serves is told
 * here. */
static void tracking_tell_loss(struct gw_tracking *tracking)
{
    if (tracking->lost_why[0])
        gw_log(GW_LOG_WARN, "cache",
               "invalidations from %s are not heard: %s; without a cache in memory until they are",
               tracking->setup.node->url_masked.at, tracking->lost_why);
    tracking->lost_why[0] = '\0';
}

static void tracking_take_refusal(struct gw_tracking *tracking, const char *said)
{
    if (!tracking->is_refusal_told)
        gw_log(GW_LOG_ERROR, "cache",
               "%s refuses CLIENT TRACKING or its channel (%s): without a cache in memory, each hit costs a look-up",
               tracking->setup.node->url_masked.at, said);
    tracking->is_refusal_told = true;
    tracking_close_pair(tracking);
    tracking->retry_at_us = gw_clock_monotonic_us() + REFUSED_WAIT_US;
}

static void tracking_establish(struct gw_tracking *tracking)
{
    tracking->wait_us = LEAST_WAIT_US;
    tracking->beat_at_us = gw_clock_monotonic_us() + BEAT_EACH_US;
    tracking->is_refusal_told = false;
    tracking_set_state(tracking, UP);
    gw_log(GW_LOG_INFO, "cache", "invalidations from %s are heard", tracking->setup.node->url_masked.at);
}

/* ---- asking ---- */

static bool tracking_send(struct side *side, enum ask ask, struct gw_slice command)
{
    if (side->asked_count == MOST_ASKED || !gw_push_connection_send(&side->connection, command))
        return false;
    if (!side->asked_count)
        side->due_at_us = gw_clock_monotonic_us() + side->tracking->answer_after_us;
    side->asked[side->asked_count++] = ask;
    return true;
}

static bool tracking_put(struct side *side, enum ask ask, const struct gw_slice *arguments, unsigned count)
{
    char memory[COMMAND_BYTES];
    struct gw_buffer command = gw_buffer_over(memory, sizeof memory);
    gw_resp_begin(&command, count);
    for (unsigned i = 0; i < count; i++)
        gw_resp_put(&command, arguments[i]);
    return !command.overflowed && tracking_send(side, ask, gw_buffer_slice(&command));
}

#define SEND(side, ask, ...)                                                                                           \
    tracking_put(side, ask, (const struct gw_slice[]) { __VA_ARGS__ },                                                 \
                 sizeof((const struct gw_slice[]) { __VA_ARGS__ }) / sizeof(struct gw_slice))

static bool tracking_put_login(void *owner, enum gw_node_step step, struct gw_slice command)
{
    struct side *side = GW_FROM_CONTEXT(owner, struct side, SIDE_MAGIC);
    return tracking_send(side, step == GW_NODE_NAME ? ASK_NAME : ASK_LOGIN, command);
}

static bool tracking_log_in(struct side *side, struct gw_slice name)
{
    return gw_node_log_in(side->tracking->setup.node, name, tracking_put_login, side);
}

static bool tracking_subscribe(struct side *side)
{
    return SEND(side, ASK_SUBSCRIBE, GW_SLICE("SUBSCRIBE"), gw_slice_of(channel, sizeof channel - 1));
}

static void tracking_on_subscriber_up(void *context)
{
    struct side *side = GW_FROM_CONTEXT(context, struct side, SIDE_MAGIC);
    side->due_at_us = 0;
    if (!tracking_log_in(side, GW_SLICE("visara-gateway:invalidations")) ||
        !SEND(side, ASK_ID, GW_SLICE("CLIENT"), GW_SLICE("ID")) || !tracking_subscribe(side))
        tracking_lose_pair(side->tracking, "memory is out");
}

static bool tracking_track(struct side *side)
{
    const struct gw_tracking *tracking = side->tracking;
    char cache[PREFIX_BYTES], purge[PREFIX_BYTES], digits[24];
    struct gw_slice prefix = tracking->setup.config->redis_prefix;
    struct gw_buffer caches = gw_buffer_over(cache, sizeof cache), purges = gw_buffer_over(purge, sizeof purge),
                     id = gw_buffer_over(digits, sizeof digits);
    gw_buffer_put_slice(&caches, prefix);
    gw_buffer_put_literal(&caches, "cache:");
    gw_buffer_put_slice(&purges, prefix);
    gw_buffer_put_literal(&purges, "purge:");
    gw_buffer_put_uint(&id, (uint64_t)tracking->subscriber_id);
    return SEND(side, ASK_TRACKING, GW_SLICE("CLIENT"), GW_SLICE("TRACKING"), GW_SLICE("ON"), GW_SLICE("REDIRECT"),
                gw_buffer_slice(&id), GW_SLICE("BCAST"), GW_SLICE("PREFIX"), gw_buffer_slice(&caches),
                GW_SLICE("PREFIX"), gw_buffer_slice(&purges));
}

static void tracking_on_tracker_up(void *context)
{
    struct side *side = GW_FROM_CONTEXT(context, struct side, SIDE_MAGIC);
    side->due_at_us = 0;
    if (!tracking_log_in(side, GW_SLICE("visara-gateway:tracking")) || !tracking_track(side))
        tracking_lose_pair(side->tracking, "memory is out");
}

static bool tracking_connect_side(struct side *side)
{
    struct gw_tracking *tracking = side->tracking;
    side->due_at_us = gw_clock_monotonic_us() + tracking->connect_after_us;
    return gw_push_connection_open(&side->connection, tracking->setup.loop, tracking->address);
}

static void tracking_begin_subscribing(struct gw_tracking *tracking)
{
    if (!tracking->found.count) {
        tracking_lose_pair(tracking, "its name is not known");
        return;
    }
    gw_resolver_print(&tracking->found.list[tracking->attempts++ % tracking->found.count], tracking->address);
    tracking_set_state(tracking, SUBSCRIBING);
    if (!tracking_connect_side(&tracking->subscriber))
        tracking_lose_pair(tracking, "it cannot be connected to");
}

static void tracking_on_found(struct gw_resolver_question *question, const struct gw_resolver_addresses *found)
{
    struct gw_tracking *tracking = GW_CONTAINER(question, struct gw_tracking, question);
    GW_CHECK_MAGIC(tracking, TRACKING_MAGIC);
    tracking->found = *found;
    tracking_begin_subscribing(tracking);
}

static void tracking_begin_seeking(struct gw_tracking *tracking)
{
    tracking_set_state(tracking, RESOLVING);
    switch (gw_node_resolve(tracking->setup.node, &tracking->resolver, &tracking->question, &tracking->found)) {
    case GW_RESOLVER_KNOWN:
        tracking_begin_subscribing(tracking);
        break;
    case GW_RESOLVER_ASKED:
        break;
    case GW_RESOLVER_OVERLOAD:
        tracking_lose_pair(tracking, "memory is out");
        break;
    }
}

/* ---- answers ---- */

/* What this server, or this user, will never do. Every other error is of the moment (LOADING, BUSY, a subscriber that is
 * gone by the time the answer comes): it heals, and is no matter of permissions. */
static bool tracking_is_refusal(enum ask ask, const char *text)
{
    struct gw_slice words = gw_slice_of_string(text);
    return ask != ASK_LOGIN && (gw_node_is_denied(words) || gw_slice_starts_with(words, GW_SLICE("ERR syntax error")) ||
                                gw_slice_starts_with(words, GW_SLICE("ERR wrong number")));
}

/* The pair may be gone afterwards. */
static void tracking_take_answer(struct side *side, enum ask ask, const struct gw_push_reply *reply)
{
    struct gw_tracking *tracking = side->tracking;
    bool is_good = ask == ASK_ID          ? reply->kind == GW_PUSH_INTEGER && reply->integer > 0
                   : ask == ASK_SUBSCRIBE ? reply->kind == GW_PUSH_SUBSCRIBED
                                          : reply->kind == GW_PUSH_TEXT || ask == ASK_NAME; /* a name is a courtesy */
    if (reply->kind == GW_PUSH_ERROR && ask != ASK_NAME && tracking_is_refusal(ask, reply->text)) {
        tracking_take_refusal(tracking, reply->text);
        return;
    }
    if (!is_good) {
        tracking_lose_pair(tracking, reply->kind == GW_PUSH_ERROR ? reply->text : "its answer makes no sense");
        return;
    }
    if (ask == ASK_ID)
        tracking->subscriber_id = reply->integer;
    if (ask == ASK_SUBSCRIBE)
        tracking->is_subscribed = true;
    if (ask == ASK_TRACKING)
        tracking_establish(tracking);
    if (tracking->state == SUBSCRIBING && tracking->is_subscribed && tracking->subscriber_id) {
        tracking_set_state(tracking, TRACKING);
        if (!tracking_connect_side(&tracking->tracker))
            tracking_lose_pair(tracking, "it cannot be connected to");
    }
}

static void tracking_on_reply(void *context, const struct gw_push_reply *reply)
{
    struct side *side = GW_FROM_CONTEXT(context, struct side, SIDE_MAGIC);
    if (reply->kind == GW_PUSH_MESSAGE) {
        if (reply->is_of_all)
            tracking_forget_all(side->tracking);
        return;
    }
    if (!side->asked_count) {
        tracking_lose_pair(side->tracking, "it answers what was not asked");
        return;
    }
    enum ask ask = side->asked[0];
    side->asked_count--;
    memmove(side->asked, side->asked + 1, side->asked_count * sizeof side->asked[0]);
    side->due_at_us = side->asked_count ? gw_clock_monotonic_us() + side->tracking->answer_after_us : 0;
    tracking_take_answer(side, ask, reply);
}

static bool tracking_is_of_purges(struct gw_slice prefix, struct gw_slice text)
{
    return gw_slice_starts_with(text, prefix) &&
           gw_slice_starts_with(gw_slice_of(text.at + prefix.length, text.length - prefix.length), GW_SLICE("purge:"));
}

/* A key of a variant has its base's before it: what answers under the base goes. Others are none of the memory cache. */
static void tracking_on_key(void *context, struct gw_slice text)
{
    const struct gw_tracking *tracking = GW_FROM_CONTEXT(context, struct side, SIDE_MAGIC)->tracking;
    struct gw_slice prefix = tracking->setup.config->redis_prefix;
    if (tracking->setup.on_purge && tracking_is_of_purges(prefix, text))
        tracking->setup.on_purge(tracking->setup.context);
    size_t base = prefix.length + GW_KEY_TEXT_BYTES;
    struct gw_cache_key key;
    if (text.length > base && text.at[base] == ':')
        text.length = base;
    if (gw_key_read_text(&key, prefix, text))
        tracking_forget_key(tracking, &key);
}

static void tracking_on_down(void *context, const char *why)
{
    struct side *side = GW_FROM_CONTEXT(context, struct side, SIDE_MAGIC);
    tracking_lose_pair(side->tracking, why);
}

/* ---- time ---- */

/* Twice in a row: where this process itself was held up, the answer is read between the two. */
static bool tracking_is_late(struct side *side, uint64_t now_us)
{
    bool was_late = side->was_late;
    side->was_late = side->due_at_us && now_us >= side->due_at_us;
    return was_late && side->was_late;
}

static void tracking_beat(struct gw_tracking *tracking, uint64_t now_us)
{
    tracking->beat_at_us = now_us + BEAT_EACH_US;
    if (!tracking_subscribe(&tracking->subscriber) || !SEND(&tracking->tracker, ASK_PING, GW_SLICE("PING")))
        tracking_lose_pair(tracking, "memory is out");
}

static void tracking_look(struct gw_tracking *tracking)
{
    struct gw_breaker *breaker = tracking->setup.breaker;
    uint64_t now_us = gw_clock_monotonic_us();
    unsigned epoch = atomic_load_explicit(&breaker->epoch, memory_order_relaxed);
    if (epoch != tracking->breaker_epoch) {
        tracking->breaker_epoch = epoch;
        tracking->lost_why[0] = '\0';
        tracking_close_pair(tracking);
        tracking->retry_at_us = now_us;
    }
    bool is_silent = tracking_is_late(&tracking->subscriber, now_us);
    is_silent |= tracking_is_late(&tracking->tracker, now_us);
    if (is_silent)
        tracking_lose_pair(tracking, "it is silent");
    if (tracking->state == UP && now_us >= tracking->beat_at_us)
        tracking_beat(tracking, now_us);
    if (tracking->state == WAITING && now_us >= tracking->retry_at_us && !gw_breaker_is_open(breaker)) {
        tracking_tell_loss(tracking);
        tracking_begin_seeking(tracking);
    }
    tracking_choose_mode(tracking);
}

static void tracking_on_timer(struct gw_timer *timer)
{
    struct gw_tracking *tracking = GW_CONTAINER(timer, struct gw_tracking, timer);
    GW_CHECK_MAGIC(tracking, TRACKING_MAGIC);
    tracking_look(tracking);
    gw_timer_start(tracking->setup.timers, &tracking->timer, LOOK_EACH_MS);
}

/* ---- life ---- */

static void tracking_init_side(struct gw_tracking *tracking, struct side *side, void (*on_up)(void *context))
{
    side->magic = GW_MAGIC(SIDE_MAGIC);
    side->tracking = tracking;
    side->connection = (struct gw_push_connection) { .node = tracking->setup.node,
                                                     .tls = tracking->tls,
                                                     .on_up = on_up,
                                                     .on_key = tracking_on_key,
                                                     .on_reply = tracking_on_reply,
                                                     .on_down = tracking_on_down,
                                                     .context = side };
}

struct gw_tracking *gw_tracking_open(const struct gw_tracking_setup *setup)
{
    struct gw_tracking *tracking = calloc(1, sizeof *tracking);
    if (!tracking)
        return NULL;
    tracking->magic = GW_MAGIC(TRACKING_MAGIC);
    tracking->setup = *setup;
    if (!gw_tls_create(setup->config, setup->node, &tracking->tls)) {
        free(tracking);
        return NULL;
    }
    tracking->answer_after_us = (uint64_t)setup->config->redis_timeout_ms * 4 * 1000;
    tracking->connect_after_us = (uint64_t)setup->config->redis_connect_timeout_ms * 1000;
    tracking->breaker_epoch = atomic_load_explicit(&setup->breaker->epoch, memory_order_relaxed);
    tracking->wait_us = LEAST_WAIT_US;
    gw_random_init(&tracking->random);
    gw_resolver_init(&tracking->resolver, setup->loop, 0);
    gw_resolver_init_question(&tracking->question, tracking_on_found);
    gw_timer_init(&tracking->timer, tracking_on_timer);
    tracking_init_side(tracking, &tracking->subscriber, tracking_on_subscriber_up);
    tracking_init_side(tracking, &tracking->tracker, tracking_on_tracker_up);
    tracking_set_state(tracking, WAITING);
    gw_timer_start(setup->timers, &tracking->timer, 0);
    return tracking;
}

void gw_tracking_close(struct gw_tracking *tracking)
{
    gw_timer_stop(&tracking->timer);
    tracking_close_pair(tracking);
    gw_resolver_close(&tracking->resolver);
    gw_memory_cache_set_mode(tracking->setup.memory_cache, GW_MEMORY_CACHE_CLOSED);
}

void gw_tracking_free(struct gw_tracking **taken)
{
    struct gw_tracking *tracking = *taken;
    *taken = NULL;
    if (!tracking)
        return;
    gw_resolver_free(&tracking->resolver);
    gw_tls_destroy(&tracking->tls);
    tracking->subscriber.magic = tracking->tracker.magic = GW_NO_MAGIC;
    tracking->magic = GW_NO_MAGIC;
    free(tracking);
}

bool gw_tracking_is_up(const struct gw_tracking *tracking)
{
    return atomic_load_explicit(&tracking->is_up, memory_order_relaxed);
}
