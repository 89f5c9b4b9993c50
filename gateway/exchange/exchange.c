#include "exchange/engine.h"

#include "base/log.h"
#include "base/path.h"
#include "exchange/answer.h"
#include "exchange/worker_context.h"

enum { FIRST_FIELDS_BYTES = 2048 }; /* it grows */

typedef void action(struct gw_exchange *exchange);
/* Those of this file; the others are in engine.h. */
static action gw_engine_record, gw_engine_give_back, gw_engine_decide;

static const struct {
    enum gw_exchange_state then;
    action *by;
} moves[GW_EXCHANGE_STATES][16] = {
#define MOVE(in, when, next, action)                                                                                   \
    [GW_EXCHANGE_##in][GW_EXCHANGE_##when] = { GW_EXCHANGE_##next, gw_engine_##action },
    GW_EXCHANGE_MOVES(MOVE)
#undef MOVE
};

_Static_assert(GW_EXCHANGE_EVENTS <= GW_COUNT(moves[0]), "an event has no place in the table");

const char *gw_exchange_state_name(enum gw_exchange_state state)
{
    static const char *const names[] = { "DONE",    "DECIDING", "WAITING",   "FETCHING",
                                         "HOLDING", "SETTLING", "ANSWERING", "RECORDING" };
    return state < GW_COUNT(names) ? names[state] : "none";
}

const char *gw_exchange_event_name(enum gw_exchange_event event)
{
#define NAME(event) [GW_EXCHANGE_##event] = #event
    static const char *const names[] = { NAME(BEGUN),       NAME(PASSED),  NAME(SUSPENDED), NAME(RESUMED),
                                         NAME(ANSWERED),    NAME(HEAD),    NAME(FLUSHED),   NAME(RELEASED),
                                         NAME(INVALIDATES), NAME(SETTLED), NAME(FINISHED),  NAME(GONE),
                                         NAME(RECORDED) };
#undef NAME
    return event < GW_COUNT(names) ? names[event] : "none";
}

enum gw_exchange_state gw_exchange_next(enum gw_exchange_state state, enum gw_exchange_event event)
{
    return moves[state][event].by ? moves[state][event].then : GW_EXCHANGE_STATES;
}

/* Unless it is over already. */
static bool exchange_can_be_cut(const struct gw_exchange *exchange)
{
    return moves[exchange->state][GW_EXCHANGE_GONE].by != NULL;
}

/* A mistake of this program: it is not known what the exchange still waits for. */
__attribute__((noinline, cold)) static void exchange_move_refuse(struct gw_exchange *exchange,
                                                                 enum gw_exchange_event event)
{
    bool is_cut = exchange_can_be_cut(exchange);
    gw_counter_add(&exchange->context->shard->unexpected_events, 1);
    gw_log(GW_LOG_ERROR, "exchange", "request %.*s: in state %s there is no move by %s%s",
           GW_SLICE_ARGS(exchange->identity.request_id), gw_exchange_state_name(exchange->state),
           gw_exchange_event_name(event), is_cut ? ": it is cut" : "");
    if (is_cut)
        gw_exchange_on_gone(exchange, GW_ERROR_INTERNAL);
}

static bool exchange_holds_nothing(const struct gw_exchange *exchange)
{
    return !exchange->questions.out && !exchange->invalidation.sent && !exchange->early.count &&
           !exchange->reader.fetch && !exchange->entry && !gw_lookup_is_asked(&exchange->lookup) &&
           !gw_timer_is_running(&exchange->timer);
}

bool gw_exchange_check(const struct gw_exchange *exchange)
{
    const struct gw_answer *answer = &exchange->answer;
    bool is_told = answer->message.status != 0, has_head = answer->head != NULL;
    GW_CHECK_MAGIC(exchange, GW_EXCHANGE_MAGIC);
    GW_CHECK(exchange->early.count <= GW_EARLY_PIECES && exchange->invalidation.due <= exchange->invalidation.sent);
    switch (exchange->state) {
    case GW_EXCHANGE_DECIDING:
    case GW_EXCHANGE_WAITING:
        GW_CHECK(!is_told && !has_head && !exchange->early.count && !exchange->invalidation.sent);
        break;
    case GW_EXCHANGE_FETCHING: /* on_head has set the head */
        GW_CHECK(!is_told && !exchange->early.count && !exchange->invalidation.sent && !exchange->questions.out);
        break;
    case GW_EXCHANGE_HOLDING:
        GW_CHECK(!is_told && !exchange->invalidation.sent && !exchange->questions.out);
        break;
    case GW_EXCHANGE_SETTLING:
        GW_CHECK(!is_told && !exchange->questions.out);
        break;
    case GW_EXCHANGE_ANSWERING:
        GW_CHECK(is_told && !exchange->early.count && !exchange->questions.out);
        GW_CHECK(!gw_timer_is_running(&exchange->timer));
        break;
    case GW_EXCHANGE_RECORDING:
    case GW_EXCHANGE_DONE:
        GW_CHECK(exchange_holds_nothing(exchange));
        break;
    case GW_EXCHANGE_STATES:
        GW_CHECK(false);
    }
    return true;
}

/* A call from outside finds the exchange at rest: it waits for something that has an owner and an end. */
static bool exchange_check_at_rest(const struct gw_exchange *exchange)
{
    const struct gw_answer *answer = &exchange->answer;
    bool runs = gw_timer_is_running(&exchange->timer);
    GW_CHECK(gw_exchange_check(exchange));
    switch (exchange->state) {
    case GW_EXCHANGE_WAITING:
        GW_CHECK(exchange->questions.out ? runs : !runs && gw_lookup_is_asked(&exchange->lookup));
        GW_CHECK(!exchange->reader.fetch);
        break;
    case GW_EXCHANGE_FETCHING:
        GW_CHECK(exchange->reader.fetch && !answer->head);
        break;
    case GW_EXCHANGE_SETTLING:
        GW_CHECK(answer->head && exchange->invalidation.due && runs);
        break;
    case GW_EXCHANGE_ANSWERING:
        GW_CHECK(answer->is_whole ? answer->is_slow : exchange->reader.fetch != NULL);
        break;
    default:
        break;
    }
    return true;
}

void gw_engine_move(struct gw_exchange *exchange, enum gw_exchange_event event)
{
    GW_CHECK(gw_exchange_check(exchange));
    enum gw_exchange_state before = exchange->state;
    action *by = moves[before][event].by;
    if (!by) {
        exchange_move_refuse(exchange, event);
        return;
    }
#ifdef GW_CHECKS
    exchange->context->walked[before] |= 1u << event;
#endif
    exchange->state = moves[before][event].then;
    exchange->context->in_state[before]--;
    exchange->context->in_state[exchange->state]++;
    by(exchange);
}

/* ---- beginning ---- */

static bool exchange_prepare(struct gw_exchange *exchange)
{
    exchange->answer.fields = gw_buffer_in(&exchange->arena, FIRST_FIELDS_BYTES);
    gw_counter_add(&exchange->context->shard->requests_in_flight, 1);
    return !exchange->answer.fields.overflowed;
}

static const struct gw_route *exchange_route_for(const struct gw_exchange *exchange, struct gw_slice path)
{
    return gw_match_route(exchange->config, exchange->request.method_text, exchange->request.authority, path);
}

/* A path that climbs above its root ("/..") leads out of the path of the backend's URL, where no limit would match: it is
 * refused (nginx answers 400, too). A path with dot segments is also refused when its two readings have different routes. */
static void exchange_pick_route(struct gw_exchange *exchange)
{
    const struct gw_head *request = &exchange->request;
    struct gw_path_doubt doubt;
    exchange->target.plain_path = gw_path_plain(request->path, &exchange->arena, &doubt);
    exchange->target.literal_path = doubt.literal;
    exchange->target.route = exchange_route_for(exchange, exchange->target.plain_path);
    bool is_one = doubt.literal.at == exchange->target.plain_path.at ||
                  exchange_route_for(exchange, doubt.literal) == exchange->target.route;
    if (doubt.climbs || !is_one)
        exchange->deciding.fault = GW_ERROR_MALFORMED;
}

void gw_exchange_begin(struct gw_exchange *exchange)
{
    const struct gw_arrival *arrival = &exchange->arrival;
    bool will_come = arrival->has_body && (!arrival->has_length || arrival->length);
    exchange->body.state = will_come ? GW_BODY_HELD : GW_BODY_ENDED;
    if (!exchange_prepare(exchange))
        exchange->deciding.fault = GW_ERROR_OVERLOADED;
    exchange_pick_route(exchange);
    gw_engine_move(exchange, GW_EXCHANGE_BEGUN);
}

void gw_exchange_refuse(struct gw_exchange *exchange, enum gw_error error)
{
    exchange->body.state = GW_BODY_DISCARDING;
    exchange->deciding.fault = error;
    exchange_prepare(exchange);
    gw_engine_move(exchange, GW_EXCHANGE_BEGUN);
}

/* ---- deciding ---- */

typedef enum gw_filter_result step(struct gw_exchange *exchange);

/* Asks each filter of one step, whose function lies at `step_at` of its row, in the table's order. ANSWERED ends it, and
 * what the others asked. */
static bool exchange_is_answered_by(struct gw_exchange *exchange, enum gw_filter_step which, size_t step_at)
{
    for (const struct gw_filter *const *at = exchange->context->at_step[which]; *at; at++) {
        if (exchange->deciding.taken_by && exchange->deciding.taken_by != *at)
            continue;
        enum gw_filter_result result = (*(step *const *)(const void *)((const char *)*at + step_at))(exchange);
        if (result == GW_FILTER_CONTINUE)
            continue;
        if (result == GW_FILTER_ANSWERED) {
            if (exchange->questions.out)
                gw_engine_cancel_questions(exchange);
            gw_engine_move(exchange, GW_EXCHANGE_ANSWERED);
            return true;
        }
        if (result == GW_FILTER_TAKEN)
            exchange->deciding.taken_by = *at;
        gw_engine_ask(exchange, gw_engine_asker(exchange, *at));
    }
    return false;
}

static void exchange_conclude(struct gw_exchange *exchange)
{
    if (exchange_is_answered_by(exchange, GW_FILTER_ON_ANSWERS, offsetof(struct gw_filter, on_answers)))
        return;
    if (!exchange->deciding.is_fetch_allowed) { /* once: what it asks is answered by on_answers */
        exchange->deciding.is_fetch_allowed = true;
        if (exchange_is_answered_by(exchange, GW_FILTER_BEFORE_FETCH, offsetof(struct gw_filter, before_fetch)))
            return;
    }
    if (exchange->questions.out)
        gw_engine_move(exchange, GW_EXCHANGE_SUSPENDED);
    else
        gw_engine_go_on(exchange);
}

static void gw_engine_decide(struct gw_exchange *exchange)
{
    if (exchange_is_answered_by(exchange, GW_FILTER_ON_REQUEST, offsetof(struct gw_filter, on_request)))
        return;
    if (exchange->questions.out)
        gw_engine_move(exchange, GW_EXCHANGE_SUSPENDED);
    else
        exchange_conclude(exchange);
}

void gw_engine_decide_again(struct gw_exchange *exchange)
{
    gw_timer_stop(&exchange->timer);
    exchange_conclude(exchange);
}

void gw_exchange_on_timer(struct gw_timer *timer)
{
    struct gw_exchange *exchange = GW_CONTAINER(timer, struct gw_exchange, timer);
    GW_CHECK_MAGIC(exchange, GW_EXCHANGE_MAGIC);
    if (exchange->state == GW_EXCHANGE_WAITING) {
        gw_engine_give_up_questions(exchange);
        if (exchange->questions.out)
            gw_engine_wait(exchange);
        else
            gw_engine_move(exchange, GW_EXCHANGE_RESUMED);
    } else if (exchange->state == GW_EXCHANGE_FETCHING && exchange->lookup.answer == GW_LOOKUP_JOIN) {
        gw_lookup_release(&exchange->lookup, false);
        gw_fetch_leave(&exchange->reader);
        gw_engine_move(exchange, GW_EXCHANGE_RELEASED);
    } else if (exchange->state == GW_EXCHANGE_SETTLING) {
        gw_invalidation_cancel(&exchange->invalidation);
        gw_engine_move(exchange, GW_EXCHANGE_SETTLED);
    }
}

void gw_engine_finish_if_written(struct gw_exchange *exchange)
{
    if (exchange->answer.is_whole && !exchange->answer.is_slow)
        gw_engine_move(exchange, GW_EXCHANGE_FINISHED);
}

void gw_exchange_on_writable(struct gw_exchange *exchange)
{
    GW_CHECK(exchange_check_at_rest(exchange));
    if (!exchange->answer.is_slow)
        return;
    exchange->answer.is_slow = false;
    if (exchange->state != GW_EXCHANGE_ANSWERING)
        return;
    if (exchange->answer.is_whole)
        gw_engine_move(exchange, GW_EXCHANGE_FINISHED);
    else
        gw_fetch_resume(&exchange->reader);
}

/* ---- the request's body ---- */

bool gw_exchange_on_body(struct gw_exchange *exchange, struct gw_slice bytes, struct gw_block *block)
{
    GW_CHECK(exchange_check_at_rest(exchange));
    exchange->body.received_bytes += bytes.length;
    if (exchange->body.received_bytes > exchange->config->max_body_bytes &&
        exchange->body.state != GW_BODY_DISCARDING) {
        gw_exchange_on_body_broken(exchange, GW_ERROR_BODY_TOO_LARGE);
        return false;
    }
    if (exchange->body.state != GW_BODY_FLOWING)
        return exchange->body.state == GW_BODY_DISCARDING;
    bool more = gw_fetch_send_body(&exchange->reader, bytes, block);
    if (!more)
        exchange->body.state = GW_BODY_HELD;
    return more;
}

void gw_exchange_on_body_there(struct gw_exchange *exchange)
{
    if (exchange->body.state != GW_BODY_HELD || exchange->body.is_continue_told)
        return;
    exchange->request.expects_continue = false;
    if (exchange->state == GW_EXCHANGE_FETCHING)
        gw_fetch_body_is_there(&exchange->reader);
}

void gw_exchange_on_body_end(struct gw_exchange *exchange)
{
    if (exchange->body.state == GW_BODY_FLOWING || exchange->body.state == GW_BODY_HELD)
        gw_fetch_end_body(&exchange->reader);
    exchange->body.state = GW_BODY_ENDED;
}

void gw_exchange_on_body_broken(struct gw_exchange *exchange, enum gw_error error)
{
    exchange->body.state = GW_BODY_DISCARDING;
    if (exchange->state == GW_EXCHANGE_FETCHING) {
        gw_fetch_leave(&exchange->reader);
        gw_engine_fail_fetch(exchange, error);
    } else if (exchange->state == GW_EXCHANGE_ANSWERING || exchange->state == GW_EXCHANGE_WAITING) {
        gw_exchange_on_gone(exchange, error);
    }
}

/* ---- the end ---- */

void gw_exchange_on_gone(struct gw_exchange *exchange, enum gw_error error)
{
    if (exchange_can_be_cut(exchange)) {
        exchange->answer.ended_by = error;
        exchange->answer.is_cut = true;
    }
    gw_engine_move(exchange, GW_EXCHANGE_GONE);
}

/* A request that waited for another worker's fetch counts as collapsed if it was answered by what that fetch stored, and
 * not if it fetched for itself. */
static void exchange_count_for_cache(struct gw_exchange *exchange)
{
    struct gw_shard *shard = exchange->context->shard;
    bool is_collapsed = exchange->report.is_collapsed;
    if (exchange->entry || is_collapsed)
        gw_counter_add(&shard->cache_bytes_saved, exchange->answer.body_sent);
    if (exchange->lookup.waited == GW_LOOKUP_WAITED_FOR_PROCESS && exchange->entry &&
        exchange->report.forwarded == GW_FORWARDED_NOT)
        is_collapsed = true;
    if (is_collapsed && gw_record_error(exchange) == GW_ERROR_NONE)
        gw_counter_add(&shard->cache_collapsed, 1);
}

static void gw_engine_record(struct gw_exchange *exchange)
{
    gw_timer_stop(&exchange->timer);
    if (exchange->questions.out)
        gw_engine_cancel_questions(exchange);
    gw_invalidation_cancel(&exchange->invalidation);
    gw_fetch_leave(&exchange->reader);
    if (exchange->answer.message.is_lost)
        gw_answer_lose(exchange);
    gw_engine_drop_early(exchange);
    for (const struct gw_filter *const *at = exchange->context->at_step[GW_FILTER_ON_END]; *at; at++)
        (*at)->on_end(exchange);
    exchange_count_for_cache(exchange);
    gw_record_write(exchange);
    gw_counter_subtract(&exchange->context->shard->requests_in_flight, 1);
    gw_entry_unref(exchange->entry);
    exchange->entry = NULL;
    gw_lookup_cancel(&exchange->lookup);
    gw_block_unref(exchange->answer.content_block);
    exchange->answer.content_block = NULL;
    exchange->answer.head = NULL;
    gw_engine_move(exchange, GW_EXCHANGE_RECORDED);
}

static void gw_engine_give_back(struct gw_exchange *exchange)
{
    bool is_gone = exchange->answer.ended_by == GW_ERROR_CLIENT_GONE;
    enum gw_downstream_end end = !exchange->answer.is_cut ? GW_DOWNSTREAM_WHOLE
                                 : is_gone                ? GW_DOWNSTREAM_GONE
                                                          : GW_DOWNSTREAM_BROKEN;
    exchange->downstream->table->done(exchange->downstream, end);
}
