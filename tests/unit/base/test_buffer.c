#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <inttypes.h>
#include <stdio.h>
#include <cmocka.h>
#include "base/buffer.h"

static void assert_holds(const struct gw_buffer *buffer, const char *expected)
{
    assert_int_equal(buffer->length, strlen(expected));
    assert_memory_equal(buffer->at, expected, buffer->length);
}

static void what_does_not_fit_the_callers_memory_is_left_out_whole(void **state)
{
    (void)state;
    char memory[8] = "-------";
    struct gw_buffer buffer = gw_buffer_over(memory, 6);
    gw_buffer_put_literal(&buffer, "abc");
    assert_false(buffer.overflowed);
    gw_buffer_put_literal(&buffer, "defg"); /* one too many */
    assert_true(buffer.overflowed);
    assert_holds(&buffer, "abc");
    gw_buffer_put_literal(&buffer, "def"); /* what fits still comes in; the mark stays */
    assert_holds(&buffer, "abcdef");
    assert_true(buffer.overflowed);
    gw_buffer_put_char(&buffer, '!');
    assert_holds(&buffer, "abcdef");
    assert_int_equal(memory[6], '-');
}

static void a_buffer_without_memory_takes_only_nothing(void **state)
{
    (void)state;
    struct gw_buffer buffer = gw_buffer_over(NULL, 0);
    gw_buffer_put_slice(&buffer, GW_NO_SLICE);
    gw_buffer_put_string(&buffer, "");
    assert_false(buffer.overflowed);
    gw_buffer_put_char(&buffer, 'a');
    assert_true(buffer.overflowed);
    assert_int_equal(buffer.length, 0);
}

static void a_heap_buffer_grows_up_to_its_bound_and_not_beyond(void **state)
{
    static const size_t bounds[] = { 1, 100, 511, 512, 513, 1000, 4097 };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(bounds); i++) {
        struct gw_buffer buffer = gw_buffer_create(bounds[i]);
        assert_null(buffer.at);
        for (size_t n = 0; n < bounds[i]; n++)
            gw_buffer_put_char(&buffer, (char)('a' + n % 26));
        assert_false(buffer.overflowed);
        assert_int_equal(buffer.length, bounds[i]);
        assert_true(buffer.capacity <= bounds[i]);
        gw_buffer_put_char(&buffer, '!');
        assert_true(buffer.overflowed);
        assert_int_equal(buffer.length, bounds[i]);
        for (size_t n = 0; n < bounds[i]; n++)
            assert_int_equal(buffer.at[n], 'a' + n % 26);
        gw_buffer_destroy(&buffer);
        assert_null(buffer.at);
        assert_false(buffer.overflowed);
    }
}

static void a_destroyed_buffer_may_be_used_again(void **state)
{
    (void)state;
    struct gw_buffer buffer = gw_buffer_create(1000);
    gw_buffer_put_literal(&buffer, "first");
    gw_buffer_destroy(&buffer);
    gw_buffer_put_literal(&buffer, "second");
    assert_holds(&buffer, "second");
    gw_buffer_destroy(&buffer);
}

static void a_buffer_in_an_arena_grows_up_to_the_arenas_bound(void **state)
{
    enum { FIRST = 2048, FURTHER = 16384 };
    (void)state;
    struct gw_arena arena;
    gw_arena_init(&arena, FIRST, FURTHER);
    struct gw_buffer buffer = gw_buffer_in(&arena, 0);
    for (size_t i = 0; i < 4000; i++) {
        gw_buffer_put_char(&buffer, (char)('a' + i % 26));
        if (i % 1000 == 0)
            assert_non_null(gw_arena_take(&arena, 1)); /* it is not the newest piece any more */
    }
    assert_false(buffer.overflowed);
    assert_int_equal(buffer.length, 4000);
    for (size_t i = 0; i < 4000; i++)
        assert_int_equal(buffer.at[i], 'a' + i % 26);
    assert_false(gw_buffer_reserve(&buffer, FURTHER));
    assert_true(buffer.overflowed);
    assert_int_equal(buffer.length, 4000);
    gw_buffer_clear(&buffer);
    gw_buffer_put_literal(&buffer, "again");
    assert_false(buffer.overflowed);
    assert_holds(&buffer, "again");
    gw_arena_free(&arena);
}

static void a_buffer_in_an_arena_begins_with_the_room_that_it_was_given_or_overflowed(void **state)
{
    enum { FIRST = 64, FURTHER = 64 };
    (void)state;
    struct gw_arena arena;
    gw_arena_init(&arena, FIRST, FURTHER);
    struct gw_buffer buffer = gw_buffer_in(&arena, FIRST), none = gw_buffer_in(&arena, FIRST + FURTHER);
    assert_int_equal(buffer.capacity, FIRST);
    assert_false(buffer.overflowed);
    assert_int_equal(none.capacity, 0);
    assert_true(none.overflowed);
    gw_arena_free(&arena);
}

