#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/base.h"
#include "base/resolver.h"

enum { KEEP_MS = 10000 };

struct asker {
    struct gw_resolver_question question;
    unsigned answers, addresses;
    int error;
};

static void on_answer(struct gw_resolver_question *question, const struct gw_resolver_addresses *addresses)
{
    struct asker *asker = GW_CONTAINER(question, struct asker, question);
    asker->answers++;
    asker->addresses = addresses->count;
    asker->error = addresses->error;
}

static int open_loop(void **state)
{
    static uv_loop_t loop;
    *state = &loop;
    return uv_loop_init(&loop);
}

static int close_loop(void **state)
{
    return uv_loop_close(*state);
}

static void literal_addresses_are_known_at_once(void **state)
{
    static const struct {
        struct gw_slice host;
        unsigned count;
        int families[2];
    } rows[] = {
        { GW_SLICE("192.0.2.7"), 1, { AF_INET } },
        { GW_SLICE("2001:db8::7"), 1, { AF_INET6 } },
        { GW_SLICE("localhost"), 2, { AF_INET, AF_INET6 } },
        { GW_SLICE("LocalHost."), 2, { AF_INET, AF_INET6 } },
    };
    struct gw_resolver resolver;
    gw_resolver_init(&resolver, *state, KEEP_MS);
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct asker asker = { .question.on_answer = on_answer };
        struct gw_resolver_addresses found;
        assert_int_equal(gw_resolver_ask(&resolver, &asker.question, rows[i].host, &found), GW_RESOLVER_KNOWN);
        assert_int_equal(found.count, rows[i].count);
        for (unsigned j = 0; j < found.count; j++)
            assert_int_equal(found.list[j].any.sa_family, rows[i].families[j]);
    }
    gw_resolver_free(&resolver);
}

/* "127.1" is no literal here, but getaddrinfo(3) knows it without a network. */
static void a_name_is_looked_up_once_and_believed_for_a_while(void **state)
{
    struct gw_resolver resolver;
    struct gw_resolver_addresses found;
    struct asker askers[3] = { { .question.on_answer = on_answer },
                               { .question.on_answer = on_answer },
                               { .question.on_answer = on_answer } };
    gw_resolver_init(&resolver, *state, KEEP_MS);
    for (int i = 0; i < 3; i++)
        assert_int_equal(gw_resolver_ask(&resolver, &askers[i].question, GW_SLICE("127.1"), &found), GW_RESOLVER_ASKED);
    assert_int_equal(resolver.count, 1);
    gw_resolver_cancel(&askers[1].question);
    uv_run(*state, UV_RUN_DEFAULT);
    assert_int_equal(askers[0].answers, 1);
    assert_int_equal(askers[0].addresses, 1);
    assert_int_equal(askers[1].answers, 0);
    assert_int_equal(askers[2].answers, 1);
    assert_int_equal(gw_resolver_ask(&resolver, &askers[1].question, GW_SLICE("127.1"), &found), GW_RESOLVER_KNOWN);
    assert_int_equal(found.list[0].v4.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    gw_resolver_free(&resolver);
}

static void where_nothing_is_believed_each_question_asks_anew(void **state)
{
    struct gw_resolver resolver;
    struct gw_resolver_addresses found;
    gw_resolver_init(&resolver, *state, 0);
    for (unsigned i = 0; i < 3; i++) {
        struct asker asker = { .question.on_answer = on_answer };
        assert_int_equal(gw_resolver_ask(&resolver, &asker.question, GW_SLICE("127.1"), &found), GW_RESOLVER_ASKED);
        assert_true(gw_resolver_is_asked(&asker.question));
        uv_run(*state, UV_RUN_DEFAULT);
        assert_int_equal(asker.answers, 1);
        assert_int_equal(asker.addresses, 1);
        assert_false(gw_resolver_is_asked(&asker.question));
    }
    assert_int_equal(resolver.count, 1);
    gw_resolver_free(&resolver);
}

static void a_cancelled_question_is_not_answered_and_the_next_one_waits_for_its_look_up(void **state)
{
    struct gw_resolver resolver;
    struct gw_resolver_addresses found;
    struct asker asker = { .question.on_answer = on_answer };
    gw_resolver_init(&resolver, *state, 0);
    gw_resolver_init_question(&asker.question, on_answer);
    gw_resolver_cancel(&asker.question); /* nothing was asked */
    assert_int_equal(gw_resolver_ask(&resolver, &asker.question, GW_SLICE("127.1"), &found), GW_RESOLVER_ASKED);
    gw_resolver_cancel(&asker.question);
    assert_int_equal(gw_resolver_ask(&resolver, &asker.question, GW_SLICE("127.1"), &found), GW_RESOLVER_ASKED);
    uv_run(*state, UV_RUN_DEFAULT);
    assert_int_equal(asker.answers, 1);
    assert_int_equal(gw_resolver_ask(&resolver, &asker.question, GW_SLICE("127.1"), &found), GW_RESOLVER_ASKED);
    gw_resolver_cancel(&asker.question);
    gw_resolver_close(&resolver);
    uv_run(*state, UV_RUN_DEFAULT); /* the look-up ends, whether it could be cancelled or not */
    assert_int_equal(asker.answers, 1);
    gw_resolver_free(&resolver);
}

static void an_address_is_printed_as_it_is_read(void **state)
{
    static const struct gw_slice rows[] = { GW_SLICE("192.0.2.7"), GW_SLICE("2001:db8::7"), GW_SLICE("::1") };
    struct gw_resolver resolver;
    gw_resolver_init(&resolver, *state, 0);
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct asker asker = { .question.on_answer = on_answer };
        struct gw_resolver_addresses found;
        char text[GW_RESOLVER_TEXT_BYTES];
        assert_int_equal(gw_resolver_ask(&resolver, &asker.question, rows[i], &found), GW_RESOLVER_KNOWN);
        gw_resolver_print(&found.list[0], text);
        assert_string_equal(text, rows[i].at);
    }
    gw_resolver_free(&resolver);
}

