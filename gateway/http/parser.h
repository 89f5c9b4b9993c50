/* parser.h: makes messages of bytes, requests and responses: llhttp with a strict guard in front.
 *
 * Problem  Parsers differ in the mistakes that they accept, and a message that two parsers read differently can smuggle
 *          a request. Each version of llhttp that must work here accepts other mistakes (8.1: an empty line that a bare
 *          CR ends).
 * Shape    The guard reads the bytes first, strictly by the grammar of RFC 9112: it finds the end of the head and the
 *          bounds of every chunk. llhttp is shown the bytes that the guard has accepted and must see the same message
 *          with the same end; otherwise the message fails. The head as a whole is checked against RFC 9110 and 9112:
 *          Host, target, lengths, codings. So a head that the caller gets is valid; a message is forwarded by writing
 *          it anew from its parts. The result does not depend on how the input is cut.
 *          llhttp's list of methods and its rules for URLs do not count: it is shown a request line of our own.
 * Refused  Bare CR or LF, NUL and other controls, obs-fold, space before a colon, both Content-Length and
 *          Transfer-Encoding, differing Content-Lengths, any coding but one final "chunked", chunk sizes over 16
 *          digits, more or less than one Host in 1.1, Host and absolute-form that disagree, userinfo, fragments, empty
 *          field names, trailers named Content-Length or Transfer-Encoding. In requests also: Content-Length that is
 *          repeated with the same value, and Transfer-Encoding in 1.0. CONNECT is GW_ERROR_METHOD.
 * Forgiven Backends make mistakes, and a client should not get a 502 for an answer that nginx and haproxy can read. A
 *          mistake is corrected where the end of the answer is clear: a Content-Length that is repeated with the same
 *          value, a length or a coding (not both) in a 1xx or 204, both in an answer to HEAD, chunked in 1.0, a status
 *          of 600 to 999, and anything behind a chunk's size. is_forgiven tells of it, and the connection is not kept.
 *          llhttp is stricter with some of these mistakes, so it is shown the fields that are left.
 * Dropped  Chunk extensions and trailers are checked and dropped (RFC 9112 §7.1.1, RFC 9110 §6.5.1). llhttp is not
 *          shown the extensions, since each of its versions refuses other valid ones.
 * Bounds   The limits below, 256 bytes of extensions in a chunk, and 16 KiB of extensions in a message. The text of a
 *          head takes at most head_bytes of the arena.
 * Memory   The head lies in the caller's arena, and a body slice is a view of the input. Between messages a parser owns
 *          no memory.
 * Threads  Pure: no I/O, no clock. */
#ifndef GW_HTTP_PARSER_H
#define GW_HTTP_PARSER_H

#include <llhttp.h>
#include "base/arena.h"
#include "base/error.h"
#include "http/head.h"

struct gw_parser_limits {
    size_t line_bytes; /* request line or status line */
    size_t head_bytes; /* start line and fields together; also the trailers together */
    unsigned fields;   /* of a head; also of the trailers */
};

enum gw_parser_event {
    GW_PARSER_WANTS_MORE, /* all input has been taken */
    GW_PARSER_HEAD,       /* *parser->head is complete and valid */
    GW_PARSER_BODY,       /* *body is a piece of the body */
    GW_PARSER_END,        /* the message is complete; *input begins at the byte behind it */
    GW_PARSER_FAILED,     /* parser->error tells why; no more input can be read */
};

enum gw_parser_place { /* where the guard is */
                       GW_PARSER_AT_START,
                       GW_PARSER_IN_HEAD,
                       GW_PARSER_AT_BODY, /* the caller has got the head */
                       GW_PARSER_IN_LENGTH,
                       GW_PARSER_IN_CHUNKS,
                       GW_PARSER_UNTIL_CLOSE,
                       GW_PARSER_ENDED,
                       GW_PARSER_BROKEN,
};

struct gw_parser {
    const struct gw_parser_limits *limits; /* must outlive the parser */
    bool is_response;

    llhttp_t llhttp;
    enum gw_parser_place place;
    enum gw_error error;

    struct gw_head *head;          /* the caller's; set by gw_parser_begin */
    struct gw_arena *arena;        /* the caller's */
    enum gw_method request_method; /* for responses: the request's method (an answer to HEAD has no body) */

    /* for the guard of a head that comes in pieces */
    char *bytes; /* the head's text so far, in the arena */
    size_t bytes_length, bytes_capacity;
    size_t line_start; /* offset in bytes of the line that is not complete yet */
    unsigned lines;    /* complete field lines */
    uint8_t empty_lines;

    /* for the guard of the body */
    uint8_t chunk_state; /* enum gw_chunks_state */
    uint8_t chunk_digits;
    bool is_forgiven;                           /* as in struct gw_head, but for a mistake in the body */
    unsigned extension_bytes, extensions_bytes; /* in the chunk; in the message */
    size_t trailer_bytes;
    unsigned trailer_fields;
    size_t trailer_name_bytes;
    uint8_t trailer_names; /* bits: the refused names that the trailer's name may still become */
    uint64_t remaining;    /* bytes of the body or of the chunk */
    uint64_t body_bytes;   /* that the caller has got */

    /* what llhttp says about the same bytes */
    bool llhttp_head_done, llhttp_message_done;
    unsigned llhttp_fields;
    uint64_t llhttp_body_bytes;
};

/* To be called once for a connection. */
void gw_parser_init(struct gw_parser *parser, bool is_response, const struct gw_parser_limits *limits);
/* To be called before each message, with the place for its head; for a response, with the request's method. After the
 * END of an interim (1xx) response it must be called again for the next response. */
void gw_parser_begin(struct gw_parser *parser, struct gw_head *head, struct gw_arena *arena,
                     enum gw_method request_method);
/* Reads on and moves *input forward; *body is set with GW_PARSER_BODY. To be called until WANTS_MORE, END or FAILED.
 * Up to two empty lines before a request line are skipped (RFC 9112 §2.2). The bytes behind the END of a 101 (Switching
 * Protocols) are not HTTP; the caller must read them itself. */
enum gw_parser_event gw_parser_next(struct gw_parser *parser, struct gw_slice *input, struct gw_slice *body);
/* The stream has ended. Returns END where the message is complete or where this ends its body (GW_FRAMING_UNTIL_CLOSE);
 * otherwise FAILED with GW_ERROR_RESET (responses) or GW_ERROR_CLIENT_GONE (requests). */
enum gw_parser_event gw_parser_finish(struct gw_parser *parser);
/* Has no byte of the next message been read yet? */
static inline bool gw_parser_is_idle(const struct gw_parser *parser)
{
    return parser->place == GW_PARSER_AT_START;
}

/* Checks a whole head as gw_parser_next does, for a head that comes another way (libcurl's lines), with the grammar of
 * names and values. Fills framing, content_length, keep_alive, expects_continue, wants_upgrade, path, query, authority.
 * request_method counts for is_response only. Returns GW_ERROR_NONE or why the head is refused. */
enum gw_error gw_guard_head(struct gw_head *head, bool is_response, enum gw_method request_method) GW_MUST_CHECK;

#endif
