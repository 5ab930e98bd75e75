/* Where things of a StatsD table are by their hash. */
#include "receivers/statsd_index.h"

#include <string.h>

#include "base/budget.h"
#include "base/mem.h"

#define SLOTS_MIN 256

/* Seven slots of eight are used at most. */
static uint32_t room(uint32_t slots)
{
    return slots - slots / 8;
}

void leat_statsd_index_init(struct leat_statsd_index *x, uint32_t max, struct leat_budget *budget)
{
    *x = (struct leat_statsd_index){.slots = leat_new_array(SLOTS_MIN, sizeof *x->slots),
                                    .mask = SLOTS_MIN - 1,
                                    .max = max,
                                    .budget = budget};
}

/* What stands on the budget: all but the first few KiB. */
static size_t charged(const struct leat_statsd_index *x)
{
    return x->mask + 1 > SLOTS_MIN ? leat_statsd_index_bytes(x) : 0;
}

void leat_statsd_index_done(struct leat_statsd_index *x)
{
    if (x->budget != NULL)
        leat_budget_give(x->budget, charged(x));
    leat_free_table(x->slots, leat_statsd_index_bytes(x));
    x->slots = NULL;
    x->used = x->mask = 0;
}

/* Small again; where there is no memory even for that, as large as it was. */
void leat_statsd_index_clear(struct leat_statsd_index *x)
{
    void *slots = x->mask + 1 > SLOTS_MIN ? leat_try(SLOTS_MIN * sizeof *x->slots) : NULL;

    if (slots != NULL) {
        if (x->budget != NULL)
            leat_budget_give(x->budget, charged(x));
        leat_free_table(x->slots, leat_statsd_index_bytes(x));
        x->slots = slots;
        x->mask = SLOTS_MIN - 1;
    }
    x->used = 0;
    memset(x->slots, 0, leat_statsd_index_bytes(x));
}

size_t leat_statsd_index_bytes(const struct leat_statsd_index *x)
{
    return ((size_t)x->mask + 1) * sizeof *x->slots;
}

size_t leat_statsd_index_bound(uint32_t max)
{
    uint32_t slots = SLOTS_MIN;

    while (room(slots) < max && slots < UINT32_C(1) << 31)
        slots *= 2;
    return (size_t)slots * 3 / 2 * sizeof(uint64_t);
}

static void put(uint64_t *slots, uint32_t mask, uint64_t slot)
{
    uint32_t i = (uint32_t)slot & mask;

    while (slots[i] != 0)
        i = (i + 1) & mask;
    slots[i] = slot;
}

static bool grow(struct leat_statsd_index *x)
{
    size_t old = charged(x), count = ((size_t)x->mask + 1) * 2, size = count * sizeof *x->slots;
    uint64_t *slots;

    if (count > UINT32_C(1) << 31 || (x->budget != NULL && !leat_budget_grow(x->budget, old, size)))
        return false;
    slots = leat_try_table(size);
    if (slots == NULL) {
        if (x->budget != NULL)
            leat_budget_give(x->budget, size);
        return false;
    }
    for (size_t i = 0; i <= x->mask; i++) {
        if (x->slots[i] != 0)
            put(slots, (uint32_t)count - 1, x->slots[i]);
    }
    if (x->budget != NULL)
        leat_budget_give(x->budget, old);
    leat_free_table(x->slots, leat_statsd_index_bytes(x));
    x->slots = slots;
    x->mask = (uint32_t)count - 1;
    return true;
}

bool leat_statsd_index_add(struct leat_statsd_index *x, uint32_t hash, uint32_t ref)
{
    if (x->used == x->max || (x->used == room(x->mask + 1) && !grow(x)))
        return false;
    put(x->slots, x->mask, (uint64_t)ref << 32 | hash);
    x->used++;
    return true;
}

void leat_statsd_index_remove(struct leat_statsd_index *x, uint32_t hash, uint32_t ref)
{
    uint64_t wanted = (uint64_t)ref << 32 | hash;
    uint32_t hole = hash & x->mask, i;

    while (x->slots[hole] != wanted) {
        if (x->slots[hole] == 0)
            return;
        hole = (hole + 1) & x->mask;
    }
    /* What comes after it moves up, unless it would stand before its place. */
    for (i = (hole + 1) & x->mask; x->slots[i] != 0; i = (i + 1) & x->mask) {
        uint32_t home = (uint32_t)x->slots[i] & x->mask;
        if (((i - home) & x->mask) >= ((i - hole) & x->mask)) {
            x->slots[hole] = x->slots[i];
            hole = i;
        }
    }
    x->slots[hole] = 0;
    x->used--;
}
