#include "fetch/response.h"

#include "base/clock.h"
#include "base/log.h"
#include "fetch/attempt.h"
#include "fetch/collect.h"
#include "fetch/location.h"
#include "fetch/readers.h"

static struct gw_fetch *response_fetch_from(struct gw_call *call)
{
    struct gw_fetch *fetch = GW_CONTAINER(call, struct gw_fetch, call);
    GW_CHECK_MAGIC(fetch, GW_FETCH_MAGIC);
    return fetch;
}

void gw_response_land(struct gw_fetch *fetch)
{
    gw_timer_stop(&fetch->timer);
    gw_lead_finish(&fetch->lead);
}

/* The answer is this entry, which the fetch and its readers share. */
static void response_publish(struct gw_fetch *fetch, struct gw_entry *entry, enum gw_fetch_source source)
{
    fetch->entry = gw_entry_ref(entry);
    fetch->source = source;
    fetch->state = GW_FETCH_COMPLETE;
    if (!fetch->is_storing)
        gw_response_land(fetch);
    gw_readers_pump_all(fetch);
}

/* ---- failure ---- */

/* Neither purged nor written over since it was found: what is older than a purge is no answer after it. */
static bool response_is_still_stored(const struct gw_fetch *fetch)
{
    const struct gw_fetcher *fetcher = fetch->fetcher;
    return gw_memory_cache_epoch(fetcher->memory_cache, &fetch->lead.stored->key) == fetch->lead.epoch &&
           !(fetcher->bans && gw_bans_check(fetcher->bans, fetch->lead.stored) == GW_BAN_HARD);
}

/* What is stored may answer the first reader instead: then it answers whoever else it may, and the others try alone. */
static bool response_answers_stale(const struct gw_fetch *fetch)
{
    struct gw_reader *first = fetch->first;
    bool is_untold = fetch->state != GW_FETCH_COLLECTING && first && !first->head_told;
    return fetch->lead.stored && is_untold && response_is_still_stored(fetch) &&
           first->events->may_take(first, fetch->lead.stored, GW_FETCH_FROM_ERROR);
}

static void response_end_stale(struct gw_fetch *fetch)
{
    gw_attempt_cancel(fetch);
    gw_counter_add(&fetch->fetcher->shard->cache_revalidations_failed, 1);
    response_publish(fetch, fetch->lead.stored, GW_FETCH_FROM_ERROR);
}

void gw_response_fail(struct gw_fetch *fetch, enum gw_error error)
{
    if (response_answers_stale(fetch)) {
        response_end_stale(fetch);
        return;
    }
    fetch->state = GW_FETCH_OVER;
    gw_response_land(fetch);
    gw_readers_fail(fetch, error);
}

static void response_on_fail(struct gw_call *call, enum gw_error error)
{
    struct gw_fetch *fetch = response_fetch_from(call);
    const struct gw_backend *failed = call->backend;
    gw_fetch_hold(fetch);
    gw_attempt_ended(fetch);
    gw_counter_add(&fetch->fetcher->shard->upstream_errors[error], 1);
    gw_registry_note(fetch->fetcher->registry, failed->index, false);
    if (!gw_attempt_again(fetch, error)) {
        gw_log(GW_LOG_WARN, "upstream", "%.*s: %s", GW_SLICE_ARGS(failed->url), gw_error_sentence(error));
        gw_response_fail(fetch, error);
    }
    gw_fetch_unhold(fetch);
}

/* ---- the head ---- */

/* Does the head tell what the whole is now? What answers a Range may not. */
static bool response_tells_of_whole(const struct gw_fetch *fetch)
{
    bool had_range = fetch->cache.is_range && !fetch->lacks_range;
    return fetch->head->status < 500 && (!had_range || fetch->head->status == 200);
}

/* What is stored may be fresh where it was the request that wanted it confirmed. A failing backend says nothing of it,
 * so no mark is written over it. */
static void response_mark(struct gw_fetch *fetch)
{
    if (fetch->cache.must_validate && fetch->lead.stored && !response_tells_of_whole(fetch))
        gw_collect_mark_in_memory(fetch);
    else
        gw_collect_mark_hit_for_miss(fetch);
}

/* The answer is the first reader's alone. */
static void response_pass(struct gw_fetch *fetch)
{
    fetch->state = GW_FETCH_PASSING;
    if (fetch->may_store && fetch->lead.stored && response_tells_of_whole(fetch))
        gw_collect_forget_stored(fetch);
    if (fetch->lead.coalesced)
        response_mark(fetch);
    fetch->may_store = false;
    gw_response_land(fetch);
    gw_readers_release_others(fetch);
    if (!fetch->first)
        gw_fetch_finish(fetch);
}

static void response_on_interim(struct gw_call *call, const struct gw_head *head)
{
    struct gw_fetch *fetch = response_fetch_from(call);
    /* Only who asked for it hears what is said before the answer. */
    if (fetch->first)
        fetch->first->events->on_interim(fetch->first, head);
}

static bool response_is_validating(const struct gw_fetch *fetch)
{
    return fetch->fields.length > fetch->plain_fields;
}

