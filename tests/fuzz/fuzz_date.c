/* Any bytes as a date (RFC 9110 §5.6.7): what is read can be printed, and read again as the same instant. The first byte
 * chooses the year in which it is read. */
#include "http/date.h"
#include "fuzz/fuzz_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[GW_DATE_BYTES];
    int64_t seconds, again;
    if (size < 1)
        return 0;
    struct fuzz_input input = { .at = data + 1, .left = size - 1 };
    int64_t now_s = INT64_C(31556952) * data[0];
    if (gw_date_parse(fuzz_take(&input, input.left), now_s, &seconds)) {
        gw_date_print(text, seconds);
        demand(gw_date_parse(gw_slice_of(text, sizeof text), now_s, &again) && again == seconds);
    }
    fuzz_end(&input);
    return 0;
}
