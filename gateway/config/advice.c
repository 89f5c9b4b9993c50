#include "config/advice.h"
#include "config/derive.h"

static const struct gw_source *source_of(const struct gw_loading *loading, enum gw_key_id id)
{
    return &loading->sources[id];
}

/* ---- limits ---- */

/* limits.rate makes the default policy; the others are in limits.policies. */
static const struct gw_source *source_of_policy(const struct gw_loading *loading, const struct gw_limit_policy *policy,
                                                int *item)
{
    bool has_default = !gw_slice_equal(loading->values[GW_KEY_LIMITS_RATE].text, GW_SLICE("off"));
    *item = (int)policy->index - has_default;
    if (*item >= 0)
        return source_of(loading, GW_KEY_LIMITS_POLICIES);
    *item = GW_SOURCE_WHOLE;
    return source_of(loading, GW_KEY_LIMITS_BY);
}

/* Does `wide` also limit every request of `policy`, with any key that the client sends? */
static bool stands_beside(const struct gw_limit_policy *wide, const struct gw_limit_policy *policy)
{
    const struct gw_strings *methods = &policy->match.methods;
    if (wide->by != GW_LIMIT_BY_IP || wide->shadow || (wide->count_misses_only && !policy->count_misses_only))
        return false;
    for (unsigned i = 0; i < methods->count; i++)
        if (!gw_match_covers(&wide->match, &policy->match, methods->items[i]))
            return false;
    return methods->count || gw_match_covers(&wide->match, &policy->match, GW_NO_SLICE);
}

/* Warns about a limit by header: a client that sends a new key with each request gets a full bucket each time. */
static void advise_on_keys(struct gw_loading *loading, const struct gw_limit_policy *policy)
{
    const struct gw_config *config = loading->config;
    int item;
    if (policy->by != GW_LIMIT_BY_HEADER || policy->shadow)
        return;
    for (unsigned i = 0; i < config->policy_count; i++)
        if (stands_beside(&config->policies[i], policy))
            return;
    const struct gw_source *source = source_of_policy(loading, policy, &item);
    gw_source_warn(loading, source, item, policy->header.at,
                   "nobody checks this field, so a client that sends a new value with each request is not limited; add "
                   "a wide limit by address for the same requests, such as {\"name\": \"address\", \"rate\": "
                   "\"100/s\", \"burst\": 200, \"by\": \"ip\"} in limits.policies");
}

/* Warns about a limit by a field with the client's address: "ip" is this address, and it is read only from fields of
 * server.trusted_proxies. */
static void advise_on_address_fields(struct gw_loading *loading, const struct gw_limit_policy *policy)
{
    static const struct gw_slice names[] = {
        { "X-Forwarded-For", 15 }, { "X-Real-IP", 9 },         { "Forwarded", 9 },
        { "X-Client-IP", 11 },     { "CF-Connecting-IP", 16 }, { "True-Client-IP", 14 },
    };
    int item;
    const struct gw_source *source = source_of_policy(loading, policy, &item);
    for (size_t i = 0; policy->by == GW_LIMIT_BY_HEADER && i < GW_COUNT(names); i++)
        if (gw_slice_equal_nocase(policy->header, names[i]))
            gw_source_warn(loading, source, item, policy->header.at,
                           "ip is the client's address already, read from X-Forwarded-For where the peer is one of "
                           "server.trusted_proxies");
}

static void advise_on_limits(struct gw_loading *loading)
{
    const struct gw_config *config = loading->config;
    for (unsigned i = 0; i < config->policy_count && config->limits_enabled; i++) {
        advise_on_keys(loading, &config->policies[i]);
        advise_on_address_fields(loading, &config->policies[i]);
    }
}

/* ---- trusted proxies ---- */

