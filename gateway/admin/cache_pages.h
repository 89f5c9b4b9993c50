/* cache_pages.h: reads the parameters of /gateway/cache/purge and /gateway/cache/inspect, and writes the answer to a
 * purge. (stored.h writes the answer to an inspection.)
 *
 * Queries  Values are percent-decoded (RFC 3986 §2.1). '+' stands for itself, since a URL has no blanks.
 * URLs     Scheme and host are those that backends are told: X-Forwarded-Proto and Host (or a trusted proxy's
 *          X-Forwarded-Host), with the port where clients send one. Path and query are as clients send them, not
 *          decoded.
 * Memory   All slices lie in the caller's arena.
 * Failure  A complaint tells a wrong parameter: its name, its value, and what was expected. Where memory or the
 *          buffer's bound is not enough for a page, the page is a 500 that says so.
 * Threads  Pure: no I/O, no clock. */
#ifndef GW_ADMIN_CACHE_PAGES_H
#define GW_ADMIN_CACHE_PAGES_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "cache/bans.h"
#include "http/head.h"

/* ---- permission ---- */

/* Does the request have exactly one Authorization, "Bearer <token>" (RFC 6750 §2.1)? The time of the comparison tells
 * nothing about the token, which must not be empty. */
bool gw_cache_pages_knows_token(const struct gw_head *request, struct gw_slice token);

/* ---- parameters ---- */

struct gw_cache_url {
    struct gw_slice scheme; /* "http" or "https"; empty: any */
    struct gw_slice host;   /* lower case, with the port if there is one; empty: any */
    struct gw_slice path;
    struct gw_slice query; /* at == NULL: none */
};

struct gw_purge_order {
    enum gw_ban_kind kind;
    bool is_soft;
    struct gw_slice text;    /* the url, prefix or tag as given */
    struct gw_cache_url url; /* of URL and PREFIX; the path of a PREFIX is the beginning of path and query */
};

/* Reads "url=…", "prefix=…", "tag=…" or "all=1", and "soft=1". False with a complaint. */
bool gw_cache_pages_read_purge(struct gw_slice query, struct gw_arena *arena, struct gw_purge_order *order,
                               struct gw_complaint *complaint) GW_MUST_CHECK;

enum { GW_INSPECT_HEADERS = 32 };

struct gw_inspect_order {
    struct gw_slice text; /* the url as given */
    struct gw_cache_url url;
    struct gw_head head; /* of the GET to inspect, with the fields of "header=…" */
};

/* Reads "url=http://host/path?query", and up to GW_INSPECT_HEADERS times "header=Name: value". False with a
 * complaint. */
bool gw_cache_pages_read_inspect(struct gw_slice query, struct gw_arena *arena, struct gw_inspect_order *order,
                                 struct gw_complaint *complaint) GW_MUST_CHECK;

/* ---- answers ---- */

/* Writes a problem of RFC 9457. */
void gw_cache_pages_put_problem(int status, const char *error, struct gw_slice detail, struct gw_slice request_id,
                                struct gw_buffer *page);

/* How far a purge has come when the answer is written. */
enum gw_purge_reach {
    GW_PURGE_EVERYWHERE, /* Redis has acknowledged it, or there is no Redis and so only this process */
    GW_PURGE_LATER,      /* done in this process; sent again until Redis has it */
    GW_PURGE_HERE,       /* done in this process; not sent again */
};

/* Writes {"purged":{"prefix":"/items/"},"soft":false,"everywhere":true} and returns 200; or 202, with "detail", where
 * Redis has not acknowledged the purge. */
int gw_cache_pages_put_purge(const struct gw_purge_order *order, enum gw_purge_reach reach, struct gw_buffer *page);

#endif
