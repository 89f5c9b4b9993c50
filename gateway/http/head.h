/* head.h: the parsed head of a message: start line and fields, as views of bytes in an arena.
 *
 * Data     The fields are one array in the order received. Well-known names are numbers, so that later code compares no
 *          strings. `first[]` leads to the first field of a well-known name without a search.
 * Memory   A head owns nothing: everything that it points at lies in the arena of the parser's caller. gw_head_copy
 *          copies a head into another arena. */
#ifndef GW_HTTP_HEAD_H
#define GW_HTTP_HEAD_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/slice.h"

/* X(NAME, "name in lower case", hop-by-hop). Hop-by-hop fields (RFC 9110 §7.6.1, and Proxy-*) are not forwarded and not
 * stored. Proxy counts as one of them, since CGI turns it into HTTP_PROXY. Some names are in the list only because
 * browsers send them with every request: a set of names has its answer for a name of this list without a search
 * (field_set.h). */
#define GW_FIELDS(X)                                                                                                   \
    X(ACCEPT, "accept", false)                                                                                         \
    X(ACCEPT_ENCODING, "accept-encoding", false)                                                                       \
    X(ACCEPT_LANGUAGE, "accept-language", false)                                                                       \
    X(ACCESS_CONTROL_ALLOW_CREDENTIALS, "access-control-allow-credentials", false)                                     \
    X(ACCESS_CONTROL_ALLOW_HEADERS, "access-control-allow-headers", false)                                             \
    X(ACCESS_CONTROL_ALLOW_METHODS, "access-control-allow-methods", false)                                             \
    X(ACCESS_CONTROL_ALLOW_ORIGIN, "access-control-allow-origin", false)                                               \
    X(ACCESS_CONTROL_EXPOSE_HEADERS, "access-control-expose-headers", false)                                           \
    X(ACCESS_CONTROL_MAX_AGE, "access-control-max-age", false)                                                         \
    X(ACCESS_CONTROL_REQUEST_HEADERS, "access-control-request-headers", false)                                         \
    X(ACCESS_CONTROL_REQUEST_METHOD, "access-control-request-method", false)                                           \
    X(AGE, "age", false)                                                                                               \
    X(AUTHORIZATION, "authorization", false)                                                                           \
    X(CACHE_CONTROL, "cache-control", false)                                                                           \
    X(CACHE_STATUS, "cache-status", false)                                                                             \
    X(CF_VISITOR, "cf-visitor", false)                                                                                 \
    X(CLOUDFRONT_FORWARDED_PROTO, "cloudfront-forwarded-proto", false)                                                 \
    X(CONNECTION, "connection", true)                                                                                  \
    X(CONTENT_ENCODING, "content-encoding", false)                                                                     \
    X(CONTENT_LANGUAGE, "content-language", false)                                                                     \
    X(CONTENT_LENGTH, "content-length", false)                                                                         \
    X(CONTENT_LOCATION, "content-location", false)                                                                     \
    X(CONTENT_RANGE, "content-range", false)                                                                           \
    X(CONTENT_TYPE, "content-type", false)                                                                             \
    X(COOKIE, "cookie", false)                                                                                         \
    X(DATE, "date", false)                                                                                             \
    X(ETAG, "etag", false)                                                                                             \
    X(EXPECT, "expect", false)                                                                                         \
    X(EXPIRES, "expires", false)                                                                                       \
    X(FORWARDED, "forwarded", false)                                                                                   \
    X(FRONT_END_HTTPS, "front-end-https", false)                                                                       \
    X(HOST, "host", false)                                                                                             \
    X(IF_MATCH, "if-match", false)                                                                                     \
    X(IF_MODIFIED_SINCE, "if-modified-since", false)                                                                   \
    X(IF_NONE_MATCH, "if-none-match", false)                                                                           \
    X(IF_RANGE, "if-range", false)                                                                                     \
    X(IF_UNMODIFIED_SINCE, "if-unmodified-since", false)                                                               \
    X(KEEP_ALIVE, "keep-alive", true)                                                                                  \
    X(LAST_MODIFIED, "last-modified", false)                                                                           \
    X(LOCATION, "location", false)                                                                                     \
    X(MAX_FORWARDS, "max-forwards", false)                                                                             \
    X(ORIGIN, "origin", false)                                                                                         \
    X(PRAGMA, "pragma", false)                                                                                         \
    X(PROXY, "proxy", true)                                                                                            \
    X(PROXY_AUTHENTICATE, "proxy-authenticate", true)                                                                  \
    X(PROXY_AUTHENTICATION_INFO, "proxy-authentication-info", true)                                                    \
    X(PROXY_AUTHORIZATION, "proxy-authorization", true)                                                                \
    X(PROXY_CONNECTION, "proxy-connection", true)                                                                      \
    X(RANGE, "range", false)                                                                                           \
    X(RATELIMIT, "ratelimit", false)                                                                                   \
    X(RATELIMIT_LIMIT, "ratelimit-limit", false)                                                                       \
    X(RATELIMIT_POLICY, "ratelimit-policy", false)                                                                     \
    X(RATELIMIT_REMAINING, "ratelimit-remaining", false)                                                               \
    X(RATELIMIT_RESET, "ratelimit-reset", false)                                                                       \
    X(REFRESH, "refresh", false)                                                                                       \
    X(RETRY_AFTER, "retry-after", false)                                                                               \
    X(SEC_CH_UA, "sec-ch-ua", false)                                                                                   \
    X(SEC_CH_UA_MOBILE, "sec-ch-ua-mobile", false)                                                                     \
    X(SEC_CH_UA_PLATFORM, "sec-ch-ua-platform", false)                                                                 \
    X(SEC_FETCH_DEST, "sec-fetch-dest", false)                                                                         \
    X(SEC_FETCH_MODE, "sec-fetch-mode", false)                                                                         \
    X(SEC_FETCH_SITE, "sec-fetch-site", false)                                                                         \
    X(SEC_FETCH_USER, "sec-fetch-user", false)                                                                         \
    X(SERVER, "server", false)                                                                                         \
    X(SET_COOKIE, "set-cookie", false)                                                                                 \
    X(TE, "te", true)                                                                                                  \
    X(TRACEPARENT, "traceparent", false)                                                                               \
    X(TRAILER, "trailer", true)                                                                                        \
    X(TRANSFER_ENCODING, "transfer-encoding", true)                                                                    \
    X(UPGRADE, "upgrade", true)                                                                                        \
    X(UPGRADE_INSECURE_REQUESTS, "upgrade-insecure-requests", false)                                                   \
    X(USER_AGENT, "user-agent", false)                                                                                 \
    X(VARY, "vary", false)                                                                                             \
    X(VIA, "via", false)                                                                                               \
    X(WWW_AUTHENTICATE, "www-authenticate", false)                                                                     \
    X(X_ARR_SSL, "x-arr-ssl", false)                                                                                   \
    X(X_CACHE, "x-cache", false)                                                                                       \
    X(X_CACHE_AGE, "x-cache-age", false)                                                                               \
    X(X_ENVOY_ORIGINAL_HOST, "x-envoy-original-host", false)                                                           \
    X(X_ENVOY_ORIGINAL_PATH, "x-envoy-original-path", false)                                                           \
    X(X_FORWARDED_CONTEXT, "x-forwarded-context", false)                                                               \
    X(X_FORWARDED_FOR, "x-forwarded-for", false)                                                                       \
    X(X_FORWARDED_HOST, "x-forwarded-host", false)                                                                     \
    X(X_FORWARDED_METHOD, "x-forwarded-method", false)                                                                 \
    X(X_FORWARDED_PATH, "x-forwarded-path", false)                                                                     \
    X(X_FORWARDED_PORT, "x-forwarded-port", false)                                                                     \
    X(X_FORWARDED_PREFIX, "x-forwarded-prefix", false)                                                                 \
    X(X_FORWARDED_PROTO, "x-forwarded-proto", false)                                                                   \
    X(X_FORWARDED_PROTOCOL, "x-forwarded-protocol", false)                                                             \
    X(X_FORWARDED_SCHEME, "x-forwarded-scheme", false)                                                                 \
    X(X_FORWARDED_SERVER, "x-forwarded-server", false)                                                                 \
    X(X_FORWARDED_SSL, "x-forwarded-ssl", false)                                                                       \
    X(X_FORWARDED_URI, "x-forwarded-uri", false)                                                                       \
    X(X_FORWARDED_URL, "x-forwarded-url", false)                                                                       \
    X(X_HOST, "x-host", false)                                                                                         \
    X(X_HOST_OVERRIDE, "x-host-override", false)                                                                       \
    X(X_HTTP_DESTINATIONURL, "x-http-destinationurl", false)                                                           \
    X(X_HTTP_HOST_OVERRIDE, "x-http-host-override", false)                                                             \
    X(X_HTTP_METHOD, "x-http-method", false)                                                                           \
    X(X_HTTP_METHOD_OVERRIDE, "x-http-method-override", false)                                                         \
    X(X_HTTP_PATH_OVERRIDE, "x-http-path-override", false)                                                             \
    X(X_HTTPS, "x-https", false)                                                                                       \
    X(X_METHOD_OVERRIDE, "x-method-override", false)                                                                   \
    X(X_ORIGINAL_FORWARDED_HOST, "x-original-forwarded-host", false)                                                   \
    X(X_ORIGINAL_HOST, "x-original-host", false)                                                                       \
    X(X_ORIGINAL_METHOD, "x-original-method", false)                                                                   \
    X(X_ORIGINAL_PATH, "x-original-path", false)                                                                       \
    X(X_ORIGINAL_URI, "x-original-uri", false)                                                                         \
    X(X_ORIGINAL_URL, "x-original-url", false)                                                                         \
    X(X_OVERRIDE_HOST, "x-override-host", false)                                                                       \
    X(X_OVERRIDE_URL, "x-override-url", false)                                                                         \
    X(X_RATE_LIMIT_LIMIT, "x-rate-limit-limit", false)                                                                 \
    X(X_RATE_LIMIT_REMAINING, "x-rate-limit-remaining", false)                                                         \
    X(X_RATE_LIMIT_RESET, "x-rate-limit-reset", false)                                                                 \
    X(X_RATELIMIT_LIMIT, "x-ratelimit-limit", false)                                                                   \
    X(X_RATELIMIT_REMAINING, "x-ratelimit-remaining", false)                                                           \
    X(X_RATELIMIT_RESET, "x-ratelimit-reset", false)                                                                   \
    X(X_REAL_IP, "x-real-ip", false)                                                                                   \
    X(X_REPLACED_PATH, "x-replaced-path", false)                                                                       \
    X(X_REQUEST_ID, "x-request-id", false)                                                                             \
    X(X_REWRITE_PATH, "x-rewrite-path", false)                                                                         \
    X(X_REWRITE_URI, "x-rewrite-uri", false)                                                                           \
    X(X_REWRITE_URL, "x-rewrite-url", false)                                                                           \
    X(X_SCHEME, "x-scheme", false)                                                                                     \
    X(X_SCRIPT_NAME, "x-script-name", false)                                                                           \
    X(X_URL_SCHEME, "x-url-scheme", false)                                                                             \
    X(X_WAWS_UNENCODED_URL, "x-waws-unencoded-url", false)

