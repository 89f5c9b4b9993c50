#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "unit/limit/limit_scene.h"

static void the_stores_numbers_are_told(void **state)
{
    (void)state;
    struct scene *scene = scene_open(1);
    struct request request;
    scene_ask(scene, 0, &request);
    assert_false(request.is_decided);
    scene_pass(scene, 2 * MS);
    assert_true(request.is_decided);
    assert_int_equal(request.decision.verdict, GW_LIMIT_ALLOWED);
    assert_int_equal(request.decision.count, 1);
    assert_ptr_equal(request.decision.outcomes[0].policy, &scene->policies[0]);
    assert_true(request.decision.outcomes[0].allowed);
    assert_int_equal(request.decision.outcomes[0].remaining, 19);
    assert_int_equal(request.decision.outcomes[0].full_after_ms, 100);
    scene_ask(scene, 1, &request); /* another gateway, the same bucket */
    scene_pass(scene, 2 * MS);
    assert_int_equal(request.decision.outcomes[0].remaining, 18);
    assert_int_equal(scene_calls(scene), 2);
    scene_close(scene);
}

static void keys_hold_only_validated_or_hashed_text(void **state)
{
    (void)state;
    static const struct {
        enum gw_limit_key by;
        const char *client, *api_key, *key;
        unsigned prefix_bits;
    } rows[] = {
        { GW_LIMIT_BY_IP, "192.0.2.1", "", "gw:rl:a:1-100000-20:192.0.2.1", 64 },
        { GW_LIMIT_BY_IP, "::ffff:192.0.2.255", "", "gw:rl:a:1-100000-20:192.0.2.255", 64 },
        { GW_LIMIT_BY_IP, "2001:db8:1:2:3:4:5:6", "", "gw:rl:a:1-100000-20:2001:db8:1:2::/64", 64 },
        { GW_LIMIT_BY_IP, "2001:db8:1:2:3:4:5:6", "", "gw:rl:a:1-100000-20:2001:db8:1:2:3:4:5:6/128", 128 },
        { GW_LIMIT_BY_HEADER, "192.0.2.1", "a\r\nb*",
          "gw:rl:a:1-100000-20:a75bfe25d2c0d78b6c3602b0e7cf12bde0fc3fc3618d23301450642ce8cf5539", 64 },
        { GW_LIMIT_BY_HEADER, "192.0.2.1", "", "gw:rl:a:1-100000-20:192.0.2.1", 64 },
        { GW_LIMIT_BY_ROUTE, "192.0.2.1", "", "gw:rl:a:1-100000-20:default", 64 },
    };
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct scene *scene = scene_open(1);
        struct request request = { 0 };
        scene->policies[0].by = rows[i].by;
        scene->config.ipv6_prefix_bits = rows[i].prefix_bits;
        scene->api_key = gw_slice_of_string(rows[i].api_key);
        scene_put(scene, &scene->gateways[0].askers[0], rows[i].client, false, &request);
        struct gw_store_call *call = scene->gateways[0].stores[0].pending;
        assert_non_null(call);
        assert_int_equal(call->key_count, 1);
        assert_string_equal(call->keys[0], rows[i].key);
        assert_int_equal(call->arguments[0], 1);
        assert_int_equal(call->arguments[1], 100000);
        assert_int_equal(call->arguments[2], 20);
        assert_int_equal(call->arguments[3], 1);
        scene_close(scene);
        assert_true(request.is_decided);
    }
}

