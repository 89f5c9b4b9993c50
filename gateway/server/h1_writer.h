/* h1_writer.h: messages to bytes of HTTP/1: one response, and the interim ones before it.
 *
 * Shape    The connection begins a writer for each request: it is the downstream of the exchange (exchange/downstream.h).
 *          What concerns the connection, its table leads to h1_requests.c; the rest is here. The writer chooses the framing (RFC 9112 §6), gathers head and pieces, and gives them to its sink in one
 *          write. A stored text is copied as it is. Whether the connection lives on is told with Connection.
 * Memory   The struct is the caller's, and is of use for one request: it lies in the exchange's arena, so that an idle
 *          connection does not pay for it. Text is made in `scratch`, which all writers of a worker share: it is used
 *          within one call only. Pieces are kept with their blocks until they are written.
 * Bounds   12 pieces and 6 chunks are gathered, then they are written.
 * Threads  One worker's. */
#ifndef GW_SERVER_H1_WRITER_H
#define GW_SERVER_H1_WRITER_H

#include "base/buffer.h"
#include "exchange/downstream.h"

enum { GW_H1_WRITER_TEXT_BOUND = 64 * 1024 * 1024 }; /* of scratch: above the longest head that is allowed */

struct gw_h1_sink { /* what is behind it begins with this */
    /* In order. False: not all has left; pieces with a block are kept by reference, others copied. */
    bool (*write)(struct gw_h1_sink *sink, const struct gw_piece *pieces, unsigned count);
};

enum gw_h1_framing { GW_H1_NO_BODY, GW_H1_LENGTH, GW_H1_CHUNKED, GW_H1_UNTIL_CLOSE };

struct gw_h1_writer {
    struct gw_downstream
        downstream; /* the exchange's; the rows of its table that concern bytes are the functions below */
    struct gw_h1_sink *sink;
    struct gw_buffer *scratch;
    unsigned version_minor; /* of the request */
    bool keep_alive;        /* may the connection be used again after this response? The caller's word before the head;
                               the writer says no where the response itself forbids it */

    struct gw_downstream_head *head_due; /* not written yet; NULL: none */
    enum gw_h1_framing framing;
    unsigned gathered_count, chunk_count;
    struct gw_piece gathered[12]; /* written together; each keeps its block */
    char chunk_text[6][20];       /* chunk-size lines among them */
};

void gw_h1_writer_begin(struct gw_h1_writer *writer, struct gw_h1_sink *sink, struct gw_buffer *scratch);
static inline struct gw_h1_writer *gw_h1_writer_from(struct gw_downstream *downstream)
{
    return GW_CONTAINER(downstream, struct gw_h1_writer, downstream);
}

/* As their namesakes in exchange/downstream.h; of the head, once keep_alive and version_minor are set. */
bool gw_h1_writer_interim(struct gw_h1_writer *writer, int status, const struct gw_head *head);
void gw_h1_writer_head(struct gw_h1_writer *writer, struct gw_downstream_head *head);
bool gw_h1_writer_body(struct gw_downstream *downstream, struct gw_slice bytes, struct gw_block *block);
bool gw_h1_writer_flush(struct gw_downstream *downstream);
bool gw_h1_writer_end(struct gw_downstream *downstream);
/* Forgets what was not written. The memory may go then. */
void gw_h1_writer_drop(struct gw_h1_writer *writer);
/* Would a body that breaks off be seen as broken off by its framing alone? Then a reset would only take from the client
 * what it has not read yet (RFC 9112 §8). */
bool gw_h1_writer_shows_its_end(const struct gw_h1_writer *writer);

#endif
