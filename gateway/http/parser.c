#include "http/parser.h"

#include "http/chunks.h"
#include "http/grammar.h"
#include "http/guard.h"
#include "http/lines.h"

enum {
    FIRST_BYTES = 1024,   /* first room for a head that comes in pieces; it doubles up to limits->head_bytes */
    MOST_EMPTY_LINES = 2, /* before a request line (RFC 9112 §2.2) */
};

/* llhttp is the second opinion: it is shown the whole heads and the framing of chunks that the guard has accepted. */

static bool parser_agrees_on_length(const llhttp_t *llhttp, const struct gw_head *head)
{
    bool is_chunked = llhttp->flags & F_CHUNKED, has_length = llhttp->flags & F_CONTENT_LENGTH;
    bool has_coding = llhttp->flags & F_TRANSFER_ENCODING;
    switch (head->framing) {
    case GW_FRAMING_CHUNKED:
        return is_chunked && !has_length;
    case GW_FRAMING_LENGTH:
        return !has_coding && has_length && llhttp->content_length == head->content_length;
    case GW_FRAMING_UNTIL_CLOSE:
        return !has_coding && !has_length && llhttp_message_needs_eof(llhttp);
    default: /* a response may tell the length of a body that it does not have (RFC 9110 §8.6) */
        return llhttp->type == HTTP_RESPONSE || (!has_coding && !has_length);
    }
}

/* Returning 1 tells llhttp that there is no body: it cannot know that for HEAD (and version 8.1 does not for 304). */
static int parser_on_headers_complete(llhttp_t *llhttp)
{
    struct gw_parser *parser = GW_CONTAINER(llhttp, struct gw_parser, llhttp);
    const struct gw_head *head = parser->head;
    unsigned fields = head->count; /* that the guard has not dropped */
    for (unsigned i = 0; head->is_forgiven && i < head->count; i++)
        fields -= head->fields[i].dropped;
    if (parser->llhttp_head_done || !parser_agrees_on_length(llhttp, head) || llhttp->http_major != 1 ||
        llhttp->http_minor != head->version_minor || parser->llhttp_fields != fields ||
        (parser->is_response && llhttp->status_code != head->status))
        return -1;
    parser->llhttp_head_done = true;
    return head->framing == GW_FRAMING_NONE ? 1 : 0;
}

static int parser_on_header_field_complete(llhttp_t *llhttp)
{
    GW_CONTAINER(llhttp, struct gw_parser, llhttp)->llhttp_fields++;
    return 0;
}

static int parser_on_body(llhttp_t *llhttp, const char *at, size_t length)
{
    (void)at;
    GW_CONTAINER(llhttp, struct gw_parser, llhttp)->llhttp_body_bytes += length;
    return 0;
}

static int parser_on_message_complete(llhttp_t *llhttp)
{
    struct gw_parser *parser = GW_CONTAINER(llhttp, struct gw_parser, llhttp);
    if (parser->llhttp_message_done)
        return -1;
    parser->llhttp_message_done = true;
    return 0;
}

static const llhttp_settings_t settings = {
    .on_headers_complete = parser_on_headers_complete,
    .on_header_field_complete = parser_on_header_field_complete,
    .on_body = parser_on_body,
    .on_message_complete = parser_on_message_complete,
};

static bool parser_execute(struct gw_parser *parser, const char *at, size_t length)
{
    llhttp_errno_t error = length ? llhttp_execute(&parser->llhttp, at, length) : HPE_OK;
    /* llhttp pauses after a message with Upgrade. That is the message's end, which
     * parser_show compares. */
    return error == HPE_OK || (error == HPE_PAUSED_UPGRADE && llhttp_get_error_pos(&parser->llhttp) == at + length);
}

/* Shows llhttp bytes that the guard has accepted. False: afterwards the two disagree about the number of body bytes or
 * about the end of the message. */
static bool parser_show(struct gw_parser *parser, const char *at, size_t length, bool is_end)
{
    return parser_execute(parser, at, length) && parser->llhttp_message_done == is_end &&
           parser->llhttp_body_bytes == parser->body_bytes;
}

/* Does white space stand behind the value of a framing field? RFC 9110 §5.5 allows it, but llhttp refuses a tab. */
static bool parser_has_space_after(const struct gw_head *head, enum gw_field_name id)
{
    const struct gw_field *field = gw_head_find(head, id);
    return field && field->value.at[field->value.length] != '\r';
}

