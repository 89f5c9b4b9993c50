#include "fetch/fetch.h"

#include <stdlib.h>
#include "base/clock.h"
#include "base/log.h"
#include "fetch/ask.h"
#include "fetch/collect.h"

enum { KEPT_FREE = 256, FIRST_ARENA_BYTES = 4096, ARENA_SLACK_BYTES = 64 * 1024 };

static const struct gw_call_events call_events;

static struct gw_fetch *fetch_from(struct gw_call *call)
{
    return GW_CONTAINER(call, struct gw_fetch, call);
}

static struct gw_reader *reader_at(struct gw_list *link)
{
    return GW_CONTAINER(link, struct gw_reader, link);
}

/* ---- its life ---- */

void gw_fetcher_init(struct gw_fetcher *fetcher)
{
    gw_list_init(&fetcher->free);
    gw_list_init(&fetcher->busy);
    fetcher->free_count = 0;
}

static void destroy(struct gw_fetch *fetch)
{
    gw_list_remove(&fetch->link);
    gw_arena_free(&fetch->arena);
    free(fetch);
}

void gw_fetcher_free(struct gw_fetcher *fetcher)
{
    while (!gw_list_is_empty(&fetcher->free))
        destroy(GW_CONTAINER(fetcher->free.next, struct gw_fetch, link));
    fetcher->free_count = 0;
}

static struct gw_fetch *take_fetch(struct gw_fetcher *fetcher, const struct gw_config *config)
{
    struct gw_fetch *fetch;
    if (!gw_list_is_empty(&fetcher->free)) {
        fetch = GW_CONTAINER(fetcher->free.next, struct gw_fetch, link);
        gw_list_remove(&fetch->link);
        fetcher->free_count--;
    } else {
        fetch = malloc(sizeof *fetch);
        if (!fetch)
            return NULL;
        fetch->fetcher = fetcher;
        gw_list_init(&fetch->link);
        gw_arena_init(&fetch->arena, FIRST_ARENA_BYTES,
                      2 * (config->max_header_bytes + config->max_response_header_bytes) + ARENA_SLACK_BYTES);
    }
    gw_list_push_back(&fetcher->busy, &fetch->link);
    return fetch;
}

static void give_back(struct gw_fetch *fetch)
{
    struct gw_fetcher *fetcher = fetch->fetcher;
    gw_collect_release(fetch);
    gw_arena_reset(&fetch->arena);
    gw_list_remove(&fetch->link);
    gw_list_push_front(&fetcher->free, &fetch->link);
    if (fetcher->free_count++ >= KEPT_FREE) {
        fetcher->free_count--;
        destroy(fetch);
    }
}

static void hold(struct gw_fetch *fetch)
{
    fetch->holds++;
}

static void unhold(struct gw_fetch *fetch)
{
    if (--fetch->holds)
        return;
    bool idle = fetch->state == GW_FETCH_COMPLETE && !fetch->is_storing && gw_list_is_empty(&fetch->readers);
    if (fetch->state == GW_FETCH_OVER || idle)
        give_back(fetch);
}

static void land(struct gw_fetch *fetch)
{
    if (fetch->flight)
        gw_flight_land(fetch->fetcher->flights, &fetch->flight);
}

/* ---- readers ---- */

static void tell_backend(struct gw_fetch *fetch, struct gw_reader *reader)
{
    if (!reader->is_first)
        return;
    reader->backend = fetch->call.backend;
    reader->upstream_us = fetch->head ? fetch->call.head_at_us - fetch->call.began_at_us : 0;
}

static void detach(struct gw_fetch *fetch, struct gw_reader *reader)
{
    tell_backend(fetch, reader);
    gw_list_remove(&reader->link);
    reader->fetch = NULL;
    if (fetch->first == reader)
        fetch->first = NULL;
}

static void attach(struct gw_fetch *fetch, struct gw_reader *reader, bool is_first)
{
    reader->fetch = fetch;
    reader->reading = ++fetch->readings;
    reader->cursor = 0;
    reader->head_told = false;
    reader->paused = !is_first;
    reader->is_first = is_first;
    reader->backend = NULL;
    reader->upstream_us = 0;
    gw_list_push_back(&fetch->readers, &reader->link);
    if (is_first)
        fetch->first = reader;
}

static bool may_reuse(struct gw_fetch *fetch, struct gw_reader *reader)
{
    return reader->events->may_reuse(reader, fetch->head, &fetch->selection, &fetch->life);
}

static void release_reader(struct gw_fetch *fetch, struct gw_reader *reader)
{
    detach(fetch, reader);
    reader->events->on_released(reader);
}

/* All but the first. A released reader may begin or join other fetches, not this one: its flight has landed, or its
 * head is told. */
