/* structured.h: reads Lists of Structured Fields (RFC 9651 §4.2): are they well-formed, and which names do they have?
 * Pure.
 *
 * Why      A List with a mistake is ignored as a whole. So a member that the gateway adds behind a backend's mistake
 *          would be lost. The gateway checks the backend's field, if there is one, before it adds its own member.
 * Input    One field line, without white space at both ends. Several lines are one List, and here each of them must be
 *          a List by itself. So an empty line is not well-formed (joined, it would be an empty member). */
#ifndef GW_HTTP_STRUCTURED_H
#define GW_HTTP_STRUCTURED_H

#include "http/head.h"

enum gw_structured_type {
    GW_STRUCTURED_INTEGER = 1,
    GW_STRUCTURED_DECIMAL = 2,
    GW_STRUCTURED_STRING = 4,
    GW_STRUCTURED_TOKEN = 8,
    GW_STRUCTURED_BYTES = 16,
    GW_STRUCTURED_BOOLEAN = 32,
    GW_STRUCTURED_DATE = 64,
    GW_STRUCTURED_DISPLAY = 128,
    GW_STRUCTURED_INNER_LIST = 256,
};

struct gw_structured_member {
    enum gw_structured_type type;
    struct gw_slice text; /* a String without its quotes, with its escapes as they came; otherwise all of the item */
};

/* Takes the next member of a List and its parameters from the front of *rest, which is the line at first. False: *rest
 * is empty (the end), or what it begins with is not well-formed. */
bool gw_structured_next(struct gw_slice *rest, struct gw_structured_member *member);
bool gw_structured_is_list(struct gw_slice line);

/* May the gateway add a member with the name `name` behind the lines of this field? Each line must be a List with
 * members of the given types only, and no String or Token in it may be that name. True where the head has no such
 * field. */
bool gw_structured_takes(const struct gw_head *head, enum gw_field_name id, unsigned types, struct gw_slice name);

#endif
