/* fetch.h: one request to a backend: one writer, 0…n readers. An exchange is a reader, never its owner.
 *
 * Shape    A fetch asks a backend by a call (upstream/transport.h), tries again where that is safe, and tells its
 *          readers. It lives in its own arena: nothing in it points into an exchange. Passing: one reader and no
 *          buffer; the reader's pace is the upstream's. When the reader leaves, the fetch ends. Collecting: the
 *          answer may be stored; it is read at the upstream's speed into one block, bounded by
 *          cache.max_object_bytes, and each reader follows with a cursor. Readers may leave; the fetch goes on and
 *          stores, once the head came. Before that it is given up when nobody waits for it any more, on no worker.
 * Lead     A fetch begins with the result of a look-up (cache/lookup.h): what its request leads, if it leads, what was seen in
 *          the store, and what is stored. It ends the lead when its answer is stored or given up.
 * Stored   What is stored already and is to be validated comes with the request. A 304 makes a new entry of it; where
 *          the backend fails, or answers 5xx, it may answer as it is. Whatever the fetch ends with an entry, readers
 *          are handed the entry itself, not a copy of its bytes.
 * Sharing  A fetch whose request leads a coalesced fetch can be joined until its head came. With the head every reader but the first
 *          is asked may_reuse and is released on no. Where the length is known to fit all stream along; of an
 *          unknown length only the first streams, the others get head and body at the end. An answer that may not be
 *          stored is the first reader's alone: the others are released, the key is marked hit-for-miss. One that may be
 *          stored, but never used without validation, is marked in this process alone.
 * Refresh  A fetch without a reader: whose only reader is the cache (stale-while-revalidate).
 * Retries  Only before a final head, only while nothing of a body was sent: a dead kept connection once on a fresh
 *          one (idempotent methods), else up to backend.retries on the next backend (any method if nothing can have
 *          reached the backend).
 * Order    on_interim* → on_head → on_body* → on_end, or on_entry, on_fail or on_released before on_end, after which
 *          the fetch has forgotten the reader. No event runs before gw_fetch_begin or gw_fetch_join has returned, none
 *          after gw_fetch_leave. An event may leave.
 * Threads  One worker's. */
#ifndef GW_FETCH_FETCH_H
#define GW_FETCH_FETCH_H

#include "base/free_list.h"
#include "base/list.h"
#include "cache/lookup.h"
#include "upstream/registry.h"
#include "upstream/transport.h"

struct gw_fetch;
struct gw_reader;

/* Where an entry that is handed to a reader comes from. */
enum gw_fetch_source {
    GW_FETCH_FROM_VALIDATED, /* what was stored, confirmed by the backend */
    GW_FETCH_FROM_ERROR,     /* what was stored, since the backend failed */
};

struct gw_reader_events {
    void (*on_interim)(struct gw_reader *reader, const struct gw_head *head);
    /* The final head, hop-by-hop fields dropped; it lives as long as the reader reads, and may be shared: do not
     * change it. */
    void (*on_head)(struct gw_reader *reader, const struct gw_head *head);
    /* Valid during the call unless the block is shared; block may be NULL. */
    void (*on_body)(struct gw_reader *reader, struct gw_slice bytes, struct gw_block *block);
    /* What came in one read was told: write what was gathered. */
    void (*on_flush)(struct gw_reader *reader);
    void (*on_end)(struct gw_reader *reader);
    /* The answer is this entry, shared by who wants to keep it. */
    void (*on_entry)(struct gw_reader *reader, struct gw_entry *entry, enum gw_fetch_source source);
    void (*on_fail)(struct gw_reader *reader, enum gw_error error);
    /* This answer is not for this reader; nothing of it was told. */
    void (*on_released)(struct gw_reader *reader);
    /* The request's body may go on (only the first reader has one). */
    void (*on_want_body)(struct gw_reader *reader);
    /* May this answer, arriving for somebody else's request, serve this reader? */
    bool (*may_reuse)(struct gw_reader *reader, const struct gw_head *selection, const struct gw_cache_life *life);
    /* May this entry? */
    bool (*may_take)(struct gw_reader *reader, const struct gw_entry *entry, enum gw_fetch_source source);
};

struct gw_reader { /* lies in the exchange */
    const struct gw_reader_events *events;

    struct gw_fetch *fetch; /* NULL: reads nothing */
    struct gw_list link;
    size_t cursor; /* bytes of a collected body that were told */
    bool is_first; /* this is the answer to its own request */
    bool head_told, paused;
    bool
        may_share_another; /* told with on_released: another fetch, without its request's credential, or asked for after
                               a purge, or asked for at all, may be for sharing */
    enum gw_cache_refusal refusal; /* told with on_head, on_entry and on_end: why the answer is not stored */
    /* told with on_head, on_entry, on_fail and on_released, where is_first */
    const struct gw_backend *backend; /* asked last */
    uint64_t upstream_us;             /* from asking to the head; 0: no head */
    int upstream_status;              /* of that head; 0: none */
};

