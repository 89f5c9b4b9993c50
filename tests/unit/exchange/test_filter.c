#include "unit/exchange/stage.h"

/* What filters keep for an exchange, and what they ask: two filters ask a service that the test plays, a third one
 * answers in place of a backend. */

struct service_slot {
    struct gw_exchange *exchange;
    unsigned calls; /* of this filter's functions for this exchange */
    bool is_asked, is_answered, is_given_up, is_cancelled;
};

struct service { /* the newest exchange's, as the filter saw it */
    struct service_slot *slot;
    enum gw_filter_result on_request, before_fetch; /* what the filter says next */
    unsigned decisions, give_ups, cancels;
};

static struct service one, two;
static unsigned fetches, ends;
static const struct gw_filter filter_one, filter_two;

static struct service_slot *slot_for(struct gw_exchange *exchange, struct service *service,
                                     const struct gw_filter *filter)
{
    service->slot = gw_filter_slot(exchange, filter);
    assert_ptr_equal(gw_filter_exchange(service->slot), exchange);
    assert_int_equal((uintptr_t)service->slot % _Alignof(max_align_t), 0);
    if (service->slot->calls++ == 0) {
        assert_null(service->slot->exchange);
        assert_false(service->slot->is_asked || service->slot->is_answered || service->slot->is_given_up);
        service->slot->exchange = exchange;
    }
    assert_ptr_equal(service->slot->exchange, exchange);
    return service->slot;
}

static enum gw_filter_result ask(struct gw_exchange *exchange, struct service *service, const struct gw_filter *filter,
                                 enum gw_filter_result result)
{
    struct service_slot *slot = slot_for(exchange, service, filter);
    if (result == GW_FILTER_ANSWERED)
        gw_exchange_answer(exchange, 403, GW_NO_SLICE, GW_NO_SLICE);
    slot->is_asked |= result == GW_FILTER_ASKED || result == GW_FILTER_TAKEN;
    return result;
}

static void answers(struct service *service)
{
    service->slot->is_answered = true;
    gw_filter_answered(service->slot);
}

static void cancel(struct service *service, struct gw_exchange *exchange, void *slot)
{
    assert_ptr_equal(slot, service->slot);
    assert_ptr_equal(service->slot->exchange, exchange);
    assert_true(service->slot->is_asked && !service->slot->is_answered);
    assert_false(service->slot->is_cancelled || service->slot->is_given_up);
    service->slot->is_cancelled = true;
    service->cancels++;
}

static enum gw_filter_result one_on_request(struct gw_exchange *exchange)
{
    return ask(exchange, &one, &filter_one, one.on_request);
}

static enum gw_filter_result one_before_fetch(struct gw_exchange *exchange)
{
    return ask(exchange, &one, &filter_one, one.before_fetch);
}

static enum gw_filter_result one_on_answers(struct gw_exchange *exchange)
{
    one.decisions++;
    slot_for(exchange, &one, &filter_one);
    return one.on_request == GW_FILTER_TAKEN ? ask(exchange, &one, &filter_one, GW_FILTER_ANSWERED)
                                             : GW_FILTER_CONTINUE;
}

static void one_give_up(struct gw_exchange *exchange, void *slot)
{
    assert_ptr_equal(slot, one.slot);
    assert_ptr_equal(one.slot->exchange, exchange);
    assert_true(one.slot->is_asked && !one.slot->is_answered && !one.slot->is_given_up);
    one.slot->is_given_up = true;
    one.give_ups++;
}

static void one_cancel(struct gw_exchange *exchange, void *slot)
{
    cancel(&one, exchange, slot);
}

static void one_on_end(struct gw_exchange *exchange)
{
    ends++;
    assert_ptr_equal(slot_for(exchange, &one, &filter_one), one.slot);
}

static unsigned one_deadline_ms(const struct gw_config *config)
{
    return config->redis_timeout_ms / 2;
}

static const struct gw_filter filter_one = {
    .name = "one",
    .slot_bytes = sizeof(struct service_slot),
    .deadline_ms = one_deadline_ms,
    .on_request = one_on_request,
    .on_answers = one_on_answers,
    .before_fetch = one_before_fetch,
    .on_give_up = one_give_up,
    .on_cancel = one_cancel,
    .on_end = one_on_end,
};

/* Has the default deadline, and nothing to do when that has passed but to cancel. */
static enum gw_filter_result two_on_request(struct gw_exchange *exchange)
{
    return ask(exchange, &two, &filter_two, two.on_request);
}

