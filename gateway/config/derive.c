#include <sched.h>
#include <stdio.h>
#include "config/derive.h"

enum { DERIVE_WORKERS = 256 };

static bool complain(struct gw_loading *loading, enum gw_key_id id, const char *found, const char *expected)
{
    return gw_source_complain(&loading->sources[id], GW_SOURCE_WHOLE, loading->complaint, found, "%s", expected);
}

/* The cores that this process may use, which can be fewer than the machine has (in a container). */
static unsigned usable_cores(void)
{
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
    return count < 1 ? 1 : count > DERIVE_WORKERS ? DERIVE_WORKERS : (unsigned)count;
}

static struct gw_slice without_brackets(struct gw_slice host)
{
    if (host.length >= 2 && host.at[0] == '[' && host.at[host.length - 1] == ']')
        return gw_slice_of(host.at + 1, host.length - 2);
    return host;
}

static bool derive_listens(struct gw_loading *loading)
{
    struct gw_config *config = loading->config;
    struct gw_slice host = without_brackets(loading->values[GW_KEY_SERVER_HOST].text);
    uint16_t port = (uint16_t)loading->values[GW_KEY_SERVER_PORT].number;
    struct gw_address address;
    config->listens = gw_loading_take(loading, 2, sizeof(*config->listens));
    if (!config->listens)
        return false;
    if (host.length == 0) {
        config->listens[0] = (struct gw_listen) { GW_SLICE("0.0.0.0"), port };
        config->listens[1] = (struct gw_listen) { GW_SLICE("::"), port };
        config->listen_count = 2;
        return true;
    }
    if (!gw_address_parse(&address, host, false))
        return complain(loading, GW_KEY_SERVER_HOST, host.at, "an IPv4 or IPv6 address, or nothing for all of them");
    config->listens[0] = (struct gw_listen) { gw_loading_copy(&config->arena, host), port };
    config->listen_count = 1;
    return config->listens[0].host.at || gw_loading_no_memory(loading->complaint);
}

static bool is_any_address(struct gw_slice host)
{
    return gw_slice_equal(host, GW_SLICE("0.0.0.0")) || gw_slice_equal(host, GW_SLICE("::"));
}

/* Would these two need the same socket? */
static bool do_collide(const struct gw_listen *a, const struct gw_listen *b)
{
    return a->port == b->port &&
           (gw_slice_equal(a->host, b->host) || is_any_address(a->host) || is_any_address(b->host));
}

static bool derive_admin_listen(struct gw_loading *loading)
{
    struct gw_config *config = loading->config;
    struct gw_slice text = loading->values[GW_KEY_ADMIN_LISTEN].text;
    const char *colon = text.length ? memrchr(text.at, ':', text.length) : NULL;
    struct gw_address address;
    uint64_t port;
    if (!text.length)
        return true;
    struct gw_slice host = gw_slice_of(text.at, colon ? (size_t)(colon - text.at) : 0);
    bool is_bracketed = host.length && host.at[0] == '[';
    if (!colon || !gw_slice_to_uint64(gw_slice_of_string(colon + 1), &port) || port < 1 || port > 65535 ||
        !gw_address_parse(&address, host, false) || (memchr(host.at, ':', host.length) && !is_bracketed))
        return complain(loading, GW_KEY_ADMIN_LISTEN, text.at, "an address and a port: 127.0.0.1:9090 or [::1]:9090");
    config->admin_listen = gw_loading_take(loading, 1, sizeof(*config->admin_listen));
    if (!config->admin_listen)
        return false;
    config->admin_listen->port = (uint16_t)port;
    config->admin_listen->host = gw_loading_copy(&config->arena, without_brackets(host));
    if (!config->admin_listen->host.at)
        return gw_loading_no_memory(loading->complaint);
    for (unsigned i = 0; i < config->listen_count && !loading->sources[GW_KEY_SERVER_PORT].is_wrong; i++)
        if (do_collide(&config->listens[i], config->admin_listen))
            return complain(loading, GW_KEY_ADMIN_LISTEN, text.at, "an address and a port that clients do not use");
    return true;
}

enum { DERIVE_TOKEN_BYTES = 16 };

