/* metrics.h: what Prometheus is told. One shard a worker, relaxed counters, summed when asked.
 *
 * Data     Families are rows (the table in metrics_page.c: name, type, source, help). Every series is allocated when
 *          the configuration is loaded, never per request: route x method (unknown: _OTHER) x status class.
 * Who      gw_metrics_record counts what a request's record tells: requests, their classes and durations, cache[],
 *          limit[], request_errors[]. All else in a shard is counted by the worker's code where it happens.
 * Threads  A shard is written by its worker only; gw_metrics_put reads all from any thread.
 * Cost     Recording a request is an index and a dozen relaxed adds. A series is 256 bytes, touched when first counted:
 *          about 15 KiB of address space a route and worker. */
#ifndef GW_TELEMETRY_METRICS_H
#define GW_TELEMETRY_METRICS_H

#include "base/buffer.h"
#include "base/counter.h"
#include "base/error.h"
#include "config/config.h"
#include "http/head.h"
#include "telemetry/histogram.h"

enum gw_cache_label {
    GW_CACHE_LABEL_NONE,
    GW_CACHE_LABEL_HIT,
    GW_CACHE_LABEL_MISS,
    GW_CACHE_LABEL_STALE,
    GW_CACHE_LABEL_BYPASS,
    GW_CACHE_LABEL_REVALIDATED,
    GW_CACHE_LABEL_COUNT
};
const char *gw_cache_label_name(enum gw_cache_label label); /* "hit"; NONE: "none" */

/* Why a response was not stored, or the cache not asked. X(NAME, the label of metrics, the word of Cache-Status (a token of
 * RFC 8941), of the access log and of inspection, a sentence about the last answer): cache/policy.h makes its
 * gw_cache_refusal of the same list. */
/* clang-format off */
#define GW_NOT_STORED_REASONS(X) \
    X(REQUEST_FORBIDS, "request_forbids", "request", "the request was none whose answer is stored") \
    X(METHOD, "method", "method", "the method was not GET") \
    X(RULE, "rule", "rule", "a rule of cache.bypass_… leads past the cache") \
    X(METHOD_OVERRIDE, "method_override", "method-override", "the request named another method than its own on the side") \
    X(PRECONDITION, "precondition", "precondition", "If-Match or If-Unmodified-Since is the backend's to judge") \
    X(REQUEST_NO_STORE, "request_no_store", "request-no-store", "the request said no-store") \
    X(RANGE, "range", "range", "the request asked for a part") \
    X(STATUS, "status", "status", "its status is never stored") \
    X(NO_FRESHNESS, "no_freshness", "no-freshness", "it stated no freshness, and none is assumed for it") \
    X(NO_STORE, "no_store", "no-store", "it said no-store") \
    X(PRIVATE, "private", "private", "it said private") \
    X(AUTHORIZATION, "authorization", "authorization", "the request had Authorization, and the answer did not say that it may be shared") \
    X(SET_COOKIE, "set_cookie", "set-cookie", "it set a cookie") \
    X(VARY, "vary", "vary", "its Vary has no end that could be stored") \
    X(VARY_ANY, "vary_any", "vary-any", "it said Vary: *") \
    X(VARY_OWN, "vary_own", "vary-own", "its Vary names a field that this gateway writes itself") \
    X(STALE, "stale", "stale", "it was not fresh, and had no validator") \
    X(CREDENTIAL, "credential", "credential", "it stated no freshness, and the request carried a credential") \
    X(PARTIAL, "partial", "partial", "it was a part (206)") \
    X(TOO_LARGE, "too_large", "too-large", "it was larger than cache.max_object_bytes") \
    X(ENDLESS, "endless", "event-stream", "it was a stream of events") \
    X(NO_ROOM, "no_room", "no-room", "too many answers were being stored at once") \
    X(UNPARSABLE, "unparsable", "unparsable", "its Cache-Control is no list of directives, and states no freshness")
/* clang-format on */

