#include <stdio.h>
#include "config/file.h"
#include "config/numbers.h"
#include "config/print.h"
#include "config/values.h"

static void put_choices(struct gw_buffer *buffer, const char *choices)
{
    struct gw_slice choice;
    for (unsigned i = 0; (choice = gw_keys_choice_text(choices, i)).at; i++) {
        if (i)
            gw_buffer_put_literal(buffer, ", ");
        gw_buffer_put_slice(buffer, choice);
    }
}

void gw_values_put_expected(struct gw_buffer *buffer, const struct gw_key *key)
{
    unsigned long long least = key->least, most = key->most;
    switch (key->type) {
    case GW_KEY_BOOLEAN:
        gw_buffer_put_literal(buffer, "true or false");
        break;
    case GW_KEY_INTEGER:
        gw_buffer_print(buffer, "a whole number from %llu to %llu", least, most);
        break;
    case GW_KEY_SIZE:
        gw_buffer_put_literal(buffer, "a size (bytes, or such as 64KiB, 10MiB, 1GiB) from ");
        gw_numbers_put_size(buffer, least);
        gw_buffer_put_literal(buffer, " to ");
        gw_numbers_put_size(buffer, most);
        break;
    case GW_KEY_DURATION:
    case GW_KEY_SECONDS:
        gw_buffer_put_literal(buffer, "a duration (seconds, or such as 250ms, 10s, 5m, 2h) from ");
        gw_numbers_put_duration(buffer, key->type == GW_KEY_SECONDS ? least * 1000 : least);
        gw_buffer_put_literal(buffer, " to ");
        gw_numbers_put_duration(buffer, key->type == GW_KEY_SECONDS ? most * 1000 : most);
        if (key->type == GW_KEY_SECONDS)
            gw_buffer_put_literal(buffer, ", in whole seconds");
        if (key->choices)
            gw_buffer_print(buffer, ", or %s", key->choices);
        break;
    case GW_KEY_STRING:
        gw_buffer_print(buffer, "a string of %llu to %llu bytes without control characters", least, most);
        break;
    case GW_KEY_CHOICE:
        gw_buffer_put_literal(buffer, "one of ");
        put_choices(buffer, key->choices);
        break;
    case GW_KEY_RATE:
        gw_buffer_put_literal(buffer, "a rate in whole numbers such as 10/s, 100/min, 5/10s, or a number per second");
        if (key->choices)
            gw_buffer_print(buffer, ", or %s", key->choices);
        break;
    case GW_KEY_LIST:
        gw_buffer_print(buffer, "a list of %llu to %llu strings (an array, or one string with commas)", least, most);
        break;
    case GW_KEY_OBJECTS:
        gw_buffer_print(buffer, "an array of at most %llu objects", most);
        break;
    }
}

/* Was a variable filled in (config/file.h)? Then the string is read like the text of a variable. */
static bool is_filled(const struct gw_source *source)
{
    return source->json && (source->json->type & GW_FILE_FILLED);
}

/* Was a mistake of this value, or of an element of this list, filed already? */
static bool is_told(const struct gw_key *key, const cJSON *json)
{
    for (const cJSON *item = json && key->type == GW_KEY_LIST ? json->child : NULL; item; item = item->next)
        if (item->type & GW_FILE_WRONG)
            return true;
    return json && (json->type & GW_FILE_WRONG);
}

/* The text to quote in the complaint. */
static const char *found_text(const struct gw_source *source, char *scratch, size_t size)
{
    const cJSON *json = source->json;
    if (!json)
        return source->text;
    if (cJSON_IsString(json))
        return json->valuestring;
    if (cJSON_IsNumber(json)) {
        snprintf(scratch, size, "%.15g", json->valuedouble);
        return scratch;
    }
    if (cJSON_IsBool(json))
        return cJSON_IsTrue(json) ? "true" : "false";
    return cJSON_IsNull(json) ? "null" : cJSON_IsArray(json) ? "an array" : "an object";
}

