/* One file that records are written to: opening, rotation, closing. */
#include "exporters/file_out.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "flow/component.h"
#include "io/file.h"

/* --- rotation */

/* Splits "dir/name.ext"; *ret_dir_len with the slash, *ret_stem_len without the extension. */
static void split_path(const char *path, size_t *ret_dir_len, size_t *ret_stem_len)
{
    const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');

    *ret_dir_len = slash ? (size_t)(slash - path) + 1 : 0;
    *ret_stem_len = dot != NULL && dot > path + *ret_dir_len ? (size_t)(dot - path) : strlen(path);
}

static void backup_name(const struct leat_file_out *o, char *out, size_t size)
{
    int64_t now = leat_clock_wall();
    time_t seconds = (time_t)(now / LEAT_SEC);
    struct tm tm;
    char stamp[32];
    size_t dir, stem;

    split_path(o->path, &dir, &stem);
    if (o->rotation->localtime)
        localtime_r(&seconds, &tm);
    else
        gmtime_r(&seconds, &tm);
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H-%M-%S", &tm);
    snprintf(out, size, "%.*s-%s.%03d%s", (int)stem, o->path, stamp, (int)(now / LEAT_MS % 1000),
             o->path + stem);
}

struct backups {
    char **names;
    size_t count;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)b, *(char *const *)a); /* newest first: the stamp sorts */
}

static bool is_backup(const char *name, const char *path, size_t dir, size_t stem)
{
    size_t len = stem - dir, ext = strlen(path + stem), n = strlen(name);

    return n == len + 1 + strlen("2006-01-02T15-04-05.000") + ext &&
           strncmp(name, path + dir, len) == 0 && name[len] == '-' && name[len + 11] == 'T' &&
           strcmp(name + n - ext, path + stem) == 0;
}

static bool add_backup(struct backups *b, char *name)
{
    char **more = name != NULL ? leat_try_resize(b->names, (b->count + 1) * sizeof(char *)) : NULL;

    if (more == NULL) {
        leat_free(name);
        return false;
    }
    b->names = more;
    b->names[b->count++] = name;
    return true;
}

/* Without memory only some of them: then fewer are removed, and the rest with the next rotation. */
static struct backups list_backups(const char *path)
{
    struct backups found = {0};
    size_t dir, stem;
    struct dirent *d;
    char *folder;
    DIR *at;

    split_path(path, &dir, &stem);
    folder = dir ? leat_try_format("%.*s", (int)dir, path) : leat_try_strdup(".");
    at = folder != NULL ? opendir(folder) : NULL;
    while (at != NULL && (d = readdir(at)) != NULL) {
        if (is_backup(d->d_name, path, dir, stem) &&
            !add_backup(&found, leat_try_format("%.*s%s", (int)dir, path, d->d_name)))
            break;
    }
    if (at != NULL)
        closedir(at);
    leat_free(folder);
    if (found.count > 1)
        qsort(found.names, found.count, sizeof(char *), by_name);
    return found;
}

/* The day in a backup's name is older than max_days. */
static bool is_old(const struct leat_file_out *o, const char *name)
{
    struct tm tm = {0};
    size_t dir, stem;

    if (o->rotation->max_days == 0)
        return false;
    split_path(o->path, &dir, &stem);
    if (strptime(name + stem + 1, "%Y-%m-%dT%H-%M-%S", &tm) == NULL)
        return false;
    return (int64_t)(o->rotation->localtime ? mktime(&tm) : timegm(&tm)) <
           leat_clock_wall() / LEAT_SEC - (int64_t)o->rotation->max_days * 86400;
}

static void remove_old(const struct leat_file_out *o)
{
    struct backups found = list_backups(o->path);

    for (size_t i = 0; i < found.count; i++) {
        bool many = o->rotation->max_backups != 0 && i >= o->rotation->max_backups;
        if ((many || is_old(o, found.names[i])) && unlink(found.names[i]) != 0)
            leat_warn(o->env->id, "cannot remove the old file %s", found.names[i]);
        leat_free(found.names[i]);
    }
    leat_free(found.names);
}

static void rotated(void *arg, int result)
{
    struct leat_file_out *o = arg;

    if (o->env == NULL)
        return;
    if (result < 0)
        leat_error(o->env->id, "cannot begin a new file beside %s: %s", o->path, strerror(-result));
    else
        remove_old(o);
}

static void rotate_if_full(struct leat_file_out *o, size_t more)
{
    char name[4096];

    if (o->rotation == NULL || o->size == 0 ||
        o->size + more <= (uint64_t)o->rotation->max_megabytes << 20)
        return;
    backup_name(o, name, sizeof name);
    if (leat_file_rotate(o->file, name, rotated, o) == 0)
        o->size = 0;
    else
        leat_warn(o->env->id,
                  "no memory to begin a new file beside %s; the next record tries again", o->path);
}

/* --- life */

struct leat_file_out *leat_file_out_open(const struct leat_env *env, const char *path,
                                         const struct leat_file_out_rotation *rotation,
                                         bool truncate, struct leat_err *err)
{
    struct leat_file *file = leat_file_open(env->loop, path, truncate, err);
    struct leat_file_out *o;

    if (file == NULL)
        return NULL;
    o = leat_try_zeroed(sizeof *o);
    if (o == NULL || (o->path = leat_try_strdup(path)) == NULL) {
        leat_free(o);
        leat_file_close(file, NULL, NULL);
        leat_fail(err, "cannot open %s: no memory", path);
        return NULL;
    }
    o->env = env;
    o->rotation = rotation;
    o->file = file;
    o->size = leat_file_size(file);
    leat_list_init(&o->link);
    return o;
}

void leat_file_out_write(struct leat_file_out *o, struct leat_file_write *w)
{
    rotate_if_full(o, w->bytes.len);
    o->size += w->bytes.len;
    o->writing++;
    leat_file_write(o->file, w);
}

static void closed(void *arg)
{
    struct leat_file_out *o = arg;

    if (o->closed != NULL)
        o->closed(o);
    leat_free(o->path);
    leat_free(o);
}

void leat_file_out_close(struct leat_file_out *o, void (*on_closed)(struct leat_file_out *o))
{
    if (o == NULL)
        return;
    o->env = NULL;
    o->closed = on_closed;
    leat_file_close(o->file, closed, o);
}
