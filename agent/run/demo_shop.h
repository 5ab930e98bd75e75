/* A small imaginary shop: its spans, logs and metrics hang together by trace_id and span_id. */
#ifndef LEAT_RUN_DEMO_SHOP_H
#define LEAT_RUN_DEMO_SHOP_H

#include "base/text.h"

struct leat_shop {
    uint64_t orders, declined; /* so far */
    int64_t opened;            /* wall clock, ns */
    uint64_t buckets[6];       /* of checkout durations */
    double seconds;            /* their sum */
};

void leat_shop_open(struct leat_shop *s);
/* One checkout: an ExportTraceServiceRequest and the ExportLogsServiceRequest that belongs to it.
 */
void leat_shop_checkout(struct leat_shop *s, struct leat_text *traces, struct leat_text *logs);
/* An ExportMetricsServiceRequest of the state so far. */
void leat_shop_count(const struct leat_shop *s, struct leat_text *metrics);

#endif
