#include "unit/server/connection_scene.h"

/* ---- the table ---- */

static const struct row {
    enum gw_connection_phase in;
    enum gw_connection_event when;
    enum gw_connection_phase then;
} rows[] = {
#define ROW(in, when, then) { GW_CONNECTION_##in, GW_CONNECTION_##when, GW_CONNECTION_##then },
    GW_CONNECTION_MOVES(ROW)
#undef ROW
};

static const struct row *row_of(enum gw_connection_phase in, enum gw_connection_event when)
{
    for (size_t i = 0; i < GW_COUNT(rows); i++)
        if (rows[i].in == in && rows[i].when == when)
            return &rows[i];
    return NULL;
}

static void every_row_is_a_move_and_no_other_pair_is(void **state)
{
    (void)state;
    unsigned count = 0;
    for (int in = 0; in < GW_CONNECTION_PHASES; in++)
        for (int when = 0; when < GW_CONNECTION_EVENTS; when++) {
            const struct row *row = row_of((enum gw_connection_phase)in, (enum gw_connection_event)when);
            assert_int_equal(gw_connection_next((enum gw_connection_phase)in, (enum gw_connection_event)when),
                             row ? row->then : GW_CONNECTION_PHASES);
            count += row != NULL;
        }
    assert_int_equal(count, GW_COUNT(rows)); /* no pair has two rows */
}

static void each_phase_but_the_last_can_be_closed_and_has_a_name(void **state)
{
    (void)state;
    for (int i = 0; i < GW_CONNECTION_PHASES; i++) {
        enum gw_connection_phase phase = (enum gw_connection_phase)i;
        bool is_last = phase == GW_CONNECTION_CLOSING;
        assert_int_equal(gw_connection_next(phase, GW_CONNECTION_CLOSED),
                         is_last ? GW_CONNECTION_PHASES : GW_CONNECTION_CLOSING);
        for (int j = i + 1; j < GW_CONNECTION_PHASES; j++)
            assert_string_not_equal(gw_connection_phase_name(phase),
                                    gw_connection_phase_name((enum gw_connection_phase)j));
    }
    assert_string_equal(gw_connection_phase_name(GW_CONNECTION_PHASES), "none");
}

/* ---- each row on a real connection ---- */

static void is_admitted(struct scene *scene)
{
    arrives_as(scene, 0);
}

static void is_turned_away(struct scene *scene)
{
    arrives_as(scene, scene->config->max_connections);
}

static void is_one_too_many(struct scene *scene)
{
    arrives_as(scene, scene->config->max_connections + GW_SERVER_SHED_MARGIN);
}

static void to_head(struct scene *scene)
{
    arrives(scene);
    sends(scene, "GET / HT");
    UNTIL(phase_in(scene) == GW_CONNECTION_HEAD);
}

static void to_waiting(struct scene *scene)
{
    arrives(scene);
    asks(scene, "/wait");
    UNTIL(scene->kept);
}

static void to_slow(struct scene *scene)
{
    arrives(scene);
    asks(scene, "/large");
    UNTIL(scene->kept && gw_stream_is_writing(&connection_in(scene)->stream));
}

/* A drain's end cuts an exchange whose answer is given already: its framing would show if it were not whole. */
static void to_leaving(struct scene *scene)
{
    to_slow(scene);
    gw_exchange_on_gone(scene->kept, GW_ERROR_CANCELLED);
}

