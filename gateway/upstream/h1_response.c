#include "upstream/h1.h"

#include <sys/socket.h>
#include "base/clock.h"

bool gw_h1_response_begin(struct gw_h1_connection *connection)
{
    struct gw_call *call = connection->call;
    connection->head = gw_arena_take(call->arena, sizeof *connection->head);
    if (!connection->head)
        return false;
    connection->limits = (struct gw_parser_limits) { .line_bytes = call->config->max_response_header_bytes,
                                                     .head_bytes = call->config->max_response_header_bytes,
                                                     .fields = call->config->max_response_headers };
    connection->is_paused = connection->is_unparsed = connection->is_answering = false;
    connection->is_keepable = !call->binds_connection;
    connection->interims = 0;
    gw_parser_begin(&connection->parser, connection->head, call->arena, call->method);
    return true;
}

void gw_h1_response_free(struct gw_h1_connection *connection)
{
    gw_block_unref(connection->rest.block);
    connection->rest = (struct gw_piece) { .block = NULL };
}

/* When the owner paused: keeps the bytes that were read but not reported, with their block. They are less than one
 * read. */
static void h1_response_keep_rest(struct gw_h1_connection *connection, struct gw_slice input, struct gw_block *block)
{
    connection->is_unparsed = true;
    if (input.length)
        connection->rest = (struct gw_piece) { .bytes = input, .block = gw_block_ref(block) };
}

static void h1_response_tell_interim(struct gw_h1_connection *connection)
{
    struct gw_call *call = connection->call;
    int status = connection->head->status;
    /* RFC 9110 §15.2.2: 101 answers an Upgrade, and the gateway asked for none. */
    if (status == 101 || ++connection->interims > GW_H1_INTERIMS) {
        gw_h1_fail(connection, GW_ERROR_UPSTREAM_MALFORMED);
        return;
    }
    connection->is_keepable = connection->is_keepable && !connection->head->is_forgiven;
    call->events->on_interim(call, connection->head);
    if (connection->call == call && status == 100)
        gw_h1_request_continue(connection);
}

static void h1_response_tell_head(struct gw_h1_connection *connection)
{
    struct gw_call *call = connection->call;
    struct gw_head *head = connection->head;
    if (head->status < 200) {
        h1_response_tell_interim(connection);
        return;
    }
    connection->is_answering = true;
    connection->is_keepable = connection->is_keepable && head->keep_alive;
    if (connection->request != GW_H1_SENT)
        gw_h1_request_drop(connection);
    call->head_at_us = gw_clock_monotonic_us();
    call->events->on_head(call, head);
}

/* The owner's arena holds each 1xx until the end. If they fill it, the backend has sent too much. */
static enum gw_error h1_response_error_of_parser(const struct gw_h1_connection *connection)
{
    enum gw_error error = connection->parser.error;
    return error == GW_ERROR_OVERLOADED && connection->interims ? GW_ERROR_UPSTREAM_HEAD_TOO_LARGE : error;
}

/* False when nothing more of this response is to be read now. */
static bool h1_response_tell(struct gw_h1_connection *connection, enum gw_parser_event event,
                             const struct gw_slice *input, struct gw_slice body, struct gw_block *block)
{
    struct gw_call *call = connection->call;
    switch (event) {
    case GW_PARSER_HEAD:
        h1_response_tell_head(connection);
        return connection->call == call;
    case GW_PARSER_BODY:
        call->events->on_body(call, body, block);
        return connection->call == call;
    case GW_PARSER_END:
        if (connection->is_answering) {
            gw_h1_complete(connection, input->length == 0 && !connection->parser.is_forgiven);
            return false;
        }
        gw_parser_begin(&connection->parser, connection->head, call->arena, call->method);
        return true;
    case GW_PARSER_FAILED:
        gw_h1_fail(connection, h1_response_error_of_parser(connection));
        return false;
    case GW_PARSER_WANTS_MORE:
        break;
    }
    return false;
}

