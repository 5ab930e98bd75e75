/* The series that were sent lately: their labels, encoded once. */
#include "proto/prom_series.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/print.h"
#include "base/text.h"
#include "proto/otlp_match.h"
#include "proto/wire.h"

#define FIRST_SLOTS 1024u
#define UNIT        LEAT_PROM_UNIT
#define SLACK       ((size_t)32) /* bytes that can be read behind a symbol */
#define HEAD_MAX    ((size_t)40) /* bytes a string needs besides its own, at most */

/* In WriteRequest's TimeSeries and Label, and in Request. */
#define TIMESERIES_LABELS 1
#define LABEL_NAME        1
#define LABEL_VALUE       2
#define REQUEST_SYMBOLS   4

/* Open addressing; a slot is free where `at` is 0. */
struct slot {
    uint32_t hash, at;
};

struct table {
    struct slot *slots;
    uint32_t cap, count; /* at most seven eighths */
};

/* Series and symbols one behind the other, in the order in which they came. */
struct generation {
    uint8_t *arena;
    size_t used;
    uint32_t nsymbols;
    struct table series, symbols;
};

struct leat_prom_store {
    struct leat_text scratch;
    enum leat_prom_message message;
    size_t half; /* bytes of one generation, tables included */
    uint32_t serial;
    uint64_t generations;
    struct generation now, before;
    struct leat_prom_series *last; /* that was asked for, of the generation now; or NULL */
};

static const struct leat_prom_symbol *symbol_at(const struct generation *g, uint32_t at)
{
    return leat_prom_symbol_at(g->arena, at);
}

static struct leat_prom_series *series_at(const struct generation *g, uint32_t at)
{
    return (struct leat_prom_series *)(void *)(g->arena + at * UNIT);
}

/* --- tables */

static size_t table_bytes(const struct table *t)
{
    return t->cap * sizeof *t->slots;
}

static bool table_is_full(const struct table *t)
{
    return t->count >= t->cap / 8 * 7;
}

static void table_put(struct table *t, uint32_t hash, uint32_t at)
{
    uint32_t i = hash & (t->cap - 1);

    while (t->slots[i].at != 0)
        i = (i + 1) & (t->cap - 1);
    t->slots[i] = (struct slot){hash, at};
    t->count++;
}

static bool table_grow(struct table *t)
{
    struct table bigger = {.cap = t->cap == 0 ? FIRST_SLOTS : t->cap * 2};

    bigger.slots = leat_try_table(table_bytes(&bigger));
    if (bigger.slots == NULL)
        return false;
    for (uint32_t i = 0; i < t->cap; i++) {
        if (t->slots[i].at != 0)
            table_put(&bigger, t->slots[i].hash, t->slots[i].at);
    }
    leat_free_table(t->slots, table_bytes(t));
    *t = bigger;
    return true;
}

static bool table_room(struct table *t)
{
    return !table_is_full(t) || table_grow(t);
}

/* --- generations */

static size_t generation_bytes(const struct generation *g)
{
    return g->used + table_bytes(&g->series) + table_bytes(&g->symbols);
}

/* Aligned, with SLACK behind it. The caller has looked that it fits. */
static void *take(struct generation *g, size_t size)
{
    void *at = g->arena + g->used;

    g->used += (size + UNIT - 1) & ~(UNIT - 1);
    return at;
}

/* Empty again; reference 0 is the empty string. */
static void generation_begin(struct generation *g)
{
    static const uint8_t empty[] = {REQUEST_SYMBOLS << 3 | LEAT_BYTES, 0};
    struct leat_prom_symbol *s;

    g->used = 0;
    s = take(g, sizeof *s + sizeof empty);
    s->id = 0;
    s->len = sizeof empty;
    memcpy(s->bytes, empty, sizeof empty);
    g->nsymbols = 1;
}

static void generation_drop(struct generation *g, size_t size)
{
    leat_free_table(g->series.slots, table_bytes(&g->series));
    leat_free_table(g->symbols.slots, table_bytes(&g->symbols));
    g->series = g->symbols = (struct table){.cap = 0};
    if (g->used > 0)
        leat_pages_rest(g->arena, size);
    generation_begin(g);
}

static void flip(struct leat_prom_store *s)
{
    struct generation old = s->before;

    generation_drop(&old, s->half + SLACK);
    s->before = s->now;
    s->now = old;
    s->last = NULL;
    s->serial++;
    s->generations++;
}

/* What the tables may grow by for one series more with so many symbols. While a table grows there
 * are the old one and the new one. */
