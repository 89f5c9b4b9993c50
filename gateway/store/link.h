/* link.h: one connection to a Redis node, kept up: resolve, connect, log in; again with jittered backoff when it is
 * lost.
 *
 * Shape    hiredis' asynchronous context on libuv: a uv_poll that stays readable for the connection's life, and
 *          commands that leave in one write a loop turn, from a uv_prepare that runs only in turns that asked
 *          something. Names are resolved anew for each attempt, all addresses in turn; hiredis sees literal ones
 *          only. Log-in is AUTH, SELECT, CLIENT SETNAME and SCRIPT LOAD in one write.
 * Guards   hiredis aborts the process on an answer to nothing, and lets a surplus answer pass for that of a command
 *          not yet sent; both are told apart by counting what was flushed and answered, before hiredis sees it.
 *          Replies over text_bound, also unfinished ones, end the connection.
 * Silence  An answer is due and no byte came for redis.timeout. Slow and large is not silence.
 * Owner    The link lies in its owner's memory, which is freed after the loop ended. on_up and on_down run from the
 *          loop.
 * Threads  One loop's. */
#ifndef GW_STORE_LINK_H
#define GW_STORE_LINK_H

#include <uv.h>
#include "base/check.h"
#include "base/random.h"
#include "base/resolver.h"
#include "base/timer.h"
#include "config/config.h"
#include "store/breaker.h"
#include "store/reply.h"
#include "store/scripts.h"

struct gw_link;
struct gw_link_wire; /* one connection */
struct gw_tls;

struct gw_link_setup {
    uv_loop_t *loop;
    struct gw_timers *timers;
    const struct gw_redis_node *node;
    const struct gw_config *config;
    const char *client_name;
    const struct gw_scripts *scripts;     /* NULL: none are loaded */
    unsigned least_wait_ms, most_wait_ms; /* between attempts */
    void (*on_up)(void *context);
    /* A connection or an attempt ended; NONE: it was closed while nothing was due; gw_link_said says more. Not after
     * gw_link_close. */
    void (*on_down)(void *context, enum gw_breaker_reason reason);
    void *context;
};

/* A command's place: it lies in whatever the answer is for. */
struct gw_link_asked {
    /* Runs once for each gw_link_ask, from the loop; NULL: no answer will come. */
    void (*on_reply)(struct gw_link_asked *asked, const struct gw_reply *reply);

    struct gw_magic magic; /* from the asking on */
    struct gw_link *link;
};

enum gw_link_state {
    GW_LINK_CLOSED,
    GW_LINK_WAITING,
    GW_LINK_RESOLVING,
    GW_LINK_CONNECTING,
    GW_LINK_LOGIN,
    GW_LINK_UP
};

enum { GW_LINK_STEPS = 3 + GW_STORE_SCRIPTS };

struct gw_link {
    struct gw_magic magic; /* from open to free */
    struct gw_link_setup setup;
    struct gw_tls *tls;
    size_t text_bound;

    enum gw_link_state state;
    struct gw_link_wire *wire;
    struct gw_resolver resolver;
    struct gw_resolver_question question; /* RESOLVING: asked */
    struct gw_timer timer;                /* attempt, wait or silence, by state */
    uv_prepare_t prepare;
    struct gw_random random;
    unsigned attempts; /* in a row that failed */
    struct gw_resolver_addresses found;
    unsigned next_address;
    enum gw_breaker_reason reason;       /* why the connection is being dropped */
    enum gw_breaker_reason first_reason; /* of this attempt's addresses, the first that could not be connected to */
    bool is_quiet;                       /* nobody waits for it: no reason to tell */
    char said[GW_BREAKER_SAID_BYTES];    /* beside the reason */
    uint64_t up_at_us;

    uint64_t asked, flushed, answered; /* commands of this connection */
    uint64_t quiet_from_us;            /* since when an answer is due and nothing came */
    uint64_t turn_us;                  /* the clock as this turn read it; 0: not yet */
    struct gw_link_asked login;
    unsigned char steps[GW_LINK_STEPS];
    unsigned step_count, steps_done;
    struct gw_reply reply;
};

/* Connects from the loop. False when memory is out, or TLS cannot be had. */
bool gw_link_open(struct gw_link *link, const struct gw_link_setup *setup) GW_MUST_CHECK;
/* What was asked is answered NULL; on_up and on_down run no more. */
void gw_link_close(struct gw_link *link);
/* After the loop ended. */
void gw_link_free(struct gw_link *link);

static inline bool gw_link_is_up(const struct gw_link *link)
{
    return link->state == GW_LINK_UP;
}
/* Asks a command in RESP, whose last argument may lie apart: its bytes follow the command, with CRLF. Both are copied.
 * False: not asked. */
bool gw_link_ask(struct gw_link *link, struct gw_link_asked *asked, struct gw_slice command, struct gw_slice last);
/* Now, not at the turn's end. */
void gw_link_flush(struct gw_link *link);
/* Drops the connection, as if it were lost for this reason. */
void gw_link_drop(struct gw_link *link, enum gw_breaker_reason reason);
/* The same, at the turn's end: no on_reply runs before this returns. Nothing can be asked from here on. */
void gw_link_break(struct gw_link *link, enum gw_breaker_reason reason);
/* Keeps what the node said, for a person, where nothing is kept yet: cut, escaped, and without what it may repeat of the
 * password. Before gw_link_drop. */
void gw_link_say(struct gw_link *link, struct gw_slice words);
/* What was said of the last end: for on_down; "" where nothing was. */
static inline const char *gw_link_said(const struct gw_link *link)
{
    return link->said;
}
/* CLOCK_MONOTONIC, read once a turn. */
uint64_t gw_link_now_us(struct gw_link *link);

#endif
