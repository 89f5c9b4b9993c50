/* The store against a Redis that misbehaves on purpose. test_live.c has a real one. */
#include "unit/store/fake.h"
#include "support/checks.h"

#define SHORT_TIMEOUT "\"timeout\": \"100ms\", \"connect_timeout\": \"10s\","

/* Logs in, and answers the first other command of each kind with the text, in pieces. PTTL begins a look-up. */
static bool say_text(struct fake *fake, int fd, const struct fake_command *command)
{
    if (fake_is_login(command))
        return fake_logs_in(fake, fd, command);
    if (is_command(command, "GET"))
        return true;                   /* the text answers both */
    struct gw_slice text = fake->text; /* the test gives the next text as soon as it has this answer */
    size_t piece = fake->piece ? fake->piece : text.length;
    for (size_t at = 0; at < text.length; at += piece) {
        size_t rest = text.length - at;
        if (!fake_say(fake, fd, text.at + at, rest < piece ? rest : piece))
            return false;
        if (fake->pause_ms)
            usleep(fake->pause_ms * 1000);
    }
    return !fake->then_close;
}

static void start(struct scene *scene, struct fake *fake, fake_answer *answer, const char *more, const char *rest)
{
    fake_start(fake, answer);
    scene_open(scene, fake->url, more, rest);
    scene_open_store(scene);
    until_up(scene);
}

static void stop(struct scene *scene, struct fake *fake)
{
    scene_close(scene);
    fake_stop(fake);
}

static void answers_that_make_no_sense_end_the_connection(void **state)
{
    static const struct {
        const char *text;
        enum gw_store_result result;
    } rows[] = {
        { "garbage\r\n", GW_STORE_LOST },
        { "HTTP/1.1 200 OK\r\n\r\n", GW_STORE_LOST },
        { "*1000000\r\n", GW_STORE_LOST },
        { "*2147483647\r\n", GW_STORE_LOST },
        { "*-2\r\n", GW_STORE_LOST },
        { "*65\r\n", GW_STORE_LOST },
        { "$-2\r\n", GW_STORE_LOST },
        { "$99999999999999999999\r\n", GW_STORE_LOST },
        { ":abc\r\n", GW_STORE_LOST },
        { ":\r\n", GW_STORE_LOST },
        { "*1\r\n*1\r\n:1\r\n", GW_STORE_LOST },
        { "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", GW_STORE_LOST },
        { "*1\r\n+OK\r\n", GW_STORE_LOST },
        { "*1\r\n$-1\r\n", GW_STORE_LOST },
        { "*1\r\n$1\r\nx\r\n", GW_STORE_LOST },
        { "%1\r\n+a\r\n+b\r\n", GW_STORE_LOST },
        { ">1\r\n+a\r\n", GW_STORE_LOST },
        { "#t\r\n", GW_STORE_LOST },
        { "_\r\n", GW_STORE_LOST },
        { ",1.5\r\n", GW_STORE_LOST },
        { "+OK\r\n$1\r\na\r\n", GW_STORE_LOST }, /* PTTL is a number */
        { "$1\r\n1\r\n$1\r\na\r\n", GW_STORE_LOST },
        { ":1\r\n:2\r\n", GW_STORE_LOST }, /* GET is answered by no string */
        { ":1\r\n+OK\r\n", GW_STORE_LOST },
        { ":1\r\n*1\r\n:1\r\n", GW_STORE_LOST },
        { ":1\r\n$3\r\nabcXY+more\r\n", GW_STORE_LOST }, /* the string does not end where its length says */
        { ":1\r\n$3\r\nabc\r\n+surplus\r\n", GW_STORE_VALUE },
        { ":1\r\n$3\r\nabc\r\n+", GW_STORE_VALUE },
        { ":1\r\n$3\r\nabc\r\n$3\r\nabc\r\n", GW_STORE_VALUE },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct scene scene;
        struct fake fake;
        struct outcome outcome;
        start(&scene, &fake, say_text, LONG_TIMEOUT, "");
        fake.text = gw_slice_of_string(rows[i].text);
        assert_non_null(get(&scene, "k", &outcome));
        until(&scene, outcome.runs && gw_breaker_is_open(&scene.breaker));
        print_message("%zu: %s\n", i, gw_breaker_reason_name(atomic_load(&scene.breaker.reason)));
        assert_int_equal(atomic_load(&scene.breaker.reason), GW_BREAKER_NONSENSE);
        assert_int_equal(outcome.result, rows[i].result);
        assert_null(get(&scene, "k", &outcome));         /* open: no call may be made */
        until(&scene, atomic_load(&fake.accepted) == 2); /* though it is connected again */
        until_up(&scene);
        stop(&scene, &fake);
    }
}

