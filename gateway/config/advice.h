/* advice.h: warns about values that are valid but probably a mistake: protections that do not protect, and keys without
 * effect.
 *
 * Each warning (findings.h) tells what to write instead. A warning never stops the start: --check-config prints it, and
 * the start logs it. */
#ifndef GW_CONFIG_ADVICE_H
#define GW_CONFIG_ADVICE_H

#include "config/loading.h"

/* To be called after gw_derive_config, for a configuration without mistakes. Always returns true. */
bool gw_advice_give(struct gw_loading *loading);

#endif
