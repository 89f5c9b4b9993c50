/* date.h: HTTP dates (RFC 9110 §5.6.7). Pure: time is an argument. */
#ifndef GW_HTTP_DATE_H
#define GW_HTTP_DATE_H

#include "base/slice.h"

enum { GW_DATE_BYTES = 29 };

/* Writes such as "Sun, 06 Nov 1994 08:49:37 GMT": GW_DATE_BYTES without a NUL. */
void gw_date_print(char *text, int64_t unix_seconds);
/* Reads the three formats of §5.6.7; case does not matter (RFC 9111 §4.2). A year of two digits that would be more than
 * 50 years after now_seconds is in the past. False: the text is no date, or its zone is not GMT (UTC is refused,
 * too). */
bool gw_date_parse(struct gw_slice text, int64_t now_seconds, int64_t *unix_seconds);

#endif