static void an_answer_may_come_byte_by_byte(void **state)
{
    static const char text[] = ":1234\r\n$13\r\nhello\r\n\0world\r\n", numbers[] = "*3\r\n:1\r\n:-7\r\n$2\r\n42\r\n";
    struct scene scene;
    struct fake fake;
    struct outcome outcome;
    (void)state;
    start(&scene, &fake, say_text, LONG_TIMEOUT, "");
    fake.piece = 1;
    fake.pause_ms = 1;
    fake.text = gw_slice_of(text, sizeof(text) - 1);
    assert_non_null(get(&scene, "k", &outcome));
    until(&scene, outcome.runs);
    assert_int_equal(outcome.result, GW_STORE_VALUE);
    assert_int_equal(outcome.ttl_ms, 1234);
    assert_int_equal(outcome.length, 13);
    assert_memory_equal(outcome.start, "hello\r\n\0world", 13);
    fake.text = gw_slice_of(numbers, sizeof(numbers) - 1);
    assert_non_null(take(&scene, "k", &outcome));
    until(&scene, outcome.runs);
    assert_int_equal(outcome.result, GW_STORE_INTEGERS);
    assert_int_equal(outcome.integer_count, 3);
    assert_int_equal(outcome.integers[1], -7);
    assert_int_equal(outcome.integers[2], 42);
    assert_int_equal(atomic_load(&fake.accepted), 1);
    assert_false(gw_breaker_is_open(&scene.breaker));
    stop(&scene, &fake);
}

static void a_connection_that_ends_within_an_answer_is_lost(void **state)
{
    static const char text[] = ":1\r\n$3\r\nabc\r\n";
    (void)state;
    for (size_t length = 0; length < sizeof(text) - 1; length++) {
        struct scene scene;
        struct fake fake;
        struct outcome outcome, second;
        start(&scene, &fake, say_text, LONG_TIMEOUT, "");
        fake.then_close = true;
        fake.text = gw_slice_of(text, length);
        assert_non_null(get(&scene, "k", &outcome));
        assert_non_null(take(&scene, "k", &second));
        until(&scene, outcome.runs && second.runs);
        assert_int_equal(outcome.result, GW_STORE_LOST);
        assert_int_equal(second.result, GW_STORE_LOST);
        assert_int_equal(outcome.runs, 1);
        assert_true(gw_breaker_is_open(&scene.breaker));
        assert_int_equal(atomic_load(&scene.breaker.reason), GW_BREAKER_LOST);
        assert_int_equal(counted(&scene, GW_REDIS_LABEL_GET, GW_REDIS_RESULT_LOST), 1);
        until_up(&scene);
        stop(&scene, &fake);
    }
}

/* More and more of what `text` begins, without an end. */
static bool say_endlessly(struct fake *fake, int fd, const struct fake_command *command)
{
    static char filler[65536];
    if (fake_is_login(command))
        return fake_logs_in(fake, fd, command);
    memset(filler, fake->text.at[0] == '*' ? '1' : 'x', sizeof(filler));
    if (!fake_say(fake, fd, fake->text.at, fake->text.length))
        return false;
    while (fake_say(fake, fd, filler, sizeof(filler)))
        atomic_fetch_add(&fake->mood, 1);
    return false;
}

static void an_answer_without_end_is_cut_at_the_bound(void **state)
{
    static const char *const rows[] = { "$1073741824\r\n", ":1\r\n$1073741824\r\n", "+", ":", "*", "-ERR " };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct scene scene;
        struct fake fake;
        struct outcome outcome;
        start(&scene, &fake, say_endlessly, LONG_TIMEOUT, ", \"cache\": {\"max_object_bytes\": \"64KiB\"}");
        fake.text = gw_slice_of_string(rows[i]);
        assert_non_null(get(&scene, "k", &outcome));
        until(&scene, outcome.runs);
        assert_int_equal(outcome.result, GW_STORE_LOST);
        assert_int_equal(atomic_load(&scene.breaker.reason), GW_BREAKER_NONSENSE);
        assert_true(atomic_load(&fake.mood) < 512); /* only the bytes that the kernel had buffered */
        stop(&scene, &fake);
    }
}

static void silence_opens_the_breaker_and_drops_the_connection(void **state)
{
    struct scene scene;
    struct fake fake;
    struct outcome outcome, second;
    (void)state;
    start(&scene, &fake, say_text, SHORT_TIMEOUT, "");
    uint64_t began_us = gw_clock_monotonic_us();
    assert_non_null(get(&scene, "k", &outcome));
    assert_non_null(take(&scene, "k", &second));
    until(&scene, outcome.runs && second.runs);
    assert_true(gw_clock_monotonic_us() - began_us >= 100000);
    assert_int_equal(outcome.result, GW_STORE_LOST);
    assert_int_equal(atomic_load(&scene.breaker.reason), GW_BREAKER_SILENT);
    assert_int_equal(atomic_load(&scene.breaker.openings), 1);
    until(&scene, atomic_load(&fake.accepted) == 2);
    stop(&scene, &fake);
}

static void a_large_value_that_comes_slowly_is_no_silence(void **state)
{
    struct scene scene;
    struct fake fake;
    struct outcome outcome;
    char *text = malloc(300100);
    (void)state;
    int head = snprintf(text, 100, ":5\r\n$300000\r\n");
    memset(text + head, 'a', 300000);
    memcpy(text + head + 300000, "\r\n", 2);
    start(&scene, &fake, say_text, "\"timeout\": \"300ms\", \"connect_timeout\": \"10s\",", "");
    fake.text = gw_slice_of(text, (size_t)head + 300002);
    fake.piece = 30000;
    fake.pause_ms = 60;
    uint64_t began_us = gw_clock_monotonic_us();
    assert_non_null(get(&scene, "k", &outcome));
    until(&scene, outcome.runs);
    assert_true(gw_clock_monotonic_us() - began_us > 300000);
    assert_int_equal(outcome.result, GW_STORE_VALUE);
    assert_int_equal(outcome.length, 300000);
    assert_int_equal(outcome.sum, UINT64_C(300000) * 'a');
    assert_false(gw_breaker_is_open(&scene.breaker));
    stop(&scene, &fake);
    free(text);
}

