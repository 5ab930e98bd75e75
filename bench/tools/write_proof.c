/* The proof for Prometheus remote write. */
#include "write_proof.h"

#include <stdlib.h>
#include <string.h>

#include "net.h"
#include "proof.h"

#define MESSAGE_MAX ((size_t)256 << 20)
#define LABELS_MAX  1024
#define STALE       UINT64_C(0x7ff0000000000002)

struct text {
    const uint8_t *at;
    size_t len;
};

struct label {
    struct text name, value;
};

/* A message on its way; `ok` ends it. */
struct reader {
    struct write_proof *p;
    struct write_counts counts;
    int version;
    bool ok;
    struct text *symbols;
    size_t nsymbols, room;
    struct label label[LABELS_MAX];
    size_t nlabels;
    bool info; /* the series is target_info */
};

/* --- the wire: a field at a time */

struct field {
    uint32_t number, type;
    uint64_t value; /* varint, or 64 bits */
    struct text text;
};

static bool varint(struct text *m, uint64_t *ret)
{
    *ret = 0;
    for (unsigned shift = 0; m->len > 0 && shift < 64; shift += 7) {
        uint8_t c = *m->at++;
        m->len--;
        *ret |= (uint64_t)(c & 127) << shift;
        if (c < 128)
            return true;
    }
    return false;
}

static bool fixed(struct text *m, size_t size, uint64_t *ret)
{
    if (m->len < size)
        return false;
    *ret = 0;
    memcpy(ret, m->at, size);
    m->at += size;
    m->len -= size;
    return true;
}

/* The next field of `m`; false at its end, or with r->ok false at an error. */
static bool next(struct reader *r, struct text *m, struct field *f)
{
    uint64_t tag = 0;

    if (m->len == 0 || !r->ok)
        return false;
    r->ok = varint(m, &tag);
    f->number = (uint32_t)(tag >> 3);
    f->type = tag & 7;
    switch (f->type) {
    case 0:
        r->ok = r->ok && varint(m, &f->value);
        break;
    case 1:
        r->ok = r->ok && fixed(m, 8, &f->value);
        break;
    case 2:
        r->ok = r->ok && varint(m, &f->value) && f->value <= m->len;
        if (r->ok) {
            f->text = (struct text){m->at, f->value};
            m->at += f->value;
            m->len -= f->value;
        }
        break;
    case 5:
        r->ok = r->ok && fixed(m, 4, &f->value);
        break;
    default:
        r->ok = false;
    }
    return r->ok;
}

/* --- a raw snappy block (google/snappy, format_description.txt) */

/* Copies what was written `back` bytes ago, which may overlap. */
static bool copy_back(uint8_t *to, size_t *at, size_t max, size_t back, size_t len)
{
    if (back == 0 || back > *at || len > max - *at)
        return false;
    for (; len > 0; len--, ++*at)
        to[*at] = to[*at - back];
    return true;
}

static bool literal(uint8_t *to, size_t *at, size_t max, struct text *in, size_t len)
{
    uint64_t more = len - 1;

    if (len > 60 && !fixed(in, len - 60, &more))
        return false;
    if (more >= in->len || more >= max - *at)
        return false;
    memcpy(to + *at, in->at, more + 1);
    in->at += more + 1;
    in->len -= more + 1;
    *at += more + 1;
    return true;
}

/* One element; its kind is in the low bits of its first byte. */
static bool element(uint8_t *to, size_t *at, size_t max, struct text *in)
{
    uint64_t tag, back = 0;

    if (!fixed(in, 1, &tag))
        return false;
    if ((tag & 3) == 0)
        return literal(to, at, max, in, (tag >> 2) + 1);
    if (!fixed(in, (tag & 3) == 3 ? 4 : tag & 3, &back))
        return false;
    if ((tag & 3) == 1)
        return copy_back(to, at, max, back | (tag >> 5) << 8, (tag >> 2 & 7) + 4);
    return copy_back(to, at, max, back, (tag >> 2) + 1);
}

