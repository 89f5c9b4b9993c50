/* digest.h: SHA-256 of a field's value, so that a secret (an API key) is not kept, and a value of any length fits into
 * a client's key.
 *
 * Memory   OpenSSL's one-shot digest allocates a context each time. Here a few contexts are made when they are first
 *          needed, and kept.
 * Threads  Any thread. A thread always uses the same context. With more than GW_DIGEST_SLOTS threads, some share a
 *          context and wait for each other for one digest. */
#ifndef GW_LIMIT_DIGEST_H
#define GW_LIMIT_DIGEST_H

#include "base/base.h"
#include "base/slice.h"

enum { GW_DIGEST_SLOTS = 16, GW_DIGEST_BYTES = 32 };

struct gw_digest;

/* NULL when memory is out or OpenSSL has no SHA-256. */
struct gw_digest *gw_digest_create(void) GW_MUST_CHECK;
void gw_digest_destroy(struct gw_digest **digest);
/* False when memory is out; `bytes` must not be used then. */
bool gw_digest_sha256(struct gw_digest *digest, struct gw_slice value, uint8_t bytes[GW_DIGEST_BYTES]) GW_MUST_CHECK;

#endif
