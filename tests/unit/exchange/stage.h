/* stage.h: one worker's context and one client on a connection that a test plays, for tests of gateway/exchange and
 * gateway/filter.
 *
 * The exchange is the real one, with the filters that the test names. The store is played (unit/cache/played_store.h):
 * the test says when it answers, and what. Time stands still but for `passes`, which runs the timers that come due.
 * What the client got is read with `status`, `field` and `body`. close_stage asserts that nothing is left under way. */
#ifndef TEST_EXCHANGE_STAGE_H
#define TEST_EXCHANGE_STAGE_H

#include "support/played_time.h"
#include "unit/cache/played_store.h"

#include "base/log.h"
#include "config/load.h"
#include "exchange/exchange.h"
#include "exchange/worker_context.h"

enum { STAGE_FILTERS = 8, STAGE_FIELDS_BYTES = 16 * 1024, STAGE_BODY_BYTES = 256 * 1024 };

struct client {
    struct gw_downstream downstream;
    bool is_slow, has_head, has_end, is_done, wants_body, drops_body;
    enum gw_downstream_end end;
    int status;
    unsigned interims, heads, flushes;
    size_t fields_length, body_length;
    char fields[STAGE_FIELDS_BYTES]; /* of the head: "\nName: value"…; closed by a zero */
    char body[STAGE_BODY_BYTES];     /* closed by a zero */
};

struct stage {
    struct gw_config *config;
    struct gw_metrics *metrics;
    struct gw_timers timers;
    struct gw_store store;
    struct gw_worker_context context;
    const struct gw_filter *filters[STAGE_FILTERS + 1];
    struct client client;
    struct gw_exchange *exchange; /* from `asks` to the next `asks`, or the end */
};

/* ---- what is logged ---- */

static char stage_said[16 * 1024]; /* since the stage was opened: a line each */

/* In place of base/log.c. */
bool gw_log_is_on(enum gw_log_level level)
{
    (void)level;
    return true;
}

void gw_log(enum gw_log_level level, const char *area, const char *format, ...)
{
    size_t length = strlen(stage_said);
    va_list arguments;
    (void)level;
    (void)area;
    va_start(arguments, format);
    vsnprintf(stage_said + length, sizeof stage_said - length, format, arguments);
    va_end(arguments);
    length = strlen(stage_said);
    snprintf(stage_said + length, sizeof stage_said - length, "\n");
}

/* ---- time ---- */

/* Timers that come due on the way run, those that they start among them. */
static inline void passes(struct stage *stage, uint64_t ms)
{
    uint64_t until_ms = played_now_us / 1000 + ms;
    while (next_timer_runs(&stage->timers, until_ms))
        ;
    played_now_us = until_ms * 1000;
}

/* ---- what a worker would open, and the stage does not ---- */

struct gw_store *gw_store_open(const struct gw_store_setup *setup)
{
    (void)setup;
    fail_msg("the store is played");
    return NULL;
}

void gw_store_close(struct gw_store *store)
{
    assert_null(store);
}

/* The played store is the stage's own. */
void gw_store_free(struct gw_store **store)
{
    *store = NULL;
}

/* ---- the client ---- */

static inline struct client *client_of(struct gw_downstream *downstream)
{
    struct client *client = GW_CONTAINER(downstream, struct client, downstream);
    assert_false(client->is_done);
    return client;
}

static inline bool client_interim(struct gw_downstream *downstream, int status, const struct gw_head *head)
{
    struct client *client = client_of(downstream);
    (void)head;
    assert_false(client->has_head);
    assert_in_range(status, 100, 199);
    client->interims++;
    return !client->is_slow;
}

static inline void client_put(struct client *client, struct gw_slice text)
{
    assert_true(client->fields_length + text.length < STAGE_FIELDS_BYTES);
    memcpy(client->fields + client->fields_length, text.at, text.length);
    client->fields_length += text.length;
    client->fields[client->fields_length] = '\0';
}

static inline void client_head(struct gw_downstream *downstream, struct gw_downstream_head *head)
{
    struct client *client = client_of(downstream);
    assert_false(client->has_head);
    assert_in_range(head->status, 200, 599);
    client->has_head = true;
    client->heads++;
    client->status = head->status;
    client->fields_length = 0;
    client->fields[0] = '\0';
    for (unsigned i = 0; head->head && i < head->head->count; i++) {
        const struct gw_field *field = &head->head->fields[i];
        if (field->dropped || (head->left_out[0] && head->left_out[0][field->id]) ||
            (head->left_out[1] && head->left_out[1][field->id]))
            continue;
        client_put(client, GW_SLICE("\n"));
        client_put(client, field->name);
        client_put(client, GW_SLICE(": "));
        client_put(client, field->value);
    }
    for (size_t at = 0; at < head->added.length; at++) {
        bool begins = at == 0 || head->added.at[at - 1] == '\n';
        if (begins)
            client_put(client, GW_SLICE("\n"));
        if (head->added.at[at] != '\r' && head->added.at[at] != '\n')
            client_put(client, gw_slice_of(head->added.at + at, 1));
    }
}

