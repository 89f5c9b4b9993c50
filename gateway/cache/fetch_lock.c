#include "cache/fetch_lock.h"

#include <stdlib.h>
#include "base/buffer.h"
#include "base/check.h"
#include "cache/key.h"

enum { KEPT_FREE = 256 /* locks to be used again */, ID_BYTES = 16, RENEW_AFTER_MS = GW_FETCH_LOCK_MS / 3 };

#define LOCK_MS_DIGITS "500"
_Static_assert(GW_FETCH_LOCK_MS == 500, "LOCK_MS_DIGITS says the same");

/*   take ─► ASKED ──taken──► HELD ◄──kept── renewed at a third
 *             │ left            │ not kept, or no answer
 *             ▼                 ▼
 *        LEFT: if taken,      LOST: nothing is there to be given back
 *        given back           */
enum state { ASKED, LEFT, HELD, LOST };

enum { LOCK_MAGIC = 0x4c4f434b }; /* LOCK */

struct gw_fetch_lock {
    struct gw_magic magic;
    struct gw_fetch_locks *locks;
    struct gw_cache_key key;
    char id[ID_BYTES];
    gw_fetch_lock_done *done;
    void *owner;

    enum state state;
    struct gw_store_call *call; /* ASKED, LEFT: the taking; HELD: a renewal, or NULL */
    struct gw_timer timer;
};

void gw_fetch_locks_init(struct gw_fetch_locks *locks)
{
    gw_random_init(&locks->random);
    gw_free_list_init(&locks->free, sizeof(struct gw_fetch_lock), KEPT_FREE, NULL);
}

void gw_fetch_locks_free(struct gw_fetch_locks *locks)
{
    gw_free_list_trim(&locks->free, 0);
}

static void fetch_lock_give_up(struct gw_fetch_lock *lock)
{
    struct gw_fetch_locks *locks = lock->locks;
    gw_timer_stop(&lock->timer);
    lock->magic = GW_NO_MAGIC;
    gw_free_list_give(&locks->free, lock);
}

static struct gw_store_call *fetch_lock_run(struct gw_fetch_lock *lock, struct gw_slice operation, gw_store_done *done,
                                            void *owner)
{
    const struct gw_slice arguments[] = { operation, gw_slice_of(lock->id, ID_BYTES), GW_SLICE(LOCK_MS_DIGITS) };
    struct gw_key_text text;
    gw_key_text_of_lock(&text, lock->locks->config->redis_prefix, &lock->key);
    return gw_store_run(lock->locks->store, GW_STORE_FETCH_LOCK, &text.slice, 1, arguments, GW_COUNT(arguments),
                        GW_NO_SLICE, NULL, done, owner);
}

/* No answer is awaited: a lock that is not given back expires. */
static void fetch_lock_send_leave(struct gw_fetch_lock *lock)
{
    struct gw_store_call *call = fetch_lock_run(lock, GW_SLICE("leave"), NULL, NULL);
    gw_store_cancel(&call);
}

enum { YES = 1, CHANGED = 2 }; /* bits of the script's answer */

/* Negative: it is none. */
static int64_t fetch_lock_answer_of(const struct gw_store_reply *reply)
{
    bool is_one = reply->result == GW_STORE_INTEGERS && reply->integer_count == 1;
    return is_one && reply->integers[0] >= 0 && reply->integers[0] <= (YES | CHANGED) ? reply->integers[0] : -1;
}

static bool fetch_lock_is_yes(const struct gw_store_reply *reply)
{
    int64_t answer = fetch_lock_answer_of(reply);
    return answer > 0 && answer & YES;
}

static void fetch_lock_on_kept(void *owner, const struct gw_store_reply *reply)
{
    struct gw_fetch_lock *lock = GW_FROM_CONTEXT(owner, struct gw_fetch_lock, LOCK_MAGIC);
    lock->call = NULL;
    if (fetch_lock_is_yes(reply))
        gw_timer_start(lock->locks->timers, &lock->timer, RENEW_AFTER_MS);
    else
        lock->state = LOST;
}

static void fetch_lock_on_due(struct gw_timer *timer)
{
    struct gw_fetch_lock *lock = GW_CONTAINER(timer, struct gw_fetch_lock, timer);
    GW_CHECK_MAGIC(lock, LOCK_MAGIC);
    lock->call = fetch_lock_run(lock, GW_SLICE("keep"), fetch_lock_on_kept, lock);
    if (!lock->call)
        lock->state = LOST;
}

