/* Which entries leave, which go on, and which are remembered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/hash.h"
#include "cache/eviction.h"

enum { PLACES = 400, SIZE = 1024, GHOSTS = 256 };

struct scene {
    struct gw_eviction eviction;
    struct gw_eviction_place places[PLACES];
};

static int set_up(void **state)
{
    static struct scene scene;
    scene = (struct scene) { .places = { { .hash = 0 } } };
    for (unsigned i = 0; i < PLACES; i++)
        scene.places[i] = (struct gw_eviction_place) { .hash = gw_hash(&i, sizeof(i), 1), .bytes = SIZE };
    *state = &scene;
    return gw_eviction_init(&scene.eviction, GHOSTS) ? 0 : -1;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    gw_eviction_reset(&scene->eviction);
    return 0;
}

static struct gw_eviction_place *enter(struct scene *scene, unsigned number, unsigned uses)
{
    struct gw_eviction_place *place = &scene->places[number];
    gw_eviction_enter(&scene->eviction, place);
    while (uses--)
        gw_eviction_use(place);
    return place;
}

static void enter_many(struct scene *scene, unsigned from, unsigned to, unsigned uses)
{
    while (from < to)
        enter(scene, from++, uses);
}

static bool is_never_over(struct gw_eviction_place *place, uint64_t now_us)
{
    (void)place;
    (void)now_us;
    return false;
}

/* Those of size 1 are over from 5 on. */
static bool is_small_one_over(struct gw_eviction_place *place, uint64_t now_us)
{
    return now_us >= 5 && place->bytes == 1;
}

/* The number of the entry that left to make room. */
static unsigned let_one_leave(struct scene *scene)
{
    struct gw_eviction_place *place = gw_eviction_choose(&scene->eviction, is_never_over, 0);
    assert_non_null(place);
    gw_eviction_leave(&scene->eviction, place, GW_EVICTION_FOR_ROOM);
    return (unsigned)(place - scene->places);
}

/* The entry has left: is it remembered when it comes back? */
static bool is_known_again(struct scene *scene, unsigned number)
{
    scene->places[number].is_main = false;
    scene->places[number].uses = 0;
    return enter(scene, number, 0)->is_main;
}

static void nothing_leaves_empty_queues(void **state)
{
    struct scene *scene = *state;
    assert_null(gw_eviction_choose(&scene->eviction, is_never_over, 0));
}

static void newcomers_leave_in_their_order(void **state)
{
    enter_many(*state, 0, 50, 1); /* asked for once: not enough to stay */
    for (unsigned i = 0; i < 50; i++)
        assert_int_equal(let_one_leave(*state), i);
    nothing_leaves_empty_queues(state);
}

static void a_place_that_was_asked_for_twice_goes_on_and_starts_anew(void **state)
{
    struct scene *scene = *state;
    struct gw_eviction_place *asked = enter(scene, 0, 2);
    enter_many(scene, 1, 40, 0);
    assert_int_equal(let_one_leave(scene), 1);
    assert_true(asked->is_main);
    assert_int_equal(asked->uses, 0);
    assert_int_equal(scene->eviction.main.bytes, SIZE);
    assert_int_equal(scene->eviction.small.bytes, 38 * SIZE);
}

static void a_scan_does_not_reach_the_main_queue(void **state)
{
    struct scene *scene = *state;
    enter_many(scene, 0, 50, 2);
    enter_many(scene, 50, 60, 0); /* ten of sixty: more than a tenth */
    for (unsigned i = 60; i < PLACES; i++) {
        assert_int_equal(let_one_leave(scene), i - 10);
        enter(scene, i, 0);
    }
    assert_int_equal(scene->eviction.main.bytes, 50 * SIZE);
}

static void the_main_queue_gives_where_newcomers_have_less_than_a_tenth(void **state)
{
    struct scene *scene = *state;
    enter_many(scene, 0, 50, 2);
    enter_many(scene, 50, 56, 0);
    assert_int_equal(let_one_leave(scene), 50); /* 6 of 56, and 0 to 49 have gone on */
    assert_int_equal(let_one_leave(scene), 0);  /* 5 of 55 */
    gw_eviction_use(&scene->places[1]);
    assert_int_equal(let_one_leave(scene), 2); /* 5 of 54; but 1 was asked for */
    assert_int_equal(scene->places[1].uses, 0);
    assert_true(scene->places[1].is_main);
}

static void uses_are_counted_to_three(void **state)
{
    assert_int_equal(enter(*state, 0, 9)->uses, 3);
}

static void a_place_that_left_and_comes_back_enters_the_main_queue_once(void **state)
{
    struct scene *scene = *state;
    enter_many(scene, 0, 40, 0);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(let_one_leave(scene), i);
    for (unsigned i = 0; i < 10; i++)
        assert_true(is_known_again(scene, i));
    for (unsigned i = 0; i < 10; i++) {
        gw_eviction_leave(&scene->eviction, &scene->places[i], GW_EVICTION_FOR_GOOD);
        assert_false(is_known_again(scene, i));
    }
}

