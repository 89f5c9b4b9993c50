#include "cache/redis_writes.h"

#include <stdlib.h>
#include "base/buffer.h"
#include "base/check.h"
#include "base/clock.h"
#include "cache/frame.h"
#include "cache/key.h"
#include "cache/vary.h"

enum { KEPT_FREE = 256 /* to be used again */, WRITE_MAGIC = 0x57524954 /* WRIT */ };

struct write {
    struct gw_magic magic;
    struct gw_writes *writes;
    void (*on_stored)(void *owner);
    void *owner;
};

void gw_writes_init(struct gw_writes *writes)
{
    gw_random_init(&writes->random);
    gw_free_list_init(&writes->free, sizeof(struct write), KEPT_FREE, NULL);
    writes->paused_until_us = 0;
}

void gw_writes_free(struct gw_writes *writes)
{
    gw_free_list_trim(&writes->free, 0);
}

uint64_t gw_writes_hash(struct gw_slice names)
{
    return gw_frame_check(names.length ? names.at : "", names.length, 0);
}

void gw_writes_variant(struct gw_key_maker *keys, const struct gw_head *selection,
                       uint8_t variant[GW_FRAME_VARIANT_BYTES])
{
    uint8_t digest[32];
    gw_vary_digest(keys, selection, digest);
    memcpy(variant, digest, GW_FRAME_VARIANT_BYTES);
}

static void redis_writes_make_version(struct gw_writes *writes, uint8_t version[GW_FRAME_VERSION_BYTES])
{
    uint64_t word = gw_random_next(&writes->random);
    memcpy(version, &word, GW_FRAME_VERSION_BYTES);
}

/* What store.lua is given. */
struct order {
    struct gw_key_text base, variant;
    struct gw_slice base_version; /* that may be written over; empty: nothing lay there */
    int64_t life_ms;
    char index[GW_FRAME_SHORT_BYTES + 2 + GW_FRAME_NAMES_BYTES];
    size_t index_bytes; /* 0: no variant */
    uint8_t variant_id[GW_FRAME_VARIANT_BYTES];
    struct gw_slice value;  /* empty: a deletion */
    struct gw_block *block; /* that it lies in, to be shared; NULL: copied */
};

static void redis_writes_on_stored(void *owner, const struct gw_store_reply *reply)
{
    struct write *write = GW_FROM_CONTEXT(owner, struct write, WRITE_MAGIC);
    struct gw_writes *writes = write->writes;
    void (*on_stored)(void *) = write->on_stored;
    void *asker = write->owner;
    if (reply->result == GW_STORE_OOM)
        writes->paused_until_us = gw_clock_monotonic_us() + (uint64_t)GW_REDIS_CACHE_PAUSE_MS * 1000;
    else if (reply->result == GW_STORE_INTEGERS && reply->integer_count == 1 && reply->integers[0] == 0)
        gw_counter_add(&writes->shard->cache_stores_raced, 1);
    write->magic = GW_NO_MAGIC;
    gw_free_list_give(&writes->free, write);
    if (on_stored)
        on_stored(asker);
}

static bool redis_writes_send_order(struct gw_writes *writes, const struct gw_cache_key *key, const struct order *order,
                                    void (*on_stored)(void *owner), void *owner)
{
    char digits[24];
    struct gw_buffer life = gw_buffer_over(digits, sizeof digits);
    struct gw_slice keys[] = { order->base.slice, order->variant.slice }, arguments[5];
    unsigned count = 0;
    struct write *write = gw_free_list_take(&writes->free, NULL);
    if (!write)
        return false;
    *write = (struct write) {
        .magic = GW_MAGIC(WRITE_MAGIC), .writes = writes, .on_stored = on_stored, .owner = owner
    };
    gw_buffer_put_uint(&life, (uint64_t)order->life_ms);
    arguments[count++] = order->base_version;
    arguments[count++] = gw_buffer_slice(&life);
    if (order->index_bytes) {
        arguments[count++] = gw_slice_of(order->index, order->index_bytes);
        arguments[count++] = gw_slice_of((const char *)order->variant_id, GW_FRAME_VARIANT_BYTES);
    }
    if (!order->block)
        arguments[count++] = order->value;
    gw_memory_cache_invalidate(writes->memory_cache, key);
    if (gw_store_run(writes->store, GW_STORE_PUT, keys, order->index_bytes ? 2 : 1, arguments, count,
                     order->block ? order->value : GW_NO_SLICE, order->block, redis_writes_on_stored, write))
        return true;
    write->magic = GW_NO_MAGIC;
    gw_free_list_give(&writes->free, write);
    return false;
}

