#include "exchange/answer.h"

#include "base/clock.h"
#include "exchange/worker_context.h"
#include "http/date.h"
#include "http/writer.h"

void gw_answer_choose_framing(struct gw_exchange *exchange, enum gw_framing framing, uint64_t length)
{
    bool bodiless = exchange->request.method == GW_METHOD_HEAD || exchange->status == 204 || exchange->status == 304 ||
                    exchange->status < 200;
    exchange->length = length;
    if (bodiless) {
        exchange->framing = GW_ANSWER_NO_BODY;
    } else if (framing == GW_FRAMING_LENGTH || framing == GW_FRAMING_NONE) {
        exchange->framing = GW_ANSWER_LENGTH;
    } else if (exchange->request.version_minor >= 1) {
        exchange->framing = GW_ANSWER_CHUNKED;
    } else {
        exchange->framing = GW_ANSWER_UNTIL_CLOSE;
        exchange->keep_alive = false;
    }
}

static void put_date(struct gw_worker_context *context, struct gw_buffer *head)
{
    int64_t now_s = (int64_t)(gw_clock_wall_us() / 1000000);
    if (now_s != context->date_s) {
        context->date_s = now_s;
        gw_date_print(context->date_text, now_s);
    }
    gw_writer_put_field(head, GW_SLICE("Date"), gw_slice_of(context->date_text, GW_DATE_BYTES));
}

/* response: the backend's, or NULL. Its reason phrase is kept, also where it is empty, unless the status is ours. */
static void put_status_line(int status, const struct gw_head *response, struct gw_buffer *head)
{
    bool is_theirs = response && response->status == status && response->reason.at;
    struct gw_slice reason = is_theirs ? response->reason : gw_status_reason(status);
    gw_buffer_put_literal(head, "HTTP/1.1 ");
    gw_buffer_put_uint(head, (uint64_t)status);
    gw_buffer_put_literal(head, " ");
    gw_buffer_put_slice(head, reason);
    gw_buffer_put_literal(head, "\r\n");
}

static void put_framing(const struct gw_exchange *exchange, struct gw_buffer *head)
{
    /* RFC 9110 §8.6: none in 204; in a HEAD's answer or a 304 what the whole would have, where it is known. */
    bool tells_length = exchange->framing == GW_ANSWER_LENGTH ||
                        (exchange->framing == GW_ANSWER_NO_BODY && exchange->status >= 200 && exchange->status != 204 &&
                         exchange->status != 304 && exchange->length != UINT64_MAX);
    if (tells_length) {
        gw_writer_put_uint_field(head, GW_SLICE("Content-Length"), exchange->length);
    } else if (exchange->framing == GW_ANSWER_CHUNKED) {
        gw_buffer_put_literal(head, "Transfer-Encoding: chunked\r\n");
    }
    if (!exchange->keep_alive)
        gw_buffer_put_literal(head, "Connection: close\r\n");
    else if (exchange->request.version_minor == 0)
        gw_buffer_put_literal(head, "Connection: keep-alive\r\n");
}

/* A 304 is about what the client has: fields that describe a content are left out, but for those that guide the update
 * of what it has (RFC 9110 §15.4.5). */
static void put_response_fields(const struct gw_exchange *exchange, struct gw_buffer *head)
{
    static const bool describes[GW_FIELD_COUNT] = { [GW_FIELD_CONTENT_TYPE] = true,
                                                    [GW_FIELD_CONTENT_ENCODING] = true,
                                                    [GW_FIELD_CONTENT_LANGUAGE] = true,
                                                    [GW_FIELD_CONTENT_RANGE] = true };
    const struct gw_head *response = exchange->head;
    const bool *left_out = exchange->left_out;
    bool is_unmodified = exchange->status == 304 && response->status == 200;
    if (!is_unmodified && !left_out) {
        gw_head_put_fields(response, head);
        return;
    }
    for (unsigned i = 0; i < response->count; i++) {
        const struct gw_field *field = &response->fields[i];
        bool is_out = field->dropped || field->id == GW_FIELD_CONTENT_LENGTH || (left_out && left_out[field->id]);
        if (!is_out && !(is_unmodified && describes[field->id]))
            gw_writer_put_field(head, field->name, field->value);
    }
}

