#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "exchange/exchange.h"

/* The table of exchange.h, read once more: what the engine does must be what it says. */
static const struct row {
    enum gw_exchange_state in;
    enum gw_exchange_event when;
    enum gw_exchange_state then;
} rows[] = {
#define ROW(in, when, then, by) { GW_EXCHANGE_##in, GW_EXCHANGE_##when, GW_EXCHANGE_##then },
    GW_EXCHANGE_MOVES(ROW)
#undef ROW
};

static const struct row *row_of(enum gw_exchange_state state, enum gw_exchange_event event)
{
    for (size_t i = 0; i < GW_COUNT(rows); i++)
        if (rows[i].in == state && rows[i].when == event)
            return &rows[i];
    return NULL;
}

static void every_row_is_a_move_and_no_other_pair_is(void **state)
{
    (void)state;
    unsigned moves = 0;
    for (int in = 0; in < GW_EXCHANGE_STATES; in++)
        for (int when = 0; when < GW_EXCHANGE_EVENTS; when++) {
            enum gw_exchange_state from = (enum gw_exchange_state)in;
            enum gw_exchange_event event = (enum gw_exchange_event)when;
            const struct row *row = row_of(from, event);
            assert_int_equal(gw_exchange_next(from, event), row ? row->then : GW_EXCHANGE_STATES);
            moves += row != NULL;
        }
    assert_int_equal(moves, GW_COUNT(rows)); /* no pair has two rows */
}

static void mark_reachable(bool reached[GW_EXCHANGE_STATES])
{
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < GW_COUNT(rows); i++)
            if (reached[rows[i].in] && !reached[rows[i].then])
                more = reached[rows[i].then] = true;
    }
}

static void every_state_is_reached_from_the_start_and_leads_to_the_end(void **state)
{
    (void)state;
    bool from_start[GW_EXCHANGE_STATES] = { [GW_EXCHANGE_DONE] = true };
    mark_reachable(from_start);
    for (int in = 0; in < GW_EXCHANGE_STATES; in++) {
        bool from_here[GW_EXCHANGE_STATES] = { false };
        from_here[in] = true;
        mark_reachable(from_here);
        assert_true(from_start[in]);
        assert_true(from_here[GW_EXCHANGE_DONE]);
    }
}

static void a_side_that_vanishes_ends_every_state_before_recording(void **state)
{
    (void)state;
    static const enum gw_exchange_state before[] = { GW_EXCHANGE_DECIDING, GW_EXCHANGE_WAITING, GW_EXCHANGE_FETCHING,
                                                     GW_EXCHANGE_ANSWERING };
    for (size_t i = 0; i < GW_COUNT(before); i++)
        assert_int_equal(gw_exchange_next(before[i], GW_EXCHANGE_GONE), GW_EXCHANGE_RECORDING);
    /* From then on no callback can arrive any more. */
    assert_int_equal(gw_exchange_next(GW_EXCHANGE_RECORDING, GW_EXCHANGE_GONE), GW_EXCHANGE_STATES);
    assert_int_equal(gw_exchange_next(GW_EXCHANGE_DONE, GW_EXCHANGE_GONE), GW_EXCHANGE_STATES);
}

static void every_event_has_its_use_and_recording_happens_once(void **state)
{
    (void)state;
    for (int when = 0; when < GW_EXCHANGE_EVENTS; when++) {
        bool is_used = false;
        for (size_t i = 0; i < GW_COUNT(rows); i++)
            is_used |= rows[i].when == (enum gw_exchange_event)when;
        assert_true(is_used);
    }
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        if (rows[i].in == GW_EXCHANGE_RECORDING) /* one way out */
            assert_int_equal(rows[i].then, GW_EXCHANGE_DONE);
        if (rows[i].then == GW_EXCHANGE_DONE) /* and one way in */
            assert_int_equal(rows[i].in, GW_EXCHANGE_RECORDING);
        if (rows[i].in == GW_EXCHANGE_ANSWERING) /* the status is out: no way back */
            assert_int_equal(rows[i].then, GW_EXCHANGE_RECORDING);
    }
}

static void every_state_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < GW_EXCHANGE_STATES; i++) {
        const char *name = gw_exchange_state_name((enum gw_exchange_state)i);
        assert_true(name[0] >= 'A' && name[0] <= 'Z');
        for (int j = i + 1; j < GW_EXCHANGE_STATES; j++)
            assert_string_not_equal(name, gw_exchange_state_name((enum gw_exchange_state)j));
    }
    assert_string_equal(gw_exchange_state_name(GW_EXCHANGE_STATES), "none");
#define NAMED(in, when, then, by)                                                                                      \
    assert_string_equal(gw_exchange_state_name(GW_EXCHANGE_##in), #in);                                                \
    assert_string_equal(gw_exchange_state_name(GW_EXCHANGE_##then), #then);
    GW_EXCHANGE_MOVES(NAMED)
#undef NAMED
}

static void every_event_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < GW_EXCHANGE_EVENTS; i++)
        assert_non_null(gw_exchange_event_name((enum gw_exchange_event)i));
    assert_string_equal(gw_exchange_event_name(GW_EXCHANGE_EVENTS), "none");
#define NAMED(in, when, then, by) assert_string_equal(gw_exchange_event_name(GW_EXCHANGE_##when), #when);
    GW_EXCHANGE_MOVES(NAMED)
#undef NAMED
}

static void a_field_that_does_not_fit_is_left_out_whole(void **state)
{
    (void)state;
    static struct gw_exchange exchange;
    char memory[32];
    exchange.answer.fields = gw_buffer_over(memory, sizeof memory);
    gw_exchange_add_field(&exchange, GW_SLICE("X-One"), GW_SLICE("1"));
    gw_exchange_add_field(&exchange, GW_SLICE("X-Two"), GW_SLICE("longer than what is left here"));
    gw_exchange_add_field(&exchange, GW_SLICE("X-A-Name-That-Is-Too-Long-Itself"), GW_SLICE(""));
    gw_exchange_add_field(&exchange, GW_SLICE("X-Three"), GW_SLICE("3"));
    assert_true(gw_slice_equal(gw_buffer_slice(&exchange.answer.fields), GW_SLICE("X-One: 1\r\nX-Three: 3\r\n")));
    assert_true(exchange.answer.fields.overflowed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_a_move_and_no_other_pair_is),
        cmocka_unit_test(every_state_is_reached_from_the_start_and_leads_to_the_end),
        cmocka_unit_test(a_side_that_vanishes_ends_every_state_before_recording),
        cmocka_unit_test(every_event_has_its_use_and_recording_happens_once),
        cmocka_unit_test(every_state_has_a_name_of_its_own),
        cmocka_unit_test(every_event_has_a_name_of_its_own),
        cmocka_unit_test(a_field_that_does_not_fit_is_left_out_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
