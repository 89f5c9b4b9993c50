#include "http/guard.h"

#include "http/grammar.h"
#include "http/parser.h"

enum { MOST_REASON_BYTES = 256 }; /* the client gets no more of a reason phrase */

enum gw_error gw_guard_blame(enum gw_error error, bool is_response)
{
    if (!is_response)
        return error;
    switch (error) {
    case GW_ERROR_NONE:
    case GW_ERROR_OVERLOADED:
        return error;
    case GW_ERROR_URI_TOO_LONG:
    case GW_ERROR_HEAD_TOO_LARGE:
        return GW_ERROR_UPSTREAM_HEAD_TOO_LARGE;
    default:
        return GW_ERROR_UPSTREAM_MALFORMED;
    }
}

/* The first field of this name. *several: there is more than one. Dropped fields do not count. */
static struct gw_field *guard_only(const struct gw_head *head, enum gw_field_name id, bool *several)
{
    struct gw_field *field = gw_head_find(head, id);
    *several = field && gw_head_find_next(head, field);
    return field;
}

/* transfer-coding = token *( OWS ";" OWS transfer-parameter ) (RFC 9110 §10.1.4). Parameters are not checked, since
 * every coding that has some is refused anyway. */
static bool guard_is_coding(struct gw_slice element, bool *is_chunked)
{
    const char *semicolon = memchr(element.at, ';', element.length);
    struct gw_slice name = element;
    if (semicolon)
        name = gw_slice_trim(gw_slice_of(element.at, (size_t)(semicolon - element.at)));
    *is_chunked = gw_slice_equal_nocase(name, GW_SLICE("chunked"));
    return gw_grammar_is_token(name) && !(*is_chunked && semicolon);
}

/* Tells why a Transfer-Encoding that is not the one word "chunked" is refused. If other codings come before one final
 * chunked, the framing is clear and only the coding is unknown. Everything else can smuggle a request (RFC 9112 §6.1,
 * §6.3). */
static enum gw_error guard_judge_codings(const struct gw_head *head)
{
    unsigned codings = 0, chunked = 0;
    bool last_is_chunked = false;
    const struct gw_field *field = gw_head_find(head, GW_FIELD_TRANSFER_ENCODING);
    for (; field; field = gw_head_find_next(head, field)) {
        struct gw_slice rest = field->value, element;
        while (gw_slice_next_element(&rest, &element)) {
            if (!guard_is_coding(element, &last_is_chunked))
                return GW_ERROR_FRAMING;
            codings++;
            chunked += last_is_chunked;
        }
    }
    return codings > 1 && chunked == 1 && last_is_chunked ? GW_ERROR_CODING : GW_ERROR_FRAMING;
}

/* The next element of a list; empty elements are not skipped. *rest is absent after the last element. */
static struct gw_slice guard_next_length(struct gw_slice *rest)
{
    const char *comma = memchr(rest->at, ',', rest->length);
    size_t length = comma ? (size_t)(comma - rest->at) : rest->length;
    struct gw_slice element = gw_slice_of(rest->at, length);
    *rest = comma ? gw_slice_of(comma + 1, rest->length - length - 1) : GW_NO_SLICE;
    return gw_slice_trim(element);
}

/* A backend may give the same length several times, in one field or in several (RFC 9110 §8.6). The first one is kept.
 * False: the lengths differ, or one is no number. */
static bool guard_merge_lengths(struct gw_head *head, struct gw_field *first)
{
    struct gw_slice rest = first->value, kept = guard_next_length(&rest);
    if (!gw_slice_to_uint64(kept, &head->content_length))
        return false;
    for (struct gw_field *field = first; field; field = gw_head_find_next(head, field)) {
        rest = field->value;
        while (rest.at) {
            uint64_t length;
            if (!gw_slice_to_uint64(guard_next_length(&rest), &length) || length != head->content_length)
                return false;
        }
    }
    gw_head_drop(head, GW_FIELD_CONTENT_LENGTH);
    first->dropped = false;
    first->value = kept;
    head->is_forgiven = true;
    return true;
}

/* Chunked in HTTP/1.0 is ambiguous (RFC 9112 §6.1). From a client it is refused. From a backend it is read as chunked,
 * as nginx and haproxy do, but the connection is not kept. */
static enum gw_error guard_read_lengths(struct gw_head *head, bool is_response)
{
    bool several_codings, several_lengths;
    const struct gw_field *coding = guard_only(head, GW_FIELD_TRANSFER_ENCODING, &several_codings);
    struct gw_field *length = guard_only(head, GW_FIELD_CONTENT_LENGTH, &several_lengths);
    head->framing = GW_FRAMING_NONE;
    head->content_length = 0;
    if (coding) {
        if (length || (head->version_minor == 0 && !is_response))
            return GW_ERROR_FRAMING;
        if (several_codings || !gw_slice_equal_nocase(coding->value, GW_SLICE("chunked")))
            return guard_judge_codings(head);
        head->framing = GW_FRAMING_CHUNKED;
        head->is_forgiven = head->version_minor == 0;
    } else if (length) {
        bool is_plain = !several_lengths && gw_slice_to_uint64(length->value, &head->content_length);
        if (!is_plain && !(is_response && guard_merge_lengths(head, length)))
            return GW_ERROR_FRAMING;
        head->framing = GW_FRAMING_LENGTH;
        if (head->content_length > INT64_MAX)
            return GW_ERROR_FRAMING;
    }
    return GW_ERROR_NONE;
}

