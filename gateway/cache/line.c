#include "cache/line.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <sys/socket.h>

struct gw_line_wire {
    uv_poll_t poll; /* first: it is freed by its close */
    struct gw_line *line;
    redisContext *context;
    bool is_connected;
};

/* ---- what the reader finds ---- */

/* Depths: 0 a reply by itself, 1 a message's kind, channel and payload, 2 its keys. */
static unsigned depth_of(const redisReadTask *task)
{
    return !task->parent ? 0 : !task->parent->parent ? 1 : 2;
}

static void keep_text(struct gw_line_reply *reply, enum gw_line_kind kind, const char *text, size_t length)
{
    size_t kept = length < sizeof reply->text ? length : sizeof reply->text - 1;
    reply->kind = kind;
    memcpy(reply->text, text, kept);
    reply->text[kept] = '\0';
}

static void *create_string(const redisReadTask *task, char *text, size_t length)
{
    struct gw_line *line = task->privdata;
    struct gw_slice word = gw_slice_of(text, length);
    unsigned depth = depth_of(task);
    if (depth == 0)
        keep_text(&line->reply, task->type == REDIS_REPLY_ERROR ? GW_LINE_ERROR : GW_LINE_TEXT, text, length);
    else if (depth == 1 && task->idx == 0 && gw_slice_equal(word, GW_SLICE("message")))
        line->reply.kind = GW_LINE_MESSAGE;
    else if (depth == 1 && task->idx == 0 && gw_slice_equal(word, GW_SLICE("subscribe")))
        line->reply.kind = GW_LINE_SUBSCRIBED;
    else if (depth == 2 && line->reply.kind == GW_LINE_MESSAGE && line->on_key)
        line->on_key(line->context, word);
    return line;
}

static void *begin_array(const redisReadTask *task)
{
    struct gw_line *line = task->privdata;
    unsigned depth = depth_of(task);
    if (depth == 0)
        line->reply = (struct gw_line_reply) { .kind = GW_LINE_OTHER };
    return depth < 2 ? line : NULL; /* NULL ends the connection */
}

#if HIREDIS_MAJOR >= 1
static void *create_array(const redisReadTask *task, size_t count)
#else
static void *create_array(const redisReadTask *task, int count)
#endif
{
    (void)count;
    return begin_array(task);
}

static void *create_integer(const redisReadTask *task, long long value)
{
    struct gw_line *line = task->privdata;
    if (depth_of(task) == 0)
        line->reply = (struct gw_line_reply) { .kind = GW_LINE_INTEGER, .integer = value };
    return line;
}

static void *create_nil(const redisReadTask *task)
{
    struct gw_line *line = task->privdata;
    unsigned depth = depth_of(task);
    if (depth == 0)
        line->reply = (struct gw_line_reply) { .kind = GW_LINE_NIL };
    else if (depth == 1 && task->idx == 2)
        line->reply.is_of_all = true;
    return line;
}

static void free_object(void *object)
{
    (void)object;
}

static redisReplyObjectFunctions functions = {
    .createString = create_string,
    .createArray = create_array,
    .createInteger = create_integer,
    .createNil = create_nil,
    .freeObject = free_object,
};

/* ---- the connection ---- */

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

void gw_line_close(struct gw_line *line)
{
    struct gw_line_wire *wire = line->wire;
    char said[64];
    if (!wire)
        return;
    gw_tls_take_error(said, sizeof said);
    line->wire = NULL;
    uv_close((uv_handle_t *)&wire->poll, on_closed);
    redisFree(wire->context);
}

static void lose(struct gw_line *line, const char *why)
{
    gw_line_close(line);
    line->on_down(line->context, why);
}

static void on_event(uv_poll_t *poll, int status, int events);

/* Writes what there is, and waits for what is to come. False: it failed. Over TLS a write may wait for a read; what it
 * wants to write then is small enough never to wait for room. */
