/* The store against a real redis-server: skipped if none is installed. */
#include "unit/store/real.h"

static void begin(struct scene *scene, struct real *real, const char *more)
{
    if (!real_is_installed())
        skip();
    real_start(real);
    scene_open(scene, real->url, more, "");
    scene_open_store(scene);
    until_up(scene);
}

static void end(struct scene *scene, struct real *real)
{
    scene_close(scene);
    real_stop(real);
}

static void a_bucket_is_taken_from_and_a_value_kept(void **state)
{
    struct scene scene;
    struct real real;
    struct outcome outcome;
    (void)state;
    begin(&scene, &real, LONG_TIMEOUT);
    for (int64_t left = 19; left >= 17; left--) {
        assert_non_null(take(&scene, "gw:rl:t:1-100000-20:a", &outcome));
        until(&scene, outcome.runs);
        assert_int_equal(outcome.result, GW_STORE_INTEGERS);
        assert_int_equal(outcome.integer_count, 4);
        assert_int_equal(outcome.integers[0], 1);
    }
    memset(&outcome, 0, sizeof(outcome));
    assert_non_null(gw_store_set(scene.store, GW_SLICE("k"), gw_slice_of("a\0b\r\nc", 6), 60000, on_done, &outcome));
    until(&scene, outcome.runs);
    assert_int_equal(outcome.result, GW_STORE_DONE);
    assert_non_null(get(&scene, "k", &outcome));
    until(&scene, outcome.runs);
    assert_int_equal(outcome.result, GW_STORE_VALUE);
    assert_int_equal(outcome.length, 6);
    assert_memory_equal(outcome.start, "a\0b\r\nc", 6);
    assert_in_range(outcome.ttl_ms, 1, 60000);
    assert_non_null(gw_store_set(scene.store, GW_SLICE("k"), GW_NO_SLICE, 0, NULL, NULL));
    assert_non_null(get(&scene, "k", &outcome));
    until(&scene, outcome.runs);
    assert_int_equal(outcome.result, GW_STORE_NIL);
    ask_real(&real, "LPUSH list 1");
    assert_non_null(get(&scene, "list", &outcome));
    until(&scene, outcome.runs);
    assert_int_equal(outcome.result, GW_STORE_VALUE);
    assert_int_equal(outcome.length, 0);
    assert_int_equal(gw_counter_read(&scene.shard->redis_noscript), 0);
    end(&scene, &real);
}

static void values_of_all_sizes_come_back_as_they_were(void **state)
{
    static const size_t sizes[] = { 0, 1, 16383, 16384, 16385, 65536, 300000, 1 << 20 };
    struct scene scene;
    struct real real;
    struct outcome outcome;
    char *value = malloc(1 << 20);
    (void)state;
    begin(&scene, &real, LONG_TIMEOUT);
    for (size_t i = 0; i < 1 << 20; i++)
        value[i] = (char)(i * 31);
    for (size_t i = 0; i < GW_COUNT(sizes); i++) {
        uint64_t sum = 0;
        for (size_t k = 0; k < sizes[i]; k++)
            sum += (unsigned char)value[k];
        assert_non_null(gw_store_set(scene.store, GW_SLICE("k"), gw_slice_of(value, sizes[i]), 60000, NULL, NULL));
        assert_non_null(get(&scene, "k", &outcome));
        until(&scene, outcome.runs);
        assert_int_equal(outcome.result, GW_STORE_VALUE);
        assert_int_equal(outcome.length, sizes[i]);
        assert_int_equal(outcome.sum, sum);
    }
    free(value);
    end(&scene, &real);
}

static void redis_lists_the_connection_by_its_name(void **state)
{
    struct scene scene;
    struct real real;
    (void)state;
    begin(&scene, &real, LONG_TIMEOUT);
    assert_non_null(strstr(ask_real(&real, "CLIENT LIST"), "name=visara-gateway:test:0"));
    end(&scene, &real);
}

static void user_password_database_and_socket_are_those_of_the_url(void **state)
{
    static const struct {
        const char *format; /* with the port, or the socket */
        bool is_socket, is_good;
    } rows[] = {
        { "redis://gw:p%%40ss@127.0.0.1:%s/5", false, true }, { "unix://gw:p%%40ss@%s?db=5", true, true },
        { "redis://gw:wrong@127.0.0.1:%s/5", false, false },  { "redis://nobody:p%%40ss@127.0.0.1:%s/5", false, false },
        { "redis://:other@127.0.0.1:%s/5", false, true },     { "redis://127.0.0.1:%s/5", false, false },
    };
    struct real real;
    (void)state;
    if (!real_is_installed())
        skip();
    real_start(&real);
    ask_real(&real, "ACL SETUSER gw on >p@ss ~* +@all");
    ask_real(&real, "CONFIG SET requirepass other");
    ask_real(&real, "AUTH other");
    ask_real(&real, "SELECT 5");
    ask_real(&real, "SET where five");
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct scene scene;
        struct outcome outcome;
        char url[256], port[8];
        snprintf(port, sizeof(port), "%u", real.port);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(url, sizeof(url), rows[i].format, rows[i].is_socket ? real.socket : port);
#pragma GCC diagnostic pop
        scene_open(&scene, url, LONG_TIMEOUT, "");
        scene_open_store(&scene);
        if (rows[i].is_good) {
            until_up(&scene);
            assert_non_null(get(&scene, "where", &outcome));
            until(&scene, outcome.runs);
            assert_string_equal(outcome.start, "five");
        } else {
            until(&scene, gw_breaker_is_open(&scene.breaker));
            assert_int_equal(atomic_load(&scene.breaker.reason), GW_BREAKER_AUTH);
        }
        scene_close(&scene);
    }
    real_stop(&real);
}

