#include "server/connection.h"

#include <stdlib.h>
#include <unistd.h>
#include "base/log.h"

enum {
    HURRY_SILENCE_MS = 1000,
    HURRY_LINGER_MS = 2000,
};

/* ---- phases ---- */

/* clang-format off */
static const uint8_t moves[GW_CONNECTION_PHASES][GW_CONNECTION_EVENTS] = { /* phase + 1; 0: no row */
#define MOVE(in, when, then) [GW_CONNECTION_##in][GW_CONNECTION_##when] = GW_CONNECTION_##then + 1,
    GW_CONNECTION_MOVES(MOVE)
#undef MOVE
};
/* clang-format on */

enum gw_connection_phase gw_connection_next(enum gw_connection_phase phase, enum gw_connection_event event)
{
    return moves[phase][event] ? (enum gw_connection_phase)(moves[phase][event] - 1) : GW_CONNECTION_PHASES;
}

const char *gw_connection_phase_name(enum gw_connection_phase phase)
{
    static const char *const names[] = { "OPENING", "IDLE", "HEAD", "RUNNING", "LEAVING", "LINGERING", "CLOSING" };
    return phase < GW_COUNT(names) ? names[phase] : "none";
}

bool gw_connection_check(const struct gw_connection *connection)
{
    bool is_writing = gw_stream_is_writing(&connection->stream);
    GW_CHECK_MAGIC(connection, GW_CONNECTION_MAGIC);
    GW_CHECK(connection->phase < GW_CONNECTION_PHASES);
    switch (connection->phase) {
    case GW_CONNECTION_OPENING:
    case GW_CONNECTION_IDLE:
    case GW_CONNECTION_HEAD:
    case GW_CONNECTION_LINGERING:
        GW_CHECK(!is_writing);
        break;
    case GW_CONNECTION_CLOSING:
        GW_CHECK(!gw_timer_is_running(&connection->timer));
        break;
    case GW_CONNECTION_RUNNING:
    case GW_CONNECTION_LEAVING:
    case GW_CONNECTION_PHASES:
        break;
    }
    GW_CHECK(gw_h1_requests_check(connection));
    return true;
}

void gw_connection_move(struct gw_connection *connection, enum gw_connection_event event)
{
    enum gw_connection_phase before = connection->phase;
    struct gw_shard *shard = connection->worker->shard;
    unsigned row = moves[before][event];
    GW_CHECK(row != 0);
    if (row == 0) {
        gw_counter_add(&shard->unexpected_events, 1);
        gw_log(GW_LOG_ERROR, "connection", "no move from %s by event %d", gw_connection_phase_name(before), (int)event);
        gw_stream_break(&connection->stream);
        return;
    }
    connection->phase = (enum gw_connection_phase)(row - 1);
    if (before == GW_CONNECTION_IDLE)
        gw_counter_subtract(&shard->connections_idle, 1);
    if (connection->phase == GW_CONNECTION_IDLE)
        gw_counter_add(&shard->connections_idle, 1);
    connection->deadline_ms = UINT64_MAX;
}

/* ---- time ---- */

static void connection_start_timer(struct gw_connection *connection, uint64_t after_ms)
{
    connection->timer_at_ms = uv_now(&connection->worker->loop) + after_ms;
    gw_timer_start(&connection->worker->timers, &connection->timer, after_ms);
}

/* A running timer is not moved later with every request. When it fires, connection_on_timer looks at the deadline. */
void gw_connection_set_deadline(struct gw_connection *connection, uint64_t after_ms)
{
    if (connection->stream.is_broken)
        return; /* the timer is about to end the connection */
    connection->deadline_ms = uv_now(&connection->worker->loop) + after_ms;
    if (!gw_timer_is_running(&connection->timer) || connection->deadline_ms < connection->timer_at_ms)
        connection_start_timer(connection, after_ms);
}

