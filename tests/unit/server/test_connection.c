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
        assert_non_null(row);
        is_walked[row - rows] = true;
        struct scene *scene = begin_scene();
        if (walk->bring) {
            walk->bring(scene);
            assert_phase(scene, walk->in);
        }
        walk->trigger(scene);
        if (walk->trigger == reads_on)
            UNTIL((reads_on(scene), phase_in(scene) == walk->then));
        else
            UNTIL(phase_in(scene) == walk->then);
        end_scene(scene);
    }
    for (size_t i = 0; i < GW_COUNT(rows); i++)
        if (!is_walked[i])
            fail_msg("no walk from %s by event %d", gw_connection_phase_name(rows[i].in), (int)rows[i].when);
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
        struct scene *scene = begin_scene();
        to_waiting(scene);
        sends(scene, "GET /never HTTP/1.1\r\nHost: a\r\n\r\n"); /* its next request is not begun */
        UNTIL(connection_in(scene)->h1.carry.length);
        goes[i](scene);
        UNTIL(scene->ended == 1);
        UNTIL(is_closed(scene));
        assert_int_equal(scene->begun, 1);
        end_scene(scene);
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
        struct scene *scene = begin_scene();
        scene->config->linger_timeout_ms = bounds[i].timeout_ms;
        scene->config->linger_silence_ms = bounds[i].silence_ms;
        scene->config->max_lingering = bounds[i].most;
        arrives(scene);
        sends(scene, "GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        UNTIL(is_closed(scene));
        UNTIL(has_ended(scene));
        assert_int_equal(scene->end, 1);
        assert_non_null(strstr(scene->text, "\r\n\r\n/x"));
        end_scene(scene);
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
        struct scene *scene = begin_scene();
        hurries[i].bring(scene);
        struct gw_connection *connection = connection_in(scene);
        uint64_t soon_ms = uv_now(&scene->worker.loop) + 1000, before_ms = connection->deadline_ms;
        assert_true(before_ms > soon_ms);
        scene->worker.is_draining = true;
        gw_connection_hurry_idle(&scene->worker);
        assert_int_equal(connection->deadline_ms, hurries[i].is_hurried ? soon_ms : before_ms);
        scene->worker.is_draining = false;
        end_scene(scene);
    }
}

static void a_cut_ends_every_connection(void **state)
{
    static void (*const brings[])(struct scene *) = { arrives, to_head, to_waiting, to_slow, to_leaving, to_lingering };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(brings); i++) {
        struct scene *scene = begin_scene();
        brings[i](scene);
        gw_connection_cut_all(&scene->worker);
        assert_phase(scene, GW_CONNECTION_CLOSING);
        UNTIL(is_closed(scene));
        end_scene(scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_a_move_and_no_other_pair_is),
        cmocka_unit_test(each_phase_but_the_last_can_be_closed_and_has_a_name),
        cmocka_unit_test(each_row_is_walked),
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
