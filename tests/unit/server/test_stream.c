#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "server/stream.h"

/* A stream on one end of a socket pair, whose other end the test holds. */

enum { BLOCK_BYTES = 10000, PATIENCE_S = 20 };

struct scene {
    uv_loop_t loop;
    struct gw_block_pool blocks;
    struct gw_shard shard;
    struct gw_stream stream;
    int peer;
    char text[64]; /* what was read last */
    unsigned reads, ends, drains, breaks, closes;
};

static struct scene *scene_of(struct gw_stream *stream)
{
    return GW_CONTAINER(stream, struct scene, stream);
}

static void on_read(struct gw_stream *stream, struct gw_slice bytes, struct gw_block *block)
{
    struct scene *scene = scene_of(stream);
    assert_in_range(bytes.length, 1, sizeof scene->text - 1);
    assert_true(bytes.at >= block->bytes && bytes.at + bytes.length <= block->bytes + block->capacity);
    memcpy(scene->text, bytes.at, bytes.length);
    scene->text[bytes.length] = 0;
    scene->reads++;
}

static void on_end(struct gw_stream *stream)
{
    scene_of(stream)->ends++;
}

static void on_written(struct gw_stream *stream)
{
    scene_of(stream)->drains++;
}

static void on_broken(struct gw_stream *stream)
{
    scene_of(stream)->breaks++;
}

static void on_closed(struct gw_stream *stream)
{
    scene_of(stream)->closes++;
}

static const struct gw_stream_events events = {
    .on_read = on_read, .on_end = on_end, .on_written = on_written, .on_broken = on_broken, .on_closed = on_closed
};

static int open_scene(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    int pair[2], small = 4096;
    assert_non_null(scene);
    signal(SIGPIPE, SIG_IGN); /* as in main.c */
    assert_int_equal(uv_loop_init(&scene->loop), 0);
    gw_block_pool_init(&scene->blocks);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    scene->peer = pair[1];
    assert_true(gw_stream_init(&scene->stream, &scene->loop, &events, &scene->blocks, &scene->shard));
    assert_true(gw_stream_open(&scene->stream, pair[0]));
    *state = scene;
    return 0;
}

static int close_scene(void **state)
{
    struct scene *scene = *state;
    if (!scene->stream.is_closing)
        gw_stream_close(&scene->stream);
    uv_run(&scene->loop, UV_RUN_DEFAULT);
    assert_int_equal(scene->closes, 1);
    assert_int_equal(uv_loop_close(&scene->loop), 0);
    gw_block_pool_free(&scene->blocks);
    if (scene->peer >= 0)
        close(scene->peer);
    free(scene);
    return 0;
}

