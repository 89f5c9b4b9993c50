#include "http/grammar.h"

#include <arpa/inet.h>

enum {
    T = GW_GRAMMAR_TCHAR,
    V = GW_GRAMMAR_VALUE,
    P = GW_GRAMMAR_PATH,
    Q = GW_GRAMMAR_QUERY,
    N = GW_GRAMMAR_NAME,
    D = GW_GRAMMAR_DIGIT,
    H = GW_GRAMMAR_HEX,
    I = GW_GRAMMAR_ID,
    EVERYWHERE = T | V | P | Q | N | I
};

/* Controls and DEL are in no class. */
const uint8_t gw_grammar_classes[256] = {
    ['\t'] = V,
    [' '] = V,
    ['!'] = T | V | P | Q | N,
    ['"'] = V,
    ['#'] = T | V,
    ['$'] = T | V | P | Q | N,
    ['%'] = T | V | Q,
    ['&'] = T | V | P | Q | N,
    ['\''] = T | V | P | Q | N,
    ['('] = V | P | Q | N,
    [')'] = V | P | Q | N,
    ['*'] = T | V | P | Q | N,
    ['+'] = EVERYWHERE,
    [','] = V | P | Q,
    ['-'] = EVERYWHERE,
    ['.'] = EVERYWHERE,
    ['/'] = V | P | Q | I,
    ['0' ... '9'] = EVERYWHERE | D | H,
    [':'] = V | P | Q | I,
    [';'] = V | P | Q | N,
    ['<'] = V,
    ['='] = V | P | Q | N | I,
    ['>'] = V,
    ['?'] = V | Q,
    ['@'] = V | P | Q | I,
    ['A' ... 'F'] = EVERYWHERE | H,
    ['G' ... 'Z'] = EVERYWHERE,
    ['['] = V | P | Q,
    ['\\'] = V | Q,
    [']'] = V | P | Q,
    ['^'] = T | V | P | Q,
    ['_'] = EVERYWHERE,
    ['`'] = T | V | P | Q,
    ['a' ... 'f'] = EVERYWHERE | H,
    ['g' ... 'z'] = EVERYWHERE,
    ['{'] = V | P | Q,
    ['|'] = T | V | P | Q,
    ['}'] = V | P | Q,
    ['~'] = T | V | P | Q | N,
    [0x80 ... 0xff] = V | Q,
};

static bool grammar_is_all(struct gw_slice text, unsigned classes)
{
    for (size_t i = 0; i < text.length; i++)
        if (!gw_grammar_is(text.at[i], classes))
            return false;
    return true;
}

/* Returns the first byte that is not in these classes and not part of a complete percent-encoding. */
static const char *grammar_skip_encoded(const char *at, const char *end, unsigned classes)
{
    for (;;) {
        while (at < end && gw_grammar_is(*at, classes))
            at++;
        if (end - at < 3 || *at != '%' || !gw_grammar_is(at[1], H) || !gw_grammar_is(at[2], H))
            return at;
        at += 3;
    }
}

bool gw_grammar_is_token(struct gw_slice text)
{
    return text.length > 0 && grammar_is_all(text, T);
}

bool gw_grammar_is_field_value(struct gw_slice text)
{
    return grammar_is_all(text, V);
}

bool gw_grammar_is_request_id(struct gw_slice text)
{
    return text.length > 0 && text.length <= 128 && grammar_is_all(text, I);
}

static bool grammar_read_port(const char *at, const char *end, unsigned *port)
{
    *port = 0;
    if (at == end) /* ":" alone: RFC 3986 §3.2.3 */
        return true;
    if (end - at > 5)
        return false;
    for (; at < end; at++) {
        if (!gw_grammar_is(*at, D))
            return false;
        *port = *port * 10 + (unsigned)(*at - '0');
    }
    return *port >= 1 && *port <= 65535;
}

static bool grammar_is_ipv6(const char *at, const char *end)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    size_t length = (size_t)(end - at);
    if (length >= sizeof text || memchr(at, 0, length))
        return false;
    memcpy(text, at, length);
    text[length] = 0;
    return inet_pton(AF_INET6, text, &address) == 1;
}

bool gw_grammar_split_authority(struct gw_slice text, struct gw_slice *host, unsigned *port)
{
    const char *at = text.at, *end = text.at + text.length;
    if (text.length == 0)
        return false;
    if (*at == '[') {
        const char *close = memchr(at, ']', text.length);
        if (!close || !grammar_is_ipv6(at + 1, close))
            return false;
        at = close + 1;
    } else {
        at = grammar_skip_encoded(at, end, N);
        if (at == text.at)
            return false;
    }
    *host = gw_slice_of(text.at, (size_t)(at - text.at));
    *port = 0;
    if (at == end)
        return true;
    return *at == ':' && grammar_read_port(at + 1, end, port);
}

struct gw_slice gw_grammar_normal_authority(struct gw_slice scheme, struct gw_slice authority)
{
    unsigned usual = gw_slice_equal_nocase(scheme, GW_SLICE("https")) ? 443 : 80, port;
    struct gw_slice host;
    if (!authority.length || !memchr(authority.at, ':', authority.length) ||
        !gw_grammar_split_authority(authority, &host, &port) || (port != 0 && port != usual))
        return authority;
    return host;
}

bool gw_grammar_is_authority(struct gw_slice text)
{
    struct gw_slice host;
    unsigned port;
    return gw_grammar_split_authority(text, &host, &port);
}

bool gw_grammar_is_query(struct gw_slice text)
{
    return grammar_is_all(text, Q);
}

bool gw_grammar_split_origin_form(struct gw_slice text, struct gw_slice *path, struct gw_slice *query)
{
    if (text.length == 0 || *text.at != '/')
        return false;
    const char *end = text.at + text.length, *stop = grammar_skip_encoded(text.at, end, P);
    *path = gw_slice_of(text.at, (size_t)(stop - text.at));
    *query = GW_NO_SLICE;
    if (stop == end)
        return true;
    if (*stop != '?')
        return false;
    *query = gw_slice_of(stop + 1, (size_t)(end - stop - 1));
    return gw_grammar_is_query(*query);
}

bool gw_grammar_is_origin_form(struct gw_slice text)
{
    struct gw_slice path, query;
    return gw_grammar_split_origin_form(text, &path, &query);
}
