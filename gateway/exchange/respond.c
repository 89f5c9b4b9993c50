#include "exchange/engine.h"

#include "base/clock.h"
#include "cache/range.h"
#include "exchange/answer.h"
#include "exchange/worker_context.h"
#include "http/writer.h"

/* A final answer comes: the rest of the request's body is thrown away. */
static void respond_settle_body(struct gw_exchange *exchange)
{
    if (exchange->body.state == GW_BODY_HELD || exchange->body.state == GW_BODY_FLOWING ||
        exchange->body.state == GW_BODY_DISCARDING) {
        exchange->body.state = GW_BODY_DISCARDING;
        exchange->downstream->table->drop_body(exchange->downstream);
    }
}

static void respond_ask_before_answer(struct gw_exchange *exchange)
{
    for (const struct gw_filter *const *at = exchange->context->at_step[GW_FILTER_BEFORE_ANSWER]; *at; at++)
        (*at)->before_answer(exchange);
}

static int64_t respond_now_s(void)
{
    return (int64_t)(gw_clock_wall_us() / 1000000);
}

/* Does the client have the content of this 200 already? Then the answer is a 304 without a body (RFC 9110 §13.2.2). */
static bool respond_is_not_modified(struct gw_exchange *exchange)
{
    return exchange->answer.head && exchange->answer.head->status == 200 &&
           gw_policy_is_not_modified(&exchange->request, exchange->answer.head, respond_now_s());
}

/* ---- from what is stored ---- */

static void respond_put_content_range(struct gw_exchange *exchange, const struct gw_range_part *part, uint64_t whole)
{
    struct gw_buffer *fields = &exchange->answer.fields;
    struct gw_writer_line line = gw_writer_begin(fields, GW_SLICE("Content-Range"));
    gw_buffer_put_literal(fields, "bytes ");
    if (part) {
        gw_buffer_put_uint(fields, part->first);
        gw_buffer_put_literal(fields, "-");
        gw_buffer_put_uint(fields, part->first + part->length - 1);
    } else {
        gw_buffer_put_literal(fields, "*");
    }
    gw_buffer_put_literal(fields, "/");
    gw_buffer_put_uint(fields, whole);
    gw_writer_end(&line);
}

/* Sets the status that a Range request gets, and returns the part of the content that it asks for. */
static struct gw_slice respond_cut_range(struct gw_exchange *exchange, struct gw_slice content)
{
    struct gw_range_part part;
    switch (gw_range_of(&exchange->request, exchange->answer.head, content.length, respond_now_s(), &part)) {
    case GW_RANGE_PART:
        exchange->answer.status = 206;
        respond_put_content_range(exchange, &part, content.length);
        return gw_slice_of(content.at + part.first, (size_t)part.length);
    case GW_RANGE_UNSATISFIABLE:
        exchange->answer.status = 416;
        respond_put_content_range(exchange, NULL, content.length);
        exchange->answer.head = NULL; /* its fields are the whole's */
        return GW_SLICE("");
    case GW_RANGE_WHOLE:
        break;
    }
    return content;
}

/* Sets status, head and age as the entry and this request say, and returns the content to be sent. */
static struct gw_slice respond_answer_by_entry(struct gw_exchange *exchange)
{
    const struct gw_entry *entry = exchange->entry;
    struct gw_slice content = entry->body ? gw_slice_of(entry->body->bytes, entry->body_bytes) : GW_SLICE("");
    int64_t age_s = gw_entry_age_s(entry, gw_clock_monotonic_us());
    exchange->report.age_s = (uint64_t)age_s;
    if (exchange->report.kept != GW_CACHE_KEPT_NOW)
        exchange->report.kept = GW_CACHE_KEPT_BEFORE;
    exchange->report.ttl_s = gw_entry_freshness_s(entry, age_s) - age_s;
    exchange->answer.head = &entry->head;
    exchange->answer.status = entry->head.status;
    if (respond_is_not_modified(exchange))
        exchange->answer.status = 304;
    else if (exchange->cache.is_range && exchange->answer.status == 200)
        content = respond_cut_range(exchange, content);
    return content;
}

/* The answer is an entry of the cache, or was made by a filter. */
void gw_engine_answer_here(struct gw_exchange *exchange)
{
    respond_ask_before_answer(exchange);
    struct gw_slice content = exchange->answer.content;
    struct gw_block *block = exchange->answer.content_block;
    respond_settle_body(exchange);
    if (exchange->entry) {
        content = respond_answer_by_entry(exchange);
        block = exchange->entry->body;
    }
    gw_answer_measure(exchange, content.length);
    gw_answer_begin(exchange);
    gw_answer_add(exchange, content, block);
    gw_answer_end(exchange);
    gw_engine_finish_if_written(exchange);
}

/* ---- from a fetch ---- */

void gw_engine_hold(struct gw_exchange *exchange)
{
    struct gw_cache_report *report = &exchange->report;
    report->is_collapsed = exchange->lookup.answer == GW_LOOKUP_JOIN;
    report->kept = gw_fetch_may_outgrow(exchange->reader.fetch) ? GW_CACHE_KEPT_PERHAPS
                   : gw_fetch_life(exchange->reader.fetch)      ? GW_CACHE_KEPT_NOW
                                                                : GW_CACHE_KEPT_NOT;
    if (exchange->reader.refusal)
        report->refusal = exchange->reader.refusal;
    /* The stored answer was refused because of this request's credential, and not because of Vary. */
    bool is_for_credential = report->refusal == GW_CACHE_CREDENTIAL || report->refusal == GW_CACHE_AUTHORIZATION;
    if (report->forwarded == GW_FORWARDED_VARY_MISS && is_for_credential)
        report->forwarded = GW_FORWARDED_REQUEST;
    exchange->answer.is_for_all = gw_fetch_is_collecting(exchange->reader.fetch);
    if (exchange->body.state == GW_BODY_ENDED || !gw_fetch_takes_body(&exchange->reader))
        respond_settle_body(exchange);
}

