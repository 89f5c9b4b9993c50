/* What the guard lets pass and what it refuses, one row a rule. */
#include "unit/http/rows.h"

static const struct reading_way request = { .limits = { 8192, 32768, 100 } };
static const struct reading_way response = {
    .is_response = true, .asked = GW_METHOD_GET, .limits = { 8192, 32768, 100 }, .finishes = true
};
static const struct reading_way response_to_head = { .is_response = true,
                                                     .asked = GW_METHOD_HEAD,
                                                     .limits = { 8192, 32768, 100 } };

#define GET(target)  "GET " target " HTTP/1.1\r\nHost: a\r\n\r\n"
#define WITH(fields) "POST / HTTP/1.1\r\nHost: a\r\n" fields "\r\n"

static void a_request_line_is_method_target_version(void **state)
{
    static const struct row rows[] = {
        { GET("/"), GW_ERROR_NONE },
        { "get / HTTP/1.1\r\nHost: a\r\n\r\n", GW_ERROR_NONE }, /* another method than GET */
        { "BREW / HTTP/1.1\r\nHost: a\r\n\r\n", GW_ERROR_NONE },
        { "GETS / HTTP/1.1\r\nHost: a\r\n\r\n", GW_ERROR_NONE },
        { "QUERY / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\na", GW_ERROR_NONE },
        { "DESCRIBE / HTTP/1.1\r\nHost: a\r\n\r\n", GW_ERROR_NONE }, /* llhttp takes these two for other protocols */
        { "SOURCE / HTTP/1.1\r\nHost: a\r\n\r\n", GW_ERROR_NONE },
        { "PRI / HTTP/1.1\r\nHost: a\r\n\r\n", GW_ERROR_NONE },
        { "!#$%&'*+-.^_`|~09azAZ / HTTP/1.1\r\nHost: a\r\n\r\n", GW_ERROR_NONE },
        { "BREW / HTTP/1.1\r\nHost: a\r\nUpgrade: b\r\nConnection: upgrade\r\n\r\n", GW_ERROR_NONE },
        { "BREW * HTTP/1.1\r\nHost: a\r\n\r\n", GW_ERROR_MALFORMED },
        { "BREW a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", GW_ERROR_MALFORMED },
        { "BR\x80W / HTTP/1.1\r\nHost: a\r\n\r\n", GW_ERROR_MALFORMED },
        { "PROPFIND / HTTP/1.1\r\nHost: a\r\n\r\n", GW_ERROR_NONE },
        { "PURGE / HTTP/1.1\r\nHost: a\r\n\r\n", GW_ERROR_NONE },
        { "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", GW_ERROR_METHOD },
        { "GE(T / HTTP/1.1\r\nHost: a\r\n\r\n", GW_ERROR_MALFORMED },
        { " GET / HTTP/1.1\r\nHost: a\r\n\r\n", GW_ERROR_MALFORMED },
        { "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", GW_ERROR_MALFORMED },
        { "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", GW_ERROR_MALFORMED },
        { "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", GW_ERROR_MALFORMED },
        { "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", GW_ERROR_MALFORMED },
        { "GET /\r\n\r\n", GW_ERROR_MALFORMED }, /* HTTP/0.9 */
        { "GET / http/1.1\r\nHost: a\r\n\r\n", GW_ERROR_MALFORMED },
        { "GET / HTTP/1\r\nHost: a\r\n\r\n", GW_ERROR_MALFORMED },
        { "GET / HTTP/1.10\r\nHost: a\r\n\r\n", GW_ERROR_MALFORMED },
        { "GET / HTTP/01.1\r\nHost: a\r\n\r\n", GW_ERROR_MALFORMED },
        { "GET / HTTP/1.2\r\nHost: a\r\n\r\n", GW_ERROR_VERSION },
        { "GET / HTTP/0.9\r\nHost: a\r\n\r\n", GW_ERROR_VERSION },
        { "GET / HTTP/2.0\r\nHost: a\r\n\r\n", GW_ERROR_VERSION },
        { "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", GW_ERROR_VERSION },
        { "\x16\x03\x01", GW_ERROR_MALFORMED }, /* TLS: known by its first byte */
    };
    CHECK_ROWS(rows, &request);
    (void)state;
}

