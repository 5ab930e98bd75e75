/* Memory of one StatsD table: pieces of one reserved range, named by 32-bit references, so that
 * they cost half of a pointer and are given back all at once. */
#ifndef LEAT_RECEIVERS_STATSD_POOL_H
#define LEAT_RECEIVERS_STATSD_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct leat_budget;

#define LEAT_STATSD_UNIT       8                   /* bytes: references count in them */
#define LEAT_STATSD_PIECE_MAX  ((size_t)64 * 1024) /* the largest piece */
#define LEAT_STATSD_POOL_STEP  ((size_t)64 * 1024) /* what is charged at a time */
#define LEAT_STATSD_POOL_FINE  64 /* sizes of one unit more each; then four to each doubling */
#define LEAT_STATSD_POOL_SIZES (LEAT_STATSD_POOL_FINE + 4 * 8)

struct leat_statsd_pool {
    uint8_t *base;
    size_t max;                                   /* bytes reserved */
    size_t top;                                   /* bytes handed out, some of which came back */
    size_t charged;                               /* bytes charged: at least `top` */
    size_t touched;                               /* bytes that may be in memory */
    size_t taken;                                 /* bytes in pieces that are out */
    struct leat_budget *budget;                   /* may be NULL */
    uint32_t free_pieces[LEAT_STATSD_POOL_SIZES]; /* of each size, the first that came back */
};

void leat_statsd_pool_init(struct leat_statsd_pool *p, size_t max, struct leat_budget *budget);
void leat_statsd_pool_done(struct leat_statsd_pool *p);
/* A piece of `size` bytes (LEAT_STATSD_PIECE_MAX at most), not zeroed, aligned to a unit. 0: the
 * pool is full or the budget spent. */
uint32_t leat_statsd_pool_take(struct leat_statsd_pool *p, size_t size);
void leat_statsd_pool_give(struct leat_statsd_pool *p, uint32_t ref, size_t size); /* takes 0 */
/* Every piece comes back, and the memory is the kernel's again. */
void leat_statsd_pool_reset(struct leat_statsd_pool *p);

static inline void *leat_statsd_at(const struct leat_statsd_pool *p, uint32_t ref)
{
    return p->base + (size_t)ref * LEAT_STATSD_UNIT;
}

#endif
