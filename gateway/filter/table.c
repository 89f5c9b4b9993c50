#include "filter/table.h"

#include <stddef.h>

const struct gw_filter *const gw_filter_table[] = {
    &gw_filter_identify, &gw_filter_admin, &gw_filter_cors, &gw_filter_hops, &gw_filter_limit, &gw_filter_cache, NULL,
};
