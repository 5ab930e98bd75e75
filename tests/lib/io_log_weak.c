/* Stands in for the log and the settings' checks where those rooms are not linked yet. */
#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"
#include "config/schema.h"

__attribute__((weak)) void leat_log(enum leat_log_level level, const char *who, const char *fmt,
                                    ...)
{
    va_list ap;

    fprintf(stderr, "%d %s: ", (int)level, who ? who : "leat");
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
}

__attribute__((weak)) void leat_check_error(struct leat_check *c, const char *key, const char *fmt,
                                            ...)
{
    (void)c;
    fprintf(stderr, "%s: %s\n", key, fmt);
}

__attribute__((weak)) void leat_check_warn(struct leat_check *c, const char *key, const char *fmt,
                                           ...)
{
    (void)c;
    fprintf(stderr, "%s: %s\n", key, fmt);
}
