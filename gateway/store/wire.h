/* wire.h: shared by link.c and login.c: hiredis' context of one connection on libuv. */
#ifndef GW_STORE_WIRE_H
#define GW_STORE_WIRE_H

#include <hiredis/async.h>
#include "store/link.h"

struct gw_link_wire {
    uv_poll_t poll; /* first: its close callback frees the wire */
    struct gw_magic magic;
    struct gw_link *link;
    redisAsyncContext *context;
    bool is_connected;
    bool is_flushing; /* within redisAsyncHandleWrite */
    bool wants_write; /* a write was partial */
    bool is_polled_to_write;
};

/* login.c: queues AUTH, SELECT, CLIENT SETNAME, SCRIPT LOAD. False when memory is out. */
bool gw_login_begin(struct gw_link *link) GW_MUST_CHECK;
/* link.c: every answer was good. */
void gw_link_logged_in(struct gw_link *link);
/* link.c: gw_link_ask in any state. */
bool gw_link_put(struct gw_link *link, struct gw_link_asked *asked, struct gw_slice command, struct gw_slice last);

#endif
