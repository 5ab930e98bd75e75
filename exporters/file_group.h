/* A bounded number of open files by path: the least recently used one is closed for a new one. */
#ifndef LEAT_EXPORTERS_FILE_GROUP_H
#define LEAT_EXPORTERS_FILE_GROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct leat_env;
struct leat_err;
struct leat_file_group;
struct leat_file_out;

/* At most `max` files open. `truncate`: a file is emptied when it is opened for the first time
 * (only then: what this run has written is never emptied; past LEAT_FILE_GROUP_SEEN files none is
 * emptied). `mode`: of folders that are made. `room` runs on the loop when a file was closed. */
#define LEAT_FILE_GROUP_SEEN 65536
struct leat_file_group *leat_file_group_new(const struct leat_env *env, uint32_t max, bool truncate,
                                            mode_t mode, void (*room)(void *arg), void *arg);
/* The open file, opened when it was not. 1: *ret, good until the caller returns to the loop or has
 * a write under way in it; 0: all are open and busy, ask again after a write has ended or `room`
 * has run; -1 and `err`: it cannot be opened. */
int leat_file_group_get(struct leat_file_group *g, const char *path, struct leat_file_out **ret,
                        struct leat_err *err);
void leat_file_group_free(struct leat_file_group *g); /* closes all; takes NULL */

#endif
