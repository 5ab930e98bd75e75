/* The symbols of one remote-write 2.0 request. */
#include "proto/prom_symbols.h"

#include <string.h>

#include "base/hash.h"
#include "proto/wire.h"

#define REQUEST_SYMBOLS 4 /* in Request */
#define HEAD            16

void leat_prom_symbols_init(struct leat_prom_symbols *y, const struct leat_prom_store *store,
                            size_t max)
{
    *y = (struct leat_prom_symbols){.store = store, .serial = leat_prom_store_serial(store)};
    leat_text_init(&y->text, max);
}

void leat_prom_symbols_done(struct leat_prom_symbols *y)
{
    leat_text_done(&y->text);
    leat_prom_places_done(&y->numbers);
}

void leat_prom_symbols_clear(struct leat_prom_symbols *y, bool keep)
{
    memset(y->texts, 0, sizeof y->texts);
    leat_prom_places_clear(&y->numbers, y->count);
    y->count = 0;
    if (keep)
        leat_text_clear(&y->text);
    else
        leat_prom_symbols_done(y);
}

bool leat_prom_symbols_begin(struct leat_prom_symbols *y)
{
    static const uint8_t empty[] = {REQUEST_SYMBOLS << 3 | LEAT_BYTES, 0};

    if (y->text.len == 0)
        leat_text_add(&y->text, empty, sizeof empty);
    return leat_text_ok(&y->text);
}

bool leat_prom_symbols_follow(struct leat_prom_symbols *y, bool empty)
{
    uint32_t now = leat_prom_store_serial(y->store);

    if (y->serial == now)
        return true;
    if (!empty)
        return false;
    leat_prom_places_forget(&y->numbers);
    y->serial = now;
    return true;
}

bool leat_prom_symbols_add(struct leat_prom_symbols *y, const struct leat_prom_symbol *s)
{
    if (!leat_prom_places_room(&y->numbers, s->id))
        return false;
    leat_text_add(&y->text, s->bytes, s->len);
    leat_prom_places_set(&y->numbers, s->id, ++y->count);
    return leat_text_ok(&y->text);
}

uint32_t leat_prom_symbols_text(struct leat_prom_symbols *y, struct leat_bytes text)
{
    uint8_t head[HEAD], *end = leat_wire_put_tag(head, REQUEST_SYMBOLS, LEAT_BYTES);
    uint64_t hash = leat_hash_quick(text);
    struct leat_prom_symbols_text *t = &y->texts[hash % LEAT_PROM_SYMBOLS_TEXTS];

    if (t->number != 0 && t->len == text.len &&
        memcmp(y->text.data + t->at, text.data, text.len) == 0)
        return t->number;
    end = leat_wire_put_varint(end, text.len);
    leat_text_add(&y->text, head, (size_t)(end - head));
    *t = (struct leat_prom_symbols_text){
        .at = (uint32_t)y->text.len, .len = (uint32_t)text.len, .number = ++y->count};
    leat_text_add(&y->text, text.data, text.len);
    return t->number;
}

struct leat_prom_symbols_mark leat_prom_symbols_mark(const struct leat_prom_symbols *y)
{
    return (struct leat_prom_symbols_mark){y->text.len, y->count};
}

void leat_prom_symbols_rewind(struct leat_prom_symbols *y, struct leat_prom_symbols_mark mark,
                              const uint32_t *refs, uint32_t nrefs)
{
    const uint8_t *symbols = leat_prom_store_symbols(y->store);

    for (uint32_t i = 0; i < nrefs; i++) {
        uint32_t id = leat_prom_symbol_at(symbols, refs[i])->id;
        if (leat_prom_places_get(&y->numbers, id) > mark.count)
            y->numbers.at[id] = 0;
    }
    for (size_t i = 0; i < LEAT_PROM_SYMBOLS_TEXTS; i++) {
        if (y->texts[i].number > mark.count)
            y->texts[i].number = 0;
    }
    y->text.len = mark.len;
    y->text.failed = false;
    y->count = mark.count;
}
