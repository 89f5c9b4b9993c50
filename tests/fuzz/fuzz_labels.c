/* Any numbers as a person reads them: short, and printable ASCII; a share of a whole is 0 to 100 percent. */
#include "admin/labels.h"
#include "admin/pages.h"
#include "fuzz/fuzz_input.h"

enum { LONGEST = 400 };

static void check(struct gw_buffer *buffer)
{
    demand(!buffer->overflowed && buffer->length && fuzz_is_printable(gw_buffer_slice(buffer)));
    buffer->length = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = { .at = data, .left = size };
    char memory[LONGEST];
    struct gw_buffer buffer = gw_buffer_over(memory, sizeof(memory));
    bool is_whole = fuzz_number(&input, 1) & 1;
    uint64_t part = fuzz_number(&input, 8), whole = is_whole ? part : fuzz_number(&input, 8);
    struct gw_limit_policy policy = {
        .n = fuzz_number(&input, 8),
        .period_us = fuzz_number(&input, 8),
        .cost = fuzz_number(&input, 1),
        .by = (enum gw_limit_key)(fuzz_number(&input, 1) % 3),
        .header = GW_SLICE("X-Api-Key"),
    };
    gw_labels_put_percent(part, whole, "none", &buffer);
    if (whole && part <= whole)
        demand(buffer.length <= 7 &&
               (buffer.length == 7) == gw_slice_equal(gw_buffer_slice(&buffer), GW_SLICE("100.00%")));
    if (whole && part == whole)
        demand(buffer.length == 7);
    check(&buffer);
    gw_labels_put_rate(&policy, &buffer);
    check(&buffer);
    gw_labels_put_time(part, &buffer);
    check(&buffer);
    gw_admin_put_duration(whole, &buffer);
    check(&buffer);
    fuzz_end(&input);
    return 0;
}
