#include "cache/text.h"

#include "base/buffer.h"

void gw_text_of_base(struct gw_text *text, struct gw_slice prefix, const struct gw_cache_key *key)
{
    gw_key_put_text(key, prefix, text->bytes);
    text->slice = gw_slice_of(text->bytes, prefix.length + GW_KEY_TEXT_BYTES);
}

void gw_text_of_variant(struct gw_text *text, struct gw_slice prefix, const struct gw_cache_key *key,
                        const uint8_t variant[GW_FRAME_VARIANT_BYTES])
{
    gw_text_of_base(text, prefix, key);
    struct gw_buffer buffer = gw_buffer_over(text->bytes, sizeof text->bytes);
    buffer.length = text->slice.length;
    gw_buffer_put_char(&buffer, ':');
    gw_buffer_put_hex(&buffer, variant, GW_FRAME_VARIANT_BYTES);
    text->slice = gw_buffer_slice(&buffer);
}

void gw_text_of_lock(struct gw_text *text, struct gw_slice prefix, const struct gw_cache_key *key)
{
    static const char cache[] = "cache:", lock[] = "lock:";
    enum { CACHE_BYTES = sizeof cache - 1, LOCK_BYTES = sizeof lock - 1 };
    gw_text_of_base(text, prefix, key);
    char *at = text->bytes + prefix.length;
    memcpy(at, lock, LOCK_BYTES);
    memmove(at + LOCK_BYTES, at + CACHE_BYTES, GW_KEY_TEXT_BYTES - CACHE_BYTES);
    text->slice.length -= CACHE_BYTES - LOCK_BYTES;
}
