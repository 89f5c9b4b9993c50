#include "store/scripts.h"

#include <openssl/evp.h>
#include "base/buffer.h"

/* The build makes these from redis/ (cmake/GatewayEmbed.cmake). */
extern const unsigned char gw_embedded_token_bucket[], gw_embedded_store[], gw_embedded_purge[],
    gw_embedded_fetch_lock[];
extern const size_t gw_embedded_token_bucket_length, gw_embedded_store_length, gw_embedded_purge_length,
    gw_embedded_fetch_lock_length;

static struct gw_slice scripts_embedded(const unsigned char *bytes, size_t length)
{
    return gw_slice_of((const char *)bytes, length);
}

bool gw_scripts_init(struct gw_scripts *scripts)
{
    const struct gw_slice texts[GW_STORE_SCRIPTS] = {
        [GW_STORE_TOKEN_BUCKET] = scripts_embedded(gw_embedded_token_bucket, gw_embedded_token_bucket_length),
        [GW_STORE_PUT] = scripts_embedded(gw_embedded_store, gw_embedded_store_length),
        [GW_STORE_PURGE] = scripts_embedded(gw_embedded_purge, gw_embedded_purge_length),
        [GW_STORE_FETCH_LOCK] = scripts_embedded(gw_embedded_fetch_lock, gw_embedded_fetch_lock_length),
    };
    for (unsigned i = 0; i < GW_STORE_SCRIPTS; i++) {
        unsigned char digest[EVP_MAX_MD_SIZE];
        unsigned length = 0;
        struct gw_slice text = scripts->list[i].text = texts[i];
        if (EVP_Digest(text.at, text.length, digest, &length, EVP_sha1(), NULL) != 1)
            return false;
        struct gw_buffer hex = gw_buffer_over(scripts->list[i].sha, GW_SCRIPTS_SHA_BYTES);
        gw_buffer_put_hex(&hex, digest, length);
        if (hex.overflowed || hex.length != GW_SCRIPTS_SHA_BYTES)
            return false;
    }
    return true;
}
