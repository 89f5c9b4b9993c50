/* json.h: makes pages with cJSON. The caller need not check each member for lack of memory: the first failure is
 * remembered, and then the whole page is replaced by one that says so. */
#ifndef GW_ADMIN_JSON_H
#define GW_ADMIN_JSON_H

#include <cjson/cJSON.h>
#include "base/buffer.h"

struct gw_json {
    cJSON *root; /* NULL when memory was out; members are left out then */
    bool failed;
};

void gw_json_init(struct gw_json *json);
/* Adds a member to `parent`. Returns NULL when memory is out; all these functions accept NULL as parent. */
cJSON *gw_json_put_object(struct gw_json *json, cJSON *parent, const char *name);
cJSON *gw_json_put_array(struct gw_json *json, cJSON *parent, const char *name);
cJSON *gw_json_put_element(struct gw_json *json, cJSON *array); /* an object */
/* These two write exact numbers, although cJSON's numbers are doubles. */
void gw_json_put_uint(struct gw_json *json, cJSON *parent, const char *name, uint64_t value);
void gw_json_put_int(struct gw_json *json, cJSON *parent, const char *name, int64_t value);
void gw_json_put_bool(struct gw_json *json, cJSON *parent, const char *name, bool value);
void gw_json_put_string(struct gw_json *json, cJSON *parent, const char *name, const char *value);
/* Bytes that are not UTF-8 become U+FFFD. */
void gw_json_put_slice(struct gw_json *json, cJSON *parent, const char *name, struct gw_slice value);
void gw_json_put_null(struct gw_json *json, cJSON *parent, const char *name);
/* Adds a string to an array. */
void gw_json_add_slice(struct gw_json *json, cJSON *array, struct gw_slice value);
/* Writes the page with a line feed and frees everything. Returns `status`; 500 when memory was out or the page is
 * full. */
int gw_json_finish(struct gw_json *json, int status, struct gw_buffer *page);
/* The same, indented for people. */
int gw_json_finish_indented(struct gw_json *json, int status, struct gw_buffer *page);

#endif
