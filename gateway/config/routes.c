#include "config/derive.h"
#include "config/values.h"

/* The backends of backend.url. They get their index with the first route that uses them. */
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

/* Complains about a bypass path outside the route: it is usually written without the route's path. */
static bool check_bypass_paths(struct gw_loading *loading, const struct gw_source *source, const struct gw_route *route,
                               const struct gw_value *written)
{
    bool good = true;
    struct gw_slice own = route->match.path, own_text = written[GW_ROUTE_PATH].text;
    while (own_text.length && own_text.at[own_text.length - 1] == '/')
        own_text.length--;
    for (unsigned i = 0; i < route->cache_bypass_paths.count && own.length; i++) {
        struct gw_slice path = route->cache_bypass_paths.items[i];
        if (gw_match_path_holds(own, path) || gw_match_path_holds(path, own))
            continue;
        const char *text = written[GW_ROUTE_CACHE_BYPASS_PATHS].list.items[i].at; /* as written */
        gw_source_complain(source, (int)i, loading->complaint, text, "a path below the route's own, whole: \"%.*s%s\"",
                           GW_SLICE_ARGS(own_text), text);
        good = gw_loading_file(loading, false);
    }
    return good;
}

static bool derive_route(struct gw_loading *loading, struct gw_route *route, struct usual *usual)
{
    struct gw_source s[GW_ROUTE_KEYS_COUNT];
    struct gw_value v[GW_ROUTE_KEYS_COUNT];
    bool good = gw_values_read_object(loading, source_of(loading, GW_KEY_ROUTES), (int)route->index, gw_keys_of_route,
                                      GW_ROUTE_KEYS_COUNT, s, v);
    route->name = v[GW_ROUTE_NAME].text;
    good &= gw_loading_file(loading, check_name(loading, &s[GW_ROUTE_NAME], route));
    good &= gw_loading_file(loading, gw_caching_derive_route(loading, route, s, v));
    bool has_match = gw_match_derive(loading, &route->match, &s[GW_ROUTE_PATH], v[GW_ROUTE_PATH].text,
                                     &s[GW_ROUTE_HOST], v[GW_ROUTE_HOST].text, &s[GW_ROUTE_METHODS],
                                     &v[GW_ROUTE_METHODS].list);
    if (good && has_match && s[GW_ROUTE_CACHE_BYPASS_PATHS].origin != GW_ORIGIN_DEFAULT)
        good = check_bypass_paths(loading, &s[GW_ROUTE_CACHE_BYPASS_PATHS], route, v);
    good &= has_match;
    if (s[GW_ROUTE_BACKEND].is_wrong)
        return false;
    bool has_backends = s[GW_ROUTE_BACKEND].origin == GW_ORIGIN_DEFAULT
                            ? use_usual(loading, route, usual)
                            : use_own(loading, route, &s[GW_ROUTE_BACKEND], &v[GW_ROUTE_BACKEND].list);
    return gw_loading_file(loading, has_backends) && good;
}

/* The earlier route that takes all requests with this method that this route matches; NULL: there is none. */
static const struct gw_route *taker_of(const struct gw_config *config, const struct gw_route *route,
                                       struct gw_slice method)
{
    for (unsigned i = 0; i < route->index; i++)
        if (gw_match_covers(&config->routes[i].match, &route->match, method))
            return &config->routes[i];
    return NULL;
}

/* The rules of a route that no request reaches (no cache, another backend) would silently have no effect. */
static bool check_reached(struct gw_loading *loading, const struct gw_route *route)
{
    const struct gw_strings *methods = &route->match.methods;
    const struct gw_route *taker = NULL;
    for (unsigned i = 0; i < methods->count || i == 0; i++) {
        taker = taker_of(loading->config, route, methods->count ? methods->items[i] : GW_NO_SLICE);
        if (!taker)
            return true;
    }
    return gw_source_complain(source_of(loading, GW_KEY_ROUTES), (int)route->index, loading->complaint, route->name.at,
                              "a route that some request reaches: the one called %s, before it, takes all of its "
                              "requests; the narrower one comes first",
                              taker->name.at);
}

static bool check_all_reached(struct gw_loading *loading)
{
    bool good = true;
    for (unsigned i = 1; i < loading->config->route_count; i++)
        good &= gw_loading_file(loading, check_reached(loading, &loading->config->routes[i]));
    return good;
}

/* Adds the route for all remaining requests, unless the last route takes all requests. */
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
    if (!config->routes || !config->backends)
        return false;
    bool good = gw_loading_file(
        loading, gw_backends_derive(loading, source_of(loading, GW_KEY_BACKEND_URL), urls, &usual.backends));
    if (!good)
        usual.count = 0;
    const cJSON *array = loading->values[GW_KEY_ROUTES].json;
    unsigned count = array ? (unsigned)cJSON_GetArraySize(array) : 0; /* the row's bound is GW_DERIVE_ROUTES */
    for (; config->route_count < count; config->route_count++) {
        struct gw_route *route = &config->routes[config->route_count];
        route->index = config->route_count;
        good &= gw_loading_file(loading, derive_route(loading, route, &usual));
        /* a wrong match is empty, and would seem to match everything */
        if (good && gw_match_is_any(&route->match) && route->index + 1 < count)
            return gw_source_complain(source, (int)route->index + 1, loading->complaint, NULL,
                                      "no route after one that matches everything (%s)", route->name.at);
    }
    good = good && check_all_reached(loading);
    if (count && gw_match_is_any(&config->routes[count - 1].match))
        return good;
    return append_default(loading, &usual) && good;
}
