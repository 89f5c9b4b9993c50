/* fetch.h: one request to a backend: one writer, 0…n readers. An exchange is a reader, and never owns the fetch.
 *
 * Shape    A fetch asks a backend by a call (upstream/transport.h), tries again if that is safe, and tells its readers. It
 *          lives in its own arena: nothing in it points into an exchange.
 *          Passing: one reader and no buffer; the reader sets the pace of the upstream. When the reader leaves, the
 *          fetch ends.
 *          Collecting: the answer may be stored. It is read at the upstream's speed into one block of at most
 *          cache.max_object_bytes, and each reader follows with a cursor. All readers may leave: once the head came,
 *          the fetch goes on and stores. Before the head, the fetch ends when no request on any worker waits for it.
 * Lead     A fetch begins with the result of a look-up (cache/lookup.h): what its request leads (if it leads), the base
 *          version that was seen in the store, and what is stored. The fetch finishes the lead when its answer is stored
 *          or given up.
 * Stored   The request brings what is stored and is to be validated. A 304 makes a new entry of it; if the backend fails,
 *          or answers 5xx, it may answer as it is. A fetch that ends with an entry hands its readers this entry, and no
 *          copy of its bytes.
 * Sharing  A fetch with a coalesced lead can be joined until its head came. With the head, each reader but the first is
 *          asked may_reuse, and released if it may not. If the length is known to fit, all readers stream along. If the
 *          length is unknown, only the first one streams; the others get head and body at the end. An answer that may
 *          not be stored is the first reader's alone: the others are released, and the key is marked hit-for-miss. If
 *          the answer may be stored, but never used without validation, the key is marked in this process alone.
 * Refresh  A fetch without a reader: only the cache needs its answer (stale-while-revalidate).
 * Retries  Only before a final head, and only while nothing of a body was sent: once on a fresh connection after a kept
 *          one was dead (idempotent methods), else up to backend.retries on the next backend (any method, if nothing
 *          can have reached the backend).
 * Order    on_interim* → on_head → on_body* → on_end, or on_entry, on_fail or on_released before on_end. After one of these
 *          last four the fetch has forgotten the reader. No event runs before gw_fetch_begin or gw_fetch_join has
 *          returned, and none after gw_fetch_leave. A reader may leave within any event.
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
    /* All that came in one read was told: write what was gathered. */
    void (*on_flush)(struct gw_reader *reader);
    void (*on_end)(struct gw_reader *reader);
    /* The answer is this entry; a reader that keeps it takes a reference. */
    void (*on_entry)(struct gw_reader *reader, struct gw_entry *entry, enum gw_fetch_source source);
    void (*on_fail)(struct gw_reader *reader, enum gw_error error);
    /* This answer is not for this reader; nothing of it was told. */
    void (*on_released)(struct gw_reader *reader);
    /* The request's body may go on (only the first reader has one). */
    void (*on_want_body)(struct gw_reader *reader);
    /* May this answer, which arrives for another request, serve this reader? */
    bool (*may_reuse)(struct gw_reader *reader, const struct gw_head *selection, const struct gw_cache_life *life);
    /* May this entry serve this reader? */
    bool (*may_take)(struct gw_reader *reader, const struct gw_entry *entry, enum gw_fetch_source source);
};

struct gw_reader { /* lies in the exchange; begin and join set all but events */
    const struct gw_reader_events *events;

    struct gw_fetch *fetch; /* NULL: reads nothing */
    struct gw_list link;
    size_t cursor; /* bytes of a collected body that were told */
    bool is_first; /* the fetch was begun for this reader's request */
    bool head_told, paused;
    /* Told with on_released: another fetch may be for sharing. This one was not only since it was asked for with a
     * credential, or before a purge. */
    bool may_share_another;
    enum gw_cache_refusal refusal; /* told with on_head, on_entry and on_end: why the answer is not stored */
    /* told with on_head, on_entry, on_fail and on_released, if is_first: */
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
    struct gw_lookups *lookups;         /* of refreshes (background_refresh.h) */
    struct gw_timers *timers;
    struct gw_shard *shard;

    struct gw_free_list free; /* fetches to be used again */
    struct gw_list busy;
    struct gw_list refreshes; /* of background_refresh.c: those that ask the store */
    struct gw_free_list free_refreshes;
    size_t collecting_bytes; /* reserved by all fetches that collect */
    size_t collecting_bound; /* beyond this, answers pass and are not stored */
};

struct gw_fetch_request {           /* borrowed for the call; the fetch copies what it needs */
    const struct gw_config *config; /* outlives the fetch */
    const struct gw_route *route;
    enum gw_method method;
    struct gw_slice method_text;
    struct gw_slice path, query;  /* query.at == NULL: none; path "*": OPTIONS * */
    struct gw_slice scheme, host; /* that the client asked for; host empty: unknown (HTTP/1.0) */
    struct gw_slice fields;       /* "Name: value\r\n"…, as the backend gets them, without Host and framing */
    bool lacks_range;    /* the head's Range is not in fields: it is sent after all if the whole may not be stored */
    bool is_conditional; /* fields ask for what has changed: a 304 may be the answer */
    bool has_body, is_chunked, expects_continue, binds_connection; /* as in gw_call */
    uint64_t content_length;

    /* coalesced and lock: the fetch takes them if gw_fetch_begin succeeds. stored: the fetch takes a reference of its own;
     * it answers if the backend fails, and with may_store it is to be validated, too. base_version: with may_store. */
    struct gw_lead lead;
    bool may_store;                /* then the rest is set, too; the rest is also set if only `stored` is */
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

/* Is no fetch and no refresh under way? */
bool gw_fetcher_is_idle(const struct gw_fetcher *fetcher);
/* GW_ERROR_NONE: events will come. Otherwise nothing happened, and the lead is still the caller's. reader NULL: a
 * refresh (gw_background_refresh_begin). */
enum gw_error gw_fetch_begin(struct gw_fetcher *fetcher, const struct gw_fetch_request *request,
                             struct gw_reader *reader);
/* False: too late to join; fetch alone. A joined reader begins paused: gw_fetch_resume starts it. */
bool gw_fetch_join(struct gw_fetch *fetch, struct gw_reader *reader);
/* reader->fetch may be NULL. */
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

/* Will the answer be stored, as far as is known? */
bool gw_fetch_is_collecting(const struct gw_fetch *fetch);
/* Is the answer being stored, and may it still outgrow cache.max_object_bytes, since its length is not known? */
bool gw_fetch_may_outgrow(const struct gw_fetch *fetch);
/* While gw_fetch_is_collecting: what the head says of its life. Else NULL. */
const struct gw_cache_life *gw_fetch_life(const struct gw_fetch *fetch);

#endif
