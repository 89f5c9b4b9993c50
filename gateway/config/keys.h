/* keys.h: one row for each key of the configuration.
 *
 * Shape    The parser, --print-config, --help, docs/configuration.md and the tests read these rows. A new key is a row
 *          here and a line in derive.c that tells where its value goes.
 * Names    The flag of a key is "--" and its path; there may be a short flag, too. The environment variable of a key is
 *          the one in its row, otherwise GATEWAY_ and the path in upper case with '_' for '.'. Rows of one section must
 *          stand together.
 * Columns  least, most: bounds of the number, of the bytes of a STRING, or of the items of a LIST or OBJECTS. choices:
 *          "a|b" of a CHOICE; "off" for a RATE or SECONDS that may be left out. default: as text; NULL: the key must be
 *          given; "=path": the value of that key. */
#ifndef GW_CONFIG_KEYS_H
#define GW_CONFIG_KEYS_H

#include "base/buffer.h"
#include "base/slice.h"

enum gw_key_type {
    GW_KEY_BOOLEAN,
    GW_KEY_INTEGER,
    GW_KEY_SIZE,     /* bytes */
    GW_KEY_DURATION, /* held in ms */
    GW_KEY_SECONDS,  /* a duration of whole seconds, held in s; GW_KEYS_OFF for "off" */
    GW_KEY_STRING,
    GW_KEY_CHOICE,
    GW_KEY_RATE,
    GW_KEY_LIST,    /* of strings */
    GW_KEY_OBJECTS, /* an array of objects with rows of their own */
};

#define GW_KEYS_DAY_MS 86400000
#define GW_KEYS_DAY_S  86400
#define GW_KEYS_YEAR_S 31536000
#define GW_KEYS_KIB    (UINT64_C(1) << 10)
#define GW_KEYS_MIB    (UINT64_C(1) << 20)
#define GW_KEYS_GIB    (UINT64_C(1) << 30)
#define GW_KEYS_OFF    UINT64_MAX

