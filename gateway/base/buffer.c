#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/hex.h"

void gw_buffer_destroy(struct gw_buffer *buffer)
{
    if (buffer->owned)
        free(buffer->at);
    *buffer = (struct gw_buffer) { .bound = buffer->bound, .owned = buffer->owned };
}

static bool buffer_grow(struct gw_buffer *buffer, size_t more)
{
    bool may_grow = buffer->owned || buffer->arena;
    if (!may_grow || more > buffer->bound - buffer->length)
        return false;
    size_t capacity = buffer->capacity ? buffer->capacity : 512;
    while (capacity < buffer->length + more)
        capacity *= 2;
    if (capacity > buffer->bound)
        capacity = buffer->bound;
    char *at = buffer->arena ? gw_arena_grow(buffer->arena, buffer->at, buffer->capacity, capacity)
                             : realloc(buffer->at, capacity);
    if (!at)
        return false;
    buffer->at = at;
    buffer->capacity = capacity;
    return true;
}

bool gw_buffer_reserve(struct gw_buffer *buffer, size_t more)
{
    if (more <= buffer->capacity - buffer->length || buffer_grow(buffer, more))
        return true;
    buffer->overflowed = true;
    return false;
}

/* In place, two digits a division: each request writes more than a dozen numbers. */
void gw_buffer_put_uint(struct gw_buffer *buffer, uint64_t value)
{
    static const char pairs[] = "00010203040506070809"
                                "10111213141516171819"
                                "20212223242526272829"
                                "30313233343536373839"
                                "40414243444546474849"
                                "50515253545556575859"
                                "60616263646566676869"
                                "70717273747576777879"
                                "80818283848586878889"
                                "90919293949596979899";
    unsigned length = 1; /* digits; 10^20 is more than any value */
    for (uint64_t bound = 10; length < 20 && value >= bound; bound *= 10)
        length++;
    if (length > buffer->capacity - buffer->length && !gw_buffer_reserve(buffer, length))
        return;
    buffer->length += length;
    char *at = buffer->at + buffer->length;
    for (; length >= 2; length -= 2) {
        at -= 2;
        memcpy(at, pairs + 2 * (value % 100), 2);
        value /= 100;
    }
    if (length)
        *--at = (char)('0' + value);
}

void gw_buffer_put_hex(struct gw_buffer *buffer, const void *bytes, size_t length)
{
    if (!gw_buffer_reserve(buffer, 2 * length))
        return;
    gw_hex_put(buffer->at + buffer->length, bytes, length);
    buffer->length += 2 * length;
}

void gw_buffer_print(struct gw_buffer *buffer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0 || !gw_buffer_reserve(buffer, (size_t)length + 1)) {
        buffer->overflowed = true;
        return;
    }
    va_start(arguments, format);
    vsnprintf(buffer->at + buffer->length, (size_t)length + 1, format, arguments);
    va_end(arguments);
    buffer->length += (size_t)length;
}

/* The length of the UTF-8 sequence at `at`; 0: the bytes there are not well-formed UTF-8 (Unicode table 3-7). */
static size_t buffer_utf8_length(const unsigned char *at, size_t left)
{
    unsigned char c = at[0];
    size_t need = c < 0x80 ? 1 : c >= 0xc2 && c <= 0xdf ? 2 : (c & 0xf0) == 0xe0 ? 3 : c >= 0xf0 && c <= 0xf4 ? 4 : 0;
    if (need == 0 || need > left)
        return 0;
    for (size_t i = 1; i < need; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (c == 0xe0 && at[1] < 0xa0) || (c == 0xf0 && at[1] < 0x90);
    bool outside = (c == 0xed && at[1] > 0x9f) || (c == 0xf4 && at[1] > 0x8f);
    return overlong || outside ? 0 : need;
}

static void buffer_put_json_special(struct gw_buffer *buffer, unsigned char c)
{
    switch (c) {
    case '"':
        gw_buffer_put_literal(buffer, "\\\"");
        break;
    case '\\':
        gw_buffer_put_literal(buffer, "\\\\");
        break;
    case '\n':
        gw_buffer_put_literal(buffer, "\\n");
        break;
    case '\r':
        gw_buffer_put_literal(buffer, "\\r");
        break;
    case '\t':
        gw_buffer_put_literal(buffer, "\\t");
        break;
    default:
        gw_buffer_put_literal(buffer, "\\u00");
        gw_buffer_put_hex(buffer, &c, 1);
    }
}

/* How many bytes from here on are ASCII that needs no escape? Eight bytes are tested at once: a byte of a word is less
 * than n (up to 0x80) if taking n from it borrows. */
static size_t buffer_plain_length(const unsigned char *at, size_t left)
{
    const uint64_t each = UINT64_C(0x0101010101010101), highest = each * 0x80;
    size_t length = 0;
    for (; left - length >= 8; length += 8) {
        uint64_t word;
        memcpy(&word, at + length, sizeof word);
        uint64_t quote = word ^ each * '"', backslash = word ^ each * '\\', del = word ^ each * 0x7f;
        uint64_t less = (word - each * 0x20) | (quote - each) | (backslash - each) | (del - each);
        if ((less | word) & highest)
            break;
    }
    while (length < left && at[length] >= 0x20 && at[length] < 0x7f && at[length] != '"' && at[length] != '\\')
        length++;
    return length;
}

void gw_buffer_put_json(struct gw_buffer *buffer, struct gw_slice text)
{
    const unsigned char *at = (const unsigned char *)text.at;
    gw_buffer_put_char(buffer, '"');
    for (size_t i = 0; i < text.length;) {
        size_t plain = buffer_plain_length(at + i, text.length - i);
        gw_buffer_put(buffer, text.at + i, plain);
        i += plain;
        if (i == text.length)
            break;
        size_t length = at[i] < 0x80 ? 0 : buffer_utf8_length(at + i, text.length - i);
        if (at[i] < 0x80)
            buffer_put_json_special(buffer, at[i]);
        else if (length)
            gw_buffer_put(buffer, text.at + i, length);
        else
            gw_buffer_put_literal(buffer, "\xef\xbf\xbd");
        i += length ? length : 1;
    }
    gw_buffer_put_char(buffer, '"');
}
