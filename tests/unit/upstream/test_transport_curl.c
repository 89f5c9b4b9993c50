#include "unit/upstream/tls_answers.h"
#include "unit/upstream/tls_scene.h"
#include "unit/upstream/tls_strays.h"

/* ---- certificates ---- */

static void a_verified_backend_answers_and_its_connection_is_kept(void **state)
{
    struct stage *stage = *state;
    says(stage, serve_same, hellos);
    set_backend(stage, BY_OURS(stage));
    for (int i = 0; i < 3; i++) {
        struct caller *caller = run(open_caller(stage, GW_METHOD_GET));
        assert_int_equal(caller->error, GW_ERROR_NONE);
        assert_int_equal(caller->status, 200);
        assert_string_equal(caller->body_got, "hello");
        assert_int_equal(caller->framing, GW_FRAMING_LENGTH);
        assert_int_equal(caller->content_length, 5);
        assert_int_equal(caller->call.was_reused, i > 0);
        assert_true(caller->call.was_sent && caller->call.was_answered);
        assert_true(caller->call.head_at_us >= caller->call.began_at_us);
        close_caller(caller);
    }
    assert_int_equal(atomic_load(&stage->backend.connections), 1);
    assert_int_equal(gw_counter_read(&stage->shard.upstream_connects), 1);
    assert_int_equal(gw_counter_read(&stage->shard.upstream_reuses), 2);
    assert_int_equal(gw_counter_read(&stage->shard.upstream_connections_open), 1);
    assert_int_equal(gw_counter_read(&stage->shard.upstream_connections_idle), 1);
}

static void expect_tls_failure(struct stage *stage)
{
    struct caller *caller = run(open_caller(stage, GW_METHOD_GET));
    assert_int_equal(caller->error, GW_ERROR_TLS);
    assert_false(caller->call.was_sent);
    assert_int_equal(atomic_load(&stage->backend.requests), 0);
    close_caller(caller);
}

static void a_backend_of_another_authority_is_refused(void **state)
{
    struct stage *stage = *state;
    says(stage, serve_same, hellos);
    set_backend(stage, &stage->stranger, "IP:127.0.0.1");
    expect_tls_failure(stage);
    stage->config.tls_ca_file = GW_NO_SLICE; /* the system does not know it either */
    expect_tls_failure(stage);
    stage->config.tls_verify = false;
    struct caller *caller = run(open_caller(stage, GW_METHOD_GET));
    assert_int_equal(caller->error, GW_ERROR_NONE);
    assert_string_equal(caller->body_got, "hello");
    close_caller(caller);
}

static void a_certificate_of_another_name_is_refused(void **state)
{
    struct stage *stage = *state;
    says(stage, serve_same, hellos);
    set_backend(stage, &stage->authority, "DNS:elsewhere.example,IP:127.0.0.2");
    expect_tls_failure(stage);
}

/* ---- what is sent ---- */

static void expect_request(struct stage *stage, struct caller *caller, const char *text)
{
    run(caller);
    assert_int_equal(caller->error, GW_ERROR_NONE);
    char *head = last_head(&stage->backend);
    assert_string_equal(head, text);
    free(head);
    close_caller(caller);
}

