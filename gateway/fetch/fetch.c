#include "fetch/fetch.h"

#include <stdlib.h>
#include "fetch/attempt.h"
#include "fetch/collect.h"
#include "fetch/response.h"
#include "fetch/readers.h"
#include "fetch/background_refresh.h"

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
    gw_background_refresh_init(fetcher);
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

static void fetch_end_unless_awaited(struct gw_fetch *fetch);

static void fetch_on_timer(struct gw_timer *timer)
{
    fetch_end_unless_awaited(GW_CONTAINER(timer, struct gw_fetch, timer));
}

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
    gw_fetch_finish_lead(fetch);
    gw_collect_release(fetch);
    gw_entry_unref(fetch->lead.stored);
    gw_entry_unref(fetch->answer.entry);
    gw_arena_reset(&fetch->arena);
    gw_list_remove(&fetch->link);
    fetch->magic = GW_NO_MAGIC;
    gw_free_list_give(&fetcher->free, fetch);
}

bool gw_fetch_may_move(enum gw_fetch_state in, enum gw_fetch_state then)
{
#define FETCH_ROW(in_, then_) { GW_FETCH_##in_, GW_FETCH_##then_ },
    static const struct {
        enum gw_fetch_state in, then;
    } rows[] = { GW_FETCH_MOVES(FETCH_ROW) };
#undef FETCH_ROW
    for (unsigned i = 0; i < GW_COUNT(rows); i++)
        if (rows[i].in == in && rows[i].then == then)
            return true;
    return false;
}

