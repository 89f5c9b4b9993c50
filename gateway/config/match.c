#include "config/derive.h"

static bool is_alphanumeric(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool gw_match_is_token(struct gw_slice text)
{
    for (size_t i = 0; i < text.length; i++)
        if (!text.at[i] || (!is_alphanumeric(text.at[i]) && !strchr("!#$%&'*+-.^_`|~", text.at[i])))
            return false;
    return text.length > 0;
}

bool gw_match_check_each(struct gw_loading *loading, const struct gw_source *source, const struct gw_strings *list,
                         bool (*is_good)(struct gw_slice text), const char *expected)
{
    for (unsigned i = 0; i < list->count; i++)
        if (!is_good(list->items[i]))
            return gw_source_complain(source, (int)i, loading->complaint, list->items[i].at, "%s", expected);
    return true;
}

bool gw_match_is_name(struct gw_slice name)
{
    for (size_t i = 0; i < name.length; i++) {
        char c = name.at[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_' && c != '-')
            return false;
    }
    return name.length >= 1 && name.length <= 32;
}

bool gw_match_is_any(const struct gw_match *match)
{
    return !match->path.length && !match->host.length && !match->methods.count;
}

static bool derive_path(struct gw_loading *loading, struct gw_slice *path, const struct gw_source *source,
                        struct gw_slice text)
{
    if (text.length && (text.at[0] != '/' || strpbrk(text.at, "?# ")))
        return gw_source_complain(source, GW_SOURCE_WHOLE, loading->complaint, text.at,
                                  "a path that begins with / and has no query");
    while (text.length && text.at[text.length - 1] == '/')
        text.length--; /* "/api/" is "/api", "/" is any */
    *path = gw_loading_copy(&loading->config->arena, text);
    return path->at || gw_loading_no_memory(loading->complaint);
}

/* A name, perhaps below "*.", or an IPv6 literal in brackets. */
static bool is_host(struct gw_slice host)
{
    struct gw_address address;
    if (host.at[0] == '[')
        return gw_address_parse(&address, host, false) && host.at[host.length - 1] == ']';
    size_t start = gw_slice_starts_with(host, GW_SLICE("*.")) ? 2 : 0;
    for (size_t i = start; i < host.length; i++)
        if (!is_alphanumeric(host.at[i]) && host.at[i] != '.' && host.at[i] != '-' && host.at[i] != '_')
            return false;
    return host.length > start && host.at[start] != '.' && host.at[host.length - 1] != '.';
}

static bool derive_host(struct gw_loading *loading, struct gw_slice *host, const struct gw_source *source,
                        struct gw_slice text)
{
    if (text.length && !is_host(text))
        return gw_source_complain(source, GW_SOURCE_WHOLE, loading->complaint, text.at,
                                  "a host without port, such as api.example.org or *.example.org");
    char *copy = gw_arena_take(&loading->config->arena, text.length + 1);
    if (!copy)
        return gw_loading_no_memory(loading->complaint);
    for (size_t i = 0; i < text.length; i++)
        copy[i] = (char)(text.at[i] >= 'A' && text.at[i] <= 'Z' ? text.at[i] - 'A' + 'a' : text.at[i]);
    copy[text.length] = '\0';
    *host = gw_slice_of(copy, text.length);
    return true;
}

bool gw_match_derive(struct gw_loading *loading, struct gw_match *match, const struct gw_source *path_source,
                     struct gw_slice path, const struct gw_source *host_source, struct gw_slice host,
                     const struct gw_source *methods_source, const struct gw_strings *methods)
{
    for (unsigned i = 0; i < methods->count; i++) {
        struct gw_slice method = methods->items[i];
        bool good = gw_match_is_token(method);
        for (size_t j = 0; j < method.length; j++)
            good = good && !(method.at[j] >= 'a' && method.at[j] <= 'z');
        if (!good)
            return gw_source_complain(methods_source, (int)i, loading->complaint, method.at,
                                      "a method in upper case, such as GET");
    }
    match->methods = *methods;
    return derive_path(loading, &match->path, path_source, path) &&
           derive_host(loading, &match->host, host_source, host);
}
