/* table.h: the filters, in the order in which a request meets them. A new one is one file, one line here and one in
 * table.c. */
#ifndef GW_FILTER_TABLE_H
#define GW_FILTER_TABLE_H

#include "exchange/filter.h"

extern const struct gw_filter
    gw_filter_identify;                        /* who asks: request id, client address, what side fields are believed */
extern const struct gw_filter gw_filter_admin; /* /gateway/ */
extern const struct gw_filter gw_filter_cors;  /* preflights; Access-Control-* */
extern const struct gw_filter gw_filter_hops;  /* Max-Forwards */
extern const struct gw_filter gw_filter_limit; /* may it pass? */
extern const struct gw_filter gw_filter_cache; /* is the answer here? */

/* Ends with NULL. */
extern const struct gw_filter *const gw_filter_table[];

#endif
