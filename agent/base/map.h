/* A map from byte strings to pointers: keyed hash (SipHash-1-3), so that a peer that chooses the
 * keys cannot make it slow, and a maximum, so that it cannot make it large. Keys are copied. */
#ifndef LEAT_BASE_MAP_H
#define LEAT_BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct leat_map;

struct leat_map *leat_map_new(size_t max);     /* at most `max` entries */
struct leat_map *leat_map_try_new(size_t max); /* NULL: no memory */
void leat_map_free(struct leat_map *m,
                   void (*free_value)(void *)); /* takes NULL; free_value may be NULL */
void *leat_map_get(const struct leat_map *m, struct leat_bytes key); /* NULL: not there */
/* Sets or replaces; *ret_old (may be NULL) gets the value replaced. -1: full, or no memory; nothing
 * changed. */
int leat_map_set(struct leat_map *m, struct leat_bytes key, void *value, void **ret_old);
void *leat_map_remove(struct leat_map *m,
                      struct leat_bytes key); /* the value that was there, or NULL */
size_t leat_map_count(const struct leat_map *m);
/* Visits every entry in no order; *cursor starts at 0; false: no more. The map must not change
 * meanwhile. */
bool leat_map_next(const struct leat_map *m, size_t *cursor, struct leat_bytes *ret_key,
                   void **ret_value);

#endif
