/* Any bytes as a request or as an answer: however they are cut, the same is read; what is read can be written and read
 * again; and no piece is looked at beyond its end. The first two bytes choose: side and method, and how to cut. */
#include "unit/http/reading.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_head(const struct reading *reading)
{
    char memory[8192];
    const struct gw_head *head = &reading->head;
    struct gw_buffer buffer = gw_buffer_over(memory, sizeof memory);
    gw_buffer_put_literal(&buffer, "GET / HTTP/1.1\r\n");
    if (!gw_head_find(head, GW_FIELD_HOST))
        gw_buffer_put_literal(&buffer, "Host: a\r\n");
    gw_head_put_fields(head, &buffer);
    gw_buffer_put_literal(&buffer, "\r\n");

    static const struct reading_way way = { .limits = { 8192, 8192, 100 } };
    struct reading again;
    reading_run(&again, &way, gw_buffer_slice(&buffer), buffer.length, 1);
    /* What a response may hold and a request may not is judged by other rows. */
    bool is_other = again.error == GW_ERROR_HOST || again.error == GW_ERROR_EXPECTATION;
    if (!buffer.overflowed && again.last != GW_PARSER_END && !is_other)
        abort();
    if (again.last == GW_PARSER_END && again.rest)
        abort();
    reading_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct reading_way way = { .is_response = data[0] & 1,
                               .asked = data[0] & 2 ? GW_METHOD_HEAD : GW_METHOD_GET,
                               .limits = { data[0] & 4 ? 64 : 1024, data[0] & 4 ? 256 : 4096, data[0] & 4 ? 4 : 50 },
                               .finishes = data[0] & 8 };
    struct gw_slice bytes = gw_slice_of((const char *)data + 2, size - 2);
    size_t first = data[1] + 1u;
    struct reading whole;
    reading_run(&whole, &way, bytes, bytes.length ? bytes.length : 1, 1);
    if (!reading_same(&whole, &way, bytes, 1, 1) || !reading_same(&whole, &way, bytes, first, bytes.length + 1) ||
        !reading_same(&whole, &way, bytes, first, first))
        abort();
    if (whole.has_head)
        check_head(&whole);
    reading_free(&whole);
    return 0;
}
