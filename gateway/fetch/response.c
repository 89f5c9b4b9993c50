#include "fetch/response.h"

#include "base/clock.h"
#include "base/log.h"
#include "fetch/attempt.h"
#include "fetch/collect.h"
#include "fetch/location.h"
#include "fetch/readers.h"

static struct gw_fetch *response_fetch_from(struct gw_call *call)
{
    struct gw_fetch *fetch = GW_CONTAINER(call, struct gw_fetch, attempt.call);
    GW_CHECK_MAGIC(fetch, GW_FETCH_MAGIC);
    return fetch;
}

/* The answer is answer.entry. */
static void response_publish(struct gw_fetch *fetch, enum gw_fetch_source source)
{
    fetch->answer.source = source;
    gw_fetch_move(fetch, GW_FETCH_COMPLETE);
    if (fetch->storing.step != GW_STORING_SENT)
        gw_fetch_finish_lead(fetch);
    gw_readers_pump_all(fetch);
}

/* ---- failure ---- */

/* The backend failed: does what is stored answer the first reader instead? Then it also answers each other reader that may
 * take it; the rest try alone. What was purged or written over since it was found is no answer. */
static bool response_answered_stale(struct gw_fetch *fetch)
{
    struct gw_fetcher *fetcher = fetch->fetcher;
    struct gw_entry *stored = fetch->lead.stored;
    struct gw_reader *first = fetch->readers.first;
    if (!stored || !first || first->head_told || fetch->state == GW_FETCH_COLLECTING)
        return false;
    if (gw_memory_cache_epoch(fetcher->memory_cache, &stored->key) != fetch->lead.epoch)
        return false;
    if (fetcher->bans && gw_bans_check(fetcher->bans, stored) == GW_BAN_HARD)
        return false;
    if (!first->events->may_take(first, stored, GW_FETCH_FROM_ERROR))
        return false;
    gw_attempt_cancel(fetch);
    gw_counter_add(&fetcher->shard->cache_revalidations_failed, 1);
    gw_entry_unref(fetch->answer.entry);
    fetch->answer.entry = gw_entry_ref(stored);
    response_publish(fetch, GW_FETCH_FROM_ERROR);
    return true;
}

/* No answer will come from the backend. */
static void response_fail(struct gw_fetch *fetch, enum gw_error error)
{
    if (response_answered_stale(fetch))
        return;
    gw_fetch_finish_lead(fetch);
    gw_fetch_move(fetch, GW_FETCH_OVER);
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
        response_fail(fetch, error);
    }
    gw_fetch_unhold(fetch);
}

/* ---- the head ---- */

/* Does the head tell what the whole is now? The answer to a Range may not, and a failing backend does not. */
static bool response_tells_of_whole(const struct gw_fetch *fetch)
{
    bool had_range = fetch->plan.cache.is_range && !fetch->sent.lacks_range;
    return fetch->answer.head->status < 500 && (!had_range || fetch->answer.head->status == 200);
}

/* The answer is the first reader's alone. */
static void response_pass(struct gw_fetch *fetch)
{
    gw_fetch_move(fetch, GW_FETCH_PASSING);
    if (gw_fetch_is_for_store(fetch) && fetch->lead.stored && response_tells_of_whole(fetch))
        gw_collect_forget_stored(fetch);
    if (fetch->lead.coalesced) {
        /* What is stored may be fresh, if only the request wanted it confirmed: then no mark is written over it. */
        if (fetch->plan.cache.must_validate && fetch->lead.stored && !response_tells_of_whole(fetch))
            gw_collect_mark_in_memory(fetch);
        else
            gw_collect_mark_hit_for_miss(fetch);
    }
    fetch->storing.step = GW_STORING_NOT;
    gw_fetch_finish_lead(fetch);
    gw_readers_release_others(fetch);
    if (!fetch->readers.first)
        gw_fetch_finish(fetch);
}

static void response_on_interim(struct gw_call *call, const struct gw_head *head)
{
    struct gw_fetch *fetch = response_fetch_from(call);
    /* Interim answers are for the request that was sent, not for those that joined. */
    if (fetch->readers.first)
        fetch->readers.first->events->on_interim(fetch->readers.first, head);
}

/* Does the request carry the fetch's own conditionals? */
static bool response_is_validating(const struct gw_fetch *fetch)
{
    return fetch->sent.fields.length > fetch->sent.plain_fields;
}

/* A 304 for the fetch's own conditionals. One that is about something else leaves what is stored alone (RFC 9111
 * §4.3.4), and the whole is asked for. */