static void a_request_says_what_its_call_says_and_nothing_else(void **state)
{
    struct stage *stage = *state;
    says(stage, serve_same, hellos);
    set_backend(stage, NULL, NULL);
    expect_request(stage, open_caller(stage, GW_METHOD_GET), "GET /t?q HTTP/1.1\r\nHost: b\r\n\r\n");
    struct caller *caller = open_caller(stage, GW_METHOD_GET);
    caller->call.fields = GW_SLICE("Host: b\r\nX-Empty:\r\nAccept: a/b\r\nUser-Agent: u\r\nx: 1\r\nx: 2;\r\n");
    expect_request(stage, caller,
                   "GET /t?q HTTP/1.1\r\nHost: b\r\nX-Empty:\r\nAccept: a/b\r\nUser-Agent: u\r\nx: 1\r\nx: 2;\r\n\r\n");
    caller = open_caller(stage, GW_METHOD_OPTIONS);
    caller->call.target = GW_SLICE("*");
    expect_request(stage, caller, "OPTIONS * HTTP/1.1\r\nHost: b\r\n\r\n");
    caller = open_caller(stage, GW_METHOD_OTHER);
    caller->call.method_text = GW_SLICE("PROPFIND");
    expect_request(stage, caller, "PROPFIND /t?q HTTP/1.1\r\nHost: b\r\n\r\n");
    expect_request(stage, open_caller(stage, GW_METHOD_DELETE), "DELETE /t?q HTTP/1.1\r\nHost: b\r\n\r\n");
    expect_request(stage, open_caller(stage, GW_METHOD_POST),
                   "POST /t?q HTTP/1.1\r\nHost: b\r\nContent-Length: 0\r\n\r\n");
    expect_request(stage, open_sender(stage, GW_METHOD_POST, "", false),
                   "POST /t?q HTTP/1.1\r\nHost: b\r\nContent-Length: 0\r\n\r\n");
    expect_request(stage, open_sender(stage, GW_METHOD_PATCH, "abc", false),
                   "PATCH /t?q HTTP/1.1\r\nHost: b\r\nContent-Length: 3\r\n\r\n");
    expect_request(stage, open_sender(stage, GW_METHOD_GET, "abc", true),
                   "GET /t?q HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_int_equal(atomic_load(&stage->backend.body_bytes), 6);
    expect_request(stage, open_caller(stage, GW_METHOD_GET), "GET /t?q HTTP/1.1\r\nHost: b\r\n\r\n");
}

static void many_fields_arrive_all(void **state)
{
    struct stage *stage = *state;
    says(stage, serve_same, hellos);
    set_backend(stage, NULL, NULL);
    char fields[4096], request[4200];
    size_t length = (size_t)snprintf(fields, sizeof(fields), "Host: b\r\n");
    for (int i = 0; i < 200; i++)
        length += (size_t)snprintf(fields + length, sizeof(fields) - length, "X-%d: %d\r\n", i, i);
    snprintf(request, sizeof(request), "GET /t?q HTTP/1.1\r\n%s\r\n", fields);
    struct caller *caller = open_caller(stage, GW_METHOD_GET);
    caller->call.fields = gw_slice_of(fields, length);
    expect_request(stage, caller, request);
}

static void a_large_body_arrives_whole(void **state)
{
    struct stage *stage = *state;
    says(stage, serve_same, hellos);
    set_backend(stage, BY_OURS(stage));
    for (int i = 0; i < 2; i++) {
        struct caller *caller = open_sender(stage, GW_METHOD_PUT, "", i == 1);
        caller->body = NULL;
        caller->flood_bytes = 3 << 20;
        caller->call.content_length = 3 << 20;
        run(caller);
        assert_int_equal(caller->error, GW_ERROR_NONE);
        assert_string_equal(caller->body_got, "hello");
        close_caller(caller);
        assert_int_equal(atomic_exchange(&stage->backend.body_bytes, 0), 3 << 20);
    }
}

static void serve_after_100(struct peer *peer)
{
    while (peer_read_head(peer))
        if (!peer_say_text(peer, "HTTP/1.1 100 Continue\r\nX-Go: on\r\n\r\n") || !peer_read_body(peer) ||
            !peer_say_text(peer, hello))
            break;
}

static void a_body_waits_for_100(void **state)
{
    struct stage *stage = *state;
    says(stage, serve_after_100, NULL);
    set_backend(stage, NULL, NULL);
    struct caller *caller = open_sender(stage, GW_METHOD_POST, "body", false);
    caller->call.expects_continue = true;
    run(caller);
    char *head = last_head(&stage->backend);
    assert_non_null(strstr(head, "\r\nExpect: 100-continue\r\n"));
    free(head);
    assert_int_equal(caller->interim, 100);
    assert_int_equal(caller->status, 200);
    assert_int_equal(atomic_load(&stage->backend.body_bytes), 4);
    close_caller(caller);
}

static void a_body_goes_without_100_after_a_while(void **state)
{
    struct stage *stage = *state;
    says(stage, serve_same, hellos); /* reads the body first */
    set_backend(stage, NULL, NULL);
    stage->config.continue_timeout_ms = 20;
    struct caller *caller = open_sender(stage, GW_METHOD_POST, "body", true);
    caller->call.expects_continue = true;
    run(caller);
    assert_int_equal(caller->error, GW_ERROR_NONE);
    assert_int_equal(caller->status, 200);
    close_caller(caller);
}

static void serve_early(struct peer *peer)
{
    while (peer_read_head(peer) && peer_say_text(peer, peer->backend->answers[0]))
        ;
}

/* The body never comes: the owner of such a call waits for its client. */
static void an_answer_may_come_before_the_body_ended(void **state)
{
    static const char *const rows[] = {
        "HTTP/1.1 413 No\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 413 No\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 204 No\r\n\r\n",
    };
    struct stage *stage = *state;
    says(stage, serve_early, rows);
    set_backend(stage, BY_OURS(stage));
    for (size_t i = 0; i < GW_COUNT(rows) * 2; i++) {
        stage->backend.answers = &rows[i / 2];
        struct caller *caller = open_sender(stage, GW_METHOD_POST, "never sent", i % 2);
        caller->body = NULL;
        run(caller);
        assert_int_equal(caller->error, GW_ERROR_NONE);
        assert_string_equal(caller->body_got, i / 2 == 3 ? "" : "hello");
        close_caller(caller);
    }
}

static void a_417_is_not_tried_again_without_the_expectation(void **state)
{
    static const char *const answers[] = { "HTTP/1.1 417 No\r\nContent-Length: 5\r\n\r\nhello", NULL };
    struct stage *stage = *state;
    says(stage, serve_early, answers);
    set_backend(stage, NULL, NULL);
    struct caller *caller = open_sender(stage, GW_METHOD_POST, "body", false);
    caller->call.expects_continue = true;
    run(caller);
    assert_int_equal(caller->error, GW_ERROR_EXPECTATION);
    assert_int_equal(atomic_load(&stage->backend.requests), 1);
    close_caller(caller);
}

/* ---- once ---- */

static void a_request_over_a_dead_kept_connection_is_sent_once(void **state)
{
    static const char *const answers[] = { hello, NULL };
    static const struct {
        enum gw_method method;
        const char *body;
        bool is_chunked;
    } rows[] = { { GW_METHOD_POST, "body", false },
                 { GW_METHOD_POST, "body", true },
                 { GW_METHOD_PUT, "", false },
                 { GW_METHOD_GET, NULL, false } };
    struct stage *stage = *state;
    says(stage, serve_answers, answers);
    set_backend(stage, BY_OURS(stage));
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        close_caller(run(open_caller(stage, GW_METHOD_GET)));
        int before = atomic_load(&stage->backend.requests);
        struct caller *caller = rows[i].body ? open_sender(stage, rows[i].method, rows[i].body, rows[i].is_chunked)
                                             : open_caller(stage, rows[i].method);
        run(caller);
        assert_int_equal(caller->error, GW_ERROR_RESET);
        assert_true(caller->call.was_reused && caller->call.was_sent);
        assert_false(caller->call.was_answered);
        assert_int_equal(atomic_load(&stage->backend.requests), before + 1);
        close_caller(caller);
    }
}

