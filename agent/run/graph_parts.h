/* What a graph is made of: for graph.c and graph_drain.c. */
#ifndef LEAT_RUN_GRAPH_PARTS_H
#define LEAT_RUN_GRAPH_PARTS_H

#include "flow/ledger.h"
#include "flow/selfobs.h"
#include "io/auth.h"
#include "run/graph.h"

/* Where one component's batches pass to the next; counts both sides. Of several edges that carry
 * copies of one batch only the first counts for the side it comes from. */
struct edge {
    struct leat_outlet to;
    struct leat_ledger *from, *into; /* from NULL: another edge counts there */
    bool from_receiver;
    struct leat_counter *outgoing[LEAT_SIGNALS],
        *incoming[LEAT_SIGNALS]; /* of processors; else NULL */
    struct edge *next_made;
};

/* An instance of a component. */
struct node {
    const struct leat_plan_item *item;
    const struct leat_plan_pipeline *pipeline; /* processors only */
    void *self;
    struct leat_env env;
    struct leat_ledger ledger;
    struct leat_sender *senders[LEAT_SIGNALS];
    struct leat_processor_obs obs;
    bool open, elsewhere, draining;
    struct leat_graph *graph;
};

struct pipeline {
    const struct leat_plan_pipeline *plan;
    struct node **processors;
    struct leat_outlet *first; /* where a batch enters */
    bool open;
};

struct leat_graph {
    struct leat_graph_env env;
    struct node *nodes; /* one per item that is no processor, in the order of the plan; then the
                           processors */
    size_t nnodes, nitems;
    struct pipeline *pipelines;
    struct edge *edges;
    struct leat_fanout **fanouts;
    size_t nfanouts;
    struct leat_parcel_route **routes;
    size_t nroutes;
    struct node **order; /* as they were opened */
    size_t nopen;
    struct leat_auth_finder auth;
    uint32_t under_way; /* mails between the instances of one component */
    uint32_t undrained;
    bool drained_again, senders_told;
    void (*drained)(void *arg);
    void *drained_arg;
    struct leat_task drain_task;
    uint32_t others;             /* worker 0: so many of the others are not drained yet */
    struct leat_mail told_first; /* others: that they are */
};

#endif
