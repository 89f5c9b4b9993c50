/* scene.h: a transport, a scripted backend and callers on one loop, for tests of gateway/upstream.
 *
 * The backend takes requests one after another over all its connections; the n-th request gets what the n-th turn says.
 * A caller notes its events: "100 200 end", "200 upstream_reset". A test runs the loop until its condition holds. */
#ifndef TEST_UPSTREAM_SCENE_H
#define TEST_UPSTREAM_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "upstream/transport.h"

enum after { KEEP, CLOSE, RESET };

struct turn {
    const char *at_head; /* written when the request's head is there; may be NULL */
    enum after after_head;
    const char *at_end; /* written when the request is complete; may be NULL: the backend is silent */
    enum after after_end;
    size_t big_bytes; /* after at_end: so many bytes of body, byte i being 'a' + i % 23 */
    bool is_deaf;     /* stops reading after the head */
};

struct scene;

struct peer { /* a connection, as the backend sees it */
    uv_tcp_t tcp;
    struct peer *next;
    struct scene *scene;
    const struct turn *turn; /* of the request that is being read; NULL before its head */
    char *inbox;
    size_t length, capacity;
    bool is_closing, is_closed;
    uv_write_t big_write;
    char *big;
};

struct caller {
    struct gw_call call;
    struct gw_arena arena;
    struct scene *scene;

    char log[256];
    char body[4096]; /* the first bytes of the body */
    size_t body_bytes;
    bool is_body_wrong; /* where the body should be a turn's big body */
    bool is_over;
    unsigned events, wants;

    const char *const *pieces; /* the pieces to send, NULL-ended; then the body ends */
    unsigned next_piece;
    size_t flood_bytes;       /* or so many bytes of body */
    const char *cancel_at;    /* "interim", "head", "body", "want" */
    bool pauses;              /* at every piece of the body */
    const char *stray;        /* the backend's newest connection sends this at the end, before the successor begins */
    struct caller *successor; /* begun from within the end */
};

struct scene {
    const struct gw_transport_kind_table *kind;
    uv_loop_t loop;
    struct gw_timers timers;
    struct gw_block_pool blocks;
    struct gw_shard *shard;
    struct gw_config config;
    struct gw_backend backend;
    char url[256];
    struct gw_transport *transport;
    uv_timer_t watchdog;

    uv_tcp_t listener;
    struct peer *peers;
    const struct turn *turns;
    unsigned turn_count, turn_at;
    unsigned accepted;
    char asked[8192]; /* the requests so far, as read; only the first bytes of them */
    size_t asked_bytes, received_bytes;
    bool is_in_begin;
};

/* ---- the backend ---- */

static void peer_on_closed(uv_handle_t *handle)
{
    ((struct peer *)handle->data)->is_closed = true;
}

static void peer_leave(struct peer *peer, enum after after)
{
    if (after == KEEP || peer->is_closing)
        return;
    peer->is_closing = true;
    if (after == RESET)
        assert_int_equal(uv_tcp_close_reset(&peer->tcp, peer_on_closed), 0);
    else
        uv_close((uv_handle_t *)&peer->tcp, peer_on_closed);
}

static void peer_on_big_written(uv_write_t *write, int status)
{
    (void)status;
    struct peer *peer = write->data;
    free(peer->big);
    peer->big = NULL;
}

static void peer_says(struct peer *peer, const char *text)
{
    size_t length = text ? strlen(text) : 0;
    uv_buf_t buffer = { .base = (char *)(uintptr_t)text, .len = length };
    if (length && !peer->is_closing)
        assert_int_equal(uv_try_write((uv_stream_t *)&peer->tcp, &buffer, 1), length);
}

static void peer_says_much(struct peer *peer, size_t bytes)
{
    if (!bytes)
        return;
    peer->big = malloc(bytes);
    assert_non_null(peer->big);
    for (size_t i = 0; i < bytes; i++)
        peer->big[i] = (char)('a' + i % 23);
    uv_buf_t buffer = uv_buf_init(peer->big, (unsigned)bytes);
    peer->big_write.data = peer;
    assert_int_equal(uv_write(&peer->big_write, (uv_stream_t *)&peer->tcp, &buffer, 1, peer_on_big_written), 0);
}

/* Is the request complete? `head` is its head's length. There is no pipelining here, so the request is all of the
 * inbox. */