static void an_unsafe_request_without_a_body_takes_a_new_connection(void **state)
{
    struct stage *stage = *state;
    says(stage, serve_same, hellos);
    set_backend(stage, BY_OURS(stage));
    close_caller(run(open_caller(stage, GW_METHOD_GET)));
    struct caller *caller = run(open_caller(stage, GW_METHOD_POST));
    assert_int_equal(caller->error, GW_ERROR_NONE);
    assert_false(caller->call.was_reused);
    close_caller(caller);
    caller = open_caller(stage, GW_METHOD_GET);
    caller->call.fresh = true;
    run(caller);
    assert_false(caller->call.was_reused);
    close_caller(caller);
    assert_int_equal(atomic_load(&stage->backend.connections), 3);
}

/* ---- backpressure, time, bounds ---- */

enum { MUCH_BYTES = 24 << 20 };

static void serve_much(struct peer *peer)
{
    static const char piece[65536];
    char head[64];
    snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", MUCH_BYTES);
    if (!peer_read_head(peer) || !peer_say_text(peer, head))
        return;
    for (size_t sent = 0; sent < MUCH_BYTES; sent += sizeof(piece))
        if (!peer_say(peer, piece, sizeof(piece)))
            return;
}

static void turn(uv_timer_t *timer)
{
    (void)timer;
}

