/* resp.h: commands as Redis reads them: "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n". */
#ifndef GW_STORE_RESP_H
#define GW_STORE_RESP_H

#include "base/buffer.h"

enum { GW_RESP_ARGUMENT_BYTES = 32 }; /* an argument takes its own bytes and at most these */

/* hiredis looks for the end of a command with strchr, so a NUL that does not count stands behind the last byte. */
static inline void gw_resp_terminate(struct gw_buffer *buffer)
{
    if (gw_buffer_reserve(buffer, 1))
        buffer->at[buffer->length] = 0;
}

/* Begins a command with so many arguments, its name included. */
static inline void gw_resp_begin(struct gw_buffer *buffer, unsigned count)
{
    gw_buffer_put_char(buffer, '*');
    gw_buffer_put_uint(buffer, count);
    gw_buffer_put_literal(buffer, "\r\n");
}

static inline void gw_resp_put_length(struct gw_buffer *buffer, size_t length)
{
    gw_buffer_put_char(buffer, '$');
    gw_buffer_put_uint(buffer, length);
    gw_buffer_put_literal(buffer, "\r\n");
    gw_resp_terminate(buffer);
}

static inline void gw_resp_put(struct gw_buffer *buffer, struct gw_slice argument)
{
    gw_resp_put_length(buffer, argument.length);
    gw_buffer_put_slice(buffer, argument);
    gw_buffer_put_literal(buffer, "\r\n");
    gw_resp_terminate(buffer);
}

static inline void gw_resp_put_uint(struct gw_buffer *buffer, uint64_t number)
{
    char memory[24];
    struct gw_buffer digits = gw_buffer_over(memory, sizeof(memory));
    gw_buffer_put_uint(&digits, number);
    gw_resp_put(buffer, gw_buffer_slice(&digits));
}

#endif
