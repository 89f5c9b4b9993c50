#include <stdlib.h>
#include <string.h>
#include "upstream/curl_transfer.h"

/* libcurl adds these fields by itself unless told not to; the backend must get exactly call->fields. */
static char no_accept[] = "Accept:", no_expect[] = "Expect:", expect_continue[] = "Expect: 100-continue",
            no_length[] = "Content-Length: 0";

enum {
    FIRST_LINES = 32,
    FIRST_TEXT_BYTES = 2048,
    OWN_LINES = 3,
    INTERIM_FIRST_BYTES = 1024,
    /* libcurl's receive buffer, one for each running transfer. A TLS record is 16 KiB; a larger buffer would only help
     * http://. */
    RECEIVE_BYTES = 32 * 1024,
};

static bool curl_transfer_set_fixed_options(CURL *easy, CURLSH *share)
{
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    /* Without this option libcurl waits for its resolver thread when a transfer ends early, which stalls the worker. */
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)RECEIVE_BYTES);
    curl_easy_setopt(easy, CURLOPT_HTTP_TRANSFER_DECODING, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L);
    /* Also over TLS, where ALPN then offers nothing else; transport.h gives the reason. */
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    return gw_curl_tls_setup(easy, share) && curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK; /* also no proxy from the environment */
}