static bool is_request_complete(const struct peer *peer, size_t head)
{
    static const char last_chunk[] = "0\r\n\r\n",
                      length_name[] = "Content-Length: ", chunked[] = "Transfer-Encoding: chunked";
    const char *length = memmem(peer->inbox, head, length_name, sizeof length_name - 1);
    if (memmem(peer->inbox, head, chunked, sizeof chunked - 1))
        return peer->length > head && memcmp(peer->inbox + peer->length - 5, last_chunk, 5) == 0;
    return peer->length >= head + (length ? strtoul(length + sizeof length_name - 1, NULL, 10) : 0);
}

static void peer_take(struct peer *peer)
{
    struct scene *scene = peer->scene;
    const char *end = peer->length ? strstr(peer->inbox, "\r\n\r\n") : NULL;
    if (!end || peer->is_closing)
        return;
    if (!peer->turn) {
        assert_true(scene->turn_at < scene->turn_count);
        peer->turn = &scene->turns[scene->turn_at++];
        peer_says(peer, peer->turn->at_head);
        peer_leave(peer, peer->turn->after_head);
        if (peer->turn->is_deaf)
            uv_read_stop((uv_stream_t *)&peer->tcp);
    }
    if (peer->is_closing || !is_request_complete(peer, (size_t)(end + 4 - peer->inbox)))
        return;
    const struct turn *turn = peer->turn;
    peer->turn = NULL;
    peer->length = 0; /* no pipelining here */
    peer_says(peer, turn->at_end);
    peer_says_much(peer, turn->big_bytes);
    peer_leave(peer, turn->after_end);
}

static void peer_on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct peer *peer = handle->data;
    if (peer->capacity - peer->length < suggested + 1) {
        peer->capacity = peer->capacity * 2 + suggested + 1;
        peer->inbox = realloc(peer->inbox, peer->capacity);
        assert_non_null(peer->inbox);
    }
    *buffer = uv_buf_init(peer->inbox + peer->length, (unsigned)suggested);
}

static void peer_on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
    struct peer *peer = stream->data;
    struct scene *scene = peer->scene;
    if (length < 0) {
        peer_leave(peer, CLOSE);
        return;
    }
    for (ssize_t i = 0; i < length && scene->asked_bytes < sizeof scene->asked - 1; i++)
        scene->asked[scene->asked_bytes++] = buffer->base[i];
    scene->received_bytes += (size_t)length;
    peer->length += (size_t)length;
    peer->inbox[peer->length] = '\0';
    peer_take(peer);
}

static void scene_on_connection(uv_stream_t *listener, int status)
{
    assert_int_equal(status, 0);
    struct scene *scene = listener->data;
    struct peer *peer = calloc(1, sizeof *peer);
    assert_non_null(peer);
    peer->scene = scene;
    peer->next = scene->peers;
    scene->peers = peer;
    scene->accepted++;
    uv_tcp_init(&scene->loop, &peer->tcp);
    peer->tcp.data = peer;
    assert_int_equal(uv_accept(listener, (uv_stream_t *)&peer->tcp), 0);
    uv_tcp_nodelay(&peer->tcp, 1);
    uv_read_start((uv_stream_t *)&peer->tcp, peer_on_room, peer_on_read);
}

/* Connections that the backend still holds open. */
static inline unsigned scene_open_peers(const struct scene *scene)
{
    unsigned count = 0;
    for (const struct peer *peer = scene->peers; peer; peer = peer->next)
        count += !peer->is_closing;
    return count;
}

/* ---- callers ---- */

static struct caller *caller_of(struct gw_call *call)
{
    return GW_CONTAINER(call, struct caller, call);
}

static void caller_note(struct caller *caller, const char *word)
{
    assert_false(caller->scene->is_in_begin);
    assert_false(caller->is_over);
    caller->events++;
    size_t length = strlen(caller->log);
    snprintf(caller->log + length, sizeof caller->log - length, "%s%s", length ? " " : "", word);
}

/* True when it cancelled. */
static bool caller_cancels(struct caller *caller, const char *at)
{
    if (!caller->cancel_at || strcmp(caller->cancel_at, at) != 0)
        return false;
    gw_transport_cancel(caller->scene->transport, &caller->call);
    caller->is_over = true;
    return true;
}

static void caller_note_status(struct caller *caller, const struct gw_head *head)
{
    char word[16];
    snprintf(word, sizeof word, "%d", head->status);
    caller_note(caller, word);
}

static void on_interim(struct gw_call *call, const struct gw_head *head)
{
    caller_note_status(caller_of(call), head);
    caller_cancels(caller_of(call), "interim");
}