/* Shows llhttp the fields one by one, as the guard has read them. */
static bool parser_show_fields(struct gw_parser *parser)
{
    const struct gw_head *head = parser->head;
    for (unsigned i = 0; i < head->count; i++) {
        const struct gw_field *field = &head->fields[i];
        if (field->dropped)
            continue;
        if (!parser_execute(parser, field->name.at, field->name.length) || !parser_execute(parser, ":", 1) ||
            !parser_execute(parser, field->value.at, field->value.length) || !parser_execute(parser, "\r\n", 2))
            return false;
    }
    return true;
}

static bool parser_show_head(struct gw_parser *parser, const char *bytes, size_t length, bool is_end)
{
    const struct gw_head *head = parser->head;
    const char *stop = bytes + length, *fields = head->count ? head->fields[0].name.at : stop - 2;
    if (!parser->is_response) {
        /* llhttp has a fixed list of methods, and its versions differ in the URLs that they accept. Neither has to do
         * with where a request ends (CONNECT is refused before), so llhttp is shown this line instead of the client's
         * request line. */
        struct gw_slice line = head->version_minor ? GW_SLICE("POST / HTTP/1.1\r\n") : GW_SLICE("POST / HTTP/1.0\r\n");
        if (!parser_execute(parser, line.at, line.length))
            return false;
        bytes = fields;
    }
    if (head->is_forgiven || parser_has_space_after(head, GW_FIELD_CONTENT_LENGTH) ||
        parser_has_space_after(head, GW_FIELD_TRANSFER_ENCODING)) {
        if (!parser_execute(parser, bytes, (size_t)(fields - bytes)) || !parser_show_fields(parser))
            return false;
        bytes = stop - 2;
    }
    return parser_show(parser, bytes, (size_t)(stop - bytes), is_end) && parser->llhttp_head_done;
}

static enum gw_parser_event parser_fail(struct gw_parser *parser, enum gw_error error)
{
    parser->place = GW_PARSER_BROKEN;
    parser->error = gw_guard_blame(error, parser->is_response);
    return GW_PARSER_FAILED;
}

static enum gw_parser_event parser_end(struct gw_parser *parser)
{
    parser->place = GW_PARSER_ENDED;
    return GW_PARSER_END;
}

void gw_parser_init(struct gw_parser *parser, bool is_response, const struct gw_parser_limits *limits)
{
    memset(parser, 0, sizeof *parser);
    parser->limits = limits;
    parser->is_response = is_response;
    llhttp_init(&parser->llhttp, is_response ? HTTP_RESPONSE : HTTP_REQUEST, &settings);
}

void gw_parser_begin(struct gw_parser *parser, struct gw_head *head, struct gw_arena *arena,
                     enum gw_method request_method)
{
    gw_head_init(head);
    gw_parser_init(parser, parser->is_response, parser->limits);
    parser->head = head;
    parser->arena = arena;
    parser->request_method = request_method;
}

static const char *parser_read_start_line(const struct gw_parser *parser, const char *at, const char *stop,
                                          enum gw_error *error)
{
    return parser->is_response ? gw_lines_status(at, stop, parser->head, error)
                               : gw_lines_request(at, stop, parser->head, error);
}

/* The most bytes of a start line with its CRLF. */
static size_t parser_most_line_bytes(const struct gw_parser *parser)
{
    const struct gw_parser_limits *limits = parser->limits;
    return limits->line_bytes < limits->head_bytes - 2 ? limits->line_bytes + 2 : limits->head_bytes;
}

/* Reads the start line and the fields up to the empty line. Returns the byte behind that line. NULL: the head is not
 * complete, not valid or beyond a limit; *error tells why, but means nothing for a head that is not complete. */
static const char *parser_read_lines(struct gw_parser *parser, const char *at, const char *stop, enum gw_error *error)
{
    struct gw_head *head = parser->head;
    const char *start = at;
    head->count = 0;
    memset(head->first, 0, sizeof head->first);
    at = parser_read_start_line(parser, at, stop, error);
    if (!at || (size_t)(at - start) > parser_most_line_bytes(parser))
        return NULL;
    *error = GW_ERROR_MALFORMED;
    while (at < stop && *at != '\r') {
        struct gw_slice name, value;
        at = gw_lines_field(at, stop, &name, &value);
        if (!at || head->count == parser->limits->fields)
            return NULL;
        if (!gw_head_add(head, parser->arena, name, value)) {
            *error = GW_ERROR_OVERLOADED;
            return NULL;
        }
    }
    return stop - at >= 2 && at[1] == '\n' ? at + 2 : NULL;
}

