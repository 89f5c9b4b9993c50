#include <string.h>
#include "base/clock.h"
#include "base/counter.h"
#include "upstream/curl_callbacks.h"

static void curl_callbacks_note_told(struct gw_curl_transfer *transfer)
{
    if (gw_list_is_empty(&transfer->told))
        gw_list_push_back(&transfer->transport->told, &transfer->told);
}

/* ---- the request ---- */

static void curl_callbacks_ask_body(struct gw_curl_transfer *transfer)
{
    if (transfer->wants_body || transfer->body_ended)
        return;
    transfer->wants_body = true;
    gw_curl_transfer_watch_time(transfer);
    transfer->call->events->on_want_body(transfer->call);
}

/* RFC 9112 §9.2: bytes that came over a kept connection before the request would be taken for its answer. libcurl
 * checks this only from 8.0 on. Over TLS the bytes in the socket cannot be told apart without reading them, so a late
 * session ticket costs a connection. */
static bool curl_callbacks_is_quiet(struct gw_curl_transfer *transfer, int local_port)
{
    return gw_curl_loop_is_quiet(&transfer->transport->loop, local_port) &&
           (!transfer->call->backend->is_tls || gw_curl_tls_is_drained(transfer->easy));
}

/* Nothing of the request was sent. A transfer that is stopped this way makes libcurl close the connection. */
static int curl_callbacks_refuse_kept(struct gw_curl_transfer *transfer)
{
    transfer->call->was_reused = true;
    transfer->error = GW_ERROR_RESET;
    return CURL_PREREQFUNC_ABORT;
}

/* CURLOPT_PREREQFUNCTION: the connection is open and the request is about to be sent. */
static int curl_callbacks_on_request(void *context, char *peer, char *local, int peer_port, int local_port)
{
    (void)peer;
    (void)local;
    (void)peer_port;
    struct gw_curl_transfer *transfer = gw_curl_transfer_from(context);
    struct gw_call *call = transfer->call;
    if (!call)
        return CURL_PREREQFUNC_ABORT;
    if (transfer->is_connected) {
        transfer->error = GW_ERROR_RESET;
        return CURL_PREREQFUNC_ABORT;
    }
    long made = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_NUM_CONNECTS, &made);
    if (!made && !curl_callbacks_is_quiet(transfer, local_port))
        return curl_callbacks_refuse_kept(transfer);
    struct gw_shard *shard = transfer->transport->setup.shard;
    gw_counter_add(made ? &shard->upstream_connects : &shard->upstream_reuses, 1);
    transfer->is_connected = true;
    transfer->transport->connected++;
    call->was_reused = made == 0;
    call->was_sent = true;
    gw_curl_transfer_watch_time(transfer);
    if (call->has_body && !call->is_chunked && !call->content_length) {
        transfer->upload_done = true;
        curl_callbacks_ask_body(
            transfer); /* an empty body: libcurl does not ask for it, but the owner is asked once for each body */
    }
    return transfer->call ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

static size_t curl_callbacks_take_piece(struct gw_curl_transfer *transfer, char *to, size_t room)
{
    struct gw_slice piece = gw_chain_at(&transfer->chain, 0)->bytes;
    size_t length = piece.length < room ? piece.length : room;
    memcpy(to, piece.at, length);
    gw_chain_consume(&transfer->chain, length);
    transfer->handed_bytes += length;
    transfer->upload_done = !transfer->call->is_chunked && transfer->handed_bytes == transfer->call->content_length;
    gw_curl_transfer_watch_time(transfer);
    return length;
}

static size_t curl_callbacks_stop_sending(struct gw_curl_transfer *transfer)
{
    transfer->send_stopped = true;
    return CURL_READFUNC_PAUSE;
}

/* CURLOPT_READFUNCTION. There is no SEEKFUNCTION beside it: libcurl cannot send a body again. */
static size_t curl_callbacks_on_read(char *to, size_t size, size_t count, void *context)
{
    struct gw_curl_transfer *transfer = gw_curl_transfer_from(context);
    if (!transfer->call || transfer->error)
        return CURL_READFUNC_ABORT;
    transfer->is_body_due = true;
    if (gw_curl_transfer_upload_is_over(transfer))
        return curl_callbacks_stop_sending(transfer);
    if (!transfer->chain.length)
        curl_callbacks_ask_body(transfer);
    if (!transfer->call || transfer->error)
        return CURL_READFUNC_ABORT;
    if (transfer->chain.length)
        return curl_callbacks_take_piece(transfer, to, size * count);
    if (!transfer->body_ended)
        return curl_callbacks_stop_sending(transfer);
    transfer->upload_done = true;
    gw_curl_transfer_watch_time(transfer);
    return 0;
}

/* ---- the answer ---- */

/* The answer is complete before the request, and libcurl would go on waiting for the request. Only an answer of known
 * length is known to be complete here. */
static bool curl_callbacks_stops_early(struct gw_curl_transfer *transfer)
{
    enum gw_framing framing = transfer->head->framing;
    if (!transfer->call->has_body || transfer->upload_done)
        return false;
    if ((framing != GW_FRAMING_NONE && framing != GW_FRAMING_LENGTH) || !gw_curl_transfer_is_whole(transfer))
        return false;
    transfer->is_complete = true;
    return true;
}

