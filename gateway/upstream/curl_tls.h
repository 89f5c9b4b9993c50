/* curl_tls.h: how an answer over TLS ended.
 *
 * Problem  A body without length ends with its connection. Over TLS that is a valid end only if the peer sent
 *          close_notify; an attacker on the path can make a bare end (RFC 9112 §9.8). libcurl accepts both.
 * Shape    OpenSSL reports each alert. The transfer attaches a note to its connection, and the note remembers the
 *          alert.
 * Memory   The connection and the transfer both hold a reference to the note. The note belongs to one worker, so its
 *          count is not atomic. */
#ifndef GW_UPSTREAM_CURL_TLS_H
#define GW_UPSTREAM_CURL_TLS_H

#include <stdbool.h>
#include <curl/curl.h>
#include "base/base.h"

struct gw_curl_goodbye;

/* Call it once in the process, before any handle is set up. */
void gw_curl_tls_init(void);
/* TLS 1.2 or later, with shared sessions. False if libcurl was built without OpenSSL. */
bool gw_curl_tls_setup(CURL *easy, CURLSH *share) GW_MUST_CHECK;
/* Call it from within a callback of libcurl. From then on the note records how this handle's connection ends. NULL when
 * memory is out. */
struct gw_curl_goodbye *gw_curl_tls_note(CURL *easy) GW_MUST_CHECK;
/* Call it from within a callback of libcurl, for a handle with a connection. True if OpenSSL holds no received data
 * that is still to be read. OpenSSL does not know what is still in the socket. */
bool gw_curl_tls_is_drained(CURL *easy);
/* True if the peer said that nothing follows. A NULL note gives false. */
bool gw_curl_tls_was_said(const struct gw_curl_goodbye *goodbye);
/* NULL is allowed. */
void gw_curl_tls_unref(struct gw_curl_goodbye *goodbye);

#endif
