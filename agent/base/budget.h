/* How many bytes of telemetry a worker may hold: charged when a body is admitted, before it is
 * decoded.
 *
 * The count is exact and atomic, because a buffer may be given back by another worker than the one
 * that took it. */
#ifndef LEAT_BASE_BUDGET_H
#define LEAT_BASE_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct leat_budget {
    size_t limit; /* bytes; set before use */
    _Atomic size_t used;
    _Atomic size_t peak;
    _Atomic uint64_t refused; /* how often leat_budget_take() said no */
};

void leat_budget_init(struct leat_budget *b, size_t limit);
bool leat_budget_take(struct leat_budget *b,
                      size_t bytes); /* false: the budget is spent, nothing was charged */
void leat_budget_give(struct leat_budget *b, size_t bytes);
size_t leat_budget_used(const struct leat_budget *b);
size_t leat_budget_peak(const struct leat_budget *b);      /* the most that was in use */
uint64_t leat_budget_refused(const struct leat_budget *b); /* how often it said no */

#endif
