/* Preloaded into the program by a test (LD_PRELOAD): counts allocations, of the program's own and
 * of every library it uses, and fails those that the test asks for. */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FRAMES_MAX 24

/* The file named by LEAT_FAIL_ALLOC, mapped by the test too (tests/e2e/no_memory.py). Only `count`
 * and `failed` are written here. Beside it, FILE.trace says where each failed allocation was. */
struct control {
    _Atomic uint64_t armed; /* 1: allocations count */
    _Atomic uint64_t first; /* the n-th one fails; 0: none */
    _Atomic uint64_t times; /* and this many from there on */
    _Atomic uint64_t every; /* and every n-th one; 0: none */
    _Atomic uint64_t count;
    _Atomic uint64_t failed;
};

static struct control *control;
static int trace = -1;
static _Thread_local int
    inside; /* an allocation of the C library's own within one that was counted */

/* The next library's function: the sanitizer's where there is one, else the C library's. */
static void *next(const char *name)
{
    inside++;
    void *found = dlsym(RTLD_NEXT, name);
    inside--;
    return found;
}

#define NEXT(name)                                                                                 \
    static __typeof__(name) *real;                                                                 \
    if (real == NULL)                                                                              \
    *(void **)&real = next(#name)

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("LEAT_FAIL_ALLOC");
    void *frames[1];
    char name[4096];
    int fd;

    if (path == NULL || (fd = open(path, O_RDWR | O_CLOEXEC)) < 0)
        return;
    backtrace(frames, 1); /* loads what it needs now, not inside a failing allocation */
    snprintf(name, sizeof name, "%s.trace", path);
    trace = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    control = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (control == MAP_FAILED)
        control = NULL;
    close(fd);
}

static int asked_for(uint64_t n)
{
    uint64_t first = atomic_load(&control->first), every = atomic_load(&control->every);

    return (first != 0 && n >= first && n - first < atomic_load(&control->times)) ||
           (every != 0 && n % every == 0);
}

static int fails_now(void)
{
    void *frames[FRAMES_MAX];
    int n;

    if (control == NULL || inside > 0 || !atomic_load(&control->armed))
        return 0;
    if (!asked_for(atomic_fetch_add(&control->count, 1) + 1))
        return 0;
    inside++;
    n = backtrace(frames, FRAMES_MAX);
    if (n > 2) {
        backtrace_symbols_fd(frames + 2, n - 2, trace);
        (void)!write(trace, "\n", 1);
    }
    inside--;
    atomic_fetch_add(&control->failed, 1);
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size)
{
    NEXT(malloc);
    return real == NULL || fails_now() ? NULL : real(size);
}

void *calloc(size_t count, size_t size)
{
    NEXT(calloc);
    return real == NULL || fails_now() ? NULL : real(count, size);
}

void *realloc(void *old, size_t size)
{
    NEXT(realloc);
    return real == NULL || fails_now() ? NULL : real(old, size);
}

void *reallocarray(void *old, size_t count, size_t size)
{
    NEXT(reallocarray);
    return real == NULL || fails_now() ? NULL : real(old, count, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    NEXT(aligned_alloc);
    return real == NULL || fails_now() ? NULL : real(alignment, size);
}

int posix_memalign(void **ret, size_t alignment, size_t size)
{
    NEXT(posix_memalign);
    return real == NULL || fails_now() ? ENOMEM : real(ret, alignment, size);
}

/* The sanitizer's copies allocate without asking malloc(). */
static void *copied(const char *text, size_t most, char *(*real)(const char *),
                    char *(*realn)(const char *, size_t))
{
    void *copy;

    if (fails_now())
        return NULL;
    inside++;
    copy = real != NULL ? real(text) : realn(text, most);
    inside--;
    return copy;
}

#undef strdup
char *strdup(const char *text)
{
    NEXT(strdup);
    return copied(text, 0, real, NULL);
}

#undef strndup
char *strndup(const char *text, size_t most)
{
    NEXT(strndup);
    return copied(text, most, NULL, real);
}

/* C++'s operator new is left alone: failing, it throws through C, which ends the process.
 * (libsnappy is the only library in C++; what it takes is tried for before it is called.) */
void *_Znwm(size_t size);
void *_Znwm(size_t size)
{
    static void *(*real)(size_t);
    void *made;

    if (real == NULL)
        *(void **)&real = next("_Znwm");
    inside++;
    made = real(size);
    inside--;
    return made;
}
