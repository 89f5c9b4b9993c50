/* Main's probe: what closes the breaker, and which instances are counted. Against a real redis-server if one is
 * installed. */
#include "store/probe.h"
#include "unit/store/fake.h"
#include "unit/store/real.h"

#define BEATS "\"heartbeat\": \"200ms\","

struct watch {
    unsigned ups, downs;
};

static void on_change(void *context, bool is_up)
{
    struct watch *watch = context;
    if (is_up)
        watch->ups++;
    else
        watch->downs++;
}

static struct gw_probe *open_probe(struct scene *scene, const char *id, bool keeps_heartbeat, struct watch *watch)
{
    const struct gw_probe_setup setup = { .loop = &scene->loop,
                                          .timers = &scene->timers,
                                          .breaker = &scene->breaker,
                                          .node = scene->config->redis,
                                          .config = scene->config,
                                          .instance_id = id,
                                          .keeps_heartbeat = keeps_heartbeat,
                                          .on_change = on_change,
                                          .context = watch };
    struct gw_probe *probe = gw_probe_open(&setup);
    assert_non_null(probe);
    return probe;
}

/* The loop ends with the scene; then the probes are freed. */
static void close_all(struct scene *scene, struct gw_probe *first, struct gw_probe *second)
{
    gw_probe_close(first);
    if (second)
        gw_probe_close(second);
    scene_close(scene);
    gw_probe_free(&first);
    gw_probe_free(&second);
}

static bool is_closed(const struct scene *scene)
{
    return !gw_breaker_is_open(&scene->breaker);
}

/* mood: which kind of Redis this is. */
enum mood { PRIMARY, REPLICA, LOADING, WITHOUT_INFO, FULL, FORBIDDEN, WITHOUT_TIME, MUTE };

static bool play(struct fake *fake, int fd, const struct fake_command *command)
{
    int mood = atomic_load(&fake->mood);
    if (mood == MUTE && !fake_is_login(command))
        return true;
    if (fake_is_login(command))
        return fake_logs_in(fake, fd, command);
    if (mood == LOADING)
        return fake_says(fake, fd, "-LOADING Redis is loading the dataset in memory\r\n");
    if (is_command(command, "PING"))
        return fake_says(fake, fd, "+PONG\r\n");
    if (is_command(command, "INFO") && mood == WITHOUT_INFO)
        return fake_says(fake, fd, "-NOPERM this user has no permissions to run the 'info' command\r\n");
    if (is_command(command, "INFO"))
        return fake_says(fake, fd, mood == REPLICA ? "$12\r\nrole:slave\r\n\r\n" : "$13\r\nrole:master\r\n\r\n");
    if (is_command(command, "TIME"))
        return fake_says(fake, fd, mood == WITHOUT_TIME ? ":1\r\n" : "*2\r\n$10\r\n1700000000\r\n$6\r\n123456\r\n");
    if (is_command(command, "ZADD") && mood == FULL)
        return fake_says(fake, fd, "-OOM command not allowed when used memory > 'maxmemory'.\r\n");
    if (mood == FORBIDDEN)
        return fake_says(fake, fd, "-NOPERM this user has no permissions to access one of the keys\r\n");
    return fake_says(fake, fd, is_command(command, "ZCARD") ? ":3\r\n" : ":1\r\n");
}

static void only_a_primary_that_takes_writes_closes_it(void **state)
{
    static const struct {
        enum mood mood;
        bool keeps_heartbeat, closes;
        enum gw_breaker_reason reason;
    } rows[] = {
        { PRIMARY, true, true, GW_BREAKER_NONE },
        { PRIMARY, false, true, GW_BREAKER_NONE },
        { REPLICA, true, false, GW_BREAKER_READONLY },
        { REPLICA, false, false, GW_BREAKER_READONLY },
        { LOADING, true, false, GW_BREAKER_LOADING },
        { WITHOUT_INFO, true, true, GW_BREAKER_NONE },
        { FULL, true, true, GW_BREAKER_NONE },
        { FORBIDDEN, true, false, GW_BREAKER_AUTH },
        { WITHOUT_TIME, true, false, GW_BREAKER_NONSENSE },
        { MUTE, true, false, GW_BREAKER_SILENT },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct scene scene;
        struct fake fake;
        struct watch watch = { 0 };
        fake_start(&fake, play);
        atomic_store(&fake.mood, (int)rows[i].mood);
        scene_open(&scene, fake.url, rows[i].mood == MUTE ? "\"timeout\": \"50ms\"," : LONG_TIMEOUT BEATS, "");
        struct gw_probe *probe = open_probe(&scene, "a", rows[i].keeps_heartbeat, &watch);
        print_message("mood %d\n", (int)rows[i].mood);
        if (rows[i].closes) {
            until(&scene, is_closed(&scene));
            assert_int_equal(watch.ups, 1);
            if (rows[i].keeps_heartbeat)
                assert_int_equal(gw_probe_instances(probe), 3);
        } else {
            until(&scene, atomic_load(&fake.accepted) == 3); /* it tries again and again */
            assert_true(gw_breaker_is_open(&scene.breaker));
            assert_int_equal(atomic_load(&scene.breaker.reason), rows[i].reason);
            assert_int_equal(watch.ups, 0);
            atomic_store(&fake.mood, PRIMARY); /* and the outage ends */
            if (rows[i].mood != MUTE)
                until(&scene, is_closed(&scene));
        }
        close_all(&scene, probe, NULL);
        fake_stop(&fake);
    }
}

