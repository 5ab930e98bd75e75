/* Metrics as Prometheus reads them. */
#include "proto/prom_text.h"

#include <math.h>
#include <string.h>

#include "base/text.h"
#include "proto/json_write.h"
#include "proto/prom_labels.h"

/* Go's strconv.FormatFloat(v, 'g', -1, 64): an exponent from 1e+06 on, and below 1e-04. Values may
 * be written in any way, but le="1e+06" and le="1000000" are two labels. */
#define EXPONENT_LOW    (-4)
#define EXPONENT_HIGH   6
#define EXPONENT_DIGITS 2
#define NS_PER_MS       1000000U
#define NUMBER_MAX      32 /* bytes of any number */

const char *leat_scrape_kind_name(enum leat_scrape_kind kind)
{
    static const char *const names[LEAT_SCRAPE_KINDS] = {"gauge",   "counter", "histogram",
                                                         "summary", "unknown", "info"};

    return names[kind];
}

/* --- numbers */

void leat_scrape_number_add(struct leat_text *out, double v)
{
    struct leat_decimal d;

    if (isnan(v)) {
        leat_text_str(out, "NaN");
    } else if (isinf(v)) {
        leat_text_str(out, v > 0 ? "+Inf" : "-Inf");
    } else {
        d = leat_decimal_of(v);
        leat_decimal_add(out, &d, EXPONENT_LOW, EXPONENT_HIGH, EXPONENT_DIGITS);
    }
}

/* OpenMetrics wants floats to look like floats: "1.0". */
static void add_point(struct leat_text *out, size_t from)
{
    for (size_t i = from; i < out->len; i++)
        if (strchr(".eNI", out->data[i]) != NULL)
            return;
    leat_text_str(out, ".0");
}

static void add_float(const struct leat_scrape_style *style, double v, struct leat_text *out)
{
    size_t from = out->len;

    leat_scrape_number_add(out, v != 0 ? v : 0); /* without the sign of a zero */
    if (style->open && leat_text_ok(out))
        add_point(out, from);
}

static void add_int(int64_t v, struct leat_text *out)
{
    if (v < 0)
        leat_text_char(out, '-');
    leat_text_uint(out, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

static void add_seconds(uint64_t ns, struct leat_text *out)
{
    uint64_t ms = ns / NS_PER_MS;
    char digits[4] = {'.', (char)('0' + ms / 100 % 10), (char)('0' + ms / 10 % 10),
                      (char)('0' + ms % 10)};

    leat_text_uint(out, ms / 1000);
    leat_text_add(out, digits, sizeof digits);
}

/* --- bounds and quantiles */

size_t leat_scrape_marks_room(uint32_t n)
{
    return ((size_t)n + 1) * sizeof(uint32_t) + (size_t)n * NUMBER_MAX;
}

void leat_scrape_marks_fill(struct leat_scrape_marks *m, const double *v, uint32_t n, void *room)
{
    uint32_t *at = room;
    char *text = (char *)(at + n + 1);
    struct leat_text t;

    leat_text_init(&t, NUMBER_MAX);
    at[0] = 0;
    for (uint32_t i = 0; i < n; i++) {
        leat_text_clear(&t);
        leat_scrape_number_add(&t, v[i]);
        memcpy(text + at[i], leat_text_get(&t), t.len);
        at[i + 1] = at[i] + (uint32_t)t.len;
    }
    leat_text_done(&t);
    *m = (struct leat_scrape_marks){.n = n, .at = at, .text = text};
}

/* --- names and labels */

static bool is_plain_char(uint8_t c, bool first, bool label)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (c >= '0' && c <= '9' && !first) || (c == ':' && !label);
}

bool leat_scrape_is_plain(struct leat_bytes name, bool label)
{
    for (size_t i = 0; i < name.len; i++)
        if (!is_plain_char(name.data[i], i == 0, label))
            return false;
    return name.len != 0;
}

/* One _ for each character that is not legal. Labels come from a block, where they are escaped. */
static void add_plain_name(struct leat_bytes name, bool label, struct leat_text *out)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.data[i];

        if ((c & 0xc0) == 0x80)
            continue; /* not the first byte of its character */
        if (c == '\\' && label)
            i++; /* what is escaped is not legal either */
        leat_text_char(out, is_plain_char(c, i == 0, label) ? (char)c : '_');
    }
}

static void add_escaped(struct leat_bytes value, bool quote, struct leat_text *out)
{
    size_t from = 0;

    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = value.data[i];

        if (c != '\\' && c != '\n' && (c != '"' || !quote))
            continue;
        leat_text_add(out, value.data + from, i - from);
        leat_text_char(out, '\\');
        leat_text_char(out, c == '\n' ? 'n' : (char)c);
        from = i + 1;
    }
    if (value.len != from)
        leat_text_add(out, value.data + from, value.len - from);
}

