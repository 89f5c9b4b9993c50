/* Coalescing: one thread plays several workers. Workers that race are in test_coalescing_race.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/base.h"
#include "cache/coalescing.h"

static struct gw_cache_key key_of(unsigned number)
{
    struct gw_cache_key key = { .name_space = { 3 } };
    memcpy(key.sha, &number, sizeof number);
    return key;
}

struct scene {
    uv_loop_t loop;
    struct gw_mailbox mailbox;
    struct gw_coalescing *coalescing;
    unsigned told;
};

static void set_up(struct scene *scene)
{
    scene->told = 0;
    assert_int_equal(uv_loop_init(&scene->loop), 0);
    assert_int_equal(gw_mailbox_open(&scene->mailbox, &scene->loop), 0);
    scene->coalescing = gw_coalescing_create();
    assert_non_null(scene->coalescing);
}

static void tear_down(struct scene *scene)
{
    gw_mailbox_close(&scene->mailbox);
    uv_run(&scene->loop, UV_RUN_DEFAULT);
    gw_mailbox_free(&scene->mailbox);
    assert_int_equal(uv_loop_close(&scene->loop), 0);
    gw_coalescing_destroy(&scene->coalescing);
    assert_null(scene->coalescing);
}

static void on_event(void *owner, const struct gw_coalescing_event *event)
{
    (void)event;
    ((struct scene *)owner)->told++;
}

static enum gw_coalescing_role enter(struct scene *scene, const struct gw_cache_key *key, unsigned worker,
                                     struct gw_coalescing_ask *ask)
{
    *ask = (struct gw_coalescing_ask) {
        .key = key, .worker = worker, .mailbox = &scene->mailbox, .on_event = on_event, .owner = scene
    };
    return gw_coalescing_start(scene->coalescing, ask);
}

static void the_first_leads_its_worker_joins_and_others_wait(void **state)
{
    (void)state;
    struct scene scene;
    struct gw_coalescing_ask leader, local, other, elsewhere;
    struct gw_cache_key key = key_of(1), another = key_of(2);
    int fetch;
    set_up(&scene);
    assert_int_equal(enter(&scene, &key, 0, &leader), GW_COALESCING_LEAD);
    gw_coalescing_set_fetch(leader.coalesced, &fetch);
    assert_int_equal(enter(&scene, &key, 0, &local), GW_COALESCING_JOIN);
    assert_ptr_equal(local.fetch, &fetch);
    assert_int_equal(enter(&scene, &key, 1, &other), GW_COALESCING_WAIT);
    assert_int_equal(enter(&scene, &another, 1, &elsewhere), GW_COALESCING_LEAD);
    gw_coalescing_finish(&leader.coalesced);
    assert_null(leader.coalesced);
    assert_int_equal(scene.told, 0); /* by its mailbox, not within the call */
    uv_run(&scene.loop, UV_RUN_ONCE);
    assert_int_equal(scene.told, 1);
    gw_coalescing_finish(&elsewhere.coalesced);
    tear_down(&scene);
}

static void the_same_path_in_another_name_space_is_another_fetch(void **state)
{
    (void)state;
    struct scene scene;
    struct gw_coalescing_ask one, two;
    struct gw_cache_key key = key_of(1), other = key;
    other.name_space[31] = 1;
    set_up(&scene);
    assert_int_equal(enter(&scene, &key, 0, &one), GW_COALESCING_LEAD);
    assert_int_equal(enter(&scene, &other, 0, &two), GW_COALESCING_LEAD);
    gw_coalescing_finish(&one.coalesced);
    gw_coalescing_finish(&two.coalesced);
    tear_down(&scene);
}

/* An answer that is on its way to the store is found by the store itself; a purge or a write says that it is out of
 * date. */