static void a_target_has_what_browsers_send(void **state)
{
    static const struct row rows[] = {
        { GET("/a-b._~!$&'()*+,;=:@/%20%aF"), GW_ERROR_NONE },
        { GET("/a?"), GW_ERROR_NONE },
        { GET("/a?b=/?:@"), GW_ERROR_NONE },
        { GET("//a//..//"), GW_ERROR_NONE },
        { GET("/[]{}|^`"), GW_ERROR_NONE },
        { GET("/?[]{}|^`\\'"), GW_ERROR_NONE },
        { GET("/?%"), GW_ERROR_NONE },
        { GET("/?%2"), GW_ERROR_NONE },
        { GET("/?a=100%&b=%zz"), GW_ERROR_NONE },
        { GET("/?\x80\xff\xc3\xa4"), GW_ERROR_NONE },
        { GET("http://a/[]?[]%\x80"), GW_ERROR_NONE },
        { GET("http://a?[]%\x80"), GW_ERROR_NONE },
        { GET("http://a\x80/"), GW_ERROR_MALFORMED },
        { GET("http://a\\/"), GW_ERROR_MALFORMED },
        { GET("http://a[b]/"), GW_ERROR_MALFORMED },
        { GET("\x80"), GW_ERROR_MALFORMED },
        { GET("[]"), GW_ERROR_MALFORMED },
        { GET("a"), GW_ERROR_MALFORMED },
        { GET("/%"), GW_ERROR_MALFORMED },
        { GET("/%2"), GW_ERROR_MALFORMED },
        { GET("/%2g"), GW_ERROR_MALFORMED },
        { GET("/a#b"), GW_ERROR_MALFORMED },
        { GET("/a?b#c"), GW_ERROR_MALFORMED },
        { GET("/a\"b"), GW_ERROR_MALFORMED },
        { GET("/a\\b"), GW_ERROR_MALFORMED },
        { GET("/a<b>"), GW_ERROR_MALFORMED },
        { GET("/?\""), GW_ERROR_MALFORMED },
        { GET("/?<"), GW_ERROR_MALFORMED },
        { GET("/?>"), GW_ERROR_MALFORMED },
        { GET("/?\x7f"), GW_ERROR_MALFORMED },
        { GET("/?\t"), GW_ERROR_MALFORMED },
        { GET("/?a b"), GW_ERROR_MALFORMED },
        { GET("/?\x1f"), GW_ERROR_MALFORMED },
        { GET("/?\r"), GW_ERROR_MALFORMED },
        { GET("/?\n"), GW_ERROR_MALFORMED },
        { GET("/a\x80"), GW_ERROR_MALFORMED },
        { GET("/a\x7f"), GW_ERROR_MALFORMED },
        { GET("/a\x01"), GW_ERROR_MALFORMED },
        { GET("*"), GW_ERROR_MALFORMED }, /* OPTIONS only */
        { "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", GW_ERROR_NONE },
        { "OPTIONS ** HTTP/1.1\r\nHost: a\r\n\r\n", GW_ERROR_MALFORMED },
        { GET("a:80"), GW_ERROR_MALFORMED }, /* authority-form */
    };
    CHECK_ROWS(rows, &request);
    (void)state;
}

static void absolute_form_and_host_agree(void **state)
{
    static const struct row rows[] = {
        { GET("http://a"), GW_ERROR_NONE },
        { GET("HTTP://A/"), GW_ERROR_NONE },
        { GET("http://a:80/"), GW_ERROR_NONE },
        { GET("http://a:/"), GW_ERROR_NONE },
        { GET("https://a:443/"), GW_ERROR_NONE },
        { GET("http://a?b"), GW_ERROR_NONE },
        { GET("https://a:80/"), GW_ERROR_HOST },
        { GET("http://a:8080/"), GW_ERROR_HOST },
        { GET("http://b/"), GW_ERROR_HOST },
        { GET("http://a.a/"), GW_ERROR_HOST },
        { GET("http://x@a/"), GW_ERROR_MALFORMED },
        { GET("http:///"), GW_ERROR_MALFORMED },
        { GET("http://a/#b"), GW_ERROR_MALFORMED },
        { GET("http:/a"), GW_ERROR_MALFORMED },
        { GET("ftp://a/"), GW_ERROR_MALFORMED },
        { "GET http://a/ HTTP/1.0\r\n\r\n", GW_ERROR_NONE },
        { "GET http://a/ HTTP/1.1\r\n\r\n", GW_ERROR_HOST },
    };
    CHECK_ROWS(rows, &request);
    (void)state;
}

#define HOST(value) "GET / HTTP/1.1\r\nHost: " value "\r\n\r\n"