static void what_the_store_would_refuse_is_refused_here_until_it_would_not(void **state)
{
    (void)state;
    struct scene *scene = scene_open(1);
    struct request request;
    scene->gateways[0].stores[0].least_us = scene->gateways[0].stores[0].most_us = 0;
    assert_int_equal(scene_drain(scene, 0), 20);
    uint64_t calls = scene_calls(scene);
    uint64_t due_us = fake_bucket(&scene->world, "gw:rl:a:1-100000-20:192.0.2.1")->full_at_us - 1900 * MS;
    assert_int_equal(calls, 20); /* the bound knew of the 21st */
    for (; scene->world.now_us < due_us; scene_pass(scene, 7 * MS)) {
        scene_ask(scene, 0, &request);
        assert_int_equal(request.decision.verdict, GW_LIMIT_REFUSED);
        struct gw_bucket_answer truth = fake_look(&scene->world, "gw:rl:a:1-100000-20:192.0.2.1",
                                                  &(struct gw_bucket_rate) { 1, 100000, 20 }, 1);
        assert_int_equal(request.decision.outcomes[0].remaining, truth.remaining);
        assert_int_equal(request.decision.outcomes[0].next_ms, (truth.next_us + 999) / 1000);
        assert_int_equal(request.decision.outcomes[0].full_after_ms, (truth.full_after_us + 999) / 1000);
        assert_int_equal(request.decision.retry_after_ms, (truth.next_us + 999) / 1000);
    }
    assert_int_equal(scene_calls(scene), calls);
    assert_int_equal(scene_verdict(scene, 0), GW_LIMIT_ALLOWED);
    scene_close(scene);
}

/* The reply needed 40 ms to come back, and a request that the store would admit now is not refused. */
static void a_bound_counts_from_the_moment_its_question_was_sent(void **state)
{
    (void)state;
    struct scene *scene = scene_open(1);
    struct gw_store *store = &scene->gateways[0].stores[0];
    assert_int_equal(scene_drain(scene, 1), 20);
    store->least_us = store->most_us = 20 * MS;
    uint64_t sent_us = scene->world.now_us;
    assert_int_equal(scene_verdict(scene, 0), GW_LIMIT_REFUSED);
    struct gw_bucket_answer truth = fake_look(&scene->world, "gw:rl:a:1-100000-20:192.0.2.1",
                                              &(struct gw_bucket_rate) { 1, 100000, 20 }, 1);
    uint64_t due_us = scene->world.now_us + truth.next_us;
    struct request request;
    fake_run_until(&scene->world, due_us - 20 * MS - 1);
    scene_ask(scene, 0, &request);
    assert_int_equal(request.decision.verdict, GW_LIMIT_REFUSED);
    assert_int_equal(request.decision.outcomes[0].next_ms, 1);
    fake_run_until(&scene->world, due_us - 20 * MS); /* when it arrives, the token is there */
    assert_int_equal(scene_verdict(scene, 0), GW_LIMIT_ALLOWED);
    assert_true(sent_us < due_us);
    scene_close(scene);
}

/* Three in 100 ms, burst five: the eighth token is there after exactly 100 ms, whatever the script rounds. */
static void a_token_is_asked_for_in_the_microsecond_it_is_due(void **state)
{
    (void)state;
    static const struct {
        uint64_t at_us;
        bool is_allowed;
    } rows[] = { { 0, true },     { 0, true },     { 0, true },      { 0, true },      { 0, true },      { 0, false },
                 { 66667, true }, { 66667, true }, { 99999, false }, { 100000, true }, { 100000, false } };
    struct scene *scene = scene_open(1);
    struct request request;
    scene_limit(scene, 0, 3, 100 * MS, 5, 1);
    scene->gateways[0].stores[0].least_us = scene->gateways[0].stores[0].most_us = 0;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        uint64_t calls = scene_calls(scene);
        fake_run_until(&scene->world, start + rows[i].at_us);
        scene_ask(scene, 0, &request);
        scene_pass(scene, 0);
        assert_int_equal(scene_calls(scene) - calls, rows[i].is_allowed);
        assert_int_equal(request.decision.verdict, rows[i].is_allowed ? GW_LIMIT_ALLOWED : GW_LIMIT_REFUSED);
    }
    scene_close(scene);
}