static void a_failure_is_told_to_all_and_not_remembered(void **state)
{
    /* A label of more than 63 octets: the resolver refuses it by itself (RFC 1035 §2.3.4). */
    struct gw_slice host = GW_SLICE("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    struct gw_resolver resolver;
    struct gw_resolver_addresses found;
    gw_resolver_init(&resolver, *state, KEEP_MS);
    for (int i = 0; i < 2; i++) {
        struct asker asker = { .question.on_answer = on_answer, .addresses = 99 };
        assert_int_equal(gw_resolver_ask(&resolver, &asker.question, host, &found), GW_RESOLVER_ASKED);
        uv_run(*state, UV_RUN_DEFAULT);
        assert_int_equal(asker.answers, 1);
        assert_int_equal(asker.addresses, 0);
        assert_true(asker.error < 0);
    }
    gw_resolver_free(&resolver);
}

static void names_are_bounded(void **state)
{
    struct gw_resolver resolver;
    struct gw_resolver_addresses found;
    struct asker askers[GW_RESOLVER_NAMES + 1];
    char hosts[GW_COUNT(askers)][16];
    gw_resolver_init(&resolver, *state, KEEP_MS);
    for (unsigned i = 0; i < GW_COUNT(askers); i++) {
        askers[i] = (struct asker) { .question.on_answer = on_answer };
        snprintf(hosts[i], sizeof hosts[i], "127.%u", i + 1);
        enum gw_resolver_outcome outcome = gw_resolver_ask(&resolver, &askers[i].question, gw_slice_of_string(hosts[i]),
                                                           &found);
        assert_int_equal(outcome, i < GW_RESOLVER_NAMES ? GW_RESOLVER_ASKED : GW_RESOLVER_OVERLOAD);
    }
    uv_run(*state, UV_RUN_DEFAULT);
    struct gw_slice last = gw_slice_of_string(hosts[GW_RESOLVER_NAMES]); /* now the oldest gives way */
    assert_int_equal(gw_resolver_ask(&resolver, &askers[GW_RESOLVER_NAMES].question, last, &found), GW_RESOLVER_ASKED);
    assert_int_equal(resolver.count, GW_RESOLVER_NAMES);
    uv_run(*state, UV_RUN_DEFAULT);
    gw_resolver_free(&resolver);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(literal_addresses_are_known_at_once, open_loop, close_loop),
        cmocka_unit_test_setup_teardown(a_name_is_looked_up_once_and_believed_for_a_while, open_loop, close_loop),
        cmocka_unit_test_setup_teardown(where_nothing_is_believed_each_question_asks_anew, open_loop, close_loop),
        cmocka_unit_test_setup_teardown(a_cancelled_question_is_not_answered_and_the_next_one_waits_for_its_look_up,
                                        open_loop, close_loop),
        cmocka_unit_test_setup_teardown(an_address_is_printed_as_it_is_read, open_loop, close_loop),
        cmocka_unit_test_setup_teardown(a_failure_is_told_to_all_and_not_remembered, open_loop, close_loop),
        cmocka_unit_test_setup_teardown(names_are_bounded, open_loop, close_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