static void a_request_after_a_detachment_leads_another_fetch(void **state)
{
    static const struct {
        void (*detach)(struct gw_coalescing *coalescing, const struct gw_cache_key *key);
        bool is_storing, is_detached;
    } rows[] = {
        { gw_coalescing_detach, false, true },
        { gw_coalescing_detach, true, true },
        { gw_coalescing_detach_told, false, true },
        { gw_coalescing_detach_told, true, false },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct scene scene;
        struct gw_coalescing_ask leader, waits, next;
        struct gw_cache_key key = key_of(1), other = key_of(2);
        int fetch;
        set_up(&scene);
        enter(&scene, &key, 0, &leader);
        gw_coalescing_set_fetch(leader.coalesced, &fetch);
        assert_int_equal(enter(&scene, &key, 1, &waits), GW_COALESCING_WAIT);
        if (rows[i].is_storing)
            gw_coalescing_set_storing(leader.coalesced);
        rows[i].detach(scene.coalescing, &other);
        assert_int_equal(enter(&scene, &key, 0, &next), GW_COALESCING_JOIN);
        rows[i].detach(scene.coalescing, &key);
        assert_int_equal(enter(&scene, &key, 0, &next), rows[i].is_detached ? GW_COALESCING_LEAD : GW_COALESCING_JOIN);
        if (rows[i].is_detached)
            gw_coalescing_finish(&next.coalesced);
        assert_int_equal(scene.told, 0);
        gw_coalescing_finish(&leader.coalesced); /* requests that wait in it are woken all the same */
        uv_run(&scene.loop, UV_RUN_ONCE);
        assert_int_equal(scene.told, 1);
        tear_down(&scene);
    }
}

/* ---- requests that want the backend's word ---- */

enum { LONG_AGO = 1 };
static const uint64_t JUST_NOW = UINT64_MAX; /* after all that has begun */

struct visitor {
    struct gw_coalescing_ask ask;
    unsigned told;
    struct gw_entry *entry;
    enum gw_coalescing_source source;
    bool was_elsewhere;
    void *fetch;
    struct gw_coalesced *coalesced;
};

static void visitor_on_event(void *owner, const struct gw_coalescing_event *event)
{
    struct visitor *visitor = owner;
    visitor->told++;
    visitor->entry = event->entry;
    visitor->source = event->source;
    visitor->was_elsewhere = event->was_elsewhere;
    visitor->fetch = event->fetch;
    visitor->coalesced = event->coalesced;
}

static enum gw_coalescing_role comes(struct scene *scene, struct visitor *visitor, const struct gw_cache_key *key,
                                     unsigned worker, uint64_t came_at_us)
{
    *visitor = (struct visitor) { .told = 0 };
    visitor->ask = (struct gw_coalescing_ask) { .key = key,
                                                .worker = worker,
                                                .came_at_us = came_at_us,
                                                .mailbox = &scene->mailbox,
                                                .on_event = visitor_on_event,
                                                .owner = visitor };
    return gw_coalescing_start(scene->coalescing, &visitor->ask);
}

static struct gw_entry *new_entry(void)
{
    struct gw_entry *entry = calloc(1, sizeof *entry);
    assert_non_null(entry);
    atomic_init(&entry->refs, 1);
    return entry;
}

static void a_request_that_came_before_a_fetch_began_shares_its_answer(void **state)
{
    (void)state;
    struct scene scene;
    struct visitor leader, local, other, ordinary;
    struct gw_cache_key key = key_of(1);
    struct gw_entry *entry = new_entry();
    int fetch;
    set_up(&scene);
    assert_int_equal(comes(&scene, &leader, &key, 0, LONG_AGO), GW_COALESCING_LEAD);
    gw_coalescing_set_fetch(leader.ask.coalesced, &fetch);
    assert_int_equal(comes(&scene, &local, &key, 0, LONG_AGO), GW_COALESCING_JOIN);
    assert_ptr_equal(local.ask.fetch, &fetch);
    assert_int_equal(comes(&scene, &other, &key, 1, LONG_AGO), GW_COALESCING_WAIT);
    assert_int_equal(comes(&scene, &ordinary, &key, 1, 0), GW_COALESCING_WAIT);
    assert_true(gw_coalescing_is_awaited(leader.ask.coalesced));
    gw_coalescing_set_answer(leader.ask.coalesced, entry, GW_COALESCING_CONFIRMED, false);
    gw_coalescing_finish(&leader.ask.coalesced);
    uv_run(&scene.loop, UV_RUN_ONCE);
    assert_int_equal(other.told, 1);
    assert_ptr_equal(other.entry, entry);
    assert_int_equal(other.source, GW_COALESCING_CONFIRMED);
    assert_int_equal(ordinary.told, 1);
    assert_null(ordinary.entry); /* it looks up what is stored */
    assert_int_equal(atomic_load(&entry->refs), 1);
    gw_entry_unref(entry);
    tear_down(&scene);
}

