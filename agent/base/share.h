/* A budget shared out among its clients, so that one of them cannot take it all from the others.
 *
 * A bounded table of shares, one per client that holds something. A share of which nothing is held
 * may become another client's at any time, so idle clients cost nothing and nobody has to be
 * removed; clients for whom there is no place use one share together. The table is its owner's
 * thread's; shares are given back to by any. */
#ifndef LEAT_BASE_SHARE_H
#define LEAT_BASE_SHARE_H

#include "base/budget.h"

#define LEAT_SHARES       1024 /* clients that hold something at a time and have a share of their own */
#define LEAT_CLIENT_NONE  0 /* client: nobody, charged to the whole and not limited */
#define LEAT_CLIENT_MANY  1 /* the client of the share that is used together */
#define LEAT_CLIENT_FIRST 2 /* clients are numbers from here on; as good as random ones */

/* `whole` is charged for what its shares hold; NULL: only the shares are counted. */
struct leat_shares *leat_shares_new(struct leat_budget *whole);
void leat_shares_free(struct leat_shares *s); /* takes NULL */
/* The client's share, which is valid to be charged at once; later only while something is held. */
struct leat_budget *leat_shares_find(struct leat_shares *s, uint64_t client);
size_t leat_shares_held(const struct leat_shares *s); /* by all together; looks at each */
/* Every share has a number below LEAT_SHARES_IN_ALL, and a way back. */
#define LEAT_SHARES_IN_ALL (LEAT_SHARES + 1)
uint32_t leat_shares_number(const struct leat_shares *s, const struct leat_budget *share);
struct leat_budget *leat_shares_at(struct leat_shares *s, uint32_t number);

/* Shares out a budget from now on; before it is used by a second thread. */
void leat_budget_share_out(struct leat_budget *b);
void leat_budget_done(struct leat_budget *b);
/* Where something of this client is charged: to its share, or to the budget when that is not shared
 * out or the client is nobody. `last` (may be NULL) is what this returned for the client before. */
struct leat_budget *leat_budget_of(struct leat_budget *b, uint64_t client,
                                   struct leat_budget *last);
/* A client's share of which less than half of what clients hold on average is taken: it is not the
 * one to blame. Looks at every share. */
bool leat_budget_is_light(const struct leat_budget *b);
/* Why the last charge was refused, for the client: a sentence in `text`, or false when it was not
 * for fairness. Takes NULL. */
bool leat_budget_unfair(const struct leat_budget *b, char *text, size_t size);
/* Whose this is; takes NULL. */
static inline uint64_t leat_budget_client(const struct leat_budget *b)
{
    return b != NULL ? b->client : LEAT_CLIENT_NONE;
}

#endif
