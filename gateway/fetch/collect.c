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
    /* If the backend sent no Date, ages are counted from this one (RFC 9110 §6.6.1). */
    if (gw_fetch_is_for_store(fetch) && !gw_head_find(head, GW_FIELD_DATE)) {
        char *text = gw_arena_take(&fetch->arena, GW_DATE_BYTES);
        if (text) {
            gw_date_print(text, (int64_t)(gw_clock_wall_us() / 1000000));
            (void)!gw_head_add(head, &fetch->arena, GW_SLICE("Date"), gw_slice_of(text, GW_DATE_BYTES));
        }
    }
}

/* Server-sent events are for one client, and have no end. */
static bool collect_is_endless(const struct gw_head *head)
{
    static const struct gw_slice events = { "text/event-stream", 17 };
    struct gw_slice type = gw_head_value(head, GW_FIELD_CONTENT_TYPE);
    return type.length >= events.length && gw_slice_equal_nocase(gw_slice_of(type.at, events.length), events);
}

static enum gw_cache_refusal collect_begin_whole(struct gw_fetch *fetch)
{
    const struct gw_head *head = fetch->answer.head;
    size_t most = fetch->config->max_object_bytes;
    enum gw_cache_refusal refusal = gw_policy_may_store(&fetch->plan.cache, &fetch->request_head, head,
                                                        &fetch->plan.rules, fetch->attempt.asked_at_s,
                                                        (int64_t)(gw_clock_wall_us() / 1000000), &fetch->life);
    if (refusal != GW_CACHE_STORABLE)
        return refusal;
    if (collect_is_endless(head))
        return GW_CACHE_ENDLESS;
    if (!gw_vary_select(&fetch->selection, &fetch->arena, &fetch->request_head, head))
        return GW_CACHE_NO_ROOM;
    fetch->answer.length_known = head->framing != GW_FRAMING_CHUNKED && head->framing != GW_FRAMING_UNTIL_CLOSE;
    size_t length = head->framing == GW_FRAMING_LENGTH ? (size_t)head->content_length : 0;
    if (head->framing == GW_FRAMING_LENGTH && head->content_length > most)
        return GW_CACHE_TOO_LARGE;
    size_t first = fetch->answer.length_known ? length : most < FIRST_BODY_BYTES ? most : FIRST_BODY_BYTES;
    if (fetch->fetcher->collecting_bytes + first > fetch->fetcher->collecting_bound)
        return GW_CACHE_NO_ROOM;
    if (first) {
        fetch->answer.body = gw_block_create(first);
        if (!fetch->answer.body)
            return GW_CACHE_NO_ROOM;
    }
    fetch->answer.reserved_bytes = first;
    fetch->fetcher->collecting_bytes += first;
    return GW_CACHE_STORABLE;
}

/* A 206 that holds the whole is stored as the 200 that it would be without Range, and readers see this 200, too. If it is
 * not stored, it stays as it came. */
static enum gw_cache_refusal collect_begin_complete_part(struct gw_fetch *fetch)
{
    struct gw_head *head = fetch->answer.head, part = *head;
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
    bool had_range = fetch->plan.cache.is_range && !fetch->sent.lacks_range;
    if (had_range && gw_range_is_whole(fetch->answer.head))
        return collect_begin_complete_part(fetch);
    if (had_range && fetch->answer.head->status != 200) /* 416, or another answer that Range may have caused */
        return fetch->answer.head->status == 206 ? GW_CACHE_PARTIAL : GW_CACHE_RANGE;
    return collect_begin_whole(fetch);
}

bool gw_collect_append(struct gw_fetch *fetch, struct gw_slice bytes)
{
    struct gw_fetch_answer *answer = &fetch->answer;
    size_t needed = answer->body_bytes + bytes.length;
    size_t capacity = answer->body ? answer->body->capacity : FIRST_BODY_BYTES;
    if (!answer->body || needed > capacity) { /* the length is not known: room twice as large */
        while (capacity < needed)
            capacity *= 2;
        struct gw_block *larger = gw_block_create(capacity);
        if (!larger)
            return false;
        if (answer->body_bytes)
            memcpy(larger->bytes, answer->body->bytes, answer->body_bytes);
        gw_block_unref(answer->body);
        answer->body = larger;
        fetch->fetcher->collecting_bytes += capacity - answer->reserved_bytes;
        answer->reserved_bytes = capacity;
    }
    memcpy(answer->body->bytes + answer->body_bytes, bytes.at, bytes.length);
    answer->body_bytes = needed;
    return true;
}

bool gw_collect_fits(const struct gw_fetch *fetch)
{
    return fetch->answer.length_known || (fetch->answer.body_bytes <= fetch->config->max_object_bytes &&
                                          fetch->fetcher->collecting_bytes <= fetch->fetcher->collecting_bound);
}

/* The body at its exact size; NULL for an empty one. False: memory is out. */
static bool collect_exact_body(struct gw_fetch *fetch, struct gw_block **body)
{
    *body = NULL;
    if (fetch->answer.body_bytes == 0)
        return true;
    if (fetch->answer.body->capacity == fetch->answer.body_bytes) {
        *body = gw_block_ref(fetch->answer.body);
        return true;
    }
    *body = gw_block_create(fetch->answer.body_bytes);
    if (*body)
        memcpy((*body)->bytes, fetch->answer.body->bytes, fetch->answer.body_bytes);
    return *body != NULL;
}

