/* Writes the messages of Prometheus remote write. */
#include "proto/prom_write.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "proto/otlp_make.h"
#include "proto/prom_exemplar.h"
#include "proto/prom_order.h"
#include "proto/prom_pack.h"
#include "proto/prom_symbols.h"
#include "proto/wire.h"

#define LARGEST ((size_t)16 << 20) /* bytes of one series: buckets, exemplars and all */
#define HEAD    16                 /* a tag and a length */
#define SLACK   32                 /* bytes that may be read or written behind the last one */
_Static_assert(SLACK >= LEAT_PROM_PACK_SLACK, "what is packed has so many behind it");

/* Field numbers. WriteRequest and Request: */
#define REQUEST_SERIES_1 1
#define REQUEST_FAMILY_1 3
#define REQUEST_SERIES_2 5
/* TimeSeries: */
#define SERIES_LABELS     1
#define SERIES_SAMPLE     2
#define SERIES_EXEMPLAR_1 3
#define SERIES_NATIVE_1   4
#define SERIES_NATIVE_2   3
#define SERIES_EXEMPLAR_2 4
#define SERIES_METADATA_2 5
#define SERIES_CREATED_2  6

void leat_prom_write_init(struct leat_prom_write *w, struct leat_prom_store *store, size_t max)
{
    *w = (struct leat_prom_write){
        .store = store, .max = max, .version = leat_prom_store_message(store)};
    leat_text_init(&w->body, max + LARGEST);
    w->symbols = leat_new(sizeof *w->symbols);
    leat_prom_symbols_init(w->symbols, store, max + LARGEST);
    leat_text_init(&w->tail, LARGEST);
    leat_text_init(&w->scratch, LEAT_PROM_EXEMPLAR_BYTES);
}

void leat_prom_write_squeeze(struct leat_prom_write *w)
{
    LEAT_CHECK(w->version == LEAT_PROM_WRITE_1 && leat_prom_write_empty(w));
    w->pack = leat_prom_pack_new(w->store, w->max + LARGEST);
}

void leat_prom_write_done(struct leat_prom_write *w)
{
    leat_prom_pack_free(w->pack);
    w->pack = NULL;
    leat_text_done(&w->body);
    leat_text_done(&w->tail);
    leat_text_done(&w->scratch);
    if (w->symbols != NULL)
        leat_prom_symbols_done(w->symbols);
    leat_free(w->symbols);
    w->symbols = NULL;
}

size_t leat_prom_write_memory(const struct leat_prom_write *w)
{
    size_t pack = w->pack != NULL ? leat_prom_pack_memory(w->pack) : 0;

    return pack + w->body.cap + w->symbols->text.cap + w->tail.cap + w->scratch.cap +
           w->symbols->numbers.cap * sizeof *w->symbols->numbers.at;
}

/* In 2.0 there is always the empty symbol. */
static size_t symbols_size(const struct leat_prom_write *w)
{
    size_t len = w->symbols->text.len;

    return w->version == LEAT_PROM_WRITE_2 && len == 0 ? 2 : len;
}

size_t leat_prom_write_size(const struct leat_prom_write *w)
{
    return w->pack != NULL ? leat_prom_pack_size(w->pack) : symbols_size(w) + w->body.len;
}

/* --- small pieces */

/* Tag and double; nothing for 0, which is what is read where nothing is. -0 is 0, as upstream. */
static uint8_t *put_double(uint8_t *at, uint32_t field, double v)
{
    if (v == 0)
        return at;
    at = leat_wire_put_tag(at, field, LEAT_FIXED64);
    memcpy(at, &v, sizeof v); /* little-endian: wire.c */
    return at + sizeof v;
}

static uint8_t *put_varint(uint8_t *at, uint32_t field, uint64_t v)
{
    if (v == 0)
        return at;
    return leat_wire_put_varint(leat_wire_put_tag(at, field, LEAT_VARINT), v);
}

static void make_double(struct leat_make *m, uint32_t field, double v)
{
    if (v != 0)
        leat_make_double(m, field, v);
}

static void make_varint(struct leat_make *m, uint32_t field, uint64_t v)
{
    if (v != 0)
        leat_make_varint(m, field, v);
}

