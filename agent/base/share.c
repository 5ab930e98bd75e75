/* A budget shared out among its clients. */
#include "base/share.h"

#include <stdio.h>

#include "base/check.h"
#include "base/mem.h"

/* A client's share is one of the places of its set. Client numbers are keyed hashes or random, so
 * nobody outside can choose a set to crowd. */
#define WAYS 8
#define SETS (LEAT_SHARES / WAYS)

#define MIB (1024.0 * 1024.0)

struct leat_shares {
    struct leat_budget many;
    struct leat_budget places[SETS][WAYS];
};

struct leat_shares *leat_shares_new(struct leat_budget *whole)
{
    struct leat_shares *s = leat_new_pages(sizeof *s);

    leat_budget_init(&s->many, 0);
    s->many.whole = whole;
    s->many.client = LEAT_CLIENT_MANY;
    return s;
}

void leat_shares_free(struct leat_shares *s)
{
    leat_free_pages(s, sizeof *s);
}

struct leat_budget *leat_shares_find(struct leat_shares *s, uint64_t client)
{
    struct leat_budget *set = s->places[client / WAYS % SETS], *empty = NULL;

    if (client < LEAT_CLIENT_FIRST)
        return &s->many;
    for (int i = 0; i < WAYS; i++) {
        if (set[i].client == client)
            return &set[i];
        if (empty == NULL && leat_budget_used(&set[i]) == 0 && set[i].pins == 0)
            empty = &set[i];
    }
    if (empty == NULL)
        return &s->many;
    empty->whole = s->many.whole;
    empty->client = client;
    return empty;
}

size_t leat_shares_held(const struct leat_shares *s)
{
    size_t held = leat_budget_used(&s->many);

    for (size_t i = 0; i < LEAT_SHARES; i++)
        held += leat_budget_used(&s->places[i / WAYS][i % WAYS]);
    return held;
}

uint32_t leat_shares_number(const struct leat_shares *s, const struct leat_budget *share)
{
    return share == &s->many ? LEAT_SHARES : (uint32_t)(share - &s->places[0][0]);
}

struct leat_budget *leat_shares_at(struct leat_shares *s, uint32_t number)
{
    LEAT_CHECK(number < LEAT_SHARES_IN_ALL);
    return number == LEAT_SHARES ? &s->many : &s->places[number / WAYS][number % WAYS];
}

void leat_budget_share_out(struct leat_budget *b)
{
    LEAT_CHECK(b->shares == NULL && b->whole == NULL);
    b->shares = leat_shares_new(b);
}

void leat_budget_done(struct leat_budget *b)
{
    leat_shares_free(b->shares);
    b->shares = NULL;
}

struct leat_budget *leat_budget_of(struct leat_budget *b, uint64_t client, struct leat_budget *last)
{
    if (b == NULL || b->shares == NULL || client == LEAT_CLIENT_NONE)
        return b;
    if (last != NULL && last->client == client)
        return last;
    return leat_shares_find(b->shares, client);
}

bool leat_budget_is_light(const struct leat_budget *b)
{
    const struct leat_shares *s = b != NULL && b->whole != NULL ? b->whole->shares : NULL;
    size_t clients, all;

    if (s == NULL || b == &s->many)
        return false;
    all = leat_budget_used(&s->many);
    clients = all != 0;
    for (size_t i = 0; i < LEAT_SHARES; i++) {
        size_t used = leat_budget_used(&s->places[i / WAYS][i % WAYS]);
        clients += used != 0;
        all += used;
    }
    return clients != 0 && leat_budget_used(b) < all / clients / 2;
}

bool leat_budget_unfair(const struct leat_budget *b, char *text, size_t size)
{
    if (b == NULL || b->whole == NULL || !b->unfair)
        return false;
    snprintf(text, size,
             "this client already holds %.1f of the %.1f MiB there are, and what is left is for "
             "others: try again later",
             (double)leat_budget_used(b) / MIB, (double)b->whole->limit / MIB);
    return true;
}
