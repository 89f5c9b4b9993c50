#include <unistd.h>

#include "unit/upstream/answers.h"
#include "unit/upstream/strays.h"
#include "unit/upstream/uploads.h"

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
    assert_int_equal(scene->turn_at, 1); /* and the request was sent once */
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
    scene->config.max_backend_connections = 1; /* the new connection takes the kept one's place */
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

static void a_reset_does_not_end_a_body(void **state)
{
    struct scene *scene = *state;
    static const struct turn turn = { .at_end = STATUS "\r\npart" };
    scene_plays(scene, &turn, 1);
    struct caller *caller = caller_create(scene, GW_METHOD_GET);
    caller_begin(caller);
    await(scene, caller->body_bytes == 4);
    peer_leave(scene->peers, RESET);
    await(scene, caller->is_over);
    assert_string_equal(caller->log, "200 upstream_reset");
    caller_free(caller);
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

static void interim_heads_have_a_bound_together(void **state)
{
    struct scene *scene = *state;
    char flood[12000] = "";
    size_t length = 0;
    for (int i = 0; i < 6; i++)
        length += (size_t)snprintf(flood + length, sizeof flood - length, "HTTP/1.1 103 E\r\nA: %01500d\r\n\r\n", 0);
    static struct turn turn;
    turn.at_end = flood;
    scene_plays(scene, &turn, 1);
    struct caller *caller = caller_create(scene, GW_METHOD_GET);
    caller->arena.bound = 4096;
    caller_begin(caller);
    await(scene, caller->is_over);
    const char *last = strrchr(caller->log, ' ');
    assert_non_null(last);
    assert_string_equal(last + 1, "upstream_header_too_large");
    caller_free(caller);
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
        free_blocks = scene->blocks.free.count > free_blocks ? scene->blocks.free.count : free_blocks;
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

static void what_a_paused_call_keeps_is_not_read_over(void **state)
{
    struct scene *scene = *state;
    static const struct turn turns[] = {
        { .at_end = STATUS "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n6\r\nbcdefg\r\n0\r\n\r\n" },
        { .at_end = STATUS "Content-Length: 200000\r\n\r\n", .big_bytes = 200000 },
    };
    scene_plays(scene, turns, 2);
    struct caller *paused = caller_create(scene, GW_METHOD_GET), *other = caller_create(scene, GW_METHOD_GET);
    paused->pauses = true;
    caller_begin(paused);
    await(scene, paused->body_bytes == 1);
    caller_begin(other);
    await(scene, other->is_over);
    assert_false(other->is_body_wrong);
    paused->pauses = false;
    gw_transport_resume(scene->transport, &paused->call);
    await(scene, paused->is_over);
    assert_string_equal(paused->body, "abcdefg");
    caller_free(paused);
    caller_free(other);
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

/* A listener whose queue is full ignores further connections. */
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
    scene->config.max_backend_connections = 1; /* a cancelled call counts no longer */
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

/* ---- all of them ---- */

/* H1: rows that depend on when bytes leave or connections close, or on the exact bytes. libcurl behaves differently
 * there; test_transport_curl.c tests that. */
enum whose { BOTH, H1 };

static const struct {
    struct CMUnitTest test;
    enum whose whose;
} tests[] = {
    { cmocka_unit_test(a_kept_connection_carries_the_next_request), BOTH },
    { cmocka_unit_test(a_call_begun_within_the_end_of_another_takes_its_connection), BOTH },
    { cmocka_unit_test(a_kept_connection_that_closes_without_an_answer_is_told_as_reset), H1 },
    { cmocka_unit_test(a_post_is_not_sent_on_a_connection_that_is_closed_already), BOTH },
    { cmocka_unit_test(a_fresh_call_does_not_use_a_kept_connection), BOTH },
    { cmocka_unit_test(idle_connections_are_closed_in_time_and_beyond_their_number), H1 },
    { cmocka_unit_test(an_idle_connection_that_the_backend_closes_is_forgotten), H1 },
    { cmocka_unit_test(an_idle_connection_that_speaks_unasked_is_closed), H1 },
    { cmocka_unit_test(no_more_connections_are_opened_than_allowed), BOTH },
    { cmocka_unit_test(a_reload_that_numbers_backends_anew_finds_their_connections), H1 },
    { cmocka_unit_test(an_answer_is_told_as_it_is_and_kept_where_it_may_be), H1 },
    { cmocka_unit_test(a_head_is_bounded), BOTH },
    { cmocka_unit_test(a_reset_does_not_end_a_body), BOTH },
    { cmocka_unit_test(a_flood_of_interim_answers_is_cut), H1 },
    { cmocka_unit_test(interim_heads_have_a_bound_together), H1 },
    { cmocka_unit_test(what_comes_unasked_is_no_answer), BOTH },
    { cmocka_unit_test(what_comes_before_the_request_is_no_answer_to_it), BOTH },
    { cmocka_unit_test(a_request_is_written_as_it_was_filled_in), H1 },
    { cmocka_unit_test(a_body_is_framed_by_the_transport), H1 },
    { cmocka_unit_test(a_body_of_another_length_than_announced_is_never_ended), H1 },
    { cmocka_unit_test(a_large_upload_is_sent_at_the_speed_of_the_backend), BOTH },
    { cmocka_unit_test(an_expecting_body_waits_for_100), BOTH },
    { cmocka_unit_test(an_expecting_body_does_not_wait_for_ever), BOTH },
    { cmocka_unit_test(the_time_for_an_answer_begins_when_the_body_is_sent), BOTH },
    { cmocka_unit_test(an_expecting_body_is_not_sent_after_a_final_answer), H1 },
    { cmocka_unit_test(an_early_answer_ends_the_upload_and_the_connection), BOTH },
    { cmocka_unit_test(a_body_is_not_wanted_after_an_early_head), H1 },
    { cmocka_unit_test(a_body_may_come_later_than_it_is_wanted), H1 },
    { cmocka_unit_test(what_a_paused_call_keeps_is_not_read_over), BOTH },
    { cmocka_unit_test(a_paused_body_waits_and_loses_nothing), H1 },
    { cmocka_unit_test(pieces_of_one_read_are_told_one_by_one_when_paused), H1 },
    { cmocka_unit_test(silence_is_bounded_wherever_it_falls), BOTH },
    { cmocka_unit_test(an_upload_that_the_backend_does_not_read_is_bounded), BOTH },
    { cmocka_unit_test(connecting_is_bounded), BOTH },
    { cmocka_unit_test(a_backend_that_does_not_listen_is_told), BOTH },
    { cmocka_unit_test(a_name_that_cannot_be_resolved_is_told), BOTH },
    { cmocka_unit_test(a_name_is_looked_up_without_waiting), BOTH },
    { cmocka_unit_test(localhost_is_reached_on_either_address), BOTH },
    { cmocka_unit_test(a_cancelled_call_hears_nothing_more), BOTH },
    { cmocka_unit_test(a_call_can_be_cancelled_while_it_waits), BOTH },
};

static const struct {
    const char *name;
    const struct gw_transport_kind_table *table;
} kinds[] = {
    { "h1", &gw_transport_h1 },
    { "curl", &gw_transport_curl },
};

int main(void)
{
    static struct CMUnitTest all[GW_COUNT(kinds) * GW_COUNT(tests)];
    static char names[GW_COUNT(all)][128];
    size_t total = 0;
    for (size_t kind = 0; kind < GW_COUNT(kinds); kind++) {
        for (size_t i = 0; i < GW_COUNT(tests); i++) {
            if (kinds[kind].table != &gw_transport_h1 && tests[i].whose == H1)
                continue;
            snprintf(names[total], sizeof names[total], "%s: %s", kinds[kind].name, tests[i].test.name);
            all[total] = tests[i].test;
            all[total].name = names[total];
            all[total].setup_func = scene_open;
            all[total].teardown_func = scene_close;
            all[total].initial_state = (void *)(uintptr_t)kinds[kind].table;
            total++;
        }
    }
    signal(SIGPIPE, SIG_IGN);
    return _cmocka_run_group_tests("transport", all, total, NULL, NULL);
}
