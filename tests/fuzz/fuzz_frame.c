/* Any bytes as a value below <prefix>cache:. What is read as a response or an index can be written, and read again as
 * the same. The first byte chooses: as it is, or with magic and check put right, so that the rest is looked at. */
#include <stdlib.h>
#include "cache/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct gw_cache_key key = { .sha = { 1 } };

static size_t checked_end(const char *bytes, size_t length)
{
    if (bytes[4] != 'I' || length < 42)
        return length;
    size_t end = 42 + (size_t)gw_frame_read_number((const uint8_t *)bytes + 40, 2);
    return end < length ? end : length;
}

static void seal(char *bytes, size_t length)
{
    if (length < GW_FRAME_SHORT_BYTES)
        return;
    memcpy(bytes, "GWC2", 4);
    uint64_t check = gw_frame_check(bytes + 32, checked_end(bytes, length) - 32,
                                    gw_frame_read_number((const uint8_t *)bytes + 8, 8));
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

static void demand(bool holds)
{
    if (!holds)
        abort();
}

/* There is one way to write it. */
static void check_again(const struct gw_entry *entry, const struct gw_frame *frame, struct gw_slice value)
{
    struct gw_block *block = gw_frame_encode(entry, frame->version, frame->generation, frame->life_ms, entry->age_s);
    demand(block && gw_slice_equal(gw_slice_of(block->bytes, block->capacity), value));
    gw_block_unref(block);
}

static void check_index(const struct gw_frame *frame, struct gw_slice value)
{
    char again[GW_FRAME_SHORT_BYTES + 2 + GW_FRAME_NAMES_BYTES];
    size_t length = gw_frame_encode_index(again, frame->version, frame->life_ms, frame->names);
    demand(length && length + frame->variants.length == value.length &&
           memcmp(again + 40, value.at + 40, length - 40) == 0);
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
    struct gw_slice value = gw_slice_of(bytes, size - 1);
    struct gw_entry *entry = read_entry(value, &frame);
    if (entry)
        check_again(entry, &frame, value);
    if (frame.kind == GW_FRAME_INDEX)
        check_index(&frame, value);
    gw_entry_unref(entry);
    free(bytes);
    return 0;
}
