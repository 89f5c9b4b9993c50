/* reading.h: one message, or what claims to be one, through the parser, cut into pieces; what was read as one text, so
 * that two ways of cutting can be compared. Each piece lies alone in memory of its exact size, for the sanitizers to
 * see a look beyond it. */
#ifndef GW_TESTS_READING_H
#define GW_TESTS_READING_H

#include <stdio.h>
#include <stdlib.h>
#include "http/parser.h"

enum { READING_BYTES = 256 * 1024 };

struct reading {
    enum gw_parser_event last; /* WANTS_MORE, END or FAILED */
    enum gw_error error;
    bool has_head;
    size_t rest; /* bytes that came after END */
    char *text;  /* the head, then the body, in the words of put_head */
    size_t length;
    size_t body_at; /* in text */

    struct gw_head head; /* its views are valid until reading_free */
    struct gw_arena arena;
    struct gw_parser parser;
};

struct reading_way {
    bool is_response;
    enum gw_method asked;
    struct gw_parser_limits limits;
    bool finishes; /* the stream ends after the bytes */
};

static inline void reading_put(struct reading *reading, const char *at, size_t length)
{
    if (length > READING_BYTES - reading->length)
        length = READING_BYTES - reading->length;
    if (length)
        memcpy(reading->text + reading->length, at, length);
    reading->length += length;
}

static inline void reading_put_slice(struct reading *reading, const char *name, struct gw_slice slice)
{
    reading_put(reading, name, strlen(name));
    if (!slice.at) {
        reading_put(reading, " -", 2);
        return;
    }
    reading_put(reading, " [", 2);
    reading_put(reading, slice.at, slice.length);
    reading_put(reading, "]\n", 2);
}

static inline void reading_put_head(struct reading *reading)
{
    const struct gw_head *head = &reading->head;
    char line[160];
    int length = snprintf(line, sizeof line,
                          "method %d status %d minor %d keep %d upgrade %d continue %d framing %d length %llu\n",
                          (int)head->method, head->status, head->version_minor, head->keep_alive, head->wants_upgrade,
                          head->expects_continue, (int)head->framing, (unsigned long long)head->content_length);
    reading_put(reading, line, (size_t)length);
    reading_put_slice(reading, "method", head->method_text);
    reading_put_slice(reading, "target", head->target);
    reading_put_slice(reading, "path", head->path);
    reading_put_slice(reading, "query", head->query);
    reading_put_slice(reading, "authority", head->authority);
    reading_put_slice(reading, "reason", head->reason);
    for (unsigned i = 0; i < head->count; i++) {
        reading_put_slice(reading, "name", head->fields[i].name);
        reading_put_slice(reading, "value", head->fields[i].value);
    }
    reading->body_at = reading->length;
}

static inline void reading_init(struct reading *reading, const struct reading_way *way)
{
    memset(reading, 0, sizeof *reading);
    reading->text = malloc(READING_BYTES);
    if (!reading->text)
        abort();
    gw_arena_init(&reading->arena, 1024, 4u * 1024 * 1024);
    gw_parser_init(&reading->parser, way->is_response, &way->limits);
    gw_parser_begin(&reading->parser, &reading->head, &reading->arena, way->asked);
    reading->last = GW_PARSER_WANTS_MORE;
}

static inline void reading_free(struct reading *reading)
{
    gw_arena_free(&reading->arena);
    free(reading->text);
}

static inline void reading_take(struct reading *reading, struct gw_slice *input)
{
    do {
        struct gw_slice body = GW_NO_SLICE;
        reading->last = gw_parser_next(&reading->parser, input, &body);
        if (reading->last == GW_PARSER_HEAD) {
            reading->has_head = true;
            reading_put_head(reading);
        } else if (reading->last == GW_PARSER_BODY) {
            reading_put(reading, body.at, body.length);
        }
    } while (reading->last == GW_PARSER_HEAD || reading->last == GW_PARSER_BODY);
}

static inline void reading_piece(struct reading *reading, const char *at, size_t length)
{
    if (reading->last == GW_PARSER_END) {
        reading->rest += length;
        return;
    }
    if (reading->last == GW_PARSER_FAILED)
        return;
    char *copy = malloc(length ? length : 1);
    if (!copy)
        abort();
    memcpy(copy, at, length);
    struct gw_slice input = gw_slice_of(copy, length);
    reading_take(reading, &input);
    if (reading->last == GW_PARSER_WANTS_MORE && input.length)
        abort(); /* all input is taken */
    reading->rest += reading->last == GW_PARSER_END ? input.length : 0;
    free(copy);
}

/* In pieces of `first`, then `step`, `step`, … bytes. */
static inline void reading_run(struct reading *reading, const struct reading_way *way, struct gw_slice bytes,
                               size_t first, size_t step)
{
    reading_init(reading, way);
    for (size_t at = 0, length = first; at < bytes.length; at += length, length = step) {
        if (length > bytes.length - at)
            length = bytes.length - at;
        reading_piece(reading, bytes.at + at, length);
    }
    if (way->finishes && reading->last == GW_PARSER_WANTS_MORE)
        reading->last = gw_parser_finish(&reading->parser);
    reading->error = reading->last == GW_PARSER_FAILED ? reading->parser.error : GW_ERROR_NONE;
}

static inline bool reading_equal(const struct reading *a, const struct reading *b)
{
    return a->last == b->last && a->error == b->error && a->has_head == b->has_head && a->rest == b->rest &&
           a->length == b->length && memcmp(a->text, b->text, a->length) == 0;
}

/* Is the same read when the bytes are cut here? */
static inline bool reading_same(const struct reading *whole, const struct reading_way *way, struct gw_slice bytes,
                                size_t first, size_t step)
{
    struct reading cut;
    reading_run(&cut, way, bytes, first, step);
    bool same = reading_equal(whole, &cut);
    if (!same)
        fprintf(stderr, "cut at %zu, then every %zu: event %d error %d instead of %d %d\n", first, step, (int)cut.last,
                (int)cut.error, (int)whole->last, (int)whole->error);
    reading_free(&cut);
    return same;
}

#endif
