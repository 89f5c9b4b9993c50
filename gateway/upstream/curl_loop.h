/* curl_loop.h: libcurl's multi interface on a worker's loop.
 *
 * Problem  The glue code of libcurl's documentation makes and closes a uv_poll for every transfer, and starts a timer
 *          of 0 ms for each start. That costs a quarter of a request. libcurl also forbids most calls from within its
 *          own callbacks, and calls back from within some of ours.
 * Shape    Each socket has one uv_poll, made when libcurl opens the socket. Once the connection has carried a request,
 *          the uv_poll stays armed through all transfers until libcurl closes the socket. There is one uv_timer. Code
 *          that wants something from libcurl calls gw_curl_loop_ask; one idle handle does the work in the same turn of
 *          the loop: `before` gives the orders, then libcurl runs once for all of them, then `after` looks at the
 *          results. So no order is given from within a callback of libcurl, and no callback runs during the call of
 *          gw_curl_loop_ask.
 * Sockets  CURLOPT_OPENSOCKETFUNCTION and CURLOPT_CLOSESOCKETFUNCTION report the sockets of connections. Other sockets
 *          (the resolver's pipe, a connection that was given up before it was complete) are closed by libcurl without a
 *          report, at about the time of CURL_POLL_REMOVE: their uv_poll is closed at that point.
 * Threads  One worker's. */
#ifndef GW_UPSTREAM_CURL_LOOP_H
#define GW_UPSTREAM_CURL_LOOP_H

#include <stdbool.h>
#include <curl/curl.h>
#include <uv.h>
#include "base/base.h"
#include "base/check.h"
#include "base/descriptors.h"
#include "base/list.h"

enum { GW_CURL_KEPT_ROWS = 64 };

struct gw_curl_watch;
struct gw_curl_loop;

/* before: runs once in a turn that was asked for, and may give orders to libcurl. If it calls gw_curl_loop_ask itself,
 * the run of libcurl that follows serves that, too. after: runs each time after libcurl has run, and reads the finished
 * transfers from loop->multi. Neither runs within a callback of libcurl. */
typedef void gw_curl_loop_step(struct gw_curl_loop *loop);

struct gw_curl_loop {
    struct gw_magic magic; /* from gw_curl_loop_open to gw_curl_loop_free */
    uv_loop_t *loop;
    struct gw_descriptors *descriptors; /* the process's; NULL: no bound */
    CURLM *multi;
    gw_curl_loop_step *before, *after;

    uv_timer_t timer;
    uv_idle_t idle;
    bool is_asked;                  /* the idle handle is active */
    struct gw_curl_watch **watches; /* by file descriptor */
    size_t watch_capacity;
    struct gw_list kept[GW_CURL_KEPT_ROWS]; /* watches of connections that have carried a request, by local port */
    unsigned connection_count;              /* open sockets of connections */
};

/* False when memory is out; then nothing is left open. */
bool gw_curl_loop_open(struct gw_curl_loop *loop, uv_loop_t *uv, gw_curl_loop_step *before,
                       gw_curl_loop_step *after) GW_MUST_CHECK;
/* Every transfer must have left the multi handle before. Closes all connections; the loop must run until the handles
 * are closed. */
void gw_curl_loop_close(struct gw_curl_loop *loop);
/* Call it after the loop has closed the handles. */
void gw_curl_loop_free(struct gw_curl_loop *loop);

/* From now on the loop watches this handle's connections. Call it once, before the handle's first transfer. */
void gw_curl_loop_adopt(struct gw_curl_loop *loop, CURL *easy);
/* Is the idle connection quiet that libcurl is about to use again: has nothing arrived over it? The local port is the
 * only name that libcurl gives at this point. If several idle connections (to other addresses) have this port, all must
 * be quiet. False if there is none. */
bool gw_curl_loop_is_quiet(const struct gw_curl_loop *loop, int local_port);
/* Soon, but never within this call: `before` runs, then libcurl, then `after`. */
void gw_curl_loop_ask(struct gw_curl_loop *loop);

#endif
