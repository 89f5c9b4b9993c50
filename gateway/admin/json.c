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

void gw_json_put_bool(struct gw_json *json, cJSON *parent, const char *name, bool value)
{
    note(json, cJSON_AddBoolToObject(parent, name, value));
}

void gw_json_put_string(struct gw_json *json, cJSON *parent, const char *name, const char *value)
{
    note(json, cJSON_AddStringToObject(parent, name, value));
}

void gw_json_put_slice(struct gw_json *json, cJSON *parent, const char *name, struct gw_slice value)
{
    char *copy = value.length ? strndup(value.at, value.length) : strdup("");
    if (copy)
        gw_json_put_string(json, parent, name, copy);
    else
        json->failed = true;
    free(copy);
}

int gw_json_finish(struct gw_json *json, int status, struct gw_buffer *page)
{
    char *text = json->failed ? NULL : cJSON_PrintUnformatted(json->root);
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
