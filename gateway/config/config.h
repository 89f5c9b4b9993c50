/* config.h: what a person may set, as one immutable struct.
 *
 * Shape    Flags, environment, file and defaults are merged once (config/load.h) and checked as a whole before any
 *          port is opened. What is derived (networks, matches, key forms) is derived there, too: the way of a
 *          request reads fields and parses nothing.
 * Threads  Immutable once published. Counted: an exchange and a fetch hold the one they began with; a reload swaps
 *          the pointer.
 * Memory   Everything in it lies in one arena of its own; gw_config_unref by the last holder frees it. */
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

/* Which requests: all of what is set must hold. */
struct gw_match {
    struct gw_slice
        path; /* prefix by whole segments: "/api" matches /api and /api/x, not /apix; empty: any. Plain, as are
                             the paths that are compared with it (base/path.h) */
    struct gw_slice host;      /* without port, lower case; "*.example.org" allowed; empty: any */
    struct gw_strings methods; /* empty: any */
};

/* Is a backend sent the Host that the client asked for, or its own? AUTO: by http:// the client's, by https:// its own.
 */
enum gw_preserve_host { GW_PRESERVE_HOST_NO, GW_PRESERVE_HOST_YES, GW_PRESERVE_HOST_AUTO };

enum gw_transport_kind { GW_TRANSPORT_AUTO, GW_TRANSPORT_H1, GW_TRANSPORT_CURL };

/* One address of a backend: scheme, host, port, path prefix. */
struct gw_backend {
    struct gw_slice url;       /* as written, without a slash at the end */
    struct gw_slice host;      /* name or literal address, no brackets; terminated */
    struct gw_slice authority; /* host[:port], as it goes into Host */
    struct gw_slice base_path; /* "" or "/prefix" */
    uint16_t port;
    bool is_tls;
    unsigned index; /* 0 … backend_count - 1, over all routes: for registries and metrics */
};

struct gw_route {
    struct gw_slice name; /* "default"; label value and part of cache keys: [a-z0-9_-]{1,32} */
    struct gw_match match;
    struct gw_backend *backends; /* at least one */
    unsigned backend_count;
    bool cache_enabled;
    int64_t default_ttl_s;  /* where the backend says nothing; 0: not stored then */
    int64_t override_ttl_s; /* in place of the lifetime that the backend states; -1: none */
    struct gw_strings cache_bypass_fields, cache_bypass_cookies; /* names; a request with one bypasses the cache */
    struct gw_strings cache_bypass_paths;                        /* and one below these; for gw_match_path_holds */
    struct gw_strings cache_ignore_query; /* parameters that the key leaves out; a '*' at the end: any rest */
    bool cache_ignores_request;           /* Cache-Control and Pragma of requests mean nothing */
    bool cache_sort_query;                /* their order makes no other key */
    struct gw_slice cache_space;          /* "space\nname": what its answers depend on, for cache keys */
    unsigned index;
};

enum gw_limit_key { GW_LIMIT_BY_IP, GW_LIMIT_BY_HEADER, GW_LIMIT_BY_ROUTE };
enum gw_limit_failure { GW_LIMIT_FAILS_LOCAL, GW_LIMIT_FAILS_ALLOW, GW_LIMIT_FAILS_DENY };

/* n tokens per period, at most `burst`; cost tokens a request. docs/limits.md: refilling the whole burst takes a year at
 * most. */
struct gw_limit_policy {
    struct gw_slice name; /* as in RateLimit-Policy: [a-z0-9_-]{1,32} */
    struct gw_match match;
    uint64_t n;                          /* 1 … 1,000,000,000 tokens */
    uint64_t period_us;                  /* per this */
    uint64_t script_n, script_period_us; /* n and period_us without their common divisor: exact in Lua's doubles */
    uint64_t burst;                      /* tokens, >= cost */
    uint64_t cost;                       /* tokens, >= 1 */
    enum gw_limit_key by;
    struct gw_slice header; /* BY_HEADER: its name; a request without it is keyed by IP */
    bool shadow;            /* counts and logs, never refuses */
    bool count_misses_only; /* takes its token only where a backend is asked */
    enum gw_limit_failure on_redis_failure;
    struct gw_slice rate_text; /* "10/s", as a person wrote it */
    unsigned index;
};

/* One Redis, as its URL says. */
struct gw_redis_node {
    struct gw_slice url_masked; /* for people: user and password replaced by "***"; terminated */
    struct gw_slice host;       /* name or literal address without brackets, or the socket's path; terminated */
    struct gw_slice user;       /* empty: none (password alone, or no login at all); terminated */
    struct gw_slice password;   /* empty: no login; terminated. Never logged */
    uint16_t port;              /* 0 for a UNIX socket */
    unsigned database;
    bool is_unix, is_tls;
};

