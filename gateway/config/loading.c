#include <stdarg.h>
#include <stdio.h>
#include "config/file.h"
#include "config/loading.h"

/* Only the end of a long path is told, so that line and key have room. */
static const char *tail(const char *name)
{
    size_t length = strlen(name);
    return length > 120 ? name + length - 120 : name;
}

static void print_place(const struct gw_source *source, int item, char *place, size_t size)
{
    const cJSON *node = source->json;
    char index[16] = "";
    if (item >= 0 && cJSON_IsArray(node)) {
        node = cJSON_GetArrayItem(node, item);
        snprintf(index, sizeof(index), "[%d]", item);
    }
    const char *colon = source->nested ? ": " : "", *path = source->nested ? source->path : "";
    switch (source->origin) {
    case GW_ORIGIN_DEFAULT:
        snprintf(place, size, "default of %s", source->path);
        break;
    case GW_ORIGIN_FILE:
        snprintf(place, size, "%s:%u: %s%s", tail(source->file->name), gw_file_line(source->file, node), source->path,
                 index);
        break;
    case GW_ORIGIN_ENVIRONMENT:
        snprintf(place, size, "environment %s%s%s%s", source->name, colon, path, index);
        break;
    case GW_ORIGIN_FLAG:
        snprintf(place, size, "--%s%s%s%s", source->name, colon, path, index);
        break;
    }
}

static void complain(const struct gw_source *source, int item, struct gw_complaint *complaint, const char *found,
                     const char *format, va_list arguments) GW_PRINTF(5, 0);
static void complain(const struct gw_source *source, int item, struct gw_complaint *complaint, const char *found,
                     const char *format, va_list arguments)
{
    char place[256], text[sizeof(complaint->expected)];
    print_place(source, item, place, sizeof(place));
    vsnprintf(text, sizeof(text), format, arguments);
    gw_complain(complaint, place, found, "%s", text);
}

bool gw_source_complain(const struct gw_source *source, int item, struct gw_complaint *complaint, const char *found,
                        const char *expected, ...)
{
    va_list arguments;
    if (source->is_wrong)
        return false;
    va_start(arguments, expected);
    complain(source, item, complaint, found, expected, arguments);
    va_end(arguments);
    return false;
}

void gw_source_warn(struct gw_loading *loading, const struct gw_source *source, int item, const char *found,
                    const char *sentence, ...)
{
    va_list arguments;
    va_start(arguments, sentence);
    complain(source, item, loading->complaint, found, sentence, arguments);
    va_end(arguments);
    gw_findings_file(loading->findings, true);
}

bool gw_loading_file(struct gw_loading *loading, bool good)
{
    if (!good && loading->complaint->place[0])
        gw_findings_file(loading->findings, false);
    return good;
}

bool gw_loading_no_memory(struct gw_complaint *complaint)
{
    gw_complain(complaint, "configuration", NULL, "enough memory to hold it (4 MiB at most)");
    return false;
}

struct gw_slice gw_loading_copy(struct gw_arena *arena, struct gw_slice text)
{
    char *copy = gw_arena_take(arena, text.length + 1);
    if (!copy)
        return GW_NO_SLICE;
    if (text.length)
        memcpy(copy, text.at, text.length);
    copy[text.length] = '\0';
    return gw_slice_of(copy, text.length);
}

void *gw_loading_take(struct gw_loading *loading, size_t count, size_t size)
{
    size_t bytes = (count ? count : 1) * size; /* the rows of keys.h bound the counts */
    void *taken = gw_arena_take(&loading->config->arena, bytes);
    if (taken)
        memset(taken, 0, bytes);
    else
        gw_loading_no_memory(loading->complaint);
    return taken;
}
