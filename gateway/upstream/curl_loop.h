/* curl_loop.h: libcurl's multi interface on a worker's loop.
 *
 * Problem  As documented (a uv_poll made and closed with every transfer, a timer of 0 ms to start one) the glue
 *          costs a quarter of a request. libcurl also forbids most calls from within its own callbacks, and calls
 *          back from within some of ours.
 * Shape    One uv_poll a socket, made when libcurl opens it and, once it has carried a request, kept, armed, until
 *          libcurl closes it, through all transfers over that connection. One uv_timer. Whatever is to be done to
 *          libcurl is asked for (gw_curl_loop_ask) and done by one idle handle in the same turn of the loop:
 *          `before` gives the orders, then libcurl runs once for all of them, then `after` looks at what came. So no
 *          order is given from within a callback of libcurl, and no callback runs from within the asker's call.
 * Sockets  Those of connections come by CURLOPT_OPENSOCKETFUNCTION and leave by CURLOPT_CLOSESOCKETFUNCTION. Others
 *          (the resolver's pipe, a connection that was given up before it was complete) are closed by libcurl behind
 *          our back at about the time of CURL_POLL_REMOVE: their uv_poll is closed there.
 * Threads  One worker's. */
#ifndef GW_UPSTREAM_CURL_LOOP_H
#define GW_UPSTREAM_CURL_LOOP_H

#include <stdbool.h>
#include <curl/curl.h>
#include <uv.h>
#include "base/base.h"
#include "base/descriptors.h"
#include "base/list.h"

enum { GW_CURL_KEPT_ROWS = 64 };

struct gw_curl_watch;
struct gw_curl_loop;

/* before: once in a turn that was asked for; may give orders to libcurl. What it asks for itself is libcurl's run that
 * follows. after: each time that libcurl has run; its finished transfers are to be read from loop->multi. Neither runs
 * within a callback of libcurl. */
typedef void gw_curl_loop_step(struct gw_curl_loop *loop);

struct gw_curl_loop {
    uv_loop_t *loop;
    struct gw_descriptors *descriptors; /* of the process; NULL: no bound */
    CURLM *multi;
    gw_curl_loop_step *before, *after;

    uv_timer_t timer;
    uv_idle_t idle;
    bool is_asked;                  /* idle runs */
    struct gw_curl_watch **watches; /* by file descriptor */
    size_t watch_capacity;
    struct gw_list kept[GW_CURL_KEPT_ROWS]; /* watches of connections that have carried a request, by local port */
    unsigned connection_count;              /* open sockets of connections */
};

/* False when memory is out: nothing is left open then. */
bool gw_curl_loop_open(struct gw_curl_loop *loop, uv_loop_t *uv, gw_curl_loop_step *before,
                       gw_curl_loop_step *after) GW_MUST_CHECK;
/* Every transfer must have left the multi handle. Closes all connections; the loop runs on until the handles are
 * closed. */
void gw_curl_loop_close(struct gw_curl_loop *loop);
/* After the loop ran the closes. */
void gw_curl_loop_free(struct gw_curl_loop *loop);

/* This handle's connections are watched by the loop. Once, before its first transfer. */
void gw_curl_loop_adopt(struct gw_curl_loop *loop, CURL *easy);
/* Has nothing arrived over the idle connection with this local port, which libcurl is about to use again? libcurl has
 * no other name for it then. Of several idle ones with this port (at other addresses) all must be quiet; of none:
 * false. */
bool gw_curl_loop_is_quiet(const struct gw_curl_loop *loop, int local_port);
/* `before` will run, then libcurl, then `after`: soon, never within this call. */
void gw_curl_loop_ask(struct gw_curl_loop *loop);

#endif
