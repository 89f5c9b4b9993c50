#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "config/file.h"

static unsigned line_at(const char *text, const char *at)
{
    unsigned line = 1;
    for (; text < at; text++)
        line += *text == '\n';
    return line;
}

/* The text before an @ may be a password, and so may the text behind "token". */
static bool may_be_secret(const char *text, const char *at, size_t rest)
{
    const char *line = at;
    while (line > text && line[-1] != '\n' && line[-1] != '\r')
        line--;
    return memchr(at, '@', rest) || memmem(line, (size_t)(at - line) + rest, "token", 5);
}

static void complain_syntax(const char *text, const char *at, const char *place, bool with_line, const char *expected,
                            struct gw_complaint *complaint)
{
    char where[256], found[40];
    size_t rest = strcspn(at, "\r\n");
    if (with_line)
        snprintf(where, sizeof(where), "%.200s:%u", place, line_at(text, at));
    else
        snprintf(where, sizeof(where), "%s", place);
    snprintf(found, sizeof(found), "%.*s", may_be_secret(text, at, rest) ? 0 : (int)rest, at);
    gw_complain(complaint, where, *at ? found : "the end", "%s", expected);
}

cJSON *gw_file_parse_json(const char *text, size_t length, const char *place, bool with_line,
                          struct gw_complaint *complaint)
{
    /* cJSON ends a string at a NUL, which would hide the text behind it. */
    const char *nul = memchr(text, '\0', length), *escaped = memmem(text, length, "\\u0000", 6);
    if (nul || escaped) {
        complain_syntax(text, nul ? nul : escaped, place, with_line, "text without NUL characters", complaint);
        return NULL;
    }
    const char *end = text;
    cJSON *tree = cJSON_ParseWithLengthOpts(text, length + 1, &end, 1);
    if (!tree)
        complain_syntax(text, end, place, with_line, "JSON (without comments or commas before a closing bracket)",
                        complaint);
    return tree;
}

static bool parse(struct gw_file *file, struct gw_complaint *complaint)
{
    const char *name = file->name;
    if (strlen(name) > 120)
        name += strlen(name) - 120;
    file->tree = gw_file_parse_json(file->text, file->length, name, true, complaint);
    if (file->tree && !cJSON_IsObject(file->tree)) {
        gw_complain(complaint, name, NULL, "one JSON object");
        return false;
    }
    return file->tree != NULL;
}

bool gw_file_parse(struct gw_file *file, const char *name, struct gw_slice text, struct gw_complaint *complaint)
{
    *file = (struct gw_file) { .name = name, .text = malloc(text.length + 1), .length = text.length };
    if (!file->text)
        return gw_loading_no_memory(complaint);
    if (text.length)
        memcpy(file->text, text.at, text.length);
    file->text[text.length] = '\0';
    return parse(file, complaint);
}

bool gw_file_open(struct gw_file *file, const char *name, struct gw_complaint *complaint)
{
    *file = (struct gw_file) { .name = name, .text = malloc(GW_FILE_BYTES + 2) };
    if (!file->text)
        return gw_loading_no_memory(complaint);
    FILE *stream = fopen(name, "rbe");
    if (!stream) {
        gw_complain(complaint, name, strerror(errno), "a readable file");
        return false;
    }
    file->length = fread(file->text, 1, GW_FILE_BYTES + 1, stream);
    int error = ferror(stream) ? errno : 0;
    fclose(stream);
    file->text[file->length] = '\0';
    if (error)
        gw_complain(complaint, name, strerror(error), "a readable file");
    else if (file->length > GW_FILE_BYTES)
        gw_complain(complaint, name, NULL, "a file of 1 MiB at most");
    else
        return parse(file, complaint);
    return false;
}

bool gw_file_read_secret(const char *path, const char *place, char *secret, struct gw_complaint *complaint)
{
    const char *expected = NULL;
    FILE *stream = fopen(path, "rbe");
    size_t length = stream ? fread(secret, 1, GW_FILE_SECRET_BYTES, stream) : 0;
    if (!stream || ferror(stream))
        gw_complain(complaint, place, path, "a readable file (%s)", strerror(errno));
    else if (length == GW_FILE_SECRET_BYTES)
        expected = "a file of fewer than 4096 bytes";
    else if (memchr(secret, '\0', length))
        expected = "a file of text, without NUL characters";
    if (stream)
        fclose(stream);
    if (complaint->place[0])
        return false;
    while (!expected && length && strchr("\r\n", secret[length - 1]))
        length--;
    if (!expected && !length)
        expected = "a file that holds the secret; it is empty";
    if (expected)
        gw_complain(complaint, place, path, "%s", expected);
    else
        secret[length] = '\0';
    return !expected;
}

void gw_file_close(struct gw_file *file)
{
    cJSON_Delete(file->tree);
    free(file->text);
    *file = (struct gw_file) { 0 };
}

struct walk {
    const char *at;
    const cJSON *wanted;
    const char *found;
};

static void skip_between(struct walk *walk)
{
    walk->at += strspn(walk->at, " \t\r\n,:\xEF\xBB\xBF"); /* also a byte order mark */
}

static void skip_string(struct walk *walk)
{
    for (walk->at++; *walk->at && *walk->at != '"'; walk->at++)
        if (*walk->at == '\\' && walk->at[1])
            walk->at++;
    if (*walk->at)
        walk->at++;
}

/* Depth is bounded by cJSON's own bound. */
static void walk_node(struct walk *walk, const cJSON *node)
{
    skip_between(walk);
    if (node == walk->wanted)
        walk->found = walk->at;
    if (node->string) {
        skip_string(walk);
        skip_between(walk);
    }
    if (walk->found)
        return;
    if (*walk->at == '{' || *walk->at == '[') {
        walk->at++;
        for (const cJSON *child = node->child; child && !walk->found; child = child->next)
            walk_node(walk, child);
        skip_between(walk);
        if (*walk->at)
            walk->at++;
    } else if (*walk->at == '"') {
        skip_string(walk);
    } else {
        walk->at += strcspn(walk->at, " \t\r\n,]}");
    }
}

unsigned gw_file_line(const struct gw_file *file, const cJSON *node)
{
    struct walk walk = { .at = file->text, .wanted = node };
    walk_node(&walk, file->tree);
    return line_at(file->text, walk.found ? walk.found : file->text);
}
