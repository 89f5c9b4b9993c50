#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "http/structured.h"

struct row {
    const char *line;
    bool is_list;
};

static void assert_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (gw_structured_is_list(gw_slice_of_string(rows[i].line)) != rows[i].is_list)
            fail_msg("%s: expected %s", rows[i].line, rows[i].is_list ? "a List" : "none");
}

static void a_list_is_items_and_commas(void **state) /* RFC 9651 §4.2.1 */
{
    static const struct row rows[] = {
        { "a", true },
        { "a,b", true },
        { "a , b", true },
        { "a\t,\tb", true },
        { "a, b", true },
        { "1, 42", true },
        { "\"a\", b;c", true },
        { "", false },
        { ",", false },
        { ",a", false },
        { "a,", false },
        { "a, ", false },
        { "a,,b", false },
        { "a, , b", false },
        { "a b", false },
        { "a;b c", false },
        { "a=1", false },
        { "x,,y", false },
        { "limit=100, remaining=50, reset=3", false },
        { "(a b), c", true },
        { "()", true },
        { "( a  b )", true },
        { "(a;x b);y=1", true },
        { "(a,b)", false },
        { "(a\tb)", false },
        { "(a", false },
        { "(a \"b\"c)", false },
        { "((a))", false },
        { "a)", false },
        { "(\"a\"\"b\")", false },
        { "\xc3\xa4", false },
    };
    (void)state;
    assert_rows(rows, GW_COUNT(rows));
}

static void items_have_the_types_of_the_rfc_alone(void **state) /* §4.2.3.1 to §4.2.10 */
{
    static const struct row rows[] = {
        { "0", true },
        { "-0", true },
        { "00", true },
        { "-42", true },
        { "999999999999999", true },
        { "1000000000000000", false },
        { "+1", false },
        { "--1", false },
        { "-", false },
        { "- 1", false },
        { "1a", false },
        { "1 2", false },
        { "1.5", true },
        { "-1.500", true },
        { "1.", false },
        { ".5", false },
        { "1.2345", false },
        { "1..2", false },
        { "-.1", false },
        { "123456789012.1", true },
        { "1234567890123.1", false },
        { "1.2.3", false },
        { "1e5", false },
        { "\"\"", true },
        { "\"a b, c; d\"", true },
        { "\"\\\"\\\\\"", true },
        { "\"\\a\"", false },
        { "\"\\", false },
        { "\"a", false },
        { "\"\t\"", false },
        { "\"\x7f\"", false },
        { "\"\xc3\xa4\"", false },
        { "'a'", false },
        { "*", true },
        { "*a", true },
        { "a:b/c", true },
        { "A!#$%&'*+-.^_`|~9", true },
        { "_a", false },
        { "a\"", false },
        { "a(b", false },
        { "::", true },
        { ":aGVsbG8=:", true },
        { ":aGVsbG8:", true },
        { ":aGVsbG8", false },
        { ":aGVsb G8=:", false },
        { ":a=b:", false },
        { ":-_:", false },
        { ":a:", false },
        { ":a===:", false },
        { ":aGVsbG8==:", false },
        { "?0", true },
        { "?1", true },
        { "?", false },
        { "?2", false },
        { "?10", false },
        { "?T", false },
        { "@1659578233", true },
        { "@-1", true },
        { "@1.5", false },
        { "@", false },
        { "@@1", false },
        { "@a", false },
        { "%\"f%c3%bc\"", true },
        { "%\"\"", true },
        { "%\"%00\"", true },
        { "%\"%f0%9f%98%80\"", true },
        { "%\"%C3%BC\"", false },
        { "%\"%c3\"", false },
        { "%\"%c3a\"", false },
        { "%\"%bc\"", false },
        { "%\"%ed%a0%80\"", false },
        { "%\"%c0%80\"", false },
        { "%\"%f4%90%80%80\"", false },
        { "%\"%e0%80%80\"", false },
        { "%\"%f5%80%80%80\"", false },
        { "%\"%4\"", false },
        { "%\"%\"", false },
        { "%a", false },
        { "%", false },
        { "%\"\xc3\xbc\"", false },
        { "{a}", false },
    };
    (void)state;
    assert_rows(rows, GW_COUNT(rows));
}

