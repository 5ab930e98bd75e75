/* Patterns with `*`, as file names have them. */
#ifndef LEAT_BASE_GLOB_H
#define LEAT_BASE_GLOB_H

#include <stdbool.h>

#include "base/bytes.h"

enum leat_glob_flag {
    LEAT_GLOB_FOLD = 1 << 0, /* upper and lower case of ASCII letters are the same */
    LEAT_GLOB_ONE = 1 << 1,  /* `?` is one character of UTF-8; else it is itself */
};

/* `*` is any run of bytes. Steps back to the last asterisk only: at most pattern times text steps,
 * whoever chose them. */
bool leat_glob(const char *pattern, struct leat_bytes text, unsigned flags);

#endif