static void guard_read_connection(struct gw_head *head)
{
    bool close = false, keep = false, upgrade = false;
    const struct gw_field *field = gw_head_find(head, GW_FIELD_CONNECTION);
    for (; field; field = gw_head_find_next(head, field)) {
        struct gw_slice rest = field->value, option;
        while (gw_slice_next_element(&rest, &option)) {
            close |= gw_slice_equal_nocase(option, GW_SLICE("close"));
            keep |= gw_slice_equal_nocase(option, GW_SLICE("keep-alive"));
            upgrade |= gw_slice_equal_nocase(option, GW_SLICE("upgrade"));
        }
    }
    head->keep_alive = !close && (keep || head->version_minor > 0);
    /* RFC 9110 §7.8: Upgrade from a 1.0 client is ignored. */
    head->wants_upgrade = upgrade && head->version_minor > 0 && gw_head_find(head, GW_FIELD_UPGRADE);
}

/* RFC 9110 §10.1.1. The expectation of a request without a body needs no answer. */
static enum gw_error guard_read_expectation(struct gw_head *head)
{
    bool several;
    const struct gw_field *field = guard_only(head, GW_FIELD_EXPECT, &several);
    head->expects_continue = false;
    if (!field || head->version_minor == 0)
        return GW_ERROR_NONE;
    if (several || !gw_slice_equal_nocase(field->value, GW_SLICE("100-continue")))
        return GW_ERROR_EXPECTATION;
    head->expects_continue = head->framing == GW_FRAMING_CHUNKED || head->content_length > 0;
    return GW_ERROR_NONE;
}

static bool guard_skip_scheme(struct gw_slice *target, unsigned *default_port)
{
    struct gw_slice http = GW_SLICE("http://"), https = GW_SLICE("https://");
    size_t length = 0;
    if (target->length > https.length && gw_slice_equal_nocase(gw_slice_of(target->at, https.length), https)) {
        length = https.length;
        *default_port = 443;
    } else if (target->length > http.length && gw_slice_equal_nocase(gw_slice_of(target->at, http.length), http)) {
        length = http.length;
        *default_port = 80;
    }
    target->at += length;
    target->length -= length;
    return length > 0;
}

static bool guard_same_authority(struct gw_slice a, struct gw_slice b, unsigned default_port)
{
    struct gw_slice host_a, host_b;
    unsigned port_a, port_b;
    if (!gw_grammar_split_authority(a, &host_a, &port_a) || !gw_grammar_split_authority(b, &host_b, &port_b))
        return false;
    return gw_slice_equal_nocase(host_a, host_b) &&
           (port_a ? port_a : default_port) == (port_b ? port_b : default_port);
}

/* absolute-form (RFC 9112 §3.2.2): the authority is the target's, and Host must have the same one. */
static enum gw_error guard_read_absolute_form(struct gw_head *head, const struct gw_field *host)
{
    unsigned default_port = 0;
    struct gw_slice rest = head->target;
    if (!guard_skip_scheme(&rest, &default_port))
        return GW_ERROR_MALFORMED;
    size_t length = 0;
    while (length < rest.length && rest.at[length] != '/' && rest.at[length] != '?')
        length++;
    head->authority = gw_slice_of(rest.at, length);
    if (!gw_grammar_is_authority(head->authority))
        return GW_ERROR_MALFORMED;
    if (host && !guard_same_authority(head->authority, host->value, default_port))
        return GW_ERROR_HOST;

    rest = gw_slice_of(rest.at + length, rest.length - length);
    if (rest.length > 0 && rest.at[0] == '/')
        return gw_grammar_split_origin_form(rest, &head->path, &head->query) ? GW_ERROR_NONE : GW_ERROR_MALFORMED;
    head->query = rest.length ? gw_slice_of(rest.at + 1, rest.length - 1) : GW_NO_SLICE;
    /* RFC 9112 §3.2.4: OPTIONS with neither path nor query asks about the server as a whole. */
    head->path = head->method == GW_METHOD_OPTIONS && !head->query.at ? GW_SLICE("*") : GW_SLICE("/");
    return gw_grammar_is_query(head->query) ? GW_ERROR_NONE : GW_ERROR_MALFORMED;
}

/* RFC 9112 §3.2. Only CONNECT, which is not served, has the authority-form. */
static enum gw_error guard_read_target(struct gw_head *head, const struct gw_field *host)
{
    head->authority = host ? host->value : GW_NO_SLICE;
    head->query = GW_NO_SLICE;
    if (head->target.length > 0 && head->target.at[0] == '/')
        return gw_grammar_split_origin_form(head->target, &head->path, &head->query) ? GW_ERROR_NONE
                                                                                     : GW_ERROR_MALFORMED;
    if (gw_slice_equal(head->target, GW_SLICE("*"))) {
        head->path = head->target;
        return head->method == GW_METHOD_OPTIONS ? GW_ERROR_NONE : GW_ERROR_MALFORMED;
    }
    return guard_read_absolute_form(head, host);
}

