#include "fetch/attempt.h"

#include "base/clock.h"
#include "fetch/location.h"
#include "http/writer.h"

/* Not the one that has just failed, nor the same server under the same name again, where there is another; and no turn
 * is taken for it, else each request would begin at the dead one of two. */
static const struct gw_backend *attempt_backend_after(const struct gw_fetch *fetch, const struct gw_backend *failed)
{
    const struct gw_route *route = fetch->route;
    unsigned at = (unsigned)(failed - route->backends);
    for (unsigned i = 1; i < route->backend_count; i++) {
        const struct gw_backend *next = &route->backends[(at + i) % route->backend_count];
        if (next->index != failed->index)
            return next;
    }
    return failed;
}

/* Fills call->target, behind the backend's base path, and call->fields, behind the Host line. That line ends where the
 * fields begin, in the room before them. False: the arena is full. */
static bool attempt_address(struct gw_fetch *fetch, const struct gw_backend *backend)
{
    struct gw_call *call = &fetch->call;
    struct gw_slice prefix = backend->base_path, target = fetch->path_and_query, host = backend->authority;
    call->target = target;
    if (prefix.length && !gw_slice_equal(target, GW_SLICE("*"))) {
        char *text = gw_arena_take(&fetch->arena, prefix.length + target.length);
        if (!text)
            return false;
        memcpy(text, prefix.at, prefix.length);
        memcpy(text + prefix.length, target.at, target.length);
        call->target = gw_slice_of(text, prefix.length + target.length);
    }
    if (gw_location_passes_host(fetch->config, backend, fetch->host))
        host = fetch->host;
    char *at = fetch->room_at + (fetch->fields.at - fetch->room_at) - (host.length + 8); /* of the same piece */
    memcpy(at, "Host: ", 6);
    memcpy(at + 6, host.at, host.length);
    memcpy(at + 6 + host.length, "\r\n", 2);
    call->fields = gw_slice_of(at, host.length + 8 + fetch->fields.length);
    return true;
}

static enum gw_error attempt_send(struct gw_fetch *fetch, const struct gw_backend *backend, bool fresh)
{
    struct gw_call *call = &fetch->call;
    bool by_curl = fetch->config->transport == GW_TRANSPORT_CURL ||
                   (fetch->config->transport == GW_TRANSPORT_AUTO && backend->is_tls);
    call->backend = backend;
    if (!attempt_address(fetch, backend))
        return GW_ERROR_OVERLOADED;
    call->fresh = fresh;
    call->was_reused = call->was_sent = call->was_answered = false;
    call->began_at_us = call->head_at_us = 0;
    fetch->transport = fetch->fetcher->transports[by_curl ? 1 : 0];
    fetch->asked_at_s = (int64_t)(gw_clock_wall_us() / 1000000);
    enum gw_error error = gw_transport_begin(fetch->transport, call);
    fetch->call_runs = error == GW_ERROR_NONE;
    if (fetch->call_runs) {
        struct gw_backend_record *record = gw_registry_record(fetch->fetcher->registry, backend->index);
        atomic_fetch_add_explicit(&record->in_flight, 1, memory_order_relaxed);
    }
    return error;
}

void gw_attempt_ended(struct gw_fetch *fetch)
{
    struct gw_backend_record *record = gw_registry_record(fetch->fetcher->registry, fetch->call.backend->index);
    atomic_fetch_sub_explicit(&record->in_flight, 1, memory_order_relaxed);
    fetch->call_runs = false;
}

void gw_attempt_cancel(struct gw_fetch *fetch)
{
    if (!fetch->call_runs)
        return;
    gw_transport_cancel(fetch->transport, &fetch->call);
    gw_attempt_ended(fetch);
}

/* Two fields (NULL: not that one) behind the plain ones; all of them move, since they are one piece with what goes
 * before. Without memory they stay as they were. */
static void attempt_put_behind(struct gw_fetch *fetch, struct gw_slice name, const struct gw_field *field,
                               struct gw_slice other_name, const struct gw_field *other)
{
    size_t room = (size_t)(fetch->fields.at - fetch->room_at), size = room + fetch->plain_fields;
    fetch->fields.length = fetch->plain_fields;
    if (!field && !other)
        return;
    size += field ? name.length + field->value.length + sizeof ": \r\n" : 0;
    size += other ? other_name.length + other->value.length + sizeof ": \r\n" : 0;
    char *at = gw_arena_take(&fetch->arena, size);
    if (!at)
        return;
    struct gw_buffer text = gw_buffer_over(at, size);
    text.length = room;
    gw_buffer_put_slice(&text, fetch->fields);
    if (field)
        gw_writer_put_field(&text, name, field->value);
    if (other)
        gw_writer_put_field(&text, other_name, other->value);
    fetch->room_at = at;
    fetch->fields = gw_slice_of(at + room, text.length - room);
}

