/* forward connector: the end of one pipeline is the start of others of the same signal.
 *
 * Source: collector connector/forwardconnector. */
#include "flow/component.h"

static const struct leat_field fields[] = {LEAT_END};

struct forward {
    const struct leat_env *env;
};

static int forward_open(void *self_, const struct leat_env *env, struct leat_err *err)
{
    struct forward *self = self_;

    (void)err;
    self->env = env;
    return 0;
}

static void forward_take(void *self_, struct leat_batch *batch)
{
    struct forward *self = self_;

    leat_send(&self->env->next[batch->signal], batch);
}

const struct leat_component leat_connector_forward = {
    .type = "forward",
    .kind = LEAT_CONNECTOR,
    .signals = LEAT_ALL_SIGNALS,
    .summary = "The end of one pipeline is the start of others of the same signal.",
    .fields = fields,
    .conf_size = 1,
    .self_size = sizeof(struct forward),
    .open = forward_open,
    .take = forward_take,
};
