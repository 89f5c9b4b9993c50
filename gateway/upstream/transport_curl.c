/* transport_curl.c: gw_transport_curl, over libcurl's multi interface.
 *
 * Orders   Our events may run within a callback of libcurl, and the owner may do anything in them. So begin, send,
 *          resume and cancel only note in the transfer what they want, and put it on the list `due`; curl_loop.h passes
 *          the orders to libcurl in the same turn. A callback stops its transfer by returning an error; transfer->error
 *          keeps the true reason. A call that is gone (NULL) gets no event.
 * Once     libcurl repeats a request by itself when a kept connection turns out dead, and on 417. libcurl calls
 *          on_request before each sending; on_request allows the first sending and no other, because repeating is the
 *          owner's decision.
 * Idle     libcurl looks at its idle connections only when it needs one. Connections that are too old or were closed by
 *          the backend are closed then, before the next request, and not earlier. libcurl before 8.0 would use a
 *          connection over which bytes came unasked: on_request refuses it, and the owner gets the same report as for a
 *          dead connection (RESET, nothing sent). */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/counter.h"
#include "upstream/curl_callbacks.h"
#include "upstream/curl_loop.h"
#include "upstream/curl_transfer.h"
#include "upstream/transport.h"

enum { MAX_SPARE = 64 };               /* handles kept, each with libcurl's buffer */
enum { TRANSPORT_MAGIC = 0x43545250 }; /* CTRP */

static struct gw_curl_transport *transport_curl_transport_from(struct gw_transport *transport)
{
    struct gw_curl_transport *curl = GW_CONTAINER(transport, struct gw_curl_transport, base);
    GW_CHECK_MAGIC(curl, TRANSPORT_MAGIC);
    return curl;
}

/* NULL once the call is over; orders for it then have no effect. */
static struct gw_curl_transfer *transport_curl_transfer_of(const struct gw_call *call)
{
    return call->inner ? gw_curl_transfer_from(call->inner) : NULL;
}

/* ---- the end ---- */

/* The call gives up its connection and its place at once. libcurl's part of the transfer is taken back as soon as that
 * is allowed. */
static void transport_curl_leave_call(struct gw_curl_transfer *transfer)
{
    transfer->call->inner = NULL;
    transfer->call = NULL;
    transfer->pool->connections--;
    transfer->transport->active--;
    gw_timer_stop(&transfer->timer);
    gw_list_remove(&transfer->told);
}

/* Before 8.1.1, libcurl remembers where the last field of a handle's last answer lay, though that memory is freed. An
 * answer that begins with a folded line would make libcurl read and write there (curl's pull request 11103). */
static bool transport_curl_forgets_answers(void)
{
    return curl_version_info(CURLVERSION_NOW)->version_num >= 0x080101;
}

/* Must not run within a callback of libcurl. A handle that failed may remember more than is known here (a refused
 * Expect, a version), so only a good handle is used again. */
static void transport_curl_take_back(struct gw_curl_transfer *transfer, bool is_good)
{
    struct gw_curl_transport *transport = transfer->transport;
    if (transfer->is_added)
        curl_multi_remove_handle(transport->loop.multi, transfer->easy);
    if (transfer->is_connected)
        transport->connected--;
    gw_list_remove(&transfer->due);
    if (!is_good || !transport->may_reuse_handles) {
        gw_free_list_drop(&transport->spare, transfer);
        return;
    }
    gw_curl_transfer_reset(transfer);
    gw_free_list_give(&transport->spare, transfer);
}

static void transport_curl_finish(struct gw_curl_transfer *transfer, enum gw_error error)
{
    struct gw_call *call = transfer->call;
    bool is_good = error == GW_ERROR_NONE && !transfer->is_complete && !transfer->is_old;
    if (call)
        transport_curl_leave_call(transfer);
    transport_curl_take_back(transfer, call && is_good);
    if (!call)
        return;
    if (error == GW_ERROR_NONE)
        call->events->on_end(call);
    else
        call->events->on_fail(call, error);
}