enum gw_field_name {
    GW_FIELD_OTHER,
#define GW_FIELD_ENUM(NAME, name, hop) GW_FIELD_##NAME,
    GW_FIELDS(GW_FIELD_ENUM)
#undef GW_FIELD_ENUM
        GW_FIELD_COUNT
};

/* X(NAME, safe, idempotent): RFC 9110 §9.2, and QUERY (RFC 10008). Any other method is GW_METHOD_OTHER: it is forwarded
 * as it came, and counts as not safe and not idempotent. Case matters (§9.1): "get" is another method than GET. */
#define GW_METHODS(X)                                                                                                  \
    X(GET, true, true)                                                                                                 \
    X(HEAD, true, true)                                                                                                \
    X(POST, false, false)                                                                                              \
    X(PUT, false, true)                                                                                                \
    X(DELETE, false, true)                                                                                             \
    X(OPTIONS, true, true)                                                                                             \
    X(PATCH, false, false)                                                                                             \
    X(QUERY, true, true)                                                                                               \
    X(TRACE, true, true)                                                                                               \
    X(CONNECT, false, false)

enum gw_method {
    GW_METHOD_OTHER,
#define GW_METHOD_ENUM(NAME, safe, idempotent) GW_METHOD_##NAME,
    GW_METHODS(GW_METHOD_ENUM)
#undef GW_METHOD_ENUM
        GW_METHOD_COUNT
};

