/* json.h: pages by cJSON, without asking after each member whether memory was there: the first failure is remembered,
 * and the page as a whole is then replaced by one that says so. */
#ifndef GW_ADMIN_JSON_H
#define GW_ADMIN_JSON_H

#include <cjson/cJSON.h>
#include "base/buffer.h"

struct gw_json {
    cJSON *root; /* NULL when memory was out: members are then left out */
    bool failed;
};

void gw_json_init(struct gw_json *json);
/* A member of `parent`; NULL when memory is out, which all of these accept as parent. */
cJSON *gw_json_put_object(struct gw_json *json, cJSON *parent, const char *name);
cJSON *gw_json_put_array(struct gw_json *json, cJSON *parent, const char *name);
cJSON *gw_json_put_element(struct gw_json *json, cJSON *array); /* an object */
/* Exact: cJSON's numbers are doubles. */
void gw_json_put_uint(struct gw_json *json, cJSON *parent, const char *name, uint64_t value);
void gw_json_put_int(struct gw_json *json, cJSON *parent, const char *name, int64_t value);
void gw_json_put_bool(struct gw_json *json, cJSON *parent, const char *name, bool value);
void gw_json_put_string(struct gw_json *json, cJSON *parent, const char *name, const char *value);
/* Bytes that are no UTF-8 become U+FFFD. */
void gw_json_put_slice(struct gw_json *json, cJSON *parent, const char *name, struct gw_slice value);
void gw_json_put_null(struct gw_json *json, cJSON *parent, const char *name);
/* An element of an array. */
void gw_json_add_slice(struct gw_json *json, cJSON *array, struct gw_slice value);
/* Writes the page with a line feed, frees everything, returns `status`, or 500 when memory was out or the page is full.
 */
int gw_json_finish(struct gw_json *json, int status, struct gw_buffer *page);
/* The same, indented for a person. */
int gw_json_finish_indented(struct gw_json *json, int status, struct gw_buffer *page);

#endif
