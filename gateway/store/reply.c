#include "store/reply.h"

#include <stdlib.h>
#include "base/base.h"

#if HIREDIS_MAJOR >= 1
typedef size_t array_length;
#else
typedef int array_length;
#endif

enum { REPLY_MAGIC = 0x5245504c };

/* Adds a number or a string within an array. NULL for an unknown kind; that ends the connection. */
static struct gw_reply *reply_begin(const redisReadTask *task, enum gw_reply_kind kind)
{
    struct gw_reply *reply = GW_FROM_CONTEXT(task->privdata, struct gw_reply, REPLY_MAGIC);
    if (task->parent)
        return reply->kind == GW_REPLY_ARRAY ? reply : NULL;
    reply->kind = kind;
    reply->shell.type = task->type;
    reply->integer_count = 0;
    reply->text_length = 0;
    return reply;
}

static bool reply_add_integer(struct gw_reply *reply, long long value)
{
    if (reply->integer_count == GW_REPLY_INTEGERS)
        return false;
    reply->integers[reply->integer_count++] = value;
    return true;
}

static bool reply_copy_text(struct gw_reply *reply, const char *text, size_t length)
{
    if (length > reply->text_bound)
        return false;
    if (length > reply->text_capacity) {
        char *grown = malloc(length);
        if (!grown)
            return false;
        free(reply->text);
        reply->text = grown;
        reply->text_capacity = length;
    }
    if (length)
        memcpy(reply->text, text, length);
    reply->text_length = length;
    return true;
}

static void *reply_create_string(const redisReadTask *task, char *text, size_t length)
{
    uint64_t value;
    struct gw_reply *reply;
    if (task->type == REDIS_REPLY_STRING && (text[length] != '\r' || text[length + 1] != '\n'))
        return NULL; /* hiredis skips these two unread */
    if (task->parent) {
        reply = reply_begin(task, GW_REPLY_ARRAY);
        if (!reply || task->type != REDIS_REPLY_STRING || !gw_slice_to_uint64(gw_slice_of(text, length), &value) ||
            value > INT64_MAX)
            return NULL;
        return reply_add_integer(reply, (long long)value) ? reply : NULL;
    }
    enum gw_reply_kind kind = task->type == REDIS_REPLY_STRING   ? GW_REPLY_STRING
                              : task->type == REDIS_REPLY_STATUS ? GW_REPLY_STATUS
                              : task->type == REDIS_REPLY_ERROR  ? GW_REPLY_ERROR
                                                                 : GW_REPLY_NONE;
    if (kind == GW_REPLY_NONE)
        return NULL;
    reply = reply_begin(task, kind);
    return reply_copy_text(reply, text, length) ? reply : NULL;
}

static void *reply_create_array(const redisReadTask *task, array_length length)
{
    if (task->parent || task->type != REDIS_REPLY_ARRAY || length > GW_REPLY_INTEGERS)
        return NULL;
    return reply_begin(task, GW_REPLY_ARRAY);
}

static void *reply_create_integer(const redisReadTask *task, long long value)
{
    struct gw_reply *reply = reply_begin(task, GW_REPLY_INTEGER);
    return reply && reply_add_integer(reply, value) ? reply : NULL;
}

static void *reply_create_nil(const redisReadTask *task)
{
    return task->parent ? NULL : reply_begin(task, GW_REPLY_NIL);
}

static void reply_free_object(void *object)
{
    struct gw_reply *reply = GW_FROM_CONTEXT(object, struct gw_reply, REPLY_MAGIC);
    if (reply->text_capacity > GW_REPLY_KEPT_BYTES) {
        free(reply->text);
        reply->text = NULL;
        reply->text_capacity = reply->text_length = 0;
    }
}

#if HIREDIS_MAJOR >= 1
static void *reply_create_double(const redisReadTask *task, double value, char *text, size_t length)
{
    (void)task, (void)value, (void)text, (void)length;
    return NULL;
}

static void *reply_create_bool(const redisReadTask *task, int value)
{
    (void)task, (void)value;
    return NULL;
}
#endif

static redisReplyObjectFunctions functions = {
    .createString = reply_create_string,
    .createArray = reply_create_array,
    .createInteger = reply_create_integer,
    .createNil = reply_create_nil,
    .freeObject = reply_free_object,
#if HIREDIS_MAJOR >= 1
    .createDouble = reply_create_double,
    .createBool = reply_create_bool,
#endif
};

void gw_reply_init(struct gw_reply *reply, size_t text_bound)
{
    *reply = (struct gw_reply) { .magic = GW_MAGIC(REPLY_MAGIC), .text_bound = text_bound };
}

void gw_reply_free(struct gw_reply *reply)
{
    GW_CHECK_MAGIC(reply, REPLY_MAGIC);
    reply->magic = GW_NO_MAGIC;
    free(reply->text);
    reply->text = NULL;
    reply->text_capacity = reply->text_length = 0;
}

