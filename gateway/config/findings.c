#include "config/findings.h"
#include <stdio.h>

void gw_findings_init(struct gw_findings *findings)
{
    findings->count = findings->error_count = findings->warning_count = 0;
    findings->latest = (struct gw_complaint) { 0 };
}

static bool is_known(const struct gw_findings *findings)
{
    for (unsigned i = 0; i < findings->count; i++) {
        const struct gw_complaint *known = &findings->items[i].complaint;
        if (strcmp(known->place, findings->latest.place) == 0 && strcmp(known->found, findings->latest.found) == 0 &&
            strcmp(known->expected, findings->latest.expected) == 0)
            return true;
    }
    return false;
}

void gw_findings_file(struct gw_findings *findings, bool is_warning)
{
    if (!is_known(findings)) {
        unsigned *count = is_warning ? &findings->warning_count : &findings->error_count;
        if (findings->count < GW_FINDINGS && (!is_warning || *count < GW_FINDINGS / 2))
            findings->items[findings->count++] = (struct gw_finding) { findings->latest, is_warning };
        ++*count;
    }
    findings->latest = (struct gw_complaint) { 0 };
}

const struct gw_complaint *gw_findings_first(const struct gw_findings *findings)
{
    for (unsigned i = 0; i < findings->count; i++)
        if (!findings->items[i].is_warning)
            return &findings->items[i].complaint;
    return NULL;
}

void gw_findings_print(const struct gw_finding *finding, char *line, size_t capacity)
{
    const struct gw_complaint *told = &finding->complaint;
    if (!finding->is_warning)
        gw_complaint_print(told, line, capacity);
    else if (told->found[0])
        snprintf(line, capacity, "warning: %s: \"%s\": %s", told->place, told->found, told->expected);
    else
        snprintf(line, capacity, "warning: %s: %s", told->place, told->expected);
}
