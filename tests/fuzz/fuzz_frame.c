/* Any bytes as a value below <prefix>cache:. What is read as a response can be written, and read again as the same. The
 * first byte chooses: as it is, or with magic and check put right, so that the rest is looked at. */
#include <stdlib.h>
#include "cache/frame.h"
#include "cache/xxh64.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct gw_cache_key key = { .sha = { 1 } };

static void seal(char *bytes, size_t length)
{
    if (length < GW_FRAME_SHORT_BYTES)
        return;
    memcpy(bytes, "GWC1", 4);
    uint64_t check = gw_xxh64(bytes + 32, length - 32, gw_xxh64_read((const uint8_t *)bytes + 8, 8));
    for (unsigned i = 0; i < 8; i++)
        bytes[24 + i] = (char)(unsigned char)(check >> 8 * i);
}

static struct gw_entry *read_entry(struct gw_slice value, struct gw_frame *frame)
{
    struct gw_entry *entry = NULL;
    gw_frame_read(frame, value);
    if (frame->kind == GW_FRAME_RESPONSE && !gw_frame_decode(value, frame, &key, 0, 0, &entry))
        return NULL;
    return entry;
}

static void check_again(const struct gw_entry *entry, const struct gw_frame *frame)
{
    struct gw_frame header;
    struct gw_block *block = gw_frame_encode(entry, frame->version, frame->life_ms, entry->age_s);
    if (!block)
        abort();
    struct gw_entry *again = read_entry(gw_slice_of(block->bytes, block->capacity), &header);
    if (!again || !gw_slice_equal(again->head_text, entry->head_text) || !gw_slice_equal(again->url, entry->url) ||
        again->age_s != entry->age_s || again->freshness_s != entry->freshness_s ||
        again->body_bytes != entry->body_bytes || again->vary_values.count != entry->vary_values.count ||
        (entry->body_bytes && memcmp(again->body->bytes, entry->body->bytes, entry->body_bytes) != 0))
        abort();
    gw_entry_drop(again);
    gw_block_drop(block);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gw_frame frame;
    if (size < 1)
        return 0;
    char *bytes = malloc(size > 1 ? size - 1 : 1); /* exact: a read beyond the end is found */
    if (!bytes)
        return 0;
    memcpy(bytes, data + 1, size - 1);
    if (data[0] & 1)
        seal(bytes, size - 1);
    struct gw_entry *entry = read_entry(gw_slice_of(bytes, size - 1), &frame);
    free(bytes);
    if (entry)
        check_again(entry, &frame);
    gw_entry_drop(entry);
    return 0;
}