enum gw_not_stored_label {
    GW_NOT_STORED_LABEL_NONE, /* it may be stored: never counted */
#define GW_NOT_STORED_ENUM(NAME, label, word, sentence) GW_NOT_STORED_LABEL_##NAME,
    GW_NOT_STORED_REASONS(GW_NOT_STORED_ENUM)
#undef GW_NOT_STORED_ENUM
        GW_NOT_STORED_LABEL_COUNT
};
const char *gw_not_stored_label_name(enum gw_not_stored_label label); /* "no_store"; NONE: "storable" */
const char *gw_not_stored_word(enum gw_not_stored_label label);       /* "no-store"; NONE: NULL */
const char *gw_not_stored_sentence(enum gw_not_stored_label label);   /* NONE: "it was stored" */

enum gw_limit_label {
    GW_LIMIT_LABEL_NONE,
    GW_LIMIT_LABEL_ALLOWED,
    GW_LIMIT_LABEL_REFUSED,
    GW_LIMIT_LABEL_SHADOW_REFUSED,
    GW_LIMIT_LABEL_UNKNOWN,
    GW_LIMIT_LABEL_COUNT
};
const char *gw_limit_label_name(enum gw_limit_label label); /* "allowed"; NONE: "none" */

/* What Redis is asked for, and what came of it. */
enum gw_redis_label {
    GW_REDIS_LABEL_LIMIT, /* the bucket script */
    GW_REDIS_LABEL_STORE, /* the script that stores a response */
    GW_REDIS_LABEL_PURGE, /* the script that keeps the log of bans */
    GW_REDIS_LABEL_LEASE, /* the script that takes, keeps and leaves the lock of a fetch */
    GW_REDIS_LABEL_GET,
    GW_REDIS_LABEL_SET, /* or a deletion */
    GW_REDIS_LABEL_COUNT
};
const char *gw_redis_label_name(enum gw_redis_label label); /* "limit" */

enum gw_redis_result {
    GW_REDIS_RESULT_OK,
    GW_REDIS_RESULT_ERROR,   /* an error reply, or one that makes no sense here */
    GW_REDIS_RESULT_OOM,     /* refused for want of memory */
    GW_REDIS_RESULT_LOST,    /* the connection ended before the answer */
    GW_REDIS_RESULT_SKIPPED, /* not asked: breaker open, no connection, or too many pending */
    GW_REDIS_RESULT_COUNT
};
const char *gw_redis_result_name(enum gw_redis_result result); /* "ok" */

enum gw_log_loss {                          /* why a line of the access log was dropped */
                   GW_LOG_LOSS_SLOW,        /* its reader does not take it, or it is too long */
                   GW_LOG_LOSS_DISK_FULL,   /* or a quota, or the limit of a file's size */
                   GW_LOG_LOSS_READER_GONE, /* a pipe or socket whose other end is closed */
                   GW_LOG_LOSS_ERROR,       /* any other */
                   GW_LOG_LOSS_COUNT
};

struct gw_metrics; /* all shards */

/* One worker's plain counters: public, so that whoever counts does so with one gw_counter_add. */
struct gw_shard {
    gw_counter connections_accepted, connections_open, connections_refused, connections_idle;
    gw_counter accept_waits; /* how often the worker stopped accepting: no descriptor was left */
    gw_counter requests_in_flight;
    gw_counter unexpected_events;          /* that found an exchange in a state without a move by them */
    gw_counter bytes_received, bytes_sent; /* downstream, bodies and heads */
    gw_counter upstream_connections_open, upstream_connections_idle;
    gw_counter upstream_connects, upstream_reuses, upstream_retries;
    gw_counter upstream_errors[GW_ERROR_COUNT];
    gw_counter cache_bytes_saved; /* of bodies sent that were not fetched for it */
    gw_counter cache_stored, cache_not_stored[GW_NOT_STORED_LABEL_COUNT];
    gw_counter cache_near_hits, cache_shared_hits; /* where what answered a request was found; shared: in Redis */
    gw_counter cache_revalidations_confirmed, cache_revalidations_replaced, cache_revalidations_failed;
    gw_counter cache_background_refreshes, cache_stale_on_error;
    gw_counter cache_collapsed, cache_collapsed_instances; /* answered by a fetch of this process; of another one */
    gw_counter cache_bans, cache_purges;                   /* by prefix, tag or all; of one URL */
    gw_counter cache_corrupt, cache_stores_raced, cache_invalidations_lost; /* in Redis; see metrics_page.c */
    gw_counter redis_calls[GW_REDIS_LABEL_COUNT][GW_REDIS_RESULT_COUNT];
    gw_counter redis_connects, redis_pending, redis_noscript;
    struct gw_histogram redis_duration; /* in tenths of µs: ten times finer steps than a request's */
    gw_counter log_lines_dropped[GW_LOG_LOSS_COUNT];
    gw_counter loop_lag_us; /* of the last turn that was measured */

