/* Files. Reading small ones whole at start, appending in order on libuv's pool, watching for
 * change. Tests replace what is below to fail, tear and fill up. */
#ifndef LEAT_IO_FILE_H
#define LEAT_IO_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/list.h"

struct leat_err;
struct leat_loop;
struct leat_text;

/* Reads a whole small file now (blocking; for settings, tokens, certificates). `out` is initialised
 * here; the caller ends it with leat_text_done(), also after a failure. -1 and `err`: missing,
 * unreadable, or larger than `max`. */
int leat_file_read(const char *path, size_t max, struct leat_text *out, struct leat_err *err);

/* Permissions as chmod takes them, in octal: "0755". -1: none. */
long leat_file_mode(const char *text);

struct leat_file;
/* Opens for writing at the end (creates it, mode 0644), or emptied when `truncate`. NULL and `err`.
 */
struct leat_file *leat_file_open(struct leat_loop *l, const char *path, bool truncate,
                                 struct leat_err *err);
uint64_t leat_file_size(const struct leat_file *f); /* bytes, with what is being written */

/* One write at a time is under way, further ones queue in order. `bytes` must stay valid until
 * `done`, which gets 0 or a negative errno (a short write is continued; ENOSPC leaves the file cut
 * back to the last whole write; so do other errors). */
struct leat_file_write {
    struct leat_bytes bytes;
    /* On the loop, never from inside leat_file_write(); the file may be used and closed in it. */
    void (*done)(struct leat_file_write *w, int result);
    struct leat_link link; /* private */
};
void leat_file_write(struct leat_file *f, struct leat_file_write *w);
/* Renames the open file and goes on in a new, empty one of the old name, after the writes before
 * it. -1: no memory, and nothing happens. */
int leat_file_rotate(struct leat_file *f, const char *new_name, void (*done)(void *arg, int result),
                     void *arg);
/* Closes after the queued writes; `closed` (may be NULL) then runs, at once when `f` is NULL. */
void leat_file_close(struct leat_file *f, void (*closed)(void *arg), void *arg);

/* For tests: called on libuv's pool in place of the system's functions; as those they return -1 and
 * set errno. Set it while no file is open. A member that is NULL is the system's; NULL: all are. */
struct leat_file_test_hooks {
    long (*write)(int fd, const void *data, size_t len);
    int (*truncate)(int fd, int64_t len);
    int (*rename)(const char *from, const char *to);
    int (*open)(const char *path, int flags, unsigned mode);
};
void leat_file_set_test_hooks(const struct leat_file_test_hooks *hooks);

/* Calls `changed` (on the loop) when the file's identity, size or modification time changes; looks
 * every `every` ns. Where it returns false (no memory to read it, half written) it is called again
 * at the next look. */
struct leat_watch;
struct leat_watch *leat_watch_new(struct leat_loop *l, const char *path, int64_t every,
                                  bool (*changed)(void *arg), void *arg);
void leat_watch_free(struct leat_watch *w); /* takes NULL */

#endif
