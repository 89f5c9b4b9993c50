#include "cache/purger.h"

#include <stdatomic.h>
#include <stdlib.h>
#include "base/buffer.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "store/reply.h"

enum {
    AWAY_MS = 8, /* between looks at a store that is away: the poll is to come before look-ups */
    /* A poll of another worker this long ago is recent enough: less than a tick, or its next one would find its own. */
    RECENT_US = (GW_PURGER_POLL_MS - 2 * GW_TIMER_SLOT_MS) * 1000,
    KEY_BYTES = 64,
    DIGITS = 20,
    SAID_BYTES = 128,
};

struct gw_purge {
    struct gw_list link;
    struct gw_purger *purger;
    gw_purge_done *done; /* NULL: forgotten */
    void *owner;
    struct gw_ban ban; /* its slices lie in text */

    bool is_logged; /* acknowledged; told when its own number is taken */
    char text[];
};

struct gw_purger {
    struct gw_purger_setup setup;
    char key[KEY_BYTES];
    size_t key_length;

    struct gw_timer timer;
    struct gw_list purges;
    uint64_t told; /* the sequence of which on_ban was told */
    bool is_up, is_current, is_asking, is_closed, is_confused;
    bool asks_again; /* the log changed while a poll was under way, which may have been answered before */
    struct gw_message change;
    atomic_bool is_change_posted;
};

/* ---- what is new here ---- */

static void tell(struct gw_purger *purger)
{
    purger->told = gw_bans_sequence(purger->setup.bans);
    if (purger->setup.on_ban && !purger->is_closed)
        purger->setup.on_ban(purger->setup.context);
}

static void tell_news(struct gw_purger *purger)
{
    if (gw_bans_sequence(purger->setup.bans) != purger->told)
        tell(purger);
}

static void ban_here(struct gw_purger *purger, const struct gw_ban *ban)
{
    (void)!gw_bans_add(purger->setup.bans, ban, 0); /* else everything is banned */
    tell(purger);
}

/* ---- purges ---- */

static void finish(struct gw_purge *purge, bool is_everywhere)
{
    gw_list_remove(&purge->link);
    if (purge->done)
        purge->done(purge->owner, is_everywhere);
    free(purge);
}

static struct gw_purge *find_logged(struct gw_purger *purger)
{
    gw_list_each(link, &purger->purges)
    {
        struct gw_purge *purge = GW_CONTAINER(link, struct gw_purge, link);
        if (purge->is_logged)
            return purge;
    }
    return NULL;
}

/* Those that the store acknowledged. If the log was not read to its end, they are taken here apart. */
static void settle(struct gw_purger *purger, bool is_read)
{
    for (struct gw_purge *purge; (purge = find_logged(purger));) {
        if (!is_read)
            ban_here(purger, &purge->ban);
        finish(purge, true);
    }
}

/* ---- the log ---- */

static void on_polled(void *owner, const struct gw_store_reply *reply);

/* A poll (packed.at == NULL), or a ban. */
static bool run_script(struct gw_purger *purger, struct gw_slice packed, gw_store_done *done, void *owner)
{
    char digits[DIGITS];
    struct gw_buffer known = gw_buffer_over(digits, sizeof(digits));
    gw_buffer_put_uint(&known, gw_bans_known(purger->setup.bans));
    const struct gw_slice key = gw_slice_of(purger->key, purger->key_length), argument = gw_buffer_slice(&known);
    return gw_store_run(purger->setup.store, GW_STORE_PURGE, &key, 1, &argument, 1, packed, NULL, done, owner) != NULL;
}

static void ask(struct gw_purger *purger)
{
    if (!purger->is_asking && !purger->is_closed)
        purger->is_asking = run_script(purger, GW_NO_SLICE, on_polled, purger);
}

static void poll_now(struct gw_purger *purger)
{
    purger->asks_again = purger->is_asking;
    ask(purger);
}

static void complain(struct gw_purger *purger, const char *what, struct gw_slice said)
{
    if (!purger->is_confused)
        gw_log(GW_LOG_WARN, "cache", "%.*s %s%s%.*s (redis/README.md: \"Access\", \"The log of bans\")",
               (int)purger->key_length, purger->key, what, said.length ? ": " : "", GW_SLICE_ARGS(said));
    purger->is_confused = true;
}

static void take_nonsense(struct gw_purger *purger)
{
    static const struct gw_ban all = { .kind = GW_BAN_ALL };
    complain(purger, "holds what is no log of purges: nothing that is stored is used", GW_NO_SLICE);
    ban_here(purger, &all);
}

static void take_answer(struct gw_purger *purger, struct gw_slice packed)
{
    bool changed;
    switch (gw_bans_take(purger->setup.bans, packed, &changed)) {
    case GW_BANS_ALL_TAKEN:
        purger->is_current = true;
        purger->is_confused = false;
        tell_news(purger);
        settle(purger, true);
        break;
    case GW_BANS_MORE:
        tell_news(purger);
        ask(purger);
        if (!purger->is_asking)
            settle(purger, false);
        break;
    case GW_BANS_NONSENSE:
        take_nonsense(purger);
        settle(purger, false);
        break;
    }
}

