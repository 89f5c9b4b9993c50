/* curl_callbacks.h: the functions that libcurl calls during a transfer. They raise the call's events.
 *
 * An event may cancel the call. So each callback checks first whether its call is still there, and stops the transfer
 * if it is gone. No callback gives an order to libcurl, except the wish to close the connection afterwards. */
#ifndef GW_UPSTREAM_CURL_CALLBACKS_H
#define GW_UPSTREAM_CURL_CALLBACKS_H

#include "upstream/curl_transfer.h"

/* Call it once for each handle. */
void gw_curl_callbacks_install(struct gw_curl_transfer *transfer);

#endif
