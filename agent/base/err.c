/* Why something failed, in words for the person who runs the program. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

int leat_fail(struct leat_err *err, const char *fmt, ...)
{
    va_list ap;

    if (err == NULL)
        return -1;
    va_start(ap, fmt);
    vsnprintf(err->text, sizeof err->text, fmt, ap);
    va_end(ap);
    return -1;
}

int leat_fail_in(struct leat_err *err, const char *where)
{
    struct leat_err inner;

    if (err == NULL)
        return -1;
    inner = *err;
    return leat_fail(err, "%.150s: %.350s", where, inner.text);
}
