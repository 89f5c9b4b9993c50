/* Any bytes as Cache-Control, Pragma and a targeted field, each line one field: numbers keep their bounds, nothing is
 * looked at beyond a value's end, and a "no-store" that is added counts whatever else stands there. The first byte
 * chooses request or response. */
#include "http/directives.h"
#include "fuzz/fuzz_input.h"

static void check_number(int64_t number)
{
    demand(number >= GW_DIRECTIVE_ABSENT && number <= INT64_C(1) << 31);
}

static void check(const struct gw_directives *directives)
{
    check_number(directives->max_age);
    check_number(directives->s_maxage);
    check_number(directives->min_fresh);
    check_number(directives->max_stale);
    check_number(directives->stale_while_revalidate);
    check_number(directives->stale_if_error);
}

static const struct gw_slice names[] = { { "Cache-Control", 13 }, { "Pragma", 6 }, { "CDN-Cache-Control", 17 } };

static void add(struct gw_head *head, struct gw_arena *arena, struct gw_slice name, struct gw_slice value)
{
    char *exact = gw_arena_take(arena, value.length + 1); /* the arena's pieces are not watched: its end is marked */
    demand(exact != NULL);
    memcpy(exact, value.at, value.length);
    exact[value.length] = '\r';
    demand(gw_head_add(head, arena, name, gw_slice_of(exact, value.length)));
}

static void fill(struct gw_head *head, struct gw_arena *arena, struct gw_slice text)
{
    for (unsigned i = 0; text.at && i < 16; i++) {
        const char *end = text.length ? memchr(text.at, '\n', text.length) : NULL;
        size_t length = end ? (size_t)(end - text.at) : text.length;
        add(head, arena, names[i % GW_COUNT(names)], gw_slice_of(text.at, length));
        text = end ? gw_slice_of(end + 1, text.length - length - 1) : GW_NO_SLICE;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gw_directives directives;
    struct gw_arena arena;
    struct gw_head head;
    if (size < 1 || size > 4096)
        return 0;
    bool is_request = data[0] & 1;
    gw_arena_init(&arena, 1024, 1024 * 1024);
    gw_head_init(&head);
    fill(&head, &arena, gw_slice_of((const char *)data + 1, size - 1));
    gw_directives_read(&directives, &head, is_request);
    check(&directives);
    (void)gw_directives_pragma_no_cache(&head);
    demand(!gw_directives_name_field(&head, GW_SLICE("set-cookie")) || gw_directives_name_any(&head));
    gw_directives_read_targeted(&directives, &head, &names[2], 1);
    check(&directives);

    add(&head, &arena, names[0], GW_SLICE("no-store"));
    gw_directives_read(&directives, &head, is_request);
    check(&directives);
    demand(directives.present && directives.no_store);
    gw_arena_free(&arena);
    return 0;
}
