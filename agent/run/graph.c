/* One worker's copy of the pipelines. */
#include "run/graph.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/meter.h"
#include "flow/fanout.h"
#include "run/graph_parts.h"
#include "run/parcel.h"
#include "run/registry.h"

/* --- edges */

static void edge_take(void *self, struct leat_batch *b)
{
    struct edge *e = self;

    if (e->from_receiver)
        leat_ledger_pass(e->from, b, LEAT_IN);
    if (e->from != NULL)
        leat_ledger_pass(e->from, b, LEAT_OUT);
    if (e->outgoing[b->signal] != NULL)
        leat_count(e->outgoing[b->signal], b->items);
    leat_ledger_pass(e->into, b, LEAT_IN);
    if (e->incoming[b->signal] != NULL)
        leat_count(e->incoming[b->signal], b->items);
    leat_send(&e->to, b);
}

/* What `node` does with a batch of this signal: its sender, itself, or its place in worker 0. */
static struct leat_outlet entrance(struct leat_graph *g, struct node *node, enum leat_signal s)
{
    struct leat_parcel_route *route;
    struct node *there;

    if (!node->elsewhere) {
        if (node->senders[s] != NULL)
            return (struct leat_outlet){leat_sender_take, node->senders[s]};
        return (struct leat_outlet){node->item->component->take, node->self};
    }
    there = &g->env.first->nodes[node - g->nodes];
    route = leat_new(sizeof *route);
    route->home = g->env.mailbox;
    route->away = g->env.first_mailbox;
    route->ledger = &node->ledger;
    route->to = entrance(g->env.first, there, s);
    g->routes = leat_renew(g->routes, (g->nroutes + 1) * sizeof(struct leat_parcel_route *));
    g->routes[g->nroutes++] = route;
    return (struct leat_outlet){leat_parcel_take, route};
}

static struct leat_outlet edge_between(struct leat_graph *g, struct node *from, struct node *into,
                                       enum leat_signal s, bool is_first)
{
    struct edge *e = leat_new(sizeof *e);

    e->next_made = g->edges;
    g->edges = e;
    e->from = is_first ? &from->ledger : NULL;
    e->from_receiver = is_first && from->item->component->kind == LEAT_RECEIVER;
    e->into = &into->ledger;
    e->to = entrance(g, into, s);
    if (is_first && from->item->component->kind == LEAT_PROCESSOR)
        e->outgoing[s] = from->obs.outgoing;
    if (into->item->component->kind == LEAT_PROCESSOR)
        e->incoming[s] = into->obs.incoming;
    return (struct leat_outlet){edge_take, e};
}

static struct leat_outlet to_all(struct leat_graph *g, struct leat_outlet *outlets, size_t n)
{
    struct leat_fanout *f;

    if (n == 1) {
        struct leat_outlet only = outlets[0];
        leat_free(outlets);
        return only;
    }
    f = leat_new(sizeof *f);
    f->outlets = outlets;
    f->count = (uint32_t)n;
    g->fanouts = leat_renew(g->fanouts, (g->nfanouts + 1) * sizeof(struct leat_fanout *));
    g->fanouts[g->nfanouts++] = f;
    return (struct leat_outlet){leat_fanout_take, f};
}

/* --- nodes */

static struct node *node_of(struct leat_graph *g, const struct leat_plan_item *item)
{
    return &g->nodes[item - g->env.plan->items];
}

static const struct leat_authenticator *find_auth(void *self, const char *id)
{
    struct leat_graph *g = self;

    for (size_t i = 0; i < g->env.plan->nextensions; i++) {
        struct node *n = node_of(g, g->env.plan->extensions[i]);
        if (strcmp(n->item->instance->id, id) == 0 && n->open &&
            n->item->component->authenticator != NULL)
            return n->item->component->authenticator(n->self);
    }
    return NULL;
}

