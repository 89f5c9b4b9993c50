#include "fetch/readers.h"

static void readers_tell_backend(struct gw_fetch *fetch, struct gw_reader *reader)
{
    reader->refusal = fetch->refusal;
    if (!reader->is_first)
        return;
    reader->backend = fetch->call.backend;
    reader->upstream_status = fetch->head ? fetch->head->status : 0;
    reader->upstream_us = fetch->head ? fetch->call.head_at_us - fetch->call.began_at_us : 0;
}

void gw_readers_detach(struct gw_fetch *fetch, struct gw_reader *reader)
{
    readers_tell_backend(fetch, reader);
    gw_list_remove(&reader->link);
    reader->fetch = NULL;
    for (struct gw_telling *telling = fetch->tellings; telling; telling = telling->outer)
        if (telling->reader == reader)
            telling->reader = NULL;
    if (fetch->first == reader)
        fetch->first = NULL;
}

void gw_readers_attach(struct gw_fetch *fetch, struct gw_reader *reader, bool is_first)
{
    reader->fetch = fetch;
    reader->cursor = 0;
    reader->head_told = false;
    reader->paused = !is_first;
    reader->is_first = is_first;
    reader->backend = NULL;
    reader->upstream_us = 0;
    reader->upstream_status = 0;
    reader->refusal = GW_CACHE_STORABLE;
    gw_list_push_back(&fetch->readers, &reader->link);
    if (is_first)
        fetch->first = reader;
}

static void readers_release_reader(struct gw_fetch *fetch, struct gw_reader *reader)
{
    gw_readers_detach(fetch, reader);
    reader->may_share_another = fetch->is_personal || fetch->is_outdated;
    reader->events->on_released(reader);
}

void gw_readers_release_others(struct gw_fetch *fetch)
{
    for (;;) {
        struct gw_reader *other = NULL;
        gw_list_each(link, &fetch->readers) if (gw_reader_at(link) != fetch->first) other = gw_reader_at(link);
        if (!other)
            return;
        readers_release_reader(fetch, other);
    }
}

void gw_readers_tell_head(struct gw_fetch *fetch, struct gw_reader *reader)
{
    reader->head_told = true;
    readers_tell_backend(fetch, reader);
    reader->events->on_head(reader, fetch->head);
}

/* What was just validated answers the request that it was validated for, whatever else is to be said of it. */
static void readers_hand_entry(struct gw_fetch *fetch, struct gw_reader *reader)
{
    bool is_own = reader->is_first && fetch->source == GW_FETCH_FROM_VALIDATED;
    bool is_late = fetch->is_outdated && !reader->is_first;
    if (!is_own && (is_late || !reader->events->may_take(reader, fetch->entry, fetch->source))) {
        readers_release_reader(fetch, reader);
        return;
    }
    gw_readers_detach(fetch, reader);
    reader->events->on_entry(reader, fetch->entry, fetch->source);
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
    bool is_answered = fetch->state == GW_FETCH_COLLECTING || fetch->state == GW_FETCH_PASSING;
    bool streams = is_answered && (fetch->length_known || reader == fetch->first);
    if (reader->paused || (!streams && fetch->state != GW_FETCH_COMPLETE))
        return;
    if (fetch->entry && !reader->head_told) {
        readers_hand_entry(fetch, reader);
        return;
    }
    if (!readers_tell_head_once(fetch, reader))
        return;
    if (!reader->paused && reader->cursor < fetch->body_bytes) {
        struct gw_slice rest = gw_slice_of(fetch->body->bytes + reader->cursor, fetch->body_bytes - reader->cursor);
        struct gw_telling telling;
        gw_telling_begin(&telling, fetch, reader);
        reader->cursor = fetch->body_bytes;
        reader->events->on_body(reader, rest, fetch->body);
        if (!gw_telling_end(fetch, &telling))
            return;
    }
    if (fetch->state == GW_FETCH_COMPLETE && reader->cursor == fetch->body_bytes) {
        gw_readers_detach(fetch, reader);
        reader->events->on_end(reader);
    } else {
        reader->events->on_flush(reader);
    }
}

void gw_readers_pump_all(struct gw_fetch *fetch)
{
    /* A callback removes at most its own reader; joining readers, perhaps this very one again, go to the end. */
    gw_list_each_safe(link, &fetch->readers) gw_readers_pump(fetch, gw_reader_at(link));
}

void gw_readers_fail(struct gw_fetch *fetch, enum gw_error error)
{
    bool release = gw_error_may_retry(error);
    while (!gw_list_is_empty(&fetch->readers)) {
        struct gw_reader *reader = gw_reader_at(fetch->readers.next);
        bool may_try_alone = !reader->is_first && !reader->head_told && release;
        gw_readers_detach(fetch, reader);
        if (may_try_alone)
            reader->events->on_released(reader);
        else
            reader->events->on_fail(reader, error);
    }
}
