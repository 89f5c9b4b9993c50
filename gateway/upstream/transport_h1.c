#include "upstream/h1.h"

#include <stdlib.h>
#include "base/clock.h"

enum {
    SCRATCH_BOUND = 16 * 1024 * 1024, /* bytes; the code that fills call->fields has a much lower bound */
    RESOLVED_KEPT_MS = 10 * 1000,
    H1_MAGIC = 0x48315452, /* H1TR */
};

static struct gw_h1 *transport_h1_h1_of(struct gw_transport *transport)
{
    struct gw_h1 *h1 = GW_CONTAINER(transport, struct gw_h1, base);
    GW_CHECK_MAGIC(h1, H1_MAGIC);
    return h1;
}

/* NULL once the call is over; orders for it then have no effect. */
static struct gw_h1_connection *transport_h1_connection_of(const struct gw_call *call)
{
    return call->inner ? GW_FROM_CONTEXT(call->inner, struct gw_h1_connection, GW_H1_CONNECTION_MAGIC) : NULL;
}

/* ---- ends ---- */

static struct gw_call *transport_h1_detach(struct gw_h1_connection *connection)
{
    struct gw_call *call = connection->call;
    if (call)
        call->inner = NULL;
    connection->call = NULL;
    return call;
}

static void transport_h1_free_connection(struct gw_h1_connection *connection)
{
    gw_h1_request_free(connection);
    gw_h1_response_free(connection);
    connection->magic = GW_NO_MAGIC;
    free(connection);
}

static void transport_h1_on_closed(uv_handle_t *handle)
{
    transport_h1_free_connection(GW_FROM_CONTEXT(handle->data, struct gw_h1_connection, GW_H1_CONNECTION_MAGIC));
}

static void transport_h1_on_dial_gone(struct gw_dial *dial)
{
    struct gw_h1_connection *connection = GW_CONTAINER(dial, struct gw_h1_connection, dial);
    GW_CHECK_MAGIC(connection, GW_H1_CONNECTION_MAGIC);
    transport_h1_free_connection(connection);
}

static void transport_h1_leave_idle(struct gw_h1_connection *connection)
{
    gw_pool_remove(connection->pool, &connection->link);
    gw_descriptors_add_kept(connection->transport->setup.descriptors, -1);
    gw_counter_subtract(&connection->transport->setup.shard->upstream_connections_idle, 1);
}

/* Only the memory is left; it is freed when the socket is closed. */
static void transport_h1_let_go(struct gw_h1_connection *connection)
{
    connection->is_closing = true;
    if (!gw_list_is_empty(&connection->link))
        transport_h1_leave_idle(connection);
    gw_timer_stop(&connection->timer);
    gw_list_remove(&connection->deferred);
    connection->pool->connections--;
    gw_descriptors_leave(connection->transport->setup.descriptors);
    if (connection->is_connected)
        gw_counter_subtract(&connection->transport->setup.shard->upstream_connections_open, 1);
}

void gw_h1_close(struct gw_h1_connection *connection)
{
    if (connection->is_closing)
        return;
    transport_h1_let_go(connection);
    if (connection->is_dialing)
        gw_dial_cancel(&connection->dial);
    else
        uv_close((uv_handle_t *)&connection->tcp, transport_h1_on_closed);
}

void gw_h1_fail(struct gw_h1_connection *connection, enum gw_error error)
{
    struct gw_call *call = transport_h1_detach(connection);
    gw_h1_close(connection);
    call->events->on_fail(call, error);
}

void gw_h1_complete(struct gw_h1_connection *connection, bool may_keep)
{
    struct gw_h1 *h1 = connection->transport;
    struct gw_call *call = transport_h1_detach(connection);
    const struct gw_config *config = call->config;
    may_keep = may_keep && connection->request == GW_H1_SENT && connection->is_keepable && !connection->failing &&
               !h1->is_closing && connection->pool->idle_count < config->keepalive_connections &&
               gw_descriptors_may_keep(h1->setup.descriptors);
    if (may_keep && gw_h1_response_read(connection)) {
        gw_list_remove(&connection->deferred);
        gw_pool_put(connection->pool, &connection->link);
        gw_descriptors_add_kept(h1->setup.descriptors, 1);
        gw_counter_add(&h1->setup.shard->upstream_connections_idle, 1);
        gw_timer_start(h1->setup.timers, &connection->timer, config->keepalive_timeout_ms);
    } else {
        gw_h1_close(connection);
    }
    call->events->on_end(call);
}

/* ---- time ---- */