static size_t growth(const struct generation *g, size_t symbols)
{
    size_t cap = g->symbols.cap == 0 ? FIRST_SLOTS : g->symbols.cap, more = 0;

    while (g->symbols.count + symbols >= cap / 8 * 7)
        cap *= 2;
    if (cap != g->symbols.cap)
        more += cap * sizeof(struct slot);
    if (table_is_full(&g->series))
        more += (g->series.cap == 0 ? FIRST_SLOTS : 2 * g->series.cap) * sizeof(struct slot);
    return more;
}

static bool has_room(const struct leat_prom_store *s, size_t bytes, size_t symbols)
{
    return generation_bytes(&s->now) + bytes + growth(&s->now, symbols) <= s->half;
}

struct leat_prom_store *leat_prom_store_new(enum leat_prom_message message, size_t max)
{
    struct leat_prom_store *s = leat_new(sizeof *s);

    LEAT_CHECK(max >= LEAT_PROM_STORE_MIN);
    if (max > LEAT_PROM_STORE_MAX)
        max = LEAT_PROM_STORE_MAX;
    s->message = message;
    s->half = max / 2;
    s->serial = 1;
    leat_text_init(&s->scratch, LEAT_PROM_SERIES_BYTES + HEAD_MAX);
    s->now.arena = leat_new_pages(s->half + SLACK);
    s->before.arena = leat_new_pages(s->half + SLACK);
    generation_begin(&s->now);
    generation_begin(&s->before);
    return s;
}

void leat_prom_store_free(struct leat_prom_store *s)
{
    if (s == NULL)
        return;
    generation_drop(&s->now, s->half + SLACK);
    generation_drop(&s->before, s->half + SLACK);
    leat_free_pages(s->now.arena, s->half + SLACK);
    leat_free_pages(s->before.arena, s->half + SLACK);
    leat_text_done(&s->scratch);
    leat_free(s);
}

enum leat_prom_message leat_prom_store_message(const struct leat_prom_store *s)
{
    return s->message;
}

uint32_t leat_prom_store_serial(const struct leat_prom_store *s)
{
    return s->serial;
}

const uint8_t *leat_prom_store_symbols(const struct leat_prom_store *s)
{
    return s->now.arena;
}

struct leat_prom_store_stats leat_prom_store_stats(const struct leat_prom_store *s)
{
    return (struct leat_prom_store_stats){
        .series = (size_t)s->now.series.count + s->before.series.count,
        .symbols = (size_t)s->now.symbols.count + s->before.symbols.count,
        .bytes = generation_bytes(&s->now) + generation_bytes(&s->before),
        .generations = s->generations,
    };
}

/* --- symbols */

static size_t symbol_size(size_t len)
{
    return sizeof(struct leat_prom_symbol) + len + UNIT;
}

/* The symbol with these bytes, made if it is not there; folds what it is into *hash. false: no
 * memory. There is room in the arena. */
static bool intern(struct generation *g, struct leat_bytes bytes, uint64_t *hash, uint32_t *ret)
{
    uint64_t whole = leat_hash_quick(bytes);
    uint32_t h = (uint32_t)whole;
    struct leat_prom_symbol *s;

    *hash = ((*hash << 5 | *hash >> 59) ^ whole) * UINT64_C(0x9e3779b97f4a7c15);
    if (!table_room(&g->symbols))
        return false;
    for (uint32_t i = h & (g->symbols.cap - 1); g->symbols.slots[i].at != 0;
         i = (i + 1) & (g->symbols.cap - 1)) {
        if (g->symbols.slots[i].hash != h)
            continue;
        *ret = g->symbols.slots[i].at;
        if (leat_bytes_eq(leat_bytes(symbol_at(g, *ret)->bytes, symbol_at(g, *ret)->len), bytes))
            return true;
    }
    *ret = (uint32_t)(g->used / UNIT);
    s = take(g, sizeof *s + bytes.len);
    s->id = g->nsymbols++;
    s->len = (uint32_t)bytes.len;
    memcpy(s->bytes, bytes.data, bytes.len);
    table_put(&g->symbols, h, *ret);
    return true;
}

/* --- series */

static struct leat_print key_of(struct leat_print stream, uint64_t part)
{
    if (part != 0) {
        stream.lo += leat_hash_quick(leat_bytes(&part, sizeof part));
        stream.hi += part;
    }
    return stream;
}

static uint32_t hash_of(struct leat_print key)
{
    return (uint32_t)(key.lo ^ key.lo >> 32);
}

