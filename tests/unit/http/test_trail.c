#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "http/trail.h"

/* fields: "Name: value\n"…; the hops as "address[ proto][ @host]", "?" without address, "!" where it is not well-formed. */
static void assert_hops(const char *fields, enum gw_trail_source source, const char *expected)
{
    struct gw_arena arena;
    struct gw_head head;
    char told[512] = "", address[GW_ADDRESS_TEXT_BYTES];
    gw_arena_init(&arena, 4096, 4096);
    gw_head_init(&head);
    for (const char *at = fields; *at;) {
        const char *colon = strchr(at, ':'), *end = strchr(at, '\n');
        assert_true(gw_head_add(&head, &arena, gw_slice_of(at, (size_t)(colon - at)),
                                gw_slice_of(colon + 2, (size_t)(end - colon - 2))));
        at = end + 1;
    }
    struct gw_trail trail = gw_trail_of(&head);
    struct gw_trail_hop hop;
    assert_int_equal(trail.source, source);
    while (gw_trail_next(&trail, &hop)) {
        size_t length = strlen(told);
        if (hop.has_address)
            gw_address_print(&hop.address, address);
        snprintf(told + length, sizeof told - length, "%s%s%s%.*s%s%.*s", length ? ", " : "",
                 !hop.is_well_formed ? "!"
                 : hop.has_address   ? address
                                     : "?",
                 hop.proto.at ? " " : "", GW_SLICE_ARGS(hop.proto), hop.host.at ? " @" : "", GW_SLICE_ARGS(hop.host));
    }
    assert_string_equal(told, expected);
    gw_arena_free(&arena);
}

static void x_forwarded_for_is_a_list_of_addresses(void **state)
{
    static const struct {
        const char *value, *hops;
    } rows[] = {
        { "192.0.2.1", "192.0.2.1" },
        { "192.0.2.1,2001:db8::1 , [2001:db8::2], [2001:db8::3]:80,192.0.2.2:5678",
          "192.0.2.1, 2001:db8::1, 2001:db8::2, 2001:db8::3, 192.0.2.2" },
        { "::ffff:192.0.2.1, fe80::1%eth0", "192.0.2.1, fe80::1" },
        { "unknown, _hidden, 192.0.2.1:x, 1.2.3, host.test, [::1", "?, ?, ?, ?, ?, ?" },
        { ", ,192.0.2.1,", "192.0.2.1" },
        { "", "" },
        { "\"192.0.2.1, 192.0.2.2\", 192.0.2.3", "?, ?, 192.0.2.3" },
        { "\"x, 192.0.2.2", "?, 192.0.2.2" }, /* a client's quote hides nothing */
        { "192.0.2.1\nX-Forwarded-For: x, 192.0.2.2", "192.0.2.1, ?, 192.0.2.2" },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        char fields[256];
        snprintf(fields, sizeof fields, "X-Forwarded-For: %s\n", rows[i].value);
        assert_hops(fields, GW_TRAIL_X_FORWARDED, rows[i].hops);
    }
}

static void forwarded_is_read_by_its_grammar(void **state) /* RFC 7239 §4, §6 */
{
    static const struct {
        const char *value, *hops;
    } rows[] = {
        { "for=192.0.2.1", "192.0.2.1" },
        { "for=192.0.2.1;proto=https;host=shop.test;by=192.0.2.9", "192.0.2.1 https @shop.test" },
        { "FOR=\"192.0.2.1:80\" ; Proto=\"https\"; HOST=\"shop.test:81\"", "192.0.2.1 https @shop.test:81" },
        { "for=\"[2001:db8::1]\", for=\"[2001:db8::1]:80\"", "2001:db8::1, 2001:db8::1" },
        { "for=unknown, for=_hidden, for=\"_h:_p\", proto=https", "?, ?, ?, ? https" },
        { ";;for=192.0.2.1;", "192.0.2.1" },
        { "for=192.0.2.1;x=\"a;b\", for=192.0.2.2;y=1", "192.0.2.1, 192.0.2.2" },
        { "for=192.0.2.1;x=\"a,b\", for=192.0.2.2", "192.0.2.1, 192.0.2.2" },
        /* what is not well-formed spoils its element, and no other */
        { "for=192.0.2.1:80, for=192.0.2.2", "!, 192.0.2.2" },
        { "for=[::1], for=192.0.2.2", "!, 192.0.2.2" },
        { "192.0.2.1, for=192.0.2.2", "!, 192.0.2.2" },
        { "for=192.0.2.1;for=192.0.2.3, for=192.0.2.2", "!, 192.0.2.2" },
        { "for=192.0.2.1;proto=http;proto=https", "!" },
        { "for = 192.0.2.1", "!" },
        { "for=", "!" },
        { "for=\"\", for=\"192.0.2.1", "?, !" },
        { "for=\"192.0.2\\.1\"", "!" },
        { "for=192.0.2.1 proto=https", "!" },
        { "for=\"x\nForwarded: for=192.0.2.2", "!, 192.0.2.2" }, /* nor does an open quote reach the next line */
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        char fields[256];
        snprintf(fields, sizeof fields, "Forwarded: %s\n", rows[i].value);
        assert_hops(fields, GW_TRAIL_FORWARDED, rows[i].hops);
    }
}

static void x_forwarded_fields_go_before_forwarded(void **state)
{
    (void)state;
    assert_hops("Accept: a\n", GW_TRAIL_NONE, "");
    assert_hops("Forwarded: for=192.0.2.1\nX-Forwarded-For: 192.0.2.2\n", GW_TRAIL_X_FORWARDED, "192.0.2.2");
    assert_hops("Forwarded: for=192.0.2.1\nX-Forwarded-Proto: https\n", GW_TRAIL_X_FORWARDED, "");
    assert_hops("Forwarded: for=192.0.2.1\nX-Forwarded-Host: a\n", GW_TRAIL_X_FORWARDED, "");
    assert_hops("Forwarded: for=192.0.2.1\nX-Forwarded-Port: 1\n", GW_TRAIL_FORWARDED, "192.0.2.1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(x_forwarded_for_is_a_list_of_addresses),
        cmocka_unit_test(forwarded_is_read_by_its_grammar),
        cmocka_unit_test(x_forwarded_fields_go_before_forwarded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
