/* entry.h: one stored response: immutable, counted, of exact size.
 *
 * Memory   One piece holds the entry, its fields and its text; names and values of `head` are slices of head_text.
 *          The body is a block that is shared.
 * Threads  Any thread that holds it may read it. */
#ifndef GW_CACHE_ENTRY_H
#define GW_CACHE_ENTRY_H

#include <stdatomic.h>
#include "base/block.h"
#include "cache/key.h"
#include "cache/policy.h"
#include "http/head.h"

struct gw_arena;

enum {
    GW_ENTRY_TAGS = 128,
    GW_ENTRY_TAG_BYTES = 8192, /* of all tags; those beyond either are left out */
    GW_ENTRY_MERGED_FIELDS = 256,
};

struct gw_entry {
    struct gw_cache_key key;
    struct gw_head head; /* end-to-end fields only; without Age, Content-Length, X-Cache and fields of this gateway */
    struct gw_head vary_values; /* the request's fields that it was selected by (cache/vary.h); count 0: none */
    unsigned vary_named;        /* of them, those that Vary names */
    struct gw_slice url;        /* "http://host/path?query", host in lower case, without the scheme's own port */
    struct gw_slice host, path_and_query; /* of it */
    struct gw_slice tags;                 /* of Surrogate-Key and Cache-Tag, separated by one space */
    size_t cost_bytes;                    /* all memory behind it */

    uint64_t ban_sequence;              /* the last ban that was known before it was fetched */
    atomic_uint_least64_t bans_checked; /* the last one it was compared with (bans.h) */
    atomic_bool is_outdated;            /* purged softly: stale, whatever its age */

    /* what a hit reads, side by side */
    uint64_t stored_at_us; /* CLOCK_MONOTONIC, when the response was received */
    int64_t age_s;         /* then */
    int64_t freshness_s;
    struct gw_cache_terms terms; /* of its head */
    bool vary_any;               /* its Vary selects no request: it is never reused */
    /* "HTTP/1.1 200 OK\r\nName: value\r\n": a hit copies it as one piece, and adds Content-Length and the empty line */
    struct gw_slice head_text;
    struct gw_block *body; /* exact size; NULL for an empty body */
    size_t body_bytes;

    atomic_uint refs;
};

struct gw_entry_setup { /* all borrowed for the call */
    const struct gw_cache_key *key;
    struct gw_slice scheme, host; /* as the backend was told */
    const struct gw_head
        *request; /* the head that look-ups see. With the one sent upstream, its variants would never be
                                      found again */
    const struct gw_head *response;
    struct gw_slice tags;  /* as gw_entry.tags, if the response was stored before; absent: read from its fields */
    struct gw_block *body; /* shared */
    size_t body_bytes;
    const struct gw_cache_life *life;
    uint64_t ban_sequence;
    uint64_t now_us;
};

/* Copies the head (and what vary needs of the request's), shares the body. Held once; NULL when memory is out.
 * Left out of the response's head: what is dropped or hop-by-hop, "Proxy-" fields, what its no-cache="…" or
 * private="…" names (but for Vary), what speaks of this one answer (Age, X-Cache, X-Request-Id, traceparent, RateLimit
 * and X-RateLimit fields, those of former drafts too; Set-Cookie but by terms.keeps_set_cookie), and Content-Length, which
 * the writer adds. Via of those before stays. */
struct gw_entry *gw_entry_create(const struct gw_entry_setup *setup) GW_MUST_CHECK;

/* The stored head as a 304's (or HEAD's) head updates it (RFC 9111 §3.2): the stored status and fields, each name that
 * the update has replaced by the update's, but for what describes the stored body (Content-Encoding, Content-Length,
 * Content-Range, Content-Digest, Repr-Digest, Transfer-Encoding), and for what is not stored (Set-Cookie: by the stored
 * terms; but Age, which its age is counted from). Slices of both, in the arena. False at its bound, and where the whole
 * is larger than a response may be: its lines longer than head_bytes, or more than GW_ENTRY_MERGED_FIELDS (where fewer
 * are stored). Updates that bring new names each time would else make a head that no buffer holds. */
bool gw_entry_merge(struct gw_head *merged, struct gw_arena *arena, const struct gw_entry *stored,
                    const struct gw_head *update, size_t head_bytes) GW_MUST_CHECK;

struct gw_entry_renewal { /* all borrowed for the call */
    const struct gw_entry *stored;
    const struct gw_head *update; /* of a 304 to its validators, or of the answer to a HEAD */
    const struct gw_cache_key *key;
    struct gw_slice scheme, host;          /* as in gw_entry_setup */
    const struct gw_head *request;         /* as in gw_entry_setup */
    const struct gw_cache_request *allows; /* what the request allows; may_store as of a GET */
    const struct gw_cache_rules *rules;
    int64_t asked_at_s;    /* wall clock */
    int64_t fresh_most_s;  /* beyond its age; INT64_MAX: no bound */
    uint64_t ban_sequence; /* of the new entry */
    size_t head_bytes;     /* as in gw_entry_merge */
    struct gw_arena *arena;
};

/* Makes a new entry of the stored one and the update, with the life that the policy gives it now (RFC 9111 §4.3.4, §4.3.5).
 * If the result may not be stored (*refusal says why), the entry is over at once. Held once. NULL: the head would be too
 * large, or memory is out. */
struct gw_entry *gw_entry_renew(const struct gw_entry_renewal *renewal, struct gw_cache_life *life,
                                enum gw_cache_refusal *refusal) GW_MUST_CHECK;

static inline struct gw_entry *gw_entry_ref(struct gw_entry *entry)
{
    atomic_fetch_add_explicit(&entry->refs, 1, memory_order_relaxed);
    return entry;
}
/* NULL is allowed. Any thread. */
void gw_entry_unref(struct gw_entry *entry);
/* Whole seconds. */
static inline int64_t gw_entry_age_s(const struct gw_entry *entry, uint64_t now_us)
{
    return entry->age_s + (now_us > entry->stored_at_us ? (int64_t)((now_us - entry->stored_at_us) / 1000000) : 0);
}
/* Its lifetime. An entry that was purged softly has reached it: the lifetime is its age. */
static inline int64_t gw_entry_freshness_s(const struct gw_entry *entry, int64_t age_s)
{
    bool is_outdated = atomic_load_explicit(&entry->is_outdated, memory_order_relaxed);
    return is_outdated && age_s < entry->freshness_s ? age_s : entry->freshness_s;
}
/* Of no use any more, fresh or stale. */
static inline bool gw_entry_is_over(const struct gw_entry *entry, uint64_t now_us)
{
    return gw_entry_age_s(entry, now_us) >= entry->freshness_s + entry->terms.window_s;
}
/* gw_policy_reuse of it. */
enum gw_reuse gw_entry_reuse(const struct gw_entry *entry, const struct gw_cache_request *request,
                             const struct gw_head *request_head, uint64_t now_us);

#endif
