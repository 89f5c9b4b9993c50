#include "unit/exchange/played_fetch.h"

#include "exchange/engine.h"
#include "support/checks.h"

/* Each row of the table of moves is walked, by what happens outside; and an event that has no row does no harm. */

static struct {
    unsigned before_answer, on_response, on_end;
} calls;

static void count_before_answer(struct gw_exchange *exchange)
{
    (void)exchange;
    calls.before_answer++;
}

static void count_on_response(struct gw_exchange *exchange)
{
    calls.on_response++;
    gw_exchange_add_field(exchange, GW_SLICE("X-Response"), GW_SLICE("told"));
}

static bool late_event;

static void count_on_end(struct gw_exchange *exchange)
{
    calls.on_end++;
    if (late_event)
        gw_exchange_on_gone(exchange, GW_ERROR_CLIENT_GONE);
    late_event = false;
}

/* Asks somebody for /ask, who answers when `asked` is told. */
struct question {
    bool is_out;
};

static void *asked;
static const struct gw_filter counts;

static enum gw_filter_result ask_somebody(struct gw_exchange *exchange)
{
    struct question *question = gw_filter_slot(exchange, &counts);
    if (gw_slice_equal(exchange->request.path, GW_SLICE("/here"))) {
        gw_exchange_answer(exchange, 200, GW_SLICE("text/plain"), GW_SLICE("here"));
        return GW_FILTER_ANSWERED;
    }
    if (!gw_slice_equal(exchange->request.path, GW_SLICE("/ask")))
        return GW_FILTER_CONTINUE;
    question->is_out = true;
    asked = question;
    return GW_FILTER_ASKED;
}

static void cancel_question(struct gw_exchange *exchange, void *slot)
{
    struct question *question = slot;
    (void)exchange;
    assert_true(question->is_out);
    question->is_out = false;
}

static const struct gw_filter counts = {
    .name = "counts",
    .slot_bytes = sizeof(struct question),
    .on_request = ask_somebody,
    .on_cancel = cancel_question,
    .before_answer = count_before_answer,
    .on_response = count_on_response,
    .on_end = count_on_end,
};

static const struct gw_filter *const filters[] = { &counts, NULL };

static int set_up(void **state)
{
    memset(&calls, 0, sizeof calls);
    played_fetch = (struct gw_fetch) { .reader = NULL };
    *state = open_stage(NULL, filters);
    return 0;
}

#ifdef GW_CHECKS
static unsigned walked[GW_EXCHANGE_STATES]; /* by all tests of this file so far */
#endif

static int tear_down(void **state)
{
#ifdef GW_CHECKS
    struct stage *stage = *state;
    for (unsigned in = 0; in < GW_EXCHANGE_STATES; in++)
        walked[in] |= stage->context.walked[in];
#endif
    close_stage(*state);
    assert_null(played_fetch.reader);
    return 0;
}

