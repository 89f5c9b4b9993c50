/* findings.h: what a person is told of the configuration: all mistakes at once, and warnings of what is valid but can
 * hardly be meant.
 *
 * Shape    Whoever finds a mistake fills `latest` and returns false; whoever can go on all the same files it.
 * Bounds   GW_FINDINGS of both kinds together, half of them warnings at most; what comes after is counted and left out. */
#ifndef GW_CONFIG_FINDINGS_H
#define GW_CONFIG_FINDINGS_H

#include "base/error.h"

enum { GW_FINDINGS = 64 };

struct gw_finding {
    struct gw_complaint complaint; /* of a warning: `expected` is the sentence */
    bool is_warning;
};

struct gw_findings {
    unsigned count;       /* of items */
    unsigned error_count; /* also of those left out */
    unsigned warning_count;
    struct gw_finding items[GW_FINDINGS];
    struct gw_complaint latest; /* not filed yet; no place: none */
};

void gw_findings_init(struct gw_findings *findings);
/* Moves latest into the list; the same one twice is one. */
void gw_findings_file(struct gw_findings *findings, bool is_warning);
/* The first mistake; NULL where there is none. */
const struct gw_complaint *gw_findings_first(const struct gw_findings *findings);
/* One line: "warning: place: …" or a mistake as gw_complaint_print does. */
void gw_findings_print(const struct gw_finding *finding, char *line, size_t capacity);

#endif
