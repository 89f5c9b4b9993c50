/* reply.h: an answer of Redis, as hiredis' parser hands it over, without a malloc.
 *
 * Problem  hiredis makes a tree of heap objects of each answer, and believes any length that the other side writes: if
 *          an array claims two thousand million elements, hiredis first allocates them and later frees them one by one.
 * Shape    The parser's own constructors are replaced: each connection has one gw_reply, which is filled and read again
 *          before the next answer is parsed. The kinds are status, error, number, nil, string, and a flat array of
 *          numbers (also written as strings, as TIME does). Any other kind, and an answer over the bounds, ends the
 *          connection.
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
    redisReply shell;      /* first, because hiredis looks at its type */
    struct gw_magic magic; /* valid from init until free */
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

/* Redis' words for a person: printable ASCII, other bytes as \\x1f, cut to size (at least 8 bytes; with a NUL). Where
 * Redis repeats the gateway's own words, they are left out, because they may be the password. */
void gw_reply_quote(struct gw_slice words, struct gw_slice password, char *told, size_t size);

/* What an error reply means for the node. */
enum gw_reply_fault {
    GW_REPLY_FAULT_CALL,   /* only this call failed */
    GW_REPLY_FAULT_OOM,    /* maxmemory */
    GW_REPLY_FAULT_SCRIPT, /* NOSCRIPT */
    GW_REPLY_FAULT_TYPE,   /* WRONGTYPE: the key has another type */
    GW_REPLY_FAULT_NODE,   /* the node cannot serve now: reason */
};
/* reason is set for NODE. Also finds the error within a script's error: "ERR Error running script …: -READONLY …"
 * (Redis 6). */
enum gw_reply_fault gw_reply_fault(struct gw_slice text, enum gw_breaker_reason *reason);

#endif
