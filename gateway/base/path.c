#include "base/path.h"

#include "base/hex.h"

/* False: a byte is encoded, or a segment is empty or begins with a '.'. */
static bool path_is_plain(struct gw_slice path)
{
    const char *at = path.at, *end = path.at + path.length;
    if (memchr(at, '%', path.length))
        return false;
    for (; at; at = memchr(at, '/', (size_t)(end - at)))
        if (++at < end && (*at == '/' || *at == '.'))
            return false;
    return true;
}

static size_t path_decode(char *to, struct gw_slice path)
{
    size_t length = 0;
    for (size_t i = 0; i < path.length; i++) {
        int high = path.at[i] == '%' && i + 2 < path.length ? gw_hex_value(path.at[i + 1]) : -1;
        int low = high < 0 ? -1 : gw_hex_value(path.at[i + 2]);
        to[length++] = (char)(low < 0 ? path.at[i] : high * 16 + low);
        i += low < 0 ? 0 : 2;
    }
    return length;
}

/* Works in place: the place to write to is never ahead of the place to read from. */
static size_t path_resolve(char *text, size_t length, bool *climbs)
{
    size_t written = 0;
    for (size_t at = 0, end; at < length; at = end) { /* at a '/' */
        const char *next = memchr(text + at + 1, '/', length - at - 1);
        end = next ? (size_t)(next - text) : length;
        struct gw_slice segment = gw_slice_of(text + at + 1, end - at - 1);
        bool is_up = gw_slice_equal(segment, GW_SLICE(".."));
        if (segment.length && !is_up && !gw_slice_equal(segment, GW_SLICE("."))) {
            memmove(text + written, text + at, end - at);
            written += end - at;
            continue;
        }
        *climbs = *climbs || (is_up && !written);
        while (is_up && written && text[--written] != '/')
            ;
        if (end == length)
            text[written++] = '/';
    }
    return written;
}

static size_t path_merge_slashes(char *text, size_t length)
{
    size_t written = 0;
    for (size_t at = 0; at < length; at++)
        if (text[at] != '/' || written == 0 || text[written - 1] != '/')
            text[written++] = text[at];
    return written;
}

struct gw_slice gw_path_plain(struct gw_slice path, struct gw_arena *arena, struct gw_path_doubt *doubt)
{
    struct gw_path_doubt nobody_asks;
    doubt = doubt ? doubt : &nobody_asks;
    *doubt = (struct gw_path_doubt) { .literal = path };
    if (path.length == 0 || path.at[0] != '/' || path_is_plain(path))
        return path;
    char *text = gw_arena_take(arena, path.length), *literal = gw_arena_take(arena, path.length);
    if (!text || !literal)
        return path;
    size_t length = path_merge_slashes(text, path_decode(text, path));
    memcpy(literal, text, length);
    struct gw_slice plain = gw_slice_of(text, path_resolve(text, length, &doubt->climbs));
    doubt->literal = gw_slice_of(literal, length);
    if (gw_slice_equal(doubt->literal, plain))
        doubt->literal = plain;
    return plain;
}