static struct leat_prom_series *find(const struct generation *g, struct leat_print key)
{
    uint32_t h = hash_of(key), i;

    if (g->series.cap == 0)
        return NULL;
    for (i = h & (g->series.cap - 1); g->series.slots[i].at != 0;
         i = (i + 1) & (g->series.cap - 1)) {
        struct leat_prom_series *series = series_at(g, g->series.slots[i].at);
        if (g->series.slots[i].hash == h && leat_print_is(series->key, key))
            return series;
    }
    return NULL;
}

static size_t series_size(uint32_t nrefs)
{
    return sizeof(struct leat_prom_series) + nrefs * sizeof(uint32_t);
}

/* A series without labels yet; there is room. NULL: no memory. */
static struct leat_prom_series *add(struct generation *g, struct leat_print key, uint32_t nrefs)
{
    struct leat_prom_series *series;

    if (!table_room(&g->series))
        return NULL;
    table_put(&g->series, hash_of(key), (uint32_t)(g->used / UNIT));
    series = take(g, series_size(nrefs));
    series->key = key;
    series->last = INT64_MIN;
    series->nrefs = nrefs;
    series->label_bytes = 0;
    series->next = 0;
    return series;
}

/* Takes over what the older generation has. NULL: no memory, or no room: it is made anew. */
static struct leat_prom_series *move_over(struct leat_prom_store *s,
                                          const struct leat_prom_series *old)
{
    uint32_t refs[2 * (LEAT_PROM_LABELS + 2)];
    struct leat_prom_series *series;
    size_t bytes = series_size(old->nrefs) + UNIT;
    uint64_t ignored = 0;

    for (uint32_t i = 0; i < old->nrefs; i++)
        bytes += symbol_size(symbol_at(&s->before, old->refs[i])->len);
    if (!has_room(s, bytes, old->nrefs))
        return NULL;
    for (uint32_t i = 0; i < old->nrefs; i++) {
        const struct leat_prom_symbol *symbol = symbol_at(&s->before, old->refs[i]);
        if (!intern(&s->now, leat_bytes(symbol->bytes, symbol->len), &ignored, &refs[i]))
            return NULL;
    }
    series = add(&s->now, old->key, old->nrefs);
    if (series == NULL)
        return NULL;
    series->last = old->last;
    series->hash = old->hash;
    series->label_bytes = old->label_bytes;
    memcpy(series->refs, refs, old->nrefs * sizeof *refs);
    return series;
}

/* Series come in the same order again and again: `next` of the one before is mostly right, and
 * saves the two cache misses that looking it up costs. It is fetched while the last one is worked
 * on. */
static void follow(struct leat_prom_store *s, struct leat_prom_series *series)
{
    const uint8_t *ahead = s->now.arena + series->next * UNIT;

    if (s->last != NULL)
        s->last->next = (uint32_t)((size_t)((uint8_t *)series - s->now.arena) / UNIT);
    s->last = series;
    __builtin_prefetch(ahead);
    __builtin_prefetch(ahead + 64);
}

struct leat_prom_series *leat_prom_store_get(struct leat_prom_store *s, struct leat_print stream,
                                             uint64_t part)
{
    struct leat_print key = key_of(stream, part);
    struct leat_prom_series *series;

    if (s->last != NULL && s->last->next != 0) {
        series = series_at(&s->now, s->last->next);
        if (leat_print_is(series->key, key)) {
            s->last = series;
            __builtin_prefetch(s->now.arena + series->next * UNIT);
            __builtin_prefetch(s->now.arena + series->next * UNIT + 64);
            return series;
        }
    }
    series = find(&s->now, key);
    if (series == NULL) {
        const struct leat_prom_series *old = find(&s->before, key);
        series = old == NULL ? NULL : move_over(s, old);
    }
    if (series != NULL)
        follow(s, series);
    return series;
}

/* --- new series */

static void write_bytes(struct leat_text *t, uint32_t field, struct leat_bytes b)
{
    uint8_t head[16], *end = leat_wire_put_tag(head, field, LEAT_BYTES);

    end = leat_wire_put_varint(end, b.len);
    leat_text_add(t, head, (size_t)(end - head));
    leat_text_add(t, b.data, b.len);
}

static size_t field_size(size_t len)
{
    return 1 + leat_wire_varint_size(len) + len;
}

