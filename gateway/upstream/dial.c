#include "upstream/dial.h"

enum { DIAL_MAGIC = 0x4449414c }; /* DIAL */

static void dial_try_next(struct gw_dial *dial);

/* Every failed attempt ends here: called from the loop, with the socket closed. */
static void dial_on_closed(uv_handle_t *handle)
{
    struct gw_dial *dial = GW_FROM_CONTEXT(handle->data, struct gw_dial, DIAL_MAGIC);
    if (dial->is_cancelled) {
        dial->magic = GW_NO_MAGIC;
        dial->on_gone(dial);
        return;
    }
    if (dial->is_over || dial->next >= dial->addresses.count || uv_now(dial->timers->loop) >= dial->until_ms) {
        dial->magic = GW_NO_MAGIC;
        dial->on_done(dial, dial->error);
        return;
    }
    uv_tcp_init(dial->timers->loop, dial->tcp);
    dial->tcp->data = dial;
    dial_try_next(dial);
}

static void dial_give_up(struct gw_dial *dial, enum gw_error error)
{
    gw_timer_stop(&dial->timer);
    dial->error = error;
    if (!uv_is_closing((uv_handle_t *)dial->tcp))
        uv_close((uv_handle_t *)dial->tcp, dial_on_closed);
}

static enum gw_error dial_error_of(int status)
{
    switch (status) {
    case UV_ETIMEDOUT:
        return GW_ERROR_CONNECT_TIMEOUT;
    case UV_EMFILE:
    case UV_ENFILE:
    case UV_ENOMEM:
    case UV_ENOBUFS:
        return GW_ERROR_OVERLOADED; /* a fault of the gateway, not of the backend: another address would not help */
    default:
        return GW_ERROR_CONNECT;
    }
}

static void dial_fail(struct gw_dial *dial, int status)
{
    enum gw_error error = dial_error_of(status);
    dial->is_over = error == GW_ERROR_OVERLOADED;
    dial_give_up(dial, error);
}

static void dial_on_connected(uv_connect_t *request, int status)
{
    struct gw_dial *dial = GW_FROM_CONTEXT(request->data, struct gw_dial, DIAL_MAGIC);
    if (uv_is_closing((uv_handle_t *)dial->tcp))
        return; /* timed out or cancelled: on_closed goes on */
    if (status < 0) {
        dial_fail(dial, status);
        return;
    }
    gw_timer_stop(&dial->timer);
    dial->magic = GW_NO_MAGIC;
    dial->on_done(dial, GW_ERROR_NONE);
}

static void dial_try_next(struct gw_dial *dial)
{
    union gw_resolver_address *address = &dial->addresses.list[dial->next];
    unsigned left = dial->addresses.count - dial->next++;
    if (address->any.sa_family == AF_INET6)
        address->v6.sin6_port = htons(dial->port);
    else
        address->v4.sin_port = htons(dial->port);
    gw_timer_start(dial->timers, &dial->timer, (dial->until_ms - uv_now(dial->timers->loop)) / left);
    dial->request.data = dial;
    int status = uv_tcp_connect(&dial->request, dial->tcp, &address->any, dial_on_connected);
    if (status < 0)
        dial_fail(dial, status);
}

static void dial_on_answer(struct gw_resolver_question *question, const struct gw_resolver_addresses *addresses)
{
    struct gw_dial *dial = GW_CONTAINER(question, struct gw_dial, question);
    GW_CHECK_MAGIC(dial, DIAL_MAGIC);
    gw_timer_stop(&dial->timer);
    if (addresses->count == 0) {
        dial->is_over = true;
        dial_give_up(dial, GW_ERROR_RESOLVE);
        return;
    }
    dial->addresses = *addresses;
    if (uv_now(dial->timers->loop) >= dial->until_ms)
        dial_give_up(dial, GW_ERROR_CONNECT_TIMEOUT);
    else
        dial_try_next(dial);
}

static void dial_on_due(struct gw_timer *timer)
{
    struct gw_dial *dial = GW_CONTAINER(timer, struct gw_dial, timer);
    GW_CHECK_MAGIC(dial, DIAL_MAGIC);
    gw_resolver_cancel(&dial->question);
    dial_give_up(dial, GW_ERROR_CONNECT_TIMEOUT);
}

enum gw_error gw_dial_begin(struct gw_dial *dial, struct gw_resolver *resolver, struct gw_timers *timers,
                            struct gw_slice host, uint16_t port, uint64_t timeout_ms)
{
    dial->timers = timers;
    dial->port = port;
    dial->until_ms = uv_now(timers->loop) + (timeout_ms ? timeout_ms : 1);
    dial->next = 0;
    dial->error = GW_ERROR_NONE;
    dial->is_cancelled = dial->is_over = false;
    dial->question.on_answer = dial_on_answer;
    gw_timer_init(&dial->timer, dial_on_due);

    enum gw_resolver_outcome outcome = gw_resolver_ask(resolver, &dial->question, host, &dial->addresses);
    if (outcome == GW_RESOLVER_OVERLOAD)
        return GW_ERROR_OVERLOADED;
    dial->magic = GW_MAGIC(DIAL_MAGIC);
    uv_tcp_init(timers->loop, dial->tcp);
    dial->tcp->data = dial;
    if (outcome == GW_RESOLVER_KNOWN) {
        dial_try_next(dial);
    } else {
        dial->addresses.count = 0;
        gw_timer_start(timers, &dial->timer, timeout_ms);
    }
    return GW_ERROR_NONE;
}

void gw_dial_cancel(struct gw_dial *dial)
{
    GW_CHECK_MAGIC(dial, DIAL_MAGIC);
    dial->is_cancelled = true;
    gw_resolver_cancel(&dial->question);
    dial_give_up(dial, GW_ERROR_CANCELLED);
}
