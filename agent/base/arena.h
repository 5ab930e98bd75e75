/* Many small pieces that are freed together: a parsed document, one request's scratch. Has a
 * maximum. */
#ifndef LEAT_BASE_ARENA_H
#define LEAT_BASE_ARENA_H

#include <stddef.h>

#include "base/bytes.h"

struct leat_arena_block;

struct leat_arena {
    struct leat_arena_block *blocks;
    size_t used, max; /* bytes handed out; the most that may be */
};

void leat_arena_init(struct leat_arena *a, size_t max); /* allocates nothing */
void leat_arena_done(struct leat_arena *a);
void *leat_arena_take(struct leat_arena *a,
                      size_t size); /* zeroed, aligned for anything; NULL: full or no memory */
char *leat_arena_str(struct leat_arena *a,
                     struct leat_bytes text); /* NUL-terminated copy; NULL as above */

#endif
