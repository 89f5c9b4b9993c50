#include "server/connection.h"

#include <stdlib.h>
#include <unistd.h>
#include "base/log.h"
#include "http/parser.h"
#include "server/h1_writer.h"

enum {
    CARRY_BYTES = GW_BLOCK_BYTES,
    HURRY_SILENCE_MS = 1000,
    HURRY_LINGER_MS = 2000,
    WRITE_PIECES = 16,
};

enum phase {
    IDLE,      /* between requests */
    HEAD,      /* a request begins to arrive */
    RUNNING,   /* an exchange runs */
    LINGERING, /* half-closed: what comes is thrown away, until the client ends or its time is over */
    CLOSING,   /* uv_close was called */
};

struct gw_connection {
    struct gw_downstream downstream;
    struct gw_h1_sink sink;
    struct gw_worker *worker;
    struct gw_address peer;
    bool on_admin_port, is_counted; /* in server.peers */

    uv_tcp_t tcp;
    struct gw_list link;
    enum phase phase;
    bool in_parse, is_reading, is_broken, body_wanted, close_when_written;
    bool is_dropping;  /* what comes while the answer leaves is thrown away */
    bool is_lingering; /* counted in server.lingering */
    unsigned requests;
    struct gw_exchange *exchange;
    struct gw_h1_writer *writer; /* of its response, in its arena */
    struct gw_parser parser;
    struct gw_chain carry, out;
    size_t writing, write_queue; /* bytes of `out` with libuv; how many of them were left when last looked at */
    union {
        uv_write_t write;
        uv_shutdown_t shutdown; /* only when nothing is being written */
    } request;
    struct gw_timer timer;
    uint64_t deadline_ms; /* UINT64_MAX: none; the timer may run earlier */
    uint64_t linger_until_ms;
};

static void process(struct gw_connection *connection);
static void read_on(struct gw_connection *connection);

static struct gw_connection *connection_from(struct gw_downstream *downstream)
{
    return GW_CONTAINER(downstream, struct gw_connection, downstream);
}

/* ---- time ---- */

/* A running timer is not moved later with every request: it looks at the deadline when it fires. */
static void set_deadline(struct gw_connection *connection, uint64_t after_ms)
{
    uint64_t before = connection->deadline_ms;
    if (connection->is_broken)
        return; /* the timer is about to end it */
    connection->deadline_ms = uv_now(&connection->worker->loop) + after_ms;
    if (!gw_timer_is_running(&connection->timer) || connection->deadline_ms < before)
        gw_timer_start(&connection->worker->timers, &connection->timer, after_ms);
}

static void clear_deadline(struct gw_connection *connection)
{
    if (connection->phase == RUNNING && connection->out.length)
        set_deadline(connection, connection->worker->config->write_timeout_ms);
    else if (connection->phase == RUNNING && connection->body_wanted)
        set_deadline(connection, connection->worker->config->body_timeout_ms);
    else
        connection->deadline_ms = UINT64_MAX;
}

/* ---- the end ---- */

/* Its end comes from the loop. */
static void break_off(struct gw_connection *connection)
{
    connection->is_broken = true;
    gw_timer_start(&connection->worker->timers, &connection->timer, 0);
}

static void on_closed(uv_handle_t *handle)
{
    struct gw_connection *connection = handle->data;
    struct gw_worker *worker = connection->worker;
    gw_chain_free(&connection->carry);
    gw_chain_free(&connection->out);
    gw_list_remove(&connection->link);
    free(connection);
    gw_worker_on_connection_closed(worker);
}

static void leave_place(struct gw_worker *worker)
{
    atomic_fetch_sub_explicit(&worker->server->connections, 1, memory_order_relaxed);
}

static void forget(struct gw_connection *connection)
{
    struct gw_worker *worker = connection->worker;
    connection->phase = CLOSING;
    gw_timer_stop(&connection->timer);
    if (connection->exchange)
        gw_exchange_put(connection->exchange);
    connection->exchange = NULL;
    leave_place(worker);
    atomic_fetch_sub_explicit(&worker->server->places[worker->index].connections, 1, memory_order_relaxed);
    gw_counter_subtract(&worker->shard->connections_open, 1);
    if (connection->is_lingering)
        atomic_fetch_sub_explicit(&worker->server->lingering, 1, memory_order_relaxed);
    if (connection->is_counted)
        gw_peers_leave(worker->server->peers, &connection->peer);
}