static void to_lingering(struct scene *scene)
{
    arrives(scene);
    sends(scene, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    UNTIL(reads(scene, "\r\n\r\n/"));
}

static void sends_a_byte(struct scene *scene)
{
    sends(scene, "G");
}

static void sends_the_rest(struct scene *scene)
{
    sends(scene, "TP/1.1\r\nHost: a\r\nX: /wait\r\n\r\nGET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
}

static void sends_no_head(struct scene *scene)
{
    sends(scene, "\r\nno head\r\n\r\n");
}

static void loses_its_exchange(struct scene *scene)
{
    gw_exchange_on_gone(scene->kept, GW_ERROR_CANCELLED);
}

static void reads_on(struct scene *scene)
{
    (void)reads(scene, NULL);
}

static void wants_no_more(struct scene *scene)
{
    connection_in(scene)->h1.exchange->request.keep_alive = false;
    let_go(scene);
}

static const struct walk {
    enum gw_connection_phase in;
    enum gw_connection_event when;
    enum gw_connection_phase then;
    void (*bring)(struct scene *scene);   /* to `in`; NULL: it is not there yet */
    void (*trigger)(struct scene *scene); /* what leads to `then`, perhaps after some turns of the loop */
} walks[] = {
#define WALK(in, when, then, bring, trigger)                                                                           \
    {                                                                                                                  \
        GW_CONNECTION_##in, GW_CONNECTION_##when, GW_CONNECTION_##then, bring, trigger                                 \
    }
    WALK(OPENING, ADMITTED, IDLE, NULL, is_admitted),
    WALK(OPENING, ANSWERED, LINGERING, NULL, is_turned_away),
    WALK(OPENING, CLOSED, CLOSING, NULL, is_one_too_many),
    WALK(IDLE, FIRST_BYTE, HEAD, arrives, sends_a_byte),
    WALK(IDLE, CLOSED, CLOSING, arrives, client_closes),
    WALK(IDLE, CLOSED, CLOSING, arrives, client_resets),
    WALK(HEAD, HEAD_READ, RUNNING, to_head, sends_the_rest),
    WALK(HEAD, HEAD_READ, LINGERING, to_head, sends_no_head), /* through RUNNING: 400 */
    WALK(HEAD, CLOSED, CLOSING, to_head, client_closes),
    WALK(RUNNING, KEPT, IDLE, to_waiting, let_go),
    WALK(RUNNING, ANSWERED, LINGERING, to_waiting, wants_no_more),
    WALK(RUNNING, GIVEN, LEAVING, to_slow, loses_its_exchange),
    WALK(RUNNING, CLOSED, CLOSING, to_waiting, loses_its_exchange),
    WALK(RUNNING, CLOSED, CLOSING, to_waiting, client_closes),
    WALK(RUNNING, CLOSED, CLOSING, to_slow, client_resets),
    WALK(LEAVING, ANSWERED, LINGERING, to_leaving, reads_on),
    WALK(LEAVING, CLOSED, CLOSING, to_leaving, client_resets),
    WALK(LINGERING, CLOSED, CLOSING, to_lingering, client_closes),
#undef WALK
};

static void each_row_is_walked(void **state)
{
    (void)state;
    bool is_walked[GW_COUNT(rows)] = { false };
    for (size_t i = 0; i < GW_COUNT(walks); i++) {
        const struct walk *walk = &walks[i];
        const struct row *row = row_of(walk->in, walk->when);
        void *each;
        assert_non_null(row);
        is_walked[row - rows] = true;
        open_scene(&each);
        struct scene *scene = each;
        if (walk->bring) {
            walk->bring(scene);
            assert_phase(scene, walk->in);
        }
        walk->trigger(scene);
        if (walk->trigger == reads_on)
            UNTIL((reads_on(scene), phase_in(scene) == walk->then));
        else
            UNTIL(phase_in(scene) == walk->then);
        close_scene(&each);
    }
    for (size_t i = 0; i < GW_COUNT(rows); i++)
        if (!is_walked[i])
            fail_msg("no walk from %s by event %d", gw_connection_phase_name(rows[i].in), (int)rows[i].when);
}

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
        void *each;
        open_scene(&each);
        struct scene *scene = each;
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
        close_scene(&each);
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

/* As the exchange wants a body that is for nobody in this scene: what is read of it is only counted. */
static void wants_body(struct scene *scene)
{
    scene->kept->body.state = GW_BODY_DISCARDING;
    scene->kept->downstream->table->want_body(scene->kept->downstream);
}

static void a_body_comes_when_it_is_wanted_and_the_next_request_after_it(void **state)
{
    static const char *const bodies[] = {
        "Content-Length: 10\r\n\r\n0123456789",
        "Transfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n6\r\n456789\r\n0\r\n\r\n",
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(bodies); i++) {
        void *each;
        char text[512];
        open_scene(&each);
        struct scene *scene = each;
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
        close_scene(&each);
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
        void *each;
        open_scene(&each);
        struct scene *scene = each;
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
        close_scene(&each);
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
        void *each;
        char text[256];
        open_scene(&each);
        struct scene *scene = each;
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
        close_scene(&each);
    }
}

/* ---- deadlines ---- */

static void a_head_that_is_late_is_answered_408(void **state)
{
    struct scene *scene = *state;
    scene->config->header_timeout_ms = SOON_MS;
    to_head(scene);
    UNTIL(reads(scene, "HTTP/1.1 408 "));
    assert_phase(scene, GW_CONNECTION_LINGERING);
}

static void a_body_that_is_late_ends_the_exchange(void **state)
{
    struct scene *scene = *state;
    scene->config->body_timeout_ms = SOON_MS;
    arrives(scene);
    sends(scene, "POST /read HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234");
    UNTIL(scene->kept);
    wants_body(scene);
    UNTIL(scene->ended);
    UNTIL(is_closed(scene));
}

static void an_idle_connection_is_closed_without_a_word(void **state)
{
    struct scene *scene = *state;
    scene->config->idle_timeout_ms = SOON_MS;
    arrives(scene);
    UNTIL(is_closed(scene));
    UNTIL(has_ended(scene));
    assert_int_equal(scene->length, 0);
}

static void an_exchange_may_last_as_long_as_it_likes(void **state)
{
    struct scene *scene = *state;
    to_waiting(scene);
    scene->config->idle_timeout_ms = scene->config->header_timeout_ms = scene->config->write_timeout_ms = 1;
    uint64_t until_ms = uv_now(&scene->worker.loop) + 2 * SOON_MS;
    UNTIL(uv_now(&scene->worker.loop) > until_ms);
    assert_phase(scene, GW_CONNECTION_RUNNING);
}

static void a_client_that_takes_nothing_is_cut(void **state)
{
    struct scene *scene = *state;
    scene->config->write_timeout_ms = SOON_MS;
    to_slow(scene);
    UNTIL(is_closed(scene));
    UNTIL(has_ended(scene));
    assert_int_equal(scene->end, -ECONNRESET);
}

static size_t unsent(const struct gw_connection *connection)
{
    return uv_stream_get_write_queue_size((const uv_stream_t *)&connection->stream.tcp);
}

/* The deadline passes. */
static void is_late(struct scene *scene)
{
    struct gw_connection *connection = connection_in(scene);
    uint64_t due_ms = uv_now(&scene->worker.loop);
    connection->deadline_ms = due_ms;
    gw_timer_start(&scene->worker.timers, &connection->timer, 0);
    UNTIL(is_closed(scene) || connection->deadline_ms != due_ms);
}

/* Each look at the deadline that finds that some has left gives as much time again. */
static void a_client_that_takes_a_little_in_time_is_not(void **state)
{
    struct scene *scene = *state;
    to_slow(scene);
    struct gw_connection *connection = connection_in(scene);
    for (int looks = 0; looks < 3; looks++) {
        size_t before = unsent(connection);
        UNTIL((recv(scene->client, (char[4096]) { 0 }, 4096, 0), unsent(connection) < before));
        is_late(scene);
        assert_phase(scene, GW_CONNECTION_RUNNING);
        assert_true(connection->deadline_ms > uv_now(&scene->worker.loop));
    }
    /* The kernel may still have taken some since the last look. It does not for long, since the client takes nothing. */
    UNTIL((is_late(scene), is_closed(scene)));
}

/* ---- a slow client ---- */

static void a_large_answer_leaves_whole_as_its_client_takes_it(void **state)
{
    struct scene *scene = *state;
    to_slow(scene);
    asks(scene, "/next");
    UNTIL((reads_on(scene), scene->ended == 2));
    UNTIL((reads_on(scene), scene->total > LARGE_BYTES && phase_in(scene) == GW_CONNECTION_IDLE));
    assert_false(gw_stream_is_writing(&connection_in(scene)->stream));
}

static void an_answer_that_was_given_reaches_the_client_though_its_exchange_is_cut(void **state)
{
    struct scene *scene = *state;
    to_leaving(scene);
    assert_int_equal(scene->ended, 1);
    UNTIL(has_ended(scene));
    assert_int_equal(scene->end, 1);
    assert_true(scene->total > LARGE_BYTES);
}

/* Nothing was told whose framing could show that the rest is missing. */
static void an_exchange_that_is_cut_before_its_head_resets_the_connection(void **state)
{
    struct scene *scene = *state;
    to_waiting(scene);
    gw_exchange_on_gone(scene->kept, GW_ERROR_CANCELLED);
    UNTIL(has_ended(scene));
    assert_int_equal(scene->end, -ECONNRESET);
    assert_int_equal(scene->length, 0);
}

/* ---- clients that go ---- */

static void a_client_that_goes_ends_its_exchange(void **state)
{
    static void (*const goes[])(struct scene *) = { client_closes, client_resets };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(goes); i++) {
        void *each;
        open_scene(&each);
        struct scene *scene = each;
        to_waiting(scene);
        sends(scene, "GET /never HTTP/1.1\r\nHost: a\r\n\r\n"); /* its next request is not begun */
        UNTIL(connection_in(scene)->h1.carry.length);
        goes[i](scene);
        UNTIL(scene->ended == 1);
        UNTIL(is_closed(scene));
        assert_int_equal(scene->begun, 1);
        close_scene(&each);
    }
}

static void a_connection_that_lingers_is_read_and_its_bytes_are_thrown_away(void **state)
{
    struct scene *scene = *state;
    to_lingering(scene);
    UNTIL(has_ended(scene));
    assert_int_equal(scene->end, 1);
    uint64_t before = gw_counter_read(&scene->worker.shard->bytes_received);
    sends(scene, "GET /never HTTP/1.1\r\nHost: a\r\n\r\n");
    UNTIL(gw_counter_read(&scene->worker.shard->bytes_received) > before);
    assert_phase(scene, GW_CONNECTION_LINGERING);
    assert_int_equal(scene->begun, 1);
    assert_int_equal(atomic_load(&scene->server.lingering), 1);
    client_closes(scene);
    UNTIL(is_closed(scene));
}

static void lingering_has_its_bounds(void **state)
{
    static const struct {
        unsigned timeout_ms, silence_ms;
        unsigned most;
    } bounds[] = { { SOON_MS, 60000, 10 }, { 60000, SOON_MS, 10 }, { 60000, 60000, 0 } };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(bounds); i++) {
        void *each;
        open_scene(&each);
        struct scene *scene = each;
        scene->config->linger_timeout_ms = bounds[i].timeout_ms;
        scene->config->linger_silence_ms = bounds[i].silence_ms;
        scene->config->max_lingering = bounds[i].most;
        arrives(scene);
        sends(scene, "GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        UNTIL(is_closed(scene));
        UNTIL(has_ended(scene));
        assert_int_equal(scene->end, 1);
        assert_non_null(strstr(scene->text, "\r\n\r\n/x"));
        close_scene(&each);
    }
}

/* ---- too many, and the end of the process ---- */

static void a_client_that_is_turned_away_gets_a_503(void **state)
{
    struct scene *scene = *state;
    is_turned_away(scene);
    assert_int_equal(gw_counter_read(&scene->worker.shard->connections_refused), 1);
    UNTIL(has_ended(scene));
    assert_memory_equal(scene->text, "HTTP/1.1 503 ", 13);
    assert_non_null(strstr(scene->text, "\r\nRetry-After: 1\r\n"));
    assert_int_equal(scene->begun, 0);
}

static void far_too_many_are_closed_without_a_word(void **state)
{
    struct scene *scene = *state;
    is_one_too_many(scene);
    UNTIL(has_ended(scene));
    assert_int_equal(scene->length, 0);
}

/* A second of silence, and not what was left of an earlier, longer time. */
static void a_drain_hurries_those_that_do_nothing(void **state)
{
    static const struct {
        void (*bring)(struct scene *scene);
        bool is_hurried;
    } hurries[] = { { arrives, true }, { to_lingering, true }, { to_waiting, false }, { to_head, false } };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(hurries); i++) {
        void *each;
        open_scene(&each);
        struct scene *scene = each;
        hurries[i].bring(scene);
        struct gw_connection *connection = connection_in(scene);
        uint64_t soon_ms = uv_now(&scene->worker.loop) + 1000, before_ms = connection->deadline_ms;
        assert_true(before_ms > soon_ms);
        scene->worker.is_draining = true;
        gw_connection_hurry_idle(&scene->worker);
        assert_int_equal(connection->deadline_ms, hurries[i].is_hurried ? soon_ms : before_ms);
        scene->worker.is_draining = false;
        close_scene(&each);
    }
}

