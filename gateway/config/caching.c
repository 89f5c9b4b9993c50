/* caching.c: the keys of "cache", and the rules that routes take from them. */
#include "config/derive.h"

#include "base/path.h"

enum { CACHING_LEAST_NEAR = 4096, CACHING_MOST_WITHOUT_NEAR = 64 << 20 };

static bool complain(struct gw_loading *loading, enum gw_key_id id, const char *expected)
{
    return gw_source_complain(&loading->sources[id], GW_SOURCE_WHOLE, loading->complaint, NULL, "%s", expected);
}

static bool derive_sizes(struct gw_loading *loading)
{
    struct gw_config *config = loading->config;
    const struct gw_source *redis = &loading->sources[GW_KEY_REDIS_URL];
    bool has_redis = loading->values[GW_KEY_REDIS_URL].text.length > 0 || redis->is_wrong;
    size_t most = (size_t)loading->values[GW_KEY_CACHE_NEAR_BYTES].number;
    config->near_bytes = most;
    config->max_object_bytes = (size_t)loading->values[GW_KEY_CACHE_MAX_OBJECT_BYTES].number;
    if (!most && !has_redis)
        return complain(loading, GW_KEY_CACHE_NEAR_BYTES, "at least 4KiB, or redis.url as well: 0 leaves all to Redis");
    if (most && most < CACHING_LEAST_NEAR)
        return complain(loading, GW_KEY_CACHE_NEAR_BYTES, "at least 4KiB, or 0 for none (with redis.url)");
    if (!most)
        most = CACHING_MOST_WITHOUT_NEAR;
    if (config->max_object_bytes <= most)
        return true;
    if (loading->sources[GW_KEY_CACHE_MAX_OBJECT_BYTES].origin != GW_ORIGIN_DEFAULT)
        return complain(loading, GW_KEY_CACHE_MAX_OBJECT_BYTES, "at most cache.near_bytes, or 64MiB where that is 0");
    config->max_object_bytes = most;
    return true;
}

/* Checks the name of a parameter: the text between '&' and '=' of a query, or its beginning and a '*'. */
static bool check_parameter(struct gw_loading *loading, const struct gw_source *source, int item, struct gw_slice name)
{
    bool good = name.length > 0 && gw_match_is_normal(name);
    for (size_t i = 0; i < name.length; i++)
        if (name.at[i] <= ' ' || name.at[i] > '~' || strchr("&=?#", name.at[i]) ||
            (name.at[i] == '*' && i + 1 < name.length))
            good = false;
    if (!good)
        return gw_source_complain(source, item, loading->complaint, name.at,
                                  "the name of a query parameter as clients send it, perhaps with * at its end, or * "
                                  "alone");
    if (memmem(name.at, name.length, ".*", 2) || memmem(name.at, name.length, "[*", 2) || strpbrk(name.at, "^|\\{}") ||
        name.at[name.length - 1] == '$')
        return gw_source_complain(source, item, loading->complaint, name.at,
                                  "a name, not a regular expression: utm_* is every parameter that begins with utm_");
    return true;
}

/* Checks the name of a field, which may have a star at one end. A star is a tchar, too. */
static bool check_credential(struct gw_loading *loading, const struct gw_source *source, int item, struct gw_slice name)
{
    bool has_star = name.at[0] == '*' || name.at[name.length - 1] == '*';
    struct gw_slice rest = gw_slice_of(name.at + (name.at[0] == '*'), name.length - has_star);
    if (gw_match_is_token(rest) && !gw_match_is_pattern(rest))
        return true;
    return gw_source_complain(source, item, loading->complaint, name.at,
                              "the name of a request field, such as X-Api-Key or X-Auth-*");
}

/* The lists that a route may override. */
static const struct {
    enum gw_key_id usual;
    enum gw_route_key_id own;
    size_t offset; /* in struct gw_route */
    gw_match_check *check;
} lists[] = {
    { GW_KEY_CACHE_BYPASS_FIELDS, GW_ROUTE_CACHE_BYPASS_FIELDS, offsetof(struct gw_route, cache_bypass_fields),
      gw_match_check_field },
    { GW_KEY_CACHE_BYPASS_COOKIES, GW_ROUTE_CACHE_BYPASS_COOKIES, offsetof(struct gw_route, cache_bypass_cookies),
      gw_match_check_cookie },
    { GW_KEY_CACHE_BYPASS_PATHS, GW_ROUTE_CACHE_BYPASS_PATHS, offsetof(struct gw_route, cache_bypass_paths),
      gw_match_check_path },
    { GW_KEY_CACHE_IGNORE_QUERY, GW_ROUTE_CACHE_IGNORE_QUERY, offsetof(struct gw_route, cache_ignore_query),
      check_parameter },
};

static bool check_lists(struct gw_loading *loading)
{
    const struct gw_value *v = loading->values;
    const struct gw_source *s = loading->sources;
    bool good = true;
    for (size_t i = 0; i < GW_COUNT(lists); i++)
        good &= gw_match_check_each(loading, &s[lists[i].usual], &v[lists[i].usual].list, lists[i].check);
    good &= gw_match_check_each(loading, &s[GW_KEY_CACHE_CREDENTIAL_FIELDS], &v[GW_KEY_CACHE_CREDENTIAL_FIELDS].list,
                                check_credential);
    good &= gw_match_check_each(loading, &s[GW_KEY_CACHE_TARGETED_FIELDS], &v[GW_KEY_CACHE_TARGETED_FIELDS].list,
                                gw_match_check_answer_field);
    return good;
}

