/* listener.h: a reader of a fetch that notes its events, and leaves or pauses where a test wants it. Bodies must be the
 * pattern. */
#ifndef TEST_FETCH_LISTENER_H
#define TEST_FETCH_LISTENER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "fetch/fetch.h"

static inline char pattern(size_t at)
{
    return (char)('a' + at % 23);
}

struct listener {
    struct gw_reader reader;
    char log[128]; /* "100 200 end", "200 upstream_reset", "released", "from_store" */
    size_t body_bytes;
    bool is_body_wrong, is_over;
    unsigned flushes, events;
    bool refuses_reuse, refuses_entries;
    const struct gw_head *head;
    struct gw_block *last_block; /* not held */
    struct gw_entry *entry;      /* held until let_go */
    struct gw_lookup lookup;     /* of redis_stage.h: before the fetch */

    /* "interim", "head", "body", "flush", "end", "entry", "fail", "released", "want" */
    const char *leaves_at;
    const char *pauses_at;                   /* the same */
    void (*then)(struct listener *listener); /* after released, failed or ended */
    void *context;
};

static inline struct listener *listener_of(struct gw_reader *reader)
{
    return GW_CONTAINER(reader, struct listener, reader);
}

static inline void note(struct listener *listener, const char *word)
{
    size_t length = strlen(listener->log);
    snprintf(listener->log + length, sizeof listener->log - length, "%s%s", length ? " " : "", word);
}

static inline void acts(struct listener *listener, const char *event)
{
    listener->events++;
    if (listener->pauses_at && strcmp(listener->pauses_at, event) == 0)
        gw_fetch_pause(&listener->reader);
    if (listener->leaves_at && strcmp(listener->leaves_at, event) == 0) {
        gw_fetch_leave(&listener->reader);
        assert_null(listener->reader.fetch);
        listener->is_over = true;
    }
}

static inline void heard_status(struct listener *listener, const struct gw_head *head, const char *event)
{
    char text[16];
    assert_false(listener->is_over);
    snprintf(text, sizeof text, "%d", head->status);
    note(listener, text);
    acts(listener, event);
}

static inline void on_interim(struct gw_reader *reader, const struct gw_head *head)
{
    heard_status(listener_of(reader), head, "interim");
}

static inline void on_head(struct gw_reader *reader, const struct gw_head *head)
{
    listener_of(reader)->head = head;
    heard_status(listener_of(reader), head, "head");
}

static inline void on_body(struct gw_reader *reader, struct gw_slice bytes, struct gw_block *block)
{
    struct listener *listener = listener_of(reader);
    assert_false(listener->is_over || reader->paused);
    assert_true(bytes.length > 0);
    if (block)
        assert_true(bytes.at >= block->bytes && bytes.at + bytes.length <= block->bytes + block->capacity);
    for (size_t i = 0; i < bytes.length; i++)
        listener->is_body_wrong |= bytes.at[i] != pattern(listener->body_bytes + i);
    listener->body_bytes += bytes.length;
    listener->last_block = block;
    acts(listener, "body");
}

static inline void on_flush(struct gw_reader *reader)
{
    assert_false(listener_of(reader)->is_over);
    listener_of(reader)->flushes++;
    acts(listener_of(reader), "flush");
}

static inline void is_over(struct listener *listener, const char *word, const char *event)
{
    assert_false(listener->is_over);
    assert_null(listener->reader.fetch); /* the fetch has left the reader already */
    note(listener, word);
    acts(listener, event);
    listener->is_over = true;
    if (listener->then)
        listener->then(listener);
}

static inline void on_end(struct gw_reader *reader)
{
    is_over(listener_of(reader), "end", "end");
}

static inline void takes_entry(struct listener *listener, struct gw_entry *entry, const char *word)
{
    assert_null(listener->entry);
    listener->entry = gw_entry_ref(entry);
    listener->body_bytes = entry->body_bytes;
    for (size_t i = 0; i < entry->body_bytes; i++)
        listener->is_body_wrong |= entry->body->bytes[i] != pattern(i);
    is_over(listener, word, "entry");
}

static inline void on_entry(struct gw_reader *reader, struct gw_entry *entry, enum gw_fetch_source source)
{
    static const char *const words[] = {
        [GW_FETCH_FROM_VALIDATED] = "from_validated", [GW_FETCH_FROM_ERROR] = "from_error"
    };
    assert_false(reader->paused);
    takes_entry(listener_of(reader), entry, words[source]);
}

static inline void let_go(struct listener *listener)
{
    gw_entry_unref(listener->entry);
    listener->entry = NULL;
}

static inline void on_fail(struct gw_reader *reader, enum gw_error error)
{
    is_over(listener_of(reader), gw_error_name(error), "fail");
}

static inline void on_released(struct gw_reader *reader)
{
    is_over(listener_of(reader), "released", "released");
}

static inline void on_want_body(struct gw_reader *reader)
{
    assert_false(listener_of(reader)->is_over);
    note(listener_of(reader), "want");
    acts(listener_of(reader), "want");
}

static inline bool on_may_reuse(struct gw_reader *reader, const struct gw_head *selection,
                                const struct gw_cache_life *life)
{
    assert_true(selection && life);
    return !listener_of(reader)->refuses_reuse;
}

static inline bool on_may_take(struct gw_reader *reader, const struct gw_entry *entry, enum gw_fetch_source source)
{
    assert_true(entry && source <= GW_FETCH_FROM_ERROR);
    return !listener_of(reader)->refuses_entries;
}

static const struct gw_reader_events listener_events = {
    .on_interim = on_interim,
    .on_head = on_head,
    .on_body = on_body,
    .on_flush = on_flush,
    .on_end = on_end,
    .on_entry = on_entry,
    .on_fail = on_fail,
    .on_released = on_released,
    .on_want_body = on_want_body,
    .may_reuse = on_may_reuse,
    .may_take = on_may_take,
};

static inline struct listener new_listener(void)
{
    return (struct listener) { .reader.events = &listener_events };
}

/* The events and the body so far are exactly these. */
static inline void assert_heard(const struct listener *listener, const char *log, size_t body_bytes)
{
    assert_string_equal(listener->log, log);
    assert_int_equal(listener->body_bytes, body_bytes);
    assert_false(listener->is_body_wrong);
}

#endif
