/* Warns where metrics with delta temporality come to an exporter that must drop them. */
#ifndef LEAT_RUN_DELTAS_H
#define LEAT_RUN_DELTAS_H

#include "run/plan.h"

/* At the exporter's name in the pipeline, with what to add. All settings are filled. */
void leat_deltas_check(const struct leat_plan *p, struct leat_diags *diags);

#endif
