#include "config/print.h"
#include "config/numbers.h"

void gw_print_masked_url(struct gw_buffer *buffer, struct gw_slice url)
{
    const char *scheme = url.length ? memmem(url.at, url.length, "://", 3) : NULL;
    const char *at = url.length ? memrchr(url.at, '@', url.length) : NULL; /* the last: a password may have an '@' */
    if (at) {
        if (scheme && scheme < at)
            gw_buffer_put(buffer, url.at, (size_t)(scheme - url.at) + 3);
        gw_buffer_put_literal(buffer, "***");
        url = gw_slice_of(at, url.length - (size_t)(at - url.at));
    }
    gw_buffer_put_slice(buffer, url);
}

bool gw_print_is_secret(const struct gw_key *key)
{
    return key == &gw_keys[GW_KEY_REDIS_URL] || key == &gw_keys[GW_KEY_CACHE_REDIS_URL] ||
           key == &gw_keys[GW_KEY_ADMIN_TOKEN];
}

static void put_masked(struct gw_buffer *buffer, const struct gw_key *key, struct gw_slice text)
{
    if (key != &gw_keys[GW_KEY_ADMIN_TOKEN])
        gw_print_masked_url(buffer, text);
    else if (text.length)
        gw_buffer_put_literal(buffer, "***");
}

/* Writes the text in quotes and doubles the $ of ${, so that no variable is filled in when it is loaded again. */
static void put_text(struct gw_buffer *page, struct gw_slice text)
{
    struct gw_buffer escaped = gw_buffer_create(2 * text.length + 1);
    const char *mark;
    if (!text.length || !memmem(text.at, text.length, "${", 2)) {
        gw_buffer_put_json(page, text);
        return;
    }
    while ((mark = text.length ? memmem(text.at, text.length, "${", 2) : NULL)) {
        size_t before = (size_t)(mark - text.at);
        gw_buffer_put(&escaped, text.at, before);
        gw_buffer_put_literal(&escaped, "$${");
        text = gw_slice_of(mark + 2, text.length - before - 2);
    }
    gw_buffer_put_slice(&escaped, text);
    gw_buffer_put_json(page, gw_buffer_slice(&escaped));
    page->overflowed |= escaped.overflowed;
    gw_buffer_destroy(&escaped);
}

static void put_quoted(struct gw_buffer *page, const struct gw_buffer *text)
{
    put_text(page, gw_buffer_slice(text));
}

/* Writes routes and policies as they were given: each object, of scalars and lists, on one line. */
static void put_node(struct gw_buffer *page, const cJSON *node)
{
    if (cJSON_IsString(node)) {
        put_text(page, gw_slice_of_string(node->valuestring));
    } else if (cJSON_IsNumber(node)) {
        gw_buffer_print(page, "%.17g", node->valuedouble);
    } else if (cJSON_IsBool(node)) {
        gw_buffer_put_string(page, cJSON_IsTrue(node) ? "true" : "false");
    } else {
        bool is_object = cJSON_IsObject(node);
        gw_buffer_put_string(page, is_object ? "{ " : "[");
        for (const cJSON *child = node->child; child; child = child->next) {
            if (is_object) {
                gw_buffer_put_json(page, gw_slice_of_string(child->string));
                gw_buffer_put_literal(page, ": ");
            }
            put_node(page, child);
            if (child->next)
                gw_buffer_put_literal(page, ", ");
        }
        gw_buffer_put_string(page, is_object ? " }" : "]");
    }
}

static void put_objects(struct gw_buffer *page, const cJSON *array, const char *indent)
{
    if (!array || !array->child) {
        gw_buffer_put_literal(page, "[]");
        return;
    }
    for (const cJSON *child = array->child; child; child = child->next) {
        gw_buffer_print(page, child == array->child ? "[\n%s  " : ",\n%s  ", indent);
        put_node(page, child);
    }
    gw_buffer_print(page, "\n%s]", indent);
}

static void put_list(struct gw_buffer *page, const struct gw_strings *list)
{
    gw_buffer_put_char(page, '[');
    for (unsigned i = 0; i < list->count; i++) {
        if (i)
            gw_buffer_put_literal(page, ", ");
        put_text(page, list->items[i]);
    }
    gw_buffer_put_char(page, ']');
}

static void put_value(struct gw_buffer *page, const struct gw_key *key, const struct gw_value *value)
{
    char scratch[2112];
    struct gw_buffer text = gw_buffer_over(scratch, sizeof(scratch));
    switch (key->type) {
    case GW_KEY_BOOLEAN:
        gw_buffer_put_string(page, value->number ? "true" : "false");
        break;
    case GW_KEY_INTEGER:
        gw_buffer_put_uint(page, value->number);
        break;
    case GW_KEY_SIZE:
        gw_numbers_put_size(&text, value->number);
        put_quoted(page, &text);
        break;
    case GW_KEY_DURATION:
    case GW_KEY_SECONDS:
        if (value->number == GW_KEYS_OFF)
            gw_buffer_put_string(&text, key->choices);
        else
            gw_numbers_put_duration(&text, key->type == GW_KEY_SECONDS ? value->number * 1000 : value->number);
        put_quoted(page, &text);
        break;
    case GW_KEY_CHOICE:
        gw_buffer_put_json(page, gw_keys_choice_text(key->choices, (unsigned)value->number));
        break;
    case GW_KEY_STRING:
    case GW_KEY_RATE:
        if (gw_print_is_secret(key)) {
            put_masked(&text, key, value->text);
            put_quoted(page, &text);
        } else {
            put_text(page, value->text);
        }
        break;
    case GW_KEY_LIST:
        put_list(page, &value->list);
        break;
    case GW_KEY_OBJECTS:
        put_objects(page, value->json, gw_keys_section(key).length ? "    " : "  ");
        break;
    }
}

void gw_print_values(const struct gw_value *values, struct gw_buffer *page)
{
    struct gw_slice open = GW_NO_SLICE;
    gw_buffer_put_char(page, '{');
    for (unsigned i = 0; i < GW_KEYS_COUNT; i++) {
        struct gw_slice section = gw_keys_section(&gw_keys[i]);
        bool same = i && gw_slice_equal(section, open);
        if (!same && open.length)
            gw_buffer_put_literal(page, "\n  }");
        if (i)
            gw_buffer_put_char(page, ',');
        if (!same && section.length) {
            gw_buffer_put_literal(page, "\n  ");
            gw_buffer_put_json(page, section);
            gw_buffer_put_literal(page, ": {");
        }
        open = section;
        gw_buffer_put_string(page, section.length ? "\n    " : "\n  ");
        const char *name = gw_keys[i].path + (section.length ? section.length + 1 : 0);
        gw_buffer_put_json(page, gw_slice_of_string(name));
        gw_buffer_put_literal(page, ": ");
        put_value(page, &gw_keys[i], &values[i]);
    }
    gw_buffer_put_string(page, open.length ? "\n  }\n}\n" : "\n}\n");
}
