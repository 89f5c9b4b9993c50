/* tls_scene.h: two authorities, a backend of tls_backend.h, a transport over libcurl and callers on one loop. */
#ifndef TEST_UPSTREAM_TLS_SCENE_H
#define TEST_UPSTREAM_TLS_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <cmocka.h>
#include "upstream/transport.h"
#include "unit/upstream/tls_backend.h"

/* ---- the stage: two authorities, a backend, a transport on a loop ---- */

struct stage {
    uv_loop_t loop;
    struct gw_timers timers;
    struct gw_block_pool blocks;
    struct gw_shard shard;
    struct gw_config config;
    struct gw_backend at; /* the backend, to the transport */
    struct gw_backend *backends[1];
    struct gw_transport *transport;
    uv_timer_t watchdog;

    struct authority authority, stranger;
    struct backend backend;
    char url[64];
};

struct caller {
    struct gw_call call;
    struct gw_arena arena;
    struct stage *stage;
    const char *body; /* sent whole in one piece; NULL: none */
    size_t flood_bytes;
    bool cancels_at_head, cancels_at_body, pauses;

    char body_got[512];
    size_t body_bytes, pauses_in_reading;
    int interim, status;
    enum gw_framing framing;
    uint64_t content_length;
    unsigned wants;
    bool is_over, in_begin;
    enum gw_error error;
};

static struct caller *caller_of(struct gw_call *call)
{
    struct caller *caller = GW_CONTAINER(call, struct caller, call);
    assert_false(caller->is_over);
    assert_false(caller->in_begin);
    return caller;
}

static void on_interim(struct gw_call *call, const struct gw_head *head)
{
    caller_of(call)->interim = head->status;
}

static bool cancels(struct caller *caller, bool now)
{
    if (now) {
        gw_transport_cancel(caller->stage->transport, &caller->call);
        caller->is_over = true;
    }
    return now;
}

static void on_head(struct gw_call *call, struct gw_head *head)
{
    struct caller *caller = caller_of(call);
    caller->status = head->status;
    caller->framing = head->framing;
    caller->content_length = head->content_length;
    cancels(caller, caller->cancels_at_head);
}

static void on_body(struct gw_call *call, struct gw_slice bytes, struct gw_block *block)
{
    (void)block;
    struct caller *caller = caller_of(call);
    for (size_t i = 0; i < bytes.length && caller->body_bytes + i < sizeof(caller->body_got) - 1; i++)
        caller->body_got[caller->body_bytes + i] = bytes.at[i];
    caller->body_bytes += bytes.length;
    if (!cancels(caller, caller->cancels_at_body) && caller->pauses)
        gw_transport_pause(caller->stage->transport, call);
}

static void on_pause_in_reading(struct gw_call *call)
{
    caller_of(call)->pauses_in_reading++;
}

static void on_end(struct gw_call *call)
{
    caller_of(call)->is_over = true;
}

static void on_fail(struct gw_call *call, enum gw_error error)
{
    struct caller *caller = caller_of(call);
    caller->error = error;
    caller->is_over = true;
}

static void on_want_body(struct gw_call *call)
{
    static char flood[50000];
    struct caller *caller = caller_of(call);
    struct gw_transport *transport = caller->stage->transport;
    caller->wants++;
    if (caller->body) {
        gw_transport_send(transport, call, gw_slice_of_string(caller->body), NULL);
        gw_transport_end_body(transport, call);
        return;
    }
    for (bool more = caller->flood_bytes > 0; more;) {
        size_t length = caller->flood_bytes < sizeof(flood) ? caller->flood_bytes : sizeof(flood);
        caller->flood_bytes -= length;
        more = gw_transport_send(transport, call, gw_slice_of(flood, length), NULL) && caller->flood_bytes;
        if (!caller->flood_bytes)
            gw_transport_end_body(transport, call);
    }
}

static const struct gw_call_events events = { on_interim, on_head, on_body,     on_pause_in_reading,
                                              on_end,     on_fail, on_want_body };

static struct caller *open_caller(struct stage *stage, enum gw_method method)
{
    struct caller *caller = calloc(1, sizeof(*caller));
    caller->stage = stage;
    gw_arena_init(&caller->arena, 4096, 1 << 20);
    caller->call = (struct gw_call) { .events = &events,
                                      .config = &stage->config,
                                      .backend = &stage->at,
                                      .method = method,
                                      .method_text = gw_slice_of_string(gw_method_name(method)),
                                      .target = GW_SLICE("/t?q"),
                                      .fields = GW_SLICE("Host: b\r\n"),
                                      .arena = &caller->arena };
    return caller;
}

