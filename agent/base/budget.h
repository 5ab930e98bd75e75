/* How many bytes of telemetry a worker may hold: charged when a body is admitted, before it is
 * decoded.
 *
 * The count is exact and atomic, because a buffer may be given back by another worker than the one
 * that took it.
 *
 * A budget may be shared out among clients (base/share.h): what is charged to a client's share is
 * charged to the whole as well, and only as long as it is fair.
 *
 * A budget may draw on another: what is made of admitted bodies on their way out (compressed
 * copies) is charged to both. So that bodies which fill the one do not keep themselves from
 * leaving, it keeps as much back as the other has ever needed, a quarter at most. */
#ifndef LEAT_BASE_BUDGET_H
#define LEAT_BASE_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct leat_shares;

struct leat_budget {
    size_t limit; /* bytes; set before use */
    _Atomic size_t used;
    _Atomic size_t peak;
    _Atomic uint64_t refused;   /* how often leat_budget_take() said no for want of room */
    struct leat_shares *shares; /* NULL: not shared out */
    struct leat_budget *source; /* which this one draws on; NULL: none */
    struct leat_budget *drawer; /* which draws on this one; NULL: none */
    /* Of a share, for base/share.c: */
    struct leat_budget *whole; /* NULL: this is none */
    uint64_t client;           /* whose it is */
    uint32_t pins;             /* kept for its client though nothing is held: so many want it */
    bool unfair;               /* the last charge was refused although it would have fitted */
};

void leat_budget_init(struct leat_budget *b, size_t limit);
/* `b` draws on `source` from now on, before either is used: it is refused when that has no room,
 * except for the first bytes, with which everything waits to go on. */
void leat_budget_draw(struct leat_budget *b, struct leat_budget *source);
bool leat_budget_take(struct leat_budget *b,
                      size_t bytes); /* false: the budget is spent, nothing was charged */
/* The same for something that has `own` bytes charged already and grows by `bytes`. */
bool leat_budget_grow(struct leat_budget *b, size_t own, size_t bytes);
void leat_budget_give(struct leat_budget *b, size_t bytes);
size_t leat_budget_used(const struct leat_budget *b);
size_t leat_budget_peak(const struct leat_budget *b);      /* the most that was in use */
uint64_t leat_budget_refused(const struct leat_budget *b); /* how often it said no */

/* The rule. Who holds `held` of a thing of which `left` units are free may have `want` more: at
 * most LEAT_FAIR_FACTOR times what is left in all, or anything that fits for who holds nothing yet.
 *
 * One alone gets 8/9 of the whole, N greedy ones the same each, and something is always left for a
 * newcomer (dynamic thresholds, Choudhury and Hahne, 1998). */
#define LEAT_FAIR_FACTOR 8
static inline bool leat_fair(size_t held, size_t want, size_t left)
{
    return want <= left && (held == 0 || want == 0 || (held + want - 1) / LEAT_FAIR_FACTOR < left);
}

/* Without regard to the whole, for who counts that himself: a share takes or gives back. */
void leat_budget_share_add(struct leat_budget *share, size_t n);
void leat_budget_share_sub(struct leat_budget *share, size_t n);

#endif