bool gw_curl_transfer_init(struct gw_curl_transfer *transfer, struct gw_curl_transport *transport)
{
    memset(transfer, 0, sizeof(*transfer));
    transfer->magic = GW_MAGIC(GW_CURL_TRANSFER_MAGIC);
    transfer->transport = transport;
    transfer->line_capacity = FIRST_LINES;
    transfer->text_capacity = FIRST_TEXT_BYTES;
    transfer->lines = malloc(FIRST_LINES * sizeof(*transfer->lines));
    transfer->text = malloc(FIRST_TEXT_BYTES);
    transfer->easy = curl_easy_init();
    gw_list_init(&transfer->due);
    gw_list_init(&transfer->told);
    gw_arena_init(&transfer->interim_arena, INTERIM_FIRST_BYTES, 0);
    if (!transfer->lines || !transfer->text || !transfer->easy ||
        !curl_transfer_set_fixed_options(transfer->easy, transport->share))
        return false;
    gw_curl_loop_adopt(&transport->loop, transfer->easy);
    curl_easy_setopt(transfer->easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(transfer->easy, CURLOPT_ERRORBUFFER, transfer->complaint);
    return true;
}

void gw_curl_transfer_free(void *object)
{
    struct gw_curl_transfer *transfer = gw_curl_transfer_from(object);
    curl_easy_cleanup(transfer->easy);
    gw_chain_free(&transfer->chain);
    gw_curl_tls_unref(transfer->goodbye);
    gw_arena_free(&transfer->interim_arena);
    free(transfer->lines);
    free(transfer->text);
    transfer->magic = GW_NO_MAGIC;
    free(transfer->ca_file);
}

void gw_curl_transfer_reset(struct gw_curl_transfer *transfer)
{
    gw_chain_free(&transfer->chain);
    gw_curl_tls_unref(transfer->goodbye);
    gw_arena_reset(&transfer->interim_arena);
    struct gw_arena arena = transfer->interim_arena;
    memset(&transfer->pool, 0, sizeof(*transfer) - offsetof(struct gw_curl_transfer, pool));
    transfer->interim_arena = arena;
    gw_list_init(&transfer->due);
    gw_list_init(&transfer->told);
}

void gw_curl_transfer_make_due(struct gw_curl_transfer *transfer)
{
    if (gw_list_is_empty(&transfer->due))
        gw_list_push_back(&transfer->transport->due, &transfer->due);
    gw_curl_loop_ask(&transfer->transport->loop);
}

static bool curl_transfer_has_bytes_of_body(const struct gw_call *call)
{
    return call->has_body && (call->is_chunked || call->content_length);
}

/* How long the backend may be silent now. The time for its answer begins with the end of the request. libcurl itself
 * bounds the wait for 100. */
static unsigned curl_transfer_patience_ms(const struct gw_curl_transfer *transfer)
{
    const struct gw_call *call = transfer->call;
    const struct gw_config *config = call->config;
    if (!transfer->head_done && (transfer->upload_done || !curl_transfer_has_bytes_of_body(call)))
        return config->response_timeout_ms;
    if (!transfer->head_done && call->expects_continue && !transfer->is_body_due)
        return config->continue_timeout_ms + config->read_timeout_ms;
    return config->read_timeout_ms;
}

void gw_curl_transfer_watch_time(struct gw_curl_transfer *transfer)
{
    unsigned after_ms = curl_transfer_patience_ms(transfer);
    bool waits_for_owner = transfer->wants_body && !transfer->chain.length && !transfer->body_ended &&
                           !gw_curl_transfer_upload_is_over(transfer);
    if (!transfer->is_connected || transfer->is_paused || waits_for_owner || !after_ms)
        gw_timer_stop(&transfer->timer);
    else
        gw_timer_start(transfer->transport->setup.timers, &transfer->timer, after_ms);
}

/* libcurl itself stops sending after a status of 300 or higher. After 2xx libcurl ends the transfer only when the
 * request has ended, too. So the body goes on if the answer's end could not be known otherwise. */
bool gw_curl_transfer_upload_is_over(const struct gw_curl_transfer *transfer)
{
    return transfer->head_done && (transfer->head->status >= 300 || transfer->head->framing == GW_FRAMING_LENGTH);
}

bool gw_curl_transfer_is_whole(const struct gw_curl_transfer *transfer)
{
    if (!transfer->head_done)
        return false;
    switch (transfer->head->framing) {
    case GW_FRAMING_LENGTH:
        return transfer->body_bytes == transfer->head->content_length;
    case GW_FRAMING_UNTIL_CLOSE:
        return !transfer->call->backend->is_tls || gw_curl_tls_was_said(transfer->goodbye);
    default: /* libcurl has seen the end */
        return true;
    }
}

/* ---- the request's text ---- */

static bool curl_transfer_reserve_text(struct gw_curl_transfer *transfer, size_t bytes)
{
    if (bytes <= transfer->text_capacity)
        return true;
    char *text = realloc(transfer->text, bytes + bytes / 2);
    if (!text)
        return false;
    transfer->text = text;
    transfer->text_capacity = bytes + bytes / 2;
    return true;
}

static bool curl_transfer_reserve_line(struct gw_curl_transfer *transfer, unsigned count)
{
    if (count <= transfer->line_capacity)
        return true;
    unsigned capacity = transfer->line_capacity * 2;
    struct curl_slist *lines = realloc(transfer->lines, capacity * sizeof(*lines));
    if (!lines)
        return false;
    transfer->lines = lines;
    transfer->line_capacity = capacity;
    return true;
}

static char *curl_transfer_put_text(char **at, struct gw_slice text)
{
    char *start = *at;
    if (text.length)
        memcpy(start, text.at, text.length);
    start[text.length] = '\0';
    *at += text.length + 1;
    return start;
}

/* For libcurl "Name:" removes a field, and "Name;" sends it without a value. */
static void curl_transfer_mark_empty(char *line)
{
    char *colon = strchr(line, ':');
    if (colon && colon[1 + strspn(colon + 1, " \t")] == '\0') {
        colon[0] = ';';
        colon[1] = '\0';
    }
}

static bool curl_transfer_is_accept(const char *line)
{
    return gw_slice_equal_nocase(gw_slice_of(line, strnlen(line, 7)), GW_SLICE("accept:"));
}

/* Turns "Name: value\r\n"… into libcurl's list: each line in *at ends with a NUL, and the list's items lie in one
 * array. */
static bool curl_transfer_put_lines(struct gw_curl_transfer *transfer, const struct gw_call *call, char **at)
{
    unsigned count = 0;
    bool has_accept = false;
    struct gw_slice rest = call->fields;
    while (rest.length) {
        const char *end = memmem(rest.at, rest.length, "\r\n", 2);
        size_t length = end ? (size_t)(end - rest.at) : rest.length;
        size_t step = end ? length + 2 : length;
        if (length) {
            if (!curl_transfer_reserve_line(transfer, count + OWN_LINES + 1))
                return false;
            char *line = curl_transfer_put_text(at, gw_slice_of(rest.at, length));
            has_accept = has_accept || curl_transfer_is_accept(line);
            curl_transfer_mark_empty(line);
            transfer->lines[count++].data = line;
        }
        rest = gw_slice_of(rest.at + step, rest.length - step);
    }
    if (!has_accept)
        transfer->lines[count++].data = no_accept;
    transfer->lines[count++].data = curl_transfer_has_bytes_of_body(call) && call->expects_continue ? expect_continue
                                                                                                    : no_expect;
    /* RFC 9110 §8.6: Content-Length is sent also without a body if the method expects one. */
    bool expects_body = call->method == GW_METHOD_POST || call->method == GW_METHOD_PUT ||
                        call->method == GW_METHOD_PATCH;
    if (!call->has_body && expects_body)
        transfer->lines[count++].data = no_length;
    for (unsigned i = 0; i < count; i++)
        transfer->lines[i].next = i + 1 < count ? &transfer->lines[i + 1] : NULL;
    return true;
}

/* Sets back the options that the last call may have set, because an easy handle remembers them. The order matters: for
 * libcurl an upload implies a body in the answer, and setting NOBODY back to 0 implies GET. */
static bool curl_transfer_set_method(CURL *easy, const struct gw_call *call, const char *method)
{
    bool is_head = call->method == GW_METHOD_HEAD;
    bool is_plain = !call->has_body && (is_head || call->method == GW_METHOD_GET);
    curl_off_t length = call->is_chunked ? -1 : (curl_off_t)call->content_length;
    curl_easy_setopt(easy, CURLOPT_NOBODY, 0L);
    curl_easy_setopt(easy, CURLOPT_UPLOAD, call->has_body ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, call->has_body ? length : (curl_off_t)-1);
    if (is_head)
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    return curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, is_plain ? NULL : method) == CURLE_OK;
}

