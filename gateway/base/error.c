#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

struct row {
    const char *name;
    const char *sentence;
    int status;
    bool may_retry;
};

static const struct row rows[GW_ERROR_COUNT] = {
#define ROW(NAME, name, status, retry, sentence) [GW_ERROR_##NAME] = { name, sentence, status, retry },
    GW_ERRORS(ROW)
#undef ROW
};

const char *gw_error_name(enum gw_error error)
{
    return rows[error].name;
}

const char *gw_error_sentence(enum gw_error error)
{
    return rows[error].sentence;
}

int gw_error_status(enum gw_error error)
{
    return rows[error].status;
}

bool gw_error_may_retry(enum gw_error error)
{
    return rows[error].may_retry;
}

enum gw_error_cause gw_error_cause(enum gw_error error)
{
    static const unsigned char causes[GW_ERROR_COUNT] = {
#define CLIENT(NAME, name, status, retry, sentence)  [GW_ERROR_##NAME] = GW_CAUSE_CLIENT,
#define BACKEND(NAME, name, status, retry, sentence) [GW_ERROR_##NAME] = GW_CAUSE_BACKEND,
#define OWN(NAME, name, status, retry, sentence)     [GW_ERROR_##NAME] = GW_CAUSE_GATEWAY,
        GW_CLIENT_ERRORS(CLIENT) GW_BACKEND_ERRORS(BACKEND) GW_OWN_ERRORS(OWN)
#undef CLIENT
#undef BACKEND
#undef OWN
    };
    return causes[error];
}

const char *gw_error_cause_name(enum gw_error_cause cause)
{
    static const char *const names[GW_CAUSE_COUNT] = { "none", "client", "backend", "gateway" };
    return names[cause];
}

void gw_complain(struct gw_complaint *complaint, const char *place, const char *found, const char *expected, ...)
{
    va_list arguments;
    snprintf(complaint->place, sizeof complaint->place, "%s", place);
    snprintf(complaint->found, sizeof complaint->found, "%s", found ? found : "");
    va_start(arguments, expected);
    vsnprintf(complaint->expected, sizeof complaint->expected, expected, arguments);
    va_end(arguments);
}

void gw_complaint_print(const struct gw_complaint *complaint, char *line, size_t capacity)
{
    if (complaint->found[0])
        snprintf(line, capacity, "%s: found \"%s\", expected %s", complaint->place, complaint->found,
                 complaint->expected);
    else
        snprintf(line, capacity, "%s: expected %s", complaint->place, complaint->expected);
}