static void close_connection(struct gw_connection *connection)
{
    if (connection->phase == CLOSING)
        return;
    if (connection->phase == IDLE)
        gw_counter_subtract(&connection->worker->shard->connections_idle, 1);
    forget(connection);
    uv_close((uv_handle_t *)&connection->tcp, on_closed);
}

/* So that the client sees an answer that is not whole (RFC 9112 §8). */
static void cut_connection(struct gw_connection *connection)
{
    if (connection->phase == CLOSING)
        return;
    forget(connection);
    if (uv_tcp_close_reset(&connection->tcp, on_closed) != 0)
        uv_close((uv_handle_t *)&connection->tcp, on_closed); /* a shutdown is under way: what was to be said is said */
}

static void on_shutdown(uv_shutdown_t *request, int status)
{
    (void)request;
    (void)status;
}

/* Draining, or clients wait for a descriptor. */
static bool is_hurried(const struct gw_worker *worker)
{
    return worker->is_draining || atomic_load_explicit(&worker->server->waiting, memory_order_relaxed) > 0;
}

/* A bound on silence, and one on all of it. Who has its answer and sends on for ever must hold neither a drain nor a
 * descriptor that others wait for. */
static void set_linger_deadline(struct gw_connection *connection)
{
    struct gw_worker *worker = connection->worker;
    uint64_t now_ms = uv_now(&worker->loop), silence_ms = worker->config->linger_silence_ms;
    if (is_hurried(worker)) {
        silence_ms = HURRY_SILENCE_MS;
        if (connection->linger_until_ms > now_ms + HURRY_LINGER_MS)
            connection->linger_until_ms = now_ms + HURRY_LINGER_MS;
    }
    uint64_t until_ms = connection->linger_until_ms, left_ms = until_ms > now_ms ? until_ms - now_ms : 0;
    set_deadline(connection, left_ms < silence_ms ? left_ms : silence_ms);
}

/* A close while bytes of the client come makes the kernel send a reset, and that takes from the client what it has not
 * read of its answer (RFC 9112 §9.6): so our side ends first, and what still comes is thrown away. */
static void linger(struct gw_connection *connection)
{
    struct gw_worker *worker = connection->worker;
    connection->phase = LINGERING;
    gw_chain_free(&connection->carry);
    connection->is_lingering = true;
    unsigned others = atomic_fetch_add_explicit(&worker->server->lingering, 1, memory_order_relaxed);
    if (uv_shutdown(&connection->request.shutdown, (uv_stream_t *)&connection->tcp, on_shutdown) != 0 ||
        others >= worker->config->max_lingering) {
        close_connection(connection);
        return;
    }
    connection->linger_until_ms = uv_now(&worker->loop) + worker->config->linger_timeout_ms;
    set_linger_deadline(connection);
    read_on(connection);
}

/* ---- writing ---- */

static void on_written(uv_write_t *request, int status);

static void write_out(struct gw_connection *connection)
{
    uv_buf_t buffers[WRITE_PIECES];
    unsigned count = connection->out.count < WRITE_PIECES ? connection->out.count : WRITE_PIECES;
    connection->writing = 0;
    for (unsigned i = 0; i < count; i++) {
        struct gw_slice bytes = gw_chain_at(&connection->out, i)->bytes;
        union {
            const char *borrowed;
            char *base;
        } text = { .borrowed = bytes.at }; /* libuv takes char *, and writes nothing there */
        buffers[i] = uv_buf_init(text.base, (unsigned)bytes.length);
        connection->writing += bytes.length;
    }
    connection->write_queue = connection->writing;
    if (uv_write(&connection->request.write, (uv_stream_t *)&connection->tcp, buffers, count, on_written) != 0) {
        connection->writing = 0;
        break_off(connection);
    }
}