static void what_a_worker_opened_is_closed_again_soon(void **state)
{
    struct scene scene;
    struct fake fake;
    struct watch watch = { 0 };
    (void)state;
    fake_start(&fake, play);
    scene_open(&scene, fake.url, "\"timeout\": \"5s\", \"heartbeat\": \"60s\",", "");
    struct gw_probe *probe = open_probe(&scene, "a", true, &watch);
    until(&scene, is_closed(&scene));
    for (unsigned i = 1; i <= 3; i++) {
        gw_breaker_open(&scene.breaker, GW_BREAKER_LOST, "", gw_clock_monotonic_us());
        until(&scene, is_closed(&scene)); /* long before the next heartbeat */
        assert_int_equal(watch.downs, i);
        assert_int_equal(watch.ups, i + 1);
    }
    assert_int_equal(atomic_load(&fake.accepted), 1);
    close_all(&scene, probe, NULL);
    fake_stop(&fake);
}

static void before_the_first_answer_the_expected_instances_count(void **state)
{
    struct scene scene;
    struct watch watch = { 0 };
    (void)state;
    scene_open(&scene, "unix:///nowhere/redis.sock", "\"expected_instances\": 7,", "");
    struct gw_probe *probe = open_probe(&scene, "a", true, &watch);
    assert_int_equal(gw_probe_instances(probe), 7);
    close_all(&scene, probe, NULL);
    scene_open(&scene, "unix:///nowhere/redis.sock", "", "");
    probe = open_probe(&scene, "a", true, &watch);
    assert_int_equal(gw_probe_instances(probe), 1);
    close_all(&scene, probe, NULL);
}

static void it_serves_when_the_others_have_counted_it(void **state)
{
    struct scene scene;
    struct fake fake;
    struct watch watch = { 0 };
    (void)state;
    fake_start(&fake, play); /* which counts three */
    scene_open(&scene, fake.url, LONG_TIMEOUT BEATS, "");
    struct gw_probe *probe = open_probe(&scene, "a", true, &watch);
    assert_false(gw_probe_is_settled(probe));
    until(&scene, gw_probe_instances(probe) == 3);
    uint64_t counted_us = gw_clock_monotonic_us();
    until(&scene, gw_probe_is_settled(probe));
    /* A heartbeat of the others, less the time that this loop took to notice the count. */
    assert_true(gw_clock_monotonic_us() - counted_us >= 200000);
    close_all(&scene, probe, NULL);
    fake_stop(&fake);
}

static void it_does_not_wait_for_instances_that_cannot_be_counted(void **state)
{
    static const struct {
        enum mood mood;
        bool listens, keeps_heartbeat;
    } rows[] = {
        { PRIMARY, false, true },  /* no server there */
        { LOADING, true, true },   /* nothing can be counted */
        { FORBIDDEN, true, true }, /* counting is forbidden, too */
        { FULL, true, true },      /* three are counted, though not this one */
        { MUTE, true, true },      /* the server never answers: 2 s at most, whatever the timeouts are */
        { PRIMARY, true, false },  /* not the limits' node */
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct scene scene;
        struct fake fake;
        struct watch watch = { 0 };
        fake_start(&fake, play);
        atomic_store(&fake.mood, (int)rows[i].mood);
        if (!rows[i].listens)
            fake_stop(&fake);
        scene_open(&scene, fake.url, "\"timeout\": \"60s\", \"connect_timeout\": \"60s\", \"heartbeat\": \"60s\",", "");
        struct gw_probe *probe = open_probe(&scene, "a", rows[i].keeps_heartbeat, &watch);
        assert_true(rows[i].keeps_heartbeat || gw_probe_is_settled(probe));
        if (!rows[i].listens) {
            until(&scene, atomic_load(&scene.breaker.reason) == GW_BREAKER_CONNECT);
            assert_true(gw_probe_is_settled(probe)); /* at once */
        }
        until(&scene, gw_probe_is_settled(probe)); /* in 20 s, where each of its waits is a minute */
        close_all(&scene, probe, NULL);
        if (rows[i].listens)
            fake_stop(&fake);
    }
}

