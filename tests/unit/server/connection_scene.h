/* connection_scene.h: a connection between a client on a real socket and exchanges whose only filter the test plays: it
 * answers at once with the path that was asked for, or keeps the exchange (/wait, /read) until the test lets it go on.
 * The end of a scene asserts that nothing which was counted of the connection is left. */
#ifndef GW_TESTS_UNIT_SERVER_CONNECTION_SCENE_H
#define GW_TESTS_UNIT_SERVER_CONNECTION_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "config/load.h"
#include "server/connection.h"

enum { LARGE_BYTES = 1024 * 1024, SOON_MS = 30, PATIENCE_S = 20 };

struct scene {
    struct gw_config *config;
    struct gw_metrics *metrics;
    struct gw_server server;
    struct gw_server_place place;
    struct gw_worker worker;
    struct gw_listening listening;

    int client;
    struct gw_exchange *kept; /* asked for /wait, or answering /large */
    unsigned begun, ended;    /* exchanges */
    char text[16384];         /* what the client has read */
    size_t length;
    size_t total; /* bytes that it has read */
    int end;      /* of the client's reading: 0 not yet, 1 FIN, -errno */
};

/* ---- the exchange's side ---- */

static inline struct scene *scene_of(const struct gw_exchange *exchange)
{
    struct gw_worker *worker = GW_CONTAINER(exchange->context, struct gw_worker, context);
    return GW_CONTAINER(worker, struct scene, worker);
}

static inline bool asks_for(const struct gw_exchange *exchange, const char *path)
{
    return gw_slice_equal(exchange->request.path, gw_slice_of_string(path));
}

static inline void answer(struct gw_exchange *exchange)
{
    struct gw_slice content = exchange->request.path;
    if (asks_for(exchange, "/large")) {
        struct gw_block *block = gw_block_create(LARGE_BYTES);
        assert_non_null(block);
        memset(block->bytes, 'l', LARGE_BYTES);
        exchange->answer.content_block = block;
        content = gw_slice_of(block->bytes, LARGE_BYTES);
        scene_of(exchange)->kept = exchange;
    }
    gw_exchange_answer(exchange, 200, GW_NO_SLICE, content);
}

static inline enum gw_filter_result on_request(struct gw_exchange *exchange)
{
    struct scene *scene = scene_of(exchange);
    scene->begun++;
    exchange->identity.request_id = GW_SLICE("id");
    if (exchange->deciding.fault) {
        gw_exchange_answer_error(exchange, exchange->deciding.fault);
        return GW_FILTER_ANSWERED;
    }
    if (asks_for(exchange, "/wait") || asks_for(exchange, "/read")) {
        assert_null(scene->kept);
        scene->kept = exchange;
        return GW_FILTER_ASKED;
    }
    answer(exchange);
    return GW_FILTER_ANSWERED;
}

static inline enum gw_filter_result on_answers(struct gw_exchange *exchange)
{
    answer(exchange);
    return GW_FILTER_ANSWERED;
}

static inline void on_end(struct gw_exchange *exchange)
{
    struct scene *scene = scene_of(exchange);
    scene->ended++;
    if (scene->kept == exchange)
        scene->kept = NULL;
}

static inline unsigned an_hour(const struct gw_config *config)
{
    (void)config;
    return 3600000;
}

static inline void on_cancel(struct gw_exchange *exchange, void *slot)
{
    (void)exchange;
    (void)slot;
}

static const struct gw_filter played = { .name = "played",
                                         .slot_bytes = 1,
                                         .deadline_ms = an_hour,
                                         .on_request = on_request,
                                         .on_answers = on_answers,
                                         .on_cancel = on_cancel,
                                         .on_end = on_end };
static const struct gw_filter *const filters[] = { &played, NULL };

/* The exchange that waits is answered. */
static inline void let_go(struct scene *scene)
{
    struct gw_exchange *exchange = scene->kept;
    assert_non_null(exchange);
    scene->kept = NULL;
    gw_filter_answered(gw_filter_slot(exchange, &played));
}

/* ---- the scene ---- */

static inline struct scene *begin_scene(void)
{
    struct scene *scene = calloc(1, sizeof *scene);
    struct gw_complaint complaint;
    assert_non_null(scene);
    signal(SIGPIPE, SIG_IGN); /* as in main.c */
    scene->config = gw_config_of(NULL, &complaint);
    assert_non_null(scene->config);
    scene->config->workers = 1;
    scene->metrics = gw_metrics_create(scene->config, 1, 0);
    assert_non_null(scene->metrics);
    scene->server = (struct gw_server) { .config = scene->config, .places = &scene->place };
    scene->server.descriptors.clients_most = 100;
    struct gw_worker *worker = &scene->worker;
    worker->server = &scene->server;
    worker->config = scene->config;
    worker->shard = gw_metrics_shard(scene->metrics, 0);
    worker->parser_limits = (struct gw_parser_limits) { .line_bytes = scene->config->max_request_line_bytes,
                                                        .head_bytes = scene->config->max_header_bytes,
                                                        .fields = scene->config->max_header_count };
    worker->head_text = gw_buffer_create(GW_H1_WRITER_TEXT_BOUND);
    worker->is_drained = true; /* no main thread is there to be told */
    assert_int_equal(uv_loop_init(&worker->loop), 0);
    assert_int_equal(gw_timers_open(&worker->timers, &worker->loop), 0);
    gw_block_pool_init(&worker->blocks);
    gw_list_init(&worker->connections);
    worker->context = (struct gw_worker_context) {
        .config = scene->config, .filters = filters, .timers = &worker->timers, .shard = worker->shard
    };
    gw_worker_context_init(&worker->context);
    scene->listening.worker = worker;
    scene->client = -1;
    return scene;
}