static void a_place_that_left_is_forgotten_when_as_much_has_left_as_there_is(void **state)
{
    struct scene *scene = *state;
    enter_many(scene, 0, 40, 0);
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(let_one_leave(scene), i);
        enter(scene, 40 + i, 0);
    }
    assert_false(is_known_again(scene, 0)); /* 100 ago, of 40 */
    assert_false(is_known_again(scene, 40));
    assert_true(is_known_again(scene, 70));
    assert_true(is_known_again(scene, 99));
}

static void ghosts_are_bounded_whatever_leaves(void **state)
{
    struct scene *scene = *state;
    unsigned known = 0;
    enter_many(scene, 0, PLACES, 0);
    for (unsigned i = 0; i < PLACES; i++)
        scene->places[i].bytes = 256;
    scene->eviction.small.bytes = (size_t)1 << 30; /* so many that no entry is forgotten because of its age */
    for (unsigned i = 0; i < PLACES; i++)
        let_one_leave(scene);
    for (unsigned i = 0; i < PLACES; i++)
        known += is_known_again(scene, i);
    assert_in_range(known, GHOSTS / 2, GHOSTS);
}

static void a_place_that_leaves_for_other_reasons_is_remembered_if_it_was_asked_for(void **state)
{
    static const struct row {
        unsigned uses;
        bool is_main;
        enum gw_eviction_leave why;
        bool is_known;
    } rows[] = {
        { 0, false, GW_EVICTION_FOR_NOW, false }, { 1, false, GW_EVICTION_FOR_NOW, true },
        { 0, true, GW_EVICTION_FOR_NOW, true },   { 3, true, GW_EVICTION_FOR_GOOD, false },
        { 0, false, GW_EVICTION_FOR_ROOM, true }, { 0, true, GW_EVICTION_FOR_ROOM, false },
    };
    struct scene *scene = *state;
    enter_many(scene, 100, 140, 0);
    for (unsigned i = 0; i < GW_COUNT(rows); i++) {
        scene->places[i].is_main = rows[i].is_main;
        gw_eviction_leave(&scene->eviction, enter(scene, i, rows[i].uses), rows[i].why);
        if (is_known_again(scene, i) != rows[i].is_known)
            fail_msg("row %u", i);
    }
}

static void what_replaces_another_takes_its_place(void **state)
{
    struct scene *scene = *state;
    struct gw_eviction_place *old = enter(scene, 0, 2), *new = &scene->places[1];
    old->is_main = true;
    gw_eviction_take_over(new, old);
    gw_eviction_take_over(new, &scene->places[2]); /* a lesser one takes nothing away */
    assert_true(new->is_main);
    assert_int_equal(new->uses, 2);
}

static void what_is_over_leaves_first_at_either_end(void **state)
{
    struct scene *scene = *state;
    for (unsigned i = 0; i < 2; i++)
        scene->places[i].bytes = 1;
    scene->places[1].is_main = true;
    enter_many(scene, 0, 2, 3);
    enter_many(scene, 2, 20, 0);
    assert_ptr_equal(gw_eviction_choose(&scene->eviction, is_small_one_over, 5), &scene->places[1]);
    gw_eviction_leave(&scene->eviction, &scene->places[1], GW_EVICTION_FOR_GOOD);
    assert_ptr_equal(gw_eviction_choose(&scene->eviction, is_small_one_over, 5), &scene->places[0]);
    assert_ptr_equal(gw_eviction_choose(&scene->eviction, is_small_one_over, 4), &scene->places[2]);
}

static void a_search_gives_up_and_takes_the_least_asked_for_it_saw(void **state)
{
    struct scene *scene = *state;
    unsigned moved = 0;
    for (unsigned i = 0; i < PLACES; i++)
        scene->places[i].is_main = true;
    enter_many(scene, 0, PLACES, 3);
    scene->places[30].uses = 2;
    scene->places[200].uses = 1; /* too far away */
    assert_int_equal(let_one_leave(scene), 30);
    for (unsigned i = 0; i < PLACES; i++)
        moved += i != 200 && scene->places[i].uses != 3;
    assert_int_equal(moved, GW_EVICTION_LOOKED_AT);
}

int main(void)
{
#define FIFO_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        FIFO_TEST(nothing_leaves_empty_queues),
        FIFO_TEST(newcomers_leave_in_their_order),
        FIFO_TEST(a_place_that_was_asked_for_twice_goes_on_and_starts_anew),
        FIFO_TEST(a_scan_does_not_reach_the_main_queue),
        FIFO_TEST(the_main_queue_gives_where_newcomers_have_less_than_a_tenth),
        FIFO_TEST(uses_are_counted_to_three),
        FIFO_TEST(a_place_that_left_and_comes_back_enters_the_main_queue_once),
        FIFO_TEST(a_place_that_left_is_forgotten_when_as_much_has_left_as_there_is),
        FIFO_TEST(ghosts_are_bounded_whatever_leaves),
        FIFO_TEST(a_place_that_leaves_for_other_reasons_is_remembered_if_it_was_asked_for),
        FIFO_TEST(what_replaces_another_takes_its_place),
        FIFO_TEST(what_is_over_leaves_first_at_either_end),
        FIFO_TEST(a_search_gives_up_and_takes_the_least_asked_for_it_saw),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