static void what_comes_of_a_fetch_is_told_once_and_in_order(void **state)
{
    static const struct {
        const char *pieces[8];
        bool has_blocks, flushes; /* flushes: the head leaves before the body comes */
    } rows[] = {
        { { NULL }, true, false },
        { { NULL }, true, true },
        { { "one" }, true, false },
        { { "one", "two" }, true, false },
        { { "a", "b", "c", "d", "e", "f", "g" }, true, false }, /* more than is kept */
        { { "a", "b", "c", "d", "e", "f", "g" }, true, true },
        { { "one", "two" }, false, false },
        { { "one", "two" }, false, true },
    };
    struct stage *stage = *state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        char whole[64] = "";
        memset(&calls, 0, sizeof calls);
        asks(stage, "GET", "/", "");
        assert_int_equal(stage->exchange->state, GW_EXCHANGE_FETCHING);
        tells_head(stage, 200, "X-Backend: 1", UINT64_MAX);
        assert_int_equal(stage->exchange->state, GW_EXCHANGE_HOLDING);
        assert_int_equal(stage->client.heads, 0);
        assert_int_equal(calls.on_response, 0);
        if (rows[i].flushes) {
            tells_flush();
            assert_int_equal(stage->exchange->state, GW_EXCHANGE_ANSWERING);
            assert_int_equal(stage->client.heads, 1);
            assert_int_equal(stage->client.flushes, 1);
        }
        for (unsigned j = 0; rows[i].pieces[j]; j++) {
            tells_body_of(rows[i].pieces[j], rows[i].has_blocks);
            strcat(whole, rows[i].pieces[j]);
        }
        tells_end();
        assert_true(stage->client.is_done && stage->client.has_end);
        assert_int_equal(stage->client.end, GW_DOWNSTREAM_WHOLE);
        assert_int_equal(status(stage), 200);
        assert_string_equal(field(stage, "X-Backend"), "1");
        assert_int_equal(field_count(stage, "X-Response"), 1);
        assert_string_equal(body(stage), whole);
        assert_int_equal(stage->client.heads, 1);
        assert_int_equal(calls.before_answer, 1);
        assert_int_equal(calls.on_response, 1);
        assert_int_equal(calls.on_end, 1);
    }
}

/* Nothing has left: the client gets the error, as if no head had come; the filters see that one answer alone. */
static void a_failure_that_comes_with_the_head_is_answered(void **state)
{
    struct stage *stage = *state;
    for (unsigned pieces = 0; pieces < GW_EARLY_PIECES; pieces++) {
        memset(&calls, 0, sizeof calls);
        asks(stage, "GET", "/", "");
        tells_head(stage, 200, "X-Backend: 1", 100);
        for (unsigned i = 0; i < pieces; i++)
            tells_body("part");
        tells_fail(GW_ERROR_RESET);
        assert_true(stage->client.is_done && stage->client.has_end);
        assert_int_equal(status(stage), 502);
        assert_null(field(stage, "X-Backend"));
        assert_int_equal(field_count(stage, "X-Response"), 1);
        assert_non_null(strstr(body(stage), "upstream_reset"));
        assert_int_equal(stage->client.heads, 1);
        assert_int_equal(calls.before_answer, 1);
        assert_int_equal(calls.on_response, 1);
    }
}

static void a_failure_after_the_head_has_left_cuts(void **state)
{
    struct stage *stage = *state;
    asks(stage, "GET", "/", "");
    tells_head(stage, 200, "", 100);
    tells_body("part");
    tells_flush();
    tells_fail(GW_ERROR_RESET);
    assert_true(stage->client.is_done && !stage->client.has_end);
    assert_int_equal(stage->client.end, GW_DOWNSTREAM_BROKEN);
    assert_int_equal(calls.on_response, 1);
}

/* ---- events without a row ---- */

/* Within an action; nothing but an action's own mistake brings an event then. */
static void to_deciding(struct stage *stage)
{
    arrives(stage, "192.0.2.1", "GET", "/", "Host: a.example");
    stage->exchange->state = GW_EXCHANGE_DECIDING;
    stage->context.in_state[GW_EXCHANGE_DONE]--;
    stage->context.in_state[GW_EXCHANGE_DECIDING]++;
}

static void to_waiting(struct stage *stage)
{
    asks(stage, "GET", "/ask", "");
}

static void to_fetching(struct stage *stage)
{
    asks(stage, "GET", "/", "");
}

static void to_holding(struct stage *stage)
{
    asks(stage, "GET", "/", "");
    tells_head(stage, 200, "", 100);
    tells_body("part");
}

static void to_settling(struct stage *stage)
{
    asks(stage, "POST", "/", "");
    tells_head(stage, 200, "", 100);
}

static void to_answering(struct stage *stage)
{
    to_holding(stage);
    tells_flush();
}

