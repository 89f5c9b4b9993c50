/* findings.h: what a person is told about the configuration: all mistakes at once, and warnings about values that are
 * valid but probably a mistake.
 *
 * Shape    A function that finds a mistake fills `latest` and returns false. A caller that can go on all the same files
 *          it with gw_findings_file.
 * Bounds   GW_FINDINGS of both kinds together, at most half of them warnings. Further ones are counted and left out. */
#ifndef GW_CONFIG_FINDINGS_H
#define GW_CONFIG_FINDINGS_H

#include "base/error.h"

enum { GW_FINDINGS = 64 };

struct gw_finding {
    struct gw_complaint complaint; /* in a warning, `expected` is the sentence */
    bool is_warning;
};

struct gw_findings {
    unsigned count;       /* of items */
    unsigned error_count; /* with those that were left out */
    unsigned warning_count;
    struct gw_finding items[GW_FINDINGS];
    struct gw_complaint latest; /* not filed yet; an empty place: none */
};

void gw_findings_init(struct gw_findings *findings);
/* Moves latest into the list, unless the list has the same finding already. */
void gw_findings_file(struct gw_findings *findings, bool is_warning);
/* The first mistake; NULL: there is none. */
const struct gw_complaint *gw_findings_first(const struct gw_findings *findings);
/* Writes one line: "warning: place: …", or a mistake in the form of gw_complaint_print. */
void gw_findings_print(const struct gw_finding *finding, char *line, size_t capacity);

#endif
