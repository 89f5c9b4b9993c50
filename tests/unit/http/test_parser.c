/* The order of events, limits, pipelining, ends of streams, and memory. */
#include "unit/http/rows.h"

static const struct reading_way request = { .limits = { 8192, 32768, 100 } };
static const struct reading_way small = { .limits = { 32, 96, 4 } };
static const struct reading_way small_response = { .is_response = true,
                                                   .asked = GW_METHOD_GET,
                                                   .limits = { 32, 96, 4 } };

static void the_events_come_in_order(void **state)
{
    struct gw_parser parser;
    struct gw_head head;
    struct gw_arena arena;
    gw_arena_init(&arena, 2048, 65536);
    gw_parser_init(&parser, false, &usual);
    gw_parser_begin(&parser, &head, &arena, GW_METHOD_OTHER);
    assert_true(gw_parser_is_idle(&parser));

    struct gw_slice body, input = GW_SLICE("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabcdGET");
    assert_int_equal(gw_parser_next(&parser, &input, &body), GW_PARSER_HEAD);
    assert_int_equal(head.method, GW_METHOD_POST);
    assert_int_equal(head.framing, GW_FRAMING_LENGTH);
    assert_int_equal(head.content_length, 4);
    assert_false(gw_parser_is_idle(&parser));
    assert_int_equal(gw_parser_next(&parser, &input, &body), GW_PARSER_BODY);
    assert_true(gw_slice_equal(body, GW_SLICE("abcd")));
    assert_int_equal(gw_parser_next(&parser, &input, &body), GW_PARSER_END);
    assert_true(gw_slice_equal(input, GW_SLICE("GET")));
    assert_int_equal(gw_parser_next(&parser, &input, &body), GW_PARSER_END); /* and stays there */
    assert_true(gw_slice_equal(input, GW_SLICE("GET")));
    gw_arena_free(&arena);
    (void)state;
}

static void pipelined_messages_are_read_one_by_one(void **state)
{
    static const char text[] =
        "GET /1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        "POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"
        "\r\nPOST /3 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\ny"
        "GET /4 HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n";
    struct gw_parser parser;
    struct gw_head head;
    struct gw_arena arena;
    gw_arena_init(&arena, 2048, 65536);
    gw_parser_init(&parser, false, &usual);
    struct gw_slice body, input = gw_slice_of(text, sizeof text - 1);
    for (char i = '1'; i <= '4'; i++) {
        gw_arena_reset(&arena);
        gw_parser_begin(&parser, &head, &arena, GW_METHOD_OTHER);
        assert_int_equal(gw_parser_next(&parser, &input, &body), GW_PARSER_HEAD);
        assert_int_equal(head.path.at[1], i);
        enum gw_parser_event event = gw_parser_next(&parser, &input, &body);
        if (event == GW_PARSER_BODY) {
            assert_int_equal(body.at[0], i == '2' ? 'x' : 'y');
            event = gw_parser_next(&parser, &input, &body);
        }
        assert_int_equal(event, GW_PARSER_END);
    }
    assert_int_equal(input.length, 0);
    gw_arena_free(&arena);
    (void)state;
}

static void the_final_answer_follows_interim_ones(void **state)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"
                               "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx";
    static const int statuses[] = { 100, 103, 200 };
    struct gw_parser parser;
    struct gw_head head;
    struct gw_arena arena;
    gw_arena_init(&arena, 2048, 65536);
    gw_parser_init(&parser, true, &usual);
    struct gw_slice body, input = gw_slice_of(text, sizeof text - 1);
    for (size_t i = 0; i < GW_COUNT(statuses); i++) {
        gw_parser_begin(&parser, &head, &arena, GW_METHOD_GET);
        assert_int_equal(gw_parser_next(&parser, &input, &body), GW_PARSER_HEAD);
        assert_int_equal(head.status, statuses[i]);
        if (head.status == 200)
            assert_int_equal(gw_parser_next(&parser, &input, &body), GW_PARSER_BODY);
        assert_int_equal(gw_parser_next(&parser, &input, &body), GW_PARSER_END);
    }
    gw_arena_free(&arena);
    (void)state;
}

static void what_follows_a_switch_of_protocols_is_left_alone(void **state)
{
    struct reading reading;
    static const struct reading_way way = { .is_response = true,
                                            .asked = GW_METHOD_GET,
                                            .limits = { 8192, 32768, 100 } };
    read_every_way(&reading, &way,
                   GW_SLICE("HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n\x81\x05raw"));
    assert_int_equal(reading.last, GW_PARSER_END);
    assert_int_equal(reading.head.status, 101);
    assert_true(reading.head.wants_upgrade);
    assert_int_equal(reading.rest, 5);
    reading_free(&reading);
    (void)state;
}

#define X10 "1234567890"

