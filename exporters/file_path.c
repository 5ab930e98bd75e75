/* Paths of files whose names come from a peer: never outside the folder that the settings name. */
#include "exporters/file_path.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

#define SHOWN 60 /* bytes of a value in a message */

/* `path` without empty, "." and, where something is before them, ".." parts; in place. ".." at the
 * top of an absolute path is nothing. */
static void clean(char *path)
{
    bool root = path[0] == '/';
    char *start = path + root, *out = start, *in = start;
    char *kept = start; /* before it: ".." parts that stay */

    while (*in != '\0') {
        size_t len = strcspn(in, "/");

        if (len == 2 && in[0] == '.' && in[1] == '.' && (root || out > kept)) {
            while (out > kept && *--out != '/')
                ;
        } else if (len > 0 && !(len == 1 && in[0] == '.')) {
            bool up = len == 2 && in[0] == '.' && in[1] == '.';
            if (out > start)
                *out++ = '/';
            memmove(out, in, len);
            out += len;
            if (up)
                kept = out;
        }
        in += len;
        while (*in == '/')
            in++;
    }
    *out = '\0';
}

/* How many ".." a clean path begins with: elsewhere it has none. */
static size_t ups(const char *path)
{
    size_t n = 0;

    while (strncmp(path, "..", 2) == 0 && (path[2] == '/' || path[2] == '\0')) {
        n++;
        path += path[2] == '/' ? 3 : 2;
    }
    return n;
}

/* The folder of `text` (all of it up to its last slash) is cleaned, what follows stays. NULL: no
 * memory. */
static char *clean_prefix(const char *text, size_t len)
{
    const char *slash = memrchr(text, '/', len);
    size_t folder = slash != NULL ? (size_t)(slash - text) + 1 : 0;
    char *dir = leat_try_format("%.*s", (int)folder, text), *prefix;

    if (dir == NULL)
        return NULL;
    clean(dir);
    prefix = leat_try_format("%s%s%.*s", dir, dir[0] != '\0' && strcmp(dir, "/") != 0 ? "/" : "",
                             (int)(len - folder), text + folder);
    leat_free(dir);
    if (prefix == NULL || prefix[0] != '\0')
        return prefix;
    leat_free(prefix);
    /* "" would make an absolute path of a value that begins with a slash */
    return leat_try_strdup("./");
}

static int check_value(struct leat_bytes value, size_t rest, struct leat_err *err)
{
    int shown = (int)(value.len < SHOWN ? value.len : SHOWN);

    if (value.len != 0 && memchr(value.data, '\0', value.len) != NULL)
        return leat_fail(err, "no file can be named after '%.*s': the value has a NUL byte", shown,
                         (const char *)value.data);
    if (value.len >= PATH_MAX || value.len + rest >= PATH_MAX)
        return leat_fail(err, "no file can be named after '%.*s...': a path of %zu bytes: %s",
                         shown, (const char *)value.data, value.len + rest, strerror(ENAMETOOLONG));
    return 0;
}

/* Every part of the path fits into a name; so no file of a request is written before the last one
 * turns out to be impossible. */
static int check_parts(const char *path, struct leat_err *err)
{
    for (const char *at = path; *at != '\0'; at += *at == '/') {
        size_t len = strcspn(at, "/");

        if (len > NAME_MAX)
            return leat_fail(err, "no file can be named '%.*s...': a name of %zu bytes: %s", SHOWN,
                             at, len, strerror(ENAMETOOLONG));
        at += len;
    }
    return 0;
}

/* Prefix, value and what follows, as one clean path that is not above the prefix. NULL: no memory.
 */
static char *join(const char *prefix, struct leat_bytes value, const char *rest)
{
    char *path = leat_try_format("%s%.*s%s", prefix, LEAT_FMT(value), rest), *below;

    if (path == NULL)
        return NULL;
    clean(path);
    if (strncmp(path, prefix, strlen(prefix)) == 0 && ups(path) == ups(prefix))
        return path;
    leat_free(path);
    below = leat_try_format("/%.*s%s", LEAT_FMT(value), rest);
    if (below == NULL)
        return NULL;
    clean(below);
    path = leat_try_format("%s%s", prefix, below);
    leat_free(below);
    if (path != NULL)
        clean(path);
    return path;
}

char *leat_file_path(const char *pattern, struct leat_bytes value, struct leat_err *err)
{
    const char *star = strchr(pattern, '*');
    char *prefix, *path;

    if (check_value(value, strlen(pattern) + 1, err) < 0) {
        errno = EINVAL;
        return NULL;
    }
    if (value.len >= 2 && memcmp(value.data, "./", 2) == 0)
        value = leat_bytes(value.data + 1, value.len - 1);
    else if (value.len >= 3 && memcmp(value.data, "../", 3) == 0)
        value = leat_bytes(value.data + 2, value.len - 2);
    prefix = clean_prefix(pattern, (size_t)(star - pattern));
    path = prefix != NULL ? join(prefix, value, star + 1) : NULL;
    leat_free(prefix);
    if (path == NULL) {
        leat_fail(err, "no memory for the name of a file");
        errno = ENOMEM;
        return NULL;
    }
    if (check_parts(path, err) == 0)
        return path;
    leat_free(path);
    errno = EINVAL;
    return NULL;
}

int leat_file_folders(const char *path_, mode_t mode, struct leat_err *err)
{
    char *path = leat_try_strdup(path_);
    int result = 0;

    if (path == NULL)
        return leat_fail(err, "cannot make the folders of %s: no memory", path_);
    for (char *slash = path[0] != '\0' ? strchr(path + 1, '/') : NULL; slash != NULL && result == 0;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, mode) != 0 && errno != EEXIST)
            result = leat_fail(err, "cannot make the folder %s: %s", path, strerror(errno));
        *slash = '/';
    }
    leat_free(path);
    return result;
}
