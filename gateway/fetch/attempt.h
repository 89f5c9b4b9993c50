/* attempt.h: the sending half of a fetch: to which backend, which bytes, and whether again. For the files of this folder. */
#ifndef GW_FETCH_ATTEMPT_H
#define GW_FETCH_ATTEMPT_H

#include "fetch/state.h"

/* The first attempt: sets fetch->attempt and fetch->sent, and copies what the request lends into the arena. If `stored` is to
 * be confirmed, its conditionals stand behind the fields (RFC 9111 §4.3.1). GW_ERROR_NONE: the call runs. */
enum gw_error gw_attempt_begin(struct gw_fetch *fetch, const struct gw_fetch_request *request) GW_MUST_CHECK;
/* Asks for the whole instead: the 304 that came is about something else. */
enum gw_error gw_attempt_whole(struct gw_fetch *fetch) GW_MUST_CHECK;
/* Asks for the part after all: the whole may not be stored. */
enum gw_error gw_attempt_part(struct gw_fetch *fetch) GW_MUST_CHECK;
/* After a failed attempt: may the same request be sent again (RFC 9110 §9.2.2), and was it? */
bool gw_attempt_again(struct gw_fetch *fetch, enum gw_error error) GW_MUST_CHECK;
/* The call has ended. */
void gw_attempt_ended(struct gw_fetch *fetch);
/* Ends the call if it runs. */
void gw_attempt_cancel(struct gw_fetch *fetch);

#endif
