/* attempt.h: the sending half of a fetch: to which backend, with which bytes, and whether again. For fetch.c. */
#ifndef GW_FETCH_ATTEMPT_H
#define GW_FETCH_ATTEMPT_H

#include "fetch/state.h"

/* Copies what the request says into the fetch's arena. False when it is full. */
bool gw_attempt_copy(struct gw_fetch *fetch, const struct gw_fetch_request *request) GW_MUST_CHECK;
/* Asks for the whole instead: the 304 that came is of something else. */
enum gw_error gw_attempt_whole(struct gw_fetch *fetch) GW_MUST_CHECK;
/* Asks for the part after all: the whole is not for storing. */
enum gw_error gw_attempt_part(struct gw_fetch *fetch) GW_MUST_CHECK;
/* The first attempt, with the conditionals by which what is stored is to be confirmed (RFC 9111 §4.3.1). GW_ERROR_NONE:
 * the call runs. */
enum gw_error gw_attempt_begin(struct gw_fetch *fetch) GW_MUST_CHECK;
/* After a failed attempt: may the same request be sent again (RFC 9110 §9.2.2), and was it? */
bool gw_attempt_again(struct gw_fetch *fetch, enum gw_error error) GW_MUST_CHECK;
/* The call is over. */
void gw_attempt_ended(struct gw_fetch *fetch);
/* Ends the call if it runs. */
void gw_attempt_cancel(struct gw_fetch *fetch);

#endif
