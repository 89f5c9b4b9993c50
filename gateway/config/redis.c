/* redis.c: makes addresses and logins of redis.url and cache.redis_url, and reads the other keys of "redis". */
#include "config/derive.h"
#include "base/hex.h"
#include "config/print.h"

enum { REDIS_PORT = 6379, REDIS_PATH_BYTES = 107, REDIS_DATABASES = 65535 };

static const char expected_url[] =
    "redis:// or rediss:// with [[user]:password@]host[:port][/db], or unix:///path[?db=N], and nothing else";

struct url {
    struct gw_loading *loading;
    const struct gw_source *source;
    struct gw_redis_node *node;
    struct gw_slice rest; /* the part that is not read yet */
};

static bool complain(const struct url *url, const char *expected)
{
    return gw_source_complain(url->source, GW_SOURCE_WHOLE, url->loading->complaint, url->node->url_masked.at, "%s",
                              expected);
}

static struct gw_slice before(struct gw_slice text, const char *end)
{
    return gw_slice_of(text.at, (size_t)(end - text.at));
}

static struct gw_slice from(struct gw_slice text, const char *start)
{
    return gw_slice_of(start, text.length - (size_t)(start - text.at));
}

/* Percent-decodes the text and ends it with a NUL. False: an encoding is not complete, or it is NUL. */
static bool decode(const struct url *url, struct gw_slice text, struct gw_slice *decoded)
{
    char *copy = gw_arena_take(&url->loading->config->arena, text.length + 1);
    size_t length = 0;
    if (!copy)
        return gw_loading_no_memory(url->loading->complaint);
    for (size_t i = 0; i < text.length; i++) {
        char c = text.at[i];
        if (c == '%') {
            int high = i + 2 < text.length ? gw_hex_value(text.at[i + 1]) : -1;
            int low = high >= 0 ? gw_hex_value(text.at[i + 2]) : -1;
            c = (char)(low >= 0 ? high << 4 | low : 0);
            i += 2;
        }
        if (c == '\0')
            return complain(url, "a URL in which each % begins an encoding such as %40, and none stands for NUL");
        copy[length++] = c;
    }
    copy[length] = '\0';
    *decoded = gw_slice_of(copy, length);
    return true;
}

/* Reads user and password, or a password only, up to the '@', if there is one. */
static bool read_login(struct url *url, const char *at)
{
    struct gw_redis_node *node = url->node;
    if (!at)
        return true;
    struct gw_slice login = before(url->rest, at);
    const char *colon = memchr(login.at, ':', login.length);
    if (!colon || colon + 1 == at)
        return complain(url, "user:password or :password before the @");
    url->rest = from(url->rest, at + 1);
    return decode(url, before(login, colon), &node->user) && decode(url, from(login, colon + 1), &node->password);
}

static bool read_database(struct url *url, struct gw_slice text)
{
    uint64_t number;
    if (!gw_slice_to_uint64(text, &number) || number > REDIS_DATABASES)
        return complain(url, "a database's number, 0 to 65535");
    url->node->database = (unsigned)number;
    return true;
}

static bool is_host(struct gw_slice host, bool is_bracketed)
{
    struct gw_address address;
    if (is_bracketed)
        return memchr(host.at, ':', host.length) && !memchr(host.at, '%', host.length) &&
               gw_address_parse(&address, host, false);
    for (size_t i = 0; i < host.length; i++) {
        char c = host.at[i];
        if (gw_hex_value(c) < 0 && !(c >= 'g' && c <= 'z') && !(c >= 'G' && c <= 'Z') && !strchr(".-_", c))
            return false;
    }
    return host.length >= 1 && host.length <= 255 && host.at[0] != '.';
}

static bool read_host(struct url *url, struct gw_slice authority)
{
    bool is_bracketed = authority.length && authority.at[0] == '[';
    const char *end = memchr(authority.at, is_bracketed ? ']' : ':', authority.length);
    uint64_t port = REDIS_PORT;
    if (is_bracketed && !end)
        return complain(url, expected_url);
    struct gw_slice host = end ? before(authority, end) : authority;
    struct gw_slice rest = end ? from(authority, is_bracketed ? end + 1 : end) : gw_slice_of(NULL, 0);
    if (is_bracketed)
        host = from(host, host.at + 1);
    if (rest.length &&
        (rest.at[0] != ':' || !gw_slice_to_uint64(from(rest, rest.at + 1), &port) || port < 1 || port > 65535))
        return complain(url, "a port from 1 to 65535 after the host");
    if (!is_host(host, is_bracketed))
        return complain(url, expected_url);
    url->node->port = (uint16_t)port;
    url->node->host = gw_loading_copy(&url->loading->config->arena, host);
    return url->node->host.at || gw_loading_no_memory(url->loading->complaint);
}

static bool read_network(struct url *url)
{
    /* The last '@', as for the mask, since a password may have '@' and '/'. */
    if (!read_login(url, memrchr(url->rest.at, '@', url->rest.length)))
        return false;
    const char *slash = memchr(url->rest.at, '/', url->rest.length);
    struct gw_slice database = slash ? from(url->rest, slash + 1) : GW_NO_SLICE;
    if (!read_host(url, slash ? before(url->rest, slash) : url->rest))
        return false;
    return !database.length || read_database(url, database);
}

