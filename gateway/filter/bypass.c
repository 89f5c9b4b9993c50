#include "filter/bypass.h"

static bool has_cookie(const struct gw_head *request, struct gw_slice name)
{
    const struct gw_field *field = gw_head_find(request, GW_FIELD_COOKIE);
    for (; field; field = gw_head_find_next(request, field)) {
        struct gw_slice rest = field->value;
        while (rest.length) {
            const char *end = memchr(rest.at, ';', rest.length);
            size_t length = end ? (size_t)(end - rest.at) : rest.length, taken = length + (end != NULL);
            struct gw_slice pair = gw_slice_trim(gw_slice_of(rest.at, length));
            if (pair.length > name.length && pair.at[name.length] == '=' && gw_slice_starts_with(pair, name))
                return true;
            rest = gw_slice_of(rest.at + taken, rest.length - taken);
        }
    }
    return false;
}

const char *gw_bypass_rule(const struct gw_route *route, const struct gw_head *request, struct gw_slice plain_path)
{
    for (unsigned i = 0; i < route->cache_bypass_paths.count; i++)
        if (gw_match_path_holds(route->cache_bypass_paths.items[i], plain_path))
            return "cache.bypass_paths";
    for (unsigned i = 0; i < route->cache_bypass_fields.count; i++)
        if (gw_head_find_named(request, route->cache_bypass_fields.items[i]))
            return "cache.bypass_fields";
    for (unsigned i = 0; i < route->cache_bypass_cookies.count; i++)
        if (has_cookie(request, route->cache_bypass_cookies.items[i]))
            return "cache.bypass_cookies";
    return NULL;
}
