/* docs/ tells the truth about the configuration. The build defines GW_DOCS_DIR. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "config/load.h"

static char *no_environment[] = { NULL };

static void the_reference_is_what_the_table_makes(void **state)
{
    struct gw_buffer page = gw_buffer_create(1024 * 1024);
    char *file = calloc(1, 1024 * 1024);
    (void)state;
    assert_non_null(file);
    gw_load_print_docs(&page);
    FILE *stream = fopen(GW_DOCS_DIR "/configuration.md", "rb");
    assert_non_null(stream);
    size_t length = fread(file, 1, 1024 * 1024 - 1, stream);
    fclose(stream);
    assert_false(page.overflowed);
    assert_true(page.length < 64 * 1024);
    if (length != page.length || memcmp(file, page.at, length) != 0)
        fail_msg("docs/configuration.md is old: visara-gateway --print-config-docs > docs/configuration.md");
    free(file);
    gw_buffer_destroy(&page);
}

static void the_example_loads(void **state)
{
    static char program[] = "visara-gateway", flag[] = "--config", path[] = GW_DOCS_DIR "/gateway.example.json";
    char *argv[] = { program, flag, path, NULL };
    struct gw_findings findings;
    struct gw_config *config = gw_load_config(3, argv, no_environment, false, &findings);
    (void)state;
    for (unsigned i = 0; i < findings.count; i++) {
        const struct gw_complaint *told = &findings.items[i].complaint;
        fail_msg("%s: %s", told->place, told->expected); /* warnings, too */
    }
    assert_int_equal(config->route_count, 3);
    assert_int_equal(config->policy_count, 4);
    assert_int_equal(config->backend_count, 3);
    gw_config_unref(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reference_is_what_the_table_makes),
        cmocka_unit_test(the_example_loads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
