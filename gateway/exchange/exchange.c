#include "exchange/engine.h"

#include "base/clock.h"
#include "base/log.h"
#include "exchange/answer.h"
#include "exchange/forward.h"
#include "exchange/route.h"

enum { FIELDS_BYTES = 4096 };

typedef void action(struct gw_exchange *exchange);
static action start_fetch, wait, answer_here, record, decide_again, answer_fetched, settle, answer_settled, give_back,
    decide;

static const struct {
    enum gw_exchange_state then;
    action *by;
} moves[GW_EXCHANGE_STATES][GW_EXCHANGE_EVENTS] = {
#define MOVE(in, when, next, action) [GW_EXCHANGE_##in][GW_EXCHANGE_##when] = { GW_EXCHANGE_##next, action },
    GW_EXCHANGE_MOVES(MOVE)
#undef MOVE
};

const char *gw_exchange_state_name(enum gw_exchange_state state)
{
    static const char *const names[] = {
        "DONE", "DECIDING", "WAITING", "FETCHING", "SETTLING", "ANSWERING", "RECORDING"
    };
    return state < GW_COUNT(names) ? names[state] : "none";
}

enum gw_exchange_state gw_exchange_next(enum gw_exchange_state state, enum gw_exchange_event event)
{
    return moves[state][event].by ? moves[state][event].then : GW_EXCHANGE_STATES;
}

/* The one way to change state. The action is the last thing that happens here: it may end the exchange. */
static void move(struct gw_exchange *exchange, enum gw_exchange_event event)
{
    enum gw_exchange_state before = exchange->state;
    action *by = moves[before][event].by;
    if (!by) {
        gw_log(GW_LOG_ERROR, "exchange", "no move from %s by event %d", gw_exchange_state_name(before), (int)event);
        return;
    }
    exchange->state = moves[before][event].then;
    exchange->desk->in_state[before]--;
    exchange->desk->in_state[exchange->state]++;
    by(exchange);
}

/* ---- beginning ---- */

static bool prepare(struct gw_exchange *exchange)
{
    char *memory = gw_arena_take(&exchange->arena, FIELDS_BYTES);
    exchange->fields = gw_buffer_over(memory, memory ? FIELDS_BYTES : 0);
    gw_counter_add(&exchange->desk->shard->requests_in_flight, 1);
    return memory != NULL;
}

void gw_exchange_begin(struct gw_exchange *exchange)
{
    const struct gw_head *request = &exchange->request;
    bool has_body = request->framing == GW_FRAMING_CHUNKED ||
                    (request->framing == GW_FRAMING_LENGTH && request->content_length);
    exchange->body = has_body ? GW_BODY_HELD : GW_BODY_ENDED;
    exchange->keep_alive = request->keep_alive;
    if (!prepare(exchange))
        exchange->error = GW_ERROR_OVERLOADED;
    exchange->route = gw_route_pick(exchange->config, request);
    move(exchange, GW_EXCHANGE_BEGUN);
}

void gw_exchange_refuse(struct gw_exchange *exchange, enum gw_error error)
{
    exchange->body = GW_BODY_DISCARDING;
    exchange->error = error;
    exchange->request.version_minor = 1;
    prepare(exchange);
    move(exchange, GW_EXCHANGE_BEGUN);
}

/* ---- deciding ---- */

typedef enum gw_filter_result step(struct gw_exchange *exchange);

static void go_on(struct gw_exchange *exchange);

/* Asks each filter of one step in the table's order. ANSWERED ends it; ASKED is counted. */
static bool is_answered_by(struct gw_exchange *exchange, size_t step_at)
{
    for (const struct gw_filter *const *filter = exchange->desk->filters; *filter; filter++) {
        step *ask = *(step *const *)(const void *)((const char *)*filter + step_at);
        enum gw_filter_result result = ask ? ask(exchange) : GW_FILTER_CONTINUE;
        if (result == GW_FILTER_ANSWERED) {
            move(exchange, GW_EXCHANGE_ANSWERED);
            return true;
        }
        if (result == GW_FILTER_ASKED)
            exchange->questions++;
    }
    return false;
}

