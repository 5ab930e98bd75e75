/* Which keys a map has: searched one by one while it is small, by hash when it is not, so that a
 * map of many keys does not cost the square of their number. */
#ifndef LEAT_CONFIG_KEYS_H
#define LEAT_CONFIG_KEYS_H

#include <stddef.h>

#include "base/map.h"
#include "config/yaml.h"

struct leat_keys {
    const struct leat_node *map;
    struct leat_map *index; /* NULL while the map is small */
};

void leat_keys_init(struct leat_keys *k, const struct leat_node *map);
void leat_keys_done(struct leat_keys *k);
size_t leat_keys_find(const struct leat_keys *k, const char *key); /* SIZE_MAX: not there */
void leat_keys_added(struct leat_keys *k); /* after an entry was appended to the map */

#endif
