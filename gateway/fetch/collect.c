#include "fetch/collect.h"

#include "base/clock.h"
#include "cache/last_refusals.h"
#include "cache/range.h"
#include "cache/vary.h"
#include "http/date.h"
#include "http/structured.h"

enum { FIRST_BODY_BYTES = 16 * 1024 };

/* RFC 9211 §2. */
static const unsigned cache_status_types = GW_STRUCTURED_STRING | GW_STRUCTURED_TOKEN;

void gw_collect_drop_own_fields(struct gw_fetch *fetch, struct gw_head *head)
{
    static const enum gw_field_name always[] = { GW_FIELD_X_CACHE, GW_FIELD_X_CACHE_AGE, GW_FIELD_X_REQUEST_ID };
    gw_head_drop_hop_by_hop(head);
    for (unsigned i = 0; i < GW_COUNT(always); i++)
        gw_head_drop(head, always[i]);
    if (fetch->route->cache_enabled &&
        !gw_structured_takes(head, GW_FIELD_CACHE_STATUS, cache_status_types, GW_SLICE("visara")))
        gw_head_drop(head, GW_FIELD_CACHE_STATUS);
    for (unsigned i = 0; fetch->config->cors_alone && i < head->count; i++)
        if (gw_head_is_cors(&head->fields[i]))
            head->fields[i].dropped = true;
    if (!fetch->may_store || gw_head_find(head, GW_FIELD_DATE))
        return;
    /* RFC 9110 §6.6.1. Without memory the answer stays as it came. */
    char *text = gw_arena_take(&fetch->arena, GW_DATE_BYTES);
    if (!text)
        return;
    gw_date_print(text, (int64_t)(gw_clock_wall_us() / 1000000));
    if (!gw_head_add(head, &fetch->arena, GW_SLICE("Date"), gw_slice_of(text, GW_DATE_BYTES)))
        return;
}

/* Server-sent events are a conversation with one client. */
static bool collect_is_endless(const struct gw_head *head)
{
    static const struct gw_slice events = { "text/event-stream", 17 };
    struct gw_slice type = gw_head_value(head, GW_FIELD_CONTENT_TYPE);
    return type.length >= events.length && gw_slice_equal_nocase(gw_slice_of(type.at, events.length), events);
}

static enum gw_cache_refusal collect_begin_whole(struct gw_fetch *fetch)
{
    const struct gw_head *head = fetch->head;
    size_t most = fetch->config->max_object_bytes;
    enum gw_cache_refusal refusal = gw_policy_may_store(&fetch->cache, &fetch->request_head, head, &fetch->rules,
                                                        fetch->asked_at_s, (int64_t)(gw_clock_wall_us() / 1000000),
                                                        &fetch->life);
    if (refusal != GW_CACHE_STORABLE)
        return refusal;
    if (collect_is_endless(head))
        return GW_CACHE_ENDLESS;
    if (!gw_vary_select(&fetch->selection, &fetch->arena, &fetch->request_head, head))
        return GW_CACHE_NO_ROOM;
    fetch->length_known = head->framing != GW_FRAMING_CHUNKED && head->framing != GW_FRAMING_UNTIL_CLOSE;
    size_t length = head->framing == GW_FRAMING_LENGTH ? (size_t)head->content_length : 0;
    if (head->framing == GW_FRAMING_LENGTH && head->content_length > most)
        return GW_CACHE_TOO_LARGE;
    size_t first = fetch->length_known ? length : most < FIRST_BODY_BYTES ? most : FIRST_BODY_BYTES;
    if (fetch->fetcher->collecting_bytes + first > fetch->fetcher->collecting_bound)
        return GW_CACHE_NO_ROOM;
    if (first) {
        fetch->body = gw_block_create(first);
        if (!fetch->body)
            return GW_CACHE_NO_ROOM;
    }
    fetch->reserved_bytes = first;
    fetch->fetcher->collecting_bytes += first;
    return GW_CACHE_STORABLE;
}

/* A 206 that is all there is, is stored as the 200 that it would be without Range; so readers see it, too. What is not
 * stored stays as it came. */
static enum gw_cache_refusal collect_begin_complete_part(struct gw_fetch *fetch)
{
    struct gw_head *head = fetch->head, part = *head;
    struct gw_field *range = gw_head_find(head, GW_FIELD_CONTENT_RANGE);
    head->status = 200;
    head->reason = GW_SLICE("OK");
    range->dropped = true;
    enum gw_cache_refusal refusal = collect_begin_whole(fetch);
    if (refusal != GW_CACHE_STORABLE) {
        head->status = part.status;
        head->reason = part.reason;
        range->dropped = false;
    }
    return refusal;
}

