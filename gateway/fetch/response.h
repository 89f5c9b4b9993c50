/* response.h: the answering half of a fetch: what becomes of a backend's answer. For the files of this folder. */
#ifndef GW_FETCH_RESPONSE_H
#define GW_FETCH_RESPONSE_H

#include "fetch/state.h"

extern const struct gw_call_events gw_response_events;

#endif
