#include "http/reference.h"

#include <string.h>
#include "http/grammar.h"

static struct gw_slice reference_rest_after(struct gw_slice text, size_t skip)
{
    return gw_slice_of(text.at + skip, text.length - skip);
}

/* Cuts the text before the first `mark`. Returns the text behind the mark; the absent slice where there is no mark. */
static struct gw_slice reference_split_at(struct gw_slice *text, char mark)
{
    const char *found = memchr(text->at, mark, text->length);
    if (!found)
        return GW_NO_SLICE;
    struct gw_slice behind = reference_rest_after(*text, (size_t)(found - text->at) + 1);
    text->length = (size_t)(found - text->at);
    return behind;
}

static bool reference_has_scheme(struct gw_slice text, struct gw_slice scheme)
{
    return text.length > scheme.length && text.at[scheme.length] == ':' &&
           gw_slice_equal_nocase(gw_slice_of(text.at, scheme.length), scheme);
}

/* A ':' before any '/', '?' or '#' ends a scheme (RFC 3986 §4.1). */
static bool reference_has_any_scheme(struct gw_slice text)
{
    for (size_t i = 0; i < text.length && !memchr("/?#", text.at[i], 3); i++)
        if (text.at[i] == ':')
            return true;
    return false;
}

/* Takes "//host:port" from the front of *text. */
static bool reference_take_authority(struct gw_slice *text, struct gw_slice *authority)
{
    if (!gw_slice_starts_with(*text, GW_SLICE("//")))
        return false;
    size_t end = 2;
    while (end < text->length && !memchr("/?#", text->at[end], 3))
        end++;
    *authority = gw_slice_of(text->at + 2, end - 2);
    *text = reference_rest_after(*text, end);
    return gw_grammar_is_authority(*authority);
}

/* RFC 3986 §5.2.4, in place: removes each "." segment, and each ".." segment together with the segment before it. */
static size_t reference_remove_dots(char *path, size_t length)
{
    size_t to = 0;
    for (size_t from = 0; from < length;) {
        size_t end = from + 1;
        while (end < length && path[end] != '/')
            end++;
        size_t segment = end - from - 1;
        bool is_last = end == length;
        bool is_dot = segment == 1 && path[from + 1] == '.';
        bool is_up = segment == 2 && path[from + 1] == '.' && path[from + 2] == '.';
        while (is_up && to > 0 && path[--to] != '/')
            continue;
        if ((is_dot || is_up) && is_last) {
            path[to++] = '/';
        } else if (!is_dot && !is_up) {
            memmove(path + to, path + from, end - from);
            to += end - from;
        }
        from = end;
    }
    return to;
}

/* Joins base's path up to its last '/' with the reference's path (§5.2.3). */
static bool reference_merge_path(struct gw_reference *target, struct gw_arena *arena, const struct gw_reference *base,
                                 struct gw_slice path)
{
    size_t kept = 0;
    if (path.length == 0 || path.at[0] != '/') {
        for (size_t i = 0; i < base->path.length; i++)
            if (base->path.at[i] == '/')
                kept = i + 1;
    }
    char *at = gw_arena_take(arena, kept + path.length + 2);
    if (!at)
        return false;
    if (kept)
        memcpy(at, base->path.at, kept);
    if (path.length)
        memcpy(at + kept, path.at, path.length);
    size_t length = kept + path.length;
    if (length == 0 || at[0] != '/')
        return false;
    target->path = gw_slice_of(at, reference_remove_dots(at, length));
    return gw_grammar_is_origin_form(target->path) && !memchr(target->path.at, '?', target->path.length);
}

bool gw_reference_take_origin(struct gw_reference *target, const struct gw_reference *base, struct gw_slice *text,
                              bool *has_authority)
{
    static const struct gw_slice schemes[] = { { "https", 5 }, { "http", 4 } };
    *target = (struct gw_reference) { .scheme = base->scheme, .authority = base->authority };
    *has_authority = gw_slice_starts_with(*text, GW_SLICE("//"));
    if (*has_authority)
        return reference_take_authority(text, &target->authority);
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        if (!reference_has_scheme(*text, schemes[i]))
            continue;
        target->scheme = schemes[i];
        *text = reference_rest_after(*text, schemes[i].length + 1);
        *has_authority = true;
        return reference_take_authority(text, &target->authority);
    }
    return !reference_has_any_scheme(*text);
}

bool gw_reference_resolve(struct gw_reference *target, struct gw_arena *arena, const struct gw_reference *base,
                          struct gw_slice text)
{
    bool has_authority;
    if (!text.at)
        return false;
    (void)reference_split_at(&text, '#');
    if (!gw_reference_take_origin(target, base, &text, &has_authority))
        return false;
    target->query = reference_split_at(&text, '?');
    if (target->query.at && !gw_grammar_is_query(target->query))
        return false;
    if (text.length == 0 && has_authority) {
        target->path = GW_SLICE("/");
        return true;
    }
    if (text.length == 0) { /* base's path, and its query where the reference has none (§5.2.2) */
        target->path = base->path;
        if (!target->query.at)
            target->query = base->query;
        return true;
    }
    return reference_merge_path(target, arena, base, text);
}

static unsigned reference_port_of(const struct gw_reference *reference, struct gw_slice *host)
{
    unsigned port = 0;
    if (!gw_grammar_split_authority(reference->authority, host, &port)) {
        *host = reference->authority;
        return 0;
    }
    if (port)
        return port;
    return gw_slice_equal_nocase(reference->scheme, GW_SLICE("https")) ? 443 : 80;
}

bool gw_reference_same_origin(const struct gw_reference *a, const struct gw_reference *b)
{
    struct gw_slice host, other;
    unsigned port = reference_port_of(a, &host), other_port = reference_port_of(b, &other);
    return gw_slice_equal_nocase(a->scheme, b->scheme) && port == other_port && gw_slice_equal_nocase(host, other);
}