static void a_cut_ends_every_connection(void **state)
{
    static void (*const brings[])(struct scene *) = { arrives, to_head, to_waiting, to_slow, to_leaving, to_lingering };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(brings); i++) {
        void *each;
        open_scene(&each);
        struct scene *scene = each;
        brings[i](scene);
        gw_connection_cut_all(&scene->worker);
        assert_phase(scene, GW_CONNECTION_CLOSING);
        UNTIL(is_closed(scene));
        close_scene(&each);
    }
}

#define CONNECTION_TEST(name) cmocka_unit_test_setup_teardown(name, open_scene, close_scene)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_a_move_and_no_other_pair_is),
        cmocka_unit_test(each_phase_but_the_last_can_be_closed_and_has_a_name),
        cmocka_unit_test(each_row_is_walked),
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
        CONNECTION_TEST(a_head_that_is_late_is_answered_408),
        CONNECTION_TEST(a_body_that_is_late_ends_the_exchange),
        CONNECTION_TEST(an_idle_connection_is_closed_without_a_word),
        CONNECTION_TEST(an_exchange_may_last_as_long_as_it_likes),
        CONNECTION_TEST(a_client_that_takes_nothing_is_cut),
        CONNECTION_TEST(a_client_that_takes_a_little_in_time_is_not),
        CONNECTION_TEST(a_large_answer_leaves_whole_as_its_client_takes_it),
        CONNECTION_TEST(an_answer_that_was_given_reaches_the_client_though_its_exchange_is_cut),
        CONNECTION_TEST(an_exchange_that_is_cut_before_its_head_resets_the_connection),
        cmocka_unit_test(a_client_that_goes_ends_its_exchange),
        CONNECTION_TEST(a_connection_that_lingers_is_read_and_its_bytes_are_thrown_away),
        cmocka_unit_test(lingering_has_its_bounds),
        CONNECTION_TEST(a_client_that_is_turned_away_gets_a_503),
        CONNECTION_TEST(far_too_many_are_closed_without_a_word),
        cmocka_unit_test(a_drain_hurries_those_that_do_nothing),
        cmocka_unit_test(a_cut_ends_every_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
