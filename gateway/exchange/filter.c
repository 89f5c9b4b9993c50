/* Where filters keep their state, and what filters and the look-up have asked. */
#include "exchange/engine.h"

#include "base/check.h"
#include "base/clock.h"
#include "exchange/worker_context.h"

enum { SLOT_MAGIC = 0x534c4f54 }; /* SLOT */

/* Lies before each slot, as long as the exchange's memory is used. */
struct slot_head {
    _Alignas(max_align_t) struct gw_exchange *exchange;
    unsigned asker;
    struct gw_magic magic;
};

/* ---- slots ---- */

static size_t filter_slot_round(size_t bytes)
{
    return (bytes + _Alignof(max_align_t) - 1) / _Alignof(max_align_t) * _Alignof(max_align_t);
}

/* So that a request does not ask each filter six times whether it has anything to do. */
static void filter_list_steps(struct gw_worker_context *context)
{
    unsigned counts[GW_FILTER_STEPS] = { 0 };
    for (const struct gw_filter *const *at = context->filters; *at; at++) {
        const bool has[GW_FILTER_STEPS] = {
            [GW_FILTER_ON_REQUEST] = (*at)->on_request,     [GW_FILTER_ON_ANSWERS] = (*at)->on_answers,
            [GW_FILTER_BEFORE_FETCH] = (*at)->before_fetch, [GW_FILTER_BEFORE_ANSWER] = (*at)->before_answer,
            [GW_FILTER_ON_RESPONSE] = (*at)->on_response,   [GW_FILTER_ON_END] = (*at)->on_end,
        };
        for (unsigned step = 0; step < GW_FILTER_STEPS; step++)
            if (has[step])
                context->at_step[step][counts[step]++] = *at;
    }
    for (unsigned step = 0; step < GW_FILTER_STEPS; step++)
        context->at_step[step][counts[step]] = NULL;
}

void gw_engine_lay_out(struct gw_worker_context *context)
{
    size_t at = filter_slot_round(sizeof(struct gw_exchange));
    for (unsigned i = 0; context->filters[i]; i++) {
        const struct gw_filter *filter = context->filters[i];
        GW_CHECK(i < GW_FILTERS_MOST);
        GW_CHECK(!filter->slot_bytes == !filter->on_cancel);
        context->places[i].slot_at = at;
        context->places[i].deadline_ms = filter->deadline_ms ? filter->deadline_ms(context->config)
                                                             : context->config->redis_timeout_ms;
        if (filter->slot_bytes)
            at += sizeof(struct slot_head) + filter_slot_round(filter->slot_bytes);
    }
    context->exchange_bytes = at;
    filter_list_steps(context);
}

static unsigned filter_next_asker(unsigned *askers)
{
    unsigned asker = (unsigned)__builtin_ctz(*askers);
    *askers &= *askers - 1;
    return asker;
}

static struct slot_head *filter_slot_head(struct gw_exchange *exchange, unsigned asker)
{
    return (struct slot_head *)(void *)((char *)exchange + exchange->context->places[asker].slot_at);
}

static void *filter_slot_of(struct gw_exchange *exchange, unsigned asker)
{
    return filter_slot_head(exchange, asker) + 1;
}

void gw_engine_open_slots(struct gw_exchange *exchange)
{
    const struct gw_filter *const *filters = exchange->context->filters;
    for (unsigned i = 0; filters[i]; i++)
        if (filters[i]->slot_bytes)
            *filter_slot_head(exchange, i) = (struct slot_head) { .exchange = exchange, .asker = i };
}

void gw_engine_clear_slots(struct gw_exchange *exchange)
{
    while (exchange->slots_taken) {
        unsigned asker = filter_next_asker(&exchange->slots_taken);
        struct slot_head *head = filter_slot_head(exchange, asker);
        head->magic = GW_NO_MAGIC;
        memset(head + 1, 0, exchange->context->filters[asker]->slot_bytes);
    }
}