/* X(ID, path, type, default, least, most, choices, environment, short flag, help) */
#define GW_CONFIG_KEYS(X)                                                                                              \
    X(SERVER_PORT, "server.port", INTEGER, "8080", 1, 65535, NULL, "GATEWAY_PORT", "port",                             \
      "Port that clients connect to.")                                                                                 \
    X(SERVER_HOST, "server.host", STRING, "", 0, 64, NULL, NULL, NULL,                                                 \
      "Literal address to listen on; empty: all of both families (0.0.0.0 and ::).")                                   \
    X(SERVER_WORKERS, "server.workers", INTEGER, "0", 0, 256, NULL, "GATEWAY_WORKERS", "workers",                      \
      "Worker threads; 0: one for each core that the process may use.")                                                \
    X(SERVER_BACKLOG, "server.backlog", INTEGER, "4096", 1, 65535, NULL, NULL, NULL,                                   \
      "Connections that may wait to be accepted, for each listening socket; the kernel caps it (net.core.somaxconn).") \
    X(SERVER_MAX_CONNECTIONS, "server.max_connections", INTEGER, "20000", 1, 1000000, NULL, NULL, NULL,                \
      "Client connections, all workers together. Each takes a file descriptor, and one more to its backend: where "    \
      "the limit of open files does not allow that many, the start says so, and more clients wait to be accepted.")    \
    X(SERVER_MAX_CONNECTIONS_PER_CLIENT, "server.max_connections_per_client", INTEGER, "0", 0, 1000000, NULL, NULL,    \
      NULL, "Connections from one address; 0: no such bound. Trusted proxies are not counted.")                        \
    X(SERVER_MAX_REQUESTS_PER_CONNECTION, "server.max_requests_per_connection", INTEGER, "0", 0, 1000000000, NULL,     \
      NULL, NULL, "Requests after which a connection is closed; 0: no bound.")                                         \
    X(SERVER_MAX_REQUEST_LINE_BYTES, "server.max_request_line_bytes", SIZE, "8KiB", 256, GW_KEYS_MIB, NULL, NULL,      \
      NULL, "Longest request line; beyond it the client gets 414.")                                                    \
    X(SERVER_MAX_HEADER_BYTES, "server.max_header_bytes", SIZE, "32KiB", 1024, GW_KEYS_MIB, NULL, NULL, NULL,          \
      "Request line and header fields together; beyond it 431.")                                                       \
    X(SERVER_MAX_HEADERS, "server.max_headers", INTEGER, "256", 1, 1000, NULL, NULL, NULL,                             \
      "Header fields of a request; beyond it 431.")                                                                    \
    X(SERVER_MAX_BODY_BYTES, "server.max_body_bytes", SIZE, "1GiB", 0, UINT64_C(1) << 50, NULL, NULL, NULL,            \
      "Largest request body; beyond it 413. 0 forbids bodies.")                                                        \
    X(SERVER_HEADER_TIMEOUT, "server.header_timeout", DURATION, "10s", 1, GW_KEYS_DAY_MS, NULL, NULL, NULL,            \
      "Time for a request's header to arrive, from its first byte; then 408.")                                         \
    X(SERVER_BODY_TIMEOUT, "server.body_timeout", DURATION, "30s", 1, GW_KEYS_DAY_MS, NULL, NULL, NULL,                \
      "Longest silence while a request's body is awaited; then 408.")                                                  \
    X(SERVER_IDLE_TIMEOUT, "server.idle_timeout", DURATION, "75s", 1, GW_KEYS_DAY_MS, NULL, NULL, NULL,                \
      "How long a kept connection may wait for its next request.")                                                     \
    X(SERVER_WRITE_TIMEOUT, "server.write_timeout", DURATION, "60s", 1, GW_KEYS_DAY_MS, NULL, NULL, NULL,              \
      "Longest time in which a client takes nothing of its answer; then the connection is cut.")                       \
    X(SERVER_LINGER_TIMEOUT, "server.linger_timeout", DURATION, "30s", 0, GW_KEYS_DAY_MS, NULL, NULL, NULL,            \
      "After an answer: how long the gateway reads and drops what the client still sends, so that the client "         \
      "can read the answer.")                                                                                          \
    X(SERVER_LINGER_SILENCE, "server.linger_silence", DURATION, "5s", 0, GW_KEYS_DAY_MS, NULL, NULL, NULL,             \
      "Longest silence of the client within server.linger_timeout.")                                                   \
    X(SERVER_MAX_LINGERING, "server.max_lingering", INTEGER, "1000", 0, 1000000, NULL, NULL, NULL,                     \
      "Connections that may wait for their client's end at the same time; further ones are closed at once.")           \
    X(SERVER_DRAIN_TIMEOUT, "server.drain_timeout", DURATION, "30s", 0, GW_KEYS_DAY_MS, NULL, NULL, NULL,              \
      "After SIGTERM, SIGINT or SIGQUIT: time for requests in flight to end; then they are cut.")                      \
    X(SERVER_TRUSTED_PROXIES, "server.trusted_proxies", LIST, "", 0, 256, NULL, "TRUSTED_PROXIES", NULL,               \
      "Networks (10.0.0.0/8, 2001:db8::/32) or addresses of proxies whose X-Forwarded-* and similar fields are "       \
      "trusted. From all other requests these fields are removed.")                                                    \
    X(ADMIN_LISTEN, "admin.listen", STRING, "", 0, 80, NULL, NULL, NULL,                                               \
      "Address and port (127.0.0.1:9090, [::1]:9090) to which /gateway/ moves; empty: it is served on the client "     \
      "port.")                                                                                                         \
    X(ADMIN_TOKEN, "admin.token", STRING, "", 0, 256, NULL, NULL, NULL,                                                \
      "Secret of at least 16 bytes that allows to purge and inspect the cache, sent as Authorization: Bearer; "        \
      "empty: both are off. Set it by the variable, since all users of the machine can read a flag.")                  \
    X(BACKEND_URL, "backend.url", LIST, "http://localhost:8000", 1, 64, NULL, "BACKEND_URL", "backend",                \
      "Backends for requests that no route sends elsewhere: http:// or https:// with host, port and path "             \
      "prefix. A URL that is given twice gets twice the share.")                                                       \
    X(BACKEND_TRANSPORT, "backend.transport", CHOICE, "auto", 0, 0, "auto|h1|curl", NULL, NULL,                        \
      "Transport to backends: h1, the gateway's own HTTP/1.1, for http:// only; curl, by libcurl; auto: h1 for "       \
      "http://, curl for https://.")                                                                                   \
    X(BACKEND_PRESERVE_HOST, "backend.preserve_host", CHOICE, "auto", 0, 0, "false|true|auto", NULL, NULL,             \
      "true: backends get the Host that the client asked for (a trusted proxy's X-Forwarded-Host counts); "            \
      "false: their own name; auto: true for http://, and false for https://, where a server is usually chosen "       \
      "by its own name.")                                                                                              \
    X(BACKEND_REWRITE_LOCATION, "backend.rewrite_location", BOOLEAN, "true", 0, 1, NULL, NULL, NULL,                   \
      "Rewrite URLs in Location, Content-Location and Refresh of answers: a backend's own scheme, host and port "      \
      "become those that the client asked for, and the path prefix of backend.url is left out.")                       \
    X(BACKEND_FORWARDED, "backend.forwarded", BOOLEAN, "false", 0, 1, NULL, NULL, NULL,                                \
      "Always send Forwarded (RFC 7239) beside X-Forwarded-*. False: only where a trusted proxy sent Forwarded "       \
      "instead of these.")                                                                                             \
    X(BACKEND_CONNECT_TIMEOUT, "backend.connect_timeout", DURATION, "3s", 1, GW_KEYS_DAY_MS, NULL, NULL, NULL,         \
      "Time for name look-up, connection and TLS handshake; then 504.")                                                \
    X(BACKEND_RESPONSE_TIMEOUT, "backend.response_timeout", DURATION, "60s", 1, GW_KEYS_DAY_MS, NULL, NULL, NULL,      \
      "From the request's end to the answer's header; then 504.")                                                      \
    X(BACKEND_READ_TIMEOUT, "backend.read_timeout", DURATION, "60s", 1, GW_KEYS_DAY_MS, NULL, NULL, NULL,              \
      "Longest silence within an answer's body; then the answer is cut.")                                              \
    X(BACKEND_MAX_CONNECTIONS, "backend.max_connections", INTEGER, "1024", 1, 1000000, NULL, NULL, NULL,               \
      "Connections for each worker and backend; beyond it 503.")                                                       \
    X(BACKEND_KEEPALIVE_CONNECTIONS, "backend.keepalive_connections", INTEGER, "256", 0, 1000000, NULL, NULL, NULL,    \
      "Idle connections kept, for each worker and backend; 0: none.")                                                  \
    X(BACKEND_KEEPALIVE_TIMEOUT, "backend.keepalive_timeout", DURATION, "4s", 1, GW_KEYS_DAY_MS, NULL, NULL, NULL,     \
      "How long idle connections are kept. It must be shorter than the backend's own time (uvicorn's is 5 s), "        \
      "or requests meet connections that the backend is just closing.")                                                \
    X(BACKEND_MAX_RESPONSE_HEADER_BYTES, "backend.max_response_header_bytes", SIZE, "128KiB", 1024, 16 * GW_KEYS_MIB,  \
      NULL, NULL, NULL, "Status line and header fields of an answer; beyond it 502.")                                  \
    X(BACKEND_MAX_RESPONSE_HEADERS, "backend.max_response_headers", INTEGER, "1000", 1, 10000, NULL, NULL, NULL,       \
      "Header fields of an answer; beyond it 502.")                                                                    \
    X(BACKEND_RETRIES, "backend.retries", INTEGER, "1", 0, 10, NULL, NULL, NULL,                                       \
      "Further attempts, where repeating a request is safe.")                                                          \
    X(BACKEND_CONTINUE_TIMEOUT, "backend.continue_timeout", DURATION, "1s", 0, GW_KEYS_DAY_MS, NULL, NULL, NULL,       \
      "Expect: 100-continue: the client gets its 100 after this time if the backend has not answered.")                \
    X(BACKEND_TLS_CA_FILE, "backend.tls_ca_file", STRING, "", 0, 4096, NULL, NULL, NULL,                               \
      "PEM file of the authorities that https:// backends are verified by; empty: the system's.")                      \
    X(BACKEND_TLS_VERIFY, "backend.tls_verify", BOOLEAN, "true", 0, 1, NULL, NULL, NULL,                               \
      "Verify certificate and name of https:// backends. False is for experiments only.")                              \
    X(ROUTES, "routes", OBJECTS, "", 0, 64, NULL, NULL, NULL,                                                          \
      "Which requests go where; the first route that matches counts. Their keys: docs/configuration.md, Objects in "   \
      "routes.")                                                                                                       \
    X(LIMITS_ENABLED, "limits.enabled", BOOLEAN, "true", 0, 1, NULL, NULL, NULL, "False: no request is limited.")      \
    X(LIMITS_RATE, "limits.rate", RATE, "10/s", 0, 0, "off", "RATE_LIMIT_RATE", NULL,                                  \
      "Rate of the policy called default, which applies to every request; off leaves it out.")                         \
    X(LIMITS_BURST, "limits.burst", INTEGER, "20", 1, 1000000000, NULL, "RATE_LIMIT_BURST", NULL,                      \
      "Requests that may come at once before the rate counts.")                                                        \
    X(LIMITS_COST, "limits.cost", INTEGER, "1", 1, 1000000000, NULL, NULL, NULL,                                       \
      "Tokens that one request takes; at most limits.burst.")                                                          \
    X(LIMITS_BY, "limits.by", STRING, "ip", 1, 136, NULL, NULL, NULL,                                                  \
      "What has its own bucket: ip, each address; header:NAME, each value of a field (such as header:X-Api-Key; "      \
      "requests without the field count by ip); route, each route. The gateway does not check the field, so a "        \
      "limit by header needs a wide one by ip beside it (Objects in limits.policies).")                                \
    X(LIMITS_SHADOW, "limits.shadow", BOOLEAN, "false", 0, 1, NULL, NULL, NULL,                                        \
      "Count and log refusals, but refuse nothing.")                                                                   \
    X(LIMITS_COUNT, "limits.count", CHOICE, "all", 0, 0, "all|misses", NULL, NULL,                                     \
      "all: every request takes tokens; misses: only requests for which a backend is asked.")                          \
    X(LIMITS_ON_REDIS_FAILURE, "limits.on_redis_failure", CHOICE, "local", 0, 0, "local|allow|deny", NULL, NULL,       \
      "While Redis cannot be asked: count in this process, allow all, or answer 503.")                                 \
    X(LIMITS_MAX_CLIENTS, "limits.max_clients", INTEGER, "100000", 1, 100000000, NULL, NULL, NULL,                     \
      "Clients remembered, all policies together; full buckets are forgotten first.")                                  \
    X(LIMITS_IPV6_PREFIX, "limits.ipv6_prefix", INTEGER, "64", 1, 128, NULL, NULL, NULL,                               \
      "Bits of an IPv6 address that make one client.")                                                                 \
    X(LIMITS_RATELIMIT_FIELDS, "limits.ratelimit_fields", BOOLEAN, "true", 0, 1, NULL, NULL, NULL,                     \
      "Send RateLimit and RateLimit-Policy.")                                                                          \
    X(LIMITS_X_RATELIMIT_FIELDS, "limits.x_ratelimit_fields", BOOLEAN, "true", 0, 1, NULL, NULL, NULL,                 \
      "Send X-RateLimit-Limit, -Remaining and -Reset.")                                                                \
    X(LIMITS_POLICIES, "limits.policies", OBJECTS, "", 0, 8, NULL, NULL, NULL,                                         \
      "Further policies beside default; a request must be allowed by all that match. At most 8 together. Their "       \
      "keys: docs/configuration.md, Objects in limits.policies.")                                                      \
    X(CACHE_ENABLED, "cache.enabled", BOOLEAN, "true", 0, 1, NULL, NULL, NULL, "False: nothing is cached.")            \
    X(CACHE_DEFAULT_TTL, "cache.default_ttl", SECONDS, "300s", 0, GW_KEYS_YEAR_S, NULL, "CACHE_TTL", NULL,             \
      "How long an answer is fresh where the backend gives no lifetime; 0: such an answer is not stored.")             \
    X(CACHE_TTL, "cache.ttl", SECONDS, "off", 1, GW_KEYS_YEAR_S, "off", NULL, NULL,                                    \
      "How long every answer that may be stored is fresh, instead of the lifetime that the backend gives; off: "       \
      "the backend's counts. (The variable CACHE_TTL sets cache.default_ttl.)")                                        \
    X(CACHE_HEURISTIC_MAX, "cache.heuristic_max", SECONDS, "24h", 0, GW_KEYS_YEAR_S, NULL, NULL, NULL,                 \
      "Longest lifetime that is guessed from Last-Modified (a tenth of the age by this field) where the backend "      \
      "gives none; 0: none is guessed.")                                                                               \
    X(CACHE_STALE_IF_ERROR, "cache.stale_if_error", SECONDS, "0s", 0, GW_KEYS_YEAR_S, NULL, NULL, NULL,                \
      "How long a stale answer may be used when the backend fails, unless the answer forbids it; the answer's "        \
      "own stale-if-error counts if it is longer.")                                                                    \
    X(CACHE_KEEP, "cache.keep", SECONDS, "60s", 0, GW_KEYS_YEAR_S, NULL, NULL, NULL,                                   \
      "How long an answer with ETag or Last-Modified is kept after it has become stale, so that the backend "          \
      "need only confirm it.")                                                                                         \
    X(CACHE_MAX_OBJECT_BYTES, "cache.max_object_bytes", SIZE, "1MiB", 1, GW_KEYS_GIB, NULL, NULL, NULL,                \
      "Largest answer that is stored; at most cache.near_bytes, or 64MiB where that is 0.")                            \
    X(CACHE_NEAR_BYTES, "cache.near_bytes", SIZE, "64MiB", 0, UINT64_C(1) << 40, NULL, NULL, NULL,                     \
      "Size of the memory cache in this process, at least 4KiB; 0 (only with redis.url): all look-ups go to "          \
      "Redis.")                                                                                                        \
    X(CACHE_WITH_CREDENTIALS, "cache.with_credentials", BOOLEAN, "false", 0, 1, NULL, NULL, NULL,                      \
      "Let cache.default_ttl and cache.heuristic_max also apply where the request has Cookie or another "              \
      "credential. Then one user may get another user's page: only for backends whose answers are never "              \
      "personal.")                                                                                                     \
    X(CACHE_CREDENTIAL_FIELDS, "cache.credential_fields", LIST,                                                        \
      "*Key, *Token, *Secret, *Password, *Session, *Session-Id, *SessionId, *Auth, *Authorization, Auth*, "            \
      "X-Auth*, *Assertion, *JWT, *Signature, *Credential, X-Credential-*, DPoP, X-WSSE, *Identity, *Principal, "      \
      "*Username, *User-Name, *User-Id, *UserId, *Userinfo, *User-Info, *Email, *Groups, *Roles, X-User, "             \
      "X-Forwarded-User, SM-User, IV-*, Remote-*, X-Remote-*, X-WebAuth-*, X-Session-*, X-Token-*, X-JWT-*, "          \
      "X-MS-Client-Principal*, X-MS-Token-*, X-Goog-Authenticated-User-*, X-AppEngine-User-*, X-Amzn-OIDC-*, "         \
      "X-Amzn-Mtls-*, OIDC-*, X-OIDC-*, Shib-*, CF-Access-*, Tailscale-*, X-Pomerium-*, X-Vouch-*, "                   \
      "X-Consumer-*, X-Hasura-*, Impersonate-*, X-Tenant*, *Account-Id, *Customer-Id, *Passcode, "                     \
      "*Passphrase, *Passwd, *-Pass, *-PIN, *-OTP, *Ticket, *Bearer, *Cookie, *-SID, SID, *-UID, UID, *-Sub, "         \
      "*Subject, *Login, *Claims, *Scopes, *Permissions, *Role, *Actor, *Act-As, *On-Behalf-Of, Sudo, "                \
      "*Api-User, *Proxy-User, *Current-User, *Device-Id, *Installation-Id, *Visitor-Id, *Guest-Id, "                  \
      "*Member-Id, *Person-Id, *Employee-Id, *Identity-Id, *Persistent-Id, *Client-Id, *App-Id, "                      \
      "*Application-Id, *Org-Id, *OrgId, *Organization, *Organization-Id, *Workspace-Id, *Project-Id, "                \
      "*Company-Id, *Team-Id, X-Honeycomb-Team, X-Cognito-*, X-SSO-*, X-SAML-*, Mellon-*, EPPN, *-DN, *-CN, "          \
      "X-ClientCert-*, X-Tls-Client-*, CF-Client-Cert-*, *Client-Cert, *ClientCert, Client-Cert-*, "                   \
      "SSL-Client-*, X-SSL-Client-*, X-Client-Cert-*, X-Forwarded-Tls-Client-Cert*",                                   \
      0, 160, NULL, NULL, NULL,                                                                                        \
      "Request fields that carry a key, a token, a session or an identity, beside Cookie and Authorization. A "        \
      "star at the beginning or the end stands for any text, and _ counts as -. Fields of limits by header:NAME "      \
      "always belong to them. A star in cache.ignore_query does not leave out parameters with these names.")           \
    X(CACHE_TARGETED_FIELDS, "cache.targeted_fields", LIST, "", 0, 16, NULL, NULL, NULL,                               \
      "Fields of answers that count instead of Cache-Control (RFC 9213), such as CDN-Cache-Control; the first "        \
      "one that the answer has counts.")                                                                               \
    X(CACHE_SHARE_SET_COOKIE, "cache.share_set_cookie", BOOLEAN, "false", 0, 1, NULL, NULL, NULL,                      \
      "Also store answers with Set-Cookie, where they have public or s-maxage: then every client gets that "           \
      "cookie.")                                                                                                       \
    X(CACHE_BYPASS_FIELDS, "cache.bypass_fields", LIST, "", 0, 32, NULL, NULL, NULL,                                   \
      "Request fields, such as X-Preview: a request with one of them bypasses the cache; its answer is not "           \
      "looked up and not stored.")                                                                                     \
    X(CACHE_BYPASS_COOKIES, "cache.bypass_cookies", LIST, "", 0, 32, NULL, NULL, NULL,                                 \
      "Names of cookies: a request with one of them bypasses the cache.")                                              \
    X(CACHE_BYPASS_PATHS, "cache.bypass_paths", LIST, "", 0, 64, NULL, NULL, NULL,                                     \
      "Paths: all requests below them bypass the cache. Whole segments, without wildcards: /me is /me and "            \
      "/me/x, not /menu.")                                                                                             \
    X(CACHE_IGNORE_QUERY, "cache.ignore_query", LIST, "", 0, 64, NULL, NULL, NULL,                                     \
      "Names of query parameters that do not change the answer, as clients send them; a star at the end stands "       \
      "for any text (utm_*), * alone for the whole query. Backends still get them.")                                   \
    X(CACHE_SORT_QUERY, "cache.sort_query", BOOLEAN, "false", 0, 1, NULL, NULL, NULL,                                  \
      "Queries that differ only in the order of their parameters share one answer.")                                   \
    X(CACHE_REQUEST_DIRECTIVES, "cache.request_directives", CHOICE, "obey", 0, 0, "obey|ignore", NULL, NULL,           \
      "Whether Cache-Control and Pragma of requests count: no-cache and max-age=0 (a browser's reload) ask the "       \
      "backend, no-store keeps out of the cache, only-if-cached never asks, max-age, min-fresh and max-stale bound "   \
      "ages. ignore: none of them does, as in nginx and Varnish; they are still passed on to the backend.")            \
    X(CACHE_FETCH_WHOLE_FOR_RANGE, "cache.fetch_whole_for_range", BOOLEAN, "false", 0, 1, NULL, NULL, NULL,            \
      "Where a request with Range finds nothing stored, ask the backend for the whole answer and send the "            \
      "client its part. Where the whole may not be stored (private, or over cache.max_object_bytes), the part "        \
      "is asked for after all.")                                                                                       \
    X(CACHE_FLIGHT, "cache.flight", CHOICE, "instances", 0, 0, "process|instances", NULL, NULL,                        \
      "Which requests for the same answer share one fetch: those of one process, or those of all instances that "      \
      "share a Redis.")                                                                                                \
    X(CACHE_FLIGHT_WAIT, "cache.flight_wait", DURATION, "5s", 0, GW_KEYS_DAY_MS, NULL, NULL, NULL,                     \
      "How long a request waits for an answer that another request is fetching.")                                      \
    X(CACHE_HIT_FOR_MISS, "cache.hit_for_miss", DURATION, "10s", 0, GW_KEYS_DAY_MS, NULL, NULL, NULL,                  \
      "How long requests for a URL whose answer may not be stored do not wait for each other.")                        \
    X(CACHE_REDIS_URL, "cache.redis_url", STRING, "", 0, 2048, NULL, NULL, NULL,                                       \
      "A second Redis, only for the cache, written as redis.url; empty: the same one. Recommended where limits "       \
      "must outlive a full cache: the first on noeviction, this one on allkeys-lfu.")                                  \
    X(CACHE_NAMESPACE, "cache.namespace", STRING, "", 0, 64, NULL, NULL, NULL,                                         \
      "Gateways with the same Redis, prefix and namespace share stored answers. Empty: it is made of each "            \
      "route's backends and of what is sent to them, so that gateways with other backends do not share. Set a "        \
      "name to keep stored answers when backends change.")                                                             \
    X(CACHE_OUTAGE_TTL, "cache.outage_ttl", DURATION, "10s", 0, GW_KEYS_DAY_MS, NULL, NULL, NULL,                      \
      "While Redis is away: how long an instance keeps answers that it fetched itself.")                               \
    X(CACHE_STATUS_KEY, "cache.status_key", BOOLEAN, "false", 0, 1, NULL, NULL, NULL,                                  \
      "Tell the cache's key in Cache-Status.")                                                                         \
    X(CORS_ENABLED, "cors.enabled", BOOLEAN, "true", 0, 1, NULL, NULL, NULL,                                           \
      "Answer preflights and send Access-Control-* fields where backends do not, or instead of them: see "             \
      "cors.origins. False: CORS is left to the backends.")                                                            \
    X(CORS_ORIGINS, "cors.origins", LIST, "", 0, 256, NULL, NULL, NULL,                                                \
      "Origins (https://app.example.org) that may read answers; * alone: all. If this is set, only the gateway "       \
      "decides: it answers preflights, and Access-Control-* fields of backends are removed. Empty: an answer "         \
      "with Access-Control-* fields of its own stays as it is, preflights go to the backend first, and where "         \
      "the backend does nothing about CORS, every origin may read, without credentials.")                              \
    X(CORS_METHODS, "cors.methods", LIST, "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS", 0, 64, NULL, NULL, NULL,     \
      "Methods that a preflight allows.")                                                                              \
    X(CORS_HEADERS, "cors.headers", LIST, "*", 0, 64, NULL, NULL, NULL,                                                \
      "Request fields that a preflight allows; * alone: those that it asks for.")                                      \
    X(CORS_EXPOSED_HEADERS, "cors.exposed_headers", LIST,                                                              \
      "RateLimit, RateLimit-Policy, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, Retry-After, "        \
      "X-Request-Id, X-Cache, X-Cache-Age, Cache-Status, Age",                                                         \
      0, 64, NULL, NULL, NULL, "Fields of answers that scripts may read.")                                             \
    X(CORS_CREDENTIALS, "cors.credentials", BOOLEAN, "false", 0, 1, NULL, NULL, NULL,                                  \
      "Allow requests with credentials; not together with the origin *.")                                              \
    X(CORS_MAX_AGE, "cors.max_age", SECONDS, "600s", 0, GW_KEYS_YEAR_S, NULL, NULL, NULL,                              \
      "How long a browser may remember a preflight.")                                                                  \
    X(LOG_LEVEL, "log.level", CHOICE, "info", 0, 0, "error|warn|info|debug", "LOG_LEVEL", "log-level",                 \
      "Least important level that is written to stderr.")                                                              \
    X(LOG_FORMAT, "log.format", CHOICE, "json", 0, 0, "json|text", NULL, NULL,                                         \
      "One JSON object a line, or text for people.")                                                                   \
    X(LOG_ACCESS, "log.access", STRING, "stdout", 1, 4096, NULL, NULL, NULL,                                           \
      "Where the access log goes: stdout, stderr, off, or a file's path, which SIGUSR1 and SIGHUP open again.")        \
    X(REDIS_URL, "redis.url", STRING, "", 0, 2048, NULL, "REDIS_URL", NULL,                                            \
      "The Redis that instances share: redis://[[user]:password@]host[:6379][/db], rediss:// the same over TLS, or "   \
      "unix://[[user]:password@]/path[?db=N]; percent-encoding where user or password need it. Empty: embedded mode, " \
      "each instance by itself.")                                                                                      \
    X(REDIS_TIMEOUT, "redis.timeout", DURATION, "50ms", 1, 60000, NULL, NULL, NULL,                                    \
      "Longest time that a request waits for Redis; a connection that is silent for so long while an answer is "       \
      "due counts as lost.")                                                                                           \
    X(REDIS_CONNECT_TIMEOUT, "redis.connect_timeout", DURATION, "1s", 1, 60000, NULL, NULL, NULL,                      \
      "Time for name look-up, connection, TLS handshake and login, at each address. No request waits for it.")         \
    X(REDIS_MAX_PENDING, "redis.max_pending", INTEGER, "4096", 1, 1000000, NULL, NULL, NULL,                           \
      "Calls that may await their answers, for each worker and Redis; beyond it Redis is not asked.")                  \
    X(REDIS_PREFIX, "redis.prefix", STRING, "gw:", 1, 32, NULL, NULL, NULL,                                            \
      "Beginning of every key in Redis: A-Z, a-z, 0-9, :, _ and -. Instances with one prefix share limits and "        \
      "cache.")                                                                                                        \
    X(REDIS_HEARTBEAT, "redis.heartbeat", DURATION, "1s", 100, 60000, NULL, NULL, NULL,                                \
      "How often an instance tells that it is alive, and counts the others; must be the same on all instances.")       \
    X(REDIS_EXPECTED_INSTANCES, "redis.expected_instances", INTEGER, "0", 0, 10000, NULL, NULL, NULL,                  \
      "Number of instances that share a limit while Redis has not been reached since the start; 0: unknown, "          \
      "counts as 1.")                                                                                                  \
    X(REDIS_TLS_CA_FILE, "redis.tls_ca_file", STRING, "", 0, 4096, NULL, NULL, NULL,                                   \
      "PEM file of the authorities that rediss:// is verified by; empty: the system's.")