/* What tells where the body ends (RFC 9112 §6.3). */
enum gw_framing {
    GW_FRAMING_NONE,   /* no body */
    GW_FRAMING_LENGTH, /* content_length bytes; may be 0 */
    GW_FRAMING_CHUNKED,
    GW_FRAMING_UNTIL_CLOSE, /* responses only */
};

struct gw_field {
    struct gw_slice name;  /* as received */
    struct gw_slice value; /* without white space at both ends */
    uint8_t id;            /* enum gw_field_name */
    bool dropped; /* not forwarded: a hop-by-hop field, one that Connection names, or one that a filter removed */
};

enum { GW_HEAD_INDEXED = 254 }; /* first[] has only fields before this index */

struct gw_head {
    /* requests */
    enum gw_method method;
    struct gw_slice method_text;
    struct gw_slice target;    /* as received */
    struct gw_slice path;      /* of origin-form or absolute-form; "/" where it is empty; "*" for OPTIONS * */
    struct gw_slice query;     /* without '?'; at == NULL: none ("?" alone: length 0, at set) */
    struct gw_slice authority; /* of absolute-form, otherwise Host's value; may be empty (1.0) */
    bool expects_continue;
    bool origin_selects; /* Origin selects the stored variant (cache/vary.h); set before the look-up */