void gw_connection_clear_deadline(struct gw_connection *connection)
{
    if (connection->phase == GW_CONNECTION_RUNNING && gw_stream_is_writing(&connection->stream))
        gw_connection_set_deadline(connection, connection->worker->config->write_timeout_ms);
    else if (connection->phase == GW_CONNECTION_RUNNING && connection->h1.body_wanted)
        gw_connection_set_deadline(connection, connection->worker->config->body_timeout_ms);
    else
        connection->deadline_ms = UINT64_MAX;
}

/* ---- the end ---- */

/* The stream may break within a call of the exchange, so the connection ends from the loop. */
static void connection_on_broken(struct gw_stream *stream)
{
    struct gw_connection *connection = GW_CONTAINER(stream, struct gw_connection, stream);
    connection_start_timer(connection, 0);
}

static void connection_on_closed(struct gw_stream *stream)
{
    struct gw_connection *connection = GW_CONTAINER(stream, struct gw_connection, stream);
    struct gw_worker *worker = connection->worker;
    gw_chain_free(&connection->h1.carry);
    gw_list_remove(&connection->link);
    connection->magic = GW_NO_MAGIC;
    free(connection);
    gw_worker_on_connection_closed(worker);
}

static void connection_leave_place(struct gw_worker *worker)
{
    atomic_fetch_sub_explicit(&worker->server->connections, 1, memory_order_relaxed);
}

/* From here on, the connection counts nowhere. */
static void connection_leave(struct gw_connection *connection)
{
    struct gw_worker *worker = connection->worker;
    if (connection->phase == GW_CONNECTION_LINGERING)
        atomic_fetch_sub_explicit(&worker->server->lingering, 1, memory_order_relaxed);
    gw_connection_move(connection, GW_CONNECTION_CLOSED);
    gw_timer_stop(&connection->timer);
    gw_h1_requests_put_exchange(&connection->h1);
    connection_leave_place(worker);
    atomic_fetch_sub_explicit(&worker->server->places[worker->index].connections, 1, memory_order_relaxed);
    gw_counter_subtract(&worker->shard->connections_open, 1);
    if (connection->is_counted)
        gw_client_connections_leave(worker->server->client_connections, &connection->peer);
    GW_CHECK(gw_connection_check(connection));
}

void gw_connection_close(struct gw_connection *connection)
{
    if (connection->phase == GW_CONNECTION_CLOSING)
        return;
    connection_leave(connection);
    gw_stream_close(&connection->stream);
}

void gw_connection_cut(struct gw_connection *connection)
{
    if (connection->phase == GW_CONNECTION_CLOSING)
        return;
    connection_leave(connection);
    gw_stream_reset(&connection->stream);
}

/* Draining, or clients wait for a descriptor. */
static bool connection_is_hurried(const struct gw_worker *worker)
{
    return worker->is_draining || atomic_load_explicit(&worker->server->waiting, memory_order_relaxed) > 0;
}

/* Silence has a bound, and so has lingering as a whole: a client that has its answer and sends on for ever must neither
 * hold up a drain nor keep a descriptor that other clients wait for. */
void gw_connection_set_linger_deadline(struct gw_connection *connection)
{
    struct gw_worker *worker = connection->worker;
    uint64_t now_ms = uv_now(&worker->loop), silence_ms = worker->config->linger_silence_ms;
    if (connection_is_hurried(worker)) {
        silence_ms = HURRY_SILENCE_MS;
        if (connection->linger_until_ms > now_ms + HURRY_LINGER_MS)
            connection->linger_until_ms = now_ms + HURRY_LINGER_MS;
    }
    uint64_t until_ms = connection->linger_until_ms, left_ms = until_ms > now_ms ? until_ms - now_ms : 0;
    gw_connection_set_deadline(connection, left_ms < silence_ms ? left_ms : silence_ms);
}

/* If a socket is closed while bytes of the client come, the kernel sends a reset, and the client loses the part of its
 * answer that it has not read yet (RFC 9112 §9.6). So our side ends first, and bytes that still come are thrown away. */
