#include "store/link.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include "base/check.h"
#include "base/clock.h"
#include "store/node.h"
#include "store/tls.h"
#include "store/wire.h"

/* How much hiredis reads at once; a read that fills it has probably left more. */
enum { LINK_READ_BYTES = 16 * 1024, LINK_READS = 64 };
/* Room for a reply's line and length beside its text. */
enum { LINK_SLACK_BYTES = 2 * LINK_READ_BYTES };
/* A connection that lived so long is made again at once; otherwise the attempts count. */
enum { LINK_LIVED_US = 1000 * 1000 };
enum { LINK_PEEK_BYTES = 64, LINK_LAST_BYTES = 1024 };
enum { LINK_MAGIC = 0x4c494e4b, WIRE_MAGIC = 0x57495245, ASKED_MAGIC = 0x41534b44 };

static void link_connect_next(struct gw_link *link);
static void link_on_prepare(uv_prepare_t *prepare);

/* What holds whenever the loop calls this file, by state. Always true: what does not hold ends the process. */
static bool link_check(const struct gw_link *link)
{
    GW_CHECK_MAGIC(link, LINK_MAGIC);
    GW_CHECK(link->flushed <= link->asked);
    switch (link->state) {
    case GW_LINK_CLOSED:
        GW_CHECK(!gw_resolver_is_asked(&link->question) && !gw_timer_is_running(&link->timer));
        break;
    case GW_LINK_WAITING: /* its timer runs, or has just ended */
        GW_CHECK(!gw_resolver_is_asked(&link->question) && !link->wire);
        break;
    case GW_LINK_RESOLVING: /* the timer may have ended: then on_down has run, and the look-up goes on */
        GW_CHECK(gw_resolver_is_asked(&link->question) && !link->wire);
        break;
    case GW_LINK_CONNECTING:
    case GW_LINK_LOGIN:
    case GW_LINK_UP:
        GW_CHECK(!gw_resolver_is_asked(&link->question) && link->wire);
        GW_CHECK_MAGIC(link->wire, WIRE_MAGIC);
        GW_CHECK(link->wire->link == link && link->wire->context);
        GW_CHECK(link->wire->is_connected == (link->state != GW_LINK_CONNECTING));
        GW_CHECK(link->state != GW_LINK_UP || link->steps_done == link->step_count);
        break;
    }
    return true;
}

uint64_t gw_link_now_us(struct gw_link *link)
{
    if (!link->turn_us)
        link->turn_us = gw_clock_monotonic_us();
    return link->turn_us;
}

static void link_arm(struct gw_link *link, uint64_t after_ms)
{
    gw_timer_start(link->setup.timers, &link->timer, after_ms);
}

static bool link_is_due(const struct gw_link *link)
{
    return link->answered < link->flushed;
}

/* ---- the end of a connection, or of an attempt ---- */

void gw_link_say(struct gw_link *link, struct gw_slice words)
{
    if (!link->said[0])
        gw_reply_quote(words, link->setup.node->password, link->said, sizeof(link->said));
}

static void link_say(struct gw_link *link, const char *words)
{
    gw_link_say(link, gw_slice_of_string(words));
}

static void link_wait_and_tell(struct gw_link *link, enum gw_breaker_reason reason)
{
    uint64_t wait_ms = link->setup.least_wait_ms;
    for (unsigned i = 0; i < link->attempts && wait_ms < link->setup.most_wait_ms; i++)
        wait_ms *= 2;
    if (wait_ms > link->setup.most_wait_ms)
        wait_ms = link->setup.most_wait_ms;
    /* Between half and all of it, so that many gateways do not come back at the same moment. */
    wait_ms -= gw_random_next(&link->random) % (wait_ms / 2 + 1);
    link->attempts++;
    link->state = GW_LINK_WAITING;
    link_arm(link, reason == GW_BREAKER_NONE ? 1 : wait_ms);
    link->setup.on_down(link->setup.context, reason);
}

static enum gw_breaker_reason link_reason_of(const struct gw_link *link, const redisContext *context)
{
    if (link->reason != GW_BREAKER_NONE || link->is_quiet)
        return link->reason;
    if (link->state == GW_LINK_CONNECTING)
        return GW_BREAKER_CONNECT;
    return context->err == REDIS_ERR_PROTOCOL || context->err == REDIS_ERR_OOM ? GW_BREAKER_NONSENSE : GW_BREAKER_LOST;
}

