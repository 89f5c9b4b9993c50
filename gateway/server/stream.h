/* stream.h: the bytes of one client, both ways, over a socket.
 *
 * Shape    What is read is told as it comes, in the worker's current body block. What is written goes at once, as far as
 *          the socket takes it; the rest waits in `out`, by reference, and leaves in order. Above it nobody knows what
 *          the bytes go through.
 * Bounds   `out` is bounded by its owner, who gives no more once gw_stream_write has returned false.
 * Ends     gw_stream_half_close: our side ends, and the client's may go on. gw_stream_close: all ends; what the client
 *          still sends makes the kernel reset the connection. gw_stream_reset: a reset at once, so that the client sees
 *          that an answer is not whole.
 * Failure  A stream that cannot be written or read any more, or whose bytes would be lost for want of memory, is broken:
 *          on_broken is told once, and nothing is written or read from then on. It is still to be closed.
 * Threads  One worker's. */
#ifndef GW_SERVER_STREAM_H
#define GW_SERVER_STREAM_H

#include <uv.h>
#include "base/address.h"
#include "base/chain.h"
#include "base/check.h"
#include "telemetry/metrics.h"

struct gw_stream;

struct gw_stream_events {
    /* Bytes came. Borrowed for the call, unless their block is shared. An event may close the stream. */
    void (*on_read)(struct gw_stream *stream, struct gw_slice bytes, struct gw_block *block);
    /* The client has ended its side, or is gone: nothing more will be read. */
    void (*on_end)(struct gw_stream *stream);
    /* All that was kept has left. */
    void (*on_written)(struct gw_stream *stream);
    /* Perhaps within a call of the stream's owner: it is only to be noted. */
    void (*on_broken)(struct gw_stream *stream);
    /* The last event; the memory may go. */
    void (*on_closed)(struct gw_stream *stream);
};

struct gw_stream {
    const struct gw_stream_events *events;
    struct gw_block_pool *blocks; /* where reads land */
    struct gw_shard *shard;       /* bytes are counted there */
    struct gw_magic magic;

    bool is_reading, is_broken, is_closing;
    struct gw_chain out;
    size_t writing; /* bytes of `out` that libuv has */
    size_t unsent;  /* of these, what had not left when has_progressed was last asked */
    union {
        uv_write_t write;
        uv_shutdown_t shutdown; /* only when nothing is being written */
    } request;
    uv_tcp_t tcp;
};

/* False: the loop has no memory. The stream is not to be closed then. */
bool gw_stream_init(struct gw_stream *stream, uv_loop_t *loop, const struct gw_stream_events *events,
                    struct gw_block_pool *blocks, struct gw_shard *shard) GW_MUST_CHECK;
/* Takes the socket. False: it is still the caller's. */
bool gw_stream_open(struct gw_stream *stream, int fd) GW_MUST_CHECK;
/* All zero where it is not known. */
struct gw_address gw_stream_peer(const struct gw_stream *stream);

/* Writes in order, in one system call if nothing waits. Pieces with a block are kept by reference, others copied.
 * False: not all has left; on_written will come, unless the stream is broken. */
bool gw_stream_write(struct gw_stream *stream, const struct gw_piece *pieces, unsigned count);
/* Does something wait to be written? */
static inline bool gw_stream_is_writing(const struct gw_stream *stream)
{
    return stream->out.length > 0;
}
/* Has some of what waits left since this was last asked? libuv tells of a write when all of it has gone; a slow client
 * that takes some of it in time is alive. */
bool gw_stream_has_progressed(struct gw_stream *stream);

/* Reads, or reads on. */
void gw_stream_read(struct gw_stream *stream);
void gw_stream_stop_reading(struct gw_stream *stream);
/* What was read is lost: nothing after it may be taken for it. */
void gw_stream_break(struct gw_stream *stream);

/* Nothing may wait to be written. False: the socket is gone. */
bool gw_stream_half_close(struct gw_stream *stream) GW_MUST_CHECK;
/* Only once, either of them; only on_closed follows. */
void gw_stream_close(struct gw_stream *stream);
void gw_stream_reset(struct gw_stream *stream);

#endif
