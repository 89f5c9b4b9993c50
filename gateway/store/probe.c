#include "store/probe.h"

#include <stdlib.h>
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/instances.h"
#include "store/link.h"
#include "store/node.h"
#include "store/resp.h"

enum {
    PROBE_TICK_MS = 100,
    PROBE_MOST_WAIT_MS = 1000,
    PROBE_MISSED_BEATS = 3, /* an instance that missed so many heartbeats is gone */
    PROBE_CALM_US = 10 * 1000 * 1000,
    PROBE_YOUNG_US = 5 * 1000 * 1000,         /* for so long the probe counts at each tick */
    PROBE_SETTLED_AFTER_US = 2 * 1000 * 1000, /* at the latest, whatever Redis does */
    PROBE_ID_BYTES = 96,
    PROBE_COMMAND_BYTES = 512,
};

/* The commands of a round, in the order of their answers. */
enum step { STEP_PING, STEP_INFO, STEP_TIME, STEP_ADD, STEP_REMOVE, STEP_COUNT, STEP_EXPIRE, STEPS };

enum { PROBE_MAGIC = 0x50524f42 };

struct gw_probe {
    struct gw_magic magic;
    struct gw_probe_setup setup;
    char id[PROBE_ID_BYTES], client_name[PROBE_ID_BYTES + 32];

    struct gw_link link;
    struct gw_link_asked asked;
    struct gw_timer timer; /* for a tick: is a round due? */
    struct gw_random random;
    enum step step;      /* the command whose answer is awaited; STEPS: no round is under way */
    enum step last_step; /* of the commands that were sent */
    uint64_t next_round_us, closed_at_us;
    uint64_t wait_ms;    /* between rounds while open */
    uint64_t told_at_us; /* the opening whose end was logged */
    int64_t server_ms;   /* Redis' clock */
    bool is_up;          /* as main last saw it */
    struct gw_instances counted;
    atomic_uint instances;          /* of the census */
    uint64_t young_until_us;        /* till then a round at each tick */
    _Atomic uint64_t settled_at_us; /* when the others have counted this instance, or need not be waited for */
    bool was_counted;
};

/* ---- the breaker, as main sees it ---- */

static void probe_look(struct gw_probe *probe)
{
    bool is_up = !gw_breaker_is_open(probe->setup.breaker);
    if (is_up == probe->is_up)
        return;
    probe->is_up = is_up;
    if (probe->setup.on_change)
        probe->setup.on_change(probe->setup.context, is_up);
}

static void probe_close_breaker(struct gw_probe *probe, uint64_t now_us)
{
    struct gw_breaker *breaker = probe->setup.breaker;
    uint64_t logged_at_us = atomic_load_explicit(&breaker->logged_at_us, memory_order_relaxed);
    if (!gw_breaker_is_open(breaker))
        return;
    probe_look(probe); /* an opening that no tick saw */
    gw_breaker_close(breaker);
    probe->closed_at_us = now_us;
    if (logged_at_us != probe->told_at_us)
        gw_log(GW_LOG_INFO, "store", "%s: answers again", probe->setup.node->url_masked.at);
    probe->told_at_us = logged_at_us;
    probe_look(probe);
}

/* ---- a round ---- */

static void probe_on_reply(struct gw_link_asked *asked, const struct gw_reply *reply);

static void probe_ask(struct gw_probe *probe, enum step step, struct gw_buffer *command)
{
    if (command->overflowed || !gw_link_ask(&probe->link, &probe->asked, gw_buffer_slice(command), GW_NO_SLICE))
        gw_link_break(&probe->link, GW_BREAKER_LOST);
    else
        probe->last_step = step;
    command->length = 0;
}

static void probe_put_key(struct gw_probe *probe, struct gw_buffer *command)
{
    static const struct gw_slice name = { "instances", 9 };
    struct gw_slice prefix = probe->setup.config->redis_prefix;
    gw_resp_put_length(command, prefix.length + name.length);
    gw_buffer_put_slice(command, prefix);
    gw_buffer_put_slice(command, name);
    gw_buffer_put_literal(command, "\r\n");
}

