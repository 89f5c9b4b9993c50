#include "cache/bans.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include "cache/entry.h"

enum {
    PACKED_HEAD_BYTES = 4,  /* kind, softness, length of the host */
    LOG_HEAD_BYTES = 24,    /* magic, count, flags, floor, what is known after it */
    LOG_BAN_HEAD_BYTES = 10 /* number, length of what was packed */
};
enum { LOG_MORE = 1 };

struct ban {
    uint64_t number;
    struct gw_ban about; /* its slices lie in text */
    char text[];
};

struct gw_bans {
    atomic_uint_least64_t sequence;  /* changed under the lock; read without it */
    atomic_uint_least64_t polled_at; /* µs */
    pthread_rwlock_t lock;

    uint64_t known; /* of the log: the last number taken; 0: none */
    uint64_t floor;
    unsigned first, count;
    struct ban *ring[GW_BANS_MAX]; /* their numbers rise */
};

struct gw_bans *gw_bans_create(void)
{
    struct gw_bans *bans = calloc(1, sizeof(*bans));
    pthread_rwlockattr_t attributes;
    if (!bans || pthread_rwlockattr_init(&attributes) != 0) {
        free(bans);
        return NULL;
    }
    /* Readers never cease; a ban must not wait for them. */
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    if (pthread_rwlock_init(&bans->lock, &attributes) != 0) {
        free(bans);
        bans = NULL;
    }
    pthread_rwlockattr_destroy(&attributes);
    return bans;
}

void gw_bans_destroy(struct gw_bans **bans)
{
    struct gw_bans *gone = *bans;
    *bans = NULL;
    if (!gone)
        return;
    for (unsigned i = 0; i < gone->count; i++)
        free(gone->ring[(gone->first + i) % GW_BANS_MAX]);
    pthread_rwlock_destroy(&gone->lock);
    free(gone);
}

uint64_t gw_bans_sequence(const struct gw_bans *bans)
{
    return atomic_load_explicit(&bans->sequence, memory_order_relaxed);
}

/* ---- packed ---- */

size_t gw_bans_pack(const struct gw_ban *ban, char packed[GW_BAN_TEXT_BYTES + 16])
{
    size_t host = ban->host.length, text = ban->text.length;
    if (host > GW_BAN_TEXT_BYTES || text > GW_BAN_TEXT_BYTES - host)
        return 0;
    packed[0] = (char)ban->kind;
    packed[1] = (char)ban->is_soft;
    packed[2] = (char)(host & 0xff);
    packed[3] = (char)(host >> 8);
    if (host)
        memcpy(packed + PACKED_HEAD_BYTES, ban->host.at, host);
    if (text)
        memcpy(packed + PACKED_HEAD_BYTES + host, ban->text.at, text);
    return PACKED_HEAD_BYTES + host + text;
}

static uint64_t bans_read_number(const char *at, unsigned bytes)
{
    uint64_t number = 0;
    while (bytes--)
        number = number << 8 | (unsigned char)at[bytes];
    return number;
}

/* What is not known here, as a later version may write it, is a hard ban of all: an instance that cannot read a ban must
 * not serve what it ends. */
static struct gw_ban bans_unpack(struct gw_slice packed)
{
    struct gw_ban ban = { .kind = GW_BAN_ALL };
    if (packed.length < PACKED_HEAD_BYTES || packed.length > PACKED_HEAD_BYTES + GW_BAN_TEXT_BYTES ||
        (unsigned char)packed.at[1] > 1 || !memchr("AUPT", packed.at[0], 4))
        return ban;
    size_t host = (size_t)bans_read_number(packed.at + 2, 2);
    if (host > packed.length - PACKED_HEAD_BYTES)
        return ban;
    ban.kind = (enum gw_ban_kind)packed.at[0];
    ban.is_soft = packed.at[1] == 1;
    ban.host = gw_slice_of(packed.at + PACKED_HEAD_BYTES, host);
    ban.text = gw_slice_of(packed.at + PACKED_HEAD_BYTES + host, packed.length - PACKED_HEAD_BYTES - host);
    return ban;
}

/* ---- comparing ---- */

static bool bans_has_tag(struct gw_slice tags, struct gw_slice tag)
{
    while (tags.length) {
        const char *blank = memchr(tags.at, ' ', tags.length);
        size_t length = blank ? (size_t)(blank - tags.at) : tags.length;
        if (gw_slice_equal(gw_slice_of(tags.at, length), tag))
            return true;
        length += blank != NULL;
        tags = gw_slice_of(tags.at + length, tags.length - length);
    }
    return false;
}

