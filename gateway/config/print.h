/* print.h: the configuration as JSON, made from the rows of keys.h. */
#ifndef GW_CONFIG_PRINT_H
#define GW_CONFIG_PRINT_H

#include "config/loading.h"

/* JSON that loads to the same configuration; passwords are masked. */
void gw_print_values(const struct gw_value *values, struct gw_buffer *page);
/* A URL with "***" in place of its user and password. */
void gw_print_masked_url(struct gw_buffer *buffer, struct gw_slice url);
/* Is this key's value a URL that may hold a password? */
bool gw_print_is_secret(const struct gw_key *key);

#endif
