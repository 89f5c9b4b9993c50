/* ${NAME} in the strings of a file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "config/file.h"

static char port[] = "PORT=81", home[] = "HOME=/h", empty[] = "EMPTY=", dollar[] = "DOLLAR=a${PORT}$",
            *environment[] = { port, home, empty, dollar, NULL };

/* As "log.access", so that each text is one value. */
static bool fill(const char *written, struct gw_file *file, struct gw_findings *findings)
{
    char json[512];
    snprintf(json, sizeof(json), "{\"log\":\n{\"access\": \"%s\"}}", written);
    gw_findings_init(findings);
    assert_true(gw_file_parse(file, "f", gw_slice_of_string(json), &findings->latest));
    return gw_file_fill(file, environment, findings);
}

static const cJSON *value_of(const struct gw_file *file)
{
    return file->tree->child->child;
}

static void a_variable_stands_in_its_place(void **state)
{
    static const struct {
        const char *written, *filled;
        bool is_filled;
    } rows[] = {
        { "plain $ $$ $X {}", "plain $ $$ $X {}", false },
        { "${PORT}", "81", true },
        { "a${PORT}b${HOME}c", "a81b/hc", true },
        { "${PORT:-9}", "81", true },
        { "${NONE:-9}", "9", true },
        { "${NONE:-}", "", true },
        { "${NONE:-a:-b$c{}", "a:-b$c{", true },
        { "${EMPTY:-9}", "9", true },
        { "$${PORT}", "${PORT}", false },
        { "$$${PORT}", "$${PORT}", false },
        { "$${${PORT}", "${81", true },
        { "${DOLLAR}", "a${PORT}$", true }, /* what is filled in is not looked at again */
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_file file;
        struct gw_findings findings;
        print_message("%s\n", rows[i].written);
        assert_true(fill(rows[i].written, &file, &findings));
        assert_string_equal(value_of(&file)->valuestring, rows[i].filled);
        assert_int_equal((value_of(&file)->type & GW_FILE_FILLED) != 0, rows[i].is_filled);
        gw_file_close(&file);
    }
}

static void what_cannot_be_filled_in_is_told_with_its_line(void **state)
{
    static const struct {
        const char *written, *found;
    } rows[] = {
        { "${NONE}", "${NONE}" }, { "${EMPTY}", "${EMPTY}" },  { "${", "${" },       { "${PORT", "${" },
        { "${}", "${" },          { "${:-a}", "${" },          { "${9A}", "${" },    { "${A B}", "${" },
        { "${A-b}", "${" },       { "${PORT:?secret}", "${" }, { "${PORT:}", "${" }, { "${a.b:-secret}", "${" },
    };
    (void)state;
    for (size_t i = 0; i < GW_COUNT(rows); i++) {
        struct gw_file file;
        struct gw_findings findings;
        print_message("%s\n", rows[i].written);
        assert_false(fill(rows[i].written, &file, &findings));
        assert_int_equal(findings.error_count, 1);
        assert_string_equal(findings.items[0].complaint.place, "f:2: log.access");
        assert_string_equal(findings.items[0].complaint.found, rows[i].found);
        assert_true(value_of(&file)->type & GW_FILE_WRONG);
        gw_file_close(&file);
    }
}

static void what_is_filled_in_is_bounded(void **state)
{
    char *big = calloc(1, 400 * 1024 + 4), *variables[] = { big, NULL };
    struct gw_file file;
    struct gw_findings findings;
    (void)state;
    assert_non_null(big);
    memcpy(big, "B=", 2);
    memset(big + 2, 'x', 400 * 1024);
    gw_findings_init(&findings);
    assert_true(gw_file_parse(&file, "f", GW_SLICE("{\"a\": [\"${B}\", \"${B}\", \"${B}\"]}"), &findings.latest));
    assert_false(gw_file_fill(&file, variables, &findings));
    assert_int_equal(findings.error_count, 1);
    assert_non_null(strstr(findings.items[0].complaint.expected, "1 MiB"));
    gw_file_close(&file);
    free(big);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_variable_stands_in_its_place),
        cmocka_unit_test(what_cannot_be_filled_in_is_told_with_its_line),
        cmocka_unit_test(what_is_filled_in_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
