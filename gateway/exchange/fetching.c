#include "exchange/engine.h"

#include "base/clock.h"
#include "exchange/answer.h"
#include "exchange/forward.h"
#include "exchange/worker_context.h"
#include "fetch/background_refresh.h"

void gw_engine_fail_fetch(struct gw_exchange *exchange, enum gw_error error)
{
    gw_lead_pass_on(&exchange->lookup.lead);
    gw_exchange_answer_error(exchange, error);
    gw_engine_move(exchange, GW_EXCHANGE_ANSWERED);
}

/* ---- asking ---- */

/* A GET for what the key is of: the entry's URL is this one's. */
static struct gw_head fetching_keyed_head(const struct gw_exchange *exchange)
{
    struct gw_head head = exchange->request;
    head.method = GW_METHOD_GET;
    head.method_text = GW_SLICE("GET");
    head.query = exchange->target.keyed_query;
    return head;
}

/* Fills what a fetch needs to store its answer. cache: what the request allows. */
static void fetching_describe_storing(const struct gw_exchange *exchange, const struct gw_cache_request *cache,
                                      const struct gw_head *head, struct gw_fetch_request *ask)
{
    ask->may_store = true;
    ask->head = head;
    ask->cache = *cache;
    ask->rules = gw_exchange_cache_rules(exchange->context, exchange->target.route);
    ask->key = exchange->key;
}

/* NTLM, and Negotiate, which may hold it, say who the user is once a connection and not with each request (RFC 4559
 * §6): the next user's request must not go over it. */
static bool fetching_binds_connection(const struct gw_head *request)
{
    const struct gw_field *field = gw_head_find(request, GW_FIELD_AUTHORIZATION);
    for (; field; field = gw_head_find_next(request, field)) {
        struct gw_slice scheme = field->value;
        const char *space = memchr(scheme.at, ' ', scheme.length);
        if (space)
            scheme.length = (size_t)(space - scheme.at);
        if (gw_slice_equal_nocase(scheme, GW_SLICE("NTLM")) || gw_slice_equal_nocase(scheme, GW_SLICE("Negotiate")))
            return true;
    }
    return false;
}

static struct gw_fetch_request fetching_describe(const struct gw_exchange *exchange, struct gw_slice fields)
{
    const struct gw_head *request = &exchange->request;
    /* Where the cache asks, an empty body counts as none: after this exchange has its answer, nothing would end it. */
    bool has_body = exchange->arrival.has_body && !gw_lookup_is_asked(&exchange->lookup);
    return (struct gw_fetch_request) {
        .config = exchange->config,
        .route = exchange->target.route,
        .method = request->method,
        .method_text = request->method_text,
        .path = request->path,
        .query = request->query,
        .scheme = exchange->identity.scheme,
        .host = exchange->identity.host,
        .fields = fields,
        .has_body = has_body,
        .is_chunked = exchange->arrival.has_body && !exchange->arrival.has_length,
        .content_length = exchange->arrival.length,
        .expects_continue = request->expects_continue && exchange->body.state == GW_BODY_HELD,
        .binds_connection = fetching_binds_connection(request),
        .lead = exchange->lookup.lead,
    };
}

/* The whole for a Range (cache.fetch_whole_for_range), unless it is known not to be for storing. */
static bool fetching_asks_whole(const struct gw_exchange *exchange)
{
    const struct gw_field *range = gw_head_find(&exchange->request, GW_FIELD_RANGE);
    return exchange->config->fetch_whole_for_range && gw_lookup_is_asked(&exchange->lookup) &&
           exchange->cache.may_look_up && !exchange->lookup.is_hit_for_miss && range &&
           !gw_head_find_next(&exchange->request, range);
}

/* The full answer is asked for where others may get it, and where what is stored is to be confirmed: by its own
 * validators, and without a Range, which is cut from what is confirmed. */
