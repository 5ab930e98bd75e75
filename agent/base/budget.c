/* How many bytes of telemetry a worker may hold. */
#include "base/budget.h"

#include "base/check.h"

void leat_budget_init(struct leat_budget *b, size_t limit)
{
    b->limit = limit;
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

bool leat_budget_take(struct leat_budget *b, size_t bytes)
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

void leat_budget_give(struct leat_budget *b, size_t bytes)
{
    size_t before = atomic_fetch_sub_explicit(&b->used, bytes, memory_order_relaxed);

    LEAT_CHECK(before >= bytes);
}

size_t leat_budget_used(const struct leat_budget *b)
{
    return atomic_load_explicit(&b->used, memory_order_relaxed);
}

size_t leat_budget_peak(const struct leat_budget *b)
{
    return atomic_load_explicit(&b->peak, memory_order_relaxed);
}

uint64_t leat_budget_refused(const struct leat_budget *b)
{
    return atomic_load_explicit(&b->refused, memory_order_relaxed);
}
