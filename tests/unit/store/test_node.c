#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "base/buffer.h"
#include "store/node.h"

struct told {
    unsigned most; /* after so many commands put fails */
    unsigned count;
    char text[512]; /* each step's number and command */
};

static bool put(void *owner, enum gw_node_step step, struct gw_slice command)
{
    struct told *told = owner;
    size_t length = strlen(told->text);
    snprintf(told->text + length, sizeof told->text - length, "%u:%.*s", (unsigned)step, GW_SLICE_ARGS(command));
    return ++told->count <= told->most;
}

#define NAME "2:*3\r\n$6\r\nCLIENT\r\n$7\r\nSETNAME\r\n$2\r\ngw\r\n"

static void a_log_in_says_what_the_node_needs_in_this_order(void **state)
{
    static const struct {
        struct gw_redis_node node;
        unsigned most;
        bool is_good;
        const char *text;
    } rows[] = {
        { { .database = 0 }, 9, true, NAME },
        { { .password = GW_SLICE("s e\r\n") }, 9, true, "0:*2\r\n$4\r\nAUTH\r\n$5\r\ns e\r\n\r\n" NAME },
        { { .user = GW_SLICE("u"), .password = GW_SLICE("s"), .database = 12 },
          9,
          true,
          "0:*3\r\n$4\r\nAUTH\r\n$1\r\nu\r\n$1\r\ns\r\n1:*2\r\n$6\r\nSELECT\r\n$2\r\n12\r\n" NAME },
        { { .password = GW_SLICE("s"), .database = 3 }, 0, false, "0:*2\r\n$4\r\nAUTH\r\n$1\r\ns\r\n" },
        { { .database = 3 }, 1, false, "1:*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n" NAME },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct told told = { .most = rows[i].most };
        assert_int_equal(gw_node_log_in(&rows[i].node, GW_SLICE("gw"), put, &told), rows[i].is_good);
        assert_string_equal(told.text, rows[i].text);
    }
}

static void what_this_user_or_this_server_will_never_do_is_denied(void **state)
{
    static const struct {
        struct gw_slice error;
        bool is_denied;
    } rows[] = {
        { GW_SLICE("NOPERM this user has no permissions to run the 'info' command"), true },
        { GW_SLICE("ERR unknown command 'CLIENT', with args beginning with: 'SETNAME'"), true },
        { GW_SLICE("ERR Unknown subcommand or wrong number of arguments for 'TRACKING'. Try CLIENT HELP."), true },
        { GW_SLICE("NOAUTH Authentication required."), false },
        { GW_SLICE("LOADING Redis is loading the dataset in memory"), false },
        { GW_SLICE("ERR unknowable"), false },
        { GW_SLICE(""), false },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++)
        assert_int_equal(gw_node_is_denied(rows[i].error), rows[i].is_denied);
}

static void a_socket_in_the_file_system_needs_no_look_up(void **state)
{
    const struct gw_redis_node node = { .host = GW_SLICE("/run/redis.sock"), .is_unix = true };
    struct gw_resolver_addresses found;
    (void)state;
    assert_int_equal(gw_node_resolve(&node, NULL, NULL, &found), GW_RESOLVER_KNOWN);
    assert_int_equal(found.count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_in_says_what_the_node_needs_in_this_order),
        cmocka_unit_test(what_this_user_or_this_server_will_never_do_is_denied),
        cmocka_unit_test(a_socket_in_the_file_system_needs_no_look_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
