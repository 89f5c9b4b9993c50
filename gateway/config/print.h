/* print.h: the configuration as JSON, made from the rows of keys.h. */
#ifndef GW_CONFIG_PRINT_H
#define GW_CONFIG_PRINT_H

#include "config/loading.h"

/* Writes JSON that loads as the same configuration, but with masked passwords. */
void gw_print_values(const struct gw_value *values, struct gw_buffer *page);
/* Writes a URL with "***" instead of its user and password. */
void gw_print_masked_url(struct gw_buffer *buffer, struct gw_slice url);
/* Is this key's value secret, or a URL that may have a password? */
bool gw_print_is_secret(const struct gw_key *key);

#endif
