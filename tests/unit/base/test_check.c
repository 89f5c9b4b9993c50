/* What a check does where GW_CHECKS is set (Debug, sanitizers, fuzzing), and that it does nothing elsewhere. */
#include "support/checks.h"
#include <stdlib.h>
#include "base/base.h"

enum { LAMP_MAGIC = 0x4c414d50, DOOR_MAGIC = 0x444f4f52 };

struct lamp {
    int light;
    struct gw_magic magic; /* anywhere in it */
};

static unsigned evaluations;

static bool told(bool answer)
{
    evaluations++;
    return answer;
}

static struct lamp *shown(struct lamp *lamp)
{
    evaluations++;
    return lamp;
}

/* ---- what ends the process ---- */

static void check_what_holds(void *data)
{
    (void)data;
    GW_CHECK(told(true));
}

static void check_what_does_not_hold(void *data)
{
    (void)data;
    GW_CHECK(told(false));
}

static void check_a_lamp(void *data)
{
    (void)data;
    struct lamp lamp = { .light = 1, .magic = GW_MAGIC(LAMP_MAGIC) };
    GW_CHECK_MAGIC(shown(&lamp), LAMP_MAGIC);
    if (GW_FROM_CONTEXT(&lamp, struct lamp, LAMP_MAGIC) != &lamp)
        abort();
}

static void check_another_thing(void *data)
{
    (void)data;
    struct lamp lamp = { .light = 1, .magic = GW_MAGIC(LAMP_MAGIC) };
    GW_CHECK_MAGIC(&lamp, DOOR_MAGIC);
}

static void check_what_never_began(void *data)
{
    (void)data;
    struct lamp lamp = { .light = 1 };
    GW_CHECK_MAGIC(&lamp, LAMP_MAGIC);
}

static void check_what_has_ended(void *data)
{
    (void)data;
    struct lamp lamp = { .light = 1 };
    lamp.magic = GW_MAGIC(LAMP_MAGIC);
    lamp.magic = GW_NO_MAGIC;
    GW_CHECK_MAGIC(&lamp, LAMP_MAGIC);
}

static void take_another_thing_from_a_context(void *data)
{
    (void)data;
    struct lamp lamp = { .light = 1, .magic = GW_MAGIC(DOOR_MAGIC) };
    void *context = &lamp;
    (void)GW_FROM_CONTEXT(context, struct lamp, LAMP_MAGIC);
}

static void take_nothing_from_a_context(void *data)
{
    (void)data;
    (void)GW_FROM_CONTEXT(NULL, struct lamp, LAMP_MAGIC);
}

static void a_failing_check_ends_the_process_where_checks_are_on(void **state)
{
    static const struct {
        void (*act)(void *data);
        bool holds;
    } rows[] = {
        { check_what_holds, true },
        { check_what_does_not_hold, false },
        { check_a_lamp, true },
        { check_another_thing, false },
        { check_what_never_began, false },
        { check_what_has_ended, false },
        { take_another_thing_from_a_context, false },
        { take_nothing_from_a_context, false },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        int status = checks_status_of(rows[i].act, NULL);
        assert_int_equal(WIFSIGNALED(status) ? WTERMSIG(status) : 0, rows[i].holds || !checks_are_on ? 0 : SIGABRT);
    }
}

static void nothing_is_evaluated_and_no_byte_is_taken_where_checks_are_off(void **state)
{
    (void)state;
    evaluations = 0;
    check_what_holds(NULL);
    check_a_lamp(NULL);
    assert_int_equal(evaluations, checks_are_on ? 2 : 0);
    assert_int_equal(sizeof(struct lamp), checks_are_on ? sizeof(int) + sizeof(unsigned) : sizeof(int));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failing_check_ends_the_process_where_checks_are_on),
        cmocka_unit_test(nothing_is_evaluated_and_no_byte_is_taken_where_checks_are_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
