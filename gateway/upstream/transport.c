#include "upstream/transport.h"

bool gw_transport_send(struct gw_transport *transport, struct gw_call *call, struct gw_slice bytes,
                       struct gw_block *block)
{
    return transport->table->send(call, bytes, block);
}

void gw_transport_end_body(struct gw_transport *transport, struct gw_call *call)
{
    transport->table->end_body(call);
}

void gw_transport_go_on(struct gw_transport *transport, struct gw_call *call)
{
    if (transport->table->go_on)
        transport->table->go_on(call);
}

bool gw_transport_takes_body(struct gw_transport *transport, const struct gw_call *call)
{
    return transport->table->takes_body && transport->table->takes_body(call);
}

void gw_transport_pause(struct gw_transport *transport, struct gw_call *call)
{
    transport->table->pause(call);
}

void gw_transport_resume(struct gw_transport *transport, struct gw_call *call)
{
    transport->table->resume(call);
}

void gw_transport_cancel(struct gw_transport *transport, struct gw_call *call)
{
    transport->table->cancel(call);
}