void gw_h1_watch(struct gw_h1_connection *connection)
{
    const struct gw_config *config = connection->call->config;
    bool has_limit = !connection->is_paused;
    unsigned limit_ms = config->read_timeout_ms;
    if (!connection->is_answering)
        switch (connection->request) {
        case GW_H1_HEAD:
        case GW_H1_BODY: /* the wait for the owner has its own bound, on the client's side */
            has_limit = has_limit && connection->is_writing;
            break;
        case GW_H1_CONTINUE:
            limit_ms = config->continue_timeout_ms;
            break;
        case GW_H1_SENT:
        case GW_H1_DROPPED:
            limit_ms = config->response_timeout_ms;
            break;
        }
    if (has_limit)
        gw_timer_start(connection->transport->setup.timers, &connection->timer, limit_ms);
    else
        gw_timer_stop(&connection->timer);
}

static void transport_h1_on_due(struct gw_timer *timer)
{
    struct gw_h1_connection *connection = GW_CONTAINER(timer, struct gw_h1_connection, timer);
    GW_CHECK_MAGIC(connection, GW_H1_CONNECTION_MAGIC);
    if (!connection->call)
        gw_h1_close(connection);
    else if (connection->is_answering)
        gw_h1_fail(connection, GW_ERROR_BODY_TIMEOUT);
    else if (connection->request == GW_H1_CONTINUE)
        gw_h1_request_continue(connection);
    else if (connection->is_writing && gw_h1_request_progressed(connection))
        gw_h1_watch(connection);
    else
        gw_h1_fail(connection, GW_ERROR_RESPONSE_TIMEOUT);
}

/* ---- what must come from the loop ---- */

/* True if nothing has arrived: the loop may not yet have read what came since its last turn. */
static bool transport_h1_is_quiet(const struct gw_h1_connection *connection)
{
    int socket;
    return uv_fileno((const uv_handle_t *)&connection->tcp, &socket) == 0 && gw_pool_is_quiet(socket);
}

/* The call has waited for this turn. Bytes that came meanwhile are no answer to it. */
static void transport_h1_start_late(struct gw_h1_connection *connection)
{
    if (connection->call->was_reused && !transport_h1_is_quiet(connection))
        gw_h1_fail(connection, GW_ERROR_RESET);
    else
        gw_h1_request_start(connection);
}

static void transport_h1_take_turn(struct gw_h1_connection *connection)
{
    if (connection->failing)
        gw_h1_fail(connection, connection->failing);
    else if (connection->is_connected && connection->request == GW_H1_HEAD && !connection->is_writing)
        transport_h1_start_late(connection);
    else if (connection->is_unparsed && !connection->is_paused)
        gw_h1_response_go_on(connection);
}

/* Connections deferred during this run wait for the next turn of the loop, so that sockets get their turn. */
static void transport_h1_on_deferred(uv_idle_t *deferrer)
{
    struct gw_h1 *h1 = GW_FROM_CONTEXT(deferrer->data, struct gw_h1, H1_MAGIC);
    struct gw_list now;
    gw_list_init(&now);
    gw_list_each_safe(link, &h1->deferred)
    {
        gw_list_remove(link);
        gw_list_push_back(&now, link);
    }
    while (!gw_list_is_empty(&now)) {
        struct gw_h1_connection *connection = GW_CONTAINER(now.next, struct gw_h1_connection, deferred);
        GW_CHECK_MAGIC(connection, GW_H1_CONNECTION_MAGIC);
        gw_list_remove(&connection->deferred);
        transport_h1_take_turn(connection);
    }
    if (gw_list_is_empty(&h1->deferred))
        uv_idle_stop(deferrer);
}

void gw_h1_defer(struct gw_h1_connection *connection)
{
    struct gw_h1 *h1 = connection->transport;
    if (gw_list_is_empty(&h1->deferred))
        uv_idle_start(&h1->deferrer, transport_h1_on_deferred);
    gw_list_remove(&connection->deferred);
    gw_list_push_back(&h1->deferred, &connection->deferred);
}

void gw_h1_fail_later(struct gw_h1_connection *connection, enum gw_error error)
{
    if (connection->failing)
        return;
    connection->failing = error;
    gw_h1_defer(connection);
}

/* ---- a connection for a call ---- */

static bool transport_h1_attach(struct gw_h1_connection *connection, struct gw_call *call)
{
    connection->call = call;
    connection->request = GW_H1_HEAD;
    connection->failing = GW_ERROR_NONE;
    connection->is_corked = connection->is_body_ended = connection->is_last_chunk_out = false;
    connection->body_left = call->has_body && !call->is_chunked ? call->content_length : 0;
    if (!gw_h1_response_begin(connection)) {
        connection->call = NULL;
        return false;
    }
    call->inner = connection;
    return true;
}

static struct gw_h1_connection *transport_h1_take_kept(struct gw_pool *pool)
{
    struct gw_list *link;
    while ((link = gw_pool_newest(pool))) {
        struct gw_h1_connection *connection = GW_CONTAINER(link, struct gw_h1_connection, link);
        GW_CHECK_MAGIC(connection, GW_H1_CONNECTION_MAGIC);
        if (transport_h1_is_quiet(connection)) {
            transport_h1_leave_idle(connection);
            gw_timer_stop(&connection->timer);
            return connection;
        }
        gw_h1_close(connection);
    }
    return NULL;
}