/* Answers everything, once logged in, with the text. */
static bool say_each(struct fake *fake, int fd, const struct fake_command *command)
{
    if (fake_is_login(command))
        return fake_logs_in(fake, fd, command);
    return fake_say(fake, fd, fake->text.at, fake->text.length);
}

static void an_error_says_whether_the_node_or_the_call_is_at_fault(void **state)
{
    static const struct {
        const char *text;
        enum gw_store_result result;
        enum gw_breaker_reason reason; /* NONE: it stays closed, and the connection stays */
    } rows[] = {
        { "-LOADING Redis is loading the dataset in memory\r\n", GW_STORE_LOST, GW_BREAKER_LOADING },
        { "-MASTERDOWN Link with MASTER is down\r\n", GW_STORE_LOST, GW_BREAKER_LOADING },
        { "-CLUSTERDOWN The cluster is down\r\n", GW_STORE_LOST, GW_BREAKER_LOADING },
        { "-BUSY Redis is busy running a script.\r\n", GW_STORE_LOST, GW_BREAKER_BUSY },
        { "-READONLY You can't write against a read only replica.\r\n", GW_STORE_LOST, GW_BREAKER_READONLY },
        { "-MISCONF Redis is configured to save RDB snapshots\r\n", GW_STORE_LOST, GW_BREAKER_READONLY },
        { "-NOAUTH Authentication required.\r\n", GW_STORE_LOST, GW_BREAKER_AUTH },
        { "-NOPERM this user has no permissions\r\n", GW_STORE_LOST, GW_BREAKER_AUTH },
        { "-ERR Error running script (call to f_ab): @user_script:1: @user_script: 1: -READONLY You can't\r\n",
          GW_STORE_LOST, GW_BREAKER_READONLY },
        { "-ERR Error running script (call to f_ab): @user_script:1: @user_script: 1: -OOM command not\r\n",
          GW_STORE_OOM, GW_BREAKER_NONE },
        { "-OOM command not allowed when used memory > 'maxmemory'.\r\n", GW_STORE_OOM, GW_BREAKER_NONE },
        { "-ERR value is not an integer\r\n", GW_STORE_LOST, GW_BREAKER_NONE },
        { "-ERR\r\n", GW_STORE_LOST, GW_BREAKER_NONE },
        { "-\r\n", GW_STORE_LOST, GW_BREAKER_NONE },
        { "-WRONGTYPE Operation against a key\r\n", GW_STORE_LOST, GW_BREAKER_NONE },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct scene scene;
        struct fake fake;
        struct outcome outcome;
        start(&scene, &fake, say_each, LONG_TIMEOUT, "");
        fake.text = gw_slice_of_string(rows[i].text);
        assert_non_null(take(&scene, "k", &outcome));
        until(&scene, outcome.runs);
        print_message("%s", rows[i].text);
        assert_int_equal(outcome.result, rows[i].result);
        if (rows[i].reason != GW_BREAKER_NONE) {
            until(&scene, gw_breaker_is_open(&scene.breaker));
            assert_int_equal(atomic_load(&scene.breaker.reason), rows[i].reason);
            until(&scene, atomic_load(&fake.accepted) == 2);
        } else {
            fake.text = GW_SLICE(":1\r\n");
            assert_non_null(take(&scene, "k", &outcome));
            until(&scene, outcome.runs);
            assert_int_equal(outcome.result, GW_STORE_INTEGERS);
            assert_int_equal(atomic_load(&fake.accepted), 1);
        }
        stop(&scene, &fake);
    }
}

static void a_key_that_is_no_string_is_a_value_of_nothing(void **state)
{
    struct scene scene;
    struct fake fake;
    struct outcome outcome;
    (void)state;
    start(&scene, &fake, say_text, LONG_TIMEOUT, "");
    fake.text = GW_SLICE(":-1\r\n-WRONGTYPE Operation against a key\r\n");
    assert_non_null(get(&scene, "k", &outcome));
    until(&scene, outcome.runs);
    assert_int_equal(outcome.result, GW_STORE_VALUE);
    assert_int_equal(outcome.length, 0);
    assert_int_equal(outcome.ttl_ms, -1);
    fake.text = GW_SLICE(":-2\r\n$-1\r\n");
    assert_non_null(get(&scene, "k", &outcome));
    until(&scene, outcome.runs);
    assert_int_equal(outcome.result, GW_STORE_NIL);
    fake.text = GW_SLICE("-ERR no\r\n$1\r\na\r\n"); /* half an answer is no answer */
    assert_non_null(get(&scene, "k", &outcome));
    until(&scene, outcome.runs);
    assert_int_equal(outcome.result, GW_STORE_LOST);
    assert_int_equal(outcome.runs, 1);
    assert_false(gw_breaker_is_open(&scene.breaker));
    stop(&scene, &fake);
}

