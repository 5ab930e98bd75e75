/* What a sender counts and says of its batches: how each ended, waits, or was not let in. Metrics,
 * the ledger and the log hear the same, from here; nothing is decided here, and nobody is told. */
#ifndef LEAT_FLOW_TALLY_H
#define LEAT_FLOW_TALLY_H

#include "base/meter.h"
#include "flow/room.h"
#include "flow/selfobs.h"
#include "flow/sender.h"

/* leat_exporter_dropped_items_total{reason=}; the reason of a delivered batch is PARTIAL. */
enum leat_drop {
    LEAT_DROP_REJECTED,
    LEAT_DROP_EXHAUSTED,
    LEAT_DROP_PARTIAL,
    LEAT_DROP_SHUTDOWN,
    LEAT_DROP_DEADLINE,
    LEAT_DROPS,
};

/* leat_exporter_refused_items_total{reason=} */
enum leat_refusal {
    LEAT_REFUSED_FULL,
    LEAT_REFUSED_SHARE,
    LEAT_REFUSED_SHUTDOWN,
    LEAT_REFUSALS,
};

struct leat_tally {
    const char *id;
    struct leat_ledger *ledger;
    struct leat_exporter_obs obs;
    struct leat_counter *drops[LEAT_DROPS], *refusals[LEAT_REFUSALS];
    int64_t warn_after; /* monotonic ns */
};

/* What `env` points at must outlive it; there is nothing to close. */
void leat_tally_open(struct leat_tally *t, const struct leat_sender_env *env);
/* The end of a batch that was held; `reason` counts if anything of it is lost. */
void leat_tally_end(struct leat_tally *t, const struct leat_batch *b, const struct leat_status *st,
                    enum leat_drop reason);
/* It failed and waits, `delay` ns at most. `why` may be NULL. Quiet for a probe. */
void leat_tally_wait(const struct leat_tally *t, const struct leat_batch *b, int64_t delay,
                     const char *why, bool probe);
/* The end of a batch that was not let in. */
void leat_tally_refuse(struct leat_tally *t, const struct leat_batch *b,
                       const struct leat_status *st, enum leat_refusal reason);
/* Once in ten seconds. `answer`: FULL or SHARE. */
void leat_tally_warn_refused(struct leat_tally *t, enum leat_room_answer answer, const char *why);

#endif
