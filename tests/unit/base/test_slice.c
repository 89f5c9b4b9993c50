#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/base.h"
#include "base/slice.h"

static struct gw_slice text(const char *string)
{
    return gw_slice_of_string(string);
}

static void assert_slice(struct gw_slice slice, const char *expected)
{
    assert_int_equal(slice.length, strlen(expected));
    assert_memory_equal(slice.at, expected, slice.length);
}

static void a_list_is_split_at_commas_outside_quotes(void **state)
{
    static const struct {
        const char *list, *elements[4];
    } rows[] = {
        { "", { NULL } },
        { " \t ", { NULL } },
        { ",", { NULL } },
        { " , ,\t,", { NULL } },
        { "a", { "a" } },
        { "a,b", { "a", "b" } },
        { " a ,\tb\t", { "a", "b" } },
        { "a,,b,", { "a", "b" } },
        { ",a", { "a" } },
        { "a b, c", { "a b", "c" } },
        { "\"a,b\",c", { "\"a,b\"", "c" } },
        { "x=\"a,b\";y, c", { "x=\"a,b\";y", "c" } },
        { "\"a\\\",b\",c", { "\"a\\\",b\"", "c" } },  /* an escaped quote does not end the string */
        { "\"a\\\\\",b", { "\"a\\\\\"", "b" } },      /* an escaped backslash does not escape the quote */
        { "a\\,b", { "a\\", "b" } },                  /* outside quotes a backslash is a byte like others */
        { "\"open,b", { "\"open,b" } },               /* never closed: all one element */
        { "\"open\\", { "\"open\\" } },               /* ends in the middle of an escape */
        { "W/\"1\", \"2\"", { "W/\"1\"", "\"2\"" } }, /* entity tags */
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_slice rest = text(rows[i].list), element;
        for (unsigned n = 0; rows[i].elements[n]; n++) {
            assert_true(gw_slice_next_element(&rest, &element));
            assert_slice(element, rows[i].elements[n]);
        }
        assert_false(gw_slice_next_element(&rest, &element));
        assert_int_equal(rest.length, 0);
    }
}

static void the_absent_slice_is_an_empty_list(void **state)
{
    (void)state;
    struct gw_slice rest = GW_NO_SLICE, element;
    assert_false(gw_slice_next_element(&rest, &element));
    assert_false(gw_slice_list_has(GW_NO_SLICE, GW_SLICE("a")));
    assert_null(gw_slice_trim(GW_NO_SLICE).at);
    assert_true(gw_slice_equal(GW_NO_SLICE, GW_SLICE("")));
    assert_true(gw_slice_starts_with(GW_SLICE("a"), GW_NO_SLICE));
    assert_null(text(NULL).at);
}

static void a_list_has_a_token_in_any_case_but_only_whole(void **state)
{
    static const struct {
        const char *list, *token;
        bool has;
    } rows[] = {
        { "close", "close", true },        { "Keep-Alive, CLOSE", "close", true },
        { "closed", "close", false },      { "x close", "close", false },
        { "\"close\"", "close", false },   { "", "close", false },
        { "a,b,close ,c", "close", true }, { "a", "", false },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++)
        assert_int_equal(gw_slice_list_has(text(rows[i].list), text(rows[i].token)), rows[i].has);
}

static void digits_become_a_number_or_are_refused(void **state)
{
    static const struct {
        const char *digits;
        bool good;
        uint64_t value;
    } rows[] = {
        { "0", true, 0 },
        { "7", true, 7 },
        { "007", true, 7 },
        { "18446744073709551615", true, UINT64_MAX },
        { "18446744073709551616", false, 0 }, /* one too many */
        { "18446744073709551620", false, 0 },
        { "28446744073709551615", false, 0 },
        { "99999999999999999999", false, 0 },
        { "184467440737095516150", false, 0 },
        { "00000000000000000000000018446744073709551615", true, UINT64_MAX },
        { "", false, 0 },
        { "+1", false, 0 },
        { "-1", false, 0 },
        { " 1", false, 0 },
        { "1 ", false, 0 },
        { "1,1", false, 0 },
        { "0x1", false, 0 },
        { "1e3", false, 0 },
        { "/", false, 0 }, /* the bytes beside '0' and '9' */
        { ":", false, 0 },
        { "\xd9\xa1", false, 0 }, /* a digit elsewhere in Unicode */
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        uint64_t value = 99;
        assert_int_equal(gw_slice_to_uint64(text(rows[i].digits), &value), rows[i].good);
        assert_int_equal(value, rows[i].good ? rows[i].value : 99);
    }
}

static void a_nul_within_digits_is_no_digit(void **state)
{
    (void)state;
    uint64_t value;
    assert_false(gw_slice_to_uint64(gw_slice_of("1\0", 2), &value));
    assert_false(gw_slice_to_uint64(GW_NO_SLICE, &value));
}

static void only_spaces_and_tabs_are_trimmed(void **state)
{
    static const struct {
        const char *whole, *trimmed;
    } rows[] = {
        { "a", "a" },     { " a ", "a" }, { "\t \ta b\t ", "a b" }, { "  ", "" }, { "\r\na\n", "\r\na\n" },
        { "\va", "\va" }, { "", "" },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++)
        assert_slice(gw_slice_trim(text(rows[i].whole)), rows[i].trimmed);
}

static void case_is_ignored_for_ascii_letters_only(void **state)
{
    (void)state;
    assert_true(gw_slice_equal_nocase(GW_SLICE("Content-LENGTH"), GW_SLICE("content-length")));
    assert_false(gw_slice_equal_nocase(GW_SLICE("a"), GW_SLICE("ab")));
    assert_false(gw_slice_equal_nocase(GW_SLICE("@"), GW_SLICE("`"))); /* differ in bit 0x20, beside 'A' and 'a' */
    assert_false(gw_slice_equal_nocase(GW_SLICE("["), GW_SLICE("{")));
    assert_false(gw_slice_equal_nocase(GW_SLICE("\xc4"), GW_SLICE("\xe4")));
    assert_true(gw_slice_equal_nocase(gw_slice_of("a\0Z", 3), gw_slice_of("A\0z", 3)));
    assert_false(gw_slice_equal_nocase(gw_slice_of("a\0Z", 3), gw_slice_of("a\0y", 3)));
}

static void a_start_is_not_longer_than_the_whole(void **state)
{
    (void)state;
    assert_true(gw_slice_starts_with(GW_SLICE("/api/x"), GW_SLICE("/api")));
    assert_true(gw_slice_starts_with(GW_SLICE("/api"), GW_SLICE("/api")));
    assert_false(gw_slice_starts_with(GW_SLICE("/ap"), GW_SLICE("/api")));
    assert_false(gw_slice_starts_with(GW_NO_SLICE, GW_SLICE("/")));
    assert_false(gw_slice_starts_with(GW_SLICE("/API"), GW_SLICE("/api")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_is_split_at_commas_outside_quotes),
        cmocka_unit_test(the_absent_slice_is_an_empty_list),
        cmocka_unit_test(a_list_has_a_token_in_any_case_but_only_whole),
        cmocka_unit_test(digits_become_a_number_or_are_refused),
        cmocka_unit_test(a_nul_within_digits_is_no_digit),
        cmocka_unit_test(only_spaces_and_tabs_are_trimmed),
        cmocka_unit_test(case_is_ignored_for_ascii_letters_only),
        cmocka_unit_test(a_start_is_not_longer_than_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
