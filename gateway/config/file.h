/* file.h: the configuration file: bytes, JSON tree, and the line of each of its nodes.
 *
 * Bounds   GW_FILE_BYTES. Main thread only (cJSON remembers errors in a global). */
#ifndef GW_CONFIG_FILE_H
#define GW_CONFIG_FILE_H

#include "config/loading.h"

enum { GW_FILE_BYTES = 1024 * 1024, GW_FILE_SECRET_BYTES = 4096 };
/* Bits of a node's type that cJSON does not use. */
enum { GW_FILE_FILLED = 1 << 16, GW_FILE_WRONG = 1 << 17 };

/* Reads and parses. `name` must live as long as the file. False with a complaint; close it in any case. */
bool gw_file_open(struct gw_file *file, const char *name, struct gw_complaint *complaint) GW_MUST_CHECK;
/* The same for text at hand; `name` stands for the file in complaints. */
bool gw_file_parse(struct gw_file *file, const char *name, struct gw_slice text,
                   struct gw_complaint *complaint) GW_MUST_CHECK;
void gw_file_close(struct gw_file *file);
/* Puts variables in place of ${NAME} and ${NAME:-default} in every string (not in names); $${ stands for ${. What was
 * filled in is marked GW_FILE_FILLED and read as a variable's text is: "8080" is a number then. Files a mistake, with its
 * line, for each variable that is not set or empty, and for each ${ that is neither form; what stands there is then marked
 * GW_FILE_WRONG. `environment` is environ's form. */
bool gw_file_fill(struct gw_file *file, char *const *environment, struct gw_findings *findings) GW_MUST_CHECK;
/* What a file of secrets holds, without the line's end, terminated, in GW_FILE_SECRET_BYTES. The complaint at `place`
 * quotes the path and nothing of the file. */
bool gw_file_read_secret(const char *path, const char *place, char *secret,
                         struct gw_complaint *complaint) GW_MUST_CHECK;
/* The line of this node's key, or of its value in an array. Walks tree and text side by side: only for complaints. */
unsigned gw_file_line(const struct gw_file *file, const cJSON *node);
/* Parses one JSON value that must be all of text. NULL with a complaint at `place`, with the line behind it where
 * with_line says so. */
cJSON *gw_file_parse_json(const char *text, size_t length, const char *place, bool with_line,
                          struct gw_complaint *complaint) GW_MUST_CHECK;

#endif