/* Ends the head if guard and llhttp both accept it, otherwise fails. */
static enum gw_parser_event parser_complete_head(struct gw_parser *parser, const char *bytes, size_t length)
{
    struct gw_head *head = parser->head;
    enum gw_error error = gw_guard_meaning(head, parser->is_response, parser->request_method);
    if (error)
        return parser_fail(parser, error);
    bool is_end = head->framing == GW_FRAMING_NONE || (head->framing == GW_FRAMING_LENGTH && !head->content_length);
    if (!parser_show_head(parser, bytes, length, is_end))
        return parser_fail(parser, GW_ERROR_MALFORMED);
    parser->remaining = head->content_length;
    parser->place = GW_PARSER_AT_BODY;
    return GW_PARSER_HEAD;
}

/* Makes a view of the input a view of the copy. */
static void parser_move(struct gw_slice *slice, const char *from, const char *to)
{
    *slice = gw_slice_of(to + (slice->at - from), slice->length);
}

/* No view may stay of an input that was not taken: the caller reads the next input into the same memory, perhaps for
 * another connection. */
static void parser_forget_views(struct gw_head *head)
{
    head->method_text = head->target = head->reason = GW_NO_SLICE;
    head->count = 0;
    memset(head->first, 0, sizeof head->first);
}

/* The common case: the input has a whole head that is valid and within all limits. The head is read in place and copied
 * once. False in every other case: nothing was taken then, and parser_read_pieces finds the result, which is the same
 * for every way to cut the input. */
static bool parser_read_whole(struct gw_parser *parser, struct gw_slice *input, enum gw_parser_event *event)
{
    struct gw_head *head = parser->head;
    size_t most = parser->limits->head_bytes;
    const char *start = input->at, *stop = start + (input->length < most ? input->length : most);
    enum gw_error error;
    const char *at = parser_read_lines(parser, start, stop, &error);
    size_t length = at ? (size_t)(at - start) : 0;
    struct gw_slice copy = at ? gw_arena_copy(parser->arena, gw_slice_of(start, length)) : GW_NO_SLICE;
    if (!copy.at) {
        parser_forget_views(head);
        return false;
    }
    parser_move(parser->is_response ? &head->reason : &head->method_text, start, copy.at);
    if (!parser->is_response)
        parser_move(&head->target, start, copy.at);
    for (unsigned i = 0; i < head->count; i++) {
        parser_move(&head->fields[i].name, start, copy.at);
        parser_move(&head->fields[i].value, start, copy.at);
    }
    input->at += length;
    input->length -= length;
    *event = parser_complete_head(parser, copy.at, length);
    return true;
}

static bool parser_append(struct gw_parser *parser, const char *at, size_t length)
{
    size_t needed = parser->bytes_length + length;
    if (needed > parser->bytes_capacity) {
        size_t capacity = parser->bytes_capacity ? parser->bytes_capacity * 2 : FIRST_BYTES;
        capacity = capacity < needed ? needed : capacity;
        if (capacity > parser->limits->head_bytes)
            capacity = parser->limits->head_bytes;
        char *bytes = parser->bytes ? gw_arena_grow(parser->arena, parser->bytes, parser->bytes_capacity, capacity)
                                    : gw_arena_take(parser->arena, capacity);
        if (!bytes)
            return false;
        parser->bytes = bytes;
        parser->bytes_capacity = capacity;
    }
    memcpy(parser->bytes + parser->bytes_length, at, length);
    parser->bytes_length = needed;
    return true;
}

/* An empty line before the request line. */
static enum gw_parser_event parser_skip_empty_line(struct gw_parser *parser)
{
    if (parser->is_response || parser->empty_lines++ == MOST_EMPTY_LINES)
        return parser_fail(parser, GW_ERROR_MALFORMED);
    parser->bytes_length = 0;
    parser->place = GW_PARSER_AT_START;
    return GW_PARSER_WANTS_MORE;
}

/* A line is complete. Until the last line, it is only checked, since the buffer may still move. Then all lines are read
 * again. */