/* The token must be valid in Authorization and too long to be guessed. The complaint must not quote it. */
static bool derive_admin_token(struct gw_loading *loading)
{
    struct gw_slice token = loading->values[GW_KEY_ADMIN_TOKEN].text;
    bool good = !token.length || token.length >= DERIVE_TOKEN_BYTES;
    for (size_t i = 0; i < token.length; i++)
        good = good && token.at[i] > ' ' && token.at[i] <= '~';
    loading->config->admin_token = token;
    return good || complain(loading, GW_KEY_ADMIN_TOKEN, NULL,
                            "16 to 256 characters of visible ASCII without spaces, or nothing");
}

static bool derive_proxies(struct gw_loading *loading)
{
    struct gw_config *config = loading->config;
    const struct gw_strings *list = &loading->values[GW_KEY_SERVER_TRUSTED_PROXIES].list;
    bool good = true;
    config->trusted_proxies = gw_loading_take(loading, list->count, sizeof(*config->trusted_proxies));
    if (!config->trusted_proxies)
        return false;
    for (unsigned i = 0; i < list->count; i++) {
        if (gw_network_parse(&config->trusted_proxies[i], list->items[i]))
            continue;
        gw_source_complain(&loading->sources[GW_KEY_SERVER_TRUSTED_PROXIES], (int)i, loading->complaint,
                           list->items[i].at, "a network such as 10.0.0.0/8 or 2001:db8::/32, or an address");
        good = gw_loading_file(loading, false);
    }
    config->trusted_proxy_count = list->count;
    return good;
}

static bool derive_server(struct gw_loading *loading)
{
    struct gw_config *config = loading->config;
    const struct gw_value *v = loading->values;
    unsigned workers = (unsigned)v[GW_KEY_SERVER_WORKERS].number;
    config->workers = workers ? workers : usable_cores();
    config->backlog = (unsigned)v[GW_KEY_SERVER_BACKLOG].number;
    config->max_connections = (unsigned)v[GW_KEY_SERVER_MAX_CONNECTIONS].number;
    config->max_connections_per_client = (unsigned)v[GW_KEY_SERVER_MAX_CONNECTIONS_PER_CLIENT].number;
    config->max_requests_per_connection = (unsigned)v[GW_KEY_SERVER_MAX_REQUESTS_PER_CONNECTION].number;
    config->max_request_line_bytes = (size_t)v[GW_KEY_SERVER_MAX_REQUEST_LINE_BYTES].number;
    config->max_header_bytes = (size_t)v[GW_KEY_SERVER_MAX_HEADER_BYTES].number;
    config->max_header_count = (unsigned)v[GW_KEY_SERVER_MAX_HEADERS].number;
    config->max_body_bytes = v[GW_KEY_SERVER_MAX_BODY_BYTES].number;
    config->header_timeout_ms = (unsigned)v[GW_KEY_SERVER_HEADER_TIMEOUT].number;
    config->body_timeout_ms = (unsigned)v[GW_KEY_SERVER_BODY_TIMEOUT].number;
    config->idle_timeout_ms = (unsigned)v[GW_KEY_SERVER_IDLE_TIMEOUT].number;
    config->write_timeout_ms = (unsigned)v[GW_KEY_SERVER_WRITE_TIMEOUT].number;
    config->drain_timeout_ms = (unsigned)v[GW_KEY_SERVER_DRAIN_TIMEOUT].number;
    config->linger_timeout_ms = (unsigned)v[GW_KEY_SERVER_LINGER_TIMEOUT].number;
    config->linger_silence_ms = (unsigned)v[GW_KEY_SERVER_LINGER_SILENCE].number;
    config->max_lingering = (unsigned)v[GW_KEY_SERVER_MAX_LINGERING].number;
    bool good = gw_loading_file(loading, derive_listens(loading));
    good &= gw_loading_file(loading, derive_admin_listen(loading));
    good &= gw_loading_file(loading, derive_admin_token(loading));
    good &= gw_loading_file(loading, derive_proxies(loading));
    return good;
}