/* mood: how often EVALSHA is answered NOSCRIPT, and then, negative, EVAL too. */
static bool forget_scripts(struct fake *fake, int fd, const struct fake_command *command)
{
    if (fake_is_login(command))
        return fake_logs_in(fake, fd, command);
    if (is_command(command, "EVALSHA") || atomic_load(&fake->mood) < 0)
        return fake_says(fake, fd, "-NOSCRIPT No matching script. Please use EVAL.\r\n");
    return fake_says(fake, fd, ":1\r\n");
}

static void a_forgotten_script_is_sent_once_with_all_its_arguments(void **state)
{
    struct scene scene;
    struct fake fake;
    struct outcome outcome;
    struct gw_block *block = gw_block_create(1000);
    const struct gw_slice keys[] = { GW_SLICE("gw:cache:k") }, arguments[] = { GW_SLICE("seen"), GW_SLICE("300") };
    (void)state;
    memset(block->bytes, 'p', 1000);
    start(&scene, &fake, forget_scripts, LONG_TIMEOUT, "");
    memset(&outcome, 0, sizeof(outcome));
    assert_non_null(gw_store_run(scene.store, GW_STORE_PUT, keys, 1, arguments, 2, gw_slice_of(block->bytes, 6), block,
                                 on_done, &outcome));
    assert_int_equal(atomic_load(&block->refs), 2);
    until(&scene, outcome.runs);
    assert_int_equal(outcome.result, GW_STORE_INTEGERS);
    assert_int_equal(outcome.integers[0], 1);
    assert_int_equal(atomic_load(&block->refs), 1);
    assert_int_equal(atomic_load(&fake.commands), 2);
    assert_memory_equal(fake.last, "EVAL ", 5);
    assert_non_null(strstr(fake.last, " 1 gw:cache:k seen 300 pppppp"));
    assert_int_equal(gw_counter_read(&scene.shard->redis_noscript), 1);
    atomic_store(&fake.mood, -1);
    assert_non_null(take(&scene, "k", &outcome));
    until(&scene, outcome.runs);
    assert_int_equal(outcome.result, GW_STORE_LOST);
    assert_int_equal(atomic_load(&fake.commands), 4);
    assert_false(gw_breaker_is_open(&scene.breaker));
    gw_block_unref(block);
    stop(&scene, &fake);
}

static void a_call_that_runs_no_script_is_never_sent_as_one(void **state)
{
    struct scene scene;
    struct fake fake;
    struct outcome outcome;
    (void)state;
    start(&scene, &fake, forget_scripts, LONG_TIMEOUT, "");
    assert_non_null(take(&scene, "k", &outcome)); /* the memory of this call is used again */
    until(&scene, outcome.runs);
    atomic_store(&fake.mood, -1);
    memset(&outcome, 0, sizeof(outcome));
    assert_non_null(gw_store_get(scene.store, GW_SLICE("k"), on_done, &outcome));
    until(&scene, outcome.runs);
    assert_int_equal(outcome.result, GW_STORE_LOST);
    assert_string_equal(fake.last, "GET k");
    memset(&outcome, 0, sizeof(outcome));
    assert_non_null(gw_store_set(scene.store, GW_SLICE("k"), GW_SLICE("v"), 1000, on_done, &outcome));
    until(&scene, outcome.runs);
    assert_int_equal(outcome.result, GW_STORE_LOST);
    assert_string_equal(fake.last, "SET k v PX 1000");
    assert_int_equal(gw_counter_read(&scene.shard->redis_noscript), 1);
    assert_false(gw_breaker_is_open(&scene.breaker));
    stop(&scene, &fake);
}

/* PTTL, GET, SET, DEL and scripts as a good Redis answers them. */
static bool behave(struct fake *fake, int fd, const struct fake_command *command)
{
    if (fake_is_login(command))
        return fake_logs_in(fake, fd, command);
    if (is_command(command, "GET"))
        return fake_says(fake, fd, "$5\r\nvalue\r\n");
    return fake_says(fake, fd, is_command(command, "SET") ? "+OK\r\n" : ":7\r\n");
}

/* The answer lies in the kernel for longer than redis.timeout before this loop reads it: Redis was not silent. */
static void a_loop_that_was_slow_itself_opens_nothing(void **state)
{
    struct scene scene;
    struct fake fake;
    struct outcome outcome;
    (void)state;
    start(&scene, &fake, behave, SHORT_TIMEOUT, "");
    for (unsigned turn = 0; turn < 5; turn++) {
        unsigned before = atomic_load(&fake.commands);
        assert_non_null(get(&scene, "k", &outcome));
        until(&scene, atomic_load(&fake.commands) == before + 2 || outcome.runs);
        uint64_t slow_until_us = gw_clock_monotonic_us() + 3 * (uint64_t)scene.config->redis_timeout_ms * 1000;
        while (gw_clock_monotonic_us() < slow_until_us)
            uv_sleep(1); /* the loop does something else */
        until(&scene, outcome.runs);
        assert_int_equal(outcome.result, GW_STORE_VALUE);
    }
    assert_int_equal(atomic_load(&scene.breaker.openings), 0);
    assert_int_equal(atomic_load(&fake.accepted), 1);
    stop(&scene, &fake);
}