static enum gw_forward_what fetching_what_to_ask(const struct gw_exchange *exchange, bool validates)
{
    if (validates)
        return GW_FORWARD_WHOLE;
    if (exchange->cache.is_range)
        return fetching_asks_whole(exchange) ? GW_FORWARD_WHOLE : GW_FORWARD_AS_ASKED;
    const struct gw_lookup *lookup = &exchange->lookup;
    bool is_shared = exchange->cache.may_join && (lookup->lead.coalesced || !exchange->cache.must_validate);
    return gw_lookup_is_asked(lookup) && is_shared ? GW_FORWARD_FULL : GW_FORWARD_AS_ASKED;
}

static bool fetching_is_conditional(const struct gw_head *request)
{
    return gw_head_find(request, GW_FIELD_IF_NONE_MATCH) || gw_head_find(request, GW_FIELD_IF_MODIFIED_SINCE);
}

static void fetching_begin_fetch(struct gw_exchange *exchange)
{
    struct gw_worker_context *context = exchange->context;
    struct gw_lookup *lookup = &exchange->lookup;
    const struct gw_entry *stored = lookup->lead.stored;
    struct gw_cache_request cache = exchange->cache;
    /* What answers a Range may be the whole, which is stored (fetch/collect.h). */
    bool may_store = gw_lookup_is_asked(lookup) && (cache.may_store || (cache.is_range && cache.may_look_up));
    bool validates = may_store && stored && stored->terms.has_validator;
    enum gw_forward_what what = fetching_what_to_ask(exchange, validates);
    struct gw_buffer *fields = &context->scratch;
    gw_buffer_clear(fields);
    gw_forward_put_fields(exchange, what, fields);
    if (fields->overflowed) {
        gw_engine_fail_fetch(exchange, GW_ERROR_HEAD_TOO_LARGE);
        return;
    }
    struct gw_fetch_request ask = fetching_describe(exchange, gw_buffer_slice(fields));
    ask.is_conditional = what == GW_FORWARD_AS_ASKED && fetching_is_conditional(&exchange->request);
    cache.may_store = may_store;
    ask.lacks_range = what == GW_FORWARD_WHOLE && cache.is_range;
    struct gw_head head;
    if (may_store) {
        head = fetching_keyed_head(exchange);
        fetching_describe_storing(exchange, &cache, &head, &ask);
    }
    enum gw_error error = gw_fetch_begin(&context->fetcher, &ask, &exchange->reader);
    if (error)
        gw_engine_fail_fetch(exchange, error);
    else
        gw_lookup_has_begun(lookup);
}

void gw_engine_start_fetch(struct gw_exchange *exchange)
{
    gw_timer_stop(&exchange->timer);
    if (exchange->lookup.answer != GW_LOOKUP_JOIN) {
        fetching_begin_fetch(exchange);
        return;
    }
    gw_timer_start(exchange->context->timers, &exchange->timer, exchange->config->flight_wait_ms);
    gw_fetch_resume(&exchange->reader);
}

/* The refresh is for the cache, so it is a GET for the whole, also when this request is a HEAD or has a Range. */
static bool fetching_begin_refresh(struct gw_exchange *exchange, const struct gw_lead *lead)
{
    struct gw_worker_context *context = exchange->context;
    struct gw_head head = fetching_keyed_head(exchange);
    struct gw_cache_request cache = exchange->cache;
    struct gw_buffer *fields = &context->scratch;
    gw_buffer_clear(fields);
    gw_forward_put_fields(exchange, GW_FORWARD_WHOLE, fields);
    if (fields->overflowed)
        return false;
    cache.may_store = true;
    cache.is_range = false;
    struct gw_fetch_request ask = fetching_describe(exchange, gw_buffer_slice(fields));
    fetching_describe_storing(exchange, &cache, &head, &ask);
    ask.method = head.method;
    ask.method_text = head.method_text;
    ask.lead = *lead;
    return gw_background_refresh_begin(&context->fetcher, &ask) == GW_ERROR_NONE;
}

void gw_exchange_refresh(struct gw_exchange *exchange)
{
    struct gw_worker_context *context = exchange->context;
    struct gw_lead lead;
    if (!gw_lead_begin(&context->lookups, &exchange->key, &lead))
        return;
    lead.stored = exchange->entry;
    lead.epoch = exchange->lookup.lead.epoch;
    lead.base_version = exchange->lookup.lead.base_version;
    if (fetching_begin_refresh(exchange, &lead))
        gw_counter_add(&context->shard->cache_background_refreshes, 1);
    else
        gw_lead_pass_on(&lead);
}

