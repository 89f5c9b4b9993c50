#include "server/h1_writer.h"

#include "http/writer.h"

void gw_h1_writer_begin(struct gw_h1_writer *writer, struct gw_h1_sink *sink, struct gw_buffer *scratch)
{
    writer->sink = sink;
    writer->scratch = scratch;
    writer->version_minor = 1;
    writer->keep_alive = false;
    writer->head_due = NULL;
    writer->framing = GW_H1_NO_BODY;
    writer->gathered_count = writer->chunk_count = 0;
}

/* ---- heads ---- */

/* head: the backend's, or NULL. The backend's reason phrase is kept, even an empty one, if the status is the backend's,
 * too. */
static void h1_writer_put_status_line(int status, const struct gw_head *head, struct gw_buffer *text)
{
    bool is_theirs = head && head->status == status && head->reason.at;
    struct gw_slice reason = is_theirs ? head->reason : gw_status_reason(status);
    gw_buffer_put_literal(text, "HTTP/1.1 ");
    gw_buffer_put_uint(text, (uint64_t)status);
    gw_buffer_put_literal(text, " ");
    gw_buffer_put_slice(text, reason);
    gw_buffer_put_literal(text, "\r\n");
}

/* A head that does not fit is replaced, since a head without one of its fields may mean something else: a 206 without
 * Content-Range, a response without Vary. */
