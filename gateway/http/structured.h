/* structured.h: Lists of Structured Fields (RFC 9651 §4.2): are they well-formed, and whom do they speak of? Pure.
 *
 * Why      What fails to parse anywhere fails as a whole, so a member that is put behind somebody else's mistake is lost
 *          with it. The gateway asks before it adds its own, and only where the backend sent such a field.
 * Input    One field line, without white space around it. Several lines are one List: each must be one by itself, so an
 *          empty line is none (joined, it would be an empty member). */
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
    struct gw_slice text; /* of a String without its quotes, its escapes as they came; of a Token; else all of it */
};

/* The next member of a List, with its parameters taken. *rest begins as the line. False at the end, where *rest is empty,
 * and at what is not well-formed, where it is not. */
bool gw_structured_next(struct gw_slice *rest, struct gw_structured_member *member);
bool gw_structured_is_list(struct gw_slice line);

/* May a member called `name` be put behind the lines of this field, if there are any? Each must be a List, of the given
 * types alone, and none of its Strings and Tokens may be that name. */
bool gw_structured_takes(const struct gw_head *head, enum gw_field_name id, unsigned types, struct gw_slice name);

#endif
