/* The store over one Redis node. */
#include "store/store.h"

#include <stdlib.h>
#include "base/check.h"
#include "base/clock.h"
#include "base/free_list.h"
#include "store/link.h"
#include "store/resp.h"

enum {
    REDIS_LEAST_WAIT_MS = 50,
    REDIS_MOST_WAIT_MS = 2000,
    REDIS_ROOM_BYTES = 768, /* enough for a limit's call with four policies */
    REDIS_KEPT_CALLS = 1024,
    REDIS_PAYLOADS_BYTES = 64 << 20,
    REDIS_NAME_BYTES = 128,
};
enum { STORE_MAGIC = 0x53544f52, CALL_MAGIC = 0x43414c4c };

struct gw_store_call {
    struct gw_magic magic; /* valid from asking until done has run */
    struct gw_link_asked asked;
    struct gw_store *store;
    gw_store_done *done; /* NULL: the caller has forgotten the call */
    void *owner;
    enum gw_redis_label kind;
    enum gw_store_script script;
    unsigned replies_due;
    bool is_again;               /* NOSCRIPT was answered by EVAL */
    enum gw_redis_result result; /* so far */
    struct gw_store_reply reply; /* so far */
    uint64_t asked_at_us;
    struct gw_slice payload_bytes; /* at == NULL: no payload apart */
    struct gw_block *payload;
    char *command;                    /* room, or on the heap */
    size_t length, capacity, tail_at; /* EVALSHA: the position behind the digest; 0: the call runs no script */
    unsigned argument_count;          /* of the command */
    char room[REDIS_ROOM_BYTES];
};

struct gw_store {
    struct gw_magic magic;
    const struct gw_config *config;
    struct gw_shard *shard;
    struct gw_breaker *breaker;
    struct gw_scripts scripts;
    char client_name[REDIS_NAME_BYTES];

    struct gw_link link;
    struct gw_free_list free; /* calls */
    unsigned pending;         /* calls */
    size_t payloads_bytes;    /* of them */
};

/* Checks what must hold of a call under way: whenever a reply comes, and when the call is forgotten. */
static bool redis_call_check(const struct gw_store_call *call)
{
    GW_CHECK_MAGIC(call, CALL_MAGIC);
    GW_CHECK_MAGIC(call->store, STORE_MAGIC);
    GW_CHECK(call->replies_due >= 1 && call->replies_due <= (call->kind == GW_REDIS_LABEL_GET ? 2 : 1));
    GW_CHECK(call->store->pending >= 1 && call->store->pending <= call->store->config->redis_max_pending);
    GW_CHECK(call->length > 0 && call->length <= call->capacity && call->tail_at <= call->length);
    GW_CHECK(!call->payload || call->payload_bytes.length <= call->store->payloads_bytes);
    return true;
}

/* ---- calls ---- */

static void redis_give_back(struct gw_store_call *call)
{
    struct gw_store *store = call->store;
    if (call->command != call->room)
        free(call->command);
    if (call->payload) {
        store->payloads_bytes -= call->payload_bytes.length;
        gw_block_unref(call->payload);
    }
    call->magic = GW_NO_MAGIC;
    call->asked.magic = GW_NO_MAGIC;
    gw_free_list_give(&store->free, call);
}

static void redis_on_reply(struct gw_link_asked *asked, const struct gw_reply *reply);

