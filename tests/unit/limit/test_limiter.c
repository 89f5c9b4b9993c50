#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "limit/limiter.h"

static const uint64_t start = 1000000000, second = 1000000;

/* A configuration by hand: two routes, the policies of the test. */
struct scene {
    struct gw_config config;
    struct gw_route routes[2];
    struct gw_limit_policy policies[10];
    struct gw_limiter *limiter;
    struct gw_slice api_key; /* what the request's X-Api-Key says */
    uint64_t now_us;
};

static struct gw_slice field_of(void *context, struct gw_slice name)
{
    struct scene *scene = context;
    return gw_slice_equal(name, GW_SLICE("x-api-key")) ? scene->api_key : GW_NO_SLICE;
}

static void scene_open(struct scene *scene, unsigned policies)
{
    *scene = (struct scene) { .routes = { { .name = GW_SLICE("api") }, { .name = GW_SLICE("default"), .index = 1 } },
                              .now_us = start };
    scene->config.routes = scene->routes;
    scene->config.route_count = 2;
    scene->config.limits_enabled = true;
    scene->config.policies = scene->policies;
    scene->config.policy_count = policies;
    scene->config.max_clients = 1000;
    scene->config.ipv6_prefix_bits = 64;
    for (unsigned i = 0; i < policies; i++)
        scene->policies[i] = (struct gw_limit_policy) {
            .name = gw_slice_of(&"abcdefghij"[i], 1), .n = 1, .period_us = second, .burst = 3, .cost = 1, .index = i
        };
    scene->limiter = gw_limiter_create(&scene->config);
    assert_non_null(scene->limiter);
}

static void scene_close(struct scene *scene)
{
    gw_limiter_destroy(&scene->limiter);
    assert_null(scene->limiter);
}

static void decide(struct scene *scene, const char *client, const char *path, uint32_t route, bool misses,
                   struct gw_limit_decision *decision)
{
    struct gw_address address;
    assert_true(gw_address_parse(&address, gw_slice_of_string(client), false));
    struct gw_limit_subject subject = { .method = GW_SLICE("GET"),
                                        .host = GW_SLICE("example.org"),
                                        .path = gw_slice_of_string(path),
                                        .client = &address,
                                        .route = route,
                                        .field = field_of,
                                        .context = scene };
    gw_limiter_decide(scene->limiter, &scene->config, &subject, misses, scene->now_us, decision);
}

static enum gw_limit_verdict verdict(struct scene *scene, const char *client, const char *path, uint32_t route)
{
    struct gw_limit_decision decision = { 0 };
    decide(scene, client, path, route, false, &decision);
    return decision.verdict;
}

static unsigned drain(struct scene *scene, const char *client, uint32_t route)
{
    unsigned admitted = 0;
    while (verdict(scene, client, "/", route) == GW_LIMIT_ALLOWED)
        admitted++;
    return admitted;
}

static void one_policy_by_address_admits_its_burst_then_its_rate(void **state)
{
    (void)state;
    struct scene scene;
    struct gw_limit_decision decision = { 0 };
    scene_open(&scene, 1);
    decide(&scene, "192.0.2.1", "/", 0, false, &decision);
    assert_int_equal(decision.verdict, GW_LIMIT_ALLOWED);
    assert_int_equal(decision.count, 1);
    assert_ptr_equal(decision.outcomes[0].policy, &scene.policies[0]);
    assert_int_equal(decision.outcomes[0].remaining, 2);
    assert_int_equal(decision.outcomes[0].full_after_ms, 1000);
    assert_int_equal(drain(&scene, "192.0.2.1", 0), 2);
    scene.now_us += 1; /* 999,999 µs are told as a second */
    decision = (struct gw_limit_decision) { 0 };
    decide(&scene, "192.0.2.1", "/", 0, false, &decision);
    assert_int_equal(decision.verdict, GW_LIMIT_REFUSED);
    assert_int_equal(decision.outcomes[0].next_ms, 1000);
    assert_int_equal(decision.outcomes[0].full_after_ms, 3000);
    assert_int_equal(decision.retry_after_ms, 1000);
    scene.now_us += second;
    assert_int_equal(drain(&scene, "192.0.2.1", 0), 1);
    assert_int_equal(gw_limiter_clients(scene.limiter), 1);
    scene_close(&scene);
}

