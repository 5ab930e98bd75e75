/* A made-up root for /proc and /sys. */
#include "lib/path_root.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/check.h"
#include "run/limits.h"

int path_root_setup(void **state)
{
    struct path_root *r = calloc(1, sizeof *r);

    snprintf(r->folder, sizeof r->folder, "/tmp/leat-root-XXXXXX");
    LEAT_CHECK(mkdtemp(r->folder) != NULL);
    leat_limits_root(r->folder);
    *state = r;
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

int path_root_teardown(void **state)
{
    struct path_root *r = *state;

    leat_limits_root("");
    nftw(r->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(r);
    return 0;
}

void path_root_write(struct path_root *r, const char *path, const char *text)
{
    char full[512];
    FILE *f;

    snprintf(full, sizeof full, "%s%s", r->folder, path);
    for (char *slash = strchr(full + strlen(r->folder) + 1, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(full, 0755);
        *slash = '/';
    }
    f = fopen(full, "w");
    LEAT_CHECK(f != NULL);
    fputs(text, f);
    fclose(f);
}
