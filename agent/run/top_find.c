/* Which programs are running. */
#include "run/top_find.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"

#define LOOKED_MAX ((size_t)8 * 1024)

/* 0: somebody listens; else why not. Does not wait: a full queue is somebody too. */
static int knock(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd, error = 0;

    if (strlen(path) >= sizeof addr.sun_path)
        return ENAMETOOLONG;
    memcpy(addr.sun_path, path, strlen(path));
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    if (connect(fd, (const struct sockaddr *)&addr, sizeof addr) != 0 && errno != EAGAIN)
        error = errno;
    close(fd);
    return error;
}

static bool is_gone(pid_t pid)
{
    return kill(pid, 0) != 0 && errno == ESRCH;
}

static void look_at(struct leat_top_finds *f, const char *path, pid_t pid)
{
    struct stat st;
    int error;

    if (lstat(path, &st) != 0 || !S_ISSOCK(st.st_mode) ||
        (st.st_uid != geteuid() && st.st_uid != 0))
        return;
    error = knock(path);
    if (error == 0 && f->n < LEAT_TOP_FOUND_MAX)
        f->items[f->n++] = (struct leat_top_found){leat_strdup(path), pid};
    else if (error == ECONNREFUSED && st.st_uid == geteuid() && is_gone(pid))
        unlink(path);
    else if (error == EACCES)
        leat_text_printf(&f->looked, "; %s belongs to another user", path);
}

/* The folder's name, and in brackets why it was of no use. */
static void note_folder(struct leat_top_finds *f, const char *path, const char *why)
{
    leat_text_printf(&f->looked, "%s%s", f->looked.len > 0 ? ", " : "", path);
    if (why != NULL)
        leat_text_printf(&f->looked, " (%s)", why);
}

static void look_in(struct leat_top_finds *f, const char *folder, pid_t only)
{
    struct leat_err err;
    bool missing;
    struct dirent *entry;
    DIR *d;

    if (leat_admin_dir_check(folder, &missing, &err) < 0) {
        note_folder(f, folder, missing ? NULL : err.text);
        return;
    }
    d = opendir(folder);
    note_folder(f, folder, d == NULL ? strerror(errno) : NULL);
    while (d != NULL && (entry = readdir(d)) != NULL) {
        pid_t pid = leat_admin_dir_pid(entry->d_name);
        char *path;
        if (pid == 0 || (only != 0 && pid != only))
            continue;
        path = leat_format("%s/%s", folder, entry->d_name);
        look_at(f, path, pid);
        leat_free(path);
    }
    if (d != NULL)
        closedir(d);
}

void leat_top_find(struct leat_top_finds *f, const struct leat_admin_dirs *dirs, pid_t pid)
{
    f->n = 0;
    leat_text_init(&f->looked, LOOKED_MAX);
    for (size_t i = 0; i < dirs->n; i++)
        look_in(f, dirs->paths[i], pid);
}

void leat_top_finds_done(struct leat_top_finds *f)
{
    while (f->n > 0)
        leat_free(f->items[--f->n].path);
    leat_text_done(&f->looked);
}