struct gw_fetcher {                     /* one worker's; filled by the worker */
    struct gw_transport *transports[2]; /* by gw_transport_kind - 1: h1, curl */
    struct gw_registry *registry;
    struct gw_memory_cache *memory_cache; /* NULL: nothing is stored */
    struct gw_bans *bans;
    struct gw_redis_cache *redis_cache; /* NULL: embedded mode */
    struct gw_lookups *lookups;         /* of refreshes (refresh.h) */
    struct gw_timers *timers;
    struct gw_shard *shard;

    struct gw_free_list free; /* fetches to be used again */
    struct gw_list busy;
    struct gw_list refreshes; /* refresh.c's: those that ask the store */
    struct gw_free_list free_refreshes;
    size_t collecting_bytes; /* in all fetches that collect */
    size_t collecting_bound; /* then they pass instead */
};

struct gw_fetch_request {           /* borrowed for the call; the fetch copies what it needs */
    const struct gw_config *config; /* outlives the fetch */
    const struct gw_route *route;
    enum gw_method method;
    struct gw_slice method_text;
    struct gw_slice path, query;  /* query.at == NULL: none; path "*": OPTIONS * */
    struct gw_slice scheme, host; /* that the client asked for; host empty: unknown (HTTP/1.0) */
    struct gw_slice fields;       /* "Name: value\r\n"…, as the backend gets them, without Host and framing */
    bool lacks_range;    /* the head's Range is not in fields: it is sent after all if the whole cannot be stored */
    bool is_conditional; /* fields ask for what has changed: a 304 may be the answer */
    bool has_body, is_chunked, expects_continue, binds_connection; /* as in gw_call */
    uint64_t content_length;

    struct gw_lead lead; /* coalesced and lock: taken when gw_fetch_begin succeeds. stored: shared; it answers where the
                            backend fails, and with may_store it is to be validated, too. seen: with may_store */
    bool may_store;      /* then the rest is set, too; also where only `stored` is */
    const struct gw_head *head;    /* the request's, for Vary */
    struct gw_cache_request cache; /* what it allows */
    struct gw_cache_rules rules;
    struct gw_cache_key key;
};

void gw_fetcher_init(struct gw_fetcher *fetcher);
/* Every fetch must have ended. */
void gw_fetcher_free(struct gw_fetcher *fetcher);
/* Ends all refreshes, and all fetches that have no reader (those that only store): for the end of a drain. */
void gw_fetcher_cancel_unread(struct gw_fetcher *fetcher);

/* Has it neither a fetch nor a refresh under way? */
bool gw_fetcher_is_idle(const struct gw_fetcher *fetcher);
/* GW_ERROR_NONE: events will come. Otherwise nothing happened, and the lead is still the caller's. reader NULL: a
 * refresh (see gw_refresh_begin). */
enum gw_error gw_fetch_begin(struct gw_fetcher *fetcher, const struct gw_fetch_request *request,
                             struct gw_reader *reader);
/* False: too late to join; fetch alone. A joined reader begins paused: gw_fetch_resume starts it. */
bool gw_fetch_join(struct gw_fetch *fetch, struct gw_reader *reader);
/* NULL fetch is allowed. */
void gw_fetch_leave(struct gw_reader *reader);
/* Stops on_body within one block, and on_end: until the reader resumes or leaves, its head stays. */
void gw_fetch_pause(struct gw_reader *reader);
/* Events may run before it returns. */
void gw_fetch_resume(struct gw_reader *reader);
/* As gw_transport_send and gw_transport_end_body; by the first reader, after on_want_body. */
bool gw_fetch_send_body(struct gw_reader *reader, struct gw_slice bytes, struct gw_block *block);
void gw_fetch_end_body(struct gw_reader *reader);
/* From on_head on, as gw_transport_takes_body. */
bool gw_fetch_takes_body(const struct gw_reader *reader);
/* As gw_transport_go_on. */
void gw_fetch_body_is_there(struct gw_reader *reader);

/* Will it be stored, as far as is known? */
bool gw_fetch_is_collecting(const struct gw_fetch *fetch);
/* Is it, or may it still outgrow cache.max_object_bytes? Its length is not known before its end. */
bool gw_fetch_may_outgrow(const struct gw_fetch *fetch);
/* Then what its head says of that; else NULL. */
const struct gw_cache_life *gw_fetch_life(const struct gw_fetch *fetch);

#endif