static void one_valid_host_is_required(void **state)
{
    static const struct row rows[] = {
        { HOST("a.example:8080"), GW_ERROR_NONE },
        { HOST("A_b-c~d"), GW_ERROR_NONE },
        { HOST("127.0.0.1"), GW_ERROR_NONE },
        { HOST("[::1]:80"), GW_ERROR_NONE },
        { HOST("a:"), GW_ERROR_NONE },
        { HOST(""), GW_ERROR_HOST },
        { HOST(":80"), GW_ERROR_HOST },
        { HOST("a:0"), GW_ERROR_HOST },
        { HOST("a:65536"), GW_ERROR_HOST },
        { HOST("a:8o"), GW_ERROR_HOST },
        { HOST("a:80:80"), GW_ERROR_HOST },
        { HOST("a/b"), GW_ERROR_HOST },
        { HOST("a@b"), GW_ERROR_HOST },
        { HOST("a b"), GW_ERROR_HOST },
        { HOST("a,b"), GW_ERROR_HOST },
        { HOST("a%2"), GW_ERROR_HOST },
        { HOST("[::1"), GW_ERROR_HOST },
        { HOST("[a]"), GW_ERROR_HOST },
        { HOST("\x80"), GW_ERROR_HOST },
        { "GET / HTTP/1.1\r\n\r\n", GW_ERROR_HOST },
        { "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", GW_ERROR_HOST },
        { "GET / HTTP/1.0\r\n\r\n", GW_ERROR_NONE },
        { "GET / HTTP/1.0\r\nHost:\r\n\r\n", GW_ERROR_NONE },
        { "GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n", GW_ERROR_HOST },
    };
    CHECK_ROWS(rows, &request);
    (void)state;
}

static void a_field_line_is_name_colon_value(void **state)
{
    static const struct row rows[] = {
        { WITH("A:b\r\n"), GW_ERROR_NONE },
        { WITH("A:\r\n"), GW_ERROR_NONE },
        { WITH("A: \t b\tc \t \r\n"), GW_ERROR_NONE },
        { WITH("!#$%&'*+-.^_`|~09azAZ: \x80\xff\"\r\n"), GW_ERROR_NONE },
        { WITH("A : b\r\n"), GW_ERROR_MALFORMED },
        { WITH("A\t: b\r\n"), GW_ERROR_MALFORMED },
        { WITH(": b\r\n"), GW_ERROR_MALFORMED },
        { WITH("A\r\n"), GW_ERROR_MALFORMED },
        { WITH("A b: c\r\n"), GW_ERROR_MALFORMED },
        { WITH("A: b\r\n c\r\n"), GW_ERROR_MALFORMED }, /* obs-fold */
        { WITH("A: b\r\n\tc\r\n"), GW_ERROR_MALFORMED },
        { WITH(" A: b\r\n"), GW_ERROR_MALFORMED },
        { WITH("A: b\n"), GW_ERROR_MALFORMED },
        { WITH("A: b\rC: d\r\n"), GW_ERROR_MALFORMED },
        { WITH("A: b\r\r\n"), GW_ERROR_MALFORMED },
        { WITH("A: b\x01\r\n"), GW_ERROR_MALFORMED },
        { WITH("A: b\x7f\r\n"), GW_ERROR_MALFORMED },
        { WITH("A\x80: b\r\n"), GW_ERROR_MALFORMED },
        { "GET / HTTP/1.1\nHost: a\n\n", GW_ERROR_MALFORMED },
        { "GET / HTTP/1.1\r\nHost: a\r\n\n", GW_ERROR_MALFORMED },
        { "GET / HTTP/1.1\r\nHost: a\r\n\r\r\n", GW_ERROR_MALFORMED },
        { "GET / HTTP/1.1\r\n Host: a\r\n\r\n", GW_ERROR_MALFORMED },
    };
    CHECK_ROWS(rows, &request);
    (void)state;
}

static void nul_is_refused_everywhere(void **state)
{
    static const char text[] = "GET /0 HTTP/1.1\r\nHost: a0\r\nA0: b0\r\n\r\n";
    char bytes[sizeof text];
    for (size_t i = 0; i < sizeof text - 1; i++) {
        memcpy(bytes, text, sizeof text);
        if (bytes[i] != '0')
            continue;
        bytes[i] = 0;
        struct reading reading;
        read_every_way(&reading, &request, gw_slice_of(bytes, sizeof text - 1));
        assert_int_equal(reading.error, GW_ERROR_MALFORMED);
        reading_free(&reading);
    }
    (void)state;
}

static void a_control_is_refused_wherever_it_stands_in_a_value(void **state)
{
    static const char start[] = "GET / HTTP/1.1\r\nHost: a\r\nName: ", text[] = "abcdefghijklmnopqrstuvwxyz";
    char bytes[sizeof start + sizeof text + 8];
    for (int c = 0; c < 256; c++)
        for (size_t at = 0; at < sizeof text - 1; at++) {
            size_t length = (size_t)snprintf(bytes, sizeof bytes, "%s%s\r\n\r\n", start, text);
            bytes[sizeof start - 1 + at] = (char)c;
            struct reading reading;
            reading_run(&reading, &request, gw_slice_of(bytes, length), length, 1);
            bool is_text = c == '\t' || (c >= ' ' && c != 0x7f);
            if (reading.error != (is_text ? GW_ERROR_NONE : GW_ERROR_MALFORMED))
                fail_msg("byte %d at %zu: %s", c, at, gw_error_name(reading.error));
            reading_free(&reading);
        }
    (void)state;
}

