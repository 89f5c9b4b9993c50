#include "config/paths.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static bool complain(struct gw_loading *loading, enum gw_key_id id, const char *expected, int error)
{
    const char *found = loading->values[id].text.at;
    gw_source_complain(&loading->sources[id], GW_SOURCE_WHOLE, loading->complaint, found, error ? "%s (%s)" : "%s",
                       expected, error ? strerror(error) : "");
    return gw_loading_file(loading, false);
}

enum { PATHS_AUTHORITY_BYTES = 8 * 1024 * 1024 };

static bool check_authorities(struct gw_loading *loading, enum gw_key_id id)
{
    static const char begin[] = "-----BEGIN ", end[] = "CERTIFICATE-----"; /* also TRUSTED, X509 */
    const char *path = loading->values[id].text.at;
    bool has_certificate = false;
    char line[128];
    if (!loading->values[id].text.length)
        return true;
    FILE *stream = fopen(path, "rbe");
    if (!stream)
        return complain(loading, id, "a file that can be read", errno);
    errno = 0;
    for (size_t bytes = 0; bytes < PATHS_AUTHORITY_BYTES && fgets(line, sizeof(line), stream); bytes += strlen(line))
        has_certificate |= strncmp(line, begin, sizeof(begin) - 1) == 0 && strstr(line, end);
    int error = ferror(stream) ? errno : 0;
    fclose(stream);
    if (error)
        return complain(loading, id, "a file that can be read", error);
    return has_certificate || complain(loading, id, "a PEM file with at least one certificate", 0);
}

static bool is_standard(struct gw_slice where)
{
    return gw_slice_equal(where, GW_SLICE("stdout")) || gw_slice_equal(where, GW_SLICE("stderr")) ||
           gw_slice_equal(where, GW_SLICE("off"));
}

/* Does not open or make the file, since a check must leave no trace. */
static bool check_access_log(struct gw_loading *loading)
{
    struct gw_slice where = loading->values[GW_KEY_LOG_ACCESS].text;
    const char *slash = where.length ? memrchr(where.at, '/', where.length) : NULL;
    char folder[4097];
    struct stat found;
    if (is_standard(where))
        return true;
    if (stat(where.at, &found) == 0) {
        if (S_ISDIR(found.st_mode))
            return complain(loading, GW_KEY_LOG_ACCESS, "a file that can be written", EISDIR);
        return faccessat(AT_FDCWD, where.at, W_OK, AT_EACCESS) == 0 ||
               complain(loading, GW_KEY_LOG_ACCESS, "a file that can be written", errno);
    }
    snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - where.at) + 1 : 1, slash ? where.at : ".");
    return faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) == 0 ||
           complain(loading, GW_KEY_LOG_ACCESS, "a file in a folder in which it can be made", errno);
}

bool gw_paths_check(struct gw_loading *loading)
{
    bool good = check_authorities(loading, GW_KEY_BACKEND_TLS_CA_FILE);
    good &= check_authorities(loading, GW_KEY_REDIS_TLS_CA_FILE);
    good &= check_access_log(loading);
    return good;
}