static void all_calls_of_a_turn_leave_in_one_write(void **state)
{
    struct scene scene;
    struct fake fake;
    struct outcome outcomes[20];
    (void)state;
    start(&scene, &fake, behave, LONG_TIMEOUT, "");
    assert_int_equal(atomic_load(&fake.first_read_commands), 1 + GW_STORE_SCRIPTS); /* and so does the log-in */
    for (unsigned i = 0; i < 20; i += 2) {
        assert_non_null(get(&scene, "key", &outcomes[i]));
        assert_non_null(take(&scene, "gw:rl:default:1-100000-20:10.0.0.1", &outcomes[i + 1]));
    }
    assert_int_equal(gw_counter_read(&scene.shard->redis_pending), 20);
    for (unsigned i = 0; i < 20; i++) {
        until(&scene, outcomes[i].runs);
        assert_int_equal(outcomes[i].result, i % 2 ? GW_STORE_INTEGERS : GW_STORE_VALUE);
    }
    assert_int_equal(atomic_load(&fake.commands), 30);
    assert_int_equal(atomic_load(&fake.reads), 1);
    assert_int_equal(counted(&scene, GW_REDIS_LABEL_GET, GW_REDIS_RESULT_OK), 10);
    stop(&scene, &fake);
}

static void what_is_written_is_what_was_meant(void **state)
{
    struct scene scene;
    struct fake fake;
    struct outcome outcome = { 0 };
    char key[2000];
    (void)state;
    start(&scene, &fake, behave, LONG_TIMEOUT, "");
    assert_non_null(gw_store_set(scene.store, GW_SLICE("k"), GW_SLICE("v"), 1500, on_done, &outcome));
    until(&scene, outcome.runs == 1);
    assert_string_equal(fake.last, "SET k v PX 1500");
    assert_int_equal(outcome.result, GW_STORE_DONE);
    assert_non_null(gw_store_set(scene.store, GW_SLICE("k"), GW_NO_SLICE, 0, on_done, &outcome));
    until(&scene, outcome.runs == 2);
    assert_string_equal(fake.last, "DEL k");
    assert_int_equal(outcome.result, GW_STORE_DONE);
    assert_non_null(gw_store_set(scene.store, GW_SLICE("k"), GW_SLICE(""), 1, NULL, NULL));
    memset(key, 'k', sizeof(key) - 1);
    key[sizeof(key) - 1] = '\0'; /* more than a call's own room */
    assert_non_null(get(&scene, key, &outcome));
    until(&scene, outcome.runs);
    assert_int_equal(outcome.result, GW_STORE_VALUE);
    assert_non_null(strstr(fake.last, key));
    const struct gw_slice keys[] = { GW_SLICE("k") }, arguments[] = { GW_SLICE("seen") };
    outcome.runs = 0;
    assert_non_null(
        gw_store_run(scene.store, GW_STORE_PUT, keys, 1, arguments, 1, GW_SLICE(""), NULL, on_done, &outcome));
    until(&scene, outcome.runs);
    assert_int_equal(fake.last[strlen(fake.last) - 1], ' '); /* an empty argument is an argument, too */
    stop(&scene, &fake);
}

static bool stay_silent(struct fake *fake, int fd, const struct fake_command *command)
{
    return !fake_is_login(command) || fake_logs_in(fake, fd, command);
}

static void too_many_pending_calls_are_not_made(void **state)
{
    struct scene scene;
    struct fake fake;
    struct outcome outcomes[4], more;
    (void)state;
    start(&scene, &fake, stay_silent, LONG_TIMEOUT "\"max_pending\": 4,", "");
    for (unsigned i = 0; i < 4; i++)
        assert_non_null(take(&scene, "k", &outcomes[i]));
    assert_null(take(&scene, "k", &more));
    assert_null(get(&scene, "k", &more));
    assert_int_equal(counted(&scene, GW_REDIS_LABEL_LIMIT, GW_REDIS_RESULT_SKIPPED), 1);
    assert_int_equal(counted(&scene, GW_REDIS_LABEL_GET, GW_REDIS_RESULT_SKIPPED), 1);
    gw_store_close(scene.store); /* calls that are then pending are lost */
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(outcomes[i].runs, 1);
        assert_int_equal(outcomes[i].result, GW_STORE_LOST);
    }
    assert_null(take(&scene, "k", &more));
    stop(&scene, &fake);
}

static void payloads_of_pending_calls_are_bounded(void **state)
{
    struct scene scene;
    struct fake fake;
    struct gw_block *block = gw_block_create(16 << 20);
    unsigned made = 0;
    (void)state;
    memset(block->bytes, 0, block->capacity);
    start(&scene, &fake, stay_silent, LONG_TIMEOUT, "");
    while (made < 10 && gw_store_run(scene.store, GW_STORE_PUT, NULL, 0, NULL, 0,
                                     gw_slice_of(block->bytes, block->capacity), block, NULL, NULL))
        made++;
    assert_int_equal(made, 4);
    stop(&scene, &fake);
    assert_int_equal(atomic_load(&block->refs), 1);
    gw_block_unref(block);
}

