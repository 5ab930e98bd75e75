/* Pieces of telemetry as text, taken from their wire bytes. */
#include "proto/otlp_show.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "proto/json_write.h"
#include "proto/otlp_view.h"
#include "proto/printable.h"

#define SCALE_MAX 2000 /* beyond it every bucket is all or nothing */
#define SORT_MAX  64   /* members of a map that are sorted by key, as the collector does */

bool leat_show_field(struct leat_bytes m, uint32_t field, struct leat_wire_field *ret)
{
    struct leat_wire w = leat_wire_of(m);
    struct leat_wire_field f;
    bool found = false;

    while (leat_wire_next(&w, &f) > 0) {
        if (f.field == field) {
            *ret = f;
            found = true;
        }
    }
    return found;
}

struct leat_bytes leat_show_bytes(struct leat_bytes m, uint32_t field)
{
    struct leat_wire_field f;

    if (leat_show_field(m, field, &f) && f.type == LEAT_BYTES)
        return f.bytes;
    return leat_bytes(NULL, 0);
}

uint64_t leat_show_number(struct leat_bytes m, uint32_t field)
{
    struct leat_wire_field f;

    return leat_show_field(m, field, &f) && f.type != LEAT_BYTES ? f.number : 0;
}

double leat_show_double(struct leat_bytes m, uint32_t field)
{
    uint64_t bits = leat_show_number(m, field);
    double v;

    memcpy(&v, &bits, sizeof v);
    return v;
}

bool leat_show_next(struct leat_wire *w, uint32_t field, struct leat_bytes *ret)
{
    struct leat_wire_field f;

    while (leat_wire_next(w, &f) > 0) {
        if (f.field == field && f.type == LEAT_BYTES) {
            *ret = f.bytes;
            return true;
        }
    }
    return false;
}

uint32_t leat_show_count(struct leat_bytes m, uint32_t field)
{
    struct leat_wire w = leat_wire_of(m);
    struct leat_bytes b;
    uint32_t n = 0;

    while (leat_show_next(&w, field, &b))
        n++;
    return n;
}

struct leat_show_list leat_show_list(struct leat_bytes m, uint32_t field, enum leat_wire_type type)
{
    return (struct leat_show_list){leat_wire_of(m), {NULL, NULL}, field, type};
}

bool leat_show_list_next(struct leat_show_list *l, uint64_t *ret)
{
    struct leat_wire_field f;

    for (;;) {
        if (l->packed.at != l->packed.end) {
            if (l->type == LEAT_VARINT)
                return leat_wire_varint(&l->packed, ret);
            if (l->packed.end - l->packed.at < 8)
                return false;
            memcpy(ret, l->packed.at, 8);
            l->packed.at += 8;
            return true;
        }
        if (leat_wire_next(&l->outer, &f) <= 0)
            return false;
        if (f.field == l->field && f.type == l->type) {
            *ret = f.number;
            return true;
        }
        if (f.field == l->field && f.type == LEAT_BYTES)
            l->packed = leat_wire_of(f.bytes);
    }
}

/* --- values. AnyValue: string 1, bool 2, int 3, double 4, array 5, kvlist 6, bytes 7 */

/* The member that counts: the last one; its number is 0 when there is none. */
static struct leat_wire_field member_of(struct leat_bytes value)
{
    struct leat_wire w = leat_wire_of(value);
    struct leat_wire_field f, last = {.field = 0};

    while (leat_wire_next(&w, &f) > 0) {
        if (f.field <= 7)
            last = f;
    }
    return last;
}

static double double_of(uint64_t bits)
{
    double v;

    memcpy(&v, &bits, sizeof v);
    return v;
}

static void add_json(struct leat_text *t, struct leat_bytes value, unsigned depth);

/* The member of a map whose key comes next after `last` (NULL: the first), the last of equals. */
static bool next_key(struct leat_bytes list, const struct leat_bytes *last, struct leat_bytes *key,
                     struct leat_bytes *pair)
{
    struct leat_wire w = leat_wire_of(list);
    struct leat_bytes one;
    bool found = false;

    while (leat_show_next(&w, 1, &one)) {
        struct leat_bytes k = leat_show_bytes(one, 1);
        if (last != NULL && leat_bytes_compare(k, *last) <= 0)
            continue;
        if (!found || leat_bytes_compare(k, *key) <= 0) {
            *key = k;
            *pair = one;
            found = true;
        }
    }
    return found;
}

