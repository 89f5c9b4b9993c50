#include "unit/cache/memory_cache_scene.h"

#include <stdlib.h>
#include "config/load.h"
#include "exchange/worker_context.h"
#include "server/h1_writer.h"

/* A hit hands the socket the stored bytes themselves: whatever the request takes of them, none is copied on the way
 * from the cache to the connection. */

enum { BODY_BYTES = 64 * 1024, MOST_PIECES = 8 };

/* A client of HTTP/1: what the exchange says goes through the writer that a connection has, too. */
struct client {
    struct gw_downstream downstream;
    struct gw_h1_sink sink;
    struct gw_h1_writer writer;
    struct gw_buffer scratch;
    bool is_slow;
    struct gw_piece pieces[MOST_PIECES]; /* but heads, whose bytes are borrowed for the call; blocks are held */
    unsigned count, heads;
    char head[4096];     /* the last one */
    bool is_done, keeps; /* keeps: the connection may be used again */
    enum gw_downstream_end end;
};

static struct client *client_of(struct gw_downstream *downstream)
{
    return GW_CONTAINER(downstream, struct client, downstream);
}

static bool take(struct gw_h1_sink *sink, const struct gw_piece *pieces, unsigned count)
{
    struct client *client = GW_CONTAINER(sink, struct client, sink);
    for (unsigned i = 0; i < count; i++) {
        if (!pieces[i].block) {
            client->heads++;
            assert_in_range(pieces[i].bytes.length, 1, sizeof client->head - 1);
            memcpy(client->head, pieces[i].bytes.at, pieces[i].bytes.length);
            client->head[pieces[i].bytes.length] = 0;
            continue;
        }
        assert_in_range(client->count, 0, MOST_PIECES - 1);
        client->pieces[client->count++] = (struct gw_piece) { pieces[i].bytes, gw_block_ref(pieces[i].block) };
    }
    return !client->is_slow;
}

static void tell_head(struct gw_downstream *downstream, struct gw_downstream_head *head)
{
    struct client *client = client_of(downstream);
    gw_h1_writer_begin(&client->writer, &client->sink, &client->scratch);
    client->writer.keep_alive = true;
    gw_h1_writer_head(&client->writer, head);
}

static bool add(struct gw_downstream *downstream, struct gw_slice bytes, struct gw_block *block)
{
    return gw_h1_writer_body(&client_of(downstream)->writer.downstream, bytes, block);
}

static bool end(struct gw_downstream *downstream)
{
    return gw_h1_writer_end(&client_of(downstream)->writer.downstream);
}

static void is_done(struct gw_downstream *downstream, enum gw_downstream_end end)
{
    struct client *client = client_of(downstream);
    client->is_done = true;
    client->end = end;
    client->keeps = client->writer.keep_alive;
}

static const struct gw_downstream_table table = { .head = tell_head, .body = add, .end = end, .done = is_done };

/* ---- a gateway that only answers from its memory cache ---- */

struct scene {
    struct gw_config *config;
    struct gw_metrics *metrics;
    struct gw_worker_context context;
    struct client client;
    size_t added_bytes; /* 0, or all the room that there is for the fields that the gateway adds */
    const char *scheme; /* NULL, or what a 401 asks for in place of the hit; empty: nothing */
};

static const char *scheme_of(const struct gw_exchange *exchange)
{
    return GW_CONTAINER(exchange->context, struct scene, context)->scheme;
}

static enum gw_filter_result look_up(struct gw_exchange *exchange)
{
    const struct gw_cache_rules rules = gw_exchange_cache_rules(exchange->context, exchange->target.route);
    gw_policy_read_request(&exchange->cache, &exchange->request, &rules);
    exchange->key = key_of(1);
    assert_false(gw_exchange_look_up(exchange));
    return GW_FILTER_CONTINUE;
}

static enum gw_filter_result answer(struct gw_exchange *exchange)
{
    size_t room = GW_CONTAINER(exchange->context, struct scene, context)->added_bytes;
    assert_non_null(exchange->entry);
    if (scheme_of(exchange)) {
        gw_exchange_answer(exchange, 401, GW_NO_SLICE, GW_NO_SLICE);
        if (*scheme_of(exchange))
            gw_exchange_add_field(exchange, GW_SLICE("WWW-Authenticate"), gw_slice_of_string(scheme_of(exchange)));
    }
    if (room)
        exchange->answer.fields = gw_buffer_over(gw_arena_take(&exchange->arena, room), room);
    return GW_FILTER_ANSWERED;
}

