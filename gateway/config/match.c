#include "config/derive.h"

#include "base/hex.h"
#include "base/path.h"

/* match.c: paths, hosts, methods and names are compared byte by byte. A wildcard, a placeholder or a spelling that
 * clients do not send would be a valid text that matches nothing, and so a protection without effect. So it is a
 * mistake or a warning, which tells what to write instead. */

static bool is_alphanumeric(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool has_any(struct gw_slice text, const char *characters)
{
    for (size_t i = 0; i < text.length; i++)
        if (strchr(characters, text.at[i]))
            return true;
    return false;
}

bool gw_match_is_token(struct gw_slice text)
{
    for (size_t i = 0; i < text.length; i++)
        if (!text.at[i] || (!is_alphanumeric(text.at[i]) && !strchr("!#$%&'*+-.^_`|~", text.at[i])))
            return false;
    return text.length > 0;
}

bool gw_match_check_each(struct gw_loading *loading, const struct gw_source *source, const struct gw_strings *list,
                         gw_match_check *check)
{
    bool good = true;
    for (unsigned i = 0; i < list->count; i++)
        good &= gw_loading_file(loading, check(loading, source, (int)i, list->items[i]));
    return good;
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

/* ---- names: of fields, cookies and the like ---- */

bool gw_match_is_pattern(struct gw_slice name)
{
    return has_any(name, "*^|") || (name.length && name.at[name.length - 1] == '$');
}

static bool check_name(struct gw_loading *loading, const struct gw_source *source, int item, struct gw_slice name,
                       const char *expected)
{
    if (!gw_match_is_token(name))
        return gw_source_complain(source, item, loading->complaint, name.at, "%s", expected);
    if (gw_match_is_pattern(name))
        return gw_source_complain(source, item, loading->complaint, name.at, "%s, whole: patterns match nothing here",
                                  expected);
    return true;
}

bool gw_match_check_field(struct gw_loading *loading, const struct gw_source *source, int item, struct gw_slice name)
{
    return check_name(loading, source, item, name, "the name of a request field, such as X-Api-Key");
}

bool gw_match_check_answer_field(struct gw_loading *loading, const struct gw_source *source, int item,
                                 struct gw_slice name)
{
    return check_name(loading, source, item, name, "the name of a field, such as CDN-Cache-Control");
}

bool gw_match_check_cookie(struct gw_loading *loading, const struct gw_source *source, int item, struct gw_slice name)
{
    return check_name(loading, source, item, name, "the name of a cookie, such as session");
}

/* ---- methods ---- */

/* The registry of RFC 9110 §18.2, and later methods (QUERY). */
static const char *const registered[] = {
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "DELETE",
    "OPTIONS",
    "PATCH",
    "TRACE",
    "QUERY",
    "ACL",
    "BASELINE-CONTROL",
    "BIND",
    "CHECKIN",
    "CHECKOUT",
    "COPY",
    "LABEL",
    "LINK",
    "LOCK",
    "MERGE",
    "MKACTIVITY",
    "MKCALENDAR",
    "MKCOL",
    "MKREDIRECTREF",
    "MKWORKSPACE",
    "MOVE",
    "ORDERPATCH",
    "PROPFIND",
    "PROPPATCH",
    "REBIND",
    "REPORT",
    "SEARCH",
    "UNBIND",
    "UNCHECKOUT",
    "UNLINK",
    "UNLOCK",
    "UPDATE",
    "UPDATEREDIRECTREF",
    "VERSION-CONTROL",
};

/* A method that is not registered may be meant, but one that is nearly GET is a typing mistake. */
static void warn_of_method(struct gw_loading *loading, const struct gw_source *source, int item, struct gw_slice method)
{
    const char *nearest = NULL;
    unsigned least = method.length <= 5 ? 2 : 3;
    for (size_t i = 0; i < GW_COUNT(registered); i++) {
        struct gw_slice known = gw_slice_of_string(registered[i]);
        if (gw_slice_equal(method, known))
            return;
        unsigned distance = gw_keys_distance(method, known);
        if (distance < least) {
            least = distance;
            nearest = registered[i];
        }
    }
    if (nearest)
        gw_source_warn(loading, source, item, method.at,
                       "not a registered method: only requests with exactly this word match (did you mean \"%s\"?)",
                       nearest);
    else
        gw_source_warn(loading, source, item, method.at,
                       "not a registered method: only requests with exactly this word match");
}

bool gw_match_check_method(struct gw_loading *loading, const struct gw_source *source, int item, struct gw_slice method)
{
    bool good = gw_match_is_token(method);
    for (size_t i = 0; i < method.length; i++)
        good = good && !(method.at[i] >= 'a' && method.at[i] <= 'z');
    if (!good)
        return gw_source_complain(source, item, loading->complaint, method.at, "a method in upper case, such as GET");
    if (gw_match_is_pattern(method) || gw_slice_equal(method, GW_SLICE("ANY")) ||
        gw_slice_equal(method, GW_SLICE("ALL")))
        return gw_source_complain(source, item, loading->complaint, method.at,
                                  "one method, such as GET; leave the list out for any method");
    if (gw_slice_equal(method, GW_SLICE("CONNECT")))
        return gw_source_complain(source, item, loading->complaint, method.at,
                                  "a method that is served: CONNECT is not");
    warn_of_method(loading, source, item, method);
    return true;
}

/* ---- paths ---- */

/* Writes the text as browsers and libraries send it (RFC 3986 §6.2.2): encoded only where it must be, in upper case.
 * False: a % is not followed by two digits. */
static bool put_normal(struct gw_buffer *buffer, struct gw_slice path)
{
    for (size_t i = 0; i < path.length; i++) {
        unsigned char c = (unsigned char)path.at[i];
        bool is_encoded = c == '%';
        if (is_encoded) {
            if (i + 2 >= path.length || gw_hex_value(path.at[i + 1]) < 0 || gw_hex_value(path.at[i + 2]) < 0)
                return false;
            c = (unsigned char)(gw_hex_value(path.at[i + 1]) << 4 | gw_hex_value(path.at[i + 2]));
            i += 2;
        }
        bool is_unreserved = is_alphanumeric((char)c) || (c && strchr("-._~", c));
        if (is_encoded ? is_unreserved : (c > ' ' && c < 0x7f))
            gw_buffer_put_char(buffer, (char)c);
        else
            gw_buffer_print(buffer, "%%%02X", c);
    }
    return true;
}

bool gw_match_is_normal(struct gw_slice text)
{
    char memory[1024];
    struct gw_buffer normal = gw_buffer_over(memory, sizeof(memory));
    return put_normal(&normal, text) && (normal.overflowed || gw_slice_equal(gw_buffer_slice(&normal), text));
}

/* The text before the first byte of a pattern, cut to whole segments, which is probably meant. */
static struct gw_slice plain_part(struct gw_slice path, const char *marks)
{
    size_t end = 0;
    while (end < path.length && !strchr(marks, path.at[end]))
        end++;
    while (end > 1 && path.at[end - 1] == '/')
        end--;
    return gw_slice_of(path.at, end);
}

static bool has_dot_segment(struct gw_slice path)
{
    for (size_t i = 0; i + 1 < path.length; i++) {
        if (path.at[i] != '/' || path.at[i + 1] != '.')
            continue;
        size_t end = i + 2 + (i + 2 < path.length && path.at[i + 2] == '.');
        if (end >= path.length || path.at[end] == '/')
            return true;
    }
    return false;
}

/* Warns about characters of patterns that may also be in paths. */
static void warn_of_path(struct gw_loading *loading, const struct gw_source *source, int item, struct gw_slice path)
{
    bool has_parameter = memmem(path.at, path.length, "/:", 2) != NULL;
    if (has_parameter || has_any(path, "[]|") || path.at[path.length - 1] == '$' ||
        memmem(path.at, path.length, ".+", 2))
        gw_source_warn(loading, source, item, path.at,
                       "compared byte by byte, not as a pattern; \"%.*s\" would match that path and all below it",
                       GW_SLICE_ARGS(plain_part(path, has_parameter ? ":" : "[]|$+.(")));
}

static const char *wrong_path(struct gw_slice path)
{
    if (path.at[0] == ' ' || path.at[path.length - 1] == ' ')
        return "a path that begins with / and has no spaces at its ends";
    if (path.at[0] != '/')
        return memmem(path.at, path.length, "://", 3) ? "the path alone, which begins with /, without scheme and host"
                                                      : "a path that begins with / and has no query";
    if (has_any(path, "?#"))
        return "a path that begins with / and has no query and no fragment";
    if (memmem(path.at, path.length, "//", 2))
        return "a path that begins with / and has no empty segment";
    if (has_dot_segment(path))
        return "a path without the segments . and .., which clients resolve before they send it";
    return NULL;
}

bool gw_match_check_path(struct gw_loading *loading, const struct gw_source *source, int item, struct gw_slice path)
{
    static const char marks[] = "*{}<>^\\\"`";
    char memory[256];
    struct gw_buffer normal = gw_buffer_over(memory, sizeof(memory));
    const char *wrong = path.length ? wrong_path(path) : NULL;
    if (wrong)
        return gw_source_complain(source, item, loading->complaint, path.at, "%s", wrong);
    if (has_any(path, marks))
        return gw_source_complain(
            source, item, loading->complaint, path.at,
            "a path without wildcards and placeholders: \"%.*s\" matches that path and all below it",
            GW_SLICE_ARGS(plain_part(path, marks)));
    if (!put_normal(&normal, path))
        return gw_source_complain(source, item, loading->complaint, path.at,
                                  "a path in which two hexadecimal digits follow each %%");
    if (!normal.overflowed && !gw_slice_equal(gw_buffer_slice(&normal), path))
        return gw_source_complain(source, item, loading->complaint, path.at, "a path as clients send it: \"%.*s\"",
                                  GW_SLICE_ARGS(gw_buffer_slice(&normal)));
    if (gw_match_path_holds(GW_SLICE("/gateway"), path))
        return gw_source_complain(source, item, loading->complaint, path.at,
                                  "another path: below /gateway/ are the gateway's own pages, which are never limited, "
                                  "cached or sent to a backend");
    if (path.length)
        warn_of_path(loading, source, item, path);
    return true;
}

static bool derive_path(struct gw_loading *loading, struct gw_slice *path, const struct gw_source *source,
                        struct gw_slice text)
{
    bool good = gw_loading_file(loading, gw_match_check_path(loading, source, GW_SOURCE_WHOLE, text));
    while (text.length && text.at[text.length - 1] == '/')
        text.length--; /* "/api/" is "/api", "/" is any */
    *path = gw_loading_copy(&loading->config->arena, gw_path_plain(text, &loading->config->arena, NULL));
    return path->at ? good : gw_loading_no_memory(loading->complaint);
}

/* ---- hosts ---- */

/* Checks that the address has the one form that is compared (RFC 5952). */
static const char *wrong_literal(struct gw_slice host)
{
    struct gw_address address;
    char text[GW_ADDRESS_TEXT_BYTES];
    bool is_bracketed = host.at[0] == '[';
    if (!gw_address_parse(&address, host, false) || (is_bracketed && host.at[host.length - 1] != ']'))
        return "a host without port; an IPv6 address in brackets, such as [::1]";
    size_t length = gw_address_print(&address, text);
    struct gw_slice inner = is_bracketed ? gw_slice_of(host.at + 1, host.length - 2) : host;
    if (!is_bracketed)
        return "an IPv6 address in brackets, such as [::1]";
    if (!gw_slice_equal_nocase(inner, gw_slice_of(text, length)))
        return "an IPv6 address in its short form, as clients send it, such as [2001:db8::1]";
    return NULL;
}

/* The host must be a name, which may begin with "*.", or an IPv6 literal in brackets. NULL: it is valid. */
static const char *wrong_host(struct gw_slice host)
{
    struct gw_slice name = gw_slice_starts_with(host, GW_SLICE("*.")) ? gw_slice_of(host.at + 2, host.length - 2)
                                                                      : host;
    const char *colon = memchr(host.at, ':', host.length);
    if (memchr(host.at, '/', host.length))
        return "a host without scheme, port and path, such as api.example.org or *.example.org";
    if (host.at[0] == '[' || (colon && memchr(colon + 1, ':', host.length - (size_t)(colon + 1 - host.at))))
        return wrong_literal(host);
    if (memchr(name.at, '*', name.length) || !name.length)
        return "a host such as api.example.org, or *.example.org for all below it; leave it out for any host";
    bool is_good = name.at[0] != '.' && name.at[name.length - 1] != '.' && !memmem(name.at, name.length, "..", 2);
    for (size_t i = 0; i < name.length; i++) {
        if ((unsigned char)name.at[i] >= 0x80)
            return "the host as clients send it: in punycode (xn--...)";
        is_good = is_good && (is_alphanumeric(name.at[i]) || strchr(".-_", name.at[i]));
    }
    return is_good ? NULL : "a host without port, such as api.example.org or *.example.org";
}

static bool derive_host(struct gw_loading *loading, struct gw_slice *host, const struct gw_source *source,
                        struct gw_slice text)
{
    const char *wrong = text.length ? wrong_host(text) : NULL;
    if (wrong)
        return gw_source_complain(source, GW_SOURCE_WHOLE, loading->complaint, text.at, "%s", wrong);
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
    bool good = gw_match_check_each(loading, methods_source, methods, gw_match_check_method);
    match->methods = *methods;
    good &= gw_loading_file(loading, derive_path(loading, &match->path, path_source, path));
    good &= gw_loading_file(loading, derive_host(loading, &match->host, host_source, host));
    return good;
}

/* ---- one match and another ---- */

static bool host_covers(struct gw_slice wide, struct gw_slice narrow)
{
    if (!wide.length)
        return true;
    if (!narrow.length || wide.at[0] != '*')
        return gw_slice_equal(wide, narrow);
    struct gw_slice suffix = gw_slice_of(wide.at + 1, wide.length - 1); /* ".example.org" */
    if (narrow.at[0] == '*')
        narrow = gw_slice_of(narrow.at + 1, narrow.length - 1);
    return narrow.length >= suffix.length &&
           gw_slice_equal(suffix, gw_slice_of(narrow.at + narrow.length - suffix.length, suffix.length));
}

bool gw_match_covers(const struct gw_match *wide, const struct gw_match *narrow, struct gw_slice method)
{
    bool has_method = !wide->methods.count;
    for (unsigned i = 0; i < wide->methods.count; i++)
        has_method |= gw_slice_equal(wide->methods.items[i], method);
    bool has_path = !wide->path.length || (narrow->path.length && gw_match_path_holds(wide->path, narrow->path));
    return has_method && has_path && host_covers(wide->host, narrow->host);
}

/* ---- a match and a request ---- */

bool gw_match_path_holds(struct gw_slice prefix, struct gw_slice path)
{
    if (!gw_slice_starts_with(path, prefix))
        return false;
    if (path.length == prefix.length || prefix.at[prefix.length - 1] == '/')
        return true;
    /* In regular expressions of Python (so in Starlette's routes), PHP and Ruby, "$" also matches before a last line
     * feed, and for C a NUL ends the text. So every control character ends a segment. */
    unsigned char next = (unsigned char)path.at[prefix.length];
    return next == '/' || next < 0x20 || next == 0x7f;
}

/* Compares without the port and without the dot of the root ("example.org." is the same host). */
static bool host_matches(struct gw_slice pattern, struct gw_slice host)
{
    bool is_literal = host.length && host.at[0] == '[';
    const char *end = host.length ? memchr(host.at, is_literal ? ']' : ':', host.length) : NULL;
    if (end)
        host.length = (size_t)(end - host.at) + is_literal;
    if (host.length && host.at[host.length - 1] == '.')
        host.length--;
    if (pattern.at[0] != '*')
        return gw_slice_equal_nocase(pattern, host);
    size_t length = pattern.length - 1; /* ".example.org" */
    return host.length > length && gw_slice_equal_nocase(gw_slice_of(pattern.at + 1, length),
                                                         gw_slice_of(host.at + host.length - length, length));
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
