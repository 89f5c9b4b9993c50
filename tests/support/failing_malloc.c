#include "support/failing_malloc.h"

#include <errno.h>
#include <stddef.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

static _Thread_local struct {
    unsigned left; /* until the one that fails; 0: disarmed */
    enum failing_malloc_kind kind;
    bool failed, suspended;
} plan;

void failing_malloc_arm(unsigned nth, enum failing_malloc_kind kind)
{
    plan.left = nth;
    plan.kind = kind;
    plan.failed = plan.suspended = false;
}

bool failing_malloc_disarm(void)
{
    plan.left = 0;
    return plan.failed;
}

void failing_malloc_suspend(void)
{
    plan.suspended = true;
}

void failing_malloc_go_on(void)
{
    plan.suspended = false;
}

static bool fails(void)
{
    if (plan.left == 0 || plan.suspended)
        return false;
    if (plan.left > 1) {
        plan.left--;
        return false;
    }
    if (plan.failed && plan.kind == ONE_FAILS)
        return false;
    plan.failed = true;
    errno = ENOMEM;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return fails() ? NULL : __real_realloc(memory, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return fails() ? NULL : __real_aligned_alloc(alignment, size);
}
