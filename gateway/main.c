/* main.c: start, signals, stop. */
#include <curl/curl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <uv.h>
#include "assembly.h"
#include "base/descriptors.h"
#include "base/log.h"
#include "base/version.h"
#include "config/load.h"
#include "healthcheck.h"
#include "inspect.h"
#include "server/listener.h"
#include "server/worker.h"

extern char **environ;

enum { GW_SIGNALS = 5 };

struct process {
    struct gw_config *config;
    struct gw_server server;
    struct gw_listeners listeners;
    struct gw_assembly *assembly;
    struct gw_descriptors_need need;
    unsigned files; /* that the process may have open */

    uv_loop_t loop;
    struct gw_timers timers;
    struct gw_mailbox mailbox;
    uv_signal_t signals[GW_SIGNALS];
    uv_timer_t drain_timer;
    struct gw_worker *workers;
    unsigned worker_count; /* started */
    unsigned drained_count;
    bool is_draining, is_cut;
};

static struct process process;

/* ---- stopping ---- */

/* Every worker is quiet: no thread posts to another any more. */
static void stop_workers(void)
{
    for (unsigned i = 0; i < process.worker_count; i++)
        gw_worker_stop(&process.workers[i]);
    for (unsigned i = 0; i < process.worker_count; i++)
        gw_worker_join(&process.workers[i]);
    for (unsigned i = 0; i < GW_SIGNALS; i++) {
        int number = process.signals[i].signum;
        uv_close((uv_handle_t *)&process.signals[i], NULL);
        if (number)
            signal(number, SIG_IGN); /* the stop is under way: a second signal must not look like a crash */
    }
    uv_close((uv_handle_t *)&process.drain_timer, NULL);
    gw_assembly_close_main(process.assembly);
    gw_mailbox_close(&process.mailbox);
    uv_unref((uv_handle_t *)&process.timers.handle);
}

static void on_worker_drained(struct gw_message *message)
{
    (void)message;
    if (++process.drained_count == process.worker_count)
        stop_workers();
}

/* Once: a message cannot be posted again before it is delivered. */
static void cut_workers(void)
{
    if (process.is_cut)
        return;
    process.is_cut = true;
    for (unsigned i = 0; i < process.worker_count; i++)
        gw_worker_cut(&process.workers[i]);
}

static void on_drain_timeout(uv_timer_t *timer)
{
    (void)timer;
    gw_log(GW_LOG_WARN, "main", "the drain's time is over: cutting what still runs");
    cut_workers();
}

static void on_stop(const char *name)
{
    if (process.is_draining) { /* asked twice: at once */
        if (!process.is_cut)
            gw_log(GW_LOG_WARN, "main", "%s again: cutting what still runs", name);
        cut_workers();
        return;
    }
    gw_log(GW_LOG_INFO, "main", "%s: draining for at most %u ms; once more ends the drain", name,
           process.config->drain_timeout_ms);
    process.is_draining = true;
    atomic_store(&process.server.draining, true);
    uv_timer_start(&process.drain_timer, on_drain_timeout, process.config->drain_timeout_ms, 0);
    for (unsigned i = 0; i < process.worker_count; i++)
        gw_worker_drain(&process.workers[i]);
}

static void on_reopen(const char *name)
{
    gw_log(GW_LOG_INFO, "main", "%s: log files are opened again", name);
    gw_assembly_reopen_logs(process.assembly);
}

/* A new configuration without a restart is for a later version: a hangup must not end what is served. */
static void on_hangup(const char *name)
{
    gw_log(GW_LOG_WARN, "main", "%s: the configuration is read at the start only, and has not changed", name);
    on_reopen(name);
}

/* What is done at which signal. All others that a process may ignore are ignored: none of them, sent by mistake or by a
 * recipe for another server, may end what is served. */
static const struct {
    int number;
    const char *name;
    void (*act)(const char *name);
} signal_table[GW_SIGNALS] = {
    { SIGTERM, "SIGTERM", on_stop },   { SIGINT, "SIGINT", on_stop },   { SIGQUIT, "SIGQUIT", on_stop },
    { SIGUSR1, "SIGUSR1", on_reopen }, { SIGHUP, "SIGHUP", on_hangup },
};