static void probe_begin_round(struct gw_probe *probe)
{
    char memory[PROBE_COMMAND_BYTES];
    struct gw_buffer command = gw_buffer_over(memory, sizeof(memory));
    probe->step = STEP_PING;
    gw_resp_begin(&command, 1);
    gw_resp_put(&command, GW_SLICE("PING"));
    probe_ask(probe, STEP_PING, &command);
    gw_resp_begin(&command, 2);
    gw_resp_put(&command, GW_SLICE("INFO"));
    gw_resp_put(&command, GW_SLICE("replication"));
    probe_ask(probe, STEP_INFO, &command);
    gw_resp_begin(&command, 1);
    gw_resp_put(&command, GW_SLICE("TIME"));
    probe_ask(probe, STEP_TIME, &command);
}

static void probe_ask_heartbeat(struct gw_probe *probe)
{
    char memory[PROBE_COMMAND_BYTES];
    struct gw_buffer command = gw_buffer_over(memory, sizeof(memory));
    int64_t missed_ms = (int64_t)probe->setup.config->redis_heartbeat_ms * PROBE_MISSED_BEATS;
    gw_resp_begin(&command, 4);
    gw_resp_put(&command, GW_SLICE("ZADD"));
    probe_put_key(probe, &command);
    gw_resp_put_uint(&command, (uint64_t)probe->server_ms);
    gw_resp_put(&command, gw_slice_of_string(probe->id));
    probe_ask(probe, STEP_ADD, &command);
    gw_resp_begin(&command, 4);
    gw_resp_put(&command, GW_SLICE("ZREMRANGEBYSCORE"));
    probe_put_key(probe, &command);
    gw_resp_put(&command, GW_SLICE("-inf"));
    gw_resp_put_uint(&command, (uint64_t)(probe->server_ms > missed_ms ? probe->server_ms - missed_ms : 0));
    probe_ask(probe, STEP_REMOVE, &command);
    gw_resp_begin(&command, 2);
    gw_resp_put(&command, GW_SLICE("ZCARD"));
    probe_put_key(probe, &command);
    probe_ask(probe, STEP_COUNT, &command);
    gw_resp_begin(&command, 3);
    gw_resp_put(&command, GW_SLICE("PEXPIRE"));
    probe_put_key(probe, &command);
    gw_resp_put_uint(&command, (uint64_t)missed_ms);
    probe_ask(probe, STEP_EXPIRE, &command);
}

static void probe_end_round(struct gw_probe *probe)
{
    uint64_t now_us = gw_clock_monotonic_us();
    probe->step = STEPS;
    probe->next_round_us = now_us + (uint64_t)probe->setup.config->redis_heartbeat_ms * 1000;
    if (now_us < probe->young_until_us)
        probe->next_round_us = now_us; /* at the next tick */
    probe_close_breaker(probe, now_us);
}

/* ---- answers ---- */

static bool probe_is_primary(struct gw_slice info)
{
    const char *role = info.length ? memmem(info.at, info.length, "role:", 5) : NULL;
    struct gw_slice rest = role ? gw_slice_of(role + 5, info.length - (size_t)(role + 5 - info.at)) : GW_NO_SLICE;
    return gw_slice_starts_with(rest, GW_SLICE("master"));
}

/* Some lists of permissions have no INFO; the heartbeat then shows whether the node takes writes. */
static bool probe_is_forgiven(enum step step, struct gw_slice text)
{
    enum gw_breaker_reason reason;
    if (step == STEP_INFO)
        return gw_node_is_denied(text);
    return step >= STEP_ADD && gw_reply_fault(text, &reason) == GW_REPLY_FAULT_OOM;
}

/* The reason why this answer is not good, or NONE. */
static enum gw_breaker_reason probe_take(struct gw_probe *probe, enum step step, const struct gw_reply *reply)
{
    enum gw_breaker_reason reason = GW_BREAKER_NONSENSE;
    if (reply->kind == GW_REPLY_ERROR) {
        if (probe_is_forgiven(step, gw_reply_text(reply)))
            return GW_BREAKER_NONE;
        reason = GW_BREAKER_REFUSED;
        (void)gw_reply_fault(gw_reply_text(reply), &reason);
        gw_link_say(&probe->link, gw_reply_text(reply));
        return reason;
    }
    switch (step) {
    case STEP_PING:
        return reply->kind == GW_REPLY_STATUS ? GW_BREAKER_NONE : reason;
    case STEP_INFO:
        if (reply->kind != GW_REPLY_STRING)
            return reason;
        if (probe_is_primary(gw_reply_text(reply)))
            return GW_BREAKER_NONE;
        gw_link_say(&probe->link, GW_SLICE("it is a replica"));
        return GW_BREAKER_READONLY;
    case STEP_TIME:
        if (reply->kind != GW_REPLY_ARRAY || reply->integer_count != 2 || reply->integers[0] > INT64_MAX / 1000 - 1)
            return reason;
        probe->server_ms = reply->integers[0] * 1000 + reply->integers[1] / 1000;
        return GW_BREAKER_NONE;
    default:
        return reply->kind == GW_REPLY_INTEGER ? GW_BREAKER_NONE : reason;
    }
}

