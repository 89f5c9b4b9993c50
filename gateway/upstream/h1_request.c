#include "upstream/h1.h"

#include <stdlib.h>
#include "http/writer.h"

enum { GATHERED = 4 }; /* head, chunk size, piece, the bytes that follow the piece */

static bool h1_request_has_bytes_of_body(const struct gw_call *call)
{
    return call->has_body && (call->is_chunked || call->content_length > 0);
}

/* True if the owner has given the whole body. */
static bool h1_request_is_complete(const struct gw_h1_connection *connection)
{
    const struct gw_call *call = connection->call;
    return !h1_request_has_bytes_of_body(call) ||
           (call->is_chunked ? connection->is_body_ended : connection->body_left == 0);
}

static bool h1_request_owes_last_chunk(const struct gw_h1_connection *connection)
{
    return connection->call->is_chunked && h1_request_has_bytes_of_body(connection->call) &&
           connection->is_body_ended && !connection->is_last_chunk_out;
}

static void h1_request_drop_piece(struct gw_h1_connection *connection)
{
    gw_block_unref(connection->piece.block);
    connection->piece = (struct gw_piece) { .block = NULL };
}

/* ---- putting together ---- */

static bool h1_request_put_head(const struct gw_call *call, struct gw_buffer *head)
{
    gw_buffer_clear(head);
    gw_buffer_put_slice(head, call->method_text);
    gw_buffer_put_char(head, ' ');
    gw_buffer_put_slice(head, call->target);
    gw_buffer_put_literal(head, " HTTP/1.1\r\n");
    gw_buffer_put_slice(head, call->fields);
    if (call->has_body && call->is_chunked) {
        gw_buffer_put_literal(head, "Transfer-Encoding: chunked\r\n");
    } else if (call->has_body || call->method == GW_METHOD_POST || call->method == GW_METHOD_PUT ||
               call->method == GW_METHOD_PATCH) {
        /* RFC 9110 §8.6: Content-Length is sent also without a body if the method expects one. */
        gw_writer_put_uint_field(head, GW_SLICE("Content-Length"), call->has_body ? call->content_length : 0);
    }
    if (call->expects_continue && h1_request_has_bytes_of_body(call))
        gw_buffer_put_literal(head, "Expect: 100-continue\r\n");
    if (call->config->keepalive_connections == 0)
        gw_buffer_put_literal(head, "Connection: close\r\n");
    gw_buffer_put_literal(head, "\r\n");
    return !head->overflowed;
}

static uv_buf_t h1_request_chunk_line(struct gw_h1_connection *connection)
{
    static const char digits[] = "0123456789abcdef";
    char *end = connection->chunk_line + sizeof connection->chunk_line, *at = end;
    *--at = '\n';
    *--at = '\r';
    size_t length = connection->piece.bytes.length;
    do
        *--at = digits[length & 15];
    while ((length >>= 4) > 0);
    return uv_buf_init(at, (unsigned)(end - at));
}

static uv_buf_t h1_request_chunk_end(struct gw_h1_connection *connection, bool has_piece)
{
    static char text[] = "\r\n0\r\n\r\n";
    if (!connection->is_body_ended)
        return uv_buf_init(text, 2);
    connection->is_last_chunk_out = true;
    return has_piece ? uv_buf_init(text, 7) : uv_buf_init(text + 2, 5);
}

static unsigned h1_request_gather_body(struct gw_h1_connection *connection, uv_buf_t *buffers)
{
    struct gw_slice bytes = connection->piece.bytes;
    bool is_chunked = connection->call->is_chunked, has_piece = bytes.length > 0;
    unsigned count = 0;
    if (has_piece && is_chunked)
        buffers[count++] = h1_request_chunk_line(connection);
    if (has_piece) /* libuv only reads it */
        buffers[count++] = (uv_buf_t) { .base = (char *)(uintptr_t)bytes.at, .len = bytes.length };
    if (is_chunked && (has_piece || h1_request_owes_last_chunk(connection)))
        buffers[count++] = h1_request_chunk_end(connection, has_piece);
    return count;
}

/* Gathers all that is due, in order. False when memory for the head is out. */
static bool h1_request_gather(struct gw_h1_connection *connection, uv_buf_t *buffers, unsigned *count)
{
    struct gw_buffer *head = &connection->transport->scratch;
    *count = 0;
    if (connection->request == GW_H1_HEAD) {
        if (!h1_request_put_head(connection->call, head))
            return false;
        buffers[(*count)++] = uv_buf_init(head->at, (unsigned)head->length);
    }
    if (h1_request_has_bytes_of_body(connection->call))
        *count += h1_request_gather_body(connection, buffers + *count);
    return true;
}

