#include "exchange/exchange.h"
#include "filter/table.h"

/* How far OPTIONS and TRACE may still go (RFC 9110 §7.6.2): one hop less for the next one, and at none left the
 * answer is made here. */

static bool max_forwards_write(struct gw_exchange *exchange, struct gw_field *field, uint64_t hops)
{
    enum { DIGITS = 20 };
    char *memory = gw_arena_take(&exchange->arena, DIGITS);
    if (!memory)
        return false;
    struct gw_buffer text = gw_buffer_over(memory, DIGITS);
    gw_buffer_put_uint(&text, hops);
    field->value = gw_buffer_slice(&text);
    return true;
}

/* TRACE would return the request to its sender, credentials included: a gateway should not. */
static enum gw_filter_result max_forwards_answer_as_last(struct gw_exchange *exchange)
{
    if (exchange->request.method == GW_METHOD_TRACE)
        gw_exchange_answer_error(exchange, GW_ERROR_METHOD);
    else
        gw_exchange_answer(exchange, 204, GW_NO_SLICE, GW_NO_SLICE);
    return GW_FILTER_ANSWERED;
}

static enum gw_filter_result max_forwards_on_request(struct gw_exchange *exchange)
{
    const struct gw_head *request = &exchange->request;
    if (request->method != GW_METHOD_OPTIONS && request->method != GW_METHOD_TRACE)
        return GW_FILTER_CONTINUE;
    struct gw_field *field = gw_head_find(request, GW_FIELD_MAX_FORWARDS);
    for (; field; field = gw_head_find_next(request, field)) {
        uint64_t hops;
        if (!gw_slice_to_uint64(field->value, &hops))
            continue; /* no number, so no promise: the next recipient's to judge */
        if (hops == 0)
            return max_forwards_answer_as_last(exchange);
        if (!max_forwards_write(exchange, field, hops - 1)) {
            gw_exchange_answer_error(exchange, GW_ERROR_OVERLOADED);
            return GW_FILTER_ANSWERED;
        }
    }
    return GW_FILTER_CONTINUE;
}

const struct gw_filter gw_filter_max_forwards = {
    .name = "max_forwards",
    .on_request = max_forwards_on_request,
};