static bool complain(const struct gw_key *key, const struct gw_source *source, int item, const char *found,
                     struct gw_complaint *complaint)
{
    char expected[256], scratch[32];
    if (gw_print_is_secret(key)) /* a text that is too long or has control characters may be a password */
        found = "";
    struct gw_buffer buffer = gw_buffer_over(expected, sizeof(expected));
    gw_values_put_expected(&buffer, key);
    if (!found)
        found = found_text(source, scratch, sizeof(scratch));
    return gw_source_complain(source, item, complaint, found, "%.*s", GW_SLICE_ARGS(gw_buffer_slice(&buffer)));
}

/* The text as written, or the text of a JSON string; the absent slice for other JSON. */
static struct gw_slice text_of(const struct gw_source *source)
{
    if (!source->json)
        return gw_slice_of_string(source->text);
    return cJSON_IsString(source->json) ? gw_slice_of_string(source->json->valuestring) : GW_NO_SLICE;
}

static bool json_number(const cJSON *json, double factor, uint64_t *number)
{
    double value = json->valuedouble * factor;
    if (!(value >= 0 && value <= 9007199254740992.0))
        return false;
    double whole = (double)(uint64_t)(value + 0.5);
    if (value - whole > 1e-6 || whole - value > 1e-6)
        return false;
    *number = (uint64_t)whole;
    return true;
}

static bool read_boolean(const struct gw_source *source, uint64_t *number)
{
    static const char choices[] = "false|true|off|on|no|yes|0|1";
    if (source->json && !is_filled(source)) {
        *number = cJSON_IsTrue(source->json);
        return cJSON_IsBool(source->json);
    }
    int choice = gw_keys_choice(choices, gw_slice_trim(text_of(source)));
    *number = choice & 1;
    return choice >= 0;
}

/* Where true and false are choices, they may be written like those of a BOOLEAN. */
static bool read_choice(const struct gw_key *key, const struct gw_source *source, uint64_t *number)
{
    uint64_t is_true;
    int choice = gw_keys_choice(key->choices, gw_slice_trim(text_of(source)));
    if (choice < 0 && read_boolean(source, &is_true))
        choice = gw_keys_choice(key->choices, is_true ? GW_SLICE("true") : GW_SLICE("false"));
    *number = choice < 0 ? 0 : (uint64_t)choice;
    return choice >= 0;
}

/* In JSON a number without a unit must not be in quotes: "8080" is a mistake. "64KiB" and "10s" are strings because of
 * their units. */
static bool read_number(const struct gw_key *key, const struct gw_source *source, uint64_t *number)
{
    bool is_time = key->type == GW_KEY_DURATION || key->type == GW_KEY_SECONDS, good;
    struct gw_slice text = gw_slice_trim(text_of(source));
    if (key->choices && gw_keys_choice(key->choices, text) >= 0) {
        *number = GW_KEYS_OFF;
        return true;
    }
    if (source->json && cJSON_IsNumber(source->json))
        good = json_number(source->json, is_time ? 1000 : 1, number);
    else if (source->json && !is_filled(source) && (!cJSON_IsString(source->json) || key->type == GW_KEY_INTEGER))
        good = false;
    else if (key->type == GW_KEY_INTEGER)
        good = gw_slice_to_uint64(text, number);
    else
        good = is_time ? gw_numbers_parse_duration(text, number) : gw_numbers_parse_size(text, number);
    if (good && key->type == GW_KEY_SECONDS) {
        good = *number % 1000 == 0;
        *number /= 1000;
    }
    return good && *number >= key->least && *number <= key->most;
}

static bool has_control(struct gw_slice text)
{
    for (size_t i = 0; i < text.length; i++)
        if ((unsigned char)text.at[i] < 0x20 || text.at[i] == 0x7f)
            return true;
    return false;
}

/* True with the text to keep. */
static bool read_text(const struct gw_key *key, const struct gw_source *source, struct gw_slice *text)
{
    *text = text_of(source);
    return text->at && text->length >= key->least && text->length <= key->most && !has_control(*text);
}