static void forgotten_scripts_are_not_noticed_under_load(void **state)
{
    struct scene scene;
    struct real real;
    unsigned allowed = 0;
    (void)state;
    begin(&scene, &real, LONG_TIMEOUT);
    for (unsigned turn = 0; turn < 30; turn++) {
        struct outcome outcomes[32];
        for (unsigned i = 0; i < GW_COUNT(outcomes); i++) {
            char key[64];
            snprintf(key, sizeof(key), "gw:rl:t:1-100000-20:%u", i);
            assert_non_null(take(&scene, key, &outcomes[i]));
        }
        if (turn % 3 == 0)
            ask_real(&real, "SCRIPT FLUSH");
        for (unsigned i = 0; i < GW_COUNT(outcomes); i++) {
            until(&scene, outcomes[i].runs);
            assert_int_equal(outcomes[i].result, GW_STORE_INTEGERS);
            allowed += outcomes[i].integers[0] == 1;
        }
    }
    assert_true(allowed >= 32 * 20);
    assert_true(gw_counter_read(&scene.shard->redis_noscript) >= 10);
    assert_int_equal(counted(&scene, GW_REDIS_LABEL_LIMIT, GW_REDIS_RESULT_OK), 30 * 32);
    assert_int_equal(gw_counter_read(&scene.shard->redis_connects), 1);
    end(&scene, &real);
}

static void a_server_that_is_killed_and_started_again_is_used_again(void **state)
{
    struct scene scene;
    struct real real;
    struct outcome outcome;
    (void)state;
    begin(&scene, &real, LONG_TIMEOUT);
    real_kill(&real);
    until(&scene, gw_breaker_is_open(&scene.breaker));
    assert_null(take(&scene, "k", &outcome));
    real_run(&real);
    until_up(&scene);
    assert_non_null(take(&scene, "k", &outcome));
    until(&scene, outcome.runs);
    assert_int_equal(outcome.result, GW_STORE_INTEGERS);
    end(&scene, &real);
}

static void a_server_that_stands_still_is_left_and_found_again(void **state)
{
    struct scene scene;
    struct real real;
    struct outcome outcome;
    (void)state;
    begin(&scene, &real, "\"timeout\": \"300ms\",");
    kill(real.pid, SIGSTOP);
    assert_non_null(take(&scene, "k", &outcome));
    until(&scene, outcome.runs);
    assert_int_equal(outcome.result, GW_STORE_LOST);
    assert_int_equal(atomic_load(&scene.breaker.reason), GW_BREAKER_SILENT);
    kill(real.pid, SIGCONT);
    until_up(&scene);
    assert_non_null(take(&scene, "k", &outcome));
    until(&scene, outcome.runs);
    assert_int_equal(outcome.result, GW_STORE_INTEGERS);
    end(&scene, &real);
}

static void a_replica_is_left_until_it_is_a_primary(void **state)
{
    struct scene scene;
    struct real real;
    struct outcome outcome;
    (void)state;
    begin(&scene, &real, LONG_TIMEOUT);
    ask_real(&real, "REPLICAOF 127.0.0.1 1");
    assert_non_null(take(&scene, "k", &outcome));
    until(&scene, outcome.runs);
    assert_int_equal(outcome.result, GW_STORE_LOST);
    until(&scene, gw_breaker_is_open(&scene.breaker));
    assert_int_equal(atomic_load(&scene.breaker.reason), GW_BREAKER_READONLY);
    ask_real(&real, "REPLICAOF NO ONE");
    until_up(&scene);
    assert_non_null(take(&scene, "k", &outcome));
    until(&scene, outcome.runs);
    assert_int_equal(outcome.result, GW_STORE_INTEGERS);
    end(&scene, &real);
}