static void on_written(uv_write_t *request, int status)
{
    struct gw_connection *connection = request->handle->data;
    if (connection->phase == CLOSING)
        return;
    gw_chain_consume(&connection->out, connection->writing);
    connection->writing = 0;
    if (status < 0) {
        break_off(connection);
        return;
    }
    if (connection->out.length) {
        write_out(connection);
    } else if (connection->close_when_written) {
        linger(connection);
    } else {
        clear_deadline(connection);
        if (connection->exchange)
            gw_exchange_on_writable(connection->exchange);
    }
}

/* Keeps what did not go. */
static bool keep(struct gw_connection *connection, const struct gw_piece *pieces, unsigned count, size_t sent)
{
    for (unsigned i = 0; i < count; i++) {
        struct gw_slice bytes = pieces[i].bytes;
        size_t skipped = sent < bytes.length ? sent : bytes.length;
        sent -= skipped;
        if (!gw_chain_push(&connection->out, gw_slice_of(bytes.at + skipped, bytes.length - skipped), pieces[i].block))
            return false;
    }
    return true;
}

static ssize_t try_write(struct gw_connection *connection, const struct gw_piece *pieces, unsigned count)
{
    uv_buf_t buffers[WRITE_PIECES];
    for (unsigned i = 0; i < count; i++) {
        union {
            const char *borrowed;
            char *base;
        } text = { .borrowed = pieces[i].bytes.at };
        buffers[i] = uv_buf_init(text.base, (unsigned)pieces[i].bytes.length);
    }
    return uv_try_write((uv_stream_t *)&connection->tcp, buffers, count);
}

static bool write_pieces(struct gw_h1_sink *sink, const struct gw_piece *pieces, unsigned count)
{
    struct gw_connection *connection = GW_CONTAINER(sink, struct gw_connection, sink);
    size_t total = 0, sent = 0;
    for (unsigned i = 0; i < count; i++)
        total += pieces[i].bytes.length;
    gw_counter_add(&connection->worker->shard->bytes_sent, total);
    if (connection->is_broken)
        return false;
    if (connection->out.length == 0 && count <= WRITE_PIECES) {
        ssize_t result = try_write(connection, pieces, count);
        if (result < 0 && result != UV_EAGAIN)
            connection->is_broken = true;
        sent = result > 0 ? (size_t)result : 0;
    }
    if (sent == total)
        return true;
    bool was_empty = connection->out.length == 0;
    connection->is_broken = connection->is_broken || !keep(connection, pieces, count, sent);
    if (connection->is_broken)
        break_off(connection);
    else if (was_empty)
        write_out(connection);
    set_deadline(connection, connection->worker->config->write_timeout_ms);
    return false;
}

/* ---- reading ---- */

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct gw_connection *connection = handle->data;
    char *at = NULL;
    size_t room = gw_block_pool_room(&connection->worker->blocks, &at);
    (void)suggested;
    *buffer = uv_buf_init(at, (unsigned)room);
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer);

static void read_on(struct gw_connection *connection)
{
    if (connection->is_reading || connection->is_broken || connection->phase == CLOSING)
        return;
    connection->is_reading = uv_read_start((uv_stream_t *)&connection->tcp, on_room, on_read) == 0;
    if (!connection->is_reading)
        break_off(connection);
}

static void stop_reading(struct gw_connection *connection)
{
    if (connection->is_reading)
        uv_read_stop((uv_stream_t *)&connection->tcp);
    connection->is_reading = false;
}

/* The first byte of a request. */
static bool begin_request(struct gw_connection *connection)
{
    struct gw_worker *worker = connection->worker;
    struct gw_exchange *exchange = gw_exchange_take(&worker->context, &connection->downstream);
    connection->exchange = exchange;
    connection->writer = exchange ? gw_arena_take(&exchange->arena, sizeof *connection->writer) : NULL;
    if (!connection->writer) {
        close_connection(connection);
        return false;
    }
    gw_h1_writer_begin(connection->writer, &connection->sink, &worker->head_text);
    exchange->peer = connection->peer;
    exchange->on_admin_port = connection->on_admin_port;
    if (connection->phase == IDLE)
        gw_counter_subtract(&worker->shard->connections_idle, 1);
    connection->phase = HEAD;
    connection->deadline_ms = UINT64_MAX; /* of the idle time; the head's own begins when it does not come whole */
    gw_parser_begin(&connection->parser, &exchange->request, &exchange->arena, GW_METHOD_OTHER);
    return true;
}

