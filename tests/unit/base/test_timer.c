#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "base/timer.h"

/* A slow loop makes timers late, which all tests here allow. They do not allow timers that are early, lost, doubled or
 * out of order. */
struct alarm {
    struct gw_timer timer;
    uint64_t started_at_ms, after_ms, fired_at_ms;
    unsigned fired, restarts;
    struct alarm *other;
    struct scene *scene;
};

struct scene {
    uv_loop_t loop;
    struct gw_timers timers;
    unsigned fired;
};

static void set_up(struct scene *scene)
{
    scene->fired = 0;
    assert_int_equal(uv_loop_init(&scene->loop), 0);
    assert_int_equal(gw_timers_open(&scene->timers, &scene->loop), 0);
}

static void tear_down(struct scene *scene)
{
    gw_timers_close(&scene->timers);
    uv_run(&scene->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&scene->loop), 0);
}

static void on_due(struct gw_timer *timer)
{
    struct alarm *alarm = GW_CONTAINER(timer, struct alarm, timer);
    assert_false(gw_timer_is_running(timer));
    alarm->fired++;
    alarm->scene->fired++;
    alarm->fired_at_ms = uv_now(&alarm->scene->loop);
    assert_true(alarm->fired_at_ms - alarm->started_at_ms >= alarm->after_ms); /* never early */
}

static void set(struct scene *scene, struct alarm *alarm, gw_timer_due *then)
{
    *alarm = (struct alarm) { .scene = scene };
    gw_timer_init(&alarm->timer, then);
}

static void start(struct alarm *alarm, uint64_t after_ms)
{
    alarm->started_at_ms = uv_now(&alarm->scene->loop);
    alarm->after_ms = after_ms;
    gw_timer_start(&alarm->scene->timers, &alarm->timer, after_ms);
    assert_true(gw_timer_is_running(&alarm->timer));
}

static void run_until(struct scene *scene, unsigned fired)
{
    while (scene->fired < fired)
        uv_run(&scene->loop, UV_RUN_ONCE);
}

static void a_timer_fires_once_and_never_early(void **state)
{
    static const uint64_t after_ms[] = { 0, 1, 7, 8, 9, 15, 16, 17, 63, 64, 100 };
    (void)state;
    struct scene scene;
    struct alarm alarms[GW_COUNT(after_ms)];
    set_up(&scene);
    for (size_t i = 0; i < GW_COUNT(after_ms); i++) {
        set(&scene, &alarms[i], on_due);
        start(&alarms[i], after_ms[i]);
    }
    run_until(&scene, GW_COUNT(after_ms));
    for (size_t i = 0; i < GW_COUNT(after_ms); i++)
        assert_int_equal(alarms[i].fired, 1);
    uv_run(&scene.loop, UV_RUN_NOWAIT);
    assert_int_equal(scene.fired, GW_COUNT(after_ms));
    tear_down(&scene);
}

/* Late by at most 16 ms beyond what the loop itself is late: the wheel asks for a wake-up no later than that. */
static void the_wheel_wakes_the_loop_within_16_ms_of_the_time(void **state)
{
    static const uint64_t after_ms[] = { 0, 1, 8, 13, 100, 1000, 4000, 4096 - 16 };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(after_ms); i++) {
        struct scene scene;
        struct alarm alarm;
        set_up(&scene);
        set(&scene, &alarm, on_due);
        start(&alarm, after_ms[i]);
        uint64_t wake_ms = uv_timer_get_due_in(&scene.timers.handle);
        assert_true(wake_ms >= after_ms[i] && wake_ms <= after_ms[i] + 16);
        gw_timer_stop(&alarm.timer);
        tear_down(&scene);
    }
}

static void a_stopped_timer_does_not_fire(void **state)
{
    (void)state;
    struct scene scene;
    struct alarm stopped, other;
    set_up(&scene);
    set(&scene, &stopped, on_due);
    set(&scene, &other, on_due);
    gw_timer_stop(&stopped.timer); /* never started */
    start(&stopped, 5);
    start(&other, 40);
    gw_timer_stop(&stopped.timer);
    gw_timer_stop(&stopped.timer);
    assert_false(gw_timer_is_running(&stopped.timer));
    run_until(&scene, 1);
    assert_int_equal(stopped.fired, 0);
    assert_int_equal(other.fired, 1);
    tear_down(&scene);
}