static void derive_backend(struct gw_loading *loading)
{
    struct gw_config *config = loading->config;
    const struct gw_value *v = loading->values;
    config->transport = (enum gw_transport_kind)v[GW_KEY_BACKEND_TRANSPORT].number;
    config->preserve_host = (enum gw_preserve_host)v[GW_KEY_BACKEND_PRESERVE_HOST].number;
    config->rewrite_location = v[GW_KEY_BACKEND_REWRITE_LOCATION].number;
    config->forwarded = v[GW_KEY_BACKEND_FORWARDED].number;
    config->connect_timeout_ms = (unsigned)v[GW_KEY_BACKEND_CONNECT_TIMEOUT].number;
    config->response_timeout_ms = (unsigned)v[GW_KEY_BACKEND_RESPONSE_TIMEOUT].number;
    config->read_timeout_ms = (unsigned)v[GW_KEY_BACKEND_READ_TIMEOUT].number;
    config->max_backend_connections = (unsigned)v[GW_KEY_BACKEND_MAX_CONNECTIONS].number;
    config->keepalive_connections = (unsigned)v[GW_KEY_BACKEND_KEEPALIVE_CONNECTIONS].number;
    config->keepalive_timeout_ms = (unsigned)v[GW_KEY_BACKEND_KEEPALIVE_TIMEOUT].number;
    config->max_response_header_bytes = (size_t)v[GW_KEY_BACKEND_MAX_RESPONSE_HEADER_BYTES].number;
    config->max_response_headers = (unsigned)v[GW_KEY_BACKEND_MAX_RESPONSE_HEADERS].number;
    config->retries = (unsigned)v[GW_KEY_BACKEND_RETRIES].number;
    config->continue_timeout_ms = (unsigned)v[GW_KEY_BACKEND_CONTINUE_TIMEOUT].number;
    config->tls_ca_file = v[GW_KEY_BACKEND_TLS_CA_FILE].text;
    config->tls_verify = v[GW_KEY_BACKEND_TLS_VERIFY].number;
}

static bool has_star(const struct gw_strings *list)
{
    for (unsigned i = 0; i < list->count; i++)
        if (gw_slice_equal(list->items[i], GW_SLICE("*")))
            return true;
    return false;
}

/* Is it written as browsers write it (RFC 6454 §6.2): in lower case, without a path or the default port? Then comparing
 * bytes is enough. */
static bool is_origin(struct gw_slice origin)
{
    const char *host = memmem(origin.at, origin.length, "://", 3);
    if (!host || host == origin.at || !host[3])
        return false;
    for (const char *c = origin.at; *c; c++)
        if (c < host ? !(*c >= 'a' && *c <= 'z') && !strchr("+-.0123456789", *c)
                     : *c <= ' ' || *c > '~' || (*c >= 'A' && *c <= 'Z') || (c > host + 2 && strchr("/?#@,\"*", *c)))
            return false;
    return true;
}

/* Does it have the scheme's default port, which browsers leave out, or something that is not a port? */
static bool has_wrong_port(struct gw_slice origin)
{
    const char *host = (const char *)memmem(origin.at, origin.length, "://", 3) + 3;
    const char *end = origin.at + origin.length, *bracket = memrchr(host, ']', (size_t)(end - host));
    const char *colon = memchr(bracket ? bracket : host, ':', (size_t)(end - (bracket ? bracket : host)));
    struct gw_slice port = gw_slice_of(colon ? colon + 1 : end, colon ? (size_t)(end - colon - 1) : 0);
    uint64_t number;
    if (!colon)
        return false;
    if (!gw_slice_to_uint64(port, &number) || number < 1 || number > 65535)
        return true;
    return port.at[0] == '0' || (number == 80 && gw_slice_starts_with(origin, GW_SLICE("http://"))) ||
           (number == 443 && gw_slice_starts_with(origin, GW_SLICE("https://")));
}

static bool check_origin(struct gw_loading *loading, const struct gw_source *source, int item, struct gw_slice origin)
{
    if (memmem(origin.at, origin.length, "*", 1))
        return gw_source_complain(source, item, loading->complaint, origin.at,
                                  "an origin without wildcards: each in full, such as https://app.example.org, or * "
                                  "alone");
    if (!is_origin(origin))
        return gw_source_complain(source, item, loading->complaint, origin.at,
                                  "an origin in lower case without a path, such as https://app.example.org, or *");
    if (has_wrong_port(origin))
        return gw_source_complain(source, item, loading->complaint, origin.at,
                                  "an origin as browsers send it: a port of 1 to 65535, and none where it is the "
                                  "scheme's usual one");
    return true;
}