static const struct gw_filter from_memory_cache = { .name = "from_memory_cache",
                                                    .on_request = look_up,
                                                    .on_answers = answer };
static const struct gw_filter *const filters[] = { &from_memory_cache, NULL };

static int open_scene(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    struct gw_complaint complaint;
    assert_non_null(scene);
    scene->config = gw_config_of(NULL, &complaint);
    assert_non_null(scene->config);
    scene->metrics = gw_metrics_create(scene->config, 1, 0);
    assert_non_null(scene->metrics);
    scene->client.downstream.table = &table;
    scene->context = (struct gw_worker_context) { .config = scene->config,
                                                  .filters = filters,
                                                  .memory_cache = gw_memory_cache_create(MEMORY_CACHE_ROOM, NULL),
                                                  .shard = gw_metrics_shard(scene->metrics, 0) };
    assert_non_null(scene->context.memory_cache);
    scene->context.lookups.memory_cache = scene->context.memory_cache;
    gw_worker_context_init(&scene->context);
    scene->client.sink.write = take;
    scene->client.scratch = gw_buffer_create(GW_H1_WRITER_TEXT_BOUND);
    *state = scene;
    return 0;
}

static int close_scene(void **state)
{
    struct scene *scene = *state;
    for (unsigned i = 0; i < scene->client.count; i++)
        gw_block_unref(scene->client.pieces[i].block);
    gw_buffer_destroy(&scene->client.scratch);
    gw_worker_context_free(&scene->context);
    gw_memory_cache_destroy(&scene->context.memory_cache);
    gw_metrics_destroy(&scene->metrics);
    gw_config_unref(scene->config);
    free(scene);
    return 0;
}

static const char *stored_body(struct scene *scene)
{
    struct gw_memory_cache_answer answer = answer_to(scene->context.memory_cache, 1, "", 0);
    const char *bytes = answer.entry->body->bytes;
    gw_entry_unref(answer.entry);
    return bytes;
}

static struct gw_exchange *ask(struct scene *scene, const char *method, const char *fields)
{
    struct gw_exchange *exchange = gw_exchange_take(&scene->context, &scene->client.downstream);
    assert_non_null(exchange);
    exchange->request = request_head(&exchange->arena, method, fields);
    exchange->arrival.protocol = GW_SLICE("HTTP/1.1");
    exchange->request.path = exchange->request.target = GW_SLICE("/");
    gw_exchange_begin(exchange);
    return exchange;
}

static void a_hit_writes_the_stored_bytes_themselves(void **state)
{
    static const struct {
        const char *method, *fields;
        size_t from, length; /* of the body; 0: none is written */
    } rows[] = {
        { "GET", "", 0, BODY_BYTES }, { "GET", "Range: bytes=100-40099", 100, 40000 },
        { "HEAD", "", 0, 0 },         { "GET", "If-None-Match: \"v1\"", 0, 0 },
        { "GET", "", 0, BODY_BYTES },
    };
    struct scene *scene = *state;
    struct client *client = &scene->client;
    assert_true(put_for(scene->context.memory_cache, 1, "", "ETag: \"v1\"", BODY_BYTES, &an_hour_and_more));
    const char *stored = stored_body(scene);
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        client->count = client->heads = 0;
        client->is_done = false;
        struct gw_exchange *exchange = ask(scene, rows[i].method, rows[i].fields);
        assert_true(client->is_done);
        assert_int_equal(client->end, GW_DOWNSTREAM_WHOLE);
        assert_true(client->keeps);
        assert_int_equal(client->heads, 1);
        assert_int_equal(client->count, rows[i].length > 0);
        if (client->count) {
            assert_ptr_equal(client->pieces[0].bytes.at, stored + rows[i].from);
            assert_int_equal(client->pieces[0].bytes.length, rows[i].length);
            gw_block_unref(client->pieces[0].block);
        }
        client->count = 0;
        gw_exchange_put(exchange);
    }
}

