/* Any bytes as a URI reference (Location, Content-Location): what it resolves to could stand in a request line, holds no
 * dot segment, and resolves to itself. The first byte chooses the base. */
#include "base/buffer.h"
#include "http/grammar.h"
#include "http/reference.h"
#include "fuzz/fuzz_input.h"

static const struct gw_reference bases[] = {
    { .scheme = { "http", 4 }, .authority = { "a", 1 }, .path = { "/b/c/d;p", 8 }, .query = { "q", 1 } },
    { .scheme = { "https", 5 }, .authority = { "[::1]:8", 7 }, .path = { "/", 1 } },
};

static bool has_dots(struct gw_slice path)
{
    for (size_t start = 0, end = 0; end <= path.length; end++) {
        if (end < path.length && path.at[end] != '/')
            continue;
        struct gw_slice segment = gw_slice_of(path.at + start, end - start);
        if (gw_slice_equal(segment, GW_SLICE(".")) || gw_slice_equal(segment, GW_SLICE("..")))
            return true;
        start = end + 1;
    }
    return false;
}

static void check(const struct gw_reference *target, struct gw_arena *arena)
{
    struct gw_buffer text = gw_buffer_create(1024 * 1024);
    struct gw_reference again;
    gw_buffer_put_slice(&text, target->scheme);
    gw_buffer_put_literal(&text, "://");
    gw_buffer_put_slice(&text, target->authority);
    size_t start = text.length;
    gw_buffer_put_slice(&text, target->path);
    if (target->query.at) {
        gw_buffer_put_literal(&text, "?");
        gw_buffer_put_slice(&text, target->query);
    }
    demand(gw_grammar_is_authority(target->authority) && !has_dots(target->path));
    demand(gw_grammar_is_origin_form(gw_slice_of(text.at + start, text.length - start)));
    demand(gw_reference_resolve(&again, arena, &bases[0], gw_buffer_slice(&text)));
    demand(gw_reference_same_origin(target, &again) && gw_slice_equal(again.path, target->path));
    demand(gw_slice_equal(again.query, target->query) && !again.query.at == !target->query.at);
    gw_buffer_destroy(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gw_reference target;
    struct gw_arena arena;
    if (size < 1)
        return 0;
    struct fuzz_input input = { .at = data + 1, .left = size - 1 };
    gw_arena_init(&arena, 1024, 4 * 1024 * 1024);
    if (gw_reference_resolve(&target, &arena, &bases[data[0] % GW_COUNT(bases)], fuzz_take(&input, input.left)))
        check(&target, &arena);
    gw_arena_free(&arena);
    fuzz_end(&input);
    return 0;
}
