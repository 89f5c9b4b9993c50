/* healthcheck.h: `visara-gateway healthcheck`: is the gateway of this configuration well? For containers, which then need
 * no HTTP client. */
#ifndef GW_HEALTHCHECK_H
#define GW_HEALTHCHECK_H

#include "config/config.h"

/* Asks GET /gateway/health where this configuration serves it (admin.listen, else the client port; all addresses: the
 * loopback). 0 where the answer is 200, else 1 with one line on stderr. Waits three seconds at most. libcurl is set up. */
int gw_healthcheck_run(const struct gw_config *config);

#endif
