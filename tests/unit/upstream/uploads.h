/* uploads.h: tests of what is written to a backend: heads, bodies, expectations, early answers. Part of
 * test_transport.c. */
#ifndef TEST_UPSTREAM_UPLOADS_H
#define TEST_UPSTREAM_UPLOADS_H

#include "unit/upstream/answers.h"

static void a_request_is_written_as_it_was_filled_in(void **state)
{
    struct scene *scene = *state;
    static const struct {
        enum gw_method method;
        const char *text;
    } rows[] = {
        { GW_METHOD_GET, "GET /x HTTP/1.1\r\nHost: b\r\n\r\n" },
        { GW_METHOD_DELETE, "DELETE /x HTTP/1.1\r\nHost: b\r\n\r\n" },
        { GW_METHOD_POST, "POST /x HTTP/1.1\r\nHost: b\r\nContent-Length: 0\r\n\r\n" },
    };
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        caller_free(ask(scene, rows[i].method, &(struct turn) { .at_end = OK }));
        assert_string_equal(scene->asked, rows[i].text);
    }
}

struct upload {
    const char *pieces[4];
    bool is_chunked;
    uint64_t length;
    const char *text; /* after the head */
};

static void a_body_is_framed_by_the_transport(void **state)
{
    struct scene *scene = *state;
    static const struct upload rows[] = {
        { { "abc", "defgh" }, false, 8, "abcdefgh" },
        { { "abc", "", "0123456789abcdef!" }, true, 0, "3\r\nabc\r\n11\r\n0123456789abcdef!\r\n0\r\n\r\n" },
        { { NULL }, true, 0, "0\r\n\r\n" },
        { { NULL }, false, 0, "" },
    };
    static const struct turn turn = { .at_end = OK };
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        scene_plays(scene, &turn, 1);
        struct caller *caller = caller_create(scene, GW_METHOD_PUT);
        caller->call.has_body = true;
        caller->call.is_chunked = rows[i].is_chunked;
        caller->call.content_length = rows[i].length;
        caller->pieces = rows[i].pieces;
        caller_begin(caller);
        await(scene, caller->is_over);
        assert_string_equal(caller->log, "200 end");
        const char *end = strstr(scene->asked, "\r\n\r\n");
        assert_non_null(end);
        assert_string_equal(end + 4, rows[i].text);
        assert_non_null(strstr(scene->asked, rows[i].is_chunked ? "Transfer-Encoding: chunked" : "Content-Length: "));
        caller_free(caller);
    }
    assert_int_equal(scene->accepted, 1);
}

static void a_body_of_another_length_than_announced_is_never_ended(void **state)
{
    struct scene *scene = *state;
    static const char *const pieces[] = { "half", NULL };
    static const uint64_t lengths[] = { 9, 3 };
    static const struct turn turn = { .at_end = OK };
    for (size_t i = 0; i < GW_COUNT(lengths); i++) {
        scene_plays(scene, &turn, 1);
        struct caller *caller = caller_create(scene, GW_METHOD_PUT);
        caller->call.has_body = true;
        caller->call.content_length = lengths[i];
        caller->pieces = pieces;
        caller_begin(caller);
        await(scene, caller->is_over);
        assert_string_equal(caller->log, "internal");
        await(scene, scene_open_peers(scene) == 0);
        assert_int_equal(scene->turn_at, 0); /* a fault that is known in time: the request is not even begun */
        caller_free(caller);
    }
}

static void a_large_upload_is_sent_at_the_speed_of_the_backend(void **state)
{
    struct scene *scene = *state;
    enum { BYTES = 12 * 1000 * 1000 }; /* more than the sockets hold */
    static const struct turn turn = { .at_end = OK };
    for (int i = 0; i < 2; i++) {
        scene_plays(scene, &turn, 1);
        struct caller *caller = caller_create(scene, GW_METHOD_PUT);
        caller->call.has_body = true;
        caller->call.is_chunked = i == 1;
        caller->call.content_length = BYTES;
        caller->flood_bytes = BYTES;
        caller_begin(caller);
        await(scene, caller->is_over);
        assert_string_equal(caller->log, "200 end");
        assert_true(scene->received_bytes > BYTES);
        caller_free(caller);
    }
}

static struct caller *expect_continue(struct scene *scene, const struct turn *turn)
{
    static const char *const pieces[] = { "abc", NULL };
    scene_plays(scene, turn, 1);
    struct caller *caller = caller_create(scene, GW_METHOD_PUT);
    caller->call.has_body = caller->call.expects_continue = true;
    caller->call.content_length = 3;
    caller->pieces = pieces;
    caller_begin(caller);
    await(scene, caller->is_over);
    assert_non_null(strstr(scene->asked, "Expect: 100-continue\r\n"));
    return caller;
}

