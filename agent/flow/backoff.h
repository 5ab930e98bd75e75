/* The batches of one sender that wait to be tried again, and when each goes out.
 *
 * A batch that failed goes out at its drawn delay (flow/retry.h), or sooner, by two rules:
 *
 * 1. Life wakes everybody: as soon as the destination takes anything (leat_backoff_wake()), what
 *    waits for a drawn delay is due at once.
 * 2. One probe: while no attempt is under way, the first that may be tried is due LEAT_PROBE after
 *    the last attempt ended, however long its drawn delay is; not the one that failed last, if
 *    there is another: a request that never goes through does not speak for the destination.
 *
 * Neither rule sends a batch before the moment the server asked for, nor sooner than LEAT_PROBE
 * after its own last failure: a request that is at fault itself, and a destination that sheds load,
 * see no more than one extra attempt a second for each batch that waits, and a dead one sees one a
 * second for all of them. A drawn delay that is shorter than LEAT_PROBE stays as it is.
 *
 * A probe that fails costs its batch nothing: the drawn moment stays (a server that asks for more
 * moves it), the attempt does not count for the growth of the interval. It asked about the
 * destination, for all who wait; were it counted, the batch at the head would be the last to be
 * tried again, and the first out of max_elapsed_time. An attempt that ends after the drawn moment
 * is no probe any more but the attempt that was due then.
 *
 * Each batch that waits keeps its sender's slot, so no more go out at once than the sender has
 * consumers; without a queue, as many as there are callers who wait.
 *
 * Who holds what: a batch is here from leat_backoff_wait() until leat_backoff_take() or _pop(), and
 * `link`, `due`, `earliest` and `tries` are used here. Times are monotonic ns. Nothing is
 * allocated. The work per failed attempt is that of one insertion into a list that is nearly in
 * order and, while none is under way, a look along those whom the server asked to wait. */
#ifndef LEAT_FLOW_BACKOFF_H
#define LEAT_FLOW_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/list.h"

#define LEAT_PROBE LEAT_SEC

struct leat_batch;
struct leat_retry_conf;

struct leat_backoff {
    struct leat_link ready; /* woken: due at once, in the order they would have gone */
    struct leat_link fixed; /* in order of `due`, which nothing brings forward */
    struct leat_link drawn; /* in order of `due`, which the rules above bring forward */
    uint32_t waiting;       /* in all three */
    int64_t ended;          /* when the last attempt ended that delivered nothing */
};

void leat_backoff_init(struct leat_backoff *w);
/* A first attempt: nothing was drawn for this batch yet. */
void leat_backoff_start(struct leat_batch *b, int64_t now);
/* An attempt of `b` failed: how long it must wait now, or -1 (leat_retry_delay()). `told`: the
 * delay that the server named, 0: none. *ret_probe: it was a probe; say less about it. */
int64_t leat_backoff_delay(const struct leat_retry_conf *conf, struct leat_batch *b, int64_t now,
                           int64_t told, bool *ret_probe);
/* Takes `b`, with a delay from the call above and the same `told`. */
void leat_backoff_wait(struct leat_backoff *w, struct leat_batch *b, int64_t now, int64_t delay,
                       int64_t told);
/* An attempt ended otherwise, and delivered nothing. */
void leat_backoff_ended(struct leat_backoff *w, int64_t now);
/* An attempt delivered. Does not send: what is ready is for the next leat_backoff_take(). */
void leat_backoff_wake(struct leat_backoff *w, int64_t now);
/* When there will be something to take; INT64_MAX: never. `idle`: no attempt is under way. */
int64_t leat_backoff_next(const struct leat_backoff *w, bool idle);
/* What is due, the longest due first, or NULL; with `idle` also what is due as a probe. */
struct leat_batch *leat_backoff_take(struct leat_backoff *w, int64_t now, bool idle);
/* Any that waits, due or not; NULL: none is left. */
struct leat_batch *leat_backoff_pop(struct leat_backoff *w);

#endif