/* A Label of 1.0. */
static bool intern_label(struct leat_prom_store *s, const struct leat_prom_label *l, uint64_t *hash,
                         uint32_t *ret)
{
    uint8_t head[16], *end = leat_wire_put_tag(head, TIMESERIES_LABELS, LEAT_BYTES);

    end = leat_wire_put_varint(end, field_size(l->name.len) + field_size(l->value.len));
    leat_text_clear(&s->scratch);
    leat_text_add(&s->scratch, head, (size_t)(end - head));
    write_bytes(&s->scratch, LABEL_NAME, l->name);
    write_bytes(&s->scratch, LABEL_VALUE, l->value);
    return leat_text_ok(&s->scratch) && intern(&s->now, leat_text_bytes(&s->scratch), hash, ret);
}

/* A member of `symbols` of 2.0. */
static bool intern_text(struct leat_prom_store *s, struct leat_bytes text, uint64_t *hash,
                        uint32_t *ret)
{
    *ret = 0;
    if (text.len == 0)
        return true;
    leat_text_clear(&s->scratch);
    write_bytes(&s->scratch, REQUEST_SYMBOLS, text);
    return leat_text_ok(&s->scratch) && intern(&s->now, leat_text_bytes(&s->scratch), hash, ret);
}

static bool intern_all(struct leat_prom_store *s, struct leat_prom_set labels, uint32_t *refs,
                       uint64_t *hash)
{
    for (uint32_t i = 0; i < labels.count; i++) {
        const struct leat_prom_label *l = &labels.label[i];
        if (s->message == LEAT_PROM_WRITE_1) {
            if (!intern_label(s, l, hash, &refs[i]))
                return false;
        } else if (!intern_text(s, l->name, hash, &refs[2 * i]) ||
                   !intern_text(s, l->value, hash, &refs[2 * i + 1])) {
            return false;
        }
    }
    return true;
}

enum leat_prom_put leat_prom_store_put(struct leat_prom_store *s, struct leat_print stream,
                                       uint64_t part, struct leat_prom_set labels,
                                       struct leat_prom_series **ret)
{
    uint32_t refs[2 * (LEAT_PROM_LABELS + 2)], nrefs;
    struct leat_prom_series *series;
    size_t bytes = 0, need;
    uint64_t hash = 0;

    for (uint32_t i = 0; i < labels.count; i++)
        bytes += labels.label[i].name.len + labels.label[i].value.len;
    nrefs = labels.count * (s->message == LEAT_PROM_WRITE_1 ? 1 : 2);
    if (bytes > LEAT_PROM_SERIES_BYTES || nrefs > sizeof refs / sizeof *refs)
        return LEAT_PROM_PUT_LARGE;
    need = bytes + nrefs * HEAD_MAX + series_size(nrefs) + UNIT;
    if (!has_room(s, need, nrefs))
        flip(s);
    if (!intern_all(s, labels, refs, &hash))
        return LEAT_PROM_PUT_NO_MEMORY;
    series = add(&s->now, key_of(stream, part), nrefs);
    if (series == NULL)
        return LEAT_PROM_PUT_NO_MEMORY;
    series->hash = (uint32_t)(hash >> 32);
    memcpy(series->refs, refs, nrefs * sizeof *refs);
    for (uint32_t i = 0; i < nrefs; i++)
        series->label_bytes += symbol_at(&s->now, refs[i])->len;
    follow(s, series);
    *ret = series;
    return LEAT_PROM_PUT_OK;
}

enum leat_prom_put leat_prom_store_text(struct leat_prom_store *s, struct leat_bytes text,
                                        uint32_t *ret_ref)
{
    uint64_t ignored = 0;

    if (text.len > LEAT_PROM_SERIES_BYTES)
        return LEAT_PROM_PUT_LARGE;
    if (!has_room(s, text.len + HEAD_MAX, 1))
        flip(s);
    return intern_text(s, text, &ignored, ret_ref) ? LEAT_PROM_PUT_OK : LEAT_PROM_PUT_NO_MEMORY;
}

/* --- streams */

/* Attributes that do not stand together, in their order. */
static struct leat_print scattered(const struct leat_point *p)
{
    struct leat_wire w = leat_wire_of(p->message);
    struct leat_print all = {0, 0};
    struct leat_bytes pair;

    while (leat_otlp_next(&w, p->attrs_field, &pair))
        all = leat_print_pair(all, leat_print(pair));
    return all;
}

struct leat_print leat_prom_stream(const struct leat_metric_ids *ids, const struct leat_point *p)
{
    struct leat_print all = p->scattered ? scattered(p) : leat_print_quick(p->attrs);

    leat_print_add(&all, ids->metric);
    return all;
}
