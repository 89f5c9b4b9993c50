#include "config/help.h"
#include "config/numbers.h"
#include "config/values.h"

static const char *type_name(const struct gw_key *key)
{
    static const char *const names[] = {
        [GW_KEY_BOOLEAN] = "BOOLEAN",   [GW_KEY_INTEGER] = "NUMBER",   [GW_KEY_SIZE] = "SIZE",
        [GW_KEY_DURATION] = "DURATION", [GW_KEY_SECONDS] = "DURATION", [GW_KEY_STRING] = "TEXT",
        [GW_KEY_RATE] = "RATE",         [GW_KEY_LIST] = "LIST",        [GW_KEY_OBJECTS] = "JSON",
    };
    return names[key->type];
}

enum { HELP_WIDTH = 96, HELP_INDENT = 8 };

/* Writes whole words, indented, in lines of at most HELP_WIDTH, except for longer words. */
static void put_wrapped(struct gw_buffer *page, const char *text)
{
    size_t column = 0;
    while (*text) {
        size_t word = strcspn(text, " ");
        if (column && column + 1 + word > HELP_WIDTH) {
            gw_buffer_put_char(page, '\n');
            column = 0;
        }
        if (column == 0) {
            gw_buffer_print(page, "%*s", HELP_INDENT, "");
            column = HELP_INDENT;
        } else {
            gw_buffer_put_char(page, ' ');
            column++;
        }
        gw_buffer_put(page, text, word);
        column += word;
        text += word + strspn(text + word, " ");
    }
    gw_buffer_put_char(page, '\n');
}

static void put_help_of(struct gw_buffer *page, const struct gw_key *key)
{
    char environment[GW_KEYS_NAME_BYTES];
    gw_keys_environment(key, environment);
    gw_buffer_put_literal(page, "    ");
    if (key->alias)
        gw_buffer_print(page, "--%s, ", key->alias);
    gw_buffer_print(page, "--%s=%s  (%s", key->path, key->type == GW_KEY_CHOICE ? key->choices : type_name(key),
                    environment);
    if (*key->fallback && key->type != GW_KEY_LIST)
        gw_buffer_print(page, ", default %s", key->fallback);
    gw_buffer_put_literal(page, ")\n");
    put_wrapped(page, key->help);
    if (key->type == GW_KEY_LIST && *key->fallback) {
        char text[256];
        struct gw_buffer line = gw_buffer_over(text, sizeof(text) - 1);
        gw_buffer_print(&line, "Default: %s", key->fallback);
        text[line.length] = '\0';
        put_wrapped(page, text);
    }
}

void gw_help_print(struct gw_buffer *page)
{
    struct gw_slice open = GW_NO_SLICE;
    gw_buffer_put_literal(
        page, "Usage: visara-gateway [--config FILE] [--KEY VALUE | --KEY=VALUE]...\n"
              "       visara-gateway cache inspect URL | cache purge ...    (cache --help)\n"
              "       visara-gateway healthcheck [the same flags]           (0: the gateway with these is healthy)\n"
              "\n"
              "An HTTP gateway: it limits, caches and forwards requests to HTTP backends.\n"
              "\n"
              "    --config FILE          JSON file with the keys below (GATEWAY_CONFIG)\n"
              "    --check-config         say whether the configuration is valid, and exit\n"
              "    --print-config         print the merged configuration as JSON, and exit\n"
              "    --print-config-docs    print the reference of all keys as Markdown, and exit\n"
              "    --version, --help      print, and exit\n"
              "\n"
              "Flags override environment variables, these the file, and the file the defaults.\n"
              "SIZE: bytes, or such as 64KiB, 10MiB, 1GiB. DURATION: seconds, or such as 250ms, 10s, 5m, 2h.\n"
              "RATE: such as 10/s, 100/min, 5/10s, or a number per second. LIST: separated by commas.\n");
    for (unsigned i = 0; i < GW_KEYS_COUNT; i++) {
        struct gw_slice section = gw_keys_section(&gw_keys[i]);
        if (i == 0 || !gw_slice_equal(section, open))
            gw_buffer_print(page, "\n%.*s\n", GW_SLICE_ARGS(section.length ? section : GW_SLICE("routes")));
        open = section;
        put_help_of(page, &gw_keys[i]);
    }
}

static void put_cell(struct gw_buffer *page, const char *text)
{
    for (; *text; text++) {
        if (*text == '|' || *text == '*' || *text == '_' || *text == '<')
            gw_buffer_put_char(page, '\\');
        gw_buffer_put_char(page, *text);
    }
}

static void put_default(struct gw_buffer *page, const struct gw_key *key)
{
    if (!key->fallback)
        gw_buffer_put_literal(page, "must be given");
    else if (*key->fallback == '=')
        gw_buffer_print(page, "that of `%s`", key->fallback + 1);
    else if (!*key->fallback)
        gw_buffer_put_string(page, key->type == GW_KEY_STRING ? "empty" : "none");
    else
        gw_buffer_print(page, "`%s`", key->fallback);
}

