/* nop receiver: brings nothing. For pipelines that are fed by nobody, and for tests. */
#include "flow/component.h"

static const struct leat_field fields[] = {LEAT_END};

static int nop_open(void *self, const struct leat_env *env, struct leat_err *err)
{
    (void)self;
    (void)env;
    (void)err;
    return 0;
}

const struct leat_component leat_receiver_nop = {
    .type = "nop",
    .kind = LEAT_RECEIVER,
    .signals = LEAT_ALL_SIGNALS,
    .summary = "Brings nothing.",
    .fields = fields,
    .conf_size = 1,
    .self_size = 1,
    .open = nop_open,
};
