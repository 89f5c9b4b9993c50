/* Any bytes as what the log of purges answered: nonsense changes nothing, numbers never fall, and an entry that a ban
 * ended stays ended. The first byte of each piece chooses: as it is, or with a head that is right. */
#include "cache/bans.h"
#include "cache/entry.h"
#include "fuzz/fuzz_input.h"

static struct gw_ban any_ban(struct fuzz_input *input)
{
    static const char kinds[] = "AUPT";
    return (struct gw_ban) {
        .kind = (enum gw_ban_kind)kinds[fuzz_number(input, 1) % 4],
        .is_soft = fuzz_number(input, 1) & 1,
        .host = fuzz_slice(input),
        .text = fuzz_slice(input),
    };
}

/* A log of one ban, packed as gw_bans_pack does: read again it is the same. */
static void check_packed(struct gw_bans *bans, const struct gw_ban *ban, struct gw_entry *entry)
{
    char packed[GW_BAN_TEXT_BYTES + 16], log[sizeof(packed) + 64] = "GWP1";
    size_t length = gw_bans_pack(ban, packed);
    uint64_t number = gw_bans_known(bans) + 1;
    bool changed = false;
    if (!length || number >= GW_BANS_LAST)
        return;
    log[4] = 1;
    memcpy(log + 16, &number, 8); /* little-endian, as this machine */
    memcpy(log + 24, &number, 8);
    log[32] = (char)(length & 0xff);
    log[33] = (char)(length >> 8);
    memcpy(log + 34, packed, length);
    demand(gw_bans_take(bans, gw_slice_of(log, 34 + length), &changed) == GW_BANS_ALL_TAKEN && changed);
    demand(gw_bans_known(bans) == number);
    if (ban->kind == GW_BAN_ALL && !ban->host.length)
        demand(gw_bans_check(bans, entry) >= (ban->is_soft ? GW_BAN_SOFT : GW_BAN_HARD));
}

static void take_log(struct fuzz_input *input, struct gw_bans *bans)
{
    uint64_t sequence = gw_bans_sequence(bans), known = gw_bans_known(bans);
    bool is_headed = fuzz_number(input, 1) & 1, changed = false;
    struct gw_slice log = fuzz_slice(input);
    if (is_headed && log.length >= 4)
        memcpy((char *)(uintptr_t)log.at, "GWP1", 4);
    enum gw_bans_taken taken = gw_bans_take(bans, log, &changed);
    demand(gw_bans_sequence(bans) >= sequence && gw_bans_known(bans) >= known);
    demand(changed == (gw_bans_known(bans) > known));
    if (taken == GW_BANS_NONSENSE)
        demand(!changed && gw_bans_sequence(bans) == sequence);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = { .at = data, .left = size };
    struct gw_bans *bans = gw_bans_create();
    struct gw_entry entry = { .host = GW_SLICE("a.example"),
                              .path_and_query = GW_SLICE("/shop?page=2"),
                              .tags = GW_SLICE("one two") };
    if (!bans)
        return 0;
    bool was_hard = false;
    while (input.left && input.piece_count + 4 < FUZZ_PIECES) {
        struct gw_ban ban;
        switch (fuzz_number(&input, 1) % 3) {
        case 0:
            take_log(&input, bans);
            break;
        case 1:
            ban = any_ban(&input);
            check_packed(bans, &ban, &entry);
            break;
        default:
            ban = any_ban(&input);
            (void)!gw_bans_add(bans, &ban, fuzz_number(&input, 4));
        }
        bool is_hard = gw_bans_check(bans, &entry) == GW_BAN_HARD;
        demand(is_hard || !was_hard);
        was_hard = is_hard;
    }
    gw_bans_destroy(&bans);
    fuzz_end(&input);
    return 0;
}
