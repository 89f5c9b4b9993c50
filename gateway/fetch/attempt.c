#include "fetch/attempt.h"

#include "base/clock.h"
#include "fetch/location.h"
#include "fetch/response.h"
#include "http/writer.h"

/* The next backend of the route that is not the failed server (the same URL may stand there twice); if there is none, the
 * failed one. No turn is taken: otherwise each request would begin at the dead one of two backends. */
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

/* Target and fields, as this backend gets them. The Host line goes into the room before the fields. False: memory is
 * out. */
static bool attempt_write_for(struct gw_fetch *fetch, const struct gw_backend *backend)
{
    struct gw_call *call = &fetch->attempt.call;
    struct gw_slice base = backend->base_path, path = fetch->sent.path_and_query, fields = fetch->sent.fields;
    call->target = path;
    if (base.length && !gw_slice_equal(path, GW_SLICE("*"))) {
        char *target = gw_arena_take(&fetch->arena, base.length + path.length);
        if (!target)
            return false;
        memcpy(target, base.at, base.length);
        memcpy(target + base.length, path.at, path.length);
        call->target = gw_slice_of(target, base.length + path.length);
    }
    bool passes_host = gw_location_passes_host(fetch->config, backend, fetch->sent.host);
    struct gw_slice host = passes_host ? fetch->sent.host : backend->authority;
    size_t line = sizeof "Host: \r\n" - 1 + host.length;
    char *at = fetch->sent.room_at + (fields.at - fetch->sent.room_at) - line;
    memcpy(at, "Host: ", 6);
    memcpy(at + 6, host.at, host.length);
    memcpy(at + 6 + host.length, "\r\n", 2);
    call->fields = gw_slice_of(at, line + fields.length);
    return true;
}

static enum gw_error attempt_start(struct gw_fetch *fetch, const struct gw_backend *backend, bool fresh)
{
    struct gw_fetch_attempt *attempt = &fetch->attempt;
    struct gw_call *call = &attempt->call;
    bool by_curl = fetch->config->transport == GW_TRANSPORT_CURL ||
                   (fetch->config->transport == GW_TRANSPORT_AUTO && backend->is_tls);
    call->backend = backend;
    if (!attempt_write_for(fetch, backend))
        return GW_ERROR_OVERLOADED;
    call->fresh = fresh;
    call->was_reused = call->was_sent = call->was_answered = false;
    call->began_at_us = call->head_at_us = 0;
    attempt->transport = fetch->fetcher->transports[by_curl ? 1 : 0];
    attempt->asked_at_s = (int64_t)(gw_clock_wall_us() / 1000000);
    enum gw_error error = gw_transport_begin(attempt->transport, call);
    attempt->runs = error == GW_ERROR_NONE;
    if (attempt->runs) {
        struct gw_backend_record *record = gw_registry_record(fetch->fetcher->registry, backend->index);
        atomic_fetch_add_explicit(&record->in_flight, 1, memory_order_relaxed);
    }
    return error;
}

void gw_attempt_ended(struct gw_fetch *fetch)
{
    struct gw_backend_record *record = gw_registry_record(fetch->fetcher->registry, fetch->attempt.call.backend->index);
    atomic_fetch_sub_explicit(&record->in_flight, 1, memory_order_relaxed);
    fetch->attempt.runs = false;
}

void gw_attempt_cancel(struct gw_fetch *fetch)
{
    if (!fetch->attempt.runs)
        return;
    gw_transport_cancel(fetch->attempt.transport, &fetch->attempt.call);
    gw_attempt_ended(fetch);
}

/* Puts two fields (NULL: none) behind the plain ones. All fields move to a new piece of memory, together with the room for
 * the Host line before them. Without memory the plain fields stay where they are. */
static void attempt_put_behind(struct gw_fetch *fetch, struct gw_slice name, const struct gw_field *field,
                               struct gw_slice other_name, const struct gw_field *other)
{
    size_t room = (size_t)(fetch->sent.fields.at - fetch->sent.room_at), size = room + fetch->sent.plain_fields;
    fetch->sent.fields.length = fetch->sent.plain_fields;
    if (!field && !other)
        return;
    size += field ? name.length + field->value.length + sizeof ": \r\n" : 0;
    size += other ? other_name.length + other->value.length + sizeof ": \r\n" : 0;
    char *at = gw_arena_take(&fetch->arena, size);
    if (!at)
        return;
    struct gw_buffer text = gw_buffer_over(at, size);
    text.length = room;
    gw_buffer_put_slice(&text, fetch->sent.fields);
    if (field)
        gw_writer_put_field(&text, name, field->value);
    if (other)
        gw_writer_put_field(&text, other_name, other->value);
    fetch->sent.room_at = at;
    fetch->sent.fields = gw_slice_of(at + room, text.length - room);
}

