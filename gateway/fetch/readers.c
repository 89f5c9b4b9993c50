#include "fetch/readers.h"

static void readers_tell_backend(struct gw_fetch *fetch, struct gw_reader *reader)
{
    reader->refusal = fetch->answer.refusal;
    if (!reader->is_first)
        return;
    reader->backend = fetch->attempt.call.backend;
    reader->upstream_status = fetch->answer.head ? fetch->answer.head->status : 0;
    reader->upstream_us = fetch->answer.head ? fetch->attempt.call.head_at_us - fetch->attempt.call.began_at_us : 0;
}

void gw_readers_detach(struct gw_fetch *fetch, struct gw_reader *reader)
{
    readers_tell_backend(fetch, reader);
    gw_list_remove(&reader->link);
    reader->fetch = NULL;
    for (struct gw_telling *telling = fetch->readers.tellings; telling; telling = telling->outer)
        if (telling->reader == reader)
            telling->reader = NULL;
    if (fetch->readers.first == reader)
        fetch->readers.first = NULL;
}

void gw_readers_attach(struct gw_fetch *fetch, struct gw_reader *reader, bool is_first)
{
    *reader = (struct gw_reader) {
        .events = reader->events,
        .fetch = fetch,
        .paused = !is_first,
        .is_first = is_first,
        .refusal = GW_CACHE_STORABLE,
    };
    gw_list_push_back(&fetch->readers.all, &reader->link);
    if (is_first)
        fetch->readers.first = reader;
}

static void readers_release_reader(struct gw_fetch *fetch, struct gw_reader *reader)
{
    gw_readers_detach(fetch, reader);
    reader->may_share_another = fetch->storing.is_personal || fetch->storing.is_outdated;
    reader->events->on_released(reader);
}

void gw_readers_release_others(struct gw_fetch *fetch)
{
    for (;;) {
        struct gw_reader *other = NULL;
        gw_list_each(link, &fetch->readers.all) if (gw_reader_at(link) != fetch->readers.first)
            other = gw_reader_at(link);
        if (!other)
            return;
        readers_release_reader(fetch, other);
    }
}

void gw_readers_tell_head(struct gw_fetch *fetch, struct gw_reader *reader)
{
    reader->head_told = true;
    readers_tell_backend(fetch, reader);
    reader->events->on_head(reader, fetch->answer.head);
}

/* An entry that was just validated always answers the request that it was validated for. */
static void readers_hand_entry(struct gw_fetch *fetch, struct gw_reader *reader)
{
    bool is_own = reader->is_first && fetch->answer.source == GW_FETCH_FROM_VALIDATED;
    bool is_late = fetch->storing.is_outdated && !reader->is_first;
    if (!is_own && (is_late || !reader->events->may_take(reader, fetch->answer.entry, fetch->answer.source))) {
        readers_release_reader(fetch, reader);
        return;
    }
    gw_readers_detach(fetch, reader);
    reader->events->on_entry(reader, fetch->answer.entry, fetch->answer.source);
}

/* False: the reader was released, or has left. */
static bool readers_tell_head_once(struct gw_fetch *fetch, struct gw_reader *reader)
{
    if (reader->head_told)
        return true;
    if (!reader->is_first && !reader->events->may_reuse(reader, &fetch->selection, &fetch->life)) {
        readers_release_reader(fetch, reader);
        return false;
    }
    struct gw_telling telling;
    gw_telling_begin(&telling, fetch, reader);
    gw_readers_tell_head(fetch, reader);
    return gw_telling_end(fetch, &telling);
}

void gw_readers_pump(struct gw_fetch *fetch, struct gw_reader *reader)
{
    const struct gw_fetch_answer *answer = &fetch->answer;
    bool is_answered = fetch->state == GW_FETCH_COLLECTING || fetch->state == GW_FETCH_PASSING;
    bool streams = fetch->state == GW_FETCH_COMPLETE ||
                   (is_answered && (answer->length_known || reader == fetch->readers.first));
    if (!streams || reader->paused)
        return;
    if (answer->entry && !reader->head_told) {
        readers_hand_entry(fetch, reader);
        return;
    }
    if (!readers_tell_head_once(fetch, reader))
        return;
    if (!reader->paused && reader->cursor < answer->body_bytes) {
        struct gw_slice rest = gw_slice_of(answer->body->bytes + reader->cursor, answer->body_bytes - reader->cursor);
        struct gw_telling telling;
        gw_telling_begin(&telling, fetch, reader);
        reader->cursor = answer->body_bytes;
        reader->events->on_body(reader, rest, answer->body);
        if (!gw_telling_end(fetch, &telling))
            return;
    }
    if (fetch->state == GW_FETCH_COMPLETE && reader->cursor == answer->body_bytes) {
        gw_readers_detach(fetch, reader);
        reader->events->on_end(reader);
    } else {
        reader->events->on_flush(reader);
    }
}

void gw_readers_pump_all(struct gw_fetch *fetch)
{
    /* An event removes at most its own reader. Readers that join, perhaps the same one again, go to the end. */
    gw_list_each_safe(link, &fetch->readers.all) gw_readers_pump(fetch, gw_reader_at(link));
}

void gw_readers_fail(struct gw_fetch *fetch, enum gw_error error)
{
    bool release = gw_error_may_retry(error);
    while (!gw_list_is_empty(&fetch->readers.all)) {
        struct gw_reader *reader = gw_reader_at(fetch->readers.all.next);
        bool may_try_alone = !reader->is_first && !reader->head_told && release;
        gw_readers_detach(fetch, reader);
        if (may_try_alone)
            reader->events->on_released(reader);
        else
            reader->events->on_fail(reader, error);
    }
}
