#include "support/checks.h"
#include <limits.h>
#include <stdlib.h>
#include "base/free_list.h"

struct lamp {
    int light;
    char *shade; /* owned; costly to make */
};

static unsigned broken;

static void destroy(void *object)
{
    struct lamp *lamp = object;
    broken++;
    free(lamp->shade);
}

static struct lamp *take(struct gw_free_list *list, bool is_new)
{
    bool told;
    struct lamp *lamp = gw_free_list_take(list, &told);
    assert_non_null(lamp);
    assert_int_equal(told, is_new);
    assert_int_equal((uintptr_t)lamp % _Alignof(max_align_t), 0);
    if (told)
        *lamp = (struct lamp) { .shade = calloc(1, 8) };
    return lamp;
}

static void open_list(struct gw_free_list *list, unsigned most)
{
    broken = 0;
    gw_free_list_init(list, sizeof(struct lamp), most, destroy);
}

static void what_is_given_back_is_taken_again_as_it_was(void **state)
{
    struct gw_free_list list;
    (void)state;
    open_list(&list, 2);
    struct lamp *first = take(&list, true), *second = take(&list, true);
    first->light = 1;
    second->light = 2;
    gw_free_list_give(&list, first);
    gw_free_list_give(&list, second);
    assert_ptr_equal(take(&list, false), second); /* the last one first */
    assert_int_equal(second->light, 2);
    assert_ptr_equal(take(&list, false), first);
    assert_int_equal(first->light, 1);
    assert_int_equal(broken, 0);
    gw_free_list_drop(&list, first);
    gw_free_list_drop(&list, second);
    assert_int_equal(broken, 2);
}

static void no_more_are_kept_than_the_bound_says(void **state)
{
    struct gw_free_list list;
    struct lamp *lamps[4];
    (void)state;
    open_list(&list, 2);
    for (unsigned i = 0; i < 4; i++)
        lamps[i] = take(&list, true);
    for (unsigned i = 0; i < 4; i++) {
        gw_free_list_give(&list, lamps[i]);
        assert_int_equal(list.count, i < 2 ? i + 1 : 2);
        assert_int_equal(broken, i < 2 ? 0 : i - 1);
    }
    gw_free_list_trim(&list, 0);
    assert_int_equal(list.count, 0);
    assert_int_equal(broken, 4);
}

static void a_list_that_only_trim_bounds_is_trimmed(void **state)
{
    struct gw_free_list list;
    struct lamp *lamps[5];
    (void)state;
    open_list(&list, UINT_MAX);
    for (unsigned i = 0; i < 5; i++)
        lamps[i] = take(&list, true);
    for (unsigned i = 0; i < 5; i++)
        gw_free_list_give(&list, lamps[i]);
    assert_int_equal(broken, 0);
    gw_free_list_trim(&list, 3);
    assert_int_equal(list.count, 3);
    assert_int_equal(broken, 2);
    gw_free_list_trim(&list, 0);
    assert_int_equal(broken, 5);
}

static struct gw_free_list misused;

static void give_twice(void *object)
{
    gw_free_list_give(&misused, object);
    gw_free_list_give(&misused, object);
}

static void touch_while_free(void *object)
{
    gw_free_list_give(&misused, object);
    *(volatile char *)object = 1;
}

static void misuse_ends_the_process_where_checks_are_on(void **state)
{
    (void)state;
    gw_free_list_init(&misused, sizeof(struct lamp), 4, NULL);
    void *object = gw_free_list_take(&misused, NULL);
    assert_non_null(object);
    checks_assert_ends(give_twice, object);
#ifdef __SANITIZE_ADDRESS__
    checks_assert_ends(touch_while_free, object);
#else
    (void)touch_while_free;
#endif
    gw_free_list_drop(&misused, object);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_given_back_is_taken_again_as_it_was),
        cmocka_unit_test(no_more_are_kept_than_the_bound_says),
        cmocka_unit_test(a_list_that_only_trim_bounds_is_trimmed),
        cmocka_unit_test(misuse_ends_the_process_where_checks_are_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
