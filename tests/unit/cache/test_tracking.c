/* Against a real Redis, if one is installed: each test starts its own, on a socket in a directory of its own. */
#include "unit/cache/heads.h"
#include <hiredis/hiredis.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/random.h"
#include "cache/tracking.h"

enum { INSTANCES = 3, READERS = 2 /* of each */, KEYS = 40, UPDATES = 3000, PATIENCE_MS = 20000, ROOM = 4 << 20 };

static const struct gw_cache_request request = { .is_candidate = true,
                                                 .may_look_up = true,
                                                 .default_ttl_applies = true,
                                                 .max_age = GW_DIRECTIVE_ABSENT,
                                                 .min_fresh = GW_DIRECTIVE_ABSENT };

struct instance { /* a process' memory cache and its main thread */
    struct gw_memory_cache *memory_cache;
    struct gw_breaker breaker;
    struct gw_tracking *tracking;
    pthread_t thread;
    uv_loop_t loop;
    struct gw_timers timers;
    uv_async_t stop;
    struct gw_redis_node node;
    struct gw_config config;
    atomic_uint purges; /* heard of */
};

struct stage {
    char directory[64], socket[96];
    pid_t redis;
    redisContext *writer;
    struct instance instances[INSTANCES];
    unsigned open;
    unsigned timeout_ms;
};

/* ---- Redis ---- */

static void start_redis(struct stage *stage)
{
    stage->redis = fork();
    assert_true(stage->redis >= 0);
    if (stage->redis == 0) {
        execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", stage->socket, "--save", "", "--dir",
               stage->directory, "--logfile", "redis.log", (char *)NULL);
        _exit(127);
    }
    for (unsigned i = 0; i < PATIENCE_MS / 10; i++) {
        stage->writer = redisConnectUnix(stage->socket);
        if (stage->writer && !stage->writer->err)
            return;
        redisFree(stage->writer);
        usleep(10000);
    }
    fail_msg("redis-server does not answer");
}

static void stop_redis(struct stage *stage)
{
    int status;
    redisFree(stage->writer);
    stage->writer = NULL;
    kill(stage->redis, SIGKILL);
    waitpid(stage->redis, &status, 0);
    unlink(stage->socket);
}