static void on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    unsigned i = (unsigned)(handle - process.signals);
    signal_table[i].act(signal_table[i].name);
}

/* Faults and abort, what a terminal or a parent does with its processes, and what ends a process that is only starting. */
static bool keeps_its_default(int number)
{
    static const int numbers[] = { SIGKILL, SIGSTOP, SIGSEGV, SIGBUS,  SIGFPE,  SIGILL,  SIGABRT, SIGTRAP, SIGSYS,
                                   SIGCHLD, SIGCONT, SIGTSTP, SIGTTIN, SIGTTOU, SIGTERM, SIGINT,  SIGQUIT };
    for (unsigned i = 0; i < GW_COUNT(numbers); i++)
        if (numbers[i] == number)
            return true;
    return false;
}

/* The C library keeps the first real-time signals for itself and refuses to set them; it sets its own handler where it
 * needs one. */
static void ignore_by_kernel(int number)
{
    struct {
        void (*handler)(int);
        unsigned long more[15];
    } action = { .handler = SIG_IGN };
    syscall(SYS_rt_sigaction, number, &action, NULL, (size_t)8);
}

static void ignore_others(void)
{
    for (int number = 1; number <= 64; number++)
        if (!keeps_its_default(number) && signal(number, SIG_IGN) == SIG_ERR)
            ignore_by_kernel(number);
}

/* ---- starting ---- */

static int complain(const struct gw_complaint *complaint)
{
    char line[sizeof *complaint + 64];
    gw_complaint_print(complaint, line, sizeof line);
    fprintf(stderr, "visara-gateway: %s\n", line);
    return 1;
}

/* What is open already, and what opens later and must never fail for want of a descriptor. An estimate on the safe side:
 * libuv takes five a loop, and libcurl up to four. */
static unsigned reserved_descriptors(const struct gw_config *config)
{
    enum { A_LOOP = 6, CURL = 4, NAMES = 8, LOGS = 4, OTHERS = 8, MAIN_TO_REDIS = 4 };
    unsigned nodes = (config->redis != NULL) + (config->cache_redis != NULL);
    unsigned listeners = config->listen_count + (config->admin_listen != NULL);
    unsigned a_worker = A_LOOP + CURL + listeners + 2 * nodes; /* a new connection to Redis, and one that is closing */
    return gw_descriptors_count() + config->workers * a_worker + A_LOOP + nodes * MAIN_TO_REDIS + NAMES + LOGS + OTHERS;
}

/* As many descriptors as the system allows, and how they are shared out. */
static bool share_descriptors(struct gw_descriptors *descriptors, struct gw_complaint *complaint)
{
    const struct gw_config *config = process.config;
    uint64_t upstream = (uint64_t)config->workers * config->backend_count * config->max_backend_connections;
    struct gw_descriptors_need *need = &process.need;
    *need = (struct gw_descriptors_need) { .reserved = reserved_descriptors(config),
                                           .clients = config->max_connections + GW_SERVER_SHED_MARGIN,
                                           .upstream = upstream < UINT_MAX / 4 ? (unsigned)upstream : UINT_MAX / 4 };
    process.files = gw_descriptors_raise();
    if (!gw_descriptors_share(descriptors, process.files, need)) {
        char found[64];
        snprintf(found, sizeof found, "%u", process.files);
        gw_complain(complaint, "the limit of open files", found,
                    "%u at least for %u worker%s (ulimit -n, LimitNOFILE), or fewer workers (server.workers)",
                    need->reserved + 64, config->workers, config->workers == 1 ? "" : "s");
        return false;
    }
    return true;
}

static void warn_of_too_few_files(void)
{
    const struct gw_config *config = process.config;
    unsigned clients = process.server.descriptors.clients_most;
    if (clients < config->max_connections)
        gw_log(
            GW_LOG_WARN, "main",
            "the limit of open files is %u: enough for %u clients at the same time with their connections to backends "
            "(and %u files of the gateway's own), not for server.max_connections (%u). More clients wait: raise the "
            "limit (ulimit -n, LimitNOFILE) to %llu or lower server.max_connections",
            process.files, clients, process.need.reserved, config->max_connections,
            gw_descriptors_enough(&process.need));
}

