#include "fetch/fetch.h"

#include <stdlib.h>
#include "fetch/attempt.h"
#include "fetch/collect.h"
#include "fetch/response.h"
#include "fetch/readers.h"
#include "fetch/refresh.h"

enum { AWAITED_LOOK_MS = 200, KEPT_FREE = 256, FIRST_ARENA_BYTES = 4096, ARENA_SLACK_BYTES = 64 * 1024 };

/* ---- its life ---- */

static void fetch_destroy(void *object)
{
    struct gw_fetch *fetch = object;
    gw_arena_free(&fetch->arena);
}

void gw_fetcher_init(struct gw_fetcher *fetcher)
{
    gw_free_list_init(&fetcher->free, sizeof(struct gw_fetch), KEPT_FREE, fetch_destroy);
    gw_list_init(&fetcher->busy);
    gw_refresh_init(fetcher);
}

void gw_fetcher_free(struct gw_fetcher *fetcher)
{
    gw_free_list_trim(&fetcher->free, 0);
    gw_free_list_trim(&fetcher->free_refreshes, 0);
}

bool gw_fetcher_is_idle(const struct gw_fetcher *fetcher)
{
    return gw_list_is_empty(&fetcher->busy) && gw_list_is_empty(&fetcher->refreshes);
}

static void fetch_on_timer(struct gw_timer *timer);

static struct gw_fetch *fetch_take(struct gw_fetcher *fetcher, const struct gw_config *config)
{
    bool is_new;
    struct gw_fetch *fetch = gw_free_list_take(&fetcher->free, &is_new);
    if (!fetch)
        return NULL;
    if (is_new) {
        fetch->fetcher = fetcher;
        gw_timer_init(&fetch->timer, fetch_on_timer);
        gw_list_init(&fetch->link);
        gw_arena_init(&fetch->arena, FIRST_ARENA_BYTES,
                      2 * (config->max_header_bytes + config->max_response_header_bytes +
                           config->max_response_headers * sizeof(struct gw_field)) +
                          ARENA_SLACK_BYTES);
    }
    fetch->magic = GW_MAGIC(GW_FETCH_MAGIC);
    gw_list_push_back(&fetcher->busy, &fetch->link);
    return fetch;
}

static void fetch_give_back(struct gw_fetch *fetch)
{
    struct gw_fetcher *fetcher = fetch->fetcher;
    gw_timer_stop(&fetch->timer);
    gw_lead_finish(&fetch->lead);
    gw_collect_release(fetch);
    gw_entry_unref(fetch->lead.stored);
    gw_entry_unref(fetch->entry);
    gw_entry_unref(fetch->confirmed);
    gw_arena_reset(&fetch->arena);
    gw_list_remove(&fetch->link);
    fetch->magic = GW_NO_MAGIC;
    gw_free_list_give(&fetcher->free, fetch);
}

bool gw_fetch_check(const struct gw_fetch *fetch)
{
    const struct gw_lead *lead = &fetch->lead;
    bool leads = lead->coalesced || lead->lock, is_read = !gw_list_is_empty(&fetch->readers);
    GW_CHECK_MAGIC(fetch, GW_FETCH_MAGIC);
    GW_CHECK(fetch->call_runs == (fetch->state < GW_FETCH_COMPLETE));
    GW_CHECK(!fetch->first || is_read);
    GW_CHECK(fetch->reserved_bytes <= fetch->fetcher->collecting_bytes);
    GW_CHECK(!fetch->is_storing || fetch->state == GW_FETCH_COMPLETE);
    switch (fetch->state) {
    case GW_FETCH_ASKING:
        GW_CHECK(!fetch->body && !fetch->entry && !fetch->confirmed);
        GW_CHECK(is_read || leads || fetch->is_refresh);
        break;
    case GW_FETCH_PASSING:
        GW_CHECK(fetch->head && fetch->first && !fetch->may_store && !leads && !fetch->entry);
        break;
    case GW_FETCH_COLLECTING:
        GW_CHECK(fetch->head && fetch->may_store && !fetch->entry && fetch->body_bytes <= fetch->reserved_bytes);
        break;
    case GW_FETCH_CONFIRMED:
        GW_CHECK(fetch->confirmed && fetch->lead.stored && !fetch->entry);
        break;
    case GW_FETCH_COMPLETE:
        GW_CHECK(fetch->is_storing || !leads);
        break;
    case GW_FETCH_OVER:
        GW_CHECK(!is_read && !leads);
        break;
    }
    return true;
}

