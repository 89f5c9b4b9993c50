/* Any bytes as a query and as the names that are left out of the key: it never grows, and normalised once more it is the
 * same. The first line is the list, by commas; the first byte chooses sorting. */
#include "cache/query_string.h"
#include "fuzz/fuzz_input.h"

static unsigned split(struct gw_slice line, struct gw_slice *items, unsigned most)
{
    unsigned count = 0;
    while (line.length && count < most) {
        const char *comma = memchr(line.at, ',', line.length);
        size_t length = comma ? (size_t)(comma - line.at) : line.length;
        if (length) /* the configuration has no empty one */
            items[count++] = gw_slice_of(line.at, length);
        line = comma ? gw_slice_of(comma + 1, line.length - length - 1) : GW_NO_SLICE;
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct gw_slice secret[] = { { "api_key", 7 }, { "*token", 6 } };
    struct gw_slice items[8];
    struct gw_names credentials;
    struct gw_arena arena;
    if (size < 1)
        return 0;
    struct fuzz_input input = { .at = data + 1, .left = size - 1 };
    struct gw_slice text = fuzz_take(&input, input.left), query = GW_NO_SLICE;
    const char *end = text.length ? memchr(text.at, '\n', text.length) : NULL;
    if (end) {
        query = gw_slice_of(end + 1, text.length - (size_t)(end + 1 - text.at));
        text.length = (size_t)(end - text.at);
    }
    struct gw_strings ignore = { .items = items, .count = split(text, items, GW_COUNT(items)) };
    gw_names_init(&credentials, secret, GW_COUNT(secret));
    gw_arena_init(&arena, 1024, 16 * 1024 * 1024);
    bool sort = data[0] & 1;
    struct gw_slice once = gw_query_string_normalise(query, &ignore, &credentials, sort, &arena);
    struct gw_slice twice = gw_query_string_normalise(once, &ignore, &credentials, sort, &arena);
    demand(once.length <= query.length && (query.at || !once.at));
    demand(gw_slice_equal(once, twice) && !once.at == !twice.at);
    gw_arena_free(&arena);
    fuzz_end(&input);
    return 0;
}
