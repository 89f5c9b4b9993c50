/* location.h: what an answer says of its backend's own address, as the client may use it.
 *
 * Which    Location, Content-Location and Refresh (those that nginx' proxy_redirect and Apache's ProxyPassReverse
 *          rewrite between them; Link is left alone, as they leave it). A reference that names scheme, host and port of
 *          one of the route's backends, or the Host that was sent with the scheme of the backend, gets the scheme and the
 *          host that the client asked for, and loses the backend's path prefix. One that is relative, or names anything
 *          else, or a path outside that prefix, stays as it is. "//host" names the backend's scheme.
 * Stored   It is done before an answer is stored: scheme and host are in the cache's key, so that what is stored is read
 *          only by clients that asked for the same. */
#ifndef GW_FETCH_LOCATION_H
#define GW_FETCH_LOCATION_H

#include "fetch/state.h"

/* Is this backend sent the client's Host (empty: it has none), and not its own? */
bool gw_location_passes_host(const struct gw_config *config, const struct gw_backend *backend, struct gw_slice host);
/* Values are put into the fetch's arena; where it is full they stay as they came. */
void gw_location_rewrite(struct gw_fetch *fetch, struct gw_head *head);

#endif