static enum gw_error guard_request(struct gw_head *head)
{
    bool several;
    const struct gw_field *host = guard_only(head, GW_FIELD_HOST, &several);
    if (head->method == GW_METHOD_CONNECT)
        return GW_ERROR_METHOD;
    /* RFC 9112 §3.2: one Host with an authority; in HTTP/1.0 it may be missing or empty. */
    bool has_authority = host && host->value.length > 0;
    if (several || (head->version_minor > 0 && !has_authority) ||
        (has_authority && !gw_grammar_is_authority(host->value)))
        return GW_ERROR_HOST;
    enum gw_error error = guard_read_target(head, has_authority ? host : NULL);
    if (!error && host && !head->authority.at)
        head->authority = host->value;
    if (!error)
        error = guard_read_lengths(head, false);
    if (!error)
        error = guard_read_expectation(head);
    return error;
}

/* RFC 9110 §8.6 and RFC 9112 §6.1 forbid a length and a coding in a 1xx or 204, but several frameworks send them. In
 * any case the answer ends with its head (RFC 9112 §6.3, 1). A 204 with the length 0 is common and harmless. */
static enum gw_error guard_end_with_head(struct gw_head *head)
{
    bool is_harmless = head->status == 204 && head->framing == GW_FRAMING_LENGTH && head->content_length == 0;
    if (head->framing != GW_FRAMING_NONE && !is_harmless) {
        if (head->status == 101)
            return GW_ERROR_FRAMING;
        gw_head_drop(head, GW_FIELD_CONTENT_LENGTH);
        gw_head_drop(head, GW_FIELD_TRANSFER_ENCODING);
        head->is_forgiven = true;
    }
    head->framing = GW_FRAMING_NONE;
    head->content_length = 0;
    return GW_ERROR_NONE;
}

/* The length in an answer to HEAD is about the answer to GET. Phoenix and others send both a length and chunked there.
 * The end of the answer is clear all the same; but neither field goes to the client. */
static void guard_forgive_lengths(struct gw_head *head)
{
    if (!gw_head_find(head, GW_FIELD_CONTENT_LENGTH) || !gw_head_find(head, GW_FIELD_TRANSFER_ENCODING))
        return;
    gw_head_drop(head, GW_FIELD_CONTENT_LENGTH);
    gw_head_drop(head, GW_FIELD_TRANSFER_ENCODING);
    head->is_forgiven = true;
}

/* RFC 9112 §6.3, 1-2 and 8. A status above 599 is in no class, but it has three digits and is accepted (RFC 9110
 * §15). */
static enum gw_error guard_response(struct gw_head *head, enum gw_method request_method)
{
    if (head->reason.length > MOST_REASON_BYTES)
        head->reason.length = MOST_REASON_BYTES;
    head->is_forgiven = false;
    if (request_method == GW_METHOD_HEAD && head->status >= 200)
        guard_forgive_lengths(head);
    enum gw_error error = guard_read_lengths(head, true);
    if (error)
        return error;
    bool has_length = head->framing == GW_FRAMING_LENGTH;
    head->is_forgiven |= head->status > 599;
    if (head->status < 200 || head->status == 204) {
        return guard_end_with_head(head);
    } else if (request_method == GW_METHOD_HEAD || head->status == 304) {
        head->framing = GW_FRAMING_NONE;
        head->content_length = has_length ? head->content_length : UINT64_MAX;
    } else if (head->framing == GW_FRAMING_NONE) {
        head->framing = GW_FRAMING_UNTIL_CLOSE;
    }
    return GW_ERROR_NONE;
}

enum gw_error gw_guard_meaning(struct gw_head *head, bool is_response, enum gw_method request_method)
{
    guard_read_connection(head);
    enum gw_error error = is_response ? guard_response(head, request_method) : guard_request(head);
    if (head->framing == GW_FRAMING_UNTIL_CLOSE || head->is_forgiven)
        head->keep_alive = false;
    return gw_guard_blame(error, is_response);
}

static bool guard_is_start_line(const struct gw_head *head, bool is_response)
{
    if (is_response)
        return head->status >= 100 && head->status <= 999 && gw_grammar_is_field_value(head->reason);
    return gw_grammar_is_token(head->method_text);
}

enum gw_error gw_guard_head(struct gw_head *head, bool is_response, enum gw_method request_method)
{
    if (!guard_is_start_line(head, is_response) || head->version_minor > 1)
        return gw_guard_blame(GW_ERROR_MALFORMED, is_response);
    for (unsigned i = 0; i < head->count; i++)
        if (!gw_grammar_is_token(head->fields[i].name) || !gw_grammar_is_field_value(head->fields[i].value))
            return gw_guard_blame(GW_ERROR_MALFORMED, is_response);
    return gw_guard_meaning(head, is_response, request_method);
}
