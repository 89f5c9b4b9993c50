/* exchange.h: one request and its response: the state machine of the product.
 *
 *   request head complete
 *          │
 *          ▼     another worker fetches the same key, or questions are out
 *      DECIDING ◄───────────────────────────► WAITING    What holds
 *       │     │ all filters passed                         DECIDING   nothing sent, no upstream; the arena owns everything
 *       │     ▼                                            WAITING    dropping the questions and the look-up is enough
 *       │  FETCHING ─┬► HOLDING                            FETCHING   reads one fetch, which retries by itself; nothing final sent
 *       │     │      │     │ all that came with the head   HOLDING    the head is there; what came with it is read, within one event
 *       │     │      └► SETTLING                           SETTLING   the head is there and held until its tombstone is
 *       │     │            │ an unsafe method succeeded    ANSWERING  the status is out: an error can only cut
 *  answered   │ 502/503/504, ▼ head from upstream          RECORDING  both bodies ended; no callback can arrive any more
 *   here│     ▼ or what is stored                          DONE       the connection may use it again
 *       └► ANSWERING   client slow ⇒ upstream paused
 *             │ last byte, or cut                          GONE (a side vanished, a deadline, the drain ended) leads from every
 *             ▼                                            state before RECORDING to RECORDING.
 *         RECORDING ──► DONE
 *
 * Only a row of the table moves an exchange. A row's action is the last thing that the event does: it may end the exchange,
 * so that nothing touches it afterwards. An event without a row is a mistake of this program: it is counted and logged, and
 * the exchange is cut.
 *
 * The request's body is a second, small table, since these states follow the response: NONE, HELD (the transport does not
 * want it yet), FLOWING, DISCARDING (a final answer came first), ENDED.
 *
 * Threads  One worker's, for life.
 * Memory   Everything lies in the exchange or its arena; fetch, entry and blocks are shared by count and dropped on
 *          recording. */
#ifndef GW_EXCHANGE_EXCHANGE_H
#define GW_EXCHANGE_EXCHANGE_H

#include "base/address.h"
#include "base/check.h"
#include "cache/redis_cache.h"
#include "config/config.h"
#include "exchange/downstream.h"
#include "exchange/filter.h"
#include "exchange/invalidation.h"
#include "cache/lookup.h"
#include "fetch/fetch.h"
#include "limit/question.h"
#include "telemetry/access_log.h"

/* clang-format off */
#define GW_EXCHANGE_MOVES(X) \
    /* in          when          then        by */ \
    X(DECIDING,    PASSED,       FETCHING,   start_fetch) \
    X(DECIDING,    SUSPENDED,    WAITING,    wait) \
    X(DECIDING,    ANSWERED,     ANSWERING,  answer_here) \
    X(DECIDING,    GONE,         RECORDING,  record) \
    X(WAITING,     PASSED,       FETCHING,   start_fetch) \
    X(WAITING,     RESUMED,      DECIDING,   decide_again) \
    X(WAITING,     ANSWERED,     ANSWERING,  answer_here) \
    X(WAITING,     GONE,         RECORDING,  record) \
    X(FETCHING,    HEAD,         HOLDING,    hold) \
    X(FETCHING,    ANSWERED,     ANSWERING,  answer_here) \
    X(FETCHING,    RELEASED,     DECIDING,   go_on) \
    X(FETCHING,    INVALIDATES,  SETTLING,   settle) \
    X(FETCHING,    GONE,         RECORDING,  record) \
    X(HOLDING,     FLUSHED,      ANSWERING,  answer_fetched) \
    X(HOLDING,     ANSWERED,     ANSWERING,  answer_here) \
    X(HOLDING,     GONE,         RECORDING,  record) \
    X(SETTLING,    SETTLED,      ANSWERING,  answer_fetched) \
    X(SETTLING,    ANSWERED,     ANSWERING,  answer_here) \
    X(SETTLING,    GONE,         RECORDING,  record) \
    X(ANSWERING,   FINISHED,     RECORDING,  record) \
    X(ANSWERING,   GONE,         RECORDING,  record) \
    X(RECORDING,   RECORDED,     DONE,       give_back) \
    X(DONE,        BEGUN,        DECIDING,   decide)