/* On any worker; the first of these requests leads the next fetch for all of them. */
static void a_request_that_came_after_a_fetch_began_shares_the_next_one(void **state)
{
    (void)state;
    struct scene scene;
    struct visitor before, first, second, third, late;
    struct gw_cache_key key = key_of(1);
    struct gw_entry *old = new_entry(), *entry = new_entry();
    int fetch;
    set_up(&scene);
    comes(&scene, &before, &key, 0, 0);
    gw_coalescing_set_fetch(before.ask.coalesced, &fetch);
    assert_int_equal(comes(&scene, &first, &key, 0, JUST_NOW), GW_COALESCING_WAIT);
    assert_int_equal(comes(&scene, &second, &key, 0, JUST_NOW), GW_COALESCING_WAIT);
    assert_int_equal(comes(&scene, &third, &key, 1, JUST_NOW), GW_COALESCING_WAIT);
    assert_false(gw_coalescing_is_awaited(before.ask.coalesced)); /* its end is, not its answer */
    gw_coalescing_set_answer(before.ask.coalesced, old, GW_COALESCING_FETCHED, false);
    gw_coalescing_finish(&before.ask.coalesced);
    uv_run(&scene.loop, UV_RUN_ONCE);
    assert_int_equal(first.told, 1);
    assert_null(first.entry);
    assert_non_null(first.coalesced);
    assert_int_equal(second.told + third.told, 0);
    assert_true(gw_coalescing_may_wait_on(second.ask.waiter));
    assert_false(gw_coalescing_may_wait_on(second.ask.waiter)); /* once */
    assert_true(gw_coalescing_is_awaited(first.coalesced));
    assert_int_equal(comes(&scene, &late, &key, 0, 0), GW_COALESCING_WAIT); /* no fetch to join yet */
    gw_coalescing_set_fetch(first.coalesced, &fetch);
    gw_coalescing_set_answer(first.coalesced, entry, GW_COALESCING_FETCHED, false);
    gw_coalescing_finish(&first.coalesced);
    uv_run(&scene.loop, UV_RUN_ONCE);
    assert_ptr_equal(second.entry, entry);
    assert_ptr_equal(third.entry, entry);
    assert_int_equal(third.source, GW_COALESCING_FETCHED);
    assert_int_equal(late.told, 1);
    assert_int_equal(first.told + second.told + third.told, 3);
    assert_int_equal(atomic_load(&old->refs) + atomic_load(&entry->refs), 2);
    gw_entry_unref(old);
    gw_entry_unref(entry);
    tear_down(&scene);
}

static void a_next_leader_that_left_leaves_the_others_to_themselves(void **state)
{
    (void)state;
    for (unsigned is_posted = 0; is_posted < 2; is_posted++) {
        struct scene scene;
        struct visitor before, first, second;
        struct gw_cache_key key = key_of(1);
        set_up(&scene);
        comes(&scene, &before, &key, 0, 0);
        comes(&scene, &first, &key, 1, JUST_NOW);
        comes(&scene, &second, &key, 1, JUST_NOW);
        if (!is_posted)
            gw_coalescing_cancel(&first.ask.waiter);
        gw_coalescing_finish(&before.ask.coalesced);
        if (is_posted)
            gw_coalescing_cancel(&first.ask.waiter); /* its message is on the way */
        uv_run(&scene.loop, UV_RUN_ONCE);
        while (!second.told)
            uv_run(&scene.loop, UV_RUN_ONCE);
        assert_int_equal(first.told, 0);
        assert_int_equal(second.told, 1);
        assert_true(is_posted ? second.coalesced == NULL : second.coalesced != NULL); /* it enters again, or leads */
        if (second.coalesced)
            gw_coalescing_finish(&second.coalesced);
        assert_int_equal(comes(&scene, &first, &key, 0, 0), GW_COALESCING_LEAD); /* none is left */
        gw_coalescing_finish(&first.ask.coalesced);
        tear_down(&scene);
    }
}

