/* A map from byte strings to pointers: open addressing, linear probing, backward-shift removal. */
#include "base/map.h"

#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

struct slot {
    uint64_t hash;
    uint8_t *key; /* NULL: empty */
    size_t len;
    void *value;
};

struct leat_map {
    struct slot *slots;
    size_t cap; /* a power of two, or 0 */
    size_t count, max;
};

struct leat_map *leat_map_try_new(size_t max)
{
    struct leat_map *m = leat_try_zeroed(sizeof *m);

    if (m != NULL)
        m->max = max;
    return m;
}

struct leat_map *leat_map_new(size_t max)
{
    struct leat_map *m = leat_map_try_new(max);

    if (m == NULL)
        leat_out_of_memory(sizeof *m);
    return m;
}

void leat_map_free(struct leat_map *m, void (*free_value)(void *))
{
    if (m == NULL)
        return;
    for (size_t i = 0; i < m->cap; i++) {
        if (m->slots[i].key == NULL)
            continue;
        if (free_value != NULL)
            free_value(m->slots[i].value);
        leat_free(m->slots[i].key);
    }
    leat_free(m->slots);
    leat_free(m);
}

/* The slot that holds the key, or the empty one where it would go. The table is never full. */
static struct slot *find(const struct leat_map *m, uint64_t hash, struct leat_bytes key)
{
    for (size_t i = hash & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
        struct slot *s = &m->slots[i];
        if (s->key == NULL)
            return s;
        if (s->hash == hash && leat_bytes_eq(leat_bytes(s->key, s->len), key))
            return s;
    }
}

static int grow(struct leat_map *m)
{
    struct leat_map bigger = {.cap = m->cap ? m->cap * 2 : 16};

    bigger.slots = leat_try_zeroed(bigger.cap * sizeof *bigger.slots);
    if (bigger.slots == NULL)
        return -1;
    for (size_t i = 0; i < m->cap; i++) {
        struct slot *s = &m->slots[i];
        if (s->key != NULL)
            *find(&bigger, s->hash, leat_bytes(s->key, s->len)) = *s;
    }
    leat_free(m->slots);
    m->slots = bigger.slots;
    m->cap = bigger.cap;
    return 0;
}

void *leat_map_get(const struct leat_map *m, struct leat_bytes key)
{
    return m->count == 0 ? NULL : find(m, leat_hash(key), key)->value;
}

static int insert(struct leat_map *m, struct slot *s, uint64_t hash, struct leat_bytes key)
{
    uint8_t *copy = leat_try(key.len + 1);

    if (copy == NULL)
        return -1;
    if (key.len != 0)
        memcpy(copy, key.data, key.len);
    copy[key.len] = '\0';
    *s = (struct slot){.hash = hash, .key = copy, .len = key.len};
    m->count++;
    return 0;
}

int leat_map_set(struct leat_map *m, struct leat_bytes key, void *value, void **ret_old)
{
    uint64_t hash = leat_hash(key);
    struct slot *s = m->cap ? find(m, hash, key) : NULL;

    if (ret_old != NULL)
        *ret_old = NULL;
    if (s == NULL || s->key == NULL) {
        if (m->count >= m->max)
            return -1;
        if ((m->count + 1) * 4 > m->cap * 3 && grow(m) < 0)
            return -1;
        s = find(m, hash, key);
        if (insert(m, s, hash, key) < 0)
            return -1;
    } else if (ret_old != NULL) {
        *ret_old = s->value;
    }
    s->value = value;
    return 0;
}

void *leat_map_remove(struct leat_map *m, struct leat_bytes key)
{
    struct slot *s;
    void *value;
    size_t hole, i;

    if (m->count == 0)
        return NULL;
    s = find(m, leat_hash(key), key);
    if (s->key == NULL)
        return NULL;
    value = s->value;
    leat_free(s->key);
    m->count--;
    hole = (size_t)(s - m->slots);
    for (i = (hole + 1) & (m->cap - 1); m->slots[i].key != NULL; i = (i + 1) & (m->cap - 1)) {
        size_t home = m->slots[i].hash & (m->cap - 1);
        if (((i - home) & (m->cap - 1)) >= ((i - hole) & (m->cap - 1))) {
            m->slots[hole] = m->slots[i];
            hole = i;
        }
    }
    m->slots[hole] = (struct slot){0};
    return value;
}

size_t leat_map_count(const struct leat_map *m)
{
    return m->count;
}

bool leat_map_next(const struct leat_map *m, size_t *cursor, struct leat_bytes *ret_key,
                   void **ret_value)
{
    while (*cursor < m->cap) {
        struct slot *s = &m->slots[(*cursor)++];
        if (s->key == NULL)
            continue;
        *ret_key = leat_bytes(s->key, s->len);
        *ret_value = s->value;
        return true;
    }
    return false;
}