static void (*const ways[GW_EXCHANGE_STATES])(struct stage *) = {
    [GW_EXCHANGE_DECIDING] = to_deciding, [GW_EXCHANGE_WAITING] = to_waiting,   [GW_EXCHANGE_FETCHING] = to_fetching,
    [GW_EXCHANGE_HOLDING] = to_holding,   [GW_EXCHANGE_SETTLING] = to_settling, [GW_EXCHANGE_ANSWERING] = to_answering,
};

static void a_client_that_is_gone_ends_each_state_and_nothing_stays_behind(void **state)
{
    struct stage *stage = *state;
    open_cache(stage);
    for (int in = GW_EXCHANGE_DECIDING + 1; in < GW_EXCHANGE_RECORDING; in++) {
        calls.on_end = 0;
        ways[in](stage);
        assert_int_equal(stage->exchange->state, in);
        gw_exchange_on_gone(stage->exchange, GW_ERROR_CLIENT_GONE);
        assert_int_equal(stage->exchange->state, GW_EXCHANGE_DONE);
        assert_int_equal(stage->client.end, GW_DOWNSTREAM_GONE);
        assert_int_equal(calls.on_end, 1);
        assert_null(played_fetch.reader);
        passes(stage, 60000); /* no timer is left, and what was asked comes too late */
        played_answer_all(&stage->store);
    }
}

static void an_answer_that_invalidates_is_held_until_the_tombstone_is_acknowledged(void **state)
{
    enum { ACKNOWLEDGED, LATE, FAILED, ENDS };
    struct stage *stage = *state;
    open_cache(stage);
    for (int end = ACKNOWLEDGED; end < ENDS; end++) {
        memset(&calls, 0, sizeof calls);
        to_settling(stage);
        assert_int_equal(stage->exchange->state, GW_EXCHANGE_SETTLING);
        assert_true(played_reader()->paused);
        tells_body_of("first ", false); /* one piece may still come */
        tells_flush();
        assert_int_equal(stage->client.heads, 0);
        if (end == ACKNOWLEDGED)
            played_answer_all(&stage->store);
        else if (end == LATE)
            passes(stage, stage->config->redis_timeout_ms);
        else
            tells_fail(GW_ERROR_RESET);
        if (end != FAILED) {
            assert_int_equal(stage->exchange->state, GW_EXCHANGE_ANSWERING);
            assert_false(played_reader()->paused);
            tells_body("second");
            tells_end();
            assert_string_equal(body(stage), "first second");
        }
        assert_int_equal(status(stage), end == FAILED ? 502 : 200);
        assert_true(stage->client.is_done);
        assert_int_equal(calls.on_response, 1);
        played_answer_all(&stage->store);
    }
}

static void a_slow_client_stops_the_fetch_and_its_end_waits_for_the_client(void **state)
{
    struct stage *stage = *state;
    stage->client.is_slow = true;
    asks(stage, "GET", "/", "");
    tells_head(stage, 200, "", UINT64_MAX);
    tells_flush();
    assert_true(played_reader()->paused);
    gw_exchange_on_writable(stage->exchange);
    assert_false(played_reader()->paused);
    tells_body("all");
    tells_flush();
    played_reader()->paused = false; /* as a fetch that had read the end already */
    tells_end();
    assert_int_equal(stage->exchange->state, GW_EXCHANGE_ANSWERING);
    assert_false(stage->client.is_done);
    stage->client.is_slow = false;
    gw_exchange_on_writable(stage->exchange);
    assert_true(stage->client.is_done);
    assert_int_equal(stage->client.end, GW_DOWNSTREAM_WHOLE);
}

static void an_answered_question_lets_the_request_go_on_to_a_backend(void **state)
{
    struct stage *stage = *state;
    to_waiting(stage);
    ((struct question *)asked)->is_out = false;
    gw_filter_answered(asked);
    assert_int_equal(stage->exchange->state, GW_EXCHANGE_FETCHING);
    tells_fail(GW_ERROR_CONNECT_TIMEOUT);
    assert_int_equal(status(stage), 504);
    played_fetch.begin_error = GW_ERROR_UPSTREAM_BUSY; /* and one that cannot even be asked */
    asks(stage, "GET", "/", "");
    assert_int_equal(status(stage), 503);
}

