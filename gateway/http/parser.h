/* parser.h: bytes to messages, for both directions: llhttp with a strict guard in front.
 *
 * Problem  Parsers differ in what they forgive, and what two of them read differently is a smuggled request. llhttp
 *          alone forgives more with every version that it must be compatible with (8.1: an empty line ended by a
 *          bare CR).
 * Shape    The guard walks the same bytes first, by RFC 9112's grammar and nothing else: it finds the end of the
 *          head and the bounds of every chunk; llhttp gets what passed and must see the same message, ending at the
 *          same byte, or the message fails. Then the head is held against RFC 9110 and 9112 as a whole: Host,
 *          target, lengths, codings. A head that is handed out is valid; forwarding it means to write it again from
 *          its parts. How the input is cut never changes what is read.
 *          llhttp's list of methods and its rules for URLs are left out: it is shown a request line of ours.
 * Refused  bare CR or LF, NUL and other controls, obs-fold, space before a colon, both Content-Length and
 *          Transfer-Encoding, differing Content-Lengths, any coding but one final "chunked", chunk sizes over 16
 *          digits, more or less than one Host in 1.1, Host and absolute-form that disagree, userinfo, fragments, empty
 *          field names, trailers named Content-Length or Transfer-Encoding. Of requests also: Content-Lengths that are
 *          repeated though they agree, Transfer-Encoding in 1.0. CONNECT is GW_ERROR_METHOD.
 * Forgiven Backends are careless, and where nginx and haproxy find their answers nobody should get a 502. What leaves no
 *          doubt where the answer ends is put right, told by is_forgiven, and the connection is not kept: a
 *          Content-Length that is repeated with the same value, a length or a coding (not both) on 1xx and 204, both
 *          in an answer to HEAD, chunked in 1.0, a status of 600 to 999, and anything behind a chunk's size. llhttp,
 *          which is stricter with some of it, is shown the fields that are left.
 * Dropped  Chunk extensions and other trailers, after a check (RFC 9112 §7.1.1, RFC 9110 §6.5.1). llhttp is not
 *          shown the extensions, of which its versions refuse different valid ones.
 * Bounds   limits; 256 bytes of extensions a chunk, 16 KiB a message. Memory: head_bytes at most, in the arena.
 * Memory   The head lies in the caller's arena; a body slice is a view of the input. Between messages a parser owns
 *          nothing.
 * Threads  Pure: no I/O, no clock. */
#ifndef GW_HTTP_PARSER_H
#define GW_HTTP_PARSER_H

#include <llhttp.h>
#include "base/arena.h"
#include "base/error.h"
#include "http/head.h"

struct gw_parser_limits {
    size_t line_bytes; /* request line or status line */
    size_t head_bytes; /* start line and fields together; trailers too */
    unsigned fields;   /* and of trailers */
};

enum gw_parser_event {
    GW_PARSER_WANTS_MORE, /* all input was taken */
    GW_PARSER_HEAD,       /* *parser->head is complete and valid */
    GW_PARSER_BODY,       /* *body is a piece of it */
    GW_PARSER_END,        /* the message is complete; input stands at the byte after it */
    GW_PARSER_FAILED,     /* parser->error says why; nothing more can be read here */
};

enum gw_parser_place { /* where the guard stands */
                       GW_PARSER_AT_START,
                       GW_PARSER_IN_HEAD,
                       GW_PARSER_AT_BODY, /* the head was handed out */
                       GW_PARSER_IN_LENGTH,
                       GW_PARSER_IN_CHUNKS,
                       GW_PARSER_UNTIL_CLOSE,
                       GW_PARSER_ENDED,
                       GW_PARSER_BROKEN,
};

struct gw_parser {
    const struct gw_parser_limits *limits; /* outlives the parser */
    bool is_response;

    llhttp_t llhttp;
    enum gw_parser_place place;
    enum gw_error error;

    struct gw_head *head;          /* the caller's; set by gw_parser_begin */
    struct gw_arena *arena;        /* the caller's */
    enum gw_method request_method; /* responses: what was asked (HEAD has no body) */

    /* the head's guard, where the head comes in pieces */
    char *bytes; /* its text so far, in the arena */
    size_t bytes_length, bytes_capacity;
    size_t line_start; /* of the line that is not complete yet, in bytes */
    unsigned lines;    /* complete field lines */
    uint8_t empty_lines;

    /* the body's guard */
    uint8_t chunk_state; /* enum gw_chunks_state */
    uint8_t chunk_digits;
    bool is_forgiven;                           /* as in head: here something within the body */
    unsigned extension_bytes, extensions_bytes; /* of the chunk, of the message */
    size_t trailer_bytes;
    unsigned trailer_fields;
    size_t trailer_name_bytes;
    uint8_t trailer_names; /* which of those that are refused it may still be */
    uint64_t remaining;    /* of the body or the chunk */
    uint64_t body_bytes;   /* handed out */

    /* llhttp's word on the same bytes */
    bool llhttp_head_done, llhttp_message_done;
    unsigned llhttp_fields;
    uint64_t llhttp_body_bytes;
};

/* Once a connection. */
void gw_parser_init(struct gw_parser *parser, bool is_response, const struct gw_parser_limits *limits);
/* Before each message: where its head goes. For a response, the method that was asked. After an interim (1xx)
 * response's END it is begun again for the final one. */
void gw_parser_begin(struct gw_parser *parser, struct gw_head *head, struct gw_arena *arena,
                     enum gw_method request_method);
/* Reads on. *input advances; *body is set with GW_PARSER_BODY. Call again until WANTS_MORE, END or FAILED.
 * A request's empty lines before the request line are skipped (RFC 9112 §2.2), two at most. For 101 (Switching
 * Protocols), what follows END is not HTTP and the owner's to read. */
enum gw_parser_event gw_parser_next(struct gw_parser *parser, struct gw_slice *input, struct gw_slice *body);
/* The stream ended: END where that ends a response's body (GW_FRAMING_UNTIL_CLOSE), else FAILED with GW_ERROR_RESET
 * (responses) or GW_ERROR_CLIENT_GONE (requests). */
enum gw_parser_event gw_parser_finish(struct gw_parser *parser);
/* Nothing of a message has been read? */
static inline bool gw_parser_is_idle(const struct gw_parser *parser)
{
    return parser->place == GW_PARSER_AT_START;
}

/* The checks on a whole head, as gw_parser_next makes them, for heads that come another way (libcurl's lines): fills
 * framing, content_length, keep_alive, expects_continue, wants_upgrade, path, query, authority. GW_ERROR_NONE or the
 * reason. For is_response, the method asked. Names and values are held against the grammar too. */
enum gw_error gw_guard_head(struct gw_head *head, bool is_response, enum gw_method request_method) GW_MUST_CHECK;

#endif
