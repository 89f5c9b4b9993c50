#include "exchange/route.h"

const struct gw_route *gw_route_pick(const struct gw_config *config, const struct gw_head *request,
                                     struct gw_slice path)
{
    unsigned last = config->route_count - 1;
    for (unsigned i = 0; i < last; i++)
        if (gw_match_holds(&config->routes[i].match, request->method_text, request->authority, path))
            return &config->routes[i];
    return &config->routes[last];
}
