/* curl_transfer.h: one call as libcurl sees it: an easy handle with the memory of its request. Only transport_curl.c
 * and its helpers use it.
 *
 * Shape    curl_transfer.c makes the handle and writes the request into it; curl_answer.c turns libcurl's header lines
 *          into heads; curl_callbacks.c raises the call's events; transport_curl.c gives orders, ends transfers, and
 *          has the transport's table. A transfer that went well is used again with its handle, header list and text.
 * Memory   The request's text is copied, because libcurl may read it after the call was cancelled. */
#ifndef GW_UPSTREAM_CURL_TRANSFER_H
#define GW_UPSTREAM_CURL_TRANSFER_H

#include <curl/curl.h>
#include "base/arena.h"
#include "base/chain.h"
#include "base/check.h"
#include "base/free_list.h"
#include "base/list.h"
#include "base/timer.h"
#include "upstream/curl_loop.h"
#include "upstream/curl_tls.h"
#include "upstream/pool.h"
#include "upstream/transport.h"

enum { GW_CURL_URL_BYTES = 288 }; /* "https://", a name of 255 bytes, ":65535/" */

struct gw_curl_transport {
    struct gw_magic magic;
    struct gw_transport base;
    struct gw_transport_setup setup;
    CURLSH *share; /* TLS sessions, so that a new connection resumes */

    struct gw_curl_loop loop;
    struct gw_pool_set pools;  /* only counts the calls of each backend: the connections are libcurl's */
    struct gw_free_list spare; /* transfers that may be used again */
    bool may_reuse_handles;
    struct gw_list due, told;      /* transfers */
    unsigned active;               /* calls */
    unsigned kept;                 /* idle connections that the last call's configuration allows */
    unsigned connected;            /* transfers that have a connection */
    uint64_t open_told, idle_told; /* this transport's part of the shard's gauges */
};

enum { GW_CURL_TRANSFER_MAGIC = 0x58464552 }; /* XFER: also of a spare one */

struct gw_curl_transfer {
    struct gw_magic magic;
    struct gw_curl_transport *transport;
    CURL *easy;
    char url[GW_CURL_URL_BYTES]; /* the URL that the handle has now */
    char *ca_file;               /* the file that the handle has now; NULL: the system's */
    struct curl_slist *lines;    /* the request's fields, linked within the array */
    unsigned line_capacity;
    char *text; /* method, target and fields, each terminated */
    size_t text_capacity;

    /* from here on cleared for each call */
    struct gw_pool *pool;            /* of the call's backend; valid as long as the call */
    struct gw_call *call;            /* NULL: cancelled, or spare */
    struct gw_list due;              /* an order for libcurl is waiting */
    struct gw_list told;             /* an event came since libcurl last ran */
    struct gw_timer timer;           /* for the head, or for the next piece of the body */
    enum gw_error error;             /* the reason why one of our callbacks stopped the transfer */
    bool is_added;                   /* to the multi handle */
    bool is_connected;               /* the request is being sent, for the first and only time */
    char complaint[CURL_ERROR_SIZE]; /* libcurl's words on what went wrong */
    bool is_complete;                /* the answer is complete before the request: stopped, without error */

    /* the request's body */
    struct gw_chain chain; /* the waiting piece */
    uint64_t handed_bytes; /* to libcurl */
    bool wants_body;       /* on_want_body was raised, and gw_transport_send has not returned false since */
    bool body_ended;       /* by gw_transport_end_body */
    bool is_body_due;      /* libcurl asks for the body: 100 came, or libcurl waits no longer for it */
    bool upload_done;      /* libcurl has all of it */
    bool send_stopped;     /* libcurl waits for an order to go on sending */

    /* the answer */
    struct gw_head *head;
    struct gw_head interim;
    struct gw_arena interim_arena;
    size_t head_bytes;
    unsigned interims;
    bool is_interim, in_head, head_done;
    bool is_old; /* the answer is in HTTP/1.0 */
    uint64_t body_bytes;
    struct gw_curl_goodbye *goodbye; /* for a body that ends with its TLS connection */
    bool is_paused;                  /* the owner wants no body now */
    bool recv_stopped;               /* libcurl waits for an order to go on receiving */
};

/* Makes a handle and sets all options that do not depend on the call. The transport installs the callbacks. False when
 * memory is out; gw_curl_transfer_free must be called then, too. */
bool gw_curl_transfer_init(struct gw_curl_transfer *transfer, struct gw_curl_transport *transport) GW_MUST_CHECK;
/* Frees the contents of a struct gw_curl_transfer, which must have left the multi handle. */
void gw_curl_transfer_free(void *transfer);
/* Writes the call's request into the handle; nothing is sent yet. False when memory is out. */
bool gw_curl_transfer_fill(struct gw_curl_transfer *transfer, struct gw_call *call) GW_MUST_CHECK;
/* Forgets the call, and keeps what the next call can use. */
void gw_curl_transfer_reset(struct gw_curl_transfer *transfer);

/* For CURLOPT_PRIVATE and the callbacks' context. */
static inline struct gw_curl_transfer *gw_curl_transfer_from(void *context)
{
    return GW_FROM_CONTEXT(context, struct gw_curl_transfer, GW_CURL_TRANSFER_MAGIC);
}
/* libcurl gets this transfer's orders in this turn of the loop, but not within this call. */
void gw_curl_transfer_make_due(struct gw_curl_transfer *transfer);
/* Sets the timer for the time that the backend has. No time runs while the owner has paused the answer or still has to
 * give a piece of the body. */
void gw_curl_transfer_watch_time(struct gw_curl_transfer *transfer);
/* True after a final head: no more of the request's body is sent (curl_callbacks.c names the exception that libcurl
 * needs). */
bool gw_curl_transfer_upload_is_over(const struct gw_curl_transfer *transfer);
/* Call it when libcurl has found no fault. True if the answer is complete by its own framing. */
bool gw_curl_transfer_is_whole(const struct gw_curl_transfer *transfer);

enum gw_curl_answer {
    GW_CURL_ANSWER_GOES_ON,
    GW_CURL_ANSWER_INTERIM, /* transfer->interim is complete */
    GW_CURL_ANSWER_HEAD,    /* *transfer->head is complete and valid */
    GW_CURL_ANSWER_FAILED,  /* transfer->error says why */
};

/* Reads one line with its end, as CURLOPT_HEADERFUNCTION gives it. Trailers are counted and dropped. */
enum gw_curl_answer gw_curl_answer_line(struct gw_curl_transfer *transfer, struct gw_slice line);

#endif
