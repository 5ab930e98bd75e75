/* A checked configuration, ready to be built: which component each instance is, its filled
 * settings, and how pipelines connect them. Made once; every worker builds its graph from it. */
#ifndef LEAT_RUN_PLAN_H
#define LEAT_RUN_PLAN_H

#include "config/document.h"
#include "flow/component.h"
#include "flow/sender.h"
#include "run/settings.h"

struct leat_plan_item {
    const struct leat_instance *instance;
    const struct leat_component *component;
    void *conf;
    unsigned signals; /* of the pipelines that use it */
};

struct leat_plan_pipeline {
    const struct leat_pipeline *pipeline;
    struct leat_plan_item **receivers, **processors, **exporters; /* counts as in `pipeline` */
    enum leat_promise promise;
};

struct leat_plan {
    struct leat_arena arena;
    struct leat_document *document;
    struct leat_plan_item *items; /* one per used instance */
    size_t nitems;
    struct leat_plan_pipeline *pipelines; /* in the order of the document */
    size_t npipelines;
    struct leat_plan_item **extensions;
    size_t nextensions;
    struct leat_telemetry_settings telemetry;
    struct leat_own_settings own;
};

/* Reads, expands, fills, checks. All that is wrong is in `diags`. NULL when there is an error. */
struct leat_plan *leat_plan_load(const char *const *sources, size_t nsources,
                                 const char *const *sets, size_t nsets, struct leat_diags *diags);
void leat_plan_free(struct leat_plan *p); /* takes NULL */
/* For who is about to start it: what only this machine can tell, and has a place in the file. -1
 * and `diags`: the start would fail. */
int leat_plan_try(const struct leat_plan *p, struct leat_diags *diags);
/* The sender settings of an exporter, or NULL. */
const struct leat_sender_conf *leat_plan_sender(const struct leat_plan_item *item);
/* The pipelines of which this connector is a receiver. Fills up to `max`; returns how many there
 * are. */
size_t leat_plan_behind(const struct leat_plan *p, const struct leat_plan_item *connector,
                        enum leat_signal signal, struct leat_plan_pipeline **ret, size_t max);
/* The whole as YAML: resolved, defaults marked, secrets masked unless `unmasked`. */
void leat_plan_print(const struct leat_plan *p, bool unmasked, struct leat_text *out);

#endif
