/* Paths of files whose names come from a peer: never outside the folder that the settings name. */
#ifndef LEAT_EXPORTERS_FILE_PATH_H
#define LEAT_EXPORTERS_FILE_PATH_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/bytes.h"

struct leat_err;

/* `pattern` ("dir/a-*.json") with its one '*' replaced by `value`, cleaned: no "." or "..", no
 * double slashes. A value that would lead outside of what stands before the '*' is made a path
 * below it: "../../x" is "dir/a-/x.json". The caller frees the result with leat_free(). NULL and
 * `err`: no file can have this name (too long, a NUL byte), or errno is ENOMEM.
 * Source: contrib exporter/fileexporter. */
char *leat_file_path(const char *pattern, struct leat_bytes value, struct leat_err *err);

/* Makes the folders that `path` stands in, from the top, where they are missing. -1 and `err`. */
int leat_file_folders(const char *path, mode_t mode, struct leat_err *err);

#endif
