/* error.h: one row for each error that a request can end with, and the form in which a person is told about a mistake
 * in the configuration or in an argument.
 *
 * A row has all that is to be known about an error: its name (in the log and in JSON), the status that the client gets,
 * whether the request may be sent again after this error, and a sentence for people. */
#ifndef GW_BASE_ERROR_H
#define GW_BASE_ERROR_H

#include "base/base.h"
#include "base/slice.h"

/* Three lists, by the cause of the error. Alerts look at the lists of backends and of the gateway, since no client may
 * wake an operator. X(NAME, name, status, retry, sentence); retry: a request that had no effect may be sent again. */
#define GW_CLIENT_ERRORS(X)                                                                                            \
    X(MALFORMED, "malformed_request", 400, false, "The request is not well-formed HTTP/1.1.")                          \
    X(HOST, "invalid_host", 400, false, "Exactly one valid Host field is required.")                                   \
    X(FRAMING, "ambiguous_framing", 400, false, "The length of the body is ambiguous or invalid.")                     \
    X(EXPECTATION, "unknown_expectation", 417, false, "The only expectation known here is 100-continue.")              \
    X(REQUEST_TIMEOUT, "request_timeout", 408, false, "The request did not arrive in time.")                           \
    X(BODY_TOO_LARGE, "body_too_large", 413, false, "The request's body is larger than allowed here.")                 \
    X(URI_TOO_LONG, "request_line_too_long", 414, false, "The request line is longer than allowed here.")              \
    X(HEAD_TOO_LARGE, "header_too_large", 431, false, "The request's header is larger than allowed here.")             \
    X(METHOD, "method_not_implemented", 501, false, "This method is not served here.")                                 \
    X(CODING, "transfer_coding_not_implemented", 501, false, "The only transfer coding known here is chunked.")        \
    X(VERSION, "version_not_supported", 505, false, "Only HTTP/1.0 and HTTP/1.1 are spoken here.")                     \
    X(CLIENT_GONE, "client_gone", 499, false, "The client went away before its answer was complete.")                  \
    X(NOT_FOUND, "not_found", 404, false, "There is nothing at this path of the gateway.")                             \
    X(METHOD_NOT_ALLOWED, "method_not_allowed", 405, false, "This path of the gateway answers GET and HEAD only.")     \
    X(LIMITED, "rate_limited", 429, false, "Too many requests.")                                                       \
    X(NOT_STORED, "not_in_cache", 504, false, "Nothing stored can answer this (only-if-cached).")

#define GW_BACKEND_ERRORS(X)                                                                                           \
    X(RESOLVE, "upstream_name_unknown", 502, true, "The backend's name could not be resolved.")                        \
    X(CONNECT, "upstream_refused", 502, true, "The backend could not be reached.")                                     \
    X(TLS, "upstream_tls", 502, false, "The backend's certificate or TLS handshake failed.")                           \
    X(RESET, "upstream_reset", 502, true, "The backend closed the connection before its answer was complete.")         \
    X(UPSTREAM_MALFORMED, "upstream_malformed", 502, false, "The backend's answer is not well-formed HTTP.")           \
    X(UPSTREAM_HEAD_TOO_LARGE, "upstream_header_too_large", 502, false, "The backend's header is too large.")          \
    X(CONNECT_TIMEOUT, "upstream_connect_timeout", 504, true, "The backend could not be reached in time.")             \
    X(RESPONSE_TIMEOUT, "upstream_response_timeout", 504, false, "The backend did not answer in time.")                \
    X(BODY_TIMEOUT, "upstream_body_timeout", 504, false, "The backend's answer stopped coming.")

#define GW_OWN_ERRORS(X)                                                                                               \
    X(UPSTREAM_BUSY, "upstream_busy", 503, false, "All connections to the backend are in use.")                        \
    X(OVERLOADED, "overloaded", 503, false, "The gateway is at its limit of connections or memory.")                   \
    X(LIMIT_UNKNOWN, "limit_unknown", 503, false, "The rate limit could not be checked.")                              \
    X(CANCELLED, "cancelled", 503, false, "The gateway gave the request up.")                                          \
    X(INTERNAL, "internal", 500, false, "The gateway made a mistake.")

#define GW_ERRORS(X)                                                                                                   \
    X(NONE, "none", 200, false, "No error.")                                                                           \
    GW_CLIENT_ERRORS(X)                                                                                                \
    GW_BACKEND_ERRORS(X)                                                                                               \
    GW_OWN_ERRORS(X)

enum gw_error {
#define GW_ERROR_ENUM(NAME, name, status, retry, sentence) GW_ERROR_##NAME,
    GW_ERRORS(GW_ERROR_ENUM)
#undef GW_ERROR_ENUM
        GW_ERROR_COUNT
};

enum gw_error_cause { GW_CAUSE_NONE, GW_CAUSE_CLIENT, GW_CAUSE_BACKEND, GW_CAUSE_GATEWAY, GW_CAUSE_COUNT };

const char *gw_error_name(enum gw_error error);
const char *gw_error_sentence(enum gw_error error);
int gw_error_status(enum gw_error error);
bool gw_error_may_retry(enum gw_error error);
/* Tells which list has the error's row. */
enum gw_error_cause gw_error_cause(enum gw_error error);
const char *gw_error_cause_name(enum gw_error_cause cause); /* "client", "backend", "gateway"; NONE: "none" */

/* A mistake that a person must correct. The configuration's loader and the start-up fill it. */
struct gw_complaint {
    char place[256];    /* "gateway.json:12: limits.rate", "environment GATEWAY_PORT", "--workers" */
    char found[128];    /* the value as written; may be empty */
    char expected[384]; /* "a number from 1 to 65535" */
};

/* Text that does not fit is cut. `found` may be NULL. */
void gw_complain(struct gw_complaint *complaint, const char *place, const char *found, const char *expected, ...)
    GW_PRINTF(4, 5);
/* Writes `place: found "x", expected y` as one line. */
void gw_complaint_print(const struct gw_complaint *complaint, char *line, size_t capacity);

#endif