static void advise_on_proxies(struct gw_loading *loading)
{
    const struct gw_config *config = loading->config;
    const struct gw_source *source = source_of(loading, GW_KEY_SERVER_TRUSTED_PROXIES);
    const struct gw_strings *list = &loading->values[GW_KEY_SERVER_TRUSTED_PROXIES].list;
    static const struct gw_address none;
    for (unsigned i = 0; i < config->trusted_proxy_count; i++) {
        const struct gw_network *network = &config->trusted_proxies[i];
        bool is_ipv4 = gw_address_is_ipv4(&network->address) && network->prefix_bits >= 96;
        unsigned bits = network->prefix_bits - (is_ipv4 ? 96 : 0);
        struct gw_address written;
        const char *slash = memchr(list->items[i].at, '/', list->items[i].length);
        bool is_none = memcmp(network->address.bytes + (is_ipv4 ? 12 : 0), none.bytes, is_ipv4 ? 4 : 16) == 0;
        if (bits < (is_ipv4 ? 8 : 7))
            gw_source_warn(loading, source, (int)i, list->items[i].at,
                           "so wide that clients are trusted, too: each can say that it has another address, and no "
                           "limit by address holds; name the proxies' own networks");
        else if (bits == (is_ipv4 ? 32 : 128) && is_none)
            gw_source_warn(loading, source, (int)i, list->items[i].at, "no proxy has this address: nobody is trusted");
        else if (slash &&
                 gw_address_parse(&written, gw_slice_of(list->items[i].at, (size_t)(slash - list->items[i].at)),
                                  false) &&
                 memcmp(&written, &network->address, sizeof(written)) != 0)
            gw_source_warn(loading, source, (int)i, list->items[i].at,
                           "the whole network of %u bits is trusted, not only this address", bits);
    }
}

/* ---- keys without effect ---- */

static bool has_tls_backend(const struct gw_config *config)
{
    for (unsigned i = 0; i < config->backend_count; i++)
        if (config->backends[i]->is_tls)
            return true;
    return false;
}

static bool uses_usual_backend(const struct gw_loading *loading)
{
    const struct gw_config *config = loading->config;
    const cJSON *route = NULL, *routes = loading->values[GW_KEY_ROUTES].json;
    unsigned count = 0;
    cJSON_ArrayForEach(route, routes)
    {
        count++;
        if (!cJSON_GetObjectItemCaseSensitive(route, "backend"))
            return true;
    }
    return config->route_count > count; /* a default route was added */
}

static bool has_tls_redis(const struct gw_config *config)
{
    return (config->redis && config->redis->is_tls) || (config->cache_redis && config->cache_redis->is_tls);
}

/* Gives one warning, at the first key of `ids` that is set. */
static void advise_unused(struct gw_loading *loading, bool is_unused, const enum gw_key_id *ids, size_t count,
                          const char *why)
{
    for (size_t i = 0; i < count && is_unused; i++) {
        if (source_of(loading, ids[i])->origin == GW_ORIGIN_DEFAULT)
            continue;
        gw_source_warn(loading, source_of(loading, ids[i]), GW_SOURCE_WHOLE, NULL, "has no effect: %s", why);
        return;
    }
}

#define ADVISE_UNUSED(is_unused, why, ...)                                                                             \
    do {                                                                                                               \
        static const enum gw_key_id ids[] = { __VA_ARGS__ };                                                           \
        advise_unused(loading, is_unused, ids, GW_COUNT(ids), why);                                                    \
    } while (0)

static void advise_on_unused(struct gw_loading *loading)
{
    const struct gw_config *config = loading->config;
    const struct gw_value *v = loading->values;
    bool has_default = !gw_slice_equal(v[GW_KEY_LIMITS_RATE].text, GW_SLICE("off"));
    ADVISE_UNUSED(!config->limits_enabled && v[GW_KEY_LIMITS_POLICIES].json && v[GW_KEY_LIMITS_POLICIES].json->child,
                  "limits.enabled is false", GW_KEY_LIMITS_POLICIES);
    ADVISE_UNUSED(!config->limits_enabled, "limits.enabled is false", GW_KEY_LIMITS_RATE, GW_KEY_LIMITS_BURST,
                  GW_KEY_LIMITS_BY, GW_KEY_LIMITS_COST);
    ADVISE_UNUSED(config->limits_enabled && !has_default, "limits.rate is off, so there is no policy called default",
                  GW_KEY_LIMITS_BURST, GW_KEY_LIMITS_BY, GW_KEY_LIMITS_COST);
    ADVISE_UNUSED(!config->cache_enabled, "cache.enabled is false", GW_KEY_CACHE_TTL, GW_KEY_CACHE_DEFAULT_TTL,
                  GW_KEY_CACHE_REDIS_URL, GW_KEY_CACHE_BYPASS_PATHS, GW_KEY_CACHE_BYPASS_FIELDS,
                  GW_KEY_CACHE_BYPASS_COOKIES, GW_KEY_CACHE_IGNORE_QUERY);
    ADVISE_UNUSED(!config->cors_enabled, "cors.enabled is false", GW_KEY_CORS_ORIGINS, GW_KEY_CORS_CREDENTIALS,
                  GW_KEY_CORS_METHODS, GW_KEY_CORS_HEADERS);
    ADVISE_UNUSED(!uses_usual_backend(loading), "every route has a backend of its own, and one takes all requests",
                  GW_KEY_BACKEND_URL);
    ADVISE_UNUSED(!has_tls_backend(config), "no backend is https://", GW_KEY_BACKEND_TLS_CA_FILE);
    ADVISE_UNUSED(!config->tls_verify && config->tls_ca_file.length, "backend.tls_verify is false",
                  GW_KEY_BACKEND_TLS_CA_FILE);
    ADVISE_UNUSED(!has_tls_redis(config), "no Redis is rediss://", GW_KEY_REDIS_TLS_CA_FILE);
    ADVISE_UNUSED(!config->redis, "redis.url is empty, so each instance is by itself", GW_KEY_REDIS_PREFIX,
                  GW_KEY_REDIS_EXPECTED_INSTANCES, GW_KEY_LIMITS_ON_REDIS_FAILURE);
    if (has_tls_backend(config) && !config->tls_verify)
        gw_source_warn(loading, source_of(loading, GW_KEY_BACKEND_TLS_VERIFY), GW_SOURCE_WHOLE, NULL,
                       "https:// backends are not verified: any machine on the way can answer in their place");
}

