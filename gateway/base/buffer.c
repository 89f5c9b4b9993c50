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

static bool grow(struct gw_buffer *buffer, size_t more)
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
    if (more <= buffer->capacity - buffer->length || grow(buffer, more))
        return true;
    buffer->overflowed = true;
    return false;
}

void gw_buffer_put_uint(struct gw_buffer *buffer, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + value % 10);
    while (value /= 10);
    gw_buffer_put(buffer, digits + at, sizeof digits - at);
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
static size_t utf8_length(const unsigned char *at, size_t left)
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

static void put_json_special(struct gw_buffer *buffer, unsigned char c)
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

void gw_buffer_put_json(struct gw_buffer *buffer, struct gw_slice text)
{
    const unsigned char *at = (const unsigned char *)text.at;
    gw_buffer_put_char(buffer, '"');
    for (size_t i = 0; i < text.length;) {
        size_t plain = i;
        while (plain < text.length && at[plain] >= 0x20 && at[plain] < 0x7f && at[plain] != '"' && at[plain] != '\\')
            plain++;
        gw_buffer_put(buffer, text.at + i, plain - i);
        i = plain;
        if (i == text.length)
            break;
        size_t length = at[i] < 0x80 ? 0 : utf8_length(at + i, text.length - i);
        if (at[i] < 0x80)
            put_json_special(buffer, at[i]);
        else if (length)
            gw_buffer_put(buffer, text.at + i, length);
        else
            gw_buffer_put_literal(buffer, "\xef\xbf\xbd");
        i += length ? length : 1;
    }
    gw_buffer_put_char(buffer, '"');
}
