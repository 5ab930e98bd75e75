/* Files: read whole, appended to in order on libuv's pool, watched. */
#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/text.h"
#include "io/loop_uv.h"

#define READ_STEP ((size_t)64 * 1024)

/* --- the system, or what tests put in its place */

static struct leat_file_test_hooks hooks;

void leat_file_set_test_hooks(const struct leat_file_test_hooks *h)
{
    hooks = h ? *h : (struct leat_file_test_hooks){0};
}

static long sys_write(int fd, const void *data, size_t len)
{
    return hooks.write ? hooks.write(fd, data, len) : write(fd, data, len);
}

static int sys_truncate(int fd, int64_t len)
{
    return hooks.truncate ? hooks.truncate(fd, len) : ftruncate(fd, len);
}

static int sys_rename(const char *from, const char *to)
{
    return hooks.rename ? hooks.rename(from, to) : rename(from, to);
}

static int sys_open(const char *path, int flags, unsigned mode)
{
    return hooks.open ? hooks.open(path, flags, mode) : open(path, flags, mode);
}

/* --- reading whole */

static int read_all(int fd, const char *path, size_t max, struct leat_text *out,
                    struct leat_err *err)
{
    for (;;) {
        size_t room = max - out->len < READ_STEP ? max - out->len : READ_STEP;
        char beyond;
        ssize_t n;

        if (!leat_text_reserve(out, room))
            return leat_fail(err, "cannot read %s: no memory", path);
        n = room > 0 ? read(fd, out->data + out->len, room) : read(fd, &beyond, 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return leat_fail(err, "cannot read %s: %s", path, strerror(errno));
        if (n == 0) {
            if (out->data != NULL)
                out->data[out->len] = '\0';
            return 0;
        }
        if (room == 0)
            return leat_fail(err, "cannot read %s: it is larger than %zu bytes", path, max);
        out->len += (size_t)n;
    }
}

long leat_file_mode(const char *text)
{
    char *end;
    long mode = strtol(text, &end, 8);

    return text[0] >= '0' && text[0] <= '7' && *end == '\0' && mode <= 0777 ? mode : -1;
}

int leat_file_read(const char *path, size_t max, struct leat_text *out, struct leat_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), rc;

    leat_text_init(out, max);
    if (fd < 0)
        return leat_fail(err, "cannot read %s: %s", path, strerror(errno));
    rc = read_all(fd, path, max, out, err);
    close(fd);
    return rc;
}

/* --- appending */

struct rotation {
    char *new_name;
    void (*done)(void *arg, int result);
    void *arg;
};

/* What is done with the file, one after the other: a write is its owner's, a rotation ours. */
struct job {
    struct leat_file_write write; /* its link is the one in the queue */
    struct rotation rotation;
};

struct leat_file {
    struct leat_loop *loop;
    char *path;
    int fd;
    uint64_t size;          /* with what is queued */
    struct leat_link queue; /* of struct leat_file_write; the first is under way when `busy` */
    bool busy, closing;
    uv_work_t work;
    struct leat_file_write *now;
    int result;
    uint64_t written; /* by the work under way */
    struct leat_task task;
    void (*closed)(void *arg);
    void *arg;
};

static void next(struct leat_file *f);

/* A rotation stands in the queue as a write whose `done` is this function. */
static void rotation_done(struct leat_file_write *w, int result)
{
    struct job *j = LEAT_OWNER(w, struct job, write);
    struct rotation r = j->rotation;

    leat_free(j);
    leat_free(r.new_name);
    r.done(r.arg, result);
}

/* --- on the pool */

/* A torn write must not stay: the next one would be appended to half a record. */
static void cut_back(int fd, uint64_t written)
{
    struct stat st;

    if (written == 0 || fstat(fd, &st) != 0 || (uint64_t)st.st_size < written)
        return;
    if (sys_truncate(fd, (int64_t)((uint64_t)st.st_size - written)) != 0)
        return; /* the write's own error is told; a reader finds the torn end */
}

static int append(int fd, struct leat_bytes b, uint64_t *ret_written)
{
    size_t at = 0;

    while (at < b.len) {
        long n = sys_write(fd, b.data + at, b.len - at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            int error = n < 0 ? errno : EIO;

            cut_back(fd, at);
            *ret_written = 0;
            return -error;
        }
        at += (size_t)n;
    }
    *ret_written = at;
    return 0;
}

static int reopen(struct leat_file *f, const char *new_name)
{
    int fd, error;

    if (sys_rename(f->path, new_name) != 0)
        return -errno;
    fd = sys_open(f->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd >= 0) {
        close(f->fd);
        f->fd = fd;
        return 0;
    }
    error = errno;
    if (sys_rename(new_name, f->path) != 0)
        return -error; /* writes go on in the renamed file */
    return -error;
}

static void on_pool(uv_work_t *work)
{
    struct leat_file *f = work->data;

    f->written = 0;
    if (f->now->done == rotation_done)
        f->result = reopen(f, LEAT_OWNER(f->now, struct job, write)->rotation.new_name);
    else
        f->result = append(f->fd, f->now->bytes, &f->written);
}