/* Warns about a text that is nearly stdout, stderr or off: it would be a file in the working directory. */
static void advise_on_log(struct gw_loading *loading)
{
    static const char *const words[] = { "stdout", "stderr", "off" };
    static const char *const meant_off[] = { "none", "no", "false", "null", "disabled", "never" };
    struct gw_slice access = loading->config->access_log;
    const char *meant = NULL;
    for (size_t i = 0; i < GW_COUNT(words); i++) {
        if (gw_slice_equal(access, gw_slice_of_string(words[i])))
            return;
        if (gw_slice_equal_nocase(access, gw_slice_of_string(words[i])) ||
            gw_keys_distance(access, gw_slice_of_string(words[i])) <= 1)
            meant = words[i];
    }
    for (size_t i = 0; i < GW_COUNT(meant_off); i++)
        if (gw_slice_equal_nocase(access, gw_slice_of_string(meant_off[i])))
            meant = "off";
    if (meant)
        gw_source_warn(loading, source_of(loading, GW_KEY_LOG_ACCESS), GW_SOURCE_WHOLE, access.at,
                       "a file of this name in the working directory (did you mean \"%s\"?)", meant);
}

/* ---- routes ---- */

static void advise_on_route(struct gw_loading *loading, const struct gw_route *route)
{
    static const char *const rules[] = { "default_ttl",          "cache_ttl",          "cache_bypass_fields",
                                         "cache_bypass_cookies", "cache_bypass_paths", "cache_ignore_query" };
    const cJSON *written = cJSON_GetArrayItem(loading->values[GW_KEY_ROUTES].json, (int)route->index);
    const char *rule = NULL;
    bool is_read = route->match.methods.count == 0;
    for (size_t i = 0; i < GW_COUNT(rules) && !rule; i++)
        if (cJSON_GetObjectItemCaseSensitive(written, rules[i]))
            rule = rules[i];
    for (unsigned i = 0; i < route->match.methods.count; i++)
        is_read |= gw_slice_equal(route->match.methods.items[i], GW_SLICE("GET")) ||
                   gw_slice_equal(route->match.methods.items[i], GW_SLICE("HEAD"));
    if (rule && (!route->cache_enabled || !is_read))
        gw_source_warn(loading, source_of(loading, GW_KEY_ROUTES), (int)route->index, rule, "has no effect: %s",
                       is_read ? "nothing of this route is cached" : "of this route's methods nothing is ever cached");
}

bool gw_advice_give(struct gw_loading *loading)
{
    const cJSON *routes = loading->values[GW_KEY_ROUTES].json;
    advise_on_limits(loading);
    advise_on_proxies(loading);
    advise_on_unused(loading);
    advise_on_log(loading);
    for (unsigned i = 0; routes && i < (unsigned)cJSON_GetArraySize(routes); i++)
        advise_on_route(loading, &loading->config->routes[i]);
    return true;
}
