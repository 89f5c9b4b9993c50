/* h1_writer.h: makes bytes of HTTP/1 from messages: one response, and the interim responses before it.
 *
 * Shape    The connection begins a writer for each request; the writer is the downstream of the exchange
 *          (exchange/downstream.h). The rows of the downstream's table that make bytes are here, the rows that concern
 *          the connection are in h1_requests.c. The writer chooses the framing (RFC 9112 §6), gathers head and pieces,
 *          and gives them to its sink in one write. The text of a stored head is copied as it is. A Connection field
 *          tells whether the connection is kept.
 * Memory   The struct is the caller's and serves one request. It lies in the exchange's arena, so that an idle connection
 *          does not pay for it. Text is made in `scratch`, which all writers of a worker share, since each uses it only
 *          within one call. Pieces are kept with their blocks until they are written.
 * Bounds   At most 12 pieces with 6 chunk sizes among them are gathered; then they are written.
 * Threads  One worker's. */
#ifndef GW_SERVER_H1_WRITER_H
#define GW_SERVER_H1_WRITER_H

#include "base/buffer.h"
#include "exchange/downstream.h"

enum { GW_H1_WRITER_TEXT_BOUND = 64 * 1024 * 1024 }; /* of scratch: more than the longest head that is allowed */

struct gw_h1_sink { /* where the bytes go; a member of the owner's struct */
    /* Writes the pieces in order. False: not all of them have left. The sink keeps the rest then: pieces with a block by
     * reference, others as copies. */
    bool (*write)(struct gw_h1_sink *sink, const struct gw_piece *pieces, unsigned count);
};

enum gw_h1_framing { GW_H1_NO_BODY, GW_H1_LENGTH, GW_H1_CHUNKED, GW_H1_UNTIL_CLOSE };

struct gw_h1_writer {
    struct gw_downstream downstream; /* the exchange's */
    struct gw_h1_sink *sink;
    struct gw_buffer *scratch;
    unsigned version_minor; /* of the request */
    bool keep_alive;        /* may the connection be used again after this response? Set by the caller before the head;
                               the writer clears it if the response itself forbids that */

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

/* Like the functions of the same names in exchange/downstream.h. keep_alive and version_minor must be set before
 * gw_h1_writer_head, and version_minor before gw_h1_writer_interim. */
bool gw_h1_writer_interim(struct gw_h1_writer *writer, int status, const struct gw_head *head);
void gw_h1_writer_head(struct gw_h1_writer *writer, struct gw_downstream_head *head);
bool gw_h1_writer_body(struct gw_downstream *downstream, struct gw_slice bytes, struct gw_block *block);
bool gw_h1_writer_flush(struct gw_downstream *downstream);
bool gw_h1_writer_end(struct gw_downstream *downstream);
/* Drops the pieces that were not written. Afterwards the writer's memory may be freed. */
void gw_h1_writer_drop(struct gw_h1_writer *writer);
/* Does the framing alone show that a body has broken off? Then the connection needs no reset, which could take from the
 * client bytes that it has not read yet (RFC 9112 §8). */
bool gw_h1_writer_shows_its_end(const struct gw_h1_writer *writer);

#endif