static void an_event_without_a_row_is_counted_logged_and_cuts(void **state)
{
    struct stage *stage = *state;
    unsigned tried = 0;
    open_cache(stage);
    for (int in = 0; in < GW_EXCHANGE_STATES; in++) {
        for (int when = 0; when < GW_EXCHANGE_EVENTS && ways[in]; when++) {
            if (gw_exchange_next((enum gw_exchange_state)in, (enum gw_exchange_event)when) != GW_EXCHANGE_STATES)
                continue;
            uint64_t before = gw_counter_read(&stage->context.shard->unexpected_events);
            ways[in](stage);
            assert_int_equal(stage->exchange->state, in);
            stage->exchange->identity.request_id = GW_SLICE("id-7");
            calls.on_end = 0;
            stage_said[0] = '\0';
            gw_engine_move(stage->exchange, (enum gw_exchange_event)when);
            char line[200];
            snprintf(line, sizeof line, "request id-7: in state %s there is no move by %s: it is cut\n",
                     gw_exchange_state_name((enum gw_exchange_state)in),
                     gw_exchange_event_name((enum gw_exchange_event)when));
            assert_string_equal(stage_said, line);
            assert_true(stage->client.is_done && !stage->client.has_end);
            assert_int_equal(stage->client.end, GW_DOWNSTREAM_BROKEN);
            assert_int_equal(stage->exchange->answer.ended_by, GW_ERROR_INTERNAL);
            assert_int_equal(gw_counter_read(&stage->context.shard->unexpected_events), before + 1);
            assert_int_equal(calls.on_end, 1);
            assert_null(played_fetch.reader);
            tried++;
        }
    }
#define ROW(in, when, then, by) +1
    unsigned rows = GW_EXCHANGE_MOVES(ROW);
#undef ROW
    assert_int_equal(tried, 6 * GW_EXCHANGE_EVENTS - (rows - 2)); /* two rows are of RECORDING and DONE */
}

/* Nothing is left to be cut, and nothing is done twice. */
static void an_event_without_a_row_after_the_end_is_counted_alone(void **state)
{
    struct stage *stage = *state;
    asks(stage, "GET", "/here", "");
    assert_true(stage->client.is_done);
    for (int when = 0; when < GW_EXCHANGE_EVENTS; when++) {
        if (when == GW_EXCHANGE_BEGUN)
            continue;
        uint64_t before = gw_counter_read(&stage->context.shard->unexpected_events);
        gw_engine_move(stage->exchange, (enum gw_exchange_event)when);
        assert_int_equal(gw_counter_read(&stage->context.shard->unexpected_events), before + 1);
        assert_int_equal(stage->exchange->state, GW_EXCHANGE_DONE);
    }
    late_event = true; /* while it is being recorded */
    asks(stage, "GET", "/here", "");
    assert_true(stage->client.is_done);
    assert_int_equal(stage->client.end, GW_DOWNSTREAM_WHOLE);
    assert_int_equal(status(stage), 200);
    assert_non_null(strstr(stage_said, "in state RECORDING there is no move by GONE\n"));
}

/* ---- a fetch of somebody else ---- */

/* In place of base/mailbox.c: messages wait here until they come. */
static struct gw_message *posted;

void gw_mailbox_post(struct gw_mailbox *mailbox, struct gw_message *message)
{
    struct gw_message **last = &posted;
    (void)mailbox;
    while (*last)
        last = &(*last)->next;
    message->next = NULL;
    *last = message;
}

static void messages_come(void)
{
    while (posted) {
        struct gw_message *message = posted;
        posted = message->next;
        message->deliver(message);
    }
}

static enum gw_filter_result look_up(struct gw_exchange *exchange)
{
    assert_true(asks_cache(exchange));
    return GW_FILTER_CONTINUE;
}

static const struct gw_filter looks_up = { .name = "looks_up", .on_request = look_up };

