/* curl_tls.h: how an answer over TLS ended.
 *
 * Problem  A body without length ends with its connection. Over TLS that is an end only where the peer said so by
 *          close_notify; anybody on the way can make a bare end (RFC 9112 §9.8). libcurl takes both for an end.
 * Shape    OpenSSL tells of each alert; the note that a transfer hangs on its connection keeps the word.
 * Memory   A note is held by the connection and by the transfer, whichever lives longer. One worker's, so not atomic.
 */
#ifndef GW_UPSTREAM_CURL_TLS_H
#define GW_UPSTREAM_CURL_TLS_H

#include <stdbool.h>
#include <curl/curl.h>
#include "base/base.h"

struct gw_curl_goodbye;

/* Once for the process, before any handle is set up. */
void gw_curl_tls_init(void);
/* TLS 1.2 or later, sessions shared. False where libcurl was built without OpenSSL. */
bool gw_curl_tls_setup(CURL *easy, CURLSH *share) GW_MUST_CHECK;
/* From within a callback of libcurl: notes from here on how this handle's connection ends. NULL when memory is out. */
struct gw_curl_goodbye *gw_curl_tls_note(CURL *easy) GW_MUST_CHECK;
/* From within a callback of libcurl, of a handle with a connection: is nothing that came over TLS waiting to be read
 * within OpenSSL? What is still in the socket it does not know. */
bool gw_curl_tls_is_drained(CURL *easy);
/* Did the peer say that nothing follows? NULL: no. */
bool gw_curl_tls_was_said(const struct gw_curl_goodbye *goodbye);
/* NULL is allowed. */
void gw_curl_tls_drop(struct gw_curl_goodbye *goodbye);

#endif
