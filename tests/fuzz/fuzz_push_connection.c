/* Any bytes as what Redis says on the connection of invalidations: however they are cut, the same keys and replies are told.
 * The first byte chooses how to cut. The file itself is included: what reads is within it. */
#include "store/push_connection.c"
#include "fuzz/fuzz_input.h"

/* No connection is made here. */
bool gw_tls_begin(struct gw_tls *tls, const struct gw_redis_node *node, redisContext *context)
{
    (void)tls;
    (void)node;
    (void)context;
    return false;
}

void gw_tls_take_error(char *text, size_t capacity)
{
    (void)text;
    (void)capacity;
}

struct told {
    uint64_t sum; /* of all that was told, in order */
    const char *why;
};

static void add(struct told *told, const char *at, size_t length)
{
    for (size_t i = 0; i < length; i++)
        told->sum = (told->sum ^ (unsigned char)at[i]) * UINT64_C(0x100000001b3);
    told->sum = (told->sum ^ length) * UINT64_C(0x100000001b3);
}

static void on_key(void *context, struct gw_slice key)
{
    add(context, key.at, key.length);
}

static void on_reply(void *context, const struct gw_push_reply *reply)
{
    char text[64];
    int length = snprintf(text, sizeof text, "%d %lld %d", (int)reply->kind,
                          reply->kind == GW_PUSH_INTEGER ? (long long)reply->integer : 0, reply->is_of_all);
    add(context, text, (size_t)length);
    if (reply->kind == GW_PUSH_TEXT || reply->kind == GW_PUSH_ERROR)
        add(context, reply->text, strlen(reply->text));
}

static void run(struct told *told, const uint8_t *data, size_t size, size_t step)
{
    *told = (struct told) { .why = NULL };
    redisContext context = { .reader = redisReaderCreateWithFunctions(&functions) };
    struct gw_push_wire wire = { .magic = GW_MAGIC(WIRE_MAGIC), .context = &context, .is_connected = true };
    struct gw_push_connection connection = { .on_key = on_key, .on_reply = on_reply, .context = told, .wire = &wire };
    if (!context.reader)
        abort();
    wire.connection = &connection;
    context.reader->privdata = &wire;
    for (size_t at = 0; at < size && !told->why; at += step) {
        char *piece = malloc(step);
        size_t length = step < size - at ? step : size - at;
        if (!piece)
            abort();
        memcpy(piece, data + at, length);
        if (redisReaderFeed(context.reader, piece, length) != REDIS_OK)
            abort();
        told->why = take_replies(&connection, &wire);
        free(piece);
    }
    redisReaderFree(context.reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct told whole, cut;
    if (size < 2)
        return 0;
    run(&whole, data + 1, size - 1, size - 1);
    run(&cut, data + 1, size - 1, data[0] + 1u);
    if (whole.sum != cut.sum || !whole.why != !cut.why)
        abort();
    return 0;
}
