#include "server/h1_requests.h"

#include "server/connection.h"

enum { CARRY_BYTES = GW_BLOCK_BYTES };

static const struct gw_downstream_table downstream_table;

static struct gw_connection *h1_requests_connection_from(struct gw_downstream *downstream)
{
    struct gw_h1_sink *sink = gw_h1_writer_from(downstream)->sink;
    struct gw_connection *connection = GW_CONTAINER(sink, struct gw_connection, h1.sink);
    GW_CHECK_MAGIC(connection, GW_CONNECTION_MAGIC);
    return connection;
}

bool gw_h1_requests_check(const struct gw_connection *connection)
{
    const struct gw_h1_requests *h1 = &connection->h1;
    enum gw_connection_phase phase = connection->phase;
    bool is_asked = phase == GW_CONNECTION_HEAD || phase == GW_CONNECTION_RUNNING;
    bool is_ending = phase == GW_CONNECTION_LEAVING || phase == GW_CONNECTION_LINGERING;
    GW_CHECK(is_asked == (h1->exchange != NULL));
    GW_CHECK(is_asked == (h1->writer != NULL));
    GW_CHECK(phase != GW_CONNECTION_OPENING || h1->count == 0);
    GW_CHECK(phase != GW_CONNECTION_HEAD || h1->exchange->state == GW_EXCHANGE_DONE);
    GW_CHECK(!h1->body_wanted || (phase == GW_CONNECTION_RUNNING && !h1->is_dropping));
    GW_CHECK(!h1->is_dropping || phase == GW_CONNECTION_RUNNING || is_ending || phase == GW_CONNECTION_CLOSING);
    GW_CHECK(!is_ending || h1->carry.length == 0);
    return true;
}

void gw_h1_requests_put_exchange(struct gw_h1_requests *h1)
{
    if (h1->writer)
        gw_h1_writer_drop(h1->writer);
    if (h1->exchange)
        gw_exchange_put(h1->exchange);
    h1->exchange = NULL;
    h1->writer = NULL;
    h1->body_wanted = false;
}

/* ---- reading ---- */

/* The first byte of a request has come. False: the connection is closed. */
static bool h1_requests_begin_request(struct gw_connection *connection)
{
    struct gw_h1_requests *h1 = &connection->h1;
    struct gw_exchange *exchange = gw_exchange_take(&connection->worker->context, NULL);
    h1->exchange = exchange;
    h1->writer = exchange ? gw_arena_take(&exchange->arena, sizeof *h1->writer) : NULL;
    if (!h1->writer) {
        gw_connection_close(connection);
        return false;
    }
    gw_h1_writer_begin(h1->writer, &h1->sink, &connection->worker->head_text);
    h1->writer->downstream.table = &downstream_table;
    exchange->downstream = &h1->writer->downstream;
    exchange->identity.peer = connection->peer;
    exchange->identity.on_admin_port = connection->on_admin_port;
    /* The idle time is over. The time for a head begins when a part of it has come (h1_requests_parse). */
    gw_connection_move(connection, GW_CONNECTION_FIRST_BYTE);
    gw_parser_begin(&h1->parser, &exchange->request, &exchange->arena, GW_METHOD_OTHER);
    return true;
}

/* The client's version may be unknown, so the answer is of our own version. */
static void h1_requests_refuse(struct gw_exchange *exchange, enum gw_error error)
{
    exchange->request.version_minor = 1;
    exchange->arrival = (struct gw_arrival) { .protocol = GW_SLICE("HTTP/1.1") };
    gw_exchange_refuse(exchange, error);
}

static void h1_requests_on_head(struct gw_connection *connection, struct gw_slice *input)
{
    struct gw_exchange *exchange = connection->h1.exchange;
    struct gw_head *request = &exchange->request;
    struct gw_slice body;
    gw_connection_move(connection, GW_CONNECTION_HEAD_READ);
    connection->h1.count++;
    bool is_chunked = request->framing == GW_FRAMING_CHUNKED, has_length = request->framing == GW_FRAMING_LENGTH;
    exchange->arrival = (struct gw_arrival) {
        .protocol = request->version_minor ? GW_SLICE("HTTP/1.1") : GW_SLICE("HTTP/1.0"),
        .has_body = is_chunked || has_length,
        .has_length = has_length,
        .length = has_length ? request->content_length : 0,
    };
    bool has_body = is_chunked || exchange->arrival.length;
    if (has_body && input->length) /* the client has not waited with its body */
        request->expects_continue = false;
    if (!has_body && gw_parser_next(&connection->h1.parser, input, &body) != GW_PARSER_END)
        h1_requests_refuse(exchange, GW_ERROR_MALFORMED);
    else
        gw_exchange_begin(exchange);
}