static void add_pair(struct leat_text *t, struct leat_bytes key, struct leat_bytes pair, bool first,
                     unsigned depth)
{
    if (!first)
        leat_text_char(t, ',');
    leat_printable_json(t, key);
    leat_text_char(t, ':');
    add_json(t, leat_show_bytes(pair, 2), depth);
}

static void add_map(struct leat_text *t, struct leat_bytes list, unsigned depth)
{
    struct leat_wire w = leat_wire_of(list);
    struct leat_bytes key, last, pair;
    bool first = true;

    leat_text_char(t, '{');
    if (leat_show_count(list, 1) <= SORT_MAX) {
        for (; next_key(list, first ? NULL : &last, &key, &pair); first = false) {
            add_pair(t, key, pair, first, depth);
            last = key;
        }
    } else {
        for (; leat_text_ok(t) && leat_show_next(&w, 1, &pair); first = false)
            add_pair(t, leat_show_bytes(pair, 1), pair, first, depth);
    }
    leat_text_char(t, '}');
}

static void add_array(struct leat_text *t, struct leat_bytes list, unsigned depth)
{
    struct leat_wire w = leat_wire_of(list);
    struct leat_bytes value;

    leat_text_char(t, '[');
    for (bool first = true; leat_text_ok(t) && leat_show_next(&w, 1, &value); first = false) {
        if (!first)
            leat_text_char(t, ',');
        add_json(t, value, depth);
    }
    leat_text_char(t, ']');
}

/* Recursive: to LEAT_OTLP_DEPTH, which checked bytes keep to. */
static void add_json(struct leat_text *t, struct leat_bytes value, unsigned depth)
{
    struct leat_wire_field f = member_of(value);

    if (depth > LEAT_OTLP_DEPTH)
        return;
    switch (f.field) {
    case 1:
        leat_printable_json(t, f.bytes);
        break;
    case 2:
        leat_text_str(t, f.number != 0 ? "true" : "false");
        break;
    case 3:
        leat_json_add_i64(t, (int64_t)f.number);
        break;
    case 4:
        leat_json_add_double(t, double_of(f.number));
        break;
    case 5:
        add_array(t, f.bytes, depth + 1);
        break;
    case 6:
        add_map(t, f.bytes, depth + 1);
        break;
    case 7:
        leat_text_char(t, '"');
        leat_json_add_base64(t, f.bytes);
        leat_text_char(t, '"');
        break;
    default:
        leat_text_str(t, "null");
    }
}

void leat_show_value(struct leat_text *t, struct leat_bytes value)
{
    struct leat_wire_field f = member_of(value);
    double v = double_of(f.number);

    if (f.field == 1)
        leat_printable_add(t, f.bytes, SIZE_MAX);
    else if (f.field == 4 && !isfinite(v))
        leat_text_str(t, isnan(v) ? "NaN" : v > 0 ? "Infinity" : "-Infinity");
    else if (f.field == 7)
        leat_json_add_base64(t, f.bytes);
    else if (f.field != 0)
        add_json(t, value, 1);
}

const char *leat_show_type(struct leat_bytes value)
{
    static const char *const names[] = {"Empty",  "Str",   "Bool", "Int",
                                        "Double", "Slice", "Map",  "Bytes"};

    return names[member_of(value).field];
}

/* --- scalars */

void leat_show_time(struct leat_text *t, uint64_t nanos)
{
    int64_t seconds = (int64_t)nanos / 1000000000, rest = (int64_t)nanos % 1000000000;
    struct tm tm;
    time_t when;
    char part[40];

    if (rest < 0) {
        rest += 1000000000;
        seconds--;
    }
    when = (time_t)seconds;
    if (gmtime_r(&when, &tm) == NULL)
        return;
    strftime(part, sizeof part, "%Y-%m-%d %H:%M:%S", &tm);
    leat_text_str(t, part);
    if (rest != 0) {
        leat_text_printf(t, ".%09d", (int)rest);
        while (leat_text_ok(t) && t->data[t->len - 1] == '0')
            t->data[--t->len] = '\0';
    }
    leat_text_str(t, " +0000 UTC");
}

void leat_show_hex(struct leat_text *t, struct leat_bytes id)
{
    for (size_t i = 0; i < id.len; i++) {
        if (id.data[i] != 0) {
            leat_json_add_hex(t, id);
            return;
        }
    }
}

static bool add_special(struct leat_text *t, double v)
{
    if (isfinite(v))
        return false;
    leat_text_str(t, isnan(v) ? "NaN" : v > 0 ? "+Inf" : "-Inf");
    return true;
}

