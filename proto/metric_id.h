/* Which stream a data point belongs to.
 *
 * Source: OpenTelemetry metrics data model, "Timeseries model": resource, scope, metric name, unit,
 * kind (with temporality and monotonicity) and attributes. The order of attributes does not matter,
 * neither does the description. */
#ifndef LEAT_PROTO_METRIC_ID_H
#define LEAT_PROTO_METRIC_ID_H

#include "base/hash.h"
#include "proto/metric_point.h"

/* The print of the attributes with this number in `message`. */
struct leat_print leat_attrs_print(struct leat_bytes message, uint32_t field);

/* Remembers what points have in common, so that each costs only its own attributes. Zero before
 * first use with a walk; not across walks. */
struct leat_metric_ids {
    uint32_t resource_number, scope_number, metric_number; /* private */
    struct leat_print resource, scope, metric;             /* of the walk's current record */
};
/* Brings `ids` to where the walk stands: afterwards `resource` is the print of the resource's
 * attributes, `scope` of resource and scope, `metric` of all but the point. */
void leat_metric_ids_at(struct leat_metric_ids *ids, const struct leat_otlp_walk *w,
                        const struct leat_metric_head *head);

/* The stream's. */
static inline struct leat_print leat_stream_print(const struct leat_metric_ids *ids,
                                                  const struct leat_point *p)
{
    struct leat_bytes in = p->scattered ? p->message : p->attrs;

    return leat_print_pair(ids->metric, leat_attrs_print(in, p->attrs_field));
}

#endif