static inline bool client_body(struct gw_downstream *downstream, struct gw_slice bytes, struct gw_block *block)
{
    struct client *client = client_of(downstream);
    (void)block;
    assert_true(client->has_head && !client->has_end && bytes.length);
    assert_true(client->body_length + bytes.length < STAGE_BODY_BYTES);
    memcpy(client->body + client->body_length, bytes.at, bytes.length);
    client->body_length += bytes.length;
    client->body[client->body_length] = '\0';
    return !client->is_slow;
}

static inline bool client_flush(struct gw_downstream *downstream)
{
    client_of(downstream)->flushes++;
    return !client_of(downstream)->is_slow;
}

static inline bool client_end(struct gw_downstream *downstream)
{
    struct client *client = client_of(downstream);
    assert_true(client->has_head && !client->has_end);
    client->has_end = true;
    return !client->is_slow;
}

static inline void client_want_body(struct gw_downstream *downstream)
{
    client_of(downstream)->wants_body = true;
}

static inline void client_drop_body(struct gw_downstream *downstream)
{
    assert_false(client_of(downstream)->has_head);
    client_of(downstream)->drops_body = true;
}

static inline void client_done(struct gw_downstream *downstream, enum gw_downstream_end end)
{
    struct client *client = client_of(downstream);
    client->is_done = true;
    client->end = end;
}

static const struct gw_downstream_table client_table = { .interim = client_interim,
                                                         .head = client_head,
                                                         .body = client_body,
                                                         .flush = client_flush,
                                                         .end = client_end,
                                                         .want_body = client_want_body,
                                                         .drop_body = client_drop_body,
                                                         .done = client_done };

/* Of the answer; 0: none came. */
static inline int status(const struct stage *stage)
{
    return stage->client.has_head ? stage->client.status : 0;
}

static inline const char *next_field(const char *from, const char *name)
{
    char line[128];
    snprintf(line, sizeof line, "\n%s: ", name);
    const char *at = strstr(from, line);
    return at ? at + strlen(line) : NULL;
}

/* A field of the answer, the first of its name; NULL: there is none. Valid until the next call. */
static inline const char *field(const struct stage *stage, const char *name)
{
    static char value[2048];
    const char *at = next_field(stage->client.fields, name);
    if (!at)
        return NULL;
    snprintf(value, sizeof value, "%.*s", (int)strcspn(at, "\n"), at);
    return value;
}

static inline unsigned field_count(const struct stage *stage, const char *name)
{
    unsigned count = 0;
    for (const char *at = stage->client.fields; (at = next_field(at, name));)
        count++;
    return count;
}

static inline const char *body(const struct stage *stage)
{
    return stage->client.body;
}

/* ---- the stage ---- */

/* json: of the configuration, over the defaults; filters: ends with NULL. Without Redis: has_store is for the test. */
static inline struct stage *open_stage(const char *json, const struct gw_filter *const *filters)
{
    struct stage *stage = calloc(1, sizeof *stage);
    struct gw_complaint complaint;
    assert_non_null(stage);
    played_now_us = 5000000;
    stage_said[0] = '\0';
    stage->config = gw_config_of(json, &complaint);
    if (!stage->config)
        fail_msg("%s: expected %s", complaint.place, complaint.expected);
    stage->metrics = gw_metrics_create(stage->config, 1, 0);
    assert_non_null(stage->metrics);
    for (unsigned i = 0; filters[i]; i++) {
        assert_true(i < STAGE_FILTERS);
        stage->filters[i] = filters[i];
    }
    played_init(&stage->store);
    open_timers(&stage->timers);
    stage->context = (struct gw_worker_context) { .config = stage->config,
                                                  .filters = stage->filters,
                                                  .timers = &stage->timers,
                                                  .shard = gw_metrics_shard(stage->metrics, 0) };
    gw_worker_context_init(&stage->context);
    stage->context.lookups.coalescing = gw_coalescing_create();
    assert_non_null(stage->context.lookups.coalescing);
    return stage;
}