static void a_bound_is_believed_for_a_second_and_renewed_before(void **state)
{
    (void)state;
    struct scene *scene = scene_open(1);
    scene_limit(scene, 0, 1, 3600 * second, 20, 1);
    assert_int_equal(scene_drain(scene, 0), 20);
    uint64_t calls = scene_calls(scene);
    fake_flush_all(&scene->world); /* the store forgets */
    fake_run_until(&scene->world, start + 749 * MS);
    assert_int_equal(scene_verdict(scene, 0), GW_LIMIT_REFUSED);
    assert_int_equal(scene_calls(scene), calls);
    fake_run_until(&scene->world, start + 750 * MS);
    struct request requests[10];
    for (unsigned i = 0; i < 10; i++) { /* one of them renews it, the others are refused by it */
        scene_ask(scene, 0, &requests[i]);
        assert_int_equal(requests[i].is_decided, i > 0);
    }
    scene_pass(scene, 2 * MS);
    assert_int_equal(requests[0].decision.verdict, GW_LIMIT_ALLOWED);
    assert_int_equal(scene_drain(scene, 0), 19);
    fake_flush_all(&scene->world);
    scene_pass(scene, second); /* no request came in time to renew it */
    assert_int_equal(scene_drain(scene, 0), 20);
    scene_close(scene);
}

static void a_flood_costs_a_call_a_token_and_a_few_a_second(void **state)
{
    (void)state;
    enum { FLOOD = 20000, STEP_US = 100 }; /* two seconds of 10,000 a second at each gateway */
    struct scene *scene = scene_open(1);
    struct request *requests = calloc((size_t)FLOOD * SCENE_GATEWAYS, sizeof *requests);
    unsigned admitted = 0, asked = 0;
    for (unsigned i = 0; i < SCENE_GATEWAYS; i++)
        scene->gateways[i].stores[0].most_us = 3 * MS;
    for (unsigned i = 0; i < FLOOD; i++) {
        for (unsigned g = 0; g < SCENE_GATEWAYS; g++) {
            scene_ask(scene, g, &requests[asked]);
            if (!requests[asked].is_decided)
                asked++;
        }
        scene_pass(scene, STEP_US);
    }
    scene_pass(scene, 10 * MS);
    for (unsigned i = 0; i < asked; i++)
        admitted += requests[i].decision.verdict == GW_LIMIT_ALLOWED;
    assert_int_equal(admitted, 20 + 2 * 10 - 1); /* the last one is due a latency too late */
    assert_int_equal(asked, scene_calls(scene));
    assert_true(asked <= SCENE_GATEWAYS * (20 + 2 * 10 + 2 * 10 / 2));
    free(requests);
    scene_close(scene);
}

static void a_flood_on_an_empty_bucket_costs_a_call_or_two_a_second(void **state)
{
    (void)state;
    struct scene *scene = scene_open(1);
    scene_limit(scene, 0, 1, 3600 * second, 1000, 1);
    assert_int_equal(scene_drain(scene, 0), 1000);
    uint64_t calls = scene_calls(scene);
    struct request requests[64];
    for (unsigned i = 0; i < 100000; i++) { /* 10 s of 10,000 a second */
        struct request *request = &requests[i % 64];
        scene_ask(scene, 0, request);
        scene_pass(scene, 100);
    }
    scene_pass(scene, 10 * MS);
    assert_true(scene_calls(scene) - calls <= 14);
    scene_close(scene);
}

static void costs_under_way_are_reserved(void **state)
{
    (void)state;
    struct scene *scene = scene_open(1);
    struct request requests[30];
    for (unsigned i = 0; i < 30; i++) { /* nothing is known but the burst */
        scene_ask(scene, 0, &requests[i]);
        assert_int_equal(requests[i].is_decided, i >= 20);
        if (i >= 20)
            assert_int_equal(requests[i].decision.verdict, GW_LIMIT_REFUSED);
    }
    assert_int_equal(scene_calls(scene), 20);
    scene_pass(scene, 2 * MS);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(requests[i].decision.verdict, GW_LIMIT_ALLOWED);
    scene_close(scene);
}

static void a_smaller_cost_may_ask_beside_a_larger_one_under_way(void **state)
{
    (void)state;
    static const struct {
        uint64_t cost;
        bool is_asked;
    } rows[] = { { 15, true }, { 15, false }, { 16, false }, { 6, true }, { 14, true } };
    struct scene *scene = scene_open(1);
    struct request requests[GW_COUNT(rows)];
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        scene->policies[0].cost = rows[i].cost;
        scene_ask(scene, 0, &requests[i]);
        assert_int_equal(!requests[i].is_decided, rows[i].is_asked);
    }
    scene_pass(scene, 2 * MS);
    static const enum gw_limit_verdict verdicts[] = { GW_LIMIT_ALLOWED, GW_LIMIT_REFUSED, GW_LIMIT_REFUSED,
                                                      GW_LIMIT_REFUSED, GW_LIMIT_REFUSED };
    for (size_t i = 0; i < GW_COUNT(rows); i++)
        assert_int_equal(requests[i].decision.verdict, verdicts[i]);
    scene->policies[0].cost = 5;
    assert_int_equal(scene_verdict(scene, 0), GW_LIMIT_ALLOWED);
    scene_close(scene);
}