struct gw_listen {        /* one address to listen on */
    struct gw_slice host; /* literal address; terminated */
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
    unsigned max_connections;             /* all workers together */
    unsigned max_connections_per_client;  /* 0: no bound of its own; trusted proxies are not counted */
    unsigned max_requests_per_connection; /* 0: no bound */
    size_t max_request_line_bytes, max_header_bytes;
    unsigned max_header_count;
    uint64_t max_body_bytes;
    unsigned header_timeout_ms, body_timeout_ms, idle_timeout_ms, write_timeout_ms, drain_timeout_ms;
    unsigned linger_timeout_ms, linger_silence_ms;
    unsigned max_lingering; /* connections, all workers together */
    struct gw_network *trusted_proxies;
    unsigned trusted_proxy_count;

    /* admin */
    struct gw_listen *admin_listen; /* NULL: /gateway/ is served on the client ports */
    struct gw_slice admin_token;    /* 16 to 256 bytes; empty: no purge, no inspection. Never logged */

    /* backend */
    struct gw_route *routes; /* the last one matches everything */
    unsigned route_count;
    unsigned backend_count;
    struct gw_backend **backends;     /* by index */
    enum gw_transport_kind transport; /* AUTO: h1 for http://, curl for https:// */
    enum gw_preserve_host preserve_host;
    bool rewrite_location; /* what names a backend in an answer names what the client asked for */
    bool forwarded;        /* RFC 7239 too */
    unsigned connect_timeout_ms, response_timeout_ms, read_timeout_ms;
    unsigned max_backend_connections; /* per worker and backend */
    unsigned keepalive_connections;   /* idle ones kept, per worker and backend */
    unsigned keepalive_timeout_ms;    /* how long; below the backend's own */
    size_t max_response_header_bytes;
    unsigned max_response_headers;
    unsigned retries;             /* further attempts where that is safe */
    unsigned continue_timeout_ms; /* Expect: 100-continue: the gateway's own 100 after this */
    struct gw_slice tls_ca_file;  /* empty: the system's */
    bool tls_verify;

    /* limits */
    bool limits_enabled;
    struct gw_limit_policy *policies;
    unsigned policy_count;
    unsigned max_clients;      /* entries of the table, all policies */
    unsigned ipv6_prefix_bits; /* 64 */
    bool limit_fields;         /* RateLimit, RateLimit-Policy */
    bool limit_x_fields;       /* X-RateLimit-* */

    /* cache */
    bool cache_enabled;
    size_t near_bytes; /* 0: no near cache, with redis only */
    size_t max_object_bytes;
    int64_t heuristic_max_s;           /* longest lifetime guessed from Last-Modified; 0: none is */
    int64_t stale_if_error_s;          /* beside the response's own */
    int64_t cache_keep_s;              /* of what has a validator, beyond its freshness */
    bool cache_with_credentials;       /* default TTL also for requests with Cookie and the like */
    struct gw_names credentials;       /* fields that carry one, beside Cookie and Authorization */
    struct gw_strings targeted_fields; /* RFC 9213, in their order */
    bool cache_share_set_cookie;       /* where the response says public, or s-maxage */
    bool cache_status_key;             /* key=… in Cache-Status */
    bool flights_over_instances;       /* else over this process */
    bool fetch_whole_for_range;        /* Range on a miss: the whole is asked for, where it may be stored */
    unsigned flight_wait_ms, hit_for_miss_ms;
    unsigned cache_outage_ttl_ms; /* of own fetches while Redis is away */

    /* cors */
    bool cors_enabled;
    bool cors_alone;                /* cors.origins is set: what backends say of CORS does not count */
    struct gw_strings cors_origins; /* "*" or origins; none: not cors_alone */
    bool cors_any_origin;           /* "*", or none are set */
    struct gw_slice cors_methods, cors_headers,
        cors_exposed; /* as they go into the fields; headers "*": what was asked for */
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
    struct gw_slice redis_tls_ca_file; /* empty: the system's; terminated */
};

static inline struct gw_config *gw_config_ref(struct gw_config *config)
{
    atomic_fetch_add_explicit(&config->refs, 1, memory_order_relaxed);
    return config;
}
void gw_config_unref(struct gw_config *config);

/* Is this peer a trusted proxy: is what it says of others believed? */
bool gw_config_trusts(const struct gw_config *config, const struct gw_address *address);

/* Is this path the prefix, or below it by whole segments? "/api" and "/api/" hold /api/x, "/api" holds /api too, neither
 * /apix; "/" holds every path that begins so. A control character ends a segment, too: "/api" holds "/api\n". prefix is
 * not empty. Both are plain (base/path.h). */
bool gw_match_path_holds(struct gw_slice prefix, struct gw_slice path);

/* Does this request match? method and host as received (host may carry a port), path plain. */
bool gw_match_holds(const struct gw_match *match, struct gw_slice method, struct gw_slice host, struct gw_slice path);
/* The first route whose match holds; the last one matches everything. */
const struct gw_route *gw_match_route(const struct gw_config *config, struct gw_slice method, struct gw_slice host,
                                      struct gw_slice path);

#endif