static int set_up_cache(void **state)
{
    static const struct gw_filter *const with_cache[] = { &looks_up, NULL };
    played_fetch = (struct gw_fetch) { .reader = NULL };
    *state = open_stage("{\"cache\": {\"enabled\": true}}", with_cache);
    open_cache(*state);
    return 0;
}

/* A fetch for the exchange's key begins in this process; worker 0 is the exchange's own. */
static struct gw_coalesced *leads(struct stage *stage, unsigned worker)
{
    struct gw_coalescing_ask ask = { .key = &stage->exchange->key, .worker = worker };
    assert_int_equal(gw_coalescing_start(stage->context.lookups.coalescing, &ask), GW_COALESCING_LEAD);
    if (worker == 0)
        gw_coalescing_set_fetch(ask.coalesced, &played_fetch);
    return ask.coalesced;
}

static void is_answered_by_its_fetch(struct stage *stage)
{
    assert_int_equal(stage->exchange->state, GW_EXCHANGE_FETCHING);
    assert_int_equal(played_fetch.begun, 1);
    tells_head(stage, 200, "", 0);
    tells_end();
    assert_int_equal(status(stage), 200);
    assert_true(stage->client.is_done);
}

/* Its answer is not for this request, or does not come in time: then the request fetches for itself. */
static void a_request_that_a_joined_fetch_releases_fetches_for_itself(void **state)
{
    struct stage *stage = *state;
    for (int is_late = 0; is_late < 2; is_late++) {
        played_fetch.begun = played_fetch.joined = 0;
        asks(stage, "GET", "/", "");
        struct gw_coalesced *coalesced = leads(stage, 0);
        played_answer_all(&stage->store);
        assert_int_equal(stage->exchange->state, GW_EXCHANGE_FETCHING);
        assert_int_equal(played_fetch.joined, 1);
        if (is_late)
            passes(stage, stage->config->flight_wait_ms);
        else
            tells_released(false);
        is_answered_by_its_fetch(stage);
        gw_coalescing_finish(&coalesced);
    }
}

static void a_request_waits_for_a_fetch_of_another_worker_and_then_fetches_for_itself(void **state)
{
    struct stage *stage = *state;
    asks(stage, "GET", "/", "");
    struct gw_coalesced *coalesced = leads(stage, 1);
    played_answer_all(&stage->store);
    assert_int_equal(stage->exchange->state, GW_EXCHANGE_WAITING);
    assert_int_equal(played_fetch.begun, 0);
    passes(stage, stage->config->flight_wait_ms);
    is_answered_by_its_fetch(stage);
    gw_coalescing_finish(&coalesced);
    messages_come();
}

/* Asked for after the request came, so that it is good for a request that wants the backend's word. */
static void a_request_is_answered_by_what_another_worker_fetched(void **state)
{
    static const struct gw_cache_life life = { .freshness_s = 300 };
    struct stage *stage = *state;
    asks(stage, "GET", "/", "Cache-Control: no-cache");
    played_now_us += 1000;
    struct gw_coalesced *coalesced = leads(stage, 1);
    played_answer_all(&stage->store);
    assert_int_equal(stage->exchange->state, GW_EXCHANGE_WAITING);
    struct gw_head response = response_head(&stage->exchange->arena, 200, "X-Backend: theirs");
    struct gw_entry *entry = gw_entry_create(&(struct gw_entry_setup) { .key = &stage->exchange->key,
                                                                        .scheme = GW_SLICE("http"),
                                                                        .host = GW_SLICE("a.example"),
                                                                        .request = &stage->exchange->request,
                                                                        .response = &response,
                                                                        .life = &life,
                                                                        .now_us = played_now_us });
    assert_non_null(entry);
    gw_coalescing_set_answer(coalesced, entry, GW_COALESCING_FETCHED, false);
    gw_coalescing_finish(&coalesced);
    gw_entry_unref(entry);
    messages_come();
    assert_int_equal(status(stage), 200);
    assert_string_equal(field(stage, "X-Backend"), "theirs");
    assert_true(stage->client.is_done);
    assert_int_equal(played_fetch.begun, 0);
}

