/* scripts.h: the scripts of redis/, as they were when this program was built. */
#ifndef GW_STORE_SCRIPTS_H
#define GW_STORE_SCRIPTS_H

#include "base/base.h"
#include "base/slice.h"
#include "store/store.h"

enum { GW_SCRIPTS_SHA_BYTES = 40 };

struct gw_scripts {
    struct {
        struct gw_slice text;
        char sha[GW_SCRIPTS_SHA_BYTES]; /* SHA-1 in hex, for EVALSHA */
    } list[GW_STORE_SCRIPTS];
};

/* False when OpenSSL fails. */
bool gw_scripts_init(struct gw_scripts *scripts) GW_MUST_CHECK;

#endif
