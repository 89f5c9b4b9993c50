#include "limit/digest.h"
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct slot {
    _Alignas(64) pthread_mutex_t lock; /* a cache line for each slot */
    EVP_MD_CTX *context;               /* NULL until first needed */
};

struct gw_digest {
    EVP_MD *sha256;

    struct slot slots[GW_DIGEST_SLOTS];
};

struct gw_digest *gw_digest_create(void)
{
    struct gw_digest *digest = aligned_alloc(_Alignof(struct gw_digest), sizeof *digest);
    if (!digest)
        return NULL;
    memset(digest, 0, sizeof *digest);
    digest->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (!digest->sha256) {
        free(digest);
        return NULL;
    }
    for (unsigned i = 0; i < GW_DIGEST_SLOTS; i++)
        pthread_mutex_init(&digest->slots[i].lock, NULL);
    return digest;
}

void gw_digest_destroy(struct gw_digest **digest)
{
    if (!*digest)
        return;
    for (unsigned i = 0; i < GW_DIGEST_SLOTS; i++) {
        EVP_MD_CTX_free((*digest)->slots[i].context);
        pthread_mutex_destroy(&(*digest)->slots[i].lock);
    }
    EVP_MD_free((*digest)->sha256);
    free(*digest);
    *digest = NULL;
}

/* A thread gets its number when it first comes here. */
static unsigned digest_slot_of_thread(void)
{
    static atomic_uint threads;
    static _Thread_local unsigned number;
    if (!number)
        number = atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed) + 1;
    return number % GW_DIGEST_SLOTS;
}

static bool digest_in(struct slot *slot, const EVP_MD *sha256, struct gw_slice value, uint8_t *bytes)
{
    if (!slot->context)
        slot->context = EVP_MD_CTX_new();
    return slot->context && EVP_DigestInit_ex(slot->context, sha256, NULL) &&
           EVP_DigestUpdate(slot->context, value.at, value.length) && EVP_DigestFinal_ex(slot->context, bytes, NULL);
}

bool gw_digest_sha256(struct gw_digest *digest, struct gw_slice value, uint8_t bytes[GW_DIGEST_BYTES])
{
    struct slot *slot = &digest->slots[digest_slot_of_thread()];
    pthread_mutex_lock(&slot->lock);
    bool done = digest_in(slot, digest->sha256, value, bytes);
    pthread_mutex_unlock(&slot->lock);
    return done;
}