static void conclude(struct gw_exchange *exchange)
{
    if (is_answered_by(exchange, offsetof(struct gw_filter, on_answers)))
        return;
    if (!exchange->fetch_allowed) { /* once: what it asks is answered by on_answers */
        exchange->fetch_allowed = true;
        if (is_answered_by(exchange, offsetof(struct gw_filter, before_fetch)))
            return;
    }
    if (exchange->questions)
        move(exchange, GW_EXCHANGE_SUSPENDED);
    else
        go_on(exchange);
}

static void decide(struct gw_exchange *exchange)
{
    if (is_answered_by(exchange, offsetof(struct gw_filter, on_request)))
        return;
    if (exchange->questions)
        move(exchange, GW_EXCHANGE_SUSPENDED);
    else
        conclude(exchange);
}

static void decide_again(struct gw_exchange *exchange)
{
    gw_timer_stop(&exchange->timer);
    conclude(exchange);
}

void gw_exchange_answered(struct gw_exchange *exchange)
{
    if (exchange->questions && --exchange->questions == 0 && exchange->state == GW_EXCHANGE_WAITING)
        move(exchange, GW_EXCHANGE_RESUMED);
}

static void on_cache_answer(void *owner, const struct gw_shared_answer *answer)
{
    struct gw_exchange *exchange = owner;
    exchange->cache_question = NULL;
    exchange->entry = answer->entry;
    exchange->cache_hit_for_miss = answer->is_hit_for_miss;
    exchange->seen = answer->seen;
    gw_exchange_answered(exchange);
}

bool gw_exchange_look_up(struct gw_exchange *exchange)
{
    struct gw_desk *desk = exchange->desk;
    uint64_t now_us = gw_clock_monotonic_us();
    enum gw_near_result result = GW_NEAR_MISS;
    exchange->epoch = gw_near_epoch(desk->near, &exchange->key);
    if (exchange->cache.may_look_up)
        result = gw_near_get(desk->near, &exchange->key, &exchange->cache, &exchange->request, now_us,
                             &exchange->entry);
    exchange->cache_hit_for_miss = result == GW_NEAR_HIT_FOR_MISS;
    if (exchange->entry || !desk->shared || !(exchange->cache.may_look_up || exchange->cache.may_store))
        return false;
    exchange->cache_question = gw_shared_ask(desk->shared, &exchange->key, &exchange->cache, &exchange->request,
                                             on_cache_answer, exchange);
    return exchange->cache_question != NULL;
}

/* ---- flights ---- */

static void on_landed(void *owner)
{
    struct gw_exchange *exchange = owner;
    exchange->waiter = NULL;
    if (gw_exchange_look_up(exchange)) {
        exchange->questions++;
        wait(exchange);
    } else {
        move(exchange, GW_EXCHANGE_RESUMED);
    }
}

/* A miss: who asks the backend? */
static void go_on(struct gw_exchange *exchange)
{
    struct gw_desk *desk = exchange->desk;
    if (!exchange->cache_asked || !exchange->cache.may_join || exchange->cache_hit_for_miss || exchange->fetch_alone) {
        move(exchange, GW_EXCHANGE_PASSED);
        return;
    }
    struct gw_flight_ask ask = { .key = &exchange->key,
                                 .worker = desk->worker,
                                 .mailbox = desk->mailbox,
                                 .on_landed = on_landed,
                                 .owner = exchange };
    switch (gw_flight_enter(desk->fetcher->flights, &ask)) {
    case GW_FLIGHT_LEAD:
        exchange->flight = ask.flight;
        break;
    case GW_FLIGHT_LOCAL:
        exchange->joined = gw_fetch_join(ask.fetch, &exchange->reader);
        break;
    case GW_FLIGHT_WAIT:
        exchange->waiter = ask.waiter;
        move(exchange, GW_EXCHANGE_SUSPENDED);
        return;
    case GW_FLIGHT_ALONE:
        break;
    }
    move(exchange, GW_EXCHANGE_PASSED);
}

static void wait(struct gw_exchange *exchange)
{
    unsigned after_ms = exchange->questions ? exchange->config->redis_timeout_ms : exchange->config->flight_wait_ms;
    gw_timer_start(exchange->desk->timers, &exchange->timer, after_ms);
}

/* The deadline of all questions has passed: what is unknown is decided here. */
static void give_up_questions(struct gw_exchange *exchange)
{
    if (exchange->limit_question)
        gw_limit_give_up(&exchange->limit_question, gw_clock_monotonic_us());
    gw_shared_forget(&exchange->cache_question);
    exchange->questions = 0;
}