/* ---- writing ---- */

/* The kernel has taken all that was gathered. */
static void h1_request_all_written(struct gw_h1_connection *connection)
{
    const struct gw_call *call = connection->call;
    bool had_body = connection->piece.bytes.length > 0 || connection->is_last_chunk_out;
    h1_request_drop_piece(connection);
    if (connection->request == GW_H1_HEAD)
        connection->request = call->expects_continue && h1_request_has_bytes_of_body(call) && !had_body ? GW_H1_CONTINUE
                                                                                                        : GW_H1_BODY;
    if (connection->request == GW_H1_BODY && h1_request_is_complete(connection) &&
        !h1_request_owes_last_chunk(connection))
        connection->request = GW_H1_SENT;
    gw_h1_watch(connection);
}

/* The backend takes no more of the request. An answer may already lie in the socket, so the answer is read to its
 * end. */
static void h1_request_write_failed(struct gw_h1_connection *connection)
{
    connection->is_write_failed = true;
    gw_h1_request_drop(connection);
    gw_h1_watch(connection);
}

static void h1_request_ask(struct gw_h1_connection *connection);
static void h1_request_flush(struct gw_h1_connection *connection);

static void h1_request_on_written(uv_write_t *write, int status)
{
    struct gw_h1_connection *connection = GW_FROM_CONTEXT(write->data, struct gw_h1_connection, GW_H1_CONNECTION_MAGIC);
    connection->is_writing = false;
    free(connection->head_copy);
    connection->head_copy = NULL;
    if (connection->is_closing)
        return;
    if (connection->request == GW_H1_DROPPED) {
        connection->is_write_failed = connection->is_write_failed || status < 0;
        h1_request_drop_piece(connection);
    } else if (status < 0) {
        h1_request_write_failed(connection);
    } else {
        h1_request_all_written(connection);
        h1_request_flush(connection);
        h1_request_ask(connection);
    }
}

/* The piece has its own reference and the chunk's line lies in the connection; only the head must be copied out of the
 * scratch buffer. */
static void h1_request_write_rest(struct gw_h1_connection *connection, uv_buf_t *buffers, unsigned count)
{
    const struct gw_buffer *scratch = &connection->transport->scratch;
    bool is_head = connection->request == GW_H1_HEAD && buffers->base >= scratch->at &&
                   buffers->base < scratch->at + scratch->length;
    if (is_head) {
        connection->head_copy = malloc(buffers->len);
        if (!connection->head_copy) {
            gw_h1_fail_later(connection, GW_ERROR_OVERLOADED);
            return;
        }
        memcpy(connection->head_copy, buffers->base, buffers->len);
        buffers->base = connection->head_copy;
    }
    connection->write.data = connection;
    if (uv_write(&connection->write, (uv_stream_t *)&connection->tcp, buffers, count, h1_request_on_written) < 0) {
        free(connection->head_copy);
        connection->head_copy = NULL;
        h1_request_write_failed(connection);
        return;
    }
    connection->is_writing = true;
    connection->call->was_sent = true;
    connection->queued_bytes = uv_stream_get_write_queue_size((uv_stream_t *)&connection->tcp);
    gw_h1_watch(connection);
}

static void h1_request_flush(struct gw_h1_connection *connection)
{
    bool is_body_due = connection->request == GW_H1_BODY &&
                       (connection->piece.bytes.length > 0 || h1_request_owes_last_chunk(connection));
    if (connection->is_writing || connection->is_corked || connection->failing ||
        (connection->request != GW_H1_HEAD && !is_body_due))
        return;
    uv_buf_t gathered[GATHERED], *buffers = gathered;
    unsigned count;
    if (!h1_request_gather(connection, buffers, &count)) {
        gw_h1_fail_later(connection, GW_ERROR_OVERLOADED);
        return;
    }
    int written = uv_try_write((uv_stream_t *)&connection->tcp, buffers, count);
    if (written < 0 && written != UV_EAGAIN) {
        h1_request_write_failed(connection);
        return;
    }
    if (written > 0) {
        size_t done = (size_t)written;
        connection->call->was_sent = true;
        for (; count && done >= buffers->len; buffers++, count--)
            done -= buffers->len;
        if (count) {
            buffers->base += done;
            buffers->len -= done;
        }
    }
    if (count)
        h1_request_write_rest(connection, buffers, count);
    else
        h1_request_all_written(connection);
}

/* ---- the body ---- */

static bool h1_request_may_ask(const struct gw_h1_connection *connection)
{
    return (connection->request == GW_H1_HEAD || connection->request == GW_H1_BODY) && !connection->is_writing &&
           !connection->failing && connection->piece.bytes.length == 0 && !h1_request_is_complete(connection);
}