static enum gw_error transport_curl_error_by_phase(const struct gw_curl_transfer *transfer)
{
    if (!transfer->is_connected)
        return GW_ERROR_CONNECT_TIMEOUT;
    return transfer->head_done ? GW_ERROR_BODY_TIMEOUT : GW_ERROR_RESPONSE_TIMEOUT;
}

static enum gw_error transport_curl_error_of(CURLcode code, const struct gw_curl_transfer *transfer)
{
    switch ((int)code) {
    case CURLE_RECV_ERROR: /* also for a malformed chunk: only the message tells the difference */
        return strstr(transfer->complaint, "chunk") ? GW_ERROR_UPSTREAM_MALFORMED : GW_ERROR_RESET;
    case CURLE_COULDNT_RESOLVE_HOST:
        return GW_ERROR_RESOLVE;
    case CURLE_COULDNT_CONNECT:
    case CURLE_INTERFACE_FAILED:
        return gw_descriptors_are_out(transfer->transport->setup.descriptors) ? GW_ERROR_OVERLOADED : GW_ERROR_CONNECT;
    case CURLE_OPERATION_TIMEDOUT:
        return transport_curl_error_by_phase(transfer);
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
    case CURLE_SSL_ENGINE_INITFAILED:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
        return GW_ERROR_TLS;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9 */
    case CURLE_BAD_CONTENT_ENCODING:
        return GW_ERROR_UPSTREAM_MALFORMED;
    case CURLE_OUT_OF_MEMORY: /* 7.88 also gives this for a field of more than 100 KiB */
        return transfer->in_head ? GW_ERROR_UPSTREAM_HEAD_TOO_LARGE : GW_ERROR_OVERLOADED;
    case 100: /* CURLE_TOO_LARGE, since 8.6 */
        return GW_ERROR_UPSTREAM_HEAD_TOO_LARGE;
    default:
        return GW_ERROR_RESET;
    }
}

/* Called when libcurl has finished the transfer. */
static void transport_curl_settle(struct gw_curl_transfer *transfer, CURLcode code)
{
    enum gw_error error = transfer->error;
    if (transfer->call && !error && !transfer->is_complete) {
        if (code != CURLE_OK)
            error = transport_curl_error_of(code, transfer);
        else if (!gw_curl_transfer_is_whole(transfer))
            error = GW_ERROR_RESET;
    }
    transport_curl_finish(transfer, error);
}

static void transport_curl_on_due(struct gw_timer *timer)
{
    struct gw_curl_transfer *transfer = GW_CONTAINER(timer, struct gw_curl_transfer, timer);
    GW_CHECK_MAGIC(transfer, GW_CURL_TRANSFER_MAGIC);
    transport_curl_finish(transfer, transport_curl_error_by_phase(transfer));
}

/* ---- the loop's two steps ---- */

static void transport_curl_unpause(struct gw_curl_transfer *transfer)
{
    bool may_send = transfer->chain.length || transfer->body_ended || transfer->head_done;
    int stays = 0;
    if (transfer->recv_stopped && transfer->is_paused)
        stays |= CURLPAUSE_RECV;
    else
        transfer->recv_stopped = false;
    if (transfer->send_stopped && !may_send)
        stays |= CURLPAUSE_SEND;
    else
        transfer->send_stopped = false;
    CURLcode code = curl_easy_pause(transfer->easy, stays); /* may run on_data */
    if (code != CURLE_OK)
        transport_curl_settle(transfer, code);
}

static void transport_curl_carry_out(struct gw_curl_transfer *transfer)
{
    if (!transfer->call) {
        transport_curl_take_back(transfer, false);
    } else if (transfer->error) {
        transport_curl_finish(transfer, transfer->error);
    } else if (!transfer->is_added) {
        if (curl_multi_add_handle(transfer->transport->loop.multi, transfer->easy) == CURLM_OK)
            transfer->is_added = true;
        else
            transport_curl_finish(transfer, GW_ERROR_OVERLOADED);
    } else if (transfer->recv_stopped || transfer->send_stopped) {
        transport_curl_unpause(transfer);
    }
}