void leat_show_fixed(struct leat_text *t, double v)
{
    if (!add_special(t, v))
        leat_text_printf(t, "%f", v);
}

void leat_show_short(struct leat_text *t, double v)
{
    struct leat_decimal d;

    if (add_special(t, v))
        return;
    d = leat_decimal_of(v);
    leat_decimal_add(t, &d, -4, 21, 2);
}

/* --- names */

const char *leat_show_severity(uint64_t v)
{
    static const char *const names[] = {"Unspecified", "Trace",  "Trace2", "Trace3", "Trace4",
                                        "Debug",       "Debug2", "Debug3", "Debug4", "Info",
                                        "Info2",       "Info3",  "Info4",  "Warn",   "Warn2",
                                        "Warn3",       "Warn4",  "Error",  "Error2", "Error3",
                                        "Error4",      "Fatal",  "Fatal2", "Fatal3", "Fatal4"};

    return v < sizeof names / sizeof *names ? names[v] : "";
}

const char *leat_show_kind(uint64_t v)
{
    static const char *const names[] = {"Unspecified", "Internal", "Server",
                                        "Client",      "Producer", "Consumer"};

    return v < sizeof names / sizeof *names ? names[v] : "";
}

const char *leat_show_status(uint64_t v)
{
    static const char *const names[] = {"Unset", "Ok", "Error"};

    return v < sizeof names / sizeof *names ? names[v] : "";
}

const char *leat_show_temporality(uint64_t v)
{
    static const char *const names[] = {"Unspecified", "Delta", "Cumulative"};

    return v < sizeof names / sizeof *names ? names[v] : "";
}

/* --- metrics */

uint32_t leat_show_metric(struct leat_bytes metric, struct leat_bytes *ret)
{
    struct leat_wire w = leat_wire_of(metric);
    struct leat_wire_field f;
    uint32_t kind = 0;

    *ret = leat_bytes(NULL, 0);
    while (leat_wire_next(&w, &f) > 0) {
        if (f.type != LEAT_BYTES)
            continue;
        if (f.field == LEAT_GAUGE || (f.field >= LEAT_SUM && f.field <= LEAT_SUMMARY)) {
            kind = f.field;
            *ret = f.bytes;
        }
    }
    return kind;
}

bool leat_show_point(struct leat_bytes point, uint32_t double_field, double *ret_double,
                     int64_t *ret_int, bool *ret_is_int)
{
    struct leat_wire w = leat_wire_of(point);
    struct leat_wire_field f;
    bool found = false;

    while (leat_wire_next(&w, &f) > 0) {
        if (f.type != LEAT_FIXED64 || (f.field != double_field && f.field != 6))
            continue;
        found = true;
        *ret_is_int = f.field == 6;
        *ret_int = (int64_t)f.number;
        *ret_double = double_of(f.number);
    }
    return found;
}

struct leat_show_point_fields leat_show_point_fields(uint32_t metric)
{
    switch (metric) {
    case LEAT_HISTOGRAM:
        return (struct leat_show_point_fields){9, 8};
    case LEAT_EXPONENTIAL:
        return (struct leat_show_point_fields){1, 11};
    case LEAT_SUMMARY:
        return (struct leat_show_point_fields){7, 0};
    default:
        return (struct leat_show_point_fields){7, 5};
    }
}

static int32_t unzigzag(uint64_t v)
{
    uint32_t low = (uint32_t)v;

    return (int32_t)(low >> 1 ^ -(low & 1));
}

/* Buckets: offset 1, bucket counts 2. */
void leat_show_buckets(struct leat_show_buckets *b, struct leat_bytes side, uint64_t scale,
                       struct leat_text *t)
{
    struct leat_show_list list = leat_show_list(side, 2, LEAT_VARINT);
    uint64_t v;
    int32_t down = unzigzag(scale);

    if (down < -SCALE_MAX || down > SCALE_MAX)
        down = down < 0 ? -SCALE_MAX : SCALE_MAX;
    *b = (struct leat_show_buckets){.offset = unzigzag(leat_show_number(side, 1)),
                                    .factor = ldexp(M_LN2, -down)};
    if (side.len == 0)
        return;
    b->counts = leat_try(side.len * sizeof *b->counts); /* a count has a byte at least */
    if (b->counts == NULL) {
        t->failed = true;
        return;
    }
    while (leat_show_list_next(&list, &v))
        b->counts[b->count++] = v;
}

void leat_show_buckets_done(struct leat_show_buckets *b)
{
    leat_free(b->counts);
}

