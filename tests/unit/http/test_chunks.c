/* The guard of chunked bodies: what passes, what does not, and that both readers saw the same body. */
#include "unit/http/rows.h"

static const struct reading_way request = { .limits = { 8192, 32768, 100 } };
static const struct reading_way small = { .limits = { 64, 128, 3 } };
static const struct reading_way response = { .is_response = true,
                                             .asked = GW_METHOD_GET,
                                             .limits = { 8192, 32768, 100 } };

#define HEAD       "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
#define BODY(text) HEAD text
#define LAST       "0\r\n\r\n"

static void a_chunk_is_size_data_and_strict_line_ends(void **state)
{
    static const struct row rows[] = {
        { BODY(LAST), GW_ERROR_NONE },
        { BODY("00000\r\n\r\n"), GW_ERROR_NONE },
        { BODY("3\r\nabc\r\n" LAST), GW_ERROR_NONE },
        { BODY("A\r\n0123456789\r\na\r\n0123456789\r\n" LAST), GW_ERROR_NONE },
        { BODY("0000000000000003\r\nabc\r\n" LAST), GW_ERROR_NONE },
        { BODY("00000000000000003\r\nabc\r\n" LAST), GW_ERROR_FRAMING }, /* 17 digits */
        { BODY("8000000000000000\r\n"), GW_ERROR_FRAMING },
        { BODY("ffffffffffffffff\r\n"), GW_ERROR_FRAMING },
        { BODY("10000000000000003\r\nabc\r\n" LAST), GW_ERROR_FRAMING },
        { BODY("\r\n"), GW_ERROR_FRAMING },
        { BODY("g\r\n"), GW_ERROR_FRAMING },
        { BODY("0x3\r\nabc\r\n" LAST), GW_ERROR_FRAMING },
        { BODY("+3\r\nabc\r\n" LAST), GW_ERROR_FRAMING },
        { BODY("-3\r\nabc\r\n" LAST), GW_ERROR_FRAMING },
        { BODY(" 3\r\nabc\r\n" LAST), GW_ERROR_FRAMING },
        { BODY("3 \r\nabc\r\n" LAST), GW_ERROR_FRAMING },
        { BODY("3\t\r\nabc\r\n" LAST), GW_ERROR_FRAMING },
        { BODY("3\nabc\r\n" LAST), GW_ERROR_FRAMING },
        { BODY("3\r\r\nabc\r\n" LAST), GW_ERROR_FRAMING },
        { BODY("3\rXabc\r\n" LAST), GW_ERROR_FRAMING },
        { BODY("3\r\nabc" LAST), GW_ERROR_FRAMING },
        { BODY("3\r\nabc\n" LAST), GW_ERROR_FRAMING },
        { BODY("3\r\nabc\rX" LAST), GW_ERROR_FRAMING },
        { BODY("3\r\nabcd\r\n" LAST), GW_ERROR_FRAMING },
        { BODY("0\n\n"), GW_ERROR_FRAMING },
        { BODY("0\r\n\n"), GW_ERROR_FRAMING },
        { BODY("0\r\n\rX"), GW_ERROR_FRAMING },
    };
    CHECK_ROWS(rows, &request);
    (void)state;
}

