#include "admin/json.h"

#include <stdlib.h>

void gw_json_init(struct gw_json *json)
{
    json->root = cJSON_CreateObject();
    json->failed = !json->root;
}

static cJSON *note(struct gw_json *json, cJSON *item)
{
    if (!item)
        json->failed = true;
    return item;
}

cJSON *gw_json_put_object(struct gw_json *json, cJSON *parent, const char *name)
{
    return note(json, cJSON_AddObjectToObject(parent, name));
}

cJSON *gw_json_put_array(struct gw_json *json, cJSON *parent, const char *name)
{
    return note(json, cJSON_AddArrayToObject(parent, name));
}

cJSON *gw_json_put_element(struct gw_json *json, cJSON *array)
{
    cJSON *object = note(json, cJSON_CreateObject());
    if (object && cJSON_AddItemToArray(array, object))
        return object;
    json->failed = true;
    cJSON_Delete(object);
    return NULL;
}

void gw_json_put_uint(struct gw_json *json, cJSON *parent, const char *name, uint64_t value)
{
    char digits[24];
    struct gw_buffer number = gw_buffer_over(digits, sizeof(digits) - 1);
    gw_buffer_put_uint(&number, value);
    digits[number.length] = '\0';
    note(json, cJSON_AddRawToObject(parent, name, digits));
}

void gw_json_put_int(struct gw_json *json, cJSON *parent, const char *name, int64_t value)
{
    char digits[24];
    struct gw_buffer number = gw_buffer_over(digits, sizeof(digits) - 1);
    if (value < 0)
        gw_buffer_put_char(&number, '-');
    gw_buffer_put_uint(&number, value < 0 ? -(uint64_t)value : (uint64_t)value);
    digits[number.length] = '\0';
    note(json, cJSON_AddRawToObject(parent, name, digits));
}

void gw_json_put_bool(struct gw_json *json, cJSON *parent, const char *name, bool value)
{
    note(json, cJSON_AddBoolToObject(parent, name, value));
}

void gw_json_put_string(struct gw_json *json, cJSON *parent, const char *name, const char *value)
{
    note(json, cJSON_AddStringToObject(parent, name, value));
}

/* cJSON does not change bytes that are not UTF-8. So the string is written here, and cJSON gets it as raw JSON. */
static char *print_slice(struct gw_json *json, struct gw_slice value)
{
    enum { LONGEST = 6, QUOTES = 2 }; /* "\\u001f" */
    struct gw_buffer text = gw_buffer_create(value.length * LONGEST + QUOTES + 1);
    gw_buffer_put_json(&text, value);
    gw_buffer_put_char(&text, '\0');
    if (!text.overflowed)
        return text.at;
    json->failed = true;
    gw_buffer_destroy(&text);
    return NULL;
}

void gw_json_put_slice(struct gw_json *json, cJSON *parent, const char *name, struct gw_slice value)
{
    char *text = print_slice(json, value);
    if (text)
        note(json, cJSON_AddRawToObject(parent, name, text));
    free(text);
}

void gw_json_put_null(struct gw_json *json, cJSON *parent, const char *name)
{
    note(json, cJSON_AddNullToObject(parent, name));
}

void gw_json_add_slice(struct gw_json *json, cJSON *array, struct gw_slice value)
{
    char *text = print_slice(json, value);
    cJSON *item = text ? note(json, cJSON_CreateRaw(text)) : NULL;
    if (item && !cJSON_AddItemToArray(array, item)) {
        json->failed = true;
        cJSON_Delete(item);
    }
    free(text);
}

/* Takes the text that was made of json->root; NULL: memory was out. */
static int finish(struct gw_json *json, char *text, int status, struct gw_buffer *page)
{
    cJSON_Delete(json->root);
    json->root = NULL;
    if (text) {
        size_t before = page->length;
        gw_buffer_put_string(page, text);
        gw_buffer_put_char(page, '\n');
        if (page->overflowed)
            page->length = before;
    }
    bool done = text && !page->overflowed;
    cJSON_free(text);
    if (!done)
        gw_buffer_put_literal(page, "{\"error\":\"out of memory\"}\n");
    return done ? status : 500;
}

int gw_json_finish(struct gw_json *json, int status, struct gw_buffer *page)
{
    return finish(json, json->failed ? NULL : cJSON_PrintUnformatted(json->root), status, page);
}

int gw_json_finish_indented(struct gw_json *json, int status, struct gw_buffer *page)
{
    return finish(json, json->failed ? NULL : cJSON_Print(json->root), status, page);
}