static enum gw_filter_result two_on_answers(struct gw_exchange *exchange)
{
    two.decisions++;
    slot_for(exchange, &two, &filter_two);
    return GW_FILTER_CONTINUE;
}

static void two_cancel(struct gw_exchange *exchange, void *slot)
{
    cancel(&two, exchange, slot);
}

static const struct gw_filter filter_two = {
    .name = "two",
    .slot_bytes = sizeof(struct service_slot),
    .on_request = two_on_request,
    .on_answers = two_on_answers,
    .on_cancel = two_cancel,
};

static enum gw_filter_result answer_as_backend(struct gw_exchange *exchange)
{
    fetches++;
    gw_exchange_answer(exchange, 200, GW_SLICE("text/plain"), GW_SLICE("backend"));
    return GW_FILTER_ANSWERED;
}

/* When what was asked before the fetch is answered. */
static enum gw_filter_result fetch_at_once(struct gw_exchange *exchange)
{
    return exchange->questions.out ? GW_FILTER_CONTINUE : answer_as_backend(exchange);
}

static enum gw_filter_result fetch_later(struct gw_exchange *exchange)
{
    return exchange->deciding.is_fetch_allowed ? answer_as_backend(exchange) : GW_FILTER_CONTINUE;
}

static const struct gw_filter backend = { .name = "backend", .on_answers = fetch_later, .before_fetch = fetch_at_once };
static const struct gw_filter *const filters[] = { &filter_one, &filter_two, &backend, NULL };

enum { TIMEOUT_MS = 200 };

static int set_up(void **state)
{
    one = two = (struct service) { .on_request = GW_FILTER_CONTINUE };
    fetches = ends = 0;
    *state = open_stage("{\"redis\": {\"timeout\": \"200ms\"}}", filters);
    return 0;
}

static int tear_down(void **state)
{
    close_stage(*state);
    return 0;
}

static void what_a_filter_keeps_is_its_own_and_begins_zeroed(void **state)
{
    struct stage *stage = *state;
    for (unsigned i = 0; i < 3; i++) { /* the second in the same memory */
        asks(stage, "GET", "/", "");
        assert_int_equal(status(stage), 200);
        assert_int_equal(ends, i + 1);
        assert_int_equal(one.slot->calls, 4); /* on_request, on_answers, before_fetch, on_end */
        size_t apart = one.slot < two.slot ? (size_t)((char *)two.slot - (char *)one.slot)
                                           : (size_t)((char *)one.slot - (char *)two.slot);
        assert_true(apart >= sizeof *one.slot);
        assert_true((char *)one.slot >= (char *)(stage->exchange + 1));
    }
}

static void the_exchange_goes_on_when_all_that_was_asked_is_answered(void **state)
{
    struct stage *stage = *state;
    struct service *const orders[][2] = { { &one, &two }, { &two, &one } };
    one.on_request = two.on_request = GW_FILTER_ASKED;
    for (size_t i = 0; i < GW_COUNT(orders); i++) {
        one.decisions = two.decisions = fetches = 0;
        asks(stage, "GET", "/", "");
        answers(orders[i][0]);
        assert_int_equal(stage->exchange->state, GW_EXCHANGE_WAITING);
        assert_int_equal(one.decisions + two.decisions + fetches, 0);
        answers(orders[i][1]);
        assert_int_equal(status(stage), 200);
        assert_int_equal(one.decisions, 1);
        assert_int_equal(two.decisions, 1);
    }
    assert_int_equal(one.give_ups + one.cancels + two.cancels, 0);
}

static void each_filter_has_a_deadline_of_its_own(void **state)
{
    struct stage *stage = *state;
    one.on_request = two.on_request = GW_FILTER_ASKED;
    asks(stage, "GET", "/", "");
    passes(stage, TIMEOUT_MS / 2 - 1);
    assert_int_equal(one.give_ups, 0);
    passes(stage, 1);
    assert_int_equal(one.give_ups, 1);
    assert_int_equal(stage->exchange->state, GW_EXCHANGE_WAITING);
    passes(stage, TIMEOUT_MS / 2 - 1);
    assert_int_equal(two.cancels, 0);
    passes(stage, 1);
    assert_int_equal(two.cancels, 1); /* it has no on_give_up */
    assert_int_equal(one.cancels, 0);
    assert_int_equal(status(stage), 200);
    assert_int_equal(one.decisions, 1);
}

