/* forward.h: the request as the backend gets it (RFC 9110 §7.6, RFC 7239). */
#ifndef GW_EXCHANGE_FORWARD_H
#define GW_EXCHANGE_FORWARD_H

#include "exchange/exchange.h"

/* End-to-end fields and what this gateway says of the client: "Name: value\r\n"…, without Host, Content-Length,
 * Transfer-Encoding and Expect. full: without the client's conditionals, for a fetch that others share. */
void gw_forward_put_fields(const struct gw_exchange *exchange, bool full, struct gw_buffer *buffer);

#endif