static void put_values_cell(struct gw_buffer *page, const struct gw_key *key)
{
    char expected[256];
    struct gw_buffer text = gw_buffer_over(expected, sizeof(expected) - 1);
    bool is_size = key->type == GW_KEY_SIZE, is_time = key->type == GW_KEY_DURATION || key->type == GW_KEY_SECONDS;
    uint64_t factor = key->type == GW_KEY_SECONDS ? 1000 : 1;
    if (is_size || is_time) {
        gw_buffer_put_string(&text, is_size ? "size, " : "duration, ");
        is_size ? gw_numbers_put_size(&text, key->least) : gw_numbers_put_duration(&text, key->least * factor);
        gw_buffer_put_literal(&text, " to ");
        is_size ? gw_numbers_put_size(&text, key->most) : gw_numbers_put_duration(&text, key->most * factor);
        if (key->choices)
            gw_buffer_print(&text, ", or %s", key->choices);
    } else if (key->type == GW_KEY_INTEGER) {
        gw_buffer_print(&text, "%llu to %llu", (unsigned long long)key->least, (unsigned long long)key->most);
    } else if (key->type == GW_KEY_STRING) {
        gw_buffer_print(&text, "text, at most %llu bytes", (unsigned long long)key->most);
    } else if (key->type == GW_KEY_RATE) {
        gw_buffer_print(&text, key->choices ? "rate, or %s" : "rate", key->choices);
    } else if (key->type == GW_KEY_LIST) {
        gw_buffer_print(&text, "list, %llu to %llu", (unsigned long long)key->least, (unsigned long long)key->most);
    } else {
        gw_values_put_expected(&text, key);
    }
    expected[text.length] = '\0';
    put_cell(page, expected);
}

static void put_row(struct gw_buffer *page, const struct gw_key *key, bool is_nested)
{
    gw_buffer_print(page, "| `%s` | ", key->path);
    put_values_cell(page, key);
    gw_buffer_put_literal(page, " | ");
    put_default(page, key);
    if (!is_nested) {
        char environment[GW_KEYS_NAME_BYTES];
        gw_keys_environment(key, environment);
        gw_buffer_print(page, " | `%s`", environment);
        if (key->alias)
            gw_buffer_print(page, ", `--%s`", key->alias);
    }
    gw_buffer_put_literal(page, " | ");
    put_cell(page, key->help);
    gw_buffer_put_literal(page, " |\n");
}

static void put_nested(struct gw_buffer *page, const struct gw_key *keys, unsigned count)
{
    gw_buffer_put_literal(page, "\n| Key | Value | Default | Meaning |\n|---|---|---|---|\n");
    for (unsigned i = 0; i < count; i++)
        put_row(page, &keys[i], true);
}