/* A call whose command has room for command_bytes; NULL if it may not be made. */
static struct gw_store_call *redis_begin(struct gw_store *store, enum gw_redis_label kind, size_t command_bytes,
                                         size_t payload_bytes)
{
    if (!gw_store_is_up(store) || store->pending >= store->config->redis_max_pending ||
        store->payloads_bytes + payload_bytes > REDIS_PAYLOADS_BYTES)
        return NULL;
    struct gw_store_call *call = gw_free_list_take(&store->free, NULL);
    if (!call)
        return NULL;
    char *command = command_bytes <= sizeof(call->room) ? call->room : malloc(command_bytes);
    if (!command) {
        gw_free_list_drop(&store->free, call);
        return NULL;
    }
    call->magic = GW_MAGIC(CALL_MAGIC);
    call->asked.on_reply = redis_on_reply;
    call->store = store;
    call->kind = kind;
    call->replies_due = 0;
    call->is_again = false;
    call->tail_at = 0;
    call->result = GW_REDIS_RESULT_OK;
    call->reply = (struct gw_store_reply) { .result = GW_STORE_LOST };
    call->payload_bytes = GW_NO_SLICE;
    call->payload = NULL;
    call->command = command;
    call->capacity = command == call->room ? sizeof(call->room) : command_bytes;
    call->length = 0;
    return call;
}

static bool redis_ask(struct gw_store_call *call, struct gw_slice command)
{
    if (!gw_link_ask(&call->store->link, &call->asked, command, call->payload_bytes))
        return false;
    call->replies_due++;
    return true;
}

static struct gw_store_call *redis_skipped(struct gw_store *store, enum gw_redis_label kind)
{
    gw_counter_add(&store->shard->redis_calls[kind][GW_REDIS_RESULT_SKIPPED], 1);
    return NULL;
}

/* The command is complete: sends it, or gives the call back. */
static struct gw_store_call *redis_dispatch(struct gw_store_call *call, const struct gw_buffer *command,
                                            gw_store_done *done, void *owner)
{
    struct gw_store *store = call->store;
    call->length = command->length;
    call->done = done;
    call->owner = owner;
    call->asked_at_us = gw_link_now_us(&store->link);
    if (command->overflowed || !redis_ask(call, gw_buffer_slice(command))) {
        enum gw_redis_label kind = call->kind;
        redis_give_back(call);
        return redis_skipped(store, kind);
    }
    store->pending++;
    gw_counter_add(&store->shard->redis_pending, 1);
    return call;
}

static void redis_finish(struct gw_store_call *call)
{
    struct gw_store *store = call->store;
    store->pending--;
    gw_counter_subtract(&store->shard->redis_pending, 1);
    gw_counter_add(&store->shard->redis_calls[call->kind][call->result], 1);
    if (call->result != GW_REDIS_RESULT_LOST) {
        uint64_t now_us = gw_link_now_us(&store->link);
        gw_histogram_observe(&store->shard->redis_duration,
                             now_us > call->asked_at_us ? (now_us - call->asked_at_us) * 10 : 0);
    }
    if (call->done)
        call->done(call->owner, &call->reply);
    redis_give_back(call);
}

/* ---- answers ---- */

/* Sends the script with the arguments of the call; the script's text stands in the place of its digest. */
static bool redis_ask_again(struct gw_store_call *call)
{
    struct gw_store *store = call->store;
    struct gw_slice text = store->scripts.list[call->script].text;
    size_t tail_length = call->length - call->tail_at;
    struct gw_buffer command = gw_buffer_create(text.length + tail_length + 4 * GW_RESP_ARGUMENT_BYTES);
    gw_resp_begin(&command, call->argument_count);
    gw_resp_put(&command, GW_SLICE("EVAL"));
    gw_resp_put(&command, text);
    gw_buffer_put(&command, call->command + call->tail_at, tail_length);
    gw_resp_terminate(&command);
    call->is_again = true;
    gw_counter_add(&store->shard->redis_noscript, 1);
    bool good = !command.overflowed && redis_ask(call, gw_buffer_slice(&command));
    gw_buffer_destroy(&command);
    return good;
}

/* Each write is refused while Redis is full: reporting it once a second is enough. */
static void redis_tell_full(struct gw_store *store, struct gw_slice text)
{
    enum { TELL_EACH_US = 1000 * 1000 };
    uint64_t now_us = gw_link_now_us(&store->link);
    uint64_t told_at_us = atomic_load_explicit(&store->breaker->oom_at_us, memory_order_relaxed);
    char said[GW_BREAKER_SAID_BYTES];
    if (told_at_us && now_us < told_at_us + TELL_EACH_US)
        return;
    gw_reply_quote(text, store->link.setup.node->password, said, sizeof(said));
    gw_breaker_tell_full(store->breaker, said, now_us);
}