/* No answer, or an error. An answer that is late or lost is the store's to tell; only a Redis that refuses this very call
 * is a matter of its permissions, or of what lies at the key. */
static void lose(struct gw_purger *purger, const struct gw_store_reply *reply)
{
    char said[SAID_BYTES];
    purger->is_current = false;
    purger->is_up = gw_store_is_up(purger->setup.store);
    if (reply->error.length) {
        gw_reply_quote(reply->error, GW_NO_SLICE, said, sizeof(said));
        complain(purger, "cannot be read, so purges of other instances are not heard of", gw_slice_of_string(said));
    }
    settle(purger, false);
}

static void on_polled(void *owner, const struct gw_store_reply *reply)
{
    struct gw_purger *purger = owner;
    purger->is_asking = false;
    if (reply->result == GW_STORE_VALUE)
        take_answer(purger, reply->value);
    else
        lose(purger, reply);
    if (purger->asks_again)
        poll_now(purger);
}

static void on_change(struct gw_message *message)
{
    struct gw_purger *purger = GW_CONTAINER(message, struct gw_purger, change);
    atomic_store(&purger->is_change_posted, false); /* what changes from here on is a message of its own */
    poll_now(purger);
}

static void on_banned(void *owner, const struct gw_store_reply *reply)
{
    struct gw_purge *purge = owner;
    struct gw_purger *purger = purge->purger;
    if (reply->result == GW_STORE_VALUE) {
        purge->is_logged = true;
        take_answer(purger, reply->value);
    } else {
        ban_here(purger, &purge->ban);
        finish(purge, false);
    }
}

/* ---- ticks ---- */

static void on_due(struct gw_timer *timer)
{
    struct gw_purger *purger = GW_CONTAINER(timer, struct gw_purger, timer);
    bool was_up = purger->is_up;
    purger->is_up = gw_store_is_up(purger->setup.store);
    if (!purger->is_up || !was_up)
        purger->is_current = false;
    if (purger->is_up && !purger->is_asking) {
        bool is_mine = gw_bans_claim_poll(purger->setup.bans, gw_clock_monotonic_us(), RECENT_US);
        if (is_mine || !purger->is_current)
            ask(purger);
    }
    tell_news(purger);
    gw_timer_start(purger->setup.timers, &purger->timer, purger->is_up ? GW_PURGER_POLL_MS : AWAY_MS);
}

/* ---- what others call ---- */

struct gw_purger *gw_purger_create(const struct gw_purger_setup *setup)
{
    struct gw_purger *purger = calloc(1, sizeof(*purger));
    if (!purger)
        return NULL;
    purger->setup = *setup;
    struct gw_buffer key = gw_buffer_over(purger->key, sizeof(purger->key));
    gw_buffer_put_slice(&key, setup->config->redis_prefix);
    gw_buffer_put_literal(&key, "purge:{log}");
    purger->key_length = key.length;
    purger->told = gw_bans_sequence(setup->bans);
    gw_list_init(&purger->purges);
    purger->change.deliver = on_change;
    atomic_init(&purger->is_change_posted, false);
    gw_timer_init(&purger->timer, on_due);
    gw_timer_start(setup->timers, &purger->timer, 0);
    return purger;
}

void gw_purger_on_change(struct gw_purger *purger)
{
    if (!atomic_exchange(&purger->is_change_posted, true))
        gw_mailbox_post(purger->setup.mailbox, &purger->change);
}

void gw_purger_close(struct gw_purger *purger)
{
    purger->is_closed = true;
    gw_timer_stop(&purger->timer);
    settle(purger, false);
}

void gw_purger_destroy(struct gw_purger **purger)
{
    free(*purger);
    *purger = NULL;
}

bool gw_purger_is_current(const struct gw_purger *purger)
{
    return purger->is_current;
}

static struct gw_purge *copy(const struct gw_ban *ban)
{
    size_t host = ban->host.length, text = ban->text.length;
    struct gw_purge *purge = malloc(sizeof(*purge) + host + text);
    if (!purge)
        return NULL;
    *purge = (struct gw_purge) { .ban = *ban };
    if (host)
        memcpy(purge->text, ban->host.at, host);
    if (text)
        memcpy(purge->text + host, ban->text.at, text);
    purge->ban.host = (struct gw_slice) { purge->text, host };
    purge->ban.text = (struct gw_slice) { purge->text + host, text };
    return purge;
}

struct gw_purge *gw_purger_ban(struct gw_purger *purger, const struct gw_ban *ban, gw_purge_done *done, void *owner)
{
    char packed[GW_BAN_TEXT_BYTES + 16];
    size_t length = gw_bans_pack(ban, packed);
    struct gw_purge *purge = length && !purger->is_closed ? copy(ban) : NULL;
    if (purge && !run_script(purger, gw_slice_of(packed, length), on_banned, purge)) {
        free(purge);
        purge = NULL;
    }
    if (!purge) {
        ban_here(purger, ban);
        return NULL;
    }
    purge->purger = purger;
    purge->done = done;
    purge->owner = owner;
    gw_list_push_back(&purger->purges, &purge->link);
    return purge;
}

void gw_purger_forget(struct gw_purge **purge)
{
    if (*purge)
        (*purge)->done = NULL;
    *purge = NULL;
}
