/* Any bytes as a line of a structured field: each call ends with less than it began with, what is a List stays one behind
 * another and not behind half of one, and no byte is looked at beyond the end. The first half of an input goes to the
 * trail of a request (X-Forwarded-For and Forwarded), which must end, too. */
#include <stdlib.h>
#include "http/structured.h"
#include "http/trail.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_list(struct gw_slice line)
{
    struct gw_slice rest = line;
    struct gw_structured_member member;
    while (rest.length) {
        size_t before = rest.length;
        if (!gw_structured_next(&rest, &member))
            break;
        if (rest.length >= before || member.text.at < line.at ||
            member.text.at + member.text.length > line.at + line.length)
            abort();
    }
    bool is_list = line.length && !rest.length;
    if (is_list != gw_structured_is_list(line))
        abort();
    char *twice = malloc(2 * line.length + 2);
    if (!twice)
        return;
    memcpy(twice, line.at, line.length);
    memcpy(twice + line.length, ", ", 2);
    memcpy(twice + line.length + 2, line.at, line.length);
    if (is_list != gw_structured_is_list(gw_slice_of(twice, 2 * line.length + 2)) && is_list)
        abort();
    free(twice);
}

static void check_trail(struct gw_slice name, struct gw_slice value)
{
    struct gw_arena arena;
    struct gw_head head;
    struct gw_trail_hop hop;
    size_t count = 0;
    gw_arena_init(&arena, 4096, 4096);
    gw_head_init(&head);
    if (gw_head_add(&head, &arena, name, value) && gw_head_add(&head, &arena, name, value)) {
        struct gw_trail trail = gw_trail_of(&head);
        while (gw_trail_next(&trail, &hop))
            if (++count > 2 * (value.length + 1) ||
                (!hop.is_well_formed && (hop.has_address || hop.proto.at || hop.host.at)))
                abort();
    }
    gw_arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size ? size : 1); /* its end is the end of what may be read */
    if (!copy)
        return 0;
    if (size)
        memcpy(copy, data, size);
    struct gw_slice bytes = gw_slice_of(copy, size);
    check_list(bytes);
    check_trail(GW_SLICE("Forwarded"), bytes);
    check_trail(GW_SLICE("X-Forwarded-For"), bytes);
    free(copy);
    return 0;
}
