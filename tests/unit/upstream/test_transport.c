#include "unit/upstream/scene.h"

#include <unistd.h>

#define OK   "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define FAIR "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"

static uint64_t count(gw_counter *counter)
{
    return gw_counter_read(counter);
}

/* One request, met by one turn. */
static struct caller *ask(struct scene *scene, enum gw_method method, const struct turn *turn)
{
    scene_plays(scene, turn, 1);
    struct caller *caller = caller_create(scene, method);
    caller_begin(caller);
    await(scene, caller->is_over);
    return caller;
}

static void assert_answered(struct scene *scene)
{
    struct caller *caller = ask(scene, GW_METHOD_GET, &(struct turn) { .at_end = OK });
    assert_string_equal(caller->log, "200 end");
    caller_free(caller);
}

/* ---- kept connections ---- */

static void a_kept_connection_carries_the_next_request(void **state)
{
    struct scene *scene = *state;
    for (int i = 0; i < 3; i++) {
        struct caller *caller = ask(scene, GW_METHOD_GET, &(struct turn) { .at_end = OK });
        assert_string_equal(caller->log, "200 end");
        assert_string_equal(caller->body, "ok");
        assert_int_equal(caller->call.was_reused, i > 0);
        assert_true(caller->call.was_sent && caller->call.was_answered);
        assert_true(caller->call.head_at_us >= caller->call.began_at_us);
        caller_free(caller);
    }
    assert_int_equal(scene->accepted, 1);
    assert_int_equal(count(&scene->shard->upstream_connects), 1);
    assert_int_equal(count(&scene->shard->upstream_reuses), 2);
    assert_int_equal(count(&scene->shard->upstream_connections_open), 1);
    assert_int_equal(count(&scene->shard->upstream_connections_idle), 1);
}

static void a_call_begun_within_the_end_of_another_takes_its_connection(void **state)
{
    struct scene *scene = *state;
    static const struct turn turns[] = { { .at_end = OK }, { .at_end = OK } };
    scene_plays(scene, turns, 2);
    struct caller *first = caller_create(scene, GW_METHOD_GET), *second = caller_create(scene, GW_METHOD_GET);
    first->successor = second;
    caller_begin(first);
    await(scene, second->is_over);
    assert_string_equal(second->log, "200 end");
    assert_int_equal(scene->accepted, 1);
    caller_free(first);
    caller_free(second);
}

static void a_kept_connection_that_closes_without_an_answer_is_told_as_reset(void **state)
{
    struct scene *scene = *state;
    assert_answered(scene);
    struct caller *caller = ask(scene, GW_METHOD_POST, &(struct turn) { .after_head = CLOSE });
    assert_string_equal(caller->log, "upstream_reset");
    assert_true(caller->call.was_reused && caller->call.was_sent);
    assert_false(caller->call.was_answered);
    assert_int_equal(scene->turn_at, 1); /* and it was sent once */
    caller_free(caller);
}

static void a_post_is_not_sent_on_a_connection_that_is_closed_already(void **state)
{
    struct scene *scene = *state;
    static const struct turn turns[] = { { .at_end = OK, .after_end = CLOSE }, { .at_end = OK } };
    scene_plays(scene, turns, 2);
    struct caller *first = caller_create(scene, GW_METHOD_GET), *second = caller_create(scene, GW_METHOD_POST);
    first->successor = second; /* the FIN lies in the socket, the loop has not seen it */
    caller_begin(first);
    await(scene, second->is_over);
    assert_string_equal(second->log, "200 end");
    assert_int_equal(scene->accepted, 2);
    caller_free(first);
    caller_free(second);
}

static void a_fresh_call_does_not_use_a_kept_connection(void **state)
{
    struct scene *scene = *state;
    scene->config.max_backend_connections = 1; /* it takes the kept one's place */
    assert_answered(scene);
    static const struct turn turn = { .at_end = OK };
    scene_plays(scene, &turn, 1);
    struct caller *caller = caller_create(scene, GW_METHOD_GET);
    caller->call.fresh = true;
    caller_begin(caller);
    await(scene, caller->is_over);
    assert_false(caller->call.was_reused);
    assert_int_equal(scene->accepted, 2);
    caller_free(caller);
}

