/* The memory of nghttp2 sessions. */
#include "io/h2_memory.h"

#include <string.h>

#include "base/mem.h"

/* Blocks from this size on get pages of their own. nghttp2 1.52 makes a buffer for frames of 16,394
 * bytes, of which header blocks touch the first hundreds, and a table of streams of 4,096. */
#define LARGE 4096

static _Thread_local uint64_t tries;

static void *mem_malloc(size_t size, void *arg)
{
    (void)arg;
    tries++;
    return leat_try(size);
}

static void *mem_calloc(size_t count, size_t size, void *arg)
{
    struct leat_h2_memory *m = arg;
    void *p;

    if (size != 0 && count > SIZE_MAX / size)
        return NULL;
    tries++;
    if (m == NULL || count * size < LARGE)
        return leat_try_zeroed(count * size);
    p = leat_try_pages(count * size);
    if (p == NULL)
        return NULL;
    m->table = p;
    m->table_size = count * size;
    return memset(p, 0, count * size);
}

static void forget(struct leat_h2_memory *m, const void *p)
{
    if (m == NULL || p == NULL)
        return;
    if (m->frames == p)
        m->frames = NULL;
    if (m->table == p)
        m->table = NULL;
}

static void *mem_realloc(void *old, size_t size, void *arg)
{
    struct leat_h2_memory *m = arg;
    void *p;

    tries++;
    if (m != NULL && m->making && old == NULL && size >= LARGE) {
        m->frames_size = size;
        return m->frames = leat_try_pages(size);
    }
    p = leat_try_resize(old, size);
    if (p != NULL)
        forget(m, old);
    return p;
}

static void mem_free(void *p, void *arg)
{
    forget(arg, p);
    leat_free(p);
}

nghttp2_mem *leat_h2_mem(void)
{
    static nghttp2_mem mem = {NULL, mem_malloc, mem_free, mem_calloc, mem_realloc};

    return &mem;
}

uint64_t leat_h2_tries(void)
{
    return tries;
}

nghttp2_mem *leat_h2_memory_init(struct leat_h2_memory *m)
{
    *m = (struct leat_h2_memory){.mem = *leat_h2_mem(), .making = true};
    m->mem.mem_user_data = m;
    return &m->mem;
}

void leat_h2_memory_made(struct leat_h2_memory *m)
{
    m->making = false;
}

static bool all_zero(const uint8_t *p, size_t size)
{
    return size == 0 || (p[0] == 0 && memcmp(p, p + 1, size - 1) == 0);
}

void leat_h2_memory_rest(struct leat_h2_memory *m)
{
    if (m->frames != NULL)
        leat_pages_rest(m->frames, m->frames_size);
    /* What nghttp2 keeps in its tables is its own affair: only zeroes are given for zeroes. */
    if (m->table != NULL && all_zero(m->table, m->table_size))
        leat_pages_rest(m->table, m->table_size);
}
