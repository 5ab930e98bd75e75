/* Cuts a checked request in two, between records. Resource, scope, both schema URLs, unknown fields
 * and a metric's own fields (name, unit, metadata …) are in both pieces; no record is lost, doubled
 * or reordered. */
#ifndef LEAT_PROTO_OTLP_CUT_H
#define LEAT_PROTO_OTLP_CUT_H

#include "base/bytes.h"
#include "base/signal.h"

struct leat_budget;
struct leat_buf;

/* The longest run of whole top-level entries at the start of `request` that has at most `items`
 * items; its length in bytes, *ret_items how many it has (0 and 0 when the first entry alone has
 * more). Copies nothing. */
size_t leat_otlp_prefix(enum leat_signal signal, struct leat_bytes request, uint32_t items,
                        uint32_t *ret_items);

/* The first `items` items into *ret_head, the rest into *ret_tail (0 < items < the number in
 * `request`). Two new buffers, charged to `budget`; `request` is not changed. 0, or -1: budget
 * spent or no memory. */
int leat_otlp_cut(enum leat_signal signal, struct leat_bytes request, uint32_t items,
                  struct leat_budget *budget, struct leat_buf **ret_head,
                  struct leat_buf **ret_tail);

#endif
