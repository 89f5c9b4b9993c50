/* date.h: HTTP dates (RFC 9110 §5.6.7). Pure: time is an argument. */
#ifndef GW_HTTP_DATE_H
#define GW_HTTP_DATE_H

#include "base/slice.h"

enum { GW_DATE_BYTES = 29 };

/* "Sun, 06 Nov 1994 08:49:37 GMT", GW_DATE_BYTES long, not terminated. */
void gw_date_print(char *text, int64_t unix_seconds);
/* All three formats of §5.6.7 (a two-digit year more than 50 years ahead of now_seconds is the past), in any case
 * (RFC 9111 §4.2). Another zone than GMT, be it UTC, makes it invalid: false. */
bool gw_date_parse(struct gw_slice text, int64_t now_seconds, int64_t *unix_seconds);

#endif