/* The keys of an object in "routes", with the same columns. */
#define GW_ROUTE_KEYS(X)                                                                                               \
    X(NAME, "name", STRING, NULL, 1, 32, NULL, NULL, NULL,                                                             \
      "Unique; a-z, 0-9, _ and -. It names the route in metrics and logs.")                                            \
    X(PATH, "path", STRING, "", 0, 1024, NULL, NULL, NULL,                                                             \
      "Prefix by whole segments, without wildcards: /api matches /api and /api/x, not /apix; empty: any. As clients "  \
      "send it: percent-encoded where that is needed; compared decoded, "                                              \
      "without double slashes and dot segments.")                                                                      \
    X(HOST, "host", STRING, "", 0, 255, NULL, NULL, NULL,                                                              \
      "Host without port; *.example.org for all below it; empty: any.")                                                \
    X(METHODS, "methods", LIST, "", 0, 32, NULL, NULL, NULL, "In upper case (GET does not include HEAD); empty: any.") \
    X(BACKEND, "backend", LIST, "=backend.url", 1, 64, NULL, NULL, NULL, "As backend.url.")                            \
    X(CACHE, "cache", BOOLEAN, "true", 0, 1, NULL, NULL, NULL,                                                         \
      "False: answers of this route are neither stored nor looked up.")                                                \
    X(DEFAULT_TTL, "default_ttl", SECONDS, "=cache.default_ttl", 0, GW_KEYS_YEAR_S, NULL, NULL, NULL,                  \
      "As cache.default_ttl.")                                                                                         \
    X(CACHE_TTL, "cache_ttl", SECONDS, "=cache.ttl", 1, GW_KEYS_YEAR_S, "off", NULL, NULL, "As cache.ttl.")            \
    X(CACHE_BYPASS_FIELDS, "cache_bypass_fields", LIST, "=cache.bypass_fields", 0, 32, NULL, NULL, NULL,               \
      "As cache.bypass_fields.")                                                                                       \
    X(CACHE_BYPASS_COOKIES, "cache_bypass_cookies", LIST, "=cache.bypass_cookies", 0, 32, NULL, NULL, NULL,            \
      "As cache.bypass_cookies.")                                                                                      \
    X(CACHE_BYPASS_PATHS, "cache_bypass_paths", LIST, "=cache.bypass_paths", 0, 64, NULL, NULL, NULL,                  \
      "As cache.bypass_paths.")                                                                                        \
    X(CACHE_IGNORE_QUERY, "cache_ignore_query", LIST, "=cache.ignore_query", 0, 64, NULL, NULL, NULL,                  \
      "As cache.ignore_query.")                                                                                        \
    X(CACHE_SORT_QUERY, "cache_sort_query", BOOLEAN, "=cache.sort_query", 0, 1, NULL, NULL, NULL,                      \
      "As cache.sort_query.")                                                                                          \
    X(CACHE_REQUEST_DIRECTIVES, "cache_request_directives", CHOICE, "=cache.request_directives", 0, 0, "obey|ignore",  \
      NULL, NULL, "As cache.request_directives.")

