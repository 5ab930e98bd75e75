/* Exemplars as Prometheus has them: a few labels, a value, a time. */
#ifndef LEAT_PROTO_PROM_EXEMPLAR_H
#define LEAT_PROTO_PROM_EXEMPLAR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "proto/metric_point.h"
#include "proto/prom_labels.h"

#define LEAT_PROM_EXEMPLAR_RUNES  128 /* characters of all names and values, OpenMetrics 1.0 */
#define LEAT_PROM_EXEMPLAR_BYTES  ((size_t)2048) /* enough to write those */
#define LEAT_PROM_EXEMPLAR_LABELS 66             /* trace_id, span_id, and two characters each */

struct leat_prom_exemplar_labels {
    struct leat_prom_label label[LEAT_PROM_EXEMPLAR_LABELS];
    uint32_t count;
};

/* The labels of an exemplar: sorted, each name once, none empty. trace_id and span_id; and the
 * filtered attributes, under their own names, if all together stay within LEAT_PROM_EXEMPLAR_RUNES.
 * They point into `text`, which has the maximum LEAT_PROM_EXEMPLAR_BYTES and is cleared first.
 * false: no memory. */
bool leat_prom_exemplar_labels(const struct leat_exemplar *e, struct leat_text *text,
                               struct leat_prom_exemplar_labels *ret);

#endif
