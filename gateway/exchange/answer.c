#include "exchange/answer.h"

#include "base/clock.h"
#include "exchange/worker_context.h"
#include "http/date.h"
#include "http/writer.h"

void gw_answer_measure(struct gw_exchange *exchange, uint64_t length)
{
    int status = exchange->answer.status;
    bool is_bodiless = status == 204 || status == 304 || status < 200;
    struct gw_downstream_head *message = &exchange->answer.message;
    message->has_body = !is_bodiless && exchange->request.method != GW_METHOD_HEAD;
    /* RFC 9110 §8.6: none in 204; in a HEAD's answer what the whole would have, where it is known. */
    message->length = !is_bodiless ? length : UINT64_MAX;
}

/* ---- the head ---- */

static void answer_put_date(struct gw_worker_context *context, struct gw_buffer *fields)
{
    int64_t now_s = (int64_t)(gw_clock_wall_us() / 1000000);
    if (now_s != context->date_s) {
        context->date_s = now_s;
        gw_date_print(context->date_text, now_s);
    }
    gw_writer_put_field(fields, GW_SLICE("Date"), gw_slice_of(context->date_text, GW_DATE_BYTES));
}

/* RFC 9110 §11.6.1: a 401 names a scheme. The filter that answers it may say which; else it is that of admin.token. */
static void answer_complete_challenge(struct gw_buffer *fields)
{
    static const char name[] = "WWW-Authenticate: ";
    if (!memmem(fields->at, fields->length, name, sizeof name - 1))
        gw_writer_put_field(fields, GW_SLICE("WWW-Authenticate"), GW_SLICE("Bearer"));
}

/* What every answer says, behind what the filters added. */
static void answer_complete_fields(struct gw_exchange *exchange)
{
    struct gw_answer *answer = &exchange->answer;
    struct gw_buffer *fields = &answer->fields;
    if (answer->status == 401 && !answer->head)
        answer_complete_challenge(fields);
    if (answer->content_type.length)
        gw_writer_put_field(fields, GW_SLICE("Content-Type"), answer->content_type);
    if (!answer->head || !gw_head_find(answer->head, GW_FIELD_DATE))
        answer_put_date(exchange->context, fields);
    if (answer->head)
        gw_buffer_put_literal(fields, "Via: 1.1 visara-gateway\r\n");
    gw_writer_put_field(fields, GW_SLICE("X-Request-Id"), exchange->identity.request_id);
}

/* A 304 is about what the client has: fields that describe a content are left out, but for those that guide the update
 * of what it has (RFC 9110 §15.4.5). */
static const bool describes_content[GW_FIELD_COUNT] = { [GW_FIELD_CONTENT_TYPE] = true,
                                                        [GW_FIELD_CONTENT_ENCODING] = true,
                                                        [GW_FIELD_CONTENT_LANGUAGE] = true,
                                                        [GW_FIELD_CONTENT_RANGE] = true };

void gw_answer_begin(struct gw_exchange *exchange)
{
    struct gw_answer *answer = &exchange->answer;
    const struct gw_entry *entry = exchange->entry;
    gw_timer_stop(&exchange->timer);
    for (const struct gw_filter *const *at = exchange->context->at_step[GW_FILTER_ON_RESPONSE]; *at; at++)
        (*at)->on_response(exchange);
    answer_complete_fields(exchange);
    bool is_as_stored = entry && answer->head == &entry->head && answer->status == entry->head.status;
    bool is_unmodified = answer->status == 304 && answer->head && answer->head->status == 200;
    struct gw_downstream_head *message = &answer->message;
    message->status = answer->status;
    message->head = answer->head;
    message->left_out[0] = answer->left_out;
    message->left_out[1] = is_unmodified ? describes_content : NULL;
    message->stored_text = is_as_stored ? entry->head_text : GW_NO_SLICE;
    message->added = gw_buffer_slice(&answer->fields);
    message->is_lost = answer->fields.overflowed;
    exchange->downstream->table->head(exchange->downstream, message);
}

void gw_answer_interim(struct gw_exchange *exchange, int status, const struct gw_head *head)
{
    if (!exchange->downstream->table->interim(exchange->downstream, status, head))
        exchange->answer.is_slow = true;
}

/* ---- the body ---- */

static void answer_wait_for_client(struct gw_exchange *exchange)
{
    exchange->answer.is_slow = true; /* perhaps since a 1xx, when nothing could be paused yet */
    gw_fetch_pause(&exchange->reader);
}

void gw_answer_add(struct gw_exchange *exchange, struct gw_slice bytes, struct gw_block *block)
{
    if (bytes.length == 0 || !exchange->answer.message.has_body)
        return;
    exchange->answer.body_sent += bytes.length;
    if (!exchange->downstream->table->body(exchange->downstream, bytes, block))
        answer_wait_for_client(exchange);
}

void gw_answer_flush(struct gw_exchange *exchange)
{
    if (!exchange->downstream->table->flush(exchange->downstream))
        answer_wait_for_client(exchange);
}

void gw_answer_end(struct gw_exchange *exchange)
{
    exchange->answer.is_whole = true;
    if (!exchange->downstream->table->end(exchange->downstream))
        answer_wait_for_client(exchange);
}

void gw_answer_lose(struct gw_exchange *exchange)
{
    struct gw_answer *answer = &exchange->answer;
    answer->status = 503;
    answer->body_sent = 0;
    answer->told_error = GW_ERROR_OVERLOADED;
    if (!answer->is_cut)
        answer->ended_by = GW_ERROR_NONE; /* of the body that would have followed */
}

/* ---- answers made here ---- */

void gw_exchange_add_field(struct gw_exchange *exchange, struct gw_slice name, struct gw_slice value)
{
    gw_writer_put_field(&exchange->answer.fields, name, value);
}

void gw_exchange_answer(struct gw_exchange *exchange, int status, struct gw_slice content_type, struct gw_slice content)
{
    /* What the cache has found is not the answer: a refusal comes first. */
    gw_entry_unref(exchange->entry);
    exchange->entry = NULL;
    exchange->answer.status = status;
    exchange->answer.content_type = content_type;
    exchange->answer.content = content;
}

void gw_exchange_answer_error(struct gw_exchange *exchange, enum gw_error error)
{
    enum { PROBLEM_BYTES = 1024 };
    char *memory = gw_arena_take(&exchange->arena, PROBLEM_BYTES);
    struct gw_buffer page = gw_buffer_over(memory, memory ? PROBLEM_BYTES : 0);
    int status = gw_error_status(error);
    exchange->answer.told_error = error;
    gw_buffer_put_literal(&page, "{\"type\":\"about:blank\",\"title\":");
    gw_buffer_put_json(&page, gw_status_reason(status));
    gw_buffer_put_literal(&page, ",\"status\":");
    gw_buffer_put_uint(&page, (uint64_t)status);
    gw_buffer_put_literal(&page, ",\"error\":");
    gw_buffer_put_json(&page, gw_slice_of_string(gw_error_name(error)));
    gw_buffer_put_literal(&page, ",\"detail\":");
    gw_buffer_put_json(&page, gw_slice_of_string(gw_error_sentence(error)));
    gw_buffer_put_literal(&page, ",\"request_id\":");
    gw_buffer_put_json(&page, exchange->identity.request_id);
    gw_buffer_put_literal(&page, "}\n");
    gw_exchange_answer(exchange, status, GW_SLICE("application/problem+json"), gw_buffer_slice(&page));
}