/* The keys of an object in "limits.policies", with the same columns. */
#define GW_POLICY_KEYS(X)                                                                                              \
    X(NAME, "name", STRING, NULL, 1, 32, NULL, NULL, NULL,                                                             \
      "Unique; a-z, 0-9, _ and -. Clients read it in RateLimit-Policy.")                                               \
    X(RATE, "rate", RATE, NULL, 0, 0, NULL, NULL, NULL, "As limits.rate.")                                             \
    X(BURST, "burst", INTEGER, NULL, 1, 1000000000, NULL, NULL, NULL, "As limits.burst.")                              \
    X(COST, "cost", INTEGER, "1", 1, 1000000000, NULL, NULL, NULL, "As limits.cost; at most burst.")                   \
    X(BY, "by", STRING, "ip", 1, 136, NULL, NULL, NULL, "As limits.by.")                                               \
    X(PATH, "path", STRING, "", 0, 1024, NULL, NULL, NULL, "As in routes.")                                            \
    X(HOST, "host", STRING, "", 0, 255, NULL, NULL, NULL, "As in routes.")                                             \
    X(METHODS, "methods", LIST, "", 0, 32, NULL, NULL, NULL, "As in routes, but POST also matches post and Post.")     \
    X(SHADOW, "shadow", BOOLEAN, "false", 0, 1, NULL, NULL, NULL, "As limits.shadow.")                                 \
    X(COUNT, "count", CHOICE, "all", 0, 0, "all|misses", NULL, NULL, "As limits.count.")                               \
    X(ON_REDIS_FAILURE, "on_redis_failure", CHOICE, "local", 0, 0, "local|allow|deny", NULL, NULL,                     \
      "As limits.on_redis_failure.")

