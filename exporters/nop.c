/* nop exporter: takes everything and keeps nothing. */
#include "flow/component.h"

#include "flow/ledger.h"

static const struct leat_field fields[] = {LEAT_END};

struct nop {
    struct leat_ledger *ledger;
};

static int nop_open(void *self_, const struct leat_env *env, struct leat_err *err)
{
    struct nop *self = self_;

    (void)err;
    self->ledger = env->ledger;
    return 0;
}

static void nop_take(void *self_, struct leat_batch *batch)
{
    struct nop *self = self_;
    struct leat_status st = leat_delivered();

    leat_ledger_end(self->ledger, batch, &st);
    leat_batch_done(batch, st);
}

const struct leat_component leat_exporter_nop = {
    .type = "nop",
    .kind = LEAT_EXPORTER,
    .signals = LEAT_ALL_SIGNALS,
    .summary = "Takes everything and keeps nothing.",
    .fields = fields,
    .conf_size = 1,
    .self_size = sizeof(struct nop),
    .open = nop_open,
    .take = nop_take,
};
