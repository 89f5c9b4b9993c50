/* ways.c: which functions of the gateway run, in order: a library that ways.py preloads into a gateway that was built
 * with -finstrument-functions (the preset `ways`). It writes into the file that WAYS_TRACE names, and only while
 * ways.py has set `on` there. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { RECORDS = 1 << 20 };

struct trace { /* ways.py knows this layout */
    atomic_uint on;
    atomic_uint count;
    struct record {
        uint64_t function; /* as in the file of the program: less where it was loaded */
        uint32_t thread;
        uint32_t depth; /* functions of the gateway below this one on the stack */
    } records[RECORDS];
};

static struct trace *trace;
static uintptr_t program;
static atomic_uint threads;
static _Thread_local unsigned thread, depth;

static int on_object(struct dl_phdr_info *object, size_t size, void *context)
{
    (void)size;
    (void)context;
    program = object->dlpi_addr;
    return 1; /* the first is the program */
}

__attribute__((constructor)) static void open_trace(void)
{
    const char *path = getenv("WAYS_TRACE");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *at = fd >= 0 && ftruncate(fd, sizeof *trace) == 0
                   ? mmap(NULL, sizeof *trace, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
                   : MAP_FAILED;
    if (at == MAP_FAILED)
        _exit(127);
    close(fd);
    dl_iterate_phdr(on_object, NULL);
    trace = at;
}

void __cyg_profile_func_enter(void *function, void *caller)
{
    (void)caller;
    if (!thread)
        thread = atomic_fetch_add(&threads, 1) + 1;
    unsigned here = depth++;
    if (!trace || !atomic_load(&trace->on))
        return;
    unsigned i = atomic_fetch_add(&trace->count, 1);
    if (i < RECORDS)
        trace->records[i] = (struct record) { .function = (uintptr_t)function - program,
                                              .thread = thread,
                                              .depth = here };
}

void __cyg_profile_func_exit(void *function, void *caller)
{
    (void)function;
    (void)caller;
    depth--;
}
