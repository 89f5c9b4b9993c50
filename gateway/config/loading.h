/* loading.h: what the loader's files share while a configuration is put together; gone when it is done.
 *
 * Data     For each key its value and where that came from, so that a mistake found late still names its place. The value
 *          of a key that is written wrongly stays what it was before: the rest can still be looked at.
 * Memory   Values lie in the new configuration's arena; JSON trees belong to the loading. */
#ifndef GW_CONFIG_LOADING_H
#define GW_CONFIG_LOADING_H

#include <cjson/cJSON.h>
#include "config/config.h"
#include "config/findings.h"
#include "config/keys.h"

enum gw_origin { GW_ORIGIN_DEFAULT, GW_ORIGIN_FILE, GW_ORIGIN_ENVIRONMENT, GW_ORIGIN_FLAG };

struct gw_file { /* a configuration file, read and parsed (file.h) */
    const char *name;
    char *text; /* owned, terminated */
    size_t length;
    cJSON *tree; /* owned */
};

struct gw_source {
    enum gw_origin origin;
    const char *name;           /* ENVIRONMENT: the variable; FLAG: the flag without dashes */
    const char *text;           /* what was written, where json is NULL */
    const cJSON *json;          /* FILE, and whatever was written as JSON */
    const struct gw_file *file; /* FILE: to find the line */
    bool nested;                /* part of a larger value: the place tells the path, too */
    bool is_wrong;              /* a mistake was told of it, so nothing else should be held against it */
    char path[GW_KEYS_NAME_BYTES];
};

struct gw_value {
    uint64_t number;        /* BOOLEAN, INTEGER, SIZE, DURATION, SECONDS; CHOICE: its number */
    struct gw_slice text;   /* STRING, RATE; terminated */
    struct gw_strings list; /* LIST */
    const cJSON *json;      /* OBJECTS: an array, or NULL for none */
};

struct gw_loading {
    struct gw_config *config;
    struct gw_findings *findings;
    struct gw_complaint *complaint; /* &findings->latest */
    struct gw_file file;
    cJSON *documents[GW_KEYS_COUNT]; /* OBJECTS given as text, by key; owned */
    struct gw_source sources[GW_KEYS_COUNT];
    struct gw_value values[GW_KEYS_COUNT];
};

enum { GW_SOURCE_WHOLE = -1 };

/* Always false: fills the complaint (not where the source is wrong already: one mistake is told once), naming the source's place. item: the element of a list that is wrong, or
 * GW_SOURCE_WHOLE. With found == NULL nothing is quoted. */
bool gw_source_complain(const struct gw_source *source, int item, struct gw_complaint *complaint, const char *found,
                        const char *expected, ...) GW_PRINTF(5, 6);
/* The same place, for what is valid but can hardly be meant; filed at once. */
void gw_source_warn(struct gw_loading *loading, const struct gw_source *source, int item, const char *found,
                    const char *sentence, ...) GW_PRINTF(5, 6);
/* Files the complaint where good is false, so that whoever calls may look for the next mistake. Returns good. */
bool gw_loading_file(struct gw_loading *loading, bool good);
bool gw_loading_no_memory(struct gw_complaint *complaint);
/* A terminated copy in the arena; at == NULL when memory is out. */
struct gw_slice gw_loading_copy(struct gw_arena *arena, struct gw_slice text);
/* Takes count * size cleared bytes of the configuration's arena; NULL with a complaint. */
void *gw_loading_take(struct gw_loading *loading, size_t count, size_t size) GW_MUST_CHECK;

#endif
