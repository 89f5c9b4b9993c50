#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "store/push_connection.h"

struct stage {
    uv_loop_t loop;
    struct gw_redis_node node;
    struct gw_push_connection connection;
    char directory[64], path[96];
    int listener, peer;
    char said[512]; /* the connection's events, in short */
    bool is_up, is_down, closes_at_reply;
};

static void note(struct stage *stage, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void note(struct stage *stage, const char *format, ...)
{
    size_t length = strlen(stage->said);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(stage->said + length, sizeof stage->said - length, format, arguments);
    va_end(arguments);
}

static void on_up(void *context)
{
    ((struct stage *)context)->is_up = true;
}

static void on_key(void *context, struct gw_slice key)
{
    note(context, "key %.*s;", GW_SLICE_ARGS(key));
}

static void on_reply(void *context, const struct gw_push_reply *reply)
{
    static const char *const names[] = { "text", "error", "integer", "nil", "subscribed", "message", "other" };
    struct stage *stage = context;
    note(stage, "%s", names[reply->kind]);
    if (reply->kind == GW_PUSH_TEXT || reply->kind == GW_PUSH_ERROR)
        note(stage, " %.20s", reply->text);
    if (reply->kind == GW_PUSH_INTEGER)
        note(stage, " %lld", (long long)reply->integer);
    if (reply->kind == GW_PUSH_MESSAGE && reply->is_of_all)
        note(stage, " of all");
    note(stage, ";");
    if (stage->closes_at_reply)
        gw_push_connection_close(&stage->connection);
}

static void on_down(void *context, const char *why)
{
    struct stage *stage = context;
    note(stage, "down: %s;", why);
    stage->is_down = true;
}

static int make_stage(void **state)
{
    struct stage *stage = calloc(1, sizeof *stage);
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (!stage)
        return -1;
    snprintf(stage->directory, sizeof stage->directory, "/tmp/gw-push-XXXXXX");
    if (!mkdtemp(stage->directory))
        return -1;
    snprintf(stage->path, sizeof stage->path, "%s/s", stage->directory);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", stage->path);
    stage->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    stage->peer = -1;
    stage->node = (struct gw_redis_node) { .host = gw_slice_of_string(stage->path), .is_unix = true };
    stage->connection = (struct gw_push_connection) { .node = &stage->node,
                                                      .on_up = on_up,
                                                      .on_key = on_key,
                                                      .on_reply = on_reply,
                                                      .on_down = on_down,
                                                      .context = stage };
    *state = stage;
    return uv_loop_init(&stage->loop) || bind(stage->listener, (struct sockaddr *)&address, sizeof address) ||
           listen(stage->listener, 8);
}

static int free_stage(void **state)
{
    struct stage *stage = *state;
    gw_push_connection_close(&stage->connection);
    uv_run(&stage->loop, UV_RUN_DEFAULT);
    int result = uv_loop_close(&stage->loop); /* no handle was left */
    close(stage->listener);
    if (stage->peer >= 0)
        close(stage->peer);
    unlink(stage->path);
    rmdir(stage->directory);
    free(stage);
    return result;
}

static void open_connection(struct stage *stage)
{
    gw_push_connection_close(&stage->connection);
    if (stage->peer >= 0)
        close(stage->peer);
    stage->said[0] = '\0';
    stage->is_up = stage->is_down = false;
    assert_true(gw_push_connection_open(&stage->connection, &stage->loop, ""));
    stage->peer = accept(stage->listener, NULL, NULL);
    assert_true(stage->peer >= 0);
    while (!stage->is_up)
        uv_run(&stage->loop, UV_RUN_ONCE);
}

static void send_all(struct stage *stage, const char *bytes, size_t length)
{
    while (length > 0 && !stage->is_down) {
        ssize_t sent = send(stage->peer, bytes, length < 4096 ? length : 4096, MSG_NOSIGNAL);
        assert_true(sent > 0);
        bytes += sent;
        length -= (size_t)sent;
        uv_run(&stage->loop, UV_RUN_ONCE);
    }
}

#define CHANNEL "$20\r\n__redis__:invalidate\r\n"

static const struct row {
    const char *bytes, *said;
} rows[] = {
    { "+OK\r\n-NOPERM no\r\n:12\r\n$2\r\nhi\r\n$-1\r\n", "text OK;error NOPERM no;integer 12;text hi;nil;" },
    { "*3\r\n$9\r\nsubscribe\r\n" CHANNEL ":1\r\n", "subscribed;" },
    { "*3\r\n$7\r\nmessage\r\n" CHANNEL "*2\r\n$1\r\na\r\n$2\r\nbc\r\n", "key a;key bc;message;" },
    { "*3\r\n$7\r\nmessage\r\n" CHANNEL "*-1\r\n+PONG\r\n", "message of all;text PONG;" },
    { "*3\r\n$7\r\nmessage\r\n" CHANNEL "$-1\r\n", "message of all;" },
    { "*3\r\n$7\r\nmessage\r\n" CHANNEL "*0\r\n", "message;" },
    { "*3\r\n$5\r\nother\r\n" CHANNEL "*1\r\n$1\r\na\r\n", "other;" },
    { "*2000000000\r\n$1\r\na\r\n", "" }, /* nothing is allocated for it */
    { "*3\r\n$7\r\nmessage\r\n" CHANNEL "*2000000000\r\n$1\r\na\r\n", "key a;" },
    { "HTTP/1.1 400 Bad Request\r\n", "down: it answers nonsense;" },
    { "*1\r\n*1\r\n*1\r\n$1\r\na\r\n", "down: it answers nonsense;" },
};

static void what_is_read_is_told(void **state)
{
    struct stage *stage = *state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        open_connection(stage);
        send_all(stage, rows[i].bytes, strlen(rows[i].bytes));
        assert_string_equal(stage->said, rows[i].said);
    }
}

