/* guard.h: a whole head held against RFC 9110 and 9112. Of http/ itself; others call gw_guard_head (parser.h). Pure. */
#ifndef GW_HTTP_GUARD_H
#define GW_HTTP_GUARD_H

#include "base/error.h"
#include "http/head.h"

/* gw_guard_head without the grammar of names and values, which lines.h has checked. */
enum gw_error gw_guard_meaning(struct gw_head *head, bool is_response, enum gw_method request_method) GW_MUST_CHECK;
/* What a client's mistake is called when a backend makes it. */
enum gw_error gw_guard_blame(enum gw_error error, bool is_response);

#endif
