/* How many bytes of telemetry a worker may hold. */
#include "base/budget.h"

#include "base/check.h"

#define KEPT_MOST 4 /* of a budget a fourth is kept back at most for who draws on it */

void leat_budget_init(struct leat_budget *b, size_t limit)
{
    b->limit = limit;
    b->shares = NULL;
    b->source = NULL;
    b->drawer = NULL;
    b->whole = NULL;
    b->client = 0;
    b->pins = 0;
    b->unfair = false;
    atomic_init(&b->used, 0);
    atomic_init(&b->peak, 0);
    atomic_init(&b->refused, 0);
}

void leat_budget_draw(struct leat_budget *b, struct leat_budget *source)
{
    LEAT_CHECK(source->drawer == NULL && source->source == NULL);
    b->source = source;
    source->drawer = b;
}

static void note_peak(struct leat_budget *b, size_t used)
{
    size_t peak = atomic_load_explicit(&b->peak, memory_order_relaxed);

    while (used > peak && !atomic_compare_exchange_weak_explicit(
                              &b->peak, &peak, used, memory_order_relaxed, memory_order_relaxed))
        ;
}

/* The limit without what is kept back for who draws on this. */
static size_t limit_of(const struct leat_budget *b)
{
    size_t kept, used;

    if (b->drawer == NULL)
        return b->limit;
    kept = leat_budget_peak(b->drawer);
    kept = kept < b->limit / KEPT_MOST ? kept : b->limit / KEPT_MOST;
    used = leat_budget_used(b->drawer);
    return used < kept ? b->limit - (kept - used) : b->limit;
}

static bool take(struct leat_budget *b, size_t bytes, size_t limit)
{
    size_t used = atomic_load_explicit(&b->used, memory_order_relaxed);

    do {
        if (bytes > limit || used > limit - bytes) {
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
    size_t limit = limit_of(b->whole), left = used < limit ? limit - used : 0;

    b->unfair = bytes <= left && held > own && !leat_fair(held, bytes, left);
    if (b->unfair || !take(b->whole, bytes, limit))
        return false;
    leat_budget_share_add(b, bytes);
    return true;
}

static bool take_drawn(struct leat_budget *b, size_t bytes)
{
    if (!take(b->source, bytes, leat_budget_used(b) == 0 ? SIZE_MAX : b->source->limit))
        return false;
    note_peak(b, atomic_fetch_add_explicit(&b->used, bytes, memory_order_relaxed) + bytes);
    return true;
}

bool leat_budget_grow(struct leat_budget *b, size_t own, size_t bytes)
{
    if (b->whole != NULL)
        return take_share(b, own, bytes);
    return b->source != NULL ? take_drawn(b, bytes) : take(b, bytes, limit_of(b));
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
    if (b->source != NULL)
        leat_budget_share_sub(b->source, bytes);
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
