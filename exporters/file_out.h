/* One file that records are written to: opening, rotation (like lumberjack:
 * name-2006-01-02T15-04-05.000.ext beside the file), closing. */
#ifndef LEAT_EXPORTERS_FILE_OUT_H
#define LEAT_EXPORTERS_FILE_OUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct leat_env;
struct leat_err;
struct leat_file_write;

struct leat_file_out_rotation {
    uint32_t max_megabytes, max_days, max_backups;
    bool localtime;
};

struct leat_file_out {
    char *path;
    uint32_t writing;      /* leat_file_out_write() without leat_file_out_written() yet */
    struct leat_link link; /* for who holds it, as is: */
    void *holder;
    /* Private from here on. */
    const struct leat_env *env; /* NULL: closing, the exporter may be gone */
    const struct leat_file_out_rotation *rotation;
    struct leat_file *file;
    uint64_t size; /* with what is queued */
    void (*closed)(struct leat_file_out *o);
};

/* Opens `path` for writing at the end, or emptied. `rotation` may be NULL: never; it and `env` must
 * last until the close. NULL and `err`. */
struct leat_file_out *leat_file_out_open(const struct leat_env *env, const char *path,
                                         const struct leat_file_out_rotation *rotation,
                                         bool truncate, struct leat_err *err);
/* As leat_file_write(), after a rotation when the file is full. `done` must call
 * leat_file_out_written(). */
void leat_file_out_write(struct leat_file_out *o, struct leat_file_write *w);
static inline void leat_file_out_written(struct leat_file_out *o)
{
    o->writing--;
}
/* Closes after the queued writes, whose `done` may still look at `o`; then `closed` (may be NULL)
 * runs, never inside this call, and `o` is freed after it. Takes NULL. */
void leat_file_out_close(struct leat_file_out *o, void (*closed)(struct leat_file_out *o));

#endif