static void response_take_confirmation(struct gw_fetch *fetch, const struct gw_head *head)
{
    const struct gw_entry *stored = fetch->lead.stored;
    if (gw_policy_may_update(&stored->head, stored->body_bytes, head) && gw_collect_confirm(fetch)) {
        gw_fetch_move(fetch, GW_FETCH_CONFIRMED);
        return;
    }
    fetch->answer.head = NULL;
    enum gw_error error = gw_attempt_whole(fetch);
    if (error)
        response_fail(fetch, error);
}

/* A 304 to a request without a conditional: no client could use it, and no cache may keep it. */
static void response_refuse_unasked(struct gw_fetch *fetch)
{
    fetch->answer.head = NULL;
    gw_attempt_cancel(fetch);
    gw_counter_add(&fetch->fetcher->shard->upstream_errors[GW_ERROR_UPSTREAM_MALFORMED], 1);
    gw_log(GW_LOG_WARN, "upstream", "%.*s: 304 to a request without a conditional",
           GW_SLICE_ARGS(fetch->attempt.call.backend->url));
    response_fail(fetch, GW_ERROR_UPSTREAM_MALFORMED);
}

static bool response_is_server_failure(int status)
{
    return status == 500 || status == 502 || status == 503 || status == 504;
}

static void response_begin_collecting(struct gw_fetch *fetch)
{
    const struct gw_cache_life *life = &fetch->life;
    gw_fetch_move(fetch, GW_FETCH_COLLECTING);
    if (fetch->storing.is_outdated)
        gw_readers_release_others(fetch);
    /* Stored, but never used without validation: no other request need wait for it. */
    if (fetch->lead.coalesced && (life->age_s >= life->freshness_s || life->terms.must_validate)) {
        gw_collect_mark_in_memory(fetch);
        gw_readers_release_others(fetch);
    }
}

/* The whole may not be stored: the client gets the part that it asked for, as the backend has it. The mark makes the next
 * request ask for its part at once, also on other instances. If something is stored, which ends now, the mark is only
 * set in this process: in Redis it would stand over what is just being removed. */
static void response_ask_part(struct gw_fetch *fetch)
{
    if (fetch->lead.stored) {
        gw_collect_forget_stored(fetch);
        gw_collect_mark_in_memory(fetch);
    } else {
        gw_collect_mark_hit_for_miss(fetch);
    }
    fetch->answer.head = NULL;
    enum gw_error error = gw_attempt_part(fetch);
    if (error)
        response_fail(fetch, error);
}

static void response_take_head(struct gw_fetch *fetch)
{
    const struct gw_head *head = fetch->answer.head;
    if (response_is_server_failure(head->status)) {
        if (response_answered_stale(fetch))
            return;
        if (fetch->is_refresh && fetch->lead.stored) { /* what is stored may still be of use: it stays */
            gw_fetch_finish(fetch);
            return;
        }
    }
    if (response_is_validating(fetch))
        gw_counter_add(&fetch->fetcher->shard->cache_revalidations_replaced, 1);
    if (gw_fetch_is_for_store(fetch)) {
        enum gw_cache_refusal refusal = gw_collect_begin(fetch);
        if (refusal == GW_CACHE_STORABLE) {
            response_begin_collecting(fetch);
            return;
        }
        gw_collect_count_refusal(fetch, refusal);
        fetch->storing.is_personal = refusal == GW_CACHE_CREDENTIAL && !fetch->lead.stored;
    }
    if (fetch->sent.lacks_range && head->status == 200) {
        response_ask_part(fetch);
        return;
    }
    response_pass(fetch);
    if (fetch->readers.first && fetch->readers.first->paused) /* since an interim answer, before there was a body */
        gw_transport_pause(fetch->attempt.transport, &fetch->attempt.call);
    if (fetch->readers.first)
        gw_readers_tell_head(fetch, fetch->readers.first);
}

static void response_on_head(struct gw_call *call, struct gw_head *head)
{
    struct gw_fetch *fetch = response_fetch_from(call);
    gw_registry_note(fetch->fetcher->registry, call->backend->index, true);
    gw_fetch_hold(fetch);
    fetch->answer.head = head;
    gw_collect_drop_own_fields(fetch, head);
    gw_location_rewrite(fetch, head);
    /* A purge on another instance is heard of a moment after it was answered: a reader that joined in that moment must
     * not get what was asked for before. */
    struct gw_bans *bans = fetch->fetcher->bans;
    fetch->storing.is_outdated = fetch->lead.coalesced && bans && gw_bans_sequence(bans) != fetch->storing.ban_sequence;
    if (head->status == 304 && response_is_validating(fetch))
        response_take_confirmation(fetch, head);
    else if (head->status == 304 && !fetch->sent.is_conditional)
        response_refuse_unasked(fetch);
    else
        response_take_head(fetch);
    gw_fetch_unhold(fetch);
}

/* ---- the body ---- */