/* The block's content, to be freed; NULL: it is no such block. */
static uint8_t *unpack(struct text in, size_t *ret_len)
{
    uint64_t len;
    uint8_t *to;
    size_t at = 0;

    if (!varint(&in, &len) || len > MESSAGE_MAX)
        return NULL;
    to = malloc(len + 1);
    if (to == NULL)
        net_die("no memory");
    while (in.len > 0) {
        if (!element(to, &at, len, &in)) {
            free(to);
            return NULL;
        }
    }
    *ret_len = len;
    if (at == len)
        return to;
    free(to);
    return NULL;
}

/* --- series */

static uint64_t mix(uint64_t h, const void *data, size_t len)
{
    return proof_mix(h, data, len) * 0xbf58476d1ce4e5b9ull;
}

static struct write_series *slot(struct write_series *table, uint64_t room, uint64_t labels)
{
    uint64_t at = labels & (room - 1);

    while (table[at].labels != 0 && table[at].labels != labels)
        at = (at + 1) & (room - 1);
    return &table[at];
}

static struct write_series *find(struct write_proof *p, uint64_t labels)
{
    struct write_series *s;

    if (p->series * 2 >= p->room) {
        uint64_t room = p->room == 0 ? 1 << 16 : p->room * 2;
        struct write_series *table = calloc(room, sizeof *table);
        if (table == NULL)
            net_die("no memory");
        for (uint64_t i = 0; i < p->room; i++) {
            if (p->table[i].labels != 0)
                *slot(table, room, p->table[i].labels) = p->table[i];
        }
        free(p->table);
        p->table = table;
        p->room = room;
    }
    s = slot(p->table, p->room, labels);
    if (s->labels == 0) {
        *s = (struct write_series){labels, INT64_MIN};
        p->series++;
    }
    return s;
}

static int compare(struct text a, struct text b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int c = len != 0 ? memcmp(a.at, b.at, len) : 0;

    return c != 0 ? c : (a.len > b.len) - (a.len < b.len);
}

static bool is(struct text a, const char *text)
{
    return a.len == strlen(text) && memcmp(a.at, text, a.len) == 0;
}

/* Looks at the labels that were read, and hashes them. */
static uint64_t check_labels(struct reader *r)
{
    bool good = true, named = false;
    uint64_t h = r->nlabels + 1;

    r->info = false;
    for (size_t i = 0; i < r->nlabels; i++) {
        const struct label *l = &r->label[i];
        good &= l->name.len != 0 && l->value.len != 0;
        good &= i == 0 || compare(r->label[i - 1].name, l->name) < 0;
        named |= is(l->name, "__name__");
        r->info |= is(l->name, "__name__") && is(l->value, "target_info");
        h = mix(mix(h, l->name.at, l->name.len), l->value.at, l->value.len);
    }
    r->p->bad_labels += !good || !named;
    return h == 0 ? 1 : h;
}

static void take_sample(struct reader *r, struct write_series *s, int64_t time, uint64_t hash)
{
    uint64_t h = mix(s->labels ^ hash, &time, sizeof time);

    r->p->older += time < s->last;
    r->p->same_time += time == s->last;
    s->last = time;
    r->p->info += r->info;
    if (r->info)
        return;
    r->p->sum += h;
    r->p->squares += h * h;
}

/* Sample: value 1, timestamp 2. Histogram: timestamp 15. */
static void read_sample(struct reader *r, struct write_series *s, struct text m, bool histogram)
{
    struct text whole = m;
    uint64_t value = 0, time = 0;
    struct field f;

    while (next(r, &m, &f)) {
        if (f.number == (histogram ? 15 : 2) && f.type == 0)
            time = f.value;
        else if (f.number == 1 && f.type == 1 && !histogram)
            value = f.value;
    }
    if (!r->ok)
        return;
    r->p->stale += !histogram && value == STALE;
    take_sample(r, s, (int64_t)time,
                histogram ? mix(1, whole.at, whole.len) : mix(0, &value, sizeof value));
}

static void add_label(struct reader *r, struct label l)
{
    if (r->nlabels == LABELS_MAX)
        r->ok = false;
    else
        r->label[r->nlabels++] = l;
}

/* Label: name 1, value 2 */
static void read_label(struct reader *r, struct text m)
{
    struct label l = {{NULL, 0}, {NULL, 0}};
    struct field f;

    while (next(r, &m, &f)) {
        if (f.type == 2 && f.number == 1)
            l.name = f.text;
        else if (f.type == 2 && f.number == 2)
            l.value = f.text;
    }
    add_label(r, l);
}

