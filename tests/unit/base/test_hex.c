#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "base/hex.h"

static void every_byte_has_its_two_digits_at_every_place(void **state)
{
    static const char digits[] = "0123456789abcdef";
    (void)state;
    for (unsigned value = 0; value < 256; value++) {
        for (size_t place = 0; place < 9; place++) {
            unsigned char bytes[9] = { 0 };
            char text[18];
            memset(text, '?', sizeof text);
            bytes[place] = (unsigned char)value;
            assert_ptr_equal(gw_hex_put(text, bytes, sizeof bytes), text + sizeof text);
            for (size_t i = 0; i < sizeof bytes; i++) {
                assert_int_equal(text[2 * i], digits[bytes[i] >> 4]);
                assert_int_equal(text[2 * i + 1], digits[bytes[i] & 15]);
            }
        }
    }
}

static void no_more_is_written_than_asked_for(void **state)
{
    static const unsigned char bytes[] = { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef };
    (void)state;
    for (size_t length = 0; length <= sizeof bytes; length++) {
        char text[17], expected[17] = "0123456789abcdef";
        memset(text, '?', sizeof text);
        memset(expected + 2 * length, '?', sizeof expected - 2 * length);
        assert_ptr_equal(gw_hex_put(text, bytes, length), text + 2 * length);
        assert_memory_equal(text, expected, sizeof text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_has_its_two_digits_at_every_place),
        cmocka_unit_test(no_more_is_written_than_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