static void parameters_are_keys_and_bare_items(void **state) /* §4.2.3.2, §4.2.3.3 */
{
    static const struct row rows[] = {
        { "a;b", true },       { "a;b=1", true },    { "a;  b=1;c=\"x\";d", true },
        { "a;b=1;b=2", true }, { "a;*b=?0", true },  { "a;b1_-.*=1", true },
        { "a;b=;c", false },   { "a;", false },      { "a;b=1;", false },
        { "a;B=1", false },    { "a;1=1", false },   { "a ;b", false },
        { "a;\tb", false },    { "a; b =1", false }, { "a;b= 1", false },
        { "a;b=(1)", false },  { "a;=1", false },    { "a;;b", false },
        { "a;b==1", false },   { "a;b\"", false },
    };
    (void)state;
    assert_rows(rows, GW_COUNT(rows));
}

static void members_are_told_with_their_type(void **state)
{
    (void)state;
    struct gw_slice rest = GW_SLICE("\"a, b\";x=\"c\", tok/en;y , (1 2);z, 1.5, ?1");
    static const struct {
        enum gw_structured_type type;
        const char *text;
    } rows[] = { { GW_STRUCTURED_STRING, "a, b" },
                 { GW_STRUCTURED_TOKEN, "tok/en" },
                 { GW_STRUCTURED_INNER_LIST, "(1 2)" },
                 { GW_STRUCTURED_DECIMAL, "1.5" },
                 { GW_STRUCTURED_BOOLEAN, "?1" } };
    struct gw_structured_member member;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        assert_true(gw_structured_next(&rest, &member));
        assert_int_equal(member.type, rows[i].type);
        assert_true(gw_slice_equal(member.text, gw_slice_of_string(rows[i].text)));
    }
    assert_false(gw_structured_next(&rest, &member));
    assert_int_equal(rest.length, 0);
}

static void a_member_of_ours_is_put_behind_good_lists_of_others_alone(void **state)
{
    static const struct {
        const char *lines[3]; /* of the field */
        bool takes;
    } rows[] = {
        { { NULL }, true },
        { { "\"theirs\";r=5" }, true },
        { { "\"theirs\";r=5", "other" }, true },
        { { "\"theirs\";r=5", "" }, false },
        { { "\"theirs\";r=5", "x,,y" }, false },
        { { "" }, false },
        { { "\"ours\";r=5" }, false },
        { { "ours" }, false },
        { { "a, b;x=\"c\", ours;z" }, false },
        { { "\"Ours\", ours-too, x;ours" }, true },
        { { "100;w=60" }, false }, /* well-formed, but of another type */
        { { "(\"a\")" }, false },
        { { "\"\"" }, true },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_arena arena;
        struct gw_head head;
        gw_arena_init(&arena, 4096, 4096);
        gw_head_init(&head);
        assert_true(gw_head_add(&head, &arena, GW_SLICE("RateLimit-Policy"), GW_SLICE("x,,y")));
        for (size_t n = 0; n < 3 && rows[i].lines[n]; n++)
            assert_true(gw_head_add(&head, &arena, GW_SLICE("RateLimit"), gw_slice_of_string(rows[i].lines[n])));
        bool takes = gw_structured_takes(&head, GW_FIELD_RATELIMIT, GW_STRUCTURED_STRING | GW_STRUCTURED_TOKEN,
                                         GW_SLICE("ours"));
        if (takes != rows[i].takes)
            fail_msg("row %zu", i);
        gw_arena_free(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_is_items_and_commas),
        cmocka_unit_test(items_have_the_types_of_the_rfc_alone),
        cmocka_unit_test(parameters_are_keys_and_bare_items),
        cmocka_unit_test(members_are_told_with_their_type),
        cmocka_unit_test(a_member_of_ours_is_put_behind_good_lists_of_others_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
