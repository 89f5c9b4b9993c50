/* fill.c: replaces ${NAME} in the strings of a configuration file. */
#include <stdio.h>
#include "config/file.h"
#include "config/variables.h"

struct fill {
    struct gw_file *file;
    char *const *environment;
    struct gw_findings *findings;
    size_t room;         /* bytes that may still be filled in, for the whole file */
    const char *section; /* the section of the current node */
    bool good;
};

static bool complain(struct fill *fill, cJSON *node, struct gw_slice found, const char *expected)
{
    char place[256], text[128];
    const char *name = fill->file->name;
    size_t length = strlen(name);
    bool is_inside = fill->section && node->string && fill->section != node->string;
    snprintf(place, sizeof(place), "%s:%u: %.40s%s%.60s", length > 120 ? name + length - 120 : name,
             gw_file_line(fill->file, node), fill->section ? fill->section : "", is_inside ? "." : "",
             is_inside ? node->string : "");
    snprintf(text, sizeof(text), "%.*s", (int)(found.length < 100 ? found.length : 100), found.at);
    gw_complain(&fill->findings->latest, place, text, "%s", expected);
    gw_findings_file(fill->findings, false);
    node->type |= GW_FILE_WRONG;
    return fill->good = false;
}

static bool is_name(struct gw_slice name)
{
    for (size_t i = 0; i < name.length; i++) {
        char c = name.at[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!is_letter && !(i > 0 && c >= '0' && c <= '9'))
            return false;
    }
    return name.length > 0 && name.length < 256;
}

/* at: the place behind a "${". The complaint quotes the name only, since a default may be a secret. */
static const char *put_variable(struct fill *fill, cJSON *node, const char *at, struct gw_buffer *filled)
{
    static const char form[] = "${NAME} or ${NAME:-default} (write $${ for ${ itself)";
    const char *end = strchr(at, '}');
    struct gw_slice name = gw_slice_of(at, strcspn(at, ":}"));
    if (!end || !is_name(name) || (at[name.length] == ':' && at[name.length + 1] != '-')) {
        complain(fill, node, GW_SLICE("${"), form);
        return NULL;
    }
    char text[256];
    snprintf(text, sizeof(text), "%.*s", GW_SLICE_ARGS(name));
    const char *value = gw_variables_get(fill->environment, text);
    struct gw_slice fallback = GW_NO_SLICE;
    if (at[name.length] == ':')
        fallback = gw_slice_of(at + name.length + 2, (size_t)(end - at) - name.length - 2);
    if (!value && !fallback.at) {
        snprintf(text, sizeof(text), "${%.*s}", (int)(name.length < 100 ? name.length : 100), name.at);
        complain(fill, node, gw_slice_of_string(text), "a variable that is set and not empty, or ${NAME:-default}");
        return NULL;
    }
    gw_buffer_put_slice(filled, value ? gw_slice_of_string(value) : fallback);
    return end + 1;
}

/* False: a complaint was filed. */
static bool fill_text(struct fill *fill, cJSON *node, struct gw_buffer *filled)
{
    for (const char *at = node->valuestring; at && *at;) {
        if (strncmp(at, "$${", 3) == 0) {
            gw_buffer_put_literal(filled, "${");
            at += 3;
        } else if (strncmp(at, "${", 2) == 0) {
            at = put_variable(fill, node, at + 2, filled);
            if (!at)
                return false;
            node->type |= GW_FILE_FILLED;
        } else {
            gw_buffer_put_char(filled, *at++);
        }
    }
    return true;
}

static void fill_node(struct fill *fill, cJSON *node)
{
    struct gw_buffer filled = gw_buffer_create(fill->room);
    if (!fill_text(fill, node, &filled)) {
        gw_buffer_destroy(&filled);
        return;
    }
    char *text = filled.overflowed ? NULL : cJSON_malloc(filled.length + 1);
    if (text) {
        if (filled.length)
            memcpy(text, filled.at, filled.length);
        text[filled.length] = '\0';
        cJSON_free(node->valuestring);
        node->valuestring = text;
        fill->room -= filled.length;
    } else {
        complain(fill, node, GW_NO_SLICE, "variables that make the file no larger than 1 MiB");
    }
    gw_buffer_destroy(&filled);
}

/* Depth is bounded by cJSON's own bound. */
static void walk(struct fill *fill, cJSON *node)
{
    for (cJSON *child = node->child; child; child = child->next) {
        if (node == fill->file->tree)
            fill->section = child->string;
        if (cJSON_IsString(child) && strstr(child->valuestring, "${"))
            fill_node(fill, child);
        walk(fill, child);
    }
}

bool gw_file_fill(struct gw_file *file, char *const *environment, struct gw_findings *findings)
{
    struct fill fill = { file, environment, findings, GW_FILE_BYTES, NULL, true };
    walk(&fill, file->tree);
    return fill.good;
}