bool gw_caching_derive(struct gw_loading *loading)
{
    struct gw_config *config = loading->config;
    const struct gw_value *v = loading->values;
    config->cache_enabled = v[GW_KEY_CACHE_ENABLED].number;
    config->heuristic_max_s = (int64_t)v[GW_KEY_CACHE_HEURISTIC_MAX].number;
    config->stale_if_error_s = (int64_t)v[GW_KEY_CACHE_STALE_IF_ERROR].number;
    config->cache_keep_s = (int64_t)v[GW_KEY_CACHE_KEEP].number;
    config->cache_with_credentials = v[GW_KEY_CACHE_WITH_CREDENTIALS].number;
    config->targeted_fields = v[GW_KEY_CACHE_TARGETED_FIELDS].list;
    config->cache_share_set_cookie = v[GW_KEY_CACHE_SHARE_SET_COOKIE].number;
    config->cache_status_key = v[GW_KEY_CACHE_STATUS_KEY].number;
    config->flights_over_instances = v[GW_KEY_CACHE_FLIGHT].number == 1;
    config->fetch_whole_for_range = v[GW_KEY_CACHE_FETCH_WHOLE_FOR_RANGE].number;
    config->flight_wait_ms = (unsigned)v[GW_KEY_CACHE_FLIGHT_WAIT].number;
    config->hit_for_miss_ms = (unsigned)v[GW_KEY_CACHE_HIT_FOR_MISS].number;
    config->cache_outage_ttl_ms = (unsigned)v[GW_KEY_CACHE_OUTAGE_TTL].number;
    bool good = gw_loading_file(loading, derive_sizes(loading));
    return check_lists(loading) && good;
}

bool gw_caching_derive_credentials(struct gw_loading *loading)
{
    struct gw_config *config = loading->config;
    const struct gw_strings *written = &loading->values[GW_KEY_CACHE_CREDENTIAL_FIELDS].list;
    struct gw_slice *names = gw_loading_take(loading, written->count + config->policy_count, sizeof(*names));
    unsigned count = 0;
    if (!names)
        return false;
    for (; count < written->count; count++)
        names[count] = written->items[count];
    for (unsigned i = 0; i < config->policy_count; i++)
        if (config->policies[i].by == GW_LIMIT_BY_HEADER)
            names[count++] = config->policies[i].header;
    gw_names_init(&config->credentials, names, count);
    return true;
}

/* The route's own value where it is set, otherwise the value of "cache". */
static const struct gw_value *value_of(const struct gw_loading *loading, const struct gw_source *s,
                                       const struct gw_value *v, enum gw_route_key_id own, enum gw_key_id usual)
{
    return s && s[own].origin != GW_ORIGIN_DEFAULT ? &v[own] : &loading->values[usual];
}

/* Copies the list in the form in which paths are compared, since other routes may share the list. */
static bool make_plain(struct gw_loading *loading, struct gw_strings *paths)
{
    struct gw_slice *items = gw_loading_take(loading, paths->count, sizeof(*items));
    if (!items)
        return false;
    for (unsigned i = 0; i < paths->count; i++) {
        struct gw_arena *arena = &loading->config->arena;
        items[i] = gw_loading_copy(arena, gw_path_plain(paths->items[i], arena, NULL)); /* with a NUL behind it */
        if (!items[i].at)
            return gw_loading_no_memory(loading->complaint);
    }
    paths->items = items;
    return true;
}

bool gw_caching_derive_route(struct gw_loading *loading, struct gw_route *route, const struct gw_source *s,
                             const struct gw_value *v)
{
    uint64_t ttl = value_of(loading, s, v, GW_ROUTE_CACHE_TTL, GW_KEY_CACHE_TTL)->number;
    route->cache_enabled = loading->config->cache_enabled && (!v || v[GW_ROUTE_CACHE].number);
    route->default_ttl_s = (int64_t)value_of(loading, s, v, GW_ROUTE_DEFAULT_TTL, GW_KEY_CACHE_DEFAULT_TTL)->number;
    route->override_ttl_s = ttl == GW_KEYS_OFF ? -1 : (int64_t)ttl;
    route->cache_ignores_request =
        value_of(loading, s, v, GW_ROUTE_CACHE_REQUEST_DIRECTIVES, GW_KEY_CACHE_REQUEST_DIRECTIVES)->number;
    route->cache_sort_query = value_of(loading, s, v, GW_ROUTE_CACHE_SORT_QUERY, GW_KEY_CACHE_SORT_QUERY)->number;
    bool good = true;
    for (size_t i = 0; i < GW_COUNT(lists); i++) {
        const struct gw_value *value = value_of(loading, s, v, lists[i].own, lists[i].usual);
        memcpy((char *)route + lists[i].offset, &value->list, sizeof(value->list));
        if (s)
            good &= gw_match_check_each(loading, &s[lists[i].own], &v[lists[i].own].list, lists[i].check);
    }
    return good && (!route->cache_bypass_paths.count || make_plain(loading, &route->cache_bypass_paths));
}
