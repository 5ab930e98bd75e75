/* Metrics requests in which some metrics change their temporality: point by point, everything else
 * copied as it stands. A request without such metrics costs one look at its metrics and no copy. */
#ifndef LEAT_PROCESSORS_CONVERSION_H
#define LEAT_PROCESSORS_CONVERSION_H

#include "flow/component.h"
#include "proto/metric_id.h"

struct leat_metric_head;

enum leat_point_fate {
    LEAT_POINT_KEPT, /* as it is now */
    LEAT_POINT_DROPPED,
    LEAT_POINT_RETRY, /* no memory: the batch is refused, to be sent again */
};

struct leat_conversion {
    /* Set by the owner. */
    void *self;
    enum leat_temporality to;
    size_t exponential_grows; /* so many bytes more may the buckets of a point take than they came
                                 in */
    bool (*wants)(void *self, const struct leat_metric_head *head); /* this metric changes */
    /* Each of its points; may change its numbers and times. */
    enum leat_point_fate (*point)(void *self, struct leat_print stream, struct leat_point *p);
    /* One that cannot be read: more than LEAT_POINT_BUCKETS, or no memory. Not KEPT. */
    enum leat_point_fate (*unreadable)(void *self, bool too_many);

    struct leat_point_room room; /* private */
    bool closed;
};

/* Converts the batch and sends it on. Points that are dropped are counted as filtered, and metrics
 * and groups that they leave empty go too; of a batch without points the waiters are told
 * "delivered". No memory: all is refused with "retry". */
void leat_conversion_take(struct leat_conversion *c, const struct leat_env *env,
                          struct leat_batch *batch);
/* What comes afterwards (other workers' batches may) is refused. */
void leat_conversion_done(struct leat_conversion *c);

#endif