static void init_node(struct leat_graph *g, struct node *n, const struct leat_plan_item *item,
                      const struct leat_plan_pipeline *pipeline)
{
    const struct leat_component *c = item->component;

    n->graph = g;
    n->item = item;
    n->pipeline = pipeline;
    n->elsewhere = c->single && g->env.worker != 0;
    n->env = (struct leat_env){
        .id = item->instance->id,
        .pipeline = pipeline ? pipeline->pipeline->id : "",
        .conf = item->conf,
        .loop = g->env.loop,
        .budget = g->env.budget,
        .scratch = g->env.scratch,
        .codecs = g->env.codecs,
        .meter = g->env.meter,
        .ledger = c->kind == LEAT_EXTENSION ? NULL : &n->ledger,
        .auth = &g->auth,
        .house = g->env.house,
        .worker = g->env.worker,
        .workers = c->single ? 1 : g->env.workers,
        .promise = LEAT_PROMISE_DELIVERED,
        .mailbox = g->env.mailbox,
        .under_way = &g->under_way,
    };
    if (c->kind == LEAT_EXTENSION)
        return;
    leat_ledger_open(&n->ledger, g->env.meter, leat_kind_name(c->kind), item->instance->id,
                     n->env.pipeline, pipeline ? 1u << pipeline->pipeline->signal : item->signals);
    if (c->kind == LEAT_PROCESSOR)
        leat_processor_obs_open(&n->obs, g->env.meter, item->instance->id,
                                pipeline->pipeline->signal);
}

static void count_nodes(struct leat_graph *g)
{
    const struct leat_plan *p = g->env.plan;

    g->nitems = g->nnodes = p->nitems;
    for (size_t i = 0; i < p->npipelines; i++)
        g->nnodes += p->pipelines[i].pipeline->nprocessors;
}

static void make_nodes(struct leat_graph *g)
{
    const struct leat_plan *p = g->env.plan;
    size_t at = p->nitems;

    count_nodes(g);
    g->nodes = leat_new_array(g->nnodes, sizeof *g->nodes);
    g->order = leat_new_array(g->nnodes, sizeof(struct node *));
    g->pipelines = leat_new_array(p->npipelines, sizeof *g->pipelines);
    for (size_t i = 0; i < p->nitems; i++) {
        if (p->items[i].component->kind != LEAT_PROCESSOR)
            init_node(g, &g->nodes[i], &p->items[i], NULL);
    }
    for (size_t i = 0; i < p->npipelines; i++) {
        struct pipeline *pipe = &g->pipelines[i];
        size_t n = p->pipelines[i].pipeline->nprocessors;
        pipe->plan = &p->pipelines[i];
        pipe->processors = leat_new_array(n, sizeof(struct node *));
        for (size_t k = 0; k < n; k++) {
            init_node(g, &g->nodes[at], p->pipelines[i].processors[k], pipe->plan);
            pipe->processors[k] = &g->nodes[at++];
        }
    }
}

/* --- opening */

static int open_node(struct leat_graph *g, struct node *n, struct leat_err *err)
{
    const struct leat_component *c = n->item->component;

    if (n->open || n->elsewhere)
        return 0;
    if (g->env.first != NULL)
        n->env.first = g->env.first->nodes[n - g->nodes].self;
    n->self = leat_new(c->self_size);
    if (c->open != NULL && c->open(n->self, &n->env, err) < 0) {
        leat_free(n->self);
        n->self = NULL;
        return leat_fail_in(err, n->item->instance->id);
    }
    n->open = true;
    g->order[g->nopen++] = n;
    return 0;
}

static void make_senders(struct leat_graph *g, struct node *n)
{
    const struct leat_sender_conf *conf = leat_plan_sender(n->item);

    for (unsigned s = 0; s < LEAT_SIGNALS && conf != NULL && !n->elsewhere; s++) {
        struct leat_sender_env env = {
            .id = n->env.id,
            .signal = (enum leat_signal)s,
            .exporter = {n->item->component->take, n->self},
            .loop = g->env.loop,
            .budget = g->env.scratch,
            .meter = g->env.meter,
            .ledger = &n->ledger,
            .workers = n->env.workers,
        };
        if (n->item->signals & 1u << s)
            n->senders[s] = leat_sender_new(conf, &env);
    }
}

static int open_kind(struct leat_graph *g, enum leat_kind kind, struct leat_err *err)
{
    for (size_t i = 0; i < g->nitems; i++) {
        struct node *n = &g->nodes[i];
        if (n->item == NULL || n->item->component->kind != kind)
            continue;
        if (kind == LEAT_EXTENSION && g->env.worker != 0 &&
            n->item->component->authenticator == NULL)
            continue;
        if (open_node(g, n, err) < 0)
            return -1;
        if (kind == LEAT_EXPORTER)
            make_senders(g, n);
    }
    return 0;
}