static bool read_rate(const struct gw_key *key, const struct gw_source *source, char *scratch, size_t size,
                      struct gw_slice *text)
{
    uint64_t n, period_us;
    *text = gw_slice_trim(text_of(source));
    if (source->json && cJSON_IsNumber(source->json)) {
        if (!json_number(source->json, 1, &n))
            return false;
        snprintf(scratch, size, "%llu", (unsigned long long)n);
        *text = gw_slice_of_string(scratch);
    }
    if (key->choices && gw_keys_choice(key->choices, *text) >= 0)
        return true;
    if (text->length >= size - 2 || !gw_numbers_parse_rate(*text, &n, &period_us))
        return false;
    if (!memchr(text->at, '/', text->length)) { /* a plain number gets its period here */
        snprintf(scratch, size, "%llu/s", (unsigned long long)n);
        *text = gw_slice_of_string(scratch);
    }
    return true;
}

static bool add_item(const struct gw_key *key, struct gw_arena *arena, struct gw_strings *list, struct gw_slice text)
{
    /* The array is allocated once, for the row's bound. */
    if (!list->items) {
        list->items = gw_arena_take(arena, (size_t)key->most * sizeof(*list->items));
        if (!list->items)
            return false;
    }
    list->items[list->count] = gw_loading_copy(arena, text);
    return list->items[list->count++].at != NULL;
}

enum { VALUES_ITEM_BYTES = 2048 };

static bool read_list(const struct gw_key *key, const struct gw_source *source, struct gw_arena *arena,
                      struct gw_strings *list, struct gw_complaint *complaint)
{
    struct gw_slice rest = text_of(source), text;
    if (rest.at) {
        while (gw_slice_next_element(&rest, &text)) {
            if (list->count == key->most || has_control(text) || text.length > VALUES_ITEM_BYTES)
                return complain(key, source, GW_SOURCE_WHOLE, NULL, complaint);
            if (!add_item(key, arena, list, text))
                return gw_loading_no_memory(complaint);
        }
    } else {
        if (!cJSON_IsArray(source->json))
            return complain(key, source, GW_SOURCE_WHOLE, NULL, complaint);
        const cJSON *item;
        cJSON_ArrayForEach(item, source->json)
        {
            text = gw_slice_trim(gw_slice_of_string(cJSON_GetStringValue(item)));
            if (list->count == key->most)
                return complain(key, source, GW_SOURCE_WHOLE, "more", complaint);
            if (!text.length || has_control(text) || text.length > VALUES_ITEM_BYTES)
                return gw_source_complain(source, (int)list->count, complaint, cJSON_GetStringValue(item),
                                          "a string that is not empty");
            if (!add_item(key, arena, list, text))
                return gw_loading_no_memory(complaint);
        }
    }
    return list->count >= key->least || complain(key, source, GW_SOURCE_WHOLE, "none", complaint);
}

bool gw_values_read(const struct gw_key *key, const struct gw_source *source, struct gw_arena *arena,
                    struct gw_value *value, struct gw_complaint *complaint)
{
    char scratch[64];
    bool good = false;
    struct gw_slice text = GW_NO_SLICE;
    *value = (struct gw_value) { 0 };
    if (is_told(key, source->json))
        return false;
    switch (key->type) {
    case GW_KEY_BOOLEAN:
        good = read_boolean(source, &value->number);
        break;
    case GW_KEY_INTEGER:
    case GW_KEY_SIZE:
    case GW_KEY_DURATION:
    case GW_KEY_SECONDS:
        good = read_number(key, source, &value->number);
        break;
    case GW_KEY_STRING:
        good = read_text(key, source, &text);
        break;
    case GW_KEY_CHOICE:
        good = read_choice(key, source, &value->number);
        break;
    case GW_KEY_RATE:
        good = read_rate(key, source, scratch, sizeof(scratch), &text);
        break;
    case GW_KEY_LIST:
        return read_list(key, source, arena, &value->list, complaint);
    case GW_KEY_OBJECTS:
        value->json = source->json;
        good = source->json ? cJSON_IsArray(source->json) && (uint64_t)cJSON_GetArraySize(source->json) <= key->most
                            : !*source->text;
        break;
    }
    if (!good)
        return complain(key, source, GW_SOURCE_WHOLE, NULL, complaint);
    if (text.at && !(value->text = gw_loading_copy(arena, text)).at)
        return gw_loading_no_memory(complaint);
    return true;
}

