/* sim_limits.c: do N gateways together keep the promises? (README, "When Redis is down")
 *
 *     sim_limits [--quick] [--seed N] [--json]
 *
 * Shape    Each instance is the gateway's own limiter with a clock of its own, set anywhere and running up to 200 ppm
 *          off. Its store is a connection of a fake server (support/fake_store.h) with random latencies. One client
 *          asks every instance for more than its share. Links go down and come back as the scenario says; the breaker
 *          opens when an answer is late and closes at a probe, as the product's does.
 * Measure  Over all windows W of a run: the largest value of tokens admitted in W - rate * W may not exceed what the
 *          promise grants beside the rate. A token counts as admitted at the instant when the server or the instance
 *          took it. s, in the promises, is the time from the end of an outage until the last instance noticed the end.
 * Output   One row for each scenario: the worst run. Exit 1 if a run breaks its promise. A failure names its seed. */
#include <inttypes.h>
#include <math.h>
#include "limit/question.h"
#include "support/fake_store.h"

enum { MS = 1000, INSTANCES = 1000, TIMEOUT_US = 50 * MS, PPM = 200 };

static const uint64_t second = 1000000, start = 1000000000;

enum event {                /* what may happen in a scenario */
             OUTAGES = 1,   /* whole outages: every link at once */
             FLAPPING = 2,  /* each link on its own */
             FLUSHES = 4,   /* the server loses its keys */
             FAILOVERS = 8, /* the server goes on with its state of 300 ms ago */
             SET_BACK = 16, /* its clock is set back */
             ADDED = 32,    /* half the instances begin in the outage */
             RESTARTS = 64, /* instances are killed and begin anew, while the server is up */
             STAGES = 128,  /* links go down one after the other, and the remaining instances count fewer each time */
};

struct scenario {
    const char *name, *promise;
    unsigned events;
};

static const struct scenario scenarios[] = {
    { "Redis up, instances restarted", "r·W + b", RESTARTS },
    { "Redis's clock set back", "r·W + b", SET_BACK },
    { "one whole outage", "r·(W + s) + 3b + N·c", OUTAGES },
    { "partitions and flapping", "2·r·W + 2b + N·c", FLAPPING },
    { "FLUSHALL", "r·W + b + b each", FLUSHES },
    { "failover without the last writes", "r·W + b + b each", FAILOVERS },
    { "M = 2 N instances in an outage", "r·s + 2b + (r·W + b + N·c)·M/N", OUTAGES | ADDED },
    { "links lost one by one, N seen shrinking", "r·W + b + Σ 1/Nᵢ·(r·W + b) + N·c", STAGES },
    { "flapping, FLUSHALL, clock set back", "2·r·W + 2b + N·c + b each", FLAPPING | FLUSHES | SET_BACK },
};

struct simulation;

struct instance {
    struct simulation *simulation;
    struct gw_limiter *limiter;
    struct gw_store store;
    struct gw_limit_asker asker;
    unsigned seen; /* N, as last seen */
    bool is_live;
    uint64_t pause_us; /* between two requests, at most */
};

struct request {
    struct instance *instance;
    struct gw_limit_decision decision;
    struct gw_limit_question *question;
};

struct admission {
    uint64_t at_us, cost;
};

struct simulation {
    const struct scenario *scenario;
    uint64_t seed, end_us;
    struct fake_world world;
    struct gw_config config;
    struct gw_route route;
    struct gw_limit_policy policy;

    struct instance instances[INSTANCES];
    unsigned count;     /* instances */
    unsigned n;         /* of them live at first */
    unsigned lost_keys; /* times */
    uint64_t back_us;   /* when an outage ended; 0: it has not */
    uint64_t spread_us; /* until the last instance noticed: till then some ask the server, some decide themselves */
    double shares;      /* STAGES: sum of the 1/N that the cut-off instances use */
    struct admission *admissions;
    size_t admitted, room;
    struct fake_bucket before[FAKE_BUCKETS]; /* for a failover */
};

struct result {
    double worst, allowed; /* tokens beside the rate */
    double tokens, due;    /* admitted; and what the rate and one burst give, less two requests cut off at the end */
    uint64_t calls;
};

static uint64_t draw(struct simulation *simulation, uint64_t below)
{
    return fake_random(&simulation->world, below);
}

/* ---- an instance ---- */

static unsigned instances_of(void *context)
{
    return ((struct instance *)context)->seen;
}