static void release_others(struct gw_fetch *fetch)
{
    for (;;) {
        struct gw_reader *other = NULL;
        gw_list_each(link, &fetch->readers) if (reader_at(link) != fetch->first) other = reader_at(link);
        if (!other)
            return;
        release_reader(fetch, other);
    }
}

static bool streams(const struct gw_fetch *fetch, const struct gw_reader *reader)
{
    return fetch->state == GW_FETCH_COMPLETE || fetch->length_known || reader == fetch->first;
}

static void tell_head(struct gw_fetch *fetch, struct gw_reader *reader)
{
    reader->head_told = true;
    tell_backend(fetch, reader);
    reader->events->on_head(reader, fetch->head);
}

/* After an event: is the reader still in the middle of what it was told? */
static bool still_reads(const struct gw_fetch *fetch, const struct gw_reader *reader, unsigned reading)
{
    return reader->fetch == fetch && reader->reading == reading;
}

/* Tells a reader what it has not been told of a collected body. The caller holds the fetch. */
static void pump(struct gw_fetch *fetch, struct gw_reader *reader)
{
    unsigned reading = reader->reading;
    if (!streams(fetch, reader) || reader->paused)
        return;
    if (!reader->head_told) {
        if (!reader->is_first && !may_reuse(fetch, reader)) {
            release_reader(fetch, reader);
            return;
        }
        tell_head(fetch, reader);
    }
    if (!still_reads(fetch, reader, reading))
        return;
    if (!reader->paused && reader->cursor < fetch->body_bytes) {
        struct gw_slice rest = gw_slice_of(fetch->body->bytes + reader->cursor, fetch->body_bytes - reader->cursor);
        reader->cursor = fetch->body_bytes;
        reader->events->on_body(reader, rest, fetch->body);
        if (!still_reads(fetch, reader, reading))
            return;
    }
    if (fetch->state == GW_FETCH_COMPLETE && reader->cursor == fetch->body_bytes) {
        detach(fetch, reader);
        reader->events->on_end(reader);
    } else {
        reader->events->on_flush(reader);
    }
}

static void pump_all(struct gw_fetch *fetch)
{
    /* A callback removes at most its own reader; joining readers, perhaps this very one again, go to the end. */
    gw_list_each_safe(link, &fetch->readers) pump(fetch, reader_at(link));
}

/* ---- asking ---- */

static void fill(struct gw_fetch *fetch, const struct gw_fetch_request *request)
{
    fetch->state = GW_FETCH_ASKING;
    fetch->holds = fetch->readings = 0;
    gw_list_init(&fetch->readers);
    fetch->first = NULL;
    fetch->config = request->config;
    fetch->route = request->route;
    fetch->method = request->method;
    fetch->body_begun = false;
    fetch->attempts_left = request->config->retries;
    fetch->was_refreshed = false;
    fetch->may_store = request->may_store && fetch->fetcher->near;
    fetch->flight = NULL;
    fetch->is_storing = false;
    fetch->call_runs = false;
    fetch->head = NULL;
    fetch->length_known = false;
    fetch->body = NULL;
    fetch->body_bytes = fetch->reserved_bytes = 0;
    fetch->call = (struct gw_call) {
        .events = &call_events,
        .config = request->config,
        .method = request->method,
        .has_body = request->has_body,
        .is_chunked = request->is_chunked,
        .content_length = request->content_length,
        .expects_continue = request->expects_continue,
        .arena = &fetch->arena,
    };
    if (fetch->may_store) {
        fetch->cache = request->cache;
        fetch->rules = request->rules;
        fetch->key = request->key;
        fetch->epoch = request->epoch;
        fetch->seen = request->seen;
    }
}

enum gw_error gw_fetch_begin(struct gw_fetcher *fetcher, const struct gw_fetch_request *request,
                             struct gw_reader *reader)
{
    struct gw_fetch *fetch = take_fetch(fetcher, request->config);
    if (!fetch)
        return GW_ERROR_OVERLOADED;
    fill(fetch, request);
    enum gw_error error = gw_ask_copy(fetch, request) ? gw_ask_begin(fetch) : GW_ERROR_OVERLOADED;
    if (error) {
        give_back(fetch);
        return error;
    }
    attach(fetch, reader, true);
    if (request->flight) {
        fetch->flight = request->flight;
        gw_flight_set_fetch(fetcher->flights, fetch->flight, fetch);
    }
    return GW_ERROR_NONE;
}

bool gw_fetch_join(struct gw_fetch *fetch, struct gw_reader *reader)
{
    bool is_over = fetch->state == GW_FETCH_OVER || (fetch->state == GW_FETCH_COMPLETE && !fetch->is_storing);
    if (fetch->state == GW_FETCH_PASSING || is_over)
        return false;
    attach(fetch, reader, false);
    return true;
}