/* Fills in the keys that are not given or were wrong. */
static bool read_defaults(struct gw_loading *loading, const struct gw_source *object, const struct gw_key *keys,
                          unsigned count, struct gw_source *sources, struct gw_value *values)
{
    bool good = true;
    for (unsigned i = 0; i < count; i++) {
        struct gw_source fallback = { .origin = GW_ORIGIN_DEFAULT, .text = keys[i].fallback };
        if (sources[i].origin != GW_ORIGIN_DEFAULT && !sources[i].is_wrong)
            continue;
        memcpy(fallback.path, sources[i].path, sizeof(fallback.path));
        if (!keys[i].fallback && !sources[i].is_wrong) {
            good = gw_loading_file(loading, gw_source_complain(object, GW_SOURCE_WHOLE, loading->complaint, NULL,
                                                               "a \"%s\"", keys[i].path));
            sources[i].is_wrong = true;
        }
        if (!sources[i].is_wrong)
            sources[i] = fallback;
        if (keys[i].fallback && *keys[i].fallback != '=' &&
            !gw_values_read(&keys[i], &fallback, &loading->config->arena, &values[i], loading->complaint))
            return gw_loading_file(loading, false);
    }
    return good;
}

static bool complain_key(struct gw_loading *loading, const struct gw_source *object, const cJSON *member,
                         const struct gw_key *keys, unsigned count)
{
    char names[200];
    struct gw_buffer buffer = gw_buffer_over(names, sizeof(names));
    for (unsigned i = 0; i < count; i++)
        gw_buffer_print(&buffer, i ? ", %s" : "%s", keys[i].path);
    struct gw_source source = *object;
    source.json = member;
    return gw_loading_file(loading,
                           gw_source_complain(&source, GW_SOURCE_WHOLE, loading->complaint, member->string,
                                              "one of %.*s, each once", GW_SLICE_ARGS(gw_buffer_slice(&buffer))));
}

static bool read_member(struct gw_loading *loading, const struct gw_source *object, const cJSON *member,
                        const struct gw_key *key, struct gw_source *source, struct gw_value *value)
{
    char path[GW_KEYS_NAME_BYTES];
    memcpy(path, source->path, sizeof(path));
    *source = *object;
    memcpy(source->path, path, sizeof(path));
    source->json = member;
    source->is_wrong = !gw_values_read(key, source, &loading->config->arena, value, loading->complaint);
    if (source->is_wrong)
        *value = (struct gw_value) { 0 };
    return gw_loading_file(loading, !source->is_wrong);
}

bool gw_values_read_object(struct gw_loading *loading, const struct gw_source *array, int item,
                           const struct gw_key *keys, unsigned count, struct gw_source *sources,
                           struct gw_value *values)
{
    struct gw_source object = *array;
    bool good = true;
    object.json = cJSON_GetArrayItem(array->json, item);
    object.nested = true;
    snprintf(object.path, sizeof(object.path), "%.40s[%d]", array->path, item);
    for (unsigned i = 0; i < count; i++) {
        sources[i] = (struct gw_source) { .origin = GW_ORIGIN_DEFAULT };
        snprintf(sources[i].path, sizeof(sources[i].path), "%.48s.%.30s", object.path, keys[i].path);
        values[i] = (struct gw_value) { 0 };
    }
    if (!cJSON_IsObject(object.json)) {
        for (unsigned i = 0; i < count; i++)
            sources[i].is_wrong = true;
        gw_source_complain(&object, GW_SOURCE_WHOLE, loading->complaint, NULL, "an object");
        return gw_loading_file(loading, false);
    }
    const cJSON *member;
    cJSON_ArrayForEach(member, object.json)
    {
        const struct gw_key *key = gw_keys_find(keys, count, gw_slice_of_string(member->string));
        if (!key || sources[key - keys].origin != GW_ORIGIN_DEFAULT)
            good = complain_key(loading, &object, member, keys, count);
        else if (!read_member(loading, &object, member, key, &sources[key - keys], &values[key - keys]))
            good = false;
    }
    return read_defaults(loading, &object, keys, count, sources, values) && good;
}