    /* responses */
    int status;
    struct gw_slice reason; /* as received, 256 bytes at most; may be empty */
    bool is_forgiven;       /* a mistake with a clear meaning was corrected; the connection is not kept */

    /* both */
    uint8_t version_minor; /* 0 or 1 */
    bool keep_alive;       /* the sender wants to keep the connection, by version and Connection */
    bool wants_upgrade;    /* Connection: upgrade and Upgrade are both there */
    enum gw_framing framing;
    /* With GW_FRAMING_LENGTH: the body's length. In a response to HEAD or a 304: the value of Content-Length, UINT64_MAX
     * if absent. */
    uint64_t content_length;

    struct gw_field *fields;
    unsigned count, capacity;
    uint8_t first[GW_FIELD_COUNT]; /* index + 1 of a name's first field; 0: none before GW_HEAD_INDEXED */
};

enum gw_method gw_method_of(struct gw_slice text);
/* "GET"; "_OTHER" for GW_METHOD_OTHER, so that the number of a metric's label values is bounded. */
const char *gw_method_name(enum gw_method method);
bool gw_method_is_safe(enum gw_method method);
bool gw_method_is_idempotent(enum gw_method method);

/* The number of a name; case does not matter. `name` must be a token (RFC 9110 §5.6.2): with other bytes the result may
 * be wrong. */
enum gw_field_name gw_field_name_of(struct gw_slice name);
/* "cache-control" */
struct gw_slice gw_field_name_text(enum gw_field_name id);

/* Makes the head empty. */
void gw_head_init(struct gw_head *head);
/* Adds a field at the end. Its name and value must live as long as the head; the array of fields grows in the arena.
 * False at the arena's bound. */
bool gw_head_add(struct gw_head *head, struct gw_arena *arena, struct gw_slice name,
                 struct gw_slice value) GW_MUST_CHECK;
struct gw_field *gw_head_search(const struct gw_head *head, enum gw_field_name id);
/* The first field of a name that is not dropped, or NULL; gw_head_find_next gives the next one of the same name.
 * Inline, since most fields that are looked for are absent. */
static inline struct gw_field *gw_head_find(const struct gw_head *head, enum gw_field_name id)
{
    return head->first[id] || head->count > GW_HEAD_INDEXED ? gw_head_search(head, id) : NULL;
}
struct gw_field *gw_head_find_next(const struct gw_head *head, const struct gw_field *after);
/* The same for a name that the configuration gives. */
struct gw_field *gw_head_find_named(const struct gw_head *head, struct gw_slice name);
/* The value of the first field that is not dropped, or the absent slice. */
struct gw_slice gw_head_value(const struct gw_head *head, enum gw_field_name id);
/* Marks all fields of a name as dropped. */
void gw_head_drop(struct gw_head *head, enum gw_field_name id);
/* Marks every hop-by-hop field and every field that Connection names as dropped (RFC 9110 §7.6.1). But where Connection
 * names a field of GW_FIELDS that is not hop-by-hop (Host, Content-Length, Authorization, Cookie, X-Forwarded-For, …),
 * the name is ignored: a client could use it to make the proxy remove a field by which the backend decides. */
void gw_head_drop_hop_by_hop(struct gw_head *head);
/* Is this a field of CORS (Access-Control-…, Fetch Standard)? */
bool gw_head_is_cors(const struct gw_field *field);
/* Does a field of this name have the list element `token`? Case does not matter. */
bool gw_head_has_token(const struct gw_head *head, enum gw_field_name id, struct gw_slice token);
/* Copies the head and its bytes into an arena, without dropped fields. False at the arena's bound. */
bool gw_head_copy(struct gw_head *to, const struct gw_head *from, struct gw_arena *arena) GW_MUST_CHECK;
/* Writes "Name: value\r\n" for every field that is not dropped, except for Content-Length and Transfer-Encoding, which
 * the writer of the message adds. */
void gw_head_put_fields(const struct gw_head *head, struct gw_buffer *buffer);

/* The standard reason phrase, or "" (RFC 9112 §4 allows an empty one). */
struct gw_slice gw_status_reason(int status);

#endif