/* A 304 for our own conditionals. One that is about something else leaves what is stored alone (RFC 9111 §4.3.4), and
 * the whole is asked for. */
static void response_take_confirmation(struct gw_fetch *fetch, const struct gw_head *head)
{
    enum gw_error error = GW_ERROR_NONE;
    if (gw_policy_may_update(&fetch->lead.stored->head, fetch->lead.stored->body_bytes, head) &&
        gw_collect_confirm(fetch)) {
        fetch->state = GW_FETCH_CONFIRMED;
        return;
    }
    fetch->head = NULL;
    error = gw_attempt_whole(fetch);
    if (error)
        gw_response_fail(fetch, error);
}

/* To a request without a conditional: an answer to nothing, which a client could not use, and no cache may keep. */
static void response_refuse_unasked(struct gw_fetch *fetch)
{
    fetch->head = NULL;
    gw_attempt_cancel(fetch);
    gw_counter_add(&fetch->fetcher->shard->upstream_errors[GW_ERROR_UPSTREAM_MALFORMED], 1);
    gw_log(GW_LOG_WARN, "upstream", "%.*s: 304 to a request without a conditional",
           GW_SLICE_ARGS(fetch->call.backend->url));
    gw_response_fail(fetch, GW_ERROR_UPSTREAM_MALFORMED);
}

static bool response_is_server_failure(int status)
{
    return status == 500 || status == 502 || status == 503 || status == 504;
}

/* Never of use without validation: nobody else need wait for it, though it is stored. */
static void response_begin_collecting(struct gw_fetch *fetch)
{
    fetch->state = GW_FETCH_COLLECTING;
    if (fetch->is_outdated)
        gw_readers_release_others(fetch);
    if (!fetch->lead.coalesced || (fetch->life.age_s < fetch->life.freshness_s && !fetch->life.terms.must_validate))
        return;
    gw_collect_mark_in_memory(fetch);
    gw_readers_release_others(fetch);
}

/* The whole is not for storing: its client gets the part that it asked for, as the backend has it. The next one, also of
 * another instance, asks for its part at once; where the mark would stand over what is just being ended, it is this
 * instance's alone. */
static void response_ask_part(struct gw_fetch *fetch)
{
    if (fetch->lead.stored) {
        gw_collect_forget_stored(fetch);
        gw_collect_mark_in_memory(fetch);
    } else {
        gw_collect_mark_hit_for_miss(fetch);
    }
    fetch->head = NULL;
    enum gw_error error = gw_attempt_part(fetch);
    if (error)
        gw_response_fail(fetch, error);
}

static void response_take_head(struct gw_fetch *fetch)
{
    bool is_failure = response_is_server_failure(fetch->head->status);
    if (is_failure && response_answers_stale(fetch)) {
        response_end_stale(fetch);
        return;
    }
    if (is_failure && fetch->is_refresh && fetch->lead.stored) { /* what is stored may still be of use, and stays */
        gw_fetch_finish(fetch);
        return;
    }
    if (response_is_validating(fetch))
        gw_counter_add(&fetch->fetcher->shard->cache_revalidations_replaced, 1);
    enum gw_cache_refusal refusal = gw_collect_begin(fetch);
    if (refusal == GW_CACHE_STORABLE) {
        response_begin_collecting(fetch);
        return;
    }
    if (fetch->may_store)
        gw_collect_count_refusal(fetch, refusal);
    fetch->is_personal = fetch->may_store && refusal == GW_CACHE_CREDENTIAL && !fetch->lead.stored;
    if (fetch->lacks_range && fetch->head->status == 200)
        response_ask_part(fetch);
    else {
        response_pass(fetch);
        if (fetch->first && fetch->first->paused) /* since an interim answer: there was nothing to pause yet */
            gw_transport_pause(fetch->transport, &fetch->call);
        if (fetch->first)
            gw_readers_tell_head(fetch, fetch->first);
    }
}

static void response_on_head(struct gw_call *call, struct gw_head *head)
{
    struct gw_fetch *fetch = response_fetch_from(call);
    gw_registry_note(fetch->fetcher->registry, call->backend->index, true);
    gw_fetch_hold(fetch);
    fetch->head = head;
    gw_collect_drop_own_fields(fetch, head);
    gw_location_rewrite(fetch, head);
    /* A purge on another instance is heard of a moment after it was acknowledged there. A request that joined in that
     * moment must not get an answer that was asked for before the purge. */
    struct gw_bans *bans = fetch->fetcher->bans;
    fetch->is_outdated = fetch->lead.coalesced && bans && gw_bans_sequence(bans) != fetch->ban_sequence;
    if (head->status == 304 && response_is_validating(fetch))
        response_take_confirmation(fetch, head);
    else if (head->status == 304 && !fetch->is_conditional)
        response_refuse_unasked(fetch);
    else
        response_take_head(fetch);
    gw_fetch_unhold(fetch);
}

/* ---- the body ---- */

