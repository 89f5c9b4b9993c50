#include "cache/key.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include "base/buffer.h"
#include "base/hex.h"
#include "base/random.h"
#include "http/grammar.h"

enum { PENDING_BYTES = 512, REMEMBERED_BYTES = 384 };

struct gw_key_maker {
    EVP_MD *sha256;
    EVP_MD_CTX *context;

    bool failed; /* the digest being made */
    size_t pending;
    char bytes[PENDING_BYTES]; /* what the digest gets next: one call of OpenSSL costs as much as copying a whole target
                                */

    /* the last name space */
    size_t route_length, scheme_length, host_length;
    char remembered[REMEMBERED_BYTES]; /* route, scheme and host as they came; none: all lengths are 0 */
    uint8_t name_space[32];
};

struct gw_key_maker *gw_key_maker_create(void)
{
    struct gw_key_maker *maker = calloc(1, sizeof *maker);
    if (!maker)
        return NULL;
    maker->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    maker->context = EVP_MD_CTX_new();
    if (!maker->sha256 || !maker->context || EVP_DigestInit_ex2(maker->context, maker->sha256, NULL) != 1)
        gw_key_maker_destroy(&maker);
    return maker;
}

void gw_key_maker_destroy(struct gw_key_maker **maker)
{
    if (*maker) {
        EVP_MD_CTX_free((*maker)->context);
        EVP_MD_free((*maker)->sha256);
        free(*maker);
    }
    *maker = NULL;
}

static void key_begin(struct gw_key_maker *maker)
{
    maker->pending = 0;
    maker->failed = EVP_DigestInit_ex2(maker->context, maker->sha256, NULL) != 1;
}

static void key_flush(struct gw_key_maker *maker)
{
    if (maker->pending && EVP_DigestUpdate(maker->context, maker->bytes, maker->pending) != 1)
        maker->failed = true;
    maker->pending = 0;
}

static void key_feed(struct gw_key_maker *maker, struct gw_slice text)
{
    if (text.length > PENDING_BYTES - maker->pending)
        key_flush(maker);
    if (text.length > PENDING_BYTES) {
        if (EVP_DigestUpdate(maker->context, text.at, text.length) != 1)
            maker->failed = true;
        return;
    }
    if (text.length)
        memcpy(maker->bytes + maker->pending, text.at, text.length);
    maker->pending += text.length;
}

static void key_feed_char(struct gw_key_maker *maker, char c)
{
    if (maker->pending == PENDING_BYTES)
        key_flush(maker);
    maker->bytes[maker->pending++] = c;
}

/* A random digest rather than one of half the text: a wrong hit is worse than a miss. */
static void key_end(struct gw_key_maker *maker, uint8_t digest[32])
{
    unsigned length = 0;
    key_flush(maker);
    if (EVP_DigestFinal_ex(maker->context, digest, &length) == 1 && !maker->failed && length == 32)
        return;
    for (size_t i = 0; i < 4; i++) {
        uint64_t unique = gw_random_seed();
        memcpy(digest + 8 * i, &unique, sizeof unique);
    }
}

static void key_feed_lower(struct gw_key_maker *maker, struct gw_slice host)
{
    for (size_t i = 0; i < host.length; i++) {
        char c = host.at[i];
        key_feed_char(maker, c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c);
    }
}

static void key_remember(struct gw_key_maker *maker, struct gw_slice route, struct gw_slice scheme,
                         struct gw_slice host)
{
    const struct gw_slice parts[] = { route, scheme, host };
    char *at = maker->remembered;
    bool fits = host.length <= REMEMBERED_BYTES && route.length + scheme.length <= REMEMBERED_BYTES - host.length;
    maker->route_length = fits ? route.length : 0;
    maker->scheme_length = fits ? scheme.length : 0;
    maker->host_length = fits ? host.length : 0;
    for (size_t i = 0; fits && i < GW_COUNT(parts); i++) {
        if (parts[i].length)
            memcpy(at, parts[i].at, parts[i].length);
        at += parts[i].length;
    }
}

static void key_make_name_space(struct gw_key_maker *maker, struct gw_slice route, struct gw_slice scheme,
                                struct gw_slice host)
{
    key_begin(maker);
    key_feed(maker, route);
    key_feed_char(maker, '\n');
    key_feed(maker, scheme);
    key_feed_char(maker, '\n');
    key_feed_lower(maker, gw_grammar_normal_authority(scheme, host));
    key_end(maker, maker->name_space);
    key_remember(maker, route, scheme, host);
}