static void probe_settle(struct gw_probe *probe, uint64_t at_us)
{
    if (at_us < atomic_load_explicit(&probe->settled_at_us, memory_order_relaxed))
        atomic_store_explicit(&probe->settled_at_us, at_us, memory_order_relaxed);
}

/* Others count once in each heartbeat. If there are others, the first count is followed by the time in which each of
 * them counts this instance, too. */
static void probe_count_instances(struct gw_probe *probe, unsigned count)
{
    uint64_t now_us = gw_clock_monotonic_us();
    uint64_t heartbeat_us = (uint64_t)probe->setup.config->redis_heartbeat_ms * 1000;
    if (gw_instances_take(&probe->counted, count, now_us))
        probe->young_until_us = now_us + PROBE_YOUNG_US; /* instances often start together */
    atomic_store_explicit(&probe->instances, probe->counted.believed, memory_order_relaxed);
    if (probe->was_counted)
        return;
    probe->was_counted = true;
    probe->young_until_us = now_us + PROBE_YOUNG_US;
    uint64_t counted_at_us = count > 1 ? now_us + heartbeat_us + PROBE_TICK_MS * 1000 : now_us;
    probe_settle(probe, counted_at_us);
}

static void probe_on_reply(struct gw_link_asked *asked, const struct gw_reply *reply)
{
    struct gw_probe *probe = GW_CONTAINER(asked, struct gw_probe, asked);
    GW_CHECK_MAGIC(probe, PROBE_MAGIC);
    if (!reply || probe->step == STEPS)
        return; /* on_down gets the reason */
    enum step step = probe->step++;
    enum gw_breaker_reason reason = probe_take(probe, step, reply);
    if (reason != GW_BREAKER_NONE) {
        probe->step = STEPS;
        gw_link_drop(&probe->link, reason);
        return;
    }
    if (step == STEP_COUNT && reply->kind == GW_REPLY_INTEGER && reply->integers[0] > 0)
        probe_count_instances(probe, (unsigned)reply->integers[0]);
    if (step != probe->last_step)
        return;
    if (step == STEP_TIME && probe->setup.keeps_heartbeat)
        probe_ask_heartbeat(probe);
    else
        probe_end_round(probe);
}

/* ---- when ---- */

static void probe_on_up(void *context)
{
    struct gw_probe *probe = GW_FROM_CONTEXT(context, struct gw_probe, PROBE_MAGIC);
    probe_begin_round(probe);
}

static void probe_on_down(void *context, enum gw_breaker_reason reason)
{
    struct gw_probe *probe = GW_FROM_CONTEXT(context, struct gw_probe, PROBE_MAGIC);
    probe->step = STEPS;
    uint64_t now_us = gw_clock_monotonic_us();
    if (reason != GW_BREAKER_NONE)
        gw_breaker_open(probe->setup.breaker, reason, gw_link_said(&probe->link), now_us);
    probe_settle(probe, now_us); /* Redis is away: a start does not wait for it */
    probe_look(probe);
}

/* Another connection opened the breaker though this one lives: probe soon, but slower each time within a while. */
static void probe_notice_opening(struct gw_probe *probe, uint64_t now_us)
{
    bool is_calm = now_us - probe->closed_at_us > PROBE_CALM_US;
    probe->wait_ms = is_calm ? PROBE_TICK_MS : probe->wait_ms * 2;
    if (probe->wait_ms > PROBE_MOST_WAIT_MS)
        probe->wait_ms = PROBE_MOST_WAIT_MS;
    probe->next_round_us = now_us + (probe->wait_ms / 2 + gw_random_next(&probe->random) % (probe->wait_ms / 2)) * 1000;
}