static void on_head(struct gw_connection *connection, struct gw_slice *input)
{
    struct gw_exchange *exchange = connection->exchange;
    unsigned most = connection->worker->config->max_requests_per_connection;
    struct gw_slice body;
    connection->phase = RUNNING;
    connection->body_wanted = false;
    connection->deadline_ms = UINT64_MAX;
    connection->requests++;
    if (most && connection->requests >= most)
        exchange->request.keep_alive = false;
    bool has_body = exchange->request.framing == GW_FRAMING_CHUNKED ||
                    (exchange->request.framing == GW_FRAMING_LENGTH && exchange->request.content_length);
    if (has_body && input->length) /* its body is coming already */
        exchange->request.expects_continue = false;
    if (!has_body && gw_parser_next(&connection->parser, input, &body) != GW_PARSER_END)
        gw_exchange_refuse(exchange, GW_ERROR_MALFORMED);
    else
        gw_exchange_begin(exchange);
}

static void on_failure(struct gw_connection *connection)
{
    enum gw_error error = connection->parser.error;
    connection->body_wanted = false;
    if (connection->phase == HEAD) {
        connection->phase = RUNNING;
        connection->deadline_ms = UINT64_MAX;
        gw_exchange_refuse(connection->exchange, error);
    } else {
        gw_exchange_on_body_broken(connection->exchange, error);
    }
}

static void on_body(struct gw_connection *connection, struct gw_slice bytes, struct gw_block *block)
{
    set_deadline(connection, connection->worker->config->body_timeout_ms);
    bool more = gw_exchange_on_body(connection->exchange, bytes, block);
    if (connection->phase == RUNNING && connection->exchange) {
        connection->body_wanted = more && !connection->is_dropping;
        if (!more)
            clear_deadline(connection);
    }
}

/* The end of a body of known length needs no further byte, nor anybody who wants one. */
static bool is_at_end(const struct gw_connection *connection)
{
    return connection->phase == RUNNING && connection->exchange && connection->parser.place == GW_PARSER_IN_LENGTH &&
           connection->parser.remaining == 0;
}

static bool goes_on(const struct gw_connection *connection, const struct gw_slice *input)
{
    bool is_wanted = connection->phase == IDLE || connection->phase == HEAD ||
                     (connection->phase == RUNNING && connection->body_wanted);
    return (input->length && is_wanted) || is_at_end(connection);
}

/* Reads on in `input` as far as the phase allows; what is left belongs to what follows. */
static void parse(struct gw_connection *connection, struct gw_slice *input, struct gw_block *block)
{
    struct gw_slice body;
    bool was_in_parse = connection->in_parse;
    connection->in_parse = true;
    while (goes_on(connection, input)) {
        if (connection->phase == IDLE && !begin_request(connection))
            break;
        switch (gw_parser_next(&connection->parser, input, &body)) {
        case GW_PARSER_WANTS_MORE:
            if (connection->phase == HEAD && connection->deadline_ms == UINT64_MAX)
                set_deadline(connection, connection->worker->config->header_timeout_ms);
            break;
        case GW_PARSER_HEAD:
            on_head(connection, input);
            break;
        case GW_PARSER_BODY:
            on_body(connection, body, block);
            break;
        case GW_PARSER_END:
            connection->body_wanted = false;
            clear_deadline(connection);
            gw_exchange_on_body_end(connection->exchange);
            break;
        case GW_PARSER_FAILED:
            on_failure(connection);
            break;
        }
    }
    connection->in_parse = was_in_parse;
}