static void an_absurd_length_overflows_and_does_not_wrap(void **state)
{
    (void)state;
    struct gw_buffer buffer = gw_buffer_create(100);
    gw_buffer_put_literal(&buffer, "a");
    assert_false(gw_buffer_reserve(&buffer, SIZE_MAX));
    assert_false(gw_buffer_reserve(&buffer, SIZE_MAX - 1));
    assert_true(buffer.overflowed);
    assert_holds(&buffer, "a");
    gw_buffer_destroy(&buffer);
}

static void numbers_hex_and_prints_are_written_whole_or_not_at_all(void **state)
{
    (void)state;
    char memory[64];
    struct gw_buffer buffer = gw_buffer_over(memory, sizeof memory);
    gw_buffer_put_uint(&buffer, 0);
    gw_buffer_put_char(&buffer, ' ');
    gw_buffer_put_uint(&buffer, UINT64_MAX);
    gw_buffer_put_char(&buffer, ' ');
    gw_buffer_put_hex(&buffer, "\x00\xff\x5a", 3);
    gw_buffer_print(&buffer, " %s-%03d", "x", 7);
    assert_holds(&buffer, "0 18446744073709551615 00ff5a x-007");

    struct gw_buffer small = gw_buffer_over(memory, 5);
    gw_buffer_put_uint(&small, 123456);
    assert_true(small.overflowed);
    small.overflowed = false;
    gw_buffer_put_hex(&small, "abc", 3);
    assert_true(small.overflowed);
    small.overflowed = false;
    gw_buffer_print(&small, "%s", "abcde"); /* the terminator needs a byte for a moment */
    assert_true(small.overflowed);
    assert_int_equal(small.length, 0);
    small.overflowed = false;
    gw_buffer_print(&small, "%s", "abcd");
    assert_false(small.overflowed);
    assert_holds(&small, "abcd");
}

static void assert_printed(uint64_t value)
{
    char memory[32], expected[32];
    struct gw_buffer buffer = gw_buffer_over(memory, sizeof memory);
    snprintf(expected, sizeof expected, "%" PRIu64, value);
    gw_buffer_put_uint(&buffer, value);
    assert_holds(&buffer, expected);
}

static void numbers_of_each_length_are_written_as_printf_does(void **state)
{
    (void)state;
    for (uint64_t value = 0; value < 2100; value++)
        assert_printed(value);
    for (uint64_t power = 10; power <= UINT64_MAX / 10; power *= 10)
        for (uint64_t i = 0; i <= 2; i++) {
            assert_printed(power - 1 + i);
            assert_printed(power + power / 10 * 7 + i);
        }
    assert_printed(UINT64_MAX);
}

struct json_row {
    struct gw_slice text;
    const char *json;
};