static void answers_out_of_order_neither_raise_a_bound_nor_count_a_cost_twice(void **state)
{
    (void)state;
    struct scene *scene = scene_open(1);
    struct gw_store *slow = &scene->gateways[0].stores[0], *fast = &scene->gateways[0].stores[1];
    struct request late = { 0 }, early = { 0 }, again = { 0 };
    scene_limit(scene, 0, 1, 10 * second, 20, 9);
    slow->least_us = slow->most_us = 20 * MS;
    scene_put(scene, &scene->gateways[0].askers[0], "192.0.2.1", false, &late);
    scene_pass(scene, 30 * MS); /* taken; the answer is on its way */
    scene_put(scene, &scene->gateways[0].askers[1], "192.0.2.1", false, &early);
    scene_pass(scene, 2 * fast->most_us);
    assert_true(early.is_decided);
    assert_int_equal(early.decision.outcomes[0].remaining, 2); /* both are in it */
    scene->policies[0].cost = 2;
    scene_put(scene, &scene->gateways[0].askers[1], "192.0.2.1", false, &again);
    scene_pass(scene, 2 * fast->most_us);
    assert_int_equal(again.decision.verdict, GW_LIMIT_ALLOWED);
    assert_false(late.is_decided);
    scene_pass(scene, 20 * MS);
    assert_int_equal(late.decision.outcomes[0].remaining, 11); /* as it was then */
    again = (struct request) { 0 };
    scene_put(scene, &scene->gateways[0].askers[1], "192.0.2.1", false, &again);
    assert_int_equal(again.decision.verdict, GW_LIMIT_REFUSED);
    scene_close(scene);
}

static void several_policies_are_one_call_and_one_known_to_refuse_is_none(void **state)
{
    (void)state;
    struct scene *scene = scene_open(3);
    struct request request;
    scene_limit(scene, 1, 1, second, 2, 1);
    for (unsigned i = 0; i < 2; i++) {
        scene_ask(scene, 0, &request);
        assert_int_equal(scene->gateways[0].stores[0].pending->key_count, 3);
        scene_pass(scene, 2 * MS);
        assert_int_equal(request.decision.verdict, GW_LIMIT_ALLOWED);
    }
    for (unsigned i = 0; i < 50; i++) {
        scene_ask(scene, 0, &request);
        assert_true(request.is_decided);
    }
    assert_int_equal(request.decision.verdict, GW_LIMIT_REFUSED);
    assert_int_equal(request.decision.count, 3);
    assert_true(request.decision.outcomes[0].allowed);
    assert_int_equal(request.decision.outcomes[0].remaining, 18);
    assert_false(request.decision.outcomes[1].allowed);
    assert_true(request.decision.outcomes[2].allowed);
    assert_int_equal(request.decision.retry_after_ms, 996);
    assert_int_equal(scene_calls(scene), 2);
    scene_ask(scene, 1, &request); /* knows nothing: asks, and takes from none */
    scene_pass(scene, 2 * MS);
    assert_int_equal(request.decision.verdict, GW_LIMIT_REFUSED);
    assert_int_equal(request.decision.outcomes[0].remaining, 18);
    assert_int_equal(
        fake_look(&scene->world, "gw:rl:c:1-100000-20:192.0.2.1", &(struct gw_bucket_rate) { 1, 100000, 20 }, 1)
            .remaining,
        18);
    scene_close(scene);
}

