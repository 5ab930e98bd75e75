/* Which keys a map has. */
#include "config/keys.h"

#include <stdint.h>
#include <string.h>

#include "config/tree.h"

#define SMALL 16

/* An index that could not take a key is worth nothing: the map is searched one by one again. */
static bool put(struct leat_keys *k, size_t i)
{
    if (leat_map_set(k->index, leat_bytes_str(k->map->keys[i].text), (void *)(uintptr_t)(i + 1),
                     NULL) == 0)
        return true;
    leat_keys_done(k);
    return false;
}

static void make_index(struct leat_keys *k)
{
    k->index = leat_map_new(LEAT_TREE_NODES);
    for (size_t i = 0; i < k->map->count && put(k, i); i++)
        continue;
}

void leat_keys_init(struct leat_keys *k, const struct leat_node *map)
{
    *k = (struct leat_keys){.map = map};
    if (map->count > SMALL)
        make_index(k);
}

void leat_keys_done(struct leat_keys *k)
{
    leat_map_free(k->index, NULL);
    k->index = NULL;
}

size_t leat_keys_find(const struct leat_keys *k, const char *key)
{
    if (k->index != NULL)
        return (size_t)(uintptr_t)leat_map_get(k->index, leat_bytes_str(key)) - 1;
    for (size_t i = 0; i < k->map->count; i++) {
        if (strcmp(k->map->keys[i].text, key) == 0)
            return i;
    }
    return SIZE_MAX;
}

void leat_keys_added(struct leat_keys *k)
{
    if (k->index != NULL)
        put(k, k->map->count - 1);
    else if (k->map->count > SMALL)
        make_index(k);
}
