#include "unit/exchange/played_fetch.h"

/* How a fetched answer reaches the client, and what becomes of the body of its request. */

static enum gw_filter_result ask_or_refuse(struct gw_exchange *exchange);

static void cancel_nothing(struct gw_exchange *exchange, void *slot)
{
    (void)exchange;
    (void)slot;
}

/* Asks somebody for /ask, who never answers; and answers what was refused. */
static const struct gw_filter asks_or_refuses = {
    .name = "asks_or_refuses", .slot_bytes = 8, .on_request = ask_or_refuse, .on_cancel = cancel_nothing
};

static enum gw_filter_result ask_or_refuse(struct gw_exchange *exchange)
{
    if (exchange->deciding.fault) {
        gw_exchange_answer_error(exchange, exchange->deciding.fault);
        return GW_FILTER_ANSWERED;
    }
    if (!gw_slice_equal(exchange->request.path, GW_SLICE("/ask")))
        return GW_FILTER_CONTINUE;
    gw_filter_slot(exchange, &asks_or_refuses);
    return GW_FILTER_ASKED;
}

static const struct gw_filter *const filters[] = { &asks_or_refuses, NULL };

static int set_up(void **state)
{
    played_fetch = (struct gw_fetch) { .reader = NULL };
    *state = open_stage(NULL, filters);
    return 0;
}

static int tear_down(void **state)
{
    close_stage(*state);
    return 0;
}

/* ---- a part of what is stored while it arrives ---- */

static void asks_range(struct stage *stage, const char *range)
{
    char fields[128];
    snprintf(fields, sizeof fields, "Host: a.example\nRange: %s", range);
    struct gw_exchange *exchange = arrives(stage, "192.0.2.1", "GET", "/", fields);
    exchange->cache.is_range = true;
    played_fetch.is_collecting = true;
    gw_exchange_begin(exchange);
}

static void a_part_is_cut_out_of_pieces_of_any_size(void **state)
{
    static const struct {
        const char *range, *part;
    } rows[] = {
        { "bytes=3-6", "3456" }, { "bytes=0-0", "0" },          { "bytes=2-", "23456789" },
        { "bytes=-3", "789" },   { "bytes=0-9", "0123456789" },
    };
    struct stage *stage = *state;
    for (size_t i = 0; i < GW_COUNT(rows); i++)
        for (size_t size = 1; size <= 10; size++) {
            asks_range(stage, rows[i].range);
            tells_head(stage, 200, "", 10);
            for (size_t at = 0; at < 10 && played_fetch.reader; at += size) {
                char piece[11];
                snprintf(piece, sizeof piece, "%.*s", (int)size, "0123456789" + at);
                tells_body(piece);
            }
            if (played_fetch.reader)
                tells_end();
            assert_int_equal(status(stage), 206);
            assert_string_equal(body(stage), rows[i].part);
            assert_int_equal(stage->client.end, GW_DOWNSTREAM_WHOLE);
        }
}

/* Who has its part must not hold up the others' whole, however slowly it is taken. */
static void the_fetch_is_left_when_the_part_is_there(void **state)
{
    struct stage *stage = *state;
    stage->client.is_slow = true;
    asks_range(stage, "bytes=0-3");
    tells_head(stage, 200, "", 10);
    tells_flush();
    tells_body("0123456");
    assert_null(played_fetch.reader);
    assert_false(stage->client.is_done);
    gw_exchange_on_writable(stage->exchange);
    assert_true(stage->client.is_done);
    assert_string_equal(body(stage), "0123");
}

static void a_range_that_cannot_be_satisfied_is_told_without_the_fields_of_the_whole(void **state)
{
    struct stage *stage = *state;
    asks_range(stage, "bytes=10-");
    tells_head(stage, 200, "ETag: \"v1\"\nContent-Type: text/html", 10);
    tells_flush();
    assert_int_equal(status(stage), 416);
    assert_string_equal(field(stage, "Content-Range"), "bytes */10");
    assert_null(field(stage, "ETag"));
    assert_null(field(stage, "Content-Type"));
    assert_null(played_fetch.reader);
}

/* ---- the length (RFC 9110 §8.6) ---- */

