/* help.h: the texts about the keys for people, made from the rows of keys.h. */
#ifndef GW_CONFIG_HELP_H
#define GW_CONFIG_HELP_H

#include "base/buffer.h"

/* --help */
void gw_help_print(struct gw_buffer *page);
/* docs/configuration.md */
void gw_help_print_docs(struct gw_buffer *page);

#endif