static uint64_t zigzag(int64_t v)
{
    return (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
}

#define SAMPLE_MAX 24

/* A Sample: value 1, timestamp 2. Returns its end. */
static uint8_t *put_sample(uint8_t *at, const struct leat_prom_sample *s)
{
    uint8_t *inner = at + 2, *end;

    end = put_double(inner, 1, s->value);
    end = put_varint(end, 2, (uint64_t)s->time);
    leat_wire_put_tag(at, SERIES_SAMPLE, LEAT_BYTES);
    at[1] = (uint8_t)(end - inner);
    return end;
}

/* --- native histograms: message Histogram, the same in both */

static void make_spans(struct leat_make *m, uint32_t field, const struct leat_prom_side *s)
{
    for (uint32_t i = 0; i < s->nspans; i++) {
        leat_make_open(m, field);
        make_varint(m, 1, zigzag(s->spans[i].offset));
        make_varint(m, 2, s->spans[i].length);
        leat_make_close(m);
    }
}

static void make_deltas(struct leat_make *m, uint32_t field, const struct leat_prom_side *s)
{
    uint8_t number[10];

    if (s->ndeltas == 0)
        return;
    leat_make_open(m, field);
    for (uint32_t i = 0; i < s->ndeltas; i++) {
        uint8_t *end = leat_wire_put_varint(number, zigzag(s->deltas[i]));
        leat_make_raw(m, leat_bytes(number, (size_t)(end - number)));
    }
    leat_make_close(m);
}

static void make_native(struct leat_make *m, uint32_t field, const struct leat_prom_sample *s)
{
    const struct leat_prom_native *n = s->native;

    leat_make_open(m, field);
    leat_make_varint(m, 1, n->count); /* a oneof: said even if 0 */
    make_double(m, 3, n->sum);
    make_varint(m, 4, (uint32_t)zigzag(n->schema));
    make_double(m, 5, n->zero_threshold);
    leat_make_varint(m, 6, n->zero_count);
    make_spans(m, 8, &n->negative);
    make_deltas(m, 9, &n->negative);
    make_spans(m, 11, &n->positive);
    make_deltas(m, 12, &n->positive);
    make_varint(m, 15, (uint64_t)s->time);
    if (n->ncustom > 0)
        leat_make_bytes(m, 16, leat_bytes(n->custom, n->ncustom * sizeof *n->custom));
    leat_make_close(m);
}

/* --- labels and metadata of 2.0 */

#define REFS_MAX ((size_t)2 * (LEAT_PROM_LABELS + 2) * 5 + HEAD)

/* labels_refs: a packed list. Returns its end, or NULL: no memory. */
static uint8_t *put_refs(struct leat_prom_write *w, uint8_t *at,
                         const struct leat_prom_series *series)
{
    const uint8_t *symbols = leat_prom_store_symbols(w->store);
    uint8_t *inner = at + 2, *end = inner;
    uint32_t number;
    size_t len;

    for (uint32_t i = 0; i < series->nrefs; i++) {
        if (!leat_prom_symbols_number(w->symbols, symbols, series->refs[i], &number))
            return NULL;
        end = leat_wire_put_varint(end, number);
    }
    len = (size_t)(end - inner);
    if (len >= 0x80) { /* at most 2580, so the length has two bytes */
        memmove(inner + 1, inner, len);
        end++;
    }
    at = leat_wire_put_tag(at, SERIES_LABELS, LEAT_BYTES);
    leat_wire_put_varint(at, len);
    return end;
}

#define METADATA_MAX 20

/* Returns its end, or NULL: no memory. */
static uint8_t *put_metadata(struct leat_prom_write *w, uint8_t *at,
                             const struct leat_prom_family *family)
{
    const uint8_t *symbols = leat_prom_store_symbols(w->store);
    uint8_t *inner = at + 2, *end;
    uint32_t help, unit;

    if (!leat_prom_symbols_number(w->symbols, symbols, family->help_ref, &help) ||
        !leat_prom_symbols_number(w->symbols, symbols, family->unit_ref, &unit))
        return NULL;
    end = put_varint(inner, 1, family->type);
    end = put_varint(end, 3, help);
    end = put_varint(end, 4, unit);
    leat_wire_put_tag(at, SERIES_METADATA_2, LEAT_BYTES);
    at[1] = (uint8_t)(end - inner);
    return end;
}

/* --- exemplars */

static void make_labels_1(struct leat_make *m, const struct leat_prom_exemplar_labels *l)
{
    for (uint32_t i = 0; i < l->count; i++) {
        leat_make_open(m, 1);
        leat_make_bytes(m, 1, l->label[i].name);
        leat_make_bytes(m, 2, l->label[i].value);
        leat_make_close(m);
    }
}

static void make_labels_2(struct leat_prom_write *w, struct leat_make *m,
                          const struct leat_prom_exemplar_labels *l)
{
    uint8_t packed[2 * LEAT_PROM_EXEMPLAR_LABELS * 5], *at = packed;

    if (l->count == 0)
        return;
    for (uint32_t i = 0; i < l->count; i++) {
        at = leat_wire_put_varint(at, leat_prom_symbols_text(w->symbols, l->label[i].name));
        at = leat_wire_put_varint(at, leat_prom_symbols_text(w->symbols, l->label[i].value));
    }
    leat_make_bytes(m, 1, leat_bytes(packed, (size_t)(at - packed)));
}

/* An Exemplar: labels 1, value 2, timestamp 3. */
static bool make_exemplar(struct leat_prom_write *w, struct leat_make *m, uint32_t field,
                          const struct leat_exemplar *e)
{
    struct leat_prom_exemplar_labels labels;

    if (!leat_prom_exemplar_labels(e, &w->scratch, &labels))
        return false;
    leat_make_open(m, field);
    if (w->version == LEAT_PROM_WRITE_1)
        make_labels_1(m, &labels);
    else
        make_labels_2(w, m, &labels);
    make_double(m, 2, e->value);
    make_varint(m, 3, e->time / 1000000);
    leat_make_close(m);
    return true;
}

static bool make_exemplars(struct leat_prom_write *w, struct leat_make *m, uint32_t field,
                           const struct leat_prom_sample *s)
{
    for (uint32_t i = 0; i < s->nexemplars; i++) {
        if (!make_exemplar(w, m, field, &s->exemplars[i]))
            return false;
    }
    return leat_text_ok(m->out);
}

/* --- series */

static bool fits(const struct leat_prom_write *w, size_t more)
{
    return leat_prom_write_empty(w) || leat_prom_write_size(w) + more <= w->max;
}

static void count(struct leat_prom_write *w, struct leat_prom_series *series,
                  const struct leat_prom_sample *s)
{
    w->series++;
    w->samples += s->native == NULL;
    w->histograms += s->native != NULL;
    w->exemplars += s->nexemplars;
    if (s->time < series->last)
        w->disorder = true;
    else
        series->last = s->time;
}

/* Copies what the cache has ready. 32 bytes at once: most labels are no longer. */
static uint8_t *put_labels(const struct leat_prom_write *w, uint8_t *at,
                           const struct leat_prom_series *series)
{
    const uint8_t *symbols = leat_prom_store_symbols(w->store);

    for (uint32_t i = 0; i < series->nrefs; i++) {
        const struct leat_prom_symbol *s = leat_prom_symbol_at(symbols, series->refs[i]);
        memcpy(at, s->bytes, SLACK);
        if (s->len > SLACK)
            memcpy(at + SLACK, s->bytes + SLACK, s->len - SLACK);
        at += s->len;
    }
    return at;
}

static bool pack_series(struct leat_prom_write *w, const struct leat_prom_series *series,
                        size_t inner, struct leat_bytes tail)
{
    uint8_t head[HEAD + SLACK];
    uint8_t *end = leat_wire_put_tag(head, REQUEST_SERIES_1, LEAT_BYTES);

    end = leat_wire_put_varint(end, inner);
    return leat_prom_pack_series(w->pack, leat_bytes(head, (size_t)(end - head)), series, tail);
}

/* Adds a TimeSeries of 1.0: its labels, and `tail` behind them. */
static enum leat_prom_write_result add_labels_and(struct leat_prom_write *w,
                                                  const struct leat_prom_series *series,
                                                  struct leat_bytes tail)
{
    size_t inner = series->label_bytes + tail.len;
    size_t whole = 1 + leat_wire_varint_size(inner) + inner;
    uint8_t *at;

    if (!fits(w, whole))
        return LEAT_PROM_WRITE_FULL;
    if (w->pack != NULL)
        return pack_series(w, series, inner, tail) ? LEAT_PROM_WRITE_OK : LEAT_PROM_WRITE_NO_MEMORY;
    if (!leat_text_reserve(&w->body, whole + SLACK)) {
        w->body.failed = false;
        return LEAT_PROM_WRITE_NO_MEMORY;
    }
    at = (uint8_t *)w->body.data + w->body.len;
    at = leat_wire_put_tag(at, REQUEST_SERIES_1, LEAT_BYTES);
    at = leat_wire_put_varint(at, inner);
    at = put_labels(w, at, series);
    memcpy(at, tail.data, tail.len);
    w->body.len += whole;
    return LEAT_PROM_WRITE_OK;
}

static enum leat_prom_write_result add_1(struct leat_prom_write *w,
                                         const struct leat_prom_series *series,
                                         const struct leat_prom_sample *s)
{
    uint8_t sample[SAMPLE_MAX + SLACK];
    struct leat_make m;

    if (s->native == NULL && s->nexemplars == 0)
        return add_labels_and(w, series,
                              leat_bytes(sample, (size_t)(put_sample(sample, s) - sample)));
    leat_text_clear(&w->tail);
    leat_make_init(&m, &w->tail);
    if (s->native == NULL)
        leat_make_raw(&m, leat_bytes(sample, (size_t)(put_sample(sample, s) - sample)));
    if (!make_exemplars(w, &m, SERIES_EXEMPLAR_1, s))
        return LEAT_PROM_WRITE_NO_MEMORY;
    if (s->native != NULL)
        make_native(&m, SERIES_NATIVE_1, s);
    return leat_text_reserve(&w->tail, SLACK) ? add_labels_and(w, series, leat_text_bytes(&w->tail))
                                              : LEAT_PROM_WRITE_NO_MEMORY;
}

/* What is behind the labels of a TimeSeries of 2.0, but for metadata and created timestamp. Returns
 * false: no memory. */
static bool make_tail_2(struct leat_prom_write *w, const struct leat_prom_sample *s)
{
    uint8_t sample[SAMPLE_MAX + SLACK];
    struct leat_make m;

    leat_text_clear(&w->tail);
    leat_make_init(&m, &w->tail);
    if (s->native == NULL)
        leat_make_raw(&m, leat_bytes(sample, (size_t)(put_sample(sample, s) - sample)));
    else
        make_native(&m, SERIES_NATIVE_2, s);
    return make_exemplars(w, &m, SERIES_EXEMPLAR_2, s) && leat_text_ok(&w->symbols->text);
}

/* Adds a TimeSeries of 2.0; its labels and what else is small is written at once, in its place. */
static enum leat_prom_write_result put_2(struct leat_prom_write *w,
                                         const struct leat_prom_series *series,
                                         const struct leat_prom_sample *s,
                                         const struct leat_prom_family *family, size_t before)
{
    bool plain = s->native == NULL && s->nexemplars == 0;
    size_t tail, inner, head;
    uint8_t *at, *end;

    if (!leat_prom_symbols_begin(w->symbols) || (!plain && !make_tail_2(w, s)))
        return LEAT_PROM_WRITE_NO_MEMORY;
    tail = plain ? SAMPLE_MAX : w->tail.len;
    if (!leat_text_reserve(&w->body, HEAD + REFS_MAX + METADATA_MAX + HEAD + tail))
        return LEAT_PROM_WRITE_NO_MEMORY;
    at = (uint8_t *)w->body.data + w->body.len;
    end = put_refs(w, at + HEAD, series);
    if (end == NULL)
        return LEAT_PROM_WRITE_NO_MEMORY;
    if (plain) {
        end = put_sample(end, s);
    } else {
        memcpy(end, w->tail.data, tail);
        end += tail;
    }
    if (family != NULL)
        end = put_metadata(w, end, family);
    if (end == NULL)
        return LEAT_PROM_WRITE_NO_MEMORY;
    end = put_varint(end, SERIES_CREATED_2, (uint64_t)s->created);
    inner = (size_t)(end - at) - HEAD;
    head = 1 + leat_wire_varint_size(inner);
    if (!fits(w, head + inner + leat_prom_write_size(w) - before))
        return LEAT_PROM_WRITE_FULL;
    leat_wire_put_tag(at, REQUEST_SERIES_2, LEAT_BYTES);
    leat_wire_put_varint(at + 1, inner);
    memmove(at + head, at + HEAD, inner);
    w->body.len += head + inner;
    return LEAT_PROM_WRITE_OK;
}

static enum leat_prom_write_result add_2(struct leat_prom_write *w,
                                         const struct leat_prom_series *series,
                                         const struct leat_prom_sample *s,
                                         const struct leat_prom_family *family)
{
    struct leat_prom_symbols_mark mark = leat_prom_symbols_mark(w->symbols);
    enum leat_prom_write_result r = put_2(w, series, s, family, leat_prom_write_size(w));

    if (r == LEAT_PROM_WRITE_OK)
        return r;
    w->body.failed = false;
    leat_prom_symbols_rewind(w->symbols, mark, series->refs, series->nrefs);
    if (family != NULL) {
        leat_prom_symbols_rewind(w->symbols, mark, &family->help_ref, 1);
        leat_prom_symbols_rewind(w->symbols, mark, &family->unit_ref, 1);
    }
    return r;
}

enum leat_prom_write_result leat_prom_write_add(struct leat_prom_write *w,
                                                struct leat_prom_series *series,
                                                const struct leat_prom_sample *sample,
                                                const struct leat_prom_family *family)
{
    enum leat_prom_write_result r;

    if (w->version == LEAT_PROM_WRITE_1)
        r = add_1(w, series, sample);
    else if (leat_prom_symbols_follow(w->symbols, leat_prom_write_empty(w)))
        r = add_2(w, series, sample, family);
    else
        r = LEAT_PROM_WRITE_FULL;
    if (r == LEAT_PROM_WRITE_OK)
        count(w, series, sample);
    return r;
}

/* --- metadata of 1.0 */

static bool add_family(struct leat_prom_write *w, struct leat_bytes family)
{
    if (w->pack != NULL)
        return leat_prom_pack_add(w->pack, family);
    leat_text_add(&w->body, family.data, family.len);
    if (leat_text_ok(&w->body))
        return true;
    w->body.failed = false;
    return false;
}

enum leat_prom_write_result leat_prom_write_family(struct leat_prom_write *w,
                                                   const struct leat_prom_family *family)
{
    struct leat_make m;

    leat_text_clear(&w->tail);
    leat_make_init(&m, &w->tail);
    leat_make_open(&m, REQUEST_FAMILY_1);
    make_varint(&m, 1, family->type);
    leat_make_bytes(&m, 2, family->name);
    if (family->help.len > 0)
        leat_make_bytes(&m, 4, family->help);
    if (family->unit.len > 0)
        leat_make_bytes(&m, 5, family->unit);
    leat_make_close(&m);
    if (!leat_text_ok(&w->tail))
        return LEAT_PROM_WRITE_NO_MEMORY;
    if (!fits(w, w->tail.len))
        return LEAT_PROM_WRITE_FULL;
    if (!add_family(w, leat_text_bytes(&w->tail)))
        return LEAT_PROM_WRITE_NO_MEMORY;
    w->families++;
    return LEAT_PROM_WRITE_OK;
}

/* --- the whole request */

/* What was written out of the order of its times must be there as it is to be put in order. */
static bool put_in_order(struct leat_prom_write *w)
{
    if (w->pack != NULL && !leat_prom_pack_undo(w->pack, &w->body))
        return false;
    return leat_prom_order(w->version, &w->body);
}

bool leat_prom_write_finish(struct leat_prom_write *w, struct leat_bytes *ret, bool *ret_squeezed)
{
    struct leat_text *symbols = &w->symbols->text;

    *ret_squeezed = w->pack != NULL && !w->disorder;
    if (*ret_squeezed) {
        *ret = leat_prom_pack_finish(w->pack);
        return true;
    }
    if (w->disorder && !put_in_order(w))
        return false;
    w->disorder = w->pack != NULL; /* it may be asked for once more */
    if (w->version == LEAT_PROM_WRITE_1) {
        *ret = leat_text_bytes(&w->body);
        return true;
    }
    /* Symbols come first: a receiver may read in one pass. */
    if (!leat_prom_symbols_begin(w->symbols) || !leat_text_reserve(symbols, w->body.len)) {
        symbols->failed = false;
        return false;
    }
    if (w->body.len > 0)
        memcpy(symbols->data + symbols->len, w->body.data, w->body.len);
    *ret = leat_bytes(symbols->data, symbols->len + w->body.len);
    return true;
}

static void rest(struct leat_text *t, bool keep)
{
    if (keep)
        leat_text_clear(t);
    else
        leat_text_done(t);
}

void leat_prom_write_clear(struct leat_prom_write *w, bool keep)
{
    w->series = w->samples = w->histograms = w->exemplars = w->families = 0;
    w->disorder = false;
    if (w->pack != NULL)
        leat_prom_pack_clear(w->pack, keep);
    rest(&w->body, keep);
    rest(&w->tail, keep);
    rest(&w->scratch, keep);
    leat_prom_symbols_clear(w->symbols, keep);
}