/* Reports all that these bytes hold, up to a pause. The event's receiver may take a reference to the block. */
static void h1_response_take(struct gw_h1_connection *connection, struct gw_slice input, struct gw_block *block)
{
    struct gw_call *call = connection->call;
    bool has_told = false;
    connection->is_unparsed = false;
    for (;;) {
        struct gw_slice body = GW_NO_SLICE;
        enum gw_parser_event event = gw_parser_next(&connection->parser, &input, &body);
        if (event == GW_PARSER_WANTS_MORE)
            break;
        if (!h1_response_tell(connection, event, &input, body, block))
            return;
        has_told = true;
        if (connection->is_paused) {
            h1_response_keep_rest(connection, input, block);
            break;
        }
    }
    if (!has_told)
        return; /* only part of a head: the time limit for the whole head keeps running */
    if (connection->is_answering)
        gw_h1_watch(connection);
    call->events->on_pause_in_reading(call);
}

/* True if the connection ended by a FIN, not by an RST. A socket reports an RST only once, and a write may have got
 * that report already. If the RST comes with data in one turn of the loop, libuv reports an end without asking the
 * socket. */
static bool h1_response_is_ended_by_fin(const struct gw_h1_connection *connection)
{
    int socket;
    char byte;
    return !connection->is_write_failed && uv_fileno((const uv_handle_t *)&connection->tcp, &socket) == 0 &&
           recv(socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* Only a FIN ends a body that has no length. After an RST the missing part is unknown. */
static void h1_response_read_failed(struct gw_h1_connection *connection, ssize_t status)
{
    gw_h1_response_stop_reading(connection);
    if (!connection->call) {
        gw_h1_close(connection);
        return;
    }
    if (status == UV_ENOBUFS) {
        gw_h1_fail(connection, GW_ERROR_OVERLOADED);
        return;
    }
    bool is_end = status == UV_EOF && connection->is_answering && h1_response_is_ended_by_fin(connection) &&
                  gw_parser_finish(&connection->parser) == GW_PARSER_END;
    if (is_end)
        gw_h1_complete(connection, false);
    else
        gw_h1_fail(connection, GW_ERROR_RESET);
}

static void h1_response_on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)suggested;
    struct gw_h1_connection *connection = GW_FROM_CONTEXT(handle->data, struct gw_h1_connection,
                                                          GW_H1_CONNECTION_MAGIC);
    char *at = NULL;
    size_t length = gw_block_pool_room(connection->transport->setup.blocks, &at);
    *buffer = uv_buf_init(at, (unsigned)length);
}

static void h1_response_on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
    struct gw_h1_connection *connection = GW_FROM_CONTEXT(stream->data, struct gw_h1_connection,
                                                          GW_H1_CONNECTION_MAGIC);
    struct gw_block_pool *blocks = connection->transport->setup.blocks;
    if (length < 0) {
        h1_response_read_failed(connection, length);
        return;
    }
    if (length == 0)
        return;
    if (!connection->call) { /* bytes without a request: the next answer could not be told from them */
        gw_h1_close(connection);
        return;
    }
    connection->call->was_answered = true;
    h1_response_take(connection, gw_slice_of(buffer->base, (size_t)length), blocks->current);
    gw_block_pool_read(blocks, (size_t)length);
}

bool gw_h1_response_read(struct gw_h1_connection *connection)
{
    if (!connection->is_reading)
        connection->is_reading = uv_read_start((uv_stream_t *)&connection->tcp, h1_response_on_room,
                                               h1_response_on_read) == 0;
    return connection->is_reading;
}

void gw_h1_response_stop_reading(struct gw_h1_connection *connection)
{
    if (connection->is_reading)
        uv_read_stop((uv_stream_t *)&connection->tcp);
    connection->is_reading = false;
}

void gw_h1_response_go_on(struct gw_h1_connection *connection)
{
    struct gw_call *call = connection->call;
    struct gw_piece piece = connection->rest;
    connection->rest = (struct gw_piece) { .block = NULL };
    h1_response_take(connection, piece.bytes, piece.block);
    gw_block_unref(piece.block);
    if (connection->call != call || connection->is_paused)
        return;
    if (gw_h1_response_read(connection))
        gw_h1_watch(connection);
    else
        gw_h1_fail(connection, GW_ERROR_RESET);
}
