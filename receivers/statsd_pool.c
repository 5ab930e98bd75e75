/* Memory of one StatsD table. */
#include "receivers/statsd_pool.h"

#include <string.h>

#include "base/budget.h"
#include "base/check.h"
#include "base/mem.h"

void leat_statsd_pool_init(struct leat_statsd_pool *p, size_t max, struct leat_budget *budget)
{
    *p = (struct leat_statsd_pool){
        .base = leat_new_pages(max), .max = max, .top = LEAT_STATSD_UNIT, .budget = budget};
}

void leat_statsd_pool_done(struct leat_statsd_pool *p)
{
    if (p->budget != NULL)
        leat_budget_give(p->budget, p->charged);
    leat_free_pages(p->base, p->max);
    *p = (struct leat_statsd_pool){.base = NULL};
}

/* Which size a piece is of, and how many units that is. */
static unsigned size_of(size_t size, size_t *ret_units)
{
    size_t units = (size + LEAT_STATSD_UNIT - 1) / LEAT_STATSD_UNIT, step;
    unsigned log;

    LEAT_CHECK(size > 0 && size <= LEAT_STATSD_PIECE_MAX);
    if (units <= LEAT_STATSD_POOL_FINE) {
        *ret_units = units;
        return (unsigned)units - 1;
    }
    log = 63 - (unsigned)__builtin_clzll(units - 1); /* 6 and more */
    step = (size_t)1 << (log - 2);
    units = (units + step - 1) / step;
    *ret_units = units * step;
    return LEAT_STATSD_POOL_FINE + (log - 6) * 4 + (unsigned)units - 5;
}

static bool charge(struct leat_statsd_pool *p, size_t top)
{
    size_t more;

    if (top <= p->charged)
        return true;
    more = (top - p->charged + LEAT_STATSD_POOL_STEP - 1) / LEAT_STATSD_POOL_STEP *
           LEAT_STATSD_POOL_STEP;
    if (more > p->max - p->charged)
        more = p->max - p->charged;
    if (p->budget != NULL && !leat_budget_grow(p->budget, p->charged, more))
        return false;
    p->charged += more;
    if (p->touched < p->charged)
        p->touched = p->charged;
    return true;
}

uint32_t leat_statsd_pool_take(struct leat_statsd_pool *p, size_t size)
{
    size_t units;
    unsigned i = size_of(size, &units);
    uint32_t ref = p->free_pieces[i];

    if (ref != 0) {
        memcpy(&p->free_pieces[i], leat_statsd_at(p, ref), sizeof ref);
    } else {
        size_t bytes = units * LEAT_STATSD_UNIT;
        if (bytes > p->max - p->top || !charge(p, p->top + bytes))
            return 0;
        ref = (uint32_t)(p->top / LEAT_STATSD_UNIT);
        p->top += bytes;
    }
    p->taken += units * LEAT_STATSD_UNIT;
    return ref;
}

void leat_statsd_pool_give(struct leat_statsd_pool *p, uint32_t ref, size_t size)
{
    size_t units;
    unsigned i;

    if (ref == 0)
        return;
    i = size_of(size, &units);
    memcpy(leat_statsd_at(p, ref), &p->free_pieces[i], sizeof ref);
    p->free_pieces[i] = ref;
    p->taken -= units * LEAT_STATSD_UNIT;
}

void leat_statsd_pool_reset(struct leat_statsd_pool *p)
{
    if (p->touched > LEAT_STATSD_POOL_STEP)
        leat_pages_rest(p->base, p->touched);
    if (p->budget != NULL)
        leat_budget_give(p->budget, p->charged);
    p->top = LEAT_STATSD_UNIT;
    p->charged = p->touched = p->taken = 0;
    memset(p->free_pieces, 0, sizeof p->free_pieces);
}
