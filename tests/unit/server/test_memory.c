#include "unit/server/connection_scene.h"

#include "limit/clients.h"
#include "limit/limiter.h"
#include "server/listener.h"
#include "server/client_connections.h"
#include "support/failing_malloc.h"
#include "telemetry/metrics.h"
#include "upstream/registry.h"

/* What workers share, and what start-up makes, with the 1st, 2nd, 3rd … allocation failing. That nothing is lost is
 * for ASan to say. */

static void come_and_go(void)
{
    struct gw_client_connections *client_connections = gw_client_connections_create(2);
    if (!client_connections)
        return;
    for (uint8_t i = 0; i < 4; i++) {
        struct gw_address address = { { i } };
        bool first = gw_client_connections_enter(client_connections, &address),
             second = gw_client_connections_enter(client_connections, &address);
        if (first)
            gw_client_connections_leave(client_connections, &address);
        if (second)
            gw_client_connections_leave(client_connections, &address);
    }
    gw_client_connections_destroy(&client_connections);
}

static void peers_without_memory_refuse(void **state)
{
    (void)state;
    EACH_ALLOCATION_FAILS(come_and_go());
    struct gw_client_connections *client_connections = gw_client_connections_create(2);
    struct gw_address address = { { 1 } };
    failing_malloc_arm(1, ONE_FAILS);
    assert_false(gw_client_connections_enter(client_connections, &address));
    assert_true(failing_malloc_disarm());
    assert_true(gw_client_connections_enter(client_connections, &address)); /* and nothing was counted */
    assert_true(gw_client_connections_enter(client_connections, &address));
    assert_false(gw_client_connections_enter(client_connections, &address));
    gw_client_connections_destroy(&client_connections);
}

static void open_and_close(const struct gw_config *config)
{
    struct gw_listeners listeners;
    struct gw_complaint complaint = { .place = "" };
    if (gw_listeners_open(&listeners, config, &complaint))
        gw_listeners_close(&listeners);
    else
        assert_non_null(strstr(complaint.place, "127.0.0.1"));
}

static void listeners_without_memory_complain(void **state)
{
    (void)state;
    struct gw_listen listens[] = { { .host = GW_SLICE("127.0.0.1") }, { .host = GW_SLICE("127.0.0.1") } };
    struct gw_config config = { .listens = listens, .listen_count = 2, .workers = 2, .backlog = 4 };
    EACH_ALLOCATION_FAILS(open_and_close(&config));
}

static const char everything[] = "{\"server\":{\"trusted_proxies\":[\"10.0.0.0/8\",\"2001:db8::/32\"]},"
                                 "\"backend\":{\"url\":[\"http://a:1\",\"http://b:2/base\"]},"
                                 "\"limits\":{\"policies\":[{\"name\":\"one\",\"rate\":\"10/s\",\"burst\":20},"
                                 "{\"name\":\"two\",\"rate\":\"100/min\",\"burst\":50,\"path\":\"/api\"}]}}";

static void load(const char *json)
{
    struct gw_complaint complaint = { .place = "" };
    struct gw_config *config = gw_config_of(json, &complaint);
    if (config)
        gw_config_unref(config);
    else
        assert_true(complaint.place[0] || complaint.expected[0]);
}

static void a_configuration_without_memory_is_a_complaint(void **state)
{
    (void)state;
    struct gw_complaint complaint;
    struct gw_config *config = gw_config_of(everything, &complaint);
    if (!config) {
        char line[512];
        gw_complaint_print(&complaint, line, sizeof line);
        fail_msg("%s", line);
    }
    gw_config_unref(config);
    EACH_ALLOCATION_FAILS(load(everything));
    EACH_ALLOCATION_FAILS(load(NULL));
    EACH_ALLOCATION_FAILS(load("{\"server\":{\"workers\":\"many\"}}")); /* a mistake and no memory to say so */
}

