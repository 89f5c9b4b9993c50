/* writer.h: writes field lines: "Name: value\r\n".
 *
 * Shape    A line that does not fit is left out whole, so that a message never has half a line. A line that is one
 *          literal may be put by gw_buffer_put_literal, which is whole, too. Where the room was measured before
 *          (cache/entry.c, fetch/attempt.c), the bytes are copied there.
 * Failure  buffer->overflowed tells that a line was left out. The owner of the message looks at it once, at the end,
 *          and sends another message then, since a message without one of its fields may mean something else.
 * Input    Names are tokens and values are field values (RFC 9110 §5.5); the caller has checked those that come from
 *          outside.
 * Cost     A message has several lines. All functions are inline, so that names and their lengths are constants where
 *          they are used.
 * Threads  Pure. */
#ifndef GW_HTTP_WRITER_H
#define GW_HTTP_WRITER_H

#include "base/buffer.h"

static inline char *gw_writer_copy(char *to, const char *from, size_t length)
{
    if (length)
        memcpy(to, from, length);
    return to + length;
}

static inline void gw_writer_put_field(struct gw_buffer *buffer, struct gw_slice name, struct gw_slice value)
{
    size_t length = name.length + value.length + 4;
    if (length > buffer->capacity - buffer->length && !gw_buffer_reserve(buffer, length))
        return;
    char *at = gw_writer_copy(buffer->at + buffer->length, name.at, name.length);
    at = gw_writer_copy(at, ": ", 2);
    at = gw_writer_copy(at, value.at, value.length);
    memcpy(at, "\r\n", 2);
    buffer->length += length;
}

static inline void gw_writer_put_uint_field(struct gw_buffer *buffer, struct gw_slice name, uint64_t value)
{
    char digits[20];
    struct gw_buffer text = gw_buffer_over(digits, sizeof digits);
    gw_buffer_put_uint(&text, value);
    gw_writer_put_field(buffer, name, gw_buffer_slice(&text));
}

/* A line that is put together piece by piece, in `buffer`. */
struct gw_writer_line {
    struct gw_buffer *buffer;
    size_t start;
    bool overflowed_before;
};

/* Puts "Name: "; the value's pieces follow with gw_buffer_put_*, and then gw_writer_end. */
static inline struct gw_writer_line gw_writer_begin(struct gw_buffer *buffer, struct gw_slice name)
{
    struct gw_writer_line line = { buffer, buffer->length, buffer->overflowed };
    buffer->overflowed = false;
    gw_buffer_put_slice(buffer, name);
    gw_buffer_put_literal(buffer, ": ");
    return line;
}

/* Ends the line. If a piece of it did not fit, the whole line is taken back. */
static inline void gw_writer_end(const struct gw_writer_line *line)
{
    struct gw_buffer *buffer = line->buffer;
    gw_buffer_put_literal(buffer, "\r\n");
    if (buffer->overflowed)
        buffer->length = line->start;
    buffer->overflowed = buffer->overflowed || line->overflowed_before;
}

#endif