static void on_head(struct gw_call *call, struct gw_head *head)
{
    caller_note_status(caller_of(call), head);
    caller_cancels(caller_of(call), "head");
}

static void on_body(struct gw_call *call, struct gw_slice bytes, struct gw_block *block)
{
    (void)block;
    struct caller *caller = caller_of(call);
    assert_false(caller->is_over);
    assert_false(caller->scene->is_in_begin);
    caller->events++;
    for (size_t i = 0; i < bytes.length; i++, caller->body_bytes++) {
        if (caller->body_bytes < sizeof caller->body - 1)
            caller->body[caller->body_bytes] = bytes.at[i];
        caller->is_body_wrong |= bytes.at[i] != (char)('a' + caller->body_bytes % 23);
    }
    if (!caller_cancels(caller, "body") && caller->pauses)
        gw_transport_pause(caller->scene->transport, call);
}

static void on_pause_in_reading(struct gw_call *call)
{
    assert_false(caller_of(call)->is_over);
}

static void caller_begin(struct caller *caller);

static void on_end(struct gw_call *call)
{
    struct caller *caller = caller_of(call);
    caller_note(caller, "end");
    caller->is_over = true;
    if (caller->stray)
        peer_says(caller->scene->peers, caller->stray);
    if (caller->successor)
        caller_begin(caller->successor);
}

static void on_fail(struct gw_call *call, enum gw_error error)
{
    struct caller *caller = caller_of(call);
    caller_note(caller, gw_error_name(error));
    caller->is_over = true;
}

static void caller_floods(struct caller *caller)
{
    static char bytes[60000];
    while (caller->flood_bytes) {
        size_t length = caller->flood_bytes < sizeof bytes ? caller->flood_bytes : sizeof bytes;
        caller->flood_bytes -= length;
        memset(bytes, 'x', sizeof bytes);
        if (!gw_transport_send(caller->scene->transport, &caller->call, gw_slice_of(bytes, length), NULL) &&
            caller->flood_bytes)
            return;
    }
    gw_transport_end_body(caller->scene->transport, &caller->call);
}

static void on_want_body(struct gw_call *call)
{
    struct caller *caller = caller_of(call);
    assert_false(caller->is_over);
    assert_false(caller->scene->is_in_begin);
    caller->wants++;
    if (caller_cancels(caller, "want"))
        return;
    if (!caller->pieces) {
        if (caller->flood_bytes)
            caller_floods(caller);
        return;
    }
    struct gw_transport *transport = caller->scene->transport;
    while (caller->pieces[caller->next_piece]) {
        const char *piece = caller->pieces[caller->next_piece++];
        if (!gw_transport_send(transport, call, gw_slice_of_string(piece), NULL) && caller->pieces[caller->next_piece])
            return;
    }
    gw_transport_end_body(transport, call);
}

static const struct gw_call_events events = {
    .on_interim = on_interim,
    .on_head = on_head,
    .on_body = on_body,
    .on_pause_in_reading = on_pause_in_reading,
    .on_end = on_end,
    .on_fail = on_fail,
    .on_want_body = on_want_body,
};

static struct caller *caller_create(struct scene *scene, enum gw_method method)
{
    struct caller *caller = calloc(1, sizeof *caller);
    assert_non_null(caller);
    caller->scene = scene;
    gw_arena_init(&caller->arena, 4096, 256 * 1024);
    caller->call = (struct gw_call) { .events = &events,
                                      .config = &scene->config,
                                      .backend = &scene->backend,
                                      .method = method,
                                      .method_text = gw_slice_of_string(gw_method_name(method)),
                                      .target = GW_SLICE("/x"),
                                      .fields = GW_SLICE("Host: b\r\n"),
                                      .arena = &caller->arena };
    return caller;
}

static enum gw_error caller_try(struct caller *caller)
{
    caller->scene->is_in_begin = true;
    enum gw_error error = gw_transport_begin(caller->scene->transport, &caller->call);
    caller->scene->is_in_begin = false;
    return error;
}

static void caller_begin(struct caller *caller)
{
    assert_int_equal(caller_try(caller), GW_ERROR_NONE);
}

static void caller_free(struct caller *caller)
{
    gw_arena_free(&caller->arena);
    free(caller);
}

/* ---- the stage ---- */

#define await(scene, condition)                                                                                        \
    do {                                                                                                               \
        while (!(condition))                                                                                           \
            uv_run(&(scene)->loop, UV_RUN_ONCE);                                                                       \
    } while (0)

