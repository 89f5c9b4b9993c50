/* key.h: which stored response a request is about: sha = SHA256(method:path:query), in the name space of its route
 * and host.
 *
 * Text     "GET:/path:query"; without a query "GET:/path:". Two requests never share a text: a ':' within the path
 *          is written as '?', which no path can hold (else /a:b and /a?b: were one), and a query that is there but
 *          empty ("/path?") leaves the last ':' out.
 * Space    What the route's answers depend on beside the request: its backends (gw_route.cache_space), or
 *          cache.namespace. Gateways before other backends share nothing by accident.
 * Host     The host is in the key because the backend sees the client's Host (as Host or X-Forwarded-Host): what a
 *          backend can see and the key does not hold is a way to poison the cache. The scheme is in the key for the same
 *          reason (X-Forwarded-Proto). example.org and example.org:80 are one host for http (RFC 3986 §6.2.3), as are
 *          example.org and example.org:443 for https.
 * Threads  A gw_key_maker keeps a digest context and belongs to one worker. It remembers the last name space: one
 *          SHA-256 a request, usually.
 * Failure  If the digest itself fails (nothing should make it fail), the key is random. It equals no other key, so
 *          nothing is found by it. */
#ifndef GW_CACHE_KEY_H
#define GW_CACHE_KEY_H

#include <stdint.h>
#include "base/base.h"
#include "base/slice.h"

struct gw_key_maker;

struct gw_cache_key {
    uint8_t sha[32];        /* SHA256("GET:/path:query") */
    uint8_t name_space[32]; /* SHA256("space\nroute\nscheme\nhost in lower case"), without the scheme's own port */
};

enum {
    GW_KEY_HEX_BYTES = 64,
    GW_KEY_VARIANT_BYTES = 16, /* names a variant of a key: the beginning of gw_vary_digest */
    GW_KEY_PREFIX_BYTES = 32,  /* of redis.prefix, at most */
};

struct gw_key_maker *gw_key_maker_create(void) GW_MUST_CHECK; /* NULL when memory is out */
void gw_key_maker_destroy(struct gw_key_maker **maker);
/* Borrows all. route: its cache_space. query: absent (at == NULL) and empty are different. HEAD is keyed as GET by the
 * caller's `method`. */
void gw_key_make(struct gw_key_maker *maker, struct gw_slice method, struct gw_slice path, struct gw_slice query,
                 struct gw_slice route, struct gw_slice scheme, struct gw_slice host, struct gw_cache_key *key);
/* SHA-256 of anything; for limit keys by header too. */
void gw_key_digest(struct gw_key_maker *maker, struct gw_slice bytes, uint8_t digest[32]);
/* The sha in hex: GW_KEY_HEX_BYTES characters, not terminated. */
void gw_key_print(const struct gw_cache_key *key, char *hex);

/* As a shared store knows it: "<prefix>cache:<name space in hex>:{<sha in hex>}". The whole name space: an invalidation
 * must lead back to the key. The braces keep what belongs to one URL in one slot of a Redis Cluster. */
enum { GW_KEY_TEXT_BYTES = 6 + GW_KEY_HEX_BYTES + 2 + GW_KEY_HEX_BYTES + 1 }; /* behind the prefix */
/* Not terminated. */
void gw_key_put_text(const struct gw_cache_key *key, struct gw_slice prefix, char *text);
/* False for a text that is no such key. */
bool gw_key_read_text(struct gw_cache_key *key, struct gw_slice prefix, struct gw_slice text);

/* The same of the base, of one of its variants, and of its lock (redis/README.md). */
struct gw_key_text {
    struct gw_slice slice; /* of bytes: not to be copied */
    char bytes[GW_KEY_PREFIX_BYTES + GW_KEY_TEXT_BYTES + 1 + 2 * GW_KEY_VARIANT_BYTES];
};
/* "<prefix>cache:<name space>:{<sha>}" */
void gw_key_text_of_base(struct gw_key_text *text, struct gw_slice prefix, const struct gw_cache_key *key);
/* "<base>:<variant in hex>" */
void gw_key_text_of_variant(struct gw_key_text *text, struct gw_slice prefix, const struct gw_cache_key *key,
                            const uint8_t variant[GW_KEY_VARIANT_BYTES]);
/* "<prefix>lock:<name space>:{<sha>}" */
void gw_key_text_of_lock(struct gw_key_text *text, struct gw_slice prefix, const struct gw_cache_key *key);

#endif