/* Asks as long as the owner gives pieces and the kernel takes them. Pieces given within on_want_body leave in one write
 * when the event returns: the head with the first piece, the last piece with the last chunk. */
static void h1_request_ask(struct gw_h1_connection *connection)
{
    struct gw_call *call = connection->call;
    while (h1_request_may_ask(connection)) {
        connection->is_corked = true;
        call->events->on_want_body(call);
        if (connection->call != call)
            return;
        connection->is_corked = false;
        bool gave = connection->piece.bytes.length > 0 || h1_request_owes_last_chunk(connection);
        h1_request_flush(connection);
        if (!gave)
            return;
    }
}

void gw_h1_request_start(struct gw_h1_connection *connection)
{
    const struct gw_call *call = connection->call;
    bool has_piece = connection->piece.bytes.length > 0;
    if (has_piece || h1_request_is_complete(connection) || call->expects_continue)
        h1_request_flush(connection);
    h1_request_ask(connection);
}

void gw_h1_request_continue(struct gw_h1_connection *connection)
{
    if (connection->request != GW_H1_CONTINUE)
        return;
    connection->request = GW_H1_BODY;
    gw_h1_watch(connection);
    h1_request_ask(connection);
}

static bool h1_request_hold(struct gw_h1_connection *connection, struct gw_slice bytes, struct gw_block *block)
{
    if (block) {
        gw_block_ref(block);
    } else {
        block = gw_block_create(bytes.length);
        if (!block)
            return false;
        memcpy(block->bytes, bytes.at, bytes.length);
        bytes.at = block->bytes;
    }
    connection->piece = (struct gw_piece) { .bytes = bytes, .block = block };
    return true;
}

/* The owner gave more than it announced, or did not wait for on_want_body. The backend would then get something other
 * than this request. */
static bool h1_request_is_out_of_turn(const struct gw_h1_connection *connection, size_t length)
{
    const struct gw_call *call = connection->call;
    return connection->piece.bytes.length > 0 || connection->is_body_ended || !call->has_body ||
           (!call->is_chunked && length > connection->body_left);
}

bool gw_h1_request_send(struct gw_h1_connection *connection, struct gw_slice bytes, struct gw_block *block)
{
    if (connection->request == GW_H1_DROPPED || connection->failing)
        return false;
    if (bytes.length == 0)
        return h1_request_may_ask(connection); /* an empty piece: no later on_want_body would follow it */
    if (h1_request_is_out_of_turn(connection, bytes.length)) {
        gw_h1_fail_later(connection, GW_ERROR_INTERNAL);
        return false;
    }
    if (!h1_request_hold(connection, bytes, block)) {
        gw_h1_fail_later(connection, GW_ERROR_OVERLOADED);
        return false;
    }
    if (!connection->call->is_chunked)
        connection->body_left -= bytes.length;
    if (connection->request == GW_H1_CONTINUE)
        connection->request = GW_H1_BODY;
    if (connection->request == GW_H1_BODY) /* in GW_H1_HEAD the head goes first: gw_h1_request_start or ask writes it */
        h1_request_flush(connection);
    return connection->request == GW_H1_SENT ||
           (!connection->is_corked && connection->request == GW_H1_BODY && h1_request_may_ask(connection));
}

void gw_h1_request_end_body(struct gw_h1_connection *connection)
{
    if (connection->request == GW_H1_SENT || connection->request == GW_H1_DROPPED || connection->is_body_ended)
        return;
    if (!connection->call->is_chunked && connection->body_left > 0) {
        gw_h1_fail_later(connection, GW_ERROR_INTERNAL);
        return;
    }
    connection->is_body_ended = true;
    if (connection->request == GW_H1_CONTINUE)
        connection->request = GW_H1_BODY;
    if (connection->request == GW_H1_BODY)
        h1_request_flush(connection);
}

void gw_h1_request_drop(struct gw_h1_connection *connection)
{
    connection->request = GW_H1_DROPPED;
    if (!connection->is_writing)
        h1_request_drop_piece(connection);
}

bool gw_h1_request_progressed(struct gw_h1_connection *connection)
{
    size_t queued = uv_stream_get_write_queue_size((uv_stream_t *)&connection->tcp);
    bool has = queued < connection->queued_bytes;
    connection->queued_bytes = queued;
    return has;
}

void gw_h1_request_free(struct gw_h1_connection *connection)
{
    h1_request_drop_piece(connection);
    free(connection->head_copy);
    connection->head_copy = NULL;
}
