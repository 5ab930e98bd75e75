/* One worker's copy of the pipelines: instances of components, and the edges that count what passes
 * between them. */
#ifndef LEAT_RUN_GRAPH_H
#define LEAT_RUN_GRAPH_H

#include "flow/component.h"
#include "flow/house.h"
#include "io/codec.h"
#include "io/mailbox.h"
#include "run/plan.h"

struct leat_graph;

/* What a graph needs from its worker. All outlives the graph. */
struct leat_graph_env {
    const struct leat_plan *plan;
    struct leat_loop *loop;
    struct leat_mailbox *mailbox;
    struct leat_budget *budget, *scratch;
    struct leat_codecs *codecs;
    struct leat_meter *meter;
    const struct leat_house *house;
    unsigned worker, workers;
    struct leat_graph
        *first; /* the graph of worker 0, for what lives only there; NULL in worker 0 */
    struct leat_mailbox *first_mailbox;
};

/* Allocates and connects; opens nothing. */
struct leat_graph *leat_graph_new(const struct leat_graph_env *env);
/* Opens extensions, exporters, connectors and processors, in this order: each after what is behind
 * it. -1 and `err`: the component's id is in it; what was opened stays so until leat_graph_close().
 */
int leat_graph_open(struct leat_graph *g, struct leat_err *err);
int leat_graph_open_receivers(struct leat_graph *g, struct leat_err *err);
/* Receivers take nothing new, everything inside goes on to its end; then `drained`. Worker 0, where
 * the others' parcels go, comes to its end after all others: each has to be told to drain. */
void leat_graph_drain(struct leat_graph *g, void (*drained)(void *arg), void *arg);
/* Closes everything that is open; what is still inside is told "retry". Parcels may still come home
 * afterwards. */
void leat_graph_close(struct leat_graph *g);
/* Batches that are still with worker 0, and mails between instances of a component; until there
 * are none the graph must not be freed. */
uint32_t leat_graph_under_way(const struct leat_graph *g);
void leat_graph_free(struct leat_graph *g); /* takes NULL */

/* For tests. The open instance of a receiver, exporter, connector or extension; NULL: there is
 * none here. */
void *leat_graph_find(const struct leat_graph *g, enum leat_kind kind, const char *id);
/* For tests. The books of every component in an order that is the same in all workers' graphs. What
 * passed by parcel stands as `in` here and as the rest in worker 0's. */
void leat_graph_ledgers(const struct leat_graph *g,
                        void (*visit)(void *arg, size_t nth, const char *id,
                                      const struct leat_ledger *l),
                        void *arg);

#endif