/* False: memory is out, and everybody was told. */
static bool response_append(struct gw_fetch *fetch, struct gw_slice bytes)
{
    if (gw_collect_append(fetch, bytes))
        return true;
    gw_attempt_cancel(fetch);
    gw_response_fail(fetch, GW_ERROR_OVERLOADED);
    return false;
}

/* Longer than what is stored: from here on at the first reader's pace, once it has caught up. */
static void response_stop_collecting(struct gw_fetch *fetch)
{
    bool is_large = fetch->body_bytes > fetch->config->max_object_bytes;
    gw_collect_count_refusal(fetch, is_large ? GW_CACHE_TOO_LARGE : GW_CACHE_NO_ROOM);
    response_pass(fetch);
    if (fetch->state != GW_FETCH_PASSING)
        return;
    gw_transport_pause(fetch->transport, &fetch->call);
    if (!fetch->first->paused)
        gw_fetch_resume_passing(fetch, fetch->first);
}

static void response_on_body(struct gw_call *call, struct gw_slice bytes, struct gw_block *block)
{
    struct gw_fetch *fetch = response_fetch_from(call);
    gw_fetch_hold(fetch);
    if (fetch->state == GW_FETCH_COLLECTING) {
        if (response_append(fetch, bytes) && !gw_collect_fits(fetch))
            response_stop_collecting(fetch);
    } else if (fetch->body) { /* passing, and the first reader is still behind */
        response_append(fetch, bytes);
    } else if (fetch->first) {
        fetch->first->events->on_body(fetch->first, bytes, block);
    }
    gw_fetch_unhold(fetch);
}

static void response_on_pause_in_reading(struct gw_call *call)
{
    struct gw_fetch *fetch = response_fetch_from(call);
    gw_fetch_hold(fetch);
    if (fetch->state == GW_FETCH_COLLECTING)
        gw_readers_pump_all(fetch);
    else if (fetch->state == GW_FETCH_PASSING && fetch->first)
        fetch->first->events->on_flush(fetch->first);
    gw_fetch_unhold(fetch);
}

/* The store has acknowledged, or given up: who waits elsewhere may look now. */
static void response_on_stored(void *owner)
{
    struct gw_fetch *fetch = GW_FROM_CONTEXT(owner, struct gw_fetch, GW_FETCH_MAGIC);
    gw_fetch_hold(fetch);
    fetch->is_storing = false;
    gw_response_land(fetch);
    gw_fetch_unhold(fetch);
}

/* entry NULL: memory was out. */
static void response_store(struct gw_fetch *fetch, struct gw_entry *entry, bool is_confirmed)
{
    if (fetch->lead.coalesced)
        gw_coalescing_set_storing(fetch->lead.coalesced);
    if (fetch->lead.coalesced && entry && !fetch->is_outdated)
        gw_coalescing_set_answer(fetch->lead.coalesced, entry,
                                 is_confirmed ? GW_COALESCING_CONFIRMED : GW_COALESCING_FETCHED, false);
    fetch->is_storing = entry && gw_collect_put(fetch, entry, response_on_stored);
}

static void response_end_confirmed(struct gw_fetch *fetch)
{
    struct gw_entry *entry = fetch->confirmed;
    fetch->confirmed = NULL;
    gw_counter_add(&fetch->fetcher->shard->cache_revalidations_confirmed, 1);
    response_store(fetch, entry, true);
    response_publish(fetch, entry, GW_FETCH_FROM_VALIDATED);
    gw_entry_unref(entry);
}

static void response_on_end(struct gw_call *call)
{
    struct gw_fetch *fetch = response_fetch_from(call);
    gw_fetch_hold(fetch);
    gw_attempt_ended(fetch);
    if (fetch->state == GW_FETCH_COLLECTING) {
        struct gw_entry *entry = gw_collect_end(fetch);
        fetch->state = GW_FETCH_COMPLETE;
        response_store(fetch, entry, false);
        gw_entry_unref(entry);
        if (!fetch->is_storing)
            gw_response_land(fetch);
        gw_readers_pump_all(fetch);
    } else if (fetch->state == GW_FETCH_CONFIRMED) {
        response_end_confirmed(fetch);
    } else if (fetch->body || fetch->first->paused) { /* passing, the first reader is still behind */
        fetch->state = GW_FETCH_COMPLETE;
        gw_readers_pump_all(fetch);
    } else {
        struct gw_reader *reader = fetch->first;
        fetch->state = GW_FETCH_OVER;
        gw_readers_detach(fetch, reader);
        reader->events->on_end(reader);
    }
    gw_fetch_unhold(fetch);
}

static void response_on_want_body(struct gw_call *call)
{
    struct gw_fetch *fetch = response_fetch_from(call);
    if (fetch->first)
        fetch->first->events->on_want_body(fetch->first);
}

const struct gw_call_events gw_response_events = {
    .on_interim = response_on_interim,
    .on_head = response_on_head,
    .on_body = response_on_body,
    .on_pause_in_reading = response_on_pause_in_reading,
    .on_end = response_on_end,
    .on_fail = response_on_fail,
    .on_want_body = response_on_want_body,
};