bool gw_engine_keep_early(struct gw_exchange *exchange, struct gw_slice piece, struct gw_block *block)
{
    struct gw_early *early = &exchange->early;
    if (early->count == GW_EARLY_PIECES)
        return false;
    early->pieces[early->count++] = (struct gw_piece) { piece, gw_block_ref(block) };
    return true;
}

void gw_engine_drop_early(struct gw_exchange *exchange)
{
    struct gw_early *early = &exchange->early;
    while (early->count)
        gw_block_unref(early->pieces[--early->count].block);
}

/* This client needs nothing more of the fetch: the fetch goes on without it. */
static void respond_end_without_fetch(struct gw_exchange *exchange)
{
    gw_answer_end(exchange);
    exchange->answer.head = NULL;
    gw_fetch_leave(&exchange->reader);
}

static void respond_answer_without_body(struct gw_exchange *exchange, int status, uint64_t length)
{
    exchange->answer.status = status;
    gw_answer_measure(exchange, length);
    gw_answer_begin(exchange);
    respond_end_without_fetch(exchange);
}

static void respond_begin_part(struct gw_exchange *exchange, const struct gw_range_part *part)
{
    exchange->answer.status = 206;
    exchange->answer.is_part = true;
    exchange->answer.part_skip = part->first;
    exchange->answer.part_left = part->length;
    respond_put_content_range(exchange, part, exchange->answer.head->content_length);
    gw_answer_measure(exchange, part->length);
    gw_answer_begin(exchange);
}

/* Of the backend's body; UINT64_MAX: not known. */
static uint64_t respond_length(const struct gw_head *head)
{
    bool is_told = head->framing == GW_FRAMING_LENGTH || head->framing == GW_FRAMING_NONE;
    return is_told ? head->content_length : UINT64_MAX;
}

/* A whole that is being stored while it arrives: has the client it already, or is only a part of it asked for? Then
 * that is answered. The length must be known for a part. */
static bool respond_answers_less(struct gw_exchange *exchange)
{
    const struct gw_head *head = exchange->answer.head;
    struct gw_range_part part;
    exchange->report.forwarded_status = head->status;
    if (respond_is_not_modified(exchange)) {
        respond_answer_without_body(exchange, 304, UINT64_MAX);
        return true;
    }
    enum gw_range range = GW_RANGE_WHOLE;
    if (exchange->cache.is_range && head->status == 200 && respond_length(head) != UINT64_MAX)
        range = gw_range_of(&exchange->request, head, head->content_length, respond_now_s(), &part);
    if (range == GW_RANGE_PART) {
        respond_begin_part(exchange, &part);
    } else if (range == GW_RANGE_UNSATISFIABLE) {
        respond_put_content_range(exchange, NULL, head->content_length);
        exchange->answer.head = NULL; /* its fields are the whole's */
        respond_answer_without_body(exchange, 416, 0);
    } else {
        exchange->report.forwarded_status = 0;
    }
    return range != GW_RANGE_WHOLE;
}

static void respond_begin_fetched(struct gw_exchange *exchange)
{
    const struct gw_head *head = exchange->answer.head;
    if (exchange->answer.is_for_all && respond_answers_less(exchange))
        return;
    exchange->answer.status = head->status;
    respond_ask_before_answer(exchange);
    /* If a filter has put another answer in its place, the backend's body still comes and is dropped: so its connection
     * stays of use. */
    gw_answer_measure(exchange, exchange->answer.head ? respond_length(head) : UINT64_MAX);
    gw_answer_begin(exchange);
}

void gw_engine_add_piece(struct gw_exchange *exchange, struct gw_slice piece, struct gw_block *block)
{
    if (!exchange->answer.is_part) {
        gw_answer_add(exchange, piece, block);
        return;
    }
    size_t skip = exchange->answer.part_skip < piece.length ? (size_t)exchange->answer.part_skip : piece.length;
    size_t rest = piece.length - skip,
           take = exchange->answer.part_left < rest ? (size_t)exchange->answer.part_left : rest;
    exchange->answer.part_skip -= skip;
    exchange->answer.part_left -= take;
    gw_answer_add(exchange, gw_slice_of(piece.at + skip, take), block);
    if (!exchange->answer.part_left)
        respond_end_without_fetch(exchange); /* it need not wait for the rest */
}

void gw_engine_answer_fetched(struct gw_exchange *exchange)
{
    struct gw_answer *answer = &exchange->answer;
    respond_begin_fetched(exchange);
    for (unsigned i = 0; i < exchange->early.count && !answer->is_whole; i++)
        gw_engine_add_piece(exchange, exchange->early.pieces[i].bytes, exchange->early.pieces[i].block);
    gw_engine_drop_early(exchange);
    if (!answer->is_whole && answer->is_read)
        gw_answer_end(exchange);
    else if (!answer->is_whole)
        gw_answer_flush(exchange);
    if (answer->is_whole)
        gw_engine_finish_if_written(exchange);
    else if (!answer->is_slow && exchange->reader.paused) /* since it settled */
        gw_fetch_resume(&exchange->reader);
}
