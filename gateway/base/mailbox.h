/* mailbox.h: how one thread makes another act: one queue, one uv_async.
 *
 * Memory   A message lies in the object it is about; the sender gives it up until it is delivered.
 * Threads  post: any. Delivery: on the owner's loop, in the order posted, outside the lock. */
#ifndef GW_BASE_MAILBOX_H
#define GW_BASE_MAILBOX_H

#include <uv.h>
#include "base/base.h"

struct gw_message {
    void (*deliver)(struct gw_message *message); /* runs once, on the receiving loop; may free the message's object */

    struct gw_message *next;
};

struct gw_mailbox {
    uv_async_t async;
    uv_mutex_t lock;

    struct gw_message *first, **last;
};

/* Returns 0 or a libuv error. */
int gw_mailbox_open(struct gw_mailbox *mailbox, uv_loop_t *loop) GW_MUST_CHECK;
/* On the owner's loop; what lies in the box is delivered first. Nobody may post any more. */
void gw_mailbox_close(struct gw_mailbox *mailbox);
/* After the loop ran the close. */
void gw_mailbox_free(struct gw_mailbox *mailbox);
void gw_mailbox_post(struct gw_mailbox *mailbox, struct gw_message *message);

#endif
