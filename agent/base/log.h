/* What the program says of itself while it runs: one line per event, never more than a few of the
 * same.
 *
 * A message's identity is its format string: after `initial` messages of one format within one
 * `tick`, only every `thereafter`-th is written, and the next tick starts with a line that says how
 * many were left out. Safe from every thread. */
#ifndef LEAT_BASE_LOG_H
#define LEAT_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum leat_log_level { LEAT_LOG_DEBUG, LEAT_LOG_INFO, LEAT_LOG_WARN, LEAT_LOG_ERROR };
enum leat_log_encoding { LEAT_LOG_CONSOLE, LEAT_LOG_JSON, LEAT_LOG_LOGFMT };

struct leat_log_conf {
    enum leat_log_level level;
    enum leat_log_encoding encoding;
    const char *const *paths; /* "stderr", "stdout" or files; NULL: stderr */
    uint32_t npaths;
    const char *const *fields; /* name, value, name, value, … added to every line */
    uint32_t nfields;          /* pairs */
    bool sampling;
    int64_t tick; /* nanoseconds */
    uint32_t initial, thereafter;
};

/* Opens the outputs and replaces what was set before. Until then: info, console, stderr. -1 and
 * `err`: a file could not be opened, and the settings stay as they were. Call it before other
 * threads log. */
int leat_log_setup(const struct leat_log_conf *conf, struct leat_err *err);
void leat_log_close(void);

/* `who` is the component's id ("otlp/edge") or NULL for the program itself. Control characters and
 * bytes that are no UTF-8 are escaped, so a peer's string can neither forge a line nor steer a
 * terminal; a message of more than 4 KiB is cut. Nothing is allocated. */
void leat_log(enum leat_log_level level, const char *who, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
bool leat_log_enabled(enum leat_log_level level);

#define leat_debug(who, ...) leat_log(LEAT_LOG_DEBUG, who, __VA_ARGS__)
#define leat_info(who, ...)  leat_log(LEAT_LOG_INFO, who, __VA_ARGS__)
#define leat_warn(who, ...)  leat_log(LEAT_LOG_WARN, who, __VA_ARGS__)
#define leat_error(who, ...) leat_log(LEAT_LOG_ERROR, who, __VA_ARGS__)

#endif
