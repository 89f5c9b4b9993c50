/* config.h: the whole configuration, as one immutable struct.
 *
 * Shape    Flags, environment, file and defaults are merged once (config/load.h) and checked as a whole before any
 *          port is opened. Networks, matches and forms of keys are derived there, too, so that a request reads fields
 *          and parses nothing.
 * Threads  Immutable once published. It has a count of references: an exchange and a fetch keep the configuration that
 *          they began with; a reload swaps the pointer.
 * Memory   Everything in it lies in its own arena. The last gw_config_unref frees it. */
#ifndef GW_CONFIG_CONFIG_H
#define GW_CONFIG_CONFIG_H

#include <stdatomic.h>
#include "base/address.h"
#include "base/arena.h"
#include "base/error.h"
#include "base/log.h"
#include "base/names.h"

struct gw_strings {
    struct gw_slice *items; /* each followed by a NUL */
    unsigned count;
};

/* Tells which requests match: everything that is set must hold. */
struct gw_match {
    /* A prefix of whole segments: "/api" matches /api and /api/x, but not /apix; empty: any. In plain form, like the
     * paths that are compared with it (base/path.h). */
    struct gw_slice path;
    struct gw_slice host;      /* without port, lower case; "*.example.org" allowed; empty: any */
    struct gw_strings methods; /* empty: any */
};

/* Does a backend get the Host that the client asked for (YES), or its own (NO)? AUTO: the client's for http://, its own
 * for https://. */
enum gw_preserve_host { GW_PRESERVE_HOST_NO, GW_PRESERVE_HOST_YES, GW_PRESERVE_HOST_AUTO };

enum gw_transport_kind { GW_TRANSPORT_AUTO, GW_TRANSPORT_H1, GW_TRANSPORT_CURL };

/* One address of a backend: scheme, host, port, path prefix. */
struct gw_backend {
    struct gw_slice url;       /* as written, but without a slash at its end */
    struct gw_slice host;      /* name or literal address, without brackets; with a NUL behind it */
    struct gw_slice authority; /* host[:port], for the field Host */
    struct gw_slice base_path; /* "" or "/prefix" */
    uint16_t port;
    bool is_tls;
    unsigned index; /* 0 … backend_count - 1, over all routes; for registries and metrics */
};

struct gw_route {
    struct gw_slice name; /* "default"; label value and part of cache keys: [a-z0-9_-]{1,32} */
    struct gw_match match;
    struct gw_backend *backends; /* at least one */
    unsigned backend_count;
    bool cache_enabled;
    int64_t default_ttl_s;  /* where the backend gives no lifetime; 0: nothing is stored then */
    int64_t override_ttl_s; /* used instead of the backend's lifetime; -1: not set */
    struct gw_strings cache_bypass_fields, cache_bypass_cookies; /* names; a request that has one bypasses the cache */
    struct gw_strings cache_bypass_paths; /* and so does one below these paths (gw_match_path_holds) */
    struct gw_strings cache_ignore_query; /* parameters that the key leaves out; a '*' at the end stands for any text */
    bool cache_ignores_request;           /* Cache-Control and Pragma of requests do not count */
    bool cache_sort_query;                /* the order of parameters does not change the key */
    struct gw_slice cache_space;          /* "space\nname", for cache keys: what the route's answers depend on */
    unsigned index;
};

enum gw_limit_key { GW_LIMIT_BY_IP, GW_LIMIT_BY_HEADER, GW_LIMIT_BY_ROUTE };
enum gw_limit_failure { GW_LIMIT_FAILS_LOCAL, GW_LIMIT_FAILS_ALLOW, GW_LIMIT_FAILS_DENY };

/* A bucket gets n tokens per period and holds at most `burst`; a request takes `cost`. Refilling the whole burst takes
 * at most a year (docs/limits.md). */
struct gw_limit_policy {
    struct gw_slice name; /* as in RateLimit-Policy: [a-z0-9_-]{1,32} */
    struct gw_match match;
    uint64_t n;                          /* 1 … 1,000,000,000 tokens */
    uint64_t period_us;                  /* for n tokens */
    uint64_t script_n, script_period_us; /* n and period_us without their common divisor, exact in Lua's doubles */
    uint64_t burst;                      /* tokens, >= cost */
    uint64_t cost;                       /* tokens, >= 1 */
    enum gw_limit_key by;
    struct gw_slice header; /* with BY_HEADER: the field's name; a request without this field is counted by IP */
    bool shadow;            /* counts and logs, never refuses */
    bool count_misses_only; /* takes tokens only where a backend is asked */
    enum gw_limit_failure on_redis_failure;
    struct gw_slice rate_text; /* "10/s", as a person wrote it */
    unsigned index;
};

/* One Redis: the parts of its URL. Texts have a NUL behind them. */
struct gw_redis_node {
    struct gw_slice url_masked; /* for people, with "***" instead of user and password */
    struct gw_slice host;       /* name, literal address without brackets, or path of a socket */
    struct gw_slice user;       /* empty: no user, with or without a password */
    struct gw_slice password;   /* empty: no login. Never logged */
    uint16_t port;              /* 0 for a UNIX socket */
    unsigned database;
    bool is_unix, is_tls;
};

struct gw_listen {        /* one address to listen on */
    struct gw_slice host; /* literal address, with a NUL behind it */
    uint16_t port;
};

struct gw_config {
    atomic_uint refs;
    struct gw_arena arena;

