/* entry.h: one stored response: immutable, counted, of exact size.
 *
 * Memory   One piece holds the entry, its fields and its text; names and values of `head` are slices of head_text.
 *          The body is a block that is shared.
 * Threads  Any; whoever holds it may read it. */
#ifndef GW_CACHE_ENTRY_H
#define GW_CACHE_ENTRY_H

#include <stdatomic.h>
#include "base/block.h"
#include "cache/key.h"
#include "cache/policy.h"
#include "http/head.h"

struct gw_entry {
    struct gw_cache_key key;
    struct gw_head head; /* end-to-end fields only; without Age, Content-Length, X-Cache and fields of this gateway */
    struct gw_head vary_values; /* the request's fields that it was selected by (cache/vary.h) */
    unsigned vary_named;        /* of them, those that Vary names */
    struct gw_slice url;        /* path and query, as asked; a shared store keeps it */
    size_t cost_bytes;          /* all memory behind it */

    /* what a hit reads, side by side */
    uint64_t stored_at_us; /* CLOCK_MONOTONIC, when the response was received */
    int64_t age_s;         /* then */
    int64_t freshness_s;
    struct gw_cache_terms terms; /* of its head */
    bool vary_any;               /* never reused */
    bool has_selection;          /* vary_values.count > 0 */
    /* "HTTP/1.1 200 OK\r\nName: value\r\n": a hit copies it as one piece, and adds Content-Length and the empty line */
    struct gw_slice head_text;
    struct gw_block *body; /* exact size; NULL for an empty body */
    size_t body_bytes;

    atomic_uint holders;
};

/* Copies the head (and what vary needs of the request's), shares the body. Held once; NULL when memory is out.
 * request: the head that look-ups see (not the one sent upstream), or its variants are never found again. Left out of
 * the response's head: what is dropped or hop-by-hop, what speaks of this one answer (Age, X-Cache, X-Request-Id,
 * traceparent, RateLimit and X-RateLimit fields, Set-Cookie; Retry-After of a 2xx), and Content-Length, which the
 * writer adds. Via of those before stays. */
struct gw_entry *gw_entry_create(const struct gw_cache_key *key, const struct gw_head *request,
                                 const struct gw_head *response, struct gw_block *body, size_t body_bytes,
                                 const struct gw_cache_life *life, uint64_t now_us) GW_MUST_CHECK;
static inline struct gw_entry *gw_entry_share(struct gw_entry *entry)
{
    atomic_fetch_add_explicit(&entry->holders, 1, memory_order_relaxed);
    return entry;
}
/* NULL is allowed. Any thread. */
void gw_entry_drop(struct gw_entry *entry);
/* Whole seconds. */
static inline int64_t gw_entry_age_s(const struct gw_entry *entry, uint64_t now_us)
{
    return entry->age_s + (now_us > entry->stored_at_us ? (int64_t)((now_us - entry->stored_at_us) / 1000000) : 0);
}

#endif