static void addresses_share_a_bucket_by_their_prefix(void **state)
{
    (void)state;
    static const struct {
        unsigned prefix_bits;
        const char *one, *other;
        bool same;
    } rows[] = {
        { 64, "192.0.2.1", "192.0.2.2", false },
        { 64, "192.0.2.1", "::ffff:192.0.2.1", true },
        { 64, "2001:db8::1", "2001:db8::2", true },
        { 64, "2001:db8:0:1::1", "2001:db8:0:2::1", false },
        { 56, "2001:db8:0:1::1", "2001:db8:0:2::1", true },
        { 56, "2001:db8:0:100::1", "2001:db8:0:200::1", false },
        { 60, "2001:db8:0:1::1", "2001:db8:0:f::1", true },
        { 60, "2001:db8:0:1::1", "2001:db8:0:11::1", false },
        { 128, "2001:db8::1", "2001:db8::2", false },
        { 127, "2001:db8::2", "2001:db8::3", true },
        { 0, "2001:db8::1", "fe80::1", true },
        { 0, "192.0.2.1", "192.0.2.2", false },
    };
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct scene scene;
        scene_open(&scene, 1);
        scene.config.ipv6_prefix_bits = rows[i].prefix_bits;
        assert_int_equal(drain(&scene, rows[i].one, 0), 3);
        assert_int_equal(drain(&scene, rows[i].other, 0), rows[i].same ? 0 : 3);
        scene_close(&scene);
    }
}

static void a_header_names_the_client_and_its_absence_the_address(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene, 1);
    scene.policies[0].by = GW_LIMIT_BY_HEADER;
    scene.policies[0].header = GW_SLICE("x-api-key");
    scene.api_key = GW_SLICE("anna");
    assert_int_equal(drain(&scene, "192.0.2.1", 0), 3);
    assert_int_equal(drain(&scene, "192.0.2.2", 0), 0);
    scene.api_key = GW_SLICE("bert");
    assert_int_equal(drain(&scene, "192.0.2.1", 0), 3);
    scene.api_key = GW_NO_SLICE;
    assert_int_equal(drain(&scene, "192.0.2.1", 0), 3);
    scene.api_key = GW_SLICE("");
    assert_int_equal(drain(&scene, "192.0.2.1", 0), 0);
    assert_int_equal(drain(&scene, "192.0.2.2", 0), 3);
    scene_close(&scene);
}

static void a_routes_bucket_is_everybodys_and_keeps_to_the_name(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene, 1);
    scene.policies[0].by = GW_LIMIT_BY_ROUTE;
    assert_int_equal(drain(&scene, "192.0.2.1", 0), 3);
    assert_int_equal(drain(&scene, "192.0.2.2", 0), 0);
    struct gw_route first = scene.routes[0]; /* a reload that puts another route before it */
    scene.routes[0] = scene.routes[1];
    scene.routes[1] = first;
    assert_int_equal(drain(&scene, "192.0.2.1", 1), 0);
    assert_int_equal(drain(&scene, "192.0.2.1", 0), 3);
    scene_close(&scene);
}

static void only_policies_that_match_are_asked(void **state)
{
    (void)state;
    struct scene scene;
    struct gw_limit_decision decision = { 0 };
    scene_open(&scene, 2);
    scene.policies[0].match.path = GW_SLICE("/api");
    scene.policies[1].match.path = GW_SLICE("/reports");
    assert_int_equal(verdict(&scene, "192.0.2.1", "/other", 0), GW_LIMIT_NONE);
    decide(&scene, "192.0.2.1", "/reports/7", 0, false, &decision);
    assert_int_equal(decision.count, 1);
    assert_ptr_equal(decision.outcomes[0].policy, &scene.policies[1]);
    scene.config.limits_enabled = false;
    assert_int_equal(verdict(&scene, "192.0.2.1", "/reports/7", 0), GW_LIMIT_NONE);
    scene_close(&scene);
}

static void one_refusal_takes_from_no_policy_and_all_are_told(void **state)
{
    (void)state;
    struct scene scene;
    struct gw_limit_decision decision = { 0 };
    scene_open(&scene, 3);
    scene.policies[1].burst = 1;
    scene.policies[1].n = 2;
    scene.policies[2].burst = 1;
    assert_int_equal(verdict(&scene, "192.0.2.1", "/", 0), GW_LIMIT_ALLOWED);
    for (unsigned i = 0; i < 5; i++) {
        decision = (struct gw_limit_decision) { 0 };
        decide(&scene, "192.0.2.1", "/", 0, false, &decision);
    }
    assert_int_equal(decision.verdict, GW_LIMIT_REFUSED);
    assert_int_equal(decision.count, 3);
    assert_true(decision.outcomes[0].allowed);
    assert_int_equal(decision.outcomes[0].remaining, 2);
    assert_false(decision.outcomes[1].allowed);
    assert_int_equal(decision.outcomes[1].next_ms, 500);
    assert_int_equal(decision.outcomes[2].next_ms, 1000);
    assert_int_equal(decision.retry_after_ms, 1000); /* until both could */
    scene_close(&scene);
}

static void a_shadow_policy_counts_and_refuses_nothing(void **state)
{
    (void)state;
    struct scene scene;
    struct gw_limit_decision decision = { 0 };
    scene_open(&scene, 2);
    scene.policies[1].burst = 1;
    scene.policies[1].shadow = true;
    assert_int_equal(drain(&scene, "192.0.2.1", 0), 3);
    scene.now_us += second / 2;
    decide(&scene, "192.0.2.1", "/", 0, false, &decision);
    assert_int_equal(decision.verdict, GW_LIMIT_REFUSED);
    assert_int_equal(decision.shadow_refusals, 1);
    scene_close(&scene);
}

