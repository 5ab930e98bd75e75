/* The admin socket: a Unix socket on which the running program answers GET /status (run/report.h)
 * and GET /metrics over HTTP. Read-only; only the program's own user may connect.
 *
 * Its place is leat.admin: a path, "none", or by default PID.sock in the first folder of
 * run/admin_dir.h that will do. The file is removed at an orderly end. */
#ifndef LEAT_RUN_ADMIN_H
#define LEAT_RUN_ADMIN_H

#include "base/err.h"

struct leat_admin;
struct leat_house_keeper;
struct leat_loop;

struct leat_admin_conf {
    const char *setting; /* leat.admin; NULL: the default place */
    const struct leat_house_keeper *house;
    const char *const *sources; /* of the configuration */
    unsigned nsources;
};

/* -1 and `err`: no socket could ever be there. Says nothing of this machine. */
int leat_admin_check(const char *setting, struct leat_err *err);
/* -1 and `err`: a configured socket cannot be made here and now. */
int leat_admin_try(const char *setting, struct leat_err *err);
/* Serves on this loop; *ret NULL: switched off, or the default place cannot be had, of which one
 * warning speaks. What `conf` points at must outlive it. -1 and `err`: a configured socket cannot
 * be made. */
int leat_admin_open(const struct leat_admin_conf *conf, struct leat_loop *loop,
                    struct leat_admin **ret, struct leat_err *err);
void leat_admin_free(struct leat_admin *a); /* takes NULL */

#endif