static enum gw_parser_event parser_end_line(struct gw_parser *parser)
{
    const char *line = parser->bytes + parser->line_start, *stop = parser->bytes + parser->bytes_length;
    enum gw_error error = GW_ERROR_MALFORMED;
    struct gw_slice name, value;
    if (stop - line < 2 || stop[-2] != '\r')
        return parser_fail(parser, error);
    bool is_empty = stop - line == 2;
    if (parser->line_start == 0) {
        if (is_empty)
            return parser_skip_empty_line(parser);
        if (!parser_read_start_line(parser, line, stop, &error))
            return parser_fail(parser, error);
    } else if (is_empty) {
        if (!parser_read_lines(parser, parser->bytes, stop, &error))
            return parser_fail(parser, error);
        return parser_complete_head(parser, parser->bytes, parser->bytes_length);
    } else if (parser->lines++ == parser->limits->fields) {
        return parser_fail(parser, GW_ERROR_HEAD_TOO_LARGE);
    } else if (!gw_lines_field(line, stop, &name, &value)) {
        return parser_fail(parser, error);
    }
    parser->line_start = parser->bytes_length;
    return GW_PARSER_WANTS_MORE;
}

/* Can this byte begin a message? So another protocol is refused before its first line feed. */
static bool parser_may_begin(const struct gw_parser *parser, char c)
{
    return parser->is_response ? c == 'H' : c == '\r' || gw_grammar_is_tchar((unsigned char)c);
}

/* Reads line by line, so that an error is found as early as possible, and in the same order for every way to cut the
 * input. */
static enum gw_parser_event parser_read_pieces(struct gw_parser *parser, struct gw_slice *input)
{
    while (input->length) {
        if (parser->bytes_length == 0 && !parser_may_begin(parser, *input->at))
            return parser_fail(parser, GW_ERROR_MALFORMED);
        parser->place = GW_PARSER_IN_HEAD;
        size_t most = parser->line_start ? parser->limits->head_bytes : parser_most_line_bytes(parser);
        size_t room = most - parser->bytes_length, take = input->length < room ? input->length : room;
        const char *line_feed = memchr(input->at, '\n', take);
        if (line_feed)
            take = (size_t)(line_feed + 1 - input->at);
        if (!parser_append(parser, input->at, take))
            return parser_fail(parser, GW_ERROR_OVERLOADED);
        input->at += take;
        input->length -= take;
        enum gw_parser_event event = line_feed ? parser_end_line(parser) : GW_PARSER_WANTS_MORE;
        if (event != GW_PARSER_WANTS_MORE)
            return event;
        if (!line_feed && take == room && parser->line_start == 0)
            return parser_fail(parser, GW_ERROR_URI_TOO_LONG);
        if (parser->bytes_length == parser->limits->head_bytes)
            return parser_fail(parser, GW_ERROR_HEAD_TOO_LARGE);
    }
    return GW_PARSER_WANTS_MORE;
}

static size_t parser_take_body(struct gw_parser *parser, struct gw_slice input, struct gw_slice *body)
{
    size_t length = input.length < parser->remaining ? input.length : (size_t)parser->remaining;
    *body = gw_slice_of(input.at, length);
    parser->remaining -= length;
    parser->body_bytes += length;
    return length;
}

static enum gw_parser_event parser_read_length(struct gw_parser *parser, struct gw_slice *input, struct gw_slice *body)
{
    if (parser->remaining == 0)
        return parser_end(parser);
    if (input->length == 0)
        return GW_PARSER_WANTS_MORE;
    size_t length = parser_take_body(parser, *input, body);
    if (!parser_show(parser, input->at, length, parser->remaining == 0))
        return parser_fail(parser, GW_ERROR_FRAMING);
    input->at += length;
    input->length -= length;
    return GW_PARSER_BODY;
}

/* Moves *at to the next data or to the end of the message. *shown is the first byte that llhttp has not been shown yet;
 * NULL in an extension. */
static enum gw_error parser_walk_chunks(struct gw_parser *parser, const char **at, const char *stop, const char **shown,
                                        bool *agree)
{
    while (*at < stop && parser->chunk_state != GW_CHUNKS_DATA && parser->chunk_state != GW_CHUNKS_ENDED) {
        bool was_extension = gw_chunks_in_extension(parser);
        enum gw_error error = gw_chunks_step(parser, **at);
        if (error)
            return error;
        bool is_extension = gw_chunks_in_extension(parser);
        if (is_extension && !was_extension) {
            *agree = *agree && parser_show(parser, *shown, (size_t)(*at - *shown), false);
            *shown = NULL;
        } else if (was_extension && !is_extension) {
            *shown = *at;
        }
        ++*at;
    }
    return GW_ERROR_NONE;
}