void gw_fetch_hold(struct gw_fetch *fetch)
{
    GW_CHECK_MAGIC(fetch, GW_FETCH_MAGIC);
    fetch->holds++;
}

void gw_fetch_unhold(struct gw_fetch *fetch)
{
    if (--fetch->holds)
        return;
    GW_CHECK(gw_fetch_check(fetch));
    bool idle = fetch->state == GW_FETCH_COMPLETE && !fetch->is_storing && gw_list_is_empty(&fetch->readers);
    if (fetch->state == GW_FETCH_OVER || idle)
        fetch_give_back(fetch);
}

/* Ends it without an answer. The first reader was told or has left; others, who may have joined what nobody asked for (a
 * refresh), try alone: none of them may outlive it. */
void gw_fetch_finish(struct gw_fetch *fetch)
{
    gw_attempt_cancel(fetch);
    gw_response_land(fetch);
    fetch->state = GW_FETCH_OVER;
    gw_readers_release_others(fetch);
}

/* ---- asking ---- */

static void fetch_fill(struct gw_fetch *fetch, const struct gw_fetch_request *request)
{
    fetch->state = GW_FETCH_ASKING;
    fetch->holds = 0;
    fetch->tellings = NULL;
    gw_list_init(&fetch->readers);
    fetch->first = NULL;
    fetch->config = request->config;
    fetch->route = request->route;
    fetch->method = request->method;
    fetch->lacks_range = request->lacks_range;
    fetch->is_conditional = request->is_conditional;
    fetch->body_begun = false;
    fetch->attempts_left = request->config->retries;
    fetch->was_refreshed = false;
    fetch->confirmed = fetch->entry = NULL;
    fetch->is_outdated = fetch->is_personal = false;
    fetch->lead = request->lead;
    if (fetch->lead.stored)
        gw_entry_ref(fetch->lead.stored);
    fetch->may_store = request->may_store && fetch->fetcher->memory_cache;
    fetch->is_storing = false;
    fetch->refusal = GW_CACHE_STORABLE;
    fetch->call_runs = false;
    fetch->head = NULL;
    fetch->length_known = false;
    fetch->body = NULL;
    fetch->body_bytes = fetch->reserved_bytes = 0;
    fetch->call = (struct gw_call) {
        .events = &gw_response_events,
        .config = request->config,
        .method = request->method,
        .has_body = request->has_body,
        .is_chunked = request->is_chunked,
        .content_length = request->content_length,
        .expects_continue = request->expects_continue,
        .binds_connection = request->binds_connection,
        .arena = &fetch->arena,
    };
    if (fetch->may_store) { /* ban_sequence: when the backend is asked */
        fetch->cache = request->cache;
        fetch->rules = request->rules;
        fetch->key = request->key;
    }
}

enum gw_error gw_fetch_begin(struct gw_fetcher *fetcher, const struct gw_fetch_request *request,
                             struct gw_reader *reader)
{
    struct gw_fetch *fetch = fetch_take(fetcher, request->config);
    if (!fetch)
        return GW_ERROR_OVERLOADED;
    fetch_fill(fetch, request);
    fetch->is_refresh = reader == NULL;
    enum gw_error error = gw_attempt_copy(fetch, request) ? gw_attempt_begin(fetch) : GW_ERROR_OVERLOADED;
    if (error) {
        fetch->lead.coalesced = NULL;
        fetch->lead.lock = NULL;
        fetch_give_back(fetch);
        return error;
    }
    if (reader)
        gw_readers_attach(fetch, reader, true);
    if (fetch->lead.coalesced) { /* those that waited for it join now, and may leave at once */
        gw_fetch_hold(fetch);
        gw_coalescing_set_fetch(fetch->lead.coalesced, fetch);
        gw_fetch_unhold(fetch);
    }
    return GW_ERROR_NONE;
}

bool gw_fetch_join(struct gw_fetch *fetch, struct gw_reader *reader)
{
    bool is_over = fetch->state == GW_FETCH_OVER || (fetch->state == GW_FETCH_COMPLETE && !fetch->is_storing);
    if (fetch->state == GW_FETCH_PASSING || is_over)
        return false;
    gw_readers_attach(fetch, reader, false);
    return true;
}

/* By readers, by those who wait on other workers, or by the cache, whose refresh it is. */
static bool fetch_is_awaited(const struct gw_fetch *fetch)
{
    return fetch->is_refresh || !gw_list_is_empty(&fetch->readers) || gw_coalescing_is_awaited(fetch->lead.coalesced);
}

