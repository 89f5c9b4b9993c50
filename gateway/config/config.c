#include <stdlib.h>
#include "config/config.h"

void gw_config_unref(struct gw_config *config)
{
    if (atomic_fetch_sub_explicit(&config->refs, 1, memory_order_acq_rel) != 1)
        return;
    gw_arena_free(&config->arena);
    free(config);
}

/* In regular expressions of Python (so in Starlette's routes), PHP and Ruby, "$" also matches before a last line feed,
 * and for C a NUL ends the text. So every control character ends a segment. */
static bool ends_segment(char c)
{
    return c == '/' || (unsigned char)c < 0x20 || c == 0x7f;
}

bool gw_match_path_holds(struct gw_slice prefix, struct gw_slice path)
{
    if (!gw_slice_starts_with(path, prefix))
        return false;
    return path.length == prefix.length || prefix.at[prefix.length - 1] == '/' || ends_segment(path.at[prefix.length]);
}

/* The host without its port and without the dot of the root ("example.org." is the same host). */
static struct gw_slice bare_host(struct gw_slice host)
{
    bool is_literal = host.length && host.at[0] == '[';
    const char *end = host.length ? memchr(host.at, is_literal ? ']' : ':', host.length) : NULL;
    if (end)
        host.length = (size_t)(end - host.at) + is_literal;
    if (host.length && host.at[host.length - 1] == '.')
        host.length--;
    return host;
}

static bool host_matches(struct gw_slice pattern, struct gw_slice host)
{
    host = bare_host(host);
    if (pattern.at[0] != '*')
        return gw_slice_equal_nocase(pattern, host);
    size_t length = pattern.length - 1; /* ".example.org" */
    return host.length > length && gw_slice_equal_nocase(gw_slice_of(pattern.at + 1, length),
                                                         gw_slice_of(host.at + host.length - length, length));
}

bool gw_config_trusts(const struct gw_config *config, const struct gw_address *address)
{
    for (unsigned i = 0; i < config->trusted_proxy_count; i++)
        if (gw_network_has(&config->trusted_proxies[i], address))
            return true;
    return false;
}

bool gw_match_holds(const struct gw_match *match, struct gw_slice method, struct gw_slice host, struct gw_slice path)
{
    if (match->path.length && !gw_match_path_holds(match->path, path))
        return false;
    if (match->host.length && !host_matches(match->host, host))
        return false;
    for (unsigned i = 0; i < match->methods.count; i++)
        if (gw_slice_equal(match->methods.items[i], method))
            return true;
    return match->methods.count == 0;
}

const struct gw_route *gw_match_route(const struct gw_config *config, struct gw_slice method, struct gw_slice host,
                                      struct gw_slice path)
{
    unsigned last = config->route_count - 1;
    for (unsigned i = 0; i < last; i++)
        if (gw_match_holds(&config->routes[i].match, method, host, path))
            return &config->routes[i];
    return &config->routes[last];
}