static enum gw_error transport_h1_begin_on_kept(struct gw_h1_connection *connection, struct gw_call *call)
{
    if (!transport_h1_attach(connection, call)) {
        gw_h1_close(connection);
        return GW_ERROR_OVERLOADED;
    }
    call->was_reused = true;
    gw_counter_add(&connection->transport->setup.shard->upstream_reuses, 1);
    if (call->has_body) /* asking the owner for the first piece is an event, so it must come from the loop */
        gw_h1_defer(connection);
    else
        gw_h1_request_start(connection);
    return GW_ERROR_NONE;
}

static void transport_h1_on_dialed(struct gw_dial *dial, enum gw_error error)
{
    struct gw_h1_connection *connection = GW_CONTAINER(dial, struct gw_h1_connection, dial);
    GW_CHECK_MAGIC(connection, GW_H1_CONNECTION_MAGIC);
    struct gw_shard *shard = connection->transport->setup.shard;
    connection->is_dialing = false;
    if (error) {
        struct gw_call *call = transport_h1_detach(connection);
        transport_h1_let_go(connection);
        transport_h1_free_connection(connection);
        call->events->on_fail(call, error);
        return;
    }
    connection->tcp.data = connection;
    connection->is_connected = true;
    gw_counter_add(&shard->upstream_connections_open, 1);
    gw_counter_add(&shard->upstream_connects, 1);
    uv_tcp_nodelay(&connection->tcp, 1);
    if (!connection->is_paused && !gw_h1_response_read(connection))
        gw_h1_fail(connection, GW_ERROR_RESET);
    else
        gw_h1_request_start(connection);
}

static struct gw_h1_connection *transport_h1_create_connection(struct gw_h1 *h1, struct gw_pool *pool)
{
    struct gw_h1_connection *connection = calloc(1, sizeof *connection);
    if (!connection)
        return NULL;
    connection->magic = GW_MAGIC(GW_H1_CONNECTION_MAGIC);
    connection->transport = h1;
    connection->pool = pool;
    gw_list_init(&connection->link);
    gw_list_init(&connection->deferred);
    gw_timer_init(&connection->timer, transport_h1_on_due);
    gw_parser_init(&connection->parser, true, &connection->limits);
    connection->dial.tcp = &connection->tcp;
    connection->dial.on_done = transport_h1_on_dialed;
    connection->dial.on_gone = transport_h1_on_dial_gone;
    return connection;
}

/* Takes a descriptor for one more connection. If none is free, one of this worker's idle connections, to any backend,
 * gives up its own. */
static bool transport_h1_take_descriptor(struct gw_h1 *h1)
{
    if (gw_descriptors_enter(h1->setup.descriptors))
        return true;
    gw_list_each(link, &h1->pools.pools)
    {
        struct gw_list *oldest = gw_pool_oldest(GW_CONTAINER(link, struct gw_pool, link));
        if (!oldest)
            continue;
        gw_h1_close(GW_CONTAINER(oldest, struct gw_h1_connection, link));
        return gw_descriptors_enter(h1->setup.descriptors);
    }
    return false;
}

static enum gw_error transport_h1_begin_on_new(struct gw_h1 *h1, struct gw_pool *pool, struct gw_call *call)
{
    if (!transport_h1_take_descriptor(h1))
        return GW_ERROR_OVERLOADED;
    struct gw_h1_connection *connection = transport_h1_create_connection(h1, pool);
    if (!connection) {
        gw_descriptors_leave(h1->setup.descriptors);
        return GW_ERROR_OVERLOADED;
    }
    enum gw_error error = GW_ERROR_OVERLOADED;
    if (transport_h1_attach(connection, call))
        error = gw_dial_begin(&connection->dial, &h1->resolver, h1->setup.timers, call->backend->host,
                              call->backend->port, call->config->connect_timeout_ms);
    if (error) {
        transport_h1_detach(connection);
        transport_h1_free_connection(connection);
        gw_descriptors_leave(h1->setup.descriptors);
        return error;
    }
    connection->is_dialing = true;
    pool->connections++;
    return GW_ERROR_NONE;
}

/* ---- the table ---- */

static struct gw_transport *transport_h1_create(const struct gw_transport_setup *setup, const struct gw_config *config)
{
    (void)config;
    struct gw_h1 *h1 = calloc(1, sizeof *h1);
    if (!h1)
        return NULL;
    h1->magic = GW_MAGIC(H1_MAGIC);
    h1->base.table = &gw_transport_h1;
    h1->setup = *setup;
    h1->scratch = gw_buffer_create(SCRATCH_BOUND);
    gw_resolver_init(&h1->resolver, setup->loop, RESOLVED_KEPT_MS);
    gw_pool_set_init(&h1->pools);
    gw_list_init(&h1->deferred);
    uv_idle_init(setup->loop, &h1->deferrer);
    h1->deferrer.data = h1;
    return &h1->base;
}