/* The fetch has no reader on this worker: it goes on only while requests of other workers wait for it. */
static void fetch_look_whether_awaited(struct gw_fetch *fetch)
{
    if (fetch->state != GW_FETCH_ASKING || !fetch->lead.coalesced || !gw_list_is_empty(&fetch->readers))
        return;
    if (fetch_is_awaited(fetch)) {
        gw_timer_start(fetch->fetcher->timers, &fetch->timer, AWAITED_LOOK_MS);
        return;
    }
    gw_fetch_hold(fetch);
    gw_fetch_finish(fetch);
    gw_fetch_unhold(fetch);
}

static void fetch_on_timer(struct gw_timer *timer)
{
    fetch_look_whether_awaited(GW_CONTAINER(timer, struct gw_fetch, timer));
}

void gw_fetch_leave(struct gw_reader *reader)
{
    struct gw_fetch *fetch = reader->fetch;
    if (!fetch)
        return;
    gw_fetch_hold(fetch);
    bool was_first = fetch->first == reader;
    gw_readers_detach(fetch, reader);
    /* A shared fetch goes on where others wait for it, perhaps on other workers. */
    bool is_read = !gw_list_is_empty(&fetch->readers);
    bool goes_on = fetch->state == GW_FETCH_COLLECTING || fetch->state == GW_FETCH_CONFIRMED ||
                   fetch->state == GW_FETCH_COMPLETE ||
                   (fetch->state == GW_FETCH_ASKING && fetch->lead.coalesced && fetch_is_awaited(fetch));
    if (!goes_on && (was_first || !is_read))
        gw_fetch_finish(fetch);
    else if (!is_read && !fetch->is_refresh)
        fetch_look_whether_awaited(fetch);
    gw_fetch_unhold(fetch);
}

void gw_fetcher_cancel_unread(struct gw_fetcher *fetcher)
{
    gw_refresh_cancel_all(fetcher);
    gw_list_each_safe(link, &fetcher->busy)
    {
        struct gw_fetch *fetch = GW_CONTAINER(link, struct gw_fetch, link);
        if (!gw_list_is_empty(&fetch->readers) || fetch->is_storing)
            continue; /* the store answers, or is given up, within its own time */
        gw_fetch_hold(fetch);
        gw_fetch_finish(fetch);
        gw_fetch_unhold(fetch);
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
void gw_fetch_resume_passing(struct gw_fetch *fetch, struct gw_reader *reader)
{
    if (fetch->body) {
        struct gw_telling telling;
        gw_telling_begin(&telling, fetch, reader);
        gw_readers_pump(fetch, reader);
        if (!gw_telling_end(fetch, &telling) || reader->cursor < fetch->body_bytes)
            return;
        gw_collect_release(fetch);
        reader->cursor = 0;
    }
    if (!reader->paused && fetch->call_runs)
        gw_transport_resume(fetch->transport, &fetch->call);
}

void gw_fetch_resume(struct gw_reader *reader)
{
    struct gw_fetch *fetch = reader->fetch;
    if (!fetch)
        return;
    gw_fetch_hold(fetch);
    reader->paused = false;
    if (fetch->state == GW_FETCH_PASSING)
        gw_fetch_resume_passing(fetch, reader);
    else if (fetch->state == GW_FETCH_COLLECTING || fetch->state == GW_FETCH_COMPLETE)
        gw_readers_pump(fetch, reader);
    gw_fetch_unhold(fetch);
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

bool gw_fetch_takes_body(const struct gw_reader *reader)
{
    const struct gw_fetch *fetch = reader->fetch;
    return fetch && fetch->call_runs && gw_transport_takes_body(fetch->transport, &fetch->call);
}

void gw_fetch_body_is_there(struct gw_reader *reader)
{
    struct gw_fetch *fetch = reader->fetch;
    if (fetch && fetch->call_runs)
        gw_transport_go_on(fetch->transport, &fetch->call);
}

bool gw_fetch_is_collecting(const struct gw_fetch *fetch)
{
    bool is_whole = fetch->state == GW_FETCH_COMPLETE && !fetch->entry;
    return fetch->may_store && (fetch->state == GW_FETCH_COLLECTING || is_whole);
}

bool gw_fetch_may_outgrow(const struct gw_fetch *fetch)
{
    return fetch->may_store && fetch->state == GW_FETCH_COLLECTING && !fetch->length_known;
}

const struct gw_cache_life *gw_fetch_life(const struct gw_fetch *fetch)
{
    return gw_fetch_is_collecting(fetch) ? &fetch->life : NULL;
}
