#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/base.h"
#include "config/keys.h"

static void no_two_keys_share_a_path_a_flag_or_a_variable(void **state)
{
    (void)state;
    for (unsigned i = 0; i < GW_KEYS_COUNT; i++) {
        char name[GW_KEYS_NAME_BYTES];
        gw_keys_environment(&gw_keys[i], name);
        assert_ptr_equal(gw_keys_find(gw_keys, GW_KEYS_COUNT, gw_slice_of_string(gw_keys[i].path)), &gw_keys[i]);
        assert_ptr_equal(gw_keys_find_flag(gw_slice_of_string(gw_keys[i].path)), &gw_keys[i]);
        assert_ptr_equal(gw_keys_find_environment(gw_slice_of_string(name)), &gw_keys[i]);
        assert_true(strlen(name) < GW_KEYS_NAME_BYTES - 1);
        if (gw_keys[i].alias)
            assert_ptr_equal(gw_keys_find_flag(gw_slice_of_string(gw_keys[i].alias)), &gw_keys[i]);
    }
}

static void rows_of_one_section_stand_together(void **state)
{
    (void)state;
    for (unsigned i = 1; i < GW_KEYS_COUNT; i++) {
        struct gw_slice section = gw_keys_section(&gw_keys[i]);
        if (gw_slice_equal(section, gw_keys_section(&gw_keys[i - 1])))
            continue;
        for (unsigned j = 0; j < i; j++)
            assert_false(section.length && gw_slice_equal(section, gw_keys_section(&gw_keys[j])));
    }
}

static void well_known_variables_lead_to_their_keys(void **state)
{
    static const struct {
        const char *name;
        enum gw_key_id id;
    } rows[] = {
        { "BACKEND_URL", GW_KEY_BACKEND_URL },
        { "GATEWAY_PORT", GW_KEY_SERVER_PORT },
        { "REDIS_URL", GW_KEY_REDIS_URL },
        { "RATE_LIMIT_RATE", GW_KEY_LIMITS_RATE },
        { "RATE_LIMIT_BURST", GW_KEY_LIMITS_BURST },
        { "CACHE_TTL", GW_KEY_CACHE_DEFAULT_TTL },
        { "TRUSTED_PROXIES", GW_KEY_SERVER_TRUSTED_PROXIES },
        { "LOG_LEVEL", GW_KEY_LOG_LEVEL },
        { "GATEWAY_WORKERS", GW_KEY_SERVER_WORKERS },
        { "GATEWAY_CACHE_MAX_OBJECT_BYTES", GW_KEY_CACHE_MAX_OBJECT_BYTES },
        { "GATEWAY_ROUTES", GW_KEY_ROUTES },
        { "GATEWAY_ADMIN_TOKEN", GW_KEY_ADMIN_TOKEN },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++)
        assert_ptr_equal(gw_keys_find_environment(gw_slice_of_string(rows[i].name)), &gw_keys[rows[i].id]);
}

static void a_few_typing_mistakes_are_near_and_more_are_not(void **state)
{
    static const struct {
        const char *written, *meant;
        unsigned distance;
    } rows[] = {
        { "port", "port", 0 },    { "prot", "port", 1 },      { "por", "port", 1 },
        { "sever", "server", 1 }, { "etl", "ttl", 1 },        { "abc", "bca", UINT_MAX },
        { "GTE", "GET", 1 },      { "ports", "port", 1 },     { "server-port", "server.port", 1 },
        { "url", "uri", 1 },      { "uri", "xyz", UINT_MAX }, { "elephant", "server", UINT_MAX },
        { "", "port", UINT_MAX },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++)
        assert_int_equal(gw_keys_distance(gw_slice_of_string(rows[i].written), gw_slice_of_string(rows[i].meant)),
                         rows[i].distance);
}

static void a_choice_has_a_number_and_back(void **state)
{
    (void)state;
    assert_int_equal(gw_keys_choice("auto|h1|curl", GW_SLICE("auto")), 0);
    assert_int_equal(gw_keys_choice("auto|h1|curl", GW_SLICE("curl")), 2);
    assert_int_equal(gw_keys_choice("auto|h1|curl", GW_SLICE("h")), -1);
    assert_int_equal(gw_keys_choice("auto|h1|curl", GW_SLICE("")), -1);
    assert_true(gw_slice_equal(gw_keys_choice_text("auto|h1|curl", 1), GW_SLICE("h1")));
    assert_null(gw_keys_choice_text("auto|h1|curl", 3).at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_two_keys_share_a_path_a_flag_or_a_variable),
        cmocka_unit_test(rows_of_one_section_stand_together),
        cmocka_unit_test(well_known_variables_lead_to_their_keys),
        cmocka_unit_test(a_few_typing_mistakes_are_near_and_more_are_not),
        cmocka_unit_test(a_choice_has_a_number_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
