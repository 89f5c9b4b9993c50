/* heads.h: heads for the cache's tests, written as lines: "Name: value\nName: value". */
#ifndef GW_TESTS_UNIT_CACHE_HEADS_H
#define GW_TESTS_UNIT_CACHE_HEADS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/arena.h"
#include "http/head.h"

static inline void add_fields(struct gw_head *head, struct gw_arena *arena, const char *lines)
{
    while (lines && *lines) {
        size_t length = strcspn(lines, "\n"), name = strcspn(lines, ":");
        assert_true(name < length);
        struct gw_slice value = gw_slice_trim(gw_slice_of(lines + name + 1, length - name - 1));
        assert_true(gw_head_add(head, arena, gw_slice_of(lines, name), value));
        lines += length + (lines[length] == '\n');
    }
}

static inline struct gw_head request_head(struct gw_arena *arena, const char *method, const char *lines)
{
    struct gw_head head;
    gw_head_init(&head);
    head.method_text = gw_slice_of_string(method);
    head.method = gw_method_of(head.method_text);
    add_fields(&head, arena, lines);
    return head;
}

static inline struct gw_head response_head(struct gw_arena *arena, int status, const char *lines)
{
    struct gw_head head;
    gw_head_init(&head);
    head.status = status;
    add_fields(&head, arena, lines);
    return head;
}

static inline void open_arena(struct gw_arena *arena)
{
    gw_arena_init(arena, 4096, 1 << 20);
}

#endif