/* What was read too early comes first. */
static void process(struct gw_connection *connection)
{
    while (connection->carry.length && connection->phase != CLOSING && connection->phase != LINGERING) {
        struct gw_piece piece = *gw_chain_at(&connection->carry, 0);
        struct gw_slice input = piece.bytes;
        gw_block_ref(piece.block);
        parse(connection, &input, piece.block);
        size_t taken = piece.bytes.length - input.length;
        if (connection->carry.length) /* a linger or close meanwhile has emptied it */
            gw_chain_consume(&connection->carry, taken);
        gw_block_unref(piece.block);
        if (taken == 0)
            break;
    }
    if (connection->phase != CLOSING && connection->carry.kept_bytes <= CARRY_BYTES)
        read_on(connection);
}

static void take_input(struct gw_connection *connection, struct gw_slice input, struct gw_block *block)
{
    if (connection->carry.length == 0)
        parse(connection, &input, block);
    if (input.length == 0 || connection->phase == CLOSING || connection->phase == LINGERING || connection->is_dropping)
        return;
    if (!gw_chain_push(&connection->carry, input, block))
        break_off(connection); /* what was read is lost, and nothing after it may be taken for it */
    if (connection->is_broken || connection->carry.kept_bytes > CARRY_BYTES)
        stop_reading(connection);
    else if (connection->phase == RUNNING && connection->exchange && connection->exchange->request.expects_continue)
        gw_exchange_on_body_there(connection->exchange);
}

/* The client is gone, or gone silent for ever. */
static void give_up(struct gw_connection *connection)
{
    if (connection->phase == RUNNING && connection->exchange)
        gw_exchange_on_gone(connection->exchange, GW_ERROR_CLIENT_GONE);
    else
        close_connection(connection);
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
    struct gw_connection *connection = stream->data;
    struct gw_worker *worker = connection->worker;
    if (length < 0) {
        if (length != UV_ENOBUFS)
            give_up(connection);
        return;
    }
    if (length == 0)
        return;
    gw_counter_add(&worker->shard->bytes_received, (uint64_t)length);
    if (connection->phase == LINGERING)
        set_linger_deadline(connection);
    if (connection->phase == LINGERING || connection->is_dropping)
        return;
    take_input(connection, gw_slice_of(buffer->base, (size_t)length), worker->blocks.current);
    gw_block_pool_read(&worker->blocks, (size_t)length);
}

/* ---- what the exchange asks ---- */

static void want_body(struct gw_downstream *downstream)
{
    struct gw_connection *connection = connection_from(downstream);
    if (connection->phase != RUNNING)
        return;
    connection->body_wanted = true;
    set_deadline(connection, connection->worker->config->body_timeout_ms);
    if (!connection->in_parse)
        process(connection);
}

static void drop_input(struct gw_connection *connection)
{
    connection->body_wanted = false;
    connection->is_dropping = true;
    gw_chain_free(&connection->carry);
    read_on(connection);
}

static void drop_body(struct gw_downstream *downstream)
{
    struct gw_connection *connection = connection_from(downstream);
    drop_input(connection);
    clear_deadline(connection);
}

static void next_request(struct gw_connection *connection)
{
    connection->phase = IDLE;
    gw_counter_add(&connection->worker->shard->connections_idle, 1);
    set_deadline(connection,
                 is_hurried(connection->worker) ? HURRY_SILENCE_MS : connection->worker->config->idle_timeout_ms);
    if (!connection->in_parse)
        process(connection);
}

/* The whole request has been read: what comes next is another one. */
static bool is_request_read(const struct gw_connection *connection)
{
    return connection->parser.place == GW_PARSER_ENDED;
}

static void answer_ended(struct gw_connection *connection, enum gw_downstream_end end)
{
    bool is_whole = end == GW_DOWNSTREAM_WHOLE, keeps = is_whole && connection->writer->keep_alive;
    bool is_seen = is_whole || (end == GW_DOWNSTREAM_BROKEN && gw_h1_writer_shows_its_end(connection->writer));
    gw_h1_writer_drop(connection->writer);
    gw_exchange_put(connection->exchange);
    connection->exchange = NULL;
    connection->writer = NULL;
    connection->body_wanted = false;
    if (!is_seen || connection->is_broken) {
        cut_connection(connection);
    } else if (keeps && is_request_read(connection)) {
        next_request(connection);
    } else if (connection->out.length) {
        connection->close_when_written = true;
        drop_input(connection);
    } else {
        linger(connection);
    }
}