static void extensions_are_checked_and_dropped(void **state)
{
    static const struct row rows[] = {
        { BODY("3;a\r\nabc\r\n" LAST), GW_ERROR_NONE },
        { BODY("3;a=b;c=d;e\r\nabc\r\n" LAST), GW_ERROR_NONE },
        { BODY("3;a=\"b;\tc\\\"\x80=\";d\r\nabc\r\n0;e=f\r\n\r\n"), GW_ERROR_NONE },
        { BODY("3;a=\"\"\r\nabc\r\n" LAST), GW_ERROR_NONE },
        { BODY("3;\r\nabc\r\n" LAST), GW_ERROR_FRAMING },
        { BODY("3;;a\r\nabc\r\n" LAST), GW_ERROR_FRAMING },
        { BODY("3; a\r\nabc\r\n" LAST), GW_ERROR_NONE },
        { BODY("3 ;a\r\nabc\r\n" LAST), GW_ERROR_NONE },
        { BODY("3;a =b\r\nabc\r\n" LAST), GW_ERROR_NONE },
        { BODY("3 \t;\t a \t= \tb ;\t c ; d=\"\" ;e\r\nabc\r\n0 ; a\r\n\r\n"), GW_ERROR_NONE },
        { BODY("3;a \r\nabc\r\n" LAST), GW_ERROR_FRAMING },
        { BODY("3;a=b \r\nabc\r\n" LAST), GW_ERROR_FRAMING },
        { BODY("3;a=\"b\" \r\nabc\r\n" LAST), GW_ERROR_FRAMING },
        { BODY("3; \r\nabc\r\n" LAST), GW_ERROR_FRAMING },
        { BODY("3;a b\r\nabc\r\n" LAST), GW_ERROR_FRAMING },
        { BODY("3 a\r\nabc\r\n" LAST), GW_ERROR_FRAMING },
        { BODY("3 3\r\nabc\r\n" LAST), GW_ERROR_FRAMING },
        { BODY("3;a= \r\nabc\r\n" LAST), GW_ERROR_FRAMING },
        { BODY("3 \nabc\r\n" LAST), GW_ERROR_FRAMING },
        { BODY("3 \rabc\r\n" LAST), GW_ERROR_FRAMING },
        { BODY("3;a=\r\nabc\r\n" LAST), GW_ERROR_FRAMING },
        { BODY("3;=b\r\nabc\r\n" LAST), GW_ERROR_FRAMING },
        { BODY("3;a=b=c\r\nabc\r\n" LAST), GW_ERROR_FRAMING },
        { BODY("3;a=\"b\"c\r\nabc\r\n" LAST), GW_ERROR_FRAMING },
        { BODY("3;a=\"b\r\nabc\r\n" LAST), GW_ERROR_FRAMING },
        { BODY("3;a=\"b\\\r\n\"\r\nabc\r\n" LAST), GW_ERROR_FRAMING },
        { BODY("3;a\nabc\r\n" LAST), GW_ERROR_FRAMING },
        { BODY("3;a\x01\r\nabc\r\n" LAST), GW_ERROR_FRAMING },
        { BODY(";a\r\n"), GW_ERROR_FRAMING },
    };
    CHECK_ROWS(rows, &request);
    (void)state;
}

#define ANSWERED(text) "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" text

static void a_backend_is_forgiven_what_stands_behind_a_size(void **state)
{
    static const enum gw_error bad = GW_ERROR_UPSTREAM_MALFORMED;
    static const struct row rows[] = {
        { ANSWERED("3 \r\nabc\r\n" LAST), GW_ERROR_NONE },
        { ANSWERED("3 \t \r\nabc\r\n0\t\r\n\r\n"), GW_ERROR_NONE },
        { ANSWERED("3;\r\nabc\r\n" LAST), GW_ERROR_NONE },
        { ANSWERED("3;;a=\r\nabc\r\n" LAST), GW_ERROR_NONE },
        { ANSWERED("3;a=\"b\r\nabc\r\n" LAST), GW_ERROR_NONE },
        { ANSWERED("3 (three) \x80\r\nabc\r\n" LAST), GW_ERROR_NONE },
        { ANSWERED("3 \nabc\r\n" LAST), bad },
        { ANSWERED("3 \rabc\r\n" LAST), bad },
        { ANSWERED("3 \r\r\nabc\r\n" LAST), bad },
        { ANSWERED("3;a\nb\r\nabc\r\n" LAST), bad },
        { ANSWERED("3 \x01\r\nabc\r\n" LAST), bad },
        { ANSWERED(" 3\r\nabc\r\n" LAST), bad },
        { ANSWERED("3x\r\nabc\r\n" LAST), bad },
        { ANSWERED("3\r\nabc \r\n" LAST), bad },
    };
    CHECK_ROWS(rows, &response);

    struct reading reading;
    read_every_way(&reading, &response, GW_SLICE(ANSWERED("3 \r\nabc\r\n" LAST)));
    assert_true(reading.parser.is_forgiven);
    reading_free(&reading);
    read_every_way(&reading, &response, GW_SLICE(ANSWERED("3 ;a\r\nabc\r\n" LAST)));
    assert_false(reading.parser.is_forgiven);
    reading_free(&reading);
    (void)state;
}

