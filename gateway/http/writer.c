#include "http/writer.h"

struct gw_writer_line gw_writer_begin(struct gw_buffer *buffer, struct gw_slice name)
{
    struct gw_writer_line line = { buffer, buffer->length, buffer->overflowed };
    buffer->overflowed = false;
    gw_buffer_put_slice(buffer, name);
    gw_buffer_put_literal(buffer, ": ");
    return line;
}

void gw_writer_end(const struct gw_writer_line *line)
{
    struct gw_buffer *buffer = line->buffer;
    gw_buffer_put_literal(buffer, "\r\n");
    if (buffer->overflowed)
        buffer->length = line->start;
    buffer->overflowed = buffer->overflowed || line->overflowed_before;
}

void gw_writer_put_uint_field(struct gw_buffer *buffer, struct gw_slice name, uint64_t value)
{
    struct gw_writer_line line = gw_writer_begin(buffer, name);
    gw_buffer_put_uint(buffer, value);
    gw_writer_end(&line);
}
