#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/base.h"
#include "http/grammar.h"

static void classes_are_those_of_the_rfcs(void **state)
{
    static const char alnum[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    static const char pchar[] = "-._~!$&'()*+,;=:@";
    static const char raw[] = "[]{}|^`"; /* what browsers send beside them, in the path; in the query also raw_query */
    static const char raw_query[] = "?\\%";
    for (int c = 0; c < 256; c++) {
        bool letter = c && strchr(alnum, c), path = letter || (c && (strchr(pchar, c) || strchr(raw, c) || c == '/'));
        unsigned classes = gw_grammar_classes[c];
        assert_int_equal(!!(classes & GW_GRAMMAR_TCHAR), letter || (c && strchr("!#$%&'*+-.^_`|~", c)));
        assert_int_equal(!!(classes & GW_GRAMMAR_VALUE), c == '\t' || (c >= ' ' && c != 0x7f));
        assert_int_equal(!!(classes & GW_GRAMMAR_PATH), path);
        assert_int_equal(!!(classes & GW_GRAMMAR_QUERY), path || c >= 0x80 || (c && strchr(raw_query, c)));
        assert_int_equal(!!(classes & GW_GRAMMAR_NAME), letter || (c && strchr("-._~!$&'()*+;=", c)));
        assert_int_equal(!!(classes & GW_GRAMMAR_DIGIT), c >= '0' && c <= '9');
        assert_int_equal(!!(classes & GW_GRAMMAR_HEX), c && strchr("0123456789abcdefABCDEF", c));
        assert_int_equal(!!(classes & GW_GRAMMAR_ID), letter || (c && strchr("-_.:/+=@", c)));
    }
    (void)state;
}

static void tokens_and_values_are_told_apart(void **state)
{
    assert_true(gw_grammar_is_token(GW_SLICE("a-b_c.d~1")));
    assert_false(gw_grammar_is_token(GW_SLICE("")));
    assert_false(gw_grammar_is_token(GW_SLICE("a b")));
    assert_false(gw_grammar_is_token(GW_SLICE("a\0")));
    assert_true(gw_grammar_is_field_value(GW_SLICE("")));
    assert_true(gw_grammar_is_field_value(GW_SLICE("a \t\"\xff")));
    assert_false(gw_grammar_is_field_value(GW_SLICE("a\r")));
    assert_false(gw_grammar_is_field_value(GW_SLICE("a\0b")));
    (void)state;
}

static void a_request_id_is_short_and_plain(void **state)
{
    char text[129];
    memset(text, 'x', sizeof text);
    assert_true(gw_grammar_is_request_id(gw_slice_of(text, 128)));
    assert_false(gw_grammar_is_request_id(gw_slice_of(text, 129)));
    assert_false(gw_grammar_is_request_id(GW_SLICE("")));
    assert_true(gw_grammar_is_request_id(GW_SLICE("Root=1-67:a/b+c=_.@")));
    assert_false(gw_grammar_is_request_id(GW_SLICE("a b")));
    assert_false(gw_grammar_is_request_id(GW_SLICE("a\"")));
    (void)state;
}

struct row {
    const char *text, *host; /* NULL: refused */
    unsigned port;
};

static void an_authority_is_host_and_port(void **state)
{
    static const struct row rows[] = {
        { "a", "a", 0 },
        { "a:", "a", 0 },
        { "a:1", "a", 1 },
        { "a:65535", "a", 65535 },
        { "a%20b", "a%20b", 0 },
        { "[::]", "[::]", 0 },
        { "[2001:db8::1]:443", "[2001:db8::1]", 443 },
        { "[::ffff:192.0.2.1]", "[::ffff:192.0.2.1]", 0 },
        { "", NULL, 0 },
        { ":1", NULL, 0 },
        { "a:0", NULL, 0 },
        { "a:65536", NULL, 0 },
        { "a:000080", NULL, 0 },
        { "a:1 ", NULL, 0 },
        { "a:-1", NULL, 0 },
        { "u@a", NULL, 0 },
        { "a,b", NULL, 0 },
        { "a%2", NULL, 0 },
        { "a%zz", NULL, 0 },
        { "a]", NULL, 0 },
        { "[]", NULL, 0 },
        { "[::1", NULL, 0 },
        { "[::1]a", NULL, 0 },
        { "[::1%25eth0]", NULL, 0 },
        { "[192.0.2.1]", NULL, 0 },
        { "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]", NULL, 0 },
    };
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_slice host = GW_NO_SLICE;
        unsigned port = 0;
        bool is = gw_grammar_split_authority(gw_slice_of_string(rows[i].text), &host, &port);
        if (is != !!rows[i].host ||
            (is && (!gw_slice_equal(host, gw_slice_of_string(rows[i].host)) || port != rows[i].port)))
            fail_msg("%s", rows[i].text);
        assert_int_equal(gw_grammar_is_authority(gw_slice_of_string(rows[i].text)), is);
    }
    (void)state;
}

static void an_origin_form_is_path_and_query(void **state)
{
    assert_true(gw_grammar_is_origin_form(GW_SLICE("/")));
    assert_true(gw_grammar_is_origin_form(GW_SLICE("/a%2Fb?c=%20/?")));
    assert_false(gw_grammar_is_origin_form(GW_SLICE("")));
    assert_false(gw_grammar_is_origin_form(GW_SLICE("a")));
    assert_false(gw_grammar_is_origin_form(GW_SLICE("?a")));
    assert_false(gw_grammar_is_origin_form(GW_SLICE("/a%2")));
    assert_false(gw_grammar_is_origin_form(GW_SLICE("/a%zz?b")));
    assert_true(gw_grammar_is_origin_form(GW_SLICE("/a?%")));
    assert_false(gw_grammar_is_origin_form(GW_SLICE("/a#b")));
    assert_false(gw_grammar_is_origin_form(GW_SLICE("/a?b#c")));
    assert_true(gw_grammar_is_origin_form(GW_SLICE("/a[b]?[b]\\\xff")));
    assert_false(gw_grammar_is_origin_form(GW_SLICE("/a\\b")));
    assert_false(gw_grammar_is_origin_form(GW_SLICE("/a\xff")));
    assert_true(gw_grammar_is_query(GW_SLICE("")));
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_are_those_of_the_rfcs),    cmocka_unit_test(tokens_and_values_are_told_apart),
        cmocka_unit_test(a_request_id_is_short_and_plain),  cmocka_unit_test(an_authority_is_host_and_port),
        cmocka_unit_test(an_origin_form_is_path_and_query),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
