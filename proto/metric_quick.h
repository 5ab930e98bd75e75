/* Data points in the shape in which SDKs write them, read quickly: part of metric_point.c. */
#ifndef LEAT_PROTO_METRIC_QUICK_H
#define LEAT_PROTO_METRIC_QUICK_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/metric_point.h"
#include "proto/wire.h"

void leat_point_set_number(struct leat_point *p, enum leat_number_kind kind, uint64_t bits);

/* Reads a number point: attributes one after the other, times, a value. `p` has nothing but its
 * message. false: there is something else in it; begin anew. */
bool leat_point_read_usual(struct leat_point *p);

/* Goes past the data points, field 1 in all types, that have a length of one or two bytes. */
void leat_metric_pass_points(struct leat_wire *w);

#endif