static struct gw_slice redis_writes_version_of(const struct gw_base_version *base_version)
{
    bool has_version = base_version->kind == GW_BASE_VERSION || base_version->kind == GW_BASE_INDEX;
    return has_version ? gw_slice_of((const char *)base_version->version, GW_FRAME_VERSION_BYTES) : GW_SLICE("");
}

/* Makes the entry a variant: beside those of the index that was seen if the names are the same, otherwise as the first of a
 * new index. An index without names has only side fields (cache/vary.h); there an entry without a selection is a variant,
 * too. */
static bool redis_writes_make_variant(struct gw_writes *writes, struct order *order, const struct gw_entry *entry,
                                      const struct gw_base_version *base_version,
                                      uint8_t generation[GW_FRAME_VERSION_BYTES])
{
    char names[GW_FRAME_NAMES_BYTES];
    size_t length = gw_vary_print_names(&entry->vary_values, entry->vary_named, names, sizeof names);
    if (length > sizeof names)
        return false;
    struct gw_slice list = gw_slice_of(names, length);
    bool is_seen = base_version->kind == GW_BASE_INDEX && base_version->names_hash == gw_writes_hash(list);
    memset(generation, 0, GW_FRAME_VERSION_BYTES);
    if (!entry->vary_values.count && !is_seen)
        return true;
    if (is_seen)
        memcpy(generation, base_version->version, GW_FRAME_VERSION_BYTES);
    else
        redis_writes_make_version(writes, generation);
    gw_writes_variant(writes->keys, &entry->vary_values, order->variant_id);
    gw_key_text_of_variant(&order->variant, writes->config->redis_prefix, &entry->key, order->variant_id);
    order->index_bytes = gw_frame_encode_index(order->index, generation, order->life_ms, list);
    gw_vary_hints_put(writes->hints, &entry->key, list);
    return order->index_bytes > 0;
}

bool gw_writes_entry(struct gw_writes *writes, const struct gw_entry *entry, const struct gw_base_version *base_version,
                     void (*on_stored)(void *owner), void *owner)
{
    uint8_t version[GW_FRAME_VERSION_BYTES], generation[GW_FRAME_VERSION_BYTES];
    uint64_t now_us = gw_clock_monotonic_us();
    struct order order = { .base_version = redis_writes_version_of(base_version),
                           .life_ms = gw_frame_life_ms(entry, now_us) };
    if (order.life_ms <= 0 || !redis_writes_make_variant(writes, &order, entry, base_version, generation))
        return false;
    gw_key_text_of_base(&order.base, writes->config->redis_prefix, &entry->key);
    redis_writes_make_version(writes, version);
    order.block = gw_frame_encode(entry, version, generation, order.life_ms, gw_entry_age_s(entry, now_us));
    if (!order.block)
        return false;
    order.value = gw_slice_of(order.block->bytes, order.block->capacity);
    bool is_sent = redis_writes_send_order(writes, &entry->key, &order, on_stored, owner);
    gw_block_unref(order.block);
    return is_sent;
}

void gw_writes_mark(struct gw_writes *writes, const struct gw_cache_key *key,
                    const struct gw_base_version *base_version, int64_t life_ms, bool for_credentials)
{
    uint8_t version[GW_FRAME_VERSION_BYTES];
    char value[GW_FRAME_SHORT_BYTES];
    struct order order = { .base_version = redis_writes_version_of(base_version), .life_ms = life_ms };
    redis_writes_make_version(writes, version);
    gw_frame_encode_mark(value, version, life_ms, for_credentials);
    gw_key_text_of_base(&order.base, writes->config->redis_prefix, key);
    order.value = gw_slice_of(value, sizeof value);
    (void)redis_writes_send_order(writes, key, &order, NULL, NULL);
}

bool gw_writes_removal(struct gw_writes *writes, const struct gw_cache_key *key, const uint8_t *variant,
                       struct gw_slice corrupt)
{
    struct gw_slice prefix = writes->config->redis_prefix;
    uint8_t version[GW_FRAME_VERSION_BYTES];
    bool has_version = gw_frame_read_version(corrupt, version);
    struct order order = { .base_version = has_version ? gw_slice_of((const char *)version, sizeof version)
                                                       : GW_SLICE(""),
                           .value = GW_SLICE("") };
    gw_counter_add(&writes->shard->cache_corrupt, 1);
    if (variant)
        gw_key_text_of_variant(&order.base, prefix, key, variant);
    else
        gw_key_text_of_base(&order.base, prefix, key);
    return redis_writes_send_order(writes, key, &order, NULL, NULL);
}