/* Everything that is ready happens; nothing is waited for. */
static inline void settle(struct scene *scene)
{
    for (int i = 0; i < 20; i++)
        uv_run(&scene->loop, UV_RUN_NOWAIT);
}

static void on_watchdog(uv_timer_t *timer)
{
    (void)timer;
    fprintf(stderr, "what the test waits for does not happen\n");
    abort();
}

static void scene_plays(struct scene *scene, const struct turn *turns, unsigned count)
{
    scene->turns = turns;
    scene->turn_count = count;
    scene->turn_at = 0;
    scene->asked_bytes = scene->received_bytes = 0;
    memset(scene->asked, 0, sizeof scene->asked);
}

static uint16_t listen_on(struct scene *scene, const struct sockaddr *address)
{
    struct sockaddr_storage bound;
    int length = sizeof bound;
    uv_tcp_init(&scene->loop, &scene->listener);
    scene->listener.data = scene;
    assert_int_equal(uv_tcp_bind(&scene->listener, address, 0), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&scene->listener, 64, scene_on_connection), 0);
    assert_int_equal(uv_tcp_getsockname(&scene->listener, (struct sockaddr *)&bound, &length), 0);
    return ntohs(((struct sockaddr_in *)(void *)&bound)->sin_port); /* at the same place in sockaddr_in6 */
}

static void scene_asks(struct scene *scene, const char *host, uint16_t port)
{
    int length = snprintf(scene->url, sizeof scene->url, "http://%s:%u", host, port);
    scene->backend.url = gw_slice_of(scene->url, (size_t)length);
    scene->backend.host = gw_slice_of_string(host);
    scene->backend.port = port;
}

static int scene_open(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    assert_non_null(scene);
    scene->kind = *state;
    assert_int_equal(uv_loop_init(&scene->loop), 0);
    assert_int_equal(gw_timers_open(&scene->timers, &scene->loop), 0);
    gw_block_pool_init(&scene->blocks);
    scene->shard = calloc(1, sizeof *scene->shard);
    assert_non_null(scene->shard);
    /* longer than the watchdog's patience: a test sets the timeouts that it needs */
    scene->config.connect_timeout_ms = scene->config.response_timeout_ms = scene->config.read_timeout_ms = 900000;
    scene->config.continue_timeout_ms = scene->config.keepalive_timeout_ms = 900000;
    scene->config.max_backend_connections = 16;
    scene->config.keepalive_connections = 8;
    scene->config.max_response_header_bytes = 4096;
    scene->config.max_response_headers = 256;
    struct sockaddr_in address;
    uv_ip4_addr("127.0.0.1", 0, &address);
    uint16_t port = listen_on(scene, (const struct sockaddr *)&address);
    scene_asks(scene, "127.0.0.1", port);
    scene->backend.authority = GW_SLICE("b");
    uv_timer_init(&scene->loop, &scene->watchdog);
    uv_timer_start(&scene->watchdog, on_watchdog, 20000, 0);
    const struct gw_transport_setup setup = { &scene->loop, &scene->timers, &scene->blocks, scene->shard, NULL };
    scene->transport = scene->kind->create(&setup, &scene->config);
    assert_non_null(scene->transport);
    *state = scene;
    return 0;
}

/* Asserts what holds at the end of every test: nothing is left, and the loop closes. */
static int scene_close(void **state)
{
    struct scene *scene = *state;
    scene->kind->close(scene->transport);
    if (!uv_is_closing((uv_handle_t *)&scene->listener))
        uv_close((uv_handle_t *)&scene->listener, NULL);
    for (struct peer *peer = scene->peers; peer; peer = peer->next)
        peer_leave(peer, CLOSE);
    gw_timers_close(&scene->timers);
    uv_close((uv_handle_t *)&scene->watchdog, NULL);
    uv_run(&scene->loop, UV_RUN_DEFAULT);
    scene->kind->destroy(scene->transport);
    assert_int_equal(uv_loop_close(&scene->loop), 0);
    assert_int_equal(gw_counter_read(&scene->shard->upstream_connections_open), 0);
    assert_int_equal(gw_counter_read(&scene->shard->upstream_connections_idle), 0);
    for (struct peer *peer = scene->peers, *next; peer; peer = next) {
        next = peer->next;
        assert_true(peer->is_closed);
        free(peer->inbox);
        free(peer->big);
        free(peer);
    }
    gw_block_pool_free(&scene->blocks);
    free(scene->shard);
    free(scene);
    return 0;
}

#endif