/* ---- where to ---- */

static bool curl_transfer_set_url(struct gw_curl_transfer *transfer, const struct gw_backend *backend)
{
    char url[GW_CURL_URL_BYTES];
    struct gw_buffer buffer = gw_buffer_over(url, sizeof(url));
    bool is_literal6 = memchr(backend->host.at, ':', backend->host.length);
    gw_buffer_put_string(&buffer, backend->is_tls ? "https://" : "http://");
    gw_buffer_put_string(&buffer, is_literal6 ? "[" : "");
    gw_buffer_put_slice(&buffer, backend->host);
    gw_buffer_put_string(&buffer, is_literal6 ? "]:" : ":");
    gw_buffer_put_uint(&buffer, backend->port);
    gw_buffer_put(&buffer, "/", sizeof("/")); /* with its NUL */
    if (buffer.overflowed)
        return false;
    if (strcmp(url, transfer->url) == 0)
        return true;
    memcpy(transfer->url, url, buffer.length);
    return curl_easy_setopt(transfer->easy, CURLOPT_URL, url) == CURLE_OK;
}

/* If a file of authorities is configured, only these are trusted. Debian's libcurl would otherwise add its directory of
 * authorities. */
static bool curl_transfer_set_authorities(struct gw_curl_transfer *transfer, struct gw_slice file)
{
    if (!file.length && !transfer->ca_file)
        return true;
    if (file.length && transfer->ca_file && gw_slice_equal(file, gw_slice_of_string(transfer->ca_file)))
        return true;
    /* Set once and never set back, because the default values are not known here. */
    if (transfer->ca_file || !(transfer->ca_file = strndup(file.at, file.length)))
        return false;
    return curl_easy_setopt(transfer->easy, CURLOPT_CAINFO, transfer->ca_file) == CURLE_OK &&
           curl_easy_setopt(transfer->easy, CURLOPT_CAPATH, NULL) == CURLE_OK;
}

static bool curl_transfer_set_backend(struct gw_curl_transfer *transfer, const struct gw_backend *backend,
                                      const struct gw_config *config)
{
    CURL *easy = transfer->easy;
    long max_age_s = config->keepalive_timeout_ms / 1000;
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, config->tls_verify ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, config->tls_verify ? 2L : 0L);
    curl_easy_setopt(easy, CURLOPT_EXPECT_100_TIMEOUT_MS, (long)config->continue_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)config->connect_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, max_age_s > 0 ? max_age_s : 1L);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, config->keepalive_connections ? 0L : 1L);
    curl_easy_setopt(easy, CURLOPT_VERBOSE, 0L);
    transfer->interim_arena.bound = 4 * config->max_response_header_bytes; /* for the fields and their array */
    return curl_transfer_set_url(transfer, backend) && curl_transfer_set_authorities(transfer, config->tls_ca_file);
}

bool gw_curl_transfer_fill(struct gw_curl_transfer *transfer, struct gw_call *call)
{
    /* The NUL of each line takes the place of its CRLF; the last line may lack one. */
    if (!curl_transfer_reserve_text(transfer, call->fields.length + call->method_text.length + call->target.length + 4))
        return false;
    char *at = transfer->text;
    char *method = curl_transfer_put_text(&at, call->method_text);
    char *target = curl_transfer_put_text(&at, call->target);
    if (!curl_transfer_put_lines(transfer, call, &at))
        return false;
    /* A dead kept connection shows only when it is written to. A request that must not be sent twice goes over a new
     * connection if it would be sent whole at once. A request with a body is handed out piece by piece, and libcurl
     * cannot rewind it. */
    bool is_whole = !call->has_body || (!call->is_chunked && call->content_length == 0);
    bool is_fresh = call->fresh || (is_whole && !gw_method_is_idempotent(call->method));
    curl_easy_setopt(transfer->easy, CURLOPT_FRESH_CONNECT, is_fresh ? 1L : 0L);
    return curl_transfer_set_backend(transfer, call->backend, call->config) &&
           curl_transfer_set_method(transfer->easy, call, method) &&
           curl_easy_setopt(transfer->easy, CURLOPT_REQUEST_TARGET, target) == CURLE_OK &&
           curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, transfer->lines) == CURLE_OK;
}