static void json_text_escapes_what_json_forbids(void **state)
{
    static const struct json_row rows[] = {
        { { "", 0 }, "\"\"" },
        { { NULL, 0 }, "\"\"" },
        { { "plain /text", 11 }, "\"plain /text\"" },
        { { "a\"b\\c", 5 }, "\"a\\\"b\\\\c\"" },
        { { "\n\r\t", 3 }, "\"\\n\\r\\t\"" },
        { { "\0\x01\x1f", 3 }, "\"\\u0000\\u0001\\u001f\"" },
        { { "\b\f\v", 3 }, "\"\\u0008\\u000c\\u000b\"" },
        { { "\x7f", 1 }, "\"\\u007f\"" },
        /* well-formed UTF-8 stays: two, three, four bytes, and the ends of each range */
        { { "\xc3\xa4", 2 }, "\"\xc3\xa4\"" },
        { { "\xe2\x82\xac", 3 }, "\"\xe2\x82\xac\"" },
        { { "\xf0\x9f\x98\x80", 4 }, "\"\xf0\x9f\x98\x80\"" },
        { { "\xc2\x80\xdf\xbf", 4 }, "\"\xc2\x80\xdf\xbf\"" },
        { { "\xe0\xa0\x80\xef\xbf\xbf", 6 }, "\"\xe0\xa0\x80\xef\xbf\xbf\"" },
        { { "\xed\x9f\xbf\xee\x80\x80", 6 }, "\"\xed\x9f\xbf\xee\x80\x80\"" }, /* beside the surrogates */
        { { "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 8 }, "\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"" },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        char memory[128];
        struct gw_buffer buffer = gw_buffer_over(memory, sizeof memory);
        gw_buffer_put_json(&buffer, rows[i].text);
        assert_holds(&buffer, rows[i].json);
    }
}

#define FFFD "\xef\xbf\xbd"

static void bytes_that_are_no_utf8_become_replacement_characters(void **state)
{
    static const struct json_row rows[] = {
        { { "\x80", 1 }, "\"" FFFD "\"" }, /* a continuation alone */
        { { "\xbf\xbf", 2 }, "\"" FFFD FFFD "\"" },
        { { "\xff\xfe", 2 }, "\"" FFFD FFFD "\"" },
        { { "\xc3", 1 }, "\"" FFFD "\"" }, /* cut at the end */
        { { "\xe2\x82", 2 }, "\"" FFFD FFFD "\"" },
        { { "\xf0\x9f\x98", 3 }, "\"" FFFD FFFD FFFD "\"" },
        { { "\xc3(", 2 }, "\"" FFFD "(\"" },              /* no continuation: what follows stays */
        { { "\xe2\x82\"", 3 }, "\"" FFFD FFFD "\\\"\"" }, /* a quote is never swallowed */
        { { "\xc0\xaf", 2 }, "\"" FFFD FFFD "\"" },       /* overlong '/' */
        { { "\xc1\xbf", 2 }, "\"" FFFD FFFD "\"" },
        { { "\xe0\x9f\xbf", 3 }, "\"" FFFD FFFD FFFD "\"" }, /* overlong */
        { { "\xf0\x8f\xbf\xbf", 4 }, "\"" FFFD FFFD FFFD FFFD "\"" },
        { { "\xed\xa0\x80", 3 }, "\"" FFFD FFFD FFFD "\"" }, /* surrogates D800 and DFFF */
        { { "\xed\xbf\xbf", 3 }, "\"" FFFD FFFD FFFD "\"" },
        { { "\xf4\x90\x80\x80", 4 }, "\"" FFFD FFFD FFFD FFFD "\"" }, /* above U+10FFFF */
        { { "\xf5\x80\x80\x80", 4 }, "\"" FFFD FFFD FFFD FFFD "\"" },
        { { "a\xff\xc3\xa4"
            "b",
            5 },
          "\"a" FFFD "\xc3\xa4"
          "b\"" },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        char memory[128];
        struct gw_buffer buffer = gw_buffer_over(memory, sizeof memory);
        gw_buffer_put_json(&buffer, rows[i].text);
        assert_holds(&buffer, rows[i].json);
    }
}

/* Wherever a byte stands among others, it is written as it is alone. */
static void each_byte_is_written_as_json_wherever_it_stands(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 128; c++)
        for (size_t place = 0; place < 19; place++) {
            char text[] = "abcdefgh ijklmnop q", memory[64], one[16], expected[64];
            struct gw_buffer whole = gw_buffer_over(memory, sizeof memory), alone = gw_buffer_over(one, sizeof one);
            struct gw_buffer parts = gw_buffer_over(expected, sizeof expected);
            char byte = (char)c;
            gw_buffer_put_json(&alone, gw_slice_of(&byte, 1));
            gw_buffer_put_char(&parts, '"');
            gw_buffer_put(&parts, text, place);
            gw_buffer_put(&parts, one + 1, alone.length - 2);
            gw_buffer_put_string(&parts, text + place + 1);
            gw_buffer_put_literal(&parts, "\"\0");
            text[place] = byte;
            gw_buffer_put_json(&whole, gw_slice_of(text, sizeof text - 1));
            assert_holds(&whole, expected);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_does_not_fit_the_callers_memory_is_left_out_whole),
        cmocka_unit_test(a_buffer_without_memory_takes_only_nothing),
        cmocka_unit_test(a_heap_buffer_grows_up_to_its_bound_and_not_beyond),
        cmocka_unit_test(a_destroyed_buffer_may_be_used_again),
        cmocka_unit_test(a_buffer_in_an_arena_grows_up_to_the_arenas_bound),
        cmocka_unit_test(a_buffer_in_an_arena_begins_with_the_room_that_it_was_given_or_overflowed),
        cmocka_unit_test(an_absurd_length_overflows_and_does_not_wrap),
        cmocka_unit_test(numbers_hex_and_prints_are_written_whole_or_not_at_all),
        cmocka_unit_test(numbers_of_each_length_are_written_as_printf_does),
        cmocka_unit_test(json_text_escapes_what_json_forbids),
        cmocka_unit_test(each_byte_is_written_as_json_wherever_it_stands),
        cmocka_unit_test(bytes_that_are_no_utf8_become_replacement_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