static void a_limit_is_an_error_as_soon_as_it_is_passed(void **state)
{
    static const struct row rows[] = {
        /* line 32, head 96, fields 4 */
        { "GET /" X10 "12345678 HTTP/1.1\r\nHost: a\r\n\r\n", GW_ERROR_NONE }, /* 32 */
        { "GET /" X10 "123456789 HTTP/1.1\r\nHost: a\r\n\r\n", GW_ERROR_URI_TOO_LONG },
        { "GET /" X10 X10 X10, GW_ERROR_URI_TOO_LONG }, /* no line end needed */
        { X10 X10 X10 X10, GW_ERROR_URI_TOO_LONG },
        { "GET / HTTP/1.1\r\nHost: a\r\n"
          "X: " X10 X10 X10 X10 X10 X10 "1234\r\n\r\n",
          GW_ERROR_NONE },
        { "GET / HTTP/1.1\r\nHost: a\r\n"
          "X: " X10 X10 X10 X10 X10 X10 "12345\r\n\r\n",
          GW_ERROR_HEAD_TOO_LARGE },
        { "GET / HTTP/1.1\r\nHost: a\r\n"
          "X: " X10 X10 X10 X10 X10 X10 X10 X10,
          GW_ERROR_HEAD_TOO_LARGE },
        { "GET / HTTP/1.1\r\nHost: a\r\n"
          "X" X10 X10 X10 X10 X10 X10 X10 X10,
          GW_ERROR_HEAD_TOO_LARGE },
        { "GET / HTTP/1.1\r\nHost: a\r\n1:1\r\n2:2\r\n3:3\r\n\r\n", GW_ERROR_NONE },
        { "GET / HTTP/1.1\r\nHost: a\r\n1:1\r\n2:2\r\n3:3\r\n4:4\r\n", GW_ERROR_HEAD_TOO_LARGE },
        { "GET / HTTP/1.1\r\nHost a\r\n1:1\r\n2:2\r\n3:3\r\n4:4\r\n",
          GW_ERROR_MALFORMED }, /* the first mistake counts */
    };
    CHECK_ROWS(rows, &small);
    static const struct row answers[] = {
        { "HTTP/1.1 200 " X10 X10 X10, GW_ERROR_UPSTREAM_HEAD_TOO_LARGE },
        { "HTTP/1.1 200 OK\r\nA: " X10 X10 X10 X10 X10 X10 X10 X10 X10, GW_ERROR_UPSTREAM_HEAD_TOO_LARGE },
    };
    CHECK_ROWS(answers, &small_response);
    (void)state;
}

static void the_head_keeps_no_view_of_the_input(void **state)
{
    char text[] = "GET /path?query HTTP/1.1\r\nHost: a\r\nX-Name: value\r\n\r\n";
    struct gw_parser parser;
    struct gw_head head;
    struct gw_arena arena;
    gw_arena_init(&arena, 2048, 65536);
    gw_parser_init(&parser, false, &usual);
    gw_parser_begin(&parser, &head, &arena, GW_METHOD_OTHER);
    struct gw_slice body, input = gw_slice_of(text, sizeof text - 1);
    assert_int_equal(gw_parser_next(&parser, &input, &body), GW_PARSER_HEAD);
    memset(text, '#', sizeof text);
    assert_true(gw_slice_equal(head.method_text, GW_SLICE("GET")));
    assert_true(gw_slice_equal(head.target, GW_SLICE("/path?query")));
    assert_true(gw_slice_equal(head.query, GW_SLICE("query")));
    assert_true(gw_slice_equal(head.authority, GW_SLICE("a")));
    assert_true(gw_slice_equal(head.fields[1].name, GW_SLICE("X-Name")));
    assert_true(gw_slice_equal(head.fields[1].value, GW_SLICE("value")));
    gw_arena_free(&arena);
    (void)state;
}

/* The answer and the log read the head of a failed request when its input has been overwritten already. */
static void a_head_that_is_not_whole_keeps_none_either(void **state)
{
    char text[] = "GET /path HTTP/1.1\r\nHost: a\r\nX-Request-Id: mine\r\nX-N";
    struct gw_parser parser;
    struct gw_head head;
    struct gw_arena arena;
    gw_arena_init(&arena, 2048, 65536);
    gw_parser_init(&parser, false, &usual);
    gw_parser_begin(&parser, &head, &arena, GW_METHOD_OTHER);
    struct gw_slice body, input = gw_slice_of(text, sizeof text - 1), rest = GW_SLICE("\r\n");
    assert_int_equal(gw_parser_next(&parser, &input, &body), GW_PARSER_WANTS_MORE);
    memset(text, '#', sizeof text);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(head.count, 0);
        assert_null(gw_head_find(&head, GW_FIELD_X_REQUEST_ID));
        assert_true(gw_slice_equal(head.method_text, GW_SLICE("GET")));
        assert_true(gw_slice_equal(head.target, GW_SLICE("/path")));
        assert_int_equal(gw_parser_next(&parser, &rest, &body), GW_PARSER_FAILED);
    }
    gw_arena_free(&arena);
    (void)state;
}

