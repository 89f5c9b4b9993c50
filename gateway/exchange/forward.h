/* forward.h: the request as the backend gets it (RFC 9110 §7.6, RFC 7239). */
#ifndef GW_EXCHANGE_FORWARD_H
#define GW_EXCHANGE_FORWARD_H

#include "exchange/exchange.h"

enum gw_forward_what {
    GW_FORWARD_AS_ASKED,
    GW_FORWARD_FULL,  /* without the client's conditionals: for a fetch that others share, or with the cache's own */
    GW_FORWARD_WHOLE, /* without its Range, too: for the cache itself */
};

/* End-to-end fields and what this gateway says of the client: "Name: value\r\n"…, without Host, Content-Length,
 * Transfer-Encoding and Expect. */
void gw_forward_put_fields(const struct gw_exchange *exchange, enum gw_forward_what what, struct gw_buffer *buffer);

#endif
