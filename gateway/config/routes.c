#include "config/derive.h"
#include "config/values.h"

/* The backends of backend.url; numbered with the first route that uses them. */
struct usual {
    struct gw_backend *backends;
    unsigned count;
    bool numbered;
};

static const struct gw_source *source_of(const struct gw_loading *loading, enum gw_key_id id)
{
    return &loading->sources[id];
}

static bool use_usual(struct gw_loading *loading, struct gw_route *route, struct usual *usual)
{
    if (!usual->numbered &&
        !gw_backends_number(loading, source_of(loading, GW_KEY_BACKEND_URL), usual->backends, usual->count))
        return false;
    usual->numbered = true;
    route->backends = usual->backends;
    route->backend_count = usual->count;
    return true;
}

static bool use_own(struct gw_loading *loading, struct gw_route *route, const struct gw_source *source,
                    const struct gw_strings *urls)
{
    route->backend_count = urls->count;
    return gw_backends_derive(loading, source, urls, &route->backends) &&
           gw_backends_number(loading, source, route->backends, route->backend_count);
}

static bool check_name(struct gw_loading *loading, const struct gw_source *source, const struct gw_route *route)
{
    if (!gw_match_is_name(route->name))
        return gw_source_complain(source, GW_SOURCE_WHOLE, loading->complaint, route->name.at,
                                  "1 to 32 of a-z, 0-9, _ and -");
    for (unsigned i = 0; i < route->index; i++)
        if (gw_slice_equal(loading->config->routes[i].name, route->name))
            return gw_source_complain(source, GW_SOURCE_WHOLE, loading->complaint, route->name.at,
                                      "a name that no other route has");
    return true;
}

static bool derive_route(struct gw_loading *loading, struct gw_route *route, struct usual *usual)
{
    struct gw_source s[GW_ROUTE_KEYS_COUNT];
    struct gw_value v[GW_ROUTE_KEYS_COUNT];
    if (!gw_values_read_object(source_of(loading, GW_KEY_ROUTES), (int)route->index, gw_keys_of_route,
                               GW_ROUTE_KEYS_COUNT, &loading->config->arena, s, v, loading->complaint))
        return false;
    route->name = v[GW_ROUTE_NAME].text;
    if (!check_name(loading, &s[GW_ROUTE_NAME], route) || !gw_caching_derive_route(loading, route, s, v) ||
        !gw_match_derive(loading, &route->match, &s[GW_ROUTE_PATH], v[GW_ROUTE_PATH].text, &s[GW_ROUTE_HOST],
                         v[GW_ROUTE_HOST].text, &s[GW_ROUTE_METHODS], &v[GW_ROUTE_METHODS].list))
        return false;
    if (s[GW_ROUTE_BACKEND].origin == GW_ORIGIN_DEFAULT)
        return use_usual(loading, route, usual);
    return use_own(loading, route, &s[GW_ROUTE_BACKEND], &v[GW_ROUTE_BACKEND].list);
}

/* The route that takes what no other does, unless the last one written takes all. */
static bool append_default(struct gw_loading *loading, struct usual *usual)
{
    struct gw_config *config = loading->config;
    const struct gw_source *source = source_of(loading, GW_KEY_ROUTES);
    if (config->route_count == GW_DERIVE_ROUTES)
        return gw_source_complain(source, GW_SOURCE_WHOLE, loading->complaint, NULL,
                                  "at most %d routes with the one that matches everything", GW_DERIVE_ROUTES);
    struct gw_route *route = &config->routes[config->route_count];
    route->name = GW_SLICE("default");
    route->index = config->route_count;
    for (unsigned i = 0; i < config->route_count; i++)
        if (gw_slice_equal(config->routes[i].name, route->name))
            return gw_source_complain(source, (int)i, loading->complaint, "default",
                                      "another name: default is the route that matches everything");
    config->route_count++;
    return gw_caching_derive_route(loading, route, NULL, NULL) && use_usual(loading, route, usual);
}

bool gw_routes_derive(struct gw_loading *loading)
{
    struct gw_config *config = loading->config;
    const struct gw_strings *urls = &loading->values[GW_KEY_BACKEND_URL].list;
    const struct gw_source *source = source_of(loading, GW_KEY_ROUTES);
    struct usual usual = { .count = urls->count };
    config->routes = gw_loading_take(loading, GW_DERIVE_ROUTES, sizeof(*config->routes));
    config->backends = gw_loading_take(loading, GW_DERIVE_BACKENDS, sizeof(struct gw_backend *));
    if (!config->routes || !config->backends ||
        !gw_backends_derive(loading, source_of(loading, GW_KEY_BACKEND_URL), urls, &usual.backends))
        return false;
    const cJSON *array = loading->values[GW_KEY_ROUTES].json;
    unsigned count = array ? (unsigned)cJSON_GetArraySize(array) : 0; /* the row's bound is GW_DERIVE_ROUTES */
    for (; config->route_count < count; config->route_count++) {
        struct gw_route *route = &config->routes[config->route_count];
        route->index = config->route_count;
        if (!derive_route(loading, route, &usual))
            return false;
        if (gw_match_is_any(&route->match) && route->index + 1 < count)
            return gw_source_complain(source, (int)route->index + 1, loading->complaint, NULL,
                                      "no route after one that matches everything (%s)", route->name.at);
    }
    if (count && gw_match_is_any(&config->routes[count - 1].match))
        return true;
    return append_default(loading, &usual);
}