enum gw_error gw_attempt_part(struct gw_fetch *fetch)
{
    const struct gw_head *request = &fetch->request_head;
    gw_attempt_cancel(fetch);
    fetch->lacks_range = false;
    attempt_put_behind(fetch, GW_SLICE("Range"), gw_head_find(request, GW_FIELD_RANGE), GW_SLICE("If-Range"),
                       gw_head_find(request, GW_FIELD_IF_RANGE));
    fetch->plain_fields = fetch->fields.length; /* it validates nothing */
    return attempt_send(fetch, fetch->call.backend, false);
}

enum gw_error gw_attempt_whole(struct gw_fetch *fetch)
{
    gw_attempt_cancel(fetch);
    fetch->fields.length = fetch->plain_fields;
    return attempt_send(fetch, fetch->call.backend, false);
}

static struct gw_slice attempt_put_copy(struct gw_buffer *text, struct gw_slice slice)
{
    gw_buffer_put_slice(text, slice);
    return gw_slice_of(text->at + text->length - slice.length, slice.length);
}

bool gw_attempt_copy(struct gw_fetch *fetch, const struct gw_fetch_request *request)
{
    size_t longest_host = request->host.length;
    for (unsigned i = 0; i < request->route->backend_count; i++)
        if (request->route->backends[i].authority.length > longest_host)
            longest_host = request->route->backends[i].authority.length;
    size_t query = request->query.at ? request->query.length + 1 : 0, room = longest_host + 8;
    size_t size = request->path.length + query + request->method_text.length + request->scheme.length +
                  request->host.length + room + request->fields.length;
    char *at = gw_arena_take(&fetch->arena, size);
    if (!at)
        return false;
    struct gw_buffer text = gw_buffer_over(at, size);
    gw_buffer_put_slice(&text, request->path);
    if (request->query.at) {
        gw_buffer_put_char(&text, '?');
        gw_buffer_put_slice(&text, request->query);
    }
    fetch->path_and_query = gw_buffer_slice(&text);
    fetch->call.method_text = attempt_put_copy(&text, request->method_text);
    fetch->scheme = attempt_put_copy(&text, request->scheme);
    fetch->host = attempt_put_copy(&text, request->host);
    fetch->room_at = at + text.length;
    text.length += room;
    fetch->fields = gw_slice_of(at + text.length, request->fields.length);
    fetch->plain_fields = request->fields.length;
    gw_buffer_put_slice(&text, request->fields);
    return !request->head || gw_head_copy(&fetch->request_head, request->head, &fetch->arena);
}

enum gw_error gw_attempt_begin(struct gw_fetch *fetch)
{
    const struct gw_route *route = fetch->route;
    const struct gw_entry *stored = fetch->lead.stored;
    fetch->ban_sequence = fetch->fetcher->bans ? gw_bans_sequence(fetch->fetcher->bans) : 0;
    if (stored && stored->terms.has_validator && fetch->may_store) /* RFC 9111 §4.3.1 */
        attempt_put_behind(fetch, GW_SLICE("If-None-Match"), gw_head_find(&stored->head, GW_FIELD_ETAG),
                           GW_SLICE("If-Modified-Since"), gw_head_find(&stored->head, GW_FIELD_LAST_MODIFIED));
    /* Round robin: each request takes one turn. */
    unsigned turn = gw_registry_take_turn(fetch->fetcher->registry, route->index);
    return attempt_send(fetch, &route->backends[turn % route->backend_count], false);
}

bool gw_attempt_again(struct gw_fetch *fetch, enum gw_error error)
{
    const struct gw_call *call = &fetch->call;
    bool idempotent = gw_method_is_idempotent(fetch->method);
    if (fetch->head || fetch->body_begun || call->was_answered || !gw_error_may_retry(error))
        return false;
    if (call->was_sent && !idempotent)
        return false;
    if (gw_list_is_empty(&fetch->readers) && !fetch->lead.coalesced && !fetch->is_refresh)
        return false;
    const struct gw_backend *backend = call->backend;
    bool dead_kept = call->was_reused && error == GW_ERROR_RESET && !fetch->was_refreshed;
    if (dead_kept)
        fetch->was_refreshed = true;
    else if (fetch->attempts_left == 0)
        return false;
    else {
        fetch->attempts_left--;
        backend = attempt_backend_after(fetch, backend);
    }
    gw_counter_add(&fetch->fetcher->shard->upstream_retries, 1);
    return attempt_send(fetch, backend, dead_kept) == GW_ERROR_NONE;
}