static bool open_main_loop(void)
{
    if (uv_loop_init(&process.loop) != 0 || gw_mailbox_open(&process.mailbox, &process.loop) != 0 ||
        gw_timers_open(&process.timers, &process.loop) != 0)
        return false;
    uv_timer_init(&process.loop, &process.drain_timer);
    for (unsigned i = 0; i < GW_SIGNALS; i++) {
        uv_signal_init(&process.loop, &process.signals[i]);
        uv_signal_start(&process.signals[i], on_signal, signal_table[i].number);
    }
    return true;
}

static bool start_workers(void)
{
    const struct gw_config *config = process.config;
    process.workers = calloc(config->workers, sizeof *process.workers);
    if (!process.workers)
        return false;
    for (unsigned i = 0; i < config->workers; i++) {
        struct gw_worker *worker = &process.workers[i];
        worker->index = i;
        worker->server = &process.server;
        worker->config = config;
        worker->listeners = &process.listeners;
        worker->hooks = gw_assembly_hooks(process.assembly);
        worker->on_drained = on_worker_drained;
        worker->shard = gw_assembly_shard(process.assembly, i);
        if (!gw_worker_start(worker))
            return false;
        process.worker_count++;
    }
    return true;
}

static void say_hello(void)
{
    for (unsigned i = 0; i < process.listeners.count; i++) {
        const struct gw_listener *listener = &process.listeners.items[i];
        gw_log(GW_LOG_INFO, "main", "visara-gateway %s listens on %.*s port %u%s, %u worker%s, in front of %.*s",
               gw_version(), GW_SLICE_ARGS(listener->address.host), listener->address.port,
               listener->is_admin ? " (admin)" : "", process.config->workers, process.config->workers == 1 ? "" : "s",
               GW_SLICE_ARGS(process.config->backends[0]->url));
    }
}

static int run(void)
{
    struct gw_complaint complaint;
    ignore_others();
    process.server.config = process.config;
    process.server.main_mailbox = &process.mailbox;
    if (process.config->max_connections_per_client)
        process.server.client_connections = gw_client_connections_create(process.config->max_connections_per_client);
    process.server.places = calloc(process.config->workers, sizeof *process.server.places);
    if (!process.server.places) {
        gw_complain(&complaint, "start", NULL, "more memory");
        return complain(&complaint);
    }
    if (!share_descriptors(&process.server.descriptors, &complaint))
        return complain(&complaint);
    if (!gw_listeners_open(&process.listeners, process.config, &complaint))
        return complain(&complaint);
    process.assembly = gw_assembly_create(process.config, &process.server, &complaint);
    if (!process.assembly) {
        gw_listeners_close(&process.listeners);
        return complain(&complaint);
    }
    if (!open_main_loop() || !gw_assembly_open_main(process.assembly, &process.loop, &process.timers) ||
        !start_workers()) {
        fprintf(stderr, "visara-gateway: the workers could not start: expected more memory, threads or open files\n");
        _exit(1); /* the workers that did start hold on to everything */
    }
    say_hello();
    warn_of_too_few_files();
    uv_run(&process.loop, UV_RUN_DEFAULT);
    gw_timers_close(&process.timers);
    uv_run(&process.loop, UV_RUN_DEFAULT);
    gw_mailbox_free(&process.mailbox);
    if (uv_loop_close(&process.loop) != 0)
        gw_log(GW_LOG_ERROR, "main", "the main loop ended with open handles");
    gw_listeners_close(&process.listeners);
    gw_assembly_destroy(&process.assembly);
    gw_client_connections_destroy(&process.server.client_connections);
    free(process.workers);
    free(process.server.places);
    gw_log(GW_LOG_INFO, "main", "stopped");
    return 0;
}

/* ---- the other commands ---- */

static int print_page(struct gw_buffer *page)
{
    bool whole = !page->overflowed && fwrite(page->at, 1, page->length, stdout) == page->length && fflush(stdout) == 0;
    gw_buffer_destroy(page);
    return whole ? 0 : 1;
}

static int print_text(void (*print)(struct gw_buffer *page))
{
    struct gw_buffer page = gw_buffer_create(1024 * 1024);
    print(&page);
    return print_page(&page);
}