static void an_expecting_body_waits_for_100(void **state)
{
    struct scene *scene = *state;
    static const struct turn turn = { .at_head = "HTTP/1.1 100 Continue\r\n\r\n", .at_end = OK };
    struct caller *caller = expect_continue(scene, &turn);
    assert_string_equal(caller->log, "100 200 end");
    assert_non_null(strstr(scene->asked, "\r\n\r\nabc"));
    caller_free(caller);
    assert_answered(scene);
    assert_int_equal(scene->accepted, 1);
}

static void an_expecting_body_does_not_wait_for_ever(void **state)
{
    struct scene *scene = *state;
    scene->config.continue_timeout_ms = 20;
    struct caller *caller = expect_continue(scene, &(struct turn) { .at_end = OK });
    assert_string_equal(caller->log, "200 end");
    caller_free(caller);
}

static void the_time_for_an_answer_begins_when_the_body_is_sent(void **state)
{
    struct scene *scene = *state;
    scene->config.continue_timeout_ms = 600;
    scene->config.response_timeout_ms = 400;
    struct caller *caller = expect_continue(scene, &(struct turn) { .at_end = OK });
    assert_string_equal(caller->log, "200 end");
    caller_free(caller);
}

static void an_expecting_body_is_not_sent_after_a_final_answer(void **state)
{
    struct scene *scene = *state;
    struct caller *caller = expect_continue(
        scene, &(struct turn) { .at_head = "HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n", .at_end = OK });
    assert_string_equal(caller->log, "417 end");
    assert_int_equal(caller->wants, 0);
    caller_free(caller);
    await(scene, scene_open_peers(scene) == 0); /* the rest of the body is still due there, so it is not reused */
}

static void an_early_answer_ends_the_upload_and_the_connection(void **state)
{
    struct scene *scene = *state;
    static const struct turn turn = { .at_head = "HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno", .is_deaf = true };
    scene_plays(scene, &turn, 1);
    struct caller *caller = caller_create(scene, GW_METHOD_PUT);
    caller->call.has_body = caller->call.is_chunked = true;
    caller->flood_bytes = 50 * 1000 * 1000;
    caller_begin(caller);
    await(scene, caller->is_over);
    assert_string_equal(caller->log, "413 end");
    assert_string_equal(caller->body, "no");
    assert_true(caller->flood_bytes > 0);
    caller_free(caller);
    scene->config.max_backend_connections = 1;
    assert_answered(scene);
    assert_int_equal(scene->accepted, 2);
}

static void a_body_is_not_wanted_after_an_early_head(void **state)
{
    struct scene *scene = *state;
    static const struct turn turn = { .at_head = FAIR };
    scene_plays(scene, &turn, 1);
    struct caller *caller = caller_create(scene, GW_METHOD_PUT);
    caller->call.has_body = caller->call.is_chunked = true; /* the owner gives nothing when it is asked for the body */
    caller_begin(caller);
    await(scene, caller->body_bytes == 5);
    size_t received = scene->received_bytes;
    assert_int_equal(caller->wants, 1);
    assert_false(gw_transport_send(scene->transport, &caller->call, GW_SLICE("late"), NULL));
    gw_transport_end_body(scene->transport, &caller->call);
    settle(scene);
    assert_int_equal(scene->received_bytes, received);
    peer_says(scene->peers, "world");
    await(scene, caller->is_over);
    assert_string_equal(caller->log, "200 end");
    assert_string_equal(caller->body, "helloworld");
    caller_free(caller);
    await(scene, scene_open_peers(scene) == 0);
}

static void a_body_may_come_later_than_it_is_wanted(void **state)
{
    struct scene *scene = *state;
    static const struct turn turn = { .at_end = OK };
    scene_plays(scene, &turn, 1);
    struct caller *caller = caller_create(scene, GW_METHOD_PUT);
    caller->call.has_body = caller->call.is_chunked = true;
    caller_begin(caller);
    await(scene, strstr(scene->asked, "\r\n\r\n")); /* the head does not wait for the body */
    assert_int_equal(caller->wants, 1);
    assert_true(gw_transport_send(scene->transport, &caller->call, GW_SLICE("one"), NULL));
    assert_true(gw_transport_send(scene->transport, &caller->call, GW_SLICE("two"), NULL));
    settle(scene);
    assert_non_null(strstr(scene->asked, "\r\n\r\n3\r\none\r\n3\r\ntwo\r\n"));
    gw_transport_end_body(scene->transport, &caller->call);
    await(scene, caller->is_over);
    assert_string_equal(caller->log, "200 end");
    caller_free(caller);
}

#endif