static void two_empty_lines_may_stand_before_a_request(void **state)
{
    static const struct row rows[] = {
        { "\r\n" GET("/"), GW_ERROR_NONE },
        { "\r\n\r\n" GET("/"), GW_ERROR_NONE },
        { "\r\n\r\n\r\n" GET("/"), GW_ERROR_MALFORMED },
        { "\n" GET("/"), GW_ERROR_MALFORMED },
        { "\r" GET("/"), GW_ERROR_MALFORMED },
    };
    CHECK_ROWS(rows, &request);
    static const struct row answers[] = { { "\r\nHTTP/1.1 204 \r\n\r\n", GW_ERROR_UPSTREAM_MALFORMED } };
    CHECK_ROWS(answers, &response);
    (void)state;
}

static void a_length_is_told_in_one_way(void **state)
{
    static const struct row rows[] = {
        { WITH("Content-Length: 2\r\n") "ab", GW_ERROR_NONE },
        { WITH("Content-Length: 0\r\n"), GW_ERROR_NONE },
        { WITH("Content-Length: 002\r\n") "ab", GW_ERROR_NONE },
        { WITH("content-length:2 \r\n") "ab", GW_ERROR_NONE },
        { WITH("Content-Length: 2\t\r\n") "ab", GW_ERROR_NONE },
        { WITH("Content-Length:\t 2 \t \r\nX: y\t\r\n") "ab", GW_ERROR_NONE },
        { WITH("Content-Length: 2\t2\r\n") "ab", GW_ERROR_FRAMING },
        { WITH("Content-Length: 2\t\r\nContent-Length: 2\r\n") "ab", GW_ERROR_FRAMING },
        { WITH("Content-Length: 2\x0b\r\n") "ab", GW_ERROR_MALFORMED },
        { WITH("Content-Length: \t\r\n"), GW_ERROR_FRAMING },
        { WITH("Content-Length: 2\t\r\nTransfer-Encoding: chunked\r\n") "0\r\n\r\n", GW_ERROR_FRAMING },
        { WITH("Content-Length: 2\r\nContent-Length: 2\r\n") "ab", GW_ERROR_FRAMING },
        { WITH("Content-Length: 2\r\nContent-Length: 3\r\n") "ab", GW_ERROR_FRAMING },
        { WITH("Content-Length: 2, 2\r\n") "ab", GW_ERROR_FRAMING },
        { WITH("Content-Length: +2\r\n") "ab", GW_ERROR_FRAMING },
        { WITH("Content-Length: -2\r\n") "ab", GW_ERROR_FRAMING },
        { WITH("Content-Length: 0x2\r\n") "ab", GW_ERROR_FRAMING },
        { WITH("Content-Length: 2 2\r\n") "ab", GW_ERROR_FRAMING },
        { WITH("Content-Length:\r\n"), GW_ERROR_FRAMING },
        { WITH("Content-Length: 9223372036854775808\r\n"), GW_ERROR_FRAMING },
        { WITH("Content-Length: 99999999999999999999\r\n"), GW_ERROR_FRAMING },
        { WITH("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n") "0\r\n\r\n", GW_ERROR_FRAMING },
        { WITH("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n") "0\r\n\r\n", GW_ERROR_FRAMING },
        { WITH("Content-Length : 5\r\n") "12345", GW_ERROR_MALFORMED },
        { WITH("Content-Length\x0b: 5\r\n") "12345", GW_ERROR_MALFORMED },
    };
    CHECK_ROWS(rows, &request);
    (void)state;
}

#define CODED(value) WITH("Transfer-Encoding: " value "\r\n") "0\r\n\r\n"

