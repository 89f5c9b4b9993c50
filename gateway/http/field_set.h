/* field_set.h: a set of field names (base/names.h), asked for the fields of a head. Pure.
 *
 * Cost     Each field of each request is asked for. Of a well-known name the answer is worked out once, when the set is
 *          made; so nearly all that is looked for are names that nobody knows. */
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
