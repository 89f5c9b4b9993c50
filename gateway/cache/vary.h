/* vary.h: which request fields select a stored response (RFC 9111 §4.1), and do another request's match?
 *
 * Data     The selection of a response is a head with only those fields of the request that its Vary names, each
 *          once, however often Vary names it, names in lower case; absent is value.at == NULL and matches only absent.
 * Form     Values are compared as they came, since so the backend gets them: it may see a difference where the RFC sees
 *          none. Only several lines of one name are one list, joined by ", " (RFC 9110 §5.3). Accept-Encoding has its
 *          normal form before (cache/accept_encoding.h), for the key and the backend.
 * Coded    A response with Content-Encoding is selected by Accept-Encoding even if its Vary does not say so: backends
 *          forget that, and a client that cannot decode must not get what another one asked for.
 * Bounds   A Vary of more than GW_VARY_NAMES members is as good as "*".
 * Side     Fields of a trusted peer that can change the answer although neither Vary nor the key names them
 *          (X-Forwarded-Host and -Prefix, X-Original-URL, X-Rewrite-URL and the like; not those that name the
 *          client) select like fields of Vary: a client that can smuggle one through the peer gets a
 *          variant of its own, and poisons no other. From other clients' requests they are removed before a look-up.
 *          Origin is one of them where head->origin_selects, and then it is never one that Vary names: backends that
 *          speak CORS name the origin of the request in their answers, and most of them forget Vary: Origin where they
 *          say nothing of CORS, to a request without Origin or of an origin that they refuse. So the answers of one URL
 *          would be of two sets of names, of which the cache keeps one.
 * Never    Fields that the gateway writes itself for the backend (X-Forwarded-For, Via, X-Request-Id …): the
 *          client's request does not show what the backend saw, so a Vary that names one is as good as "*". Host and
 *          scheme are in the key. */
#ifndef GW_CACHE_VARY_H
#define GW_CACHE_VARY_H

#include "cache/key.h"
#include "http/head.h"

enum { GW_VARY_NAMES = 64 };

/* Why no stored response can be selected by this Vary; the first that is met. */
enum gw_vary_limit {
    GW_VARY_SELECTS, /* one can */
    GW_VARY_ANY,     /* "*" */
    GW_VARY_OWN,     /* a field that the gateway writes */
    GW_VARY_UNCLEAR, /* no token, or too many */
};
enum gw_vary_limit gw_vary_limit(const struct gw_head *response);
static inline bool gw_vary_is_any(const struct gw_head *response)
{
    return gw_vary_limit(response) != GW_VARY_SELECTS;
}
/* Does Vary name anything? */
bool gw_vary_is_present(const struct gw_head *response);
bool gw_vary_has_side_fields(const struct gw_head *request);

struct gw_vary_size {
    unsigned named;  /* fields that Vary names */
    unsigned fields; /* and the side fields, which follow them */
    size_t bytes;    /* of all names and values */
};
struct gw_vary_size gw_vary_measure(const struct gw_head *request, const struct gw_head *response);
/* Into memory of the measured size. `request` must be the head that look-ups see, as it was then: not the one sent
 * upstream. */
void gw_vary_fill(struct gw_head *selection, struct gw_field *fields, char *bytes, const struct gw_head *request,
                  const struct gw_head *response);
/* Measures and fills, for the readers of a fetch. False: the arena is full. */
bool gw_vary_select(struct gw_head *selection, struct gw_arena *arena, const struct gw_head *request,
                    const struct gw_head *response) GW_MUST_CHECK;

bool gw_vary_matches(const struct gw_head *selection, const struct gw_head *request, bool request_has_side_fields);

/* The same selection from the names alone, as an index in the store has them ("accept-encoding,accept-language"). False
 * at the arena's bound. */
bool gw_vary_select_by_names(struct gw_head *selection, struct gw_arena *arena, const struct gw_head *request,
                             struct gw_slice names) GW_MUST_CHECK;
/* The names of a selection that Vary names, in that form. How many bytes; 0 where there are none; SIZE_MAX: more than
 * `room`. */
size_t gw_vary_print_names(const struct gw_head *selection, unsigned named, char *text, size_t room);
/* Which variant: SHA-256 of names and values of the whole selection (redis/README.md has the text). */
void gw_vary_digest(struct gw_key_maker *maker, const struct gw_head *selection, uint8_t digest[32]);
/* Same names in the first `named` fields, in the same order. */
bool gw_vary_same_names(const struct gw_head *a, unsigned a_named, const struct gw_head *b, unsigned b_named);
/* Same names and values altogether: the same requests are answered. */
bool gw_vary_same(const struct gw_head *a, const struct gw_head *b);

#endif