static void the_only_coding_is_one_final_chunked(void **state)
{
    static const struct row rows[] = {
        { CODED("chunked"), GW_ERROR_NONE },
        { CODED("CHUNKED"), GW_ERROR_NONE },
        { CODED("chunked\t"), GW_ERROR_NONE },
        { CODED(" \tchunked \t "), GW_ERROR_NONE },
        { CODED("chunked\tx"), GW_ERROR_FRAMING },
        { CODED("chunked\x0b"), GW_ERROR_MALFORMED },
        { CODED("gzip, chunked"), GW_ERROR_CODING },
        { CODED("gzip;a=b, chunked"), GW_ERROR_CODING },
        { WITH("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"), GW_ERROR_CODING },
        { CODED("gzip"), GW_ERROR_FRAMING },
        { CODED("identity"), GW_ERROR_FRAMING },
        { CODED("chunked, gzip"), GW_ERROR_FRAMING },
        { CODED("chunked, chunked"), GW_ERROR_FRAMING },
        { CODED("gzip, chunked, chunked"), GW_ERROR_FRAMING },
        { CODED("chunked;a=b"), GW_ERROR_FRAMING },
        { CODED("chunked,"), GW_ERROR_FRAMING },
        { CODED(", chunked"), GW_ERROR_FRAMING },
        { CODED("xchunked"), GW_ERROR_FRAMING },
        { CODED("\"chunked\""), GW_ERROR_FRAMING },
        { CODED("'chunked'"), GW_ERROR_FRAMING },
        { CODED("chunked chunked"), GW_ERROR_FRAMING },
        { CODED(""), GW_ERROR_FRAMING },
        { WITH("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n") "0\r\n\r\n", GW_ERROR_FRAMING },
        { WITH("Transfer-Encoding: chunked\r\nTransfer-Encoding:\r\n") "0\r\n\r\n", GW_ERROR_FRAMING },
        { WITH("Transfer-Encoding: chunked\r\n\x0b: b\r\n") "0\r\n\r\n", GW_ERROR_MALFORMED },
        { "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", GW_ERROR_FRAMING },
    };
    CHECK_ROWS(rows, &request);
    (void)state;
}

static void the_only_expectation_is_100_continue(void **state)
{
    static const struct row rows[] = {
        { WITH("Expect: 100-Continue\r\nContent-Length: 1\r\n") "a", GW_ERROR_NONE },
        { WITH("Expect: 100-continue, 100-continue\r\n"), GW_ERROR_EXPECTATION },
        { WITH("Expect: 200-ok\r\n"), GW_ERROR_EXPECTATION },
        { WITH("Expect:\r\n"), GW_ERROR_EXPECTATION },
        { WITH("Expect: 100-continue\r\nExpect: 100-continue\r\n"), GW_ERROR_EXPECTATION },
        { "GET / HTTP/1.0\r\nExpect: 200-ok\r\n\r\n", GW_ERROR_NONE },
    };
    CHECK_ROWS(rows, &request);
    (void)state;
}

#define ANSWER(status, fields) "HTTP/1.1 " status "\r\n" fields "\r\n"

static void a_backend_is_held_to_the_same_rules(void **state)
{
    static const enum gw_error bad = GW_ERROR_UPSTREAM_MALFORMED;
    static const struct row rows[] = {
        { ANSWER("200 OK", "Content-Length: 2\r\n") "ab", GW_ERROR_NONE },
        { ANSWER("200 OK", "Content-Length: 3\r\n") "ab", GW_ERROR_RESET },
        { ANSWER("200 OK", "Transfer-Encoding: chunked\r\n") "2\r\nab\r\n0\r\n\r\n", GW_ERROR_NONE },
        { ANSWER("200 OK", "Transfer-Encoding: chunked\r\n") "2\r\nab\r\n0\r\n", GW_ERROR_RESET },
        { ANSWER("200 OK", "") "until close", GW_ERROR_NONE },
        { ANSWER("200 OK", ""), GW_ERROR_NONE },
        { ANSWER("200 ", ""), GW_ERROR_NONE },
        { ANSWER("200", ""), GW_ERROR_NONE },
        { ANSWER("200 \x80 ok\t", ""), GW_ERROR_NONE },
        { "HTTP/1.0 200 OK\r\n\r\nabc", GW_ERROR_NONE },
        { "HTTP/1.1 200 OK\r\n", GW_ERROR_RESET },
        { ANSWER("099 A", ""), bad },
        { ANSWER("20 A", ""), bad },
        { ANSWER("2000 A", ""), bad },
        { ANSWER("200  A\x01", ""), bad },
        { ANSWER(" 200 A", ""), bad },
        { "HTTP/2.0 200 OK\r\n\r\n", bad },
        { "ICY 200 OK\r\n\r\n", bad },
        { "HTTP/1.1 200 OK\n\n", bad },
        { ANSWER("200 OK", "A : b\r\n"), bad },
        { ANSWER("200 OK", "A: b\r\n c\r\n"), bad },
        { ANSWER("200 OK", "Content-Length: 1\r\nContent-Length: 2\r\n") "ab", bad },
        { ANSWER("200 OK", "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n") "0\r\n\r\n", bad },
        { ANSWER("200 OK", "Transfer-Encoding: gzip, chunked\r\n") "0\r\n\r\n", bad },
        { ANSWER("200 OK", "Transfer-Encoding: gzip\r\n"), bad },
        { "HTTP/1.0 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", bad },
        { ANSWER("204 No Content", ""), GW_ERROR_NONE },
        { ANSWER("204 No Content", "Content-Length: 0\r\n"), GW_ERROR_NONE },
        { ANSWER("204 No Content", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), bad },
        { ANSWER("204 No Content", "Content-Length: 5\r\nContent-Length: 6\r\n"), bad },
        { ANSWER("204 No Content", "Content-Length: x\r\n"), bad },
        { ANSWER("204 No Content", "Transfer-Encoding: gzip\r\n"), bad },
        { ANSWER("304 Not Modified", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), bad },
        { ANSWER("200 OK", "Content-Length: 2, 3\r\n") "ab", bad },
        { ANSWER("200 OK", "Content-Length: 2,\r\n") "ab", bad },
        { ANSWER("200 OK", "Content-Length: ,2\r\n") "ab", bad },
        { ANSWER("200 OK", "Content-Length: 2,,2\r\n") "ab", bad },
        { ANSWER("200 OK", "Content-Length: 2 2\r\n") "ab", bad },
        { ANSWER("200 OK", "Content-Length: 2\r\nContent-Length:\r\n") "ab", bad },
        { ANSWER("200 OK", "Content-Length: +2, +2\r\n") "ab", bad },
        { ANSWER("200 OK", "Content-Length: 9223372036854775808, 9223372036854775808\r\n"), bad },
        { ANSWER("200 OK", "Content-Length: 2, 2\r\nTransfer-Encoding: chunked\r\n") "0\r\n\r\n", bad },
        { ANSWER("304 Not Modified", "Content-Length: 7\r\n"), GW_ERROR_NONE },
        { ANSWER("304 Not Modified", "Transfer-Encoding: chunked\r\n"), GW_ERROR_NONE },
        { ANSWER("100 Continue", ""), GW_ERROR_NONE },
        { ANSWER("103 Early Hints", "Link: <a>\r\n"), GW_ERROR_NONE },
        { ANSWER("101 Switching Protocols", "Connection: upgrade\r\nUpgrade: x\r\n"), GW_ERROR_NONE },
        { ANSWER("101 Switching Protocols", "Content-Length: 5\r\n") "hello", bad },
    };
    CHECK_ROWS(rows, &response);
    (void)state;
}

