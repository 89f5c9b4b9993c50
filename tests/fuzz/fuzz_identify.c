/* Any fields as what a peer says of the client: nobody but a trusted peer is believed, and what a client writes in front
 * of the list that its proxies make changes nothing. */
#include "exchange/worker_context.h"
#include "filter/table.h"
#include "fuzz/fuzz_input.h"

static struct gw_network trusted[2];
static const struct gw_config config = { .trusted_proxies = trusted, .trusted_proxy_count = 2, .max_body_bytes = 100 };

/* What identify.c calls of the exchange, which is not linked. */
void gw_exchange_answer_error(struct gw_exchange *exchange, enum gw_error error)
{
    exchange->answer.told_error = error;
}

static void set_trusted(void)
{
    demand(gw_network_parse(&trusted[0], GW_SLICE("10.0.0.0/8")) &&
           gw_network_parse(&trusted[1], GW_SLICE("fd00::/8")));
}

static const struct gw_slice names[] = {
    { "X-Forwarded-For", 15 }, { "Forwarded", 9 }, { "X-Forwarded-Proto", 17 }, { "X-Forwarded-Host", 16 },
    { "X_Forwarded-For", 15 }, { "X-Real-IP", 9 }, { "Connection", 10 },        { "X-Request-Id", 12 },
    { "True-Client-IP", 14 },  { "X-Scheme", 8 },  { "HTTP_FORWARDED", 14 },    { "Cookie", 6 },
};

/* All but the three that say nothing of the way. */
static bool is_side(struct gw_slice name)
{
    return !gw_slice_equal(name, GW_SLICE("Connection")) && !gw_slice_equal(name, GW_SLICE("X-Request-Id")) &&
           !gw_slice_equal(name, GW_SLICE("Cookie"));
}

struct written {
    struct gw_slice name, value;
};

/* One request with these fields; `prefix` stands in front of the first line that tells of the way. */
static struct gw_address identify(const struct written *fields, unsigned count, bool is_from_proxy, const char *prefix)
{
    static struct gw_worker_context context;
    struct gw_exchange exchange = { .config = &config, .context = &context };
    gw_arena_init(&exchange.arena, 4096, 1 << 20);
    gw_head_init(&exchange.request);
    demand(
        gw_address_parse(&exchange.identity.peer, is_from_proxy ? GW_SLICE("10.0.0.1") : GW_SLICE("192.0.2.7"), false));
    for (unsigned i = 0; i < count; i++) {
        struct gw_slice value = fields[i].value;
        if (*prefix && gw_slice_equal(fields[i].name, names[0])) {
            char *longer = gw_arena_take(&exchange.arena, strlen(prefix) + value.length);
            demand(longer);
            memcpy(longer, prefix, strlen(prefix));
            memcpy(longer + strlen(prefix), value.at, value.length);
            value = gw_slice_of(longer, strlen(prefix) + value.length);
            prefix = "";
        }
        demand(gw_head_add(&exchange.request, &exchange.arena, fields[i].name, value));
    }
    demand(gw_filter_identify.on_request(&exchange) == GW_FILTER_CONTINUE);
    for (unsigned i = 0; i < exchange.request.count && !is_from_proxy; i++)
        demand(exchange.request.fields[i].dropped || !is_side(exchange.request.fields[i].name));
    struct gw_address client = exchange.identity.client;
    if (!is_from_proxy)
        demand(memcmp(&client, &exchange.identity.peer, sizeof(client)) == 0);
    gw_arena_free(&exchange.arena);
    return client;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = { .at = data, .left = size };
    struct written fields[16];
    unsigned count = 0;
    set_trusted();
    while (input.left && count < GW_COUNT(fields)) {
        fields[count].name = names[fuzz_number(&input, 1) % GW_COUNT(names)];
        fields[count].value = fuzz_slice(&input);
        count += fields[count].value.at != NULL;
    }
    (void)identify(fields, count, false, "");
    struct gw_address client = identify(fields, count, true, "");
    if (!gw_networks_have(config.trusted_proxies, config.trusted_proxy_count, &client)) {
        struct gw_address again = identify(fields, count, true, "203.0.113.9, ");
        demand(memcmp(&client, &again, sizeof(client)) == 0);
    }
    fuzz_end(&input);
    return 0;
}