void gw_h1_requests_fail(struct gw_connection *connection, enum gw_error error)
{
    connection->h1.body_wanted = false;
    if (connection->phase == GW_CONNECTION_HEAD) {
        gw_connection_move(connection, GW_CONNECTION_HEAD_READ);
        h1_requests_refuse(connection->h1.exchange, error);
    } else {
        gw_exchange_on_body_broken(connection->h1.exchange, error);
    }
}

static void h1_requests_on_body(struct gw_connection *connection, struct gw_slice bytes, struct gw_block *block)
{
    struct gw_h1_requests *h1 = &connection->h1;
    gw_connection_set_deadline(connection, connection->worker->config->body_timeout_ms);
    bool more = gw_exchange_on_body(h1->exchange, bytes, block);
    if (connection->phase == GW_CONNECTION_RUNNING) {
        h1->body_wanted = more && !h1->is_dropping;
        if (!more)
            gw_connection_clear_deadline(connection);
    }
}

/* Takes bytes from `input` as far as the phase allows. The bytes that are left are for a later call. */
static void h1_requests_parse(struct gw_connection *connection, struct gw_slice *input, struct gw_block *block)
{
    struct gw_h1_requests *h1 = &connection->h1;
    struct gw_slice body;
    bool was_in_parse = h1->in_parse;
    h1->in_parse = true;
    for (;;) {
        if (connection->phase == GW_CONNECTION_RUNNING) {
            /* The end of a body of known length needs no further byte: it is read also if no more body is wanted. */
            bool is_at_end = h1->parser.place == GW_PARSER_IN_LENGTH && h1->parser.remaining == 0;
            if (!is_at_end && !(h1->body_wanted && input->length))
                break;
        } else if (!input->length ||
                   (connection->phase != GW_CONNECTION_IDLE && connection->phase != GW_CONNECTION_HEAD)) {
            break;
        }
        if (connection->phase == GW_CONNECTION_IDLE && !h1_requests_begin_request(connection))
            break;
        switch (gw_parser_next(&h1->parser, input, &body)) {
        case GW_PARSER_WANTS_MORE:
            if (connection->phase == GW_CONNECTION_HEAD && connection->deadline_ms == UINT64_MAX)
                gw_connection_set_deadline(connection, connection->worker->config->header_timeout_ms);
            break;
        case GW_PARSER_HEAD:
            h1_requests_on_head(connection, input);
            break;
        case GW_PARSER_BODY:
            h1_requests_on_body(connection, body, block);
            break;
        case GW_PARSER_END:
            h1->body_wanted = false;
            gw_connection_clear_deadline(connection);
            gw_exchange_on_body_end(h1->exchange);
            break;
        case GW_PARSER_FAILED:
            gw_h1_requests_fail(connection, h1->parser.error);
            break;
        }
    }
    h1->in_parse = was_in_parse;
}

/* Is every further byte of the client thrown away? */
static bool h1_requests_is_deaf(const struct gw_connection *connection)
{
    return connection->h1.is_dropping || connection->phase == GW_CONNECTION_LINGERING ||
           connection->phase == GW_CONNECTION_CLOSING;
}

void gw_h1_requests_on_read(struct gw_stream *stream, struct gw_slice bytes, struct gw_block *block)
{
    struct gw_connection *connection = GW_CONTAINER(stream, struct gw_connection, stream);
    struct gw_h1_requests *h1 = &connection->h1;
    GW_CHECK(gw_connection_check(connection));
    if (connection->phase == GW_CONNECTION_LINGERING)
        gw_connection_set_linger_deadline(connection);
    if (h1->carry.length == 0 && !h1_requests_is_deaf(connection))
        h1_requests_parse(connection, &bytes, block);
    if (bytes.length == 0 || h1_requests_is_deaf(connection))
        return;
    if (!gw_chain_push(&h1->carry, bytes, block))
        gw_stream_break(&connection->stream); /* the bytes are lost, and later bytes must not be read in their place */
    else if (h1->carry.kept_bytes > CARRY_BYTES)
        gw_stream_stop_reading(&connection->stream);
    else if (connection->phase == GW_CONNECTION_RUNNING && h1->exchange->request.expects_continue)
        gw_exchange_on_body_there(h1->exchange);
}

void gw_h1_requests_go_on(struct gw_connection *connection)
{
    struct gw_h1_requests *h1 = &connection->h1;
    if (h1->in_parse)
        return;
    while (h1->carry.length && !h1_requests_is_deaf(connection)) {
        struct gw_piece piece = *gw_chain_at(&h1->carry, 0);
        struct gw_slice input = piece.bytes;
        gw_block_ref(piece.block);
        h1_requests_parse(connection, &input, piece.block);
        size_t taken = piece.bytes.length - input.length;
        if (h1->carry.length) /* 0: the connection began to linger or was closed, which has emptied the carry */
            gw_chain_consume(&h1->carry, taken);
        gw_block_unref(piece.block);
        if (taken == 0)
            break;
    }
    if (h1->carry.kept_bytes <= CARRY_BYTES)
        gw_stream_read(&connection->stream);
}

