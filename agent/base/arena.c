/* Many small pieces that are freed together. */
#include "base/arena.h"

#include <stdalign.h>

#include "base/mem.h"

#define BLOCK ((size_t)8 * 1024)

struct leat_arena_block {
    struct leat_arena_block *next;
    size_t used, cap;
    alignas(max_align_t) uint8_t data[];
};

void leat_arena_init(struct leat_arena *a, size_t max)
{
    *a = (struct leat_arena){.max = max};
}

void leat_arena_done(struct leat_arena *a)
{
    while (a->blocks != NULL) {
        struct leat_arena_block *next = a->blocks->next;
        leat_free(a->blocks);
        a->blocks = next;
    }
    a->used = 0;
}

static struct leat_arena_block *block_with(struct leat_arena *a, size_t size)
{
    struct leat_arena_block *b = a->blocks;
    size_t cap = size > BLOCK ? size : BLOCK;

    if (b != NULL && b->cap - b->used >= size)
        return b;
    b = leat_try(sizeof *b + cap);
    if (b == NULL)
        return NULL;
    *b = (struct leat_arena_block){.next = a->blocks, .cap = cap};
    a->blocks = b;
    return b;
}

void *leat_arena_take(struct leat_arena *a, size_t size)
{
    struct leat_arena_block *b;
    void *p;

    if (size > a->max || a->used > a->max - size || size > SIZE_MAX / 2)
        return NULL;
    size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    b = block_with(a, size);
    if (b == NULL)
        return NULL;
    p = b->data + b->used;
    b->used += size;
    a->used += size;
    return memset(p, 0, size);
}

char *leat_arena_str(struct leat_arena *a, struct leat_bytes text)
{
    char *copy = text.len < SIZE_MAX ? leat_arena_take(a, text.len + 1) : NULL;

    if (copy != NULL && text.len != 0)
        memcpy(copy, text.data, text.len);
    return copy;
}