/* --- on the loop */

static void after_pool(uv_work_t *work, int status)
{
    struct leat_file *f = work->data;
    struct leat_file_write *w = f->now;
    int result = status < 0 ? status : f->result;

    f->busy = false;
    f->now = NULL;
    if (w->done == rotation_done) {
        struct leat_link *l;

        if (result == 0)
            for (f->size = 0, l = f->queue.next; l != &f->queue; l = l->next)
                f->size += LEAT_OWNER(l, struct leat_file_write, link)->bytes.len;
    } else if (result != 0) {
        f->size -= w->bytes.len;
    }
    next(f);
    w->done(w, result); /* may close the file, which then ends at the end of the turn */
}

static void bury(struct leat_task *t)
{
    struct leat_file *f = LEAT_OWNER(t, struct leat_file, task);

    close(f->fd);
    leat_loop_release(f->loop);
    if (f->closed != NULL)
        f->closed(f->arg);
    leat_free(f->path);
    leat_free(f);
}

static void next(struct leat_file *f)
{
    struct leat_link *l;

    if (f->busy)
        return;
    l = leat_list_pop(&f->queue);
    if (l == NULL) {
        if (f->closing)
            leat_loop_defer(f->loop, &f->task);
        return;
    }
    f->busy = true;
    f->now = LEAT_OWNER(l, struct leat_file_write, link);
    f->work.data = f;
    LEAT_CHECK(uv_queue_work(leat_loop_uv(f->loop), &f->work, on_pool, after_pool) == 0);
}

struct leat_file *leat_file_open(struct leat_loop *l, const char *path, bool truncate,
                                 struct leat_err *err)
{
    int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (truncate ? O_TRUNC : 0);
    int fd = sys_open(path, flags, 0644);
    struct leat_file *f;
    struct stat st;

    if (fd < 0) {
        leat_fail(err, "cannot open %s for writing: %s", path, strerror(errno));
        return NULL;
    }
    f = leat_try_zeroed(sizeof *f);
    if (f == NULL || (f->path = leat_try_strdup(path)) == NULL) {
        leat_free(f);
        close(fd);
        leat_fail(err, "cannot open %s for writing: no memory", path);
        return NULL;
    }
    f->loop = l;
    f->fd = fd;
    f->size = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
    f->task.run = bury;
    leat_list_init(&f->queue);
    leat_loop_count_files(l, 1);
    return f;
}

uint64_t leat_file_size(const struct leat_file *f)
{
    return f->size;
}

static void enqueue(struct leat_file *f, struct leat_file_write *w)
{
    LEAT_CHECK(!f->closing);
    leat_list_append(&f->queue, &w->link);
    f->size += w->bytes.len;
    next(f);
}

void leat_file_write(struct leat_file *f, struct leat_file_write *w)
{
    enqueue(f, w);
}

int leat_file_rotate(struct leat_file *f, const char *new_name, void (*done)(void *arg, int result),
                     void *arg)
{
    struct job *j = leat_try_zeroed(sizeof *j);
    char *name = leat_try_strdup(new_name);

    if (j == NULL || name == NULL) {
        leat_free(j);
        leat_free(name);
        return -1;
    }
    j->write.done = rotation_done;
    j->rotation = (struct rotation){name, done, arg};
    enqueue(f, &j->write);
    return 0;
}

void leat_file_close(struct leat_file *f, void (*closed)(void *arg), void *arg)
{
    if (f == NULL) {
        if (closed != NULL)
            closed(arg);
        return;
    }
    LEAT_CHECK(!f->closing);
    f->closing = true;
    leat_loop_count_files(f->loop, -1);
    leat_loop_hold(f->loop); /* until it is buried */
    f->closed = closed;
    f->arg = arg;
    next(f);
}

/* --- watching */

struct leat_watch {
    char *path;
    struct leat_timer *timer;
    bool (*changed)(void *arg);
    bool again; /* it could not be read */
    void *arg;
    struct stat seen; /* zeroes: no such file */
};

static void look(const char *path, struct stat *st)
{
    if (stat(path, st) != 0)
        memset(st, 0, sizeof *st);
}

static bool same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static void on_look(void *arg)
{
    struct leat_watch *w = arg;
    struct stat now;

    look(w->path, &now);
    if (same(&now, &w->seen) && !w->again)
        return;
    w->seen = now;
    w->again = !w->changed(w->arg);
}

struct leat_watch *leat_watch_new(struct leat_loop *l, const char *path, int64_t every,
                                  bool (*changed)(void *arg), void *arg)
{
    struct leat_watch *w = leat_new(sizeof *w);

    w->path = leat_strdup(path);
    w->changed = changed;
    w->arg = arg;
    w->timer = leat_timer_new(l, on_look, w);
    leat_timer_background(w->timer);
    look(path, &w->seen);
    leat_timer_start(w->timer, every, every);
    return w;
}

void leat_watch_free(struct leat_watch *w)
{
    if (w == NULL)
        return;
    leat_timer_free(w->timer);
    leat_free(w->path);
    leat_free(w);
}