/* When Redis takes no further client, it says why and closes, without reading what was written meanwhile. The write
 * then sees the resulting reset first. Redis' words can still be read. */
static void link_read_last_words(struct gw_link *link, const redisContext *context, enum gw_breaker_reason *reason)
{
    char bytes[LINK_LAST_BYTES];
    ssize_t length = recv(context->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    const char *end = length > 1 && *bytes == '-' ? memchr(bytes, '\r', (size_t)length) : NULL;
    if (!end)
        return;
    struct gw_slice words = gw_slice_of(bytes + 1, (size_t)(end - bytes - 1));
    *reason = GW_BREAKER_REFUSED;
    (void)gw_reply_fault(words, reason);
    gw_link_say(link, words);
}

static void link_say_error(struct gw_link *link, const redisContext *context)
{
    int error = 0;
    socklen_t size = sizeof(error);
    if (context->err && context->err != REDIS_ERR_EOF)
        link_say(link, context->errstr);
    else if (!context->err && getsockopt(context->fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error)
        link_say(link, uv_strerror(uv_translate_sys_error(error)));
}

/* The connection ends: finds the reason and the words for it. */
static enum gw_breaker_reason link_explain(struct gw_link *link, const redisContext *context)
{
    enum gw_breaker_reason reason = link_reason_of(link, context);
    bool is_in_login = reason == GW_BREAKER_LOST && link->state == GW_LINK_LOGIN;
    bool is_made = link->state == GW_LINK_UP;
    char words[GW_BREAKER_SAID_BYTES];
    gw_tls_take_error(words, sizeof(words));
    if (*words && !is_made && (reason == GW_BREAKER_LOST || reason == GW_BREAKER_CONNECT))
        reason = GW_BREAKER_TLS;
    if (*words)
        link_say(link, words);
    else if (is_in_login && !link->answered && !link->setup.node->is_tls)
        link_read_last_words(link, context, &reason);
    if (is_in_login)
        link_say(link, link->setup.node->is_tls || link->setup.node->is_unix
                           ? "before the log-in was answered"
                           : "before the log-in was answered, as a port does that wants TLS");
    link_say_error(link, context);
    return reason;
}

/* The connection is gone, for whatever reason. */
static void link_ended(struct gw_link *link, enum gw_breaker_reason reason)
{
    bool was_connecting = link->state == GW_LINK_CONNECTING;
    bool has_lived = link->state == GW_LINK_UP && gw_clock_monotonic_us() - link->up_at_us >= LINK_LIVED_US;
    link->wire = NULL;
    gw_timer_stop(&link->timer);
    if (link->state == GW_LINK_CLOSED)
        return;
    if (was_connecting) {
        if (link->first_reason == GW_BREAKER_NONE)
            link->first_reason = reason;
        reason = link->first_reason;
        if (link->next_address < link->found.count) {
            link_connect_next(link);
            return;
        }
    }
    if (has_lived)
        link->attempts = 0;
    else if (reason == GW_BREAKER_NONE)
        reason = GW_BREAKER_LOST; /* a connection that is closed again and again must be reported */
    link_wait_and_tell(link, reason);
}

static void link_free_wire(uv_handle_t *handle)
{
    struct gw_link_wire *wire = (struct gw_link_wire *)(void *)handle;
    GW_CHECK_MAGIC(wire, WIRE_MAGIC);
    wire->magic = GW_NO_MAGIC;
    free(wire);
}

/* hiredis gives up the connection; 1.x may call this twice. */
static void link_on_cleanup(void *data)
{
    struct gw_link_wire *wire = GW_FROM_CONTEXT(data, struct gw_link_wire, WIRE_MAGIC);
    struct gw_link *link = wire->link;
    if (!wire->context)
        return;
    enum gw_breaker_reason reason = link_explain(link, &wire->context->c);
    wire->context->ev.cleanup = NULL;
    wire->context = NULL;
    uv_close((uv_handle_t *)&wire->poll, link_free_wire);
    link_ended(link, reason);
}

void gw_link_drop(struct gw_link *link, enum gw_breaker_reason reason)
{
    if (!link->wire)
        return;
    if (link->reason == GW_BREAKER_NONE && !link->is_quiet)
        link->reason = reason;
    /* Within one of its callbacks hiredis frees the context when the callback returns. */
    redisAsyncFree(link->wire->context);
}

void gw_link_break(struct gw_link *link, enum gw_breaker_reason reason)
{
    if (link->reason == GW_BREAKER_NONE)
        link->reason = reason;
    uv_prepare_start(&link->prepare, link_on_prepare);
}

static void link_drop_quietly(struct gw_link *link)
{
    link->is_quiet = true;
    gw_link_drop(link, GW_BREAKER_NONE);
}

/* ---- asking ---- */

static void link_on_reply(redisAsyncContext *context, void *answer, void *data)
{
    struct gw_link_asked *asked = GW_FROM_CONTEXT(data, struct gw_link_asked, ASKED_MAGIC);
    struct gw_link *link = asked->link;
    GW_CHECK_MAGIC(link, LINK_MAGIC);
    GW_CHECK(link->wire && link->wire->context == context);
    if (!answer) {
        asked->on_reply(asked, NULL);
        return;
    }
    link->answered++;
    bool is_early = link->answered > link->flushed;
    bool is_surplus = link->answered == link->flushed && context->c.reader->len > context->c.reader->pos;
    asked->on_reply(asked, is_early ? NULL : &link->reply);
    if (is_early || is_surplus)
        gw_link_drop(link, GW_BREAKER_NONSENSE);
}

bool gw_link_put(struct gw_link *link, struct gw_link_asked *asked, struct gw_slice command, struct gw_slice last)
{
    redisAsyncContext *context = link->wire ? link->wire->context : NULL;
    if (!context)
        return false;
    asked->magic = GW_MAGIC(ASKED_MAGIC);
    asked->link = link;
    if (redisAsyncFormattedCommand(context, link_on_reply, asked, command.at, command.length) != REDIS_OK)
        return false;
    link->asked++;
    /* If hiredis found no memory for a callback, every later answer would belong to the wrong question. */
    if (!context->replies.tail || context->replies.tail->privdata != asked) {
        gw_link_break(link, GW_BREAKER_LOST);
        return false;
    }
    if (last.at && (redisAppendFormattedCommand(&context->c, last.at, last.length) != REDIS_OK ||
                    redisAppendFormattedCommand(&context->c, "\r\n", 2) != REDIS_OK))
        gw_link_break(link, GW_BREAKER_LOST); /* the command's on_reply gets NULL */
    return true;
}

bool gw_link_ask(struct gw_link *link, struct gw_link_asked *asked, struct gw_slice command, struct gw_slice last)
{
    return link->state == GW_LINK_UP && link->reason == GW_BREAKER_NONE && !link->is_quiet &&
           gw_link_put(link, asked, command, last);
}

/* ---- reading and writing ---- */

static void link_on_poll(uv_poll_t *poll, int status, int events);

static void link_watch(struct gw_link_wire *wire)
{
    if (wire->is_polled_to_write == wire->wants_write)
        return;
    wire->is_polled_to_write = wire->wants_write;
    uv_poll_start(&wire->poll, UV_READABLE | (wire->wants_write ? UV_WRITABLE : 0), link_on_poll);
}

void gw_link_flush(struct gw_link *link)
{
    struct gw_link_wire *wire = link->wire;
    link->turn_us = 0;
    if (link->reason != GW_BREAKER_NONE)
        gw_link_drop(link, link->reason);
    if (link->wire != wire || !wire || !wire->is_connected)
        return;
    if (!link_is_due(link))
        link->quiet_from_us = gw_link_now_us(link);
    link->flushed = link->asked;
    wire->is_flushing = true;
    wire->wants_write = false;
    redisAsyncHandleWrite(wire->context);
    link->turn_us = 0;
    if (link->wire != wire)
        return;
    wire->is_flushing = false;
    link_watch(wire);
    if (link->state == GW_LINK_UP && link_is_due(link) && !gw_timer_is_running(&link->timer))
        link_arm(link, link->setup.config->redis_timeout_ms);
}

static void link_on_prepare(uv_prepare_t *prepare)
{
    struct gw_link *link = GW_FROM_CONTEXT(prepare->data, struct gw_link, LINK_MAGIC);
    GW_CHECK(link_check(link));
    uv_prepare_stop(prepare);
    gw_link_flush(link);
}

static void link_on_add_write(void *data)
{
    struct gw_link_wire *wire = GW_FROM_CONTEXT(data, struct gw_link_wire, WIRE_MAGIC);
    wire->wants_write = true;
    /* The rest of a partial write waits for the socket; new commands wait for the turn's end. */
    if (!wire->is_flushing && wire->is_connected && !wire->is_polled_to_write)
        uv_prepare_start(&wire->link->prepare, link_on_prepare);
}

static void link_on_delete_write(void *data)
{
    struct gw_link_wire *wire = GW_FROM_CONTEXT(data, struct gw_link_wire, WIRE_MAGIC);
    wire->wants_write = false;
}

/* Bytes came though nothing was asked: the end of the connection, or an unwanted answer. */
static void link_read_unasked(struct gw_link *link)
{
    char byte;
    ssize_t length = recv(link->wire->context->c.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (length <= 0 || link->setup.node->is_tls) /* TLS ends with a goodbye of its own */
        link_drop_quietly(link);
    else
        gw_link_drop(link, GW_BREAKER_NONSENSE);
}

/* The first bytes show that the other side is no Redis; hiredis' error does not say so. */
static void link_look_at_first_bytes(struct gw_link *link)
{
    char bytes[LINK_PEEK_BYTES];
    ssize_t length = link->setup.node->is_tls || link->answered
                         ? 0
                         : recv(link->wire->context->c.fd, bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT);
    if (length <= 0 || strchr("+-:$*", *bytes))
        return;
    if ((*bytes == 0x15 || *bytes == 0x16) && (length < 2 || bytes[1] == 3)) {
        link_say(link, "it speaks TLS: rediss:// may be meant");
        return;
    }
    size_t line = 0;
    while (line < (size_t)length && bytes[line] != '\r' && bytes[line] != '\n')
        line++;
    gw_link_say(link, gw_slice_of(bytes, line));
}

static void link_read_all(struct gw_link *link)
{
    struct gw_link_wire *wire = link->wire;
    for (unsigned i = 0; i < LINK_READS; i++) {
        if (!link_is_due(link)) {
            if (i == 0)
                link_read_unasked(link);
            return;
        }
        if (link->state == GW_LINK_LOGIN)
            link_look_at_first_bytes(link);
        redisReader *reader = wire->context->c.reader;
        size_t before = reader->len - reader->pos;
        redisAsyncHandleRead(wire->context);
        if (link->wire != wire)
            return;
        link->quiet_from_us = gw_link_now_us(link);
        size_t left = reader->len - reader->pos;
        if (left > link->text_bound + LINK_SLACK_BYTES) {
            gw_link_drop(link, GW_BREAKER_NONSENSE);
            return;
        }
        if (left < before + LINK_READ_BYTES)
            return;
    }
}

static void link_on_connect(const redisAsyncContext *context, int status)
{
    struct gw_link_wire *wire = GW_FROM_CONTEXT(context->ev.data, struct gw_link_wire, WIRE_MAGIC);
    if (status != REDIS_OK)
        return; /* on_cleanup follows */
    wire->is_connected = true;
    wire->link->state = GW_LINK_LOGIN;
    wire->link->said[0] = '\0'; /* the words about other addresses no longer count */
}

static void link_finish_connecting(struct gw_link *link)
{
    struct gw_link_wire *wire = link->wire;
    link->flushed = link->asked;
    wire->is_flushing = true;
    wire->wants_write = false;
    redisAsyncHandleWrite(wire->context);
    if (link->wire != wire)
        return;
    wire->is_flushing = false;
    if (wire->is_connected)
        link_watch(wire);
}

static void link_on_poll(uv_poll_t *poll, int status, int events)
{
    struct gw_link_wire *wire = (struct gw_link_wire *)(void *)poll;
    GW_CHECK_MAGIC(wire, WIRE_MAGIC);
    struct gw_link *link = wire->link;
    GW_CHECK(link_check(link));
    GW_CHECK(link->wire == wire);
    link->turn_us = 0;
    if (status < 0) {
        gw_link_drop(link, GW_BREAKER_NONE);
    } else if (!wire->is_connected) {
        link_finish_connecting(link);
    } else {
        if (events & UV_WRITABLE)
            gw_link_flush(link);
        if ((events & UV_READABLE) && link->wire == wire)
            link_read_all(link);
    }
    link->turn_us = 0; /* commands of a later turn read the time anew */
}

/* ---- connecting ---- */

static redisAsyncContext *link_begin_context(struct gw_link *link, unsigned address)
{
    const struct gw_redis_node *node = link->setup.node;
    char text[GW_RESOLVER_TEXT_BYTES];
    gw_resolver_print(&link->found.list[address], text);
    redisAsyncContext *context = node->is_unix ? redisAsyncConnectUnix(node->host.at)
                                               : redisAsyncConnect(text, node->port);
    if (!context)
        return NULL;
    if (context->err || !gw_tls_begin(link->tls, node, &context->c)) {
        char words[GW_BREAKER_SAID_BYTES];
        gw_tls_take_error(words, sizeof(words));
        link_say(link, *words ? words : context->c.errstr);
        if (link->first_reason == GW_BREAKER_NONE)
            link->first_reason = *words ? GW_BREAKER_TLS : GW_BREAKER_CONNECT;
        redisAsyncFree(context);
        return NULL;
    }
    gw_node_set_up_socket(node, context->c.fd);
    return context;
}

static bool link_begin_wire(struct gw_link *link, unsigned address)
{
    struct gw_link_wire *wire = calloc(1, sizeof(*wire));
    redisAsyncContext *context = wire ? link_begin_context(link, address) : NULL;
    if (!context || uv_poll_init(link->setup.loop, &wire->poll, context->c.fd) != 0) {
        if (context)
            redisAsyncFree(context);
        free(wire);
        return false;
    }
    wire->magic = GW_MAGIC(WIRE_MAGIC);
    wire->link = link;
    wire->context = context;
    wire->is_polled_to_write = true;
    context->ev.data = wire;
    context->ev.addWrite = link_on_add_write;
    context->ev.delWrite = link_on_delete_write;
    context->ev.cleanup = link_on_cleanup;
    gw_reply_attach(&link->reply, context->c.reader);
    redisAsyncSetConnectCallback(context, link_on_connect);
    link->wire = wire;
    link->reason = GW_BREAKER_NONE;
    link->is_quiet = false;
    link->asked = link->flushed = link->answered = 0;
    uv_poll_start(&wire->poll, UV_READABLE | UV_WRITABLE, link_on_poll);
    return true;
}

static void link_connect_next(struct gw_link *link)
{
    link->state = GW_LINK_CONNECTING;
    while (link->next_address < link->found.count) {
        if (!link_begin_wire(link, link->next_address++))
            continue;
        link_arm(link, link->setup.config->redis_connect_timeout_ms);
        if (!gw_login_begin(link))
            gw_link_drop(link, GW_BREAKER_CONNECT);
        return;
    }
    gw_timer_stop(&link->timer);
    link_wait_and_tell(link, link->first_reason == GW_BREAKER_NONE ? GW_BREAKER_CONNECT : link->first_reason);
}

static void link_on_found(struct gw_resolver_question *question, const struct gw_resolver_addresses *found)
{
    struct gw_link *link = GW_CONTAINER(question, struct gw_link, question);
    GW_CHECK_MAGIC(link, LINK_MAGIC);
    GW_CHECK(link->state == GW_LINK_RESOLVING && !link->wire);
    link->found = *found;
    if (!found->count)
        link_say(link, found->error ? uv_strerror(found->error) : "its name has no address");
    link_connect_next(link);
}

static void link_begin(struct gw_link *link)
{
    link->next_address = 0;
    link->said[0] = '\0';
    link->first_reason = GW_BREAKER_NONE;
    switch (gw_node_resolve(link->setup.node, &link->resolver, &link->question, &link->found)) {
    case GW_RESOLVER_KNOWN:
        link_connect_next(link);
        break;
    case GW_RESOLVER_ASKED:
        link->state = GW_LINK_RESOLVING;
        link_arm(link, link->setup.config->redis_connect_timeout_ms);
        break;
    case GW_RESOLVER_OVERLOAD:
        link_wait_and_tell(link, GW_BREAKER_CONNECT);
        break;
    }
}

void gw_link_logged_in(struct gw_link *link)
{
    link->state = GW_LINK_UP;
    link->up_at_us = gw_link_now_us(link);
    gw_timer_stop(&link->timer);
    link->setup.on_up(link->setup.context);
}

/* The timer runs on while answers come: this checks whether an answer has been due for too long. */
static void link_check_silence(struct gw_link *link)
{
    uint64_t timeout_us = (uint64_t)link->setup.config->redis_timeout_ms * 1000, now_us = gw_clock_monotonic_us();
    uint64_t quiet_us = now_us > link->quiet_from_us ? now_us - link->quiet_from_us : 0;
    char byte;
    if (!link_is_due(link))
        return;
    if (quiet_us < timeout_us) {
        link_arm(link, (timeout_us - quiet_us) / 1000 + 1);
    } else if (recv(link->wire->context->c.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0) {
        link_arm(link, 1); /* this loop was slow, not Redis: the bytes that came are read first */
    } else {
        link_say(link, "nothing came for redis.timeout");
        gw_link_drop(link, GW_BREAKER_SILENT);
    }
}

static void link_on_due(struct gw_timer *timer)
{
    struct gw_link *link = GW_CONTAINER(timer, struct gw_link, timer);
    GW_CHECK(link_check(link));
    switch (link->state) {
    case GW_LINK_CLOSED:
        break;
    case GW_LINK_WAITING:
        link_begin(link);
        break;
    case GW_LINK_RESOLVING: /* reported, but the look-up goes on: another attempt would wait behind it */
        link_say(link, "its name is still looked up");
        link->setup.on_down(link->setup.context, GW_BREAKER_CONNECT);
        link->said[0] = '\0';
        break;
    case GW_LINK_CONNECTING:
        link_say(link, "no connection within redis.connect_timeout");
        gw_link_drop(link, GW_BREAKER_CONNECT);
        break;
    case GW_LINK_LOGIN:
        link_say(link, link->setup.node->is_tls ? "no TLS handshake or log-in within redis.connect_timeout"
                                                : "no answer to the log-in within redis.connect_timeout");
        gw_link_drop(link, GW_BREAKER_SILENT);
        break;
    case GW_LINK_UP:
        link_check_silence(link);
        break;
    }
}

/* ---- open and close ---- */

bool gw_link_open(struct gw_link *link, const struct gw_link_setup *setup)
{
    const struct gw_config *config = setup->config;
    *link = (struct gw_link) { .magic = GW_MAGIC(LINK_MAGIC), .setup = *setup, .state = GW_LINK_WAITING };
    if (!gw_tls_create(config, setup->node, &link->tls))
        return false;
    if (uv_prepare_init(setup->loop, &link->prepare) != 0) {
        gw_tls_destroy(&link->tls);
        return false;
    }
    link->prepare.data = link;
    /* Room for a stored response: its body, and beside it two heads and a URL. */
    link->text_bound = config->max_object_bytes + 2 * config->max_response_header_bytes + config->max_header_bytes +
                       config->max_request_line_bytes;
    if (link->text_bound < GW_STORE_TEXT_BYTES)
        link->text_bound = GW_STORE_TEXT_BYTES;
    gw_reply_init(&link->reply, link->text_bound);
    gw_resolver_init(&link->resolver, setup->loop, 0);
    gw_resolver_init_question(&link->question, link_on_found);
    gw_random_init(&link->random);
    gw_timer_init(&link->timer, link_on_due);
    link_arm(link, 0);
    return true;
}

void gw_link_close(struct gw_link *link)
{
    GW_CHECK(link_check(link));
    if (link->state == GW_LINK_CLOSED)
        return;
    link->state = GW_LINK_CLOSED;
    gw_timer_stop(&link->timer);
    gw_resolver_cancel(&link->question);
    gw_resolver_close(&link->resolver);
    link_drop_quietly(link);
    uv_close((uv_handle_t *)&link->prepare, NULL);
}

void gw_link_free(struct gw_link *link)
{
    GW_CHECK_MAGIC(link, LINK_MAGIC);
    GW_CHECK(link->state == GW_LINK_CLOSED && !link->wire);
    link->magic = GW_NO_MAGIC;
    gw_resolver_free(&link->resolver);
    gw_reply_free(&link->reply);
    gw_tls_destroy(&link->tls);
}
