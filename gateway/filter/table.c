#include "filter/table.h"

#include "base/base.h"

const struct gw_filter *const gw_filter_table[] = {
    &gw_filter_identify, &gw_filter_admin, &gw_filter_cors, &gw_filter_hops, &gw_filter_limit, &gw_filter_cache, NULL,
};

_Static_assert(GW_COUNT(gw_filter_table) - 1 <= GW_FILTERS_MOST, "an exchange counts fewer filters");