static enum gw_parser_event parser_read_chunks(struct gw_parser *parser, struct gw_slice *input, struct gw_slice *body)
{
    const char *at = input->at, *stop = at + input->length;
    const char *shown = gw_chunks_in_extension(parser) ? NULL : at;
    bool agree = true;
    size_t data = 0;
    enum gw_error error = parser_walk_chunks(parser, &at, stop, &shown, &agree);
    if (!error && parser->chunk_state == GW_CHUNKS_DATA && at < stop) {
        data = parser_take_body(parser, gw_slice_of(at, (size_t)(stop - at)), body);
        at += data;
        if (parser->remaining == 0)
            parser->chunk_state = GW_CHUNKS_DATA_CR;
    }
    bool is_end = parser->chunk_state == GW_CHUNKS_ENDED;
    /* llhttp's opinion on the bytes before an error of the guard comes first, as if these bytes had come alone. */
    if (shown)
        agree = agree && parser_show(parser, shown, (size_t)(at - shown), is_end);
    if (!agree)
        return parser_fail(parser, GW_ERROR_FRAMING);
    if (error)
        return parser_fail(parser, error);
    *input = gw_slice_of(at, (size_t)(stop - at));
    if (is_end)
        return parser_end(parser);
    return data ? GW_PARSER_BODY : GW_PARSER_WANTS_MORE;
}

enum gw_parser_event gw_parser_next(struct gw_parser *parser, struct gw_slice *input, struct gw_slice *body)
{
    static const enum gw_parser_place place_of_body[] = { [GW_FRAMING_NONE] = GW_PARSER_ENDED,
                                                          [GW_FRAMING_LENGTH] = GW_PARSER_IN_LENGTH,
                                                          [GW_FRAMING_CHUNKED] = GW_PARSER_IN_CHUNKS,
                                                          [GW_FRAMING_UNTIL_CLOSE] = GW_PARSER_UNTIL_CLOSE };
    enum gw_parser_event event;
    if (parser->place == GW_PARSER_AT_BODY)
        parser->place = place_of_body[parser->head->framing];
    switch (parser->place) {
    case GW_PARSER_AT_START:
        if (input->length && parser_read_whole(parser, input, &event))
            return event;
        return parser_read_pieces(parser, input);
    case GW_PARSER_IN_HEAD:
        return parser_read_pieces(parser, input);
    case GW_PARSER_IN_LENGTH:
        return parser_read_length(parser, input, body);
    case GW_PARSER_IN_CHUNKS:
        return parser_read_chunks(parser, input, body);
    case GW_PARSER_UNTIL_CLOSE:
        /* llhttp is not shown these bytes: with the head, guard and llhttp have agreed that they are all body, and
         * llhttp would look at each of them. */
        if (input->length == 0)
            return GW_PARSER_WANTS_MORE;
        *body = *input;
        *input = gw_slice_of(input->at + input->length, 0);
        return GW_PARSER_BODY;
    case GW_PARSER_ENDED:
        return GW_PARSER_END;
    default:
        return GW_PARSER_FAILED;
    }
}

enum gw_parser_event gw_parser_finish(struct gw_parser *parser)
{
    if (parser->place == GW_PARSER_BROKEN)
        return GW_PARSER_FAILED;
    /* All of the message has been read, and only GW_PARSER_END is still to be returned. */
    bool may_be_complete = parser->place == GW_PARSER_AT_BODY || parser->place == GW_PARSER_IN_LENGTH;
    if (parser->place == GW_PARSER_ENDED || (may_be_complete && parser->llhttp_message_done))
        return parser_end(parser);
    bool until_close = parser->place == GW_PARSER_UNTIL_CLOSE ||
                       (parser->place == GW_PARSER_AT_BODY && parser->head->framing == GW_FRAMING_UNTIL_CLOSE);
    if (until_close) {
        bool agrees = llhttp_finish(&parser->llhttp) == HPE_OK && parser->llhttp_message_done;
        return agrees ? parser_end(parser) : parser_fail(parser, GW_ERROR_FRAMING);
    }
    parser->place = GW_PARSER_BROKEN;
    parser->error = parser->is_response ? GW_ERROR_RESET : GW_ERROR_CLIENT_GONE;
    return GW_PARSER_FAILED;
}