static struct pipeline *pipeline_of(struct leat_graph *g, const struct leat_plan_pipeline *plan)
{
    return &g->pipelines[plan - g->env.plan->pipelines];
}

/* Where a receiver's or connector's batches of this signal go: all pipelines that name it. */
static struct leat_outlet into_pipelines(struct leat_graph *g, struct node *from,
                                         enum leat_signal s, enum leat_promise *promise)
{
    size_t most = g->env.plan->npipelines, room = 0, outs = 0, n;
    struct leat_plan_pipeline **behind = leat_new_array(most, sizeof(struct leat_plan_pipeline *));
    struct leat_outlet *outlets;

    n = leat_plan_behind(g->env.plan, from->item, s, behind, most);
    for (size_t i = 0; i < n; i++)
        room += behind[i]->pipeline->nexporters + 1;
    outlets = leat_new_array(room, sizeof *outlets);
    for (size_t i = 0; i < n; i++) {
        struct pipeline *pipe = pipeline_of(g, behind[i]);
        const struct leat_pipeline *in = behind[i]->pipeline;
        if (behind[i]->promise < *promise)
            *promise = behind[i]->promise;
        if (in->nprocessors > 0) {
            outlets[outs] = edge_between(g, from, pipe->processors[0], s, outs == 0);
            outs++;
            continue;
        }
        for (size_t k = 0; k < in->nexporters; k++, outs++)
            outlets[outs] =
                edge_between(g, from, node_of(g, behind[i]->exporters[k]), s, outs == 0);
    }
    leat_free(behind);
    if (outs == 0) {
        leat_free(outlets);
        return (struct leat_outlet){NULL, NULL};
    }
    return to_all(g, outlets, outs);
}

static void connect_source(struct leat_graph *g, struct node *n)
{
    for (unsigned s = 0; s < LEAT_SIGNALS; s++)
        n->env.next[s] = into_pipelines(g, n, (enum leat_signal)s, &n->env.promise);
}

static int open_pipeline(struct leat_graph *g, struct pipeline *pipe, struct leat_err *err);

/* Opens every pipeline that the connector feeds. */
static int open_behind(struct leat_graph *g, struct node *n, struct leat_err *err)
{
    size_t most = g->env.plan->npipelines;
    struct leat_plan_pipeline **behind = leat_new_array(most, sizeof(struct leat_plan_pipeline *));
    int result = 0;

    for (unsigned s = 0; s < LEAT_SIGNALS; s++) {
        size_t count = leat_plan_behind(g->env.plan, n->item, (enum leat_signal)s, behind, most);
        for (size_t i = 0; i < count && result == 0; i++)
            result = open_pipeline(g, pipeline_of(g, behind[i]), err);
    }
    leat_free(behind);
    return result;
}

/* A connector is opened after every pipeline it feeds. The document has made sure that there is no
 * cycle. */
static int open_connector(struct leat_graph *g, struct node *n, struct leat_err *err)
{
    if (n->open)
        return 0;
    if (open_behind(g, n, err) < 0)
        return -1;
    connect_source(g, n);
    return open_node(g, n, err);
}

static struct leat_outlet to_exporters(struct leat_graph *g, struct pipeline *pipe,
                                       struct node *from)
{
    const struct leat_pipeline *in = pipe->plan->pipeline;
    struct leat_outlet *outlets = leat_new_array(in->nexporters, sizeof *outlets);

    for (size_t i = 0; i < in->nexporters; i++)
        outlets[i] =
            edge_between(g, from, node_of(g, pipe->plan->exporters[i]), in->signal, i == 0);
    return to_all(g, outlets, in->nexporters);
}

static int open_pipeline(struct leat_graph *g, struct pipeline *pipe, struct leat_err *err)
{
    const struct leat_pipeline *in = pipe->plan->pipeline;

    if (pipe->open)
        return 0;
    pipe->open = true;
    for (size_t i = 0; i < in->nexporters; i++) {
        struct node *n = node_of(g, pipe->plan->exporters[i]);
        if (n->item->component->kind == LEAT_CONNECTOR && open_connector(g, n, err) < 0)
            return -1;
    }
    for (size_t i = in->nprocessors; i-- > 0;) {
        struct node *n = pipe->processors[i];
        n->env.promise = pipe->plan->promise;
        n->env.next[in->signal] =
            i + 1 < in->nprocessors ? edge_between(g, n, pipe->processors[i + 1], in->signal, true)
                                    : to_exporters(g, pipe, n);
        if (open_node(g, n, err) < 0)
            return -1;
    }
    return 0;
}