static void a_successor_of_a_detached_fetch_shares_the_one_that_began_since(void **state)
{
    (void)state;
    struct scene scene;
    struct visitor before, waits, next;
    struct gw_cache_key key = key_of(1);
    struct gw_entry *entry = new_entry();
    set_up(&scene);
    comes(&scene, &before, &key, 0, 0);
    assert_int_equal(comes(&scene, &waits, &key, 0, JUST_NOW), GW_COALESCING_WAIT);
    gw_coalescing_detach(scene.coalescing, &key);
    assert_int_equal(comes(&scene, &next, &key, 1, 0), GW_COALESCING_LEAD);
    gw_coalescing_finish(&before.ask.coalesced);
    assert_true(gw_coalescing_is_awaited(next.ask.coalesced));
    gw_coalescing_set_answer(next.ask.coalesced, entry, GW_COALESCING_FETCHED, false);
    gw_coalescing_finish(&next.ask.coalesced);
    uv_run(&scene.loop, UV_RUN_ONCE);
    assert_int_equal(waits.told, 1);
    assert_ptr_equal(waits.entry, entry);
    gw_entry_unref(entry);
    tear_down(&scene);
}

/* The fetch before was on its way to the store; of the next one nothing is yet. */
static void what_the_store_tells_while_the_next_fetch_runs_detaches_that(void **state)
{
    (void)state;
    struct scene scene;
    struct visitor before, next, late;
    struct gw_cache_key key = key_of(1);
    set_up(&scene);
    comes(&scene, &before, &key, 0, 0);
    assert_int_equal(comes(&scene, &next, &key, 0, JUST_NOW), GW_COALESCING_WAIT);
    gw_coalescing_set_storing(before.ask.coalesced);
    gw_coalescing_finish(&before.ask.coalesced);
    uv_run(&scene.loop, UV_RUN_ONCE);
    assert_non_null(next.coalesced);
    gw_coalescing_detach_told(scene.coalescing, &key);
    assert_int_equal(comes(&scene, &late, &key, 0, 0), GW_COALESCING_LEAD);
    gw_coalescing_finish(&late.ask.coalesced);
    gw_coalescing_finish(&next.coalesced);
    tear_down(&scene);
}

/* ---- before the fetch has begun ---- */

static void a_fetch_that_begins_is_joined_by_the_waiters_of_its_worker(void **state)
{
    (void)state;
    struct scene scene;
    struct visitor leader, local, reload, other, late;
    struct gw_cache_key key = key_of(1);
    int fetch;
    set_up(&scene);
    assert_int_equal(comes(&scene, &leader, &key, 0, 0), GW_COALESCING_LEAD);
    assert_int_equal(comes(&scene, &local, &key, 0, 0), GW_COALESCING_WAIT);
    assert_int_equal(comes(&scene, &reload, &key, 0, LONG_AGO), GW_COALESCING_WAIT);
    assert_int_equal(comes(&scene, &other, &key, 1, 0), GW_COALESCING_WAIT);
    gw_coalescing_set_fetch(leader.ask.coalesced,
                            &fetch); /* within the call: the fetch may end before a message comes */
    assert_ptr_equal(local.fetch, &fetch);
    assert_ptr_equal(reload.fetch, &fetch);
    assert_int_equal(other.told, 0);
    assert_int_equal(comes(&scene, &late, &key, 0, 0), GW_COALESCING_JOIN);
    gw_coalescing_finish(&leader.ask.coalesced);
    uv_run(&scene.loop, UV_RUN_ONCE);
    assert_int_equal(other.told, 1);
    assert_int_equal(local.told + reload.told, 2); /* once each */
    tear_down(&scene);
}