static void admit(struct request *request)
{
    struct simulation *simulation = request->instance->simulation;
    uint64_t answered_us = simulation->world.answered_us;
    if (request->decision.verdict != GW_LIMIT_ALLOWED || !request->instance->is_live)
        return;
    if (simulation->admitted == simulation->room) {
        simulation->room = simulation->room ? 2 * simulation->room : 4096;
        simulation->admissions = realloc(simulation->admissions, simulation->room * sizeof *simulation->admissions);
        fake_must(simulation->admissions);
    }
    simulation->admissions[simulation->admitted++] = (struct admission) { answered_us ? answered_us
                                                                                      : simulation->world.now_us,
                                                                          simulation->policy.cost };
}

static void on_done(void *owner)
{
    struct request *request = owner;
    request->question = NULL;
    admit(request);
}

static void probe(void *context)
{
    struct instance *instance = context;
    struct simulation *simulation = instance->simulation;
    if (!instance->store.is_linked)
        fake_at(&simulation->world, simulation->world.now_us + 100 * MS + draw(simulation, 300 * MS), probe, instance);
    else
        instance->store.is_up = true;
    if (instance->store.is_up && simulation->back_us)
        simulation->spread_us = simulation->world.now_us - simulation->back_us;
}

static void open_breaker(struct instance *instance)
{
    if (!instance->store.is_up)
        return;
    fake_cut(&instance->store);
    fake_at(&instance->simulation->world, instance->simulation->world.now_us + 100 * MS, probe, instance);
}

static void on_deadline(void *context)
{
    struct request *request = context;
    if (request->question) {
        gw_limit_give_up(&request->question, fake_local_us(&request->instance->store));
        admit(request);
        if (!request->instance->store.is_linked)
            open_breaker(request->instance);
    }
    free(request);
}

static struct gw_slice no_field(void *context, struct gw_slice name)
{
    (void)context;
    (void)name;
    return GW_NO_SLICE;
}

static void one_request(void *context)
{
    struct instance *instance = context;
    struct simulation *simulation = instance->simulation;
    struct gw_address client = { .bytes = { [10] = 0xff, 0xff, 192, 0, 2, 1 } };
    struct gw_limit_subject subject = { .method = GW_SLICE("GET"),
                                        .host = GW_SLICE("example.org"),
                                        .path = GW_SLICE("/"),
                                        .client = &client,
                                        .field = no_field };
    if (!instance->is_live)
        return;
    struct request *request = calloc(1, sizeof *request);
    fake_must(request);
    request->instance = instance;
    fake_here = &instance->store;
    bool decided = gw_limit_ask(&instance->asker, &subject, false, fake_local_us(&instance->store), &request->decision,
                                &request->question, on_done, request);
    fake_here = NULL;
    if (decided) {
        admit(request);
        free(request);
    } else {
        fake_at(&simulation->world, simulation->world.now_us + TIMEOUT_US, on_deadline, request);
    }
    fake_at(&simulation->world, simulation->world.now_us + 1 + draw(simulation, instance->pause_us), one_request,
            instance);
}

static void begin_instance(struct instance *instance)
{
    struct simulation *simulation = instance->simulation;
    instance->limiter = gw_limiter_create(&simulation->config);
    fake_must(instance->limiter);
    fake_store_init(&instance->store, &simulation->world, draw(simulation, 2 * MS), 0);
    instance->store.most_us = instance->store.least_us + draw(simulation, 8 * MS);
    instance->store.clock_offset_us = draw(simulation, 1000000 * second);
    instance->store.clock_ppm = (int64_t)draw(simulation, 2 * PPM + 1) - PPM;
    instance->asker = (struct gw_limit_asker) { instance->limiter, &instance->store, &simulation->config, instances_of,
                                                instance };
    instance->seen = simulation->n;
    instance->is_live = true;
    fake_at(&simulation->world, simulation->world.now_us + draw(simulation, instance->pause_us), one_request, instance);
}

/* ---- what happens ---- */

static void link_all(struct simulation *simulation, bool is_linked)
{
    for (unsigned i = 0; i < simulation->count; i++)
        simulation->instances[i].store.is_linked = is_linked;
}

static void outage_begins(void *context)
{
    struct simulation *simulation = context;
    link_all(simulation, false);
    if (!(simulation->scenario->events & ADDED))
        return;
    for (unsigned i = simulation->n; i < simulation->count; i++) {
        begin_instance(&simulation->instances[i]);
        simulation->instances[i].store.is_linked = false;
        fake_cut(&simulation->instances[i].store);
        probe(&simulation->instances[i]);
    }
}

