/* entry.h: one stored response: immutable, counted, of exact size. */
#ifndef GW_CACHE_ENTRY_H
#define GW_CACHE_ENTRY_H

#include <stdatomic.h>
#include "base/block.h"
#include "cache/key.h"
#include "cache/policy.h"
#include "http/head.h"

struct gw_entry {
    struct gw_cache_key key;
    struct gw_head head;            /* end-to-end fields only; without Age, Content-Length, X-Cache and fields of this gateway */
    struct gw_head vary_values;     /* the request's fields that Vary names; count 0: no Vary */
    struct gw_slice head_text;      /* status line and fields ("HTTP/1.1 200 OK\r\n…\r\n", no empty line, no Content-Length): a hit copies it as one piece */
    struct gw_block *body;          /* exact size; NULL for an empty body */
    size_t body_bytes;
    size_t cost_bytes;              /* all memory behind it */
    uint64_t stored_at_us;          /* CLOCK_MONOTONIC, when the response was received */
    int64_t age_s;                  /* then */
    int64_t freshness_s;
    bool vary_any;

    atomic_uint holders;
};

/* Copies the head (and what vary needs of the request's), shares the body. Held once; NULL when memory is out. */
struct gw_entry *gw_entry_create(const struct gw_cache_key *key, const struct gw_head *request, const struct gw_head *response,
                                 struct gw_block *body, size_t body_bytes, const struct gw_cache_life *life,
                                 uint64_t now_us) GW_MUST_CHECK;
static inline struct gw_entry *gw_entry_share(struct gw_entry *entry)
{
    atomic_fetch_add_explicit(&entry->holders, 1, memory_order_relaxed);
    return entry;
}
/* NULL is allowed. Any thread. */
void gw_entry_drop(struct gw_entry *entry);
/* Whole seconds. */
int64_t gw_entry_age_s(const struct gw_entry *entry, uint64_t now_us);

#endif
