#include "store/push_connection.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <sys/socket.h>
#include "base/check.h"
#include "store/node.h"
#include "store/tls.h"

enum { WIRE_MAGIC = 0x50555348 };

struct gw_push_wire {
    uv_poll_t poll; /* first: its close callback frees the wire */
    struct gw_magic magic;
    struct gw_push_connection *connection;
    redisContext *context;
    bool is_connected;
};

/* ---- what the reader finds ---- */

static struct gw_push_connection *push_connection_of(const redisReadTask *task)
{
    struct gw_push_wire *wire = GW_FROM_CONTEXT(task->privdata, struct gw_push_wire, WIRE_MAGIC);
    GW_CHECK(wire->connection->wire == wire);
    return wire->connection;
}

/* Depths: 0 a whole reply, 1 a message's kind, channel and payload, 2 its keys. */
static unsigned push_connection_depth_of(const redisReadTask *task)
{
    return !task->parent ? 0 : !task->parent->parent ? 1 : 2;
}

static void push_connection_keep_text(struct gw_push_reply *reply, enum gw_push_kind kind, const char *text,
                                      size_t length)
{
    size_t kept = length < sizeof reply->text ? length : sizeof reply->text - 1;
    reply->kind = kind;
    memcpy(reply->text, text, kept);
    reply->text[kept] = '\0';
}

static void *push_connection_create_string(const redisReadTask *task, char *text, size_t length)
{
    struct gw_push_connection *connection = push_connection_of(task);
    struct gw_slice word = gw_slice_of(text, length);
    unsigned depth = push_connection_depth_of(task);
    if (depth == 0)
        push_connection_keep_text(&connection->reply, task->type == REDIS_REPLY_ERROR ? GW_PUSH_ERROR : GW_PUSH_TEXT,
                                  text, length);
    else if (depth == 1 && task->idx == 0 && gw_slice_equal(word, GW_SLICE("message")))
        connection->reply.kind = GW_PUSH_MESSAGE;
    else if (depth == 1 && task->idx == 0 && gw_slice_equal(word, GW_SLICE("subscribe")))
        connection->reply.kind = GW_PUSH_SUBSCRIBED;
    else if (depth == 2 && connection->reply.kind == GW_PUSH_MESSAGE && connection->on_key)
        connection->on_key(connection->context, word);
    return connection;
}

static void *push_connection_begin_array(const redisReadTask *task)
{
    struct gw_push_connection *connection = push_connection_of(task);
    unsigned depth = push_connection_depth_of(task);
    if (depth == 0)
        connection->reply = (struct gw_push_reply) { .kind = GW_PUSH_OTHER };
    return depth < 2 ? connection : NULL; /* NULL ends the connection */
}

#if HIREDIS_MAJOR >= 1
static void *push_connection_create_array(const redisReadTask *task, size_t count)
#else
static void *push_connection_create_array(const redisReadTask *task, int count)
#endif
{
    (void)count;
    return push_connection_begin_array(task);
}

static void *push_connection_create_integer(const redisReadTask *task, long long value)
{
    struct gw_push_connection *connection = push_connection_of(task);
    if (push_connection_depth_of(task) == 0)
        connection->reply = (struct gw_push_reply) { .kind = GW_PUSH_INTEGER, .integer = value };
    return connection;
}

static void *push_connection_create_nil(const redisReadTask *task)
{
    struct gw_push_connection *connection = push_connection_of(task);
    unsigned depth = push_connection_depth_of(task);
    if (depth == 0)
        connection->reply = (struct gw_push_reply) { .kind = GW_PUSH_NIL };
    else if (depth == 1 && task->idx == 2)
        connection->reply.is_of_all = true;
    return connection;
}

static void push_connection_free_object(void *object)
{
    (void)object;
}

static redisReplyObjectFunctions functions = {
    .createString = push_connection_create_string,
    .createArray = push_connection_create_array,
    .createInteger = push_connection_create_integer,
    .createNil = push_connection_create_nil,
    .freeObject = push_connection_free_object,
};

/* ---- the connection ---- */

static void push_connection_on_closed(uv_handle_t *handle)
{
    struct gw_push_wire *wire = (struct gw_push_wire *)(void *)handle;
    GW_CHECK_MAGIC(wire, WIRE_MAGIC);
    wire->magic = GW_NO_MAGIC;
    free(wire);
}

void gw_push_connection_close(struct gw_push_connection *connection)
{
    struct gw_push_wire *wire = connection->wire;
    char said[64];
    if (!wire)
        return;
    gw_tls_take_error(said, sizeof said);
    connection->wire = NULL;
    uv_close((uv_handle_t *)&wire->poll, push_connection_on_closed);
    redisFree(wire->context);
}

