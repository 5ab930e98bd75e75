/* Puts the series of a remote-write request into the order of their times.
 *
 * A receiver refuses a sample that is older than the last one of its series. */
#ifndef LEAT_PROTO_PROM_ORDER_H
#define LEAT_PROTO_PROM_ORDER_H

#include <stdbool.h>

#include "base/text.h"
#include "proto/prom_series.h"

/* `body`: TimeSeries as leat_prom_write writes them, each with one sample or histogram, and
 * metadata. Those of the same time stay in order. false: no memory, `body` is as it was. */
bool leat_prom_order(enum leat_prom_message message, struct leat_text *body);

#endif
