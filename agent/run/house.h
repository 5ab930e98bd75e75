/* What the program tells of itself: state, components, pipelines, metrics. */
#ifndef LEAT_RUN_HOUSE_H
#define LEAT_RUN_HOUSE_H

#include "base/meter.h"
#include "flow/house.h"
#include "run/plan.h"

struct leat_house_keeper;

struct leat_house_keeper *leat_house_new(const struct leat_plan *plan, unsigned workers);
void leat_house_free(struct leat_house_keeper *h); /* takes NULL */
const struct leat_house *leat_house_of(const struct leat_house_keeper *h);
void leat_house_set_state(struct leat_house_keeper *h, enum leat_house_state state);
/* One more meter to sum. Before threads run. */
void leat_house_add_meter(struct leat_house_keeper *h, struct leat_meter *m);
/* Visits the series of all meters together (nth 0), or of one: 1 is the program's own, then the
 * workers' in their order. False: there is no such meter. From any thread. */
bool leat_house_visit(const struct leat_house_keeper *h, size_t nth,
                      void (*visit)(void *arg, const struct leat_metric *id, double value),
                      void *arg);

#endif
