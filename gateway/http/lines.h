/* lines.h: reads one line of a head, strictly by the grammar of RFC 9112. Only for files of http/: parser.c reads whole
 * heads with it.
 *
 * Each function reads from `at` up to `end` at most, and returns the byte behind the line's CRLF. NULL: the line is not
 * complete or not well-formed; a caller that must tell these apart passes whole lines. Slices are views of the input.
 * Threads: pure. */
#ifndef GW_HTTP_LINES_H
#define GW_HTTP_LINES_H

#include "base/error.h"
#include "http/head.h"

/* method SP request-target SP HTTP-version CRLF (RFC 9112 §3): sets method, method_text, target, version_minor. With
 * NULL, *error is GW_ERROR_VERSION for a well-formed line of another version, otherwise GW_ERROR_MALFORMED. */
const char *gw_lines_request(const char *at, const char *end, struct gw_head *head, enum gw_error *error);
/* HTTP-version SP status-code SP [reason-phrase] CRLF (RFC 9112 §4): sets status (100-999), reason, version_minor.
 * Where the phrase is missing, the second space may be missing, too: several servers send that, and its meaning is
 * clear. */
const char *gw_lines_status(const char *at, const char *end, struct gw_head *head, enum gw_error *error);
/* field-name ":" OWS field-value OWS CRLF (RFC 9112 §5). */
const char *gw_lines_field(const char *at, const char *end, struct gw_slice *name, struct gw_slice *value);

#endif
