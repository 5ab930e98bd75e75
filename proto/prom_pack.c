/* A remote-write request of 1.0 as a snappy block. */
#include "proto/prom_pack.h"

#include <string.h>

#include "base/mem.h"
#include "proto/prom_squeeze.h"

_Static_assert(LEAT_PROM_PACK_SLACK >= LEAT_SQUEEZE_SLACK, "head and tail have it");

/* Labels that a copy can reach: 64 KiB of them, which are some thousands. Of two that share a place
 * the later one has it; the other is written out when it comes again. */
#define PLACES 4096u
#define AT_MAX (UINT32_C(1) << 31) /* then the counting begins anew */

/* Where the label with this id stood last: at `at` - base, if above 0. */
struct place {
    uint32_t id, at;
};

struct leat_prom_pack {
    const struct leat_prom_store *store;
    struct leat_squeeze squeeze;
    struct place *places; /* PLACES of them; NULL: none is needed yet */
    uint32_t base;
    uint32_t serial; /* of the store, of the ids in `places` */
};

struct leat_prom_pack *leat_prom_pack_new(const struct leat_prom_store *store, size_t max)
{
    struct leat_prom_pack *p = leat_new(sizeof *p);

    p->store = store;
    p->serial = leat_prom_store_serial(store);
    leat_squeeze_init(&p->squeeze, max);
    return p;
}

void leat_prom_pack_free(struct leat_prom_pack *p)
{
    if (p == NULL)
        return;
    leat_squeeze_done(&p->squeeze);
    leat_free(p->places);
    leat_free(p);
}

size_t leat_prom_pack_size(const struct leat_prom_pack *p)
{
    return p->squeeze.raw;
}

size_t leat_prom_pack_memory(const struct leat_prom_pack *p)
{
    return leat_squeeze_memory(&p->squeeze) + (p->places != NULL ? PLACES * sizeof *p->places : 0);
}

static void forget_places(struct leat_prom_pack *p)
{
    if (p->places != NULL)
        memset(p->places, 0, PLACES * sizeof *p->places);
    p->base = 0;
}

static bool make_places(struct leat_prom_pack *p)
{
    if (p->serial != leat_prom_store_serial(p->store)) {
        forget_places(p);
        p->serial = leat_prom_store_serial(p->store);
    }
    if (p->places == NULL)
        p->places = leat_try_zeroed(PLACES * sizeof *p->places);
    return p->places != NULL;
}

static void add_labels(struct leat_prom_pack *p, const struct leat_prom_series *series)
{
    const uint8_t *symbols = leat_prom_store_symbols(p->store);

    for (uint32_t i = 0; i < series->nrefs; i++) {
        const struct leat_prom_symbol *s = leat_prom_symbol_at(symbols, series->refs[i]);
        struct place *last = &p->places[s->id % PLACES];
        uint32_t now = p->base + (uint32_t)p->squeeze.raw + 1, before = last->at;
        bool is_copy = last->id == s->id && before > p->base && now - before <= LEAT_SQUEEZE_REACH;

        *last = (struct place){s->id, now};
        if (is_copy)
            leat_squeeze_again(&p->squeeze, before - p->base - 1, s->len);
        else
            leat_squeeze_add_quick(&p->squeeze, s->bytes, s->len);
    }
}

bool leat_prom_pack_series(struct leat_prom_pack *p, struct leat_bytes head,
                           const struct leat_prom_series *series, struct leat_bytes tail)
{
    size_t bytes = head.len + series->label_bytes + tail.len;

    if (!make_places(p) || !leat_squeeze_reserve(&p->squeeze, bytes, (size_t)series->nrefs + 2))
        return false;
    leat_squeeze_add_quick(&p->squeeze, head.data, head.len);
    add_labels(p, series);
    leat_squeeze_add_quick(&p->squeeze, tail.data, tail.len);
    return true;
}

bool leat_prom_pack_add(struct leat_prom_pack *p, struct leat_bytes bytes)
{
    if (!leat_squeeze_reserve(&p->squeeze, bytes.len, 1))
        return false;
    leat_squeeze_add(&p->squeeze, bytes.data, bytes.len);
    return true;
}

struct leat_bytes leat_prom_pack_finish(struct leat_prom_pack *p)
{
    return leat_squeeze_finish(&p->squeeze);
}

bool leat_prom_pack_undo(struct leat_prom_pack *p, struct leat_text *out)
{
    leat_text_clear(out);
    if (leat_squeeze_undo(leat_squeeze_finish(&p->squeeze), out))
        return true;
    leat_text_clear(out);
    return false;
}

void leat_prom_pack_clear(struct leat_prom_pack *p, bool keep)
{
    p->base += (uint32_t)p->squeeze.raw + 1;
    if (p->base >= AT_MAX)
        forget_places(p);
    if (!keep) {
        leat_free(p->places);
        p->places = NULL;
    }
    leat_squeeze_clear(&p->squeeze, keep);
}