enum gw_cache_refusal gw_collect_begin(struct gw_fetch *fetch)
{
    if (!fetch->may_store)
        return GW_CACHE_REQUEST_FORBIDS;
    bool had_range = fetch->cache.is_range && !fetch->lacks_range;
    if (had_range && gw_range_is_whole(fetch->head))
        return collect_begin_complete_part(fetch);
    if (had_range && fetch->head->status != 200) /* 416, or whatever else its Range may have brought about */
        return fetch->head->status == 206 ? GW_CACHE_PARTIAL : GW_CACHE_RANGE;
    return collect_begin_whole(fetch);
}

/* Room for `more` bytes of a body whose length is not known. */
static bool collect_grow_body(struct gw_fetch *fetch, size_t more)
{
    size_t needed = fetch->body_bytes + more, capacity = fetch->body ? fetch->body->capacity : FIRST_BODY_BYTES;
    if (fetch->body && needed <= capacity)
        return true;
    while (capacity < needed)
        capacity *= 2;
    struct gw_block *larger = gw_block_create(capacity);
    if (!larger)
        return false;
    if (fetch->body_bytes)
        memcpy(larger->bytes, fetch->body->bytes, fetch->body_bytes);
    gw_block_unref(fetch->body);
    fetch->body = larger;
    fetch->fetcher->collecting_bytes += capacity - fetch->reserved_bytes;
    fetch->reserved_bytes = capacity;
    return true;
}

bool gw_collect_append(struct gw_fetch *fetch, struct gw_slice bytes)
{
    if (!collect_grow_body(fetch, bytes.length))
        return false;
    memcpy(fetch->body->bytes + fetch->body_bytes, bytes.at, bytes.length);
    fetch->body_bytes += bytes.length;
    return true;
}

bool gw_collect_fits(const struct gw_fetch *fetch)
{
    return fetch->length_known || (fetch->body_bytes <= fetch->config->max_object_bytes &&
                                   fetch->fetcher->collecting_bytes <= fetch->fetcher->collecting_bound);
}

/* The body at its exact size; NULL for an empty one. False: memory is out. */
static bool collect_exact_body(struct gw_fetch *fetch, struct gw_block **body)
{
    *body = NULL;
    if (fetch->body_bytes == 0)
        return true;
    if (fetch->body->capacity == fetch->body_bytes) {
        *body = gw_block_ref(fetch->body);
        return true;
    }
    *body = gw_block_create(fetch->body_bytes);
    if (*body)
        memcpy((*body)->bytes, fetch->body->bytes, fetch->body_bytes);
    return *body != NULL;
}

bool gw_collect_put(struct gw_fetch *fetch, struct gw_entry *entry, void (*on_stored)(void *fetch))
{
    struct gw_fetcher *fetcher = fetch->fetcher;
    bool is_sent = false, is_stored = false;
    if (gw_entry_is_over(entry, gw_clock_monotonic_us()))
        return false;
    if (fetcher->redis_cache && gw_redis_cache_is_up(fetcher->redis_cache))
        is_sent = gw_redis_cache_put(fetcher->redis_cache, entry, &fetch->lead.base_version, on_stored, fetch);
    else
        is_stored = gw_memory_cache_put(fetcher->memory_cache, entry, fetch->lead.epoch);
    if (is_sent || is_stored) {
        gw_counter_add(&fetcher->shard->cache_stored, 1);
        gw_last_refusals_remove(gw_memory_cache_last(fetcher->memory_cache), &fetch->key);
    }
    return is_sent;
}

struct gw_entry *gw_collect_end(struct gw_fetch *fetch)
{
    struct gw_block *body;
    int64_t fresh_most_s = gw_redis_cache_fresh_most_s(fetch->fetcher->redis_cache);
    if (!collect_exact_body(fetch, &body))
        return NULL;
    if (fetch->life.freshness_s - fetch->life.age_s > fresh_most_s)
        fetch->life.freshness_s = fetch->life.age_s + fresh_most_s;
    const struct gw_entry_setup setup = { .key = &fetch->key,
                                          .scheme = fetch->scheme,
                                          .host = fetch->host,
                                          .request = &fetch->request_head,
                                          .response = fetch->head,
                                          .body = body,
                                          .body_bytes = fetch->body_bytes,
                                          .life = &fetch->life,
                                          .ban_sequence = fetch->ban_sequence,
                                          .now_us = gw_clock_monotonic_us() };
    struct gw_entry *entry = gw_entry_create(&setup);
    gw_block_unref(body);
    return entry;
}