/* ---- what holds ---- */

/* In a child, in the order of `ways`: each breaks what holds in its state. */
static void break_and_check(void *data)
{
    struct stage *stage = data;
    struct gw_exchange *exchange = stage->exchange;
    switch (exchange->state) {
    case GW_EXCHANGE_WAITING: /* a status is out */
        exchange->answer.message.status = 200;
        break;
    case GW_EXCHANGE_FETCHING: /* a question is out */
        exchange->questions.out = 1;
        break;
    case GW_EXCHANGE_HOLDING: /* a tombstone is awaited */
        exchange->invalidation.sent = 1;
        break;
    case GW_EXCHANGE_SETTLING:
        exchange->invalidation.due = exchange->invalidation.sent + 1;
        break;
    case GW_EXCHANGE_ANSWERING: /* no status is out */
        exchange->answer.message.status = 0;
        break;
    default: /* it still holds an answer of the cache */
        exchange->entry = data;
        break;
    }
    gw_exchange_check(exchange);
}

static void check(void *data)
{
    gw_exchange_check(((struct stage *)data)->exchange);
}

static void a_state_that_does_not_hold_ends_the_process_where_checks_are_on(void **state)
{
    struct stage *stage = *state;
    open_cache(stage);
    for (int in = GW_EXCHANGE_DECIDING + 1; in < GW_EXCHANGE_RECORDING; in++) {
        ways[in](stage);
        assert_int_equal(stage->exchange->state, in);
        assert_int_equal(checks_status_of(check, stage), 0);
        checks_assert_ends(break_and_check, stage);
        gw_exchange_on_gone(stage->exchange, GW_ERROR_CLIENT_GONE);
        assert_int_equal(checks_status_of(check, stage), 0);
        checks_assert_ends(break_and_check, stage); /* DONE */
        played_answer_all(&stage->store);
    }
}

/* The last test: what the others did together. */
static void every_row_of_the_table_was_walked(void **state)
{
    (void)state;
#ifdef GW_CHECKS
#define WALKED(in, when, then, by)                                                                                     \
    if (!(walked[GW_EXCHANGE_##in] & 1u << GW_EXCHANGE_##when))                                                        \
        fail_msg("no test of this file walks the row " #in ", " #when);
    GW_EXCHANGE_MOVES(WALKED)
#undef WALKED
#else
    skip(); /* the moves are only noted where checks are on */
#endif
}

#define MOVES_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define CACHE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_cache, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        MOVES_TEST(what_comes_of_a_fetch_is_told_once_and_in_order),
        MOVES_TEST(a_failure_that_comes_with_the_head_is_answered),
        MOVES_TEST(a_failure_after_the_head_has_left_cuts),
        MOVES_TEST(a_client_that_is_gone_ends_each_state_and_nothing_stays_behind),
        MOVES_TEST(an_answer_that_invalidates_is_held_until_the_tombstone_is_acknowledged),
        MOVES_TEST(a_slow_client_stops_the_fetch_and_its_end_waits_for_the_client),
        MOVES_TEST(an_answered_question_lets_the_request_go_on_to_a_backend),
        MOVES_TEST(an_event_without_a_row_is_counted_logged_and_cuts),
        MOVES_TEST(an_event_without_a_row_after_the_end_is_counted_alone),
        CACHE_TEST(a_request_that_a_joined_fetch_releases_fetches_for_itself),
        CACHE_TEST(a_request_waits_for_a_fetch_of_another_worker_and_then_fetches_for_itself),
        CACHE_TEST(a_request_is_answered_by_what_another_worker_fetched),
        MOVES_TEST(a_state_that_does_not_hold_ends_the_process_where_checks_are_on),
        cmocka_unit_test(every_row_of_the_table_was_walked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
