/* The orderly end of a graph: stage by stage, each to its end before the next.
 *
 * What worker 0 alone has the others reach by parcel until they are drained themselves. So worker 0
 * waits for their word before it asks for the last of anything: its own receivers take nothing new
 * meanwhile, and all that holds data is told to pass it on. */
#include "run/graph_parts.h"

static void drain_next(struct leat_graph *g);

static void later(struct leat_task *t)
{
    drain_next(LEAT_OWNER(t, struct leat_graph, drain_task));
}

static void one_drained(void *house)
{
    struct leat_graph *g = house;

    if (--g->undrained == 0)
        leat_loop_defer(g->env.loop, &g->drain_task);
}

static void drain_nodes(struct leat_graph *g, bool exporters)
{
    for (size_t i = g->nopen; i-- > 0;) {
        struct node *n = g->order[i];
        const struct leat_component *c = n->item->component;
        bool is_exporter = c->kind == LEAT_EXPORTER;
        if (c->kind == LEAT_EXTENSION || is_exporter != exporters || n->draining)
            continue;
        n->draining = true;
        if (c->drain == NULL)
            continue;
        g->undrained++;
        c->drain(n->self, one_drained, g);
    }
}

static void drain_senders(struct leat_graph *g, bool and_tell)
{
    for (size_t i = 0; i < g->nopen; i++) {
        for (unsigned s = 0; s < LEAT_SIGNALS; s++) {
            struct leat_sender *sender = g->order[i]->senders[s];
            if (sender == NULL)
                continue;
            g->undrained += and_tell;
            leat_sender_drain(sender, and_tell ? one_drained : NULL, g);
        }
    }
}

/* What other workers have sent through these since they were drained. */
static void drain_again(struct leat_graph *g)
{
    for (size_t i = g->nopen; i-- > 0;) {
        struct node *n = g->order[i];
        const struct leat_component *c = n->item->component;
        if (c->drain == NULL || (c->kind != LEAT_PROCESSOR && c->kind != LEAT_CONNECTOR))
            continue;
        g->undrained++;
        c->drain(n->self, one_drained, g);
    }
}

/* In worker 0: one of the others has nothing more to send. */
static void other_drained(struct leat_mail *mail)
{
    struct leat_graph *g = LEAT_OWNER(mail, struct leat_graph, told_first)->env.first;

    if (--g->others == 0 && g->undrained == 0 && g->drained != NULL)
        leat_loop_defer(g->env.loop, &g->drain_task);
}

static void finish(struct leat_graph *g)
{
    void (*drained)(void *arg) = g->drained;

    if (g->env.first != NULL) {
        g->told_first.deliver = other_drained;
        leat_mailbox_send(g->env.first_mailbox, &g->told_first);
    }
    g->drained = NULL;
    drained(g->drained_arg);
}

/* First receivers, processors and connectors, while the senders already send what they hold (in
 * worker 0 processors and connectors once more, when the other workers are drained); then the
 * senders to their end; then the exporters. */
static void drain_next(struct leat_graph *g)
{
    if (g->drained == NULL || g->others > 0)
        return;
    if (g->env.first == NULL && g->env.workers > 1 && !g->drained_again) {
        g->drained_again = true;
        g->undrained++;
        drain_again(g);
        one_drained(g);
        return;
    }
    if (!g->senders_told) {
        g->senders_told = true;
        g->undrained++;
        drain_senders(g, true);
        one_drained(g);
        return;
    }
    for (size_t i = 0; i < g->nopen; i++) {
        if (g->order[i]->item->component->kind == LEAT_EXPORTER && !g->order[i]->draining) {
            g->undrained++;
            drain_nodes(g, true);
            one_drained(g);
            return;
        }
    }
    finish(g);
}

void leat_graph_drain(struct leat_graph *g, void (*drained)(void *arg), void *arg)
{
    g->drained = drained;
    g->drained_arg = arg;
    g->drain_task.run = later;
    g->undrained = 1;
    drain_nodes(g, false);
    drain_senders(g, false);
    one_drained(g);
}
