/* assembly.h: the parts of one process, put together: what all workers share, and where each worker gets it from.
 *
 * Threads  gw_assembly_create and _destroy: main, before the first worker and after the last. The hooks: each
 *          worker's thread. */
#ifndef GW_ASSEMBLY_H
#define GW_ASSEMBLY_H

#include "config/config.h"
#include "server/worker.h"

struct gw_assembly;

/* NULL with a complaint. Borrows config and server, which outlive it. */
struct gw_assembly *gw_assembly_create(const struct gw_config *config, struct gw_server *server,
                                       struct gw_complaint *complaint) GW_MUST_CHECK;
void gw_assembly_destroy(struct gw_assembly **assembly);
/* Main's own parts, on its loop: probes of the Redis nodes and the pair that keeps the memory cache coherent. Nothing
 * in embedded mode. */
bool gw_assembly_open_main(struct gw_assembly *assembly, uv_loop_t *loop, struct gw_timers *timers) GW_MUST_CHECK;
/* After the workers ended; the loop runs on until they are closed. */
void gw_assembly_close_main(struct gw_assembly *assembly);
/* While workers run: files that are written are opened again. */
void gw_assembly_reopen_logs(struct gw_assembly *assembly);
const struct gw_worker_hooks *gw_assembly_hooks(struct gw_assembly *assembly);
struct gw_shard *gw_assembly_shard(struct gw_assembly *assembly, unsigned worker);

#endif
