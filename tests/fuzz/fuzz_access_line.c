/* Any request as a line of the access log: JSON is always one valid object on one line of UTF-8; the text form is one
 * line of printable ASCII. */
#include <cjson/cJSON.h>
#include "fuzz/fuzz_input.h"
#include "telemetry/access_line.h"

static void fill(struct fuzz_input *input, struct gw_request_record *record, struct gw_route *route)
{
    route->name = fuzz_slice(input);
    *record = (struct gw_request_record) {
        .began_at_us = fuzz_number(input, 8),
        .ended_at_us = fuzz_number(input, 8),
        .began_wall_us = (int64_t)fuzz_number(input, 8),
        .status = (int)(int16_t)fuzz_number(input, 2),
        .bytes_received = fuzz_number(input, 8),
        .bytes_sent = fuzz_number(input, 8),
        .upstream_us = fuzz_number(input, 8),
        .limit_remaining = fuzz_number(input, 8),
        .cache = (enum gw_cache_label)(fuzz_number(input, 1) % (GW_CACHE_LABEL_COUNT)),
        .limit = (enum gw_limit_label)(fuzz_number(input, 1) % (GW_LIMIT_LABEL_COUNT)),
        .error = (enum gw_error)(fuzz_number(input, 1) % GW_ERROR_COUNT),
    };
    unsigned flags = (unsigned)fuzz_number(input, 1);
    record->has_upstream = flags & 1;
    record->is_admin = flags & 2;
    record->route = flags & 4 ? route : NULL;
    record->request_id = fuzz_slice(input);
    record->client = fuzz_slice(input);
    record->method_text = fuzz_slice(input);
    record->version = fuzz_slice(input);
    record->upstream = fuzz_slice(input);
    record->user_agent = fuzz_slice(input);
    record->referer_host = fuzz_slice(input);
    record->target = fuzz_take(input, input->left);
}

/* Without its line feed, which must be the only one. */
static struct gw_slice one_line(const struct gw_buffer *buffer)
{
    demand(!buffer->overflowed && buffer->length && buffer->at[buffer->length - 1] == '\n');
    struct gw_slice line = gw_slice_of(buffer->at, buffer->length - 1);
    demand(!memchr(line.at, '\n', line.length));
    return line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = { .at = data, .left = size };
    struct gw_access_line_clock clock = { .is_set = false };
    struct gw_buffer json = gw_buffer_create(1 << 24), text = gw_buffer_create(1 << 24);
    struct gw_request_record record;
    struct gw_route route = { .index = 0 };
    const char *end;
    fill(&input, &record, &route);
    gw_access_line_put_json(&json, &clock, &record);
    gw_access_line_put_text(&text, &clock, &record);
    struct gw_slice line = one_line(&json);
    cJSON *tree = cJSON_ParseWithLengthOpts(line.at, line.length, &end, 0);
    demand(tree && cJSON_IsObject(tree) && end == line.at + line.length && fuzz_is_utf8(line));
    cJSON_Delete(tree);
    demand(fuzz_is_printable(one_line(&text)));
    gw_buffer_destroy(&json);
    gw_buffer_destroy(&text);
    fuzz_end(&input);
    return 0;
}