struct careless {
    const char *text;
    bool is_forgiven;
    uint64_t content_length;
    size_t body_bytes;
};

static void what_leaves_no_doubt_where_an_answer_ends_is_forgiven(void **state)
{
    static const struct careless rows[] = {
        { ANSWER("200 OK", "Content-Length: 2\r\n") "ab", false, 2, 2 },
        { ANSWER("200 OK", "Content-Length: 2\t\r\n") "ab", false, 2, 2 }, /* OWS: nothing to forgive */
        { ANSWER("204 No Content", "Content-Length: 0\r\n"), false, 0, 0 },
        { ANSWER("200 OK", "Content-Length: 2\r\nContent-Length: 2\r\n") "ab", true, 2, 2 },
        { ANSWER("200 OK", "Content-Length: 2\r\nX: y\r\ncontent-length: 2\r\nCONTENT-LENGTH:2\r\n") "ab", true, 2, 2 },
        { ANSWER("200 OK", "Content-Length: 2, 2\r\n") "ab", true, 2, 2 },
        { ANSWER("200 OK", "Content-Length: 2,2\t,\t2\r\nContent-Length: 02\r\n") "ab", true, 2, 2 },
        { ANSWER("200 OK", "Content-Length: 0\r\nContent-Length: 0\r\n"), true, 0, 0 },
        { ANSWER("204 No Content", "Content-Length: 1\r\n"), true, 0, 0 },
        { ANSWER("204 No Content", "Transfer-Encoding: chunked\r\n"), true, 0, 0 },
        { ANSWER("204 No Content", "Transfer-Encoding: chunked\t\r\nX: y\r\n"), true, 0, 0 },
        { ANSWER("100 Continue", "Content-Length: 0\r\n"), true, 0, 0 },
        { ANSWER("103 Early Hints", "Transfer-Encoding: chunked\r\n"), true, 0, 0 },
        { ANSWER("600 A", "Content-Length: 2\r\n") "ab", true, 2, 2 },
        { ANSWER("999", "Transfer-Encoding: chunked\r\n") "2\r\nab\r\n0\r\n\r\n", true, 0, 2 },
        { "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", true,
          0, 2 },
    };
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct reading reading;
        read_every_way(&reading, &response, gw_slice_of_string(rows[i].text));
        if (reading.last != GW_PARSER_END || reading.head.is_forgiven != rows[i].is_forgiven ||
            reading.head.keep_alive == rows[i].is_forgiven || reading.head.content_length != rows[i].content_length ||
            reading.length - reading.body_at != rows[i].body_bytes)
            fail_msg("row %zu: event %d, %s: %s", i, (int)reading.last, gw_error_name(reading.error), rows[i].text);
        const struct gw_field *length = gw_head_find(&reading.head, GW_FIELD_CONTENT_LENGTH);
        assert_true(!length || !gw_head_find_next(&reading.head, length));
        reading_free(&reading);
    }
    (void)state;
}