static struct caller *open_sender(struct stage *stage, enum gw_method method, const char *body, bool is_chunked)
{
    struct caller *caller = open_caller(stage, method);
    caller->body = body;
    caller->call.has_body = true;
    caller->call.is_chunked = is_chunked;
    caller->call.content_length = strlen(body);
    return caller;
}

static void close_caller(struct caller *caller)
{
    gw_arena_free(&caller->arena);
    free(caller);
}

#define await(stage, condition)                                                                                        \
    while (!(condition))                                                                                               \
    uv_run(&(stage)->loop, UV_RUN_ONCE)

static void begin(struct caller *caller)
{
    caller->in_begin = true;
    assert_int_equal(gw_transport_begin(caller->stage->transport, &caller->call), GW_ERROR_NONE);
    caller->in_begin = false;
}

static struct caller *run(struct caller *caller)
{
    begin(caller);
    await(caller->stage, caller->is_over);
    return caller;
}

static void give_up(uv_timer_t *timer)
{
    (void)timer;
    fprintf(stderr, "what the test waits for does not happen\n");
    abort();
}

static int open_stage(void **state)
{
    struct stage *stage = calloc(1, sizeof(*stage));
    signal(SIGPIPE, SIG_IGN);
    uv_loop_init(&stage->loop);
    assert_int_equal(gw_timers_open(&stage->timers, &stage->loop), 0);
    gw_block_pool_init(&stage->blocks);
    uv_timer_init(&stage->loop, &stage->watchdog);
    uv_timer_start(&stage->watchdog, give_up, 60000, 0);
    make_authority(&stage->authority, "trusted");
    make_authority(&stage->stranger, "stranger");
    stage->backends[0] = &stage->at;
    stage->config.backends = stage->backends;
    stage->config.backend_count = 1;
    stage->config.connect_timeout_ms = stage->config.response_timeout_ms = stage->config.read_timeout_ms = 20000;
    stage->config.continue_timeout_ms = 20000;
    stage->config.max_backend_connections = 4;
    stage->config.keepalive_connections = 4;
    stage->config.keepalive_timeout_ms = 60000;
    stage->config.max_response_header_bytes = 4096;
    stage->config.max_response_headers = 256;
    stage->config.tls_verify = true;
    stage->config.tls_ca_file = gw_slice_of_string(stage->authority.file);
    const struct gw_transport_setup setup = { &stage->loop, &stage->timers, &stage->blocks, &stage->shard, NULL };
    stage->transport = gw_transport_curl.create(&setup, &stage->config);
    assert_non_null(stage->transport);
    *state = stage;
    return 0;
}

/* by == NULL: http://. `name` is the certificate's, as subjectAltName. */
static void set_backend(struct stage *stage, const struct authority *by, const char *name)
{
    start_backend(&stage->backend, by, name);
    stage->at.is_tls = by != NULL;
    stage->at.host = GW_SLICE("127.0.0.1");
    stage->at.port = stage->backend.port;
    snprintf(stage->url, sizeof(stage->url), "%s://127.0.0.1:%u", by ? "https" : "http", stage->at.port);
    stage->at.url = gw_slice_of_string(stage->url);
}

static void says(struct stage *stage, void (*serve)(struct peer *peer), const char *const *answers)
{
    stage->backend.serve = serve;
    stage->backend.answers = answers;
    stage->backend.says_goodbye = true;
}

#define BY_OURS(stage) &(stage)->authority, "IP:127.0.0.1"

static int close_stage(void **state)
{
    struct stage *stage = *state;
    gw_transport_curl.close(stage->transport);
    gw_timers_close(&stage->timers);
    uv_close((uv_handle_t *)&stage->watchdog, NULL);
    uv_run(&stage->loop, UV_RUN_DEFAULT);
    gw_transport_curl.destroy(stage->transport);
    assert_int_equal(uv_loop_close(&stage->loop), 0);
    assert_int_equal(gw_counter_read(&stage->shard.upstream_connections_open), 0);
    assert_int_equal(gw_counter_read(&stage->shard.upstream_connections_idle), 0);
    if (stage->backend.serve)
        stop_backend(&stage->backend);
    gw_block_pool_free(&stage->blocks);
    free_authority(&stage->authority);
    free_authority(&stage->stranger);
    free(stage);
    return 0;
}

static const char hello[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
static const char *const hellos[] = { hello, hello, hello, hello, NULL };

#endif