static const struct slot_head *filter_slot_head_of(const void *slot)
{
    const struct slot_head *head = (const struct slot_head *)slot - 1;
    GW_CHECK_MAGIC(head, SLOT_MAGIC);
    return head;
}

unsigned gw_engine_asker(const struct gw_exchange *exchange, const struct gw_filter *filter)
{
    unsigned asker = 0;
    while (exchange->context->filters[asker] != filter)
        asker++;
    return asker;
}

void *gw_filter_slot(struct gw_exchange *exchange, const struct gw_filter *filter)
{
    unsigned asker = gw_engine_asker(exchange, filter);
    struct slot_head *head = filter_slot_head(exchange, asker);
    GW_CHECK(filter->slot_bytes && head->exchange == exchange);
    exchange->slots_taken |= 1u << asker;
    head->magic = GW_MAGIC(SLOT_MAGIC);
    return head + 1;
}

struct gw_exchange *gw_filter_exchange(const void *slot)
{
    return filter_slot_head_of(slot)->exchange;
}

/* ---- questions ---- */

void gw_engine_ask(struct gw_exchange *exchange, unsigned asker)
{
    GW_CHECK(!(exchange->questions.out & 1u << asker));
    exchange->questions.out |= 1u << asker;
    exchange->questions.timed &= ~(1u << asker);
}

void gw_engine_answered(struct gw_exchange *exchange, unsigned asker)
{
    GW_CHECK(exchange->questions.out & 1u << asker);
    exchange->questions.out &= ~(1u << asker);
    if (!exchange->questions.out && exchange->state == GW_EXCHANGE_WAITING)
        gw_engine_move(exchange, GW_EXCHANGE_RESUMED);
}

void gw_filter_answered(void *slot)
{
    const struct slot_head *head = filter_slot_head_of(slot);
    gw_engine_answered(head->exchange, head->asker);
}

/* The deadline of what was asked since the last wait begins now. */
void gw_engine_wait_for_answers(struct gw_exchange *exchange)
{
    struct gw_questions *questions = &exchange->questions;
    const struct gw_worker_context *context = exchange->context;
    uint64_t now_us = gw_clock_monotonic_us();
    for (unsigned untimed = questions->out & ~questions->timed; untimed;) {
        unsigned asker = filter_next_asker(&untimed);
        unsigned after_ms = asker == GW_ASKER_LOOK_UP ? exchange->config->redis_timeout_ms
                                                      : context->places[asker].deadline_ms;
        questions->due_us[asker] = now_us + (uint64_t)after_ms * 1000;
    }
    questions->timed = questions->out;
    questions->next_due_us = UINT64_MAX;
    for (unsigned out = questions->out; out;) {
        unsigned asker = filter_next_asker(&out);
        if (questions->due_us[asker] < questions->next_due_us)
            questions->next_due_us = questions->due_us[asker];
    }
    uint64_t left_us = questions->next_due_us > now_us ? questions->next_due_us - now_us : 0;
    gw_timer_start(context->timers, &exchange->timer, (left_us + 999) / 1000);
}

static void filter_question_end(struct gw_exchange *exchange, unsigned asker, bool is_late)
{
    exchange->questions.out &= ~(1u << asker);
    if (asker == GW_ASKER_LOOK_UP) {
        gw_engine_cancel_look_up(exchange);
        return;
    }
    const struct gw_filter *filter = exchange->context->filters[asker];
    if (is_late && filter->on_give_up)
        filter->on_give_up(exchange, filter_slot_of(exchange, asker));
    else
        filter->on_cancel(exchange, filter_slot_of(exchange, asker));
}

void gw_engine_give_up_questions(struct gw_exchange *exchange)
{
    for (unsigned out = exchange->questions.out; out;) {
        unsigned asker = filter_next_asker(&out);
        if (exchange->questions.due_us[asker] <= exchange->questions.next_due_us)
            filter_question_end(exchange, asker, true);
    }
}

void gw_engine_cancel_questions(struct gw_exchange *exchange)
{
    for (unsigned out = exchange->questions.out; out;)
        filter_question_end(exchange, filter_next_asker(&out), false);
}
