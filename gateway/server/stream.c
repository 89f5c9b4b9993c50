#include "server/stream.h"

enum { STREAM_MAGIC = 0x53545245 /* STRE */, PIECES_AT_ONCE = 16 };

bool gw_stream_init(struct gw_stream *stream, uv_loop_t *loop, const struct gw_stream_events *events,
                    struct gw_block_pool *blocks, struct gw_shard *shard)
{
    stream->events = events;
    stream->blocks = blocks;
    stream->shard = shard;
    stream->magic = GW_MAGIC(STREAM_MAGIC);
    stream->is_reading = stream->is_broken = stream->is_closing = false;
    stream->out = (struct gw_chain) { .pieces = NULL };
    stream->writing = stream->unsent = 0;
    stream->tcp.data = stream;
    return uv_tcp_init(loop, &stream->tcp) == 0;
}

bool gw_stream_open(struct gw_stream *stream, int fd)
{
    if (uv_tcp_open(&stream->tcp, fd) != 0)
        return false;
    uv_tcp_nodelay(&stream->tcp, 1);
    return true;
}

struct gw_address gw_stream_peer(const struct gw_stream *stream)
{
    struct sockaddr_storage peer = { .ss_family = AF_UNSPEC };
    struct gw_address address = { { 0 } };
    int length = sizeof peer;
    uv_tcp_getpeername(&stream->tcp, (struct sockaddr *)&peer, &length);
    gw_address_of_socket(&address, (struct sockaddr *)&peer);
    return address;
}

void gw_stream_break(struct gw_stream *stream)
{
    if (stream->is_broken)
        return;
    gw_stream_stop_reading(stream);
    stream->is_broken = true;
    stream->events->on_broken(stream);
}

/* ---- writing ---- */

static unsigned stream_fill(uv_buf_t *buffers, const struct gw_piece *pieces, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        union {
            const char *borrowed;
            char *base;
        } text = { .borrowed = pieces[i].bytes.at }; /* libuv takes char *, but only reads */
        buffers[i] = uv_buf_init(text.base, (unsigned)pieces[i].bytes.length);
    }
    return count;
}

static void stream_on_written(uv_write_t *request, int status);

static void stream_write_out(struct gw_stream *stream)
{
    struct gw_piece pieces[PIECES_AT_ONCE];
    uv_buf_t buffers[PIECES_AT_ONCE];
    unsigned count = stream->out.count < PIECES_AT_ONCE ? stream->out.count : PIECES_AT_ONCE;
    stream->writing = 0;
    for (unsigned i = 0; i < count; i++) {
        pieces[i] = *gw_chain_at(&stream->out, i);
        stream->writing += pieces[i].bytes.length;
    }
    stream->unsent = stream->writing;
    stream_fill(buffers, pieces, count);
    if (uv_write(&stream->request.write, (uv_stream_t *)&stream->tcp, buffers, count, stream_on_written) != 0) {
        stream->writing = 0;
        gw_stream_break(stream);
    }
}

static void stream_on_written(uv_write_t *request, int status)
{
    struct gw_stream *stream = GW_FROM_CONTEXT(request->handle->data, struct gw_stream, STREAM_MAGIC);
    if (stream->is_closing)
        return;
    gw_chain_consume(&stream->out, stream->writing);
    stream->writing = 0;
    if (status < 0)
        gw_stream_break(stream);
    else if (stream->out.length)
        stream_write_out(stream);
    else
        stream->events->on_written(stream);
}

/* Keeps the bytes that have not left. */
static bool stream_keep(struct gw_stream *stream, const struct gw_piece *pieces, unsigned count, size_t sent)
{
    for (unsigned i = 0; i < count; i++) {
        struct gw_slice bytes = pieces[i].bytes;
        size_t skipped = sent < bytes.length ? sent : bytes.length;
        sent -= skipped;
        if (!gw_chain_push(&stream->out, gw_slice_of(bytes.at + skipped, bytes.length - skipped), pieces[i].block))
            return false;
    }
    return true;
}

