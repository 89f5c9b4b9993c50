/* writer.h: field lines on their way out: "Name: value\r\n".
 *
 * Shape    Everything that puts a field line into a message goes through here, so that no message can carry half a
 *          line: a line that does not fit is left out whole.
 * Failure  buffer->overflowed says that a line was left out. The owner of the message asks once, at the end, and then
 *          sends something else: a message without one of its fields may mean something else.
 * Input    Names are tokens and values are field values (RFC 9110 §5.5); the caller has checked what is foreign.
 * Threads  Pure. */
#ifndef GW_HTTP_WRITER_H
#define GW_HTTP_WRITER_H

#include "base/buffer.h"

/* A line that is put together piece by piece, in `buffer`. */
struct gw_writer_line {
    struct gw_buffer *buffer;
    size_t start;
    bool overflowed_before;
};

static inline void gw_writer_put_field(struct gw_buffer *buffer, struct gw_slice name, struct gw_slice value)
{
    if (!gw_buffer_reserve(buffer, name.length + value.length + 4))
        return;
    gw_buffer_put_slice(buffer, name);
    gw_buffer_put_literal(buffer, ": ");
    gw_buffer_put_slice(buffer, value);
    gw_buffer_put_literal(buffer, "\r\n");
}

void gw_writer_put_uint_field(struct gw_buffer *buffer, struct gw_slice name, uint64_t value);

/* Puts "Name: "; the value's pieces follow with gw_buffer_put_*, and then gw_writer_end. */
struct gw_writer_line gw_writer_begin(struct gw_buffer *buffer, struct gw_slice name);
/* Ends the line. If a piece of it did not fit, the whole line is taken back. */
void gw_writer_end(const struct gw_writer_line *line);

#endif