void leat_scrape_block_add(const struct leat_prom_set *set, struct leat_text *out, bool *ret_odd)
{
    *ret_odd = false;
    for (uint32_t i = 0; i < set->count; i++) {
        const struct leat_prom_label *l = &set->label[i];

        if (i != 0)
            leat_text_char(out, ',');
        if (leat_scrape_is_plain(l->name, true)) {
            leat_text_add(out, l->name.data, l->name.len);
        } else {
            *ret_odd = true;
            leat_text_char(out, '"');
            add_escaped(l->name, true, out);
            leat_text_char(out, '"');
        }
        leat_text_str(out, "=\"");
        add_escaped(l->value, true, out);
        leat_text_char(out, '"');
    }
}

/* Where the quoted text that begins at `at` ends: at its closing quote. */
static size_t end_of_quoted(struct leat_bytes b, size_t at)
{
    while (at < b.len && b.data[at] != '"')
        at += b.data[at] == '\\' ? 2 : 1;
    return at;
}

bool leat_scrape_block_next(struct leat_bytes block, size_t *at, struct leat_bytes *ret_name,
                            struct leat_bytes *ret_value)
{
    size_t from = *at, to;

    if (from >= block.len)
        return false;
    if (block.data[from] == '"') {
        to = end_of_quoted(block, ++from);
        *ret_name = leat_bytes(block.data + from, to - from);
        to++;
    } else {
        for (to = from; block.data[to] != '='; to++)
            ;
        *ret_name = leat_bytes(block.data + from, to - from);
    }
    from = to + 2; /* =" */
    to = end_of_quoted(block, from);
    *ret_value = leat_bytes(block.data + from, to - from);
    *at = to + 2; /* ", */
    return true;
}

void leat_scrape_value_plain(struct leat_bytes value, struct leat_text *out)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = (char)value.data[i];

        if (c == '\\' && i + 1 < value.len) {
            c = (char)value.data[++i];
            c = c == 'n' ? '\n' : c;
        }
        leat_text_char(out, c);
    }
}

static bool same_plain(struct leat_bytes a, struct leat_bytes b)
{
    struct leat_text x, y;
    bool same;

    leat_text_init(&x, a.len + 1);
    leat_text_init(&y, b.len + 1);
    add_plain_name(a, true, &x);
    add_plain_name(b, true, &y);
    same = leat_bytes_eq(leat_text_bytes(&x), leat_text_bytes(&y));
    leat_text_done(&x);
    leat_text_done(&y);
    return same;
}

/* Whether a name before `end` of the block is the same when it is made plain: a reader refuses a
 * page where a label stands twice. */
static bool stands_before(struct leat_bytes block, size_t end, struct leat_bytes name)
{
    struct leat_bytes other, value;
    size_t at = 0;

    while (at < end && leat_scrape_block_next(block, &at, &other, &value))
        if (at <= end && same_plain(other, name))
            return true;
    return false;
}

/* The labels for a reader that knows no quotes. */
static void add_plain_block(struct leat_bytes block, struct leat_text *out)
{
    struct leat_bytes name, value;
    size_t at = 0, before = 0;
    bool any = false;

    while (leat_scrape_block_next(block, &at, &name, &value)) {
        if (!stands_before(block, before, name)) {
            if (any)
                leat_text_char(out, ',');
            add_plain_name(name, true, out);
            leat_text_str(out, "=\"");
            leat_text_add(out, value.data, value.len);
            leat_text_char(out, '"');
            any = true;
        }
        before = at;
    }
}

/* --- lines */

/* Family names of OpenMetrics have no _total and no _info. */
static struct leat_bytes head_name(const struct leat_scrape_style *style,
                                   const struct leat_scrape_family *f)
{
    const char *suffix = f->kind == LEAT_SCRAPE_COUNTER ? "_total"
                         : f->kind == LEAT_SCRAPE_INFO  ? "_info"
                                                        : "";
    size_t n = strlen(suffix);

    if (!style->open || f->base_taken || f->name.len <= n ||
        memcmp(f->name.data + f->name.len - n, suffix, n) != 0)
        return f->name;
    return leat_bytes(f->name.data, f->name.len - n);
}

static const char *type_of(const struct leat_scrape_style *style,
                           const struct leat_scrape_family *f)
{
    bool whole = head_name(style, f).len == f->name.len;

    if (style->open && whole && f->kind == LEAT_SCRAPE_COUNTER)
        return "unknown"; /* a counter there ends in _total */
    if (style->open && whole && f->kind == LEAT_SCRAPE_INFO)
        return "gauge";
    if (!style->open && f->kind == LEAT_SCRAPE_INFO)
        return "gauge";
    if (!style->open && f->kind == LEAT_SCRAPE_UNKNOWN)
        return "untyped";
    return leat_scrape_kind_name(f->kind);
}