enum gw_key_id {
#define GW_KEYS_ENUM(ID, ...) GW_KEY_##ID,
    GW_CONFIG_KEYS(GW_KEYS_ENUM)
#undef GW_KEYS_ENUM
        GW_KEYS_COUNT
};

enum gw_route_key_id {
#define GW_KEYS_ENUM(ID, ...) GW_ROUTE_##ID,
    GW_ROUTE_KEYS(GW_KEYS_ENUM)
#undef GW_KEYS_ENUM
        GW_ROUTE_KEYS_COUNT
};

enum gw_policy_key_id {
#define GW_KEYS_ENUM(ID, ...) GW_POLICY_##ID,
    GW_POLICY_KEYS(GW_KEYS_ENUM)
#undef GW_KEYS_ENUM
        GW_POLICY_KEYS_COUNT
};

struct gw_key {
    const char *path;
    enum gw_key_type type;
    const char *fallback;
    uint64_t least, most;
    const char *choices;
    const char *environment; /* NULL: the regular name */
    const char *alias;       /* short flag, or NULL */
    const char *help;
};

extern const struct gw_key gw_keys[GW_KEYS_COUNT];
extern const struct gw_key gw_keys_of_route[GW_ROUTE_KEYS_COUNT];
extern const struct gw_key gw_keys_of_policy[GW_POLICY_KEYS_COUNT];