static void put_head(struct gw_exchange *exchange, struct gw_buffer *head)
{
    const struct gw_entry *entry = exchange->entry;
    if (entry && exchange->head == &entry->head && exchange->status == entry->head.status) {
        gw_buffer_put_slice(head, entry->head_text);
    } else {
        put_status_line(exchange->status, exchange->head, head);
        if (exchange->head)
            put_response_fields(exchange, head);
    }
    if (exchange->content_type.length)
        gw_writer_put_field(head, GW_SLICE("Content-Type"), exchange->content_type);
    if (!exchange->head || !gw_head_find(exchange->head, GW_FIELD_DATE))
        put_date(exchange->context, head);
    put_framing(exchange, head);
    if (exchange->head)
        gw_buffer_put_literal(head, "Via: 1.1 visara-gateway\r\n");
    gw_buffer_put_slice(head, gw_buffer_slice(&exchange->fields));
    gw_writer_put_field(head, GW_SLICE("X-Request-Id"), exchange->request_id);
    gw_buffer_put_literal(head, "\r\n");
}

/* RFC 9110 §11.6.1: a 401 names a scheme. The filter that answers it may say which; else it is that of admin.token. */
static void complete_challenge(struct gw_exchange *exchange)
{
    static const char name[] = "WWW-Authenticate: ";
    struct gw_slice added = gw_buffer_slice(&exchange->fields);
    if (!memmem(added.at, added.length, name, sizeof name - 1))
        gw_exchange_add_field(exchange, GW_SLICE("WWW-Authenticate"), GW_SLICE("Bearer"));
}

/* Memory is out, so the head lacks something, and without it the answer might mean something else: a 206 without
 * Content-Range, a Vary that is missing. */
