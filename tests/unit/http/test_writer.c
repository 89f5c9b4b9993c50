#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "http/writer.h"

static void put_all(struct gw_buffer *buffer)
{
    gw_writer_put_field(buffer, GW_SLICE("A"), GW_SLICE("one"));
    struct gw_writer_line line = gw_writer_begin(buffer, GW_SLICE("List"));
    for (uint64_t i = 1; i < 1000; i *= 10) {
        gw_buffer_put_uint(buffer, i);
        gw_buffer_put_literal(buffer, ", ");
    }
    gw_buffer_put_char(buffer, 'x');
    gw_writer_end(&line);
    gw_writer_put_uint_field(buffer, GW_SLICE("Age"), 12);
    gw_writer_put_field(buffer, GW_SLICE("Empty"), GW_NO_SLICE);
}

static void lines_are_a_name_a_colon_a_blank_and_a_value(void **state)
{
    (void)state;
    char memory[128];
    struct gw_buffer buffer = gw_buffer_over(memory, sizeof memory);
    put_all(&buffer);
    assert_false(buffer.overflowed);
    assert_true(
        gw_slice_equal(gw_buffer_slice(&buffer), GW_SLICE("A: one\r\nList: 1, 10, 100, x\r\nAge: 12\r\nEmpty: \r\n")));
}

/* With any amount of room, the buffer has whole lines only, and it tells that a line is missing. */
static void a_line_is_there_whole_or_not_at_all(void **state)
{
    static const struct gw_slice lines[] = {
        { "A: one\r\n", 8 }, { "List: 1, 10, 100, x\r\n", 21 }, { "Age: 12\r\n", 9 }, { "Empty: \r\n", 9 }
    };
    (void)state;
    for (size_t room = 0; room < 8 + 21 + 9 + 9; room++) {
        char memory[64];
        struct gw_buffer buffer = gw_buffer_over(memory, room);
        put_all(&buffer);
        assert_true(buffer.overflowed);
        struct gw_slice rest = gw_buffer_slice(&buffer);
        for (size_t i = 0; i < GW_COUNT(lines); i++)
            if (gw_slice_starts_with(rest, lines[i]))
                rest = gw_slice_of(rest.at + lines[i].length, rest.length - lines[i].length);
        assert_int_equal(rest.length, 0);
    }
}

static void a_line_that_fits_does_not_hide_one_that_did_not(void **state)
{
    (void)state;
    char memory[16];
    struct gw_buffer buffer = gw_buffer_over(memory, sizeof memory);
    gw_writer_put_field(&buffer, GW_SLICE("Long"), GW_SLICE("more than there is room"));
    struct gw_writer_line line = gw_writer_begin(&buffer, GW_SLICE("B"));
    gw_buffer_put_char(&buffer, '2');
    gw_writer_end(&line);
    assert_true(gw_slice_equal(gw_buffer_slice(&buffer), GW_SLICE("B: 2\r\n")));
    assert_true(buffer.overflowed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_a_name_a_colon_a_blank_and_a_value),
        cmocka_unit_test(a_line_is_there_whole_or_not_at_all),
        cmocka_unit_test(a_line_that_fits_does_not_hide_one_that_did_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