static void a_paused_body_stops_within_a_block_and_goes_on(void **state)
{
    struct stage *stage = *state;
    says(stage, serve_much, NULL);
    set_backend(stage, BY_OURS(stage));
    stage->config.read_timeout_ms = 300; /* does not run while paused */
    struct caller *caller = open_caller(stage, GW_METHOD_GET);
    caller->pauses = true;
    begin(caller);
    await(stage, caller->body_bytes);
    size_t at_pause = caller->body_bytes;
    uint64_t until = uv_hrtime() + 600000000;
    uv_timer_t wake;
    uv_timer_init(&stage->loop, &wake);
    uv_timer_start(&wake, turn, 10, 10); /* turns the loop */
    await(stage, uv_hrtime() > until);
    uv_close((uv_handle_t *)&wake, NULL);
    assert_false(caller->is_over);
    assert_true(caller->body_bytes - at_pause <= GW_BLOCK_BYTES);
    assert_true(atomic_load(&stage->backend.sent_bytes) < MUCH_BYTES); /* the backend cannot send on */
    caller->pauses = false;
    stage->config.read_timeout_ms = 20000;
    size_t before = caller->body_bytes;
    gw_transport_resume(stage->transport, &caller->call);
    assert_int_equal(caller->body_bytes, before);
    await(stage, caller->is_over);
    assert_int_equal(caller->error, GW_ERROR_NONE);
    assert_int_equal(caller->body_bytes, MUCH_BYTES);
    assert_true(caller->pauses_in_reading > 0);
    close_caller(caller);
}

static void a_call_may_be_cancelled_at_any_time(void **state)
{
    struct stage *stage = *state;
    says(stage, serve_much, NULL);
    set_backend(stage, BY_OURS(stage));
    for (int i = 0; i < 5; i++) {
        struct caller *caller = open_caller(stage, GW_METHOD_GET);
        caller->cancels_at_head = i == 0;
        caller->cancels_at_body = i == 1;
        begin(caller);
        if (i == 3)
            uv_run(&stage->loop, UV_RUN_NOWAIT); /* while it connects */
        if (i == 4) {
            caller->pauses = true;
            await(stage, caller->body_bytes);
            caller->pauses = false;
            gw_transport_resume(stage->transport, &caller->call);
        }
        if (i >= 2)
            cancels(caller, true);
        await(stage, caller->is_over);
        assert_null(caller->call.inner);
        close_caller(caller);
    }
}

static void serve_silence(struct peer *peer)
{
    if (peer_read_head(peer))
        peer_more(peer);
}

static void serve_half(struct peer *peer)
{
    if (peer_read_head(peer) && peer_say_text(peer, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"))
        peer_more(peer);
}

static void a_silent_backend_is_given_up(void **state)
{
    static const struct {
        void (*serve)(struct peer *peer);
        enum gw_error error;
    } rows[] = { { serve_silence, GW_ERROR_RESPONSE_TIMEOUT }, { serve_half, GW_ERROR_BODY_TIMEOUT } };
    struct stage *stage = *state;
    says(stage, serve_silence, NULL);
    set_backend(stage, BY_OURS(stage));
    stage->config.read_timeout_ms = 50;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        stage->config.response_timeout_ms = i == 0 ? 50 : 20000;
        stage->backend.serve = rows[i].serve;
        struct caller *caller = run(open_caller(stage, GW_METHOD_GET));
        assert_int_equal(caller->error, rows[i].error);
        close_caller(caller);
    }
}

/* The backend never answers its handshake. */
static void a_backend_that_does_not_shake_hands_is_a_connect_timeout(void **state)
{
    struct stage *stage = *state;
    says(stage, serve_silence, NULL);
    set_backend(stage, NULL, NULL);
    stage->at.is_tls = true;
    stage->config.connect_timeout_ms = 50;
    struct caller *caller = run(open_caller(stage, GW_METHOD_GET));
    assert_int_equal(caller->error, GW_ERROR_CONNECT_TIMEOUT);
    assert_false(caller->call.was_sent);
    close_caller(caller);
}

static void a_port_without_a_listener_is_told_apart(void **state)
{
    struct stage *stage = *state;
    says(stage, serve_silence, NULL);
    set_backend(stage, NULL, NULL);
    int fd = socket(AF_INET, SOCK_STREAM, 0); /* bound, not listening */
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof(address);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
    getsockname(fd, (struct sockaddr *)&address, &length);
    stage->at.port = ntohs(address.sin_port);
    struct caller *caller = run(open_caller(stage, GW_METHOD_GET));
    assert_int_equal(caller->error, GW_ERROR_CONNECT);
    close_caller(caller);
    close(fd);
    stage->at.host = GW_SLICE("nobody.invalid");
    caller = run(open_caller(stage, GW_METHOD_GET));
    assert_int_equal(caller->error, GW_ERROR_RESOLVE);
    close_caller(caller);
}

static void cancelling_a_look_up_does_not_wait_for_it(void **state)
{
    struct stage *stage = *state;
    stage->at.host = GW_SLICE("nobody.invalid");
    stage->at.port = 1;
    stage->at.url = GW_SLICE("http://nobody.invalid:1");
    for (int i = 0; i < 3; i++) {
        struct caller *caller = open_caller(stage, GW_METHOD_GET);
        begin(caller);
        uv_run(&stage->loop, UV_RUN_NOWAIT);
        if (!caller->is_over)
            cancels(caller, true);
        uv_run(&stage->loop, UV_RUN_NOWAIT);
        close_caller(caller);
    }
}

static void a_backend_has_a_bound_of_calls(void **state)
{
    struct stage *stage = *state;
    says(stage, serve_same, hellos);
    set_backend(stage, BY_OURS(stage));
    struct caller *callers[5];
    for (int i = 0; i < 5; i++)
        callers[i] = open_caller(stage, GW_METHOD_GET);
    for (int i = 0; i < 4; i++)
        begin(callers[i]);
    assert_int_equal(gw_transport_begin(stage->transport, &callers[4]->call), GW_ERROR_UPSTREAM_BUSY);
    for (int i = 0; i < 4; i++)
        await(stage, callers[i]->is_over);
    run(callers[4]);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(callers[i]->error, GW_ERROR_NONE);
        close_caller(callers[i]);
    }
}

