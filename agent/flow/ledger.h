/* Every item accounted for: for each component
 *     in = out + delivered + filtered + sampled + rejected + refused + held
 * where `out` went to the next stage, `refused` was handed back with "retry", `held` is inside now.
 * Cut and joined requests change nothing in it; a fan-out is counted by its outlets. Exported as
 * leat_items_total{component=, kind=, pipeline=, signal=, fate=} and leat_items_held; the bytes of
 * the first three fates as leat_bytes_total with the same labels, and leat_bytes_held. Bytes do not
 * balance: cutting changes how many there are, and only items have every fate. */
#ifndef LEAT_FLOW_LEDGER_H
#define LEAT_FLOW_LEDGER_H

#include <stdint.h>

#include "base/signal.h"

struct leat_batch;
struct leat_counter;
struct leat_gauge;
struct leat_meter;
struct leat_status;

enum leat_fate {
    LEAT_IN,
    LEAT_OUT,
    LEAT_FATE_DELIVERED,
    LEAT_FILTERED,
    LEAT_SAMPLED_OUT,
    LEAT_FATE_REJECTED,
    LEAT_REFUSED,
    LEAT_FATES,
};
#define LEAT_BYTE_FATES 3 /* in, out, delivered: those whose bytes are counted too */

struct leat_ledger {
    struct leat_counter *fates[LEAT_SIGNALS][LEAT_FATES];
    struct leat_gauge *held[LEAT_SIGNALS], *held_bytes[LEAT_SIGNALS];
    struct leat_counter *bytes[LEAT_SIGNALS][LEAT_BYTE_FATES];
};

/* One per component instance and worker. `pipeline` may be "". Strings are copied. */
void leat_ledger_open(struct leat_ledger *l, struct leat_meter *m, const char *kind, const char *id,
                      const char *pipeline, unsigned signals);
void leat_ledger_count(struct leat_ledger *l, enum leat_signal s, enum leat_fate f, uint64_t items);
/* A whole batch at an edge of the component, with its bytes: LEAT_IN or LEAT_OUT. */
void leat_ledger_pass(struct leat_ledger *l, const struct leat_batch *b, enum leat_fate f);
/* Items inside the component, and their bytes; negative: let go. Where a held batch is cut, the
 * bytes that this adds or saves are held (or let go) with it. */
void leat_ledger_hold(struct leat_ledger *l, enum leat_signal s, int64_t items, int64_t bytes);
/* The end of a batch at this component: counts its items by the outcome (a partial success: the
 * rejected apart; the bytes of a delivered batch are all delivered). */
void leat_ledger_end(struct leat_ledger *l, const struct leat_batch *b,
                     const struct leat_status *st);
/* in - out - … - held; 0 when the books balance. */
int64_t leat_ledger_gap(const struct leat_ledger *l, enum leat_signal s);

#endif