static void add_head_name(const struct leat_scrape_style *style, struct leat_bytes name,
                          struct leat_text *out)
{
    if (leat_scrape_is_plain(name, false)) {
        leat_text_add(out, name.data, name.len);
    } else if (style->quotes) {
        leat_text_char(out, '"');
        add_escaped(name, true, out);
        leat_text_char(out, '"');
    } else {
        add_plain_name(name, false, out);
    }
}

static void begin_head(const struct leat_scrape_style *style, const char *what,
                       struct leat_bytes name, struct leat_text *out)
{
    leat_text_str(out, what);
    add_head_name(style, name, out);
    leat_text_char(out, ' ');
}

/* OpenMetrics: the name must end in it, and it has the characters of a name. */
static bool ends_in_unit(struct leat_bytes name, struct leat_bytes unit)
{
    for (size_t i = 0; i < unit.len; i++)
        if (!is_plain_char(unit.data[i], false, false))
            return false;
    return unit.len != 0 && name.len > unit.len + 1 && name.data[name.len - unit.len - 1] == '_' &&
           memcmp(name.data + name.len - unit.len, unit.data, unit.len) == 0;
}

void leat_scrape_head_write(const struct leat_scrape_style *style,
                            const struct leat_scrape_family *f, struct leat_text *out)
{
    struct leat_bytes name = head_name(style, f);

    begin_head(style, "# HELP ", name, out);
    add_escaped(f->help, style->open, out);
    leat_text_char(out, '\n');
    begin_head(style, "# TYPE ", name, out);
    leat_text_str(out, type_of(style, f));
    leat_text_char(out, '\n');
    if (!style->open || !ends_in_unit(name, f->unit))
        return;
    begin_head(style, "# UNIT ", name, out);
    add_escaped(f->unit, true, out);
    leat_text_char(out, '\n');
}

/* The name and labels of one line, up to the blank before its value. `mark`: another label, its
 * value in 0.0.4; NULL: none. */
struct line {
    const struct leat_scrape_style *style;
    const struct leat_scrape_series *s;
    struct leat_bytes name; /* of the family, without what follows */
    bool plain;             /* that name */
    struct leat_text *out;
};

static void begin_line(const struct line *l, const char *suffix, const char *label,
                       struct leat_bytes mark)
{
    struct leat_text *out = l->out;
    bool inside = !l->plain && l->style->quotes;
    bool braces = inside || l->s->labels.len != 0 || label != NULL;
    size_t from;

    if (inside)
        leat_text_str(out, "{");
    add_head_name(l->style, l->name, out);
    if (inside && leat_text_ok(out))
        out->len--; /* the suffix belongs inside the quotes */
    leat_text_str(out, suffix);
    if (inside)
        leat_text_char(out, '"');
    else if (braces)
        leat_text_char(out, '{');
    if (inside && (l->s->labels.len != 0 || label != NULL))
        leat_text_char(out, ',');
    if (l->s->odd_names && !l->style->quotes)
        add_plain_block(l->s->labels, out);
    else
        leat_text_add(out, l->s->labels.data, l->s->labels.len);
    if (label != NULL) {
        leat_text_str(out, l->s->labels.len != 0 ? "," : "");
        leat_text_str(out, label);
        leat_text_str(out, "=\"");
        from = out->len;
        leat_text_add(out, mark.data, mark.len);
        if (l->style->open && leat_text_ok(out))
            add_point(out, from);
        leat_text_char(out, '"');
    }
    leat_text_str(out, braces ? "} " : " ");
}

static void end_line(const struct line *l, const struct leat_scrape_exemplar *e)
{
    if (l->style->stamped && l->s->time != 0) {
        leat_text_char(l->out, ' ');
        if (l->style->open)
            add_seconds(l->s->time, l->out);
        else
            leat_text_uint(l->out, l->s->time / NS_PER_MS);
    }
    if (l->style->open && e != NULL) {
        leat_text_str(l->out, " # ");
        leat_text_add(l->out, e->text.data, e->text.len);
    }
    leat_text_char(l->out, '\n');
}

static const struct leat_scrape_exemplar *exemplar_of(const struct leat_scrape_series *s,
                                                      uint32_t bucket)
{
    for (uint32_t i = 0; i < s->nexemplars; i++)
        if (s->exemplars[i].bucket == bucket)
            return &s->exemplars[i];
    return NULL;
}

