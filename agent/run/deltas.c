/* Warns where metrics with delta temporality come to an exporter that must drop them.
 *
 * What may be in a pipeline is what its receivers make, and what comes through connectors from
 * other pipelines; so all pipelines are looked at until nothing is new. */
#include "run/deltas.h"

#include "base/mem.h"
#include "config/diag.h"

/* Deltas at one place, and the component that makes them. */
struct flow {
    unsigned kinds;
    const char *source;
};

static struct leat_deltas deltas_of(const struct leat_plan_item *item)
{
    struct leat_deltas d = {.makes = 0};

    if (item != NULL && item->conf != NULL && item->component->deltas != NULL)
        item->component->deltas(item->conf, &d);
    return d;
}

static void add(struct flow *f, unsigned kinds, const char *source)
{
    if ((kinds & ~f->kinds) != 0 && f->source == NULL)
        f->source = source;
    f->kinds |= kinds;
}

static void pass(struct flow *f, const struct leat_plan_item *item)
{
    struct leat_deltas d = deltas_of(item);

    f->kinds &= ~d.turns;
    if (f->kinds == 0)
        f->source = NULL;
    if (item != NULL)
        add(f, d.makes, item->instance->id);
}

/* What comes out of a pipeline when `in` comes from connectors. */
static struct flow through(const struct leat_plan_pipeline *pipe, struct flow in)
{
    const struct leat_pipeline *p = pipe->pipeline;

    for (size_t i = 0; i < p->nreceivers; i++) {
        const struct leat_plan_item *item = pipe->receivers[i];
        if (item != NULL && item->component->kind == LEAT_RECEIVER)
            add(&in, deltas_of(item).makes, item->instance->id);
    }
    for (size_t i = 0; i < p->nprocessors; i++)
        pass(&in, pipe->processors[i]);
    return in;
}

/* Brings what leaves pipeline `from` to the metrics pipelines that its connectors feed. True: that
 * is new to one of them. */
static bool carry(const struct leat_plan *p, const struct leat_plan_pipeline *from,
                  struct flow *flows, struct leat_plan_pipeline **behind)
{
    struct flow out = through(from, flows[from - p->pipelines]);
    bool is_new = false;

    for (size_t i = 0; i < from->pipeline->nexporters; i++) {
        const struct leat_plan_item *item = from->exporters[i];
        struct flow f = from->pipeline->signal == LEAT_METRICS ? out : (struct flow){0, NULL};
        size_t n;
        if (item == NULL || item->component->kind != LEAT_CONNECTOR)
            continue;
        pass(&f, item);
        n = leat_plan_behind(p, item, LEAT_METRICS, behind, p->npipelines);
        for (size_t k = 0; k < n; k++) {
            struct flow *into = &flows[behind[k] - p->pipelines];
            is_new = is_new || (f.kinds & ~into->kinds) != 0;
            add(into, f.kinds, f.source);
        }
    }
    return is_new;
}

static const char *name_of(unsigned kinds)
{
    if (kinds == LEAT_DELTA_HISTOGRAMS)
        return "delta histograms";
    if (kinds == LEAT_DELTA_UPDOWN)
        return "delta sums that are not monotonic";
    return kinds & LEAT_DELTA_HISTOGRAMS ? "delta sums and histograms" : "delta sums";
}

static void check_pipeline(const struct leat_plan_pipeline *pipe, struct flow in,
                           struct leat_diags *diags)
{
    const struct leat_pipeline *p = pipe->pipeline;
    struct flow out = through(pipe, in);

    for (size_t i = 0; i < p->nexporters; i++) {
        struct leat_deltas d = deltas_of(pipe->exporters[i]);
        unsigned lost = out.kinds & d.drops;
        if (lost != 0)
            leat_diags_warn(diags, p->exporters[i].at, p->id, NULL,
                            "'%s' will drop the %s of '%s': %s; put the processor "
                            "deltatocumulative into this pipeline",
                            p->exporters[i].instance->id, name_of(lost), out.source, d.why);
    }
}

void leat_deltas_check(const struct leat_plan *p, struct leat_diags *diags)
{
    struct flow *flows = leat_new_array(p->npipelines, sizeof *flows);
    struct leat_plan_pipeline **behind =
        leat_new_array(p->npipelines, sizeof(struct leat_plan_pipeline *));
    bool is_new = true;

    while (is_new) { /* kinds only grow: at most three times for each pipeline */
        is_new = false;
        for (size_t i = 0; i < p->npipelines; i++)
            is_new = carry(p, &p->pipelines[i], flows, behind) || is_new;
    }
    for (size_t i = 0; i < p->npipelines; i++) {
        if (p->pipelines[i].pipeline->signal == LEAT_METRICS)
            check_pipeline(&p->pipelines[i], flows[i], diags);
    }
    leat_free(behind);
    leat_free(flows);
}