void gw_exchange_on_timer(struct gw_timer *timer)
{
    struct gw_exchange *exchange = GW_CONTAINER(timer, struct gw_exchange, timer);
    if (exchange->state == GW_EXCHANGE_WAITING) {
        if (exchange->questions) {
            give_up_questions(exchange);
        } else {
            exchange->fetch_alone = true;
            gw_flight_forget(exchange->desk->fetcher->flights, &exchange->waiter);
        }
        move(exchange, GW_EXCHANGE_RESUMED);
    } else if (exchange->state == GW_EXCHANGE_FETCHING && exchange->joined) {
        exchange->fetch_alone = true;
        gw_fetch_leave(&exchange->reader);
        move(exchange, GW_EXCHANGE_RELEASED);
    } else if (exchange->state == GW_EXCHANGE_SETTLING) {
        gw_shared_forget(&exchange->cache_question);
        move(exchange, GW_EXCHANGE_SETTLED);
    }
}

/* ---- fetching ---- */

static void land(struct gw_exchange *exchange)
{
    if (exchange->flight)
        gw_flight_land(exchange->desk->fetcher->flights, &exchange->flight);
}

static void fail_fetch(struct gw_exchange *exchange, enum gw_error error)
{
    land(exchange);
    gw_exchange_answer_error(exchange, error);
    move(exchange, GW_EXCHANGE_ANSWERED);
}

struct gw_cache_rules gw_exchange_cache_rules(const struct gw_exchange *exchange)
{
    const struct gw_config *config = exchange->config;
    return (struct gw_cache_rules) {
        .default_ttl_s = exchange->route->default_ttl_s,
        .with_credentials = config->cache_with_credentials,
        .credential_fields = config->credential_fields.items,
        .credential_field_count = config->credential_fields.count,
    };
}

static void begin_fetch(struct gw_exchange *exchange)
{
    struct gw_desk *desk = exchange->desk;
    const struct gw_head *request = &exchange->request;
    bool may_store = exchange->cache_asked && exchange->cache.may_store;
    struct gw_buffer fields = gw_buffer_over(desk->scratch, desk->scratch_bytes);
    gw_forward_put_fields(exchange, may_store && exchange->cache.may_join, &fields);
    if (fields.overflowed) {
        fail_fetch(exchange, GW_ERROR_HEAD_TOO_LARGE);
        return;
    }
    struct gw_fetch_request ask = {
        .config = exchange->config,
        .route = exchange->route,
        .method = request->method,
        .method_text = request->method_text,
        .path = request->path,
        .query = request->query,
        .host = request->authority,
        .fields = gw_buffer_slice(&fields),
        .has_body = request->framing != GW_FRAMING_NONE,
        .is_chunked = request->framing == GW_FRAMING_CHUNKED,
        .content_length = request->framing == GW_FRAMING_LENGTH ? request->content_length : 0,
        .expects_continue = request->expects_continue && exchange->body == GW_BODY_HELD,
        .may_store = may_store,
    };
    if (may_store) {
        ask.head = request;
        ask.cache = exchange->cache;
        ask.rules = gw_exchange_cache_rules(exchange);
        ask.key = exchange->key;
        ask.epoch = exchange->epoch;
        ask.seen = exchange->seen;
        ask.flight = exchange->flight;
    }
    enum gw_error error = gw_fetch_begin(desk->fetcher, &ask, &exchange->reader);
    if (error)
        fail_fetch(exchange, error);
    else
        exchange->flight = NULL;
}

static void start_fetch(struct gw_exchange *exchange)
{
    gw_timer_stop(&exchange->timer);
    if (!exchange->joined) {
        begin_fetch(exchange);
        return;
    }
    if (!exchange->fetch_alone) {
        gw_timer_start(exchange->desk->timers, &exchange->timer, exchange->config->flight_wait_ms);
        gw_fetch_resume(&exchange->reader);
    } else { /* released from another's fetch */
        exchange->joined = false;
        begin_fetch(exchange);
    }
}

static struct gw_exchange *exchange_from(struct gw_reader *reader)
{
    return GW_CONTAINER(reader, struct gw_exchange, reader);
}

