/* The answers that each script may give: every script has its own kind, and an answer of another kind is nonsense. */
#include "unit/store/fake.h"

static bool say_text(struct fake *fake, int fd, const struct fake_command *command)
{
    if (fake_is_login(command))
        return fake_logs_in(fake, fd, command);
    return fake_say(fake, fd, fake->text.at, fake->text.length);
}

static void a_string_is_an_answer_of_the_purge_script_only(void **state)
{
    static const struct row {
        struct gw_slice text;
        enum gw_store_script script;
        enum gw_store_result result;
        size_t length;
    } rows[] = {
        { { "$5\r\nGWP1\0\r\n", 11 }, GW_STORE_PURGE, GW_STORE_VALUE, 5 },
        { { "$0\r\n\r\n", 6 }, GW_STORE_PURGE, GW_STORE_VALUE, 0 },
        { { ":1\r\n", 4 }, GW_STORE_PURGE, GW_STORE_LOST, 0 },
        { { "*1\r\n:1\r\n", 8 }, GW_STORE_PURGE, GW_STORE_LOST, 0 },
        { { "$-1\r\n", 5 }, GW_STORE_PURGE, GW_STORE_LOST, 0 },
        { { "+OK\r\n", 5 }, GW_STORE_PURGE, GW_STORE_LOST, 0 },
        { { "$1\r\n1\r\n", 7 }, GW_STORE_FETCH_LOCK, GW_STORE_LOST, 0 },
        { { "$1\r\n1\r\n", 7 }, GW_STORE_PUT, GW_STORE_LOST, 0 },
        { { ":1\r\n", 4 }, GW_STORE_FETCH_LOCK, GW_STORE_INTEGERS, 0 },
    };
    static const struct gw_slice keys[] = { { "gw:purge:{log}", 14 } }, arguments[] = { { "0", 1 } };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct scene scene;
        struct fake fake;
        struct outcome outcome = { 0 };
        fake_start(&fake, say_text);
        fake.text = rows[i].text;
        scene_open(&scene, fake.url, "\"timeout\": \"10s\",", "");
        scene_open_store(&scene);
        until_up(&scene);
        assert_non_null(
            gw_store_run(scene.store, rows[i].script, keys, 1, arguments, 1, GW_SLICE("ban"), NULL, on_done, &outcome));
        until(&scene, outcome.runs);
        print_message("row %zu\n", i);
        assert_int_equal(outcome.result, rows[i].result);
        assert_int_equal(outcome.length, rows[i].length);
        assert_non_null(strstr(fake.last, " 1 gw:purge:{log} 0 ban"));
        if (rows[i].result == GW_STORE_LOST)
            until(&scene, gw_breaker_is_open(&scene.breaker));
        scene_close(&scene);
        fake_stop(&fake);
    }
}

/* An answer of the purge script is taken however small the largest response is. */
static void the_longest_answer_is_taken(void **state)
{
    enum { HEAD = 9 };
    static char text[HEAD + GW_STORE_TEXT_BYTES + 2];
    static const struct gw_slice keys[] = { { "gw:purge:{log}", 14 } }, arguments[] = { { "0", 1 } };
    struct scene scene;
    struct fake fake;
    struct outcome outcome = { 0 };
    (void)state;
    memset(text, 'x', sizeof(text));
    memcpy(text, "$262144\r\n", HEAD);
    memcpy(text + sizeof(text) - 2, "\r\n", 2);
    fake_start(&fake, say_text);
    fake.text = gw_slice_of(text, sizeof(text));
    scene_open(&scene, fake.url, "\"timeout\": \"10s\",",
               ", \"cache\": {\"max_object_bytes\": \"1KiB\"}, \"backend\": {\"max_response_header_bytes\": \"4KiB\"}");
    scene_open_store(&scene);
    until_up(&scene);
    assert_non_null(
        gw_store_run(scene.store, GW_STORE_PURGE, keys, 1, arguments, 1, GW_NO_SLICE, NULL, on_done, &outcome));
    until(&scene, outcome.runs);
    assert_int_equal(outcome.result, GW_STORE_VALUE);
    assert_int_equal(outcome.length, GW_STORE_TEXT_BYTES);
    scene_close(&scene);
    fake_stop(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_string_is_an_answer_of_the_purge_script_only),
        cmocka_unit_test(the_longest_answer_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