static void probe_on_tick(struct gw_timer *timer)
{
    struct gw_probe *probe = GW_CONTAINER(timer, struct gw_probe, timer);
    GW_CHECK_MAGIC(probe, PROBE_MAGIC);
    GW_CHECK(probe->step == STEPS || probe->step <= probe->last_step);
    uint64_t now_us = gw_clock_monotonic_us();
    gw_timer_start(probe->setup.timers, timer, PROBE_TICK_MS);
    if (probe->is_up && gw_breaker_is_open(probe->setup.breaker))
        probe_notice_opening(probe, now_us);
    probe_look(probe);
    if (gw_link_is_up(&probe->link) && probe->step == STEPS && now_us >= probe->next_round_us)
        probe_begin_round(probe);
}

/* ---- open and close ---- */

static void probe_put_names(struct gw_probe *probe, const char *instance_id)
{
    struct gw_buffer id = gw_buffer_over(probe->id, sizeof(probe->id) - 1);
    struct gw_buffer name = gw_buffer_over(probe->client_name, sizeof(probe->client_name) - 1);
    gw_buffer_put(&id, instance_id, strnlen(instance_id, sizeof(probe->id) - 1));
    gw_buffer_put_literal(&name, "visara-gateway:");
    gw_buffer_put_slice(&name, gw_buffer_slice(&id));
    gw_buffer_put_literal(&name, ":main");
}

struct gw_probe *gw_probe_open(const struct gw_probe_setup *setup)
{
    struct gw_probe *probe = calloc(1, sizeof(*probe));
    if (!probe)
        return NULL;
    unsigned expected = setup->config->expected_instances;
    probe->magic = GW_MAGIC(PROBE_MAGIC);
    probe->setup = *setup;
    probe_put_names(probe, setup->instance_id);
    probe->asked.on_reply = probe_on_reply;
    probe->step = STEPS;
    probe->wait_ms = PROBE_TICK_MS;
    probe->is_up = !gw_breaker_is_open(setup->breaker);
    probe->counted.believed = expected ? expected : 1;
    atomic_init(&probe->instances, probe->counted.believed);
    atomic_init(&probe->settled_at_us, setup->keeps_heartbeat ? gw_clock_monotonic_us() + PROBE_SETTLED_AFTER_US : 0);
    gw_random_init(&probe->random);
    gw_timer_init(&probe->timer, probe_on_tick);
    atomic_store_explicit(&setup->breaker->node, setup->node->url_masked.at, memory_order_relaxed);
    const struct gw_link_setup link = {
        .loop = setup->loop,
        .timers = setup->timers,
        .node = setup->node,
        .config = setup->config,
        .client_name = probe->client_name,
        .least_wait_ms = PROBE_TICK_MS,
        .most_wait_ms = PROBE_MOST_WAIT_MS,
        .on_up = probe_on_up,
        .on_down = probe_on_down,
        .context = probe,
    };
    if (!gw_link_open(&probe->link, &link)) {
        free(probe);
        return NULL;
    }
    gw_timer_start(setup->timers, &probe->timer, PROBE_TICK_MS);
    return probe;
}

void gw_probe_close(struct gw_probe *probe)
{
    char memory[PROBE_COMMAND_BYTES];
    struct gw_buffer command = gw_buffer_over(memory, sizeof(memory));
    probe->step = STEPS;
    if (probe->setup.keeps_heartbeat && gw_link_is_up(&probe->link)) {
        gw_resp_begin(&command, 3);
        gw_resp_put(&command, GW_SLICE("ZREM"));
        probe_put_key(probe, &command);
        gw_resp_put(&command, gw_slice_of_string(probe->id));
        if (gw_link_ask(&probe->link, &probe->asked, gw_buffer_slice(&command), GW_NO_SLICE))
            gw_link_flush(&probe->link);
    }
    gw_timer_stop(&probe->timer);
    gw_link_close(&probe->link);
}

void gw_probe_free(struct gw_probe **probe)
{
    struct gw_probe *gone = *probe;
    *probe = NULL;
    if (!gone)
        return;
    GW_CHECK_MAGIC(gone, PROBE_MAGIC);
    gone->magic = GW_NO_MAGIC;
    gw_link_free(&gone->link);
    free(gone);
}

unsigned gw_probe_instances(struct gw_probe *probe)
{
    return atomic_load_explicit(&probe->instances, memory_order_relaxed);
}

bool gw_probe_is_settled(const struct gw_probe *probe)
{
    return gw_clock_monotonic_us() >= atomic_load_explicit(&probe->settled_at_us, memory_order_relaxed);
}
