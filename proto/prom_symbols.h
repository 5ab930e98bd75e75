/* The symbols of one remote-write 2.0 request: which number a string has in it. */
#ifndef LEAT_PROTO_PROM_SYMBOLS_H
#define LEAT_PROTO_PROM_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "proto/prom_places.h"
#include "proto/prom_series.h"

/* A string that the store does not have, lately written. */
#define LEAT_PROM_SYMBOLS_TEXTS 64
struct leat_prom_symbols_text {
    uint32_t at, len, number; /* in `text`; 0: none */
};

/* Everything but `text` is private. */
struct leat_prom_symbols {
    struct leat_text text; /* the field `symbols`, as it goes into the request */
    const struct leat_prom_store *store;
    uint32_t serial; /* of the store, of the ids in `numbers` */
    uint32_t count;
    struct leat_prom_places numbers;
    struct leat_prom_symbols_text texts[LEAT_PROM_SYMBOLS_TEXTS];
};

void leat_prom_symbols_init(struct leat_prom_symbols *y, const struct leat_prom_store *store,
                            size_t max);
void leat_prom_symbols_done(struct leat_prom_symbols *y);
/* For the next request. `keep`: memory is kept for it. */
void leat_prom_symbols_clear(struct leat_prom_symbols *y, bool keep);

/* The empty symbol, which is the first in every request. false: no memory. */
bool leat_prom_symbols_begin(struct leat_prom_symbols *y);
/* false: the store has begun another generation while the request is not empty. */
bool leat_prom_symbols_follow(struct leat_prom_symbols *y, bool empty);

/* What may be taken back: all that was numbered since. */
struct leat_prom_symbols_mark {
    size_t len;
    uint32_t count;
};
struct leat_prom_symbols_mark leat_prom_symbols_mark(const struct leat_prom_symbols *y);
/* `refs`: those that were numbered since. */
void leat_prom_symbols_rewind(struct leat_prom_symbols *y, struct leat_prom_symbols_mark mark,
                              const uint32_t *refs, uint32_t nrefs);

/* The number of a string that is not looked for in the store. Errors stick in `text`. */
uint32_t leat_prom_symbols_text(struct leat_prom_symbols *y, struct leat_bytes text);

/* Writes a symbol that is new in this request. false: no memory. */
bool leat_prom_symbols_add(struct leat_prom_symbols *y, const struct leat_prom_symbol *s);

/* The number of the symbol with this reference; `symbols` is leat_prom_store_symbols(). false: no
 * memory. */
static inline bool leat_prom_symbols_number(struct leat_prom_symbols *y, const uint8_t *symbols,
                                            uint32_t ref, uint32_t *ret)
{
    const struct leat_prom_symbol *s;

    *ret = 0;
    if (ref == 0) /* the empty one */
        return true;
    s = leat_prom_symbol_at(symbols, ref);
    *ret = leat_prom_places_get(&y->numbers, s->id);
    if (*ret != 0)
        return true;
    *ret = y->count + 1;
    return leat_prom_symbols_add(y, s);
}

#endif
