/* location.h: addresses of the backend within an answer, rewritten as the client may use them.
 *
 * Which    Location, Content-Location and Refresh (all that nginx' proxy_redirect and Apache's ProxyPassReverse rewrite;
 *          both leave Link alone, and so does this). A reference is rewritten if it names scheme, host and port of one
 *          of the route's backends, or the Host that was sent together with the scheme of the backend. It gets scheme
 *          and host that the client asked for, and loses the backend's path prefix. A reference that is relative, names
 *          anything else, or names a path outside that prefix, stays as it is. "//host" has the backend's scheme.
 * Stored   It is done before an answer is stored: scheme and host are in the cache's key, so what is stored is read only
 *          by clients that asked for the same. */
#ifndef GW_FETCH_LOCATION_H
#define GW_FETCH_LOCATION_H

#include "fetch/state.h"

/* Does this backend get the client's Host (empty: the client sent none), and not its own? */
bool gw_location_passes_host(const struct gw_config *config, const struct gw_backend *backend, struct gw_slice host);
/* New values lie in the fetch's arena; if it is full, values stay as they came. */
void gw_location_rewrite(struct gw_fetch *fetch, struct gw_head *head);

#endif