static void a_reason_phrase_is_bounded(void **state)
{
    char text[1024];
    for (int length = 0; length <= 512; length += 128) {
        int bytes = snprintf(text, sizeof text, "HTTP/1.1 200 %0*d\r\nContent-Length: 0\r\n\r\n", length, 0);
        struct reading reading;
        read_every_way(&reading, &response, gw_slice_of(text, (size_t)bytes));
        assert_int_equal(reading.last, GW_PARSER_END);
        assert_int_equal(reading.head.reason.length, length > 256 ? 256 : length > 0 ? length : 1);
        reading_free(&reading);
    }
    (void)state;
}

static void an_answer_to_head_has_no_body(void **state)
{
    static const struct row rows[] = {
        { ANSWER("200 OK", "Content-Length: 7\r\n"), GW_ERROR_NONE },
        { ANSWER("200 OK", "Transfer-Encoding: chunked\r\n"), GW_ERROR_NONE },
        { ANSWER("200 OK", ""), GW_ERROR_NONE },
        { ANSWER("200 OK", "Content-Length: 7\r\nContent-Length: 7\r\n"), GW_ERROR_NONE },
        { ANSWER("200 OK", "Content-Length: 7\r\nContent-Length: 8\r\n"), GW_ERROR_UPSTREAM_MALFORMED },
        { ANSWER("200 OK", "Content-Length: 7\r\nTransfer-Encoding: chunked\r\n"), GW_ERROR_NONE },
        { ANSWER("404 No", "Transfer-Encoding: chunked\r\nA: b\r\nContent-Length: 0\r\n"), GW_ERROR_NONE },
        { ANSWER("101 Up", "Content-Length: 7\r\nTransfer-Encoding: chunked\r\n"), GW_ERROR_UPSTREAM_MALFORMED },
    };
    CHECK_ROWS(rows, &response_to_head);

    struct reading reading;
    read_every_way(&reading, &response_to_head,
                   GW_SLICE(ANSWER("200 OK", "Content-Length: 7\r\nTransfer-Encoding: chunked\r\n")));
    assert_true(reading.head.is_forgiven && !reading.head.keep_alive);
    assert_null(gw_head_find(&reading.head, GW_FIELD_CONTENT_LENGTH));
    assert_true(reading.head.content_length == UINT64_MAX);
    reading_free(&reading);
    read_every_way(&reading, &response_to_head, GW_SLICE(ANSWER("200 OK", "Content-Length: 7\r\n") "HTTP"));
    assert_int_equal(reading.head.framing, GW_FRAMING_NONE);
    assert_int_equal(reading.head.content_length, 7);
    assert_int_equal(reading.rest, 4);
    reading_free(&reading);
    read_every_way(&reading, &response_to_head, GW_SLICE(ANSWER("200 OK", "")));
    assert_true(reading.head.content_length == UINT64_MAX);
    reading_free(&reading);
    (void)state;
}

struct wish {
    const char *text;
    bool keep_alive, wants_upgrade, expects_continue;
};

static void what_the_sender_wishes_for_its_connection_is_read(void **state)
{
    static const struct wish rows[] = {
        { WITH(""), true, false, false },
        { WITH("Connection: close\r\n"), false, false, false },
        { WITH("Connection: foo, CLOSE\r\n"), false, false, false },
        { WITH("Connection: keep-alive\r\nConnection: close\r\n"), false, false, false },
        { WITH("Connection: closed\r\n"), true, false, false },
        { WITH("Connection: Upgrade\r\nUpgrade: websocket\r\n"), true, true, false },
        { WITH("Connection: Upgrade\r\n"), true, false, false },
        { WITH("Upgrade: websocket\r\n"), true, false, false },
        { WITH("Expect: 100-continue\r\nContent-Length: 1\r\n") "a", true, false, true },
        { WITH("Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n") "0\r\n\r\n", true, false, true },
        { WITH("Expect: 100-continue\r\n"), true, false, false },
        { "GET / HTTP/1.0\r\n\r\n", false, false, false },
        { "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true, false, false },
        { "GET / HTTP/1.0\r\nConnection: keep-alive, upgrade\r\nUpgrade: a\r\n\r\n", true, false, false },
        { "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na", false, false, false },
    };
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct reading reading;
        read_every_way(&reading, &request, gw_slice_of_string(rows[i].text));
        assert_int_equal(reading.last, GW_PARSER_END);
        if (reading.head.keep_alive != rows[i].keep_alive || reading.head.wants_upgrade != rows[i].wants_upgrade ||
            reading.head.expects_continue != rows[i].expects_continue)
            fail_msg("row %zu: %s", i, rows[i].text);
        reading_free(&reading);
    }
    (void)state;
}

