/* One batch to several outlets: each gets the same bytes by reference; the callers hear when all
 * have ended it. The first outlet gets the batch itself, after the others' copies: so it has it
 * even without memory (and it is the one whose edge counts for the side before). */
#ifndef LEAT_FLOW_FANOUT_H
#define LEAT_FLOW_FANOUT_H

#include "flow/component.h"

struct leat_fanout {
    struct leat_outlet *outlets;
    uint32_t count;
};
void leat_fanout_take(void *self, struct leat_batch *batch);

#endif
