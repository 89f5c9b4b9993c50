/* cache_pages.h: what /gateway/cache/purge and /gateway/cache/inspect are asked, and what a purge is answered.
 * (What an inspection is answered: stored.h.)
 *
 * Queries  Values are percent-decoded (RFC 3986 §2.1); '+' stands for itself, for a URL has no blanks.
 * URLs     Scheme and host are those that backends are told: X-Forwarded-Proto and Host (or a trusted proxy's
 *          X-Forwarded-Host), with the port where clients name one. Path and query as clients send them, not decoded.
 * Memory   What is read lies in the caller's arena.
 * Failure  What is asked wrongly is told in a complaint: which parameter, what stood there, what was expected. A page
 *          that memory or its buffer's bound does not hold is a 500 that says so.
 * Threads  Pure: no I/O, no clock. */
#ifndef GW_ADMIN_CACHE_PAGES_H
#define GW_ADMIN_CACHE_PAGES_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "cache/bans.h"
#include "http/head.h"

/* ---- who may ask ---- */

/* One Authorization, "Bearer <token>"; compared in a time that tells nothing of the token (RFC 6750 §2.1). The token is
 * not empty. */
bool gw_cache_pages_knows_token(const struct gw_head *request, struct gw_slice token);

/* ---- what is asked ---- */

struct gw_cache_url {
    struct gw_slice scheme; /* "http" or "https"; empty: any */
    struct gw_slice host;   /* lower case, with its port; empty: any */
    struct gw_slice path;
    struct gw_slice query; /* at == NULL: none */
};

struct gw_purge_order {
    enum gw_ban_kind kind;
    bool is_soft;
    struct gw_slice text;    /* url, prefix or tag as it was given */
    struct gw_cache_url url; /* URL; PREFIX: its path is how path and query begin */
};

/* "url=…", "prefix=…", "tag=…" or "all=1", and "soft=1". */
bool gw_cache_pages_read_purge(struct gw_slice query, struct gw_arena *arena, struct gw_purge_order *order,
                               struct gw_complaint *complaint) GW_MUST_CHECK;

enum { GW_INSPECT_HEADERS = 32 };

struct gw_inspect_order {
    struct gw_slice text; /* the url as it was given */
    struct gw_cache_url url;
    struct gw_head head; /* of the GET that is asked about, with the fields of "header=…" */
};

/* "url=http://host/path?query", and "header=Name: value" as often as GW_INSPECT_HEADERS. */
bool gw_cache_pages_read_inspect(struct gw_slice query, struct gw_arena *arena, struct gw_inspect_order *order,
                                 struct gw_complaint *complaint) GW_MUST_CHECK;

/* ---- what is said ---- */

/* RFC 9457. */
void gw_cache_pages_put_problem(int status, const char *error, struct gw_slice detail, struct gw_slice request_id,
                                struct gw_buffer *page);

/* How far a purge has come when it is answered. */
enum gw_purge_reach {
    GW_PURGE_EVERYWHERE, /* acknowledged by Redis; or there is none, and this process is all */
    GW_PURGE_LATER,      /* done here; sent again until Redis has it */
    GW_PURGE_HERE,       /* done here; not sent again */
};

/* {"purged":{"prefix":"/items/"},"soft":false,"everywhere":true}; 200, or 202 with "detail" where Redis has not
 * acknowledged it. */
int gw_cache_pages_put_purge(const struct gw_purge_order *order, enum gw_purge_reach reach, struct gw_buffer *page);

#endif