static void a_forgotten_call_is_not_heard_of_again(void **state)
{
    struct scene scene;
    struct fake fake;
    struct outcome outcome, second;
    (void)state;
    start(&scene, &fake, behave, LONG_TIMEOUT, "");
    struct gw_store_call *call = get(&scene, "k", &outcome);
    assert_non_null(call);
    assert_non_null(take(&scene, "k", &second));
    gw_store_cancel(&call);
    assert_null(call);
    gw_store_cancel(&call);
    until(&scene, second.runs);
    assert_int_equal(outcome.runs, 0);
    assert_int_equal(gw_counter_read(&scene.shard->redis_pending), 0);
    stop(&scene, &fake);
}

static void forget_it(void *call)
{
    struct gw_store_call *stale = call;
    gw_store_cancel(&stale);
}

static void free_it(void *store)
{
    struct gw_store *busy = store; /* with a call that is out */
    gw_store_free(&busy);
}

static void what_is_done_too_late_or_too_early_ends_the_process_where_checks_are_on(void **state)
{
    struct scene scene;
    struct fake fake;
    struct outcome outcome;
    (void)state;
    start(&scene, &fake, behave, LONG_TIMEOUT, "");
    struct gw_store_call *call = get(&scene, "k", &outcome);
    assert_non_null(call);
    checks_assert_ends(free_it, scene.store);
    until(&scene, outcome.runs);
    checks_assert_ends(forget_it, call); /* its done has run */
    stop(&scene, &fake);
}

struct chain {
    struct scene *scene;
    unsigned left;
    bool closes;
};

static void on_link(void *owner, const struct gw_store_reply *reply)
{
    struct chain *chain = owner;
    if (chain->left && reply->result == GW_STORE_VALUE && --chain->left)
        assert_non_null(gw_store_get(chain->scene->store, GW_SLICE("k"), on_link, chain));
    if (chain->closes && !chain->left)
        gw_store_close(chain->scene->store);
}

static void calls_may_be_made_and_the_store_closed_by_an_answer(void **state)
{
    struct scene scene;
    struct fake fake;
    struct outcome outcome;
    (void)state;
    start(&scene, &fake, behave, LONG_TIMEOUT, "");
    struct chain chain = { &scene, 10, true };
    assert_non_null(gw_store_get(scene.store, GW_SLICE("k"), on_link, &chain));
    until(&scene, chain.left == 1);
    assert_non_null(take(&scene, "k", &outcome)); /* behind the last one: lost by the close */
    until(&scene, outcome.runs);
    assert_int_equal(chain.left, 0);
    stop(&scene, &fake);
}