static void shadow_policies_are_asked_beside_the_others_and_refuse_nothing(void **state)
{
    (void)state;
    struct scene *scene = scene_open(3);
    struct request request;
    scene_limit(scene, 0, 1, second, 2, 1);
    scene_limit(scene, 2, 1, second, 3, 1);
    scene->policies[0].shadow = scene->policies[2].shadow = true;
    for (unsigned i = 0; i < 6; i++) {
        uint64_t calls = scene_calls(scene);
        scene_ask(scene, 0, &request);
        assert_int_equal(scene_calls(scene) - calls, i < 2 ? 3 : i < 3 ? 2 : 1); /* known to refuse: not asked */
        scene_pass(scene, 2 * MS);
        assert_int_equal(request.decision.verdict, GW_LIMIT_ALLOWED);
        assert_int_equal(request.decision.count, 3);
        assert_int_equal(request.decision.outcomes[0].allowed, i < 2);
        assert_int_equal(request.decision.outcomes[1].remaining, 19 - i);
        assert_int_equal(request.decision.outcomes[2].allowed, i < 3);
        assert_int_equal(request.decision.shadow_refusals, (i >= 2) + (i >= 3));
    }
    scene_ask(scene, 1, &request); /* does not know: the server refuses two of three calls, and none matters */
    scene_pass(scene, 2 * MS);
    assert_int_equal(request.decision.verdict, GW_LIMIT_ALLOWED);
    assert_int_equal(request.decision.shadow_refusals, 2);
    assert_int_equal(request.decision.retry_after_ms, 0);
    scene_close(scene);
}

static void with_shadow_policies_alone_all_is_allowed(void **state)
{
    (void)state;
    struct scene *scene = scene_open(2);
    struct request request;
    scene_limit(scene, 0, 1, second, 2, 1);
    scene->policies[0].shadow = scene->policies[1].shadow = true;
    for (unsigned i = 0; i < 25; i++) {
        assert_int_equal(scene_verdict(scene, 0), GW_LIMIT_ALLOWED);
        scene_ask(scene, 0, &request);
        scene_pass(scene, 2 * MS);
    }
    assert_int_equal(request.decision.verdict, GW_LIMIT_ALLOWED);
    assert_int_equal(request.decision.shadow_refusals, 2);
    scene->gateways[0].stores[0].is_up = false;
    assert_int_equal(scene_verdict(scene, 0), GW_LIMIT_ALLOWED);
    scene_close(scene);
}

static void policies_that_count_misses_add_to_the_decision(void **state)
{
    (void)state;
    struct scene *scene = scene_open(2);
    struct request request = { 0 };
    scene->policies[1].count_misses_only = true;
    scene_put(scene, &scene->gateways[0].askers[0], "192.0.2.1", false, &request);
    scene_pass(scene, 2 * MS);
    assert_int_equal(request.decision.count, 1);
    scene_put(scene, &scene->gateways[0].askers[0], "192.0.2.1", true, &request);
    scene_pass(scene, 2 * MS);
    assert_int_equal(request.decision.count, 2);
    assert_ptr_equal(request.decision.outcomes[1].policy, &scene->policies[1]);
    assert_int_equal(request.decision.verdict, GW_LIMIT_ALLOWED);
    scene->config.limits_enabled = false;
    request = (struct request) { 0 };
    scene_put(scene, &scene->gateways[0].askers[0], "192.0.2.1", false, &request);
    assert_int_equal(request.decision.verdict, GW_LIMIT_NONE);
    assert_int_equal(scene_calls(scene), 2);
    scene_close(scene);
}

/* ---- without the store ---- */

enum way { DOWN, FULL, LATE, NO_ANSWER, NO_MEMORY, NIL, SHORT, LONG, NOT_BOOLEAN, NEGATIVE, TOO_MUCH, WAYS };