static struct gw_slice h1_writer_lose_head(struct gw_h1_writer *writer, struct gw_downstream_head *head)
{
    gw_h1_writer_drop(writer);
    head->is_lost = true;
    head->status = 503;
    head->has_body = false;
    writer->framing = GW_H1_NO_BODY;
    writer->keep_alive = false;
    return GW_SLICE("HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
}

static struct gw_slice h1_writer_make_head(struct gw_h1_writer *writer, struct gw_downstream_head *head)
{
    struct gw_buffer *text = writer->scratch;
    gw_buffer_clear(text);
    if (head->stored_text.at) {
        gw_buffer_put_slice(text, head->stored_text);
    } else {
        const bool *out = head->left_out[0], *out_too = head->left_out[1];
        h1_writer_put_status_line(head->status, head->head, text);
        for (unsigned i = 0; head->head && i < head->head->count; i++) {
            const struct gw_field *field = &head->head->fields[i];
            bool is_framing = field->id == GW_FIELD_CONTENT_LENGTH || field->id == GW_FIELD_TRANSFER_ENCODING;
            if (!field->dropped && !is_framing && !(out && out[field->id]) && !(out_too && out_too[field->id]))
                gw_writer_put_field(text, field->name, field->value);
        }
    }
    if (head->length != UINT64_MAX)
        gw_writer_put_uint_field(text, GW_SLICE("Content-Length"), head->length);
    else if (writer->framing == GW_H1_CHUNKED)
        gw_buffer_put_literal(text, "Transfer-Encoding: chunked\r\n");
    if (!writer->keep_alive)
        gw_buffer_put_literal(text, "Connection: close\r\n");
    else if (writer->version_minor == 0)
        gw_buffer_put_literal(text, "Connection: keep-alive\r\n");
    gw_buffer_put_slice(text, head->added);
    gw_buffer_put_literal(text, "\r\n");
    return text->overflowed || head->is_lost ? h1_writer_lose_head(writer, head) : gw_buffer_slice(text);
}

void gw_h1_writer_head(struct gw_h1_writer *writer, struct gw_downstream_head *head)
{
    writer->head_due = head;
    if (!head->has_body) {
        writer->framing = GW_H1_NO_BODY;
    } else if (head->length != UINT64_MAX) {
        writer->framing = GW_H1_LENGTH;
    } else if (writer->version_minor >= 1) {
        writer->framing = GW_H1_CHUNKED;
    } else {
        writer->framing = GW_H1_UNTIL_CLOSE;
        writer->keep_alive = false;
    }
}

bool gw_h1_writer_interim(struct gw_h1_writer *writer, int status, const struct gw_head *head)
{
    struct gw_buffer *text = writer->scratch;
    if (writer->version_minor == 0)
        return true; /* RFC 9110 §15.2: never to a 1.0 client */
    gw_buffer_clear(text);
    h1_writer_put_status_line(status, head, text);
    if (head) {
        struct gw_head own = *head; /* not const; the fields are shared with *head, and are marked as dropped there */
        gw_head_drop_hop_by_hop(&own);
        gw_head_put_fields(&own, text);
    }
    gw_buffer_put_literal(text, "\r\n");
    struct gw_piece piece = { gw_buffer_slice(text), NULL };
    return text->overflowed || writer->sink->write(writer->sink, &piece, 1);
}

/* ---- bodies ---- */

void gw_h1_writer_drop(struct gw_h1_writer *writer)
{
    for (unsigned i = 0; i < writer->gathered_count; i++)
        gw_block_unref(writer->gathered[i].block);
    writer->gathered_count = writer->chunk_count = 0;
}

bool gw_h1_writer_flush(struct gw_downstream *downstream)
{
    struct gw_h1_writer *writer = gw_h1_writer_from(downstream);
    struct gw_piece pieces[1 + GW_COUNT(writer->gathered)];
    unsigned count = 0;
    if (writer->head_due) {
        pieces[count++] = (struct gw_piece) { h1_writer_make_head(writer, writer->head_due), NULL };
        writer->head_due = NULL;
    }
    for (unsigned i = 0; i < writer->gathered_count; i++)
        pieces[count++] = writer->gathered[i];
    bool goes_on = count == 0 || writer->sink->write(writer->sink, pieces, count);
    gw_h1_writer_drop(writer);
    return goes_on;
}

static void h1_writer_gather(struct gw_h1_writer *writer, struct gw_slice bytes, struct gw_block *block)
{
    writer->gathered[writer->gathered_count++] = (struct gw_piece) { bytes, gw_block_ref(block) };
}

static void h1_writer_gather_chunk_line(struct gw_h1_writer *writer, size_t length)
{
    static const char digits[] = "0123456789abcdef";
    char *line = writer->chunk_text[writer->chunk_count++];
    size_t at = sizeof writer->chunk_text[0];
    line[--at] = '\n';
    line[--at] = '\r';
    for (size_t left = length; left; left >>= 4)
        line[--at] = digits[left & 15];
    h1_writer_gather(writer, gw_slice_of(line + at, sizeof writer->chunk_text[0] - at), NULL);
}

bool gw_h1_writer_body(struct gw_downstream *downstream, struct gw_slice bytes, struct gw_block *block)
{
    struct gw_h1_writer *writer = gw_h1_writer_from(downstream);
    bool goes_on = true;
    if (writer->gathered_count + 3 > GW_COUNT(writer->gathered) || writer->chunk_count == GW_COUNT(writer->chunk_text))
        goes_on = gw_h1_writer_flush(downstream);
    if (writer->framing == GW_H1_NO_BODY)
        return goes_on;
    if (writer->framing == GW_H1_CHUNKED)
        h1_writer_gather_chunk_line(writer, bytes.length);
    h1_writer_gather(writer, bytes, block);
    if (writer->framing == GW_H1_CHUNKED)
        h1_writer_gather(writer, GW_SLICE("\r\n"), NULL);
    return block ? goes_on : gw_h1_writer_flush(downstream) && goes_on;
}

bool gw_h1_writer_end(struct gw_downstream *downstream)
{
    struct gw_h1_writer *writer = gw_h1_writer_from(downstream);
    bool goes_on = true;
    if (writer->framing == GW_H1_CHUNKED) {
        if (writer->gathered_count == GW_COUNT(writer->gathered))
            goes_on = gw_h1_writer_flush(downstream);
        if (writer->framing == GW_H1_CHUNKED) /* the head may have been lost */
            h1_writer_gather(writer, GW_SLICE("0\r\n\r\n"), NULL);
    }
    return gw_h1_writer_flush(downstream) && goes_on;
}

bool gw_h1_writer_shows_its_end(const struct gw_h1_writer *writer)
{
    return writer->framing == GW_H1_LENGTH || writer->framing == GW_H1_CHUNKED;
}
