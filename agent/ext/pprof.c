/* pprof extension: accepted, so that a configuration of the collector runs unchanged; it profiles
 * Go programs, which this is not. */
#include "base/log.h"
#include "flow/component.h"

#define NO_EFFECT "it is about Go's profiler"

static const struct leat_field fields[] = {
    LEAT_NO_EFFECT("endpoint", NO_EFFECT),
    LEAT_NO_EFFECT("dialer", NO_EFFECT),
    LEAT_NO_EFFECT("block_profile_fraction", NO_EFFECT),
    LEAT_NO_EFFECT("mutex_profile_fraction", NO_EFFECT),
    LEAT_NO_EFFECT("save_to_file", NO_EFFECT),
    LEAT_END,
};

static int open_pprof(void *self, const struct leat_env *env, struct leat_err *err)
{
    (void)self;
    (void)err;
    leat_info(env->id,
              "has no use here: nothing listens, because there is no Go program to profile; "
              "perf and gdb work on this one");
    return 0;
}

static void close_pprof(void *self)
{
    (void)self;
}

const struct leat_component leat_extension_pprof = {
    .type = "pprof",
    .kind = LEAT_EXTENSION,
    .summary = "Accepted without effect: the collector's profiler for Go.",
    .fields = fields,
    .single = true,
    .open = open_pprof,
    .close = close_pprof,
};