/* The mark that a flight ends with is written over a response, but not over an index: then the whole of it goes. */
void gw_collect_forget_stored(struct gw_fetch *fetch)
{
    struct gw_fetcher *fetcher = fetch->fetcher;
    gw_memory_cache_invalidate(fetcher->memory_cache, &fetch->key);
    if (!fetcher->redis_cache || (fetch->lead.coalesced && fetch->lead.base_version.kind != GW_BASE_INDEX))
        return;
    struct gw_redis_cache_question *question = gw_redis_cache_invalidate(fetcher->redis_cache, &fetch->key, NULL, NULL);
    gw_redis_cache_cancel(&question);
}

void gw_collect_mark_in_memory(struct gw_fetch *fetch)
{
    gw_memory_cache_mark_hit_for_miss(fetch->fetcher->memory_cache, &fetch->key, gw_clock_monotonic_us(),
                                      (uint64_t)fetch->config->hit_for_miss_ms * 1000);
}

static void collect_mark_credentials(struct gw_fetch *fetch)
{
    const unsigned hold_ms = fetch->config->hit_for_miss_ms;
    gw_memory_cache_mark_credentials(fetch->fetcher->memory_cache, &fetch->key, gw_clock_monotonic_us(),
                                     (uint64_t)hold_ms * 1000);
    if (fetch->fetcher->redis_cache)
        gw_redis_cache_mark_credentials(fetch->fetcher->redis_cache, &fetch->key, &fetch->lead.base_version, hold_ms);
}

void gw_collect_mark_hit_for_miss(struct gw_fetch *fetch)
{
    if (fetch->is_personal) { /* what those without a credential are answered may be for all */
        collect_mark_credentials(fetch);
        return;
    }
    gw_collect_mark_in_memory(fetch);
    if (fetch->fetcher->redis_cache)
        gw_redis_cache_mark_hit_for_miss(fetch->fetcher->redis_cache, &fetch->key, &fetch->lead.base_version,
                                         fetch->config->hit_for_miss_ms);
}

static void collect_forget_and_mark(struct gw_fetch *fetch)
{
    gw_collect_forget_stored(fetch);
    if (fetch->lead.coalesced)
        gw_collect_mark_hit_for_miss(fetch);
}

bool gw_collect_confirm(struct gw_fetch *fetch)
{
    const struct gw_entry_renewal renewal = { .stored = fetch->lead.stored,
                                              .update = fetch->head,
                                              .key = &fetch->key,
                                              .scheme = fetch->scheme,
                                              .host = fetch->host,
                                              .request = &fetch->request_head,
                                              .allows = &fetch->cache,
                                              .rules = &fetch->rules,
                                              .asked_at_s = fetch->asked_at_s,
                                              .fresh_most_s = gw_redis_cache_fresh_most_s(fetch->fetcher->redis_cache),
                                              .ban_sequence = fetch->ban_sequence,
                                              .head_bytes = fetch->config->max_response_header_bytes,
                                              .arena = &fetch->arena };
    enum gw_cache_refusal refusal;
    fetch->confirmed = gw_entry_renew(&renewal, &fetch->life, &refusal);
    if (!fetch->confirmed)
        return false;
    if (refusal != GW_CACHE_STORABLE) { /* it answers this request, and is over at once, in every place */
        gw_collect_count_refusal(fetch, refusal);
        collect_forget_and_mark(fetch);
    }
    return true;
}

void gw_collect_count_refusal(struct gw_fetch *fetch, enum gw_cache_refusal refusal)
{
    _Static_assert((int)GW_CACHE_REFUSAL_COUNT == (int)GW_NOT_STORED_LABEL_COUNT, "one label a refusal");
    gw_counter_add(&fetch->fetcher->shard->cache_not_stored[refusal], 1);
    fetch->refusal = refusal;
    gw_last_refusals_note(gw_memory_cache_last(fetch->fetcher->memory_cache), &fetch->key, refusal,
                          gw_clock_monotonic_us());
}

void gw_collect_release(struct gw_fetch *fetch)
{
    fetch->fetcher->collecting_bytes -= fetch->reserved_bytes;
    fetch->reserved_bytes = 0;
    gw_block_unref(fetch->body);
    fetch->body = NULL;
    fetch->body_bytes = 0;
}
