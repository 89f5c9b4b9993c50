/* file.h: the configuration file: its bytes, its JSON tree, and the line of each node.
 *
 * Bounds   A file has at most GW_FILE_BYTES. Main thread only, since cJSON keeps errors in a global. */
#ifndef GW_CONFIG_FILE_H
#define GW_CONFIG_FILE_H

#include "config/loading.h"

enum { GW_FILE_BYTES = 1024 * 1024, GW_FILE_SECRET_BYTES = 4096 };
/* Bits of a node's type that cJSON does not use. */
enum { GW_FILE_FILLED = 1 << 16, GW_FILE_WRONG = 1 << 17 };

/* Reads and parses a file. `name` must live as long as *file. False with a complaint. gw_file_close must be called in
 * any case. */
bool gw_file_open(struct gw_file *file, const char *name, struct gw_complaint *complaint) GW_MUST_CHECK;
/* The same for a text; complaints call it `name`. */
bool gw_file_parse(struct gw_file *file, const char *name, struct gw_slice text,
                   struct gw_complaint *complaint) GW_MUST_CHECK;
void gw_file_close(struct gw_file *file);
/* Replaces ${NAME} and ${NAME:-default} in every string (but not in names) by variables of the environment; $${ stands
 * for ${. A string that was changed is marked GW_FILE_FILLED and read like the text of a variable: "8080" is a number
 * then. Files a mistake, with its line, for each variable that is not set or is empty, and for each ${ that has neither
 * form; the string is marked GW_FILE_WRONG then. `environment` has the form of environ. */
bool gw_file_fill(struct gw_file *file, char *const *environment, struct gw_findings *findings) GW_MUST_CHECK;
/* Reads a file with a secret into `secret`, which has GW_FILE_SECRET_BYTES, without line ends at its end and with a
 * NUL. The complaint, at `place`, quotes the path and nothing of the file. */
bool gw_file_read_secret(const char *path, const char *place, char *secret,
                         struct gw_complaint *complaint) GW_MUST_CHECK;
/* The line of this node's key, or of its value in an array. Slow, since it reads the text again: only for
 * complaints. */
unsigned gw_file_line(const struct gw_file *file, const cJSON *node);
/* Parses one JSON value, which must be the whole text. NULL with a complaint at `place`; with_line: the place also has
 * the line. */
cJSON *gw_file_parse_json(const char *text, size_t length, const char *place, bool with_line,
                          struct gw_complaint *complaint) GW_MUST_CHECK;

#endif
