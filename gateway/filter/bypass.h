/* bypass.h: which requests the cache is not asked for, by the route's rules. Pure. */
#ifndef GW_FILTER_BYPASS_H
#define GW_FILTER_BYPASS_H

#include "config/config.h"
#include "http/head.h"

/* plain_path: the request's (base/path.h). The rule that holds, for a person ("cache.bypass_cookies"); NULL: none does. */
const char *gw_bypass_rule(const struct gw_route *route, const struct gw_head *request, struct gw_slice plain_path);

#endif
