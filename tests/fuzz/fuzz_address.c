/* Any bytes as an address and as a network: what is read can be printed and read again, and a network has its own
 * address. */
#include "base/address.h"
#include "fuzz/fuzz_input.h"

static void check(const struct gw_address *address)
{
    char text[GW_ADDRESS_TEXT_BYTES];
    struct gw_address again;
    size_t length = gw_address_print(address, text);
    demand(length < sizeof text && gw_address_parse(&again, gw_slice_of(text, length), false));
    demand(memcmp(again.bytes, address->bytes, sizeof again.bytes) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gw_address address;
    struct gw_network network;
    struct fuzz_input input = { .at = data, .left = size };
    struct gw_slice text = fuzz_take(&input, input.left);
    for (int with_port = 0; with_port < 2; with_port++)
        if (gw_address_parse(&address, text, with_port))
            check(&address);
    if (gw_network_parse(&network, text)) {
        check(&network.address);
        demand(network.prefix_bits <= 128 && gw_network_has(&network, &network.address));
    }
    fuzz_end(&input);
    return 0;
}