/* ---- HTTP/2 ---- */

static void serve_protocol(struct peer *peer)
{
    const unsigned char *chosen;
    unsigned length;
    char answer[128];
    SSL_get0_alpn_selected(peer->ssl, &chosen, &length);
    snprintf(answer, sizeof(answer), "HTTP/1.1 200 OK\r\nContent-Length: %u\r\n\r\n%.*s", length, (int)length,
             (const char *)chosen);
    if (peer_read_head(peer))
        peer_say_text(peer, answer);
}

static void http2_is_not_offered(void **state)
{
    struct stage *stage = *state;
    says(stage, serve_protocol, NULL);
    stage->backend.prefers_http2 = true;
    set_backend(stage, BY_OURS(stage));
    struct caller *caller = run(open_caller(stage, GW_METHOD_GET));
    assert_int_equal(caller->error, GW_ERROR_NONE);
    assert_string_equal(caller->body_got, "http/1.1");
    close_caller(caller);
}

#define scene(test) cmocka_unit_test_setup_teardown(test, open_stage, close_stage)

int main(void)
{
    const struct CMUnitTest tests[] = {
        scene(a_verified_backend_answers_and_its_connection_is_kept),
        scene(a_backend_of_another_authority_is_refused),
        scene(a_certificate_of_another_name_is_refused),
        scene(a_request_says_what_its_call_says_and_nothing_else),
        scene(many_fields_arrive_all),
        scene(a_large_body_arrives_whole),
        scene(a_body_waits_for_100),
        scene(a_body_goes_without_100_after_a_while),
        scene(an_answer_may_come_before_the_body_ended),
        scene(a_417_is_not_tried_again_without_the_expectation),
        scene(a_request_over_a_dead_kept_connection_is_sent_once),
        scene(an_unsafe_request_without_a_body_takes_a_new_connection),
        scene(a_body_that_did_not_end_never_ends),
        scene(a_malformed_answer_is_refused),
        scene(a_head_has_a_bound),
        scene(an_interim_answer_is_told_before_the_final_one),
        scene(an_answer_to_head_has_no_body),
        scene(a_paused_body_stops_within_a_block_and_goes_on),
        scene(a_call_may_be_cancelled_at_any_time),
        scene(a_silent_backend_is_given_up),
        scene(a_backend_that_does_not_shake_hands_is_a_connect_timeout),
        scene(a_port_without_a_listener_is_told_apart),
        scene(cancelling_a_look_up_does_not_wait_for_it),
        scene(a_backend_has_a_bound_of_calls),
        scene(what_comes_unasked_over_tls_is_no_answer),
        scene(http2_is_not_offered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
