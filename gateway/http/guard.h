/* guard.h: checks a whole head against RFC 9110 and 9112. Only for files of http/; other folders call gw_guard_head
 * (parser.h). Pure. */
#ifndef GW_HTTP_GUARD_H
#define GW_HTTP_GUARD_H

#include "base/error.h"
#include "http/head.h"

/* Does what gw_guard_head does, except for the grammar of names and values, which lines.h has checked already. */
enum gw_error gw_guard_meaning(struct gw_head *head, bool is_response, enum gw_method request_method) GW_MUST_CHECK;
/* The error of a request's mistake, or, for is_response, the error of the same mistake made by a backend. */
enum gw_error gw_guard_blame(enum gw_error error, bool is_response);

#endif
