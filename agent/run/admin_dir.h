/* The folders in which running programs leave their admin sockets, PID.sock, for `leat top` to
 * find: $XDG_RUNTIME_DIR/leat, /run/leat, /tmp/leat-UID, in this order. */
#ifndef LEAT_RUN_ADMIN_DIR_H
#define LEAT_RUN_ADMIN_DIR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

#define LEAT_ADMIN_DIRS 3

struct leat_admin_dirs {
    char *paths[LEAT_ADMIN_DIRS];
    size_t n;
};

/* The folders of this user and environment, whether they are there or not. A $XDG_RUNTIME_DIR that
 * is not absolute does not count (XDG base directory specification). */
void leat_admin_dirs_init(struct leat_admin_dirs *d);
void leat_admin_dirs_done(struct leat_admin_dirs *d);

/* Makes the folder (0700) where it is missing. -1 and `err`: it cannot be made, is not ours, is no
 * folder but a link or a file, or others may write in it. */
int leat_admin_dir_make(const char *path, struct leat_err *err);
/* Whether sockets in the folder may be believed: a folder, no link, of this user or root, and
 * nobody else may write in it. -1 and `err`; *ret_missing: there is nothing of that name. */
int leat_admin_dir_check(const char *path, bool *ret_missing, struct leat_err *err);

/* The socket of this process in the first folder that will do; the caller frees it. NULL and `err`:
 * none will; the sentence is about the last. */
char *leat_admin_dir_path(const struct leat_admin_dirs *d, pid_t pid, struct leat_err *err);
/* The number in "PID.sock"; 0: no such name. */
pid_t leat_admin_dir_pid(const char *name);

#endif
