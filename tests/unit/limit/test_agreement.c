/* What a gateway refuses by itself, compared with what the server would have said, over random schedules: three
 * gateways of two workers each, every connection with latencies of its own, the server's clock set elsewhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "unit/limit/limit_scene.h"

enum { REQUESTS = 3000, SCHEDULES = 150, CLIENTS = 3 };

struct schedule {
    struct scene *scene;
    uint64_t seed, n, period_us, burst, most_cost, pause_us, deadline_us;
    struct request requests[REQUESTS];
    unsigned refused_here, asked;
};

static uint64_t draw(struct schedule *schedule, uint64_t below)
{
    return fake_random(&schedule->scene->world, below);
}

/* Evenly over orders of magnitude. */
static uint64_t draw_order(struct schedule *schedule, uint64_t most)
{
    uint64_t order = 1;
    while (order < most && draw(schedule, 4))
        order *= 4;
    order = order < most ? order : most;
    return 1 + draw(schedule, order);
}

static void fail_at(const struct schedule *schedule, const char *what)
{
    fail_msg("seed %llu: %s", (unsigned long long)schedule->seed, what);
}

/* What a gateway has under way for a key. */
struct under_way {
    uint64_t not_executed; /* tokens, of costs not above this one */
    bool was_short;        /* one of these was refused */
    bool is_any;
};

static struct under_way under_way(const struct scene_gateway *gateway, const char *key, uint64_t cost)
{
    struct under_way found = { 0 };
    for (unsigned w = 0; w < 2; w++)
        for (const struct gw_store_call *call = gateway->stores[w].pending; call; call = call->next) {
            if (strcmp(call->keys[0], key) != 0)
                continue;
            found.is_any = true;
            if (call->arguments[3] > cost)
                continue;
            if (!call->is_executed)
                found.not_executed += call->arguments[3];
            else if (!call->is_admitted)
                found.was_short = true;
        }
    return found;
}

/* The server would refuse now, or after the questions under way; or it has refused, within this round trip, a question
 * that does not cost more. */
static void check_refusal(struct schedule *schedule, const struct scene_gateway *gateway, const char *key,
                          uint64_t cost, const struct gw_limit_outcome *outcome)
{
    const struct gw_limit_policy *policy = &schedule->scene->policies[0];
    struct gw_bucket_rate rate = { policy->script_n, policy->script_period_us, policy->burst };
    struct under_way before = under_way(gateway, key, cost);
    struct gw_bucket_answer truth = fake_look(&schedule->scene->world, key, &rate, cost);
    if (fake_look(&schedule->scene->world, key, &rate, cost + before.not_executed).allowed && !before.was_short)
        fail_at(schedule, "refused whom the server would admit");
    if (before.is_any)
        return;
    if (outcome->next_ms > (truth.next_us + 999) / 1000 || outcome->remaining < truth.remaining ||
        outcome->full_after_ms > (truth.full_after_us + 999) / 1000)
        fail_at(schedule, "the wait that is told is too long");
    if (outcome->remaining >= cost || !outcome->next_ms)
        fail_at(schedule, "a refusal that makes no sense");
}

static void on_deadline(void *context)
{
    struct request *request = context;
    if (request->question)
        gw_limit_give_up(&request->question, request->scene->world.now_us);
}

static void one_request(struct schedule *schedule, struct request *request)
{
    static const char *const clients[CLIENTS] = { "192.0.2.1", "192.0.2.2", "192.0.2.3" };
    struct scene *scene = schedule->scene;
    struct scene_gateway *gateway = &scene->gateways[draw(schedule, SCENE_GATEWAYS)];
    const char *client = clients[draw(schedule, CLIENTS) * draw(schedule, 2)];
    char key[FAKE_KEY_BYTES];
    scene->policies[0].cost = 1 + draw(schedule, schedule->most_cost);
    snprintf(key, sizeof key, "gw:rl:a:%llu-%llu-%llu:%s", (unsigned long long)scene->policies[0].script_n,
             (unsigned long long)scene->policies[0].script_period_us, (unsigned long long)schedule->burst, client);
    scene_put(scene, &gateway->askers[draw(schedule, 2)], client, false, request);
    if (!request->is_decided) {
        schedule->asked++;
        fake_at(&scene->world, scene->world.now_us + schedule->deadline_us, on_deadline, request);
        return;
    }
    schedule->refused_here++;
    assert_int_equal(request->decision.verdict, GW_LIMIT_REFUSED);
    check_refusal(schedule, gateway, key, scene->policies[0].cost, &request->decision.outcomes[0]);
}

