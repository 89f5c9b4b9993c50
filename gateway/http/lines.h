/* lines.h: one line of a head, by RFC 9112's grammar and nothing else. Of http/ itself: parser.c makes heads of them.
 *
 * Each function reads from `at`, at most to `end`, and returns the byte after the line's CRLF; NULL where the line is
 * not complete or not well-formed, so a caller who wants to know why gives whole lines. Slices are views of the input.
 * Threads: pure. */
#ifndef GW_HTTP_LINES_H
#define GW_HTTP_LINES_H

#include "base/error.h"
#include "http/head.h"

/* method SP request-target SP HTTP-version CRLF (RFC 9112 §3): sets method, method_text, target, version_minor. *error
 * is GW_ERROR_VERSION for a well-formed line of another version, else GW_ERROR_MALFORMED; set with NULL only. */
const char *gw_lines_request(const char *at, const char *end, struct gw_head *head, enum gw_error *error);
/* HTTP-version SP status-code SP [reason-phrase] CRLF (RFC 9112 §4): sets status (100-999), reason, version_minor. The
 * second space may be missing with the phrase, as from several servers; nothing else can be meant. */
const char *gw_lines_status(const char *at, const char *end, struct gw_head *head, enum gw_error *error);
/* field-name ":" OWS field-value OWS CRLF (RFC 9112 §5). */
const char *gw_lines_field(const char *at, const char *end, struct gw_slice *name, struct gw_slice *value);

#endif
