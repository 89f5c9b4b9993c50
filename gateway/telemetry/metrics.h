/* metrics.h: the metrics for Prometheus: one shard of relaxed counters for each worker; a page adds the shards up.
 *
 * Data     Each family is a row of the table in metrics_page.c: name, type, source, help. All series are allocated when
 *          the configuration is loaded: route x method (unknown: _OTHER) x status class.
 * Counting gw_metrics_record counts everything that is in a request's record: requests, their classes and durations,
 *          cache[], limit[], request_errors[]. The worker's code counts everything else in a shard where it happens.
 * Threads  Only its worker writes a shard; gw_metrics_put reads all shards from any thread.
 * Cost     Recording a request is an index and a dozen relaxed additions. A series has 256 bytes, which take memory
 *          when they are first counted: about 15 KiB of address space for a route and worker. */
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

/* Why a response was not stored, or the cache was not asked. X(NAME, label of metrics, word (a token of RFC 8941) for
 * Cache-Status, access log and inspection, sentence about the last answer). cache/policy.h makes gw_cache_refusal of
 * the same list. */
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
    GW_NOT_STORED_LABEL_NONE, /* the answer may be stored; never counted */
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

/* The calls to Redis, by their purpose; gw_redis_result is their result. */
enum gw_redis_label {
    GW_REDIS_LABEL_LIMIT,      /* the bucket script */
    GW_REDIS_LABEL_STORE,      /* the script that stores a response */
    GW_REDIS_LABEL_PURGE,      /* the script that keeps the ban log */
    GW_REDIS_LABEL_FETCH_LOCK, /* the script that takes, keeps and leaves the lock of a fetch */
    GW_REDIS_LABEL_GET,
    GW_REDIS_LABEL_SET, /* or a deletion */
    GW_REDIS_LABEL_COUNT
};
const char *gw_redis_label_name(enum gw_redis_label label); /* "limit" */

enum gw_redis_result {
    GW_REDIS_RESULT_OK,
    GW_REDIS_RESULT_ERROR,   /* an error reply, or one that makes no sense */
    GW_REDIS_RESULT_OOM,     /* Redis refused it for lack of memory */
    GW_REDIS_RESULT_LOST,    /* the connection ended before the answer */
    GW_REDIS_RESULT_SKIPPED, /* not asked: breaker open, no connection, or too many pending */
    GW_REDIS_RESULT_COUNT
};
const char *gw_redis_result_name(enum gw_redis_result result); /* "ok" */

enum gw_log_loss {                          /* why a line of the access log was dropped */
                   GW_LOG_LOSS_SLOW,        /* the reader is too slow, or the line is too long */
                   GW_LOG_LOSS_DISK_FULL,   /* also a quota, or the limit of a file's size */
                   GW_LOG_LOSS_READER_GONE, /* the other end of the pipe or socket is closed */
                   GW_LOG_LOSS_ERROR,       /* any other error */
                   GW_LOG_LOSS_COUNT
};

struct gw_metrics; /* all shards */

/* The counters of one worker. They are public, so that counting is one gw_counter_add. */
struct gw_shard {
    gw_counter connections_accepted, connections_open, connections_refused, connections_idle;
    gw_counter accept_waits; /* how often the worker stopped accepting because no descriptor was left */
    gw_counter requests_in_flight;
    gw_counter unexpected_events;          /* for which the state of an exchange, look-up or connection has no move */
    gw_counter bytes_received, bytes_sent; /* from and to clients, heads and bodies */
    gw_counter upstream_connections_open, upstream_connections_idle;
    gw_counter upstream_connects, upstream_reuses, upstream_retries;
    gw_counter upstream_errors[GW_ERROR_COUNT];
    gw_counter cache_bytes_saved; /* of bodies that were sent without a fetch for them */
    gw_counter cache_stored, cache_not_stored[GW_NOT_STORED_LABEL_COUNT];
    gw_counter cache_memory_hits, cache_redis_hits; /* hits in the memory cache; hits in Redis */
    gw_counter cache_revalidations_confirmed, cache_revalidations_replaced, cache_revalidations_failed;
    gw_counter cache_background_refreshes, cache_stale_on_error;
    gw_counter cache_collapsed,
        cache_collapsed_instances;       /* answered by a fetch of this process; of another instance */
    gw_counter cache_bans, cache_purges; /* by prefix, tag or all; of one URL */
    gw_counter cache_corrupt, cache_stores_raced, cache_invalidations_lost; /* in Redis; see metrics_page.c */
    gw_counter redis_calls[GW_REDIS_LABEL_COUNT][GW_REDIS_RESULT_COUNT];
    gw_counter redis_connects, redis_pending, redis_noscript;
    struct gw_histogram redis_duration; /* in tenths of µs, so that the steps are ten times finer than a request's */
    gw_counter log_lines_dropped[GW_LOG_LOSS_COUNT];
    gw_counter loop_lag_us; /* of the last loop turn that was measured */

