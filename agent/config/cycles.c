/* Pipelines that feed themselves through connectors. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "config/reading.h"

#define MAX_SENTENCE 600

enum mark { NEW, OPEN, DONE };

/* A step on the way from the first pipeline: which exporter of which pipeline is being followed,
 * and which pipeline of those that receive from it is next. */
struct step {
    size_t pipeline, exporter, next;
};

struct walk {
    const struct leat_document *doc;
    struct leat_diags *diags;
    unsigned char *marks; /* of pipelines */
    struct step *steps;
    size_t depth;
};

static bool receives(const struct leat_pipeline *p, const struct leat_instance *connector)
{
    for (size_t i = 0; i < p->nreceivers; i++) {
        if (p->receivers[i].instance == connector)
            return true;
    }
    return false;
}

static void report(const struct walk *w, size_t again)
{
    const struct step *last = &w->steps[w->depth - 1];
    const struct leat_pipeline *from = &w->doc->pipelines[last->pipeline];
    struct leat_text text;
    size_t i = 0;

    leat_text_init(&text, MAX_SENTENCE);
    while (w->steps[i].pipeline != again)
        i++;
    for (; i < w->depth; i++) {
        const struct leat_pipeline *p = &w->doc->pipelines[w->steps[i].pipeline];
        leat_text_printf(&text, "%.60s -> (%.60s) -> ", p->id,
                         p->exporters[w->steps[i].exporter].instance->id);
    }
    leat_text_printf(&text, "%.60s", w->doc->pipelines[again].id);
    leat_diags_error(w->diags, from->exporters[last->exporter].at, "service.pipelines", NULL,
                     "pipelines feed themselves: %s", leat_text_get(&text));
    leat_text_done(&text);
}

/* Moves to the next pipeline that receives from the connector the step is at; SIZE_MAX: none. */
static size_t next_pipeline(const struct walk *w, struct step *s)
{
    const struct leat_pipeline *p = &w->doc->pipelines[s->pipeline];

    for (; s->exporter < p->nexporters; s->exporter++, s->next = 0) {
        const struct leat_instance *in = p->exporters[s->exporter].instance;
        if (in->section != LEAT_SECTION_CONNECTORS)
            continue;
        while (s->next < w->doc->npipelines) {
            size_t i = s->next++;
            if (receives(&w->doc->pipelines[i], in))
                return i;
        }
    }
    return SIZE_MAX;
}

static void push(struct walk *w, size_t pipeline)
{
    w->marks[pipeline] = OPEN;
    w->steps[w->depth++] = (struct step){.pipeline = pipeline};
}

/* Depth first, with a stack of its own: as deep as there are pipelines. */
static void walk_from(struct walk *w, size_t first)
{
    push(w, first);
    while (w->depth > 0) {
        struct step *s = &w->steps[w->depth - 1];
        size_t next = next_pipeline(w, s);
        if (next == SIZE_MAX) {
            w->marks[s->pipeline] = DONE;
            w->depth--;
        } else if (w->marks[next] == NEW) {
            push(w, next);
        } else if (w->marks[next] == OPEN) {
            report(w, next);
        }
    }
}

void leat_reading_cycles(struct leat_reading *r)
{
    size_t n = r->doc->npipelines;
    struct walk w = {.doc = r->doc, .diags = r->diags};

    w.marks = leat_new_array(n, 1);
    w.steps = leat_new_array(n, sizeof *w.steps);
    for (size_t i = 0; i < n; i++) {
        if (w.marks[i] == NEW)
            walk_from(&w, i);
    }
    leat_free(w.marks);
    leat_free(w.steps);
}