/* ---- a HEAD's answer about what is stored (RFC 9111 §4.3.5) ---- */

/* The stored entry with the fields of this answer. NULL: the backend's answer may not be stored, or it is about another
 * body than the stored one. */
static struct gw_entry *fetching_freshen(struct gw_exchange *exchange, const struct gw_head *update)
{
    const struct gw_entry *stored = exchange->lookup.lead.stored;
    const struct gw_head request = fetching_keyed_head(exchange);
    const struct gw_cache_rules rules = gw_exchange_cache_rules(exchange->context, exchange->target.route);
    struct gw_cache_request allows = exchange->cache;
    const struct gw_entry_renewal renewal = { .stored = stored,
                                              .update = update,
                                              .key = &exchange->key,
                                              .scheme = exchange->identity.scheme,
                                              .host = exchange->identity.host,
                                              .request = &request,
                                              .allows = &allows,
                                              .rules = &rules,
                                              .asked_at_s = exchange->timing.began_wall_us / 1000000,
                                              .fresh_most_s = gw_redis_cache_fresh_most_s(
                                                  exchange->context->redis_cache),
                                              .ban_sequence = stored->ban_sequence,
                                              .head_bytes = exchange->config->max_response_header_bytes,
                                              .arena = &exchange->arena };
    enum gw_cache_refusal refusal;
    struct gw_cache_life life;
    allows.may_store = true;
    if (!gw_policy_may_update(&stored->head, stored->body_bytes, update))
        return NULL;
    struct gw_entry *entry = gw_entry_renew(&renewal, &life, &refusal);
    if (!entry || refusal == GW_CACHE_STORABLE)
        return entry;
    gw_entry_unref(entry);
    return NULL;
}

static void fetching_compare_stored(struct gw_exchange *exchange, const struct gw_head *head)
{
    struct gw_worker_context *context = exchange->context;
    const struct gw_lead *lead = &exchange->lookup.lead;
    if (exchange->request.method != GW_METHOD_HEAD || !lead->stored || head->status != 200)
        return;
    struct gw_entry *entry = fetching_freshen(exchange, head);
    if (!entry) {
        gw_stored_forget(&exchange->key, context->memory_cache, context->redis_cache);
        return;
    }
    (void)gw_lead_put(lead, context->memory_cache, context->redis_cache, entry, NULL, NULL);
    gw_entry_unref(entry);
}

/* ---- reading ---- */

static struct gw_exchange *fetching_exchange_from(struct gw_reader *reader)
{
    struct gw_exchange *exchange = GW_CONTAINER(reader, struct gw_exchange, reader);
    GW_CHECK_MAGIC(exchange, GW_EXCHANGE_MAGIC);
    return exchange;
}

static void fetching_on_interim(struct gw_reader *reader, const struct gw_head *head)
{
    struct gw_exchange *exchange = fetching_exchange_from(reader);
    if (head->status == 100) {
        if (!exchange->request.expects_continue || exchange->body.is_continue_told)
            return;
        exchange->body.is_continue_told = true;
    }
    gw_answer_interim(exchange, head->status, head);
}

static void fetching_on_head(struct gw_reader *reader, const struct gw_head *head)
{
    struct gw_exchange *exchange = fetching_exchange_from(reader);
    exchange->answer.head = head;
    fetching_compare_stored(exchange, head);
    gw_engine_move(exchange, gw_engine_invalidates(exchange) ? GW_EXCHANGE_INVALIDATES : GW_EXCHANGE_HEAD);
}

/* The upstream is paused while the exchange is SETTLING. One more piece may come, and is kept beyond this call. */
static bool fetching_keep_settling(struct gw_exchange *exchange, struct gw_slice bytes, struct gw_block *block)
{
    struct gw_block *own = block ? gw_block_ref(block) : gw_block_create(bytes.length);
    if (!own)
        return false;
    if (!block) {
        memcpy(own->bytes, bytes.at, bytes.length);
        bytes.at = own->bytes;
    }
    bool is_kept = gw_engine_keep_early(exchange, bytes, own);
    gw_block_unref(own);
    return is_kept;
}

