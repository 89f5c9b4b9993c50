/* stream.h: reads and writes the bytes of one client over a socket.
 *
 * Shape    Bytes are read into the worker's current block and told as they come. Written bytes leave at once as far as
 *          the socket takes them. The rest waits in `out`, by reference, and leaves in order. Callers do not know what
 *          carries the bytes, so that TLS can be added here.
 * Bounds   The owner bounds `out`: it gives no more once gw_stream_write has returned false.
 * Ends     gw_stream_half_close ends our side; the client's side may go on. gw_stream_close ends both sides, and bytes
 *          that the client still sends make the kernel reset the connection. gw_stream_reset resets at once, so that the
 *          client sees that its answer is not whole.
 * Failure  A stream is broken when it cannot be written or read any more, or when memory for its bytes is out. on_broken
 *          runs once, and nothing is written or read from then on. The owner must still close the stream.
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
    /* Bytes came. They are borrowed for the call; a caller that keeps them takes a reference to the block. This and each
     * other event but on_broken may close the stream. */
    void (*on_read)(struct gw_stream *stream, struct gw_slice bytes, struct gw_block *block);
    /* The client has ended its side, or its connection is lost: no more bytes will be read. */
    void (*on_end)(struct gw_stream *stream);
    /* All bytes in `out` have left. */
    void (*on_written)(struct gw_stream *stream);
    /* May run within a call that the owner makes, so the owner only takes a note. */
    void (*on_broken)(struct gw_stream *stream);
    /* The last event. The memory may be freed. */
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
    size_t unsent;  /* those of them that had not left at the last gw_stream_has_progressed */
    union {
        uv_write_t write;
        uv_shutdown_t shutdown; /* only when nothing is being written */
    } request;
    uv_tcp_t tcp;
};

/* False: memory is out, and the stream must not be closed. */
bool gw_stream_init(struct gw_stream *stream, uv_loop_t *loop, const struct gw_stream_events *events,
                    struct gw_block_pool *blocks, struct gw_shard *shard) GW_MUST_CHECK;
/* Takes the socket. False: the socket is still the caller's. */
bool gw_stream_open(struct gw_stream *stream, int fd) GW_MUST_CHECK;
/* The client's address; all zero if it is not known. */
struct gw_address gw_stream_peer(const struct gw_stream *stream);

/* Writes the pieces in order, in one system call if no bytes wait. False: not all bytes have left. The rest is kept then
 * (pieces with a block by reference, others as copies), and on_written will come, unless the stream is broken. */
bool gw_stream_write(struct gw_stream *stream, const struct gw_piece *pieces, unsigned count);
/* Do bytes wait to be written? */
static inline bool gw_stream_is_writing(const struct gw_stream *stream)
{
    return stream->out.length > 0;
}
/* Have some of the waiting bytes left since the last call? libuv tells of a write only when all of it has left, but a
 * slow client that takes a part of it in time is alive. */
bool gw_stream_has_progressed(struct gw_stream *stream);

/* Begins to read, or goes on after gw_stream_stop_reading. */
void gw_stream_read(struct gw_stream *stream);
void gw_stream_stop_reading(struct gw_stream *stream);
/* Bytes that were read are lost, so that later bytes must not be read in their place: marks the stream as broken. */
void gw_stream_break(struct gw_stream *stream);

/* No bytes may wait to be written. False: the socket is not connected any more. */
bool gw_stream_half_close(struct gw_stream *stream) GW_MUST_CHECK;
/* One of the two, once. Only on_closed follows. */
void gw_stream_close(struct gw_stream *stream);
void gw_stream_reset(struct gw_stream *stream);

#endif
