/* checks.h: does a check (base/check.h) end the process here? The tested action runs in a child. */
#ifndef TESTS_SUPPORT_CHECKS_H
#define TESTS_SUPPORT_CHECKS_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/check.h"

#ifdef GW_CHECKS
static const bool checks_are_on = true;
#else
static const bool checks_are_on = false;
#endif

/* How a process ended that ran `act`, as waitpid(2) reports it; 0 if `act` returned. */
static inline int checks_status_of(void (*act)(void *data), void *data)
{
    int status;
    pid_t pid = fork();
    assert_int_not_equal(pid, -1);
    if (pid == 0) {
        signal(SIGABRT, SIG_DFL);
        close(STDERR_FILENO); /* only people want the line */
        act(data);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

/* Where checks are on, a check or ASan must end the process. Where they are off, `act` does not run, because it does
 * something wrong. */
static inline void checks_assert_ends(void (*act)(void *data), void *data)
{
    if (checks_are_on)
        assert_int_not_equal(checks_status_of(act, data), 0);
}

#endif