static struct leat_bytes mark_of(const struct leat_scrape_marks *m, uint32_t i)
{
    return leat_bytes(m->text + m->at[i], m->at[i + 1] - m->at[i]);
}

static const struct leat_bytes no_mark;

static void write_number(const struct line *l, bool counter)
{
    const struct leat_scrape_series *s = l->s;

    begin_line(l, "", NULL, no_mark);
    if (s->is_int)
        add_int(s->integer, l->out);
    else
        add_float(l->style, s->value, l->out);
    end_line(l, counter ? exemplar_of(s, 0) : NULL);
}

static void write_sum_and_count(const struct line *l)
{
    begin_line(l, "_sum", NULL, no_mark);
    add_float(l->style, l->s->sum, l->out);
    end_line(l, NULL);
    begin_line(l, "_count", NULL, no_mark);
    leat_text_uint(l->out, l->s->count);
    end_line(l, NULL);
}

static void write_histogram(const struct line *l)
{
    static const char inf[] = "+Inf";
    const struct leat_scrape_series *s = l->s;
    uint32_t n = s->marks != NULL ? s->marks->n : 0;
    uint64_t sum = 0;

    for (uint32_t i = 0; i < n; i++) {
        sum += s->counts[i];
        begin_line(l, "_bucket", "le", mark_of(s->marks, i));
        leat_text_uint(l->out, sum);
        end_line(l, exemplar_of(s, i));
    }
    begin_line(l, "_bucket", "le", leat_bytes(inf, sizeof inf - 1));
    leat_text_uint(l->out, s->count);
    end_line(l, exemplar_of(s, n));
    write_sum_and_count(l);
}

static void write_summary(const struct line *l)
{
    const struct leat_scrape_series *s = l->s;

    for (uint32_t i = 0; s->marks != NULL && i < s->marks->n; i++) {
        begin_line(l, "", "quantile", mark_of(s->marks, i));
        add_float(l->style, s->values[i], l->out);
        end_line(l, NULL);
    }
    write_sum_and_count(l);
}

static void write_created(struct line *l, const struct leat_scrape_family *f)
{
    if (!l->style->open || !l->style->created || l->s->start == 0 ||
        strcmp(type_of(l->style, f), "unknown") == 0)
        return;
    l->name = head_name(l->style, f);
    begin_line(l, "_created", NULL, no_mark);
    add_seconds(l->s->start, l->out);
    leat_text_char(l->out, '\n');
}

void leat_scrape_series_write(const struct leat_scrape_style *style,
                              const struct leat_scrape_family *f,
                              const struct leat_scrape_series *s, struct leat_text *out)
{
    struct line l = {.style = style,
                     .s = s,
                     .name = f->name,
                     .plain = leat_scrape_is_plain(f->name, false),
                     .out = out};

    switch (f->kind) {
    case LEAT_SCRAPE_HISTOGRAM:
        write_histogram(&l);
        write_created(&l, f);
        break;
    case LEAT_SCRAPE_SUMMARY:
        write_summary(&l);
        write_created(&l, f);
        break;
    case LEAT_SCRAPE_COUNTER:
        write_number(&l, type_of(style, f)[0] == 'c');
        write_created(&l, f);
        break;
    case LEAT_SCRAPE_GAUGE:
    case LEAT_SCRAPE_UNKNOWN:
    case LEAT_SCRAPE_INFO:
    case LEAT_SCRAPE_KINDS:
        write_number(&l, false);
        break;
    }
}

size_t leat_scrape_series_bound(const struct leat_scrape_family *f,
                                const struct leat_scrape_series *s)
{
    /* _bucket{} le="" and commas, three numbers, a line's end; names may grow by their quotes */
    size_t line = 2 * f->name.len + s->labels.len + 3 * NUMBER_MAX + 64;
    size_t lines = (s->marks != NULL ? s->marks->n : 0) + (size_t)4;
    size_t exemplars = 0;

    for (uint32_t i = 0; i < s->nexemplars; i++)
        exemplars += s->exemplars[i].text.len + 3;
    return lines * line + exemplars;
}

void leat_scrape_exemplar_add(struct leat_bytes block, double value, uint64_t time,
                              struct leat_text *out)
{
    size_t from;

    leat_text_char(out, '{');
    leat_text_add(out, block.data, block.len);
    leat_text_str(out, "} ");
    from = out->len;
    leat_scrape_number_add(out, value);
    if (leat_text_ok(out))
        add_point(out, from);
    if (time == 0)
        return;
    leat_text_char(out, ' ');
    add_seconds(time, out);
}

void leat_scrape_end_write(const struct leat_scrape_style *style, struct leat_text *out)
{
    if (style->open)
        leat_text_str(out, "# EOF\n");
}
