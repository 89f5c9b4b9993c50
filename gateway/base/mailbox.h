/* mailbox.h: messages from any thread to the loop of the mailbox's owner: one queue and one uv_async.
 *
 * Memory   A message is a member of the object that it is about. From posting to delivery the sender must not touch the
 *          message.
 * Threads  Any thread may post. Messages are delivered on the owner's loop, in the order in which they were posted, and
 *          outside the lock. */
#ifndef GW_BASE_MAILBOX_H
#define GW_BASE_MAILBOX_H

#include <uv.h>
#include "base/base.h"
#include "base/check.h"

struct gw_message {
    void (*deliver)(struct gw_message *message); /* runs once for each post; may free the object */

    struct gw_message *next;
};

struct gw_mailbox {
    struct gw_magic magic;
    uv_async_t async;
    uv_mutex_t lock;

    struct gw_message *first, **last;
};

/* Returns 0 or a libuv error. */
int gw_mailbox_open(struct gw_mailbox *mailbox, uv_loop_t *loop) GW_MUST_CHECK;
/* To be called on the owner's loop. Delivers what lies in the mailbox first. Posting is not allowed afterwards. */
void gw_mailbox_close(struct gw_mailbox *mailbox);
/* To be called after the loop has run the handle's close. */
void gw_mailbox_free(struct gw_mailbox *mailbox);
void gw_mailbox_post(struct gw_mailbox *mailbox, struct gw_message *message);

#endif
