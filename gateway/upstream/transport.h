/* transport.h: one upstream request over one connection, in whichever protocol.
 *
 * Shape    A call is one attempt. The fetch fills it; a transport (transport_h1.c: libuv and llhttp; transport_curl.c:
 *          libcurl's multi interface) carries it out and reports by events. Balancing, retries and request coalescing
 *          sit above the transports and do not know which one runs.
 * Order    on_interim* → on_head → on_body* → on_end, or on_fail instead of any of them. After on_end or on_fail the
 *          transport has forgotten the call; the call may be reused. No event runs before gw_transport_begin has
 *          returned, and none after gw_transport_cancel. Any event may cancel the call, or begin another.
 * Body     The owner pushes the request's body with gw_transport_send when the transport wants it. on_want_body asks
 *          for more: first when the connection can take body bytes, then each time when the kernel has taken the pieces
 *          before. With expects_continue the first on_want_body comes only after 100, or after continue_timeout_ms, or
 *          when gw_transport_send is called anyway. The owner may give nothing then and send later. Pieces that are
 *          given within on_want_body may leave in one write: the head with the first piece, the last piece with the
 *          last chunk. After the last byte of content_length the transport asks for nothing more (if content_length is
 *          0, it never asks). After a final answer the rest of the body is not wanted and the connection is not kept,
 *          unless gw_transport_takes_body returns true.
 *          Response bodies are pushed by on_body. gw_transport_pause stops them at once: after the on_body that is
 *          running, no other comes.
 * Promises A response body that did not end (RFC 9112 §8) gives on_fail(RESET), never on_end; such a connection is
 *          never reused. Answers are held to the same grammar as requests: on_fail(UPSTREAM_MALFORMED). A transport
 *          never sends a request twice.
 *          Both transports read the forgivable faults (http/parser.h) in the same way, and close the connection
 *          afterwards. The exception is chunks, which libcurl reads: it also accepts a bare LF as the end of a chunk's
 *          line. It does not report what it forgave there, so such a connection is kept. It refuses a chunk size of 17
 *          digits, too.
 * Kept     A connection over which something came unasked is never used again (RFC 9112 §9.2). Each connection is
 *          checked before a request goes over it, and is not kept if more bytes followed an answer. If the check fails
 *          too late to take another connection, the call ends with on_fail(RESET), was_reused and not was_sent: any
 *          method may then be tried again, over a fresh connection.
 * Version  HTTP/1.1, also over TLS, where ALPN offers nothing else; a backend that speaks only HTTP/2 gives
 *          on_fail(TLS). With one exchange on each connection HTTP/2 would gain nothing, and libcurl's windows cannot
 *          be set: a paused stream could hold 32 MiB in 7.88, 10 MiB in 8.x. With HTTP/1.1 it holds libcurl's buffer
 *          and the kernel's.
 * Threads  One worker's. */
#ifndef GW_UPSTREAM_TRANSPORT_H
#define GW_UPSTREAM_TRANSPORT_H

#include <uv.h>
#include "base/block.h"
#include "base/chain.h"
#include "base/descriptors.h"
#include "base/timer.h"
#include "config/config.h"
#include "http/head.h"
#include "telemetry/metrics.h"

struct gw_call;

struct gw_call_events {
    /* A 1xx other than 101, and 100 is among them; the head is valid during the call. More than 32 of them give
     * UPSTREAM_MALFORMED. So does 101, since the gateway asks for no upgrade. */
    void (*on_interim)(struct gw_call *call, const struct gw_head *head);
    /* The final head, in call->arena; valid until the owner resets that arena. */
    void (*on_head)(struct gw_call *call, struct gw_head *head);
    /* A piece of the body. It is valid during the call, unless the owner takes a reference to the block. If block is
     * NULL, copy what is to be kept. */
    void (*on_body)(struct gw_call *call, struct gw_slice bytes, struct gw_block *block);
    /* All pieces of one read have been reported: time to write what was gathered. Does not run after on_end or
     * on_fail. */
    void (*on_pause_in_reading)(struct gw_call *call);
    void (*on_end)(struct gw_call *call);
    void (*on_fail)(struct gw_call *call, enum gw_error error);
    /* The request's body may go on. */
    void (*on_want_body)(struct gw_call *call);
};