static struct gw_slice give_up_head(struct gw_exchange *exchange)
{
    gw_answer_drop(exchange);
    exchange->status = 503;
    exchange->error = GW_ERROR_OVERLOADED;
    exchange->framing = GW_ANSWER_NO_BODY;
    exchange->keep_alive = false;
    exchange->body_sent = 0;
    return GW_SLICE("HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
}

static struct gw_slice make_head(struct gw_exchange *exchange)
{
    struct gw_buffer *head = &exchange->context->scratch;
    if (exchange->status == 401 && !exchange->head)
        complete_challenge(exchange);
    gw_buffer_clear(head);
    put_head(exchange, head);
    if (head->overflowed || exchange->fields.overflowed)
        return give_up_head(exchange);
    return gw_buffer_slice(head);
}

void gw_answer_drop(struct gw_exchange *exchange)
{
    for (unsigned i = 0; i < exchange->gathered_count; i++)
        gw_block_drop(exchange->gathered[i].block);
    exchange->gathered_count = exchange->chunk_count = 0;
}

void gw_answer_flush(struct gw_exchange *exchange)
{
    struct gw_piece pieces[1 + GW_COUNT(exchange->gathered)];
    unsigned count = 0;
    if (exchange->head_due) {
        exchange->head_due = false;
        pieces[count++] = (struct gw_piece) { make_head(exchange), NULL };
    }
    for (unsigned i = 0; i < exchange->gathered_count; i++)
        pieces[count++] = exchange->gathered[i];
    if (count == 0)
        return;
    if (!exchange->downstream->table->write(exchange->downstream, pieces, count)) {
        exchange->slow = true; /* perhaps since a 1xx, when nothing could be paused yet */
        gw_fetch_pause(&exchange->reader);
    }
    gw_answer_drop(exchange);
}

static void gather(struct gw_exchange *exchange, struct gw_slice bytes, struct gw_block *block)
{
    exchange->gathered[exchange->gathered_count++] = (struct gw_piece) { bytes, gw_block_share(block) };
}

void gw_answer_add(struct gw_exchange *exchange, struct gw_slice bytes, struct gw_block *block)
{
    if (exchange->gathered_count + 3 > GW_COUNT(exchange->gathered) ||
        exchange->chunk_count == GW_COUNT(exchange->chunk_text))
        gw_answer_flush(exchange);
    if (bytes.length == 0 || exchange->framing == GW_ANSWER_NO_BODY)
        return;
    exchange->body_sent += bytes.length;
    if (exchange->framing == GW_ANSWER_CHUNKED) {
        static const char digits[] = "0123456789abcdef";
        char *line = exchange->chunk_text[exchange->chunk_count++];
        size_t at = sizeof exchange->chunk_text[0];
        line[--at] = '\n';
        line[--at] = '\r';
        for (size_t left = bytes.length; left; left >>= 4)
            line[--at] = digits[left & 15];
        gather(exchange, gw_slice_of(line + at, sizeof exchange->chunk_text[0] - at), NULL);
    }
    gather(exchange, bytes, block);
    if (exchange->framing == GW_ANSWER_CHUNKED)
        gather(exchange, GW_SLICE("\r\n"), NULL);
    if (!block)
        gw_answer_flush(exchange);
}

void gw_answer_end(struct gw_exchange *exchange)
{
    if (exchange->framing == GW_ANSWER_CHUNKED) {
        if (exchange->gathered_count == GW_COUNT(exchange->gathered))
            gw_answer_flush(exchange);
        gather(exchange, GW_SLICE("0\r\n\r\n"), NULL);
    }
    exchange->complete = true;
    gw_answer_flush(exchange);
}

void gw_answer_interim(struct gw_exchange *exchange, int status, const struct gw_head *head)
{
    struct gw_buffer *text = &exchange->context->scratch;
    if (exchange->request.version_minor == 0)
        return; /* RFC 9110 §15.2: never to a 1.0 client */
    gw_buffer_clear(text);
    put_status_line(status, head, text);
    if (head) {
        struct gw_head own = *head; /* the fields that are dropped are its own */
        gw_head_drop_hop_by_hop(&own);
        gw_head_put_fields(&own, text);
    }
    gw_buffer_put_literal(text, "\r\n");
    struct gw_piece piece = { gw_buffer_slice(text), NULL };
    if (!text->overflowed && !exchange->downstream->table->write(exchange->downstream, &piece, 1))
        exchange->slow = true;
}

/* ---- answers made here ---- */

void gw_exchange_add_field(struct gw_exchange *exchange, struct gw_slice name, struct gw_slice value)
{
    gw_writer_put_field(&exchange->fields, name, value);
}

void gw_exchange_answer(struct gw_exchange *exchange, int status, struct gw_slice content_type, struct gw_slice content)
{
    /* What the cache has found is not the answer: a refusal comes first. */
    gw_entry_drop(exchange->entry);
    exchange->entry = NULL;
    exchange->status = status;
    exchange->content_type = content_type;
    exchange->content = content;
}

void gw_exchange_answer_error(struct gw_exchange *exchange, enum gw_error error)
{
    enum { PROBLEM_BYTES = 1024 };
    char *memory = gw_arena_take(&exchange->arena, PROBLEM_BYTES);
    struct gw_buffer page = gw_buffer_over(memory, memory ? PROBLEM_BYTES : 0);
    int status = gw_error_status(error);
    exchange->error = error;
    gw_buffer_put_literal(&page, "{\"type\":\"about:blank\",\"title\":");
    gw_buffer_put_json(&page, gw_status_reason(status));
    gw_buffer_put_literal(&page, ",\"status\":");
    gw_buffer_put_uint(&page, (uint64_t)status);
    gw_buffer_put_literal(&page, ",\"error\":");
    gw_buffer_put_json(&page, gw_slice_of_string(gw_error_name(error)));
    gw_buffer_put_literal(&page, ",\"detail\":");
    gw_buffer_put_json(&page, gw_slice_of_string(gw_error_sentence(error)));
    gw_buffer_put_literal(&page, ",\"request_id\":");
    gw_buffer_put_json(&page, exchange->request_id);
    gw_buffer_put_literal(&page, "}\n");
    gw_exchange_answer(exchange, status, GW_SLICE("application/problem+json"), gw_buffer_slice(&page));
}
