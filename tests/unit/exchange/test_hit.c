#include "unit/cache/near_scene.h"

#include <stdlib.h>
#include "config/load.h"
#include "exchange/exchange.h"

/* A hit hands the socket the stored bytes themselves: whatever the request takes of them, none is copied on the way
 * from the cache to the connection. */

enum { BODY_BYTES = 64 * 1024, MOST_PIECES = 8 };

struct client {
    struct gw_downstream downstream;
    bool is_slow;
    struct gw_piece pieces[MOST_PIECES]; /* but heads, whose bytes are borrowed for the call; blocks are held */
    unsigned count, heads;
    bool is_done;
};

static struct client *client_of(struct gw_downstream *downstream)
{
    return GW_CONTAINER(downstream, struct client, downstream);
}

static bool take(struct gw_downstream *downstream, const struct gw_piece *pieces, unsigned count)
{
    struct client *client = client_of(downstream);
    for (unsigned i = 0; i < count; i++) {
        if (!pieces[i].block) {
            client->heads++;
            continue;
        }
        assert_in_range(client->count, 0, MOST_PIECES - 1);
        client->pieces[client->count++] = (struct gw_piece) { pieces[i].bytes, gw_block_share(pieces[i].block) };
    }
    return !client->is_slow;
}

static void is_done(struct gw_downstream *downstream, enum gw_downstream_end end)
{
    assert_int_equal(end, GW_DOWNSTREAM_KEEP);
    client_of(downstream)->is_done = true;
}

static const struct gw_downstream_table table = { .write = take, .done = is_done };

/* ---- a gateway that only answers from its near cache ---- */

static enum gw_filter_result look_up(struct gw_exchange *exchange)
{
    const struct gw_cache_rules rules = gw_exchange_cache_rules(exchange->config, exchange->route);
    gw_policy_read_request(&exchange->cache, &exchange->request, &rules);
    exchange->key = key_of(1);
    exchange->cache_asked = true;
    assert_false(gw_exchange_look_up(exchange));
    return GW_FILTER_CONTINUE;
}

static enum gw_filter_result answer(struct gw_exchange *exchange)
{
    assert_non_null(exchange->entry);
    return GW_FILTER_ANSWERED;
}

static const struct gw_filter from_near = { .name = "from_near", .on_request = look_up, .on_answers = answer };
static const struct gw_filter *const filters[] = { &from_near, NULL };

struct scene {
    struct gw_config *config;
    struct gw_metrics *metrics;
    struct gw_fetcher fetcher;
    struct gw_desk desk;
    struct client client;
    char scratch[4096];
    atomic_bool draining;
};

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
    scene->desk = (struct gw_desk) { .config = scene->config,
                                     .filters = filters,
                                     .fetcher = &scene->fetcher,
                                     .near = gw_near_create(NEAR_ROOM, NULL),
                                     .shard = gw_metrics_shard(scene->metrics, 0),
                                     .draining = &scene->draining,
                                     .scratch = scene->scratch,
                                     .scratch_bytes = sizeof scene->scratch };
    assert_non_null(scene->desk.near);
    gw_exchange_desk_init(&scene->desk);
    *state = scene;
    return 0;
}

static int close_scene(void **state)
{
    struct scene *scene = *state;
    for (unsigned i = 0; i < scene->client.count; i++)
        gw_block_drop(scene->client.pieces[i].block);
    gw_exchange_desk_free(&scene->desk);
    gw_near_destroy(&scene->desk.near);
    gw_metrics_destroy(&scene->metrics);
    gw_config_drop(scene->config);
    free(scene);
    return 0;
}

static const char *stored_body(struct scene *scene)
{
    struct gw_near_answer answer = answer_to(scene->desk.near, 1, "", 0);
    const char *bytes = answer.entry->body->bytes;
    gw_entry_drop(answer.entry);
    return bytes;
}

static struct gw_exchange *ask(struct scene *scene, const char *method, const char *fields)
{
    struct gw_exchange *exchange = gw_exchange_take(&scene->desk, &scene->client.downstream);
    assert_non_null(exchange);
    exchange->request = request_head(&exchange->arena, method, fields);
    exchange->request.version_minor = 1;
    exchange->request.keep_alive = true;
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
    assert_true(put_for(scene->desk.near, 1, "", "ETag: \"v1\"", BODY_BYTES, &an_hour_and_more));
    const char *stored = stored_body(scene);
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        client->count = client->heads = 0;
        client->is_done = false;
        struct gw_exchange *exchange = ask(scene, rows[i].method, rows[i].fields);
        assert_true(client->is_done);
        assert_int_equal(client->heads, 1);
        assert_int_equal(client->count, rows[i].length > 0);
        if (client->count) {
            assert_ptr_equal(client->pieces[0].bytes.at, stored + rows[i].from);
            assert_int_equal(client->pieces[0].bytes.length, rows[i].length);
            gw_block_drop(client->pieces[0].block);
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
    assert_true(put_for(scene->desk.near, 1, "", "ETag: \"v1\"", BODY_BYTES, &an_hour_and_more));
    const char *stored = stored_body(scene);
    client->is_slow = true;
    struct gw_exchange *exchange = ask(scene, "GET", "");
    assert_false(client->is_done);
    gw_near_invalidate(scene->desk.near, &key); /* and outlives the entry's place in the cache */
    gw_exchange_on_writable(exchange);
    assert_true(client->is_done);
    gw_exchange_put(exchange);
    assert_int_equal(client->count, 1);
    assert_ptr_equal(client->pieces[0].bytes.at, stored);
    for (size_t i = 0; i < BODY_BYTES; i++)
        assert_int_equal(client->pieces[0].bytes.at[i], 1);
}

#define HIT_TEST(name) cmocka_unit_test_setup_teardown(name, open_scene, close_scene)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HIT_TEST(a_hit_writes_the_stored_bytes_themselves),
        HIT_TEST(what_a_slow_client_has_yet_to_take_is_the_stored_bytes_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