/* clang-format on */

enum gw_exchange_state {
    GW_EXCHANGE_DONE,
    GW_EXCHANGE_DECIDING,
    GW_EXCHANGE_WAITING,
    GW_EXCHANGE_FETCHING,
    GW_EXCHANGE_HOLDING,
    GW_EXCHANGE_SETTLING,
    GW_EXCHANGE_ANSWERING,
    GW_EXCHANGE_RECORDING,
    GW_EXCHANGE_STATES
};

enum gw_exchange_event {
    GW_EXCHANGE_BEGUN,
    GW_EXCHANGE_PASSED,
    GW_EXCHANGE_SUSPENDED,
    GW_EXCHANGE_RESUMED,
    GW_EXCHANGE_ANSWERED,
    GW_EXCHANGE_HEAD,
    GW_EXCHANGE_FLUSHED,
    GW_EXCHANGE_RELEASED,
    GW_EXCHANGE_INVALIDATES,
    GW_EXCHANGE_SETTLED,
    GW_EXCHANGE_FINISHED,
    GW_EXCHANGE_GONE,
    GW_EXCHANGE_RECORDED,
    GW_EXCHANGE_EVENTS
};

enum gw_body_state { GW_BODY_NONE, GW_BODY_HELD, GW_BODY_FLOWING, GW_BODY_DISCARDING, GW_BODY_ENDED };

struct gw_worker_context;

/* Why a request was forwarded (RFC 9211 §2.2). */
enum gw_forwarded {
    GW_FORWARDED_NOT,
    GW_FORWARDED_BYPASS,
    GW_FORWARDED_METHOD,
    GW_FORWARDED_URI_MISS,
    GW_FORWARDED_VARY_MISS,
    GW_FORWARDED_REQUEST, /* the request did not allow what is stored */
    GW_FORWARDED_STALE,
};

/* What the cache has of this answer. */
enum gw_cache_kept {
    GW_CACHE_KEPT_NOT,
    GW_CACHE_KEPT_BEFORE,  /* it is the answer that was stored before: ttl_s is told */
    GW_CACHE_KEPT_NOW,     /* it is stored while it passes */
    GW_CACHE_KEPT_PERHAPS, /* the same, but its length is not known: "stored" would be a promise */
};

struct gw_cache_report { /* for X-Cache, Age, Cache-Status, metrics and log */
    enum gw_cache_label label;
    enum gw_forwarded forwarded;
    int forwarded_status; /* 0: none came, or the response's own */
    enum gw_cache_kept kept;
    bool is_collapsed;
    enum gw_cache_refusal refusal; /* why not stored, or not asked; STORABLE: it is, or it is a hit */
    uint64_t age_s;                /* of the entry that answers */
    int64_t ttl_s;                 /* KEPT_BEFORE: what is left of its freshness; negative: stale since */
};

/* The response. Filters read and set the first fields; answer.c makes messages of it. */
struct gw_answer {
    int status;                    /* 0: there is none yet */
    enum gw_error told_error;      /* the error that it was made for; NONE: for none */
    enum gw_error ended_by;        /* what ended it before all of it had come; NONE: nothing */
    const struct gw_head *head;    /* the backend's, or the entry's; NULL: it is made here */
    const bool *left_out;          /* by field name: what of the head this answer does not carry; NULL: nothing */
    struct gw_buffer fields;       /* "Name: value\r\n"... that filters added */
    bool is_slow;                  /* the client has not taken all that was given to the downstream */
    bool is_whole;                 /* every byte was given to the downstream */
    bool is_cut;                   /* it will never be whole */
    bool is_part;                  /* of the whole that arrives: */
    bool is_for_all;               /* the whole that arrives is being stored: it is not this client's alone */
    bool is_read;                  /* the fetch is read to its end */
    uint64_t part_skip, part_left; /* bytes before the part, and of it, that are still to come */
    uint64_t body_sent;
    struct gw_downstream_head message;
    /* Of an answer that is made here: */
    struct gw_slice content_type, content;
    struct gw_block *content_block; /* behind content, held; NULL: content is in the arena, or static */
};

