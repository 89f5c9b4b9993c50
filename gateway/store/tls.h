/* tls.h: rediss://, if hiredis has TLS; otherwise these functions do nothing (and config refuses the URL).
 *
 * The certificate is verified, and so is its name or address; hiredis alone verifies no name. TLS 1.2 at least. */
#ifndef GW_STORE_TLS_H
#define GW_STORE_TLS_H

#include <hiredis/hiredis.h>
#include "base/base.h"
#include "config/config.h"

struct gw_tls; /* shared by all connections to one node */

/* *tls stays NULL if the node does not use TLS. False, with a log line, when the authorities cannot be read. */
bool gw_tls_create(const struct gw_config *config, const struct gw_redis_node *node, struct gw_tls **tls) GW_MUST_CHECK;
void gw_tls_destroy(struct gw_tls **tls);
/* For a connection that is being made. False: it must be dropped. */
bool gw_tls_begin(struct gw_tls *tls, const struct gw_redis_node *node, redisContext *connection) GW_MUST_CHECK;
/* The complaint of TLS on this thread ("certificate has expired"), empty if there is none. Call it when a connection to
 * the node ends, before hiredis frees it. An error that is not taken stays in OpenSSL's queue of this thread, and the
 * next connection's first "try again" would be read as that error. */
void gw_tls_take_error(char *text, size_t size);

#endif