static void fetching_on_body(struct gw_reader *reader, struct gw_slice bytes, struct gw_block *block)
{
    struct gw_exchange *exchange = fetching_exchange_from(reader);
    if (exchange->state == GW_EXCHANGE_ANSWERING) {
        gw_engine_add_piece(exchange, bytes, block);
        gw_engine_finish_if_written(exchange);
    } else if (exchange->state == GW_EXCHANGE_SETTLING) {
        if (!fetching_keep_settling(exchange, bytes, block))
            gw_exchange_on_gone(exchange, GW_ERROR_OVERLOADED);
    } else {
        /* There is room: the piece that takes the last place leaves at once. */
        (void)gw_engine_keep_early(exchange, bytes, block);
        if (!block || exchange->early.count == GW_EARLY_PIECES)
            gw_engine_move(exchange, GW_EXCHANGE_FLUSHED);
    }
}

static void fetching_on_flush(struct gw_reader *reader)
{
    struct gw_exchange *exchange = fetching_exchange_from(reader);
    if (exchange->state == GW_EXCHANGE_ANSWERING)
        gw_answer_flush(exchange);
    else if (exchange->state == GW_EXCHANGE_HOLDING)
        gw_engine_move(exchange, GW_EXCHANGE_FLUSHED);
}

static void fetching_on_end(struct gw_reader *reader)
{
    struct gw_exchange *exchange = fetching_exchange_from(reader);
    exchange->answer.is_read = true;
    if (exchange->state == GW_EXCHANGE_HOLDING) {
        gw_engine_move(exchange, GW_EXCHANGE_FLUSHED);
    } else if (exchange->state == GW_EXCHANGE_ANSWERING) {
        gw_answer_end(exchange);
        gw_engine_finish_if_written(exchange);
    }
}

static bool fetching_is_of_use_later(const struct gw_entry *entry)
{
    return entry->terms.window_s > 0 || entry->freshness_s > entry->age_s;
}

void gw_engine_answer_shared(struct gw_exchange *exchange)
{
    struct gw_cache_report *report = &exchange->report;
    bool is_confirmed = exchange->lookup.source == GW_LOOKUP_CONFIRMED;
    report->label = is_confirmed ? GW_CACHE_LABEL_REVALIDATED : GW_CACHE_LABEL_MISS;
    report->forwarded_status = is_confirmed ? 304 : 0;
    report->kept = fetching_is_of_use_later(exchange->entry) ? GW_CACHE_KEPT_NOW : GW_CACHE_KEPT_NOT;
    report->is_collapsed = true;
    gw_engine_move(exchange, GW_EXCHANGE_ANSWERED);
}

static void fetching_on_entry(struct gw_reader *reader, struct gw_entry *entry, enum gw_fetch_source source)
{
    struct gw_exchange *exchange = fetching_exchange_from(reader);
    struct gw_cache_report *report = &exchange->report;
    exchange->entry = gw_entry_ref(entry);
    switch (source) {
    case GW_FETCH_FROM_VALIDATED:
        report->label = GW_CACHE_LABEL_REVALIDATED;
        report->forwarded_status = 304;
        report->kept = fetching_is_of_use_later(entry) ? GW_CACHE_KEPT_NOW : GW_CACHE_KEPT_NOT;
        report->is_collapsed = exchange->lookup.answer == GW_LOOKUP_JOIN;
        report->refusal = reader->refusal;
        break;
    case GW_FETCH_FROM_ERROR:
        report->label = GW_CACHE_LABEL_STALE;
        report->forwarded_status = reader->upstream_status;
        gw_counter_add(&exchange->context->shard->cache_stale_on_error, 1);
        break;
    }
    gw_engine_move(exchange, GW_EXCHANGE_ANSWERED);
}