/* Joins the list to "a, b, c", the value of a field. For browsers, * alone means any. */
static bool join(struct gw_loading *loading, enum gw_key_id id, gw_match_check *check, struct gw_slice *joined)
{
    const struct gw_strings *list = &loading->values[id].list;
    bool good = (list->count == 1 && has_star(list)) ||
                gw_match_check_each(loading, &loading->sources[id], list, check);
    size_t length = 0;
    for (unsigned i = 0; i < list->count; i++)
        length += list->items[i].length + 2;
    char *memory = gw_loading_take(loading, length + 1, 1);
    if (!memory)
        return false;
    struct gw_buffer buffer = gw_buffer_over(memory, length);
    for (unsigned i = 0; i < list->count; i++) {
        if (i)
            gw_buffer_put_literal(&buffer, ", ");
        gw_buffer_put_slice(&buffer, list->items[i]);
    }
    *joined = gw_buffer_slice(&buffer);
    return good;
}

static bool derive_origins(struct gw_loading *loading)
{
    struct gw_config *config = loading->config;
    const struct gw_value *v = loading->values;
    const struct gw_source *origins = &loading->sources[GW_KEY_CORS_ORIGINS];
    bool good = true;
    config->cors_origins = v[GW_KEY_CORS_ORIGINS].list;
    config->cors_alone = config->cors_enabled && config->cors_origins.count;
    config->cors_any_origin = !config->cors_origins.count || has_star(&config->cors_origins);
    if (config->cors_any_origin && config->cors_origins.count > 1)
        return complain(loading, GW_KEY_CORS_ORIGINS, NULL, "* alone, or origins without it");
    if (!config->cors_any_origin)
        good = gw_match_check_each(loading, origins, &config->cors_origins, check_origin);
    if (config->cors_enabled && config->cors_credentials && config->cors_any_origin && !origins->is_wrong)
        return complain(loading, GW_KEY_CORS_CREDENTIALS, "true",
                        "false, or cors.origins without *: browsers refuse credentials for any origin");
    return good;
}

static bool derive_cors(struct gw_loading *loading)
{
    struct gw_config *config = loading->config;
    const struct gw_value *v = loading->values;
    config->cors_enabled = v[GW_KEY_CORS_ENABLED].number;
    config->cors_credentials = v[GW_KEY_CORS_CREDENTIALS].number;
    config->cors_max_age_s = (unsigned)v[GW_KEY_CORS_MAX_AGE].number;
    bool good = gw_loading_file(loading, derive_origins(loading));
    if (has_star(&v[GW_KEY_CORS_HEADERS].list) && v[GW_KEY_CORS_HEADERS].list.count > 1)
        return complain(loading, GW_KEY_CORS_HEADERS, NULL, "* alone, or names without it");
    good &= join(loading, GW_KEY_CORS_METHODS, gw_match_check_method, &config->cors_methods);
    good &= join(loading, GW_KEY_CORS_HEADERS, gw_match_check_field, &config->cors_headers);
    good &= join(loading, GW_KEY_CORS_EXPOSED_HEADERS, gw_match_check_answer_field, &config->cors_exposed);
    return good;
}

static void derive_rest(struct gw_loading *loading)
{
    struct gw_config *config = loading->config;
    const struct gw_value *v = loading->values;
    config->limits_enabled = v[GW_KEY_LIMITS_ENABLED].number;
    config->max_clients = (unsigned)v[GW_KEY_LIMITS_MAX_CLIENTS].number;
    config->ipv6_prefix_bits = (unsigned)v[GW_KEY_LIMITS_IPV6_PREFIX].number;
    config->limit_fields = v[GW_KEY_LIMITS_RATELIMIT_FIELDS].number;
    config->limit_x_fields = v[GW_KEY_LIMITS_X_RATELIMIT_FIELDS].number;
    config->log_level = (enum gw_log_level)v[GW_KEY_LOG_LEVEL].number;
    config->log_json = v[GW_KEY_LOG_FORMAT].number == 0;
    config->access_log = v[GW_KEY_LOG_ACCESS].text;
}

typedef bool derive_part(struct gw_loading *loading);

bool gw_derive_config(struct gw_loading *loading)
{
    static derive_part *const parts[] = {
        derive_server, gw_caching_derive, gw_routes_derive, gw_policies_derive,
        derive_cors,   gw_redis_derive,   gw_space_check,
    };
    bool good = true;
    derive_backend(loading);
    derive_rest(loading);
    for (size_t i = 0; i < GW_COUNT(parts); i++)
        good &= gw_loading_file(loading, parts[i](loading));
    return good && gw_caching_derive_credentials(loading) /* needs the policies */ &&
           gw_space_derive(loading) /* needs everything else */;
}
