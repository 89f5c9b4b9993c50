/* Has the client a key that is known? What is known lies in Redis, as <prefix>api-key:<SHA-256 of the key, in hex>. */
#include "exchange/exchange.h"
#include "exchange/worker_context.h"
#include "filter/table.h"

struct key_slot {
    struct gw_store_call *call; /* NULL: nothing is asked */
    bool is_checked, is_known;
};

static void key_on_reply(void *owner, const struct gw_store_reply *reply)
{
    struct key_slot *slot = owner;
    slot->call = NULL;
    slot->is_checked = reply->result != GW_STORE_LOST;
    slot->is_known = reply->result == GW_STORE_VALUE;
    gw_filter_answered(slot);
}

static enum gw_filter_result key_on_request(struct gw_exchange *exchange)
{
    const struct gw_field *field = gw_head_find_named(&exchange->request, GW_SLICE("X-Api-Key"));
    struct gw_store *store = exchange->context->limit_store; /* NULL: there is no Redis */
    struct key_slot *slot = gw_filter_slot(exchange, &gw_filter_known_key);
    char memory[256];
    uint8_t digest[32];
    if (!field) {
        gw_exchange_answer_error(exchange, GW_ERROR_API_KEY);
        return GW_FILTER_ANSWERED;
    }
    struct gw_buffer key = gw_buffer_over(memory, sizeof memory);
    gw_key_digest(exchange->context->keys, field->value, digest);
    gw_buffer_put_slice(&key, exchange->config->redis_prefix);
    gw_buffer_put_literal(&key, "api-key:");
    gw_buffer_put_hex(&key, digest, sizeof digest);
    if (store && !key.overflowed)
        slot->call = gw_store_get(store, gw_buffer_slice(&key), key_on_reply, slot);
    return slot->call ? GW_FILTER_ASKED : GW_FILTER_CONTINUE;
}

/* Also where nothing could be asked, or the deadline has passed: then is_checked is false. */
static enum gw_filter_result key_on_answers(struct gw_exchange *exchange)
{
    const struct key_slot *slot = gw_filter_slot(exchange, &gw_filter_known_key);
    if (slot->is_known)
        return GW_FILTER_CONTINUE;
    gw_exchange_answer_error(exchange, slot->is_checked ? GW_ERROR_API_KEY : GW_ERROR_API_KEY_UNCHECKED);
    return GW_FILTER_ANSWERED;
}

static void key_on_cancel(struct gw_exchange *exchange, void *state)
{
    struct key_slot *slot = state;
    (void)exchange;
    gw_store_cancel(&slot->call);
}

const struct gw_filter gw_filter_known_key = {
    .name = "known_key",
    .slot_bytes = sizeof(struct key_slot),
    .on_request = key_on_request,
    .on_answers = key_on_answers,
    .on_cancel = key_on_cancel,
};