static void a_length_is_told_where_it_is_known_and_may_be(void **state)
{
    static const struct {
        const char *method;
        int status;
        uint64_t length, told;
        bool has_body;
    } rows[] = {
        { "GET", 200, 5, 5, true },           { "GET", 200, UINT64_MAX, UINT64_MAX, true },
        { "HEAD", 200, 5, 5, false },         { "HEAD", 200, UINT64_MAX, UINT64_MAX, false },
        { "GET", 204, 0, UINT64_MAX, false }, { "GET", 304, 5, UINT64_MAX, false },
    };
    struct stage *stage = *state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        asks(stage, rows[i].method, "/", "");
        tells_head(stage, rows[i].status, "", rows[i].length);
        tells_end();
        const struct gw_downstream_head *message = &stage->exchange->answer.message;
        assert_int_equal(message->status, rows[i].status);
        assert_true(message->length == rows[i].told);
        assert_int_equal(message->has_body, rows[i].has_body);
    }
}

/* ---- the request's body ---- */

static struct gw_exchange *comes_with_body(struct stage *stage, const char *target)
{
    struct gw_exchange *exchange = arrives(stage, "192.0.2.1", "POST", target, "Host: a.example\nExpect: 100-continue");
    exchange->arrival.has_body = exchange->arrival.has_length = true;
    exchange->arrival.length = 5;
    exchange->request.expects_continue = true;
    played_fetch.takes_body = true;
    return exchange;
}

static void a_client_is_told_100_once_and_only_before_its_answer(void **state)
{
    enum { WANTED, BODY_IS_THERE, ANSWER_HAS_BEGUN, ENDS };
    struct stage *stage = *state;
    for (int end = WANTED; end < ENDS; end++) {
        gw_exchange_begin(comes_with_body(stage, "/"));
        if (end == BODY_IS_THERE)
            gw_exchange_on_body_there(stage->exchange);
        if (end == ANSWER_HAS_BEGUN) {
            tells_head(stage, 200, "", 0);
            tells_flush();
        }
        wants_body();
        assert_true(stage->client.wants_body);
        assert_int_equal(stage->client.interims, end == WANTED);
        if (end != ANSWER_HAS_BEGUN) {
            tells_interim(stage, 100); /* the backend's own */
            assert_int_equal(stage->client.interims, end == WANTED);
            gw_exchange_on_body_end(stage->exchange);
            tells_head(stage, 200, "", 0);
        }
        tells_end();
        assert_int_equal(status(stage), 200);
    }
}

static void a_body_that_nobody_takes_is_dropped_before_the_answer(void **state)
{
    struct stage *stage = *state;
    gw_exchange_begin(comes_with_body(stage, "/"));
    played_fetch.takes_body = false; /* the backend answers without it */
    tells_head(stage, 200, "", 0);
    assert_true(stage->client.drops_body);
    tells_end();
    gw_exchange_refuse(comes_with_body(stage, "/"), GW_ERROR_MALFORMED);
    assert_int_equal(status(stage), 400);
    assert_true(stage->client.drops_body);
}

static void a_body_that_breaks_off_ends_what_waits_for_an_answer(void **state)
{
    struct stage *stage = *state;
    gw_exchange_begin(comes_with_body(stage, "/ask"));
    assert_int_equal(stage->exchange->state, GW_EXCHANGE_WAITING);
    gw_exchange_on_body_broken(stage->exchange, GW_ERROR_MALFORMED);
    assert_int_equal(stage->client.end, GW_DOWNSTREAM_BROKEN);
    assert_true(stage->client.is_done && !stage->client.has_end);
}

static void a_body_may_be_as_long_as_the_bound(void **state)
{
    struct stage *stage = *state;
    for (unsigned more = 0; more < 2; more++) {
        gw_exchange_begin(comes_with_body(stage, "/"));
        wants_body();
        stage->exchange->body.received_bytes = stage->config->max_body_bytes - 1;
        gw_exchange_on_body(stage->exchange, gw_slice_of("ab", 1 + more), NULL);
        assert_int_equal(status(stage), more ? 413 : 0);
        if (!more) {
            tells_head(stage, 200, "", 0);
            tells_end();
        }
    }
}

#define RESPOND_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RESPOND_TEST(a_part_is_cut_out_of_pieces_of_any_size),
        RESPOND_TEST(the_fetch_is_left_when_the_part_is_there),
        RESPOND_TEST(a_range_that_cannot_be_satisfied_is_told_without_the_fields_of_the_whole),
        RESPOND_TEST(a_length_is_told_where_it_is_known_and_may_be),
        RESPOND_TEST(a_client_is_told_100_once_and_only_before_its_answer),
        RESPOND_TEST(a_body_that_nobody_takes_is_dropped_before_the_answer),
        RESPOND_TEST(a_body_that_breaks_off_ends_what_waits_for_an_answer),
        RESPOND_TEST(a_body_may_be_as_long_as_the_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
