/* One batch to several outlets. */
#include "flow/fanout.h"

#define RETRY_MS 1000

/* An outlet that cannot have its copy counts as one that said "retry": the caller sends all of it
 * again. */
static void refuse_copy(struct leat_batch *batch)
{
    for (uint32_t i = 0; i < batch->nparts; i++) {
        if (batch->parts[i].ack == NULL)
            continue;
        leat_ack_expect(batch->parts[i].ack, 1);
        leat_ack_tell(batch->parts[i].ack, leat_retry(14, RETRY_MS, "out of memory"));
    }
}

void leat_fanout_take(void *self, struct leat_batch *batch)
{
    const struct leat_fanout *f = self;

    for (uint32_t i = 1; i < f->count; i++) {
        struct leat_batch *copy = leat_batch_share(batch);
        if (copy == NULL)
            refuse_copy(batch);
        else
            leat_send(&f->outlets[i], copy);
    }
    leat_send(&f->outlets[0], batch);
}