static bool read_path(struct url *url)
{
    static const struct gw_slice db = { "db=", 3 };
    const char *at = NULL;
    if (url->rest.length && url->rest.at[0] != '/') {
        for (const char *c = url->rest.at; c < url->rest.at + url->rest.length - 1; c++)
            if (c[0] == '@' && c[1] == '/')
                at = c;
        if (!at)
            return complain(url, expected_url);
    }
    if (!read_login(url, at))
        return false;
    const char *question = memchr(url->rest.at, '?', url->rest.length);
    if (!decode(url, question ? before(url->rest, question) : url->rest, &url->node->host))
        return false;
    if (url->node->host.length < 2 || url->node->host.length > REDIS_PATH_BYTES)
        return complain(url, "the path of a socket, of at most 107 bytes, after unix://");
    if (!question)
        return true;
    struct gw_slice query = from(url->rest, question + 1);
    if (!gw_slice_starts_with(query, db))
        return complain(url, expected_url);
    return read_database(url, from(query, query.at + db.length));
}

static bool take_scheme(struct url *url, const char *scheme)
{
    struct gw_slice start = gw_slice_of_string(scheme);
    if (url->rest.length < start.length || !gw_slice_equal_nocase(gw_slice_of(url->rest.at, start.length), start))
        return false;
    url->rest = from(url->rest, url->rest.at + start.length);
    return true;
}

static bool read_url(struct url *url)
{
    struct gw_redis_node *node = url->node;
    node->user = node->password = GW_SLICE("");
    node->is_unix = take_scheme(url, "unix://");
    if (node->is_unix)
        return read_path(url);
    node->is_tls = take_scheme(url, "rediss://");
#ifndef GW_HAVE_REDIS_TLS
    if (node->is_tls)
        return complain(url, "redis:// or unix://: the hiredis that this program was built with has no TLS");
#endif
    if (node->is_tls || take_scheme(url, "redis://"))
        return read_network(url);
    if (take_scheme(url, "redis-sentinel://") || take_scheme(url, "redis-cluster://"))
        return complain(url, "redis://, rediss:// or unix://: Sentinel and Cluster are not in this version");
    return complain(url, expected_url);
}

/* *node stays NULL where the URL is empty. */
static bool derive_node(struct gw_loading *loading, enum gw_key_id id, struct gw_redis_node **node)
{
    struct url url = { .loading = loading, .source = &loading->sources[id], .rest = loading->values[id].text };
    if (!url.rest.length)
        return true;
    size_t room = url.rest.length + 4; /* "***" may be longer than the login */
    char *memory = gw_loading_take(loading, room, 1);
    url.node = gw_loading_take(loading, 1, sizeof(*url.node));
    if (!memory || !url.node)
        return false;
    struct gw_buffer masked = gw_buffer_over(memory, room - 1);
    gw_print_masked_url(&masked, url.rest);
    url.node->url_masked = gw_buffer_slice(&masked);
    *node = url.node;
    return read_url(&url);
}

static bool is_prefix(struct gw_slice prefix)
{
    for (size_t i = 0; i < prefix.length; i++)
        if (gw_hex_value(prefix.at[i]) < 0 && !(prefix.at[i] >= 'g' && prefix.at[i] <= 'z') &&
            !(prefix.at[i] >= 'G' && prefix.at[i] <= 'Z') && !strchr(":_-", prefix.at[i]))
            return false;
    return true;
}

bool gw_redis_derive(struct gw_loading *loading)
{
    struct gw_config *config = loading->config;
    const struct gw_value *v = loading->values;
    config->redis_timeout_ms = (unsigned)v[GW_KEY_REDIS_TIMEOUT].number;
    config->redis_connect_timeout_ms = (unsigned)v[GW_KEY_REDIS_CONNECT_TIMEOUT].number;
    config->redis_max_pending = (unsigned)v[GW_KEY_REDIS_MAX_PENDING].number;
    config->redis_prefix = v[GW_KEY_REDIS_PREFIX].text;
    config->redis_heartbeat_ms = (unsigned)v[GW_KEY_REDIS_HEARTBEAT].number;
    config->expected_instances = (unsigned)v[GW_KEY_REDIS_EXPECTED_INSTANCES].number;
    config->redis_tls_ca_file = v[GW_KEY_REDIS_TLS_CA_FILE].text;
    bool good = is_prefix(config->redis_prefix);
    if (!good)
        gw_source_complain(&loading->sources[GW_KEY_REDIS_PREFIX], GW_SOURCE_WHOLE, loading->complaint,
                           config->redis_prefix.at, "1 to 32 of A-Z, a-z, 0-9, :, _ and -");
    gw_loading_file(loading, good);
    good &= gw_loading_file(loading, derive_node(loading, GW_KEY_REDIS_URL, &config->redis));
    good &= gw_loading_file(loading, derive_node(loading, GW_KEY_CACHE_REDIS_URL, &config->cache_redis));
    if (config->cache_redis && !config->redis && !loading->sources[GW_KEY_REDIS_URL].is_wrong)
        return gw_source_complain(&loading->sources[GW_KEY_CACHE_REDIS_URL], GW_SOURCE_WHOLE, loading->complaint,
                                  config->cache_redis->url_masked.at, "nothing, or redis.url as well");
    return good;
}