/* Where the store gives no answer, for any reason, the policy decides. */
static void ask_in_vain(struct scene *scene, enum way way, struct request *request)
{
    static const int64_t good[] = { 1, 5, 0, 100, 1, 5, 0, 100 }, not_boolean[] = { 2, 5, 0, 100 },
                         negative[] = { 0, 5, -1, 100 }, too_much[] = { 1, 21, 0, 100 };
    static const struct gw_store_reply replies[WAYS] = {
        [NO_MEMORY] = { .result = GW_STORE_OOM },
        [NIL] = { .result = GW_STORE_NIL },
        [SHORT] = { .result = GW_STORE_INTEGERS, .integers = good, .integer_count = 3 },
        [LONG] = { .result = GW_STORE_INTEGERS, .integers = good, .integer_count = 8 },
        [NOT_BOOLEAN] = { .result = GW_STORE_INTEGERS, .integers = not_boolean, .integer_count = 4 },
        [NEGATIVE] = { .result = GW_STORE_INTEGERS, .integers = negative, .integer_count = 4 },
        [TOO_MUCH] = { .result = GW_STORE_INTEGERS, .integers = too_much, .integer_count = 4 },
    };
    struct gw_store *store = &scene->gateways[0].stores[0];
    store->is_up = way != DOWN;
    store->is_linked = way != LATE && way != NO_ANSWER;
    store->max_pending = way == FULL ? 0 : 100;
    if (way >= NO_MEMORY)
        store->reply = &replies[way];
    scene_ask(scene, 0, request);
    if (way == LATE)
        gw_limit_give_up(&request->question, scene->world.now_us);
    else if (way == NO_ANSWER)
        fake_cut(store);
    else
        scene_pass(scene, 2 * MS);
    assert_null(request->question);
    assert_int_equal(request->is_decided, way != LATE);
    fake_cut(store);
}

static void without_the_store_each_policy_decides_as_it_says(void **state)
{
    (void)state;
    for (enum way way = 0; way < WAYS; way++) {
        struct scene *scene = scene_open(1);
        struct request request;
        for (unsigned i = 0; i < 25; i++) { /* its share: all of it */
            ask_in_vain(scene, way, &request);
            assert_int_equal(request.decision.verdict, i < 20 ? GW_LIMIT_ALLOWED : GW_LIMIT_REFUSED);
            assert_int_equal(request.decision.count, 1);
            assert_true(i >= 20 || request.decision.outcomes[0].remaining == 19 - i);
        }
        assert_true(request.decision.retry_after_ms > 0);
        scene->policies[0].on_redis_failure = GW_LIMIT_FAILS_ALLOW;
        ask_in_vain(scene, way, &request);
        assert_int_equal(request.decision.verdict, GW_LIMIT_ALLOWED);
        assert_int_equal(request.decision.outcomes[0].remaining, 0);
        assert_true(request.decision.outcomes[0].allowed);
        scene->policies[0].on_redis_failure = GW_LIMIT_FAILS_DENY;
        ask_in_vain(scene, way, &request);
        assert_int_equal(request.decision.verdict, GW_LIMIT_UNKNOWN);
        assert_int_equal(request.decision.count, 0);
        scene->policies[0].shadow = true;
        ask_in_vain(scene, way, &request);
        assert_int_equal(request.decision.verdict, GW_LIMIT_ALLOWED);
        assert_int_equal(request.decision.shadow_refusals, 1);
        scene_close(scene);
    }
}

static void in_an_outage_policies_differ(void **state)
{
    (void)state;
    struct scene *scene = scene_open(3);
    struct request request;
    scene_limit(scene, 0, 10, second, 30, 1);
    scene_limit(scene, 1, 10, second, 2, 1);
    scene->policies[1].on_redis_failure = GW_LIMIT_FAILS_ALLOW;
    scene_limit(scene, 2, 10, second, 5, 1);
    for (unsigned i = 0; i < 8; i++) {
        ask_in_vain(scene, DOWN, &request);
        assert_int_equal(request.decision.verdict, i < 5 ? GW_LIMIT_ALLOWED : GW_LIMIT_REFUSED);
        assert_int_equal(request.decision.count, 3);
        assert_int_equal(request.decision.outcomes[0].remaining, i < 5 ? 29 - i : 25); /* none is taken from */
        assert_true(request.decision.outcomes[1].allowed);
    }
    scene->policies[2].on_redis_failure = GW_LIMIT_FAILS_DENY;
    ask_in_vain(scene, DOWN, &request);
    assert_int_equal(request.decision.verdict, GW_LIMIT_UNKNOWN);
    scene_close(scene);
}

