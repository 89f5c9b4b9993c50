/* field_set.h: does a set of field names (base/names.h) have a field of a head? Pure.
 *
 * Cost     Each field of each request is looked for. The answer for a well-known name is found once, when the set is
 *          made. So only names that are not well-known are searched. */
#ifndef GW_HTTP_FIELD_SET_H
#define GW_HTTP_FIELD_SET_H

#include "base/names.h"
#include "http/head.h"

struct gw_field_set {
    const struct gw_names *names; /* borrowed */
    bool has_known[GW_FIELD_COUNT];
};

static inline void gw_field_set_init(struct gw_field_set *set, const struct gw_names *names)
{
    *set = (struct gw_field_set) { .names = names };
    for (unsigned id = GW_FIELD_OTHER + 1; id < GW_FIELD_COUNT; id++)
        set->has_known[id] = gw_names_has(names, gw_field_name_text((enum gw_field_name)id));
}

static inline bool gw_field_set_has(const struct gw_field_set *set, const struct gw_field *field)
{
    return field->id == GW_FIELD_OTHER ? gw_names_has(set->names, field->name) : set->has_known[field->id];
}

#endif
