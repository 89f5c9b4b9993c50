#include "unit/server/connection_scene.h"

/* ---- requests one after another ---- */

static void answers_come_in_the_order_of_requests(void **state)
{
    struct scene *scene = *state;
    arrives(scene);
    sends(scene,
          "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\n");
    UNTIL(reads(scene, "\r\n\r\n/3"));
    assert_true(strstr(scene->text, "\r\n\r\n/1") < strstr(scene->text, "\r\n\r\n/2"));
    assert_true(strstr(scene->text, "\r\n\r\n/2") < strstr(scene->text, "\r\n\r\n/3"));
    assert_phase(scene, GW_CONNECTION_IDLE);
    assert_int_equal(connection_in(scene)->h1.count, 3);
}

static void a_head_may_come_byte_by_byte(void **state)
{
    static const char head[] = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";
    struct scene *scene = *state;
    arrives(scene);
    for (size_t i = 0; head[i]; i++) {
        sends(scene, (char[2]) { head[i], 0 });
        if (head[i + 1])
            UNTIL(phase_in(scene) == GW_CONNECTION_HEAD);
    }
    UNTIL(reads(scene, "\r\n\r\n/x"));
}

static void what_comes_while_an_exchange_runs_is_carried(void **state)
{
    struct scene *scene = *state;
    to_waiting(scene);
    sends(scene, "GET /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HT");
    UNTIL(connection_in(scene)->h1.carry.length);
    assert_int_equal(scene->begun, 1);
    let_go(scene);
    assert_phase(scene, GW_CONNECTION_HEAD); /* of the third */
    assert_int_equal(connection_in(scene)->h1.carry.length, 0);
    sends(scene, "TP/1.1\r\nHost: a\r\n\r\n");
    UNTIL(reads(scene, "\r\n\r\n/3"));
    assert_non_null(strstr(scene->text, "/wait"));
    assert_non_null(strstr(scene->text, "\r\n\r\n/2"));
}

static void the_carry_is_bounded_and_reading_goes_on_after_it(void **state)
{
    static const char request[] = "GET /n HTTP/1.1\r\nHost: a\r\n\r\n";
    enum { MANY = 8000 };
    struct scene *scene = *state;
    unsigned sent = 0;
    to_waiting(scene);
    struct gw_connection *connection = connection_in(scene);
    while (connection->stream.is_reading) {
        if (sent < MANY && send(scene->client, request, sizeof request - 1, MSG_NOSIGNAL) == sizeof request - 1)
            sent++;
        uv_run(&scene->worker.loop, UV_RUN_NOWAIT);
    }
    assert_in_range(connection->h1.carry.kept_bytes, GW_BLOCK_BYTES, 3 * GW_BLOCK_BYTES);
    let_go(scene);
    UNTIL((reads_on(scene), scene->ended == 1 + sent));
    assert_true(connection->stream.is_reading);
}

static void a_request_that_is_no_http_is_answered_and_ends_it(void **state)
{
    struct scene *scene = *state;
    arrives(scene);
    sends(scene, "no head\r\n\r\nGET /never HTTP/1.1\r\nHost: a\r\n\r\n");
    UNTIL(has_ended(scene));
    assert_non_null(strstr(scene->text, "HTTP/1.1 400 "));
    assert_non_null(strstr(scene->text, "\r\nConnection: close\r\n"));
    assert_int_equal(scene->begun, 1);
    assert_phase(scene, GW_CONNECTION_LINGERING);
}

/* ---- whether it is kept ---- */

