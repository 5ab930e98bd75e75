/* A number for each symbol of a store, in one request. */
#include "proto/prom_places.h"

#include <string.h>

#include "base/mem.h"

#define CAP_MIN  1024u
#define BASE_MAX (UINT32_C(1) << 31) /* then the numbers begin anew */

bool leat_prom_places_room(struct leat_prom_places *p, uint32_t id)
{
    size_t cap = p->cap == 0 ? CAP_MIN : p->cap;
    uint32_t *more;

    while (cap <= id)
        cap *= 2;
    if (cap == p->cap)
        return true;
    more = leat_try_resize(p->at, cap * sizeof *more);
    if (more == NULL)
        return false;
    memset(more + p->cap, 0, (cap - p->cap) * sizeof *more);
    p->at = more;
    p->cap = cap;
    return true;
}

void leat_prom_places_clear(struct leat_prom_places *p, uint32_t used)
{
    p->base += used;
    if (p->base >= BASE_MAX)
        leat_prom_places_forget(p);
}

void leat_prom_places_forget(struct leat_prom_places *p)
{
    if (p->cap > 0)
        memset(p->at, 0, p->cap * sizeof *p->at);
    p->base = 0;
}

void leat_prom_places_done(struct leat_prom_places *p)
{
    leat_free(p->at);
    *p = (struct leat_prom_places){.at = NULL};
}