static void a_leader_that_leaves_passes_the_lead_on_to_the_first_that_may_have_it(void **state)
{
    (void)state;
    struct scene scene;
    struct visitor leader, part, first, second, late;
    struct gw_cache_key key = key_of(1);
    int fetch;
    set_up(&scene);
    comes(&scene, &leader, &key, 0, 0);
    part = (struct visitor) { .ask = { .key = &key,
                                       .never_leads = true,
                                       .mailbox = &scene.mailbox,
                                       .on_event = visitor_on_event,
                                       .owner = &part } };
    assert_int_equal(gw_coalescing_start(scene.coalescing, &part.ask), GW_COALESCING_WAIT);
    comes(&scene, &first, &key, 1, 0);
    comes(&scene, &second, &key, 1, 0);
    gw_coalescing_pass_on(&leader.ask.coalesced);
    assert_null(leader.ask.coalesced);
    assert_int_equal(comes(&scene, &late, &key, 1, 0), GW_COALESCING_WAIT); /* the leader does not know it yet */
    uv_run(&scene.loop, UV_RUN_ONCE);
    assert_non_null(first.coalesced);
    assert_int_equal(part.told + second.told + late.told, 0);
    gw_coalescing_set_fetch(first.coalesced, &fetch);
    assert_ptr_equal(second.fetch, &fetch);
    assert_ptr_equal(late.fetch, &fetch);
    gw_coalescing_finish(&first.coalesced);
    uv_run(&scene.loop, UV_RUN_ONCE);
    assert_int_equal(part.told, 1);
    tear_down(&scene);
}

static void without_anybody_to_pass_it_on_to_it_ends(void **state)
{
    (void)state;
    for (unsigned is_detached = 0; is_detached < 2; is_detached++) {
        struct scene scene;
        struct visitor leader, waits, next;
        struct gw_cache_key key = key_of(1);
        set_up(&scene);
        comes(&scene, &leader, &key, 0, 0);
        if (is_detached) { /* out of date: each waiting request looks again */
            comes(&scene, &waits, &key, 0, 0);
            gw_coalescing_detach(scene.coalescing, &key);
        }
        gw_coalescing_pass_on(&leader.ask.coalesced);
        assert_null(leader.ask.coalesced);
        if (is_detached) {
            uv_run(&scene.loop, UV_RUN_ONCE);
            assert_int_equal(waits.told, 1);
            assert_null(waits.coalesced);
        }
        assert_int_equal(comes(&scene, &next, &key, 0, 0), GW_COALESCING_LEAD);
        gw_coalescing_finish(&next.ask.coalesced);
        tear_down(&scene);
    }
}

static void what_the_leader_found_in_the_store_is_handed_to_those_that_may_take_it(void **state)
{
    (void)state;
    struct scene scene;
    struct visitor leader, ordinary, reload;
    struct gw_cache_key key = key_of(1);
    struct gw_entry *entry = new_entry();
    set_up(&scene);
    comes(&scene, &leader, &key, 0, 0);
    comes(&scene, &ordinary, &key, 0, 0);
    comes(&scene, &reload, &key, 1, LONG_AGO);
    gw_coalescing_set_answer(leader.ask.coalesced, entry, GW_COALESCING_STORED, true);
    gw_coalescing_finish(&leader.ask.coalesced);
    uv_run(&scene.loop, UV_RUN_ONCE);
    assert_ptr_equal(ordinary.entry, entry);
    assert_int_equal(ordinary.source, GW_COALESCING_STORED);
    assert_true(ordinary.was_elsewhere);
    assert_int_equal(reload.told, 1);
    assert_null(reload.entry); /* the time when the fetch was asked for is not known */
    assert_int_equal(atomic_load(&entry->refs), 1);
    gw_entry_unref(entry);
    tear_down(&scene);
}

/* ---- leaving ---- */