static struct gw_findings findings;

/* A line each, on stderr: mistakes, and where asked for also warnings. */
static void tell_findings(bool with_warnings)
{
    char line[sizeof(struct gw_complaint) + 64];
    for (unsigned i = 0; i < findings.count; i++) {
        if (findings.items[i].is_warning && !with_warnings)
            continue;
        gw_findings_print(&findings.items[i], line, sizeof line);
        fprintf(stderr, "visara-gateway: %s\n", line);
    }
    if (findings.error_count > GW_FINDINGS)
        fprintf(stderr, "visara-gateway: and more mistakes than are listed here\n");
}

static int tell_mistakes(bool with_warnings)
{
    tell_findings(with_warnings);
    if (!findings.count)
        fprintf(stderr, "visara-gateway: the configuration could not be read: expected more memory\n");
    return 1;
}

static void tell_validity(void)
{
    tell_findings(true);
    printf("visara-gateway: the configuration is valid");
    if (findings.warning_count)
        printf(", with %u warning%s", findings.warning_count, findings.warning_count == 1 ? "" : "s");
    printf("\n");
}

static void log_warnings(void)
{
    for (unsigned i = 0; i < findings.count; i++) {
        const struct gw_complaint *told = &findings.items[i].complaint;
        gw_log(GW_LOG_WARN, "config", "%s: %s%s%s%s", told->place, told->found[0] ? "\"" : "", told->found,
               told->found[0] ? "\": " : "", told->expected);
    }
}

static int print_config(int argc, char **argv)
{
    struct gw_buffer page = gw_buffer_create(4 * 1024 * 1024);
    if (gw_load_print_config(argc, argv, environ, &page, &findings))
        return print_page(&page);
    gw_buffer_destroy(&page);
    return tell_mistakes(false);
}

/* Looks at no files: the log's folder may be another's by now, and the gateway is well. */
static int check_health(int argc, char **argv)
{
    struct gw_config *config = gw_load_config(argc, argv, environ, false, &findings);
    if (!config)
        return tell_mistakes(false);
    int result = gw_healthcheck_run(config);
    gw_config_unref(config);
    return result;
}

static int with_config(int argc, char **argv, enum gw_command command)
{
    if (command == GW_COMMAND_PRINT)
        return print_config(argc, argv);
    process.config = gw_load_config(argc, argv, environ, true, &findings);
    if (!process.config)
        return tell_mistakes(command == GW_COMMAND_CHECK);
    int result = 0;
    if (command == GW_COMMAND_CHECK) {
        tell_validity();
    } else {
        gw_log_setup(process.config->log_level, process.config->log_json);
        log_warnings();
        result = run();
    }
    gw_config_unref(process.config);
    return result;
}

int main(int argc, char **argv)
{
    enum gw_command command = GW_COMMAND_RUN;
    bool is_client = argc > 1 && strcmp(argv[1], "cache") == 0;
    bool is_health = argc > 1 && strcmp(argv[1], "healthcheck") == 0; /* then flags, as for a start */
    signal(SIGPIPE, SIG_IGN);
    argv += is_health;
    argc -= is_health;
    bool is_understood = is_client || gw_load_command(argc, argv, &command, &findings);
    bool has_config = command == GW_COMMAND_RUN || command == GW_COMMAND_CHECK || command == GW_COMMAND_PRINT;
    if (!is_understood && !has_config)
        return tell_mistakes(false); /* else told with those of the configuration */
    if (command == GW_COMMAND_VERSION) {
        printf("visara-gateway %s (%s, libuv %s, %s)\n", gw_version(), gw_version_compiler(), uv_version_string(),
               curl_version());
        return 0;
    }
    if (command == GW_COMMAND_HELP)
        return print_text(gw_load_print_help);
    if (command == GW_COMMAND_DOCS)
        return print_text(gw_load_print_docs);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0) {
        fprintf(stderr, "visara-gateway: libcurl could not start\n");
        return 1;
    }
    int result;
    if (is_client)
        result = gw_inspect_run(argc - 2, argv + 2);
    else
        result = is_health && command == GW_COMMAND_RUN ? check_health(argc, argv) : with_config(argc, argv, command);
    curl_global_cleanup();
    return result;
}