    /* by gw_metrics_record, nobody else */
    gw_counter requests_success, requests_failed[GW_CAUSE_COUNT], admin_requests; /* failed: by who caused it */
    gw_counter request_errors[GW_ERROR_COUNT]; /* errors that the gateway itself answered or cut for */
    gw_counter cache[GW_CACHE_LABEL_COUNT];
    gw_counter limit[GW_LIMIT_LABEL_COUNT], limit_local;

    struct gw_metrics *metrics;
    struct gw_series *series; /* route x method x class */
};

struct gw_request_record { /* what one request was, for metrics and the access log */
    /* when */
    uint64_t began_at_us, ended_at_us; /* monotonic */
    int64_t began_wall_us;
    /* what */
    struct gw_slice request_id, client, method_text, target, version; /* borrowed; version as "HTTP/1.1" */
    struct gw_slice user_agent, referer_host;
    const struct gw_route *route; /* NULL: answered before a route was found, or by /gateway/ */
    enum gw_method method;
    int status;                          /* 0: nothing was sent */
    uint64_t bytes_received, bytes_sent; /* bodies */
    struct gw_slice upstream;            /* "http://host:port", absent if none was asked */
    uint64_t upstream_us;                /* request sent until the head; 0 if none */
    bool has_upstream;
    enum gw_cache_label cache;
    enum gw_not_stored_label not_stored; /* of the answer, or why the cache was not asked */
    enum gw_limit_label limit;
    uint64_t limit_remaining;
    enum gw_error error; /* GW_ERROR_NONE */
    bool is_admin;       /* /gateway/: logged at debug only, not counted as traffic */
};

/* A shard for each of `workers`; routes of this configuration, whose names are copied. NULL when memory is out. */
struct gw_metrics *gw_metrics_create(const struct gw_config *config, unsigned workers, uint64_t now_us) GW_MUST_CHECK;
void gw_metrics_destroy(struct gw_metrics **metrics);
struct gw_shard *gw_metrics_shard(struct gw_metrics *metrics, unsigned worker);
/* By the shard's worker, once a request, at its end.
 * An error is: nothing was sent; or a status of 500 and above; or an answer below 400 that was cut (an error after its
 * status was out). Who caused it is the error's cause; without an error, the backend whose status it is. All else is a success: a client's own mistake, a refusal by a limit, also one whose body was cut, is
 * no failure of this service. */
void gw_metrics_record(struct gw_shard *shard, const struct gw_request_record *record);

struct gw_metrics_totals {
    uint64_t requests, success, errors; /* traffic: without /gateway/ */
    uint64_t bytes;                     /* received and sent, downstream */
    uint64_t connections_open, in_flight, hits, misses, stores, limit_allowed, limit_refused;
    uint64_t uptime_us;
};
void gw_metrics_read_totals(struct gw_metrics *metrics, uint64_t now_us, struct gw_metrics_totals *totals);

struct gw_metrics_backend { /* one address; each url once */
    struct gw_slice url;
    int up; /* 1, 0, -1 unknown */
    uint64_t requests, failures;
};

struct gw_metrics_redis { /* one node */
    struct gw_slice url;  /* masked */
    uint64_t up;          /* 0: the breaker is open */
    uint64_t openings;
};

/* What other modules know at the moment of asking; zero where there is none. */
struct gw_metrics_gauges {
    uint64_t cache_entries, cache_bytes, cache_evictions, limiter_clients;
    const struct gw_metrics_backend *backends; /* borrowed */
    unsigned backend_count;
    const struct gw_metrics_redis *redis; /* borrowed */
    unsigned redis_count;
    uint64_t instances; /* live ones that share this Redis, this one included */
};
/* The page, text format 0.0.4, valid by `promtool check metrics`. */
void gw_metrics_put(struct gw_metrics *metrics, const struct gw_metrics_gauges *gauges, uint64_t now_us,
                    struct gw_buffer *page);

#endif
