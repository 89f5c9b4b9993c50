#include "http/chunks.h"

#include "http/grammar.h"

enum {
    MOST_DIGITS = 16,
    MOST_EXTENSION_BYTES = 256,        /* of one chunk */
    MOST_EXTENSIONS_BYTES = 16 * 1024, /* of one message */
};

static enum gw_error chunks_go(struct gw_parser *parser, bool is_right, enum gw_chunks_state next)
{
    parser->chunk_state = (uint8_t)next;
    return is_right ? GW_ERROR_NONE : GW_ERROR_FRAMING;
}

static bool chunks_is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static enum gw_error chunks_step_size(struct gw_parser *parser, char c)
{
    if (gw_grammar_is(c, GW_GRAMMAR_HEX)) {
        if (parser->chunk_digits++ == MOST_DIGITS || parser->remaining > INT64_MAX >> 4)
            return GW_ERROR_FRAMING;
        parser->remaining = parser->remaining << 4 | (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
        return GW_ERROR_NONE;
    }
    if (c == ';')
        return chunks_go(parser, parser->chunk_digits > 0, GW_CHUNKS_EXTENSION);
    if (chunks_is_blank(c))
        return chunks_go(parser, parser->chunk_digits > 0, GW_CHUNKS_EXTENSION_BLANK);
    return chunks_go(parser, parser->chunk_digits > 0 && c == '\r', GW_CHUNKS_SIZE_LF);
}

/* Behind an extension, another extension or the end of the line may follow. */
static enum gw_error chunks_leave_extension(struct gw_parser *parser, char c)
{
    if (c == ';')
        return chunks_go(parser, true, GW_CHUNKS_EXTENSION);
    if (chunks_is_blank(c))
        return chunks_go(parser, true, GW_CHUNKS_EXTENSION_BLANK);
    return chunks_go(parser, c == '\r', GW_CHUNKS_SIZE_LF);
}

/* chunk-ext = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS ( token / quoted-string ) ] ) (RFC 9112 §7.1.1). So white
 * space is an error at the end of the line, and also behind a size without extensions. */
static enum gw_error chunks_step_strict(struct gw_parser *parser, char c, bool is_text)
{
    bool is_tchar = gw_grammar_is_tchar((unsigned char)c);
    switch (parser->chunk_state) {
    case GW_CHUNKS_EXTENSION:
        return chunks_is_blank(c) ? GW_ERROR_NONE : chunks_go(parser, is_tchar, GW_CHUNKS_EXTENSION_NAME);
    case GW_CHUNKS_EXTENSION_NAME:
    case GW_CHUNKS_EXTENSION_NAMED:
        if (c == '=')
            return chunks_go(parser, true, GW_CHUNKS_EXTENSION_EQUALS);
        if (chunks_is_blank(c) || c == ';')
            return chunks_go(parser, true, chunks_is_blank(c) ? GW_CHUNKS_EXTENSION_NAMED : GW_CHUNKS_EXTENSION);
        if (parser->chunk_state == GW_CHUNKS_EXTENSION_NAMED)
            return GW_ERROR_FRAMING;
        return is_tchar ? GW_ERROR_NONE : chunks_leave_extension(parser, c);
    case GW_CHUNKS_EXTENSION_BLANK:
        return chunks_is_blank(c) ? GW_ERROR_NONE : chunks_go(parser, c == ';', GW_CHUNKS_EXTENSION);
    case GW_CHUNKS_EXTENSION_EQUALS:
        if (chunks_is_blank(c))
            return GW_ERROR_NONE;
        if (c == '"')
            return chunks_go(parser, true, GW_CHUNKS_EXTENSION_QUOTED);
        return chunks_go(parser, is_tchar, GW_CHUNKS_EXTENSION_VALUE);
    case GW_CHUNKS_EXTENSION_VALUE:
        return is_tchar ? GW_ERROR_NONE : chunks_leave_extension(parser, c);
    case GW_CHUNKS_EXTENSION_QUOTED:
        if (c == '"')
            return chunks_go(parser, true, GW_CHUNKS_EXTENSION_AFTER);
        return chunks_go(parser, is_text, c == '\\' ? GW_CHUNKS_EXTENSION_ESCAPED : GW_CHUNKS_EXTENSION_QUOTED);
    case GW_CHUNKS_EXTENSION_ESCAPED:
        return chunks_go(parser, is_text, GW_CHUNKS_EXTENSION_QUOTED);
    case GW_CHUNKS_EXTENSION_LOOSE:
        return GW_ERROR_FRAMING;
    default:
        return chunks_leave_extension(parser, c);
    }
}

/* In a backend's answer, text that breaks the grammar is skipped up to the CR, since the size before it is clear. */
static enum gw_error chunks_step_extension(struct gw_parser *parser, char c)
{
    bool is_text = gw_grammar_is(c, GW_GRAMMAR_VALUE);
    if (parser->extension_bytes++ == MOST_EXTENSION_BYTES || parser->extensions_bytes++ == MOST_EXTENSIONS_BYTES)
        return GW_ERROR_FRAMING;
    enum gw_error error = chunks_step_strict(parser, c, is_text);
    if (!error || !parser->is_response || (!is_text && c != '\r'))
        return error;
    parser->is_forgiven = true;
    return chunks_go(parser, true, is_text ? GW_CHUNKS_EXTENSION_LOOSE : GW_CHUNKS_SIZE_LF);
}

static enum gw_error chunks_end_size_line(struct gw_parser *parser, char c)
{
    parser->chunk_digits = 0;
    parser->extension_bytes = 0;
    return chunks_go(parser, c == '\n', parser->remaining ? GW_CHUNKS_DATA : GW_CHUNKS_TRAILER);
}

/* A trailer with one of these names is refused, since RFC 9110 §6.5.1 forbids to send it. Some versions of llhttp would
 * accept the first name, and other versions the second. */
static const char framing_names[2][18] = { "content-length", "transfer-encoding" };

static void chunks_match_name(struct gw_parser *parser, char c)
{
    for (unsigned i = 0; i < GW_COUNT(framing_names); i++)
        if (parser->trailer_name_bytes >= sizeof framing_names[i] - 1 ||
            framing_names[i][parser->trailer_name_bytes] != (c | 0x20))
            parser->trailer_names = (uint8_t)(parser->trailer_names & ~(1u << i));
    parser->trailer_name_bytes++;
}

static bool chunks_is_framing_name(const struct gw_parser *parser)
{
    for (unsigned i = 0; i < GW_COUNT(framing_names); i++)
        if (parser->trailer_names & 1u << i && parser->trailer_name_bytes == strlen(framing_names[i]))
            return true;
    return false;
}

static enum gw_error chunks_begin_trailer(struct gw_parser *parser, char c, bool is_tchar)
{
    if (is_tchar && parser->trailer_fields++ == parser->limits->fields)
        return GW_ERROR_HEAD_TOO_LARGE;
    parser->trailer_names = (1u << GW_COUNT(framing_names)) - 1;
    parser->trailer_name_bytes = 0;
    chunks_match_name(parser, c);
    return chunks_go(parser, is_tchar, GW_CHUNKS_TRAILER_NAME);
}

/* trailer-section = *( field-line CRLF ), then the last CRLF (RFC 9112 §7.1.2). */
static enum gw_error chunks_step_trailer(struct gw_parser *parser, char c)
{
    bool is_tchar = gw_grammar_is_tchar((unsigned char)c);
    if (parser->trailer_bytes++ == parser->limits->head_bytes)
        return GW_ERROR_HEAD_TOO_LARGE;
    switch (parser->chunk_state) {
    case GW_CHUNKS_TRAILER:
        if (c == '\r')
            return chunks_go(parser, true, GW_CHUNKS_END_LF);
        return chunks_begin_trailer(parser, c, is_tchar);
    case GW_CHUNKS_TRAILER_NAME:
        if (c == ':')
            return chunks_go(parser, !chunks_is_framing_name(parser), GW_CHUNKS_TRAILER_VALUE);
        chunks_match_name(parser, c);
        return chunks_go(parser, is_tchar, GW_CHUNKS_TRAILER_NAME);
    case GW_CHUNKS_TRAILER_VALUE:
        if (c == '\r')
            return chunks_go(parser, true, GW_CHUNKS_TRAILER_LF);
        return chunks_go(parser, gw_grammar_is(c, GW_GRAMMAR_VALUE), GW_CHUNKS_TRAILER_VALUE);
    case GW_CHUNKS_TRAILER_LF:
        return chunks_go(parser, c == '\n', GW_CHUNKS_TRAILER);
    default:
        return chunks_go(parser, c == '\n', GW_CHUNKS_ENDED);
    }
}

enum gw_error gw_chunks_step(struct gw_parser *parser, char c)
{
    switch (parser->chunk_state) {
    case GW_CHUNKS_SIZE:
        return chunks_step_size(parser, c);
    case GW_CHUNKS_SIZE_LF:
        return chunks_end_size_line(parser, c);
    case GW_CHUNKS_DATA_CR:
        return chunks_go(parser, c == '\r', GW_CHUNKS_DATA_LF);
    case GW_CHUNKS_DATA_LF:
        return chunks_go(parser, c == '\n', GW_CHUNKS_SIZE);
    default:
        return gw_chunks_in_extension(parser) ? chunks_step_extension(parser, c) : chunks_step_trailer(parser, c);
    }
}