static void an_answer_before_the_later_deadline_ends_the_wait(void **state)
{
    struct stage *stage = *state;
    one.on_request = two.on_request = GW_FILTER_ASKED;
    asks(stage, "GET", "/", "");
    passes(stage, TIMEOUT_MS * 3 / 4);
    assert_int_equal(one.give_ups, 1);
    answers(&two);
    assert_int_equal(status(stage), 200);
    assert_int_equal(two.cancels, 0);
}

static void what_is_asked_before_a_fetch_has_its_whole_deadline(void **state)
{
    struct stage *stage = *state;
    two.on_request = one.before_fetch = GW_FILTER_ASKED;
    asks(stage, "GET", "/", "");
    passes(stage, TIMEOUT_MS - 10);
    answers(&two);
    assert_int_equal(stage->exchange->state, GW_EXCHANGE_WAITING);
    passes(stage, TIMEOUT_MS / 2 - 1);
    assert_int_equal(one.give_ups, 0);
    assert_int_equal(stage->exchange->state, GW_EXCHANGE_WAITING);
    passes(stage, 1);
    assert_int_equal(one.give_ups, 1);
    assert_int_equal(status(stage), 200);
}

static void a_filter_that_asks_again_has_its_whole_deadline_again(void **state)
{
    struct stage *stage = *state;
    one.on_request = one.before_fetch = GW_FILTER_ASKED;
    asks(stage, "GET", "/", "");
    passes(stage, TIMEOUT_MS / 2 - 10);
    answers(&one);
    one.slot->is_answered = false; /* what it asks now is not */
    assert_int_equal(stage->exchange->state, GW_EXCHANGE_WAITING);
    passes(stage, TIMEOUT_MS / 2 - 1);
    assert_int_equal(one.give_ups, 0);
    passes(stage, 1);
    assert_int_equal(one.give_ups, 1);
    assert_int_equal(status(stage), 200);
}

static void what_a_client_that_leaves_has_waited_for_is_cancelled(void **state)
{
    struct stage *stage = *state;
    one.on_request = two.on_request = GW_FILTER_ASKED;
    asks(stage, "GET", "/", "");
    answers(&one);
    gw_exchange_on_gone(stage->exchange, GW_ERROR_CLIENT_GONE);
    assert_true(stage->client.is_done);
    assert_int_equal(one.cancels, 0);
    assert_int_equal(two.cancels, 1);
    assert_int_equal(one.decisions + fetches, 0);
    assert_int_equal(ends, 1);
    passes(stage, 10 * TIMEOUT_MS);
}

static void another_filters_answer_cancels_what_was_asked(void **state)
{
    struct stage *stage = *state;
    one.on_request = GW_FILTER_ASKED;
    two.on_request = GW_FILTER_ANSWERED;
    asks(stage, "GET", "/", "");
    assert_int_equal(status(stage), 403);
    assert_int_equal(one.cancels, 1);
    assert_int_equal(one.decisions, 0);
    passes(stage, 10 * TIMEOUT_MS);
    assert_int_equal(one.give_ups, 0);
}

static void a_filter_that_takes_a_request_is_the_only_one_that_is_asked_then(void **state)
{
    struct stage *stage = *state;
    one.on_request = GW_FILTER_TAKEN;
    asks(stage, "GET", "/", "");
    assert_null(two.slot);
    answers(&one);
    assert_int_equal(status(stage), 403);
    assert_null(two.slot);
    assert_int_equal(fetches, 0);
}

#define FILTER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILTER_TEST(what_a_filter_keeps_is_its_own_and_begins_zeroed),
        FILTER_TEST(the_exchange_goes_on_when_all_that_was_asked_is_answered),
        FILTER_TEST(each_filter_has_a_deadline_of_its_own),
        FILTER_TEST(an_answer_before_the_later_deadline_ends_the_wait),
        FILTER_TEST(what_is_asked_before_a_fetch_has_its_whole_deadline),
        FILTER_TEST(a_filter_that_asks_again_has_its_whole_deadline_again),
        FILTER_TEST(what_a_client_that_leaves_has_waited_for_is_cancelled),
        FILTER_TEST(another_filters_answer_cancels_what_was_asked),
        FILTER_TEST(a_filter_that_takes_a_request_is_the_only_one_that_is_asked_then),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