/* --- a point in one line */

static void add_optional(struct leat_text *t, const char *name, struct leat_bytes m, uint32_t field)
{
    struct leat_wire_field f;

    if (!leat_show_field(m, field, &f))
        return;
    leat_text_printf(t, " %s=", name);
    leat_show_short(t, leat_show_double(m, field));
}

static void line_number(struct leat_text *t, struct leat_bytes point)
{
    bool is_int;
    double v;
    int64_t i;

    if (!leat_show_point(point, 4, &v, &i, &is_int))
        return;
    if (is_int)
        leat_json_add_i64(t, i);
    else
        leat_show_short(t, v);
}

/* HistogramDataPoint: count 4, sum 5, bucket counts 6, bounds 7, min 11, max 12. */
static void line_histogram(struct leat_text *t, struct leat_bytes point, bool buckets)
{
    struct leat_show_list counts = leat_show_list(point, 6, LEAT_FIXED64);
    struct leat_show_list bounds = leat_show_list(point, 7, LEAT_FIXED64);
    uint64_t count, bits;
    double bound;

    leat_text_printf(t, "count=%llu", (unsigned long long)leat_show_number(point, 4));
    add_optional(t, "sum", point, 5);
    add_optional(t, "min", point, 11);
    add_optional(t, "max", point, 12);
    while (buckets && leat_text_ok(t) && leat_show_list_next(&counts, &count)) {
        leat_text_char(t, ' ');
        if (leat_show_list_next(&bounds, &bits)) {
            memcpy(&bound, &bits, sizeof bound);
            leat_text_str(t, "le");
            leat_show_short(t, bound);
            leat_text_char(t, '=');
        }
        leat_json_add_u64(t, count);
    }
}

static void add_bucket(struct leat_text *t, double bound, uint64_t count)
{
    leat_text_str(t, " le");
    leat_show_short(t, bound);
    leat_text_printf(t, "=%llu", (unsigned long long)count);
}

static void add_exponential_buckets(struct leat_text *t, struct leat_bytes point)
{
    struct leat_show_buckets negative, positive;
    double factor;

    leat_show_buckets(&negative, leat_show_bytes(point, 9), leat_show_number(point, 6), t);
    leat_show_buckets(&positive, leat_show_bytes(point, 8), leat_show_number(point, 6), t);
    factor = positive.factor;
    for (size_t i = negative.count; i-- > 0 && leat_text_ok(t);)
        add_bucket(t, -exp((negative.offset + (double)i) * factor), negative.counts[i]);
    if (leat_show_number(point, 7) != 0)
        leat_text_printf(t, " zero=%llu", (unsigned long long)leat_show_number(point, 7));
    for (size_t i = 0; i < positive.count && leat_text_ok(t); i++)
        add_bucket(t, exp((positive.offset + (double)i + 1) * factor), positive.counts[i]);
    leat_show_buckets_done(&negative);
    leat_show_buckets_done(&positive);
}

static void line_exponential(struct leat_text *t, struct leat_bytes point, bool buckets)
{
    leat_text_printf(t, "count=%llu", (unsigned long long)leat_show_number(point, 4));
    add_optional(t, "sum", point, 5);
    add_optional(t, "min", point, 12);
    add_optional(t, "max", point, 13);
    if (buckets)
        add_exponential_buckets(t, point);
}

/* SummaryDataPoint: count 4, sum 5, quantiles 6 {quantile 1, value 2}. */
static void line_summary(struct leat_text *t, struct leat_bytes point)
{
    struct leat_wire w = leat_wire_of(point);
    struct leat_bytes quantile;

    leat_text_printf(t, "count=%llu sum=", (unsigned long long)leat_show_number(point, 4));
    leat_show_fixed(t, leat_show_double(point, 5));
    while (leat_text_ok(t) && leat_show_next(&w, 6, &quantile)) {
        leat_text_str(t, " q");
        leat_show_short(t, leat_show_double(quantile, 1));
        leat_text_char(t, '=');
        leat_show_short(t, leat_show_double(quantile, 2));
    }
}

void leat_show_point_line(struct leat_text *t, uint32_t metric, struct leat_bytes point,
                          bool buckets)
{
    switch (metric) {
    case LEAT_HISTOGRAM:
        line_histogram(t, point, buckets);
        break;
    case LEAT_EXPONENTIAL:
        line_exponential(t, point, buckets);
        break;
    case LEAT_SUMMARY:
        line_summary(t, point);
        break;
    default:
        line_number(t, point);
    }
}
