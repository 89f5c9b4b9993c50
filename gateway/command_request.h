/* command_request.h: the one request that a command of this binary (healthcheck, cache) sends to a running gateway.
 *
 * No proxy is asked and no redirect is followed: the token is the gateway's alone.
 *
 * Threads  The only one; blocks. libcurl is set up. */
#ifndef GW_COMMAND_REQUEST_H
#define GW_COMMAND_REQUEST_H

#include <stdbool.h>
#include "base/buffer.h"

enum { GW_COMMAND_REASON_BYTES = 256 };

struct gw_command_request {
    const char *url;
    const char *token; /* NULL: none */
    bool is_post;      /* with an empty body; else GET */
    unsigned connect_ms, answer_ms;
};

/* The status; 0 where no whole answer came within answer_ms, or memory is out: then reason says why, for a person. The
 * body is added to *body, whose bound is the longest answer. */
long gw_command_request_send(const struct gw_command_request *request, struct gw_buffer *body,
                             char reason[GW_COMMAND_REASON_BYTES]);

#endif
