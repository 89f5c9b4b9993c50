/* strays.h: bytes that come over a kept connection without a request (RFC 9112 §9.2). Part of test_transport.c. */
#ifndef TEST_UPSTREAM_STRAYS_H
#define TEST_UPSTREAM_STRAYS_H

#include "unit/upstream/answers.h"

#define POISON "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"

enum when { IN_ONE_WRITE, IN_THE_SAME_TURN, LATER, WHENS };

struct stray {
    enum gw_method method;
    const char *says;
};

static const struct stray strays[] = {
    { GW_METHOD_HEAD, STATUS "Content-Length: 9\r\n\r\n" },
    { GW_METHOD_HEAD, STATUS "Transfer-Encoding: chunked\r\n\r\n" },
    { GW_METHOD_GET, "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n" },
    { GW_METHOD_GET, "HTTP/1.1 204 No Content\r\n\r\n" },
    { GW_METHOD_GET, STATUS "Content-Length: 0\r\n\r\n" },
    { GW_METHOD_GET, STATUS "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n" },
    { GW_METHOD_GET, OK },
};

static struct caller *next_caller(struct scene *scene, enum gw_method method)
{
    static const char *const pieces[] = { "abc", NULL };
    struct caller *caller = caller_create(scene, method);
    caller->call.has_body = method == GW_METHOD_POST;
    caller->call.content_length = 3;
    caller->pieces = caller->call.has_body ? pieces : NULL;
    return caller;
}

/* As the fetch does it: if nothing of a call was sent over a kept connection, it is tried again on a fresh one. */
static struct caller *try_again(struct scene *scene, struct caller *caller)
{
    if (strcmp(caller->log, "upstream_reset") != 0)
        return caller;
    assert_true(caller->call.was_reused);
    assert_false(caller->call.was_sent || caller->call.was_answered);
    assert_int_equal(caller->wants, 0);
    struct caller *again = next_caller(scene, caller->call.method);
    caller_free(caller);
    again->call.fresh = true;
    caller_begin(again);
    await(scene, again->is_over);
    return again;
}

/* The connection that the last row left is the only one, and carries the first call. */
static void check_stray(struct scene *scene, const struct stray *stray, enum when when, enum gw_method next)
{
    char both[256];
    snprintf(both, sizeof both, "%s" POISON, stray->says);
    const struct turn turns[] = { { .at_end = when == IN_ONE_WRITE ? both : stray->says }, { .at_end = OK } };
    scene_plays(scene, turns, 2);
    struct caller *first = caller_create(scene, stray->method), *second = next_caller(scene, next);
    if (when == IN_THE_SAME_TURN)
        first->stray = POISON;
    if (when != LATER)
        first->successor = second;
    caller_begin(first);
    await(scene, first->is_over);
    unsigned accepted = scene->accepted;
    if (when == LATER) {
        peer_says(scene->peers, POISON);
        settle(scene);
        caller_begin(second);
    }
    await(scene, second->is_over);
    second = try_again(scene, second);
    assert_string_equal(second->log, "200 end");
    assert_string_equal(second->body, "ok");
    assert_false(second->call.was_reused);
    await(scene, scene->accepted == accepted + 1 && scene_open_peers(scene) == 1); /* the other one was closed */
    caller_free(first);
    caller_free(second);
}

static void what_comes_unasked_is_no_answer(void **state)
{
    static const enum gw_method nexts[] = { GW_METHOD_GET, GW_METHOD_POST };
    struct scene *scene = *state;
    for (size_t i = 0; i < GW_COUNT(strays); i++)
        for (int when = 0; when < WHENS; when++)
            for (size_t next = 0; next < GW_COUNT(nexts); next++)
                check_stray(scene, &strays[i], (enum when)when, nexts[next]);
}

/* The call has its connection, and waits for its turn in the loop to ask for the body. */
static void what_comes_before_the_request_is_no_answer_to_it(void **state)
{
    struct scene *scene = *state;
    assert_answered(scene);
    static const struct turn turn = { .at_end = OK };
    scene_plays(scene, &turn, 1);
    struct caller *caller = next_caller(scene, GW_METHOD_POST);
    caller_begin(caller);
    peer_says(scene->peers, POISON);
    await(scene, caller->is_over);
    caller = try_again(scene, caller);
    assert_string_equal(caller->log, "200 end");
    assert_int_equal(caller->body_bytes, 2);
    caller_free(caller);
}

#endif
