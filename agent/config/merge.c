/* Maps put over maps, and the growing of nodes. */
#include <stdint.h>
#include <string.h>

#include "config/keys.h"
#include "config/tree.h"

#define FIRST 4 /* room of a new list or map; doubled when full, so the count tells the room */

static bool full(size_t count)
{
    return count == 0 || (count >= FIRST && (count & (count - 1)) == 0);
}

static bool grow(struct leat_node *parent, struct leat_arena *arena)
{
    size_t room = parent->count == 0 ? FIRST : parent->count * 2;
    struct leat_node **items = leat_arena_take(arena, room * sizeof(struct leat_node *));
    struct leat_key *keys = NULL;

    if (parent->kind == LEAT_NODE_MAP)
        keys = leat_arena_take(arena, room * sizeof *keys);
    if (items == NULL || (parent->kind == LEAT_NODE_MAP && keys == NULL))
        return false;
    if (parent->count != 0) {
        memcpy(items, parent->items, parent->count * sizeof(struct leat_node *));
        if (keys != NULL)
            memcpy(keys, parent->keys, parent->count * sizeof *keys);
    }
    parent->items = items;
    parent->keys = keys;
    return true;
}

bool leat_tree_append(struct leat_node *parent, const struct leat_key *key, struct leat_node *value,
                      struct leat_arena *arena)
{
    if (full(parent->count) && !grow(parent, arena))
        return false;
    parent->items[parent->count] = value;
    if (parent->kind == LEAT_NODE_MAP)
        parent->keys[parent->count] = *key;
    parent->count++;
    return true;
}

struct leat_node *leat_tree_wrap(struct leat_node *node, const char *const *keys, size_t nkeys,
                                 struct leat_place at, struct leat_arena *arena)
{
    for (size_t i = nkeys; i > 0 && node != NULL; i--) {
        struct leat_node *map = leat_arena_take(arena, sizeof *map);
        struct leat_key key = {.text = keys[i - 1], .at = at};
        if (map == NULL)
            return NULL;
        *map = (struct leat_node){.kind = LEAT_NODE_MAP, .at = at, .key = at, .text = ""};
        node->key = at;
        if (!leat_tree_append(map, &key, node, arena))
            return NULL;
        node = map;
    }
    return node;
}

static struct leat_node *merge_at(struct leat_node *earlier, struct leat_node *later,
                                  struct leat_arena *arena, unsigned depth)
{
    struct leat_keys keys;

    if (earlier == NULL || earlier->kind != LEAT_NODE_MAP || later == NULL ||
        later->kind != LEAT_NODE_MAP || depth > LEAT_TREE_DEPTH)
        return later == NULL ? earlier : later;
    leat_keys_init(&keys, earlier);
    for (size_t i = 0; i < later->count; i++) {
        size_t at = leat_keys_find(&keys, later->keys[i].text);
        if (at == SIZE_MAX) {
            if (!leat_tree_append(earlier, &later->keys[i], later->items[i], arena)) {
                leat_keys_done(&keys);
                return NULL;
            }
            leat_keys_added(&keys);
            continue;
        }
        earlier->items[at] = merge_at(earlier->items[at], later->items[i], arena, depth + 1);
        earlier->keys[at] = later->keys[i];
    }
    leat_keys_done(&keys);
    return earlier;
}

struct leat_node *leat_tree_merge(struct leat_node *earlier, struct leat_node *later,
                                  struct leat_arena *arena)
{
    return merge_at(earlier, later, arena, 0);
}