struct gw_call { /* filled by the owner before gw_transport_begin, and left alone until the end */
    const struct gw_call_events *events;
    const struct gw_config *config;   /* must outlive the call */
    const struct gw_backend *backend; /* of config */
    struct gw_slice method_text;
    enum gw_method method;
    struct gw_slice target; /* origin-form, with the backend's base path; or "*" */
    struct gw_slice fields; /* "Name: value\r\n"…, end-to-end, with Host, without framing; as the backend gets them */
    bool has_body;
    bool is_chunked;         /* the body's length is not known */
    uint64_t content_length; /* has_body and not chunked */
    bool expects_continue;   /* `fields` holds no Expect: the transport writes it */
    struct gw_arena *arena;  /* for the response's head */
    bool fresh;              /* do not use a kept connection (a retry after a dead one) */
    bool binds_connection;   /* not kept: the backend may take all later requests on it for this user's */

    /* set by the transport */
    bool was_reused;                  /* ran over a kept connection */
    bool was_sent;                    /* at least one byte of the request may have reached the backend */
    bool was_answered;                /* at least one byte of a response came */
    uint64_t began_at_us, head_at_us; /* monotonic */

    void *inner; /* the transport's */
};

struct gw_transport;

struct gw_transport_setup { /* of the worker */
    uv_loop_t *loop;
    struct gw_timers *timers;
    struct gw_block_pool *blocks;
    struct gw_shard *shard;
    struct gw_descriptors *descriptors; /* the process's; NULL: no bound */
};

/* The table that a transport implements. */
struct gw_transport_kind_table {
    struct gw_transport *(*create)(const struct gw_transport_setup *setup, const struct gw_config *config);
    /* no calls may be left; closes kept connections; the loop must run until they are closed */
    void (*close)(struct gw_transport *transport);
    void (*destroy)(struct gw_transport *transport); /* after the loop ended */
    enum gw_error (*begin)(struct gw_transport *transport, struct gw_call *call);
    bool (*send)(struct gw_call *call, struct gw_slice bytes, struct gw_block *block);
    void (*end_body)(struct gw_call *call);
    void (*go_on)(struct gw_call *call);            /* NULL: does nothing */
    bool (*takes_body)(const struct gw_call *call); /* NULL: false */
    void (*pause)(struct gw_call *call);
    void (*resume)(struct gw_call *call);
    void (*cancel)(struct gw_call *call);
};
extern const struct gw_transport_kind_table gw_transport_h1, gw_transport_curl;

struct gw_transport { /* each transport's struct begins with this */
    const struct gw_transport_kind_table *table;
};

/* GW_ERROR_NONE: events will come. Otherwise nothing happened and no event comes (UPSTREAM_BUSY at
 * max_backend_connections, OVERLOADED without memory). */
static inline enum gw_error gw_transport_begin(struct gw_transport *transport, struct gw_call *call)
{
    return transport->table->begin(transport, call);
}
/* Gives a piece of the request's body, after on_want_body. True: send more at once. False: wait for on_want_body, which
 * does not come if the body is no longer wanted. The piece is taken in both cases (the transport takes a reference to
 * its block, or copies the bytes if there is no block), so at most one piece waits in the transport. The transport does
 * the framing (chunks). More bytes than content_length, or a second piece after false, give on_fail(INTERNAL). */
bool gw_transport_send(struct gw_transport *transport, struct gw_call *call, struct gw_slice bytes,
                       struct gw_block *block);
/* The body is complete. May be called while a piece is waiting. Without this call the request never ends. If the body
 * is shorter than content_length: on_fail(INTERNAL). */
void gw_transport_end_body(struct gw_transport *transport, struct gw_call *call);
/* For a call that expects_continue: its body waits no longer, not even for 100. on_want_body may run before this
 * function returns. libcurl accepts no such order once the transfer has begun: there the body waits for the backend's
 * 100 or continue_timeout_ms. */
void gw_transport_go_on(struct gw_transport *transport, struct gw_call *call);
/* Call it from on_head on. True if the rest of the request's body is wanted although the answer has begun: libcurl ends
 * a transfer with a chunked answer only when the request has ended. */
bool gw_transport_takes_body(struct gw_transport *transport, const struct gw_call *call);
void gw_transport_pause(struct gw_transport *transport, struct gw_call *call);
/* Events do not run before this function returns: they come from the loop. */
void gw_transport_resume(struct gw_transport *transport, struct gw_call *call);
/* Ends the attempt and closes its connection. No event comes afterwards. After on_end or on_fail it does nothing. */
void gw_transport_cancel(struct gw_transport *transport, struct gw_call *call);

#endif