/* mood 0: refuse the password; 1: take it. */
static bool doubt_password(struct fake *fake, int fd, const struct fake_command *command)
{
    if (is_command(command, "AUTH") && !atomic_load(&fake->mood))
        return fake_says(fake, fd, "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
    return fake_is_login(command) ? fake_logs_in(fake, fd, command) : behave(fake, fd, command);
}

static void a_wrong_password_that_is_put_right_heals(void **state)
{
    struct scene scene;
    struct fake fake;
    struct outcome outcome;
    char url[96];
    (void)state;
    fake_start(&fake, doubt_password);
    snprintf(url, sizeof(url), "redis://gw:secret@127.0.0.1:%u/3", fake.port);
    scene_open(&scene, url, LONG_TIMEOUT, "");
    scene_open_store(&scene);
    until(&scene, gw_breaker_is_open(&scene.breaker));
    assert_int_equal(atomic_load(&scene.breaker.reason), GW_BREAKER_AUTH);
    assert_int_equal(gw_counter_read(&scene.shard->redis_connects), 0);
    atomic_store(&fake.mood, 1);
    until_up(&scene);
    assert_int_equal(gw_counter_read(&scene.shard->redis_connects), 1);
    assert_non_null(get(&scene, "k", &outcome));
    until(&scene, outcome.runs);
    assert_int_equal(outcome.result, GW_STORE_VALUE);
    stop(&scene, &fake);
}

/* text answers the log-in's command whose name is `last`… */
static bool fail_login(struct fake *fake, int fd, const struct fake_command *command)
{
    static const char *const names[] = { "SELECT", "CLIENT", "SCRIPT" };
    if (is_command(command, names[atomic_load(&fake->mood)]))
        return fake_say(fake, fd, fake->text.at, fake->text.length);
    return fake_is_login(command) ? fake_logs_in(fake, fd, command) : behave(fake, fd, command);
}

static void a_log_in_that_fails_is_no_connection(void **state)
{
    static const struct {
        int command;
        const char *text;
        enum gw_breaker_reason reason;
        const char *said;
    } rows[] = {
        { 0, "-ERR DB index is out of range\r\n", GW_BREAKER_REFUSED, "ERR DB index is out of range" },
        { 0, "-NOAUTH Authentication required.\r\n", GW_BREAKER_AUTH, "NOAUTH Authentication required." },
        { 0, "-ERR max number of clients reached\r\n", GW_BREAKER_REFUSED, "ERR max number of clients reached" },
        { 0, "-DENIED Redis is running in protected mode\r\n", GW_BREAKER_REFUSED,
          "DENIED Redis is running in protected mode" },
        { 0, "-ERR unknown command `SELECT`, with args beginning with: `1`, \r\n", GW_BREAKER_REFUSED,
          "ERR unknown command `SELECT`" },
        { 0, "-ERR secret is no number\r\n", GW_BREAKER_REFUSED, "its words repeat the password" },
        { 0, "-ERR \t\x1b[31m\xc3\xa4\r\n", GW_BREAKER_REFUSED, "ERR \\x09\\x1b[31m\\xc3\\xa4" },
        { 0,
          "-ERR 0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
          "01234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890\r\n",
          GW_BREAKER_REFUSED,
          "ERR 012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
          "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890..." },
        { 0, ":1\r\n", GW_BREAKER_NONSENSE, "" },
        { 0, "what?\r\n", GW_BREAKER_NONSENSE, "Protocol error, got \"w\" as reply type byte" },
        { 1, "-NOAUTH Authentication required.\r\n", GW_BREAKER_AUTH, "NOAUTH Authentication required." },
        { 2, "-LOADING Redis is loading the dataset in memory\r\n", GW_BREAKER_LOADING,
          "LOADING Redis is loading the dataset in memory" },
        { 2, "-NOPERM this user has no permissions\r\n", GW_BREAKER_AUTH, "NOPERM this user has no permissions" },
        { 1, "-NOPERM this user has no permissions\r\n", GW_BREAKER_NONE, "" }, /* a name is not needed */
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct scene scene;
        struct fake fake;
        char url[96];
        fake_start(&fake, fail_login);
        fake.text = gw_slice_of_string(rows[i].text);
        atomic_store(&fake.mood, rows[i].command);
        snprintf(url, sizeof(url), "redis://:secret@127.0.0.1:%u/1", fake.port);
        scene_open(&scene, url, LONG_TIMEOUT, "");
        scene_open_store(&scene);
        if (rows[i].reason == GW_BREAKER_NONE) {
            until_up(&scene);
        } else {
            until(&scene, gw_breaker_is_open(&scene.breaker));
            assert_int_equal(atomic_load(&scene.breaker.reason), rows[i].reason);
            char said[GW_BREAKER_SAID_BYTES];
            gw_breaker_copy_said(&scene.breaker, false, said);
            assert_string_equal(said, rows[i].said);
            assert_false(gw_store_is_up(scene.store));
        }
        stop(&scene, &fake);
    }
}

/* Behaves, and after the log-in's last answer waits for let_interrupt(); then it sends `text`, or closes. mood: the
 * scripts that were loaded, and let_interrupt() adds one. */
static bool interrupt(struct fake *fake, int fd, const struct fake_command *command)
{
    if (!fake_is_login(command))
        return behave(fake, fd, command);
    if (!fake_logs_in(fake, fd, command))
        return false;
    if (!is_command(command, "SCRIPT") || atomic_fetch_add(&fake->mood, 1) != GW_STORE_SCRIPTS - 1)
        return true;
    while (atomic_load(&fake->mood) == GW_STORE_SCRIPTS && !atomic_load(&fake->is_over))
        usleep(1000);
    return fake->text.length && fake_say(fake, fd, fake->text.at, fake->text.length);
}

static void let_interrupt(struct scene *scene, struct fake *fake)
{
    until(scene, atomic_load(&fake->mood) == GW_STORE_SCRIPTS);
    atomic_fetch_add(&fake->mood, 1);
}

static void a_connection_closed_while_nothing_is_due_opens_nothing(void **state)
{
    struct scene scene;
    struct fake fake;
    struct outcome outcome;
    (void)state;
    start(&scene, &fake, interrupt, LONG_TIMEOUT, "");
    uint64_t lived_us = gw_clock_monotonic_us() + 1100000; /* such a connection may be made again at once */
    until(&scene, gw_clock_monotonic_us() >= lived_us);
    let_interrupt(&scene, &fake);
    until(&scene, atomic_load(&fake.accepted) == 2);
    until(&scene, gw_store_is_up(scene.store));
    assert_int_equal(atomic_load(&scene.breaker.openings), 0);
    assert_non_null(get(&scene, "k", &outcome));
    until(&scene, outcome.runs);
    assert_int_equal(outcome.result, GW_STORE_VALUE);
    stop(&scene, &fake);
}

static void a_reply_without_a_command_ends_the_connection(void **state)
{
    struct scene scene;
    struct fake fake;
    (void)state;
    fake_start(&fake, interrupt);
    fake.text = GW_SLICE("+hello\r\n");
    scene_open(&scene, fake.url, LONG_TIMEOUT, "");
    scene_open_store(&scene);
    until(&scene, gw_store_is_up(scene.store));
    let_interrupt(&scene, &fake);
    until(&scene, gw_breaker_is_open(&scene.breaker));
    assert_int_equal(atomic_load(&scene.breaker.reason), GW_BREAKER_NONSENSE);
    until_up(&scene);
    assert_int_equal(atomic_load(&fake.accepted), 2);
    stop(&scene, &fake);
}

static void a_node_that_is_not_there_is_tried_again(void **state)
{
    struct scene scene;
    struct fake fake;
    char url[64];
    (void)state;
    fake_start(&fake, behave); /* to get a port that no process uses afterwards */
    fake_stop(&fake);
    snprintf(url, sizeof(url), "redis://localhost:%u", fake.port);
    scene_open(&scene, url, LONG_TIMEOUT, "");
    scene_open_store(&scene);
    until(&scene, gw_breaker_is_open(&scene.breaker));
    assert_int_equal(atomic_load(&scene.breaker.reason), GW_BREAKER_CONNECT);
    gw_breaker_close(&scene.breaker);
    until(&scene, gw_breaker_is_open(&scene.breaker)); /* the next attempt */
    assert_false(gw_store_is_up(scene.store));
    scene_close(&scene);
    scene_open(&scene, "unix:///nowhere/redis.sock", LONG_TIMEOUT, "");
    scene_open_store(&scene);
    until(&scene, gw_breaker_is_open(&scene.breaker));
    assert_int_equal(atomic_load(&scene.breaker.reason), GW_BREAKER_CONNECT);
    scene_close(&scene);
}

/* Takes the log-in and answers nothing. */
static bool greet(struct fake *fake, int fd, const struct fake_command *command)
{
    (void)command;
    return fake_say(fake, fd, fake->text.at, fake->text.length) && !fake->then_close;
}

static void what_is_no_redis_shows_itself(void **state)
{
    static const struct {
        struct gw_slice text;
        bool closes;
        enum gw_breaker_reason reason;
        const char *said;
    } rows[] = {
        { { "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", 47 },
          true,
          GW_BREAKER_NONSENSE,
          "HTTP/1.1 400 Bad Request" },
        { { "220 mail.example ESMTP\r\n", 24 }, false, GW_BREAKER_NONSENSE, "220 mail.example ESMTP" },
        { { "\x15\x03\x01\x00\x02\x02\x46", 7 }, true, GW_BREAKER_NONSENSE, "it speaks TLS: rediss:// may be meant" },
        { { "", 0 }, true, GW_BREAKER_LOST, "before the log-in was answered, as a port does that wants TLS" },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct scene scene;
        struct fake fake;
        char said[GW_BREAKER_SAID_BYTES];
        fake_start(&fake, greet);
        fake.text = rows[i].text;
        fake.then_close = rows[i].closes;
        scene_open(&scene, fake.url, LONG_TIMEOUT, "");
        scene_open_store(&scene);
        until(&scene, gw_breaker_is_open(&scene.breaker));
        gw_breaker_copy_said(&scene.breaker, false, said);
        print_message("%s\n", said);
        assert_int_equal(atomic_load(&scene.breaker.reason), rows[i].reason);
        assert_string_equal(said, rows[i].said);
        stop(&scene, &fake);
    }
}

static bool hang(struct fake *fake, int fd, const struct fake_command *command)
{
    (void)fake, (void)fd, (void)command;
    return true;
}

static void a_log_in_without_answer_ends_after_the_connect_timeout(void **state)
{
    struct scene scene;
    struct fake fake;
    (void)state;
    fake_start(&fake, hang);
    scene_open(&scene, fake.url, "\"timeout\": \"10s\", \"connect_timeout\": \"100ms\",", "");
    scene_open_store(&scene);
    until(&scene, gw_breaker_is_open(&scene.breaker));
    assert_int_equal(atomic_load(&scene.breaker.reason), GW_BREAKER_SILENT);
    until(&scene, atomic_load(&fake.accepted) >= 2);
    stop(&scene, &fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_that_make_no_sense_end_the_connection),
        cmocka_unit_test(an_answer_may_come_byte_by_byte),
        cmocka_unit_test(a_connection_that_ends_within_an_answer_is_lost),
        cmocka_unit_test(an_answer_without_end_is_cut_at_the_bound),
        cmocka_unit_test(silence_opens_the_breaker_and_drops_the_connection),
        cmocka_unit_test(a_loop_that_was_slow_itself_opens_nothing),
        cmocka_unit_test(a_large_value_that_comes_slowly_is_no_silence),
        cmocka_unit_test(an_error_says_whether_the_node_or_the_call_is_at_fault),
        cmocka_unit_test(a_key_that_is_no_string_is_a_value_of_nothing),
        cmocka_unit_test(a_forgotten_script_is_sent_once_with_all_its_arguments),
        cmocka_unit_test(a_call_that_runs_no_script_is_never_sent_as_one),
        cmocka_unit_test(all_calls_of_a_turn_leave_in_one_write),
        cmocka_unit_test(what_is_written_is_what_was_meant),
        cmocka_unit_test(too_many_pending_calls_are_not_made),
        cmocka_unit_test(payloads_of_pending_calls_are_bounded),
        cmocka_unit_test(a_forgotten_call_is_not_heard_of_again),
        cmocka_unit_test(what_is_done_too_late_or_too_early_ends_the_process_where_checks_are_on),
        cmocka_unit_test(calls_may_be_made_and_the_store_closed_by_an_answer),
        cmocka_unit_test(a_wrong_password_that_is_put_right_heals),
        cmocka_unit_test(a_log_in_that_fails_is_no_connection),
        cmocka_unit_test(a_connection_closed_while_nothing_is_due_opens_nothing),
        cmocka_unit_test(a_reply_without_a_command_ends_the_connection),
        cmocka_unit_test(a_node_that_is_not_there_is_tried_again),
        cmocka_unit_test(what_is_no_redis_shows_itself),
        cmocka_unit_test(a_log_in_without_answer_ends_after_the_connect_timeout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