/* Ends it without an answer; readers were told or have left. */
static void finish(struct gw_fetch *fetch)
{
    gw_ask_cancel(fetch);
    land(fetch);
    fetch->state = GW_FETCH_OVER;
}

void gw_fetch_leave(struct gw_reader *reader)
{
    struct gw_fetch *fetch = reader->fetch;
    if (!fetch)
        return;
    hold(fetch);
    bool was_first = fetch->first == reader;
    detach(fetch, reader);
    /* A shared fetch goes on: others may wait for it on other workers. */
    bool goes_on = fetch->state == GW_FETCH_COLLECTING || fetch->state == GW_FETCH_COMPLETE ||
                   (fetch->state == GW_FETCH_ASKING && fetch->flight);
    if (!goes_on && (was_first || gw_list_is_empty(&fetch->readers)))
        finish(fetch);
    unhold(fetch);
}

void gw_fetcher_cancel_unread(struct gw_fetcher *fetcher)
{
    gw_list_each_safe(link, &fetcher->busy)
    {
        struct gw_fetch *fetch = GW_CONTAINER(link, struct gw_fetch, link);
        if (!gw_list_is_empty(&fetch->readers) || fetch->is_storing)
            continue; /* the store answers, or is given up, within its own time */
        hold(fetch);
        finish(fetch);
        unhold(fetch);
    }
}

void gw_fetch_pause(struct gw_reader *reader)
{
    struct gw_fetch *fetch = reader->fetch;
    if (!fetch)
        return;
    reader->paused = true;
    if (fetch->state == GW_FETCH_PASSING && fetch->call_runs)
        gw_transport_pause(fetch->transport, &fetch->call);
}

/* What was collected before the fetch began to pass is told first. */
static void resume_passing(struct gw_fetch *fetch, struct gw_reader *reader)
{
    if (fetch->body) {
        unsigned reading = reader->reading;
        pump(fetch, reader);
        if (!still_reads(fetch, reader, reading) || reader->cursor < fetch->body_bytes)
            return;
        gw_collect_release(fetch);
    }
    if (!reader->paused && fetch->call_runs)
        gw_transport_resume(fetch->transport, &fetch->call);
}

void gw_fetch_resume(struct gw_reader *reader)
{
    struct gw_fetch *fetch = reader->fetch;
    if (!fetch)
        return;
    hold(fetch);
    reader->paused = false;
    if (fetch->state == GW_FETCH_PASSING)
        resume_passing(fetch, reader);
    else if (fetch->state != GW_FETCH_ASKING)
        pump(fetch, reader);
    unhold(fetch);
}

bool gw_fetch_send_body(struct gw_reader *reader, struct gw_slice bytes, struct gw_block *block)
{
    struct gw_fetch *fetch = reader->fetch;
    if (!fetch || !fetch->call_runs)
        return false;
    fetch->body_begun = true;
    return gw_transport_send(fetch->transport, &fetch->call, bytes, block);
}

void gw_fetch_end_body(struct gw_reader *reader)
{
    struct gw_fetch *fetch = reader->fetch;
    if (!fetch || !fetch->call_runs)
        return;
    fetch->body_begun = true;
    gw_transport_end_body(fetch->transport, &fetch->call);
}

bool gw_fetch_is_collecting(const struct gw_fetch *fetch)
{
    return fetch->state == GW_FETCH_COLLECTING || fetch->state == GW_FETCH_COMPLETE;
}

/* ---- the answer ---- */

/* The answer is the first reader's alone. */
static void pass(struct gw_fetch *fetch)
{
    bool was_shared = fetch->flight != NULL;
    fetch->state = GW_FETCH_PASSING;
    if (was_shared)
        gw_collect_mark_hit_for_miss(fetch);
    land(fetch);
    release_others(fetch);
    if (!fetch->first)
        finish(fetch);
}

static void on_interim(struct gw_call *call, const struct gw_head *head)
{
    struct gw_fetch *fetch = fetch_from(call);
    /* Only who asked for it hears what is said before the answer. */
    if (fetch->first)
        fetch->first->events->on_interim(fetch->first, head);
}

static void on_head(struct gw_call *call, struct gw_head *head)
{
    struct gw_fetch *fetch = fetch_from(call);
    gw_registry_note(fetch->fetcher->registry, call->backend->index, true);
    hold(fetch);
    fetch->head = head;
    gw_collect_drop_own_fields(fetch, head);
    if (gw_collect_begin(fetch) == GW_CACHE_STORABLE) {
        fetch->state = GW_FETCH_COLLECTING;
    } else {
        if (fetch->may_store)
            gw_counter_add(&fetch->fetcher->shard->cache_not_stored, 1);
        pass(fetch);
        if (fetch->first && fetch->first->paused) /* since an interim answer: there was nothing to pause yet */
            gw_transport_pause(fetch->transport, call);
        if (fetch->first)
            tell_head(fetch, fetch->first);
    }
    unhold(fetch);
}