/* ---- what the exchange asks ---- */

static void h1_requests_want_body(struct gw_downstream *downstream)
{
    struct gw_connection *connection = h1_requests_connection_from(downstream);
    if (connection->phase != GW_CONNECTION_RUNNING)
        return;
    connection->h1.body_wanted = true;
    gw_connection_set_deadline(connection, connection->worker->config->body_timeout_ms);
    gw_h1_requests_go_on(connection);
}

static void h1_requests_throw_away_input(struct gw_connection *connection)
{
    connection->h1.body_wanted = false;
    connection->h1.is_dropping = true;
    gw_chain_free(&connection->h1.carry);
    gw_stream_read(&connection->stream);
}

static void h1_requests_drop_body(struct gw_downstream *downstream)
{
    struct gw_connection *connection = h1_requests_connection_from(downstream);
    h1_requests_throw_away_input(connection);
    gw_connection_clear_deadline(connection);
}

/* ---- what the exchange answers ---- */

static bool h1_requests_write_pieces(struct gw_h1_sink *sink, const struct gw_piece *pieces, unsigned count)
{
    struct gw_connection *connection = GW_CONTAINER(sink, struct gw_connection, h1.sink);
    if (gw_stream_write(&connection->stream, pieces, count))
        return true;
    gw_connection_set_deadline(connection, connection->worker->config->write_timeout_ms);
    return false;
}

static bool h1_requests_tell_interim(struct gw_downstream *downstream, int status, const struct gw_head *head)
{
    struct gw_h1_requests *h1 = &h1_requests_connection_from(downstream)->h1;
    h1->writer->version_minor = h1->exchange->request.version_minor;
    return gw_h1_writer_interim(h1->writer, status, head);
}

/* Decides whether the connection is kept after this response. The whole request must have been read, so that the next
 * bytes are another request. */
static void h1_requests_tell_head(struct gw_downstream *downstream, struct gw_downstream_head *head)
{
    struct gw_connection *connection = h1_requests_connection_from(downstream);
    struct gw_h1_requests *h1 = &connection->h1;
    struct gw_server *server = connection->worker->server;
    unsigned most = connection->worker->config->max_requests_per_connection;
    h1->writer->version_minor = h1->exchange->request.version_minor;
    h1->writer->keep_alive = h1->exchange->request.keep_alive && h1->parser.place == GW_PARSER_ENDED &&
                             (!most || h1->count < most) &&
                             !atomic_load_explicit(&server->draining, memory_order_relaxed);
    gw_h1_writer_head(h1->writer, head);
}

static void h1_requests_done(struct gw_downstream *downstream, enum gw_downstream_end end)
{
    struct gw_connection *connection = h1_requests_connection_from(downstream);
    struct gw_h1_requests *h1 = &connection->h1;
    bool is_whole = end == GW_DOWNSTREAM_WHOLE;
    bool is_kept = is_whole && h1->writer->keep_alive;
    bool is_seen = is_whole || (end == GW_DOWNSTREAM_BROKEN && gw_h1_writer_shows_its_end(h1->writer));
    gw_h1_requests_put_exchange(h1);
    if (!is_seen || connection->stream.is_broken) {
        gw_connection_cut(connection);
    } else if (is_kept) {
        gw_connection_await_request(connection, GW_CONNECTION_KEPT);
    } else if (gw_stream_is_writing(&connection->stream)) {
        gw_connection_move(connection, GW_CONNECTION_GIVEN);
        gw_connection_set_deadline(connection, connection->worker->config->write_timeout_ms);
        h1_requests_throw_away_input(connection);
    } else {
        gw_connection_linger(connection);
    }
}

static const struct gw_downstream_table downstream_table = {
    .interim = h1_requests_tell_interim,
    .head = h1_requests_tell_head,
    .body = gw_h1_writer_body,
    .flush = gw_h1_writer_flush,
    .end = gw_h1_writer_end,
    .want_body = h1_requests_want_body,
    .drop_body = h1_requests_drop_body,
    .done = h1_requests_done,
};

void gw_h1_requests_init(struct gw_h1_requests *h1, const struct gw_parser_limits *limits)
{
    *h1 = (struct gw_h1_requests) { .sink.write = h1_requests_write_pieces };
    gw_parser_init(&h1->parser, false, limits);
}
