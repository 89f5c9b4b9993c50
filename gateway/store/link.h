/* link.h: one connection to a Redis node, kept up: it resolves, connects and logs in, and does so again with jittered
 * backoff when the connection is lost.
 *
 * Shape    hiredis' asynchronous context on libuv. A uv_poll stays readable for the connection's life. Commands leave
 *          in one write for each loop turn, from a uv_prepare that runs only in turns that asked something. Names are
 *          resolved anew for each attempt, and all addresses are tried in turn; hiredis sees only literal addresses.
 *          The log-in is AUTH, SELECT, CLIENT SETNAME and SCRIPT LOAD in one write.
 * Guards   hiredis aborts the process on an answer without a command, and takes a surplus answer for that of a command
 *          not yet sent. The link counts flushed commands and answers, and so finds both before hiredis sees them. A
 *          reply over text_bound, even an unfinished one, ends the connection.
 * Silence  An answer is due and no byte came for redis.timeout. A slow and large answer is not silence.
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
    const struct gw_scripts *scripts;     /* NULL: no scripts are loaded */
    unsigned least_wait_ms, most_wait_ms; /* between attempts */
    void (*on_up)(void *context);
    /* A connection or an attempt ended. NONE: it was closed while nothing was due. gw_link_said says more. Does not run
     * after gw_link_close. */
    void (*on_down)(void *context, enum gw_breaker_reason reason);
    void *context;
};

/* A command's place in the order of answers. It lies in the object that the answer is for. */
struct gw_link_asked {
    /* Runs once for each gw_link_ask, from the loop; NULL: no answer will come. */
    void (*on_reply)(struct gw_link_asked *asked, const struct gw_reply *reply);

    struct gw_magic magic; /* valid from asking until on_reply */
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
    struct gw_magic magic; /* valid from open until free */
    struct gw_link_setup setup;
    struct gw_tls *tls;
    size_t text_bound;

    enum gw_link_state state;
    struct gw_link_wire *wire;
    struct gw_resolver resolver;
    struct gw_resolver_question question; /* RESOLVING: the question that was asked */
    struct gw_timer timer;                /* for the attempt, the wait or silence, by state */
    uv_prepare_t prepare;
    struct gw_random random;
    unsigned attempts; /* that failed in a row */
    struct gw_resolver_addresses found;
    unsigned next_address;
    enum gw_breaker_reason reason;       /* why the connection is being dropped */
    enum gw_breaker_reason first_reason; /* why the first of this attempt's addresses failed */
    bool is_quiet;                       /* nothing waits for an answer: the end need not be reported */
    char said[GW_BREAKER_SAID_BYTES];    /* words for the reason */
    uint64_t up_at_us;

    uint64_t asked, flushed, answered; /* commands of this connection */
    uint64_t quiet_from_us;            /* when the wait began: an answer is due and no byte came since */
    uint64_t turn_us;                  /* the time as read in this turn; 0: not read yet */
    struct gw_link_asked login;
    unsigned char steps[GW_LINK_STEPS];
    unsigned step_count, steps_done;
    struct gw_reply reply;
};

/* Connects from the loop. False when memory is out, or TLS is not available. */
bool gw_link_open(struct gw_link *link, const struct gw_link_setup *setup) GW_MUST_CHECK;
/* Commands without an answer get NULL; on_up and on_down run no more. */
void gw_link_close(struct gw_link *link);
/* Call it after the loop has ended. */
void gw_link_free(struct gw_link *link);

static inline bool gw_link_is_up(const struct gw_link *link)
{
    return link->state == GW_LINK_UP;
}
/* Sends a command in RESP. Its last argument may lie apart: then its bytes follow the command, with CRLF. Both are
 * copied. False: the command is not sent. */
bool gw_link_ask(struct gw_link *link, struct gw_link_asked *asked, struct gw_slice command, struct gw_slice last);
/* Writes now, not at the turn's end. */
void gw_link_flush(struct gw_link *link);
/* Drops the connection, as if it were lost for this reason. */
void gw_link_drop(struct gw_link *link, enum gw_breaker_reason reason);
/* Does the same at the turn's end: no on_reply runs before this function returns. Nothing can be asked from here on. */
void gw_link_break(struct gw_link *link, enum gw_breaker_reason reason);
/* Keeps the node's words for a person, if none are kept yet: cut, escaped, and without any part that may repeat the
 * password. Call it before gw_link_drop. */
void gw_link_say(struct gw_link *link, struct gw_slice words);
/* The words for the last end, for on_down; "" if there were none. */
static inline const char *gw_link_said(const struct gw_link *link)
{
    return link->said;
}
/* CLOCK_MONOTONIC, read once a turn. */
uint64_t gw_link_now_us(struct gw_link *link);

#endif
