/* A store on a loop of its own, for the tests of this folder. */
#ifndef TESTS_UNIT_STORE_SCENE_H
#define TESTS_UNIT_STORE_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/clock.h"
#include "base/log.h"
#include "config/load.h"
#include "store/store.h"

/* Where time is not what is tested: no timeout passes, however slow the machine is. For `more` of scene_open. */
#define LONG_TIMEOUT "\"timeout\": \"10s\", \"connect_timeout\": \"10s\","

struct scene {
    uv_loop_t loop;
    struct gw_timers timers;
    uv_timer_t pulse; /* so that conditions are looked at again and again */
    struct gw_config *config;
    struct gw_breaker breaker;
    struct gw_metrics *metrics;
    struct gw_shard *shard;
    struct gw_store *store;
};

/* The result of one call. */
struct outcome {
    unsigned runs;
    enum gw_store_result result;
    int64_t integers[64];
    unsigned integer_count;
    int64_t ttl_ms;
    size_t length;
    uint64_t sum; /* of the value's bytes */
    char start[64];
};

static inline void on_done(void *owner, const struct gw_store_reply *reply)
{
    struct outcome *outcome = owner;
    outcome->runs++;
    outcome->result = reply->result;
    outcome->integer_count = reply->integer_count;
    for (unsigned i = 0; i < reply->integer_count; i++)
        outcome->integers[i] = reply->integers[i];
    outcome->ttl_ms = reply->ttl_ms;
    outcome->length = reply->value.length;
    for (size_t i = 0; i < reply->value.length; i++) {
        outcome->sum += (unsigned char)reply->value.at[i];
        if (i < sizeof(outcome->start) - 1)
            outcome->start[i] = reply->value.at[i];
    }
}

static inline void on_pulse(uv_timer_t *timer)
{
    (void)timer;
}

/* more: further keys of "redis" as JSON, each followed by a comma. */
static inline void scene_open(struct scene *scene, const char *url, const char *more, const char *rest)
{
    char json[1024];
    struct gw_complaint complaint;
    gw_log_setup(GW_LOG_ERROR, false);
    snprintf(json, sizeof(json), "{\"redis\": {%s \"url\": \"%s\"}%s}", more, url, rest);
    memset(scene, 0, sizeof(*scene));
    scene->config = gw_config_of(json, &complaint);
    if (!scene->config)
        fail_msg("%s: %s", json, complaint.expected);
    assert_int_equal(uv_loop_init(&scene->loop), 0);
    assert_int_equal(gw_timers_open(&scene->timers, &scene->loop), 0);
    assert_int_equal(uv_timer_init(&scene->loop, &scene->pulse), 0);
    assert_int_equal(uv_timer_start(&scene->pulse, on_pulse, 1, 2), 0);
    gw_breaker_init(&scene->breaker);
    scene->metrics = gw_metrics_create(scene->config, 1, 0);
    assert_non_null(scene->metrics);
    scene->shard = gw_metrics_shard(scene->metrics, 0);
}

static inline void scene_open_store(struct scene *scene)
{
    const struct gw_store_setup setup = { .loop = &scene->loop,
                                          .timers = &scene->timers,
                                          .shard = scene->shard,
                                          .breaker = &scene->breaker,
                                          .node = scene->config->redis,
                                          .config = scene->config,
                                          .client_name = "visara-gateway:test:0" };
    gw_breaker_close(&scene->breaker);
    scene->store = gw_store_open(&setup);
    assert_non_null(scene->store);
}

/* Turns the loop until the condition holds; a test that waits for more than 20 s fails. */
#define until(scene, condition)                                                                                        \
    do {                                                                                                               \
        uint64_t until_us = gw_clock_monotonic_us() + 20000000;                                                        \
        while (!(condition)) {                                                                                         \
            if (gw_clock_monotonic_us() > until_us)                                                                    \
                fail_msg("waited in vain for %s", #condition);                                                         \
            uv_run(&(scene)->loop, UV_RUN_ONCE);                                                                       \
        }                                                                                                              \
    } while (0)

/* Does what main's prober would do: closes an open breaker again. */
static inline void until_up(struct scene *scene)
{
    uint64_t until_us = gw_clock_monotonic_us() + 20000000;
    while (!gw_store_is_up(scene->store)) {
        gw_breaker_close(&scene->breaker);
        if (gw_clock_monotonic_us() > until_us)
            fail_msg("the store does not come up");
        uv_run(&scene->loop, UV_RUN_ONCE);
    }
}

/* Closes everything, or the test fails. */
static inline void scene_close(struct scene *scene)
{
    if (scene->store)
        gw_store_close(scene->store);
    gw_timers_close(&scene->timers);
    uv_close((uv_handle_t *)&scene->pulse, NULL);
    uv_run(&scene->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&scene->loop), 0);
    assert_int_equal(gw_counter_read(&scene->shard->redis_pending), 0);
    gw_store_free(&scene->store);
    gw_metrics_destroy(&scene->metrics);
    gw_config_unref(scene->config);
}

static inline uint64_t counted(struct scene *scene, enum gw_redis_label kind, enum gw_redis_result result)
{
    return gw_counter_read(&scene->shard->redis_calls[kind][result]);
}

static inline struct gw_store_call *get(struct scene *scene, const char *key, struct outcome *outcome)
{
    memset(outcome, 0, sizeof(*outcome));
    return gw_store_get(scene->store, gw_slice_of_string(key), on_done, outcome);
}

/* One request's question of one bucket. */
static inline struct gw_store_call *take(struct scene *scene, const char *key, struct outcome *outcome)
{
    const struct gw_slice keys[] = { gw_slice_of_string(key) };
    static const struct gw_slice arguments[] = { { "1", 1 }, { "100000", 6 }, { "20", 2 }, { "1", 1 } };
    memset(outcome, 0, sizeof(*outcome));
    return gw_store_run(scene->store, GW_STORE_TOKEN_BUCKET, keys, 1, arguments, 4, GW_NO_SLICE, NULL, on_done,
                        outcome);
}

#endif
