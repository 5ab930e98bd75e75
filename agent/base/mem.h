/* All memory of the process comes from here, in two kinds.
 *
 * Settings, instances and tables: leat_new() and friends never return NULL; when there is no memory
 * they end the process with a sentence. Data (bodies, batches, calls): leat_try() and friends
 * return NULL and the caller refuses the data with "retry". Tests make the n-th leat_try() fail and
 * count them. */
#ifndef LEAT_BASE_MEM_H
#define LEAT_BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

/* At the start of the program, before threads: how the C library keeps freed memory. Bodies come
 * and go by the hundred kilobytes; handed back to the kernel each time, they cost a page fault per
 * 4 KiB. What is kept is bounded by what the byte budget has let in; leat_mem_return() hands it
 * back. */
void leat_mem_setup(void);
size_t leat_mem_resident(void); /* bytes of the process in memory; 0: the kernel does not say */
size_t leat_mem_live(void); /* bytes allocated and not freed. Walks lists: not for each request */
/* Gives the pages of freed memory back to the kernel. Takes about 0.1 ms for each MiB, during which
 * others may wait for memory. */
void leat_mem_return(void);

void *leat_new(size_t size);                     /* zeroed */
void *leat_new_array(size_t count, size_t size); /* zeroed; aborts when count * size overflows */
void *leat_renew(void *old, size_t size);        /* grows or shrinks; new bytes are not zeroed */
/* The same for a large table of which little may ever be used: whole pages, which are in memory
 * from the first time they are written. Freed with the size it was made with; takes NULL. */
void *leat_new_pages(size_t size);
void leat_free_pages(void *memory, size_t size);
char *leat_strdup(const char *text);
char *leat_strndup(const char *text, size_t len);
char *leat_format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Ends the process as leat_new() does: for what is made of leat_try() and may not fail after all.
 */
_Noreturn void leat_out_of_memory(size_t size);

void *leat_try(size_t size);                   /* not zeroed; NULL: no memory */
void *leat_try_zeroed(size_t size);            /* NULL: no memory */
void *leat_try_resize(void *old, size_t size); /* NULL: no memory, and `old` stays as it was */
char *leat_try_strdup(const char *text);       /* NULL: no memory */
char *leat_try_format(const char *fmt, ...)    /* NULL: no memory */
    __attribute__((format(printf, 1, 2)));

/* Whole pages, not zeroed; NULL: no memory. For a block that is mostly never touched, or rests for
 * long: pages nobody has touched cost nothing. */
void *leat_try_pages(size_t size);
/* Zeroed, for a table that is replaced as it grows: a large one has pages of its own, so that it
 * leaves no hole. NULL: no memory. `size` must be the same when it is freed. */
void *leat_try_table(size_t size);
void leat_free_table(void *table, size_t size); /* takes NULL */
/* Gives the pages' memory back to the kernel until they are touched again: their bytes read as
 * zero from here on. `size` as it was asked for. */
void leat_pages_rest(void *pages, size_t size);

void leat_free(void *memory); /* takes NULL */

/* For tests. The n-th leat_try() of this thread from now on fails (1 = the next one); 0 switches
 * that off. */
void leat_mem_fail_at(uint64_t nth);
/* For tests: how many leat_try() calls this thread has made. */
uint64_t leat_mem_tries(void);

#endif