static void fetch_lock_on_taken(void *owner, const struct gw_store_reply *reply)
{
    struct gw_fetch_lock *lock = GW_FROM_CONTEXT(owner, struct gw_fetch_lock, LOCK_MAGIC);
    lock->call = NULL;
    if (lock->state == LEFT) {
        if (fetch_lock_is_yes(reply))
            fetch_lock_send_leave(lock);
        fetch_lock_give_up(lock);
        return;
    }
    gw_fetch_lock_done *done = lock->done;
    void *asker = lock->owner;
    int64_t answer = fetch_lock_answer_of(reply);
    enum gw_fetch_lock_result result = answer < 0     ? GW_FETCH_LOCK_UNKNOWN
                                       : answer & YES ? GW_FETCH_LOCK_TAKEN
                                                      : GW_FETCH_LOCK_ELSEWHERE;
    if (result == GW_FETCH_LOCK_TAKEN) {
        lock->state = HELD;
        gw_timer_start(lock->locks->timers, &lock->timer, RENEW_AFTER_MS);
    } else {
        fetch_lock_give_up(lock);
    }
    done(asker, result, answer > 0 && answer & CHANGED);
}

static struct gw_slice fetch_lock_version(const uint8_t bytes[GW_FRAME_VERSION_BYTES], bool is_there)
{
    return is_there ? gw_slice_of((const char *)bytes, GW_FRAME_VERSION_BYTES) : GW_SLICE("");
}

/* Beside the lock, what lies at the base (and the variant) is compared with what was seen there. */
static struct gw_store_call *fetch_lock_send_take(struct gw_fetch_lock *lock,
                                                  const struct gw_base_version *base_version)
{
    struct gw_slice prefix = lock->locks->config->redis_prefix, keys[3], arguments[6];
    struct gw_key_text text, base, variant;
    unsigned key_count = 0, count = 0;
    gw_key_text_of_lock(&text, prefix, &lock->key);
    keys[key_count++] = text.slice;
    arguments[count++] = GW_SLICE("take");
    arguments[count++] = gw_slice_of(lock->id, ID_BYTES);
    arguments[count++] = GW_SLICE(LOCK_MS_DIGITS);
    if (base_version->kind != GW_BASE_UNKNOWN) {
        gw_key_text_of_base(&base, prefix, &lock->key);
        keys[key_count++] = base.slice;
        arguments[count++] = fetch_lock_version(base_version->version, base_version->kind != GW_BASE_ABSENT);
    }
    if (base_version->kind == GW_BASE_INDEX && base_version->selects_variant) {
        gw_key_text_of_variant(&variant, prefix, &lock->key, base_version->variant);
        keys[key_count++] = variant.slice;
        arguments[count++] = gw_slice_of((const char *)base_version->variant, GW_FRAME_VARIANT_BYTES);
        arguments[count++] = fetch_lock_version(base_version->variant_version, base_version->variant_is_there);
    }
    return gw_store_run(lock->locks->store, GW_STORE_FETCH_LOCK, keys, key_count, arguments, count, GW_NO_SLICE, NULL,
                        fetch_lock_on_taken, lock);
}

struct gw_fetch_lock *gw_fetch_lock_take(struct gw_fetch_locks *locks, const struct gw_cache_key *key,
                                         const struct gw_base_version *base_version, gw_fetch_lock_done *done,
                                         void *owner)
{
    if (!gw_store_is_up(locks->store))
        return NULL;
    struct gw_fetch_lock *lock = gw_free_list_take(&locks->free, NULL);
    if (!lock)
        return NULL;
    *lock = (struct gw_fetch_lock) {
        .locks = locks, .key = *key, .done = done, .owner = owner, .state = ASKED, .magic = GW_MAGIC(LOCK_MAGIC)
    };
    gw_timer_init(&lock->timer, fetch_lock_on_due);
    uint64_t word = gw_random_next(&locks->random);
    struct gw_buffer id = gw_buffer_over(lock->id, ID_BYTES);
    gw_buffer_put_hex(&id, &word, sizeof word);
    lock->call = fetch_lock_send_take(lock, base_version);
    if (lock->call)
        return lock;
    fetch_lock_give_up(lock);
    return NULL;
}

void gw_fetch_lock_release(struct gw_fetch_lock **taken)
{
    struct gw_fetch_lock *lock = *taken;
    *taken = NULL;
    if (!lock)
        return;
    if (lock->state == ASKED) {
        lock->state = LEFT;
        return;
    }
    gw_store_cancel(&lock->call);
    if (lock->state == HELD)
        fetch_lock_send_leave(lock);
    fetch_lock_give_up(lock);
}