static void done(struct gw_downstream *downstream, enum gw_downstream_end end)
{
    answer_ended(connection_from(downstream), end);
}

static bool answer_interim(struct gw_downstream *downstream, int status, const struct gw_head *head)
{
    struct gw_connection *connection = connection_from(downstream);
    connection->writer->version_minor = connection->exchange->request.version_minor;
    return gw_h1_writer_interim(connection->writer, status, head);
}

static void answer_head(struct gw_downstream *downstream, struct gw_downstream_head *head)
{
    struct gw_connection *connection = connection_from(downstream);
    const struct gw_head *request = &connection->exchange->request;
    bool is_draining = atomic_load_explicit(&connection->worker->server->draining, memory_order_relaxed);
    connection->writer->version_minor = request->version_minor;
    connection->writer->keep_alive = request->keep_alive && is_request_read(connection) && !is_draining;
    gw_h1_writer_head(connection->writer, head);
}

static bool answer_body(struct gw_downstream *downstream, struct gw_slice bytes, struct gw_block *block)
{
    return gw_h1_writer_body(connection_from(downstream)->writer, bytes, block);
}

static bool answer_flush(struct gw_downstream *downstream)
{
    return gw_h1_writer_flush(connection_from(downstream)->writer);
}

static bool answer_end(struct gw_downstream *downstream)
{
    return gw_h1_writer_end(connection_from(downstream)->writer);
}

static bool take_back(struct gw_downstream *downstream)
{
    return gw_h1_writer_take_back(connection_from(downstream)->writer);
}

static const struct gw_downstream_table downstream_table = {
    .interim = answer_interim,
    .head = answer_head,
    .body = answer_body,
    .flush = answer_flush,
    .end = answer_end,
    .take_back = take_back,
    .want_body = want_body,
    .drop_body = drop_body,
    .done = done,
};

/* ---- deadlines ---- */

/* libuv tells of a write when all of it has gone; a slow client that takes some of it in time is alive. */
static bool has_progressed(struct gw_connection *connection)
{
    size_t left = uv_stream_get_write_queue_size((uv_stream_t *)&connection->tcp);
    bool progressed = left < connection->write_queue;
    connection->write_queue = left;
    return progressed;
}

static void on_deadline(struct gw_connection *connection)
{
    connection->deadline_ms = UINT64_MAX;
    switch (connection->phase) {
    case HEAD:
        connection->phase = RUNNING;
        gw_exchange_refuse(connection->exchange, GW_ERROR_REQUEST_TIMEOUT);
        break;
    case RUNNING:
        if (connection->out.length) {
            if (has_progressed(connection))
                set_deadline(connection, connection->worker->config->write_timeout_ms);
            else
                give_up(connection);
        } else if (connection->body_wanted) {
            connection->body_wanted = false;
            gw_exchange_on_body_broken(connection->exchange, GW_ERROR_REQUEST_TIMEOUT);
        }
        break;
    case IDLE:
    case LINGERING:
        close_connection(connection);
        break;
    case CLOSING:
        break;
    }
}

static void on_timer(struct gw_timer *timer)
{
    struct gw_connection *connection = GW_CONTAINER(timer, struct gw_connection, timer);
    uint64_t now = uv_now(&connection->worker->loop);
    if (connection->is_broken) {
        give_up(connection);
        return;
    }
    if (connection->deadline_ms == UINT64_MAX)
        return;
    if (now < connection->deadline_ms)
        gw_timer_start(&connection->worker->timers, timer, connection->deadline_ms - now);
    else
        on_deadline(connection);
}

/* ---- the beginning ---- */

