/* chunks.h: the guard of a chunked body (RFC 9112 §7.1), which reads byte by byte. Only for files of http/. Its state
 * is in struct gw_parser. */
#ifndef GW_HTTP_CHUNKS_H
#define GW_HTTP_CHUNKS_H

#include "http/parser.h"

/* What the next byte may be. */
enum gw_chunks_state {
    GW_CHUNKS_SIZE, /* the first state */
    GW_CHUNKS_EXTENSION,
    GW_CHUNKS_EXTENSION_NAME,
    GW_CHUNKS_EXTENSION_NAMED, /* white space behind the name */
    GW_CHUNKS_EXTENSION_EQUALS,
    GW_CHUNKS_EXTENSION_VALUE,
    GW_CHUNKS_EXTENSION_QUOTED,
    GW_CHUNKS_EXTENSION_ESCAPED,
    GW_CHUNKS_EXTENSION_AFTER,
    GW_CHUNKS_EXTENSION_BLANK, /* white space that must lead to a ';' */
    GW_CHUNKS_EXTENSION_LOOSE, /* in a backend's answer: text that breaks the grammar */
    GW_CHUNKS_SIZE_LF,
    GW_CHUNKS_DATA, /* parser->remaining bytes of data, which gw_chunks_step does not read */
    GW_CHUNKS_DATA_CR,
    GW_CHUNKS_DATA_LF,
    GW_CHUNKS_TRAILER,
    GW_CHUNKS_TRAILER_NAME,
    GW_CHUNKS_TRAILER_VALUE,
    GW_CHUNKS_TRAILER_LF,
    GW_CHUNKS_END_LF,
    GW_CHUNKS_ENDED,
};

static inline bool gw_chunks_in_extension(const struct gw_parser *parser)
{
    return parser->chunk_state >= GW_CHUNKS_EXTENSION && parser->chunk_state <= GW_CHUNKS_EXTENSION_LOOSE;
}

/* Reads one byte that is not data. Returns GW_ERROR_NONE, or why the byte is refused (FRAMING, HEAD_TOO_LARGE). */
enum gw_error gw_chunks_step(struct gw_parser *parser, char c) GW_MUST_CHECK;

#endif
