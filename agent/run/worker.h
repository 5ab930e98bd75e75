/* One thread with its loop, its memory and its copy of the pipelines. */
#ifndef LEAT_RUN_WORKER_H
#define LEAT_RUN_WORKER_H

#include "flow/house.h"
#include "run/graph.h"

struct leat_worker;

/* Makes everything but the thread. `first`: worker 0, or NULL for itself. NULL and `err`: the
 * kernel refused. */
struct leat_worker *leat_worker_new(const struct leat_plan *plan, const struct leat_house *house,
                                    unsigned index, unsigned count, size_t memory,
                                    struct leat_worker *first, struct leat_err *err);
struct leat_graph *leat_worker_graph(struct leat_worker *w);
struct leat_meter *leat_worker_meter(struct leat_worker *w);
struct leat_loop *leat_worker_loop(struct leat_worker *w);
struct leat_budget *leat_worker_budget(struct leat_worker *w);

int leat_worker_start(struct leat_worker *w, struct leat_err *err); /* the thread */
/* From the main thread, through the worker's mailbox. `told` runs on the worker's thread when that
 * is done. */
void leat_worker_drain(struct leat_worker *w, void (*told)(void *arg), void *arg);
void leat_worker_close(struct leat_worker *w, void (*told)(void *arg), void *arg);
/* Ends the loop and the thread. Only after every worker was closed: their parcels have come home.
 */
void leat_worker_join(struct leat_worker *w);
/* For the main thread, when no worker's thread runs: closes all of them (NULL entries are passed
 * over) and lets their parcels come home. Those that were closed before stay so. */
void leat_workers_shut(struct leat_worker *const *workers, unsigned n);
void leat_worker_free(struct leat_worker *w); /* takes NULL; after leat_workers_shut() */

#endif
