/* answers.h: answers of backends, and what the caller of each is told. A row is sent as the answer to one request; a
 * second request then shows whether the connection was kept. */
#ifndef TEST_UPSTREAM_ANSWERS_H
#define TEST_UPSTREAM_ANSWERS_H

#include "unit/upstream/scene.h"

#define OK   "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define FAIR "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"
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
    /* a body that broke off never gets an end (RFC 9112 §8) */
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

#endif