static void idle_connections_are_closed_in_time_and_beyond_their_number(void **state)
{
    struct scene *scene = *state;
    scene->config.keepalive_connections = 1;
    scene->config.keepalive_timeout_ms = 20;
    static const struct turn turns[] = { { .at_end = OK }, { .at_end = OK } };
    scene_plays(scene, turns, 2);
    struct caller *a = caller_create(scene, GW_METHOD_GET), *b = caller_create(scene, GW_METHOD_GET);
    caller_begin(a);
    caller_begin(b);
    await(scene, a->is_over && b->is_over);
    assert_true(count(&scene->shard->upstream_connections_open) <= 1);
    await(scene, count(&scene->shard->upstream_connections_open) == 0);
    caller_free(a);
    caller_free(b);
}

static void an_idle_connection_that_the_backend_closes_is_forgotten(void **state)
{
    struct scene *scene = *state;
    assert_answered(scene);
    peer_leave(scene->peers, CLOSE);
    await(scene, count(&scene->shard->upstream_connections_open) == 0);
    assert_answered(scene);
}

static void an_idle_connection_that_speaks_unasked_is_closed(void **state)
{
    struct scene *scene = *state;
    assert_answered(scene);
    peer_says(scene->peers, OK);
    await(scene, scene_open_peers(scene) == 0);
    assert_answered(scene);
}

static void no_more_connections_are_opened_than_allowed(void **state)
{
    struct scene *scene = *state;
    scene->config.max_backend_connections = 2;
    static const struct turn turns[] = { { .at_end = OK }, { .at_end = OK }, { .at_end = OK } };
    scene_plays(scene, turns, 3);
    struct caller *callers[3];
    for (int i = 0; i < 3; i++)
        callers[i] = caller_create(scene, GW_METHOD_GET);
    caller_begin(callers[0]);
    caller_begin(callers[1]);
    assert_int_equal(caller_try(callers[2]), GW_ERROR_UPSTREAM_BUSY);
    await(scene, callers[0]->is_over && callers[1]->is_over);
    assert_int_equal(callers[2]->events, 0);
    caller_begin(callers[2]);
    await(scene, callers[2]->is_over);
    assert_true(callers[2]->call.was_reused);
    for (int i = 0; i < 3; i++)
        caller_free(callers[i]);
}

static void a_reload_that_numbers_backends_anew_finds_their_connections(void **state)
{
    struct scene *scene = *state;
    assert_answered(scene);
    scene->backend.index = 7;
    assert_answered(scene);
    assert_int_equal(scene->accepted, 1);
    struct gw_slice url = scene->backend.url;
    scene->backend.url = GW_SLICE("http://another"); /* the same number, another backend */
    assert_answered(scene);
    assert_int_equal(scene->accepted, 2);
    scene->backend.url = url;
    assert_answered(scene);
    assert_int_equal(scene->accepted, 2);
}

/* ---- answers ---- */

struct answer {
    const char *says, *log, *body;
    bool is_kept;
    enum after after;
    enum gw_method method;
};

#define STATUS "HTTP/1.1 200 OK\r\n"