static void what_the_store_admitted_is_missing_from_the_share(void **state)
{
    (void)state;
    struct scene *scene = scene_open(1);
    for (unsigned i = 0; i < 15; i++)
        assert_int_equal(scene_verdict(scene, 0), GW_LIMIT_ALLOWED);
    uint64_t passed_us = scene->world.now_us - start;
    fake_cut(&scene->gateways[0].stores[0]);
    assert_true(passed_us < 100 * MS);
    assert_int_equal(scene_drain(scene, 0), 5);
    for (unsigned flap = 0; flap < 50; flap++) { /* up, but silent: nothing is granted at a transition */
        scene->gateways[0].stores[0].is_up = true;
        scene->gateways[0].stores[0].is_linked = false;
        struct request request;
        scene_ask(scene, 0, &request);
        fake_cut(&scene->gateways[0].stores[0]);
        assert_int_equal(request.decision.verdict, GW_LIMIT_REFUSED);
    }
    scene_close(scene);
}

static void a_late_reply_settles_what_was_given_up(void **state)
{
    (void)state;
    struct scene *scene = scene_open(1);
    struct gw_store *store = &scene->gateways[0].stores[0];
    struct request request;
    scene_limit(scene, 0, 1, 3600 * second, 4, 1);
    for (unsigned i = 0; i < 3; i++) {
        scene_ask(scene, 0, &request);
        gw_limit_give_up(&request.question, scene->world.now_us);
        assert_int_equal(request.decision.verdict, GW_LIMIT_ALLOWED);
        assert_int_equal(request.decision.outcomes[0].remaining, 3 - i); /* the local bucket's: charged once */
        scene_pass(scene, 2 * MS);
        assert_int_equal(store->pending_count, 0);
        assert_false(request.is_decided);
    }
    scene_ask(scene, 0, &request); /* the store took three, too */
    scene_pass(scene, 2 * MS);
    assert_int_equal(request.decision.verdict, GW_LIMIT_ALLOWED);
    assert_int_equal(request.decision.outcomes[0].remaining, 0);
    scene_ask(scene, 0, &request);
    assert_int_equal(request.decision.verdict, GW_LIMIT_REFUSED);
    fake_cut(store);
    assert_int_equal(scene_drain(scene, 0), 0);
    scene_close(scene);
}

static void a_forgotten_question_settles_all_the_same(void **state)
{
    (void)state;
    struct scene *scene = scene_open(1);
    struct request request;
    gw_limit_cancel(&(struct gw_limit_question *) { NULL });
    scene_limit(scene, 0, 1, 3600 * second, 4, 1);
    for (unsigned i = 0; i < 4; i++) {
        scene_ask(scene, 0, &request);
        gw_limit_cancel(&request.question);
        assert_null(request.question);
        if (i % 2)
            scene_pass(scene, 2 * MS);
    }
    assert_false(request.is_decided);
    scene_ask(scene, 0, &request);
    assert_int_equal(request.decision.verdict, GW_LIMIT_REFUSED);
    fake_cut(&scene->gateways[0].stores[0]);
    assert_int_equal(scene_drain(scene, 0), 0);
    scene_close(scene);
}

static void a_lost_question_puts_its_reservation_back(void **state)
{
    (void)state;
    struct scene *scene = scene_open(2);
    struct gw_store *store = &scene->gateways[0].stores[0];
    struct request request;
    scene->policies[1].shadow = true;
    for (unsigned i = 0; i < 100; i++) {
        store->is_up = true;
        store->is_linked = false;
        scene_ask(scene, 0, &request);
        assert_int_equal(store->pending_count, 2);
        assert_false(request.is_decided);
        fake_cut(store);
        store->is_up = true;
        store->max_pending = i % 2; /* no call, or no call for the shadow bucket */
        scene_ask(scene, 0, &request);
        fake_cut(store);
        store->max_pending = 100;
    }
    scene_close(scene);
}