static void push_connection_lose(struct gw_push_connection *connection, const char *why)
{
    gw_push_connection_close(connection);
    connection->on_down(connection->context, why);
}

static void push_connection_on_event(uv_poll_t *poll, int status, int events);

/* Writes what is there, and waits for what is to come. False: writing failed. Over TLS a write may have to wait for a
 * read; the bytes that it then wants to write are few enough that there is always room. */
static bool push_connection_flush(struct gw_push_wire *wire)
{
    int is_done = 1;
    if (redisBufferWrite(wire->context, &is_done) != REDIS_OK)
        return false;
    int events = UV_READABLE | (is_done || wire->connection->node->is_tls ? 0 : UV_WRITABLE);
    return uv_poll_start(&wire->poll, events, push_connection_on_event) == 0;
}

static const char *push_connection_finish_connecting(struct gw_push_wire *wire)
{
    int error = 0;
    socklen_t size = sizeof error;
    struct gw_push_connection *connection = wire->connection;
    if (getsockopt(wire->context->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error)
        return "it cannot be connected to";
    wire->is_connected = true;
    if (!gw_tls_begin(connection->tls, connection->node, wire->context))
        return "TLS cannot begin";
    connection->on_up(connection->context);
    return NULL;
}

/* Takes every whole reply. NULL also if a callback closed the connection. */
static const char *push_connection_take_replies(struct gw_push_connection *connection, struct gw_push_wire *wire)
{
    void *object = NULL;
    for (;;) {
        redisReader *reader = wire->context->reader;
        if (redisReaderGetReply(reader, &object) != REDIS_OK)
            return "it answers nonsense";
        if (!object)
            return reader->len - reader->pos > GW_PUSH_BYTES ? "its answer has no end" : NULL;
        struct gw_push_reply reply = connection->reply;
        connection->reply = (struct gw_push_reply) { .kind = GW_PUSH_OTHER };
        connection->on_reply(connection->context, &reply);
        if (connection->wire != wire)
            return NULL;
    }
}

static void push_connection_on_event(uv_poll_t *poll, int status, int events)
{
    struct gw_push_wire *wire = GW_CONTAINER(poll, struct gw_push_wire, poll);
    GW_CHECK_MAGIC(wire, WIRE_MAGIC);
    GW_CHECK(wire->connection->wire == wire);
    struct gw_push_connection *connection = wire->connection;
    const char *why = NULL;
    (void)events;
    if (status < 0) {
        push_connection_lose(connection, "its socket failed");
        return;
    }
    if (!wire->is_connected)
        why = push_connection_finish_connecting(wire);
    else if (redisBufferRead(wire->context) != REDIS_OK)
        why = "the connection ended";
    else
        why = push_connection_take_replies(connection, wire);
    if (connection->wire != wire)
        return;
    if (!why && !push_connection_flush(wire))
        why = "the connection ended";
    if (why)
        push_connection_lose(connection, why);
}

static redisContext *push_connection_connect_to(const struct gw_redis_node *node, const char *address)
{
    redisContext *context = node->is_unix ? redisConnectUnixNonBlock(node->host.at)
                                          : redisConnectNonBlock(address, node->port);
    if (context && context->err) {
        redisFree(context);
        return NULL;
    }
    if (context)
        gw_node_set_up_socket(node, context->fd);
    return context;
}

bool gw_push_connection_open(struct gw_push_connection *connection, uv_loop_t *loop, const char *address)
{
    struct gw_push_wire *wire = calloc(1, sizeof *wire);
    if (!wire)
        return false;
    GW_CHECK(!connection->wire);
    wire->connection = connection;
    wire->context = push_connection_connect_to(connection->node, address);
    if (!wire->context || uv_poll_init(loop, &wire->poll, wire->context->fd) != 0) {
        if (wire->context)
            redisFree(wire->context);
        free(wire);
        return false;
    }
    wire->magic = GW_MAGIC(WIRE_MAGIC);
    wire->context->reader->fn = &functions;
    wire->context->reader->privdata = wire;
    connection->wire = wire;
    if (uv_poll_start(&wire->poll, UV_WRITABLE, push_connection_on_event) == 0)
        return true;
    gw_push_connection_close(connection);
    return false;
}

bool gw_push_connection_send(struct gw_push_connection *connection, struct gw_slice command)
{
    struct gw_push_wire *wire = connection->wire;
    if (!wire || !wire->is_connected ||
        redisAppendFormattedCommand(wire->context, command.at, command.length) != REDIS_OK)
        return false;
    /* The command leaves when the socket can be written to: in this turn of the loop or the next. */
    return uv_poll_start(&wire->poll, UV_READABLE | UV_WRITABLE, push_connection_on_event) == 0;
}