bool gw_stream_write(struct gw_stream *stream, const struct gw_piece *pieces, unsigned count)
{
    size_t total = 0;
    ssize_t sent = 0;
    bool was_empty = stream->out.length == 0;
    for (unsigned i = 0; i < count; i++)
        total += pieces[i].bytes.length;
    gw_counter_add(&stream->shard->bytes_sent, total);
    if (stream->is_broken)
        return false;
    if (was_empty && count <= PIECES_AT_ONCE) {
        uv_buf_t buffers[PIECES_AT_ONCE];
        sent = uv_try_write((uv_stream_t *)&stream->tcp, buffers, stream_fill(buffers, pieces, count));
    }
    if (sent == (ssize_t)total)
        return true;
    bool is_lost = (sent < 0 && sent != UV_EAGAIN) || !stream_keep(stream, pieces, count, sent > 0 ? (size_t)sent : 0);
    if (is_lost)
        gw_stream_break(stream);
    else if (was_empty)
        stream_write_out(stream);
    return false;
}

bool gw_stream_has_progressed(struct gw_stream *stream)
{
    size_t left = uv_stream_get_write_queue_size((uv_stream_t *)&stream->tcp);
    bool progressed = left < stream->unsent;
    stream->unsent = left;
    return progressed;
}

/* ---- reading ---- */

static void stream_on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct gw_stream *stream = GW_FROM_CONTEXT(handle->data, struct gw_stream, STREAM_MAGIC);
    char *at = NULL;
    size_t room = gw_block_pool_room(stream->blocks, &at);
    (void)suggested;
    *buffer = uv_buf_init(at, (unsigned)room);
}

static void stream_on_read(uv_stream_t *handle, ssize_t length, const uv_buf_t *buffer)
{
    struct gw_stream *stream = GW_FROM_CONTEXT(handle->data, struct gw_stream, STREAM_MAGIC);
    struct gw_block_pool *blocks = stream->blocks;
    if (length > 0) {
        gw_counter_add(&stream->shard->bytes_received, (uint64_t)length);
        stream->events->on_read(stream, gw_slice_of(buffer->base, (size_t)length), blocks->current);
        gw_block_pool_read(blocks, (size_t)length);
    } else if (length < 0 && length != UV_ENOBUFS) {
        stream->events->on_end(stream);
    }
}

void gw_stream_read(struct gw_stream *stream)
{
    if (stream->is_reading || stream->is_broken || stream->is_closing)
        return;
    stream->is_reading = uv_read_start((uv_stream_t *)&stream->tcp, stream_on_room, stream_on_read) == 0;
    if (!stream->is_reading)
        gw_stream_break(stream);
}

void gw_stream_stop_reading(struct gw_stream *stream)
{
    if (stream->is_reading)
        uv_read_stop((uv_stream_t *)&stream->tcp);
    stream->is_reading = false;
}

/* ---- the end ---- */

static void stream_on_shutdown(uv_shutdown_t *request, int status)
{
    (void)request;
    (void)status;
}

bool gw_stream_half_close(struct gw_stream *stream)
{
    GW_CHECK(stream->out.length == 0 && stream->writing == 0);
    return uv_shutdown(&stream->request.shutdown, (uv_stream_t *)&stream->tcp, stream_on_shutdown) == 0;
}

static void stream_on_closed(uv_handle_t *handle)
{
    struct gw_stream *stream = GW_FROM_CONTEXT(handle->data, struct gw_stream, STREAM_MAGIC);
    gw_chain_free(&stream->out);
    stream->magic = GW_NO_MAGIC;
    stream->events->on_closed(stream);
}

void gw_stream_close(struct gw_stream *stream)
{
    GW_CHECK(!stream->is_closing);
    stream->is_closing = true;
    uv_close((uv_handle_t *)&stream->tcp, stream_on_closed);
}

void gw_stream_reset(struct gw_stream *stream)
{
    GW_CHECK(!stream->is_closing);
    stream->is_closing = true;
    if (uv_tcp_close_reset(&stream->tcp, stream_on_closed) != 0)
        uv_close((uv_handle_t *)&stream->tcp,
                 stream_on_closed); /* after a half-close there is no reset; the whole answer has left then */
}