static void fail(struct gw_fetch *fetch, enum gw_error error);

/* False: memory is out, and everybody was told. */
static bool append(struct gw_fetch *fetch, struct gw_slice bytes)
{
    if (gw_collect_append(fetch, bytes))
        return true;
    gw_ask_cancel(fetch);
    fail(fetch, GW_ERROR_OVERLOADED);
    return false;
}

/* Longer than what is stored: from here on at the first reader's pace, once it has caught up. */
static void stop_collecting(struct gw_fetch *fetch)
{
    gw_counter_add(&fetch->fetcher->shard->cache_not_stored, 1);
    pass(fetch);
    if (fetch->state != GW_FETCH_PASSING)
        return;
    gw_transport_pause(fetch->transport, &fetch->call);
    if (!fetch->first->paused)
        resume_passing(fetch, fetch->first);
}

static void on_body(struct gw_call *call, struct gw_slice bytes, struct gw_block *block)
{
    struct gw_fetch *fetch = fetch_from(call);
    hold(fetch);
    if (fetch->state == GW_FETCH_COLLECTING) {
        if (append(fetch, bytes) && !gw_collect_fits(fetch))
            stop_collecting(fetch);
    } else if (fetch->body) { /* passing, and the first reader is still behind */
        append(fetch, bytes);
    } else {
        fetch->first->events->on_body(fetch->first, bytes, block);
    }
    unhold(fetch);
}

static void on_pause_in_reading(struct gw_call *call)
{
    struct gw_fetch *fetch = fetch_from(call);
    hold(fetch);
    if (fetch->state == GW_FETCH_COLLECTING)
        pump_all(fetch);
    else if (fetch->state == GW_FETCH_PASSING && fetch->first)
        fetch->first->events->on_flush(fetch->first);
    unhold(fetch);
}

/* The store has acknowledged, or given up: who waits on other workers may look now. */
static void on_stored(void *owner)
{
    struct gw_fetch *fetch = owner;
    hold(fetch);
    fetch->is_storing = false;
    land(fetch);
    unhold(fetch);
}

static void on_end(struct gw_call *call)
{
    struct gw_fetch *fetch = fetch_from(call);
    hold(fetch);
    gw_ask_ended(fetch);
    if (fetch->state == GW_FETCH_COLLECTING) {
        fetch->state = GW_FETCH_COMPLETE;
        if (fetch->flight)
            gw_flight_set_storing(fetch->fetcher->flights, fetch->flight);
        fetch->is_storing = gw_collect_store(fetch, on_stored);
        if (!fetch->is_storing)
            land(fetch);
        pump_all(fetch);
    } else if (fetch->body) { /* passing, the first reader is still behind */
        fetch->state = GW_FETCH_COMPLETE;
        pump_all(fetch);
    } else {
        struct gw_reader *reader = fetch->first;
        fetch->state = GW_FETCH_OVER;
        detach(fetch, reader);
        reader->events->on_end(reader);
    }
    unhold(fetch);
}

/* ---- failure ---- */

static void fail(struct gw_fetch *fetch, enum gw_error error)
{
    bool release = gw_error_may_retry(error);
    fetch->state = GW_FETCH_OVER;
    land(fetch);
    while (!gw_list_is_empty(&fetch->readers)) {
        struct gw_reader *reader = reader_at(fetch->readers.next);
        bool may_try_alone = !reader->is_first && !reader->head_told && release;
        detach(fetch, reader);
        if (may_try_alone)
            reader->events->on_released(reader);
        else
            reader->events->on_fail(reader, error);
    }
}

static void on_fail(struct gw_call *call, enum gw_error error)
{
    struct gw_fetch *fetch = fetch_from(call);
    const struct gw_backend *failed = call->backend;
    hold(fetch);
    gw_ask_ended(fetch);
    gw_counter_add(&fetch->fetcher->shard->upstream_errors[error], 1);
    gw_registry_note(fetch->fetcher->registry, failed->index, false);
    if (!gw_ask_again(fetch, error)) {
        gw_log(GW_LOG_WARN, "upstream", "%.*s: %s", GW_SLICE_ARGS(failed->url), gw_error_sentence(error));
        fail(fetch, error);
    }
    unhold(fetch);
}

static void on_want_body(struct gw_call *call)
{
    struct gw_fetch *fetch = fetch_from(call);
    if (fetch->first)
        fetch->first->events->on_want_body(fetch->first);
}

static const struct gw_call_events call_events = {
    .on_interim = on_interim,
    .on_head = on_head,
    .on_body = on_body,
    .on_pause_in_reading = on_pause_in_reading,
    .on_end = on_end,
    .on_fail = on_fail,
    .on_want_body = on_want_body,
};