static void outage_ends(void *context)
{
    struct simulation *simulation = context;
    simulation->back_us = simulation->world.now_us;
    link_all(simulation, true);
}

static void flap(void *context)
{
    struct instance *instance = context;
    struct simulation *simulation = instance->simulation;
    uint64_t most_us = draw(simulation, 2) ? 200 * MS : 4 * second;
    instance->store.is_linked = !instance->store.is_linked;
    fake_at(&simulation->world, simulation->world.now_us + 1 + draw(simulation, most_us), flap, instance);
}

static void flush(void *context)
{
    struct simulation *simulation = context;
    fake_flush_all(&simulation->world);
    simulation->lost_keys++;
}

static void take_snapshot(void *context)
{
    struct simulation *simulation = context;
    memcpy(simulation->before, simulation->world.buckets, sizeof simulation->before);
}

static void fail_over(void *context)
{
    struct simulation *simulation = context;
    memcpy(simulation->world.buckets, simulation->before, sizeof simulation->before);
    simulation->lost_keys++;
}

static void set_back(void *context)
{
    struct simulation *simulation = context;
    simulation->world.server_offset_us -= (int64_t)draw(simulation, 3600 * second);
}

static void restart(void *context)
{
    struct simulation *simulation = context;
    struct instance *instance = &simulation->instances[draw(simulation, simulation->n)];
    instance->is_live = false; /* answers to calls under way reach no instance */
    fake_cut(&instance->store);
    instance->is_live = true;
    instance->store.is_up = true;
    gw_limiter_destroy(&instance->limiter);
    instance->limiter = gw_limiter_create(&simulation->config);
    fake_must(instance->limiter);
    instance->asker.limiter = instance->limiter;
}

/* The next link goes down for good; the remaining instances count one less. */
static void lose_next(void *context)
{
    struct simulation *simulation = context;
    unsigned left = 0;
    for (unsigned i = 0; i < simulation->count; i++)
        left += simulation->instances[i].store.is_linked;
    if (!left)
        return;
    for (unsigned i = 0; i < simulation->count; i++)
        if (simulation->instances[i].store.is_linked)
            simulation->instances[i].seen = left;
    simulation->instances[left - 1].store.is_linked = false;
    simulation->shares += 1.0 / left;
    uint64_t step_us = (simulation->end_us - start) / (simulation->count + 1);
    fake_at(&simulation->world, simulation->world.now_us + step_us, lose_next, simulation);
}

static void schedule(struct simulation *simulation)
{
    struct fake_world *world = &simulation->world;
    unsigned events = simulation->scenario->events;
    uint64_t length_us = simulation->end_us - start;
    uint64_t down_us = start + length_us / 4 + draw(simulation, length_us / 4);
    if (events & OUTAGES) {
        fake_at(world, down_us, outage_begins, simulation);
        fake_at(world, down_us + length_us / 8 + draw(simulation, length_us / 4), outage_ends, simulation);
    }
    for (unsigned i = 0; events & FLAPPING && i < simulation->count; i++)
        fake_at(world, start + draw(simulation, second), flap, &simulation->instances[i]);
    for (unsigned i = 0; events & FLUSHES && i < 4; i++)
        fake_at(world, start + draw(simulation, length_us), flush, simulation);
    for (unsigned i = 0; events & FAILOVERS && i < 3; i++) {
        uint64_t at_us = start + length_us * (i + 1) / 4 + draw(simulation, second);
        fake_at(world, at_us, take_snapshot, simulation);
        fake_at(world, at_us + 300 * MS, fail_over, simulation);
    }
    for (unsigned i = 0; events & SET_BACK && i < 3; i++)
        fake_at(world, start + draw(simulation, length_us), set_back, simulation);
    for (unsigned i = 0; events & RESTARTS && i < 5; i++)
        fake_at(world, start + draw(simulation, length_us), restart, simulation);
    if (events & STAGES)
        fake_at(world, start + second, lose_next, simulation);
}

/* ---- a run ---- */

static uint64_t divisor_of(uint64_t a, uint64_t b)
{
    return b ? divisor_of(b, a % b) : a;
}

