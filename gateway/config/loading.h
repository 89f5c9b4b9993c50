/* loading.h: the data that the loader's files share while a configuration is made; it is gone afterwards.
 *
 * Data     For each key, its value and the source of the value, so that a mistake that is found late still names its
 *          place. A key that is written wrongly keeps its earlier value, so that the rest can be checked.
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
    char *text; /* owned, with a NUL at its end */
    size_t length;
    cJSON *tree; /* owned */
};

struct gw_source {
    enum gw_origin origin;
    const char *name;           /* ENVIRONMENT: the variable; FLAG: the flag without dashes */
    const char *text;           /* the text as written, where json is NULL */
    const cJSON *json;          /* FILE, and every value written as JSON */
    const struct gw_file *file; /* FILE: to find the line */
    bool nested;                /* part of a larger value: the place also has the path */
    bool is_wrong;              /* a mistake of it was told, so it is not checked any further */
    char path[GW_KEYS_NAME_BYTES];
};

struct gw_value {
    uint64_t number;        /* BOOLEAN, INTEGER, SIZE, DURATION, SECONDS; CHOICE: the choice's number */
    struct gw_slice text;   /* STRING, RATE; with a NUL behind it */
    struct gw_strings list; /* LIST */
    const cJSON *json;      /* OBJECTS: an array; NULL: none */
};

struct gw_loading {
    struct gw_config *config;
    struct gw_findings *findings;
    struct gw_complaint *complaint; /* &findings->latest */
    struct gw_file file;
    cJSON *documents[GW_KEYS_COUNT]; /* OBJECTS that were given as text, by key; owned */
    struct gw_source sources[GW_KEYS_COUNT];
    struct gw_value values[GW_KEYS_COUNT];
};

enum { GW_SOURCE_WHOLE = -1 };

/* Fills the complaint, with the place of the source, and returns false. A source that is wrong already gets no second
 * complaint. item: the number of the wrong element of a list, or GW_SOURCE_WHOLE. found == NULL: nothing is quoted. */
bool gw_source_complain(const struct gw_source *source, int item, struct gw_complaint *complaint, const char *found,
                        const char *expected, ...) GW_PRINTF(5, 6);
/* The same for a value that is valid but probably a mistake. The warning is filed at once. */
void gw_source_warn(struct gw_loading *loading, const struct gw_source *source, int item, const char *found,
                    const char *sentence, ...) GW_PRINTF(5, 6);
/* Files the complaint where good is false, so that the caller can look for the next mistake. Returns good. */
bool gw_loading_file(struct gw_loading *loading, bool good);
bool gw_loading_no_memory(struct gw_complaint *complaint);
/* A copy in the arena, with a NUL behind it; at == NULL when memory is out. */
struct gw_slice gw_loading_copy(struct gw_arena *arena, struct gw_slice text);
/* count * size bytes of the configuration's arena, all zero; NULL with a complaint. */
void *gw_loading_take(struct gw_loading *loading, size_t count, size_t size) GW_MUST_CHECK;

#endif
