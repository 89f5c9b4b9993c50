/* values.h: reads values as the key's row says. Pure, except for the arena. */
#ifndef GW_CONFIG_VALUES_H
#define GW_CONFIG_VALUES_H

#include "config/loading.h"

/* Reads source into *value by key's type and range. False with a complaint. */
bool gw_values_read(const struct gw_key *key, const struct gw_source *source, struct gw_arena *arena,
                    struct gw_value *value, struct gw_complaint *complaint) GW_MUST_CHECK;
/* Reads an element of an OBJECTS value: an object whose keys are the rows of `keys`. sources and values have `count`
 * items. A key that is not given has the origin DEFAULT and its default, unless that is another key's ("=path"). Files
 * every mistake. False: there was one; a wrong key then has the value of a key that is not given. */
bool gw_values_read_object(struct gw_loading *loading, const struct gw_source *array, int item,
                           const struct gw_key *keys, unsigned count, struct gw_source *sources,
                           struct gw_value *values) GW_MUST_CHECK;

/* Writes what is expected for this key, such as "a number from 1 to 65535". */
void gw_values_put_expected(struct gw_buffer *buffer, const struct gw_key *key);

#endif
