/* Says which invariant broke, and ends the process. */
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void leat_check_failed(const char *cond, const char *file, int line)
{
    fprintf(stderr, "leat: internal error: '%s' does not hold (%s:%d); please report this\n", cond,
            file, line);
    abort();
}
