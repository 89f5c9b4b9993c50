/* reply.h: what Redis answered, as hiredis' parser hands it over, without a malloc.
 *
 * Problem  hiredis makes a tree of heap objects of each answer, and believes any length that the other side writes:
 *          an array said to have two thousand million elements is allocated first and freed one by one.
 * Shape    The parser's own constructors are replaced: one gw_reply a connection is filled and read again before the
 *          next answer is parsed. Known are status, error, number, nil, string, and a flat array of numbers (also
 *          written as strings, as TIME does). Everything else, and more than the bounds, ends the connection.
 * Bounds   GW_REPLY_INTEGERS numbers; text_bound bytes. Beyond GW_REPLY_KEPT_BYTES the text's memory is given back.
 * Threads  One loop's. */
#ifndef GW_STORE_REPLY_H
#define GW_STORE_REPLY_H

#include <hiredis/hiredis.h>
#include "base/check.h"
#include "base/slice.h"
#include "store/breaker.h"

enum { GW_REPLY_INTEGERS = 64, GW_REPLY_KEPT_BYTES = 1 << 20 };

enum gw_reply_kind {
    GW_REPLY_NONE,
    GW_REPLY_STATUS,
    GW_REPLY_ERROR,
    GW_REPLY_INTEGER,
    GW_REPLY_NIL,
    GW_REPLY_STRING,
    GW_REPLY_ARRAY, /* of numbers */
};

struct gw_reply {
    redisReply shell;      /* first, for hiredis looks at its type */
    struct gw_magic magic; /* from init to free */
    size_t text_bound;

    enum gw_reply_kind kind;
    int64_t integers[GW_REPLY_INTEGERS];
    unsigned integer_count; /* INTEGER: 1 */
    char *text;             /* STATUS, ERROR, STRING; owned */
    size_t text_length, text_capacity;
};

void gw_reply_init(struct gw_reply *reply, size_t text_bound);
void gw_reply_free(struct gw_reply *reply);
/* Makes the reader fill this reply. */
void gw_reply_attach(struct gw_reply *reply, redisReader *reader);

static inline struct gw_slice gw_reply_text(const struct gw_reply *reply)
{
    return gw_slice_of(reply->text, reply->text_length);
}

/* What Redis says, for a person: printable ASCII, other bytes as \\x1f, cut to size (at least 8 bytes; terminated). Not
 * told is what it repeats of the gateway's own words, since they may be the password. */
void gw_reply_quote(struct gw_slice words, struct gw_slice password, char *told, size_t size);

/* What an error reply means for the node. */
enum gw_reply_fault {
    GW_REPLY_FAULT_CALL,   /* this call's alone */
    GW_REPLY_FAULT_OOM,    /* maxmemory */
    GW_REPLY_FAULT_SCRIPT, /* NOSCRIPT */
    GW_REPLY_FAULT_TYPE,   /* WRONGTYPE: something else lies at the key */
    GW_REPLY_FAULT_NODE,   /* it cannot serve now: reason */
};
/* reason is set for NODE. Also what a script's error hides: "ERR Error running script …: -READONLY …" (Redis 6). */
enum gw_reply_fault gw_reply_fault(struct gw_slice text, enum gw_breaker_reason *reason);

#endif
