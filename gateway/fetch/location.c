#include "fetch/location.h"

#include "http/reference.h"

bool gw_location_passes_host(const struct gw_config *config, const struct gw_backend *backend, struct gw_slice host)
{
    if (host.length == 0 || config->preserve_host == GW_PRESERVE_HOST_NO)
        return false;
    return config->preserve_host == GW_PRESERVE_HOST_YES || !backend->is_tls;
}

static struct gw_slice location_rest_after(struct gw_slice text, size_t skip)
{
    return gw_slice_of(text.at + skip, text.length - skip);
}

static struct gw_slice location_scheme_of(const struct gw_backend *backend)
{
    return backend->is_tls ? GW_SLICE("https") : GW_SLICE("http");
}

/* True: the path is the backend's prefix, or lies below it by whole segments; then the prefix is cut off. */
static bool location_leave_prefix(struct gw_slice prefix, struct gw_slice *path)
{
    if (!gw_slice_starts_with(*path, prefix))
        return false;
    struct gw_slice rest = location_rest_after(*path, prefix.length);
    if (rest.length && !memchr("/?#", rest.at[0], 3))
        return false;
    *path = rest;
    return true;
}

static bool location_leave_backend(const struct gw_backend *backend, struct gw_slice authority,
                                   const struct gw_reference *target, struct gw_slice *path)
{
    const struct gw_reference own = { .scheme = location_scheme_of(backend), .authority = authority };
    return gw_reference_same_origin(&own, target) && location_leave_prefix(backend->base_path, path);
}

/* Does the reference lead to a backend? Then path becomes what clients call it. */
static bool location_leads_inside(const struct gw_fetch *fetch, struct gw_slice reference, struct gw_slice *path)
{
    const struct gw_route *route = fetch->route;
    const struct gw_backend *asked = fetch->attempt.call.backend;
    const struct gw_reference base = { .scheme = location_scheme_of(asked) };
    struct gw_reference target;
    bool has_authority;
    if (!gw_reference_take_origin(&target, &base, &reference, &has_authority) || !has_authority)
        return false;
    *path = reference;
    if (gw_location_passes_host(fetch->config, asked, fetch->sent.host) &&
        location_leave_backend(asked, fetch->sent.host, &target, path))
        return true;
    if (location_leave_backend(asked, asked->authority, &target, path))
        return true;
    for (unsigned i = 0; i < route->backend_count; i++)
        if (location_leave_backend(&route->backends[i], route->backends[i].authority, &target, path))
            return true;
    return false;
}

/* The reference lies within the field's value. */
static void location_rewrite(struct gw_fetch *fetch, struct gw_field *field, struct gw_slice reference)
{
    struct gw_slice path;
    if (!location_leads_inside(fetch, reference, &path))
        return;
    struct gw_slice before = gw_slice_of(field->value.at, (size_t)(reference.at - field->value.at));
    struct gw_slice behind = location_rest_after(field->value, before.length + reference.length);
    size_t most = before.length + fetch->sent.scheme.length + 3 + fetch->sent.host.length + 1 + path.length +
                  behind.length;
    char *memory = gw_arena_take(&fetch->arena, most);
    if (!memory)
        return;
    struct gw_buffer text = gw_buffer_over(memory, most);
    gw_buffer_put_slice(&text, before);
    if (fetch->sent.host
            .length) { /* otherwise the reference becomes relative: a client that sent no host is told none */
        gw_buffer_put_slice(&text, fetch->sent.scheme);
        gw_buffer_put_literal(&text, "://");
        gw_buffer_put_slice(&text, fetch->sent.host);
    } else if (path.length > 1 && path.at[0] == '/' && (path.at[1] == '/' || path.at[1] == '\\')) {
        gw_buffer_put_literal(&text, "/."); /* else "//x" would name a host (RFC 3986 §4.2) */
    }
    if (path.length == 0 || path.at[0] != '/')
        gw_buffer_put_char(&text, '/');
    gw_buffer_put_slice(&text, path);
    gw_buffer_put_slice(&text, behind);
    field->value = gw_buffer_slice(&text);
}

/* "5; url=…", perhaps in quotes, as the HTML Standard reads it. */
static struct gw_slice location_reference_of_refresh(struct gw_slice value)
{
    static const struct gw_slice mark = { "url=", 4 };
    for (size_t i = 0; i + mark.length < value.length; i++) {
        if (!gw_slice_equal_nocase(gw_slice_of(value.at + i, mark.length), mark))
            continue;
        struct gw_slice rest = location_rest_after(value, i + mark.length);
        char quote = rest.at[0];
        if (quote != '"' && quote != '\'')
            return rest;
        rest = location_rest_after(rest, 1);
        const char *end = memchr(rest.at, quote, rest.length);
        return end ? gw_slice_of(rest.at, (size_t)(end - rest.at)) : rest;
    }
    return GW_NO_SLICE;
}

void gw_location_rewrite(struct gw_fetch *fetch, struct gw_head *head)
{
    static const enum gw_field_name names[] = { GW_FIELD_LOCATION, GW_FIELD_CONTENT_LOCATION, GW_FIELD_REFRESH };
    if (!fetch->config->rewrite_location)
        return;
    for (size_t i = 0; i < GW_COUNT(names); i++)
        for (struct gw_field *field = gw_head_find(head, names[i]); field; field = gw_head_find_next(head, field)) {
            struct gw_slice reference = names[i] == GW_FIELD_REFRESH ? location_reference_of_refresh(field->value)
                                                                     : field->value;
            if (reference.length)
                location_rewrite(fetch, field, reference);
        }
}