static void the_shadows_refusal_alone_gives_no_retry_after(void **state)
{
    (void)state;
    struct scene scene;
    struct gw_limit_decision decision = { 0 };
    scene_open(&scene, 1);
    scene.policies[0].shadow = true;
    for (unsigned i = 0; i < 5; i++) {
        decision = (struct gw_limit_decision) { 0 };
        decide(&scene, "192.0.2.1", "/", 0, false, &decision);
        assert_int_equal(decision.verdict, GW_LIMIT_ALLOWED);
        assert_int_equal(decision.shadow_refusals, i >= 3);
    }
    assert_int_equal(decision.retry_after_ms, 0);
    assert_false(decision.outcomes[0].allowed);
    scene_close(&scene);
}

static void policies_that_count_misses_are_asked_before_the_fetch(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene, 2);
    scene.policies[0].burst = 10;
    scene.policies[1].count_misses_only = true;
    for (unsigned i = 0; i < 4; i++) {
        struct gw_limit_decision decision = { 0 };
        decide(&scene, "192.0.2.1", "/", 0, false, &decision);
        assert_int_equal(decision.count, 1);
        assert_int_equal(decision.verdict, GW_LIMIT_ALLOWED);
        decide(&scene, "192.0.2.1", "/", 0, true, &decision);
        assert_int_equal(decision.count, 2);
        assert_ptr_equal(decision.outcomes[0].policy, &scene.policies[0]);
        assert_ptr_equal(decision.outcomes[1].policy, &scene.policies[1]);
        assert_int_equal(decision.verdict, i < 3 ? GW_LIMIT_ALLOWED : GW_LIMIT_REFUSED);
        assert_int_equal(decision.retry_after_ms, i < 3 ? 0 : 1000);
    }
    scene_close(&scene);
}

static void a_changed_limit_is_a_new_bucket_and_an_unchanged_one_goes_on(void **state)
{
    (void)state;
    static const struct gw_limit_policy changes[] = {
        { .name = { "z", 1 }, .n = 1, .period_us = 1000000, .burst = 3, .cost = 1 },
        { .name = { "a", 1 }, .n = 2, .period_us = 1000000, .burst = 3, .cost = 1 },
        { .name = { "a", 1 }, .n = 1, .period_us = 1000001, .burst = 3, .cost = 1 },
        { .name = { "a", 1 }, .n = 1, .period_us = 1000000, .burst = 4, .cost = 1 },
    };
    struct scene scene;
    scene_open(&scene, 1);
    assert_int_equal(drain(&scene, "192.0.2.1", 0), 3);
    struct gw_limit_policy before = scene.policies[0];
    for (size_t i = 0; i < GW_COUNT(changes); i++) {
        scene.policies[0] = changes[i];
        assert_int_equal(drain(&scene, "192.0.2.1", 0), changes[i].burst);
    }
    scene.policies[1] = before; /* elsewhere in the list, the same policy */
    scene.config.policies = &scene.policies[1];
    assert_int_equal(drain(&scene, "192.0.2.1", 0), 0);
    scene_close(&scene);
}

static void more_policies_than_a_request_holds_are_left_out(void **state)
{
    (void)state;
    struct scene scene;
    struct gw_limit_decision decision = { 0 };
    scene_open(&scene, 10);
    for (unsigned i = 5; i < 10; i++)
        scene.policies[i].count_misses_only = true;
    decide(&scene, "192.0.2.1", "/", 0, false, &decision);
    assert_int_equal(decision.count, 5);
    decide(&scene, "192.0.2.1", "/", 0, true, &decision);
    assert_int_equal(decision.count, GW_LIMIT_POLICIES_PER_REQUEST);
    assert_int_equal(decision.verdict, GW_LIMIT_ALLOWED);
    scene_close(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_policy_by_address_admits_its_burst_then_its_rate),
        cmocka_unit_test(addresses_share_a_bucket_by_their_prefix),
        cmocka_unit_test(a_header_names_the_client_and_its_absence_the_address),
        cmocka_unit_test(a_routes_bucket_is_everybodys_and_keeps_to_the_name),
        cmocka_unit_test(only_policies_that_match_are_asked),
        cmocka_unit_test(one_refusal_takes_from_no_policy_and_all_are_told),
        cmocka_unit_test(a_shadow_policy_counts_and_refuses_nothing),
        cmocka_unit_test(the_shadows_refusal_alone_gives_no_retry_after),
        cmocka_unit_test(policies_that_count_misses_are_asked_before_the_fetch),
        cmocka_unit_test(a_changed_limit_is_a_new_bucket_and_an_unchanged_one_goes_on),
        cmocka_unit_test(more_policies_than_a_request_holds_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
