/* Any bytes as Range and If-Range, beside a response of any length: a part lies within the body. The first eight bytes
 * are the length; the lines are Range, If-Range, and the response's ETag and Last-Modified. */
#include "cache/range.h"
#include "fuzz/fuzz_input.h"

static struct gw_slice next_line(struct gw_slice *text)
{
    const char *end = text->length ? memchr(text->at, '\n', text->length) : NULL;
    size_t length = end ? (size_t)(end - text->at) : text->length;
    struct gw_slice line = gw_slice_of(text->at, length);
    *text = gw_slice_of(text->at + length + (end != NULL), text->length - length - (end != NULL));
    return line;
}

static void add(struct gw_head *head, struct gw_arena *arena, struct gw_slice name, struct gw_slice value)
{
    if (value.length)
        demand(gw_head_add(head, arena, name, value));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gw_head request, response;
    struct gw_arena arena;
    struct gw_range_part part = { 0 };
    uint64_t body_bytes;
    if (size < sizeof body_bytes)
        return 0;
    memcpy(&body_bytes, data, sizeof body_bytes);
    body_bytes >>= 1; /* INT64_MAX at most, as everywhere */
    struct fuzz_input input = { .at = data + sizeof body_bytes, .left = size - sizeof body_bytes };
    struct gw_slice text = fuzz_take(&input, input.left);

    gw_arena_init(&arena, 1024, 1024 * 1024);
    gw_head_init(&request);
    gw_head_init(&response);
    request.method = GW_METHOD_GET;
    response.status = 200;
    add(&request, &arena, GW_SLICE("Range"), next_line(&text));
    add(&request, &arena, GW_SLICE("If-Range"), next_line(&text));
    add(&response, &arena, GW_SLICE("ETag"), next_line(&text));
    add(&response, &arena, GW_SLICE("Last-Modified"), next_line(&text));
    if (gw_range_of(&request, &response, body_bytes, 1700000000, &part) == GW_RANGE_PART)
        demand(part.length > 0 && part.first < body_bytes && part.length <= body_bytes - part.first);
    gw_arena_free(&arena);
    fuzz_end(&input);
    return 0;
}