static void read_refs(struct reader *r, struct text m)
{
    uint64_t name, value;

    while (r->ok && m.len > 0) {
        r->ok =
            varint(&m, &name) && varint(&m, &value) && name < r->nsymbols && value < r->nsymbols;
        if (r->ok)
            add_label(r, (struct label){r->symbols[name], r->symbols[value]});
    }
}

/* TimeSeries of 1.0: labels 1, samples 2, exemplars 3, histograms 4; of 2.0: label references 1,
 * samples 2, histograms 3, exemplars 4, metadata 5. Labels may stand behind the samples. */
static void read_series(struct reader *r, struct text m)
{
    const uint32_t histograms = r->version == 1 ? 4 : 3, exemplars = r->version == 1 ? 3 : 4;
    struct text rest = m;
    struct write_series *s;
    struct field f;

    r->nlabels = 0;
    while (next(r, &rest, &f)) {
        if (f.type == 2 && f.number == 1 && r->version == 1)
            read_label(r, f.text);
        else if (f.type == 2 && f.number == 1)
            read_refs(r, f.text);
    }
    if (!r->ok)
        return;
    s = find(r->p, check_labels(r));
    while (next(r, &m, &f)) {
        if (f.type != 2)
            continue;
        r->counts.samples += f.number == 2;
        r->counts.histograms += f.number == histograms;
        r->counts.exemplars += f.number == exemplars;
        r->p->metadata += f.number == 5 && r->version == 2;
        if (f.number == 2 || f.number == histograms)
            read_sample(r, s, f.text, f.number == histograms);
    }
}

static void add_symbol(struct reader *r, struct text symbol)
{
    if (r->nsymbols == r->room) {
        r->room = r->room == 0 ? 1024 : r->room * 2;
        r->symbols = realloc(r->symbols, r->room * sizeof *r->symbols);
        if (r->symbols == NULL)
            net_die("no memory");
    }
    r->symbols[r->nsymbols++] = symbol;
}

/* WriteRequest: series 1, metadata 3. Request of 2.0: symbols 4, series 5. */
static void read_message(struct reader *r, struct text m)
{
    const uint32_t series = r->version == 1 ? 1 : 5;
    struct text rest = m;
    struct field f;

    while (next(r, &rest, &f)) {
        if (r->version == 2 && f.number == 4 && f.type == 2)
            add_symbol(r, f.text);
    }
    if (r->version == 2 && (r->nsymbols == 0 || r->symbols[0].len != 0))
        r->ok = false;
    while (next(r, &m, &f)) {
        if (f.number == series && f.type == 2)
            read_series(r, f.text);
        r->p->metadata += f.number == 3 && r->version == 1;
    }
}

bool write_proof_take(struct write_proof *p, int version, const uint8_t *body, size_t len,
                      struct write_counts *ret)
{
    static struct reader r;
    size_t plain_len = 0;
    uint8_t *plain = unpack((struct text){body, len}, &plain_len);

    r.p = p;
    r.version = version;
    r.nsymbols = 0;
    r.counts = (struct write_counts){0, 0, 0};
    r.ok = plain != NULL;
    if (r.ok)
        read_message(&r, (struct text){plain, plain_len});
    free(plain);
    p->samples += r.counts.samples;
    p->histograms += r.counts.histograms;
    p->exemplars += r.counts.exemplars;
    p->malformed += !r.ok;
    *ret = r.counts;
    return r.ok;
}

void write_proof_print(const struct write_proof *p, FILE *to)
{
    const struct {
        const char *name;
        uint64_t value;
    } all[] = {
        {"series", p->series},       {"samples", p->samples},     {"histograms", p->histograms},
        {"exemplars", p->exemplars}, {"metadata", p->metadata},   {"info", p->info},
        {"stale", p->stale},         {"malformed", p->malformed}, {"bad_labels", p->bad_labels},
        {"older", p->older},         {"same_time", p->same_time},
    };

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        fprintf(to, "\"%s\": %llu, ", all[i].name, (unsigned long long)all[i].value);
    fprintf(to, "\"digest\": \"%016llx%016llx\"", (unsigned long long)p->sum,
            (unsigned long long)p->squares);
}
