/* grammar.h: RFC 9110, 9112 and 3986 as predicates on slices. Pure. */
#ifndef GW_HTTP_GRAMMAR_H
#define GW_HTTP_GRAMMAR_H

#include "base/slice.h"

bool gw_grammar_is_tchar(unsigned char c);
/* RFC 9110 §5.6.2; not empty. */
bool gw_grammar_is_token(struct gw_slice text);
/* RFC 9110 §5.5: VCHAR, obs-text, SP and HTAB inside; may be empty. */
bool gw_grammar_is_field_value(struct gw_slice text);
/* uri-host [":" port] (RFC 9110 §7.2, RFC 3986 §3.2.2): reg-name, IPv4 or bracketed IPv6, no userinfo, port 1-65535 or empty. */
bool gw_grammar_is_authority(struct gw_slice text);
/* absolute-path ["?" query] in RFC 3986's characters (percent-encodings complete), no fragment. */
bool gw_grammar_is_origin_form(struct gw_slice text);
/* What may be in an X-Request-Id that a client sends: 1-128 of A-Z a-z 0-9 - _ . : / + = @ */
bool gw_grammar_is_request_id(struct gw_slice text);

#endif
