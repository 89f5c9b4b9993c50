/* advice.h: what is valid, and yet can hardly be meant: protections that do not protect, keys without effect.
 *
 * Files warnings (findings.h), each with what to write instead. They stop nothing: --check-config prints them, and the
 * start logs them. */
#ifndef GW_CONFIG_ADVICE_H
#define GW_CONFIG_ADVICE_H

#include "config/loading.h"

/* After gw_derive_config, on a configuration without mistakes. Always true. */
bool gw_advice_give(struct gw_loading *loading);

#endif