static void alone_it_serves_at_once_and_sees_a_new_instance_before_the_next_heartbeat(void **state)
{
    struct scene scene;
    struct real real;
    struct watch watch = { 0 };
    (void)state;
    if (!real_is_installed())
        skip();
    real_start(&real);
    scene_open(&scene, real.socket_url, "\"timeout\": \"10s\", \"heartbeat\": \"60s\",", "");
    uint64_t began_us = gw_clock_monotonic_us();
    struct gw_probe *first = open_probe(&scene, "first", true, &watch), *second;
    until(&scene, gw_probe_is_settled(first));
    assert_true(is_closed(&scene) || gw_clock_monotonic_us() - began_us >= 2000000); /* the count, not the bound */
    second = open_probe(&scene, "second", true, &watch);
    until(&scene, gw_probe_instances(first) == 2 && gw_probe_instances(second) == 2);
    close_all(&scene, first, second);
    real_stop(&real);
}

static void live_instances_are_counted_and_the_gone_forgotten(void **state)
{
    struct scene scene;
    struct real real;
    struct watch watch = { 0 };
    (void)state;
    if (!real_is_installed())
        skip();
    real_start(&real);
    ask_real(&real, "ZADD gw:instances 1000 gone-long-ago");
    scene_open(&scene, real.socket_url, LONG_TIMEOUT BEATS, "");
    struct gw_probe *first = open_probe(&scene, "first", true, &watch);
    until(&scene, is_closed(&scene));
    until(&scene, gw_probe_instances(first) == 1);
    struct gw_probe *second = open_probe(&scene, "second", true, &watch);
    until(&scene, gw_probe_instances(first) == 2 && gw_probe_instances(second) == 2);
    assert_non_null(strstr(ask_real(&real, "CLIENT LIST"), "name=visara-gateway:second:main"));
    gw_probe_close(second); /* which says goodbye */
    until(&scene, strcmp(ask_real(&real, "ZCARD gw:instances"), "1") == 0);
    /* A lower number is believed only after minutes: links that are lost one by one look just like this. */
    assert_int_equal(gw_probe_instances(first), 2);
    assert_in_range(atoi(ask_real(&real, "PTTL gw:instances")), 1, 600);
    until(&scene, strcmp(ask_real(&real, "ZCARD gw:instances"), "1") == 0);
    close_all(&scene, first, second);
    /* By its goodbye, or, if a sign of life was still under way, by its expiry. */
    for (unsigned i = 0; i < 1000 && strcmp(ask_real(&real, "EXISTS gw:instances"), "0") != 0; i++)
        uv_sleep(5);
    assert_string_equal(ask_real(&real, "EXISTS gw:instances"), "0");
    real_stop(&real);
}

static void an_outage_and_a_failover_are_seen_from_main(void **state)
{
    struct scene scene;
    struct real real;
    struct watch watch = { 0 };
    (void)state;
    if (!real_is_installed())
        skip();
    real_start(&real);
    scene_open(&scene, real.url, LONG_TIMEOUT BEATS, "");
    struct gw_probe *probe = open_probe(&scene, "a", true, &watch);
    until(&scene, is_closed(&scene));
    real_kill(&real);
    until(&scene, !is_closed(&scene) && watch.downs == 1);
    real_run(&real);
    until(&scene, is_closed(&scene) && watch.ups == 2);
    ask_real(&real, "REPLICAOF 127.0.0.1 1");
    until(&scene, !is_closed(&scene) && atomic_load(&scene.breaker.reason) == GW_BREAKER_READONLY);
    ask_real(&real, "REPLICAOF NO ONE");
    until(&scene, is_closed(&scene) && watch.ups == 3);
    ask_real(&real, "CONFIG SET requirepass secret");
    ask_real(&real, "AUTH secret");
    ask_real(&real, "CLIENT KILL TYPE normal SKIPME yes");
    until(&scene, !is_closed(&scene) && atomic_load(&scene.breaker.reason) == GW_BREAKER_AUTH);
    ask_real(&real, "ACL SETUSER default nopass");
    until(&scene, is_closed(&scene) && watch.ups == 4);
    close_all(&scene, probe, NULL);
    real_stop(&real);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_a_primary_that_takes_writes_closes_it),
        cmocka_unit_test(what_a_worker_opened_is_closed_again_soon),
        cmocka_unit_test(before_the_first_answer_the_expected_instances_count),
        cmocka_unit_test(it_serves_when_the_others_have_counted_it),
        cmocka_unit_test(it_does_not_wait_for_instances_that_cannot_be_counted),
        cmocka_unit_test(alone_it_serves_at_once_and_sees_a_new_instance_before_the_next_heartbeat),
        cmocka_unit_test(live_instances_are_counted_and_the_gone_forgotten),
        cmocka_unit_test(an_outage_and_a_failover_are_seen_from_main),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
