#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>
#include "base/address.h"
#include "base/base.h"

static void assert_printed(const struct gw_address *address, const char *expected)
{
    char text[GW_ADDRESS_TEXT_BYTES];
    assert_int_equal(gw_address_print(address, text), strlen(expected));
    assert_string_equal(text, expected);
}

static void addresses_are_read_and_printed_in_one_form(void **state)
{
    static const struct {
        const char *text, *printed; /* NULL: refused */
        bool with_port;
    } rows[] = {
        { "192.0.2.1", "192.0.2.1", false },
        { "0.0.0.0", "0.0.0.0", false },
        { "255.255.255.255", "255.255.255.255", false },
        { "9.10.99.100", "9.10.99.100", false },
        { "101.0.110.209", "101.0.110.209", false },
        { "2001:db8::1", "2001:db8::1", false },
        { "2001:DB8:0:0:0:0:0:1", "2001:db8::1", false }, /* RFC 5952: lower case, longest run of zeros */
        { "2001:0db8:0000:0001:0000:0000:0000:0001", "2001:db8:0:1::1", false },
        { "::", "::", false },
        { "::1", "::1", false },
        { "[2001:db8::1]", "2001:db8::1", false },
        { "::ffff:192.0.2.1", "192.0.2.1", false }, /* mapped is IPv4 */
        { "::FFFF:c000:201", "192.0.2.1", false },
        /* with port or zone */
        { "192.0.2.1:80", "192.0.2.1", true },
        { "192.0.2.1", "192.0.2.1", true },
        { "[2001:db8::1]:8080", "2001:db8::1", true },
        { "[2001:db8::1]", "2001:db8::1", true },
        { "2001:db8::1", "2001:db8::1", true },
        { "fe80::1%eth0", "fe80::1", true },
        { "[fe80::1%25eth0]:1", "fe80::1", true },
        { "192.0.2.1:_hidden", "192.0.2.1", true }, /* RFC 7239 §6 */
        { "192.0.2.1:80", NULL, false },
        { "192.0.2.1:", NULL, true },
        { "192.0.2.1:x", NULL, true },
        { "192.0.2.1:65536", NULL, true },
        { "192.0.2.1:80 ", NULL, true },
        { "[2001:db8::1]:", NULL, true },
        { "[2001:db8::1]:8x", NULL, true },
        { "[2001:db8::1]x", NULL, true },
        { "[2001:db8::1", NULL, true },
        { "[2001:db8::1]:8080", NULL, false },
        /* no addresses */
        { "", NULL, true },
        { ":", NULL, true },
        { ":80", NULL, true },
        { "[]", NULL, true },
        { "[", NULL, true },
        { "[::1", NULL, true },
        { "[::1]x", NULL, true },
        { "::1]", NULL, true },
        { "localhost", NULL, true },
        { "unknown", NULL, true }, /* RFC 7239 §6 */
        { "_hidden", NULL, true },
        { "1.2.3", NULL, true },
        { "1.2.3.4.5", NULL, true },
        { "1.2.3.256", NULL, true },
        { "01.2.3.4", NULL, false }, /* octal for some */
        { "0x7f.0.0.1", NULL, true },
        { "2130706433", NULL, true },
        { " 192.0.2.1", NULL, true },
        { "192.0.2.1 ", NULL, true },
        { "1::2::3", NULL, true },
        { "12345::", NULL, true },
        { "1:2:3:4:5:6:7:8:9", NULL, true },
        { "192.0.2.1/24", NULL, true },
        { "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000", NULL, true },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_address address;
        bool good = gw_address_parse(&address, gw_slice_of_string(rows[i].text), rows[i].with_port);
        if (good != (rows[i].printed != NULL))
            fail_msg("\"%s\" gave %d", rows[i].text, good);
        if (good)
            assert_printed(&address, rows[i].printed);
    }
}

static void a_nul_in_an_address_ends_nothing(void **state)
{
    (void)state;
    struct gw_address address;
    assert_false(gw_address_parse(&address, gw_slice_of("192.0.2.1\0", 10), false));
    assert_false(gw_address_parse(&address, gw_slice_of("192.0.2.1\0.evil", 15), true));
    assert_false(gw_address_parse(&address, GW_NO_SLICE, true));
}

