/* tls_answers.h: the tests of test_transport_curl.c that tell good answers from bad ones. */
#ifndef TEST_UPSTREAM_TLS_ANSWERS_H
#define TEST_UPSTREAM_TLS_ANSWERS_H

#include "unit/upstream/tls_scene.h"

struct answer_row {
    const char *answer;
    enum gw_error error;
    enum gw_framing framing;
    bool says_goodbye;
};

static void check_answers(struct stage *stage, const struct answer_row *rows, size_t count)
{
    const char *answers[] = { NULL };
    says(stage, serve_once, answers);
    set_backend(stage, BY_OURS(stage));
    for (size_t i = 0; i < count; i++) {
        answers[0] = rows[i].answer;
        stage->backend.says_goodbye = rows[i].says_goodbye;
        struct caller *caller = open_caller(stage, GW_METHOD_GET);
        caller->call.fresh = true;
        run(caller);
        if (caller->error != rows[i].error)
            fail_msg("%s: %s", rows[i].answer, gw_error_name(caller->error));
        if (caller->status)
            assert_int_equal(caller->framing, rows[i].framing);
        close_caller(caller);
    }
}

static void a_body_that_did_not_end_never_ends(void **state)
{
    static const struct answer_row rows[] = {
        { "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", GW_ERROR_RESET, GW_FRAMING_LENGTH, true },
        { "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", GW_ERROR_RESET, GW_FRAMING_LENGTH, false },
        { "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", GW_ERROR_RESET, GW_FRAMING_LENGTH, true },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", GW_ERROR_RESET, GW_FRAMING_CHUNKED,
          true },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", GW_ERROR_RESET,
          GW_FRAMING_CHUNKED, true },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", GW_ERROR_UPSTREAM_MALFORMED,
          GW_FRAMING_CHUNKED, true },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n", GW_ERROR_NONE,
          GW_FRAMING_CHUNKED, true },
        { "HTTP/1.1 200 OK\r\n\r\nhello", GW_ERROR_NONE, GW_FRAMING_UNTIL_CLOSE, true },
        /* RFC 9112 §9.8: without close_notify an attacker may have cut it */
        { "HTTP/1.1 200 OK\r\n\r\nhello", GW_ERROR_RESET, GW_FRAMING_UNTIL_CLOSE, false },
        { "HTTP/1.1 200 OK\r\nContent-Le", GW_ERROR_RESET, GW_FRAMING_NONE, true },
        { "", GW_ERROR_RESET, GW_FRAMING_NONE, true },
    };
    check_answers(*state, rows, GW_COUNT(rows));
}

static void a_malformed_answer_is_refused(void **state)
{
    static const struct answer_row rows[] = {
#define ROW(text) { text, GW_ERROR_UPSTREAM_MALFORMED, GW_FRAMING_NONE, true }
        ROW("hello, this is HTTP/0.9"),
        ROW("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ROW("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"),
        ROW("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        ROW("HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello"),
        ROW("HTTP/1.1 200 OK\r\nX: a\r\n folded\r\nContent-Length: 5\r\n\r\nhello"),
        ROW("HTTP/1.1 200 OK\r\nX: a\nContent-Length: 5\r\n\r\nhello"),
        ROW("HTTP/1.1 200 OK\nContent-Length: 5\r\n\r\nhello"),
        ROW("HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 5\r\n\r\nhello"),
        ROW("HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 5\r\n\r\nhello"),
        ROW("HTTP/1.1 099 OK\r\nContent-Length: 5\r\n\r\nhello"),
        ROW("HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
#undef ROW
    };
    check_answers(*state, rows, GW_COUNT(rows));
}

static void a_head_has_a_bound(void **state)
{
    static char many[6000], one[200000];
    size_t length = (size_t)snprintf(many, sizeof(many), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n");
    while (length < 5000)
        length += (size_t)snprintf(many + length, sizeof(many) - length, "X: 0123456789\r\n");
    snprintf(many + length, sizeof(many) - length, "\r\n");
    snprintf(one, sizeof(one), "HTTP/1.1 200 OK\r\nX: %0*d\r\n\r\n", 150000, 1);
    const struct answer_row rows[] = { { many, GW_ERROR_UPSTREAM_HEAD_TOO_LARGE, GW_FRAMING_NONE, true },
                                       { one, GW_ERROR_UPSTREAM_HEAD_TOO_LARGE, GW_FRAMING_NONE, true } };
    check_answers(*state, rows, GW_COUNT(rows));
}

static void an_interim_answer_is_told_before_the_final_one(void **state)
{
    static const char *const answers[] = { "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
                                           "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
                                           NULL };
    struct stage *stage = *state;
    says(stage, serve_answers, answers);
    set_backend(stage, BY_OURS(stage));
    struct caller *caller = run(open_caller(stage, GW_METHOD_GET));
    assert_int_equal(caller->interim, 103);
    assert_int_equal(caller->status, 200);
    assert_string_equal(caller->body_got, "hello");
    close_caller(caller);
}

static void an_answer_to_head_has_no_body(void **state)
{
    static const char *const answers[] = { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", NULL };
    struct stage *stage = *state;
    says(stage, serve_same, answers);
    set_backend(stage, BY_OURS(stage));
    for (int i = 0; i < 2; i++) {
        struct caller *caller = run(open_caller(stage, GW_METHOD_HEAD));
        assert_int_equal(caller->error, GW_ERROR_NONE);
        assert_int_equal(caller->framing, GW_FRAMING_NONE);
        assert_int_equal(caller->call.was_reused, i);
        close_caller(caller);
    }
    stage->backend.answers = hellos; /* and the handle, used again, reads bodies */
    struct caller *caller = run(open_caller(stage, GW_METHOD_GET));
    assert_string_equal(caller->body_got, "hello");
    close_caller(caller);
}

#endif
