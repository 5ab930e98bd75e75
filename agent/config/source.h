/* Where configuration text comes from: files, the environment, the command line. */
#ifndef LEAT_CONFIG_SOURCE_H
#define LEAT_CONFIG_SOURCE_H

#include "base/err.h"
#include "base/text.h"

/* A whole file, at most 16 MiB, without its byte order mark. 0, or -1 and `err`. */
int leat_source_file(const char *path, struct leat_text *out, struct leat_err *err);
/* What `uri` ("path", "file:path", "env:NAME", "yaml:text") names. *ret_name: how messages call it,
 * to be freed with leat_free(). */
int leat_source_read(const char *uri, struct leat_text *out, char **ret_name, struct leat_err *err);

#endif
