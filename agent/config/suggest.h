/* What an unknown key was probably meant to be. */
#ifndef LEAT_CONFIG_SUGGEST_H
#define LEAT_CONFIG_SUGGEST_H

#include <stdbool.h>
#include <stddef.h>

#include "config/schema.h"

/* A table, and the tables around it. */
struct leat_suggest {
    const struct leat_suggest *outer;
    const struct leat_field *fields;
};

/* `key` is a name or an alias at this level; what is INLINE counts. */
bool leat_suggest_known(const struct leat_field *fields, const char *key);
/* "did you mean 'x'?", or where else the key belongs; NULL: no idea. Written to `buf`. */
const char *leat_suggest_hint(const struct leat_suggest *here, const char *key, char *buf,
                              size_t size);

#endif