static void trailers_are_checked_and_dropped(void **state)
{
    static const struct row rows[] = {
        { BODY("0\r\nA: b\r\nC:\r\n\r\n"), GW_ERROR_NONE },
        { BODY("0\r\nA : b\r\n\r\n"), GW_ERROR_FRAMING },
        { BODY("0\r\n: b\r\n\r\n"), GW_ERROR_FRAMING },
        { BODY("0\r\nA\r\n\r\n"), GW_ERROR_FRAMING },
        { BODY("0\r\nA: b\r\n c\r\n\r\n"), GW_ERROR_FRAMING },
        { BODY("0\r\nA: b\n\r\n"), GW_ERROR_FRAMING },
        { BODY("0\r\nA: \x01\r\n\r\n"), GW_ERROR_FRAMING },
        { BODY("0\r\nTransfer-Encoding: chunked\r\n\r\n"), GW_ERROR_FRAMING },
        { BODY("0\r\nTRANSFER-encoding:\r\n\r\n"), GW_ERROR_FRAMING },
        { BODY("0\r\nA: b\r\nContent-Length: 5\r\n\r\n"), GW_ERROR_FRAMING },
        { BODY("0\r\nContent-Lengths: 5\r\nContent-Lengt: 5\r\nXContent-Length: 5\r\n\r\n"), GW_ERROR_NONE },
    };
    CHECK_ROWS(rows, &request);

    struct reading reading;
    read_every_way(&reading, &request, GW_SLICE(BODY("1\r\na\r\n0\r\nHost: b\r\nX: y\r\n\r\n") "rest"));
    assert_int_equal(reading.last, GW_PARSER_END);
    assert_int_equal(reading.head.count, 2);
    assert_int_equal(reading.rest, 4);
    reading_free(&reading);
    (void)state;
}

static void extensions_and_trailers_are_bounded(void **state)
{
    static const struct row rows[] = {
        { BODY("0\r\nA:1\r\nB:2\r\nC:3\r\n\r\n"), GW_ERROR_NONE },
        { BODY("0\r\nA:1\r\nB:2\r\nC:3\r\nD:4\r\n\r\n"), GW_ERROR_HEAD_TOO_LARGE },
        { BODY("0\r\nA: 345678901234567890123456789012345678901234567890123456789012345678901234567890"
               "123456789012345678901234567890123456789012345678\r\n\r\n"),
          GW_ERROR_HEAD_TOO_LARGE },
    };
    CHECK_ROWS(rows, &small);

    char bytes[1024];
    for (int digits = 255; digits <= 257; digits++) {
        int length = snprintf(bytes, sizeof bytes, "%s1;%0*d\r\na\r\n" LAST, HEAD, digits, 0);
        struct reading reading;
        read_every_way(&reading, &request, gw_slice_of(bytes, (size_t)length));
        assert_int_equal(reading.error, digits < 256 ? GW_ERROR_NONE : GW_ERROR_FRAMING);
        reading_free(&reading);
    }
    (void)state;
}

static void extensions_of_a_whole_message_are_bounded(void **state)
{
    enum { CHUNKS = 100 };
    char *bytes = malloc(CHUNKS * 256 + 1024);
    assert_non_null(bytes);
    int length = sprintf(bytes, "%s", HEAD);
    for (int i = 0; i < CHUNKS; i++)
        length += sprintf(bytes + length, "1;%0*d\r\na\r\n", 200, 0);
    struct reading reading;
    reading_run(&reading, &request, gw_slice_of(bytes, (size_t)length), 1, 1000);
    assert_int_equal(reading.error, GW_ERROR_FRAMING);
    reading_free(&reading);
    free(bytes);
    (void)state;
}

static void the_data_comes_out_as_it_went_in(void **state)
{
    static const char text[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "5;x=y\r\n0\r\n\r\n\r\n1\r\nG\r\n0\r\n\r\nHTTP/1.1";
    struct reading reading;
    read_every_way(&reading, &response, gw_slice_of(text, sizeof text - 1));
    assert_int_equal(reading.last, GW_PARSER_END);
    assert_int_equal(reading.length - reading.body_at, 6);
    assert_memory_equal(reading.text + reading.body_at, "0\r\n\r\nG", 6);
    assert_int_equal(reading.rest, 8);
    reading_free(&reading);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chunk_is_size_data_and_strict_line_ends),
        cmocka_unit_test(extensions_are_checked_and_dropped),
        cmocka_unit_test(a_backend_is_forgiven_what_stands_behind_a_size),
        cmocka_unit_test(trailers_are_checked_and_dropped),
        cmocka_unit_test(extensions_and_trailers_are_bounded),
        cmocka_unit_test(extensions_of_a_whole_message_are_bounded),
        cmocka_unit_test(the_data_comes_out_as_it_went_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