static const struct answer answers[] = {
    { OK, "200 end", "ok", true, KEEP, GW_METHOD_GET },
    { STATUS "Content-Length: 0\r\n\r\n", "200 end", "", true, KEEP, GW_METHOD_GET },
    { STATUS "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: v\r\n\r\n", "200 end", "abcde", true,
      KEEP, GW_METHOD_GET },
    { "HTTP/1.1 204 No Content\r\n\r\n", "204 end", "", true, KEEP, GW_METHOD_GET },
    { "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", "304 end", "", true, KEEP, GW_METHOD_GET },
    { STATUS "Content-Length: 9\r\n\r\n", "200 end", "", true, KEEP, GW_METHOD_HEAD },
    { STATUS "Transfer-Encoding: chunked\r\n\r\n", "200 end", "", true, KEEP, GW_METHOD_HEAD },
    { STATUS "Connection: close\r\nContent-Length: 2\r\n\r\nok", "200 end", "ok", false, KEEP, GW_METHOD_GET },
    { "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "200 end", "ok", false, KEEP, GW_METHOD_GET },
    { STATUS "\r\nto the end", "200 end", "to the end", false, CLOSE, GW_METHOD_GET },
    { "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" OK, "103 200 end", "ok", true, KEEP, GW_METHOD_GET },
    { "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" OK, "100 102 200 end", "ok", true, KEEP,
      GW_METHOD_GET },
    /* a body that did not end is never ended (RFC 9112 §8) */
    { STATUS "Content-Length: 9\r\n\r\nhalf", "200 upstream_reset", "half", false, CLOSE, GW_METHOD_GET },
    { STATUS "Transfer-Encoding: chunked\r\n\r\n5\r\nhalf", "200 upstream_reset", "half", false, CLOSE, GW_METHOD_GET },
    { STATUS "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n", "200 upstream_reset", "half", false, CLOSE,
      GW_METHOD_GET },
    { "", "upstream_reset", "", false, CLOSE, GW_METHOD_GET },
    { "", "upstream_reset", "", false, RESET, GW_METHOD_GET },
    { "HTTP/1.1 200 OK\r\nContent-", "upstream_reset", "", false, CLOSE, GW_METHOD_GET },
    { "HTTP/1.1 103 Early Hints\r\n\r\n", "103 upstream_reset", "", false, CLOSE, GW_METHOD_GET },
    /* not well-formed, or ambiguous */
    { "SSH-2.0-OpenSSH_9.2\r\n", "upstream_malformed", "", false, KEEP, GW_METHOD_GET },
    { "HTTP/2.0 200 OK\r\n\r\n", "upstream_malformed", "", false, KEEP, GW_METHOD_GET },
    { "HTTP/1.1 20 OK\r\n\r\n", "upstream_malformed", "", false, KEEP, GW_METHOD_GET },
    { "HTTP/1.1 200 OK\nContent-Length: 2\n\nok", "upstream_malformed", "", false, KEEP, GW_METHOD_GET },
    { STATUS "Content-Length : 2\r\n\r\nok", "upstream_malformed", "", false, KEEP, GW_METHOD_GET },
    { STATUS "A: b\r\n c\r\nContent-Length: 2\r\n\r\nok", "upstream_malformed", "", false, KEEP, GW_METHOD_GET },
    { STATUS "A: b\x01\r\nContent-Length: 2\r\n\r\nok", "upstream_malformed", "", false, KEEP, GW_METHOD_GET },
    { STATUS "Content-Length: 2\r\nContent-Length: 3\r\n\r\nok", "upstream_malformed", "", false, KEEP, GW_METHOD_GET },
    { STATUS "Content-Length: -2\r\n\r\nok", "upstream_malformed", "", false, KEEP, GW_METHOD_GET },
    { STATUS "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "upstream_malformed", "", false, KEEP,
      GW_METHOD_GET },
    { STATUS "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "upstream_malformed", "", false, KEEP,
      GW_METHOD_GET },
    { "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", "upstream_malformed", "", false,
      KEEP, GW_METHOD_GET },
    { STATUS "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", "200 upstream_malformed", "", false, KEEP, GW_METHOD_GET },
    { STATUS "Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n", "200 upstream_malformed", "ab", false, KEEP,
      GW_METHOD_GET },
    /* complete, but more came than was announced */
    { OK "HTTP/1.1 200 OK\r\n", "200 end", "ok", false, KEEP, GW_METHOD_GET },
};

static void an_answer_is_told_as_it_is_and_kept_where_it_may_be(void **state)
{
    struct scene *scene = *state;
    for (size_t i = 0; i < GW_COUNT(answers); i++) {
        const struct answer *row = &answers[i];
        struct caller *caller = ask(scene, row->method,
                                    &(struct turn) { .at_end = row->says, .after_end = row->after });
        if (strcmp(caller->log, row->log) != 0 || strcmp(caller->body, row->body) != 0)
            fail_msg("row %zu: \"%s\" gave \"%s\" with \"%s\"", i, row->says, caller->log, caller->body);
        caller_free(caller);
        unsigned accepted = scene->accepted;
        assert_answered(scene);
        if ((scene->accepted == accepted) != row->is_kept)
            fail_msg("row %zu: \"%s\" was %s", i, row->says, row->is_kept ? "not kept" : "kept");
    }
}

static void a_head_is_bounded(void **state)
{
    struct scene *scene = *state;
    char head[6000];
    int length = snprintf(head, sizeof head, STATUS "A: %05000d\r\n\r\n", 0);
    assert_true(length > 5000);
    struct caller *caller = ask(scene, GW_METHOD_GET, &(struct turn) { .at_end = head });
    assert_string_equal(caller->log, "upstream_header_too_large");
    caller_free(caller);
}

static void a_flood_of_interim_answers_is_cut(void **state)
{
    struct scene *scene = *state;
    char flood[2048] = "";
    for (int i = 0; i < 40; i++)
        strcat(flood, "HTTP/1.1 102 P\r\n\r\n");
    struct caller *caller = ask(scene, GW_METHOD_GET, &(struct turn) { .at_end = flood });
    const char *last = strrchr(caller->log, ' ');
    assert_non_null(last);
    assert_string_equal(last + 1, "upstream_malformed");
    assert_true(caller->events < 40);
    caller_free(caller);
}

/* ---- requests ---- */

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

static void a_body_that_the_owner_did_not_complete_is_never_ended(void **state)
{
    struct scene *scene = *state;
    static const char *const pieces[] = { "half", NULL };
    static const struct turn turn = { .at_end = OK };
    scene_plays(scene, &turn, 1);
    struct caller *caller = caller_create(scene, GW_METHOD_PUT);
    caller->call.has_body = true;
    caller->call.content_length = 9;
    caller->pieces = pieces;
    caller_begin(caller);
    await(scene, caller->is_over);
    assert_string_equal(caller->log, "internal");
    await(scene, scene_open_peers(scene) == 0);
    caller_free(caller);
}

static void a_large_upload_is_sent_at_the_speed_of_the_backend(void **state)
{
    struct scene *scene = *state;
    enum { BYTES = 3 * 1000 * 1000 };
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

static void an_expecting_body_is_not_sent_after_a_final_answer(void **state)
{
    struct scene *scene = *state;
    struct caller *caller = expect_continue(
        scene, &(struct turn) { .at_head = "HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n", .at_end = OK });
    assert_string_equal(caller->log, "417 end");
    assert_int_equal(caller->wants, 0);
    caller_free(caller);
    await(scene, scene_open_peers(scene) == 0); /* the body is still due there, so it is not reused */
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

/* ---- pace ---- */

static void a_paused_body_waits_and_loses_nothing(void **state)
{
    struct scene *scene = *state;
    enum { BYTES = 4 * 1000 * 1000 };
    static const struct turn turn = { .at_end = STATUS "Content-Length: 4000000\r\n\r\n", .big_bytes = BYTES };
    scene_plays(scene, &turn, 1);
    struct caller *caller = caller_create(scene, GW_METHOD_GET);
    caller->pauses = true;
    caller_begin(caller);
    unsigned free_blocks = 0;
    while (!caller->is_over) {
        size_t before = caller->body_bytes;
        await(scene, caller->body_bytes > before || caller->is_over);
        unsigned noted = caller->events;
        uv_run(&scene->loop, UV_RUN_NOWAIT); /* paused: nothing is told */
        uv_run(&scene->loop, UV_RUN_NOWAIT);
        assert_int_equal(caller->events, noted);
        scene->is_in_begin = true; /* nor from within resume */
        gw_transport_resume(scene->transport, &caller->call);
        scene->is_in_begin = false;
        free_blocks = scene->blocks.free_count > free_blocks ? scene->blocks.free_count : free_blocks;
        if (caller->body_bytes == BYTES)
            await(scene, caller->is_over);
    }
    assert_string_equal(caller->log, "200 end");
    assert_int_equal(caller->body_bytes, BYTES);
    assert_false(caller->is_body_wrong);
    assert_true(free_blocks <= 2);
    caller_free(caller);
    assert_answered(scene);
    assert_int_equal(scene->accepted, 1);
}

static void pieces_of_one_read_are_told_one_by_one_when_paused(void **state)
{
    struct scene *scene = *state;
    static const struct turn turn = { .at_end = STATUS
                                      "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n" };
    scene_plays(scene, &turn, 1);
    struct caller *caller = caller_create(scene, GW_METHOD_GET);
    caller->pauses = true;
    caller_begin(caller);
    for (size_t bytes = 1; bytes <= 3; bytes++) {
        await(scene, caller->body_bytes >= bytes);
        settle(scene);
        assert_int_equal(caller->body_bytes, bytes);
        assert_false(caller->is_over);
        gw_transport_resume(scene->transport, &caller->call);
    }
    await(scene, caller->is_over);
    assert_string_equal(caller->body, "abc");
    caller_free(caller);
}

/* ---- time ---- */

static void silence_is_bounded_wherever_it_falls(void **state)
{
    struct scene *scene = *state;
    static const struct {
        struct turn turn;
        const char *log;
    } rows[] = {
        { { .at_end = NULL }, "upstream_response_timeout" },
        { { .at_end = "HTTP/1.1 200 OK\r\nContent" }, "upstream_response_timeout" },
        { { .at_end = FAIR }, "200 upstream_body_timeout" },
    };
    scene->config.response_timeout_ms = scene->config.read_timeout_ms = 30;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct caller *caller = ask(scene, GW_METHOD_GET, &rows[i].turn);
        assert_string_equal(caller->log, rows[i].log);
        caller_free(caller);
    }
}

static void an_upload_that_the_backend_does_not_read_is_bounded(void **state)
{
    struct scene *scene = *state;
    static const struct turn turn = { .is_deaf = true };
    scene->config.read_timeout_ms = scene->config.response_timeout_ms = 50;
    scene_plays(scene, &turn, 1);
    struct caller *caller = caller_create(scene, GW_METHOD_PUT);
    caller->call.has_body = true;
    caller->call.content_length = caller->flood_bytes = 50 * 1000 * 1000;
    caller_begin(caller);
    await(scene, caller->is_over);
    assert_string_equal(caller->log, "upstream_response_timeout");
    caller_free(caller);
}

/* A listener whose queue is full swallows what else comes. */
static void connecting_is_bounded(void **state)
{
    struct scene *scene = *state;
    enum { FILLERS = 4 };
    int listener = socket(AF_INET, SOCK_STREAM, 0), fillers[FILLERS];
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    uv_ip4_addr("127.0.0.1", 0, &address);
    assert_int_equal(bind(listener, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 0), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    for (int i = 0; i < FILLERS; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(fillers[i], (const struct sockaddr *)&address, sizeof address);
    }
    scene->config.connect_timeout_ms = 50;
    scene_asks(scene, "127.0.0.1", ntohs(address.sin_port));
    struct caller *caller = caller_create(scene, GW_METHOD_GET);
    caller_begin(caller);
    await(scene, caller->is_over);
    assert_string_equal(caller->log, "upstream_connect_timeout");
    assert_false(caller->call.was_sent);
    caller_free(caller);
    for (int i = 0; i < FILLERS; i++)
        close(fillers[i]);
    close(listener);
}

/* ---- names and addresses ---- */

static void a_backend_that_does_not_listen_is_told(void **state)
{
    struct scene *scene = *state;
    uv_close((uv_handle_t *)&scene->listener, NULL);
    settle(scene);
    static const char *const hosts[] = { "127.0.0.1", "localhost" };
    for (size_t i = 0; i < GW_COUNT(hosts); i++) {
        scene_asks(scene, hosts[i], scene->backend.port);
        struct caller *caller = caller_create(scene, GW_METHOD_GET);
        caller_begin(caller);
        await(scene, caller->is_over);
        assert_string_equal(caller->log, "upstream_refused");
        assert_false(caller->call.was_sent);
        caller_free(caller);
    }
}

static void a_name_that_cannot_be_resolved_is_told(void **state)
{
    struct scene *scene = *state;
    /* A label of more than 63 octets: the resolver refuses it by itself (RFC 1035 §2.3.4). */
    scene_asks(scene, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 80);
    for (int i = 0; i < 2; i++) {
        struct caller *caller = caller_create(scene, GW_METHOD_GET);
        caller_begin(caller);
        await(scene, caller->is_over);
        assert_string_equal(caller->log, "upstream_name_unknown");
        caller_free(caller);
    }
}

static void a_name_is_looked_up_without_waiting(void **state)
{
    struct scene *scene = *state;
    scene_asks(scene, "127.1", scene->backend.port); /* for getaddrinfo(3) only; needs no network */
    assert_answered(scene);
    scene->config.keepalive_connections = 0;
    assert_answered(scene);
    assert_answered(scene);
    assert_int_equal(scene->accepted, 2);
}

static void localhost_is_reached_on_either_address(void **state)
{
    struct scene *scene = *state;
    scene_asks(scene, "localhost", scene->backend.port);
    assert_answered(scene);
    uv_close((uv_handle_t *)&scene->listener, NULL);
    settle(scene);
    struct sockaddr_in6 address;
    uv_ip6_addr("::1", 0, &address);
    int probe = socket(AF_INET6, SOCK_STREAM, 0);
    bool has_ipv6 = probe >= 0 && bind(probe, (const struct sockaddr *)&address, sizeof address) == 0;
    if (probe >= 0)
        close(probe);
    if (!has_ipv6)
        return;
    scene_asks(scene, "localhost", listen_on(scene, (const struct sockaddr *)&address));
    assert_answered(scene);
    scene_asks(scene, "::1", scene->backend.port);
    assert_answered(scene);
}

/* ---- giving up ---- */

static void a_cancelled_call_hears_nothing_more(void **state)
{
    struct scene *scene = *state;
    static const char *const pieces[] = { "abc", NULL };
    static const struct turn turn = { .at_head = "HTTP/1.1 100 Continue\r\n\r\n", .at_end = OK };
    static const char *const places[] = { "want", "interim", "head", "body" };
    for (size_t i = 0; i < 2 * GW_COUNT(places); i++) {
        if (i == GW_COUNT(places))
            assert_answered(scene); /* the second half runs over a kept connection first */
        scene_plays(scene, &turn, 1);
        struct caller *caller = caller_create(scene, GW_METHOD_PUT);
        caller->call.has_body = true;
        caller->call.content_length = 3;
        caller->pieces = pieces;
        caller->cancel_at = places[i % GW_COUNT(places)];
        caller_begin(caller);
        await(scene, caller->is_over);
        unsigned noted = caller->events;
        settle(scene);
        assert_int_equal(caller->events, noted);
        await(scene, scene_open_peers(scene) == 0);
        caller_free(caller);
    }
    assert_int_equal(count(&scene->shard->upstream_connections_open), 0);
}

static void a_call_can_be_cancelled_while_it_waits(void **state)
{
    struct scene *scene = *state;
    static const struct turn silent = { .at_end = FAIR };
    static const char *const hosts[] = { "127.0.0.1", "127.1", "localhost" };
    uint16_t port = scene->backend.port;
    scene->config.max_backend_connections = 1; /* what is cancelled counts no longer */
    for (size_t host = 0; host < GW_COUNT(hosts); host++) {
        scene_asks(scene, hosts[host], port);
        for (unsigned turns = 0; turns < 8; turns++) {
            scene_plays(scene, &silent, 1);
            struct caller *caller = caller_create(scene, GW_METHOD_GET);
            caller_begin(caller);
            for (unsigned i = 0; i < turns; i++)
                uv_run(&scene->loop, UV_RUN_NOWAIT);
            unsigned noted = caller->events;
            gw_transport_cancel(scene->transport, &caller->call);
            settle(scene);
            assert_int_equal(caller->events, noted);
            caller_free(caller);
        }
    }
    await(scene, scene_open_peers(scene) == 0);
}

/* ---- all of them, over each transport ---- */

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_kept_connection_carries_the_next_request),
    cmocka_unit_test(a_call_begun_within_the_end_of_another_takes_its_connection),
    cmocka_unit_test(a_kept_connection_that_closes_without_an_answer_is_told_as_reset),
    cmocka_unit_test(a_post_is_not_sent_on_a_connection_that_is_closed_already),
    cmocka_unit_test(a_fresh_call_does_not_use_a_kept_connection),
    cmocka_unit_test(idle_connections_are_closed_in_time_and_beyond_their_number),
    cmocka_unit_test(an_idle_connection_that_the_backend_closes_is_forgotten),
    cmocka_unit_test(an_idle_connection_that_speaks_unasked_is_closed),
    cmocka_unit_test(no_more_connections_are_opened_than_allowed),
    cmocka_unit_test(a_reload_that_numbers_backends_anew_finds_their_connections),
    cmocka_unit_test(an_answer_is_told_as_it_is_and_kept_where_it_may_be),
    cmocka_unit_test(a_head_is_bounded),
    cmocka_unit_test(a_flood_of_interim_answers_is_cut),
    cmocka_unit_test(a_request_is_written_as_it_was_filled_in),
    cmocka_unit_test(a_body_is_framed_by_the_transport),
    cmocka_unit_test(a_body_that_the_owner_did_not_complete_is_never_ended),
    cmocka_unit_test(a_large_upload_is_sent_at_the_speed_of_the_backend),
    cmocka_unit_test(an_expecting_body_waits_for_100),
    cmocka_unit_test(an_expecting_body_does_not_wait_for_ever),
    cmocka_unit_test(an_expecting_body_is_not_sent_after_a_final_answer),
    cmocka_unit_test(an_early_answer_ends_the_upload_and_the_connection),
    cmocka_unit_test(a_paused_body_waits_and_loses_nothing),
    cmocka_unit_test(pieces_of_one_read_are_told_one_by_one_when_paused),
    cmocka_unit_test(silence_is_bounded_wherever_it_falls),
    cmocka_unit_test(an_upload_that_the_backend_does_not_read_is_bounded),
    cmocka_unit_test(connecting_is_bounded),
    cmocka_unit_test(a_backend_that_does_not_listen_is_told),
    cmocka_unit_test(a_name_that_cannot_be_resolved_is_told),
    cmocka_unit_test(a_name_is_looked_up_without_waiting),
    cmocka_unit_test(localhost_is_reached_on_either_address),
    cmocka_unit_test(a_cancelled_call_hears_nothing_more),
    cmocka_unit_test(a_call_can_be_cancelled_while_it_waits),
};

static const struct {
    const char *name;
    const struct gw_transport_kind_table *table;
} kinds[] = {
    { "h1", &gw_transport_h1 },
};

int main(void)
{
    static struct CMUnitTest all[GW_COUNT(kinds) * GW_COUNT(tests)];
    static char names[GW_COUNT(all)][128];
    size_t total = 0;
    for (size_t kind = 0; kind < GW_COUNT(kinds); kind++) {
        for (size_t i = 0; i < GW_COUNT(tests); i++, total++) {
            snprintf(names[total], sizeof names[total], "%s: %s", kinds[kind].name, tests[i].name);
            all[total] = tests[i];
            all[total].name = names[total];
            all[total].setup_func = scene_open;
            all[total].teardown_func = scene_close;
            all[total].initial_state = (void *)(uintptr_t)kinds[kind].table;
        }
    }
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(all, NULL, NULL);
}