static bool bans_matches(const struct gw_ban *ban, const struct gw_entry *entry)
{
    if (ban->kind == GW_BAN_TAG)
        return bans_has_tag(entry->tags, ban->text);
    if (ban->host.length && !gw_slice_equal(ban->host, entry->host))
        return false;
    switch (ban->kind) {
    case GW_BAN_URL:
        return gw_slice_equal(entry->path_and_query, ban->text);
    case GW_BAN_PREFIX:
        return gw_slice_starts_with(entry->path_and_query, ban->text);
    default:
        return true;
    }
}

/* By the bans whose numbers are larger than `after`, the latest first. Under the lock. */
static enum gw_ban_verdict bans_compare(const struct gw_bans *bans, const struct gw_entry *entry, uint64_t after)
{
    enum gw_ban_verdict verdict = GW_BAN_NONE;
    if (after < bans->floor)
        return GW_BAN_HARD;
    for (unsigned i = bans->count; i--;) {
        const struct ban *ban = bans->ring[(bans->first + i) % GW_BANS_MAX];
        if (ban->number <= after)
            break;
        if ((verdict == GW_BAN_NONE || !ban->about.is_soft) && bans_matches(&ban->about, entry))
            verdict = ban->about.is_soft ? GW_BAN_SOFT : GW_BAN_HARD;
        if (verdict == GW_BAN_HARD)
            break;
    }
    return verdict;
}

enum gw_ban_verdict gw_bans_check(struct gw_bans *bans, struct gw_entry *entry)
{
    uint64_t checked = atomic_load_explicit(&entry->bans_checked, memory_order_acquire);
    if (checked < gw_bans_sequence(bans)) {
        pthread_rwlock_rdlock(&bans->lock);
        uint64_t sequence = gw_bans_sequence(bans);
        uint64_t after = checked > entry->ban_sequence ? checked : entry->ban_sequence;
        enum gw_ban_verdict verdict = bans_compare(bans, entry, after);
        pthread_rwlock_unlock(&bans->lock);
        if (verdict == GW_BAN_HARD)
            return verdict;
        if (verdict == GW_BAN_SOFT)
            atomic_store_explicit(&entry->is_outdated, true, memory_order_relaxed);
        /* After is_outdated: a thread that sees the sequence sees is_outdated, too. */
        atomic_store_explicit(&entry->bans_checked, sequence, memory_order_release);
    }
    return atomic_load_explicit(&entry->is_outdated, memory_order_relaxed) ? GW_BAN_SOFT : GW_BAN_NONE;
}

/* ---- taking; under the lock ---- */

static struct ban *bans_copy(const struct gw_ban *ban, uint64_t number)
{
    size_t host = ban->host.length, text = ban->text.length;
    if (host > GW_BAN_TEXT_BYTES || text > GW_BAN_TEXT_BYTES - host)
        return NULL;
    struct ban *copied = malloc(sizeof(*copied) + host + text);
    if (!copied)
        return NULL;
    *copied = (struct ban) { .number = number, .about = *ban };
    if (host)
        memcpy(copied->text, ban->host.at, host);
    if (text)
        memcpy(copied->text + host, ban->text.at, text);
    copied->about.host = (struct gw_slice) { copied->text, host };
    copied->about.text = (struct gw_slice) { copied->text + host, text };
    return copied;
}

static void bans_raise_floor(struct gw_bans *bans, uint64_t floor)
{
    if (bans->floor < floor)
        bans->floor = floor;
}

static void bans_advance(struct gw_bans *bans, uint64_t sequence)
{
    atomic_store_explicit(&bans->sequence, sequence, memory_order_relaxed);
}

/* False: it could not be kept, so all is banned that was before it. */
static bool bans_push(struct gw_bans *bans, const struct gw_ban *ban, uint64_t number)
{
    struct ban *added = bans_copy(ban, number);
    if (!added) {
        bans_raise_floor(bans, number);
    } else {
        if (bans->count == GW_BANS_MAX) {
            struct ban *oldest = bans->ring[bans->first];
            bans_raise_floor(bans, oldest->number);
            free(oldest);
            bans->first = (bans->first + 1) % GW_BANS_MAX;
            bans->count--;
        }
        bans->ring[(bans->first + bans->count++) % GW_BANS_MAX] = added;
    }
    bans_advance(bans, number);
    return added != NULL;
}

bool gw_bans_add(struct gw_bans *bans, const struct gw_ban *ban, uint64_t now_us)
{
    pthread_rwlock_wrlock(&bans->lock);
    uint64_t number = gw_bans_sequence(bans) + 1;
    if (bans->known && number >= bans->known + GW_BANS_STEP)
        number--; /* the room between two numbers of the log is used up */
    else if (!bans->known && number < now_us)
        number = now_us;
    bool good = bans_push(bans, ban, number);
    pthread_rwlock_unlock(&bans->lock);
    return good;
}