static void a_running_timer_that_is_started_again_moves(void **state)
{
    (void)state;
    struct scene scene;
    struct alarm later, sooner, mark;
    set_up(&scene);
    set(&scene, &later, on_due);
    set(&scene, &sooner, on_due);
    set(&scene, &mark, on_due);
    start(&later, 5);
    start(&sooner, 100000);
    start(&mark, 50);
    start(&later, 80);
    start(&sooner, 10);
    run_until(&scene, 3);
    assert_true(sooner.fired == 1 && mark.fired == 1 && later.fired == 1);
    assert_true(sooner.fired_at_ms <= mark.fired_at_ms && mark.fired_at_ms <= later.fired_at_ms);
    tear_down(&scene);
}

static void timers_of_different_times_fire_in_their_order(void **state)
{
    enum { ALARMS = 60 };
    (void)state;
    struct scene scene;
    struct alarm alarms[ALARMS];
    set_up(&scene);
    for (unsigned i = 0; i < ALARMS; i++)
        set(&scene, &alarms[i], on_due);
    for (unsigned i = 0; i < ALARMS; i++)
        start(&alarms[i * 37 % ALARMS], i * 37 % ALARMS * 9); /* a slot and more apart; started all mixed up */
    run_until(&scene, ALARMS);
    for (unsigned i = 1; i < ALARMS; i++)
        assert_true(alarms[i - 1].fired_at_ms <= alarms[i].fired_at_ms);
    tear_down(&scene);
}

static void again(struct gw_timer *timer)
{
    struct alarm *alarm = GW_CONTAINER(timer, struct alarm, timer);
    on_due(timer);
    if (alarm->restarts) {
        alarm->restarts--;
        start(alarm, alarm->after_ms);
    }
}

static void a_timer_may_start_itself_again(void **state)
{
    (void)state;
    static const uint64_t after_ms[] = { 0, 3, 8 };
    for (size_t i = 0; i < GW_COUNT(after_ms); i++) {
        struct scene scene;
        struct alarm alarm;
        set_up(&scene);
        set(&scene, &alarm, again);
        alarm.restarts = 5;
        start(&alarm, after_ms[i]);
        run_until(&scene, 6);
        assert_int_equal(alarm.fired, 6);
        tear_down(&scene);
    }
}

static void stop_other(struct gw_timer *timer)
{
    struct alarm *alarm = GW_CONTAINER(timer, struct alarm, timer);
    on_due(timer);
    gw_timer_stop(&alarm->other->timer);
}

static void start_other(struct gw_timer *timer)
{
    struct alarm *alarm = GW_CONTAINER(timer, struct alarm, timer);
    on_due(timer);
    start(alarm->other, 0);
}

static void a_timer_may_stop_another_that_is_due_with_it(void **state)
{
    (void)state;
    struct scene scene;
    struct alarm first, second, third;
    set_up(&scene);
    set(&scene, &first, stop_other);
    set(&scene, &second, on_due);
    set(&scene, &third, on_due);
    first.other = &second;
    start(&first, 20); /* one slot: fired in the order they were started */
    start(&second, 20);
    start(&third, 20);
    run_until(&scene, 2);
    assert_true(first.fired == 1 && second.fired == 0 && third.fired == 1);
    tear_down(&scene);
}

static void a_timer_may_move_another_that_is_due_with_it(void **state)
{
    (void)state;
    struct scene scene;
    struct alarm first, second;
    set_up(&scene);
    set(&scene, &first, start_other);
    set(&scene, &second, on_due);
    first.other = &second;
    start(&first, 20);
    start(&second, 20);
    run_until(&scene, 2);
    assert_int_equal(second.fired, 1); /* once, at its new time */
    tear_down(&scene);
}

/* Beyond 512 slots of 8 ms a timer lies in a slot that comes round before its time. */
static void a_timer_of_a_later_round_stays_in_its_slot(void **state)
{
    (void)state;
    struct scene scene;
    struct alarm far, near;
    uint64_t round_ms = GW_TIMER_SLOTS * GW_TIMER_SLOT_MS;
    set_up(&scene);
    set(&scene, &far, on_due);
    set(&scene, &near, on_due);
    start(&far, 3 * round_ms + 24);
    start(&near, 24);
    assert_int_equal(far.timer.due_at_slot % GW_TIMER_SLOTS, near.timer.due_at_slot % GW_TIMER_SLOTS);
    run_until(&scene, 1);
    assert_true(near.fired == 1 && far.fired == 0);
    assert_true(gw_timer_is_running(&far.timer));
    /* The loop's time is the kernel's, and three rounds take twelve seconds. So the test looks at the next wake-up
     * instead of waiting. */
    uint64_t wake_ms = uv_timer_get_due_in(&scene.timers.handle);
    assert_true(wake_ms > 0 && wake_ms <= round_ms + 16);
    gw_timer_stop(&far.timer);
    tear_down(&scene);
}