enum gw_error gw_attempt_part(struct gw_fetch *fetch)
{
    const struct gw_head *request = &fetch->request_head;
    gw_attempt_cancel(fetch);
    fetch->sent.lacks_range = false;
    attempt_put_behind(fetch, GW_SLICE("Range"), gw_head_find(request, GW_FIELD_RANGE), GW_SLICE("If-Range"),
                       gw_head_find(request, GW_FIELD_IF_RANGE));
    fetch->sent.plain_fields = fetch->sent.fields.length; /* none of them is a conditional of the fetch */
    return attempt_start(fetch, fetch->attempt.call.backend, false);
}

enum gw_error gw_attempt_whole(struct gw_fetch *fetch)
{
    gw_attempt_cancel(fetch);
    fetch->sent.fields.length = fetch->sent.plain_fields;
    return attempt_start(fetch, fetch->attempt.call.backend, false);
}

static struct gw_slice attempt_put_copy(struct gw_buffer *text, struct gw_slice slice)
{
    gw_buffer_put_slice(text, slice);
    return gw_slice_of(text->at + text->length - slice.length, slice.length);
}

/* Copies what the request lends into the arena, and describes the call. False: memory is out. */
static bool attempt_copy(struct gw_fetch *fetch, const struct gw_fetch_request *request)
{
    size_t longest_host = request->host.length;
    for (unsigned i = 0; i < request->route->backend_count; i++)
        if (request->route->backends[i].authority.length > longest_host)
            longest_host = request->route->backends[i].authority.length;
    size_t query = request->query.at ? request->query.length + 1 : 0, room = longest_host + sizeof "Host: \r\n" - 1;
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
    struct gw_slice path_and_query = gw_buffer_slice(&text);
    fetch->attempt = (struct gw_fetch_attempt) {
        .left = request->config->retries,
        .call = { .events = &gw_response_events,
                  .config = request->config,
                  .method = request->method,
                  .method_text = attempt_put_copy(&text, request->method_text),
                  .has_body = request->has_body,
                  .is_chunked = request->is_chunked,
                  .content_length = request->content_length,
                  .expects_continue = request->expects_continue,
                  .binds_connection = request->binds_connection,
                  .arena = &fetch->arena },
    };
    fetch->sent = (struct gw_fetch_sent) {
        .path_and_query = path_and_query,
        .plain_fields = request->fields.length,
        .lacks_range = request->lacks_range,
        .is_conditional = request->is_conditional,
    };
    fetch->sent.scheme = attempt_put_copy(&text, request->scheme);
    fetch->sent.host = attempt_put_copy(&text, request->host);
    fetch->sent.room_at = at + text.length;
    text.length += room;
    fetch->sent.fields = attempt_put_copy(&text, request->fields);
    return !request->head || gw_head_copy(&fetch->request_head, request->head, &fetch->arena);
}

enum gw_error gw_attempt_begin(struct gw_fetch *fetch, const struct gw_fetch_request *request)
{
    const struct gw_route *route = request->route;
    const struct gw_entry *stored = gw_fetch_is_for_store(fetch) ? fetch->lead.stored : NULL;
    if (!attempt_copy(fetch, request))
        return GW_ERROR_OVERLOADED;
    if (stored && stored->terms.has_validator)
        attempt_put_behind(fetch, GW_SLICE("If-None-Match"), gw_head_find(&stored->head, GW_FIELD_ETAG),
                           GW_SLICE("If-Modified-Since"), gw_head_find(&stored->head, GW_FIELD_LAST_MODIFIED));
    unsigned turn = gw_registry_take_turn(fetch->fetcher->registry, route->index); /* round robin */
    return attempt_start(fetch, &route->backends[turn % route->backend_count], false);
}

bool gw_attempt_again(struct gw_fetch *fetch, enum gw_error error)
{
    const struct gw_call *call = &fetch->attempt.call;
    bool idempotent = gw_method_is_idempotent(fetch->attempt.call.method);
    if (fetch->answer.head || fetch->attempt.body_begun || call->was_answered || !gw_error_may_retry(error))
        return false;
    if (call->was_sent && !idempotent)
        return false;
    if (gw_list_is_empty(&fetch->readers.all) && !fetch->lead.coalesced && !fetch->is_refresh)
        return false;
    const struct gw_backend *backend = call->backend;
    bool dead_kept = call->was_reused && error == GW_ERROR_RESET && !fetch->attempt.was_refreshed;
    if (dead_kept)
        fetch->attempt.was_refreshed = true;
    else if (fetch->attempt.left == 0)
        return false;
    else {
        fetch->attempt.left--;
        backend = attempt_backend_after(fetch, backend);
    }
    gw_counter_add(&fetch->fetcher->shard->upstream_retries, 1);
    return attempt_start(fetch, backend, dead_kept) == GW_ERROR_NONE;
}
