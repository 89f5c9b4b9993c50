#include "cache/ban_log.h"

#include <stdatomic.h>
#include <stdlib.h>
#include "base/buffer.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "store/reply.h"

enum {
    AWAY_MS = 8, /* between looks at a store that is away: the poll is to come before look-ups */
    /* A poll of another worker this long ago is recent enough: less than a tick, or its next one would find its own. */
    RECENT_US = (GW_BAN_LOG_POLL_MS - 2 * GW_TIMER_SLOT_MS) * 1000,
    KEY_BYTES = 64,
    DIGITS = 20,
    SAID_BYTES = 128,
};

enum { PURGE_MAGIC = 0x50555247, BAN_LOG_MAGIC = 0x42414e4c }; /* PURG, BANL */

struct gw_purge {
    struct gw_magic magic;
    struct gw_list link;
    struct gw_ban_log *ban_log;
    gw_purge_done *done; /* NULL: forgotten */
    void *owner;
    struct gw_ban ban; /* its slices lie in text */

    bool is_logged; /* acknowledged; told when its own number is taken */
    char text[];
};

struct gw_ban_log {
    struct gw_magic magic;
    struct gw_ban_log_setup setup;
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

static void ban_log_tell(struct gw_ban_log *ban_log)
{
    ban_log->told = gw_bans_sequence(ban_log->setup.bans);
    if (ban_log->setup.on_ban && !ban_log->is_closed)
        ban_log->setup.on_ban(ban_log->setup.context);
}

static void ban_log_tell_change(struct gw_ban_log *ban_log)
{
    if (gw_bans_sequence(ban_log->setup.bans) != ban_log->told)
        ban_log_tell(ban_log);
}

static void ban_log_ban_here(struct gw_ban_log *ban_log, const struct gw_ban *ban)
{
    (void)!gw_bans_add(ban_log->setup.bans, ban, 0); /* else everything is banned */
    ban_log_tell(ban_log);
}

/* ---- purges ---- */

static void ban_log_finish(struct gw_purge *purge, bool is_everywhere)
{
    gw_list_remove(&purge->link);
    if (purge->done)
        purge->done(purge->owner, is_everywhere);
    purge->magic = GW_NO_MAGIC;
    free(purge);
}

static struct gw_purge *ban_log_find_logged(struct gw_ban_log *ban_log)
{
    gw_list_each(link, &ban_log->purges)
    {
        struct gw_purge *purge = GW_CONTAINER(link, struct gw_purge, link);
        GW_CHECK_MAGIC(purge, PURGE_MAGIC);
        if (purge->is_logged)
            return purge;
    }
    return NULL;
}

/* Those that the store acknowledged. If the log was not read to its end, they are taken here apart. */
static void ban_log_settle(struct gw_ban_log *ban_log, bool is_read)
{
    for (struct gw_purge *purge; (purge = ban_log_find_logged(ban_log));) {
        if (!is_read)
            ban_log_ban_here(ban_log, &purge->ban);
        ban_log_finish(purge, true);
    }
}

/* ---- the log ---- */

static void ban_log_on_polled(void *owner, const struct gw_store_reply *reply);

/* A poll (packed.at == NULL), or a ban. */
static bool ban_log_run_script(struct gw_ban_log *ban_log, struct gw_slice packed, gw_store_done *done, void *owner)
{
    char digits[DIGITS];
    struct gw_buffer known = gw_buffer_over(digits, sizeof(digits));
    gw_buffer_put_uint(&known, gw_bans_known(ban_log->setup.bans));
    const struct gw_slice key = gw_slice_of(ban_log->key, ban_log->key_length), argument = gw_buffer_slice(&known);
    return gw_store_run(ban_log->setup.store, GW_STORE_PURGE, &key, 1, &argument, 1, packed, NULL, done, owner) != NULL;
}

static void ban_log_ask(struct gw_ban_log *ban_log)
{
    if (!ban_log->is_asking && !ban_log->is_closed)
        ban_log->is_asking = ban_log_run_script(ban_log, GW_NO_SLICE, ban_log_on_polled, ban_log);
}

static void ban_log_poll_now(struct gw_ban_log *ban_log)
{
    ban_log->asks_again = ban_log->is_asking;
    ban_log_ask(ban_log);
}

static void ban_log_complain(struct gw_ban_log *ban_log, const char *what, struct gw_slice said)
{
    if (!ban_log->is_confused)
        gw_log(GW_LOG_WARN, "cache", "%.*s %s%s%.*s (redis/README.md: \"Access\", \"The ban log\")",
               (int)ban_log->key_length, ban_log->key, what, said.length ? ": " : "", GW_SLICE_ARGS(said));
    ban_log->is_confused = true;
}

static void ban_log_take_nonsense(struct gw_ban_log *ban_log)
{
    static const struct gw_ban all = { .kind = GW_BAN_ALL };
    ban_log_complain(ban_log, "holds what is no log of purges: nothing that is stored is used", GW_NO_SLICE);
    ban_log_ban_here(ban_log, &all);
}

static void ban_log_take_answer(struct gw_ban_log *ban_log, struct gw_slice packed)
{
    bool changed;
    switch (gw_bans_take(ban_log->setup.bans, packed, &changed)) {
    case GW_BANS_ALL_TAKEN:
        ban_log->is_current = true;
        ban_log->is_confused = false;
        ban_log_tell_change(ban_log);
        ban_log_settle(ban_log, true);
        break;
    case GW_BANS_MORE:
        ban_log_tell_change(ban_log);
        ban_log_ask(ban_log);
        if (!ban_log->is_asking)
            ban_log_settle(ban_log, false);
        break;
    case GW_BANS_NONSENSE:
        ban_log_take_nonsense(ban_log);
        ban_log_settle(ban_log, false);
        break;
    }
}

/* No answer, or an error. An answer that is late or lost is the store's to tell; only a Redis that refuses this very call
 * is a matter of its permissions, or of what lies at the key. */
static void ban_log_lose(struct gw_ban_log *ban_log, const struct gw_store_reply *reply)
{
    char said[SAID_BYTES];
    ban_log->is_current = false;
    ban_log->is_up = gw_store_is_up(ban_log->setup.store);
    if (reply->error.length) {
        gw_reply_quote(reply->error, GW_NO_SLICE, said, sizeof(said));
        ban_log_complain(ban_log, "cannot be read, so purges of other instances are not heard of",
                         gw_slice_of_string(said));
    }
    ban_log_settle(ban_log, false);
}

static void ban_log_on_polled(void *owner, const struct gw_store_reply *reply)
{
    struct gw_ban_log *ban_log = GW_FROM_CONTEXT(owner, struct gw_ban_log, BAN_LOG_MAGIC);
    ban_log->is_asking = false;
    if (reply->result == GW_STORE_VALUE)
        ban_log_take_answer(ban_log, reply->value);
    else
        ban_log_lose(ban_log, reply);
    if (ban_log->asks_again)
        ban_log_poll_now(ban_log);
}

static void ban_log_on_change(struct gw_message *message)
{
    struct gw_ban_log *ban_log = GW_CONTAINER(message, struct gw_ban_log, change);
    GW_CHECK_MAGIC(ban_log, BAN_LOG_MAGIC);
    atomic_store(&ban_log->is_change_posted, false); /* what changes from here on is a message of its own */
    ban_log_poll_now(ban_log);
}

static void ban_log_on_banned(void *owner, const struct gw_store_reply *reply)
{
    struct gw_purge *purge = GW_FROM_CONTEXT(owner, struct gw_purge, PURGE_MAGIC);
    struct gw_ban_log *ban_log = purge->ban_log;
    if (reply->result == GW_STORE_VALUE) {
        purge->is_logged = true;
        ban_log_take_answer(ban_log, reply->value);
    } else {
        ban_log_ban_here(ban_log, &purge->ban);
        ban_log_finish(purge, false);
    }
}

/* ---- ticks ---- */

static void ban_log_on_due(struct gw_timer *timer)
{
    struct gw_ban_log *ban_log = GW_CONTAINER(timer, struct gw_ban_log, timer);
    GW_CHECK_MAGIC(ban_log, BAN_LOG_MAGIC);
    bool was_up = ban_log->is_up;
    ban_log->is_up = gw_store_is_up(ban_log->setup.store);
    if (!ban_log->is_up || !was_up)
        ban_log->is_current = false;
    if (ban_log->is_up && !ban_log->is_asking) {
        bool is_mine = gw_bans_claim_poll(ban_log->setup.bans, gw_clock_monotonic_us(), RECENT_US);
        if (is_mine || !ban_log->is_current)
            ban_log_ask(ban_log);
    }
    ban_log_tell_change(ban_log);
    gw_timer_start(ban_log->setup.timers, &ban_log->timer, ban_log->is_up ? GW_BAN_LOG_POLL_MS : AWAY_MS);
}

/* ---- what others call ---- */

struct gw_ban_log *gw_ban_log_create(const struct gw_ban_log_setup *setup)
{
    struct gw_ban_log *ban_log = calloc(1, sizeof(*ban_log));
    if (!ban_log)
        return NULL;
    ban_log->magic = GW_MAGIC(BAN_LOG_MAGIC);
    ban_log->setup = *setup;
    struct gw_buffer key = gw_buffer_over(ban_log->key, sizeof(ban_log->key));
    gw_buffer_put_slice(&key, setup->config->redis_prefix);
    gw_buffer_put_literal(&key, "purge:{log}");
    ban_log->key_length = key.length;
    ban_log->told = gw_bans_sequence(setup->bans);
    gw_list_init(&ban_log->purges);
    ban_log->change.deliver = ban_log_on_change;
    atomic_init(&ban_log->is_change_posted, false);
    gw_timer_init(&ban_log->timer, ban_log_on_due);
    gw_timer_start(setup->timers, &ban_log->timer, 0);
    return ban_log;
}

void gw_ban_log_on_change(struct gw_ban_log *ban_log)
{
    if (!atomic_exchange(&ban_log->is_change_posted, true))
        gw_mailbox_post(ban_log->setup.mailbox, &ban_log->change);
}

void gw_ban_log_close(struct gw_ban_log *ban_log)
{
    ban_log->is_closed = true;
    gw_timer_stop(&ban_log->timer);
    ban_log_settle(ban_log, false);
}

void gw_ban_log_destroy(struct gw_ban_log **ban_log)
{
    if (*ban_log)
        (*ban_log)->magic = GW_NO_MAGIC;
    free(*ban_log);
    *ban_log = NULL;
}

bool gw_ban_log_is_current(const struct gw_ban_log *ban_log)
{
    return ban_log->is_current;
}

static struct gw_purge *ban_log_copy(const struct gw_ban *ban)
{
    size_t host = ban->host.length, text = ban->text.length;
    struct gw_purge *purge = malloc(sizeof(*purge) + host + text);
    if (!purge)
        return NULL;
    *purge = (struct gw_purge) { .magic = GW_MAGIC(PURGE_MAGIC), .ban = *ban };
    if (host)
        memcpy(purge->text, ban->host.at, host);
    if (text)
        memcpy(purge->text + host, ban->text.at, text);
    purge->ban.host = (struct gw_slice) { purge->text, host };
    purge->ban.text = (struct gw_slice) { purge->text + host, text };
    return purge;
}

struct gw_purge *gw_ban_log_add(struct gw_ban_log *ban_log, const struct gw_ban *ban, gw_purge_done *done, void *owner)
{
    char packed[GW_BAN_TEXT_BYTES + 16];
    size_t length = gw_bans_pack(ban, packed);
    struct gw_purge *purge = length && !ban_log->is_closed ? ban_log_copy(ban) : NULL;
    if (purge && !ban_log_run_script(ban_log, gw_slice_of(packed, length), ban_log_on_banned, purge)) {
        purge->magic = GW_NO_MAGIC;
        free(purge);
        purge = NULL;
    }
    if (!purge) {
        ban_log_ban_here(ban_log, ban);
        return NULL;
    }
    purge->ban_log = ban_log;
    purge->done = done;
    purge->owner = owner;
    gw_list_push_back(&ban_log->purges, &purge->link);
    return purge;
}

void gw_ban_log_cancel(struct gw_purge **purge)
{
    if (*purge)
        (*purge)->done = NULL;
    *purge = NULL;
}
