#include <stdlib.h>
#include "config/config.h"

void gw_config_unref(struct gw_config *config)
{
    if (atomic_fetch_sub_explicit(&config->refs, 1, memory_order_acq_rel) != 1)
        return;
    gw_arena_free(&config->arena);
    free(config);
}
