/* One batch to several outlets: each gets the same bytes by reference; the callers hear when all
 * have ended it. */
#ifndef LEAT_FLOW_FANOUT_H
#define LEAT_FLOW_FANOUT_H

#include "flow/component.h"

struct leat_fanout {
    struct leat_outlet *outlets;
    uint32_t count;
};
void leat_fanout_take(void *self, struct leat_batch *batch);

#endif
