/* Which connections the tick must look at, without going over all of them: a wheel of slots, one
 * for each tick to come. What is due beyond its rim goes to the last slot, and is put again when
 * that comes round. */
#include "io/server_internal.h"

void leat_wheel_init(struct leat_wheel *w, int64_t every)
{
    for (size_t i = 0; i < LEAT_WHEEL_SLOTS; i++)
        leat_list_init(&w->slots[i]);
    w->every = every;
    w->at = 0;
}

void leat_wheel_put(struct leat_wheel *w, struct leat_link *l, int64_t due)
{
    int64_t tick = due / w->every;

    if (tick <= w->at)
        tick = w->at + 1;
    if (tick >= w->at + LEAT_WHEEL_SLOTS)
        tick = w->at + LEAT_WHEEL_SLOTS - 1;
    leat_list_remove(l);
    leat_list_append(&w->slots[tick % LEAT_WHEEL_SLOTS], l);
}

void leat_wheel_turn(struct leat_wheel *w, int64_t now, struct leat_link *found)
{
    int64_t tick = now / w->every, from = w->at + 1;
    struct leat_link *l;

    if (from < tick - LEAT_WHEEL_SLOTS + 1)
        from = tick - LEAT_WHEEL_SLOTS + 1; /* once round is all there is */
    for (; from <= tick; from++)
        while ((l = leat_list_pop(&w->slots[from % LEAT_WHEEL_SLOTS])) != NULL)
            leat_list_append(found, l);
    if (w->at < tick)
        w->at = tick;
}
