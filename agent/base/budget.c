/* How many bytes of telemetry a worker may hold. */
#include "base/budget.h"

#include "base/check.h"

void leat_budget_init(struct leat_budget *b, size_t limit)
{
    b->limit = limit;
    b->shares = NULL;
    b->whole = NULL;
    b->client = 0;
    b->pins = 0;
    b->unfair = false;
    atomic_init(&b->used, 0);
    atomic_init(&b->peak, 0);
    atomic_init(&b->refused, 0);
}

static void note_peak(struct leat_budget *b, size_t used)
{
    size_t peak = atomic_load_explicit(&b->peak, memory_order_relaxed);

    while (used > peak && !atomic_compare_exchange_weak_explicit(
                              &b->peak, &peak, used, memory_order_relaxed, memory_order_relaxed))
        ;
}

static bool take(struct leat_budget *b, size_t bytes)
{
    size_t used = atomic_load_explicit(&b->used, memory_order_relaxed);

    do {
        if (bytes > b->limit || used > b->limit - bytes) {
            atomic_fetch_add_explicit(&b->refused, 1, memory_order_relaxed);
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&b->used, &used, used + bytes,
                                                    memory_order_relaxed, memory_order_relaxed));
    note_peak(b, used + bytes);
    return true;
}

/* Only the whole's own worker takes; what another gives back meanwhile makes it fairer. */
static bool take_share(struct leat_budget *b, size_t own, size_t bytes)
{
    size_t held = leat_budget_used(b), used = leat_budget_used(b->whole);
    size_t left = used < b->whole->limit ? b->whole->limit - used : 0;

    b->unfair = bytes <= left && held > own && !leat_fair(held, bytes, left);
    if (b->unfair || !take(b->whole, bytes))
        return false;
    leat_budget_share_add(b, bytes);
    return true;
}

bool leat_budget_grow(struct leat_budget *b, size_t own, size_t bytes)
{
    return b->whole != NULL ? take_share(b, own, bytes) : take(b, bytes);
}

bool leat_budget_take(struct leat_budget *b, size_t bytes)
{
    return leat_budget_grow(b, 0, bytes);
}

void leat_budget_share_add(struct leat_budget *share, size_t n)
{
    atomic_fetch_add_explicit(&share->used, n, memory_order_relaxed);
}

void leat_budget_share_sub(struct leat_budget *share, size_t n)
{
    /* After this a share may be somebody else's: whoever sees it so sees all that was done before.
     */
    size_t before = atomic_fetch_sub_explicit(&share->used, n, memory_order_release);

    LEAT_CHECK(before >= n);
}

void leat_budget_give(struct leat_budget *b, size_t bytes)
{
    if (b->whole != NULL)
        leat_budget_share_sub(b->whole, bytes);
    leat_budget_share_sub(b, bytes);
}

size_t leat_budget_used(const struct leat_budget *b)
{
    return atomic_load_explicit(&b->used, memory_order_acquire);
}

size_t leat_budget_peak(const struct leat_budget *b)
{
    return atomic_load_explicit(&b->peak, memory_order_relaxed);
}

uint64_t leat_budget_refused(const struct leat_budget *b)
{
    return atomic_load_explicit(&b->refused, memory_order_relaxed);
}
