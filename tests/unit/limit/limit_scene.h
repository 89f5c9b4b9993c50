/* limit_scene.h: gateways with one policy list and one fake server, for the tests of question.c. */
#ifndef GW_TESTS_LIMIT_SCENE_H
#define GW_TESTS_LIMIT_SCENE_H

#include "limit/question.h"
#include "support/fake_store.h"

enum { SCENE_GATEWAYS = 3, SCENE_POLICIES = 4, MS = 1000 };

static const uint64_t start = 1000000000, second = 1000000;

struct scene_gateway {
    struct gw_limiter *limiter;
    struct gw_store stores[2]; /* two workers' */
    struct gw_limit_asker askers[2];
};

struct scene {
    struct fake_world world;
    struct gw_config config;
    struct gw_route route;
    struct gw_limit_policy policies[SCENE_POLICIES];
    unsigned instances;
    struct scene_gateway gateways[SCENE_GATEWAYS];
    struct gw_slice api_key;
};

/* A request that may wait for its answer. */
struct request {
    struct scene *scene;
    struct gw_limit_decision decision;
    struct gw_limit_question *question;
    bool is_decided;
};

static inline unsigned scene_instances(void *context)
{
    return ((struct scene *)context)->instances;
}

static inline uint64_t scene_divisor(uint64_t a, uint64_t b)
{
    return b ? scene_divisor(b, a % b) : a;
}

static inline void scene_limit(struct scene *scene, unsigned i, uint64_t n, uint64_t period_us, uint64_t burst,
                               uint64_t cost)
{
    uint64_t divisor = scene_divisor(n, period_us);
    struct gw_limit_policy *policy = &scene->policies[i];
    policy->name = gw_slice_of(&"abcd"[i], 1);
    policy->index = i;
    policy->n = n;
    policy->period_us = period_us;
    policy->script_n = n / divisor;
    policy->script_period_us = period_us / divisor;
    policy->burst = burst;
    policy->cost = cost;
}

/* Policies of 10 a second, burst 20, cost 1; latency 1 ms each way. Gateways are instances, so N is their number. */
static inline struct scene *scene_open(unsigned policies)
{
    struct scene *scene = calloc(1, sizeof *scene);
    assert_non_null(scene);
    fake_world_init(&scene->world, start, 1);
    scene->route.name = GW_SLICE("default");
    scene->config.routes = &scene->route;
    scene->config.route_count = 1;
    scene->config.limits_enabled = true;
    scene->config.policies = scene->policies;
    scene->config.policy_count = policies;
    scene->config.max_clients = 10000;
    scene->config.ipv6_prefix_bits = 64;
    scene->config.redis_prefix = GW_SLICE("gw:");
    scene->instances = 1;
    for (unsigned i = 0; i < policies; i++)
        scene_limit(scene, i, 10, second, 20, 1);
    for (unsigned i = 0; i < SCENE_GATEWAYS; i++) {
        struct scene_gateway *gateway = &scene->gateways[i];
        gateway->limiter = gw_limiter_create(&scene->config);
        assert_non_null(gateway->limiter);
        for (unsigned w = 0; w < 2; w++) {
            fake_store_init(&gateway->stores[w], &scene->world, MS, MS);
            gateway->askers[w] = (struct gw_limit_asker) { gateway->limiter, &gateway->stores[w], &scene->config,
                                                           scene_instances, scene };
        }
    }
    return scene;
}

static inline void scene_close(struct scene *scene)
{
    for (unsigned i = 0; i < SCENE_GATEWAYS; i++) {
        fake_cut(&scene->gateways[i].stores[0]);
        fake_cut(&scene->gateways[i].stores[1]);
        gw_limiter_destroy(&scene->gateways[i].limiter);
    }
    fake_world_end(&scene->world);
    free(scene);
}

static inline struct gw_slice scene_field(void *context, struct gw_slice name)
{
    (void)name;
    return ((struct scene *)context)->api_key;
}

static inline void scene_done(void *owner)
{
    struct request *request = owner;
    assert_false(request->is_decided);
    request->is_decided = true;
    request->question = NULL;
}

static inline void scene_put(struct scene *scene, struct gw_limit_asker *asker, const char *client, bool misses,
                             struct request *request)
{
    struct gw_address address;
    assert_true(gw_address_parse(&address, gw_slice_of_string(client), false));
    struct gw_limit_subject subject = { .method = GW_SLICE("GET"),
                                        .host = GW_SLICE("example.org"),
                                        .path = GW_SLICE("/"),
                                        .client = &address,
                                        .field = scene_field,
                                        .context = scene };
    request->scene = scene;
    request->is_decided = gw_limit_ask(asker, &subject, misses, scene->world.now_us, &request->decision,
                                       &request->question, scene_done, request);
    assert_true(request->is_decided == (request->question == NULL));
}

/* The first worker of a gateway asks for one client and does not wait. */
static inline void scene_ask(struct scene *scene, unsigned gateway, struct request *request)
{
    *request = (struct request) { 0 };
    scene_put(scene, &scene->gateways[gateway].askers[0], "192.0.2.1", false, request);
}

static inline void scene_pass(struct scene *scene, uint64_t us)
{
    fake_run_until(&scene->world, scene->world.now_us + us);
}

/* Asks and waits. */
static inline enum gw_limit_verdict scene_verdict(struct scene *scene, unsigned gateway)
{
    struct request request;
    scene_ask(scene, gateway, &request);
    while (!request.is_decided)
        scene_pass(scene, MS);
    return request.decision.verdict;
}

static inline unsigned scene_drain(struct scene *scene, unsigned gateway)
{
    unsigned admitted = 0;
    while (scene_verdict(scene, gateway) == GW_LIMIT_ALLOWED)
        admitted++;
    return admitted;
}

static inline uint64_t scene_calls(const struct scene *scene)
{
    uint64_t calls = 0;
    for (unsigned i = 0; i < SCENE_GATEWAYS; i++)
        calls += scene->gateways[i].stores[0].calls + scene->gateways[i].stores[1].calls;
    return calls;
}

#endif