static void a_cancelled_waiter_is_not_woken(void **state)
{
    (void)state;
    struct scene scene;
    struct gw_coalescing_ask leader, before, after, stays;
    struct gw_cache_key key = key_of(1);
    set_up(&scene);
    assert_false(gw_coalescing_is_awaited(NULL));
    enter(&scene, &key, 0, &leader);
    assert_false(gw_coalescing_is_awaited(leader.coalesced));
    assert_int_equal(enter(&scene, &key, 1, &before), GW_COALESCING_WAIT);
    assert_int_equal(enter(&scene, &key, 1, &after), GW_COALESCING_WAIT);
    assert_int_equal(enter(&scene, &key, 1, &stays), GW_COALESCING_WAIT);
    gw_coalescing_cancel(&before.waiter);
    assert_null(before.waiter);
    gw_coalescing_cancel(&before.waiter); /* nothing is allowed */
    assert_true(gw_coalescing_is_awaited(leader.coalesced));
    gw_coalescing_finish(&leader.coalesced);
    gw_coalescing_cancel(&after.waiter); /* its message is on the way */
    uv_run(&scene.loop, UV_RUN_ONCE);
    assert_int_equal(scene.told, 1);
    tear_down(&scene);
}

static void a_finished_fetch_can_be_led_again(void **state)
{
    (void)state;
    struct scene scene;
    struct gw_coalescing_ask ask;
    struct gw_cache_key key = key_of(1);
    set_up(&scene);
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(enter(&scene, &key, i % 3, &ask), GW_COALESCING_LEAD);
        gw_coalescing_finish(&ask.coalesced);
    }
    tear_down(&scene);
}

static void many_fetches_are_told_apart(void **state)
{
    enum { FLIGHTS = 5000 };
    (void)state;
    struct scene scene;
    struct gw_coalesced **coalescing = calloc(FLIGHTS, sizeof(struct gw_coalesced *));
    set_up(&scene);
    for (unsigned i = 0; i < FLIGHTS; i++) {
        struct gw_cache_key key = key_of(i);
        struct gw_coalescing_ask ask;
        assert_int_equal(enter(&scene, &key, 0, &ask), GW_COALESCING_LEAD);
        coalescing[i] = ask.coalesced;
        gw_coalescing_set_fetch(ask.coalesced, &coalescing[i]);
    }
    for (unsigned i = 0; i < FLIGHTS; i++) {
        struct gw_cache_key key = key_of(i);
        struct gw_coalescing_ask ask;
        assert_int_equal(enter(&scene, &key, 0, &ask), GW_COALESCING_JOIN);
        assert_ptr_equal(ask.fetch, &coalescing[i]);
        gw_coalescing_finish(&coalescing[i]);
    }
    free(coalescing);
    tear_down(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_leads_its_worker_joins_and_others_wait),
        cmocka_unit_test(the_same_path_in_another_name_space_is_another_fetch),
        cmocka_unit_test(a_request_after_a_detachment_leads_another_fetch),
        cmocka_unit_test(a_request_that_came_before_a_fetch_began_shares_its_answer),
        cmocka_unit_test(a_request_that_came_after_a_fetch_began_shares_the_next_one),
        cmocka_unit_test(a_next_leader_that_left_leaves_the_others_to_themselves),
        cmocka_unit_test(a_successor_of_a_detached_fetch_shares_the_one_that_began_since),
        cmocka_unit_test(what_the_store_tells_while_the_next_fetch_runs_detaches_that),
        cmocka_unit_test(a_fetch_that_begins_is_joined_by_the_waiters_of_its_worker),
        cmocka_unit_test(a_leader_that_leaves_passes_the_lead_on_to_the_first_that_may_have_it),
        cmocka_unit_test(without_anybody_to_pass_it_on_to_it_ends),
        cmocka_unit_test(what_the_leader_found_in_the_store_is_handed_to_those_that_may_take_it),
        cmocka_unit_test(a_cancelled_waiter_is_not_woken),
        cmocka_unit_test(a_finished_fetch_can_be_led_again),
        cmocka_unit_test(many_fetches_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