static int64_t say(redisContext *redis, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The answer as a number; fails the test on an error. */
static int64_t say(redisContext *redis, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    redisReply *reply = redisvCommand(redis, format, arguments);
    va_end(arguments);
    assert_non_null(reply);
    if (reply->type == REDIS_REPLY_ERROR)
        fail_msg("%s: %s", format, reply->str);
    int64_t number = reply->type == REDIS_REPLY_STRING ? strtoll(reply->str, NULL, 10) : reply->integer;
    freeReplyObject(reply);
    return number;
}

/* ---- instances ---- */

static void on_handle(uv_handle_t *handle, void *context)
{
    (void)context;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void on_stop(uv_async_t *stop)
{
    struct instance *instance = stop->data;
    gw_tracking_close(instance->tracking);
    gw_timers_close(&instance->timers);
    uv_close((uv_handle_t *)stop, NULL);
}

static void *run_loop(void *context)
{
    struct instance *instance = context;
    uv_run(&instance->loop, UV_RUN_DEFAULT);
    return NULL;
}

static void on_purge(void *context)
{
    struct instance *instance = context;
    atomic_fetch_add(&instance->purges, 1);
}

static void open_instance_as(struct stage *stage, struct instance *instance, const char *user, const char *password)
{
    memset(instance, 0, sizeof *instance);
    instance->memory_cache = gw_memory_cache_create(ROOM, NULL);
    assert_non_null(instance->memory_cache);
    gw_breaker_init(&instance->breaker);
    atomic_store(&instance->breaker.is_open, false);
    instance->node = (struct gw_redis_node) { .host = gw_slice_of_string(stage->socket),
                                              .url_masked = GW_SLICE("unix://socket"),
                                              .user = gw_slice_of_string(user),
                                              .password = gw_slice_of_string(password),
                                              .is_unix = true };
    instance->config.redis_timeout_ms = stage->timeout_ms;
    instance->config.redis_connect_timeout_ms = 5000;
    instance->config.redis_prefix = GW_SLICE("gw:");
    assert_int_equal(uv_loop_init(&instance->loop), 0);
    assert_int_equal(gw_timers_open(&instance->timers, &instance->loop), 0);
    assert_int_equal(uv_async_init(&instance->loop, &instance->stop, on_stop), 0);
    instance->stop.data = instance;
    struct gw_tracking_setup setup = { .loop = &instance->loop,
                                       .timers = &instance->timers,
                                       .memory_cache = instance->memory_cache,
                                       .breaker = &instance->breaker,
                                       .node = &instance->node,
                                       .config = &instance->config,
                                       .on_purge = on_purge,
                                       .context = instance };
    instance->tracking = gw_tracking_open(&setup);
    assert_non_null(instance->tracking);
    assert_int_equal(pthread_create(&instance->thread, NULL, run_loop, instance), 0);
    stage->open++;
}

static void open_instance(struct stage *stage, struct instance *instance)
{
    open_instance_as(stage, instance, "", "");
}

static void close_instance(struct instance *instance)
{
    uv_async_send(&instance->stop);
    pthread_join(instance->thread, NULL);
    assert_int_equal(gw_memory_cache_mode(instance->memory_cache), GW_MEMORY_CACHE_CLOSED);
    uv_walk(&instance->loop, on_handle, NULL);
    uv_run(&instance->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&instance->loop), 0); /* no handle was left */
    gw_tracking_free(&instance->tracking);
    gw_memory_cache_destroy(&instance->memory_cache);
}

static void await_mode(struct instance *instance, enum gw_memory_cache_mode mode)
{
    for (unsigned i = 0; i < PATIENCE_MS / 5; i++) {
        if (gw_memory_cache_mode(instance->memory_cache) == mode)
            return;
        usleep(5000);
    }
    fail_msg("the mode is %d, not %d", gw_memory_cache_mode(instance->memory_cache), mode);
}

/* ---- keys and entries: an entry's age is the version that was read ---- */

static struct gw_cache_key key_of(unsigned number)
{
    struct gw_cache_key key = { .name_space = { 7 } };
    memcpy(key.sha, &number, sizeof number);
    return key;
}

static void text_of(unsigned number, char *text)
{
    struct gw_cache_key key = key_of(number);
    gw_key_put_text(&key, GW_SLICE("gw:"), text);
    text[3 + GW_KEY_TEXT_BYTES] = '\0';
}

static void write_version(redisContext *redis, unsigned number, int64_t version)
{
    char text[3 + GW_KEY_TEXT_BYTES + 1];
    text_of(number, text);
    say(redis, "SET %s %lld PX 600000", text, (long long)version);
}

/* As a worker does it: it notes the epoch when it sends the read, and fills only with what it read. */
static bool read_and_fill(redisContext *redis, struct gw_memory_cache *memory_cache, unsigned number)
{
    char text[3 + GW_KEY_TEXT_BYTES + 1];
    struct gw_cache_key key = key_of(number);
    struct gw_head asked, answered;
    text_of(number, text);
    uint64_t epoch = gw_memory_cache_epoch(memory_cache, &key);
    struct gw_cache_life life = { .age_s = say(redis, "GET %s", text), .freshness_s = INT64_MAX / 2 };
    gw_head_init(&asked);
    gw_head_init(&answered);
    answered.status = 200;
    struct gw_entry *entry = gw_entry_create(&(struct gw_entry_setup) { .key = &key,
                                                                        .scheme = GW_SLICE("http"),
                                                                        .host = GW_SLICE("example.com"),
                                                                        .request = &asked,
                                                                        .response = &answered,
                                                                        .life = &life });
    assert_non_null(entry);
    bool is_taken = gw_memory_cache_fill(memory_cache, entry, epoch);
    gw_entry_unref(entry);
    return is_taken;
}

/* The version in the memory cache's answer; -1: no answer. */
static int64_t memory_cache_version(struct gw_memory_cache *memory_cache, unsigned number)
{
    struct gw_cache_key key = key_of(number);
    struct gw_head head;
    struct gw_memory_cache_answer answer;
    int64_t version = -1;
    gw_head_init(&head);
    gw_memory_cache_get(memory_cache, &key, &request, &head, 0, &answer);
    if (answer.entry && answer.reuse == GW_REUSE_FRESH)
        version = answer.entry->age_s;
    gw_entry_unref(answer.entry);
    return version;
}

/* Fills a key and waits until its update has removed it: then the messages about earlier writes have come, too. */
static void await_heard(struct stage *stage, struct instance *instance, redisContext *redis)
{
    const unsigned number = KEYS + 1;
    bool is_filled = false;
    for (unsigned i = 0; i < PATIENCE_MS && !is_filled; i++) {
        is_filled = read_and_fill(redis, instance->memory_cache, number);
        if (!is_filled)
            usleep(1000);
    }
    assert_true(is_filled);
    write_version(stage->writer, number, 1);
    for (unsigned i = 0; i < PATIENCE_MS; i++) {
        if (memory_cache_version(instance->memory_cache, number) < 0)
            return;
        usleep(1000);
    }
    fail_msg("no invalidation came");
}

static int make_stage(void **state)
{
    struct stage *stage = calloc(1, sizeof *stage);
    if (!stage)
        return -1;
    snprintf(stage->directory, sizeof stage->directory, "/tmp/gw-tracking-XXXXXX");
    if (!mkdtemp(stage->directory))
        return -1;
    snprintf(stage->socket, sizeof stage->socket, "%s/redis", stage->directory);
    *state = stage;
    stage->timeout_ms = 2000; /* a loaded machine is no failure */
    start_redis(stage);
    return 0;
}

static int free_stage(void **state)
{
    struct stage *stage = *state;
    char log[128];
    for (unsigned i = 0; i < stage->open; i++)
        close_instance(&stage->instances[i]);
    if (stage->writer)
        stop_redis(stage);
    snprintf(log, sizeof log, "%s/redis.log", stage->directory);
    unlink(log);
    rmdir(stage->directory);
    free(stage);
    return 0;
}

/* ---- scenes ---- */

struct reader {
    struct stage *stage;
    struct instance *instance;
    pthread_t thread;
    atomic_bool *stop;
    uint64_t fills, hits;
};

static void *read_on(void *context)
{
    struct reader *reader = context;
    redisContext *redis = redisConnectUnix(reader->stage->socket);
    struct gw_random random;
    gw_random_init(&random);
    while (!atomic_load(reader->stop)) {
        unsigned number = (unsigned)gw_random_next(&random) % KEYS;
        if (memory_cache_version(reader->instance->memory_cache, number) >= 0)
            reader->hits++;
        else
            reader->fills += read_and_fill(redis, reader->instance->memory_cache, number);
    }
    redisFree(redis);
    return NULL;
}

/* Updates go on under reads; `disturb` runs a few times meanwhile. In the end no cache holds anything but the last
 * version. */
static void hammer(struct stage *stage, void (*disturb)(struct stage *stage, unsigned turn))
{
    struct reader readers[INSTANCES * READERS];
    int64_t versions[KEYS] = { 0 };
    atomic_bool stop = false;
    struct gw_random random;
    uint64_t fills = 0, hits = 0;
    gw_random_init(&random);
    for (unsigned i = 0; i < INSTANCES; i++) {
        open_instance(stage, &stage->instances[i]);
        await_mode(&stage->instances[i], GW_MEMORY_CACHE_SHARED);
    }
    for (unsigned i = 0; i < GW_COUNT(readers); i++) {
        readers[i] = (struct reader) { .stage = stage, .instance = &stage->instances[i % INSTANCES], .stop = &stop };
        assert_int_equal(pthread_create(&readers[i].thread, NULL, read_on, &readers[i]), 0);
    }
    for (unsigned i = 0; i < UPDATES; i++) {
        unsigned number = (unsigned)gw_random_next(&random) % KEYS;
        write_version(stage->writer, number, ++versions[number]);
        if (disturb && i % (UPDATES / 10) == UPDATES / 20)
            disturb(stage, i);
    }
    atomic_store(&stop, true);
    for (unsigned i = 0; i < GW_COUNT(readers); i++) {
        assert_int_equal(pthread_join(readers[i].thread, NULL), 0);
        fills += readers[i].fills;
        hits += readers[i].hits;
    }
    assert_true(fills > KEYS);
    assert_true(hits > 0);
    for (unsigned i = 0; i < INSTANCES; i++) {
        struct instance *instance = &stage->instances[i];
        await_mode(instance, GW_MEMORY_CACHE_SHARED);
        await_heard(stage, instance, stage->writer);
        for (unsigned number = 0; number < KEYS; number++) {
            int64_t version = memory_cache_version(instance->memory_cache, number);
            if (version >= 0 && version != versions[number])
                fail_msg("key %u: version %lld of %lld stays", number, (long long)version, (long long)versions[number]);
        }
    }
}

static void no_stale_entry_stays_under_updates(void **state)
{
    hammer(*state, NULL);
}

static void kill_one(struct stage *stage, unsigned turn)
{
    (void)turn;
    redisReply *list = redisCommand(stage->writer, "CLIENT LIST");
    assert_non_null(list);
    const char *name = turn / (UPDATES / 10) % 2 ? "name=visara-gateway:tracking" : "name=visara-gateway:invalidations";
    char *at = strstr(list->str, name);
    while (at && at > list->str && at[-1] != '\n')
        at--;
    if (at)
        say(stage->writer, "CLIENT KILL ID %lld", strtoll(at + 3, NULL, 10));
    freeReplyObject(list);
}

static void no_stale_entry_stays_when_either_of_the_pair_is_killed(void **state)
{
    hammer(*state, kill_one);
}

static void when_either_is_killed_what_was_held_is_gone(void **state)
{
    struct stage *stage = *state;
    struct instance *instance = &stage->instances[0];
    open_instance(stage, instance);
    for (unsigned turn = 0; turn < 2; turn++) {
        await_mode(instance, GW_MEMORY_CACHE_SHARED);
        write_version(stage->writer, 1, turn);
        await_heard(stage, instance, stage->writer);
        assert_true(read_and_fill(stage->writer, instance->memory_cache, 1));
        assert_int_equal(memory_cache_version(instance->memory_cache, 1), turn);
        kill_one(stage, turn * (UPDATES / 10));
        for (unsigned i = 0; i < PATIENCE_MS && memory_cache_version(instance->memory_cache, 1) >= 0; i++)
            usleep(1000);
        assert_int_equal(memory_cache_version(instance->memory_cache, 1), -1);
    }
}

static void flush_all(struct stage *stage, unsigned turn)
{
    (void)turn;
    say(stage->writer, "FLUSHALL");
}

static void flushall_empties_the_memory_cache(void **state)
{
    struct stage *stage = *state;
    struct instance *instance = &stage->instances[0];
    open_instance(stage, instance);
    await_mode(instance, GW_MEMORY_CACHE_SHARED);
    for (unsigned i = 0; i < KEYS; i++)
        write_version(stage->writer, i, 5);
    await_heard(stage, instance, stage->writer);
    for (unsigned i = 0; i < KEYS; i++)
        assert_true(read_and_fill(stage->writer, instance->memory_cache, i));
    flush_all(stage, 0);
    for (unsigned i = 0; i < KEYS; i++) {
        for (unsigned wait = 0; wait < PATIENCE_MS && memory_cache_version(instance->memory_cache, i) >= 0; wait++)
            usleep(1000);
        assert_int_equal(memory_cache_version(instance->memory_cache, i), -1);
    }
}

static void deletion_expiry_and_variants_are_heard_and_other_keys_are_not(void **state)
{
    static const char *const ways[][3] = { { "DEL", "", "" },
                                           { "PEXPIRE", "", "1" },
                                           { "SETEX", ":0123456789abcdef0123456789abcdef", "9" } };
    struct stage *stage = *state;
    struct instance *instance = &stage->instances[0];
    char text[3 + GW_KEY_TEXT_BYTES + 1], changed[sizeof text + 40];
    open_instance(stage, instance);
    await_mode(instance, GW_MEMORY_CACHE_SHARED);
    for (size_t i = 0; i < GW_COUNT(ways); i++) {
        write_version(stage->writer, 1, 1);
        write_version(stage->writer, 2, 1);
        await_heard(stage, instance, stage->writer);
        assert_true(read_and_fill(stage->writer, instance->memory_cache, 1));
        assert_true(read_and_fill(stage->writer, instance->memory_cache, 2));
        text_of(1, text);
        snprintf(changed, sizeof changed, "%s%s", text, ways[i][1]);
        say(stage->writer, "SET gw:rl:x 1 PX 1000");
        say(stage->writer, "SET gw:cache:nonsense 1 PX 1000");
        if (i == 0)
            say(stage->writer, "%s %s", ways[i][0], changed);
        else if (i == 1)
            say(stage->writer, "%s %s %s", ways[i][0], changed, ways[i][2]);
        else
            say(stage->writer, "%s %s %s value", ways[i][0], changed, ways[i][2]);
        for (unsigned wait = 0; wait < PATIENCE_MS && memory_cache_version(instance->memory_cache, 1) >= 0; wait++)
            usleep(1000);
        assert_int_equal(memory_cache_version(instance->memory_cache, 1), -1);
        assert_int_equal(memory_cache_version(instance->memory_cache, 2), 1);
    }
}

static void purges_are_heard_of(void **state)
{
    static const char *const others[] = { "gw:rl:purge:x", "gw:lock:purge:", "gw:cache:purge:x", "purge:x" };
    struct stage *stage = *state;
    struct instance *instance = &stage->instances[0];
    open_instance(stage, instance);
    await_mode(instance, GW_MEMORY_CACHE_SHARED);
    write_version(stage->writer, 1, 1);
    await_heard(stage, instance, stage->writer);
    assert_true(read_and_fill(stage->writer, instance->memory_cache, 1));
    for (size_t i = 0; i < GW_COUNT(others); i++)
        say(stage->writer, "SET %s 1 PX 9000", others[i]);
    say(stage->writer, "ZADD gw:purge:log 1 a");
    await_heard(stage, instance, stage->writer);
    assert_int_equal(atomic_load(&instance->purges), 1);
    assert_int_equal(memory_cache_version(instance->memory_cache, 1), 1);
}

static void the_breaker_makes_an_outage_and_ends_it(void **state)
{
    struct stage *stage = *state;
    struct instance *instance = &stage->instances[0];
    open_instance(stage, instance);
    await_mode(instance, GW_MEMORY_CACHE_SHARED);
    assert_true(read_and_fill(stage->writer, instance->memory_cache, 1));
    gw_breaker_open(&instance->breaker, GW_BREAKER_SILENT, "", gw_clock_monotonic_us());
    await_mode(instance, GW_MEMORY_CACHE_OUTAGE);
    for (unsigned i = 0; i < PATIENCE_MS && memory_cache_version(instance->memory_cache, 1) >= 0; i++)
        usleep(1000); /* the mode is told before what is stored is dropped */
    assert_int_equal(memory_cache_version(instance->memory_cache, 1), -1);
    assert_false(gw_tracking_is_up(instance->tracking)); /* the pair may be with another server than workers will be */
    gw_breaker_close(&instance->breaker);
    await_mode(instance, GW_MEMORY_CACHE_SHARED);
    assert_true(gw_tracking_is_up(instance->tracking));
    await_heard(stage, instance, stage->writer);
}

static void redis_gone_closes_it_and_redis_back_opens_it(void **state)
{
    struct stage *stage = *state;
    struct instance *instance = &stage->instances[0];
    open_instance(stage, instance);
    await_mode(instance, GW_MEMORY_CACHE_SHARED);
    stop_redis(stage);
    await_mode(instance, GW_MEMORY_CACHE_CLOSED);
    assert_false(gw_tracking_is_up(instance->tracking));
    start_redis(stage);
    await_mode(instance, GW_MEMORY_CACHE_SHARED);
    await_heard(stage, instance, stage->writer);
}

static void a_frozen_redis_is_noticed(void **state)
{
    struct stage *stage = *state;
    struct instance *instance = &stage->instances[0];
    stage->timeout_ms = 50;
    open_instance(stage, instance);
    await_mode(instance, GW_MEMORY_CACHE_SHARED);
    kill(stage->redis, SIGSTOP);
    await_mode(instance, GW_MEMORY_CACHE_CLOSED);
    kill(stage->redis, SIGCONT);
    await_mode(instance, GW_MEMORY_CACHE_SHARED);
}

static void a_user_that_is_refused_never_fills(void **state)
{
    static const char *const denials[] = { "-client|tracking", "resetchannels", "-client|id" };
    struct stage *stage = *state;
    for (unsigned i = 0; i < GW_COUNT(denials); i++) {
        struct instance *instance = &stage->instances[i];
        redisReply *reply = redisCommand(stage->writer, "ACL SETUSER default on nopass ~* &* +@all %s", denials[i]);
        assert_non_null(reply);
        assert_int_equal(reply->type, REDIS_REPLY_STATUS);
        freeReplyObject(reply);
        open_instance(stage, instance);
        int64_t refused = 0;
        for (unsigned wait = 0; wait < PATIENCE_MS && !refused; wait++) {
            redisReply *log = redisCommand(stage->writer, "ACL LOG");
            refused = log->type == REDIS_REPLY_ARRAY && log->elements > 0;
            freeReplyObject(log);
            usleep(1000);
        }
        assert_true(refused);
        await_mode(instance, GW_MEMORY_CACHE_CLOSED);
        assert_false(read_and_fill(stage->writer, instance->memory_cache, 1));
        assert_false(gw_tracking_is_up(instance->tracking));
        say(stage->writer, "ACL LOG RESET");
    }
}

static void a_password_is_given(void **state)
{
    struct stage *stage = *state;
    struct instance *instance = &stage->instances[0];
    freeReplyObject(redisCommand(stage->writer, "ACL SETUSER alice on >secret ~* &* +@all"));
    freeReplyObject(redisCommand(stage->writer, "CONFIG SET requirepass other"));
    open_instance(stage, instance); /* without: stays closed, until it is put right */
    for (unsigned i = 0; i < 20; i++) {
        assert_int_not_equal(gw_memory_cache_mode(instance->memory_cache), GW_MEMORY_CACHE_SHARED);
        usleep(5000);
    }
    close_instance(instance);
    stage->open = 0;
    for (unsigned i = 0; i < 2; i++) { /* a password alone; a user's */
        open_instance_as(stage, instance, i ? "alice" : "", i ? "secret" : "other");
        await_mode(instance, GW_MEMORY_CACHE_SHARED);
        close_instance(instance);
        stage->open = 0;
    }
}

int main(void)
{
    if (system("redis-server --version >/dev/null 2>&1") != 0) {
        printf("redis-server is not installed\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_stale_entry_stays_under_updates, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(no_stale_entry_stays_when_either_of_the_pair_is_killed, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(when_either_is_killed_what_was_held_is_gone, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(flushall_empties_the_memory_cache, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(deletion_expiry_and_variants_are_heard_and_other_keys_are_not, make_stage,
                                        free_stage),
        cmocka_unit_test_setup_teardown(purges_are_heard_of, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(the_breaker_makes_an_outage_and_ends_it, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(redis_gone_closes_it_and_redis_back_opens_it, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(a_frozen_redis_is_noticed, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(a_user_that_is_refused_never_fills, make_stage, free_stage),
        cmocka_unit_test_setup_teardown(a_password_is_given, make_stage, free_stage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
