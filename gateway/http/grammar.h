/* grammar.h: RFC 9110, 9112 and 3986 as predicates on slices. Pure.
 *
 * URLs     Path and query may contain more than RFC 3986 allows, since browsers, node and curl send more (the
 *          characters that WHATWG URL's serializer leaves as they are). None of these bytes can end a line or a
 *          message, and they are not decoded: the cache's key and the request to the backend have the bytes as they
 *          came. Space, controls, DEL and " < > # are refused in both.
 *          The rules for the path are stricter, because the path chooses routes, limits and the gateway's own pages,
 *          and a byte that a backend reads as another one would lead around these. So the path refuses a backslash
 *          (WHATWG turns it into '/', so no browser sends it), a '%' without two digits (nginx and Caddy refuse it,
 *          too), and bytes from 0x80 on (every browser encodes them). The query accepts all three. */
#ifndef GW_HTTP_GRAMMAR_H
#define GW_HTTP_GRAMMAR_H

#include "base/slice.h"

/* What a byte may be part of: one table for all loops. '%' is not in PATH or NAME, since its two digits must be
 * checked. */
enum {
    GW_GRAMMAR_TCHAR = 1, /* RFC 9110 §5.6.2 */
    GW_GRAMMAR_VALUE = 2, /* VCHAR, obs-text, SP, HTAB: RFC 9110 §5.5 */
    GW_GRAMMAR_PATH = 4,  /* pchar, '/' and []{}|^` */
    GW_GRAMMAR_QUERY = 8, /* pchar, /?[]{}|^`\% and 0x80-0xff */
    GW_GRAMMAR_NAME = 16, /* reg-name without ',' */
    GW_GRAMMAR_DIGIT = 32,
    GW_GRAMMAR_HEX = 64,
    GW_GRAMMAR_ID = 128, /* a request id */
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
 * 1-65535 or empty. One thing is stricter than the RFC: a comma is refused, since it tells that a proxy has joined two
 * Host fields. */
bool gw_grammar_is_authority(struct gw_slice text);
/* The same test, and the parts: *host with its brackets; *port 0 where the text has no port. */
bool gw_grammar_split_authority(struct gw_slice text, struct gw_slice *host, unsigned *port);
/* Removes the default port of the scheme: "a:80" and "a:" become "a" for http, and so does "a:443" for https (RFC 3986
 * §6.2.3). Case and a dot at the end stay. A text that is not an authority comes back unchanged. */
struct gw_slice gw_grammar_normal_authority(struct gw_slice scheme, struct gw_slice authority);
/* absolute-path ["?" query], with complete percent-encodings in the path and without a fragment. */
bool gw_grammar_is_origin_form(struct gw_slice text);
/* The same test, and the parts: query->at is NULL where the text has no '?'. */
bool gw_grammar_split_origin_form(struct gw_slice text, struct gw_slice *path, struct gw_slice *query);
/* *( query characters ); may be empty. */
bool gw_grammar_is_query(struct gw_slice text);
/* What may be in an X-Request-Id that a client sends: 1-128 of A-Z a-z 0-9 - _ . : / + = @ */
bool gw_grammar_is_request_id(struct gw_slice text);

#endif