/* How the request came, in words of no version of HTTP. The downstream sets it before gw_exchange_begin or _refuse. */
struct gw_arrival {
    struct gw_slice protocol; /* "HTTP/1.1": for the log and for Via */
    bool has_body;            /* also of 0 bytes, where the client tells that length */
    bool has_length;          /* the client tells it */
    uint64_t length;          /* of the body, if it is told; else 0 */
};

/* Which client the request comes from. The downstream sets the first two fields, the filter `identify` the rest. */
struct gw_identity {
    struct gw_address peer;
    bool on_admin_port;
    bool peer_is_trusted;
    bool overrides_method; /* by a trusted peer's X-HTTP-Method-Override and the like: the cache is not asked */
    struct gw_address client;
    struct gw_slice client_text; /* the client's address; in exchange->texts */
    struct gw_slice request_id;
    struct gw_slice scheme, host; /* as the backend is told: X-Forwarded-Proto, and Host or X-Forwarded-Host */
};

/* The request's body. */
struct gw_request_body {
    enum gw_body_state state;
    bool is_continue_told; /* 100 went out */
    uint64_t received_bytes;
};

/* What the request is for, as the configuration reads it. */
struct gw_target {
    const struct gw_route *route; /* NULL: a page of the gateway's own, or a request that could not be read */
    struct gw_slice plain_path, literal_path; /* what routes, limits and bypass rules are matched with (base/path.h) */
    struct gw_slice keyed_query;              /* as it is in the key */
};

/* How far the filters are. */
struct gw_deciding {
    enum gw_error fault;              /* of the request, found before a filter was asked: the first filter answers it */
    bool is_fetch_allowed;            /* before_fetch was asked */
    bool is_admin;                    /* it is for the gateway itself */
    const struct gw_filter *taken_by; /* NULL: all filters are asked */
};

struct gw_timing {
    uint64_t began_at_us;  /* CLOCK_MONOTONIC */
    int64_t began_wall_us; /* since 1970 */
};

/* An asker is a filter, by its place in the table, or the exchange itself with its look-up of the cache. */
enum { GW_ASKER_LOOK_UP = GW_FILTERS_MOST, GW_ASKERS };

struct gw_questions {
    unsigned out;               /* a bit an asker; at none, or at their deadlines, the exchange goes on */
    unsigned timed;             /* of those, whose due_us is set */
    uint64_t next_due_us;       /* the first of them, which the timer runs for */
    uint64_t due_us[GW_ASKERS]; /* by asker, CLOCK_MONOTONIC */
};

/* What came of the body of a fetch whose head is not told yet (HOLDING, SETTLING). */
enum { GW_EARLY_PIECES = 12 };
struct gw_early {
    unsigned count;
    struct gw_piece pieces[GW_EARLY_PIECES]; /* each keeps its block */
};

enum { GW_EXCHANGE_MAGIC = 0x45584348 }; /* EXCH: from gw_exchange_take to gw_exchange_put */

/* Groups of fields. gw_exchange_take assigns each of the first ones as a value. The groups behind them are empty when an
 * exchange has ended (gw_exchange_check) or are written before they are read, so that their arrays are not zeroed for
 * each request; of `reader` and `limit` it resets what the log reads of every request. */
struct gw_exchange {
    /* as long as its memory is used */
    struct gw_worker_context *context;
    struct gw_arena arena;

    /* new for each request */
    struct gw_magic magic;
    enum gw_exchange_state state;
    struct gw_downstream *downstream;
    const struct gw_config *config;
    struct gw_request_body body;
    struct gw_deciding deciding;
    struct gw_timing timing;
    struct gw_target target;
    struct gw_arrival arrival;
    struct gw_identity identity;
    struct gw_cache_request cache;
    struct gw_cache_report report;
    struct gw_answer answer;
    struct gw_head request;

    /* not reset as a whole */
    struct gw_entry *entry; /* the answer; held */
    struct gw_timer timer;  /* for answers to questions; while it reads another's fetch; SETTLING: for tombstones */
    unsigned slots_taken;   /* a bit a filter (filter.h); zeroed with the slots */
    struct gw_questions questions;
    struct gw_reader reader;
    struct gw_lookup lookup; /* IDLE: the cache is not asked. Its lead is the fetch's once that has begun, but for what
                                is stored, which is to be confirmed or stands in for a failing backend */
    struct gw_cache_key key; /* written with the look-up */
    struct gw_limit_decision limit;
    struct gw_early early;
    struct gw_invalidation invalidation; /* SETTLING: of the target, Location and Content-Location */
    struct {                             /* behind identity */
        char request_id[33], client[GW_ADDRESS_TEXT_BYTES];
    } texts;
};

