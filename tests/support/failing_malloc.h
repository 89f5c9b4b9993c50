/* failing_malloc.h: one allocation of what is under test fails, or all from one on.
 *
 * Shape    Programs that link tests/support/failing_malloc.c are linked with --wrap, so malloc, calloc, realloc and
 *          aligned_alloc of the gateway's and the test's own objects pass here first; those of shared libraries
 *          (libuv, cmocka) do not.
 * Use      EACH_ALLOCATION_FAILS(scenario(…)) runs the scenario with its 1st, 2nd, 3rd … allocation failing, until
 *          one run gets through without reaching the one that would fail.
 * Threads  The count is the calling thread's. */
#ifndef TEST_SUPPORT_FAILING_MALLOC_H
#define TEST_SUPPORT_FAILING_MALLOC_H

#include <stdbool.h>

enum failing_malloc_kind { ONE_FAILS, ALL_FAIL_FROM_THERE };

/* nth: 1 is the next one. */
void failing_malloc_arm(unsigned nth, enum failing_malloc_kind kind);
/* Did it come to that? No allocation fails any more. */
bool failing_malloc_disarm(void);
/* For what a test needs itself within an armed scenario: nothing fails or is counted in between. */
void failing_malloc_suspend(void);
void failing_malloc_go_on(void);

#define EACH_ALLOCATION_FAILS(scenario)                                                                                \
    do {                                                                                                               \
        for (int failing_kind = ONE_FAILS; failing_kind <= ALL_FAIL_FROM_THERE; failing_kind++) {                      \
            unsigned failing_nth = 0;                                                                                  \
            do {                                                                                                       \
                failing_malloc_arm(++failing_nth, (enum failing_malloc_kind)failing_kind);                             \
                scenario;                                                                                              \
            } while (failing_malloc_disarm());                                                                         \
            assert_true(failing_nth > 1); /* the scenario allocates at all */                                          \
        }                                                                                                              \
    } while (0)

#endif