/* True: the call was sent again, and must not be finished now. */
static bool redis_take_error(struct gw_store_call *call, struct gw_slice text)
{
    struct gw_store *store = call->store;
    enum gw_breaker_reason reason = GW_BREAKER_LOST;
    call->result = GW_REDIS_RESULT_ERROR;
    switch (gw_reply_fault(text, &reason)) {
    case GW_REPLY_FAULT_SCRIPT:
        if (call->tail_at && !call->is_again && redis_ask_again(call)) {
            call->result = GW_REDIS_RESULT_OK;
            return true;
        }
        break;
    case GW_REPLY_FAULT_OOM:
        call->result = GW_REDIS_RESULT_OOM;
        call->reply.result = GW_STORE_OOM;
        redis_tell_full(store, text);
        break;
    case GW_REPLY_FAULT_TYPE: /* for the caller this is a value that makes no sense */
        if (call->kind == GW_REDIS_LABEL_GET) {
            call->reply.result = GW_STORE_VALUE;
            call->reply.value = GW_SLICE("");
        }
        break;
    case GW_REPLY_FAULT_NODE: /* the breaker reports it */
        gw_link_say(&store->link, text);
        gw_link_drop(&store->link, reason);
        return false;
    case GW_REPLY_FAULT_CALL:
        break;
    }
    if (!call->replies_due && call->reply.result == GW_STORE_LOST)
        call->reply.error = text;
    return false;
}

/* False: Redis would not answer this call so. */
static bool redis_take(struct gw_store_call *call, const struct gw_reply *reply)
{
    switch (call->kind) {
    case GW_REDIS_LABEL_GET: /* PTTL first, then the value */
        if (call->replies_due) {
            call->reply.ttl_ms = reply->kind == GW_REPLY_INTEGER ? reply->integers[0] : 0;
            return reply->kind == GW_REPLY_INTEGER;
        }
        call->reply.result = reply->kind == GW_REPLY_NIL ? GW_STORE_NIL : GW_STORE_VALUE;
        call->reply.value = gw_reply_text(reply);
        return reply->kind == GW_REPLY_NIL || reply->kind == GW_REPLY_STRING;
    case GW_REDIS_LABEL_SET:
        call->reply.result = GW_STORE_DONE;
        return reply->kind == GW_REPLY_STATUS || reply->kind == GW_REPLY_INTEGER;
    case GW_REDIS_LABEL_PURGE:
        call->reply.result = GW_STORE_VALUE;
        call->reply.value = reply->kind == GW_REPLY_STRING ? gw_reply_text(reply) : GW_NO_SLICE;
        return reply->kind == GW_REPLY_STRING;
    default: /* the other scripts */
        call->reply.result = GW_STORE_INTEGERS;
        call->reply.integers = reply->integers;
        call->reply.integer_count = reply->integer_count;
        return reply->kind == GW_REPLY_INTEGER || reply->kind == GW_REPLY_ARRAY;
    }
}

static void redis_on_reply(struct gw_link_asked *asked, const struct gw_reply *reply)
{
    struct gw_store_call *call = GW_CONTAINER(asked, struct gw_store_call, asked);
    GW_CHECK(redis_call_check(call));
    call->replies_due--;
    if (!reply) {
        call->result = GW_REDIS_RESULT_LOST;
    } else if (reply->kind == GW_REPLY_ERROR) {
        if (redis_take_error(call, gw_reply_text(reply)))
            return;
    } else if (call->result == GW_REDIS_RESULT_OK && !redis_take(call, reply)) {
        call->result = GW_REDIS_RESULT_ERROR;
        call->reply.result = GW_STORE_LOST;
        gw_link_drop(&call->store->link, GW_BREAKER_NONSENSE);
    }
    if (call->replies_due)
        return;
    if (call->result == GW_REDIS_RESULT_LOST)
        call->reply.result = GW_STORE_LOST;
    redis_finish(call);
}

