/* tls_strays.h: records that come over a kept connection without a request (RFC 9112 §9.2). Part of
 * test_transport_curl.c. */
#ifndef TEST_UPSTREAM_TLS_STRAYS_H
#define TEST_UPSTREAM_TLS_STRAYS_H

#include <sched.h>
#include "unit/upstream/tls_scene.h"

#define POISON "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"

enum { NO_STRAY, STRAY_DUE, STRAY_SENT };

struct stray {
    enum gw_method method;
    const char *records[3]; /* the answer and what follows it */
    bool is_ticket;         /* that is a session ticket */
    bool is_kept;
};

/* Sends once what the row says, and afterwards hello. */
static void serve_stray(struct peer *peer)
{
    struct backend *backend = peer->backend;
    while (peer_read_head(peer) && peer_read_body(peer)) {
        int due = STRAY_DUE;
        if (!atomic_compare_exchange_strong(&backend->strays, &due, NO_STRAY)) {
            peer_say_text(peer, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
            continue;
        }
        for (const char *const *record = backend->answers; *record; record++)
            peer_say_text(peer, *record);
        if (backend->sends_ticket && SSL_new_session_ticket(peer->ssl))
            SSL_do_handshake(peer->ssl);
        atomic_store(&backend->strays, STRAY_SENT);
    }
}

/* As the fetch does it: if nothing of a call was sent over a kept connection, it is tried again on a fresh one. */
static struct caller *run_like_a_fetch(struct stage *stage, bool has_body)
{
    struct caller *caller = NULL;
    for (int i = 0; i < 2; i++) {
        if (caller)
            close_caller(caller);
        caller = has_body ? open_sender(stage, GW_METHOD_POST, "body", false) : open_caller(stage, GW_METHOD_GET);
        caller->call.fresh = i > 0;
        run(caller);
        if (caller->error != GW_ERROR_RESET)
            break;
        assert_true(caller->call.was_reused);
        assert_false(caller->call.was_sent || caller->call.was_answered);
        assert_int_equal(caller->wants, 0);
    }
    return caller;
}

static void check_stray(struct stage *stage, const struct stray *row, bool has_body)
{
    stage->backend.answers = row->records;
    stage->backend.sends_ticket = row->is_ticket;
    atomic_store(&stage->backend.strays, STRAY_DUE);
    struct caller *caller = run(open_caller(stage, row->method));
    assert_int_equal(caller->error, GW_ERROR_NONE);
    close_caller(caller);
    while (atomic_load(&stage->backend.strays) != STRAY_SENT)
        sched_yield();
    int connections = atomic_load(&stage->backend.connections);
    caller = run_like_a_fetch(stage, has_body);
    assert_int_equal(caller->error, GW_ERROR_NONE);
    if (strcmp(caller->body_got, "hello") != 0)
        fail_msg("after \"%s\", \"%s\": %s", row->records[0], row->records[1], caller->body_got);
    assert_int_equal(caller->call.was_reused, row->is_kept);
    assert_int_equal(atomic_load(&stage->backend.connections), connections + !row->is_kept);
    assert_int_equal(gw_counter_read(&stage->shard.upstream_connections_open), 1);
    close_caller(caller);
}

static void what_comes_unasked_over_tls_is_no_answer(void **state)
{
    static const char length5[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
                      whole[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
                      not_modified[] = "HTTP/1.1 304 Not Modified\r\n\r\n";
    static const struct stray rows[] = {
        { GW_METHOD_GET, { whole }, false, true },
        { GW_METHOD_HEAD, { length5, POISON }, false, false },
        { GW_METHOD_GET, { not_modified, POISON }, false, false },
        { GW_METHOD_GET, { whole, POISON }, false, false },
        { GW_METHOD_GET, { length5, "hello" POISON }, false, false }, /* read by OpenSSL, not by libcurl */
        { GW_METHOD_GET, { "HTTP/1.1 304 Not Modified\r\n\r\n" POISON }, false, false },
        { GW_METHOD_GET, { whole }, true, false }, /* the kind of the record cannot be seen without reading it */
    };
    struct stage *stage = *state;
    says(stage, serve_stray, NULL);
    set_backend(stage, BY_OURS(stage));
    for (size_t i = 0; i < GW_COUNT(rows) * 2; i++)
        check_stray(stage, &rows[i / 2], i % 2);
}

#endif
