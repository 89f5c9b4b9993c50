/* space.c: the part of the cache's name space for one route, which is everything that the route's answers depend on.
 * redis/README.md tells its text. */
#include <openssl/evp.h>
#include <stdlib.h>
#include "base/hex.h"
#include "config/derive.h"

enum { SPACE_LINE_BYTES = 2200, SPACE_TEXT_BYTES = 256 * 1024, SPACE_DIGEST_BYTES = 32 };

/* A literal IPv6 address has many spellings. */
static void put_authority(struct gw_buffer *line, const struct gw_backend *backend)
{
    struct gw_address address;
    char text[GW_ADDRESS_TEXT_BYTES];
    if (backend->authority.at[0] != '[' || !gw_address_parse(&address, backend->host, false)) {
        gw_buffer_put_slice(line, backend->authority);
        return;
    }
    gw_buffer_put_char(line, '[');
    gw_buffer_put(line, text, gw_address_print(&address, text));
    gw_buffer_put_char(line, ']');
    if (backend->port != (backend->is_tls ? 443 : 80)) {
        gw_buffer_put_char(line, ':');
        gw_buffer_put_uint(line, backend->port);
    }
}

static bool is_sent_clients_host(const struct gw_config *config, const struct gw_backend *backend)
{
    return config->preserve_host == GW_PRESERVE_HOST_YES ||
           (config->preserve_host == GW_PRESERVE_HOST_AUTO && !backend->is_tls);
}

/* "http://host:port/prefix client": where the backend is, and whether it gets the client's Host or its own. */
static struct gw_slice line_of(struct gw_loading *loading, const struct gw_backend *backend)
{
    char memory[SPACE_LINE_BYTES];
    struct gw_buffer line = gw_buffer_over(memory, sizeof memory);
    gw_buffer_put_string(&line, backend->is_tls ? "https://" : "http://");
    put_authority(&line, backend);
    gw_buffer_put_slice(&line, backend->base_path);
    gw_buffer_put_string(&line, is_sent_clients_host(loading->config, backend) ? " client\n" : " own\n");
    return line.overflowed ? GW_NO_SLICE : gw_loading_copy(&loading->config->arena, gw_buffer_slice(&line));
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct gw_slice *)a)->at, ((const struct gw_slice *)b)->at);
}

static bool put_backends(struct gw_loading *loading, const struct gw_route *route, struct gw_buffer *text)
{
    struct gw_slice *lines = gw_loading_take(loading, route->backend_count, sizeof *lines);
    if (!lines)
        return false;
    for (unsigned i = 0; i < route->backend_count; i++) {
        lines[i] = line_of(loading, &route->backends[i]);
        if (!lines[i].at)
            return gw_loading_no_memory(loading->complaint);
    }
    qsort(lines, route->backend_count, sizeof *lines, compare);
    for (unsigned i = 0; i < route->backend_count; i++)
        if (i == 0 || !gw_slice_equal(lines[i], lines[i - 1]))
            gw_buffer_put_slice(text, lines[i]);
    return true;
}

/* Everything that is added to requests to backends, and that changes answers before they are stored. */
static void put_rules(const struct gw_loading *loading, struct gw_buffer *text)
{
    static const struct {
        enum gw_key_id id;
        const char *word;
    } rules[] = {
        { GW_KEY_BACKEND_FORWARDED, "forwarded\n" },
        { GW_KEY_BACKEND_REWRITE_LOCATION, "rewrite_location\n" },
        { GW_KEY_CORS_ENABLED, "cors\n" },
    };
    for (size_t i = 0; i < GW_COUNT(rules); i++)
        if (loading->values[rules[i].id].number)
            gw_buffer_put_string(text, rules[i].word);
    if (loading->config->cors_alone) /* then CORS fields of backends are not stored */
        gw_buffer_put_literal(text, "cors_alone\n");
}

static bool digest(struct gw_loading *loading, const struct gw_route *route, char hex[2 * SPACE_DIGEST_BYTES])
{
    unsigned char bytes[SPACE_DIGEST_BYTES];
    struct gw_buffer text = gw_buffer_create(SPACE_TEXT_BYTES);
    bool is_put = put_backends(loading, route, &text);
    put_rules(loading, &text);
    bool is_made = is_put && !text.overflowed && EVP_Digest(text.at, text.length, bytes, NULL, EVP_sha256(), NULL) == 1;
    gw_buffer_destroy(&text);
    if (!is_made)
        return is_put ? gw_loading_no_memory(loading->complaint) : false;
    gw_hex_put(hex, bytes, sizeof bytes);
    return true;
}

static bool derive_route(struct gw_loading *loading, struct gw_route *route, struct gw_slice written)
{
    char hex[2 * SPACE_DIGEST_BYTES];
    struct gw_slice space = written.length ? written : gw_slice_of(hex, sizeof hex);
    if (!written.length && !digest(loading, route, hex))
        return false;
    char *memory = gw_loading_take(loading, space.length + 1 + route->name.length, 1);
    if (!memory)
        return false;
    struct gw_buffer text = gw_buffer_over(memory, space.length + 1 + route->name.length);
    gw_buffer_put_slice(&text, space);
    gw_buffer_put_char(&text, '\n');
    gw_buffer_put_slice(&text, route->name);
    route->cache_space = gw_buffer_slice(&text);
    return true;
}

static bool is_visible(struct gw_slice text)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.at[i] <= ' ' || text.at[i] > '~')
            return false;
    return true;
}

bool gw_space_check(struct gw_loading *loading)
{
    struct gw_slice written = loading->values[GW_KEY_CACHE_NAMESPACE].text;
    return is_visible(written) ||
           gw_source_complain(&loading->sources[GW_KEY_CACHE_NAMESPACE], GW_SOURCE_WHOLE, loading->complaint,
                              written.at, "visible ASCII without spaces, such as shop-production");
}

bool gw_space_derive(struct gw_loading *loading)
{
    struct gw_config *config = loading->config;
    struct gw_slice written = loading->values[GW_KEY_CACHE_NAMESPACE].text;
    for (unsigned i = 0; i < config->route_count; i++)
        if (!derive_route(loading, &config->routes[i], written))
            return false;
    return true;
}
