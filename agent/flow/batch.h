/* What flows right: encoded OTLP bytes by reference, and who waits for them.
 *
 * A part is a run of whole top-level entries of an export request, contiguous in one ref-counted
 * buffer: a valid request by itself. The parts of a batch, one after the other, are the joined
 * request (see proto/otlp_view.h). Each part knows its own waiter, so joining appends parts, and
 * one part's outcome can differ from its neighbours'. */
#ifndef LEAT_FLOW_BATCH_H
#define LEAT_FLOW_BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/list.h"
#include "base/signal.h"
#include "flow/ack.h"

struct leat_budget;
struct leat_buf;
struct leat_origin;

struct leat_part {
    struct leat_buf *buf; /* one reference */
    const uint8_t *data;  /* inside buf */
    uint32_t len;
    uint32_t items;       /* spans, data points or log records */
    struct leat_ack *ack; /* who waits; NULL: nobody (any more) */
    /* For the stage that holds the batch now (flow/room.h): whose share of its room, and how much.
     */
    uint32_t share, weight;
};

struct leat_batch;

/* Set by a stage that wants the batch itself back with its outcome: the sender around one attempt.
 */
struct leat_attempt {
    void (*ended)(struct leat_attempt *a, struct leat_batch *batch, struct leat_status st);
};

struct leat_batch {
    enum leat_signal signal;
    uint32_t items;
    uint64_t bytes;
    struct leat_part *parts;
    uint32_t nparts, cap;
    struct leat_origin *origin;   /* one reference; NULL: unknown, or mixed */
    int64_t deadline;             /* monotonic ns until which anybody waits; INT64_MAX: no limit */
    struct leat_attempt *attempt; /* NULL: outcomes go to the waiters */
    /* For the stage that holds the batch now; anybody else leaves them alone. */
    struct leat_link link;
    uint32_t tries;
    int64_t since, due, earliest; /* monotonic ns */
    uint64_t weight;              /* what it counts for in a queue */
    struct leat_part first;       /* `parts` points here while one is enough */
};

/* A batch of one part. Takes over the caller's reference of `buf` (on success only). `ack` may be
 * NULL. NULL: no memory. */
struct leat_batch *leat_batch_new(enum leat_signal signal, struct leat_buf *buf,
                                  struct leat_bytes request, uint32_t items, struct leat_ack *ack);
/* The same bytes for one more outlet: every waiter expects one outcome more. NULL: no memory,
 * nothing changed. */
struct leat_batch *leat_batch_share(const struct leat_batch *b);
/* The same bytes with another waiter, who must expect one outcome per part (leat_ack_expect() is
 * done here; `ack` is freshly initialised). NULL: no memory. */
struct leat_batch *leat_batch_again(const struct leat_batch *b, struct leat_ack *ack);
/* Appends the parts of `from` and frees it. An origin that differs is forgotten. -1: no memory,
 * nothing changed. */
int leat_batch_join(struct leat_batch *into, struct leat_batch *from);
/* Makes room for so many more parts: the join that follows cannot fail. -1: no memory. */
int leat_batch_reserve(struct leat_batch *b, uint32_t more);
/* Takes the first `items` items (0 < items < b->items) out of `b` into *ret. A request that is cut
 * in two has its waiter expect one outcome more. Whole parts move; a part that is cut is copied
 * into buffers charged to `budget`. -1: budget spent or no memory, `b` is unchanged. */
int leat_batch_cut(struct leat_batch *b, uint32_t items, struct leat_budget *budget,
                   struct leat_batch **ret);
/* Takes the first `parts` parts (0 < parts < b->nparts) out of `b`. NULL: no memory, nothing
 * changed. */
struct leat_batch *leat_batch_take_parts(struct leat_batch *b, uint32_t parts);
/* The i-th part is another request from now on: all that is in `buf`, whose reference is taken
 * over. */
void leat_batch_put(struct leat_batch *b, uint32_t i, struct leat_buf *buf, uint32_t items);
/* Ends the parts that have no items (any more): their waiters are told "delivered". What is left
 * may be a batch without parts, which is to be ended as any other. */
void leat_batch_shed(struct leat_batch *b);
/* The bytes are in safe keeping: every waiter that is not patient is told so, and forgotten. */
void leat_batch_hold(struct leat_batch *b);
/* Somebody waits who must not be told "held". */
bool leat_batch_is_patient(const struct leat_batch *b);
/* The end of the journey: tells every waiter (or the attempt, who gets the batch back) and frees
 * the batch. */
void leat_batch_done(struct leat_batch *b, struct leat_status st);
/* Fills `pieces` (room for b->nparts) with the parts' bytes, for writing and viewing. */
void leat_batch_pieces(const struct leat_batch *b, struct leat_bytes *pieces);

static inline struct leat_status leat_delivered(void)
{
    return (struct leat_status){.outcome = LEAT_DELIVERED};
}
static inline struct leat_status leat_retry(uint32_t code, uint32_t after_ms, const char *why)
{
    return (struct leat_status){
        .outcome = LEAT_RETRY, .code = code, .retry_after_ms = after_ms, .why = why};
}
static inline struct leat_status leat_rejected(uint32_t code, const char *why)
{
    return (struct leat_status){.outcome = LEAT_REJECTED, .code = code, .why = why};
}

#endif
