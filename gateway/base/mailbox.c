#include "base/mailbox.h"

#include <stdbool.h>

enum { MAILBOX_MAGIC = 0x4d41494c }; /* MAIL */

static void mailbox_deliver_all(struct gw_mailbox *mailbox)
{
    uv_mutex_lock(&mailbox->lock);
    struct gw_message *message = mailbox->first;
    mailbox->first = NULL;
    mailbox->last = &mailbox->first;
    uv_mutex_unlock(&mailbox->lock);
    while (message) {
        struct gw_message *next = message->next;
        message->deliver(message);
        message = next;
    }
}

static void mailbox_on_async(uv_async_t *async)
{
    mailbox_deliver_all(GW_FROM_CONTEXT(async->data, struct gw_mailbox, MAILBOX_MAGIC));
}

int gw_mailbox_open(struct gw_mailbox *mailbox, uv_loop_t *loop)
{
    int result = uv_mutex_init(&mailbox->lock);
    if (result)
        return result;
    mailbox->magic = GW_MAGIC(MAILBOX_MAGIC);
    mailbox->first = NULL;
    mailbox->last = &mailbox->first;
    result = uv_async_init(loop, &mailbox->async, mailbox_on_async);
    mailbox->async.data = mailbox;
    if (result)
        uv_mutex_destroy(&mailbox->lock);
    return result;
}

void gw_mailbox_close(struct gw_mailbox *mailbox)
{
    mailbox_deliver_all(mailbox);
    mailbox->magic = GW_NO_MAGIC;
    uv_close((uv_handle_t *)&mailbox->async, NULL);
}

void gw_mailbox_free(struct gw_mailbox *mailbox)
{
    uv_mutex_destroy(&mailbox->lock);
}

void gw_mailbox_post(struct gw_mailbox *mailbox, struct gw_message *message)
{
    message->next = NULL;
    uv_mutex_lock(&mailbox->lock);
    bool was_empty = mailbox->first == NULL;
    *mailbox->last = message;
    mailbox->last = &message->next;
    uv_mutex_unlock(&mailbox->lock);
    if (was_empty)
        uv_async_send(&mailbox->async);
}
