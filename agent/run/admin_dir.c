/* The folders in which running programs leave their admin sockets. */
#include "run/admin_dir.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define PRIVATE_DIR 0700

void leat_admin_dirs_init(struct leat_admin_dirs *d)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");

    *d = (struct leat_admin_dirs){.n = 0};
    if (runtime != NULL && runtime[0] == '/')
        d->paths[d->n++] = leat_format("%s/leat", runtime);
    d->paths[d->n++] = leat_strdup("/run/leat");
    d->paths[d->n++] = leat_format("/tmp/leat-%lu", (unsigned long)geteuid());
}

void leat_admin_dirs_done(struct leat_admin_dirs *d)
{
    while (d->n > 0)
        leat_free(d->paths[--d->n]);
}

/* What is wrong with the folder that `st` describes. */
static int check(const char *path, const struct stat *st, bool or_root, struct leat_err *err)
{
    if (S_ISLNK(st->st_mode))
        return leat_fail(err, "%s is a symbolic link: nothing in it is trusted", path);
    if (!S_ISDIR(st->st_mode))
        return leat_fail(err, "%s is no folder", path);
    if (st->st_uid != geteuid() && !(or_root && st->st_uid == 0))
        return leat_fail(err, "%s belongs to another user (uid %lu)", path,
                         (unsigned long)st->st_uid);
    if ((st->st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return leat_fail(err, "others may write in %s (mode %04o): it should be 0700", path,
                         (unsigned)st->st_mode & 07777);
    return 0;
}

int leat_admin_dir_make(const char *path, struct leat_err *err)
{
    struct stat st;

    if (mkdir(path, PRIVATE_DIR) != 0 && errno != EEXIST)
        return leat_fail(err, "cannot make %s: %s", path, strerror(errno));
    if (lstat(path, &st) != 0)
        return leat_fail(err, "cannot look at %s: %s", path, strerror(errno));
    if (check(path, &st, false, err) < 0)
        return -1;
    return access(path, W_OK) == 0
               ? 0
               : leat_fail(err, "cannot write in %s: %s", path, strerror(errno));
}

int leat_admin_dir_check(const char *path, bool *ret_missing, struct leat_err *err)
{
    struct stat st;
    bool found = lstat(path, &st) == 0;

    *ret_missing = !found && (errno == ENOENT || errno == ENOTDIR);
    if (!found)
        return leat_fail(err, "cannot look at %s: %s", path, strerror(errno));
    return check(path, &st, true, err);
}

char *leat_admin_dir_path(const struct leat_admin_dirs *d, pid_t pid, struct leat_err *err)
{
    for (size_t i = 0; i < d->n; i++) {
        if (leat_admin_dir_make(d->paths[i], err) == 0)
            return leat_format("%s/%ld.sock", d->paths[i], (long)pid);
    }
    return NULL;
}

pid_t leat_admin_dir_pid(const char *name)
{
    long pid;
    char *end;

    if (name[0] < '1' || name[0] > '9')
        return 0;
    errno = 0;
    pid = strtol(name, &end, 10);
    if (errno != 0 || pid > INT_MAX || strcmp(end, ".sock") != 0)
        return 0;
    return (pid_t)pid;
}