static void both_families_of_sockets_are_known_and_others_are_not(void **state)
{
    (void)state;
    struct gw_address address;
    struct sockaddr_in ipv4 = { .sin_family = AF_INET, .sin_port = htons(80) };
    struct sockaddr_in6 ipv6 = { .sin6_family = AF_INET6, .sin6_port = htons(80) };
    struct sockaddr_un path = { .sun_family = AF_UNIX, .sun_path = "/x" };
    inet_pton(AF_INET, "192.0.2.7", &ipv4.sin_addr);
    assert_true(gw_address_of_socket(&address, (struct sockaddr *)&ipv4));
    assert_true(gw_address_is_ipv4(&address));
    assert_printed(&address, "192.0.2.7");
    inet_pton(AF_INET6, "2001:db8::7", &ipv6.sin6_addr);
    assert_true(gw_address_of_socket(&address, (struct sockaddr *)&ipv6));
    assert_false(gw_address_is_ipv4(&address));
    assert_printed(&address, "2001:db8::7");
    inet_pton(AF_INET6, "::ffff:192.0.2.7", &ipv6.sin6_addr); /* a client of a dual-stack socket */
    assert_true(gw_address_of_socket(&address, (struct sockaddr *)&ipv6));
    assert_true(gw_address_is_ipv4(&address));
    assert_printed(&address, "192.0.2.7");
    assert_false(gw_address_of_socket(&address, (struct sockaddr *)&path));
    assert_printed(&address, "::");
}

static void the_longest_address_fits_its_text(void **state)
{
    (void)state;
    struct gw_address address;
    memset(address.bytes, 0xff, sizeof address.bytes);
    assert_printed(&address, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
}

static void a_network_has_what_shares_its_prefix(void **state)
{
    static const struct {
        const char *network, *address;
        bool has;
    } rows[] = {
        { "192.0.2.0/24", "192.0.2.0", true },
        { "192.0.2.0/24", "192.0.2.255", true },
        { "192.0.2.0/24", "192.0.3.0", false },
        { "192.0.2.0/24", "2001:db8::1", false },
        { "192.0.2.77/24", "192.0.2.1", true }, /* host bits are cleared */
        { "192.0.2.128/25", "192.0.2.127", false },
        { "192.0.2.128/25", "192.0.2.128", true },
        { "10.0.0.0/7", "11.255.255.255", true },
        { "10.0.0.0/7", "12.0.0.0", false },
        { "192.0.2.1", "192.0.2.1", true },
        { "192.0.2.1", "192.0.2.2", false },
        { "192.0.2.1/32", "192.0.2.0", false },
        { "0.0.0.0/0", "255.255.255.255", true },
        { "0.0.0.0/0", "::1", false }, /* all of IPv4, nothing of IPv6 */
        { "::/0", "2001:db8::1", true },
        { "::/0", "192.0.2.1", true }, /* mapped: lies in ::ffff:0:0/96 */
        { "2001:db8::/32", "2001:db8:ffff::1", true },
        { "2001:db8::/32", "2001:db9::", false },
        { "2001:db8::/33", "2001:db8:7fff::", true },
        { "2001:db8::/33", "2001:db8:8000::", false },
        { "2001:db8::1", "2001:db8::1", true },
        { "2001:db8::1", "2001:db8::2", false },
        { "::1/127", "::", true },
        { "::1/127", "::2", false },
        { "::ffff:10.0.0.0/104", "10.9.9.9", true }, /* written as IPv6: bits of 128 */
        { "::ffff:10.0.0.0/104", "11.0.0.0", false },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_network network;
        struct gw_address address;
        assert_true(gw_network_parse(&network, gw_slice_of_string(rows[i].network)));
        assert_true(gw_address_parse(&address, gw_slice_of_string(rows[i].address), false));
        if (gw_network_has(&network, &address) != rows[i].has)
            fail_msg("%s in %s should be %d", rows[i].address, rows[i].network, rows[i].has);
    }
}

static void what_is_no_network_is_refused(void **state)
{
    static const char *const rows[] = { "",
                                        "/",
                                        "/8",
                                        "192.0.2.0/",
                                        "192.0.2.0/33",
                                        "192.0.2.0/-1",
                                        "::/129",
                                        "x/8",
                                        "1.2.3/8",
                                        "192.0.2.0/ 8",
                                        "192.0.2.0/8 ",
                                        "192.0.2.0/8/8",
                                        "::/x",
                                        "10.0.0.0/18446744073709551624" };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_network network;
        if (gw_network_parse(&network, gw_slice_of_string(rows[i])))
            fail_msg("\"%s\" was taken", rows[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read_and_printed_in_one_form),
        cmocka_unit_test(a_nul_in_an_address_ends_nothing),
        cmocka_unit_test(both_families_of_sockets_are_known_and_others_are_not),
        cmocka_unit_test(the_longest_address_fits_its_text),
        cmocka_unit_test(a_network_has_what_shares_its_prefix),
        cmocka_unit_test(what_is_no_network_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
