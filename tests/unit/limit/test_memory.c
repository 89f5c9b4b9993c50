/* Asking with the 1st, 2nd, 3rd … allocation failing: the request is decided all the same, and no reservation is
 * left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "support/failing_malloc.h"
#define FAKE_STORE_ENTER failing_malloc_suspend
#define FAKE_STORE_LEAVE failing_malloc_go_on
#include "unit/limit/limit_scene.h"

static void ask_and_wait(struct scene *scene, struct request *request)
{
    *request = (struct request) { 0 };
    scene_put(scene, &scene->gateways[0].askers[0], "192.0.2.1", false, request);
    failing_malloc_suspend();
    scene_pass(scene, 2 * MS);
    failing_malloc_go_on();
    assert_true(request->is_decided);
}

static void use_a_limiter(void)
{
    struct request request;
    failing_malloc_suspend();
    struct scene *scene = scene_open(2);
    scene->policies[1].shadow = true;
    gw_limiter_destroy(&scene->gateways[0].limiter);
    failing_malloc_go_on();
    struct gw_limiter *limiter = gw_limiter_create(&scene->config);
    scene->gateways[0].limiter = limiter;
    scene->gateways[0].askers[0].limiter = limiter;
    for (unsigned i = 0; limiter && i < 5; i++) {
        ask_and_wait(scene, &request);
        assert_int_equal(request.decision.verdict, GW_LIMIT_ALLOWED);
        assert_int_equal(request.decision.count, 2);
    }
    failing_malloc_suspend();
    scene_close(scene);
    failing_malloc_go_on();
}

static void whichever_allocation_fails_requests_are_decided(void **state)
{
    (void)state;
    EACH_ALLOCATION_FAILS(use_a_limiter());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whichever_allocation_fails_requests_are_decided),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