/* ---- the log ---- */

struct log {
    unsigned count;
    bool has_more;
    uint64_t floor, known;
    struct gw_slice rest; /* the bans */
};

struct logged {
    uint64_t number;
    struct gw_slice packed;
};

static bool bans_read_ban(struct gw_slice *rest, struct logged *logged)
{
    if (rest->length < LOG_BAN_HEAD_BYTES)
        return false;
    logged->number = bans_read_number(rest->at, 8);
    size_t length = (size_t)bans_read_number(rest->at + 8, 2);
    if (length > rest->length - LOG_BAN_HEAD_BYTES)
        return false;
    logged->packed = gw_slice_of(rest->at + LOG_BAN_HEAD_BYTES, length);
    length += LOG_BAN_HEAD_BYTES;
    *rest = gw_slice_of(rest->at + length, rest->length - length);
    return true;
}

/* All of it: what is taken is right to its end. */
static bool bans_read_log(struct gw_slice packed, struct log *log)
{
    if (packed.length < LOG_HEAD_BYTES || memcmp(packed.at, "GWP1", 4) != 0)
        return false;
    uint64_t flags = bans_read_number(packed.at + 6, 2);
    log->count = (unsigned)bans_read_number(packed.at + 4, 2);
    log->has_more = flags & LOG_MORE;
    log->floor = bans_read_number(packed.at + 8, 8);
    log->known = bans_read_number(packed.at + 16, 8);
    log->rest = gw_slice_of(packed.at + LOG_HEAD_BYTES, packed.length - LOG_HEAD_BYTES);
    if (flags & ~(uint64_t)LOG_MORE || log->known >= GW_BANS_LAST || log->floor > log->known ||
        (log->has_more && !log->count))
        return false;
    struct gw_slice rest = log->rest;
    uint64_t before = 0;
    for (unsigned i = 0; i < log->count; i++) {
        struct logged logged;
        if (!bans_read_ban(&rest, &logged) || logged.number <= before)
            return false;
        before = logged.number;
    }
    return !rest.length && (!log->count || before == log->known);
}

/* Numbers go on upwards whatever the log says: else what was compared already would pass by. */
static uint64_t bans_next_number(const struct gw_bans *bans, uint64_t number)
{
    uint64_t least = gw_bans_sequence(bans) + 1;
    return number > least ? number : least;
}

static void bans_take(struct gw_bans *bans, const struct log *log)
{
    struct gw_slice rest = log->rest;
    struct logged logged;
    uint64_t before = gw_bans_sequence(bans);
    for (unsigned i = 0; i < log->count && bans_read_ban(&rest, &logged); i++) {
        struct gw_ban ban = bans_unpack(logged.packed);
        if (logged.number > bans->known)
            (void)bans_push(bans, &ban, bans_next_number(bans, logged.number)); /* not kept: it has raised the floor */
    }
    bans_raise_floor(bans, log->floor);
    if (gw_bans_sequence(bans) == before)
        bans_advance(bans, bans_next_number(bans, log->known));
    bans->known = log->known;
}

enum gw_bans_taken gw_bans_take(struct gw_bans *bans, struct gw_slice packed, bool *changed)
{
    struct log log;
    *changed = false;
    if (!packed.length)
        return GW_BANS_ALL_TAKEN;
    if (!bans_read_log(packed, &log))
        return GW_BANS_NONSENSE;
    pthread_rwlock_wrlock(&bans->lock);
    *changed = log.known > bans->known; /* else another worker was told more, meanwhile */
    if (*changed)
        bans_take(bans, &log);
    pthread_rwlock_unlock(&bans->lock);
    return log.has_more ? GW_BANS_MORE : GW_BANS_ALL_TAKEN;
}

uint64_t gw_bans_known(struct gw_bans *bans)
{
    pthread_rwlock_rdlock(&bans->lock);
    uint64_t known = bans->known;
    pthread_rwlock_unlock(&bans->lock);
    return known;
}

bool gw_bans_claim_poll(struct gw_bans *bans, uint64_t now_us, uint64_t least_us)
{
    uint64_t polled_at = atomic_load_explicit(&bans->polled_at, memory_order_relaxed);
    if (polled_at && now_us < polled_at + least_us)
        return false;
    return atomic_compare_exchange_strong_explicit(&bans->polled_at, &polled_at, now_us, memory_order_relaxed,
                                                   memory_order_relaxed);
}
