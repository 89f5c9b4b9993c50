/* inspect.h: `visara-gateway cache inspect` and `visara-gateway cache purge`: a client of a running gateway's admin
 * paths, for people and scripts.
 *
 * Threads  The only one; blocks. libcurl is set up.
 * Says     The gateway's answer on stdout; what went wrong on stderr. */
#ifndef GW_INSPECT_H
#define GW_INSPECT_H

/* arguments: those behind "cache". The exit status: 0; 1 where the gateway refuses or cannot be reached; 2 for wrong
 * usage. */
int gw_inspect_run(int count, char *const *arguments);

#endif