bool gw_collect_put(struct gw_fetch *fetch, struct gw_entry *entry, void (*on_stored)(void *fetch))
{
    struct gw_fetcher *fetcher = fetch->fetcher;
    if (gw_entry_is_over(entry, gw_clock_monotonic_us()))
        return false;
    enum gw_lead_put put = gw_lead_put(&fetch->lead, fetcher->memory_cache, fetcher->redis_cache, entry, on_stored,
                                       fetch);
    if (put != GW_LEAD_PUT_NOWHERE) {
        gw_counter_add(&fetcher->shard->cache_stored, 1);
        gw_last_refusals_remove(gw_memory_cache_last(fetcher->memory_cache), &fetch->plan.key);
    }
    return put == GW_LEAD_PUT_IN_REDIS;
}

struct gw_entry *gw_collect_end(struct gw_fetch *fetch)
{
    struct gw_block *body;
    if (!collect_exact_body(fetch, &body))
        return NULL;
    int64_t fresh_most_s = gw_redis_cache_fresh_most_s(fetch->fetcher->redis_cache);
    if (fetch->life.freshness_s - fetch->life.age_s > fresh_most_s)
        fetch->life.freshness_s = fetch->life.age_s + fresh_most_s;
    const struct gw_entry_setup setup = { .key = &fetch->plan.key,
                                          .scheme = fetch->sent.scheme,
                                          .host = fetch->sent.host,
                                          .request = &fetch->request_head,
                                          .response = fetch->answer.head,
                                          .body = body,
                                          .body_bytes = fetch->answer.body_bytes,
                                          .life = &fetch->life,
                                          .ban_sequence = fetch->storing.ban_sequence,
                                          .now_us = gw_clock_monotonic_us() };
    struct gw_entry *entry = gw_entry_create(&setup);
    gw_block_unref(body);
    return entry;
}

/* A leader's hit-for-miss mark is written over a stored response, but not over an index: only then the index, with all its
 * variants, is removed here. */
void gw_collect_forget_stored(struct gw_fetch *fetch)
{
    struct gw_fetcher *fetcher = fetch->fetcher;
    bool is_marked_over = fetch->lead.coalesced && fetch->lead.base_version.kind != GW_BASE_INDEX;
    gw_stored_forget(&fetch->plan.key, fetcher->memory_cache, is_marked_over ? NULL : fetcher->redis_cache);
}

void gw_collect_mark_in_memory(struct gw_fetch *fetch)
{
    gw_memory_cache_mark_hit_for_miss(fetch->fetcher->memory_cache, &fetch->plan.key, gw_clock_monotonic_us(),
                                      (uint64_t)fetch->config->hit_for_miss_ms * 1000);
}

void gw_collect_mark_hit_for_miss(struct gw_fetch *fetch)
{
    struct gw_memory_cache *memory_cache = fetch->fetcher->memory_cache;
    struct gw_redis_cache *redis_cache = fetch->fetcher->redis_cache;
    const struct gw_cache_key *key = &fetch->plan.key;
    const unsigned hold_ms = fetch->config->hit_for_miss_ms;
    if (!fetch->storing.is_personal) {
        gw_collect_mark_in_memory(fetch);
        if (redis_cache)
            gw_redis_cache_mark_hit_for_miss(redis_cache, key, &fetch->lead.base_version, hold_ms);
        return;
    }
    /* Only requests with a credential: the answers to others may be shared. */
    gw_memory_cache_mark_credentials(memory_cache, key, gw_clock_monotonic_us(), (uint64_t)hold_ms * 1000);
    if (redis_cache)
        gw_redis_cache_mark_credentials(redis_cache, key, &fetch->lead.base_version, hold_ms);
}

bool gw_collect_confirm(struct gw_fetch *fetch)
{
    const struct gw_entry_renewal renewal = { .stored = fetch->lead.stored,
                                              .update = fetch->answer.head,
                                              .key = &fetch->plan.key,
                                              .scheme = fetch->sent.scheme,
                                              .host = fetch->sent.host,
                                              .request = &fetch->request_head,
                                              .allows = &fetch->plan.cache,
                                              .rules = &fetch->plan.rules,
                                              .asked_at_s = fetch->attempt.asked_at_s,
                                              .fresh_most_s = gw_redis_cache_fresh_most_s(fetch->fetcher->redis_cache),
                                              .ban_sequence = fetch->storing.ban_sequence,
                                              .head_bytes = fetch->config->max_response_header_bytes,
                                              .arena = &fetch->arena };
    enum gw_cache_refusal refusal;
    fetch->answer.entry = gw_entry_renew(&renewal, &fetch->life, &refusal);
    if (!fetch->answer.entry)
        return false;
    if (refusal != GW_CACHE_STORABLE) { /* it answers this request; nothing stays stored */
        gw_collect_count_refusal(fetch, refusal);
        gw_collect_forget_stored(fetch);
        if (fetch->lead.coalesced)
            gw_collect_mark_hit_for_miss(fetch);
    }
    return true;
}

void gw_collect_count_refusal(struct gw_fetch *fetch, enum gw_cache_refusal refusal)
{
    _Static_assert((int)GW_CACHE_REFUSAL_COUNT == (int)GW_NOT_STORED_LABEL_COUNT, "one label a refusal");
    gw_counter_add(&fetch->fetcher->shard->cache_not_stored[refusal], 1);
    fetch->answer.refusal = refusal;
    gw_last_refusals_note(gw_memory_cache_last(fetch->fetcher->memory_cache), &fetch->plan.key, refusal,
                          gw_clock_monotonic_us());
}

void gw_collect_release(struct gw_fetch *fetch)
{
    fetch->fetcher->collecting_bytes -= fetch->answer.reserved_bytes;
    fetch->answer.reserved_bytes = 0;
    gw_block_unref(fetch->answer.body);
    fetch->answer.body = NULL;
    fetch->answer.body_bytes = 0;
}