/* A cache in this process, and in the played store. */
static inline void open_cache(struct stage *stage)
{
    struct gw_worker_context *context = &stage->context;
    context->bans = gw_bans_create();
    context->memory_cache = gw_memory_cache_create(1 << 20, context->bans);
    context->keys = gw_key_maker_create();
    assert_true(context->bans && context->memory_cache && context->keys);
    gw_memory_cache_set_mode(context->memory_cache, GW_MEMORY_CACHE_SHARED);
    context->redis_cache = gw_redis_cache_create(&(struct gw_redis_cache_setup) { .store = &stage->store,
                                                                                  .memory_cache = context->memory_cache,
                                                                                  .bans = context->bans,
                                                                                  .keys = context->keys,
                                                                                  .shard = context->shard,
                                                                                  .config = stage->config });
    assert_non_null(context->redis_cache);
    context->lookups = (struct gw_lookups) { .config = stage->config,
                                             .memory_cache = context->memory_cache,
                                             .bans = context->bans,
                                             .redis_cache = context->redis_cache,
                                             .coalescing = context->lookups.coalescing,
                                             .timers = &stage->timers,
                                             .shard = context->shard };
    gw_random_init(&context->lookups.random);
}

static inline void put_exchange(struct stage *stage)
{
    if (!stage->exchange)
        return;
    assert_true(stage->client.is_done);
    gw_exchange_put(stage->exchange);
    stage->exchange = NULL;
}

static inline void close_stage(struct stage *stage)
{
    put_exchange(stage);
    assert_false(has_timers(&stage->timers));
    gw_coalescing_destroy(&stage->context.lookups.coalescing);
    played_answer_all(&stage->store);
    gw_worker_context_free(&stage->context);
    gw_memory_cache_destroy(&stage->context.memory_cache);
    gw_bans_destroy(&stage->context.bans);
    gw_metrics_destroy(&stage->metrics);
    gw_config_unref(stage->config);
    free(stage);
}

/* A request's head that has arrived from this peer, not begun yet: for tests that set more of it. `method` and `target`
 * are kept by reference. */
static inline struct gw_exchange *arrives(struct stage *stage, const char *peer, const char *method, const char *target,
                                          const char *fields)
{
    put_exchange(stage);
    stage->client = (struct client) { .downstream = { &client_table }, .is_slow = stage->client.is_slow };
    struct gw_exchange *exchange = gw_exchange_take(&stage->context, &stage->client.downstream);
    assert_non_null(exchange);
    struct gw_slice whole = gw_slice_of_string(target);
    const char *mark = strchr(target, '?');
    char *kept = gw_arena_take(&exchange->arena, strlen(fields) + 1);
    assert_non_null(kept);
    memcpy(kept, fields, strlen(fields) + 1);
    exchange->request = request_head(&exchange->arena, method, kept);
    exchange->arrival.protocol = GW_SLICE("HTTP/1.1");
    exchange->request.target = whole;
    exchange->request.path = mark ? gw_slice_of(target, (size_t)(mark - target)) : whole;
    if (mark)
        exchange->request.query = gw_slice_of_string(mark + 1);
    exchange->request.authority = gw_head_value(&exchange->request, GW_FIELD_HOST);
    assert_true(gw_address_parse(&exchange->identity.peer, gw_slice_of_string(peer), false));
    stage->exchange = exchange;
    return exchange;
}

/* As filter/cache.c asks the cache, in a filter's on_request: for http://a.example/. True: a question is out. */
static inline bool asks_cache(struct gw_exchange *exchange)
{
    const struct gw_route *route = exchange->target.route;
    const struct gw_cache_rules rules = gw_exchange_cache_rules(exchange->context, route);
    gw_policy_read_request(&exchange->cache, &exchange->request, &rules);
    exchange->target.keyed_query = gw_exchange_make_key(exchange->context, &exchange->arena, route, GW_SLICE("/"),
                                                        GW_NO_SLICE, GW_SLICE("http"), GW_SLICE("a.example"),
                                                        &exchange->key);
    return gw_exchange_look_up(exchange);
}

/* What is stored of a response to a request of http://a.example: one reference, the caller's. */
static inline struct gw_entry *entry_of(const struct gw_cache_key *key, const struct gw_head *request,
                                        const struct gw_head *response, const struct gw_cache_life *life)
{
    struct gw_entry *entry = gw_entry_create(&(struct gw_entry_setup) { .key = key,
                                                                        .scheme = GW_SLICE("http"),
                                                                        .host = GW_SLICE("a.example"),
                                                                        .request = request,
                                                                        .response = response,
                                                                        .life = life,
                                                                        .now_us = played_now_us });
    assert_non_null(entry);
    return entry;
}

/* A request of http://a.example by 192.0.2.1. */
static inline struct gw_exchange *asks(struct stage *stage, const char *method, const char *target, const char *fields)
{
    char all[4096];
    snprintf(all, sizeof all, "Host: a.example\n%s", fields);
    struct gw_exchange *exchange = arrives(stage, "192.0.2.1", method, target, all);
    gw_exchange_begin(exchange);
    return exchange;
}

#endif