/* A loop that was held up for longer than a round runs every slot once and fires all timers that are due. Timers that
 * become due later, beyond one round, fire, too. */
static void nothing_is_lost_when_the_loop_sleeps_longer_than_a_round(void **state)
{
    enum { ALARMS = 40 };
    (void)state;
    struct scene scene;
    struct alarm alarms[ALARMS];
    set_up(&scene);
    uint64_t held_up_ms = GW_TIMER_SLOTS * GW_TIMER_SLOT_MS + 200;
    for (unsigned i = 0; i < ALARMS; i++) {
        set(&scene, &alarms[i], on_due);
        start(&alarms[i], i * (held_up_ms + 100) / ALARMS);
    }
    uv_sleep((unsigned)held_up_ms);
    uv_run(&scene.loop, UV_RUN_NOWAIT); /* one look is enough for all that is due by now */
    for (unsigned i = 0; i < ALARMS; i++)
        if (alarms[i].after_ms + 2 * GW_TIMER_SLOT_MS <= held_up_ms)
            assert_int_equal(alarms[i].fired, 1);
    run_until(&scene, ALARMS);
    for (unsigned i = 0; i < ALARMS; i++)
        assert_int_equal(alarms[i].fired, 1);
    tear_down(&scene);
}

static void many_timers_fire_each_once(void **state)
{
    enum { ALARMS = 5000 };
    (void)state;
    struct scene scene;
    struct alarm *alarms = calloc(ALARMS, sizeof *alarms);
    unsigned expected = 0;
    set_up(&scene);
    for (unsigned i = 0; i < ALARMS; i++) {
        set(&scene, &alarms[i], on_due);
        start(&alarms[i], i * 7919 % 200);
    }
    for (unsigned i = 0; i < ALARMS; i++) {
        if (i % 3 == 0)
            gw_timer_stop(&alarms[i].timer);
        else
            expected++;
        if (i % 3 == 1)
            start(&alarms[i], i % 150);
    }
    run_until(&scene, expected);
    for (unsigned i = 0; i < ALARMS; i++)
        assert_int_equal(alarms[i].fired, i % 3 ? 1 : 0);
    free(alarms);
    tear_down(&scene);
}

static void a_wheel_that_stood_still_starts_from_now(void **state)
{
    (void)state;
    struct scene scene;
    struct alarm alarm;
    set_up(&scene);
    set(&scene, &alarm, on_due);
    start(&alarm, 0);
    run_until(&scene, 1);
    uv_sleep(50); /* nothing is running: no wake-up, no looking at slots */
    uv_update_time(&scene.loop);
    start(&alarm, 10);
    uint64_t wake_ms = uv_timer_get_due_in(&scene.timers.handle);
    assert_true(wake_ms >= 10 && wake_ms <= 26);
    run_until(&scene, 2);
    tear_down(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_timer_fires_once_and_never_early),
        cmocka_unit_test(the_wheel_wakes_the_loop_within_16_ms_of_the_time),
        cmocka_unit_test(a_stopped_timer_does_not_fire),
        cmocka_unit_test(a_running_timer_that_is_started_again_moves),
        cmocka_unit_test(timers_of_different_times_fire_in_their_order),
        cmocka_unit_test(a_timer_may_start_itself_again),
        cmocka_unit_test(a_timer_may_stop_another_that_is_due_with_it),
        cmocka_unit_test(a_timer_may_move_another_that_is_due_with_it),
        cmocka_unit_test(a_timer_of_a_later_round_stays_in_its_slot),
        cmocka_unit_test(nothing_is_lost_when_the_loop_sleeps_longer_than_a_round),
        cmocka_unit_test(many_timers_fire_each_once),
        cmocka_unit_test(a_wheel_that_stood_still_starts_from_now),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