static void draw_schedule(struct schedule *schedule, bool mixed)
{
    struct scene *scene = schedule->scene;
    schedule->n = draw_order(schedule, 2000000);
    schedule->period_us = draw(schedule, 2) ? second : 1 + draw(schedule, 5 * second);
    schedule->burst = draw_order(schedule, 300);
    schedule->most_cost = mixed ? 1 + draw(schedule, schedule->burst) : 1;
    schedule->pause_us = draw_order(schedule, 20 * MS);
    schedule->deadline_us = draw(schedule, 2) ? 50 * MS : second;
    scene->world.server_offset_us = (int64_t)draw(schedule, 1000 * second) - 500 * (int64_t)second;
    scene_limit(scene, 0, schedule->n, schedule->period_us, schedule->burst, 1);
    for (unsigned g = 0; g < SCENE_GATEWAYS; g++)
        for (unsigned w = 0; w < 2; w++) {
            struct gw_store *store = &scene->gateways[g].stores[w];
            store->least_us = draw_order(schedule, 5 * MS) - 1;
            store->most_us = store->least_us + draw_order(schedule, 40 * MS) - 1;
        }
}

/* Returns how many it refused by itself. */
static unsigned run_schedule(uint64_t seed, bool mixed)
{
    struct schedule *schedule = calloc(1, sizeof *schedule);
    assert_non_null(schedule);
    schedule->scene = scene_open(1);
    schedule->seed = seed;
    schedule->scene->world.random = seed;
    draw_schedule(schedule, mixed);
    for (unsigned i = 0; i < REQUESTS; i++) {
        one_request(schedule, &schedule->requests[i]);
        scene_pass(schedule->scene, draw(schedule, 3) ? 0 : draw(schedule, 2 * schedule->pause_us));
    }
    scene_pass(schedule->scene, 2 * second);
    assert_int_equal(schedule->asked, scene_calls(schedule->scene));
    for (unsigned i = 0; i < REQUESTS; i++)
        assert_null(schedule->requests[i].question);
    unsigned refused = schedule->refused_here;
    scene_close(schedule->scene);
    free(schedule);
    return refused;
}

static void no_client_is_refused_that_the_server_would_admit(void **state)
{
    (void)state;
    uint64_t refused = 0;
    for (uint64_t seed = 1; seed <= SCHEDULES; seed++)
        refused += run_schedule(seed, false);
    assert_true(refused > (uint64_t)SCHEDULES * REQUESTS / 10); /* otherwise the test tried nothing */
}

static void nor_with_costs_that_differ(void **state)
{
    (void)state;
    uint64_t refused = 0;
    for (uint64_t seed = 1; seed <= SCHEDULES; seed++)
        refused += run_schedule(seed << 32, true);
    assert_true(refused > (uint64_t)SCHEDULES * REQUESTS / 10);
}

/* ---- threads ---- */

enum { THREADS = 4, ASKS_PER_THREAD = 20000, UNDER_WAY = 50, TOKENS = 9000 };

struct worker {
    struct scene *scene;
    pthread_mutex_t *lock;
    uint64_t number;
    unsigned admitted;
};

/* Each has a connection and a world of its own to one server, and one table of clients with all. */
static void *ask_from_thread(void *context)
{
    struct worker *worker = context;
    struct fake_world *world = calloc(1, sizeof *world);
    struct gw_store store;
    assert_non_null(world);
    fake_world_init(world, start, worker->number);
    world->server = &worker->scene->world;
    world->lock = worker->lock;
    fake_store_init(&store, world, 0, 0);
    struct gw_limit_asker asker = worker->scene->gateways[0].askers[0];
    struct scene scene = { .config = { 0 } };
    scene.world.now_us = start;
    asker.store = &store;
    for (unsigned i = 0; i < ASKS_PER_THREAD / UNDER_WAY; i++) {
        struct request requests[UNDER_WAY] = { 0 };
        for (unsigned k = 0; k < UNDER_WAY; k++)
            scene_put(&scene, &asker, k % 2 ? "192.0.2.1" : "192.0.2.2", false, &requests[k]);
        if (i % 4 == 3) /* some without the store, from the share */
            fake_cut(&store);
        store.is_up = true;
        fake_run_until(world, start);
        for (unsigned k = 0; k < UNDER_WAY; k++) {
            assert_true(requests[k].is_decided);
            worker->admitted += i % 4 != 3 && requests[k].decision.verdict == GW_LIMIT_ALLOWED;
        }
    }
    fake_world_end(world);
    free(world);
    return NULL;
}

static void workers_share_what_is_known(void **state)
{
    (void)state;
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_t threads[THREADS];
    struct worker workers[THREADS];
    unsigned admitted = 0;
    struct scene *scene = scene_open(1);
    scene_limit(scene, 0, 1, 3600 * second, TOKENS, 1);
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker) { scene, &lock, i, 0 };
        assert_int_equal(pthread_create(&threads[i], NULL, ask_from_thread, &workers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        admitted += workers[i].admitted;
    }
    assert_true(admitted <= 2 * TOKENS && admitted > TOKENS);
    fake_clock = &scene->world;
    scene->gateways[0].stores[0].is_up = false;
    assert_int_equal(scene_drain(scene, 0), 0); /* all of them were taken from the share, too */
    scene_close(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_client_is_refused_that_the_server_would_admit),
        cmocka_unit_test(nor_with_costs_that_differ),
        cmocka_unit_test(workers_share_what_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
