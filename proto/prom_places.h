/* A number for each symbol of a store, in one request: forgotten all at once by counting on. */
#ifndef LEAT_PROTO_PROM_PLACES_H
#define LEAT_PROTO_PROM_PLACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero before first use. */
struct leat_prom_places {
    uint32_t base;
    uint32_t *at; /* by the symbol's id: its number + base, or below: none */
    size_t cap;
};

/* Makes a place for this id. false: no memory. */
bool leat_prom_places_room(struct leat_prom_places *p, uint32_t id);
/* The next request: no symbol has a number. Those of this one were at most `used`. */
void leat_prom_places_clear(struct leat_prom_places *p, uint32_t used);
/* The ids mean other symbols from now on. */
void leat_prom_places_forget(struct leat_prom_places *p);
void leat_prom_places_done(struct leat_prom_places *p);

/* The number of a symbol, from 1; 0: it has none. */
static inline uint32_t leat_prom_places_get(const struct leat_prom_places *p, uint32_t id)
{
    return id < p->cap && p->at[id] > p->base ? p->at[id] - p->base : 0;
}

/* There is a place for it. */
static inline void leat_prom_places_set(struct leat_prom_places *p, uint32_t id, uint32_t number)
{
    p->at[id] = p->base + number;
}

#endif