    /* only gw_metrics_record counts these */
    gw_counter requests_success, requests_failed[GW_CAUSE_COUNT], admin_requests; /* failed: by cause */
    gw_counter request_errors[GW_ERROR_COUNT]; /* errors with which the gateway itself answered or cut a request */
    gw_counter cache[GW_CACHE_LABEL_COUNT];
    gw_counter limit[GW_LIMIT_LABEL_COUNT], limit_local;

    struct gw_metrics *metrics;
    struct gw_series *series; /* route x method x class */
};

struct gw_request_record { /* all about one request for metrics and the access log */
    /* times */
    uint64_t began_at_us, ended_at_us; /* monotonic */
    int64_t began_wall_us;
    /* facts */
    struct gw_slice request_id, client, method_text, target, version; /* borrowed; version such as "HTTP/1.1" */
    struct gw_slice user_agent;
    const struct gw_route *route; /* NULL: answered before a route was found, or by /gateway/ */
    enum gw_method method;
    int status;                          /* 0: nothing was sent */
    uint64_t bytes_received, bytes_sent; /* bodies */
    struct gw_slice upstream;            /* "http://host:port"; absent where no backend was asked */
    uint64_t upstream_us;                /* from the request sent until the head of the answer; 0 without a head */
    bool has_upstream;
    enum gw_cache_label cache;
    enum gw_not_stored_label not_stored; /* why the answer was not stored, or the cache not asked */
    enum gw_limit_label limit;
    uint64_t limit_remaining;
    enum gw_error error; /* GW_ERROR_NONE */
    bool is_admin;       /* a request to /gateway/: logged at debug only, and not counted as traffic */
};

/* Makes a shard for each of `workers`, with series for the configuration's routes, whose names are copied. NULL when
 * memory is out. */
struct gw_metrics *gw_metrics_create(const struct gw_config *config, unsigned workers, uint64_t now_us) GW_MUST_CHECK;
void gw_metrics_destroy(struct gw_metrics **metrics);
struct gw_shard *gw_metrics_shard(struct gw_metrics *metrics, unsigned worker);
/* To be called by the shard's worker at the end of each request.
 * A request has failed if nothing was sent, if the status is 500 or more, or if an answer with a status below 400 was
 * cut (an error came after the status was sent). It counts by the cause of its error; without an error, its cause is
 * the backend that sent the status. All other requests are a success: a client's mistake or a refusal by a limit is no
 * failure of this service, even if its body was cut. */
void gw_metrics_record(struct gw_shard *shard, const struct gw_request_record *record);

struct gw_metrics_totals {
    uint64_t requests, success, errors; /* without requests to /gateway/ */
    uint64_t bytes;                     /* from and to clients */
    uint64_t connections_open, in_flight, hits, misses, stores, limit_allowed, limit_refused;
    uint64_t uptime_us;
};
void gw_metrics_read_totals(struct gw_metrics *metrics, uint64_t now_us, struct gw_metrics_totals *totals);

struct gw_metrics_backend { /* one backend; each url once */
    struct gw_slice url;
    int up; /* 1 or 0; -1: unknown */
    uint64_t requests, failures;
};

struct gw_metrics_redis { /* one Redis */
    struct gw_slice url;  /* masked */
    uint64_t up;          /* 0: the breaker is open */
    uint64_t openings;
};

/* The present numbers of other modules; zero where there is no such module. */
struct gw_metrics_gauges {
    uint64_t cache_entries, cache_bytes, cache_evictions, limiter_clients;
    const struct gw_metrics_backend *backends; /* borrowed */
    unsigned backend_count;
    const struct gw_metrics_redis *redis; /* borrowed */
    unsigned redis_count;
    uint64_t instances; /* live instances that share the Redis, with this one */
};
/* Writes the page in text format 0.0.4, valid by `promtool check metrics`. */
void gw_metrics_put(struct gw_metrics *metrics, const struct gw_metrics_gauges *gauges, uint64_t now_us,
                    struct gw_buffer *page);

#endif