/* False: memory is out, and all readers were told. */
static bool response_append(struct gw_fetch *fetch, struct gw_slice bytes)
{
    if (gw_collect_append(fetch, bytes))
        return true;
    gw_attempt_cancel(fetch);
    response_fail(fetch, GW_ERROR_OVERLOADED);
    return false;
}

/* The body is too large to be stored. Once the first reader has caught up, the upstream runs at its pace. */
static void response_stop_collecting(struct gw_fetch *fetch)
{
    bool is_large = fetch->answer.body_bytes > fetch->config->max_object_bytes;
    gw_collect_count_refusal(fetch, is_large ? GW_CACHE_TOO_LARGE : GW_CACHE_NO_ROOM);
    response_pass(fetch);
    if (fetch->state != GW_FETCH_PASSING)
        return;
    gw_transport_pause(fetch->attempt.transport, &fetch->attempt.call);
    if (!fetch->readers.first->paused)
        gw_fetch_resume_passing(fetch, fetch->readers.first);
}

static void response_on_body(struct gw_call *call, struct gw_slice bytes, struct gw_block *block)
{
    struct gw_fetch *fetch = response_fetch_from(call);
    gw_fetch_hold(fetch);
    if (fetch->state == GW_FETCH_COLLECTING) {
        if (response_append(fetch, bytes) && !gw_collect_fits(fetch))
            response_stop_collecting(fetch);
    } else if (fetch->answer.body) { /* passing; the first reader has not caught up with what was collected */
        response_append(fetch, bytes);
    } else if (fetch->readers.first) {
        fetch->readers.first->events->on_body(fetch->readers.first, bytes, block);
    }
    gw_fetch_unhold(fetch);
}

static void response_on_pause_in_reading(struct gw_call *call)
{
    struct gw_fetch *fetch = response_fetch_from(call);
    gw_fetch_hold(fetch);
    if (fetch->state == GW_FETCH_COLLECTING)
        gw_readers_pump_all(fetch);
    else if (fetch->state == GW_FETCH_PASSING && fetch->readers.first)
        fetch->readers.first->events->on_flush(fetch->readers.first);
    gw_fetch_unhold(fetch);
}

/* Redis has acknowledged, or was given up. */
static void response_on_stored(void *owner)
{
    struct gw_fetch *fetch = GW_FROM_CONTEXT(owner, struct gw_fetch, GW_FETCH_MAGIC);
    gw_fetch_hold(fetch);
    fetch->storing.step = GW_STORING_DONE;
    gw_fetch_finish_lead(fetch);
    gw_fetch_unhold(fetch);
}

/* entry NULL: memory was out. */
static void response_store(struct gw_fetch *fetch, struct gw_entry *entry, enum gw_coalescing_source source)
{
    if (fetch->lead.coalesced) {
        gw_coalescing_set_storing(fetch->lead.coalesced);
        if (entry && !fetch->storing.is_outdated)
            gw_coalescing_set_answer(fetch->lead.coalesced, entry, source, false);
    }
    bool is_sent = entry && gw_collect_put(fetch, entry, response_on_stored);
    fetch->storing.step = is_sent ? GW_STORING_SENT : GW_STORING_DONE;
}

static void response_on_end(struct gw_call *call)
{
    struct gw_fetch *fetch = response_fetch_from(call);
    gw_fetch_hold(fetch);
    gw_attempt_ended(fetch);
    if (fetch->state == GW_FETCH_COLLECTING) {
        struct gw_entry *entry = gw_collect_end(fetch);
        gw_fetch_move(fetch, GW_FETCH_COMPLETE);
        response_store(fetch, entry, GW_COALESCING_FETCHED);
        gw_entry_unref(entry);
        if (fetch->storing.step != GW_STORING_SENT)
            gw_fetch_finish_lead(fetch);
        gw_readers_pump_all(fetch);
    } else if (fetch->state == GW_FETCH_CONFIRMED) {
        gw_counter_add(&fetch->fetcher->shard->cache_revalidations_confirmed, 1);
        response_store(fetch, fetch->answer.entry, GW_COALESCING_CONFIRMED);
        response_publish(fetch, GW_FETCH_FROM_VALIDATED);
    } else if (fetch->answer.body || fetch->readers.first->paused) { /* passing; the first reader is behind */
        gw_fetch_move(fetch, GW_FETCH_COMPLETE);
        gw_readers_pump_all(fetch);
    } else {
        struct gw_reader *reader = fetch->readers.first;
        gw_fetch_move(fetch, GW_FETCH_OVER);
        gw_readers_detach(fetch, reader);
        reader->events->on_end(reader);
    }
    gw_fetch_unhold(fetch);
}

static void response_on_want_body(struct gw_call *call)
{
    struct gw_fetch *fetch = response_fetch_from(call);
    if (fetch->readers.first)
        fetch->readers.first->events->on_want_body(fetch->readers.first);
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
