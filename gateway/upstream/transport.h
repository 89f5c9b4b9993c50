/* transport.h: one upstream request over one connection, whichever way it is spoken.
 *
 * Shape    A call is one attempt: the fetch fills it, a transport (transport_h1.c: libuv and llhttp; transport_curl.c:
 *          libcurl's multi interface) carries it out and tells of it by events. Balancing, retries and flights sit
 *          above and do not know which one runs.
 * Order    on_interim* → on_head → on_body* → on_end, or on_fail instead of any of them. After on_end or on_fail the
 *          transport has forgotten the call; it may be reused. No event runs before gw_transport_begin has returned,
 *          none after gw_transport_cancel. Any event may cancel the call, or begin another.
 * Body     The request's body is pushed by gw_transport_send, as far as the transport wants it: on_want_body asks for
 *          more, first when the connection can take body bytes, then each time that what was given is with the kernel.
 *          For expects_continue the first comes only after 100, or after continue_timeout_ms, or when
 *          gw_transport_send is called anyway. The owner may give nothing then and send later. What is given within
 *          on_want_body may leave in one write: the head with the first piece, the last piece with the last chunk.
 *          After the last byte of content_length nothing more is asked (nor ever, if it is 0). After a final answer
 *          the rest of the body is not wanted, and the connection not kept; but where gw_transport_takes_body says so.
 *          Response bodies are pushed by on_body; gw_transport_pause stops them at once, but for the piece being told.
 * Promises A response body that did not end (RFC 9112 §8) gives on_fail(RESET), never on_end; such a connection is
 *          never reused. Answers are held to the same grammar as requests: on_fail(UPSTREAM_MALFORMED). A request is
 *          never sent twice by a transport.
 *          What is forgiven (http/parser.h) is read by both transports in the same way, and the connection is closed. Chunks
 *          are libcurl's to read: it also takes a bare LF for the end of a chunk's line, and it does not tell what it has
 *          forgiven there, so that such a connection is kept; 17 digits of a size it refuses, too.
 * Kept     A connection over which something came unasked is never used again (RFC 9112 §9.2): each is looked at before
 *          a request goes over it, and after an answer that was followed by more it is not kept. Where that shows too
 *          late to take another one, the call ends with on_fail(RESET), was_reused and not was_sent: any method may be
 *          tried again, fresh.
 * Version  HTTP/1.1, over TLS too, where ALPN offers nothing else; a backend that speaks only HTTP/2 is on_fail(TLS).
 *          With one exchange a connection HTTP/2 would gain nothing, and libcurl's windows cannot be set: a paused
 *          stream could hold 32 MiB in 7.88, 10 MiB in 8.x. So it holds libcurl's buffer and the kernel's.
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
    /* A 1xx other than 101; the head is valid during the call. 100 itself too. 32 at most, then UPSTREAM_MALFORMED; so
     * is 101, as no upgrade is asked for. */
    void (*on_interim)(struct gw_call *call, const struct gw_head *head);
    /* The final head, in call->arena; valid until the owner resets that arena. */
    void (*on_head)(struct gw_call *call, struct gw_head *head);
    /* A piece of the body; valid during the call unless the block is shared. block may be NULL: then copy what is to be
     * kept. */
    void (*on_body)(struct gw_call *call, struct gw_slice bytes, struct gw_block *block);
    /* All that arrived in one read has been told: time to write what was gathered. Not after on_end or on_fail. */
    void (*on_pause_in_reading)(struct gw_call *call);
    void (*on_end)(struct gw_call *call);
    void (*on_fail)(struct gw_call *call, enum gw_error error);
    /* The request's body may go on. */
    void (*on_want_body)(struct gw_call *call);
};

struct gw_call { /* filled by the owner before gw_transport_begin, and left alone until the end */
    const struct gw_call_events *events;
    const struct gw_config *config;   /* outlives the call */
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
    bool binds_connection;   /* the backend may take all that follows on the connection for this user's: not kept */

    /* told by the transport */
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
    struct gw_descriptors *descriptors; /* of the process; NULL: no bound */
};

/* The table that a transport implements. */
struct gw_transport_kind_table {
    struct gw_transport *(*create)(const struct gw_transport_setup *setup, const struct gw_config *config);
    void (*close)(struct gw_transport *transport); /* no calls are left; closes kept connections; the loop runs on until
                                                      they are closed */
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

/* GW_ERROR_NONE: events will come. Else nothing happened and no event comes (UPSTREAM_BUSY at max_backend_connections,
 * OVERLOADED without memory). */
static inline enum gw_error gw_transport_begin(struct gw_transport *transport, struct gw_call *call)
{
    return transport->table->begin(transport, call);
}
/* A piece of the request's body, after on_want_body. True: send more at once; false: wait for on_want_body, which does
 * not come if the body is not wanted any more. The piece is taken either way (its block is shared; without a block it
 * is copied), so at most one piece is waiting in the transport. Framing (chunks) is the transport's. More than
 * content_length, or a second piece after false: on_fail(INTERNAL). */
bool gw_transport_send(struct gw_transport *transport, struct gw_call *call, struct gw_slice bytes,
                       struct gw_block *block);
/* The body is complete; allowed while a piece is waiting. Without it the request is never ended. Less than
 * content_length: on_fail(INTERNAL). */
void gw_transport_end_body(struct gw_transport *transport, struct gw_call *call);
/* Of a call that expects_continue: its body waits for nothing any more, not even for 100. on_want_body may run before it
 * returns. libcurl cannot be told once it has begun: there the backend's 100, or continue_timeout_ms, is awaited. */
void gw_transport_go_on(struct gw_transport *transport, struct gw_call *call);
/* From on_head on: is the rest of the body wanted though the answer has begun? libcurl ends a transfer whose answer is
 * chunked only with the request. */
bool gw_transport_takes_body(struct gw_transport *transport, const struct gw_call *call);
void gw_transport_pause(struct gw_transport *transport, struct gw_call *call);
/* No event runs before it returns: they come from the loop. */
void gw_transport_resume(struct gw_transport *transport, struct gw_call *call);
/* Ends the attempt and closes its connection. No event comes after this. After on_end or on_fail it does nothing. */
void gw_transport_cancel(struct gw_transport *transport, struct gw_call *call);

#endif