void gw_key_make(struct gw_key_maker *maker, struct gw_slice method, struct gw_slice path, struct gw_slice query,
                 struct gw_slice route, struct gw_slice scheme, struct gw_slice host, struct gw_cache_key *key)
{
    key_begin(maker);
    key_feed(maker, method);
    key_feed_char(maker, ':');
    if (!path.length || !memchr(path.at, ':', path.length))
        key_feed(maker, path);
    else
        for (size_t i = 0; i < path.length; i++)
            key_feed_char(maker, path.at[i] == ':' ? '?' : path.at[i]);
    if (!query.at || query.length)
        key_feed_char(maker, ':');
    key_feed(maker, query);
    key_end(maker, key->sha);

    const char *at = maker->remembered;
    const struct gw_slice known_route = gw_slice_of(at, maker->route_length);
    const struct gw_slice known_scheme = gw_slice_of(at + maker->route_length, maker->scheme_length);
    const struct gw_slice known_host = gw_slice_of(known_scheme.at + maker->scheme_length, maker->host_length);
    bool is_remembered = maker->route_length + maker->scheme_length + maker->host_length > 0 &&
                         gw_slice_equal(route, known_route) && gw_slice_equal(scheme, known_scheme) &&
                         gw_slice_equal(host, known_host);
    if (!is_remembered)
        key_make_name_space(maker, route, scheme, host);
    memcpy(key->name_space, maker->name_space, sizeof key->name_space);
}

void gw_key_digest(struct gw_key_maker *maker, struct gw_slice bytes, uint8_t digest[32])
{
    key_begin(maker);
    key_feed(maker, bytes);
    key_end(maker, digest);
}

void gw_key_print(const struct gw_cache_key *key, char *hex)
{
    gw_hex_put(hex, key->sha, sizeof key->sha);
}

static const char kind[] = "cache:", between[] = ":{";

void gw_key_put_text(const struct gw_cache_key *key, struct gw_slice prefix, char *text)
{
    memcpy(text, prefix.at, prefix.length);
    text += prefix.length;
    memcpy(text, kind, sizeof kind - 1);
    text = gw_hex_put(text + sizeof kind - 1, key->name_space, sizeof key->name_space);
    memcpy(text, between, sizeof between - 1);
    text = gw_hex_put(text + sizeof between - 1, key->sha, sizeof key->sha);
    *text = '}';
}

static int key_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool key_read_hex(uint8_t *bytes, size_t length, const char *at)
{
    for (size_t i = 0; i < length; i++) {
        int high = key_digit(at[2 * i]), low = key_digit(at[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

bool gw_key_read_text(struct gw_cache_key *key, struct gw_slice prefix, struct gw_slice text)
{
    if (text.length != prefix.length + GW_KEY_TEXT_BYTES || !gw_slice_starts_with(text, prefix))
        return false;
    const char *name_space = text.at + prefix.length + sizeof kind - 1, *sha = name_space + GW_KEY_HEX_BYTES + 2;
    return memcmp(text.at + prefix.length, kind, sizeof kind - 1) == 0 &&
           memcmp(sha - 2, between, sizeof between - 1) == 0 && text.at[text.length - 1] == '}' &&
           key_read_hex(key->name_space, sizeof key->name_space, name_space) &&
           key_read_hex(key->sha, sizeof key->sha, sha);
}

void gw_key_text_of_base(struct gw_key_text *text, struct gw_slice prefix, const struct gw_cache_key *key)
{
    gw_key_put_text(key, prefix, text->bytes);
    text->slice = gw_slice_of(text->bytes, prefix.length + GW_KEY_TEXT_BYTES);
}

void gw_key_text_of_variant(struct gw_key_text *text, struct gw_slice prefix, const struct gw_cache_key *key,
                            const uint8_t variant[GW_KEY_VARIANT_BYTES])
{
    gw_key_text_of_base(text, prefix, key);
    struct gw_buffer buffer = gw_buffer_over(text->bytes, sizeof text->bytes);
    buffer.length = text->slice.length;
    gw_buffer_put_char(&buffer, ':');
    gw_buffer_put_hex(&buffer, variant, GW_KEY_VARIANT_BYTES);
    text->slice = gw_buffer_slice(&buffer);
}

void gw_key_text_of_lock(struct gw_key_text *text, struct gw_slice prefix, const struct gw_cache_key *key)
{
    static const char cache[] = "cache:", lock[] = "lock:";
    enum { CACHE_BYTES = sizeof cache - 1, LOCK_BYTES = sizeof lock - 1 };
    gw_key_text_of_base(text, prefix, key);
    char *at = text->bytes + prefix.length;
    memcpy(at, lock, LOCK_BYTES);
    memmove(at + LOCK_BYTES, at + CACHE_BYTES, GW_KEY_TEXT_BYTES - CACHE_BYTES);
    text->slice.length -= CACHE_BYTES - LOCK_BYTES;
}
