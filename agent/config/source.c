/* Where configuration text comes from. */
#include "config/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "config/expand.h"
#include "config/tree.h"

#define NAME_SHOWN 40 /* characters of a "yaml:…" source in messages */

static int read_all(int fd, const char *path, struct leat_text *out, struct leat_err *err)
{
    char block[8192];
    ssize_t n;

    while ((n = read(fd, block, sizeof block)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return leat_fail(err, "cannot read '%s': %s", path, strerror(errno));
        if (out->len + (size_t)n > LEAT_TREE_SOURCE)
            return leat_fail(err, "'%s' is larger than 16 MiB", path);
        leat_text_add(out, block, (size_t)n);
    }
    if (!leat_text_ok(out))
        return leat_fail(err, "cannot read '%s': no memory", path);
    return 0;
}

static void drop_mark(struct leat_text *t)
{
    if (t->len >= 3 && memcmp(t->data, "\xef\xbb\xbf", 3) == 0) {
        t->len -= 3;
        memmove(t->data, t->data + 3, t->len + 1);
    }
}

int leat_source_file(const char *path, struct leat_text *out, struct leat_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), result;
    struct stat st;

    if (fd < 0)
        return leat_fail(err, "cannot open '%s': %s", path, strerror(errno));
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
        result = leat_fail(err, "'%s' is a directory, a file is needed", path);
    else
        result = read_all(fd, path, out, err);
    close(fd);
    drop_mark(out);
    return result;
}

static int from_env(const char *name, struct leat_text *out, struct leat_err *err)
{
    const char *value;

    if (!leat_env_name_ok(name, strlen(name)))
        return leat_fail(err, "'%s' is no name of an environment variable", name);
    value = getenv(name);
    if (value == NULL)
        return leat_fail(err, "the environment variable '%s' is not set", name);
    leat_text_str(out, value);
    drop_mark(out);
    return 0;
}

/* Two letters or more and ":", as URI schemes are: one letter is a path. */
static size_t scheme_length(const char *uri)
{
    size_t n = strspn(uri, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-");

    return n >= 2 && uri[n] == ':' && (uri[0] | 32) >= 'a' && (uri[0] | 32) <= 'z' ? n : 0;
}

static char *short_name(const char *uri)
{
    size_t len = strcspn(uri, "\r\n");

    if (len <= NAME_SHOWN && uri[len] == '\0')
        return leat_strdup(uri);
    len = len > NAME_SHOWN ? NAME_SHOWN : len;
    while (len > 0 && ((unsigned char)uri[len] & 0xc0) == 0x80)
        len--;
    return leat_format("%.*s\xe2\x80\xa6", (int)len, uri);
}

int leat_source_read(const char *uri, struct leat_text *out, char **ret_name, struct leat_err *err)
{
    size_t scheme = scheme_length(uri);

    *ret_name = short_name(uri);
    if (scheme == 0 || strncmp(uri, "file:", 5) == 0) {
        leat_free(*ret_name);
        *ret_name = leat_strdup(scheme == 0 ? uri : uri + 5);
        return leat_source_file(*ret_name, out, err);
    }
    if (strncmp(uri, "env:", 4) == 0)
        return from_env(uri + 4, out, err);
    if (strncmp(uri, "yaml:", 5) == 0) {
        leat_text_str(out, uri + 5);
        drop_mark(out);
        return 0;
    }
    if (strncmp(uri, "http:", 5) == 0 || strncmp(uri, "https:", 6) == 0)
        return leat_fail(err,
                         "Leat does not fetch configuration over the network; fetch '%s' "
                         "before the start and name the file",
                         uri);
    return leat_fail(err, "'%.*s:' is no source of configuration; known are file:, env: and yaml:",
                     (int)scheme, uri);
}