static void it_is_kept_if_client_and_gateway_wish_it(void **state)
{
    static const struct {
        const char *request;
        unsigned most_requests;
        bool is_draining, is_kept;
        const char *says; /* NULL: nothing of Connection */
    } keeping[] = {
        { "GET /x HTTP/1.1\r\nHost: a\r\n\r\n", 0, false, true, NULL },
        { "GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 0, false, false, "close" },
        { "GET /x HTTP/1.0\r\n\r\n", 0, false, false, "close" },
        { "GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 0, false, true, "keep-alive" },
        { "GET /x HTTP/1.1\r\nHost: a\r\n\r\n", 0, true, false, "close" },
        { "GET /x HTTP/1.1\r\nHost: a\r\n\r\n", 1, false, false, "close" },
        { "GET /x HTTP/1.1\r\nHost: a\r\n\r\n", 2, false, true, NULL },
        { "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 0, false, true, NULL },
        { "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab", 0, false, false, "close" },
        { "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab", 0, false, false, "close" }, /* nobody read it */
        { "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, false, false, "close" },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(keeping); i++) {
        struct scene *scene = begin_scene();
        scene->config->max_requests_per_connection = keeping[i].most_requests;
        arrives(scene);
        atomic_store(&scene->server.draining, keeping[i].is_draining);
        sends(scene, keeping[i].request);
        UNTIL(reads(scene, "\r\n\r\n/x"));
        assert_phase(scene, keeping[i].is_kept ? GW_CONNECTION_IDLE : GW_CONNECTION_LINGERING);
        const char *says = strstr(scene->text, "\r\nConnection: ");
        assert_int_equal(says != NULL, keeping[i].says != NULL);
        if (says)
            assert_memory_equal(says + 14, keeping[i].says, strlen(keeping[i].says));
        end_scene(scene);
    }
}

static void the_last_request_that_is_allowed_says_close(void **state)
{
    struct scene *scene = *state;
    scene->config->max_requests_per_connection = 2;
    arrives(scene);
    asks(scene, "/1");
    UNTIL(reads(scene, "\r\n\r\n/1"));
    assert_null(strstr(scene->text, "Connection: close"));
    asks(scene, "/2");
    UNTIL(reads(scene, "\r\n\r\n/2"));
    assert_non_null(strstr(scene->text, "Connection: close"));
    assert_phase(scene, GW_CONNECTION_LINGERING);
}

/* ---- bodies ---- */

static void a_body_comes_when_it_is_wanted_and_the_next_request_after_it(void **state)
{
    static const char *const bodies[] = {
        "Content-Length: 10\r\n\r\n0123456789",
        "Transfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n6\r\n456789\r\n0\r\n\r\n",
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(bodies); i++) {
        char text[512];
        struct scene *scene = begin_scene();
        arrives(scene);
        snprintf(text, sizeof text, "POST /read HTTP/1.1\r\nHost: a\r\n%sGET /next HTTP/1.1\r\nHost: a\r\n\r\n",
                 bodies[i]);
        sends(scene, text);
        UNTIL(scene->kept);
        assert_int_equal(scene->kept->body.received_bytes, 0);
        wants_body(scene);
        UNTIL(scene->kept->body.state == GW_BODY_ENDED);
        assert_int_equal(scene->kept->body.received_bytes, 10);
        assert_int_equal(scene->begun, 1);
        let_go(scene);
        UNTIL(reads(scene, "\r\n\r\n/next"));
        assert_phase(scene, GW_CONNECTION_IDLE);
        end_scene(scene);
    }
}

/* The client reads only after it has sent everything: what nobody wants is read and thrown away. */
static void an_unwanted_body_is_thrown_away(void **state)
{
    enum { BODY = 4 * 1024 * 1024 };
    static char bytes[65536];
    struct scene *scene = *state;
    arrives(scene);
    sends(scene, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 4194304\r\n\r\n");
    time_t patience = time(NULL) + PATIENCE_S;
    for (size_t sent = 0; sent < BODY;) {
        ssize_t length = send(scene->client, bytes, sizeof bytes, MSG_NOSIGNAL);
        assert_true(length > 0 || errno == EAGAIN);
        assert_true(time(NULL) < patience);
        sent += length > 0 ? (size_t)length : 0;
        uv_run(&scene->worker.loop, UV_RUN_NOWAIT);
    }
    UNTIL(has_ended(scene));
    assert_int_equal(scene->end, 1); /* and no reset has taken the answer away */
    assert_non_null(strstr(scene->text, "\r\n\r\n/x"));
}

/* Be the last piece wanted or not: the client may wait for its answer now, and send nothing more. */
static void the_end_of_a_body_with_a_length_needs_no_further_byte(void **state)
{
    static const enum gw_body_state takes[] = { GW_BODY_DISCARDING, GW_BODY_HELD }; /* HELD: no more for now */
    (void)state;
    for (size_t i = 0; i < GW_COUNT(takes); i++) {
        struct scene *scene = begin_scene();
        arrives(scene);
        sends(scene, "POST /read HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789");
        UNTIL(scene->kept);
        scene->kept->body.state = takes[i];
        scene->kept->downstream->table->want_body(scene->kept->downstream);
        UNTIL(scene->kept->body.received_bytes == 10);
        assert_int_equal(scene->kept->body.state, GW_BODY_ENDED);
        let_go(scene);
        UNTIL(reads(scene, "\r\n\r\n/read"));
        assert_phase(scene, GW_CONNECTION_IDLE);
        end_scene(scene);
    }
}

/* Behind another request, too: its head and the begin of its body then come from what was carried. */
static void a_client_that_waits_for_100_is_known_to_wait(void **state)
{
    static const char head[] = "POST /wait HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
    static const struct {
        const char *with_it, *later;
        bool is_carried, waits;
    } expecting[] = {
        { "", "", false, true }, { "a", "", false, false }, { "", "a", false, false },
        { "", "", true, true },  { "a", "", true, false },  { "", "a", true, false },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(expecting); i++) {
        char text[256];
        struct scene *scene = begin_scene();
        arrives(scene);
        if (expecting[i].is_carried) {
            asks(scene, "/wait");
            UNTIL(scene->kept);
        }
        snprintf(text, sizeof text, "%s%s", head, expecting[i].with_it);
        sends(scene, text);
        if (expecting[i].is_carried) {
            UNTIL(connection_in(scene)->h1.carry.length);
            let_go(scene);
        }
        UNTIL(scene->kept);
        sends(scene, expecting[i].later);
        UNTIL(scene->kept->request.expects_continue == expecting[i].waits);
        if (expecting[i].waits) {
            assert_true(scene->kept->downstream->table->interim(scene->kept->downstream, 100, NULL));
            UNTIL(reads(scene, "HTTP/1.1 100 Continue\r\n\r\n"));
        }
        end_scene(scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONNECTION_TEST(answers_come_in_the_order_of_requests),
        CONNECTION_TEST(a_head_may_come_byte_by_byte),
        CONNECTION_TEST(what_comes_while_an_exchange_runs_is_carried),
        CONNECTION_TEST(the_carry_is_bounded_and_reading_goes_on_after_it),
        CONNECTION_TEST(a_request_that_is_no_http_is_answered_and_ends_it),
        cmocka_unit_test(it_is_kept_if_client_and_gateway_wish_it),
        CONNECTION_TEST(the_last_request_that_is_allowed_says_close),
        cmocka_unit_test(a_body_comes_when_it_is_wanted_and_the_next_request_after_it),
        CONNECTION_TEST(an_unwanted_body_is_thrown_away),
        CONNECTION_TEST(the_end_of_a_body_with_a_length_needs_no_further_byte),
        cmocka_unit_test(a_client_that_waits_for_100_is_known_to_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
