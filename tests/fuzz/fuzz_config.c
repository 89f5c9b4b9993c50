/* Any text as a configuration: a file, or arguments and variables. There is a configuration where there is no mistake,
 * and each of its routes and policies matches a request that a client can send. */
#include "config/file.h"
#include "config/load.h"
#include "fuzz/fuzz_input.h"
#include "http/grammar.h"

static void check_findings(const struct gw_config *config, const struct gw_findings *findings)
{
    demand(findings->count <= GW_FINDINGS && (config != NULL) == (findings->error_count == 0));
    for (unsigned i = 0; i < findings->count; i++) {
        char line[sizeof(struct gw_complaint) + 64];
        gw_findings_print(&findings->items[i], line, sizeof(line));
        demand(findings->items[i].complaint.expected[0]);
    }
}

/* A request that this match was written for. */
static void check_match(const struct gw_match *match)
{
    char host[300] = "h";
    struct gw_slice path = match->path.length ? match->path : GW_SLICE("/");
    struct gw_slice method = match->methods.count ? match->methods.items[0] : GW_SLICE("GET");
    if (match->host.length) {
        memcpy(host, match->host.at, match->host.length);
        host[match->host.length] = '\0';
        host[0] = host[0] == '*' ? 'x' : host[0];
    }
    struct gw_slice authority = gw_slice_of_string(host);
    demand(gw_grammar_is_origin_form(path) && gw_grammar_is_authority(authority) && gw_grammar_is_token(method));
    demand(gw_match_holds(match, method, authority, path));
}

static void check_config(struct gw_config *config, const struct gw_findings *findings)
{
    check_findings(config, findings);
    if (!config)
        return;
    for (unsigned i = 0; i < config->route_count; i++)
        check_match(&config->routes[i].match);
    for (unsigned i = 0; i < config->policy_count; i++)
        check_match(&config->policies[i].match);
    gw_config_unref(config);
}

static void try_file(struct fuzz_input *input)
{
    static char a[] = "A=/x,y", b[] = "B=7", *environment[] = { a, b, NULL };
    struct gw_slice text = fuzz_take(input, input->left);
    struct gw_findings findings;
    struct gw_file file;
    gw_findings_init(&findings);
    if (gw_file_parse(&file, "f", text, &findings.latest))
        (void)!gw_file_fill(&file, environment, &findings);
    gw_file_close(&file);
    char *json = malloc(text.length + 1);
    if (!json)
        return;
    memcpy(json, text.at, text.length);
    json[text.length] = '\0';
    struct gw_config *config = gw_load_text(json, &findings);
    check_config(config, &findings);
    free(json);
}

enum { MOST_WORDS = 16 };

/* No file may be opened: what names one is left out. */
static bool names_a_file(const char *word)
{
    return strcasestr(word, "config") || strcasestr(word, "_file");
}

/* Lines: those that begin with "--" or follow one that does are arguments, the others variables. */
static void try_words(struct fuzz_input *input)
{
    char program[] = "visara-gateway", *argv[MOST_WORDS + 2] = { program }, *environment[MOST_WORDS + 1] = { NULL };
    int argc = 1;
    unsigned variables = 0;
    struct gw_slice text = fuzz_take(input, input->left);
    char *copy = malloc(text.length + 1), *rest = copy, *word;
    struct gw_findings findings;
    if (!copy)
        return;
    memcpy(copy, text.at, text.length);
    copy[text.length] = '\0';
    while ((word = strsep(&rest, "\n")) && argc <= MOST_WORDS && variables < MOST_WORDS) {
        if (names_a_file(word))
            continue;
        if (strncmp(word, "--", 2) == 0 || !strchr(word, '='))
            argv[argc++] = word;
        else
            environment[variables++] = word;
    }
    argv[argc] = environment[variables] = NULL;
    struct gw_config *config = gw_load_config(argc, argv, environment, false, &findings);
    bool is_good = config != NULL;
    check_config(config, &findings);
    struct gw_buffer page = gw_buffer_create(1 << 22);
    demand(gw_load_print_config(argc, argv, environment, &page, &findings) == is_good);
    if (is_good && !page.overflowed) { /* it loads again, but for what is masked */
        gw_buffer_put_char(&page, '\0');
        config = gw_load_text(page.at, &findings);
        demand(config || strstr(page.at, "***"));
        if (config)
            gw_config_unref(config);
    }
    gw_buffer_destroy(&page);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = { .at = data, .left = size };
    if (fuzz_number(&input, 1) & 1)
        try_words(&input);
    else
        try_file(&input);
    fuzz_end(&input);
    return 0;
}