/* A successful unsafe method ends what is stored for its target (RFC 9111 §4.4). */
static bool invalidates(const struct gw_exchange *exchange)
{
    return exchange->desk->near && exchange->route->cache_enabled && !gw_method_is_safe(exchange->request.method) &&
           exchange->head->status >= 200 && exchange->head->status < 400;
}

static void on_reader_interim(struct gw_reader *reader, const struct gw_head *head)
{
    struct gw_exchange *exchange = exchange_from(reader);
    if (head->status == 100) {
        if (!exchange->request.expects_continue || exchange->continue_told)
            return;
        exchange->continue_told = true;
    }
    gw_answer_interim(exchange, head->status, head);
}

static void on_reader_head(struct gw_reader *reader, const struct gw_head *head)
{
    struct gw_exchange *exchange = exchange_from(reader);
    exchange->head = head;
    move(exchange, invalidates(exchange) ? GW_EXCHANGE_INVALIDATES : GW_EXCHANGE_HEAD);
}

static void on_reader_body(struct gw_reader *reader, struct gw_slice bytes, struct gw_block *block)
{
    struct gw_exchange *exchange = exchange_from(reader);
    if (exchange->state == GW_EXCHANGE_ANSWERING)
        gw_answer_add(exchange, bytes, block);
    else if (!gw_chain_push(&exchange->held, bytes,
                            block)) /* SETTLING: the upstream is paused, one block may still come */
        gw_exchange_on_gone(exchange, GW_ERROR_OVERLOADED);
}

static void on_reader_flush(struct gw_reader *reader)
{
    struct gw_exchange *exchange = exchange_from(reader);
    if (exchange->state == GW_EXCHANGE_ANSWERING)
        gw_answer_flush(exchange);
}

static void finish_if_written(struct gw_exchange *exchange)
{
    if (exchange->complete && !exchange->slow)
        move(exchange, GW_EXCHANGE_FINISHED);
}

static void on_reader_end(struct gw_reader *reader)
{
    struct gw_exchange *exchange = exchange_from(reader);
    if (exchange->state == GW_EXCHANGE_SETTLING) {
        exchange->held_end = true;
        return;
    }
    gw_answer_end(exchange);
    finish_if_written(exchange);
}

static void on_reader_fail(struct gw_reader *reader, enum gw_error error)
{
    struct gw_exchange *exchange = exchange_from(reader);
    exchange->error = error;
    if (exchange->state == GW_EXCHANGE_FETCHING || exchange->state == GW_EXCHANGE_SETTLING) {
        exchange->head = NULL;
        fail_fetch(exchange, error);
    } else if (exchange->head_due) { /* the head came with the failure: nothing is out yet */
        gw_answer_drop(exchange);
        exchange->head = NULL;
        exchange->fields.length = 0;
        exchange->body_sent = 0;
        gw_exchange_answer_error(exchange, error);
        answer_here(exchange);
    } else {
        exchange->cut = true;
        move(exchange, GW_EXCHANGE_GONE);
    }
}

static void on_reader_released(struct gw_reader *reader)
{
    struct gw_exchange *exchange = exchange_from(reader);
    exchange->fetch_alone = true;
    move(exchange, GW_EXCHANGE_RELEASED);
}

static void on_reader_want_body(struct gw_reader *reader)
{
    struct gw_exchange *exchange = exchange_from(reader);
    if (exchange->body == GW_BODY_ENDED) {
        gw_fetch_end_body(reader);
    } else if (exchange->body == GW_BODY_HELD) {
        bool is_awaited = exchange->request.expects_continue && !exchange->continue_told;
        if (is_awaited && exchange->state == GW_EXCHANGE_FETCHING) { /* within an answer, 100 would be part of it */
            exchange->continue_told = true;
            gw_answer_interim(exchange, 100, NULL);
        }
        exchange->body = GW_BODY_FLOWING;
        exchange->downstream->table->want_body(exchange->downstream);
    }
}

static bool on_reader_may_reuse(struct gw_reader *reader, const struct gw_head *response,
                                const struct gw_head *vary_values, const struct gw_cache_life *life)
{
    struct gw_exchange *exchange = exchange_from(reader);
    return gw_policy_may_reuse(&exchange->cache, &exchange->request, response, vary_values, life->age_s,
                               life->freshness_s);
}

