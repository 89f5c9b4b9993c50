#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "base/mailbox.h"

enum { SENDERS = 4, LETTERS = 2000 };

struct note {
    struct gw_message message;
    struct box *box;
    unsigned sender, number;
};

struct box {
    uv_loop_t loop;
    struct gw_mailbox mailbox;
    uv_thread_t owner;
    unsigned delivered, next_of[SENDERS];
    bool out_of_order, on_wrong_thread;
};

static void open_box(struct box *box)
{
    *box = (struct box) { .delivered = 0 };
    box->owner = uv_thread_self();
    assert_int_equal(uv_loop_init(&box->loop), 0);
    assert_int_equal(gw_mailbox_open(&box->mailbox, &box->loop), 0);
}

static void close_box(struct box *box)
{
    gw_mailbox_close(&box->mailbox);
    uv_run(&box->loop, UV_RUN_DEFAULT);
    gw_mailbox_free(&box->mailbox);
    assert_int_equal(uv_loop_close(&box->loop), 0);
}

/* The message lies in the note, and goes with it. */
static void deliver(struct gw_message *message)
{
    struct note *note = GW_CONTAINER(message, struct note, message);
    struct box *box = note->box;
    uv_thread_t self = uv_thread_self();
    box->on_wrong_thread |= !uv_thread_equal(&self, &box->owner);
    box->out_of_order |= box->next_of[note->sender] != note->number;
    box->next_of[note->sender] = note->number + 1;
    box->delivered++;
    free(note);
}

static struct note *note_for(struct box *box, unsigned sender, unsigned number)
{
    struct note *note = malloc(sizeof *note);
    assert_non_null(note);
    *note = (struct note) { .message.deliver = deliver, .box = box, .sender = sender, .number = number };
    return note;
}

static void messages_are_delivered_on_the_loop_in_the_order_posted(void **state)
{
    (void)state;
    struct box box;
    open_box(&box);
    for (unsigned i = 0; i < 10; i++)
        gw_mailbox_post(&box.mailbox, &note_for(&box, 0, i)->message);
    assert_int_equal(box.delivered, 0); /* not within the post */
    while (box.delivered < 10)
        uv_run(&box.loop, UV_RUN_ONCE);
    assert_false(box.out_of_order);
    close_box(&box);
}

struct sender {
    uv_thread_t thread;
    struct box *box;
    unsigned index;
};

static void send_all(void *context)
{
    struct sender *sender = context;
    for (unsigned i = 0; i < LETTERS; i++)
        gw_mailbox_post(&sender->box->mailbox, &note_for(sender->box, sender->index, i)->message);
}

static void messages_of_many_threads_all_arrive_each_in_its_order(void **state)
{
    (void)state;
    struct box box;
    struct sender senders[SENDERS];
    open_box(&box);
    for (unsigned i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender) { .box = &box, .index = i };
        assert_int_equal(uv_thread_create(&senders[i].thread, send_all, &senders[i]), 0);
    }
    while (box.delivered < SENDERS * LETTERS)
        uv_run(&box.loop, UV_RUN_ONCE);
    for (unsigned i = 0; i < SENDERS; i++)
        assert_int_equal(uv_thread_join(&senders[i].thread), 0);
    assert_false(box.out_of_order);
    assert_false(box.on_wrong_thread);
    close_box(&box);
    assert_int_equal(box.delivered, SENDERS * LETTERS);
}

static void what_lies_in_the_box_is_delivered_at_its_close(void **state)
{
    (void)state;
    struct box box;
    open_box(&box);
    for (unsigned i = 0; i < 3; i++)
        gw_mailbox_post(&box.mailbox, &note_for(&box, 0, i)->message);
    close_box(&box);
    assert_int_equal(box.delivered, 3);
    assert_false(box.out_of_order);
}

static void deliver_and_post_again(struct gw_message *message)
{
    struct note *note = GW_CONTAINER(message, struct note, message);
    note->box->delivered++;
    if (++note->number < 5)
        gw_mailbox_post(&note->box->mailbox, message);
    else
        free(note);
}

static void a_message_may_be_posted_again_while_it_is_delivered(void **state)
{
    (void)state;
    struct box box;
    open_box(&box);
    struct note *note = note_for(&box, 0, 0);
    note->message.deliver = deliver_and_post_again;
    gw_mailbox_post(&box.mailbox, &note->message);
    while (box.delivered < 5)
        uv_run(&box.loop, UV_RUN_ONCE);
    close_box(&box);
    assert_int_equal(box.delivered, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_delivered_on_the_loop_in_the_order_posted),
        cmocka_unit_test(messages_of_many_threads_all_arrive_each_in_its_order),
        cmocka_unit_test(what_lies_in_the_box_is_delivered_at_its_close),
        cmocka_unit_test(a_message_may_be_posted_again_while_it_is_delivered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
