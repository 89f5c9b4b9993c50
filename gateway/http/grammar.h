/* grammar.h: RFC 9110, 9112 and 3986 as predicates on slices. Pure.
 *
 * URLs     Path and query may hold more than RFC 3986 allows, since browsers, node and curl send more (WHATWG URL: what
 *          its serializer leaves as it is). Nothing of it can end a line or a message, and nobody here decodes it: the
 *          bytes that came are routed, keyed and forwarded. Refused in both are space, controls, DEL and " < > #.
 *          The path is the stricter of the two, because routes, limits and the gateway's own pages are chosen by it,
 *          and a byte that a backend reads as another one would lead around them: a backslash (WHATWG turns it into
 *          '/', so no browser sends it), a '%' without two digits (nginx and Caddy refuse it, too), and bytes from 0x80
 *          on (every browser encodes them). The query takes all three. */
#ifndef GW_HTTP_GRAMMAR_H
#define GW_HTTP_GRAMMAR_H

#include "base/slice.h"

/* What a byte may be part of: one table for all loops. '%' is in neither path nor name: its two digits are counted. */
enum {
    GW_GRAMMAR_TCHAR = 1, /* RFC 9110 §5.6.2 */
    GW_GRAMMAR_VALUE = 2, /* VCHAR, obs-text, SP, HTAB: RFC 9110 §5.5 */
    GW_GRAMMAR_PATH = 4,  /* pchar, '/' and []{}|^` */
    GW_GRAMMAR_QUERY = 8, /* pchar, /?[]{}|^`\% and 0x80-0xff */
    GW_GRAMMAR_NAME = 16, /* of a reg-name, but ',' */
    GW_GRAMMAR_DIGIT = 32,
    GW_GRAMMAR_HEX = 64,
    GW_GRAMMAR_ID = 128, /* of a request id */
};
extern const uint8_t gw_grammar_classes[256];

static inline bool gw_grammar_is(char c, unsigned classes)
{
    return (gw_grammar_classes[(unsigned char)c] & classes) != 0;
}

static inline bool gw_grammar_is_tchar(unsigned char c)
{
    return (gw_grammar_classes[c] & GW_GRAMMAR_TCHAR) != 0;
}
/* RFC 9110 §5.6.2; not empty. */
bool gw_grammar_is_token(struct gw_slice text);
/* RFC 9110 §5.5: VCHAR, obs-text, SP and HTAB inside; may be empty. */
bool gw_grammar_is_field_value(struct gw_slice text);
/* uri-host [":" port] (RFC 9110 §7.2, RFC 3986 §3.2.2): reg-name, IPv4 or bracketed IPv6, not empty, no userinfo, port
 * 1-65535 or empty. Stricter than the RFC in one thing: no comma, the mark of two Host fields joined by somebody on the
 * way. */
bool gw_grammar_is_authority(struct gw_slice text);
/* The same, and its parts: host with its brackets; port 0 where there is none. */
bool gw_grammar_split_authority(struct gw_slice text, struct gw_slice *host, unsigned *port);
/* The authority without a port that the scheme has anyway: "a:80" and "a:" are "a" for http, "a:443" for https (RFC 3986
 * §6.2.3). Case stays, and so does a dot at the end. What is no authority stays as it is. */
struct gw_slice gw_grammar_normal_authority(struct gw_slice scheme, struct gw_slice authority);
/* absolute-path ["?" query]; percent-encodings of the path are complete; no fragment. */
bool gw_grammar_is_origin_form(struct gw_slice text);
/* The same, and its parts: query.at is NULL where there is no '?'. */
bool gw_grammar_split_origin_form(struct gw_slice text, struct gw_slice *path, struct gw_slice *query);
/* *( query characters ); may be empty. */
bool gw_grammar_is_query(struct gw_slice text);
/* What may be in an X-Request-Id that a client sends: 1-128 of A-Z a-z 0-9 - _ . : / + = @ */
bool gw_grammar_is_request_id(struct gw_slice text);

#endif