static void fetching_on_fail(struct gw_reader *reader, enum gw_error error)
{
    struct gw_exchange *exchange = fetching_exchange_from(reader);
    if (exchange->state != GW_EXCHANGE_ANSWERING) { /* also where head and failure came together */
        exchange->answer.head = NULL;
        gw_engine_drop_early(exchange);
        gw_invalidation_cancel(&exchange->invalidation);
        gw_engine_fail_fetch(exchange, error);
        return;
    }
    exchange->answer.ended_by = error;
    if (!exchange->answer.message.has_body) { /* what broke off is dropped anyway: the client has it all */
        gw_answer_end(exchange);
        gw_engine_finish_if_written(exchange);
    } else {
        exchange->answer.is_cut = true;
        gw_engine_move(exchange, GW_EXCHANGE_GONE);
    }
}

static void fetching_on_released(struct gw_reader *reader)
{
    struct gw_exchange *exchange = fetching_exchange_from(reader);
    gw_timer_stop(&exchange->timer); /* it may wait for another fetch, and for that the look-up has its own */
    gw_lookup_release(&exchange->lookup, reader->may_share_another && exchange->cache.default_ttl_applies);
    gw_engine_move(exchange, GW_EXCHANGE_RELEASED);
}

static void fetching_on_want_body(struct gw_reader *reader)
{
    struct gw_exchange *exchange = fetching_exchange_from(reader);
    if (exchange->body.state == GW_BODY_ENDED) {
        gw_fetch_end_body(reader);
    } else if (exchange->body.state == GW_BODY_HELD) {
        bool is_awaited = exchange->request.expects_continue && !exchange->body.is_continue_told;
        if (is_awaited && exchange->state == GW_EXCHANGE_FETCHING) { /* within an answer, 100 would be part of it */
            exchange->body.is_continue_told = true;
            gw_answer_interim(exchange, 100, NULL);
        }
        exchange->body.state = GW_BODY_FLOWING;
        exchange->downstream->table->want_body(exchange->downstream);
    }
}

/* May this request use the answer of a fetch that it joined? Where a request wants the backend's word, it joins only a
 * fetch that began after it came (cache/coalescing.h): so the answer counts as confirmed. */
static bool fetching_may_reuse(struct gw_reader *reader, const struct gw_head *selection,
                               const struct gw_cache_life *life)
{
    const struct gw_exchange *exchange = fetching_exchange_from(reader);
    struct gw_cache_request request = gw_policy_once_confirmed(&exchange->cache);
    return gw_policy_reuse(&request, &exchange->request, &life->terms, selection, life->age_s, life->freshness_s) ==
           GW_REUSE_FRESH;
}

static bool fetching_may_take(struct gw_reader *reader, const struct gw_entry *entry, enum gw_fetch_source source)
{
    const struct gw_exchange *exchange = fetching_exchange_from(reader);
    uint64_t now_us = gw_clock_monotonic_us();
    if (source == GW_FETCH_FROM_VALIDATED) {
        struct gw_cache_request request = gw_policy_once_confirmed(&exchange->cache);
        return gw_entry_reuse(entry, &request, &exchange->request, now_us) >= GW_REUSE_STALE;
    }
    enum gw_reuse reuse = gw_entry_reuse(entry, &exchange->cache, &exchange->request, now_us);
    int64_t age_s = gw_entry_age_s(entry, now_us);
    return reuse > GW_REUSE_VALIDATED ||
           (reuse == GW_REUSE_VALIDATED &&
            gw_policy_may_answer_on_error(&exchange->cache, &entry->terms, age_s, gw_entry_freshness_s(entry, age_s)));
}

const struct gw_reader_events gw_exchange_reader_events = {
    .on_interim = fetching_on_interim,
    .on_head = fetching_on_head,
    .on_body = fetching_on_body,
    .on_flush = fetching_on_flush,
    .on_end = fetching_on_end,
    .on_entry = fetching_on_entry,
    .on_fail = fetching_on_fail,
    .on_released = fetching_on_released,
    .on_want_body = fetching_on_want_body,
    .may_reuse = fetching_may_reuse,
    .may_take = fetching_may_take,
};