/* Too few replicas are left (or a disk is full): the server reads, and takes no write. */
static void a_server_that_takes_no_writes_for_now_is_left_until_it_does(void **state)
{
    static const struct {
        const char *begin, *end, *code;
    } rows[] = {
        { "CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0", "NOREPLICAS " },
    };
    struct scene scene;
    struct real real;
    struct outcome outcome;
    (void)state;
    begin(&scene, &real, LONG_TIMEOUT);
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        char said[GW_BREAKER_SAID_BYTES];
        for (unsigned is_script = 0; is_script < 2; is_script++) {
            ask_real(&real, rows[i].begin);
            memset(&outcome, 0, sizeof(outcome));
            if (is_script)
                assert_non_null(take(&scene, "k", &outcome));
            else
                assert_non_null(gw_store_set(scene.store, GW_SLICE("a"), GW_SLICE("b"), 60000, on_done, &outcome));
            until(&scene, outcome.runs);
            assert_int_equal(outcome.result, GW_STORE_LOST);
            until(&scene, gw_breaker_is_open(&scene.breaker));
            assert_int_equal(atomic_load(&scene.breaker.reason), GW_BREAKER_READONLY);
            gw_breaker_copy_said(&scene.breaker, false, said);
            assert_ptr_equal(strstr(said, rows[i].code), said);
            ask_real(&real, rows[i].end);
            until_up(&scene);
            assert_non_null(take(&scene, "k", &outcome));
            until(&scene, outcome.runs);
            assert_int_equal(outcome.result, GW_STORE_INTEGERS);
        }
    }
    end(&scene, &real);
}

static void a_full_server_refuses_writes_and_is_asked_on(void **state)
{
    struct scene scene;
    struct real real;
    struct outcome outcome = { 0 };
    (void)state;
    begin(&scene, &real, LONG_TIMEOUT);
    ask_real(&real, "SET k v");
    ask_real(&real, "CONFIG SET maxmemory 1");
    assert_non_null(gw_store_set(scene.store, GW_SLICE("a"), GW_SLICE("b"), 60000, on_done, &outcome));
    until(&scene, outcome.runs);
    assert_int_equal(outcome.result, GW_STORE_OOM);
    assert_non_null(take(&scene, "gw:rl:x", &outcome));
    until(&scene, outcome.runs);
    assert_int_equal(outcome.result, GW_STORE_OOM);
    assert_non_null(get(&scene, "k", &outcome));
    until(&scene, outcome.runs);
    assert_int_equal(outcome.result, GW_STORE_VALUE);
    assert_false(gw_breaker_is_open(&scene.breaker));
    assert_int_equal(gw_counter_read(&scene.shard->redis_connects), 1);
    end(&scene, &real);
}

static void a_certificate_is_verified_with_its_name(void **state)
{
    static const struct {
        const char *host;
        bool has_authority, is_good;
    } rows[] = { { "localhost", true, true }, { "localhost", false, false }, { "127.0.0.1", true, false } };
    struct real real;
    (void)state;
#ifndef GW_HAVE_REDIS_TLS
    skip(); /* hiredis has no TLS here */
#endif
    if (!real_is_installed())
        skip();
    real_start_as(&real, true);
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct scene scene;
        struct outcome outcome;
        char url[64], more[160] = LONG_TIMEOUT;
        snprintf(url, sizeof(url), "rediss://%s:%u", rows[i].host, real.port);
        if (rows[i].has_authority)
            snprintf(more, sizeof(more), LONG_TIMEOUT " \"tls_ca_file\": \"%s/cert.pem\",", real.directory);
        scene_open(&scene, url, more, "");
        scene_open_store(&scene);
        if (rows[i].is_good) {
            until_up(&scene);
            for (unsigned turn = 0; turn < 20; turn++) {
                assert_non_null(take(&scene, "k", &outcome));
                until(&scene, outcome.runs);
                assert_int_equal(outcome.result, GW_STORE_INTEGERS);
            }
            char *value = calloc(1, 200000);
            assert_non_null(gw_store_set(scene.store, GW_SLICE("v"), gw_slice_of(value, 200000), 60000, NULL, NULL));
            free(value);
            assert_non_null(get(&scene, "v", &outcome));
            until(&scene, outcome.runs);
            assert_int_equal(outcome.length, 200000);
        } else {
            until(&scene, gw_breaker_is_open(&scene.breaker));
            assert_int_equal(atomic_load(&scene.breaker.reason), GW_BREAKER_TLS);
        }
        scene_close(&scene);
    }
    real_stop(&real);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bucket_is_taken_from_and_a_value_kept),
        cmocka_unit_test(values_of_all_sizes_come_back_as_they_were),
        cmocka_unit_test(redis_lists_the_connection_by_its_name),
        cmocka_unit_test(user_password_database_and_socket_are_those_of_the_url),
        cmocka_unit_test(forgotten_scripts_are_not_noticed_under_load),
        cmocka_unit_test(a_server_that_is_killed_and_started_again_is_used_again),
        cmocka_unit_test(a_server_that_stands_still_is_left_and_found_again),
        cmocka_unit_test(a_replica_is_left_until_it_is_a_primary),
        cmocka_unit_test(a_server_that_takes_no_writes_for_now_is_left_until_it_does),
        cmocka_unit_test(a_certificate_is_verified_with_its_name),
        cmocka_unit_test(a_full_server_refuses_writes_and_is_asked_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