static const char docs_head[] =
    "# Configuration\n"
    "\n"
    "<!-- Made by `visara-gateway --print-config-docs`; a test compares the two. -->\n"
    "\n"
    "Every key can be set in a JSON file (`--config FILE` or `GATEWAY_CONFIG`), by an environment variable and by\n"
    "a flag. **Flags override environment variables, these override the file, and the file overrides the\n"
    "defaults**; a value is replaced as a whole, also a list or an array. An example is\n"
    "[gateway.example.json](gateway.example.json).\n"
    "\n"
    "```json\n"
    "{ \"server\": { \"port\": 8080 }, \"backend\": { \"url\": [\"http://10.0.0.1:8000\", \"http://10.0.0.2:8000\"] } "
    "}\n"
    "```\n"
    "\n"
    "- The flag of `server.port` is `--server.port=8080` or `--server.port 8080`. Some keys have a short flag,\n"
    "  too; the tables name it.\n"
    "- The tables name the environment variable of each key. An empty variable counts as not set. Any other\n"
    "  variable that begins with `GATEWAY_` is an error, so that a typing mistake is noticed. Ignored are\n"
    "  `GATEWAY_CMD` and `GATEWAY_URL` (benchmarks use them), and what Kubernetes sets for a service called\n"
    "  gateway or gateway-something (`GATEWAY_SERVICE_HOST`, `GATEWAY_PORT_80_TCP`, and `GATEWAY_PORT` if it\n"
    "  begins with `tcp://`). A variable whose name is nearly one of the gateway's (`RATE_LIMIT_BRUST`,\n"
    "  `BACKEND_URLS`) gives a warning.\n"
    "- Secrets can be read from files: `REDIS_URL_FILE`, `GATEWAY_CACHE_REDIS_URL_FILE` and\n"
    "  `GATEWAY_ADMIN_TOKEN_FILE` give the path of one each. Line ends behind the secret are left out. To set a\n"
    "  variable both with and without `_FILE` is an error.\n"
    "- In the strings of the JSON file, `${NAME}` stands for an environment variable, and `${NAME:-default}` for\n"
    "  one that may be missing. Otherwise a variable that is not set, or is empty, is an error. `$${` stands for\n"
    "  `${`; any other `$` stays as it is. A string with variables is read like the text of a variable:\n"
    "  `\"${PORT}\"` may be a number, and `\"${BACKENDS}\"` a list with commas.\n"
    "- `--check-config` tells whether the configuration is valid. It tells all mistakes at once, and warns about\n"
    "  values that are valid but probably a mistake: a limit that clients can avoid, a key without effect. The\n"
    "  start logs the same warnings. Both check whether the files that are named can be used. `visara-gateway\n"
    "  healthcheck`, with the same flags and variables, asks the gateway that runs with them whether it is\n"
    "  healthy, and ends with 0 or 1. `--print-config` prints the merged result as JSON. It can be loaded again\n"
    "  after the passwords and the token, which are masked as `***`, have been filled in.\n"
    "- An unknown key, a wrong type or an impossible value is an error that tells the place and what was\n"
    "  expected, also where another source overrides it.\n"
    "\n"
    "Values\n"
    "\n"
    "- *size*: a number of bytes, or `\"64KiB\"`, `\"10MiB\"`, `\"1GiB\"`.\n"
    "- *duration*: a number of **seconds** (`2.5`), or `\"250ms\"`, `\"10s\"`, `\"5m\"`, `\"2h\"`.\n"
    "- *rate*: tokens per time, `\"10/s\"`, `\"100/min\"`, `\"1000/h\"`, `\"5000/day\"`, `\"5/10s\"`, or a number\n"
    "  per second. Whole numbers only: half a request a second is `\"1/2s\"`.\n"
    "- *list*: an array of strings, or one string with commas (in flags and variables always that).\n"
    "- *true or false*: in flags and variables also on/off, yes/no, 1/0.\n"
    "- `routes` and `limits.policies` in flags and variables: the JSON array as text.\n";

static const char docs_routes[] =
    "\n## Objects in routes\n"
    "\n"
    "An array of objects. A request takes the first route that matches it: every key that is set must match. A last "
    "route\n"
    "called `default`, with `backend.url`, matches all other requests; it is added unless the last route of the\n"
    "array matches everything. There may be at most 64 routes and 64 different backends. A route that no request\n"
    "reaches, because a route before it takes all of its requests, is an error: write the narrower one first.\n"
    "Paths are compared as a backend reads them: decoded, without double slashes and dot segments. They are\n"
    "prefixes of whole segments, without wildcards and placeholders.\n";

static const char docs_policies[] =
    "\n## Objects in limits.policies\n"
    "\n"
    "`limits.rate`, `limits.burst` and so on make the policy called `default`, for every request.\n"
    "`limits.policies` has further ones, an array of objects; a request must be allowed by all that match. A\n"
    "bucket holds `burst` tokens, refills at `rate`, and must fill within a year.\n"
    "\n"
    "The gateway does not check keys. So a limit by `header:X-Api-Key` alone does not stop a client that sends a\n"
    "new key with each request: put a limit by address beside it, for the same requests, wide enough for many\n"
    "keys behind one address:\n"
    "\n"
    "```json\n"
    "{ \"limits\": { \"rate\": \"10/s\", \"burst\": 20, \"by\": \"header:X-Api-Key\",\n"
    "  \"policies\": [ { \"name\": \"address\", \"rate\": \"100/s\", \"burst\": 200, \"by\": \"ip\" } ] } }\n"
    "```\n";

void gw_help_print_docs(struct gw_buffer *page)
{
    struct gw_slice open = GW_NO_SLICE;
    gw_buffer_put_string(page, docs_head);
    for (unsigned i = 0; i < GW_KEYS_COUNT; i++) {
        struct gw_slice section = gw_keys_section(&gw_keys[i]);
        if (!section.length) {
            gw_buffer_put_literal(page, "\n## routes\n");
        } else if (!gw_slice_equal(section, open)) {
            gw_buffer_print(page, "\n## %.*s\n", GW_SLICE_ARGS(section));
        }
        if (!section.length || !gw_slice_equal(section, open))
            gw_buffer_put_literal(page, "\n| Key | Value | Default | Variable, short flag | Meaning |\n"
                                        "|---|---|---|---|---|\n");
        open = section;
        put_row(page, &gw_keys[i], false);
    }
    gw_buffer_put_string(page, docs_routes);
    put_nested(page, gw_keys_of_route, GW_ROUTE_KEYS_COUNT);
    gw_buffer_put_string(page, docs_policies);
    put_nested(page, gw_keys_of_policy, GW_POLICY_KEYS_COUNT);
}