/* From everywhere that a start reads: a file with variables in it, the environment, a secret's own file, and flags. */
static bool load_all(char *config_path, char *const *environment)
{
    static struct gw_findings findings;
    static char name[] = "visara-gateway", config_flag[] = "--config", port[] = "--port=8081",
                routes[] = "--routes=[{\"name\":\"a\",\"path\":\"/a\",\"cache_bypass_paths\":[\"/a/x%20y\"]}]";
    char *const argv[] = { name, config_flag, config_path, port, routes, NULL };
    struct gw_config *config = gw_load_config(5, argv, environment, true, &findings);
    bool is_loaded = config != NULL;
    assert_true(is_loaded || findings.error_count > 0);
    if (config)
        gw_config_unref(config);
    return is_loaded;
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void a_start_without_memory_is_a_complaint(void **state)
{
    char config[] = "/tmp/gw-memory-XXXXXX", secret[] = "/tmp/gw-memory-XXXXXX", variable[64];
    char burst[] = "BURST=20", rate[] = "RATE_LIMIT_BRUST=3", ttl[] = "CACHE_TTL=60";
    (void)state;
    close(mkstemp(config));
    close(mkstemp(secret));
    write_file(config, "{\"limits\":{\"rate\":\"10/s\",\"burst\":\"${BURST}\"},"
                       "\"backend\":{\"url\":[\"http://${HOST:-a}:1\"]},\"cache\":{\"namespace\":\"one\"}}");
    write_file(secret, "a-token-of-enough-bytes\n");
    snprintf(variable, sizeof variable, "GATEWAY_ADMIN_TOKEN_FILE=%s", secret);
    char *const environment[] = { burst, rate, ttl, variable, NULL };
    assert_true(load_all(config, environment));
    EACH_ALLOCATION_FAILS((void)load_all(config, environment));
    unlink(config);
    unlink(secret);
}

static void limit_many(void)
{
    struct gw_clients *clients = gw_clients_create(100);
    if (!clients)
        return;
    for (uint32_t i = 0; i < 300; i++) {
        struct gw_bucket_query query = { .key = { .policy = i % 3, .length = 4 },
                                         .rate = { 10, 1000000, 20 },
                                         .cost = 1 };
        memcpy(query.key.bytes, &i, sizeof i);
        gw_clients_take(clients, &query, 1, 1000000000);
    }
    assert_true(gw_clients_count(clients) <= 100);
    gw_clients_destroy(&clients);
}

static void a_table_of_clients_stays_within_its_bound_without_memory(void **state)
{
    (void)state;
    EACH_ALLOCATION_FAILS(limit_many());
}

static void make_parts(const struct gw_config *config)
{
    struct gw_metrics *metrics = gw_metrics_create(config, 2, 0);
    struct gw_limiter *limiter = gw_limiter_create(config);
    struct gw_registry *registry = gw_registry_create(config);
    if (metrics)
        assert_non_null(gw_metrics_shard(metrics, 1));
    if (registry)
        assert_non_null(gw_registry_record(registry, 0));
    gw_registry_destroy(&registry);
    gw_limiter_destroy(&limiter);
    gw_metrics_destroy(&metrics);
}

static void the_parts_of_a_gateway_are_whole_or_not_there(void **state)
{
    (void)state;
    struct gw_complaint complaint;
    struct gw_config *config = gw_config_of(everything, &complaint);
    assert_non_null(config);
    EACH_ALLOCATION_FAILS(make_parts(config));
    gw_config_unref(config);
}

/* Two requests in one read, one that is carried, and a body that nobody wants. */
static void ask_and_leave(struct scene *scene)
{
    scene->end = 0;
    scene->length = 0;
    arrives_as(scene, 0);
    failing_malloc_suspend();
    sends(scene, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    failing_malloc_go_on();
    UNTIL(scene->kept || has_ended(scene) || is_closed(scene));
    if (scene->kept) {
        sends(scene, "POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab");
        UNTIL(is_closed(scene) || connection_in(scene)->h1.carry.length || !scene->kept);
        if (scene->kept)
            let_go(scene);
    }
    UNTIL(has_ended(scene) || is_closed(scene));
    client_closes(scene);
    UNTIL(is_closed(scene));
}

static void a_connection_without_memory_answers_or_ends(void **state)
{
    void *each;
    (void)state;
    open_scene(&each);
    struct scene *scene = each;
    EACH_ALLOCATION_FAILS(ask_and_leave(scene));
    ask_and_leave(scene); /* and nothing is the worse for it */
    assert_non_null(strstr(scene->text, "\r\n\r\n/1"));
    assert_non_null(strstr(scene->text, "\r\n\r\n/2"));
    close_scene(&each);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(peers_without_memory_refuse),
        cmocka_unit_test(listeners_without_memory_complain),
        cmocka_unit_test(a_configuration_without_memory_is_a_complaint),
        cmocka_unit_test(a_start_without_memory_is_a_complaint),
        cmocka_unit_test(a_table_of_clients_stays_within_its_bound_without_memory),
        cmocka_unit_test(the_parts_of_a_gateway_are_whole_or_not_there),
        cmocka_unit_test(a_connection_without_memory_answers_or_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