    /* server */
    struct gw_listen *listens;
    unsigned listen_count;
    unsigned workers; /* 1 … 256 */
    unsigned backlog;
    unsigned max_connections;             /* of all workers together */
    unsigned max_connections_per_client;  /* 0: no such bound; trusted proxies are not counted */
    unsigned max_requests_per_connection; /* 0: no bound */
    size_t max_request_line_bytes, max_header_bytes;
    unsigned max_header_count;
    uint64_t max_body_bytes;
    unsigned header_timeout_ms, body_timeout_ms, idle_timeout_ms, write_timeout_ms, drain_timeout_ms;
    unsigned linger_timeout_ms, linger_silence_ms;
    unsigned max_lingering; /* connections of all workers together */
    struct gw_network *trusted_proxies;
    unsigned trusted_proxy_count;

    /* admin */
    struct gw_listen *admin_listen; /* NULL: /gateway/ is served on the client ports */
    struct gw_slice admin_token;    /* 16 to 256 bytes; empty: purge and inspection are off. Never logged */

    /* backend */
    struct gw_route *routes; /* the last one matches everything */
    unsigned route_count;
    unsigned backend_count;
    struct gw_backend **backends;     /* by index */
    enum gw_transport_kind transport; /* AUTO: h1 for http://, curl for https:// */
    enum gw_preserve_host preserve_host;
    bool rewrite_location; /* URLs of a backend in an answer become URLs of the host that the client asked for */
    bool forwarded;        /* Forwarded (RFC 7239) is sent, too */
    unsigned connect_timeout_ms, response_timeout_ms, read_timeout_ms;
    unsigned max_backend_connections; /* per worker and backend */
    unsigned keepalive_connections;   /* idle ones that are kept, per worker and backend */
    unsigned keepalive_timeout_ms;    /* how long they are kept; must be shorter than the backend's own time */
    size_t max_response_header_bytes;
    unsigned max_response_headers;
    unsigned retries;             /* further attempts where repeating is safe */
    unsigned continue_timeout_ms; /* Expect: 100-continue: after this time the gateway sends its own 100 */
    struct gw_slice tls_ca_file;  /* empty: the system's authorities */
    bool tls_verify;

    /* limits */
    bool limits_enabled;
    struct gw_limit_policy *policies;
    unsigned policy_count;
    unsigned max_clients;      /* entries of the table, for all policies together */
    unsigned ipv6_prefix_bits; /* 64 */
    bool limit_fields;         /* RateLimit, RateLimit-Policy */
    bool limit_x_fields;       /* X-RateLimit-* */

    /* cache */
    bool cache_enabled;
    size_t near_bytes; /* of the memory cache; 0: there is none (with redis only) */
    size_t max_object_bytes;
    int64_t heuristic_max_s;           /* the longest lifetime that is guessed from Last-Modified; 0: none is guessed */
    int64_t stale_if_error_s;          /* the response's own counts if it is longer */
    int64_t cache_keep_s;              /* how long an answer with a validator is kept after it has become stale */
    bool cache_with_credentials;       /* the default TTL also counts for requests with Cookie and the like */
    struct gw_names credentials;       /* fields with credentials, besides Cookie and Authorization */
    struct gw_strings targeted_fields; /* names (RFC 9213), in the order in which they count */
    bool cache_share_set_cookie;       /* where the response has public or s-maxage */
    bool cache_status_key;             /* key=… in Cache-Status */
    bool flights_over_instances;       /* requests are coalesced over all instances; false: in this process */
    bool fetch_whole_for_range; /* a Range request that misses asks for the whole answer, where that may be stored */
    unsigned flight_wait_ms, hit_for_miss_ms;
    unsigned cache_outage_ttl_ms; /* the lifetime of this instance's fetches while Redis is away */

    /* cors */
    bool cors_enabled;
    bool cors_alone;                /* cors.origins is set: CORS fields of backends do not count */
    struct gw_strings cors_origins; /* "*" or origins; empty: not cors_alone */
    bool cors_any_origin;           /* cors_origins is "*" or empty */
    struct gw_slice cors_methods, cors_headers, cors_exposed; /* values of fields; headers "*": what is asked for */
    bool cors_credentials;
    unsigned cors_max_age_s;

    /* log */
    enum gw_log_level log_level;
    bool log_json;
    struct gw_slice access_log; /* "stdout", "stderr", "off" or a file's path */

    /* redis */
    struct gw_redis_node *redis;       /* NULL: embedded mode */
    struct gw_redis_node *cache_redis; /* NULL: the same as redis */
    unsigned redis_timeout_ms, redis_connect_timeout_ms;
    unsigned redis_max_pending;   /* calls, per worker and node */
    struct gw_slice redis_prefix; /* "gw:"; [A-Za-z0-9:_-]{1,32} */
    unsigned redis_heartbeat_ms;
    unsigned expected_instances;       /* 0: unknown */
    struct gw_slice redis_tls_ca_file; /* empty: the system's authorities; with a NUL behind it */
};

static inline struct gw_config *gw_config_ref(struct gw_config *config)
{
    atomic_fetch_add_explicit(&config->refs, 1, memory_order_relaxed);
    return config;
}
void gw_config_unref(struct gw_config *config);

/* Is this path the prefix, or below it by whole segments? "/api" and "/api/" hold /api/x; "/api" also holds /api;
 * neither holds /apix; "/" holds every path that begins with "/". A control character ends a segment, too: "/api" holds
 * "/api\n". prefix must not be empty. Both are in plain form (base/path.h). */
bool gw_match_path_holds(struct gw_slice prefix, struct gw_slice path);

/* Does this request match? method and host are as received (host may have a port); path is in plain form. */
bool gw_match_holds(const struct gw_match *match, struct gw_slice method, struct gw_slice host, struct gw_slice path);
/* The first route whose match holds; the last one matches everything. */
const struct gw_route *gw_match_route(const struct gw_config *config, struct gw_slice method, struct gw_slice host,
                                      struct gw_slice path);

#endif