/* For a downstream whose next request begins to arrive. It fills exchange->request in exchange->arena, then arrival and
 * the first fields of identity. NULL without memory. */
struct gw_exchange *gw_exchange_take(struct gw_worker_context *context, struct gw_downstream *downstream) GW_MUST_CHECK;
/* After done, or before gw_exchange_begin. */
void gw_exchange_put(struct gw_exchange *exchange);

/* The request's head is complete and valid. May end the exchange before it returns. */
void gw_exchange_begin(struct gw_exchange *exchange);
/* No request can be read here: answer the error and close. May end the exchange before it returns. */
void gw_exchange_refuse(struct gw_exchange *exchange, enum gw_error error);
/* A piece of the request's body. False: no more until want_body. */
bool gw_exchange_on_body(struct gw_exchange *exchange, struct gw_slice bytes, struct gw_block *block);
void gw_exchange_on_body_end(struct gw_exchange *exchange);
/* The body of a request with Expect: 100-continue is coming already: the backend need not be asked for a 100 (RFC 9110
 * §10.1.1). */
void gw_exchange_on_body_there(struct gw_exchange *exchange);
/* The body cannot be read to its end (malformed, late, too large): the error is answered if no status is out, else
 * the exchange is cut. */
void gw_exchange_on_body_broken(struct gw_exchange *exchange, enum gw_error error);
void gw_exchange_on_writable(struct gw_exchange *exchange);
/* The client vanished, or the drain's time is over. Ends the exchange before it returns. */
void gw_exchange_on_gone(struct gw_exchange *exchange, enum gw_error error);

/* ---- for filters ---- */

/* The answer is made here; content is borrowed until the exchange ends (static, or in the arena). Made from
 * on_request, on_answers or before_fetch, which then return GW_FILTER_ANSWERED. */
void gw_exchange_answer(struct gw_exchange *exchange, int status, struct gw_slice content_type,
                        struct gw_slice content);
/* The same as problem+json (RFC 9457) for an error; sets answer.told_error. */
void gw_exchange_answer_error(struct gw_exchange *exchange, enum gw_error error);
/* Adds a field to the response, whole (http/writer.h): if memory is out, the whole response becomes a 503. Fields
 * whose value is put together piece by piece go into answer.fields by gw_writer_begin. */
void gw_exchange_add_field(struct gw_exchange *exchange, struct gw_slice name, struct gw_slice value);

/* What configuration and route say of storing. */
struct gw_cache_rules gw_exchange_cache_rules(const struct gw_worker_context *context, const struct gw_route *route);
/* The key of a GET for this path and query, by the route's rules about queries; the query as it is keyed, in the
 * arena. */
struct gw_slice gw_exchange_make_key(struct gw_worker_context *context, struct gw_arena *arena,
                                     const struct gw_route *route, struct gw_slice path, struct gw_slice query,
                                     struct gw_slice scheme, struct gw_slice host, struct gw_cache_key *key);
/* The cache is asked by key, cache and request: may fill entry. True: a question is out, the exchange's own: the filter
 * continues. */
bool gw_exchange_look_up(struct gw_exchange *exchange);
/* entry is stale: it is refreshed in the background, unless another refresh of it runs already. */
void gw_exchange_refresh(struct gw_exchange *exchange);

/* Checks what holds in each state, at any moment of it: GW_CHECK(gw_exchange_check(exchange)). Returns true. Each move
 * checks before it, and so does each call from outside, where nothing is under way. */
bool gw_exchange_check(const struct gw_exchange *exchange);
const char *gw_exchange_state_name(enum gw_exchange_state state);
const char *gw_exchange_event_name(enum gw_exchange_event event);
/* Next state by the table, or GW_EXCHANGE_STATES if there is no row. */
enum gw_exchange_state gw_exchange_next(enum gw_exchange_state state, enum gw_exchange_event event);

#endif
