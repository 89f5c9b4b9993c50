#include <stdio.h>
#include "config/derive.h"

static const char expected_url[] =
    "http:// or https:// with a host, perhaps a port and a path prefix, and nothing else";

struct parts {
    struct gw_slice host; /* without brackets */
    struct gw_slice base_path;
    uint16_t port;
    bool is_tls;
    bool is_literal6;
};

static struct gw_slice cut(struct gw_slice text, size_t from)
{
    return gw_slice_of(text.at + from, text.length - from);
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* The path characters of RFC 3986, with complete percent-encodings. */
static bool is_path(struct gw_slice path)
{
    for (size_t i = 0; i < path.length; i++) {
        unsigned char c = (unsigned char)path.at[i];
        if (c <= 0x20 || c >= 0x7f || strchr("?#\"<>\\^`{|}*", c))
            return false;
        if (c == '%' && !(i + 2 < path.length && is_hex(path.at[i + 1]) && is_hex(path.at[i + 2])))
            return false;
    }
    return true;
}

/* A reg-name as DNS and container networks use it: letters, digits, '.', '-', '_'. */
static bool is_name(struct gw_slice host)
{
    for (size_t i = 0; i < host.length; i++) {
        char c = host.at[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && !strchr(".-_", c))
            return false;
    }
    return host.length >= 1 && host.length <= 255 && host.at[0] != '.';
}

static bool split_authority(struct gw_slice authority, struct parts *parts)
{
    struct gw_address address;
    uint64_t port = parts->is_tls ? 443 : 80;
    size_t end = 0;
    parts->is_literal6 = authority.length && authority.at[0] == '[';
    while (end < authority.length && authority.at[end] != (parts->is_literal6 ? ']' : ':'))
        end++;
    if (parts->is_literal6) {
        if (end == authority.length)
            return false;
        parts->host = gw_slice_of(authority.at + 1, end - 1);
        end++;
        if (!gw_address_parse(&address, parts->host, false) || memchr(parts->host.at, '%', parts->host.length) ||
            !memchr(parts->host.at, ':', parts->host.length))
            return false;
    } else {
        parts->host = gw_slice_of(authority.at, end);
        if (!is_name(parts->host))
            return false;
    }
    if (end < authority.length &&
        (authority.at[end] != ':' || !gw_slice_to_uint64(cut(authority, end + 1), &port) || port < 1 || port > 65535))
        return false;
    parts->port = (uint16_t)port;
    return true;
}

static bool split_url(struct gw_slice url, struct parts *parts)
{
    static const struct gw_slice http = { "http://", 7 }, https = { "https://", 8 };
    parts->is_tls = url.length > https.length && gw_slice_equal_nocase(gw_slice_of(url.at, https.length), https);
    if (!parts->is_tls && !(url.length > http.length && gw_slice_equal_nocase(gw_slice_of(url.at, http.length), http)))
        return false;
    struct gw_slice rest = cut(url, parts->is_tls ? https.length : http.length);
    const char *slash = memchr(rest.at, '/', rest.length);
    size_t authority_length = slash ? (size_t)(slash - rest.at) : rest.length;
    parts->base_path = cut(rest, authority_length);
    return is_path(parts->base_path) && split_authority(gw_slice_of(rest.at, authority_length), parts);
}

static struct gw_slice copy_lower(struct gw_arena *arena, struct gw_slice text)
{
    char *copy = gw_arena_take(arena, text.length + 1);
    if (!copy)
        return GW_NO_SLICE;
    for (size_t i = 0; i < text.length; i++)
        copy[i] = (char)(text.at[i] >= 'A' && text.at[i] <= 'Z' ? text.at[i] - 'A' + 'a' : text.at[i]);
    copy[text.length] = '\0';
    return gw_slice_of(copy, text.length);
}

static bool fill(struct gw_arena *arena, struct gw_backend *backend, struct gw_slice url, const struct parts *parts)
{
    char authority[300];
    bool is_usual = parts->port == (parts->is_tls ? 443 : 80);
    backend->url = gw_loading_copy(arena, url);
    backend->host = copy_lower(arena, parts->host);
    backend->base_path = gw_loading_copy(arena, parts->base_path);
    backend->port = parts->port;
    backend->is_tls = parts->is_tls;
    if (!backend->url.at || !backend->host.at || !backend->base_path.at)
        return false;
    int length = snprintf(authority, sizeof(authority), parts->is_literal6 ? "[%s]" : "%s", backend->host.at);
    if (!is_usual)
        snprintf(authority + length, sizeof(authority) - (size_t)length, ":%u", parts->port);
    backend->authority = gw_loading_copy(arena, gw_slice_of_string(authority));
    return backend->authority.at != NULL;
}

bool gw_backends_derive(struct gw_loading *loading, const struct gw_source *source, const struct gw_strings *urls,
                        struct gw_backend **backends)
{
    bool good = true;
    *backends = gw_loading_take(loading, urls->count, sizeof(**backends));
    if (!*backends)
        return false;
    for (unsigned i = 0; i < urls->count; i++) {
        struct gw_slice url = urls->items[i];
        struct parts parts = { 0 };
        bool has_login = memchr(url.at, '@', url.length); /* the URL is not quoted then, since it may have a password */
        while (url.length && url.at[url.length - 1] == '/')
            url.length--;
        if (has_login)
            gw_source_complain(source, (int)i, loading->complaint, NULL, "a URL without user and password (@)");
        else if (!split_url(url, &parts))
            gw_source_complain(source, (int)i, loading->complaint, urls->items[i].at, "%s", expected_url);
        if (loading->complaint->place[0])
            good = gw_loading_file(loading, false);
        else if (!fill(&loading->config->arena, &(*backends)[i], url, &parts))
            return gw_loading_no_memory(loading->complaint);
    }
    return good;
}

static bool is_same(const struct gw_backend *a, const struct gw_backend *b)
{
    return a->is_tls == b->is_tls && a->port == b->port && gw_slice_equal(a->host, b->host) &&
           gw_slice_equal(a->base_path, b->base_path);
}

static bool check_transport(struct gw_loading *loading, const struct gw_backend *backend)
{
    if (!backend->is_tls || loading->values[GW_KEY_BACKEND_TRANSPORT].number != GW_TRANSPORT_H1)
        return true;
    return gw_source_complain(&loading->sources[GW_KEY_BACKEND_TRANSPORT], GW_SOURCE_WHOLE, loading->complaint, "h1",
                              "auto or curl, as %.180s needs TLS", backend->url.at);
}

bool gw_backends_number(struct gw_loading *loading, const struct gw_source *source, struct gw_backend *backends,
                        unsigned count)
{
    struct gw_config *config = loading->config;
    for (unsigned i = 0; i < count; i++) {
        unsigned index = 0;
        while (index < config->backend_count && !is_same(config->backends[index], &backends[i]))
            index++;
        if (index == GW_DERIVE_BACKENDS)
            return gw_source_complain(source, (int)i, loading->complaint, backends[i].url.at,
                                      "at most %d backends over all routes", GW_DERIVE_BACKENDS);
        if (!check_transport(loading, &backends[i]))
            return false;
        backends[i].index = index;
        if (index == config->backend_count)
            config->backends[config->backend_count++] = &backends[i];
    }
    return true;
}