static void transport_h1_close_idle(struct gw_pool *pool)
{
    struct gw_list *link;
    while ((link = gw_pool_oldest(pool)))
        gw_h1_close(GW_CONTAINER(link, struct gw_h1_connection, link));
}

static void transport_h1_close_transport(struct gw_transport *transport)
{
    struct gw_h1 *h1 = transport_h1_h1_of(transport);
    h1->is_closing = true;
    gw_list_each(link, &h1->pools.pools) transport_h1_close_idle(GW_CONTAINER(link, struct gw_pool, link));
    gw_resolver_close(&h1->resolver);
    uv_close((uv_handle_t *)&h1->deferrer, NULL);
}

static void transport_h1_destroy(struct gw_transport *transport)
{
    struct gw_h1 *h1 = transport_h1_h1_of(transport);
    gw_pool_set_free(&h1->pools);
    gw_resolver_free(&h1->resolver);
    gw_buffer_destroy(&h1->scratch);
    h1->magic = GW_NO_MAGIC;
    free(h1);
}

static enum gw_error transport_h1_begin(struct gw_transport *transport, struct gw_call *call)
{
    struct gw_h1 *h1 = transport_h1_h1_of(transport);
    call->inner = NULL;
    call->was_reused = call->was_sent = call->was_answered = false;
    call->began_at_us = gw_clock_monotonic_us();
    call->head_at_us = 0;
    struct gw_pool *pool = h1->is_closing ? NULL : gw_pool_set_find(&h1->pools, call->backend);
    if (!pool)
        return GW_ERROR_OVERLOADED;
    struct gw_h1_connection *kept = call->fresh ? NULL : transport_h1_take_kept(pool);
    if (kept)
        return transport_h1_begin_on_kept(kept, call);
    struct gw_list *oldest = gw_pool_oldest(pool); /* of a fresh call: it may take the place of a kept one */
    if (oldest && pool->connections >= call->config->max_backend_connections)
        gw_h1_close(GW_CONTAINER(oldest, struct gw_h1_connection, link));
    if (pool->connections >= call->config->max_backend_connections)
        return GW_ERROR_UPSTREAM_BUSY;
    return transport_h1_begin_on_new(h1, pool, call);
}

static bool transport_h1_send_body(struct gw_call *call, struct gw_slice bytes, struct gw_block *block)
{
    struct gw_h1_connection *connection = transport_h1_connection_of(call);
    return connection && gw_h1_request_send(connection, bytes, block);
}

static void transport_h1_end_body(struct gw_call *call)
{
    struct gw_h1_connection *connection = transport_h1_connection_of(call);
    if (connection)
        gw_h1_request_end_body(connection);
}

static void transport_h1_go_on(struct gw_call *call)
{
    struct gw_h1_connection *connection = transport_h1_connection_of(call);
    call->expects_continue = false; /* if the head is not sent yet, it goes out without Expect */
    if (connection)
        gw_h1_request_continue(connection);
}

static void transport_h1_pause_call(struct gw_call *call)
{
    struct gw_h1_connection *connection = transport_h1_connection_of(call);
    if (!connection || connection->is_paused)
        return;
    connection->is_paused = true;
    gw_h1_response_stop_reading(connection);
    if (connection->is_connected)
        gw_h1_watch(connection);
}

static void transport_h1_resume_call(struct gw_call *call)
{
    struct gw_h1_connection *connection = transport_h1_connection_of(call);
    if (!connection || !connection->is_paused)
        return;
    connection->is_paused = false;
    if (!connection->is_connected)
        return;
    if (connection->is_unparsed)
        gw_h1_defer(connection);
    else if (gw_h1_response_read(connection))
        gw_h1_watch(connection);
    else
        gw_h1_fail_later(connection, GW_ERROR_RESET);
}

static void transport_h1_cancel(struct gw_call *call)
{
    struct gw_h1_connection *connection = transport_h1_connection_of(call);
    if (!connection)
        return;
    transport_h1_detach(connection);
    gw_h1_close(connection);
}

const struct gw_transport_kind_table gw_transport_h1 = {
    .create = transport_h1_create,
    .close = transport_h1_close_transport,
    .destroy = transport_h1_destroy,
    .begin = transport_h1_begin,
    .send = transport_h1_send_body,
    .end_body = transport_h1_end_body,
    .go_on = transport_h1_go_on,
    .pause = transport_h1_pause_call,
    .resume = transport_h1_resume_call,
    .cancel = transport_h1_cancel,
};