static void however_it_is_cut_the_same_is_told(void **state)
{
    struct stage *stage = *state;
    for (size_t i = 0; i < 7; i++)
        for (size_t cut = 1; cut < strlen(rows[i].bytes); cut++) {
            open_connection(stage);
            send_all(stage, rows[i].bytes, cut);
            send_all(stage, rows[i].bytes + cut, strlen(rows[i].bytes) - cut);
            assert_string_equal(stage->said, rows[i].said);
        }
}

static void an_answer_without_end_ends_the_connection(void **state)
{
    static const char *const starts[] = { "$1000000000\r\n", "+",
                                          "*3\r\n$7\r\nmessage\r\n" CHANNEL "*1\r\n$900000\r\n" };
    struct stage *stage = *state;
    size_t length = 2 * GW_PUSH_BYTES;
    char *bytes = malloc(length);
    assert_non_null(bytes);
    memset(bytes, 'x', length);
    for (size_t i = 0; i < GW_COUNT(starts); i++) {
        open_connection(stage);
        send_all(stage, starts[i], strlen(starts[i]));
        send_all(stage, bytes, length);
        while (!stage->is_down)
            uv_run(&stage->loop, UV_RUN_ONCE);
        assert_string_equal(stage->said, "down: its answer has no end;");
    }
    free(bytes);
}

static void an_end_is_told_once(void **state)
{
    struct stage *stage = *state;
    open_connection(stage);
    shutdown(stage->peer, SHUT_RDWR);
    while (!stage->is_down)
        uv_run(&stage->loop, UV_RUN_ONCE);
    assert_string_equal(stage->said, "down: the connection ended;");
    assert_null(stage->connection.wire);
    assert_false(gw_push_connection_send(&stage->connection, GW_SLICE("*1\r\n$4\r\nPING\r\n")));
}

static void a_connection_may_be_closed_by_what_it_tells(void **state)
{
    struct stage *stage = *state;
    open_connection(stage);
    stage->closes_at_reply = true;
    send_all(stage, "+a\r\n+b\r\n", 8);
    assert_string_equal(stage->said, "text a;");
    assert_null(stage->connection.wire);
}

static void a_command_leaves_whole(void **state)
{
    struct stage *stage = *state;
    char bytes[64] = { 0 };
    open_connection(stage);
    assert_true(gw_push_connection_send(&stage->connection, GW_SLICE("*2\r\n$4\r\nAUTH\r\n$5\r\na b\r\n\r\n")));
    uv_run(&stage->loop, UV_RUN_ONCE);
    assert_true(recv(stage->peer, bytes, sizeof bytes, 0) > 0);
    assert_string_equal(bytes, "*2\r\n$4\r\nAUTH\r\n$5\r\na b\r\n\r\n");
}

static void without_a_listener_it_cannot_be_opened(void **state)
{
    struct stage *stage = *state;
    struct gw_redis_node nowhere = { .host = GW_SLICE("/nowhere/at/all"), .is_unix = true };
    stage->connection.node = &nowhere;
    assert_false(gw_push_connection_open(&stage->connection, &stage->loop, ""));
    assert_string_equal(stage->said, "");
    stage->connection.node = &stage->node;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_read_is_told, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(however_it_is_cut_the_same_is_told, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(an_answer_without_end_ends_the_connection, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(an_end_is_told_once, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(a_connection_may_be_closed_by_what_it_tells, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(a_command_leaves_whole, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(without_a_listener_it_cannot_be_opened, make_stage, free_stage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