const struct gw_reader_events gw_exchange_reader_events = {
    .on_interim = on_reader_interim,
    .on_head = on_reader_head,
    .on_body = on_reader_body,
    .on_flush = on_reader_flush,
    .on_end = on_reader_end,
    .on_fail = on_reader_fail,
    .on_released = on_reader_released,
    .on_want_body = on_reader_want_body,
    .may_reuse = on_reader_may_reuse,
};

/* ---- answering ---- */

/* A final answer ends what the request's body was doing: what still comes is thrown away, and the connection ends (a
 * state per body, so that nobody takes the rest of a body for a request). */
static void settle_body(struct gw_exchange *exchange)
{
    if (exchange->body == GW_BODY_HELD || exchange->body == GW_BODY_FLOWING || exchange->body == GW_BODY_DISCARDING) {
        exchange->body = GW_BODY_DISCARDING;
        exchange->keep_alive = false;
    }
}

static void begin_answer(struct gw_exchange *exchange)
{
    gw_timer_stop(&exchange->timer);
    if (atomic_load_explicit(exchange->desk->draining, memory_order_relaxed))
        exchange->keep_alive = false;
    for (const struct gw_filter *const *filter = exchange->desk->filters; *filter; filter++)
        if ((*filter)->on_response)
            (*filter)->on_response(exchange);
    exchange->head_due = true;
}

/* Of a stored or arriving 200: has the client what it asks for? Then 304 and no body (RFC 9110 §13.2.2). */
static bool is_not_modified(struct gw_exchange *exchange)
{
    return exchange->head && exchange->head->status == 200 &&
           gw_policy_is_not_modified(&exchange->request, exchange->head, (int64_t)(gw_clock_wall_us() / 1000000));
}

/* Made here, or from the cache. */
static void answer_here(struct gw_exchange *exchange)
{
    struct gw_entry *entry = exchange->entry;
    struct gw_slice content = exchange->content;
    struct gw_block *block = exchange->content_block;
    settle_body(exchange);
    if (entry) {
        exchange->head = &entry->head;
        exchange->status = is_not_modified(exchange) ? 304 : entry->head.status;
        content = entry->body ? gw_slice_of(entry->body->bytes, entry->body_bytes) : GW_NO_SLICE;
        block = entry->body;
    }
    gw_answer_choose_framing(exchange, GW_FRAMING_LENGTH, content.length);
    begin_answer(exchange);
    gw_answer_add(exchange, content, block);
    gw_answer_end(exchange);
    finish_if_written(exchange);
}

static void answer_fetched(struct gw_exchange *exchange)
{
    const struct gw_head *head = exchange->head;
    if (gw_fetch_is_collecting(exchange->reader.fetch) && is_not_modified(exchange)) {
        exchange->status = 304;
        gw_answer_choose_framing(exchange, GW_FRAMING_NONE, UINT64_MAX);
        begin_answer(exchange);
        gw_answer_end(exchange);
        exchange->head = NULL;
        gw_fetch_leave(&exchange->reader);
        finish_if_written(exchange);
        return;
    }
    exchange->status = head->status;
    if (exchange->body == GW_BODY_HELD || exchange->body == GW_BODY_FLOWING)
        exchange->keep_alive = false;
    gw_answer_choose_framing(exchange, head->framing, head->content_length);
    begin_answer(exchange);
}

static void on_tombstone(void *owner, const struct gw_shared_answer *answer)
{
    struct gw_exchange *exchange = owner;
    (void)answer;
    exchange->cache_question = NULL;
    move(exchange, GW_EXCHANGE_SETTLED);
}

/* The answer waits for its tombstone, redis.timeout at most: who reads it and asks again must not get what was
 * stored before. */
static void settle(struct gw_exchange *exchange)
{
    struct gw_desk *desk = exchange->desk;
    const struct gw_head *request = &exchange->request;
    gw_key_make(desk->keys, GW_SLICE("GET"), request->path, request->query, exchange->route->name, exchange->scheme,
                exchange->host, &exchange->key);
    gw_near_invalidate(desk->near, &exchange->key);
    gw_flight_detach(desk->fetcher->flights, &exchange->key);
    if (desk->shared)
        exchange->cache_question = gw_shared_invalidate(desk->shared, &exchange->key, on_tombstone, exchange);
    if (!exchange->cache_question) {
        move(exchange, GW_EXCHANGE_SETTLED);
        return;
    }
    gw_fetch_pause(&exchange->reader);
    gw_timer_start(desk->timers, &exchange->timer, exchange->config->redis_timeout_ms);
}

