/* route.h: which route a request takes: the first whose match holds; the last one matches everything. */
#ifndef GW_EXCHANGE_ROUTE_H
#define GW_EXCHANGE_ROUTE_H

#include "config/config.h"
#include "http/head.h"

/* path: the request's, plain (base/path.h). */
const struct gw_route *gw_route_pick(const struct gw_config *config, const struct gw_head *request,
                                     struct gw_slice path);

#endif