void gw_connection_linger(struct gw_connection *connection)
{
    struct gw_worker *worker = connection->worker;
    gw_connection_move(connection, GW_CONNECTION_ANSWERED);
    gw_chain_free(&connection->h1.carry);
    unsigned others = atomic_fetch_add_explicit(&worker->server->lingering, 1, memory_order_relaxed);
    if (!gw_stream_half_close(&connection->stream) || others >= worker->config->max_lingering) {
        gw_connection_close(connection);
        return;
    }
    connection->linger_until_ms = uv_now(&worker->loop) + worker->config->linger_timeout_ms;
    gw_connection_set_linger_deadline(connection);
    gw_stream_read(&connection->stream);
}

/* ---- events of the stream (on_read is in h1_requests.c) ---- */

static void connection_on_written(struct gw_stream *stream)
{
    struct gw_connection *connection = GW_CONTAINER(stream, struct gw_connection, stream);
    GW_CHECK(gw_connection_check(connection));
    if (connection->phase == GW_CONNECTION_LEAVING) {
        gw_connection_linger(connection);
        return;
    }
    gw_connection_clear_deadline(connection);
    if (connection->h1.exchange)
        gw_exchange_on_writable(connection->h1.exchange);
}

/* The client has gone, or takes no more bytes. */
static void connection_give_up(struct gw_connection *connection)
{
    GW_CHECK(gw_connection_check(connection));
    if (connection->phase == GW_CONNECTION_RUNNING)
        gw_exchange_on_gone(connection->h1.exchange, GW_ERROR_CLIENT_GONE);
    else
        gw_connection_close(connection);
}

static void connection_on_end(struct gw_stream *stream)
{
    connection_give_up(GW_CONTAINER(stream, struct gw_connection, stream));
}

static const struct gw_stream_events stream_events = {
    .on_read = gw_h1_requests_on_read,
    .on_end = connection_on_end,
    .on_written = connection_on_written,
    .on_broken = connection_on_broken,
    .on_closed = connection_on_closed,
};

void gw_connection_await_request(struct gw_connection *connection, enum gw_connection_event event)
{
    uint64_t idle_ms = connection->worker->config->idle_timeout_ms;
    gw_connection_move(connection, event);
    gw_connection_set_deadline(connection, connection_is_hurried(connection->worker) ? HURRY_SILENCE_MS : idle_ms);
    gw_h1_requests_go_on(connection);
}

/* ---- deadlines ---- */

static void connection_on_write_deadline(struct gw_connection *connection)
{
    if (gw_stream_has_progressed(&connection->stream))
        gw_connection_set_deadline(connection, connection->worker->config->write_timeout_ms);
    else
        connection_give_up(connection);
}

static void connection_on_deadline(struct gw_connection *connection)
{
    connection->deadline_ms = UINT64_MAX;
    switch (connection->phase) {
    case GW_CONNECTION_HEAD:
        gw_h1_requests_fail(connection, GW_ERROR_REQUEST_TIMEOUT);
        break;
    case GW_CONNECTION_RUNNING:
        if (gw_stream_is_writing(&connection->stream))
            connection_on_write_deadline(connection);
        else if (connection->h1.body_wanted)
            gw_h1_requests_fail(connection, GW_ERROR_REQUEST_TIMEOUT);
        break;
    case GW_CONNECTION_LEAVING:
        connection_on_write_deadline(connection);
        break;
    case GW_CONNECTION_IDLE:
    case GW_CONNECTION_LINGERING:
        gw_connection_close(connection);
        break;
    case GW_CONNECTION_OPENING:
    case GW_CONNECTION_CLOSING:
    case GW_CONNECTION_PHASES:
        break;
    }
}

static void connection_on_timer(struct gw_timer *timer)
{
    struct gw_connection *connection = GW_CONTAINER(timer, struct gw_connection, timer);
    uint64_t now = uv_now(&connection->worker->loop);
    GW_CHECK(gw_connection_check(connection));
    if (connection->stream.is_broken) {
        connection_give_up(connection);
        return;
    }
    if (connection->deadline_ms == UINT64_MAX)
        return;
    if (now < connection->deadline_ms)
        connection_start_timer(connection, connection->deadline_ms - now);
    else
        connection_on_deadline(connection);
}

/* ---- the beginning ---- */

