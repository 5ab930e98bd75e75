/* The only place that calls malloc. */
#include "base/mem.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define KEEP_FREE (128 * 1024 * 1024) /* bytes at the top of an arena */
#define OWN_MAPPING                                                                                \
    (32 * 1024 * 1024) /* blocks from this size on are mapped, and unmapped when freed */

#define LARGE_TABLE ((size_t)256 * 1024) /* bytes from which on a table is mapped */

static _Thread_local uint64_t tries;
static _Thread_local uint64_t fail_at;

_Noreturn void leat_out_of_memory(size_t size)
{
    fprintf(stderr, "leat: out of memory (%zu bytes for the program's own tables)\n", size);
    abort();
}

void leat_mem_setup(void)
{
    mallopt(M_TRIM_THRESHOLD, KEEP_FREE);
    mallopt(M_MMAP_THRESHOLD, OWN_MAPPING);
}

size_t leat_mem_resident(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    unsigned long pages = 0;

    if (f == NULL)
        return 0;
    if (fscanf(f, "%*u %lu", &pages) != 1)
        pages = 0;
    fclose(f);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

size_t leat_mem_live(void)
{
    struct mallinfo2 m = mallinfo2();

    return m.uordblks + m.hblkhd;
}

void leat_mem_return(void)
{
    malloc_trim(0);
}

void *leat_new(size_t size)
{
    return leat_new_array(1, size);
}

void *leat_new_array(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size ? size : 1);

    if (p == NULL)
        leat_out_of_memory(count * size);
    return p;
}

void *leat_renew(void *old, size_t size)
{
    void *p = realloc(old, size ? size : 1);

    if (p == NULL)
        leat_out_of_memory(size);
    return p;
}

void *leat_new_pages(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        leat_out_of_memory(size);
    return p;
}

void leat_free_pages(void *memory, size_t size)
{
    if (memory != NULL)
        munmap(memory, size);
}

char *leat_strndup(const char *text, size_t len)
{
    char *copy = leat_new(len + 1);

    memcpy(copy, text, len);
    return copy;
}

char *leat_strdup(const char *text)
{
    return leat_strndup(text, strlen(text));
}

/* NULL: `take` gave no memory. */
__attribute__((format(printf, 2, 0))) static char *format(void *(*take)(size_t size),
                                                          const char *fmt, va_list ap)
{
    va_list again;
    char *text;
    int len;

    va_copy(again, ap);
    len = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    text = take((size_t)(len < 0 ? 0 : len) + 1);
    if (text != NULL && vsnprintf(text, (size_t)(len < 0 ? 0 : len) + 1, fmt, ap) < 0)
        text[0] = '\0';
    return text;
}

char *leat_format(const char *fmt, ...)
{
    va_list ap;
    char *text;

    va_start(ap, fmt);
    text = format(leat_new, fmt, ap);
    va_end(ap);
    return text;
}

static int may_fail_now(void)
{
    tries++;
    return fail_at != 0 && --fail_at == 0;
}

void *leat_try(size_t size)
{
    return may_fail_now() ? NULL : malloc(size ? size : 1);
}

void *leat_try_zeroed(size_t size)
{
    return may_fail_now() ? NULL : calloc(1, size ? size : 1);
}

void *leat_try_resize(void *old, size_t size)
{
    return may_fail_now() ? NULL : realloc(old, size ? size : 1);
}

char *leat_try_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = leat_try(size);

    return copy != NULL ? memcpy(copy, text, size) : NULL;
}

char *leat_try_format(const char *fmt, ...)
{
    va_list ap;
    char *text;

    va_start(ap, fmt);
    text = format(leat_try, fmt, ap);
    va_end(ap);
    return text;
}

static size_t whole_pages(size_t size, size_t page)
{
    return (size + page - 1) / page * page;
}

void *leat_try_pages(size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    if (may_fail_now() || size > SIZE_MAX / 2)
        return NULL;
    return aligned_alloc(page, whole_pages(size ? size : 1, page));
}

void *leat_try_table(size_t size)
{
    void *p;

    if (size < LARGE_TABLE)
        return leat_try_zeroed(size);
    if (may_fail_now() || size > SIZE_MAX / 2)
        return NULL;
    p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

void leat_free_table(void *table, size_t size)
{
    if (size < LARGE_TABLE)
        leat_free(table);
    else
        leat_free_pages(table, size);
}

void leat_pages_rest(void *pages, size_t size)
{
    madvise(pages, whole_pages(size, (size_t)sysconf(_SC_PAGESIZE)), MADV_DONTNEED);
}

void leat_free(void *memory)
{
    free(memory);
}

void leat_mem_fail_at(uint64_t nth)
{
    fail_at = nth;
}

uint64_t leat_mem_tries(void)
{
    return tries;
}