static void set_policy(struct simulation *simulation)
{
    static const struct {
        uint64_t n, period_us, burst, cost;
    } rows[] = { { 10, 1000000, 20, 1 }, { 100, 1000000, 300, 1 },  { 7, 3000000, 5, 1 }, { 50, 1000000, 60, 7 },
                 { 1, 60000000, 30, 1 }, { 1000, 1000000, 100, 1 }, { 3, 1000000, 3, 3 }, { 700, 1000000, 2000, 10 } };
    size_t row = draw(simulation, GW_COUNT(rows));
    uint64_t divisor = divisor_of(rows[row].n, rows[row].period_us);
    simulation->policy = (struct gw_limit_policy) { .name = GW_SLICE("default"),
                                                    .n = rows[row].n,
                                                    .period_us = rows[row].period_us,
                                                    .script_n = rows[row].n / divisor,
                                                    .script_period_us = rows[row].period_us / divisor,
                                                    .burst = rows[row].burst,
                                                    .cost = rows[row].cost };
    simulation->route.name = GW_SLICE("default");
    simulation->config.routes = &simulation->route;
    simulation->config.route_count = 1;
    simulation->config.limits_enabled = true;
    simulation->config.policies = &simulation->policy;
    simulation->config.policy_count = 1;
    simulation->config.max_clients = 16;
    simulation->config.ipv6_prefix_bits = 64;
    simulation->config.redis_prefix = GW_SLICE("gw:");
}

static double rate_of(const struct simulation *simulation)
{
    return (double)simulation->policy.n / (double)simulation->policy.period_us; /* tokens a µs */
}

/* The promise: a multiple of the rate, and tokens beside it. */
static double promise_of(const struct simulation *simulation, double *beside)
{
    unsigned events = simulation->scenario->events;
    double b = (double)simulation->policy.burst, c = (double)simulation->policy.cost, n = simulation->n;
    double noticed = rate_of(simulation) * (double)simulation->spread_us;
    double lost = b * simulation->lost_keys, growth = (double)simulation->count / n;
    if (events & STAGES) {
        *beside = b + simulation->shares * b + n * c;
        return 1 + simulation->shares;
    }
    if (events & ADDED) {
        *beside = noticed + 2 * b + (b + n * c) * growth;
        return growth;
    }
    *beside = lost + (events & FLAPPING ? 2 * b + n * c : events & OUTAGES ? 3 * b + n * c + noticed : b);
    return events & FLAPPING ? 2 : 1;
}

static int earlier(const void *a, const void *b)
{
    const struct admission *one = a, *other = b;
    return (one->at_us > other->at_us) - (one->at_us < other->at_us);
}

static struct result measure(struct simulation *simulation)
{
    struct result result = { 0 };
    double multiple = promise_of(simulation, &result.allowed), sum = 0;
    double rate = multiple * rate_of(simulation) *
                  (1 + 2e-6 * (double)PPM); /* local clocks run faster by this factor at most */
    uint64_t last_us = start;
    if (simulation->admitted)
        qsort(simulation->admissions, simulation->admitted, sizeof *simulation->admissions, earlier);
    for (size_t i = 0; i < simulation->admitted; i++) {
        const struct admission *admission = &simulation->admissions[i];
        sum = fmax(sum - rate * (double)(admission->at_us - last_us), 0) + (double)admission->cost;
        last_us = admission->at_us;
        result.worst = fmax(result.worst, sum);
        result.tokens += (double)admission->cost;
    }
    result.due = (double)simulation->policy.burst + rate_of(simulation) * (double)(simulation->end_us - start) -
                 2 * (double)simulation->policy.cost;
    for (unsigned i = 0; i < simulation->count; i++)
        result.calls += simulation->instances[i].store.calls;
    return result;
}

