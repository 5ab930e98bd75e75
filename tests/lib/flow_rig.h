/* What flow tests stand on: requests of known size, callers that remember their outcome, an outlet
 * that answers as it is told. */
#ifndef LEAT_TESTS_FLOW_RIG_H
#define LEAT_TESTS_FLOW_RIG_H

#include "base/budget.h"
#include "base/meter.h"
#include "flow/component.h"
#include "flow/ledger.h"
#include "io/loop.h"

/* --- a caller */
struct rig_caller {
    struct leat_ack ack;
    int told; /* how often `done` ran */
    struct leat_status status;
    char why[160];
};
void rig_caller_init(struct rig_caller *c);
/* A logs batch of one resource with `items` records whose bodies are "<name>-<i>"; `c` waits (may
 * be NULL). */
struct leat_batch *rig_logs(const char *name, uint32_t items, struct rig_caller *c);
/* The same of a client (base/share.h). */
struct leat_batch *rig_logs_of(uint64_t client, const char *name, uint32_t items,
                               struct rig_caller *c);

/* --- an outlet that keeps what it gets, or answers at once */
struct rig_sink {
    struct leat_outlet outlet;
    struct leat_link held;     /* batches not ended yet */
    uint32_t batches, items;   /* that came */
    bool hold;                 /* keep instead of answering */
    struct leat_status answer; /* given at once otherwise */
    uint32_t fail_first;       /* so many first ones get `first_answer` */
    struct leat_status first_answer;
    /* Called, when set, to choose the answer by content. */
    struct leat_status (*judge)(struct rig_sink *s, const struct leat_batch *b);
    uint32_t sizes[64]; /* items of the first batches */
    char bodies[8192];  /* bodies of delivered records, each followed by a blank */
};
void rig_sink_init(struct rig_sink *s);
/* Ends the oldest batch that is held. */
void rig_sink_end(struct rig_sink *s, struct leat_status st);
/* A record with this body is in the batch. */
bool rig_has(const struct leat_batch *b, const char *body);

/* --- a component's surroundings */
struct rig {
    struct leat_loop *loop;
    struct leat_budget budget;
    struct leat_meter *meter;
    struct leat_ledger ledger;
    struct leat_env env; /* id "test/1", all of the above, next: none */
};
void rig_open(struct rig *r);
void rig_close(struct rig *r); /* checks that the books balance and the budget is empty */
/* A sender of logs "test/1" before this outlet. The caller frees it. */
struct leat_sender;
struct leat_sender_conf;
struct leat_sender *rig_sender(struct rig *r, const struct rig_sink *s,
                               const struct leat_sender_conf *conf);
/* Turns the loop until *flag is at least `value`; fails after 10 s. */
void rig_until(struct rig *r, const volatile uint32_t *flag, uint32_t value);
void rig_until_told(struct rig *r, const struct rig_caller *c);

#endif