#define UNTIL(condition)                                                                                               \
    do {                                                                                                               \
        time_t until_s = time(NULL) + PATIENCE_S;                                                                      \
        while (!(condition)) {                                                                                         \
            uv_run(&scene->loop, UV_RUN_NOWAIT);                                                                       \
            if (time(NULL) > until_s)                                                                                  \
                fail_msg("%s: not so in time", #condition);                                                            \
        }                                                                                                              \
    } while (0)

/* Bytes that tell their own place. */
static char byte_at(size_t place)
{
    return (char)(place * 7 + place / 251);
}

static struct gw_block *block_from(size_t place)
{
    struct gw_block *block = gw_block_create(BLOCK_BYTES);
    assert_non_null(block);
    for (size_t i = 0; i < BLOCK_BYTES; i++)
        block->bytes[i] = byte_at(place + i);
    return block;
}

/* Reads what there is; each byte is the next one. */
static size_t takes(struct scene *scene, size_t place)
{
    char bytes[3000];
    ssize_t length = recv(scene->peer, bytes, sizeof bytes, 0);
    for (ssize_t i = 0; i < length; i++)
        assert_int_equal(bytes[i], byte_at(place + (size_t)i));
    return length > 0 ? (size_t)length : 0;
}

static void bytes_leave_in_order_however_little_the_socket_takes(void **state)
{
    static const unsigned counts[] = { 1, 3, 16, 17, 40 }; /* pieces a write; libuv is given 16 at once */
    struct scene *scene = *state;
    size_t given = 0, taken = 0;
    for (size_t i = 0; i < GW_COUNT(counts); i++) {
        struct gw_piece pieces[40];
        for (unsigned j = 0; j < counts[i]; j++, given += BLOCK_BYTES) {
            pieces[j].block = block_from(given);
            pieces[j].bytes = gw_slice_of(pieces[j].block->bytes, BLOCK_BYTES);
        }
        assert_false(gw_stream_write(&scene->stream, pieces, counts[i]));
        for (unsigned j = 0; j < counts[i]; j++)
            gw_block_unref(pieces[j].block); /* what has to wait is kept by reference */
    }
    assert_true(gw_stream_is_writing(&scene->stream));
    UNTIL((taken += takes(scene, taken), taken == given));
    UNTIL(!gw_stream_is_writing(&scene->stream));
    assert_int_equal(scene->drains, 1);
    assert_int_equal(gw_counter_read(&scene->shard.bytes_sent), given);
    assert_true(gw_stream_write(&scene->stream, &(struct gw_piece) { GW_SLICE("x"), NULL }, 1)); /* at once again */
    assert_int_equal(scene->drains, 1);
}

static void what_is_borrowed_is_copied_where_it_waits(void **state)
{
    struct scene *scene = *state;
    char borrowed[64];
    struct gw_block *block = block_from(0);
    struct gw_piece full = { gw_slice_of(block->bytes, BLOCK_BYTES), block };
    assert_false(gw_stream_write(&scene->stream, &full, 1));
    gw_block_unref(block);
    for (size_t i = 0; i < sizeof borrowed; i++)
        borrowed[i] = byte_at(BLOCK_BYTES + i);
    struct gw_piece piece = { gw_slice_of(borrowed, sizeof borrowed), NULL };
    assert_false(gw_stream_write(&scene->stream, &piece, 1));
    memset(borrowed, 0, sizeof borrowed);
    size_t taken = 0;
    UNTIL((taken += takes(scene, taken), taken == BLOCK_BYTES + sizeof borrowed));
}

static void it_has_progressed_if_some_has_left_since_the_last_look(void **state)
{
    struct scene *scene = *state;
    struct gw_block *block = block_from(0);
    struct gw_piece pieces[] = { { gw_slice_of(block->bytes, BLOCK_BYTES), block },
                                 { gw_slice_of(block->bytes, BLOCK_BYTES), block } };
    assert_false(gw_stream_write(&scene->stream, pieces, 2));
    gw_block_unref(block);
    for (int i = 0; i < 3; i++)
        uv_run(&scene->loop, UV_RUN_NOWAIT);
    (void)gw_stream_has_progressed(&scene->stream);
    assert_false(gw_stream_has_progressed(&scene->stream));
    char few[3000];
    UNTIL((recv(scene->peer, few, sizeof few, 0), gw_stream_has_progressed(&scene->stream)));
    assert_false(gw_stream_has_progressed(&scene->stream));
}

static void reading_can_be_stopped_and_goes_on(void **state)
{
    struct scene *scene = *state;
    assert_int_equal(send(scene->peer, "one", 3, 0), 3);
    for (int i = 0; i < 3; i++)
        uv_run(&scene->loop, UV_RUN_NOWAIT);
    assert_int_equal(scene->reads, 0); /* nobody has asked yet */
    gw_stream_read(&scene->stream);
    UNTIL(scene->reads == 1);
    assert_string_equal(scene->text, "one");
    gw_stream_stop_reading(&scene->stream);
    assert_int_equal(send(scene->peer, "two", 3, 0), 3);
    for (int i = 0; i < 3; i++)
        uv_run(&scene->loop, UV_RUN_NOWAIT);
    assert_int_equal(scene->reads, 1);
    gw_stream_read(&scene->stream);
    UNTIL(scene->reads == 2);
    assert_string_equal(scene->text, "two");
    assert_int_equal(gw_counter_read(&scene->shard.bytes_received), 6);
    shutdown(scene->peer, SHUT_WR);
    UNTIL(scene->ends == 1);
    assert_int_equal(scene->breaks, 0);
}

static void our_side_may_end_before_the_other(void **state)
{
    struct scene *scene = *state;
    char byte;
    gw_stream_read(&scene->stream);
    assert_true(gw_stream_write(&scene->stream, &(struct gw_piece) { GW_SLICE("x"), NULL }, 1));
    assert_true(gw_stream_half_close(&scene->stream));
    UNTIL(recv(scene->peer, &byte, 1, 0) == 1);
    UNTIL(recv(scene->peer, &byte, 1, 0) == 0);
    assert_int_equal(send(scene->peer, "still", 5, 0), 5);
    UNTIL(scene->reads == 1);
    assert_string_equal(scene->text, "still");
}

/* Broken it is told once, writes nothing more, and waits for its close. */
static void what_cannot_be_written_breaks_it_once(void **state)
{
    struct scene *scene = *state;
    struct gw_piece piece = { GW_SLICE("lost"), NULL };
    gw_stream_read(&scene->stream);
    close(scene->peer);
    scene->peer = -1;
    assert_false(gw_stream_write(&scene->stream, &piece, 1));
    assert_int_equal(scene->breaks, 1);
    assert_false(gw_stream_write(&scene->stream, &piece, 1));
    gw_stream_break(&scene->stream);
    gw_stream_read(&scene->stream);
    assert_int_equal(scene->breaks, 1);
    assert_false(gw_stream_is_writing(&scene->stream));
    assert_false(scene->stream.is_reading);
    assert_int_equal(scene->closes, 0);
}

static void a_close_forgets_what_waits(void **state)
{
    struct scene *scene = *state;
    struct gw_block *block = block_from(0);
    struct gw_piece piece = { gw_slice_of(block->bytes, BLOCK_BYTES), block };
    assert_false(gw_stream_write(&scene->stream, &piece, 1));
    assert_false(gw_stream_write(&scene->stream, &piece, 1)); /* all of this one waits */
    assert_in_range(atomic_load(&block->refs), 2, 3);
    gw_stream_close(&scene->stream);
    UNTIL(scene->closes == 1);
    assert_int_equal(atomic_load(&block->refs), 1);
    assert_int_equal(scene->drains + scene->breaks + scene->ends, 0);
    gw_block_unref(block);
}

static void a_peer_without_an_address_has_none(void **state)
{
    struct scene *scene = *state;
    struct gw_address none = { { 0 } }, peer = gw_stream_peer(&scene->stream);
    assert_memory_equal(&peer, &none, sizeof none);
}

#define STREAM_TEST(name) cmocka_unit_test_setup_teardown(name, open_scene, close_scene)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STREAM_TEST(bytes_leave_in_order_however_little_the_socket_takes),
        STREAM_TEST(what_is_borrowed_is_copied_where_it_waits),
        STREAM_TEST(it_has_progressed_if_some_has_left_since_the_last_look),
        STREAM_TEST(reading_can_be_stopped_and_goes_on),
        STREAM_TEST(our_side_may_end_before_the_other),
        STREAM_TEST(what_cannot_be_written_breaks_it_once),
        STREAM_TEST(a_close_forgets_what_waits),
        STREAM_TEST(a_peer_without_an_address_has_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