/* There are too many clients, or too many connections of this one. It gets a 503 if the socket takes that at once. */
static void connection_turn_away(struct gw_connection *connection)
{
    static const char text[] =
        "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n";
    const struct gw_piece piece = { { text, sizeof text - 1 }, NULL };
    gw_counter_add(&connection->worker->shard->connections_refused, 1);
    if (gw_stream_write(&connection->stream, &piece, 1))
        gw_connection_linger(connection);
    else
        gw_connection_close(connection);
}

static void connection_admit(struct gw_connection *connection, unsigned open_before)
{
    struct gw_worker *worker = connection->worker;
    atomic_fetch_add_explicit(&worker->server->places[worker->index].connections, 1, memory_order_relaxed);
    gw_counter_add(&worker->shard->connections_open, 1);
    gw_counter_add(&worker->shard->connections_accepted, 1);
    connection->peer = gw_stream_peer(&connection->stream);
    if (open_before >= worker->config->max_connections + GW_SERVER_SHED_MARGIN) {
        gw_counter_add(&worker->shard->connections_refused, 1);
        gw_connection_close(connection);
        return;
    }
    bool counts = worker->server->client_connections &&
                  !gw_networks_have(worker->config->trusted_proxies, worker->config->trusted_proxy_count,
                                    &connection->peer);
    connection->is_counted = counts &&
                             gw_client_connections_enter(worker->server->client_connections, &connection->peer);
    if (open_before >= worker->config->max_connections || (counts && !connection->is_counted)) {
        connection_turn_away(connection);
        return;
    }
    gw_connection_await_request(connection, GW_CONNECTION_ADMITTED);
}

static struct gw_connection *connection_create(struct gw_listening *listening)
{
    struct gw_worker *worker = listening->worker;
    struct gw_connection *connection = calloc(1, sizeof *connection);
    if (!connection)
        return NULL;
    connection->magic = GW_MAGIC(GW_CONNECTION_MAGIC);
    connection->worker = worker;
    connection->on_admin_port = listening->is_admin;
    connection->deadline_ms = UINT64_MAX;
    gw_timer_init(&connection->timer, connection_on_timer);
    gw_h1_requests_init(&connection->h1, &worker->parser_limits);
    if (!gw_stream_init(&connection->stream, &worker->loop, &stream_events, &worker->blocks, worker->shard)) {
        free(connection);
        return NULL;
    }
    gw_list_push_back(&worker->connections, &connection->link);
    return connection;
}

void gw_connection_open(struct gw_listening *listening, int fd, unsigned open_before)
{
    struct gw_worker *worker = listening->worker;
    struct gw_connection *connection = connection_create(listening);
    if (connection && gw_stream_open(&connection->stream, fd)) {
        connection_admit(connection, open_before);
        return;
    }
    close(fd);
    connection_leave_place(worker);
    gw_counter_add(&worker->shard->connections_refused, 1);
    if (connection) {
        gw_connection_move(connection, GW_CONNECTION_CLOSED);
        gw_stream_close(&connection->stream);
    }
}

void gw_connection_hurry_idle(struct gw_worker *worker)
{
    uint64_t soon_ms = uv_now(&worker->loop) + HURRY_SILENCE_MS;
    gw_list_each_safe(link, &worker->connections)
    {
        struct gw_connection *connection = GW_CONTAINER(link, struct gw_connection, link);
        if (connection->deadline_ms <= soon_ms) /* no deadline is moved later here */
            continue;
        if (connection->phase == GW_CONNECTION_IDLE)
            gw_connection_set_deadline(connection, HURRY_SILENCE_MS);
        else if (connection->phase == GW_CONNECTION_LINGERING)
            gw_connection_set_linger_deadline(connection);
    }
}

void gw_connection_cut_all(struct gw_worker *worker)
{
    gw_list_each_safe(link, &worker->connections)
    {
        struct gw_connection *connection = GW_CONTAINER(link, struct gw_connection, link);
        if (connection->phase == GW_CONNECTION_RUNNING)
            gw_exchange_on_gone(connection->h1.exchange, GW_ERROR_CANCELLED);
        gw_connection_close(connection); /* also a connection that lingers since its exchange ended */
    }
}