/* Before 8.7 libcurl throws away bytes that were read after the answer's end, and keeps the connection, though more of
 * them could follow and be taken for the next answer. libcurl mentions such bytes in its debug messages. So these are
 * switched on from the head on, where the length does not bound what is read. */
static void curl_callbacks_listen_for_excess(struct gw_curl_transfer *transfer)
{
    const struct gw_head *head = transfer->head;
    if (head->framing == GW_FRAMING_NONE || head->framing == GW_FRAMING_CHUNKED || !head->content_length)
        curl_easy_setopt(transfer->easy, CURLOPT_VERBOSE, 1L);
}

/* CURLOPT_DEBUGFUNCTION */
static int curl_callbacks_on_word(CURL *easy, curl_infotype type, char *bytes, size_t length, void *context)
{
    (void)context;
    struct gw_slice text = gw_slice_of(bytes, length);
    if (type == CURLINFO_TEXT && (gw_slice_starts_with(text, GW_SLICE("Excess found")) ||
                                  gw_slice_starts_with(text, GW_SLICE("Leftovers after chunking"))))
        curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    return 0;
}

/* After an answer in HTTP/1.0, libcurl writes 1.0 in the next request on that connection or handle, and refuses to send
 * a chunked body. */
static void curl_callbacks_keep_unless(struct gw_curl_transfer *transfer, bool is_forgiven)
{
    if (is_forgiven || transfer->is_old || transfer->call->binds_connection)
        curl_easy_setopt(transfer->easy, CURLOPT_FORBID_REUSE, 1L);
}

static bool curl_callbacks_tell_head(struct gw_curl_transfer *transfer)
{
    struct gw_call *call = transfer->call;
    call->head_at_us = gw_clock_monotonic_us();
    gw_curl_transfer_watch_time(transfer);
    curl_callbacks_listen_for_excess(transfer);
    /* If the backend answered 200 instead of 100, libcurl ends the transfer without sending the body, and keeps the
     * connection. The backend would take the next request for the body. */
    curl_callbacks_keep_unless(transfer, transfer->head->is_forgiven || (call->has_body && !transfer->upload_done));
    if (call->backend->is_tls && transfer->head->framing == GW_FRAMING_UNTIL_CLOSE)
        transfer->goodbye = gw_curl_tls_note(transfer->easy); /* without a note the body counts as cut */
    call->events->on_head(call, transfer->head);
    if (!transfer->call || curl_callbacks_stops_early(transfer))
        return false;
    /* After an error status libcurl sends no more of the body, but it would keep waiting for a paused body. */
    if (transfer->send_stopped)
        gw_curl_transfer_make_due(transfer);
    return true;
}

static size_t curl_callbacks_on_header(char *bytes, size_t size, size_t count, void *context)
{
    struct gw_curl_transfer *transfer = gw_curl_transfer_from(context);
    struct gw_call *call = transfer->call;
    size_t length = size * count;
    if (!call || transfer->error)
        return 0;
    call->was_answered = true;
    switch (gw_curl_answer_line(transfer, gw_slice_of(bytes, length))) {
    case GW_CURL_ANSWER_FAILED:
        return 0;
    case GW_CURL_ANSWER_GOES_ON:
        return length;
    case GW_CURL_ANSWER_INTERIM:
        curl_callbacks_note_told(transfer);
        curl_callbacks_keep_unless(transfer, transfer->interim.is_forgiven);
        call->events->on_interim(call, &transfer->interim);
        return transfer->call ? length : 0;
    case GW_CURL_ANSWER_HEAD:
        curl_callbacks_note_told(transfer);
        return curl_callbacks_tell_head(transfer) ? length : 0;
    }
    return 0;
}

static size_t curl_callbacks_on_data(char *bytes, size_t size, size_t count, void *context)
{
    struct gw_curl_transfer *transfer = gw_curl_transfer_from(context);
    struct gw_call *call = transfer->call;
    size_t length = size * count;
    if (!call || transfer->error)
        return CURL_WRITEFUNC_ERROR;
    if (transfer->is_paused) {
        transfer->recv_stopped = true;
        return CURL_WRITEFUNC_PAUSE; /* libcurl keeps these bytes and gives them again later */
    }
    if (!transfer->head_done || transfer->head->framing == GW_FRAMING_NONE) {
        transfer->error = GW_ERROR_UPSTREAM_MALFORMED;
        return CURL_WRITEFUNC_ERROR;
    }
    transfer->body_bytes += length;
    curl_callbacks_note_told(transfer);
    gw_curl_transfer_watch_time(transfer);
    call->events->on_body(call, gw_slice_of(bytes, length), NULL);
    if (!transfer->call || curl_callbacks_stops_early(transfer))
        return CURL_WRITEFUNC_ERROR;
    return length;
}

void gw_curl_callbacks_install(struct gw_curl_transfer *transfer)
{
    CURL *easy = transfer->easy;
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, curl_callbacks_on_request);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, curl_callbacks_on_read);
    curl_easy_setopt(easy, CURLOPT_READDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, curl_callbacks_on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, curl_callbacks_on_data);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, curl_callbacks_on_word);
}