static inline void turn(struct scene *scene)
{
    struct timespec a_moment = { 0, 200000 };
    uv_run(&scene->worker.loop, UV_RUN_NOWAIT);
    nanosleep(&a_moment, NULL);
}

#define UNTIL(condition)                                                                                               \
    do {                                                                                                               \
        time_t until_s = time(NULL) + PATIENCE_S;                                                                      \
        while (!(condition)) {                                                                                         \
            turn(scene);                                                                                               \
            if (time(NULL) > until_s)                                                                                  \
                fail_msg("%s: not so in time", #condition);                                                            \
        }                                                                                                              \
    } while (0)

static inline bool is_closed(const struct scene *scene)
{
    return gw_list_is_empty(&scene->worker.connections);
}

static inline struct gw_connection *connection_in(const struct scene *scene)
{
    assert_false(is_closed(scene));
    return GW_CONTAINER(scene->worker.connections.next, struct gw_connection, link);
}

/* A closed connection is soon gone; its last phase was CLOSING. */
static inline enum gw_connection_phase phase_in(const struct scene *scene)
{
    if (is_closed(scene))
        return GW_CONNECTION_CLOSING;
    GW_CHECK(gw_connection_check(connection_in(scene)));
    return connection_in(scene)->phase;
}

static inline void assert_phase(const struct scene *scene, enum gw_connection_phase phase)
{
    assert_string_equal(gw_connection_phase_name(phase_in(scene)), gw_connection_phase_name(phase));
}

/* Nothing that was counted of it is left. */
static inline void end_scene(struct scene *scene)
{
    struct gw_worker *worker = &scene->worker;
    gw_connection_cut_all(worker);
    UNTIL(is_closed(scene));
    if (scene->client >= 0)
        close(scene->client);
    assert_int_equal(scene->begun, scene->ended);
    assert_int_equal(atomic_load(&scene->server.connections), 0);
    assert_int_equal(atomic_load(&scene->server.lingering), 0);
    assert_int_equal(atomic_load(&scene->place.connections), 0);
    assert_int_equal(gw_counter_read(&worker->shard->connections_open), 0);
    assert_int_equal(gw_counter_read(&worker->shard->connections_idle), 0);
    for (int i = 0; i < GW_EXCHANGE_STATES; i++)
        assert_int_equal(worker->context.in_state[i], 0);
    gw_worker_context_free(&worker->context);
    gw_buffer_destroy(&worker->head_text);
    gw_timers_close(&worker->timers);
    uv_run(&worker->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&worker->loop), 0);
    gw_block_pool_free(&worker->blocks);
    gw_metrics_destroy(&scene->metrics);
    gw_config_unref(scene->config);
    free(scene);
}

/* For CONNECTION_TEST: a scene for each test. */
static inline int open_scene(void **state)
{
    *state = begin_scene();
    return 0;
}

static inline int close_scene(void **state)
{
    end_scene(*state);
    return 0;
}

#define CONNECTION_TEST(name) cmocka_unit_test_setup_teardown(name, open_scene, close_scene)

/* ---- the client's side ---- */

/* Both ends of a connection over loopback: the client's stays in the scene, the other one is returned. */
static inline int connect_pair(struct scene *scene)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), small = 4096;
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    scene->client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(scene->client, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    assert_int_equal(connect(scene->client, (struct sockaddr *)&address, sizeof address), 0);
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    close(listener);
    fcntl(scene->client, F_SETFL, O_NONBLOCK);
    return fd;
}

static inline void arrives_as(struct scene *scene, unsigned open_before)
{
    int fd = connect_pair(scene);
    atomic_fetch_add(&scene->server.connections, 1);
    gw_connection_open(&scene->listening, fd, open_before);
}

static inline void arrives(struct scene *scene)
{
    arrives_as(scene, 0);
    assert_phase(scene, GW_CONNECTION_IDLE);
}

static inline void sends(struct scene *scene, const char *text)
{
    assert_int_equal(send(scene->client, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static inline void asks(struct scene *scene, const char *path)
{
    char text[256];
    snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path);
    sends(scene, text);
}

/* What has arrived. Only the beginning of a large answer is kept. */
static inline bool reads(struct scene *scene, const char *what)
{
    static char more[65536];
    ssize_t length = 1;
    while (!scene->end && length > 0) {
        length = recv(scene->client, more, sizeof more, 0);
        if (length <= 0)
            break;
        size_t room = sizeof scene->text - 1 - scene->length, kept = (size_t)length < room ? (size_t)length : room;
        memcpy(scene->text + scene->length, more, kept);
        scene->length += kept;
        scene->total += (size_t)length;
    }
    if (length == 0)
        scene->end = 1;
    else if (length < 0 && errno != EAGAIN)
        scene->end = -errno;
    return what && strstr(scene->text, what);
}

static inline bool has_ended(struct scene *scene)
{
    reads(scene, NULL);
    return scene->end != 0;
}

static inline void client_closes(struct scene *scene)
{
    close(scene->client);
    scene->client = -1;
}

static inline void client_resets(struct scene *scene)
{
    struct linger at_once = { 1, 0 };
    setsockopt(scene->client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    client_closes(scene);
}

static inline void reads_on(struct scene *scene)
{
    (void)reads(scene, NULL);
}

/* ---- on the way ---- */

static inline void to_waiting(struct scene *scene)
{
    arrives(scene);
    asks(scene, "/wait");
    UNTIL(scene->kept);
}

/* As the exchange wants a body that is for nobody in this scene: what is read of it is only counted. */
static inline void wants_body(struct scene *scene)
{
    scene->kept->body.state = GW_BODY_DISCARDING;
    scene->kept->downstream->table->want_body(scene->kept->downstream);
}

#endif
