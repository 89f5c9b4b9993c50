/* curl_callbacks.h: what libcurl calls while it carries a transfer, and the call's events made of it.
 *
 * Each callback may find that its call is gone (an event cancelled it) and then stops the transfer; none gives libcurl
 * an order, but for a wish about the connection's end. */
#ifndef GW_UPSTREAM_CURL_CALLBACKS_H
#define GW_UPSTREAM_CURL_CALLBACKS_H

#include "upstream/curl_transfer.h"

/* Once a handle. */
void gw_curl_callbacks_install(struct gw_curl_transfer *transfer);

#endif