static void transport_curl_move_list(struct gw_list *from, struct gw_list *to)
{
    gw_list_init(to);
    if (gw_list_is_empty(from))
        return;
    *to = *from;
    to->next->previous = to->previous->next = to;
    gw_list_init(from);
}

/* libcurl closes idle connections beyond the allowed number when it takes another one back. At that moment the call of
 * that connection still counts. */
static void transport_curl_bound_connections(struct gw_curl_transport *transport)
{
    bool may_keep = gw_descriptors_may_keep(transport->setup.descriptors);
    long allowed = (long)transport->active + (may_keep ? (long)transport->kept : 0) - 1;
    curl_multi_setopt(transport->loop.multi, CURLMOPT_MAXCONNECTS, allowed > 0 ? allowed : 1L);
}

static void transport_curl_before_libcurl(struct gw_curl_loop *loop)
{
    struct gw_curl_transport *transport = GW_CONTAINER(loop, struct gw_curl_transport, loop);
    GW_CHECK_MAGIC(transport, TRANSPORT_MAGIC);
    struct gw_list now; /* transfers that events add meanwhile wait for the next turn */
    transport_curl_bound_connections(transport);
    transport_curl_move_list(&transport->due, &now);
    while (!gw_list_is_empty(&now)) {
        struct gw_curl_transfer *transfer = GW_CONTAINER(now.next, struct gw_curl_transfer, due);
        GW_CHECK_MAGIC(transfer, GW_CURL_TRANSFER_MAGIC);
        gw_list_remove(&transfer->due);
        transport_curl_carry_out(transfer);
    }
}

static void transport_curl_set_gauge(gw_counter *gauge, uint64_t *told, uint64_t value)
{
    if (value >= *told)
        gw_counter_add(gauge, value - *told);
    else
        gw_counter_subtract(gauge, *told - value);
    *told = value;
}

static void transport_curl_count_connections(struct gw_curl_transport *transport)
{
    uint64_t open = transport->loop.connection_count;
    uint64_t busy = transport->connected, idle = open > busy ? open - busy : 0;
    gw_descriptors_add_kept(transport->setup.descriptors, (int64_t)idle - (int64_t)transport->idle_told);
    transport_curl_set_gauge(&transport->setup.shard->upstream_connections_open, &transport->open_told, open);
    transport_curl_set_gauge(&transport->setup.shard->upstream_connections_idle, &transport->idle_told, idle);
}

static void transport_curl_after_libcurl(struct gw_curl_loop *loop)
{
    struct gw_curl_transport *transport = GW_CONTAINER(loop, struct gw_curl_transport, loop);
    GW_CHECK_MAGIC(transport, TRANSPORT_MAGIC);
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(loop->multi, &left))) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result; /* removing the handle frees the message */
        void *private = NULL;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
        transport_curl_settle(gw_curl_transfer_from(private), code);
    }
    while (!gw_list_is_empty(&transport->told)) {
        struct gw_curl_transfer *transfer = GW_CONTAINER(transport->told.next, struct gw_curl_transfer, told);
        GW_CHECK_MAGIC(transfer, GW_CURL_TRANSFER_MAGIC);
        gw_list_remove(&transfer->told);
        if (transfer->call->events->on_pause_in_reading)
            transfer->call->events->on_pause_in_reading(transfer->call);
    }
    transport_curl_bound_connections(transport);
    transport_curl_count_connections(transport);
    if (!gw_list_is_empty(&transport->due))
        gw_curl_loop_ask(loop);
}

/* ---- the table ---- */

