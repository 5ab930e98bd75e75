/* Which programs are running: their admin sockets in the folders of run/admin_dir.h. */
#ifndef LEAT_RUN_TOP_FIND_H
#define LEAT_RUN_TOP_FIND_H

#include "base/text.h"
#include "run/admin_dir.h"

#define LEAT_TOP_FOUND_MAX 100

struct leat_top_found {
    char *path;
    pid_t pid;
};

struct leat_top_finds {
    struct leat_top_found items[LEAT_TOP_FOUND_MAX];
    size_t n;
    struct leat_text
        looked; /* where, and what kept us from looking: "/run/leat (Permission denied)" */
};

/* Only sockets that are this user's or root's, in a folder that may be trusted, and on which
 * somebody listens. One of ours whose process is gone and that refuses connections is removed.
 * `pid`: only this one; 0: all. */
void leat_top_find(struct leat_top_finds *f, const struct leat_admin_dirs *dirs, pid_t pid);
void leat_top_finds_done(struct leat_top_finds *f);

#endif