static void an_arena_too_small_is_overload_not_a_crash(void **state)
{
    static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\nE: 5\r\n\r\n";
    for (size_t bound = 0; bound <= 4096; bound += 16)
        for (size_t step = 1; step <= sizeof text; step += sizeof text - 1) {
            struct gw_parser parser;
            struct gw_head head;
            struct gw_arena arena;
            gw_arena_init(&arena, 16, bound);
            gw_parser_init(&parser, false, &usual);
            gw_parser_begin(&parser, &head, &arena, GW_METHOD_OTHER);
            enum gw_parser_event event = GW_PARSER_WANTS_MORE;
            for (size_t at = 0; at < sizeof text - 1 && event == GW_PARSER_WANTS_MORE; at += step) {
                struct gw_slice body, input = gw_slice_of(text + at, step == 1 ? 1 : sizeof text - 1);
                event = gw_parser_next(&parser, &input, &body);
            }
            assert_true(event == GW_PARSER_HEAD || event == GW_PARSER_FAILED);
            assert_true(event == GW_PARSER_HEAD || parser.error == GW_ERROR_OVERLOADED);
            assert_true(event == GW_PARSER_HEAD || bound < 4096);
            gw_arena_free(&arena);
        }
    (void)state;
}

struct ending {
    const char *text;
    bool is_response;
    enum gw_parser_event event;
    enum gw_error error;
};

static void a_stream_that_ends_too_early_is_never_an_end(void **state)
{
    static const struct ending rows[] = {
        { "", false, GW_PARSER_FAILED, GW_ERROR_CLIENT_GONE },
        { "GET / HT", false, GW_PARSER_FAILED, GW_ERROR_CLIENT_GONE },
        { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab", false, GW_PARSER_FAILED, GW_ERROR_CLIENT_GONE },
        { "", true, GW_PARSER_FAILED, GW_ERROR_RESET },
        { "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", true, GW_PARSER_FAILED, GW_ERROR_RESET },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", true, GW_PARSER_FAILED, GW_ERROR_RESET },
        { "HTTP/1.1 200 OK\r\n\r\n", true, GW_PARSER_END, GW_ERROR_NONE },
        { "HTTP/1.1 200 OK\r\n\r\nab", true, GW_PARSER_END, GW_ERROR_NONE },
        { "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", true, GW_PARSER_END, GW_ERROR_NONE },
        { "HTTP/9.1", true, GW_PARSER_FAILED, GW_ERROR_RESET },
        { "X", true, GW_PARSER_FAILED, GW_ERROR_UPSTREAM_MALFORMED },
    };
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct reading_way way = { .is_response = rows[i].is_response, .limits = usual, .finishes = true };
        struct reading reading;
        read_every_way(&reading, &way, gw_slice_of_string(rows[i].text));
        if (reading.last != rows[i].event || reading.error != rows[i].error)
            fail_msg("row %zu: %d %s", i, (int)reading.last, gw_error_name(reading.error));
        reading_free(&reading);
    }
    (void)state;
}

static void a_head_of_many_fields_is_read(void **state)
{
    char text[4096];
    int length = sprintf(text, "GET / HTTP/1.1\r\nHost: a\r\n");
    for (int i = 1; i < 100; i++)
        length += sprintf(text + length, "F-%d: %d\r\n", i, i * i);
    length += sprintf(text + length, "\r\n");
    struct reading reading;
    reading_run(&reading, &request, gw_slice_of(text, (size_t)length), (size_t)length, 1);
    assert_int_equal(reading.head.count, 100);
    assert_true(gw_slice_equal(reading.head.fields[99].value, GW_SLICE("9801")));
    for (size_t step = 1; step < 300; step += 7)
        assert_true(reading_same(&reading, &request, gw_slice_of(text, (size_t)length), step, step));
    reading_free(&reading);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_events_come_in_order),
        cmocka_unit_test(pipelined_messages_are_read_one_by_one),
        cmocka_unit_test(the_final_answer_follows_interim_ones),
        cmocka_unit_test(what_follows_a_switch_of_protocols_is_left_alone),
        cmocka_unit_test(a_limit_is_an_error_as_soon_as_it_is_passed),
        cmocka_unit_test(the_head_keeps_no_view_of_the_input),
        cmocka_unit_test(a_head_that_is_not_whole_keeps_none_either),
        cmocka_unit_test(an_arena_too_small_is_overload_not_a_crash),
        cmocka_unit_test(a_stream_that_ends_too_early_is_never_an_end),
        cmocka_unit_test(a_head_of_many_fields_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