bool gw_fetch_check(const struct gw_fetch *fetch)
{
    const struct gw_fetch_answer *answer = &fetch->answer;
    bool leads = fetch->lead.coalesced || fetch->lead.lock, is_read = !gw_list_is_empty(&fetch->readers.all);
    GW_CHECK_MAGIC(fetch, GW_FETCH_MAGIC);
    GW_CHECK(fetch->attempt.runs == (fetch->state < GW_FETCH_COMPLETE));
    GW_CHECK(!fetch->readers.first || is_read);
    GW_CHECK(answer->reserved_bytes <= fetch->fetcher->collecting_bytes);
    GW_CHECK(fetch->storing.step < GW_STORING_SENT || fetch->state == GW_FETCH_COMPLETE);
    switch (fetch->state) {
    case GW_FETCH_ASKING:
        GW_CHECK(!answer->body && !answer->entry);
        GW_CHECK(is_read || leads || fetch->is_refresh);
        break;
    case GW_FETCH_PASSING:
        GW_CHECK(answer->head && fetch->readers.first && !gw_fetch_is_for_store(fetch) && !leads && !answer->entry);
        break;
    case GW_FETCH_COLLECTING:
        GW_CHECK(answer->head && fetch->storing.step == GW_STORING_PLANNED && !answer->entry);
        GW_CHECK(answer->body_bytes <= answer->reserved_bytes);
        break;
    case GW_FETCH_CONFIRMED:
        GW_CHECK(answer->entry && fetch->lead.stored);
        break;
    case GW_FETCH_COMPLETE:
        GW_CHECK(fetch->storing.step == GW_STORING_SENT || !leads);
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

/* Has the call ended, with nothing left to store? Then the fetch only serves the readers that it has. */
static bool fetch_is_done(const struct gw_fetch *fetch)
{
    return fetch->state == GW_FETCH_OVER ||
           (fetch->state == GW_FETCH_COMPLETE && fetch->storing.step != GW_STORING_SENT);
}

void gw_fetch_unhold(struct gw_fetch *fetch)
{
    if (--fetch->holds)
        return;
    GW_CHECK(gw_fetch_check(fetch));
    if (fetch_is_done(fetch) && gw_list_is_empty(&fetch->readers.all))
        fetch_give_back(fetch);
}

void gw_fetch_finish_lead(struct gw_fetch *fetch)
{
    gw_timer_stop(&fetch->timer);
    gw_lead_finish(&fetch->lead);
}

void gw_fetch_finish(struct gw_fetch *fetch)
{
    if (fetch->state == GW_FETCH_OVER)
        return;
    gw_attempt_cancel(fetch);
    gw_fetch_finish_lead(fetch);
    gw_fetch_move(fetch, GW_FETCH_OVER);
    gw_readers_release_others(fetch);
}

/* ---- asking ---- */

enum gw_error gw_fetch_begin(struct gw_fetcher *fetcher, const struct gw_fetch_request *request,
                             struct gw_reader *reader)
{
    struct gw_fetch *fetch = fetch_take(fetcher, request->config);
    if (!fetch)
        return GW_ERROR_OVERLOADED;
    bool may_store = request->may_store && fetcher->memory_cache;
    fetch->state = GW_FETCH_ASKING;
    fetch->holds = 0;
    fetch->is_refresh = reader == NULL;
    fetch->config = request->config;
    fetch->route = request->route;
    fetch->readers = (struct gw_fetch_readers) { .first = NULL };
    gw_list_init(&fetch->readers.all);
    fetch->answer = (struct gw_fetch_answer) { .refusal = GW_CACHE_STORABLE };
    fetch->storing = (struct gw_fetch_storing) {
        .step = may_store ? GW_STORING_PLANNED : GW_STORING_NOT,
        .ban_sequence = fetcher->bans ? gw_bans_sequence(fetcher->bans) : 0,
    };
    if (may_store)
        fetch->plan = (struct gw_fetch_plan) { request->cache, request->rules, request->key };
    fetch->lead = request->lead;
    if (fetch->lead.stored)
        gw_entry_ref(fetch->lead.stored);

    enum gw_error error = gw_attempt_begin(fetch, request);
    if (error) { /* the lead is still the caller's */
        fetch->lead.coalesced = NULL;
        fetch->lead.lock = NULL;
        fetch_give_back(fetch);
        return error;
    }
    if (reader)
        gw_readers_attach(fetch, reader, true);
    if (fetch->lead.coalesced) { /* readers that waited for this fetch join now, and may leave at once */
        gw_fetch_hold(fetch);
        gw_coalescing_set_fetch(fetch->lead.coalesced, fetch);
        gw_fetch_unhold(fetch);
    }
    return GW_ERROR_NONE;
}

bool gw_fetch_join(struct gw_fetch *fetch, struct gw_reader *reader)
{
    if (fetch->state == GW_FETCH_PASSING || fetch_is_done(fetch))
        return false;
    gw_readers_attach(fetch, reader, false);
    return true;
}

/* By readers, by requests on other workers, or by the cache (a refresh). */
static bool fetch_is_awaited(const struct gw_fetch *fetch)
{
    return fetch->is_refresh || !gw_list_is_empty(&fetch->readers.all) ||
           gw_coalescing_is_awaited(fetch->lead.coalesced);
}

/* A shared fetch has no reader on this worker, and no head yet. While requests on other workers wait for it, the timer
 * calls this again; else the fetch ends. */
static void fetch_end_unless_awaited(struct gw_fetch *fetch)
{
    if (fetch->state != GW_FETCH_ASKING || !fetch->lead.coalesced || !gw_list_is_empty(&fetch->readers.all))
        return;
    if (fetch_is_awaited(fetch)) {
        gw_timer_start(fetch->fetcher->timers, &fetch->timer, AWAITED_LOOK_MS);
        return;
    }
    gw_fetch_hold(fetch);
    gw_fetch_finish(fetch);
    gw_fetch_unhold(fetch);
}

void gw_fetch_leave(struct gw_reader *reader)
{
    struct gw_fetch *fetch = reader->fetch;
    if (!fetch)
        return;
    gw_fetch_hold(fetch);
    bool was_first = fetch->readers.first == reader;
    gw_readers_detach(fetch, reader);
    /* A shared fetch goes on while others wait for it, perhaps on other workers. */
    bool is_read = !gw_list_is_empty(&fetch->readers.all);
    bool goes_on = fetch->state == GW_FETCH_COLLECTING || fetch->state == GW_FETCH_CONFIRMED ||
                   fetch->state == GW_FETCH_COMPLETE ||
                   (fetch->state == GW_FETCH_ASKING && fetch->lead.coalesced && fetch_is_awaited(fetch));
    if (!goes_on && (was_first || !is_read))
        gw_fetch_finish(fetch);
    else if (!is_read && !fetch->is_refresh)
        fetch_end_unless_awaited(fetch);
    gw_fetch_unhold(fetch);
}

void gw_fetcher_cancel_unread(struct gw_fetcher *fetcher)
{
    gw_background_refresh_cancel_all(fetcher);
    gw_list_each_safe(link, &fetcher->busy)
    {
        struct gw_fetch *fetch = GW_CONTAINER(link, struct gw_fetch, link);
        if (!gw_list_is_empty(&fetch->readers.all) || fetch->state >= GW_FETCH_COMPLETE)
            continue; /* COMPLETE without a reader: Redis acknowledges, or is given up, within its own time */
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
    if (fetch->state == GW_FETCH_PASSING && fetch->attempt.runs)
        gw_transport_pause(fetch->attempt.transport, &fetch->attempt.call);
}

void gw_fetch_resume_passing(struct gw_fetch *fetch, struct gw_reader *reader)
{
    if (fetch->answer.body) {
        struct gw_telling telling;
        gw_telling_begin(&telling, fetch, reader);
        gw_readers_pump(fetch, reader);
        if (!gw_telling_end(fetch, &telling) || reader->cursor < fetch->answer.body_bytes)
            return;
        gw_collect_release(fetch);
        reader->cursor = 0;
    }
    if (!reader->paused && fetch->attempt.runs)
        gw_transport_resume(fetch->attempt.transport, &fetch->attempt.call);
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
    if (!fetch || !fetch->attempt.runs)
        return false;
    fetch->attempt.body_begun = true;
    return gw_transport_send(fetch->attempt.transport, &fetch->attempt.call, bytes, block);
}

void gw_fetch_end_body(struct gw_reader *reader)
{
    struct gw_fetch *fetch = reader->fetch;
    if (!fetch || !fetch->attempt.runs)
        return;
    fetch->attempt.body_begun = true;
    gw_transport_end_body(fetch->attempt.transport, &fetch->attempt.call);
}

bool gw_fetch_takes_body(const struct gw_reader *reader)
{
    const struct gw_fetch *fetch = reader->fetch;
    return fetch && fetch->attempt.runs && gw_transport_takes_body(fetch->attempt.transport, &fetch->attempt.call);
}

void gw_fetch_body_is_there(struct gw_reader *reader)
{
    struct gw_fetch *fetch = reader->fetch;
    if (fetch && fetch->attempt.runs)
        gw_transport_go_on(fetch->attempt.transport, &fetch->attempt.call);
}

bool gw_fetch_is_collecting(const struct gw_fetch *fetch)
{
    bool is_whole = fetch->state == GW_FETCH_COMPLETE && !fetch->answer.entry;
    return gw_fetch_is_for_store(fetch) && (fetch->state == GW_FETCH_COLLECTING || is_whole);
}

bool gw_fetch_may_outgrow(const struct gw_fetch *fetch)
{
    return gw_fetch_is_collecting(fetch) && fetch->state == GW_FETCH_COLLECTING && !fetch->answer.length_known;
}

const struct gw_cache_life *gw_fetch_life(const struct gw_fetch *fetch)
{
    return gw_fetch_is_collecting(fetch) ? &fetch->life : NULL;
}