static struct gw_curl_transfer *transport_curl_take_transfer(struct gw_curl_transport *transport,
                                                             struct gw_slice ca_file)
{
    bool is_new;
    struct gw_curl_transfer *transfer;
    /* A used handle cannot forget its file of authorities: spare handles of another configuration are freed. */
    while ((transfer = gw_free_list_take(&transport->spare, &is_new)) && !is_new &&
           !gw_slice_equal(gw_slice_of_string(transfer->ca_file), ca_file))
        gw_free_list_drop(&transport->spare, transfer);
    if (!transfer || !is_new)
        return transfer;
    if (!gw_curl_transfer_init(transfer, transport)) {
        gw_free_list_drop(&transport->spare, transfer);
        return NULL;
    }
    gw_curl_callbacks_install(transfer);
    return transfer;
}

static void transport_curl_enter_call(struct gw_curl_transfer *transfer, struct gw_call *call, struct gw_pool *pool)
{
    struct gw_curl_transport *transport = transfer->transport;
    transfer->pool = pool;
    transfer->call = call;
    gw_timer_init(&transfer->timer, transport_curl_on_due);
    pool->connections++;
    transport->active++;
    unsigned backends = call->config->backend_count;
    transport->kept = call->config->keepalive_connections * (backends ? backends : 1);
    call->inner = transfer;
    call->was_reused = call->was_sent = call->was_answered = false;
    call->began_at_us = gw_clock_monotonic_us();
    call->head_at_us = 0;
}

static enum gw_error transport_curl_begin(struct gw_transport *base, struct gw_call *call)
{
    struct gw_curl_transport *transport = transport_curl_transport_from(base);
    struct gw_pool *pool = gw_pool_set_find(&transport->pools, call->backend);
    if (!pool)
        return GW_ERROR_OVERLOADED;
    if (pool->connections >= call->config->max_backend_connections)
        return GW_ERROR_UPSTREAM_BUSY;
    struct gw_curl_transfer *transfer = transport_curl_take_transfer(transport, call->config->tls_ca_file);
    if (!transfer)
        return GW_ERROR_OVERLOADED;
    if (!gw_curl_transfer_fill(transfer, call)) {
        gw_free_list_drop(&transport->spare, transfer);
        return GW_ERROR_OVERLOADED;
    }
    transport_curl_enter_call(transfer, call, pool);
    gw_curl_transfer_make_due(transfer);
    return GW_ERROR_NONE;
}

static void transport_curl_fail_soon(struct gw_curl_transfer *transfer, enum gw_error error)
{
    transfer->error = error;
    gw_curl_transfer_make_due(transfer);
}

static bool transport_curl_send_piece(struct gw_call *call, struct gw_slice bytes, struct gw_block *block)
{
    struct gw_curl_transfer *transfer = transport_curl_transfer_of(call);
    if (!transfer || transfer->error || gw_curl_transfer_upload_is_over(transfer))
        return false;
    uint64_t known = transfer->handed_bytes + transfer->chain.length;
    if (!call->is_chunked && bytes.length > call->content_length - known) {
        transport_curl_fail_soon(transfer, GW_ERROR_INTERNAL); /* more than the owner announced */
        return false;
    }
    if (bytes.length && !gw_chain_push(&transfer->chain, bytes, block)) {
        transport_curl_fail_soon(transfer, GW_ERROR_OVERLOADED);
        return false;
    }
    /* libcurl asks again when its socket has taken the waiting bytes. */
    bool has_room = transfer->chain.length < GW_BLOCK_BYTES;
    transfer->wants_body = has_room;
    gw_curl_transfer_watch_time(transfer);
    if (transfer->send_stopped && bytes.length)
        gw_curl_transfer_make_due(transfer);
    return has_room;
}

static void transport_curl_end_body(struct gw_call *call)
{
    struct gw_curl_transfer *transfer = transport_curl_transfer_of(call);
    if (!transfer || transfer->error || gw_curl_transfer_upload_is_over(transfer))
        return;
    if (!call->is_chunked && transfer->handed_bytes + transfer->chain.length != call->content_length) {
        transport_curl_fail_soon(
            transfer, GW_ERROR_INTERNAL); /* fewer bytes than announced: the request must not look complete */
        return;
    }
    transfer->body_ended = true;
    gw_curl_transfer_watch_time(transfer);
    if (transfer->send_stopped)
        gw_curl_transfer_make_due(transfer);
}

