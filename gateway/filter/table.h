/* table.h: the filters. A new one is one file, one line here and one word in gw_filter_table (assembly.c), which is the
 * order in which a request meets them. */
#ifndef GW_FILTER_TABLE_H
#define GW_FILTER_TABLE_H

#include "exchange/filter.h"

extern const struct gw_filter
    gw_filter_identify;                        /* the client: its address, request id, what side fields are believed */
extern const struct gw_filter gw_filter_admin; /* /gateway/ */
extern const struct gw_filter gw_filter_cors;  /* preflights; Access-Control-* */
extern const struct gw_filter gw_filter_max_forwards; /* Max-Forwards */
extern const struct gw_filter gw_filter_limit;        /* may it pass? */
extern const struct gw_filter gw_filter_cache;        /* is the answer here? */

/* Of filter/cache.c, for inspection: for which requests the cache is not asked, by the route's rules. plain_path: the
 * request's (base/path.h). The rule that holds, for a person ("cache.bypass_cookies"); NULL: none does. Pure. */
const char *gw_filter_cache_bypass_rule(const struct gw_route *route, const struct gw_head *request,
                                        struct gw_slice plain_path);

#endif
