/* response.h: the answering half of a fetch: what becomes of what the backend says. For fetch.c. */
#ifndef GW_FETCH_RESPONSE_H
#define GW_FETCH_RESPONSE_H

#include "fetch/state.h"

extern const struct gw_call_events gw_response_events;

/* No answer will come: what is stored, where it may, else the error. */
void gw_response_fail(struct gw_fetch *fetch, enum gw_error error);
/* Ends the lead: those that wait may look. */
void gw_response_land(struct gw_fetch *fetch);

#endif