/* ---- questions ---- */

static size_t redis_room_for(const struct gw_slice *arguments, unsigned count)
{
    size_t bytes = 0;
    for (unsigned i = 0; i < count; i++)
        bytes += arguments[i].length + GW_RESP_ARGUMENT_BYTES;
    return bytes;
}

static void redis_put_all(struct gw_buffer *command, const struct gw_slice *arguments, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        gw_resp_put(command, arguments[i]);
}

struct gw_store_call *gw_store_run(struct gw_store *store, enum gw_store_script script, const struct gw_slice *keys,
                                   unsigned key_count, const struct gw_slice *arguments, unsigned argument_count,
                                   struct gw_slice payload_bytes, struct gw_block *payload, gw_store_done *done,
                                   void *owner)
{
    static const enum gw_redis_label labels[GW_STORE_SCRIPTS] = { [GW_STORE_TOKEN_BUCKET] = GW_REDIS_LABEL_LIMIT,
                                                                  [GW_STORE_PUT] = GW_REDIS_LABEL_STORE,
                                                                  [GW_STORE_PURGE] = GW_REDIS_LABEL_PURGE,
                                                                  [GW_STORE_FETCH_LOCK] = GW_REDIS_LABEL_FETCH_LOCK };
    enum gw_redis_label kind = labels[script];
    size_t bytes = 5 * GW_RESP_ARGUMENT_BYTES + GW_SCRIPTS_SHA_BYTES + redis_room_for(keys, key_count) +
                   redis_room_for(arguments, argument_count) + (payload ? 0 : payload_bytes.length);
    struct gw_store_call *call = redis_begin(store, kind, bytes, payload ? payload_bytes.length : 0);
    if (!call)
        return redis_skipped(store, kind);
    struct gw_buffer command = gw_buffer_over(call->command, call->capacity);
    call->script = script;
    call->argument_count = 3 + key_count + argument_count + (payload_bytes.at != NULL);
    gw_resp_begin(&command, call->argument_count);
    gw_resp_put(&command, GW_SLICE("EVALSHA"));
    gw_resp_put(&command, gw_slice_of(store->scripts.list[script].sha, GW_SCRIPTS_SHA_BYTES));
    call->tail_at = command.length;
    gw_resp_put_uint(&command, key_count);
    redis_put_all(&command, keys, key_count);
    redis_put_all(&command, arguments, argument_count);
    if (payload_bytes.at && !payload) {
        gw_resp_put(&command, payload_bytes);
    } else if (payload_bytes.at) {
        gw_resp_put_length(&command, payload_bytes.length);
        call->payload_bytes = payload_bytes;
        call->payload = gw_block_ref(payload);
        store->payloads_bytes += payload_bytes.length;
    }
    return redis_dispatch(call, &command, done, owner);
}

struct gw_store_call *gw_store_get(struct gw_store *store, struct gw_slice key, gw_store_done *done, void *owner)
{
    struct gw_store_call *call = redis_begin(store, GW_REDIS_LABEL_GET, 2 * (key.length + 3 * GW_RESP_ARGUMENT_BYTES),
                                             0);
    if (!call)
        return redis_skipped(store, GW_REDIS_LABEL_GET);
    struct gw_buffer command = gw_buffer_over(call->command, call->capacity);
    gw_resp_begin(&command, 2);
    gw_resp_put(&command, GW_SLICE("PTTL"));
    gw_resp_put(&command, key);
    if (!redis_dispatch(call, &command, done, owner))
        return NULL;
    struct gw_buffer second = gw_buffer_over(call->command + call->length, call->capacity - call->length);
    gw_resp_begin(&second, 2);
    gw_resp_put(&second, GW_SLICE("GET"));
    gw_resp_put(&second, key);
    if (!redis_ask(call, gw_buffer_slice(&second)))
        gw_link_break(&store->link, GW_BREAKER_LOST); /* out of memory */
    return call;
}