static struct result run(const struct scenario *scenario, unsigned count, uint64_t seed, uint64_t length_us)
{
    struct simulation *simulation = calloc(1, sizeof *simulation);
    fake_must(simulation);
    simulation->scenario = scenario;
    simulation->seed = seed;
    fake_world_init(&simulation->world, start, seed);
    simulation->end_us = start + length_us;
    simulation->world.server_offset_us = (int64_t)(1000000 * second);
    set_policy(simulation);
    simulation->n = count;
    simulation->count = scenario->events & ADDED ? (2 * count < INSTANCES ? 2 * count : INSTANCES) : count;
    if (simulation->n == simulation->count)
        simulation->n -= scenario->events & ADDED && count > 1 ? count / 2 : 0;
    double share = rate_of(simulation) / (double)simulation->policy.cost / simulation->n; /* requests a µs */
    for (unsigned i = 0; i < simulation->count; i++) {
        simulation->instances[i].simulation = simulation;
        simulation->instances[i].pause_us = (uint64_t)fmin(fmax(1 / share, 500), 200 * MS); /* twice as many come */
    }
    for (unsigned i = 0; i < simulation->n; i++)
        begin_instance(&simulation->instances[i]);
    schedule(simulation);
    fake_run_until(&simulation->world, simulation->end_us);
    struct result result = measure(simulation);
    for (unsigned i = 0; i < simulation->count; i++) {
        struct instance *instance = &simulation->instances[i];
        instance->is_live = false;
        instance->store.is_up = true; /* no probe follows */
        if (instance->limiter)
            fake_cut(&instance->store);
    }
    while (simulation->world.count) { /* deadlines free their requests */
        struct fake_event event = fake_pop(&simulation->world);
        if (event.call)
            free(event.call);
        else if (event.hook == on_deadline)
            on_deadline(event.context);
    }
    for (unsigned i = 0; i < simulation->count; i++)
        if (simulation->instances[i].limiter)
            gw_limiter_destroy(&simulation->instances[i].limiter);
    fake_world_end(&simulation->world);
    free(simulation->admissions);
    free(simulation);
    return result;
}

/* ---- all runs ---- */

struct options {
    bool quick, json;
    uint64_t seed;
};

static bool run_scenario(const struct scenario *scenario, const struct options *options)
{
    static const unsigned counts[] = { 1, 2, 3, 10, 100, 1000 };
    struct result worst = { 0 };
    unsigned worst_count = 0, runs = 0;
    bool kept = true;
    for (size_t i = 0; i < GW_COUNT(counts); i++) {
        unsigned seeds = options->quick ? (counts[i] <= 10 ? 4 : 1) : counts[i] <= 100 ? 40 : 8;
        for (unsigned k = 0; k < seeds; k++, runs++) {
            uint64_t seed = options->seed + k;
            struct result result = run(scenario, counts[i], seed, (options->quick ? 8 : 20) * second);
            bool is_starved = scenario->events == RESTARTS && result.tokens < 0.9 * result.due;
            if (result.worst > result.allowed + 1e-6 || is_starved) {
                fprintf(stderr,
                        "%s: %u instances, --seed %" PRIu64 ": %.1f tokens beside the rate, %.1f promised; %s\n",
                        scenario->name, counts[i], seed, result.worst, result.allowed,
                        is_starved ? "too few were admitted" : "broken");
                kept = false;
            }
            if (worst.allowed == 0 || result.worst / result.allowed > worst.worst / worst.allowed) {
                worst = result;
                worst_count = counts[i];
            }
        }
    }
    if (options->json)
        printf("{\"scenario\": \"%s\", \"promise\": \"%s\", \"runs\": %u, \"instances\": %u, \"beside_rate\": %.1f, "
               "\"allowed\": %.1f, \"kept\": %s}\n",
               scenario->name, scenario->promise, runs, worst_count, worst.worst, worst.allowed,
               kept ? "true" : "false");
    else
        printf("| %-39s | %-33s | %4u | %4u | %9.1f | %9.1f | %3.0f %% |\n", scenario->name, scenario->promise, runs,
               worst_count, worst.worst, worst.allowed, 100 * worst.worst / worst.allowed);
    fflush(stdout);
    return kept;
}

int main(int count, char **arguments)
{
    struct options options = { .seed = 1 };
    bool kept = true;
    for (int i = 1; i < count; i++) {
        if (strcmp(arguments[i], "--quick") == 0) {
            options.quick = true;
        } else if (strcmp(arguments[i], "--json") == 0) {
            options.json = true;
        } else if (strcmp(arguments[i], "--seed") == 0 && i + 1 < count) {
            options.seed = strtoull(arguments[++i], NULL, 10);
        } else {
            fprintf(stderr, "usage: %s [--quick] [--json] [--seed N]\n", arguments[0]);
            return 2;
        }
    }
    if (!options.json)
        printf("| scenario | admitted in any W, at most | runs | worst at N | beside the rate | promised | |\n"
               "|---|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < GW_COUNT(scenarios); i++)
        kept = run_scenario(&scenarios[i], &options) && kept;
    return kept ? 0 : 1;
}