struct leat_graph *leat_graph_new(const struct leat_graph_env *env)
{
    struct leat_graph *g = leat_new(sizeof *g);

    g->env = *env;
    g->others = env->first == NULL ? env->workers - 1 : 0;
    g->auth = (struct leat_auth_finder){g, find_auth};
    make_nodes(g);
    return g;
}

int leat_graph_open(struct leat_graph *g, struct leat_err *err)
{
    if (open_kind(g, LEAT_EXTENSION, err) < 0 || open_kind(g, LEAT_EXPORTER, err) < 0)
        return -1;
    for (size_t i = 0; i < g->env.plan->npipelines; i++) {
        if (open_pipeline(g, &g->pipelines[i], err) < 0)
            return -1;
    }
    return 0;
}

int leat_graph_open_receivers(struct leat_graph *g, struct leat_err *err)
{
    for (size_t i = 0; i < g->nitems; i++) {
        struct node *n = &g->nodes[i];
        if (n->item == NULL || n->item->component->kind != LEAT_RECEIVER || n->elsewhere)
            continue;
        connect_source(g, n);
        if (open_node(g, n, err) < 0)
            return -1;
    }
    return 0;
}

/* --- ending (draining: graph_drain.c) */

void leat_graph_close(struct leat_graph *g)
{
    leat_task_cancel(&g->drain_task);
    g->drained = NULL;
    for (size_t i = g->nopen; i-- > 0;) {
        struct node *n = g->order[i];
        for (unsigned s = 0; s < LEAT_SIGNALS; s++) {
            if (n->senders[s] != NULL)
                leat_sender_stop(n->senders[s]);
        }
        if (n->item->component->close != NULL)
            n->item->component->close(n->self);
    }
}

uint32_t leat_graph_under_way(const struct leat_graph *g)
{
    uint32_t n = g->under_way;

    for (size_t i = 0; i < g->nroutes; i++)
        n += g->routes[i]->under_way;
    return n;
}

static void free_wiring(struct leat_graph *g)
{
    while (g->edges != NULL) {
        struct edge *next = g->edges->next_made;
        leat_free(g->edges);
        g->edges = next;
    }
    for (size_t i = 0; i < g->nfanouts; i++) {
        leat_free(g->fanouts[i]->outlets);
        leat_free(g->fanouts[i]);
    }
    for (size_t i = 0; i < g->nroutes; i++)
        leat_free(g->routes[i]);
    leat_free(g->fanouts);
    leat_free(g->routes);
}

void leat_graph_free(struct leat_graph *g)
{
    if (g == NULL)
        return;
    for (size_t i = 0; i < g->nopen; i++) {
        for (unsigned s = 0; s < LEAT_SIGNALS; s++)
            leat_sender_free(g->order[i]->senders[s]);
        leat_free(g->order[i]->self);
    }
    for (size_t i = 0; i < g->env.plan->npipelines; i++)
        leat_free(g->pipelines[i].processors);
    free_wiring(g);
    leat_free(g->pipelines);
    leat_free(g->order);
    leat_free(g->nodes);
    leat_free(g);
}

void *leat_graph_find(const struct leat_graph *g, enum leat_kind kind, const char *id)
{
    for (size_t i = 0; i < g->nopen; i++) {
        const struct leat_plan_item *item = g->order[i]->item;
        if (item->component->kind == kind && strcmp(item->instance->id, id) == 0)
            return g->order[i]->self;
    }
    return NULL;
}

void leat_graph_ledgers(const struct leat_graph *g,
                        void (*visit)(void *arg, size_t nth, const char *id,
                                      const struct leat_ledger *l),
                        void *arg)
{
    for (size_t i = 0; i < g->nnodes; i++) {
        if (g->nodes[i].env.ledger != NULL)
            visit(arg, i, g->nodes[i].env.id, &g->nodes[i].ledger);
    }
}