static bool transport_curl_takes_body(const struct gw_call *call)
{
    const struct gw_curl_transfer *transfer = transport_curl_transfer_of(call);
    return transfer && !gw_curl_transfer_upload_is_over(transfer);
}

static void transport_curl_pause_reading(struct gw_call *call)
{
    struct gw_curl_transfer *transfer = transport_curl_transfer_of(call);
    if (!transfer)
        return;
    transfer->is_paused = true; /* on_data passes this on to libcurl, with the next piece */
    gw_curl_transfer_watch_time(transfer);
}

static void transport_curl_resume_reading(struct gw_call *call)
{
    struct gw_curl_transfer *transfer = transport_curl_transfer_of(call);
    if (!transfer)
        return;
    transfer->is_paused = false;
    gw_curl_transfer_watch_time(transfer);
    if (transfer->recv_stopped)
        gw_curl_transfer_make_due(transfer);
}

static void transport_curl_cancel(struct gw_call *call)
{
    struct gw_curl_transfer *transfer = transport_curl_transfer_of(call);
    if (!transfer)
        return;
    transport_curl_leave_call(transfer);
    gw_curl_transfer_make_due(transfer);
}

static void transport_curl_init_libcurl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
    gw_curl_tls_init();
}

static struct gw_transport *transport_curl_create(const struct gw_transport_setup *setup,
                                                  const struct gw_config *config)
{
    (void)config; /* each call brings its configuration: a transport outlives a reload */
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, transport_curl_init_libcurl);
    struct gw_curl_transport *transport = calloc(1, sizeof(*transport));
    if (!transport)
        return NULL;
    transport->magic = GW_MAGIC(TRANSPORT_MAGIC);
    transport->base.table = &gw_transport_curl;
    transport->setup = *setup;
    transport->may_reuse_handles = transport_curl_forgets_answers();
    transport->share = curl_share_init();
    gw_free_list_init(&transport->spare, sizeof(struct gw_curl_transfer), MAX_SPARE, gw_curl_transfer_free);
    gw_pool_set_init(&transport->pools);
    gw_list_init(&transport->due);
    gw_list_init(&transport->told);
    if (!transport->share || !gw_curl_loop_open(&transport->loop, setup->loop, transport_curl_before_libcurl,
                                                transport_curl_after_libcurl)) {
        curl_share_cleanup(transport->share);
        free(transport);
        return NULL;
    }
    transport->loop.descriptors = setup->descriptors;
    curl_share_setopt(transport->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
    return &transport->base;
}

static void transport_curl_close_transport(struct gw_transport *base)
{
    struct gw_curl_transport *transport = transport_curl_transport_from(base);
    while (!gw_list_is_empty(&transport->due)) /* cancelled ones */
        transport_curl_take_back(GW_CONTAINER(transport->due.next, struct gw_curl_transfer, due), false);
    gw_free_list_trim(&transport->spare, 0);
    gw_curl_loop_close(&transport->loop);
    transport_curl_count_connections(transport);
}

static void transport_curl_destroy(struct gw_transport *base)
{
    struct gw_curl_transport *transport = transport_curl_transport_from(base);
    gw_curl_loop_free(&transport->loop);
    gw_pool_set_free(&transport->pools);
    curl_share_cleanup(transport->share);
    transport->magic = GW_NO_MAGIC;
    free(transport);
}

const struct gw_transport_kind_table gw_transport_curl = {
    .create = transport_curl_create,
    .close = transport_curl_close_transport,
    .destroy = transport_curl_destroy,
    .begin = transport_curl_begin,
    .send = transport_curl_send_piece,
    .end_body = transport_curl_end_body,
    .takes_body = transport_curl_takes_body,
    .pause = transport_curl_pause_reading,
    .resume = transport_curl_resume_reading,
    .cancel = transport_curl_cancel,
};