enum { GW_KEYS_NAME_BYTES = 80 };

/* The section in the key's path ("server"); empty for a key at the top level. */
struct gw_slice gw_keys_section(const struct gw_key *key);
/* NULL when there is none. */
const struct gw_key *gw_keys_find(const struct gw_key *keys, unsigned count, struct gw_slice path);
/* By path or short flag, without the dashes. */
const struct gw_key *gw_keys_find_flag(struct gw_slice flag);
const struct gw_key *gw_keys_find_environment(struct gw_slice name);
/* Writes the regular name, such as GATEWAY_SERVER_PORT, also where the row has another. `name` has room for
 * GW_KEYS_NAME_BYTES. */
void gw_keys_regular_environment(const struct gw_key *key, char *name);
/* Writes the name of the variable that is read: the row's, otherwise the regular one. */
void gw_keys_environment(const struct gw_key *key, char *name);
/* The number of typing mistakes between the two; UINT_MAX: too many for one to be meant as the other. */
unsigned gw_keys_distance(struct gw_slice written, struct gw_slice meant);
/* The number of a choice, or -1. gw_keys_choice_text returns its text; the absent slice behind the last choice. */
int gw_keys_choice(const char *choices, struct gw_slice text);
struct gw_slice gw_keys_choice_text(const char *choices, unsigned number);

#endif
