/* Batches for a component that lives in another worker: the batch stays home, its bytes travel by
 * reference, and the outcome is mailed back. */
#ifndef LEAT_RUN_PARCEL_H
#define LEAT_RUN_PARCEL_H

#include "flow/component.h"
#include "io/mailbox.h"

struct leat_parcel_route {
    struct leat_mailbox *home; /* of the worker that sends */
    struct leat_mailbox *away; /* of the worker where `to` is */
    struct leat_outlet to;
    struct leat_ledger *ledger; /* of `to`, as the home worker counts it: what never gets there */
    uint32_t under_way;         /* batches not back yet; the home worker's */
};

/* An outlet: self is the route. */
void leat_parcel_take(void *route, struct leat_batch *batch);

#endif