struct gw_store_call *gw_store_set(struct gw_store *store, struct gw_slice key, struct gw_slice value, int64_t life_ms,
                                   gw_store_done *done, void *owner)
{
    struct gw_store_call *call = redis_begin(store, GW_REDIS_LABEL_SET,
                                             key.length + value.length + 6 * GW_RESP_ARGUMENT_BYTES, 0);
    if (!call)
        return redis_skipped(store, GW_REDIS_LABEL_SET);
    struct gw_buffer command = gw_buffer_over(call->command, call->capacity);
    gw_resp_begin(&command, value.at ? 5 : 2);
    gw_resp_put(&command, value.at ? GW_SLICE("SET") : GW_SLICE("DEL"));
    gw_resp_put(&command, key);
    if (value.at) {
        gw_resp_put(&command, value);
        gw_resp_put(&command, GW_SLICE("PX"));
        gw_resp_put_uint(&command, life_ms > 0 ? (uint64_t)life_ms : 1);
    }
    return redis_dispatch(call, &command, done, owner);
}

void gw_store_cancel(struct gw_store_call **call)
{
    if (*call) {
        GW_CHECK(redis_call_check(*call));
        (*call)->done = NULL;
    }
    *call = NULL;
}

/* ---- the connection ---- */

bool gw_store_is_up(const struct gw_store *store)
{
    return gw_link_is_up(&store->link) && !gw_breaker_is_open(store->breaker);
}

static void redis_on_up(void *context)
{
    struct gw_store *store = GW_FROM_CONTEXT(context, struct gw_store, STORE_MAGIC);
    gw_counter_add(&store->shard->redis_connects, 1);
}

static void redis_on_down(void *context, enum gw_breaker_reason reason)
{
    struct gw_store *store = GW_FROM_CONTEXT(context, struct gw_store, STORE_MAGIC);
    if (reason != GW_BREAKER_NONE)
        gw_breaker_open(store->breaker, reason, gw_link_said(&store->link), gw_clock_monotonic_us());
}

struct gw_store *gw_store_open(const struct gw_store_setup *setup)
{
    struct gw_store *store = calloc(1, sizeof(*store));
    if (!store)
        return NULL;
    store->magic = GW_MAGIC(STORE_MAGIC);
    gw_free_list_init(&store->free, sizeof(struct gw_store_call), REDIS_KEPT_CALLS, NULL);
    store->config = setup->config;
    store->shard = setup->shard;
    store->breaker = setup->breaker;
    struct gw_buffer name = gw_buffer_over(store->client_name, sizeof(store->client_name) - 1);
    gw_buffer_put_string(&name, setup->client_name);
    const struct gw_link_setup link = {
        .loop = setup->loop,
        .timers = setup->timers,
        .node = setup->node,
        .config = setup->config,
        .client_name = store->client_name,
        .scripts = &store->scripts,
        .least_wait_ms = REDIS_LEAST_WAIT_MS,
        .most_wait_ms = REDIS_MOST_WAIT_MS,
        .on_up = redis_on_up,
        .on_down = redis_on_down,
        .context = store,
    };
    if (!gw_scripts_init(&store->scripts) || !gw_link_open(&store->link, &link)) {
        free(store);
        return NULL;
    }
    return store;
}

void gw_store_close(struct gw_store *store)
{
    gw_link_close(&store->link);
}

void gw_store_free(struct gw_store **store)
{
    struct gw_store *gone = *store;
    *store = NULL;
    if (!gone)
        return;
    GW_CHECK_MAGIC(gone, STORE_MAGIC);
    GW_CHECK(!gone->pending && !gone->payloads_bytes);
    gone->magic = GW_NO_MAGIC;
    gw_link_free(&gone->link);
    gw_free_list_trim(&gone->free, 0);
    free(gone);
}