static bool flush(struct gw_line_wire *wire)
{
    int is_done = 1;
    if (redisBufferWrite(wire->context, &is_done) != REDIS_OK)
        return false;
    int events = UV_READABLE | (is_done || wire->line->node->is_tls ? 0 : UV_WRITABLE);
    return uv_poll_start(&wire->poll, events, on_event) == 0;
}

static const char *finish_connecting(struct gw_line_wire *wire)
{
    int error = 0;
    socklen_t size = sizeof error;
    struct gw_line *line = wire->line;
    if (getsockopt(wire->context->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error)
        return "it cannot be connected to";
    wire->is_connected = true;
    if (!gw_tls_begin(line->tls, line->node, wire->context))
        return "TLS cannot begin";
    line->on_up(line->context);
    return NULL;
}

/* Every whole reply; NULL also where a callback closed the line. */
static const char *take_replies(struct gw_line *line, struct gw_line_wire *wire)
{
    void *object = NULL;
    for (;;) {
        redisReader *reader = wire->context->reader;
        if (redisReaderGetReply(reader, &object) != REDIS_OK)
            return "it answers nonsense";
        if (!object)
            return reader->len - reader->pos > GW_LINE_BYTES ? "its answer has no end" : NULL;
        struct gw_line_reply reply = line->reply;
        line->reply = (struct gw_line_reply) { .kind = GW_LINE_OTHER };
        line->on_reply(line->context, &reply);
        if (line->wire != wire)
            return NULL;
    }
}

static void on_event(uv_poll_t *poll, int status, int events)
{
    struct gw_line_wire *wire = GW_CONTAINER(poll, struct gw_line_wire, poll);
    struct gw_line *line = wire->line;
    const char *why = NULL;
    (void)events;
    if (status < 0) {
        lose(line, "its socket failed");
        return;
    }
    if (!wire->is_connected)
        why = finish_connecting(wire);
    else if (redisBufferRead(wire->context) != REDIS_OK)
        why = "the connection ended";
    else
        why = take_replies(line, wire);
    if (line->wire != wire)
        return;
    if (!why && !flush(wire))
        why = "the connection ended";
    if (why)
        lose(line, why);
}

static redisContext *connect_to(const struct gw_redis_node *node, const char *address)
{
    redisContext *context = node->is_unix ? redisConnectUnixNonBlock(node->host.at)
                                          : redisConnectNonBlock(address, node->port);
    if (context && context->err) {
        redisFree(context);
        return NULL;
    }
    return context;
}

bool gw_line_open(struct gw_line *line, uv_loop_t *loop, const char *address)
{
    struct gw_line_wire *wire = calloc(1, sizeof *wire);
    if (!wire)
        return false;
    wire->line = line;
    wire->context = connect_to(line->node, address);
    if (!wire->context || uv_poll_init(loop, &wire->poll, wire->context->fd) != 0) {
        if (wire->context)
            redisFree(wire->context);
        free(wire);
        return false;
    }
    wire->context->reader->fn = &functions;
    wire->context->reader->privdata = line;
    line->wire = wire;
    if (uv_poll_start(&wire->poll, UV_WRITABLE, on_event) == 0)
        return true;
    gw_line_close(line);
    return false;
}

bool gw_line_send(struct gw_line *line, const struct gw_slice *arguments, unsigned count)
{
    const char *at[GW_LINE_ARGUMENTS];
    size_t lengths[GW_LINE_ARGUMENTS];
    struct gw_line_wire *wire = line->wire;
    if (!wire || !wire->is_connected || count > GW_LINE_ARGUMENTS)
        return false;
    for (unsigned i = 0; i < count; i++) {
        at[i] = arguments[i].at;
        lengths[i] = arguments[i].length;
    }
    if (redisAppendCommandArgv(wire->context, (int)count, at, lengths) != REDIS_OK)
        return false;
    /* It leaves when the socket can be written to: in this turn of the loop or the next. */
    return uv_poll_start(&wire->poll, UV_READABLE | UV_WRITABLE, on_event) == 0;
}