void gw_reply_attach(struct gw_reply *reply, redisReader *reader)
{
    reader->fn = &functions;
    reader->privdata = reply;
    /* Otherwise hiredis would free its buffer and grow it again with each value over 16 KiB. At 64 KiB that could not
     * be measured; larger ones would be mapped anew by malloc each time. */
    reader->maxbuf = GW_REPLY_KEPT_BYTES;
}

/* Before Redis 6, "ERR unknown command `AUTH`, with args beginning with: …" repeats the arguments that were sent. */
static struct gw_slice reply_without_arguments(struct gw_slice words, struct gw_slice password)
{
    static const struct gw_slice before = { ", with args", 11 };
    const char *end = words.length ? memmem(words.at, words.length, before.at, before.length) : NULL;
    if (end)
        words.length = (size_t)(end - words.at);
    if (password.length && words.length && memmem(words.at, words.length, password.at, password.length))
        return GW_SLICE("its words repeat the password");
    return words;
}

void gw_reply_quote(struct gw_slice words, struct gw_slice password, char *told, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    struct gw_slice left = reply_without_arguments(words, password);
    size_t length = 0;
    for (size_t i = 0; i < left.length; i++) {
        unsigned char c = (unsigned char)left.at[i];
        if (length + 8 > size) {
            memcpy(told + length, "...", 3);
            length += 3;
            break;
        }
        if (c >= ' ' && c < 0x7f) {
            told[length++] = (char)c;
        } else {
            memcpy(told + length, (char[4]) { '\\', 'x', digits[c >> 4], digits[c & 15] }, 4);
            length += 4;
        }
    }
    told[length] = '\0';
}

static const struct word {
    struct gw_slice start;
    enum gw_reply_fault fault;
    enum gw_breaker_reason reason;
} words[] = {
    { { "OOM ", 4 }, GW_REPLY_FAULT_OOM, GW_BREAKER_NONE },
    { { "NOSCRIPT ", 9 }, GW_REPLY_FAULT_SCRIPT, GW_BREAKER_NONE },
    { { "WRONGTYPE ", 10 }, GW_REPLY_FAULT_TYPE, GW_BREAKER_NONE },
    { { "READONLY ", 9 }, GW_REPLY_FAULT_NODE, GW_BREAKER_READONLY },
    { { "MISCONF ", 8 }, GW_REPLY_FAULT_NODE, GW_BREAKER_READONLY }, /* Redis cannot save, so it takes no writes */
    { { "NOREPLICAS ", 11 }, GW_REPLY_FAULT_NODE, GW_BREAKER_READONLY },
    { { "LOADING ", 8 }, GW_REPLY_FAULT_NODE, GW_BREAKER_LOADING },
    { { "MASTERDOWN ", 11 }, GW_REPLY_FAULT_NODE, GW_BREAKER_LOADING },
    { { "CLUSTERDOWN ", 12 }, GW_REPLY_FAULT_NODE, GW_BREAKER_LOADING },
    { { "BUSY ", 5 }, GW_REPLY_FAULT_NODE, GW_BREAKER_BUSY }, /* in another program's script */
    { { "NOAUTH ", 7 }, GW_REPLY_FAULT_NODE, GW_BREAKER_AUTH },
    { { "WRONGPASS ", 10 }, GW_REPLY_FAULT_NODE, GW_BREAKER_AUTH },
    { { "NOPERM ", 7 }, GW_REPLY_FAULT_NODE, GW_BREAKER_AUTH },
    { { "DENIED ", 7 }, GW_REPLY_FAULT_NODE, GW_BREAKER_REFUSED }, /* protected mode */
    { { "ERR invalid password", 20 }, GW_REPLY_FAULT_NODE, GW_BREAKER_AUTH },
    { { "ERR max number of clients", 25 }, GW_REPLY_FAULT_NODE, GW_BREAKER_REFUSED },
};

static const struct word *reply_find(struct gw_slice text)
{
    for (size_t i = 0; i < GW_COUNT(words); i++)
        if (gw_slice_starts_with(text, words[i].start))
            return &words[i];
    return NULL;
}

enum gw_reply_fault gw_reply_fault(struct gw_slice text, enum gw_breaker_reason *reason)
{
    const struct word *word = reply_find(text);
    if (!word && gw_slice_starts_with(text, GW_SLICE("ERR Error running script"))) {
        const char *inner = memmem(text.at, text.length, ": -", 3);
        if (inner)
            word = reply_find(gw_slice_of(inner + 3, text.length - (size_t)(inner + 3 - text.at)));
    }
    if (word && word->fault == GW_REPLY_FAULT_NODE)
        *reason = word->reason;
    return word ? word->fault : GW_REPLY_FAULT_CALL;
}
