/* How much telemetry may be held: leat.memory, else the tightest memory_limiter, else a share of
 * what there is. */
#ifndef LEAT_RUN_MEMORY_H
#define LEAT_RUN_MEMORY_H

#include "run/plan.h"

/* Bytes for all workers together. -1 and `err`: leat.memory is no size and no percentage.
 * *ret_source: words for the log, static. */
int leat_memory_of(const struct leat_plan *plan, uint64_t *ret, const char **ret_source,
                   struct leat_err *err);

/* Whether `text` can be leat.memory. leat_plan_load() asks, so of a plan that it gave
 * leat_memory_of() never fails. */
int leat_memory_check(const char *text, struct leat_err *err);

#endif