static void what_a_slow_client_has_yet_to_take_is_the_stored_bytes_too(void **state)
{
    struct scene *scene = *state;
    struct client *client = &scene->client;
    struct gw_cache_key key = key_of(1);
    assert_true(put_for(scene->context.memory_cache, 1, "", "ETag: \"v1\"", BODY_BYTES, &an_hour_and_more));
    const char *stored = stored_body(scene);
    client->is_slow = true;
    struct gw_exchange *exchange = ask(scene, "GET", "");
    assert_false(client->is_done);
    gw_memory_cache_invalidate(scene->context.memory_cache, &key); /* and outlives the entry's place in the cache */
    gw_exchange_on_writable(exchange);
    assert_true(client->is_done);
    gw_exchange_put(exchange);
    assert_int_equal(client->count, 1);
    assert_ptr_equal(client->pieces[0].bytes.at, stored);
    for (size_t i = 0; i < BODY_BYTES; i++)
        assert_int_equal(client->pieces[0].bytes.at[i], 1);
}

/* Half a head, or a head without one of its fields (a 206 without Content-Range), would be another answer. */
static void an_answer_whose_head_finds_no_memory_becomes_a_503(void **state)
{
    static const struct {
        const char *fields;
        size_t head, added; /* bytes that there is room for */
        bool is_whole;
    } rows[] = {
        { "", 4096, 4096, true },
        { "", 100, 4096, false },
        { "Range: bytes=1-2", 4096, 4096, true },
        { "Range: bytes=1-2", 4096, 20, false },
    };
    struct scene *scene = *state;
    struct client *client = &scene->client;
    assert_true(put_for(scene->context.memory_cache, 1, "", "ETag: \"v1\"", BODY_BYTES, &an_hour_and_more));
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        gw_buffer_destroy(&client->scratch);
        client->scratch = gw_buffer_create(rows[i].head);
        scene->added_bytes = rows[i].added;
        client->heads = 0;
        struct gw_exchange *exchange = ask(scene, "GET", rows[i].fields);
        assert_int_equal(client->heads, 1);
        assert_int_equal(client->count, rows[i].is_whole);
        assert_int_equal(client->end, GW_DOWNSTREAM_WHOLE);
        assert_int_equal(client->keeps, rows[i].is_whole);
        if (!rows[i].is_whole)
            assert_string_equal(client->head, "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n"
                                              "Content-Length: 0\r\n\r\n");
        gw_exchange_put(exchange);
        if (client->count)
            gw_block_unref(client->pieces[0].block);
        client->count = 0;
    }
}

static void a_401_made_here_always_names_a_scheme(void **state) /* RFC 9110 §11.6.1 */
{
    static const struct {
        const char *scheme, *line;
    } rows[] = { { "", "\r\nWWW-Authenticate: Bearer\r\n" }, { "ApiKey", "\r\nWWW-Authenticate: ApiKey\r\n" } };
    struct scene *scene = *state;
    assert_true(put_for(scene->context.memory_cache, 1, "", "ETag: \"v1\"", BODY_BYTES, &an_hour_and_more));
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        scene->scheme = rows[i].scheme;
        gw_exchange_put(ask(scene, "GET", ""));
        const char *line = strstr(scene->client.head, rows[i].line);
        assert_non_null(line);
        assert_null(strstr(line + 3, "WWW-Authenticate"));
    }
}

static void a_range_beyond_what_is_stored_is_told_without_its_fields(void **state)
{
    struct scene *scene = *state;
    assert_true(put_for(scene->context.memory_cache, 1, "", "ETag: \"v1\"", BODY_BYTES, &an_hour_and_more));
    gw_exchange_put(ask(scene, "GET", "Range: bytes=65536-"));
    assert_memory_equal(scene->client.head, "HTTP/1.1 416 ", 13);
    assert_non_null(strstr(scene->client.head, "\r\nContent-Range: bytes */65536\r\n"));
    assert_null(strstr(scene->client.head, "ETag"));
    assert_int_equal(scene->client.count, 0);
}

#define HIT_TEST(name) cmocka_unit_test_setup_teardown(name, open_scene, close_scene)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HIT_TEST(a_hit_writes_the_stored_bytes_themselves),
        HIT_TEST(what_a_slow_client_has_yet_to_take_is_the_stored_bytes_too),
        HIT_TEST(an_answer_whose_head_finds_no_memory_becomes_a_503),
        HIT_TEST(a_range_beyond_what_is_stored_is_told_without_its_fields),
        HIT_TEST(a_401_made_here_always_names_a_scheme),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