static void shed(struct gw_connection *connection)
{
    static const char text[] =
        "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n";
    struct gw_piece piece = { GW_SLICE(""), NULL };
    piece.bytes = gw_slice_of(text, sizeof text - 1);
    gw_counter_add(&connection->worker->shard->connections_refused, 1);
    if (try_write(connection, &piece, 1) == (ssize_t)piece.bytes.length)
        linger(connection);
    else
        close_connection(connection);
}

static void open_connection(struct gw_connection *connection, unsigned open_before)
{
    struct gw_worker *worker = connection->worker;
    struct sockaddr_storage peer = { .ss_family = AF_UNSPEC };
    int length = sizeof peer;
    atomic_fetch_add_explicit(&worker->server->places[worker->index].connections, 1, memory_order_relaxed);
    gw_counter_add(&worker->shard->connections_open, 1);
    gw_counter_add(&worker->shard->connections_accepted, 1);
    uv_tcp_getpeername(&connection->tcp, (struct sockaddr *)&peer, &length);
    gw_address_of_socket(&connection->peer, (struct sockaddr *)&peer);
    uv_tcp_nodelay(&connection->tcp, 1);
    connection->phase = RUNNING; /* not yet counted idle */
    if (open_before >= worker->config->max_connections + GW_SERVER_SHED_MARGIN) {
        gw_counter_add(&worker->shard->connections_refused, 1);
        close_connection(connection);
        return;
    }
    bool counts = worker->server->peers && !gw_config_trusts(worker->config, &connection->peer);
    connection->is_counted = counts && gw_peers_enter(worker->server->peers, &connection->peer);
    if (open_before >= worker->config->max_connections || (counts && !connection->is_counted)) {
        shed(connection);
        return;
    }
    next_request(connection);
}

static struct gw_connection *create(struct gw_listening *listening)
{
    struct gw_worker *worker = listening->worker;
    struct gw_connection *connection = calloc(1, sizeof *connection);
    if (!connection)
        return NULL;
    connection->downstream.table = &downstream_table;
    connection->sink.write = write_pieces;
    connection->worker = worker;
    connection->on_admin_port = listening->is_admin;
    connection->deadline_ms = UINT64_MAX;
    gw_timer_init(&connection->timer, on_timer);
    gw_parser_init(&connection->parser, false, &worker->parser_limits);
    if (uv_tcp_init(&worker->loop, &connection->tcp) != 0) {
        free(connection);
        return NULL;
    }
    connection->tcp.data = connection;
    gw_list_push_back(&worker->connections, &connection->link);
    return connection;
}

void gw_connection_open(struct gw_listening *listening, int fd, unsigned open_before)
{
    struct gw_worker *worker = listening->worker;
    struct gw_connection *connection = create(listening);
    if (connection && uv_tcp_open(&connection->tcp, fd) == 0) {
        open_connection(connection, open_before);
        return;
    }
    close(fd);
    leave_place(worker);
    gw_counter_add(&worker->shard->connections_refused, 1);
    if (connection) {
        connection->phase = CLOSING;
        uv_close((uv_handle_t *)&connection->tcp, on_closed);
    }
}

void gw_connection_hurry_idle(struct gw_worker *worker)
{
    uint64_t soon_ms = uv_now(&worker->loop) + HURRY_SILENCE_MS;
    gw_list_each_safe(link, &worker->connections)
    {
        struct gw_connection *connection = GW_CONTAINER(link, struct gw_connection, link);
        if (connection->deadline_ms <= soon_ms) /* a nearer end stays: nobody begins to wait anew */
            continue;
        if (connection->phase == IDLE)
            set_deadline(connection, HURRY_SILENCE_MS);
        else if (connection->phase == LINGERING)
            set_linger_deadline(connection);
    }
}

void gw_connection_cut_all(struct gw_worker *worker)
{
    gw_list_each_safe(link, &worker->connections)
    {
        struct gw_connection *connection = GW_CONTAINER(link, struct gw_connection, link);
        if (connection->phase == RUNNING && connection->exchange)
            gw_exchange_on_gone(connection->exchange, GW_ERROR_CANCELLED);
        close_connection(connection); /* nothing lingers any more */
    }
}