static void answer_settled(struct gw_exchange *exchange)
{
    answer_fetched(exchange);
    while (exchange->held.count) {
        struct gw_piece piece = *gw_chain_at(&exchange->held, 0);
        gw_answer_add(exchange, piece.bytes, piece.block);
        gw_chain_consume(&exchange->held, piece.bytes.length);
    }
    if (exchange->held_end) {
        gw_answer_end(exchange);
        finish_if_written(exchange);
        return;
    }
    gw_answer_flush(exchange);
    if (!exchange->slow)
        gw_fetch_resume(&exchange->reader);
}

void gw_exchange_on_writable(struct gw_exchange *exchange)
{
    if (!exchange->slow)
        return;
    exchange->slow = false;
    if (exchange->state != GW_EXCHANGE_ANSWERING)
        return;
    if (exchange->complete)
        move(exchange, GW_EXCHANGE_FINISHED);
    else
        gw_fetch_resume(&exchange->reader);
}

/* ---- the request's body ---- */

bool gw_exchange_on_body(struct gw_exchange *exchange, struct gw_slice bytes, struct gw_block *block)
{
    exchange->body_received += bytes.length;
    if (exchange->body_received > exchange->config->max_body_bytes && exchange->body != GW_BODY_DISCARDING) {
        gw_exchange_on_body_broken(exchange, GW_ERROR_BODY_TOO_LARGE);
        return false;
    }
    if (exchange->body != GW_BODY_FLOWING)
        return exchange->body == GW_BODY_DISCARDING;
    bool more = gw_fetch_send_body(&exchange->reader, bytes, block);
    if (!more)
        exchange->body = GW_BODY_HELD;
    return more;
}

void gw_exchange_on_body_end(struct gw_exchange *exchange)
{
    if (exchange->body == GW_BODY_FLOWING || exchange->body == GW_BODY_HELD)
        gw_fetch_end_body(&exchange->reader);
    exchange->body = GW_BODY_ENDED;
}

void gw_exchange_on_body_broken(struct gw_exchange *exchange, enum gw_error error)
{
    exchange->body = GW_BODY_DISCARDING;
    if (exchange->state == GW_EXCHANGE_FETCHING) {
        gw_fetch_leave(&exchange->reader);
        fail_fetch(exchange, error);
    } else if (exchange->state == GW_EXCHANGE_ANSWERING || exchange->state == GW_EXCHANGE_WAITING) {
        gw_exchange_on_gone(exchange, error);
    }
}

/* ---- the end ---- */

void gw_exchange_on_gone(struct gw_exchange *exchange, enum gw_error error)
{
    exchange->error = error;
    exchange->cut = true;
    move(exchange, GW_EXCHANGE_GONE);
}

static void record(struct gw_exchange *exchange)
{
    gw_timer_stop(&exchange->timer);
    gw_flight_forget(exchange->desk->fetcher->flights, &exchange->waiter);
    gw_limit_forget(&exchange->limit_question);
    gw_shared_forget(&exchange->cache_question);
    land(exchange);
    gw_fetch_leave(&exchange->reader);
    gw_answer_drop(exchange);
    gw_chain_free(&exchange->held);
    for (const struct gw_filter *const *filter = exchange->desk->filters; *filter; filter++)
        if ((*filter)->on_end)
            (*filter)->on_end(exchange);
    if (exchange->joined && exchange->error == GW_ERROR_NONE)
        gw_counter_add(&exchange->desk->shard->cache_collapsed, 1);
    gw_record_write(exchange);
    gw_counter_subtract(&exchange->desk->shard->requests_in_flight, 1);
    gw_entry_drop(exchange->entry);
    exchange->entry = NULL;
    gw_block_drop(exchange->content_block);
    exchange->content_block = NULL;
    exchange->head = NULL;
    move(exchange, GW_EXCHANGE_RECORDED);
}

static void give_back(struct gw_exchange *exchange)
{
    bool keep = exchange->keep_alive && (exchange->body == GW_BODY_NONE || exchange->body == GW_BODY_ENDED);
    enum gw_downstream_end end = exchange->cut ? GW_DOWNSTREAM_CUT : keep ? GW_DOWNSTREAM_KEEP : GW_DOWNSTREAM_CLOSE;
    exchange->downstream->table->done(exchange->downstream, end);
}