struct parts {
    const char *text, *path, *query, *authority;
};

static void a_target_is_split_into_its_parts(void **state)
{
    static const struct parts rows[] = {
        /* text, path, query, authority */
        { GET("/"), "/", NULL, "a" },
        { GET("/a/b?c=d"), "/a/b", "c=d", "a" },
        { GET("/a?"), "/a", "", "a" },
        { GET("/?a?b"), "/", "a?b", "a" },
        { GET("http://A"), "/", NULL, "A" },
        { GET("http://a:80?b"), "/", "b", "a:80" },
        { GET("http://a/c?b"), "/c", "b", "a" },
        { "OPTIONS * HTTP/1.1\r\nHost: a:1\r\n\r\n", "*", NULL, "a:1" },
        { "OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n", "*", NULL, "a" },
        { "OPTIONS http://a? HTTP/1.1\r\nHost: a\r\n\r\n", "/", "", "a" },
        { "GET / HTTP/1.0\r\n\r\n", "/", NULL, NULL },
        { "GET / HTTP/1.0\r\nHost:\r\n\r\n", "/", NULL, "" },
    };
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct reading reading;
        read_every_way(&reading, &request, gw_slice_of_string(rows[i].text));
        assert_int_equal(reading.last, GW_PARSER_END);
        const struct gw_head *head = &reading.head;
        bool right = gw_slice_equal(head->path, gw_slice_of_string(rows[i].path)) &&
                     gw_slice_equal(head->query, gw_slice_of_string(rows[i].query)) &&
                     !head->query.at == !rows[i].query &&
                     gw_slice_equal(head->authority, gw_slice_of_string(rows[i].authority)) &&
                     !head->authority.at == !rows[i].authority;
        if (!right)
            fail_msg("row %zu: %s", i, rows[i].text);
        reading_free(&reading);
    }
    (void)state;
}

static void a_head_that_came_another_way_is_held_to_the_grammar(void **state)
{
    static const struct {
        struct gw_slice name, value;
        enum gw_error error;
    } rows[] = {
        { { "a", 1 }, { "b", 1 }, GW_ERROR_NONE },
        { { "a b", 3 }, { "b", 1 }, GW_ERROR_UPSTREAM_MALFORMED },
        { { "", 0 }, { "b", 1 }, GW_ERROR_UPSTREAM_MALFORMED },
        { { "a", 1 }, { "b\r\nc: d", 7 }, GW_ERROR_UPSTREAM_MALFORMED },
        { { "a", 1 }, { "b\0", 2 }, GW_ERROR_UPSTREAM_MALFORMED },
        { { "content-length", 14 }, { "1x", 2 }, GW_ERROR_UPSTREAM_MALFORMED },
    };
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_arena arena;
        struct gw_head head;
        gw_arena_init(&arena, 1024, 4096);
        gw_head_init(&head);
        head.status = 200;
        head.version_minor = 1;
        assert_true(gw_head_add(&head, &arena, rows[i].name, rows[i].value));
        assert_int_equal(gw_guard_head(&head, true, GW_METHOD_GET), rows[i].error);
        gw_arena_free(&arena);
    }
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_line_is_method_target_version),
        cmocka_unit_test(a_target_has_what_browsers_send),
        cmocka_unit_test(absolute_form_and_host_agree),
        cmocka_unit_test(one_valid_host_is_required),
        cmocka_unit_test(a_field_line_is_name_colon_value),
        cmocka_unit_test(nul_is_refused_everywhere),
        cmocka_unit_test(a_control_is_refused_wherever_it_stands_in_a_value),
        cmocka_unit_test(two_empty_lines_may_stand_before_a_request),
        cmocka_unit_test(a_length_is_told_in_one_way),
        cmocka_unit_test(the_only_coding_is_one_final_chunked),
        cmocka_unit_test(the_only_expectation_is_100_continue),
        cmocka_unit_test(a_backend_is_held_to_the_same_rules),
        cmocka_unit_test(what_leaves_no_doubt_where_an_answer_ends_is_forgiven),
        cmocka_unit_test(a_reason_phrase_is_bounded),
        cmocka_unit_test(an_answer_to_head_has_no_body),
        cmocka_unit_test(what_the_sender_wishes_for_its_connection_is_read),
        cmocka_unit_test(a_target_is_split_into_its_parts),
        cmocka_unit_test(a_head_that_came_another_way_is_held_to_the_grammar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
