/* store.h: the state that instances share, as one asynchronous interface of one worker. Redis stands behind it
 * (redis.c); Sentinel and Cluster may come beside it later.
 *
 * Shape    A call is a question or a write under way. All calls of one loop turn leave in one write. The answer runs
 *          `done` once, from the loop. If a call cannot be made (breaker open, not connected, too many pending), the
 *          result is NULL, and `done` never runs.
 * Owner    A pending call belongs to the store, not to the caller. gw_store_cancel ends the caller's interest; a late
 *          reply is then thrown away. A call that must be settled in any case (a reservation) must not be forgotten:
 *          its `done` settles it.
 * Failure  Lost connection, error reply, nonsense, or silence: done runs with GW_STORE_LOST. Late answers: the caller
 *          has its own deadline and forgets the call. Each process has one breaker for each Redis node (breaker.h). It
 *          opens on a connection's silence for redis.timeout (but not for answers that are late behind large values),
 *          on refused connections, LOADING, READONLY and the like; main probes by PING, never a client. OOM does not
 *          open it: such a write fails (GW_STORE_OOM). Errors about the node itself (READONLY, LOADING …) count as a
 *          lost connection: it is dropped, resolved and connected again. The store answers NOSCRIPT by one EVAL; the
 *          caller does not notice. A connection that Redis closed while nothing was due is made again, and opens
 *          nothing.
 * Bounds   redis.max_pending calls per worker and node; 64 MiB of payloads in them. A reply over the size of the
 *          largest stored response, or over a script's longest string if that is more, ends the connection.
 * Threads  One worker's; the breaker is shared. */
#ifndef GW_STORE_STORE_H
#define GW_STORE_STORE_H

#include <uv.h>
#include "base/block.h"
#include "base/timer.h"
#include "config/config.h"
#include "store/breaker.h"
#include "telemetry/metrics.h"

struct gw_store;
struct gw_store_call;

enum { GW_STORE_TEXT_BYTES = 256 << 10 }; /* the longest string of a script (redis/purge.lua) */

enum gw_store_script {
    GW_STORE_TOKEN_BUCKET, /* redis/token_bucket.lua */
    GW_STORE_PUT,          /* redis/store.lua */
    GW_STORE_PURGE,        /* redis/purge.lua; answers GW_STORE_VALUE */
    GW_STORE_FETCH_LOCK,   /* redis/fetch_lock.lua */
    GW_STORE_SCRIPTS
};

enum gw_store_result {
    GW_STORE_INTEGERS, /* a script's flat array, or one integer */
    GW_STORE_VALUE,    /* GET: bytes and ttl; no bytes if the key is no string. A script's one string */
    GW_STORE_NIL,      /* GET: no such key */
    GW_STORE_DONE,     /* a write was acknowledged */
    GW_STORE_OOM,      /* a write was refused for lack of memory */
    GW_STORE_LOST,     /* no answer, or one that makes no sense */
};

struct gw_store_reply {
    enum gw_store_result result;
    const int64_t *integers;
    unsigned integer_count;
    struct gw_slice value; /* VALUE; valid during done */
    struct gw_slice error; /* LOST: Redis' words, if it refused only this call; else none. Valid during done */
    int64_t ttl_ms;        /* GET: PTTL, asked first; negative: none (-1: no expiry; -2: stored in between) */
};

typedef void gw_store_done(void *owner, const struct gw_store_reply *reply);

struct gw_store_setup {
    uv_loop_t *loop;
    struct gw_timers *timers;
    struct gw_shard *shard;
    struct gw_breaker *breaker;       /* of this node, shared by all workers */
    const struct gw_redis_node *node; /* of the configuration, which outlives the store */
    const struct gw_config *config;
    const char *client_name; /* CLIENT SETNAME: "visara-gateway:<instance>:<worker>"; copied */
};

/* Connects from the loop, and again with jittered backoff as long as the store is open. NULL when memory is out. */
struct gw_store *gw_store_open(const struct gw_store_setup *setup) GW_MUST_CHECK;
/* Pending calls get GW_STORE_LOST. Closes; the loop must run until the store is closed. */
void gw_store_close(struct gw_store *store);
/* Call it after the loop has ended. */
void gw_store_free(struct gw_store **store);

/* May calls be made now? */
bool gw_store_is_up(const struct gw_store *store);

/* EVALSHA. Keys and arguments are copied. payload_bytes is the last argument, unless at == NULL. The store holds a
 * reference to its block until the reply, since the bytes may have to be sent again; if the block is NULL, the bytes
 * are copied. */
struct gw_store_call *gw_store_run(struct gw_store *store, enum gw_store_script script, const struct gw_slice *keys,
                                   unsigned key_count, const struct gw_slice *arguments, unsigned argument_count,
                                   struct gw_slice payload_bytes, struct gw_block *payload, gw_store_done *done,
                                   void *owner);
/* PTTL and GET of one key, in one write and in this order: if a store comes between them, the age is too high. */
struct gw_store_call *gw_store_get(struct gw_store *store, struct gw_slice key, gw_store_done *done, void *owner);
/* SET key value PX life_ms, or DEL (value.at == NULL). done may be NULL. */
struct gw_store_call *gw_store_set(struct gw_store *store, struct gw_slice key, struct gw_slice value, int64_t life_ms,
                                   gw_store_done *done, void *owner);
/* done will not run. Takes *call and leaves NULL; NULL is allowed. Not for calls whose done has run. */
void gw_store_cancel(struct gw_store_call **call);

#endif
