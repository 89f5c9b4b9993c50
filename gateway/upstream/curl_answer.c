#include <string.h>
#include "http/parser.h"
#include "upstream/curl_transfer.h"

enum { MAX_INTERIMS = 32 };

static enum gw_curl_answer curl_answer_fail(struct gw_curl_transfer *transfer, enum gw_error error)
{
    transfer->error = error;
    return GW_CURL_ANSWER_FAILED;
}

static bool curl_answer_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* RFC 9112 §4: HTTP-version SP status-code SP [reason-phrase] */
static bool curl_answer_parse_status_line(struct gw_slice line, struct gw_head *head)
{
    if (!gw_slice_starts_with(line, GW_SLICE("HTTP/1.1 ")) && !gw_slice_starts_with(line, GW_SLICE("HTTP/1.0 ")))
        return false;
    head->version_minor = line.at[7] == '1';
    size_t at = 9;
    const char *digits = line.at + at;
    if (line.length < at + 3 || !curl_answer_is_digit(digits[0]) || !curl_answer_is_digit(digits[1]) ||
        !curl_answer_is_digit(digits[2]))
        return false;
    head->status = (digits[0] - '0') * 100 + (digits[1] - '0') * 10 + (digits[2] - '0');
    at += 3;
    if (at < line.length && line.at[at++] != ' ')
        return false;
    head->reason = gw_slice_of(line.at + at, line.length - at);
    return true; /* the guard checks the status' range and the reason phrase */
}

static struct gw_head *curl_answer_head_of(struct gw_curl_transfer *transfer)
{
    return transfer->is_interim ? &transfer->interim : transfer->head;
}

static struct gw_arena *curl_answer_arena_of(struct gw_curl_transfer *transfer)
{
    return transfer->is_interim ? &transfer->interim_arena : transfer->call->arena;
}

static enum gw_curl_answer curl_answer_start_head(struct gw_curl_transfer *transfer, struct gw_slice line)
{
    struct gw_head head;
    gw_head_init(&head);
    if (!curl_answer_parse_status_line(line, &head))
        return curl_answer_fail(transfer, GW_ERROR_UPSTREAM_MALFORMED);
    /* The gateway never asks for 101. An interim head is gone after its event. */
    if (head.status == 101)
        return curl_answer_fail(transfer, GW_ERROR_UPSTREAM_MALFORMED);
    transfer->is_interim = head.status < 200;
    if (transfer->is_interim && ++transfer->interims > MAX_INTERIMS)
        return curl_answer_fail(transfer, GW_ERROR_UPSTREAM_MALFORMED);
    transfer->is_old = transfer->is_old || head.version_minor == 0;
    transfer->in_head = true;
    gw_arena_reset(&transfer->interim_arena);
    if (!transfer->is_interim)
        transfer->head = gw_arena_take(transfer->call->arena, sizeof(head));
    head.reason = head.reason.length ? gw_arena_copy(curl_answer_arena_of(transfer), head.reason) : GW_SLICE("");
    if (!curl_answer_head_of(transfer) || !head.reason.at)
        return curl_answer_fail(transfer, GW_ERROR_UPSTREAM_HEAD_TOO_LARGE);
    *curl_answer_head_of(transfer) = head;
    return GW_CURL_ANSWER_GOES_ON;
}

static enum gw_curl_answer curl_answer_add_field(struct gw_curl_transfer *transfer, struct gw_slice line)
{
    struct gw_arena *arena = curl_answer_arena_of(transfer);
    const char *colon = memchr(line.at, ':', line.length);
    if (!colon) /* also a folded line (obs-fold) without a colon; with a colon, its name is no token */
        return curl_answer_fail(transfer, GW_ERROR_UPSTREAM_MALFORMED);
    struct gw_slice copy = gw_arena_copy(arena, line);
    if (!copy.at)
        return curl_answer_fail(transfer, GW_ERROR_UPSTREAM_HEAD_TOO_LARGE);
    size_t name_length = (size_t)(colon - line.at);
    struct gw_slice name = gw_slice_of(copy.at, name_length);
    struct gw_slice value = gw_slice_trim(gw_slice_of(copy.at + name_length + 1, copy.length - name_length - 1));
    if (curl_answer_head_of(transfer)->count >= transfer->call->config->max_response_headers ||
        !gw_head_add(curl_answer_head_of(transfer), arena, name, value))
        return curl_answer_fail(transfer, GW_ERROR_UPSTREAM_HEAD_TOO_LARGE);
    return GW_CURL_ANSWER_GOES_ON;
}

static enum gw_curl_answer curl_answer_end_head(struct gw_curl_transfer *transfer)
{
    struct gw_head *head = curl_answer_head_of(transfer);
    if (gw_guard_head(head, true, transfer->call->method) != GW_ERROR_NONE)
        return curl_answer_fail(transfer, GW_ERROR_UPSTREAM_MALFORMED);
    transfer->in_head = false;
    if (transfer->is_interim) {
        transfer->head_bytes = 0;
        return GW_CURL_ANSWER_INTERIM;
    }
    /* On 417 libcurl would send the request once more without Expect, and throw this answer's body away. An answer
     * without a body can be reported before that, and the transfer is then stopped. For an answer with a body, the
     * error that 417 means is reported. */
    bool has_body = head->framing != GW_FRAMING_NONE && !(head->framing == GW_FRAMING_LENGTH && !head->content_length);
    if (head->status == 417 && transfer->call->expects_continue && has_body)
        return curl_answer_fail(transfer, GW_ERROR_EXPECTATION);
    transfer->head_done = true;
    return GW_CURL_ANSWER_HEAD;
}

enum gw_curl_answer gw_curl_answer_line(struct gw_curl_transfer *transfer, struct gw_slice line)
{
    transfer->head_bytes += line.length;
    if (transfer->head_bytes > transfer->call->config->max_response_header_bytes)
        return curl_answer_fail(transfer, GW_ERROR_UPSTREAM_HEAD_TOO_LARGE);
    if (transfer->head_done)
        return GW_CURL_ANSWER_GOES_ON;
    if (line.length < 2 || memcmp(line.at + line.length - 2, "\r\n", 2) != 0)
        return curl_answer_fail(transfer, GW_ERROR_UPSTREAM_MALFORMED);
    line.length -= 2;
    if (!transfer->in_head)
        return curl_answer_start_head(transfer, line);
    return line.length ? curl_answer_add_field(transfer, line) : curl_answer_end_head(transfer);
}