static void a_share_is_an_nth_and_a_change_of_n_grants_nothing(void **state)
{
    (void)state;
    static const struct {
        unsigned instances;
        uint64_t burst, cost;
        unsigned admitted;
        bool is_empty; /* then; else a part of a token is left */
    } rows[] = { { 1, 20, 1, 20, true },
                 { 3, 20, 1, 6, false },
                 { 4, 20, 1, 5, true },
                 { 20, 20, 1, 1, true },
                 { 1000, 20, 1, 1, true },
                 { 2, 20, 7, 1, false },
                 { 2, 20, 5, 2, true },
                 { 100000, 20, 20, 1, true },
                 { 0, 20, 1, 20, true },
                 { 2, 3, 1, 1, false },
                 { 60000, 1ull << 50, 1ull << 50, 1, true } };
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct scene *scene = scene_open(1);
        struct request request;
        scene_limit(scene, 0, rows[i].burst, 1000 * second, rows[i].burst, rows[i].cost);
        scene->instances = rows[i].instances;
        fake_cut(&scene->gateways[0].stores[0]);
        assert_int_equal(scene_drain(scene, 0), rows[i].admitted);
        for (unsigned n = 1; rows[i].is_empty && n < 70000; n = n * 3 / 2 + 1) { /* however N moves */
            scene->instances = n % 2 ? n : 70000 - n;
            scene_ask(scene, 0, &request);
            assert_int_equal(request.decision.verdict, GW_LIMIT_REFUSED);
            assert_int_equal(request.decision.outcomes[0].remaining, 0);
        }
        scene_close(scene);
    }
}

static void a_share_fills_at_an_nth_of_the_rate(void **state)
{
    (void)state;
    struct scene *scene = scene_open(1);
    unsigned admitted = 0;
    scene->instances = 4;
    fake_cut(&scene->gateways[0].stores[0]);
    assert_int_equal(scene_drain(scene, 0), 5);
    for (unsigned i = 0; i < 1000; i++) { /* 10 s at 10 a second */
        scene_pass(scene, 10 * MS);
        admitted += scene_verdict(scene, 0) == GW_LIMIT_ALLOWED;
    }
    assert_int_equal(admitted, 25);
    scene_pass(scene, 60 * second);
    assert_int_equal(scene_drain(scene, 0), 5);
    scene->instances = 1; /* a full one stays full, an emptied one has a quarter of it at best */
    scene_pass(scene, 60 * second);
    assert_int_equal(scene_drain(scene, 0), 20);
    scene_close(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_stores_numbers_are_told),
        cmocka_unit_test(keys_hold_only_validated_or_hashed_text),
        cmocka_unit_test(what_the_store_would_refuse_is_refused_here_until_it_would_not),
        cmocka_unit_test(a_bound_counts_from_the_moment_its_question_was_sent),
        cmocka_unit_test(a_token_is_asked_for_in_the_microsecond_it_is_due),
        cmocka_unit_test(a_bound_is_believed_for_a_second_and_renewed_before),
        cmocka_unit_test(a_flood_costs_a_call_a_token_and_a_few_a_second),
        cmocka_unit_test(a_flood_on_an_empty_bucket_costs_a_call_or_two_a_second),
        cmocka_unit_test(costs_under_way_are_reserved),
        cmocka_unit_test(a_smaller_cost_may_ask_beside_a_larger_one_under_way),
        cmocka_unit_test(answers_out_of_order_neither_raise_a_bound_nor_count_a_cost_twice),
        cmocka_unit_test(several_policies_are_one_call_and_one_known_to_refuse_is_none),
        cmocka_unit_test(shadow_policies_are_asked_beside_the_others_and_refuse_nothing),
        cmocka_unit_test(with_shadow_policies_alone_all_is_allowed),
        cmocka_unit_test(policies_that_count_misses_add_to_the_decision),
        cmocka_unit_test(without_the_store_each_policy_decides_as_it_says),
        cmocka_unit_test(in_an_outage_policies_differ),
        cmocka_unit_test(what_the_store_admitted_is_missing_from_the_share),
        cmocka_unit_test(a_late_reply_settles_what_was_given_up),
        cmocka_unit_test(a_forgotten_question_settles_all_the_same),
        cmocka_unit_test(a_lost_question_puts_its_reservation_back),
        cmocka_unit_test(a_share_is_an_nth_and_a_change_of_n_grants_nothing),
        cmocka_unit_test(a_share_fills_at_an_nth_of_the_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
