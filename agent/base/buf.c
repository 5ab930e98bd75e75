/* Ref-counted bytes, charged to a budget. */
#include "base/buf.h"

#include "base/check.h"
#include "base/mem.h"

static int charge(struct leat_budget *budget, size_t own, size_t bytes)
{
    return budget == NULL || leat_budget_grow(budget, own, bytes) ? 0 : -1;
}

static void discharge(struct leat_budget *budget, size_t bytes)
{
    if (budget != NULL)
        leat_budget_give(budget, bytes);
}

struct leat_buf *leat_buf_new(struct leat_budget *budget, size_t cap)
{
    struct leat_buf *b;

    if (cap > SIZE_MAX - sizeof *b || charge(budget, 0, cap) < 0)
        return NULL;
    b = leat_try(sizeof *b + cap);
    if (b == NULL) {
        discharge(budget, cap);
        return NULL;
    }
    atomic_init(&b->refs, 1);
    b->budget = budget;
    b->cap = cap;
    b->len = 0;
    return b;
}

struct leat_buf *leat_buf_ref(struct leat_buf *b)
{
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

void leat_buf_unref(struct leat_buf *b)
{
    if (b == NULL || atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1)
        return;
    discharge(b->budget, b->cap);
    leat_free(b);
}

int leat_buf_resize(struct leat_buf **ret, size_t cap)
{
    struct leat_buf *b = *ret;
    size_t old = b->cap;

    LEAT_CHECK(atomic_load_explicit(&b->refs, memory_order_acquire) == 1 && cap >= b->len);
    if (cap > SIZE_MAX - sizeof *b || (cap > old && charge(b->budget, old, cap - old) < 0))
        return -1;
    b = leat_try_resize(b, sizeof *b + cap);
    if (b == NULL) {
        if (cap > old)
            discharge((*ret)->budget, cap - old);
        return -1;
    }
    if (cap < old)
        discharge(b->budget, old - cap);
    b->cap = cap;
    *ret = b;
    return 0;
}
